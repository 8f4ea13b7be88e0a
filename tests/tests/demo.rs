//! `ffasr demo` as `make demo` runs it, smaller.

use std::fs;

use end_to_end::{Program, short_directory};
use serde_json::Value;

const TRACKS: [&str; 4] = ["near", "far-high", "far-mid", "far-low"];

#[test]
fn the_demo_ranks_three_models_whose_errors_rise_with_distance_and_noise_and_a_second_run_uses_what_is_there()
{
    let data = short_directory();
    let arguments = ["demo", "--exit", "--json", "--items", "12", "--listen", "127.0.0.1:0"];
    let board: Value = serde_json::from_str(&Program::run(data.path(), &arguments)).unwrap();
    let rows = board["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    for row in rows {
        let wer = TRACKS.map(|track| row["tracks"][track]["wer"].as_f64().unwrap());
        assert!(wer.is_sorted_by(|nearer, farther| nearer < farther), "{}: {wer:?}", row["model"]);
        let mean = wer.iter().sum::<f64>() / 4.0;
        assert!((row["avg_wer"].as_f64().unwrap() - mean).abs() < 1e-12);
        let [low, high] = [0, 1].map(|end| row["avg_wer_interval"][end].as_f64().unwrap());
        assert!(low < mean && mean < high);
        assert!(row["rtfx"].as_f64().unwrap() > 0.0);
        assert!(row["latency_p95_s"].as_f64() >= row["latency_p50_s"].as_f64());
        assert_eq!(row["num_params"], rows[0]["num_params"], "one acoustic model");
    }
    let on_front = rows.iter().filter(|row| row["pareto"] == true).count();
    assert!(on_front >= 2, "accuracy costs speed, so the front has something to say");

    // Its release, as it lies there, is whole; one bit of one file more and it is not.
    let release = data.path().join("releases/demo-12");
    let place = release.to_str().unwrap();
    let verified = Program::run(data.path(), &["release", "verify", place]);
    assert!(verified.ends_with(board["manifest_sha256"].as_str().unwrap()), "{verified}");
    let corpus = data.path().join("corpora/asterisk-prompts-en");
    let sample = ["--corpus", corpus.to_str().unwrap(), "--sample", "3"];
    Program::run(data.path(), &[&["release", "verify", place], &sample[..]].concat());
    let audio = fs::read_dir(release.join("audio")).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&audio).unwrap();
    let mut other = whole.clone();
    *other.last_mut().unwrap() ^= 1;
    fs::write(&audio, other).unwrap();
    let refused = Program::output(data.path(), &["release", "verify", place]);
    assert_eq!(refused.status.code(), Some(2), "{}", String::from_utf8_lossy(&refused.stderr));
    fs::write(&audio, whole).unwrap();

    let again: Value = serde_json::from_str(&Program::run(data.path(), &arguments)).unwrap();
    assert_eq!(again["rows"], board["rows"], "nothing is run twice");
    assert_eq!(again["manifest_sha256"], board["manifest_sha256"]);
}
