//! The lease queue and the state machine, on a real PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test's failure is a panic with a place")]

use std::time::Duration;

use end_to_end::{Base, fingerprint, no_scores};
use protocol::{Basis, FailureClass, ItemId, ItemResult, Outcome, Progress, Stage, SubmissionId};
use store::{
    StoreError,
    accounts::{Role, Worker},
    kept,
    queue::{self, ClaimedAttempt, LeaseStatus},
    review,
    state::SubmissionState,
    submissions,
};

const LEASE: Duration = Duration::from_mins(1);

async fn claim(base: &Base, worker: &Worker) -> Option<ClaimedAttempt> {
    queue::claim(&base.pool, worker, "cpu-2core", &["pocketsphinx".to_owned()], LEASE).await.unwrap()
}

async fn state(base: &Base, submission: SubmissionId) -> SubmissionState {
    submissions::get(&base.pool, submission).await.unwrap().state
}

async fn beat(base: &Base, claimed: &ClaimedAttempt) -> Result<LeaseStatus, StoreError> {
    let progress = Progress { done: 1, total: 8 };
    queue::heartbeat(&base.pool, claimed.attempt, claimed.fencing_token, Stage::Transcribing, progress, LEASE)
        .await
}

/// Lets the leases of all jobs run out, without waiting for it.
async fn run_out(base: &Base) {
    sqlx::query("UPDATE jobs SET lease_expires_at = now() - interval '1 second' WHERE state = 'leased'")
        .execute(&base.pool)
        .await
        .unwrap();
}

/// Makes everything that waits for its time due.
async fn make_due(base: &Base) {
    sqlx::query("UPDATE jobs SET run_after = now() WHERE state = 'queued'")
        .execute(&base.pool)
        .await
        .unwrap();
}

/// A queued submission and a worker.
async fn scene(base: &Base) -> (SubmissionId, Worker) {
    let user = base.user("sam", Role::Submitter).await;
    let release = base.release().await;
    (base.submission(user, release, "model").await, base.worker("node").await)
}

#[tokio::test]
async fn migrations_go_down_to_nothing_and_up_again() {
    let base = Base::start().await;
    store::MIGRATIONS.undo(&base.pool, 0).await.unwrap();
    let left: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public' AND table_name NOT LIKE '_sqlx%'",
    )
    .fetch_one(&base.pool)
    .await
    .unwrap();
    assert_eq!(left, 0, "the down migration leaves tables behind");
    store::MIGRATIONS.run(&base.pool).await.unwrap();
    base.user("sam", Role::Submitter).await;
}

#[tokio::test]
async fn every_table_says_what_it_is() {
    let base = Base::start().await;
    let silent: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = 'public' AND c.relkind = 'r' AND c.relname NOT LIKE '\\_sqlx%'
           AND obj_description(c.oid) IS NULL",
    )
    .fetch_all(&base.pool)
    .await
    .unwrap();
    assert_eq!(silent, Vec::<String>::new());
}

#[tokio::test]
async fn an_attempt_has_one_winner_among_many_workers() {
    let base = Base::start().await;
    let (_, worker) = scene(&base).await;
    let claims = (0..8).map(|_| {
        let (pool, worker) = (base.pool.clone(), worker.clone());
        tokio::spawn(async move {
            queue::claim(&pool, &worker, "cpu-2core", &["pocketsphinx".to_owned()], LEASE)
                .await
                .unwrap()
                .is_some()
        })
    });
    let mut winners = 0;
    for claim in claims.collect::<Vec<_>>() {
        winners += usize::from(claim.await.unwrap());
    }
    assert_eq!(winners, 1);
}

#[tokio::test]
async fn a_worker_gets_only_what_its_class_and_runtimes_can_run() {
    let base = Base::start().await;
    let (_, worker) = scene(&base).await;
    let runtimes = ["pocketsphinx".to_owned()];
    assert!(queue::claim(&base.pool, &worker, "nvidia-l4", &runtimes, LEASE).await.unwrap().is_none());
    assert!(
        queue::claim(&base.pool, &worker, "cpu-2core", &["nemo".to_owned()], LEASE).await.unwrap().is_none()
    );
    assert!(queue::claim(&base.pool, &worker, "cpu-2core", &runtimes, LEASE).await.unwrap().is_some());
}

