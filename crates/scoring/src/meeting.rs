//! Word error rates of several talkers, as `MeetEval` 0.4 defines them (von Neumann et al., arXiv 2307.11394 and
//! 2211.16112).
//!
//! - cpWER: what each speaker says, joined in time order, against what each output stream holds, under the best
//!   one-to-one assignment of speakers to streams.
//! - ORC-WER: every reference segment may go to any stream; who spoke does not matter.
//! - DI-cpWER: every hypothesis segment may go to any speaker; cpWER less DI-cpWER is the price of diarization errors.
//! - tc…: a word can only answer to a word that it overlaps in time. Reference words share their segment in proportion
//!   to their length; hypothesis words are the centre points of such shares, widened by a collar on both sides.
//!
//! Where `MeetEval` raises on an empty hypothesis, every reference word is deleted here.

mod exact;
mod greedy;

use std::collections::BTreeMap;

use serde::Serialize;

use exact::search;
use greedy::improve;

use crate::align::{Cost, GAP, Lexicon, SUBSTITUTION, Token, counts_of};
use crate::assignment::assign;
use crate::counts::Counts;
use crate::normalize::text::words;
use crate::segments::{Segment, SegmentError};

/// Collar in seconds that CHiME-8 and `NOTSOFAR` use.
pub const USUAL_COLLAR: f64 = 5.0;

/// Whether times matter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TimeConstraint {
    /// Any word may answer to any other.
    None,
    /// Only words that overlap in time, given a collar in seconds.
    Collar(f64),
}

/// Errors under the best assignment of speakers to streams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpeakerErrors {
    /// Counts over all speakers.
    pub counts: Counts,
    /// Reference speaker and hypothesis speaker; `None` where one side has no partner. Among equally good
    /// assignments, the lexicographically smallest by speaker name.
    pub assignment: Vec<(Option<String>, Option<String>)>,
}

/// Errors under the best assignment of segments to streams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SegmentErrors {
    /// Counts over all streams.
    pub counts: Counts,
    /// For each segment that was assigned, in the order given, the label of its stream; `None` if there is no stream.
    pub assignment: Vec<Option<String>>,
    /// Whether no assignment is better. False if the search was too large and a greedy one took its place.
    pub is_optimal: bool,
}

/// cpWER, or tcpWER with a time constraint.
///
/// # Errors
/// If times are missing where they are needed, or impossible.
pub fn cp_wer(
    reference: &[Segment],
    hypothesis: &[Segment],
    constraint: TimeConstraint,
) -> Result<SpeakerErrors, SegmentError> {
    let mut lexicon = Lexicon::default();
    let references = Streams::new(reference, &mut lexicon, constraint, Role::Reference)?;
    let hypotheses = Streams::new(hypothesis, &mut lexicon, constraint, Role::Hypothesis)?;
    let (columns, costs) = pair_streams(&references, &hypotheses);
    let mut counts = Counts::default();
    let mut assignment = Vec::new();
    for (row, &column) in columns.iter().enumerate() {
        counts += counts_of(costs[row][column], references.word_count(row), hypotheses.word_count(column));
        let label = |streams: &Streams, index: usize| streams.labels.get(index).cloned();
        assignment.push((label(&references, row), label(&hypotheses, column)));
    }
    Ok(SpeakerErrors { counts, assignment })
}

/// ORC-WER, or tcORC-WER with a time constraint.
///
/// # Errors
/// If times are missing where they are needed, or impossible.
pub fn orc_wer(
    reference: &[Segment],
    hypothesis: &[Segment],
    constraint: TimeConstraint,
) -> Result<SegmentErrors, SegmentError> {
    let mut lexicon = Lexicon::default();
    let utterances = Streams::new(reference, &mut lexicon, constraint, Role::Reference)?;
    let streams = Streams::new(hypothesis, &mut lexicon, constraint, Role::Hypothesis)?;
    Ok(combine(&utterances, &streams))
}

/// DI-cpWER, or DI-tcpWER with a time constraint: ORC-WER with the roles of reference and hypothesis exchanged.
///
/// # Errors
/// If times are missing where they are needed, or impossible.
pub fn di_cp_wer(
    reference: &[Segment],
    hypothesis: &[Segment],
    constraint: TimeConstraint,
) -> Result<SegmentErrors, SegmentError> {
    let mut lexicon = Lexicon::default();
    let streams = Streams::new(reference, &mut lexicon, constraint, Role::Reference)?;
    let utterances = Streams::new(hypothesis, &mut lexicon, constraint, Role::Hypothesis)?;
    let mut errors = combine(&utterances, &streams);
    let Counts { deletions, insertions, .. } = errors.counts;
    errors.counts = Counts { deletions: insertions, insertions: deletions, ..errors.counts };
    Ok(errors)
}

