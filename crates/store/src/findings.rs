//! What the automatic checks found in a submission.

use std::collections::HashMap;

use protocol::SubmissionId;
use sqlx::{PgConnection, PgPool};

use crate::StoreError;

/// One thing that was found, at one place. Refusals are told at once and never stored.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, sqlx::FromRow)]
pub struct Finding {
    /// `note` or `caution`.
    pub severity: String,
    /// Stable name of the rule.
    pub rule: String,
    /// A file, a line, or both; empty for the submission as a whole.
    pub place: String,
    /// What was seen, one sentence.
    pub sentence: String,
    /// What to do about it, one sentence.
    pub advice: String,
}

impl Finding {
    /// A reviewer has to look at it.
    pub fn is_caution(&self) -> bool {
        self.severity == "caution"
    }
}

pub(crate) async fn insert(
    connection: &mut PgConnection,
    submission: SubmissionId,
    findings: &[Finding],
) -> Result<(), StoreError> {
    for (position, finding) in (0..).zip(findings) {
        sqlx::query(
            "INSERT INTO submission_findings (submission_id, position, severity, rule, place, sentence, advice)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(submission.0)
        .bind::<i32>(position)
        .bind(&finding.severity)
        .bind(&finding.rule)
        .bind(&finding.place)
        .bind(&finding.sentence)
        .bind(&finding.advice)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// The findings of a submission, the heaviest first.
///
/// # Errors
/// When the database fails.
pub async fn of(pool: &PgPool, submission: SubmissionId) -> Result<Vec<Finding>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT severity, rule, place, sentence, advice FROM submission_findings WHERE submission_id = $1 ORDER BY position",
    )
    .bind(submission.0)
    .fetch_all(pool)
    .await?)
}

/// The findings of many submissions; those without any are left out.
///
/// # Errors
/// When the database fails.
pub async fn of_many(
    pool: &PgPool,
    submissions: &[SubmissionId],
) -> Result<HashMap<SubmissionId, Vec<Finding>>, StoreError> {
    let ids: Vec<uuid::Uuid> = submissions.iter().map(|id| id.0).collect();
    let rows: Vec<(uuid::Uuid, String, String, String, String, String)> = sqlx::query_as(
        "SELECT submission_id, severity, rule, place, sentence, advice FROM submission_findings
         WHERE submission_id = ANY($1) ORDER BY submission_id, position",
    )
    .bind(&ids)
    .fetch_all(pool)
    .await?;
    let mut found: HashMap<SubmissionId, Vec<Finding>> = HashMap::new();
    for (id, severity, rule, place, sentence, advice) in rows {
        let finding = Finding { severity, rule, place, sentence, advice };
        found.entry(SubmissionId(id)).or_default().push(finding);
    }
    Ok(found)
}
