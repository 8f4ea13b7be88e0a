//! From a specification and a corpus to recipes: everything that is drawn by chance is drawn here.

use std::collections::HashMap;

use rand::{Rng, RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use scene::conversation::{self, Segment};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    FarEnd, MultiTalker, NoiseKind, NoiseRecipe, PlannedItem, Recipe, ReleaseSpec, Role, SceneRecipe,
    TalkersBy, Turn, spec,
};
use crate::{
    Error, Laboratory, Listener, RoomModel, SAMPLE_RATE, SnrRange, SpeechPath, Track,
    corpus::{Corpus, NoiseCorpus, Utterance},
    venue::Venue,
};

/// A repeat is up to this much louder or softer than the scored item, in decibels …
const REPEAT_LEVEL_DB: f64 = 0.1;
/// … and begins up to this much later, in samples (200 ms).
const REPEAT_LEAD_IN: usize = SAMPLE_RATE as usize / 5;

/// Chooses utterances and draws a recipe for each item: scored ones track by track, then warm-up, canaries and repeats.
///
/// An utterance keeps its room, its positions and its noise through all tracks for which its room will do, so that two
/// far tracks differ in the signal-to-noise ratio alone, and `reverb-only`, `noise-only` and `silence` are the `far-mid`
/// item with something left out.
pub(super) fn draw(
    spec: &ReleaseSpec,
    corpus: &Corpus,
    recorded: Option<&NoiseCorpus>,
    items: usize,
) -> Result<Vec<PlannedItem>, Error> {
    let rooms = spec.room_models().iter().map(Site::new).collect::<Result<Vec<_>, Error>>()?;
    let chosen = choose(spec, &rooms, corpus, items)?;
    let (scored, others) = chosen.split_at(items);
    let (warm_up, canaries) = others.split_at(spec.speed.warm_up);
    let unranked = spec.unranked_items.map_or(items, |most| most.min(items));
    let mut planned = Vec::new();
    let mut plan = |cast: &Cast<'_, '_>, company: &[Cast<'_, '_>], track, role| -> Result<(), Error> {
        planned.push(Draw { spec, rooms: &rooms, recorded, cast, company, track, role }.item()?);
        Ok(())
    };
    for &track in &spec.tracks {
        let used = if track.is_ranked() { items } else { unranked };
        for cast in &scored[..used] {
            plan(cast, &scored[..used], track, Role::Scored)?;
        }
    }
    // Speed is about the ranked tracks, and every model must be able to run them.
    let ranked: Vec<Track> = spec.tracks.iter().copied().filter(|track| track.is_ranked()).collect();
    let for_all = spec.tracks.iter().copied().filter(|track| track.demand().is_none());
    let tracks: Vec<Track> = if ranked.is_empty() { for_all.collect() } else { ranked };
    for (cast, &track) in warm_up.iter().zip(tracks.iter().cycle()) {
        plan(cast, warm_up, track, Role::WarmUp)?;
    }
    // On tracks that every model runs, or nobody would meet them.
    for (cast, &track) in canaries.iter().zip(tracks.iter().cycle()) {
        plan(cast, canaries, track, Role::Canary)?;
    }
    let repeated = tracks.iter().flat_map(|&track| (0..spec.speed.items_per_track).map(move |_| track));
    let repeated: Vec<Track> = repeated.collect();
    for pass in 1..=spec.speed.passes {
        // A fixed subset: other utterances for each track as far as they go.
        for (cast, &track) in scored[..unranked].iter().cycle().zip(&repeated) {
            plan(cast, &scored[..unranked], track, Role::Repeat { pass })?;
        }
    }
    Ok(planned)
}

/// A room of the specification, seen as it is used.
struct Site {
    name: String,
    venue: Venue,
}

impl Site {
    fn new(model: &RoomModel) -> Result<Self, Error> {
        let name = model.name().to_owned();
        let venue =
            Venue::new(model).map_err(|problem| Error::Specification(format!("room `{name}`: {problem}")))?;
        Ok(Self { name, venue })
    }
}

/// An utterance with the room it is heard in.
struct Cast<'a, 's> {
    utterance: &'a Utterance,
    room: Option<&'s Site>,
    /// Its part of the ratios of the `sweep`, as a share from 0 to 1.
    stratum: [f64; 2],
}

