//! `ffasr demo`: all of it on this machine, over the same paths as in production.
//!
//! The models are submitted over the API, a worker process claims them over HTTP with its own token, and the board is
//! read back over the API. What is there from an earlier run is used again.

mod dev_set;
mod language_model;
mod languages;

use std::{
    ffi::OsString,
    fs,
    io::Write as _,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use benchmark::{
    corpus::{Corpus, Import, import},
    release::{ReleaseManifest, ReleaseSpec, build, text_not_in_release},
};
use clap::Args;
use protocol::UserId;
use reqwest::{
    Client, StatusCode,
    multipart::{Form, Part},
};
use serde_json::Value;
use store::{
    Secret, accounts, releases,
    submissions::{self, Filter},
};
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    sync::oneshot,
    task::JoinHandle,
};
use web::Service;

use crate::{
    backend::{Backend, BackendArguments, Ownership},
    directories,
    error::Failure,
    progress::{percent, step},
    publish,
    serve::{self, ServiceArguments},
};

/// Version of the demo release when this many utterances are asked for.
const DEFAULT_ITEMS: usize = 24;
const FEWEST_ITEMS: usize = 12;
const ADMIN: &str = "admin";
const WORKER: &str = "demo-worker";
/// Name of the file with the language model of the prompts, as the models' descriptions give it.
const LANGUAGE_MODEL: &str = "prompts.arpa";
/// Three settings of one recogniser, so that accuracy and speed trade off.
const MODELS: [&str; 3] = [
    include_str!("../../../../deploy/demo/models/pocketsphinx-accurate.toml"),
    include_str!("../../../../deploy/demo/models/pocketsphinx-default.toml"),
    include_str!("../../../../deploy/demo/models/pocketsphinx-fast.toml"),
];

/// Run everything on this machine.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Stop when the board is complete.
    #[arg(long)]
    exit: bool,
    /// Print the board as JSON to standard output.
    #[arg(long)]
    json: bool,
    /// Utterances of each track.
    #[arg(long, default_value_t = DEFAULT_ITEMS)]
    items: usize,
    /// Address to listen on; if it is taken, any free port.
    #[arg(long, env = "FFASR_LISTEN", default_value = "127.0.0.1:8640")]
    listen: SocketAddr,
    /// Where runtimes are installed (`deploy/runtimes/install`).
    #[arg(long, env = "FFASR_RUNTIMES", default_value_os_t = sandbox::runtime::default_root())]
    runtimes: PathBuf,
    #[command(flatten)]
    backend: BackendArguments,
    #[command(flatten)]
    service: ServiceArguments,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    if arguments.items < FEWEST_ITEMS {
        return Err(Failure::input(format!("--items must be at least {FEWEST_ITEMS}")));
    }
    let secrets = arguments.backend.data.join("demo");
    refuse_foreign_data(&arguments, &secrets)?;
    step("starting PostgreSQL and the object storage");
    let backend = Backend::start(&arguments.backend, Ownership::Owner).await?;
    let mut server = Server::default();
    // An interrupt ends the demo wherever it is; what is there by then is used again.
    let ended = tokio::select! {
        ended = run_to_the_end(&arguments, &backend, &mut server, &secrets) => ended,
        () = serve::stop_requested() => {
            eprintln!("stopped; the next `ffasr demo` goes on from here");
            Ok(())
        }
    };
    // Before the database, whose end it would otherwise report as a fault.
    server.stop().await;
    ended
}

/// The service, once it is up.
#[derive(Default)]
struct Server(Option<(oneshot::Sender<()>, JoinHandle<std::io::Result<()>>)>);

impl Server {
    fn start(&mut self, service: Service, listener: TcpListener) {
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            let _ = stopped.await;
        };
        self.0 = Some((stop, tokio::spawn(web::serve(service, listener, shutdown))));
    }

    /// Waits until it ends by itself, which is always a fault.
    async fn ended(&mut self) -> Result<(), Failure> {
        match &mut self.0 {
            Some((_, running)) => running.await.map_err(Failure::failed)?.map_err(Failure::failed),
            None => Ok(()),
        }
    }

    async fn stop(self) {
        if let Some((stop, running)) = self.0 {
            drop(stop);
            // Requests in progress get a moment; nothing that was accepted depends on it.
            let _ = tokio::time::timeout(Duration::from_secs(5), running).await;
        }
    }
}

