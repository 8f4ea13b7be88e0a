//! Models on a hub: what a revision is at the moment of submitting, pinned for good.
//!
//! The hub speaks the file API of huggingface.co: `GET /api/models/{model}/revision/{revision}?blobs=true` names the
//! commit and its files, large ones with their SHA-256 (`lfs`); `GET /{model}/resolve/{commit}/{path}` gives out a file,
//! often by a redirect. Small files, which have no SHA-256 there, are fetched at once and kept by us; of large ones the
//! first bytes are looked at, and a worker fetches the rest.
//!
//! The operator names the hub; a submitter names a model, a revision and patterns, from which addresses on the hub are
//! made here. Redirects lead to public addresses only ([`outbound`]).

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use outbound::Reach;
use protocol::{HubSource, HubToken, is_model_path};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, header};
use serde::Deserialize;

use crate::submit::{Content, HEAD_BYTES, UploadedFile};

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long pinning may take in all.
const PATIENCE_IN_ALL: Duration = Duration::from_mins(3);
/// Most bytes of the list of files.
const LIST_BYTES: usize = 8 << 20;
/// Most bytes of a file that has no SHA-256 on the hub; git keeps larger ones elsewhere.
const SMALL_FILE_BYTES: u64 = 16 << 20;
/// Most bytes of these files together.
const SMALL_FILES_BYTES: u64 = 64 << 20;
/// Most files of a model.
pub(crate) const MOST_FILES: usize = 256;
const AT_ONCE: usize = 8;

/// Weights that come along in another format for other libraries, not needed where safetensors are.
const DUPLICATES: [&str; 8] = [
    "pytorch_model*.bin",
    "pytorch_model*.bin.index.json",
    "tf_model*.h5",
    "flax_model*.msgpack",
    "*.ot",
    "*.ckpt",
    "*.pth",
    "*.pt",
];

/// A hub.
#[derive(Debug, Clone)]
pub(crate) struct Hub {
    endpoint: Url,
    client: Client,
    most_bytes: u64,
}

/// A model at the commit that a revision was.
#[derive(Debug)]
pub(crate) struct Pinned {
    pub(crate) commit: String,
    /// What the hub says of its licence.
    pub(crate) licence: Option<String>,
    pub(crate) files: Vec<UploadedFile>,
}

/// Why a model cannot be pinned: at which field of the form, and one sentence.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) field: &'static str,
    pub(crate) sentence: String,
}

fn fault(field: &'static str, sentence: impl Into<String>) -> Fault {
    Fault { field, sentence: sentence.into() }
}

#[derive(Deserialize)]
struct Listing {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
    #[serde(rename = "cardData", default)]
    card: Option<Card>,
}

#[derive(Deserialize)]
struct Card {
    /// A name or a list of names.
    license: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Sibling {
    #[serde(rename = "rfilename")]
    path: String,
    size: Option<u64>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: String,
    size: u64,
}

impl Hub {
    /// The hub at an address that the operator has named.
    ///
    /// # Errors
    /// One sentence when the address is none.
    pub(crate) fn new(endpoint: &str, most_bytes: u64) -> Result<Self, String> {
        let endpoint: Url = endpoint
            .parse()
            .map_err(|error| format!("the hub's address {endpoint} cannot be used: {error}"))?;
        let client = outbound::following_client(Reach::of_endpoint(&endpoint)).timeout(PATIENCE).build();
        let client = client.map_err(|error| format!("the hub cannot be called: {error}"))?;
        Ok(Self { endpoint, client, most_bytes })
    }

    /// Its name for people.
    pub(crate) fn name(&self) -> &str {
        self.endpoint.host_str().unwrap_or("the hub")
    }

    /// The address of a file of a pinned model.
    pub(crate) fn file_url(&self, source: &HubSource, path: &str) -> String {
        self.url(source.model.split('/').chain(["resolve", &source.revision]).chain(path.split('/')))
            .to_string()
    }

