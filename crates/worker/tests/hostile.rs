//! Hostile submissions, each run the way any submission is: claimed, fetched, run in the sandbox, reported.
//!
//! Each must end as it should, nothing of the node may be in anything the service is told, and the next job must
//! run. `crates/sandbox/HOSTILE.md` is the table of what each ended as; it is made from the one here
//! (`FFASR_WRITE_HOSTILE=1 cargo nextest run -p worker`).

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up panics")]
#![expect(dead_code, reason = "shares its surroundings with the other tests")]

mod common;

use std::{
    fs,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            fs::PermissionsExt,
            net::{SocketAddr, UnixListener},
        },
    },
    path::Path,
    process::Command,
};

use common::{TOKEN, Told, World};
use protocol::{AttemptResults, EvaluateJob, Events, Fail, FailureClass, Outcome};

const CANARY: &str = "canary-of-the-host-5d41";
const NEVER_SECONDS: f64 = 1.0;
/// A lease that outlasts any test.
const LONG: u32 = 600;

/// How an attempt ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// Every try was refused; the model says so and the attempt completes.
    Refused,
    /// The attempt completes with answers that start so.
    Completes(&'static str),
    /// The attempt fails.
    Fails(FailureClass),
    /// One or the other, as the machine's scheduler will have it.
    FailsEither(FailureClass, FailureClass),
    /// More memory than allowed: out of memory where a cgroup counts it. Where none does, this.
    Memory(&'static Ends),
}

impl Ends {
    fn words(self) -> String {
        match self {
            Self::Refused => "every try refused".to_owned(),
            Self::Completes(answer) => format!("completes, answering `{answer}`"),
            Self::Fails(class) => format!("`{class}`"),
            Self::FailsEither(one, other) => format!("`{one}` or `{other}`"),
            Self::Memory(&Self::Fails(FailureClass::OutOfMemory)) => {
                Self::Fails(FailureClass::OutOfMemory).words()
            }
            Self::Memory(without) => {
                format!("`out_of_memory`; without a cgroup: {}, or the same", without.words())
            }
        }
    }
}

use Ends::{Completes, Fails, FailsEither, Memory, Refused};
use FailureClass::{BadOutput, LoadError, OutOfMemory, RuntimeError, Timeout};

/// The name of the misdeed in `tests/hostile/adapter.py`, what it does, how it ends, what stops it.
type Attack = (&'static str, &'static str, Ends, &'static str);

const ESCAPES: [Attack; 18] = [
    (
        "sockets",
        "TCP over IPv4 and IPv6, UDP, Unix sockets by path and abstract, Docker's and D-Bus's socket, netlink, raw, packet and vsock sockets",
        Refused,
        "seccomp, network namespace, mount namespace",
    ),
    ("names_of_hosts", "DNS look-up, /etc/hosts", Refused, "seccomp, mount namespace"),
    (
        "secrets",
        "the worker's token, a file of the host, the work directory, accounts, homes, logs, disks, kernel memory",
        Refused,
        "mount namespace",
    ),
    (
        "other_audio",
        "audio of other items and of other attempts",
        Refused,
        "one item at a time, mount namespace",
    ),
    (
        "environment",
        "environment of all processes, through /proc",
        Completes("HOME LANG PATH PWD PYTHONDONTWRITEBYTECODE PYTHONUNBUFFERED USER"),
        "execve without environment",
    ),
    (
        "other_processes",
        "lists, reads, signals and copies from processes of the host",
        Refused,
        "pid namespace, seccomp",
    ),
    (
        "escape_by_proc",
        "/proc/1/root, core_pattern, modprobe, sysrq, uid_map, cgroup files",
        Refused,
        "launcher is not root, mount namespace",
    ),
    (
        "escape_by_links",
        "symbolic and hard links out of /tmp and /audio, `..`, swapped and planted directories",
        Refused,
        "mount namespace, read-only mounts",
    ),
    (
        "inherited_descriptors",
        "descriptors beyond the protocol's, the wrong ends of its pipes, the terminal",
        Refused,
        "gate closes what was inherited, new session",
    ),
    ("debugger", "ptrace attach and seize, process_vm_writev", Refused, "seccomp"),
    ("mounts", "mount, umount, fsopen, move_mount, pivot_root, chroot", Refused, "seccomp"),
    ("namespaces", "unshare, setns, clone3", Refused, "seccomp, limit of the user namespace"),
    ("kernel_module", "init_module, finit_module, delete_module, kexec_load", Refused, "seccomp"),
    ("io_uring", "io_uring_setup, _enter, _register", Refused, "seccomp"),
    ("keyring", "add_key, request_key, keyctl", Refused, "seccomp"),
    ("bpf_and_perf", "bpf, perf_event_open, userfaultfd, ftrace", Refused, "seccomp, mount namespace"),
    (
        "privileges",
        "uid 0, a set-user-id program, a device node, the clock, the host name, priority",
        Refused,
        "no new privileges, no capabilities, seccomp",
    ),
    (
        "writes",
        "writes to, replaces, removes or changes the mode of model, audio, runtime, manifest, programs",
        Refused,
        "read-only mounts",
    ),
];

const BOMBS: [Attack; 14] = [
    ("fork_bomb", "starts processes without end", Completes("stopped "), "pids cgroup, RLIMIT_NPROC"),
    ("thread_bomb", "starts threads without end", Completes("refused"), "pids cgroup, RLIMIT_NPROC"),
    ("memory_bomb", "private memory without end", Memory(&Fails(RuntimeError)), "memory cgroup, RLIMIT_DATA"),
    (
        "shared_memory_bomb",
        "8 GiB of shared anonymous memory",
        Memory(&Fails(OutOfMemory)),
        "memory cgroup, watchdog",
    ),
    (
        "children_memory_bomb",
        "sixteen processes, each below the limit",
        Memory(&Fails(OutOfMemory)),
        "memory cgroup, watchdog",
    ),
    (
        "memory_while_loading",
        "private memory without end, before it is ready",
        Memory(&Fails(LoadError)),
        "memory cgroup, RLIMIT_DATA",
    ),
    (
        "memory_file_bomb",
        "1 GiB in memory files that nobody maps",
        Memory(&Fails(RuntimeError)),
        "memory cgroup, seccomp",
    ),
    (
        "segment_bomb",
        "1 GiB in System V segments, detached",
        Memory(&Fails(RuntimeError)),
        "memory cgroup, seccomp",
    ),
    (
        "inode_bomb",
        "half a million empty files",
        Memory(&Completes("got half a million files")),
        "memory cgroup",
    ),
    ("disk_bomb", "fills /tmp", Completes("refused: OSError"), "size of the tmpfs"),
    ("descriptor_bomb", "opens files without end", Refused, "RLIMIT_NOFILE"),
    ("log_bomb", "prints without end", Fails(RuntimeError), "supervisor: 16 MiB in all"),
    (
        "processor_hog",
        "nine processes that compute for ever",
        Fails(Timeout),
        "cpu cgroup, supervisor's clock",
    ),
    ("kill_everything", "kills its parent and the first process", Completes("alive"), "pid namespace"),
];

const STALLS: [Attack; 8] = [
    ("never", "does not answer", Fails(Timeout), "supervisor's clock"),
    ("never_ready", "does not get ready", Fails(Timeout), "supervisor's clock"),
    ("ignore_signals", "ignores every signal it can", Fails(Timeout), "SIGKILL to the pid namespace"),
    ("stops_itself", "sends itself SIGSTOP", Fails(Timeout), "supervisor's clock"),
    ("never_reads", "shrinks the pipe of requests and reads nothing", Fails(Timeout), "supervisor's clock"),
    ("daemon", "leaves a daemon in a session of its own", Completes("up"), "SIGKILL to the pid namespace"),
    ("exit_while_loading", "ends before it is ready", Fails(LoadError), "supervisor"),
    ("crash", "dies while transcribing", Fails(RuntimeError), "supervisor"),
];

const LIES: [Attack; 18] = [
    ("wrong_id", "answers for another id", Fails(BadOutput), "runner protocol"),
    ("twice", "answers twice in one write", Fails(BadOutput), "runner protocol"),
    ("late_second", "answers twice", Fails(BadOutput), "runner protocol"),
    ("early", "answers the next request before it is asked", Fails(BadOutput), "runner protocol"),
    // The second line comes with the first one, or when the first item is asked for.
    ("ready_twice", "is ready twice", FailsEither(LoadError, BadOutput), "runner protocol"),
    ("nonsense_ready", "is ready in its own words", Fails(LoadError), "runner protocol"),
    ("not_json", "answers in plain text", Fails(BadOutput), "runner protocol"),
    ("not_utf8", "answers bytes that are no UTF-8", Fails(BadOutput), "runner protocol"),
    ("gigabyte_line", "answers one line of 1 GiB", Fails(BadOutput), "64 KiB a line"),
    ("endless_line", "answers a line without end", Fails(BadOutput), "64 KiB a line"),
    ("half_a_line", "ends within a line", Fails(RuntimeError), "supervisor"),
    ("close_answers", "closes the pipe of answers and stays", Fails(RuntimeError), "supervisor"),
    ("nul_text", "a transcript with U+0000", Fails(BadOutput), "runner protocol"),
    ("text_and_error", "a transcript and an error at once", Fails(BadOutput), "runner protocol"),
    ("nested_json", "60 000 nested lists", Fails(BadOutput), "JSON parser's depth limit"),
    ("list_of_answers", "a list with the right answer in it", Fails(BadOutput), "runner protocol"),
    ("huge_number", "a number of 50 000 digits for an id", Fails(BadOutput), "runner protocol"),
    ("own_error", "says that it cannot, for every item", Completes("no speech found"), "scored as empty"),
];

const SMUGGLERS: [Attack; 2] = [
    (
        "smuggle_audio",
        "prints what it hears, as much as it can",
        Completes("done"),
        "64 KiB of log an attempt",
    ),
    (
        "terminal_tricks",
        "prints control sequences, markup, zeros",
        Completes("done"),
        "control characters replaced",
    ),
];

/// What an attempt ended as, by what the service was told.
#[derive(Debug)]
enum Ended {
    Completed(AttemptResults),
    Failed(Fail),
}

fn ends(told: &[Told]) -> Vec<Ended> {
    let mut upload = None;
    let mut ends = Vec::new();
    for told in told {
        match told {
            Told::Upload(body) => upload = Some(serde_json::from_slice(body).unwrap()),
            Told::Complete(_) => ends.push(Ended::Completed(upload.take().unwrap())),
            Told::Fail(fail) => ends.push(Ended::Failed(fail.clone())),
            _ => {}
        }
    }
    ends
}

/// What the attackers are after, put in their way.
struct Bait {
    world: World,
    _socket: UnixListener,
    _abstract_socket: UnixListener,
    _listener: std::net::TcpListener,
    known: serde_json::Value,
}

impl Bait {
    async fn lay() -> Self {
        let world = World::new().await;
        let directory = world.config.token_file.parent().unwrap();
        let (canary, socket) = (directory.join("canary"), directory.join("socket"));
        fs::write(&canary, CANARY).unwrap();
        for path in [&canary, &world.config.token_file] {
            // Open to all: file modes are not what keeps them from a model.
            fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
        }
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let name = SocketAddr::from_abstract_name(socket.to_str().unwrap()).unwrap();
        let known = serde_json::json!({
            "token_file": world.config.token_file, "canary": canary, "work": world.config.work_directory,
            "socket": socket, "port": listener.local_addr().unwrap().port(),
        });
        Self {
            _socket: UnixListener::bind(&socket).unwrap(),
            _abstract_socket: UnixListener::bind_addr(&name).unwrap(),
            _listener: listener,
            known,
            world,
        }
    }

    fn job(&self, attack: &str) -> EvaluateJob {
        let mut job = self.world.job(attack);
        job.model.notes = self.known.to_string();
        job.warm_up.clear();
        job.items.truncate(2);
        job.repeats.clear();
        if matches!(attack, "never" | "ignore_signals" | "stops_itself" | "never_reads" | "processor_hog") {
            job.limits.item_seconds = NEVER_SECONDS;
        }
        if attack == "fork_bomb" {
            // Enough for all of them: this is about their number.
            job.limits.memory_bytes = 4 << 30;
        }
        if attack == "never_ready" {
            job.limits.ready_seconds = NEVER_SECONDS;
        }
        job
    }
}

/// Nothing that the node must keep may be in anything the service was told.
fn assert_nothing_leaked(told: &[Told]) {
    let environment = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    for told in told {
        let text = match told {
            Told::Upload(body) => String::from_utf8_lossy(body).into_owned(),
            other => format!("{other:?}"),
        };
        for secret in [TOKEN, CANARY, &environment, "root:x:0:0"] {
            assert!(!text.contains(secret), "`{secret}` is in {text}");
        }
    }
}

/// Run the attacks one after the other, then a model that behaves.
async fn run(attacks: &[Attack]) -> Vec<Told> {
    let bait = Bait::lay().await;
    let jobs = attacks.iter().map(|it| it.0).chain(["none"]).map(|attack| bait.job(attack)).collect();
    let _ = bait.world.work(jobs, LONG).await;
    let told = bait.world.service.told();
    assert_nothing_leaked(&told);
    let mut ended = ends(&told);
    assert_eq!(ended.len(), attacks.len() + 1, "an attempt ended without a word");
    let Some(Ended::Completed(last)) = ended.pop() else { panic!("the next job did not run") };
    let charged = !last.report.isolation.contains("no cgroup");
    let wrong: Vec<String> = attacks
        .iter()
        .zip(&ended)
        .filter(|(attack, ended)| !is(attack.2, ended, charged))
        .map(|(attack, ended)| format!("{} should end as {:?}: {ended:?}", attack.0, attack.2))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    told
}

fn is(expected: Ends, ended: &Ended, charged: bool) -> bool {
    let answers = |results: &AttemptResults, expected: &str| {
        results.items.iter().all(|it| match &it.outcome {
            Outcome::Text(text) | Outcome::Error(text) => text.starts_with(expected),
            Outcome::Segments(_) => false,
        })
    };
    match (expected, ended) {
        (Refused, ended) => is(Completes("refused"), ended, charged),
        (Completes(answer), Ended::Completed(results)) => answers(results, answer),
        (Fails(class), Ended::Failed(fail)) => fail.class == class,
        (FailsEither(one, other), Ended::Failed(fail)) => fail.class == one || fail.class == other,
        (Memory(_), ended) if charged => is(Fails(OutOfMemory), ended, charged),
        // The limit of the process and the watchdog that adds up all of them: whichever is met first.
        (Memory(without), ended) => is(*without, ended, charged) || is(Fails(OutOfMemory), ended, charged),
        _ => false,
    }
}

fn log_of(told: &[Told]) -> String {
    let log = |it: &Told| if let Told::Events(Events { log, .. }) = it { Some(log.clone()) } else { None };
    told.iter().filter_map(log).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_escape_gets_out() {
    run(&ESCAPES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bomb_takes_more_than_an_attempt_may_have() {
    run(&BOMBS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_keeps_the_worker_waiting() {
    run(&STALLS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_lie_is_taken_for_an_answer() {
    run(&LIES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_carries_little_and_nothing_that_a_terminal_or_a_page_obeys() {
    let told = run(&SMUGGLERS).await;
    let log = log_of(&told);
    // Two attempts, each with its own share and the sentence that ends it.
    assert!(log.len() < 2 * (64 * 1024 + 200), "{} bytes", log.len());
    assert!(log.contains("the log goes on"));
    assert!(!log.contains(['\u{1b}', '\0', '\r', '\u{7}']), "{log}");
}

#[test]
fn the_table_of_endings_is_that_of_this_suite() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sandbox/HOSTILE.md");
    if std::env::var_os("FFASR_WRITE_HOSTILE").is_some() {
        fs::write(&path, table()).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap();
    assert!(written == table(), "HOSTILE.md is out of date: FFASR_WRITE_HOSTILE=1 writes it anew");
}

#[test]
fn every_misdeed_is_declared_and_in_a_suite() {
    let declared = include_str!("../../sandbox/tests/hostile/runtime.toml");
    for attack in all().flat_map(|(_, attacks)| attacks) {
        assert!(declared.contains(&format!("\"{}\"", attack.0)), "{}", attack.0);
    }
}

/// The same suite as an ordinary user, who has no cgroups: a copy of this program runs it.
#[test]
fn it_all_ends_the_same_for_an_ordinary_user() {
    const NOBODY: &str = "65534";
    if !rustix::process::geteuid().is_root() {
        // Then the other tests are this one.
        return;
    }
    let directory = common::public_directory();
    let program = directory.path().join("hostile");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let own = directory.path().join("own");
    fs::create_dir(&own).unwrap();
    fs::set_permissions(&own, fs::Permissions::from_mode(0o777)).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--"])
        .arg(&program)
        .args(["--test-threads", "2", "--skip", "the_table_of_endings"])
        .env("TMPDIR", &own)
        .env("HOME", "/nonexistent")
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{words}{}", String::from_utf8_lossy(&output.stderr));
    assert!(words.contains("test no_escape_gets_out ... ok"), "{words}");
}

fn all() -> impl Iterator<Item = (&'static str, &'static [Attack])> {
    [
        ("Getting out", &ESCAPES as &[_]),
        ("Using too much", &BOMBS),
        ("Never ending", &STALLS),
        ("Lying", &LIES),
        ("Smuggling", &SMUGGLERS),
    ]
    .into_iter()
}

fn table() -> String {
    let row = |(name, what, ends, stopped_by): &Attack| {
        format!("| `{name}` | {what} | {} | {stopped_by} |\n", ends.words())
    };
    let section = |(title, attacks): (&str, &[Attack])| {
        let rows: String = attacks.iter().map(row).collect();
        format!(
            "\n## {title}\n\n| submission | what it does | ends as | stopped by |\n|---|---|---|---|\n{rows}"
        )
    };
    let sections: String = all().map(section).collect();
    format!("{HEAD}{sections}{TAIL}")
}

const HEAD: &str = "<!-- Made by crates/worker/tests/hostile.rs, which runs all of it; do not edit. -->
# What hostile submissions end as

Each is a program of `tests/hostile/adapter.py`, submitted like any model: claimed, fetched, run in the sandbox,
reported. The suite runs as root (the models then run as `ffasr-sandbox`) and as an ordinary user without cgroups.
After each one the worker takes the next job, and nothing of the node (token, files, environment) is in anything the
service is told.
";

const TAIL: &str = "
## What a log may carry

A model hears held-out audio and prints a log, so its log can hold what it heard. That cannot be told from an honest
log; so it is kept small and shown to few:

- the service is told the first 64 KiB of the log of an attempt while it runs, and the last 64 KiB when it fails;
- more than 16 MiB in all ends the attempt;
- control characters are replaced, so that neither a terminal nor a page obeys them;
- a log is for the submitter and the operator of the service, never for the public.

## What is not bounded without a cgroup

Memory of the kernel itself, such as that of empty files (`inode_bomb`) or of sockets' buffers. A node that runs models
of strangers should have cgroups: as root, or as a service with `Delegate=memory pids cpu`. `ffasr worker --check` says
which it is.
";
