//! A dev set: a release with its references, to be given away, so that anybody can evaluate a model as the board does.
//!
//! On disk, in the form that the field's tools read:
//!
//! | file | what |
//! |---|---|
//! | `dev.json` | [`Header`]: format, name, version, licence, whom to name, hash of the release it was made from |
//! | `manifest.jsonl` | one [`DevItem`] a line, with `audio_filepath`, `text`, `duration` and `speaker` as NeMo has them |
//! | `references.seglst.json` | `SegLST`: one segment for each scored item, whose session is the item's id |
//! | `audio/<id>.flac` (or `.wav`) | mono, 16 kHz, 16 bit |
//!
//! ```json
//! {"audio_filepath":"audio/….flac","text":"…","duration":2.71,"speaker":"…","id":"…","role":"scored",
//!  "track":"far-mid","utterance":"conf-locked","sha256":"…","conditions":{"room":"kitchen","snr_db":9.87,…}}
//! ```
//!
//! [`DevSet::open`] reads this and a release directory alike.

use std::{
    fs,
    path::{Component, Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Error, Progress, Track, audio, corpus,
    release::{Conditions, ReleaseManifest, Role},
    staging::{Staging, sha256},
};

/// Version of the format on disk.
const FORMAT: u32 = 1;

/// A set of audio with references, read from disk.
#[derive(Debug, Clone, PartialEq)]
pub struct DevSet {
    /// What holds for all items.
    pub header: Header,
    /// Items in the order of the manifest.
    pub items: Vec<DevItem>,
    directory: PathBuf,
}

/// What holds for all items of a dev set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Version of the format.
    pub format: u32,
    /// Short name of the release.
    pub slug: String,
    /// Its version.
    pub version: String,
    /// Its title.
    pub title: String,
    /// Hash that freezes the release.
    pub manifest_sha256: String,
    /// The speech, its licence and whom to name.
    pub corpus: corpus::Description,
}

/// One utterance in one scene, with what was said in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DevItem {
    /// The audio, relative to the directory.
    pub audio_filepath: PathBuf,
    /// What was said.
    pub text: String,
    /// Length of the audio in seconds.
    pub duration: f64,
    /// Who said it.
    pub speaker: String,
    /// The item's id in the release.
    pub id: Uuid,
    /// What it is for.
    #[serde(flatten)]
    pub role: Role,
    /// Its track.
    pub track: Track,
    /// Id of the utterance in its corpus.
    pub utterance: String,
    /// SHA-256 of the audio file, hexadecimal.
    pub sha256: String,
    /// What the far field is like; nothing for dry speech.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Conditions>,
}

/// How audio is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudioForm {
    /// FLAC, about half the size.
    Flac,
    /// WAV, the release's own files.
    Wav,
}

/// A segment of `SegLST`.
#[derive(Serialize)]
struct Segment<'a> {
    session_id: Uuid,
    speaker: &'a str,
    start_time: f64,
    end_time: f64,
    words: &'a str,
}

