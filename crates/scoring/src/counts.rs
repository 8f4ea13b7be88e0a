//! Error counts of an alignment, their sums and their rate.

use std::iter::Sum;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// How many reference tokens were hit, substituted and deleted, and how many hypothesis tokens were inserted.
///
/// Counts add up over items; the rate of a corpus is that of the sum (never a mean of rates).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub struct Counts {
    /// Reference tokens recognised.
    pub hits: u64,
    /// Reference tokens replaced by another one.
    pub substitutions: u64,
    /// Reference tokens missing from the hypothesis.
    pub deletions: u64,
    /// Hypothesis tokens that answer to no reference token.
    pub insertions: u64,
}

impl Counts {
    /// N: reference tokens.
    pub const fn ref_words(&self) -> u64 {
        self.hits + self.substitutions + self.deletions
    }

    /// S + D + I.
    pub const fn errors(&self) -> u64 {
        self.substitutions + self.deletions + self.insertions
    }

    /// (S + D + I) / N, which may exceed 1; `None` if the reference is empty.
    pub fn rate(&self) -> Option<f64> {
        (self.ref_words() > 0).then(|| self.errors() as f64 / self.ref_words() as f64)
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            hits: self.hits + other.hits,
            substitutions: self.substitutions + other.substitutions,
            deletions: self.deletions + other.deletions,
            insertions: self.insertions + other.insertions,
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self::default(), Add::add)
    }
}

impl<'a> Sum<&'a Counts> for Counts {
    fn sum<I: Iterator<Item = &'a Counts>>(items: I) -> Self {
        items.copied().sum()
    }
}
