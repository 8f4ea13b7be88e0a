//! Signing in, and a user's own submissions.

use askama::Template;
use protocol::{FailureClass, SubmissionId};

use super::{
    layout::Layout,
    quantity::Timestamp,
    states::{StateWords, state_words},
};

/// `GET /login`, and the answer to a `POST /login` that failed.
#[derive(Debug, Template)]
#[template(path = "login.html")]
pub struct LoginPage {
    /// The frame.
    pub layout: Layout,
    /// The account name as typed.
    pub name: String,
    /// What went wrong.
    pub error: Option<String>,
    /// Where to go afterwards, a path on this site.
    pub next: String,
}

/// `GET /submissions`.
#[derive(Debug, Template)]
#[template(path = "submissions.html")]
pub struct SubmissionsPage {
    /// The frame.
    pub layout: Layout,
    /// The time this page was made.
    pub now: Timestamp,
    /// The user's submissions, newest first.
    pub rows: Vec<SubmissionRow>,
    /// What the user has left, in words; staff have no quota.
    pub quota: Option<String>,
}

/// One of the user's submissions.
#[derive(Debug, Clone)]
pub struct SubmissionRow {
    /// The submission.
    pub id: SubmissionId,
    /// Public name of the model.
    pub model: String,
    /// Slug of the release.
    pub release: String,
    /// Stable name of the state.
    pub state: String,
    /// Since when.
    pub since: Timestamp,
    /// Why the last attempt failed, if it did.
    pub failure: Option<FailureClass>,
    /// The result, once published.
    pub result_href: Option<String>,
}

impl SubmissionRow {
    pub(crate) fn words(&self) -> StateWords {
        state_words(&self.state)
    }
}