/// More than deleting one word and inserting the other.
const FORBIDDEN: Cost = 3 * GAP;

/// A word and when it is said. Without a time constraint, any time.
#[derive(Debug, Clone, Copy)]
struct Word {
    token: Token,
    start: f64,
    end: f64,
}

impl Word {
    /// The cost of putting this word against another.
    fn cost(&self, other: &Self, substitution: Cost) -> Cost {
        if self.start >= other.end || self.end <= other.start {
            FORBIDDEN
        } else if self.token == other.token {
            0
        } else {
            substitution
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Reference,
    Hypothesis,
}

/// The segments of one side in time order, and the streams they belong to.
struct Streams {
    /// Stream labels, ascending.
    labels: Vec<String>,
    utterances: Vec<Utterance>,
}

struct Utterance {
    /// Place in the input.
    index: usize,
    stream: usize,
    words: Vec<Word>,
}

impl Streams {
    fn new<'a>(
        segments: &'a [Segment],
        lexicon: &mut Lexicon<'a>,
        constraint: TimeConstraint,
        role: Role,
    ) -> Result<Self, SegmentError> {
        let mut labels: BTreeMap<&str, usize> = segments.iter().map(|s| (s.speaker.as_str(), 0)).collect();
        for (number, stream) in labels.values_mut().enumerate() {
            *stream = number;
        }
        let mut utterances = Vec::with_capacity(segments.len());
        for (index, segment) in segments.iter().enumerate() {
            let words = timed_words(segment, index, lexicon, constraint, role)?;
            utterances.push(Utterance { index, stream: labels[segment.speaker.as_str()], words });
        }
        // Without any time, the order given is that of time.
        let start = |utterance: &Utterance| segments[utterance.index].start_time.unwrap_or(0.0);
        utterances.sort_by(|a, b| start(a).total_cmp(&start(b)));
        Ok(Self { labels: labels.into_keys().map(str::to_owned).collect(), utterances })
    }

    /// All words of a stream; none for a stream that does not exist.
    fn words(&self, stream: usize) -> Vec<Word> {
        let own = self.utterances.iter().filter(|utterance| utterance.stream == stream);
        own.flat_map(|utterance| utterance.words.iter().copied()).collect()
    }

    fn word_count(&self, stream: usize) -> usize {
        let own = self.utterances.iter().filter(|utterance| utterance.stream == stream);
        own.map(|utterance| utterance.words.len()).sum()
    }
}

/// The words of a segment with their times.
fn timed_words<'a>(
    segment: &'a Segment,
    index: usize,
    lexicon: &mut Lexicon<'a>,
    constraint: TimeConstraint,
    role: Role,
) -> Result<Vec<Word>, SegmentError> {
    let TimeConstraint::Collar(collar) = constraint else {
        if segment.start_time.is_some() && segment.end_time.is_some() {
            segment.times(index)?;
        }
        let any_time =
            |word| Word { token: lexicon.token(word), start: f64::NEG_INFINITY, end: f64::INFINITY };
        return Ok(words(&segment.words).map(any_time).collect());
    };
    let (segment_start, segment_end) = segment.times(index)?;
    let lengths: Vec<usize> = words(&segment.words).map(|word| word.chars().count()).collect();
    let per_character = (segment_end - segment_start) / lengths.iter().sum::<usize>() as f64;
    let mut characters = 0;
    let place = |characters: usize| segment_start + per_character * characters as f64;
    Ok(words(&segment.words)
        .zip(&lengths)
        .map(|(word, length)| {
            let (mut start, mut end) = (place(characters), place(characters + length));
            characters += length;
            if lengths.len() == 1 {
                (start, end) = (segment_start, segment_end);
            }
            if role == Role::Hypothesis {
                let centre = start.midpoint(end);
                (start, end) = (centre - collar, centre + collar);
            }
            Word { token: lexicon.token(word), start, end }
        })
        .collect())
}

/// The best pairing of streams, padded with empty ones to a square, and the cost of every pair.
fn pair_streams(a: &Streams, b: &Streams) -> (Vec<usize>, Vec<Vec<Cost>>) {
    let size = a.labels.len().max(b.labels.len());
    let rows: Vec<Vec<Word>> = (0..size).map(|stream| a.words(stream)).collect();
    let columns: Vec<Vec<Word>> = (0..size).map(|stream| b.words(stream)).collect();
    let costs: Vec<Vec<Cost>> =
        rows.iter().map(|row| columns.iter().map(|column| distance(row, column)).collect()).collect();
    let errors: Vec<Vec<i64>> =
        costs.iter().map(|row| row.iter().map(|cost| (cost >> 32).cast_signed()).collect()).collect();
    (assign(&errors), costs)
}

/// The cost of aligning two word sequences.
fn distance(a: &[Word], b: &[Word]) -> Cost {
    let mut column = first_column(b.len());
    advance(&mut column, a, b, SUBSTITUTION);
    column[b.len()]
}

