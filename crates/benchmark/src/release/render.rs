//! From recipes to audio.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Display,
};

use acoustics::Rir;
use rayon::prelude::*;
use scene::{Background, Dither, NoiseSource, Rendered, Scene, Transfer, noise, quantise};

use super::{Conditions, NoiseKind, NoiseRecipe, Recipe, SceneRecipe};
use crate::{
    Error, Room, SAMPLE_RATE, SpeechPath,
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
    /// What the far field is like; nothing on the `near` track.
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
        let (rendered, conditions) = match &recipe.scene {
            None => {
                let near = scene::render_dry(&speech, SAMPLE_RATE, recipe.level_dbov)
                    .map_err(|problem| failure(&utterance.id, problem))?;
                (near, None)
            }
            Some(setting) => {
                let (rendered, response) = self.render_scene(&speech, setting, recipe.level_dbov)?;
                let conditions = conditions(setting, response, &rendered);
                (rendered, Some(conditions))
            }
        };
        let channel = rendered.channels.first().ok_or_else(|| failure(&utterance.id, "it has no channel"))?;
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
        let path = Path { room: setting.room.clone(), place, microphone: setting.microphone };
        self.responses
            .get(&path)
            .ok_or_else(|| failure(&setting.room, "this renderer was made for other recipes"))
    }
}

/// Talker and noises of a scene, each to its microphone, as far as they are heard through the room.
fn paths(setting: &SceneRecipe) -> impl Iterator<Item = Path> {
    let talker = (setting.speech == SpeechPath::Room).then_some(Place::Talker(setting.talker));
    let places = talker.into_iter().chain(setting.noises.iter().map(place));
    places.map(|place| Path { room: setting.room.clone(), place, microphone: setting.microphone })
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
