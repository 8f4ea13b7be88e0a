//! The lease queue under load, on a real PostgreSQL: `cargo bench -p store`.
//!
//! A private cluster with its usual settings (so with fsync), the pool as the service opens it, 64 workers.
//!
//! - *claims*: 10 000 attempts of 100 submitters wait; all workers claim until nothing is left. Claims a second, and how
//!   long one claim took. Once with an empty history, once with 100 000 finished attempts beside (`FINISHED=1000000`
//!   for a million).
//! - *pickup*: all workers wait; 500 submissions come, one after the other. Time from the commit of the submission to
//!   the claim in a worker's hands, woken by the notification of the database as in the service.
//!
//! Bars (design §11): at least 1 000 claims a second, pickup p99 below 50 ms.
#![expect(clippy::unwrap_used, reason = "a bench that fails should say where")]

use std::{
    os::unix::fs::PermissionsExt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use protocol::{ModelManifest, ReleaseId, UserId};
use store::{
    PgListener, PgPool,
    accounts::{self, Role, Worker},
    embedded::Cluster,
    queue,
    submissions::{self, NewSubmission},
};
use tokio::{sync::watch, task::JoinSet};

const WORKERS: usize = 64;
const JOBS: usize = 10_000;
const SUBMITTERS: usize = 100;
const PICKUPS: usize = 500;
const CLASS: &str = "cpu-2core";
const LEASE: Duration = Duration::from_mins(10);

#[tokio::main]
async fn main() {
    let finished: usize =
        std::env::var("FINISHED").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let directory = tempfile::Builder::new().prefix("ffasr-bench-").tempdir_in("/tmp").unwrap();
    // The database's user passes through.
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let cluster = Cluster::start(&directory.path().join("postgres")).await.unwrap();
    let pool = store::connect(cluster.options("postgres")).await.unwrap();
    let release = release(&pool).await;
    let workers = workers(&pool).await;

    fill(&pool, release, JOBS, "queued").await;
    claims(&pool, &workers, "empty history").await;
    fill(&pool, release, finished, "succeeded").await;
    fill(&pool, release, JOBS, "queued").await;
    claims(&pool, &workers, &format!("{finished} finished")).await;
    pickup(&pool, &workers, release).await;
}

async fn release(pool: &PgPool) -> ReleaseId {
    let id = ReleaseId::new();
    sqlx::query(
        "INSERT INTO releases (id, slug, version, title, state, manifest_sha256, frozen_at)
         VALUES ($1, 'bench', '1', 'Bench', 'frozen', repeat('a', 64), now())",
    )
    .bind(id.0)
    .execute(pool)
    .await
    .unwrap();
    for number in 0..SUBMITTERS {
        sqlx::query("INSERT INTO users (id, name, role) VALUES ($1, $2, 'submitter')")
            .bind(UserId::new().0)
            .bind(format!("user-{number}"))
            .execute(pool)
            .await
            .unwrap();
    }
    id
}

async fn workers(pool: &PgPool) -> Vec<Worker> {
    let mut workers = Vec::new();
    for number in 0..WORKERS {
        let name = format!("node-{number}");
        let secret = accounts::issue_worker_token(pool, &name, &[CLASS.to_owned()]).await.unwrap();
        workers.push(accounts::worker_by_token(pool, &secret).await.unwrap().unwrap());
    }
    workers
}

fn manifest(name: &str) -> ModelManifest {
    ModelManifest {
        name: name.to_owned(),
        organisation: "bench".to_owned(),
        licence: "MIT".to_owned(),
        runtime: "pocketsphinx".to_owned(),
        num_params: None,
        training_data: String::new(),
        notes: String::new(),
        tracks: Vec::new(),
        multichannel: false,
        hub: None,
        decoding: std::collections::BTreeMap::new(),
    }
}

/// Puts `count` submissions with one attempt each into a state, as the queue would have left them.
async fn fill(pool: &PgPool, release: ReleaseId, count: usize, state: &str) {
    let manifest = serde_json::to_value(manifest("m")).unwrap();
    sqlx::query(
        "WITH numbered AS (SELECT n, gen_random_uuid() AS id FROM generate_series(1, $1) AS n),
              authors AS (SELECT id, row_number() OVER (ORDER BY name) - 1 AS place FROM users),
              made AS (
                  INSERT INTO submissions (id, user_id, release_id, hardware_class, manifest, state)
                  SELECT numbered.id, authors.id, $2, $3,
                         jsonb_set($4, '{name}', to_jsonb('model ' || numbered.id::text)),
                         CASE WHEN $5 = 'queued' THEN 'queued' ELSE 'published' END
                  FROM numbered JOIN authors ON authors.place = numbered.n % (SELECT count(*) FROM users))
         INSERT INTO jobs (id, kind, submission_id, state, turn, hardware_class, runtime, seed, started_at, finished_at)
         SELECT gen_random_uuid(), 'evaluate', id, $5, n / (SELECT count(*) FROM users), $3, 'pocketsphinx', 0,
                CASE WHEN $5 = 'queued' THEN NULL ELSE now() END, CASE WHEN $5 = 'queued' THEN NULL ELSE now() END
         FROM numbered",
    )
    .bind(i32::try_from(count).unwrap())
    .bind(release.0)
    .bind(CLASS)
    .bind(manifest)
    .bind(state)
    .execute(pool)
    .await
    .unwrap();
    sqlx::query("ANALYZE").execute(pool).await.unwrap();
}

async fn claims(pool: &PgPool, workers: &[Worker], what: &str) {
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for worker in workers {
        let (pool, worker) = (pool.clone(), worker.clone());
        tasks.spawn(async move {
            let runtimes = ["pocketsphinx".to_owned()];
            let mut times = Vec::new();
            loop {
                let began = Instant::now();
                if queue::claim(&pool, &worker, CLASS, &runtimes, LEASE).await.unwrap().is_none() {
                    return times;
                }
                times.push(began.elapsed());
            }
        });
    }
    let mut times: Vec<Duration> = tasks.join_all().await.concat();
    let rate = times.len() as f64 / started.elapsed().as_secs_f64();
    assert_eq!(times.len(), JOBS, "every attempt is claimed once");
    times.sort_unstable();
    println!(
        "claims, {what}: {rate:.0} a second (bar 1000); one takes p50 {:.1} ms, p99 {:.1} ms",
        quantile(&times, 0.5),
        quantile(&times, 0.99)
    );
}

async fn pickup(pool: &PgPool, workers: &[Worker], release: ReleaseId) {
    let woken = watch::Sender::new(());
    let mut listener = PgListener::connect_with(pool).await.unwrap();
    listener.listen(store::JOBS_CHANNEL).await.unwrap();
    let wake = woken.clone();
    let listening = tokio::spawn(async move {
        while listener.recv().await.is_ok() {
            wake.send_replace(());
        }
    });
    let (claimed, mut picked_up) = tokio::sync::mpsc::unbounded_channel();
    let done = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for worker in workers {
        let (pool, worker, mut woken, claimed, done) =
            (pool.clone(), worker.clone(), woken.subscribe(), claimed.clone(), done.clone());
        tasks.spawn(async move {
            let runtimes = ["pocketsphinx".to_owned()];
            while done.load(Ordering::Relaxed) < PICKUPS {
                woken.mark_unchanged();
                if let Some(attempt) = queue::claim(&pool, &worker, CLASS, &runtimes, LEASE).await.unwrap() {
                    claimed.send((attempt.submission, Instant::now())).unwrap();
                } else {
                    let _ = tokio::time::timeout(Duration::from_secs(1), woken.changed()).await;
                }
            }
        });
    }
    let user = accounts::put_user(pool, "pickup", Role::Submitter, "correct horse").await.unwrap();
    let mut times = Vec::new();
    for number in 0..PICKUPS {
        let manifest = manifest(&format!("pickup {number}"));
        let new = NewSubmission::plain((user, "pickup"), release, CLASS, &manifest);
        let id = submissions::accept(pool, new).await.unwrap();
        let committed = Instant::now();
        let (submission, at) = picked_up.recv().await.unwrap();
        assert_eq!(submission, id);
        // A worker may have it before the commit is acknowledged.
        times.push(at.saturating_duration_since(committed));
        done.fetch_add(1, Ordering::Relaxed);
    }
    woken.send_replace(());
    tasks.join_all().await;
    listening.abort();
    times.sort_unstable();
    println!(
        "pickup with {WORKERS} waiting workers: p50 {:.1} ms, p99 {:.1} ms (bar 50 ms)",
        quantile(&times, 0.5),
        quantile(&times, 0.99)
    );
}

/// Milliseconds at a quantile of sorted times.
fn quantile(sorted: &[Duration], quantile: f64) -> f64 {
    let place = ((sorted.len() - 1) as f64 * quantile).round() as usize;
    sorted[place].as_secs_f64() * 1000.0
}
