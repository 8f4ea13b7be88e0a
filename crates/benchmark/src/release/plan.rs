//! A plan: what a release will hold and the jobs that render it, before anything is rendered.

use std::{collections::HashMap, path::Path};

use scene::conversation::Segment;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Header, Item, JobResult, MonoAudio, Recipe, ReleaseManifest, ReleaseSpec, RenderJob, RenderTask,
    RenderedItem, Role,
    draw::draw,
    job::{RENDERER, address},
    manifest::FORMAT,
};
use crate::{
    Error, Track,
    corpus::{Corpus, NoiseCorpus, Recordings},
};

/// Most items of one job: some minutes of work, so that a worker that dies loses little.
const ITEMS_PER_JOB: usize = 64;

/// What a release will hold. Holds references and so never leaves the service; its [jobs](Self::jobs) hold none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What holds for all items.
    pub header: Header,
    /// All items in the order of the manifest.
    pub items: Vec<PlannedItem>,
}

/// An [`Item`] that is yet to be rendered; its fields are those of the item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedItem {
    /// The same whenever the release is planned.
    pub id: Uuid,
    /// What it is for.
    #[serde(flatten)]
    pub role: Role,
    /// Its track.
    pub track: Track,
    /// Id of the utterance in its corpus.
    pub utterance: String,
    /// What is said. Private.
    pub reference: String,
    /// Who says it.
    pub talker: String,
    /// Who says what when, where several talk. Private.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<Segment>,
    /// How to render it.
    pub recipe: Recipe,
}

/// Corpus directories that a release is made from.
#[derive(Debug, Clone, Copy)]
pub struct Material<'a> {
    /// Speech.
    pub speech: &'a Path,
    /// Recorded noise, where the specification asks for it.
    pub noise: Option<&'a Path>,
}

impl<'a, P: AsRef<Path> + ?Sized> From<&'a P> for Material<'a> {
    fn from(speech: &'a P) -> Self {
        Self { speech: speech.as_ref(), noise: None }
    }
}

impl Material<'_> {
    /// Its recordings.
    pub fn recordings(&self) -> Recordings {
        Recordings::of_corpora(std::iter::once(self.speech).chain(self.noise))
    }
}

impl Plan {
    /// Plans a release of `items` utterances a track. Reads the manifests of the corpora, none of their audio.
    ///
    /// # Errors
    /// If the specification contradicts itself, or a corpus is missing, damaged or too small.
    pub fn new<'a>(
        spec: &ReleaseSpec,
        material: impl Into<Material<'a>>,
        items: usize,
    ) -> Result<Self, Error> {
        spec.validate()?;
        let material = material.into();
        let corpus = Corpus::open(material.speech)?;
        let noise = material.noise.map(NoiseCorpus::open).transpose()?;
        let items = draw(spec, &corpus, noise.as_ref(), items)?;
        let is_used = spec.noise.kinds().any(|kind| kind.recorded().is_some());
        let header = Header {
            format: FORMAT,
            renderer: RENDERER.to_owned(),
            corpus: corpus.description,
            noise_corpus: noise.filter(|_| is_used).map(|noise| noise.description),
            spec: spec.clone(),
        };
        Ok(Self { header, items })
    }

    /// The plan's address: SHA-256 of it as compact JSON, hexadecimal. Two plans with the same address are the same.
    ///
    /// # Errors
    /// Never for a plan that was made or read.
    pub fn sha256(&self) -> Result<String, Error> {
        address("plan", self)
    }

    /// The jobs that render it: each at most 64 items of one room, or of no room. They may run in any order, anywhere,
    /// and again.
    pub fn jobs(&self) -> Vec<RenderJob> {
        jobs(&self.header, self.items.iter().map(|item| (item.id, &item.recipe)))
    }

    /// Puts what the jobs gave together. Results may come in any order and more than once.
    ///
    /// # Errors
    /// [`Error::NotRendered`] when items are missing.
    pub fn assemble(&self, results: &[JobResult]) -> Result<ReleaseManifest, Error> {
        let rendered: HashMap<Uuid, &RenderedItem> =
            results.iter().flat_map(|result| &result.items).map(|item| (item.id, item)).collect();
        let missing = self.items.iter().filter(|item| !rendered.contains_key(&item.id)).count();
        let assemble = |planned: &PlannedItem| Some(item(planned, rendered.get(&planned.id)?));
        let items: Vec<Item> = self.items.iter().filter_map(assemble).collect();
        if missing > 0 {
            return Err(Error::NotRendered { missing, of: self.items.len() });
        }
        Ok(ReleaseManifest { release: self.header.clone(), items })
    }
}

/// Jobs for items of a release.
pub(super) fn jobs<'i>(header: &Header, items: impl Iterator<Item = (Uuid, &'i Recipe)>) -> Vec<RenderJob> {
    let mut rooms: Vec<Option<&str>> = Vec::new();
    let mut tasks: HashMap<Option<&str>, Vec<RenderTask>> = HashMap::new();
    for (id, recipe) in items {
        let room = recipe.scene.as_ref().map(|scene| scene.room.as_str());
        if !rooms.contains(&room) {
            rooms.push(room);
        }
        tasks.entry(room).or_default().push(RenderTask { id, recipe: recipe.clone() });
    }
    let job = |name: Option<&str>, items: &[RenderTask]| RenderJob {
        renderer: header.renderer.clone(),
        room: name.and_then(|name| header.spec.room(name)),
        items: items.to_vec(),
    };
    let jobs_of = |room: Option<&str>| {
        let tasks = tasks.get(&room).map_or(&[][..], Vec::as_slice);
        tasks.chunks(ITEMS_PER_JOB).map(|items| job(room, items)).collect::<Vec<_>>()
    };
    rooms.into_iter().flat_map(jobs_of).collect()
}

fn item(planned: &PlannedItem, rendered: &RenderedItem) -> Item {
    let PlannedItem { id, role, track, utterance, reference, talker, segments, recipe } = planned.clone();
    let RenderedItem { audio, mono, conditions, .. } = rendered.clone();
    Item {
        id,
        role,
        track,
        utterance,
        reference,
        talker,
        segments,
        audio_filepath: audio.path(),
        channels: audio.channels,
        sha256: audio.sha256,
        seconds: audio.seconds,
        mono: mono.map(|mono| MonoAudio { audio_filepath: mono.path(), sha256: mono.sha256 }),
        conditions,
        recipe,
    }
}
