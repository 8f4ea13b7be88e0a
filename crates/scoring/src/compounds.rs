//! Word errors where a word written apart counts as the word written together (`merge_compounds`).
//!
//! As kaldialign 0.12 defines it: two or more neighbouring words of one side may answer to one word of the other at no
//! cost if they are the same string without the spaces. N stays the number of reference words, so a merged reference
//! compound counts as that many hits.
//!
//! The places where words could merge are few and found beforehand by hashing, so that the table needs one row only,
//! restricted to the diagonals that can matter.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::align::{Band, CommonEnds, Lexicon, count};
use crate::counts::Counts;
use crate::normalize::text::words;

/// Longest compound in bytes. kaldialign has no limit; words beyond this are noise, and searching them would cost
/// time quadratic in the length of a hostile hypothesis.
const LONGEST_COMPOUND: usize = 1024;

/// Word error counts of a hypothesis with compounds merged, and how many were.
///
/// The alignment has the fewest errors, then the fewest substitutions, then the fewest merges.
pub fn count_words_merged(reference: &str, hypothesis: &str) -> (Counts, u64) {
    let mut lexicon = Lexicon::default();
    let a = Side::new(reference, &mut lexicon);
    let b = Side::new(hypothesis, &mut lexicon);
    let mut merges = Merges { in_reference: a.spans(&b), in_hypothesis: b.spans(&a) };
    if merges.in_reference.is_empty() && merges.in_hypothesis.is_empty() {
        return (count(&a.tokens, &b.tokens), 0);
    }
    let common = merges.common_ends(&a.tokens, &b.tokens);
    merges.shift(common.start);
    let cost = distance(common.middle(&a.tokens), common.middle(&b.tokens), &merges);
    (cost.counts(a.tokens.len() as u64, b.tokens.len() as u64), cost.merges())
}

/// The words of one text.
struct Side<'a> {
    words: Vec<&'a str>,
    tokens: Vec<u64>,
}

/// Neighbouring words `start..end` that together are one word of the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: usize,
    end: usize,
    /// The word as it stands on the other side.
    token: u64,
}

impl<'a> Side<'a> {
    fn new(text: &'a str, lexicon: &mut Lexicon<'a>) -> Self {
        let words: Vec<&str> = words(text).collect();
        let tokens = words.iter().map(|word| lexicon.token(word)).collect();
        Self { words, tokens }
    }

    /// All spans of this side that are a word of the other.
    fn spans(&self, other: &Self) -> Vec<Span> {
        let targets: FxHashMap<&str, u64> = other
            .words
            .iter()
            .zip(&other.tokens)
            .filter(|(word, _)| (2..=LONGEST_COMPOUND).contains(&word.len()))
            .map(|(&word, &token)| (word, token))
            .collect();
        let mut lengths: Vec<usize> = targets.keys().map(|word| word.len()).collect();
        lengths.sort_unstable();
        lengths.dedup();
        let Some(&longest) = lengths.last() else { return Vec::new() };
        let text = self.words.concat();
        let mut spans = Vec::new();
        let mut from = 0;
        for (start, word) in self.words.iter().enumerate() {
            let mut to = from + word.len();
            for (end, next) in self.words.iter().enumerate().skip(start + 1) {
                to += next.len();
                if to - from > longest {
                    break;
                }
                if lengths.binary_search(&(to - from)).is_ok()
                    && let Some(&token) = targets.get(&text[from..to])
                {
                    spans.push(Span { start, end: end + 1, token });
                }
            }
            from += word.len();
        }
        spans
    }
}

/// Where words can merge on either side, by ascending start.
struct Merges {
    in_reference: Vec<Span>,
    in_hypothesis: Vec<Span>,
}

impl Merges {
    /// What both sides have in common at their ends, as far as no merge can touch it.
    ///
    /// Matching a common end is optimal only there: of "a b c" and "a abc", the best alignment inserts the "a".
    fn common_ends(&self, a: &[u64], b: &[u64]) -> CommonEnds {
        let (start_a, end_a) = untouched(a, &self.in_reference, &self.in_hypothesis);
        let (start_b, end_b) = untouched(b, &self.in_hypothesis, &self.in_reference);
        let start = start_a.min(start_b);
        let start = a.iter().zip(b).take(start).take_while(|(x, y)| x == y).count();
        let backwards = a[start..].iter().rev().zip(b[start..].iter().rev());
        let end = backwards.take(end_a.min(end_b)).take_while(|(x, y)| x == y).count();
        CommonEnds { start, end }
    }

