//! Releases, and how far the rendering of new ones is.

use askama::Template;
use protocol::BuildId;

use crate::views::{
    layout::Layout,
    quantity::{Count, Timestamp},
};

/// `GET /admin/releases`.
#[derive(Debug, Template)]
#[template(path = "admin/releases.html")]
pub struct ReleasesPage {
    /// The frame.
    pub layout: Layout,
    /// The time this page was made.
    pub now: Timestamp,
    /// What is being rendered or was, the latest first.
    pub builds: Vec<BuildRow>,
    /// Releases, the latest first.
    pub releases: Vec<ReleaseRow>,
    /// The reader may change something.
    pub is_admin: bool,
}

/// One build.
#[derive(Debug, Clone)]
pub struct BuildRow {
    /// Which.
    pub id: BuildId,
    /// `slug@version` of the release.
    pub release: String,
    /// When it was first started.
    pub started: Timestamp,
    /// Items rendered.
    pub done: Count,
    /// Items of the plan.
    pub items: Count,
    /// Where it is, in words.
    pub state: String,
    /// Why it does not go on by itself.
    pub fault: Option<String>,
    /// How long the rest takes, in words.
    pub remaining: Option<String>,
    /// Workers at it: name, and how far.
    pub workers: Vec<(String, String)>,
    /// Parts that failed and that nobody will try again by itself.
    pub stopped: i64,
    /// There is something to take off the queue.
    pub is_open: bool,
}

/// One release.
#[derive(Debug, Clone)]
pub struct ReleaseRow {
    /// Its slug and version.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Its state.
    pub state: String,
    /// How many items it has.
    pub items: Count,
    /// Results on its board.
    pub published: Count,
    /// Submissions on their way there.
    pub underway: Count,
    /// Hash of its manifest, once frozen.
    pub manifest_sha256: Option<String>,
    /// When it was frozen.
    pub frozen_at: Option<Timestamp>,
}
