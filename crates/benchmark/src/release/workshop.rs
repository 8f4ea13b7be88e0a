//! Where jobs are rendered: a directory that keeps whatever is done, so that work that was interrupted goes on.
//!
//! | file | what |
//! |---|---|
//! | `items/<address>.json` | a [`RenderedItem`], by the hash of everything that decides it |
//! | `audio/<sha256>.wav` | its audio |
//! | `responses/<address>.wav` | room impulse responses, by the hash of room, places and method |
//!
//! Every file appears complete or not at all and never changes, so several processes may share one directory.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use rayon::prelude::*;

use super::{AudioFile, JobResult, RenderJob, RenderTask, RenderedItem, Renderer, job::RENDERER};
use crate::{Error, audio, corpus::Recordings, staging::sha256};

/// A directory in which jobs are rendered.
#[derive(Debug, Clone)]
pub struct Workshop {
    directory: PathBuf,
    recordings: Recordings,
}

impl Workshop {
    /// Opens a directory, made if it is not there, and says where dry recordings are.
    ///
    /// # Errors
    /// If the directory cannot be made.
    pub fn open(directory: &Path, recordings: Recordings) -> Result<Self, Error> {
        for name in ["items", "audio", "responses"] {
            let path = directory.join(name);
            fs::create_dir_all(&path).map_err(Error::io(&path))?;
        }
        Ok(Self { directory: directory.to_owned(), recordings })
    }

    /// Where it is: the paths of [`AudioFile::path`] are relative to it.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Renders a job on all cores and returns where its audio is. What is there already with the right hash is not
    /// rendered again; on another day, another machine of the same kind or after an interruption the result is the same.
    /// `progress` is called after each item, from any thread.
    ///
    /// # Errors
    /// If the job was made for another version, a recording is missing or was changed, or something cannot be simulated.
    pub fn render(&self, job: &RenderJob, progress: &(dyn Fn() + Sync)) -> Result<JobResult, Error> {
        if job.renderer != RENDERER {
            return Err(Error::OtherRenderer { asked: job.renderer.clone(), here: RENDERER.to_owned() });
        }
        let present: Vec<Option<RenderedItem>> =
            job.items.par_iter().map(|task| self.present(job, task)).collect::<Result<_, _>>()?;
        let missing = job.items.iter().zip(&present).filter(|(_, present)| present.is_none());
        let recipes = missing.map(|(task, _)| &task.recipe);
        let renderer =
            Renderer::new(job.room.as_ref(), &self.recordings, &self.directory.join("responses"), recipes)?;
        let items = job.items.par_iter().zip(present).map(|(task, present)| {
            let item = present.map_or_else(|| self.make(job, task, &renderer), Ok);
            progress();
            item
        });
        Ok(JobResult { job: job.sha256()?, items: items.collect::<Result<_, Error>>()? })
    }

    /// An item that was rendered before, if its audio is there as it was written.
    fn present(&self, job: &RenderJob, task: &RenderTask) -> Result<Option<RenderedItem>, Error> {
        let Ok(note) = fs::read(self.note(job, task)?) else { return Ok(None) };
        let Ok(item) = serde_json::from_slice::<RenderedItem>(&note) else { return Ok(None) };
        let whole = item.files().all(|file| {
            let content = fs::read(self.directory.join(file.path()));
            content.is_ok_and(|content| sha256(&content) == file.sha256)
        });
        Ok(whole.then_some(item))
    }

    fn make(&self, job: &RenderJob, task: &RenderTask, renderer: &Renderer) -> Result<RenderedItem, Error> {
        let rendered = renderer.render(&task.recipe)?;
        // The note last: it says that the audio is there.
        let audio = self.keep(&rendered.channels)?;
        let mono = rendered.mono.map(|channel| self.keep(&[channel])).transpose()?;
        let item = RenderedItem { id: task.id, audio, mono, conditions: rendered.conditions };
        let note = self.note(job, task)?;
        let json = serde_json::to_vec(&item).map_err(|error| Error::file(&note, error.to_string()))?;
        write_whole(&note, &json)?;
        Ok(item)
    }

    /// Writes channels as a WAV file named by its content.
    fn keep(&self, channels: &[Vec<i16>]) -> Result<AudioFile, Error> {
        let wav = audio::encode_channels(channels).map_err(|problem| Error::file("audio", problem))?;
        let file = AudioFile {
            sha256: sha256(&wav),
            bytes: wav.len() as u64,
            channels: channels.len() as u16,
            seconds: audio::seconds(channels.first().map_or(0, Vec::len)),
        };
        write_whole(&self.directory.join(file.path()), &wav)?;
        Ok(file)
    }

    fn note(&self, job: &RenderJob, task: &RenderTask) -> Result<PathBuf, Error> {
        Ok(self.directory.join("items").join(format!("{}.json", job.item_address(task)?)))
    }
}

/// Writes a file that appears complete or not at all, whoever else writes it.
pub(super) fn write_whole(path: &Path, content: &[u8]) -> Result<(), Error> {
    let parent = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(parent).map_err(Error::io(path))?;
    file.write_all(content).map_err(Error::io(path))?;
    file.persist(path).map_err(|error| Error::io(path)(error.error))?;
    Ok(())
}
