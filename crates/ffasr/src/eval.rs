//! `ffasr eval`: one model on one dev set, here: the board's sandbox, clock and scoring, without a service.

mod score;
mod stream;
mod table;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use benchmark::{
    dev::{DevItem, DevSet},
    release::Role,
};
use clap::Args;
use protocol::{FailureClass, ItemId, Limits, ModelManifest, ResultsDocument};
use sandbox::{Audio, Cancel, Progress, RunError, RunSpec, Sandbox, Streamed, expose, runtime};
use serde::Serialize;
use tempfile::TempDir;
use worker::{Evaluation, Item, accelerator};

use self::score::Scores;
use crate::{directories, error::Failure, progress};

/// Version of the JSON result.
const FORMAT: u32 = 1;

/// Run a model on a dev set here: same sandbox, timing and scoring as the board, no service.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Directory of the model: `ffasr.toml` and its files.
    #[arg(long)]
    model: PathBuf,
    /// Dev set from `ffasr release export-dev`, or a release directory.
    #[arg(long)]
    release: PathBuf,
    /// Only so many utterances of each track: a dry run, whose figures compare with nothing.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    items: Option<u32>,
    /// Print the result as JSON in place of the table.
    #[arg(long)]
    json: bool,
    /// Stream the items in real time instead, to a runtime that takes audio in pieces (beta): first-word and finalisation
    /// latency, and WER of the final texts.
    #[arg(long)]
    stream: bool,
    /// Pass on what the model prints, as it goes.
    #[arg(long)]
    log: bool,
    /// Seed of the order in which the model hears the items.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Memory the model may use, in MiB.
    #[arg(long, default_value_t = 4096)]
    memory_mib: u64,
    /// Accelerators the model gets.
    #[arg(long, default_value_t = 0)]
    accelerators: usize,
    /// Directory of everything this machine keeps; workers on it share its accelerators.
    #[arg(long, env = "FFASR_DATA", default_value_os_t = directories::default_data())]
    data: PathBuf,
    /// Where runtimes are installed (`deploy/runtimes/install`).
    #[arg(long, env = "FFASR_RUNTIMES", default_value_os_t = runtime::default_root())]
    runtimes: PathBuf,
}

/// The JSON result: everything a page about it needs, and what a service needs to score it again. Self-reported: no
/// one but its sender vouches for it.
#[derive(Serialize)]
struct Report<'a> {
    format: u32,
    kind: &'static str,
    release: &'a benchmark::dev::Header,
    /// Utterances of each track, if not all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    limited_to_items: Option<u32>,
    model: &'a ModelManifest,
    #[serde(flatten)]
    scores: &'a Scores,
    results: &'a ResultsDocument,
}

/// What runs, checked, before anything is started.
struct Subject {
    manifest: ModelManifest,
    files: Vec<PathBuf>,
    runtime: runtime::Installed,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let cancel = Cancel::default();
    let remote = cancel.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            remote.cancel();
        }
    });
    let work = move || evaluate(&arguments, &cancel);
    tokio::task::spawn_blocking(work).await.map_err(Failure::failed)?
}

fn evaluate(arguments: &Arguments, cancel: &Cancel) -> Result<(), Failure> {
    let subject = Subject::read(arguments)?;
    let mut set = DevSet::open(&arguments.release).map_err(Failure::input)?;
    if let Some(items) = arguments.items {
        first_utterances(&mut set, items as usize);
    }
    let not_run = score::leave_out_demanding(&mut set, &subject.manifest);
    if !set.items.iter().any(|item| item.role == Role::Scored) {
        return Err(Failure::input(format!("{} has no items to score", arguments.release.display())));
    }
    let sandbox = Sandbox::open().map_err(Failure::failed)?;
    let place = Place::make()?;
    place.expose_model(&subject.files)?;
    let audio = place.write_audio(&set, subject.manifest.multichannel)?;
    if arguments.stream {
        let streamed = stream_model(arguments, &subject, &set, &audio, &sandbox, &place, cancel)?;
        let report = stream::report(&set, &subject.manifest, &streamed);
        if arguments.json {
            println!("{}", serde_json::to_string_pretty(&report).map_err(Failure::failed)?);
        } else {
            print!("{}", report.table());
        }
        return Ok(());
    }
    let document = run_model(arguments, &subject, &set, &audio, &sandbox, &place, cancel)?;
    let scores = score::score(&set, &document.results, not_run).map_err(Failure::failed)?;
    if arguments.json {
        let report = Report {
            format: FORMAT,
            kind: "self-reported",
            release: &set.header,
            limited_to_items: arguments.items,
            model: &subject.manifest,
            scores: &scores,
            results: &document,
        };
        println!("{}", serde_json::to_string_pretty(&report).map_err(Failure::failed)?);
    } else {
        print!("{}", table::table(&subject.manifest, &set.header, &scores, &document));
    }
    Ok(())
}