    /// The page of a pinned model, for people.
    pub(crate) fn page_url(&self, source: &HubSource) -> String {
        self.url(source.model.split('/').chain(["tree", &source.revision])).to_string()
    }

    fn url<'a>(&self, segments: impl Iterator<Item = &'a str>) -> Url {
        let mut url = self.endpoint.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            // Each segment is escaped, so that a slash in a revision does not become another path.
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// Finds out what a model at a revision is now, fetches its small files and looks at the large ones.
    ///
    /// # Errors
    /// What is wrong, at its field.
    pub(crate) async fn pin(&self, source: &HubSource, token: Option<&HubToken>) -> Result<Pinned, Fault> {
        check_source(source)?;
        match tokio::time::timeout(PATIENCE_IN_ALL, self.pin_patiently(source, token)).await {
            Ok(pinned) => pinned,
            Err(_) => Err(fault("hub_model", format!("{} took too long; try again later.", self.name()))),
        }
    }

    async fn pin_patiently(&self, source: &HubSource, token: Option<&HubToken>) -> Result<Pinned, Fault> {
        let listing = self.list(source, token).await?;
        if listing.sha.is_empty() || !listing.sha.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err(self.nonsense());
        }
        let files = select(listing.siblings, source)?;
        self.check_sizes(&files)?;
        let commit = HubSource { revision: listing.sha, ..source.clone() };
        let fetched = stream::iter(files)
            .map(|file| self.look_at(&commit, file, token))
            .buffered(AT_ONCE)
            .try_collect::<Vec<_>>();
        let licence = listing.card.and_then(|card| match card.license? {
            serde_json::Value::String(licence) => Some(licence),
            _ => None,
        });
        Ok(Pinned { files: fetched.await?, commit: commit.revision, licence })
    }

    async fn list(&self, source: &HubSource, token: Option<&HubToken>) -> Result<Listing, Fault> {
        let segments = ["api", "models"].into_iter().chain(source.model.split('/'));
        let mut url = self.url(segments.chain(["revision", &source.revision]));
        url.set_query(Some("blobs=true"));
        let answer = self.call(self.client.get(url), token).await?;
        let body = limited(answer, LIST_BYTES).await.map_err(|_| self.away())?;
        let body = body.ok_or_else(|| fault("hub_model", "The model has too many files to be listed."))?;
        serde_json::from_slice(&body).map_err(|_| self.nonsense())
    }

    fn check_sizes(&self, files: &[Sibling]) -> Result<(), Fault> {
        let bytes = |file: &Sibling| file.lfs.as_ref().map_or(file.size.unwrap_or(0), |lfs| lfs.size);
        if let Some(file) = files.iter().find(|file| file.lfs.is_none() && bytes(file) > SMALL_FILE_BYTES) {
            let sentence = format!(
                "The hub states no SHA-256 of {}, which is large, so it cannot be pinned.",
                file.path
            );
            return Err(fault("hub_files", sentence));
        }
        if files.iter().filter(|file| file.lfs.is_none()).map(bytes).sum::<u64>() > SMALL_FILES_BYTES {
            return Err(fault("hub_files", "The model has more than 64 MiB of small files; choose fewer."));
        }
        let all = files.iter().map(bytes).fold(0, u64::saturating_add);
        if all > self.most_bytes {
            let (all, most) = (gibibytes(all), gibibytes(self.most_bytes));
            let sentence = format!("The chosen files have {all:.1} GiB; at most {most:.1} GiB are run here.");
            return Err(fault("hub_files", sentence));
        }
        Ok(())
    }

