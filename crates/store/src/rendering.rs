//! Builds of releases: render jobs on the lease queue, for any number of workers.
//!
//! A build is a list of shards. Each is opaque here: what to render as JSON, and what came of it. Shards are leased,
//! renewed and expired like attempts (see [`crate::queue`]); every lease is a row of its own, so is every retry. A shard
//! that has a result is never rendered again, and a build that is started again goes on where it was.

use std::time::Duration;

use protocol::{AttemptId, BuildId, FailureClass, FencingToken};
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    JOBS_CHANNEL, StoreError,
    accounts::Worker,
    audit, notify,
    queue::{Priority, RETRIES},
};

/// A build to start, or to go on with.
#[derive(Debug, Clone, Copy)]
pub struct NewBuild<'a> {
    /// `slug@version` of the release.
    pub release: &'a str,
    /// Hash that tells one plan from another.
    pub plan_sha256: &'a str,
    /// Program and version whose workers may render it.
    pub renderer: &'a str,
    /// The jobs, in the order of the plan.
    pub shards: &'a [NewShard],
}

/// One part of a build.
#[derive(Debug, Clone)]
pub struct NewShard {
    /// Items in it.
    pub items: u32,
    /// What to render, as JSON.
    pub job: String,
    /// Hashes of the dry recordings it needs, which are in storage.
    pub recordings: Vec<String>,
    /// Hash of a simulation that costs much and that it shares with others; nothing where it costs little.
    pub simulation: Option<String>,
}

/// Starts a build; one of the same plan goes on, what failed of it is tried again.
///
/// # Errors
/// When the database fails.
pub async fn start(pool: &PgPool, new: &NewBuild<'_>) -> Result<BuildId, StoreError> {
    let mut transaction = pool.begin().await?;
    let fresh = BuildId::new();
    sqlx::query(
        "INSERT INTO builds (id, release, plan_sha256, renderer) VALUES ($1, $2, $3, $4)
         ON CONFLICT (plan_sha256) DO NOTHING",
    )
    .bind(fresh.0)
    .bind(new.release)
    .bind(new.plan_sha256)
    .bind(new.renderer)
    .execute(&mut *transaction)
    .await?;
    let build: Uuid = sqlx::query_scalar("SELECT id FROM builds WHERE plan_sha256 = $1 FOR UPDATE")
        .bind(new.plan_sha256)
        .fetch_one(&mut *transaction)
        .await?;
    for (number, shard) in (0_i32..).zip(new.shards) {
        sqlx::query(
            "INSERT INTO shards (build_id, number, items, job, recordings, simulation) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT DO NOTHING",
        )
        .bind(build)
        .bind(number)
        .bind(i32::try_from(shard.items).unwrap_or(i32::MAX))
        .bind(&shard.job)
        .bind(&shard.recordings)
        .bind(&shard.simulation)
        .execute(&mut *transaction)
        .await?;
    }
    open_idle(&mut transaction, build).await?;
    notify(&mut transaction, JOBS_CHANNEL).await?;
    transaction.commit().await?;
    Ok(BuildId(build))
}

/// Puts every shard that has no result and that nobody is at on the queue; how many there were.
async fn open_idle(connection: &mut PgConnection, build: Uuid) -> Result<usize, StoreError> {
    let idle: Vec<i32> = sqlx::query_scalar(
        "SELECT number FROM shards s WHERE build_id = $1 AND result IS NULL AND NOT EXISTS
             (SELECT 1 FROM jobs j WHERE j.build_id = s.build_id AND j.shard = s.number AND j.state IN ('queued', 'leased'))
         ORDER BY number",
    )
    .bind(build)
    .fetch_all(&mut *connection)
    .await?;
    for number in &idle {
        open(connection, build, *number, 1, Duration::ZERO).await?;
    }
    Ok(idle.len())
}

/// Lets a build go on whose shards nobody will try again by itself, and writes that down. Returns how many shards that is.
///
/// # Errors
/// [`StoreError::Refused`] when nothing of it has stopped; otherwise when there is no such build or the database fails.
pub async fn resume(pool: &PgPool, build: BuildId, actor: &str) -> Result<usize, StoreError> {
    let mut transaction = pool.begin().await?;
    let release: String = sqlx::query_scalar("SELECT release FROM builds WHERE id = $1 FOR UPDATE")
        .bind(build.0)
        .fetch_optional(&mut *transaction)
        .await?
        .ok_or_else(|| StoreError::NotFound(format!("build {build}")))?;
    let opened = open_idle(&mut transaction, build.0).await?;
    if opened == 0 {
        return Err(StoreError::Refused(
            "every part of this build is rendered, with a worker or on the queue".to_owned(),
        ));
    }
    write_down(&mut transaction, (actor, "resume build"), &release).await?;
    notify(&mut transaction, JOBS_CHANNEL).await?;
    transaction.commit().await?;
    Ok(opened)
}

