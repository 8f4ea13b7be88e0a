//! Rooms as wave fields: finite differences in the time domain (FDTD).
//!
//! A [`WavePlan`] lays a grid into a room: nodes of air, the surfaces between them, and surfaces as passive
//! circuits. A [`WaveExecutor`] runs it ([`CpuExecutor`] on a processor). [`wave_responses`] puts both together: by
//! reciprocity one run from a microphone gives its responses to sources at any number of places.
//!
//! The method is that of B. Hamilton and S. Bilbao (IEEE/ACM Trans. Audio Speech Lang. Process. 25, 2017, and
//! references there). What limits it: waves are slow by [`WavePlan::worst_phase_error`]; surfaces are
//! staircases (with the right area) and react locally, whatever the angle; coefficients of absorption above 0.951
//! cannot be had from such surfaces. A room whose surfaces are all large and flat decays more slowly than Eyring's
//! formula says, since waves along a surface lose less: that is physics, and no correction is made for it.

mod admittance;
mod boundary;
pub mod checks;
mod cpu;
mod grid;
mod kernels;
mod linear;
mod plan;
mod probe;
mod pulse;
mod response;
#[cfg(test)]
mod tests;
mod voxels;

use std::ops::ControlFlow;

pub(crate) use admittance::real_impedance;
pub use admittance::{Branch, BranchStep, FittedAbsorption, MAX_RANDOM_ABSORPTION, Wall, random_absorption};
pub use boundary::{Boundary, BoundaryPlane, Cut, Run};
pub use cpu::CpuExecutor;
pub use grid::{Grid, Lattice, ROW_UNIT};
pub use plan::{Excitation, SurfaceArea, WavePlan};
pub use probe::Probe;
pub(crate) use response::Processing;
pub use voxels::Span;

use crate::{geometry::Room, room::Position};

/// How finely a room is simulated.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaveSettings {
    /// The neighbourhood of a node.
    pub grid: Grid,
    /// Highest frequency in hertz, from 50 to 20 000.
    pub f_max_hz: f64,
    /// Spacings per wavelength at the highest frequency, from 4 to 40. On the FCC grid 5.6 leaves the slowest wave
    /// 2 % slow there and 7.7 1 %; on the Cartesian grid it takes 7.5 and 10.5.
    pub points_per_wavelength: f64,
    /// Length of the responses in seconds, up to 60.
    pub length_seconds: f64,
}

impl Default for WaveSettings {
    /// To 1.4 kHz, where speech has most of its energy, within 2 %; 0.5 s.
    fn default() -> Self {
        Self { grid: Grid::Fcc, f_max_hz: 1_400.0, points_per_wavelength: 5.6, length_seconds: 0.5 }
    }
}

impl WaveSettings {
    /// Node updates of a run in a room, within some percent: the work to choose settings by.
    pub fn estimated_updates(&self, room: &Room) -> f64 {
        let speed = room.air().speed_of_sound();
        let spacing = speed / (self.f_max_hz * self.points_per_wavelength);
        let nodes = room.volume() / (self.grid.cell_volume() * spacing.powi(3));
        nodes * self.length_seconds * speed / (self.grid.courant_number() * spacing)
    }

    fn check(&self) -> Result<(), WaveError> {
        let ranges = [
            ("f_max_hz", self.f_max_hz, 50.0, 20_000.0),
            ("points_per_wavelength", self.points_per_wavelength, 4.0, 40.0),
            ("length_seconds", self.length_seconds, 0.001, 60.0),
        ];
        match ranges.into_iter().find(|(_, value, low, high)| !(*low..=*high).contains(value)) {
            Some((name, value, low, high)) => Err(WaveError::Settings { name, value, low, high }),
            None => Ok(()),
        }
    }
}

/// Why a wave simulation gave nothing.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WaveError {
    /// A setting out of its range.
    #[error("the wave solver's {name} is {value}; it must lie between {low} and {high}")]
    Settings {
        /// The field of [`WaveSettings`].
        name: &'static str,
        /// Its value.
        value: f64,
        /// The least.
        low: f64,
        /// The most.
        high: f64,
    },
    /// More places than can be numbered.
    #[error(
        "the wave solver's grid would have {places:.2e} nodes, more than it can number; lower f_max_hz or points_per_wavelength"
    )]
    TooLarge {
        /// How many.
        places: f64,
    },
    /// A room without air.
    #[error("the room holds fewer than eight nodes of the wave solver's grid; raise f_max_hz")]
    NoAir,
    /// A source or microphone without air around it.
    #[error(
        "the {what} at {place} m is not in the air, or so close to surfaces that too few nodes of the wave solver's grid see it; move it away, or raise f_max_hz (and what the work may cost)"
    )]
    Place {
        /// What is there.
        what: &'static str,
        /// Where.
        place: Position,
    },
    /// A sample rate of zero or below twice the highest frequency.
    #[error("responses up to {f_max} Hz need more than {sample_rate} samples per second")]
    SampleRate {
        /// What was asked for.
        sample_rate: u32,
        /// Highest frequency of the plan in hertz.
        f_max: f64,
    },
    /// Whoever watched said stop.
    #[error("the wave simulation was cancelled")]
    Cancelled,
    /// What the executor's device says.
    #[error("the wave solver's {executor}: {message}")]
    Device {
        /// Name of the executor.
        executor: String,
        /// What happened and what to do.
        message: String,
    },
}

