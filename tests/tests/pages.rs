//! What people and programs get from the service, over HTTP.
#![expect(clippy::unwrap_used, reason = "a test's failure is a panic with a place")]

use std::collections::BTreeMap;

use end_to_end::{Node, Site, until};
use protocol::{AttemptResults, Fail, FailureClass, Outcome};
use reqwest::multipart::{Form, Part};
use scraper::{Html, Selector};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use store::{
    accounts::Role,
    external::{self, ExternalRow, NewExternalBoard},
    releases::{self, NewRelease},
    rendering,
};

fn texts(html: &str, selector: &str) -> Vec<String> {
    let selector = Selector::parse(selector).unwrap();
    let words = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    Html::parse_document(html).select(&selector).map(|element| words(element.text().collect())).collect()
}

fn hash(results: &AttemptResults) -> String {
    hex::encode(Sha256::digest(serde_json::to_vec(results).unwrap()))
}

fn model(name: &str) -> Form {
    Form::new()
        .text("name", name.to_owned())
        .text("organisation", "Acme")
        .text("licence", "MIT")
        .text("runtime", "pocketsphinx")
        .text("release", "tiny")
}

/// A site with a release and the submitter "sam".
async fn open_site() -> Site {
    let site = Site::start().await;
    site.release().await;
    site.user("sam", Role::Submitter).await;
    until("the release is on the board", || async {
        site.get("/api/v1/boards/tiny").await.0.eq(&200).then_some(())
    })
    .await;
    site
}

/// Submits a model and lets a node answer every item with `text`; the submission's id, once it is published.
async fn evaluated(site: &Site, name: &str, text: &str) -> String {
    let token = site.api_token("sam").await;
    let answer = site.submit(&token, model(name)).await;
    assert_eq!(answer.status(), 201);
    let id = answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned();
    let node = Node::known(site, "node").await;
    let job = node.claim(&Node::claim_now()).await.unwrap();
    let results = Node::results(Node::evaluation(&job), text);
    assert_eq!(node.complete(&job, &results, &hash(&results)).await.status(), 204);
    until("it is published", || async {
        let (_, text) = site.get(&format!("/api/v1/submissions/{id}")).await;
        let submission: Value = serde_json::from_str(&text).unwrap();
        (submission["state"] == "published").then_some(())
    })
    .await;
    id
}

#[tokio::test]
async fn an_empty_service_says_so_instead_of_failing() {
    let site = Site::start().await;
    for path in
        ["/", "/external", "/queue", "/method", "/login", "/healthz", "/api/v1/boards", "/api/v1/external"]
    {
        assert_eq!(site.get(path).await.0, 200, "{path}");
    }
    assert_eq!(site.get("/nothing-here").await.0, 404);
    assert_eq!(site.get("/?release=nothing").await.0, 404);
    assert_eq!(site.get("/models/not-an-id").await.0, 404);
}

#[tokio::test]
async fn the_form_names_every_fault_at_its_field_keeps_what_was_typed_and_changes_nothing() {
    let site = open_site().await;
    let client = site.signed_in("sam").await;
    let form = Form::new()
        .text("name", "")
        .text("organisation", "Acme & Sons")
        .text("licence", "MIT")
        .text("runtime", "abacus")
        .text("release", "tiny")
        .text("num_params", "lots")
        .text("decoding", "beam = \n");
    let answer = client.post(format!("{}/submit", site.url)).multipart(form).send().await.unwrap();
    assert_eq!(answer.status(), 422);
    let html = answer.text().await.unwrap();
    for field in ["name", "num_params", "decoding", "runtime"] {
        let said = texts(&html, &format!("#{field}-error"));
        assert_eq!(said.len(), 1, "{field} has no message");
    }
    assert!(texts(&html, "#runtime-error")[0].contains("pocketsphinx"), "the message says what exists");
    assert!(texts(&html, "#decoding-error")[0].contains("line 1"));
    let kept = Html::parse_document(&html);
    let organisation = kept.select(&Selector::parse("#organisation").unwrap()).next().unwrap();
    assert_eq!(organisation.value().attr("value"), Some("Acme & Sons"));
    let (_, queue) = site.get("/queue").await;
    assert!(!queue.contains("Acme"), "nothing was queued");
}

