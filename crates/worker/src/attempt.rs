//! One attempt, from claim to `complete` or `fail`.

use std::{
    fs::Permissions,
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use protocol::{
    AudioItem, Basis, EvaluateJob, FailureClass, ItemResult, Job, KeptPart, ModelFile, Moment, PaceReading,
    ResultsDocument, Stage, Work, is_model_path,
};
use sandbox::{Audio, Progress, RunError, Sandbox, runtime::Installed};
use sha2::{Digest, Sha256};
use tokio::{fs, sync::watch, time::Instant};

use crate::{
    accelerator,
    calibration::Golden,
    continuation::{Ledger, may_continue},
    evaluation::{Evaluation, Item},
    fetch::{Cache, FetchError, Wanted, fetch_all},
    fingerprint,
    lease::{Ending, Failure, Lease, Reporter},
    service::{CallError, READ_TIMEOUT, Service, checked, passing},
};

/// Attempts' directories start so; anything left with this name is removed at start.
pub(crate) const DIRECTORY_PREFIX: &str = "attempt-";

/// How long a stopped worker tries to hand its attempt back.
const FAREWELL: Duration = Duration::from_secs(5);

const BYTES_PER_SECOND_OF_AUDIO: f64 = 32_000.0;
const MOST_WAV_OVERHEAD_BYTES: u64 = 1 << 20;

/// All that attempts need and that outlives them.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) service: Service,
    pub(crate) cache: Cache,
    /// Nothing on a node that renders only.
    pub(crate) sandbox: Option<Sandbox>,
    pub(crate) runtimes: Vec<Installed>,
    pub(crate) work_directory: PathBuf,
    pub(crate) accelerators: usize,
    pub(crate) accelerator_locks: PathBuf,
    pub(crate) golden: Option<Golden>,
    pub(crate) stop: watch::Receiver<bool>,
}

/// Whether to claim more after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Claim,
    Drained,
}

impl Next {
    pub(crate) fn is_drained(self) -> bool {
        self == Self::Drained
    }
}

/// Why an attempt has no results.
#[derive(Debug)]
pub(crate) enum Setback {
    /// It is not ours any more.
    Over(Ending),
    /// It failed, and the service is to know.
    Failed(Failure),
}

impl From<Ending> for Setback {
    fn from(ending: Ending) -> Self {
        Self::Over(ending)
    }
}

impl Setback {
    pub(crate) fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self::Failed(Failure { class, message: message.into(), log_tail: String::new() })
    }

    pub(crate) fn disk(error: &io::Error) -> Self {
        Self::new(FailureClass::WorkerLost, format!("the node's disk failed: {error}"))
    }
}

/// Where the files of one attempt are.
#[derive(Debug)]
struct Places {
    /// Searchable by the sandbox's user, who learns of one audio file at a time.
    scratch: PathBuf,
    /// Readable by the sandbox's user.
    model: PathBuf,
    /// For this worker's eyes only.
    audio: PathBuf,
}

impl Node {
    /// Do one job. Whatever happens is told to the service, or the lease is over and nobody wants to know.
    pub(crate) async fn attempt(&self, job: Job) -> Next {
        let attempt = job.attempt;
        tracing::info!(%attempt, "claimed");
        let lease = Lease::hold(self.service.clone(), &job, Instant::now(), self.stop.clone());
        let directory = self.work_directory.join(format!("{DIRECTORY_PREFIX}{attempt}"));
        let result = match job.work {
            Work::Evaluate(evaluate) => self.evaluate(*evaluate, &directory, &lease).await,
            Work::Render(render) => self.render(*render, &directory, &lease).await,
        };
        if let Err(error) = fs::remove_dir_all(&directory).await {
            tracing::warn!(%attempt, %error, "the attempt's files could not be removed");
        }
        match result {
            Ok(()) => tracing::info!(%attempt, "completed"),
            Err(Setback::Over(Ending::Stopped)) => hand_back(&lease).await,
            Err(Setback::Over(ending)) => tracing::warn!(%attempt, ?ending, "the attempt is over"),
            Err(Setback::Failed(failure)) => {
                tracing::warn!(%attempt, class = %failure.class, message = failure.message, "failed");
                let told = lease.persist(|| lease.fail(&failure)).await;
                if !matches!(told, Ok(Ok(()))) {
                    tracing::warn!(%attempt, ?told, "the failure could not be reported; the lease will run out");
                }
            }
        }
        if lease.is_draining() { Next::Drained } else { Next::Claim }
    }

