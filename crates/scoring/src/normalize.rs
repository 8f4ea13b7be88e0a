//! Text normalisers, named and versioned: a score is only comparable with another under the same normaliser.
//!
//! The references are not idempotent (`-5` becomes `5` on a second pass), so text is normalised exactly once, from
//! what the model wrote. Nothing is trimmed beyond what the reference itself trims.

mod english;
mod numbers;
pub(crate) mod text;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use text::{Class, class, remove_brackets, squeeze};

/// A text normaliser at a fixed version. Its output for a given input never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum Normalizer {
    /// `none`: the text as it is.
    None,
    /// `basic@1`: `BasicTextNormalizer()` of openai-whisper 20250625. Lower case; brackets and their content,
    /// punctuation and symbols removed; accents kept. For any language.
    Basic,
    /// `whisper-en@1`: `EnglishTextNormalizer` of openai-whisper 20250625 (Radford et al. 2022, appendix C). Also
    /// fillers, contractions, spelled-out numbers, currencies and British spelling.
    WhisperEnglish,
    /// `open-asr-en@1`: the English normaliser of the Open ASR Leaderboard at commit d1e99b2 of 2026-08-21:
    /// whisper's with more fillers, possessives kept apart, compounds, variants of names, and acronyms joined.
    OpenAsrEnglish,
}

/// A normaliser name that is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown normaliser {0:?}: use one of none, basic@1, whisper-en@1, open-asr-en@1")]
pub struct UnknownNormalizer(String);

impl Normalizer {
    /// Every normaliser, for lists and help texts.
    pub const ALL: [Self; 4] = [Self::None, Self::Basic, Self::WhisperEnglish, Self::OpenAsrEnglish];

    /// Name and version, as [`FromStr`] reads it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "basic@1",
            Self::WhisperEnglish => "whisper-en@1",
            Self::OpenAsrEnglish => "open-asr-en@1",
        }
    }

    /// The normalised text. Takes time linear in the length of the input.
    pub fn normalize(self, input: &str) -> String {
        match self {
            Self::None => input.to_owned(),
            Self::Basic => basic(input),
            Self::WhisperEnglish => english::normalize(input, &english::WHISPER),
            Self::OpenAsrEnglish => english::normalize(input, &english::OPEN_ASR),
        }
    }
}

fn basic(input: &str) -> String {
    let text = remove_brackets(input.to_lowercase());
    let fold = |c| if matches!(class(c), Class::Accent | Class::Symbol) { ' ' } else { c };
    let text: String = text.nfkc().map(fold).collect();
    squeeze(&text.to_lowercase())
}

impl fmt::Display for Normalizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Normalizer {
    type Err = UnknownNormalizer;

    /// Reads `basic@1`; a bare `basic` means the newest version.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .rev()
            .find(|n| n.name() == name || n.name().split('@').next() == Some(name))
            .ok_or_else(|| UnknownNormalizer(name.to_owned()))
    }
}

impl From<Normalizer> for &'static str {
    fn from(normalizer: Normalizer) -> Self {
        normalizer.name()
    }
}

impl TryFrom<String> for Normalizer {
    type Error = UnknownNormalizer;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}
