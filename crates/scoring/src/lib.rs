//! Reference and hypothesis text in; error counts, rates, intervals and ranks out. Pure: no I/O, no async.
//!
//! The way of a number: a [`ScoringProfile`] normalises both texts ([`Normalizer`]) and aligns them into [`Counts`];
//! counts add up to a rate; [`cluster_bootstrap`] resamples talkers and rooms into [`Draws`]; those give intervals,
//! paired differences and the [`standings`] of a board.

pub mod agreement;
mod align;
mod assignment;
mod board;
mod bootstrap;
mod compounds;
pub mod confusions;
mod counts;
pub mod diarization;
pub mod entities;
pub mod equating;
pub mod faults;
pub mod formatting;
mod interval;
pub mod meeting;
mod normalize;
pub mod pareto;
mod profile;
pub mod render;
mod resample;
pub mod response;
pub mod segments;
mod significance;
mod speed;

pub use align::{Step, align, count_chars, count_words, counts, path_of, split_words, steps_of};
pub use board::{
    DrawTable, PAIRED_ROWS, Standing, TooFewDraws, standings, standings_by_pairs, standings_from_mean,
};
pub use bootstrap::{
    Difference, Draws, FEWEST_CLUSTERS, LengthMismatch, Replicates, Sample, Scheme, Unit, cluster_bootstrap,
    paired_difference,
};
pub use compounds::count_words_merged;
pub use counts::Counts;
pub use interval::{Interval, LEVEL, quantile};
pub use normalize::{Normalizer, UnknownNormalizer};
pub use profile::{ItemCounts, ScoringProfile, UnknownScorer};
pub use resample::Bootstrap;
pub use segments::{Segment, SegmentError};
pub use significance::{MatchedPairs, holm, mapsswe, mcnemar, permutation_test};
pub use speed::{STABLE_HALF_WIDTH, Speed, Timing, rate_replicates, rtfx, rtfx_replicates, speed_replicates};
