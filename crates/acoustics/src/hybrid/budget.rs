//! How high the waves reach: what the ear would like, and what the work allows.

use super::{HybridError, HybridSettings};
use crate::{geometry::Room, wave::WaveSettings};

/// The lowest top of the waves, in hertz.
pub(super) const LEAST_TOP: f64 = 100.0;
/// The crossover lies this many times above the Schroeder frequency, if it may.
const ABOVE_SCHROEDER: f64 = 3.0;
/// Tops are multiples of this, in hertz, rounded down.
const STEP: f64 = 10.0;

/// Below it single modes stand out: 2 000 √(T / V), with the mean Eyring time of 500 Hz and 1 kHz.
pub(super) fn schroeder_frequency(room: &Room) -> f64 {
    let times = room.eyring_time();
    2_000.0 * (0.5 * (times[3] + times[4]) / room.volume()).sqrt()
}

/// When a response has become noise, in seconds after the direct sound: 20 ms/m V/S + 12 ms, the time after which
/// half the listeners hear no difference (Lindau, Kosanke and Weinzierl, J. Audio Eng. Soc. 60, 2012).
pub(super) fn mixing_time(room: &Room) -> f64 {
    0.020 * room.volume() / room.surface_area() + 0.012
}

/// The settings of the wave part.
///
/// # Errors
/// [`HybridError::Budget`] when not even the lowest top can be had.
pub(super) fn wave_settings(
    room: &Room,
    settings: &HybridSettings,
    schroeder_hz: f64,
    seconds: f64,
) -> Result<WaveSettings, HybridError> {
    let at = |f_max_hz| WaveSettings {
        grid: settings.grid,
        f_max_hz,
        points_per_wavelength: settings.points_per_wavelength,
        length_seconds: seconds,
    };
    let most = 0.4 * f64::from(settings.sample_rate);
    let wanted = settings.f_max_hz.max(std::f64::consts::SQRT_2 * ABOVE_SCHROEDER * schroeder_hz).min(most);
    let budget = settings.work_budget_updates as f64;
    // The work grows with the fourth power of the frequency.
    let affordable = wanted * (budget / at(wanted).estimated_updates(room)).powf(0.25);
    if affordable < LEAST_TOP {
        return Err(HybridError::Budget {
            least_hz: LEAST_TOP,
            needed: at(LEAST_TOP).estimated_updates(room),
        });
    }
    let top = wanted.min(affordable);
    Ok(at((top / STEP).floor() * STEP))
}
