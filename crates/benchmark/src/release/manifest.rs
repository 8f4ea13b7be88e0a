//! The manifest of a release: its items, and the hash that freezes them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{NoiseKind, Recipe, ReleaseSpec};
use crate::{Error, Track, corpus, staging::sha256};

/// Version of the format of releases.
pub(super) const FORMAT: u32 = 1;

/// A release as built: nothing in it depends on when or where that was.
#[derive(Debug, Clone, PartialEq)]
pub struct ReleaseManifest {
    /// What holds for all items.
    pub release: Header,
    /// All items: scored ones track by track, then warm-up, then repeat passes.
    pub items: Vec<Item>,
}

/// What holds for all items of a release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Version of this format.
    pub format: u32,
    /// What rendered it.
    pub renderer: String,
    /// The speech, its licence and whom to name.
    pub corpus: corpus::Description,
    /// What was asked for.
    pub spec: ReleaseSpec,
}

/// One utterance in one scene.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Made from release, seed, role, track and utterance: the same whenever the release is built.
    pub id: Uuid,
    /// What it is for.
    #[serde(flatten)]
    pub role: Role,
    /// Its track.
    pub track: Track,
    /// Id of the utterance in its corpus.
    pub utterance: String,
    /// What was said, nothing on the `silence` track. Never shown, logged or sent to a machine that runs a model.
    pub reference: String,
    /// Who said it.
    pub talker: String,
    /// The WAV file (mono, 16 kHz, 16-bit PCM), relative to the release directory.
    pub audio_filepath: PathBuf,
    /// SHA-256 of the WAV file, hexadecimal.
    pub sha256: String,
    /// Length of the audio, in seconds.
    pub seconds: f64,
    /// What the far field is like; nothing for dry speech.
    pub conditions: Option<Conditions>,
    /// How to render it again.
    pub recipe: Recipe,
}

/// What an item is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "kebab-case")]
pub enum Role {
    /// Transcribed once, scored and timed.
    Scored,
    /// Transcribed before the clock counts.
    WarmUp,
    /// Timed again, never scored.
    Repeat {
        /// Which pass, from 1.
        pass: usize,
    },
}

/// What the far field of an item is like, as far as it has one. T30, EDT and C50 are those of ISO 3382-1 for the
/// response from talker to microphone, as means of the octaves at 500 Hz and 1 kHz; the direct-to-reverberant ratio
/// is over all frequencies. They are left out where the speech is dry or absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// Name of the room.
    pub room: String,
    /// From talker to microphone, in metres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance_m: Option<f64>,
    /// Signal-to-noise ratio as measured on the rendered parts, in decibels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snr_db: Option<f64>,
    /// Active speech level (ITU-T P.56), in dBov.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_level_dbov: Option<f64>,
    /// Root-mean-square level of all noise, in dBov.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise_level_dbov: Option<f64>,
    /// Reverberation time T30, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub t30_s: Option<f64>,
    /// Early decay time, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edt_s: Option<f64>,
    /// Early-to-late ratio with the limit at 50 ms, in decibels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub c50_db: Option<f64>,
    /// Direct-to-reverberant ratio, in decibels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drr_db: Option<f64>,
    /// What disturbs the speech.
    pub noise: Vec<NoiseKind>,
}

/// `release.json`.
#[derive(Serialize, Deserialize)]
struct ReleaseFile {
    manifest_sha256: String,
    release: Header,
}

impl ReleaseManifest {
    /// The items of one track that are scored.
    pub fn scored(&self, track: Track) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(move |item| item.role == Role::Scored && item.track == track)
    }

    /// The items that warm a model up.
    pub fn warm_up(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| item.role == Role::WarmUp)
    }

    /// The items of one repeat pass, counted from 1.
    pub fn repeat(&self, pass: usize) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(move |item| item.role == Role::Repeat { pass })
    }

    /// The hash that freezes a release: SHA-256 of the header as one line of compact JSON, followed by
    /// `manifest.jsonl` byte for byte. Every WAV file's own hash is in there.
    ///
    /// # Errors
    /// Never for a manifest that was built or read.
    pub fn sha256(&self) -> Result<String, Error> {
        let mut content = line(&self.release)?;
        content.extend(self.lines()?);
        Ok(sha256(&content))
    }

    /// `manifest.jsonl`.
    pub(super) fn lines(&self) -> Result<Vec<u8>, Error> {
        let lines = self.items.iter().map(line).collect::<Result<Vec<_>, _>>()?;
        Ok(lines.concat())
    }

    /// `release.json`.
    pub(super) fn release_file(&self) -> Result<Vec<u8>, Error> {
        let file = ReleaseFile { manifest_sha256: self.sha256()?, release: self.release.clone() };
        serde_json::to_vec_pretty(&file).map_err(|error| Error::file("release.json", error.to_string()))
    }

    /// Reads a release directory. Reads no audio; see [`super::verify`].
    ///
    /// # Errors
    /// If a file is missing or damaged, or the content is not what the hash in `release.json` froze.
    pub fn read(directory: &Path) -> Result<Self, Error> {
        let path = directory.join("release.json");
        let content = fs::read(&path).map_err(Error::io(&path))?;
        let ReleaseFile { manifest_sha256, release } =
            serde_json::from_slice(&content).map_err(|error| Error::file(&path, error.to_string()))?;
        if release.format != FORMAT {
            let problem = format!("is of format {}, this program reads format {FORMAT}", release.format);
            return Err(Error::file(&path, problem));
        }
        let manifest = Self { release, items: corpus::read_lines(&directory.join("manifest.jsonl"))? };
        if manifest.sha256()? != manifest_sha256 {
            let problem =
                "its content is not what manifest_sha256 in release.json froze: something was changed";
            return Err(Error::file(directory, problem));
        }
        Ok(manifest)
    }
}

/// One line of compact JSON.
fn line(record: &impl Serialize) -> Result<Vec<u8>, Error> {
    let mut line =
        serde_json::to_vec(record).map_err(|error| Error::file("manifest.jsonl", error.to_string()))?;
    line.push(b'\n');
    Ok(line)
}
