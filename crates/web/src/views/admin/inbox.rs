//! What waits for the staff, oldest first.

use askama::Template;
use protocol::{FailureClass, SubmissionId};

use super::ReasonTemplate;
use crate::views::{
    layout::Layout,
    quantity::{Count, Timestamp},
    states::{StateWords, state_words},
    submission::{Deadline, FindingView},
};

/// `GET /admin`.
#[derive(Debug, Template)]
#[template(path = "admin/inbox.html")]
pub struct InboxPage {
    /// The frame.
    pub layout: Layout,
    /// The time this page was made.
    pub now: Timestamp,
    /// This page with its filter, to come back to.
    pub here: String,
    /// The filters.
    pub filters: Vec<Filter>,
    /// What is shown, oldest first.
    pub entries: Vec<InboxEntry>,
    /// Reasons to choose from.
    pub templates: Vec<ReasonTemplate>,
    /// Open objections to results.
    pub objections: Vec<OpenObjection>,
}

impl InboxPage {
    /// The first filter, which shows what waits for the staff, is chosen.
    pub(crate) fn shows_waiting(&self) -> bool {
        self.filters.first().is_some_and(|filter| filter.current)
    }
}

/// A filter of the inbox.
#[derive(Debug, Clone)]
pub struct Filter {
    /// What it is called.
    pub label: String,
    /// Where it leads.
    pub href: String,
    /// How many there are.
    pub count: Count,
    /// How many of them are late.
    pub late: u64,
    /// It is chosen now.
    pub current: bool,
}

/// One submission of the inbox.
#[derive(Debug, Clone)]
pub struct InboxEntry {
    /// Which.
    pub id: SubmissionId,
    /// Public name of the model.
    pub model: String,
    /// Who stands behind it.
    pub organisation: String,
    /// Account that submitted it.
    pub user: String,
    /// Slug of the release.
    pub release: String,
    /// Name of the runtime.
    pub runtime: String,
    /// Licence as stated.
    pub licence: String,
    /// Stable name of the state.
    pub state: String,
    /// Since when.
    pub since: Timestamp,
    /// By when somebody should have acted.
    pub deadline: Option<Deadline>,
    /// Name of its priority, unless it is the usual one.
    pub priority: Option<&'static str>,
    /// It brings an evaluator.
    pub has_evaluator: bool,
    /// It replaces an earlier one.
    pub is_revision: bool,
    /// What was found.
    pub findings: Vec<FindingView>,
    /// How many findings call for a look.
    pub cautions: u64,
    /// Whose turn it is in the thread, if there is one.
    pub thread: Option<&'static str>,
    /// Why it failed, if it did.
    pub failure: Option<FailureClass>,
    /// It waits for a decision to let it run.
    pub may_approve: bool,
}

impl InboxEntry {
    pub(crate) fn words(&self) -> StateWords {
        state_words(&self.state)
    }
}

/// An objection that waits for a decision.
#[derive(Debug, Clone)]
pub struct OpenObjection {
    /// The model.
    pub model: String,
    /// Where it is decided.
    pub href: String,
    /// Since when it waits.
    pub since: Timestamp,
}
