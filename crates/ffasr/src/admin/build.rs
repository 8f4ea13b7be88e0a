//! `ffasr admin release build`: a release rendered by the service's workers.
//!
//! The plan with its references stays in this process. What goes to the service is dry recordings and render jobs; what
//! comes back is audio, which is checked, and what was measured. Everything is addressed by content, so that the same
//! command after an interruption, here or there, goes on where it was.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use benchmark::{
    corpus::Recordings,
    release::{Heard, JobResult, Material, Plan, RENDERER, RenderJob, RenderedItem},
};
use clap::Args;
use protocol::BuildId;
use store::{
    objects,
    rendering::{self, BuildProgress, NewBuild, NewShard},
};

use crate::{
    backend::{Backend, BackendArguments, Ownership},
    error::Failure,
    progress::Bar,
};

/// Most bytes of one audio file: an hour with several channels.
const MOST_AUDIO_BYTES: u64 = 1 << 30;
/// How often to look how far it is.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

#[derive(Args)]
pub(crate) struct Arguments {
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
    #[command(flatten)]
    backend: BackendArguments,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { corpus, noise, apart_from, spec, items, destination, backend } = arguments;
    if destination.exists() {
        return Err(Failure::input(format!("{} exists already", destination.display())));
    }
    let spec = crate::release::specification(spec.as_deref())?;
    let material = Material { speech: corpus, noise: noise.as_deref() };
    let plan = Plan::new(&spec, material, *items).map_err(Failure::input)?;
    crate::release::expect_all_apart(&Heard::from(&plan), apart_from)?;
    let backend = Backend::start(backend, Ownership::Guest).await?;
    let bar = Bar::new();
    let jobs = plan.jobs();
    store_recordings(&backend, &material.recordings(), &jobs, &bar).await?;
    let build = start(&backend, &plan, &jobs).await?;
    wait(&backend, build, &bar).await?;
    let results = results(&backend, build, &jobs).await?;
    let work = work_directory(destination);
    fetch_audio(&backend, &results, &work, &bar).await?;
    let manifest = plan.assemble(&results).map_err(Failure::failed)?;
    manifest.write(&work, destination).map_err(Failure::failed)?;
    fs::remove_dir_all(&work).map_err(|error| cannot("remove", &work, &error))?;
    println!("{}", manifest.sha256().map_err(Failure::failed)?);
    Ok(())
}

/// Shows the builds and how far each is.
pub(crate) async fn list(backend: &BackendArguments) -> Result<(), Failure> {
    let backend = Backend::start(backend, Ownership::Guest).await?;
    for build in rendering::progress(&backend.pool, None).await? {
        let BuildProgress { build: id, release, items, done, running, waiting, .. } = &build;
        let state = match &build.fault {
            _ if build.is_complete() => "rendered".to_owned(),
            Some(fault) if build.is_stuck() => format!("stuck: {fault}"),
            _ => format!("{running} jobs with workers, {waiting} waiting"),
        };
        println!("{id}\t{release}\t{done} of {items} items\t{state}");
    }
    Ok(())
}

/// Takes a build off the queue.
pub(crate) async fn cancel(build: BuildId, backend: &BackendArguments) -> Result<(), Failure> {
    let backend = Backend::start(backend, Ownership::Guest).await?;
    rendering::cancel(&backend.pool, build, super::submission::ACTOR).await?;
    println!("build {build} is off the queue; audio that was rendered stays in storage");
    Ok(())
}

/// Lets a build go on whose jobs nobody will try again by itself.
pub(crate) async fn resume(build: BuildId, backend: &BackendArguments) -> Result<(), Failure> {
    let backend = Backend::start(backend, Ownership::Guest).await?;
    let opened = rendering::resume(&backend.pool, build, super::submission::ACTOR).await?;
    println!("{opened} jobs of build {build} are on the queue again");
    Ok(())
}

async fn store_recordings(
    backend: &Backend,
    recordings: &Recordings,
    jobs: &[RenderJob],
    bar: &Bar,
) -> Result<(), Failure> {
    let wanted: BTreeSet<&str> = jobs.iter().flat_map(RenderJob::recordings).collect();
    for (done, sha256) in wanted.iter().enumerate() {
        bar.show("recordings", count(done), count(wanted.len()));
        let key = objects::recording_key(sha256);
        if !backend.objects.contains(&key).await {
            let content = recordings.file(sha256).map_err(Failure::input)?;
            backend.objects.put(&key, content).await?;
        }
    }
    bar.show("recordings", count(wanted.len()), count(wanted.len()));
    Ok(())
}

