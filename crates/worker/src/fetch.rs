//! Files from presigned URLs: whole, of the right size and content, or not at all.

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Client;
use sha2::{Digest, Sha256};
use tokio::{fs, io::AsyncWriteExt};

use crate::{
    Pause,
    service::{CallError, checked, passing},
};

const TRIES: u32 = 4;
const AT_ONCE: usize = 8;

/// One file to fetch.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) url: String,
    pub(crate) path: PathBuf,
    pub(crate) sha256: String,
    /// Most bytes to accept.
    pub(crate) most_bytes: u64,
}

/// A file could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// Storage does not answer, or not now.
    #[error("storage cannot be reached: {0}")]
    Storage(String),
    /// It is not there, may not be had, or is not what was announced.
    #[error("the file {name} cannot be used: {reason}")]
    Content { name: String, reason: String },
    #[error("the file {name} cannot be written on this node: {error}")]
    Disk { name: String, error: std::io::Error },
}

/// Fetch all of them, a few at once; `done` is called after each.
pub(crate) async fn fetch_all(http: &Client, wanted: Vec<Wanted>, done: impl Fn()) -> Result<(), FetchError> {
    stream::iter(wanted)
        .map(|it| async move { fetch(http, &it).await })
        .buffer_unordered(AT_ONCE)
        .try_for_each(|()| {
            done();
            std::future::ready(Ok(()))
        })
        .await
}

async fn fetch(http: &Client, wanted: &Wanted) -> Result<(), FetchError> {
    let mut pause = Pause::default();
    for _ in 1..TRIES {
        match fetch_once(http, wanted).await {
            Err(FetchError::Storage(_)) => pause.wait().await,
            other => return other,
        }
    }
    fetch_once(http, wanted).await
}

async fn fetch_once(http: &Client, wanted: &Wanted) -> Result<(), FetchError> {
    let name = name(&wanted.path);
    let wrong = |reason: String| FetchError::Content { name: name.clone(), reason };
    let disk = |error| FetchError::Disk { name: name.clone(), error };
    let storage = |error: CallError| match error {
        CallError::Passing(text) => FetchError::Storage(text),
        CallError::Stale(text) | CallError::Refused(text) => wrong(text),
    };
    let response = http.get(&wanted.url).send().await.map_err(|it| storage(passing(it)))?;
    let mut body = checked(response).await.map_err(storage)?.bytes_stream();
    let mut file = fs::File::create(&wanted.path).await.map_err(disk)?;
    // For the sandbox's user, whatever our umask; the directory says who gets here at all.
    file.set_permissions(Permissions::from_mode(0o644)).await.map_err(disk)?;
    let (mut digest, mut length) = (Sha256::new(), 0_u64);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|it| storage(passing(it)))?;
        length += chunk.len() as u64;
        if length > wanted.most_bytes {
            return Err(wrong(format!("it has more than the announced {} bytes", wanted.most_bytes)));
        }
        digest.update(&chunk);
        file.write_all(&chunk).await.map_err(disk)?;
    }
    file.flush().await.map_err(disk)?;
    let found = hex::encode(digest.finalize());
    if found.eq_ignore_ascii_case(&wanted.sha256) {
        Ok(())
    } else {
        Err(wrong(format!("its SHA-256 is {found}, announced was {}", wanted.sha256)))
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
