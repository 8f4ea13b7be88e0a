//! The addresses where a user is told of what moves.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use store::{Secret, accounts::User, mail, webhooks};
use uuid::Uuid;

use super::{Page, layout, page};
use crate::{
    Service,
    auth::SignedIn,
    delivery,
    error::AppError,
    extract::{Form, Path, Query},
    views::{Notice, Section, Timestamp, WebhookRow, WebhooksPage},
};

pub(crate) async fn show(State(service): State<Service>, SignedIn(user): SignedIn) -> Page {
    page(&webhooks_page(&service, &user).await?)
}

async fn webhooks_page(service: &Service, user: &User) -> Result<WebhooksPage, AppError> {
    let rows = webhooks::of(&service.pool, user.id).await?;
    Ok(WebhooksPage {
        layout: layout(service, Section::Submissions, Some(user)),
        rows: rows
            .into_iter()
            .map(|row| WebhookRow {
                id: row.id,
                url: row.url,
                since: Timestamp(row.created_at),
                disabled: row.disabled_at.is_some(),
                last_result: row.last_result.unwrap_or_else(|| "none yet".to_owned()),
            })
            .collect(),
        email: mail::address(&service.pool, user.id).await?.map(|it| (it.email, it.email_confirmed)),
        sends_mail: service.settings.policy.mail.is_some(),
        refused_email: None,
        refused: None,
        issued: None,
    })
}

#[derive(Deserialize)]
pub(crate) struct NewWebhook {
    url: String,
}

/// `POST /webhooks`: the secret is shown in the answer and never again.
pub(crate) async fn add(
    State(service): State<Service>,
    SignedIn(user): SignedIn,
    Form(new): Form<NewWebhook>,
) -> Result<Response, AppError> {
    let url = new.url.trim();
    if let Err(message) = delivery::check(url, service.settings.policy.private_webhooks) {
        let mut view = webhooks_page(&service, &user).await?;
        view.refused = Some((url.to_owned(), message));
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page(&view)?).into_response());
    }
    let secret = webhooks::add(&service.pool, user.id, url).await?;
    let mut view = webhooks_page(&service, &user).await?;
    view.issued = Some((url.to_owned(), secret.expose().to_owned()));
    Ok(page(&view)?.into_response())
}

pub(crate) async fn remove(
    State(service): State<Service>,
    SignedIn(user): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<Response, AppError> {
    webhooks::remove(&service.pool, user.id, id).await?;
    Ok(Redirect::to("/webhooks").into_response())
}

#[derive(Deserialize)]
pub(crate) struct NewEmail {
    #[serde(default)]
    email: String,
}

/// `POST /webhooks/email`: an empty address removes the present one.
pub(crate) async fn set_email(
    State(service): State<Service>,
    SignedIn(user): SignedIn,
    Form(new): Form<NewEmail>,
) -> Result<Response, AppError> {
    let email = new.email.trim();
    let problem = if email.is_empty() {
        None
    } else if service.settings.policy.mail.is_none() {
        Some("This service sends no e-mail.")
    } else if crate::mail::is_address(email) {
        None
    } else {
        Some("This is not an address, such as ada@example.org.")
    };
    if let Some(problem) = problem {
        let mut view = webhooks_page(&service, &user).await?;
        view.refused_email = Some((email.to_owned(), problem.to_owned()));
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page(&view)?).into_response());
    }
    mail::set_address(&service.pool, user.id, Some(email).filter(|email| !email.is_empty())).await?;
    Ok(Redirect::to("/webhooks").into_response())
}

#[derive(Deserialize)]
pub(crate) struct Confirmation {
    code: String,
}

/// `GET /webhooks/email/confirm`: the link in the message; whoever has it has read the mail.
pub(crate) async fn confirm_email(
    State(service): State<Service>,
    SignedIn(user): SignedIn,
    Query(confirmation): Query<Confirmation>,
) -> Page {
    let confirmed = mail::confirm(&service.pool, &Secret::presented(&confirmation.code)).await?;
    let mut view = webhooks_page(&service, &user).await?;
    let text = if confirmed {
        "The address is confirmed."
    } else {
        "This link has been used or replaced by a newer one; nothing was changed."
    };
    view.layout.notice = Some(Notice { is_problem: !confirmed, text: text.to_owned() });
    page(&view)
}
