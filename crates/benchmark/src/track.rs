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

impl Track {
    /// The four primary tracks, whose unweighted mean ranks a model.
    pub const PRIMARY: [Self; 4] = [Self::Near, Self::FarHigh, Self::FarMid, Self::FarLow];

    /// Its name in files, addresses and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Near => "near",
            Self::FarHigh => "far-high",
            Self::FarMid => "far-mid",
            Self::FarLow => "far-low",
        }
    }

    /// Whether it counts in the average that ranks.
    pub const fn is_ranked(self) -> bool {
        match self {
            Self::Near | Self::FarHigh | Self::FarMid | Self::FarLow => true,
        }
    }

    /// Its ratios; `None` where there is no noise. The public board's bins (above 14, 8 to 12, below 6 dB)
    /// with their open ends closed.
    pub const fn snr_range(self) -> Option<SnrRange> {
        match self {
            Self::Near => None,
            Self::FarHigh => Some(SnrRange { low_db: 14.0, high_db: 24.0 }),
            Self::FarMid => Some(SnrRange { low_db: 8.0, high_db: 12.0 }),
            Self::FarLow => Some(SnrRange { low_db: -4.0, high_db: 6.0 }),
        }
    }
}

impl fmt::Display for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no track's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no track `{0}`: use near, far-high, far-mid or far-low")]
pub struct UnknownTrack(String);

impl FromStr for Track {
    type Err = UnknownTrack;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::PRIMARY
            .into_iter()
            .find(|track| track.name() == name)
            .ok_or_else(|| UnknownTrack(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_has_one_name_in_rust_and_in_json() {
        for track in Track::PRIMARY {
            assert_eq!(track.name().parse(), Ok(track));
            assert_eq!(serde_json::to_string(&track).unwrap(), format!("\"{track}\""));
        }
        assert!("far".parse::<Track>().is_err());
    }

    #[test]
    fn the_ranges_of_the_tracks_do_not_touch() {
        let range = |track: Track| track.snr_range().unwrap();
        assert!(range(Track::FarLow).high_db < range(Track::FarMid).low_db);
        assert!(range(Track::FarMid).high_db < range(Track::FarHigh).low_db);
    }
}