async fn write_down(
    connection: &mut PgConnection,
    (actor, action): (&str, &str),
    release: &str,
) -> Result<(), StoreError> {
    let entry = audit::Entry { actor, action, submission: None, subject: release, reason: "", public: false };
    audit::write(connection, entry).await
}

/// Puts a shard on the queue, behind everything that submitters wait for.
async fn open(
    connection: &mut PgConnection,
    build: Uuid,
    shard: i32,
    number: i32,
    delay: Duration,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO jobs (id, kind, build_id, shard, number, hardware_class, runtime, priority, seed, run_after)
         SELECT $1, 'render', id, $3, $4, '', renderer, $5, 0, now() + make_interval(secs => $6)
         FROM builds WHERE id = $2",
    )
    .bind(Uuid::now_v7())
    .bind(build)
    .bind(shard)
    .bind(number)
    .bind(Priority::Background.number())
    .bind(delay.as_secs_f64())
    .execute(connection)
    .await?;
    Ok(())
}

/// A shard in the hands of a worker.
#[derive(Debug)]
pub struct ClaimedShard {
    /// The lease, under the name that heartbeats give it.
    pub lease: AttemptId,
    /// Proof of it.
    pub fencing_token: FencingToken,
    /// What to render, as JSON.
    pub job: String,
    /// Hashes of the dry recordings it needs.
    pub recordings: Vec<String>,
}

/// Leases the next shard that this worker's renderer may render; a draining worker gets nothing.
///
/// Shards that share a simulation which costs much stay with one worker, who keeps it between them: nobody else gets one
/// while that worker is at another of them or has handed one in within the time of a lease, and it gets those first. When
/// it is gone, its lease ends and whoever comes next makes the simulation again.
///
/// # Errors
/// When the database fails.
pub async fn claim(
    pool: &PgPool,
    worker: &Worker,
    renderer: &str,
    lease: Duration,
) -> Result<Option<ClaimedShard>, StoreError> {
    let mut transaction = pool.begin().await?;
    // One claim at a time: two workers must not both find that nobody has a simulation.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('render claim'))").execute(&mut *transaction).await?;
    let row: Option<(Uuid, Uuid, String, Vec<String>)> = sqlx::query_as(
        "UPDATE jobs j SET state = 'leased', worker_id = $1, fencing_token = gen_random_uuid(), started_at = now(),
                lease_expires_at = now() + make_interval(secs => $3), stage = 'fetching'
         FROM shards s
         WHERE s.build_id = j.build_id AND s.number = j.shard AND j.id = (
             SELECT q.id FROM jobs q JOIN shards w ON w.build_id = q.build_id AND w.number = q.shard
             LEFT JOIN LATERAL (
                 SELECT bool_or(h.worker_id = $1) AS mine, bool_or(h.worker_id <> $1) AS others
                 FROM jobs h JOIN shards t ON t.build_id = h.build_id AND t.number = h.shard
                 WHERE t.build_id = w.build_id AND t.simulation = w.simulation AND (h.state = 'leased'
                     OR h.state = 'succeeded' AND h.finished_at > now() - make_interval(secs => $3))) held ON true
             WHERE q.kind = 'render' AND q.state = 'queued' AND q.run_after <= now() AND q.runtime = $2
               AND held.others IS NOT TRUE
               AND NOT (SELECT draining FROM workers WHERE id = $1)
               AND NOT EXISTS (SELECT 1 FROM queue_pauses WHERE resumed_at IS NULL)
             ORDER BY q.priority, held.mine IS TRUE DESC, q.id LIMIT 1 FOR UPDATE OF q SKIP LOCKED)
         RETURNING j.id, j.fencing_token, s.job, s.recordings",
    )
    .bind(worker.id.0)
    .bind(renderer)
    .bind(lease.as_secs_f64())
    .fetch_optional(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(row.map(|(lease, token, job, recordings)| ClaimedShard {
        lease: AttemptId(lease),
        fencing_token: FencingToken(token),
        job,
        recordings,
    }))
}

/// Whether a lease of a shard is held.
///
/// # Errors
/// [`StoreError::LeaseLost`] if it is not; otherwise when the database fails.
pub async fn check(pool: &PgPool, lease: AttemptId, token: FencingToken) -> Result<(), StoreError> {
    let held: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM jobs WHERE id = $1 AND fencing_token = $2 AND state = 'leased' AND kind = 'render')",
    )
    .bind(lease.0)
    .bind(token.0)
    .fetch_one(pool)
    .await?;
    if held { Ok(()) } else { Err(StoreError::LeaseLost) }
}

