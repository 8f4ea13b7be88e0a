//! Proof, by trying, that isolation is in force on this machine. Without it nothing is run.

use std::{
    ffi::OsStr,
    fmt, fs, io,
    net::TcpListener,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            fs::PermissionsExt,
            net::{SocketAddr, UnixListener},
        },
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{
    cgroup::TreeLimits,
    conversation::{Conversation, Deadline},
    launcher::{Confined, Confinement, ENVIRONMENT, LaunchError, Launcher, SHM_BYTES, TMP_BYTES},
    run::{Cancel, Fault},
};

const PROBE: &[u8] = include_bytes!("probe.py");
const PROBE_TIMEOUT: Duration = Duration::from_mins(1);
const PROBE_MEMORY_BYTES: u64 = 512 * 1024 * 1024;
const HOG_MEMORY_BYTES: u64 = 64 * 1024 * 1024;
const PROBE_PROCESSES: u32 = 24;

/// Guarantees that the probe tries from inside; the names are keys of its report.
const INSIDE: [&str; 12] = [
    "no network",
    "host files invisible",
    "kernel settings not writable",
    "file system read-only",
    "scratch space bounded",
    "environment empty",
    "no privileges inside",
    "seccomp in force",
    "no user namespaces",
    "host processes invisible",
    "no descriptors leaked",
    "number of processes bounded",
];

/// One thing the sandbox promises, and whether it was found to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guarantee {
    /// What is promised.
    pub name: &'static str,
    /// How it was broken, or `None` if it holds.
    pub broken: Option<String>,
}

/// The result of [`check`].
#[derive(Debug, Clone)]
pub struct SelfTest {
    /// Every guarantee.
    pub guarantees: Vec<Guarantee>,
    /// What is in force, in words.
    pub isolation: String,
}

/// A machine on which isolation was proven: the only way to run a model.
#[derive(Debug, Clone)]
pub struct Sandbox {
    pub(crate) launcher: Launcher,
    isolation: String,
}

/// Isolation is not in force, so nothing will be run.
#[derive(Debug, thiserror::Error)]
#[error("the sandbox is not safe on this machine, so no model will be run:\n{0}")]
pub struct NotIsolated(pub SelfTest);

impl SelfTest {
    /// Whether every guarantee holds.
    pub fn passed(&self) -> bool {
        self.guarantees.iter().all(|it| it.broken.is_none())
    }
}

impl fmt::Display for SelfTest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Guarantee { name, broken } in &self.guarantees {
            match broken {
                None => writeln!(formatter, "pass  {name}")?,
                Some(reason) => writeln!(formatter, "FAIL  {name}: {reason}")?,
            }
        }
        write!(formatter, "{}", self.isolation)
    }
}

impl Sandbox {
    /// Prove that isolation is in force.
    ///
    /// # Errors
    /// The table of guarantees, if one of them does not hold.
    pub fn open() -> Result<Self, NotIsolated> {
        let (test, launcher) = attempt();
        match launcher {
            Some(launcher) if test.passed() => Ok(Self { launcher, isolation: test.isolation }),
            _ => Err(NotIsolated(test)),
        }
    }

    /// The first directory on the way to `path` that the sandbox's user may not enter, if any.
    pub fn barred_from(&self, path: &Path) -> Option<PathBuf> {
        self.launcher.identity.barred_from(path)
    }

    /// What is in force, in words.
    pub fn isolation(&self) -> &str {
        &self.isolation
    }
}

/// Try every guarantee; takes about a second.
pub fn check() -> SelfTest {
    attempt().0
}

fn attempt() -> (SelfTest, Option<Launcher>) {
    match Launcher::find() {
        Ok(launcher) => {
            let guarantees = try_all(&launcher);
            (SelfTest { guarantees, isolation: launcher.describe() }, Some(launcher))
        }
        Err(error) => {
            let guarantee = Guarantee { name: "sandbox can be started", broken: Some(error.to_string()) };
            (SelfTest { guarantees: vec![guarantee], isolation: "nothing is in force".to_owned() }, None)
        }
    }
}

fn try_all(launcher: &Launcher) -> Vec<Guarantee> {
    match probe(launcher) {
        Ok(mut guarantees) => {
            guarantees.push(Guarantee { name: "memory bounded", broken: hog(launcher).err() });
            guarantees
        }
        Err(reason) => vec![Guarantee { name: "sandbox can be started", broken: Some(reason) }],
    }
}

/// What the host puts out for the probe to reach for, if it can.
struct Bait {
    directory: tempfile::TempDir,
    listener: TcpListener,
    abstract_name: String,
    _abstract_listener: UnixListener,
}

