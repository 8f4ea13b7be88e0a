//! From a specification and a corpus to recipes: everything that is drawn by chance is drawn here.

use std::collections::HashMap;

use rand::{Rng, RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{NoiseKind, NoiseRecipe, PlannedItem, Recipe, ReleaseSpec, Role, SceneRecipe};
use crate::{
    Error, Room, SAMPLE_RATE, SnrRange, SpeechPath, Track,
    corpus::{Corpus, Utterance},
};

/// A repeat is up to this much louder or softer than the scored item, in decibels …
const REPEAT_LEVEL_DB: f64 = 0.1;
/// … and begins up to this much later, in samples (200 ms).
const REPEAT_LEAD_IN: usize = SAMPLE_RATE as usize / 5;

/// Chooses utterances and draws a recipe for each item: scored ones track by track, then warm-up, then repeats.
///
/// An utterance keeps its room, its positions and its noise through all tracks, so that two far tracks differ in
/// the signal-to-noise ratio alone, and `reverb-only`, `noise-only` and `silence` are the `far-mid` item with something
/// left out.
pub(super) fn draw(spec: &ReleaseSpec, corpus: &Corpus, items: usize) -> Result<Vec<PlannedItem>, Error> {
    let chosen = choose(spec, corpus, items)?;
    let (scored, warm_up) = chosen.split_at(items);
    let mut planned = Vec::new();
    for &track in &spec.tracks {
        planned.extend(scored.iter().map(|cast| item(spec, cast, track, Role::Scored)));
    }
    let tracks = spec.tracks.iter().cycle();
    planned.extend(warm_up.iter().zip(tracks).map(|(cast, &track)| item(spec, cast, track, Role::WarmUp)));
    for pass in 1..=spec.speed.passes {
        planned
            .extend(subset(spec, scored).map(|(cast, track)| item(spec, cast, track, Role::Repeat { pass })));
    }
    Ok(planned)
}

/// An utterance with the room it is heard in.
struct Cast<'a, 's> {
    utterance: &'a Utterance,
    room: Option<&'s Room>,
    /// Its part of the ratios of the `sweep`, as a share from 0 to 1.
    stratum: [f64; 2],
}

/// Draws utterances, as many talkers among them as can be, and deals the rooms out evenly.
fn choose<'a, 's>(
    spec: &'s ReleaseSpec,
    corpus: &'a Corpus,
    items: usize,
) -> Result<Vec<Cast<'a, 's>>, Error> {
    let needed = items + spec.speed.warm_up;
    let mut fit: Vec<&Utterance> =
        corpus.utterances.iter().filter(|utterance| fits(spec, utterance)).collect();
    if items == 0 || fit.len() < needed {
        let asked = format!("{items} items and {} to warm up", spec.speed.warm_up);
        return Err(Error::TooFewUtterances { needed, asked, found: fit.len() });
    }
    // The order of the manifest must not matter.
    fit.sort_by(|a, b| a.id.cmp(&b.id));
    fit.shuffle(&mut stream(spec, &["utterances"]));
    take_turns(&mut fit);

    let mut rooms: Vec<&Room> = spec.rooms.iter().collect();
    rooms.shuffle(&mut stream(spec, &["rooms"]));
    let mut dealt = rooms.into_iter().cycle();
    // Every part of the sweep gets one utterance.
    let mut strata: Vec<usize> = (0..items).collect();
    strata.shuffle(&mut stream(spec, &["strata"]));
    let strata =
        strata.into_iter().cycle().map(|part| [part, part + 1].map(|edge| edge as f64 / items as f64));
    let chosen = fit.into_iter().take(needed).zip(strata);
    Ok(chosen.map(|(utterance, stratum)| Cast { utterance, room: dealt.next(), stratum }).collect())
}

fn fits(spec: &ReleaseSpec, utterance: &Utterance) -> bool {
    let speech = spec.speech;
    utterance.words() >= speech.min_words
        && (speech.min_seconds..=speech.max_seconds).contains(&utterance.duration)
}

/// Sorts so that no talker speaks a second time before each has spoken once.
fn take_turns(utterances: &mut [&Utterance]) {
    let mut spoken: HashMap<&str, usize> = HashMap::new();
    utterances.sort_by_cached_key(|utterance| {
        let turns = spoken.entry(&utterance.speaker).or_default();
        *turns += 1;
        *turns
    });
}

/// The fixed subset of the repeat passes: other utterances for each track as far as they go.
fn subset<'c, 'a, 's>(
    spec: &'c ReleaseSpec,
    scored: &'c [Cast<'a, 's>],
) -> impl Iterator<Item = (&'c Cast<'a, 's>, Track)> {
    let tracks = spec.tracks.iter().flat_map(|&track| (0..spec.speed.items_per_track).map(move |_| track));
    scored.iter().cycle().zip(tracks)
}

