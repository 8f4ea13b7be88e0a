//! `ffasr acoustics analyze`: what measured or simulated responses say about their room.

use std::{fmt::Write, path::PathBuf};

use acoustics::{DecayWarning, Rir, RoomAcoustics, SoundField, octave_name, room_acoustics};
use clap::Args;
use serde::Serialize;

use super::files::{Recording, read_recording};
use crate::error::Failure;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Impulse responses: WAV (any number of channels; PCM of 8 to 32 bits or 32-bit float) or SOFA (conventions of
    /// data type FIR).
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Write JSON: times in seconds, ratios in decibels, definition as a share, null where the response does not
    /// allow a value.
    #[arg(long)]
    json: bool,
}

/// One file in the JSON.
#[derive(Serialize)]
struct FileReport {
    file: String,
    kind: String,
    responses: Vec<ResponseReport>,
}

#[derive(Serialize)]
struct ResponseReport {
    name: String,
    sample_rate: u32,
    seconds: f64,
    #[serde(flatten)]
    acoustics: RoomAcoustics,
    /// Why reverberation times of some bands are doubtful.
    warnings: Vec<BandWarning>,
}

#[derive(Serialize)]
struct BandWarning {
    /// Centre of the octave in hertz; null for broadband.
    centre_hz: Option<f64>,
    warnings: Vec<DecayWarning>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut reports = Vec::new();
    for path in &arguments.files {
        let Recording { kind, responses } = read_recording(path)?;
        let total = responses.len();
        let progress = crate::progress::percent("measuring");
        let mut measured = Vec::with_capacity(total);
        for (index, (name, rir)) in responses.into_iter().enumerate() {
            measured.push(measure(name, &rir));
            // A few responses take no time worth a line.
            if total > 40 {
                progress(index + 1, total);
            }
        }
        reports.push(FileReport { file: path.display().to_string(), kind, responses: measured });
    }
    if arguments.json {
        let json = serde_json::json!({ "files": reports });
        println!("{}", serde_json::to_string_pretty(&json).map_err(Failure::failed)?);
    } else {
        print!("{}", reports.iter().map(FileReport::table).collect::<Vec<_>>().join("\n"));
    }
    Ok(())
}

fn measure(name: String, rir: &Rir) -> ResponseReport {
    let acoustics = room_acoustics(rir);
    let fields = bands(&acoustics)
        .map(|(_, centre_hz, field)| BandWarning { centre_hz, warnings: field.warnings(centre_hz) });
    ResponseReport {
        name,
        sample_rate: rir.sample_rate(),
        seconds: rir.samples().len() as f64 / f64::from(rir.sample_rate()),
        warnings: fields.filter(|band| !band.warnings.is_empty()).collect(),
        acoustics,
    }
}

/// Every octave and then the whole, with their names.
fn bands(acoustics: &RoomAcoustics) -> impl Iterator<Item = (String, Option<f64>, &SoundField)> {
    let octaves = acoustics.octaves.iter().enumerate();
    octaves.map(|(band, octave)| (octave_name(band), Some(octave.centre_hz), &octave.field)).chain([(
        "all".to_owned(),
        None,
        &acoustics.broadband,
    )])
}

impl FileReport {
    fn table(&self) -> String {
        let mut text = format!("{} · {}\n", self.file, self.kind);
        for response in &self.responses {
            response.write_table(&mut text);
        }
        text
    }
}

impl ResponseReport {
    fn write_table(&self, text: &mut String) {
        let mixing = match self.acoustics.mixing_time {
            Some(time) => format!("mixes after {:.0} ms", 1e3 * time),
            None => "never mixes".to_owned(),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "\n{} · {} Hz · {:.2} s · begins at {:.1} ms · {mixing}\n\
             {:>9} {:>7} {:>7} {:>7} {:>7} {:>7} {:>6} {:>7} {:>7} {:>6}",
            self.name,
            self.sample_rate,
            self.seconds,
            1e3 * self.acoustics.onset,
            "band",
            "EDT s",
            "T20 s",
            "T30 s",
            "C50 dB",
            "C80 dB",
            "D50 %",
            "Ts ms",
            "DRR dB",
            "range",
        );
        for (band, centre_hz, field) in bands(&self.acoustics) {
            let warnings = field.warnings(centre_hz).into_iter().map(in_words).collect::<Vec<_>>().join(", ");
            let _ = writeln!(
                text,
                "{:>9} {:>7} {:>7} {:>7} {:>7} {:>7} {:>6} {:>7} {:>7} {:>6}  {warnings}",
                band,
                number(field.edt, 2),
                number(field.t20, 2),
                number(field.t30, 2),
                number(field.c50, 1),
                number(field.c80, 1),
                number(field.d50.map(|share| 100.0 * share), 0),
                number(field.centre_time.map(|time| 1e3 * time), 0),
                number(field.drr, 1),
                number(field.range, 0),
            );
        }
        *text = text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n") + "\n";
    }
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.decimals$}"))
}

fn in_words(warning: DecayWarning) -> &'static str {
    match warning {
        DecayWarning::NotLinear => "not linear",
        DecayWarning::Curved => "curved",
        DecayWarning::FilterRings => "filter rings",
    }
}
