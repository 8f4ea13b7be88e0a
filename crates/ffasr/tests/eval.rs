//! `ffasr eval` with a real engine on real speech: prompts of Debian's `asterisk-core-sounds-en-g722` (Allison Smith,
//! CC BY-SA 3.0), in a dev set written here by hand, as its format is described in `benchmark::dev`.
#![expect(clippy::unwrap_used, reason = "a test's failure is a panic with a place")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use ezk_g722::libg722::{Bitrate, decoder::Decoder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const PROMPTS: &str = "/usr/share/asterisk/sounds/en_US_f_Allison";

/// What is said, by Debian's core-sounds-en.txt.
const DIAL_OUT: (&str, &str) = ("vm-dialout", "please wait while I connect your call");
const AS_DIALED: (&str, &str) = ("cannot-complete-as-dialed", "your call cannot be completed as dialed");

/// A dev set and a model.
struct World {
    directory: TempDir,
    lines: Vec<String>,
}

impl World {
    fn new() -> Self {
        let world = Self { directory: tempfile::tempdir().unwrap(), lines: Vec::new() };
        fs::create_dir_all(world.set().join("audio")).unwrap();
        fs::create_dir(world.model()).unwrap();
        let header = json!({
            "format": 1, "slug": "by-hand", "version": "1", "title": "By hand", "manifest_sha256": "0".repeat(64),
            "corpus": {
                "name": "asterisk-prompts-en", "language": "en-US", "licence": "CC-BY-SA-3.0",
                "attribution": "Allison Smith", "source": "asterisk-core-sounds-en-g722",
            },
        });
        fs::write(world.set().join("dev.json"), header.to_string()).unwrap();
        world.describe("");
        world
    }

    fn set(&self) -> PathBuf {
        self.directory.path().join("set")
    }

    fn model(&self) -> PathBuf {
        self.directory.path().join("model")
    }

    /// The default engine, with these decoding settings.
    fn describe(&self, decoding: &str) {
        let text = format!(
            "name = \"PocketSphinx\"\norganisation = \"CMU Sphinx\"\nlicence = \"BSD-2-Clause\"\nruntime = \"pocketsphinx\"\n[decoding]\n{decoding}"
        );
        fs::write(self.model().join("ffasr.toml"), text).unwrap();
    }

    /// One item: a prompt on a track, in a role, with a reference.
    fn add(&mut self, track: &str, role: &Value, prompt: &str, reference: &str) {
        let id = uuid(self.lines.len());
        let path = format!("audio/{id}.wav");
        let samples = decode(prompt);
        write_wav(&self.set().join(&path), &samples);
        let sha256 = hex::encode(Sha256::digest(fs::read(self.set().join(&path)).unwrap()));
        let mut item = json!({
            "audio_filepath": path, "text": reference, "duration": samples.len() as f64 / 16_000.0,
            "speaker": "Allison Smith", "id": id, "track": track, "utterance": prompt, "sha256": sha256,
        });
        item.as_object_mut().unwrap().extend(role.as_object().unwrap().clone());
        self.lines.push(item.to_string());
        fs::write(self.set().join("manifest.jsonl"), self.lines.join("\n") + "\n").unwrap();
    }

    fn eval(&self, more: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_ffasr"))
            .arg("eval")
            .arg("--model")
            .arg(self.model())
            .arg("--release")
            .arg(self.set())
            .args(more)
            .env("FFASR_DATA", self.directory.path().join("data"))
            .output()
            .unwrap()
    }

    /// Refused as bad input, with a message that holds all the words.
    fn assert_refused(&self, words: &[&str]) {
        let output = self.eval(&[]);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{message}");
        for word in words {
            assert!(message.contains(word), "`{word}` is not in: {message}");
        }
    }
}

fn uuid(number: usize) -> String {
    format!("00000000-0000-8000-8000-{number:012}")
}

/// ITU-T G.722 at 64 kbit/s, 16 kHz.
fn decode(prompt: &str) -> Vec<i16> {
    let path = Path::new(PROMPTS).join(format!("{prompt}.g722"));
    let coded = fs::read(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; install it with: apt-get install asterisk-core-sounds-en-g722", path.display())
    });
    Decoder::new(Bitrate::Mode1_64000, false, false).decode(&coded)
}

