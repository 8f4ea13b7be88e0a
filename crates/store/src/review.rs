//! What staff do with a submission: one function, [`act`], used by the dashboard, its bulk actions and the command line.
//! Each action and its entry in the audit log are one transaction.

use protocol::SubmissionId;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;

use crate::{
    BOARD_CHANNEL, JOBS_CHANNEL, StoreError,
    accounts::Role,
    audit, notify,
    queue::{self, Priority},
    quota,
    state::{self, Move, SubmissionState},
    submissions,
};

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// In review: let it run.
    Approve,
    /// In review or quarantined: say no.
    Reject,
    /// Ask the submitter something.
    Ask,
    /// Failed or cancelled: run it once more.
    Rerun,
    /// Change how soon it runs.
    Prioritise(Priority),
    /// Stop it before its end.
    Cancel,
    /// Take its result off the board while it is looked into.
    Quarantine,
    /// Put a quarantined result back.
    Restore,
    /// Keep a result that is not in doubt from the board.
    Hide,
    /// Show it there again.
    Unhide,
    /// Confirm that a result is what it claims to be.
    Verify,
    /// Take that back.
    Unverify,
    /// Give the submitter's token back.
    Refund,
}

impl Action {
    /// The stable name, in URLs and in the audit log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Ask => "ask",
            Self::Rerun => "rerun",
            Self::Prioritise(_) => "prioritise",
            Self::Cancel => "cancel",
            Self::Quarantine => "quarantine",
            Self::Restore => "restore",
            Self::Hide => "hide",
            Self::Unhide => "unhide",
            Self::Verify => "verify",
            Self::Unverify => "unverify",
            Self::Refund => "refund",
        }
    }

    /// Who may: reviewers triage; what touches a result or a quota is for admins.
    pub fn is_for(self, role: Role) -> bool {
        match self {
            Self::Approve | Self::Reject | Self::Ask | Self::Cancel | Self::Rerun | Self::Prioritise(_) => {
                role != Role::Submitter
            }
            Self::Quarantine
            | Self::Restore
            | Self::Hide
            | Self::Unhide
            | Self::Verify
            | Self::Unverify
            | Self::Refund => role == Role::Admin,
        }
    }

    /// Whether it makes sense for a submission in this state.
    pub fn fits(self, state: SubmissionState) -> bool {
        match self {
            Self::Approve => state == SubmissionState::InReview,
            Self::Reject => matches!(state, SubmissionState::InReview | SubmissionState::Quarantined),
            Self::Ask => !matches!(state, SubmissionState::Withdrawn | SubmissionState::Superseded),
            Self::Rerun => matches!(state, SubmissionState::Failed | SubmissionState::Cancelled),
            Self::Prioritise(_) => {
                matches!(
                    state,
                    SubmissionState::InReview | SubmissionState::Queued | SubmissionState::Running
                )
            }
            Self::Cancel => state.may_become(SubmissionState::Cancelled),
            Self::Quarantine | Self::Hide | Self::Unhide | Self::Verify | Self::Unverify => {
                state == SubmissionState::Published
            }
            Self::Restore => state == SubmissionState::Quarantined,
            Self::Refund => state.is_final(),
        }
    }

    /// Whether the submitter and the log are owed a reason.
    pub const fn needs_reason(self) -> bool {
        !matches!(self, Self::Approve | Self::Prioritise(_) | Self::Verify)
    }
}

/// Who acts.
#[derive(Debug, Clone, Copy)]
pub struct Actor<'a> {
    /// Their name.
    pub name: &'a str,
    /// What they may do.
    pub role: Role,
}

