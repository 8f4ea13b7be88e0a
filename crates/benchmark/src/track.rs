//! Tracks: the conditions of a release that are scored apart.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A condition with a score of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Track {
    /// Dry speech, no room, no noise.
    Near,
    /// Furnished rooms, signal-to-noise ratio 14 to 24 dB.
    FarHigh,
    /// Furnished rooms, signal-to-noise ratio 8 to 12 dB.
    FarMid,
    /// Furnished rooms, signal-to-noise ratio −4 to 6 dB.
    FarLow,
    /// Furnished rooms, signal-to-noise ratio spread evenly over −10 to 30 dB: for the response surface.
    Sweep,
    /// As `far-high`, with a talker who walks.
    MovingHigh,
    /// As `far-mid`, with a talker who walks.
    MovingMid,
    /// As `far-low`, with a talker who walks.
    MovingLow,
    /// Through measured responses of a real room.
    LabMeasured,
    /// Through simulated responses of the same room.
    LabSimulated,
    /// The `far-mid` items without their noise.
    ReverbOnly,
    /// The `far-mid` items with dry speech: their noise, at the same ratio, as the room carries it.
    NoiseOnly,
    /// The `far-mid` items without their speech.
    Silence,
    /// Several talkers who interrupt each other.
    MultiTalker,
    /// Several channels of one device.
    Array,
    /// A loudspeaker in the room plays the far end of a call.
    Echo,
}

/// Signal-to-noise ratios of a track, both ends included, in decibels.
///
/// The ratio is the active speech level (ITU-T P.56) of the reverberant speech at the microphone minus the
/// root-mean-square level of all noise there over the same span.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SnrRange {
    /// The least.
    pub low_db: f64,
    /// The most.
    pub high_db: f64,
}

impl SnrRange {
    /// Whether a ratio belongs to the track.
    pub fn contains(self, snr_db: f64) -> bool {
        (self.low_db..=self.high_db).contains(&snr_db)
    }
}

/// How speech gets to the microphone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpeechPath {
    /// Through the room.
    #[default]
    Room,
    /// Through the room, from somebody who walks.
    Walk,
    /// Directly, as it was recorded.
    Dry,
    /// Not at all.
    Absent,
}

impl SpeechPath {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(crate) fn is_through_the_room(&self) -> bool {
        *self == Self::Room
    }
}

/// What of a scene a track has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// How its speech gets to the microphone.
    pub speech: SpeechPath,
    /// Whether there is noise.
    pub noise: bool,
}

/// What a track asks of a model beyond one channel of one talker. A model that has not said it can do so is shown as
/// not run there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Demand {
    /// Several talkers: one stream of words for each. A model with one stream of words is scored on that one, so what
    /// the other talkers say is missed.
    Talkers,
    /// Several channels of one device. For models that take one there is the sum of them (delay and sum).
    Channels,
    /// The channel of the far end beside that of the microphone. For models that take one there is the microphone's.
    FarEnd,
}

/// How hypotheses of a track are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Word error rate against one reference.
    WordErrors,
    /// Words per hour where nothing was said.
    FalseWords,
    /// Concatenated minimum-permutation word error rate (cpWER) against segments of several talkers.
    SpeakerWordErrors,
}

impl Track {
    /// The four primary tracks, whose unweighted mean ranks a model.
    pub const PRIMARY: [Self; 4] = [Self::Near, Self::FarHigh, Self::FarMid, Self::FarLow];

    /// Every track that is defined.
    pub const ALL: [Self; 16] = [
        Self::Near,
        Self::FarHigh,
        Self::FarMid,
        Self::FarLow,
        Self::Sweep,
        Self::MovingHigh,
        Self::MovingMid,
        Self::MovingLow,
        Self::LabMeasured,
        Self::LabSimulated,
        Self::ReverbOnly,
        Self::NoiseOnly,
        Self::Silence,
        Self::MultiTalker,
        Self::Array,
        Self::Echo,
    ];

