//! What a release shall be, in words a person can read and write (TOML).

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::{Error, Room, Track};

/// The demo's specification, compiled in.
const DEMO: &str = include_str!("../../releases/demo.toml");

/// The specification of a release. With a corpus and a number of items it determines every byte of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseSpec {
    /// Name in addresses: lower-case letters, digits and hyphens.
    pub slug: String,
    /// Version, e.g. `1`. A frozen version never changes.
    pub version: String,
    /// Name for people.
    pub title: String,
    /// Everything that is drawn is drawn from this. Who knows it and the corpus can tell items apart by their
    /// ids, so that of a private release stays private.
    pub seed: u64,
    /// The tracks, each over the same utterances.
    pub tracks: Vec<Track>,
    /// Active speech level (ITU-T P.56) of every item, in dBov.
    pub level_dbov: f64,
    /// Which utterances of the corpus may be used.
    pub speech: Speech,
    /// What is rendered beside the scored items, for the measurement of speed.
    pub speed: Speed,
    /// What disturbs the speech in the far tracks.
    pub noise: Noise,
    /// Where the far tracks take place.
    pub rooms: Vec<Room>,
}

/// Which utterances may be used.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speech {
    /// Fewest words.
    pub min_words: usize,
    /// Shortest dry recording, in seconds.
    pub min_seconds: f64,
    /// Longest dry recording, in seconds.
    pub max_seconds: f64,
}

/// Items that are timed or warm a model up, and never scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speed {
    /// Number of warm-up items: utterances of their own.
    pub warm_up: usize,
    /// Number of repeat passes over a fixed subset of the scored utterances, each rendered afresh (other noise,
    /// ±0.1 dB, 0 to 200 ms of lead-in), so that a cache of earlier audio does not pay.
    pub passes: usize,
    /// Items of each track in a pass.
    pub items_per_track: usize,
}

/// What disturbs the speech: one continuous and one transient kind in every far scene.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noise {
    /// Kinds to draw the continuous noise from.
    pub continuous: Vec<NoiseKind>,
    /// Kinds to draw the transient noise from.
    pub transient: Vec<NoiseKind>,
    /// Level of the transient noise over the continuous one at the microphone, least and most, in decibels (both
    /// root mean square over the whole scene).
    pub transient_level_db: [f64; 2],
}

/// A kind of noise. All are synthesised; none is a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoiseKind {
    /// An air outlet: continuous.
    Ventilation,
    /// A person who coughs now and then: transient.
    Coughs,
}

impl NoiseKind {
    /// Whether it goes on all the time.
    pub const fn is_continuous(self) -> bool {
        match self {
            Self::Ventilation => true,
            Self::Coughs => false,
        }
    }
}

impl ReleaseSpec {
    /// The demo: near and far, eight furnished rooms.
    ///
    /// # Errors
    /// Never in a build that passes its tests.
    pub fn demo() -> Result<Self, Error> {
        Self::from_toml(DEMO)
    }

    /// Reads and validates a specification.
    ///
    /// # Errors
    /// Says what is misspelt or contradicts itself, and where.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        let spec: Self = toml::from_str(text).map_err(|error| Error::Specification(error.to_string()))?;
        spec.validate()?;
        Ok(spec)
    }

    /// Checks what the types cannot.
    ///
    /// # Errors
    /// Says what contradicts itself.
    pub fn validate(&self) -> Result<(), Error> {
        let Speech { min_seconds, max_seconds, .. } = self.speech;
        let [transient_low, transient_high] = self.noise.transient_level_db;
        require(is_slug(&self.slug), || format!("slug `{}`: use a-z, 0-9 and hyphens", self.slug))?;
        require(!self.version.is_empty(), || "the version is empty".to_owned())?;
        require(!self.tracks.is_empty() && all_differ(&self.tracks), || {
            "name at least one track, and each only once".to_owned()
        })?;
        if let Some(track) = self.tracks.iter().find(|track| !track.can_be_built()) {
            let problem =
                format!("track `{track}` is defined, but this version cannot build it: leave it out");
            return Err(Error::Specification(problem));
        }
        require(within(self.level_dbov, -60.0..=-10.0), || {
            format!("level_dbov {}: -60 to -10 leaves room for peaks", self.level_dbov)
        })?;
        require(0.0 < min_seconds && min_seconds <= max_seconds && max_seconds.is_finite(), || {
            format!("speech of {min_seconds} to {max_seconds} s is no range")
        })?;
        require(transient_low <= transient_high && within(transient_low, -40.0..=40.0), || {
            format!("transient_level_db {transient_low} to {transient_high} is no range")
        })?;
        self.validate_noise()?;
        self.validate_rooms()
    }

    fn validate_noise(&self) -> Result<(), Error> {
        let Noise { continuous, transient, .. } = &self.noise;
        require(!continuous.is_empty() && continuous.iter().all(|kind| kind.is_continuous()), || {
            "noise.continuous must name continuous noise, such as ventilation".to_owned()
        })?;
        require(!transient.is_empty() && !transient.iter().any(|kind| kind.is_continuous()), || {
            "noise.transient must name transient noise, such as coughs".to_owned()
        })
    }

    fn validate_rooms(&self) -> Result<(), Error> {
        let is_far = self.tracks.iter().any(|track| track.setting().is_some());
        require(!is_far || !self.rooms.is_empty(), || {
            "tracks other than `near` need at least one room".to_owned()
        })?;
        let names: Vec<_> = self.rooms.iter().map(|room| &room.name).collect();
        require(all_differ(&names), || "two rooms have the same name".to_owned())?;
        for room in &self.rooms {
            require(is_slug(&room.name), || format!("room `{}`: use a-z, 0-9 and hyphens", room.name))?;
            room.validate()
                .map_err(|problem| Error::Specification(format!("room `{}`: {problem}", room.name)))?;
        }
        Ok(())
    }
}

fn require(holds: bool, problem: impl FnOnce() -> String) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(Error::Specification(problem())) }
}

fn within(value: f64, range: RangeInclusive<f64>) -> bool {
    range.contains(&value)
}

fn is_slug(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn all_differ<T: PartialEq>(values: &[T]) -> bool {
    values.iter().enumerate().all(|(index, value)| !values[..index].contains(value))
}
