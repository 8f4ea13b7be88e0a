//! Evaluators as the public board takes them, unchanged, on the runtime `evaluator-pocketsphinx`: the examples of the
//! documentation on real speech, and what is wrong with others.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up panics")]
#![expect(dead_code, reason = "shares its surroundings with the other tests")]

mod common;

use std::fs;

use common::{prompt, text};
use protocol::{DecodingValue, FailureClass, ModelManifest};
use sandbox::{Audio, Cancel, RunError, RunResult, RunSpec, runtime};

const EXAMPLES: [(&str, &str); 3] = [
    ("silence.py", include_str!("../../../deploy/runtimes/evaluator/examples/silence.py")),
    ("plain.py", include_str!("../../../deploy/runtimes/evaluator/examples/plain.py")),
    ("levelled.py", include_str!("../../../deploy/runtimes/evaluator/examples/levelled.py")),
];

/// Run these files as a model on real speech.
fn evaluate(files: &[(&str, &str)], evaluator: Option<&str>) -> Result<RunResult, RunError> {
    let name = "evaluator-pocketsphinx";
    let runtime =
        runtime::load(&runtime::default_root().join(name)).unwrap_or_else(|it| panic!("{it} {name}"));
    let directory = common::public_directory();
    let model = directory.path().join("model");
    fs::create_dir(&model).unwrap();
    for (name, content) in files {
        fs::write(model.join(name), content).unwrap();
    }
    let names: Vec<&str> = files.iter().map(|it| it.0).collect();
    let named = evaluator.map(|it| ("evaluator".to_owned(), DecodingValue::Text(it.to_owned())));
    let manifest = ModelManifest {
        name: "Evaluator".into(),
        organisation: "Test".into(),
        licence: "MIT".into(),
        runtime: name.into(),
        num_params: None,
        training_data: String::new(),
        notes: String::new(),
        tracks: Vec::new(),
        multichannel: false,
        hub: None,
        decoding: named.into_iter().collect(),
    };
    assert_eq!(runtime.declaration.problems(&manifest.decoding, &names), []);
    let audio: Audio = prompt("vm-dialout", directory.path());
    let spec = RunSpec {
        runtime: &runtime,
        manifest: &manifest,
        model: &model,
        scratch: directory.path(),
        warm_up: &[],
        items: &[audio],
        known: &[],
        repeats: &[],
        throughput: true,
        devices: &[],
        seed: 1,
        limits: common::LIMITS,
    };
    common::SANDBOX.run(&spec, &mut |_| {}, &Cancel::default())
}

fn said(files: &[(&str, &str)], evaluator: Option<&str>) -> (String, Option<u64>) {
    let result = evaluate(files, evaluator).unwrap_or_else(|it| panic!("{it}\n{}", it.log_tail));
    (text(&result.items[0].outcome), result.num_params)
}

#[test]
fn the_three_examples_of_the_documentation_run() {
    let [silence, plain, levelled] = EXAMPLES;
    // What is said, by Debian's core-sounds-en.txt.
    let words = "please wait while i connect your call";
    assert_eq!(said(&[silence], None), (String::new(), Some(0)));
    assert_eq!(said(&[plain], None), (words.to_owned(), None));
    assert_eq!(said(&[plain, levelled], Some("levelled.py")), (words.to_owned(), None));
}

#[test]
fn an_evaluator_finds_its_own_files_and_no_network() {
    let code = "
import socket
from pathlib import Path
weights = Path(__file__).with_name('weights.txt').read_text()
assert weights == Path('weights.txt').read_text(), 'the working directory is its own'
NUM_PARAMS = 0.6e9
def evaluate(file: Path) -> str:
    try:
        socket.create_connection(('127.0.0.1', 80), 1)
    except OSError:
        return f'{weights} {type(file).__name__} {file.suffix}'
";
    let (text, parameters) = said(&[("evaluator.py", code), ("weights.txt", "heavy")], None);
    assert_eq!((text.as_str(), parameters), ("heavy PosixPath .wav", Some(600_000_000)));
}

#[test]
fn an_error_in_one_file_is_that_items_and_its_story_is_in_the_log() {
    let code = "def evaluate(file):\n    raise ValueError('too quiet')\n";
    let result = evaluate(&[("evaluator.py", code)], None).unwrap();
    assert_eq!(text(&result.items[0].outcome), "error: ValueError: too quiet");
    assert!(result.log_tail.contains("Traceback"), "{}", result.log_tail);
    let code = "def evaluate(file):\n    return 7\n";
    let result = evaluate(&[("evaluator.py", code)], None).unwrap();
    assert_eq!(
        text(&result.items[0].outcome),
        "error: TypeError: evaluate returned int, neither str nor a list of segments"
    );
}

#[test]
fn what_is_no_evaluator_is_a_load_error_that_says_why() {
    let cases: [(&[(&str, &str)], &str); 4] = [
        (&[("evaluator.py", "def transcribe(file): pass")], "defines no function `evaluate"),
        (&[("a.py", ""), ("b.py", "")], "there are 2 Python files"),
        (&[("evaluator.py", "import torch_that_is_not_here")], "No module named 'torch_that_is_not_here'"),
        (
            &[("evaluator.py", "NUM_PARAMS = '600M'\ndef evaluate(file): return ''")],
            "NUM_PARAMS must be a whole number",
        ),
    ];
    for (files, words) in cases {
        let error = evaluate(files, None).unwrap_err();
        assert_eq!(error.fault.class(), Some(FailureClass::LoadError), "{error}");
        assert!(error.log_tail.contains(words), "{}", error.log_tail);
    }
}
