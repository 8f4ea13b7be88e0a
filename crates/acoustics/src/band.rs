//! The octave bands in which everything frequency-dependent is stated.

/// Number of octave bands.
pub const BAND_COUNT: usize = 8;

/// One value for each band of [`OCTAVES`].
pub type Octaves = [f64; BAND_COUNT];

/// Centres of the octave bands in hertz (IEC 61260-1, base two); the lowest is known as 63 Hz.
pub const OCTAVES: Octaves = [62.5, 125.0, 250.0, 500.0, 1_000.0, 2_000.0, 4_000.0, 8_000.0];

/// Nominal name of an octave, such as `63 Hz` or `2 kHz`, by its index.
pub fn octave_name(band: usize) -> String {
    match OCTAVES[band] {
        // The lowest is centred at 62.5 Hz.
        hz if hz < 1_000.0 => format!("{:.0} Hz", hz.ceil()),
        hz => format!("{} kHz", hz / 1_000.0),
    }
}

/// Which two bands make up a frequency: the lower one, its weight, and the rest for the band above it.
///
/// The weights are raised cosines over two octaves around each centre. At a centre only that band counts,
/// and the outermost bands reach to 0 Hz and to infinity. Since the two weights sum to one, bands that
/// carry the same signal add up to it.
pub(crate) fn crossfade(hz: f64) -> (usize, f64) {
    let place = (hz / OCTAVES[0]).log2().clamp(0.0, (BAND_COUNT - 1) as f64);
    let lower = (place as usize).min(BAND_COUNT - 2);
    let weight = (std::f64::consts::FRAC_PI_2 * (place - lower as f64)).cos().powi(2);
    (lower, weight)
}

/// Power gain of the octave filter at `centre`: a Butterworth band-pass of third order, the textbook
/// filter of class 1 (IEC 61260-1).
pub(crate) fn octave_filter_power(centre: f64, hz: f64) -> f64 {
    if hz <= 0.0 {
        return 0.0;
    }
    let detuning = (hz / centre - centre / hz) / std::f64::consts::FRAC_1_SQRT_2;
    1.0 / (1.0 + detuning.powi(6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_its_centre_a_band_stands_alone_and_between_two_they_share() {
        for (band, &centre) in OCTAVES.iter().enumerate() {
            let (lower, weight) = crossfade(centre);
            let own = if lower == band { weight } else { 1.0 - weight };
            assert!((own - 1.0).abs() < 1e-12, "{centre} Hz");
        }
        let (lower, weight) = crossfade(500.0 * 2_f64.sqrt());
        assert!(lower == 3 && (weight - 0.5).abs() < 1e-12);
    }

    #[test]
    fn the_outermost_bands_reach_to_the_ends_of_the_spectrum() {
        assert_eq!(crossfade(0.0), (0, 1.0));
        let (lower, weight) = crossfade(24_000.0);
        assert!(lower == BAND_COUNT - 2 && weight < 1e-12);
    }

    #[test]
    fn the_octave_filter_passes_half_the_power_at_its_edges() {
        for edge in [1_000.0 / 2_f64.sqrt(), 1_000.0 * 2_f64.sqrt()] {
            assert!((octave_filter_power(1_000.0, edge) - 0.5).abs() < 1e-12);
        }
        // Two octaves away IEC 61260-1 asks of class 1 at least 40.5 dB (octave filters, table 1).
        assert!(octave_filter_power(1_000.0, 250.0) < 10_f64.powf(-4.05));
    }
}
