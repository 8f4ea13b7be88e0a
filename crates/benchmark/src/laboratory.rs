//! A measured room and its simulated twin, through which the same utterances are heard.

use acoustics::{Rir, read_wav};
use serde::{Deserialize, Serialize};

use crate::{Furnished, SAMPLE_RATE, recording::resample};

/// The `lab-measured` and `lab-simulated` tracks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Laboratory {
    /// What was measured.
    pub measured: MeasuredSet,
    /// The simulation of it: its talkers in the order of the set's sources, and one microphone.
    pub twin: Furnished,
}

/// A set of measured responses that comes with this program, each from one source to one microphone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MeasuredSet {
    /// R3VIVAL's variable-acoustics laboratory with all absorbers open: loudspeakers in front, to the left and behind
    /// at 1.5 m, and in front at 3 m. Facebook Research, CC BY 4.0.
    #[serde(rename = "r3vival-absorbers-100")]
    R3vivalAbsorbers100,
    /// The same with all absorbers hidden.
    #[serde(rename = "r3vival-absorbers-000")]
    R3vivalAbsorbers000,
}

/// Channels of R3VIVAL's files that are loudspeakers and not omnidirectional sources: S000-150, S090-150, S180-150 and
/// S000-300 (azimuth in degrees, distance in centimetres).
const R3VIVAL_DISTANCES: [f64; 4] = [1.5, 1.5, 1.5, 3.0];

impl MeasuredSet {
    /// Its name in conditions.
    pub const fn name(self) -> &'static str {
        match self {
            Self::R3vivalAbsorbers100 => "r3vival-absorbers-100",
            Self::R3vivalAbsorbers000 => "r3vival-absorbers-000",
        }
    }

    /// Who measured it, and under which licence it may be passed on.
    pub const fn attribution(self) -> &'static str {
        "R3VIVAL, Facebook Research (github.com/facebookresearch/R3VIVAL), CC BY 4.0; changed: 16 bits, resampled to \
         16 kHz, convolved with speech"
    }

    /// From source to microphone in metres, for each response.
    pub(crate) const fn distances(self) -> &'static [f64] {
        match self {
            Self::R3vivalAbsorbers100 | Self::R3vivalAbsorbers000 => &R3VIVAL_DISTANCES,
        }
    }

    /// The responses, at [`SAMPLE_RATE`].
    pub(crate) fn responses(self) -> Result<Vec<Rir>, String> {
        let bytes: &[u8] = match self {
            Self::R3vivalAbsorbers100 => {
                include_bytes!("../../acoustics/validation/r3vival/absorbers-100.wav")
            }
            Self::R3vivalAbsorbers000 => {
                include_bytes!("../../acoustics/validation/r3vival/absorbers-000.wav")
            }
        };
        let measured = read_wav(bytes).map_err(|error| error.to_string())?;
        measured.iter().take(R3VIVAL_DISTANCES.len()).map(at_our_rate).collect()
    }
}

/// A response at [`SAMPLE_RATE`].
fn at_our_rate(rir: &Rir) -> Result<Rir, String> {
    Rir::new(SAMPLE_RATE, resample(rir.samples(), rir.sample_rate())?).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use acoustics::room_acoustics;

    use super::*;

    #[test]
    fn the_measured_laboratory_decays_as_its_authors_plot() {
        // T30 at 500 Hz and 1 kHz with all absorbers open and hidden: 0.48 and 0.44, 0.72 and 0.71 s (omnidirectional
        // sources, read off the data set's plot).
        for (set, expected) in
            [(MeasuredSet::R3vivalAbsorbers100, 0.46), (MeasuredSet::R3vivalAbsorbers000, 0.715)]
        {
            let responses = set.responses().unwrap();
            assert_eq!(responses.len(), set.distances().len());
            for rir in responses {
                let acoustics = room_acoustics(&rir);
                let t30 = [3, 4].map(|band: usize| acoustics.octaves[band].field.t30.unwrap());
                let mean = f64::midpoint(t30[0], t30[1]);
                assert!((mean - expected).abs() < 0.06, "{}: {mean}", set.name());
            }
        }
    }
}
