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
    launcher::{Confined, Confinement, ENVIRONMENT, LaunchError, Launcher, Layer, SHM_BYTES, TMP_BYTES},
    run::{Cancel, Fault},
    runner::BadAnswer,
};

const PROBE: &[u8] = include_bytes!("probe.py");
const PROBE_TIMEOUT: Duration = Duration::from_mins(1);
/// How long the probe that never answers is waited for.
const STUBBORN_TIMEOUT: Duration = Duration::from_millis(300);
const PROBE_MEMORY_BYTES: u64 = 512 * 1024 * 1024;
const HOG_MEMORY_BYTES: u64 = 64 * 1024 * 1024;
const PROBE_PROCESSES: u32 = 24;

/// Namespaces that must be the sandbox's own, by their names in `/proc/self/ns`.
const NAMESPACES: [&str; 6] = ["ipc", "mnt", "net", "pid", "user", "uts"];

/// A promise, how it is tried, and what keeps it.
type Promise = (&'static str, &'static str, &'static str);

const STARTED: Promise = ("sandbox can be started", "one program is started in it", "bubblewrap");
const LAUNCHER: Promise =
    ("launcher is not root", "its uid on the host is read from /proc", "setpriv to an ordinary user");
const LEFTOVERS: Promise = (
    "nothing left running",
    "a daemon that ignores signals is left behind, then the sandbox is ended",
    "pid namespace, SIGKILL to its first process",
);
const MEMORY: Promise = ("memory bounded", "1 GiB of shared memory is written where 64 MiB are allowed", "");
const LOG: Promise = ("log bounded", "the program prints for ever", "supervisor, capped pipe");
const ANSWERS: Promise = ("answers bounded", "an answer without an end is sent", "supervisor, capped pipe");
const TIME: Promise = (
    "time bounded",
    "the program ignores every signal and never answers",
    "supervisor's clock, SIGKILL to the pid namespace",
);

/// Promises that the probe tries from inside; the names are keys of its report.
const INSIDE: [Promise; 13] = [
    (
        "no network",
        "sockets of eight families; the host's loopback and abstract socket are called; interfaces are listed",
        "network namespace, seccomp",
    ),
    ("own namespaces", "each is compared with the worker's", "bubblewrap"),
    (
        "host files invisible",
        "accounts, homes, logs, /sys, /usr/share, the worker's own temporary files are looked for",
        "mount namespace",
    ),
    ("kernel settings not writable", "core_pattern and sysrq-trigger are opened", "launcher is not root"),
    (
        "file system read-only",
        "files are made in /, /usr, /dev, the runtime, the model and the audio, where file modes would let them",
        "read-only mounts",
    ),
    ("scratch space bounded", "/tmp and /dev/shm are filled", "size of the tmpfs"),
    ("environment empty", "the environment of every visible process is read", "execve without environment"),
    (
        "no privileges inside",
        "uid, the five capability sets and no_new_privs are read",
        "user namespace, capabilities dropped",
    ),
    (
        "seccomp in force",
        "39 system calls are tried: ptrace, keyrings, bpf, perf, io_uring, mount, modules, …",
        "seccomp allow list",
    ),
    ("no user namespaces", "unshare, clone and clone3", "seccomp, limit of the user namespace"),
    ("host processes invisible", "/proc is listed", "pid namespace"),
    ("no descriptors leaked", "/proc/self/fd is listed", "gate closes what the worker inherited"),
    ("number of processes bounded", "children are started until it fails", ""),
];

/// One thing the sandbox promises, and whether it was found to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guarantee {
    /// What is promised.
    pub name: &'static str,
    /// How it was tried.
    pub tried: &'static str,
    /// What keeps the promise here.
    pub kept_by: String,
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

/// A table: the verdict and the promise, what keeps it, how it was tried; below a broken one, how it was broken.
impl fmt::Display for SelfTest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |of: fn(&Guarantee) -> &str| {
            self.guarantees.iter().map(|it| of(it).chars().count()).max().unwrap_or_default()
        };
        let (names, keepers) = (width(|it| it.name), width(|it| &it.kept_by));
        writeln!(formatter, "{:6}  {:names$}  {:keepers$}  tried by", "result", "guarantee", "kept by")?;
        for Guarantee { name, tried, kept_by, broken } in &self.guarantees {
            let verdict = if broken.is_none() { "holds" } else { "BROKEN" };
            writeln!(formatter, "{verdict:6}  {name:names$}  {kept_by:keepers$}  {tried}")?;
            if let Some(reason) = broken {
                writeln!(formatter, "        {reason}")?;
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
            let guarantees = vec![guarantee(STARTED, Some(error.to_string()))];
            (SelfTest { guarantees, isolation: "nothing is in force".to_owned() }, None)
        }
    }
}

