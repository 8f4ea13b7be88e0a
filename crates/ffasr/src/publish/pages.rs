//! What the pages of a release show: rooms, and samples to listen to from a public dev set.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::Path,
};

use benchmark::{
    Track,
    dev::{DevItem, DevSet},
    release::{ReleaseManifest, Role},
};
use serde_json::json;
use sha2::{Digest, Sha256};
use store::{objects, releases::PageFile};

use crate::{backend::Backend, error::Failure};

/// Kinds of files that lie in `rooms/` of a release.
const KINDS: [(&str, &str); 2] = [("svg", "image/svg+xml"), ("json", "application/json")];

/// Brings all of it to object storage.
pub(super) async fn store(
    backend: &Backend,
    release: &Path,
    dev: Option<&Path>,
) -> Result<Vec<PageFile>, Failure> {
    let mut files = rooms(release)?;
    if let Some(dev) = dev {
        let set = DevSet::open(dev).map_err(Failure::input)?;
        refuse_held_out(&set, release, dev)?;
        files.extend(samples(&set)?);
    }
    let mut stored = Vec::with_capacity(files.len());
    for (path, media_type, content) in files {
        let sha256 = hex::encode(Sha256::digest(&content));
        let bytes = i64::try_from(content.len()).unwrap_or(i64::MAX);
        let key = objects::page_key(&sha256);
        if !backend.objects.contains(&key).await {
            backend.objects.put(&key, content).await?;
        }
        stored.push(PageFile { path, media_type: media_type.to_owned(), sha256, bytes });
    }
    Ok(stored)
}

/// What is public must not hold a text of what is held out.
fn refuse_held_out(set: &DevSet, release: &Path, dev: &Path) -> Result<(), Failure> {
    let manifest = ReleaseManifest::read(release).map_err(Failure::input)?;
    let held_out: HashSet<&str> = manifest.items.iter().map(|item| item.utterance.as_str()).collect();
    let texts: HashSet<&str> = manifest.items.iter().map(|item| item.reference.as_str()).collect();
    let shared = set.items.iter().filter(|item| !item.text.is_empty());
    let shared =
        shared.filter(|item| held_out.contains(&*item.utterance) || texts.contains(&*item.text)).count();
    if shared == 0 {
        return Ok(());
    }
    Err(Failure::input(format!(
        "{shared} items of {} are held out in this release: a dev set needs other utterances (ffasr release build --apart-from)",
        dev.display()
    )))
}

type Content = (String, &'static str, Vec<u8>);

/// None of an older release, which has no such files.
fn rooms(release: &Path) -> Result<Vec<Content>, Failure> {
    let Ok(entries) = fs::read_dir(release.join("rooms")) else { return Ok(Vec::new()) };
    let mut paths: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
        let Some((_, media_type)) = KINDS.iter().find(|(kind, _)| *kind == extension) else { continue };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let content = fs::read(&path)
            .map_err(|error| Failure::input(format!("{} cannot be read: {error}", path.display())))?;
        files.push((format!("rooms/{name}"), *media_type, content));
    }
    Ok(files)
}

/// Tracks by which a room is best heard, the best first.
const HEARD_BY: [Track; 4] = [Track::FarHigh, Track::ReverbOnly, Track::LabMeasured, Track::LabSimulated];

/// One item of each track, of one utterance wherever that is there, and of each room one item beside its dry speech, with
/// their texts: a dev set is public.
fn samples(set: &DevSet) -> Result<Vec<Content>, Failure> {
    let scored = || set.items.iter().filter(|item| item.role == Role::Scored);
    let tracks_of = |utterance: &str| scored().filter(|item| item.utterance == utterance).count();
    let Some(chosen) = scored().map(|item| &*item.utterance).max_by_key(|utterance| tracks_of(utterance))
    else {
        return Err(Failure::input("the dev set has no items to listen to"));
    };
    let mut files = Vec::new();
    let mut list = Vec::new();
    for track in Track::ALL {
        let of_track = || scored().filter(move |item| item.track == track);
        let Some(item) = of_track().find(|item| item.utterance == chosen).or_else(|| of_track().next())
        else {
            continue;
        };
        files.push((
            format!("samples/{track}.wav"),
            "audio/wav",
            set.mono_wav(item).map_err(Failure::input)?,
        ));
        list.push(about(item));
    }
    let rooms = in_rooms(set, &mut files)?;
    let header = &set.header;
    let json = json!({
        "set": format!("{} {}", header.slug, header.version),
        "licence": header.corpus.licence,
        "attribution": header.corpus.attribution,
        "items": list,
        "rooms": rooms,
    });
    let json = serde_json::to_vec(&json).map_err(Failure::failed)?;
    files.push(("samples.json".to_owned(), "application/json", json));
    Ok(files)
}

/// `samples/room-NAME.wav` and `samples/room-NAME-dry.wav`, as far as the set has them; about each what [`about`] says.
fn in_rooms(set: &DevSet, files: &mut Vec<Content>) -> Result<Vec<serde_json::Value>, Failure> {
    let scored = || set.items.iter().filter(|item| item.role == Role::Scored);
    let mut heard: BTreeMap<&str, (usize, &DevItem)> = BTreeMap::new();
    for item in scored() {
        let room = item.conditions.as_ref().map(|conditions| conditions.room.as_str());
        let place = HEARD_BY.iter().position(|track| *track == item.track);
        let Some((room, place)) = room.zip(place) else { continue };
        let present = heard.entry(room).or_insert((place, item));
        if place < present.0 {
            *present = (place, item);
        }
    }
    for (room, (_, item)) in &heard {
        let mut add = |name: String, item: &DevItem| -> Result<(), Failure> {
            files.push((name, "audio/wav", set.mono_wav(item).map_err(Failure::input)?));
            Ok(())
        };
        add(format!("samples/room-{room}.wav"), item)?;
        let dry = scored().find(|dry| dry.track == Track::Near && dry.utterance == item.utterance);
        if let Some(dry) = dry {
            add(format!("samples/room-{room}-dry.wav"), dry)?;
        }
    }
    Ok(heard.values().map(|(_, item)| about(item)).collect())
}

fn about(item: &DevItem) -> serde_json::Value {
    json!({
        "track": item.track,
        "text": item.text,
        "channels": item.channels,
        "conditions": item.conditions,
        "segments": item.segments,
    })
}
