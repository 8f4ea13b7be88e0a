//! What appeared on the boards and what left them, for feeds.

use protocol::{ReleaseId, SubmissionId};
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::StoreError;

/// One result that appeared or left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Number of the event; never given twice.
    pub event: i64,
    /// Whose result.
    pub submission: SubmissionId,
    /// On which release.
    pub release: ReleaseId,
    /// Name of the model.
    pub model: String,
    /// Who stands behind it.
    pub organisation: String,
    /// On which hardware class.
    pub hardware_class: String,
    /// When.
    pub at: OffsetDateTime,
    /// The state it went to: `published`, or why it left.
    pub to_state: String,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    submission_id: Uuid,
    release_id: Uuid,
    model: String,
    organisation: String,
    hardware_class: String,
    at: OffsetDateTime,
    to_state: String,
}

/// The latest changes, the newest first. Of results that staff keep from the board there is nothing.
///
/// # Errors
/// When the database fails.
pub async fn latest(pool: &PgPool, most: i64) -> Result<Vec<Change>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT e.id, e.submission_id, s.release_id, s.model, s.manifest ->> 'organisation' AS organisation,
                s.hardware_class, e.at, e.to_state
         FROM submission_events e JOIN submissions s ON s.id = e.submission_id
         WHERE s.hidden_at IS NULL
           AND ((e.to_state = 'published' AND e.from_state IS DISTINCT FROM 'published')
                OR (e.from_state = 'published' AND e.to_state <> 'published'))
         ORDER BY e.id DESC LIMIT $1",
    )
    .bind(most)
    .fetch_all(pool)
    .await?;
    let change = |row: Row| Change {
        event: row.id,
        submission: SubmissionId(row.submission_id),
        release: ReleaseId(row.release_id),
        model: row.model,
        organisation: row.organisation,
        hardware_class: row.hardware_class,
        at: row.at,
        to_state: row.to_state,
    };
    Ok(rows.into_iter().map(change).collect())
}
