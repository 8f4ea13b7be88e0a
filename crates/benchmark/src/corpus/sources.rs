//! The layouts in which corpora come, read into one list of candidates.

use std::{
    collections::HashMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;
use serde::Deserialize;

use super::{json_problem, numbered_lines};
use crate::Error;

/// A collection of recordings with texts, in one of the layouts of the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Telephone prompts as Asterisk ships them: `<prompts>/<key>.g722` and a list of `key: text` lines
    /// (`;` starts a comment; the list may be gzipped). One talker.
    AsteriskPrompts {
        /// Directory of the recordings.
        prompts: PathBuf,
        /// The list of texts.
        transcript: PathBuf,
        /// Who speaks.
        speaker: String,
    },
    /// `LibriSpeech`: any depth of directories with `*.trans.txt` lists (`id TEXT`) beside `<id>.flac` or
    /// `<id>.wav`; ids begin with the talker's number and a hyphen.
    LibriSpeech {
        /// Top directory.
        root: PathBuf,
    },
    /// A manifest as `NeMo` uses it: one JSON object a line with `audio_filepath` (relative to the manifest or
    /// absolute), `text`, `speaker`, and if known `duration` in seconds and `id`.
    Manifest {
        /// The manifest.
        file: PathBuf,
    },
}

/// A recording that may become an utterance.
pub(super) struct Candidate {
    pub(super) id: String,
    pub(super) text: String,
    pub(super) speaker: String,
    pub(super) recording: Recording,
    /// Where the source names it.
    pub(super) list: PathBuf,
    pub(super) line: usize,
}

/// What is known of a recording before it is read.
pub(super) enum Recording {
    /// The file.
    File(PathBuf),
    /// The file, and how long the manifest says it is, in seconds.
    FileOfLength(PathBuf, f64),
    /// A list of prompts may name more than was recorded.
    None,
}

impl Source {
    /// Everything the source names, in its own order.
    pub(super) fn candidates(&self) -> Result<Vec<Candidate>, Error> {
        match self {
            Self::AsteriskPrompts { prompts, transcript, speaker } => asterisk(prompts, transcript, speaker),
            Self::LibriSpeech { root } => librispeech(root),
            Self::Manifest { file } => manifest(file),
        }
    }
}

fn asterisk(prompts: &Path, transcript: &Path, speaker: &str) -> Result<Vec<Candidate>, Error> {
    if !prompts.is_dir() {
        return Err(Error::file(
            prompts,
            "is not a directory of prompts (Debian: asterisk-core-sounds-en-g722)",
        ));
    }
    let content = read_text(transcript)?;
    numbered_lines(&content)
        .filter(|(_, line)| !line.starts_with(';'))
        .map(|(number, line)| {
            let (key, text) = line
                .split_once(':')
                .ok_or_else(|| Error::line(transcript, number, "is neither `key: text` nor a `;` comment"))?;
            let file = prompts.join(format!("{key}.g722"));
            let recording = if file.is_file() { Recording::File(file) } else { Recording::None };
            Ok(candidate(key, text, speaker, recording, transcript, number))
        })
        .collect()
}

fn librispeech(root: &Path) -> Result<Vec<Candidate>, Error> {
    let mut lists = Vec::new();
    find_lists(root, &mut lists)?;
    if lists.is_empty() {
        return Err(Error::file(root, "holds no *.trans.txt: not a corpus in the LibriSpeech layout"));
    }
    // The order in which a file system lists a directory must not reach a release.
    lists.sort();
    let chapters = lists.iter().map(|list| chapter(list)).collect::<Result<Vec<_>, _>>()?;
    Ok(chapters.into_iter().flatten().collect())
}

fn find_lists(directory: &Path, lists: &mut Vec<PathBuf>) -> Result<(), Error> {
    for entry in fs::read_dir(directory).map_err(Error::io(directory))? {
        let path = entry.map_err(Error::io(directory))?.path();
        if path.is_dir() {
            find_lists(&path, lists)?;
        } else if path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(".trans.txt")) {
            lists.push(path);
        }
    }
    Ok(())
}

