//! The trusted scorer: the only reader of reference transcripts.
//!
//! Texts stay in this module; what leaves it are counts, rates and times.

use std::collections::{BTreeMap, HashMap};

use protocol::{AttemptResults, FailureClass, ItemId, ItemResult, Outcome};
use scoring::{Bootstrap, Counts, Sample, ScoringProfile, Timing, Unit, cluster_bootstrap, quantile};
use sha2::{Digest, Sha256};
use store::{
    objects,
    queue::ScoringJob,
    releases::{self, Part, Reference},
    scores::{ItemScore, Latency, NewScores, Summary, TrackSummary},
};

use crate::{Service, views::TRACKS};

/// Version of the scorer: profile and normaliser. Results are keyed by it, so a new version stands beside the old.
pub const SCORER: &str = "ffasr@1/whisper-en@1";
/// Seed of the bootstrap draws; published, so that intervals can be computed again.
pub(crate) const BOOTSTRAP_SEED: u64 = 1;
const PROFILE: ScoringProfile = ScoringProfile::FFASR;
/// Most bytes of results that are read.
const RESULTS_LIMIT: u64 = 256 * 1024 * 1024;

/// The plan of every bootstrap of this service: equal plans on one sample are paired.
pub(crate) fn bootstrap() -> Bootstrap {
    Bootstrap { seed: BOOTSTRAP_SEED, ..Bootstrap::default() }
}

/// Name of the scoring profile.
pub(crate) fn profile_name() -> &'static str {
    PROFILE.name
}

/// Name and version of the normaliser.
pub(crate) fn normalizer_name() -> String {
    PROFILE.normalizer.to_string()
}

/// Names of the ranked tracks.
pub(crate) fn ranked_tracks() -> [&'static str; 4] {
    TRACKS.map(|track| track.name)
}

/// Why an attempt could not be scored. The message never holds a text.
pub(crate) struct ScoringFailure {
    pub(crate) class: FailureClass,
    pub(crate) message: String,
}

impl ScoringFailure {
    fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }
}

/// Scores one attempt.
pub(crate) async fn score(service: &Service, job: &ScoringJob) -> Result<NewScores, ScoringFailure> {
    let unavailable = |error: store::StoreError| {
        // The cause is for the operator; the submitter reads a sentence without addresses.
        tracing::error!("scoring attempt {}: {error}", job.attempt);
        ScoringFailure::new(FailureClass::StorageError, "The results or the references could not be read.")
    };
    let key = objects::results_key(job.attempt);
    let content = service.objects.get(&key, RESULTS_LIMIT).await.map_err(unavailable)?;
    let references = releases::references(&service.pool, job.release).await.map_err(unavailable)?;
    let expected = job.results_sha256.clone();
    tokio::task::spawn_blocking(move || score_results(&content, &expected, &references))
        .await
        // Not the error's own text, which holds that of a panic and so may quote what was said.
        .map_err(|_| ScoringFailure::new(FailureClass::ScorerError, "The scorer stopped unexpectedly."))?
}

fn score_results(
    content: &[u8],
    expected_sha256: &str,
    references: &[Reference],
) -> Result<NewScores, ScoringFailure> {
    if hex::encode(Sha256::digest(content)) != expected_sha256 {
        let message = "The stored results are not those the worker reported.";
        return Err(ScoringFailure::new(FailureClass::StorageError, message));
    }
    let results: AttemptResults = serde_json::from_slice(content).map_err(|error| {
        // Not `error` itself, whose text may quote a hypothesis.
        let message =
            format!("The results cannot be read (line {}, column {}).", error.line(), error.column());
        ScoringFailure::new(FailureClass::ScorerError, message)
    })?;
    if serde_json::to_string(&results.report).is_ok_and(|report| report.contains("\\u0000")) {
        let message = "The report holds a character that cannot be stored.";
        return Err(ScoringFailure::new(FailureClass::ScorerError, message));
    }
    let answers = index(&results.items)?;
    let scored: Vec<&Reference> =
        references.iter().filter(|reference| reference.part == Part::Scored).collect();
    let items =
        scored.iter().map(|reference| score_item(reference, &answers)).collect::<Result<Vec<_>, _>>()?;
    if answers.len() > scored.len() {
        let message = "The results hold items that are not in the release.";
        return Err(ScoringFailure::new(FailureClass::ScorerError, message));
    }
    let summary = summarise(&scored, &items, &repeat_timings(&results, references)?)?;
    Ok(NewScores { scorer: SCORER.to_owned(), summary, report: results.report, items })
}

