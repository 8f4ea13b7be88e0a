//! The public record of a result, and objections to it.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use protocol::SubmissionId;
use serde::Deserialize;
use store::{accounts::Role, audit, objections, state::SubmissionState, submissions};

use super::{Page, admin::review::audit_row, layout, page};
use crate::{
    Service,
    auth::{SignedIn, Staff, Visitor},
    error::AppError,
    extract::{Form, Path},
    views::{ObjectionView, RecordPage, Section, Timestamp},
};

pub(crate) async fn show(
    State(service): State<Service>,
    Visitor(user): Visitor,
    Path(id): Path<SubmissionId>,
) -> Page {
    let submission = submissions::get(&service.pool, id).await?;
    let disputable = matches!(submission.state, SubmissionState::Published | SubmissionState::Quarantined);
    let objections = objections::of(&service.pool, id).await?;
    page(&RecordPage {
        layout: layout(&service, Section::Board, user.as_ref()),
        id,
        state: submission.state.to_string(),
        since: Timestamp(submission.state_entered_at),
        hidden: submission.hidden.map(|(at, by)| (Timestamp(at), by)),
        verified: submission.verified.map(|(at, by)| (Timestamp(at), by)),
        revision_of: submission.revision_of,
        revised_by: submissions::revised_by(&service.pool, id).await?,
        audit: audit::of_submission(&service.pool, id, true).await?.into_iter().map(audit_row).collect(),
        objections: objections.into_iter().map(objection_view).collect(),
        may_object: disputable && user.is_some(),
        may_decide: user.is_some_and(|user| user.role == Role::Admin),
        model: submission.manifest.name,
    })
}

fn objection_view(objection: objections::Objection) -> ObjectionView {
    let how = if objection.state == "upheld" { "Upheld" } else { "Dismissed" };
    let decision = objection
        .decided_at
        .zip(objection.decided_by)
        .zip(objection.decision)
        .map(|((at, by), why)| (Timestamp(at), by, how.to_owned(), why));
    ObjectionView {
        id: objection.id,
        at: Timestamp(objection.at),
        author: objection.author,
        body: objection.body,
        decision,
    }
}

#[derive(Deserialize)]
pub(crate) struct NewObjection {
    body: String,
}

/// `POST /models/{id}/objections`.
pub(crate) async fn object(
    State(service): State<Service>,
    SignedIn(user): SignedIn,
    Path(id): Path<SubmissionId>,
    Form(new): Form<NewObjection>,
) -> Result<Response, AppError> {
    objections::raise(&service.pool, id, &user.name, &new.body).await?;
    Ok(Redirect::to(&format!("/models/{id}/record")).into_response())
}

#[derive(Deserialize)]
pub(crate) struct Decision {
    decision: String,
    #[serde(default)]
    reason: String,
}

/// `POST /models/{id}/objections/{objection}`.
pub(crate) async fn decide(
    State(service): State<Service>,
    Staff(user): Staff,
    Path((id, objection)): Path<(SubmissionId, i64)>,
    Form(decision): Form<Decision>,
) -> Result<Response, AppError> {
    if user.role != Role::Admin {
        return Err(AppError::Forbidden("Objections are decided by admins.".to_owned()));
    }
    let upheld = match decision.decision.as_str() {
        "uphold" => true,
        "dismiss" => false,
        _ => return Err(AppError::BadRequest("An objection is upheld or dismissed.".to_owned())),
    };
    objections::decide(&service.pool, (id, objection), upheld, &user.name, &decision.reason).await?;
    Ok(Redirect::to(&format!("/models/{id}/record")).into_response())
}
