//! Models on a hub: pinned when they are submitted, fetched by the worker, private ones with a token that nobody else sees.
#![expect(clippy::unwrap_used, reason = "a test's failure is a panic with a place")]

use std::fs;

use end_to_end::{Base, Hub, Node, Operator, Program, Site, until};
use protocol::SubmissionId;
use reqwest::multipart::Form;
use serde_json::Value;
use store::{accounts::Role, sealed::SealingKey, state::SubmissionState, submissions};
use web::{HubPolicy, Policy};

const COMMIT: &str = "1111111111111111111111111111111111111111";
const LATER: &str = "2222222222222222222222222222222222222222";
const TOKEN: &str = "hf_only-for-the-fetch";

/// A language model of a few words that the acoustic model's dictionary has.
const LANGUAGE_MODEL: &str =
    "\\data\\\nngram 1=5\n\n\\1-grams:\n-0.7 </s>\n-99 <s>\n-0.7 the\n-0.7 and\n-0.7 of\n\n\\end\\\n";

fn large() -> Vec<u8> {
    (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect()
}

async fn hub() -> Hub {
    let hub = Hub::start(COMMIT).await;
    hub.put(".gitattributes", b"*.lm filter=lfs", false);
    hub.put("config.json", b"{}", false);
    hub.put("task.lm", LANGUAGE_MODEL.as_bytes(), false);
    hub.put("models/large.dat", &large(), true);
    hub
}

async fn site(hub: &Hub) -> Site {
    let base = Base::start().await;
    base.user("sam", Role::Submitter).await;
    base.user("rita", Role::Reviewer).await;
    base.release().await;
    let policy = Policy {
        hub: HubPolicy { endpoint: hub.url.clone(), most_bytes: 1 << 30 },
        sealing_key: Some(SealingKey::new([7; 32])),
        ..Policy::default()
    };
    Site::under(base, policy).await
}

fn form(name: &str) -> Form {
    Form::new()
        .text("name", name.to_owned())
        .text("organisation", "somebody")
        .text("licence", "MIT")
        .text("runtime", "pocketsphinx")
        .text("hub_model", "org/model")
        .text("decoding", "lm = \"task.lm\"")
}

async fn submitted(site: &Site, form: Form) -> (SubmissionId, Value) {
    let answer = site.submit(&site.api_token("sam").await, form).await;
    let status = answer.status();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(status, 201, "{body}");
    (body["id"].as_str().unwrap().parse().unwrap(), body)
}

async fn refused(site: &Site, form: Form) -> String {
    let answer = site.submit(&site.api_token("sam").await, form).await;
    assert_eq!(answer.status(), 422);
    answer.json::<Value>().await.unwrap()["detail"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_revision_is_pinned_to_its_commit_and_its_files_to_their_hashes() {
    let hub = hub().await;
    let site = site(&hub).await;
    let (id, body) = submitted(&site, form("m")).await;
    assert_eq!(body["findings"][0]["rule"], "licence-differs", "the hub says apache-2.0: {body}");
    hub.move_on(LATER);
    let manifest = submissions::get(&site.pool, id).await.unwrap().manifest;
    assert_eq!(manifest.hub.unwrap().revision, COMMIT);
    let files = submissions::files(&site.pool, id).await.unwrap();
    let of: Vec<(&str, bool)> = files.iter().map(|file| (file.name.as_str(), file.in_storage)).collect();
    assert_eq!(of, [("config.json", true), ("models/large.dat", false), ("task.lm", true)]);

    let node = Node::known(&site, "node").await;
    let job = node.claim(&Node::claim_now()).await.unwrap();
    let work = Node::evaluation(&job);
    assert_eq!(work.hub_token, None);
    let (from_hub, stored): (Vec<_>, Vec<_>) = work.files.iter().partition(|file| file.from_hub);
    assert_eq!(from_hub[0].url, format!("{}/org/model/resolve/{COMMIT}/models/large.dat", hub.url));
    assert_eq!(from_hub[0].bytes, 4_000_000);
    assert_eq!(stored.len(), 2);
    let (_, page) = site.get(&format!("/submissions/{id}")).await;
    assert!(page.contains("org/model") && page.contains(COMMIT));
}

#[tokio::test]
async fn what_a_hub_does_not_have_or_give_out_is_said_at_its_field() {
    let hub = hub().await;
    let site = site(&hub).await;
    let with = |field: &'static str, value: &'static str| form("m").text(field, value);
    assert!(
        refused(&site, with("hub_revision", "nowhere")).await.starts_with("hub_model: 127.0.0.1 has no such")
    );
    assert!(refused(&site, with("hub_files", "*.onnx")).await.starts_with("hub_files:"));
    assert!(refused(&site, with("hub_revision", "../../secret")).await.starts_with("hub_revision:"));
    hub.lock(TOKEN);
    assert!(refused(&site, form("m")).await.contains("does not exist, or needs a token"));
    assert!(refused(&site, with("hub_token", "hf_wrong")).await.starts_with("hub_token:"));
    hub.put("modeling.py", b"import os\n", false);
    let (_, body) = submitted(&site, with("hub_token", TOKEN)).await;
    assert_eq!(body["state"], "in_review", "code that comes along is read by a person: {body}");
}

#[tokio::test]
async fn a_token_is_sealed_goes_to_the_fetch_alone_and_is_gone_when_nothing_is_left_to_fetch() {
    let hub = hub().await;
    hub.lock(TOKEN);
    let site = site(&hub).await;
    let (id, body) = submitted(&site, form("m").text("hub_token", TOKEN)).await;
    assert!(!body.to_string().contains(TOKEN));
    let everything: Vec<String> = sqlx::query_scalar(
        "SELECT concat(h.sealed, h.sealed::text, s.manifest, s.reason) FROM hub_tokens h JOIN submissions s ON s.id = h.submission_id",
    )
    .fetch_all(&site.pool)
    .await
    .unwrap();
    assert_eq!(everything.len(), 1);
    assert!(!everything[0].contains(TOKEN) && !everything[0].contains(&hex::encode(TOKEN)));
    let to_storage = hub.asked().into_iter().filter(|asked| asked.path.starts_with("/storage/"));
    assert!(to_storage.map(|asked| asked.authorization).all(|token| token.is_none()), "redirects lead away");

    let node = Node::known(&site, "node").await;
    let job = node.claim(&Node::claim_now()).await.unwrap();
    let work = Node::evaluation(&job);
    assert_eq!(work.hub_token.as_ref().unwrap().0, TOKEN);
    assert!(!format!("{work:?}").contains(TOKEN), "it is never printed");
    let kept = async || {
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM hub_tokens").fetch_one(&site.pool).await.unwrap()
    };
    assert_eq!(kept().await, 1);
    let results = Node::results(work, "the");
    let sha256 = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(serde_json::to_vec(&results).unwrap()));
    assert_eq!(node.complete(&job, &results, &sha256).await.status(), 204);
    assert_eq!(kept().await, 0);
    until("it is published", || async {
        (submissions::get(&site.pool, id).await.unwrap().state == SubmissionState::Published).then_some(())
    })
    .await;
}

/// The large file breaks off twice on its way; the worker goes on where it was, and keeps it for the next submission.
#[tokio::test(flavor = "multi_thread")]
async fn a_model_on_the_hub_runs_over_a_line_that_breaks_and_is_fetched_once() {
    let hub = hub().await;
    let (operator, _service) = Operator::set_up_with(&["--hub", &hub.url]);
    let token = operator.path().join("sam.token");
    let manifest = operator.path().join("ffasr.toml");
    fs::write(&token, &operator.token).unwrap();
    let _worker = operator.worker("node-1");
    for (name, cuts) in [("Over a bad line", [1_000_000, 1_500_000].as_slice()), ("Once more", &[])] {
        hub.cut(cuts);
        fs::write(
            &manifest,
            format!(
                "name = \"{name}\"\norganisation = \"o\"\nlicence = \"MIT\"\nruntime = \"pocketsphinx\"\n[decoding]\nlm = \"task.lm\"\n"
            ),
        )
        .unwrap();
        let service = operator.url("");
        let said = Program::run(
            operator.path(),
            &[
                "submit",
                manifest.to_str().unwrap(),
                "--service",
                &service,
                "--token-file",
                token.to_str().unwrap(),
                "--hub-model",
                "org/model",
            ],
        );
        assert!(said.contains("is on the board"), "{said}");
    }
    let transfers: Vec<Option<String>> = hub
        .asked()
        .into_iter()
        .filter(|asked| asked.path.starts_with("/storage/"))
        .map(|asked| asked.range)
        .filter(|range| range.as_deref().is_none_or(|range| range.ends_with('-')))
        .collect();
    assert_eq!(transfers.len(), 3, "one in three pieces, and none for the second submission: {transfers:?}");
    assert_eq!(transfers[0], None);
    assert!(transfers[1..].iter().all(Option::is_some));
}
