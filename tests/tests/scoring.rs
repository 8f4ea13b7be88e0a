//! Results under several scorers: profiles, scoring again, comparing, and items as files.
#![expect(clippy::unwrap_used, reason = "a test's failure is a panic with a place")]

use end_to_end::{Node, Program, Site, until};
use protocol::AttemptResults;
use reqwest::multipart::Form;
use scraper::{Html, Selector};
use serde_json::Value;
use sha2::{Digest, Sha256};
use store::{accounts::Role, objects};

fn texts(html: &str, selector: &str) -> Vec<String> {
    let selector = Selector::parse(selector).unwrap();
    let words = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    Html::parse_document(html).select(&selector).map(|element| words(element.text().collect())).collect()
}

fn hash(results: &AttemptResults) -> String {
    hex::encode(Sha256::digest(serde_json::to_vec(results).unwrap()))
}

async fn json(site: &Site, path: &str) -> Value {
    let (status, text) = site.get(path).await;
    assert_eq!(status, 200, "{path}: {text}");
    serde_json::from_str(&text).unwrap()
}

/// A model of this name that answers every item with `text`; its submission, once it is on the board.
async fn evaluated(site: &Site, name: &str, text: &str) -> String {
    let form = [("name", name), ("organisation", "Acme"), ("licence", "MIT"), ("runtime", "pocketsphinx")]
        .into_iter()
        .fold(Form::new(), |form, (field, value)| form.text(field, value.to_owned()));
    let token = site.api_token("sam").await;
    let answer = site.submit(&token, form.text("release", "tiny")).await;
    assert_eq!(answer.status(), 201);
    let id = answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned();
    let node = Node::known(site, "node").await;
    let job = node.claim(&Node::claim_now()).await.unwrap();
    let results = Node::results(Node::evaluation(&job), text);
    assert_eq!(node.complete(&job, &results, &hash(&results)).await.status(), 204);
    until("it is on the board", || async {
        let board: Value = serde_json::from_str(&site.get("/api/v1/boards/tiny").await.1).ok()?;
        board["rows"].as_array()?.iter().any(|row| row["submission"] == id.as_str()).then_some(())
    })
    .await;
    id
}

/// Two models whose order depends on who scores. The references are "the quick brown fox" (u1) and "jumps over the lazy
/// dog" (u2); in both, u2 has five errors of five words. "Shouting" has all of u1 right but for case and marks, "quiet"
/// one word wrong and everything in lower case.
async fn two_models() -> (Site, String, String) {
    let site = Site::start().await;
    site.release().await;
    site.user("sam", Role::Submitter).await;
    until("the release is on the board", || async {
        site.get("/api/v1/boards/tiny").await.0.eq(&200).then_some(())
    })
    .await;
    let shouting = evaluated(&site, "shouting", "THE QUICK, BROWN FOX!").await;
    let quiet = evaluated(&site, "quiet", "the quick brown cat").await;
    (site, shouting, quiet)
}

