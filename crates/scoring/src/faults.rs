//! Outputs that went wrong as a whole: definitions and thresholds in one place.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::align::{Step, counts};

/// Fewest reference words missing at the end for a truncated output.
pub const TRUNCATED_WORDS: usize = 5;
/// Smallest share of the reference missing at the end for a truncated output.
pub const TRUNCATED_SHARE: f64 = 0.25;
/// How often a phrase comes in a row for a loop.
pub const LOOP_REPEATS: usize = 4;
/// Longest phrase that is looked at for loops, in words.
pub const LOOP_PHRASE: usize = 10;
/// Fewest words that a loop covers.
pub const LOOP_WORDS: usize = 8;
/// A runaway output has more than this many times the reference words, plus [`RUNAWAY_EXTRA`].
pub const RUNAWAY_FACTOR: usize = 2;
/// See [`RUNAWAY_FACTOR`].
pub const RUNAWAY_EXTRA: usize = 10;
/// Fewest words of a hallucinated output to an utterance. In silence, any word is hallucinated.
pub const HALLUCINATED_WORDS: usize = 4;
/// Largest share of its words that a hallucinated output has right.
pub const HALLUCINATED_HITS: f64 = 0.1;

/// What can be wrong with an output as a whole. An output can have several faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// No words, though the reference has some.
    Empty,
    /// At least [`TRUNCATED_WORDS`] words and [`TRUNCATED_SHARE`] of the reference missing at its end.
    Truncated,
    /// A phrase of up to [`LOOP_PHRASE`] words at least [`LOOP_REPEATS`] times in a row over at least [`LOOP_WORDS`]
    /// words, which the reference does not have.
    Looping,
    /// Far more words than the reference: see [`RUNAWAY_FACTOR`].
    Runaway,
    /// Words that have nothing to do with the reference: see [`HALLUCINATED_WORDS`] and [`HALLUCINATED_HITS`].
    Hallucinated,
    /// At least as many errors as reference words: the item would not be worse without any output.
    Catastrophic,
}

/// The faults of an output, from normalised words and their alignment.
pub fn faults(reference: &[&str], hypothesis: &[&str], steps: &[Step]) -> BTreeSet<Fault> {
    let counts = counts(steps);
    let words = hypothesis.len();
    let missing = steps.iter().rev().take_while(|step| matches!(step, Step::Deletion { .. })).count();
    let is_unrelated = if reference.is_empty() {
        words > 0
    } else {
        words >= HALLUCINATED_WORDS && counts.hits as f64 <= HALLUCINATED_HITS * words as f64
    };
    let is_truncated =
        missing >= TRUNCATED_WORDS && missing as f64 >= TRUNCATED_SHARE * reference.len() as f64 && words > 0;
    [
        (Fault::Empty, words == 0 && !reference.is_empty()),
        (Fault::Truncated, is_truncated),
        (Fault::Looping, has_loop(hypothesis) && !has_loop(reference)),
        (Fault::Runaway, words > RUNAWAY_FACTOR * reference.len() + RUNAWAY_EXTRA),
        (Fault::Hallucinated, is_unrelated),
        (Fault::Catastrophic, counts.errors() > 0 && counts.errors() >= counts.ref_words()),
    ]
    .into_iter()
    .filter_map(|(fault, holds)| holds.then_some(fault))
    .collect()
}

/// Words per hour of audio: on recordings without speech, the rate of hallucinated words. `None` without audio.
pub fn words_per_hour(words: u64, seconds: f64) -> Option<f64> {
    (seconds > 0.0).then(|| words as f64 * 3600.0 / seconds)
}

/// Whether a phrase comes [`LOOP_REPEATS`] times in a row.
fn has_loop(words: &[&str]) -> bool {
    (1..=LOOP_PHRASE).any(|phrase| {
        let fewest = (phrase * LOOP_REPEATS).max(LOOP_WORDS) - phrase;
        let mut run = 0;
        words.iter().zip(words.iter().skip(phrase)).any(|(word, later)| {
            run = if word == later { run + 1 } else { 0 };
            run >= fewest
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::align::{align, split_words};

    fn of(reference: &str, hypothesis: &str) -> Vec<Fault> {
        let (reference, hypothesis) = (split_words(reference), split_words(hypothesis));
        faults(&reference, &hypothesis, &align(&reference, &hypothesis)).into_iter().collect()
    }

    #[test]
    fn each_fault_is_found_from_its_threshold_on() {
        let said = "please turn the light on in the kitchen and close the door";
        assert_eq!(of(said, said), []);
        assert_eq!(of(said, ""), [Fault::Empty, Fault::Catastrophic]);
        assert_eq!(of(said, "please turn the light on in the"), [Fault::Truncated]);
        assert_eq!(of(said, "please turn the light on in the kitchen"), []);
        assert_eq!(of("", "thank you"), [Fault::Hallucinated, Fault::Catastrophic]);
        assert_eq!(of("open it", "thanks for watching everyone"), [Fault::Hallucinated, Fault::Catastrophic]);
        assert_eq!(of("no", "no no no no no no no"), [Fault::Catastrophic]);
        assert_eq!(of("no", "no no no no no no no no"), [Fault::Looping, Fault::Catastrophic]);
        assert_eq!(of("go on go on", "go on go on go on go on"), [Fault::Looping, Fault::Catastrophic]);
        assert_eq!(of("go on go on go on go on", "go on go on go on go on"), []);
        assert_eq!(of("a", "a b c d e f g h i j k l"), [Fault::Hallucinated, Fault::Catastrophic]);
        assert_eq!(
            of("a", "a b c d e f g h i j k l m"),
            [Fault::Runaway, Fault::Hallucinated, Fault::Catastrophic]
        );
    }

    #[test]
    fn false_words_are_counted_by_the_hour() {
        assert_eq!(words_per_hour(5, 1800.0), Some(10.0));
        assert_eq!(words_per_hour(5, 0.0), None);
    }
}
