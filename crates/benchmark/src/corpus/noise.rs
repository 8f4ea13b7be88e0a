//! Corpora of noise: recordings by kind, with licence and origin.
//!
//! | file | what |
//! |---|---|
//! | `corpus.toml` | [`Description`] with the language `zxx` (no linguistic content) |
//! | `manifest.jsonl` | one [`Noise`] a line: `id, audio_filepath, kind, duration, sha256` |
//! | `left-out.jsonl` | one line for everything that was not taken: `id, reason` |
//! | `audio/<sha256>.wav` | mono, 16 kHz, 16-bit PCM, named by its content |

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    Description, LeftOut, Reason,
    import::{describe, judge_clipping},
    json_problem, numbered_lines, read_lines,
};
use crate::{
    Error, Progress, audio, recording,
    staging::{Staging, sha256},
};

/// Below this root-mean-square level, in dBov, a recording is the noise of its own microphone.
const SILENCE_DBOV: f64 = -65.0;

/// How a noise goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoiseClass {
    /// It comes and goes: a cough, a door, a dropped plate.
    Transient,
    /// It goes on all the time: ventilation, a motor, rain.
    Continuous,
    /// Many voices of which none is understood.
    Babble,
}

impl NoiseClass {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Transient, Self::Continuous, Self::Babble];

    /// Its name in manifests, and of its directory.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Continuous => "continuous",
            Self::Babble => "babble",
        }
    }

    /// The shortest recording that shows what it is, in seconds.
    const fn shortest(self) -> f64 {
        match self {
            Self::Transient => 0.1,
            Self::Continuous | Self::Babble => 2.0,
        }
    }
}

/// One recording of noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// Unique within its corpus.
    pub id: String,
    /// The WAV file, relative to the corpus directory.
    pub audio_filepath: PathBuf,
    /// How it goes on.
    pub kind: NoiseClass,
    /// Length of the recording in seconds.
    pub duration: f64,
    /// SHA-256 of the WAV file, hexadecimal.
    pub sha256: String,
    /// The sample rate it had, where it was another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resampled_from: Option<u32>,
}

/// A corpus of noise on disk.
#[derive(Debug, Clone)]
pub struct NoiseCorpus {
    /// Where it comes from.
    pub description: Description,
    /// What is in it, in the order of the manifest.
    pub noises: Vec<Noise>,
}

impl NoiseCorpus {
    /// Opens a corpus that [`import_noise`] made. Reads no audio.
    ///
    /// # Errors
    /// If a file is missing or damaged; names the file and the line.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let file = directory.join("corpus.toml");
        let description = fs::read_to_string(&file).map_err(Error::io(&file))?;
        let description =
            toml::from_str(&description).map_err(|error| Error::file(&file, error.message()))?;
        Ok(Self { description, noises: read_lines(&directory.join("manifest.jsonl"))? })
    }

    /// Those of one kind.
    pub fn of(&self, kind: NoiseClass) -> impl Iterator<Item = &Noise> {
        self.noises.iter().filter(move |noise| noise.kind == kind)
    }
}

/// What an import of noise did.
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseReport {
    /// Recordings taken of each kind that there is.
    pub taken: Vec<(NoiseClass, usize)>,
    /// Their length in all, in seconds.
    pub seconds: f64,
    /// What was not taken, in the source's order.
    pub left_out: Vec<LeftOut>,
}

/// Imports noise into the new directory `destination`: `source` is a directory with the directories `transient`,
/// `continuous` and `babble` (some of them), or a JSONL manifest of `audio_filepath` and `kind`.
///
/// The directory appears complete or not at all. `progress` is called after each recording the source names.
///
/// # Errors
/// If a file is missing, damaged, not mono or below 16 kHz, there is no recording, or `destination` exists.
pub fn import_noise(
    source: &Path,
    description: &Description,
    destination: &Path,
    progress: Progress,
) -> Result<NoiseReport, Error> {
    let candidates = if source.is_dir() { by_directory(source)? } else { by_manifest(source)? };
    let staging = Staging::start(destination)?;
    let (mut taken, mut left_out) = (Vec::<Noise>::new(), Vec::new());
    let mut seen: HashMap<String, String> = HashMap::new();
    for (done, (id, file, kind)) in candidates.iter().enumerate() {
        match consider(id, file, *kind, &mut seen, &staging)? {
            Ok(noise) => taken.push(noise),
            Err(reason) => left_out.push(LeftOut { id: id.clone(), reason }),
        }
        progress(done + 1, candidates.len());
    }
    staging.write_lines("manifest.jsonl", &taken)?;
    staging.write_lines("left-out.jsonl", &left_out)?;
    staging.write("corpus.toml", describe(description)?.as_bytes())?;
    staging.finish()?;
    let counts = NoiseClass::ALL.map(|kind| (kind, taken.iter().filter(|noise| noise.kind == kind).count()));
    Ok(NoiseReport {
        taken: counts.into_iter().filter(|(_, count)| *count > 0).collect(),
        seconds: taken.iter().map(|noise| noise.duration).sum(),
        left_out,
    })
}

