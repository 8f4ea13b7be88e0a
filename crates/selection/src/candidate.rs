//! A model as a choice sees it: who, how accurate, how fast, how large.

use std::{collections::BTreeMap, sync::Arc};

/// Half-width of a 95 % interval in standard errors of a normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// A number and, where there is one, its 95 % interval (low, high).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The number itself.
    pub value: f64,
    /// Its interval.
    pub interval: Option<(f64, f64)>,
}

/// One model on a board.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Public name.
    pub name: String,
    /// Who stands behind it.
    pub organisation: String,
    /// Licence as its submitter states it, an SPDX expression where there is one.
    pub licence: String,
    /// The runtime it runs in.
    pub runtime: String,
    /// Number of parameters, where it is known.
    pub num_params: Option<u64>,
    /// Place in the ranking of the board.
    pub place: u32,
    /// What the board ranks by: the unweighted mean of the ranked tracks, as a fraction.
    pub average: Estimate,
    /// WER of each track it ran, as a fraction.
    pub tracks: BTreeMap<String, Estimate>,
    /// How the errors of the tracks vary together.
    pub covariance: Covariance,
    /// Seconds of audio by seconds of processing.
    pub rtfx: Option<Estimate>,
    /// Median time of an utterance, in seconds.
    pub latency_p50: f64,
    /// 95th percentile of that time, in seconds.
    pub latency_p95: f64,
}

impl AsRef<Self> for Candidate {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// Covariances of the WERs of one model's tracks, over the replications of a bootstrap. Tracks hold the same utterances,
/// so that their errors vary together and the variance of a weighted mean needs all pairs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Covariance {
    tracks: Arc<[String]>,
    /// Rows of the lower triangle, diagonal included.
    lower: Vec<f64>,
}

impl Covariance {
    /// From the replicated rates of each track: `replications[track][draw]`, the same draws for all. A draw in which a
    /// track has no rate (NaN) counts for none of the pairs.
    ///
    /// `tracks` and `replications` go together; what has no partner is left out.
    pub fn new<V: AsRef<[f64]>>(tracks: Arc<[String]>, replications: &[V]) -> Self {
        let size = tracks.len().min(replications.len());
        let pairs = (0..size).flat_map(|row| (0..=row).map(move |column| (row, column)));
        let lower =
            pairs.map(|(row, column)| covariance(replications[row].as_ref(), replications[column].as_ref()));
        let lower = lower.collect();
        let tracks = if size == tracks.len() { tracks } else { tracks[..size].into() };
        Self { tracks, lower }
    }

    /// From numbers that were kept: rows of the lower triangle, diagonal included, for these tracks. `None` if they do not
    /// go together.
    pub fn from_parts(tracks: Arc<[String]>, lower: Vec<f64>) -> Option<Self> {
        (lower.len() == tracks.len() * (tracks.len() + 1) / 2).then_some(Self { tracks, lower })
    }

    /// The tracks and the rows of the lower triangle, as [`Covariance::from_parts`] takes them.
    pub fn parts(&self) -> (&[String], &[f64]) {
        (&self.tracks, &self.lower)
    }

    /// The tracks, shared by those that were made for the same ones.
    pub fn tracks(&self) -> &Arc<[String]> {
        &self.tracks
    }

    /// The covariance of two tracks; `None` if one of them is not in it or has no spread that is known.
    pub fn of(&self, one: &str, other: &str) -> Option<f64> {
        let place = |name: &str| self.tracks.iter().position(|track| track == name);
        let (one, other) = (place(one)?, place(other)?);
        let (row, column) = (one.max(other), one.min(other));
        self.lower.get(row * (row + 1) / 2 + column).copied().filter(|value| value.is_finite())
    }

    /// The 95 % interval of a weighted mean of tracks around `mean`, by its normal approximation, not below 0; `None` if a
    /// covariance that it needs is unknown.
    pub fn interval(&self, mean: f64, weights: &[(&str, f64)]) -> Option<(f64, f64)> {
        let mut variance = 0.0;
        for (one, weight) in weights {
            for (other, other_weight) in weights {
                variance += weight * other_weight * self.of(one, other)?;
            }
        }
        let half = Z * variance.max(0.0).sqrt();
        Some(((mean - half).max(0.0), mean + half))
    }
}

fn covariance(one: &[f64], other: &[f64]) -> f64 {
    let pairs = || one.iter().zip(other).filter(|(a, b)| a.is_finite() && b.is_finite());
    let (count, sum_a, sum_b) =
        pairs().fold((0.0, 0.0, 0.0), |(count, a, b), (x, y)| (count + 1.0, a + x, b + y));
    let (mean_a, mean_b) = (sum_a / count, sum_b / count);
    pairs().map(|(a, b)| (a - mean_a) * (b - mean_b)).sum::<f64>() / (count - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracks(names: &[&str]) -> Arc<[String]> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn covariances_equal_those_of_numpy() {
        // numpy.cov([[1, 2, 4, 7], [2, 1, 5, 9]]) = [[7, 9.1666…], [9.1666…, 12.9166…]]
        let covariance = Covariance::new(tracks(&["a", "b"]), &[[1.0, 2.0, 4.0, 7.0], [2.0, 1.0, 5.0, 9.0]]);
        assert_eq!(covariance.of("a", "a"), Some(7.0));
        assert_eq!(covariance.of("a", "b"), Some(55.0 / 6.0));
        assert_eq!(covariance.of("b", "a"), covariance.of("a", "b"));
        assert!((covariance.of("b", "b").unwrap() - 155.0 / 12.0).abs() < 1e-12);
        assert_eq!(covariance.of("a", "c"), None);
    }

    #[test]
    fn a_mean_of_tracks_that_vary_together_is_less_sure_than_one_of_tracks_that_do_not() {
        // Equal halves of two tracks with variance 1: standard error 1 if they are one, 0 if they are opposed.
        let (up, down) = ([-1.0, 0.0, 1.0], [1.0, 0.0, -1.0]);
        let together = Covariance::new(tracks(&["a", "b"]), &[up, up]);
        let opposed = Covariance::new(tracks(&["a", "b"]), &[up, down]);
        let halves = [("a", 0.5), ("b", 0.5)];
        assert_eq!(together.interval(5.0, &halves), Some((5.0 - Z, 5.0 + Z)));
        assert_eq!(opposed.interval(5.0, &halves), Some((5.0, 5.0)));
        assert_eq!(opposed.interval(5.0, &[("c", 1.0)]), None);
    }

    #[test]
    fn a_draw_without_a_rate_counts_for_no_pair() {
        let covariance = Covariance::new(tracks(&["a", "b"]), &[[1.0, f64::NAN, 3.0], [1.0, 8.0, 3.0]]);
        assert_eq!(covariance.of("a", "b"), Some(2.0));
    }
}
