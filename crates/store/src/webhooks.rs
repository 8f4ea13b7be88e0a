//! Webhooks: addresses that users want told when one of their submissions moves, and the deliveries, which are jobs.
//!
//! A delivery is written with the event itself (`state::record`), so that none is lost; a retry is a new row, as
//! with every job.

use std::time::Duration;

use protocol::{FencingToken, SubmissionId, UserId};
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{JOBS_CHANNEL, Secret, StoreError, notify};

/// Tries of one delivery: 10 s, 40 s, 160 s … apart, two and a half days in all.
const TRIES: i32 = 9;
/// Most addresses of one user.
const MOST: i64 = 5;

/// An address that is told.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Webhook {
    /// Which.
    pub id: Uuid,
    /// Where.
    pub url: String,
    /// Since when.
    pub created_at: OffsetDateTime,
    /// Nothing is sent any more since then.
    pub disabled_at: Option<OffsetDateTime>,
    /// How the latest delivery ended.
    pub last_result: Option<String>,
}

/// Adds an address; the secret that signs its deliveries is shown once.
///
/// # Errors
/// [`StoreError::Refused`] when there are too many; otherwise when the database fails.
pub async fn add(pool: &PgPool, user: UserId, url: &str) -> Result<Secret, StoreError> {
    let secret = Secret::generate("ffh_")?;
    let added = sqlx::query(
        "INSERT INTO webhooks (id, user_id, url, secret)
         SELECT $1, $2, $3, $4 WHERE (SELECT count(*) FROM webhooks WHERE user_id = $2) < $5",
    )
    .bind(Uuid::now_v7())
    .bind(user.0)
    .bind(url)
    .bind(secret.expose())
    .bind(MOST)
    .execute(pool)
    .await?;
    if added.rows_affected() == 0 {
        return Err(StoreError::Refused(format!("there are {MOST} webhooks already; remove one first")));
    }
    Ok(secret)
}

/// Removes an address of a user; what was to be delivered there is dropped.
///
/// # Errors
/// When there is none or the database fails.
pub async fn remove(pool: &PgPool, user: UserId, id: Uuid) -> Result<(), StoreError> {
    let removed = sqlx::query("DELETE FROM webhooks WHERE id = $1 AND user_id = $2")
        .bind(id)
        .bind(user.0)
        .execute(pool)
        .await?;
    if removed.rows_affected() == 0 { Err(StoreError::NotFound("such webhook".to_owned())) } else { Ok(()) }
}

/// The addresses of a user, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn of(pool: &PgPool, user: UserId) -> Result<Vec<Webhook>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT id, url, created_at, disabled_at, last_result FROM webhooks WHERE user_id = $1 ORDER BY id",
    )
    .bind(user.0)
    .fetch_all(pool)
    .await?)
}

/// A delivery in the hands of the service.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The job.
    pub job: Uuid,
    /// Number of the event, the same in every try.
    pub event: i64,
    /// Proof of the lease.
    pub fencing_token: FencingToken,
    /// Which try.
    pub number: i32,
    /// Where.
    pub url: String,
    /// Key of the signature.
    pub secret: String,
    /// What moved.
    pub submission: SubmissionId,
    /// Its model.
    pub model: String,
    /// When.
    pub at: OffsetDateTime,
    /// From which state.
    pub from_state: Option<String>,
    /// To which.
    pub to_state: String,
    /// Why.
    pub reason: String,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    event_id: i64,
    fencing_token: Uuid,
    number: i32,
    url: String,
    secret: String,
    submission_id: Uuid,
    model: String,
    at: OffsetDateTime,
    from_state: Option<String>,
    to_state: String,
    reason: String,
}

