//! Walls as electrical circuits: absorption coefficients to admittances that can be stepped in time.
//!
//! A surface reacts locally: its normal velocity follows from the pressure on it by an admittance, here a sum of
//! branches in parallel, each a resistance, an inertance and an elastance in series. All values are positive, so the
//! surface can only take energy away, whatever the fit (Bilbao, Hamilton, Botts and Savioja, IEEE/ACM Trans.
//! Audio Speech Lang. Process. 24, 2016).

use realfft::num_complex::Complex;

use super::grid::Grid;
use crate::{
    band::{OCTAVES, Octaves},
    material::Material,
};

/// The largest absorption coefficient at random incidence that a locally reacting surface can have (Paris' formula
/// with a real impedance of 1.57).
pub const MAX_RANDOM_ABSORPTION: f64 = 0.951;
/// Normalised impedance at which that is.
const IMPEDANCE_OF_MAX: f64 = 1.567;
/// Absorption coefficients below this are taken for this: a surface of the solver with branches absorbs something.
const MIN_ABSORPTION: f64 = 1e-4;
/// Branches of a fit.
pub(crate) const BRANCHES: usize = 4;

/// One branch of an admittance, relative to the characteristic impedance of air: z(s) = r + s l + e / s.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Branch {
    /// r, without unit.
    pub resistance: f64,
    /// l in seconds.
    pub inertance: f64,
    /// e in 1/s.
    pub elastance: f64,
}

/// What a branch does in a step. With p⁺ and p⁻ the pressures after and before:
/// w⁺ = `drive` (p⁺ − p⁻) + `hold` w − `restore` v; v⁺ = v + (w⁺ + w) / 2. The velocity into the wall times ρ c is v.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BranchStep {
    /// Above 0.
    pub drive: f32,
    /// Between −1 and 1.
    pub hold: f32,
    /// At least 0.
    pub restore: f32,
}

impl Branch {
    /// The trapezoidal rule at a step of `dt` seconds.
    pub(crate) fn step(&self, dt: f64) -> BranchStep {
        let (inertia, loss, stiffness) =
            (self.inertance / dt, 0.5 * self.resistance, 0.25 * self.elastance * dt);
        let b = 1.0 / (inertia + loss + stiffness);
        BranchStep {
            drive: (0.5 * b) as f32,
            hold: (b * (inertia - loss - stiffness)) as f32,
            restore: (4.0 * stiffness * b) as f32,
        }
    }

    fn admittance(&self, omega: f64) -> Complex<f64> {
        Complex::new(self.resistance, omega * self.inertance - self.elastance / omega).inv()
    }
}

/// A wall of the wave solver.
#[derive(Debug, Clone, PartialEq)]
pub struct Wall {
    /// Name of the material.
    pub material: String,
    /// What it is made of.
    pub branches: Vec<Branch>,
    /// The same for one time step.
    pub steps: Vec<BranchStep>,
    /// By octave: absorption at random incidence that was asked for, and that the branches give. `None` above
    /// the highest frequency of the plan.
    pub absorption: Vec<FittedAbsorption>,
}

/// How well a fit meets one octave.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct FittedAbsorption {
    /// Centre of the octave in hertz.
    pub centre_hz: f64,
    /// The material's absorption coefficient.
    pub wanted: f64,
    /// That of the branches on this grid.
    pub fitted: f64,
}

/// What a fit must know of the plan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimeGrid {
    pub grid: Grid,
    /// Seconds in a step.
    pub dt: f64,
    /// Highest frequency of the plan in hertz.
    pub f_max: f64,
}

impl Wall {
    /// `None` for a rigid material: one that absorbs nothing in any octave.
    pub(crate) fn new(material: &Material, time: TimeGrid) -> Option<Self> {
        let absorption = material.absorption();
        if absorption.iter().all(|a| *a <= 0.0) {
            return None;
        }
        let branches =
            if absorption.iter().all(|a| *a >= 1.0) { vec![open(time)] } else { fit(absorption, time) };
        let octaves = OCTAVES.into_iter().zip(absorption).filter(|(hz, _)| *hz <= time.f_max);
        let absorption = octaves
            .map(|(centre_hz, &wanted)| FittedAbsorption {
                centre_hz,
                wanted,
                fitted: random_absorption(effective_impedance(&branches, time, centre_hz)),
            })
            .collect();
        let steps = branches.iter().map(|branch| branch.step(time.dt)).collect();
        Some(Self { material: material.name().to_owned(), branches, steps, absorption })
    }

