//! Results that their senders vouch for alone, apart from the board.

use askama::Template;
use uuid::Uuid;

use super::{
    board::TRACKS,
    layout::Layout,
    quantity::{Estimate, Params, Rtfx, Seconds, Timestamp},
};

/// `GET /self-reported`.
#[derive(Debug, Template)]
#[template(path = "self_reports.html")]
pub struct SelfReportsPage {
    /// The frame.
    pub layout: Layout,
    /// Results by what they were made on.
    pub sets: Vec<SelfReportSet>,
}

/// The results on one release or dev set.
#[derive(Debug, Clone)]
pub struct SelfReportSet {
    /// Slug and version.
    pub release: String,
    /// Its hash.
    pub manifest_sha256: String,
    /// It is a release of this service.
    pub is_known: bool,
    /// The lowest Avg WER first.
    pub rows: Vec<SelfReportRow>,
}

/// One result as it was sent.
#[derive(Debug, Clone)]
pub struct SelfReportRow {
    /// Which.
    pub id: Uuid,
    /// Name of the model.
    pub model: String,
    /// Who stands behind it.
    pub organisation: String,
    /// The account it came with.
    pub sender: String,
    /// The visitor may remove it.
    pub may_remove: bool,
    /// Unweighted mean of the four tracks.
    pub avg_wer: Estimate,
    /// The four tracks, in the order of [`TRACKS`].
    pub tracks: [Estimate; 4],
    /// Speed on the sender's machine.
    pub rtfx: Option<Rtfx>,
    /// Median time of an item there.
    pub latency_p50: Seconds,
    /// Number of parameters.
    pub num_params: Option<Params>,
    /// The sender's machine.
    pub node: String,
    /// When it came.
    pub received_at: Timestamp,
}
