//! A private PostgreSQL cluster from the system's binaries: own data directory, Unix socket only, unprivileged user.
//!
//! When this process dies, however it dies, the kernel tells the server to stop (`PR_SET_PDEATHSIG`, set by
//! `setpriv`), so no cluster outlives its owner.

mod installation;
mod place;

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use installation::{SERVER_USER, ServerUser, find_binaries};
use sqlx::{
    ConnectOptions,
    postgres::{PgConnectOptions, PgSslMode},
};

/// No port of the network: part of the socket's name.
const PORT: u16 = 5432;
/// Longest path of a Unix socket (`sun_path`, 108 bytes with the final zero), less `/.s.PGSQL.5432`.
const LONGEST_SOCKET_DIRECTORY: usize = 107 - "/.s.PGSQL.5432".len();
const START_LIMIT: Duration = Duration::from_mins(1);
/// How long the checkpoint of a server that was told to stop may take.
const PREDECESSOR_LIMIT: Duration = Duration::from_secs(30);

/// A running private cluster. Dropping it stops the server.
pub struct Cluster {
    server: Child,
    socket_directory: PathBuf,
}

/// Why the cluster did not start. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No server binaries.
    #[error(
        "PostgreSQL's server programs were not found (looked in /usr/lib/postgresql/*/bin and PATH); install them with `apt-get install --no-install-recommends postgresql`, or set PG_BIN_DIR to their directory"
    )]
    NoBinaries,
    /// `PG_BIN_DIR` is wrong.
    #[error(
        "PG_BIN_DIR is {0}, where PostgreSQL's programs `postgres` and `initdb` are not; correct it, or unset it to use the installed PostgreSQL"
    )]
    NotBinaries(PathBuf),
    /// `PGOPTIONS` is set; the client library adds it to every connection.
    #[error(
        "PGOPTIONS is set, which is meant for another PostgreSQL and would change every session of the private one; unset it"
    )]
    SessionOptions,
    /// The directory was made by another major version.
    #[error(
        "{directory} belongs to PostgreSQL {found}, but the installed one is {installed}; set PG_BIN_DIR to the bin directory of PostgreSQL {found}, or move the directory away to start empty"
    )]
    OtherVersion {
        /// The data directory.
        directory: PathBuf,
        /// Its version.
        found: String,
        /// The binaries' version.
        installed: String,
    },
    /// The directory exists and is not ours.
    #[error(
        "{0} is not empty and is no PostgreSQL data directory; move it away or choose another data directory"
    )]
    ForeignDirectory(PathBuf),
    /// The directory is ours, but not as we left it.
    #[error(
        "{directory} must belong to PostgreSQL's user and be closed to all others, for its socket asks for no password; `{remedy}`"
    )]
    Exposed {
        /// The directory of the cluster.
        directory: PathBuf,
        /// The command that closes it.
        remedy: String,
    },
    /// Another process runs it.
    #[error(
        "{directory} is in use by a running PostgreSQL server (process {pid}); stop the other ffasr first"
    )]
    InUse {
        /// The data directory.
        directory: PathBuf,
        /// The server's process id.
        pid: u32,
    },
    /// The path is too long for a socket.
    #[error(
        "{0} is too long for a Unix socket ({LONGEST_SOCKET_DIRECTORY} bytes at most); choose a shorter data directory"
    )]
    PathTooLong(PathBuf),
    /// The server's user is missing.
    #[error(
        "started as root, PostgreSQL needs the user `{SERVER_USER}`, which does not exist; install Debian's `postgresql` package, or start as another user"
    )]
    NoUser,
    /// The operating system refused.
    #[error("{action}: {error}")]
    System {
        /// What was tried.
        action: String,
        /// Why not.
        error: io::Error,
    },
    /// A PostgreSQL program failed.
    #[error("{program} failed; its last words: {output}")]
    Program {
        /// Which.
        program: &'static str,
        /// What it printed.
        output: String,
    },
}

fn system(action: impl Into<String>) -> impl FnOnce(io::Error) -> ClusterError {
    move |error| ClusterError::System { action: action.into(), error }
}

impl Cluster {
    /// Starts the cluster in `directory`, creating it where it is missing. The server's log is beside the directory,
    /// in `<directory>.log`.
    ///
    /// The kernel stops the server when the *thread* that called this ends (`PR_SET_PDEATHSIG` follows threads, not
    /// processes), so call it on one that lives as long as the cluster: never from `spawn_blocking`.
    ///
    /// Two callers at once must be kept apart by the caller's own lock.
    ///
    /// # Errors
    /// See [`ClusterError`].
    pub async fn start(directory: &Path) -> Result<Self, ClusterError> {
        refuse_session_options()?;
        let directory = &std::path::absolute(directory).map_err(system("finding the working directory"))?;
        if directory.as_os_str().len() > LONGEST_SOCKET_DIRECTORY {
            return Err(ClusterError::PathTooLong(directory.to_owned()));
        }
        let data = directory.join("data");
        let version = place::version(&data)?;
        let binaries = find_binaries(version.as_deref())?;
        let user = ServerUser::find()?;
        if let Some(found) = &version {
            check_version(&data, found, &binaries)?;
        }
        place::prepare(directory, user)?;
        if version.is_some() {
            wait_for_predecessor(&data).await?;
        } else {
            initialise(&binaries, directory, &data, user)?;
        }
        let log_path = place::log_path(directory);
        let log = place::open_log(&log_path)?;
        let log_start = log.metadata().map_err(system("reading the log's length"))?.len();
        let server = run_as(user, &binaries.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-p", &PORT.to_string()])
            .args([
                "-c",
                "listen_addresses=",
                "-c",
                "unix_socket_permissions=0777",
                "-c",
                "max_connections=100",
            ])
            .arg("-k")
            .arg(directory)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(system("duplicating the log"))?)
            .stderr(log)
            // Ctrl-C at a terminal is for its foreground group; the server stops after the requests, by our word.
            .process_group(0)
            .spawn()
            .map_err(system("starting postgres"))?;
        let mut cluster = Self { server, socket_directory: directory.to_owned() };
        cluster.wait_until_ready(&log_path, log_start).await?;
        Ok(cluster)
    }

