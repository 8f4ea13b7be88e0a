//! The API against its own description: schemathesis sends what the description allows and what it does not.
#![expect(clippy::unwrap_used, reason = "a test's failure is a panic with a place")]

use std::process::Stdio;

use end_to_end::{Node, Site, tool, tool_file, until};
use reqwest::multipart::{Form, Part};
use serde_json::Value;
use sha2::{Digest, Sha256};
use store::accounts::Role;

/// A site with a release, the submitter "sam" and one published result of his.
async fn seeded() -> Site {
    let site = Site::start().await;
    site.release().await;
    site.user("sam", Role::Submitter).await;
    until("the release is on the board", || async {
        site.get("/api/v1/boards/tiny").await.0.eq(&200).then_some(())
    })
    .await;
    let token = site.api_token("sam").await;
    let form = Form::new()
        .text("name", "Kite")
        .text("organisation", "Acme")
        .text("licence", "MIT")
        .text("runtime", "pocketsphinx")
        .text("release", "tiny");
    assert_eq!(site.submit(&token, form).await.status(), 201);
    let node = Node::known(&site, "node").await;
    let job = node.claim(&Node::claim_now()).await.unwrap();
    let results = Node::results(Node::evaluation(&job), "the quick brown fox");
    let hash = hex::encode(Sha256::digest(serde_json::to_vec(&results).unwrap()));
    assert_eq!(node.complete(&job, &results, &hash).await.status(), 204);
    until("it is on the board", || async {
        let (_, text) = site.get("/api/v1/boards/tiny").await;
        let board: Value = serde_json::from_str(&text).ok()?;
        (!board["rows"].as_array()?.is_empty()).then_some(())
    })
    .await;
    site
}

/// Runs schemathesis with all its checks; its report, and whether it found nothing.
async fn schemathesis(site: &Site, token: Option<&str>, more: &[&str]) -> (bool, String) {
    let mut command = tokio::process::Command::new(tool("schemathesis"));
    command.arg("--config-file").arg(tool_file("schemathesis.toml")).args(["run", "--no-color"]);
    command
        .args([
            "--mode",
            "all",
            "--max-time",
            "60",
            "--phases",
            "examples,coverage,fuzzing",
            "--checks",
            "all",
        ])
        .args(more);
    if let Some(token) = token {
        command.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    command.arg(format!("{}/api/v1/openapi.json", site.url));
    let directory = tempfile::tempdir().unwrap();
    command.current_dir(directory.path()).stdin(Stdio::null());
    let output = command.output().await.unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_no_violation_of_the_description_without_a_token() {
    let site = seeded().await;
    let (clean, said) = schemathesis(&site, None, &[]).await;
    assert!(clean, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_no_violation_of_the_description_with_a_token() {
    let site = seeded().await;
    let token = site.api_token("sam").await;
    let (clean, said) =
        schemathesis(&site, Some(&token), &["--include-path-regex", "submissions|uploads|self"]).await;
    assert!(clean, "{said}");
}

#[tokio::test]
async fn every_example_of_the_description_fits_its_schema() {
    let site = Site::start().await;
    let (_, document) = site.get("/api/v1/openapi.json").await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("openapi.json");
    std::fs::write(&file, document).unwrap();
    let mut command = tokio::process::Command::new(tool("python"));
    let output = command.arg(tool_file("check_examples.py")).arg(&file).output().await.unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("examples fit"), "{said}");
}

#[tokio::test]
async fn a_method_that_is_not_there_is_answered_with_those_that_are() {
    let site = Site::start().await;
    let answer = site.visitor().patch(format!("{}/api/v1/boards", site.url)).send().await.unwrap();
    assert_eq!(answer.status(), 405);
    assert_eq!(answer.headers()["allow"], "GET,HEAD");
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
}

#[tokio::test]
async fn a_body_of_another_kind_and_one_that_is_too_large_are_refused_in_words() {
    let site = Site::start().await;
    site.user("sam", Role::Submitter).await;
    let token = site.api_token("sam").await;
    let post = |path: &str| site.visitor().post(format!("{}{path}", site.url)).bearer_auth(&token);
    let answer = post("/api/v1/uploads").body("name=x").send().await.unwrap();
    assert_eq!(answer.status(), 415);
    let large = Form::new().part("notes", Part::bytes(vec![b'x'; 1 << 20]));
    assert_eq!(post("/api/v1/submissions").multipart(large).send().await.unwrap().status(), 413);
}