fn write_wav(path: &Path, samples: &[i16]) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(path, spec).unwrap();
    samples.iter().for_each(|sample| wav.write_sample(*sample).unwrap());
    wav.finalize().unwrap();
}

#[test]
fn a_real_engine_is_scored_and_timed_as_on_the_board() {
    let mut world = World::new();
    let scored = json!({"role": "scored"});
    world.add("near", &scored, DIAL_OUT.0, DIAL_OUT.1);
    world.add("near", &scored, AS_DIALED.0, AS_DIALED.1);
    // Seven words are said; a reference of eight makes one deletion.
    world.add("far-high", &scored, DIAL_OUT.0, &format!("{} now", DIAL_OUT.1));
    world.add("far-mid", &scored, DIAL_OUT.0, DIAL_OUT.1);
    world.add("far-low", &scored, DIAL_OUT.0, DIAL_OUT.1);
    world.add("near", &json!({"role": "warm-up"}), DIAL_OUT.0, DIAL_OUT.1);
    for pass in [1, 2] {
        world.add("near", &json!({"role": "repeat", "pass": pass}), DIAL_OUT.0, DIAL_OUT.1);
    }
    let output = world.eval(&["--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let summary = &report["summary"];
    assert_eq!(report["kind"], "self-reported");
    assert_eq!(report["release"]["slug"], "by-hand");
    assert_eq!(summary["tracks"]["near"]["wer"], 0.0, "{summary:#}");
    assert_eq!(
        (&summary["tracks"]["far-high"]["deletions"], &summary["tracks"]["far-high"]["ref_words"]),
        (&json!(1), &json!(8))
    );
    // The unweighted mean of 0, 1/8, 0 and 0.
    assert!((summary["avg_wer"].as_f64().unwrap() - 0.125 / 4.0).abs() < 1e-12, "{summary:#}");
    assert_eq!(summary["repeat_passes"], 2);
    let items = report["results"]["items"].as_array().unwrap();
    let audio: f64 = [0, 1, 2, 3, 4]
        .map(|it: usize| {
            serde_json::from_str::<Value>(&world.lines[it]).unwrap()["duration"].as_f64().unwrap()
        })
        .iter()
        .sum();
    let time: f64 = items.iter().map(|it| it["seconds"].as_f64().unwrap()).sum();
    assert!((summary["rtfx"].as_f64().unwrap() - audio / time).abs() < 1e-9);
    assert_eq!(items[0]["id"], uuid(0).as_str());
    assert!(report["results"]["measurements"]["latency"]["all"]["p50"].as_f64().unwrap() > 0.0);
}

#[test]
fn what_cannot_be_evaluated_is_told_before_anything_runs() {
    let mut world = World::new();
    world.add("near", &json!({"role": "scored"}), DIAL_OUT.0, DIAL_OUT.1);
    world.describe("beams = 1");
    world.assert_refused(&["ffasr.toml", "`beams` is not known"]);
    world.describe("lm = \"task.lm\"");
    world.assert_refused(&["task.lm"]);
    world.describe("");
    fs::create_dir(world.model().join("weights")).unwrap();
    world.assert_refused(&["weights is a directory"]);
    fs::remove_dir(world.model().join("weights")).unwrap();
    fs::write(world.set().join(format!("audio/{}.wav", uuid(0))), "changed").unwrap();
    world.assert_refused(&["was changed"]);
    let text = fs::read_to_string(world.model().join("ffasr.toml")).unwrap();
    fs::write(world.model().join("ffasr.toml"), text.replace("\"pocketsphinx\"", "\"abacus\"")).unwrap();
    world.assert_refused(&["abacus", "deploy/runtimes/install"]);
    fs::remove_file(world.model().join("ffasr.toml")).unwrap();
    world.assert_refused(&["ffasr.toml", "No such file"]);
}

#[test]
fn a_model_that_cannot_be_loaded_fails_with_its_last_words() {
    let mut world = World::new();
    world.add("near", &json!({"role": "scored"}), DIAL_OUT.0, DIAL_OUT.1);
    world.describe("lm = \"broken.lm\"");
    fs::write(world.model().join("broken.lm"), "no model").unwrap();
    let output = world.eval(&[]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("could not be loaded") && message.contains("/model/broken.lm"), "{message}");
}
