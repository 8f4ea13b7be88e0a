//! The recordings and tables in `validation/` (its README names their authors and licences).

use std::ops::Range;

use realfft::{RealFftPlanner, num_complex::Complex};

use crate::{
    band::{BAND_COUNT, OCTAVES, Octaves, octave_filter_power},
    metrics::{RoomAcoustics, room_acoustics},
    rir::Rir,
    wav::{WavError, read_wav},
};

/// BRAS CR2: response from loudspeaker 1 to microphone 1.
const CR2_RESPONSE: &[u8] = include_bytes!("../../validation/bras-cr2/ls1-mp1.wav");

/// Setting of the absorbers in R3VIVAL's laboratory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absorbers {
    /// All hidden.
    Hidden,
    /// All open.
    Open,
}

/// A loudspeaker of R3VIVAL's laboratory: where it is as seen from the array.
pub(super) struct Loudspeaker {
    /// Name in the data set.
    pub(super) name: &'static str,
    /// Degrees from the front.
    pub(super) azimuth: f64,
    /// Metres from the centre of the array.
    pub(super) distance: f64,
}

/// The channels of `absorbers-*.wav` that are loudspeakers, in order.
pub(super) const LOUDSPEAKERS: [Loudspeaker; 4] = [
    Loudspeaker { name: "S000-150", azimuth: 0.0, distance: 1.5 },
    Loudspeaker { name: "S090-150", azimuth: 90.0, distance: 1.5 },
    Loudspeaker { name: "S180-150", azimuth: 180.0, distance: 1.5 },
    Loudspeaker { name: "S000-300", azimuth: 0.0, distance: 3.0 },
];

/// The channels of `absorbers-*.wav` that are omnidirectional sources, SBG1 to SBG4.
pub(super) const OMNIDIRECTIONAL: Range<usize> = 4..8;

/// R3VIVAL's responses at the centre of the array, one for each source.
pub(super) fn laboratory(absorbers: Absorbers) -> Result<Vec<Rir>, WavError> {
    read_wav(match absorbers {
        Absorbers::Hidden => include_bytes!("../../validation/r3vival/absorbers-000.wav"),
        Absorbers::Open => include_bytes!("../../validation/r3vival/absorbers-100.wav"),
    })
}

/// Beginnings of R3VIVAL's responses at all seven microphones, from the first three loudspeakers.
pub(super) fn laboratory_array() -> Result<[Vec<Rir>; 3], WavError> {
    Ok([
        read_wav(include_bytes!("../../validation/r3vival/array-s000-150.wav"))?,
        read_wav(include_bytes!("../../validation/r3vival/array-s090-150.wav"))?,
        read_wav(include_bytes!("../../validation/r3vival/array-s180-150.wav"))?,
    ])
}

/// R3VIVAL's six microphones around the centre, in metres: to the front, to the left (azimuth 90°), up. They sit on
/// a sphere of 10 cm diameter; the published azimuths of those at the sides are mended by symmetry.
pub(super) fn array_places() -> [[f64; 3]; 6] {
    let radius = 0.05;
    let tilted = radius * std::f64::consts::FRAC_1_SQRT_2;
    [
        [radius, 0.0, 0.0],
        [-radius, 0.0, 0.0],
        [0.0, tilted, tilted],
        [0.0, -tilted, tilted],
        [0.0, tilted, -tilted],
        [0.0, -tilted, -tilted],
    ]
}

/// What BRAS CR2's response from loudspeaker 1 to microphone 1 shows.
pub(super) fn seminar_room() -> Result<RoomAcoustics, WavError> {
    Ok(room_acoustics(&read_wav(CR2_RESPONSE)?[0]))
}

/// Room acoustic parameters of BRAS CR2, means of ten pairs of source and microphone, as octaves: 63 Hz is left
/// out (`NaN`), since the tables begin at 80 Hz.
pub(super) struct SeminarRoomMeans {
    /// Early decay time in seconds.
    pub(super) edt: Octaves,
    /// Reverberation time in seconds.
    pub(super) t20: Octaves,
    /// Clarity in decibels.
    pub(super) c80: Octaves,
    /// Definition, 0 to 1.
    pub(super) d50: Octaves,
}

impl SeminarRoomMeans {
    pub(super) fn read() -> Result<Self, String> {
        let table = |text: &str| octave_means(text, 0, 1);
        Ok(Self {
            edt: table(include_str!("../../validation/bras-cr2/Evaluation_CR2_EDT.txt"))?,
            t20: table(include_str!("../../validation/bras-cr2/Evaluation_CR2_T20.txt"))?,
            c80: table(include_str!("../../validation/bras-cr2/Evaluation_CR2_C80.txt"))?,
            d50: table(include_str!("../../validation/bras-cr2/Evaluation_CR2_D50.txt"))?
                .map(|percent| percent / 100.0),
        })
    }
}