fn index(results: &[ItemResult]) -> Result<HashMap<ItemId, &ItemResult>, ScoringFailure> {
    let mut answers = HashMap::with_capacity(results.len());
    for result in results {
        if !(result.seconds > 0.0 && result.seconds.is_finite()) {
            let message = format!("Item {} has a time of {} s.", result.id, result.seconds);
            return Err(ScoringFailure::new(FailureClass::ScorerError, message));
        }
        if answers.insert(result.id, result).is_some() {
            let message = format!("Item {} is answered twice.", result.id);
            return Err(ScoringFailure::new(FailureClass::ScorerError, message));
        }
    }
    Ok(answers)
}

fn score_item(
    reference: &Reference,
    answers: &HashMap<ItemId, &ItemResult>,
) -> Result<ItemScore, ScoringFailure> {
    let answer = answers.get(&reference.id).ok_or_else(|| {
        ScoringFailure::new(FailureClass::ScorerError, format!("Item {} has no answer.", reference.id))
    })?;
    // An item the model gave up on counts as an empty hypothesis, and is counted as failed beside.
    let (hypothesis, failed) = match &answer.outcome {
        Outcome::Text(text) => (text.as_str(), false),
        Outcome::Error(_) => ("", true),
    };
    let words = PROFILE.score(&reference.text, hypothesis).words;
    let narrow = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    Ok(ItemScore {
        item: reference.id,
        hits: narrow(words.hits),
        substitutions: narrow(words.substitutions),
        deletions: narrow(words.deletions),
        insertions: narrow(words.insertions),
        failed,
        seconds: answer.seconds,
    })
}

/// Audio and processing seconds of each repeat pass as a whole. The subset is fixed, so passes are what varies.
fn repeat_timings(results: &AttemptResults, references: &[Reference]) -> Result<Vec<Timing>, ScoringFailure> {
    let mut passes: BTreeMap<u32, HashMap<ItemId, f64>> = BTreeMap::new();
    for reference in references {
        if let Part::Repeat(pass) = reference.part {
            passes.entry(pass).or_default().insert(reference.id, reference.seconds);
        }
    }
    let misfit = || {
        let message = "The repeat passes are not those of the release.";
        ScoringFailure::new(FailureClass::ScorerError, message)
    };
    if passes.len() != results.repeats.len() {
        return Err(misfit());
    }
    passes
        .values()
        .zip(&results.repeats)
        .map(|(expected, pass)| {
            let answers = index(pass)?;
            let complete =
                answers.len() == expected.len() && answers.keys().all(|id| expected.contains_key(id));
            if !complete {
                return Err(misfit());
            }
            Ok(Timing {
                audio_s: expected.values().sum(),
                wall_s: pass.iter().map(|item| item.seconds).sum(),
            })
        })
        .collect()
}

fn counts(item: &ItemScore) -> Counts {
    Counts {
        hits: item.hits.into(),
        substitutions: item.substitutions.into(),
        deletions: item.deletions.into(),
        insertions: item.insertions.into(),
    }
}

