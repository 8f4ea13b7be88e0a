//! Scoring of one local run: the board's profile, bootstrap and definitions, called from `scoring` directly.
//!
//! The service's scorer reads references from its database and checks a worker it need not trust; here both sides are
//! this process. What makes the figures of the counts is one crate, `run_summary`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use benchmark::{Track, dev::DevItem, dev::DevSet, release::Role};
use protocol::{AttemptResults, DemandingTrack, ItemId, ItemResult, ModelManifest, SpokenSegment};
use run_summary::Summary;
use scoring::{Bootstrap, Counts, ScoringProfile, Timing};
use serde::Serialize;

/// As the board scores a release in this language.
pub(super) fn profile(language: &str) -> ScoringProfile {
    ScoringProfile::FFASR.in_language(language)
}

/// As the board draws.
const BOOTSTRAP_SEED: u64 = 1;

/// What a run is worth.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Scores {
    /// Profile and normaliser.
    pub(super) scorer: String,
    /// Rates and times, as on the board.
    pub(super) summary: Summary,
    /// Tracks of the set on which the model did not run, and why.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) not_run: BTreeMap<&'static str, &'static str>,
}

/// Numbers of the repeat passes, in order.
pub(super) fn passes(set: &DevSet) -> BTreeSet<usize> {
    let pass = |item: &DevItem| if let Role::Repeat { pass } = item.role { Some(pass) } else { None };
    set.items.iter().filter_map(pass).collect()
}

/// Leaves out what the model has not said it takes part in; the tracks, each with a reason.
pub(super) fn leave_out_demanding(
    set: &mut DevSet,
    model: &ModelManifest,
) -> BTreeMap<&'static str, &'static str> {
    let mut left_out = BTreeMap::new();
    set.items.retain(|item| {
        let track = item.track.name();
        let runs = model.runs(track);
        if let Some(demanding) = DemandingTrack::named(track).filter(|_| !runs) {
            left_out.insert(track, demanding.reason());
        }
        runs
    });
    left_out
}

/// Scores the results of `set`, which are complete and in its order.
pub(super) fn score(
    set: &DevSet,
    results: &AttemptResults,
    not_run: BTreeMap<&'static str, &'static str>,
) -> Result<Scores, scoring::LengthMismatch> {
    let items: Vec<&DevItem> = set.items.iter().filter(|item| item.role == Role::Scored).collect();
    let profile = profile(&set.header.corpus.language);
    let counted: Vec<run_summary::Item<'_>> =
        items.iter().zip(&results.items).map(|(item, result)| counted(profile, item, result)).collect();
    let plan = Bootstrap { seed: BOOTSTRAP_SEED, ..Bootstrap::default() };
    let draws = run_summary::resample(&counted, plan)?;
    let ranked = Track::PRIMARY.map(Track::name);
    let summary = run_summary::summarise(&counted, &draws, &ranked, &repeat_timings(set, results), plan);
    Ok(Scores { scorer: profile.scorer(), summary, not_run })
}

fn counted<'a>(profile: ScoringProfile, item: &'a DevItem, result: &ItemResult) -> run_summary::Item<'a> {
    run_summary::Item {
        track: item.track.name(),
        utterance: &item.utterance,
        talker: &item.speaker,
        room: item.conditions.as_ref().map(|it| it.room.as_str()),
        audio_seconds: item.duration,
        seconds: result.seconds,
        counts: counts(profile, item, result),
        failed: result.outcome.is_error(),
    }
}

fn counts(profile: ScoringProfile, item: &DevItem, result: &ItemResult) -> Counts {
    if item.segments.is_empty() {
        return profile.score(&item.text, &result.outcome.text()).words;
    }
    let said = item.segments.iter().map(|said| SpokenSegment {
        speaker: said.speaker.clone(),
        words: said.words.clone(),
        start_time: Some(said.start_time),
        end_time: Some(said.end_time),
    });
    run_summary::speaker_errors(profile.normalizer, &said.collect::<Vec<_>>(), &result.outcome)
}

fn repeat_timings(set: &DevSet, results: &AttemptResults) -> Vec<Timing> {
    let audio: HashMap<ItemId, f64> = set.items.iter().map(|it| (ItemId(it.id), it.duration)).collect();
    let timing = |pass: &Vec<ItemResult>| Timing {
        audio_s: pass.iter().filter_map(|it| audio.get(&it.id)).sum(),
        wall_s: pass.iter().map(|it| it.seconds).sum(),
    };
    results.repeats.iter().map(timing).collect()
}
