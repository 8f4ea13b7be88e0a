//! The one error of this crate, with two faces: a page with ways out, and problem JSON (RFC 9457).
//!
//! A handler, an extractor or a layer answers with an [`AppError`]; [`faces`], around all of them, knows the request and
//! gives it the face that whoever asked can read.

use std::{any::Any, sync::Arc};

use askama::Template;
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use store::StoreError;

use crate::{
    api::openapi::{Fault, Problem},
    views::{ErrorPage, Layout, url_component},
};

/// Where programs ask; everything else is for people.
const FOR_PROGRAMS: [&str; 3] = ["/api/", "/worker/", "/healthz"];

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
    /// 405.
    #[error("This address exists, but not for requests of this method.")]
    MethodNotAllowed,
    /// 409.
    #[error("{0}")]
    Conflict(String),
    /// 413.
    #[error("{0}")]
    TooLarge(String),
    /// 415.
    #[error("{0}")]
    UnsupportedMediaType(String),
    /// 422, about the request as a whole.
    #[error("{0}")]
    Unprocessable(String),
    /// 422, with what is wrong field by field.
    #[error("{}", .0.iter().map(|(field, message)| format!("{field}: {message}")).collect::<Vec<_>>().join(" "))]
    Invalid(Vec<(String, String)>),
    /// 429: the submitter's quota is spent; seconds until there is more of it.
    #[error("{0}")]
    QuotaSpent(String, Option<u64>),
    /// 426: the worker speaks another protocol version.
    #[error("{0}")]
    UpgradeRequired(String),
    /// 503: the database or storage is away.
    #[error("The database or the object storage does not answer. Nothing is lost; try again in a minute.")]
    Unavailable(#[source] StoreError),
    /// 503: we or the network took too long.
    #[error("This took too long and was given up. Look whether it was done before you try again.")]
    TimedOut,
    /// 500: our fault. The cause goes to the log, not to the visitor.
    #[error("Something broke on our side. It is in the log; trying again is safe.")]
    Internal(String),
}

impl AppError {
    /// For an address that leads nowhere.
    pub(crate) fn nothing_here() -> Self {
        Self::NotFound("such address here".to_owned())
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unprocessable(_) | Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::QuotaSpent(..) => StatusCode::TOO_MANY_REQUESTS,
            Self::UpgradeRequired(_) => StatusCode::UPGRADE_REQUIRED,
            Self::Unavailable(_) | Self::TimedOut => StatusCode::SERVICE_UNAVAILABLE,
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
            | StoreError::Refused(_)
            | StoreError::Transition { .. }
            | StoreError::ReleaseTaken { .. } => Self::Conflict(capitalised(&error.to_string())),
            StoreError::QuotaSpent { seconds, .. } => {
                Self::QuotaSpent(capitalised(&error.to_string()), seconds)
            }
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
    /// The status alone; [`faces`] adds what is to be read.
    fn into_response(self) -> Response {
        self.log();
        let mut response = self.status().into_response();
        let retry_after = match self {
            Self::QuotaSpent(_, seconds) => seconds,
            Self::Unavailable(_) => Some(60),
            _ => None,
        };
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// What a handler's panic is answered with.
pub(crate) fn panicked(cause: &(dyn Any + Send)) -> Response {
    let text = cause
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| cause.downcast_ref::<&str>().copied())
        .unwrap_or("without a message");
    AppError::Internal(format!("a handler panicked: {text}")).into_response()
}

/// Middleware: gives an error the face that fits who asked.
pub(crate) async fn faces(request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let mut response = next.run(request).await;
    let Some(error) = response.extensions_mut().remove::<Arc<AppError>>() else {
        return response;
    };
    let (content_type, text) = if FOR_PROGRAMS.iter().any(|start| uri.path().starts_with(start)) {
        ("application/problem+json", problem(&error))
    } else {
        ("text/html; charset=utf-8", page(&error, &method, &uri))
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    // Was that of the empty body.
    headers.remove(header::CONTENT_LENGTH);
    *response.body_mut() = Body::from(text);
    response
}

fn page(error: &AppError, method: &Method, uri: &Uri) -> String {
    let here = uri.path_and_query().map_or("/", |path| path.as_str());
    let login = match error {
        AppError::Unauthorized(_) if method.is_safe() => Some(format!("/login?next={}", url_component(here))),
        AppError::Unauthorized(_) => Some("/login".to_owned()),
        _ => None,
    };
    let page = ErrorPage {
        layout: Layout::default(),
        status: error.status().as_u16(),
        detail: error.to_string(),
        login,
    };
    page.render().unwrap_or_else(|_| error.to_string())
}

fn problem(error: &AppError) -> String {
    let status = error.status();
    let errors = match error {
        AppError::Invalid(fields) => fields.as_slice(),
        _ => &[],
    };
    let problem = Problem {
        r#type: "about:blank",
        title: status.canonical_reason().unwrap_or("error"),
        status: status.as_u16(),
        detail: error.to_string(),
        errors: errors
            .iter()
            .map(|(field, detail)| Fault { field: field.clone(), detail: detail.clone() })
            .collect(),
    };
    serde_json::to_string(&problem).unwrap_or_default()
}
