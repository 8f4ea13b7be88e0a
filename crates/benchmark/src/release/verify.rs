//! Verifying a release: is it what was frozen, and is it sound?

use std::{
    collections::{BTreeSet, HashSet},
    fs,
    path::Path,
};

use rayon::prelude::*;

use super::{Item, Material, ReleaseManifest, Workshop, plan::jobs};
use crate::{Demand, Error, Listener, Track, audio, staging::sha256};

/// The ratio asked for and the ratio measured agree to this, in decibels.
const SNR_TOLERANCE_DB: f64 = 0.05;

/// A release that was verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The hash that freezes it.
    pub manifest_sha256: String,
    /// Number of items.
    pub items: usize,
    /// Length of all audio, in seconds.
    pub seconds: f64,
}

/// Verifies a release directory: the manifest's hash, every file's hash and form, every signal-to-noise ratio,
/// and that all tracks have the same utterances.
///
/// # Errors
/// [`Error::Unsound`] names every item that is wrong and says how; other errors if it cannot be read at all.
pub fn verify(directory: &Path) -> Result<Report, Error> {
    let manifest = ReleaseManifest::read(directory)?;
    let mut problems: Vec<String> = manifest
        .items
        .par_iter()
        .filter_map(|item| {
            verify_item(directory, item).err().map(|problem| format!("item {}: {problem}", item.id))
        })
        .collect();
    problems.extend(verify_whole(directory, &manifest)?);
    if !problems.is_empty() {
        return Err(Error::Unsound(problems));
    }
    Ok(Report {
        manifest_sha256: manifest.sha256()?,
        items: manifest.items.len(),
        seconds: manifest.items.iter().map(|item| item.seconds).sum(),
    })
}

/// Renders a sample of a release again and compares what comes out with what is there, to the byte: every n-th item, so
/// that `sample` of them are chosen over all tracks. Number of items compared.
///
/// # Errors
/// [`Error::Unsound`] names every item that came out otherwise; other errors if something cannot be rendered, among them
/// [`Error::OtherRenderer`] for a release of another version.
pub fn verify_by_rendering<'a>(
    directory: &Path,
    material: impl Into<Material<'a>>,
    sample: usize,
) -> Result<usize, Error> {
    let manifest = ReleaseManifest::read(directory)?;
    let step = manifest.items.len().div_ceil(sample.max(1)).max(1);
    let chosen: Vec<&Item> = manifest.items.iter().step_by(step).collect();
    let work = tempfile::tempdir().map_err(Error::io(directory))?;
    let workshop = Workshop::open(work.path(), material.into().recordings())?;
    let mut problems = Vec::new();
    for job in jobs(&manifest.release, chosen.iter().map(|item| (item.id, &item.recipe))) {
        for again in workshop.render(&job, &|| ())?.items {
            let Some(item) = chosen.iter().find(|item| item.id == again.id) else { continue };
            let mono = again.mono.as_ref().map(|mono| &mono.sha256);
            if (&again.audio.sha256, mono) != (&item.sha256, item.mono.as_ref().map(|mono| &mono.sha256)) {
                problems.push(format!("item {}: its recipe gives other audio", item.id));
            } else if again.conditions != item.conditions {
                problems.push(format!("item {}: its recipe gives other conditions", item.id));
            }
        }
    }
    if problems.is_empty() { Ok(chosen.len()) } else { Err(Error::Unsound(problems)) }
}

fn verify_item(directory: &Path, item: &Item) -> Result<(), String> {
    verify_audio(directory, item)?;
    verify_conditions(item)
}

fn verify_audio(directory: &Path, item: &Item) -> Result<(), String> {
    verify_file(directory, &item.audio_filepath, &item.sha256, item.channels, item.seconds)?;
    if (item.track.demand().is_some_and(|demand| demand != Demand::Talkers)) != item.mono.is_some() {
        return Err(format!("track {} and its audio in one channel do not fit together", item.track));
    }
    let mono = item.mono.as_ref();
    mono.map_or(Ok(()), |mono| verify_file(directory, &mono.audio_filepath, &mono.sha256, 1, item.seconds))
}

fn verify_file(
    directory: &Path,
    name: &Path,
    expected: &str,
    channels: u16,
    seconds: f64,
) -> Result<(), String> {
    // Also keeps a manifest from elsewhere from naming a file outside the release.
    if name != Path::new("audio").join(format!("{expected}.wav")) {
        return Err("its audio is not named by its content".to_owned());
    }
    let path = directory.join(name);
    let content = fs::read(&path).map_err(|error| format!("{}: {error}", name.display()))?;
    if sha256(&content) != expected {
        return Err(format!("{} was changed: its SHA-256 is another", name.display()));
    }
    let (found, samples) = audio::measure_wav(&content)?;
    if found != channels {
        return Err(format!("its audio has {found} channels, the manifest says {channels}"));
    }
    let length = audio::seconds(samples);
    if (length - seconds).abs() > 1e-6 {
        return Err(format!("its audio lasts {length} s, the manifest says {seconds} s"));
    }
    Ok(())
}

