//! Pages as bytes: made once for a snapshot, compressed once, answered without making them again.
//!
//! What anybody may read and nobody is signed in for is answered from here, with an `ETag` of its content. A page is kept
//! as long as the snapshot it was made from, and a minute at most, since some of it may come from the database.

use std::{
    collections::HashMap,
    io::Write as _,
    sync::{Arc, OnceLock, RwLock},
    time::{Duration, Instant},
};

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

use crate::{Service, auth::SESSION_COOKIE, terminal};

/// What may be kept: all that a visitor reads and that is the same for all visitors.
const KEPT: [&str; 14] = [
    "/models/",
    "/pareto",
    "/my-room",
    "/compare",
    "/conditions",
    "/rooms/",
    "/external",
    "/method",
    "/snapshots",
    "/changes",
    "/faq",
    "/changelog",
    "/static/",
    "/api/v1/boards",
];
/// Pages below those that change without the board.
const FRESH: [&str; 2] = ["/record", "/objections"];
/// How long a page is kept.
const LONGEST: Duration = Duration::from_mins(1);
/// Most bytes of a page that is kept.
const MOST_PAGE: usize = 1 << 20;
/// Most bytes of all pages, before compression.
const MOST_BYTES: usize = 6 << 20;
/// Quality of Brotli: larger ones save a few percent more and take ten times as long.
const BROTLI_QUALITY: i32 = 6;

/// The pages that are kept.
#[derive(Default)]
pub(crate) struct Prepared {
    kept: RwLock<Kept>,
}

#[derive(Default)]
struct Kept {
    generation: u64,
    bytes: usize,
    pages: HashMap<String, Arc<Page>>,
}

/// One page.
struct Page {
    made: Instant,
    /// All but those of its body.
    headers: HeaderMap,
    plain: Coded,
    brotli: OnceLock<Coded>,
    gzip: OnceLock<Coded>,
}

/// A body under one content coding.
struct Coded {
    body: Bytes,
    etag: HeaderValue,
}

impl Coded {
    fn new(body: Vec<u8>, hash: &str, coding: &str) -> Self {
        let etag = HeaderValue::from_str(&format!("\"{hash}{coding}\""));
        Self { body: body.into(), etag: etag.unwrap_or(HeaderValue::from_static("\"\"")) }
    }
}

impl Page {
    fn new(headers: HeaderMap, body: Vec<u8>) -> Self {
        let hash = hex::encode(&Sha256::digest(&body)[..12]);
        let plain = Coded::new(body, &hash, "");
        Self { made: Instant::now(), headers, plain, brotli: OnceLock::new(), gzip: OnceLock::new() }
    }

    /// Pictures and tables in columns are compressed already.
    fn is_text(&self) -> bool {
        let media_type = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        media_type.is_some_and(|it| {
            it.starts_with("text/") || ["json", "xml", "javascript"].iter().any(|kind| it.contains(kind))
        })
    }

    fn hash(&self) -> &str {
        self.plain.etag.to_str().unwrap_or_default().trim_matches('"')
    }

    fn brotli(&self) -> &Coded {
        self.brotli.get_or_init(|| {
            let mut coded = Vec::new();
            let parameters = brotli::enc::BrotliEncoderParams {
                quality: BROTLI_QUALITY,
                size_hint: self.plain.body.len(),
                ..Default::default()
            };
            // Reading from and writing to memory cannot fail.
            let _ = brotli::BrotliCompress(&mut &*self.plain.body, &mut coded, &parameters);
            Coded::new(coded, self.hash(), "-br")
        })
    }

    fn gzip(&self) -> &Coded {
        self.gzip.get_or_init(|| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            // Writing to memory cannot fail.
            let coded = encoder.write_all(&self.plain.body).and_then(|()| encoder.finish());
            Coded::new(coded.unwrap_or_default(), self.hash(), "-gz")
        })
    }

    fn answer(&self, asked: &HeaderMap) -> Response {
        let coding = if self.is_text() { accepted(asked) } else { Coding::Plain };
        let (coded, coding) = match coding {
            Coding::Brotli => (self.brotli(), Some("br")),
            Coding::Gzip => (self.gzip(), Some("gzip")),
            Coding::Plain => (&self.plain, None),
        };
        let mut headers = self.headers.clone();
        headers.insert(header::ETAG, coded.etag.clone());
        if is_known(asked, &coded.etag) {
            headers.remove(header::CONTENT_TYPE);
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        if let Some(coding) = coding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        let mut response = Response::new(Body::from(coded.body.clone()));
        *response.headers_mut() = headers;
        response
    }
}

enum Coding {
    Brotli,
    Gzip,
    Plain,
}

/// The best coding that whoever asks can read.
fn accepted(asked: &HeaderMap) -> Coding {
    let named = |coding: &str| {
        let mut values =
            asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        values.any(|value| {
            value.split(',').any(|part| {
                let mut words = part.split(';').map(str::trim);
                let refused = |word: &str| word.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0_f32));
                words.next() == Some(coding) && !words.any(refused)
            })
        })
    };
    if named("br") {
        Coding::Brotli
    } else if named("gzip") {
        Coding::Gzip
    } else {
        Coding::Plain
    }
}