    /// A small file whole, of a large one the beginning.
    async fn look_at(
        &self,
        commit: &HubSource,
        file: Sibling,
        token: Option<&HubToken>,
    ) -> Result<UploadedFile, Fault> {
        let request = self.client.get(self.file_url(commit, &file.path));
        let content = match file.lfs {
            None => {
                let answer = self.call(request, token).await?;
                let read = limited(answer, SMALL_FILE_BYTES as usize).await.map_err(|_| self.away())?;
                let content = read.ok_or_else(|| self.nonsense())?;
                if file.size.is_some_and(|size| size != content.len() as u64) {
                    return Err(self.nonsense());
                }
                Content::Here(content)
            }
            Some(lfs) => {
                if lfs.sha256.len() != 64 || !lfs.sha256.chars().all(|c| c.is_ascii_hexdigit()) {
                    return Err(self.nonsense());
                }
                let range = format!("bytes=0-{}", HEAD_BYTES - 1);
                let answer = self.call(request.header(header::RANGE, range), token).await?;
                let head =
                    beginning(answer, HEAD_BYTES.min(lfs.size as usize)).await.map_err(|_| self.away())?;
                let sha256 = lfs.sha256.to_ascii_lowercase();
                Content::Elsewhere { sha256, bytes: lfs.size, head, in_storage: false }
            }
        };
        Ok(UploadedFile { name: file.path, content, from_hub: true })
    }

