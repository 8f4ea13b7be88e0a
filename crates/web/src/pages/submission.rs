//! A submission's own page, and the list of one's submissions.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use protocol::SubmissionId;
use serde::Deserialize;
use store::{
    accounts::{Role, User},
    estimate::{self, Estimate},
    findings, pause, quota,
    review::{self, Action, Actor},
    state::SubmissionState,
    submissions::{self, Attempt, Filter, Submission},
};

use super::{
    Page,
    admin::{inbox::deadline, operations::in_words},
    layout, live_progress, now, page,
};
use crate::{
    Service,
    auth::{SignedIn, Visitor},
    error::AppError,
    extract::{Form, Path, Query},
    views::{
        Age, AttemptView, Details, Failure, FindingView, HubLink, MessageView, Notice, Section,
        SubmissionPage, SubmissionRow, SubmissionsPage, TimelineEvent, Timestamp, TokenMove,
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
    page(&SubmissionsPage {
        layout: layout(&service, Section::Submissions, Some(&user)),
        now: now(),
        rows,
        quota: quota_in_words(&service, &user).await?,
    })
}

fn result_href(submission: &Submission) -> Option<String> {
    (submission.state == SubmissionState::Published).then(|| format!("/models/{}", submission.id))
}

/// Where a submission is may be seen by everybody who has its address; the log, the thread and the token only by its
/// owner and by staff.
pub(crate) async fn show(
    State(service): State<Service>,
    Visitor(user): Visitor,
    Path(id): Path<SubmissionId>,
    Query(said): Query<Said>,
) -> Page {
    let submission = submissions::get(&service.pool, id).await?;
    let owns = user.as_ref().is_some_and(|user| may_act(user, &submission));
    let attempts = submissions::attempts(&service.pool, id).await?;
    let position = submissions::queue_position(&service.pool, id).await?;
    let events = submissions::events(&service.pool, id).await?;
    let running = attempts.iter().find(|attempt| attempt.state == "leased");
    let progress = running.and_then(|attempt| {
        live_progress(attempt.stage.as_deref(), attempt.progress_done, attempt.progress_total)
    });
    let mut details = details(&service, user.as_ref(), &submission).await?;
    details.live_log = running.filter(|_| owns).map(|attempt| attempt.log_tail.clone());
    let mut layout = layout(&service, Section::Submissions, user.as_ref());
    layout.notice = said.notice();
    page(&SubmissionPage {
        layout,
        id,
        result_href: result_href(&submission),
        may_cancel: owns && submission.state.may_become(SubmissionState::Cancelled),
        state: submission.state.to_string(),
        since: Timestamp(submission.state_entered_at),
        now: now(),
        queue_position: position.and_then(|ahead| u32::try_from(ahead + 1).ok()),
        progress,
        timeline: timeline(events),
        attempts: attempts.into_iter().rev().map(|attempt| view(attempt, &submission, owns)).collect(),
        details,
        model: submission.manifest.name,
        organisation: submission.manifest.organisation,
        release: submission.release_slug,
    })
}

/// What is said after something has been done here.
#[derive(Deserialize)]
pub(crate) struct Said {
    done: Option<String>,
}

impl Said {
    fn notice(&self) -> Option<Notice> {
        let text = match self.done.as_deref()? {
            "submitted" => "It is submitted. Keep this address: everything that happens to it is shown here.",
            "cancelled" => "It is cancelled.",
            "withdrawn" => "The result is withdrawn; it stays on record as such.",
            "answered" => "Your answer is sent; a reviewer reads it.",
            _ => return None,
        };
        Some(Notice { is_problem: false, text: text.to_owned() })
    }
}

pub(crate) fn timeline(events: Vec<submissions::Event>) -> Vec<TimelineEvent> {
    events
        .into_iter()
        .map(|event| TimelineEvent {
            is_note: event.is_note,
            state: event.to_state,
            at: Timestamp(event.at),
            who: event.actor,
            why: event.reason,
        })
        .collect()
}

pub(crate) fn finding_view(finding: findings::Finding) -> FindingView {
    FindingView {
        is_caution: finding.is_caution(),
        place: finding.place,
        sentence: finding.sentence,
        advice: finding.advice,
    }
}

pub(crate) fn message_view(message: review::Message) -> MessageView {
    MessageView {
        at: Timestamp(message.at),
        author: message.author,
        from_staff: message.from_staff,
        body: message.body,
    }
}

async fn details(
    service: &Service,
    user: Option<&User>,
    submission: &Submission,
) -> Result<Details, AppError> {
    let pool = &service.pool;
    let id = submission.id;
    let is_owner = user.is_some_and(|user| user.id == submission.user);
    let is_staff = user.is_some_and(|user| user.role != Role::Submitter);
    let is_insider = is_owner || is_staff;
    let estimate = estimate::of(pool, id, service.settings.lease).await?;
    let mut details = Details {
        deadline: deadline(&service.settings.policy.limits, submission.state, submission.state_entered_at),
        estimate: match pause::current(pool).await? {
            Some(paused) if submission.state == SubmissionState::Queued => Some(format!(
                "not before the operator lets the queue go on, which is paused: {}",
                paused.reason
            )),
            _ => estimate.map(estimate_in_words),
        },
        hub: submission.manifest.hub.as_ref().map(|hub| HubLink {
            model: hub.model.clone(),
            revision: hub.revision.clone(),
            href: service.hub.page_url(hub),
        }),
        findings: findings::of(pool, id).await?.into_iter().map(finding_view).collect(),
        is_insider,
        may_answer: is_owner,
        may_withdraw: is_owner && submission.state.may_become(SubmissionState::Withdrawn),
        revise_href: (is_owner
            && submission.state.is_final()
            && submission.state != SubmissionState::Superseded)
            .then(|| format!("/submit?revises={id}")),
        review_href: is_staff.then(|| format!("/admin/submissions/{id}")),
        hidden: submission.hidden.clone().map(|(at, by)| (Timestamp(at), by)),
        revision_of: submission.revision_of,
        revised_by: submissions::revised_by(pool, id).await?,
        ..Details::default()
    };
    if is_insider {
        details.messages = review::messages(pool, id).await?.into_iter().map(message_view).collect();
        details.tokens = quota::entries_for(pool, id)
            .await?
            .into_iter()
            .map(|entry| TokenMove { at: Timestamp(entry.at), taken: entry.tokens < 0, reason: entry.reason })
            .collect();
    }
    if let Some(user) = user.filter(|_| is_owner) {
        details.quota = quota_in_words(service, user).await?;
    }
    Ok(details)
}

/// What a submitter has left, in words; staff have no quota.
pub(crate) async fn quota_in_words(service: &Service, user: &User) -> Result<Option<String>, AppError> {
    if user.role != Role::Submitter {
        return Ok(None);
    }
    let balance = quota::balance(&service.pool, user.id, service.settings.policy.quota).await?;
    let mut parts = vec![match balance.left() {
        0 => "No submission is left now".to_owned(),
        1 => "1 submission is left".to_owned(),
        left => format!("{left} submissions are left"),
    }];
    if let Some(wait) = balance.next_in() {
        let seconds = wait.whole_seconds().unsigned_abs();
        parts.push(format!("; one more comes in {}", Age(seconds)));
    }
    parts.push(format!(" (at most {}).", in_words(balance.rule)));
    if let Some(exception) = balance.exception {
        parts.push(format!(
            " This is an exception until {}: {}.",
            Timestamp(exception.expires_at),
            exception.reason.trim_end_matches('.')
        ));
    }
    Ok(Some(parts.concat()))
}

fn estimate_in_words(estimate: Estimate) -> String {
    let typical = Age(estimate.typical.as_secs());
    let rests_on = match estimate.measured {
        1 => format!("the one attempt before took {typical}"),
        count => format!("the last {count} attempts took {typical} in the middle"),
    };
    match estimate.remaining {
        Some(left) if left.is_zero() => format!("longer than usual already: {rests_on}"),
        Some(left) => format!("done in about {}: {rests_on}", Age(left.as_secs())),
        None => format!("not before a worker of its class is there; {rests_on}"),
    }
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

pub(crate) fn may_act(user: &User, submission: &Submission) -> bool {
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
    if user.id == submission.user {
        submissions::cancel(&service.pool, id, &user.name, "Cancelled by its submitter.").await?;
    } else {
        let actor = Actor { name: &user.name, role: user.role };
        let reason = "Cancelled by staff; ask below why.";
        review::act(&service.pool, id, actor, Action::Cancel, reason).await?;
    }
    Ok(Redirect::to(&format!("/submissions/{id}?done=cancelled")).into_response())
}

fn only_owner(user: &User, submission: &Submission, what: &str) -> Result<(), AppError> {
    if user.id == submission.user {
        Ok(())
    } else {
        Err(AppError::Forbidden(format!("Only its submitter can {what}.")))
    }
}

#[derive(Deserialize)]
pub(crate) struct Words {
    #[serde(default)]
    text: String,
}

/// `POST /submissions/{id}/withdraw`: takes the result off the board.
pub(crate) async fn withdraw(
    State(service): State<Service>,
    SignedIn(user): SignedIn,
    Path(id): Path<SubmissionId>,
    Form(words): Form<Words>,
) -> Result<Response, AppError> {
    let submission = submissions::get(&service.pool, id).await?;
    only_owner(&user, &submission, "withdraw a result")?;
    let reason = match words.text.trim() {
        "" => "Withdrawn by its submitter.",
        text => text,
    };
    if reason.chars().count() > 1000 {
        return Err(AppError::BadRequest("A reason has at most 1000 characters.".to_owned()));
    }
    submissions::withdraw(&service.pool, id, &user.name, reason).await?;
    Ok(Redirect::to(&format!("/submissions/{id}?done=withdrawn")).into_response())
}

/// `POST /submissions/{id}/messages`: the submitter's word in the thread.
pub(crate) async fn answer(
    State(service): State<Service>,
    SignedIn(user): SignedIn,
    Path(id): Path<SubmissionId>,
    Form(words): Form<Words>,
) -> Result<Response, AppError> {
    let submission = submissions::get(&service.pool, id).await?;
    only_owner(&user, &submission, "answer here; reviewers ask from the review page")?;
    review::answer(&service.pool, id, &user.name, &words.text).await?;
    Ok(Redirect::to(&format!("/submissions/{id}?done=answered#thread")).into_response())
}
