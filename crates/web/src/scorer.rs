//! The trusted scorer: the only reader of reference transcripts.
//!
//! Texts stay in this module; what leaves it are counts, rates and times.

pub(crate) mod analysis;
mod rescore;
mod streaming;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use analysis::{Collector, Scored};
use protocol::{
    AttemptResults, DemandingTrack, FailureClass, ItemId, ItemResult, Measurements, ResultsDocument,
    RunReport,
};
pub use rescore::{BoardChange, RankChange, RescoreError, Rescored, Rescoring, rescore};
use scoring::{
    Bootstrap, Counts, Draws, ItemCounts, ScoringProfile, Timing, align, faults::faults, path_of, split_words,
};
use sha2::{Digest, Sha256};
use store::{
    objects,
    queue::ScoringJob,
    releases::{self, Part, Reference, Release},
    scores::{ItemScore, NewScores},
};

use crate::{Service, error::AppError, views::TRACKS};

/// Seed of the bootstrap draws; published, so that intervals can be computed again.
pub(crate) const BOOTSTRAP_SEED: u64 = 1;
/// Most bytes of results that are read.
const RESULTS_LIMIT: u64 = 256 * 1024 * 1024;

/// The profile that ranks, and that a visitor sees who chooses none.
pub(crate) const RANKING: ScoringProfile = ScoringProfile::FFASR;

/// The plan of every bootstrap of this service: equal plans on one sample are paired.
pub(crate) fn bootstrap() -> Bootstrap {
    Bootstrap { seed: BOOTSTRAP_SEED, ..Bootstrap::default() }
}

/// The profile a visitor asked for; without a name, the one that ranks.
pub(crate) fn profile(name: Option<&str>) -> Result<ScoringProfile, AppError> {
    match name.filter(|name| !name.is_empty()) {
        None => Ok(RANKING),
        Some(name) => ScoringProfile::named(name)
            .ok_or_else(|| AppError::NotFound(format!("scoring profile \u{201c}{name}\u{201d}"))),
    }
}

/// The profile as it scores a release in this language; what does not name its language was made when all were English.
pub(crate) fn in_language(profile: ScoringProfile, language: Option<&str>) -> ScoringProfile {
    profile.in_language(language.unwrap_or("en"))
}

/// The profile as it scores this release.
pub(crate) fn of_release(profile: ScoringProfile, release: &Release) -> ScoringProfile {
    in_language(profile, release.language())
}

/// Names of the ranked tracks.
pub(crate) fn ranked_tracks() -> [&'static str; 4] {
    TRACKS.map(|track| track.name)
}

/// Why an attempt could not be scored. The message never holds a text.
#[derive(Debug)]
pub(crate) struct ScoringFailure {
    pub(crate) class: FailureClass,
    pub(crate) message: String,
}

impl ScoringFailure {
    fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }
}

/// What one attempt is worth.
#[derive(Debug)]
pub(crate) struct Outcomes {
    /// Under every profile asked for.
    pub(crate) scores: Vec<NewScores>,
    /// Different made-up words of the release's canaries that the model wrote: nobody says them, so it has seen the
    /// references.
    pub(crate) canaries: usize,
}

/// Scores one attempt under every profile.
pub(crate) async fn score(service: &Service, job: &ScoringJob) -> Result<Outcomes, ScoringFailure> {
    let unavailable = |error: store::StoreError| {
        // The cause is for the operator; the submitter reads a sentence without addresses.
        tracing::error!("scoring attempt {}: {error}", job.attempt);
        ScoringFailure::new(FailureClass::StorageError, "The results or the references could not be read.")
    };
    let key = objects::results_key(job.attempt);
    let content = service.objects.get(&key, RESULTS_LIMIT).await.map_err(unavailable)?;
    let references =
        releases::references(&service.pool, job.release, service.settings.policy.sealing_key.as_ref())
            .await
            .map_err(unavailable)?;
    let language = releases::language(&service.pool, job.release).await.map_err(unavailable)?;
    let profiles = ScoringProfile::ALL.map(|profile| in_language(profile, language.as_deref()));
    let expected = job.results_sha256.clone();
    score_apart(content, expected, Arc::new(references), profiles.to_vec()).await
}

/// Scores on a thread where it may take its time.
async fn score_apart(
    content: Vec<u8>,
    expected_sha256: String,
    references: Arc<Vec<Reference>>,
    profiles: Vec<ScoringProfile>,
) -> Result<Outcomes, ScoringFailure> {
    tokio::task::spawn_blocking(move || score_results(&content, &expected_sha256, &references, &profiles))
        .await
        // Not the error's own text, which holds that of a panic and so may quote what was said.
        .map_err(|_| ScoringFailure::new(FailureClass::ScorerError, "The scorer stopped unexpectedly."))?
}

