//! Scoring of one local run: the board's profile, bootstrap and definitions, called from `scoring` directly.
//!
//! Where several talk the rate is cpWER (concatenated minimum-permutation WER). A model with one stream of words is
//! scored on that stream: it is matched with the talker with whom it makes fewest errors, and all words of the others are
//! deletions.
//!
//! The service's scorer reads references from its database and checks a worker it need not trust; here both sides are
//! this process. What they share, they share through `scoring` and the types of `store::scores`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use benchmark::{Demand, Track, dev::DevItem, dev::DevSet, release::Role};
use protocol::{AttemptResults, ItemId, ItemResult, ModelManifest, Outcome};
use scoring::{
    Bootstrap, Counts, Interval, Normalizer, Replicates, Sample, ScoringProfile, Segment, Timing, Unit,
    cluster_bootstrap,
    meeting::{TimeConstraint, cp_wer},
};
use serde::Serialize;
use store::scores::{Latency, Summary, TrackSummary};

/// As the board scores; languages other than English with the normaliser that fits them all.
fn profile(set: &DevSet) -> ScoringProfile {
    let language = set.header.corpus.language.split('-').next().unwrap_or_default().to_ascii_lowercase();
    if language == "en" {
        ScoringProfile::FFASR
    } else {
        ScoringProfile { normalizer: Normalizer::Basic, ..ScoringProfile::FFASR }
    }
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
    let declared = |track: Track| model.tracks.iter().any(|it| it.name() == track.name());
    let mut left_out = BTreeMap::new();
    set.items.retain(|item| match item.track.demand().filter(|_| !declared(item.track)) {
        None => true,
        Some(demand) => {
            left_out.insert(item.track.name(), reason(demand));
            false
        }
    });
    left_out
}

fn reason(demand: Demand) -> &'static str {
    match demand {
        Demand::Talkers => "it asks for a stream of words for each talker",
        Demand::Channels => "it asks for several channels",
        Demand::FarEnd => "it asks for the far end beside the microphone",
    }
}

/// Scores the results of `set`, which are complete and in its order.
pub(super) fn score(
    set: &DevSet,
    results: &AttemptResults,
    not_run: BTreeMap<&'static str, &'static str>,
) -> Result<Scores, scoring::LengthMismatch> {
    let items: Vec<&DevItem> = set.items.iter().filter(|item| item.role == Role::Scored).collect();
    let profile = profile(set);
    let scored: Vec<Scored<'_>> =
        items.iter().zip(&results.items).map(|(item, result)| Scored::of(profile, item, result)).collect();
    let sample = Sample::new(items.iter().map(|item| Unit {
        group: item.track.name(),
        utterance: &item.utterance,
        talker: &item.speaker,
        room: item.conditions.as_ref().map(|it| it.room.as_str()),
    }));
    let plan = Bootstrap { seed: BOOTSTRAP_SEED, ..Bootstrap::default() };
    let counts: Vec<Counts> = scored.iter().map(|it| it.counts).collect();
    let draws = cluster_bootstrap(&sample, &counts, plan)?;
    let interval = |it: Option<&Replicates>| it.and_then(Replicates::interval).map(limits);

    let present: BTreeSet<Track> = items.iter().map(|item| item.track).collect();
    let tracks: BTreeMap<String, TrackSummary> = present
        .iter()
        .map(|track| {
            (track.name().to_owned(), track_summary(*track, &scored, interval(draws.group(track.name()))))
        })
        .collect();
    let average = draws.mean(&Track::PRIMARY.map(Track::name));
    let ranked: Vec<&Scored<'_>> = scored.iter().filter(|it| it.item.track.is_ranked()).collect();
    let headline = rtfx(ranked.iter().copied());
    let timings = repeat_timings(set, results);
    // One clip a pass: the subset is fixed, so passes are what varies.
    let speed = scoring::rtfx(&timings.iter().map(|pass| vec![*pass]).collect::<Vec<_>>(), plan);
    let summary = Summary {
        avg_wer: average.as_ref().map(|it| it.estimate),
        avg_wer_interval: interval(average.as_ref()),
        tracks,
        rtfx: headline,
        rtfx_interval: headline.zip(speed).map(|(headline, speed)| {
            (headline * speed.interval.low / speed.rtfx, headline * speed.interval.high / speed.rtfx)
        }),
        rtfx_stable: speed.is_some_and(|it| it.stable),
        repeat_passes: timings.len() as u32,
        latency: latency(&ranked),
    };
    Ok(Scores { scorer: profile.scorer(), summary, not_run })
}

