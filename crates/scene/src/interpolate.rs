//! Values between samples, by a windowed sinc.

use std::{f64::consts::PI, sync::LazyLock};

/// Samples that make up a value between them.
pub(crate) const TAPS: usize = 32;
/// Taps at or before the place.
pub(crate) const LEAD: usize = TAPS / 2;
/// Fractions of a sample in the table, between which is interpolated linearly: an error of -104 dB at half the
/// sample rate.
const PHASES: usize = 512;
/// Shape of the Kaiser window: 80 dB, at the price of the highest seven per cent of the spectrum.
const BETA: f64 = 7.9;

/// One row of taps for each phase, and one more.
static TABLE: LazyLock<Vec<[f32; TAPS]>> = LazyLock::new(|| {
    (0..=PHASES)
        .map(|phase| {
            let fraction = phase as f64 / PHASES as f64;
            std::array::from_fn(|tap| {
                let offset = tap as f64 - (LEAD - 1) as f64 - fraction;
                (sinc(offset) * kaiser(offset / LEAD as f64, BETA)) as f32
            })
        })
        .collect()
});

/// The value at `fraction` (0 to 1) past the sample `window[LEAD - 1]`.
pub(crate) fn between(window: &[f32; TAPS], fraction: f64) -> f32 {
    let place = fraction * PHASES as f64;
    let phase = (place as usize).min(PHASES - 1);
    let share = (place - phase as f64) as f32;
    let (low, high) = (&TABLE[phase], &TABLE[phase + 1]);
    // Eight sums side by side: one alone would wait for each addition before the next.
    let mut sums = [0.0_f32; 8];
    for block in (0..TAPS).step_by(8) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            let tap = block + lane;
            *sum += window[tap] * (low[tap] + share * (high[tap] - low[tap]));
        }
    }
    sums.iter().sum()
}

/// A signal at any place, silence before its beginning and after its end.
pub(crate) fn at(samples: &[f32], place: f64) -> f32 {
    let floor = place.floor();
    let first = floor as isize - (LEAD.cast_signed() - 1);
    let mut window = [0.0; TAPS];
    match usize::try_from(first).ok().and_then(|first| samples.get(first..first + TAPS)) {
        Some(whole) => window.copy_from_slice(whole),
        None => {
            for (value, index) in window.iter_mut().zip(first..) {
                *value = usize::try_from(index).ok().and_then(|i| samples.get(i)).copied().unwrap_or(0.0);
            }
        }
    }
    between(&window, place - floor)
}

pub(crate) fn sinc(x: f64) -> f64 {
    let angle = PI * x;
    if angle.abs() < 1e-9 { 1.0 } else { angle.sin() / angle }
}

/// Kaiser's window at a place from -1 to 1; 0 beyond.
pub(crate) fn kaiser(place: f64, beta: f64) -> f64 {
    if place.abs() > 1.0 {
        return 0.0;
    }
    // The modified Bessel function of order 0 by its series.
    let bessel = |x: f64| {
        let (mut term, mut sum) = (1.0, 1.0);
        for k in 1..40 {
            term *= (0.5 * x / f64::from(k)).powi(2);
            sum += term;
        }
        sum
    };
    bessel(beta * (1.0 - place * place).sqrt()) / bessel(beta)
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    #[test]
    fn a_sine_between_its_samples_is_that_sine() {
        for hz in [100.0, 1_000.0, 4_000.0, 6_500.0] {
            let value = |place: f64| (TAU * hz * place / 16_000.0 + 0.3).sin();
            let samples: Vec<f32> = (0..400).map(|n| value(f64::from(n)) as f32).collect();
            for step in 0..2_000 {
                let place = 100.0 + 0.0713 * f64::from(step);
                let error = f64::from(at(&samples, place)) - value(place);
                assert!(error.abs() < 3e-4, "{hz} Hz at {place}: {error}");
            }
        }
    }

    #[test]
    fn at_a_sample_it_is_the_sample_and_outside_there_is_silence() {
        let samples: Vec<f32> = (0..50).map(|n| (n as f32).sin()).collect();
        for (n, &sample) in samples.iter().enumerate() {
            assert!((at(&samples, n as f64) - sample).abs() < 1e-6);
        }
        assert!(at(&samples, -40.0).abs() < 1e-9 && at(&samples, 1e6).abs() < 1e-9);
    }
}
