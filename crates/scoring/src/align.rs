//! Word and character alignment: the fewest errors, and among those alignments the fewest substitutions.
//!
//! The number of errors is the Levenshtein distance and the same in every tool; how it splits into S, D and I is not,
//! unless ties are settled by a rule. With the fewest substitutions the split is unique and symmetric: swapping
//! reference and hypothesis swaps D and I.
//!
//! Both aims are one number, which the dynamic programme maximises: what an alignment gains over deleting all of one
//! side and inserting all of the other. A hit gains two units, a substitution one unit less a speck, and a deletion or
//! insertion nothing. It runs only within the band of diagonals that an alignment with the errors found can reach
//! (Ukkonen 1985); a value from outside the band is that of a worse alignment, never a wrong one.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::counts::Counts;
use crate::normalize::text::words;

/// One step of an alignment; indices count tokens from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "op")]
pub enum Step {
    /// The same token on both sides.
    Hit {
        /// Index in the reference.
        reference: usize,
        /// Index in the hypothesis.
        hypothesis: usize,
    },
    /// Another token in place of the reference token.
    Substitution {
        /// Index in the reference.
        reference: usize,
        /// Index in the hypothesis.
        hypothesis: usize,
    },
    /// A reference token without answer.
    Deletion {
        /// Index in the reference.
        reference: usize,
    },
    /// A hypothesis token that answers to nothing.
    Insertion {
        /// Index in the hypothesis.
        hypothesis: usize,
    },
}

/// Splits text into words at white space: Unicode `White_Space` and U+001C to U+001F, as Python's `str.split()`.
pub fn split_words(text: &str) -> Vec<&str> {
    words(text).collect()
}

/// Word error counts of a hypothesis. Texts are compared as they are; normalise before.
pub fn count_words(reference: &str, hypothesis: &str) -> Counts {
    let mut lexicon = Lexicon::default();
    let reference = lexicon.tokens(reference);
    let hypothesis = lexicon.tokens(hypothesis);
    count(&reference, &hypothesis)
}

/// Character error counts: over code points, with one space between words and none at the ends.
pub fn count_chars(reference: &str, hypothesis: &str) -> Counts {
    count(&characters(reference), &characters(hypothesis))
}

fn characters(text: &str) -> Vec<Token> {
    let mut out = Vec::with_capacity(text.len());
    for word in words(text) {
        if !out.is_empty() {
            out.push(Token::from(u32::from(' ')));
        }
        out.extend(word.chars().map(|c| Token::from(u32::from(c))));
    }
    out
}

/// Aligns two word sequences.
///
/// A common beginning and a common end stay together; among the alignments left, matches come as early as possible.
/// Memory grows with the product of the length and the errors (2 bits a cell) up to 64 MiB, then only linearly.
pub fn align<'a>(reference: &[&'a str], hypothesis: &[&'a str]) -> Vec<Step> {
    let mut lexicon = Lexicon::default();
    let reference: Vec<Token> = reference.iter().map(|word| lexicon.token(word)).collect();
    let hypothesis: Vec<Token> = hypothesis.iter().map(|word| lexicon.token(word)).collect();
    let mut steps = Vec::with_capacity(reference.len().max(hypothesis.len()));
    trace(&reference, &hypothesis, (0, 0), &mut steps);
    steps
}

/// A word as a number: equal for equal words only.
pub(crate) type Token = u128;

/// Gives words numbers: words of up to 15 bytes are their own bytes, longer ones are counted.
#[derive(Default)]
pub(crate) struct Lexicon<'a> {
    long: FxHashMap<&'a str, Token>,
}

impl<'a> Lexicon<'a> {
    /// The number of a word.
    pub(crate) fn token(&mut self, word: &'a str) -> Token {
        self.token_at(word, 0, word.len())
    }

    /// The numbers of the words of a text.
    pub(crate) fn tokens(&mut self, text: &'a str) -> Vec<Token> {
        let mut tokens = Vec::with_capacity(text.len() / 4 + 1);
        let mut rest = words(text);
        while let Some(word) = rest.next() {
            let end = text.len() - rest.remaining();
            tokens.push(self.token_at(text, end - word.len(), word.len()));
        }
        tokens
    }

    /// The number of the word of that length that stands at byte `start` of a text.
    fn token_at(&mut self, text: &'a str, start: usize, length: usize) -> Token {
        if length >= size_of::<Token>() {
            let next = Token::MAX - self.long.len() as Token;
            return *self.long.entry(&text[start..start + length]).or_insert(next);
        }
        // Mostly there are 16 bytes to load at once; what is not of the word is masked out.
        let bytes = match text.as_bytes()[start..].first_chunk() {
            Some(chunk) => Token::from_le_bytes(*chunk) & ((1 << (8 * length)) - 1),
            None => text.as_bytes()[start..start + length]
                .iter()
                .rev()
                .fold(0, |all, &byte| all << 8 | Token::from(byte)),
        };
        bytes | (length as Token) << 120
    }
}