#[tokio::test]
async fn a_submitter_with_nothing_running_comes_before_one_with_something_running() {
    let base = Base::start().await;
    let release = base.release().await;
    let (eager, patient) =
        (base.user("eager", Role::Submitter).await, base.user("patient", Role::Submitter).await);
    for model in ["one", "two", "three"] {
        base.submission(eager, release, model).await;
    }
    let late = base.submission(patient, release, "four").await;
    let worker = base.worker("node").await;
    claim(&base, &worker).await.unwrap();
    assert_eq!(claim(&base, &worker).await.unwrap().submission, late);
}

#[tokio::test]
async fn a_silent_worker_loses_its_lease_and_can_change_nothing_any_more() {
    let base = Base::start().await;
    let (submission, worker) = scene(&base).await;
    let first = claim(&base, &worker).await.unwrap();
    assert_eq!(state(&base, submission).await, SubmissionState::Running);
    run_out(&base).await;
    assert_eq!(queue::expire_leases(&base.pool).await.unwrap(), 1);
    assert_eq!(queue::expire_leases(&base.pool).await.unwrap(), 0, "expiring is idempotent");
    assert_eq!(state(&base, submission).await, SubmissionState::Queued);

    let second = claim(&base, &worker).await.unwrap();
    assert_eq!(second.submission, submission);
    assert_eq!(second.seed, first.seed, "a retry sees the same order");
    assert_ne!(second.attempt, first.attempt, "a retry is a new row");
    let (attempt, token) = (first.attempt, first.fencing_token);
    assert!(matches!(beat(&base, &first).await, Err(StoreError::LeaseLost)));
    assert!(matches!(queue::append_log(&base.pool, attempt, token, "x").await, Err(StoreError::LeaseLost)));
    assert!(matches!(queue::complete(&base.pool, attempt, token, "x").await, Err(StoreError::LeaseLost)));
    let late = queue::fail(&base.pool, attempt, token, FailureClass::LoadError, "late", "").await;
    assert!(matches!(late, Err(StoreError::LeaseLost)));
    assert_eq!(state(&base, submission).await, SubmissionState::Running, "the second attempt goes on");
    assert!(beat(&base, &second).await.is_ok());
}

#[tokio::test]
async fn a_heartbeat_keeps_the_lease() {
    let base = Base::start().await;
    let (submission, worker) = scene(&base).await;
    let claimed = claim(&base, &worker).await.unwrap();
    run_out(&base).await;
    assert_eq!(beat(&base, &claimed).await.unwrap(), LeaseStatus::Held);
    assert_eq!(queue::expire_leases(&base.pool).await.unwrap(), 0);
    assert_eq!(state(&base, submission).await, SubmissionState::Running);
}

#[tokio::test]
async fn platform_faults_are_tried_four_times_and_end_with_their_class() {
    let base = Base::start().await;
    let (submission, worker) = scene(&base).await;
    for _ in 0..4 {
        let claimed = claim(&base, &worker).await.expect("a platform fault is tried again");
        let (attempt, token) = (claimed.attempt, claimed.fencing_token);
        queue::fail(&base.pool, attempt, token, FailureClass::GpuFault, "The GPU fell off the bus.", "")
            .await
            .unwrap();
        assert!(claim(&base, &worker).await.is_none(), "the cause is given time to go away");
        make_due(&base).await;
    }
    assert!(claim(&base, &worker).await.is_none());
    let ended = submissions::get(&base.pool, submission).await.unwrap();
    assert_eq!((ended.state, ended.failure_class), (SubmissionState::Failed, Some(FailureClass::GpuFault)));
    assert_eq!(submissions::attempts(&base.pool, submission).await.unwrap().len(), 4);
}