fn chapter(list: &Path) -> Result<Vec<Candidate>, Error> {
    let content = read_text(list)?;
    numbered_lines(&content)
        .map(|(number, line)| {
            let (id, text) = line
                .split_once(' ')
                .ok_or_else(|| Error::line(list, number, "is not an id, a space and a text"))?;
            let (speaker, _) = id.split_once('-').ok_or_else(|| {
                Error::line(list, number, "the id does not begin with a talker and a hyphen")
            })?;
            let file = ["flac", "wav"]
                .map(|extension| list.with_file_name(format!("{id}.{extension}")))
                .into_iter()
                .find(|file| file.is_file())
                .ok_or_else(|| {
                    Error::line(list, number, format!("there is no {id}.flac or {id}.wav beside it"))
                })?;
            Ok(candidate(id, text, speaker, Recording::File(file), list, number))
        })
        .collect()
}

/// A line of a manifest.
#[derive(Deserialize)]
struct Record {
    id: Option<String>,
    audio_filepath: PathBuf,
    text: String,
    speaker: String,
    duration: Option<f64>,
    #[serde(default)]
    offset: f64,
}

fn manifest(file: &Path) -> Result<Vec<Candidate>, Error> {
    let content = read_text(file)?;
    let directory = file.parent().unwrap_or(Path::new(""));
    let mut seen = HashMap::new();
    numbered_lines(&content)
        .map(|(number, line)| {
            let record: Record = serde_json::from_str(line)
                .map_err(|error| Error::line(file, number, json_problem(&error)))?;
            if record.offset != 0.0 {
                return Err(Error::line(
                    file,
                    number,
                    "has an `offset`: cut the segment into a file of its own",
                ));
            }
            let path = directory.join(&record.audio_filepath);
            if !path.is_file() {
                let problem = format!("names {}, which does not exist", record.audio_filepath.display());
                return Err(Error::line(file, number, problem));
            }
            let id = record.id.unwrap_or_else(|| id_of_path(&path, directory));
            if let Some(first) = seen.insert(id.clone(), number) {
                let problem = format!("has the id {id}, as has line {first}: give each an `id` of its own");
                return Err(Error::line(file, number, problem));
            }
            let recording = match record.duration {
                Some(seconds) => Recording::FileOfLength(path, seconds),
                None => Recording::File(path),
            };
            Ok(candidate(&id, &record.text, &record.speaker, recording, file, number))
        })
        .collect()
}

/// The path below the manifest without its extension; a file elsewhere gives only its name, since where a
/// machine keeps its files is no one's business.
fn id_of_path(path: &Path, directory: &Path) -> String {
    let inside = path.strip_prefix(directory).ok().filter(|inside| !inside.starts_with(".."));
    let named = inside.or(path.file_name().map(Path::new)).unwrap_or(path);
    named.with_extension("").display().to_string()
}

fn candidate(
    id: &str,
    text: &str,
    speaker: &str,
    recording: Recording,
    list: &Path,
    line: usize,
) -> Candidate {
    Candidate {
        id: id.trim().to_owned(),
        text: text.split_whitespace().collect::<Vec<_>>().join(" "),
        speaker: speaker.to_owned(),
        recording,
        list: list.to_owned(),
        line,
    }
}

/// A text file, unpacked if its name ends in `.gz`.
fn read_text(path: &Path) -> Result<String, Error> {
    let mut bytes = fs::read(path).map_err(Error::io(path))?;
    if path.extension().is_some_and(|extension| extension == "gz") {
        let mut unpacked = Vec::new();
        MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut unpacked).map_err(Error::io(path))?;
        bytes = unpacked;
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| Error::file(path, format!("is not UTF-8 text ({})", error.utf8_error())))?;
    Ok(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned))
}