/// The demo makes up an admin and its models; that is not for a service that people use.
fn refuse_foreign_data(arguments: &Arguments, secrets: &Path) -> Result<(), Failure> {
    if arguments.backend.is_external() {
        return Err(Failure::input(
            "the demo runs on servers of its own: unset DATABASE_URL and S3_ENDPOINT, or use `ffasr serve`",
        ));
    }
    let data = &arguments.backend.data;
    if data.join("postgres").exists() && !secrets.exists() {
        let place = data.display();
        return Err(Failure::input(format!(
            "{place} belongs to a service that is not the demo; choose another directory with --data"
        )));
    }
    directories::open_to_pass(data)?;
    directories::private(secrets)
}

async fn run_to_the_end(
    arguments: &Arguments,
    backend: &Backend,
    server: &mut Server,
    secrets: &Path,
) -> Result<(), Failure> {
    let started = Instant::now();
    let data = &arguments.backend.data;
    let (admin, password) = admin_account(backend, secrets).await?;
    let directory = rendered(data, arguments.items).await?;
    let release = frozen(backend, data, &directory).await?;

    let settings = arguments.service.settings(backend, true);
    let service = Service::new(backend.pool.clone(), backend.objects.clone(), settings).await?;
    let listener = listen(arguments.listen).await?;
    let address = listener.local_addr().map_err(Failure::failed)?;
    let url = format!("http://{}", reachable(address));
    server.start(service, listener);
    let worker = WorkerProcess::prepare(backend, arguments, &url, secrets).await?;
    let working = tokio::spawn(worker.keep_running());

    let api = Api {
        client: Client::new(),
        url: url.clone(),
        token: api_token(backend, admin, secrets).await?,
        language_model: language_model(data, &directory)?,
        hardware_class: arguments.service.hardware_class.clone(),
    };
    let left_open = open_submissions(backend, admin).await?;
    let board = tokio::select! {
        board = evaluate(&api, &release, left_open) => board?,
        ended = working => return Err(ended.map_err(Failure::failed)?),
    };
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&board).map_err(Failure::failed)?);
    }
    eprint!("{}", table(&board));
    eprintln!("the board is complete after {:.0} s", started.elapsed().as_secs_f64());
    if arguments.exit {
        return Ok(());
    }
    eprintln!(
        "\n  board     {url}/\n  log in    {url}/login  as {ADMIN} with the password {password}\n  stop      Ctrl-C\n"
    );
    server.ended().await
}

/// The address asked for, or any free port where that one is taken.
async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    match TcpListener::bind(address).await {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            eprintln!("  {address} is taken; using another port");
            serve::listen(SocketAddr::new(address.ip(), 0)).await
        }
        Err(_) => serve::listen(address).await,
        Ok(listener) => Ok(listener),
    }
}

/// Where this machine reaches a listener: one on all addresses is on the loopback too.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()))
    } else {
        address
    }
}

/// The demo's admin, with a password made up at the first run and kept in a file only this user can read.
async fn admin_account(backend: &Backend, secrets: &Path) -> Result<(UserId, String), Failure> {
    let file = secrets.join("admin-password");
    let kept = fs::read_to_string(&file).unwrap_or_default();
    let password = if kept.is_empty() {
        let password = Secret::generate("")?.expose().chars().take(16).collect::<String>();
        write_private(&file, &password)?;
        password
    } else {
        kept
    };
    let id = accounts::put_user(&backend.pool, ADMIN, accounts::Role::Admin, &password).await?;
    Ok((id, password))
}

/// Writes a file for this user alone, whole or not at all.
fn write_private(file: &Path, content: &str) -> Result<(), Failure> {
    let fresh = file.with_extension("new");
    let written = || -> std::io::Result<()> {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(&fresh)?.write_all(content.as_bytes())?;
        fs::rename(&fresh, file)
    };
    written().map_err(|error| Failure::failed(format!("{} cannot be written: {error}", file.display())))
}

