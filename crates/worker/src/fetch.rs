//! Files from presigned URLs and from a hub: whole, of the right size and content, or not at all.
//!
//! A transfer that breaks off goes on where it was. What comes from a hub is kept by its hash ([`Cache`]), so that it is
//! fetched once a node, and a worker that was killed in the middle goes on too.

use std::{
    fs::Permissions,
    io::{self, SeekFrom},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use futures_util::{StreamExt, TryStreamExt, stream};
use protocol::HubToken;
use reqwest::{Client, StatusCode, header};
use sha2::{Digest, Sha256};
use tokio::{
    fs,
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt},
};

use crate::{
    Pause,
    service::{CallError, checked, passing},
};

/// Tries in a row that bring nothing new.
const TRIES: u32 = 4;
const AT_ONCE: usize = 8;
/// Less than this is no progress: a server that gives out a byte at a time is given up.
const PROGRESS_BYTES: u64 = 64 * 1024;
const PART: &str = "part";

/// One file to fetch.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) url: String,
    pub(crate) path: PathBuf,
    pub(crate) sha256: String,
    /// Most bytes to accept.
    pub(crate) most_bytes: u64,
    /// For the host of the URL alone; redirects lead away from it.
    pub(crate) token: Option<HubToken>,
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
    Disk { name: String, error: io::Error },
}

/// Fetch all of them, a few at once; `done` is called after each.
pub(crate) async fn fetch_all(http: &Client, wanted: Vec<Wanted>, done: impl Fn()) -> Result<(), FetchError> {
    stream::iter(wanted)
        .map(|it| async move { fetch(http, &it, &it.path).await })
        .buffer_unordered(AT_ONCE)
        .try_for_each(|()| {
            done();
            std::future::ready(Ok(()))
        })
        .await
}

/// Files that were fetched before, by their hash; the least recently used make room.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    directory: PathBuf,
    most_bytes: u64,
}

impl Cache {
    /// A cache in a directory of this worker alone.
    pub(crate) async fn open(directory: PathBuf, most_bytes: u64) -> io::Result<Self> {
        fs::create_dir_all(&directory).await?;
        fs::set_permissions(&directory, Permissions::from_mode(0o700)).await?;
        Ok(Self { directory, most_bytes })
    }

    /// Fetch all of them, one after another, through the cache; `done` is called after each. What needs a token is not
    /// kept: whoever may have it is for the hub to say, each time.
    pub(crate) async fn fetch_all(
        &self,
        http: &Client,
        wanted: Vec<Wanted>,
        done: impl Fn(),
    ) -> Result<(), FetchError> {
        for it in wanted {
            if it.token.is_some() {
                fetch(http, &it, &it.path).await?;
            } else {
                self.fetch(http, &it).await?;
            }
            done();
        }
        Ok(())
    }

    async fn fetch(&self, http: &Client, wanted: &Wanted) -> Result<(), FetchError> {
        let disk = |error| FetchError::Disk { name: name(&wanted.path), error };
        let kept = self.directory.join(&wanted.sha256);
        if !is_intact(&kept, &wanted.sha256).await {
            self.make_room(wanted.most_bytes, &wanted.sha256).await.map_err(disk)?;
            let part = kept.with_extension(PART);
            fetch(http, wanted, &part).await?;
            fs::rename(&part, &kept).await.map_err(disk)?;
        }
        if fs::hard_link(&kept, &wanted.path).await.is_err() {
            fs::copy(&kept, &wanted.path).await.map_err(disk)?;
        }
        let used = kept.clone();
        let noted = tokio::task::spawn_blocking(move || {
            std::fs::File::options().append(true).open(used)?.set_modified(SystemTime::now())
        });
        noted.await.map_err(|error| disk(io::Error::other(error)))?.map_err(disk)
    }

    /// Removes what has not been used for longest until `bytes` more fit; what is being fetched stays.
    async fn make_room(&self, bytes: u64, fetched: &str) -> io::Result<()> {
        let mut kept = Vec::new();
        let mut entries = fs::read_dir(&self.directory).await?;
        while let Some(entry) = entries.next_entry().await? {
            let about = entry.metadata().await?;
            if entry.path().file_stem().is_none_or(|stem| stem != fetched) {
                kept.push((about.modified()?, about.len(), entry.path()));
            }
        }
        kept.sort();
        let mut used: u64 = kept.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, size, path) in kept {
            if used.saturating_add(bytes) <= self.most_bytes {
                break;
            }
            fs::remove_file(path).await?;
            used -= size;
        }
        Ok(())
    }
}

/// Whether a kept file is there and still what its name says.
async fn is_intact(path: &Path, sha256: &str) -> bool {
    match digest_of(path).await {
        Ok((digest, _)) => hex::encode(digest.finalize()).eq_ignore_ascii_case(sha256),
        Err(_) => false,
    }
}

/// The digest of what is in a file, to be gone on with, and its length.
async fn digest_of(path: &Path) -> io::Result<(Sha256, u64)> {
    let mut file = fs::File::open(path).await?;
    let (mut digest, mut length, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer).await? {
            0 => return Ok((digest, length)),
            read => {
                digest.update(&buffer[..read]);
                length += read as u64;
            }
        }
    }
}