impl Subject {
    fn read(arguments: &Arguments) -> Result<Self, Failure> {
        let path = arguments.model.join("ffasr.toml");
        let unusable = |error: &dyn std::fmt::Display| Failure::input(format!("{}: {error}", path.display()));
        let text = fs::read_to_string(&path).map_err(|error| unusable(&error))?;
        let manifest: ModelManifest = toml::from_str(&text).map_err(|error| unusable(&error))?;
        let files = model_files(&arguments.model)?;
        let installed = runtime::installed(&arguments.runtimes).map_err(Failure::failed)?;
        let names: Vec<String> = installed.iter().map(|it| it.declaration.name.clone()).collect();
        let runtime =
            installed.into_iter().find(|it| it.declaration.name == manifest.runtime).ok_or_else(|| {
                Failure::input(format!(
                    "the runtime `{}` is not installed in {} (there is: {}); install it with deploy/runtimes/install {0}",
                    manifest.runtime,
                    arguments.runtimes.display(),
                    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
                ))
            })?;
        let file_names: Vec<String> = files.iter().map(|it| file_name(it)).collect();
        let file_names: Vec<&str> = file_names.iter().map(String::as_str).collect();
        if manifest.multichannel && !runtime.declaration.multichannel {
            let problem =
                format!("the runtime `{}` takes one channel: leave out `multichannel`", manifest.runtime);
            return Err(unusable(&problem));
        }
        let problems = runtime.declaration.problems(&manifest.decoding, &file_names);
        if problems.is_empty() {
            return Ok(Self { manifest, files, runtime });
        }
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Err(unusable(&problems.join("; ")))
    }
}

/// All files beside `ffasr.toml`: what one would upload. Links are followed, as a model hub's cache is made of them.
fn model_files(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unreadable = |error: std::io::Error| Failure::input(format!("{}: {error}", directory.display()));
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = file_name(&path);
        if name.starts_with('.') || name == "ffasr.toml" {
            continue;
        }
        if path.is_dir() {
            return Err(Failure::input(format!(
                "{} is a directory; a model is ffasr.toml and plain files beside it",
                path.display()
            )));
        }
        files.push(path);
    }
    files.sort();
    Ok(files)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The first so many utterances of the set on every track, warm-up items, and repeats of those utterances.
fn first_utterances(set: &mut DevSet, number: usize) {
    let mut chosen: Vec<String> = Vec::new();
    for item in set.items.iter().filter(|item| item.role == Role::Scored) {
        if chosen.len() < number && !chosen.contains(&item.utterance) {
            chosen.push(item.utterance.clone());
        }
    }
    set.items.retain(|item| item.role == Role::WarmUp || chosen.contains(&item.utterance));
}

/// The files of one evaluation: model and scratch for the sandbox's user, audio for this process alone.
struct Place(TempDir);

