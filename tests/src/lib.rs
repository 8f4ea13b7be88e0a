//! What the end-to-end tests share: real parts, started for one test and gone with it.
//!
//! - `Base`: a private PostgreSQL cluster and an S3 protocol server;
//! - `Site`: the service in this process, over a `Base`;
//! - `Operator`: the service and workers as processes, with a release of recorded speech;
//! - `Program`: the built `ffasr` binary, as a process that can be killed;
//! - `Browser`: Chromium;
//! - `Hub`: a server that speaks the file API of a model hub.
//!
//! Nothing here sleeps for a fixed time: [`until`] waits for a condition.
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "test support: a failure is a panic with a place"
)]

mod base;
mod browser;
mod hub;
mod line;
mod node;
mod operator;
mod program;
mod site;
mod tools;
mod wire;

use std::{
    future::Future,
    time::{Duration, Instant},
};

pub use base::{Base, manifest, no_scores, short_directory};
pub use browser::{Browser, shows};
pub use hub::Hub;
pub use line::Line;
pub use node::{Node, fingerprint};
pub use operator::{Operator, SLOW_DECODING, Speech};
pub use program::Program;
pub use site::Site;
pub use tools::{tool, tool_file};
pub use wire::Wire;

/// Longest wait for a condition; only a broken test gets there.
const PATIENCE: Duration = Duration::from_mins(5);

/// A plain HTTP client.
pub fn client() -> reqwest::Client {
    program::install_tls();
    reqwest::Client::new()
}

/// Asks again until there is an answer.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "still waiting: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