#[tokio::test]
async fn a_fault_of_the_model_is_not_tried_again_and_keeps_its_log() {
    let base = Base::start().await;
    let (submission, worker) = scene(&base).await;
    let claimed = claim(&base, &worker).await.unwrap();
    let (attempt, token) = (claimed.attempt, claimed.fencing_token);
    queue::append_log(&base.pool, attempt, token, "loading\0 weights").await.unwrap();
    queue::fail(&base.pool, attempt, token, FailureClass::LoadError, "It did not start.", "").await.unwrap();
    assert!(claim(&base, &worker).await.is_none());
    let attempts = submissions::attempts(&base.pool, submission).await.unwrap();
    assert_eq!(attempts[0].log_tail, "loading\u{fffd} weights");
    assert_eq!(attempts[0].failure_class, Some(FailureClass::LoadError));
}

#[tokio::test]
async fn completing_twice_is_harmless_and_scoring_publishes_once() {
    let base = Base::start().await;
    let (submission, worker) = scene(&base).await;
    let claimed = claim(&base, &worker).await.unwrap();
    for _ in 0..2 {
        queue::complete(&base.pool, claimed.attempt, claimed.fencing_token, "aa").await.unwrap();
    }
    let other = queue::complete(&base.pool, claimed.attempt, claimed.fencing_token, "bb").await;
    assert!(matches!(other, Err(StoreError::LeaseLost)), "other results for the same attempt are refused");
    assert_eq!(state(&base, submission).await, SubmissionState::Scoring);
    let job = queue::claim_scoring(&base.pool, LEASE).await.unwrap().unwrap();
    assert!(queue::claim_scoring(&base.pool, LEASE).await.unwrap().is_none());
    queue::publish(&base.pool, &job, &[no_scores()]).await.unwrap();
    assert!(matches!(queue::publish(&base.pool, &job, &[no_scores()]).await, Err(StoreError::LeaseLost)));
    assert_eq!(state(&base, submission).await, SubmissionState::Published);
}

#[tokio::test]
async fn a_service_that_dies_while_scoring_is_followed_by_another_try() {
    let base = Base::start().await;
    let (submission, worker) = scene(&base).await;
    let claimed = claim(&base, &worker).await.unwrap();
    queue::complete(&base.pool, claimed.attempt, claimed.fencing_token, "aa").await.unwrap();
    let dead = queue::claim_scoring(&base.pool, LEASE).await.unwrap().unwrap();
    run_out(&base).await;
    queue::expire_leases(&base.pool).await.unwrap();
    make_due(&base).await;
    let next = queue::claim_scoring(&base.pool, LEASE).await.unwrap().unwrap();
    assert_eq!(next.attempt, dead.attempt);
    queue::publish(&base.pool, &next, &[no_scores()]).await.unwrap();
    assert!(matches!(queue::publish(&base.pool, &dead, &[no_scores()]).await, Err(StoreError::LeaseLost)));
    assert_eq!(state(&base, submission).await, SubmissionState::Published);
}

#[tokio::test]
async fn a_cancelled_submission_tells_its_worker_and_frees_its_name() {
    let base = Base::start().await;
    let (submission, worker) = scene(&base).await;
    let claimed = claim(&base, &worker).await.unwrap();
    submissions::cancel(&base.pool, submission, "sam", "Changed my mind.").await.unwrap();
    assert_eq!(beat(&base, &claimed).await.unwrap(), LeaseStatus::Cancelled);
    let late = queue::complete(&base.pool, claimed.attempt, claimed.fencing_token, "aa").await;
    assert!(matches!(late, Err(StoreError::LeaseLost)));
    let again = submissions::cancel(&base.pool, submission, "sam", "Again.").await;
    assert!(matches!(again, Err(StoreError::Transition { .. })));
    let user = base.user("sam", Role::Submitter).await;
    let release = base.release().await;
    base.submission(user, release, "model").await;
}

