//! Word errors where a word written apart counts as the word written together (`merge_compounds`).
//!
//! As kaldialign 0.12 defines it: two or more neighbouring words of one side may answer to one word of the other at no
//! cost if they are the same string without the spaces. N stays the number of reference words, so a merged reference
//! compound counts as that many hits.
//!
//! The places where words could merge are found beforehand by hashing, so that the table needs one row only. A cell
//! matters only if it can be on a way with no more errors than an alignment without merging has.

use std::ops::RangeInclusive;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::align::{CommonEnds, Lexicon, Token, count};
use crate::counts::Counts;
use crate::normalize::text::words;

/// Longest compound in bytes. kaldialign has no limit; words beyond this are noise, and searching them would cost
/// time quadratic in the length of a hostile hypothesis.
const LONGEST_COMPOUND: usize = 1024;

/// Most pairs of places that are looked at for merging: a span of one text and a place of its compound in the other.
/// kaldialign has no limit. Transcripts of a day stay far below; "a a a …" against "aa aa …" does not.
const MOST_PAIRS: u64 = 1 << 22;

/// Word error counts of a hypothesis with compounds merged, and how many were.
///
/// The alignment has the fewest errors, then the fewest substitutions, then the fewest merges. To bound the work on
/// hostile texts, compounds of more than 1 024 bytes are not merged, and if there are more than 2²² pairs of a place
/// where words could merge and a place of their compound, then those compounds with the most pairs are not.
pub fn count_words_merged(reference: &str, hypothesis: &str) -> (Counts, u64) {
    let mut lexicon = Lexicon::default();
    let a = Side::new(reference, &mut lexicon);
    let b = Side::new(hypothesis, &mut lexicon);
    let mut merges = Merges { in_reference: a.spans(&b), in_hypothesis: b.spans(&a) };
    merges.bound(&a.tokens, &b.tokens);
    if merges.in_reference.is_empty() && merges.in_hypothesis.is_empty() {
        return (count(&a.tokens, &b.tokens), 0);
    }
    let common = merges.common_ends(&a.tokens, &b.tokens);
    merges.shift(common.start);
    let table = Table::new(common.middle(&a.tokens), common.middle(&b.tokens), &merges);
    let cost = table.cost(count(&a.tokens, &b.tokens).errors() as usize);
    (cost.counts(a.tokens.len() as u64, b.tokens.len() as u64), cost.merges())
}

/// The words of one text.
struct Side<'a> {
    words: Vec<&'a str>,
    tokens: Vec<Token>,
}

/// Neighbouring words `start..end` that together are one word of the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: usize,
    end: usize,
    /// The word as it stands on the other side.
    token: Token,
}

impl<'a> Side<'a> {
    fn new(text: &'a str, lexicon: &mut Lexicon<'a>) -> Self {
        Self { words: words(text).collect(), tokens: lexicon.tokens(text) }
    }

