//! Scoring profiles: named, versioned ways to turn two texts into counts.

use serde::Serialize;

use crate::align::{count_chars, count_words};
use crate::counts::Counts;
use crate::normalize::Normalizer;

/// How texts are scored. All profiles are computed for every run; one of them ranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct ScoringProfile {
    /// Name under which results are shown and stored.
    pub name: &'static str,
    /// Applied once to the reference and to the raw output of the model.
    pub normalizer: Normalizer,
    /// Whether a word written apart counts as the word written together.
    pub merge_compounds: bool,
}

/// The counts of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ItemCounts {
    /// Over words: WER.
    pub words: Counts,
    /// Over characters, spaces between words included: CER. Compounds are never merged here.
    pub chars: Counts,
}

impl ScoringProfile {
    /// `ffasr`: whisper's English normaliser, no merging. Ranks, and is comparable with the public board.
    pub const FFASR: Self =
        Self { name: "ffasr", normalizer: Normalizer::WhisperEnglish, merge_compounds: false };

    /// `raw`: the text as written.
    pub const RAW: Self = Self { name: "raw", normalizer: Normalizer::None, merge_compounds: false };

    /// All profiles, the ranking one first.
    pub const ALL: [Self; 2] = [Self::FFASR, Self::RAW];

    /// The profile of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name == name)
    }

    /// Scores one item from raw texts. A missing output is an empty hypothesis.
    pub fn score(&self, reference: &str, hypothesis: &str) -> ItemCounts {
        let reference = self.normalizer.normalize(reference);
        let hypothesis = self.normalizer.normalize(hypothesis);
        ItemCounts {
            words: count_words(&reference, &hypothesis),
            chars: count_chars(&reference, &hypothesis),
        }
    }
}
