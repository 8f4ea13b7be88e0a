//! What the grid does to all waves alike, undone.
//!
//! On a grid waves of a frequency are shorter than in air, by nearly the same share in all directions: where the air has
//! the field of wavenumber k at the frequency ck / 2π, the grid has it at a lower one. So the spectrum of the air is that
//! of the grid, read at other frequencies (frequency warping; Savioja and Välimäki, IEEE Trans. Speech Audio Process. 8,
//! 2000). Delays, modes and decays are set right at once, but for what differs between directions. (That a source is
//! louder on a grid belongs to the wavenumber, too, and is taken back where the source is made.)

use std::{f64::consts::TAU, sync::Arc};

use glam::DVec3;
use realfft::{RealFftPlanner, RealToComplex, num_complex::Complex};

use crate::wave::WavePlan;

/// Entries of the table of warped frequencies.
const ENTRIES: usize = 48;
/// How many times longer than the response the transform is that is read between its bins.
const OVERSAMPLING: usize = 4;
/// Bins on either side of the frequency that is read.
const REACH: isize = 8;
/// Width of the Gaussian that ends the sinc between bins, in bins: with this oversampling it errs by less than -75 dB.
const WIDTH: f64 = 2.3;
/// Why a transform cannot fail: it does so only on buffers of a wrong length.
const MADE_BY_PLAN: &str = "the plan itself made these buffers";

/// Reads responses of a plan as those of air.
pub(super) struct Dispersion {
    forward: Arc<dyn RealToComplex<f64>>,
    /// Samples of a response, those before the moment of emission included.
    count: usize,
    lead: usize,
    sample_rate: f64,
    /// Frequency on the grid over that in air, at equal steps of the latter from 0.
    ratios: Vec<f64>,
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
            ratios: (0..ENTRIES).map(|entry| ratio(plan, entry as f64 * step_hz)).collect(),
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
                let on_grid = hz * self.ratio(hz);
                let place = on_grid / self.sample_rate * size;
                // The frequency of the grid has become that of the air, and so has its phase.
                let turn = Complex::cis(-TAU * on_grid / self.sample_rate * (middle - self.lead as f64));
                between(&spectrum, place) * turn
            })
            .collect()
    }

    fn ratio(&self, hz: f64) -> f64 {
        let place = (hz / self.step_hz).clamp(0.0, (ENTRIES - 1) as f64);
        let entry = (place as usize).min(ENTRIES - 2);
        let share = place - entry as f64;
        self.ratios[entry] + share * (self.ratios[entry + 1] - self.ratios[entry])
    }
}

/// A spectrum between its bins; those below 0 Hz are the conjugates of those above.
fn between(spectrum: &[Complex<f64>], place: f64) -> Complex<f64> {
    let first = place.floor() as isize + 1 - REACH;
    (first..first + 2 * REACH)
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

/// At which share of a frequency the grid has the waves that air has at it, the mean over directions.
fn ratio(plan: &WavePlan, hz: f64) -> f64 {
    if hz <= 0.0 {
        return 1.0;
    }
    let (speed, rate) = (plan.air().speed_of_sound(), plan.sample_rate());
    let (grid, spacing) = (plan.lattice().grid, plan.lattice().spacing);
    let wavenumber = |omega: f64| {
        let all = directions().filter_map(|direction| grid.wavenumber(omega / rate, direction));
        let (sum, count) = all.fold((0.0, 0.0), |(sum, count), kh| (sum + kh / spacing, count + 1.0));
        sum / count
    };
    let wanted = TAU * hz / speed;
    // The ratio of the two changes slowly, so that a few corrections suffice.
    let omega = (0..20).fold(TAU * hz, |omega, _| omega * wanted / wavenumber(omega));
    omega / (TAU * hz)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Air, BoxRoom, Material, Position, Room, Surfaces,
        wave::{WavePlan, WaveSettings},
    };

    #[test]
    fn a_pulse_that_the_grid_made_late_by_its_dispersion_becomes_one_on_time() {
        let surfaces = Surfaces::uniform(&Material::named("carpet").unwrap());
        let room = BoxRoom::new(Position::new(3.0, 2.5, 2.2), surfaces, Air::default()).unwrap();
        let plan = WavePlan::new(&Room::from(&room), &WaveSettings::default()).unwrap();
        let (rate, lead, delay) = (16_000, 100, 0.04);
        let air = Dispersion::new(&plan, rate, lead, 3_000);
        // Inverse transform of exp(-j k(f) c t) up to 1.2 kHz, faded out from 0.9 kHz on.
        let response: Vec<f32> = (0..3_100)
            .map(|n| {
                let time = (f64::from(n) - lead as f64) / f64::from(rate);
                (1..1_200)
                    .map(|hz| {
                        let hz = f64::from(hz);
                        let fade =
                            (std::f64::consts::FRAC_PI_2 * ((hz - 900.0) / 300.0).clamp(0.0, 1.0)).cos();
                        fade * (TAU * hz * (time - delay / air.ratio(hz))).cos() / f64::from(rate)
                    })
                    .sum::<f64>() as f32
            })
            .collect();
        for hz in [100.0, 300.5, 600.2, 850.0] {
            let found = air.spectrum(&response, std::iter::once(hz))[0];
            let expected = 0.5 * Complex::cis(-TAU * hz * delay);
            assert!((found - expected).norm() < 0.01, "{hz} Hz: {found}, expected {expected}");
        }
    }
}