/// Errors in the high half, substitutions in the low half, so that sums compare lexicographically.
pub(crate) type Cost = u64;
pub(crate) const GAP: Cost = 1 << 32;
pub(crate) const SUBSTITUTION: Cost = GAP + 1;

/// What a substitution spares of the cost of a deletion and an insertion. A hit spares the cost of a substitution more.
const SUBSTITUTION_GAIN: Cost = 2 * GAP - SUBSTITUTION;

fn step_gain<T: Copy + PartialEq>(a: T, b: T) -> Cost {
    // Arithmetic, since a branch on whether words match cannot be predicted.
    SUBSTITUTION_GAIN + SUBSTITUTION * Cost::from(a == b)
}

fn errors(cost: Cost) -> usize {
    (cost >> 32) as usize
}

/// Error counts of two token sequences.
pub(crate) fn count(reference: &[Token], hypothesis: &[Token]) -> Counts {
    let common = common_ends(reference, hypothesis);
    let a = common.middle(reference);
    let b = common.middle(hypothesis);
    let cost = if a.is_empty() || b.is_empty() {
        (a.len() + b.len()) as Cost * GAP
    } else if a.len().saturating_mul(b.len()) < DENSE_CELLS {
        distance(a, b)
    } else {
        let (a, b) = dense(a, b);
        distance(&a, &b)
    };
    counts_of(cost, reference.len(), hypothesis.len())
}

/// The counts of an alignment of that cost between sequences of these lengths.
pub(crate) fn counts_of(cost: Cost, reference: usize, hypothesis: usize) -> Counts {
    let substitutions = cost & (GAP - 1);
    let gaps = (cost >> 32) - substitutions;
    // D - I is the difference in length.
    let deletions = (gaps + reference as u64 - hypothesis as u64) / 2;
    Counts {
        hits: reference as u64 - substitutions - deletions,
        substitutions,
        deletions,
        insertions: gaps - deletions,
    }
}

/// Lengths of what two sequences have in common at their beginning and end. Matching it is always optimal.
#[derive(Clone, Copy)]
pub(crate) struct CommonEnds {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl CommonEnds {
    pub(crate) fn middle<T>(self, tokens: &[T]) -> &[T] {
        &tokens[self.start..tokens.len() - self.end]
    }
}

fn common_ends(a: &[Token], b: &[Token]) -> CommonEnds {
    let start = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let end = a[start..].iter().rev().zip(b[start..].iter().rev()).take_while(|(x, y)| x == y).count();
    CommonEnds { start, end }
}

/// How far alignments may stray from the main diagonal.
#[derive(Debug, Clone, Copy)]
struct Band {
    deletions: usize,
    insertions: usize,
}

impl Band {
    /// Holds every alignment of sequences of these lengths with at most `errors` errors (no fewer than the lengths
    /// differ by).
    fn new(a: usize, b: usize, errors: usize) -> Self {
        Self { deletions: (errors + a - b) / 2, insertions: (errors + b - a) / 2 }
    }

    fn width(self) -> usize {
        self.deletions + self.insertions + 1
    }

