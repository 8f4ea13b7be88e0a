//! Submissions: creating one, reading one, the queue as the public sees it.

use protocol::{AttemptId, FailureClass, ModelManifest, ReleaseId, SubmissionId, UserId};
use serde_json::Value;
use sqlx::{PgPool, types::Json};
use time::OffsetDateTime;

use crate::{
    StoreError, notify, queue,
    state::{self, Move, SubmissionState},
};

/// A submission that passed the checks and is about to be queued.
#[derive(Debug)]
pub struct NewSubmission<'a> {
    /// Who submits.
    pub user: UserId,
    /// Their name, for the event.
    pub user_name: &'a str,
    /// Release it is to run on.
    pub release: ReleaseId,
    /// Hardware class it is to run on.
    pub hardware_class: &'a str,
    /// The model.
    pub manifest: &'a ModelManifest,
    /// Its files, already in object storage.
    pub files: &'a [StoredFile],
}

/// A file of a model in object storage, under [`crate::objects::model_key`] of its hash.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredFile {
    /// Plain file name.
    pub name: String,
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// Size in bytes.
    pub bytes: i64,
}

/// Accepts a checked submission and queues its first attempt, all or nothing.
///
/// # Errors
/// [`StoreError::DuplicateModel`] when the name is live already; otherwise when the database fails.
pub async fn accept(pool: &PgPool, new: NewSubmission<'_>) -> Result<SubmissionId, StoreError> {
    let id = SubmissionId::new();
    let mut transaction = pool.begin().await?;
    let inserted = sqlx::query(
        "INSERT INTO submissions (id, user_id, release_id, hardware_class, manifest, state)
         SELECT $1, $2, r.id, $4, $5, 'checking' FROM releases r WHERE r.id = $3 AND r.state = 'frozen'",
    )
    .bind(id.0)
    .bind(new.user.0)
    .bind(new.release.0)
    .bind(new.hardware_class)
    .bind(Json(new.manifest))
    .execute(&mut *transaction)
    .await
    .map_err(|error| {
        if StoreError::violates(&error, "submissions_one_live_model") {
            StoreError::DuplicateModel(new.manifest.name.clone())
        } else {
            error.into()
        }
    })?;
    if inserted.rows_affected() == 0 {
        return Err(StoreError::NotFound("open release of this name".to_owned()));
    }
    for file in new.files {
        sqlx::query(
            "INSERT INTO submission_files (submission_id, name, sha256, bytes) VALUES ($1, $2, $3, $4)",
        )
        .bind(id.0)
        .bind(&file.name)
        .bind(&file.sha256)
        .bind(file.bytes)
        .execute(&mut *transaction)
        .await?;
    }
    let received = Move {
        to: SubmissionState::Checking,
        actor: new.user_name,
        reason: "Submitted.",
        failure_class: None,
    };
    state::record(&mut transaction, id, None, &received).await?;
    let queued = Move {
        to: SubmissionState::Queued,
        actor: "service",
        reason: "The description and the settings are valid; no review is needed for this runtime.",
        failure_class: None,
    };
    state::transition(&mut transaction, id, queued).await?;
    queue::open_attempt(&mut transaction, id, 1, std::time::Duration::ZERO).await?;
    notify(&mut transaction, crate::JOBS_CHANNEL).await?;
    transaction.commit().await?;
    Ok(id)
}

/// Stops a submission wherever it is before its end; a running model is killed at its next heartbeat.
///
/// # Errors
/// [`StoreError::Transition`] when it is over already; otherwise when the database fails.
pub async fn cancel(
    pool: &PgPool,
    submission: SubmissionId,
    actor: &str,
    reason: &str,
) -> Result<(), StoreError> {
    let mut transaction = pool.begin().await?;
    let step = Move { to: SubmissionState::Cancelled, actor, reason, failure_class: None };
    state::transition(&mut transaction, submission, step).await?;
    sqlx::query(
        "UPDATE jobs SET state = 'cancelled', lease_expires_at = NULL, finished_at = now()
         WHERE submission_id = $1 AND state IN ('queued', 'leased')",
    )
    .bind(submission.0)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}

/// A submission and where it is.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Which.
    pub id: SubmissionId,
    /// Whose.
    pub user: UserId,
    /// Their name.
    pub user_name: String,
    /// On which release.
    pub release: ReleaseId,
    /// Its slug.
    pub release_slug: String,
    /// On which hardware class.
    pub hardware_class: String,
    /// The model.
    pub manifest: ModelManifest,
    /// Where it is.
    pub state: SubmissionState,
    /// Why it failed, if it did.
    pub failure_class: Option<FailureClass>,
    /// About the present state.
    pub reason: String,
    /// When it came.
    pub created_at: OffsetDateTime,
    /// Since when it has been in the present state.
    pub state_entered_at: OffsetDateTime,
}

