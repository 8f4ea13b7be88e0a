//! The noise of a microphone itself.

use std::f64::consts::TAU;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use realfft::{RealFftPlanner, num_complex::Complex};
use serde::{Deserialize, Serialize};

use super::{DeviceError, within};

/// Below this frequency the flicker noise of the amplifier outweighs the thermal noise, in hertz.
const FLICKER_CORNER_HZ: f64 = 300.0;

/// Noise that a microphone and its amplifier add.
///
/// Its power density is flat above 300 Hz and grows with 1/f below: thermal noise and flicker noise, as data sheets
/// of microphones in phones and speakers show it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfNoise {
    /// How loud it is.
    pub level: NoiseFloor,
    /// Same seed, same noise. Each channel draws its own from it.
    pub seed: u64,
}

/// How loud self-noise is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum NoiseFloor {
    /// Root-mean-square level of the noise in dBov, without weighting.
    Dbov(f64),
    /// Equivalent noise level, as a data sheet states it.
    EquivalentDba {
        /// Sound pressure level that would read the same through A-weighting, in dB(A); about 30 for good small
        /// microphones.
        level_dba: f64,
        /// Sound pressure level at the microphone that becomes 0 dBov, in decibels.
        full_scale_db_spl: f64,
    },
}

/// Frequency weighting A in decibels, 0 at 1 kHz (IEC 61672-1:2013, annex E).
pub fn a_weighting_db(hz: f64) -> f64 {
    let magnitude = |hz: f64| {
        let square = hz * hz;
        let corner = |corner: f64| square + corner * corner;
        12_194.217_f64.powi(2) * square * square
            / (corner(20.598_997) * corner(12_194.217) * (corner(107.652_65) * corner(737.862_23)).sqrt())
    };
    20.0 * (magnitude(hz) / magnitude(1_000.0)).log10()
}

impl SelfNoise {
    pub(super) fn check(&self) -> Result<(), DeviceError> {
        match self.level {
            NoiseFloor::Dbov(level) => within("the noise floor in dBov", level, -150.0, 0.0),
            NoiseFloor::EquivalentDba { level_dba, full_scale_db_spl } => {
                within("the equivalent noise level in dB(A)", level_dba, -20.0, 100.0)?;
                within("the sound pressure level of 0 dBov", full_scale_db_spl, 40.0, 180.0)
            }
        }
    }

    pub(super) fn add(&self, channels: &mut [Vec<f32>], sample_rate: u32) {
        for (stream, channel) in (0..).zip(channels) {
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
            rng.set_stream(stream);
            let noise = self.draw(channel.len(), sample_rate, &mut rng);
            for (sample, noise) in channel.iter_mut().zip(noise) {
                *sample += noise;
            }
        }
    }

    /// Noise by its spectrum: magnitudes as wanted, phases at random.
    fn draw(&self, length: usize, sample_rate: u32, rng: &mut ChaCha8Rng) -> Vec<f32> {
        let size = length.next_power_of_two().max(1_024);
        let step = f64::from(sample_rate) / size as f64;
        // Both ends carry half a line each; they are left out.
        let density = |bin: usize| 1.0 + FLICKER_CORNER_HZ / (bin as f64 * step);
        let lines = 1..size / 2;
        let (level, weight): (f64, fn(f64) -> f64) = match self.level {
            NoiseFloor::Dbov(level) => (level, |_| 0.0),
            NoiseFloor::EquivalentDba { level_dba, full_scale_db_spl } => {
                (level_dba - full_scale_db_spl, a_weighting_db)
            }
        };
        let power: f64 =
            lines.clone().map(|bin| 2.0 * density(bin) * 10_f64.powf(weight(bin as f64 * step) / 10.0)).sum();
        let scale = 10_f64.powf(level / 10.0) / power;
        let mut spectrum = vec![Complex::ZERO; size / 2 + 1];
        for bin in lines {
            let magnitude = (scale * density(bin)).sqrt() as f32;
            spectrum[bin] = Complex::from_polar(magnitude, (TAU * rng.random::<f64>()) as f32);
        }
        let mut samples = vec![0.0; size];
        RealFftPlanner::new()
            .plan_fft_inverse(size)
            .process(&mut spectrum, &mut samples)
            .expect("the buffers have the plan's sizes and both ends of the spectrum are zero");
        samples.truncate(length);
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::rms_level;

    const RATE: u32 = 16_000;

    fn noise(level: NoiseFloor) -> Vec<f32> {
        let mut channels = vec![vec![0.0; 65_536]];
        SelfNoise { level, seed: 9 }.add(&mut channels, RATE);
        channels.remove(0)
    }

    /// Power by frequency line of a periodic signal.
    fn lines(samples: &[f32]) -> Vec<(f64, f64)> {
        let mut spectrum = vec![Complex::ZERO; samples.len() / 2 + 1];
        let size = samples.len() as f64;
        RealFftPlanner::new()
            .plan_fft_forward(samples.len())
            .process(&mut samples.to_vec(), &mut spectrum)
            .unwrap();
        let step = f64::from(RATE) / size;
        (0..)
            .zip(spectrum)
            .map(|(n, line)| (f64::from(n) * step, 2.0 * f64::from(line.norm_sqr()) / size / size))
            .collect()
    }

    #[test]
    fn a_weighting_equals_the_table_of_iec_61672_1() {
        // IEC 61672-1, table 3, printed to a tenth of a decibel, at exact base-ten frequencies.
        for (k, printed) in [
            (-15.0, -39.4),
            (-9.0, -16.1),
            (-6.0, -8.6),
            (-3.0, -3.2),
            (0.0, 0.0),
            (3.0, 1.2),
            (6.0, 1.0),
            (9.0, -1.1),
        ] {
            let weighting = a_weighting_db(1_000.0 * 10_f64.powf(k / 10.0));
            assert!((weighting - printed).abs() < 0.06, "{k}: {weighting}, printed {printed}");
        }
    }

    #[test]
    fn a_noise_floor_has_its_level() {
        let level = rms_level(&noise(NoiseFloor::Dbov(-70.0)));
        assert!((level + 70.0).abs() < 1e-3, "{level}");
    }

    #[test]
    fn an_equivalent_level_holds_through_a_weighting() {
        let noise = noise(NoiseFloor::EquivalentDba { level_dba: 30.0, full_scale_db_spl: 90.0 });
        let weighted: f64 = lines(&noise)
            .iter()
            .skip(1)
            .map(|(hz, power)| power * 10_f64.powf(a_weighting_db(*hz) / 10.0))
            .sum();
        assert!((10.0 * weighted.log10() + 60.0).abs() < 0.01, "{weighted}");
    }

    #[test]
    fn its_density_is_flat_above_and_grows_below_300_hz() {
        let lines = lines(&noise(NoiseFloor::Dbov(-60.0)));
        let density = |low: f64, high: f64| {
            let band: Vec<f64> =
                lines.iter().filter(|(hz, _)| (low..high).contains(hz)).map(|l| l.1).collect();
            10.0 * (band.iter().sum::<f64>() / band.len() as f64).log10()
        };
        // 1 + 300/f: at 30 Hz 11, around 6 kHz 1.05.
        let rise = density(29.0, 31.0) - density(5_900.0, 6_100.0);
        assert!((rise - 10.0 * (11.0_f64 / 1.05).log10()).abs() < 0.1, "{rise}");
    }
}
