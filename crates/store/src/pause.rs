//! Pausing the queue: what runs goes on, nothing more is given to workers, and everybody can read why.

use sqlx::PgPool;
use time::OffsetDateTime;

use crate::{JOBS_CHANNEL, StoreError, audit, notify};

/// A pause that is on.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Pause {
    /// Since when.
    pub paused_at: OffsetDateTime,
    /// By whom.
    pub paused_by: String,
    /// Why, for everybody.
    pub reason: String,
}

/// The pause that is on, if one is.
///
/// # Errors
/// When the database fails.
pub async fn current(pool: &PgPool) -> Result<Option<Pause>, StoreError> {
    let row =
        sqlx::query_as("SELECT paused_at, paused_by, reason FROM queue_pauses WHERE resumed_at IS NULL");
    Ok(row.fetch_optional(pool).await?)
}

/// Pauses the queue and writes that down.
///
/// # Errors
/// [`StoreError::Refused`] when it is paused already or the reason is missing or too long; otherwise when the database fails.
pub async fn begin(pool: &PgPool, actor: &str, reason: &str) -> Result<(), StoreError> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > 400 {
        return Err(StoreError::Refused(
            "to pause the queue needs a reason of at most 400 characters; everybody who waits reads it"
                .to_owned(),
        ));
    }
    let mut transaction = pool.begin().await?;
    let begun = sqlx::query(
        "INSERT INTO queue_pauses (paused_by, reason) VALUES ($1, $2)
         ON CONFLICT ((true)) WHERE resumed_at IS NULL DO NOTHING",
    )
    .bind(actor)
    .bind(reason)
    .execute(&mut *transaction)
    .await?;
    if begun.rows_affected() == 0 {
        return Err(StoreError::Refused("the queue is paused already".to_owned()));
    }
    write_down(&mut transaction, actor, "pause queue", reason).await?;
    transaction.commit().await?;
    Ok(())
}

/// Lets the queue go on and writes that down.
///
/// # Errors
/// [`StoreError::Refused`] when it is not paused; otherwise when the database fails.
pub async fn end(pool: &PgPool, actor: &str) -> Result<(), StoreError> {
    let mut transaction = pool.begin().await?;
    let ended =
        sqlx::query("UPDATE queue_pauses SET resumed_at = now(), resumed_by = $1 WHERE resumed_at IS NULL")
            .bind(actor)
            .execute(&mut *transaction)
            .await?;
    if ended.rows_affected() == 0 {
        return Err(StoreError::Refused("the queue is not paused".to_owned()));
    }
    write_down(&mut transaction, actor, "resume queue", "").await?;
    notify(&mut transaction, JOBS_CHANNEL).await?;
    transaction.commit().await?;
    Ok(())
}

async fn write_down(
    connection: &mut sqlx::PgConnection,
    actor: &str,
    action: &str,
    reason: &str,
) -> Result<(), StoreError> {
    let entry = audit::Entry { actor, action, submission: None, subject: "queue", reason, public: false };
    audit::write(connection, entry).await
}