#[tokio::test]
async fn a_setting_the_runtime_does_not_know_a_missing_file_and_an_unknown_field_are_refused_in_words() {
    let site = open_site().await;
    let token = site.api_token("sam").await;
    let cases = [
        (model("m").text("decoding", "warp = 9\n"), 422, "warp"),
        (model("m").text("decoding", "lm = \"mine.lm\"\n"), 422, "mine.lm"),
        (model("m").text("colour", "red"), 400, "colour"),
        (model("m").part("files", Part::bytes(vec![1]).file_name("../../x")), 422, "../../x"),
        (Form::new().text("manifest", "name = \"x\"\nnonsense\n").text("release", "tiny"), 422, "line 2"),
        (Form::new().text("manifest", "").text("release", "tiny"), 422, "name"),
    ];
    for (form, status, word) in cases {
        let answer = site.submit(&token, form).await;
        assert_eq!(answer.status(), status, "{word}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let problem: Value = answer.json().await.unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(word), "{problem}");
    }
    let answer = site.submit(&token, model("m").text("release", "other")).await;
    assert_eq!(answer.status(), 422, "an unknown release");
}

#[tokio::test]
async fn strangers_cannot_submit_and_submitters_cannot_see_the_admin_page() {
    let site = open_site().await;
    let visitor = site.visitor();
    assert_eq!(site.get("/submit").await.0, 401);
    assert_eq!(
        visitor.post(format!("{}/submit", site.url)).multipart(model("m")).send().await.unwrap().status(),
        401
    );
    assert_eq!(site.submit("ffa_wrong", model("m")).await.status(), 401);
    assert_eq!(site.get("/admin").await.0, 401);
    let sam = site.signed_in("sam").await;
    assert_eq!(sam.get(format!("{}/admin", site.url)).send().await.unwrap().status(), 403);
    site.user("ada", Role::Admin).await;
    let ada = site.signed_in("ada").await;
    assert_eq!(ada.get(format!("{}/admin", site.url)).send().await.unwrap().status(), 200);
    ada.post(format!("{}/logout", site.url)).send().await.unwrap();
    assert_eq!(
        ada.get(format!("{}/admin", site.url)).send().await.unwrap().status(),
        401,
        "after logging out"
    );
}

#[tokio::test]
async fn another_site_cannot_make_a_browser_act() {
    let site = open_site().await;
    let client = site.signed_in("sam").await;
    let foreign = client.post(format!("{}/submit", site.url)).header("origin", "https://evil.example");
    assert_eq!(foreign.multipart(model("m")).send().await.unwrap().status(), 403);
    let answer = site.visitor().get(&site.url).send().await.unwrap();
    let policy = answer.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe-inline"));
}

/// A part of a form that has `bytes` bytes.
fn weights(bytes: usize) -> Part {
    Part::bytes(vec![0; bytes]).file_name("weights.bin")
}

#[tokio::test]
async fn whatever_goes_wrong_people_get_a_page_and_programs_get_problem_json() {
    let site = open_site().await;
    let (visitor, sam) = (site.visitor(), site.signed_in("sam").await);
    let token = site.api_token("sam").await;
    let at = |path: &str| format!("{}{path}", site.url);
    let evil = "https://evil.example";
    let of_people = [
        (visitor.get(at("/nothing-here")), 404),
        (visitor.get(at("/models/not-an-id")), 404),
        (visitor.get(at("/submissions/not-an-id")), 404),
        (visitor.get(at("/?sort=wer&sort=rtfx")), 400),
        (visitor.delete(at("/queue")), 405),
        (visitor.post(at("/login")).body("name=sam"), 400),
        (visitor.post(at("/login")).form(&[("name", "sam")]), 400),
        (visitor.post(at("/login")).header("origin", evil), 403),
        (sam.post(at("/submit")).body("a form without a boundary"), 400),
    ];
    for (request, status) in of_people {
        let answer = request.send().await.unwrap();
        let place = answer.url().clone();
        assert_eq!(answer.status(), status, "{place}");
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/html"), "{place}");
        let html = answer.text().await.unwrap();
        assert_eq!(texts(&html, "main .code"), [status.to_string()], "{place}");
        assert!(
            texts(&html, "main .lead").concat().ends_with('.'),
            "{place} says what is wrong in a sentence"
        );
    }
    let node = Node::known(&site, "node").await;
    let of_programs = [
        (visitor.get(at("/api/v1/nothing-here")), 404),
        (visitor.get(at("/worker/nothing-here")), 404),
        (visitor.get(at("/api/v1/submissions/not-an-id")), 404),
        (visitor.get(at("/api/v1/boards/tiny?hardware=a&hardware=b")), 400),
        (visitor.post(at("/api/v1/boards")), 405),
        (visitor.post(at("/api/v1/submissions")).header("origin", evil), 403),
        (visitor.post(at("/api/v1/submissions")).bearer_auth(&token).body("no boundary"), 400),
        (visitor.get(at("/worker/v1/claim")), 405),
    ];
    let mut answers = vec![(node.post("claim", &"not a claim").await, 422)];
    for (request, status) in of_programs {
        answers.push((request.send().await.unwrap(), status));
    }
    for (answer, status) in answers {
        let place = answer.url().clone();
        assert_eq!(answer.status(), status, "{place}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{place}");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["status"], status, "{place}");
        assert!(problem["detail"].as_str().unwrap().ends_with('.'), "{place}");
    }
}