/// Draws utterances, as many talkers among them as can be, and deals the rooms out evenly.
fn choose<'a, 's>(
    spec: &ReleaseSpec,
    rooms: &'s [Site],
    corpus: &'a Corpus,
    items: usize,
) -> Result<Vec<Cast<'a, 's>>, Error> {
    let needed = items + spec.speed.warm_up + spec.canaries;
    let mut fit: Vec<&Utterance> =
        corpus.utterances.iter().filter(|utterance| fits(spec, utterance)).collect();
    if items == 0 || fit.len() < needed {
        let asked =
            format!("{items} items, {} to warm up and {} canaries", spec.speed.warm_up, spec.canaries);
        return Err(Error::TooFewUtterances { needed, asked, found: fit.len() });
    }
    // The order of the manifest must not matter.
    fit.sort_by(|a, b| a.id.cmp(&b.id));
    fit.shuffle(&mut stream(spec, &["utterances"]));
    take_turns(&mut fit);

    let mut rooms: Vec<&Site> = rooms.iter().collect();
    rooms.shuffle(&mut stream(spec, &["rooms"]));
    let mut dealt = rooms.into_iter().cycle();
    // Every part of the sweep gets one utterance.
    let parts = spec.unranked_items.map_or(items, |most| most.min(items));
    let mut strata: Vec<usize> = (0..parts).collect();
    strata.shuffle(&mut stream(spec, &["strata"]));
    let strata =
        strata.into_iter().cycle().map(|part| [part, part + 1].map(|edge| edge as f64 / parts as f64));
    let chosen = fit.into_iter().take(needed).zip(strata);
    Ok(chosen.map(|(utterance, stratum)| Cast { utterance, room: dealt.next(), stratum }).collect())
}

fn fits(spec: &ReleaseSpec, utterance: &Utterance) -> bool {
    let speech = spec.speech;
    spec.talkers.is_none_or(|split| split.has(&utterance.speaker))
        && utterance.words() >= speech.min_words
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

/// What one item is drawn from.
struct Draw<'d> {
    spec: &'d ReleaseSpec,
    rooms: &'d [Site],
    recorded: Option<&'d NoiseCorpus>,
    cast: &'d Cast<'d, 'd>,
    /// Utterances of which others in the scene may be taken: those of the same part of the release.
    company: &'d [Cast<'d, 'd>],
    track: Track,
    role: Role,
}

