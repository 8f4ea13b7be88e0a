//! Nightly archives of everything that is public: one a day, made by whichever replica has the lease.

use std::time::Duration;

use sqlx::PgPool;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::{
    StoreError,
    objects::{self, ObjectStore},
};

/// The right to make the archive of a day.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    /// The day, in UTC.
    pub day: Date,
    token: Uuid,
}

/// An archive that is there.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Dump {
    /// The day, in UTC.
    pub day: Date,
    /// Hash of the file.
    pub sha256: String,
    /// Its length.
    pub bytes: i64,
    /// When it was made.
    pub made_at: OffsetDateTime,
}

/// Takes the lease on the archive of `day`; `None` if somebody else has it or, unless `anew`, it is made already.
///
/// # Errors
/// When the database fails.
pub async fn claim(
    pool: &PgPool,
    day: Date,
    lease: Duration,
    anew: bool,
) -> Result<Option<Turn>, StoreError> {
    let token: Option<(Uuid,)> = sqlx::query_as(
        "INSERT INTO dumps AS d (day, token, lease_until)
         VALUES ($1, gen_random_uuid(), now() + make_interval(secs => $2))
         ON CONFLICT (day) DO UPDATE SET token = excluded.token, lease_until = excluded.lease_until
            WHERE d.lease_until < now() AND d.sha256 IS NULL OR $3
         RETURNING token",
    )
    .bind(day)
    .bind(lease.as_secs_f64())
    .bind(anew)
    .fetch_optional(pool)
    .await?;
    Ok(token.map(|(token,)| Turn { day, token }))
}

/// Notes that the archive is in object storage under its hash. Whoever lost the lease meanwhile changes nothing.
///
/// # Errors
/// When the lease is lost or the database fails.
pub async fn finish(pool: &PgPool, turn: Turn, sha256: &str, bytes: i64) -> Result<(), StoreError> {
    let done = sqlx::query(
        "UPDATE dumps SET sha256 = $3, bytes = $4, made_at = now() WHERE day = $1 AND token = $2",
    )
    .bind(turn.day)
    .bind(turn.token)
    .bind(sha256)
    .bind(bytes)
    .execute(pool)
    .await?;
    if done.rows_affected() == 0 { Err(StoreError::LeaseLost) } else { Ok(()) }
}

/// The archives that are there, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(pool: &PgPool) -> Result<Vec<Dump>, StoreError> {
    let query = "SELECT day, sha256, bytes, made_at FROM dumps WHERE sha256 IS NOT NULL ORDER BY day DESC";
    Ok(sqlx::query_as(query).fetch_all(pool).await?)
}

/// Removes all but the newest `keep` archives; how many went.
///
/// # Errors
/// When the database or storage fails.
pub async fn thin(pool: &PgPool, objects: &ObjectStore, keep: usize) -> Result<usize, StoreError> {
    let all = list(pool).await?;
    let kept: Vec<&str> = all.iter().take(keep).map(|dump| dump.sha256.as_str()).collect();
    let old = all.get(keep..).unwrap_or_default();
    for dump in old {
        // Two days without a change have one content.
        if !kept.contains(&dump.sha256.as_str()) {
            objects.delete(&objects::dump_key(&dump.sha256)).await?;
        }
        sqlx::query("DELETE FROM dumps WHERE day = $1").bind(dump.day).execute(pool).await?;
    }
    Ok(old.len())
}