/// One item with its counts and time.
struct Scored<'a> {
    item: &'a DevItem,
    counts: Counts,
    failed: bool,
    seconds: f64,
}

impl<'a> Scored<'a> {
    fn of(profile: ScoringProfile, item: &'a DevItem, result: &ItemResult) -> Self {
        // An item the model gave up on counts as an empty hypothesis.
        let (hypothesis, failed) = match &result.outcome {
            Outcome::Text(text) => (text.as_str(), false),
            Outcome::Error(_) => ("", true),
        };
        let counts = if item.segments.is_empty() {
            profile.score(&item.text, hypothesis).words
        } else {
            one_stream(profile, item, hypothesis)
        };
        Self { item, counts, failed, seconds: result.seconds }
    }
}

/// cpWER of one stream of words against several talkers.
fn one_stream(profile: ScoringProfile, item: &DevItem, hypothesis: &str) -> Counts {
    let segment = |speaker: &str, words: &str| Segment {
        session_id: String::new(),
        speaker: speaker.to_owned(),
        start_time: None,
        end_time: None,
        words: profile.normalizer.normalize(words),
    };
    let reference: Vec<Segment> =
        item.segments.iter().map(|said| segment(&said.speaker, &said.words)).collect();
    let errors = cp_wer(&reference, &[segment("model", hypothesis)], TimeConstraint::None);
    errors.expect("without a time constraint no segment can be wrong").counts
}

fn limits(interval: Interval) -> (f64, f64) {
    (interval.low, interval.high)
}

fn track_summary(track: Track, scored: &[Scored<'_>], interval: Option<(f64, f64)>) -> TrackSummary {
    let of_track = || scored.iter().filter(|it| it.item.track == track);
    let total: Counts = of_track().map(|it| it.counts).sum();
    TrackSummary {
        wer: total.rate(),
        interval,
        substitutions: total.substitutions,
        deletions: total.deletions,
        insertions: total.insertions,
        ref_words: total.ref_words(),
        items: of_track().count() as u32,
        failed: of_track().filter(|it| it.failed).count() as u32,
        rtfx: rtfx(of_track()),
    }
}

/// Σ audio seconds / Σ item seconds.
fn rtfx<'a>(items: impl Iterator<Item = &'a Scored<'a>>) -> Option<f64> {
    let (audio, time) =
        items.fold((0.0, 0.0), |(audio, time), it| (audio + it.item.duration, time + it.seconds));
    (time > 0.0).then(|| audio / time)
}

fn repeat_timings(set: &DevSet, results: &AttemptResults) -> Vec<Timing> {
    let audio: HashMap<ItemId, f64> = set.items.iter().map(|it| (ItemId(it.id), it.duration)).collect();
    let timing = |pass: &Vec<ItemResult>| Timing {
        audio_s: pass.iter().filter_map(|it| audio.get(&it.id)).sum(),
        wall_s: pass.iter().map(|it| it.seconds).sum(),
    };
    results.repeats.iter().map(timing).collect()
}

fn latency(items: &[&Scored<'_>]) -> Latency {
    let mut seconds: Vec<f64> = items.iter().map(|it| it.seconds).collect();
    seconds.sort_unstable_by(f64::total_cmp);
    let at = |probability| scoring::quantile(&seconds, probability).unwrap_or(0.0);
    Latency { p50: at(0.50), p90: at(0.90), p95: at(0.95), p99: at(0.99) }
}