#[derive(sqlx::FromRow)]
struct SubmissionRow {
    id: uuid::Uuid,
    user_id: uuid::Uuid,
    user_name: String,
    release_id: uuid::Uuid,
    release_slug: String,
    hardware_class: String,
    manifest: Value,
    state: String,
    failure_class: Option<String>,
    reason: Option<String>,
    created_at: OffsetDateTime,
    state_entered_at: OffsetDateTime,
}

impl SubmissionRow {
    fn into_submission(self) -> Result<Submission, StoreError> {
        Ok(Submission {
            id: SubmissionId(self.id),
            user: UserId(self.user_id),
            user_name: self.user_name,
            release: ReleaseId(self.release_id),
            release_slug: self.release_slug,
            hardware_class: self.hardware_class,
            manifest: serde_json::from_value(self.manifest)?,
            state: self.state.parse()?,
            failure_class: parse_class(self.failure_class.as_deref())?,
            reason: self.reason.unwrap_or_default(),
            created_at: self.created_at,
            state_entered_at: self.state_entered_at,
        })
    }
}

pub(crate) fn parse_class(text: Option<&str>) -> Result<Option<FailureClass>, StoreError> {
    text.map(|text| {
        text.parse().map_err(|error: protocol::UnknownFailureClass| StoreError::Corrupt(error.to_string()))
    })
    .transpose()
}

/// Which submissions to list.
#[derive(Debug, Clone, Copy)]
pub enum Filter {
    /// All of them.
    All,
    /// Those of one user.
    Of(UserId),
    /// One.
    One(SubmissionId),
}

/// Submissions, the newest first; at most 500.
///
/// # Errors
/// When the database fails.
pub async fn list(pool: &PgPool, filter: Filter) -> Result<Vec<Submission>, StoreError> {
    let (user, id) = match filter {
        Filter::All => (None, None),
        Filter::Of(user) => (Some(user.0), None),
        Filter::One(id) => (None, Some(id.0)),
    };
    let rows = sqlx::query_as::<_, SubmissionRow>(
        "SELECT s.id, s.user_id, u.name AS user_name, s.release_id, r.slug AS release_slug, s.hardware_class,
                s.manifest, s.state, s.failure_class, s.reason, s.created_at, s.state_entered_at
         FROM submissions s JOIN users u ON u.id = s.user_id JOIN releases r ON r.id = s.release_id
         WHERE ($1::uuid IS NULL OR s.user_id = $1) AND ($2::uuid IS NULL OR s.id = $2)
         ORDER BY s.id DESC LIMIT 500",
    )
    .bind(user)
    .bind(id)
    .fetch_all(pool)
    .await?;
    // A row that cannot be read must not hide the others; asked for by itself, it is an error.
    let alone = matches!(filter, Filter::One(_));
    let mut submissions = Vec::with_capacity(rows.len());
    for row in rows {
        let id = row.id;
        match row.into_submission() {
            Ok(submission) => submissions.push(submission),
            Err(error) if alone => return Err(error),
            Err(error) => tracing::error!("submission {id} is left out: {error}"),
        }
    }
    Ok(submissions)
}

/// One submission.
///
/// # Errors
/// When there is none of this id or the database fails.
pub async fn get(pool: &PgPool, id: SubmissionId) -> Result<Submission, StoreError> {
    list(pool, Filter::One(id)).await?.pop().ok_or_else(|| StoreError::NotFound(format!("submission {id}")))
}

/// One entry of a submission's history.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Event {
    /// When.
    pub at: OffsetDateTime,
    /// Who.
    pub actor: String,
    /// To which state.
    pub to_state: String,
    /// Why.
    pub reason: String,
}

/// A submission's history, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn events(pool: &PgPool, id: SubmissionId) -> Result<Vec<Event>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT at, actor, to_state, reason FROM submission_events WHERE submission_id = $1 ORDER BY id",
    )
    .bind(id.0)
    .fetch_all(pool)
    .await?)
}

/// One attempt, as its submitter sees it.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Which.
    pub id: AttemptId,
    /// First, second, …
    pub number: i32,
    /// `queued`, `leased`, `succeeded`, `failed` or `cancelled`.
    pub state: String,
    /// Name of the worker.
    pub worker: Option<String>,
    /// Where it is, while it runs.
    pub stage: Option<String>,
    /// Items done in this stage.
    pub progress_done: i32,
    /// Items in this stage.
    pub progress_total: i32,
    /// Why it failed.
    pub failure_class: Option<FailureClass>,
    /// One sentence about the failure.
    pub message: Option<String>,
    /// End of the model's log.
    pub log_tail: String,
    /// When a worker took it.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
}

#[derive(sqlx::FromRow)]
struct AttemptRow {
    id: uuid::Uuid,
    number: i32,
    state: String,
    worker: Option<String>,
    stage: Option<String>,
    progress_done: i32,
    progress_total: i32,
    failure_class: Option<String>,
    message: Option<String>,
    log_tail: String,
    started_at: Option<OffsetDateTime>,
    finished_at: Option<OffsetDateTime>,
}

