//! Coding for transmission, and decoding again.

use ezk_g722::libg722::{Bitrate, decoder::Decoder, encoder::Encoder};
use serde::{Deserialize, Serialize};

use super::{DeviceError, a_law_decode, a_law_encode, mu_law_decode, mu_law_encode};
use crate::{
    Dither,
    convolve::convolve_range,
    interpolate::{kaiser, sinc},
    quantise,
};

/// Taps on either side of the middle of the filter that changes the sample rate.
const HALF_TAPS: i32 = 63;
/// Its cut-off as a share of the higher rate: 3 700 of 16 000 Hz. It stops from 4 020 Hz by 80 dB.
const CUT_OFF: f64 = 3_700.0 / 16_000.0;
/// Shape of its Kaiser window.
const BETA: f64 = 8.0;

/// Samples by which G.722 delays what it codes: its two filters of 24 taps, less the two samples that the second
/// takes at once.
const G722_DELAY: usize = 22;
/// Silence before the signal in which G.722 settles, in samples.
const G722_LEAD: usize = 320;

/// A codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Codec {
    /// ITU-T G.711, µ-law, 64 kbit/s. At 16 kHz the signal is taken down to 8 kHz and up again.
    MuLaw,
    /// ITU-T G.711, A-law, 64 kbit/s. At 16 kHz the signal is taken down to 8 kHz and up again.
    ALaw,
    /// ITU-T G.722, for 16 kHz.
    G722(G722Rate),
}

/// Bits per second of G.722.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum G722Rate {
    /// 64 kbit/s.
    Kbit64,
    /// 56 kbit/s.
    Kbit56,
    /// 48 kbit/s.
    Kbit48,
}

impl Codec {
    pub(super) fn check(self, sample_rate: u32) -> Result<(), DeviceError> {
        let refuse = |codec, allowed| Err(DeviceError::SampleRate { codec, allowed, actual: sample_rate });
        match (self, sample_rate) {
            (Self::MuLaw | Self::ALaw, 8_000 | 16_000) | (Self::G722(_), 16_000) => Ok(()),
            (Self::MuLaw | Self::ALaw, _) => refuse("G.711", "8 000 or 16 000"),
            (Self::G722(_), _) => refuse("G.722", "16 000"),
        }
    }

    /// Codes and decodes, without delay.
    pub(super) fn apply(self, samples: &mut Vec<f32>, sample_rate: u32) {
        match self {
            Self::MuLaw => at_8_khz(samples, sample_rate, |sample| mu_law_decode(mu_law_encode(sample))),
            Self::ALaw => at_8_khz(samples, sample_rate, |sample| a_law_decode(a_law_encode(sample))),
            Self::G722(rate) => *samples = through_g722(samples, rate),
        }
    }
}

/// Changes each sample at 8 kHz.
fn at_8_khz(samples: &mut Vec<f32>, sample_rate: u32, change: impl Fn(f32) -> f32) {
    if sample_rate == 8_000 {
        for sample in samples {
            *sample = change(*sample);
        }
        return;
    }
    let filter = low_pass();
    let limited = convolve_range(samples, &[&filter], HALF_TAPS as isize, samples.len()).remove(0);
    // Every other sample, and zeros between, twice as loud to keep the level.
    let sparse: Vec<f32> =
        (0..).zip(limited).map(|(n, sample)| if n % 2 == 0 { 2.0 * change(sample) } else { 0.0 }).collect();
    *samples = convolve_range(&sparse, &[&filter], HALF_TAPS as isize, sparse.len()).remove(0);
}

/// A sinc under a Kaiser window, of unit gain at 0 Hz.
fn low_pass() -> Vec<f32> {
    let taps: Vec<f64> = (-HALF_TAPS..=HALF_TAPS)
        .map(|n| {
            let edge = f64::from(n) / f64::from(HALF_TAPS + 1);
            sinc(2.0 * CUT_OFF * f64::from(n)) * kaiser(edge, BETA)
        })
        .collect();
    let sum: f64 = taps.iter().sum();
    taps.iter().map(|tap| (tap / sum) as f32).collect()
}

fn through_g722(samples: &[f32], rate: G722Rate) -> Vec<f32> {
    let bitrate = || match rate {
        G722Rate::Kbit64 => Bitrate::Mode1_64000,
        G722Rate::Kbit56 => Bitrate::Mode2_56000,
        G722Rate::Kbit48 => Bitrate::Mode3_48000,
    };
    let (eight_kilohertz, packed) = (false, false);
    let mut pcm = vec![0; G722_LEAD];
    pcm.extend(quantise(samples, Dither::None));
    // What is still on its way, and an even number for the encoder.
    pcm.resize((pcm.len() + G722_DELAY).next_multiple_of(2), 0);
    let octets = Encoder::new(bitrate(), eight_kilohertz, packed).encode(&pcm);
    let decoded = Decoder::new(bitrate(), packed, eight_kilohertz).decode(&octets);
    let heard = decoded.into_iter().skip(G722_LEAD + G722_DELAY).take(samples.len());
    heard.map(|sample| f32::from(sample) / 32_768.0).collect()
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    fn sine(hz: f64, rate: u32) -> Vec<f32> {
        (0..rate).map(|n| (0.3 * (TAU * hz * f64::from(n) / f64::from(rate)).sin()) as f32).collect()
    }

    /// Signal to difference, in decibels.
    fn ratio(before: &[f32], after: &[f32]) -> f64 {
        assert_eq!(before.len(), after.len());
        let energy =
            |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>();
        let inner = 200..before.len() - 200;
        let (before, after) = (&before[inner.clone()], &after[inner]);
        let difference = energy(&mut before.iter().zip(after).map(|(a, b)| a - b));
        10.0 * (energy(&mut before.iter().copied()) / difference).log10()
    }

    fn coded(codec: Codec, samples: &[f32], rate: u32) -> Vec<f32> {
        codec.check(rate).unwrap();
        let mut samples = samples.to_vec();
        codec.apply(&mut samples, rate);
        samples
    }

    #[test]
    fn g711_keeps_a_tone_of_the_telephone_band_in_place_at_either_rate() {
        for codec in [Codec::MuLaw, Codec::ALaw] {
            for rate in [8_000, 16_000] {
                let tone = sine(1_030.0, rate);
                let ratio = ratio(&tone, &coded(codec, &tone, rate));
                assert!((35.0..43.0).contains(&ratio), "{codec:?} at {rate}: {ratio} dB");
            }
        }
    }

    #[test]
    fn g711_takes_away_what_8_khz_cannot_hold() {
        // A tone's beginning and end are clicks, which hold lower frequencies.
        let tone = coded(Codec::ALaw, &sine(5_000.0, 16_000), 16_000);
        let level = crate::level::rms_level(&tone[500..15_500]);
        // What is left is the smallest value of the A-law, which knows no zero: 20 lg 1/4096 = -72 dB.
        assert!(level < -71.0, "{level}");
    }

    #[test]
    fn g722_keeps_a_tone_in_place_and_better_at_more_bits() {
        let tone = sine(1_030.0, 16_000);
        let ratio = |rate| ratio(&tone, &coded(Codec::G722(rate), &tone, 16_000));
        let [low, middle, high] = [G722Rate::Kbit48, G722Rate::Kbit56, G722Rate::Kbit64].map(ratio);
        assert!(low > 15.0 && middle > low + 2.0 && high > middle + 2.0, "{low} {middle} {high}");
        let odd = &tone[..8_001];
        assert_eq!(coded(Codec::G722(G722Rate::Kbit64), odd, 16_000).len(), 8_001);
    }
}
