//! Recipes: everything needed to render an item again.

use serde::{Deserialize, Serialize};

use super::NoiseKind;
use crate::{Listener, SpeechPath};

/// How an item is rendered. Together with its room and the corpus it gives the same bytes again on the same kind of
/// processor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Who says what when, in the order of their beginnings: one turn, or several of a conversation.
    pub turns: Vec<Turn>,
    /// Active speech level of all speech in the result, in dBov.
    pub level_dbov: f64,
    /// Seed of the dither that goes with rounding to 16 bits.
    pub dither_seed: u64,
    /// Where it is heard; nothing for dry speech.
    pub scene: Option<SceneRecipe>,
}

/// One stretch of speech.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// SHA-256 of the dry recording.
    pub speech_sha256: String,
    /// When it begins, in samples.
    pub start_samples: usize,
    /// Index into the room's talkers, or into its walks where the talker moves; 0 without a room.
    pub talker: usize,
}

/// Where speech is heard, and with what noise.
///
/// All tracks of an utterance in one room name the same places and noise; a track leaves some of it out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SceneRecipe {
    /// Name of the room.
    pub room: String,
    /// What listens.
    pub listener: Listener,
    /// How the speech gets to the microphone.
    #[serde(default, skip_serializing_if = "SpeechPath::is_through_the_room")]
    pub speech: SpeechPath,
    /// Signal-to-noise ratio, in decibels; without speech, that of speech at `level_dbov`. Nothing without noise.
    pub snr_db: Option<f64>,
    /// The noise, all of it together at that ratio.
    pub noises: Vec<NoiseRecipe>,
    /// What a loudspeaker in the room plays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub far_end: Option<FarEnd>,
}

/// One source of noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseRecipe {
    /// What it is.
    pub kind: NoiseKind,
    /// SHA-256 of the recording, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording_sha256: Option<String>,
    /// Index into the room's positions for its kind.
    pub position: usize,
    /// Level at the microphone relative to the other sources, in decibels.
    pub relative_level_db: f64,
    /// Seed of the synthesis.
    pub seed: u64,
}

/// Speech of the far end of a call, played in the room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FarEnd {
    /// SHA-256 of the dry recording.
    pub speech_sha256: String,
    /// When it begins to be played, in samples.
    pub start_samples: usize,
    /// Index into the room's loudspeakers.
    pub loudspeaker: usize,
    /// Signal-to-echo ratio at the microphone, in decibels.
    pub ser_db: f64,
    /// How hard the loudspeaker is driven, see [`scene::Loudspeaker`]; nothing for one that is linear.
    pub drive_db: Option<f64>,
}

impl Recipe {
    /// Hashes of the recordings it needs.
    pub fn recordings(&self) -> impl Iterator<Item = &str> {
        let far_end = self.scene.iter().filter_map(|scene| scene.far_end.as_ref());
        let turns = self.turns.iter().map(|turn| turn.speech_sha256.as_str());
        let noises = self.scene.iter().flat_map(|scene| &scene.noises);
        let noises = noises.filter_map(|noise| noise.recording_sha256.as_deref());
        turns.chain(far_end.map(|far_end| far_end.speech_sha256.as_str())).chain(noises)
    }
}