/// The token of an earlier run where it still holds, else a new one.
async fn api_token(backend: &Backend, admin: UserId, secrets: &Path) -> Result<String, Failure> {
    let file = secrets.join("api-token");
    let kept = fs::read_to_string(&file).unwrap_or_default();
    if accounts::user_by_api_token(&backend.pool, &Secret::presented(&kept)).await?.is_some() {
        return Ok(kept);
    }
    let token = accounts::issue_api_token(&backend.pool, admin, "demo").await?.expose().to_owned();
    write_private(&file, &token)?;
    Ok(token)
}

/// The directory of the rendered release, rendered now if it is not there.
async fn rendered(data: &Path, items: usize) -> Result<PathBuf, Failure> {
    let built = data.join("releases");
    directories::private(&data.join("corpora"))?;
    directories::private(&built)?;
    let corpus = corpus_directory(data);
    let release = built.join(format!("demo-{items}"));
    let mut spec = ReleaseSpec::demo().map_err(Failure::failed)?;
    if items != DEFAULT_ITEMS {
        // Another number of items is another benchmark, and a frozen version never changes.
        spec.version = format!("{}-{items}-items", spec.version);
    }
    let directory = release.clone();
    let place = data.to_owned();
    let work = move || -> Result<(), Failure> {
        if Corpus::open(&corpus).is_err() {
            step("importing recorded speech (Debian package asterisk-core-sounds-en-g722)");
            import(&Import::debian_prompts(), &corpus, &percent("importing")).map_err(Failure::failed)?;
        }
        let present = ReleaseManifest::read(&release).ok();
        if present.is_none_or(|manifest| manifest.release.spec != spec) {
            remove_if_there(&release)?;
            step(&format!("rendering the demo release: {items} utterances, {} tracks", spec.tracks.len()));
            build(&spec, &corpus, &release, items, &percent("rendering")).map_err(Failure::failed)?;
        }
        languages::build_all(&place)
    };
    tokio::task::spawn_blocking(work).await.map_err(Failure::failed)??;
    Ok(directory)
}

fn remove_if_there(directory: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::failed(format!("{} cannot be removed: {error}", directory.display())))
        }
        _ => Ok(()),
    }
}

/// A language model of the prompts that are not in the release: no sentence of the test set is in it.
fn language_model(data: &Path, release: &Path) -> Result<String, Failure> {
    let corpus = Corpus::open(&corpus_directory(data)).map_err(Failure::failed)?;
    let manifest = ReleaseManifest::read(release).map_err(Failure::failed)?;
    Ok(language_model::trigram_arpa(&text_not_in_release(&corpus, &manifest)))
}

fn corpus_directory(data: &Path) -> PathBuf {
    data.join("corpora/asterisk-prompts-en")
}

/// Name of the release (`slug@version`), frozen now if it is not.
async fn frozen(backend: &Backend, data: &Path, directory: &Path) -> Result<String, Failure> {
    let manifest = ReleaseManifest::read(directory).map_err(Failure::failed)?;
    let sha256 = manifest.sha256().map_err(Failure::failed)?;
    let present = releases::frozen(&backend.pool).await?;
    if !present.iter().any(|release| release.manifest_sha256 == sha256) {
        let (data, release) = (data.to_owned(), directory.to_owned());
        let made = tokio::task::spawn_blocking(move || dev_set::made(&data, &release));
        let dev = made.await.map_err(Failure::failed)??;
        step("freezing the release");
        publish::publish(backend, directory, Some(&dev), &percent("storing")).await.map_err(|failure| {
            Failure::failed(format!("{failure}\nthe demo has changed since it was run here; remove its data directory to start over"))
        })?;
    }
    Ok(format!("{}@{}", manifest.release.spec.slug, manifest.release.spec.version))
}

/// A worker as its own process, with its own token and none of our environment.
struct WorkerProcess {
    arguments: Vec<OsString>,
    log: PathBuf,
}

/// A worker that ends this often is not started again.
const WORKER_STARTS: u32 = 5;

