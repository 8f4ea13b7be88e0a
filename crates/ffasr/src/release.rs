//! `ffasr release`: benchmarks.

use std::path::{Path, PathBuf};

use benchmark::{
    dev::{AudioForm, DevSet},
    release::{ReleaseManifest, ReleaseSpec, build, verify},
};
use clap::{Args, Subcommand, ValueEnum};

use crate::error::Failure;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Render a release from a corpus.
    Build(BuildArguments),
    /// Check every file of a release against its manifest.
    Verify(VerifyArguments),
    /// Write a release with its references, for `ffasr eval` and everybody: JSONL, FLAC or WAV, `SegLST`. What is
    /// exported is no longer held out.
    ExportDev(ExportArguments),
}

#[derive(Args)]
pub(crate) struct ExportArguments {
    /// Release directory.
    release: PathBuf,
    /// Directory to make; must not exist.
    destination: PathBuf,
    /// How to write the audio.
    #[arg(long, value_enum, default_value_t = Form::Flac)]
    audio: Form,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Form {
    /// FLAC, about half the size.
    Flac,
    /// WAV.
    Wav,
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
        Command::ExportDev(arguments) => run_export(arguments),
    }
}

fn run_build(arguments: &BuildArguments) -> Result<(), Failure> {
    let spec = specification(arguments.spec.as_deref())?;
    let progress = crate::progress::percent("rendering");
    let manifest = build(&spec, &arguments.corpus, &arguments.destination, arguments.items, &progress)
        .map_err(Failure::input)?;
    println!("{}", manifest.sha256().map_err(Failure::failed)?);
    Ok(())
}

/// The specification in a file, or the demo's.
pub(crate) fn specification(path: Option<&Path>) -> Result<ReleaseSpec, Failure> {
    let Some(path) = path else { return ReleaseSpec::demo().map_err(Failure::failed) };
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::input(format!("{} cannot be read: {error}", path.display())))?;
    ReleaseSpec::from_toml(&text).map_err(|error| Failure::input(format!("{}: {error}", path.display())))
}

fn run_export(arguments: &ExportArguments) -> Result<(), Failure> {
    let form = match arguments.audio {
        Form::Flac => AudioForm::Flac,
        Form::Wav => AudioForm::Wav,
    };
    let set = DevSet::open(&arguments.release).map_err(Failure::input)?;
    let set = set
        .export(&arguments.destination, form, &crate::progress::percent("exporting"))
        .map_err(Failure::input)?;
    println!("{} items in {}", set.items.len(), arguments.destination.display());
    Ok(())
}

fn run_verify(arguments: &VerifyArguments) -> Result<(), Failure> {
    verify(&arguments.directory).map_err(Failure::input)?;
    let manifest = ReleaseManifest::read(&arguments.directory).map_err(Failure::input)?;
    println!("{} items as frozen: {}", manifest.items.len(), manifest.sha256().map_err(Failure::failed)?);
    Ok(())
}