/// Ends a lease with what was rendered; its audio must be in storage. Saying it twice is harmless.
///
/// # Errors
/// [`StoreError::LeaseLost`] for a stale token; otherwise when the database fails.
pub async fn complete(
    pool: &PgPool,
    lease: AttemptId,
    token: FencingToken,
    result: &str,
) -> Result<(), StoreError> {
    let mut transaction = pool.begin().await?;
    let shard: Option<(Uuid, i32)> = sqlx::query_as(
        "UPDATE jobs SET state = 'succeeded', lease_expires_at = NULL, finished_at = now()
         WHERE id = $1 AND fencing_token = $2 AND kind = 'render' AND state = 'leased' RETURNING build_id, shard",
    )
    .bind(lease.0)
    .bind(token.0)
    .fetch_optional(&mut *transaction)
    .await?;
    let Some((build, number)) = shard else {
        let already: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM jobs j JOIN shards s ON s.build_id = j.build_id AND s.number = j.shard
                            WHERE j.id = $1 AND j.fencing_token = $2 AND j.state = 'succeeded' AND s.result = $3)",
        )
        .bind(lease.0)
        .bind(token.0)
        .bind(result)
        .fetch_one(&mut *transaction)
        .await?;
        return if already { Ok(()) } else { Err(StoreError::LeaseLost) };
    };
    sqlx::query("UPDATE shards SET result = $3 WHERE build_id = $1 AND number = $2")
        .bind(build)
        .bind(number)
        .bind(result)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// Ends a lease that failed, if it is one of a shard: `false` for any other. What the platform is to blame for is tried
/// again a few times, by itself; then, or if the job itself cannot be rendered, the build waits to be started again.
///
/// # Errors
/// [`StoreError::LeaseLost`] for a stale token; otherwise when the database fails.
pub async fn fail(
    pool: &PgPool,
    lease: AttemptId,
    token: FencingToken,
    class: FailureClass,
    message: &str,
) -> Result<bool, StoreError> {
    let mut transaction = pool.begin().await?;
    let kind: Option<String> = sqlx::query_scalar("SELECT kind FROM jobs WHERE id = $1")
        .bind(lease.0)
        .fetch_optional(&mut *transaction)
        .await?;
    if kind.as_deref() != Some("render") {
        return Ok(false);
    }
    let held = sqlx::query(
        "SELECT 1 FROM jobs WHERE id = $1 AND fencing_token = $2 AND state = 'leased' FOR UPDATE",
    )
    .bind(lease.0)
    .bind(token.0)
    .fetch_optional(&mut *transaction)
    .await?;
    if held.is_none() {
        return Err(StoreError::LeaseLost);
    }
    give_up(&mut transaction, lease.0, class, message).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Ends a lease if it is one of a shard, is still overdue and nobody is at it.
pub(crate) async fn expire(
    connection: &mut PgConnection,
    lease: Uuid,
    message: &str,
) -> Result<bool, StoreError> {
    let overdue = sqlx::query(
        "SELECT 1 FROM jobs WHERE id = $1 AND kind = 'render' AND state = 'leased' AND lease_expires_at < now()
         FOR UPDATE SKIP LOCKED",
    )
    .bind(lease)
    .fetch_optional(&mut *connection)
    .await?;
    if overdue.is_none() {
        return Ok(false);
    }
    give_up(connection, lease, FailureClass::WorkerLost, message).await?;
    Ok(true)
}

/// Ends a lease of a shard that the caller has locked, and opens the next.
async fn give_up(
    connection: &mut PgConnection,
    lease: Uuid,
    class: FailureClass,
    message: &str,
) -> Result<(), StoreError> {
    let (build, shard, number): (Uuid, i32, i32) = sqlx::query_as(
        "UPDATE jobs SET state = 'failed', failure_class = $2, message = $3, lease_expires_at = NULL, finished_at = now()
         WHERE id = $1 RETURNING build_id, shard, number",
    )
    .bind(lease)
    .bind(class.as_str())
    .bind(message.replace('\0', "\u{fffd}"))
    .fetch_one(&mut *connection)
    .await?;
    if class.owner() == protocol::FaultOwner::Platform && number <= RETRIES {
        let delay = match class {
            FailureClass::WorkerLost => Duration::ZERO,
            _ => Duration::from_secs(15 << number.clamp(1, 6)),
        };
        open(connection, build, shard, number + 1, delay).await?;
        notify(connection, JOBS_CHANNEL).await?;
    }
    Ok(())
}

/// How far a build is.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct BuildProgress {
    /// The build.
    pub build: Uuid,
    /// `slug@version` of the release.
    pub release: String,
    /// When it was first started.
    pub created_at: OffsetDateTime,
    /// Items of the plan.
    pub items: i64,
    /// Items rendered, those under way included as far as their workers have told.
    pub done: i64,
    /// Shards of the plan.
    pub shards: i64,
    /// Shards rendered.
    pub rendered: i64,
    /// Shards in the hands of workers.
    pub running: i64,
    /// Shards waiting for one.
    pub waiting: i64,
    /// Why shards that nobody will try again failed, as one of them says.
    pub fault: Option<String>,
    /// Seconds a worker takes for an item, over the shards that are rendered.
    pub seconds_an_item: Option<f64>,
    /// A release of this name is frozen.
    pub is_frozen: bool,
}

