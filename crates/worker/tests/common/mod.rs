//! A service that speaks the worker protocol from memory, and a worker's surroundings.

use std::{
    collections::{HashMap, VecDeque},
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::Command,
    sync::{Arc, LazyLock, Mutex},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use protocol::{
    AttemptId, AudioItem, Claim, ClaimReply, Complete, DecodingValue, Directive, EvaluateJob, Events, Fail,
    FencingToken, Heartbeat, HeartbeatReply, ItemId, Job, Keep, Limits, ModelFile, ModelManifest, Stage,
    Work,
};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use worker::{Config, Duties, WorkerError};

pub(crate) const TOKEN: &str = "ffw_test-token";

/// What the service was told, in order.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    Claim(Claim),
    Heartbeat(Heartbeat),
    Events(Events),
    Keep(Keep),
    Upload(Vec<u8>),
    Complete(Complete),
    Fail(Fail),
}

/// What the service does besides the ordinary.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// Statuses to answer calls with before they are heard, by name of the call (`upload` too).
    pub(crate) refusals: HashMap<&'static str, VecDeque<u16>>,
    /// What heartbeats from this stage on are told.
    pub(crate) directive: Option<(Stage, Directive)>,
    /// From this stage on every heartbeat is refused with this status.
    pub(crate) heartbeats_refused: Option<(Stage, u16)>,
    /// So many claims are answered at once, without a job.
    pub(crate) empty_claims: u32,
    pub(crate) jobs: VecDeque<Job>,
    pub(crate) files: HashMap<String, Vec<u8>>,
}

#[derive(Debug, Default)]
pub(crate) struct Service {
    pub(crate) script: Mutex<Script>,
    pub(crate) told: Mutex<Vec<Told>>,
}

type Shared = State<Arc<Service>>;

impl Service {
    fn hear(&self, call: &'static str, headers: &HeaderMap, told: Told) -> Result<(), u16> {
        assert_eq!(headers[header::AUTHORIZATION], format!("Bearer {TOKEN}"));
        if let Some(status) = self.refusal(call) {
            return Err(status);
        }
        self.told.lock().unwrap().push(told);
        Ok(())
    }

