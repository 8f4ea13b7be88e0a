//! One part of a release: fetch the dry recordings, render, put the audio into storage, say what was made.
//!
//! Rendering is our own code on our own recipes, so it runs in this process; there is nothing here to isolate. What was
//! rendered stays in the worker's workshop until it is handed in, and room impulse responses after that, so that a part
//! that was interrupted, and the next of the same room, go on from there.

use std::{collections::BTreeSet, path::Path};

use benchmark::{
    corpus::Recordings,
    release::{AudioFile, JobResult, RenderJob, RenderedItem, Workshop},
};
use protocol::{FailureClass, RenderUpload, RenderUploadReply, RenderWork, Stage};
use tokio::fs;

use crate::{
    attempt::{Node, Setback},
    fetch::{Wanted, fetch_all},
    lease::Lease,
    service::{CallError, checked, passing},
};

/// Where a worker renders, below its work directory.
const WORKSHOP: &str = "workshop";
/// Items rendered between two looks at the lease: some seconds of work.
const ITEMS_AT_ONCE: usize = 8;
/// Most bytes of a dry recording: a quarter of an hour.
const MOST_RECORDING_BYTES: u64 = 32_000 * 900;
/// Room impulse responses kept for the next part, in bytes; beyond it all are dropped.
const MOST_RESPONSE_BYTES: u64 = 4 << 30;

impl Node {
    pub(crate) async fn render(
        &self,
        work: RenderWork,
        directory: &Path,
        lease: &Lease,
    ) -> Result<(), Setback> {
        let job: RenderJob = serde_json::from_str(&work.job).map_err(|error| {
            Setback::new(FailureClass::RuntimeError, format!("the render job cannot be read: {error}"))
        })?;
        let recordings = directory.join("recordings");
        fs::create_dir_all(&recordings).await.map_err(|error| Setback::disk(&error))?;
        self.fetch_recordings(&work, &recordings, lease).await?;
        let place = self.work_directory.join(WORKSHOP);
        let workshop = Workshop::open(&place, Recordings::in_directories([recordings])).map_err(broken)?;
        let result = make(workshop.clone(), job, lease).await?;
        self.upload(&workshop, &result, lease).await?;
        let text = serde_json::to_string(&result).map_err(broken)?;
        let told = lease.persist(|| lease.rendered(&text)).await?;
        told.map_err(|reason| {
            Setback::new(FailureClass::StorageError, format!("what was rendered was not accepted: {reason}"))
        })?;
        tidy(workshop.directory()).map_err(|error| Setback::disk(&error))
    }

    async fn fetch_recordings(
        &self,
        work: &RenderWork,
        directory: &Path,
        lease: &Lease,
    ) -> Result<(), Setback> {
        let wanted = work.recordings.iter().map(|recording| Wanted {
            url: recording.url.clone(),
            path: directory.join(format!("{}.wav", recording.sha256)),
            sha256: recording.sha256.clone(),
            most_bytes: MOST_RECORDING_BYTES,
            token: None,
        });
        let reporter = lease.reporter();
        reporter.stage(Stage::Fetching, 0, work.recordings.len() as u32);
        let fetched = fetch_all(&self.service.http, wanted.collect(), || reporter.step());
        let fetched = lease.unless_over(fetched).await?;
        fetched.map_err(|error| Setback::new(FailureClass::StorageError, error.to_string()))
    }

    /// Puts all audio into storage that is not there yet.
    async fn upload(&self, workshop: &Workshop, result: &JobResult, lease: &Lease) -> Result<(), Setback> {
        let mut seen = BTreeSet::new();
        let files: Vec<&AudioFile> = result
            .items
            .iter()
            .flat_map(RenderedItem::files)
            .filter(|audio| seen.insert(&audio.sha256))
            .collect();
        let reporter = lease.reporter();
        reporter.stage(Stage::Uploading, 0, files.len() as u32);
        for batch in files.chunks(RenderUpload::MOST_FILES) {
            let sha256: Vec<String> = batch.iter().map(|file| file.sha256.clone()).collect();
            let asked = lease.persist(|| lease.render_upload(&sha256)).await?;
            let RenderUploadReply { urls } = asked.map_err(|reason| {
                Setback::new(FailureClass::StorageError, format!("the audio has no place to go: {reason}"))
            })?;
            for (file, url) in batch.iter().zip(urls) {
                if let Some(url) = url {
                    let path = workshop.directory().join(file.path());
                    self.put(&url, &path, lease).await?;
                }
                reporter.step();
            }
        }
        Ok(())
    }

    async fn put(&self, url: &str, path: &Path, lease: &Lease) -> Result<(), Setback> {
        let content = fs::read(path).await.map_err(|error| Setback::disk(&error))?;
        let put = || async {
            let response = self.service.http.put(url).body(content.clone()).send().await.map_err(passing)?;
            checked(response).await.map(drop).map_err(|error| match error {
                // The store's own conflict is about the object and not about the lease.
                CallError::Stale(reason) => CallError::Refused(reason),
                other => other,
            })
        };
        let stored = lease.persist(put).await?;
        stored.map_err(|reason| {
            Setback::new(FailureClass::StorageError, format!("the audio could not be stored: {reason}"))
        })
    }
}

/// Renders on threads of its own, a few items at a time, and stays until they have ended even when the lease is over: the
/// next job may be one whose speed is measured. What they made stays in the workshop, where the same part finds it.
async fn make(workshop: Workshop, job: RenderJob, lease: &Lease) -> Result<JobResult, Setback> {
    let reporter = lease.reporter();
    reporter.stage(Stage::Rendering, 0, job.items.len() as u32);
    let mut result =
        JobResult { job: job.sha256().map_err(broken)?, items: Vec::with_capacity(job.items.len()) };
    for items in job.items.chunks(ITEMS_AT_ONCE) {
        let part = RenderJob { items: items.to_vec(), ..job.clone() };
        let (workshop, reporter) = (workshop.clone(), reporter.clone());
        let rendering = tokio::task::spawn_blocking(move || workshop.render(&part, &|| reporter.step()));
        let rendered = rendering.await.map_err(broken)?;
        if let Some(ending) = lease.ending() {
            return Err(ending.into());
        }
        let rendered = rendered
            .map_err(|error| Setback::new(FailureClass::RuntimeError, format!("the job failed: {error}")))?;
        result.items.extend(rendered.items);
    }
    Ok(result)
}

fn broken(error: impl std::fmt::Display) -> Setback {
    Setback::new(FailureClass::WorkerLost, format!("the worker could not render: {error}"))
}

/// Forgets what is handed in; keeps room impulse responses while they are few.
fn tidy(workshop: &Path) -> std::io::Result<()> {
    for name in ["items", "audio"] {
        std::fs::remove_dir_all(workshop.join(name))?;
    }
    let responses = workshop.join("responses");
    let mut bytes = 0;
    for entry in std::fs::read_dir(&responses)? {
        bytes += entry?.metadata()?.len();
    }
    if bytes > MOST_RESPONSE_BYTES {
        std::fs::remove_dir_all(&responses)?;
    }
    Ok(())
}