    /// The columns of a row that lie in the band and in the table.
    fn columns(self, row: usize, b: usize) -> (usize, usize) {
        (row.saturating_sub(self.deletions), (row + self.insertions).min(b))
    }
}

/// Table cells from which small numbers are worth their making.
const DENSE_CELLS: usize = 1 << 12;

/// The same sequences with tokens numbered from zero, which compare faster.
fn dense(a: &[Token], b: &[Token]) -> (Vec<u32>, Vec<u32>) {
    let mut numbers: FxHashMap<Token, u32> = FxHashMap::default();
    let mut number = |token: &Token| {
        let next = numbers.len() as u32;
        *numbers.entry(*token).or_insert(next)
    };
    (a.iter().map(&mut number).collect(), b.iter().map(&mut number).collect())
}

/// The cost of aligning two non-empty sequences.
fn distance<T: Copy + PartialEq>(a: &[T], b: &[T]) -> Cost {
    let all = (a.len() + b.len()) as Cost * GAP;
    let mut limit = a.len().abs_diff(b.len()) + a.len().max(b.len()) / 64 + 4;
    let mut cost = all - last_row(a, b, Band::new(a.len(), b.len(), limit))[b.len()];
    // Even a narrow band mostly holds a way that is nearly the best: its errors bound those of the best.
    while errors(cost) > limit {
        limit = errors(cost).min(16 * limit);
        cost = all - last_gain(a, b, limit);
    }
    cost
}

/// The last cell of the table of gains, exact if the best alignment has at most `limit` errors.
///
/// In each row, only the columns between the first and the last that can be on a way with so few errors are computed.
fn last_gain<T: Copy + PartialEq>(a: &[T], b: &[T], limit: usize) -> Cost {
    let mut row = vec![0; b.len() + 1];
    let (mut start, mut end) = (0, limit.min(b.len()));
    for (index, &token) in a.iter().enumerate() {
        end = (end + 1).min(b.len());
        fill_row(&mut row, token, b, start.max(1), end);
        let is_lost = |gain: Cost, column: usize| {
            let still = (a.len() - index - 1).abs_diff(b.len() - column);
            errors((index + 1 + column) as Cost * GAP - gain) + still > limit
        };
        // To the right of what was computed, only insertions lead on.
        while end < b.len() && !is_lost(row[end], end + 1) {
            row[end + 1] = row[end].max(row[end + 1]);
            end += 1;
        }
        while start < end && is_lost(row[start], start) {
            start += 1;
        }
        while start < end && is_lost(row[end], end) {
            end -= 1;
        }
    }
    row[b.len()]
}

/// Computes the columns `from..=to` of a row in place of those above. Left of them stand older values, which are
/// sound: later rows never gain less.
fn fill_row<T: Copy + PartialEq>(row: &mut [Cost], token: T, b: &[T], from: usize, to: usize) {
    let mut diagonal = row[from - 1];
    let mut left = diagonal;
    for (cell, &other) in row[from..=to].iter_mut().zip(&b[from - 1..to]) {
        let best = (diagonal + step_gain(token, other)).max(*cell);
        diagonal = *cell;
        left = left.max(best);
        *cell = left;
    }
}

/// The last row of the table of gains, computed within a band.
fn last_row<T: Copy + PartialEq>(a: &[T], b: &[T], band: Band) -> Vec<Cost> {
    let mut row = vec![0; b.len() + 1];
    for (index, &token) in a.iter().enumerate() {
        let (first, last) = band.columns(index + 1, b.len());
        if first.max(1) <= last {
            fill_row(&mut row, token, b, first.max(1), last);
        }
    }
    row
}

/// Table cells for which a trace is kept; beyond, the problem is halved (Hirschberg 1975).
const TRACE_CELLS: usize = 1 << 28;

/// Appends the alignment of two sequences that begin at the given offsets.
fn trace(reference: &[Token], hypothesis: &[Token], from: (usize, usize), steps: &mut Vec<Step>) {
    let common = common_ends(reference, hypothesis);
    let a = common.middle(reference);
    let b = common.middle(hypothesis);
    let hit = |i, j| Step::Hit { reference: from.0 + i, hypothesis: from.1 + j };
    steps.extend((0..common.start).map(|i| hit(i, i)));
    let start = (from.0 + common.start, from.1 + common.start);
    if a.is_empty() || b.is_empty() {
        steps.extend((0..a.len()).map(|i| Step::Deletion { reference: start.0 + i }));
        steps.extend((0..b.len()).map(|j| Step::Insertion { hypothesis: start.1 + j }));
    } else {
        let band = Band::new(a.len(), b.len(), errors(distance(a, b)));
        if band.width().min(b.len() + 1).saturating_mul(a.len()) <= TRACE_CELLS {
            trace_band(a, b, band, start, steps);
        } else {
            trace_halves(a, b, start, steps);
        }
    }
    let (rest_a, rest_b) = (common.start + a.len(), common.start + b.len());
    steps.extend((0..common.end).map(|k| hit(rest_a + k, rest_b + k)));
}

/// Splits the first sequence in the middle and the second where the two halves together gain most.
fn trace_halves(a: &[Token], b: &[Token], start: (usize, usize), steps: &mut Vec<Step>) {
    let middle = a.len() / 2;
    let whole = |a: usize| Band { deletions: a, insertions: b.len() };
    let head = last_row(&a[..middle], b, whole(middle));
    let reversed = |tokens: &[Token]| tokens.iter().rev().copied().collect::<Vec<_>>();
    let tail = last_row(&reversed(&a[middle..]), &reversed(b), whole(a.len() - middle));
    // The leftmost of the best places.
    let gain = |split: usize| head[split] + tail[b.len() - split];
    let split = (0..=b.len()).rev().max_by_key(|&split| gain(split)).unwrap_or(0);
    trace(&a[..middle], &b[..split], start, steps);
    trace(&a[middle..], &b[split..], (start.0 + middle, start.1 + split), steps);
}

/// Where the best way into a cell comes from, in order of preference.
#[derive(Clone, Copy)]
enum From {
    Above = 0,
    Left = 1,
    Diagonal = 2,
}

/// Two bits per cell of a band.
struct Trace {
    bits: Vec<u8>,
    width: usize,
}

impl Trace {
    fn new(rows: usize, width: usize) -> Self {
        Self { bits: vec![0; (rows * width).div_ceil(4)], width }
    }

