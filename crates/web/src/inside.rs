//! A visitor without an account who asks this service from within: what he gets is what anybody gets.

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header},
};
use tower::ServiceExt as _;

use crate::{Service, error::AppError, routes};

/// Most bytes of one answer.
const MOST: usize = 1 << 30;

/// Asks and reads.
pub(crate) struct Visitor(Router);

/// What was answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Without its parameters.
    pub(crate) media_type: String,
    /// Where to go instead.
    pub(crate) location: Option<String>,
    pub(crate) content: Vec<u8>,
}

impl Visitor {
    pub(crate) fn new(service: &Service) -> Self {
        Self(routes::router(service.clone()))
    }

    /// `GET` of a path with its query, as a browser asks.
    pub(crate) async fn get(&self, path: &str) -> Result<Answer, AppError> {
        let failed =
            |error: &dyn std::fmt::Display| AppError::Internal(format!("asking for {path} failed: {error}"));
        let request = Request::get(path)
            .header(header::ACCEPT, "text/html,*/*;q=0.8")
            .body(Body::empty())
            .map_err(|error| failed(&error))?;
        let answer = self.0.clone().oneshot(request).await.map_err(|error| failed(&error))?;
        let (head, body) = answer.into_parts();
        let text = |name| {
            let value = head.headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let media_type = text(header::CONTENT_TYPE).split(';').next().unwrap_or_default().to_owned();
        let location = Some(text(header::LOCATION)).filter(|place| !place.is_empty());
        let content = axum::body::to_bytes(body, MOST).await.map_err(|error| failed(&error))?;
        Ok(Answer { status: head.status, media_type, location, content: content.to_vec() })
    }
}
