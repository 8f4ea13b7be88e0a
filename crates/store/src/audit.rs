//! The audit log: who of the staff did what, when and why. Entries are written in the transaction of the action.

use protocol::SubmissionId;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;

use crate::StoreError;

/// What is written down of an action.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) actor: &'a str,
    pub(crate) action: &'a str,
    pub(crate) submission: Option<SubmissionId>,
    pub(crate) subject: &'a str,
    pub(crate) reason: &'a str,
    /// It touched a result that visitors see or saw.
    pub(crate) public: bool,
}

pub(crate) async fn write(connection: &mut PgConnection, entry: Entry<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO audit_log (actor, action, submission_id, subject, reason, public) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(entry.actor)
    .bind(entry.action)
    .bind(entry.submission.map(|id| id.0))
    .bind(entry.subject)
    .bind(entry.reason)
    .bind(entry.public)
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes down an action that touched no submission: a worker, a quota, an account.
///
/// # Errors
/// When the database fails.
pub async fn note(
    pool: &PgPool,
    actor: &str,
    action: &str,
    subject: &str,
    reason: &str,
) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await?;
    let entry = Entry { actor, action, submission: None, subject, reason, public: false };
    write(&mut connection, entry).await
}

/// Writes down what the service itself noticed about a submission, for the staff alone.
///
/// # Errors
/// When the database fails.
pub async fn remark(
    pool: &PgPool,
    submission: SubmissionId,
    action: &str,
    reason: &str,
) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await?;
    let entry =
        Entry { actor: "service", action, submission: Some(submission), subject: "", reason, public: false };
    write(&mut connection, entry).await
}

/// One action.
#[derive(Debug, Clone)]
pub struct Action {
    /// When.
    pub at: OffsetDateTime,
    /// Who.
    pub actor: String,
    /// What, in a word: `approve`, `reject`, `quarantine`, …
    pub action: String,
    /// To which submission, if to one.
    pub submission: Option<SubmissionId>,
    /// To what, in words.
    pub subject: String,
    /// Why.
    pub reason: String,
    /// Visitors may read of it.
    pub public: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    at: OffsetDateTime,
    actor: String,
    action: String,
    submission_id: Option<uuid::Uuid>,
    subject: String,
    reason: String,
    public: bool,
}

impl From<Row> for Action {
    fn from(row: Row) -> Self {
        Self {
            at: row.at,
            actor: row.actor,
            action: row.action,
            submission: row.submission_id.map(SubmissionId),
            subject: row.subject,
            reason: row.reason,
            public: row.public,
        }
    }
}

/// The latest actions, the newest first; at most 500.
///
/// # Errors
/// When the database fails.
pub async fn latest(pool: &PgPool) -> Result<Vec<Action>, StoreError> {
    let rows = sqlx::query_as::<_, Row>(
        "SELECT at, actor, action, submission_id, subject, reason, public FROM audit_log ORDER BY id DESC LIMIT 500",
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(Action::from).collect())
}

/// What was done to a submission, oldest first; for visitors only what is public.
///
/// # Errors
/// When the database fails.
pub async fn of_submission(
    pool: &PgPool,
    submission: SubmissionId,
    public_only: bool,
) -> Result<Vec<Action>, StoreError> {
    let rows = sqlx::query_as::<_, Row>(
        "SELECT at, actor, action, submission_id, subject, reason, public FROM audit_log
         WHERE submission_id = $1 AND (public OR NOT $2) ORDER BY id",
    )
    .bind(submission.0)
    .bind(public_only)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(Action::from).collect())
}
