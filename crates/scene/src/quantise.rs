//! From real numbers to 16-bit PCM.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What is added before rounding to whole steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dither {
    /// Nothing: silence stays digital silence; the error follows the signal.
    None,
    /// Noise of triangular density, two steps wide: the error's mean and power no longer depend on the
    /// signal (Lipshitz, Wannamaker and Vanderkooy, JAES 40(5), 1992).
    Triangular {
        /// Same seed, same noise.
        seed: u64,
    },
}

/// Rounds samples with full scale 1.0 to 16-bit PCM with full scale 32 768 (ties to even), limiting what
/// lies outside. A NaN becomes 0.
pub fn quantise(samples: &[f32], dither: Dither) -> Vec<i16> {
    // A float cast saturates, which is the limiting.
    let round = |value: f32| value.round_ties_even() as i16;
    match dither {
        Dither::None => samples.iter().map(|s| round(s * 32_768.0)).collect(),
        Dither::Triangular { seed } => {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            samples.iter().map(|s| round(s * 32_768.0 + rng.random::<f32>() - rng.random::<f32>())).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_scale_is_32_768_and_what_lies_beyond_is_limited() {
        let samples = [0.0, 1.0, -1.0, 1.5 / 32_768.0, 2.5 / 32_768.0, 7.0, f32::NAN];
        assert_eq!(quantise(&samples, Dither::None), [0, 32_767, -32_768, 2, 2, 32_767, 0]);
    }

    #[test]
    fn dither_turns_a_constant_between_two_steps_into_its_mean_with_a_quarter_step_squared_of_noise() {
        // Total error of non-subtractive triangular dither: variance 1/12 + 2/12 = 1/4 step squared.
        let constant = vec![0.3 / 32_768.0; 40_000];
        let error: Vec<f64> =
            quantise(&constant, Dither::Triangular { seed: 1 }).iter().map(|&q| f64::from(q) - 0.3).collect();
        let count = error.len() as f64;
        let mean = error.iter().sum::<f64>() / count;
        let variance = error.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / count;
        assert!(mean.abs() < 0.01, "{mean}");
        assert!((variance - 0.25).abs() < 0.01, "{variance}");
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let samples: Vec<f32> = (0..999).map(|n| (n as f32 * 0.1).sin() * 0.1).collect();
        let with = |seed| quantise(&samples, Dither::Triangular { seed });
        assert_eq!(with(3), with(3));
        assert_ne!(with(3), with(4));
    }
}