    fn refusal(&self, call: &'static str) -> Option<u16> {
        self.script.lock().unwrap().refusals.get_mut(call)?.pop_front()
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    pub(crate) fn fails(&self) -> Vec<Fail> {
        self.told()
            .into_iter()
            .filter_map(|it| if let Told::Fail(fail) = it { Some(fail) } else { None })
            .collect()
    }

    pub(crate) fn completes(&self) -> Vec<Complete> {
        let complete = |it| if let Told::Complete(complete) = it { Some(complete) } else { None };
        self.told().into_iter().filter_map(complete).collect()
    }

    pub(crate) fn keeps(&self) -> Vec<Keep> {
        let keep = |it| if let Told::Keep(keep) = it { Some(keep) } else { None };
        self.told().into_iter().filter_map(keep).collect()
    }

    pub(crate) fn upload(&self) -> Option<Vec<u8>> {
        self.told()
            .into_iter()
            .rev()
            .find_map(|it| if let Told::Upload(body) = it { Some(body) } else { None })
    }

    pub(crate) fn log(&self) -> String {
        let log = |it| if let Told::Events(events) = it { Some(events.log) } else { None };
        self.told().into_iter().filter_map(log).collect()
    }
}

fn problem(status: u16) -> Response {
    let body = serde_json::json!({
        "type": "about:blank", "title": "No", "status": status, "detail": format!("refused with {status}")
    });
    let status = StatusCode::from_u16(status).unwrap();
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

async fn claim(State(service): Shared, headers: HeaderMap, Json(body): Json<Claim>) -> Response {
    if let Err(refusal) = service.hear("claim", &headers, Told::Claim(body)) {
        return problem(refusal);
    }
    let mut script = service.script.lock().unwrap();
    if script.empty_claims > 0 {
        script.empty_claims -= 1;
        return Json(ClaimReply { job: None }).into_response();
    }
    match script.jobs.pop_front() {
        Some(job) => Json(ClaimReply { job: Some(job) }).into_response(),
        // The way a test's worker ends.
        None => problem(401),
    }
}

async fn heartbeat(
    State((service, base)): State<(Arc<Service>, String)>,
    headers: HeaderMap,
    Json(body): Json<Heartbeat>,
) -> Response {
    let stage = body.stage;
    if let Err(refusal) = service.hear("heartbeat", &headers, Told::Heartbeat(body)) {
        return problem(refusal);
    }
    let script = service.script.lock().unwrap();
    let reached = |from: Stage| stage as u8 >= from as u8;
    if let Some((_, status)) = script.heartbeats_refused.filter(|(from, _)| reached(*from)) {
        return problem(status);
    }
    let directive =
        script.directive.filter(|(from, _)| reached(*from)).map_or(Directive::Continue, |it| it.1);
    Json(HeartbeatReply { directive, upload_url: format!("{base}/storage/results") }).into_response()
}

async fn events(State(service): Shared, headers: HeaderMap, Json(body): Json<Events>) -> Response {
    heard(service.hear("events", &headers, Told::Events(body)))
}

async fn keep(State(service): Shared, headers: HeaderMap, Json(body): Json<Keep>) -> Response {
    heard(service.hear("keep", &headers, Told::Keep(body)))
}

async fn complete(State(service): Shared, headers: HeaderMap, Json(body): Json<Complete>) -> Response {
    heard(service.hear("complete", &headers, Told::Complete(body)))
}

async fn fail(State(service): Shared, headers: HeaderMap, Json(body): Json<Fail>) -> Response {
    heard(service.hear("fail", &headers, Told::Fail(body)))
}

fn heard(result: Result<(), u16>) -> Response {
    result.map_or_else(problem, |()| StatusCode::NO_CONTENT.into_response())
}

async fn download(State(service): Shared, headers: HeaderMap, Path(name): Path<String>) -> Response {
    assert!(headers.get(header::AUTHORIZATION).is_none(), "storage must never see the token");
    if let Some(status) = service.refusal("download") {
        return problem(status);
    }
    match service.script.lock().unwrap().files.get(&name) {
        Some(content) => content.clone().into_response(),
        None => problem(404),
    }
}

async fn upload(State(service): Shared, headers: HeaderMap, body: Bytes) -> Response {
    assert!(headers.get(header::AUTHORIZATION).is_none(), "storage must never see the token");
    if let Some(status) = service.refusal("upload") {
        return problem(status);
    }
    service.told.lock().unwrap().push(Told::Upload(body.to_vec()));
    StatusCode::OK.into_response()
}

/// One worker against one service.
pub(crate) struct World {
    pub(crate) service: Arc<Service>,
    pub(crate) base: String,
    pub(crate) config: Config,
    directory: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        // A second installation in the same process is refused, and fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let service = Arc::new(Service::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/worker/v1/claim", post(claim))
            .route("/worker/v1/events", post(events))
            .route("/worker/v1/keep", post(keep))
            .route("/worker/v1/complete", post(complete))
            .route("/worker/v1/fail", post(fail))
            .route("/storage/{name}", get(download).put(upload))
            .with_state(Arc::clone(&service))
            .merge(
                Router::new()
                    .route("/worker/v1/heartbeat", post(heartbeat))
                    .with_state((Arc::clone(&service), base.clone())),
            );
        tokio::spawn(async move { axum::serve(listener, router).await });
        let directory = public_directory();
        fs::write(directory.path().join("token"), format!("{TOKEN}\n")).unwrap();
        let config = Config {
            service: base.clone(),
            token_file: directory.path().join("token"),
            hardware_class: "cpu-2core".into(),
            runtimes: RUNTIMES.path().to_path_buf(),
            work_directory: directory.path().join("work"),
            name: "test".into(),
            accelerators: 0,
            accelerator_locks: directory.path().join("accelerators"),
            duties: Duties::Evaluate,
            cache_bytes: 1 << 20,
            golden: None,
        };
        Self { service, base, config, directory }
    }

    pub(crate) fn script(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.service.script.lock().unwrap());
    }