impl BuildProgress {
    /// Every shard is rendered.
    pub fn is_complete(&self) -> bool {
        self.rendered == self.shards
    }

    /// How long the rest takes at the present number of workers; nothing when none is at it or nothing was measured yet.
    pub fn remaining(&self) -> Option<Duration> {
        let left = (self.items - self.done).max(0) as f64;
        let workers = (self.running > 0).then_some(self.running as f64)?;
        Duration::try_from_secs_f64(left * self.seconds_an_item? / workers).ok()
    }

    /// Shards that nobody is at and that nobody will try again by itself.
    pub fn stopped(&self) -> i64 {
        self.shards - self.rendered - self.running - self.waiting
    }

    /// Nothing of it runs or waits, and it is not complete: it goes on only when it is started again.
    pub fn is_stuck(&self) -> bool {
        !self.is_complete() && self.running == 0 && self.waiting == 0
    }
}

/// The builds, the latest first; of one, or of all.
///
/// # Errors
/// When the database fails.
pub async fn progress(pool: &PgPool, build: Option<BuildId>) -> Result<Vec<BuildProgress>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT b.id AS build, b.release, b.created_at, count(*) AS shards, sum(s.items) AS items,
                sum(CASE WHEN s.result IS NOT NULL THEN s.items WHEN j.state = 'leased' AND j.stage = 'rendering'
                         THEN least(j.progress_done, s.items) ELSE 0 END) AS done,
                count(s.result) AS rendered,
                count(*) FILTER (WHERE s.result IS NULL AND j.state = 'leased') AS running,
                count(*) FILTER (WHERE s.result IS NULL AND j.state = 'queued') AS waiting,
                min(j.message) FILTER (WHERE s.result IS NULL AND j.state = 'failed') AS fault,
                (sum(extract(epoch FROM j.finished_at - j.started_at)) FILTER (WHERE j.state = 'succeeded')
                 / sum(s.items) FILTER (WHERE j.state = 'succeeded'))::float8 AS seconds_an_item,
                EXISTS (SELECT 1 FROM releases r WHERE r.slug || '@' || r.version = b.release AND r.frozen_at IS NOT NULL)
                    AS is_frozen
         FROM builds b JOIN shards s ON s.build_id = b.id
         LEFT JOIN LATERAL (SELECT state, stage, progress_done, message, started_at, finished_at FROM jobs
                            WHERE kind = 'render' AND build_id = s.build_id AND shard = s.number ORDER BY id DESC LIMIT 1) j ON true
         WHERE $1::uuid IS NULL OR b.id = $1
         GROUP BY b.id ORDER BY b.created_at DESC",
    )
    .bind(build.map(|build| build.0))
    .fetch_all(pool)
    .await?)
}

/// What the shards of a complete build gave, in their order.
///
/// # Errors
/// When the database fails, or a shard is not rendered yet.
pub async fn results(pool: &PgPool, build: BuildId) -> Result<Vec<String>, StoreError> {
    let results: Vec<Option<String>> =
        sqlx::query_scalar("SELECT result FROM shards WHERE build_id = $1 ORDER BY number")
            .bind(build.0)
            .fetch_all(pool)
            .await?;
    results
        .into_iter()
        .collect::<Option<_>>()
        .ok_or_else(|| StoreError::NotFound("result of every shard of this build yet".to_owned()))
}

/// Removes a build and everything on the queue for it, and writes that down; its audio stays in storage. Whoever renders a
/// part of it learns so from the next heartbeat.
///
/// # Errors
/// When there is no such build, or the database fails.
pub async fn cancel(pool: &PgPool, build: BuildId, actor: &str) -> Result<(), StoreError> {
    let mut transaction = pool.begin().await?;
    let release: String = sqlx::query_scalar("DELETE FROM builds WHERE id = $1 RETURNING release")
        .bind(build.0)
        .fetch_optional(&mut *transaction)
        .await?
        .ok_or_else(|| StoreError::NotFound(format!("build {build}")))?;
    write_down(&mut transaction, (actor, "cancel build"), &release).await?;
    transaction.commit().await?;
    Ok(())
}
