//! Any interleaving of claim, heartbeat, expiry, completion, failure, cancellation and restart, on a real PostgreSQL:
//! exactly one winner, nothing lost, nothing doubled, never backwards.
#![expect(clippy::unwrap_used, reason = "a test's failure is a panic with a place")]

use std::time::Duration;

use end_to_end::{Base, fingerprint, no_scores};
use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use protocol::{
    Basis, FailureClass, ItemId, ItemResult, Outcome, Progress, ReleaseId, Stage, SubmissionId, UserId,
};
use sqlx::Row;
use store::{
    StoreError,
    accounts::{Role, Worker},
    kept,
    queue::{self, ClaimedAttempt, LeaseStatus, ScoringJob},
    state::SubmissionState,
    submissions,
};

const LEASE: Duration = Duration::from_mins(1);
/// Few, for the whole set has to stay quick; `PROPTEST_CASES=500` for a thorough look.
const CASES: u32 = 10;
const LONGEST: usize = 40;

/// One step; numbers choose among what there is.
#[derive(Debug, Clone)]
enum Step {
    Submit(usize),
    Claim(usize),
    Heartbeat(usize),
    /// A worker or a scorer falls silent: its lease runs out.
    FallSilent,
    Expire,
    Complete(usize),
    /// An attempt hands in an item that is done; `true`: it goes on from those before it.
    Keep(usize, bool),
    Fail(usize, FailureClass),
    Cancel(usize),
    ClaimScoring,
    Publish(usize),
    FailScoring(usize),
    /// Time passes: what waits for its time is due. A service that starts anew finds the same.
    TimePasses,
}

fn step() -> impl Strategy<Value = Step> {
    let any = 0..1000_usize;
    prop_oneof![
        2 => any.clone().prop_map(Step::Submit),
        6 => any.clone().prop_map(Step::Claim),
        2 => any.clone().prop_map(Step::Heartbeat),
        1 => Just(Step::FallSilent),
        2 => Just(Step::Expire),
        4 => any.clone().prop_map(Step::Complete),
        3 => (any.clone(), prop::bool::ANY).prop_map(|(which, continues)| Step::Keep(which, continues)),
        2 => (any.clone(), prop::sample::select(vec![
            FailureClass::RuntimeError, FailureClass::WorkerLost, FailureClass::StorageError, FailureClass::OutOfMemory,
        ])).prop_map(|(which, class)| Step::Fail(which, class)),
        1 => any.clone().prop_map(Step::Cancel),
        3 => Just(Step::ClaimScoring),
        3 => any.clone().prop_map(Step::Publish),
        1 => any.prop_map(Step::FailScoring),
        2 => Just(Step::TimePasses),
    ]
}

/// Everything that was ever handed out, stale or not.
struct World<'a> {
    base: &'a Base,
    users: [UserId; 2],
    release: ReleaseId,
    workers: &'a [Worker],
    /// Of the scored pass.
    items: &'a [ItemId],
    submissions: Vec<SubmissionId>,
    claims: Vec<ClaimedAttempt>,
    scorings: Vec<ScoringJob>,
}

fn basis() -> Basis {
    Basis { fingerprint: fingerprint(), runtime_digest: "d".to_owned(), pace_seconds: None }
}

fn pick<T>(list: &[T], which: usize) -> Option<&T> {
    (!list.is_empty()).then(|| &list[which % list.len()])
}

