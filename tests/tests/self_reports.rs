//! Results of `ffasr eval`, sent in: taken if they agree with themselves, shown apart, never ranked.
#![expect(clippy::unwrap_used, reason = "a test's failure is a panic with a place")]

use end_to_end::{Base, Site, client, fingerprint, until};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use store::accounts::Role;

/// What `ffasr eval --json` prints for this model, with this mean of 0.1 and 0.2 on the four tracks.
fn report(model: &str, avg_wer: f64) -> Value {
    let track = |errors: u64| {
        json!({
            "wer": errors as f64 / 40.0, "interval": null, "substitutions": errors, "deletions": 0, "insertions": 0,
            "ref_words": 40, "items": 8, "failed": 0, "rtfx": 9.0,
        })
    };
    json!({
        "format": 1,
        "kind": "self-reported",
        "release": { "format": 1, "slug": "dev", "version": "1", "title": "Dev", "manifest_sha256": "a".repeat(64) },
        "model": { "name": model, "organisation": "Home", "licence": "MIT", "runtime": "pocketsphinx" },
        "scorer": "ffasr@1/whisper-en@1",
        "summary": {
            "avg_wer": avg_wer, "avg_wer_interval": [0.1, 0.2],
            "tracks": { "near": track(4), "far-high": track(4), "far-mid": track(8), "far-low": track(8) },
            "rtfx": 9.0, "rtfx_interval": null, "rtfx_stable": true, "repeat_passes": 5,
            "latency": { "p50": 0.1, "p90": 0.2, "p95": 0.2, "p99": 0.3 },
        },
        "results": {
            "report": {
                "runtime": "pocketsphinx", "runtime_digest": "0".repeat(64), "isolation": "bubblewrap",
                "ready_seconds": 1.0, "num_params": 1000, "peak_memory_bytes": null,
                "fingerprint": fingerprint(), "seed": 1,
            },
            "items": [], "repeats": [],
        },
    })
}

async fn send(site: &Site, token: &str, report: &Value) -> Response {
    client()
        .post(format!("{}/api/v1/self-reported", site.url))
        .bearer_auth(token)
        .json(report)
        .send()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_self_reported_result_is_shown_apart_as_unverified_and_its_sender_can_remove_it() {
    let base = Base::start().await;
    base.user("sam", Role::Submitter).await;
    base.user("eve", Role::Submitter).await;
    base.release().await;
    let site = Site::over(base).await;
    let token = site.api_token("sam").await;

    // (4 + 4 + 8 + 8) / 40 / 4.
    let sent = send(&site, &token, &report("Homemade", 0.15)).await;
    assert_eq!(sent.status(), StatusCode::CREATED, "{}", sent.text().await.unwrap());
    let again = send(&site, &token, &report("Homemade", 0.15)).await;
    let id = again.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned();
    let listed = until("it is in the snapshot", || async {
        let (_, text) = site.get("/api/v1/self-reported").await;
        let list: Value = serde_json::from_str(&text).unwrap();
        list["self_reported"].as_array().unwrap().first().cloned()
    })
    .await;
    assert_eq!((&listed["model"], &listed["verified"]), (&json!("Homemade"), &json!(false)));
    assert!(listed.get("results").is_none(), "texts of items are not kept: {listed}");
    let (_, page) = site.get("/self-reported").await;
    assert!(page.contains("Homemade") && page.contains("unverified"), "{page}");
    let (_, board) = site.get("/api/v1/boards/tiny").await;
    assert!(!board.contains("Homemade"), "it is on no board: {board}");

    let remove = |name: &'static str| async {
        let client = site.signed_in(name).await;
        client.post(format!("{}/self-reported/{id}/remove", site.url)).send().await.unwrap().status()
    };
    assert_eq!(remove("eve").await, StatusCode::NOT_FOUND, "it is not hers");
    assert_eq!(remove("sam").await, StatusCode::SEE_OTHER);
    until("it is gone", || async {
        let (_, text) = site.get("/api/v1/self-reported").await;
        (!text.contains("Homemade")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_self_reported_result_that_disagrees_with_itself_is_refused_at_the_place() {
    let base = Base::start().await;
    base.user("sam", Role::Submitter).await;
    let site = Site::over(base).await;
    let token = site.api_token("sam").await;
    let mut dry_run = report("m", 0.15);
    dry_run["limited_to_items"] = json!(3);
    let mut other_scorer = report("m", 0.15);
    other_scorer["scorer"] = json!("raw@1/none");
    let cases = [
        (report("m", 0.1), "mean of the four tracks"),
        (dry_run, "dry run"),
        (other_scorer, "not by ffasr@1"),
        (report("", 0.15), "The name is needed"),
    ];
    for (sent, words) in cases {
        let answer = send(&site, &token, &sent).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let text = answer.text().await.unwrap();
        assert!(text.contains(words), "`{words}` is not in {text}");
    }
    let nobody = send(&site, "ffa_made-up", &report("m", 0.15)).await;
    assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);
}
