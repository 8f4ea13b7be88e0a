//! Brings a built release into the service: audio to object storage, items to the database, frozen.

mod pages;

use std::path::Path;

use benchmark::{
    RoomModel,
    release::{Item, ReleaseManifest, Role, Segment, verify},
};
use protocol::{ItemId, SpokenSegment};
use serde_json::{Value, json};
use store::{
    objects,
    releases::{self, NewItem, NewRelease, Part},
};

use crate::{backend::Backend, error::Failure};

/// Checks and freezes the release in `directory`; its name (`slug@version`). The same release again changes nothing. Its
/// pages get samples from the public set in `dev`.
pub(crate) async fn publish(
    backend: &Backend,
    directory: &Path,
    dev: Option<&Path>,
    progress: &dyn Fn(usize, usize),
) -> Result<String, Failure> {
    verify(directory).map_err(Failure::input)?;
    let manifest = ReleaseManifest::read(directory).map_err(Failure::input)?;
    let manifest_sha256 = manifest.sha256().map_err(Failure::failed)?;
    let mut items = Vec::with_capacity(manifest.items.len());
    for (done, item) in manifest.items.iter().enumerate() {
        progress(done, manifest.items.len());
        items.push(store_item(backend, directory, item).await?);
    }
    progress(manifest.items.len(), manifest.items.len());
    let spec = &manifest.release.spec;
    let new = NewRelease {
        slug: &spec.slug,
        version: &spec.version,
        title: &spec.title,
        manifest_sha256: &manifest_sha256,
        about: &about(&manifest)?,
        items: &items,
        files: &pages::store(backend, directory, dev).await?,
        key: backend.sealing_key.as_ref(),
    };
    releases::freeze(&backend.pool, &new).await?;
    Ok(format!("{}@{}", spec.slug, spec.version))
}

async fn store_item(backend: &Backend, directory: &Path, item: &Item) -> Result<NewItem, Failure> {
    let audio_bytes = store_audio(backend, &directory.join(&item.audio_filepath), &item.sha256).await?;
    if let Some(mono) = &item.mono {
        store_audio(backend, &directory.join(&mono.audio_filepath), &mono.sha256).await?;
    }
    let segment = |said: &Segment| SpokenSegment {
        speaker: said.speaker.clone(),
        words: said.words.clone(),
        start_time: Some(said.start_time),
        end_time: Some(said.end_time),
    };
    Ok(NewItem {
        id: ItemId(item.id),
        part: match item.role {
            Role::Scored => Part::Scored,
            Role::WarmUp => Part::WarmUp,
            Role::Canary => Part::Canary,
            Role::Repeat { pass } => Part::Repeat(u32::try_from(pass).unwrap_or(u32::MAX)),
        },
        track: item.track.to_string(),
        utterance: item.utterance.clone(),
        reference: item.reference.clone(),
        segments: item.segments.iter().map(segment).collect(),
        talker: item.talker.clone(),
        room: item.conditions.as_ref().map(|conditions| conditions.room.clone()),
        audio_sha256: item.sha256.clone(),
        channels: item.channels,
        mono_sha256: item.mono.as_ref().map(|mono| mono.sha256.clone()),
        audio_bytes,
        seconds: item.seconds,
        conditions: serde_json::to_value(&item.conditions).map_err(Failure::failed)?,
    })
}

/// Brings an audio file to object storage under its hash; its size.
async fn store_audio(backend: &Backend, path: &Path, sha256: &str) -> Result<u64, Failure> {
    let content = std::fs::read(path)
        .map_err(|error| Failure::input(format!("{} cannot be read: {error}", path.display())))?;
    let bytes = content.len() as u64;
    let key = objects::audio_key(sha256);
    if !backend.objects.contains(&key).await {
        backend.objects.put(&key, content).await?;
    }
    Ok(bytes)
}

/// What a visitor may know. Not the seed: with the corpus it tells items apart.
fn about(manifest: &ReleaseManifest) -> Result<Value, Failure> {
    let header = &manifest.release;
    let rooms = header.spec.room_models();
    let rooms =
        rooms.iter().map(RoomModel::summary).collect::<Result<Vec<_>, _>>().map_err(Failure::failed)?;
    Ok(json!({
        "renderer": header.renderer,
        "corpus": header.corpus,
        "noise": header.spec.noise,
        "noise_corpus": header.noise_corpus,
        "rooms": rooms,
        "laboratory": header.spec.laboratory,
        "tracks": header.spec.tracks,
    }))
}
