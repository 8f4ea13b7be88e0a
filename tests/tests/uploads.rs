//! Large files ahead of a submission: straight to object storage, over lines that break, checked when they are there.
#![expect(clippy::unwrap_used, reason = "a test's failure is a panic with a place")]

use std::{fs, path::Path, time::Duration};

use end_to_end::{Base, Browser, Line, Operator, Program, Site, client, until};
use fantoccini::Locator;
use reqwest::{Method, multipart::Form};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use store::{
    accounts::Role,
    objects::{self, ObjectStore},
    submissions, uploads,
};
use web::Policy;

const PART: usize = 8 << 20;

fn content(parts: usize) -> Vec<u8> {
    (0..(parts * PART / 4) as u32).flat_map(u32::to_le_bytes).collect()
}

async fn site() -> Site {
    let base = Base::start().await;
    base.user("sam", Role::Submitter).await;
    base.user("kim", Role::Submitter).await;
    base.release().await;
    Site::over(base).await
}

/// The calls of the API with one token.
struct Sender<'a> {
    site: &'a Site,
    token: String,
}

impl Sender<'_> {
    async fn call(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = client().request(method, format!("{}/api/v1/uploads{path}", self.site.url));
        let answer = request.bearer_auth(&self.token).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    async fn begin(&self, name: &str, bytes: usize) -> Value {
        let (status, body) = self.call(Method::POST, "", json!({ "name": name, "bytes": bytes })).await;
        assert_eq!(status, 201, "{body}");
        body
    }

    async fn put(&self, id: &str, number: usize, content: &[u8]) {
        let (status, body) =
            self.call(Method::POST, &format!("/{id}/parts"), json!({ "numbers": [number] })).await;
        assert_eq!(status, 200, "{body}");
        let part = content.chunks(PART).nth(number - 1).unwrap().to_vec();
        let stored = client().put(body["parts"][0]["url"].as_str().unwrap()).body(part).send().await.unwrap();
        assert_eq!(stored.status(), 200);
    }

    async fn complete(&self, id: &str, content: &[u8]) -> (u16, Value) {
        let sha256: Vec<String> =
            content.chunks(PART).map(|part| hex::encode(Sha256::digest(part))).collect();
        self.call(Method::POST, &format!("/{id}/complete"), json!({ "sha256": sha256 })).await
    }

    /// Sends all of it and waits until it is checked.
    async fn send(&self, name: &str, content: &[u8]) -> Value {
        let begun = self.begin(name, content.len()).await;
        let id = begun["id"].as_str().unwrap();
        for number in 1..=content.len().div_ceil(PART) {
            self.put(id, number, content).await;
        }
        assert_eq!(self.complete(id, content).await.0, 202);
        self.checked(id).await
    }

    async fn checked(&self, id: &str) -> Value {
        until("it is checked", || async {
            let (_, state) = self.call(Method::GET, &format!("/{id}"), Value::Null).await;
            (state["state"] != "checking").then_some(state)
        })
        .await
    }
}

async fn sender<'a>(site: &'a Site, user: &str) -> Sender<'a> {
    Sender { site, token: site.api_token(user).await }
}

fn form(name: &str) -> Form {
    Form::new()
        .text("name", name.to_owned())
        .text("organisation", "somebody")
        .text("licence", "MIT")
        .text("runtime", "pocketsphinx")
}

async fn submitted_with(site: &Site, form: Form) -> Vec<(String, i64)> {
    let answer = site.submit(&site.api_token("sam").await, form).await;
    let status = answer.status();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(status, 201, "{body}");
    let files = submissions::files(&site.pool, body["id"].as_str().unwrap().parse().unwrap()).await.unwrap();
    files.into_iter().map(|file| (file.name, file.bytes)).collect()
}

#[tokio::test]
async fn a_file_goes_on_where_it_stopped_and_becomes_a_file_of_the_submission() {
    let site = site().await;
    let (sam, kim) = (sender(&site, "sam").await, sender(&site, "kim").await);
    let content = &content(3)[..2 * PART + 1000];
    let begun = sam.begin("large.dat", content.len()).await;
    assert_eq!((begun["parts"].as_u64(), begun["part_bytes"].as_u64()), (Some(3), Some(PART as u64)));
    let id = begun["id"].as_str().unwrap();
    sam.put(id, 2, content).await;
    let again = sam.begin("large.dat", content.len()).await;
    assert_eq!((again["id"].as_str(), &again["stored"]), (Some(id), &json!([2])));
    let (status, problem) = sam.complete(id, content).await;
    assert_eq!(status, 409, "{problem}");
    assert_eq!(kim.call(Method::GET, &format!("/{id}"), Value::Null).await.0, 404, "an upload is its user's");
    sam.put(id, 1, content).await;
    sam.put(id, 3, content).await;
    assert_eq!(sam.complete(id, content).await.0, 202);
    assert_eq!(sam.complete(id, content).await.0, 202, "saying it twice is harmless");
    assert_eq!(sam.checked(id).await["state"], "ready");
    let files = submitted_with(&site, form("m").text("uploaded", id.to_owned())).await;
    assert_eq!(files, [("large.dat".to_owned(), i64::try_from(content.len()).unwrap())]);
    let key = objects::model_key(&hex::encode(Sha256::digest(content)));
    assert_eq!(site.objects.get(&key, 1 << 30).await.unwrap(), content);
}

