//! From the recipes of one room to audio.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Display,
    path::Path,
};

use acoustics::{Directivity, ImageTransform, Rir};
use scene::{
    Background, Dither, Echo, Loudspeaker, NoiseSource, Rendered, Scene, Transfer, Utterance,
    array::{delay_and_sum, point_source_delays},
    conversation::overlap_ratio,
    motion::{EarlyPath, LateNode, Motion, MovingTransfer},
    noise, quantise,
};

use super::{
    Conditions, NoiseKind, NoiseRecipe, Recipe, SceneRecipe, Turn,
    responses::{Field, Responses, Way},
};
use crate::{
    Error, RoomModel, SAMPLE_RATE, SpeechPath,
    corpus::Recordings,
    venue::{Listener, Place, Venue},
};

/// Renders items of one job. Holds every room impulse response they need.
pub(super) struct Renderer<'a> {
    recordings: &'a Recordings,
    room: Option<Room>,
}

/// The room of a job, simulated.
struct Room {
    name: String,
    venue: Venue,
    responses: Responses,
    walks: HashMap<(usize, Listener), MovingTransfer>,
}

/// The audio of an item.
pub(super) struct Audio {
    /// Channels of one length at [`SAMPLE_RATE`].
    pub(super) channels: Vec<Vec<i16>>,
    /// One channel made of them for models that take no more, where that is not simply the only one.
    pub(super) mono: Option<Vec<i16>>,
    /// What the far field is like; nothing on the `near` track.
    pub(super) conditions: Option<Conditions>,
}

impl<'a> Renderer<'a> {
    /// Simulates what the recipes need, on all cores; what lies in the directory `cache` is read from there.
    ///
    /// # Errors
    /// If a recipe names another room or a position that is not there, or a room cannot be simulated.
    pub(super) fn new<'r>(
        room: Option<&RoomModel>,
        recordings: &'a Recordings,
        cache: &Path,
        recipes: impl Iterator<Item = &'r Recipe>,
    ) -> Result<Self, Error> {
        let recipes: Vec<&Recipe> = recipes.filter(|recipe| recipe.scene.is_some()).collect();
        let scenes = recipes.iter().filter_map(|recipe| recipe.scene.as_ref());
        if let Some(stranger) =
            scenes.clone().find(|scene| Some(scene.room.as_str()) != room.map(RoomModel::name))
        {
            return Err(failure(&stranger.room, "it is not the room of the job"));
        }
        let Some(model) = room.filter(|_| !recipes.is_empty()) else {
            return Ok(Self { recordings, room: None });
        };
        Ok(Self { recordings, room: Some(Room::simulate(model, &recipes, cache)?) })
    }

    /// Renders one item.
    ///
    /// # Errors
    /// If a recording is missing or was changed, or the scene cannot be rendered.
    pub(super) fn render(&self, recipe: &Recipe) -> Result<Audio, Error> {
        let speech = recipe.turns.iter().map(|turn| self.recordings.read(&turn.speech_sha256));
        let speech = speech.collect::<Result<Vec<_>, Error>>()?;
        let (rendered, conditions) = match (&recipe.scene, &self.room) {
            (None, _) => (render_dry(recipe, &speech)?, None),
            (Some(setting), Some(room)) => {
                let far_end = setting.far_end.as_ref();
                let far_end = far_end.map(|it| self.recordings.read(&it.speech_sha256)).transpose()?;
                let noise = |noise: &NoiseRecipe| {
                    noise.recording_sha256.as_ref().map(|it| self.recordings.read(it)).transpose()
                };
                let recorded = setting.noises.iter().map(noise).collect::<Result<Vec<_>, Error>>()?;
                let rendered = room.render(recipe, setting, &speech, &recorded, far_end.as_deref())?;
                let conditions = room.conditions(recipe, setting, &speech, &rendered)?;
                (rendered, Some(conditions))
            }
            (Some(setting), None) => return Err(failure(&setting.room, "the job has no room")),
        };
        let dither = |channel: u64| Dither::Triangular { seed: recipe.dither_seed.wrapping_add(channel) };
        let mono = match (&recipe.scene, &self.room) {
            (Some(setting), Some(room)) if setting.listener == Listener::Array => {
                Some(room.beamform(recipe, &rendered)?)
            }
            (Some(setting), _) if setting.far_end.is_some() => rendered.channels.first().cloned(),
            _ => None,
        };
        let channels = rendered.channels.iter().chain(&rendered.far_end);
        Ok(Audio {
            channels: (0..).zip(channels).map(|(n, channel)| quantise(channel, dither(n))).collect(),
            mono: mono.map(|channel| quantise(&channel, dither(0))),
            conditions,
        })
    }
}

