//! Everything an executor must know about a room.

use std::f64::consts::PI;

use glam::DVec3;
use rayon::prelude::*;

use super::{
    WaveError, WaveSettings,
    admittance::{TimeGrid, Wall},
    boundary::Boundary,
    grid::Lattice,
    probe::{Neighbourhood, Probe, Surroundings},
    pulse::{FOURTH_ORDER, Pulse, SECOND_ORDER, high_pass},
    voxels::{AirMap, Facet, Span, Voxels},
};
use crate::{
    air::Air,
    geometry::{Room, Surface},
    material::Material,
    room::Position,
};

/// The sound of a source: in step n, each node's new pressure gets `weight · signal[n]` more.
#[derive(Debug, Clone, PartialEq)]
pub struct Excitation {
    /// Where.
    pub probe: Probe,
    /// What. Shorter than the run as a rule.
    pub signal: Vec<f32>,
}

/// A room ready for a wave simulation: the work of [`WavePlan::new`] is done once, runs share it.
///
/// A run keeps two arrays of pressures, one entry for each place of the [`lattice`](Self::lattice), both zero at first.
/// In each step an executor
///
/// 1. replaces, at every node of every span, the older pressure p⁻ by p⁺ = c₀ p + c₁ Σ pₙ − p⁻, with the sum over
///    all twelve or six neighbours (places without air hold zero and are never written);
/// 2. adds the excitation;
/// 3. does the [`boundary`](Self::boundary);
/// 4. notes the new pressure at every probe.
///
/// Every item of step n + 1 at a plane needs step n only at that plane and the two beside it.
pub struct WavePlan {
    lattice: Lattice,
    air: Air,
    f_max: f64,
    steps: usize,
    length_seconds: f64,
    pulse: Pulse,
    voxels: Voxels,
    air_nodes: u64,
    walls: Vec<Wall>,
    boundary: Boundary,
    facets: Vec<Facet>,
    air_map: AirMap,
    surface_report: Vec<SurfaceArea>,
}

/// How much of a material the solver sees.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct SurfaceArea {
    /// Name of the material.
    pub material: String,
    /// Area in square metres that meets air.
    pub area: f64,
    /// Area of the patches in the solver.
    pub solver_area: f64,
}

impl WavePlan {
    /// Lays the grid into the room, finds nodes, walls and their links, and fits admittances.
    ///
    /// # Errors
    /// [`WaveError::Settings`] when a setting is out of its range or the grid would be too large to number,
    /// [`WaveError::NoAir`] when the room is too small for its grid.
    pub fn new(room: &Room, settings: &WaveSettings) -> Result<Self, WaveError> {
        settings.check()?;
        let air = room.air();
        let largest_spacing = air.speed_of_sound() / (settings.f_max_hz * settings.points_per_wavelength);
        let [low, high] = room.bounds();
        let places =
            (high - low).to_array().iter().map(|side| side / largest_spacing + 20.0).product::<f64>();
        let in_memory = places / settings.grid.cell_volume();
        if in_memory > 0.9 * f64::from(u32::MAX) {
            return Err(WaveError::TooLarge { places: in_memory });
        }
        let lattice = Lattice::new(settings.grid, largest_spacing, [low, high]);
        let voxels = Voxels::new(room, &lattice);
        let air_nodes = voxels.spans.iter().map(|span| u64::from(span.end - span.begin)).sum();
        if air_nodes < 8 {
            return Err(WaveError::NoAir);
        }
        let dt = time_step(&lattice, air);
        let time = TimeGrid { grid: settings.grid, dt, f_max: settings.f_max_hz };
        let (walls, wall_of_surface) = walls(room.surfaces(), time);
        let boundary = Boundary::new(room, &lattice, &voxels, &wall_of_surface);
        let surface_report = boundary.areas(room, &lattice, &walls, &wall_of_surface);
        let pulse = Pulse::new(settings.f_max_hz, dt, settings.grid);
        let steps = (settings.length_seconds / dt).ceil() as usize + 2 * pulse.delay() + 2;
        Ok(Self {
            facets: Facet::all(room, &lattice),
            air_map: AirMap::new(lattice.places(), &voxels.spans),
            air,
            f_max: settings.f_max_hz,
            steps,
            length_seconds: settings.length_seconds,
            pulse,
            air_nodes,
            walls,
            boundary,
            surface_report,
            voxels,
            lattice,
        })
    }

