//! A submission's page: where it is, who has to act, and what happened so far.

use askama::Template;
use protocol::{AttemptId, FailureClass, FaultOwner, Stage, SubmissionId};

use super::{
    layout::Layout,
    quantity::{Age, Timestamp},
    states::{StateWords, state_words},
};

/// `GET /submissions/{id}`.
#[derive(Debug, Template)]
#[template(path = "submission.html")]
pub struct SubmissionPage {
    /// The frame.
    pub layout: Layout,
    /// The submission.
    pub id: SubmissionId,
    /// Public name of the model.
    pub model: String,
    /// Who stands behind it.
    pub organisation: String,
    /// Slug of the release.
    pub release: String,
    /// Stable name of the state it is in.
    pub state: String,
    /// Since when.
    pub since: Timestamp,
    /// The time this page was made.
    pub now: Timestamp,
    /// Its place in the queue, 1 being next; only while queued.
    pub queue_position: Option<u32>,
    /// How far the running attempt is.
    pub progress: Option<LiveProgress>,
    /// What happened, oldest first.
    pub timeline: Vec<TimelineEvent>,
    /// Attempts, newest first.
    pub attempts: Vec<AttemptView>,
    /// The result, once published.
    pub result_href: Option<String>,
    /// The visitor may cancel it now (`POST /submissions/{id}/cancel`).
    pub may_cancel: bool,
    /// What else there is to see and to do.
    pub details: Details,
}

/// What there is to see and to do besides the state itself; the default is nothing.
#[derive(Debug, Clone, Default)]
pub struct Details {
    /// By when somebody should have acted.
    pub deadline: Option<Deadline>,
    /// When the attempt is expected to end, in words, and what that rests on.
    pub estimate: Option<String>,
    /// The model on the hub that it is made of, and its page there.
    pub hub: Option<HubLink>,
    /// What the checks found.
    pub findings: Vec<FindingView>,
    /// The reader is the submitter or of the staff, and sees the thread and the token's way.
    pub is_insider: bool,
    /// The thread with the reviewers.
    pub messages: Vec<MessageView>,
    /// Where the reader, if the submitter, answers.
    pub may_answer: bool,
    /// The reader may take the result off the board.
    pub may_withdraw: bool,
    /// Where the reader hands in a new revision.
    pub revise_href: Option<String>,
    /// Where the reader of the staff decides on it.
    pub review_href: Option<String>,
    /// Since when staff keep the result from the board and by whom.
    pub hidden: Option<(Timestamp, String)>,
    /// The one it replaces.
    pub revision_of: Option<SubmissionId>,
    /// The one that replaces it.
    pub revised_by: Option<SubmissionId>,
    /// What was taken from the submitter's quota and given back.
    pub tokens: Vec<TokenMove>,
    /// What the submitter has left, in words.
    pub quota: Option<String>,
    /// The end of the log of the running attempt, for insiders.
    pub live_log: Option<String>,
}

/// A model on the hub at its commit.
#[derive(Debug, Clone)]
pub struct HubLink {
    /// Its id there.
    pub model: String,
    /// The commit.
    pub revision: String,
    /// Its page.
    pub href: String,
}

/// By when somebody should have acted.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    /// Then.
    pub at: Timestamp,
    /// That has passed.
    pub is_past: bool,
}

impl Deadline {
    /// How long until then, or since.
    pub(crate) fn distance(&self, now: &Timestamp) -> Age {
        if self.is_past { self.at.age(now) } else { now.age(&self.at) }
    }
}

/// One finding of the checks.
#[derive(Debug, Clone)]
pub struct FindingView {
    /// A reviewer has to look at it.
    pub is_caution: bool,
    /// A file, a line, or both.
    pub place: String,
    /// What was seen.
    pub sentence: String,
    /// What to do about it.
    pub advice: String,
}

/// One message of the thread.
#[derive(Debug, Clone)]
pub struct MessageView {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub author: String,
    /// Of the staff.
    pub from_staff: bool,
    /// What.
    pub body: String,
}

/// A token taken or given back.
#[derive(Debug, Clone)]
pub struct TokenMove {
    /// When.
    pub at: Timestamp,
    /// Taken, not given back.
    pub taken: bool,
    /// Why.
    pub reason: String,
}

/// How far an attempt is.
#[derive(Debug, Clone, Copy)]
pub struct LiveProgress {
    /// The stage it is in.
    pub stage: Stage,
    /// Items done in this stage.
    pub done: u32,
    /// Items of this stage.
    pub total: u32,
}

impl LiveProgress {
    /// Which stage this is, counted from one, and how many there are.
    pub(crate) fn place(self) -> String {
        let before = Stage::ALL.iter().position(|&stage| stage == self.stage).unwrap_or_default();
        format!("{} of {}", before + 1, Stage::ALL.len())
    }

    /// The stage in words.
    pub(crate) fn label(self) -> &'static str {
        match self.stage {
            Stage::Fetching => "fetching the model and the audio",
            Stage::Loading => "starting the model",
            Stage::WarmingUp => "warming up, not timed",
            Stage::Transcribing => "transcribing, timed and scored",
            Stage::Repeating => "repeat passes for the speed's interval",
            Stage::Streaming => "streaming in real time",
            Stage::Rendering => "rendering a release",
            Stage::Uploading => "handing in the results",
        }
    }
}

/// One entry of the history.
#[derive(Debug, Clone)]
pub struct TimelineEvent {
    /// Stable name of the state that was entered.
    pub state: String,
    /// No state was entered: something was noted of a result that stays where it is.
    pub is_note: bool,
    /// When.
    pub at: Timestamp,
    /// Who moved it.
    pub who: String,
    /// Why; may be empty.
    pub why: String,
}

impl TimelineEvent {
    pub(crate) fn label(&self) -> &'static str {
        if self.is_note { "Noted" } else { state_words(&self.state).label }
    }
}

/// One attempt.
#[derive(Debug, Clone)]
pub struct AttemptView {
    /// Which attempt of this submission, counted from one.
    pub number: u32,
    /// The attempt.
    pub id: AttemptId,
    /// Its state, in a word.
    pub state: String,
    /// Name of the worker, once one has taken it.
    pub worker: Option<String>,
    /// Hardware class it runs on.
    pub hardware_class: String,
    /// When a worker took it.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// The end of the model's log; may be empty.
    pub log_tail: String,
}

/// Why an attempt failed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Of what kind.
    pub class: FailureClass,
    /// One sentence from where it happened.
    pub message: String,
}

impl Failure {
    /// The platform's fault, which repeats by itself.
    pub(crate) fn is_ours(&self) -> bool {
        self.class.owner() == FaultOwner::Platform
    }
}

impl SubmissionPage {
    pub(crate) fn words(&self) -> StateWords {
        state_words(&self.state)
    }

    /// Why the submission failed, if that is where it stands.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        if self.state != "failed" {
            return None;
        }
        self.attempts.first().and_then(|attempt| attempt.failure.as_ref())
    }
}