fn score_results(
    content: &[u8],
    expected_sha256: &str,
    references: &[Reference],
    profiles: &[ScoringProfile],
) -> Result<Outcomes, ScoringFailure> {
    if hex::encode(Sha256::digest(content)) != expected_sha256 {
        let message = "The stored results are not those the worker reported.";
        return Err(ScoringFailure::new(FailureClass::StorageError, message));
    }
    let ResultsDocument { results, mut measurements, streamed } =
        serde_json::from_slice(content).map_err(|error| {
            // Not `error` itself, whose text may quote a hypothesis.
            let message =
                format!("The results cannot be read (line {}, column {}).", error.line(), error.column());
            ScoringFailure::new(FailureClass::ScorerError, message)
        })?;
    measurements.streaming = streaming::summarise(&streamed, references)?;
    let about = serde_json::to_string(&(&results.report, &measurements));
    if about.is_ok_and(|text| text.contains("\\u0000")) {
        let message = "The report holds a character that cannot be stored.";
        return Err(ScoringFailure::new(FailureClass::ScorerError, message));
    }
    let answers = index(&results.items)?;
    let run = Run::of(references, &answers)?;
    let passes = repeat_timings(&results, references)?;
    let scores = profiles
        .iter()
        .map(|profile| score_under(*profile, &run.scored, &passes, (&results.report, &measurements)));
    Ok(Outcomes { scores: scores.collect::<Result<_, _>>()?, canaries: run.canaries_heard() })
}

/// The answers of a run beside their references.
struct Run<'a> {
    scored: Vec<(&'a Reference, &'a ItemResult)>,
    canaries: Vec<(&'a Reference, &'a ItemResult)>,
}

impl<'a> Run<'a> {
    /// Every item must be answered; of a track that asks for more than one channel of one talker, all or none: none where
    /// the model has not named it.
    fn of(
        references: &'a [Reference],
        answers: &HashMap<ItemId, &'a ItemResult>,
    ) -> Result<Self, ScoringFailure> {
        let heard: HashSet<&str> = references
            .iter()
            .filter(|reference| answers.contains_key(&reference.id))
            .map(|reference| reference.track.as_str())
            .collect();
        let was_run = |track: &str| DemandingTrack::named(track).is_none() || heard.contains(track);
        let of = |part: Part| {
            references
                .iter()
                .filter(|reference| reference.part == part && was_run(&reference.track))
                .map(|reference| Ok((reference, answer(reference, answers)?)))
                .collect::<Result<Vec<_>, ScoringFailure>>()
        };
        let run = Self { scored: of(Part::Scored)?, canaries: of(Part::Canary)? };
        if answers.len() > run.scored.len() + run.canaries.len() {
            let message = "The results hold items that are not in the release.";
            return Err(ScoringFailure::new(FailureClass::ScorerError, message));
        }
        Ok(run)
    }

    /// How many made-up words, the last ones of the references on file, are in what the model wrote anywhere.
    fn canaries_heard(&self) -> usize {
        let normalizer = RANKING.normalizer;
        let words = |text: &str| -> HashSet<String> {
            split_words(&normalizer.normalize(text)).into_iter().map(str::to_owned).collect()
        };
        let made_up: HashSet<String> = self
            .canaries
            .iter()
            .filter_map(|(reference, _)| reference.text.split_whitespace().next_back())
            .flat_map(words)
            .collect();
        if made_up.is_empty() {
            return 0;
        }
        let written = self.canaries.iter().chain(&self.scored);
        let written: HashSet<String> =
            written.flat_map(|(_, answer)| words(&answer.outcome.text())).collect();
        made_up.intersection(&written).count()
    }
}

/// Scores all items under one profile.
fn score_under(
    profile: ScoringProfile,
    scored: &[(&Reference, &ItemResult)],
    passes: &[Timing],
    (report, measurements): (&RunReport, &Measurements),
) -> Result<NewScores, ScoringFailure> {
    let mut collector = Collector::default();
    let items: Vec<ItemScore> = scored
        .iter()
        .map(|(reference, answer)| score_item(profile, reference, answer, &mut collector))
        .collect();
    let failed = |message: String| ScoringFailure::new(FailureClass::ScorerError, message);
    let counted: Vec<run_summary::Item<'_>> =
        scored.iter().zip(&items).map(|((reference, _), item)| counted(reference, item)).collect();
    let draws: Draws =
        run_summary::resample(&counted, bootstrap()).map_err(|error| failed(error.to_string()))?;
    let analysis = collector
        .finish(profile, &draws)
        .map(serde_json::to_value)
        .transpose()
        .map_err(|error| failed(error.to_string()))?;
    Ok(NewScores {
        scorer: profile.scorer(),
        summary: run_summary::summarise(&counted, &draws, &ranked_tracks(), passes, bootstrap()),
        analysis,
        report: report.clone(),
        measurements: measurements.clone(),
        items,
    })
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

fn answer<'a>(
    reference: &Reference,
    answers: &HashMap<ItemId, &'a ItemResult>,
) -> Result<&'a ItemResult, ScoringFailure> {
    answers.get(&reference.id).copied().ok_or_else(|| {
        ScoringFailure::new(FailureClass::ScorerError, format!("Item {} has no answer.", reference.id))
    })
}

