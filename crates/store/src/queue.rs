//! The lease queue. One row is one lease: a job is claimed once, and a retry is a new row.
//!
//! Every write of a lease holder carries its fencing token; a write that finds no row with that token gets
//! [`StoreError::LeaseLost`] and changes nothing. Leases end by [`complete`], [`fail`] or, when the holder is silent,
//! by [`expire_leases`], which is idempotent and may run anywhere at any time.
//!
//! Locks are taken in one order, the submission before its jobs, so that nothing here can deadlock with a cancellation.

use std::time::Duration;

use protocol::{
    AttemptId, FailureClass, FaultOwner, FencingToken, ModelManifest, Progress, ReleaseId, Stage,
    SubmissionId,
};
use sqlx::{PgConnection, PgPool, types::Json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    BOARD_CHANNEL, JOBS_CHANNEL, StoreError, notify,
    state::{self, Move, SubmissionState},
    submissions::StoredFile,
};

/// Platform faults are retried this often (design §3).
pub(crate) const RETRIES: i32 = 3;
/// Scoring is cheap and what it needs is kept, so it is tried for about half an hour.
const SCORING_TRIES: i32 = 12;
/// Characters of a model's log that are kept.
const LOG_TAIL_CHARS: i32 = 16_384;

/// How soon an attempt runs; the names are what people choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// Before everything else: a result that people wait for, or that has to be run again.
    Urgent,
    /// What a submission gets.
    Normal,
    /// When nothing else waits: re-runs of old results, experiments of the operator.
    Background,
}

impl Priority {
    /// All of them, the soonest first.
    pub const ALL: [Self; 3] = [Self::Urgent, Self::Normal, Self::Background];

    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Normal => "normal",
            Self::Background => "background",
        }
    }

    /// The number in the database; smaller is sooner.
    pub const fn number(self) -> i32 {
        match self {
            Self::Urgent => -10,
            Self::Normal => 0,
            Self::Background => 10,
        }
    }

    /// The name of a number in the database.
    pub(crate) const fn of_number(number: i32) -> Self {
        match number {
            ..0 => Self::Urgent,
            0 => Self::Normal,
            1.. => Self::Background,
        }
    }
}

impl std::str::FromStr for Priority {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|priority| priority.as_str() == text).ok_or_else(|| {
            StoreError::NotFound(format!("priority `{text}` (urgent, normal and background exist)"))
        })
    }
}

/// Opens an attempt inside the caller's transaction.
///
/// Its turn is the start tag of start-time fair queueing (Goyal, Vin and Cheng, 1996) with every attempt as one unit of
/// work: one after the submitter's latest, or that of the latest attempt started, whichever is later. So a submitter
/// with many waiting attempts takes turns with everybody else, and nobody waits for ever. A retry keeps its turn.
pub(crate) async fn open_attempt(
    connection: &mut PgConnection,
    submission: SubmissionId,
    number: i32,
    delay: Duration,
) -> Result<AttemptId, StoreError> {
    let id = AttemptId::new();
    // Nobody knows the seed before the run, and a retry sees the same order as the attempt before it.
    sqlx::query(
        "INSERT INTO jobs (id, kind, submission_id, number, hardware_class, runtime, priority, turn, seed, run_after)
         SELECT $1, 'evaluate', s.id, $3, s.hardware_class, s.manifest ->> 'runtime', s.priority,
                COALESCE((SELECT turn FROM jobs WHERE submission_id = $2 AND kind = 'evaluate' ORDER BY id DESC LIMIT 1),
                         GREATEST((SELECT max(turn) FROM jobs WHERE kind = 'evaluate' AND state <> 'queued'
                                     AND hardware_class = s.hardware_class),
                                  (SELECT max(j.turn) + 1 FROM submissions o JOIN jobs j ON j.submission_id = o.id
                                   WHERE o.user_id = s.user_id AND j.kind = 'evaluate'
                                     AND j.hardware_class = s.hardware_class), 0)),
                COALESCE((SELECT seed FROM jobs WHERE submission_id = $2 AND kind = 'evaluate' ORDER BY id LIMIT 1),
                         hashtextextended(gen_random_uuid()::text, 0)),
                now() + make_interval(secs => $4)
         FROM submissions s WHERE s.id = $2",
    )
    .bind(id.0)
    .bind(submission.0)
    .bind(number)
    .bind(delay.as_secs_f64())
    .execute(connection)
    .await?;
    Ok(id)
}

