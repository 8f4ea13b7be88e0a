//! Recipes: everything needed to render an item again.

use serde::{Deserialize, Serialize};

use super::NoiseKind;
use crate::SpeechPath;

/// How an item is rendered. Together with the release's rooms and the corpus it gives the same bytes again on
/// the same kind of processor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// SHA-256 of the dry recording.
    pub speech_sha256: String,
    /// Silence before the dry recording, in samples.
    pub lead_in_samples: usize,
    /// Active speech level of the speech in the result, in dBov.
    pub level_dbov: f64,
    /// Seed of the dither that goes with rounding to 16 bits.
    pub dither_seed: u64,
    /// Where it is heard; nothing for dry speech.
    pub scene: Option<SceneRecipe>,
}

/// Where speech is heard, and with what noise.
///
/// All tracks of an utterance name the same room, positions and noise; a track leaves some of it out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SceneRecipe {
    /// Name of the room.
    pub room: String,
    /// Index into the room's talkers.
    pub talker: usize,
    /// Index into the room's microphones.
    pub microphone: usize,
    /// How the speech gets to the microphone.
    #[serde(default, skip_serializing_if = "SpeechPath::is_through_the_room")]
    pub speech: SpeechPath,
    /// Signal-to-noise ratio, in decibels; without speech, that of speech at `level_dbov`. Nothing without noise.
    pub snr_db: Option<f64>,
    /// The noise, all of it together at that ratio.
    pub noises: Vec<NoiseRecipe>,
}

/// One source of noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseRecipe {
    /// What it is.
    pub kind: NoiseKind,
    /// Index into the room's positions for its kind.
    pub position: usize,
    /// Level at the microphone relative to the other sources, in decibels.
    pub relative_level_db: f64,
    /// Seed of the synthesis.
    pub seed: u64,
}

impl Recipe {
    /// Hashes of the recordings it needs.
    pub fn recordings(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.speech_sha256.as_str())
    }
}
