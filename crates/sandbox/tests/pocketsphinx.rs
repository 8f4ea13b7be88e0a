//! A real engine on real speech: prompts of Debian's `asterisk-core-sounds-en-g722` (Allison Smith, CC BY-SA 3.0).

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up panics")]
#![expect(dead_code, reason = "shares its surroundings with the other tests")]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
};

use common::prompt;
use protocol::{FailureClass, ModelManifest};
use sandbox::{Audio, Cancel, RunSpec, runtime};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn manifest(name: &str) -> ModelManifest {
    let path = repository().join("deploy/demo/models").join(format!("{name}.toml"));
    toml::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn pocketsphinx() -> runtime::Installed {
    runtime::load(&runtime::default_root().join("pocketsphinx"))
        .unwrap_or_else(|error| panic!("{error} pocketsphinx"))
}

fn transcribe(
    manifest: &ModelManifest,
    items: &[Audio],
    repeats: &[Vec<Audio>],
) -> Result<sandbox::RunResult, sandbox::RunError> {
    let directory = common::public_directory();
    let model = directory.path().join("model");
    fs::create_dir(&model).unwrap();
    let spec = RunSpec {
        runtime: &pocketsphinx(),
        manifest,
        model: &model,
        scratch: directory.path(),
        warm_up: &items[..1],
        items,
        known: &[],
        repeats,
        throughput: true,
        devices: &[],
        seed: 1,
        limits: common::LIMITS,
    };
    common::SANDBOX.run(&spec, &mut |_| {}, &Cancel::default())
}

#[test]
fn real_speech_is_transcribed_and_no_item_depends_on_what_was_heard_before() {
    let directory = common::public_directory();
    let items = ["vm-dialout", "cannot-complete-as-dialed", "confbridge-invalid", "conf-waitforleader"]
        .map(|name| prompt(name, directory.path()));
    let mut manifest = manifest("pocketsphinx-accurate");
    // With the language model of the package: the demo's is made of the very prompts.
    manifest.decoding.remove("lm");
    // Passes of one item each fix the order: as given, then backwards.
    let singly = |it: &Audio| vec![it.clone()];
    let orders: Vec<Vec<Audio>> = items.iter().map(singly).chain(items.iter().rev().map(singly)).collect();
    let result = transcribe(&manifest, &items, &orders).unwrap_or_else(|it| panic!("{it}\n{}", it.log_tail));
    let texts = common::texts(&result);
    // What is said, by Debian's core-sounds-en.txt.
    assert_eq!(
        texts[..2],
        ["please wait while i connect your call", "your call cannot be completed as dialed"]
    );
    let again: Vec<String> = result.repeats.concat().iter().map(|it| common::text(&it.outcome)).collect();
    assert_eq!(again[..4], texts);
    assert_eq!(again[4..].iter().rev().cloned().collect::<Vec<_>>(), texts);
    // Means and variances of 128 Gaussians x 39 dimensions in 42 codebooks, 42 transition matrices of 3 x 4, and
    // mixture weights of 5126 states over 128 Gaussians in 3 streams.
    assert_eq!(result.num_params, Some(2 * 128 * 39 * 42 + 42 * 3 * 4 + 5_126 * 128 * 3));
    let seconds: f64 = result.items.iter().map(|it| it.seconds).sum();
    assert!(seconds > 0.0 && result.ready_seconds > 0.0);
}

#[test]
fn speech_is_transcribed_while_it_is_spoken_with_words_before_its_end() {
    let directory = common::public_directory();
    let items = ["vm-dialout", "cannot-complete-as-dialed"].map(|name| prompt(name, directory.path()));
    let model = directory.path().join("model");
    fs::create_dir(&model).unwrap();
    let mut manifest = manifest("pocketsphinx-fast");
    manifest.decoding = protocol::Decoding::new();
    let spec = RunSpec {
        runtime: &pocketsphinx(),
        manifest: &manifest,
        model: &model,
        scratch: directory.path(),
        warm_up: &[],
        items: &items,
        known: &[],
        repeats: &[],
        throughput: false,
        devices: &[],
        seed: 1,
        limits: common::LIMITS,
    };
    let streamed = common::SANDBOX.stream(&spec, &mut |_| {}, &Cancel::default());
    let streamed = streamed.unwrap_or_else(|it| panic!("{it}\n{}", it.log_tail));
    // What is said, by Debian's core-sounds-en.txt.
    for (item, (said, audio)) in streamed.iter().zip([
        ("please wait while i connect your call", &items[0]),
        ("your call cannot be completed as dialed", &items[1]),
    ]) {
        let heard = common::text(&item.outcome);
        let right = said.split(' ').filter(|word| heard.split(' ').any(|it| it == *word)).count();
        assert!(right >= 4, "{heard}");
        // Nothing can be known before it was spoken, and the end comes after all of it was.
        assert!(item.first_token_seconds.unwrap() > 0.1, "{item:?}");
        assert!(item.finalisation_seconds > 0.0, "{item:?}");
        assert!(audio.seconds > 1.0);
    }
}

#[test]
fn a_front_end_cleans_what_the_recogniser_hears() {
    let directory = common::public_directory();
    let item = prompt("vm-dialout", directory.path());
    let model = directory.path().join("model");
    fs::create_dir(&model).unwrap();
    let example = repository().join("deploy/runtimes/front_ends/spectral_subtraction.py");
    fs::copy(example, model.join("spectral.py")).unwrap();
    fs::write(model.join("mute.py"), "def enhance(samples, rate):\n    return 0 * samples\n").unwrap();
    let mut manifest = manifest("pocketsphinx-accurate");
    manifest.decoding.remove("lm");
    let mut hear = |front_end: &str| {
        manifest.decoding.insert("front_end".into(), protocol::DecodingValue::Text(front_end.into()));
        let spec = RunSpec {
            runtime: &pocketsphinx(),
            manifest: &manifest,
            model: &model,
            scratch: directory.path(),
            warm_up: &[],
            items: std::slice::from_ref(&item),
            known: &[],
            repeats: &[],
            throughput: false,
            devices: &[],
            seed: 1,
            limits: common::LIMITS,
        };
        let result = common::SANDBOX.run(&spec, &mut |_| {}, &Cancel::default());
        common::texts(&result.unwrap_or_else(|it| panic!("{it}\n{}", it.log_tail))).remove(0)
    };
    assert_eq!(hear("spectral.py"), "please wait while i connect your call");
    // A recogniser may make something of silence, but not these words.
    let mute = hear("mute.py");
    assert!(!mute.contains("wait") && !mute.contains("call"), "{mute}");
}

#[test]
fn the_demos_models_fit_the_runtimes_declaration() {
    let declaration = runtime::declaration(&repository().join("deploy/runtimes/pocketsphinx")).unwrap();
    for name in ["pocketsphinx-accurate", "pocketsphinx-default", "pocketsphinx-fast"] {
        let manifest = manifest(name);
        assert_eq!(manifest.runtime, declaration.name);
        // The demo uploads its language model with the two that name one.
        assert_eq!(declaration.problems(&manifest.decoding, &["prompts.arpa"]), []);
    }
}

#[test]
fn a_file_the_decoder_cannot_read_is_a_load_error_with_its_reason_in_the_log() {
    let directory = common::public_directory();
    let item = prompt("vm-dialout", directory.path());
    let mut manifest = manifest("pocketsphinx-fast");
    manifest.decoding.insert("lm".into(), protocol::DecodingValue::Text("missing.lm".into()));
    let error = transcribe(&manifest, &[item], &[]).unwrap_err();
    assert_eq!(error.fault.class(), Some(FailureClass::LoadError));
    assert!(error.log_tail.contains("/model/missing.lm"), "{}", error.log_tail);
}
