//! The one error of this crate, with two faces: a page with ways out, and problem JSON (RFC 9457).

use askama::Template;
use axum::{
    Json,
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use serde_json::json;
use store::StoreError;

use crate::views::{ErrorPage, Layout};

/// Why a request was not answered as asked. The text is for the person who asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppError {
    /// 400.
    #[error("{0}")]
    BadRequest(String),
    /// 401.
    #[error("{0}")]
    Unauthorized(String),
    /// 403.
    #[error("{0}")]
    Forbidden(String),
    /// 404.
    #[error("There is no {0}.")]
    NotFound(String),
    /// 409.
    #[error("{0}")]
    Conflict(String),
    /// 413.
    #[error("{0}")]
    TooLarge(String),
    /// 422, with what is wrong field by field.
    #[error("{}", .0.iter().map(|(field, message)| format!("{field}: {message}")).collect::<Vec<_>>().join(" "))]
    Invalid(Vec<(String, String)>),
    /// 426: the worker speaks another protocol version.
    #[error("{0}")]
    UpgradeRequired(String),
    /// 503: the database or storage is away.
    #[error("The database or the object storage does not answer. Nothing is lost; try again in a minute.")]
    Unavailable(#[source] StoreError),
    /// 500: our fault. The cause goes to the log, not to the visitor.
    #[error("Something broke on our side. It is in the log; trying again is safe.")]
    Internal(String),
}

/// [`AppError`] as problem JSON: what API handlers return.
#[derive(Debug)]
pub(crate) struct Problem(pub(crate) AppError);

impl<E: Into<AppError>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl AppError {
    fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::UpgradeRequired(_) => StatusCode::UPGRADE_REQUIRED,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Logged here and nowhere else, where the error ends its way.
    fn log(&self) {
        match self {
            Self::Unavailable(cause) => tracing::error!("answered 503: {cause}"),
            Self::Internal(cause) => tracing::error!("answered 500: {cause}"),
            _ => {}
        }
    }
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(what) => Self::NotFound(what),
            StoreError::LeaseLost
            | StoreError::DuplicateModel(_)
            | StoreError::NameTaken(_)
            | StoreError::Transition { .. }
            | StoreError::ReleaseTaken { .. } => Self::Conflict(capitalised(&error.to_string())),
            StoreError::Database(_) | StoreError::Objects { .. } => Self::Unavailable(error),
            StoreError::Migration(_)
            | StoreError::Corrupt(_)
            | StoreError::Password(_)
            | StoreError::Random(_) => Self::Internal(error.to_string()),
        }
    }
}

impl From<askama::Error> for AppError {
    fn from(error: askama::Error) -> Self {
        Self::Internal(format!("rendering a page failed: {error}"))
    }
}

/// Errors of the libraries speak in lower case; people are spoken to in sentences.
fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        self.log();
        let status = self.status();
        let page = ErrorPage {
            layout: Layout::default(),
            status: status.as_u16(),
            detail: Some(self.to_string()),
            request_id: None,
        };
        match page.render() {
            Ok(html) => (status, Html(html)).into_response(),
            Err(_) => (status, self.to_string()).into_response(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.0.log();
        let status = self.0.status();
        let mut body = json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or("error"),
            "status": status.as_u16(),
            "detail": self.0.to_string(),
        });
        if let AppError::Invalid(fields) = &self.0 {
            body["errors"] =
                fields.iter().map(|(field, message)| json!({"field": field, "detail": message})).collect();
        }
        (status, [(header::CONTENT_TYPE, "application/problem+json")], Json(body)).into_response()
    }
}