fn score_item(
    profile: ScoringProfile,
    reference: &Reference,
    answer: &ItemResult,
    collector: &mut Collector,
) -> ItemScore {
    // An item the model gave up on counts as an empty hypothesis, and is counted as failed beside.
    let hypothesis = &*answer.outcome.text();
    let said = profile.normalizer.normalize(&reference.text);
    let heard = profile.normalizer.normalize(hypothesis);
    let several = !reference.segments.is_empty();
    let counts = if several {
        // Characters and merged compounds belong to an alignment of two texts, which this is not.
        let words = run_summary::speaker_errors(profile.normalizer, &reference.segments, &answer.outcome);
        ItemCounts { words, ..ItemCounts::default() }
    } else {
        profile.count(&said, &heard)
    };
    let (said, heard) = (split_words(&said), split_words(&heard));
    let steps = align(&said, &heard);
    let faults = faults(&said, &heard, &steps);
    if !several {
        let item = Scored {
            reference,
            hypothesis,
            said: &said,
            heard: &heard,
            steps: &steps,
            counts,
            faults: &faults,
        };
        collector.add(profile, &item);
    }
    let narrow = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    ItemScore {
        item: reference.id,
        hits: narrow(counts.words.hits),
        substitutions: narrow(counts.words.substitutions),
        deletions: narrow(counts.words.deletions),
        insertions: narrow(counts.words.insertions),
        failed: answer.outcome.is_error(),
        seconds: answer.seconds,
        ref_chars: narrow(counts.chars.ref_words()),
        char_errors: narrow(counts.chars.errors()),
        // With compounds merged, or several talkers, the counts are not those of a plain alignment.
        path: (!profile.merge_compounds && !several).then(|| path_of(&steps)),
        faults: faults.iter().map(analysis::name).collect(),
    }
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

fn counted<'a>(reference: &'a Reference, item: &ItemScore) -> run_summary::Item<'a> {
    run_summary::Item {
        track: &reference.track,
        utterance: &reference.utterance,
        talker: &reference.talker,
        room: reference.room.as_deref(),
        audio_seconds: reference.seconds,
        seconds: item.seconds,
        counts: Counts {
            hits: item.hits.into(),
            substitutions: item.substitutions.into(),
            deletions: item.deletions.into(),
            insertions: item.insertions.into(),
        },
        failed: item.failed,
    }
}

#[cfg(test)]
mod tests {
    use protocol::{NodeFingerprint, Outcome, RunReport, SpokenSegment};

    use super::*;

    fn reference(track: &str, utterance: &str, text: &str, part: Part) -> Reference {
        Reference {
            id: ItemId::new(),
            part,
            track: track.to_owned(),
            utterance: utterance.to_owned(),
            text: text.to_owned(),
            segments: Vec::new(),
            talker: "t".to_owned(),
            room: None,
            seconds: 2.0,
            conditions: serde_json::Value::Null,
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
            items: of(|part| matches!(part, Part::Scored | Part::Canary))
                .map(|reference| result(reference, 0.5))
                .collect(),
            repeats: vec![
                of(|part| matches!(part, Part::Repeat(_))).map(|reference| result(reference, 0.25)).collect(),
            ],
        }
    }

    fn score_all(results: &AttemptResults, references: &[Reference]) -> Result<NewScores, ScoringFailure> {
        let content = serde_json::to_vec(results).unwrap();
        let expected = hex::encode(Sha256::digest(&content));
        score_results(&content, &expected, references, &[RANKING]).map(|mut it| it.scores.remove(0))
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
        let failure = score_results(b"{}", &"0".repeat(64), &release(), &[RANKING]).err().unwrap();
        assert_eq!(failure.class, FailureClass::StorageError);
    }

