//! The demo's public dev set: every track once, from prompts that the release does not use, to be listened to on its pages.
//!
//! The demo's corpus has one voice, so that this set shares its talker with the release; a real one must not.

use std::path::{Path, PathBuf};

use benchmark::{
    corpus::Corpus,
    dev::{AudioForm, DevSet},
    release::{ReleaseManifest, ReleaseSpec, build},
};

use super::{corpus_directory, remove_if_there};
use crate::{
    error::Failure,
    progress::{percent, step},
};

/// Utterances of each track: one for each of the demo's rooms, to be heard on its page.
const ITEMS: usize = 8;

/// The directory of the set, made now if it is not there or belongs to another release.
pub(super) fn made(data: &Path, release: &Path) -> Result<PathBuf, Failure> {
    let manifest = ReleaseManifest::read(release).map_err(Failure::failed)?;
    let spec = specification(&manifest.release.spec);
    let name = release.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let set = data.join(format!("releases/{name}-dev-set"));
    let header = DevSet::open(&set).ok().map(|set| set.header);
    if header.is_some_and(|header| header.slug == spec.slug && header.version == spec.version) {
        return Ok(set);
    }
    step(&format!("rendering a public dev set: {ITEMS} utterances, {} tracks", spec.tracks.len()));
    let (corpus, rendered) =
        (data.join(format!("corpora/{name}-rest")), data.join(format!("releases/{name}-dev")));
    for directory in [&corpus, &rendered, &set] {
        remove_if_there(directory)?;
    }
    let used: std::collections::HashSet<&str> =
        manifest.items.iter().map(|item| item.utterance.as_str()).collect();
    Corpus::subset(&corpus_directory(data), &corpus, |utterance| !used.contains(utterance.id.as_str()))
        .map_err(Failure::failed)?;
    build(&spec, &corpus, &rendered, ITEMS, &percent("rendering")).map_err(Failure::failed)?;
    let open = DevSet::open(&rendered).map_err(Failure::failed)?;
    open.export(&set, AudioForm::Flac, &percent("exporting")).map_err(Failure::failed)?;
    Ok(set)
}

fn specification(of: &ReleaseSpec) -> ReleaseSpec {
    let mut spec = of.clone();
    spec.slug = format!("{}-dev", of.slug);
    spec.seed = of.seed + 1;
    "Demo: dev set".clone_into(&mut spec.title);
    spec.unranked_items = None;
    spec.canaries = 0;
    (spec.speed.warm_up, spec.speed.passes) = (0, 0);
    spec
}
