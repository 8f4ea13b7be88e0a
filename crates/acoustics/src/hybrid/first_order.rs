//! Directional sources as waves: omnidirectional and figure of eight.
//!
//! The field of a figure of eight is that of an omnidirectional source, differentiated along where it faces and
//! integrated over time: a dipole. By reciprocity the derivative is the gradient, at the source, of the field that the
//! microphone would radiate. Far away cos θ / r remains; near by a dipole is louder at low frequencies, as it is in
//! truth.

use std::f64::consts::TAU;

use realfft::{RealFftPlanner, num_complex::Complex};

use crate::{
    band::crossfade,
    endpoint::{Directivity, Source},
    wave::{Probe, WaveError, WavePlan},
};

/// Why a transform cannot fail: it does so only on buffers of a wrong length or a spectrum of no real signal.
const MADE_BY_PLAN: &str = "the plan itself made these buffers";
/// What the octaves' filters spread in time, in seconds.
const SPREAD_SECONDS: f64 = 0.1;

/// Receivers of a microphone's wave at all sources.
pub(super) struct SourceProbes {
    receivers: Vec<Probe>,
    /// Of each source its directivity and the index of its first receiver.
    sources: Vec<(Directivity, usize)>,
    sample_rate: f64,
    speed_of_sound: f64,
}

impl SourceProbes {
    pub(super) fn new(plan: &WavePlan, sources: &[Source], sample_rate: u32) -> Result<Self, WaveError> {
        let (mut receivers, mut firsts) = (Vec::new(), Vec::new());
        for source in sources {
            firsts.push((source.directivity, receivers.len()));
            receivers.push(plan.pressure_probe("source", source.position)?);
            if source.directivity != Directivity::Omnidirectional {
                receivers.push(along(source, plan.gradient_probes("source", source.position)?));
            }
        }
        Ok(Self {
            receivers,
            sources: firsts,
            sample_rate: f64::from(sample_rate),
            speed_of_sound: plan.air().speed_of_sound(),
        })
    }

    /// All receivers, in the order of the responses that [`combine`](Self::combine) takes.
    pub(super) fn receivers(&self) -> &[Probe] {
        &self.receivers
    }

    /// One response for each source from those of all receivers.
    pub(super) fn combine(&self, mut responses: Vec<Vec<f32>>) -> Vec<Vec<f32>> {
        self.sources
            .iter()
            .map(|&(directivity, first)| {
                let pressure = std::mem::take(&mut responses[first]);
                match directivity {
                    Directivity::Omnidirectional => pressure,
                    _ => self.directional(directivity, &pressure, &responses[first + 1]),
                }
            })
            .collect()
    }

    fn directional(&self, directivity: Directivity, pressure: &[f32], gradient: &[f32]) -> Vec<f32> {
        let size = (pressure.len() + (SPREAD_SECONDS * self.sample_rate) as usize).next_power_of_two();
        let mut planner = RealFftPlanner::<f64>::new();
        let forward = planner.plan_fft_forward(size);
        let spectrum = |samples: &[f32]| {
            let mut buffer = forward.make_input_vec();
            for (to, from) in buffer.iter_mut().zip(samples) {
                *to = f64::from(*from);
            }
            let mut spectrum = forward.make_output_vec();
            forward.process(&mut buffer, &mut spectrum).expect(MADE_BY_PLAN);
            spectrum
        };
        let parts = directivity.first_order();
        let (mut sum, gradient) = (spectrum(pressure), spectrum(gradient));
        for (bin, (value, slope)) in sum.iter_mut().zip(gradient).enumerate() {
            let hz = bin as f64 * self.sample_rate / size as f64;
            let (lower, weight) = crossfade(hz);
            let mix = |part: fn((f64, f64)) -> f64| {
                part(parts[lower]) * weight + part(parts[lower + 1]) * (1.0 - weight)
            };
            let dipole = if bin == 0 {
                Complex::ZERO
            } else {
                slope * self.speed_of_sound / Complex::new(0.0, TAU * hz)
            };
            *value = *value * mix(|(omni, _)| omni) + dipole * mix(|(_, dipole)| dipole);
        }
        for edge in [0, size / 2] {
            sum[edge].im = 0.0;
        }
        let mut samples = forward.make_input_vec();
        planner.plan_fft_inverse(size).process(&mut sum, &mut samples).expect(MADE_BY_PLAN);
        samples[..pressure.len()].iter().map(|sample| (sample / size as f64) as f32).collect()
    }
}

/// The derivative along where a source faces.
fn along(source: &Source, [x, y, z]: [Probe; 3]) -> Probe {
    let facing = source.facing.as_vec3();
    // The three have the same nodes in the same order.
    let weights = x
        .weights
        .iter()
        .zip(&y.weights)
        .zip(&z.weights)
        .map(|((x, y), z)| (x.0, facing.x * x.1 + facing.y * y.1 + facing.z * z.1));
    Probe { weights: weights.collect() }
}
