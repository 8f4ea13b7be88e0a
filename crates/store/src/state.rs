//! The states of a submission and the moves between them: the only place that changes one.

use std::{fmt, str::FromStr};

use protocol::{FailureClass, SubmissionId};
use sqlx::PgConnection;

use crate::StoreError;

/// Where a submission is (design §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubmissionState {
    /// Being written.
    Draft,
    /// Files are on their way.
    Uploading,
    /// Automatic checks.
    Checking,
    /// A reviewer has to look.
    InReview,
    /// Waiting for a worker.
    Queued,
    /// On a worker.
    Running,
    /// Hypotheses are in; counting errors.
    Scoring,
    /// On the board.
    Published,
    /// A reviewer said no.
    Rejected,
    /// The model could not be run.
    Failed,
    /// Stopped by its submitter or an admin before it was done.
    Cancelled,
    /// Taken off the board by its submitter.
    Withdrawn,
    /// Replaced by a newer revision.
    Superseded,
    /// Taken off the board by an admin, pending a decision.
    Quarantined,
}

use SubmissionState::{
    Cancelled, Checking, Draft, Failed, InReview, Published, Quarantined, Queued, Rejected, Running, Scoring,
    Superseded, Uploading, Withdrawn,
};

impl SubmissionState {
    /// Every state.
    pub const ALL: [Self; 14] = [
        Draft,
        Uploading,
        Checking,
        InReview,
        Queued,
        Running,
        Scoring,
        Published,
        Rejected,
        Failed,
        Cancelled,
        Withdrawn,
        Superseded,
        Quarantined,
    ];

    /// The stable name used in SQL, JSON and URLs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Draft => "draft",
            Uploading => "uploading",
            Checking => "checking",
            InReview => "in_review",
            Queued => "queued",
            Running => "running",
            Scoring => "scoring",
            Published => "published",
            Rejected => "rejected",
            Failed => "failed",
            Cancelled => "cancelled",
            Withdrawn => "withdrawn",
            Superseded => "superseded",
            Quarantined => "quarantined",
        }
    }

    /// Whether nothing more happens by itself.
    pub const fn is_final(self) -> bool {
        matches!(self, Published | Rejected | Failed | Cancelled | Withdrawn | Superseded | Quarantined)
    }

    /// The transition table.
    pub fn may_become(self, to: Self) -> bool {
        match self {
            Draft => matches!(to, Uploading | Checking | Cancelled),
            Uploading => matches!(to, Checking | Cancelled),
            Checking => matches!(to, InReview | Queued | Rejected | Failed | Cancelled),
            InReview => matches!(to, Queued | Rejected | Cancelled),
            // Running -> Queued is a retry after a platform fault.
            Queued => matches!(to, Running | Failed | Cancelled),
            Running => matches!(to, Queued | Scoring | Failed | Cancelled),
            Scoring => matches!(to, Published | Failed | Cancelled),
            Published => matches!(to, Withdrawn | Superseded | Quarantined),
            Quarantined => matches!(to, Published | Rejected | Withdrawn),
            Rejected | Failed | Cancelled | Withdrawn | Superseded => false,
        }
    }
}

impl fmt::Display for SubmissionState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for SubmissionState {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| StoreError::Corrupt(format!("`{text}` is not a submission state")))
    }
}

/// A move of one submission: where to, by whom, why, and for `Failed` the class.
#[derive(Debug)]
pub(crate) struct Move<'a> {
    pub(crate) to: SubmissionState,
    pub(crate) actor: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) failure_class: Option<FailureClass>,
}

/// Moves a submission inside the caller's transaction and writes the event. Locks the row.
pub(crate) async fn transition(
    connection: &mut PgConnection,
    submission: SubmissionId,
    step: Move<'_>,
) -> Result<(), StoreError> {
    let from: String = sqlx::query_scalar("SELECT state FROM submissions WHERE id = $1 FOR UPDATE")
        .bind(submission.0)
        .fetch_optional(&mut *connection)
        .await?
        .ok_or_else(|| StoreError::NotFound(format!("submission {submission}")))?;
    let from: SubmissionState = from.parse()?;
    if !from.may_become(step.to) {
        return Err(StoreError::Transition { from, to: step.to });
    }
    sqlx::query(
        "UPDATE submissions SET state = $2, failure_class = $3, reason = $4, state_entered_at = now() WHERE id = $1",
    )
    .bind(submission.0)
    .bind(step.to.as_str())
    .bind(step.failure_class.map(FailureClass::as_str))
    .bind(step.reason)
    .execute(&mut *connection)
    .await?;
    record(connection, submission, Some(from), &step).await
}

/// Writes an event. Only [`transition`] and the creation of a submission do.
pub(crate) async fn record(
    connection: &mut PgConnection,
    submission: SubmissionId,
    from: Option<SubmissionState>,
    step: &Move<'_>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO submission_events (submission_id, actor, from_state, to_state, reason) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(submission.0)
    .bind(step.actor)
    .bind(from.map(SubmissionState::as_str))
    .bind(step.to.as_str())
    .bind(step.reason)
    .execute(connection)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_final_state_is_left_only_by_taking_a_result_off_the_board_or_putting_it_back() {
        for from in SubmissionState::ALL.into_iter().filter(|state| state.is_final()) {
            for to in SubmissionState::ALL {
                if from.may_become(to) {
                    assert!(matches!(from, Published | Quarantined), "{from} became {to}");
                }
            }
        }
    }

    #[test]
    fn every_state_that_is_not_final_can_be_cancelled_and_leads_on() {
        for from in SubmissionState::ALL.into_iter().filter(|state| !state.is_final()) {
            assert!(from.may_become(Cancelled), "{from} cannot be cancelled");
            assert!(SubmissionState::ALL.into_iter().any(|to| to != Cancelled && from.may_become(to)));
        }
    }

    #[test]
    fn names_are_read_back() {
        for state in SubmissionState::ALL {
            assert_eq!(state.as_str().parse::<SubmissionState>().unwrap(), state);
        }
    }
}
