//! Alignment against the reference tools.

#![expect(clippy::unwrap_used, reason = "a malformed vector file should fail the test")]

use scoring::{
    Counts, ScoringProfile, align, count_chars, count_words, count_words_merged, counts, split_words,
};
use serde_json::Value;

fn pairs() -> Vec<Value> {
    include_str!("vectors/wer.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn texts(pair: &Value) -> (&str, &str) {
    (pair["ref"].as_str().unwrap(), pair["hyp"].as_str().unwrap())
}

#[test]
fn counts_are_those_with_the_fewest_errors_then_the_fewest_substitutions() {
    for pair in pairs() {
        let (reference, hypothesis) = texts(&pair);
        let expected = &pair["fewest_substitutions"];
        let expected = Counts {
            hits: expected["hits"].as_u64().unwrap(),
            substitutions: expected["sub"].as_u64().unwrap(),
            deletions: expected["del"].as_u64().unwrap(),
            insertions: expected["ins"].as_u64().unwrap(),
        };
        assert_eq!(count_words(reference, hypothesis), expected, "{}", pair["id"]);
        let steps = align(&split_words(reference), &split_words(hypothesis));
        assert_eq!(counts(&steps), expected, "{}", pair["id"]);
    }
}

#[test]
fn error_totals_equal_kaldialign_and_jiwer() {
    for pair in pairs() {
        let (reference, hypothesis) = texts(&pair);
        let ours = count_words(reference, hypothesis);
        assert_eq!(ours.errors(), pair["kaldialign"]["total"].as_u64().unwrap(), "{}", pair["id"]);
        assert_eq!(ours.ref_words(), pair["kaldialign"]["ref_len"].as_u64().unwrap(), "{}", pair["id"]);
        // jiwer splits at the space character only (jitsi/jiwer#129), so other white space makes it count fewer words.
        if pair["category"] != "space" {
            let jiwer = &pair["jiwer"];
            let total = ["substitutions", "deletions", "insertions"].map(|k| jiwer[k].as_u64().unwrap());
            assert_eq!(ours.errors(), total.iter().sum::<u64>(), "{}", pair["id"]);
        }
    }
}

#[test]
fn error_totals_equal_sclite() {
    let pairs = pairs();
    let with_sclite: Vec<&Value> = pairs.iter().filter(|pair| pair["sclite"]["path"].is_string()).collect();
    assert_eq!(with_sclite.len(), 125);
    for pair in with_sclite {
        let (reference, hypothesis) = texts(pair);
        let path = pair["sclite"]["path"].as_str().unwrap();
        let errors = path.chars().filter(|step| *step != 'C').count() as u64;
        assert_eq!(count_words(reference, hypothesis).errors(), errors, "{}", pair["id"]);
    }
}

#[test]
fn character_error_totals_equal_jiwer() {
    for pair in pairs().iter().filter(|pair| pair["category"] != "space" && !pair["jiwer_cer"].is_null()) {
        let (reference, hypothesis) = texts(pair);
        let jiwer = &pair["jiwer_cer"];
        let total: u64 =
            ["substitutions", "deletions", "insertions"].iter().map(|k| jiwer[k].as_u64().unwrap()).sum();
        assert_eq!(count_chars(reference, hypothesis).errors(), total, "{}", pair["id"]);
    }
}

#[test]
fn corpus_totals_equal_kaldialign() {
    let pairs = pairs();
    let groups: Vec<Value> = serde_json::from_str(include_str!("vectors/wer_corpus.json")).unwrap();
    assert_eq!(groups.len(), 6);
    for group in groups {
        let ids = group["ids"].as_array().unwrap();
        let total: Counts = pairs
            .iter()
            .filter(|pair| ids.contains(&pair["id"]))
            .map(texts)
            .map(|(reference, hypothesis)| count_words(reference, hypothesis))
            .sum();
        assert_eq!(total.errors(), group["kaldialign"]["total"].as_u64().unwrap());
        assert_eq!(total.ref_words(), group["kaldialign"]["ref_len"].as_u64().unwrap());
    }
}

#[test]
fn merged_totals_equal_kaldialign() {
    for pair in pairs() {
        let (reference, hypothesis) = texts(&pair);
        let (ours, _) = count_words_merged(reference, hypothesis);
        assert_eq!(
            ours.errors(),
            pair["kaldialign_merge_compounds"]["total"].as_u64().unwrap(),
            "{}",
            pair["id"]
        );
        assert_eq!(ours.ref_words(), pair["kaldialign"]["ref_len"].as_u64().unwrap(), "{}", pair["id"]);
    }
}

#[test]
fn the_open_asr_profile_equals_the_leaderboard_from_raw_text() {
    for line in include_str!("vectors/wer_end_to_end.jsonl").lines() {
        let pair: Value = serde_json::from_str(line).unwrap();
        let (reference, hypothesis) = texts(&pair);
        let profile = ScoringProfile::OPEN_ASR;
        let merged = profile.score(reference, hypothesis).words;
        assert_eq!(merged.errors(), pair["merge_compounds"]["total"].as_u64().unwrap(), "{}", pair["id"]);
        assert_eq!(
            merged.ref_words(),
            pair["merge_compounds"]["ref_len"].as_u64().unwrap(),
            "{}",
            pair["id"]
        );
        let plain = ScoringProfile { merge_compounds: false, ..profile }.score(reference, hypothesis).words;
        assert_eq!(plain.errors(), pair["plain_total"].as_u64().unwrap(), "{}", pair["id"]);
    }
}