#[tokio::test]
async fn only_a_submission_may_be_large() {
    let site = open_site().await;
    let token = site.api_token("sam").await;
    let password = "x".repeat(64 * 1024);
    let form = [("name", "sam"), ("password", &password)];
    let answer = site.visitor().post(format!("{}/login", site.url)).form(&form).send().await.unwrap();
    assert_eq!(answer.status(), 413);
    assert_eq!(texts(&answer.text().await.unwrap(), "main .code"), ["413"]);

    let node = Node::known(&site, "node").await;
    assert_eq!(node.post("events", &"x".repeat(1024 * 1024)).await.status(), 413);

    let answer =
        site.submit(&token, model("larger than a page's form").part("files", weights(128 * 1024))).await;
    assert_ne!(answer.status(), 413);
    let answer = site.submit(&token, model("too large").part("files", weights(64 * 1024 * 1024))).await;
    assert_eq!(answer.status(), 413);
    let problem: Value = answer.json().await.unwrap();
    assert!(problem["detail"].as_str().unwrap().contains("64 MiB"), "{problem}");
}

#[tokio::test]
async fn a_new_password_ends_the_sessions_of_the_old_one_and_logging_in_clears_expired_ones() {
    let site = open_site().await;
    let sam = site.signed_in("sam").await;
    let submissions =
        || async { sam.get(format!("{}/submissions", site.url)).send().await.unwrap().status().as_u16() };
    site.user("sam", Role::Submitter).await;
    assert_eq!(submissions().await, 200, "the password is the same");
    sqlx::query("UPDATE sessions SET expires_at = now()").execute(&site.pool).await.unwrap();
    assert_eq!(submissions().await, 401, "expired");
    site.signed_in("sam").await;
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM sessions").fetch_one(&site.pool).await.unwrap();
    assert_eq!(kept, 1);
    sqlx::query("UPDATE sessions SET expires_at = now() + interval '1 day'")
        .execute(&site.pool)
        .await
        .unwrap();
    store::accounts::put_user(&site.pool, "sam", Role::Submitter, "battery staple").await.unwrap();
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM sessions").fetch_one(&site.pool).await.unwrap();
    assert_eq!(kept, 0);
}

#[tokio::test]
async fn a_page_that_knows_who_reads_it_is_stored_nowhere() {
    let site = open_site().await;
    let stored = |answer: &reqwest::Response| {
        answer.headers().get("cache-control").map(|value| value.to_str().unwrap().to_owned())
    };
    let sam = site.signed_in("sam").await.get(&site.url).send().await.unwrap();
    assert_eq!(stored(&sam).as_deref(), Some("private, no-store"));
    let anybody = site.visitor().get(&site.url).send().await.unwrap();
    assert_eq!(
        stored(&anybody).as_deref(),
        Some("no-cache"),
        "whoever has it asks whether it is still the same"
    );
}

#[tokio::test]
async fn whoever_must_log_in_first_comes_back_to_where_they_were_going() {
    let site = open_site().await;
    let (status, html) = site.get("/submissions?page=a%26b").await;
    assert_eq!(status, 401);
    assert!(html.contains("\"/login?next=%2Fsubmissions%3Fpage%3Da%2526b\""));
}

#[tokio::test]
async fn hardware_that_no_board_knows_is_not_found() {
    let site = open_site().await;
    assert_eq!(site.get("/?hardware=cpu-2core").await.0, 200, "known, though nothing has run on it yet");
    assert_eq!(site.get("/?release=tiny&hardware=abacus%26x%3D1").await.0, 404);
}

#[tokio::test]
async fn a_worker_gets_audio_and_nothing_that_tells_what_was_said_or_where() {
    let site = open_site().await;
    let token = site.api_token("sam").await;
    assert_eq!(site.submit(&token, model("m")).await.status(), 201);
    let node = Node::known(&site, "node").await;
    let answer = node.post("claim", &Node::claim_now()).await;
    let text = answer.text().await.unwrap();
    for secret in ["quick", "jumps", "far-high", "near", "office", "u1", "talker"] {
        assert!(!text.contains(secret), "the job tells {secret}");
    }
    let job = serde_json::from_str::<protocol::ClaimReply>(&text).unwrap().job.unwrap();
    let work = Node::evaluation(&job);
    assert_eq!((work.items.len(), work.warm_up.len(), work.repeats.len()), (8, 1, 2));
    let audio = end_to_end::client().get(&work.items[0].url).send().await.unwrap();
    assert_eq!(audio.bytes().await.unwrap().as_ref(), b"RIFF", "the address works without credentials");
}

