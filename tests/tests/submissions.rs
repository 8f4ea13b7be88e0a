//! A submission from the form to a decision and on: checks, review, quota, revisions, webhooks, workers.
#![expect(clippy::unwrap_used, reason = "a test's failure is a panic with a place")]

use std::time::Duration;

use end_to_end::{Base, Browser, Node, Site, until};
use protocol::{Fail, FailureClass, SubmissionId};
use reqwest::{
    Client,
    multipart::{Form, Part},
};
use scraper::{Html, Selector};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use store::{
    accounts::{self, Role},
    audit, inbox,
    quota::{self, Rule},
    review::{self, Action, Actor},
    state::SubmissionState,
    submissions::{self, Filter},
};
use web::Policy;

const EVALUATOR: &str = "def evaluate(file):\n    return \"\"\n";
const ADMIN: Actor<'static> = Actor { name: "ada", role: Role::Admin };

fn texts(html: &str, selector: &str) -> Vec<String> {
    let selector = Selector::parse(selector).unwrap();
    let words = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    Html::parse_document(html).select(&selector).map(|element| words(element.text().collect())).collect()
}

fn model(name: &str) -> Form {
    Form::new()
        .text("name", name.to_owned())
        .text("organisation", "Acme")
        .text("licence", "MIT")
        .text("runtime", "pocketsphinx")
        .text("release", "tiny")
}

fn file(name: &str, content: &str) -> Part {
    Part::bytes(content.as_bytes().to_vec()).file_name(name.to_owned())
}

/// A site with a release, the submitter "sam", the reviewer "rita" and the admin "ada".
async fn open_site(policy: Policy) -> Site {
    let base = Base::start().await;
    base.release().await;
    for (name, role) in [("sam", Role::Submitter), ("rita", Role::Reviewer), ("ada", Role::Admin)] {
        base.user(name, role).await;
    }
    Site::under(base, policy).await
}