    /// All spans of this side that are a word of the other.
    fn spans(&self, other: &Self) -> Vec<Span> {
        let targets: FxHashMap<&str, Token> = other
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
    fn common_ends(&self, a: &[Token], b: &[Token]) -> CommonEnds {
        let (start_a, end_a) = untouched(a, &self.in_reference, &self.in_hypothesis);
        let (start_b, end_b) = untouched(b, &self.in_hypothesis, &self.in_reference);
        let start = start_a.min(start_b);
        let start = a.iter().zip(b).take(start).take_while(|(x, y)| x == y).count();
        let backwards = a[start..].iter().rev().zip(b[start..].iter().rev());
        let end = backwards.take(end_a.min(end_b)).take_while(|(x, y)| x == y).count();
        CommonEnds { start, end }
    }

    /// Leaves out the compounds with the most pairs of places until no more than [`MOST_PAIRS`] are left.
    fn bound(&mut self, a: &[Token], b: &[Token]) {
        let pairs = pairs(&self.in_reference, b).into_iter().chain(pairs(&self.in_hypothesis, a));
        let mut by_compound: FxHashMap<Token, u64> = FxHashMap::default();
        for (token, pairs) in pairs {
            *by_compound.entry(token).or_default() += pairs;
        }
        if by_compound.values().sum::<u64>() <= MOST_PAIRS {
            return;
        }
        let mut fewest_first: Vec<(u64, Token)> =
            by_compound.into_iter().map(|(token, pairs)| (pairs, token)).collect();
        fewest_first.sort_unstable();
        let mut left = MOST_PAIRS;
        let kept: FxHashSet<Token> = fewest_first
            .into_iter()
            .map_while(|(pairs, token)| {
                left = left.checked_sub(pairs)?;
                Some(token)
            })
            .collect();
        self.in_reference.retain(|span| kept.contains(&span.token));
        self.in_hypothesis.retain(|span| kept.contains(&span.token));
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

/// For every compound of some spans, how many pairs there are of a span and a place of it in `other`.
fn pairs(spans: &[Span], other: &[Token]) -> FxHashMap<Token, u64> {
    let mut places: FxHashMap<Token, u64> = spans.iter().map(|span| (span.token, 0)).collect();
    for token in other {
        if let Some(places) = places.get_mut(token) {
            *places += 1;
        }
    }
    let mut pairs: FxHashMap<Token, u64> = FxHashMap::default();
    for span in spans {
        *pairs.entry(span.token).or_default() += places[&span.token];
    }
    pairs
}

/// How many tokens at the start and at the end are neither in a span nor the word that a span of the other side is.
fn untouched(tokens: &[Token], spans: &[Span], targets: &[Span]) -> (usize, usize) {
    let targets: FxHashSet<Token> = targets.iter().map(|span| span.token).collect();
    let mut free: Vec<bool> = tokens.iter().map(|token| !targets.contains(token)).collect();
    for span in spans {
        free[span.start..span.end].fill(false);
    }
    let count = |free: &mut dyn Iterator<Item = &bool>| free.take_while(|free| **free).count();
    (count(&mut free.iter()), count(&mut free.iter().rev()))
}

/// Errors, substitutions, merges, and by how many words merging shortens the reference more than the hypothesis, as
/// one number of four 32-bit fields, so that it sums up and compares lexicographically.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cost(u128);

/// What a step spares of the cost of deleting and inserting the words it takes, in the fields of a cost.
type Gain = u128;

const ERROR: u128 = 1 << 96;
const SUBSTITUTION: u128 = 1 << 64;
const MERGE: u128 = 1 << 32;
/// Keeps the lowest field from going below zero.
const BIAS: u128 = 1 << 31;

const HIT_GAIN: Gain = 2 * ERROR;
const SUBSTITUTION_GAIN: Gain = ERROR - SUBSTITUTION;

impl Span {
    /// A merge takes all words of the span and one of the other side.
    fn gain(&self) -> Gain {
        (self.end - self.start + 1) as u128 * ERROR - MERGE
    }

    fn gain_in_reference(&self) -> Gain {
        self.gain() - (self.end - self.start - 1) as u128
    }

    fn gain_in_hypothesis(&self) -> Gain {
        self.gain() + (self.end - self.start - 1) as u128
    }
}

impl Cost {
    /// The cost of a way that takes that many words of both sides together.
    fn new(words: usize, gain: Gain) -> Self {
        Self(words as u128 * ERROR + BIAS - gain)
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

/// The table of the dynamic programme, of which one row is held at a time.
struct Table<'a> {
    a: &'a [Token],
    b: &'a [Token],
    merges: &'a Merges,
    /// By how many diagonals a way can move without an error.
    reach: usize,
    /// Where the words into which reference words merge stand in the hypothesis.
    places: FxHashMap<Token, Vec<usize>>,
    /// The spans of the hypothesis by the word they merge into.
    spans: FxHashMap<Token, Vec<Span>>,
}

/// A way into a cell of the row: its column and what is gained on it.
type Way = (usize, Gain);

impl<'a> Table<'a> {
    fn new(a: &'a [Token], b: &'a [Token], merges: &'a Merges) -> Self {
        let mut places: FxHashMap<Token, Vec<usize>> =
            merges.in_reference.iter().map(|span| (span.token, Vec::new())).collect();
        for (place, token) in b.iter().enumerate() {
            if let Some(places) = places.get_mut(token) {
                places.push(place);
            }
        }
        let mut spans: FxHashMap<Token, Vec<Span>> = FxHashMap::default();
        for span in &merges.in_hypothesis {
            spans.entry(span.token).or_default().push(*span);
        }
        Self { a, b, merges, reach: merges.reach(), places, spans }
    }

    /// The least cost, given that it has at most `limit` errors.
    ///
    /// In each row, only the columns between the first and the last that can be on such a way are computed. Values
    /// outside are those of earlier rows, which are sound: later rows never gain less.
    fn cost(&self, limit: usize) -> Cost {
        let last = self.b.len();
        let mut row = vec![0; last + 1];
        let mut active = 0..=limit.min(last);
        // Ways that end in later rows, by row.
        let mut waiting: FxHashMap<usize, Vec<Way>> = FxHashMap::default();
        let mut starts = self.merges.in_reference.iter().peekable();
        for (index, token) in self.a.iter().enumerate() {
            while let Some(span) = starts.next_if(|span| span.start == index) {
                let places = self.places.get(&span.token).map(|places| within(places, &active));
                let places = places.into_iter().flatten();
                let ways = places.map(|&place| (place + 1, row[place] + span.gain_in_reference()));
                waiting.entry(span.end).or_default().extend(ways);
            }
            let mut ways = waiting.remove(&(index + 1)).unwrap_or_default();
            let spans =
                self.spans.get(token).into_iter().flatten().filter(|span| active.contains(&span.start));
            ways.extend(spans.map(|span| (span.end, row[span.start] + span.gain_in_hypothesis())));
            ways.sort_unstable();
            let end = ways.last().map_or(0, |way| way.0).max(active.end() + 1).min(last);
            self.next_row(&mut row, *token, *active.start()..=end, &ways);
            active = self.extend(&mut row, index + 1, *active.start()..=end, limit);
        }
        Cost::new(self.a.len() + last, row[last])
    }

    /// Computes the columns of a row, given merged ways into some of them.
    fn next_row(&self, row: &mut [Gain], token: Token, columns: RangeInclusive<usize>, ways: &[Way]) {
        let first = (*columns.start()).max(1);
        let mut from = first;
        let mut diagonal = row[first - 1];
        let mut left = diagonal;
        let mut ways = ways.iter().skip_while(|way| way.0 < first).peekable();
        // Between two merged ways, the row is an ordinary one.
        while from <= *columns.end() {
            let to = ways.peek().map_or(*columns.end(), |way| way.0);
            for (cell, &other) in row[from..=to].iter_mut().zip(&self.b[from - 1..to]) {
                let step = if token == other { HIT_GAIN } else { SUBSTITUTION_GAIN };
                let best = (diagonal + step).max(*cell);
                diagonal = *cell;
                left = left.max(best);
                *cell = left;
            }
            while let Some((_, gain)) = ways.next_if(|way| way.0 == to) {
                left = left.max(*gain);
                row[to] = left;
            }
            from = to + 1;
        }
    }

    /// Extends computed columns of a row by those that insertions reach, and drops those that cannot be on a way with
    /// at most `limit` errors.
    fn extend(
        &self,
        row: &mut [Gain],
        index: usize,
        columns: RangeInclusive<usize>,
        limit: usize,
    ) -> RangeInclusive<usize> {
        let (mut start, mut end) = columns.into_inner();
        let is_lost = |gain: Gain, column: usize| {
            let still = (self.a.len() - index).abs_diff(self.b.len() - column).saturating_sub(self.reach);
            Cost::new(index + column, gain).errors() as usize + still > limit
        };
        while end < self.b.len() && !is_lost(row[end], end + 1) {
            row[end + 1] = row[end].max(row[end + 1]);
            end += 1;
        }
        while start < end && is_lost(row[start], start) {
            start += 1;
        }
        while start < end && is_lost(row[end], end) {
            end -= 1;
        }
        start..=end
    }
}

/// The part of ascending places that lies in a range.
fn within<'a>(places: &'a [usize], range: &RangeInclusive<usize>) -> &'a [usize] {
    let start = places.partition_point(|place| place < range.start());
    let end = places.partition_point(|place| place <= range.end());
    &places[start..end.max(start)]
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

    #[test]
    fn compounds_that_could_merge_almost_anywhere_are_left_out_and_the_others_are_not() {
        // 2 999 × 1 500 pairs for "aa" are too many, one for "icecream" is not.
        let reference = "a ".repeat(3000) + "ice cream";
        let hypothesis = "aa ".repeat(1500) + "icecream";
        assert_eq!(merged(&reference, &hypothesis), ([2, 1500, 1500, 0], 1));
        // 2 000 × 1 000 are not too many.
        let (counts, merges) = merged(&"a ".repeat(2001), &"aa ".repeat(1000));
        assert_eq!((counts, merges), ([2000, 0, 1, 0], 1000));
    }
}
