//! Results of `ffasr eval` that their senders vouch for alone: kept and shown apart from what ran here.

use protocol::{ModelManifest, RunReport, UserId};
use serde_json::Value;
use sqlx::{PgPool, types::Json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{BOARD_CHANNEL, StoreError, notify, scores::Summary};

/// A result to be kept; one of the same user, set and model is replaced.
#[derive(Debug)]
pub struct NewSelfReport<'a> {
    /// Whose account it came with.
    pub user: UserId,
    /// Slug of the release or dev set.
    pub release_slug: &'a str,
    /// Its version.
    pub release_version: &'a str,
    /// Its hash, 64 hexadecimal digits.
    pub manifest_sha256: &'a str,
    /// Scorer version.
    pub scorer: &'a str,
    /// The model.
    pub manifest: &'a ModelManifest,
    /// Rates and times.
    pub summary: &'a Summary,
    /// How it ran, in the sender's words.
    pub report: &'a RunReport,
}

/// A result as it was sent.
#[derive(Debug, Clone)]
pub struct SelfReport {
    /// Which.
    pub id: Uuid,
    /// Name of the account it came with.
    pub user: String,
    /// Slug of the release or dev set.
    pub release_slug: String,
    /// Its version.
    pub release_version: String,
    /// Its hash.
    pub manifest_sha256: String,
    /// Scorer version.
    pub scorer: String,
    /// The model.
    pub manifest: ModelManifest,
    /// Rates and times.
    pub summary: Summary,
    /// How it ran, in the sender's words.
    pub report: RunReport,
    /// When it came.
    pub received_at: OffsetDateTime,
}

/// Keeps a result; its id.
///
/// # Errors
/// When the database fails.
pub async fn put(pool: &PgPool, new: &NewSelfReport<'_>) -> Result<Uuid, StoreError> {
    let mut transaction = pool.begin().await?;
    let id = sqlx::query_scalar(
        "INSERT INTO self_reports (id, user_id, model, release_slug, release_version, manifest_sha256, scorer, manifest,
                                   summary, report)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (user_id, manifest_sha256, model) DO UPDATE
         SET scorer = excluded.scorer, manifest = excluded.manifest, summary = excluded.summary,
             report = excluded.report, received_at = now()
         RETURNING id",
    )
    .bind(Uuid::now_v7())
    .bind(new.user.0)
    .bind(&new.manifest.name)
    .bind(new.release_slug)
    .bind(new.release_version)
    .bind(new.manifest_sha256)
    .bind(new.scorer)
    .bind(Json(new.manifest))
    .bind(Json(new.summary))
    .bind(Json(new.report))
    .fetch_one(&mut *transaction)
    .await?;
    notify(&mut transaction, BOARD_CHANNEL).await?;
    transaction.commit().await?;
    Ok(id)
}

/// Removes a result; of a user, only their own. Whether there was one.
///
/// # Errors
/// When the database fails.
pub async fn remove(pool: &PgPool, id: Uuid, of: Option<UserId>) -> Result<bool, StoreError> {
    let mut transaction = pool.begin().await?;
    let removed =
        sqlx::query("DELETE FROM self_reports WHERE id = $1 AND ($2::uuid IS NULL OR user_id = $2)")
            .bind(id)
            .bind(of.map(|user| user.0))
            .execute(&mut *transaction)
            .await?;
    notify(&mut transaction, BOARD_CHANNEL).await?;
    transaction.commit().await?;
    Ok(removed.rows_affected() > 0)
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    user_name: String,
    release_slug: String,
    release_version: String,
    manifest_sha256: String,
    scorer: String,
    manifest: Value,
    summary: Value,
    report: Value,
    received_at: OffsetDateTime,
}

/// All of them: by set, and in each the lowest Avg WER first.
///
/// # Errors
/// When the database fails.
pub async fn list(pool: &PgPool) -> Result<Vec<SelfReport>, StoreError> {
    let rows = sqlx::query_as::<_, Row>(
        "SELECT r.id, u.name AS user_name, r.release_slug, r.release_version, r.manifest_sha256, r.scorer, r.manifest,
                r.summary, r.report, r.received_at
         FROM self_reports r JOIN users u ON u.id = r.user_id
         ORDER BY r.release_slug, r.release_version, r.manifest_sha256, (r.summary ->> 'avg_wer')::float8, r.id",
    )
    .fetch_all(pool)
    .await?;
    // A row of an older shape must not take the others down.
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let id = row.id;
            row.into_report()
                .inspect_err(|error| tracing::error!("self-report {id} is left out: {error}"))
                .ok()
        })
        .collect())
}

impl Row {
    fn into_report(self) -> Result<SelfReport, StoreError> {
        Ok(SelfReport {
            id: self.id,
            user: self.user_name,
            release_slug: self.release_slug,
            release_version: self.release_version,
            manifest_sha256: self.manifest_sha256,
            scorer: self.scorer,
            manifest: serde_json::from_value(self.manifest)?,
            summary: serde_json::from_value(self.summary)?,
            report: serde_json::from_value(self.report)?,
            received_at: self.received_at,
        })
    }
}
