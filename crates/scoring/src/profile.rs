//! Scoring profiles: named, versioned ways to turn two texts into counts.

use serde::{Deserialize, Serialize};

use crate::align::{count_chars, count_words};
use crate::compounds::count_words_merged;
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
        Self { name: "ffasr", normalizer: Normalizer::WhisperEnglish, merge_compounds: false };

    /// `open-asr`: as the Open ASR Leaderboard scores English since June 2026.
    pub const OPEN_ASR: Self =
        Self { name: "open-asr", normalizer: Normalizer::OpenAsrEnglish, merge_compounds: true };

    /// `raw`: the text as written.
    pub const RAW: Self = Self { name: "raw", normalizer: Normalizer::None, merge_compounds: false };

    /// All profiles, the ranking one first.
    pub const ALL: [Self; 3] = [Self::FFASR, Self::OPEN_ASR, Self::RAW];

    /// The profile of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name == name)
    }

    /// Scores one item from raw texts. A missing output is an empty hypothesis.
    pub fn score(&self, reference: &str, hypothesis: &str) -> ItemCounts {
        let reference = self.normalizer.normalize(reference);
        let hypothesis = self.normalizer.normalize(hypothesis);
        let (words, merged_compounds) = if self.merge_compounds {
            count_words_merged(&reference, &hypothesis)
        } else {
            (count_words(&reference, &hypothesis), 0)
        };
        ItemCounts { words, chars: count_chars(&reference, &hypothesis), merged_compounds }
    }
}
