//! Submissions: creating one, reading one, the queue as the public sees it.

use protocol::{AttemptId, FailureClass, ModelManifest, ReleaseId, SubmissionId, UserId};
use serde_json::Value;
use sqlx::{PgConnection, PgPool, types::Json};
use time::OffsetDateTime;

use crate::{
    StoreError, audit,
    findings::{self, Finding},
    notify,
    queue::{self, Priority},
    quota, sealed,
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
    /// Which of them is the Python evaluator, if one is.
    pub evaluator: Option<&'a str>,
    /// What the checks found, the heaviest first.
    pub findings: &'a [Finding],
    /// Why a person has to look at it before it runs, if one has to; one sentence for the submitter.
    pub review: Option<&'a str>,
    /// The submission of the same user that this one replaces when it is published.
    pub revision_of: Option<SubmissionId>,
    /// What the hub wants to see before it gives out the files that are there.
    pub hub_token: Option<sealed::TokenToKeep<'a>>,
    /// The quota that a token is taken from; `None` takes none.
    pub quota: Option<quota::Rule>,
}

impl<'a> NewSubmission<'a> {
    /// A submission without files, with nothing to remark on it.
    pub fn plain(
        (user, user_name): (UserId, &'a str),
        release: ReleaseId,
        hardware_class: &'a str,
        manifest: &'a ModelManifest,
    ) -> Self {
        Self {
            user,
            user_name,
            release,
            hardware_class,
            manifest,
            files: &[],
            evaluator: None,
            findings: &[],
            review: None,
            revision_of: None,
            hub_token: None,
            quota: None,
        }
    }
}

/// A file of a model: in object storage, under [`crate::objects::model_key`] of its hash, or on a hub.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredFile {
    /// Path within the model's directory.
    pub name: String,
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// Size in bytes.
    pub bytes: i64,
    /// It belongs to the manifest's hub model.
    pub from_hub: bool,
    /// It is in object storage; if not, it is fetched from the hub.
    pub in_storage: bool,
}

/// Accepts a checked submission, all or nothing: it is queued, or waits for a reviewer where one has to look.
///
/// # Errors
/// [`StoreError::DuplicateModel`] when the name is live already, [`StoreError::QuotaSpent`] when no token is left,
/// [`StoreError::Refused`] when it cannot replace what it is to replace; otherwise when the database fails.
pub async fn accept(pool: &PgPool, new: NewSubmission<'_>) -> Result<SubmissionId, StoreError> {
    let id = SubmissionId::new();
    let mut transaction = pool.begin().await?;
    insert(&mut transaction, id, &new).await?;
    check_name(&mut transaction, id, &new).await?;
    if let Some(rule) = new.quota {
        quota::charge(&mut transaction, new.user, id, rule).await?;
    }
    if let Some(kept) = new.hub_token {
        sealed::keep(&mut transaction, id, kept).await?;
    }
    findings::insert(&mut transaction, id, new.findings).await?;
    let received = Move {
        to: SubmissionState::Checking,
        actor: new.user_name,
        reason: if new.revision_of.is_some() { "Submitted as a new revision." } else { "Submitted." },
        failure_class: None,
    };
    state::record(&mut transaction, id, None, &received).await?;
    let (to, reason) = match new.review {
        Some(why) => (SubmissionState::InReview, why),
        None => (
            SubmissionState::Queued,
            "The description, the settings and the files are in order; no review is needed.",
        ),
    };
    let step = Move { to, actor: "service", reason, failure_class: None };
    state::transition(&mut transaction, id, step).await?;
    if to == SubmissionState::Queued {
        queue::open_attempt(&mut transaction, id, 1, std::time::Duration::ZERO).await?;
        notify(&mut transaction, crate::JOBS_CHANNEL).await?;
    }
    transaction.commit().await?;
    Ok(id)
}

