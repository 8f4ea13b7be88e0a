//! Releases: frozen benchmarks, from a readable specification to verified files.

mod build;
mod draw;
mod job;
mod manifest;
mod plan;
mod recipe;
mod render;
mod spec;
mod verify;
mod workshop;

pub use build::build;
pub use job::{AudioFile, JobResult, RENDERER, RenderJob, RenderTask, RenderedItem};
pub use manifest::{Conditions, Header, Item, ReleaseManifest, Role};
pub use plan::{Plan, PlannedItem};
pub use recipe::{NoiseRecipe, Recipe, SceneRecipe};
use render::Renderer;
pub use spec::{Noise, NoiseKind, ReleaseSpec, Speech, Speed};
pub use verify::{Report, verify};
pub use workshop::Workshop;

use crate::corpus::Corpus;

/// Texts of the corpus that no item of the release uses, in the corpus's order: what a language model may be
/// trained on without having seen a reference.
pub fn text_not_in_release(corpus: &Corpus, manifest: &ReleaseManifest) -> Vec<String> {
    let used: std::collections::HashSet<&str> =
        manifest.items.iter().map(|item| item.utterance.as_str()).collect();
    let unused = corpus.utterances.iter().filter(|utterance| !used.contains(utterance.id.as_str()));
    unused.map(|utterance| utterance.text.clone()).collect()
}