    async fn call(&self, mut request: RequestBuilder, token: Option<&HubToken>) -> Result<Response, Fault> {
        if let Some(token) = token {
            request = request.bearer_auth(&token.0);
        }
        // The library's words may hold the address that a redirect gave, which can be a key.
        let answer = request.send().await.map_err(|_| self.away())?;
        let name = self.name();
        match answer.status() {
            status if status.is_success() => Ok(answer),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if token.is_some() => {
                Err(fault("hub_token", format!("{name} does not give out this model for this token.")))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(fault(
                "hub_model",
                format!(
                    "{name} does not give out this model to everybody: it does not exist, or needs a token."
                ),
            )),
            StatusCode::NOT_FOUND => {
                Err(fault("hub_model", format!("{name} has no such model, revision or file.")))
            }
            status => {
                Err(fault("hub_model", format!("{name} answered {}; try again later.", status.as_u16())))
            }
        }
    }

    fn away(&self) -> Fault {
        fault("hub_model", format!("{} could not be reached; try again in a while.", self.name()))
    }

    fn nonsense(&self) -> Fault {
        fault("hub_model", format!("What {} says of this model does not fit together.", self.name()))
    }
}

fn gibibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

/// The whole body, or `None` if it is longer than `most`.
async fn limited(mut answer: Response, most: usize) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > most {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// The first `most` bytes of the body, whether or not the server has kept to the range.
async fn beginning(mut answer: Response, most: usize) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while body.len() < most
        && let Some(chunk) = answer.chunk().await?
    {
        body.extend_from_slice(&chunk[..chunk.len().min(most - body.len())]);
    }
    Ok(body)
}

/// Whether the names can be what a hub has.
fn check_source(source: &HubSource) -> Result<(), Fault> {
    let names: Vec<&str> = source.model.split('/').collect();
    let is_name = |name: &&str| is_model_path(name) && name.len() <= 96 && !name.contains("..");
    if names.len() > 2 || !names.iter().all(is_name) {
        let sentence = format!(
            "\u{201c}{}\u{201d} is not the id of a model, such as openai/whisper-tiny.",
            source.model
        );
        return Err(fault("hub_model", sentence));
    }
    let revision = &source.revision;
    let is_revision = !revision.is_empty()
        && revision.len() <= 100
        && !revision.contains("..")
        && revision.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    if !is_revision {
        return Err(fault("hub_revision", "A revision is a branch, a tag or a commit, such as main."));
    }
    Ok(())
}

/// The files that are asked for, or, if no pattern is given, those that are needed once.
fn select(siblings: Vec<Sibling>, source: &HubSource) -> Result<Vec<Sibling>, Fault> {
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let has_safetensors = siblings.iter().any(|file| file.path.ends_with(".safetensors"));
    let mut chosen = siblings;
    if source.files.is_empty() {
        chosen.retain(|file| {
            let name = name(&file.path);
            let is_duplicate = has_safetensors && DUPLICATES.iter().any(|pattern| matches(pattern, &name));
            // The hub's own files about the repository.
            !name.starts_with('.') && !is_duplicate
        });
    } else {
        for pattern in &source.files {
            if !chosen.iter().any(|file| matches(pattern, &file.path)) {
                return Err(fault(
                    "hub_files",
                    format!("No file of the model is called \u{201c}{pattern}\u{201d}."),
                ));
            }
        }
        chosen.retain(|file| source.files.iter().any(|pattern| matches(pattern, &file.path)));
    }
    if chosen.is_empty() {
        return Err(fault("hub_model", "The model has no files at this revision."));
    }
    if chosen.len() > MOST_FILES {
        let sentence =
            format!("The model has {} files; at most {MOST_FILES} are taken: choose fewer.", chosen.len());
        return Err(fault("hub_files", sentence));
    }
    if let Some(file) = chosen.iter().find(|file| !is_model_path(&file.path)) {
        let sentence =
            format!("The name of the file \u{201c}{}\u{201d} is not usable here; choose others.", file.path);
        return Err(fault("hub_files", sentence));
    }
    Ok(chosen)
}

/// Whether `text` fits a pattern in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(model: &str, files: &[&str]) -> HubSource {
        HubSource {
            model: model.to_owned(),
            revision: "main".to_owned(),
            files: files.iter().map(|file| (*file).to_owned()).collect(),
        }
    }

    fn siblings(paths: &[&str]) -> Vec<Sibling> {
        paths.iter().map(|path| Sibling { path: (*path).to_owned(), size: Some(1), lfs: None }).collect()
    }

    fn chosen(paths: &[&str], files: &[&str]) -> Result<Vec<String>, Fault> {
        let chosen = select(siblings(paths), &source("a/b", files))?;
        Ok(chosen.into_iter().map(|file| file.path).collect())
    }

    #[test]
    fn a_pattern_is_any_text_between_its_stars() {
        assert!(matches("*.json", "a/b.json") && matches("a*c*e", "abcde") && matches("*", ""));
        assert!(!matches("*.json", "a.jsonl") && !matches("a*a", "a") && !matches("x", "xy"));
    }

    #[test]
    fn weights_are_taken_once_and_the_hub_s_own_files_are_left() {
        let paths = [
            ".gitattributes",
            "config.json",
            "model.safetensors",
            "pytorch_model.bin",
            "1_Pooling/config.json",
        ];
        assert_eq!(
            chosen(&paths, &[]).unwrap(),
            ["config.json", "model.safetensors", "1_Pooling/config.json"]
        );
        assert_eq!(chosen(&paths, &["*.bin"]).unwrap(), ["pytorch_model.bin"]);
        assert_eq!(chosen(&["pytorch_model.bin"], &[]).unwrap(), ["pytorch_model.bin"], "the only weights");
        assert_eq!(chosen(&paths, &["*.onnx"]).unwrap_err().field, "hub_files");
        assert_eq!(chosen(&["a b.json"], &[]).unwrap_err().field, "hub_files");
    }

    #[test]
    fn names_that_would_lead_elsewhere_are_refused_and_slashes_in_a_revision_are_escaped() {
        for model in ["", "../x", "a/../b", "a/b/c", "a?b/c", "http://x", "a/b#", "a/..b"] {
            assert!(check_source(&source(model, &[])).is_err(), "{model}");
        }
        let mut asked = source("org/model", &[]);
        asked.revision = "refs/pr/1".to_owned();
        check_source(&asked).unwrap();
        // An error means that another test of this process was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let hub = Hub::new("https://hub.example/mirror/", 1).unwrap();
        assert_eq!(
            hub.file_url(&asked, "1_Pooling/config.json"),
            "https://hub.example/mirror/org/model/resolve/refs%2Fpr%2F1/1_Pooling/config.json"
        );
        asked.revision = "a?b".to_owned();
        assert_eq!(check_source(&asked).unwrap_err().field, "hub_revision");
    }
}