/// An attempt in the hands of a worker.
#[derive(Debug)]
pub struct ClaimedAttempt {
    /// The attempt.
    pub attempt: AttemptId,
    /// Proof of the lease.
    pub fencing_token: FencingToken,
    /// What is run.
    pub submission: SubmissionId,
    /// On what.
    pub release: ReleaseId,
    /// The model.
    pub manifest: ModelManifest,
    /// Its files.
    pub files: Vec<StoredFile>,
    /// Seed of the order.
    pub seed: u64,
}

/// Leases the next attempt this worker may run, if there is one.
///
/// Order: priority, then turn (see [`open_attempt`]), then age; what failed on this worker comes after everything else.
/// A draining worker gets nothing, and nobody does while the queue is paused.
///
/// # Errors
/// When the database fails.
pub async fn claim(
    pool: &PgPool,
    worker: &crate::accounts::Worker,
    hardware_class: &str,
    runtimes: &[String],
    lease: Duration,
) -> Result<Option<ClaimedAttempt>, StoreError> {
    let mut transaction = pool.begin().await?;
    let mut row = None;
    for again in [false, true] {
        // Two queries rather than one order: each reads the first row of an index, however many attempts wait.
        row = lease_next(&mut transaction, worker, hardware_class, runtimes, lease, again).await?;
        if row.is_some() {
            break;
        }
    }
    let Some((attempt, fencing_token, submission, seed)) = row else {
        return Ok(None);
    };
    let submission = SubmissionId(submission);
    let reason = "A worker has taken it.";
    let step = Move { to: SubmissionState::Running, actor: &worker.name, reason, failure_class: None };
    state::transition(&mut transaction, submission, step).await?;
    let (release, manifest): (Uuid, Json<ModelManifest>) =
        sqlx::query_as("SELECT release_id, manifest FROM submissions WHERE id = $1")
            .bind(submission.0)
            .fetch_one(&mut *transaction)
            .await?;
    let files = sqlx::query_as(
        "SELECT name, sha256, bytes, from_hub, in_storage FROM submission_files WHERE submission_id = $1 ORDER BY name",
    )
    .bind(submission.0)
    .fetch_all(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(Some(ClaimedAttempt {
        attempt: AttemptId(attempt),
        fencing_token: FencingToken(fencing_token),
        submission,
        release: ReleaseId(release),
        manifest: manifest.0,
        files,
        seed: seed.cast_unsigned(),
    }))
}

/// Leases the first attempt in the order of the queue that has not failed on this worker, or, `again`, that has.
async fn lease_next(
    connection: &mut PgConnection,
    worker: &crate::accounts::Worker,
    hardware_class: &str,
    runtimes: &[String],
    lease: Duration,
    again: bool,
) -> Result<Option<(Uuid, Uuid, Uuid, i64)>, StoreError> {
    Ok(sqlx::query_as(
        "UPDATE jobs SET state = 'leased', worker_id = $1, fencing_token = gen_random_uuid(), started_at = now(),
                lease_expires_at = now() + make_interval(secs => $4), stage = 'fetching'
         WHERE id = (
             SELECT j.id FROM jobs j JOIN submissions s ON s.id = j.submission_id
             WHERE j.kind = 'evaluate' AND j.state = 'queued' AND j.run_after <= now()
               AND j.hardware_class = $2 AND j.runtime = ANY($3)
               AND NOT (SELECT draining FROM workers WHERE id = $1)
               AND NOT EXISTS (SELECT 1 FROM queue_pauses WHERE resumed_at IS NULL)
               AND $5 = EXISTS (SELECT 1 FROM jobs f WHERE f.submission_id = j.submission_id AND f.kind = 'evaluate'
                                  AND f.state = 'failed' AND f.worker_id = $1)
             ORDER BY j.priority, j.turn, j.id LIMIT 1 FOR UPDATE OF j, s SKIP LOCKED)
         RETURNING id, fencing_token, submission_id, seed",
    )
    .bind(worker.id.0)
    .bind(hardware_class)
    .bind(runtimes)
    .bind(lease.as_secs_f64())
    .bind(again)
    .fetch_optional(connection)
    .await?)
}

/// What a heartbeat found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseStatus {
    /// The lease goes on.
    Held,
    /// The submission was cancelled: stop.
    Cancelled,
}