    /// Whether there is a cluster in `directory`, running or not.
    ///
    /// # Errors
    /// When this user may not look.
    pub fn exists(directory: &Path) -> io::Result<bool> {
        directory.join("data/PG_VERSION").try_exists()
    }

    /// How to connect to a cluster that another process runs in `directory`, if it answers.
    ///
    /// # Errors
    /// [`ClusterError::SessionOptions`].
    pub async fn running(directory: &Path) -> Result<Option<PgConnectOptions>, ClusterError> {
        refuse_session_options()?;
        let options = connect_options(directory, "postgres");
        Ok(options.connect().await.is_ok().then_some(options))
    }

    /// How to connect to the database `name` (`postgres` always exists).
    pub fn options(&self, name: &str) -> PgConnectOptions {
        connect_options(&self.socket_directory, name)
    }

    /// `log_start`: where in the log this server's words begin.
    async fn wait_until_ready(&mut self, log: &Path, log_start: u64) -> Result<(), ClusterError> {
        let started = Instant::now();
        loop {
            if self.options("postgres").connect().await.is_ok() {
                return Ok(());
            }
            let exited = self.server.try_wait().map_err(system("watching postgres"))?;
            if exited.is_some() || started.elapsed() > START_LIMIT {
                let output = last_lines(&read_from(log, log_start).unwrap_or_default());
                return Err(ClusterError::Program { program: "postgres", output });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGINT is PostgreSQL's fast shutdown: end the sessions, write a checkpoint, stop.
        if let Some(pid) = i32::try_from(self.server.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        }
        let _ = self.server.wait();
    }
}

/// The client library takes what is not set here from the environment (`PGPORT`, `PGSSLMODE`, …), where it may be
/// meant for another server.
fn connect_options(socket_directory: &Path, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(socket_directory)
        .port(PORT)
        .ssl_mode(PgSslMode::Disable)
        .username("ffasr")
        .database(database)
}

/// Of what the library takes from the environment, `PGOPTIONS` alone cannot be overridden.
fn refuse_session_options() -> Result<(), ClusterError> {
    let is_set = PgConnectOptions::new_without_pgpass().get_options().is_some_and(|it| !it.is_empty());
    if is_set { Err(ClusterError::SessionOptions) } else { Ok(()) }
}

fn check_version(data: &Path, found: &str, binaries: &Path) -> Result<(), ClusterError> {
    let installed = installation::version(binaries)?;
    if installed == found {
        Ok(())
    } else {
        Err(ClusterError::OtherVersion { directory: data.to_owned(), found: found.to_owned(), installed })
    }
}

/// After a `kill -9` of the owner the old server is told to stop by the kernel and may need a moment to do so.
async fn wait_for_predecessor(data: &Path) -> Result<(), ClusterError> {
    let started = Instant::now();
    loop {
        let Some(pid) = place::running_server(data) else { return Ok(()) };
        if started.elapsed() > PREDECESSOR_LIMIT {
            return Err(ClusterError::InUse { directory: data.to_owned(), pid });
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Makes the cluster beside its place and moves it there, so that a broken attempt leaves nothing that looks whole.
fn initialise(binaries: &Path, directory: &Path, data: &Path, user: ServerUser) -> Result<(), ClusterError> {
    let fresh = directory.join("data.new");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(system(format!("removing {}", fresh.display())))?;
    }
    let output = run_as(user, &binaries.join("initdb"))
        .arg("-D")
        .arg(&fresh)
        .args(["-U", "ffasr", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions"])
        .stdin(Stdio::null())
        .output()
        .map_err(system("starting initdb"))?;
    if !output.status.success() {
        let output = last_lines(&String::from_utf8_lossy(&output.stderr));
        return Err(ClusterError::Program { program: "initdb", output });
    }
    fs::rename(&fresh, data).map_err(system(format!("moving the new cluster to {}", data.display())))?;
    Ok(())
}

/// A command that drops to the server's user, dies with this process, and sees nothing of its environment.
fn run_as(user: ServerUser, program: &Path) -> Command {
    let mut arguments: Vec<OsString> = vec!["--pdeathsig".into(), "INT".into()];
    if let ServerUser::Dropped { uid, gid } = user {
        arguments.extend([
            "--reuid".into(),
            uid.to_string().into(),
            "--regid".into(),
            gid.to_string().into(),
        ]);
        arguments.push("--clear-groups".into());
    }
    let mut command = Command::new("setpriv");
    command
        .args(arguments)
        .arg("--")
        .arg(program)
        .env_clear()
        .env("LC_ALL", "C.UTF-8")
        .env("PATH", "/usr/bin:/bin");
    command.current_dir("/");
    command
}

fn read_from(path: &Path, start: u64) -> io::Result<String> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}