/// The attempts of a submission, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn attempts(pool: &PgPool, id: SubmissionId) -> Result<Vec<Attempt>, StoreError> {
    let rows = sqlx::query_as::<_, AttemptRow>(
        "SELECT j.id, j.number, j.state, w.name AS worker, j.stage, j.progress_done, j.progress_total, j.failure_class,
                j.message, j.log_tail, j.started_at, j.finished_at
         FROM jobs j LEFT JOIN workers w ON w.id = j.worker_id
         WHERE j.submission_id = $1 AND j.kind = 'evaluate' ORDER BY j.id",
    )
    .bind(id.0)
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Attempt {
                id: AttemptId(row.id),
                number: row.number,
                state: row.state,
                worker: row.worker,
                stage: row.stage,
                progress_done: row.progress_done,
                progress_total: row.progress_total,
                failure_class: parse_class(row.failure_class.as_deref())?,
                message: row.message,
                log_tail: row.log_tail,
                started_at: row.started_at,
                finished_at: row.finished_at,
            })
        })
        .collect()
}

/// How many attempts of the same hardware class would be claimed before this submission's; `None` if it does not wait.
///
/// # Errors
/// When the database fails.
pub async fn queue_position(pool: &PgPool, id: SubmissionId) -> Result<Option<i64>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM jobs o WHERE o.kind = 'evaluate' AND o.state = 'queued'
                   AND o.hardware_class = j.hardware_class AND (o.priority, o.id) < (j.priority, j.id))
         FROM jobs j WHERE j.submission_id = $1 AND j.kind = 'evaluate' AND j.state = 'queued'",
    )
    .bind(id.0)
    .fetch_optional(pool)
    .await?)
}

/// How many submissions are in a state, and since when the oldest of them.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StateCount {
    /// The state's name.
    pub state: String,
    /// How many.
    pub count: i64,
    /// When the oldest entered it.
    pub oldest: OffsetDateTime,
}

/// Submissions by state.
///
/// # Errors
/// When the database fails.
pub async fn counts(pool: &PgPool) -> Result<Vec<StateCount>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT state, count(*) AS count, min(state_entered_at) AS oldest FROM submissions GROUP BY state ORDER BY state",
    )
    .fetch_all(pool)
    .await?)
}

/// A submission on its way, as the public queue shows it.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Which.
    pub id: SubmissionId,
    /// The model.
    pub manifest: ModelManifest,
    /// On which hardware class.
    pub hardware_class: String,
    /// Where it is.
    pub state: SubmissionState,
    /// Since when.
    pub state_entered_at: OffsetDateTime,
    /// Its place among those that wait for the same hardware class, from 1; `None` if it does not wait.
    pub position: Option<i64>,
    /// Where its running attempt is.
    pub stage: Option<String>,
    /// Items done in this stage.
    pub progress_done: i32,
    /// Items in this stage.
    pub progress_total: i32,
}

#[derive(sqlx::FromRow)]
struct WaitingRow {
    id: uuid::Uuid,
    manifest: Json<ModelManifest>,
    hardware_class: String,
    state: String,
    state_entered_at: OffsetDateTime,
    position: Option<i64>,
    stage: Option<String>,
    progress_done: i32,
    progress_total: i32,
}

/// The submissions that are not at their end: what runs comes first, then what waits in the order it will run; at
/// most 500.
///
/// # Errors
/// When the database fails.
pub async fn waiting(pool: &PgPool) -> Result<Vec<Waiting>, StoreError> {
    let rows = sqlx::query_as::<_, WaitingRow>(
        "SELECT s.id, s.manifest, s.hardware_class, s.state, s.state_entered_at, q.position, l.stage,
                COALESCE(l.progress_done, 0) AS progress_done, COALESCE(l.progress_total, 0) AS progress_total
         FROM submissions s
         LEFT JOIN (SELECT submission_id, row_number() OVER (PARTITION BY hardware_class ORDER BY priority, id) AS position
                    FROM jobs WHERE kind = 'evaluate' AND state = 'queued') q ON q.submission_id = s.id
         LEFT JOIN jobs l ON l.submission_id = s.id AND l.kind = 'evaluate' AND l.state = 'leased'
         WHERE s.state IN ('draft', 'uploading', 'checking', 'in_review', 'queued', 'running', 'scoring')
         ORDER BY q.position NULLS FIRST, s.id LIMIT 500",
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Waiting {
                id: SubmissionId(row.id),
                manifest: row.manifest.0,
                hardware_class: row.hardware_class,
                state: row.state.parse()?,
                state_entered_at: row.state_entered_at,
                position: row.position,
                stage: row.stage,
                progress_done: row.progress_done,
                progress_total: row.progress_total,
            })
        })
        .collect()
}