    #[test]
    fn every_profile_scores_every_attempt_under_its_own_name() {
        let references = release();
        let results = results(&references, |reference| Outcome::Text(reference.text.to_uppercase()));
        let content = serde_json::to_vec(&results).unwrap();
        let expected = hex::encode(Sha256::digest(&content));
        let scores = score_results(&content, &expected, &references, &ScoringProfile::ALL).unwrap().scores;
        let names: Vec<&str> = scores.iter().map(|scores| scores.scorer.as_str()).collect();
        assert_eq!(names, ["ffasr@1/whisper-en@1", "open-asr@1/open-asr-en@1", "raw@1/none"]);
        assert_eq!(
            scores.iter().map(|scores| scores.summary.avg_wer.unwrap()).collect::<Vec<_>>(),
            [0.0, 0.0, 1.0]
        );
        let has = scores.iter().map(|scores| (scores.analysis.is_some(), scores.items[0].path.is_some()));
        assert_eq!(has.collect::<Vec<_>>(), [(true, true), (true, false), (false, true)]);
    }

    #[test]
    fn an_analysis_counts_and_never_quotes() {
        let references = release();
        let results = results(&references, |reference| match reference.utterance.as_str() {
            "u1" => Outcome::Text("the quick brown dog".to_owned()),
            _ => Outcome::Text(String::new()),
        });
        let analysis = score_all(&results, &references).unwrap().analysis.unwrap();
        let near = &analysis["tracks"]["near"];
        assert_eq!(near["faults"], serde_json::json!({"empty": 1, "catastrophic": 1}));
        assert_eq!(near["classes"]["function"]["deletions"], 2, "over, the");
        assert_eq!(near["classes"]["content"]["substitutions"], 1, "fox");
        for said in ["quick", "brown", "fox", "jumps", "dog"] {
            assert!(!analysis.to_string().contains(said), "{analysis}");
        }
    }

    fn with_talkers() -> Vec<Reference> {
        let said = |speaker: &str, words: &str| SpokenSegment {
            speaker: speaker.to_owned(),
            words: words.to_owned(),
            start_time: None,
            end_time: None,
        };
        let mut references = release();
        let mut talk = reference("multi-talker", "u1", "the quick brown fox yes please", Part::Scored);
        talk.segments = vec![said("ann", "the quick brown fox"), said("bob", "yes please")];
        references.push(talk);
        references
    }

    #[test]
    fn several_talkers_are_scored_by_talker_and_by_one_stream_if_there_is_no_more() {
        let references = with_talkers();
        let wer = |outcome: Outcome| {
            let results = results(&references, |reference| match reference.track.as_str() {
                "multi-talker" => outcome.clone(),
                _ => Outcome::Text(reference.text.clone()),
            });
            score_all(&results, &references).unwrap().summary.tracks["multi-talker"].wer
        };
        let streams = references.last().unwrap().segments.clone();
        assert_eq!(wer(Outcome::Segments(streams)), Some(0.0));
        // One stream of all words: it answers to one talker, and the words of the other are there and missing.
        assert_eq!(wer(Outcome::Text("the quick brown fox yes please".to_owned())), Some(4.0 / 6.0));
        assert_eq!(wer(Outcome::Text("the quick brown fox".to_owned())), Some(2.0 / 6.0));
    }

    #[test]
    fn a_track_that_a_model_has_not_named_is_not_run_and_never_zero() {
        let references = with_talkers();
        let mut results = results(&references, |reference| Outcome::Text(reference.text.clone()));
        results.items.retain(|item| item.id != references.last().unwrap().id);
        let scores = score_all(&results, &references).unwrap();
        assert!(!scores.summary.tracks.contains_key("multi-talker"));
        assert_eq!((scores.items.len(), scores.summary.avg_wer), (8, Some(0.0)));
    }

    #[test]
    fn a_canary_is_never_scored_and_tells_who_has_seen_the_references() {
        let mut references = release();
        references.push(reference("near", "u9", "the gate is open bavelotirun", Part::Canary));
        let canaries = |answer: &str| {
            let results = results(&references, |reference| match reference.part {
                Part::Canary => Outcome::Text(answer.to_owned()),
                _ => Outcome::Text(reference.text.clone()),
            });
            let content = serde_json::to_vec(&results).unwrap();
            let expected = hex::encode(Sha256::digest(&content));
            score_results(&content, &expected, &references, &[RANKING]).unwrap()
        };
        let honest = canaries("the gate is open");
        assert_eq!((honest.canaries, honest.scores[0].items.len()), (0, 8));
        let leaked = canaries("The gate is open, Bavelotirun.");
        assert_eq!((leaked.canaries, leaked.scores[0].summary.avg_wer), (1, Some(0.0)));
    }
}
