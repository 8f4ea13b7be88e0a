//! The one binary: subcommands wire the rooms together.

mod score;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Far-field speech recognition, measured.
#[derive(Debug, Parser)]
#[command(name = "ffasr", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Score transcripts: normalise, count errors, compare systems
    Score(score::ScoreArgs),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Score(args) => score::run(args),
    }
}
