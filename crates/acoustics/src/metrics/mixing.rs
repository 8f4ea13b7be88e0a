//! When the reflections of a response have become a diffuse field.

/// Length of the window in which the density of echoes is judged, in seconds (Abel and Huang, 2006: 20 to 30 ms).
const WINDOW_SECONDS: f64 = 0.02;
/// Steps of that window, in seconds.
const STEP_SECONDS: f64 = 0.001;
/// Share of the samples of Gaussian noise that lie beyond one standard deviation: erfc(1/√2).
const OUTLIERS_OF_NOISE: f64 = 0.317_310_507_862_914_1;

/// Seconds from the first of `samples` until the normalised echo density first reaches 1 (Abel and Huang, 121st
/// AES Convention, 2006): the share of samples beyond the standard deviation of the window around them, over
/// that share in Gaussian noise, both under a Hann window. `None` if it never does.
pub(super) fn mixing_time(samples: &[f32], sample_rate: f64) -> Option<f64> {
    let window = hann((WINDOW_SECONDS * sample_rate).round() as usize);
    let step = ((STEP_SECONDS * sample_rate).round() as usize).max(1);
    let centre = 0.5 * window.len() as f64 / sample_rate;
    samples
        .windows(window.len().max(1))
        .step_by(step)
        .position(|part| echo_density(part, &window) >= 1.0)
        .map(|index| (index * step) as f64 / sample_rate + centre)
}

fn echo_density(samples: &[f32], window: &[f64]) -> f64 {
    let weighted = || samples.iter().map(|&sample| f64::from(sample).powi(2)).zip(window);
    let variance: f64 = weighted().map(|(energy, weight)| energy * weight).sum();
    let outliers: f64 = weighted().filter(|(energy, _)| *energy > variance).map(|(_, weight)| weight).sum();
    outliers / OUTLIERS_OF_NOISE
}

/// A Hann window whose weights sum to one.
fn hann(length: usize) -> Vec<f64> {
    let phase = |index: usize| std::f64::consts::TAU * (index as f64 + 0.5) / length as f64;
    (0..length).map(|index| (1.0 - phase(index).cos()) / length as f64).collect()
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn pulses_that_grow_denser_mix_when_they_are_as_dense_as_noise() {
        // Poisson pulses whose density grows with the square of time, as in a room. Abel and Huang: the measure
        // reaches 1 where the pulses begin to overlap in samples of the response.
        let rate = 16_000.0;
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let samples: Vec<f32> = (0..16_000)
            .map(|n| {
                let time = f64::from(n) / rate;
                let density = (time / 0.2).powi(2).min(1.0);
                let sounds = rng.random::<f64>() < density;
                let gaussian = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
                if sounds { gaussian as f32 } else { 0.0 }
            })
            .collect();
        let found = mixing_time(&samples, rate).unwrap();
        assert!(found > 0.1 && found < 0.25, "{found}");
        let noise = &samples[8_000..];
        assert!(mixing_time(noise, rate).unwrap() < 0.1);
    }

    #[test]
    fn a_few_echoes_never_mix() {
        let mut samples = vec![0.0; 16_000];
        let mut level = 1.0;
        for echo in samples.iter_mut().step_by(400) {
            *echo = level;
            level *= 0.9;
        }
        assert_eq!(mixing_time(&samples, 16_000.0), None);
        assert_eq!(mixing_time(&samples[..100], 16_000.0), None);
    }
}