/// Whether whoever asks has this body already.
fn is_known(asked: &HeaderMap, etag: &HeaderValue) -> bool {
    let known = asked.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let (known, Ok(etag)) = (known.unwrap_or_default(), etag.to_str()) else { return false };
    known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag)
}

impl Prepared {
    fn get(&self, generation: u64, address: &str) -> Option<Arc<Page>> {
        let kept = self.kept.read().ok()?;
        let page = kept.pages.get(address).filter(|_| kept.generation == generation)?;
        (page.made.elapsed() < LONGEST).then(|| Arc::clone(page))
    }

    fn keep(&self, generation: u64, address: String, page: &Arc<Page>) {
        let Ok(mut kept) = self.kept.write() else { return };
        let bytes = page.plain.body.len();
        if kept.generation != generation || kept.bytes + bytes > MOST_BYTES {
            *kept = Kept { generation, ..Kept::default() };
        }
        kept.bytes += bytes;
        if let Some(old) = kept.pages.insert(address, Arc::clone(page)) {
            kept.bytes -= old.plain.body.len();
        }
    }
}

/// Whether an address may be answered from what is kept.
fn may_keep(path: &str) -> bool {
    path == "/"
        || KEPT.iter().any(|start| path.starts_with(start)) && !FRESH.iter().any(|end| path.ends_with(end))
}

fn is_anybody(headers: &HeaderMap) -> bool {
    let mut cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    !cookies.any(|cookies| cookies.contains(SESSION_COOKIE)) && !headers.contains_key(header::AUTHORIZATION)
}

/// Middleware around everything: answers from what is kept, and keeps what is made.
pub(crate) async fn answer(State(service): State<Service>, request: Request, next: Next) -> Response {
    let is_kept = request.method() == Method::GET && may_keep(request.uri().path()) && is_anybody(request.headers())
        // Whoever reads in a terminal gets another text from the same address.
        && !terminal::is_wanted(request.headers());
    if !is_kept {
        return next.run(request).await;
    }
    let address = request.uri().path_and_query().map_or("/", |address| address.as_str());
    let generation = service.generation();
    if let Some(page) = service.prepared.get(generation, address) {
        return page.answer(request.headers());
    }
    let (address, asked) = (address.to_owned(), request.headers().clone());
    let response = next.run(request).await;
    if response.status() != StatusCode::OK || response.headers().contains_key(header::SET_COOKIE) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    if body.len() > MOST_PAGE || parts.headers.contains_key(header::CONTENT_ENCODING) {
        return Response::from_parts(parts, Body::from(body));
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    // Whoever has it asks whether it is still the same.
    parts.headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    parts.headers.append(header::VARY, HeaderValue::from_static("accept-encoding, cookie"));
    let page = Arc::new(Page::new(parts.headers, body.into()));
    service.prepared.keep(generation, address, &page);
    page.answer(&asked)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn asking(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    fn page() -> Page {
        Page::new(asking(header::CONTENT_TYPE, "text/html"), "far field ".repeat(100).into_bytes())
    }

    #[test]
    fn a_page_comes_in_the_best_coding_that_is_read() {
        let page = page();
        for (accepts, coding) in [
            ("gzip, deflate, br, zstd", Some("br")),
            ("gzip;q=0.5", Some("gzip")),
            ("br;q=0, gzip", Some("gzip")),
            ("zstd", None),
        ] {
            let answer = page.answer(&asking(header::ACCEPT_ENCODING, accepts));
            let found = answer.headers().get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap());
            assert_eq!(found, coding, "{accepts}");
        }
        let mut plain = Vec::new();
        brotli::BrotliDecompress(&mut &*page.brotli().body, &mut plain).unwrap();
        assert_eq!(plain, page.plain.body);
        assert!(page.brotli().body.len() < 100 && page.gzip().body.len() < 100);
    }

    #[test]
    fn whoever_has_a_page_is_told_so_and_gets_no_body() {
        let page = page();
        let etag = page.answer(&HeaderMap::new()).headers()[header::ETAG].clone();
        let mut asked = HeaderMap::from_iter([(header::IF_NONE_MATCH, etag)]);
        assert_eq!(page.answer(&asked).status(), StatusCode::NOT_MODIFIED);
        asked.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("br"));
        assert_eq!(page.answer(&asked).status(), StatusCode::OK, "other bytes have another tag");
    }

    #[test]
    fn a_page_of_an_older_board_is_not_answered() {
        let prepared = Prepared::default();
        prepared.keep(1, "/".to_owned(), &Arc::new(page()));
        assert!(prepared.get(1, "/").is_some() && prepared.get(2, "/").is_none());
        prepared.keep(2, "/method".to_owned(), &Arc::new(page()));
        assert!(prepared.get(2, "/").is_none() && prepared.get(2, "/method").is_some());
    }

    #[test]
    fn what_is_of_one_reader_or_changes_by_itself_is_never_kept() {
        for path in ["/queue", "/submissions/1", "/admin", "/models/1/record", "/login", "/api/v1/queue"] {
            assert!(!may_keep(path), "{path}");
        }
        assert!(may_keep("/") && may_keep("/models/1") && may_keep("/api/v1/boards/x"));
        assert!(!is_anybody(&asking(header::COOKIE, "a=b; ffasr_session=x")));
        assert!(is_anybody(&asking(header::COOKIE, "theme=dark")));
    }
}
