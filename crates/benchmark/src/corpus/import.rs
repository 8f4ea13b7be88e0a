//! From a source to a corpus directory: what is taken, what is left out and why.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    path::Path,
};

use scene::level::active_speech_level;
use serde::Serialize;

use super::{
    Description, Source, Utterance,
    sources::{Candidate, Recording},
    words,
};
use crate::{
    Error, Progress, SAMPLE_RATE, audio, recording,
    staging::{Staging, sha256},
};

/// Marks in a text that no talker reads out, or that talkers read in different ways (`#`: pound, hash, number).
const MARKS: &[char] = &['[', ']', '(', ')', '{', '}', '<', '>', '*', '#', '@', '_', '='];

/// Below this active speech level (ITU-T P.56), in dBov, what a recording holds is noise rather than speech: half a step of
/// 16 bits is at −90 dB, a studio's noise near −65 dB.
const SILENCE_DBOV: f64 = -55.0;
/// Samples at full scale beyond this share were clipped.
const CLIPPED_SHARE: f64 = 1e-3;
/// Nobody says more characters a second than this, in any alphabet: fast speech has some seven syllables.
const FASTEST_CHARACTERS: f64 = 30.0;

/// A manifest's `duration` may differ from the file's by this much, in seconds; more means another segment.
const DURATION_TOLERANCE: f64 = 0.1;

/// What to import, and what to take of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    /// Where the recordings are.
    pub source: Source,
    /// What they are.
    pub description: Description,
    /// Which of them are fit for a benchmark.
    pub limits: Limits,
}

/// Which recordings are fit for a benchmark.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Fewest words; single words and letters say more about a language model than about hearing.
    pub min_words: usize,
    /// Shortest recording, in seconds.
    pub min_seconds: f64,
    /// Longest recording, in seconds.
    pub max_seconds: f64,
}

impl Default for Limits {
    /// At least 4 words, 1 to 30 seconds.
    fn default() -> Self {
        Self { min_words: 4, min_seconds: 1.0, max_seconds: 30.0 }
    }
}

impl Import {
    /// The prompts of a language, as Debian's `asterisk-core-sounds-<language>-g722` and
    /// `asterisk-core-sounds-<language>` install them; see [`PROMPT_LANGUAGES`].
    pub fn debian_prompts_of(language: &str) -> Option<Self> {
        let prompts = PROMPT_LANGUAGES.iter().find(|it| it.code == language)?;
        if prompts.code == "en" {
            return Some(Self::debian_prompts());
        }
        let PromptLanguage { code, tag, speaker, licence, .. } = *prompts;
        Some(Self {
            source: prompts.source(),
            description: Description {
                name: format!("asterisk-prompts-{code}"),
                language: tag.to_owned(),
                licence: licence.to_owned(),
                attribution: format!(
                    "Asterisk core sounds, recorded by {speaker}; {}. Changed: decoded from G.722, selected, and placed \
                     in simulated rooms with noise.",
                    licence.replace('-', " ")
                ),
                source: format!(
                    "Debian packages asterisk-core-sounds-{code}-g722 and asterisk-core-sounds-{code}"
                ),
            },
            limits: Limits::default(),
        })
    }

    /// The English Asterisk prompts, as Debian's `asterisk-core-sounds-en-g722` and `asterisk-core-sounds-en`
    /// install them: 568 studio recordings of one professional talker, 16 kHz, CC-BY-SA-3.0.
    pub fn debian_prompts() -> Self {
        Self {
            source: Source::AsteriskPrompts {
                prompts: "/usr/share/asterisk/sounds/en_US_f_Allison".into(),
                transcript: "/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz".into(),
                speaker: "Allison Smith".to_owned(),
            },
            description: Description {
                name: "asterisk-prompts-en".to_owned(),
                language: "en-US".to_owned(),
                licence: "CC-BY-SA-3.0".to_owned(),
                attribution: "Asterisk core sounds, recorded by Allison Smith (theivrvoice.com), with financial \
                              contributions by Digium, Inc.; CC BY-SA 3.0. Changed: decoded from G.722, selected, \
                              and placed in simulated rooms with noise."
                    .to_owned(),
                source: "Debian packages asterisk-core-sounds-en-g722 and asterisk-core-sounds-en".to_owned(),
            },
            limits: Limits::default(),
        }
    }
}