    async fn evaluate(&self, job: EvaluateJob, directory: &Path, lease: &Lease) -> Result<(), Setback> {
        let runtime = self.runtime_for(&job)?;
        let places = Places::make(directory).await.map_err(|error| Setback::disk(&error))?;
        self.fetch(&job, &places, lease).await?;
        let results = self.run(&job, &places, runtime.clone(), lease).await?;
        self.hand_in(&results, lease).await
    }

    fn runtime_for(&self, job: &EvaluateJob) -> Result<&Installed, Setback> {
        let name = &job.model.runtime;
        let runtime = self.runtimes.iter().find(|it| it.declaration.name == *name).ok_or_else(|| {
            Setback::new(
                FailureClass::WorkerLost,
                format!("the runtime `{name}` is not installed on this node"),
            )
        })?;
        let files: Vec<&str> = job.files.iter().map(|it| it.name.as_str()).collect();
        if let Some(name) = files.iter().find(|name| !is_model_path(name)) {
            let message = format!("the model's file name `{name}` is not a path within its directory");
            return Err(Setback::new(FailureClass::InvalidManifest, message));
        }
        match runtime.declaration.problems(&job.model.decoding, &files).first() {
            Some(problem) => Err(Setback::new(FailureClass::InvalidManifest, problem.to_string())),
            None => Ok(runtime),
        }
    }

    async fn fetch(&self, job: &EvaluateJob, places: &Places, lease: &Lease) -> Result<(), Setback> {
        for file in &job.files {
            places.make_folders(&file.name).await.map_err(|error| Setback::disk(&error))?;
        }
        let wanted = |file: &ModelFile| Wanted {
            url: file.url.clone(),
            path: places.model.join(&file.name),
            sha256: file.sha256.clone(),
            most_bytes: file.bytes,
            token: job.hub_token.clone().filter(|_| file.from_hub),
        };
        let (on_hub, in_storage): (Vec<&ModelFile>, Vec<&ModelFile>) =
            job.files.iter().partition(|file| file.from_hub);
        let hub = hub_client(&on_hub)?;
        let on_hub: Vec<Wanted> = on_hub.into_iter().map(wanted).collect();
        let files: Vec<Wanted> = in_storage.into_iter().map(wanted).collect();
        let audio: Vec<Wanted> = passes(job)
            .flat_map(|(pass, items)| items.iter().enumerate().map(move |(index, item)| (pass, index, item)))
            .map(|(pass, index, item)| Wanted {
                url: item.url.clone(),
                path: places.audio(pass, index),
                sha256: item.sha256.clone(),
                most_bytes: (item.seconds * f64::from(item.channels) * BYTES_PER_SECOND_OF_AUDIO) as u64
                    + MOST_WAV_OVERHEAD_BYTES,
                token: None,
            })
            .collect();
        let reporter = lease.reporter();
        reporter.stage(Stage::Fetching, 0, (on_hub.len() + files.len() + audio.len()) as u32);
        let step = || reporter.step();
        let http = &self.service.http;
        if let Some(hub) = hub {
            let fetched = lease.unless_over(self.cache.fetch_all(&hub, on_hub, step)).await?;
            fetched.map_err(|error| not_fetched(&error))?;
        }
        lease.unless_over(fetch_all(http, files, step)).await?.map_err(|error| not_fetched(&error))?;
        let fetched = lease.unless_over(fetch_all(http, audio, step)).await?;
        fetched.map_err(|error| Setback::new(FailureClass::StorageError, error.to_string()))
    }

