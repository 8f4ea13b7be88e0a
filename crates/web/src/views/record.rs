//! The record of a result: what staff did to it, which revisions there are, and who objects.

use askama::Template;
use protocol::SubmissionId;

use super::{
    admin::AuditRow,
    layout::Layout,
    quantity::Timestamp,
    states::{StateWords, state_words},
};

/// `GET /models/{id}/record`.
#[derive(Debug, Template)]
#[template(path = "record.html")]
pub struct RecordPage {
    /// The frame.
    pub layout: Layout,
    /// Which.
    pub id: SubmissionId,
    /// Public name of the model.
    pub model: String,
    /// Stable name of the state.
    pub state: String,
    /// Since when.
    pub since: Timestamp,
    /// Since when it is kept from the board and by whom.
    pub hidden: Option<(Timestamp, String)>,
    /// Who confirmed it and when.
    pub verified: Option<(Timestamp, String)>,
    /// The one it replaced.
    pub revision_of: Option<SubmissionId>,
    /// The one that replaces it.
    pub revised_by: Option<SubmissionId>,
    /// What was done to it, oldest first.
    pub audit: Vec<AuditRow>,
    /// Objections, oldest first.
    pub objections: Vec<ObjectionView>,
    /// The reader may object.
    pub may_object: bool,
    /// The reader may decide.
    pub may_decide: bool,
}

impl RecordPage {
    pub(crate) fn words(&self) -> StateWords {
        state_words(&self.state)
    }

    pub(crate) fn is_on_the_board(&self) -> bool {
        self.state == "published" && self.hidden.is_none()
    }
}

/// One objection.
#[derive(Debug, Clone)]
pub struct ObjectionView {
    /// Which.
    pub id: i64,
    /// When it was raised.
    pub at: Timestamp,
    /// By whom.
    pub author: String,
    /// What is doubted and why.
    pub body: String,
    /// When it was decided, by whom, how and why.
    pub decision: Option<(Timestamp, String, String, String)>,
}