    /// Where the nodes are.
    pub fn lattice(&self) -> &Lattice {
        &self.lattice
    }

    /// The air in the room.
    pub fn air(&self) -> Air {
        self.air
    }

    /// Rows of air in ascending order.
    pub fn spans(&self) -> &[Span] {
        &self.voxels.spans
    }

    /// Which of [`spans`](Self::spans) lie in each plane: where they begin, and after the last one.
    pub fn plane_spans(&self) -> &[u32] {
        &self.voxels.plane_spans
    }

    /// Nodes at surfaces.
    pub fn boundary(&self) -> &Boundary {
        &self.boundary
    }

    /// What surfaces are made of: one entry for each distinct material that is not rigid.
    pub fn walls(&self) -> &[Wall] {
        &self.walls
    }

    /// Area of each material in the room and in the solver.
    pub fn areas(&self) -> &[SurfaceArea] {
        &self.surface_report
    }

    /// Nodes of air.
    pub fn nodes(&self) -> u64 {
        self.air_nodes
    }

    /// Steps of a run.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Node updates of a run.
    pub fn updates(&self) -> u64 {
        self.air_nodes * self.steps as u64
    }

    /// Highest frequency in hertz.
    pub fn f_max(&self) -> f64 {
        self.f_max
    }

    /// By how much the grid's room is longer than the room along x, y and z, in metres: sides that the spacing does not
    /// divide are rounded, by up to half a spacing. It detunes modes by its share of the side.
    pub fn side_errors(&self) -> [f64; 3] {
        self.lattice.side_errors.to_array()
    }

    /// Seconds of response that a run gives.
    pub fn length_seconds(&self) -> f64 {
        self.length_seconds
    }

    /// Steps per second.
    pub fn sample_rate(&self) -> f64 {
        1.0 / time_step(&self.lattice, self.air)
    }

    /// Spacings per wavelength at the highest frequency.
    pub fn points_per_wavelength(&self) -> f64 {
        self.air.speed_of_sound() / (self.f_max * self.lattice.spacing)
    }

    /// By which share the slowest wave of the highest frequency is too slow.
    pub fn worst_phase_error(&self) -> f64 {
        self.lattice.grid.phase_error(self.points_per_wavelength())
    }

    /// Largest error of any wall's absorption coefficient in the octaves of the plan.
    pub fn worst_fit_error(&self) -> f64 {
        self.walls.iter().map(Wall::fit_error).fold(0.0, f64::max)
    }

    /// Bytes that a run needs, in round figures.
    pub fn memory_bytes(&self) -> u64 {
        let branches = self.walls.iter().map(|wall| wall.branches.len()).max().unwrap_or(0);
        let states = 2 * branches * self.boundary.patches() + self.boundary.nodes.len();
        4 * (2 * self.lattice.places() + states) as u64
    }

    /// Hears the pressure at a place. `what` names it in the error, e.g. `microphone`.
    ///
    /// Weights are the best linear prediction of a sound field with waves from everywhere, from the nodes that see the
    /// place; [`interpolation_error`](Self::interpolation_error) says how good that is.
    ///
    /// # Errors
    /// [`WaveError::Place`] when the place is not in the air, or so close to surfaces that too few nodes see it.
    pub fn pressure_probe(&self, what: &'static str, place: Position) -> Result<Probe, WaveError> {
        Ok(self.around(what, place)?.pressure())
    }

    /// Hears the pressure's gradient along x, y and z at a place, per metre.
    ///
    /// # Errors
    /// As [`pressure_probe`](Self::pressure_probe).
    pub fn gradient_probes(&self, what: &'static str, place: Position) -> Result<[Probe; 3], WaveError> {
        Ok(self.around(what, place)?.gradient())
    }

