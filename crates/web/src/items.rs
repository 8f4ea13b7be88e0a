//! The items of a published attempt as a Parquet file.

use std::collections::BTreeMap;

use item_results::{ItemResult, ItemResults, number};
use sha2::{Digest, Sha256};
use store::{
    releases::Release,
    scores::{ItemDetails, Published},
};
use uuid::Uuid;

use crate::error::AppError;

/// The file of an attempt under one scorer.
pub(crate) fn parquet(
    release: &Release,
    result: &Published,
    scorer: &str,
    details: &[ItemDetails],
) -> Result<Vec<u8>, AppError> {
    let about = [
        ("release", format!("{}@{}", release.slug, release.version)),
        ("manifest_sha256", release.manifest_sha256.clone()),
        ("model", result.manifest.name.clone()),
        ("hardware_class", result.hardware_class.clone()),
        ("attempt", result.attempt.to_string()),
        ("scorer", scorer.to_owned()),
    ];
    let results = ItemResults {
        about: about.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        items: rows(details),
    };
    item_results::write(&results).map_err(|error| AppError::Internal(error.to_string()))
}

/// The hash of an item's id: as random as the id itself, and unlike it without the time at which it was made, which
/// would give the order of the items away.
fn key(id: Uuid) -> [u8; 32] {
    Sha256::digest(id.as_bytes()).into()
}

fn rows(details: &[ItemDetails]) -> Vec<ItemResult> {
    let utterances =
        number(details.iter().map(|item| (key(item.counts.item_id), item.counts.utterance.as_str())));
    let talkers = number(details.iter().map(|item| (key(item.counts.item_id), item.counts.talker.as_str())));
    let mut order: Vec<(&ItemDetails, [u8; 32])> =
        details.iter().map(|item| (item, key(item.counts.item_id))).collect();
    order.sort_unstable_by_key(|(_, key)| *key);
    order.into_iter().zip(1..).map(|((item, _), number)| row(item, number, &utterances, &talkers)).collect()
}

fn row(
    item: &ItemDetails,
    number: i32,
    utterances: &BTreeMap<&str, i32>,
    talkers: &BTreeMap<&str, i32>,
) -> ItemResult {
    let counts = &item.counts;
    let condition = |name: &str| item.conditions[name].as_f64();
    let noise: Vec<&str> =
        item.conditions["noise"].as_array().into_iter().flatten().filter_map(|kind| kind.as_str()).collect();
    let joined = |parts: String| Some(parts).filter(|parts| !parts.is_empty());
    ItemResult {
        item: number,
        utterance: utterances.get(counts.utterance.as_str()).copied().unwrap_or_default(),
        talker: talkers.get(counts.talker.as_str()).copied().unwrap_or_default(),
        track: counts.track.clone(),
        room: counts.room.clone(),
        audio_s: item.audio_seconds,
        processing_s: item.seconds,
        failed: item.failed,
        hits: counts.hits,
        substitutions: counts.substitutions,
        deletions: counts.deletions,
        insertions: counts.insertions,
        ref_chars: item.ref_chars,
        char_errors: item.char_errors,
        path: item.path.clone(),
        faults: joined(item.faults.join(",")),
        snr_db: condition("snr_db"),
        distance_m: condition("distance_m"),
        t30_s: condition("t30_s"),
        edt_s: condition("edt_s"),
        c50_db: condition("c50_db"),
        drr_db: condition("drr_db"),
        noise: joined(noise.join(",")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use store::scores::ItemCounts;

    use super::*;

    fn details(track: &str, utterance: &str) -> ItemDetails {
        ItemDetails {
            counts: ItemCounts {
                item_id: Uuid::now_v7(),
                track: track.to_owned(),
                utterance: utterance.to_owned(),
                talker: "jane austen reader".to_owned(),
                room: (track != "near").then(|| "office".to_owned()),
                hits: 3,
                substitutions: 0,
                deletions: 1,
                insertions: 0,
            },
            audio_seconds: 2.0,
            conditions: if track == "near" {
                json!(null)
            } else {
                json!({"snr_db": 5.0, "noise": ["fan", "cough"]})
            },
            failed: false,
            seconds: 0.5,
            ref_chars: Some(20),
            char_errors: Some(4),
            path: Some("CCCD".to_owned()),
            faults: vec!["truncated".to_owned()],
        }
    }

    #[test]
    fn items_are_numbers_and_nothing_names_an_utterance_or_a_talker() {
        let all: Vec<ItemDetails> = ["near", "far-low"]
            .iter()
            .flat_map(|track| {
                ["emma-0001", "emma-0002", "emma-0003"].map(|utterance| details(track, utterance))
            })
            .collect();
        let rows = rows(&all);
        assert_eq!(rows.iter().map(|row| row.item).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
        for row in &rows {
            let shown = format!("{row:?}");
            assert!(!shown.contains("emma") && !shown.contains("jane"), "{shown}");
            assert_eq!(rows.iter().filter(|other| other.utterance == row.utterance).count(), 2);
            assert_eq!(row.snr_db.is_some(), row.track == "far-low");
        }
        let mut backwards = all.clone();
        backwards.reverse();
        assert_eq!(super::rows(&backwards), rows, "the numbers are the items', not the query's");
    }
}