    fn set(&mut self, row: usize, offset: usize, from: From) {
        let cell = row * self.width + offset;
        self.bits[cell / 4] |= (from as u8) << (cell % 4 * 2);
    }

    fn get(&self, row: usize, offset: usize) -> From {
        let cell = row * self.width + offset;
        match self.bits[cell / 4] >> (cell % 4 * 2) & 3 {
            0 => From::Above,
            1 => From::Left,
            _ => From::Diagonal,
        }
    }
}

fn trace_band(a: &[Token], b: &[Token], band: Band, start: (usize, usize), steps: &mut Vec<Step>) {
    let trace = fill_trace(a, b, band);
    let first_step = steps.len();
    let (mut i, mut j) = (a.len(), b.len());
    while i > 0 || j > 0 {
        let from = if i == 0 { From::Left } else { trace.get(i - 1, j - band.columns(i, b.len()).0) };
        i -= usize::from(!matches!(from, From::Left));
        j -= usize::from(!matches!(from, From::Above));
        let (reference, hypothesis) = (start.0 + i, start.1 + j);
        steps.push(match from {
            From::Above => Step::Deletion { reference },
            From::Left => Step::Insertion { hypothesis },
            From::Diagonal if a[i] == b[j] => Step::Hit { reference, hypothesis },
            From::Diagonal => Step::Substitution { reference, hypothesis },
        });
    }
    steps[first_step..].reverse();
}

/// Runs the dynamic programme within a band and notes where each cell comes from.
fn fill_trace(a: &[Token], b: &[Token], band: Band) -> Trace {
    let mut trace = Trace::new(a.len(), band.width().min(b.len() + 1));
    let mut row = vec![0; b.len() + 1];
    for (index, &token) in a.iter().enumerate() {
        let (first, last) = band.columns(index + 1, b.len());
        let (_, last_above) = band.columns(index, b.len());
        let mut diagonal = first.checked_sub(1).map_or(0, |before| row[before]);
        let mut left = 0;
        for column in first..=last {
            let above = row[column];
            let step = if column > 0 { diagonal + step_gain(token, b[column - 1]) } else { 0 };
            // The way must stay in the band.
            let has_above = column <= last_above;
            let has_left = column > first;
            let best = step.max(above).max(left);
            let from = if has_above && above == best {
                From::Above
            } else if has_left && left == best {
                From::Left
            } else {
                From::Diagonal
            };
            trace.set(index, column - first, from);
            diagonal = above;
            left = best;
            row[column] = best;
        }
    }
    trace
}

/// The counts of an alignment.
pub fn counts(steps: &[Step]) -> Counts {
    let mut counts = Counts::default();
    for step in steps {
        match step {
            Step::Hit { .. } => counts.hits += 1,
            Step::Substitution { .. } => counts.substitutions += 1,
            Step::Deletion { .. } => counts.deletions += 1,
            Step::Insertion { .. } => counts.insertions += 1,
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halving_the_problem_costs_the_same() {
        let a: Vec<Token> = (0..40).map(|i| i * i % 7).collect();
        let b: Vec<Token> = (0..33).map(|i| i * 5 % 11 % 7).collect();
        let mut whole = Vec::new();
        trace(&a, &b, (0, 0), &mut whole);
        let mut halves = Vec::new();
        trace_halves(&a, &b, (0, 0), &mut halves);
        assert_eq!(counts(&whole), counts(&halves));
        assert_eq!(counts(&whole), count(&a, &b));
    }

    #[test]
    fn short_and_long_words_never_share_a_number() {
        let mut lexicon = Lexicon::default();
        let words = [
            "",
            "a",
            "a\0",
            "\0",
            "abcdefgh",
            "abcdefghijklmno",
            "abcdefghijklmnop",
            "abcdefghijklmnopq",
            "éééééééé",
        ];
        let tokens: Vec<Token> = words.iter().map(|word| lexicon.token(word)).collect();
        let mut distinct = tokens.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), words.len());
        assert_eq!(lexicon.token("abcdefghijklmnop"), tokens[6]);
    }
}
