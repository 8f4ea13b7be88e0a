//! `ffasr release`: benchmarks.

use std::{
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use benchmark::{
    dev::{AudioForm, DevSet},
    release::{
        Heard, KEY_FILE_VARIABLE, Material, Plan, ReleaseKey, ReleaseManifest, ReleaseSpec, build, diff,
        expect_apart, seal, verify, verify_by_rendering,
    },
};
use clap::{Args, Subcommand, ValueEnum};

use crate::error::Failure;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Render a release from a corpus.
    Build(BuildArguments),
    /// Check every file of a release against its manifest, and with a corpus render a sample of it again.
    Verify(VerifyArguments),
    /// Encrypt everything but the audio of a held-out release with the operator's key.
    Seal(SealArguments),
    /// Make a key for held-out releases, in a file that only this user can read. Who loses it loses the releases.
    NewKey(NewKeyArguments),
    /// Tell two releases apart: what was asked for, and how many items differ in what.
    Diff(DiffArguments),
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
    /// Held-out release (its directory) with which it must have nothing in common: no talker, no recording, no text. May be
    /// given more than once.
    #[arg(long)]
    apart_from: Vec<PathBuf>,
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
    /// Corpus of noise, where the specification asks for recorded kinds.
    #[arg(long)]
    noise: Option<PathBuf>,
    /// Another release (its directory) with which it must have nothing in common: no talker, no recording, no text. May be
    /// given more than once.
    #[arg(long)]
    apart_from: Vec<PathBuf>,
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
    /// Corpus it was made from: a sample of the items is rendered again and compared to the byte.
    #[arg(long)]
    corpus: Option<PathBuf>,
    /// Corpus of noise it was made from, if any.
    #[arg(long, requires = "corpus")]
    noise: Option<PathBuf>,
    /// Number of items to render again.
    #[arg(long, default_value_t = 20)]
    sample: usize,
}

#[derive(Args)]
pub(crate) struct SealArguments {
    /// Release directory.
    directory: PathBuf,
}

#[derive(Args)]
pub(crate) struct NewKeyArguments {
    /// File to make; must not exist.
    file: PathBuf,
}

#[derive(Args)]
pub(crate) struct DiffArguments {
    /// Release directory.
    first: PathBuf,
    /// Another one.
    second: PathBuf,
}

pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Build(arguments) => run_build(arguments),
        Command::Verify(arguments) => run_verify(arguments),
        Command::Seal(arguments) => run_seal(arguments),
        Command::NewKey(arguments) => run_new_key(arguments),
        Command::Diff(arguments) => run_diff(arguments),
        Command::ExportDev(arguments) => run_export(arguments),
    }
}

fn run_build(arguments: &BuildArguments) -> Result<(), Failure> {
    let spec = specification(arguments.spec.as_deref())?;
    let progress = crate::progress::percent("rendering");
    let material = Material { speech: &arguments.corpus, noise: arguments.noise.as_deref() };
    // Before hours of rendering.
    let plan = Plan::new(&spec, material, arguments.items).map_err(Failure::input)?;
    expect_all_apart(&Heard::from(&plan), &arguments.apart_from)?;
    let manifest =
        build(&spec, material, &arguments.destination, arguments.items, &progress).map_err(Failure::input)?;
    println!("{}", manifest.sha256().map_err(Failure::failed)?);
    Ok(())
}

/// Refuses what has something in common with one of these releases.
pub(crate) fn expect_all_apart(content: &Heard, others: &[PathBuf]) -> Result<(), Failure> {
    for directory in others {
        let other = ReleaseManifest::read(directory).map_err(Failure::input)?;
        let common = expect_apart(content.clone(), &other)
            .map_err(|error| Failure::input(format!("{}: {error}", directory.display())))?;
        let rooms: Vec<&str> = common.rooms.iter().map(String::as_str).collect();
        if rooms.is_empty() {
            eprintln!("nothing in common with {}", directory.display());
        } else {
            eprintln!(
                "no talker, recording or text in common with {}; the same rooms, at other places: {}",
                directory.display(),
                rooms.join(", ")
            );
        }
    }
    Ok(())
}

/// The specification in a file, or the demo's.
pub(crate) fn specification(path: Option<&Path>) -> Result<ReleaseSpec, Failure> {
    let Some(path) = path else { return ReleaseSpec::demo().map_err(Failure::failed) };
    ReleaseSpec::read(path).map_err(|error| Failure::input(format!("{}: {error}", path.display())))
}

fn run_export(arguments: &ExportArguments) -> Result<(), Failure> {
    let form = match arguments.audio {
        Form::Flac => AudioForm::Flac,
        Form::Wav => AudioForm::Wav,
    };
    let set = DevSet::open(&arguments.release).map_err(Failure::input)?;
    if arguments.apart_from.is_empty() {
        eprintln!(
            "not compared with any held-out release: name it with --apart-from, so that no talker, recording or text is in both"
        );
    } else {
        let manifest = ReleaseManifest::read(&arguments.release).map_err(Failure::input)?;
        expect_all_apart(&Heard::from(&manifest), &arguments.apart_from)?;
    }
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
    if let Some(corpus) = &arguments.corpus {
        let items = verify_by_rendering(
            &arguments.directory,
            Material { speech: corpus, noise: arguments.noise.as_deref() },
            arguments.sample,
        )
        .map_err(Failure::input)?;
        println!("{items} items rendered again, the same to the byte");
    }
    Ok(())
}

fn run_seal(arguments: &SealArguments) -> Result<(), Failure> {
    let key = ReleaseKey::from_environment().map_err(Failure::input)?;
    let key = key.ok_or_else(|| {
        Failure::input(format!(
            "there is no key: make one with `ffasr release new-key` and name its file in {KEY_FILE_VARIABLE}"
        ))
    })?;
    seal(&arguments.directory, &key).map_err(Failure::input)?;
    println!("{} is sealed", arguments.directory.display());
    Ok(())
}

fn run_new_key(arguments: &NewKeyArguments) -> Result<(), Failure> {
    let key = ReleaseKey::generate().map_err(Failure::failed)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let written = options.open(&arguments.file).and_then(|mut file| writeln!(file, "{}", key.to_hex()));
    written.map_err(|error| Failure::input(format!("{}: {error}", arguments.file.display())))?;
    println!("{}", arguments.file.display());
    Ok(())
}

fn run_diff(arguments: &DiffArguments) -> Result<(), Failure> {
    let read = |directory| ReleaseManifest::read(directory).map_err(Failure::input);
    let difference = diff(&read(&arguments.first)?, &read(&arguments.second)?).map_err(Failure::failed)?;
    if difference.is_empty() {
        println!("the releases are the same");
    } else {
        print!("{difference}");
    }
    Ok(())
}