type Candidate = (String, PathBuf, NoiseClass);

fn by_directory(root: &Path) -> Result<Vec<Candidate>, Error> {
    let mut candidates = Vec::new();
    for kind in NoiseClass::ALL {
        let directory = root.join(kind.name());
        if !directory.is_dir() {
            continue;
        }
        let mut files = Vec::new();
        for entry in fs::read_dir(&directory).map_err(Error::io(&directory))? {
            let path = entry.map_err(Error::io(&directory))?.path();
            // What is not sound, such as a licence, lies beside it in many corpora.
            if path.is_file() && recording::is_known(&path) {
                files.push(path);
            }
        }
        // The order in which a file system lists a directory must not reach a release.
        files.sort();
        candidates.extend(files.into_iter().map(|file| {
            let name = file.file_stem().unwrap_or_default().to_string_lossy();
            (format!("{}/{name}", kind.name()), file, kind)
        }));
    }
    if candidates.is_empty() {
        let problem = "holds no recordings in directories `transient`, `continuous` or `babble`";
        return Err(Error::file(root, problem));
    }
    Ok(candidates)
}

/// A line of a manifest.
#[derive(Deserialize)]
struct Record {
    id: Option<String>,
    audio_filepath: PathBuf,
    kind: NoiseClass,
}

fn by_manifest(file: &Path) -> Result<Vec<Candidate>, Error> {
    let content = fs::read_to_string(file).map_err(Error::io(file))?;
    let directory = file.parent().unwrap_or(Path::new(""));
    let candidates = numbered_lines(&content).map(|(number, line)| {
        let record: Record =
            serde_json::from_str(line).map_err(|error| Error::line(file, number, json_problem(&error)))?;
        let path = directory.join(&record.audio_filepath);
        if !path.is_file() {
            let problem = format!("names {}, which does not exist", record.audio_filepath.display());
            return Err(Error::line(file, number, problem));
        }
        let id = record.id.unwrap_or_else(|| record.audio_filepath.with_extension("").display().to_string());
        Ok((id, path, record.kind))
    });
    let candidates = candidates.collect::<Result<Vec<_>, _>>()?;
    if candidates.is_empty() { Err(Error::file(file, "names no recording")) } else { Ok(candidates) }
}

/// Writes the recording and returns it, or says why not.
fn consider(
    id: &str,
    file: &Path,
    kind: NoiseClass,
    seen: &mut HashMap<String, String>,
    staging: &Staging,
) -> Result<Result<Noise, Reason>, Error> {
    let recording::Recording { samples, resampled_from } = recording::Recording::read(file)?;
    let duration = audio::seconds(samples.len());
    if duration < kind.shortest() {
        return Ok(Err(Reason::TooShort(duration, kind.shortest())));
    }
    let power = samples.iter().map(|&sample| (f64::from(sample) / 32_768.0).powi(2)).sum::<f64>();
    let level = 10.0 * (power / samples.len() as f64).log10();
    if level < SILENCE_DBOV {
        return Ok(Err(if level.is_finite() { Reason::Faint(level) } else { Reason::Silent }));
    }
    if let Err(reason) = judge_clipping(&samples) {
        return Ok(Err(reason));
    }
    let wav = audio::encode_wav(&samples).map_err(|error| Error::file(file, error.to_string()))?;
    let sha256 = sha256(&wav);
    if let Some(twin) = seen.get(&sha256) {
        return Ok(Err(Reason::SameAudio(twin.clone())));
    }
    seen.insert(sha256.clone(), id.to_owned());
    let name = format!("audio/{sha256}.wav");
    staging.write(&name, &wav)?;
    Ok(Ok(Noise { id: id.to_owned(), audio_filepath: name.into(), kind, duration, sha256, resampled_from }))
}
