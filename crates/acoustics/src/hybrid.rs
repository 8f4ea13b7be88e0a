//! Waves below, geometry above: a whole response of a room.
//!
//! Below a crossover frequency sound is simulated as waves ([`wave`](crate::wave)), above it as images and rays
//! ([`geometric_rirs`](crate::geometric_rirs)). Both have absolute levels (the free field at 1 m is 1) and the same
//! time axis, so they are joined by zero-phase filters alone; no level is matched. By reciprocity one wave run for each
//! microphone serves all sources.
//!
//! The crossover lies as high as the work allows that was granted to a microphone, and everything that decides the
//! result is written into a [`SimulationRecord`].

mod budget;
mod crossover;
mod dispersion;
mod first_order;

use std::{
    ops::ControlFlow,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::{crossover::Crossover, dispersion::Dispersion, first_order::SourceProbes};
use crate::{
    endpoint::Source,
    geometric::{self, Geometric, GeometricError, GeometricSettings, Heard},
    geometry::Room,
    rir::{Rir, RirError},
    room::Position,
    synthesis::Synthesis,
    wave::{Excitation, Grid, WaveError, WaveExecutor, WavePlan, probe_responses, response_processing},
};

/// Share of the work that the waves are, for the progress.
const WAVE_SHARE: f64 = 0.9;

/// How a response is computed. As a file it may leave out any field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HybridSettings {
    /// Samples per second, 8 000 to 192 000.
    pub sample_rate: u32,
    /// Length of the responses in seconds, at most 20; by default until every octave has decayed by 65 dB, as rays find
    /// that go by the walls' angles where sound is simulated as waves.
    pub length_seconds: Option<f64>,
    /// Node updates that the waves may cost for each microphone. Where the wanted frequency would cost more it is
    /// lowered, the same on any machine.
    pub work_budget_updates: u64,
    /// Highest frequency of the waves in hertz: the top of the transition, half an octave above the crossover. 100 to
    /// 0.4 times the sample rate, in steps of 10 Hz. It is raised to put the crossover at three times the Schroeder frequency where the
    /// budget allows.
    pub f_max_hz: f64,
    /// Grid spacings per wavelength at the highest frequency of the waves, 4 to 40.
    pub points_per_wavelength: f64,
    /// The grid of the waves.
    pub grid: Grid,
    /// Most mirrors in the path of an image, at most 50.
    pub image_order: u32,
    /// Most images of a source, 1 to 1 000 000; the order is lowered until they fit.
    pub max_images: usize,
    /// Number of rays of a source, at most 10 000 000.
    pub rays: usize,
    /// Same seed, same responses.
    pub seed: u64,
}

impl Default for HybridSettings {
    /// What a processor does in seconds: crossover at 1 kHz, waves within 1 % there and within 2 % at 1.4 kHz.
    fn default() -> Self {
        Self {
            sample_rate: 16_000,
            length_seconds: None,
            work_budget_updates: 30_000_000_000,
            f_max_hz: 1_400.0,
            points_per_wavelength: 5.6,
            grid: Grid::Fcc,
            image_order: 3,
            max_images: 4_000,
            rays: 4_000,
            seed: 0,
        }
    }
}

impl HybridSettings {
    fn geometric(&self) -> GeometricSettings {
        GeometricSettings {
            sample_rate: self.sample_rate,
            length_seconds: self.length_seconds,
            image_order: self.image_order,
            max_images: self.max_images,
            rays: self.rays,
            seed: self.seed,
        }
    }
}

/// All that decided the responses besides the room and the places.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SimulationRecord {
    /// Version of this crate.
    pub version: String,
    /// What ran the waves.
    pub executor: String,
    /// Samples per second.
    pub sample_rate: u32,
    /// Length of the responses in seconds.
    pub length_seconds: f64,
    /// Where waves and geometry weigh the same, in hertz.
    pub crossover_hz: f64,
    /// Highest frequency of the waves, half an octave above.
    pub f_max_hz: f64,
    /// 2 000 √(T / V): below three times this, single modes stand out (Schroeder, JASA 99, 1996).
    pub schroeder_hz: f64,
    /// Grid of the waves.
    pub grid: Grid,
    /// Its spacing in metres.
    pub spacing_metres: f64,
    /// Spacings per wavelength at the highest frequency.
    pub points_per_wavelength: f64,
    /// By which share the slowest wave of the highest frequency is too slow.
    pub worst_phase_error: f64,
    /// By how much the room of the waves is longer than the room along x, y and z, in metres: sides that the spacing does
    /// not divide are rounded. Modes are off by its share of the side.
    pub side_errors_metres: [f64; 3],
    /// Largest error of any surface's absorption coefficient in the waves.
    pub worst_fit_error: f64,
    /// Node updates for each microphone.
    pub updates: u64,
    /// After this time from the straight way on, reflections add up in energy at the crossover, in seconds.
    pub mixing_seconds: f64,
    /// Of each source the highest order of which all images were computed.
    pub image_orders: Vec<u32>,
    /// Of each source the number of images.
    pub images: Vec<usize>,
    /// Number of rays of a source.
    pub rays: usize,
    /// The seed.
    pub seed: u64,
}