#[tokio::test]
async fn a_worker_is_told_why_it_may_not_claim() {
    let site = open_site().await;
    assert_eq!(Node::unknown(&site).post("claim", &Node::claim_now()).await.status(), 401);
    let node = Node::known(&site, "node").await;
    let old = protocol::Claim { protocol: 0, ..Node::claim_now() };
    assert_eq!(node.post("claim", &old).await.status(), 426);
    let other = protocol::Claim { hardware_class: "nvidia-l4".to_owned(), ..Node::claim_now() };
    let answer = node.post("claim", &other).await;
    assert_eq!(answer.status(), 403);
    assert!(answer.text().await.unwrap().contains("nvidia-l4"));
    store::accounts::revoke_worker(&site.pool, "node").await.unwrap();
    assert_eq!(node.post("claim", &Node::claim_now()).await.status(), 401);
}

#[tokio::test]
async fn a_waiting_claim_is_woken_by_a_submission() {
    let site = open_site().await;
    let token = site.api_token("sam").await;
    let node = Node::known(&site, "node").await;
    let waiting = protocol::Claim { wait_seconds: 20, ..Node::claim_now() };
    let (job, answer) = tokio::join!(node.claim(&waiting), site.submit(&token, model("m")));
    assert_eq!(answer.status(), 201);
    assert!(job.is_some());
}

#[tokio::test]
async fn the_queue_shows_what_runs_and_then_what_waits_in_its_order() {
    let site = open_site().await;
    let token = site.api_token("sam").await;
    for name in ["first", "second", "third"] {
        assert_eq!(site.submit(&token, model(name)).await.status(), 201);
    }
    let node = Node::known(&site, "node").await;
    let job = node.claim(&Node::claim_now()).await.unwrap();
    assert_eq!(node.post("heartbeat", &Node::beat(&job)).await.status(), 200);
    let (_, page) = site.get("/queue").await;
    assert_eq!(texts(&page, "#jobs").len(), 1);
    assert_eq!(texts(&page, "tbody tr:has(th.model) td:first-child"), ["now", "1", "2"]);
    assert_eq!(texts(&page, "tbody th.model a"), ["first", "second", "third"]);
    assert!(texts(&page, "tbody tr:has(th.model)")[0].contains("stage"), "how far the running one is");
}

#[tokio::test]
async fn stopping_does_not_wait_for_claims_that_wait() {
    let mut site = open_site().await;
    let node = Node::known(&site, "node").await;
    let waiting = protocol::Claim { wait_seconds: 25, ..Node::claim_now() };
    let claim = tokio::spawn(async move { node.claim(&waiting).await });
    until("the claim has come in", || async {
        let workers = store::accounts::workers(&site.pool).await.unwrap();
        workers[0].fingerprint.is_some().then_some(())
    })
    .await;
    // Far from both the 25 s of the claim and the 30 s for unfinished requests.
    tokio::time::timeout(std::time::Duration::from_secs(10), site.stop()).await.unwrap().unwrap();
    assert!(claim.await.unwrap().is_none());
}

#[tokio::test]
async fn a_result_is_scored_ranked_and_shown_with_its_provenance() {
    let site = open_site().await;
    let right_half = evaluated(&site, "half", "the quick brown fox").await;
    evaluated(&site, "none", "zzz").await;
    let board = until("both are on the board", || async {
        let board: Value = serde_json::from_str(&site.get("/api/v1/boards/tiny").await.1).unwrap();
        (board["rows"].as_array().unwrap().len() == 2).then_some(board)
    })
    .await;
    let best = &board["rows"][0];
    assert_eq!((best["rank"].as_u64(), best["model"].as_str()), (Some(1), Some("half")));
    // "jumps over the lazy dog" (5 words) against "the quick brown fox": "the" and nothing else is right, by
    // one insertion or substitution and four of the others: 5 errors of 9 words.
    let near = &best["tracks"]["near"];
    assert_eq!(near["ref_words"], 9);
    assert!((near["wer"].as_f64().unwrap() - 5.0 / 9.0).abs() < 1e-12);
    assert!(
        (near["wer"].as_f64().unwrap() - best["avg_wer"].as_f64().unwrap()).abs() < 1e-12,
        "all tracks are alike"
    );
    assert!((best["rtfx"].as_f64().unwrap() - 4.0).abs() < 1e-9, "2 s of audio in half a second");
    assert_eq!(best["pareto"], true);
    assert_eq!(board["rows"][1]["pareto"], false, "as fast and less accurate");

    let (status, page) = site.get("/").await;
    assert_eq!(status, 200);
    assert_eq!(texts(&page, "table.board tbody th[scope=row] a"), ["half", "none"]);
    let (_, sorted) = site.get("/?release=tiny&sort=model&dir=desc").await;
    assert_eq!(texts(&sorted, "table.board tbody th[scope=row] a"), ["none", "half"]);
    let (_, csv) = site.get("/api/v1/boards/tiny/csv").await;
    assert_eq!(csv.lines().count(), 3);
    let (_, svg) = site.get("/api/v1/boards/tiny/pareto.svg").await;
    assert!(svg.starts_with("<svg"));

    let (status, page) = site.get(&format!("/models/{right_half}")).await;
    assert_eq!(status, 200);
    for word in ["whisper-en@1", &"a".repeat(64), "pocketsphinx", "none: a test"] {
        assert!(page.contains(word), "the model's page lacks {word}");
    }
    for secret in ["lazy", "jumps"] {
        assert!(!page.contains(secret), "a reference word on a page");
    }
}

