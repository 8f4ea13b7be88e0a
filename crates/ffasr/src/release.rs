//! `ffasr release`: benchmarks.

use std::path::PathBuf;

use benchmark::release::{ReleaseManifest, ReleaseSpec, build, verify};
use clap::{Args, Subcommand};

use crate::error::Failure;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Render a release from a corpus.
    Build(BuildArguments),
    /// Check every file of a release against its manifest.
    Verify(VerifyArguments),
}

#[derive(Args)]
pub(crate) struct BuildArguments {
    /// Corpus directory, made by `ffasr corpus import`.
    #[arg(long)]
    corpus: PathBuf,
    /// Specification (TOML); the demo's when not given.
    #[arg(long)]
    spec: Option<PathBuf>,
    /// Utterances of each track.
    #[arg(long, default_value_t = 24)]
    items: usize,
    /// Directory to make; must not exist.
    destination: PathBuf,
}

#[derive(Args)]
pub(crate) struct VerifyArguments {
    /// Release directory.
    directory: PathBuf,
}

pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Build(arguments) => run_build(arguments),
        Command::Verify(arguments) => run_verify(arguments),
    }
}

fn run_build(arguments: &BuildArguments) -> Result<(), Failure> {
    let spec = match &arguments.spec {
        None => ReleaseSpec::demo().map_err(Failure::failed)?,
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| Failure::input(format!("{} cannot be read: {error}", path.display())))?;
            ReleaseSpec::from_toml(&text)
                .map_err(|error| Failure::input(format!("{}: {error}", path.display())))?
        }
    };
    let progress = crate::progress::percent("rendering");
    let manifest = build(&spec, &arguments.corpus, &arguments.destination, arguments.items, &progress)
        .map_err(Failure::input)?;
    println!("{}", manifest.sha256().map_err(Failure::failed)?);
    Ok(())
}

fn run_verify(arguments: &VerifyArguments) -> Result<(), Failure> {
    verify(&arguments.directory).map_err(Failure::input)?;
    let manifest = ReleaseManifest::read(&arguments.directory).map_err(Failure::input)?;
    println!("{} items as frozen: {}", manifest.items.len(), manifest.sha256().map_err(Failure::failed)?);
    Ok(())
}
