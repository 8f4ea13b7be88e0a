//! Corpora: dry recordings with their texts, and where they come from.
//!
//! A corpus is a directory that [`import`] makes and [`Corpus::open`] reads:
//!
//! | file | what |
//! |---|---|
//! | `corpus.toml` | [`Description`] (name, language, licence, attribution, source) and the importer's version |
//! | `manifest.jsonl` | one [`Utterance`] a line: `id, audio_filepath, text, duration, speaker, sha256` |
//! | `left-out.jsonl` | one line for everything that was not taken: `id, reason` (never its text) |
//! | `audio/<sha256>.wav` | mono, 16 kHz, 16-bit PCM, named by its content |

mod import;
mod noise;
mod sources;

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

pub(crate) use import::fold;
pub use import::{Import, ImportReport, LeftOut, Limits, PROMPT_LANGUAGES, PromptLanguage, Reason, import};
pub use noise::{Noise, NoiseClass, NoiseCorpus, NoiseReport, import_noise};
pub use sources::Source;

use crate::{Error, audio, staging::Staging};

/// Where a corpus comes from and what one may do with it. Goes into every release made from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Short name, e.g. `asterisk-prompts-en`.
    pub name: String,
    /// Language of the speech, a BCP 47 tag, e.g. `en-US`.
    pub language: String,
    /// Licence, an SPDX expression where there is one, e.g. `CC-BY-SA-3.0`.
    pub licence: String,
    /// Who must be named, in the words that must be shown.
    pub attribution: String,
    /// Where the recordings were taken from, in words.
    pub source: String,
}

/// One dry recording and what was said in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Utterance {
    /// Unique within its corpus.
    pub id: String,
    /// The WAV file, relative to the corpus directory.
    pub audio_filepath: PathBuf,
    /// What was said. A reference transcript: never shown, logged or sent to a machine that runs a model.
    pub text: String,
    /// Length of the recording in seconds.
    pub duration: f64,
    /// Who said it.
    pub speaker: String,
    /// SHA-256 of the WAV file, hexadecimal.
    pub sha256: String,
    /// The sample rate it had, where it was another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resampled_from: Option<u32>,
}

impl Utterance {
    /// Number of words of its text.
    pub fn words(&self) -> usize {
        words(&self.text)
    }
}

/// A corpus on disk.
#[derive(Debug, Clone)]
pub struct Corpus {
    /// Where it comes from.
    pub description: Description,
    /// What is in it, in the order of the manifest.
    pub utterances: Vec<Utterance>,
}

impl Corpus {
    /// Opens a corpus that [`import`] made. Reads no audio.
    ///
    /// # Errors
    /// If a file is missing or damaged; names the file and the line.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let description_file = directory.join("corpus.toml");
        let description = fs::read_to_string(&description_file).map_err(Error::io(&description_file))?;
        let description =
            toml::from_str(&description).map_err(|error| Error::file(&description_file, error.message()))?;
        let utterances = read_lines(&directory.join("manifest.jsonl"))?;
        Ok(Self { description, utterances })
    }
}

impl Corpus {
    /// Makes the corpus `destination` of those utterances of another that are wanted.
    ///
    /// # Errors
    /// If a file is missing or damaged, or `destination` exists.
    pub fn subset(
        directory: &Path,
        destination: &Path,
        is_wanted: impl Fn(&Utterance) -> bool,
    ) -> Result<Self, Error> {
        let Self { description, utterances } = Self::open(directory)?;
        let utterances: Vec<Utterance> = utterances.into_iter().filter(is_wanted).collect();
        let staging = Staging::start(destination)?;
        for utterance in &utterances {
            staging.take(&directory.join(&utterance.audio_filepath), &utterance.audio_filepath)?;
        }
        staging.write_lines("manifest.jsonl", &utterances)?;
        staging.write("corpus.toml", import::describe(&description)?.as_bytes())?;
        staging.finish()?;
        Ok(Self { description, utterances })
    }
}

/// Dry recordings by the hash of their WAV file.
#[derive(Debug, Clone)]
pub struct Recordings {
    directories: Vec<PathBuf>,
}

impl Recordings {
    /// Recordings that lie as `<sha256>.wav` in any of these directories.
    pub fn in_directories(directories: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { directories: directories.into_iter().collect() }
    }

    /// The recordings of corpora.
    pub fn of_corpora<'a>(corpora: impl IntoIterator<Item = &'a Path>) -> Self {
        Self::in_directories(corpora.into_iter().map(|corpus| corpus.join("audio")))
    }

    /// A recording as it lies there: a WAV file.
    ///
    /// # Errors
    /// If no directory has it, or the file is not the one that was imported.
    pub fn file(&self, sha256: &str) -> Result<Vec<u8>, Error> {
        let name = format!("{sha256}.wav");
        let place =
            self.directories.iter().map(|directory| directory.join(&name)).find(|path| path.is_file());
        let path = place.ok_or_else(|| {
            Error::file(&name, "is in none of the directories of recordings: import or fetch it")
        })?;
        let bytes = fs::read(&path).map_err(Error::io(&path))?;
        if crate::staging::sha256(&bytes) != sha256 {
            return Err(Error::file(&path, "is not the file that was imported: import the corpus again"));
        }
        Ok(bytes)
    }

    /// A recording, mono at [`crate::SAMPLE_RATE`], full scale 1.0.
    ///
    /// # Errors
    /// If no directory has it, or the file is not the one that was imported.
    pub(crate) fn read(&self, sha256: &str) -> Result<Vec<f32>, Error> {
        let samples = audio::decode_wav(&self.file(sha256)?)
            .map_err(|problem| Error::file(format!("{sha256}.wav"), problem))?;
        Ok(samples.into_iter().map(|sample| f32::from(sample) / 32_768.0).collect())
    }
}

/// Reads one JSON object a line.
pub(crate) fn read_lines<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Vec<T>, Error> {
    parse_lines(path, &fs::read_to_string(path).map_err(Error::io(path))?)
}

/// Reads one JSON object a line from what a file holds.
pub(crate) fn parse_lines<T: for<'a> Deserialize<'a>>(path: &Path, content: &str) -> Result<Vec<T>, Error> {
    numbered_lines(content)
        .map(|(number, line)| {
            serde_json::from_str(line).map_err(|error| Error::line(path, number, json_problem(&error)))
        })
        .collect()
}

/// Lines that hold something, numbered from 1.
fn numbered_lines(content: &str) -> impl Iterator<Item = (usize, &str)> {
    content
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.trim().is_empty())
}

/// What is wrong with a line of JSON, without quoting from it: a value may be a reference text.
fn json_problem(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.split(" at line").next() {
        Some(missing) if missing.starts_with("missing field") => missing.to_owned(),
        _ => format!("is not the JSON object it should be: look at column {}", error.column()),
    }
}

/// Number of words: runs of non-white-space that hold a letter or a digit.
fn words(text: &str) -> usize {
    text.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).count()
}
