//! The board over time, without its database, and in a browser by keyboard.
#![expect(clippy::unwrap_used, reason = "a test's failure is a panic with a place")]

use end_to_end::{Browser, Node, Site, shows, until};
use fantoccini::{Client, Locator, key::Key};
use reqwest::{StatusCode, header, multipart::Form};
use scraper::{Html, Selector};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use store::accounts::Role;

/// The accessibility rules of axe-core 4.10 (Deque, MPL-2.0; see the file beside it).
const AXE: &str = include_str!("../assets/axe.min.js");

fn texts(html: &str, selector: &str) -> Vec<String> {
    let selector = Selector::parse(selector).unwrap();
    let words = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    Html::parse_document(html).select(&selector).map(|element| words(element.text().collect())).collect()
}

/// A site with a release, the submitter "sam" and the admin "ada".
async fn open_site() -> Site {
    let site = Site::start().await;
    site.release().await;
    site.user("sam", Role::Submitter).await;
    site.user("ada", Role::Admin).await;
    until("the release is on the board", || async {
        site.get("/api/v1/boards/tiny").await.0.eq(&200).then_some(())
    })
    .await;
    site
}

/// Submits a model, lets a node answer every item with `text`, and waits until it is on the board; its submission's id.
async fn evaluated(site: &Site, name: &str, text: &str) -> String {
    let form = Form::new()
        .text("name", name.to_owned())
        .text("organisation", "Acme")
        .text("licence", "MIT")
        .text("runtime", "pocketsphinx")
        .text("release", "tiny");
    let answer = site.submit(&site.api_token("sam").await, form).await;
    let id = answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned();
    let node = Node::known(site, "node").await;
    let job = node.claim(&Node::claim_now()).await.unwrap();
    let results = Node::results(Node::evaluation(&job), text);
    let hash = hex::encode(Sha256::digest(serde_json::to_vec(&results).unwrap()));
    assert_eq!(node.complete(&job, &results, &hash).await.status(), 204);
    until("it is on the board", || async {
        let (_, board) = site.get("/api/v1/boards/tiny").await;
        board.contains(&format!("\"{name}\"")).then_some(())
    })
    .await;
    id
}

#[tokio::test]
async fn every_ranking_keeps_its_address_and_what_changed_is_said_with_its_reason() {
    let site = open_site().await;
    let (_, empty) = site.get("/snapshots").await;
    assert!(empty.contains("No history yet"));
    evaluated(&site, "half", "the quick brown fox").await;
    let none = evaluated(&site, "none", "zzz").await;
    let client = site.signed_in("ada").await;
    let form = [("action", "quarantine"), ("reason", "It answers the same to everything.")];
    let at = format!("{}/admin/submissions/{none}", site.url);
    assert_eq!(client.post(at).form(&form).send().await.unwrap().status(), 303);
    let list = until("three snapshots are there", || async {
        let (_, page) = site.get(&format!("/snapshots?release=tiny&x={}", uuid::Uuid::now_v7())).await;
        (texts(&page, "table.data tbody tr").len() == 3).then_some(page)
    })
    .await;
    let ids = texts(&list, "table.data tbody th");
    assert!(list.contains("Places over time") && list.contains("Tiny release"));

    let (status, second) = site.get(&format!("/snapshots/{}", ids[1])).await;
    assert_eq!((status, texts(&second, "tbody th a")), (200, vec!["half".to_owned(), "none".to_owned()]));
    assert!(texts(&second, "tbody tr")[1].contains("Quarantined"), "what became of it is marked");
    let (_, first) = site.get(&format!("/snapshots/{}", ids[2])).await;
    assert_eq!(texts(&first, "tbody th a"), ["half"]);

    let (_, came) = site.get(&format!("/changes?from={}&to={}", ids[2], ids[1])).await;
    assert_eq!(texts(&came, "tbody th"), ["none"]);
    assert!(texts(&came, "tbody tr")[0].contains("New on the board"));
    let (_, left) = site.get(&format!("/changes?from={}&to={}", ids[1], ids[0])).await;
    let said = &texts(&left, "tbody tr")[0];
    assert!(said.contains("none") && said.contains("answers the same to everything"), "{said}");
    let (_, same) = site.get(&format!("/changes?from={}&to={}", ids[0], ids[0])).await;
    assert!(same.contains("Every place is the same"));
    assert_eq!(site.get("/snapshots/999999").await.0, 404);
    assert_eq!(site.get("/changes?from=1&to=x").await.0, 400);
}

