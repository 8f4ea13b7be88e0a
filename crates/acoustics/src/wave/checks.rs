//! Checks of the wave solver against theory, for anyone to run on any executor.
//!
//! Each builds its own small room, runs it, and gives numbers beside what theory says. None judges: tolerances are the
//! caller's.

use std::f64::consts::PI;

use glam::DVec3;
use realfft::num_complex::Complex;
use serde::Serialize;

use super::{
    Excitation, Grid, Probe, WaveError, WaveExecutor, WavePlan, WaveSettings,
    admittance::{TimeGrid, effective_impedance, random_absorption, reflection},
    wave_responses, wave_responses_with_lead,
};
use crate::{
    air::Air,
    band::BAND_COUNT,
    geometry::{Polygon, Room, Solid, Surface, box_face},
    material::Material,
    room::{BoxRoom, Position, RoomError, Surfaces},
};

/// A measured number beside the one that theory gives.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Comparison {
    /// What theory says.
    pub expected: f64,
    /// What the solver did.
    pub found: f64,
}

impl Comparison {
    /// By which share the found number is too large.
    pub fn relative_error(&self) -> f64 {
        self.found / self.expected - 1.0
    }

    /// By how many decibels the found amplitude is too large.
    pub fn level_error(&self) -> f64 {
        20.0 * (self.found / self.expected).abs().log10()
    }
}

