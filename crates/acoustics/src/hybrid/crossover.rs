//! The crossover between waves and geometry: zero-phase filters over one octave.
//!
//! Where both parts hold the same wave, the direct sound and the first reflections, their amplitudes add up, so the
//! weights of waves and geometry must sum to one. Where they hold only the same energy, in the rays and after the mixing
//! time, their powers add up, so the squares of the weights must sum to one. The waves have one weight a for both; the
//! geometrical part comes in two pieces with the weights 1 − a and √(1 − a²).

use std::{f64::consts::FRAC_PI_2, sync::Arc};

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex, num_complex::Complex};

/// What the filters spread in time, in periods of the crossover frequency.
const SPREAD_PERIODS: f64 = 8.0;
/// Why a transform cannot fail: it does so only on buffers of a wrong length or a spectrum of no real signal.
const MADE_BY_PLAN: &str = "the plan itself made these buffers";

/// Joins responses at a frequency.
pub(super) struct Crossover {
    top: f64,
    length: usize,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    /// By bin: weight of waves, of geometry in phase with them, and of geometry out of phase.
    weights: Vec<[f32; 3]>,
    /// Hertz from bin to bin.
    spacing: f64,
}

impl Crossover {
    /// A transition of one octave up to `top`, for responses of so many samples.
    pub(super) fn new(top: f64, sample_rate: u32, length: usize) -> Self {
        let rate = f64::from(sample_rate);
        let size = (length + (SPREAD_PERIODS * rate / top) as usize).next_power_of_two();
        let spacing = rate / size as f64;
        let mut planner = RealFftPlanner::new();
        let weights = (0..=size / 2).map(|bin| weights(top, bin as f64 * spacing).map(|w| w as f32));
        Self {
            top,
            length,
            forward: planner.plan_fft_forward(size),
            inverse: planner.plan_fft_inverse(size),
            weights: weights.collect(),
            spacing,
        }
    }

    /// Where waves and geometry weigh the same, in hertz: half an octave below the top.
    pub(super) fn middle(&self) -> f64 {
        self.top * std::f64::consts::FRAC_1_SQRT_2
    }

    /// At which frequencies [`join`](Self::join) wants the waves, in hertz: up to the top.
    pub(super) fn frequencies(&self) -> impl Iterator<Item = f64> {
        let bins = (self.top / self.spacing).ceil() as usize;
        (0..bins.min(self.weights.len())).map(|bin| bin as f64 * self.spacing)
    }

    /// One response from the waves' spectrum at [`frequencies`](Self::frequencies) and two responses of geometry.
    pub(super) fn join(&self, waves: &[Complex<f64>], coherent: &[f32], incoherent: &[f32]) -> Vec<f32> {
        let [coherent, incoherent] = [coherent, incoherent].map(|part| self.spectrum(part));
        let waves = waves.iter().map(|value| Complex::new(value.re as f32, value.im as f32));
        let mut sum: Vec<Complex<f32>> = waves
            .chain(std::iter::repeat(Complex::ZERO))
            .zip(&self.weights)
            .zip(coherent.iter().zip(&incoherent))
            .map(|((wave, weights), (coherent, incoherent))| {
                wave * weights[0] + coherent * weights[1] + incoherent * weights[2]
            })
            .collect();
        // A real signal has no imaginary part at 0 Hz.
        sum[0].im = 0.0;
        let mut samples = self.inverse.make_output_vec();
        self.inverse.process(&mut sum, &mut samples).expect(MADE_BY_PLAN);
        let scale = 1.0 / samples.len() as f32;
        samples[..self.length].iter().map(|sample| sample * scale).collect()
    }

    fn spectrum(&self, samples: &[f32]) -> Vec<Complex<f32>> {
        let mut buffer = self.forward.make_input_vec();
        let count = samples.len().min(self.length);
        buffer[..count].copy_from_slice(&samples[..count]);
        let mut spectrum = self.forward.make_output_vec();
        self.forward.process(&mut buffer, &mut spectrum).expect(MADE_BY_PLAN);
        spectrum
    }
}

fn weights(top: f64, hz: f64) -> [f64; 3] {
    let way = (1.0 + (hz / top).max(f64::MIN_POSITIVE).log2()).clamp(0.0, 1.0);
    let wave = (FRAC_PI_2 * way).cos().powi(2);
    [wave, 1.0 - wave, (1.0 - wave * wave).max(0.0).sqrt()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amplitudes_of_what_is_in_phase_and_powers_of_what_is_not_sum_to_one() {
        for hz in [0.0, 300.0, 700.0, 800.0, 990.0, 1_200.0, 1_399.0, 1_400.0, 5_000.0] {
            let [wave, coherent, incoherent] = weights(1_400.0, hz);
            assert!((wave + coherent - 1.0).abs() < 1e-12 && (wave.hypot(incoherent) - 1.0).abs() < 1e-12);
        }
        assert!((weights(1_400.0, 700.0)[0] - 1.0).abs() < 1e-12 && weights(1_400.0, 1_400.0)[0] < 1e-12);
        assert!((weights(1_400.0, 1_400.0 / 2_f64.sqrt())[0] - 0.5).abs() < 1e-12);
    }

    #[test]
    fn what_both_parts_hold_passes_unchanged() {
        let crossover = Crossover::new(1_400.0, 16_000, 1_600);
        let pulse: Vec<f32> = (0..1_600).map(|n| if n == 700 { 1.0 } else { 0.0 }).collect();
        let waves: Vec<_> = crossover
            .frequencies()
            .map(|hz| Complex::cis(-std::f64::consts::TAU * hz * 700.0 / 16_000.0))
            .collect();
        let joined = crossover.join(&waves, &pulse, &[]);
        assert!(joined.iter().zip(&pulse).all(|(a, b)| (a - b).abs() < 1e-6));
    }
}
