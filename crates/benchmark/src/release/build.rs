//! Building a release.

use std::{
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use rayon::prelude::*;

use super::{
    Item, ReleaseManifest, ReleaseSpec, Renderer,
    manifest::{FORMAT, Header},
    plan::{Planned, plan},
};
use crate::{
    Error, Progress, audio,
    corpus::Corpus,
    staging::{Staging, sha256},
};

/// Builds a release of `items` utterances a track into the new directory `destination` (layout: see
/// [the crate](crate)), on all cores.
///
/// Same specification, corpus and number of items: same manifest, same hash. The directory appears complete or
/// not at all. `progress` is called after each item, from any thread.
///
/// # Errors
/// If the specification contradicts itself, the corpus is damaged or too small, or `destination` exists.
pub fn build(
    spec: &ReleaseSpec,
    corpus: &Path,
    destination: &Path,
    items: usize,
    progress: Progress,
) -> Result<ReleaseManifest, Error> {
    spec.validate()?;
    let staging = Staging::start(destination)?;
    let corpus = Corpus::open(corpus)?;
    let planned = plan(spec, &corpus, items)?;
    let renderer = Renderer::new(&spec.rooms, &corpus, planned.iter().map(|planned| &planned.recipe))?;

    let (done, total) = (AtomicUsize::new(0), planned.len());
    let items = planned.into_par_iter().map(|planned| {
        let item = make(planned, &renderer, &staging)?;
        progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
        Ok(item)
    });
    let items = items.collect::<Result<Vec<_>, Error>>()?;

    let release = Header {
        format: FORMAT,
        renderer: concat!("ffasr ", env!("CARGO_PKG_VERSION")).to_owned(),
        corpus: corpus.description.clone(),
        spec: spec.clone(),
    };
    let manifest = ReleaseManifest { release, items };
    staging.write("manifest.jsonl", &manifest.lines()?)?;
    staging.write("release.json", &manifest.release_file()?)?;
    staging.finish()?;
    Ok(manifest)
}

/// Renders one item and writes its audio.
fn make(planned: Planned<'_>, renderer: &Renderer<'_>, staging: &Staging) -> Result<Item, Error> {
    let Planned { id, role, track, utterance, recipe } = planned;
    let rendered = renderer.render(utterance, &recipe)?;
    let wav = audio::encode_wav(&rendered.samples)
        .map_err(|error| Error::file(&utterance.id, error.to_string()))?;
    let sha256 = sha256(&wav);
    let name = format!("audio/{sha256}.wav");
    staging.write(&name, &wav)?;
    Ok(Item {
        id,
        role,
        track,
        utterance: utterance.id.clone(),
        reference: if track.has_speech() { utterance.text.clone() } else { String::new() },
        talker: utterance.speaker.clone(),
        audio_filepath: name.into(),
        sha256,
        seconds: audio::seconds(rendered.samples.len()),
        conditions: rendered.conditions,
        recipe,
    })
}