/// A language in which Debian has Asterisk's prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PromptLanguage {
    /// In the names of packages.
    pub code: &'static str,
    /// BCP 47 tag.
    pub tag: &'static str,
    /// Directory of the voice.
    voice: &'static str,
    /// Who speaks.
    pub speaker: &'static str,
    /// SPDX expression.
    pub licence: &'static str,
}

impl PromptLanguage {
    /// Whether its recordings and texts are on this machine.
    pub fn is_installed(&self) -> bool {
        let Source::AsteriskPrompts { prompts, transcript, .. } = self.source() else { return false };
        prompts.is_dir() && transcript.is_file()
    }

    fn source(&self) -> Source {
        let Self { code, voice, speaker, .. } = *self;
        Source::AsteriskPrompts {
            prompts: format!("/usr/share/asterisk/sounds/{voice}").into(),
            transcript: format!("/usr/share/doc/asterisk-core-sounds-{code}/core-sounds-{code}.txt.gz")
                .into(),
            speaker: speaker.to_owned(),
        }
    }
}

/// The languages of Debian's packages, with voice and licence as their copyright files have them.
pub const PROMPT_LANGUAGES: [PromptLanguage; 5] = [
    PromptLanguage {
        code: "en",
        tag: "en-US",
        voice: "en_US_f_Allison",
        speaker: "Allison Smith",
        licence: "CC-BY-SA-3.0",
    },
    PromptLanguage {
        code: "es",
        tag: "es-MX",
        voice: "es_MX_f_Allison",
        speaker: "Allison Smith",
        licence: "CC-BY-SA-3.0",
    },
    PromptLanguage {
        code: "fr",
        tag: "fr-CA",
        voice: "fr_CA_f_June",
        speaker: "June Wallack",
        licence: "CC-BY-SA-3.0",
    },
    PromptLanguage {
        code: "it",
        tag: "it-IT",
        voice: "it_IT_m_Carlo",
        speaker: "Carlo Flora",
        licence: "CC-BY-3.0",
    },
    PromptLanguage {
        code: "ru",
        tag: "ru-RU",
        voice: "ru_RU_f_IvrvoiceRU",
        speaker: "ivrvoice.ru (Maxim Topal)",
        licence: "CC-BY-3.0",
    },
];

/// What an import did. Holds no text.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportReport {
    /// Utterances taken.
    pub utterances: usize,
    /// Their length in all, in seconds.
    pub seconds: f64,
    /// Different talkers among them.
    pub speakers: usize,
    /// What was not taken, in the source's order.
    pub left_out: Vec<LeftOut>,
}

/// A recording that was not taken.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeftOut {
    /// Its id in the source.
    pub id: String,
    /// Why.
    pub reason: Reason,
}