/// Leases the next delivery that is due.
///
/// # Errors
/// When the database fails.
pub async fn claim(pool: &PgPool, lease: Duration) -> Result<Option<Delivery>, StoreError> {
    let row = sqlx::query_as::<_, Row>(
        "WITH claimed AS (
             UPDATE jobs SET state = 'leased', fencing_token = gen_random_uuid(), started_at = now(),
                    lease_expires_at = now() + make_interval(secs => $1)
             WHERE id = (SELECT id FROM jobs WHERE kind = 'webhook' AND state = 'queued' AND run_after <= now()
                         ORDER BY run_after LIMIT 1 FOR UPDATE SKIP LOCKED)
             RETURNING id, fencing_token, number, webhook_id, event_id)
         SELECT c.id, c.event_id, c.fencing_token, c.number, w.url, w.secret, e.submission_id, s.model, e.at, e.from_state,
                e.to_state, e.reason
         FROM claimed c JOIN webhooks w ON w.id = c.webhook_id JOIN submission_events e ON e.id = c.event_id
              JOIN submissions s ON s.id = e.submission_id",
    )
    .bind(lease.as_secs_f64())
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| Delivery {
        job: row.id,
        event: row.event_id,
        fencing_token: FencingToken(row.fencing_token),
        number: row.number,
        url: row.url,
        secret: row.secret,
        submission: SubmissionId(row.submission_id),
        model: row.model,
        at: row.at,
        from_state: row.from_state,
        to_state: row.to_state,
        reason: row.reason,
    }))
}

/// Ends a delivery: `Ok` when the receiver took it, otherwise one sentence why not, and it is tried again for a while.
///
/// # Errors
/// [`StoreError::LeaseLost`] when somebody else has it; otherwise when the database fails.
pub async fn finish(
    pool: &PgPool,
    delivery: &Delivery,
    outcome: Result<(), String>,
) -> Result<(), StoreError> {
    let mut transaction = pool.begin().await?;
    let message = outcome.as_ref().err();
    let webhook: Option<Uuid> = sqlx::query_scalar(
        "UPDATE jobs SET state = CASE WHEN $3::text IS NULL THEN 'succeeded' ELSE 'failed' END, message = $3,
                failure_class = CASE WHEN $3::text IS NULL THEN NULL ELSE 'not_delivered' END,
                lease_expires_at = NULL, finished_at = now()
         WHERE id = $1 AND fencing_token = $2 AND state = 'leased' RETURNING webhook_id",
    )
    .bind(delivery.job)
    .bind(delivery.fencing_token.0)
    .bind(message)
    .fetch_optional(&mut *transaction)
    .await?;
    let webhook = webhook.ok_or(StoreError::LeaseLost)?;
    let said = match message {
        None => "Delivered.".to_owned(),
        Some(message) if delivery.number < TRIES => format!("{message} It is tried again."),
        Some(message) => format!("{message} Given up after {TRIES} tries; nothing more is sent here."),
    };
    sqlx::query("UPDATE webhooks SET last_result = $2 WHERE id = $1")
        .bind(webhook)
        .bind(&said)
        .execute(&mut *transaction)
        .await?;
    if message.is_some() {
        again_or_never(&mut transaction, delivery.job, delivery.number, webhook).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// For a delivery whose lease ran out: the service stopped in the middle of it.
pub(crate) async fn give_up_lease(
    connection: &mut PgConnection,
    job: Uuid,
    number: i32,
) -> Result<(), StoreError> {
    let webhook: Uuid = sqlx::query_scalar(
        "UPDATE jobs SET state = 'failed', failure_class = 'not_delivered', message = 'The service stopped.',
                lease_expires_at = NULL, finished_at = now()
         WHERE id = $1 RETURNING webhook_id",
    )
    .bind(job)
    .fetch_one(&mut *connection)
    .await?;
    again_or_never(connection, job, number, webhook).await
}

async fn again_or_never(
    connection: &mut PgConnection,
    job: Uuid,
    number: i32,
    webhook: Uuid,
) -> Result<(), StoreError> {
    if number >= TRIES {
        sqlx::query("UPDATE webhooks SET disabled_at = now() WHERE id = $1 AND disabled_at IS NULL")
            .bind(webhook)
            .execute(connection)
            .await?;
        return Ok(());
    }
    let delay = 10.0 * 4_f64.powi(number - 1);
    sqlx::query(
        "INSERT INTO jobs (id, kind, submission_id, number, hardware_class, runtime, seed, webhook_id, event_id, run_after)
         SELECT $2, kind, submission_id, number + 1, hardware_class, runtime, seed, webhook_id, event_id,
                now() + make_interval(secs => $3)
         FROM jobs WHERE id = $1",
    )
    .bind(job)
    .bind(Uuid::now_v7())
    .bind(delay)
    .execute(&mut *connection)
    .await?;
    notify(connection, JOBS_CHANNEL).await
}