fn summarise(
    references: &[&Reference],
    items: &[ItemScore],
    passes: &[Timing],
) -> Result<Summary, ScoringFailure> {
    let sample = Sample::new(references.iter().map(|reference| Unit {
        group: &reference.track,
        utterance: &reference.utterance,
        talker: &reference.talker,
        room: reference.room.as_deref(),
    }));
    let all_counts: Vec<Counts> = items.iter().map(counts).collect();
    let draws = cluster_bootstrap(&sample, &all_counts, bootstrap())
        .map_err(|error| ScoringFailure::new(FailureClass::ScorerError, error.to_string()))?;
    let limits = |interval: scoring::Interval| (interval.low, interval.high);

    let mut tracks = BTreeMap::new();
    for track in sample.groups() {
        let of_track: Vec<(&Reference, &ItemScore)> = references
            .iter()
            .zip(items)
            .filter(|(reference, _)| reference.track == *track)
            .map(|(reference, item)| (*reference, item))
            .collect();
        let total: Counts = of_track.iter().map(|(_, item)| counts(item)).sum();
        let interval = draws.group(track).and_then(scoring::Replicates::interval).map(limits);
        let summary = TrackSummary {
            wer: total.rate(),
            interval,
            substitutions: total.substitutions,
            deletions: total.deletions,
            insertions: total.insertions,
            ref_words: total.ref_words(),
            items: u32::try_from(of_track.len()).unwrap_or(u32::MAX),
            failed: u32::try_from(of_track.iter().filter(|(_, item)| item.failed).count())
                .unwrap_or(u32::MAX),
            rtfx: rtfx(of_track.iter().copied()),
        };
        tracks.insert(track.clone(), summary);
    }

    let average = draws.mean(&ranked_tracks());
    let is_ranked = |reference: &Reference| ranked_tracks().contains(&reference.track.as_str());
    let ranked = || references.iter().copied().zip(items).filter(|(reference, _)| is_ranked(reference));
    let headline = rtfx(ranked());
    // One clip a pass: see `repeat_timings`.
    let speed = scoring::rtfx(&passes.iter().map(|pass| vec![*pass]).collect::<Vec<_>>(), bootstrap());
    Ok(Summary {
        avg_wer: average.as_ref().map(|average| average.estimate),
        avg_wer_interval: average.as_ref().and_then(scoring::Replicates::interval).map(limits),
        tracks,
        rtfx: headline,
        // The passes run over a subset, so their relative spread is what carries over to the headline.
        rtfx_interval: headline.zip(speed).map(|(headline, speed)| {
            (headline * speed.interval.low / speed.rtfx, headline * speed.interval.high / speed.rtfx)
        }),
        rtfx_stable: speed.is_some_and(|speed| speed.stable),
        repeat_passes: u32::try_from(passes.len()).unwrap_or(u32::MAX),
        latency: latency(ranked().map(|(_, item)| item.seconds).collect()),
    })
}

/// Σ audio seconds / Σ processing seconds.
fn rtfx<'a>(items: impl Iterator<Item = (&'a Reference, &'a ItemScore)>) -> Option<f64> {
    let (audio, processing) = items.fold((0.0, 0.0), |(audio, processing), (reference, item)| {
        (audio + reference.seconds, processing + item.seconds)
    });
    (processing > 0.0).then(|| audio / processing)
}

fn latency(mut seconds: Vec<f64>) -> Latency {
    seconds.sort_unstable_by(f64::total_cmp);
    let at = |probability| quantile(&seconds, probability).unwrap_or(0.0);
    Latency { p50: at(0.50), p90: at(0.90), p95: at(0.95), p99: at(0.99) }
}

#[cfg(test)]
mod tests {
    use protocol::{NodeFingerprint, RunReport};

    use super::*;

    fn reference(track: &str, utterance: &str, text: &str, part: Part) -> Reference {
        Reference {
            id: ItemId::new(),
            part,
            track: track.to_owned(),
            utterance: utterance.to_owned(),
            text: text.to_owned(),
            talker: "t".to_owned(),
            room: None,
            seconds: 2.0,
        }
    }

    fn release() -> Vec<Reference> {
        let mut references = Vec::new();
        for track in ranked_tracks() {
            references.push(reference(track, "u1", "the quick brown fox", Part::Scored));
            references.push(reference(track, "u2", "jumps over the dog", Part::Scored));
        }
        references.push(reference("near", "u1", "the quick brown fox", Part::Repeat(1)));
        references
    }

