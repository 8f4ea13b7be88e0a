//! The addresses where a user is told of what moves.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use store::{accounts::User, webhooks};
use uuid::Uuid;

use super::{Page, layout, page};
use crate::{
    Service,
    auth::SignedIn,
    delivery,
    error::AppError,
    extract::{Form, Path},
    views::{Section, Timestamp, WebhookRow, WebhooksPage},
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
