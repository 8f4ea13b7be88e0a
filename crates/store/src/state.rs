//! The states of a submission and the moves between them: the only place that changes one.

use std::{fmt, str::FromStr};

use protocol::{FailureClass, SubmissionId};
use sqlx::PgConnection;

use crate::{BOARD_CHANNEL, StoreError, kept, mail, notify, quota, sealed};

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
            // Staff may have it run once more.
            Failed | Cancelled => matches!(to, Queued),
            Rejected | Withdrawn | Superseded => false,
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

/// Moves a submission inside the caller's transaction, writes the event, and does what every such move entails: a
/// published revision supersedes the one before it, quota is given back, the board is told. Locks the row.
pub(crate) async fn transition(
    connection: &mut PgConnection,
    submission: SubmissionId,
    step: Move<'_>,
) -> Result<(), StoreError> {
    let (from, revision_of) = locked(connection, submission).await?;
    if step.to == Published
        && let Some(replaced) = revision_of
    {
        supersede(connection, replaced, step.actor).await?;
    }
    change(connection, submission, from, &step).await?;
    quota::settle(connection, submission, from, &step).await?;
    if matches!(step.to, Scoring | Rejected | Cancelled | Withdrawn) {
        // Nothing is left to fetch. A failed one keeps it for a while, for staff may have it run once more.
        sealed::forget(connection, submission).await?;
    }
    if from == Running && step.to != Queued || from == Queued && step.to != Running {
        // No attempt is open any more that could go on from there.
        kept::forget(connection, submission).await?;
    }
    if from == Published || step.to == Published {
        notify(connection, BOARD_CHANNEL).await?;
    }
    Ok(())
}

/// The state of a submission, and which one it is to replace; locks its row.
async fn locked(
    connection: &mut PgConnection,
    submission: SubmissionId,
) -> Result<(SubmissionState, Option<SubmissionId>), StoreError> {
    let (state, revision_of): (String, Option<uuid::Uuid>) =
        sqlx::query_as("SELECT state, revision_of FROM submissions WHERE id = $1 FOR UPDATE")
            .bind(submission.0)
            .fetch_optional(connection)
            .await?
            .ok_or_else(|| StoreError::NotFound(format!("submission {submission}")))?;
    Ok((state.parse()?, revision_of.map(SubmissionId)))
}

/// Takes the result that a revision replaces off the board, unless it has left it already.
async fn supersede(
    connection: &mut PgConnection,
    replaced: SubmissionId,
    actor: &str,
) -> Result<(), StoreError> {
    let (from, _) = locked(connection, replaced).await?;
    if from != Published {
        return Ok(());
    }
    let reason = "A revision of it has been published.";
    let step = Move { to: Superseded, actor, reason, failure_class: None };
    change(connection, replaced, from, &step).await
}

async fn change(
    connection: &mut PgConnection,
    submission: SubmissionId,
    from: SubmissionState,
    step: &Move<'_>,
) -> Result<(), StoreError> {
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
    .await
    .map_err(name_taken)?;
    record(connection, submission, Some(from), step).await
}

/// The two unique indexes over names, in words.
fn name_taken(error: sqlx::Error) -> StoreError {
    let taken = ["submissions_one_published", "submissions_one_underway"]
        .iter()
        .any(|index| StoreError::violates(&error, index));
    if taken {
        StoreError::Refused(
            "another submission of this name is on the board or on its way there; withdraw or cancel that one first"
                .to_owned(),
        )
    } else {
        error.into()
    }
}

/// Writes an event. Only [`transition`] and the creation of a submission do, and what is noted of a result that stays
/// where it is: from and to are then the same.
pub(crate) async fn record(
    connection: &mut PgConnection,
    submission: SubmissionId,
    from: Option<SubmissionState>,
    step: &Move<'_>,
) -> Result<(), StoreError> {
    // Whoever asked to be told is told: one delivery for each address of the submitter.
    sqlx::query(
        "WITH event AS (
             INSERT INTO submission_events (submission_id, actor, from_state, to_state, reason)
             VALUES ($1, $2, $3, $4, $5) RETURNING id)
         INSERT INTO jobs (id, kind, submission_id, hardware_class, runtime, seed, webhook_id, event_id)
         SELECT gen_random_uuid(), 'webhook', s.id, s.hardware_class, '', 0, w.id, event.id
         FROM event, submissions s JOIN webhooks w ON w.user_id = s.user_id AND w.disabled_at IS NULL
         WHERE s.id = $1",
    )
    .bind(submission.0)
    .bind(step.actor)
    .bind(from.map(SubmissionState::as_str))
    .bind(step.to.as_str())
    .bind(step.reason)
    .execute(&mut *connection)
    .await?;
    mail::write(connection, submission, step.to.as_str()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_final_state_is_left_only_off_or_onto_the_board_or_to_run_once_more() {
        for from in SubmissionState::ALL.into_iter().filter(|state| state.is_final()) {
            for to in SubmissionState::ALL {
                if from.may_become(to) {
                    let again = matches!(from, Failed | Cancelled) && to == Queued;
                    assert!(again || matches!(from, Published | Quarantined), "{from} became {to}");
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
