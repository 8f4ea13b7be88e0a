//! A server that speaks the file API of a model hub, as huggingface.co does: a listing with commit, sizes and SHA-256 of
//! large files; small files at once, large ones by a redirect to another address, with ranges.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::stream;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::{net::TcpListener, task::JoinHandle};

/// Transfers come in pieces of this size.
const PIECE_BYTES: usize = 64 * 1024;

/// A hub with one model, `org/model`.
pub struct Hub {
    /// Its address.
    pub url: String,
    state: Arc<Mutex<Model>>,
    servers: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Model {
    commit: String,
    files: BTreeMap<String, File>,
    /// Who asks must show it.
    token: Option<String>,
    /// After so many bytes the next transfers of large files are cut off.
    cuts: Vec<usize>,
    /// Address of large files.
    storage: String,
    asked: Vec<Asked>,
}

struct File {
    content: Bytes,
    is_large: bool,
}

/// A request for content.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its path; that of large content is `/storage/<sha256>`.
    pub path: String,
    /// Its `Range`.
    pub range: Option<String>,
    /// Its `Authorization`.
    pub authorization: Option<String>,
}

type Shared = State<Arc<Mutex<Model>>>;

impl Drop for Hub {
    fn drop(&mut self) {
        self.servers.iter().for_each(JoinHandle::abort);
    }
}

impl Hub {
    /// Starts one whose branch `main` is at `commit`.
    pub async fn start(commit: &str) -> Self {
        let state = Arc::new(Mutex::new(Model { commit: commit.to_owned(), ..Model::default() }));
        let storage = Router::new().route("/storage/{sha256}", get(content)).with_state(Arc::clone(&state));
        let (storage, first) = serve(storage).await;
        state.lock().unwrap().storage = storage;
        let hub = Router::new()
            .route("/api/models/org/model/revision/{revision}", get(listing))
            .route("/org/model/resolve/{commit}/{*path}", get(resolve))
            .with_state(Arc::clone(&state));
        let (url, second) = serve(hub).await;
        Self { url, state, servers: vec![first, second] }
    }

    fn state(&self) -> MutexGuard<'_, Model> {
        self.state.lock().unwrap()
    }

    /// Adds a file; a large one has a SHA-256 in the listing.
    pub fn put(&self, path: &str, content: &[u8], is_large: bool) {
        let file = File { content: Bytes::copy_from_slice(content), is_large };
        self.state().files.insert(path.to_owned(), file);
    }

    /// The branch goes on to another commit.
    pub fn move_on(&self, commit: &str) {
        commit.clone_into(&mut self.state().commit);
    }

    /// From now on the model is private.
    pub fn lock(&self, token: &str) {
        self.state().token = Some(token.to_owned());
    }

    /// Cuts off the next transfers of large files after so many bytes each.
    pub fn cut(&self, after: &[usize]) {
        self.state().cuts = after.to_vec();
    }

    /// What it was asked for.
    pub fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }
}

async fn serve(router: Router) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, server)
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

impl Model {
    /// Notes the request; the answer where it is not to be served.
    fn hear(&mut self, path: String, headers: &HeaderMap) -> Option<Response> {
        let authorization = text(headers, header::AUTHORIZATION);
        let wanted = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let refused = wanted.is_some() && wanted != authorization;
        self.asked.push(Asked { path, range: text(headers, header::RANGE), authorization });
        refused.then(|| StatusCode::UNAUTHORIZED.into_response())
    }
}

async fn listing(State(model): Shared, Path(revision): Path<String>, headers: HeaderMap) -> Response {
    let mut model = model.lock().unwrap();
    if let Some(refusal) = model.hear(format!("/api/{revision}"), &headers) {
        return refusal;
    }
    if revision != "main" && revision != model.commit {
        return StatusCode::NOT_FOUND.into_response();
    }
    let sibling = |(path, file): (&String, &File)| -> Value {
        let size = file.content.len();
        let large =
            json!({ "sha256": hex::encode(Sha256::digest(&file.content)), "size": size, "pointerSize": 134 });
        let mut sibling = json!({ "rfilename": path, "size": size, "blobId": "0" });
        if file.is_large {
            sibling["lfs"] = large;
        }
        sibling
    };
    let siblings: Vec<Value> = model.files.iter().map(sibling).collect();
    let body = json!({
        "id": "org/model", "sha": model.commit, "private": model.token.is_some(),
        "cardData": { "license": "apache-2.0" }, "siblings": siblings,
    });
    axum::Json(body).into_response()
}

async fn resolve(
    State(model): Shared,
    Path((commit, path)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let mut model = model.lock().unwrap();
    if let Some(refusal) = model.hear(format!("/{path}"), &headers) {
        return refusal;
    }
    let storage = model.storage.clone();
    // What a commit holds never changes; this hub keeps one version of each file.
    match model.files.get(&path) {
        Some(file) if commit.len() == 40 && file.is_large => {
            let place = format!("{storage}/storage/{}", hex::encode(Sha256::digest(&file.content)));
            (StatusCode::FOUND, [(header::LOCATION, place)]).into_response()
        }
        Some(file) if commit.len() == 40 => file.content.clone().into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn content(State(model): Shared, Path(sha256): Path<String>, headers: HeaderMap) -> Response {
    let mut model = model.lock().unwrap();
    let (range, authorization) = (text(&headers, header::RANGE), text(&headers, header::AUTHORIZATION));
    model.asked.push(Asked { path: format!("/storage/{sha256}"), range: range.clone(), authorization });
    let found = model.files.values().find(|file| hex::encode(Sha256::digest(&file.content)) == sha256);
    let Some(content) = found.map(|file| file.content.clone()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let total = content.len();
    let (from, to) = match range.as_deref().and_then(|range| range.strip_prefix("bytes=")?.split_once('-')) {
        Some((from, to)) => {
            (from.parse().unwrap(), to.parse::<usize>().map_or(total, |to| total.min(to + 1)))
        }
        None => (0, total),
    };
    let is_open_ended = range.as_deref().is_none_or(|range| range.ends_with('-'));
    let cut = (is_open_ended && !model.cuts.is_empty()).then(|| model.cuts.remove(0));
    let sent = content.slice(from..cut.map_or(to, |cut| to.min(from + cut)));
    let mut pieces: Vec<Result<Bytes, std::io::Error>> =
        sent.chunks(PIECE_BYTES).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    if cut.is_some() {
        pieces.push(Err(std::io::Error::other("cut off")));
    }
    let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let head = [
        (header::CONTENT_LENGTH, (to - from).to_string()),
        (header::CONTENT_RANGE, format!("bytes {from}-{}/{total}", to.saturating_sub(1))),
    ];
    (status, head, Body::from_stream(stream::iter(pieces))).into_response()
}
