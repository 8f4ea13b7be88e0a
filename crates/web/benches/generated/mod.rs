//! Published results of models that do not exist, with their draws: as many as one likes.

use serde_json::{Value, json};
use store::{
    PgPool,
    accounts::{self, Role},
    releases::{self, NewRelease},
};
use uuid::Uuid;

/// The hardware class of all of them.
pub(crate) const CLASS: &str = "cpu-2core";
const TRACKS: [&str; 9] =
    ["near", "far-high", "far-mid", "far-low", "sweep", "moving-mid", "reverb-only", "noise-only", "silence"];
const REPLICATIONS: usize = 10_000;
/// Results written at once.
const CHUNK: usize = 500;

/// Number from 0 to 1 that looks random.
fn spread(number: usize, salt: f64) -> f64 {
    ((number as f64 + 1.0) * salt).fract()
}

fn error(model: usize) -> f64 {
    0.05 + 0.9 * spread(model, 0.754_877)
}

/// Fills an empty database with a release and the published results of `models` models under all scorers.
pub(crate) async fn fill(pool: &PgPool, models: usize) {
    let user = accounts::put_user(pool, "sam", Role::Submitter, "correct horse").await.unwrap();
    let new = NewRelease {
        slug: "bench",
        version: "1",
        title: "Generated",
        manifest_sha256: &"a".repeat(64),
        about: &json!({ "tracks": TRACKS }),
        items: &[],
        files: &[],
        key: None,
    };
    let release = releases::freeze(pool, &new).await.unwrap();
    // What all models err on together.
    let shared: Vec<f64> =
        (0..REPLICATIONS).map(|draw| spread(draw, 0.618_033) + spread(draw, 0.414_213) - 1.0).collect();
    for first in (0..models).step_by(CHUNK) {
        let numbers: Vec<usize> = (first..models.min(first + CHUNK)).collect();
        let ids = |kind: u128| -> Vec<Uuid> {
            numbers.iter().map(|number| Uuid::from_u128((kind << 64) | (*number as u128 + 1))).collect()
        };
        let (submissions, jobs) = (ids(1), ids(2));
        sqlx::query(
            "INSERT INTO submissions (id, user_id, release_id, hardware_class, manifest, state)
             SELECT id, $1, $2, $3, m, 'published' FROM unnest($4::uuid[], $5::jsonb[]) AS new (id, m)",
        )
        .bind(user.0)
        .bind(release.0)
        .bind(CLASS)
        .bind(&submissions)
        .bind(numbers.iter().map(|number| manifest(*number)).collect::<Vec<_>>())
        .execute(pool)
        .await
        .unwrap();
        sqlx::query(
            "INSERT INTO jobs (id, kind, submission_id, state, hardware_class, runtime, seed, started_at, finished_at,
                               results_sha256)
             SELECT id, 'evaluate', s, 'succeeded', $1, 'onnx', 1, now(), now(), repeat('b', 64)
             FROM unnest($2::uuid[], $3::uuid[]) AS new (id, s)",
        )
        .bind(CLASS)
        .bind(&jobs)
        .bind(&submissions)
        .execute(pool)
        .await
        .unwrap();
        for profile in scoring::ScoringProfile::ALL {
            scores(pool, &profile.scorer(), &jobs, &numbers, &shared).await;
        }
    }
    sqlx::query("VACUUM ANALYZE").execute(pool).await.unwrap();
}

fn manifest(number: usize) -> Value {
    json!({
        "name": format!("Model number {number}"),
        "organisation": format!("Organisation {}", number % 300),
        "licence": (["MIT", "Apache-2.0", "CC-BY-4.0", "proprietary"][number % 4]),
        "runtime": (["onnx", "nemo", "transformers"][number % 3]),
        "num_params": 1_000_000 * (number % 900 + 1),
    })
}

fn report() -> Value {
    json!({
        "runtime": "onnx",
        "runtime_digest": "c".repeat(64),
        "isolation": "bubblewrap, seccomp, cgroups v2, no network",
        "ready_seconds": 4.2,
        "num_params": null,
        "peak_memory_bytes": 1_234_567_890_u64,
        "seed": 7,
        "fingerprint": {
            "cpu": "AMD EPYC 7B13",
            "cores": 2,
            "memory_bytes": 8_000_000_000_u64,
            "kernel": "6.1.0-18-amd64",
            "accelerators": ["NVIDIA L4"],
            "worker_version": "0.1.0",
        },
    })
}

fn summary(number: usize) -> Value {
    let average = error(number);
    let speed = 0.5 + 200.0 * spread(number, 0.569_84);
    let of = |place: usize| {
        let wer = average * (0.4 + 0.4 * place as f64);
        json!({
            "wer": wer, "interval": [wer - 0.01, wer + 0.012], "substitutions": 2100, "deletions": 700,
            "insertions": 300, "ref_words": 38_000, "items": 2000, "failed": 0, "rtfx": speed,
        })
    };
    let tracks: serde_json::Map<_, _> =
        TRACKS.iter().enumerate().map(|(place, track)| ((*track).to_owned(), of(place % 4))).collect();
    json!({
        "avg_wer": average,
        "avg_wer_interval": [average - 0.01, average + 0.01],
        "tracks": tracks,
        "rtfx": speed,
        "rtfx_interval": [0.98 * speed, 1.02 * speed],
        "rtfx_stable": true,
        "repeat_passes": 5,
        "latency": { "p50": 6.0 / speed, "p90": 9.0 / speed, "p95": 11.0 / speed, "p99": 16.0 / speed },
    })
}

fn draws(number: usize, shared: &[f64]) -> Vec<u8> {
    let own = 0.003 + 0.004 * spread(number, 0.3247);
    let salt = 0.123_456 + spread(number, 0.819_172);
    let draw = |(place, shared): (usize, &f64)| {
        let apart = spread(place, salt) + spread(place, salt / 3.0) - 1.0;
        ((error(number) + 0.006 * shared + own * apart) as f32).to_le_bytes()
    };
    shared.iter().enumerate().flat_map(draw).collect()
}

async fn scores(pool: &PgPool, scorer: &str, jobs: &[Uuid], numbers: &[usize], shared: &[f64]) {
    let tracks = &TRACKS[..8];
    sqlx::query(
        "INSERT INTO scores (attempt_id, scorer, summary, report)
         SELECT id, $1, summary, $2 FROM unnest($3::uuid[], $4::jsonb[]) AS new (id, summary)",
    )
    .bind(scorer)
    .bind(report())
    .bind(jobs)
    .bind(numbers.iter().map(|number| summary(*number)).collect::<Vec<_>>())
    .execute(pool)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO score_draws (attempt_id, scorer, replications, seed, estimate, average, tracks, covariances)
         SELECT id, $1, $2, 1, estimate, draws, $3, $4
         FROM unnest($5::uuid[], $6::float8[], $7::bytea[]) AS new (id, estimate, draws)",
    )
    .bind(scorer)
    .bind(i32::try_from(REPLICATIONS).unwrap())
    .bind(tracks)
    .bind(vec![1e-5; tracks.len() * (tracks.len() + 1) / 2])
    .bind(jobs)
    .bind(numbers.iter().map(|number| error(*number)).collect::<Vec<_>>())
    .bind(numbers.iter().map(|number| draws(*number, shared)).collect::<Vec<_>>())
    .execute(pool)
    .await
    .unwrap();
}