fn try_all(launcher: &Launcher) -> Vec<Guarantee> {
    let bait = match Bait::lay() {
        Ok(bait) => bait,
        Err(error) => return vec![guarantee(STARTED, Some(error.to_string()))],
    };
    match probe(launcher, &bait) {
        Ok(mut guarantees) => {
            guarantees.push(guarantee(MEMORY, hog(launcher, &bait).err()));
            guarantees.push(guarantee(LOG, chatter(launcher, &bait).err()));
            guarantees.push(guarantee(ANSWERS, endless(launcher, &bait).err()));
            guarantees.push(guarantee(TIME, stubborn(launcher, &bait).err()));
            for it in &mut guarantees {
                // What counts processes and memory differs from machine to machine.
                if it.kept_by.is_empty() {
                    it.kept_by = launcher.hierarchy.describe();
                }
            }
            guarantees
        }
        Err(reason) => vec![guarantee(STARTED, Some(reason))],
    }
}

fn guarantee((name, tried, kept_by): Promise, broken: Option<String>) -> Guarantee {
    Guarantee { name, tried, kept_by: kept_by.to_owned(), broken }
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
        let empty = directory.path().join("empty");
        fs::create_dir(&empty)?;
        // Open to all, so that nothing but the mount keeps a program from writing there.
        fs::set_permissions(&empty, fs::Permissions::from_mode(0o777))?;
        let abstract_name = directory.path().to_string_lossy().into_owned();
        Ok(Self {
            listener: TcpListener::bind("127.0.0.1:0")?,
            _abstract_listener: UnixListener::bind_addr(&SocketAddr::from_abstract_name(&abstract_name)?)?,
            abstract_name,
            directory,
        })
    }

    fn empty(&self) -> PathBuf {
        self.directory.path().join("empty")
    }

    fn config(&self) -> io::Result<Vec<u8>> {
        let namespaces = NAMESPACES.map(|name| {
            let link = fs::read_link(Path::new("/proc/self/ns").join(name)).unwrap_or_default();
            (name, link.to_string_lossy().into_owned())
        });
        let config = serde_json::json!({
            "port": self.listener.local_addr()?.port(),
            "socket": self.abstract_name,
            "canary": self.directory.path().join("canary"),
            "tmp_bytes": TMP_BYTES,
            "shm_bytes": SHM_BYTES,
            "processes": PROBE_PROCESSES,
            "environment": ENVIRONMENT,
            "namespaces": std::collections::BTreeMap::from(namespaces),
        });
        Ok(serde_json::to_vec(&config)?)
    }
}