/// Watches runs, and may end them.
pub trait Progress: Sync {
    /// So many more node updates are done; a run makes [`WavePlan::updates`] of them. Called several times a second,
    /// from any thread. [`ControlFlow::Break`] ends the run with [`WaveError::Cancelled`].
    fn advance(&self, updates: u64) -> ControlFlow<()>;
}

impl<F: Fn(u64) -> ControlFlow<()> + Sync> Progress for F {
    fn advance(&self, updates: u64) -> ControlFlow<()> {
        self(updates)
    }
}

/// Nobody watches.
impl Progress for () {
    fn advance(&self, _updates: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Something that runs plans.
pub trait WaveExecutor: Sync {
    /// What it is, with what matters to speed.
    fn name(&self) -> String;

    /// Runs all [`WavePlan::steps`] and gives what each receiver heard: one sample per step, the pressure after
    /// it, raw.
    ///
    /// # Errors
    /// [`WaveError::Cancelled`] when `progress` says so, [`WaveError::Device`] when the device cannot.
    fn run(
        &self,
        plan: &WavePlan,
        source: &Excitation,
        receivers: &[Probe],
        progress: &dyn Progress,
    ) -> Result<Vec<Vec<f32>>, WaveError>;
}

/// Responses from omnidirectional sources at `places` to a microphone: one run from the microphone, by reciprocity.
///
/// Sample 0 is the moment a source emits; in the free field a response is a band-limited unit pulse over the distance
/// in metres, delayed by the way. Flat from 20 Hz (high-passes at 10 Hz) to the plan's highest frequency and silent
/// from 1.25 times that on, so that pulses ring by that band's sinc, also before their arrival. The air absorbs by the
/// time that sound has been under way (ISO 9613-1).
///
/// # Errors
/// [`WaveError::SampleRate`] when the rate cannot hold the plan's band, [`WaveError::Place`] when a place or the
/// microphone is not in the air, and what the executor says.
pub fn wave_responses(
    plan: &WavePlan,
    executor: &dyn WaveExecutor,
    microphone: Position,
    places: &[Position],
    sample_rate: u32,
    progress: &dyn Progress,
) -> Result<Vec<Vec<f32>>, WaveError> {
    wave_responses_with_lead(plan, executor, microphone, places, sample_rate, 0, progress)
}

/// The same with `lead` more samples before the moment of emission: the ringing of near sources reaches there, and is
/// needed by whoever filters further. [`WavePlan::lead_samples`] says how many hold all of it.
///
/// # Errors
/// As [`wave_responses`].
pub fn wave_responses_with_lead(
    plan: &WavePlan,
    executor: &dyn WaveExecutor,
    microphone: Position,
    places: &[Position],
    sample_rate: u32,
    lead: usize,
    progress: &dyn Progress,
) -> Result<Vec<Vec<f32>>, WaveError> {
    let processing = response_processing(plan, sample_rate, lead)?;
    let source = plan.point_source("microphone", microphone)?;
    let receivers =
        places.iter().map(|&place| plan.pressure_probe("source", place)).collect::<Result<Vec<_>, _>>()?;
    probe_responses(plan, executor, &source, &receivers, &processing, progress)
}

/// What responses of a plan at this rate go through.
///
/// # Errors
/// [`WaveError::SampleRate`] when the rate cannot hold the plan's band.
pub(crate) fn response_processing(
    plan: &WavePlan,
    sample_rate: u32,
    lead: usize,
) -> Result<Processing, WaveError> {
    if f64::from(sample_rate) < 2.0 * plan.f_max() {
        return Err(WaveError::SampleRate { sample_rate, f_max: plan.f_max() });
    }
    Ok(Processing::new(plan, sample_rate, lead))
}

/// Responses from a source to any receivers, processed as those of [`wave_responses_with_lead`].
pub(crate) fn probe_responses(
    plan: &WavePlan,
    executor: &dyn WaveExecutor,
    source: &Excitation,
    receivers: &[Probe],
    processing: &Processing,
    progress: &dyn Progress,
) -> Result<Vec<Vec<f32>>, WaveError> {
    Ok(processing.responses(&executor.run(plan, source, receivers, progress)?))
}
