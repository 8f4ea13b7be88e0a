//! Boards published elsewhere.

use axum::extract::State;
use charts::{Axis, ParetoPoint};
use selection::Sort;
use serde::Deserialize;
use store::external::{ExternalBoard, ExternalRow};

use super::{Page, board, layout, page};
use crate::{
    Service,
    auth::Visitor,
    error::AppError,
    extract::Query,
    views::{self, Choice, ExternalPage, ExternalSource, Params, Rate, Rtfx, Section, TRACKS, Timestamp},
};

#[derive(Deserialize)]
pub(crate) struct View {
    board: Option<String>,
    sort: Option<String>,
    dir: Option<String>,
}

pub(crate) async fn show(
    State(service): State<Service>,
    Visitor(user): Visitor,
    Query(view): Query<View>,
) -> Page {
    let snapshot = service.board();
    let board = match &view.board {
        None => snapshot.external.first(),
        Some(slug) => Some(
            snapshot
                .external
                .iter()
                .find(|board| board.slug == *slug)
                .ok_or_else(|| AppError::NotFound(format!("board \u{201c}{slug}\u{201d}")))?,
        ),
    };
    let slug = board.map(|board| board.slug.clone()).unwrap_or_default();
    let mut layout = layout(&service, Section::External, user.as_ref());
    layout.json_href = Some("/api/v1/external".to_owned());
    let mut view = ExternalPage {
        layout,
        boards: snapshot
            .external
            .iter()
            .map(|board| Choice {
                value: board.slug.clone(),
                label: board.label.clone(),
                selected: board.slug == slug,
            })
            .collect(),
        source: board.map(|board| ExternalSource {
            label: board.label.clone(),
            href: board.source_url.clone().filter(|url| is_web_page(url)),
            note: board.note.clone(),
            loaded_at: Timestamp(board.imported_at),
        }),
        board: slug,
        sort: Sort::named(view.sort.as_deref(), view.dir.as_deref()),
        rows: board.map(rows).unwrap_or_default(),
        chart: board.map(|external| {
            board::both_layouts(
                "external",
                "Word error rate against speed, as published",
                points(external),
                (Axis::rtfx(), "Word error rate, %".to_owned()),
                None,
            )
        }),
    };
    view.sort_rows();
    page(&view)
}

/// A link of another scheme would run in the reader's browser.
fn is_web_page(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// Which rows are on the Pareto front of accuracy against speed.
pub(crate) fn front(rows: &[ExternalRow]) -> Vec<bool> {
    let points: Vec<(f64, f64)> =
        rows.iter().map(|row| (row.avg_wer, row.rtfx.unwrap_or(f64::NAN))).collect();
    scoring::pareto::front(&points)
}

fn rows(board: &ExternalBoard) -> Vec<views::ExternalRow> {
    let mut rows: Vec<(&ExternalRow, bool)> = board.rows.iter().zip(front(&board.rows)).collect();
    rows.sort_by(|(left, _), (right, _)| left.avg_wer.total_cmp(&right.avg_wer));
    (1_u32..)
        .zip(rows)
        .map(|(place, (row, on_front))| views::ExternalRow {
            place,
            model: row.model.clone(),
            avg_wer: Rate(row.avg_wer),
            tracks: TRACKS.map(|track| Rate(row.tracks.get(track.name).copied().unwrap_or(f64::NAN))),
            rtfx: row.rtfx.map(Rtfx),
            num_params: row.num_params.map(|count| Params(count.round() as u64)),
            on_front,
        })
        .collect()
}

fn points(board: &ExternalBoard) -> Vec<ParetoPoint> {
    let mut rows: Vec<(&ExternalRow, bool)> = board.rows.iter().zip(front(&board.rows)).collect();
    rows.sort_by(|(left, _), (right, _)| left.avg_wer.total_cmp(&right.avg_wer));
    (1_u32..)
        .zip(rows)
        .filter_map(|(place, (row, on_front))| {
            let speed = row.rtfx?;
            Some(ParetoPoint {
                label: row.model.rsplit('/').next().unwrap_or(&row.model).to_owned(),
                href: format!("#place-{place}"),
                detail: board::detail(row.avg_wer, speed),
                across: speed,
                across_interval: None,
                error: row.avg_wer,
                error_interval: None,
                on_front,
            })
        })
        .collect()
}