/// A file that is on its way.
struct Part {
    file: fs::File,
    digest: Sha256,
    length: u64,
}

impl Part {
    /// Goes on with what is there.
    async fn open(path: &Path) -> io::Result<Self> {
        let file = fs::File::options().create(true).append(true).open(path).await?;
        // For the sandbox's user, whatever our umask; the directory says who gets here at all.
        file.set_permissions(Permissions::from_mode(0o644)).await?;
        let (digest, length) = digest_of(path).await?;
        Ok(Self { file, digest, length })
    }

    async fn begin_again(&mut self) -> io::Result<()> {
        self.file.set_len(0).await?;
        self.file.seek(SeekFrom::Start(0)).await?;
        (self.digest, self.length) = (Sha256::new(), 0);
        Ok(())
    }
}

/// Fetches one file to `path`, or goes on with what is there.
async fn fetch(http: &Client, wanted: &Wanted, path: &Path) -> Result<(), FetchError> {
    let disk = |error| FetchError::Disk { name: name(&wanted.path), error };
    let mut part = Part::open(path).await.map_err(disk)?;
    let (mut pause, mut tries) = (Pause::default(), 0);
    loop {
        let before = part.length;
        match fetch_more(http, wanted, &mut part).await {
            Err(FetchError::Storage(reason)) => {
                let progress = part.length.saturating_sub(before) >= PROGRESS_BYTES;
                (tries, pause) = if progress { (0, Pause::default()) } else { (tries + 1, pause) };
                if tries == TRIES {
                    return Err(FetchError::Storage(reason));
                }
                pause.wait().await;
            }
            Ok(()) => return Ok(()),
            Err(error) => {
                // What is wrong now would be wrong for ever if it were gone on with.
                let _ = fs::remove_file(path).await;
                return Err(error);
            }
        }
    }
}

async fn fetch_more(http: &Client, wanted: &Wanted, part: &mut Part) -> Result<(), FetchError> {
    let name = name(&wanted.path);
    let wrong = |reason: String| FetchError::Content { name: name.clone(), reason };
    let disk = |error| FetchError::Disk { name: name.clone(), error };
    let storage = |error: CallError| match error {
        CallError::Passing(text) => FetchError::Storage(text),
        CallError::Stale(text) | CallError::Refused(text) => wrong(text),
    };
    let mut request = http.get(&wanted.url);
    if let Some(token) = &wanted.token {
        request = request.bearer_auth(&token.0);
    }
    if part.length > 0 {
        request = request.header(header::RANGE, format!("bytes={}-", part.length));
    }
    let response = request.send().await.map_err(|it| storage(passing(it)))?;
    if part.length > 0 && response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
        // All of it is there already, or what is there is not a part of it; the hash knows.
        return finished(part, wanted).map_err(wrong);
    }
    let goes_on = response.status() == StatusCode::PARTIAL_CONTENT
        && response
            .headers()
            .get(header::CONTENT_RANGE)
            .and_then(|range| range.to_str().ok())
            .is_some_and(|range| range.starts_with(&format!("bytes {}-", part.length)));
    if !goes_on {
        part.begin_again().await.map_err(disk)?;
    }
    let mut body = checked(response).await.map_err(storage)?.bytes_stream();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|it| storage(passing(it)))?;
        part.length += chunk.len() as u64;
        if part.length > wanted.most_bytes {
            return Err(wrong(format!("it has more than the announced {} bytes", wanted.most_bytes)));
        }
        part.digest.update(&chunk);
        part.file.write_all(&chunk).await.map_err(disk)?;
    }
    part.file.flush().await.map_err(disk)?;
    finished(part, wanted).map_err(wrong)
}

