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
        world.describe("pocketsphinx", "");
        world
    }

    fn set(&self) -> PathBuf {
        self.directory.path().join("set")
    }

    fn model(&self) -> PathBuf {
        self.directory.path().join("model")
    }

    /// A model of this runtime, with these decoding settings.
    fn describe(&self, runtime: &str, decoding: &str) {
        let text = format!(
            "name = \"Model\"\norganisation = \"Test\"\nlicence = \"MIT\"\nruntime = \"{runtime}\"\n[decoding]\n{decoding}"
        );
        fs::write(self.model().join("ffasr.toml"), text).unwrap();
    }

    /// One item: a prompt on a track, in a role, with a reference.
    fn add(&mut self, track: &str, role: &Value, prompt: &str, reference: &str) {
        self.add_samples(track, role, prompt, reference, &decode(prompt));
    }

    fn add_samples(&mut self, track: &str, role: &Value, utterance: &str, reference: &str, samples: &[i16]) {
        let id = uuid(self.lines.len());
        let path = format!("audio/{id}.wav");
        write_wav(&self.set().join(&path), samples);
        let sha256 = hex::encode(Sha256::digest(fs::read(self.set().join(&path)).unwrap()));
        let mut item = json!({
            "audio_filepath": path, "text": reference, "duration": samples.len() as f64 / 16_000.0,
            "speaker": "Allison Smith", "id": id, "track": track, "utterance": utterance, "sha256": sha256,
        });
        item.as_object_mut().unwrap().extend(role.as_object().unwrap().clone());
        self.lines.push(item.to_string());
        fs::write(self.set().join("manifest.jsonl"), self.lines.join("\n") + "\n").unwrap();
    }

    /// An item of the `array` track, whose one channel for others is the first.
    fn add_array(&mut self, role: &Value, said: (&str, &str), channels: &[Vec<i16>]) {
        self.add_samples("array", role, said.0, said.1, &channels[0]);
        let mut item: Value = serde_json::from_str(&self.lines.pop().unwrap()).unwrap();
        let path = format!("audio/{}-all.wav", item["id"].as_str().unwrap());
        write_channels(&self.set().join(&path), channels);
        let sha256 = hex::encode(Sha256::digest(fs::read(self.set().join(&path)).unwrap()));
        item["mono"] = json!({"audio_filepath": item["audio_filepath"], "sha256": item["sha256"]});
        item["audio_filepath"] = path.into();
        item["sha256"] = sha256.into();
        item["channels"] = channels.len().into();
        self.lines.push(item.to_string());
        fs::write(self.set().join("manifest.jsonl"), self.lines.join("\n") + "\n").unwrap();
    }

    /// The report of a run that ends well.
    fn report(&self) -> Value {
        let output = self.eval(&["--json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
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
    write_channels(path, &[samples.to_vec()]);
}

fn write_channels(path: &Path, channels: &[Vec<i16>]) {
    let spec = hound::WavSpec {
        channels: channels.len() as u16,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(path, spec).unwrap();
    for frame in 0..channels[0].len() {
        for channel in channels {
            wav.write_sample(channel[frame]).unwrap();
        }
    }
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

/// A model of the runtime for evaluators that hears every channel: the example of the documentation.
fn array_model(world: &World, evaluator: &str, code: &str) {
    let plain = include_str!("../../../deploy/runtimes/evaluator/examples/plain.py");
    for (name, code) in [("plain.py", plain), (evaluator, code)] {
        fs::write(world.model().join(name), code).unwrap();
    }
    let text = format!(
        "name = \"Array\"\norganisation = \"Test\"\nlicence = \"MIT\"\nruntime = \"evaluator-pocketsphinx\"\n\
         multichannel = true\ntracks = [\"array\"]\n[decoding]\nevaluator = \"{evaluator}\"\n"
    );
    fs::write(world.model().join("ffasr.toml"), text).unwrap();
}

#[test]
fn a_model_for_several_channels_hears_each_of_them_and_adds_up_what_they_have_in_common() {
    let mut world = World::new();
    let dry = decode(DIAL_OUT.0);
    // Eight microphones, which the talker reaches one after the other; each has noise of its own, 18 dB below the speech.
    // Their sum, once aligned, has 10 lg 8 = 9 dB less.
    let channel = |number: usize| -> Vec<i16> {
        let noise: Vec<f64> = noise(number as u64 + 1).take(dry.len()).collect();
        let speech = |n: usize| n.checked_sub(3 * number).map_or(0.0, |n| f64::from(dry[n]));
        (0..dry.len()).map(|n| (speech(n) + 1_000.0 * noise[n]).round() as i16).collect()
    };
    let channels: Vec<Vec<i16>> = (0..8).map(channel).collect();
    world.add("near", &json!({"role": "scored"}), AS_DIALED.0, AS_DIALED.1);
    world.add_array(&json!({"role": "scored"}), DIAL_OUT, &channels);
    let errors = |report: &Value| {
        let tracks = &report["summary"]["tracks"];
        assert_eq!(tracks["near"]["wer"], 0.0, "{report:#}");
        (7.0 * tracks["array"]["wer"].as_f64().unwrap()).round() as usize
    };
    let of_one_channel = |world: &World| {
        let file = world.model().join("ffasr.toml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("multichannel = true\n", "")).unwrap();
    };

    let beamformer = include_str!("../../../deploy/runtimes/evaluator/examples/beamformer.py");
    array_model(&world, "beamformer.py", beamformer);
    let together = errors(&world.report());
    of_one_channel(&world);
    let alone = errors(&world.report());
    assert!(2 * together < alone, "{together} of 7 words wrong with eight microphones, {alone} with one");

    // What the model is given: every channel, or the one that stands in for them.
    array_model(
        &world,
        "channels.py",
        "def evaluate(file):\n    return str(int.from_bytes(file.read_bytes()[22:24], 'little'))\n",
    );
    let heard = |report: &Value| [0, 1].map(|item: usize| report["results"]["items"][item]["text"].clone());
    assert_eq!(heard(&world.report()), [json!("1"), json!("8")]);
    of_one_channel(&world);
    assert_eq!(heard(&world.report()), [json!("1"), json!("1")]);
}

#[test]
fn a_set_in_another_language_than_english_is_scored_by_the_basic_normaliser() {
    let mut world = World::new();
    let header = world.set().join("dev.json");
    let spanish = fs::read_to_string(&header).unwrap().replace("en-US", "es-ES");
    fs::write(&header, spanish).unwrap();
    // The basic normaliser keeps accents, so one of seven words is another; whisper's English one would take it away.
    world.add("near", &json!({"role": "scored"}), DIAL_OUT.0, "please wait while I connect your cáll");
    for stream in [&[][..], &["--stream"]] {
        let output = world.eval(&[&["--json"], stream].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["scorer"], "ffasr@1/basic@1");
        let tracks = if stream.is_empty() { &report["summary"]["tracks"] } else { &report["tracks"] };
        assert!((tracks["near"]["wer"].as_f64().unwrap() - 1.0 / 7.0).abs() < 1e-12, "{tracks:#}");
    }
}

#[test]
fn a_streamed_item_has_a_first_word_and_a_final_text_with_their_latencies() {
    let mut world = World::new();
    world.add("near", &json!({"role": "scored"}), DIAL_OUT.0, DIAL_OUT.1);
    let output = world.eval(&["--stream", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let near = &report["tracks"]["near"];
    assert_eq!((&near["wer"], &near["silent"]), (&json!(0.0), &json!(0)), "{report:#}");
    let seconds = |name: &str| near[name][0].as_f64().unwrap();
    // Nothing can be said of a word before its first piece of 0.1 s was spoken, nor finally before the last.
    assert!(seconds("first_token") > 0.1 && seconds("finalisation") > 0.0, "{report:#}");
    // A runtime that hears whole recordings only is told so.
    world.describe("onnx", "");
    let refused = world.eval(&["--stream"]);
    assert_eq!(refused.status.code(), Some(1));
}

#[test]
fn what_cannot_be_evaluated_is_told_before_anything_runs() {
    let mut world = World::new();
    world.add("near", &json!({"role": "scored"}), DIAL_OUT.0, DIAL_OUT.1);
    world.describe("pocketsphinx", "beams = 1");
    world.assert_refused(&["ffasr.toml", "`beams` is not known"]);
    world.describe("pocketsphinx", "lm = \"task.lm\"");
    world.assert_refused(&["task.lm"]);
    world.describe("pocketsphinx", "");
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
    world.describe("pocketsphinx", "lm = \"broken.lm\"");
    fs::write(world.model().join("broken.lm"), "no model").unwrap();
    let output = world.eval(&[]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("could not be loaded") && message.contains("/model/broken.lm"), "{message}");
}

const DIGITS: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/// White noise of a linear congruential generator (Knuth's MMIX), from −1 to 1.
fn noise(seed: u64) -> impl Iterator<Item = f64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 23) - 1.0
    })
}

/// Digits one after the other in noise, so many decibels below them.
fn in_noise(digits: &[usize], snr_db: f64, seed: u64) -> Vec<i16> {
    let speech: Vec<i16> = digits.iter().flat_map(|digit| decode(&format!("digits/{digit}"))).collect();
    let power = |values: &[f64]| values.iter().map(|it| it * it).sum::<f64>() / values.len() as f64;
    let clean: Vec<f64> = speech.iter().map(|&it| f64::from(it)).collect();
    let added: Vec<f64> = noise(seed).take(clean.len()).collect();
    let gain = (power(&clean) / power(&added)).sqrt() * 10_f64.powf(-snr_db / 20.0);
    clean.iter().zip(&added).map(|(speech, noise)| (speech + gain * noise).round() as i16).collect()
}

/// Train the digit model with the Python of the installed runtime.
fn train(world: &World) {
    let runtime = sandbox::runtime::default_root().join("onnx");
    let digits = world.directory.path().join("digits");
    fs::create_dir(&digits).unwrap();
    for digit in 0..10 {
        write_wav(&digits.join(format!("{digit}.wav")), &decode(&format!("digits/{digit}")));
    }
    let output = Command::new(runtime.join("venv/bin/python"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/digits/train.py"))
        .args([&runtime, &digits, &world.model()])
        .env("OPENBLAS_NUM_THREADS", "1")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap_or_else(|error| panic!("{error}; install the runtime with deploy/runtimes/install onnx"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_neural_model_trained_here_hears_digits_and_hears_them_worse_in_noise() {
    let mut world = World::new();
    train(&world);
    world.describe("onnx", "bands = 26");
    // The prompts it was taught, in sequences and noise it was not.
    let sequences = [[4, 0, 7, 3, 7, 1], [9, 6, 6, 8, 5, 7], [2, 3, 2, 2, 5, 3], [1, 8, 0, 4, 9, 2]];
    for (track, snr_db) in [("near", 40.0), ("far-high", 20.0), ("far-mid", 10.0), ("far-low", 0.0)] {
        for (index, digits) in sequences.iter().enumerate() {
            let words = digits.map(|digit| DIGITS[digit]).join(" ");
            let samples = in_noise(digits, snr_db, index as u64);
            world.add_samples(track, &json!({"role": "scored"}), &format!("s{index}"), &words, &samples);
        }
    }
    let output = world.eval(&["--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    // 26 bands x 13 taps to 48 units to 11 tokens, each layer with its offsets.
    assert_eq!(report["results"]["report"]["num_params"], 26 * 13 * 48 + 48 + 48 * 11 + 11);
    // Digit by digit: the board's normaliser makes one number of a sequence.
    let texts: Vec<&str> = report["results"]["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["text"].as_str().unwrap())
        .collect();
    let rate = |track: usize| {
        let counts: scoring::Counts = (0..4)
            .map(|it| {
                let words = sequences[it].map(|digit| DIGITS[digit]).join(" ");
                scoring::count_words(&words, texts[4 * track + it])
            })
            .sum();
        counts.rate().unwrap()
    };
    assert!(rate(0) <= 0.1, "{} near: {texts:?}", rate(0));
    assert!(rate(3) > rate(0) + 0.3, "{} in noise as loud as speech: {texts:?}", rate(3));
    let wer = |track: &str| report["summary"]["tracks"][track]["wer"].as_f64().unwrap();
    // In the result a sequence is one word, right or wrong as a whole: at most one of the four may be.
    assert!(wer("near") <= 0.25 && wer("near") < wer("far-low"), "{}", report["summary"]);
}