impl World<'_> {
    /// Whether a lease is in force: the token is that of the row, which is leased.
    async fn holds(&self, job: uuid::Uuid, token: uuid::Uuid) -> bool {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM jobs WHERE id = $1 AND fencing_token = $2 AND state = 'leased')",
        )
        .bind(job)
        .bind(token)
        .fetch_one(&self.base.pool)
        .await
        .unwrap()
    }

    async fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        let pool = &self.base.pool;
        match step {
            Step::Submit(which) => {
                let name = format!("model {}", self.submissions.len());
                let id = self.base.submission(self.users[which % 2], self.release, &name).await;
                self.submissions.push(id);
            }
            Step::Claim(which) => {
                let worker = pick(self.workers, *which).unwrap();
                let runtimes = ["pocketsphinx".to_owned()];
                if let Some(claimed) =
                    queue::claim(pool, worker, "cpu-2core", &runtimes, LEASE).await.unwrap()
                {
                    self.claims.push(claimed);
                }
            }
            Step::Heartbeat(which) => {
                let Some(claim) = pick(&self.claims, *which) else { return Ok(()) };
                let held = self.holds(claim.attempt.0, claim.fencing_token.0).await;
                let progress = Progress { done: 1, total: 2 };
                let beat = queue::heartbeat(
                    pool,
                    claim.attempt,
                    claim.fencing_token,
                    Stage::Transcribing,
                    progress,
                    LEASE,
                )
                .await;
                prop_assert_eq!(matches!(beat, Ok(LeaseStatus::Held)), held);
            }
            Step::FallSilent => {
                // The one that was extended the longest ago.
                sqlx::query(
                    "UPDATE jobs SET lease_expires_at = now() - interval '1 second' WHERE id =
                       (SELECT id FROM jobs WHERE state = 'leased' ORDER BY lease_expires_at LIMIT 1)",
                )
                .execute(pool)
                .await
                .unwrap();
            }
            Step::Expire => {
                queue::expire_leases(pool).await.unwrap();
            }
            Step::Complete(which) => {
                let Some(claim) = pick(&self.claims, *which) else { return Ok(()) };
                let held = self.holds(claim.attempt.0, claim.fencing_token.0).await;
                let before = self.finished(claim.attempt.0).await;
                let done = queue::complete(pool, claim.attempt, claim.fencing_token, "aa").await;
                match done {
                    // Saying it twice is harmless.
                    Ok(()) => prop_assert!(held || before.as_deref() == Some("succeeded")),
                    Err(StoreError::LeaseLost) => prop_assert!(!held),
                    Err(error) => return Err(TestCaseError::fail(error.to_string())),
                }
            }
            Step::Keep(which, continues) => self.keep(*which, *continues).await?,
            Step::Fail(which, class) => {
                let Some(claim) = pick(&self.claims, *which) else { return Ok(()) };
                let held = self.holds(claim.attempt.0, claim.fencing_token.0).await;
                let failed = queue::fail(pool, claim.attempt, claim.fencing_token, *class, "m", "").await;
                prop_assert_eq!(failed.is_ok(), held, "{:?}", failed);
            }
            Step::Cancel(which) => {
                let Some(id) = pick(&self.submissions, *which) else { return Ok(()) };
                let state = submissions::get(pool, *id).await.unwrap().state;
                let cancelled = submissions::cancel(pool, *id, "sam", "r").await;
                prop_assert_eq!(cancelled.is_ok(), !state.is_final(), "{} {:?}", state, cancelled);
            }
            Step::ClaimScoring => {
                if let Some(job) = queue::claim_scoring(pool, LEASE).await.unwrap() {
                    self.scorings.push(job);
                }
            }
            Step::Publish(which) => {
                let Some(job) = pick(&self.scorings, *which) else { return Ok(()) };
                let held = self.holds(job.job, job.fencing_token.0).await;
                let published = queue::publish(pool, job, &[no_scores()]).await;
                prop_assert_eq!(published.is_ok(), held, "{:?}", published);
            }
            Step::FailScoring(which) => {
                let Some(job) = pick(&self.scorings, *which) else { return Ok(()) };
                let held = self.holds(job.job, job.fencing_token.0).await;
                let failed = queue::fail_scoring(pool, job, FailureClass::ScorerError, "m").await;
                prop_assert_eq!(failed.is_ok(), held, "{:?}", failed);
            }
            Step::TimePasses => {
                sqlx::query("UPDATE jobs SET run_after = now() WHERE state = 'queued'")
                    .execute(pool)
                    .await
                    .unwrap();
            }
        }
        Ok(())
    }

    /// An attempt hands in an item that is done: taken exactly while its lease is in force.
    async fn keep(&self, which: usize, continues: bool) -> Result<(), TestCaseError> {
        let Some(claim) = pick(&self.claims, which) else { return Ok(()) };
        let held = self.holds(claim.attempt.0, claim.fencing_token.0).await;
        let outcome = Outcome::Text(claim.attempt.to_string());
        let result = ItemResult { id: *pick(self.items, which).unwrap(), outcome, seconds: 1.0 };
        let lease = (claim.attempt, claim.fencing_token);
        let kept = kept::keep(&self.base.pool, lease, &basis(), continues, &[result]).await;
        prop_assert_eq!(kept.is_ok(), held, "{:?}", kept);
        Ok(())
    }

    async fn finished(&self, job: uuid::Uuid) -> Option<String> {
        sqlx::query_scalar("SELECT state FROM jobs WHERE id = $1")
            .bind(job)
            .fetch_optional(&self.base.pool)
            .await
            .unwrap()
    }

    /// What must hold after every step.
    async fn check(&self) -> Result<(), TestCaseError> {
        let rows = sqlx::query(
            "SELECT s.state,
                    count(*) FILTER (WHERE j.kind = 'evaluate' AND j.state = 'queued') AS waiting,
                    count(*) FILTER (WHERE j.kind = 'evaluate' AND j.state = 'leased') AS running,
                    count(*) FILTER (WHERE j.kind = 'evaluate' AND j.state = 'succeeded') AS succeeded,
                    count(*) FILTER (WHERE j.kind = 'score' AND j.state IN ('queued', 'leased')) AS scoring,
                    count(*) FILTER (WHERE j.kind = 'score' AND j.state = 'succeeded') AS scored,
                    (SELECT count(*) FROM kept_parts k WHERE k.submission_id = s.id) AS kept,
                    (SELECT count(*) FROM scores c JOIN jobs a ON a.id = c.attempt_id WHERE a.submission_id = s.id) AS results
             FROM submissions s LEFT JOIN jobs j ON j.submission_id = s.id GROUP BY s.id",
        )
        .fetch_all(&self.base.pool)
        .await
        .unwrap();
        prop_assert_eq!(rows.len(), self.submissions.len(), "nothing is lost");
        for row in rows {
            let state: SubmissionState = row.get::<String, _>("state").parse().unwrap();
            let count = |name: &str| row.get::<i64, _>(name);
            let open = (count("waiting"), count("running"), count("scoring"));
            let expected = match state {
                SubmissionState::Queued => (1, 0, 0),
                SubmissionState::Running => (0, 1, 0),
                SubmissionState::Scoring => (0, 0, 1),
                _ => (0, 0, 0),
            };
            prop_assert_eq!(open, expected, "waiting, running and scoring of one that is {}", state);
            prop_assert!(count("succeeded") <= 1, "one winner");
            let published = i64::from(state == SubmissionState::Published);
            prop_assert_eq!((count("scored"), count("results")), (published, published));
            let may_keep = matches!(state, SubmissionState::Queued | SubmissionState::Running);
            prop_assert!(may_keep || count("kept") == 0, "{} has nothing to go on from", state);
        }
        Ok(())
    }

    /// The history of each submission is a chain of moves that the state machine has, and ends where the submission is.
    async fn check_histories(&self) -> Result<(), TestCaseError> {
        for id in &self.submissions {
            let moves: Vec<(Option<String>, String)> = sqlx::query_as(
                "SELECT from_state, to_state FROM submission_events WHERE submission_id = $1 ORDER BY id",
            )
            .bind(id.0)
            .fetch_all(&self.base.pool)
            .await
            .unwrap();
            let mut at: Option<SubmissionState> = None;
            for (from, to) in moves {
                let from: Option<SubmissionState> = from.map(|from| from.parse().unwrap());
                let to: SubmissionState = to.parse().unwrap();
                prop_assert_eq!(from, at, "no move is missing");
                prop_assert!(from.is_none_or(|from| !from.is_final() && from.may_become(to)));
                at = Some(to);
            }
            prop_assert_eq!(at, Some(submissions::get(&self.base.pool, *id).await.unwrap().state));
        }
        Ok(())
    }

    async fn is_over(&self) -> bool {
        let moving = "SELECT NOT EXISTS (SELECT 1 FROM jobs WHERE state IN ('queued', 'leased'))";
        sqlx::query_scalar(moving).fetch_one(&self.base.pool).await.unwrap()
    }

    /// Whatever has happened, a platform that works again brings everything to an end.
    async fn run_to_the_end(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..20 * (self.submissions.len() + 1) {
            if self.is_over().await {
                break;
            }
            for step in [Step::TimePasses, Step::FallSilent, Step::Expire, Step::TimePasses, Step::Claim(0)] {
                self.take(&step).await?;
            }
            let last = self.claims.len().saturating_sub(1);
            self.take(&Step::Complete(last)).await?;
            self.take(&Step::ClaimScoring).await?;
            let last = self.scorings.len().saturating_sub(1);
            self.take(&Step::Publish(last)).await?;
        }
        for id in &self.submissions {
            let state = submissions::get(&self.base.pool, *id).await.unwrap().state;
            prop_assert!(state.is_final(), "{} is stuck", state);
        }
        Ok(())
    }
}

#[test]
fn any_interleaving_has_one_winner_loses_nothing_and_never_goes_back() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (base, users, release, workers, items) = runtime.block_on(async {
        let base = Base::start().await;
        let users = [base.user("sam", Role::Submitter).await, base.user("kim", Role::Submitter).await];
        let release = base.release().await;
        let workers = [base.worker("one").await, base.worker("two").await];
        let items = base.scored_items(release).await;
        (base, users, release, workers, items)
    });
    let steps = prop::collection::vec(step(), 1..LONGEST);
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let outcome = TestRunner::new(config).run(&steps, |steps| {
        runtime.block_on(async {
            sqlx::query("TRUNCATE submissions, jobs CASCADE").execute(&base.pool).await.unwrap();
            let mut world = World {
                base: &base,
                users,
                release,
                workers: &workers,
                items: &items,
                submissions: Vec::new(),
                claims: Vec::new(),
                scorings: Vec::new(),
            };
            for step in &steps {
                world.take(step).await?;
                world.check().await?;
            }
            world.run_to_the_end().await?;
            world.check().await?;
            world.check_histories().await
        })
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    runtime.block_on(async move { drop(base) });
}