/// Does it and writes it down.
///
/// # Errors
/// [`StoreError::Refused`] when the actor may not, the state does not allow it or a reason is missing; otherwise when
/// the database fails.
pub async fn act(
    pool: &PgPool,
    submission: SubmissionId,
    actor: Actor<'_>,
    action: Action,
    reason: &str,
) -> Result<(), StoreError> {
    let reason = reason.trim();
    if !action.is_for(actor.role) {
        return Err(StoreError::Refused(format!("to {} is for admins", action.as_str())));
    }
    if action.needs_reason() && reason.is_empty() {
        return Err(StoreError::Refused(format!(
            "to {} needs a reason; the submitter and the audit log are owed one",
            action.as_str()
        )));
    }
    if reason.chars().count() > 4000 {
        return Err(StoreError::Refused("a reason has at most 4000 characters".to_owned()));
    }
    let mut transaction = pool.begin().await?;
    let (model, state) = about(&mut transaction, submission).await?;
    if !action.fits(state) {
        return Err(StoreError::Refused(format!(
            "\u{201c}{model}\u{201d} is {state}; {} is not possible there",
            action.as_str()
        )));
    }
    carry_out(&mut transaction, submission, actor.name, action, reason).await?;
    let said = match action {
        Action::Prioritise(priority) => format!("{} {reason}", priority.as_str()).trim().to_owned(),
        _ => reason.to_owned(),
    };
    let entry = audit::Entry {
        actor: actor.name,
        action: action.as_str(),
        submission: Some(submission),
        subject: &model,
        reason: &said,
        public: touches_a_result(action, state),
    };
    audit::write(&mut transaction, entry).await?;
    transaction.commit().await?;
    Ok(())
}

fn touches_a_result(action: Action, state: SubmissionState) -> bool {
    matches!(
        action,
        Action::Quarantine
            | Action::Restore
            | Action::Hide
            | Action::Unhide
            | Action::Verify
            | Action::Unverify
    ) || (action == Action::Reject && state == SubmissionState::Quarantined)
}

/// Locks the submission.
async fn about(
    connection: &mut PgConnection,
    submission: SubmissionId,
) -> Result<(String, SubmissionState), StoreError> {
    let (model, state): (String, String) =
        sqlx::query_as("SELECT model, state FROM submissions WHERE id = $1 FOR UPDATE")
            .bind(submission.0)
            .fetch_optional(connection)
            .await?
            .ok_or_else(|| StoreError::NotFound(format!("submission {submission}")))?;
    Ok((model, state.parse()?))
}

async fn carry_out(
    connection: &mut PgConnection,
    submission: SubmissionId,
    actor: &str,
    action: Action,
    reason: &str,
) -> Result<(), StoreError> {
    let moved = |to, reason| Move { to, actor, reason, failure_class: None };
    match action {
        Action::Approve => {
            let why = if reason.is_empty() {
                "A reviewer has read it and lets it run.".to_owned()
            } else {
                reason.to_owned()
            };
            queue_again(connection, submission, moved(SubmissionState::Queued, &why)).await
        }
        Action::Rerun => queue_again(connection, submission, moved(SubmissionState::Queued, reason)).await,
        Action::Reject => {
            state::transition(connection, submission, moved(SubmissionState::Rejected, reason)).await
        }
        Action::Quarantine => {
            state::transition(connection, submission, moved(SubmissionState::Quarantined, reason)).await
        }
        Action::Restore => {
            state::transition(connection, submission, moved(SubmissionState::Published, reason)).await
        }
        Action::Cancel => {
            submissions::cancel_in(connection, submission, actor, reason).await?;
            // Also where it had run already: it was not the submitter who stopped it.
            quota::give_back(connection, submission, "Given back: cancelled by staff.").await.map(drop)
        }
        Action::Ask => say(connection, submission, actor, true, reason).await,
        Action::Prioritise(priority) => prioritise(connection, submission, priority).await,
        Action::Hide => set_hidden(connection, submission, actor, true, reason).await,
        Action::Unhide => set_hidden(connection, submission, actor, false, reason).await,
        Action::Verify => set_verified(connection, submission, Some(actor)).await,
        Action::Unverify => set_verified(connection, submission, None).await,
        Action::Refund => {
            if quota::give_back(connection, submission, &format!("Given back: {reason}")).await? {
                Ok(())
            } else {
                Err(StoreError::Refused("no token is owed for this submission".to_owned()))
            }
        }
    }
}