fn first_column(length: usize) -> Vec<Cost> {
    (0..=length).map(|place| place as Cost * GAP).collect()
}

/// Moves a column of the table, one cell per place in a stream, past the words of an utterance.
fn advance(column: &mut [Cost], utterance: &[Word], stream: &[Word], substitution: Cost) {
    for word in utterance {
        let mut diagonal = column[0];
        column[0] += GAP;
        let mut left = column[0];
        for (cell, other) in column[1..].iter_mut().zip(stream) {
            let step = diagonal + word.cost(other, substitution);
            diagonal = *cell;
            left = step.min(diagonal.min(left) + GAP);
            *cell = left;
        }
    }
}

/// Assigns the utterances of one side to the streams of the other.
fn combine(a: &Streams, b: &Streams) -> SegmentErrors {
    let streams: Vec<Vec<Word>> = (0..b.labels.len()).map(|stream| b.words(stream)).collect();
    let utterances: Vec<&[Word]> = a.utterances.iter().map(|utterance| utterance.words.as_slice()).collect();
    if streams.is_empty() {
        let deletions = utterances.iter().map(|utterance| utterance.len() as u64).sum();
        let counts = Counts { deletions, ..Counts::default() };
        return SegmentErrors { counts, assignment: vec![None; utterances.len()], is_optimal: true };
    }
    let exact = search(&utterances, &streams);
    let is_optimal = exact.is_some();
    let choice = exact.unwrap_or_else(|| improve(&utterances, &streams, initial_choice(a, b)));
    let counts = count_choice(&utterances, &streams, &choice);
    let mut assignment = vec![None; a.utterances.len()];
    for (utterance, stream) in a.utterances.iter().zip(choice) {
        assignment[utterance.index] = b.labels.get(stream).cloned();
    }
    SegmentErrors { counts, assignment, is_optimal }
}

/// The counts once every utterance has been given to a stream.
fn count_choice(utterances: &[&[Word]], streams: &[Vec<Word>], choice: &[usize]) -> Counts {
    let mut counts = Counts::default();
    for (stream, words) in streams.iter().enumerate() {
        let own = utterances.iter().zip(choice).filter(|(_, choice)| **choice == stream);
        let own: Vec<Word> = own.flat_map(|(utterance, _)| utterance.iter().copied()).collect();
        counts += counts_of(distance(&own, words), own.len(), words.len());
    }
    counts
}

/// Every utterance to the stream that its speaker pairs with best, or, without a partner, to the cheapest one.
fn initial_choice(a: &Streams, b: &Streams) -> Vec<usize> {
    let (columns, costs) = pair_streams(a, b);
    let partner = |stream: usize| {
        let column = columns[stream];
        let cheapest = || (0..b.labels.len()).min_by_key(|&column| costs[stream][column]);
        if column < b.labels.len() { column } else { cheapest().unwrap_or(0) }
    };
    a.utterances.iter().map(|utterance| partner(utterance.stream)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Errors of the greedy search, which only takes over where the exact one is too large.
    fn greedy_errors(a: &Streams, b: &Streams) -> u64 {
        let streams: Vec<Vec<Word>> = (0..b.labels.len()).map(|stream| b.words(stream)).collect();
        let utterances: Vec<&[Word]> =
            a.utterances.iter().map(|utterance| utterance.words.as_slice()).collect();
        let choice = improve(&utterances, &streams, initial_choice(a, b));
        count_choice(&utterances, &streams, &choice).errors()
    }

    #[test]
    fn the_greedy_search_equals_that_of_meeteval() {
        for line in include_str!("../tests/vectors/multispeaker.jsonl").lines() {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let side = |name: &str| -> Vec<Segment> { serde_json::from_value(row[name].clone()).unwrap() };
            let (reference, hypothesis) = (side("ref"), side("hyp"));
            for (constraint, orc, di) in [
                (TimeConstraint::None, "greedy_orcwer", "greedy_dicpwer"),
                (TimeConstraint::Collar(5.0), "greedy_tcorcwer_collar5", "greedy_ditcpwer_collar5"),
            ] {
                let mut lexicon = Lexicon::default();
                let a = Streams::new(&reference, &mut lexicon, constraint, Role::Reference).unwrap();
                let b = Streams::new(&hypothesis, &mut lexicon, constraint, Role::Hypothesis).unwrap();
                for (field, a, b) in [(orc, &a, &b), (di, &b, &a)] {
                    if !b.labels.is_empty() && row[field].get("errors").is_some() {
                        assert_eq!(
                            Some(greedy_errors(a, b)),
                            row[field]["errors"].as_u64(),
                            "{} {field}",
                            row["id"]
                        );
                    }
                }
            }
        }
    }
}
