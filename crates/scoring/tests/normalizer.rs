//! Normalisers against the outputs of the reference implementations.

#![expect(clippy::unwrap_used, reason = "a malformed vector file should fail the test")]

use scoring::Normalizer;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    normalizer: String,
    category: String,
    input: String,
    expected: String,
}

fn check(reference: &str, normalizer: Normalizer) {
    let cases: Vec<Case> = include_str!("vectors/normalizer.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|case: &Case| case.normalizer == reference)
        .collect();
    assert_eq!(cases.len(), 117);
    let wrong: Vec<String> = cases
        .iter()
        .filter(|case| normalizer.normalize(&case.input) != case.expected)
        .map(|c| {
            format!("{}: {:?}\n {:?}\n {:?}", c.category, c.input, c.expected, normalizer.normalize(&c.input))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn whisper_english_equals_openai_whisper_20250625() {
    check("whisper", Normalizer::WhisperEnglish);
}

#[test]
fn open_asr_english_equals_the_leaderboard_at_d1e99b2() {
    check("open_asr", Normalizer::OpenAsrEnglish);
}

#[test]
fn basic_equals_openai_whisper_20250625() {
    check("basic", Normalizer::Basic);
}

#[derive(Deserialize)]
struct Generated {
    input: String,
    whisper: String,
    basic: String,
}

#[test]
fn generated_text_equals_openai_whisper_20250625() {
    // Random number words, contractions, British spellings and characters of all scripts, put through the package.
    for line in include_str!("vectors/normalizer_generated.jsonl").lines() {
        let case: Generated = serde_json::from_str(line).unwrap();
        assert_eq!(Normalizer::WhisperEnglish.normalize(&case.input), case.whisper, "{:?}", case.input);
        assert_eq!(Normalizer::Basic.normalize(&case.input), case.basic, "{:?}", case.input);
    }
}

#[test]
fn names_read_back_and_a_bare_name_means_the_newest_version() {
    for normalizer in Normalizer::ALL {
        assert_eq!(normalizer.to_string().parse(), Ok(normalizer));
    }
    assert_eq!("whisper-en".parse(), Ok(Normalizer::WhisperEnglish));
    let unknown = "whisper-en@9".parse::<Normalizer>().unwrap_err();
    assert!(unknown.to_string().contains("whisper-en@9"));
}