/// Extends a lease and notes how far the attempt is.
///
/// # Errors
/// [`StoreError::LeaseLost`] for a stale token; otherwise when the database fails.
pub async fn heartbeat(
    pool: &PgPool,
    attempt: AttemptId,
    token: FencingToken,
    stage: Stage,
    progress: Progress,
    lease: Duration,
) -> Result<LeaseStatus, StoreError> {
    let extended = sqlx::query(
        "UPDATE jobs SET lease_expires_at = now() + make_interval(secs => $3), stage = $4, progress_done = $5,
                progress_total = $6
         WHERE id = $1 AND fencing_token = $2 AND state = 'leased'",
    )
    .bind(attempt.0)
    .bind(token.0)
    .bind(lease.as_secs_f64())
    .bind(stage.as_str())
    .bind(i32::try_from(progress.done).unwrap_or(i32::MAX))
    .bind(i32::try_from(progress.total).unwrap_or(i32::MAX))
    .execute(pool)
    .await?;
    if extended.rows_affected() == 1 {
        return Ok(LeaseStatus::Held);
    }
    let state: Option<String> =
        sqlx::query_scalar("SELECT state FROM jobs WHERE id = $1 AND fencing_token = $2")
            .bind(attempt.0)
            .bind(token.0)
            .fetch_optional(pool)
            .await?;
    if state.as_deref() == Some("cancelled") {
        Ok(LeaseStatus::Cancelled)
    } else {
        Err(StoreError::LeaseLost)
    }
}

/// Appends to an attempt's log; the last characters are kept.
///
/// # Errors
/// [`StoreError::LeaseLost`] for a stale token; otherwise when the database fails.
pub async fn append_log(
    pool: &PgPool,
    attempt: AttemptId,
    token: FencingToken,
    text: &str,
) -> Result<(), StoreError> {
    let done = sqlx::query(
        "UPDATE jobs SET log_tail = right(log_tail || $3, $4)
         WHERE id = $1 AND fencing_token = $2 AND state = 'leased'",
    )
    .bind(attempt.0)
    .bind(token.0)
    .bind(without_nul(text))
    .bind(LOG_TAIL_CHARS)
    .execute(pool)
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::LeaseLost) }
}

