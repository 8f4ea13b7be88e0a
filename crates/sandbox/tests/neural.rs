//! The runtimes for neural models on tiny ones with random weights, made here and loaded through the real code path; what
//! each is to say comes from the library's own pipeline.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up panics")]
#![expect(dead_code, reason = "shares its surroundings with the other tests")]

mod common;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use common::{prompt, text, texts};
use protocol::{Decoding, DecodingValue, FailureClass, Limits, ModelManifest};
use sandbox::{Audio, Cancel, RunError, RunResult, RunSpec, runtime};
use tempfile::TempDir;

/// A library of a gigabyte is mapped and partly read.
const LIMITS: Limits = Limits { memory_bytes: 4 << 30, ..common::LIMITS };

/// A model in the making: its directory, the audio it hears, and what it is to say.
struct World {
    directory: TempDir,
    audio: Vec<Audio>,
    /// What the library's pipeline hears.
    expected: Vec<String>,
    parameters: u64,
}

fn installed(name: &str) -> runtime::Installed {
    runtime::load(&runtime::default_root().join(name)).unwrap_or_else(|it| panic!("{it} {name}"))
}

/// How a tiny model is made: the program below `tests/models`, the runtime whose Python runs it, and the runtime whose
/// packages it needs beside.
struct Maker {
    program: &'static str,
    runtime: &'static str,
    beside: Option<&'static str>,
}

fn maker(kind: &str) -> Maker {
    match kind {
        "nemo-ctc" | "nemo-transducer" => Maker { program: "make_nemo.py", runtime: "nemo", beside: None },
        "speechbrain" => Maker { program: "make_speechbrain.py", runtime: "speechbrain", beside: None },
        "transducer" => {
            Maker { program: "make_transducer.py", runtime: "transformers", beside: Some("nemo") }
        }
        // The package `onnx`, with which PyTorch exports.
        "onnx" => Maker { program: "make.py", runtime: "transformers", beside: Some("nemo") },
        _ => Maker { program: "make.py", runtime: "transformers", beside: Some("faster-whisper") },
    }
}

impl World {
    /// A tiny random model of this kind (see `models/`), its files below `model`.
    fn new(kind: &str) -> Self {
        let directory = common::public_directory();
        let audio: Vec<Audio> =
            ["vm-dialout", "cannot-complete-as-dialed"].map(|it| prompt(it, directory.path())).to_vec();
        let model = directory.path().join("model");
        fs::create_dir(&model).unwrap();
        let maker = maker(kind);
        let mut command = Command::new(installed(maker.runtime).directory.join("venv/bin/python"));
        command
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models").join(maker.program))
            .args([Path::new(kind.trim_start_matches("nemo-")), &model])
            .args(audio.iter().map(|it| &it.path))
            .env("PYTHONDONTWRITEBYTECODE", "1");
        if let Some(beside) = maker.beside {
            command.env("PYTHONPATH", packages(&installed(beside).directory));
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // The library writes weights for their owner's eyes only; a worker's fetched files are for the sandbox's user.
        readable(&model);
        // Libraries talk before.
        let printed = String::from_utf8(output.stdout).unwrap();
        let told: serde_json::Value = serde_json::from_str(printed.trim().lines().last().unwrap()).unwrap();
        let expected = told["texts"].as_array().unwrap().iter();
        let expected: Vec<String> = expected.map(|it| words(it.as_str().unwrap())).collect();
        assert!(expected.iter().all(|it| !it.is_empty()), "silent models prove nothing: {expected:?}");
        // The one that is converted says the same whatever it hears, so that two engines agree.
        assert!(kind == "ctranslate2" || expected[0] != expected[1], "{expected:?}");
        Self { directory, audio, expected, parameters: told["parameters"].as_u64().unwrap() }
    }

    fn model(&self) -> PathBuf {
        self.directory.path().join("model")
    }

    fn run(
        &self,
        runtime: &str,
        model: &Path,
        decoding: &[(&str, DecodingValue)],
    ) -> Result<RunResult, RunError> {
        let runtime = installed(runtime);
        let decoding: Decoding = decoding.iter().map(|(name, it)| ((*name).to_owned(), it.clone())).collect();
        assert_eq!(runtime.declaration.problems(&decoding, &["request.txt"]), []);
        let manifest = ModelManifest {
            name: "Tiny".into(),
            organisation: "Test".into(),
            licence: "MIT".into(),
            runtime: runtime.declaration.name.clone(),
            num_params: None,
            training_data: String::new(),
            notes: String::new(),
            tracks: Vec::new(),
            multichannel: false,
            hub: None,
            decoding,
        };
        let backwards: Vec<Audio> = self.audio.iter().rev().cloned().collect();
        let spec = RunSpec {
            runtime: &runtime,
            manifest: &manifest,
            model,
            scratch: self.directory.path(),
            warm_up: &[],
            items: &self.audio,
            known: &[],
            repeats: &[backwards],
            throughput: true,
            devices: &[],
            seed: 1,
            limits: LIMITS,
        };
        common::SANDBOX.run(&spec, &mut |_| {}, &Cancel::default())
    }
}

fn readable(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let mode = if path.is_dir() { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        if path.is_dir() {
            readable(&path);
        }
    }
}

/// Where an environment keeps its packages.
fn packages(runtime: &Path) -> PathBuf {
    let library = fs::read_dir(runtime.join("venv/lib")).unwrap().next().unwrap().unwrap();
    library.path().join("site-packages")
}

/// Text as adapters tell it: words with single spaces.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn done(result: Result<RunResult, RunError>) -> RunResult {
    result.unwrap_or_else(|error| panic!("{error}\n{}", error.log_tail))
}

