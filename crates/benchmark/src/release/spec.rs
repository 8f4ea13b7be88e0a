//! What a release shall be, in words a person can read and write (TOML).

use std::{fs, ops::RangeInclusive, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    Error, Furnished, Laboratory, Model, Room, RoomModel, Track, corpus::NoiseClass, staging::sha256,
    venue::Venue,
};

/// The demo's specification, compiled in.
const DEMO: &str = include_str!("../../releases/demo.toml");
/// That of small releases in other languages.
const DEMO_LANGUAGE: &str = include_str!("../../releases/language.toml");

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
    /// Which of the corpus's talkers may be heard; all when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub talkers: Option<TalkerSplit>,
    /// What is rendered beside the scored items, for the measurement of speed.
    pub speed: Speed,
    /// What disturbs the speech in the far tracks.
    pub noise: Noise,
    /// At most so many utterances on tracks that are not ranked; all of them when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unranked_items: Option<usize>,
    /// Items whose references on file end with a made-up word: whoever writes it has seen the references. No score
    /// counts them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub canaries: usize,
    /// How talkers overlap on the `multi-talker` track.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multi_talker: Option<MultiTalker>,
    /// How loud the far end is on the `echo` track.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echo: Option<EchoSpec>,
    /// The room of the `lab-measured` and `lab-simulated` tracks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub laboratory: Option<Laboratory>,
    /// Boxes in which the far tracks take place.
    #[serde(default)]
    pub rooms: Vec<Room>,
    /// Furnished rooms in which they take place.
    #[serde(default)]
    pub furnished: Vec<Furnished>,
}

/// Conversations of the `multi-talker` track: the item's own utterance and others of the same track, in turns.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultiTalker {
    /// Number of turns, at least 2.
    pub turns: usize,
    /// Time in which two talk over time in which anybody does, 0 to below 1; never three at a time.
    pub overlap_ratio: f64,
    /// Between turns that do not overlap, in seconds.
    pub pause_s: f64,
    /// What makes two talkers.
    pub talkers_by: TalkersBy,
}

/// What makes two talkers of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TalkersBy {
    /// Two voices, each at a place of its own: the corpus must have them.
    Voice,
    /// Two places in the room, whoever's voice it is: for a corpus of one voice, to try things out.
    Place,
}

/// The far end of the `echo` track: another utterance of the track, which a loudspeaker plays.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EchoSpec {
    /// Signal-to-echo ratio at the microphone, least and most, in decibels.
    pub ser_db: [f64; 2],
    /// How hard the loudspeaker is driven, in decibels (see [`scene::Loudspeaker`]); linear when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drive_db: Option<f64>,
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

/// One side of a corpus that is split by talkers. Which side a talker is on follows from the name alone, so that two
/// releases of one corpus with one share, one of each side, never have a talker in common.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TalkerSplit {
    /// The side.
    pub side: Side,
    /// Share of the talkers who are on the public side, above 0 and below 1.
    pub dev_share: f64,
}

/// A side of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// For a public dev set.
    Dev,
    /// Held out.
    Test,
}

impl TalkerSplit {
    /// Whether a talker is on this side.
    pub fn has(self, talker: &str) -> bool {
        let digest = sha256(talker.as_bytes());
        // 52 bits: exact as a real number.
        let place = u64::from_str_radix(&digest[..13], 16).unwrap_or_default() as f64 / (1_u64 << 52) as f64;
        (place < self.dev_share) == (self.side == Side::Dev)
    }
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

impl Noise {
    /// Every kind it names.
    pub fn kinds(&self) -> impl Iterator<Item = NoiseKind> {
        self.continuous.iter().chain(&self.transient).copied()
    }
}

/// A kind of noise: synthesised, or a recording of a corpus of noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoiseKind {
    /// An air outlet: continuous.
    Ventilation,
    /// A person who coughs now and then: transient.
    Coughs,
    /// A recording of something that goes on.
    RecordedContinuous,
    /// A recording of something that comes and goes.
    RecordedTransient,
    /// A recording of many voices: continuous.
    Babble,
}

