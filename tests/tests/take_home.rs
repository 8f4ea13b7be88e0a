//! What visitors take home: feeds, badges, cards, frames, citations, text, archives, and the site as files.
#![expect(clippy::unwrap_used, reason = "a test's failure is a panic with a place")]

use std::{collections::BTreeSet, io::Read, path::Path};

use end_to_end::{Node, Site, until};
use reqwest::{Response, Url, multipart::Form};
use scraper::{Html, Selector};
use serde_json::Value;
use sha2::{Digest, Sha256};
use store::accounts::Role;
use web::Policy;

/// A site that knows its address, with one published result; and the submission's id.
async fn published() -> (Site, String) {
    let policy = Policy { public_url: "https://ffasr.example".to_owned(), ..Policy::default() };
    let site = Site::under(end_to_end::Base::start().await, policy).await;
    site.release().await;
    site.user("sam", Role::Submitter).await;
    until("the release is on the board", || async {
        site.get("/api/v1/boards/tiny").await.0.eq(&200).then_some(())
    })
    .await;
    let token = site.api_token("sam").await;
    let form = Form::new()
        .text("name", "Kite <b>")
        .text("organisation", "Acme & Sons")
        .text("licence", "MIT")
        .text("runtime", "pocketsphinx")
        .text("release", "tiny");
    let answer = site.submit(&token, form).await;
    assert_eq!(answer.status(), 201);
    let id = answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned();
    let node = Node::known(&site, "node").await;
    let job = node.claim(&Node::claim_now()).await.unwrap();
    let results = Node::results(Node::evaluation(&job), "the quick brown fox");
    let hash = hex::encode(Sha256::digest(serde_json::to_vec(&results).unwrap()));
    assert_eq!(node.complete(&job, &results, &hash).await.status(), 204);
    until("it is on the board", || async {
        site.get(&format!("/cards/{id}.png")).await.0.eq(&200).then_some(())
    })
    .await;
    (site, id)
}

async fn fetch(site: &Site, path: &str) -> Response {
    site.visitor().get(format!("{}{path}", site.url)).send().await.unwrap()
}

