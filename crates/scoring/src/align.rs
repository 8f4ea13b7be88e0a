//! Word and character alignment: the fewest errors, and among those alignments the fewest substitutions.
//!
//! The number of errors is the Levenshtein distance and the same in every tool; how it splits into S, D and I is not,
//! unless ties are settled by a rule. With the fewest substitutions the split is unique and symmetric: swapping
//! reference and hypothesis swaps D and I.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

mod distance;
mod token;
mod trace;

use distance::distance;
use trace::trace;

pub(crate) use distance::{Cost, GAP, SUBSTITUTION, counts_of};
pub(crate) use token::{Lexicon, Token};

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

/// An alignment as a string: C for a hit, S, D and I.
pub fn path_of(steps: &[Step]) -> String {
    let letter = |step: &Step| match step {
        Step::Hit { .. } => 'C',
        Step::Substitution { .. } => 'S',
        Step::Deletion { .. } => 'D',
        Step::Insertion { .. } => 'I',
    };
    steps.iter().map(letter).collect()
}

/// The alignment that a string of C, S, D and I stands for; `None` if there is another letter in it.
pub fn steps_of(path: &str) -> Option<Vec<Step>> {
    let (mut reference, mut hypothesis) = (0, 0);
    path.chars()
        .map(|letter| {
            let step = match letter {
                'C' => Step::Hit { reference, hypothesis },
                'S' => Step::Substitution { reference, hypothesis },
                'D' => Step::Deletion { reference },
                'I' => Step::Insertion { hypothesis },
                _ => return None,
            };
            reference += usize::from(letter != 'I');
            hypothesis += usize::from(letter != 'D');
            Some(step)
        })
        .collect()
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
