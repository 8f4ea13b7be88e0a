//! What attempts are worth: written once by the scorer, read by the board.

use std::collections::BTreeMap;

use protocol::{AttemptId, ItemId, ModelManifest, ReleaseId, RunReport, SubmissionId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{PgConnection, PgPool, types::Json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::StoreError;

/// Rates and times of one attempt under one scorer version. Rates are fractions, times seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Unweighted mean of the ranked tracks' WER, never rounded; null while a ranked track has no words.
    pub avg_wer: Option<f64>,
    /// 95 % interval of it.
    pub avg_wer_interval: Option<(f64, f64)>,
    /// By track name.
    pub tracks: BTreeMap<String, TrackSummary>,
    /// Audio seconds by processing seconds over the ranked tracks.
    pub rtfx: Option<f64>,
    /// 95 % interval of it, from the repeat passes.
    pub rtfx_interval: Option<(f64, f64)>,
    /// Whether that interval is narrow enough (half-width at most 3 %).
    pub rtfx_stable: bool,
    /// Repeat passes behind the interval.
    pub repeat_passes: u32,
    /// Per-item latency.
    pub latency: Latency,
}

/// Percentiles of the time of one item, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Median.
    pub p50: f64,
    /// 90 %.
    pub p90: f64,
    /// 95 %.
    pub p95: f64,
    /// 99 %.
    pub p99: f64,
}

/// One track of a [`Summary`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrackSummary {
    /// (S + D + I) / N; null without reference words.
    pub wer: Option<f64>,
    /// 95 % interval of it.
    pub interval: Option<(f64, f64)>,
    /// S.
    pub substitutions: u64,
    /// D.
    pub deletions: u64,
    /// I.
    pub insertions: u64,
    /// N.
    pub ref_words: u64,
    /// Items.
    pub items: u32,
    /// Items for which the model reported an error.
    pub failed: u32,
    /// Audio seconds by processing seconds.
    pub rtfx: Option<f64>,
}

/// Error counts of one item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ItemScore {
    /// The item.
    pub item: ItemId,
    /// Words right.
    pub hits: u32,
    /// S.
    pub substitutions: u32,
    /// D.
    pub deletions: u32,
    /// I.
    pub insertions: u32,
    /// The model reported an error.
    pub failed: bool,
    /// Time the item took.
    pub seconds: f64,
}

/// Scores of one attempt, to be published.
#[derive(Debug)]
pub struct NewScores {
    /// Scorer version, e.g. `ffasr@1/whisper-en@1`.
    pub scorer: String,
    /// Rates and times.
    pub summary: Summary,
    /// How it ran.
    pub report: RunReport,
    /// Counts per item.
    pub items: Vec<ItemScore>,
}