impl Bait {
    fn lay() -> io::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("ffasr-check-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()?;
        let canary = directory.path().join("canary");
        fs::write(&canary, "canary")?;
        fs::create_dir(directory.path().join("empty"))?;
        let abstract_name = directory.path().to_string_lossy().into_owned();
        Ok(Self {
            listener: TcpListener::bind("127.0.0.1:0")?,
            _abstract_listener: UnixListener::bind_addr(&SocketAddr::from_abstract_name(&abstract_name)?)?,
            abstract_name,
            directory,
        })
    }

    fn config(&self) -> io::Result<Vec<u8>> {
        let config = serde_json::json!({
            "port": self.listener.local_addr()?.port(),
            "socket": self.abstract_name,
            "canary": self.directory.path().join("canary"),
            "tmp_bytes": TMP_BYTES,
            "shm_bytes": SHM_BYTES,
            "processes": PROBE_PROCESSES,
            "environment": ENVIRONMENT,
        });
        Ok(serde_json::to_vec(&config)?)
    }
}

fn probe(launcher: &Launcher) -> Result<Vec<Guarantee>, String> {
    let bait = Bait::lay().map_err(|error| error.to_string())?;
    let config = bait.config().map_err(|error| error.to_string())?;
    let confined =
        start(launcher, &config, &bait.directory.path().join("empty"), None).map_err(|it| it.to_string())?;
    let uid = confined.launcher_uid();
    let cancel = Cancel::default();
    let mut ignore = |_| {};
    let mut conversation = Conversation::new(confined, &cancel, &mut ignore);
    let report = answer(&mut conversation).map_err(|fault| {
        let log = conversation.confined.log.tail();
        format!("the probe gave no report: {fault} {log}")
    })?;

    let launcher_uid = match uid {
        Ok(0) => Some("the launcher runs as root".to_owned()),
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    };
    let mut guarantees = vec![Guarantee { name: "launcher is not root", broken: launcher_uid }];
    guarantees.extend(INSIDE.map(|name| Guarantee { name, broken: verdict(&report, name) }));
    let left = conversation.confined.end().err().map(|error| error.to_string());
    guarantees.push(Guarantee { name: "nothing left running", broken: left });
    Ok(guarantees)
}

/// A guarantee the probe does not mention is broken.
fn verdict(report: &serde_json::Value, name: &str) -> Option<String> {
    match report.get(name) {
        Some(serde_json::Value::Null) => None,
        Some(reason) => Some(reason.as_str().map_or_else(|| reason.to_string(), ToOwned::to_owned)),
        None => Some("the probe did not report on it".to_owned()),
    }
}

/// Shared memory, because limits of a single process do not bound it.
fn hog(launcher: &Launcher) -> Result<(), String> {
    let bait = Bait::lay().map_err(|error| error.to_string())?;
    let confined = start(launcher, b"{}", &bait.directory.path().join("empty"), Some("hog"))
        .map_err(|it| it.to_string())?;
    let cancel = Cancel::default();
    let mut ignore = |_| {};
    match answer(&mut Conversation::new(confined, &cancel, &mut ignore)) {
        Err(Fault::OutOfMemory { .. }) => Ok(()),
        Ok(_) => Err(format!("1 GiB was taken where {} MiB are allowed", HOG_MEMORY_BYTES >> 20)),
        Err(other) => Err(format!("the probe ended otherwise: {other}")),
    }
}

fn start(
    launcher: &Launcher,
    config: &[u8],
    empty: &Path,
    argument: Option<&str>,
) -> Result<Confined, LaunchError> {
    let mut program = ["/usr/bin/python3", "-I", "/probe.py"].map(OsStr::new).to_vec();
    program.extend(argument.map(OsStr::new));
    launcher.start(&Confinement {
        program,
        mounts: vec![(empty, "/model"), (empty, "/audio"), (empty, "/runtime")],
        manifest: config,
        probe: Some(PROBE),
        limits: TreeLimits {
            memory_bytes: if argument.is_some() { HOG_MEMORY_BYTES } else { PROBE_MEMORY_BYTES },
            processes: PROBE_PROCESSES,
            cores: 1,
        },
    })
}

fn answer(conversation: &mut Conversation<'_>) -> Result<serde_json::Value, Fault> {
    let deadline =
        Deadline { at: Instant::now() + PROBE_TIMEOUT, what: "the self-test did not end".to_owned() };
    let line = conversation.receive(&deadline)?;
    Ok(serde_json::from_slice(&line.bytes).map_err(io::Error::from)?)
}