#[tokio::test]
async fn a_draining_worker_gets_nothing() {
    let base = Base::start().await;
    let (_, worker) = scene(&base).await;
    store::accounts::set_draining(&base.pool, "node", true).await.unwrap();
    assert!(claim(&base, &worker).await.is_none());
    store::accounts::set_draining(&base.pool, "node", false).await.unwrap();
    assert!(claim(&base, &worker).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_while_a_worker_claims_completes_or_fails_never_deadlocks() {
    let base = Base::start().await;
    let user = base.user("sam", Role::Submitter).await;
    let release = base.release().await;
    let worker = base.worker("node").await;
    for round in 0..40 {
        let submission = base.submission(user, release, &format!("model {round}")).await;
        let claimed = if round % 3 == 0 { None } else { claim(&base, &worker).await };
        let pool = base.pool.clone();
        let racing = match claimed {
            None => {
                let worker = worker.clone();
                tokio::spawn(async move {
                    let runtimes = ["pocketsphinx".to_owned()];
                    queue::claim(&pool, &worker, "cpu-2core", &runtimes, LEASE).await.map(drop)
                })
            }
            Some(claimed) if round % 3 == 1 => tokio::spawn(async move {
                queue::complete(&pool, claimed.attempt, claimed.fencing_token, "aa").await
            }),
            Some(claimed) => tokio::spawn(async move {
                let class = FailureClass::StorageError;
                queue::fail(&pool, claimed.attempt, claimed.fencing_token, class, "m", "").await
            }),
        };
        let cancelled = submissions::cancel(&base.pool, submission, "sam", "r").await;
        let raced = racing.await.unwrap();
        assert!(cancelled.is_ok(), "{cancelled:?}");
        assert!(matches!(raced, Ok(()) | Err(StoreError::LeaseLost)), "{raced:?}");
        assert_eq!(state(&base, submission).await, SubmissionState::Cancelled);
        check(&base, submission).await;
    }
}

#[tokio::test]
async fn a_name_cannot_be_live_twice_on_one_release() {
    let base = Base::start().await;
    let (_, _) = scene(&base).await;
    let user = base.user("other", Role::Submitter).await;
    let release = base.release().await;
    let manifest = protocol::ModelManifest {
        name: "MODEL".to_owned(),
        organisation: "o".to_owned(),
        licence: "MIT".to_owned(),
        runtime: "pocketsphinx".to_owned(),
        num_params: None,
        training_data: String::new(),
        notes: String::new(),
        tracks: Vec::new(),
        multichannel: false,
        hub: None,
        decoding: std::collections::BTreeMap::new(),
    };
    let new = submissions::NewSubmission::plain((user, "other"), release, "cpu-2core", &manifest);
    assert!(matches!(submissions::accept(&base.pool, new).await, Err(StoreError::DuplicateModel(_))));
    let all = submissions::list(&base.pool, submissions::Filter::All).await.unwrap();
    assert_eq!(all.len(), 1, "a refused submission leaves nothing behind");
}

#[tokio::test]
async fn each_transition_writes_who_when_and_why() {
    let base = Base::start().await;
    let (submission, worker) = scene(&base).await;
    claim(&base, &worker).await.unwrap();
    let events = submissions::events(&base.pool, submission).await.unwrap();
    let told: Vec<(&str, &str)> =
        events.iter().map(|event| (event.to_state.as_str(), event.actor.as_str())).collect();
    assert_eq!(told, [("checking", "somebody"), ("queued", "service"), ("running", "node")]);
    assert!(events.iter().all(|event| !event.reason.is_empty()));
}

#[tokio::test]
async fn a_frozen_release_takes_no_other_content() {
    let base = Base::start().await;
    let first = base.release().await;
    assert_eq!(base.release().await, first, "the same release again changes nothing");
    let other = store::releases::NewRelease {
        slug: "tiny",
        version: "1",
        title: "Tiny release",
        manifest_sha256: &"c".repeat(64),
        about: &serde_json::json!({}),
        items: &[],
        files: &[],
        key: None,
    };
    assert!(matches!(
        store::releases::freeze(&base.pool, &other).await,
        Err(StoreError::ReleaseTaken { .. })
    ));
}

/// One step of a random history.
#[derive(Debug, Clone, Copy)]
enum Act {
    Claim,
    Beat(usize),
    Complete(usize),
    FailOurs(usize),
    RunOut,
    Expire,
    Score,
    Cancel,
}

/// A small generator of its own: the histories are the same on every machine.
fn histories(count: u64, length: usize) -> impl Iterator<Item = Vec<Act>> {
    (1..=count).map(move |seed| {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (0..length)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let draw = (state >> 33) as usize;
                let which = draw / 16 % 4;
                match draw % 16 {
                    0..=4 => Act::Claim,
                    5 | 6 => Act::Beat(which),
                    7 | 8 => Act::Complete(which),
                    9 => Act::FailOurs(which),
                    10 | 11 => Act::RunOut,
                    12 => Act::Expire,
                    13 | 14 => Act::Score,
                    _ => Act::Cancel,
                }
            })
            .collect()
    })
}