fn probe(launcher: &Launcher, bait: &Bait) -> Result<Vec<Guarantee>, String> {
    let config = bait.config().map_err(|error| error.to_string())?;
    let confined = start(launcher, &config, &bait.empty(), None).map_err(|it| it.to_string())?;
    let uid = confined.launcher_uid();
    let cancel = Cancel::default();
    let mut ignore = |_| {};
    let mut conversation = Conversation::new(confined, &cancel, &mut ignore);
    let report = answer(&mut conversation, PROBE_TIMEOUT).map_err(|fault| {
        let log = conversation.confined.log.tail();
        format!("the probe gave no report: {fault} {log}")
    })?;

    let launcher_uid = match uid {
        Ok(0) => Some("the launcher runs as root".to_owned()),
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    };
    let mut guarantees = vec![guarantee(LAUNCHER, launcher_uid)];
    guarantees.extend(INSIDE.map(|promise| guarantee(promise, verdict(&report, promise.0))));
    let left = conversation.confined.end().err().map(|error| error.to_string());
    guarantees.push(guarantee(LEFTOVERS, left));
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
fn hog(launcher: &Launcher, bait: &Bait) -> Result<(), String> {
    match trial(launcher, bait, "hog", PROBE_TIMEOUT)? {
        Fault::OutOfMemory { .. } => Ok(()),
        other => Err(ended_otherwise(&other)),
    }
}

fn chatter(launcher: &Launcher, bait: &Bait) -> Result<(), String> {
    match trial(launcher, bait, "chatter", patience(launcher, Layer::LogLimit))? {
        Fault::RuntimeError(reason) if reason.contains("printed more than") => Ok(()),
        other => Err(ended_otherwise(&other)),
    }
}

fn endless(launcher: &Launcher, bait: &Bait) -> Result<(), String> {
    match trial(launcher, bait, "endless", patience(launcher, Layer::AnswerLimit))? {
        Fault::BadOutput(BadAnswer::TooLong) => Ok(()),
        other => Err(ended_otherwise(&other)),
    }
}

fn stubborn(launcher: &Launcher, bait: &Bait) -> Result<(), String> {
    match trial(launcher, bait, "stubborn", STUBBORN_TIMEOUT)? {
        Fault::Timeout(_) => Ok(()),
        other => Err(ended_otherwise(&other)),
    }
}

/// How long a probe that breaks a limit is let be; not so long where nothing else would stop it.
fn patience(launcher: &Launcher, limit: Layer) -> Duration {
    if launcher.has(limit) { PROBE_TIMEOUT } else { Duration::from_secs(3) }
}

fn ended_otherwise(fault: &Fault) -> String {
    format!("the probe ended otherwise: {fault}")
}

/// How a probe that breaks a limit is stopped; an error if it is not, or is not gone afterwards.
fn trial(launcher: &Launcher, bait: &Bait, misdeed: &str, patience: Duration) -> Result<Fault, String> {
    let confined = start(launcher, b"{}", &bait.empty(), Some(misdeed)).map_err(|it| it.to_string())?;
    let cancel = Cancel::default();
    let mut ignore = |_| {};
    let mut conversation = Conversation::new(confined, &cancel, &mut ignore);
    if !launcher.has(Layer::LogLimit) {
        conversation.log_limit = u64::MAX;
    }
    if !launcher.has(Layer::AnswerLimit) {
        conversation.line_limit = usize::MAX;
    }
    let patience = if launcher.has(Layer::Clock) {
        patience
    } else {
        // In the tests of this test: without its clock a supervisor waits until somebody else asks it to stop.
        let remote = cancel.clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(1));
            remote.cancel();
        });
        PROBE_TIMEOUT
    };
    let outcome = answer(&mut conversation, patience);
    conversation.confined.end().map_err(|error| error.to_string())?;
    outcome.err().ok_or_else(|| "nothing stopped the probe".to_owned())
}

fn start(
    launcher: &Launcher,
    config: &[u8],
    empty: &Path,
    misdeed: Option<&str>,
) -> Result<Confined, LaunchError> {
    let mut program = ["/usr/bin/python3", "-I", "/probe.py"].map(OsStr::new).to_vec();
    program.extend(misdeed.map(OsStr::new));
    launcher.start(&Confinement {
        program,
        mounts: vec![(empty, "/model"), (empty, "/audio"), (empty, "/runtime")],
        devices: &[],
        manifest: config,
        probe: Some(PROBE),
        limits: TreeLimits {
            memory_bytes: if misdeed == Some("hog") { HOG_MEMORY_BYTES } else { PROBE_MEMORY_BYTES },
            processes: PROBE_PROCESSES,
            cores: 1,
        },
    })
}

