//! Calibration history: what nodes measured of their own pace around the attempts they ran.

use protocol::{AttemptId, FencingToken, PaceReading};
use sqlx::PgPool;
use time::OffsetDateTime;

use crate::StoreError;

/// One measurement.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Pace {
    /// When.
    pub at: OffsetDateTime,
    /// `before` or `after` an attempt.
    pub moment: String,
    /// Seconds of the fixed piece of work.
    pub seconds: f64,
    /// The node's usual value then.
    pub golden_seconds: f64,
    /// How far from it a run still counted, as a share.
    pub tolerance: f64,
    /// The submission that was run.
    pub submission_id: uuid::Uuid,
    /// Its model.
    pub model: String,
}

impl Pace {
    /// How far from the usual value, as a share; positive is slower.
    pub fn deviation(&self) -> f64 {
        self.seconds / self.golden_seconds - 1.0
    }

    /// Whether a run counts at this pace.
    pub fn is_usual(&self) -> bool {
        self.deviation().abs() <= self.tolerance
    }
}

/// Notes what a node measured around an attempt. What is no time is left out.
///
/// # Errors
/// [`StoreError::LeaseLost`] for a stale token; otherwise when the database fails.
pub async fn note(
    pool: &PgPool,
    (attempt, token): (AttemptId, FencingToken),
    readings: &[PaceReading],
) -> Result<(), StoreError> {
    for reading in readings {
        let usable = [reading.seconds, reading.golden_seconds].iter().all(|it| it.is_finite() && *it > 0.0)
            && reading.tolerance.is_finite()
            && reading.tolerance >= 0.0;
        if !usable {
            continue;
        }
        let done = sqlx::query(
            "INSERT INTO paces (worker_id, attempt_id, moment, seconds, golden_seconds, tolerance)
             SELECT worker_id, id, $3, $4, $5, $6 FROM jobs
             WHERE id = $1 AND fencing_token = $2 AND state = 'leased'",
        )
        .bind(attempt.0)
        .bind(token.0)
        .bind(reading.moment.as_str())
        .bind(reading.seconds)
        .bind(reading.golden_seconds)
        .bind(reading.tolerance)
        .execute(pool)
        .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::LeaseLost);
        }
    }
    Ok(())
}

/// The latest measurements of a worker, the newest first, at most `most`.
///
/// # Errors
/// When the database fails.
pub async fn of(pool: &PgPool, worker: &str, most: i64) -> Result<Vec<Pace>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT p.at, p.moment, p.seconds, p.golden_seconds, p.tolerance, s.id AS submission_id, s.model
         FROM paces p JOIN workers w ON w.id = p.worker_id JOIN jobs j ON j.id = p.attempt_id
              JOIN submissions s ON s.id = j.submission_id
         WHERE w.name = $1 ORDER BY p.id DESC LIMIT $2",
    )
    .bind(worker)
    .bind(most)
    .fetch_all(pool)
    .await?)
}
