//! The node side: claims jobs over HTTPS, fetches audio, runs models in the sandbox or renders releases, reports.
//!
//! A worker holds one secret, its token, and shows it to the service only. It never sees a transcript, and it
//! reaches storage through presigned URLs alone. Everything it does about an attempt happens under the attempt's
//! lease: once that is lost, the model is killed and the attempt forgotten.
//!
//! | room | what |
//! |---|---|
//! | `service` | the calls of `/worker/v1/` and what their failures mean |
//! | `lease` | heartbeats, log shipping, and when an attempt is over |
//! | `fetch` | files from presigned URLs and hubs, checked, kept |
//! | `attempt` | one attempt from claim to `complete` or `fail` |
//! | `render` | one part of a release from claim to `rendered` or `fail` |
//! | `evaluation` | one model over one set of audio, measured; also what `ffasr eval` runs |
//! | `timing` | latency by the length of the audio, doubts for a reviewer |
//! | `continuation` | going on from where an earlier attempt was lost |
//! | `calibration` | whether the node runs at its usual pace |
//! | `accelerator` | exclusive accelerators and what they did |
//! | `fingerprint` | what this node is made of |

pub mod accelerator;
mod attempt;
pub mod calibration;
pub mod continuation;
mod evaluation;
mod fetch;
mod fingerprint;
mod lease;
mod render;
mod service;
pub mod timing;

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use protocol::{Claim, PROTOCOL_VERSION};
use sandbox::{NotIsolated, Sandbox, runtime};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

pub use evaluation::{Evaluation, Item};
pub use fingerprint::fingerprint;
pub use service::CallError;

use crate::{attempt::Node, calibration::Golden, fetch::Cache, service::Service};

/// How long one `claim` waits for a job, in seconds.
const CLAIM_WAIT_SECONDS: u32 = 30;

/// Least time between two claims that brought no job: a service that has none for a draining worker says so at once.
const SHORTEST_ROUND: Duration = Duration::from_secs(2);

/// How long a killed worker may take to be gone for good; until then it holds the work directory.
const PREDECESSOR_LIMIT: Duration = Duration::from_secs(10);

/// Longest pause between two calls to a service that does not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How a worker is set up.
#[derive(Debug, Clone)]
pub struct Config {
    /// Base URL of the service, e.g. `https://ffasr.example.org`.
    pub service: String,
    /// File that holds the token: neither arguments nor environment, which others can see.
    pub token_file: PathBuf,
    /// The class of hardware this node is, e.g. `cpu-2core`.
    pub hardware_class: String,
    /// Where runtimes are installed, see [`sandbox::runtime::default_root`].
    pub runtimes: PathBuf,
    /// Directory of this worker alone for the files of the attempt it works on.
    pub work_directory: PathBuf,
    /// Name in the service's request log.
    pub name: String,
    /// Accelerators each attempt gets.
    pub accelerators: usize,
    /// Directory that all workers of this machine share, to keep their accelerators apart.
    pub accelerator_locks: PathBuf,
    /// What it does.
    pub duties: Duties,
    /// Most bytes of models from a hub that are kept on this node for the next attempt.
    pub cache_bytes: u64,
    /// The node's usual pace, if attempts must keep it to count.
    pub golden: Option<Golden>,
}

/// What a worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duties {
    /// Runs models.
    Evaluate,
    /// Renders releases. Needs neither runtimes nor a sandbox.
    Render,
    /// Runs models; renders releases while no model waits.
    Both,
}

impl Duties {
    fn evaluates(self) -> bool {
        self != Self::Render
    }

    fn renders(self) -> bool {
        self != Self::Evaluate
    }
}

/// Why a worker ended.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Isolation is not in force.
    #[error(transparent)]
    NotIsolated(#[from] NotIsolated),
    /// The token file is not usable.
    #[error("the token cannot be read from {path}: {error}", path = path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The work directory is not usable.
    #[error("the work directory {path} cannot be used: {error}", path = path.display())]
    WorkDirectory {
        /// The directory.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The sandbox's user cannot get to a directory it needs.
    #[error(
        "the sandbox's user may not pass through {barred} to get to {path}; make it searchable (chmod o+x) or choose another place",
        barred = barred.display(),
        path = path.display()
    )]
    Barred {
        /// What it needs.
        path: PathBuf,
        /// The directory in the way.
        barred: PathBuf,
    },
    /// A runtime is broken.
    #[error(transparent)]
    Runtime(#[from] runtime::RuntimeError),
    /// There is nothing to run models in.
    #[error("no runtime is installed in {0}; install one with deploy/runtimes/install")]
    NoRuntime(PathBuf),
    /// The service will not have this worker.
    #[error("the service refuses this worker: {0}")]
    Refused(CallError),
    /// The HTTP client or the signal handlers could not be set up.
    #[error("the worker could not be set up: {0}")]
    SetUp(String),
}