    /// Run the model on a thread of its own, and stay until nothing of it is left, even when the lease is over.
    async fn run(
        &self,
        job: &EvaluateJob,
        places: &Places,
        runtime: Installed,
        lease: &Lease,
    ) -> Result<ResultsDocument, Setback> {
        let held = accelerator::take(self.accelerators, &self.accelerator_locks)
            .map_err(|reason| Setback::new(FailureClass::GpuFault, reason))?;
        let pass = |pass: usize, items: &[AudioItem]| -> Vec<Item> {
            let of = |(index, item): (usize, &AudioItem)| Item {
                id: item.id,
                audio: Audio { path: places.audio(pass, index), seconds: item.seconds },
            };
            items.iter().enumerate().map(of).collect()
        };
        let mut passes = passes(job).map(|(number, items)| pass(number, items));
        let (warm_up, items) = (passes.next().unwrap_or_default(), passes.next().unwrap_or_default());
        let repeats: Vec<Vec<Item>> = passes.collect();
        let (model, scratch) = (places.model.clone(), places.scratch.clone());
        let (manifest, seed, limits) = (job.model.clone(), job.seed, job.limits);
        let sandbox = self
            .sandbox
            .clone()
            .ok_or_else(|| Setback::new(FailureClass::WorkerLost, "this node runs no models"))?;
        let golden = self.golden.clone();
        let (cancel, reporter) = (lease.cancel(), lease.reporter());
        let passed_on = PassedOn {
            kept: job.kept.clone(),
            runtime_digest: runtime.digest.clone(),
            golden: golden.clone(),
            reporter: reporter.clone(),
        };
        let running = tokio::task::spawn_blocking(move || {
            let evaluation = Evaluation {
                sandbox: &sandbox,
                runtime: &runtime,
                manifest: &manifest,
                model: &model,
                scratch: &scratch,
                warm_up: &warm_up,
                items: &items,
                repeats: &repeats,
                seed,
                limits,
                devices: held.devices(),
                golden: golden.as_ref(),
                ledger: Some(&passed_on),
            };
            let mut report = |progress| match progress {
                Progress::Stage { stage, done, total } => reporter.stage(stage, done, total),
                Progress::Log(text) => reporter.log(&text),
                Progress::Item(..) => {}
            };
            evaluation.run(&mut report, &cancel)
        });
        let result = running.await.map_err(|error| {
            // For the operator alone: a panic may speak of what the model said.
            tracing::error!(%error, "running the model");
            Setback::new(FailureClass::WorkerLost, "the worker failed while it ran the model")
        })?;
        lease.ship_log().await;
        // Also of a run that went to its end: its results may yet fail to be handed in.
        lease.ship_items().await;
        match (result, lease.ending()) {
            (_, Some(ending)) => Err(ending.into()),
            (Ok(result), None) => Ok(result),
            (Err(error), None) => Err(failed(error)),
        }
    }

    /// Put the results into storage, then say so; both again and again while the lease lasts.
    async fn hand_in(&self, results: &ResultsDocument, lease: &Lease) -> Result<(), Setback> {
        lease.reporter().stage(Stage::Uploading, 0, 1);
        let body = serde_json::to_vec(results)
            .map_err(|error| Setback::new(FailureClass::WorkerLost, error.to_string()))?;
        let sha256 = hex::encode(Sha256::digest(&body));
        let put = || async {
            let url = lease.upload_url().await?;
            let response = self.service.http.put(url).body(body.clone()).send().await.map_err(passing)?;
            checked(response).await.map(drop)
        };
        // The store's own conflict is about the object and not about the lease.
        let put = || async {
            put().await.map_err(|error| match error {
                CallError::Stale(reason) if lease.ending().is_none() => CallError::Refused(reason),
                other => other,
            })
        };
        let stored = lease.persist(put).await?;
        stored.map_err(|reason| {
            Setback::new(FailureClass::StorageError, format!("the results could not be stored: {reason}"))
        })?;
        let told = lease.persist(|| lease.complete(&sha256)).await?;
        told.map_err(|reason| {
            Setback::new(FailureClass::StorageError, format!("the results were not accepted: {reason}"))
        })
    }
}

/// What an attempt gets from those before it and leaves to those after it.
#[derive(Debug)]
struct PassedOn {
    kept: Vec<KeptPart>,
    runtime_digest: String,
    golden: Option<Golden>,
    reporter: Reporter,
}

impl Ledger for PassedOn {
    fn pace(&self, moment: Moment, seconds: f64) {
        if let Some(golden) = &self.golden {
            let (golden_seconds, tolerance) = (golden.golden_seconds, golden.tolerance);
            self.reporter.pace(PaceReading { moment, seconds, golden_seconds, tolerance });
        }
    }

