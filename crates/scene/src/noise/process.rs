//! The random processes the models are made of.

use std::f64::consts::TAU;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A normal deviate of mean 0 and variance 1 (Box and Muller, 1958).
pub(super) fn gaussian(rng: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (TAU * rng.random::<f64>()).cos()
}

/// White noise through a one-pole low-pass, with unit variance and in steady state from its first value.
pub(super) struct LowPassNoise {
    keep: f64,
    state: f64,
}

impl LowPassNoise {
    pub(super) fn new(cutoff_hz: f64, sample_rate: u32, rng: &mut ChaCha8Rng) -> Self {
        let keep = (-TAU * cutoff_hz / f64::from(sample_rate)).exp();
        // Drawn from the stationary distribution, so there is nothing to settle.
        Self { keep, state: gaussian(rng) }
    }

    pub(super) fn next(&mut self, rng: &mut ChaCha8Rng) -> f64 {
        self.state = self.keep * self.state + (1.0 - self.keep * self.keep).sqrt() * gaussian(rng);
        self.state
    }
}

/// A two-pole resonator: one formant.
pub(super) struct Resonator {
    feedback: [f64; 2],
    gain: f64,
    past: [f64; 2],
}

impl Resonator {
    pub(super) fn new(centre_hz: f64, bandwidth_hz: f64, sample_rate: u32) -> Self {
        let rate = f64::from(sample_rate);
        let radius = (-std::f64::consts::PI * bandwidth_hz / rate).exp();
        let angle = TAU * centre_hz / rate;
        // Gain about 1 at the centre, whatever the bandwidth.
        let gain = (1.0 - radius) * (1.0 - 2.0 * radius * (2.0 * angle).cos() + radius * radius).sqrt();
        Self { feedback: [2.0 * radius * angle.cos(), -radius * radius], gain, past: [0.0; 2] }
    }

    pub(super) fn next(&mut self, input: f64) -> f64 {
        let out = self.gain * input + self.feedback[0] * self.past[0] + self.feedback[1] * self.past[1];
        self.past = [out, self.past[0]];
        out
    }
}