impl Draw<'_> {
    fn item(&self) -> Result<PlannedItem, Error> {
        let Self { spec, cast, track, role, .. } = *self;
        let id = item_id(spec, cast.utterance, track, role);
        // A repeat draws its noise from its own id; all else draws from the utterance, whatever the track.
        let (take, lead_in, level_offset) = match role {
            Role::Scored | Role::WarmUp | Role::Canary => (cast.utterance.id.clone(), 0, 0.0),
            Role::Repeat { .. } => {
                let mut rng = stream(spec, &["repeat", &id.to_string()]);
                let level = rng.random_range(-REPEAT_LEVEL_DB..=REPEAT_LEVEL_DB);
                (id.to_string(), rng.random_range(0..=REPEAT_LEAD_IN), level)
            }
        };
        let (talker, scene) = match track {
            Track::Near => (0, None),
            Track::LabMeasured | Track::LabSimulated => {
                let (talker, scene) = self.laboratory()?;
                (talker, Some(scene))
            }
            _ => {
                let (talker, scene) = self.scene(&take)?;
                (talker, Some(scene))
            }
        };
        let first = Spoken { utterance: cast.utterance, start: lead_in, talker };
        let spoken = if track == Track::MultiTalker { self.conversation(&first)? } else { vec![first] };
        let several = spoken.len() > 1;
        let segments = if several { spoken.iter().map(|it| it.segment(id)).collect() } else { Vec::new() };
        let mut words: Vec<&str> = spoken.iter().map(|it| it.utterance.text.as_str()).collect();
        let made_up = made_up_word(&mut stream(spec, &["canary", &id.to_string()]));
        if role == Role::Canary {
            words.push(&made_up);
        }
        let recipe = Recipe {
            turns: spoken.iter().map(Spoken::turn).collect(),
            level_dbov: rounded(spec.level_dbov + level_offset),
            dither_seed: seed(&mut stream(spec, &["dither", &id.to_string()])),
            scene,
        };
        Ok(PlannedItem {
            id,
            role,
            track,
            utterance: cast.utterance.id.clone(),
            reference: if track.has_speech() { words.join(" ") } else { String::new() },
            talker: cast.utterance.speaker.clone(),
            segments,
            recipe,
        })
    }

    /// The utterance's room if the track can take place there, another one if not.
    fn room(&self) -> Result<&Site, Error> {
        let suitable: Vec<&Site> =
            self.rooms.iter().filter(|room| spec::suits(self.track, &room.venue)).collect();
        let own = self.cast.room.filter(|own| suitable.iter().any(|room| room.name == own.name));
        let missing = || Error::Specification(format!("no room will do for track `{}`", self.track));
        if suitable.is_empty() {
            return Err(missing());
        }
        let mut rng = stream(self.spec, &["room", &self.cast.utterance.id]);
        own.or_else(|| suitable.get(rng.random_range(0..suitable.len())).copied()).ok_or_else(missing)
    }

    /// Who talks where, and what disturbs.
    fn scene(&self, take: &str) -> Result<(usize, SceneRecipe), Error> {
        let Self { spec, cast, track, .. } = *self;
        let Site { name, venue } = self.room()?;
        let setting = track.setting().ok_or_else(|| Error::Specification(format!("{track} has no scene")))?;
        let snr_db = ratio(spec, cast, track);
        let mut places = stream(spec, &["places", &cast.utterance.id]);
        let mut sounds = stream(spec, &["sounds", take]);
        let [low, high] = spec.noise.transient_level_db;
        let level = rounded(places.random_range(low..=high));
        let mut noise = |kinds: &[NoiseKind], positions: usize, relative_level_db: f64| NoiseRecipe {
            kind: kinds[places.random_range(0..kinds.len())],
            recording_sha256: None,
            position: places.random_range(0..positions),
            relative_level_db,
            seed: seed(&mut sounds),
        };
        let mut noises = vec![
            noise(&spec.noise.continuous, venue.continuous.len(), 0.0),
            noise(&spec.noise.transient, venue.transient.len(), level),
        ];
        for (number, noise) in noises.iter_mut().enumerate() {
            noise.recording_sha256 = self.recording(take, number, noise.kind)?;
        }
        // Drawn all the same, so that an utterance's positions do not depend on the track.
        if snr_db.is_none() {
            noises.clear();
        }
        let talker = places.random_range(0..venue.talkers.len());
        let microphone = places.random_range(0..venue.microphones.len());
        let talker = match setting.speech {
            SpeechPath::Walk => {
                stream(spec, &["walk", &cast.utterance.id]).random_range(0..venue.walks.len())
            }
            _ => talker,
        };
        let listener = if track == Track::Array { Listener::Array } else { Listener::Microphone(microphone) };
        let far_end = if track == Track::Echo { Some(self.far_end(venue)?) } else { None };
        let speech = setting.speech;
        Ok((talker, SceneRecipe { room: name.clone(), listener, speech, snr_db, noises, far_end }))
    }

    /// One of the recordings of its kind; nothing where it is synthesised.
    fn recording(&self, take: &str, number: usize, kind: NoiseKind) -> Result<Option<String>, Error> {
        let Some(class) = kind.recorded() else { return Ok(None) };
        let choice: Vec<&str> =
            self.recorded.iter().flat_map(|corpus| corpus.of(class)).map(|it| it.sha256.as_str()).collect();
        if choice.is_empty() {
            return Err(Error::Specification(format!(
                "noise of the kind `{}` is asked for: name a corpus of noise that has some",
                class.name()
            )));
        }
        let mut rng = stream(self.spec, &["recording", take, &number.to_string()]);
        Ok(Some(choice[rng.random_range(0..choice.len())].to_owned()))
    }

    /// The same source of the same room, measured or simulated.
    fn laboratory(&self) -> Result<(usize, SceneRecipe), Error> {
        let laboratory = self.spec.laboratory.as_ref();
        let Laboratory { measured, twin } =
            laboratory.ok_or_else(|| Error::Specification("there is no laboratory".to_owned()))?;
        let mut places = stream(self.spec, &["laboratory", &self.cast.utterance.id]);
        let talker = places.random_range(0..measured.distances().len());
        let room = if self.track == Track::LabMeasured { measured.name() } else { &twin.name };
        let scene = SceneRecipe {
            room: room.to_owned(),
            listener: Listener::Microphone(0),
            speech: SpeechPath::Room,
            snr_db: None,
            noises: Vec::new(),
            far_end: None,
        };
        Ok((talker, scene))
    }

    /// Another utterance, begun at a moment at which it overlaps with this one.
    fn far_end(&self, venue: &Venue) -> Result<FarEnd, Error> {
        let echo = self.spec.echo.ok_or_else(|| Error::Specification("there is no [echo]".to_owned()))?;
        let mut rng = stream(self.spec, &["far-end", &self.cast.utterance.id]);
        let other = self.next()?;
        let [low, high] = echo.ser_db;
        Ok(FarEnd {
            speech_sha256: other.sha256.clone(),
            start_samples: rng.random_range(0..=samples(self.cast.utterance) / 2),
            loudspeaker: rng.random_range(0..venue.loudspeakers.len()),
            ser_db: rounded(rng.random_range(low..=high)),
            drive_db: echo.drive_db,
        })
    }

    /// Utterance after this one among its company, all the way round.
    fn company(&self) -> impl Iterator<Item = &Utterance> {
        let own = &self.cast.utterance.id;
        let place = self.company.iter().position(|cast| cast.utterance.id == *own).unwrap_or(0);
        let after = self.company.iter().cycle().skip(place + 1).take(self.company.len() - 1);
        after.map(|cast| cast.utterance)
    }

    /// The next other utterance.
    fn next(&self) -> Result<&Utterance, Error> {
        let missing = || {
            Error::Specification(format!(
                "track `{}` needs two utterances or more: ask for more items",
                self.track
            ))
        };
        self.company().next().ok_or_else(missing)
    }

    /// So many utterances of the company, those nearest to its own in length: turns alike in length can overlap.
    fn alike(&self, count: usize, fits: impl Fn(&Utterance) -> bool) -> Option<Vec<&Utterance>> {
        let mut others: Vec<&Utterance> = self.company().filter(|utterance| fits(utterance)).collect();
        others.sort_by(|a, b| self.unlike(a).total_cmp(&self.unlike(b)));
        others.truncate(count);
        (others.len() == count).then_some(others)
    }

    /// By how much it is longer or shorter than the item's own, as a logarithm.
    fn unlike(&self, other: &Utterance) -> f64 {
        (other.duration / self.cast.utterance.duration).ln().abs()
    }

    /// Utterances of one other voice, of that in whose the nearest in length are.
    fn other_voice(&self, count: usize) -> Option<Vec<&Utterance>> {
        let mut voices: Vec<&str> = Vec::new();
        for utterance in self.company().filter(|it| it.speaker != self.cast.utterance.speaker) {
            if !voices.contains(&utterance.speaker.as_str()) {
                voices.push(&utterance.speaker);
            }
        }
        let worst = |of: &Vec<&Utterance>| of.last().map_or(0.0, |last| self.unlike(last));
        voices
            .into_iter()
            .filter_map(|voice| self.alike(count, |it| it.speaker == voice))
            .min_by(|a, b| worst(a).total_cmp(&worst(b)))
    }

    /// Turns of two talkers, the first of them the item's own utterance.
    fn conversation(&self, first: &Spoken<'_>) -> Result<Vec<Spoken<'_>>, Error> {
        let plan = self.spec.multi_talker;
        let plan = plan.ok_or_else(|| Error::Specification("there is no [multi_talker]".to_owned()))?;
        let venue = &self.room()?.venue;
        let mut rng = stream(self.spec, &["conversation", &self.cast.utterance.id]);
        let other_place = (first.talker + rng.random_range(1..venue.talkers.len())) % venue.talkers.len();
        let own_voice = &self.cast.utterance.speaker;
        let (own, strange) = (plan.turns.div_ceil(2), plan.turns / 2);
        let (mut own_turns, mut other_turns) = match plan.talkers_by {
            TalkersBy::Place => self.alike(plan.turns - 1, |_| true).map(|mut all| {
                let others = all.split_off(own - 1);
                (all, others)
            }),
            TalkersBy::Voice => {
                self.alike(own - 1, |it| it.speaker == *own_voice).zip(self.other_voice(strange))
            }
        }
        .ok_or_else(|| self.unlike_company(&plan, "there are too few"))?;
        own_turns.insert(0, self.cast.utterance);
        let (mut own_turns, mut other_turns) = (own_turns.into_iter(), other_turns.drain(..));
        let mut spoken = Vec::new();
        for turn in 0..plan.turns {
            let (next, talker) = if turn % 2 == 0 {
                (own_turns.next(), first.talker)
            } else {
                (other_turns.next(), other_place)
            };
            spoken.extend(next.map(|utterance| Spoken { utterance, start: 0, talker }));
        }
        let places: Vec<String> = spoken.iter().map(|it| it.talker.to_string()).collect();
        let turns: Vec<_> = spoken
            .iter()
            .zip(&places)
            .map(|(it, speaker)| conversation::Turn { speaker, samples: samples(it.utterance) })
            .collect();
        let pause = (plan.pause_s * f64::from(SAMPLE_RATE)) as usize;
        let starts = conversation::schedule(&turns, plan.overlap_ratio, pause)
            .map_err(|error| self.unlike_company(&plan, &error.to_string()))?;
        for (it, start) in spoken.iter_mut().zip(starts) {
            it.start = first.start + start;
        }
        Ok(spoken)
    }

    /// A corpus of which no conversation can be made.
    fn unlike_company(&self, plan: &MultiTalker, problem: &str) -> Error {
        let (own, strange) = (plan.turns.div_ceil(2), plan.turns / 2);
        let needed = match plan.talkers_by {
            TalkersBy::Voice => format!("{own} utterances of its voice and {strange} of one other voice"),
            TalkersBy::Place => format!("{} utterances", plan.turns),
        };
        Error::Specification(format!(
            "track `multi-talker`, an utterance of {:.1} s by `{}`: {problem}. A conversation of {} turns takes, among the items, \
             {needed}, of which the longest is at most some five times the shortest. Bring more utterances of each voice, \
             ask for more items, narrow min_seconds and max_seconds, or lower turns or overlap_ratio",
            self.cast.utterance.duration, self.cast.utterance.speaker, plan.turns
        ))
    }
}

