//! From recipes to audio.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Display,
};

use rayon::prelude::*;
use scene::{Background, Dither, NoiseSource, Rendered, Scene, noise, quantise};

use super::{Conditions, NoiseKind, NoiseRecipe, Recipe, SceneRecipe};
use crate::{
    Error, Room, SAMPLE_RATE,
    corpus::{Corpus, Utterance},
    room::{Place, Response},
};

/// Renders items of one release. Holds every room impulse response they need, each computed once.
pub struct Renderer<'a> {
    corpus: &'a Corpus,
    responses: HashMap<Path, Response>,
}

/// The way of a sound through a room.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Path {
    room: String,
    place: Place,
    microphone: usize,
}

/// The audio of an item.
pub struct Audio {
    /// Mono samples at [`SAMPLE_RATE`].
    pub samples: Vec<i16>,
    /// What the far field is like; nothing for dry speech.
    pub conditions: Option<Conditions>,
}

impl<'a> Renderer<'a> {
    /// Simulates what the recipes need, on all cores.
    ///
    /// # Errors
    /// If a recipe names a room or a position that is not there, or a room cannot be simulated.
    pub fn new<'r>(
        rooms: &[Room],
        corpus: &'a Corpus,
        recipes: impl Iterator<Item = &'r Recipe>,
    ) -> Result<Self, Error> {
        let paths: BTreeSet<Path> =
            recipes.filter_map(|recipe| recipe.scene.as_ref()).flat_map(paths).collect();
        let simulate = |path: Path| {
            let room = rooms.iter().find(|room| room.name == path.room);
            let room = room.ok_or_else(|| failure(&path.room, "there is no such room"))?;
            let response =
                room.response(path.place, path.microphone).map_err(|problem| failure(&path.room, problem))?;
            Ok((path, response))
        };
        let responses = paths.into_par_iter().map(simulate).collect::<Result<_, Error>>()?;
        Ok(Self { corpus, responses })
    }

    /// Renders one item.
    ///
    /// # Errors
    /// If the dry recording is not the recipe's, or the scene cannot be rendered.
    pub fn render(&self, utterance: &Utterance, recipe: &Recipe) -> Result<Audio, Error> {
        if utterance.sha256 != recipe.speech_sha256 {
            return Err(failure(&utterance.id, "the recipe was made for another recording"));
        }
        let mut speech = vec![0.0; recipe.lead_in_samples];
        speech
            .extend(self.corpus.recording(utterance)?.into_iter().map(|sample| f32::from(sample) / 32_768.0));
        let (samples, conditions) = match &recipe.scene {
            None => {
                let near = scene::render_dry(&speech, SAMPLE_RATE, recipe.level_dbov)
                    .map_err(|problem| failure(&utterance.id, problem))?;
                (near.samples, None)
            }
            Some(setting) => {
                let response = self.response(setting, Place::Talker(setting.talker))?;
                let far = self.render_far(&speech, response, setting, recipe.level_dbov)?;
                let conditions = conditions(setting, response, &far);
                (far.samples, Some(conditions))
            }
        };
        let samples = quantise(&samples, Dither::Triangular { seed: recipe.dither_seed });
        Ok(Audio { samples, conditions })
    }

    fn render_far(
        &self,
        speech: &[f32],
        response: &Response,
        setting: &SceneRecipe,
        level_dbov: f64,
    ) -> Result<Rendered, Error> {
        let mut scene = Scene {
            sample_rate: SAMPLE_RATE,
            speech,
            speech_response: &response.rir,
            background: None,
            target_level_dbov: level_dbov,
        };
        let mut sounds = Vec::new();
        for noise in &setting.noises {
            let response = &self.response(setting, place(noise))?.rir;
            sounds.push((synthesise(noise, scene.noise_length(response)), response));
        }
        let sources = setting.noises.iter().zip(&sounds).map(|(noise, (signal, response))| NoiseSource {
            signal,
            response,
            relative_level_db: noise.relative_level_db,
        });
        scene.background = Some(Background { sources: sources.collect(), snr_db: setting.snr_db });
        scene::render(&scene).map_err(|problem| failure(&setting.room, problem))
    }

    fn response(&self, setting: &SceneRecipe, place: Place) -> Result<&Response, Error> {
        let path = Path { room: setting.room.clone(), place, microphone: setting.microphone };
        self.responses
            .get(&path)
            .ok_or_else(|| failure(&setting.room, "this renderer was made for other recipes"))
    }
}

/// Talker and noises of a scene, each to its microphone.
fn paths(setting: &SceneRecipe) -> impl Iterator<Item = Path> {
    let places = std::iter::once(Place::Talker(setting.talker)).chain(setting.noises.iter().map(place));
    places.map(|place| Path { room: setting.room.clone(), place, microphone: setting.microphone })
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

fn conditions(setting: &SceneRecipe, response: &Response, far: &Rendered) -> Conditions {
    Conditions {
        room: setting.room.clone(),
        distance_m: thousandths(response.distance_m),
        snr_db: thousandths(far.measured.snr_db.unwrap_or(setting.snr_db)),
        t30_s: thousandths(response.t30_s),
        edt_s: thousandths(response.edt_s),
        c50_db: thousandths(response.c50_db),
        drr_db: thousandths(response.drr_db),
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
