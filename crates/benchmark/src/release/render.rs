//! From the recipes of one room to audio.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Display,
};

use acoustics::{Rir, read_wav, write_wav};
use rayon::prelude::*;
use scene::{Background, Dither, NoiseSource, Rendered, Scene, Transfer, noise, quantise};

use super::{
    Conditions, NoiseKind, NoiseRecipe, Recipe, SceneRecipe,
    job::{RENDERER, address},
    workshop::write_whole,
};
use crate::{
    Error, Room, SAMPLE_RATE, SpeechPath,
    corpus::Recordings,
    room::{Place, Response},
};

/// Renders items of one job. Holds every room impulse response they need, each computed once.
pub(super) struct Renderer<'a> {
    recordings: &'a Recordings,
    responses: HashMap<Path, Response>,
}

/// The way of a sound through a room.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Path {
    place: Place,
    microphone: usize,
}

/// The audio of an item.
pub(super) struct Audio {
    /// Mono samples at [`SAMPLE_RATE`].
    pub(super) samples: Vec<i16>,
    /// What the far field is like; nothing on the `near` track.
    pub(super) conditions: Option<Conditions>,
}

impl<'a> Renderer<'a> {
    /// Simulates what the recipes need, on all cores; what lies in the directory `cache` is read from there.
    ///
    /// # Errors
    /// If a recipe names another room or a position that is not there, or a room cannot be simulated.
    pub(super) fn new<'r>(
        room: Option<&Room>,
        recordings: &'a Recordings,
        cache: &std::path::Path,
        recipes: impl Iterator<Item = &'r Recipe>,
    ) -> Result<Self, Error> {
        let scenes: Vec<&SceneRecipe> = recipes.filter_map(|recipe| recipe.scene.as_ref()).collect();
        if let Some(stranger) = scenes.iter().find(|scene| Some(&scene.room) != room.map(|room| &room.name)) {
            return Err(failure(&stranger.room, "it is not the room of the job"));
        }
        let Some(room) = room else { return Ok(Self { recordings, responses: HashMap::new() }) };
        let paths: BTreeSet<Path> = scenes.into_iter().flat_map(paths).collect();
        let simulate = |path: Path| Ok((path.clone(), response(room, &path, cache)?));
        let responses = paths.into_par_iter().map(simulate).collect::<Result<_, Error>>()?;
        Ok(Self { recordings, responses })
    }

    /// Renders one item.
    ///
    /// # Errors
    /// If the dry recording is missing or was changed, or the scene cannot be rendered.
    pub(super) fn render(&self, recipe: &Recipe) -> Result<Audio, Error> {
        let mut speech = vec![0.0; recipe.lead_in_samples];
        speech.extend(self.recordings.read(&recipe.speech_sha256)?);
        let what = &recipe.speech_sha256;
        let (rendered, conditions) = match &recipe.scene {
            None => {
                let near = scene::render_dry(&speech, SAMPLE_RATE, recipe.level_dbov)
                    .map_err(|problem| failure(what, problem))?;
                (near, None)
            }
            Some(setting) => {
                let (rendered, response) = self.render_scene(&speech, setting, recipe.level_dbov)?;
                let conditions = conditions(setting, response, &rendered);
                (rendered, Some(conditions))
            }
        };
        let channel = rendered.channels.first().ok_or_else(|| failure(what, "it has no channel"))?;
        let samples = quantise(channel, Dither::Triangular { seed: recipe.dither_seed });
        Ok(Audio { samples, conditions })
    }

    /// What the microphone hears, and the response through which it hears the talker.
    fn render_scene(
        &self,
        speech: &[f32],
        setting: &SceneRecipe,
        level_dbov: f64,
    ) -> Result<(Rendered, Option<&Response>), Error> {
        let failed = |problem: &dyn Display| failure(&setting.room, problem);
        let dry = [Rir::identity(SAMPLE_RATE).map_err(|problem| failed(&problem))?];
        let response = match setting.speech {
            SpeechPath::Room => Some(self.response(setting, Place::Talker(setting.talker))?),
            SpeechPath::Dry | SpeechPath::Absent => None,
        };
        let transfer = response.map_or(Transfer::Still(&dry), |response| still(&response.rir));
        let mut scene = Scene::of_utterance(SAMPLE_RATE, speech, transfer, level_dbov);
        if setting.speech == SpeechPath::Absent {
            scene.speech.clear();
            scene.length = Some(speech.len());
        }
        let mut sounds = Vec::new();
        for noise in &setting.noises {
            let transfer = still(&self.response(setting, place(noise))?.rir);
            sounds.push((synthesise(noise, scene.noise_length(transfer)), transfer));
        }
        let sources = setting.noises.iter().zip(&sounds).map(|(noise, (signal, transfer))| NoiseSource {
            signal,
            transfer: *transfer,
            relative_level_db: noise.relative_level_db,
        });
        scene.background = setting.snr_db.map(|snr_db| Background { sources: sources.collect(), snr_db });
        let rendered = scene::render(&scene).map_err(|problem| failed(&problem))?;
        Ok((rendered, response))
    }

    fn response(&self, setting: &SceneRecipe, place: Place) -> Result<&Response, Error> {
        let path = Path { place, microphone: setting.microphone };
        self.responses
            .get(&path)
            .ok_or_else(|| failure(&setting.room, "this renderer was made for other items"))
    }
}