/// Ends an attempt whose results are in storage and queues their scoring. Saying it twice is harmless.
///
/// # Errors
/// [`StoreError::LeaseLost`] for a stale token; otherwise when the database fails.
pub async fn complete(
    pool: &PgPool,
    attempt: AttemptId,
    token: FencingToken,
    results_sha256: &str,
) -> Result<(), StoreError> {
    let mut transaction = pool.begin().await?;
    lock_submission_of(&mut transaction, attempt).await?;
    let row: Option<(Uuid, String)> = sqlx::query_as(
        "UPDATE jobs j SET state = 'succeeded', results_sha256 = $3, lease_expires_at = NULL, finished_at = now()
         FROM workers w WHERE w.id = j.worker_id AND j.id = $1 AND j.fencing_token = $2 AND j.state = 'leased' AND j.kind = 'evaluate'
         RETURNING j.submission_id, w.name",
    )
    .bind(attempt.0)
    .bind(token.0)
    .bind(results_sha256)
    .fetch_optional(&mut *transaction)
    .await?;
    let Some((submission, worker)) = row else {
        let already: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM jobs WHERE id = $1 AND fencing_token = $2 AND state = 'succeeded'
                              AND results_sha256 = $3)",
        )
        .bind(attempt.0)
        .bind(token.0)
        .bind(results_sha256)
        .fetch_one(&mut *transaction)
        .await?;
        return if already { Ok(()) } else { Err(StoreError::LeaseLost) };
    };
    let step = Move {
        to: SubmissionState::Scoring,
        actor: &worker,
        reason: "Every item is transcribed; the hypotheses have arrived.",
        failure_class: None,
    };
    state::transition(&mut transaction, SubmissionId(submission), step).await?;
    open_scoring(&mut transaction, attempt, 1, Duration::ZERO).await?;
    notify(&mut transaction, JOBS_CHANNEL).await?;
    transaction.commit().await?;
    Ok(())
}

async fn open_scoring(
    connection: &mut PgConnection,
    attempt: AttemptId,
    number: i32,
    delay: Duration,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO jobs (id, kind, submission_id, attempt_id, number, hardware_class, runtime, seed, run_after)
         SELECT $1, 'score', submission_id, id, $3, hardware_class, runtime, seed, now() + make_interval(secs => $4)
         FROM jobs WHERE id = $2",
    )
    .bind(Uuid::now_v7())
    .bind(attempt.0)
    .bind(number)
    .bind(delay.as_secs_f64())
    .execute(connection)
    .await?;
    Ok(())
}

/// Ends an attempt that failed: a platform fault is tried again, a submitter's fault ends the submission.
///
/// # Errors
/// [`StoreError::LeaseLost`] for a stale token; otherwise when the database fails.
pub async fn fail(
    pool: &PgPool,
    attempt: AttemptId,
    token: FencingToken,
    class: FailureClass,
    message: &str,
    log_tail: &str,
) -> Result<(), StoreError> {
    let message = without_nul(message);
    let mut transaction = pool.begin().await?;
    lock_submission_of(&mut transaction, attempt).await?;
    let row: Option<LostLease> = sqlx::query_as(
        "UPDATE jobs j SET state = 'failed', failure_class = $3, message = $4,
                log_tail = CASE WHEN $5 = '' THEN log_tail ELSE right($5, $6) END,
                lease_expires_at = NULL, finished_at = now()
         FROM workers w WHERE w.id = j.worker_id AND j.id = $1 AND j.fencing_token = $2 AND j.state = 'leased'
         RETURNING j.submission_id, j.number, w.name AS actor",
    )
    .bind(attempt.0)
    .bind(token.0)
    .bind(class.as_str())
    .bind(&message)
    .bind(without_nul(log_tail))
    .bind(LOG_TAIL_CHARS)
    .fetch_optional(&mut *transaction)
    .await?;
    let lost = row.ok_or(StoreError::LeaseLost)?;
    after_failure(&mut transaction, &lost, class, &message).await?;
    transaction.commit().await?;
    Ok(())
}

/// Locks the submission of a job before the job itself is touched.
pub(crate) async fn lock_submission_of(
    connection: &mut PgConnection,
    attempt: AttemptId,
) -> Result<(), StoreError> {
    sqlx::query(
        "SELECT 1 FROM submissions WHERE id = (SELECT submission_id FROM jobs WHERE id = $1) FOR UPDATE",
    )
    .bind(attempt.0)
    .execute(connection)
    .await?;
    Ok(())
}