/// The near track: dry speech, no room.
fn render_dry(recipe: &Recipe, speech: &[Vec<f32>]) -> Result<Rendered, Error> {
    let failed = |problem: &dyn Display| failure("dry speech", problem);
    let [turn] = recipe.turns.as_slice() else { return Err(failed(&"it has one turn")) };
    let no_room = [Rir::identity(SAMPLE_RATE).map_err(|problem| failed(&problem))?];
    let transfer = Transfer::Still(&no_room);
    let mut scene = Scene::of_utterance(SAMPLE_RATE, &speech[0], transfer, recipe.level_dbov);
    scene.speech[0].start = turn.start_samples;
    scene::render(&scene).map_err(|problem| failed(&problem))
}

impl Room {
    fn simulate(model: &RoomModel, recipes: &[&Recipe], cache: &Path) -> Result<Self, Error> {
        let name = model.name().to_owned();
        let failed = |problem: String| failure(&name, problem);
        let venue = Venue::new(model).map_err(failed)?;
        let mut ways = BTreeSet::new();
        let mut walked = BTreeSet::new();
        for recipe in recipes {
            let Some(scene) = &recipe.scene else { continue };
            ways.extend(noises_and_far_end(scene));
            for turn in &recipe.turns {
                match scene.speech {
                    SpeechPath::Room => drop(ways.insert((Place::Talker(turn.talker), scene.listener))),
                    SpeechPath::Walk => drop(walked.insert((turn.talker, scene.listener))),
                    SpeechPath::Dry | SpeechPath::Absent => {}
                }
            }
        }
        for &(walk, listener) in &walked {
            let (_, nodes) = venue.walk(walk, listener).map_err(failed)?;
            ways.extend((0..nodes.len()).map(|node| (Place::Walk { walk, node }, listener)));
        }
        let responses = Responses::gather(&name, &venue, &ways, cache)?;
        let mut room = Self { name, venue, responses, walks: HashMap::new() };
        for (walk, listener) in walked {
            let transfer = room.walk(walk, listener)?;
            room.walks.insert((walk, listener), transfer);
        }
        Ok(room)
    }

    /// Direct sound followed exactly, everything else from the responses along the way.
    fn walk(&self, walk: usize, listener: Listener) -> Result<MovingTransfer, Error> {
        let (path, places) = self.venue.walk(walk, listener).map_err(|problem| self.failed(&problem))?;
        let microphones = self.venue.places(listener).map_err(|problem| self.failed(&problem))?.to_vec();
        let node = |(node, &gone): (usize, &f64)| {
            let responses = self.responses((Place::Walk { walk, node }, listener))?.to_vec();
            Ok(LateNode { gone, responses })
        };
        let nodes = places.iter().enumerate().map(node).collect::<Result<Vec<_>, Error>>()?;
        MovingTransfer::from_whole_responses(
            SAMPLE_RATE,
            Motion::Source { path, microphones },
            self.venue.air(),
            Directivity::Talker,
            vec![EarlyPath::everywhere(ImageTransform::direct())],
            nodes,
        )
        .map_err(|problem| self.failed(&problem))
    }