async fn insert(
    connection: &mut PgConnection,
    id: SubmissionId,
    new: &NewSubmission<'_>,
) -> Result<(), StoreError> {
    let inserted = sqlx::query(
        "INSERT INTO submissions (id, user_id, release_id, hardware_class, manifest, state, revision_of, evaluator)
         SELECT $1, $2, r.id, $4, $5, 'checking', $6, $7 FROM releases r WHERE r.id = $3 AND r.state = 'frozen'",
    )
    .bind(id.0)
    .bind(new.user.0)
    .bind(new.release.0)
    .bind(new.hardware_class)
    .bind(Json(new.manifest))
    .bind(new.revision_of.map(|revised| revised.0))
    .bind(new.evaluator)
    .execute(&mut *connection)
    .await
    .map_err(|error| {
        if StoreError::violates(&error, "submissions_one_underway") {
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
            "INSERT INTO submission_files (submission_id, name, sha256, bytes, from_hub, in_storage)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(id.0)
        .bind(&file.name)
        .bind(&file.sha256)
        .bind(file.bytes)
        .bind(file.from_hub)
        .bind(file.in_storage)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// A published name is taken, except by the revision that replaces it. Runs after the insert: whoever published the
/// name meanwhile has committed by then, for the insert has waited for it.
async fn check_name(
    connection: &mut PgConnection,
    id: SubmissionId,
    new: &NewSubmission<'_>,
) -> Result<(), StoreError> {
    let taken: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM submissions o JOIN submissions n ON n.id = $1
             AND (o.release_id, o.hardware_class, lower(o.model)) = (n.release_id, n.hardware_class, lower(n.model))
           WHERE o.state = 'published' AND o.id IS DISTINCT FROM $2)",
    )
    .bind(id.0)
    .bind(new.revision_of.map(|revised| revised.0))
    .fetch_one(&mut *connection)
    .await?;
    if taken {
        return Err(StoreError::DuplicateModel(new.manifest.name.clone()));
    }
    let Some(revised) = new.revision_of else {
        return Ok(());
    };
    let own: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM submissions WHERE id = $1 AND user_id = $2 AND release_id = $3)",
    )
    .bind(revised.0)
    .bind(new.user.0)
    .bind(new.release.0)
    .fetch_one(connection)
    .await?;
    if own {
        Ok(())
    } else {
        Err(StoreError::Refused(
            "a revision replaces a submission of your own on the same release".to_owned(),
        ))
    }
}

/// Takes a submitter's own result off the board; it stays on record as withdrawn.
///
/// # Errors
/// [`StoreError::Transition`] when there is no result to withdraw; otherwise when the database fails.
pub async fn withdraw(
    pool: &PgPool,
    submission: SubmissionId,
    actor: &str,
    reason: &str,
) -> Result<(), StoreError> {
    let mut transaction = pool.begin().await?;
    let step = Move { to: SubmissionState::Withdrawn, actor, reason, failure_class: None };
    state::transition(&mut transaction, submission, step).await?;
    let model: String = sqlx::query_scalar("SELECT model FROM submissions WHERE id = $1")
        .bind(submission.0)
        .fetch_one(&mut *transaction)
        .await?;
    let entry = audit::Entry {
        actor,
        action: "withdraw",
        submission: Some(submission),
        subject: &model,
        reason,
        public: true,
    };
    audit::write(&mut transaction, entry).await?;
    transaction.commit().await?;
    Ok(())
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
    cancel_in(&mut transaction, submission, actor, reason).await?;
    transaction.commit().await?;
    Ok(())
}

/// [`cancel`] inside the caller's transaction.
pub(crate) async fn cancel_in(
    connection: &mut PgConnection,
    submission: SubmissionId,
    actor: &str,
    reason: &str,
) -> Result<(), StoreError> {
    let step = Move { to: SubmissionState::Cancelled, actor, reason, failure_class: None };
    state::transition(connection, submission, step).await?;
    sqlx::query(
        "UPDATE jobs SET state = 'cancelled', lease_expires_at = NULL, finished_at = now()
         WHERE submission_id = $1 AND state IN ('queued', 'leased') AND kind <> 'webhook'",
    )
    .bind(submission.0)
    .execute(connection)
    .await?;
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
    /// How soon it runs.
    pub priority: Priority,
    /// Which one it replaces when it is published.
    pub revision_of: Option<SubmissionId>,
    /// Name of the file that is its evaluator.
    pub evaluator: Option<String>,
    /// When and by whom the result was confirmed.
    pub verified: Option<(OffsetDateTime, String)>,
    /// Since when and by whom the result is kept from the board.
    pub hidden: Option<(OffsetDateTime, String)>,
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
    priority: i32,
    revision_of: Option<uuid::Uuid>,
    evaluator: Option<String>,
    verified_at: Option<OffsetDateTime>,
    verified_by: Option<String>,
    hidden_at: Option<OffsetDateTime>,
    hidden_by: Option<String>,
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
            priority: Priority::of_number(self.priority),
            revision_of: self.revision_of.map(SubmissionId),
            evaluator: self.evaluator,
            verified: self.verified_at.zip(self.verified_by),
            hidden: self.hidden_at.zip(self.hidden_by),
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
                s.manifest, s.state, s.failure_class, s.reason, s.created_at, s.state_entered_at, s.priority,
                s.revision_of, s.evaluator, s.verified_at, s.verified_by, s.hidden_at, s.hidden_by
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

/// The files of a submission, by name.
///
/// # Errors
/// When the database fails.
pub async fn files(pool: &PgPool, id: SubmissionId) -> Result<Vec<StoredFile>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT name, sha256, bytes, from_hub, in_storage FROM submission_files WHERE submission_id = $1 ORDER BY name",
    )
    .bind(id.0)
    .fetch_all(pool)
    .await?)
}

