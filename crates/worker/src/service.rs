//! The calls of `/worker/v1/` and what their failures mean.

use std::time::Duration;

use protocol::{
    Claim, ClaimReply, Complete, Events, Fail, Heartbeat, HeartbeatReply, Keep, RenderUpload,
    RenderUploadReply, Rendered,
};
use reqwest::{Client, Response, StatusCode, redirect};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// Silence after which a transfer is given up; longer than a `claim` may wait.
pub(crate) const READ_TIMEOUT: Duration = Duration::from_mins(1);

/// The service, as one worker sees it.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    /// Also used for presigned URLs, which must never get the token: it is put on call by call.
    pub(crate) http: Client,
    base: String,
    token: String,
}

/// A call that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No answer, or one that says to try again (5xx, 408, 429).
    #[error("{0}")]
    Passing(String),
    /// The lease is somebody else's or over (409).
    #[error("the lease is over: {0}")]
    Stale(String),
    /// Anything else; asking again would not help.
    #[error("{0}")]
    Refused(String),
}

impl CallError {
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Passing(_))
    }
}

/// The part of an RFC 9457 problem that a person reads.
#[derive(Debug, Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
}

impl Service {
    pub(crate) fn new(base: &str, token: String, name: &str) -> reqwest::Result<Self> {
        let http = Client::builder()
            .user_agent(format!("ffasr-worker/{} ({name})", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(READ_TIMEOUT)
            .redirect(redirect::Policy::none())
            .build()?;
        Ok(Self { http, base: base.trim_end_matches('/').to_owned(), token })
    }

    pub(crate) async fn claim(&self, claim: &Claim) -> Result<ClaimReply, CallError> {
        let patience = Duration::from_secs(claim.wait_seconds.into()) + CALL_TIMEOUT;
        json(self.call("claim", claim, patience).await?).await
    }

    pub(crate) async fn heartbeat(&self, heartbeat: &Heartbeat) -> Result<HeartbeatReply, CallError> {
        json(self.call("heartbeat", heartbeat, CALL_TIMEOUT).await?).await
    }

    pub(crate) async fn events(&self, events: &Events) -> Result<(), CallError> {
        self.call("events", events, CALL_TIMEOUT).await.map(drop)
    }

    pub(crate) async fn keep(&self, keep: &Keep) -> Result<(), CallError> {
        self.call("keep", keep, CALL_TIMEOUT).await.map(drop)
    }

    pub(crate) async fn complete(&self, complete: &Complete) -> Result<(), CallError> {
        self.call("complete", complete, CALL_TIMEOUT).await.map(drop)
    }

    pub(crate) async fn fail(&self, fail: &Fail) -> Result<(), CallError> {
        self.call("fail", fail, CALL_TIMEOUT).await.map(drop)
    }

    pub(crate) async fn render_upload(&self, upload: &RenderUpload) -> Result<RenderUploadReply, CallError> {
        json(self.call("render-upload", upload, CALL_TIMEOUT).await?).await
    }

    pub(crate) async fn rendered(&self, rendered: &Rendered) -> Result<(), CallError> {
        self.call("rendered", rendered, CALL_TIMEOUT).await.map(drop)
    }

    async fn call(
        &self,
        name: &str,
        body: &impl Serialize,
        patience: Duration,
    ) -> Result<Response, CallError> {
        let url = format!("{}/worker/v1/{name}", self.base);
        let request = self.http.post(url).bearer_auth(&self.token).timeout(patience).json(body);
        checked(request.send().await.map_err(passing)?).await
    }
}

/// Success, or what the status and the problem in the body mean.
pub(crate) async fn checked(response: Response) -> Result<Response, CallError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = response.text().await.unwrap_or_default();
    let words = serde_json::from_str::<Problem>(&body).ok().and_then(|it| it.detail.or(it.title));
    let text = words.map_or_else(|| status.to_string(), |words| format!("{words} ({status})"));
    Err(match status {
        StatusCode::CONFLICT => CallError::Stale(text),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => CallError::Passing(text),
        status if status.is_server_error() => CallError::Passing(text),
        _ => CallError::Refused(text),
    })
}

/// A transport error without its URL: presigned ones are keys.
#[expect(clippy::needless_pass_by_value, reason = "used as map_err's function")]
pub(crate) fn passing(error: reqwest::Error) -> CallError {
    let mut text = String::from("no answer");
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    CallError::Passing(text)
}

async fn json<T: DeserializeOwned>(response: Response) -> Result<T, CallError> {
    response.json().await.map_err(passing)
}
