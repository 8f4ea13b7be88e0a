//! One worker: what it is made of, what it ran, and whether it kept its pace.

use askama::Template;

use super::WorkerRow;
use crate::views::{layout::Layout, quantity::Timestamp};

/// `GET /admin/workers/{name}`.
#[derive(Debug, Template)]
#[template(path = "admin/worker.html")]
pub struct NodePage {
    /// The frame.
    pub layout: Layout,
    /// The time this page was made.
    pub now: Timestamp,
    /// The worker.
    pub worker: WorkerRow,
    /// What it is made of: what, and how much of it.
    pub parts: Vec<(&'static str, String)>,
    /// Its calibration history as a drawing, the latest at the right.
    pub chart: String,
    /// How far from its usual pace a run counts, in percent.
    pub tolerance: Option<String>,
    /// Its calibration history, the newest first.
    pub paces: Vec<PaceRow>,
    /// What it ran, the newest first.
    pub leases: Vec<LeaseRow>,
    /// The reader may change something.
    pub is_admin: bool,
}

/// One measurement of the pace.
#[derive(Debug, Clone)]
pub struct PaceRow {
    /// When.
    pub at: Timestamp,
    /// `before` or `after` the attempt.
    pub moment: String,
    /// Milliseconds of the fixed piece of work.
    pub milliseconds: String,
    /// Distance from the usual value.
    pub deviation: String,
    /// A run counts at this pace.
    pub is_usual: bool,
    /// The model that was run.
    pub model: String,
    /// Page of its submission.
    pub href: String,
}

/// One lease.
#[derive(Debug, Clone)]
pub struct LeaseRow {
    /// The model, or the release that was rendered.
    pub subject: String,
    /// Its page.
    pub href: String,
    /// When it began.
    pub started: Timestamp,
    /// How long it took, or takes.
    pub took: String,
    /// How it ended.
    pub ended: String,
    /// Why it failed, in a sentence.
    pub message: Option<String>,
}