    /// Largest error of the fit over the octaves of the plan, as a difference of absorption coefficients. Coefficients
    /// above [`MAX_RANDOM_ABSORPTION`] count as that.
    pub fn fit_error(&self) -> f64 {
        let error =
            |octave: &FittedAbsorption| (octave.wanted.min(MAX_RANDOM_ABSORPTION) - octave.fitted).abs();
        self.absorption.iter().map(error).fold(0.0, f64::max)
    }
}

/// An opening: the impedance of air, first-order absorbing. The inertance makes up for the air between the last node and
/// the wall.
fn open(time: TimeGrid) -> Branch {
    let inertance = time.grid.wall_distance() * time.dt / time.grid.courant_number();
    Branch { resistance: 1.0, inertance, elastance: 0.0 }
}

/// Normalised impedance that a plane wave at normal incidence along an axis of the grid meets, from inserting the wave
/// and its reflection into the scheme. With y the admittance of the branches by the trapezoidal rule, m the mass of the
/// last node, ωT the angle per step and kh that per spacing, that node shows the admittance
/// (y cos ωT/2 + j (2m − 1) sin kh/2) / cos kh/2; the wall is m − 1/2 spacings behind it.
pub(crate) fn effective_impedance(branches: &[Branch], time: TimeGrid, hz: f64) -> Complex<f64> {
    let half_step = std::f64::consts::PI * hz * time.dt;
    let half_spacing = (half_step.sin() / time.grid.courant_number()).min(1.0).asin();
    let warped = 2.0 / time.dt * half_step.tan();
    let admittance: Complex<f64> = branches.iter().map(|branch| branch.admittance(warped)).sum();
    let behind = time.grid.wall_distance();
    let at_node = (admittance * half_step.cos() + Complex::new(0.0, 2.0 * behind * half_spacing.sin()))
        / half_spacing.cos();
    let reflected = (1.0 - at_node) / (1.0 + at_node) * Complex::cis(4.0 * behind * half_spacing);
    (1.0 + reflected) / (1.0 - reflected)
}

/// Reflection factor at normal incidence of that impedance.
pub(crate) fn reflection(impedance: Complex<f64>) -> Complex<f64> {
    (impedance - 1.0) / (impedance + 1.0)
}

/// Absorption coefficient at random incidence of a locally reacting surface with a normalised impedance: Paris' formula
/// (Kuttruff, Room Acoustics, equation 2.53).
pub fn random_absorption(impedance: Complex<f64>) -> f64 {
    let (size, phase) = (impedance.norm(), impedance.arg());
    let (sine, cosine) = (phase.sin(), phase.cos());
    let angle = if sine.abs() < 1e-6 {
        // The limit of a real impedance.
        1.0 / (1.0 + size)
    } else {
        (2.0 * phase).cos() / (size * sine) * (size * sine / (1.0 + size * cosine)).atan()
    };
    8.0 * cosine / size * (1.0 + angle - cosine / size * (1.0 + 2.0 * size * cosine + size * size).ln())
}

/// The larger of the two real normalised impedances with an absorption coefficient at random incidence.
pub(crate) fn real_impedance(absorption: f64) -> f64 {
    let absorption = absorption.clamp(MIN_ABSORPTION, MAX_RANDOM_ABSORPTION);
    let (mut low, mut high) = (IMPEDANCE_OF_MAX, 1e6);
    for _ in 0..100 {
        let middle = f64::sqrt(low * high);
        if random_absorption(Complex::new(middle, 0.0)) > absorption { low = middle } else { high = middle }
    }
    low
}

/// Absorption between octaves: powers of frequency, level beyond the ends.
fn between_octaves(absorption: &Octaves, hz: f64) -> f64 {
    let place = (hz / OCTAVES[0]).log2().clamp(0.0, (OCTAVES.len() - 1) as f64);
    let lower = (place as usize).min(OCTAVES.len() - 2);
    let share = place - lower as f64;
    let [low, high] = [absorption[lower], absorption[lower + 1]].map(|a| a.max(MIN_ABSORPTION));
    low * (high / low).powf(share)
}

/// Parameters of all branches as logarithms: resistance, inertance, elastance of each.
type Parameters = [f64; 3 * BRANCHES];

