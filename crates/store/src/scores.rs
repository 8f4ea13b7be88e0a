//! What attempts are worth: written once by the scorer, read by the board.

use protocol::{AttemptId, ItemId, Measurements, ModelManifest, ReleaseId, RunReport, SubmissionId};
pub use run_summary::{Latency, Summary, TrackSummary};
use serde_json::Value;
use sqlx::{PgConnection, PgPool, types::Json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{BOARD_CHANNEL, StoreError, notify};

/// Error counts of one item.
#[derive(Debug, Clone, PartialEq)]
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
    /// Characters of the normalised reference.
    pub ref_chars: u32,
    /// Character errors.
    pub char_errors: u32,
    /// The alignment as C, S, D and I; `None` where compounds are merged.
    pub path: Option<String>,
    /// What is wrong with the output as a whole.
    pub faults: Vec<String>,
}

/// Scores of one attempt under one scorer.
#[derive(Debug)]
pub struct NewScores {
    /// Scorer version, e.g. `ffasr@1/whisper-en@1`.
    pub scorer: String,
    /// Where it fails; no text.
    pub analysis: Option<Value>,
    /// Rates and times.
    pub summary: Summary,
    /// How it ran.
    pub report: RunReport,
    /// What was measured beside the times; the same for every scorer.
    pub measurements: Measurements,
    /// Counts per item.
    pub items: Vec<ItemScore>,
}

/// Stores the scores of an attempt beside those of other scorers. Scores that are there stay as they are: whether
/// these were stored.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    attempt: AttemptId,
    scores: &NewScores,
) -> Result<bool, StoreError> {
    let inserted = sqlx::query(
        "INSERT INTO scores (attempt_id, scorer, summary, report, analysis) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
    )
    .bind(attempt.0)
    .bind(&scores.scorer)
    .bind(Json(&scores.summary))
    .bind(Json(&scores.report))
    .bind(&scores.analysis)
    .execute(&mut *connection)
    .await?;
    if inserted.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query("INSERT INTO measurements (attempt_id, measurements) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(attempt.0)
        .bind(Json(&scores.measurements))
        .execute(&mut *connection)
        .await?;
    let column = |count: fn(&ItemScore) -> u32| -> Vec<i32> {
        scores.items.iter().map(|item| i32::try_from(count(item)).unwrap_or(i32::MAX)).collect()
    };
    // Arrays of arrays must be rectangular, so that the faults travel as one text each.
    sqlx::query(
        "INSERT INTO item_scores (attempt_id, scorer, item_id, hits, substitutions, deletions, insertions, failed, seconds,
                                  ref_chars, char_errors, path, faults)
         SELECT $1, $2, id, h, s, d, i, f, t, rc, ce, p, string_to_array(fs, ',')
         FROM unnest($3::uuid[], $4::int[], $5::int[], $6::int[], $7::int[], $8::bool[], $9::float8[], $10::int[],
                     $11::int[], $12::text[], $13::text[]) AS new (id, h, s, d, i, f, t, rc, ce, p, fs)",
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
    .bind(column(|item| item.ref_chars))
    .bind(column(|item| item.char_errors))
    .bind(scores.items.iter().map(|item| item.path.as_deref()).collect::<Vec<Option<&str>>>())
    .bind(scores.items.iter().map(|item| item.faults.join(",")).collect::<Vec<String>>())
    .execute(connection)
    .await?;
    Ok(true)
}

/// Adds the scores of another scorer to a published attempt, all or nothing: whether they were not there before.
///
/// # Errors
/// When the database fails.
pub async fn add(pool: &PgPool, attempt: AttemptId, scores: &NewScores) -> Result<bool, StoreError> {
    let mut transaction = pool.begin().await?;
    let added = insert(&mut transaction, attempt, scores).await?;
    notify(&mut transaction, BOARD_CHANNEL).await?;
    transaction.commit().await?;
    Ok(added)
}

/// An attempt whose result is published and whose hypotheses are kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The attempt.
    pub attempt: AttemptId,
    /// Whose.
    pub submission: SubmissionId,
    /// On which release.
    pub release: ReleaseId,
    /// Hash of the results as the worker stated it.
    pub results_sha256: String,
}