    /// Counts positions from `start` on.
    fn shift(&mut self, start: usize) {
        for span in self.in_reference.iter_mut().chain(&mut self.in_hypothesis) {
            span.start -= start;
            span.end -= start;
        }
    }

    /// By how many diagonals an alignment can move without an error.
    fn reach(&self) -> usize {
        self.in_reference.iter().chain(&self.in_hypothesis).map(|span| span.end - span.start - 1).sum()
    }
}

/// How many tokens at the start and at the end are neither in a span nor the word that a span of the other side is.
fn untouched(tokens: &[u64], spans: &[Span], targets: &[Span]) -> (usize, usize) {
    let targets: FxHashSet<u64> = targets.iter().map(|span| span.token).collect();
    let mut free: Vec<bool> = tokens.iter().map(|token| !targets.contains(token)).collect();
    for span in spans {
        free[span.start..span.end].fill(false);
    }
    let count = |free: &mut dyn Iterator<Item = &bool>| free.take_while(|free| **free).count();
    (count(&mut free.iter()), count(&mut free.iter().rev()))
}

/// Errors, substitutions, merges, and by how many words merging shortens the reference more than the hypothesis, as
/// one number of four 32-bit fields, so that it sums up and compares lexicographically.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cost(u128);

const GAP: u128 = 1 << 96;
const SUBSTITUTION: u128 = GAP + (1 << 64);
const MERGE: u128 = 1 << 32;
/// Keeps the lowest field from going below zero.
const BIAS: u128 = 1 << 31;

impl Cost {
    const UNREACHED: Self = Self(u128::MAX / 2);

    fn gaps(number: usize) -> Self {
        Self(BIAS + GAP * number as u128)
    }

    fn merged_in_reference(self, span: &Span) -> Self {
        Self(self.0 + MERGE + (span.end - span.start - 1) as u128)
    }

    fn merged_in_hypothesis(self, span: &Span) -> Self {
        Self(self.0 + MERGE - (span.end - span.start - 1) as u128)
    }

    fn errors(self) -> u64 {
        (self.0 >> 96) as u64
    }

    fn substitutions(self) -> u64 {
        u64::from((self.0 >> 64) as u32)
    }

    fn merges(self) -> u64 {
        u64::from((self.0 >> 32) as u32)
    }

    /// The counts for a reference and a hypothesis of these lengths.
    fn counts(self, reference: u64, hypothesis: u64) -> Counts {
        let substitutions = self.substitutions();
        let gaps = self.errors() - substitutions;
        // Merging shortens the sides; what is left of the difference in length is D - I.
        let shortened = reference + BIAS as u64 - u64::from(self.0 as u32);
        let deletions = (gaps + shortened - hypothesis) / 2;
        Counts {
            hits: reference - substitutions - deletions,
            substitutions,
            deletions,
            insertions: gaps - deletions,
        }
    }
}

/// The least cost of aligning two sequences with the given merges.
fn distance(a: &[u64], b: &[u64], merges: &Merges) -> Cost {
    let table = Table::new(a, b, merges);
    let mut limit = a.len().abs_diff(b.len()) + 4;
    loop {
        let cost = table.last_cell(Band::new(a.len(), b.len(), limit + merges.reach()));
        let errors = cost.errors() as usize;
        if errors <= limit {
            return cost;
        }
        limit = errors.min(2 * limit);
    }
}

/// The table of the dynamic programme, of which one row is held at a time.
struct Table<'a> {
    a: &'a [u64],
    b: &'a [u64],
    merges: &'a Merges,
    /// Where the words into which reference words merge stand in the hypothesis.
    places: FxHashMap<u64, Vec<usize>>,
    /// The spans of the hypothesis by the word they merge into.
    spans: FxHashMap<u64, Vec<Span>>,
}

