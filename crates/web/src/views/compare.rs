//! Two models on the same items.

use askama::Template;

use super::{
    board::Scoring,
    layout::{Choice, Layout},
    quantity::{Count, Difference, Interval, Rate},
};

/// `GET /compare?a=…&b=…`.
#[derive(Debug, Template)]
#[template(path = "compare.html")]
pub struct ComparePage {
    /// The frame.
    pub layout: Layout,
    /// Slug of the release.
    pub release: String,
    /// Models to choose from as A.
    pub choices_a: Vec<Choice>,
    /// Models to choose from as B.
    pub choices_b: Vec<Choice>,
    /// How the texts are scored.
    pub scoring: Scoring,
    /// How the two compare; nothing while a model is missing.
    pub comparison: Option<Comparison>,
}

/// How two models compare.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Name of A.
    pub a: String,
    /// Page of A.
    pub a_href: String,
    /// Name of B.
    pub b: String,
    /// Page of B.
    pub b_href: String,
    /// Avg WER first, then each track.
    pub tracks: Vec<TrackComparison>,
    /// Items of the ranked tracks.
    pub items: Count,
    /// Segments of the matched-pairs test, its z and its p value, where both results have alignments.
    pub mapsswe: Option<(Count, String, String)>,
    /// p of the permutation test over items.
    pub permutation: String,
    /// p of the exact `McNemar` test: items that only one of the two has fully right.
    pub mcnemar: String,
    /// Items that only A, and only B, has fully right.
    pub only: [Count; 2],
    /// What is redrawn for the intervals, in words.
    pub resampled: String,
    /// The front end that one of them has and the other has not, all else being the same: its file, and whether A has it.
    pub front_end: Option<(String, bool)>,
}

/// One rate of both.
#[derive(Debug, Clone)]
pub struct TrackComparison {
    /// What of: Avg WER or the name of a track.
    pub name: String,
    /// It is the mean over the ranked tracks.
    pub is_average: bool,
    /// Rate of A.
    pub a: Rate,
    /// Rate of B.
    pub b: Rate,
    /// Rate of A less rate of B.
    pub difference: Difference,
    /// Its 95 % interval.
    pub interval: Option<Interval<Difference>>,
    /// Share of the draws in which A has the lower rate.
    pub a_better: Rate,
}

impl TrackComparison {
    /// The interval of the difference leaves out zero.
    pub(crate) fn is_real(&self) -> bool {
        self.interval.is_some_and(|interval| interval.low.0 > 0.0 || interval.high.0 < 0.0)
    }
}
