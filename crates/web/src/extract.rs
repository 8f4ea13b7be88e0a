//! axum's extractors, refusing with [`AppError`], so that every refusal has the same two faces.

use axum::{
    extract::{
        self, FromRequest, FromRequestParts, Request,
        rejection::{FormRejection, JsonRejection, PathRejection, QueryRejection},
    },
    http::StatusCode,
};

use crate::error::AppError;

/// What is in the path; a path that cannot be read leads nowhere.
#[derive(FromRequestParts)]
#[from_request(via(extract::Path), rejection(AppError))]
pub(crate) struct Path<T>(pub(crate) T);

/// The query.
#[derive(FromRequestParts)]
#[from_request(via(extract::Query), rejection(AppError))]
pub(crate) struct Query<T>(pub(crate) T);

/// The fields of a form without files.
#[derive(FromRequest)]
#[from_request(via(axum::Form), rejection(AppError))]
pub(crate) struct Form<T>(pub(crate) T);

/// A body of JSON.
#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(AppError))]
pub(crate) struct JsonBody<T>(pub(crate) T);

/// A form with files, not yet read.
pub(crate) struct Multipart(pub(crate) extract::Multipart);

impl<S: Send + Sync> FromRequest<S> for Multipart {
    type Rejection = AppError;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let multipart = extract::Multipart::from_request(request, state).await;
        multipart.map(Self).map_err(|rejection| unusable(rejection.status(), &rejection.body_text()))
    }
}

impl From<PathRejection> for AppError {
    fn from(_: PathRejection) -> Self {
        Self::nothing_here()
    }
}

impl From<QueryRejection> for AppError {
    fn from(rejection: QueryRejection) -> Self {
        unusable(rejection.status(), &rejection.body_text())
    }
}

impl From<FormRejection> for AppError {
    fn from(rejection: FormRejection) -> Self {
        unusable(rejection.status(), &rejection.body_text())
    }
}

impl From<JsonRejection> for AppError {
    fn from(rejection: JsonRejection) -> Self {
        if rejection.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            return Self::UnsupportedMediaType(sentence(&rejection.body_text()));
        }
        if rejection.status() == StatusCode::UNPROCESSABLE_ENTITY {
            return Self::Unprocessable(sentence(&rejection.body_text()));
        }
        unusable(rejection.status(), &rejection.body_text())
    }
}

fn unusable(status: StatusCode, why: &str) -> AppError {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        AppError::TooLarge("The request has more bytes than are taken at this address.".to_owned())
    } else {
        AppError::BadRequest(sentence(why))
    }
}

fn sentence(words: &str) -> String {
    format!("{}.", words.trim_end_matches('.'))
}
