//! Brings a built release into the service: audio to object storage, items to the database, frozen.

use std::path::Path;

use benchmark::{
    RoomModel,
    release::{Item, ReleaseManifest, Role, verify},
};
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
    // A service gives models one channel of one talker. What asks for more is shown as not run, never as a failure.
    let given: Vec<&Item> = manifest.items.iter().filter(|item| item.track.demand().is_none()).collect();
    let mut items = Vec::with_capacity(given.len());
    for (done, item) in given.iter().enumerate() {
        progress(done, given.len());
        items.push(store_item(backend, directory, item).await?);
    }
    progress(given.len(), given.len());
    let spec = &manifest.release.spec;
    let new = NewRelease {
        slug: &spec.slug,
        version: &spec.version,
        title: &spec.title,
        manifest_sha256: &manifest_sha256,
        about: &about(&manifest)?,
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
fn about(manifest: &ReleaseManifest) -> Result<Value, Failure> {
    let header = &manifest.release;
    let not_given: Vec<_> = header.spec.tracks.iter().filter(|track| track.demand().is_some()).collect();
    let rooms = header.spec.room_models();
    let rooms =
        rooms.iter().map(RoomModel::summary).collect::<Result<Vec<_>, _>>().map_err(Failure::failed)?;
    Ok(json!({
        "renderer": header.renderer,
        "corpus": header.corpus,
        "noise": header.spec.noise,
        "rooms": rooms,
        "laboratory": header.spec.laboratory,
        "tracks": header.spec.tracks,
        "not_given": not_given,
    }))
}