    /// Its name in files, addresses and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Near => "near",
            Self::FarHigh => "far-high",
            Self::FarMid => "far-mid",
            Self::FarLow => "far-low",
            Self::Sweep => "sweep",
            Self::MovingHigh => "moving-high",
            Self::MovingMid => "moving-mid",
            Self::MovingLow => "moving-low",
            Self::LabMeasured => "lab-measured",
            Self::LabSimulated => "lab-simulated",
            Self::ReverbOnly => "reverb-only",
            Self::NoiseOnly => "noise-only",
            Self::Silence => "silence",
            Self::MultiTalker => "multi-talker",
            Self::Array => "array",
            Self::Echo => "echo",
        }
    }

    /// Whether it counts in the average that ranks.
    pub const fn is_ranked(self) -> bool {
        matches!(self, Self::Near | Self::FarHigh | Self::FarMid | Self::FarLow)
    }

    /// What it asks of a model beyond one channel of one talker.
    pub const fn demand(self) -> Option<Demand> {
        match self {
            Self::MultiTalker => Some(Demand::Talkers),
            Self::Array => Some(Demand::Channels),
            Self::Echo => Some(Demand::FarEnd),
            _ => None,
        }
    }

    /// What of a scene it has; `None` for dry speech.
    pub const fn setting(self) -> Option<Setting> {
        let (speech, noise) = match self {
            Self::Near => return None,
            Self::ReverbOnly | Self::LabMeasured | Self::LabSimulated => (SpeechPath::Room, false),
            Self::MovingHigh | Self::MovingMid | Self::MovingLow => (SpeechPath::Walk, true),
            Self::NoiseOnly => (SpeechPath::Dry, true),
            Self::Silence => (SpeechPath::Absent, true),
            _ => (SpeechPath::Room, true),
        };
        Some(Setting { speech, noise })
    }

    /// Whether anybody speaks.
    pub const fn has_speech(self) -> bool {
        !matches!(self, Self::Silence)
    }

    /// How its hypotheses are measured.
    pub const fn measure(self) -> Measure {
        match self {
            Self::Silence => Measure::FalseWords,
            Self::MultiTalker => Measure::SpeakerWordErrors,
            _ => Measure::WordErrors,
        }
    }

    /// The track whose items have the same ratios: itself, or for what is another track with something left out, somebody
    /// moving or more microphones, that one.
    #[must_use]
    pub const fn ratios_of(self) -> Self {
        match self {
            Self::MovingHigh | Self::MultiTalker | Self::Echo => Self::FarHigh,
            Self::MovingMid | Self::NoiseOnly | Self::Silence | Self::Array => Self::FarMid,
            Self::MovingLow => Self::FarLow,
            itself => itself,
        }
    }

    /// Its ratios; `None` where there is no noise. For the far tracks the public board's bins (above 14, 8 to 12, below
    /// 6 dB) with their open ends closed. Without speech it is the ratio that speech at the release's level would
    /// have.
    pub const fn snr_range(self) -> Option<SnrRange> {
        let [low_db, high_db] = match self.ratios_of() {
            Self::Near | Self::ReverbOnly | Self::LabMeasured | Self::LabSimulated => return None,
            Self::FarHigh => [14.0, 24.0],
            Self::FarLow => [-4.0, 6.0],
            Self::Sweep => [-10.0, 30.0],
            _ => [8.0, 12.0],
        };
        Some(SnrRange { low_db, high_db })
    }
}

impl fmt::Display for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no track's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no track `{0}`: use one of {all}", all = Track::ALL.map(Track::name).join(", "))]
pub struct UnknownTrack(String);

impl FromStr for Track {
    type Err = UnknownTrack;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|track| track.name() == name).ok_or_else(|| UnknownTrack(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_has_one_name_in_rust_and_in_json() {
        for track in Track::ALL {
            assert_eq!(track.name().parse(), Ok(track));
            assert_eq!(serde_json::to_string(&track).unwrap(), format!("\"{track}\""));
        }
        let error = "far".parse::<Track>().unwrap_err().to_string();
        assert!(error.starts_with("there is no track `far`: use one of near, far-high,"), "{error}");
    }

    #[test]
    fn the_ranges_of_the_far_tracks_do_not_touch() {
        let range = |track: Track| track.snr_range().unwrap();
        assert!(range(Track::FarLow).high_db < range(Track::FarMid).low_db);
        assert!(range(Track::FarMid).high_db < range(Track::FarHigh).low_db);
    }

    #[test]
    fn a_track_has_ratios_when_it_has_noise() {
        for track in Track::ALL {
            let noise = track.setting().is_some_and(|setting| setting.noise);
            assert_eq!(track.snr_range().is_some(), noise, "{track}");
            assert!(!track.is_ranked() || track.demand().is_none(), "{track}");
        }
        assert_eq!(
            Track::ALL.into_iter().filter(|track| track.is_ranked()).collect::<Vec<_>>(),
            Track::PRIMARY
        );
    }
}
