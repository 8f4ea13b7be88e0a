//! Who is asking: browsers by cookie, programs and workers by bearer token.

use axum::{
    extract::{FromRequestParts, Request},
    http::{HeaderValue, header, request::Parts},
    middleware::Next,
    response::Response,
};
use axum_extra::{
    TypedHeader,
    extract::CookieJar,
    headers::{Authorization, authorization::Bearer},
};
use store::{
    Secret,
    accounts::{self, Role, User, Worker},
};

use crate::{Service, error::AppError};

/// Name of the session cookie.
pub(crate) const SESSION_COOKIE: &str = "ffasr_session";

/// Whoever asks; nobody has to be signed in. A database that is away makes everybody a visitor, so that the board
/// stays readable.
pub(crate) struct Visitor(pub(crate) Option<User>);

/// A signed-in person.
pub(crate) struct SignedIn(pub(crate) User);

/// A signed-in reviewer or admin.
pub(crate) struct Staff(pub(crate) User);

/// A program with a personal token.
pub(crate) struct ApiUser(pub(crate) User);

/// A signed-in person or a program with a personal token.
pub(crate) struct Uploader(pub(crate) User);

/// A worker with its token.
pub(crate) struct Node(pub(crate) Worker);

/// Middleware: what was made for somebody with a session is stored nowhere on the way.
pub(crate) async fn keep_private(jar: CookieJar, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if jar.get(SESSION_COOKIE).is_some() {
        let headers = response.headers_mut();
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-store"));
    }
    response
}

async fn session_user(parts: &mut Parts, service: &Service) -> Result<Option<User>, AppError> {
    let jar = CookieJar::from_headers(&parts.headers);
    let Some(cookie) = jar.get(SESSION_COOKIE) else {
        return Ok(None);
    };
    Ok(accounts::user_by_session(&service.pool, &Secret::presented(cookie.value())).await?)
}

async fn bearer(parts: &mut Parts) -> Option<Secret> {
    let header = TypedHeader::<Authorization<Bearer>>::from_request_parts(parts, &()).await.ok()?;
    Some(Secret::presented(header.token()))
}

impl FromRequestParts<Service> for Visitor {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Self::Rejection> {
        if service.board_is_stale() {
            // Asking would only make the reader wait.
            return Ok(Self(None));
        }
        match session_user(parts, service).await {
            Err(AppError::Unavailable(_)) => Ok(Self(None)),
            other => other.map(Self),
        }
    }
}

impl FromRequestParts<Service> for SignedIn {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Self::Rejection> {
        let user = session_user(parts, service).await?;
        user.map(Self)
            .ok_or_else(|| AppError::Unauthorized("This page needs an account: log in first.".to_owned()))
    }
}

impl FromRequestParts<Service> for Staff {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Self::Rejection> {
        let SignedIn(user) = SignedIn::from_request_parts(parts, service).await?;
        if user.role == Role::Submitter {
            return Err(AppError::Forbidden("This page is for reviewers and admins.".to_owned()));
        }
        Ok(Self(user))
    }
}

impl FromRequestParts<Service> for ApiUser {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Self::Rejection> {
        let refused = || {
            let message =
                "Send a personal token as `Authorization: Bearer ffa_…`; the one sent, if any, is not valid.";
            AppError::Unauthorized(message.to_owned())
        };
        let secret = bearer(parts).await.ok_or_else(refused)?;
        let user = accounts::user_by_api_token(&service.pool, &secret).await?;
        user.map(Self).ok_or_else(refused)
    }
}

impl FromRequestParts<Service> for Uploader {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Self::Rejection> {
        if let Some(user) = session_user(parts, service).await? {
            return Ok(Self(user));
        }
        ApiUser::from_request_parts(parts, service).await.map(|ApiUser(user)| Self(user))
    }
}

impl FromRequestParts<Service> for Node {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Self::Rejection> {
        let refused = || {
            let message =
                "The worker token is missing, unknown or revoked; issue one with `ffasr admin worker add`.";
            AppError::Unauthorized(message.to_owned())
        };
        let secret = bearer(parts).await.ok_or_else(refused)?;
        let worker = accounts::worker_by_token(&service.pool, &secret).await?;
        worker.map(Self).ok_or_else(refused)
    }
}