/// The texts are the library's own, and the same whatever was heard before.
fn assert_says_the_same(world: &World, result: &RunResult) {
    let texts = texts(result);
    for (text, expected) in texts.iter().zip(&world.expected) {
        // The library masks no padding where there is none, which rounds differently: a near-tie may fall otherwise.
        assert!(edits(text, expected) <= expected.len() / 25, "{text}\n{expected}");
    }
    let again: Vec<String> = result.repeats[0].iter().rev().map(|it| text(&it.outcome)).collect();
    assert_eq!(again, texts);
}

/// Levenshtein's distance in characters.
fn edits(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, from) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for (place, to) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[place + 1];
            row[place + 1] = replaced.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row[other.len()]
}

#[test]
fn a_wav2vec2_model_says_what_the_librarys_pipeline_says_alone_and_in_batches() {
    let world = World::new("wav2vec2");
    let batch = ("batch", DecodingValue::Integer(2));
    let result = done(world.run("transformers", &world.model(), &[batch]));
    assert_says_the_same(&world, &result);
    assert_eq!(result.num_params, Some(world.parameters));
    let throughput = result.throughput.unwrap();
    assert!(throughput.makespan_seconds > 0.0 && throughput.batch <= 2, "{throughput:?}");

    // The same weights as a pickle are not read.
    let pickled = world.directory.path().join("pickled");
    fs::create_dir(&pickled).unwrap();
    for entry in fs::read_dir(world.model()).unwrap() {
        let path = entry.unwrap().path();
        let name =
            path.file_name().unwrap().to_str().unwrap().replace("model.safetensors", "pytorch_model.bin");
        fs::copy(&path, pickled.join(name)).unwrap();
    }
    let error = world.run("transformers", &pickled, &[]).unwrap_err();
    assert_eq!(error.fault.class(), Some(FailureClass::LoadError), "{error}");
    assert!(error.log_tail.contains("safetensors"), "{}", error.log_tail);
}

#[test]
fn a_whisper_model_says_what_the_librarys_pipeline_says() {
    let world = World::new("whisper");
    let result = done(world.run("transformers", &world.model(), &[]));
    assert_says_the_same(&world, &result);
    assert_eq!(result.num_params, Some(world.parameters));
}

#[test]
fn a_whisper_model_converted_to_ctranslate2_says_what_the_original_says() {
    let world = World::new("ctranslate2");
    let greedy = [("beams", DecodingValue::Integer(1)), ("fallback", DecodingValue::Boolean(false))];
    let result = done(world.run("faster-whisper", &world.model().join("converted"), &greedy));
    assert_says_the_same(&world, &result);
}