impl<'a> Table<'a> {
    fn new(a: &'a [u64], b: &'a [u64], merges: &'a Merges) -> Self {
        let mut places: FxHashMap<u64, Vec<usize>> =
            merges.in_reference.iter().map(|span| (span.token, Vec::new())).collect();
        for (place, token) in b.iter().enumerate() {
            if let Some(places) = places.get_mut(token) {
                places.push(place);
            }
        }
        let mut spans: FxHashMap<u64, Vec<Span>> = FxHashMap::default();
        for span in &merges.in_hypothesis {
            spans.entry(span.token).or_default().push(*span);
        }
        Self { a, b, merges, places, spans }
    }

    fn last_cell(&self, band: Band) -> Cost {
        let width = self.b.len() + 1;
        let mut row = vec![Cost::UNREACHED; width];
        for (column, cell) in row.iter_mut().enumerate().take(band.columns(0, self.b.len()).1 + 1) {
            *cell = Cost::gaps(column);
        }
        // Merged ways into later rows, as (column, cost) by row.
        let mut waiting: FxHashMap<usize, Vec<(usize, Cost)>> = FxHashMap::default();
        let mut spans = self.merges.in_reference.iter().peekable();
        for index in 0..self.a.len() {
            while let Some(span) = spans.next_if(|span| span.start == index) {
                let places = self.places.get(&span.token).into_iter().flatten();
                let ways = places.map(|&place| (place + 1, row[place].merged_in_reference(span)));
                waiting.entry(span.end).or_default().extend(ways);
            }
            let mut ways = waiting.remove(&(index + 1)).unwrap_or_default();
            for span in self.spans.get(&self.a[index]).into_iter().flatten() {
                ways.push((span.end, row[span.start].merged_in_hypothesis(span)));
            }
            ways.sort_unstable();
            self.next_row(&mut row, index, band, &ways);
        }
        row[self.b.len()]
    }

    /// Turns the row above reference word `index` into the one below it. `ways` are merged ways into its cells.
    fn next_row(&self, row: &mut [Cost], index: usize, band: Band, ways: &[(usize, Cost)]) {
        let (first, last) = band.columns(index + 1, self.b.len());
        let mut ways = ways.iter().skip_while(|(column, _)| *column < first).peekable();
        let mut diagonal = if first == 0 {
            Cost::UNREACHED
        } else {
            std::mem::replace(&mut row[first - 1], Cost::UNREACHED)
        };
        let mut left = Cost::UNREACHED;
        let mut from = first;
        // Between two merged ways, the row is an ordinary one.
        while from <= last {
            let to = ways.peek().map_or(last, |(column, _)| (*column).min(last));
            for (cell, column) in row[from..=to].iter_mut().zip(from..) {
                let matches = column > 0 && self.a[index] == self.b[column - 1];
                let step = if matches { diagonal.0 } else { diagonal.0 + SUBSTITUTION };
                diagonal = *cell;
                left = Cost(step.min(diagonal.0.min(left.0) + GAP));
                *cell = left;
            }
            while let Some((_, cost)) = ways.next_if(|(column, _)| *column == to) {
                left = left.min(*cost);
                row[to] = left;
            }
            from = to + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(reference: &str, hypothesis: &str) -> ([u64; 4], u64) {
        let (counts, merges) = count_words_merged(reference, hypothesis);
        ([counts.hits, counts.substitutions, counts.deletions, counts.insertions], merges)
    }

    #[test]
    fn a_word_written_apart_on_either_side_is_no_error() {
        assert_eq!(merged("an ice cream cone", "an icecream cone"), ([4, 0, 0, 0], 1));
        assert_eq!(merged("no where", "nowhere to go"), ([2, 0, 0, 2], 1));
        assert_eq!(merged("nowhere to go", "no where go"), ([2, 0, 1, 0], 1));
        assert_eq!(merged("abcd", "a b c d"), ([1, 0, 0, 0], 1));
    }

    #[test]
    fn several_words_never_merge_into_several() {
        // kaldialign 0.12: 2 errors.
        assert_eq!(merged("whiteboard marker", "white boardmarker").0, [0, 2, 0, 0]);
    }

    #[test]
    fn a_common_beginning_may_have_to_give_way_to_a_merge() {
        assert_eq!(merged("a b c", "a abc"), ([3, 0, 0, 1], 1));
        assert_eq!(merged("a b c", "abc c"), ([3, 0, 0, 1], 1));
    }
}
