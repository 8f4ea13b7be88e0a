//! The whole path on real parts: recorded speech, the built binary as separate processes, PostgreSQL, the S3 server, the
//! sandbox, PocketSphinx, and a browser. Also what happens when one of them is killed on the way.
#![expect(clippy::unwrap_used, reason = "a test's failure is a panic with a place")]

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
};

use end_to_end::{Browser, Program, client, short_directory, until};
use fantoccini::Locator;
use reqwest::multipart::Form;
use serde_json::Value;
use tempfile::TempDir;

/// Settings slow enough to be caught in the act.
const DECODING: &str = "remove_noise = true\nmaxhmmpf = 6000\nmaxwpf = 20";

/// A service with its data, as an operator sets it up on the command line.
struct Operator {
    data: TempDir,
    port: u16,
    password: String,
    token: String,
}

impl Operator {
    fn path(&self) -> &Path {
        self.data.path()
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Starts the service at the same address every time.
    fn serve(&self) -> Program {
        let listen = format!("127.0.0.1:{}", self.port);
        let arguments =
            ["serve", "--listen", &listen, "--lease-seconds", "6", "--hardware-class", "cpu-2core"];
        let service = Program::start(self.path(), &arguments);
        service.said("listening on ");
        service
    }

    /// Starts a worker with a token of its own.
    fn worker(&self, name: &str) -> Program {
        let class = ["--hardware-class", "cpu-2core"];
        let token = Program::run(self.path(), &["admin", "worker", "add", name, class[0], class[1]]);
        let file = self.path().join(format!("{name}.token"));
        fs::write(&file, token).unwrap();
        let service = self.url("");
        let token_file = file.to_str().unwrap();
        let arguments =
            ["worker", "--name", name, "--service", &service, "--token-file", token_file, class[0], class[1]];
        Program::start(self.path(), &arguments)
    }

    async fn json(&self, path: &str) -> Option<Value> {
        let answer = client().get(self.url(path)).send().await.ok()?;
        answer.error_for_status().ok()?.json().await.ok()
    }

    async fn submit(&self, model: &str) -> String {
        let form = Form::new()
            .text("name", model.to_owned())
            .text("organisation", "CMU Sphinx")
            .text("licence", "BSD-2-Clause")
            .text("runtime", "pocketsphinx")
            .text("decoding", DECODING);
        let request = client().post(self.url("/api/v1/submissions")).bearer_auth(&self.token);
        let answer = request.multipart(form).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned()
    }

    /// Waits until the model has transcribed something and not everything.
    async fn caught_transcribing(&self, submission: &str) {
        let path = format!("/api/v1/submissions/{submission}");
        until("the model transcribes", || async {
            let submission = self.json(&path).await?;
            let attempt = submission["attempts"].as_array()?.last()?.clone();
            assert_ne!(submission["state"], "published", "it was too fast to be caught");
            (attempt["stage"] == "transcribing" && attempt["progress_done"].as_u64()? > 0).then_some(())
        })
        .await;
    }

    /// Waits for the result: the row of the board without its names and times, and the number of attempts.
    async fn result(&self, submission: &str) -> (Value, usize) {
        let path = format!("/api/v1/submissions/{submission}");
        let ended = until("the submission is published", || async {
            let submission = self.json(&path).await?;
            assert_ne!(submission["state"], "failed", "{submission}");
            (submission["state"] == "published").then_some(submission)
        })
        .await;
        let row = until("it is on the board", || async {
            let board = self.json("/api/v1/boards/tiny").await?;
            board["rows"].as_array()?.iter().find(|row| row["submission"] == submission).cloned()
        })
        .await;
        let errors = ["near", "far-high", "far-mid", "far-low"]
            .map(|track| {
                let counts = &row["tracks"][track];
                ["substitutions", "deletions", "insertions", "ref_words"].map(|count| counts[count].clone())
            })
            .concat();
        (Value::Array(errors), ended["attempts"].as_array().unwrap().len())
    }
}

/// A release of two utterances a track, from Debian's recorded prompts.
fn tiny_release(data: &Path) -> PathBuf {
    let corpus = data.join("corpus");
    let corpus = corpus.to_str().unwrap();
    Program::run(data, &["corpus", "import", "--layout", "debian-prompts", corpus]);
    let demo =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/benchmark/releases/demo.toml"));
    let mut spec: toml::Table = demo.unwrap().parse().unwrap();
    spec.insert("slug".to_owned(), "tiny".into());
    let speed = spec["speed"].as_table_mut().unwrap();
    speed.insert("warm_up".to_owned(), 1.into());
    speed.insert("passes".to_owned(), 2.into());
    let file = data.join("tiny.toml");
    fs::write(&file, toml::to_string(&spec).unwrap()).unwrap();
    let release = data.join("release");
    let (spec, place) = (file.to_str().unwrap(), release.to_str().unwrap());
    Program::run(data, &["release", "build", "--corpus", corpus, "--spec", spec, "--items", "2", place]);
    release
}

/// Everything an operator does before the first submission.
fn set_up() -> (Operator, Program) {
    let data = short_directory();
    // A port that was free a moment ago, to be used again after the kill.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let release = tiny_release(data.path());
    let mut operator = Operator { data, port, password: String::new(), token: String::new() };
    let service = operator.serve();
    let said = Program::run(operator.path(), &["admin", "user", "add", "sam"]);
    said.rsplit(' ').next().unwrap().clone_into(&mut operator.password);
    operator.token = Program::run(operator.path(), &["admin", "user", "token", "sam"]);
    Program::run(operator.path(), &["admin", "release", "freeze", release.to_str().unwrap()]);
    (operator, service)
}

/// Signs in and submits a model with the form, as a person would; the submission's id.
async fn submit_in_the_browser(operator: &Operator, browser: &Browser) -> String {
    let page = &browser.page;
    page.goto(&operator.url("/login?next=/submit")).await.unwrap();
    let login = page.form(Locator::Css("form.login")).await.unwrap();
    login.set_by_name("name", "sam").await.unwrap();
    login.set_by_name("password", &operator.password).await.unwrap();
    page.find(Locator::Css("form.login button")).await.unwrap().click().await.unwrap();
    let form = page.wait().for_element(Locator::Css("form[action='/submit']")).await.unwrap();
    let fields = [
        ("name", "By form"),
        ("organisation", "CMU Sphinx"),
        ("licence", "BSD-2-Clause"),
        ("decoding", DECODING),
    ];
    for (name, text) in fields {
        form.find(Locator::Css(&format!("[name={name}]"))).await.unwrap().send_keys(text).await.unwrap();
    }
    form.find(Locator::Css("button.primary")).await.unwrap().click().await.unwrap();
    page.wait().for_element(Locator::Css("ol.timeline, .timeline")).await.unwrap();
    let address = page.current_url().await.unwrap();
    address.path().strip_prefix("/submissions/").unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_goes_from_the_form_to_the_board_and_survives_two_kills() {
    let (operator, service) = set_up();
    let browser = Browser::start().await;

    let first = submit_in_the_browser(&operator, &browser).await;
    let worker = operator.worker("node-1");
    let (undisturbed, attempts) = operator.result(&first).await;
    assert_eq!(attempts, 1);
    browser.page.goto(&operator.url("/")).await.unwrap();
    let link = browser.page.find(Locator::LinkText("By form")).await.unwrap();
    link.click().await.unwrap();
    let heading = browser.page.wait().for_element(Locator::Css("h1")).await.unwrap();
    assert_eq!(heading.text().await.unwrap(), "By form");

    // Kill -9 of the worker: the lease expires, another attempt gives the same result.
    let second = operator.submit("Worker killed").await;
    operator.caught_transcribing(&second).await;
    worker.kill();
    let worker = operator.worker("node-2");
    let (after_worker_kill, attempts) = operator.result(&second).await;
    assert!(attempts >= 2, "the killed attempt is on record");
    assert_eq!(after_worker_kill, undisturbed);

    // Kill -9 of the service, database and object storage included: after the restart everything goes on.
    let third = operator.submit("Service killed").await;
    operator.caught_transcribing(&third).await;
    service.kill();
    let _service = operator.serve();
    let (after_service_kill, _) = operator.result(&third).await;
    assert_eq!(after_service_kill, undisturbed);

    let board = operator.json("/api/v1/boards/tiny").await.unwrap();
    assert_eq!(board["rows"].as_array().unwrap().len(), 3, "nothing is lost and nothing doubled");
    let listed = Program::run(operator.path(), &["admin", "submission", "list"]);
    assert_eq!(listed.lines().count(), 3, "{listed}");
    drop(worker);
    browser.page.clone().close().await.unwrap();
}
