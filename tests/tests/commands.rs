//! The command line beside a running service, through the built program: what submitters and operators type.
#![expect(clippy::unwrap_used, reason = "a test's failure is a panic with a place")]

use std::{fs, process::Output};

use end_to_end::{Operator, Program};
use serde_json::Value;

const EVALUATOR: &str = "from pathlib import Path\n\n\ndef evaluate(file: Path) -> str:\n    return \"\"\n";

/// `ffasr submit` as `sam`, without waiting.
fn submit(operator: &Operator, name: &str, more: &[&str]) -> Output {
    let (token, manifest) = (operator.path().join("sam.token"), operator.path().join("ffasr.toml"));
    fs::write(&token, &operator.token).unwrap();
    let text =
        format!("name = \"{name}\"\norganisation = \"o\"\nlicence = \"MIT\"\nruntime = \"pocketsphinx\"\n");
    fs::write(&manifest, text).unwrap();
    let service = operator.url("");
    let mut arguments = vec!["submit", manifest.to_str().unwrap(), "--service", &service, "--token-file"];
    arguments.extend([token.to_str().unwrap(), "--no-wait", "--json"]);
    arguments.extend(more);
    Program::output(operator.path(), &arguments)
}

fn submitted(operator: &Operator, name: &str, more: &[&str]) -> (String, Value) {
    let output = submit(operator, name, more);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let body: Value = serde_json::from_slice(&output.stdout).unwrap();
    (body["id"].as_str().unwrap().to_owned(), body)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_dashboard_does_is_done_on_the_command_line_too() {
    let (operator, _service) = Operator::set_up();
    let evaluator = operator.path().join("mine.py");
    fs::write(&evaluator, EVALUATOR).unwrap();
    let looked = submit(&operator, "Read me", &["--check", "--evaluator", evaluator.to_str().unwrap()]);
    let looked: Value = serde_json::from_slice(&looked.stdout).unwrap();
    assert_eq!((&looked["model"]["name"], &looked["id"]), (&Value::from("Read me"), &Value::Null));
    let (reviewed, body) = submitted(&operator, "Read me", &["--evaluator", evaluator.to_str().unwrap()]);
    assert_eq!(body["state"], "in_review");
    let state = async |id: &str| {
        let body = operator.json(&format!("/api/v1/submissions/{id}")).await.unwrap();
        body["state"].as_str().unwrap().to_owned()
    };

    let listed = operator.run(&["admin", "submission", "list", "--state", "in_review"]);
    assert!(listed.lines().count() == 1 && listed.contains("Read me"), "{listed}");
    let shown = operator.run(&["admin", "submission", "show", &reviewed]);
    assert!(shown.contains("mine.py") && shown.contains("does not run evaluators"), "{shown}");
    operator.run(&["admin", "submission", "ask", &reviewed, "--reason", "Which data?"]);
    operator.run(&["admin", "submission", "approve", &reviewed]);
    assert_eq!(state(&reviewed).await, "queued");
    operator.run(&["admin", "submission", "prioritise", &reviewed, "urgent"]);
    operator.run(&["admin", "submission", "cancel", &reviewed, "--reason", "An experiment."]);
    assert_eq!(state(&reviewed).await, "cancelled");
    operator.run(&["admin", "submission", "rerun", &reviewed, "--reason", "Once more."]);
    assert_eq!(state(&reviewed).await, "queued");
    let refused = Program::output(operator.path(), &["admin", "submission", "verify", &reviewed]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is queued"), "why it cannot be done");

    operator.run(&[
        "admin",
        "quota",
        "set",
        "sam",
        "--burst",
        "1",
        "--per-day",
        "1",
        "--days",
        "3",
        "--reason",
        "a flood",
    ]);
    submitted(&operator, "The last one", &[]);
    let spent = submit(&operator, "One too many", &[]);
    assert!(!spent.status.success());
    assert!(String::from_utf8_lossy(&spent.stderr).contains("quota is spent"));
    let moves = operator.run(&["admin", "quota", "show", "sam"]);
    assert!(moves.contains("-1\tThe last one") && moves.contains("+1\tRead me"), "{moves}");

    operator.run(&["admin", "queue", "pause", "--reason", "New drivers."]);
    assert!(operator.run(&["admin", "queue", "show"]).contains("operator\tNew drivers."));
    operator.run(&["admin", "queue", "resume"]);
    assert_eq!(operator.run(&["admin", "queue", "show"]), "not paused");
    operator.run(&["admin", "worker", "add", "node", "--hardware-class", "cpu-2core"]);
    assert!(operator.run(&["admin", "worker", "show", "node"]).contains("cpu-2core"));

    let log = operator.run(&["admin", "audit"]);
    for action in
        ["ask\tRead me\tWhich data?", "approve\tRead me", "prioritise\tRead me\turgent", "rerun\tRead me"]
    {
        assert!(log.contains(&format!("operator\t{action}")), "{action} is not in:\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_made_and_tokens_issued_and_a_wrong_description_is_bad_input() {
    let (operator, _service) = Operator::set_up();
    let said = operator.run(&["admin", "user", "add", "rita", "--role", "reviewer"]);
    assert!(said.contains("rita"), "{said}");
    let token = operator.run(&["admin", "user", "token", "rita"]);
    assert!(token.starts_with("ffa_"), "{token}");
    let unknown = Program::output(operator.path(), &["admin", "user", "token", "nobody"]);
    assert_eq!(unknown.status.code(), Some(2), "there is no such user");
    let wrong = submit(&operator, "Wrong", &["--release", "not-there"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("There is no release"));
    let long = "x".repeat(101);
    let wrong = submit(&operator, &long, &[]);
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("more than 100 characters"));
}