fn kind(answer: &Response) -> String {
    answer.headers()["content-type"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn terminals_get_a_table_browsers_a_page_and_caches_are_told_apart() {
    let (site, _) = published().await;
    let ask = async |agent: &str, accept: &str| {
        let request = site.visitor().get(format!("{}/", site.url));
        request.header("user-agent", agent).header("accept", accept).send().await.unwrap()
    };
    let text = ask("curl/8.5.0", "*/*").await;
    assert_eq!(
        (kind(&text).as_str(), &text.headers()["vary"]),
        ("text/plain; charset=utf-8", &"accept, user-agent".parse().unwrap())
    );
    let text = text.text().await.unwrap();
    let row = text.lines().find(|line| line.contains("Kite <b>")).unwrap();
    // Four of the nine words of each track are right.
    assert!(row.starts_with('1') && row.contains("Acme & Sons"), "{text}");
    let page = ask("Mozilla/5.0", "text/html,*/*;q=0.8").await;
    assert!(kind(&page).starts_with("text/html"));
    assert_eq!(page.headers()["vary"], "accept, user-agent");
    assert_eq!(kind(&fetch(&site, "/board.txt").await), "text/plain; charset=utf-8");
}

#[tokio::test]
async fn feeds_are_atom_that_a_reader_reads_and_their_ids_stay() {
    let (site, id) = published().await;
    let mut ids = Vec::new();
    for path in ["/feed.atom", "/feeds/tiny.atom", "/feed.atom"] {
        let answer = fetch(&site, path).await;
        assert!(kind(&answer).starts_with("application/atom+xml"));
        let feed: atom_syndication::Feed = answer.text().await.unwrap().parse().unwrap();
        let entry = &feed.entries()[0];
        assert_eq!(entry.title().as_str(), "Kite <b>: new on tiny");
        assert_eq!(entry.links()[0].href(), format!("https://ffasr.example/models/{id}"));
        assert_eq!(entry.authors()[0].name(), "Acme & Sons");
        assert!(feed.updated() >= entry.updated());
        assert!(feed.links().iter().any(|link| link.rel() == "self"));
        ids.push((feed.id().to_owned(), entry.id().to_owned()));
    }
    assert_eq!(ids[0], ids[2]);
    assert_ne!(ids[0].0, ids[1].0, "each feed has a name of its own");
    assert_eq!(site.get("/feeds/other.atom").await.0, 404);

    let sam = site.signed_in("sam").await;
    let form = [("reason", "A better one comes.")];
    sam.post(format!("{}/submissions/{id}/withdraw", site.url)).form(&form).send().await.unwrap();
    until("the feed says that it left", || async {
        let feed: atom_syndication::Feed = site.get("/feed.atom").await.1.parse().ok()?;
        (feed.entries().len() == 2 && feed.entries()[0].title().as_str().contains("withdrawn")).then_some(())
    })
    .await;
    assert!(site.get(&format!("/badges/{id}.svg")).await.1.contains("not on the board"));
}

#[tokio::test]
async fn a_model_has_a_badge_a_card_a_citation_and_code_to_copy() {
    let (site, id) = published().await;
    let (status, badge) = site.get(&format!("/badges/{id}.svg")).await;
    assert!(status == 200 && badge.contains("rank 1 of 1"), "{badge}");
    assert!(site.get(&format!("/badges/{id}.svg?track=near")).await.1.contains("near WER"));
    assert_eq!(site.get("/badges/nonsense.svg").await.0, 404);
    let card = fetch(&site, &format!("/cards/{id}.png")).await;
    assert_eq!(kind(&card), "image/png");
    let card = card.bytes().await.unwrap();
    // Width and height in the header of a PNG.
    assert_eq!((&card[16..20], &card[20..24]), (&1200_u32.to_be_bytes()[..], &630_u32.to_be_bytes()[..]));

    let (_, html) = site.get(&format!("/models/{id}")).await;
    let page = Html::parse_document(&html);
    let meta = Selector::parse("meta[property='og:image']").unwrap();
    let image = page.select(&meta).next().unwrap().value().attr("content").unwrap();
    assert_eq!(image, format!("https://ffasr.example/cards/{id}.png"));
    let code: String = page.select(&Selector::parse("#take-home").unwrap()).next().unwrap().text().collect();
    assert!(code.contains("@misc{ffasr-") && code.contains(r"{Acme \& Sons}"), "{code}");
    assert!(code.contains("<iframe src=\"https://ffasr.example/embed/pareto?"), "{code}");
    assert!(site.get("/cite").await.1.contains("Manifest sha256:"));
}

#[tokio::test]
async fn a_chart_may_stand_in_a_frame_and_nothing_else_may() {
    let (site, _) = published().await;
    let policy = async |path: &str| {
        fetch(&site, path).await.headers()["content-security-policy"].to_str().unwrap().to_owned()
    };
    let frame = policy("/embed/pareto").await;
    assert!(
        frame.contains("frame-ancestors *") && !frame.contains("script-src") && !frame.contains("unsafe")
    );
    for path in ["/", "/pareto", "/api", "/downloads", "/cite"] {
        assert!(policy(path).await.contains("frame-ancestors 'none'"), "{path}");
    }
    assert!(site.get("/embed/pareto?x=params").await.1.contains("FFASR"));
    let picture = fetch(&site, "/api/v1/boards/tiny/pareto.png").await;
    assert_eq!(kind(&picture), "image/png");
}

#[tokio::test]
async fn an_archive_holds_every_public_figure_with_licence_and_hashes_and_no_reference() {
    let (site, _) = published().await;
    assert_eq!(site.get("/downloads/ffasr-latest.tar.gz").await.0, 404);
    let name = web::dump::make(&site.beside().await, true).await.unwrap().unwrap();
    assert!(site.get("/downloads").await.1.contains(&name));
    let answer = fetch(&site, "/downloads/ffasr-latest.tar.gz").await;
    assert_eq!(kind(&answer), "application/gzip");
    let bytes = answer.bytes().await.unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&bytes[..]));
    let mut files = std::collections::BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().into_owned();
        let name = path.components().skip(1).collect::<std::path::PathBuf>().display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        files.insert(name, content);
    }
    for name in [
        "README.md",
        "LICENCE.md",
        "DEFINITIONS.md",
        "openapi.json",
        "conditions/tiny@1.json",
        "boards/tiny@1/cpu-2core/ffasr.csv",
    ] {
        assert!(files.contains_key(name), "{name} is not in {:?}", files.keys());
    }
    assert!(String::from_utf8_lossy(&files["LICENCE.md"]).contains("CC-BY-4.0"));
    assert!(files.keys().any(|name| name.ends_with("-items.parquet")));
    let sums = String::from_utf8(files["SHA256SUMS"].clone()).unwrap();
    assert_eq!(sums.lines().count(), files.len() - 1);
    for line in sums.lines() {
        let (sum, name) = line.split_once("  ").unwrap();
        assert_eq!(sum, hex::encode(Sha256::digest(&files[name])), "{name}");
    }
    for (name, content) in &files {
        let text = String::from_utf8_lossy(content);
        // Words of both references; the model said the first sentence itself, and not even that is here.
        assert!(!text.contains("quick brown") && !text.contains("lazy dog"), "{name} holds a reference");
    }
}

