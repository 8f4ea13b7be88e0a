//! A worker against a service that speaks the protocol, with real models in the real sandbox.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up panics")]

mod common;

use common::{Told, World};
use protocol::{
    AttemptId, AttemptResults, Basis, Continued, DecodingValue, Directive, EvaluateJob, FailureClass,
    ItemResult, KeptPart, Outcome, ResultsDocument, Stage,
};
use sha2::{Digest, Sha256};
use worker::{CallError, WorkerError, calibration::Golden, fingerprint};

/// A lease that outlasts any test.
const LONG: u32 = 600;

fn texts(results: &[protocol::ItemResult]) -> Vec<&str> {
    let text = |it: &Outcome| matches!(it, Outcome::Text(_));
    assert!(results.iter().all(|it| text(&it.outcome)));
    results
        .iter()
        .map(|it| match &it.outcome {
            Outcome::Text(text) | Outcome::Error(text) => text.split(' ').next().unwrap_or_default(),
            Outcome::Segments(_) => unreachable!("only texts came"),
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_ends_with_its_results_in_storage_and_one_complete() {
    let world = World::new().await;
    let job = world.job("none");
    let ids: Vec<_> = job.items.iter().map(|it| it.id).collect();
    let ended = world.work(vec![job], LONG).await;
    assert!(matches!(ended, Err(WorkerError::Refused(_))), "{ended:?}");

    let upload = world.service.upload().unwrap();
    let completes = world.service.completes();
    assert_eq!(completes.len(), 1);
    assert_eq!(completes[0].results_sha256, hex::encode(Sha256::digest(&upload)));
    let results: AttemptResults = serde_json::from_slice(&upload).unwrap();
    assert_eq!(results.items.iter().map(|it| it.id).collect::<Vec<_>>(), ids);
    assert_eq!(texts(&results.items), ["a", "b", "c"]);
    assert_eq!(texts(&results.repeats[0]), ["a", "b"]);
    assert_eq!(results.report.runtime, "hostile");
    assert_eq!(results.report.num_params, Some(42));
    assert!(results.report.peak_memory_bytes.is_some());
    assert!(world.service.fails().is_empty());
    let complete = &completes[0];
    let beats = world
        .service
        .told()
        .into_iter()
        .filter_map(|it| if let Told::Heartbeat(it) = it { Some(it) } else { None });
    let stages: Vec<Stage> = beats
        .inspect(|it| assert_eq!((it.attempt, it.fencing_token), (complete.attempt, complete.fencing_token)))
        .map(|it| it.stage)
        .collect();
    assert!(stages.is_sorted_by_key(|it| *it as u8) && stages.ends_with(&[Stage::Uploading]), "{stages:?}");
    let Some(Told::Claim(claim)) = world.service.told().into_iter().next() else { panic!("no claim") };
    assert_eq!((claim.protocol, claim.runtimes), (1, vec!["hostile".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_away_for_a_while_costs_nothing() {
    let world = World::new().await;
    world.script(|it| {
        it.refusals.insert("claim", [503, 429].into());
        it.refusals.insert("heartbeat", [500].into());
        it.refusals.insert("download", [503].into());
        it.refusals.insert("upload", [503].into());
        it.refusals.insert("complete", [502, 503].into());
    });
    let job = world.job("none");
    let _ = world.work(vec![job], LONG).await;
    assert_eq!(world.service.completes().len(), 1);
    assert!(world.service.fails().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_refused_ends_and_says_why() {
    for status in [401, 403, 426] {
        let world = World::new().await;
        world.script(|it| drop(it.refusals.insert("claim", [status].into())));
        match world.work(Vec::new(), LONG).await {
            Err(WorkerError::Refused(CallError::Refused(reason))) => {
                assert!(reason.starts_with(&format!("refused with {status}")), "{reason}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_lease_kills_the_model_and_nothing_more_is_said_about_the_attempt() {
    let world = World::new().await;
    world.script(|it| it.heartbeats_refused = Some((Stage::WarmingUp, 409)));
    let job = world.job("never");
    let _ = world.work(vec![job], LONG).await;
    assert!(world.service.fails().is_empty() && world.service.completes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_cannot_be_renewed_ends_with_the_attempt_dropped() {
    let world = World::new().await;
    world.script(|it| it.heartbeats_refused = Some((Stage::WarmingUp, 503)));
    let job = world.job("never");
    let _ = world.work(vec![job], 3).await;
    assert!(world.service.fails().is_empty() && world.service.completes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_attempt_ends_the_model_and_the_next_job_is_claimed() {
    let world = World::new().await;
    world.script(|it| it.directive = Some((Stage::WarmingUp, Directive::Cancel)));
    let job = world.job("never");
    let _ = world.work(vec![job], LONG).await;
    assert!(world.service.fails().is_empty() && world.service.completes().is_empty());
    let claims = world.service.told().iter().filter(|it| matches!(it, Told::Claim(_))).count();
    assert_eq!(claims, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_worker_finishes_its_attempt_and_claims_no_more() {
    let world = World::new().await;
    world.script(|it| it.directive = Some((Stage::Fetching, Directive::Drain)));
    let jobs = vec![world.job("none"), world.job("none")];
    world.work(jobs, LONG).await.unwrap();
    assert_eq!(world.service.completes().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_is_told_with_its_class() {
    let world = World::new().await;
    let mut unknown_setting = world.job("none");
    unknown_setting.model.decoding.insert("beam".into(), DecodingValue::Integer(1));
    let mut evil_name = world.job("none");
    evil_name.files[0].name = "../adapter.py".into();
    let mut tampered_model = world.job("none");
    tampered_model.files[0].sha256 = "00".repeat(32);
    let mut oversized_model = world.job("none");
    oversized_model.files[0].bytes = 3;
    let mut missing_audio = world.job("none");
    missing_audio.items[0].url.push('x');
    let mut no_time = world.job("never");
    no_time.limits.item_seconds = 0.2;
    let jobs = vec![
        unknown_setting,
        evil_name,
        tampered_model,
        oversized_model,
        missing_audio,
        no_time,
        world.job("wrong_id"),
        world.job("crash"),
    ];
    let _ = world.work(jobs, LONG).await;
    let fails = world.service.fails();
    let classes: Vec<FailureClass> = fails.iter().map(|it| it.class).collect();
    assert_eq!(
        classes,
        [
            FailureClass::InvalidManifest,
            FailureClass::InvalidManifest,
            FailureClass::DownloadFailed,
            FailureClass::DownloadFailed,
            FailureClass::StorageError,
            FailureClass::Timeout,
            FailureClass::BadOutput,
            FailureClass::RuntimeError,
        ]
    );
    assert!(fails[0].message.starts_with("Decoding setting `beam` is not known"), "{}", fails[0].message);
    assert!(fails.iter().all(|it| it.message.ends_with('.')), "{fails:?}");
    assert!(fails[7].log_tail.ends_with("the decoder gave up\n"));
    assert!(world.service.log().ends_with("the decoder gave up\n"), "the log is shipped as it grows, too");
    assert!(world.service.completes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_has_no_job_and_does_not_wait_is_not_asked_again_at_once() {
    let world = World::new().await;
    world.script(|it| it.empty_claims = 1);
    let started = std::time::Instant::now();
    let _ = world.work(Vec::new(), LONG).await;
    assert!(
        started.elapsed() >= std::time::Duration::from_secs(2),
        "asked again after {:?}",
        started.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_worker_left_behind_is_removed_once_it_is_gone() {
    let world = World::new().await;
    let stale = world.config.work_directory.join("attempt-0");
    std::fs::create_dir_all(stale.join("model")).unwrap();
    let lock = std::fs::File::create(world.config.work_directory.join("lock")).unwrap();
    lock.lock().unwrap();
    // The killed one still dies while the new one starts.
    let (_, ()) = tokio::join!(world.work(Vec::new(), LONG), async {
        assert!(stale.exists(), "nothing is removed under a living worker");
        lock.unlock().unwrap();
    });
    assert!(!stale.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_worker_is_kept_out() {
    let world = World::new().await;
    std::fs::create_dir_all(&world.config.work_directory).unwrap();
    let lock = std::fs::File::create(world.config.work_directory.join("lock")).unwrap();
    lock.lock().unwrap();
    let second = worker::run(world.config.clone()).await.unwrap_err();
    assert!(second.to_string().ends_with("another worker uses it"), "{second}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_measured_beside_the_times_is_in_the_results() {
    let world = World::new().await;
    let mut job = world.job("batches");
    job.repeats.push(job.items.clone());
    let _ = world.work(vec![job], LONG).await;
    let document: ResultsDocument = serde_json::from_slice(&world.service.upload().unwrap()).unwrap();
    let measured = document.measurements;
    let latency = measured.latency.clone().unwrap();
    assert_eq!((latency.buckets.len(), latency.buckets[0].items), (1, 3), "three items of one second");
    assert!(latency.all.p50 > 0.0 && latency.all.p50 <= latency.all.p99);
    assert_eq!(latency.fixed_seconds, None, "one length");
    // Two items to choose a size by, so at most both at once.
    assert!(measured.throughput.is_some_and(|it| it.batch <= 2 && it.audio_seconds > 2.9), "{measured:?}");
    assert_eq!((measured.calibration, measured.devices.len()), (None, 0));
    assert!(measured.processor_seconds.is_none_or(|it| it > 0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_on_a_node_that_is_not_at_its_usual_pace_is_void_and_the_platforms_fault() {
    let golden = |golden_seconds, tolerance| Golden {
        golden_seconds,
        range_seconds: (golden_seconds, golden_seconds),
        tolerance,
        drift: tolerance,
        cpu: fingerprint().cpu,
        kernel: fingerprint().kernel,
    };
    let mut world = World::new().await;
    // Nothing takes a microsecond here.
    world.config.golden = Some(golden(1e-6, 0.02));
    let _ = world.work(vec![world.job("none")], LONG).await;
    let fails = world.service.fails();
    assert_eq!((fails.len(), fails[0].class), (1, FailureClass::WorkerLost));
    assert!(fails[0].message.contains("not at its usual pace before the run"), "{}", fails[0].message);
    // A rule so wide that this machine keeps it, whatever else it does.
    let mut world = World::new().await;
    world.config.golden = Some(golden(1.0, 1e6));
    let _ = world.work(vec![world.job("none")], LONG).await;
    let document: ResultsDocument = serde_json::from_slice(&world.service.upload().unwrap()).unwrap();
    let calibration = document.measurements.calibration.unwrap();
    assert!(calibration.before_seconds > 0.0 && calibration.after_seconds > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_the_accelerators_it_promises_fails_the_attempt_as_its_own_fault() {
    let mut world = World::new().await;
    // More than any machine has.
    world.config.accelerators = 1000;
    let _ = world.work(vec![world.job("none")], LONG).await;
    let fails = world.service.fails();
    assert_eq!((fails.len(), fails[0].class), (1, FailureClass::GpuFault), "{fails:?}");
}

/// What an earlier attempt left of a job: its first item, under these conditions.
fn left_over(job: &EvaluateJob, basis: Basis) -> KeptPart {
    let outcome = Outcome::Text("earlier".to_owned());
    let items = vec![ItemResult { id: job.items[0].id, outcome, seconds: 7.0 }];
    KeptPart { attempt: AttemptId::new(), same_node: false, basis, items }
}

/// Runs a job once: the conditions it was run under, as told when its items were kept.
async fn basis_of(world: &World) -> Basis {
    let job = world.job("none");
    let ids: Vec<_> = job.items.iter().map(|it| it.id).collect();
    let _ = world.work(vec![job], LONG).await;
    let keeps = world.service.keeps();
    let mut kept: Vec<_> = keeps.iter().flat_map(|keep| &keep.items).map(|item| item.id).collect();
    kept.sort_unstable_by_key(|id| ids.iter().position(|it| it == id));
    assert_eq!(kept, ids, "every item of the scored pass is kept once");
    keeps[0].basis.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_goes_on_from_one_before_it_under_equal_conditions() {
    let world = World::new().await;
    let basis = basis_of(&world).await;
    let mut job = world.job("none");
    let part = left_over(&job, basis.clone());
    let attempt = part.attempt;
    job.kept = vec![part];
    let _ = world.work(vec![job], LONG).await;
    let document: ResultsDocument = serde_json::from_slice(&world.service.upload().unwrap()).unwrap();
    assert_eq!(texts(&document.results.items), ["earlier", "b", "c"]);
    assert!((document.results.items[0].seconds - 7.0).abs() < 1e-9, "the time goes with the text");
    assert_eq!(texts(&document.results.repeats[0]), ["a", "b"], "passes for the speed are run as a whole");
    assert_eq!(document.measurements.continued, Some(Continued { items: 1, attempts: vec![attempt] }));
    assert!(world.service.log().contains("not repeated"), "{}", world.service.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_repeats_what_was_timed_on_another_kind_of_node() {
    let world = World::new().await;
    let mut basis = basis_of(&world).await;
    basis.fingerprint.cores += 1;
    let mut job = world.job("none");
    job.kept = vec![left_over(&job, basis)];
    let _ = world.work(vec![job], LONG).await;
    let document: ResultsDocument = serde_json::from_slice(&world.service.upload().unwrap()).unwrap();
    assert_eq!(texts(&document.results.items), ["a", "b", "c"]);
    assert_eq!(document.measurements.continued, None);
    assert!(world.service.log().contains("another kind of node"), "{}", world.service.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_keeps_no_items_is_no_obstacle() {
    let world = World::new().await;
    world.script(|it| drop(it.refusals.insert("keep", [404].into())));
    let job = world.job("none");
    let _ = world.work(vec![job], LONG).await;
    assert_eq!(world.service.completes().len(), 1);
    assert!(world.service.keeps().is_empty());
}
