//! What a model is for: weights over tracks and limits, by which a board is ranked anew.

use std::collections::BTreeMap;

use crate::{
    candidate::{Candidate, Estimate},
    limits::Limits,
    query::BadQuery,
};

/// What a board is ranked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Purpose {
    /// The ranking itself: the unweighted mean of the ranked tracks.
    #[default]
    Ranking,
    /// One of [`PURPOSES`].
    Named(&'static UseCase),
    /// The visitor's own weights.
    Own(Weights),
}

/// A use with weights over tracks and limits, each with its reason.
#[derive(Debug, PartialEq)]
pub struct UseCase {
    /// The name in a URL.
    pub name: &'static str,
    /// What a reader sees.
    pub label: &'static str,
    /// Why these weights and limits.
    pub reason: &'static str,
    /// Weights over tracks; only their proportions count.
    pub weights: &'static [(&'static str, f64)],
    /// What a model must keep to be of use at all.
    pub limits: Limits,
}

const NO_LIMITS: Limits = Limits { min_rtfx: None, max_p95: None, max_params: None, open_licence: false };

/// The uses that a board offers. Weights say how much of the speech is heard how; limits, what makes a model useless
/// whatever its errors.
pub const PURPOSES: [UseCase; 6] = [
    UseCase {
        name: "contact-centre",
        label: "Contact centre",
        reason: "Mostly headsets and handsets close to the mouth, some loudspeaker telephones in quiet offices. It has to keep up with the calls.",
        weights: &[("near", 3.0), ("far-high", 2.0), ("far-mid", 1.0)],
        limits: Limits { min_rtfx: Some(1.0), ..NO_LIMITS },
    },
    UseCase {
        name: "meeting-room",
        label: "Meeting room",
        reason: "Nobody is close to the microphone, noise is moderate, people turn and walk. Notes may be late, but not slower than the meeting.",
        weights: &[("far-high", 2.0), ("far-mid", 2.0), ("moving-mid", 1.0)],
        limits: Limits { min_rtfx: Some(1.0), ..NO_LIMITS },
    },
    UseCase {
        name: "car",
        label: "Car",
        reason: "Short distances, but noise as loud as the voice. An answer after two seconds is no answer.",
        weights: &[("far-mid", 1.0), ("far-low", 3.0)],
        limits: Limits { max_p95: Some(2.0), ..NO_LIMITS },
    },
    UseCase {
        name: "voice-assistant",
        label: "Voice assistant",
        reason: "Across a living room, now quiet, now with the television on; people do not wait longer than a second.",
        weights: &[("near", 1.0), ("far-high", 1.0), ("far-mid", 2.0), ("far-low", 2.0)],
        limits: Limits { max_p95: Some(1.0), ..NO_LIMITS },
    },
    UseCase {
        name: "on-device",
        label: "On the device",
        reason: "All conditions alike, by a model that fits into a telephone and may go along with what you sell: up to 100 million parameters, faster than speech, an open licence.",
        weights: &[("near", 1.0), ("far-high", 1.0), ("far-mid", 1.0), ("far-low", 1.0)],
        limits: Limits {
            min_rtfx: Some(1.0),
            max_params: Some(100_000_000),
            max_p95: None,
            open_licence: true,
        },
    },
    UseCase {
        name: "archive",
        label: "Archive",
        reason: "Years of lectures and interviews with a decent microphone somewhere in the room. Nobody waits, but there is much of it: ten times as fast as speech.",
        weights: &[("near", 1.0), ("far-high", 2.0), ("far-mid", 1.0)],
        limits: Limits { min_rtfx: Some(10.0), ..NO_LIMITS },
    },
];

impl Purpose {
    /// The purpose of a name.
    pub fn named(name: &str) -> Option<Self> {
        PURPOSES.iter().find(|purpose| purpose.name == name).map(Self::Named)
    }

    /// The ranking itself.
    pub fn is_ranking(&self) -> bool {
        *self == Self::Ranking
    }

    /// What a model must keep for it.
    pub fn limits(&self) -> Limits {
        match self {
            Self::Named(purpose) => purpose.limits,
            Self::Ranking | Self::Own(_) => Limits::default(),
        }
    }

    /// Its weights, as parts of 1; none for the ranking itself.
    pub fn weights(&self) -> Option<Weights> {
        match self {
            Self::Ranking => None,
            Self::Named(purpose) => Weights::new(purpose.weights.iter().copied()),
            Self::Own(weights) => Some(weights.clone()),
        }
    }
}

/// Weights over tracks: at least one, each positive.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights(BTreeMap<String, f64>);

impl Weights {
    /// Of tracks with their weights; what has the weight 0 is left out. `None` if nothing is left or a weight is negative
    /// or no number.
    pub fn new<'a>(weights: impl IntoIterator<Item = (&'a str, f64)>) -> Option<Self> {
        let weights: Vec<(&str, f64)> = weights.into_iter().collect();
        let is_weight = |weight: f64| weight.is_finite() && weight >= 0.0;
        let kept: BTreeMap<String, f64> = weights
            .iter()
            .filter(|(_, weight)| *weight > 0.0)
            .map(|(track, weight)| ((*track).to_owned(), *weight))
            .collect();
        (weights.iter().all(|(_, weight)| is_weight(*weight)) && !kept.is_empty()).then_some(Self(kept))
    }

    /// Reads `near:1,far-low:3`.
    ///
    /// # Errors
    /// When it is nothing of the kind.
    pub fn parse(text: &str) -> Result<Self, BadQuery> {
        let pair = |part: &str| {
            let (track, weight) = part.split_once(':')?;
            Some((track.trim().to_owned(), weight.trim().parse::<f64>().ok()?))
        };
        let pairs: Option<Vec<(String, f64)>> = text.split(',').map(pair).collect();
        pairs
            .and_then(|pairs| Self::new(pairs.iter().map(|(track, weight)| (track.as_str(), *weight))))
            .ok_or_else(|| BadQuery::Weights(text.to_owned()))
    }

    /// The tracks with their weights.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(track, weight)| (track.as_str(), *weight))
    }

    /// The weight of a track.
    pub fn of(&self, track: &str) -> f64 {
        self.0.get(track).copied().unwrap_or_default()
    }

    /// The share of a track in the weighted mean, from 0 to 1.
    pub fn share(&self, track: &str) -> f64 {
        self.of(track) / self.0.values().sum::<f64>()
    }

    /// The weighted WER of a model and its interval; the tracks that it lacks if it did not run all of them.
    ///
    /// # Errors
    /// The names of the tracks that it did not run.
    pub fn score(&self, candidate: &Candidate) -> Result<Estimate, Vec<String>> {
        let lacking: Vec<String> =
            self.0.keys().filter(|track| !candidate.tracks.contains_key(*track)).cloned().collect();
        if !lacking.is_empty() {
            return Err(lacking);
        }
        let shares: Vec<(&str, f64)> =
            self.0.keys().map(|track| (track.as_str(), self.share(track))).collect();
        let value = shares.iter().map(|(track, share)| share * candidate.tracks[*track].value).sum();
        Ok(Estimate { value, interval: candidate.covariance.interval(value, &shares) })
    }
}

impl std::fmt::Display for Weights {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, (track, weight)) in self.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(formatter, "{comma}{track}:{weight}")?;
        }
        Ok(())
    }
}
