//! A service and workers as an operator sets them up: the built binary, on recorded speech.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
};

use reqwest::multipart::Form;
use serde_json::Value;
use tempfile::TempDir;

use crate::{Program, Wire, client, short_directory, until};

/// Settings slow enough to be caught in the act.
pub const SLOW_DECODING: &str = "remove_noise = true\nmaxhmmpf = 6000\nmaxwpf = 20";

/// A service with its data, as an operator sets it up on the command line.
pub struct Operator {
    data: TempDir,
    port: u16,
    /// Given to `serve` as well.
    options: Vec<String>,
    /// Of every process: where database and object storage are, if they are not the program's own.
    environment: Vec<(String, String)>,
    /// Of the submitter `sam`.
    pub password: String,
    /// A personal token of `sam`.
    pub token: String,
}

impl Operator {
    /// Everything an operator does before the first submission.
    pub fn set_up() -> (Self, Program) {
        Self::set_up_with(&[])
    }

    /// The same, with more options for `serve`.
    pub fn set_up_with(options: &[&str]) -> (Self, Program) {
        Self::set_up_over(options, &[])
    }

    /// The same, with a database and an object storage of somebody else.
    pub fn set_up_over(options: &[&str], environment: &[(&str, &str)]) -> (Self, Program) {
        Self::set_up_on(&Speech::default(), options, environment)
    }

    /// The same, over a release of the test's own.
    pub fn set_up_on(speech: &Speech<'_>, options: &[&str], environment: &[(&str, &str)]) -> (Self, Program) {
        let data = short_directory();
        // A port that was free a moment ago, to be used again after the kill.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let release = speech.release(data.path());
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (password, token) = (String::new(), String::new());
        let mut operator = Self { data, port, options, environment, password, token };
        let service = operator.serve();
        let said = operator.run(&["admin", "user", "add", "sam"]);
        said.rsplit(' ').next().unwrap().clone_into(&mut operator.password);
        operator.token = operator.run(&["admin", "user", "token", "sam"]);
        operator.run(&["admin", "release", "freeze", release.to_str().unwrap()]);
        (operator, service)
    }

    fn environment(&self) -> Vec<(&str, &str)> {
        self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// Runs `ffasr` over the same data; it must succeed: its standard output.
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = Program::output_in(self.path(), arguments, &self.environment());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ffasr {}: {errors}", arguments.join(" "));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The data directory.
    pub fn path(&self) -> &Path {
        self.data.path()
    }

    /// The address of a page or a call.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Starts the service at the same address every time.
    pub fn serve(&self) -> Program {
        let listen = format!("127.0.0.1:{}", self.port);
        let mut arguments =
            vec!["serve", "--listen", &listen, "--lease-seconds", "6", "--hardware-class", "cpu-2core"];
        arguments.extend(self.options.iter().map(String::as_str));
        let service = Program::start_in(self.path(), &arguments, &self.environment());
        service.said("listening on ");
        service
    }

    /// Starts a worker with a token of its own.
    pub fn worker(&self, name: &str) -> Program {
        self.worker_of(name, &self.url(""))
    }

    /// Starts a worker with a token of its own that reaches the service at another address.
    pub fn worker_of(&self, name: &str, service: &str) -> Program {
        self.start_worker(name, service, |arguments| Program::start(self.path(), arguments))
    }

    /// Starts a worker in a network of its own.
    pub fn worker_behind(&self, wire: &Wire, name: &str, service: &str) -> Program {
        self.start_worker(name, service, |arguments| {
            Program::start_by(&wire.prefix(), self.path(), arguments)
        })
    }

    fn start_worker(&self, name: &str, service: &str, start: impl FnOnce(&[&str]) -> Program) -> Program {
        let class = ["--hardware-class", "cpu-2core"];
        let token = self.run(&["admin", "worker", "add", name, class[0], class[1]]);
        let file = self.path().join(format!("{name}.token"));
        fs::write(&file, token).unwrap();
        let token_file = file.to_str().unwrap();
        let arguments =
            ["worker", "--name", name, "--service", service, "--token-file", token_file, class[0], class[1]];
        start(&arguments)
    }

    /// `GET` of the JSON API; `None` while the service does not answer.
    pub async fn json(&self, path: &str) -> Option<Value> {
        let answer = client().get(self.url(path)).send().await.ok()?;
        answer.error_for_status().ok()?.json().await.ok()
    }

    /// The fields of a model that takes its time.
    pub fn form(model: &str) -> Form {
        Form::new()
            .text("name", model.to_owned())
            .text("organisation", "CMU Sphinx")
            .text("licence", "BSD-2-Clause")
            .text("runtime", "pocketsphinx")
            .text("decoding", SLOW_DECODING)
    }

    /// Submits a model that takes its time; the submission's id.
    pub async fn submit(&self, model: &str) -> String {
        self.submit_form(Self::form(model)).await
    }

    /// Submits over the API; the submission's id.
    pub async fn submit_form(&self, form: Form) -> String {
        let request = client().post(self.url("/api/v1/submissions")).bearer_auth(&self.token);
        let answer = request.multipart(form).send().await.unwrap();
        let status = answer.status();
        let body: Value = answer.json().await.unwrap();
        assert_eq!(status, 201, "{body}");
        body["id"].as_str().unwrap().to_owned()
    }

    /// Waits until the model has transcribed something and not everything.
    pub async fn caught_transcribing(&self, submission: &str) {
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
    pub async fn result(&self, submission: &str) -> (Value, usize) {
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

/// What a test's release is made of.
pub struct Speech<'a> {
    /// Specification, as TOML.
    pub spec: &'a str,
    /// Utterances a track.
    pub items: usize,
    /// Language of Debian's recorded prompts, e.g. `es`.
    pub language: &'a str,
}

impl Default for Speech<'_> {
    fn default() -> Self {
        Self { spec: Self::TINY, items: 2, language: "en" }
    }
}

impl Speech<'_> {
    /// The four ranked tracks in two furnished rooms.
    pub const TINY: &'static str = include_str!("../tiny.toml");

    /// Imports the prompts into `corpus` and builds the release into `release`.
    fn release(&self, data: &Path) -> PathBuf {
        let [corpus, spec, release] = ["corpus", "release.toml", "release"].map(|name| data.join(name));
        let [corpus_text, spec_text, place] = [&corpus, &spec, &release].map(|path| path.to_str().unwrap());
        let layout = ["--layout", "debian-prompts", "--language", self.language];
        Program::run(data, &[&["corpus", "import"], &layout[..], &[corpus_text]].concat());
        fs::write(&spec, self.spec).unwrap();
        let items = self.items.to_string();
        let what = ["--corpus", corpus_text, "--spec", spec_text, "--items", &items, place];
        Program::run(data, &[&["release", "build"], &what[..]].concat());
        release
    }
}
