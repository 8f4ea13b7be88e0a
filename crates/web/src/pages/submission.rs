//! A submission's own page, and the list of one's submissions.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use protocol::SubmissionId;
use store::{
    accounts::{Role, User},
    state::SubmissionState,
    submissions::{self, Attempt, Filter, Submission},
};

use super::{Page, layout, live_progress, now, page};
use crate::{
    Service,
    auth::{SignedIn, Visitor},
    error::AppError,
    extract::Path,
    views::{
        AttemptView, Failure, Section, SubmissionPage, SubmissionRow, SubmissionsPage, TimelineEvent,
        Timestamp,
    },
};

pub(crate) async fn list(State(service): State<Service>, SignedIn(user): SignedIn) -> Page {
    let submissions = submissions::list(&service.pool, Filter::Of(user.id)).await?;
    let rows = submissions
        .into_iter()
        .map(|submission| SubmissionRow {
            id: submission.id,
            result_href: result_href(&submission),
            model: submission.manifest.name,
            release: submission.release_slug,
            state: submission.state.to_string(),
            since: Timestamp(submission.state_entered_at),
            failure: submission.failure_class,
        })
        .collect();
    page(&SubmissionsPage { layout: layout(&service, Section::Submissions, Some(&user)), now: now(), rows })
}

fn result_href(submission: &Submission) -> Option<String> {
    (submission.state == SubmissionState::Published).then(|| format!("/models/{}", submission.id))
}

/// Where a submission is may be seen by everybody who has its address; the log only by its owner and by staff.
pub(crate) async fn show(
    State(service): State<Service>,
    Visitor(user): Visitor,
    Path(id): Path<SubmissionId>,
) -> Page {
    let submission = submissions::get(&service.pool, id).await?;
    let owns = user.as_ref().is_some_and(|user| may_act(user, &submission));
    let attempts = submissions::attempts(&service.pool, id).await?;
    let position = submissions::queue_position(&service.pool, id).await?;
    let events = submissions::events(&service.pool, id).await?;
    let progress = attempts.iter().find(|attempt| attempt.state == "leased").and_then(|attempt| {
        live_progress(attempt.stage.as_deref(), attempt.progress_done, attempt.progress_total)
    });
    page(&SubmissionPage {
        layout: layout(&service, Section::Submissions, user.as_ref()),
        id,
        result_href: result_href(&submission),
        may_cancel: owns && submission.state.may_become(SubmissionState::Cancelled),
        state: submission.state.to_string(),
        since: Timestamp(submission.state_entered_at),
        now: now(),
        queue_position: position.and_then(|ahead| u32::try_from(ahead + 1).ok()),
        progress,
        timeline: events
            .into_iter()
            .map(|event| TimelineEvent {
                state: event.to_state,
                at: Timestamp(event.at),
                who: event.actor,
                why: event.reason,
            })
            .collect(),
        attempts: attempts.into_iter().rev().map(|attempt| view(attempt, &submission, owns)).collect(),
        model: submission.manifest.name,
        organisation: submission.manifest.organisation,
        release: submission.release_slug,
    })
}

fn view(attempt: Attempt, submission: &Submission, owns: bool) -> AttemptView {
    let message = attempt.message.unwrap_or_default();
    AttemptView {
        number: attempt.number.unsigned_abs(),
        id: attempt.id,
        state: attempt.state,
        worker: attempt.worker,
        hardware_class: submission.hardware_class.clone(),
        started_at: attempt.started_at.map(Timestamp),
        ended_at: attempt.finished_at.map(Timestamp),
        failure: attempt.failure_class.map(|class| Failure { class, message }),
        log_tail: if owns { attempt.log_tail } else { String::new() },
    }
}

fn may_act(user: &User, submission: &Submission) -> bool {
    user.id == submission.user || user.role != Role::Submitter
}

pub(crate) async fn cancel(
    State(service): State<Service>,
    SignedIn(user): SignedIn,
    Path(id): Path<SubmissionId>,
) -> Result<Response, AppError> {
    let submission = submissions::get(&service.pool, id).await?;
    if !may_act(&user, &submission) {
        return Err(AppError::Forbidden(
            "Only its submitter or a reviewer can cancel a submission.".to_owned(),
        ));
    }
    submissions::cancel(&service.pool, id, &user.name, "Cancelled on request.").await?;
    Ok(Redirect::to(&format!("/submissions/{id}")).into_response())
}