#[tokio::test]
async fn content_that_arrives_otherwise_than_it_was_sent_is_refused() {
    let site = site().await;
    let sam = sender(&site, "sam").await;
    let content = content(2);
    let begun = sam.begin("large.dat", content.len()).await;
    let id = begun["id"].as_str().unwrap();
    let mut damaged = content.clone();
    damaged[PART + 5] ^= 1;
    sam.put(id, 1, &damaged).await;
    sam.put(id, 2, &damaged).await;
    assert_eq!(sam.complete(id, &content).await.0, 202);
    let state = sam.checked(id).await;
    assert_eq!(state["state"], "refused");
    assert!(state["problem"].as_str().unwrap().starts_with("Part 2 of large.dat"), "{state}");
    let answer = site.submit(&sam.token, form("m").text("uploaded", id.to_owned())).await;
    assert_eq!(answer.status(), 422);
    let (status, _) =
        sam.call(Method::POST, "", json!({ "name": "../large.dat", "bytes": content.len() })).await;
    assert_eq!(status, 422);
    let (status, _) = sam.call(Method::POST, "", json!({ "name": "huge.dat", "bytes": 1_u64 << 50 })).await;
    assert_eq!(status, 413);
}

fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

#[tokio::test]
async fn a_large_archive_is_unpacked_with_its_folders_and_its_description() {
    let site = site().await;
    let sam = sender(&site, "sam").await;
    let manifest = b"name = \"packed\"\norganisation = \"o\"\nlicence = \"MIT\"\nruntime = \"pocketsphinx\"\n[decoding]\nlm = \"lm/task.lm\"\n";
    let large = content(1);
    let archive = tar(&[
        ("model/ffasr.toml", manifest),
        ("model/lm/task.lm", b"\\data\\"),
        ("model/large.dat", &large),
    ]);
    let state = sam.send("model.tar", &archive).await;
    assert_eq!(state["state"], "ready", "{state}");
    let form = Form::new().text("uploaded", state["id"].as_str().unwrap().to_owned());
    let files = submitted_with(&site, form).await;
    assert_eq!(files, [("large.dat".to_owned(), i64::try_from(PART).unwrap()), ("lm/task.lm".to_owned(), 6)]);
    let escaping = tar(&[("ffasr.toml", manifest), ("a/b.dat", &large)]);
    let mut escaping = escaping;
    let at = escaping.windows(7).position(|window| window == b"a/b.dat").unwrap();
    escaping[at..at + 7].copy_from_slice(b"../b.da");
    // The checksum of the header no longer fits, or the path leaves the archive: refused either way.
    let state = sam.send("evil.tar", &escaping).await;
    assert_eq!(state["state"], "refused", "{state}");
}

#[tokio::test]
async fn what_nobody_comes_back_for_is_collected_and_what_a_submission_has_is_not() {
    let site = site().await;
    let sam = sender(&site, "sam").await;
    let (used, unused) = (content(1), content(1).into_iter().rev().collect::<Vec<u8>>());
    let open = sam.begin("open.dat", 2 * PART).await;
    sam.put(open["id"].as_str().unwrap(), 1, &content(2)).await;
    let kept = sam.send("used.dat", &used).await;
    sam.send("unused.dat", &unused).await;
    submitted_with(&site, form("m").text("uploaded", kept["id"].as_str().unwrap().to_owned())).await;
    assert_eq!(uploads::collect(&site.pool, &site.objects, Duration::from_hours(1)).await.unwrap(), 0);
    assert_eq!(uploads::collect(&site.pool, &site.objects, Duration::ZERO).await.unwrap(), 3);
    let is_there = async |content: &[u8]| {
        site.objects.contains(&objects::model_key(&hex::encode(Sha256::digest(content)))).await
    };
    assert!(is_there(&used).await && !is_there(&unused).await);
    assert_eq!(
        sam.call(Method::GET, &format!("/{}", open["id"].as_str().unwrap()), Value::Null).await.0,
        404
    );
    assert_eq!(left_of_parts(site.directory()), 0);
}

