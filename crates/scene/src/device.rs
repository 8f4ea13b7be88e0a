//! What the device makes of the sound at its microphones, stage by stage, each of which can be left out.
//!
//! The order is that of the parts in a device: self-noise of the capsule and its amplifier, band limit of housing
//! and converter, clipping, automatic gain control, codec. What then lies beyond full scale is limited.

mod agc;
mod band;
mod codec;
mod g711;
mod self_noise;

pub use agc::Agc;
pub use band::{BandLimit, Edge};
pub use codec::{Codec, G722Rate};
pub use g711::{a_law_decode, a_law_encode, mu_law_decode, mu_law_encode};
pub use self_noise::{NoiseFloor, SelfNoise, a_weighting_db};

use serde::{Deserialize, Serialize};

/// The largest magnitude a device gives out: a little below full scale, so that dither cannot clip.
pub(crate) const PEAK_LIMIT: f32 = 0.99;

/// The stages of a device; by default none.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Device {
    /// Noise that the microphones add, another in each.
    pub self_noise: Option<SelfNoise>,
    /// Frequencies that pass.
    pub band: Option<BandLimit>,
    /// Where the converter clips.
    pub clipping: Option<Clipping>,
    /// Automatic gain control, the same gain for all channels.
    pub agc: Option<Agc>,
    /// Coding and decoding, channel by channel.
    pub codec: Option<Codec>,
}

/// Where the magnitude of a sample ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clipping {
    /// The largest magnitude, in decibels of full scale (0 dBFS: a sample of 1.0), -60 to 0.
    pub level_dbfs: f64,
    /// How the limit is reached.
    pub shape: ClippingShape,
}

/// How samples approach the largest magnitude.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClippingShape {
    /// Unchanged up to the limit, then held.
    Hard,
    /// Unchanged up to half the limit, then a hyperbolic tangent of the same slope that never passes the limit.
    Soft,
}

/// What the stages did.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DeviceReport {
    /// Share of samples whose magnitude came to the clipping stage beyond its level, 0 to 1; `None` without it.
    pub clipped_share: Option<f64>,
    /// Share of samples that lay beyond 0.99 of full scale at the end and were limited, 0 to 1.
    pub limited_share: f64,
}

/// Why a device cannot be simulated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DeviceError {
    /// A setting out of range.
    #[error("{name} is {value}; it must lie between {least} and {most}")]
    Setting {
        /// Which one.
        name: &'static str,
        /// What it holds.
        value: f64,
        /// Least value allowed.
        least: f64,
        /// Largest value allowed.
        most: f64,
    },
    /// A codec that does not work at this sample rate.
    #[error("{codec} needs {allowed} samples per second, the scene has {actual}; resample it first")]
    SampleRate {
        /// Which codec.
        codec: &'static str,
        /// What it takes.
        allowed: &'static str,
        /// What it got, in hertz.
        actual: u32,
    },
}

impl Device {
    /// Whether nothing is switched on.
    pub fn is_transparent(&self) -> bool {
        *self == Self::default()
    }

    /// Checks all settings.
    ///
    /// # Errors
    /// [`DeviceError`] names the first setting that cannot be.
    pub fn check(&self, sample_rate: u32) -> Result<(), DeviceError> {
        self.self_noise.as_ref().map_or(Ok(()), SelfNoise::check)?;
        self.band.as_ref().map_or(Ok(()), |band| band.check(sample_rate))?;
        if let Some(clipping) = &self.clipping {
            within("the clipping level in dBFS", clipping.level_dbfs, -60.0, 0.0)?;
        }
        self.agc.as_ref().map_or(Ok(()), Agc::check)?;
        self.codec.map_or(Ok(()), |codec| codec.check(sample_rate))
    }

    /// Sends the channels through the stages in their order. All must have the same length.
    ///
    /// # Errors
    /// As [`Self::check`]; then nothing is changed.
    pub fn apply(&self, channels: &mut [Vec<f32>], sample_rate: u32) -> Result<DeviceReport, DeviceError> {
        self.check(sample_rate)?;
        if let Some(noise) = &self.self_noise {
            noise.add(channels, sample_rate);
        }
        if let Some(band) = &self.band {
            band.apply(channels, sample_rate);
        }
        let clipped_share = self.clipping.map(|clipping| clipping.apply(channels));
        if let Some(agc) = &self.agc {
            agc.apply(channels, sample_rate);
        }
        let limited_share = limit(channels);
        if let Some(codec) = self.codec {
            for channel in channels.iter_mut() {
                codec.apply(channel, sample_rate);
            }
            // A codec's error may pass the limit again, by little.
            limit(channels);
        }
        Ok(DeviceReport { clipped_share, limited_share })
    }
}

impl Clipping {
    fn apply(&self, channels: &mut [Vec<f32>]) -> f64 {
        let limit = 10_f64.powf(self.level_dbfs / 20.0) as f32;
        let shape = self.shape;
        change_beyond(channels, limit, |sample| match shape {
            ClippingShape::Hard => sample.clamp(-limit, limit),
            ClippingShape::Soft => {
                let half = 0.5 * limit;
                let beyond = sample.abs() - half;
                if beyond > 0.0 { (half + half * (beyond / half).tanh()).copysign(sample) } else { sample }
            }
        })
    }
}

fn limit(channels: &mut [Vec<f32>]) -> f64 {
    change_beyond(channels, PEAK_LIMIT, |sample| sample.clamp(-PEAK_LIMIT, PEAK_LIMIT))
}