    /// Standard error of the pressure at a place relative to that of the field, with frequencies spread up to the
    /// highest: 0.01 is a hundredth, or −40 dB.
    ///
    /// # Errors
    /// As [`pressure_probe`](Self::pressure_probe).
    pub fn interpolation_error(&self, what: &'static str, place: Position) -> Result<f64, WaveError> {
        Ok(self.around(what, place)?.error())
    }

    fn around(&self, what: &'static str, place: Position) -> Result<Neighbourhood, WaveError> {
        let surroundings = Surroundings {
            lattice: &self.lattice,
            air: &self.air_map,
            facets: &self.facets,
            radians_per_spacing: 2.0 * PI / self.points_per_wavelength(),
        };
        surroundings.around(what, place)
    }

    /// A point source of sound at a place.
    ///
    /// Its volume velocity is such that in the free field its pressure is a band-limited pulse of area one sample,
    /// over r in metres: from ∂²p/∂t² − c² ∇²p = 4π c² s δ with p = s(t − r/c)/r follows (4π c² dt² / cell volume) s
    /// per step, less what sources on a grid are too loud at high frequencies. A high-pass at 10 Hz keeps constant flow
    /// and constant pressure out.
    ///
    /// # Errors
    /// As [`pressure_probe`](Self::pressure_probe).
    pub fn point_source(&self, what: &'static str, place: Position) -> Result<Excitation, WaveError> {
        let Lattice { grid, spacing, .. } = self.lattice;
        let strength = 4.0 * PI * grid.courant_number().powi(2) / (grid.cell_volume() * spacing);
        let signal = self.pulse.without_offset().into_iter().map(|value| (strength * value) as f32).collect();
        Ok(Excitation { probe: self.pressure_probe(what, place)?, signal })
    }

    /// How many samples before the moment of emission the band-limited pulse of a source begins to ring.
    pub fn lead_samples(&self, sample_rate: u32) -> usize {
        (self.pulse.delay() as f64 / self.sample_rate() * f64::from(sample_rate)).ceil() as usize
    }

    /// The pulse of a source in the free field times the distance: what a response would be without grid, air absorption
    /// and walls. From `lead` samples before the moment of emission.
    pub(crate) fn ideal_direct_sound(
        &self,
        distance: f64,
        sample_rate: u32,
        lead: usize,
        count: usize,
    ) -> Vec<f32> {
        let rate = f64::from(sample_rate);
        let delay = distance / self.air.speed_of_sound();
        let level = self.sample_rate() / rate;
        let pulse = (0..count).map(|n| level * self.pulse.at((n as f64 - lead as f64) / rate - delay));
        let heard =
            high_pass(high_pass(pulse.collect(), 1.0 / rate, &FOURTH_ORDER), 1.0 / rate, &SECOND_ORDER);
        heard.into_iter().map(|value| value as f32).collect()
    }

    pub(crate) fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// Where a node is in the room.
    pub fn node_position(&self, index: usize) -> DVec3 {
        self.lattice.position(index)
    }
}

fn time_step(lattice: &Lattice, air: Air) -> f64 {
    lattice.grid.courant_number() * lattice.spacing / air.speed_of_sound()
}

/// A wall for each distinct material that is not rigid, and which of them each surface has.
fn walls(surfaces: &[Surface], time: TimeGrid) -> (Vec<Wall>, Vec<Option<u32>>) {
    let mut distinct: Vec<&Material> = Vec::new();
    let of_surface: Vec<usize> = surfaces
        .iter()
        .map(|Surface { material, .. }| {
            let same = |other: &&Material| {
                let mut pairs = other.absorption().iter().zip(material.absorption());
                other.name() == material.name() && pairs.all(|(a, b)| a.total_cmp(b).is_eq())
            };
            distinct.iter().position(same).unwrap_or_else(|| {
                distinct.push(material);
                distinct.len() - 1
            })
        })
        .collect();
    let fits: Vec<Option<Wall>> =
        distinct.into_par_iter().map(|material| Wall::new(material, time)).collect();
    let mut walls = Vec::new();
    let numbers: Vec<Option<u32>> = fits
        .into_iter()
        .map(|wall| {
            walls.push(wall?);
            Some(walls.len() as u32 - 1)
        })
        .collect();
    (walls, of_surface.into_iter().map(|material| numbers[material]).collect())
}
