//! `ffasr acoustics` as a user meets it.
#![expect(clippy::unwrap_used, reason = "a test's failure is a panic with a place")]

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

fn ffasr(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ffasr")).arg("acoustics").args(arguments).output().unwrap()
}

fn file(path: &str) -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path).to_str().unwrap().to_owned()
}

fn measured(name: &str) -> String {
    file(&format!("../acoustics/validation/{name}"))
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

/// A closet with two talkers' places, one microphone and a pair.
const CLOSET: &str = r#"
name = "closet"

[shell.box]
size_m = [2.4, 1.8, 2.3]

[surfaces]
floor = "carpet"
ceiling = "painted-plaster"
walls = "gypsum-board"

[[source]]
name = "Talker"
kind = "talker"
position_m = [0.6, 0.9, 1.5]

[[source]]
name = "fan"
kind = "noise"
position_m = [2.0, 1.4, 2.0]

[[microphone]]
name = "single"
position_m = [1.7, 0.6, 1.1]

[[array]]
name = "pair"
position_m = [1.6, 1.1, 1.0]
linear = { count = 2, spacing_m = 0.1 }
"#;

fn room_file(directory: &Path, text: &str) -> String {
    let path = directory.join("closet.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn entries(directory: &Path) -> Vec<String> {
    let names = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn simulate_writes_responses_what_they_say_how_they_came_to_be_and_drawings() {
    let directory = tempfile::tempdir().unwrap();
    let room = room_file(directory.path(), CLOSET);
    let out = directory.path().join("out");
    let output = ffasr(&["simulate", &room, "--out", out.to_str().unwrap(), "--quality", "draft"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        entries(&out),
        [
            "fan--pair.wav",
            "fan--single.wav",
            "metrics.json",
            "plan.svg",
            "record.json",
            "section.svg",
            "talker--pair.wav",
            "talker--single.wav"
        ]
    );
    assert_eq!(entries(directory.path()), ["closet.toml", "out"]);
    let pair = acoustics::read_wav(&std::fs::read(out.join("talker--pair.wav")).unwrap()).unwrap();
    assert_eq!((pair.len(), pair[0].sample_rate()), (2, 16_000));
    // The talker is 1.13 m from the middle of the pair; the direct sound begins after 3.3 ms less half the array.
    let onset = pair[0].onset() as f64 / 16_000.0;
    assert!((onset - 0.0033).abs() < 0.0006, "{onset}");
    let json = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(out.join(name)).unwrap()).unwrap()
    };
    let metrics = json("metrics.json");
    let responses = metrics["responses"].as_array().unwrap();
    assert_eq!(responses.len(), 6);
    assert_eq!((&responses[2]["file"], &responses[2]["channel"]), (&"talker--pair.wav".into(), &2.into()));
    assert!(responses[0]["broadband"]["t20"].as_f64().unwrap() > 0.1);
    let record = json("record.json");
    assert!(record["simulation"]["crossover_hz"].as_f64().unwrap() > 100.0);
    assert_eq!(record["sources"][0]["positions_m"][0], serde_json::json!([0.6, 0.9, 1.5]));

    let again = ["simulate", &room, "--out", out.to_str().unwrap()];
    refused(&again, &["out", "exists already"]);
}

#[test]
fn simulate_names_what_is_wrong_with_a_room() {
    let directory = tempfile::tempdir().unwrap();
    refused(&["simulate", "ballroom"], &["ballroom", "there are: bathroom", ".toml"]);
    refused(&["simulate", "nowhere.toml"], &["nowhere.toml", "cannot be read"]);
    let inside_the_wall = CLOSET.replace("[1.7, 0.6, 1.1]", "[1.7, -0.6, 1.1]");
    let room = room_file(directory.path(), &inside_the_wall);
    let out = directory.path().join("out");
    refused(&["simulate", &room, "--out", out.to_str().unwrap()], &["closet.toml", "single"]);
    let room = room_file(directory.path(), &CLOSET.replace("gypsum-board", "chocolate"));
    refused(&["simulate", &room, "--out", out.to_str().unwrap()], &["closet.toml", "chocolate"]);
    assert_eq!(entries(directory.path()), ["closet.toml"]);
    refused(&["simulate", "bathroom", "--budget", "many"], &["--budget", "1e6"]);
}

#[test]
fn an_interrupted_simulation_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut child = Command::new(env!("CARGO_BIN_EXE_ffasr"))
        .args(["acoustics", "simulate", "meeting-room", "--out", out.to_str().unwrap()])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut messages = BufReader::new(child.stderr.take().unwrap());
    let mut first = String::new();
    messages.read_line(&mut first).unwrap();
    assert!(first.contains("Meeting room"), "{first}");
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(entries(directory.path()), Vec::<String>::new());
}

#[test]
fn the_built_in_rooms_and_materials_are_listed() {
    let text = |arguments: &[&str]| String::from_utf8(ffasr(arguments).stdout).unwrap();
    let rooms = text(&["rooms"]);
    assert!(rooms.contains("restaurant") && rooms.contains("Eyring"), "{rooms}");
    let materials = text(&["materials", "carpet"]);
    assert!(materials.contains("thick-carpet") && !materials.contains("marble"), "{materials}");
    assert!(text(&["materials", "thick-carpet", "--origin"]).contains("Vorländer"));
}

#[test]
fn the_quick_validation_ends_as_expected_and_writes_its_report() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("report");
    let output = ffasr(&["validate", "--quick", "--out", out.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(entries(&out), ["report.json", "report.svg", "report.txt"]);
    let report: serde_json::Value =
        serde_json::from_slice(&std::fs::read(out.join("report.json")).unwrap()).unwrap();
    assert!(report["checks"].as_array().unwrap().len() >= 5);
    assert_eq!(std::fs::read_to_string(out.join("report.txt")).unwrap(), text);
    refused(&["validate", "--only", "teapot"], &["teapot", "wave-modes"]);
}