/// Why a check could not be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CheckError {
    /// The solver failed.
    #[error(transparent)]
    Wave(#[from] WaveError),
    /// The room of the check cannot be.
    #[error(transparent)]
    Room(#[from] RoomError),
}

fn material(name: &str, absorption: f64) -> Material {
    Material::new(name, [absorption; BAND_COUNT]).expect("the coefficient is a constant between 0 and 1")
}

fn box_room(size: [f64; 3], surfaces: &Material) -> Result<Room, CheckError> {
    let [x, y, z] = size;
    let room = BoxRoom::new(Position::new(x, y, z), Surfaces::uniform(surfaces), Air::default())?;
    Ok(Room::from(&room))
}

/// Adds bodies, all of one surface with this material.
fn with_boxes(room: &Room, boxes: &[[DVec3; 2]], covering: &Material) -> Room {
    let mut surfaces = room.surfaces().to_vec();
    let surface = surfaces.len();
    surfaces.push(Surface { name: "bodies".to_owned(), material: covering.clone() });
    let normals = [DVec3::X, DVec3::NEG_X, DVec3::Y, DVec3::NEG_Y, DVec3::Z, DVec3::NEG_Z];
    let side = |[low, high]: &[DVec3; 2], normal: DVec3| {
        let mut vertices = box_face(*low, *high, -normal);
        vertices.reverse();
        Polygon { surface, vertices }
    };
    let solids = boxes
        .iter()
        .map(|ends| Solid {
            name: "body".to_owned(),
            polygons: normals.iter().map(|&normal| side(ends, normal)).collect(),
        })
        .collect();
    Room::from_checked_parts(room.name().to_owned(), surfaces, room.shell().to_vec(), solids, room.air())
}

/// A furnished room: a table top two centimetres thick, a cupboard against a wall, a low box.
fn furnished_room() -> Result<Room, CheckError> {
    let boxes = [
        [DVec3::new(1.0, 0.8, 0.70), DVec3::new(2.4, 1.6, 0.72)],
        [DVec3::new(0.0, 2.0, 0.0), DVec3::new(0.5, 2.8, 1.8)],
        [DVec3::new(2.6, 1.9, 0.0), DVec3::new(3.1, 2.4, 0.45)],
    ];
    Ok(with_boxes(&box_room([3.4, 2.8, 2.3], &material("plaster", 0.1))?, &boxes, &material("wood", 0.2)))
}

/// Spectrum of a signal at one frequency.
fn spectrum_at(samples: &[f32], rate: f64, hz: f64) -> Complex<f64> {
    let turn = |n: usize| Complex::cis(-2.0 * PI * hz * n as f64 / rate);
    samples.iter().enumerate().map(|(n, &sample)| turn(n) * f64::from(sample)).sum()
}

/// The first five modes of a rigid box of 4.5 x 3.5 x 2.5 m, in hertz: c/2 √((l/x)² + (m/y)² + (n/z)²). Sides that
/// the grid can meet: of other rooms it is that room's modes that differ, by up to a third of a spacing in a side.
///
/// # Errors
/// What the executor says.
pub fn rigid_box_modes(executor: &dyn WaveExecutor, grid: Grid) -> Result<Vec<Comparison>, CheckError> {
    let size = [4.5, 3.5, 2.5];
    let room = box_room(size, &material("rigid", 0.0))?;
    // Spacings of 1/7 m (walls lie a quarter of that behind nodes) and 1/8 m.
    let points_per_wavelength = if grid == Grid::Fcc { 9.5 } else { 10.8 };
    let settings = WaveSettings { grid, f_max_hz: 250.0, points_per_wavelength, length_seconds: 4.0 };
    let plan = WavePlan::new(&room, &settings)?;
    let rate = 1_000;
    let (microphone, place) = (Position::new(0.31, 0.37, 0.29), Position::new(4.17, 3.11, 2.23));
    let response = &wave_responses(&plan, executor, microphone, &[place], rate, &())?[0];
    let window = |n: usize| (PI * n as f64 / response.len() as f64).sin().powi(2);
    let windowed: Vec<f32> =
        response.iter().enumerate().map(|(n, s)| (f64::from(*s) * window(n)) as f32).collect();
    let level = |hz: f64| spectrum_at(&windowed, f64::from(rate), hz).norm();
    Ok(box_modes(size, room.air().speed_of_sound(), 5)
        .into_iter()
        .map(|expected| Comparison { expected, found: peak_near(&level, expected) })
        .collect())
}

fn box_modes(size: [f64; 3], speed_of_sound: f64, count: usize) -> Vec<f64> {
    let orders = (0..125).map(|n| [n / 25, n / 5 % 5, n % 5].map(f64::from)).skip(1);
    let mode = |order: [f64; 3]| {
        let sum: f64 = order.iter().zip(size).map(|(n, side)| (n / side).powi(2)).sum();
        0.5 * speed_of_sound * sum.sqrt()
    };
    let mut modes: Vec<f64> = orders.map(mode).collect();
    modes.sort_by(f64::total_cmp);
    modes.truncate(count);
    modes
}

/// The frequency of the highest level within seven thousandths, to a hundred-thousandth.
fn peak_near(level: &dyn Fn(f64) -> f64, hz: f64) -> f64 {
    let mut best = hz;
    for width in [7e-3, 7e-4, 7e-5] {
        let candidates = (-20..=20).map(|n| best * (1.0 + width * f64::from(n) / 20.0));
        best = candidates.max_by(|a, b| level(*a).total_cmp(&level(*b))).unwrap_or(best);
    }
    best
}

/// A source in the middle of a large room, and what arrives at places around it before any reflection.
struct DirectSound {
    plan: WavePlan,
    centre: DVec3,
    places: Vec<DVec3>,
    responses: Vec<Vec<f32>>,
    lead: usize,
}

const DIRECT_SOUND_RATE: u32 = 16_000;

impl DirectSound {
    fn new(
        executor: &dyn WaveExecutor,
        grid: Grid,
        points_per_wavelength: f64,
        ways: &[DVec3],
    ) -> Result<Self, CheckError> {
        let room = box_room([6.6, 6.4, 6.2], &material("open", 1.0))?;
        let settings = WaveSettings { grid, f_max_hz: 1_000.0, points_per_wavelength, length_seconds: 0.02 };
        let plan = WavePlan::new(&room, &settings)?;
        let centre = DVec3::new(3.31, 3.19, 3.07);
        let places: Vec<DVec3> = ways.iter().map(|way| centre + *way).collect();
        let microphones: Vec<Position> = places.iter().map(|&place| place.into()).collect();
        let lead = plan.lead_samples(DIRECT_SOUND_RATE);
        let responses = wave_responses_with_lead(
            &plan,
            executor,
            centre.into(),
            &microphones,
            DIRECT_SOUND_RATE,
            lead,
            &(),
        )?;
        Ok(Self { plan, centre, places, responses, lead })
    }

    /// What arrived over what theory says, at one frequency: both cut off where the first reflection may begin.
    fn ratio(&self, number: usize, hz: f64) -> Complex<f64> {
        let (rate, speed) = (f64::from(DIRECT_SOUND_RATE), self.plan.air().speed_of_sound());
        let distance = self.places[number].distance(self.centre);
        // The nearest wall is 3 m and more off the source. The reflection rings before it arrives, as all does.
        let end = self.lead + ((6.1 - distance) / speed * rate) as usize;
        let found = &self.responses[number][..end.min(self.responses[number].len())];
        let ideal = self.plan.ideal_direct_sound(distance, DIRECT_SOUND_RATE, self.lead, found.len());
        spectrum_at(found, rate, hz) / spectrum_at(&ideal, rate, hz)
    }
}

/// Amplitude of the direct sound before any reflection, over distances from 0.5 to 2.5 m in odd directions and
/// frequencies from a quarter to two thirds of the highest: 1/r, less what the air absorbs. (Higher up the grid's anisotropy
/// focuses sound along its axes, by half a decibel at the highest frequency.)
///
/// # Errors
/// What the executor says.
pub fn free_field(executor: &dyn WaveExecutor, grid: Grid) -> Result<Vec<FreeFieldLevel>, CheckError> {
    let points_per_wavelength = if grid == Grid::Fcc { 7.7 } else { 9.0 };
    let directions = [DVec3::new(1.0, 0.1, 0.2), DVec3::new(-0.5, 0.7, 0.1), DVec3::new(0.4, 0.5, -0.6)];
    let distances = [0.5, 1.0, 1.5, 2.0, 2.5];
    let ways: Vec<DVec3> =
        distances.iter().flat_map(|r| directions.map(|way| *r * way.normalize())).collect();
    let direct = DirectSound::new(executor, grid, points_per_wavelength, &ways)?;
    let mut levels = Vec::new();
    for (n, way) in ways.iter().enumerate() {
        let distance = way.length();
        for hz in [250.0, 500.0, 650.0] {
            let decibels = direct.plan.air().attenuation(hz) * distance;
            let expected = 10_f64.powf(-decibels / 20.0) / distance;
            let found = direct.ratio(n, hz).norm();
            levels.push(FreeFieldLevel { distance, hz, amplitude: Comparison { expected, found } });
        }
    }
    Ok(levels)
}

/// One figure of [`free_field`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FreeFieldLevel {
    /// From source to microphone in metres.
    pub distance: f64,
    /// Frequency in hertz.
    pub hz: f64,
    /// Amplitude relative to that at 1 m.
    pub amplitude: Comparison,
}

