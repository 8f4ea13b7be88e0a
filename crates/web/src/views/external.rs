//! Results published elsewhere, for reading beside our own.

use askama::Template;
use selection::{Column, Sort, url_component};

use super::{
    board::{Chart, TRACKS},
    layout::{Choice, Layout},
    quantity::{Params, Rate, Rtfx, Timestamp},
};

/// `GET /external` with the query parameters `board`, `sort`, `dir`.
#[derive(Debug, Template)]
#[template(path = "external.html")]
pub struct ExternalPage {
    /// The frame.
    pub layout: Layout,
    /// Boards to choose from.
    pub boards: Vec<Choice>,
    /// Short name of the board shown.
    pub board: String,
    /// Where its figures come from; nothing if no board was loaded.
    pub source: Option<ExternalSource>,
    /// The order of the rows.
    pub sort: Sort,
    /// The rows, in that order; see [`ExternalPage::sort_rows`].
    pub rows: Vec<ExternalRow>,
    /// Avg WER over speed.
    pub chart: Option<Chart>,
}

/// Where published figures come from.
#[derive(Debug, Clone)]
pub struct ExternalSource {
    /// What the board is.
    pub label: String,
    /// Where it was published.
    pub href: Option<String>,
    /// What a reader must know to compare, e.g. `speeds on one NVIDIA L4, batch size 1`.
    pub note: Option<String>,
    /// When it was loaded here.
    pub loaded_at: Timestamp,
}

/// One model as published.
#[derive(Debug, Clone)]
pub struct ExternalRow {
    /// Place by Avg WER.
    pub place: u32,
    /// Name as published.
    pub model: String,
    /// Avg WER as published.
    pub avg_wer: Rate,
    /// WER of near, high, mid and low SNR, in the order of [`TRACKS`].
    pub tracks: [Rate; 4],
    /// Speed as published.
    pub rtfx: Option<Rtfx>,
    /// Number of parameters as published.
    pub num_params: Option<Params>,
    /// No other model is both faster and more accurate.
    pub on_front: bool,
}

impl ExternalRow {
    /// Where the chart's link leads: the row's `id` in the table.
    pub fn anchor(&self) -> String {
        format!("place-{}", self.place)
    }

    fn cell(&self, column: &Column) -> Option<f64> {
        match column {
            Column::Track(name) => {
                let rate = TRACKS.iter().zip(self.tracks).find(|(track, _)| track.name == name);
                rate.map(|(_, rate)| rate.0)
            }
            Column::Score => Some(self.avg_wer.0),
            Column::Rtfx => self.rtfx.map(|rtfx| rtfx.0),
            Column::Params => self.num_params.map(|params| params.0 as f64),
            _ => Some(f64::from(self.place)),
        }
    }
}

impl ExternalPage {
    /// Puts the rows into the order of [`ExternalPage::sort`].
    pub fn sort_rows(&mut self) {
        let sort = self.sort.clone();
        self.rows.sort_by(|left, right| {
            let order = if sort.column == Column::Model {
                sort.direction.of(left.model.to_lowercase().cmp(&right.model.to_lowercase()))
            } else {
                sort.compare(left.cell(&sort.column), right.cell(&sort.column))
            };
            order.then_with(|| left.place.cmp(&right.place))
        });
    }

    /// The URL of this view, sorted by a column.
    pub(crate) fn sort_href(&self, column: &Column) -> String {
        let sort = self.sort.clicked(column);
        let (column, direction) = (url_component(sort.column.name()), sort.direction.name());
        format!("/external?board={}&sort={column}&dir={direction}", url_component(&self.board))
    }
}
