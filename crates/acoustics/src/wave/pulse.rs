//! The sound of the source: a short pulse that holds only what the grid can carry.

use std::f64::consts::PI;

/// Attenuation above the band, in decibels.
const STOP_BAND_DB: f64 = 80.0;
/// Width of the transition above the highest frequency, as a share of it.
const TRANSITION: f64 = 0.25;

/// A linear-phase low-pass pulse of sum 1: flat up to the highest frequency, nothing from 1.25 times that on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pulse(Vec<f64>);

impl Pulse {
    pub(crate) fn new(f_max: f64, dt: f64) -> Self {
        let width = 2.0 * PI * TRANSITION * f_max * dt;
        // Kaiser's design formulae.
        let order = ((STOP_BAND_DB - 8.0) / (2.285 * width)).ceil();
        let beta = 0.1102 * (STOP_BAND_DB - 8.7);
        let half = (order / 2.0).ceil() as i32;
        let cutoff = 2.0 * (1.0 + 0.5 * TRANSITION) * f_max * dt;
        let taps: Vec<f64> = (-half..=half)
            .map(|n| {
                let edge = f64::from(n) / f64::from(half);
                cutoff * sinc(cutoff * f64::from(n)) * bessel_i0(beta * (1.0 - edge * edge).sqrt())
                    / bessel_i0(beta)
            })
            .collect();
        let sum: f64 = taps.iter().sum();
        Self(taps.into_iter().map(|tap| tap / sum).collect())
    }

    /// Steps to its middle.
    pub(crate) fn delay(&self) -> usize {
        self.0.len() / 2
    }

    /// Its change from step to step, which sums up to the pulse.
    pub(crate) fn differences(&self) -> impl Iterator<Item = f64> {
        let padded = || std::iter::once(0.0).chain(self.0.iter().copied()).chain(std::iter::once(0.0));
        padded().skip(1).zip(padded()).map(|(value, before)| value - before)
    }
}

pub(crate) fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// Modified Bessel function of the first kind and order 0, by its series.
pub(crate) fn bessel_i0(x: f64) -> f64 {
    let quarter = 0.25 * x * x;
    let mut term = 1.0;
    let mut sum = 1.0;
    for n in 1..60 {
        term *= quarter / f64::from(n * n);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gain(pulse: &Pulse, hz: f64, dt: f64) -> f64 {
        let middle = pulse.delay() as f64;
        pulse
            .0
            .iter()
            .enumerate()
            .map(|(n, tap)| tap * (2.0 * PI * hz * dt * (n as f64 - middle)).cos())
            .sum()
    }

    #[test]
    fn the_pulse_is_flat_to_the_highest_frequency_and_empty_above() {
        let (f_max, dt) = (1_000.0, 1.0 / 7_700.0);
        let pulse = Pulse::new(f_max, dt);
        for hz in [0.0, 100.0, 500.0, 900.0, 1_000.0] {
            assert!((gain(&pulse, hz, dt) - 1.0).abs() < 2e-4, "{hz}: {}", gain(&pulse, hz, dt));
        }
        for hz in [1_250.0, 1_500.0, 2_500.0, 3_800.0] {
            assert!(gain(&pulse, hz, dt).abs() < 2e-4, "{hz}: {}", gain(&pulse, hz, dt));
        }
    }

    #[test]
    fn the_differences_sum_up_to_the_pulse_and_to_nothing() {
        let pulse = Pulse::new(1_000.0, 1.0 / 7_700.0);
        let mut sum = 0.0;
        let summed: Vec<f64> = pulse
            .differences()
            .map(|d| {
                sum += d;
                sum
            })
            .collect();
        assert!(summed.iter().zip(&pulse.0).all(|(a, b)| (a - b).abs() < 1e-12));
        assert!(summed.last().unwrap().abs() < 1e-12 && summed.len() == pulse.0.len() + 1);
    }
}