/// Phase velocities relative to the speed of sound at the highest frequency with six spacings per wavelength, along two
/// axes, a diagonal of a face, a diagonal of the cube and between: measured from two places on a ray, and by the
/// dispersion relation.
///
/// # Errors
/// What the executor says.
pub fn dispersion(executor: &dyn WaveExecutor, grid: Grid) -> Result<Vec<Comparison>, CheckError> {
    let directions = [
        DVec3::new(1.0, 0.0, 0.0),
        DVec3::new(0.0, 0.0, 1.0),
        DVec3::new(1.0, 1.0, 0.0),
        DVec3::new(1.0, 1.0, 1.0),
        DVec3::new(1.0, 0.5, 0.2),
    ]
    .map(DVec3::normalize);
    let distances = [1.0, 2.4];
    let ways: Vec<DVec3> = directions.iter().flat_map(|way| distances.map(|r| r * *way)).collect();
    let direct = DirectSound::new(executor, grid, 6.0, &ways)?;
    let hz = direct.plan.f_max();
    let free = 2.0 * PI * hz * (distances[1] - distances[0]) / direct.plan.air().speed_of_sound();
    let radians_per_step = 2.0 * PI * hz / direct.plan.sample_rate();
    Ok(directions
        .iter()
        .enumerate()
        .map(|(n, direction)| {
            let lag = (direct.ratio(2 * n, hz) / direct.ratio(2 * n + 1, hz)).arg();
            // Grid axes are the room's in another order, which the relation does not see.
            let kh = grid.wavenumber(radians_per_step, *direction).unwrap_or(f64::NAN);
            let expected = radians_per_step / (grid.courant_number() * kh);
            Comparison { expected, found: free / (free + lag) }
        })
        .collect())
}

/// What a wall does in an impedance tube, at one frequency.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TubeReflection {
    /// Frequency in hertz.
    pub hz: f64,
    /// Reflection factor at normal incidence: of the wall's circuit on this grid, and measured.
    pub reflection: Comparison,
    /// Absorption coefficient at random incidence: the material's, and that of the circuit.
    pub absorption: Comparison,
}

