//! From raw samples at the rate of the grid to responses.

use std::{f64::consts::PI, sync::Arc};

use rayon::prelude::*;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use super::{
    plan::WavePlan,
    pulse::{SECOND_ORDER, bessel_i0, high_pass, sinc},
};

/// Half the width of the resampling filter, in half-periods of its cutoff.
const HALF_TAPS: f64 = 24.0;
/// Kaiser's β for 90 dB; with that width the transition is a tenth of the cutoff to either side.
const RESAMPLING_BETA: f64 = 9.0;
/// Times between two samples for which the resampling filter is kept.
const PHASES: usize = 512;
/// Length of the windows in which air absorbs by one amount, in seconds.
const AIR_WINDOW_SECONDS: f64 = 0.01;
/// Why a transform cannot fail: it does so only on buffers of a wrong length or a spectrum of no real signal.
const MADE_BY_PLAN: &str = "the plan itself made these buffers";

/// Makes responses of what a plan's receivers heard. Made once, it serves all runs of the plan.
pub(crate) struct Processing {
    dt: f64,
    air: AirLoss,
    resampler: Resampler,
}

impl Processing {
    /// For responses of so many samples per second, from `lead` samples before the source begins.
    pub(crate) fn new(plan: &WavePlan, sample_rate: u32, lead: usize) -> Self {
        Self {
            dt: 1.0 / plan.sample_rate(),
            air: AirLoss::new(plan),
            resampler: Resampler::new(plan, f64::from(sample_rate), lead),
        }
    }

    /// Takes out what is below the audible, lets the air absorb, resamples.
    pub(super) fn responses(&self, raw: &[Vec<f32>]) -> Vec<Vec<f32>> {
        raw.par_iter()
            .map(|samples| {
                // What rounding leaves of constant pressure.
                let samples = samples.iter().map(|&sample| f64::from(sample)).collect();
                let mut pressure = high_pass(samples, self.dt, &SECOND_ORDER);
                self.air.apply(&mut pressure);
                self.resampler.resample(&pressure)
            })
            .collect()
    }
}

/// Attenuation of sound that has been under way for some time, by ISO 9613-1: short windows (squared sines, half
/// overlapping, which sum to one), each attenuated in the frequency domain by the distance that sound has travelled
/// at its middle. Within half a window the attenuation changes by less than 0.2 dB at 4 kHz and 0.7 dB at 8 kHz, which
/// is what a single arrival may be wrong at most; the sum over windows halves it again.
struct AirLoss {
    hop: usize,
    forward: Arc<dyn RealToComplex<f64>>,
    inverse: Arc<dyn ComplexToReal<f64>>,
    /// Of each bin, in nepers per second.
    loss: Vec<f64>,
    rate: f64,
    /// Time of sample 0 in seconds.
    start: f64,
}

impl AirLoss {
    fn new(plan: &WavePlan) -> Self {
        let rate = plan.sample_rate();
        let hop = ((0.5 * AIR_WINDOW_SECONDS * rate).ceil() as usize).max(16);
        let size = (6 * hop).next_power_of_two();
        let air = plan.air();
        let loss = (0..=size / 2)
            .map(|bin| {
                let hz = bin as f64 * rate / size as f64;
                // The response holds nothing above; the standard ends at 10 kHz.
                let decibels_per_metre = air.attenuation(hz.min(1.3 * plan.f_max()));
                decibels_per_metre * air.speed_of_sound() * std::f64::consts::LN_10 / 20.0
            })
            .collect();
        let mut planner = RealFftPlanner::new();
        Self {
            hop,
            forward: planner.plan_fft_forward(size),
            inverse: planner.plan_fft_inverse(size),
            loss,
            rate,
            start: start_seconds(plan),
        }
    }