fn answer(conversation: &mut Conversation<'_>, patience: Duration) -> Result<serde_json::Value, Fault> {
    let deadline = Deadline { at: Instant::now() + patience, what: "the self-test did not end".to_owned() };
    let line = conversation.receive(&deadline)?;
    Ok(serde_json::from_slice(&line.bytes).map_err(io::Error::from)?)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::{cgroup::Hierarchy, user::Identity};

    /// What the self-test finds on this machine without these layers.
    fn without(layers: &[Layer]) -> Vec<Guarantee> {
        let mut launcher = Launcher::find().unwrap();
        launcher.missing = layers.to_vec();
        if layers.contains(&Layer::Watchdog) || layers.contains(&Layer::ProcessLimit) {
            launcher.hierarchy = Hierarchy::Unavailable("taken away".to_owned());
        }
        try_all(&launcher)
    }

    fn broken(guarantees: &[Guarantee]) -> Vec<(&str, &str)> {
        guarantees.iter().filter_map(|it| Some((it.name, it.broken.as_deref()?))).collect()
    }

    /// The guarantee is red, with a reason that holds these words.
    fn assert_broken(layers: &[Layer], name: &str, words: &str) {
        let guarantees = without(layers);
        let found = broken(&guarantees);
        let reason = found.iter().find(|it| it.0 == name).map(|it| it.1);
        assert!(reason.is_some_and(|it| it.contains(words)), "without {layers:?}: {found:?}");
    }

    #[test]
    fn without_a_network_namespace_the_network_is_seen() {
        assert_broken(&[Layer::NetworkNamespace], "no network", "abstract Unix socket");
        assert_broken(&[Layer::NetworkNamespace], "own namespaces", "net");
    }

    #[test]
    fn without_the_filter_system_calls_and_sockets_are_allowed() {
        let guarantees = without(&[Layer::Seccomp]);
        let found = broken(&guarantees);
        assert!(found.contains(&("seccomp in force", "no filter is loaded")), "{found:?}");
        assert!(found.iter().any(|it| it.0 == "no network" && it.1.contains("sockets")), "{found:?}");
    }

    #[test]
    fn one_of_the_two_locks_on_user_namespaces_is_enough_and_none_is_not() {
        let one = without(&[Layer::NoNestedUserNamespaces]);
        assert_eq!(broken(&one), []);
        assert_broken(
            &[Layer::NoNestedUserNamespaces, Layer::Seccomp],
            "no user namespaces",
            "a user namespace was made",
        );
    }

    #[test]
    fn without_a_pid_namespace_the_hosts_processes_are_seen() {
        assert_broken(&[Layer::ProcessNamespace], "host processes invisible", "visible");
    }

    #[test]
    fn without_an_ipc_namespace_that_is_told() {
        assert_broken(&[Layer::IpcNamespace], "own namespaces", "ipc");
    }

    #[test]
    fn without_cgroup_and_watchdog_memory_is_not_bounded() {
        assert_broken(&[Layer::Watchdog], "memory bounded", "nothing stopped the probe");
    }

    #[test]
    fn without_a_cgroup_the_watchdog_bounds_memory_and_the_limit_of_processes_their_number() {
        let mut launcher = Launcher::find().unwrap();
        launcher.hierarchy = Hierarchy::Unavailable("taken away".to_owned());
        assert_eq!(broken(&try_all(&launcher)), []);
    }

    #[test]
    fn without_cgroup_and_limit_processes_are_not_bounded() {
        assert_broken(&[Layer::ProcessLimit], "number of processes bounded", "could be started");
    }

    #[test]
    fn scratch_space_without_a_size_is_noticed() {
        assert_broken(&[Layer::ScratchLimit], "scratch space bounded", "/tmp holds more");
    }

    #[test]
    fn mounts_that_can_be_written_are_noticed() {
        assert_broken(&[Layer::ReadOnlyMounts], "file system read-only", "/model can be written");
    }

    #[test]
    fn files_of_the_host_are_noticed() {
        assert_broken(&[Layer::HiddenHost], "host files invisible", "/etc/passwd");
    }

    #[test]
    fn an_environment_is_noticed_and_named_without_its_values() {
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some(), "there is an environment to leak");
        let guarantees = without(&[Layer::EmptyEnvironment]);
        let (_, reason) = broken(&guarantees)[0];
        assert!(reason.contains("CARGO_MANIFEST_DIR") && !reason.contains("crates/sandbox"), "{reason}");
    }

    #[test]
    fn capabilities_are_noticed() {
        assert_broken(&[Layer::NoCapabilities], "no privileges inside", "capabilities");
    }

    #[test]
    fn a_log_and_an_answer_without_a_limit_are_noticed() {
        assert_broken(&[Layer::LogLimit], "log bounded", "ended otherwise");
        assert_broken(&[Layer::AnswerLimit], "answers bounded", "ended otherwise");
    }

    #[test]
    fn a_supervisor_without_a_clock_is_noticed() {
        assert_broken(&[Layer::Clock], "time bounded", "ended otherwise: the run was cancelled");
    }

    #[test]
    fn a_process_that_is_left_running_is_noticed() {
        assert_broken(&[Layer::Kill], "nothing left running", "outlived");
    }

    #[test]
    fn a_sandbox_that_cannot_be_started_is_noticed_and_nothing_else_is_claimed() {
        let mut launcher = Launcher::find().unwrap();
        launcher.bubblewrap = PathBuf::from("/usr/bin/false");
        let guarantees = try_all(&launcher);
        assert_eq!(guarantees.len(), 1, "{guarantees:?}");
        let found = broken(&guarantees);
        assert!(
            found[0].0 == "sandbox can be started" && found[0].1.contains("did not start the program"),
            "{found:?}"
        );
    }

    #[test]
    fn an_inherited_descriptor_is_noticed() {
        let file = fs::File::open("/etc/passwd").unwrap();
        // High enough to be nobody else's, and not closed when another program is started.
        let leaked = rustix::io::fcntl_dupfd_cloexec(file.as_fd(), 50).unwrap();
        rustix::io::fcntl_setfd(&leaked, rustix::io::FdFlags::empty()).unwrap();
        assert_broken(&[Layer::ClosedDescriptors], "no descriptors leaked", "open: [");
    }

    #[test]
    fn a_launcher_that_is_root_is_noticed_where_the_test_can_be_root() {
        let mut launcher = Launcher::find().unwrap();
        if !launcher.identity.dropped {
            // An ordinary user cannot start anything as root: the promise cannot be taken away from here.
            return;
        }
        launcher.identity = Identity { uid: 0, gid: 0, dropped: false };
        let guarantees = try_all(&launcher);
        let found = broken(&guarantees);
        assert!(found.contains(&("launcher is not root", "the launcher runs as root")), "{found:?}");
        assert!(found.iter().any(|it| it.0 == "kernel settings not writable"), "{found:?}");
    }

    #[test]
    fn the_table_says_what_is_promised_what_keeps_it_and_how_it_was_broken() {
        let guarantees = vec![guarantee(LOG, None), guarantee(TIME, Some("it went on".to_owned()))];
        let table = SelfTest { guarantees, isolation: "bubblewrap".to_owned() }.to_string();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 5, "{table}");
        assert!(lines[1].starts_with("holds   log bounded"), "{table}");
        assert!(lines[2].starts_with("BROKEN  time bounded"), "{table}");
        assert_eq!(lines[3].trim(), "it went on");
        // Columns stand below one another.
        assert_eq!(lines[0].find("tried by"), lines[1].find(LOG.1));
    }

    #[test]
    fn what_the_probe_is_silent_about_is_broken() {
        assert!(verdict(&serde_json::json!({}), "no network").unwrap().contains("did not report"));
    }
}
