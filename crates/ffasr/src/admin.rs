//! `ffasr admin`: what the dashboard does, for scripts.

mod build;
mod quota;
mod site;
mod submission;

use std::{
    fs::File,
    io::{BufRead, stdin},
    path::PathBuf,
};

use clap::{Args, Subcommand, ValueEnum};
use store::{Secret, accounts, audit, external, pause, releases};

use crate::{
    backend::{Backend, BackendArguments, Ownership},
    error::Failure,
    import_results, progress, publish, rescore,
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Accounts.
    #[command(subcommand)]
    User(UserCommand),
    /// Nodes that run models.
    #[command(subcommand)]
    Worker(WorkerCommand),
    /// Benchmarks.
    #[command(subcommand)]
    Release(ReleaseCommand),
    /// Models somebody wants ranked.
    #[command(subcommand)]
    Submission(submission::Command),
    /// Whether workers are given anything.
    #[command(subcommand)]
    Queue(QueueCommand),
    /// What a submitter may submit.
    #[command(subcommand)]
    Quota(quota::Command),
    /// Show who did what, when and why; the newest first.
    Audit {
        #[command(flatten)]
        backend: BackendArguments,
    },
    /// Load a table published elsewhere as a read-only board of its own.
    ImportResults(ImportResults),
    /// Score kept hypotheses again; results of other scorers stay beside.
    Rescore(rescore::Arguments),
    /// Write the whole site as files that any web server can serve.
    ExportSite(site::Export),
    /// Make today's archive of everything that is public, in the place of one that is there.
    Dump(site::Dump),
}

#[derive(Subcommand)]
pub(crate) enum UserCommand {
    /// Create an account, or give an existing one a new role and password.
    Add {
        /// Name to sign in with.
        name: String,
        /// What it may do.
        #[arg(long, value_enum, default_value = "submitter")]
        role: Role,
        /// Read the password from standard input instead of making one up.
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        backend: BackendArguments,
    },
    /// Issue a personal token for the API; shown once.
    Token {
        /// Whose.
        name: String,
        /// What it is for.
        #[arg(long, default_value = "command line")]
        label: String,
        #[command(flatten)]
        backend: BackendArguments,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Role {
    Submitter,
    Reviewer,
    Admin,
}

#[derive(Subcommand)]
pub(crate) enum WorkerCommand {
    /// Issue a worker's token; shown once. Issuing again replaces it.
    Add {
        /// Name of the node.
        name: String,
        /// Hardware classes it may claim jobs for.
        #[arg(long, required = true)]
        hardware_class: Vec<String>,
        #[command(flatten)]
        backend: BackendArguments,
    },
    /// Show all workers.
    List {
        #[command(flatten)]
        backend: BackendArguments,
    },
    /// Show one worker: what it is made of, what it ran, and its calibration history.
    Show {
        /// Name of the node.
        name: String,
        #[command(flatten)]
        backend: BackendArguments,
    },
    /// Let it finish what it does and take no more.
    Drain {
        /// Name of the node.
        name: String,
        #[command(flatten)]
        backend: BackendArguments,
    },
    /// Let it take jobs again.
    Resume {
        /// Name of the node.
        name: String,
        #[command(flatten)]
        backend: BackendArguments,
    },
    /// Make its token worthless at once.
    Revoke {
        /// Name of the node.
        name: String,
        #[command(flatten)]
        backend: BackendArguments,
    },
}

#[derive(Subcommand)]
pub(crate) enum QueueCommand {
    /// Give nothing more to workers; what runs goes on.
    Pause {
        /// Why, for everybody who waits.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        backend: BackendArguments,
    },
    /// Let it go on.
    Resume {
        #[command(flatten)]
        backend: BackendArguments,
    },
    /// Show whether it is paused, since when, by whom and why.
    Show {
        #[command(flatten)]
        backend: BackendArguments,
    },
}

#[derive(Subcommand)]
pub(crate) enum ReleaseCommand {
    /// Have the service's workers render a release from a corpus; wait for it.
    Build(build::Arguments),
    /// Show what is being rendered and how far it is.
    Builds {
        #[command(flatten)]
        backend: BackendArguments,
    },
    /// Take a build off the queue.
    CancelBuild {
        /// Its id, as `builds` shows it.
        build: protocol::BuildId,
        #[command(flatten)]
        backend: BackendArguments,
    },
    /// Put what failed of a build on the queue again.
    ResumeBuild {
        /// Its id, as `builds` shows it.
        build: protocol::BuildId,
        #[command(flatten)]
        backend: BackendArguments,
    },
    /// Check, store and freeze a built release.
    Freeze {
        /// Release directory, made by `ffasr release build`.
        directory: PathBuf,
        /// Public dev set, made by `ffasr release export-dev`, of which the release's pages let one listen to samples.
        #[arg(long)]
        dev: Option<PathBuf>,
        #[command(flatten)]
        backend: BackendArguments,
    },
    /// Show the frozen releases.
    List {
        #[command(flatten)]
        backend: BackendArguments,
    },
}

#[derive(Args)]
pub(crate) struct ImportResults {
    /// CSV with the columns Model, Avg WER (%), Near Field Speech, High SNR, Mid SNR, Low SNR, RTFx, Params (B).
    file: PathBuf,
    /// What the table is; loading the same label again replaces it.
    #[arg(long)]
    label: String,
    /// Where it was published.
    #[arg(long)]
    source_url: Option<String>,
    /// What a reader must know to compare, e.g. the hardware of the speeds.
    #[arg(long)]
    note: Option<String>,
    #[command(flatten)]
    backend: BackendArguments,
}

pub(crate) async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::User(command) => user(command).await,
        Command::Worker(command) => worker(command).await,
        Command::Release(command) => release(command).await,
        Command::Submission(command) => submission::run(command).await,
        Command::Queue(command) => queue(command).await,
        Command::Quota(command) => quota::run(command).await,
        Command::Audit { backend } => quota::audit_log(&backend).await,
        Command::ImportResults(arguments) => import_table(arguments).await,
        Command::Rescore(arguments) => rescore::run(arguments).await,
        Command::ExportSite(arguments) => site::export(arguments).await,
        Command::Dump(arguments) => site::dump(arguments).await,
    }
}

