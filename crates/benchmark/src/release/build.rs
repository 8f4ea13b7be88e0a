//! Building a release in this process: plan, render every job, assemble.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use rayon::prelude::*;

use super::{
    JobResult, Material, Plan, ReleaseManifest, ReleaseSpec, RenderJob, Workshop, portrait::draw_room,
};
use crate::{Error, Progress, RoomModel, staging::Staging};

/// Builds a release of `items` utterances a track into the new directory `destination` (layout: see
/// [the crate](crate)), on all cores.
///
/// Same specification, corpus and number of items: same manifest, same hash. The directory appears complete or
/// not at all. What was rendered lies in `<destination>.work` until then: after an interruption the same call goes on
/// from there. `progress` is called after each item, from any thread.
///
/// # Errors
/// If the specification contradicts itself, the corpus is damaged or too small, or `destination` exists.
pub fn build<'a>(
    spec: &ReleaseSpec,
    material: impl Into<Material<'a>>,
    destination: &Path,
    items: usize,
    progress: Progress,
) -> Result<ReleaseManifest, Error> {
    if destination.exists() {
        return Err(Error::Exists(destination.to_owned()));
    }
    let material = material.into();
    let plan = Plan::new(spec, material, items)?;
    let workshop = Workshop::open(&work_directory(destination), material.recordings())?;
    let (done, total) = (AtomicUsize::new(0), plan.items.len());
    let count = || progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
    let jobs = plan.jobs();
    // Jobs of one room one after the other: the first simulates what the next ones find.
    let rooms: Vec<&[RenderJob]> = jobs.chunk_by(|left, right| left.room == right.room).collect();
    let render = |jobs: &&[RenderJob]| jobs.iter().map(|job| workshop.render(job, &count)).collect();
    let results = rooms.par_iter().map(render).collect::<Result<Vec<Vec<JobResult>>, Error>>()?.concat();
    let manifest = plan.assemble(&results)?;
    manifest.write(workshop.directory(), destination)?;
    fs::remove_dir_all(workshop.directory()).map_err(Error::io(workshop.directory()))?;
    Ok(manifest)
}

/// Where a release is rendered before it appears.
fn work_directory(destination: &Path) -> PathBuf {
    let mut name = destination.file_name().map_or_else(OsString::new, OsString::from);
    name.push(".work");
    destination.with_file_name(name)
}

impl ReleaseManifest {
    /// Writes a release directory, its audio taken from a [workshop](Workshop)'s directory or wherever else it lies
    /// in `audio/`. The directory appears complete or not at all.
    ///
    /// # Errors
    /// If audio is missing, or `destination` exists.
    pub fn write(&self, audio: &Path, destination: &Path) -> Result<(), Error> {
        let responses = audio.join("responses");
        fs::create_dir_all(&responses).map_err(Error::io(&responses))?;
        let staging = Staging::start(destination)?;
        for item in &self.items {
            for file in item.files() {
                staging.take(&audio.join(file), file)?;
            }
        }
        staging.write("manifest.jsonl", &self.lines()?)?;
        staging.write("release.json", &self.release_file()?)?;
        let spec = &self.release.spec;
        let laboratory = spec
            .laboratory
            .iter()
            .flat_map(|it| [RoomModel::Measured(it.measured), RoomModel::Furnished(it.twin.clone())]);
        for room in spec.room_models().into_iter().chain(laboratory) {
            draw_room(&room, &audio.join("responses"), &staging)?;
        }
        staging.finish()
    }
}