impl WorkerProcess {
    async fn prepare(
        backend: &Backend,
        arguments: &Arguments,
        url: &str,
        secrets: &Path,
    ) -> Result<Self, Failure> {
        let class = arguments.service.hardware_class.clone();
        let token = accounts::issue_worker_token(&backend.pool, WORKER, std::slice::from_ref(&class)).await?;
        let token_file = secrets.join("worker-token");
        write_private(&token_file, token.expose())?;
        let program = std::env::current_exe().map_err(Failure::failed)?;
        // setpriv: when this process dies, however it dies, the worker is told to stop.
        let fixed = ["--pdeathsig", "TERM", "--"].map(OsString::from);
        let paths = [program.into_os_string(), "worker".into()];
        let options = ["--service", url, "--name", WORKER, "--hardware-class", &class].map(OsString::from);
        let places = [
            "--token-file".into(),
            token_file.into_os_string(),
            "--data".into(),
            arguments.backend.data.clone().into_os_string(),
            // The default depends on the environment, of which the worker gets nothing.
            "--runtimes".into(),
            arguments.runtimes.clone().into_os_string(),
        ];
        let arguments = fixed.into_iter().chain(paths).chain(options).chain(places).collect();
        Ok(Self { arguments, log: secrets.join("worker.log") })
    }

    fn start(&self) -> Result<Child, Failure> {
        let failed =
            |error: std::io::Error| Failure::failed(format!("the worker cannot be started: {error}"));
        let log = fs::OpenOptions::new().create(true).append(true).open(&self.log).map_err(failed)?;
        let error_log = log.try_clone().map_err(failed)?;
        let mut command = Command::new("setpriv");
        command.args(&self.arguments);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C.UTF-8");
        // A group of its own: an interrupt at the terminal is for us, who then stop it.
        command.process_group(0).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(log).stderr(error_log).spawn().map_err(failed)
    }

    /// Starts it again when it ends, a few times; then says why it does not stay.
    async fn keep_running(self) -> Failure {
        let mut last = String::new();
        for start in 0..WORKER_STARTS {
            tokio::time::sleep(Duration::from_secs(u64::from(start))).await;
            let ended = match self.start() {
                Ok(mut worker) => worker.wait().await,
                Err(failure) => return failure,
            };
            last = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
            tracing::warn!("the worker ended: {last}");
        }
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let words = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        Failure::failed(format!(
            "the worker does not stay up ({last}): {words} (more in {})",
            self.log.display()
        ))
    }
}

/// What an earlier run submitted and did not see the end of.
async fn open_submissions(backend: &Backend, admin: UserId) -> Result<Vec<String>, Failure> {
    let submissions = submissions::list(&backend.pool, Filter::Of(admin)).await?;
    let open = submissions.iter().filter(|submission| !submission.state.is_final());
    Ok(open.map(|submission| submission.id.to_string()).collect())
}

/// Submits what is not there yet and waits until everything is at its end. The finished board.
async fn evaluate(api: &Api, release: &str, left_open: Vec<String>) -> Result<Value, Failure> {
    let mut waiting: Vec<(String, String)> = left_open.into_iter().map(|id| (id, String::new())).collect();
    for manifest in MODELS {
        if let Some(id) = api.submit(manifest, release).await? {
            waiting.push((id, String::new()));
        }
    }
    if !waiting.is_empty() {
        step(&format!("evaluating {} models", waiting.len()));
    }
    let mut failed = Vec::new();
    while !waiting.is_empty() {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut still = Vec::new();
        for (id, shown) in waiting {
            let submission = api.get(&format!("/api/v1/submissions/{id}")).await?;
            let line = status_line(&submission);
            if line != shown {
                eprintln!("  {line}");
            }
            match submission["state"].as_str() {
                Some("published") => {}
                Some("failed" | "cancelled" | "rejected") => failed.push(line),
                _ => still.push((id, line)),
            }
        }
        waiting = still;
    }
    if !failed.is_empty() {
        return Err(Failure::failed(format!("not every model could be evaluated: {}", failed.join("; "))));
    }
    api.complete_board(release).await
}