    fn begin(&self, pace_seconds: Option<f64>) -> Vec<KeptPart> {
        let basis =
            Basis { fingerprint: fingerprint(), runtime_digest: self.runtime_digest.clone(), pace_seconds };
        let items: usize = self.kept.iter().map(|part| part.items.len()).sum();
        let verdict = may_continue(&self.kept, &basis, self.golden.as_ref());
        self.reporter.keep_from_here(basis, verdict.is_ok());
        match verdict {
            Err(reason) => {
                self.reporter.log(&format!("[{items} items that were done are repeated: {reason}]\n"));
                Vec::new()
            }
            Ok(()) if items > 0 => {
                self.reporter.log(&format!("[{items} items that were done are not repeated]\n"));
                self.kept.clone()
            }
            Ok(()) => Vec::new(),
        }
    }

    fn done(&self, item: ItemResult) {
        self.reporter.item(item);
    }
}

impl Places {
    async fn make(directory: &Path) -> io::Result<Self> {
        let places = Self {
            scratch: directory.join("scratch"),
            model: directory.join("model"),
            audio: directory.join("audio"),
        };
        for (path, mode) in
            [(directory, 0o711), (&places.scratch, 0o711), (&places.model, 0o755), (&places.audio, 0o700)]
        {
            fs::create_dir(path).await?;
            fs::set_permissions(path, Permissions::from_mode(mode)).await?;
        }
        Ok(places)
    }

    /// The folders that a file of the model lies in, readable by the sandbox's user.
    async fn make_folders(&self, name: &str) -> io::Result<()> {
        let mut folder = self.model.clone();
        let names: Vec<&str> = name.split('/').collect();
        for part in names.iter().take(names.len() - 1) {
            folder.push(part);
            match fs::create_dir(&folder).await {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => fs::set_permissions(&folder, Permissions::from_mode(0o755)).await?,
            }
        }
        Ok(())
    }

    fn audio(&self, pass: usize, index: usize) -> PathBuf {
        self.audio.join(format!("{pass}-{index}.wav"))
    }
}

/// Warm-up, scored pass, repeat passes, numbered.
fn passes(job: &EvaluateJob) -> impl Iterator<Item = (usize, &[AudioItem])> {
    [job.warm_up.as_slice(), job.items.as_slice()]
        .into_iter()
        .chain(job.repeats.iter().map(Vec::as_slice))
        .enumerate()
}

fn failed(RunError { fault, log_tail }: RunError) -> Setback {
    match fault.class() {
        Some(class) => Setback::Failed(Failure { class, message: fault.to_string(), log_tail }),
        // Only a lease that is over cancels a run.
        None => Setback::Over(Ending::Cancelled),
    }
}

fn not_fetched(error: &FetchError) -> Setback {
    let class = match error {
        FetchError::Content { .. } => FailureClass::DownloadFailed,
        FetchError::Storage(_) => FailureClass::StorageError,
        FetchError::Disk { .. } => FailureClass::WorkerLost,
    };
    Setback::new(class, error.to_string())
}

/// The client for files on a hub, if there are any: the hub is where the service says, and redirects, to public addresses.
fn hub_client(files: &[&ModelFile]) -> Result<Option<reqwest::Client>, Setback> {
    let Some(first) = files.first() else { return Ok(None) };
    let unusable = |error: &dyn std::fmt::Display| {
        Setback::new(FailureClass::StorageError, format!("the hub's address cannot be used: {error}"))
    };
    let url = reqwest::Url::parse(&first.url).map_err(|error| unusable(&error))?;
    let client = outbound::following_client(outbound::Reach::of_endpoint(&url)).read_timeout(READ_TIMEOUT);
    client.build().map(Some).map_err(|error| unusable(&error))
}

/// A stopped worker gives its attempt back, so that it is repeated at once and not when the lease runs out.
async fn hand_back(lease: &Lease) {
    let failure = Failure {
        class: FailureClass::WorkerLost,
        message: "The worker was told to stop by its operator.".to_owned(),
        log_tail: String::new(),
    };
    let farewell = async {
        lease.ship_items().await;
        lease.fail(&failure).await
    };
    if let Ok(Ok(())) = tokio::time::timeout(FAREWELL, farewell).await {
        tracing::info!("the attempt is handed back");
    } else {
        tracing::warn!("the attempt could not be handed back; its lease will run out");
    }
}