/// Why a recording was not taken.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    /// The list names it, but it was never recorded.
    NoRecording,
    /// Its text holds a mark that is not speech, such as `[beep]`, or that can be read in several ways.
    Mark(char),
    /// Its text has too few words: how many, and the least.
    TooFewWords(usize, usize),
    /// Another recording, by this id, has the same words.
    SameText(String),
    /// Another recording, by this id, is the same to the bit.
    SameAudio(String),
    /// It is too short: seconds, and the least.
    TooShort(f64, f64),
    /// It is too long: seconds, and the most.
    TooLong(f64, f64),
    /// Nothing can be heard in it.
    Silent,
    /// It is too soft to be speech: its active level in dBov.
    Soft(f64),
    /// It is too faint to be any noise but that of its microphone: its level in dBov.
    Faint(f64),
    /// It was clipped: which share of it lies at full scale.
    Clipped(f64),
    /// Its text cannot be said in that time: characters a second.
    TooFast(f64),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRecording => write!(f, "there is no recording of it"),
            Self::Mark(mark) => write!(f, "its text holds `{mark}`, which is not plain speech"),
            Self::TooFewWords(words, least) => write!(f, "its text has {words} words, fewer than {least}"),
            Self::SameText(id) => write!(f, "has the same words as {id}"),
            Self::SameAudio(id) => write!(f, "is the same recording as {id}"),
            Self::TooShort(seconds, least) => write!(f, "lasts {seconds:.2} s, less than {least} s"),
            Self::TooLong(seconds, most) => write!(f, "lasts {seconds:.2} s, more than {most} s"),
            Self::Silent => write!(f, "is silent"),
            Self::Soft(level) => {
                write!(f, "is near-silent: its active level is {level:.1} dBov, below {SILENCE_DBOV}")
            }
            Self::Faint(level) => write!(f, "is near-silent: its level is {level:.1} dBov"),
            Self::Clipped(share) => write!(f, "was clipped: {:.2} % of it lie at full scale", 100.0 * share),
            Self::TooFast(rate) => {
                write!(f, "has {rate:.0} characters a second: its text is not what was said in it")
            }
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Imports a corpus into the new directory `destination` (layout: see [the module](super)).
///
/// The directory appears complete or not at all. `progress` is called after each recording the source names.
///
/// # Errors
/// If a file is missing, damaged, not mono at 16 kHz, or `destination` exists. Names the file and the line.
pub fn import(what: &Import, destination: &Path, progress: Progress) -> Result<ImportReport, Error> {
    let staging = Staging::start(destination)?;
    let candidates = what.source.candidates()?;
    let mut selection = Selection { limits: what.limits, ..Selection::default() };
    for (done, candidate) in candidates.iter().enumerate() {
        match selection.consider(candidate, &staging)? {
            Ok(utterance) => selection.taken.push(utterance),
            Err(reason) => selection.left_out.push(LeftOut { id: candidate.id.clone(), reason }),
        }
        progress(done + 1, candidates.len());
    }
    staging.write_lines("manifest.jsonl", &selection.taken)?;
    staging.write_lines("left-out.jsonl", &selection.left_out)?;
    staging.write("corpus.toml", describe(&what.description)?.as_bytes())?;
    staging.finish()?;
    Ok(selection.report())
}

pub(super) fn describe(description: &Description) -> Result<String, Error> {
    #[derive(Serialize)]
    struct CorpusFile<'a> {
        #[serde(flatten)]
        description: &'a Description,
        importer: &'a str,
    }
    let importer = concat!("ffasr ", env!("CARGO_PKG_VERSION"));
    toml::to_string(&CorpusFile { description, importer })
        .map_err(|error| Error::file("corpus.toml", error.to_string()))
}

/// What was taken so far, and what that rules out.
#[derive(Default)]
struct Selection {
    limits: Limits,
    taken: Vec<Utterance>,
    left_out: Vec<LeftOut>,
    /// Words (folded) → id.
    texts: HashMap<String, String>,
    /// SHA-256 → id.
    recordings: HashMap<String, String>,
}