async fn queue_again(
    connection: &mut PgConnection,
    submission: SubmissionId,
    step: Move<'_>,
) -> Result<(), StoreError> {
    state::transition(connection, submission, step).await?;
    queue::open_attempt(connection, submission, 1, std::time::Duration::ZERO).await?;
    notify(connection, JOBS_CHANNEL).await
}

async fn prioritise(
    connection: &mut PgConnection,
    submission: SubmissionId,
    priority: Priority,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE submissions SET priority = $2 WHERE id = $1")
        .bind(submission.0)
        .bind(priority.number())
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "UPDATE jobs SET priority = $2 WHERE submission_id = $1 AND kind = 'evaluate' AND state = 'queued'",
    )
    .bind(submission.0)
    .bind(priority.number())
    .execute(connection)
    .await?;
    Ok(())
}

/// Keeps a result from the board or shows it there again, and tells the submitter, though it is no move to another state.
async fn set_hidden(
    connection: &mut PgConnection,
    submission: SubmissionId,
    actor: &str,
    hidden: bool,
    reason: &str,
) -> Result<(), StoreError> {
    let changed = sqlx::query(
        "UPDATE submissions SET hidden_by = CASE WHEN $3 THEN $2 END, hidden_at = CASE WHEN $3 THEN now() END
         WHERE id = $1 AND (hidden_at IS NULL) = $3",
    )
    .bind(submission.0)
    .bind(actor)
    .bind(hidden)
    .execute(&mut *connection)
    .await?;
    if changed.rows_affected() == 0 {
        let problem = if hidden { "it is hidden already" } else { "it is not hidden" };
        return Err(StoreError::Refused(problem.to_owned()));
    }
    let said = if hidden { "Hidden from the board" } else { "Shown on the board again" };
    let note = Move {
        to: SubmissionState::Published,
        actor,
        reason: &format!("{said}: {reason}"),
        failure_class: None,
    };
    state::record(connection, submission, Some(SubmissionState::Published), &note).await?;
    notify(connection, BOARD_CHANNEL).await
}

async fn set_verified(
    connection: &mut PgConnection,
    submission: SubmissionId,
    by: Option<&str>,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE submissions SET verified_by = $2, verified_at = CASE WHEN $2 IS NULL THEN NULL ELSE now() END WHERE id = $1",
    )
    .bind(submission.0)
    .bind(by)
    .execute(&mut *connection)
    .await?;
    notify(connection, BOARD_CHANNEL).await
}

/// One message of the thread between submitter and reviewers.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Message {
    /// When.
    pub at: OffsetDateTime,
    /// Who.
    pub author: String,
    /// Of the staff, not the submitter.
    pub from_staff: bool,
    /// What.
    pub body: String,
}

async fn say(
    connection: &mut PgConnection,
    submission: SubmissionId,
    author: &str,
    from_staff: bool,
    body: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO submission_messages (submission_id, author, from_staff, body) VALUES ($1, $2, $3, $4)",
    )
    .bind(submission.0)
    .bind(author)
    .bind(from_staff)
    .bind(body)
    .execute(connection)
    .await?;
    Ok(())
}

/// The submitter's word in the thread.
///
/// # Errors
/// [`StoreError::Refused`] for an empty or very long text; otherwise when the database fails.
pub async fn answer(
    pool: &PgPool,
    submission: SubmissionId,
    author: &str,
    body: &str,
) -> Result<(), StoreError> {
    let body = body.trim();
    if body.is_empty() || body.chars().count() > 4000 {
        return Err(StoreError::Refused("an answer has 1 to 4000 characters".to_owned()));
    }
    let mut connection = pool.acquire().await?;
    say(&mut connection, submission, author, false, body).await
}

/// The thread, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn messages(pool: &PgPool, submission: SubmissionId) -> Result<Vec<Message>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT at, author, from_staff, body FROM submission_messages WHERE submission_id = $1 ORDER BY id",
    )
    .bind(submission.0)
    .fetch_all(pool)
    .await?)
}