impl DevSet {
    /// Reads a dev set or a release directory. Reads no audio; see [`DevSet::wav`].
    ///
    /// # Errors
    /// If it is neither, or a file is damaged.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let path = directory.join("dev.json");
        if !path.exists() {
            return Self::of_release(directory);
        }
        let content = fs::read(&path).map_err(Error::io(&path))?;
        let header: Header =
            serde_json::from_slice(&content).map_err(|error| Error::file(&path, error.to_string()))?;
        if header.format != FORMAT {
            let problem = format!("is of format {}, this program reads format {FORMAT}", header.format);
            return Err(Error::file(&path, problem));
        }
        let items: Vec<DevItem> = corpus::read_lines(&directory.join("manifest.jsonl"))?;
        // It may come from anywhere: no item may name a file outside of it.
        if let Some(item) = items.iter().find(|item| !is_inside(&item.audio_filepath)) {
            let problem = format!("names a file outside of the set: {}", item.audio_filepath.display());
            return Err(Error::file(directory.join("manifest.jsonl"), problem));
        }
        Ok(Self { header, items, directory: directory.to_owned() })
    }

    fn of_release(directory: &Path) -> Result<Self, Error> {
        let manifest = ReleaseManifest::read(directory)?;
        let manifest_sha256 = manifest.sha256()?;
        let spec = &manifest.release.spec;
        let header = Header {
            format: FORMAT,
            slug: spec.slug.clone(),
            version: spec.version.clone(),
            title: spec.title.clone(),
            manifest_sha256,
            corpus: manifest.release.corpus.clone(),
        };
        let items = manifest
            .items
            .into_iter()
            .map(|item| DevItem {
                audio_filepath: item.audio_filepath,
                text: item.reference,
                duration: item.seconds,
                speaker: item.talker,
                id: item.id,
                role: item.role,
                track: item.track,
                utterance: item.utterance,
                sha256: item.sha256,
                conditions: item.conditions,
            })
            .collect();
        Ok(Self { header, items, directory: directory.to_owned() })
    }

    /// The audio of an item as a WAV file: mono, 16 kHz, 16-bit PCM.
    ///
    /// # Errors
    /// If the file is missing, damaged or not the one that was exported.
    pub fn wav(&self, item: &DevItem) -> Result<Vec<u8>, Error> {
        let path = self.directory.join(&item.audio_filepath);
        let content = fs::read(&path).map_err(Error::io(&path))?;
        if sha256(&content) != item.sha256 {
            return Err(Error::file(&path, "was changed: its SHA-256 is not that of the manifest"));
        }
        let wrong = |problem: String| Error::file(&path, problem);
        match path.extension().and_then(|it| it.to_str()) {
            Some("wav") => audio::decode_wav(&content).map(|_| content).map_err(wrong),
            Some("flac") => {
                let samples = audio::decode_flac(&content).map_err(wrong)?;
                audio::encode_wav(&samples).map_err(|error| wrong(error.to_string()))
            }
            _ => Err(wrong("is neither a .wav nor a .flac file".to_owned())),
        }
    }

    /// Writes this set into the new directory `destination`, which appears complete or not at all.
    ///
    /// # Errors
    /// If `destination` exists, or audio is missing or damaged.
    pub fn export(&self, destination: &Path, form: AudioForm, progress: Progress) -> Result<Self, Error> {
        let staging = Staging::start(destination)?;
        let done = AtomicUsize::new(0);
        let written = self.items.par_iter().map(|item| {
            let written = self.export_item(item, form, &staging);
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, self.items.len());
            written
        });
        let items = written.collect::<Result<Vec<_>, Error>>()?;
        staging.write_lines("manifest.jsonl", &items)?;
        let json = |error: serde_json::Error| Error::file("dev.json", error.to_string());
        staging.write("dev.json", &serde_json::to_vec_pretty(&self.header).map_err(json)?)?;
        let segments: Vec<Segment<'_>> = items
            .iter()
            .filter(|item| item.role == Role::Scored)
            .map(|item| Segment {
                session_id: item.id,
                speaker: &item.speaker,
                start_time: 0.0,
                end_time: item.duration,
                words: &item.text,
            })
            .collect();
        staging.write("references.seglst.json", &serde_json::to_vec_pretty(&segments).map_err(json)?)?;
        staging.finish()?;
        Ok(Self { header: self.header.clone(), items, directory: destination.to_owned() })
    }

    fn export_item(&self, item: &DevItem, form: AudioForm, staging: &Staging) -> Result<DevItem, Error> {
        let wav = self.wav(item)?;
        let (extension, content) = match form {
            AudioForm::Wav => ("wav", wav),
            AudioForm::Flac => {
                let wrong = |problem| Error::file(&item.audio_filepath, problem);
                let samples = audio::decode_wav(&wav).map_err(wrong)?;
                ("flac", audio::encode_flac(&samples).map_err(wrong)?)
            }
        };
        let name = format!("audio/{}.{extension}", item.id);
        staging.write(&name, &content)?;
        Ok(DevItem { audio_filepath: name.into(), sha256: sha256(&content), ..item.clone() })
    }
}

fn is_inside(path: &Path) -> bool {
    path.components().all(|it| matches!(it, Component::Normal(_)))
}
