//! One submission with everything needed to decide on it.

use askama::Template;
use protocol::SubmissionId;

use crate::views::{
    layout::{Choice, Layout},
    measured::Remark,
    quantity::{Bytes, Timestamp},
    states::{StateWords, state_words},
    submission::{Deadline, FindingView, MessageView, TimelineEvent},
};

/// `GET /admin/submissions/{id}`.
#[derive(Debug, Template)]
#[template(path = "admin/review.html")]
pub struct ReviewPage {
    /// The frame.
    pub layout: Layout,
    /// The time this page was made.
    pub now: Timestamp,
    /// Which.
    pub id: SubmissionId,
    /// Public name of the model.
    pub model: String,
    /// Who stands behind it.
    pub organisation: String,
    /// Stable name of the state.
    pub state: String,
    /// Since when.
    pub since: Timestamp,
    /// By when somebody should have acted.
    pub deadline: Option<Deadline>,
    /// What the manifest says, name and value.
    pub facts: Vec<(String, String)>,
    /// What was found.
    pub findings: Vec<FindingView>,
    /// Doubts about the times and answers of its latest run.
    pub remarks: Vec<Remark>,
    /// Its files.
    pub files: Vec<FileRow>,
    /// The evaluator, if there is one.
    pub source: Option<SourceView>,
    /// Who submitted it.
    pub user: String,
    /// What their earlier submissions came to, one sentence.
    pub record: String,
    /// Their other submissions, newest first.
    pub others: Vec<HistoryRow>,
    /// What can be done now.
    pub actions: Vec<NamedAction>,
    /// Reasons to choose from.
    pub templates: Vec<ReasonTemplate>,
    /// Priorities to choose from; empty where none can be set.
    pub priorities: Vec<Choice>,
    /// The thread with the submitter.
    pub messages: Vec<MessageView>,
    /// Actions of staff so far.
    pub audit: Vec<super::AuditRow>,
    /// What happened, oldest first.
    pub timeline: Vec<TimelineEvent>,
    /// The one it replaces.
    pub revision_of: Option<SubmissionId>,
}

impl ReviewPage {
    pub(crate) fn words(&self) -> StateWords {
        state_words(&self.state)
    }
}

/// A button.
#[derive(Debug, Clone)]
pub struct NamedAction {
    /// Stable name, which is sent.
    pub name: &'static str,
    /// What the button says.
    pub label: &'static str,
    /// The one that is expected most.
    pub primary: bool,
}

/// A reason that is given often.
#[derive(Debug, Clone, Copy)]
pub struct ReasonTemplate {
    /// Stable name, which is sent.
    pub name: &'static str,
    /// A few words, to choose by.
    pub label: &'static str,
    /// What the submitter reads.
    pub text: &'static str,
}

/// One file of the model.
#[derive(Debug, Clone)]
pub struct FileRow {
    /// Its name.
    pub name: String,
    /// It comes from the hub and was not handed in.
    pub from_hub: bool,
    /// Its size.
    pub bytes: Bytes,
    /// SHA-256 of the content.
    pub sha256: String,
    /// How it compares with the file of that name in the previous revision: new, changed, same.
    pub change: &'static str,
}

/// The evaluator's source, or how it differs from the previous revision's.
#[derive(Debug, Clone)]
pub struct SourceView {
    /// Name of the file.
    pub name: String,
    /// Its lines.
    pub lines: Vec<SourceLine>,
    /// It is shown against the previous revision's.
    pub is_diff: bool,
    /// Nothing but this can be said, e.g. that it cannot be read.
    pub problem: Option<String>,
}

/// One line of source.
#[derive(Debug, Clone)]
pub struct SourceLine {
    /// Its number; none for a line that is gone.
    pub number: Option<usize>,
    /// `added`, `removed` or empty.
    pub change: &'static str,
    /// Its text in pieces.
    pub pieces: Vec<Piece>,
    /// A finding points here.
    pub flagged: bool,
}

/// A piece of a line with the style class of what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// `keyword`, `string`, `comment`, `number`, `definition` or empty.
    pub class: &'static str,
    /// The text.
    pub text: String,
}

/// An earlier submission.
#[derive(Debug, Clone)]
pub struct HistoryRow {
    /// Which.
    pub id: SubmissionId,
    /// Its model.
    pub model: String,
    /// Stable name of the state.
    pub state: String,
    /// Since when.
    pub since: Timestamp,
}

impl HistoryRow {
    pub(crate) fn words(&self) -> StateWords {
        state_words(&self.state)
    }
}