/// A plane wave in a tube of 30 m with a material at its end: reflected over incident pressure, from 63 Hz to the
/// highest frequency.
///
/// # Errors
/// What the executor says.
pub fn impedance_tube(
    executor: &dyn WaveExecutor,
    grid: Grid,
    covering: &Material,
    f_max_hz: f64,
) -> Result<Vec<TubeReflection>, CheckError> {
    let length = 30.0;
    let points_per_wavelength = if grid == Grid::Fcc { 7.7 } else { 10.5 };
    let air = Air::default();
    // On the FCC grid nodes at the tube's edges see too little of the wall: 30 % of it is lost at two spacings, 5 % at ten.
    let spacings = if grid == Grid::Fcc { 10.0 } else { 2.0 };
    let side = spacings * air.speed_of_sound() / (f_max_hz * points_per_wavelength);
    let rigid = material("rigid", 0.0);
    let wide = BoxRoom::new(
        Position::new(length, 1.0, 1.0),
        Surfaces { east: covering.clone(), ..Surfaces::uniform(&rigid) },
        air,
    )?;
    let tube = narrowed(&Room::from(&wide), DVec3::new(1.0, side, side));
    let settings = WaveSettings { grid, f_max_hz, points_per_wavelength, length_seconds: 0.14 };
    let plan = WavePlan::new(&tube, &settings)?;
    let spacing = plan.lattice().spacing();
    let planes = plan.lattice().dimensions()[0];
    let middle = planes / 2;
    let hears = middle + (7.0 / spacing) as usize;
    let signal = plan.pulse().differences().map(|value| value as f32).collect();
    let source = Excitation { probe: plane_probe(&plan, middle), signal };
    let raw = executor.run(&plan, &source, &[plane_probe(&plan, hears)], &())?;
    let rate = plan.sample_rate();
    let delay = plan.pulse().delay() as f64;
    // Half-way between the incident wave, after 7 m, and the reflected one, which ends when the far end answers.
    let wall_planes = (planes - 2) as f64 + grid.wall_distance();
    let steps_after = |ways: f64| (ways / grid.courant_number() + delay) as usize;
    let (there, back) = ((hears - middle) as f64, 2.0 * wall_planes - (hears + middle) as f64);
    let far = (middle + hears) as f64 - 1.0;
    let (split, end) = (steps_after(0.5 * (there + back)), steps_after(0.5 * (back + far)));
    let (incident, reflected) = (&raw[0][..split], &raw[0][split..end.min(raw[0].len())]);
    let time = TimeGrid { grid, dt: 1.0 / rate, f_max: f_max_hz };
    let wall = &plan.walls()[0];
    let octaves = wall.absorption.iter();
    Ok(octaves
        .map(|octave| {
            let hz = octave.centre_hz;
            let impedance = effective_impedance(&wall.branches, time, hz);
            let measured = spectrum_at(reflected, rate, hz).norm() / spectrum_at(incident, rate, hz).norm();
            TubeReflection {
                hz,
                reflection: Comparison { expected: reflection(impedance).norm(), found: measured },
                absorption: Comparison { expected: octave.wanted, found: random_absorption(impedance) },
            }
        })
        .collect())
}

/// The same room with other lengths along its axes.
fn narrowed(room: &Room, scale: DVec3) -> Room {
    let scaled = |polygon: &Polygon| Polygon {
        surface: polygon.surface,
        vertices: polygon.vertices.iter().map(|&vertex| scale * vertex).collect(),
    };
    let shell = room.shell().iter().map(scaled).collect();
    Room::from_checked_parts(room.name().to_owned(), room.surfaces().to_vec(), shell, Vec::new(), room.air())
}

/// All nodes of a plane, in equal parts.
fn plane_probe(plan: &WavePlan, plane: usize) -> Probe {
    let ends = &plan.plane_spans()[plane..plane + 2];
    let nodes: Vec<u32> = plan.spans()[ends[0] as usize..ends[1] as usize]
        .iter()
        .flat_map(|span| span.begin..span.end)
        .collect();
    let weight = 1.0 / nodes.len() as f32;
    Probe { weights: nodes.into_iter().map(|node| (node, weight)).collect() }
}