    fn apply(&self, samples: &mut Vec<f64>) {
        let (hop, size) = (self.hop.cast_signed(), self.forward.len());
        let margin = (size.cast_signed() - 2 * hop) / 2;
        let mut absorbed = vec![0.0; samples.len()];
        let mut spectrum = self.forward.make_output_vec();
        let mut block = self.forward.make_input_vec();
        let mut first = -hop;
        while first < samples.len().cast_signed() {
            let at = |n: isize| usize::try_from(n).ok().filter(|n| *n < samples.len());
            block.fill(0.0);
            for n in 0..2 * hop {
                let window = (PI * (n as f64 + 0.5) / (2 * hop) as f64).sin().powi(2);
                block[(margin + n) as usize] = at(first + n).map_or(0.0, |n| window * samples[n]);
            }
            self.forward.process(&mut block, &mut spectrum).expect(MADE_BY_PLAN);
            let under_way = (self.start + (first + hop) as f64 / self.rate).max(0.0);
            for (bin, loss) in spectrum.iter_mut().zip(&self.loss) {
                *bin *= (-loss * under_way).exp() / size as f64;
            }
            self.inverse.process(&mut spectrum, &mut block).expect(MADE_BY_PLAN);
            for (n, value) in block.iter().enumerate() {
                if let Some(n) = at(first - margin + n.cast_signed()) {
                    absorbed[n] += value;
                }
            }
            first += hop;
        }
        *samples = absorbed;
    }
}

/// When sample 0 of a run is, in seconds after the middle of the source's pulse.
fn start_seconds(plan: &WavePlan) -> f64 {
    (1.0 - plan.pulse().delay() as f64) / plan.sample_rate()
}

/// From the rate of the grid, which no clock has, to a whole rate: a windowed sinc around every output sample's own time.
struct Resampler {
    /// The windowed sinc at the input samples around a time, `reach` before and `reach` after: a row for each of
    /// [`PHASES`] times between two samples, and one for the later of the two.
    kernel: Vec<Vec<f64>>,
    reach: usize,
    /// When the first output sample is, in input samples, and how many input samples pass to the next.
    first: f64,
    step: f64,
    count: usize,
}

impl Resampler {
    fn new(plan: &WavePlan, sample_rate: f64, lead: usize) -> Self {
        let rate = plan.sample_rate();
        // Between what the pulse holds, to 1.25 times the highest frequency, and what only rounding puts there; and below
        // the new rate, so that nothing folds back.
        let cutoff = (3.0 * plan.f_max() / rate).min(sample_rate / rate).min(1.0);
        let half = HALF_TAPS / cutoff;
        let reach = half.ceil() as usize;
        // A pulse of area one sample: the samples of a slower clock hold more of it.
        let level = rate / sample_rate / bessel_i0(RESAMPLING_BETA);
        let weight = |distance: f64| {
            let window = bessel_i0(RESAMPLING_BETA * (1.0 - (distance / half).powi(2)).max(0.0).sqrt());
            if distance.abs() < half { level * cutoff * sinc(cutoff * distance) * window } else { 0.0 }
        };
        let row = |phase: usize| {
            let share = phase as f64 / PHASES as f64;
            (1..=2 * reach).map(|n| weight(n as f64 - reach as f64 - share)).collect()
        };
        Self {
            kernel: (0..=PHASES).map(row).collect(),
            reach,
            first: (-(lead as f64) / sample_rate - start_seconds(plan)) * rate,
            step: rate / sample_rate,
            count: lead + (plan.length_seconds() * sample_rate).round() as usize,
        }
    }

    fn resample(&self, samples: &[f64]) -> Vec<f32> {
        (0..self.count).map(|n| self.at(samples, self.first + n as f64 * self.step) as f32).collect()
    }

    /// At a time in input samples. The weights lie on a straight line between two rows of the kernel, which is within
    /// -110 dB of the kernel itself.
    fn at(&self, samples: &[f64], time: f64) -> f64 {
        let phase = (time - time.floor()) * PHASES as f64;
        let row = (phase as usize).min(PHASES - 1);
        let share = phase - row as f64;
        let first = time.floor() as isize + 1 - self.reach.cast_signed();
        let missing = (-first).max(0).cast_unsigned();
        let heard = samples.get((first + missing.cast_signed()).cast_unsigned()..).unwrap_or(&[]);
        let weights = self.kernel[row].iter().zip(&self.kernel[row + 1]).skip(missing);
        weights.zip(heard).map(|((here, next), sample)| (here + share * (next - here)) * sample).sum()
    }
}
