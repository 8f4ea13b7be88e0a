//! A private PostgreSQL cluster from the system's binaries: own data directory, Unix socket only, unprivileged user.
//!
//! When this process dies, however it dies, the kernel tells the server to stop (`PR_SET_PDEATHSIG`, set by
//! `setpriv`), so no cluster outlives its owner.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use sqlx::{ConnectOptions, postgres::PgConnectOptions};

/// Longest path of a Unix socket (`sun_path`, 108 bytes with the final zero), less `/.s.PGSQL.5432`.
const LONGEST_SOCKET_DIRECTORY: usize = 107 - "/.s.PGSQL.5432".len();
/// The user PostgreSQL runs as when this process is root; Debian's package creates it.
const SERVER_USER: &str = "postgres";
const START_LIMIT: Duration = Duration::from_mins(1);

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
        "PostgreSQL's server programs were not found (looked in $PG_BIN_DIR, /usr/lib/postgresql/*/bin and PATH); install them with `apt-get install --no-install-recommends postgresql`"
    )]
    NoBinaries,
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

/// Whom the server runs as.
#[derive(Clone, Copy)]
enum ServerUser {
    Same,
    Dropped { uid: u32, gid: u32 },
}

impl Cluster {
    /// Starts the cluster in `directory`, creating it where it is missing.
    ///
    /// # Errors
    /// See [`ClusterError`].
    pub async fn start(directory: &Path) -> Result<Self, ClusterError> {
        let binaries = find_binaries().ok_or(ClusterError::NoBinaries)?;
        let user = server_user()?;
        prepare_directory(directory, user)?;
        let data = directory.join("data");
        let socket_directory = directory.to_owned();
        if socket_directory.as_os_str().len() > LONGEST_SOCKET_DIRECTORY {
            return Err(ClusterError::PathTooLong(socket_directory));
        }
        if data.join("PG_VERSION").exists() {
            check_version(&data, &binaries)?;
            wait_for_predecessor(&data).await?;
        } else {
            initialise(&binaries, directory, &data, user)?;
        }
        let log_path = directory.join("server.log");
        let log = fs::File::create(&log_path).map_err(system(format!("creating {}", log_path.display())))?;
        let server = run_as(user, &binaries.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args([
                "-c",
                "listen_addresses=",
                "-c",
                "unix_socket_permissions=0777",
                "-c",
                "max_connections=100",
                "-k",
            ])
            .arg(&socket_directory)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(system("duplicating the log"))?)
            .stderr(log)
            .spawn()
            .map_err(system("starting postgres"))?;
        let mut cluster = Self { server, socket_directory };
        cluster.wait_until_ready(&log_path).await?;
        Ok(cluster)
    }

    /// How to connect to a cluster that another process runs in `directory`, if it answers.
    pub async fn running(directory: &Path) -> Option<PgConnectOptions> {
        let options = connect_options(directory, "postgres");
        options.connect().await.is_ok().then_some(options)
    }

    /// How to connect to the database `name` (`postgres` always exists).
    pub fn options(&self, name: &str) -> PgConnectOptions {
        connect_options(&self.socket_directory, name)
    }

    async fn wait_until_ready(&mut self, log: &Path) -> Result<(), ClusterError> {
        let started = Instant::now();
        loop {
            if self.options("postgres").connect().await.is_ok() {
                return Ok(());
            }
            let exited = self.server.try_wait().map_err(system("watching postgres"))?;
            if exited.is_some() || started.elapsed() > START_LIMIT {
                let output = last_lines(&fs::read_to_string(log).unwrap_or_default());
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

fn connect_options(socket_directory: &Path, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass().socket(socket_directory).username("ffasr").database(database)
}

fn find_binaries() -> Option<PathBuf> {
    let configured = std::env::var_os("PG_BIN_DIR").map(PathBuf::from);
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort();
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    configured
        .into_iter()
        .chain(versions.into_iter().rev().map(|(_, path)| path))
        .chain(std::env::split_paths(&on_path))
        .find(|directory| directory.join("postgres").is_file() && directory.join("initdb").is_file())
}

fn server_user() -> Result<ServerUser, ClusterError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(ServerUser::Same);
    }
    let accounts = fs::read_to_string("/etc/passwd").map_err(system("reading /etc/passwd"))?;
    accounts
        .lines()
        .find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some(SERVER_USER)).then_some(())?;
            let uid = fields.nth(1)?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            Some(ServerUser::Dropped { uid, gid })
        })
        .ok_or(ClusterError::NoUser)
}

fn prepare_directory(directory: &Path, user: ServerUser) -> Result<(), ClusterError> {
    fs::create_dir_all(directory).map_err(system(format!("creating {}", directory.display())))?;
    // The socket lies in here and asks for no password: nobody but the server's user (and root) may reach it.
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))
        .map_err(system(format!("closing {} to others", directory.display())))?;
    let ServerUser::Dropped { uid, gid } = user else {
        return Ok(());
    };
    let owner = fs::metadata(directory).map_err(system(format!("reading {}", directory.display())))?.uid();
    if owner != uid {
        chown(directory, Some(uid), Some(gid))
            .map_err(system(format!("giving {} away", directory.display())))?;
    }
    Ok(())
}

fn check_version(data: &Path, binaries: &Path) -> Result<(), ClusterError> {
    let file = data.join("PG_VERSION");
    let found = fs::read_to_string(&file).map_err(system(format!("reading {}", file.display())))?;
    let found = found.trim().to_owned();
    let output = Command::new(binaries.join("postgres"))
        .arg("--version")
        .output()
        .map_err(system("asking postgres for its version"))?;
    // "postgres (PostgreSQL) 15.18 (Debian …)"
    let text = String::from_utf8_lossy(&output.stdout);
    let installed = text.split_whitespace().nth(2).unwrap_or_default();
    let installed = installed.split('.').next().unwrap_or_default().to_owned();
    if installed == found {
        Ok(())
    } else {
        Err(ClusterError::OtherVersion { directory: data.to_owned(), found, installed })
    }
}

/// After a `kill -9` of the owner the old server is told to stop by the kernel and may need a moment to do so.
async fn wait_for_predecessor(data: &Path) -> Result<(), ClusterError> {
    let started = Instant::now();
    loop {
        let Some(pid) = running_server(data) else { return Ok(()) };
        if started.elapsed() > Duration::from_secs(10) {
            return Err(ClusterError::InUse { directory: data.to_owned(), pid });
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Process id of a living PostgreSQL server on this data directory. A stale `postmaster.pid`, whose number may belong
/// to anybody by now, is PostgreSQL's own to clear.
fn running_server(data: &Path) -> Option<u32> {
    let pid_file = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid: u32 = pid_file.lines().next()?.trim().parse().ok()?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    (name.trim() == "postgres").then_some(pid)
}

/// Makes the cluster beside its place and moves it there, so that a broken attempt leaves nothing that looks whole.
fn initialise(binaries: &Path, directory: &Path, data: &Path, user: ServerUser) -> Result<(), ClusterError> {
    if data.exists() {
        return Err(ClusterError::ForeignDirectory(data.to_owned()));
    }
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

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}