fn branches_of(parameters: &Parameters) -> Vec<Branch> {
    let branch = |p: &[f64]| Branch { resistance: p[0].exp(), inertance: p[1].exp(), elastance: p[2].exp() };
    parameters.chunks_exact(3).map(branch).collect()
}

/// Fits branches to absorption at random incidence, by Levenberg and Marquardt's method over the logarithms of their
/// values, from resonances spread over the spectrum.
fn fit(absorption: &Octaves, time: TimeGrid) -> Vec<Branch> {
    let (low, high) = (50.0, 1.2 * time.f_max.max(100.0));
    let count = 6 * (high / low).log2().ceil() as usize;
    let targets: Vec<(f64, f64)> = (0..=count)
        .map(|n| low * (high / low).powf(n as f64 / count as f64))
        .map(|hz| (hz, between_octaves(absorption, hz).clamp(MIN_ABSORPTION, MAX_RANDOM_ABSORPTION)))
        .collect();
    let middle = start_of_fit(absorption, time, 0.7, 2.0);
    let residuals = |parameters: &Parameters| -> Vec<f64> {
        let branches = branches_of(parameters);
        // Errors relative to the absorption, since that is what decay times go by, most of all at the centres of octaves,
        // where it was measured; and a slight pull that keeps branches which nothing asks for from running away.
        let misfit = targets.iter().map(|&(hz, wanted)| {
            let found = random_absorption(effective_impedance(&branches, time, hz));
            (found - wanted) / (wanted + 0.01)
        });
        let octaves = OCTAVES.into_iter().zip(absorption).filter(|(hz, _)| *hz <= time.f_max);
        let at_octaves = octaves.map(|(hz, &wanted)| {
            let wanted = wanted.clamp(MIN_ABSORPTION, MAX_RANDOM_ABSORPTION);
            let found = random_absorption(effective_impedance(&branches, time, hz));
            6.0 * (found - wanted) / (wanted + 0.01)
        });
        let pull = parameters.iter().zip(&middle).map(|(here, there)| 0.002 * (here - there));
        misfit.chain(at_octaves).chain(pull).collect()
    };
    // The sum of squares has several minima: broad and narrow resonances, weak and strong ones. Absorption that rises
    // steeply, as that of a curtain before a wall, is met only from narrow ones.
    let starts = [(0.4, 2.0), (0.7, 2.0), (1.5, 1.5), (3.0, 1.0), (6.0, 1.0)];
    let fits = starts.map(|(quality, strength)| {
        levenberg_marquardt(start_of_fit(absorption, time, quality, strength), &residuals)
    });
    let cost = |parameters: &Parameters| residuals(parameters).iter().map(|r| r * r).sum::<f64>();
    let best = fits.into_iter().min_by(|a, b| cost(a).total_cmp(&cost(b))).unwrap_or(middle);
    branches_of(&best)
}

/// Resonances spread over the spectrum. `resistance` is relative to that which would give the absorption alone.
fn start_of_fit(absorption: &Octaves, time: TimeGrid, quality: f64, resistance: f64) -> Parameters {
    let (low, high) = (80.0_f64, 0.8 * time.f_max.max(200.0));
    let mut start = [0.0; 3 * BRANCHES];
    for (n, branch) in start.chunks_exact_mut(3).enumerate() {
        let hz = low * (high / low).powf(n as f64 / (BRANCHES - 1) as f64);
        let omega = 2.0 * std::f64::consts::PI * hz;
        let resistance = resistance * real_impedance(between_octaves(absorption, hz));
        let inertance = quality * resistance / omega;
        branch.copy_from_slice(&[resistance.ln(), inertance.ln(), (inertance * omega * omega).ln()]);
    }
    start
}