/// Responses, and how they came to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Simulation {
    /// By source, then by microphone, both in the order they were given in.
    pub rirs: Vec<Vec<Rir>>,
    /// What decided them.
    pub record: SimulationRecord,
}

/// Why no response can be computed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HybridError {
    /// No sources or no microphones.
    #[error("there is no {0} to simulate; give at least one")]
    Nothing(&'static str),
    /// The geometrical part refused.
    #[error("source {number}: {reason}")]
    Geometric {
        /// Which source, from 0.
        number: usize,
        /// Why.
        #[source]
        reason: GeometricError,
    },
    /// The wave part refused.
    #[error(transparent)]
    Wave(#[from] WaveError),
    /// The highest frequency out of range.
    #[error("f_max_hz is {value}; it must lie between {least} and {most}, 0.4 times the sample rate")]
    HighestFrequency {
        /// What was asked for.
        value: f64,
        /// Least value allowed.
        least: f64,
        /// Largest value allowed.
        most: f64,
    },
    /// Too little work is granted for any waves at all.
    #[error(
        "waves up to {least_hz} Hz would cost {needed:.1e} node updates a microphone; raise work_budget_updates"
    )]
    Budget {
        /// The lowest top of the waves.
        least_hz: f64,
        /// What it costs.
        needed: f64,
    },
    /// Nothing but zeros.
    #[error("microphone {microphone} hears nothing of source {number} within the response; lengthen it")]
    Silent {
        /// Which source, from 0.
        number: usize,
        /// Which microphone, from 0.
        microphone: usize,
        /// What is wrong with the response.
        source: RirError,
    },
    /// Whoever watched said stop.
    #[error("the simulation was cancelled")]
    Cancelled,
}

/// Responses from every source to every microphone.
///
/// `progress` is told several times a second which share of the work is done, from any thread, and may end it. Same
/// input and same executor, same bits, on any number of threads; a response does not depend on which other sources and
/// microphones are asked for with it.
///
/// A directional source is in the wave part a first-order one ([`Directivity::first_order`](crate::Directivity)).
///
/// # Errors
/// [`HybridError`] when a place is not in the room's air, a setting is out of range, the budget is too small, the
/// executor fails, or `progress` said stop.
pub fn hybrid_rirs(
    room: &Room,
    sources: &[Source],
    microphones: &[Position],
    settings: &HybridSettings,
    executor: &dyn WaveExecutor,
    progress: &(dyn Fn(f64) -> ControlFlow<()> + Sync),
) -> Result<Simulation, HybridError> {
    check(room, sources, microphones, settings)?;
    let seconds =
        settings.length_seconds.unwrap_or_else(|| geometric::default_length(room, settings.f_max_hz));
    let schroeder_hz = budget::schroeder_frequency(room);
    let plan = WavePlan::new(room, &budget::wave_settings(room, settings, schroeder_hz, seconds)?)?;
    let lead = plan.lead_samples(settings.sample_rate);
    let wave_progress = |share: f64| progress(WAVE_SHARE * share);
    let waves = waves(&plan, sources, microphones, settings, lead, executor, &wave_progress)?;
    let synthesis = Synthesis::new(room.air(), settings.sample_rate, seconds);
    let length = synthesis.length();
    let crossover = Crossover::new(plan.f_max(), settings.sample_rate, length);
    let joiner = Joiner {
        room,
        microphones,
        settings: settings.geometric(),
        seconds,
        mixing_seconds: budget::mixing_time(room),
        synthesis,
        dispersion: Dispersion::new(&plan, settings.sample_rate, lead, length),
        crossover: &crossover,
    };
    let mut record = SimulationRecord {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        executor: executor.name(),
        sample_rate: settings.sample_rate,
        length_seconds: seconds,
        crossover_hz: crossover.middle(),
        f_max_hz: plan.f_max(),
        schroeder_hz,
        grid: settings.grid,
        spacing_metres: plan.lattice().spacing,
        points_per_wavelength: plan.points_per_wavelength(),
        worst_phase_error: plan.worst_phase_error(),
        side_errors_metres: plan.side_errors(),
        worst_fit_error: plan.worst_fit_error(),
        updates: plan.updates(),
        mixing_seconds: joiner.mixing_seconds,
        image_orders: Vec::new(),
        images: Vec::new(),
        rays: settings.rays,
        seed: settings.seed,
    };
    let mut rirs = Vec::new();
    for (number, source) in sources.iter().enumerate() {
        let of_source: Vec<&[f32]> = waves.iter().map(|heard| &heard[number][..]).collect();
        let share_of_all = |share: f64| {
            let done = (number as f64 + share) / sources.len() as f64;
            progress(WAVE_SHARE + (1.0 - WAVE_SHARE) * done)
        };
        let (order, images, responses) = joiner.join(number, source, &of_source, &share_of_all)?;
        record.image_orders.push(order);
        record.images.push(images);
        rirs.push(responses);
    }
    Ok(Simulation { rirs, record })
}

