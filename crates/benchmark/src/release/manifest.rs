//! The manifest of a release: its items, and the hash that freezes them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use scene::conversation::Segment;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{NoiseKind, Recipe, ReleaseKey, ReleaseSpec, seal};
use crate::{Error, Track, corpus, staging::sha256};

/// Version of the format of releases.
pub(super) const FORMAT: u32 = 2;

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
    /// Recorded noise, its licence and whom to name; nothing where all noise is synthesised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise_corpus: Option<corpus::Description>,
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
    /// What was said, nothing on the `silence` track; where several talk all they say, by the beginnings. Never shown, logged or sent to a machine that runs a model.
    pub reference: String,
    /// Who said it.
    pub talker: String,
    /// Who says what when, where several talk: segments of `SegLST`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<Segment>,
    /// The WAV file (16 kHz, 16-bit PCM), relative to the release directory.
    pub audio_filepath: PathBuf,
    /// Number of channels in it.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub channels: u16,
    /// SHA-256 of the WAV file, hexadecimal.
    pub sha256: String,
    /// Length of the audio, in seconds.
    pub seconds: f64,
    /// The same in one channel, for models that take no more; nothing where the audio has one anyway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mono: Option<MonoAudio>,
    /// What the far field is like; nothing for dry speech.
    pub conditions: Option<Conditions>,
    /// How to render it again.
    pub recipe: Recipe,
}

/// Several channels made into one: of an array its delay and sum, steered to where the talker really is; with an echo the
/// microphone alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonoAudio {
    /// The WAV file (mono, 16 kHz, 16-bit PCM), relative to the release directory.
    pub audio_filepath: PathBuf,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
}

pub(crate) fn one() -> u16 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(crate) fn is_one(channels: &u16) -> bool {
    *channels == 1
}

/// What an item is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "kebab-case")]
pub enum Role {
    /// Transcribed once, scored and timed.
    Scored,
    /// Transcribed before the clock counts.
    WarmUp,
    /// Transcribed among the scored items, never scored: the last word of its reference is made up and said nowhere, so
    /// that whoever writes it has seen the references.
    Canary,
    /// Timed again, never scored.
    Repeat {
        /// Which pass, from 1.
        pass: usize,
    },
}

/// What the far field of an item is like, as far as it has one. T30, EDT and C50 are those of ISO 3382-1 for the
/// response from talker to microphone (of several talkers the first, of a walk its middle, of an array the first
/// microphone), as means of the octaves at 500 Hz and 1 kHz; the direct-to-reverberant ratio is over all frequencies.
/// They are left out where the speech is dry or absent.
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
    /// Signal-to-echo ratio, in decibels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ser_db: Option<f64>,
    /// Time in which two or more talk over time in which anybody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap_ratio: Option<f64>,
    /// From when to when somebody in the room talks while the loudspeaker does, in seconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub double_talk_s: Vec<[f64; 2]>,
}

/// `release.json`.
#[derive(Serialize, Deserialize)]
struct ReleaseFile {
    manifest_sha256: String,
    release: Header,
}

impl Item {
    /// Its audio files, relative to the release directory.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(self.audio_filepath.as_path())
            .chain(self.mono.iter().map(|mono| mono.audio_filepath.as_path()))
    }
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

    /// The items that tell whether references have leaked.
    pub fn canaries(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| item.role == Role::Canary)
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

    /// Reads a release directory, a sealed one with the key of the environment ([`ReleaseKey::from_environment`]). Reads no
    /// audio; see [`super::verify`].
    ///
    /// # Errors
    /// If a file is missing or damaged, the content is not what the hash in `release.json` froze, or a key is missing.
    pub fn read(directory: &Path) -> Result<Self, Error> {
        if seal::is_sealed(directory) {
            return Self::read_sealed(directory, ReleaseKey::from_environment()?.as_ref());
        }
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

impl ReleaseManifest {
    /// Reads a sealed release directory.
    ///
    /// # Errors
    /// As [`Self::read`]; [`Error::Key`] without a key.
    pub fn read_sealed(directory: &Path, key: Option<&ReleaseKey>) -> Result<Self, Error> {
        seal::open(directory, key)
    }
}

/// One line of compact JSON.
fn line(record: &impl Serialize) -> Result<Vec<u8>, Error> {
    let mut line =
        serde_json::to_vec(record).map_err(|error| Error::file("manifest.jsonl", error.to_string()))?;
    line.push(b'\n');
    Ok(line)
}
