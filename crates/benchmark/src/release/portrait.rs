//! What a page shows of a room: plan, section, one response of it in pictures, and its parameters by octave.
//!
//! Not part of a release's hash: all of it follows from the specification. The response is that from the first talker to
//! the first microphone, simulated as the release's own are.

use std::{collections::BTreeSet, path::Path};

use acoustics::{
    OctaveAcoustics, Rir,
    drawing::{Embedding, plan, section},
    room_acoustics,
};
use realfft::RealFftPlanner;
use serde::Serialize;

use super::responses::Responses;
use crate::{
    Error, RoomModel, RoomSummary, SAMPLE_RATE,
    staging::Staging,
    venue::{Listener, Place, Venue},
};

/// Length of the windows in which energy is drawn, in seconds.
const STEP_SECONDS: f64 = 0.005;
/// Length of a transform, in samples: 32 ms, so that bands from 125 Hz have a line of their own.
const TRANSFORM: usize = 512;
/// Columns of a spectrogram at most.
const COLUMNS: usize = 120;
/// Third octaves from 125 Hz to 8 kHz (IEC 61260-1, base two).
const BANDS: usize = 19;

/// `rooms/<name>.json`.
#[derive(Serialize)]
struct Portrait {
    #[serde(flatten)]
    summary: RoomSummary,
    response: Parameters,
}

/// Parameters of one response (ISO 3382-1), by octave.
#[derive(Serialize)]
struct Parameters {
    distance_m: f64,
    octaves: Vec<Octave>,
}

#[derive(Serialize)]
struct Octave {
    centre_hz: f64,
    t30_s: Option<f64>,
    edt_s: Option<f64>,
    c50_db: Option<f64>,
    drr_db: Option<f64>,
}

/// Writes the files of one room below `rooms/`. Responses that the directory `cache` has are not simulated again.
pub(super) fn draw_room(room: &RoomModel, cache: &Path, staging: &Staging) -> Result<(), Error> {
    let name = room.name();
    let failed = |problem: String| Error::Simulation { what: name.to_owned(), problem };
    let venue = Venue::new(room).map_err(failed)?;
    let (talker, listener) = (Place::Talker(0), Listener::Microphone(0));
    let responses = Responses::gather(name, &venue, &BTreeSet::from([(talker, listener)]), cache)?;
    let rir = responses.get((talker, listener)).and_then(<[Rir]>::first);
    let rir = rir.ok_or_else(|| failed("it has no response".to_owned()))?;
    let source = venue.source(talker, listener).map_err(failed)?;
    let microphones = venue.places(listener).map_err(failed)?;
    let portrait = Portrait {
        summary: room.summary().map_err(failed)?,
        response: Parameters {
            distance_m: rounded(source.position.distance(microphones[0])),
            octaves: room_acoustics(rir).octaves.iter().map(octave).collect(),
        },
    };
    let json = serde_json::to_vec_pretty(&portrait).map_err(|error| failed(error.to_string()))?;
    staging.write(&format!("rooms/{name}.json"), &json)?;
    if let RoomModel::Furnished(furnished) = room {
        let model = furnished.furnished_room().map_err(failed)?;
        staging.write(&format!("rooms/{name}.svg"), plan(&model, Embedding::Standalone).as_bytes())?;
        let drawing = section(&model, Embedding::Standalone);
        staging.write(&format!("rooms/{name}-section.svg"), drawing.as_bytes())?;
    }
    let samples = rir.samples();
    staging.write(&format!("rooms/{name}-decay.svg"), decay(name, samples).as_bytes())?;
    staging.write(&format!("rooms/{name}-spectrogram.svg"), spectrogram(name, samples).as_bytes())
}

fn octave(octave: &OctaveAcoustics) -> Octave {
    let field = octave.field;
    Octave {
        centre_hz: octave.centre_hz,
        t30_s: field.t30.map(rounded),
        edt_s: field.edt.map(rounded),
        c50_db: field.c50.map(rounded),
        drr_db: field.drr.map(rounded),
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// Decibels below the highest; nothing is as low as silence.
fn relative(powers: &[f64]) -> Vec<f64> {
    let highest = powers.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    powers.iter().map(|power| 10.0 * (power / highest).log10()).collect()
}

fn decay(name: &str, samples: &[f32]) -> String {
    let step = (STEP_SECONDS * f64::from(SAMPLE_RATE)) as usize;
    let energy: Vec<f64> = samples
        .chunks(step)
        .map(|part| part.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>())
        .collect();
    let mut left = energy.clone();
    for n in (1..left.len()).rev() {
        left[n - 1] += left[n];
    }
    charts::decay(&charts::Decay {
        title: &format!("Decay of a response of the room {name}"),
        step_seconds: STEP_SECONDS,
        energy_db: &relative(&energy),
        left_db: &relative(&left),
    })
}

fn spectrogram(name: &str, samples: &[f32]) -> String {
    let hop = (samples.len() / COLUMNS).max(TRANSFORM / 8);
    let transform = RealFftPlanner::<f32>::new().plan_fft_forward(TRANSFORM);
    let mut spectrum = transform.make_output_vec();
    let bands_hz: Vec<f64> = (0..BANDS).map(|band| 125.0 * 2_f64.powf(band as f64 / 3.0)).collect();
    let mut powers = Vec::new();
    for start in (0..samples.len()).step_by(hop).take(COLUMNS) {
        let mut window: Vec<f32> = (0..TRANSFORM)
            .map(|n| {
                let phase = std::f32::consts::TAU * n as f32 / TRANSFORM as f32;
                samples.get(start + n).copied().unwrap_or(0.0) * 0.5 * (1.0 - phase.cos())
            })
            .collect();
        // Lengths are the plan's own, which is all it can object to.
        if transform.process(&mut window, &mut spectrum).is_err() {
            continue;
        }
        for centre in &bands_hz {
            let line = |hertz: f64| (hertz * TRANSFORM as f64 / f64::from(SAMPLE_RATE)).round() as usize;
            let third = 2_f64.powf(1.0 / 6.0);
            let first = line(centre / third).min(spectrum.len() - 1);
            let last = line(centre * third).clamp(first + 1, spectrum.len());
            let power: f64 = spectrum[first..last].iter().map(|it| f64::from(it.norm_sqr())).sum();
            powers.push(power / (last - first) as f64);
        }
    }
    let columns: Vec<Vec<f64>> = relative(&powers).chunks(BANDS).map(<[f64]>::to_vec).collect();
    charts::spectrogram(&charts::Spectrogram {
        title: &format!("Spectrogram of a response of the room {name}"),
        step_seconds: hop as f64 / f64::from(SAMPLE_RATE),
        bands_hz: &bands_hz,
        columns: &columns,
    })
}