/// What each microphone hears of each source as waves, from `lead` samples before the moment of emission: one run for
/// each microphone.
fn waves(
    plan: &WavePlan,
    sources: &[Source],
    microphones: &[Position],
    settings: &HybridSettings,
    lead: usize,
    executor: &dyn WaveExecutor,
    progress: &(dyn Fn(f64) -> ControlFlow<()> + Sync),
) -> Result<Vec<Vec<Vec<f32>>>, HybridError> {
    let probes = SourceProbes::new(plan, sources, settings.sample_rate)?;
    let processing = response_processing(plan, settings.sample_rate, lead)?;
    let total = plan.updates() as f64 * microphones.len() as f64;
    let done = AtomicU64::new(0);
    let watch = |updates: u64| {
        let done = updates + done.fetch_add(updates, Ordering::Relaxed);
        progress(done as f64 / total)
    };
    // Before any work, so that a place that cannot be is told at once.
    let excitations = microphones
        .iter()
        .map(|&microphone| plan.point_source("microphone", microphone))
        .collect::<Result<Vec<_>, _>>()?;
    let run = |excitation: &Excitation| {
        let raw = probe_responses(plan, executor, excitation, probes.receivers(), &processing, &watch)?;
        Ok(probes.combine(raw))
    };
    excitations.par_iter().map(run).collect::<Result<_, WaveError>>().map_err(|error| match error {
        WaveError::Cancelled => HybridError::Cancelled,
        other => other.into(),
    })
}

/// Puts waves and geometry together.
struct Joiner<'a> {
    room: &'a Room,
    microphones: &'a [Position],
    settings: GeometricSettings,
    seconds: f64,
    mixing_seconds: f64,
    synthesis: Synthesis,
    dispersion: Dispersion,
    crossover: &'a Crossover,
}

impl Joiner<'_> {
    /// Order and number of the images of a source, and its response at each microphone.
    fn join(
        &self,
        number: usize,
        source: &Source,
        waves: &[&[f32]],
        progress: &(dyn Fn(f64) -> ControlFlow<()> + Sync),
    ) -> Result<(u32, usize, Vec<Rir>), HybridError> {
        let halfway = |share: f64| progress(0.5 * share);
        let geometric =
            Geometric::new(self.room, source, self.microphones, &self.settings, self.seconds, &halfway)
                .map_err(|_| HybridError::Cancelled)?;
        let done = AtomicUsize::new(0);
        let response = |microphone: usize| {
            let samples = self.response(&geometric, source, self.microphones[microphone], waves[microphone]);
            let done = 1 + done.fetch_add(1, Ordering::Relaxed);
            if progress(0.5 + 0.5 * done as f64 / self.microphones.len() as f64).is_break() {
                return Err(HybridError::Cancelled);
            }
            Rir::new(self.settings.sample_rate, samples).map_err(|source| HybridError::Silent {
                number,
                microphone,
                source,
            })
        };
        let responses =
            (0..self.microphones.len()).into_par_iter().map(response).collect::<Result<_, _>>()?;
        let (order, images) = geometric.images();
        Ok((order, images, responses))
    }

    fn response(
        &self,
        geometric: &Geometric,
        source: &Source,
        microphone: Position,
        wave: &[f32],
    ) -> Vec<f32> {
        let Heard { direct, images, rays } = geometric.heard(microphone);
        let straight = source.position.distance(microphone);
        let mixed = straight + self.mixing_seconds * self.room.air().speed_of_sound();
        let late = images.partition_point(|image| image.distance < mixed);
        let coherent = self.synthesis.response(direct, images[..late].iter().copied());
        let incoherent = self.synthesis.response(None, images[late..].iter().copied().chain(rays));
        let waves = self.dispersion.spectrum(wave, self.crossover.frequencies());
        self.crossover.join(&waves, &coherent, &incoherent)
    }
}

fn check(
    room: &Room,
    sources: &[Source],
    microphones: &[Position],
    settings: &HybridSettings,
) -> Result<(), HybridError> {
    if sources.is_empty() {
        return Err(HybridError::Nothing("source"));
    }
    if microphones.is_empty() {
        return Err(HybridError::Nothing("microphone"));
    }
    for (number, source) in sources.iter().enumerate() {
        geometric::check(room, source, microphones, &settings.geometric())
            .map_err(|reason| HybridError::Geometric { number, reason })?;
    }
    let (least, most) = (budget::LEAST_TOP, 0.4 * f64::from(settings.sample_rate));
    if !(least..=most).contains(&settings.f_max_hz) {
        return Err(HybridError::HighestFrequency { value: settings.f_max_hz, least, most });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
