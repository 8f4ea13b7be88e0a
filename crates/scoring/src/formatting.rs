//! Punctuation and casing of raw text, which word error rates leave out.

use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

use crate::align::{Step, align};
use crate::counts::Counts;
use crate::normalize::text::words;

/// The marks that are compared.
const MARKS: [char; 4] = ['.', ',', '?', '!'];

/// Punctuation and casing errors; they add up over items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Formatting {
    /// Counts over the marks `.` `,` `?` `!` that end a word.
    pub punctuation: Counts,
    /// Words recognised, whatever their case.
    pub words: u64,
    /// Those written in another case.
    pub case_errors: u64,
}

impl Formatting {
    /// Punctuation error rate (S + D + I) / (S + D + I + C), at most 1 (LibriSpeech-PC, arXiv 2310.02943); `None`
    /// without marks on either side.
    pub fn punctuation_error_rate(&self) -> Option<f64> {
        let all = self.punctuation.errors() + self.punctuation.hits;
        (all > 0).then(|| self.punctuation.errors() as f64 / all as f64)
    }

    /// Share of the recognised words in another case; `None` without any.
    pub fn case_error_rate(&self) -> Option<f64> {
        (self.words > 0).then(|| self.case_errors as f64 / self.words as f64)
    }
}

impl Add for Formatting {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            punctuation: self.punctuation + other.punctuation,
            words: self.words + other.words,
            case_errors: self.case_errors + other.case_errors,
        }
    }
}

impl AddAssign for Formatting {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// A word without the marks around it, and the last mark after it.
struct Written<'a> {
    word: &'a str,
    mark: Option<char>,
}

fn written(text: &str) -> Vec<Written<'_>> {
    words(text)
        .map(|token| Written {
            word: token.trim_matches(|c: char| !c.is_alphanumeric()),
            mark: token.chars().rev().take_while(|c| !c.is_alphanumeric()).find(|c| MARKS.contains(c)),
        })
        .filter(|written| !written.word.is_empty())
        .collect()
}

/// Compares punctuation and casing of raw texts. Words are aligned without either; a mark belongs to the word before
/// it.
pub fn formatting(reference: &str, hypothesis: &str) -> Formatting {
    let (reference, hypothesis) = (written(reference), written(hypothesis));
    let lower = |side: &[Written]| side.iter().map(|written| written.word.to_lowercase()).collect::<Vec<_>>();
    let (lower_reference, lower_hypothesis) = (lower(&reference), lower(&hypothesis));
    let a: Vec<&str> = lower_reference.iter().map(String::as_str).collect();
    let b: Vec<&str> = lower_hypothesis.iter().map(String::as_str).collect();
    let mut result = Formatting::default();
    for step in align(&a, &b) {
        let (ours, theirs) = match step {
            Step::Hit { reference: i, hypothesis: j } => {
                result.words += 1;
                result.case_errors += u64::from(reference[i].word != hypothesis[j].word);
                (reference[i].mark, hypothesis[j].mark)
            }
            Step::Substitution { reference: i, hypothesis: j } => (reference[i].mark, hypothesis[j].mark),
            Step::Deletion { reference: i } => (reference[i].mark, None),
            Step::Insertion { hypothesis: j } => (None, hypothesis[j].mark),
        };
        match (ours, theirs) {
            (None, None) => {}
            (Some(_), None) => result.punctuation.deletions += 1,
            (None, Some(_)) => result.punctuation.insertions += 1,
            (Some(a), Some(b)) if a == b => result.punctuation.hits += 1,
            (Some(_), Some(_)) => result.punctuation.substitutions += 1,
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_capitals_are_compared_word_by_word() {
        let result = formatting("Well, is it Anna? It is.", "well is it, Anna. it is.");
        assert_eq!(result.punctuation, Counts { hits: 1, substitutions: 1, deletions: 1, insertions: 1 });
        assert_eq!((result.words, result.case_errors), (6, 2));
        assert_eq!(result.punctuation_error_rate(), Some(0.75));
    }

    #[test]
    fn text_without_marks_has_no_punctuation_error_rate() {
        assert_eq!(formatting("a b", "a b").punctuation_error_rate(), None);
        assert_eq!(formatting("", "").case_error_rate(), None);
    }
}