/// Serves a folder as any web server would.
async fn serve(folder: &Path) -> String {
    let folder = folder.to_owned();
    let router = axum::Router::new().fallback(async move |uri: axum::http::Uri| {
        let path = folder.join(uri.path().trim_start_matches('/'));
        let path = if path.is_dir() { path.join("index.html") } else { path };
        std::fs::read(path).map_err(|_| axum::http::StatusCode::NOT_FOUND)
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/")
}

#[tokio::test]
async fn the_exported_site_has_no_link_that_leads_nowhere_and_says_what_is_live_only() {
    let (site, id) = published().await;
    let folder = tempfile::tempdir().unwrap();
    let exported =
        web::export::export(&site.beside().await, folder.path(), "https://ffasr.example").await.unwrap();
    assert_eq!(exported.broken, []);
    assert!(folder.path().join(format!("models/{id}/index.html")).exists());

    let root = serve(folder.path()).await;
    let client = end_to_end::client();
    let (mut seen, mut waiting) = (BTreeSet::new(), vec![Url::parse(&root).unwrap()]);
    let links = Selector::parse("[href], [src]").unwrap();
    while let Some(url) = waiting.pop() {
        let answer = client.get(url.clone()).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{url}");
        let is_page = url.path().strip_suffix(".html").is_some() || url.path().ends_with('/');
        if !is_page {
            continue;
        }
        let html = Html::parse_document(&answer.text().await.unwrap());
        assert!(html.select(&Selector::parse("form").unwrap()).next().is_none(), "{url} has a dead form");
        for element in html.select(&links) {
            let link = element.value().attr("href").or(element.value().attr("src")).unwrap();
            let mut target = url.join(link).unwrap();
            target.set_fragment(None);
            if target.as_str().starts_with(&root) {
                if seen.insert(target.clone()) {
                    waiting.push(target);
                }
            } else if target.host_str() == Some("ffasr.example")
                && element.value().attr("data-live-only").is_none()
            {
                let inside: String = element.text().collect();
                assert!(
                    inside.contains("this page there"),
                    "{url} leads to the live site without saying so: {link}"
                );
            }
        }
    }
    let ends_with = |ending: &str| seen.iter().any(|url| url.path().ends_with(ending));
    for ending in ["feed.atom", ".css", ".csv", ".json", ".svg", ".png", "api/index.html"] {
        assert!(ends_with(ending), "no link to {ending} among {}", seen.len());
    }
}