/// Means over the three third octaves of each octave. `text` has frequencies in one line of commas and values in
/// another; an octave without values is `NaN`.
fn octave_means(text: &str, frequency_line: usize, value_line: usize) -> Result<Octaves, String> {
    let lines: Vec<&str> = text.lines().collect();
    let numbers = |line: usize| -> Result<Vec<f64>, String> {
        let line = lines.get(line).ok_or("a table ends too soon")?;
        line.split(',').map(|n| n.trim().parse().map_err(|_| format!("\"{n}\" is no number"))).collect()
    };
    let (frequencies, values) = (numbers(frequency_line)?, numbers(value_line)?);
    let mut means = [f64::NAN; BAND_COUNT];
    for (mean, centre) in means.iter_mut().zip(OCTAVES) {
        let of_octave: Vec<f64> = frequencies
            .iter()
            .zip(&values)
            .filter(|(hz, _)| (**hz / centre).log2().abs() < 0.45)
            .map(|(_, value)| *value)
            .collect();
        if of_octave.len() == 3 {
            *mean = of_octave.iter().sum::<f64>() / 3.0;
        }
    }
    Ok(means)
}

/// Seconds by which `other` comes after `reference`: the maximum of their cross-correlation, between samples by a
/// parabola. Both are read within `span`.
pub(super) fn delay(reference: &Rir, other: &Rir, span: Range<usize>) -> f64 {
    let (a, b) = (&reference.samples()[span.clone()], &other.samples()[span]);
    // Full cross-correlation; in the middle of it nothing is shifted.
    let none = a.len() - 1;
    let correlation = |place: usize| -> f64 {
        let (skip_a, skip_b) = (none.saturating_sub(place), place.saturating_sub(none));
        a[skip_a..].iter().zip(&b[skip_b..]).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    };
    let values: Vec<f64> = (0..=2 * none).map(correlation).collect();
    let inner = 1..values.len() - 1;
    let best = inner.max_by(|&x, &y| values[x].total_cmp(&values[y])).expect("the span is longer than 1");
    let [before, peak, after] = [values[best - 1], values[best], values[best + 1]];
    let between = 0.5 * (before - after) / (before - 2.0 * peak + after);
    (best as f64 - none as f64 + between) / f64::from(reference.sample_rate())
}

/// Spectrum of a response at one frequency.
pub(super) fn spectrum_at(rir: &Rir, hz: f64) -> Complex<f64> {
    let step = -std::f64::consts::TAU * hz / f64::from(rir.sample_rate());
    let turned = |(n, &sample): (usize, &f32)| Complex::cis(step * n as f64) * f64::from(sample);
    rir.samples().iter().enumerate().map(turned).sum()
}

/// Seconds by which `other` comes after `reference`, by their phases at `hz`; less than half a period.
pub(super) fn phase_delay(reference: &Rir, other: &Rir, hz: f64) -> f64 {
    let ratio = spectrum_at(reference, hz) / spectrum_at(other, hz);
    ratio.arg() / (std::f64::consts::TAU * hz)
}

/// Energy of a response in the octave around `centre_hz`, up to a factor that is the same for all responses of one rate.
pub(super) fn octave_energy(rir: &Rir, centre_hz: f64) -> f64 {
    let mut planner = RealFftPlanner::<f64>::new();
    let forward = planner.plan_fft_forward(rir.samples().len().next_power_of_two());
    let mut samples = forward.make_input_vec();
    for (to, &from) in samples.iter_mut().zip(rir.samples()) {
        *to = f64::from(from);
    }
    let spacing = f64::from(rir.sample_rate()) / samples.len() as f64;
    let scale = spacing / f64::from(rir.sample_rate());
    let mut spectrum = forward.make_output_vec();
    forward.process(&mut samples, &mut spectrum).expect("the plan made both buffers");
    let power = |bin: usize| octave_filter_power(centre_hz, bin as f64 * spacing);
    scale * spectrum.iter().enumerate().map(|(bin, value)| value.norm_sqr() * power(bin)).sum::<f64>()
}

/// Mean of one quantity of several responses, for each octave.
pub(super) fn octave_mean(
    responses: &[RoomAcoustics],
    quantity: fn(&crate::SoundField) -> Option<f64>,
) -> Octaves {
    std::array::from_fn(|band| {
        let values: Vec<f64> =
            responses.iter().filter_map(|response| quantity(&response.octaves.get(band)?.field)).collect();
        values.iter().sum::<f64>() / values.len() as f64
    })
}
