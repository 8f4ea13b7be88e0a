//! Up to four models on the same items.

use askama::Template;

use super::{
    board::Scoring,
    layout::{Choice, Layout},
    model::Curves,
    quantity::{Count, Difference, Interval, Params, Rate, Rtfx},
};

/// `GET /compare?a=…&b=…&c=…&d=…`.
#[derive(Debug, Template)]
#[template(path = "compare.html")]
pub struct ComparePage {
    /// The frame.
    pub layout: Layout,
    /// Slug of the release.
    pub release: String,
    /// Models to choose from for each letter.
    pub choices: Vec<Seat>,
    /// How the texts are scored.
    pub scoring: Scoring,
    /// Those compared, in the order of their letters.
    pub models: Vec<ComparedModel>,
    /// How the two compare, where they are two.
    pub comparison: Option<Comparison>,
    /// How they compare, where they are more.
    pub several: Option<Several>,
    /// Their responses to each condition, overlaid.
    pub curves: Vec<Curves>,
}

impl ComparePage {
    /// The submission behind a letter.
    pub(crate) fn submission(&self, letter: &char) -> &str {
        self.models.iter().find(|model| model.letter == *letter).map_or("", |model| &model.submission)
    }
}

/// What can be chosen for one letter.
#[derive(Debug, Clone)]
pub struct Seat {
    /// `A` to `D`.
    pub letter: char,
    /// The models.
    pub choices: Vec<Choice>,
    /// It may stay empty.
    pub is_optional: bool,
}

impl Seat {
    /// The parameter of the URL.
    pub(crate) fn parameter(&self) -> char {
        self.letter.to_ascii_lowercase()
    }
}

/// One of the models compared.
#[derive(Debug, Clone)]
pub struct ComparedModel {
    /// `A` to `D`.
    pub letter: char,
    /// Its submission.
    pub submission: String,
    /// Its name.
    pub name: String,
    /// Its page.
    pub href: String,
    /// Who stands behind it.
    pub organisation: String,
    /// Its place in the ranking.
    pub place: u32,
    /// Its speed.
    pub rtfx: Option<Rtfx>,
    /// Its size.
    pub num_params: Option<Params>,
}

/// How more than two models compare.
#[derive(Debug, Clone)]
pub struct Several {
    /// Avg WER first, then each track.
    pub tracks: Vec<SeveralTrack>,
    /// Every pair by Avg WER.
    pub pairs: Vec<PairRow>,
    /// What is redrawn for the intervals, in words.
    pub resampled: String,
}

/// One rate of all.
#[derive(Debug, Clone)]
pub struct SeveralTrack {
    /// What of: Avg WER or the name of a track.
    pub name: String,
    /// It is the mean over the ranked tracks.
    pub is_average: bool,
    /// The rate of each model, and whether it is really lower than that of every other.
    pub rates: Vec<(Rate, bool)>,
}

/// One pair.
#[derive(Debug, Clone)]
pub struct PairRow {
    /// Their letters.
    pub pair: (char, char),
    /// The difference of their Avg WER.
    pub rate: TrackComparison,
}

/// How two models compare.
#[derive(Debug, Clone)]
pub struct Comparison {
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