/// The submission that replaces this one or is on its way to, the latest if there are several.
///
/// # Errors
/// When the database fails.
pub async fn revised_by(pool: &PgPool, id: SubmissionId) -> Result<Option<SubmissionId>, StoreError> {
    let id: Option<uuid::Uuid> =
        sqlx::query_scalar("SELECT id FROM submissions WHERE revision_of = $1 ORDER BY id DESC LIMIT 1")
            .bind(id.0)
            .fetch_optional(pool)
            .await?;
    Ok(id.map(SubmissionId))
}

/// Whether a model is here already under another name: what runs and how, not what it is called.
#[derive(Debug)]
pub struct Likeness<'a> {
    /// On which release.
    pub release: ReleaseId,
    /// Runtime and settings count.
    pub manifest: &'a ModelManifest,
    /// Hashes of all its files, in any order.
    pub hashes: Vec<String>,
    /// Who asks: what is on its way to the board is told of to its own submitter alone.
    pub user: UserId,
    /// The one that is to be replaced is no other.
    pub revision_of: Option<SubmissionId>,
}

/// The name of a submission with the same files, runtime and settings: one on the board, or one of the user's own on
/// its way there.
///
/// # Errors
/// When the database fails.
pub async fn alike(pool: &PgPool, mut like: Likeness<'_>) -> Result<Option<String>, StoreError> {
    like.hashes.sort_unstable();
    Ok(sqlx::query_scalar(
        "SELECT s.model FROM submissions s
         WHERE s.release_id = $1 AND s.manifest ->> 'runtime' = $2
           AND coalesce(s.manifest -> 'decoding', '{}') = $3 AND s.id IS DISTINCT FROM $4
           AND (s.state = 'published' AND s.hidden_at IS NULL
                OR s.user_id = $5 AND s.state IN ('in_review', 'queued', 'running', 'scoring', 'published'))
           AND ARRAY(SELECT f.sha256 FROM submission_files f WHERE f.submission_id = s.id
                     ORDER BY f.sha256 COLLATE \"C\") = $6
         ORDER BY s.id LIMIT 1",
    )
    .bind(like.release.0)
    .bind(&like.manifest.runtime)
    .bind(Json(&like.manifest.decoding))
    .bind(like.revision_of.map(|revised| revised.0))
    .bind(like.user.0)
    .bind(&like.hashes)
    .fetch_optional(pool)
    .await?)
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
    /// Something was noted; it stayed where it was.
    pub is_note: bool,
    /// Why.
    pub reason: String,
}

/// A submission's history, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn events(pool: &PgPool, id: SubmissionId) -> Result<Vec<Event>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT at, actor, to_state, coalesce(from_state = to_state, false) AS is_note, reason
         FROM submission_events WHERE submission_id = $1 ORDER BY id",
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
        "SELECT j.id, (row_number() OVER (ORDER BY j.id))::integer AS number, j.state, w.name AS worker, j.stage, j.progress_done, j.progress_total, j.failure_class,
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
                   AND o.hardware_class = j.hardware_class
                   AND (o.priority, o.turn, o.id) < (j.priority, j.turn, j.id))
         FROM jobs j WHERE j.submission_id = $1 AND j.kind = 'evaluate' AND j.state = 'queued'",
    )
    .bind(id.0)
    .fetch_optional(pool)
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
         LEFT JOIN (SELECT submission_id, row_number() OVER (PARTITION BY hardware_class ORDER BY priority, turn, id) AS position
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