/// Energy in a rigid furnished room once the source is silent: largest and smallest over the run, relative to the
/// mean. Exactly 1 in exact arithmetic.
///
/// With p and p⁺ the pressures of two steps and m the air of a node it is Σ m (p⁺ − p)² + c₁ Σ (p⁺ₐ − p⁺ᵦ)(pₐ − pᵦ), the
/// second sum over all links.
///
/// # Errors
/// What the executor says.
pub fn energy(executor: &dyn WaveExecutor, grid: Grid) -> Result<[f64; 2], CheckError> {
    let rigid = material("rigid", 0.0);
    let boxes = [[DVec3::new(0.2, 0.1, 0.30), DVec3::new(0.7, 0.5, 0.32)]];
    let room = with_boxes(&box_room([1.0, 0.8, 0.9], &rigid)?, &boxes, &rigid);
    let settings = WaveSettings { grid, f_max_hz: 600.0, points_per_wavelength: 6.0, length_seconds: 1.5 };
    let plan = WavePlan::new(&room, &settings)?;
    let lattice = plan.lattice();
    let nodes: Vec<u32> = plan.spans().iter().flat_map(|span| span.begin..span.end).collect();
    let ears: Vec<Probe> = nodes.iter().map(|&node| Probe { weights: vec![(node, 1.0)] }).collect();
    let source = plan.point_source("source", Position::new(0.85, 0.65, 0.7))?;
    let heard = executor.run(&plan, &source, &ears, &())?;
    // Links as pairs of positions in the list of nodes; those that are cut do not count.
    let boundary = plan.boundary();
    let is_cut = |a: u32, b: u32| {
        boundary.cuts.iter().any(|cut| boundary.nodes[cut.node as usize] == a && cut.neighbour == b)
    };
    let mut links = Vec::new();
    for (n, &node) in nodes.iter().enumerate() {
        let line = node as usize / lattice.dimensions()[2];
        let [_, rows, _] = lattice.dimensions();
        let offsets = lattice.offsets(lattice.parity(line / rows, line % rows));
        for &offset in &offsets[..grid.directions().len()] {
            let there = (node as usize).wrapping_add_signed(offset) as u32;
            if let Ok(m) = nodes.binary_search(&there)
                && !is_cut(node, there)
            {
                links.push((n, m));
            }
        }
    }
    let mut masses = vec![1.0; nodes.len()];
    for (node, inverse) in boundary.nodes.iter().zip(&boundary.inverse_mass) {
        if let Ok(n) = nodes.binary_search(node) {
            masses[n] = 1.0 / f64::from(*inverse);
        }
    }
    let energy = |step: usize| {
        let at = |n: usize, step: usize| f64::from(heard[n][step]);
        let kinetic: f64 =
            (0..nodes.len()).map(|n| masses[n] * (at(n, step + 1) - at(n, step)).powi(2)).sum();
        let potential: f64 = links
            .iter()
            .map(|&(a, b)| (at(a, step + 1) - at(b, step + 1)) * (at(a, step) - at(b, step)))
            .sum();
        kinetic + grid.neighbour_weight() * potential
    };
    let energies: Vec<f64> = (source.signal.len() + 1..plan.steps() - 1).step_by(7).map(energy).collect();
    let mean = energies.iter().sum::<f64>() / energies.len() as f64;
    let fold = |f: fn(f64, f64) -> f64| energies.iter().copied().reduce(f).unwrap_or(f64::NAN) / mean;
    Ok([fold(f64::min), fold(f64::max)])
}

/// Level in decibels of what is left after 50 000 steps in a lossy furnished room, relative to the loudest. A solver
/// that is stable has nothing left but rounding.
///
/// # Errors
/// What the executor says.
pub fn stability(executor: &dyn WaveExecutor, grid: Grid) -> Result<f64, CheckError> {
    let room = furnished_room()?;
    let mut settings =
        WaveSettings { grid, f_max_hz: 250.0, points_per_wavelength: 6.0, length_seconds: 1.0 };
    let rate = WavePlan::new(&room, &settings)?.sample_rate();
    settings.length_seconds = 50_000.0 / rate;
    let plan = WavePlan::new(&room, &settings)?;
    let (microphone, place) = (Position::new(0.7, 0.6, 1.2), Position::new(2.7, 2.1, 1.5));
    let heard = &wave_responses(&plan, executor, microphone, &[place], 1_000, &())?[0];
    let peak = |samples: &[f32]| samples.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
    let left = f64::from(peak(&heard[heard.len() - 1_000..heard.len() - 100]) / peak(heard));
    Ok(20.0 * left.max(1e-30).log10())
}