fn levenberg_marquardt(start: Parameters, residuals: &dyn Fn(&Parameters) -> Vec<f64>) -> Parameters {
    const STEP: f64 = 1e-5;
    let cost = |values: &[f64]| values.iter().map(|r| r * r).sum::<f64>();
    let (mut at, mut here) = (start, residuals(&start));
    let mut damping = 1e-2;
    for _ in 0..120 {
        let columns: [Vec<f64>; 3 * BRANCHES] = std::array::from_fn(|n| {
            let mut moved = at;
            moved[n] += STEP;
            residuals(&moved).iter().zip(&here).map(|(there, here)| (there - here) / STEP).collect()
        });
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let normal: Vec<Vec<f64>> =
            columns.iter().map(|a| columns.iter().map(|b| dot(a, b)).collect()).collect();
        let gradient: Vec<f64> = columns.iter().map(|column| dot(column, &here)).collect();
        let before = cost(&here);
        // More damping until the step helps.
        let accepted = (0..12).find_map(|_| {
            let mut damped = normal.clone();
            for (n, row) in damped.iter_mut().enumerate() {
                row[n] += damping * (row[n] + 1e-6);
            }
            let step = super::linear::solve_positive(damped, &gradient)?;
            let mut next = at;
            for (value, change) in next.iter_mut().zip(&step) {
                *value -= change.clamp(-1.0, 1.0);
            }
            let there = residuals(&next);
            let better = cost(&there) < before;
            damping *= if better { 0.3 } else { 4.0 };
            better.then_some((next, there))
        });
        let Some((next, there)) = accepted else { break };
        let gained = before - cost(&there);
        (at, here) = (next, there);
        if gained < 1e-9 * before {
            break;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{band::BAND_COUNT, material::materials};

    fn time(f_max: f64) -> TimeGrid {
        TimeGrid { grid: Grid::Fcc, dt: 1.0 / (7.7 * f_max), f_max }
    }

    /// Paris' integral by Simpson's rule: 2 ∫ α(θ) cos θ sin θ dθ with α = 1 − |(z cos θ − 1) / (z cos θ + 1)|².
    fn by_quadrature(impedance: Complex<f64>) -> f64 {
        let steps = 20_000;
        let term = |n: i32| {
            let mu = f64::from(n) / f64::from(steps);
            let absorption = 1.0 - ((impedance * mu - 1.0) / (impedance * mu + 1.0)).norm_sqr();
            let weight = if n == 0 || n == steps { 1.0 } else { f64::from(2 + 2 * (n % 2)) };
            2.0 * mu * absorption * weight
        };
        (0..=steps).map(term).sum::<f64>() / f64::from(3 * steps)
    }

    #[test]
    fn the_closed_form_of_paris_is_the_integral() {
        for (re, im) in
            [(1.0, 0.0), (1.567, 0.0), (40.0, 0.0), (3.0, 2.0), (0.5, -1.5), (20.0, 60.0), (0.1, 4.0)]
        {
            let impedance = Complex::new(re, im);
            let (closed, integral) = (random_absorption(impedance), by_quadrature(impedance));
            assert!((closed - integral).abs() < 1e-7, "{impedance}: {closed} against {integral}");
        }
    }

    #[test]
    fn a_real_impedance_gives_back_its_absorption_up_to_the_limit_of_local_reaction() {
        for absorption in [0.01, 0.1, 0.5, 0.9, 0.95] {
            let found = random_absorption(Complex::new(real_impedance(absorption), 0.0));
            assert!((found - absorption).abs() < 1e-6);
        }
        assert!((random_absorption(Complex::new(IMPEDANCE_OF_MAX, 0.0)) - 0.951).abs() < 5e-4);
    }

    #[test]
    fn every_material_of_the_library_is_met_within_an_eighth_of_its_absorption() {
        for f_max in [700.0, 1_400.0, 4_000.0] {
            for material in materials() {
                let wall = Wall::new(material, time(f_max)).unwrap();
                for octave in &wall.absorption {
                    let wanted = octave.wanted.min(MAX_RANDOM_ABSORPTION);
                    let error = (octave.fitted - wanted).abs();
                    assert!(error < 0.01 + 0.125 * wanted, "{} to {f_max} Hz: {octave:?}", material.name());
                }
            }
        }
    }

    #[test]
    fn walls_can_only_take_energy() {
        for material in materials() {
            for branch in Wall::new(material, time(1_400.0)).unwrap().branches {
                assert!(branch.resistance > 0.0 && branch.inertance >= 0.0 && branch.elastance >= 0.0);
            }
        }
    }

    #[test]
    fn nothing_absorbed_is_rigid_and_all_absorbed_is_open() {
        let rigid = Material::new("rigid", [0.0; BAND_COUNT]).unwrap();
        assert_eq!(Wall::new(&rigid, time(1_000.0)), None);
        let open = Material::new("open", [1.0; BAND_COUNT]).unwrap();
        let wall = Wall::new(&open, time(1_000.0)).unwrap();
        let reflected = reflection(effective_impedance(&wall.branches, time(1_000.0), 1_000.0)).norm();
        assert!(reflected < 0.1, "{reflected}");
    }
}