#[tokio::test]
async fn a_board_is_filtered_weighed_limited_and_drawn_over_other_axes() {
    let site = open_site().await;
    let half = evaluated(&site, "half", "the quick brown fox").await;
    let none = evaluated(&site, "none", "zzz").await;
    until("both are on the board", || async {
        let (_, page) = site.get("/").await;
        (texts(&page, "table.board tbody tr").len() == 2).then_some(())
    })
    .await;
    let names = "table.board tbody th[scope=row] a";

    let (_, found) = site.get("/?q=HALF").await;
    assert_eq!(texts(&found, names), ["half"]);
    assert!(found.contains("1 of 2 models fit"));
    let (_, nothing) = site.get("/?q=whisper").await;
    assert!(nothing.contains("None of the 2 models"));

    // A form sends its empty fields along; the address of what it asks for is shorter.
    let sent = "/?release=tiny&q=&runtime=&columns=near&columns=rtfx&for=own&w-near=1&w-far-low=0";
    assert_eq!(site.get(sent).await.0, 303);
    let (_, own) = site.get("/?release=tiny&weights=near:1&columns=near,rtfx").await;
    assert!(own.contains("Your own weights") && own.contains("near 100 %"));
    assert_eq!(
        texts(&own, "table.board thead tr:last-child th").len(),
        6,
        "rank, model, score, ranking, two columns"
    );

    let (_, car) = site.get("/?for=car").await;
    assert!(car.contains("far-low 75 %"));
    // Both took half a second for two seconds of audio: RTFx 4.
    let (_, fast) = site.get("/?min-rtfx=5").await;
    assert_eq!(texts(&fast, "table.board .reasons"), ["RTFx below 5", "RTFx below 5"]);
    let json: Value =
        serde_json::from_str(&site.get("/api/v1/boards/tiny?weights=near:1&min-rtfx=5").await.1).unwrap();
    assert_eq!(
        (&json["rows"][0]["place"], json["rows"][0]["no_place"].as_str()),
        (&Value::Null, Some("RTFx below 5"))
    );
    assert!((json["rows"][0]["score"].as_f64().unwrap() - 5.0 / 9.0).abs() < 1e-12);
    let (_, csv) = site.get("/api/v1/boards/tiny/csv?q=half").await;
    assert!(csv.lines().count() == 2 && csv.lines().next().unwrap().ends_with("no_place"));

    let (_, chart) = site.get("/pareto?x=latency-p50&y=near").await;
    assert!(chart.contains("Median latency, s (← better)") && chart.contains("WER on near, %"));
    assert_eq!(texts(&chart, "table.data tbody th a"), ["half", "none"]);
    let (_, svg) = site.get("/api/v1/boards/tiny/pareto.svg?x=latency-p50&y=near").await;
    assert!(svg.starts_with("<svg") && svg.contains("WER on near"));

    let (status, room) = site.get("/my-room?volume=120&t30=0.5&distance=2&noise=40&effort=raised").await;
    // Two results of nine words have no response, and the page says so.
    assert!(status == 200 && room.contains("None of the 2 results"));
    let (_, both) = site.get(&format!("/compare?a={half}&b={none}&c={half}")).await;
    assert_eq!(texts(&both, ".compared dd a"), ["half", "none"], "each once");
    for bad in [
        "/?min-rtfx=fast",
        "/?for=fun",
        "/pareto?x=price",
        "/my-room?t30=-1",
        "/compare?a=me",
        "/?weights=near",
    ] {
        assert_eq!(site.get(bad).await.0, 400, "{bad}");
    }
    assert_eq!(site.get("/my-room?release=none").await.0, 404);
}