async fn guest(arguments: &BackendArguments) -> Result<Backend, Failure> {
    Backend::start(arguments, Ownership::Guest).await
}

async fn user(command: UserCommand) -> Result<(), Failure> {
    match command {
        UserCommand::Add { name, role, password_stdin, backend } => {
            check_name(&name)?;
            let backend = guest(&backend).await?;
            let role = match role {
                Role::Submitter => accounts::Role::Submitter,
                Role::Reviewer => accounts::Role::Reviewer,
                Role::Admin => accounts::Role::Admin,
            };
            let password =
                if password_stdin { read_password()? } else { Secret::generate("")?.expose().to_owned() };
            accounts::put_user(&backend.pool, &name, role, &password).await?;
            if password_stdin {
                println!("{name} may sign in as {}", role.as_str());
            } else {
                println!("{name} may sign in as {} with the password {password}", role.as_str());
            }
        }
        UserCommand::Token { name, label, backend } => {
            let backend = guest(&backend).await?;
            let user = accounts::user_by_name(&backend.pool, &name).await?;
            println!("{}", accounts::issue_api_token(&backend.pool, user.id, &label).await?.expose());
        }
    }
    Ok(())
}

/// The rule of the database, in words.
fn check_name(name: &str) -> Result<(), Failure> {
    let usable = (1..=64).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if usable {
        return Ok(());
    }
    Err(Failure::input(format!(
        "\u{201c}{name}\u{201d} is no usable name: letters, digits, dot, hyphen and underscore, the first a letter or digit, at most 64"
    )))
}

fn read_password() -> Result<String, Failure> {
    let mut line = String::new();
    stdin().lock().read_line(&mut line).map_err(Failure::failed)?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.chars().count() < 12 {
        return Err(Failure::input("the password must have at least 12 characters"));
    }
    Ok(password.to_owned())
}

async fn worker(command: WorkerCommand) -> Result<(), Failure> {
    match command {
        WorkerCommand::Add { name, hardware_class, backend } => {
            let backend = guest(&backend).await?;
            let secret = accounts::issue_worker_token(&backend.pool, &name, &hardware_class).await?;
            println!("{}", secret.expose());
        }
        WorkerCommand::List { backend } => {
            let backend = guest(&backend).await?;
            for worker in accounts::workers(&backend.pool).await? {
                let state = match (worker.revoked, worker.draining) {
                    (true, _) => "revoked",
                    (false, true) => "draining",
                    (false, false) => "active",
                };
                let seen =
                    worker.last_seen_at.map_or_else(|| "never seen".to_owned(), |at| format!("seen {at}"));
                println!("{}\t{state}\t{}\t{seen}", worker.name, worker.hardware_classes.join(","));
            }
        }
        WorkerCommand::Show { name, backend } => show_worker(&guest(&backend).await?.pool, &name).await?,
        WorkerCommand::Drain { name, backend } => {
            let pool = guest(&backend).await?.pool;
            accounts::set_draining(&pool, &name, true).await?;
            audit::note(&pool, submission::ACTOR, "drain", &name, "").await?;
        }
        WorkerCommand::Resume { name, backend } => {
            let pool = guest(&backend).await?.pool;
            accounts::set_draining(&pool, &name, false).await?;
            audit::note(&pool, submission::ACTOR, "resume", &name, "").await?;
        }
        WorkerCommand::Revoke { name, backend } => {
            let pool = guest(&backend).await?.pool;
            accounts::revoke_worker(&pool, &name).await?;
            audit::note(&pool, submission::ACTOR, "revoke", &name, "").await?;
        }
    }
    Ok(())
}