    fn render(
        &self,
        recipe: &Recipe,
        setting: &SceneRecipe,
        speech: &[Vec<f32>],
        recorded: &[Option<Vec<f32>>],
        far_end: Option<&[f32]>,
    ) -> Result<Rendered, Error> {
        let dry = [Rir::identity(SAMPLE_RATE).map_err(|problem| self.failed(&problem))?];
        let mut scene = Scene {
            sample_rate: SAMPLE_RATE,
            reference_microphone: 0,
            speech: Vec::new(),
            echo: None,
            background: None,
            target_level_dbov: recipe.level_dbov,
            length: None,
            device: scene::device::Device::default(),
        };
        for (turn, signal) in recipe.turns.iter().zip(speech) {
            let transfer = match setting.speech {
                SpeechPath::Room => {
                    Transfer::Still(self.responses((Place::Talker(turn.talker), setting.listener))?)
                }
                SpeechPath::Walk => Transfer::Moving(self.walked(turn, setting.listener)?),
                SpeechPath::Dry => Transfer::Still(&dry),
                SpeechPath::Absent => {
                    scene.length = scene.length.max(Some(turn.start_samples + signal.len()));
                    continue;
                }
            };
            let start = turn.start_samples;
            scene.speech.push(Utterance { signal, transfer, start, relative_level_db: 0.0 });
        }
        if let (Some(setting_of_echo), Some(far_end)) = (&setting.far_end, far_end) {
            let place = Place::Loudspeaker(setting_of_echo.loudspeaker);
            scene.echo = Some(Echo {
                far_end,
                start: setting_of_echo.start_samples,
                transfer: Transfer::Still(self.responses((place, setting.listener))?),
                loudspeaker: setting_of_echo
                    .drive_db
                    .map_or(Loudspeaker::Linear, |drive_db| Loudspeaker::Saturating { drive_db }),
                ser_db: setting_of_echo.ser_db,
            });
        }
        let mut sounds = Vec::new();
        for (noise, recording) in setting.noises.iter().zip(recorded) {
            let transfer = Transfer::Still(self.responses((place(noise), setting.listener))?);
            let samples = scene.noise_length(transfer);
            let sound = match recording {
                Some(recording) => play(noise, recording, samples),
                None => synthesise(noise, samples).ok_or_else(|| self.failed(&"a noise has no recording"))?,
            };
            sounds.push((sound, transfer));
        }
        let sources = setting.noises.iter().zip(&sounds).map(|(noise, (signal, transfer))| NoiseSource {
            signal,
            transfer: *transfer,
            relative_level_db: noise.relative_level_db,
        });
        scene.background = setting.snr_db.map(|snr_db| Background { sources: sources.collect(), snr_db });
        scene::render(&scene).map_err(|problem| self.failed(&problem))
    }

    /// One channel of an array's: delay and sum, steered to where the (first) talker really is.
    fn beamform(&self, recipe: &Recipe, rendered: &Rendered) -> Result<Vec<f32>, Error> {
        let failed = |problem: &dyn Display| self.failed(problem);
        let turn = recipe.turns.first().ok_or_else(|| failed(&"nobody speaks"))?;
        let talker = self
            .venue
            .source(Place::Talker(turn.talker), Listener::Array)
            .map_err(|problem| failed(&problem))?;
        let microphones = self.venue.places(Listener::Array).map_err(|problem| failed(&problem))?;
        let speed = self.venue.air().speed_of_sound();
        let delays = point_source_delays(microphones, talker.position, speed, SAMPLE_RATE);
        delay_and_sum(&rendered.channels, &delays).map_err(|problem| failed(&problem))
    }

