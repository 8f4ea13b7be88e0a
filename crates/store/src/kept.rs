//! Items that a lost attempt had finished: kept under its lease, handed to the next attempt, forgotten with the last.
//!
//! Every write carries the fencing token, and an item is kept once a submission, whoever sends it how often.

use protocol::{AttemptId, Basis, FencingToken, ItemResult, KeptPart, SubmissionId, WorkerId};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::{StoreError, queue};

/// Keeps items of the scored pass. With `continues` they stand beside those of earlier attempts; otherwise those are
/// forgotten, for their times may not stand beside these. An item of another release or pass is left out.
///
/// # Errors
/// [`StoreError::LeaseLost`] for a stale token; otherwise when the database fails.
pub async fn keep(
    pool: &PgPool,
    (attempt, token): (AttemptId, FencingToken),
    basis: &Basis,
    continues: bool,
    items: &[ItemResult],
) -> Result<(), StoreError> {
    let mut transaction = pool.begin().await?;
    queue::lock_submission_of(&mut transaction, attempt).await?;
    let held: Option<Uuid> = sqlx::query_scalar(
        "SELECT submission_id FROM jobs WHERE id = $1 AND fencing_token = $2 AND state = 'leased' AND kind = 'evaluate'
         FOR SHARE",
    )
    .bind(attempt.0)
    .bind(token.0)
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(submission) = held else {
        // At once: while the submission is locked, no worker is given its next attempt.
        transaction.rollback().await?;
        return Err(StoreError::LeaseLost);
    };
    if !continues {
        sqlx::query("DELETE FROM kept_parts WHERE submission_id = $1 AND attempt_id <> $2")
            .bind(submission)
            .bind(attempt.0)
            .execute(&mut *transaction)
            .await?;
    }
    sqlx::query(
        "INSERT INTO kept_parts (attempt_id, submission_id, basis) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(attempt.0)
    .bind(submission)
    .bind(json(basis)?)
    .execute(&mut *transaction)
    .await?;
    let ids: Vec<Uuid> = items.iter().map(|item| item.id.0).collect();
    let results = items.iter().map(json).collect::<Result<Vec<String>, StoreError>>()?;
    sqlx::query(
        "INSERT INTO kept_items (submission_id, item_id, attempt_id, result)
         SELECT s.id, i.id, $2, given.result
         FROM submissions s, unnest($3::uuid[], $4::text[]) AS given (id, result)
              JOIN items i ON i.id = given.id
         WHERE s.id = $1 AND i.release_id = s.release_id AND i.part = 'scored'
         ON CONFLICT DO NOTHING",
    )
    .bind(submission)
    .bind(attempt.0)
    .bind(ids)
    .bind(results)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}

/// What earlier attempts of a submission finished, for the attempt that `worker` is about to run.
///
/// # Errors
/// When the database fails or holds what this program cannot read.
pub async fn of(
    pool: &PgPool,
    submission: SubmissionId,
    worker: WorkerId,
) -> Result<Vec<KeptPart>, StoreError> {
    let parts: Vec<(Uuid, String, bool)> = sqlx::query_as(
        "SELECT p.attempt_id, p.basis, j.worker_id IS NOT DISTINCT FROM $2
         FROM kept_parts p JOIN jobs j ON j.id = p.attempt_id WHERE p.submission_id = $1 ORDER BY p.attempt_id",
    )
    .bind(submission.0)
    .bind(worker.0)
    .fetch_all(pool)
    .await?;
    let mut kept = Vec::with_capacity(parts.len());
    for (attempt, basis, same_node) in parts {
        let results: Vec<String> =
            sqlx::query_scalar("SELECT result FROM kept_items WHERE attempt_id = $1 ORDER BY item_id")
                .bind(attempt)
                .fetch_all(pool)
                .await?;
        kept.push(KeptPart {
            attempt: AttemptId(attempt),
            same_node,
            basis: read(&basis)?,
            items: results.iter().map(|result| read(result)).collect::<Result<_, StoreError>>()?,
        });
    }
    Ok(kept)
}

/// Forgets everything kept for a submission. Called when none of its attempts is open any more.
pub(crate) async fn forget(
    connection: &mut PgConnection,
    submission: SubmissionId,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM kept_parts WHERE submission_id = $1")
        .bind(submission.0)
        .execute(connection)
        .await?;
    Ok(())
}

fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(error.to_string()))
}