/// The published attempts that have no scores under this scorer, of one release or of all.
///
/// # Errors
/// When the database fails.
pub async fn unscored(
    pool: &PgPool,
    scorer: &str,
    release: Option<ReleaseId>,
) -> Result<Vec<Kept>, StoreError> {
    let rows: Vec<(Uuid, Uuid, Uuid, String)> = sqlx::query_as(
        "SELECT j.id, s.id, s.release_id, j.results_sha256
         FROM submissions s JOIN jobs j ON j.submission_id = s.id AND j.kind = 'evaluate'
         WHERE s.state = 'published' AND j.results_sha256 IS NOT NULL
           AND ($2::uuid IS NULL OR s.release_id = $2)
           AND EXISTS (SELECT FROM scores c WHERE c.attempt_id = j.id)
           AND NOT EXISTS (SELECT FROM scores c WHERE c.attempt_id = j.id AND c.scorer = $1)
         ORDER BY s.release_id, s.id",
    )
    .bind(scorer)
    .bind(release.map(|release| release.0))
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(attempt, submission, release, results_sha256)| Kept {
            attempt: AttemptId(attempt),
            submission: SubmissionId(submission),
            release: ReleaseId(release),
            results_sha256,
        })
        .collect())
}

/// A published result that is not hidden.
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
    /// What was measured beside the times; empty for results from before there was any.
    pub measurements: Measurements,
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
    /// How its errors depend on the conditions, as the scorer fitted it; `None` if there are too few items for that, or the
    /// result was scored before it was fitted.
    pub surface: Option<Value>,
}

impl Published {
    /// What the model reported when ready, else what its submitter states.
    pub fn num_params(&self) -> Option<u64> {
        self.report.num_params.or(self.manifest.num_params)
    }
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
    measurements: Option<Value>,
    seed: i64,
    submitted_at: OffsetDateTime,
    started_at: OffsetDateTime,
    finished_at: OffsetDateTime,
    scored_at: OffsetDateTime,
    surface: Option<Value>,
}

/// Everything that is on a board under this scorer version.
///
/// # Errors
/// When the database fails.
pub async fn published(pool: &PgPool, scorer: &str) -> Result<Vec<Published>, StoreError> {
    let rows = sqlx::query_as::<_, PublishedRow>(
        "SELECT s.id AS submission_id, c.attempt_id, s.release_id, s.hardware_class, s.manifest, c.scorer, c.summary,
                c.report, m.measurements, j.seed, s.created_at AS submitted_at, j.started_at, j.finished_at, c.created_at AS scored_at,
                c.analysis -> 'surface' AS surface
         FROM submissions s JOIN jobs j ON j.submission_id = s.id AND j.kind = 'evaluate'
              JOIN scores c ON c.attempt_id = j.id LEFT JOIN measurements m ON m.attempt_id = j.id
         WHERE s.state = 'published' AND s.hidden_at IS NULL AND c.scorer = $1 ORDER BY s.id",
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
            measurements: self.measurements.map(serde_json::from_value).transpose()?.unwrap_or_default(),
            seed: self.seed.cast_unsigned(),
            submitted_at: self.submitted_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
            scored_at: self.scored_at,
            surface: self.surface.filter(|surface| !surface.is_null()),
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

/// What one scorer made of an attempt, in short.
#[derive(Debug, Clone, PartialEq)]
pub struct ByScorer {
    /// The attempt.
    pub attempt: AttemptId,
    /// The scorer.
    pub scorer: String,
    /// Unweighted mean of the ranked tracks' WER.
    pub avg_wer: Option<f64>,
    /// 95 % interval of it.
    pub avg_wer_interval: Option<(f64, f64)>,
    /// When it was scored.
    pub scored_at: OffsetDateTime,
}

/// The results of all published attempts under all scorers, the oldest first.
///
/// # Errors
/// When the database fails.
pub async fn by_scorer(pool: &PgPool) -> Result<Vec<ByScorer>, StoreError> {
    type Row = (Uuid, String, Option<f64>, Option<f64>, Option<f64>, OffsetDateTime);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT c.attempt_id, c.scorer, (c.summary ->> 'avg_wer')::float8,
                (c.summary -> 'avg_wer_interval' ->> 0)::float8, (c.summary -> 'avg_wer_interval' ->> 1)::float8,
                c.created_at
         FROM submissions s JOIN jobs j ON j.submission_id = s.id AND j.kind = 'evaluate'
              JOIN scores c ON c.attempt_id = j.id
         WHERE s.state = 'published' AND s.hidden_at IS NULL ORDER BY c.created_at, c.scorer",
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(attempt, scorer, avg_wer, low, high, scored_at)| ByScorer {
            attempt: AttemptId(attempt),
            scorer,
            avg_wer,
            avg_wer_interval: low.zip(high),
            scored_at,
        })
        .collect())
}