/// Talker and noises of a scene, each to its microphone, as far as they are heard through the room.
fn paths(setting: &SceneRecipe) -> impl Iterator<Item = Path> {
    let talker = (setting.speech == SpeechPath::Room).then_some(Place::Talker(setting.talker));
    let places = talker.into_iter().chain(setting.noises.iter().map(place));
    places.map(|place| Path { place, microphone: setting.microphone })
}

/// A response from the cache, or simulated and put there.
fn response(room: &Room, path: &Path, cache: &std::path::Path) -> Result<Response, Error> {
    let failed = |problem: &dyn Display| failure(&room.name, problem);
    let address = address("response", &(RENDERER, room, path.place, path.microphone))?;
    let file = cache.join(format!("{address}.wav"));
    if let Some(rir) = std::fs::read(&file).ok().and_then(|bytes| read_wav(&bytes).ok()?.pop()) {
        return room.measured(path.place, path.microphone, rir).map_err(|problem| failed(&problem));
    }
    let response = room.response(path.place, path.microphone).map_err(|problem| failed(&problem))?;
    let bytes = write_wav(std::slice::from_ref(&response.rir)).map_err(|problem| failed(&problem))?;
    write_whole(&file, &bytes)?;
    Ok(response)
}

fn still(response: &Rir) -> Transfer<'_> {
    Transfer::Still(std::slice::from_ref(response))
}

/// Where noise of a kind comes from.
fn place(noise: &NoiseRecipe) -> Place {
    match noise.kind {
        NoiseKind::Ventilation => Place::Outlet(noise.position),
        NoiseKind::Coughs => Place::Bystander(noise.position),
    }
}

fn synthesise(recipe: &NoiseRecipe, samples: usize) -> Vec<f32> {
    match recipe.kind {
        NoiseKind::Ventilation => noise::ventilation(SAMPLE_RATE, samples, recipe.seed),
        NoiseKind::Coughs => noise::coughs(SAMPLE_RATE, samples, recipe.seed),
    }
}

fn conditions(setting: &SceneRecipe, response: Option<&Response>, rendered: &Rendered) -> Conditions {
    let through = |value: fn(&Response) -> f64| response.map(|response| thousandths(value(response)));
    let measured = &rendered.measured;
    Conditions {
        room: setting.room.clone(),
        distance_m: through(|response| response.distance_m),
        snr_db: measured.snr_db.map(thousandths),
        active_level_dbov: measured.active_speech_level_dbov.map(thousandths),
        noise_level_dbov: measured.noise_level_dbov.map(thousandths),
        t30_s: through(|response| response.t30_s),
        edt_s: through(|response| response.edt_s),
        c50_db: through(|response| response.c50_db),
        drr_db: through(|response| response.drr_db),
        noise: setting.noises.iter().map(|noise| noise.kind).collect(),
    }
}

/// More digits than anyone can hear, and few enough to read.
fn thousandths(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

fn failure(what: &str, problem: impl Display) -> Error {
    Error::Simulation { what: what.to_owned(), problem: problem.to_string() }
}
