//! Start one program under bubblewrap and end it with everything it started.
//!
//! Order of events: a gate (`/bin/bash`, already the unprivileged user, empty environment) waits; the supervisor
//! puts it into its cgroup and opens the gate; the gate becomes bubblewrap; bubblewrap makes the namespaces,
//! applies seccomp and becomes `prlimit`, which becomes the program. Nothing untrusted runs before all of it holds.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, Read, Seek, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use command_fds::{CommandFdExt, FdMapping};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{MemfdFlags, OFlags, fcntl_setfl, memfd_create},
    pipe::{PipeFlags, pipe_with},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

use crate::{
    cgroup::{Group, Hierarchy, TreeLimits},
    device::{Device, Node},
    log::Log,
    seccomp,
    user::Identity,
    watchdog,
};

/// Where the model finds its description: the manifest as JSON.
pub const MANIFEST_PATH: &str = "/ffasr.json";

/// Size of the private /tmp, in bytes.
pub(crate) const TMP_BYTES: u64 = 64 * 1024 * 1024;
/// Size of the private /dev/shm, in bytes.
pub(crate) const SHM_BYTES: u64 = 64 * 1024 * 1024;

/// All that a program inside finds in its environment.
pub(crate) const ENVIRONMENT: [(&str, &str); 6] = [
    ("HOME", "/tmp"),
    ("LANG", "C.UTF-8"),
    ("PATH", "/usr/bin:/bin"),
    ("PYTHONDONTWRITEBYTECODE", "1"),
    ("PYTHONUNBUFFERED", "1"),
    ("USER", "model"),
];

/// Uid and gid a program sees itself as.
pub(crate) const INSIDE_UID: u32 = 65_534;

/// Waits for a line, closes what the supervisor itself inherited (bash, since other shells know one-digit
/// descriptors only), and becomes its arguments
/// without bash's own additions to the environment.
const GATE: &str = r#"
read -r go || exit 1
for descriptor in /proc/self/fd/*; do
    descriptor=${descriptor##*/}
    if ((descriptor > 8)); then exec {descriptor}>&-; fi
done
exec -c "$@" </dev/null
"#;
const OPEN_FILES: u32 = 1024;
const START_TIMEOUT: Duration = Duration::from_secs(20);
const END_TIMEOUT: Duration = Duration::from_secs(10);

// Descriptors of the launched process. 3 and 4 reach the program; bubblewrap reads and closes the rest.
const REQUESTS_FD: i32 = 3;
const ANSWERS_FD: i32 = 4;
const SECCOMP_FD: i32 = 5;
const INFO_FD: i32 = 6;
const MANIFEST_FD: i32 = 7;
const PROGRAM_FD: i32 = 8;

/// One layer of the isolation that the tests of the self-test can take away, to see that its loss is noticed.
/// Outside of those tests there is no way to be without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    NetworkNamespace,
    ProcessNamespace,
    IpcNamespace,
    NoNestedUserNamespaces,
    Seccomp,
    Watchdog,
    ProcessLimit,
    ScratchLimit,
    ReadOnlyMounts,
    HiddenHost,
    EmptyEnvironment,
    NoCapabilities,
    ClosedDescriptors,
    LogLimit,
    AnswerLimit,
    Clock,
    Kill,
}

/// What is needed to start sandboxes on this machine.
#[derive(Debug, Clone)]
pub(crate) struct Launcher {
    pub(crate) bubblewrap: PathBuf,
    pub(crate) identity: Identity,
    pub(crate) hierarchy: Hierarchy,
    seccomp: Vec<u8>,
    #[cfg(test)]
    pub(crate) missing: Vec<Layer>,
}

/// One program and what it may see and use.
#[derive(Debug)]
pub(crate) struct Confinement<'a> {
    /// Program and arguments, paths as inside.
    pub(crate) program: Vec<&'a OsStr>,
    /// Directories of the host, and where they appear, read-only.
    pub(crate) mounts: Vec<(&'a Path, &'a str)>,
    /// Accelerators it may use.
    pub(crate) devices: &'a [Device],
    /// Content of [`MANIFEST_PATH`].
    pub(crate) manifest: &'a [u8],
    /// Content of one more read-only file, `/probe.py`.
    pub(crate) probe: Option<&'a [u8]>,
    pub(crate) limits: TreeLimits,
}

