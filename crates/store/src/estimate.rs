//! When a waiting submission will be done, from how long others took.

use std::time::Duration;

use protocol::{ReleaseId, SubmissionId};
use sqlx::PgPool;

use crate::StoreError;

/// Attempts that the median is taken over.
const LATEST: i64 = 20;

/// What a waiting or running submission may expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Median duration of the latest successful attempts on this release and hardware class.
    pub typical: Duration,
    /// How many attempts that is the median of.
    pub measured: u32,
    /// From now until the end of the attempt; `None` when no worker is there that could run it.
    pub remaining: Option<Duration>,
}

/// The estimate for a submission with an open attempt; `None` without one, or when nothing was measured yet.
/// A worker counts when it was heard from within `silent_after`.
///
/// Waiting: the attempts before it are shared out among the workers, each taking the typical time, and then its own.
/// Running: the typical time less what has passed.
///
/// # Errors
/// When the database fails.
pub async fn of(
    pool: &PgPool,
    submission: SubmissionId,
    silent_after: Duration,
) -> Result<Option<Estimate>, StoreError> {
    let row = sqlx::query_as::<_, EstimateRow>(
        "WITH mine AS (
             SELECT j.*, s.release_id FROM jobs j JOIN submissions s ON s.id = j.submission_id
             WHERE j.submission_id = $1 AND j.kind = 'evaluate' AND j.state IN ('queued', 'leased')),
         measured AS (
             SELECT extract(epoch FROM d.finished_at - d.started_at)::float8 AS seconds
             FROM mine m JOIN submissions o ON o.release_id = m.release_id AND o.hardware_class = m.hardware_class
                  JOIN jobs d ON d.submission_id = o.id AND d.kind = 'evaluate' AND d.state = 'succeeded'
             ORDER BY d.finished_at DESC LIMIT $2)
         SELECT (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) FROM measured) AS typical,
                (SELECT count(*) FROM measured) AS measured,
                (SELECT count(*) FROM jobs o WHERE o.kind = 'evaluate' AND o.hardware_class = m.hardware_class
                   AND (o.state = 'leased'
                        OR o.state = 'queued' AND (o.priority, o.turn, o.id) < (m.priority, m.turn, m.id))) AS ahead,
                (SELECT count(*) FROM workers w WHERE w.revoked_at IS NULL AND NOT w.draining
                   AND w.hardware_classes @> ARRAY[m.hardware_class] AND m.runtime = ANY(w.runtimes)
                   AND w.last_seen_at > now() - make_interval(secs => $3)) AS workers,
                CASE WHEN m.state = 'leased' THEN extract(epoch FROM now() - m.started_at)::float8 END AS passed
         FROM mine m",
    )
    .bind(submission.0)
    .bind(LATEST)
    .bind(silent_after.as_secs_f64())
    .fetch_optional(pool)
    .await?;
    Ok(row.and_then(|row| {
        let typical = row.typical?;
        Some(Estimate {
            typical: Duration::from_secs_f64(typical.max(0.0)),
            measured: u32::try_from(row.measured).unwrap_or(u32::MAX),
            remaining: remaining(typical, row.ahead, row.workers, row.passed).map(Duration::from_secs_f64),
        })
    }))
}

/// What waits though no worker is there that could run it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Unattended {
    /// The runtime that is asked for.
    pub runtime: String,
    /// The hardware class that is asked for.
    pub hardware_class: String,
    /// How many attempts wait for both.
    pub attempts: i64,
}

/// Runtimes and hardware classes that are waited for and that no worker has that was heard from within `silent_after`,
/// is not drained and still has its token; of one submission or of all.
///
/// # Errors
/// When the database fails.
pub async fn unattended(
    pool: &PgPool,
    submission: Option<SubmissionId>,
    silent_after: Duration,
) -> Result<Vec<Unattended>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT j.runtime, j.hardware_class, count(*) AS attempts FROM jobs j
         WHERE j.kind = 'evaluate' AND j.state = 'queued' AND ($1::uuid IS NULL OR j.submission_id = $1)
           AND NOT EXISTS (
               SELECT FROM workers w WHERE w.revoked_at IS NULL AND NOT w.draining
                  AND w.hardware_classes @> ARRAY[j.hardware_class] AND j.runtime = ANY(w.runtimes)
                  AND w.last_seen_at > now() - make_interval(secs => $2))
         GROUP BY j.runtime, j.hardware_class ORDER BY j.runtime, j.hardware_class",
    )
    .bind(submission.map(|submission| submission.0))
    .bind(silent_after.as_secs_f64())
    .fetch_all(pool)
    .await?)
}

/// Median duration of the latest successful attempts on a release and hardware class, and of how many; nothing before there
/// are any.
///
/// # Errors
/// When the database fails.
pub async fn typical(
    pool: &PgPool,
    release: ReleaseId,
    hardware_class: &str,
) -> Result<Option<(Duration, u32)>, StoreError> {
    let (median, measured): (Option<f64>, i64) = sqlx::query_as(
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds), count(*) FROM (
             SELECT extract(epoch FROM j.finished_at - j.started_at)::float8 AS seconds
             FROM jobs j JOIN submissions s ON s.id = j.submission_id
             WHERE s.release_id = $1 AND j.hardware_class = $2 AND j.kind = 'evaluate' AND j.state = 'succeeded'
             ORDER BY j.finished_at DESC LIMIT $3) AS measured",
    )
    .bind(release.0)
    .bind(hardware_class)
    .bind(LATEST)
    .fetch_one(pool)
    .await?;
    let typical = median.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Ok(typical.map(|typical| (typical, u32::try_from(measured).unwrap_or(u32::MAX))))
}

#[derive(sqlx::FromRow)]
struct EstimateRow {
    typical: Option<f64>,
    measured: i64,
    ahead: i64,
    workers: i64,
    passed: Option<f64>,
}

fn remaining(typical: f64, ahead: i64, workers: i64, passed: Option<f64>) -> Option<f64> {
    match passed {
        Some(passed) => Some((typical - passed).max(0.0)),
        None if workers == 0 => None,
        // Those that run are half done on average, which this counts as whole: better early than late.
        None => Some(typical * (1.0 + (ahead as f64 / workers as f64).floor())),
    }
}

#[cfg(test)]
mod tests {
    use super::remaining;

    #[test]
    fn waiting_is_the_rounds_before_it_and_its_own_and_running_is_what_is_left() {
        assert_eq!(remaining(60.0, 0, 2, None), Some(60.0));
        assert_eq!(remaining(60.0, 5, 2, None), Some(180.0));
        assert_eq!(remaining(60.0, 5, 0, None), None, "nobody is there to run it");
        assert_eq!(remaining(60.0, 5, 0, Some(45.0)), Some(15.0));
        assert_eq!(remaining(60.0, 5, 0, Some(75.0)), Some(0.0));
    }
}
