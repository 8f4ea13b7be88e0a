//! Brings a built release into the service: audio to object storage, items to the database, frozen.

use std::path::Path;

use benchmark::release::{Item, ReleaseManifest, Role, verify};
use protocol::ItemId;
use serde_json::{Value, json};
use store::{
    objects,
    releases::{self, NewItem, NewRelease, Part},
};

use crate::{backend::Backend, error::Failure};

/// Checks and freezes the release in `directory`; its name (`slug@version`). The same release again changes nothing.
pub(crate) async fn publish(
    backend: &Backend,
    directory: &Path,
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
        about: &about(&manifest),
        items: &items,
    };
    releases::freeze(&backend.pool, &new).await?;
    Ok(format!("{}@{}", spec.slug, spec.version))
}

async fn store_item(backend: &Backend, directory: &Path, item: &Item) -> Result<NewItem, Failure> {
    let path = directory.join(&item.audio_filepath);
    let content = std::fs::read(&path)
        .map_err(|error| Failure::input(format!("{} cannot be read: {error}", path.display())))?;
    let audio_bytes = content.len() as u64;
    let key = objects::audio_key(&item.sha256);
    if !backend.objects.contains(&key).await {
        backend.objects.put(&key, content).await?;
    }
    Ok(NewItem {
        id: ItemId(item.id),
        part: match item.role {
            Role::Scored => Part::Scored,
            Role::WarmUp => Part::WarmUp,
            Role::Repeat { pass } => Part::Repeat(u32::try_from(pass).unwrap_or(u32::MAX)),
        },
        track: item.track.to_string(),
        utterance: item.utterance.clone(),
        reference: item.reference.clone(),
        talker: item.talker.clone(),
        room: item.conditions.as_ref().map(|conditions| conditions.room.clone()),
        audio_sha256: item.sha256.clone(),
        audio_bytes,
        seconds: item.seconds,
        conditions: serde_json::to_value(&item.conditions).map_err(Failure::failed)?,
    })
}

/// What a visitor may know. Not the seed: with the corpus it tells items apart.
fn about(manifest: &ReleaseManifest) -> Value {
    let header = &manifest.release;
    json!({
        "renderer": header.renderer,
        "corpus": header.corpus,
        "noise": header.spec.noise,
        "rooms": header.spec.rooms,
    })
}
