//! `ffasr submit`: hands a model in to a service, waits, and prints what came of it.

mod result;
mod upload;

use std::{
    io::{IsTerminal, stderr},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use reqwest::{
    Client, StatusCode,
    multipart::{Form, Part},
};
use serde_json::Value;

use crate::error::Failure;

/// How often the service is asked while waiting.
const ASK: Duration = Duration::from_secs(2);
/// The board is looked at this often for the row of a result that has just been published.
const REBUILDS: u32 = 10;
/// A service that does not answer for this many times in a row is given up.
const SILENCE: u32 = 60;

/// Submit a model to a service.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Description of the model; files it names are looked for beside it.
    #[arg(default_value = "ffasr.toml")]
    manifest: PathBuf,
    /// Files of the model: weights, dictionaries, or one archive with all of them. Large ones are sent ahead in parts;
    /// given again after an interruption, they go on where they were.
    #[arg(long = "file")]
    files: Vec<PathBuf>,
    /// Python file that defines `evaluate(file: Path) -> str`.
    #[arg(long)]
    evaluator: Option<PathBuf>,
    /// Id of a model on the service's hub whose files belong to it, e.g. openai/whisper-tiny; goes before the manifest's.
    #[arg(long)]
    hub_model: Option<String>,
    /// Its branch, tag or commit; `main` if left out.
    #[arg(long, requires = "hub_model")]
    hub_revision: Option<String>,
    /// Which of its files, as names or patterns; all that are needed if left out.
    #[arg(long, requires = "hub_model")]
    hub_file: Vec<String>,
    /// File with a token of the hub, for a private model.
    #[arg(long)]
    hub_token_file: Option<PathBuf>,
    /// Release to run on; the service's current one if left out.
    #[arg(long)]
    release: Option<String>,
    /// Id of the submission that this one replaces when it is published.
    #[arg(long)]
    revises: Option<String>,
    /// Only check it: print what would run, as JSON, and take nothing from the quota.
    #[arg(long)]
    check: bool,
    /// Address of the service.
    #[arg(long, env = "FFASR_SERVICE")]
    service: String,
    /// File with a personal token; the operator issues it with `ffasr admin user token`.
    #[arg(long, env = "FFASR_API_TOKEN_FILE")]
    token_file: PathBuf,
    /// Print the submission and stop instead of waiting for the result.
    #[arg(long)]
    no_wait: bool,
    /// Print JSON instead of lines.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let token = tokio::fs::read_to_string(&arguments.token_file)
        .await
        .map_err(|error| unreadable(&arguments.token_file, &error))?;
    let api = Api {
        client: Client::new(),
        url: arguments.service.trim_end_matches('/').to_owned(),
        token: token.trim().to_owned(),
    };
    let form = form(&api, &arguments).await?;
    if arguments.check {
        let preview = api.submit(form.text("check", "yes")).await?;
        findings(&preview);
        println!("{preview:#}");
        return Ok(());
    }
    let submission = api.submit(form).await?;
    let id = submission["id"].as_str().unwrap_or_default().to_owned();
    eprintln!("submitted: {}/submissions/{id}", api.url);
    findings(&submission);
    let last = if arguments.no_wait { submission } else { api.wait(&id).await? };
    let row = match last["state"].as_str() {
        Some("published") if !arguments.no_wait => api.row(&last).await?,
        _ => None,
    };
    if arguments.json {
        let mut last = last.clone();
        last["result"] = row.unwrap_or_default();
        println!("{last:#}");
    } else {
        println!("{}", outcome(&last, row.as_ref(), &api.url));
    }
    match last["state"].as_str() {
        Some("failed" | "rejected" | "cancelled") => {
            Err(Failure::failed(last["reason"].as_str().unwrap_or("it did not come to a result")))
        }
        _ => Ok(()),
    }
}

