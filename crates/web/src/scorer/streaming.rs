//! What a streamed pass is worth (beta): word errors of the final texts, and how soon the first word and the last were there.

use std::collections::{BTreeMap, HashMap, HashSet};

use protocol::{Outcome, StreamedItem, StreamedTrack, Streaming};
use scoring::{Counts, quantile};
use store::releases::{Part, Reference};

use super::{FailureClass, ItemId, RANKING, ScoringFailure};

/// Streamed items against their references: those of the first repeat pass, or the scored ones where a release has no such
/// pass. Nothing if nothing was streamed.
pub(super) fn summarise(
    streamed: &[StreamedItem],
    references: &[Reference],
) -> Result<Option<Streaming>, ScoringFailure> {
    if streamed.is_empty() {
        return Ok(None);
    }
    let passes =
        references.iter().filter_map(|it| if let Part::Repeat(pass) = it.part { Some(pass) } else { None });
    let part = passes.min().map_or(Part::Scored, Part::Repeat);
    let expected: HashMap<ItemId, &Reference> =
        references.iter().filter(|it| it.part == part).map(|it| (it.id, it)).collect();
    let mut tracks: BTreeMap<&str, Vec<(&Reference, &StreamedItem)>> = BTreeMap::new();
    let mut met = HashSet::new();
    for item in streamed {
        let reference = expected.get(&item.id).ok_or_else(misfit)?;
        let times = [Some(item.finalisation_seconds), item.first_token_seconds];
        let sane = times.into_iter().flatten().all(|it| it.is_finite() && it >= 0.0);
        if !sane || !met.insert(item.id) {
            return Err(misfit());
        }
        tracks.entry(&reference.track).or_default().push((reference, item));
    }
    if met.len() != expected.len() {
        return Err(misfit());
    }
    let all: Vec<(&Reference, &StreamedItem)> = tracks.values().flatten().copied().collect();
    Ok(Some(Streaming {
        scorer: RANKING.scorer(),
        all: track(&all),
        tracks: tracks.into_iter().map(|(name, items)| (name.to_owned(), track(&items))).collect(),
    }))
}

fn misfit() -> ScoringFailure {
    ScoringFailure::new(FailureClass::ScorerError, "The streamed items are not those of the release.")
}

fn track(items: &[(&Reference, &StreamedItem)]) -> StreamedTrack {
    let words: Counts =
        items.iter().map(|(said, item)| RANKING.score(&said.text, &item.outcome.text()).words).sum();
    let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let first: Vec<f64> = items.iter().filter_map(|(_, it)| it.first_token_seconds).collect();
    StreamedTrack {
        items: narrow(items.len()),
        silent: narrow(items.len() - first.len()),
        failed: narrow(items.iter().filter(|(_, it)| matches!(it.outcome, Outcome::Error(_))).count()),
        errors: words.errors(),
        ref_words: words.ref_words(),
        wer: words.rate(),
        first_token: percentiles(first, 0.9),
        finalisation: percentiles(items.iter().map(|(_, it)| it.finalisation_seconds).collect(), 0.95),
    }
}

/// Median and an upper percentile.
fn percentiles(mut seconds: Vec<f64>, upper: f64) -> Option<(f64, f64)> {
    seconds.sort_unstable_by(f64::total_cmp);
    quantile(&seconds, 0.5).zip(quantile(&seconds, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(track: &str, part: Part, text: &str) -> Reference {
        Reference {
            id: ItemId::new(),
            part,
            track: track.to_owned(),
            utterance: "u".to_owned(),
            text: text.to_owned(),
            segments: Vec::new(),
            talker: "t".to_owned(),
            room: None,
            seconds: 2.0,
            conditions: serde_json::Value::Null,
        }
    }

    fn item(reference: &Reference, outcome: Outcome, first: Option<f64>, last: f64) -> StreamedItem {
        StreamedItem { id: reference.id, outcome, first_token_seconds: first, finalisation_seconds: last }
    }

    #[test]
    fn finals_are_scored_and_latencies_are_medians_of_the_first_repeat_pass() {
        let pass = Part::Repeat(1);
        let references = [
            reference("near", Part::Scored, "never streamed"),
            reference("near", pass, "the quick brown fox"),
            reference("near", pass, "jumps over"),
            reference("far-low", pass, "the lazy dog"),
            reference("near", Part::Repeat(2), "nor this"),
        ];
        let text = |it: &str| Outcome::Text(it.to_owned());
        let streamed = [
            item(&references[1], text("The quick brown box."), Some(0.5), 0.2),
            item(&references[2], Outcome::Error("too loud".to_owned()), None, 0.4),
            item(&references[3], text("the lazy dog"), Some(0.9), 0.3),
        ];
        let summary = summarise(&streamed, &references).ok().flatten().unwrap();
        let near = summary.tracks["near"];
        // One word of four is wrong and two of two are missing.
        assert_eq!((near.errors, near.ref_words, near.wer), (3, 6, Some(0.5)));
        assert_eq!((near.items, near.silent, near.failed), (2, 1, 1));
        assert_eq!(near.first_token, Some((0.5, 0.5)));
        assert_eq!(summary.all.ref_words, 9);
        assert_eq!(summary.all.finalisation.map(|it| it.0), Some(0.3));
        assert_eq!(summary.tracks["far-low"].wer, Some(0.0));
    }

    #[test]
    fn what_is_not_exactly_the_pass_is_refused_and_nothing_streamed_is_nothing() {
        let references = [reference("near", Part::Scored, "a"), reference("near", Part::Scored, "b")];
        let text = || Outcome::Text("a".to_owned());
        let whole: Vec<StreamedItem> = references.iter().map(|it| item(it, text(), None, 0.1)).collect();
        assert!(summarise(&whole, &references).is_ok_and(|it| it.is_some()));
        assert!(summarise(&[], &references).is_ok_and(|it| it.is_none()));
        assert!(summarise(&whole[..1], &references).is_err(), "one is missing");
        let twice = [whole[0].clone(), whole[0].clone()];
        assert!(summarise(&twice, &references).is_err());
        let backwards = [item(&references[0], text(), None, -1.0), whole[1].clone()];
        assert!(summarise(&backwards, &references).is_err());
        let foreign = [item(&reference("near", Part::Scored, "c"), text(), None, 0.1), whole[1].clone()];
        assert!(summarise(&foreign, &references).is_err());
    }
}