async fn lock_submission(connection: &mut PgConnection, submission: SubmissionId) -> Result<(), StoreError> {
    sqlx::query("SELECT 1 FROM submissions WHERE id = $1 FOR UPDATE")
        .bind(submission.0)
        .execute(connection)
        .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct LostLease {
    submission_id: Uuid,
    number: i32,
    actor: String,
}

async fn after_failure(
    connection: &mut PgConnection,
    lost: &LostLease,
    class: FailureClass,
    message: &str,
) -> Result<(), StoreError> {
    let submission = SubmissionId(lost.submission_id);
    let retry = class.owner() == FaultOwner::Platform && lost.number <= RETRIES;
    if retry {
        // A silent worker has cost a whole lease already; for other faults give the cause time to go away.
        let delay = match class {
            FailureClass::WorkerLost => Duration::ZERO,
            _ => Duration::from_secs(15 << lost.number.clamp(1, 6)),
        };
        let reason =
            format!("{message} It is tried again (attempt {} of at most {}).", lost.number + 1, RETRIES + 1);
        let step =
            Move { to: SubmissionState::Queued, actor: &lost.actor, reason: &reason, failure_class: None };
        state::transition(connection, submission, step).await?;
        open_attempt(connection, submission, lost.number + 1, delay).await?;
        notify(connection, JOBS_CHANNEL).await
    } else {
        let step = Move {
            to: SubmissionState::Failed,
            actor: &lost.actor,
            reason: message,
            failure_class: Some(class),
        };
        state::transition(connection, submission, step).await
    }
}

/// Ends every lease whose holder has been silent for too long and opens the next attempt. Returns how many.
///
/// # Errors
/// When the database fails.
pub async fn expire_leases(pool: &PgPool) -> Result<usize, StoreError> {
    let overdue: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM jobs WHERE state = 'leased' AND lease_expires_at < now() ORDER BY lease_expires_at",
    )
    .fetch_all(pool)
    .await?;
    let mut expired = 0;
    for job in overdue {
        // One transaction a lease: one that cannot be ended must not hold up the others.
        match expire(pool, job).await {
            Ok(ended) => expired += usize::from(ended),
            Err(error) => tracing::error!("the lease of job {job} cannot be ended: {error}"),
        }
    }
    Ok(expired)
}

const SCORER_SILENT: &str = "The service stopped while scoring.";
const WORKER_SILENT: &str = "The worker stopped sending heartbeats.";

/// Ends one lease if it is still overdue and nobody is at it.
async fn expire(pool: &PgPool, job: Uuid) -> Result<bool, StoreError> {
    let mut transaction = pool.begin().await?;
    if crate::rendering::expire(&mut transaction, job, WORKER_SILENT).await? {
        transaction.commit().await?;
        return Ok(true);
    }
    let row: Option<(String, Option<Uuid>, i32, Uuid)> = sqlx::query_as(
        "SELECT j.kind, j.attempt_id, j.number, j.submission_id
         FROM jobs j JOIN submissions s ON s.id = j.submission_id
         WHERE j.id = $1 AND j.state = 'leased' AND j.lease_expires_at < now() FOR UPDATE OF j, s SKIP LOCKED",
    )
    .bind(job)
    .fetch_optional(&mut *transaction)
    .await?;
    let Some((kind, scored, number, submission_id)) = row else {
        return Ok(false);
    };
    if kind == "webhook" {
        crate::webhooks::give_up_lease(&mut transaction, job, number).await?;
        transaction.commit().await?;
        return Ok(true);
    }
    let lost = LostLease { submission_id, number, actor: "service".to_owned() };
    let (class, message) = match kind.as_str() {
        "score" => (FailureClass::ScorerError, SCORER_SILENT),
        _ => (FailureClass::WorkerLost, WORKER_SILENT),
    };
    sqlx::query(
        "UPDATE jobs SET state = 'failed', lease_expires_at = NULL, finished_at = now(), failure_class = $2, message = $3
         WHERE id = $1",
    )
    .bind(job)
    .bind(class.as_str())
    .bind(message)
    .execute(&mut *transaction)
    .await?;
    match scored {
        Some(attempt) => retry_scoring(&mut transaction, AttemptId(attempt), &lost, class, message).await?,
        None => after_failure(&mut transaction, &lost, class, message).await?,
    }
    transaction.commit().await?;
    Ok(true)
}

