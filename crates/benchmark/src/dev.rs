//! A dev set: a release with its references, to be given away, so that anybody can evaluate a model as the board does.
//!
//! On disk, in the form that the field's tools read:
//!
//! | file | what |
//! |---|---|
//! | `dev.json` | [`Header`]: format, name, version, licence, whom to name, hash of the release it was made from |
//! | `manifest.jsonl` | one [`DevItem`] a line, with `audio_filepath`, `text`, `duration` and `speaker` as NeMo has them |
//! | `references.seglst.json` | `SegLST`: the segments of each scored item, whose session is the item's id |
//! | `audio/<id>.flac` (or `.wav`) | 16 kHz, 16 bit; several channels always as WAV, with `<id>-mono.wav` beside them |
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
use scene::conversation::Segment;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Error, Progress, Track, audio, corpus,
    release::{Conditions, MonoAudio, ReleaseManifest, Role, is_one, one},
    staging::{Staging, sha256},
};

/// Version of the format on disk.
const FORMAT: u32 = 2;
/// The oldest version that is read: what version 2 added may be left out.
const OLDEST: u32 = 1;

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
    /// Recorded noise, its licence and whom to name; nothing where all noise is synthesised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise_corpus: Option<corpus::Description>,
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
    /// Number of channels in it.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub channels: u16,
    /// The same in one channel, for models that take no more; nothing where the audio has one anyway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mono: Option<MonoAudio>,
    /// Who says what when, where several talk.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<Segment>,
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
        if !(OLDEST..=FORMAT).contains(&header.format) {
            let problem = format!("is of format {}, this program reads {OLDEST} to {FORMAT}", header.format);
            return Err(Error::file(&path, problem));
        }
        let items: Vec<DevItem> = corpus::read_lines(&directory.join("manifest.jsonl"))?;
        // It may come from anywhere: no item may name a file outside of it.
        let files = |item: &DevItem| {
            let mono = item.mono.as_ref().map(|mono| mono.audio_filepath.clone());
            std::iter::once(item.audio_filepath.clone()).chain(mono)
        };
        if let Some(file) = items.iter().flat_map(files).find(|file| !is_inside(file)) {
            let problem = format!("names a file outside of the set: {}", file.display());
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
            noise_corpus: manifest.release.noise_corpus.clone(),
        };
        // What catches who has seen the references is of no use where they are given away.
        let shown = manifest.items.into_iter().filter(|item| item.role != Role::Canary);
        let items = shown
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
                channels: item.channels,
                mono: item.mono,
                segments: item.segments,
                conditions: item.conditions,
            })
            .collect();
        Ok(Self { header, items, directory: directory.to_owned() })
    }

    /// The audio of an item as a WAV file: 16 kHz, 16-bit PCM, with as many channels as the item has.
    ///
    /// # Errors
    /// If the file is missing, damaged or not the one that was exported.
    pub fn wav(&self, item: &DevItem) -> Result<Vec<u8>, Error> {
        self.file(&item.audio_filepath, &item.sha256)
    }

    /// The audio of an item for a model that takes one channel.
    ///
    /// # Errors
    /// If the file is missing, damaged or not the one that was exported, or there is nothing in one channel.
    pub fn mono_wav(&self, item: &DevItem) -> Result<Vec<u8>, Error> {
        match &item.mono {
            Some(mono) => self.file(&mono.audio_filepath, &mono.sha256),
            None if item.channels == 1 => self.wav(item),
            None => Err(Error::file(&item.audio_filepath, "has several channels and nothing in one")),
        }
    }

    fn file(&self, name: &Path, expected: &str) -> Result<Vec<u8>, Error> {
        let path = self.directory.join(name);
        let content = fs::read(&path).map_err(Error::io(&path))?;
        if sha256(&content) != expected {
            return Err(Error::file(&path, "was changed: its SHA-256 is not that of the manifest"));
        }
        let wrong = |problem: String| Error::file(&path, problem);
        match path.extension().and_then(|it| it.to_str()) {
            Some("wav") => audio::measure_wav(&content).map(|_| content).map_err(wrong),
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
        let scored = items.iter().filter(|item| item.role == Role::Scored);
        let segments: Vec<Segment> = scored.flat_map(segments).collect();
        staging.write("references.seglst.json", &serde_json::to_vec_pretty(&segments).map_err(json)?)?;
        staging.finish()?;
        Ok(Self { header: self.header.clone(), items, directory: destination.to_owned() })
    }

    fn export_item(&self, item: &DevItem, form: AudioForm, staging: &Staging) -> Result<DevItem, Error> {
        let wav = self.wav(item)?;
        // FLAC for what has one channel, as all tools read that.
        let form = if item.channels == 1 { form } else { AudioForm::Wav };
        let (audio_filepath, sha256) = write(&item.id.to_string(), wav, form, staging)?;
        let mono = if item.mono.is_some() {
            let name = format!("{}-mono", item.id);
            let (audio_filepath, sha256) = write(&name, self.mono_wav(item)?, form, staging)?;
            Some(MonoAudio { audio_filepath, sha256 })
        } else {
            None
        };
        Ok(DevItem { audio_filepath, sha256, mono, ..item.clone() })
    }
}

/// Writes audio in its form and returns where it is and its hash.
fn write(name: &str, wav: Vec<u8>, form: AudioForm, staging: &Staging) -> Result<(PathBuf, String), Error> {
    let (extension, content) = match form {
        AudioForm::Wav => ("wav", wav),
        AudioForm::Flac => {
            let wrong = |problem| Error::file(name, problem);
            let samples = audio::decode_wav(&wav).map_err(wrong)?;
            ("flac", audio::encode_flac(&samples).map_err(wrong)?)
        }
    };
    let file = format!("audio/{name}.{extension}");
    staging.write(&file, &content)?;
    Ok((file.into(), sha256(&content)))
}

/// What is said in an item, as `SegLST`.
fn segments(item: &DevItem) -> Vec<Segment> {
    if !item.segments.is_empty() {
        return item.segments.clone();
    }
    vec![Segment {
        session_id: item.id.to_string(),
        speaker: item.speaker.clone(),
        start_time: 0.0,
        end_time: item.duration,
        words: item.text.clone(),
    }]
}

fn is_inside(path: &Path) -> bool {
    path.components().all(|it| matches!(it, Component::Normal(_)))
}