impl NoiseKind {
    /// Whether it goes on all the time.
    pub const fn is_continuous(self) -> bool {
        match self {
            Self::Ventilation | Self::RecordedContinuous | Self::Babble => true,
            Self::Coughs | Self::RecordedTransient => false,
        }
    }

    /// Of which recordings it is drawn; nothing if it is synthesised.
    pub const fn recorded(self) -> Option<NoiseClass> {
        match self {
            Self::Ventilation | Self::Coughs => None,
            Self::RecordedContinuous => Some(NoiseClass::Continuous),
            Self::RecordedTransient => Some(NoiseClass::Transient),
            Self::Babble => Some(NoiseClass::Babble),
        }
    }
}

impl ReleaseSpec {
    /// The demo: every track, furnished rooms.
    ///
    /// # Errors
    /// Never in a build that passes its tests.
    pub fn demo() -> Result<Self, Error> {
        Self::from_toml(DEMO)
    }

    /// A small release of another language's prompts: four tracks in one room.
    ///
    /// # Errors
    /// Never for a language code of two letters in a build that passes its tests.
    pub fn demo_in(language: &str) -> Result<Self, Error> {
        let spec = Self::from_toml(DEMO_LANGUAGE)?;
        let slug = format!("{}-{language}", spec.slug);
        let title = format!("{}: {language}, four tracks, one furnished room", spec.title);
        let spec = Self { slug, title, ..spec };
        spec.validate()?;
        Ok(spec)
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

    /// Reads and validates a specification with the room files that it names beside it.
    ///
    /// # Errors
    /// If a file cannot be read; otherwise as [`Self::from_toml`].
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path).map_err(Error::io(path))?;
        let mut spec: Self =
            toml::from_str(&text).map_err(|error| Error::Specification(error.to_string()))?;
        let directory = path.parent().unwrap_or(Path::new(""));
        let twin = spec.laboratory.as_mut().map(|laboratory| &mut laboratory.twin);
        for room in spec.furnished.iter_mut().chain(twin) {
            if let Model::File(file) = &room.model {
                let file = directory.join(file);
                room.model = Model::Text(fs::read_to_string(&file).map_err(Error::io(&file))?);
            }
        }
        spec.validate()?;
        Ok(spec)
    }

    /// The rooms of the far tracks.
    pub fn room_models(&self) -> Vec<RoomModel> {
        let boxes = self.rooms.iter().cloned().map(RoomModel::Box);
        boxes.chain(self.furnished.iter().cloned().map(RoomModel::Furnished)).collect()
    }

    /// A room by its name, those of the laboratory among them.
    pub fn room(&self, name: &str) -> Option<RoomModel> {
        let laboratory = self.laboratory.iter().flat_map(|laboratory| {
            [RoomModel::Measured(laboratory.measured), RoomModel::Furnished(laboratory.twin.clone())]
        });
        self.room_models().into_iter().chain(laboratory).find(|room| room.name() == name)
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
        require(within(self.level_dbov, -60.0..=-10.0), || {
            format!("level_dbov {}: -60 to -10 leaves room for peaks", self.level_dbov)
        })?;
        require(0.0 < min_seconds && min_seconds <= max_seconds && max_seconds.is_finite(), || {
            format!("speech of {min_seconds} to {max_seconds} s is no range")
        })?;
        require(transient_low <= transient_high && within(transient_low, -40.0..=40.0), || {
            format!("transient_level_db {transient_low} to {transient_high} is no range")
        })?;
        require(self.unranked_items != Some(0), || "unranked_items is 0: leave out the tracks".to_owned())?;
        require(self.talkers.is_none_or(|split| split.dev_share > 0.0 && split.dev_share < 1.0), || {
            "talkers.dev_share must be above 0 and below 1".to_owned()
        })?;
        self.validate_noise()?;
        self.validate_rooms()?;
        self.validate_track_sections()
    }

    /// Sections that a track needs.
    fn validate_track_sections(&self) -> Result<(), Error> {
        let has = |track: Track| self.tracks.contains(&track);
        require(!has(Track::MultiTalker) || self.multi_talker.is_some(), || {
            "track `multi-talker` needs a section [multi_talker]".to_owned()
        })?;
        require(!has(Track::Echo) || self.echo.is_some(), || {
            "track `echo` needs a section [echo]".to_owned()
        })?;
        let is_lab = has(Track::LabMeasured) || has(Track::LabSimulated);
        require(!is_lab || self.laboratory.is_some(), || {
            "the lab tracks need a section [laboratory]".to_owned()
        })?;
        if let Some(MultiTalker { turns, overlap_ratio, pause_s, .. }) = self.multi_talker {
            require(
                turns >= 2 && (0.0..1.0).contains(&overlap_ratio) && within(pause_s, 0.0..=60.0),
                || {
                    "multi_talker: 2 turns or more, an overlap ratio of 0 to below 1, a pause of 0 to 60 s"
                        .to_owned()
                },
            )?;
        }
        if let Some(EchoSpec { ser_db: [low, high], .. }) = self.echo {
            require(low <= high && within(low, -40.0..=40.0) && within(high, -40.0..=40.0), || {
                format!("echo: ser_db {low} to {high} is no range")
            })?;
        }
        if let Some(Laboratory { measured, twin }) = &self.laboratory {
            let (sources, talkers) = (measured.distances().len(), twin.talkers.len());
            require(sources == talkers && twin.microphones.len() == 1, || {
                format!("laboratory: the twin needs {sources} talkers, as were measured, and one microphone")
            })?;
            require(measured.name() != twin.name, || {
                "laboratory: the twin needs a name of its own".to_owned()
            })?;
        }
        Ok(())
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
        let models = self.room_models();
        let is_lab = |track: &Track| matches!(track, Track::LabMeasured | Track::LabSimulated);
        let is_far = self.tracks.iter().any(|track| track.setting().is_some() && !is_lab(track));
        require(!is_far || !models.is_empty(), || {
            "tracks other than `near` need at least one room".to_owned()
        })?;
        let laboratory = self.laboratory.as_ref().map(|it| RoomModel::Furnished(it.twin.clone()));
        let all: Vec<RoomModel> = models.iter().cloned().chain(laboratory).collect();
        let names: Vec<_> = all.iter().map(RoomModel::name).collect();
        require(all_differ(&names), || "two rooms have the same name".to_owned())?;
        let mut venues = Vec::new();
        for model in &all {
            let name = model.name();
            require(is_slug(name), || format!("room `{name}`: use a-z, 0-9 and hyphens"))?;
            let venue = Venue::new(model)
                .map_err(|problem| Error::Specification(format!("room `{name}`: {problem}")))?;
            venues.push(venue);
        }
        for &track in &self.tracks {
            if is_far && !is_lab(&track) && !venues[..models.len()].iter().any(|venue| suits(track, venue)) {
                let problem = format!("track `{track}` needs a room with {}", needed(track));
                return Err(Error::Specification(problem));
            }
        }
        let mut arrays = venues.iter().map(Venue::array_geometry).filter(|geometry| !geometry.is_empty());
        let first = arrays.next().unwrap_or_default();
        let is_same = |other: &Vec<f64>| {
            other.len() == first.len() && first.iter().zip(other).all(|(a, b)| (a - b).abs() < 1e-3)
        };
        require(arrays.all(|other| is_same(&other)), || {
            "the arrays of the rooms differ: a model hears the same device in all of them".to_owned()
        })?;
        for (model, venue) in all.iter().zip(&venues).take(models.len()) {
            let disturbed = !venue.continuous.is_empty() && !venue.transient.is_empty();
            require(disturbed, || {
                format!("room `{}`: name where continuous and where transient noise comes from", model.name())
            })?;
        }
        Ok(())
    }
}

/// Whether a track can take place in a room.
pub(super) fn suits(track: Track, venue: &Venue) -> bool {
    match track {
        Track::MovingHigh | Track::MovingMid | Track::MovingLow => !venue.walks.is_empty(),
        Track::MultiTalker => venue.talkers.len() >= 2,
        Track::Array => !venue.array.is_empty(),
        Track::Echo => !venue.loudspeakers.is_empty(),
        _ => true,
    }
}

fn needed(track: Track) -> &'static str {
    match track {
        Track::MovingHigh | Track::MovingMid | Track::MovingLow => "walks",
        Track::MultiTalker => "two talkers",
        Track::Array => "an array",
        Track::Echo => "loudspeakers",
        _ => "places",
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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}