/// The models in the order of a board, and the names of its scorer.
async fn order(site: &Site, query: &str) -> (Vec<String>, String) {
    let board = json(site, &format!("/api/v1/boards/tiny{query}")).await;
    let models =
        board["rows"].as_array().unwrap().iter().map(|row| row["model"].as_str().unwrap().to_owned());
    (models.collect(), board["scorer"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn every_profile_is_computed_and_a_switch_shows_who_moves() {
    let (site, shouting, _) = two_models().await;
    assert_eq!(
        order(&site, "").await,
        (vec!["shouting".to_owned(), "quiet".to_owned()], "ffasr@1/whisper-en@1".to_owned())
    );
    assert_eq!(order(&site, "?profile=open-asr").await.1, "open-asr@1/open-asr-en@1");
    // As written, nothing that was shouted is right.
    assert_eq!(
        order(&site, "?profile=raw").await,
        (vec!["quiet".to_owned(), "shouting".to_owned()], "raw@1/none".to_owned())
    );
    let raw = json(&site, "/api/v1/boards/tiny?profile=raw").await;
    assert_eq!((&raw["rows"][0]["rank"], &raw["rows"][0]["ranking_rank"]), (&1.into(), &2.into()));

    let (_, page) = site.get("/?release=tiny&profile=raw").await;
    assert_eq!(texts(&page, "table.board tbody th[scope=row] a"), ["quiet", "shouting"]);
    let moved = texts(&page, "table.board .moved");
    assert_eq!(moved, ["1 better than▲1", "1 worse than▼1"]);
    let (_, sorted) = site.get("/?release=tiny&profile=raw&sort=model&dir=desc").await;
    assert_eq!(texts(&sorted, "table.board tbody th[scope=row] a"), ["shouting", "quiet"]);
    let heads = Html::parse_document(&sorted);
    let links = Selector::parse("thead a[href*='profile=raw&sort=']").unwrap();
    assert_eq!(heads.select(&links).count(), 10, "the order of a column keeps the profile");
    let (_, page) = site.get("/?release=tiny").await;
    assert!(texts(&page, ".moved").is_empty());

    let (_, page) = site.get(&format!("/models/{shouting}?profile=raw")).await;
    assert_eq!(
        texts(&page, "#scorers tbody th"),
        ["ffasr@1/whisper-en@1", "open-asr@1/open-asr-en@1", "raw@1/none"]
    );
    let (_, csv) = site.get("/api/v1/boards/tiny/csv?profile=raw").await;
    assert!(csv.lines().nth(1).unwrap().contains("quiet"), "{csv}");
    for path in ["/?profile=sacrebleu", "/api/v1/boards/tiny?profile=sacrebleu"] {
        assert_eq!(site.get(path).await.0, 404);
    }
}

#[tokio::test]
async fn a_release_in_spanish_is_scored_by_the_basic_normaliser_under_every_profile_and_says_so() {
    let site = Site::start().await;
    let about = serde_json::json!({"corpus": {"name": "c", "language": "es-ES"}});
    site.release_about(["¿Dónde está el niño?", "El año pasado."], &about).await;
    site.user("sam", Role::Submitter).await;
    until("the release is on the board", || async {
        site.get("/api/v1/boards/tiny").await.0.eq(&200).then_some(())
    })
    .await;
    let id = evaluated(&site, "sin acento", "dónde esta el niño").await;
    // u1: "esta" is not "está", one of 4 words. u2, of 3 words: "el" is right, "niño" for "año", "pasado" is missing, two
    // words too many: 4 errors. English normalisers take accents away, and there would be 4 errors instead of 5.
    let board = json(&site, "/api/v1/boards/tiny").await;
    assert_eq!(board["scorer"], "ffasr@1/basic@1");
    let near = &board["rows"][0]["tracks"]["near"];
    let counts =
        ["substitutions", "deletions", "insertions", "ref_words"].map(|name| near[name].as_u64().unwrap());
    assert_eq!(counts, [2, 1, 2, 7], "{near}");
    assert!((board["rows"][0]["avg_wer"].as_f64().unwrap() - 5.0 / 7.0).abs() < 1e-12);
    let attempt = board["rows"][0]["attempt"].as_str().unwrap();
    for (profile, scorer) in [("open-asr", "open-asr@1/basic@1"), ("raw", "raw@1/none")] {
        assert_eq!(
            order(&site, &format!("?profile={profile}")).await,
            (vec!["sin acento".to_owned()], scorer.to_owned())
        );
        let (status, page) = site.get(&format!("/models/{id}?profile={profile}")).await;
        assert!(status == 200 && page.contains(scorer), "{profile}");
        let items = format!("/api/v1/results/{attempt}/items.parquet?scorer={profile}");
        assert_eq!(site.get(&items).await.0, 200);
    }
    // Nobody is told that a result waits to be scored, no page names the English normaliser as this board's, and the
    // English lists of words are not held against Spanish.
    let (_, page) = site.get("/").await;
    assert!(page.contains("ffasr@1/basic@1") && !page.contains("whisper-en"));
    let (_, page) = site.get(&format!("/models/{id}")).await;
    assert!(
        page.contains("ffasr@1/basic@1") && !page.contains("whisper-en") && !page.contains("function words")
    );
}

#[tokio::test]
async fn a_model_s_page_says_where_it_fails_without_a_word_of_the_references() {
    let (site, _, quiet) = two_models().await;
    let (_, page) = site.get(&format!("/models/{quiet}")).await;
    let classes = texts(&page, "table:has(#classes) tbody tr");
    assert!(classes.iter().any(|row| row.starts_with("Content words")), "{classes:?}");
    assert!(classes.iter().any(|row| row.starts_with("Function words")), "{classes:?}");
    assert_eq!(texts(&page, "table:has(#faults) thead th")[1..5], ["near", "far-high", "far-mid", "far-low"]);
    assert!(page.contains("5 different utterances or more"));
    for said in ["lazy", "jumps", "fox"] {
        assert!(!page.contains(said), "{said} is shown");
    }
}

#[tokio::test]
async fn kept_hypotheses_are_scored_again_beside_the_old_results() {
    let (site, shouting, _) = two_models().await;
    let rescore = |more: &[&str]| Program::run(site.directory(), &[&["admin", "rescore"], more].concat());
    let stored = || async {
        let counted: Vec<(String, i64)> =
            sqlx::query_as("SELECT scorer, count(*) FROM item_scores GROUP BY scorer ORDER BY scorer")
                .fetch_all(&site.pool)
                .await
                .unwrap();
        counted
    };
    let before = stored().await;
    assert!(before.iter().all(|(_, items)| *items == 16) && before.len() == 3, "{before:?}");
    let nothing_to_do = rescore(&[]);
    assert!(nothing_to_do.contains("ffasr@1/whisper-en@1: 0 results scored"), "{nothing_to_do}");
    assert_eq!(stored().await, before);

    // A scorer that no profile uses: computed first, then stored.
    let dry = rescore(&["--scorer", "ffasr@1/basic@1", "--release", "tiny@1", "--dry-run"]);
    assert!(dry.contains("2 results computed, nothing stored"), "{dry}");
    assert!(dry.contains("ffasr@1/whisper-en@1 -> ffasr@1/basic@1"), "{dry}");
    assert_eq!(stored().await, before);
    let again = rescore(&["--scorer", "ffasr@1/basic@1"]);
    assert_eq!(dry.lines().skip(1).collect::<Vec<_>>(), again.lines().skip(1).collect::<Vec<_>>());
    assert_eq!(stored().await.len(), 4);
    let third = rescore(&["--scorer", "ffasr@1/basic@1"]);
    assert!(third.contains("0 results scored"), "{third}");
    assert!(
        third.contains("shouting") && third.contains("quiet"),
        "the table comes from what is stored: {third}"
    );

    // Under the raw profile they change places.
    let raw = rescore(&["--scorer", "raw"]);
    let line = |model: &str| {
        raw.lines()
            .find(|line| line.contains(model))
            .unwrap()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert!(line("quiet").starts_with("quiet 2 -> 1 +1"), "{raw}");
    assert!(line("shouting").starts_with("shouting 1 -> 2 -1"), "{raw}");

    let page = until("the page shows the fourth scorer", || async {
        let (_, page) = site.get(&format!("/models/{shouting}")).await;
        (texts(&page, "#scorers tbody th").len() == 4).then_some(page)
    })
    .await;
    assert_eq!(texts(&page, "#scorers tbody tr:last-child td")[0], "not on a board");
    assert_eq!(order(&site, "").await.1, "ffasr@1/whisper-en@1", "the board is ranked as before");
}

#[tokio::test]
async fn results_that_lack_a_profile_are_announced_and_completed() {
    let (site, shouting, _) = two_models().await;
    sqlx::query("DELETE FROM scores WHERE scorer = 'open-asr@1/open-asr-en@1'")
        .execute(&site.pool)
        .await
        .unwrap();
    sqlx::query("SELECT pg_notify('ffasr_board', '')").execute(&site.pool).await.unwrap();
    let page = until("the board says what is missing", || async {
        let (_, page) = site.get("/?release=tiny&profile=open-asr").await;
        page.contains("2 published results are not scored").then_some(page)
    })
    .await;
    assert!(texts(&page, "table.board").is_empty());
    assert_eq!(site.get(&format!("/models/{shouting}?profile=open-asr")).await.0, 404);
    assert!(!site.get("/?release=tiny").await.1.contains("not scored"));

    // One of the two has lost its hypotheses: the other is scored all the same.
    let lost: protocol::AttemptId =
        json(&site, "/api/v1/boards/tiny").await["rows"][0]["attempt"].as_str().unwrap().parse().unwrap();
    let content = site.objects.get(&objects::results_key(lost), 1 << 20).await.unwrap();
    site.objects.put(&objects::results_key(lost), b"{}".to_vec()).await.unwrap();
    let output = Program::output(site.directory(), &["admin", "rescore"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("open-asr@1/open-asr-en@1: 1 result scored")
            && said.contains("not those the worker reported"),
        "{said}"
    );
    site.objects.put(&objects::results_key(lost), content).await.unwrap();
    let said = Program::run(site.directory(), &["admin", "rescore"]);
    assert!(said.contains("open-asr@1/open-asr-en@1: 1 result scored"), "it goes on where it was: {said}");
    until("the board is complete", || async {
        (order(&site, "?profile=open-asr").await.0.len() == 2).then_some(())
    })
    .await;
    let unknown = Program::output(site.directory(), &["admin", "rescore", "--scorer", "ffasr@9"]);
    assert_eq!(unknown.status.code(), Some(2));
    let unknown = Program::output(site.directory(), &["admin", "rescore", "--release", "moon"]);
    assert_eq!(unknown.status.code(), Some(2));
}

#[tokio::test]
async fn two_results_are_compared_and_their_items_downloaded() {
    let (site, shouting, quiet) = two_models().await;
    let compared = json(&site, &format!("/api/v1/compare?a={shouting}&b={quiet}")).await;
    // One word more of 9 is wrong on each track.
    let average = &compared["average"];
    assert!((average["difference"].as_f64().unwrap() + 1.0 / 9.0).abs() < 1e-9, "{compared}");
    assert!(average["probability_a_better"].as_f64().unwrap() > 0.5);
    assert_eq!((&compared["items"], &compared["only_a_right"]), (&8.into(), &4.into()));
    assert!(compared["mapsswe"]["segments"].as_u64().unwrap() >= 4);
    let merged = json(&site, &format!("/api/v1/compare?a={shouting}&b={quiet}&profile=open-asr")).await;
    assert!(merged["mapsswe"].is_null(), "no plain alignment where compounds are merged");
    let (status, page) = site.get(&format!("/compare?a={shouting}&b={quiet}")).await;
    assert_eq!(status, 200);
    assert_eq!(texts(&page, "tbody th"), ["Avg WER", "near", "far-high", "far-mid", "far-low"]);
    assert_eq!(site.get(&format!("/compare?a={shouting}")).await.0, 200);
    assert_eq!(site.get(&format!("/api/v1/compare?a={shouting}")).await.0, 422);
    assert_eq!(
        site.get(&format!("/api/v1/compare?a={shouting}&b={}", protocol::SubmissionId::new())).await.0,
        404
    );

    let board = json(&site, "/api/v1/boards/tiny").await;
    let mut files = Vec::new();
    for row in board["rows"].as_array().unwrap() {
        let path = format!("/api/v1/results/{}/items.parquet", row["attempt"].as_str().unwrap());
        let answer = site.visitor().get(format!("{}{path}", site.url)).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "application/vnd.apache.parquet");
        let bytes = answer.bytes().await.unwrap();
        let file = site.directory().join(format!("{}.parquet", row["model"].as_str().unwrap()));
        std::fs::write(&file, &bytes).unwrap();
        files.push(file.to_str().unwrap().to_owned());
        for text in ["quick", "lazy"] {
            assert!(
                !bytes.windows(text.len()).any(|window| window == text.as_bytes()),
                "{text} is in the file"
            );
        }
    }
    let said = Program::run(site.directory(), &["score", "compare", &files[0], &files[1]]);
    let from_files: Value = serde_json::from_str(&said).unwrap();
    // The file has the items in another order, so that the bootstrap draws others: a share of 10 000 draws has a standard
    // error of 0.005 at most.
    for (field, tolerance) in [("difference", 1e-9), ("probability_a_better", 0.025)] {
        let (file, api) = (from_files[field].as_f64().unwrap(), average[field].as_f64().unwrap());
        assert!((file - api).abs() < tolerance, "{field}: {file} and {api}");
    }
    let said = Program::run(site.directory(), &["score", "items", &files[1], "--track", "near"]);
    assert_eq!(said.lines().count(), 2);
    let attempt = board["rows"][0]["attempt"].as_str().unwrap();
    for (scorer, status) in [("raw", 200), ("ffasr@1/basic@1", 404), ("bleu", 400)] {
        assert_eq!(
            site.get(&format!("/api/v1/results/{attempt}/items.parquet?scorer={scorer}")).await.0,
            status,
            "{scorer}"
        );
    }
}