async fn start(backend: &Backend, plan: &Plan, jobs: &[RenderJob]) -> Result<BuildId, Failure> {
    let spec = &plan.header.spec;
    let mut shards = Vec::with_capacity(jobs.len());
    for job in jobs {
        shards.push(NewShard {
            items: count(job.items.len()),
            job: serde_json::to_string(job).map_err(Failure::failed)?,
            recordings: job.recordings().into_iter().map(str::to_owned).collect(),
            simulation: job.shared_simulation().map_err(Failure::failed)?,
        });
    }
    let new = NewBuild {
        release: &format!("{}@{}", spec.slug, spec.version),
        plan_sha256: &plan.sha256().map_err(Failure::failed)?,
        renderer: RENDERER,
        shards: &shards,
    };
    Ok(rendering::start(&backend.pool, &new).await?)
}

/// Waits until workers have rendered everything. To stop waiting takes nothing off the queue.
async fn wait(backend: &Backend, build: BuildId, bar: &Bar) -> Result<(), Failure> {
    loop {
        let progress = rendering::progress(&backend.pool, Some(build)).await?;
        let progress = progress
            .first()
            .ok_or_else(|| Failure::failed("the build was taken off the queue by somebody else"))?;
        bar.show("rendering", count(progress.done), count(progress.items));
        if progress.is_complete() {
            return Ok(());
        }
        if progress.is_stuck() {
            let fault = progress.fault.as_deref().unwrap_or("no worker says why");
            return Err(Failure::failed(format!(
                "{} of {} jobs cannot be rendered: {fault} Mend that and run the same command again; what is done is kept.",
                progress.shards - progress.rendered,
                progress.shards
            )));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// What the workers say they made, each for the job it was given.
async fn results(backend: &Backend, build: BuildId, jobs: &[RenderJob]) -> Result<Vec<JobResult>, Failure> {
    let texts = rendering::results(&backend.pool, build).await?;
    let mut results = Vec::with_capacity(texts.len());
    for (text, job) in texts.iter().zip(jobs) {
        let result: JobResult = serde_json::from_str(text).map_err(Failure::failed)?;
        if result.job != job.sha256().map_err(Failure::failed)? {
            return Err(Failure::failed(
                "a worker gave the result of another job; cancel the build and start again",
            ));
        }
        results.push(result);
    }
    Ok(results)
}

/// Brings all audio here and checks that it is what the workers say it is.
async fn fetch_audio(
    backend: &Backend,
    results: &[JobResult],
    work: &Path,
    bar: &Bar,
) -> Result<(), Failure> {
    let directory = work.join("audio");
    fs::create_dir_all(&directory).map_err(|error| cannot("make", &directory, &error))?;
    let files: Vec<_> =
        results.iter().flat_map(|result| &result.items).flat_map(RenderedItem::files).collect();
    for (done, file) in files.iter().enumerate() {
        bar.show("checking", count(done), count(files.len()));
        let path = work.join(file.path());
        if fs::read(&path).is_ok_and(|content| file.is(&content)) {
            continue;
        }
        let content = backend.objects.get(&objects::audio_key(&file.sha256), MOST_AUDIO_BYTES).await?;
        if !file.is(&content) {
            return Err(Failure::failed(format!(
                "what is stored as audio {} is something else: a worker or the storage is broken",
                file.sha256
            )));
        }
        fs::write(&path, content).map_err(|error| cannot("write", &path, &error))?;
    }
    bar.show("checking", count(files.len()), count(files.len()));
    Ok(())
}

/// Where the audio is collected before the release appears.
fn work_directory(destination: &Path) -> PathBuf {
    let mut name = destination.file_name().map_or_else(OsString::new, OsString::from);
    name.push(".work");
    destination.with_file_name(name)
}

fn count(number: impl TryInto<u32>) -> u32 {
    number.try_into().unwrap_or(u32::MAX)
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("cannot {what} {}: {error}", path.display()))
}