async fn page(site: &Site, client: &Client, path: &str) -> (u16, String) {
    let answer = client.get(format!("{}{path}", site.url)).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn post(site: &Site, client: &Client, path: &str, form: &[(&str, &str)]) -> (u16, String) {
    let answer = client.post(format!("{}{path}", site.url)).form(form).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Submits by the form; the id of the page it leads to.
async fn submitted(site: &Site, client: &Client, form: Form) -> SubmissionId {
    let answer = client.post(format!("{}/submit", site.url)).multipart(form).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    location.trim_start_matches("/submissions/").split('?').next().unwrap().parse().unwrap()
}

async fn state(site: &Site, id: SubmissionId) -> SubmissionState {
    submissions::get(&site.pool, id).await.unwrap().state
}

async fn left(site: &Site) -> u32 {
    let sam = accounts::user_by_name(&site.pool, "sam").await.unwrap();
    quota::balance(&site.pool, sam.id, Rule { burst: 100, per_day: 100.0 }).await.unwrap().left()
}

/// Lets a node answer everything, until the result is published.
async fn publish(site: &Site, id: SubmissionId) {
    let node = Node::known(site, "node").await;
    let job = node.claim(&Node::claim_now()).await.unwrap();
    let results = Node::results(Node::evaluation(&job), "the quick brown fox");
    let hash = hex::encode(Sha256::digest(serde_json::to_vec(&results).unwrap()));
    assert_eq!(node.complete(&job, &results, &hash).await.status(), 204);
    until("it is published", || async {
        (state(site, id).await == SubmissionState::Published).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_evaluator_waits_for_a_reviewer_with_its_findings_and_runs_after_the_approval() {
    let site = open_site(Policy::default()).await;
    let sam = site.signed_in("sam").await;
    let form = model("own code").part("evaluator", file("mine.py", &format!("import socket\n{EVALUATOR}")));
    let id = submitted(&site, &sam, form).await;
    assert_eq!(state(&site, id).await, SubmissionState::InReview);
    let (_, html) = page(&site, &sam, &format!("/submissions/{id}")).await;
    let findings = texts(&html, ".findings li");
    assert!(findings.iter().any(|finding| finding.contains("mine.py, line 1")), "{findings:?}");
    let node = Node::known(&site, "node").await;
    assert!(node.claim(&Node::claim_now()).await.is_none(), "nothing runs before a person has looked");

    let rita = site.signed_in("rita").await;
    let (_, inbox) = page(&site, &rita, "/admin").await;
    assert_eq!(texts(&inbox, ".inbox .model a"), ["own code"]);
    let (_, review) = page(&site, &rita, &format!("/admin/submissions/{id}")).await;
    assert!(texts(&review, ".source code").concat().contains("def evaluate(file):"), "the source is there");
    assert_eq!(texts(&review, ".source .flagged td.n"), ["1"], "the line of the finding is marked");
    assert!(!review.contains("style="), "no inline style");

    // Without leaving the inbox.
    let (status, _) =
        post(&site, &rita, &format!("/admin/submissions/{id}"), &[("action", "approve"), ("next", "/admin")])
            .await;
    assert_eq!(status, 303);
    assert!(node.claim(&Node::claim_now()).await.is_some());
    let log = audit::of_submission(&site.pool, id, false).await.unwrap();
    assert_eq!(
        log.iter().map(|entry| (entry.actor.as_str(), entry.action.as_str())).collect::<Vec<_>>(),
        [("rita", "approve")]
    );
}

#[tokio::test]
async fn an_evaluator_that_breaks_the_contract_is_refused_at_its_field_and_nothing_is_stored() {
    let site = open_site(Policy::default()).await;
    let sam = site.signed_in("sam").await;
    let form = model("broken")
        .part("evaluator", file("mine.py", "import os\n\ndef evaluate(a, b):\n    return ''\n"));
    let answer = sam.post(format!("{}/submit", site.url)).multipart(form).send().await.unwrap();
    assert_eq!(answer.status(), 422);
    let said = texts(&answer.text().await.unwrap(), "#evaluator-error");
    assert!(said[0].contains("line 3") && said[0].contains("exactly one argument"), "{said:?}");
    assert!(submissions::list(&site.pool, submissions::Filter::All).await.unwrap().is_empty());
    assert_eq!(left(&site).await, 100, "and nothing is charged");
}

#[tokio::test]
async fn weights_that_could_run_code_wait_for_a_reviewer_and_plain_files_do_not() {
    let site = open_site(Policy::default()).await;
    let token = site.api_token("sam").await;
    let pickled = model("pickled").part("files", Part::bytes(vec![0x80, 4, 0x95]).file_name("model.bin"));
    let answer: Value = site.submit(&token, pickled).await.json().await.unwrap();
    assert_eq!(
        (answer["state"].as_str(), answer["findings"][0]["rule"].as_str()),
        (Some("in_review"), Some("pickled-weights"))
    );
    assert!(answer["deadline"].is_string());
    let plain = model("plain").part("files", file("task.lm", "\\data\\"));
    let answer: Value = site.submit(&token, plain).await.json().await.unwrap();
    assert_eq!(answer["state"], "queued");
}

#[tokio::test]
async fn fifty_waiting_submissions_are_triaged_without_leaving_the_inbox_or_javascript() {
    let site = open_site(Policy::default()).await;
    let token = site.api_token("sam").await;
    for number in 0..50 {
        let form = model(&format!("model {number:02}")).part("evaluator", file("mine.py", EVALUATOR));
        assert_eq!(site.submit(&token, form).await.status(), 201);
    }
    let rita = site.signed_in("rita").await;
    let (_, html) = page(&site, &rita, "/admin").await;
    let ids: Vec<String> = Html::parse_document(&html)
        .select(&Selector::parse("input[name=id]").unwrap())
        .map(|input| input.attr("value").unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 50);
    assert_eq!(
        texts(&html, ".inbox .model a").first().map(String::as_str),
        Some("model 00"),
        "the oldest first"
    );
    let chosen = |action: &'static str, ids: &[String]| {
        let mut form = vec![
            ("action", action.to_owned()),
            ("next", "/admin".to_owned()),
            ("template", "licence".to_owned()),
        ];
        form.extend(ids.iter().map(|id| ("id", id.clone())));
        form
    };
    for (action, ids) in [("approve", &ids[..30]), ("reject", &ids[30..49])] {
        let answer = rita
            .post(format!("{}/admin/submissions", site.url))
            .form(&chosen(action, ids))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 303);
        assert!(answer.headers()["location"].to_str().unwrap().starts_with("/admin?"));
    }
    let (_, html) = page(&site, &rita, "/admin?done=reject&count=19").await;
    assert_eq!(texts(&html, ".notice"), ["19 are rejected."]);
    assert_eq!(texts(&html, ".inbox .model a"), ["model 49"]);
    let rejected = submissions::get(&site.pool, ids[30].parse().unwrap()).await.unwrap();
    assert!(
        rejected.reason.contains("licence"),
        "the submitter reads the chosen reason: {}",
        rejected.reason
    );
    // A decision that no longer fits is said, and the others are carried out.
    let answer = rita
        .post(format!("{}/admin/submissions", site.url))
        .form(&chosen("approve", &ids[48..]))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 409);
    let said = texts(&answer.text().await.unwrap(), ".notice").concat();
    assert!(said.starts_with("1 done.") && said.contains("model 48"), "{said}");
    assert_eq!(audit::latest(&site.pool).await.unwrap().len(), 50, "every action is in the log");
}

#[tokio::test]
async fn what_touches_results_and_quotas_is_for_admins() {
    let site = open_site(Policy::default()).await;
    let sam = site.signed_in("sam").await;
    let id = submitted(&site, &sam, model("m")).await;
    publish(&site, id).await;
    let rita = site.signed_in("rita").await;
    let quarantine = [("action", "quarantine"), ("reason", "in doubt")];
    assert_eq!(post(&site, &rita, &format!("/admin/submissions/{id}"), &quarantine).await.0, 409);
    for (path, form) in [
        ("/admin/workers", vec![("name", "n"), ("hardware_classes", "cpu")]),
        ("/admin/workers/node", vec![("action", "revoke")]),
        (
            "/admin/quota",
            vec![("user", "sam"), ("burst", "1"), ("per_day", "1"), ("days", "1"), ("reason", "r")],
        ),
    ] {
        assert_eq!(post(&site, &rita, path, &form).await.0, 403, "{path}");
        assert_eq!(post(&site, &sam, path, &form).await.0, 403, "{path}");
    }
    assert_eq!(post(&site, &sam, &format!("/admin/submissions/{id}"), &quarantine).await.0, 403);
    let ada = site.signed_in("ada").await;
    let without_reason = [("action", "quarantine"), ("reason", " ")];
    assert_eq!(post(&site, &ada, &format!("/admin/submissions/{id}"), &without_reason).await.0, 409);
    assert_eq!(post(&site, &ada, &format!("/admin/submissions/{id}"), &quarantine).await.0, 303);
}

#[tokio::test]
async fn a_quarantined_result_leaves_the_board_stays_on_record_and_comes_back() {
    let site = open_site(Policy::default()).await;
    let sam = site.signed_in("sam").await;
    let id = submitted(&site, &sam, model("doubtful")).await;
    publish(&site, id).await;
    let on_board = |wanted: bool| {
        let site = &site;
        async move {
            until("the board", || async {
                (site.get("/").await.1.contains("doubtful") == wanted).then_some(())
            })
            .await;
        }
    };
    on_board(true).await;
    post(&site, &sam, &format!("/models/{id}/objections"), &[("body", "It is too good.")]).await;
    review::act(&site.pool, id, ADMIN, Action::Quarantine, "The times are odd.").await.unwrap();
    on_board(false).await;
    // The board is rebuilt, so this is the record.
    let (status, html) = site.get(&format!("/models/{id}")).await;
    assert_eq!(status, 200, "what has left the board is on record");
    assert!(html.contains("The times are odd.") && html.contains("It is too good."));
    review::act(&site.pool, id, ADMIN, Action::Restore, "They were right.").await.unwrap();
    on_board(true).await;
    let ada = site.signed_in("ada").await;
    let decided = [("decision", "dismiss"), ("reason", "Run again, same result.")];
    assert_eq!(post(&site, &ada, &format!("/models/{id}/objections/1"), &decided).await.0, 303);
    assert_eq!(
        post(&site, &ada, &format!("/models/{id}/objections/1"), &decided).await.0,
        404,
        "decided once"
    );
    let (_, record) = site.get(&format!("/models/{id}/record")).await;
    for word in ["quarantine", "restore", "Dismissed", "Run again, same result."] {
        assert!(record.contains(word), "{word}");
    }
}

#[tokio::test]
async fn a_hidden_result_stays_published_and_on_record_and_its_submitter_is_told() {
    let site = open_site(Policy::default()).await;
    let sam = site.signed_in("sam").await;
    let id = submitted(&site, &sam, model("unseen")).await;
    publish(&site, id).await;
    let shown = |wanted: bool| {
        let site = &site;
        async move {
            until("the board", || async {
                (site.get("/").await.1.contains("unseen") == wanted).then_some(())
            })
            .await;
        }
    };
    shown(true).await;
    let decision = |action: &'static str, reason: &'static str| [("action", action), ("reason", reason)];
    let review = format!("/admin/submissions/{id}");
    let rita = site.signed_in("rita").await;
    assert_eq!(post(&site, &rita, &review, &decision("hide", "no")).await.0, 409, "for admins");
    let ada = site.signed_in("ada").await;
    assert_eq!(post(&site, &ada, &review, &decision("hide", " ")).await.0, 409, "a reason is owed");
    assert_eq!(post(&site, &ada, &review, &decision("unhide", "nothing is hidden")).await.0, 409);
    assert!(page(&site, &ada, &review).await.1.contains(r#"value="hide""#));
    assert_eq!(post(&site, &ada, &review, &decision("hide", "The name offends.")).await.0, 303);
    shown(false).await;
    assert_eq!(post(&site, &ada, &review, &decision("hide", "again")).await.0, 409, "hidden already");
    let (status, record) = site.get(&format!("/models/{id}")).await;
    assert_eq!(status, 200, "a hidden result is on record");
    for word in ["Hidden from the board", "not in doubt", "The name offends.", "hide"] {
        assert!(record.contains(word), "{word}");
    }
    let submission = submissions::get(&site.pool, id).await.unwrap();
    assert_eq!(submission.state, SubmissionState::Published, "it is no state of its own");
    let (_, own) = page(&site, &sam, &format!("/submissions/{id}")).await;
    let history = texts(&own, ".timeline li");
    assert!(history.last().unwrap().starts_with("Noted"), "{history:?}");
    assert!(own.contains("Hidden from the board: The name offends."));
    let told: serde_json::Value =
        serde_json::from_str(&site.get(&format!("/api/v1/submissions/{id}")).await.1).unwrap();
    assert!(told["hidden_since"].is_string(), "{told}");
    assert!(page(&site, &ada, &review).await.1.contains(r#"value="unhide""#));
    assert_eq!(post(&site, &ada, &review, &decision("unhide", "It is renamed.")).await.0, 303);
    shown(true).await;
    let (_, record) = site.get(&format!("/models/{id}/record")).await;
    assert!(record.contains("It is renamed.") && !record.contains("not in doubt"));
}

#[tokio::test]
async fn a_question_is_seen_by_the_submitter_alone_and_the_answer_by_the_reviewer() {
    let site = open_site(Policy::default()).await;
    let sam = site.signed_in("sam").await;
    let id = submitted(&site, &sam, model("m").part("evaluator", file("mine.py", EVALUATOR))).await;
    let rita = site.signed_in("rita").await;
    let asked = [("action", "ask"), ("reason", "Which corpus?")];
    assert_eq!(post(&site, &rita, &format!("/admin/submissions/{id}"), &asked).await.0, 303);
    assert!(page(&site, &sam, &format!("/submissions/{id}")).await.1.contains("Which corpus?"));
    assert!(!site.get(&format!("/submissions/{id}")).await.1.contains("Which corpus?"), "not for visitors");
    assert_eq!(post(&site, &rita, &format!("/submissions/{id}/messages"), &[("text", "x")]).await.0, 403);
    assert_eq!(
        post(&site, &sam, &format!("/submissions/{id}/messages"), &[("text", "My own.")]).await.0,
        303
    );
    assert!(page(&site, &rita, &format!("/admin/submissions/{id}")).await.1.contains("My own."));
    assert!(page(&site, &rita, "/admin").await.1.contains("answered"));
}

#[tokio::test]
async fn a_revision_is_reviewed_against_the_one_before_and_takes_its_place_when_published() {
    let site = open_site(Policy::default()).await;
    let sam = site.signed_in("sam").await;
    let old = submitted(&site, &sam, model("m").part("evaluator", file("mine.py", EVALUATOR))).await;
    review::act(&site.pool, old, ADMIN, Action::Approve, "").await.unwrap();
    publish(&site, old).await;
    let refused = sam.post(format!("{}/submit", site.url)).multipart(model("M")).send().await.unwrap();
    assert_eq!(refused.status(), 422, "the name is taken");

    let (_, form) = page(&site, &sam, &format!("/submit?revises={old}")).await;
    assert_eq!(texts(&form, "h1"), ["A new revision of m"]);
    assert!(form.contains("value=\"Acme\""), "the form is filled in");
    let rita = site.signed_in("rita").await;
    assert_eq!(page(&site, &rita, &format!("/submit?revises={old}")).await.0, 403, "of one's own only");
    let changed = EVALUATOR.replace("\"\"", "\"never mind\"");
    let form = model("m")
        .text("revises", old.to_string())
        .text("keep_files", "yes")
        .part("evaluator", file("mine.py", &changed));
    let new = submitted(&site, &sam, form).await;
    let (_, review) = page(&site, &rita, &format!("/admin/submissions/{new}")).await;
    assert_eq!(texts(&review, ".source .added code"), ["return \"never mind\""]);
    assert_eq!(texts(&review, ".source .removed code"), ["return \"\""]);
    review::act(&site.pool, new, ADMIN, Action::Approve, "").await.unwrap();
    assert_eq!(state(&site, old).await, SubmissionState::Published, "until the new one is there");
    publish(&site, new).await;
    assert_eq!(state(&site, old).await, SubmissionState::Superseded);
}

#[tokio::test]
async fn a_submitter_withdraws_a_result_and_nobody_else_does() {
    let site = open_site(Policy::default()).await;
    let sam = site.signed_in("sam").await;
    let id = submitted(&site, &sam, model("m")).await;
    assert_eq!(
        post(&site, &sam, &format!("/submissions/{id}/withdraw"), &[]).await.0,
        409,
        "there is no result yet"
    );
    publish(&site, id).await;
    let ada = site.signed_in("ada").await;
    assert_eq!(post(&site, &ada, &format!("/submissions/{id}/withdraw"), &[]).await.0, 403);
    assert_eq!(
        post(&site, &sam, &format!("/submissions/{id}/withdraw"), &[("text", "Wrong weights.")]).await.0,
        303
    );
    assert_eq!(state(&site, id).await, SubmissionState::Withdrawn);
    until("it has left the board", || async {
        let (status, html) = site.get(&format!("/models/{id}")).await;
        (status == 200 && html.contains("Withdrawn") && html.contains("Wrong weights.")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_token_is_taken_given_back_for_our_faults_and_kept_for_the_models() {
    let site = open_site(Policy::default()).await;
    let sam = site.signed_in("sam").await;
    let node = Node::known(&site, "node").await;
    let cancelled = submitted(&site, &sam, model("cancelled")).await;
    assert_eq!(left(&site).await, 99);
    post(&site, &sam, &format!("/submissions/{cancelled}/cancel"), &[]).await;
    assert_eq!(left(&site).await, 100, "nothing had run");
    for (class, expected) in [(FailureClass::LoadError, 99), (FailureClass::GpuFault, 99)] {
        submitted(&site, &sam, model(class.as_str())).await;
        // A platform fault is tried four times before it ends the submission.
        for _ in 0..4 {
            sqlx::query("UPDATE jobs SET run_after = now()").execute(&site.pool).await.unwrap();
            let Some(job) = node.claim(&Node::claim_now()).await else { break };
            let fail = Fail {
                attempt: job.attempt,
                fencing_token: job.fencing_token,
                class,
                message: "It broke.".to_owned(),
                log_tail: String::new(),
            };
            assert_eq!(node.post("fail", &fail).await.status(), 204);
        }
        assert_eq!(left(&site).await, expected, "{class}");
    }
    let (_, html) = page(&site, &sam, "/submit").await;
    assert!(html.contains("99 submissions are left"));
    let failed = inbox::list(&site.pool, inbox::Show::In(SubmissionState::Failed), &Policy::default().limits)
        .await
        .unwrap();
    let own_fault = failed.iter().find(|entry| entry.manifest.name == "load_error").unwrap().id;
    review::act(&site.pool, own_fault, ADMIN, Action::Refund, "The message was wrong.").await.unwrap();
    assert!(review::act(&site.pool, own_fault, ADMIN, Action::Refund, "Again.").await.is_err(), "once");
    assert_eq!(left(&site).await, 100);
    assert!(
        page(&site, &sam, &format!("/submissions/{own_fault}")).await.1.contains("The message was wrong.")
    );
}

#[tokio::test]
async fn a_spent_quota_is_answered_429_with_when_there_is_more_and_an_exception_helps() {
    let site = open_site(Policy::default()).await;
    let ada = site.signed_in("ada").await;
    let exception = [("user", "sam"), ("burst", "1"), ("per_day", "1"), ("days", "3"), ("reason", "a flood")];
    assert_eq!(post(&site, &ada, "/admin/quota", &exception).await.0, 303);
    let token = site.api_token("sam").await;
    assert_eq!(site.submit(&token, model("one")).await.status(), 201);
    let answer = site.submit(&token, model("two")).await;
    assert_eq!(answer.status(), 429);
    let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((80_000..=86_400).contains(&wait), "a token a day: {wait}");
    let problem: Value = answer.json().await.unwrap();
    assert!(problem["detail"].as_str().unwrap().contains("1 a day"), "{problem}");
    let all = submissions::list(&site.pool, submissions::Filter::All).await.unwrap();
    assert_eq!(all.len(), 1, "nothing of the second is stored");
    let exception =
        [("user", "sam"), ("burst", "5"), ("per_day", "1"), ("days", "3"), ("reason", "a workshop")];
    post(&site, &ada, "/admin/quota", &exception).await;
    assert_eq!(site.submit(&token, model("two")).await.status(), 201);
    let sam = site.signed_in("sam").await;
    assert!(page(&site, &sam, "/submit").await.1.contains("a workshop"), "the submitter reads why");
}

#[tokio::test]
async fn what_stays_too_long_in_a_state_is_flagged_in_the_inbox_and_in_the_api() {
    let site = open_site(Policy::default()).await;
    let sam = site.signed_in("sam").await;
    let id = submitted(&site, &sam, model("forgotten")).await;
    let late = async || {
        let queue: Value = serde_json::from_str(&site.get("/api/v1/queue").await.1).unwrap();
        queue["late"]
            .as_array()
            .unwrap()
            .iter()
            .map(|late| late["model"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert!(late().await.is_empty());
    sqlx::query("UPDATE submissions SET state_entered_at = now() - interval '25 hours' WHERE id = $1")
        .bind(id.0)
        .execute(&site.pool)
        .await
        .unwrap();
    assert_eq!(late().await, ["forgotten"]);
    let rita = site.signed_in("rita").await;
    let (_, html) = page(&site, &rita, "/admin").await;
    assert_eq!(texts(&html, ".inbox .model a"), ["forgotten"], "it waits for somebody of the staff now");
    assert!(site.get("/queue").await.1.contains("1 late"));
}

#[tokio::test]
async fn a_failed_submission_is_run_again_and_priorities_decide_what_comes_first() {
    let site = open_site(Policy::default()).await;
    let sam = site.signed_in("sam").await;
    let (first, second) =
        (submitted(&site, &sam, model("first")).await, submitted(&site, &sam, model("second")).await);
    review::act(&site.pool, second, ADMIN, Action::Prioritise("urgent".parse().unwrap()), "").await.unwrap();
    let node = Node::known(&site, "node").await;
    let job = node.claim(&Node::claim_now()).await.unwrap();
    assert_eq!(state(&site, second).await, SubmissionState::Running);
    assert_eq!(state(&site, first).await, SubmissionState::Queued);
    let fail = Fail {
        attempt: job.attempt,
        fencing_token: job.fencing_token,
        class: FailureClass::RuntimeError,
        message: "It broke.".to_owned(),
        log_tail: String::new(),
    };
    node.post("fail", &fail).await;
    review::act(&site.pool, second, ADMIN, Action::Rerun, "The runtime was wrong.").await.unwrap();
    assert_eq!(state(&site, second).await, SubmissionState::Queued);
    let attempts = submissions::attempts(&site.pool, second).await.unwrap();
    assert_eq!(attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn submitters_take_turns_however_many_one_of_them_has_waiting() {
    let base = Base::start().await;
    let release = base.release().await;
    let (sam, kim) = (base.user("sam", Role::Submitter).await, base.user("kim", Role::Submitter).await);
    for number in 0..3 {
        base.submission(sam, release, &format!("sam {number}")).await;
    }
    for number in 0..2 {
        base.submission(kim, release, &format!("kim {number}")).await;
    }
    let worker = base.worker("node").await;
    let mut order = Vec::new();
    while let Some(claimed) = store::queue::claim(
        &base.pool,
        &worker,
        "cpu-2core",
        &["pocketsphinx".to_owned()],
        Duration::from_mins(1),
    )
    .await
    .unwrap()
    {
        order.push(claimed.manifest.name);
    }
    assert_eq!(order, ["sam 0", "kim 0", "sam 1", "kim 1", "sam 2"]);
}

#[tokio::test]
async fn a_worker_s_token_is_issued_once_and_it_is_drained_resumed_and_revoked() {
    let site = open_site(Policy::default()).await;
    let ada = site.signed_in("ada").await;
    let (status, html) =
        post(&site, &ada, "/admin/workers", &[("name", "node-9"), ("hardware_classes", "cpu-2core, other")])
            .await;
    assert_eq!(status, 200);
    let token = texts(&html, ".notice pre").remove(0);
    assert!(token.starts_with("ffw_"));
    assert!(!page(&site, &ada, "/admin/workers").await.1.contains(&token), "shown once");
    let claims = async || {
        let request = end_to_end::client().post(format!("{}/worker/v1/claim", site.url)).bearer_auth(&token);
        request.json(&Node::claim_now()).send().await.unwrap()
    };
    let sam = site.signed_in("sam").await;
    submitted(&site, &sam, model("m")).await;
    let has_job = async || claims().await.json::<protocol::ClaimReply>().await.unwrap().job.is_some();
    post(&site, &ada, "/admin/workers/node-9", &[("action", "drain")]).await;
    assert!(!has_job().await);
    post(&site, &ada, "/admin/workers/node-9", &[("action", "resume")]).await;
    assert!(has_job().await);
    assert!(page(&site, &ada, "/admin/workers").await.1.contains("m, "), "what it runs is shown");
    post(&site, &ada, "/admin/workers/node-9", &[("action", "revoke")]).await;
    assert_eq!(claims().await.status(), 401);
    let log = audit::latest(&site.pool).await.unwrap();
    assert_eq!(
        log.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>(),
        ["revoke", "resume", "drain", "issue token"]
    );
}

/// A receiver of one webhook: what it was sent, after answering `status`.
async fn received(listener: &tokio::net::TcpListener, status: &str) -> (String, String) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut text = String::new();
    loop {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.unwrap();
        text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned))
                .map_or(0, |length| length.parse::<usize>().unwrap());
            if body.len() >= length {
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
                return (head.to_owned(), body.to_owned());
            }
        }
    }
}

#[tokio::test]
async fn a_webhook_is_signed_tried_again_and_never_sent_to_a_private_address_unless_allowed() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    {
        let strict = open_site(Policy::default()).await;
        let sam = strict.signed_in("sam").await;
        let (status, html) = post(&strict, &sam, "/webhooks", &[("url", &url)]).await;
        assert_eq!(status, 422);
        assert!(texts(&html, "#url-error")[0].contains("private"));
    }
    let site = open_site(Policy { private_webhooks: true, ..Policy::default() }).await;
    let sam = site.signed_in("sam").await;
    let (status, html) = post(&site, &sam, "/webhooks", &[("url", &url)]).await;
    assert_eq!(status, 200);
    let secret = texts(&html, ".notice pre").remove(0);
    let id = submitted(&site, &sam, model("m")).await;
    let (_, first) = received(&listener, "500 Internal Server Error").await;
    let (head, second) = received(&listener, "204 No Content").await;
    let (first, event): (Value, Value) =
        (serde_json::from_str(&first).unwrap(), serde_json::from_str(&second).unwrap());
    assert_eq!(
        (event["submission"].as_str(), event["to"].as_str()),
        (Some(id.to_string().as_str()), Some("queued"))
    );
    assert_eq!(first["to"], "checking");
    let signature = head.lines().find_map(|line| line.strip_prefix("ffasr-signature: ")).unwrap();
    let (time, given) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let mut mac = <hmac::Hmac<Sha256> as hmac::Mac>::new_from_slice(secret.as_bytes()).unwrap();
    hmac::Mac::update(&mut mac, format!("{time}.{second}").as_bytes());
    assert_eq!(given, hex::encode(hmac::Mac::finalize(mac).into_bytes()));
    // What was answered 500 comes again, as the same event.
    until("the retry is there", || async {
        let made_due =
            sqlx::query("UPDATE jobs SET run_after = now() WHERE kind = 'webhook' AND state = 'queued'");
        (made_due.execute(&site.pool).await.unwrap().rows_affected() > 0).then_some(())
    })
    .await;
    let (_, again) = received(&listener, "200 OK").await;
    assert_eq!(serde_json::from_str::<Value>(&again).unwrap()["event"], first["event"]);
    until("it is said", || async {
        page(&site, &sam, "/webhooks").await.1.contains("Delivered.").then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_page_of_a_submission_is_told_of_progress_log_and_changes_as_they_happen() {
    let site = open_site(Policy::default()).await;
    let sam = site.signed_in("sam").await;
    let id = submitted(&site, &sam, model("m")).await;
    let node = Node::known(&site, "node").await;
    let job = node.claim(&Node::claim_now()).await.unwrap();
    node.post("heartbeat", &Node::beat(&job)).await;
    let events = protocol::Events {
        attempt: job.attempt,
        fencing_token: job.fencing_token,
        log: "loading\n".to_owned(),
        paces: Vec::new(),
    };
    node.post("events", &events).await;
    let mut own = sam.get(format!("{}/submissions/{id}/events", site.url)).send().await.unwrap();
    assert_eq!(own.headers()["content-type"], "text/event-stream");
    let text = String::from_utf8(own.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    assert!(
        text.contains("event: progress")
            && text.contains("\"done\":1,\"total\":8")
            && text.contains("loading"),
        "{text}"
    );
    let mut others =
        site.visitor().get(format!("{}/submissions/{id}/events", site.url)).send().await.unwrap();
    let text = String::from_utf8(others.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    assert!(text.contains("\"log\":null"), "the log is for its submitter and for staff: {text}");
    submissions::cancel(&site.pool, id, "sam", "r").await.unwrap();
    let text = String::from_utf8(own.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    assert!(text.contains("event: change") && text.contains("cancelled"), "{text}");
    assert!(own.chunk().await.unwrap().is_none(), "over");
}

/// Stops at every link, field and button in turn, as a keyboard does, until `wanted` has the focus.
async fn tab_to(browser: &Browser, wanted: &str) {
    use fantoccini::actions::{InputSource, KeyAction, KeyActions};
    let tab = || {
        KeyActions::new("keyboard".into())
            .then(KeyAction::Down { value: '\u{e004}' })
            .then(KeyAction::Up { value: '\u{e004}' })
    };
    for _ in 0..200 {
        let is_there = format!("return document.activeElement.matches({wanted:?})");
        if browser.page.execute(&is_there, Vec::new()).await.unwrap() == true {
            return;
        }
        browser.page.perform_actions(tab()).await.unwrap();
    }
    panic!("the keyboard does not reach {wanted}");
}

async fn press(browser: &Browser, key: char) {
    use fantoccini::actions::{InputSource, KeyAction, KeyActions};
    let actions = KeyActions::new("keyboard".into())
        .then(KeyAction::Down { value: key })
        .then(KeyAction::Up { value: key });
    browser.page.perform_actions(actions).await.unwrap();
}

#[tokio::test]
async fn a_reviewer_decides_with_the_keyboard_alone() {
    let site = open_site(Policy::default()).await;
    let token = site.api_token("sam").await;
    for name in ["first", "second"] {
        let form = model(name).part("evaluator", file("mine.py", EVALUATOR));
        assert_eq!(site.submit(&token, form).await.status(), 201);
    }
    let browser = Browser::start().await;
    browser.page.goto(&format!("{}/login?next=/admin", site.url)).await.unwrap();
    for (field, text) in [("#name", "rita"), ("#password", "correct horse")] {
        browser.page.find(fantoccini::Locator::Css(field)).await.unwrap().send_keys(text).await.unwrap();
    }
    press(&browser, '\u{e007}').await;
    browser.page.wait().for_element(fantoccini::Locator::Css(".inbox")).await.unwrap();
    tab_to(&browser, ".inbox tbody input[type=checkbox]").await;
    press(&browser, ' ').await;
    tab_to(&browser, ".decide button[value=approve]").await;
    press(&browser, '\u{e007}').await;
    until("one is left", || async {
        let html = browser.page.source().await.ok()?;
        (texts(&html, ".inbox .model a") == ["second"] && texts(&html, ".notice") == ["It is approved."])
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_preview_says_what_would_run_and_takes_nothing() {
    let site = open_site(Policy::default()).await;
    let sam = site.signed_in("sam").await;
    let url = format!("{}/submit", site.url);
    let with_code = || model("Previewed").part("evaluator", file("mine.py", EVALUATOR));
    let html = sam.post(&url).multipart(with_code().text("check", "yes")).send().await.unwrap();
    assert_eq!(html.status(), 200);
    let html = html.text().await.unwrap();
    let said = texts(&html, "#preview");
    for part in ["Previewed", "tiny 1", "mine.py", "ffasr eval", "Choose the files once more"] {
        assert!(said[0].contains(part), "{part}: {said:?}");
    }
    assert!(texts(&html, "#preview pre")[0].contains("name = \"Previewed\""));
    let wrong = sam.post(&url).multipart(model("").text("check", "yes")).send().await.unwrap();
    assert_eq!(wrong.status(), 422, "a fault is named as it is without a preview");

    let token = site.api_token("sam").await;
    let preview: Value = site.submit(&token, with_code().text("check", "yes")).await.json().await.unwrap();
    assert_eq!((&preview["model"]["name"], &preview["release"]), (&json!("Previewed"), &json!("tiny@1")));
    assert_eq!(preview["files"][0]["name"], "mine.py");
    assert!(preview["review"].is_string() && preview["findings"].is_array(), "{preview}");

    assert!(submissions::list(&site.pool, Filter::All).await.unwrap().is_empty());
    let user = accounts::user_by_name(&site.pool, "sam").await.unwrap();
    assert!(quota::entries(&site.pool, user.id).await.unwrap().is_empty(), "and no token");
}

#[tokio::test]
async fn the_same_model_under_another_name_is_noted_and_what_others_have_under_way_is_not_told() {
    let site = open_site(Policy::default()).await;
    let sam = site.signed_in("sam").await;
    let with_files = |name: &str, content: &str| {
        model(name).part("files", file("a.dict", "A AH")).part("files", file("b.dict", content))
    };
    submitted(&site, &sam, with_files("First", "B B IY")).await;
    site.user("tom", Role::Submitter).await;
    let findings = async |who: &str, form: Form| {
        let token = site.api_token(who).await;
        let preview: Value = site.submit(&token, form.text("check", "yes")).await.json().await.unwrap();
        preview["findings"].to_string()
    };
    let same = |name: &str| with_files(name, "B B IY");
    assert!(findings("sam", same("Second")).await.contains("It is what “First” is"));
    assert!(!findings("tom", same("Second")).await.contains("First"), "it is still on its way");
    assert!(!findings("sam", with_files("Second", "B B EH")).await.contains("duplicate"), "other content");
    let slower = same("Second").text("decoding", "beam = 1e-40");
    assert!(!findings("sam", slower).await.contains("duplicate"), "other settings");
    let first = submissions::list(&site.pool, Filter::All).await.unwrap()[0].id;
    let revision = same("First").text("revises", first.to_string());
    assert!(!findings("sam", revision).await.contains("duplicate"), "the one it replaces is no other");
    publish(&site, first).await;
    assert!(findings("tom", same("Second")).await.contains("It is what “First” is"), "on the board");
}

#[tokio::test]
async fn every_runtime_has_its_settings_on_a_page_and_every_wrong_setting_is_named_at_its_field() {
    let site = open_site(Policy::default()).await;
    let (status, html) = site.get("/runtimes").await;
    assert_eq!(status, 200);
    let headings = texts(&html, "h2").join(" ");
    for runtime in
        ["pocketsphinx", "onnx", "transformers", "faster-whisper", "nemo", "speechbrain", "evaluator"]
    {
        assert!(headings.contains(runtime), "{runtime}: {headings}");
    }
    let rows = texts(&html, "tr");
    assert!(rows.iter().any(|row| row.starts_with("beama number, 1e-120 to 1e-5")), "{rows:?}");
    assert!(html.contains("evaluator-transformers"));
    let sam = site.signed_in("sam").await;
    let form = model("m").text("decoding", "beam = \"wide\"\nspeed = 3");
    let answer = sam.post(format!("{}/submit", site.url)).multipart(form).send().await.unwrap();
    assert_eq!(answer.status(), 422);
    let said = texts(&answer.text().await.unwrap(), "#decoding-error").concat();
    assert!(said.contains("beam must be a number") && said.contains("speed is not known"), "{said}");
}

#[tokio::test]
async fn a_paused_queue_gives_nothing_out_says_why_and_goes_on_where_it_was() {
    let site = open_site(Policy::default()).await;
    let (ada, rita, sam) =
        (site.signed_in("ada").await, site.signed_in("rita").await, site.signed_in("sam").await);
    let ask = async |client: &Client, action: &str, reason: &str| {
        let form = [("action", action), ("reason", reason)];
        client.post(format!("{}/admin/queue", site.url)).form(&form).send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask(&rita, "pause", "I may not.").await, 403);
    assert_eq!(ask(&ada, "pause", " ").await, 409, "those who wait are owed a reason");
    assert_eq!(ask(&ada, "pause", "New drivers on every node.").await, 303);
    assert_eq!(ask(&ada, "pause", "Once more.").await, 409);
    let id = submitted(&site, &sam, model("m")).await;
    let node = Node::known(&site, "node").await;
    assert!(node.claim(&Node::claim_now()).await.is_none());
    for path in ["/queue".to_owned(), format!("/submissions/{id}")] {
        assert!(site.get(&path).await.1.contains("New drivers on every node."), "{path}");
    }
    assert_eq!(ask(&ada, "resume", "").await, 303);
    assert!(!site.get("/queue").await.1.contains("New drivers"));
    assert!(node.claim(&Node::claim_now()).await.is_some());
    let log = ada.get(format!("{}/admin/audit", site.url)).send().await.unwrap().text().await.unwrap();
    assert!(log.contains("pause queue") && log.contains("resume queue"), "{log}");
}
