//! Which frequencies pass a device: Butterworth filters.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use super::{DeviceError, within};

/// A high-pass and a low-pass, each of which can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BandLimit {
    /// What takes low frequencies away.
    pub high_pass: Option<Edge>,
    /// What takes high frequencies away.
    pub low_pass: Option<Edge>,
}

/// One edge of a band.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// Where half the power passes, in hertz.
    pub hz: f64,
    /// Order of the filter, 1 to 12: it falls by 6 dB per octave and order.
    pub order: u8,
}

impl BandLimit {
    /// 300 to 3 400 Hz, the telephone's band.
    pub const TELEPHONE: Self = Self {
        high_pass: Some(Edge { hz: 300.0, order: 4 }),
        low_pass: Some(Edge { hz: 3_400.0, order: 8 }),
    };
    /// 50 to 7 000 Hz, wideband telephony.
    pub const WIDEBAND: Self =
        Self { high_pass: Some(Edge { hz: 50.0, order: 2 }), low_pass: Some(Edge { hz: 7_000.0, order: 8 }) };
    /// From 100 Hz: a small microphone with a pressure vent.
    pub const SMALL_MICROPHONE: Self = Self { high_pass: Some(Edge { hz: 100.0, order: 2 }), low_pass: None };

    pub(super) fn check(&self, sample_rate: u32) -> Result<(), DeviceError> {
        for edge in [self.high_pass, self.low_pass].into_iter().flatten() {
            within("an edge of the band in hertz", edge.hz, 1.0, 0.49 * f64::from(sample_rate))?;
            within("the order of a filter", f64::from(edge.order), 1.0, 12.0)?;
        }
        Ok(())
    }

    pub(super) fn apply(&self, channels: &mut [Vec<f32>], sample_rate: u32) {
        let sections = |edge: Option<Edge>, low: bool| {
            edge.into_iter().flat_map(move |edge| sections(edge, sample_rate, low))
        };
        let sections: Vec<Section> =
            sections(self.high_pass, false).chain(sections(self.low_pass, true)).collect();
        for channel in channels {
            let mut states = vec![[0.0; 2]; sections.len()];
            for sample in channel.iter_mut() {
                let through = |value, (section, state): (&Section, &mut [f64; 2])| section.next(state, value);
                *sample = sections.iter().zip(&mut states).fold(f64::from(*sample), through) as f32;
            }
        }
    }
}

/// A filter of second order: three coefficients forward, two back.
struct Section {
    forward: [f64; 3],
    back: [f64; 2],
}

impl Section {
    /// Transposed direct form II.
    fn next(&self, state: &mut [f64; 2], input: f64) -> f64 {
        let out = self.forward[0] * input + state[0];
        state[0] = self.forward[1] * input - self.back[0] * out + state[1];
        state[1] = self.forward[2] * input - self.back[1] * out;
        out
    }
}

/// The sections of a Butterworth filter by the bilinear transform, its edge where it was asked for.
fn sections(edge: Edge, sample_rate: u32, low: bool) -> impl Iterator<Item = Section> {
    let k = (PI * edge.hz / f64::from(sample_rate)).tan();
    let order = u32::from(edge.order);
    let single = (order % 2 == 1).then(|| {
        let gain = if low { k } else { 1.0 } / (k + 1.0);
        let mirror = if low { gain } else { -gain };
        Section { forward: [gain, mirror, 0.0], back: [(k - 1.0) / (k + 1.0), 0.0] }
    });
    let pairs = (0..order / 2).map(move |pair| {
        // The poles lie evenly on a circle.
        let damping = 2.0 * (PI * f64::from(2 * pair + 1) / f64::from(2 * order)).sin();
        let scale = 1.0 / (1.0 + damping * k + k * k);
        let gain = scale * if low { k * k } else { 1.0 };
        let middle = if low { 2.0 * gain } else { -2.0 * gain };
        Section {
            forward: [gain, middle, gain],
            back: [2.0 * (k * k - 1.0) * scale, (1.0 - damping * k + k * k) * scale],
        }
    });
    single.into_iter().chain(pairs)
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    const RATE: u32 = 16_000;

    fn power_gain(band: &BandLimit, hz: f64) -> f64 {
        let mut channels = vec![vec![0.0; 8_000]];
        channels[0][0] = 1.0;
        band.apply(&mut channels, RATE);
        let [re, im] = channels[0].iter().enumerate().fold([0.0; 2], |[re, im], (n, &s)| {
            let (sin, cos) = (TAU * hz * n as f64 / f64::from(RATE)).sin_cos();
            [re + f64::from(s) * cos, im - f64::from(s) * sin]
        });
        re * re + im * im
    }

    #[test]
    fn the_power_that_passes_is_butterworths() {
        // |H|² = 1 / (1 + (w/wc)^(2n)) with frequencies warped by the bilinear transform.
        let warped = |hz: f64| (PI * hz / f64::from(RATE)).tan();
        for order in [1, 2, 3, 4, 7, 8] {
            for hz in [50.0, 200.0, 1_000.0, 1_700.0, 4_000.0, 7_000.0] {
                let ratio = (warped(hz) / warped(1_000.0)).powi(2 * i32::from(order));
                let edge = Some(Edge { hz: 1_000.0, order });
                let low = power_gain(&BandLimit { low_pass: edge, high_pass: None }, hz);
                let high = power_gain(&BandLimit { high_pass: edge, low_pass: None }, hz);
                assert!((low - 1.0 / (1.0 + ratio)).abs() < 1e-4, "low {order} {hz}: {low}");
                assert!((high - ratio / (1.0 + ratio)).abs() < 1e-4, "high {order} {hz}: {high}");
            }
        }
    }

    #[test]
    fn the_telephone_band_loses_half_the_power_at_300_and_3_400_hz() {
        for hz in [300.0, 3_400.0] {
            let gain = power_gain(&BandLimit::TELEPHONE, hz);
            assert!((gain - 0.5).abs() < 0.001, "{hz}: {gain}");
        }
        assert!(power_gain(&BandLimit::TELEPHONE, 1_000.0) > 0.99);
    }
}