/// One after the other: two at once would load the library twice on a small machine.
#[test]
fn language_models_that_hear_answer_what_the_library_answers() {
    for kind in ["granite", "qwen2-audio", "qwen3-asr", "voxtral"] {
        let world = World::new(kind);
        let batch = ("batch", DecodingValue::Integer(2));
        let result = done(world.run("transformers", &world.model(), &[batch]));
        assert_says_the_same(&world, &result);
        assert_eq!(result.num_params, Some(world.parameters), "{kind}");
        assert!(result.throughput.is_some_and(|it| it.rtfx > 0.0), "{kind}");
    }
}

#[test]
fn a_language_model_is_asked_what_its_manifest_says() {
    let world = World::new("granite");
    fs::write(world.model().join("request.txt"), "write down what you hear\n").unwrap();
    let request = ("request", DecodingValue::Text("request.txt".into()));
    let result = done(world.run("transformers", &world.model(), &[request]));
    assert_ne!(texts(&result), world.expected);
}

fn kind(kind: &str) -> [(&'static str, DecodingValue); 1] {
    [("kind", DecodingValue::Text(kind.into()))]
}

#[test]
fn a_transducer_in_onnx_says_what_it_says_in_pytorch_on_kaldis_features() {
    let world = World::new("transducer");
    let result = done(world.run("onnx", &world.model(), &kind("transducer")));
    assert_says_the_same(&world, &result);
    // In ONNX the constants of an exporter are counted, too.
    assert!(result.num_params.is_some_and(|it| it >= world.parameters && it < world.parameters + 100));
}

#[test]
fn a_whisper_model_in_onnx_says_what_the_librarys_pipeline_says() {
    let world = World::new("onnx");
    let result = done(world.run("onnx", &world.model(), &kind("whisper")));
    assert_says_the_same(&world, &result);
}

#[test]
fn a_transducer_of_nemo_says_what_the_library_says() {
    let world = World::new("nemo-transducer");
    let result = done(world.run("nemo", &world.model(), &[]));
    assert_says_the_same(&world, &result);
    assert_eq!(result.num_params, Some(world.parameters));
}

#[test]
fn a_ctc_model_of_nemo_says_what_the_library_says_and_archives_are_not_trusted() {
    let world = World::new("nemo-ctc");
    let batch = ("batch", DecodingValue::Integer(2));
    let result = done(world.run("nemo", &world.model(), &[batch]));
    assert_says_the_same(&world, &result);
    assert_eq!(result.num_params, Some(world.parameters));

    let refused = |archive: &str, words: &str| {
        let model = world.directory.path().join(archive.trim_end_matches(".nemo"));
        fs::create_dir(&model).unwrap();
        fs::copy(world.directory.path().join(archive), model.join("model.nemo")).unwrap();
        let error = world.run("nemo", &model, &[]).unwrap_err();
        assert_eq!(error.fault.class(), Some(FailureClass::LoadError), "{error}");
        assert!(error.log_tail.contains(words), "{}", error.log_tail);
    };
    refused("foreign.nemo", "names the class shutil.rmtree");
    refused("pickled.nemo", "Weights only load failed");
}

#[test]
fn a_speechbrain_model_says_what_the_library_says_and_its_description_builds_nothing_else() {
    let world = World::new("speechbrain");
    let interface = ("interface", DecodingValue::Text("EncoderASR".into()));
    let batch = ("batch", DecodingValue::Integer(2));
    let result = done(world.run("speechbrain", &world.model(), &[interface.clone(), batch]));
    assert_says_the_same(&world, &result);
    assert_eq!(result.num_params, Some(world.parameters));

    let path = world.model().join("hyperparams.yaml");
    let text = fs::read_to_string(&path).unwrap();
    for code in [
        "!apply:os.system [id]",
        "!new:subprocess.Popen [id]",
        "!include:other.yaml",
        "!!python/object/apply:os.system [id]",
    ] {
        fs::write(&path, format!("more: {code}\n{text}")).unwrap();
        let error = world.run("speechbrain", &world.model(), std::slice::from_ref(&interface)).unwrap_err();
        assert_eq!(error.fault.class(), Some(FailureClass::LoadError), "{error}");
        assert!(error.log_tail.contains("hyperparams.yaml says"), "{code}: {}", error.log_tail);
    }
}