/// One line about a submission, which changes when something worth telling has happened.
fn status_line(submission: &Value) -> String {
    let model = submission["model"].as_str().unwrap_or_default();
    let state = submission["state"].as_str().unwrap_or_default();
    let attempt = submission["attempts"].as_array().and_then(|attempts| attempts.last());
    match (state, attempt) {
        ("running", Some(attempt)) => {
            let stage = attempt["stage"].as_str().unwrap_or_default().replace('_', " ");
            let share = |key: &str| attempt[key].as_u64().unwrap_or_default();
            let quarters =
                (4 * share("progress_done")).checked_div(share("progress_total")).unwrap_or_default();
            format!("{model}: {stage}, {} %", 25 * quarters)
        }
        ("failed", _) => format!("{model}: failed: {}", submission["reason"].as_str().unwrap_or_default()),
        _ => format!("{model}: {state}"),
    }
}

/// The service, as any program sees it.
struct Api {
    client: Client,
    url: String,
    token: String,
    language_model: String,
    hardware_class: String,
}

impl Api {
    /// Submits a manifest, with the language model if it names it; nothing if the model is there already.
    async fn submit(&self, manifest: &str, release: &str) -> Result<Option<String>, Failure> {
        let mut form = Form::new().text("manifest", manifest.to_owned()).text("release", release.to_owned());
        if manifest.contains(LANGUAGE_MODEL) {
            form = form.part("files", Part::text(self.language_model.clone()).file_name(LANGUAGE_MODEL));
        }
        let request = self.client.post(format!("{}/api/v1/submissions", self.url)).bearer_auth(&self.token);
        let answer = request.multipart(form).send().await.map_err(Failure::failed)?;
        let status = answer.status();
        let body: Value = answer.json().await.map_err(Failure::failed)?;
        match status {
            StatusCode::CREATED => Ok(body["id"].as_str().map(str::to_owned)),
            StatusCode::CONFLICT => Ok(None),
            _ => Err(Failure::failed(format!(
                "a model was refused: {}",
                body["detail"].as_str().unwrap_or_default()
            ))),
        }
    }

    /// Asks again for a moment when the service is not available.
    async fn get(&self, path: &str) -> Result<Value, Failure> {
        let ask = || self.client.get(format!("{}{path}", self.url)).send();
        let mut answer = ask().await.map_err(Failure::failed)?;
        for _ in 0..20 {
            if answer.status() != StatusCode::SERVICE_UNAVAILABLE {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
            answer = ask().await.map_err(Failure::failed)?;
        }
        answer.error_for_status().map_err(Failure::failed)?.json().await.map_err(Failure::failed)
    }

    /// The board once it shows every model: it is rebuilt a moment after the last one is published.
    async fn complete_board(&self, release: &str) -> Result<Value, Failure> {
        let path = format!("/api/v1/boards/{release}?hardware={}", self.hardware_class);
        let started = Instant::now();
        loop {
            let board = self.get(&path).await?;
            let rows = board["rows"].as_array().map_or(0, Vec::len);
            if rows >= MODELS.len() {
                return Ok(board);
            }
            if started.elapsed() > Duration::from_mins(2) {
                return Err(Failure::failed(format!(
                    "the board shows {rows} models instead of {}",
                    MODELS.len()
                )));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// The board for a terminal.
fn table(board: &Value) -> String {
    let head = format!(
        "\n{:>4}  {:<24} {:>8} {:>7} {:>9} {:>8} {:>8} {:>6}\n",
        "rank", "model", "avg WER", "near", "far-high", "far-mid", "far-low", "RTFx"
    );
    let rows = board["rows"].as_array().into_iter().flatten().map(|row| {
        let percent =
            |value: &Value| value.as_f64().map_or("–".to_owned(), |rate| format!("{:.2}", 100.0 * rate));
        let track = |name: &str| percent(&row["tracks"][name]["wer"]);
        format!(
            "{:>4}  {:<24} {:>8} {:>7} {:>9} {:>8} {:>8} {:>6.2}{}\n",
            row["rank"].as_u64().unwrap_or_default(),
            row["model"].as_str().unwrap_or_default(),
            percent(&row["avg_wer"]),
            track("near"),
            track("far-high"),
            track("far-mid"),
            track("far-low"),
            row["rtfx"].as_f64().unwrap_or_default(),
            if row["pareto"].as_bool() == Some(true) { "  on the Pareto front" } else { "" },
        )
    });
    std::iter::once(head).chain(rows).collect()
}