async fn queue(command: QueueCommand) -> Result<(), Failure> {
    match command {
        QueueCommand::Pause { reason, backend } => {
            pause::begin(&guest(&backend).await?.pool, submission::ACTOR, &reason).await?;
            println!("the queue is paused");
        }
        QueueCommand::Resume { backend } => {
            pause::end(&guest(&backend).await?.pool, submission::ACTOR).await?;
            println!("the queue goes on");
        }
        QueueCommand::Show { backend } => match pause::current(&guest(&backend).await?.pool).await? {
            Some(pause) => println!("paused\t{}\t{}\t{}", pause.paused_at, pause.paused_by, pause.reason),
            None => println!("not paused"),
        },
    }
    Ok(())
}

/// How many leases and measurements of a worker are shown.
const MOST_ROWS: i64 = 50;

async fn show_worker(pool: &store::PgPool, name: &str) -> Result<(), Failure> {
    let worker = accounts::workers(pool).await?.into_iter().find(|worker| worker.name == name);
    let worker = worker.ok_or_else(|| Failure::input(format!("there is no worker `{name}`")))?;
    println!("{}\t{}", worker.name, worker.hardware_classes.join(","));
    if let Some(node) = &worker.fingerprint {
        println!("{}, {} cores, {} bytes, kernel {}", node.cpu, node.cores, node.memory_bytes, node.kernel);
        println!("worker {}\t{}", node.worker_version, node.accelerators.join(", "));
    }
    for lease in store::queue::leases_of(pool, name, MOST_ROWS).await? {
        let why = lease.failure_class.unwrap_or_default();
        println!("lease\t{}\t{}\t{}\t{why}", lease.started_at, lease.subject, lease.state);
    }
    for pace in store::paces::of(pool, name, MOST_ROWS).await? {
        let verdict = if pace.is_usual() { "usual" } else { "void" };
        println!("pace\t{}\t{}\t{:+.2} %\t{verdict}", pace.at, pace.moment, 100.0 * pace.deviation());
    }
    Ok(())
}

async fn release(command: ReleaseCommand) -> Result<(), Failure> {
    match command {
        ReleaseCommand::Build(arguments) => build::run(&arguments).await?,
        ReleaseCommand::Builds { backend } => build::list(&backend).await?,
        ReleaseCommand::CancelBuild { build, backend } => build::cancel(build, &backend).await?,
        ReleaseCommand::ResumeBuild { build, backend } => build::resume(build, &backend).await?,
        ReleaseCommand::Freeze { directory, dev, backend } => {
            let backend = guest(&backend).await?;
            let storing = progress::percent("storing");
            let name = publish::publish(&backend, &directory, dev.as_deref(), &storing).await?;
            println!("{name} is frozen and takes submissions");
        }
        ReleaseCommand::List { backend } => {
            let backend = guest(&backend).await?;
            for release in releases::frozen(&backend.pool).await? {
                println!(
                    "{} {}\t{}\t{}",
                    release.slug, release.version, release.manifest_sha256, release.title
                );
            }
        }
    }
    Ok(())
}

async fn import_table(arguments: ImportResults) -> Result<(), Failure> {
    let path = arguments.file.display();
    let file = File::open(&arguments.file)
        .map_err(|error| Failure::input(format!("{path} cannot be read: {error}")))?;
    let rows = import_results::read(file).map_err(|error| Failure::input(format!("{path}: {error}")))?;
    let label = arguments.label.trim();
    if !(1..=120).contains(&label.chars().count()) {
        return Err(Failure::input("--label must have 1 to 120 characters"));
    }
    let backend = guest(&arguments.backend).await?;
    let board = external::NewExternalBoard {
        label,
        slug: &import_results::slug(label),
        source_url: arguments.source_url.as_deref(),
        note: arguments.note.as_deref(),
        rows: &rows,
    };
    external::replace(&backend.pool, board).await?;
    println!("{} rows loaded as \u{201c}{label}\u{201d}: published elsewhere, not run here", rows.len());
    Ok(())
}