    /// Content that the storage holds under `name`: its URL and digest.
    pub(crate) fn store(&self, name: &str, content: &str) -> (String, String) {
        self.script(|it| drop(it.files.insert(name.to_owned(), content.into())));
        (format!("{}/storage/{name}", self.base), hex::encode(Sha256::digest(content)))
    }

    pub(crate) fn audio(&self, name: &str, content: &str) -> AudioItem {
        let (url, sha256) = self.store(name, content);
        AudioItem { id: ItemId::new(), url, sha256, seconds: 1.0, channels: 1 }
    }

    /// A job with one model file, a warm-up item and three items that say `a`, `b` and `c`.
    pub(crate) fn job(&self, attack: &str) -> EvaluateJob {
        let (url, sha256) = self.store("weights", "weights");
        let items: Vec<AudioItem> = ["a", "b", "c"].map(|it| self.audio(it, it)).into();
        EvaluateJob {
            model: ModelManifest {
                name: "Model".into(),
                organisation: "Test".into(),
                licence: "MIT".into(),
                runtime: "hostile".into(),
                num_params: None,
                training_data: String::new(),
                notes: String::new(),
                tracks: Vec::new(),
                multichannel: false,
                hub: None,
                decoding: [("attack".to_owned(), DecodingValue::Text(attack.to_owned()))].into(),
            },
            files: vec![ModelFile { name: "weights".into(), url, from_hub: false, sha256, bytes: 7 }],
            hub_token: None,
            warm_up: vec![self.audio("w", "w")],
            repeats: vec![items[..2].to_vec()],
            items,
            seed: 1,
            kept: Vec::new(),
            limits: Limits {
                ready_seconds: 120.0,
                item_seconds: 120.0,
                item_seconds_per_audio_second: 0.0,
                attempt_seconds: 600.0,
                memory_bytes: 256 << 20,
            },
        }
    }

    /// Run the worker on these jobs until the service has no more and turns it away.
    pub(crate) async fn work(&self, jobs: Vec<EvaluateJob>, lease_seconds: u32) -> Result<(), WorkerError> {
        let job = |work| Job {
            attempt: AttemptId::new(),
            fencing_token: FencingToken(AttemptId::new().0),
            lease_seconds,
            heartbeat_seconds: 1,
            work: Work::Evaluate(Box::new(work)),
        };
        self.script(|it| it.jobs = jobs.into_iter().map(job).collect());
        let result = worker::run(self.config.clone()).await;
        assert_eq!(self.leftovers(), Vec::<PathBuf>::new());
        result
    }

    /// Attempts' directories that are still there.
    pub(crate) fn leftovers(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.directory.path().join("work")).unwrap().map(|it| it.unwrap().path());
        // What was fetched from hubs is kept.
        entries.filter(|it| it.is_dir() && !it.ends_with("cache")).collect()
    }
}

pub(crate) fn public_directory() -> TempDir {
    tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir().unwrap()
}

/// Part of the program, so that a copy of it needs no checkout.
const HOSTILE: [(&str, &str); 3] = [
    ("runtime.toml", include_str!("../../../sandbox/tests/hostile/runtime.toml")),
    ("adapter.py", include_str!("../../../sandbox/tests/hostile/adapter.py")),
    ("requirements.lock", include_str!("../../../sandbox/tests/hostile/requirements.lock")),
];

/// The sandbox's own misbehaving models, installed, with all their ways declared.
static RUNTIMES: LazyLock<TempDir> = LazyLock::new(|| {
    let root = public_directory();
    let directory = root.path().join("hostile");
    fs::create_dir(&directory).unwrap();
    for (name, content) in HOSTILE {
        fs::write(directory.join(name), content).unwrap();
    }
    let venv = directory.join("venv");
    let made =
        Command::new("/usr/bin/python3").args(["-m", "venv", "--without-pip"]).arg(venv).status().unwrap();
    assert!(made.success());
    root
});
