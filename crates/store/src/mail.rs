//! E-mail: addresses of users, and the messages that are on their way to them.
//!
//! A message is written with the event itself (`state::record`), so that none is lost. It may be sent twice when the
//! service stops between sending and noting; never not at all, until it is given up.

use std::time::Duration;

use protocol::{SubmissionId, UserId};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::{JOBS_CHANNEL, Secret, StoreError, notify};

/// Tries of one message: 1, 4, 16 … minutes apart, three days in all.
const TRIES: i32 = 7;

/// The states whose beginning a person wants to hear of; those between are over in minutes and on the page.
const TOLD: [&str; 7] =
    ["in_review", "published", "rejected", "failed", "cancelled", "superseded", "quarantined"];

/// What is known of a user's address.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Address {
    /// The address.
    pub email: String,
    /// Its owner has followed the link that was sent there.
    pub email_confirmed: bool,
}

/// A user's address, if there is one.
///
/// # Errors
/// When the database fails.
pub async fn address(pool: &PgPool, user: UserId) -> Result<Option<Address>, StoreError> {
    Ok(sqlx::query_as("SELECT email, email_confirmed FROM users WHERE id = $1 AND email IS NOT NULL")
        .bind(user.0)
        .fetch_optional(pool)
        .await?)
}

/// Sets another address, to which a request to confirm goes; or, with `None`, sends nothing any more.
///
/// # Errors
/// When the database fails.
pub async fn set_address(pool: &PgPool, user: UserId, email: Option<&str>) -> Result<(), StoreError> {
    let code = Secret::generate("ffe_")?;
    let mut transaction = pool.begin().await?;
    sqlx::query("UPDATE users SET email = $2, email_code_sha256 = $3, email_confirmed = false WHERE id = $1")
        .bind(user.0)
        .bind(email)
        .bind(email.map(|_| code.hash().0))
        .execute(&mut *transaction)
        .await?;
    sqlx::query("DELETE FROM mails WHERE user_id = $1").bind(user.0).execute(&mut *transaction).await?;
    if email.is_some() {
        sqlx::query("INSERT INTO mails (id, user_id, code) VALUES ($1, $2, $3)")
            .bind(Uuid::now_v7())
            .bind(user.0)
            .bind(code.expose())
            .execute(&mut *transaction)
            .await?;
        notify(&mut transaction, JOBS_CHANNEL).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Confirms the address that a code was sent to; whether it was the latest code.
///
/// # Errors
/// When the database fails.
pub async fn confirm(pool: &PgPool, code: &Secret) -> Result<bool, StoreError> {
    let confirmed = sqlx::query(
        "UPDATE users SET email_confirmed = true, email_code_sha256 = NULL WHERE email_code_sha256 = $1",
    );
    Ok(confirmed.bind(code.hash().0).execute(pool).await?.rows_affected() == 1)
}

/// Writes the message about the latest event of a submission, if its submitter wants one.
pub(crate) async fn write(
    connection: &mut PgConnection,
    submission: SubmissionId,
    to_state: &str,
) -> Result<(), StoreError> {
    if !TOLD.contains(&to_state) {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO mails (id, user_id, event_id)
         SELECT gen_random_uuid(), u.id, (SELECT max(id) FROM submission_events WHERE submission_id = s.id)
         FROM submissions s JOIN users u ON u.id = s.user_id AND u.email_confirmed WHERE s.id = $1",
    )
    .bind(submission.0)
    .execute(connection)
    .await?;
    Ok(())
}

/// Drops what could not be sent for so long, such as while no server was configured.
///
/// # Errors
/// When the database fails.
pub async fn drop_old(pool: &PgPool, age: Duration) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM mails WHERE created_at < now() - make_interval(secs => $1)")
        .bind(age.as_secs_f64())
        .execute(pool)
        .await?;
    Ok(())
}

/// What a message is about.
#[derive(Debug)]
pub enum About {
    /// An address is to be confirmed with this code.
    Confirmation(String),
    /// A submission has moved.
    Moved {
        /// Which.
        submission: SubmissionId,
        /// The model.
        model: String,
        /// To which state.
        to_state: String,
        /// Why.
        reason: String,
    },
    /// Something was noted of a submission that stays where it is.
    Noted {
        /// Which.
        submission: SubmissionId,
        /// The model.
        model: String,
        /// What.
        reason: String,
    },
}

/// A message to be sent now.
#[derive(Debug)]
pub struct Mail {
    id: Uuid,
    token: Uuid,
    tries: i32,
    /// To whom.
    pub name: String,
    /// Where.
    pub email: String,
    /// About what.
    pub about: About,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    tries: i32,
    code: Option<String>,
    name: String,
    email: String,
    submission_id: Option<Uuid>,
    model: Option<String>,
    to_state: Option<String>,
    is_note: bool,
    reason: Option<String>,
}

/// Leases the next message that is due.
///
/// # Errors
/// When the database fails.
pub async fn claim(pool: &PgPool, lease: Duration) -> Result<Option<Mail>, StoreError> {
    let token = Uuid::new_v4();
    let row: Option<Row> = sqlx::query_as(
        "WITH claimed AS (
             UPDATE mails SET lease_token = $1, lease_expires_at = now() + make_interval(secs => $2), tries = tries + 1
             WHERE id = (SELECT m.id FROM mails m JOIN users u ON u.id = m.user_id AND u.email IS NOT NULL
                         WHERE m.run_after <= now() AND (m.lease_expires_at IS NULL OR m.lease_expires_at < now())
                         ORDER BY m.run_after LIMIT 1 FOR UPDATE OF m SKIP LOCKED)
             RETURNING id, user_id, event_id, code, tries)
         SELECT c.id, c.tries, c.code, u.name, u.email, e.submission_id, s.model, e.to_state,
                coalesce(e.from_state = e.to_state, false) AS is_note, e.reason
         FROM claimed c JOIN users u ON u.id = c.user_id LEFT JOIN submission_events e ON e.id = c.event_id
         LEFT JOIN submissions s ON s.id = e.submission_id",
    )
    .bind(token)
    .bind(lease.as_secs_f64())
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let about = match (row.code, row.submission_id) {
        (Some(code), _) => About::Confirmation(code),
        (None, Some(submission)) if row.is_note => About::Noted {
            submission: SubmissionId(submission),
            model: row.model.unwrap_or_default(),
            reason: row.reason.unwrap_or_default(),
        },
        (None, Some(submission)) => About::Moved {
            submission: SubmissionId(submission),
            model: row.model.unwrap_or_default(),
            to_state: row.to_state.unwrap_or_default(),
            reason: row.reason.unwrap_or_default(),
        },
        (None, None) => return Err(StoreError::Corrupt("a message is about nothing".to_owned())),
    };
    Ok(Some(Mail { id: row.id, token, tries: row.tries, name: row.name, email: row.email, about }))
}

/// Ends a message: it is sent, or tried again for a while.
///
/// # Errors
/// When the database fails.
pub async fn finish(pool: &PgPool, mail: &Mail, sent: bool) -> Result<(), StoreError> {
    if sent || mail.tries >= TRIES {
        let gone = sqlx::query("DELETE FROM mails WHERE id = $1 AND lease_token = $2");
        gone.bind(mail.id).bind(mail.token).execute(pool).await?;
        return Ok(());
    }
    sqlx::query(
        "UPDATE mails SET lease_token = NULL, lease_expires_at = NULL, run_after = now() + make_interval(secs => $3)
         WHERE id = $1 AND lease_token = $2",
    )
    .bind(mail.id)
    .bind(mail.token)
    .bind(60.0 * 4_f64.powi(mail.tries - 1))
    .execute(pool)
    .await?;
    Ok(())
}