#[tokio::test]
async fn pages_stay_up_while_the_database_is_away_and_everything_comes_back_by_itself() {
    let mut site = open_site().await;
    let a = evaluated(&site, "half", "the quick brown fox").await;
    let b = evaluated(&site, "none", "zzz").await;
    site.stop_database();
    until("the board is called stale", || async {
        site.get("/").await.1.contains("The database does not answer").then_some(())
    })
    .await;
    for path in [
        "/".to_owned(),
        "/?sort=near&q=half".to_owned(),
        format!("/models/{a}"),
        "/pareto?x=latency-p50".to_owned(),
        format!("/compare?a={a}&b={b}"),
        "/conditions".to_owned(),
        "/my-room".to_owned(),
        "/method".to_owned(),
        "/faq".to_owned(),
        "/external".to_owned(),
    ] {
        let (status, page) = site.get(&path).await;
        assert_eq!(status, 200, "{path}");
        assert!(page.contains("The database does not answer"), "{path} says that it is stale");
    }
    assert_eq!(site.get("/api/v1/boards/tiny").await.0, 200);
    let (_, compared) = site.get(&format!("/compare?a={a}&b={b}")).await;
    assert!(compared.contains("half") && compared.contains("again as soon as the database is"));

    let form = [("name", "sam"), ("password", "correct horse"), ("next", "/")];
    let answer = site.visitor().post(format!("{}/login", site.url)).form(&form).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()[header::RETRY_AFTER], "60");
    let html = answer.text().await.unwrap();
    assert!(html.contains("Nothing is lost") && html.contains("<h1>"), "a page that says what to do");
    let (status, _) = site.get("/snapshots").await;
    assert_eq!(status, 503, "history is read from the database");

    site.start_database().await;
    until("the banner is gone", || async {
        (!site.get("/").await.1.contains("The database does not answer")).then_some(())
    })
    .await;
    site.signed_in("sam").await;
    let (_, compared) = site.get(&format!("/compare?a={a}&b={b}")).await;
    assert!(compared.contains("P(A better)"));
}