    fn results(references: &[Reference], answer: impl Fn(&Reference) -> Outcome) -> AttemptResults {
        let result = |reference: &Reference, seconds| ItemResult {
            id: reference.id,
            outcome: answer(reference),
            seconds,
        };
        let of = |part: fn(Part) -> bool| references.iter().filter(move |reference| part(reference.part));
        AttemptResults {
            report: RunReport {
                runtime: "r".to_owned(),
                runtime_digest: "d".to_owned(),
                isolation: "i".to_owned(),
                ready_seconds: 1.0,
                num_params: None,
                peak_memory_bytes: None,
                fingerprint: NodeFingerprint {
                    cpu: "c".to_owned(),
                    cores: 2,
                    memory_bytes: 1,
                    kernel: "k".to_owned(),
                    accelerators: Vec::new(),
                    worker_version: "0".to_owned(),
                },
                seed: 7,
            },
            items: of(|part| part == Part::Scored).map(|reference| result(reference, 0.5)).collect(),
            repeats: vec![of(|part| part != Part::Scored).map(|reference| result(reference, 0.25)).collect()],
        }
    }

    fn score_all(results: &AttemptResults, references: &[Reference]) -> Result<NewScores, ScoringFailure> {
        let content = serde_json::to_vec(results).unwrap();
        score_results(&content, &hex::encode(Sha256::digest(&content)), references)
    }

    #[test]
    fn avg_wer_is_the_unweighted_mean_of_the_four_tracks_and_rtfx_the_ratio_of_sums() {
        let references = release();
        // Near: nothing wrong. Everywhere else one of the eight words of the track is missing.
        let results = results(&references, |reference| {
            let text = if reference.track != "near" && reference.utterance == "u1" {
                "the quick fox"
            } else {
                &reference.text
            };
            Outcome::Text(text.to_owned())
        });
        let scores = score_all(&results, &references).unwrap_or_else(|failure| panic!("{}", failure.message));
        let summary = scores.summary;
        assert!((summary.avg_wer.unwrap() - 3.0 / 4.0 / 8.0).abs() < 1e-12);
        assert_eq!(summary.tracks["far-mid"].deletions, 1);
        assert_eq!(summary.tracks["far-mid"].ref_words, 8);
        assert!((summary.rtfx.unwrap() - 4.0).abs() < 1e-12, "2 s of audio in 0.5 s");
        assert_eq!(summary.repeat_passes, 1);
    }

    #[test]
    fn an_item_the_model_gave_up_on_counts_as_empty_and_as_failed() {
        let references = release();
        let results = results(&references, |reference| match reference.utterance.as_str() {
            "u1" => Outcome::Error("no".to_owned()),
            _ => Outcome::Text(reference.text.clone()),
        });
        let summary =
            score_all(&results, &references).unwrap_or_else(|failure| panic!("{}", failure.message)).summary;
        let near = &summary.tracks["near"];
        assert_eq!((near.deletions, near.failed, near.items), (4, 1, 2));
        assert_eq!(near.wer, Some(0.5));
    }

    #[test]
    fn missing_doubled_foreign_and_untimed_items_are_our_fault_and_change_nothing() {
        let references = release();
        let whole = results(&references, |_| Outcome::Text(String::new()));
        let mut missing = whole.clone();
        missing.items.pop();
        let mut doubled = whole.clone();
        doubled.items.push(doubled.items[0].clone());
        let mut foreign = whole.clone();
        foreign.items.push(ItemResult {
            id: ItemId::new(),
            outcome: Outcome::Text(String::new()),
            seconds: 1.0,
        });
        let mut untimed = whole.clone();
        untimed.items[0].seconds = 0.0;
        let mut without_repeats = whole.clone();
        without_repeats.repeats.clear();
        let mut short_pass = whole.clone();
        short_pass.repeats[0].pop();
        for broken in [missing, doubled, foreign, untimed, without_repeats, short_pass] {
            let failure = score_all(&broken, &references).err().unwrap();
            assert_eq!(failure.class, FailureClass::ScorerError);
        }
        assert!(score_all(&whole, &references).is_ok());
    }

    #[test]
    fn results_that_were_changed_in_storage_are_noticed() {
        let failure = score_results(b"{}", &"0".repeat(64), &release()).err().unwrap();
        assert_eq!(failure.class, FailureClass::StorageError);
    }

    #[test]
    fn the_scorer_version_names_the_profile_and_normaliser_in_use() {
        assert_eq!(SCORER, format!("{}@1/{}", profile_name(), normalizer_name()));
    }
}