#[tokio::test]
async fn results_that_do_not_fit_the_release_are_our_fault_and_are_tried_again() {
    let site = open_site().await;
    let token = site.api_token("sam").await;
    let answer: Value = site.submit(&token, model("m")).await.json().await.unwrap();
    let node = Node::known(&site, "node").await;
    let job = node.claim(&Node::claim_now()).await.unwrap();
    let mut results = Node::results(Node::evaluation(&job), "");
    results.items.pop();
    results.items[0].outcome = Outcome::Error("the model gave up".to_owned());
    node.complete(&job, &results, &hash(&results)).await;
    let path = format!("/api/v1/submissions/{}", answer["id"].as_str().unwrap());
    let ended = until("scoring gives up", || async {
        sqlx::query("UPDATE jobs SET run_after = now() WHERE state = 'queued'")
            .execute(&site.pool)
            .await
            .unwrap();
        let submission: Value = serde_json::from_str(&site.get(&path).await.1).unwrap();
        (submission["state"] == "failed").then_some(submission)
    })
    .await;
    assert_eq!(ended["failure_class"], "scorer_error");
}

#[tokio::test]
async fn the_log_of_a_failed_model_is_for_its_submitter_alone() {
    let site = open_site().await;
    let token = site.api_token("sam").await;
    let answer: Value = site.submit(&token, model("m")).await.json().await.unwrap();
    let id = answer["id"].as_str().unwrap();
    let node = Node::known(&site, "node").await;
    let job = node.claim(&Node::claim_now()).await.unwrap();
    let fail = Fail {
        attempt: job.attempt,
        fencing_token: job.fencing_token,
        class: FailureClass::LoadError,
        message: "The model stopped before it was ready.".to_owned(),
        log_tail: "no such file: <weights>".to_owned(),
    };
    assert_eq!(node.post("fail", &fail).await.status(), 204);
    assert_eq!(node.post("fail", &fail).await.status(), 409, "the lease is over");
    let path = format!("/submissions/{id}");
    let own = site
        .signed_in("sam")
        .await
        .get(format!("{}{path}", site.url))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(own.contains("no such file: &#60;weights&#62;") || own.contains("no such file: &lt;weights&gt;"));
    assert!(own.contains("load_error"));
    let (status, foreign) = site.get(&path).await;
    assert_eq!(status, 200);
    assert!(!foreign.contains("no such file"));
}

#[tokio::test]
async fn only_its_submitter_or_staff_cancels_a_submission() {
    let site = open_site().await;
    site.user("eve", Role::Submitter).await;
    let token = site.api_token("sam").await;
    let answer: Value = site.submit(&token, model("m")).await.json().await.unwrap();
    let url = format!("{}/submissions/{}/cancel", site.url, answer["id"].as_str().unwrap());
    assert_eq!(site.visitor().post(&url).send().await.unwrap().status(), 401);
    assert_eq!(site.signed_in("eve").await.post(&url).send().await.unwrap().status(), 403);
    let sam = site.signed_in("sam").await;
    assert_eq!(sam.post(&url).send().await.unwrap().status(), 303);
    assert_eq!(sam.post(&url).send().await.unwrap().status(), 409, "it is over");
}

#[tokio::test]
async fn the_board_stays_readable_when_the_database_is_away() {
    let site = open_site().await;
    evaluated(&site, "m", "the quick brown fox").await;
    until("it is on the board", || async { site.get("/").await.1.contains(">m</a>").then_some(()) }).await;
    let pid: i32 = std::fs::read_to_string(site.directory().join("postgres/data/postmaster.pid"))
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let server = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(server, rustix::process::Signal::INT).unwrap();
    let page = until("the page says that it is old", || async {
        let (status, page) = site.get("/").await;
        assert_eq!(status, 200);
        (!texts(&page, ".banner").is_empty()).then_some(page)
    })
    .await;
    assert!(page.contains(">m</a>"));
    assert_eq!(site.get("/healthz").await.0, 503);
    assert_eq!(site.get("/queue").await.0, 503, "what needs the database says so");
}