impl Selection {
    /// Writes the recording and returns its utterance, or says why not. The text is looked at first: most of
    /// what is left out need not be decoded.
    fn consider(
        &mut self,
        candidate: &Candidate,
        staging: &Staging,
    ) -> Result<Result<Utterance, Reason>, Error> {
        let (file, stated_seconds) = match &candidate.recording {
            Recording::None => return Ok(Err(Reason::NoRecording)),
            Recording::File(file) => (file, None),
            Recording::FileOfLength(file, seconds) => (file, Some(*seconds)),
        };
        if let Err(reason) = self.judge_text(&candidate.text) {
            return Ok(Err(reason));
        }
        let recording::Recording { samples, resampled_from } = recording::Recording::read(file)
            .map_err(|error| Error::line(&candidate.list, candidate.line, error.to_string()))?;
        let duration = audio::seconds(samples.len());
        if let Some(stated) = stated_seconds.filter(|stated| (stated - duration).abs() > DURATION_TOLERANCE) {
            let problem = format!("says {stated} s, but {} lasts {duration:.2} s", file.display());
            return Err(Error::line(&candidate.list, candidate.line, problem));
        }
        if let Err(reason) = self.judge_audio(&samples, duration, &candidate.text) {
            return Ok(Err(reason));
        }
        let wav = audio::encode_wav(&samples).map_err(|error| Error::file(file, error.to_string()))?;
        let sha256 = sha256(&wav);
        if let Some(twin) = self.recordings.get(&sha256) {
            return Ok(Err(Reason::SameAudio(twin.clone())));
        }
        let name = format!("audio/{sha256}.wav");
        staging.write(&name, &wav)?;
        self.texts.insert(fold(&candidate.text), candidate.id.clone());
        self.recordings.insert(sha256.clone(), candidate.id.clone());
        Ok(Ok(Utterance {
            id: candidate.id.clone(),
            audio_filepath: name.into(),
            text: candidate.text.clone(),
            duration,
            speaker: candidate.speaker.clone(),
            sha256,
            resampled_from,
        }))
    }

    fn judge_text(&self, text: &str) -> Result<(), Reason> {
        if let Some(mark) = text.chars().find(|character| MARKS.contains(character)) {
            return Err(Reason::Mark(mark));
        }
        let words = words(text);
        if words < self.limits.min_words {
            return Err(Reason::TooFewWords(words, self.limits.min_words));
        }
        match self.texts.get(&fold(text)) {
            Some(twin) => Err(Reason::SameText(twin.clone())),
            None => Ok(()),
        }
    }

    fn judge_audio(&self, samples: &[i16], seconds: f64, text: &str) -> Result<(), Reason> {
        let Limits { min_seconds, max_seconds, .. } = self.limits;
        if seconds < min_seconds {
            return Err(Reason::TooShort(seconds, min_seconds));
        }
        if seconds > max_seconds {
            return Err(Reason::TooLong(seconds, max_seconds));
        }
        let waveform: Vec<f32> = samples.iter().map(|&sample| f32::from(sample) / 32_768.0).collect();
        let level = active_speech_level(&waveform, SAMPLE_RATE).ok_or(Reason::Silent)?.level_dbov;
        if level < SILENCE_DBOV {
            return Err(Reason::Soft(level));
        }
        judge_clipping(samples)?;
        let rate = text.chars().filter(|character| character.is_alphanumeric()).count() as f64 / seconds;
        if rate > FASTEST_CHARACTERS { Err(Reason::TooFast(rate)) } else { Ok(()) }
    }

    fn report(self) -> ImportReport {
        let speakers: HashSet<&str> = self.taken.iter().map(|taken| taken.speaker.as_str()).collect();
        ImportReport {
            utterances: self.taken.len(),
            seconds: self.taken.iter().map(|taken| taken.duration).sum(),
            speakers: speakers.len(),
            left_out: self.left_out,
        }
    }
}

pub(super) fn judge_clipping(samples: &[i16]) -> Result<(), Reason> {
    let clipped = samples.iter().filter(|&&sample| sample == i16::MAX || sample == i16::MIN).count();
    let share = clipped as f64 / samples.len() as f64;
    if share > CLIPPED_SHARE { Err(Reason::Clipped(share)) } else { Ok(()) }
}

/// Words alone, without case and punctuation: two texts that sound the same.
pub(crate) fn fold(text: &str) -> String {
    let letters = text.chars().map(|c| if c.is_alphanumeric() { c } else { ' ' });
    letters.collect::<String>().to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}