/// A running sandbox. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Confined {
    launcher: Child,
    init: OwnedFd,
    init_pid: u32,
    group: Option<Group>,
    memory_limit: u64,
    watched: bool,
    killed: bool,
    watched_peak: u64,
    ended: bool,
    /// Write end of descriptor 3, not blocking.
    pub(crate) requests: File,
    /// Read end of descriptor 4, not blocking.
    pub(crate) answers: File,
    pub(crate) log: Log,
}

/// The sandbox could not be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchError {
    #[error("bubblewrap is not installed; install it with: apt-get install bubblewrap")]
    NoBubblewrap,
    #[error(transparent)]
    Identity(#[from] crate::user::IdentityError),
    #[error(
        "the user that starts the sandbox may not enter {0}; make it searchable (chmod o+x) or use another place"
    )]
    Barred(PathBuf),
    #[error("bubblewrap did not start the program: {0}")]
    Refused(String),
    #[error("the sandbox could not be set up: {0}")]
    Io(#[from] io::Error),
}

impl From<rustix::io::Errno> for LaunchError {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::Io(errno.into())
    }
}

impl Launcher {
    pub(crate) fn find() -> Result<Self, LaunchError> {
        let bubblewrap = ["/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap"]
            .into_iter()
            .map(PathBuf::from)
            .find(|it| it.is_file())
            .ok_or(LaunchError::NoBubblewrap)?;
        let hierarchy = Hierarchy::detect();
        Ok(Self {
            bubblewrap,
            identity: Identity::find()?,
            seccomp: seccomp::program(!matches!(hierarchy, Hierarchy::Unavailable(_)))?,
            hierarchy,
            #[cfg(test)]
            missing: Vec::new(),
        })
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "the tests' twin looks")]
    pub(crate) fn has(&self, _: Layer) -> bool {
        true
    }

    #[cfg(test)]
    pub(crate) fn has(&self, layer: Layer) -> bool {
        !self.missing.contains(&layer)
    }

    pub(crate) fn describe(&self) -> String {
        format!(
            "bubblewrap (user, pid, network, ipc, uts and cgroup namespaces), seccomp allow list, {}, launcher uid {}",
            self.hierarchy.describe(),
            self.identity.uid
        )
    }

    /// Start `confinement`. The thread that calls this must live as long as the sandbox: the kernel ends the
    /// sandbox when the thread that started it ends.
    pub(crate) fn start(&self, confinement: &Confinement<'_>) -> Result<Confined, LaunchError> {
        for (host, _) in &confinement.mounts {
            if let Some(directory) = self.identity.barred_from(host) {
                return Err(LaunchError::Barred(directory));
            }
        }
        let (requests_inside, requests) = pipe_with(PipeFlags::CLOEXEC)?;
        let (answers, answers_inside) = pipe_with(PipeFlags::CLOEXEC)?;
        let (log, log_inside) = pipe_with(PipeFlags::CLOEXEC)?;
        let (info, info_inside) = pipe_with(PipeFlags::CLOEXEC)?;
        fcntl_setfl(&requests, OFlags::NONBLOCK)?;
        fcntl_setfl(&answers, OFlags::NONBLOCK)?;
        let mut descriptors = vec![
            (REQUESTS_FD, requests_inside),
            (ANSWERS_FD, answers_inside),
            (SECCOMP_FD, memory_file("seccomp", &self.seccomp)?),
            (INFO_FD, info_inside),
            (MANIFEST_FD, memory_file("manifest", confinement.manifest)?),
        ];
        if let Some(probe) = confinement.probe {
            descriptors.push((PROGRAM_FD, memory_file("probe", probe)?));
        }

        let group = self.hierarchy.create(confinement.limits)?;
        let mut command = Command::new("/bin/bash");
        command
            .args(["-c", &self.gate(), "gate"])
            .arg(&self.bubblewrap)
            .args(self.arguments(confinement, group.is_some()))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(log_inside.try_clone()?)
            .stderr(log_inside);
        if self.has(Layer::EmptyEnvironment) {
            command.env_clear();
        }
        if self.identity.dropped {
            // Also gives up root's supplementary groups.
            command.gid(self.identity.gid).uid(self.identity.uid);
        }
        let mappings =
            descriptors.into_iter().map(|(child_fd, parent_fd)| FdMapping { parent_fd, child_fd }).collect();
        command.fd_mappings(mappings).map_err(io::Error::other)?;
        let mut launcher = command.spawn()?;
        // Holds our copies of the inside ends; they must go, or no end of file would ever be seen.
        drop(command);
        let log = Log::drain(File::from(log));

        let opened = open_gate(&mut launcher, group.as_ref()).and_then(|()| read_init_pid(info));
        let started = opened.and_then(|pid| Ok((pid, pidfd_open(to_pid(pid)?, PidfdFlags::empty())?)));
        match started {
            Ok((init_pid, init)) => Ok(Confined {
                launcher,
                init,
                init_pid,
                group,
                memory_limit: confinement.limits.memory_bytes,
                watched: self.has(Layer::Watchdog),
                killed: self.has(Layer::Kill),
                watched_peak: 0,
                ended: false,
                requests: File::from(requests),
                answers: File::from(answers),
                log,
            }),
            Err(error) => {
                let _ = launcher.kill();
                let _ = launcher.wait();
                let mut log = log;
                log.finish();
                Err(refusal(&log, error))
            }
        }
    }

    /// The gate's program.
    fn gate(&self) -> String {
        let mut gate = GATE.to_owned();
        if !self.has(Layer::ClosedDescriptors) {
            gate = gate.replace("exec {descriptor}>&-", "true");
        }
        if !self.has(Layer::EmptyEnvironment) {
            gate = gate.replace("exec -c", "exec");
        }
        gate
    }

    /// Bubblewrap's command line.
    fn arguments(&self, confinement: &Confinement<'_>, grouped: bool) -> Vec<OsString> {
        let mut arguments = Arguments(Vec::new());
        arguments.words("--unshare-user --unshare-uts --unshare-cgroup-try --die-with-parent --new-session");
        for (layer, option) in [
            (Layer::ProcessNamespace, "--unshare-pid"),
            (Layer::NetworkNamespace, "--unshare-net"),
            (Layer::IpcNamespace, "--unshare-ipc"),
            (Layer::NoNestedUserNamespaces, "--disable-userns"),
            (Layer::EmptyEnvironment, "--clearenv"),
        ] {
            if self.has(layer) {
                arguments.words(option);
            }
        }
        arguments.words(if self.has(Layer::NoCapabilities) { "--cap-drop ALL" } else { "--cap-add ALL" });
        arguments.push(["--hostname", "sandbox"]);
        arguments.push(["--uid", &INSIDE_UID.to_string(), "--gid", &INSIDE_UID.to_string()]);
        for (name, value) in ENVIRONMENT {
            arguments.push(["--setenv", name, value]);
        }
        arguments.system();
        if !self.has(Layer::HiddenHost) {
            arguments.words("--ro-bind /etc /etc");
        }
        arguments.words("--proc /proc --dev /dev");
        for (bytes, place) in [(TMP_BYTES, "/tmp"), (SHM_BYTES, "/dev/shm")] {
            if self.has(Layer::ScratchLimit) {
                arguments.push(["--size", &bytes.to_string()]);
            }
            arguments.push(["--tmpfs", place]);
        }
        arguments.devices(confinement.devices);
        arguments.words("--remount-ro /dev");
        let bind = if self.has(Layer::ReadOnlyMounts) { "--ro-bind" } else { "--bind" };
        for (host, inside) in &confinement.mounts {
            arguments.push([OsStr::new(bind), host.as_os_str(), OsStr::new(inside)]);
        }
        arguments.push(["--perms", "0444", "--ro-bind-data", &MANIFEST_FD.to_string(), MANIFEST_PATH]);
        if confinement.probe.is_some() {
            arguments.push(["--perms", "0444", "--ro-bind-data", &PROGRAM_FD.to_string(), "/probe.py"]);
        }
        arguments.words("--remount-ro / --chdir /");
        if self.has(Layer::Seccomp) {
            arguments.push(["--seccomp", &SECCOMP_FD.to_string()]);
        }
        arguments.push(["--info-fd", &INFO_FD.to_string(), "--"]);
        arguments.limits(confinement.limits, grouped, self.has(Layer::ProcessLimit));
        arguments.push(confinement.program.iter().copied());
        arguments.0
    }
}

