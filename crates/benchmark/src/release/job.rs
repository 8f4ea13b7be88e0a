//! Render jobs: what a machine needs to render a part of a release, and what it gives back.
//!
//! A job is plain data: it can go through a queue as JSON. It names dry recordings by their hash and holds neither texts
//! nor names of utterances or talkers. Whoever runs it needs a [`Workshop`](super::Workshop) and the recordings that
//! [`RenderJob::recordings`] lists. Jobs and results are addressed by their content, so a job that runs twice, anywhere,
//! gives the same files under the same names.

use std::{collections::BTreeSet, path::PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Conditions, Recipe};
use crate::{Error, RoomModel, staging::sha256};

/// What renders, for [`RenderJob::renderer`]: another version may give other bytes.
pub const RENDERER: &str = concat!("ffasr ", env!("CARGO_PKG_VERSION"));

/// Items of one room to render.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenderJob {
    /// The program and version that must render it.
    pub renderer: String,
    /// Where all its items are heard; nothing for dry speech.
    pub room: Option<RoomModel>,
    /// What to render, at least one.
    pub items: Vec<RenderTask>,
}

/// One item to render.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenderTask {
    /// Id of the item: a hash that tells nothing.
    pub id: Uuid,
    /// How.
    pub recipe: Recipe,
}

/// What a job gave: as many items as it had.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobResult {
    /// [`RenderJob::sha256`].
    pub job: String,
    /// The items in the order of the job.
    pub items: Vec<RenderedItem>,
}

/// An item that was rendered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenderedItem {
    /// Id of the item.
    pub id: Uuid,
    /// What a model hears.
    pub audio: AudioFile,
    /// One channel made of it for models that take no more: of an array its delay and sum, with an echo the microphone
    /// alone. Nothing where the audio has one channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mono: Option<AudioFile>,
    /// What the far field is like, as measured; nothing for dry speech.
    pub conditions: Option<Conditions>,
}

/// A WAV file of 16-bit PCM at 16 kHz, named by its content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AudioFile {
    /// SHA-256 of the whole file, hexadecimal.
    pub sha256: String,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Number of channels.
    pub channels: u16,
    /// Length in seconds.
    pub seconds: f64,
}

impl RenderJob {
    /// The job's address: SHA-256 of it as compact JSON, hexadecimal.
    ///
    /// # Errors
    /// Never for a job that was planned or read.
    pub fn sha256(&self) -> Result<String, Error> {
        address("render job", self)
    }

    /// Hashes of the recordings it needs, each once: the WAV files of a corpus.
    pub fn recordings(&self) -> BTreeSet<&str> {
        self.items.iter().flat_map(|task| task.recipe.recordings()).collect()
    }

    /// Address of the simulation that it shares with the other jobs of its room, where that costs so much that only one
    /// machine should do it: a room simulated with waves.
    ///
    /// # Errors
    /// Never for a job that was planned or read.
    pub fn shared_simulation(&self) -> Result<Option<String>, Error> {
        let is_wave = matches!(&self.room, Some(RoomModel::Furnished(room)) if room.quality.has_waves());
        is_wave.then(|| address("simulation", &(&self.renderer, &self.room))).transpose()
    }

    /// The address of one of its items: what decides how the item sounds.
    pub(super) fn item_address(&self, task: &RenderTask) -> Result<String, Error> {
        address("item", &(&self.renderer, &self.room, task))
    }
}

impl RenderedItem {
    /// All its audio: what a model hears, and the one channel for those that take no more.
    pub fn files(&self) -> impl Iterator<Item = &AudioFile> {
        std::iter::once(&self.audio).chain(&self.mono)
    }
}

impl AudioFile {
    /// Whether this is its content.
    pub fn is(&self, content: &[u8]) -> bool {
        sha256(content) == self.sha256
    }

    /// Where it lies, relative to a release or a workshop.
    pub fn path(&self) -> PathBuf {
        PathBuf::from("audio").join(format!("{}.wav", self.sha256))
    }
}

/// SHA-256 of something as compact JSON.
pub(super) fn address(what: &str, content: &impl Serialize) -> Result<String, Error> {
    let json = serde_json::to_vec(content).map_err(|error| Error::file(what, error.to_string()))?;
    Ok(sha256(&json))
}