/// Where an attempt fails; `None` if the scorer made no analysis.
///
/// # Errors
/// When the database fails.
pub async fn analysis(pool: &PgPool, attempt: AttemptId, scorer: &str) -> Result<Option<Value>, StoreError> {
    let found: Option<Option<Value>> =
        sqlx::query_scalar("SELECT analysis FROM scores WHERE attempt_id = $1 AND scorer = $2")
            .bind(attempt.0)
            .bind(scorer)
            .fetch_optional(pool)
            .await?;
    Ok(found.flatten())
}

/// What was measured in the latest scored attempt of a submission, whatever its state; `None` without one.
///
/// # Errors
/// When the database fails or holds something of another shape.
pub async fn measurements(
    pool: &PgPool,
    submission: SubmissionId,
) -> Result<Option<Measurements>, StoreError> {
    let found: Option<Value> = sqlx::query_scalar(
        "SELECT m.measurements FROM measurements m JOIN jobs j ON j.id = m.attempt_id
         WHERE j.submission_id = $1 ORDER BY j.id DESC LIMIT 1",
    )
    .bind(submission.0)
    .fetch_optional(pool)
    .await?;
    Ok(found.map(serde_json::from_value).transpose()?)
}

/// Everything that is kept of one item of one attempt, but for texts.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ItemDetails {
    /// Counts and clusters.
    #[sqlx(flatten)]
    pub counts: ItemCounts,
    /// Length of the audio in seconds.
    pub audio_seconds: f64,
    /// Measured conditions.
    pub conditions: Value,
    /// The model reported an error.
    pub failed: bool,
    /// Time the item took.
    pub seconds: f64,
    /// Characters of the reference, where they were counted.
    pub ref_chars: Option<i32>,
    /// Character errors, where they were counted.
    pub char_errors: Option<i32>,
    /// The alignment as C, S, D and I, where there is one.
    pub path: Option<String>,
    /// What is wrong with the output as a whole.
    pub faults: Vec<String>,
}

/// The items of one attempt, in the order of their ids.
///
/// # Errors
/// When the database fails.
pub async fn item_details(
    pool: &PgPool,
    attempt: AttemptId,
    scorer: &str,
) -> Result<Vec<ItemDetails>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT i.item_id, r.track, r.utterance, r.talker, r.room, i.hits, i.substitutions, i.deletions, i.insertions,
                r.seconds AS audio_seconds, r.conditions, i.failed, i.seconds, i.ref_chars, i.char_errors, i.path, i.faults
         FROM item_scores i JOIN jobs j ON j.id = i.attempt_id JOIN submissions s ON s.id = j.submission_id
              JOIN items r ON r.release_id = s.release_id AND r.id = i.item_id
         WHERE i.attempt_id = $1 AND i.scorer = $2 ORDER BY i.item_id",
    )
    .bind(attempt.0)
    .bind(scorer)
    .fetch_all(pool)
    .await?)
}