#[tokio::test]
async fn any_interleaving_keeps_one_lease_moves_only_along_the_table_and_loses_nothing() {
    let base = Base::start().await;
    let user = base.user("sam", Role::Submitter).await;
    let release = base.release().await;
    let worker = base.worker("node").await;
    for (round, history) in histories(12, 40).enumerate() {
        let submission = base.submission(user, release, &format!("model {round}")).await;
        let mut held: Vec<ClaimedAttempt> = Vec::new();
        for act in history {
            let chosen =
                |index: usize| held.get(index).map(|claimed| (claimed.attempt, claimed.fencing_token));
            match act {
                Act::Claim => held.extend(claim(&base, &worker).await),
                Act::Beat(index) => {
                    if let Some(claimed) = held.get(index) {
                        let _ = beat(&base, claimed).await;
                    }
                }
                Act::Complete(index) => {
                    if let Some((attempt, token)) = chosen(index) {
                        let _ = queue::complete(&base.pool, attempt, token, "aa").await;
                    }
                }
                Act::FailOurs(index) => {
                    if let Some((attempt, token)) = chosen(index) {
                        let _ = queue::fail(&base.pool, attempt, token, FailureClass::StorageError, "m", "")
                            .await;
                    }
                }
                Act::RunOut => run_out(&base).await,
                Act::Expire => {
                    queue::expire_leases(&base.pool).await.unwrap();
                    make_due(&base).await;
                }
                Act::Score => {
                    if let Some(job) = queue::claim_scoring(&base.pool, LEASE).await.unwrap() {
                        queue::publish(&base.pool, &job, &[no_scores()]).await.unwrap();
                    }
                }
                Act::Cancel => {
                    let _ = submissions::cancel(&base.pool, submission, "sam", "r").await;
                }
            }
            check(&base, submission).await;
        }
        // Clear the table for the next round.
        let _ = submissions::cancel(&base.pool, submission, "sam", "Round over.").await;
    }
}

