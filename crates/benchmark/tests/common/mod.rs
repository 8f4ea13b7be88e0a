//! Tiny corpora made on the spot: noise in the rhythm of speech, each with a text of its own.

use std::{fs, path::Path};

use benchmark::{
    Error,
    corpus::{self, Description, Import, ImportReport, Limits, Source},
};

/// Noise in syllables of about 4 a second, seeded.
pub(crate) fn speech_like(seconds: f64, seed: u64) -> Vec<i16> {
    let mut state = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    (0..(seconds * 16_000.0) as usize)
        .map(|index| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let noise = (state >> 48) as f64 / 32_768.0 - 1.0;
            let syllable = (std::f64::consts::TAU * 4.0 * index as f64 / 16_000.0).sin().max(0.0);
            (8_000.0 * noise * syllable) as i16
        })
        .collect()
}

pub(crate) fn write_wav(path: &Path, samples: &[i16]) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for &sample in samples {
        writer.write_sample(sample).unwrap();
    }
    writer.finalize().unwrap();
}

pub(crate) fn description() -> Description {
    Description {
        name: "tiny".to_owned(),
        language: "en".to_owned(),
        licence: "CC0-1.0".to_owned(),
        attribution: "nobody".to_owned(),
        source: "made by a test".to_owned(),
    }
}

/// Imports a manifest of these lines.
pub(crate) fn import_lines(
    directory: &Path,
    lines: &[String],
    destination: &Path,
) -> Result<ImportReport, Error> {
    let file = directory.join("source.jsonl");
    fs::write(&file, lines.join("\n")).unwrap();
    let what =
        Import { source: Source::Manifest { file }, description: description(), limits: Limits::default() };
    corpus::import(&what, destination, &|_, _| ())
}

/// A line of a manifest for a recording that lies beside it.
pub(crate) fn line(file: &str, text: &str) -> String {
    serde_json::json!({"audio_filepath": file, "text": text, "speaker": "s1"}).to_string()
}