async fn retry_scoring(
    connection: &mut PgConnection,
    attempt: AttemptId,
    lost: &LostLease,
    class: FailureClass,
    message: &str,
) -> Result<(), StoreError> {
    if lost.number < SCORING_TRIES {
        // 2, 4, 8 … seconds, five minutes at most: short enough for somebody who waits, long enough for an outage.
        let delay = Duration::from_secs(1 << lost.number.clamp(1, 9)).min(Duration::from_mins(5));
        open_scoring(connection, attempt, lost.number + 1, delay).await?;
        return notify(connection, JOBS_CHANNEL).await;
    }
    let step =
        Move { to: SubmissionState::Failed, actor: "service", reason: message, failure_class: Some(class) };
    state::transition(connection, SubmissionId(lost.submission_id), step).await
}

/// What a worker has in its hands.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Running {
    /// Name of the worker.
    pub worker: String,
    /// What it runs; nothing when it renders.
    pub submission: Option<Uuid>,
    /// The model, or the release that is rendered.
    pub subject: String,
    /// Since when.
    pub started_at: OffsetDateTime,
    /// Where it is.
    pub stage: Option<String>,
    /// Items done in this stage.
    pub progress_done: i32,
    /// Items in this stage.
    pub progress_total: i32,
}

/// Everything that workers do now.
///
/// # Errors
/// When the database fails.
pub async fn running(pool: &PgPool) -> Result<Vec<Running>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT w.name AS worker, s.id AS submission, COALESCE(s.model, b.release, '') AS subject, j.started_at, j.stage,
                j.progress_done, j.progress_total
         FROM jobs j JOIN workers w ON w.id = j.worker_id
              LEFT JOIN submissions s ON s.id = j.submission_id LEFT JOIN builds b ON b.id = j.build_id
         WHERE j.kind IN ('evaluate', 'render') AND j.state = 'leased' ORDER BY j.started_at",
    )
    .fetch_all(pool)
    .await?)
}

/// One lease that a worker had or has.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct PastLease {
    /// What was run; nothing when it rendered.
    pub submission: Option<Uuid>,
    /// The model, or the release that was rendered.
    pub subject: String,
    /// `leased`, `succeeded`, `failed` or `cancelled`.
    pub state: String,
    /// Why it failed.
    pub failure_class: Option<String>,
    /// One sentence about that.
    pub message: Option<String>,
    /// When it began.
    pub started_at: OffsetDateTime,
    /// When it was over.
    pub finished_at: Option<OffsetDateTime>,
}

/// The latest leases of a worker, the newest first, at most `most`.
///
/// # Errors
/// When the database fails.
pub async fn leases_of(pool: &PgPool, worker: &str, most: i64) -> Result<Vec<PastLease>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT s.id AS submission, COALESCE(s.model, b.release, '') AS subject, j.state, j.failure_class, j.message,
                j.started_at, j.finished_at
         FROM jobs j JOIN workers w ON w.id = j.worker_id
              LEFT JOIN submissions s ON s.id = j.submission_id LEFT JOIN builds b ON b.id = j.build_id
         WHERE w.name = $1 AND j.started_at IS NOT NULL ORDER BY j.started_at DESC LIMIT $2",
    )
    .bind(worker)
    .bind(most)
    .fetch_all(pool)
    .await?)
}

/// A scoring chore in the hands of the service.
#[derive(Debug)]
pub struct ScoringJob {
    /// The chore.
    pub job: Uuid,
    /// Proof of the lease.
    pub fencing_token: FencingToken,
    /// The attempt to score.
    pub attempt: AttemptId,
    /// Its submission.
    pub submission: SubmissionId,
    /// The release it ran on.
    pub release: ReleaseId,
    /// Hash of the results object, as the worker stated it.
    pub results_sha256: String,
}

