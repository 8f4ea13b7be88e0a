//! The public queue: what waits, what runs, and for how long.

use askama::Template;

use super::{
    layout::Layout,
    quantity::{Count, Timestamp},
    states::{StateWords, state_words},
    submission::LiveProgress,
};

/// `GET /queue`.
#[derive(Debug, Template)]
#[template(path = "queue.html")]
pub struct QueuePage {
    /// The frame.
    pub layout: Layout,
    /// The time this page was made.
    pub now: Timestamp,
    /// How many submissions are in each state that is not over.
    pub states: Vec<StateCount>,
    /// What waits and what runs, in the order it will run.
    pub jobs: Vec<QueueJob>,
    /// Workers heard from within the lease time.
    pub workers_online: u32,
    /// The queue is paused: since when and why.
    pub paused: Option<(Timestamp, String)>,
}

/// How many submissions are in one state.
#[derive(Debug, Clone)]
pub struct StateCount {
    /// Stable name of the state.
    pub state: String,
    /// How many.
    pub count: Count,
    /// Since when the oldest is in it.
    pub oldest_since: Option<Timestamp>,
    /// How many are there for longer than they should be.
    pub late: u64,
}

impl StateCount {
    pub(crate) fn words(&self) -> StateWords {
        state_words(&self.state)
    }
}

/// One submission that waits or runs.
#[derive(Debug, Clone)]
pub struct QueueJob {
    /// Its place, 1 being next; nothing once it runs.
    pub position: Option<u32>,
    /// Public name of the model.
    pub model: String,
    /// Who stands behind it.
    pub organisation: String,
    /// The submission's page, if the visitor may see it.
    pub href: Option<String>,
    /// Stable name of the state.
    pub state: String,
    /// Since when.
    pub since: Timestamp,
    /// Hardware class it runs on.
    pub hardware_class: String,
    /// How far it is, while it runs.
    pub progress: Option<LiveProgress>,
}

impl QueueJob {
    /// It is with a worker or the scorer, not waiting for somebody.
    pub(crate) fn runs(&self) -> bool {
        matches!(self.state.as_str(), "running" | "scoring")
    }

    pub(crate) fn words(&self) -> StateWords {
        state_words(&self.state)
    }
}