/// Changes every sample and tells which share was beyond a magnitude before.
fn change_beyond(channels: &mut [Vec<f32>], magnitude: f32, change: impl Fn(f32) -> f32) -> f64 {
    let (mut beyond, mut count) = (0, 0);
    for channel in channels {
        for sample in channel.iter_mut() {
            beyond += usize::from(sample.abs() > magnitude);
            *sample = change(*sample);
        }
        count += channel.len();
    }
    beyond as f64 / count.max(1) as f64
}

fn within(name: &'static str, value: f64, least: f64, most: f64) -> Result<(), DeviceError> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(DeviceError::Setting { name, value, least, most })
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;
    use crate::level::rms_level;

    const RATE: u32 = 16_000;

    fn sine(hz: f64, amplitude: f64, samples: u32) -> Vec<f32> {
        (0..samples).map(|n| (amplitude * (TAU * hz * f64::from(n) / f64::from(RATE)).sin()) as f32).collect()
    }

    #[test]
    fn a_device_without_stages_changes_nothing() {
        let before = vec![sine(440.0, 0.9, 4_000)];
        let mut channels = before.clone();
        let report = Device::default().apply(&mut channels, RATE).unwrap();
        assert_eq!(report, DeviceReport { clipped_share: None, limited_share: 0.0 });
        assert_eq!(channels, before);
        assert!(Device::default().is_transparent());
    }

    #[test]
    fn a_sine_of_twice_the_level_is_clipped_two_thirds_of_the_time() {
        // |sin| > 1/2 for two thirds of a period.
        let clip = |shape| {
            let mut channels = vec![sine(101.0, 0.5, RATE)];
            let clipping = Some(Clipping { level_dbfs: 20.0 * 0.25_f64.log10(), shape });
            let report = Device { clipping, ..Device::default() }.apply(&mut channels, RATE).unwrap();
            (report.clipped_share.unwrap(), channels.remove(0))
        };
        let (share, hard) = clip(ClippingShape::Hard);
        assert!((share - 2.0 / 3.0).abs() < 0.002, "{share}");
        let peak = |samples: &[f32]| samples.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
        assert!((peak(&hard) - 0.25).abs() < 1e-6);
        let (share, soft) = clip(ClippingShape::Soft);
        assert!((share - 2.0 / 3.0).abs() < 0.002, "{share}");
        // At the top: 1/8 + 1/8 tanh(3).
        assert!((f64::from(peak(&soft)) - 0.125 * (1.0 + 3.0_f64.tanh())).abs() < 1e-6, "{}", peak(&soft));
        for (&before, &after) in sine(101.0, 0.5, RATE).iter().zip(&soft) {
            if before.abs() <= 0.125 {
                assert!((before - after).abs() < 1e-7, "{before} {after}");
            }
        }
    }

    #[test]
    fn what_passes_full_scale_at_the_end_is_limited_and_counted() {
        let mut channels = vec![vec![0.5, -1.2, 0.99, 1.5]];
        let report = Device::default().apply(&mut channels, RATE).unwrap();
        assert_eq!(channels[0], [0.5, -0.99, 0.99, 0.99]);
        assert!((report.limited_share - 0.5).abs() < 1e-12);
    }

    #[test]
    fn the_stages_act_in_the_order_of_a_device() {
        // Clipping makes harmonics; the band limit before it cannot take them away, and the codec after it can.
        let device = Device {
            band: Some(BandLimit::TELEPHONE),
            clipping: Some(Clipping { level_dbfs: -20.0, shape: ClippingShape::Hard }),
            ..Device::default()
        };
        let fifth_harmonic = |device: Device| {
            let mut channels = vec![sine(1_000.0, 0.9, RATE)];
            device.apply(&mut channels, RATE).unwrap();
            let sum: f64 =
                channels[0].iter().zip(sine(5_000.0, 1.0, RATE)).map(|(&a, b)| f64::from(a * b)).sum();
            20.0 * (2.0 * sum.abs() / f64::from(RATE)).log10()
        };
        assert!(fifth_harmonic(device) > -40.0, "{}", fifth_harmonic(device));
        let coded = fifth_harmonic(Device { codec: Some(Codec::MuLaw), ..device });
        assert!(coded < -60.0, "{coded}");
    }

    #[test]
    fn settings_out_of_range_are_refused_by_name() {
        let clipping = Some(Clipping { level_dbfs: 3.0, shape: ClippingShape::Hard });
        let error = Device { clipping, ..Device::default() }.check(RATE).unwrap_err();
        assert_eq!(error.to_string(), "the clipping level in dBFS is 3; it must lie between -60 and 0");
        let codec = Some(Codec::G722(G722Rate::Kbit64));
        let error = Device { codec, ..Device::default() }.check(8_000).unwrap_err();
        assert!(error.to_string().starts_with("G.722 needs 16 000"), "{error}");
    }

    #[test]
    fn each_channel_has_self_noise_of_its_own() {
        let noise = SelfNoise { level: NoiseFloor::Dbov(-60.0), seed: 4 };
        let mut channels = vec![vec![0.0; 16_000]; 2];
        Device { self_noise: Some(noise), ..Device::default() }.apply(&mut channels, RATE).unwrap();
        let sum: Vec<f32> = channels[0].iter().zip(&channels[1]).map(|(a, b)| a + b).collect();
        // Powers add up when signals have nothing in common.
        assert!((rms_level(&sum) + 60.0 - 3.01).abs() < 0.2, "{}", rms_level(&sum));
    }
}
