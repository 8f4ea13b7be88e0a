//! Tables published elsewhere: read-only, shown apart.

use std::collections::BTreeMap;

use sqlx::{PgPool, types::Json};
use time::OffsetDateTime;

use crate::{BOARD_CHANNEL, StoreError, notify};

/// One row of a table published elsewhere. Rates are fractions.
#[derive(Debug, Clone, PartialEq)]
pub struct ExternalRow {
    /// Model name as published.
    pub model: String,
    /// Average WER as published.
    pub avg_wer: f64,
    /// WER by track name.
    pub tracks: BTreeMap<String, f64>,
    /// RTFx as published.
    pub rtfx: Option<f64>,
    /// Parameters.
    pub num_params: Option<f64>,
}

/// A table published elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct ExternalBoard {
    /// What it is.
    pub label: String,
    /// Short name for URLs.
    pub slug: String,
    /// Where it was published.
    pub source_url: Option<String>,
    /// What a reader must know to compare, e.g. the hardware of the speeds.
    pub note: Option<String>,
    /// When it was loaded.
    pub imported_at: OffsetDateTime,
    /// Its rows, in the order given.
    pub rows: Vec<ExternalRow>,
}

/// A table to be loaded.
#[derive(Debug, Clone, Copy)]
pub struct NewExternalBoard<'a> {
    /// What it is.
    pub label: &'a str,
    /// Short name for URLs.
    pub slug: &'a str,
    /// Where it was published.
    pub source_url: Option<&'a str>,
    /// What a reader must know to compare.
    pub note: Option<&'a str>,
    /// Its rows, in the order published.
    pub rows: &'a [ExternalRow],
}

/// Loads a table, replacing an earlier one of the same label, all or nothing.
///
/// # Errors
/// When another label has the same slug or the database fails.
pub async fn replace(pool: &PgPool, board: NewExternalBoard<'_>) -> Result<(), StoreError> {
    let NewExternalBoard { label, slug, source_url, note, rows } = board;
    let mut transaction = pool.begin().await?;
    sqlx::query("DELETE FROM external_boards WHERE label = $1")
        .bind(label)
        .execute(&mut *transaction)
        .await?;
    sqlx::query("INSERT INTO external_boards (label, slug, source_url, note) VALUES ($1, $2, $3, $4)")
        .bind(label)
        .bind(slug)
        .bind(source_url)
        .bind(note)
        .execute(&mut *transaction)
        .await
        .map_err(|error| {
            if StoreError::violates(&error, "external_boards_slug_key") {
                StoreError::NameTaken(format!("the address \u{201c}{slug}\u{201d} made from the label"))
            } else {
                error.into()
            }
        })?;
    for (position, row) in (0_i32..).zip(rows) {
        sqlx::query(
            "INSERT INTO external_results (label, position, model, avg_wer, tracks, rtfx, num_params)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(label)
        .bind(position)
        .bind(&row.model)
        .bind(row.avg_wer)
        .bind(Json(&row.tracks))
        .bind(row.rtfx)
        .bind(row.num_params)
        .execute(&mut *transaction)
        .await?;
    }
    notify(&mut transaction, BOARD_CHANNEL).await?;
    transaction.commit().await?;
    Ok(())
}

/// All tables published elsewhere, with their rows.
///
/// # Errors
/// When the database fails.
pub async fn list(pool: &PgPool) -> Result<Vec<ExternalBoard>, StoreError> {
    type Row = (String, f64, Json<BTreeMap<String, f64>>, Option<f64>, Option<f64>);
    type Board = (String, String, Option<String>, Option<String>, OffsetDateTime);
    let boards: Vec<Board> = sqlx::query_as(
        "SELECT label, slug, source_url, note, imported_at FROM external_boards ORDER BY label",
    )
    .fetch_all(pool)
    .await?;
    let mut list = Vec::with_capacity(boards.len());
    for (label, slug, source_url, note, imported_at) in boards {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT model, avg_wer, tracks, rtfx, num_params FROM external_results WHERE label = $1 ORDER BY position",
        )
        .bind(&label)
        .fetch_all(pool)
        .await?;
        let rows = rows
            .into_iter()
            .map(|(model, avg_wer, tracks, rtfx, num_params)| ExternalRow {
                model,
                avg_wer,
                tracks: tracks.0,
                rtfx,
                num_params,
            })
            .collect();
        list.push(ExternalBoard { label, slug, source_url, note, imported_at, rows });
    }
    Ok(list)
}