/// One hand in the concurrent test: does `count` things to the queue, drawn from its own seed, while others do theirs.
async fn meddle(
    pool: store::PgPool,
    worker: Worker,
    submissions: Vec<SubmissionId>,
    seed: u64,
    count: usize,
) -> Vec<(protocol::AttemptId, protocol::FencingToken)> {
    let mut draws = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut draw = move |below: usize| {
        draws = draws.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (draws >> 33) as usize % below
    };
    let admin = review::Actor { name: "ada", role: Role::Admin };
    let (mut held, mut completed) = (Vec::<ClaimedAttempt>::new(), Vec::new());
    for _ in 0..count {
        let chosen = submissions[draw(submissions.len())];
        let lease = held.get(draw(4)).map(|claimed| (claimed.attempt, claimed.fencing_token));
        let outcome = match draw(18) {
            0..=4 => {
                let runtimes = ["pocketsphinx".to_owned()];
                queue::claim(&pool, &worker, "cpu-2core", &runtimes, LEASE)
                    .await
                    .map(|claimed| held.extend(claimed))
            }
            5 | 6 => match lease {
                Some((attempt, token)) => {
                    let progress = Progress { done: 1, total: 8 };
                    queue::heartbeat(&pool, attempt, token, Stage::Loading, progress, LEASE).await.map(drop)
                }
                None => Ok(()),
            },
            7 | 8 => match lease {
                Some((attempt, token)) => queue::complete(&pool, attempt, token, "aa").await.map(|()| {
                    completed.push((attempt, token));
                }),
                None => Ok(()),
            },
            9 => match lease {
                Some((attempt, token)) => {
                    queue::fail(&pool, attempt, token, FailureClass::StorageError, "m", "").await
                }
                None => Ok(()),
            },
            10 | 11 => {
                // One lease runs out, and whoever waits for his time need not.
                sqlx::query(
                    "UPDATE jobs SET lease_expires_at = now() - interval '1 second'
                     WHERE id = (SELECT id FROM jobs WHERE state = 'leased' LIMIT 1 FOR UPDATE SKIP LOCKED)",
                )
                .execute(&pool)
                .await
                .unwrap();
                sqlx::query(
                    "UPDATE jobs SET run_after = now() WHERE id IN
                         (SELECT id FROM jobs WHERE state = 'queued' FOR UPDATE SKIP LOCKED)",
                )
                .execute(&pool)
                .await
                .unwrap();
                Ok(())
            }
            12 | 13 => queue::expire_leases(&pool).await.map(drop),
            14 | 15 => match queue::claim_scoring(&pool, LEASE).await {
                Ok(Some(job)) => queue::publish(&pool, &job, std::slice::from_ref(&no_scores())).await,
                other => other.map(drop),
            },
            16 => submissions::cancel(&pool, chosen, "sam", "r").await,
            _ => review::act(&pool, chosen, admin, review::Action::Rerun, "r").await,
        };
        match outcome {
            Ok(()) | Err(StoreError::LeaseLost | StoreError::Transition { .. } | StoreError::Refused(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    completed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_hands_at_once_keep_one_winner_lose_nothing_and_never_wait_for_each_other_for_ever() {
    let base = Base::start().await;
    let user = base.user("sam", Role::Submitter).await;
    let release = base.release().await;
    let mut all = Vec::new();
    for number in 0..4 {
        all.push(base.submission(user, release, &format!("model {number}")).await);
    }
    let mut hands = Vec::new();
    for seed in 1..=8 {
        let worker = base.worker(&format!("node {seed}")).await;
        hands.push(tokio::spawn(meddle(base.pool.clone(), worker, all.clone(), seed, 60)));
    }
    let mut completed = 0;
    for hand in hands {
        completed += hand.await.unwrap().len();
    }
    let succeeded: i64 =
        sqlx::query_scalar("SELECT count(*) FROM jobs WHERE kind = 'evaluate' AND state = 'succeeded'")
            .fetch_one(&base.pool)
            .await
            .unwrap();
    // Saying it twice is harmless, so there may be more words than attempts; never fewer.
    assert!(i64::try_from(completed).unwrap() >= succeeded);
    for submission in all {
        check(&base, submission).await;
    }
}

/// What holds after every step of every history.
async fn check(base: &Base, submission: SubmissionId) {
    let now = submissions::get(&base.pool, submission).await.unwrap();
    let (open, leased, scored): (i64, i64, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE state IN ('queued', 'leased')), count(*) FILTER (WHERE state = 'leased'),
                (SELECT count(*) FROM scores c JOIN jobs a ON a.id = c.attempt_id WHERE a.submission_id = $1)
         FROM jobs WHERE submission_id = $1",
    )
    .bind(submission.0)
    .fetch_one(&base.pool)
    .await
    .unwrap();
    assert!(leased <= 1, "two winners");
    assert_eq!(open, i64::from(!now.state.is_final()), "{}: {open} open jobs", now.state);
    assert_eq!(scored, i64::from(now.state == SubmissionState::Published));
    let events = submissions::events(&base.pool, submission).await.unwrap();
    let path: Vec<SubmissionState> = events.iter().map(|event| event.to_state.parse().unwrap()).collect();
    assert!(path.windows(2).all(|step| step[0].may_become(step[1])), "{path:?}");
    assert_eq!(path.last(), Some(&now.state));
}

fn basis(cpu: &str) -> Basis {
    let mut fingerprint = fingerprint();
    cpu.clone_into(&mut fingerprint.cpu);
    Basis { fingerprint, runtime_digest: "d".to_owned(), pace_seconds: None }
}

fn said(id: ItemId, text: &str) -> ItemResult {
    ItemResult { id, outcome: Outcome::Text(text.to_owned()), seconds: 0.5 }
}

/// A submission, a worker, and the items of the scored pass.
async fn scene_with_items(base: &Base) -> (SubmissionId, Worker, Vec<ItemId>) {
    let user = base.user("sam", Role::Submitter).await;
    let release = base.release().await;
    let submission = base.submission(user, release, "model").await;
    (submission, base.worker("node").await, base.scored_items(release).await)
}

#[tokio::test]
async fn what_a_lost_attempt_finished_is_there_for_the_next_each_item_once_and_the_first_stays() {
    let base = Base::start().await;
    let (submission, worker, items) = scene_with_items(&base).await;
    let first = claim(&base, &worker).await.unwrap();
    let lease = (first.attempt, first.fencing_token);
    // A model may say U+0000.
    let said_first = said(items[0], "one\0");
    for _ in 0..2 {
        kept::keep(&base.pool, lease, &basis("a"), true, std::slice::from_ref(&said_first)).await.unwrap();
    }
    run_out(&base).await;
    queue::expire_leases(&base.pool).await.unwrap();
    let stale = kept::keep(&base.pool, lease, &basis("a"), true, &[said(items[1], "late")]).await;
    assert!(matches!(stale, Err(StoreError::LeaseLost)), "{stale:?}");

    let second = claim(&base, &worker).await.unwrap();
    let parts = kept::of(&base.pool, submission, worker.id).await.unwrap();
    assert_eq!(parts.len(), 1);
    assert_eq!((parts[0].attempt, parts[0].same_node), (first.attempt, true));
    assert_eq!((&parts[0].basis, &parts[0].items), (&basis("a"), &vec![said_first.clone()]));
    let other = base.worker("other").await;
    assert!(!kept::of(&base.pool, submission, other.id).await.unwrap()[0].same_node);

    let lease = (second.attempt, second.fencing_token);
    let given = [said(items[0], "again"), said(items[1], "two"), said(ItemId::new(), "of another release")];
    kept::keep(&base.pool, lease, &basis("a"), true, &given).await.unwrap();
    let parts = kept::of(&base.pool, submission, worker.id).await.unwrap();
    let all: Vec<ItemResult> = parts.into_iter().flat_map(|part| part.items).collect();
    assert_eq!(all, [said_first, said(items[1], "two")]);

    queue::complete(&base.pool, second.attempt, second.fencing_token, &"a".repeat(64)).await.unwrap();
    assert!(
        kept::of(&base.pool, submission, worker.id).await.unwrap().is_empty(),
        "nothing is left to repeat"
    );
}

#[tokio::test]
async fn what_an_attempt_does_not_go_on_from_is_forgotten() {
    let base = Base::start().await;
    let (submission, worker, items) = scene_with_items(&base).await;
    let first = claim(&base, &worker).await.unwrap();
    let lease = (first.attempt, first.fencing_token);
    kept::keep(&base.pool, lease, &basis("a"), true, &[said(items[0], "one")]).await.unwrap();
    run_out(&base).await;
    queue::expire_leases(&base.pool).await.unwrap();
    let second = claim(&base, &worker).await.unwrap();
    let lease = (second.attempt, second.fencing_token);
    kept::keep(&base.pool, lease, &basis("b"), false, &[said(items[0], "anew")]).await.unwrap();
    let parts = kept::of(&base.pool, submission, worker.id).await.unwrap();
    assert_eq!(parts.len(), 1);
    assert_eq!((&parts[0].basis, &parts[0].items), (&basis("b"), &vec![said(items[0], "anew")]));
}
