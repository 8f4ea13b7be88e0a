//! `ffasr acoustics` as a user meets it.
#![expect(clippy::unwrap_used, reason = "a test's failure is a panic with a place")]

use std::{
    path::PathBuf,
    process::{Command, Output},
};

fn ffasr(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ffasr")).arg("acoustics").args(arguments).output().unwrap()
}

fn file(path: &str) -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path).to_str().unwrap().to_owned()
}

fn measured(name: &str) -> String {
    file("../acoustics/validation").to_owned() + "/" + name
}

/// Exit code 2, nothing on standard output, and one message with all the words.
fn refused(arguments: &[&str], words: &[&str]) {
    let output = ffasr(arguments);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(output.stdout.is_empty());
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
}

#[test]
fn analyze_measures_every_channel_of_a_recording() {
    let output = ffasr(&["analyze", "--json", &measured("r3vival/absorbers-000.wav")]);
    assert!(output.status.success(), "{output:?}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let responses = report["files"][0]["responses"].as_array().unwrap();
    assert_eq!(responses.len(), 8);
    // R3VIVAL, fully reflective: T30 of the omnidirectional sources at 1 kHz is 0.71 s.
    let t30 = |index: usize| responses[index]["octaves"][4]["field"]["t30"].as_f64().unwrap();
    let mean = (4..8).map(t30).sum::<f64>() / 4.0;
    assert!((mean / 0.71 - 1.0).abs() < 0.03, "{mean}");
    assert_eq!(responses[0]["name"], "channel 1");
    assert_eq!(responses[0]["sample_rate"], 48_000);
}

#[test]
fn analyze_prints_a_table_for_wav_and_sofa_files_alike() {
    let output = ffasr(&["analyze", &measured("bras-cr2/ls1-mp1.wav"), &file("tests/data/room.sofa")]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    for words in
        ["ls1-mp1.wav · WAV", "T30 s", "500 Hz", "2.0", "SOFA SingleRoomSRIR", "measurement 2, receiver 1"]
    {
        assert!(text.contains(words), "`{words}` is not in:\n{text}");
    }
}

#[test]
fn analyze_names_the_file_and_what_is_wrong_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("notes.wav");
    std::fs::write(&text, "this is text").unwrap();
    refused(&["analyze", text.to_str().unwrap()], &["notes.wav", "neither a WAV file", "nor a SOFA file"]);
    refused(&["analyze", "nowhere.wav"], &["nowhere.wav", "cannot be read"]);
    refused(&["analyze"], &["FILES"]);
}