#[tokio::test]
async fn a_release_names_whose_voice_it_uses_and_what_it_is_made_of() {
    let site = Site::start().await;
    let freeze = async |slug: &str, about: Value| {
        let new = NewRelease {
            slug,
            version: "1",
            title: "A title",
            manifest_sha256: &"c".repeat(64),
            about: &about,
            items: &[],
            files: &[],
            key: None,
        };
        releases::freeze(&site.pool, &new).await.unwrap();
    };
    freeze("odd", json!({"corpus": "none", "noise": [], "rooms": [{"size": 3}, 7]})).await;
    let corpus = json!({"name": "prompts", "language": "en-US", "licence": "CC-BY-SA-3.0", "attribution": "Read by Jo.", "source": "a shelf"});
    let room = json!({"name": "bath", "title": "Bathroom", "size": {"x": 3.0, "y": 2.75, "z": 2.5}});
    let noise = json!({"continuous": ["ventilation"], "transient": ["coughs"]});
    freeze("spoken", json!({"renderer": "ffasr 9", "corpus": corpus, "noise": noise, "rooms": [room]})).await;
    let page = until("both are on the board", || async {
        let (status, page) = site.get("/method").await;
        assert_eq!(status, 200);
        (texts(&page, "#releases h3").len() == 2).then_some(page)
    })
    .await;
    let said = texts(&page, "#releases").concat();
    for words in [
        "spoken 1",
        "odd 1",
        "Read by Jo.",
        "ventilation",
        "coughs",
        "Synthesised",
        "Bathroom (3.0 × 2.8 × 2.5 m)",
    ] {
        assert!(said.contains(words), "{words} is missing in: {said}");
    }
    assert!(page.contains("https://spdx.org/licenses/CC-BY-SA-3.0.html"));
    assert!(
        site.get("/?release=spoken").await.1.contains("Read by Jo."),
        "the board names the talker as well"
    );
}

#[tokio::test]
async fn a_table_published_elsewhere_is_shown_apart_with_its_own_front() {
    let site = Site::start().await;
    let row = |model: &str, avg_wer: f64, rtfx: Option<f64>| ExternalRow {
        model: model.to_owned(),
        avg_wer,
        tracks: ["near", "far-high", "far-mid", "far-low"]
            .map(|track| (track.to_owned(), avg_wer))
            .into_iter()
            .collect::<BTreeMap<_, _>>(),
        rtfx,
        num_params: None,
    };
    let rows = [
        row("a/exact", 0.1338, Some(20.0)),
        row("b/fast", 0.36, Some(300.0)),
        row("c/neither", 0.4, Some(20.0)),
        row("d/untimed", 0.01, None),
    ];
    let board = NewExternalBoard {
        label: "Elsewhere, 2026",
        slug: "elsewhere",
        source_url: Some("javascript:alert(1)"),
        note: None,
        rows: &rows,
    };
    external::replace(&site.pool, board).await.unwrap();
    let page = until("it is shown", || async {
        let (_, page) = site.get("/external").await;
        page.contains("Elsewhere, 2026").then_some(page)
    })
    .await;
    assert_eq!(texts(&page, "tbody th[scope=row]"), ["d/untimed", "a/exact", "b/fast", "c/neither"]);
    assert_eq!(texts(&page, "tbody .front").len(), 2);
    assert!(page.contains("13.38"), "as published");
    assert!(!page.contains("javascript:"), "a source that is no web page is not linked");
    assert!(!site.get("/").await.1.contains("a/exact"), "never on the board of what was run here");
    assert_eq!(site.get("/external?board=nothing").await.0, 404);
}

#[tokio::test]
async fn a_worker_of_another_protocol_is_told_what_to_install_and_one_of_this_gets_on() {
    let site = open_site().await;
    let node = Node::known(&site, "node").await;
    for protocol in [0, protocol::PROTOCOL_VERSION + 1] {
        let answer = node.post("claim", &protocol::Claim { protocol, ..Node::claim_now() }).await;
        assert_eq!(answer.status(), 426, "protocol {protocol}");
        let problem: Value = answer.json().await.unwrap();
        let words = problem["detail"].as_str().unwrap();
        assert!(
            words.contains(&format!("the worker speaks {protocol}")) && words.contains("install"),
            "{words}"
        );
    }
    for protocol in protocol::OLDEST_PROTOCOL_VERSION..=protocol::PROTOCOL_VERSION {
        assert!(node.claim(&protocol::Claim { protocol, ..Node::claim_now() }).await.is_none());
    }
    // What was added since the first worker is optional: a worker of then says less, and hears more than it knows.
    let old = json!({
        "protocol": 1, "hardware_class": "cpu-2core", "runtimes": ["pocketsphinx"], "wait_seconds": 0,
        "fingerprint": protocol::NodeFingerprint { cpu: "old".to_owned(), ..end_to_end::fingerprint() },
    });
    assert_eq!(site.submit(&site.api_token("sam").await, model("m")).await.status(), 201);
    let job: protocol::ClaimReply = node.post("claim", &old).await.json().await.unwrap();
    let job = job.job.unwrap();
    let log = json!({ "attempt": job.attempt, "fencing_token": job.fencing_token, "log": "said" });
    assert_eq!(node.post("events", &log).await.status(), 204);
}