/// One turn before it is a recipe.
struct Spoken<'a> {
    utterance: &'a Utterance,
    start: usize,
    /// Index of the place in the room.
    talker: usize,
}

impl Spoken<'_> {
    fn turn(&self) -> Turn {
        Turn { speech_sha256: self.utterance.sha256.clone(), start_samples: self.start, talker: self.talker }
    }

    /// By voice and place, so that one voice at two places is two talkers.
    fn segment(&self, id: Uuid) -> Segment {
        let speaker = format!("{} at place {}", self.utterance.speaker, self.talker + 1);
        let turn = conversation::Turn { speaker: &speaker, samples: samples(self.utterance) };
        Segment::new(&id.to_string(), &turn, &self.utterance.text, self.start, SAMPLE_RATE)
    }
}

/// Length of a recording.
fn samples(utterance: &Utterance) -> usize {
    (utterance.duration * f64::from(SAMPLE_RATE)).round() as usize
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

/// UUID version 8 (custom, RFC 9562) from what makes an item that item.
fn item_id(spec: &ReleaseSpec, utterance: &Utterance, track: Track, role: Role) -> Uuid {
    let role = match role {
        Role::Scored => "scored".to_owned(),
        Role::WarmUp => "warm-up".to_owned(),
        Role::Canary => "canary".to_owned(),
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

/// Five syllables that are no word of any language, out of 60⁵ ways to say them: nobody writes it by chance.
fn made_up_word(rng: &mut ChaCha8Rng) -> String {
    let mut letter = |of: &[u8]| char::from(of[rng.random_range(0..of.len())]);
    let syllables = (0..5).flat_map(|_| [letter(b"bdfgklmnprtv"), letter(b"aeiou")]);
    syllables.collect()
}

/// 32 bits, so that a seed survives every JSON reader.
fn seed(rng: &mut ChaCha8Rng) -> u64 {
    u64::from(rng.next_u32())
}

/// Hundredths of a decibel: enough, and readable.
fn rounded(decibels: f64) -> f64 {
    (decibels * 100.0).round() / 100.0
}
