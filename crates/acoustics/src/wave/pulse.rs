//! The sound of the source: a short pulse that holds only what the grid can carry.

use std::f64::consts::PI;

use super::grid::Grid;

/// Attenuation above the band, in decibels.
const STOP_BAND_DB: f64 = 80.0;
/// Width of the transition above the highest frequency, as a share of it.
const TRANSITION: f64 = 0.25;

/// Corner of the high-pass in hertz.
const HIGH_PASS_HZ: f64 = 10.0;

/// A linear-phase low-pass pulse of sum 1: flat up to the highest frequency, nothing from 1.25 times that on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pulse {
    taps: Vec<f64>,
    dt: f64,
    /// Of the low-pass, relative to half the rate.
    cutoff: f64,
    /// What the taps are divided by.
    sum: f64,
    /// Taps 0, ±1, ±2 of the filter that makes the grid's sources as loud as those in air.
    calibration: [f64; 3],
}

impl Pulse {
    pub(crate) fn new(f_max: f64, dt: f64, grid: Grid) -> Self {
        let width = 2.0 * PI * TRANSITION * f_max * dt;
        // Kaiser's design formulae.
        let order = ((STOP_BAND_DB - 8.0) / (2.285 * width)).ceil();
        let half = (order / 2.0).ceil() as i32;
        let cutoff = 2.0 * (1.0 + 0.5 * TRANSITION) * f_max * dt;
        let mut pulse = Self {
            taps: Vec::new(),
            dt,
            cutoff,
            sum: 1.0,
            calibration: calibration(grid, 2.0 * PI * f_max * dt),
        };
        let taps: Vec<f64> = (-half..=half).map(|n| shape(f64::from(n), f64::from(half), cutoff)).collect();
        pulse.sum = taps.iter().sum();
        pulse.taps = taps.into_iter().map(|tap| tap / pulse.sum).collect();
        pulse
    }

    /// Its value at so many seconds after its middle.
    pub(crate) fn at(&self, seconds: f64) -> f64 {
        shape(seconds / self.dt, self.delay() as f64, self.cutoff) / self.sum
    }

    /// Steps to its middle.
    pub(crate) fn delay(&self) -> usize {
        self.taps.len() / 2
    }

    /// The pulse without constant pressure or flow: through a high-pass of the fourth order. It ends when what is left
    /// is below a billionth.
    ///
    /// A constant flow into a closed room would raise its pressure for ever, and a constant pressure would stay, in both
    /// cases with what rounding makes of it, since walls need not take either.
    pub(crate) fn without_offset(&self) -> Vec<f64> {
        // The slowest pole decays by e in 0.04 s.
        let silence = (10.0 / (HIGH_PASS_HZ * self.dt)) as usize;
        let count = self.taps.len() + silence;
        let tap = |n: Option<usize>| n.and_then(|n| self.taps.get(n)).copied().unwrap_or(0.0);
        let [here, beside, beyond] = self.calibration;
        let both = |n: usize, away: usize| tap(n.checked_sub(away)) + tap(Some(n + away));
        let calibrated = (0..count).map(|n| here * tap(Some(n)) + beside * both(n, 1) + beyond * both(n, 2));
        high_pass(calibrated.collect(), self.dt, &FOURTH_ORDER)
    }

    /// Its change from step to step, which sums up to the pulse.
    pub(crate) fn differences(&self) -> impl Iterator<Item = f64> {
        let padded = || std::iter::once(0.0).chain(self.taps.iter().copied()).chain(std::iter::once(0.0));
        padded().skip(1).zip(padded()).map(|(value, before)| value - before)
    }
}

