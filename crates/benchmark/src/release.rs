//! Releases: frozen benchmarks, from a readable specification to verified files.

mod apart;
mod build;
mod diff;
mod draw;
mod job;
mod manifest;
mod plan;
mod portrait;
mod recipe;
mod render;
mod responses;
mod seal;
mod spec;
mod verify;
mod workshop;

pub use apart::{Common, Heard, expect_apart};
pub use build::build;
pub use diff::{Difference, Field, TrackDifference, diff};
pub use job::{AudioFile, JobResult, RENDERER, RenderJob, RenderTask, RenderedItem};
pub use manifest::{Conditions, Header, Item, MonoAudio, ReleaseManifest, Role};
pub(crate) use manifest::{is_one, one};
pub use plan::{Material, Plan, PlannedItem};
pub use recipe::{FarEnd, NoiseRecipe, Recipe, SceneRecipe, Turn};
use render::Renderer;
pub use scene::conversation::Segment;
pub use seal::{KEY_FILE_VARIABLE, KEY_VARIABLE, ReleaseKey, seal};
pub use spec::{
    EchoSpec, MultiTalker, Noise, NoiseKind, ReleaseSpec, Side, Speech, Speed, TalkerSplit, TalkersBy,
};
pub use verify::{Report, verify, verify_by_rendering};
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
