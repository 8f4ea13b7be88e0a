//! A ventilation outlet: rushing air and a fan behind it.

use std::f64::consts::TAU;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::process::LowPassNoise;

/// Harmonics of the blade-passing tone, the fundamental among them.
const HARMONICS: i32 = 4;

/// `samples` samples of ventilation noise, in steady state from the first one.
///
/// A synthetic model of what ducts sound like (broad-band noise falling with frequency, tones where the
/// fan's blades pass: Beranek and Vér, *Noise and Vibration Control Engineering*):
/// - rushing air: noise that is flat below a corner at 120-350 Hz and falls by 6 dB per octave above it,
///   with a weaker hiss up to 2-5 kHz;
/// - blade-passing tone at 60-160 Hz with harmonics falling by 8 dB each, 4-12 dB below the air in all,
///   its pitch wandering by about 0.2 %;
/// - a slow unsteadiness of about 0.7 dB.
pub fn ventilation(sample_rate: u32, samples: usize, seed: u64) -> Vec<f32> {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let rumble_corner = rng.random_range(120.0..350.0);
    let hiss_corner = rng.random_range(2_000.0..5_000.0);
    let hiss_gain = rng.random_range(0.05..0.15);
    let blade_hz = rng.random_range(60.0..160.0);
    let tone_gain = std::f64::consts::SQRT_2 * 10_f64.powf(rng.random_range(-12.0..-4.0) / 20.0);
    let mut rumble = LowPassNoise::new(rumble_corner, sample_rate, rng);
    let mut hiss = LowPassNoise::new(hiss_corner, sample_rate, rng);
    let mut unsteadiness = LowPassNoise::new(0.5, sample_rate, rng);
    let mut wander = LowPassNoise::new(0.5, sample_rate, rng);
    let mut turns = rng.random::<f64>();

    let mut next = || {
        let air = rumble.next(rng) + hiss_gain * hiss.next(rng);
        turns = (turns + blade_hz * (1.0 + 0.002 * wander.next(rng)) / f64::from(sample_rate)).fract();
        let tone: f64 = (1..=HARMONICS)
            .map(|k| 10_f64.powf(f64::from(1 - k) * 8.0 / 20.0) * (TAU * f64::from(k) * turns).sin())
            .sum();
        0.1 * (1.0 + 0.08 * unsteadiness.next(rng)) * (air + tone_gain * tone)
    };
    (0..samples).map(|_| next() as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::rms_level;

    const RATE: u32 = 16_000;

    /// Mean power at some whole frequencies, by correlation over the first second.
    fn power_near(signal: &[f32], hz: impl Iterator<Item = u32>) -> f64 {
        let bins: Vec<f64> = hz
            .map(|f| {
                let (mut re, mut im) = (0.0, 0.0);
                for (n, &s) in signal.iter().take(RATE as usize).enumerate() {
                    let angle = TAU * f64::from(f) * n as f64 / f64::from(RATE);
                    re += f64::from(s) * angle.cos();
                    im += f64::from(s) * angle.sin();
                }
                re * re + im * im
            })
            .collect();
        bins.iter().sum::<f64>() / bins.len() as f64
    }

    #[test]
    fn it_is_in_steady_state_from_its_first_sample() {
        // The first fifth of a second over many seeds has the power of any later one.
        let power = |from: usize| -> f64 {
            let all = (0..60).map(|seed| {
                let signal = ventilation(RATE, 40_000, seed);
                10_f64.powf(rms_level(&signal[from..from + 3_200]) / 10.0)
            });
            all.sum::<f64>()
        };
        let ratio_db = 10.0 * (power(0) / power(32_000)).log10();
        assert!(ratio_db.abs() < 1.0, "{ratio_db}");
    }

    #[test]
    fn its_spectrum_falls_with_frequency() {
        for seed in 0..4 {
            let signal = ventilation(RATE, 16_000, seed);
            let low = power_near(&signal, (400..800).step_by(10));
            let high = power_near(&signal, (3_200..6_400).step_by(80));
            let fall_db = 10.0 * (low / high).log10();
            // Three octaves at 6 dB, lessened by the hiss.
            assert!((8.0..25.0).contains(&fall_db), "seed {seed}: {fall_db}");
        }
    }

    #[test]
    fn the_seed_decides_everything() {
        assert_eq!(ventilation(RATE, 500, 7), ventilation(RATE, 500, 7));
        assert_ne!(ventilation(RATE, 500, 7), ventilation(RATE, 500, 8));
        assert_eq!(ventilation(RATE, 500, 7), ventilation(RATE, 900, 7)[..500]);
    }
}