fn verify_conditions(item: &Item) -> Result<(), String> {
    let track = item.track;
    let (setting, scene, conditions) = match (track.setting(), &item.recipe.scene, &item.conditions) {
        (None, None, None) => return Ok(()),
        (Some(setting), Some(scene), Some(conditions)) => (setting, scene, conditions),
        (None, ..) => return Err(format!("track {track} is dry, but it has a scene")),
        (Some(_), ..) => return Err(format!("track {track} has scenes, but it has none")),
    };
    if scene.speech != setting.speech {
        return Err(format!(
            "its speech is {:?}, that of track {track} is {:?}",
            scene.speech, setting.speech
        ));
    }
    if (track == Track::Array) != (scene.listener == Listener::Array) {
        return Err(format!("track {track} and what listens ({:?}) do not fit together", scene.listener));
    }
    if (track == Track::Echo) != (scene.far_end.is_some() && conditions.ser_db.is_some()) {
        return Err(format!("track {track} and its far end do not fit together"));
    }
    if (track == Track::MultiTalker) != (item.segments.len() > 1 && conditions.overlap_ratio.is_some()) {
        return Err(format!("track {track} and its number of turns do not fit together"));
    }
    if !track.has_speech() && !item.reference.is_empty() {
        return Err(format!("track {track} has no speech, but it has a reference"));
    }
    let (range, asked) = match (track.snr_range(), scene.snr_db) {
        (None, None) => return Ok(()),
        (Some(range), Some(asked)) => (range, asked),
        (None, _) => return Err(format!("track {track} has no noise, but it has a ratio")),
        (Some(_), _) => return Err(format!("track {track} has noise, but it has no ratio")),
    };
    if !range.contains(asked) {
        let (low, high) = (range.low_db, range.high_db);
        return Err(format!("its ratio of {asked} dB is outside track {track}, {low} to {high} dB"));
    }
    let nominal = |noise: f64| item.recipe.level_dbov - noise;
    let measured =
        if track.has_speech() { conditions.snr_db } else { conditions.noise_level_dbov.map(nominal) };
    match measured {
        Some(measured) if (measured - asked).abs() <= SNR_TOLERANCE_DB => Ok(()),
        Some(measured) => Err(format!("its ratio is {measured} dB, its recipe asks for {asked} dB")),
        None => Err(format!("its ratio was not measured, its recipe asks for {asked} dB")),
    }
}

/// What no single item shows.
fn verify_whole(directory: &Path, manifest: &ReleaseManifest) -> Result<Vec<String>, Error> {
    let mut problems = Vec::new();
    let mut ids = HashSet::new();
    for item in &manifest.items {
        if !ids.insert(item.id) {
            problems.push(format!("item {}: another item has the same id", item.id));
        }
    }
    let utterances =
        |track| manifest.scored(track).map(|item| item.utterance.as_str()).collect::<BTreeSet<_>>();
    let tracks = &manifest.release.spec.tracks;
    let (ranked, unranked): (Vec<Track>, Vec<Track>) = tracks.iter().partition(|track| track.is_ranked());
    for group in [&ranked, &unranked] {
        for pair in group.windows(2) {
            if utterances(pair[0]) != utterances(pair[1]) {
                problems.push(format!("tracks {} and {} have different utterances", pair[0], pair[1]));
            }
        }
    }
    if let (Some(&ranked), Some(&unranked)) = (ranked.first(), unranked.first())
        && !utterances(unranked).is_subset(&utterances(ranked))
    {
        problems.push(format!("track {unranked} has utterances that track {ranked} has not"));
    }
    let scored: HashSet<&str> = tracks.iter().flat_map(|&track| utterances(track)).collect();
    let warm_up = manifest.warm_up().filter(|item| scored.contains(item.utterance.as_str()));
    problems.extend(warm_up.map(|item| format!("item {}: warms up with a scored utterance", item.id)));
    problems.extend(strangers(directory, manifest)?);
    Ok(problems)
}

/// Files in `audio/` that no item names.
fn strangers(directory: &Path, manifest: &ReleaseManifest) -> Result<Vec<String>, Error> {
    let known: HashSet<&Path> = manifest.items.iter().flat_map(Item::files).collect();
    let audio = directory.join("audio");
    let mut strangers = Vec::new();
    for entry in fs::read_dir(&audio).map_err(Error::io(&audio))? {
        let name = Path::new("audio").join(entry.map_err(Error::io(&audio))?.file_name());
        if !known.contains(name.as_path()) {
            strangers.push(format!("{} belongs to no item", name.display()));
        }
    }
    strangers.sort();
    Ok(strangers)
}