fn item(spec: &ReleaseSpec, cast: &Cast<'_, '_>, track: Track, role: Role) -> PlannedItem {
    let id = item_id(spec, cast.utterance, track, role);
    // A repeat draws its noise from its own id; all else draws from the utterance, whatever the track.
    let (take, lead_in, level_offset) = match role {
        Role::Scored | Role::WarmUp => (cast.utterance.id.clone(), 0, 0.0),
        Role::Repeat { .. } => {
            let mut rng = stream(spec, &["repeat", &id.to_string()]);
            let level = rng.random_range(-REPEAT_LEVEL_DB..=REPEAT_LEVEL_DB);
            (id.to_string(), rng.random_range(0..=REPEAT_LEAD_IN), level)
        }
    };
    let recipe = Recipe {
        speech_sha256: cast.utterance.sha256.clone(),
        lead_in_samples: lead_in,
        level_dbov: rounded(spec.level_dbov + level_offset),
        dither_seed: seed(&mut stream(spec, &["dither", &id.to_string()])),
        scene: track.setting().zip(cast.room).map(|(setting, room)| {
            let snr_db = ratio(spec, cast, track);
            scene(spec, cast.utterance, room, setting.speech, snr_db, &take)
        }),
    };
    let Utterance { id: utterance, text, speaker, .. } = cast.utterance;
    PlannedItem {
        id,
        role,
        track,
        utterance: utterance.clone(),
        reference: if track.has_speech() { text.clone() } else { String::new() },
        talker: speaker.clone(),
        recipe,
    }
}

/// The signal-to-noise ratio of an item; none where there is no noise.
fn ratio(spec: &ReleaseSpec, cast: &Cast<'_, '_>, track: Track) -> Option<f64> {
    let SnrRange { low_db, high_db } = track.snr_range()?;
    let mut rng = stream(spec, &["ratio", track.ratios_of().name(), &cast.utterance.id]);
    let [low, high] = match track {
        Track::Sweep => cast.stratum.map(|share| low_db + share * (high_db - low_db)),
        _ => [low_db, high_db],
    };
    Some(rounded(rng.random_range(low..=high)))
}

/// Without a ratio, without noise.
fn scene(
    spec: &ReleaseSpec,
    utterance: &Utterance,
    room: &Room,
    speech: SpeechPath,
    snr_db: Option<f64>,
    take: &str,
) -> SceneRecipe {
    let mut places = stream(spec, &["places", &utterance.id]);
    let mut sounds = stream(spec, &["sounds", take]);
    let [low, high] = spec.noise.transient_level_db;
    let level = rounded(places.random_range(low..=high));
    let mut noise = |kinds: &[NoiseKind], positions: usize, relative_level_db: f64| NoiseRecipe {
        kind: kinds[places.random_range(0..kinds.len())],
        position: places.random_range(0..positions),
        relative_level_db,
        seed: seed(&mut sounds),
    };
    let mut noises = vec![
        noise(&spec.noise.continuous, room.outlets.len(), 0.0),
        noise(&spec.noise.transient, room.bystanders.len(), level),
    ];
    // Drawn all the same, so that an utterance's positions do not depend on the track.
    if snr_db.is_none() {
        noises.clear();
    }
    SceneRecipe {
        room: room.name.clone(),
        talker: places.random_range(0..room.talkers.len()),
        microphone: places.random_range(0..room.microphones.len()),
        speech,
        snr_db,
        noises,
    }
}

/// UUID version 8 (custom, RFC 9562) from what makes an item that item.
fn item_id(spec: &ReleaseSpec, utterance: &Utterance, track: Track, role: Role) -> Uuid {
    let role = match role {
        Role::Scored => "scored".to_owned(),
        Role::WarmUp => "warm-up".to_owned(),
        Role::Repeat { pass } => format!("repeat {pass}"),
    };
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest(spec, &["item", &role, track.name(), &utterance.id])[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// An independent stream of random numbers for each purpose, so that a change to one moves no other.
fn stream(spec: &ReleaseSpec, purpose: &[&str]) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(digest(spec, purpose))
}

fn digest(spec: &ReleaseSpec, purpose: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    let seed = spec.seed.to_string();
    for part in [&spec.slug, &spec.version, &seed].map(String::as_str).iter().chain(purpose) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// 32 bits, so that a seed survives every JSON reader.
fn seed(rng: &mut ChaCha8Rng) -> u64 {
    u64::from(rng.next_u32())
}

/// Hundredths of a decibel: enough, and readable.
fn rounded(decibels: f64) -> f64 {
    (decibels * 100.0).round() / 100.0
}