#[tokio::test]
async fn a_page_is_compressed_and_whoever_has_it_gets_no_second_copy() {
    let site = open_site().await;
    let get = |headers: Vec<(&'static str, String)>| {
        let mut request = site.visitor().get(&site.url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.send()
    };
    let plain = get(vec![]).await.unwrap();
    let brotli = get(vec![("accept-encoding", "gzip, br".to_owned())]).await.unwrap();
    assert_eq!(brotli.headers()["content-encoding"], "br");
    let vary: Vec<&str> =
        brotli.headers().get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
    assert!(vary.join(", ").contains("accept-encoding"), "{vary:?}");
    let etag = brotli.headers()["etag"].to_str().unwrap().to_owned();
    assert_ne!(etag, plain.headers()["etag"].to_str().unwrap(), "other bytes, another tag");
    let (plain, brotli) = (plain.bytes().await.unwrap(), brotli.bytes().await.unwrap());
    assert!(brotli.len() * 2 < plain.len());
    let known = vec![("accept-encoding", "br".to_owned()), ("if-none-match", etag)];
    let again = get(known.clone()).await.unwrap();
    assert_eq!((again.status(), again.bytes().await.unwrap().len()), (StatusCode::NOT_MODIFIED, 0));
    evaluated(&site, "half", "the quick brown fox").await;
    assert_eq!(get(known).await.unwrap().status(), StatusCode::OK, "the board has changed");
}

/// Where the focus is: the element's text or name.
async fn focused(page: &Client) -> String {
    let script = "const it = document.activeElement; return (it.getAttribute('aria-label') || it.textContent || it.name || '').trim()";
    page.execute(script, Vec::new()).await.unwrap().as_str().unwrap_or_default().to_owned()
}

/// Presses Tab until `found`; fails if it never comes.
async fn tab_to(page: &Client, what: &str, found: impl Fn(&str) -> bool) {
    for _ in 0..200 {
        press(page, Key::Tab.into()).await;
        if found(&focused(page).await) {
            let visible = "const s = getComputedStyle(document.activeElement); return s.outlineStyle !== 'none' || s.boxShadow !== 'none' || document.activeElement.closest('svg') !== null";
            assert_eq!(
                page.execute(visible, Vec::new()).await.unwrap(),
                json!(true),
                "the focus on {what} is seen"
            );
            return;
        }
    }
    panic!("{what} cannot be reached by keyboard");
}

async fn press(page: &Client, key: char) {
    let script = "return document.activeElement";
    let active = page.execute(script, Vec::new()).await.unwrap();
    let element = fantoccini::elements::Element::from_element_id(
        page.clone(),
        active.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned().into(),
    );
    element.send_keys(&key.to_string()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_board_is_sorted_filtered_weighed_and_compared_without_a_mouse() {
    let site = open_site().await;
    evaluated(&site, "half", "the quick brown fox").await;
    evaluated(&site, "none", "zzz").await;
    let browser = Browser::start().await;
    let page = &browser.page;
    let names = async || {
        let mut names = Vec::new();
        for link in page.find_all(Locator::Css("table.board th[scope=row] a")).await.unwrap() {
            names.push(link.text().await.unwrap());
        }
        names
    };
    page.goto(&site.url).await.unwrap();
    press(page, Key::Tab.into()).await;
    assert_eq!(focused(page).await, "Skip to the content");
    press(page, Key::Enter.into()).await;

    // Sort, and again the other way round.
    tab_to(page, "the head of a column", |name| name == "Model").await;
    press(page, Key::Enter.into()).await;
    shows(page, "th[aria-sort]").await;
    assert_eq!(names().await, ["half", "none"]);
    tab_to(page, "the head of a column", |name| name.starts_with("Model")).await;
    press(page, Key::Enter.into()).await;
    shows(page, "th[aria-sort=descending]").await;
    assert_eq!(names().await, ["none", "half"]);

    // Filter, with the panel opened by keyboard.
    page.goto(&site.url).await.unwrap();
    tab_to(page, "the filter", |name| name == "Filter and columns").await;
    press(page, Key::Enter.into()).await;
    tab_to(page, "the search field", |name| name == "q").await;
    for letter in "half".chars() {
        press(page, letter).await;
    }
    press(page, Key::Enter.into()).await;
    shows(page, "details[open] input[value=half]").await;
    assert_eq!(names().await, ["half"]);
    assert!(page.current_url().await.unwrap().query().unwrap().contains("q=half"), "the view has an address");

    // A purpose.
    tab_to(page, "a purpose", |name| name == "Car").await;
    press(page, Key::Enter.into()).await;
    shows(page, ".notice.purpose").await;

    // A point of the chart leads to its model, and from there to a comparison.
    page.goto(&site.url).await.unwrap();
    tab_to(page, "a point of the chart", |name| {
        name.len() < 200 && name.contains("RTFx") && name.contains("on the front in")
    })
    .await;
    press(page, Key::Enter.into()).await;
    shows(page, "#weakness").await;
    page.goto(&format!("{}/compare?release=tiny", site.url)).await.unwrap();
    for seat in ["a", "b"] {
        tab_to(page, "a seat", |name| name.contains("half") && name.contains("none")).await;
        press(page, if seat == "a" { 'h' } else { 'n' }).await;
    }
    tab_to(page, "the button", |name| name == "Compare").await;
    press(page, Key::Enter.into()).await;
    shows(page, "#difference").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_on_any_page_and_nothing_moves_while_it_loads() {
    let site = open_site().await;
    let a = evaluated(&site, "half", "the quick brown fox").await;
    let b = evaluated(&site, "none", "zzz").await;
    until("the history is there", || async {
        let (_, page) = site.get(&format!("/snapshots?x={}", uuid::Uuid::now_v7())).await;
        (texts(&page, "#snapshots").len() == 1).then_some(())
    })
    .await;
    let (_, list) = site.get("/snapshots").await;
    let first = texts(&list, "table.data tbody th").pop().unwrap();
    let last = texts(&list, "table.data tbody th").remove(0);
    let browser = Browser::start().await;
    let page = &browser.page;
    let visitors: Vec<String> = [
        "/",
        "/?for=car",
        "/?q=nobody",
        "/?profile=raw&columns=near,rtfx,licence",
        "/pareto",
        "/my-room",
        "/compare",
        "/conditions",
        "/external",
        "/self-reported",
        "/queue",
        "/method",
        "/faq",
        "/changelog",
        "/runtimes",
        "/snapshots",
        "/login",
        "/nothing-here",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain([
        format!("/models/{a}"),
        format!("/models/{a}/record"),
        format!("/submissions/{a}"),
        format!("/compare?a={a}&b={b}"),
        format!("/snapshots/{last}"),
        format!("/changes?from={first}&to={last}"),
    ])
    .collect();
    look_at(page, &site, &visitors).await;
    page.goto(&format!("{}/login", site.url)).await.unwrap();
    for (field, value) in [("name", "ada"), ("password", "correct horse")] {
        page.find(Locator::Css(&format!("input[name={field}]")))
            .await
            .unwrap()
            .send_keys(value)
            .await
            .unwrap();
    }
    page.find(Locator::Css("main form button")).await.unwrap().click().await.unwrap();
    shows(page, ".account form").await;
    let staff = [
        "/submit".to_owned(),
        "/submissions".to_owned(),
        "/webhooks".to_owned(),
        "/admin".to_owned(),
        format!("/admin/submissions/{a}"),
        "/admin/workers".to_owned(),
        "/admin/workers/node".to_owned(),
        "/admin/releases".to_owned(),
        "/admin/quota".to_owned(),
        "/admin/audit".to_owned(),
    ];
    look_at(page, &site, &staff).await;
}

/// Runs axe over pages, in light and in dark, and measures how far they shift while loading.
async fn look_at(page: &Client, site: &Site, paths: &[String]) {
    let rules = "const done = arguments[arguments.length - 1];
        axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})
           .then(found => done(found.violations.map(it => it.id + ': ' + it.nodes.map(node => node.html.slice(0, 200)).join(' | '))));";
    let shift = "const done = arguments[arguments.length - 1];
        new PerformanceObserver(list => done(list.getEntries().map(entry => entry.value.toFixed(4) + ' by ' +
                entry.sources.map(it => it.node?.outerHTML?.slice(0, 120)).join(' | ')).join('; ')))
            .observe({type: 'layout-shift', buffered: true});
        requestAnimationFrame(() => requestAnimationFrame(() => done('')));";
    let wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
    let mut faults = Vec::new();
    for path in paths {
        page.goto(&format!("{}{path}", site.url)).await.unwrap();
        let moved = page.execute_async(shift, Vec::new()).await.unwrap();
        if moved != json!("") {
            faults.push(format!("{path}: shifts while loading: {moved}"));
        }
        if page.execute(wide, Vec::new()).await.unwrap().as_i64() != Some(0) {
            faults.push(format!("{path}: scrolls sideways"));
        }
        page.execute(AXE, Vec::new()).await.unwrap();
        for theme in ["light", "dark"] {
            page.execute(&format!("document.documentElement.dataset.theme = '{theme}'"), Vec::new())
                .await
                .unwrap();
            let found = page.execute_async(rules, Vec::new()).await.unwrap();
            faults.extend(found.as_array().unwrap().iter().map(|fault| format!("{path} ({theme}) {fault}")));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
