//! Per-item results of an attempt as a Parquet file: counts, durations, times and conditions, never text.
//!
//! The service writes such a file for every published attempt; `ffasr score` and any Parquet reader read it. Items,
//! utterances and talkers are numbers that mean the same in every file of one release and say nothing else: names of
//! utterances and talkers of a public corpus would tell what is said in a held-out item. [`number`] makes them.

mod columns;
mod read;
mod write;

use std::collections::BTreeMap;

pub use columns::column_names;
pub use read::read;
pub use write::write;

/// A file: what it is about, and one row an item.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ItemResults {
    /// Where the numbers come from: release and its hash, model, attempt, scorer.
    pub about: BTreeMap<String, String>,
    /// The items, in the order of their numbers.
    pub items: Vec<ItemResult>,
}

/// What a model made of one item. Times are in seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ItemResult {
    /// Number of the item within the release, from 1.
    pub item: i32,
    /// Number of the utterance, the same in every track.
    pub utterance: i32,
    /// Number of the talker.
    pub talker: i32,
    /// Track.
    pub track: String,
    /// Room; nothing for dry speech.
    pub room: Option<String>,
    /// Length of the audio.
    pub audio_s: f64,
    /// Time from the request to the complete reply.
    pub processing_s: f64,
    /// The model reported an error; scored as an empty text.
    pub failed: bool,
    /// Reference words recognised.
    pub hits: i32,
    /// Reference words replaced.
    pub substitutions: i32,
    /// Reference words left out.
    pub deletions: i32,
    /// Words added.
    pub insertions: i32,
    /// Characters of the reference, where they were counted.
    pub ref_chars: Option<i32>,
    /// Character errors, where they were counted.
    pub char_errors: Option<i32>,
    /// The alignment as a string of C, S, D and I, where there is one.
    pub path: Option<String>,
    /// What is wrong with the output as a whole, separated by commas; nothing if nothing is.
    pub faults: Option<String>,
    /// Signal-to-noise ratio in dB.
    pub snr_db: Option<f64>,
    /// Distance between talker and microphone in metres.
    pub distance_m: Option<f64>,
    /// Reverberation time T30.
    pub t30_s: Option<f64>,
    /// Early decay time.
    pub edt_s: Option<f64>,
    /// Clarity C50 in dB.
    pub c50_db: Option<f64>,
    /// Direct-to-reverberant ratio in dB.
    pub drr_db: Option<f64>,
    /// Kinds of noise, separated by commas.
    pub noise: Option<String>,
}

/// Why a file cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ItemResultsError {
    /// It is no Parquet file, or a damaged one.
    #[error("not a readable Parquet file: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// It contradicts itself so that nobody can read it.
    #[error("not a readable Parquet file: it is damaged")]
    Damaged,
    /// It is one, but not of per-item results.
    #[error("row {row}: {problem}; the file must hold per-item results as FFASR writes them")]
    Row {
        /// The row from 1.
        row: usize,
        /// What is missing or impossible.
        problem: String,
    },
}

/// Numbers labels from 1 in the order of their keys, the smallest key a label has.
///
/// With keys that are random and secret, a number says nothing about its label, and is still the same whenever the
/// same items are numbered.
pub fn number<'a, K: Ord>(labelled: impl IntoIterator<Item = (K, &'a str)>) -> BTreeMap<&'a str, i32> {
    let mut smallest: BTreeMap<&str, K> = BTreeMap::new();
    for (key, label) in labelled {
        let is_smaller = smallest.get(label).is_none_or(|present| key < *present);
        if is_smaller {
            smallest.insert(label, key);
        }
    }
    let mut order: Vec<(K, &str)> = smallest.into_iter().map(|(label, key)| (key, label)).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, label)| label).zip(1..).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results() -> ItemResults {
        let dry = ItemResult {
            item: 1,
            utterance: 2,
            talker: 1,
            track: "near".to_owned(),
            audio_s: 2.5,
            processing_s: 0.125,
            hits: 3,
            substitutions: 1,
            deletions: 2,
            insertions: 4,
            path: Some("CSIDDCCIII".to_owned()),
            ..ItemResult::default()
        };
        let far = ItemResult {
            item: 2,
            track: "far-low".to_owned(),
            room: Some("küche".to_owned()),
            failed: true,
            ref_chars: Some(20),
            char_errors: Some(20),
            path: None,
            faults: Some("empty,catastrophic".to_owned()),
            snr_db: Some(-3.5),
            distance_m: Some(2.0),
            t30_s: Some(0.4),
            edt_s: Some(0.3),
            c50_db: Some(8.0),
            drr_db: Some(-1.0),
            noise: Some("ventilation,coughs".to_owned()),
            ..dry.clone()
        };
        let about = [("release".to_owned(), "demo@1".to_owned())].into();
        ItemResults { about, items: vec![dry, far] }
    }

    #[test]
    fn what_was_written_is_read_back() {
        let written = write(&results()).unwrap();
        assert_eq!(&written[..4], b"PAR1");
        assert_eq!(read(written).unwrap(), results());
        assert_eq!(read(write(&ItemResults::default()).unwrap()).unwrap(), ItemResults::default());
    }

    #[test]
    fn no_column_is_made_for_text() {
        let names = column_names();
        assert_eq!(names.len(), 23);
        for text in ["reference", "hypothesis", "text", "words", "ref", "hyp"] {
            assert!(!names.contains(&text));
        }
    }

    #[test]
    fn a_damaged_or_foreign_file_is_refused() {
        let written = write(&results()).unwrap();
        for length in [0, 3, 4, 40, written.len() / 2, written.len() - 1] {
            assert!(read(written[..length].to_vec()).is_err(), "{length} bytes");
        }
        assert!(read(b"{\"id\":\"a\"}".to_vec()).is_err());
    }

    #[test]
    fn numbers_follow_the_keys_and_never_the_labels() {
        let numbers = number([(7, "alpha"), (3, "beta"), (5, "alpha"), (9, "gamma")]);
        assert_eq!(numbers, [("beta", 1), ("alpha", 2), ("gamma", 3)].into());
    }
}