/// A command line under construction.
struct Arguments(Vec<OsString>);

impl Arguments {
    fn push(&mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) {
        self.0.extend(arguments.into_iter().map(|it| it.as_ref().to_owned()));
    }

    fn words(&mut self, words: &str) {
        self.push(words.split_whitespace());
    }

    /// Programs and libraries of the host, and no more of it: /usr/share may hold the very transcripts a
    /// corpus was made from, /usr/local and /etc are nobody's business.
    fn system(&mut self) {
        for name in ["bin", "lib", "lib64"] {
            let usr = format!("/usr/{name}");
            if Path::new(&usr).is_dir() {
                self.push(["--ro-bind", &usr, &usr]);
            }
            let top = format!("/{name}");
            match fs::read_link(&top) {
                Ok(target) => self.push([OsStr::new("--symlink"), target.as_os_str(), OsStr::new(&top)]),
                Err(_) if Path::new(&top).is_dir() => self.push(["--ro-bind", &top, &top]),
                Err(_) => {}
            }
        }
    }

    /// Device nodes under their usual names, and the driver's libraries where they are not among the system's.
    fn devices(&mut self, devices: &[Device]) {
        let mut shown = BTreeSet::new();
        for node in devices.iter().flat_map(|it| &it.nodes) {
            // Some nodes serve all devices.
            if shown.insert(&node.inside) {
                self.push([OsStr::new("--dev-bind"), node.host.as_os_str(), node.inside.as_os_str()]);
            }
        }
        let libraries: BTreeSet<&Node> = devices.iter().flat_map(|it| &it.libraries).collect();
        for library in &libraries {
            self.push([OsStr::new("--ro-bind"), library.host.as_os_str(), library.inside.as_os_str()]);
        }
        if !libraries.is_empty() {
            let path: Vec<&OsStr> = libraries.iter().map(|it| it.inside.as_os_str()).collect();
            self.push([OsStr::new("--setenv"), OsStr::new("LD_LIBRARY_PATH"), &path.join(OsStr::new(":"))]);
        }
    }