/// Claim and do jobs until SIGTERM, SIGINT or a `drain` from the service.
///
/// The process must have installed a rustls crypto provider. On a signal the model under way is killed and its
/// attempt handed back at once, to be repeated elsewhere.
///
/// # Errors
/// If the sandbox is not safe here, something of the [`Config`] cannot be used, or the service refuses the
/// worker for good (wrong token, hardware class or protocol version). A service that cannot be reached is not an
/// error: the worker keeps asking.
pub async fn run(config: Config) -> Result<(), WorkerError> {
    let token = read_token(&config.token_file)?;
    let _lock = prepare_work_directory(&config.work_directory)
        .await
        .map_err(|error| WorkerError::WorkDirectory { path: config.work_directory.clone(), error })?;
    let (sandbox, runtimes) = if config.duties.evaluates() {
        let (sandbox, runtimes) = open_sandbox(&config).await?;
        (Some(sandbox), runtimes)
    } else {
        (None, Vec::new())
    };
    let service = Service::new(&config.service, token, &config.name)
        .map_err(|error| WorkerError::SetUp(error.to_string()))?;
    let stop = stop_on_signal().map_err(|error| WorkerError::SetUp(error.to_string()))?;
    let claim = Claim {
        protocol: PROTOCOL_VERSION,
        hardware_class: config.hardware_class.clone(),
        runtimes: runtimes.iter().map(|it| it.declaration.name.clone()).collect(),
        fingerprint: fingerprint(),
        wait_seconds: CLAIM_WAIT_SECONDS,
        evaluates: config.duties.evaluates(),
        renderer: config.duties.renders().then(|| benchmark::release::RENDERER.to_owned()),
    };
    let cache = Cache::open(config.work_directory.join("cache"), config.cache_bytes)
        .await
        .map_err(|error| WorkerError::WorkDirectory { path: config.work_directory.clone(), error })?;
    let node = Node {
        service,
        cache,
        sandbox,
        runtimes,
        work_directory: config.work_directory,
        accelerators: config.accelerators,
        accelerator_locks: config.accelerator_locks,
        golden: config.golden,
        stop,
    };
    work(&node, &claim).await
}

/// The sandbox, proven, and the runtimes that models can have in it.
async fn open_sandbox(config: &Config) -> Result<(Sandbox, Vec<runtime::Installed>), WorkerError> {
    let runtimes = runtime::installed(&config.runtimes)?;
    if runtimes.is_empty() {
        return Err(WorkerError::NoRuntime(config.runtimes.clone()));
    }
    let sandbox = tokio::task::spawn_blocking(Sandbox::open)
        .await
        .map_err(|error| WorkerError::SetUp(error.to_string()))??;
    tracing::info!(isolation = sandbox.isolation(), "the sandbox holds");
    for path in [&config.work_directory, &config.runtimes] {
        if let Some(barred) = sandbox.barred_from(path) {
            return Err(WorkerError::Barred { path: path.clone(), barred });
        }
    }
    Ok((sandbox, runtimes))
}

async fn work(node: &Node, claim: &Claim) -> Result<(), WorkerError> {
    let mut stop = node.stop.clone();
    let mut pause = Pause::default();
    while !*stop.borrow() {
        let asked = Instant::now();
        let claimed = tokio::select! {
            claimed = node.service.claim(claim) => claimed,
            _ = stop.changed() => break,
        };
        match claimed {
            Ok(reply) => {
                pause = Pause::default();
                if let Some(job) = reply.job {
                    if node.attempt(job).await.is_drained() {
                        tracing::info!("drained");
                        break;
                    }
                } else {
                    tokio::select! {
                        () = sleep_until(asked + SHORTEST_ROUND) => {}
                        _ = stop.changed() => break,
                    }
                }
            }
            Err(error) if error.is_passing() => {
                tracing::warn!(%error, "the service cannot be asked for work; asking again");
                tokio::select! {
                    () = pause.wait() => {}
                    _ = stop.changed() => break,
                }
            }
            Err(error) => return Err(WorkerError::Refused(error)),
        }
    }
    Ok(())
}

/// Pauses that double up to [`LONGEST_PAUSE`].
#[derive(Debug, Default)]
struct Pause(u32);

impl Pause {
    async fn wait(&mut self) {
        let pause = Duration::from_millis(250).saturating_mul(1 << self.0.min(10)).min(LONGEST_PAUSE);
        self.0 += 1;
        sleep(pause).await;
    }
}

fn read_token(path: &Path) -> Result<String, WorkerError> {
    let unusable = |error| WorkerError::Token { path: path.to_path_buf(), error };
    let token = fs::read_to_string(path).map_err(unusable)?.trim().to_owned();
    if token.is_empty() { Err(unusable(io::Error::other("it is empty"))) } else { Ok(token) }
}

/// Lock the directory for this worker and remove what a killed one left behind.
async fn prepare_work_directory(path: &Path) -> io::Result<File> {
    fs::create_dir_all(path)?;
    // The sandbox's user must be able to pass through, not to look around.
    fs::set_permissions(path, fs::Permissions::from_mode(0o711))?;
    let lock = File::create(path.join("lock"))?;
    let patience_ends = Instant::now() + PREDECESSOR_LIMIT;
    loop {
        match lock.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if Instant::now() < patience_ends => {
                sleep(Duration::from_millis(100)).await;
            }
            Err(TryLockError::WouldBlock) => return Err(io::Error::other("another worker uses it")),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(attempt::DIRECTORY_PREFIX) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(lock)
}

fn stop_on_signal() -> io::Result<watch::Receiver<bool>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("told to stop");
        sender.send_replace(true);
        // Kept so that those who wait see a stop, not a closed channel.
        sender.closed().await;
    });
    Ok(receiver)
}