fn finished(part: &Part, wanted: &Wanted) -> Result<(), String> {
    let found = hex::encode(part.digest.clone().finalize());
    if found.eq_ignore_ascii_case(&wanted.sha256) {
        Ok(())
    } else {
        Err(format!("its SHA-256 is {found}, announced was {}", wanted.sha256))
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::{
        io::BufReader,
        net::{TcpListener, TcpStream},
    };

    use super::*;

    /// What the server does with each request, and what it was asked for.
    #[derive(Default)]
    struct Script {
        content: Vec<u8>,
        /// Bytes after which the connections are cut, one after another; then no more are.
        cuts: Vec<usize>,
        ignores_ranges: bool,
        asked: Vec<String>,
    }

    async fn answer(stream: TcpStream, script: Arc<Mutex<Script>>) -> io::Result<()> {
        use tokio::io::AsyncBufReadExt;
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await? == 0 {
                return Ok(());
            }
        }
        let (answer, body) = {
            let mut script = script.lock().unwrap();
            let range = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("range: bytes=").map(str::to_owned))
                .and_then(|range| range.trim_end_matches('-').parse::<usize>().ok());
            script.asked.push(head);
            let total = script.content.len();
            let (status, from) = match range {
                Some(from) if !script.ignores_ranges => (
                    format!("206 Partial Content\r\ncontent-range: bytes {from}-{}/{total}", total - 1),
                    from,
                ),
                _ => ("200 OK".to_owned(), 0),
            };
            let cut = if script.cuts.is_empty() { total } else { script.cuts.remove(0) };
            let body = script.content[from..total.min(from + cut)].to_vec();
            (
                format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", total - from),
                body,
            )
        };
        stream.write_all(answer.as_bytes()).await?;
        stream.write_all(&body).await?;
        stream.shutdown().await
    }

    async fn server(script: Script) -> (String, Arc<Mutex<Script>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/file", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(script));
        let shared = Arc::clone(&script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&shared)));
            }
        });
        (url, script)
    }

    fn content() -> Vec<u8> {
        (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect()
    }

    fn wanted(url: &str, path: PathBuf) -> Wanted {
        let content = content();
        let sha256 = hex::encode(Sha256::digest(&content));
        Wanted { url: url.to_owned(), path, sha256, most_bytes: content.len() as u64, token: None }
    }

    fn client() -> Client {
        // An error means that another test of this process was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Client::new()
    }

    #[tokio::test]
    async fn a_transfer_that_breaks_off_goes_on_where_it_was() {
        let script = Script { content: content(), cuts: vec![1_500_000, 1_000_000], ..Script::default() };
        let (url, script) = server(script).await;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fetch(&client(), &wanted(&url, path.clone()), &path).await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), content());
        let asked = script.lock().unwrap().asked.clone();
        assert_eq!(asked.len(), 3);
        assert!(!asked[0].to_lowercase().contains("range:"));
        let from = |request: &str| {
            let request = request.to_lowercase();
            let range = request.lines().find_map(|line| line.strip_prefix("range: bytes=")).unwrap();
            range.trim_end_matches('-').parse::<u64>().unwrap()
        };
        assert!(from(&asked[1]) > 0 && from(&asked[2]) > from(&asked[1]), "{asked:?}");
    }

    #[tokio::test]
    async fn a_server_that_knows_no_ranges_is_read_from_the_start_again() {
        let script =
            Script { content: content(), cuts: vec![900_000], ignores_ranges: true, ..Script::default() };
        let (url, _) = server(script).await;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fetch(&client(), &wanted(&url, path.clone()), &path).await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), content());
    }

    #[tokio::test]
    async fn what_is_in_the_cache_is_not_fetched_again_unless_it_is_damaged() {
        let (url, script) = server(Script { content: content(), ..Script::default() }).await;
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(directory.path().join("cache"), 1 << 30).await.unwrap();
        let fetched = async |name: &str| {
            let path = directory.path().join(name);
            cache.fetch_all(&client(), vec![wanted(&url, path.clone())], || ()).await.unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), content());
            script.lock().unwrap().asked.len()
        };
        assert_eq!(fetched("first").await, 1);
        assert_eq!(fetched("second").await, 1);
        let kept = directory.path().join("cache").join(wanted(&url, PathBuf::new()).sha256);
        std::fs::remove_file(&kept).unwrap();
        std::fs::write(&kept, "damaged").unwrap();
        assert_eq!(fetched("third").await, 2);
        // A killed worker leaves a part behind, and the next one goes on with it.
        std::fs::remove_file(&kept).unwrap();
        std::fs::write(kept.with_extension(PART), &content()[..3_000_000]).unwrap();
        assert_eq!(fetched("fourth").await, 3);
        assert!(script.lock().unwrap().asked[2].to_lowercase().contains("range: bytes=3000000-"));
    }

    #[tokio::test]
    async fn the_least_recently_used_makes_room_and_what_needs_a_token_is_not_kept() {
        let (url, script) = server(Script { content: content(), ..Script::default() }).await;
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(directory.path().join("cache"), 4_500_000).await.unwrap();
        for (name, age) in [("old", 2), ("new", 1)] {
            let path = directory.path().join("cache").join(name);
            std::fs::write(&path, vec![0; 400_000]).unwrap();
            let modified = SystemTime::now() - std::time::Duration::from_hours(age);
            std::fs::File::options().append(true).open(path).unwrap().set_modified(modified).unwrap();
        }
        let file = wanted(&url, directory.path().join("file"));
        cache.fetch_all(&client(), vec![file.clone()], || ()).await.unwrap();
        let kept = |name: &str| directory.path().join("cache").join(name).exists();
        assert!(!kept("old") && kept("new") && kept(&file.sha256));
        let private = Wanted {
            path: directory.path().join("private"),
            token: Some(HubToken("hf_x".to_owned())),
            ..file.clone()
        };
        cache.fetch_all(&client(), vec![private], || ()).await.unwrap();
        assert!(script.lock().unwrap().asked[1].contains("Bearer hf_x"), "fetched although it is kept");
    }

    #[tokio::test]
    async fn other_content_than_announced_is_refused_and_leaves_nothing() {
        let (url, _) = server(Script { content: b"something else".to_vec(), ..Script::default() }).await;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let refused = fetch(&client(), &wanted(&url, path.clone()), &path).await;
        assert!(matches!(refused, Err(FetchError::Content { .. })), "{refused:?}");
        assert!(!path.exists());
    }
}
