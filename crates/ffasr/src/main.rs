//! The one binary: subcommands wire the rooms together.

mod acoustics;
mod admin;
mod backend;
mod corpus;
mod demo;
mod directories;
mod error;
mod eval;
mod import_results;
mod progress;
mod publish;
mod release;
mod rescore;
mod scene;
mod score;
mod serve;
mod submit;
mod worker;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use error::Failure;
use tracing_subscriber::EnvFilter;

/// An open, self-hostable leaderboard for far-field speech recognition.
#[derive(Parser)]
#[command(name = "ffasr", version, about, propagate_version = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// All of it on this machine: release, service, worker, three models, board.
    Demo(demo::Arguments),
    /// The service: pages, API, queue, scorer.
    Serve(serve::Arguments),
    /// A node that runs models for a service.
    Worker(worker::Arguments),
    /// Hand a model in to a service, wait, and print what came of it.
    Submit(submit::Arguments),
    /// What the dashboard does, for scripts.
    #[command(subcommand)]
    Admin(admin::Command),
    /// Dry speech, with its licence.
    #[command(subcommand)]
    Corpus(corpus::Command),
    /// Benchmarks: build, verify, tell apart.
    #[command(subcommand)]
    Release(release::Command),
    /// Single scenes: recipe in, audio and measured levels out.
    #[command(subcommand)]
    Scene(scene::Command),
    /// Room acoustics: simulate rooms, measure impulse responses, validate the simulator.
    #[command(subcommand)]
    Acoustics(acoustics::Command),
    /// Run a model on a dev set here: same sandbox, timing and scoring as the board, no service.
    Eval(eval::Arguments),
    /// Score transcripts: normalise, count errors, compare systems.
    Score(score::ScoreArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            EnvFilter::try_from_env("FFASR_LOG")
                .unwrap_or_else(|_| EnvFilter::new("warn,web=info,worker=info")),
        )
        .init();
    // The text of a panic may hold what was said in a held-out recording; its place is enough to find it.
    std::panic::set_hook(Box::new(|panic| match panic.location() {
        Some(place) => eprintln!("ffasr: a bug at {}:{}; please report it", place.file(), place.line()),
        None => eprintln!("ffasr: a bug; please report it"),
    }));
    // The HTTP client brings no provider of its own, so that only one is in the program.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider is installed already");
    }
    run(CommandLine::parse().command).await
}

async fn run(command: Command) -> ExitCode {
    let ended: Result<(), Failure> = match command {
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Worker(arguments) => worker::run(arguments).await,
        Command::Submit(arguments) => submit::run(arguments).await,
        Command::Admin(command) => admin::run(command).await,
        Command::Corpus(command) => corpus::run(&command),
        Command::Release(command) => release::run(&command),
        Command::Scene(command) => scene::run(&command),
        Command::Acoustics(command) => acoustics::run(&command),
        Command::Eval(arguments) => eval::run(arguments).await,
        Command::Score(arguments) => return score::run(arguments),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("ffasr: {failure}");
            failure.exit_code()
        }
    }
}
