//! What the grid does to all waves alike, undone.
//!
//! On a grid waves of a frequency are shorter than in air, nearly the same in all directions, and a point source is
//! louder. Both belong to the wavenumber: where the air has the field of wavenumber k at the frequency ck / 2π, the grid
//! has it at a lower one, times a gain. So the spectrum of the air is that of the grid, read at other frequencies
//! (frequency warping; Savioja and Välimäki, IEEE Trans. Speech Audio Process. 8, 2000). Delays, modes, decays and
//! levels are set right at once, but for what differs between directions.
//!
//! The gain: from (4/dt² sin²(ω dt/2) − c² κ²(k)) P = −4π c² S with the grid's Laplacian κ² the far field has the
//! amplitude 2k / (dκ²/dk) over distance, which by the dispersion relation is k c² dt / (sin(ω dt) dω/dk); in air it is 1.

use std::{f64::consts::TAU, sync::Arc};

use glam::DVec3;
use realfft::{RealFftPlanner, RealToComplex, num_complex::Complex};

use crate::wave::WavePlan;

/// Entries of the table of warped frequencies.
const ENTRIES: usize = 48;
/// How many times longer than the response the transform is that is read between its bins.
const OVERSAMPLING: usize = 4;
/// Bins on either side of the frequency that is read.
const REACH: usize = 8;
/// Width of the Gaussian that ends the sinc between bins, in bins: with this oversampling it errs by less than -75 dB.
const WIDTH: f64 = 2.3;
/// Why a transform cannot fail: it does so only on buffers of a wrong length.
const MADE_BY_PLAN: &str = "the plan itself made these buffers";

/// The grid's waves at one frequency of the air, as factors that change little over frequency.
#[derive(Debug, Clone, Copy)]
struct Warp {
    /// Frequency on the grid over that in air.
    ratio: f64,
    /// Amplitude of a point source on the grid.
    gain: f64,
}

/// Reads responses of a plan as those of air.
pub(super) struct Dispersion {
    forward: Arc<dyn RealToComplex<f64>>,
    /// Samples of a response, those before the moment of emission included.
    count: usize,
    lead: usize,
    sample_rate: f64,
    /// Warps at equal steps of frequency from 0.
    table: Vec<Warp>,
    step_hz: f64,
}

impl Dispersion {
    /// For responses of `count` samples after the moment of emission and `lead` before.
    pub(super) fn new(plan: &WavePlan, sample_rate: u32, lead: usize, count: usize) -> Self {
        let count = count + lead;
        let size = (OVERSAMPLING * count).next_power_of_two();
        // Up to the top of the plan's band in air the frequencies on the grid are lower.
        let step_hz = plan.f_max() / (ENTRIES - 1) as f64;
        Self {
            forward: RealFftPlanner::new().plan_fft_forward(size),
            count,
            lead,
            sample_rate: f64::from(sample_rate),
            table: (0..ENTRIES).map(|entry| warp(plan, entry as f64 * step_hz)).collect(),
            step_hz,
        }
    }

    /// Spectrum of a response at frequencies in hertz up to the plan's highest, time counted from the moment of
    /// emission.
    pub(super) fn spectrum(
        &self,
        response: &[f32],
        frequencies: impl Iterator<Item = f64>,
    ) -> Vec<Complex<f64>> {
        let mut buffer = self.forward.make_input_vec();
        for (to, from) in buffer.iter_mut().zip(response.iter().take(self.count)) {
            *to = f64::from(*from);
        }
        let mut spectrum = self.forward.make_output_vec();
        self.forward.process(&mut buffer, &mut spectrum).expect(MADE_BY_PLAN);
        // Between bins a spectrum is smooth when time is counted from the middle of the response.
        let size = self.forward.len() as f64;
        let middle = 0.5 * self.count as f64;
        for (bin, value) in spectrum.iter_mut().enumerate() {
            *value *= Complex::cis(TAU * bin as f64 * middle / size);
        }
        frequencies
            .map(|hz| {
                let Warp { ratio, gain } = self.at(hz);
                let on_grid = hz * ratio;
                let place = on_grid / self.sample_rate * size;
                // The frequency of the grid has become that of the air, and so has its phase.
                let turn = Complex::cis(-TAU * on_grid / self.sample_rate * (middle - self.lead as f64));
                between(&spectrum, place) * turn / gain
            })
            .collect()
    }

    fn at(&self, hz: f64) -> Warp {
        let place = (hz / self.step_hz).clamp(0.0, (ENTRIES - 1) as f64);
        let entry = (place as usize).min(ENTRIES - 2);
        let (below, above, share) = (self.table[entry], self.table[entry + 1], place - entry as f64);
        let mix = |a: f64, b: f64| a + share * (b - a);
        Warp { ratio: mix(below.ratio, above.ratio), gain: mix(below.gain, above.gain) }
    }
}

/// A spectrum between its bins; those below 0 Hz are the conjugates of those above.
fn between(spectrum: &[Complex<f64>], place: f64) -> Complex<f64> {
    let first = place.floor() as isize + 1 - REACH as isize;
    (first..first + 2 * REACH as isize)
        .map(|bin| {
            let distance = place - bin as f64;
            let weight = sinc(distance) * (-0.5 * (distance / WIDTH).powi(2)).exp();
            let value = spectrum.get(bin.unsigned_abs()).copied().unwrap_or_default();
            weight * if bin < 0 { value.conj() } else { value }
        })
        .sum()
}

fn sinc(x: f64) -> f64 {
    let x = std::f64::consts::PI * x;
    if x.abs() < 1e-9 { 1.0 } else { x.sin() / x }
}

/// What the grid makes of the waves that in air have this frequency, the mean over directions.
fn warp(plan: &WavePlan, hz: f64) -> Warp {
    let (speed, dt) = (plan.air().speed_of_sound(), 1.0 / plan.sample_rate());
    let (grid, spacing) = (plan.lattice().grid, plan.lattice().spacing);
    if hz <= 0.0 {
        return Warp { ratio: 1.0, gain: 1.0 };
    }
    // The mean wavenumber on the grid in 1/m at an angular frequency.
    let wavenumber = |omega: f64| {
        let all = directions().filter_map(|direction| grid.wavenumber(omega * dt, direction));
        let (sum, count) = all.fold((0.0, 0.0), |(sum, count), kh| (sum + kh / spacing, count + 1.0));
        sum / count
    };
    let wanted = TAU * hz / speed;
    let mut omega = TAU * hz;
    for _ in 0..20 {
        omega *= wanted / wavenumber(omega);
    }
    let delta = 1e-3 * omega;
    let group_velocity = 2.0 * delta / (wavenumber(omega + delta) - wavenumber(omega - delta));
    Warp {
        ratio: omega / (TAU * hz),
        gain: wanted * speed * speed * dt / ((omega * dt).sin() * group_velocity),
    }
}

/// Directions spread over the sphere; the grids have the symmetry of a cube, so an eighth is enough.
fn directions() -> impl Iterator<Item = DVec3> {
    const ROWS: i32 = 6;
    let cell = |n: i32| (f64::from(n) + 0.5) / f64::from(ROWS);
    (0..ROWS).flat_map(move |row| {
        (0..ROWS).map(move |column| {
            let height = cell(row);
            let (sin, cos) = (std::f64::consts::FRAC_PI_2 * cell(column)).sin_cos();
            let across = (1.0 - height * height).sqrt();
            DVec3::new(across * cos, across * sin, height)
        })
    })
}
