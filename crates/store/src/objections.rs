//! Objections to a published result: raised by anybody with an account, decided by an admin, read by everybody.

use protocol::SubmissionId;
use sqlx::PgPool;
use time::OffsetDateTime;

use crate::{StoreError, audit, state::SubmissionState};

/// One objection and what came of it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Objection {
    /// Which.
    pub id: i64,
    /// When it was raised.
    pub at: OffsetDateTime,
    /// By whom.
    pub author: String,
    /// What is doubted and why.
    pub body: String,
    /// `open`, `upheld` or `dismissed`.
    pub state: String,
    /// When it was decided.
    pub decided_at: Option<OffsetDateTime>,
    /// By whom.
    pub decided_by: Option<String>,
    /// With which reason.
    pub decision: Option<String>,
}

/// Raises one against a result that is or was on the board.
///
/// # Errors
/// [`StoreError::Refused`] without a result or without words; otherwise when the database fails.
pub async fn raise(
    pool: &PgPool,
    submission: SubmissionId,
    author: &str,
    body: &str,
) -> Result<(), StoreError> {
    let body = body.trim();
    if body.is_empty() || body.chars().count() > 4000 {
        return Err(StoreError::Refused("an objection has 1 to 4000 characters".to_owned()));
    }
    let state = crate::submissions::get(pool, submission).await?.state;
    if !matches!(state, SubmissionState::Published | SubmissionState::Quarantined) {
        return Err(StoreError::Refused("only a result on the board can be objected to".to_owned()));
    }
    sqlx::query("INSERT INTO objections (submission_id, author, body) VALUES ($1, $2, $3)")
        .bind(submission.0)
        .bind(author)
        .bind(body)
        .execute(pool)
        .await?;
    Ok(())
}

/// Decides one.
///
/// # Errors
/// [`StoreError::Refused`] without a reason, [`StoreError::NotFound`] when there is no open one of this id; otherwise when
/// the database fails.
pub async fn decide(
    pool: &PgPool,
    (submission, objection): (SubmissionId, i64),
    upheld: bool,
    actor: &str,
    reason: &str,
) -> Result<(), StoreError> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > 4000 {
        return Err(StoreError::Refused("a decision needs a reason of at most 4000 characters".to_owned()));
    }
    let (state, action) = if upheld { ("upheld", "uphold") } else { ("dismissed", "dismiss") };
    let mut transaction = pool.begin().await?;
    let model: Option<String> = sqlx::query_scalar(
        "UPDATE objections o SET state = $3, decided_at = now(), decided_by = $4, decision = $5 FROM submissions s
         WHERE o.id = $1 AND o.submission_id = $2 AND s.id = o.submission_id AND o.state = 'open' RETURNING s.model",
    )
    .bind(objection)
    .bind(submission.0)
    .bind(state)
    .bind(actor)
    .bind(reason)
    .fetch_optional(&mut *transaction)
    .await?;
    let model = model.ok_or_else(|| StoreError::NotFound("open objection of this number".to_owned()))?;
    let entry =
        audit::Entry { actor, action, submission: Some(submission), subject: &model, reason, public: true };
    audit::write(&mut transaction, entry).await?;
    transaction.commit().await?;
    Ok(())
}

/// The objections to a result, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn of(pool: &PgPool, submission: SubmissionId) -> Result<Vec<Objection>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT id, at, author, body, state, decided_at, decided_by, decision FROM objections
         WHERE submission_id = $1 ORDER BY id",
    )
    .bind(submission.0)
    .fetch_all(pool)
    .await?)
}

/// Open objections, oldest first, with the submission and the model they are about.
///
/// # Errors
/// When the database fails.
pub async fn open(pool: &PgPool) -> Result<Vec<(SubmissionId, String, OffsetDateTime)>, StoreError> {
    let rows: Vec<(uuid::Uuid, String, OffsetDateTime)> = sqlx::query_as(
        "SELECT s.id, s.model, o.at FROM objections o JOIN submissions s ON s.id = o.submission_id
         WHERE o.state = 'open' ORDER BY o.at LIMIT 100",
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|(id, model, at)| (SubmissionId(id), model, at)).collect())
}