    /// Limits of each single process. Set inside, where the number of processes is counted for the sandbox's
    /// own user namespace and not for the user on the host.
    fn limits(&mut self, limits: TreeLimits, grouped: bool, count_processes: bool) {
        let file_bytes = TMP_BYTES.max(SHM_BYTES);
        self.words("/usr/bin/prlimit --core=0:0");
        self.push([
            format!("--nofile={OPEN_FILES}:{OPEN_FILES}"),
            format!("--fsize={file_bytes}:{file_bytes}"),
        ]);
        if count_processes {
            self.push([format!("--nproc={0}:{0}", limits.processes)]);
        }
        if !grouped {
            // With a cgroup the kernel's out-of-memory verdict is the clearer one.
            self.push([format!("--data={0}:{0}", limits.memory_bytes)]);
        }
        self.words("--");
    }
}

impl Confined {
    pub(crate) fn memory_limit(&self) -> u64 {
        self.memory_limit
    }

    /// Host uid of the launcher, as the kernel tells it.
    pub(crate) fn launcher_uid(&self) -> io::Result<u32> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.launcher.id()))?;
        let uids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
        uids.and_then(|uids| uids.split_whitespace().next()?.parse().ok())
            .ok_or_else(|| io::Error::other("no uid in /proc"))
    }

    /// Whether the tree ran into its memory limit.
    pub(crate) fn is_out_of_memory(&mut self) -> bool {
        if let Some(group) = &self.group {
            return group.out_of_memory_kills() > 0;
        }
        if self.watched && !self.ended {
            self.watched_peak = self.watched_peak.max(watchdog::tree_memory_bytes(self.init_pid));
        }
        self.watched_peak > self.memory_limit
    }

    /// Peak memory of the tree in bytes, where it can be measured.
    pub(crate) fn peak_memory_bytes(&self) -> Option<u64> {
        match &self.group {
            Some(group) => group.peak_memory_bytes(),
            None => (self.watched_peak > 0).then_some(self.watched_peak),
        }
    }

    /// Processor time of the tree so far in seconds, where it can be measured.
    pub(crate) fn processor_seconds(&self) -> Option<f64> {
        self.group.as_ref().and_then(Group::processor_seconds)
    }

    /// Kill everything and wait until it is gone; an error if it is not.
    ///
    /// The program's tree lives in a PID namespace whose first process is killed: the kernel ends all others
    /// before that one's end can be seen, so its pidfd says when nothing is left.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        if self.ended {
            return Ok(());
        }
        self.is_out_of_memory();
        let patience = if self.killed {
            let _ = pidfd_send_signal(&self.init, Signal::KILL);
            END_TIMEOUT
        } else {
            // In the self-test's own tests: nobody is coming to end it.
            Duration::from_secs(1)
        };
        let gone = wait_readable(&self.init, Instant::now() + patience)?;
        // Bubblewrap's own monitor follows its child; if it does not, it is told to.
        if !gone {
            self.launcher.kill()?;
        }
        self.launcher.wait()?;
        self.log.finish();
        self.ended = true;
        let empty = self.group.as_ref().is_none_or(Group::is_empty);
        if gone && empty { Ok(()) } else { Err(io::Error::other("processes of the sandbox outlived it")) }
    }
}