/// Files of unfinished multipart uploads that the object server keeps.
fn left_of_parts(directory: &Path) -> usize {
    let entries = fs::read_dir(directory.join("objects")).unwrap().map(|entry| entry.unwrap().file_name());
    entries.filter(|name| name.to_string_lossy().contains(".upload_")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_sends_large_files_ahead_and_goes_on_after_an_interruption() {
    let (operator, _service) = Operator::set_up();
    let content = content(2);
    let file = operator.path().join("large.dat");
    let (token, manifest) = (operator.path().join("sam.token"), operator.path().join("ffasr.toml"));
    fs::write(&file, &content).unwrap();
    fs::write(&token, &operator.token).unwrap();
    fs::write(
        &manifest,
        "name = \"by hand\"\norganisation = \"o\"\nlicence = \"MIT\"\nruntime = \"pocketsphinx\"\n",
    )
    .unwrap();
    // What an interrupted run leaves behind: the first part.
    let call = async |path: &str, body: Value| -> Value {
        let request =
            client().post(operator.url(&format!("/api/v1/uploads{path}"))).bearer_auth(&operator.token);
        request.json(&body).send().await.unwrap().json().await.unwrap()
    };
    let begun = call("", json!({ "name": "large.dat", "bytes": content.len() })).await;
    let parts = call(&format!("/{}/parts", begun["id"].as_str().unwrap()), json!({ "numbers": [1] })).await;
    let url = parts["parts"][0]["url"].as_str().unwrap();
    client().put(url).body(content[..PART].to_vec()).send().await.unwrap();
    let service = operator.url("");
    let output = Program::output(
        operator.path(),
        &[
            "submit",
            manifest.to_str().unwrap(),
            "--file",
            file.to_str().unwrap(),
            "--service",
            &service,
            "--token-file",
            token.to_str().unwrap(),
            "--no-wait",
            "--json",
        ],
    );
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 of 2 parts are there already"), "{said}");
    let submission: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(submission["state"], "queued");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_sends_a_large_file_over_a_line_that_breaks() {
    let mut base = Base::start().await;
    base.user("sam", Role::Submitter).await;
    base.release().await;
    let line = Line::to(base.object_config.endpoint.strip_prefix("http://").unwrap()).await;
    let over_the_line = objects::ObjectConfig { endpoint: line.url.clone(), ..base.object_config.clone() };
    base.objects = ObjectStore::open(&over_the_line).await.unwrap();
    let site = Site::under(base, Policy::default()).await;
    let content = content(5);
    let file = site.directory().join("large.dat");
    fs::write(&file, &content).unwrap();

    let browser = Browser::start().await;
    let page = &browser.page;
    page.goto(&format!("{}/login?next=/submit", site.url)).await.unwrap();
    for (field, text) in [("#name", "sam"), ("#password", "correct horse\u{e007}")] {
        page.find(Locator::Css(field)).await.unwrap().send_keys(text).await.unwrap();
    }
    let input = page.wait().for_element(Locator::Css("#files")).await.unwrap();
    for (field, text) in [("#name", "From afar"), ("#organisation", "o"), ("#licence", "MIT")] {
        page.find(Locator::Css(field)).await.unwrap().send_keys(text).await.unwrap();
    }
    input.send_keys(file.to_str().unwrap()).await.unwrap();
    page.find(Locator::Css("#submit button.primary")).await.unwrap().click().await.unwrap();
    until("some of it is on its way", || async { (line.carried() > 3 * PART as u64 + 1000).then_some(()) })
        .await;
    line.cut();
    let shown = async || page.find(Locator::Css("#uploads")).await.ok()?.text().await.ok();
    until("the page says so", || async { shown().await?.contains("trying again").then_some(()) }).await;
    line.mend();
    page.wait().at_most(Duration::from_mins(2)).for_element(Locator::Css(".timeline")).await.unwrap();
    let id = page.current_url().await.unwrap().path().strip_prefix("/submissions/").unwrap().parse().unwrap();
    let files = submissions::files(&site.pool, id).await.unwrap();
    assert_eq!(files[0].sha256, hex::encode(Sha256::digest(&content)));
    // The file, the part that broke, and the file once more on its way from the checks to its place.
    assert!(line.carried() < (2 * content.len() + 3 * PART / 2) as u64, "it did not begin anew");
    browser.page.clone().close().await.unwrap();
}