#[tokio::test]
async fn the_page_of_a_worker_shows_what_it_is_made_of_what_it_ran_and_whether_it_kept_its_pace() {
    let site = open_site().await;
    site.user("ada", Role::Admin).await;
    let ada = site.signed_in("ada").await;
    let id = submitted_by_api(&site, "Calibrated").await;
    let node = Node::known(&site, "node").await;
    let job = node.claim(&Node::claim_now()).await.unwrap();
    let reading =
        |moment, seconds| protocol::PaceReading { moment, seconds, golden_seconds: 0.1, tolerance: 0.02 };
    let events = |fencing_token| protocol::Events {
        attempt: job.attempt,
        fencing_token,
        log: String::new(),
        paces: vec![
            reading(protocol::Moment::Before, 0.101),
            reading(protocol::Moment::After, 0.104),
            // No time at all.
            reading(protocol::Moment::After, 0.0),
        ],
    };
    let stale = protocol::FencingToken(job.attempt.0);
    assert_eq!(node.post("events", &events(stale)).await.status(), 409);
    assert_eq!(node.post("events", &events(job.fencing_token)).await.status(), 204);
    let html = text_of(&ada, &format!("{}/admin/workers/node", site.url)).await;
    let paces = texts(&html, "table[class=data] caption#paces");
    assert_eq!(paces.len(), 1, "{html}");
    assert!(html.contains("+1.0 %") && html.contains("+4.0 %") && html.contains("off</strong>"), "{html}");
    assert_eq!(texts(&html, "circle").len(), 2, "one mark a measurement, and none for what is no time");
    assert!(html.contains("test, 2 cores") && html.contains(&format!("/admin/submissions/{id}")), "{html}");
    let list = text_of(&ada, &format!("{}/admin/workers", site.url)).await;
    assert!(list.contains("+4.0 %") && list.contains("Calibrated"), "{list}");
    assert_eq!(ada.get(format!("{}/admin/workers/nobody", site.url)).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn staff_see_releases_and_how_far_their_rendering_is_and_an_admin_lets_a_stopped_build_go_on() {
    let site = open_site().await;
    site.user("ada", Role::Admin).await;
    site.user("rev", Role::Reviewer).await;
    let (ada, rev) = (site.signed_in("ada").await, site.signed_in("rev").await);
    let page = format!("{}/admin/releases", site.url);
    let empty = text_of(&ada, &page).await;
    assert!(empty.contains("Nothing is being rendered") && empty.contains("tiny 1"), "{empty}");

    let shard =
        |items| rendering::NewShard { items, job: "{}".to_owned(), recordings: Vec::new(), simulation: None };
    let plan = "c".repeat(64);
    let new = rendering::NewBuild {
        release: "next@1",
        plan_sha256: &plan,
        renderer: "ffasr 1",
        shards: &[shard(3), shard(5)],
    };
    let build = rendering::start(&site.pool, &new).await.unwrap();
    let worker = site.worker("renderer").await;
    let lease = std::time::Duration::from_mins(1);
    let claimed = rendering::claim(&site.pool, &worker, "ffasr 1", lease).await.unwrap().unwrap();
    let html = text_of(&ada, &page).await;
    assert!(html.contains("next@1") && html.contains("0 of 2 parts, 1 with workers, 1 waiting"), "{html}");
    assert!(html.contains("/admin/workers/renderer"), "{html}");
    assert_eq!(texts(&html, "progress").len(), 1);

    // A job that cannot be rendered is nobody's to try again by itself.
    rendering::fail(
        &site.pool,
        claimed.lease,
        claimed.fencing_token,
        FailureClass::InvalidManifest,
        "No room.",
    )
    .await
    .unwrap();
    let html = text_of(&ada, &page).await;
    assert!(html.contains("1 failed") && html.contains("No room."), "{html}");
    let ask = async |client: &reqwest::Client, action: &str| {
        let url = format!("{}/admin/builds/{build}", site.url);
        client.post(url).form(&[("action", action)]).send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask(&rev, "resume").await, 403, "a reviewer looks, an admin acts");
    assert_eq!(ask(&ada, "resume").await, 303);
    assert_eq!(ask(&ada, "resume").await, 409, "there is nothing left to try again");
    assert!(text_of(&ada, &page).await.contains("0 of 2 parts, 0 with workers, 2 waiting"));
    assert_eq!(ask(&ada, "cancel").await, 303);
    assert!(text_of(&ada, &page).await.contains("Nothing is being rendered"));
    let log = text_of(&ada, &format!("{}/admin/audit", site.url)).await;
    assert!(log.contains("resume build") && log.contains("cancel build") && log.contains("next@1"), "{log}");
}

async fn text_of(client: &reqwest::Client, url: &str) -> String {
    let answer = client.get(url).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{url}");
    answer.text().await.unwrap()
}

async fn submitted_by_api(site: &Site, name: &str) -> String {
    let answer = site.submit(&site.api_token("sam").await, model(name)).await;
    assert_eq!(answer.status(), 201);
    answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned()
}