/// Difference between the responses from a to b and from b to a in a furnished room, in decibels relative to their
/// energy.
///
/// # Errors
/// What the executor says.
pub fn reciprocity(executor: &dyn WaveExecutor, grid: Grid) -> Result<f64, CheckError> {
    let room = furnished_room()?;
    let settings = WaveSettings { grid, f_max_hz: 700.0, points_per_wavelength: 6.0, length_seconds: 0.2 };
    let plan = WavePlan::new(&room, &settings)?;
    let (a, b) = (Position::new(0.63, 0.48, 1.21), Position::new(2.71, 2.1, 0.83));
    let there = &wave_responses(&plan, executor, a, &[b], 16_000, &())?[0];
    let back = &wave_responses(&plan, executor, b, &[a], 16_000, &())?[0];
    let power = |samples: &mut dyn Iterator<Item = f64>| samples.map(|s| s * s).sum::<f64>();
    let difference = power(&mut there.iter().zip(back).map(|(x, y)| f64::from(x - y)));
    Ok(10.0 * (difference / power(&mut there.iter().map(|&s| f64::from(s)))).max(1e-30).log10())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wave::CpuExecutor;

    const GRIDS: [Grid; 2] = [Grid::Fcc, Grid::Cartesian];

    #[test]
    fn a_rigid_box_sounds_at_its_modes() {
        for grid in GRIDS {
            for mode in rigid_box_modes(&CpuExecutor::new(), grid).unwrap() {
                println!("{grid:?} {mode:?} {:.4} %", 100.0 * mode.relative_error());
                assert!(mode.relative_error().abs() < 0.005, "{grid:?}: {mode:?}");
            }
        }
    }

    #[test]
    fn the_free_field_is_one_over_r() {
        for grid in GRIDS {
            for level in free_field(&CpuExecutor::new(), grid).unwrap() {
                println!("{grid:?} {level:?} {:.3} dB", level.amplitude.level_error());
                assert!(level.amplitude.level_error().abs() < 0.25, "{grid:?}: {level:?}");
            }
        }
    }

    #[test]
    fn waves_travel_as_fast_as_the_dispersion_relation_says() {
        for grid in GRIDS {
            for speed in dispersion(&CpuExecutor::new(), grid).unwrap() {
                println!("{grid:?} {speed:?} {:.4} %", 100.0 * speed.relative_error());
                assert!(speed.relative_error().abs() < 0.002, "{grid:?}: {speed:?}");
            }
        }
    }

    #[test]
    fn walls_reflect_what_their_circuits_say() {
        for grid in GRIDS {
            for name in [["carpet", "rendered-brickwork"], ["plasterboard", "curtain"]]
                [usize::from(grid == Grid::Fcc)]
            {
                let covering = Material::named(name).unwrap();
                for tube in impedance_tube(&CpuExecutor::new(), grid, &covering, 1_400.0).unwrap() {
                    println!("{grid:?} {name} {tube:?} {:.3} dB", tube.reflection.level_error());
                    assert!(tube.reflection.level_error().abs() < 1.0, "{grid:?} {name}: {tube:?}");
                }
            }
        }
    }

    #[test]
    fn rigid_rooms_keep_their_energy() {
        for grid in GRIDS {
            let [low, high] = energy(&CpuExecutor::new(), grid).unwrap();
            println!("{grid:?} {low} {high}");
            assert!(low > 1.0 - 1e-3 && high < 1.0 + 1e-3, "{grid:?}: {low} {high}");
        }
    }

    #[test]
    fn fifty_thousand_steps_leave_nothing() {
        for grid in GRIDS {
            let left = stability(&CpuExecutor::new(), grid).unwrap();
            println!("{grid:?} {left} dB");
            assert!(left < -80.0, "{grid:?}: {left} dB");
        }
    }

    #[test]
    fn source_and_microphone_may_be_exchanged() {
        for grid in GRIDS {
            let difference = reciprocity(&CpuExecutor::new(), grid).unwrap();
            println!("{grid:?} {difference} dB");
            assert!(difference < -80.0, "{grid:?}: {difference} dB");
        }
    }
}