impl Drop for Confined {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::error!(%error, "a sandbox could not be ended");
        }
    }
}

/// A read-only file that exists in memory only.
fn memory_file(name: &str, content: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create(name, MemfdFlags::CLOEXEC)?);
    file.write_all(content)?;
    file.rewind()?;
    Ok(file.into())
}

fn open_gate(launcher: &mut Child, group: Option<&Group>) -> Result<(), LaunchError> {
    if let Some(group) = group {
        group.attach(launcher.id())?;
    }
    let mut gate = launcher.stdin.take().ok_or_else(|| io::Error::other("no gate"))?;
    Ok(gate.write_all(b"\n")?)
}

/// Bubblewrap's `--info-fd`: `{"child-pid": N, …}`, then end of file.
fn read_init_pid(info: OwnedFd) -> Result<u32, LaunchError> {
    let deadline = Instant::now() + START_TIMEOUT;
    let mut info = File::from(info);
    let mut text = Vec::new();
    let mut chunk = [0; 512];
    loop {
        if !wait_readable(&info, deadline)? {
            return Err(LaunchError::Refused("it did not answer in time".to_owned()));
        }
        match info.read(&mut chunk)? {
            0 => break,
            length => text.extend_from_slice(&chunk[..length]),
        }
        if text.contains(&b'}') {
            break;
        }
    }
    let info: serde_json::Value =
        serde_json::from_slice(&text).map_err(|_| LaunchError::Refused(String::new()))?;
    info["child-pid"]
        .as_u64()
        .and_then(|pid| u32::try_from(pid).ok())
        .ok_or_else(|| LaunchError::Refused("it named no process".to_owned()))
}

fn refusal(log: &Log, error: LaunchError) -> LaunchError {
    match error {
        LaunchError::Refused(reason) if reason.is_empty() => {
            LaunchError::Refused(log.tail().trim().to_owned())
        }
        other => other,
    }
}

fn to_pid(pid: u32) -> Result<Pid, LaunchError> {
    i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| LaunchError::Refused(format!("it named the process {pid}")))
}

/// Wait until `descriptor` can be read (or is at its end); false when `deadline` passes first.
pub(crate) fn wait_readable(descriptor: impl AsFd, deadline: Instant) -> io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        let mut polled = [PollFd::new(&descriptor, PollFlags::IN)];
        match poll(&mut polled, Some(&timeout)) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
