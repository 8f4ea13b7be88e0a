//! Scoring profiles: named, versioned ways to turn two texts into counts.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::align::{count_chars, count_words};
use crate::compounds::count_words_merged;
use crate::counts::Counts;
use crate::normalize::Normalizer;

/// How texts are scored. All profiles are computed for every run; one of them ranks.
///
/// A profile with its versions is a *scorer*, named `profile@version/normaliser@version` ([`ScoringProfile::scorer`],
/// read back by [`FromStr`]). Results are kept under that name: another version stands beside the old, never in its
/// place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct ScoringProfile {
    /// Name under which results are shown and stored.
    pub name: &'static str,
    /// Changes with every definition in this crate that changes a number for the same texts and normaliser.
    pub version: u32,
    /// Applied once to the reference and to the raw output of the model.
    pub normalizer: Normalizer,
    /// Whether a word written apart counts as the word written together.
    pub merge_compounds: bool,
}

/// The counts of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ItemCounts {
    /// Over words: WER.
    pub words: Counts,
    /// Over characters, spaces between words included: CER. Compounds are never merged here.
    pub chars: Counts,
    /// Compounds merged: shown beside the rate, since merging also forgives "a part" for "apart".
    pub merged_compounds: u64,
}

impl ScoringProfile {
    /// `ffasr`: whisper's English normaliser, no merging. Ranks, and is comparable with the public board.
    pub const FFASR: Self =
        Self { name: "ffasr", version: 1, normalizer: Normalizer::WhisperEnglish, merge_compounds: false };

    /// `open-asr`: as the Open ASR Leaderboard scores English since June 2026.
    pub const OPEN_ASR: Self =
        Self { name: "open-asr", version: 1, normalizer: Normalizer::OpenAsrEnglish, merge_compounds: true };

    /// `raw`: the text as written.
    pub const RAW: Self =
        Self { name: "raw", version: 1, normalizer: Normalizer::None, merge_compounds: false };

    /// All profiles, the ranking one first.
    pub const ALL: [Self; 3] = [Self::FFASR, Self::OPEN_ASR, Self::RAW];

    /// The profile of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name == name)
    }

    /// The profile for texts in a language, a BCP 47 tag such as `es-ES`: the English normalisers are for English alone, and
    /// any other language, also one that is not known, gets [`Normalizer::Basic`] in their place.
    #[must_use]
    pub fn in_language(self, language: &str) -> Self {
        let primary = language.split('-').next().unwrap_or_default();
        let normalizer = match self.normalizer {
            Normalizer::WhisperEnglish | Normalizer::OpenAsrEnglish
                if !primary.eq_ignore_ascii_case("en") =>
            {
                Normalizer::Basic
            }
            own => own,
        };
        Self { normalizer, ..self }
    }

    /// The name with all versions, e.g. `ffasr@1/whisper-en@1`.
    pub fn scorer(&self) -> String {
        format!("{}@{}/{}", self.name, self.version, self.normalizer)
    }

    /// Scores one item from raw texts. A missing output is an empty hypothesis.
    pub fn score(&self, reference: &str, hypothesis: &str) -> ItemCounts {
        self.count(&self.normalizer.normalize(reference), &self.normalizer.normalize(hypothesis))
    }

    /// Scores one item from texts that have been normalised.
    pub fn count(&self, reference: &str, hypothesis: &str) -> ItemCounts {
        let (words, merged_compounds) = if self.merge_compounds {
            count_words_merged(reference, hypothesis)
        } else {
            (count_words(reference, hypothesis), 0)
        };
        ItemCounts { words, chars: count_chars(reference, hypothesis), merged_compounds }
    }
}

/// A name that is no scorer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown scorer `{name}`: use a profile ({}), or a profile with a normaliser, such as ffasr@1/basic@1",
    ScoringProfile::ALL.map(|profile| profile.name).join(", ")
)]
pub struct UnknownScorer {
    name: String,
}

impl FromStr for ScoringProfile {
    type Err = UnknownScorer;

    /// Reads `ffasr@1/basic@1`: the counting of the profile with a normaliser. Without the normaliser, that of the
    /// profile is meant; without a version, the newest.
    fn from_str(scorer: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownScorer { name: scorer.to_owned() };
        let (profile, normalizer) = match scorer.split_once('/') {
            Some((profile, normalizer)) => (profile, Some(normalizer)),
            None => (scorer, None),
        };
        let is_meant =
            |known: &Self| profile == known.name || profile == format!("{}@{}", known.name, known.version);
        let known = Self::ALL.into_iter().find(is_meant).ok_or_else(unknown)?;
        let normalizer = match normalizer {
            Some(name) => name.parse().map_err(|_| unknown())?,
            None => known.normalizer,
        };
        Ok(Self { normalizer, ..known })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scorer_is_read_back_from_its_name() {
        for profile in ScoringProfile::ALL {
            assert_eq!(profile.scorer().parse(), Ok(profile));
            assert_eq!(profile.name.parse(), Ok(profile));
        }
        assert_eq!(ScoringProfile::FFASR.scorer(), "ffasr@1/whisper-en@1");
        assert_eq!(ScoringProfile::RAW.scorer(), "raw@1/none");
        let other: ScoringProfile = "ffasr@1/basic@1".parse().unwrap();
        assert_eq!(other, ScoringProfile { normalizer: Normalizer::Basic, ..ScoringProfile::FFASR });
        assert_eq!(other.scorer(), "ffasr@1/basic@1");
    }

    #[test]
    fn only_english_is_normalised_as_english() {
        let scorers = |language: &str| ScoringProfile::ALL.map(|it| it.in_language(language).scorer());
        assert_eq!(scorers("en-US"), ScoringProfile::ALL.map(|it| it.scorer()));
        assert_eq!(scorers("EN"), scorers("en-US"));
        assert_eq!(scorers("es-ES"), ["ffasr@1/basic@1", "open-asr@1/basic@1", "raw@1/none"]);
        assert_eq!(scorers(""), scorers("ru"));
        // "Señor, ¿qué?" is two words in Spanish; whisper's English normaliser would take the accents away.
        let spanish = ScoringProfile::FFASR.in_language("es");
        assert_eq!(spanish.score("Señor, ¿qué?", "senor qué").words.substitutions, 1);
    }

    #[test]
    fn an_unknown_scorer_is_refused_with_the_known_profiles() {
        for name in ["", "ffasr@2", "ffasr@1/", "ffasr@1/whisper-en@9", "wer", "ffasr/basic/x"] {
            let error = name.parse::<ScoringProfile>().unwrap_err();
            assert!(error.to_string().contains("ffasr, open-asr, raw"), "{error}");
        }
    }
}