    fn conditions(
        &self,
        recipe: &Recipe,
        setting: &SceneRecipe,
        speech: &[Vec<f32>],
        rendered: &Rendered,
    ) -> Result<Conditions, Error> {
        // Of several talkers the first; of a walk the middle.
        let turn = recipe.turns.first();
        let place = match (setting.speech, turn) {
            (SpeechPath::Room, Some(turn)) => Some(Place::Talker(turn.talker)),
            (SpeechPath::Walk, Some(turn)) => {
                let walk = turn.talker;
                let walked = self.venue.walk(walk, setting.listener);
                let (_, nodes) = walked.map_err(|problem| self.failed(&problem))?;
                Some(Place::Walk { walk, node: nodes.len() / 2 })
            }
            _ => None,
        };
        let (field, distance) = match place {
            None => (None, None),
            Some(place) => {
                let source = self.venue.source(place, setting.listener);
                let microphones = self.venue.places(setting.listener);
                let distance = source
                    .and_then(|source| Ok(source.position.distance(microphones?[0])))
                    .map_err(|problem| self.failed(&problem))?;
                let rir = self.responses((place, setting.listener))?.first();
                (rir.map(Field::of), Some(distance))
            }
        };
        let through = |value: fn(&Field) -> Option<f64>| field.as_ref().and_then(value).map(thousandths);
        let measured = &rendered.measured;
        let spoken: Vec<_> = recipe
            .turns
            .iter()
            .zip(speech)
            .map(|(turn, signal)| turn.start_samples..turn.start_samples + signal.len())
            .collect();
        let seconds = |samples: usize| thousandths(samples as f64 / f64::from(SAMPLE_RATE));
        Ok(Conditions {
            room: self.name.clone(),
            distance_m: distance.map(thousandths),
            snr_db: measured.snr_db.map(thousandths),
            active_level_dbov: measured.active_speech_level_dbov.map(thousandths),
            noise_level_dbov: measured.noise_level_dbov.map(thousandths),
            t30_s: through(|field| field.t30_s),
            edt_s: through(|field| field.edt_s),
            c50_db: through(|field| field.c50_db),
            drr_db: through(|field| field.drr_db),
            noise: setting.noises.iter().map(|noise| noise.kind).collect(),
            ser_db: measured.ser_db.map(thousandths),
            overlap_ratio: (spoken.len() > 1).then(|| thousandths(overlap_ratio(&spoken))),
            double_talk_s: rendered
                .double_talk
                .iter()
                .map(|range| [seconds(range.start), seconds(range.end)])
                .collect(),
        })
    }

    fn responses(&self, way: Way) -> Result<&[Rir], Error> {
        self.responses.get(way).ok_or_else(|| self.failed(&"this renderer was made for other items"))
    }

    fn walked(&self, turn: &Turn, listener: Listener) -> Result<&MovingTransfer, Error> {
        self.walks
            .get(&(turn.talker, listener))
            .ok_or_else(|| self.failed(&"this renderer was made for other items"))
    }

    fn failed(&self, problem: &dyn Display) -> Error {
        failure(&self.name, problem)
    }
}

/// What of a scene is heard through the room besides the speech.
fn noises_and_far_end(scene: &SceneRecipe) -> impl Iterator<Item = Way> {
    let far_end = scene.far_end.iter().map(|far_end| Place::Loudspeaker(far_end.loudspeaker));
    scene.noises.iter().map(place).chain(far_end).map(|place| (place, scene.listener))
}

/// Where noise of a kind comes from.
fn place(noise: &NoiseRecipe) -> Place {
    if noise.kind.is_continuous() {
        Place::Continuous(noise.position)
    } else {
        Place::Transient(noise.position)
    }
}

/// Nothing for a kind that is recorded.
fn synthesise(recipe: &NoiseRecipe, samples: usize) -> Option<Vec<f32>> {
    match recipe.kind {
        NoiseKind::Ventilation => Some(noise::ventilation(SAMPLE_RATE, samples, recipe.seed)),
        NoiseKind::Coughs => Some(noise::coughs(SAMPLE_RATE, samples, recipe.seed)),
        NoiseKind::RecordedContinuous | NoiseKind::RecordedTransient | NoiseKind::Babble => None,
    }
}

/// A recording for as long as it is needed, as its recipe's seed has it.
fn play(recipe: &NoiseRecipe, recording: &[f32], samples: usize) -> Vec<f32> {
    if recipe.kind.is_continuous() {
        noise::continued(SAMPLE_RATE, recording, samples, recipe.seed)
    } else {
        noise::now_and_then(SAMPLE_RATE, recording, samples, recipe.seed)
    }
}

/// More digits than anyone can hear, and few enough to read.
fn thousandths(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

fn failure(what: &str, problem: impl Display) -> Error {
    Error::Simulation { what: what.to_owned(), problem: problem.to_string() }
}
