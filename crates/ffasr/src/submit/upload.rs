//! Large files ahead of the submission: in parts, straight to object storage. A part that does not get through is sent
//! again; the same file given once more, after an interruption, goes on with the parts that are missing.

use std::{path::Path, time::Duration};

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt, SeekFrom},
};

use super::{Api, unreadable};
use crate::{error::Failure, progress::Bar};

/// Smaller files go with the form.
pub(super) const LARGE_BYTES: u64 = 8 << 20;
/// How often a call or a part is tried before it is given up.
const TRIES: u32 = 10;
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const ASK: Duration = Duration::from_secs(1);
/// For one part; larger than the service's own parts need over a slow line.
const PART_PATIENCE: Duration = Duration::from_mins(10);

/// Why a call brought nothing.
enum Trouble {
    /// Asking again may help.
    Passing(String),
    /// It will not.
    Final(Failure),
}

/// Uploads a file and waits until the service has checked it; the id of the upload.
pub(super) async fn send(api: &Api, path: &Path, name: &str, bytes: u64) -> Result<String, Failure> {
    let begun = call(api, Method::POST, "", Some(&json!({ "name": name, "bytes": bytes }))).await?;
    let number = |key: &str| begun[key].as_u64().unwrap_or_default();
    let (id, parts, part_bytes) =
        (begun["id"].as_str().unwrap_or_default(), number("parts"), number("part_bytes"));
    let stored: Vec<u64> =
        begun["stored"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    if !stored.is_empty() {
        eprintln!("  {name}: {} of {parts} parts are there already", stored.len());
    }
    let mut file = File::open(path).await.map_err(|error| unreadable(path, &error))?;
    let bar = Bar::new();
    let mut sha256 = Vec::new();
    for number in 1..=parts {
        bar.show("uploading", (number - 1) as u32, parts as u32);
        let offset = (number - 1) * part_bytes;
        let mut part = vec![0; usize::try_from(part_bytes.min(bytes - offset)).unwrap_or_default()];
        file.seek(SeekFrom::Start(offset)).await.map_err(|error| unreadable(path, &error))?;
        file.read_exact(&mut part).await.map_err(|error| unreadable(path, &error))?;
        sha256.push(hex::encode(Sha256::digest(&part)));
        if !stored.contains(&number) {
            persist(async || put(api, id, number, &part).await).await?;
        }
    }
    bar.show("uploading", parts as u32, parts as u32);
    bar.end();
    let mut state =
        call(api, Method::POST, &format!("/{id}/complete"), Some(&json!({ "sha256": sha256 }))).await?;
    while state["state"] == "checking" {
        tokio::time::sleep(ASK).await;
        state = call(api, Method::GET, &format!("/{id}"), None).await?;
    }
    match state["state"].as_str() {
        Some("ready") => Ok(id.to_owned()),
        _ => Err(Failure::input(state["problem"].as_str().unwrap_or("the service did not take the file"))),
    }
}

/// Sends one part to a fresh address: an old one may have run out, or its server have been started anew.
async fn put(api: &Api, id: &str, number: u64, part: &[u8]) -> Result<(), Trouble> {
    let body = json!({ "numbers": [number] });
    let answer = call_once(api, &Method::POST, &format!("/{id}/parts"), Some(&body)).await?;
    let url = answer["parts"][0]["url"].as_str().unwrap_or_default();
    let storage = Client::new().put(url).timeout(PART_PATIENCE).body(part.to_vec());
    // The address is a key, so errors are told without it.
    let answer = storage.send().await.map_err(|error| Trouble::Passing(error.without_url().to_string()))?;
    if answer.status().is_success() {
        Ok(())
    } else {
        Err(Trouble::Passing(format!("storage answered {}", answer.status())))
    }
}

async fn call(api: &Api, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
    persist(async || call_once(api, &method, path, body).await).await
}

async fn call_once(api: &Api, method: &Method, path: &str, body: Option<&Value>) -> Result<Value, Trouble> {
    let request = api.client.request(method.clone(), format!("{}/api/v1/uploads{path}", api.url));
    let mut request = request.bearer_auth(&api.token);
    if let Some(body) = body {
        request = request.json(body);
    }
    let passing = |error: reqwest::Error| Trouble::Passing(error.to_string());
    let answer = request.send().await.map_err(passing)?;
    let status = answer.status();
    let body: Value = answer.json().await.map_err(passing)?;
    if status.is_success() {
        return Ok(body);
    }
    let detail = body["detail"].as_str().unwrap_or("the service gave no reason").to_owned();
    let may_pass = status.is_server_error()
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    Err(if may_pass { Trouble::Passing(detail) } else { Trouble::Final(Failure::input(detail)) })
}

async fn persist<T>(work: impl AsyncFn() -> Result<T, Trouble>) -> Result<T, Failure> {
    let mut tries = 0;
    loop {
        match work().await {
            Ok(done) => return Ok(done),
            Err(Trouble::Final(failure)) => return Err(failure),
            Err(Trouble::Passing(reason)) if tries == TRIES => {
                return Err(Failure::failed(format!(
                    "{reason}; what has arrived is kept for a day or two: give the same command again to go on"
                )));
            }
            Err(Trouble::Passing(reason)) => {
                eprintln!("  {reason}; trying again");
                tokio::time::sleep(Duration::from_millis(500 << tries).min(LONGEST_PAUSE)).await;
                tries += 1;
            }
        }
    }
}
