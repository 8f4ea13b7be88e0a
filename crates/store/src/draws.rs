//! Bootstrap draws of results, kept beside their scores: ranking a board needs them again and again.

use std::collections::HashMap;

use protocol::AttemptId;
use sqlx::PgPool;
use uuid::Uuid;

use crate::StoreError;

/// The draws of one result under one scorer and one plan.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptDraws {
    /// Avg WER of the result itself.
    pub estimate: f64,
    /// Avg WER of each replication.
    pub average: Vec<f32>,
    /// The tracks of the covariances.
    pub tracks: Vec<String>,
    /// Covariances of their WERs: rows of the lower triangle, diagonal included.
    pub covariances: Vec<f64>,
}

/// How draws were made: equal plans on one sample are paired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Number of replications.
    pub replications: usize,
    /// Seed of the generator.
    pub seed: u64,
}

impl Plan {
    fn replications(self) -> i32 {
        i32::try_from(self.replications).unwrap_or(i32::MAX)
    }
}

/// Keeps the draws of an attempt under a scorer in place of those of another plan.
///
/// # Errors
/// When the database fails or the attempt has no scores of this scorer.
pub async fn keep(
    pool: &PgPool,
    (attempt, scorer): (AttemptId, &str),
    plan: Plan,
    draws: &KeptDraws,
) -> Result<(), StoreError> {
    let average: Vec<u8> = draws.average.iter().flat_map(|value| value.to_le_bytes()).collect();
    sqlx::query(
        "INSERT INTO score_draws (attempt_id, scorer, replications, seed, estimate, average, tracks, covariances)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (attempt_id, scorer) DO UPDATE SET replications = $3, seed = $4, estimate = $5, average = $6,
             tracks = $7, covariances = $8",
    )
    .bind(attempt.0)
    .bind(scorer)
    .bind(plan.replications())
    .bind(plan.seed.cast_signed())
    .bind(draws.estimate)
    .bind(average)
    .bind(&draws.tracks)
    .bind(&draws.covariances)
    .execute(pool)
    .await?;
    Ok(())
}

/// The draws that are kept of some attempts under a scorer and a plan, the first `most` of each.
///
/// # Errors
/// When the database fails.
pub async fn kept(
    pool: &PgPool,
    (attempts, scorer): (&[AttemptId], &str),
    plan: Plan,
    most: usize,
) -> Result<HashMap<AttemptId, KeptDraws>, StoreError> {
    type Row = (Uuid, f64, Vec<u8>, Vec<String>, Vec<f64>);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT attempt_id, estimate, substring(average FROM 1 FOR 4 * $5), tracks, covariances FROM score_draws
         WHERE attempt_id = ANY($1) AND scorer = $2 AND replications = $3 AND seed = $4",
    )
    .bind(attempts.iter().map(|attempt| attempt.0).collect::<Vec<Uuid>>())
    .bind(scorer)
    .bind(plan.replications())
    .bind(plan.seed.cast_signed())
    .bind(i32::try_from(most).unwrap_or(i32::MAX / 4))
    .fetch_all(pool)
    .await?;
    let single = |bytes: &[u8]| -> Vec<f32> {
        let (values, _) = bytes.as_chunks::<4>();
        values.iter().map(|value| f32::from_le_bytes(*value)).collect()
    };
    Ok(rows
        .into_iter()
        .map(|(attempt, estimate, average, tracks, covariances)| {
            let draws = KeptDraws { estimate, average: single(&average), tracks, covariances };
            (AttemptId(attempt), draws)
        })
        .collect())
}