/// Leases the next scoring chore.
///
/// # Errors
/// When the database fails.
pub async fn claim_scoring(pool: &PgPool, lease: Duration) -> Result<Option<ScoringJob>, StoreError> {
    let row: Option<(Uuid, Uuid, Uuid, Uuid, Uuid, String)> = sqlx::query_as(
        "WITH claimed AS (
             UPDATE jobs SET state = 'leased', fencing_token = gen_random_uuid(), started_at = now(),
                    lease_expires_at = now() + make_interval(secs => $1)
             WHERE id = (SELECT id FROM jobs WHERE kind = 'score' AND state = 'queued' AND run_after <= now()
                         ORDER BY priority, id LIMIT 1 FOR UPDATE SKIP LOCKED)
             RETURNING id, fencing_token, attempt_id, submission_id)
         SELECT c.id, c.fencing_token, c.attempt_id, c.submission_id, s.release_id, a.results_sha256
         FROM claimed c JOIN jobs a ON a.id = c.attempt_id JOIN submissions s ON s.id = c.submission_id",
    )
    .bind(lease.as_secs_f64())
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|(job, token, attempt, submission, release, results_sha256)| ScoringJob {
        job,
        fencing_token: FencingToken(token),
        attempt: AttemptId(attempt),
        submission: SubmissionId(submission),
        release: ReleaseId(release),
        results_sha256,
    }))
}

/// Ends a scoring chore with its scores under each scorer and puts the submission on the board, all or nothing.
///
/// # Errors
/// [`StoreError::LeaseLost`] when somebody else has the chore; otherwise when the database fails.
pub async fn publish(
    pool: &PgPool,
    job: &ScoringJob,
    scores: &[crate::scores::NewScores],
) -> Result<(), StoreError> {
    let mut transaction = pool.begin().await?;
    lock_submission(&mut transaction, job.submission).await?;
    let done = sqlx::query(
        "UPDATE jobs SET state = 'succeeded', lease_expires_at = NULL, finished_at = now()
         WHERE id = $1 AND fencing_token = $2 AND state = 'leased'",
    )
    .bind(job.job)
    .bind(job.fencing_token.0)
    .execute(&mut *transaction)
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::LeaseLost);
    }
    for scores in scores {
        crate::scores::insert(&mut transaction, job.attempt, scores).await?;
    }
    let step = Move {
        to: SubmissionState::Published,
        actor: "service",
        reason: "The errors are counted; the result is on the board.",
        failure_class: None,
    };
    state::transition(&mut transaction, job.submission, step).await?;
    notify(&mut transaction, BOARD_CHANNEL).await?;
    transaction.commit().await?;
    Ok(())
}

/// Ends a scoring chore that failed; it is tried again for a while, for what it needs is kept.
///
/// # Errors
/// [`StoreError::LeaseLost`] when somebody else has the chore; otherwise when the database fails.
pub async fn fail_scoring(
    pool: &PgPool,
    job: &ScoringJob,
    class: FailureClass,
    message: &str,
) -> Result<(), StoreError> {
    let mut transaction = pool.begin().await?;
    lock_submission(&mut transaction, job.submission).await?;
    let number: Option<i32> = sqlx::query_scalar(
        "UPDATE jobs SET state = 'failed', failure_class = $3, message = $4, lease_expires_at = NULL, finished_at = now()
         WHERE id = $1 AND fencing_token = $2 AND state = 'leased' RETURNING number",
    )
    .bind(job.job)
    .bind(job.fencing_token.0)
    .bind(class.as_str())
    .bind(message)
    .fetch_optional(&mut *transaction)
    .await?;
    let number = number.ok_or(StoreError::LeaseLost)?;
    let lost = LostLease { submission_id: job.submission.0, number, actor: "service".to_owned() };
    retry_scoring(&mut transaction, job.attempt, &lost, class, message).await?;
    transaction.commit().await?;
    Ok(())
}

/// PostgreSQL text cannot hold U+0000, and a model may print it.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