pub(crate) async fn insert(
    connection: &mut PgConnection,
    attempt: AttemptId,
    scores: &NewScores,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO scores (attempt_id, scorer, summary, report) VALUES ($1, $2, $3, $4)")
        .bind(attempt.0)
        .bind(&scores.scorer)
        .bind(Json(&scores.summary))
        .bind(Json(&scores.report))
        .execute(&mut *connection)
        .await?;
    let column = |count: fn(&ItemScore) -> u32| -> Vec<i32> {
        scores.items.iter().map(|item| i32::try_from(count(item)).unwrap_or(i32::MAX)).collect()
    };
    sqlx::query(
        "INSERT INTO item_scores (attempt_id, scorer, item_id, hits, substitutions, deletions, insertions, failed, seconds)
         SELECT $1, $2, * FROM unnest($3::uuid[], $4::int[], $5::int[], $6::int[], $7::int[], $8::bool[], $9::float8[])",
    )
    .bind(attempt.0)
    .bind(&scores.scorer)
    .bind(scores.items.iter().map(|item| item.item.0).collect::<Vec<Uuid>>())
    .bind(column(|item| item.hits))
    .bind(column(|item| item.substitutions))
    .bind(column(|item| item.deletions))
    .bind(column(|item| item.insertions))
    .bind(scores.items.iter().map(|item| item.failed).collect::<Vec<bool>>())
    .bind(scores.items.iter().map(|item| item.seconds).collect::<Vec<f64>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// A published result.
#[derive(Debug, Clone)]
pub struct Published {
    /// Whose result.
    pub submission: SubmissionId,
    /// The attempt it comes from.
    pub attempt: AttemptId,
    /// On which release.
    pub release: ReleaseId,
    /// On which hardware class.
    pub hardware_class: String,
    /// The model.
    pub manifest: ModelManifest,
    /// Scorer version.
    pub scorer: String,
    /// Rates and times.
    pub summary: Summary,
    /// How it ran.
    pub report: RunReport,
    /// Seed of the order.
    pub seed: u64,
    /// When it was submitted.
    pub submitted_at: OffsetDateTime,
    /// When a worker took it.
    pub started_at: OffsetDateTime,
    /// When the attempt ended.
    pub finished_at: OffsetDateTime,
    /// When it was scored.
    pub scored_at: OffsetDateTime,
}

#[derive(sqlx::FromRow)]
struct PublishedRow {
    submission_id: Uuid,
    attempt_id: Uuid,
    release_id: Uuid,
    hardware_class: String,
    manifest: Value,
    scorer: String,
    summary: Value,
    report: Value,
    seed: i64,
    submitted_at: OffsetDateTime,
    started_at: OffsetDateTime,
    finished_at: OffsetDateTime,
    scored_at: OffsetDateTime,
}

/// Everything that is on a board under this scorer version.
///
/// # Errors
/// When the database fails.
pub async fn published(pool: &PgPool, scorer: &str) -> Result<Vec<Published>, StoreError> {
    let rows = sqlx::query_as::<_, PublishedRow>(
        "SELECT s.id AS submission_id, c.attempt_id, s.release_id, s.hardware_class, s.manifest, c.scorer, c.summary,
                c.report, j.seed, s.created_at AS submitted_at, j.started_at, j.finished_at, c.created_at AS scored_at
         FROM submissions s JOIN jobs j ON j.submission_id = s.id AND j.kind = 'evaluate'
              JOIN scores c ON c.attempt_id = j.id
         WHERE s.state = 'published' AND c.scorer = $1 ORDER BY s.id",
    )
    .bind(scorer)
    .fetch_all(pool)
    .await?;
    // A row of an older shape must not take the whole board down.
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let attempt = row.attempt_id;
            row.into_published()
                .inspect_err(|error| tracing::error!("the result of attempt {attempt} is left out: {error}"))
                .ok()
        })
        .collect())
}

impl PublishedRow {
    fn into_published(self) -> Result<Published, StoreError> {
        Ok(Published {
            submission: SubmissionId(self.submission_id),
            attempt: AttemptId(self.attempt_id),
            release: ReleaseId(self.release_id),
            hardware_class: self.hardware_class,
            manifest: serde_json::from_value(self.manifest)?,
            scorer: self.scorer,
            summary: serde_json::from_value(self.summary)?,
            report: serde_json::from_value(self.report)?,
            seed: self.seed.cast_unsigned(),
            submitted_at: self.submitted_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
            scored_at: self.scored_at,
        })
    }
}

/// Error counts of one item of one attempt, with the clusters it belongs to.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ItemCounts {
    /// The item.
    pub item_id: Uuid,
    /// Its track.
    pub track: String,
    /// The utterance, the same in every track.
    pub utterance: String,
    /// Who speaks.
    pub talker: String,
    /// Where; null for dry speech.
    pub room: Option<String>,
    /// Words right.
    pub hits: i32,
    /// S.
    pub substitutions: i32,
    /// D.
    pub deletions: i32,
    /// I.
    pub insertions: i32,
}

/// Error counts of one attempt, in the order of the items' ids.
///
/// # Errors
/// When the database fails.
pub async fn item_counts(
    pool: &PgPool,
    attempt: AttemptId,
    scorer: &str,
) -> Result<Vec<ItemCounts>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT i.item_id, r.track, r.utterance, r.talker, r.room, i.hits, i.substitutions, i.deletions, i.insertions
         FROM item_scores i JOIN jobs j ON j.id = i.attempt_id JOIN submissions s ON s.id = j.submission_id
              JOIN items r ON r.release_id = s.release_id AND r.id = i.item_id
         WHERE i.attempt_id = $1 AND i.scorer = $2 ORDER BY i.item_id",
    )
    .bind(attempt.0)
    .bind(scorer)
    .fetch_all(pool)
    .await?)
}