/// What the checks have to say.
fn findings(answer: &Value) {
    for finding in answer["findings"].as_array().into_iter().flatten() {
        let words = |key: &str| finding[key].as_str().unwrap_or_default();
        eprintln!("  {}: {} {} {}", words("severity"), words("place"), words("sentence"), words("advice"));
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::input(format!("{} cannot be read: {error}", path.display()))
}

async fn form(api: &Api, arguments: &Arguments) -> Result<Form, Failure> {
    let mut manifest = tokio::fs::read_to_string(&arguments.manifest)
        .await
        .map_err(|error| unreadable(&arguments.manifest, &error))?;
    if let Some(model) = &arguments.hub_model {
        manifest = with_hub(&manifest, model, arguments)?;
    }
    let mut form = Form::new();
    for (name, value) in [("release", &arguments.release), ("revises", &arguments.revises)] {
        if let Some(value) = value {
            form = form.text(name, value.clone());
        }
    }
    for path in &arguments.files {
        let bytes = tokio::fs::metadata(path).await.map_err(|error| unreadable(path, &error))?.len();
        form = if bytes > upload::LARGE_BYTES {
            form.text("uploaded", upload::send(api, path, &name(path), bytes).await?)
        } else {
            form.part("files", file(path).await?)
        };
    }
    if let Some(path) = &arguments.evaluator {
        form = form.part("evaluator", file(path).await?);
    }
    if let Some(path) = &arguments.hub_token_file {
        let token = tokio::fs::read_to_string(path).await.map_err(|error| unreadable(path, &error))?;
        form = form.text("hub_token", token.trim().to_owned());
    }
    Ok(form.text("manifest", manifest))
}

/// The manifest with another model on the hub.
fn with_hub(manifest: &str, model: &str, arguments: &Arguments) -> Result<String, Failure> {
    let path = arguments.manifest.display();
    let mut manifest: toml::Table =
        toml::from_str(manifest).map_err(|error| Failure::input(format!("{path}: {error}")))?;
    let mut hub = toml::Table::new();
    hub.insert("model".to_owned(), model.into());
    if let Some(revision) = &arguments.hub_revision {
        hub.insert("revision".to_owned(), revision.clone().into());
    }
    if !arguments.hub_file.is_empty() {
        hub.insert("files".to_owned(), arguments.hub_file.clone().into());
    }
    manifest.insert("hub".to_owned(), hub.into());
    Ok(manifest.to_string())
}

async fn file(path: &Path) -> Result<Part, Failure> {
    let content = tokio::fs::read(path).await.map_err(|error| unreadable(path, &error))?;
    Ok(Part::bytes(content).file_name(name(path)))
}

fn name(path: &Path) -> String {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned()
}

struct Api {
    client: Client,
    url: String,
    token: String,
}

impl Api {
    async fn submit(&self, form: Form) -> Result<Value, Failure> {
        let request = self.client.post(format!("{}/api/v1/submissions", self.url)).bearer_auth(&self.token);
        let answer = request.multipart(form).send().await.map_err(Failure::failed)?;
        let status = answer.status();
        let body: Value = answer.json().await.map_err(Failure::failed)?;
        // A preview is no new thing.
        if matches!(status, StatusCode::CREATED | StatusCode::OK) {
            return Ok(body);
        }
        let detail = body["detail"].as_str().unwrap_or("the service gave no reason").to_owned();
        match status {
            StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_REQUEST | StatusCode::CONFLICT => {
                Err(Failure::input(detail))
            }
            _ => Err(Failure::failed(detail)),
        }
    }

    /// Follows a submission to its end.
    async fn wait(&self, id: &str) -> Result<Value, Failure> {
        let live = stderr().is_terminal();
        let (mut shown, mut silent) = (String::new(), 0);
        loop {
            let answer = self.client.get(format!("{}/api/v1/submissions/{id}", self.url)).send().await;
            match answer.and_then(reqwest::Response::error_for_status) {
                Ok(answer) => {
                    silent = 0;
                    let submission: Value = answer.json().await.map_err(Failure::failed)?;
                    let line = status_line(&submission);
                    if line != shown {
                        // On a terminal one line that changes, in a log one line a change of state.
                        if live {
                            eprint!("\r\x1b[K  {line}");
                        } else {
                            eprintln!("  {line}");
                        }
                        shown = line;
                    }
                    if is_over(&submission) {
                        if live {
                            eprintln!();
                        }
                        return Ok(submission);
                    }
                }
                Err(error) if silent == SILENCE => {
                    return Err(Failure::failed(format!(
                        "the service does not answer: {error}; the submission goes on without us"
                    )));
                }
                Err(_) => silent += 1,
            }
            tokio::time::sleep(ASK).await;
        }
    }

    /// The row of a published submission, once the board has been rebuilt with it.
    async fn row(&self, submission: &Value) -> Result<Option<Value>, Failure> {
        let words = |key: &str| submission[key].as_str().unwrap_or_default();
        let board = format!("{}/api/v1/boards/{}", self.url, words("release"));
        let class = [("hardware", words("hardware_class"))];
        let address = reqwest::Url::parse_with_params(&board, class).map_err(Failure::failed)?;
        for _ in 0..REBUILDS {
            let answer = self.client.get(address.clone()).send().await.map_err(Failure::failed)?;
            if answer.status().is_success() {
                let board: Value = answer.json().await.map_err(Failure::failed)?;
                let rows = board["rows"].as_array().into_iter().flatten();
                if let Some(row) = rows.into_iter().find(|row| row["submission"] == submission["id"]) {
                    return Ok(Some(row.clone()));
                }
            }
            tokio::time::sleep(ASK).await;
        }
        Ok(None)
    }
}

fn is_over(submission: &Value) -> bool {
    !matches!(
        submission["state"].as_str(),
        Some("draft" | "uploading" | "checking" | "in_review" | "queued" | "running" | "scoring")
    )
}

/// Where it is, in one line.
fn status_line(submission: &Value) -> String {
    let state = submission["state"].as_str().unwrap_or_default().replace('_', " ");
    let running = submission["attempts"].as_array().and_then(|attempts| attempts.last());
    let detail = match submission["state"].as_str() {
        Some("queued") => submission["queue_position"]
            .as_u64()
            .map_or(String::new(), |ahead| format!(", place {}", ahead + 1)),
        Some("running") => running.map_or(String::new(), |attempt| {
            let stage = attempt["stage"].as_str().unwrap_or_default().replace('_', " ");
            format!(", {stage} {} of {}", attempt["progress_done"], attempt["progress_total"])
        }),
        _ => String::new(),
    };
    let expected = submission["expected_seconds"]
        .as_u64()
        .map_or(String::new(), |seconds| format!(", done in about {} min", seconds.div_ceil(60)));
    format!("{state}{detail}{expected}")
}

/// What came of it, for the person at the terminal.
fn outcome(submission: &Value, row: Option<&Value>, url: &str) -> String {
    match submission["state"].as_str() {
        Some("published") => result::published(submission, row, url),
        _ => result::without(submission),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_says_the_place_in_the_queue_and_how_far_a_run_is() {
        let queued = json!({"state": "queued", "queue_position": 2, "expected_seconds": 121});
        assert_eq!(status_line(&queued), "queued, place 3, done in about 3 min");
        let attempt = json!({"stage": "warming_up", "progress_done": 1, "progress_total": 8});
        let running = json!({"state": "running", "attempts": [attempt]});
        assert_eq!(status_line(&running), "running, warming up 1 of 8");
        assert_eq!(status_line(&json!({"state": "in_review"})), "in review");
    }

    #[test]
    fn only_what_still_moves_is_waited_for() {
        for (state, over) in
            [("in_review", false), ("scoring", false), ("published", true), ("quarantined", true)]
        {
            assert_eq!(is_over(&json!({ "state": state })), over, "{state}");
        }
    }
}