impl Place {
    fn make() -> Result<Self, Failure> {
        let with_mode = |path: &Path, mode| -> std::io::Result<()> {
            fs::create_dir(path)?;
            fs::set_permissions(path, fs::Permissions::from_mode(mode))
        };
        let make = || -> std::io::Result<TempDir> {
            let place = tempfile::Builder::new()
                .prefix("ffasr-eval-")
                .permissions(fs::Permissions::from_mode(0o711))
                .tempdir()?;
            with_mode(&place.path().join("model"), 0o755)?;
            with_mode(&place.path().join("scratch"), 0o711)?;
            with_mode(&place.path().join("audio"), 0o700)?;
            Ok(place)
        };
        make().map(Self).map_err(|error| Failure::failed(format!("no place for the run's files: {error}")))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn expose_model(&self, files: &[PathBuf]) -> Result<(), Failure> {
        for file in files {
            let exposed = file
                .canonicalize()
                .and_then(|target| expose(&target, &self.path("model").join(file_name(file))));
            exposed.map_err(|error| Failure::failed(format!("{}: {error}", file.display())))?;
        }
        Ok(())
    }

    /// Audio of all items, in their order: all channels for a model that takes them, one for any other.
    fn write_audio(&self, set: &DevSet, multichannel: bool) -> Result<Vec<Audio>, Failure> {
        let directory = self.path("audio");
        let write = |(index, item): (usize, &DevItem)| {
            let path = directory.join(format!("{index}.wav"));
            let wav =
                if multichannel { set.wav(item) } else { set.mono_wav(item) }.map_err(Failure::input)?;
            fs::write(&path, wav).map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
            Ok(Audio { path, seconds: item.duration })
        };
        set.items.iter().enumerate().map(write).collect()
    }
}

fn run_model(
    arguments: &Arguments,
    subject: &Subject,
    set: &DevSet,
    audio: &[Audio],
    sandbox: &Sandbox,
    place: &Place,
    cancel: &Cancel,
) -> Result<ResultsDocument, Failure> {
    let held = accelerator::take(arguments.accelerators, &arguments.data.join("accelerators"))
        .map_err(Failure::failed)?;
    let of = |role: fn(Role) -> bool| -> Vec<Item> {
        let items = set.items.iter().zip(audio).filter(|(item, _)| role(item.role));
        items.map(|(item, audio)| Item { id: ItemId(item.id), audio: audio.clone() }).collect()
    };
    let repeats = score::passes(set)
        .into_iter()
        .map(|pass| {
            let items = set.items.iter().zip(audio).filter(|(item, _)| item.role == Role::Repeat { pass });
            items.map(|(item, audio)| Item { id: ItemId(item.id), audio: audio.clone() }).collect()
        })
        .collect::<Vec<Vec<Item>>>();
    let evaluation = Evaluation {
        sandbox,
        runtime: &subject.runtime,
        manifest: &subject.manifest,
        model: &place.path("model"),
        scratch: &place.path("scratch"),
        warm_up: &of(|role| role == Role::WarmUp),
        items: &of(|role| role == Role::Scored),
        repeats: &repeats,
        seed: arguments.seed,
        limits: limits(arguments),
        devices: held.devices(),
        golden: None,
        ledger: None,
    };
    watched(arguments, |report| evaluation.run(report, cancel))
}

/// With a bar for its progress.
fn watched<T>(
    arguments: &Arguments,
    work: impl FnOnce(&mut dyn FnMut(Progress)) -> Result<T, RunError>,
) -> Result<T, Failure> {
    let bar = progress::Bar::new();
    let mut report = |it| match it {
        Progress::Stage { stage, done, total } => bar.show(stage.as_str(), done, total),
        Progress::Log(text) if arguments.log => eprint!("{text}"),
        Progress::Item(..) | Progress::Log(_) => {}
    };
    let result = work(&mut report);
    bar.end();
    result.map_err(|error| failed(&error, arguments.log))
}

/// As a service has them; the whole run may take as long as whoever started it likes.
fn limits(arguments: &Arguments) -> Limits {
    Limits {
        ready_seconds: 180.0,
        item_seconds: 60.0,
        item_seconds_per_audio_second: 20.0,
        attempt_seconds: f64::INFINITY,
        memory_bytes: arguments.memory_mib * 1024 * 1024,
    }
}

fn stream_model(
    arguments: &Arguments,
    subject: &Subject,
    set: &DevSet,
    audio: &[Audio],
    sandbox: &Sandbox,
    place: &Place,
    cancel: &Cancel,
) -> Result<Vec<Streamed>, Failure> {
    let held = accelerator::take(arguments.accelerators, &arguments.data.join("accelerators"))
        .map_err(Failure::failed)?;
    let of = |role: Role| -> Vec<Audio> {
        let items = set.items.iter().zip(audio).filter(|(item, _)| item.role == role);
        items.map(|(_, audio)| audio.clone()).collect()
    };
    let spec = RunSpec {
        runtime: &subject.runtime,
        manifest: &subject.manifest,
        model: &place.path("model"),
        scratch: &place.path("scratch"),
        warm_up: &of(Role::WarmUp),
        items: &of(Role::Scored),
        known: &[],
        repeats: &[],
        throughput: false,
        devices: held.devices(),
        seed: arguments.seed,
        limits: limits(arguments),
    };
    watched(arguments, |report| sandbox.stream(&spec, report, cancel))
}

fn failed(RunError { fault, log_tail }: &RunError, log_shown: bool) -> Failure {
    let advice = fault.class().map_or("", FailureClass::advice);
    let log = if log_shown || log_tail.is_empty() {
        String::new()
    } else {
        format!("\nWhat the model printed last:\n{}", log_tail.trim_end())
    };
    Failure::failed(format!("{fault}\n{advice}{log}"))
}
