//! The operator's page.

use askama::Template;
use protocol::SubmissionId;

use super::{
    layout::Layout,
    quantity::{Count, Timestamp},
    states::{StateWords, state_words},
};

/// A worker not heard from for this long has lost its lease (design §4).
const LEASE_SECONDS: u64 = 90;

/// `GET /admin`.
#[derive(Debug, Template)]
#[template(path = "admin.html")]
pub struct AdminPage {
    /// The frame.
    pub layout: Layout,
    /// The time this page was made.
    pub now: Timestamp,
    /// Submissions, the newest first.
    pub submissions: Vec<AdminSubmission>,
    /// Workers.
    pub workers: Vec<WorkerRow>,
    /// Releases.
    pub releases: Vec<ReleaseRow>,
}

/// One submission as the operator sees it.
#[derive(Debug, Clone)]
pub struct AdminSubmission {
    /// The submission.
    pub id: SubmissionId,
    /// Public name of the model.
    pub model: String,
    /// Account that submitted it.
    pub user: String,
    /// Slug of the release.
    pub release: String,
    /// Stable name of the state.
    pub state: String,
    /// Since when.
    pub since: Timestamp,
    /// What the operator can do in this state.
    pub actions: Vec<Action>,
}

impl AdminSubmission {
    pub(crate) fn words(&self) -> StateWords {
        state_words(&self.state)
    }
}

/// A button of the operator: one `POST`.
#[derive(Debug, Clone)]
pub struct Action {
    /// What the button says.
    pub label: String,
    /// Where it posts to.
    pub href: String,
}

/// One worker.
#[derive(Debug, Clone)]
pub struct WorkerRow {
    /// Its name.
    pub name: String,
    /// Hardware classes its token is issued for.
    pub hardware_classes: Vec<String>,
    /// When it was last heard from.
    pub last_seen: Option<Timestamp>,
    /// What it is doing, in words.
    pub doing: String,
}

impl WorkerRow {
    /// Not heard from within the lease time.
    pub(crate) fn is_silent(&self, now: &Timestamp) -> bool {
        self.last_seen.is_none_or(|seen| seen.age(now).0 > LEASE_SECONDS)
    }
}

/// One release.
#[derive(Debug, Clone)]
pub struct ReleaseRow {
    /// Slug.
    pub slug: String,
    /// Its state: draft, rendering, frozen, retired.
    pub state: String,
    /// Items of all tracks.
    pub items: Count,
    /// SHA-256 of its manifest, hexadecimal; nothing before it is frozen.
    pub manifest_sha256: Option<String>,
    /// When it was frozen.
    pub frozen_at: Option<Timestamp>,
}