/// A symmetric filter of five taps with the gain 1 / [`Grid::source_gain`] at no, 0.7 times and the highest frequency.
fn calibration(grid: Grid, highest: f64) -> [f64; 3] {
    let [low, high] = [0.7 * highest, highest];
    let wanted = [low, high].map(|angle| 1.0 / grid.source_gain(angle) - 1.0);
    // c₀ + 2 c₁ cos x + 2 c₂ cos 2x with sum 1: 2 c₁ (cos x − 1) + 2 c₂ (cos 2x − 1) = gain − 1.
    let [a, b] = [low, high].map(|angle| [2.0 * (angle.cos() - 1.0), 2.0 * ((2.0 * angle).cos() - 1.0)]);
    let determinant = a[0] * b[1] - a[1] * b[0];
    let beside = (wanted[0] * b[1] - wanted[1] * a[1]) / determinant;
    let beyond = (a[0] * wanted[1] - b[0] * wanted[0]) / determinant;
    [1.0 - 2.0 * beside - 2.0 * beyond, beside, beyond]
}

/// The windowed sinc, `n` steps from its middle.
fn shape(n: f64, half: f64, cutoff: f64) -> f64 {
    let beta = 0.1102 * (STOP_BAND_DB - 8.7);
    let edge = n / half;
    if edge.abs() > 1.0 {
        return 0.0;
    }
    cutoff * sinc(cutoff * n) * bessel_i0(beta * (1.0 - edge * edge).sqrt()) / bessel_i0(beta)
}

/// Qualities of the sections of Butterworth's fourth order.
pub(crate) const FOURTH_ORDER: [f64; 2] = [0.541_196_100_146_197, 1.306_562_964_876_377];
/// And of the second.
pub(crate) const SECOND_ORDER: [f64; 1] = [std::f64::consts::FRAC_1_SQRT_2];

/// Butterworth's high-pass at 10 Hz, section by section (bilinear transform).
pub(crate) fn high_pass(mut samples: Vec<f64>, dt: f64, qualities: &[f64]) -> Vec<f64> {
    let k = (PI * HIGH_PASS_HZ * dt).tan();
    for quality in qualities {
        let norm = 1.0 / (1.0 + k / quality + k * k);
        let (a1, a2) = (2.0 * (k * k - 1.0) * norm, (1.0 - k / quality + k * k) * norm);
        let (mut s1, mut s2) = (0.0, 0.0);
        for sample in &mut samples {
            let input = *sample;
            let output = norm * input + s1;
            s1 = -2.0 * norm * input - a1 * output + s2;
            s2 = norm * input - a2 * output;
            *sample = output;
        }
    }
    samples
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
            .taps
            .iter()
            .enumerate()
            .map(|(n, tap)| tap * (2.0 * PI * hz * dt * (n as f64 - middle)).cos())
            .sum()
    }

    #[test]
    fn the_pulse_is_flat_to_the_highest_frequency_and_empty_above() {
        let (f_max, dt) = (1_000.0, 1.0 / 7_700.0);
        let pulse = Pulse::new(f_max, dt, Grid::Fcc);
        for hz in [0.0, 100.0, 500.0, 900.0, 1_000.0] {
            assert!((gain(&pulse, hz, dt) - 1.0).abs() < 2e-4, "{hz}: {}", gain(&pulse, hz, dt));
        }
        for hz in [1_250.0, 1_500.0, 2_500.0, 3_800.0] {
            assert!(gain(&pulse, hz, dt).abs() < 2e-4, "{hz}: {}", gain(&pulse, hz, dt));
        }
    }

    #[test]
    fn the_differences_sum_up_to_the_pulse_and_to_nothing() {
        let pulse = Pulse::new(1_000.0, 1.0 / 7_700.0, Grid::Fcc);
        let mut sum = 0.0;
        let summed: Vec<f64> = pulse
            .differences()
            .map(|d| {
                sum += d;
                sum
            })
            .collect();
        assert!(summed.iter().zip(&pulse.taps).all(|(a, b)| (a - b).abs() < 1e-12));
        assert!(summed.last().unwrap().abs() < 1e-12 && summed.len() == pulse.taps.len() + 1);
    }
}
