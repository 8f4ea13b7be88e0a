//! Venues: rooms of any kind, seen alike by whoever draws and renders.

use std::{borrow::Cow, fmt::Display, ops::ControlFlow};

use acoustics::{
    Air, BoxRoom, FurnishedRoom, ImageSourceSettings, Position, Rir, Source, SourceKind, geometric_rirs,
    hybrid_rirs, image_source_rirs, wave::CpuExecutor,
};
use scene::motion::Path;
use serde::{Deserialize, Serialize};

use crate::{
    Furnished, MeasuredSet, Quality, Room, SAMPLE_RATE, Walk, furnished, room::DISTANCES, staging::sha256,
};

/// Metres between the places of a walk at which responses are simulated.
const WALK_SPACING: f64 = 0.1;

/// A room of any kind, with all that is needed to simulate it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoomModel {
    /// An empty box whose surfaces absorb like furniture; image sources.
    Box(Room),
    /// A furnished room; image sources and rays, or waves below them.
    Furnished(Furnished),
    /// Measured responses.
    Measured(MeasuredSet),
}

impl RoomModel {
    /// Its name in recipes and conditions.
    pub fn name(&self) -> &str {
        match self {
            Self::Box(room) => &room.name,
            Self::Furnished(room) => &room.name,
            Self::Measured(set) => set.name(),
        }
    }
}

/// What a page says about a room.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RoomSummary {
    /// Name in conditions.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// Extent along each axis in metres; of measured responses nothing is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Position>,
    /// Volume of the air in cubic metres.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_m3: Option<f64>,
    /// How its responses came to be.
    pub method: &'static str,
    /// Whose measurement it is and under which licence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribution: Option<&'static str>,
}

impl RoomModel {
    /// What a page says about it.
    ///
    /// # Errors
    /// Says what of the room cannot be.
    pub fn summary(&self) -> Result<RoomSummary, String> {
        let name = self.name().to_owned();
        Ok(match self {
            Self::Box(room) => RoomSummary {
                name,
                title: room.title.clone(),
                size: Some(room.size),
                volume_m3: Some(room.to_box()?.volume()),
                method: "image sources in a box",
                attribution: None,
            },
            Self::Furnished(room) => {
                let model = room.furnished_room()?;
                let [low, high] = model.room().bounds();
                RoomSummary {
                    name,
                    title: model.title().to_owned(),
                    size: Some((high - low).into()),
                    volume_m3: Some(model.room().volume()),
                    method: match room.quality {
                        Quality::Geometric { .. } => "image sources and rays",
                        Quality::Hybrid { .. } => "waves below, image sources and rays above",
                    },
                    attribution: None,
                }
            }
            Self::Measured(set) => RoomSummary {
                title: name.clone(),
                name,
                size: None,
                volume_m3: None,
                method: "measured",
                attribution: Some(set.attribution()),
            },
        })
    }
}

/// A place where something sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Place {
    /// Who talks, by number.
    Talker(usize),
    /// Where continuous noise comes from, by number.
    Continuous(usize),
    /// Where transient noise comes from, by number.
    Transient(usize),
    /// What plays the far end, by number.
    Loudspeaker(usize),
    /// A node of a walk.
    Walk {
        /// Which walk.
        walk: usize,
        /// Which node of it.
        node: usize,
    },
}

/// What listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Listener {
    /// One microphone, by number among those of the room.
    Microphone(usize),
    /// The room's array.
    Array,
}

/// A room as it is used.
pub(crate) struct Venue {
    pub(crate) talkers: Vec<Source>,
    pub(crate) continuous: Vec<Source>,
    pub(crate) transient: Vec<Source>,
    pub(crate) loudspeakers: Vec<Source>,
    pub(crate) microphones: Vec<Position>,
    pub(crate) array: Vec<Position>,
    pub(crate) walks: Vec<Walk>,
    solver: Solver,
    /// Hash of everything that decides a response besides its places.
    fingerprint: String,
}

#[expect(clippy::large_enum_variant, reason = "there is one for each room of a job")]
enum Solver {
    ImageSource { room: BoxRoom, scattering: f64 },
    Furnished { room: Cow<'static, FurnishedRoom>, quality: Quality },
    Measured(MeasuredSet),
}

impl Venue {
    /// Reads and checks a room.
    ///
    /// # Errors
    /// Says what of the room cannot be.
    pub(crate) fn new(model: &RoomModel) -> Result<Self, String> {
        match model {
            RoomModel::Box(room) => Self::of_box(room),
            RoomModel::Furnished(room) => Self::of_furnished(room),
            RoomModel::Measured(set) => Ok(Self::of_measured(*set)),
        }
    }

    fn of_box(room: &Room) -> Result<Self, String> {
        room.validate()?;
        let sources = |places: &[Position]| places.iter().copied().map(Source::omnidirectional).collect();
        let shape = room.to_box()?;
        Ok(Self {
            talkers: sources(&room.talkers),
            continuous: sources(&room.outlets),
            transient: sources(&room.bystanders),
            loudspeakers: Vec::new(),
            microphones: room.microphones.clone(),
            array: Vec::new(),
            walks: Vec::new(),
            fingerprint: sha256(format!("{shape:?} {}", room.scattering).as_bytes()),
            solver: Solver::ImageSource { room: shape, scattering: room.scattering },
        })
    }

    fn of_furnished(room: &Furnished) -> Result<Self, String> {
        let model = room.furnished_room()?;
        let sources = |what, names, kind| furnished::sources(&model, what, names, kind);
        let microphone = |name: &String| {
            let array = furnished::array(&model, "microphones", name)?;
            array.microphones.first().copied().ok_or_else(|| format!("\"{name}\" has no microphone"))
        };
        let array = room.array.as_deref().map(|name| furnished::array(&model, "array", name)).transpose()?;
        let venue = Self {
            talkers: sources("talkers", &room.talkers, Some(SourceKind::Talker))?,
            continuous: sources("continuous", &room.continuous, None)?,
            transient: sources("transient", &room.transient, None)?,
            loudspeakers: sources("loudspeakers", &room.loudspeakers, None)?,
            microphones: room.microphones.iter().map(microphone).collect::<Result<_, _>>()?,
            array: array.map_or_else(Vec::new, |array| array.microphones.clone()),
            walks: room.walks.clone(),
            // The room as the solvers see it, not the words of its file.
            fingerprint: sha256(format!("{:?} {:?}", model.room(), room.quality).as_bytes()),
            solver: Solver::Furnished { room: model, quality: room.quality },
        };
        venue.check()?;
        Ok(venue)
    }

    fn of_measured(set: MeasuredSet) -> Self {
        // Nothing is known of the places but the distances.
        let source = |metres: &f64| Source::omnidirectional(Position::new(*metres, 0.0, 0.0));
        Self {
            talkers: set.distances().iter().map(source).collect(),
            continuous: Vec::new(),
            transient: Vec::new(),
            loudspeakers: Vec::new(),
            microphones: vec![Position::new(0.0, 0.0, 0.0)],
            array: Vec::new(),
            walks: Vec::new(),
            fingerprint: sha256(set.name().as_bytes()),
            solver: Solver::Measured(set),
        }
    }

    fn check(&self) -> Result<(), String> {
        for (what, count) in [("talkers", self.talkers.len()), ("microphones", self.microphones.len())] {
            if count == 0 {
                return Err(format!("it has no {what}"));
            }
        }
        for talker in &self.talkers {
            for microphone in &self.microphones {
                check_distance(talker.position, *microphone)?;
            }
        }
        for walk in &self.walks {
            if walk.way_points_m.len() < 2 {
                return Err("a walk needs at least two way points".to_owned());
            }
            for microphone in &self.microphones {
                let path = walk.path(*microphone).map_err(text)?;
                for metres in path.nodes(WALK_SPACING) {
                    let place = path.place_after(metres);
                    if !self.is_air(place) {
                        return Err(format!("a walk leads through something at {place}: lead it around"));
                    }
                    check_distance(place, *microphone)?;
                }
            }
        }
        Ok(())
    }

    fn is_air(&self, place: Position) -> bool {
        match &self.solver {
            Solver::ImageSource { room, .. } => room.contains(place),
            Solver::Furnished { room, .. } => room.room().is_air(place),
            Solver::Measured(_) => false,
        }
    }

    /// Distances between all microphones of the array, in metres: its geometry wherever it stands.
    pub(crate) fn array_geometry(&self) -> Vec<f64> {
        let from =
            |place: &Position| self.array.iter().map(|other| place.distance(*other)).collect::<Vec<_>>();
        self.array.iter().flat_map(from).collect()
    }

    pub(crate) fn air(&self) -> Air {
        match &self.solver {
            Solver::ImageSource { .. } | Solver::Measured(_) => Air::default(),
            Solver::Furnished { room, .. } => room.room().air(),
        }
    }

    /// Where a listener's microphones are.
    pub(crate) fn places(&self, listener: Listener) -> Result<&[Position], String> {
        let places = match listener {
            Listener::Microphone(index) => self.microphones.get(index).map(std::slice::from_ref),
            Listener::Array => Some(self.array.as_slice()).filter(|array| !array.is_empty()),
        };
        places.ok_or_else(|| format!("it has no {listener:?}"))
    }

    /// The way of a walk, and where on it responses are simulated: metres gone.
    pub(crate) fn walk(&self, index: usize, listener: Listener) -> Result<(Path, Vec<f64>), String> {
        let walk = self.walks.get(index).ok_or_else(|| format!("it has no walk {index}"))?;
        let path = walk.path(self.places(listener)?[0]).map_err(text)?;
        let nodes = path.nodes(WALK_SPACING);
        Ok((path, nodes))
    }

    /// What sounds at a place, as a listener has it.
    pub(crate) fn source(&self, place: Place, listener: Listener) -> Result<Source, String> {
        let listed = |sources: &[Source], index: usize| sources.get(index).copied();
        let source = match place {
            Place::Talker(index) => listed(&self.talkers, index),
            Place::Continuous(index) => listed(&self.continuous, index),
            Place::Transient(index) => listed(&self.transient, index),
            Place::Loudspeaker(index) => listed(&self.loudspeakers, index),
            Place::Walk { walk, node } => {
                let (path, nodes) = self.walk(walk, listener)?;
                nodes.get(node).map(|&metres| Source {
                    position: path.place_after(metres),
                    facing: path.facing_after(metres),
                    directivity: acoustics::Directivity::Talker,
                })
            }
        };
        source.ok_or_else(|| format!("it has no {place:?}"))
    }

    /// What decides the responses from a place to a listener, to be hashed.
    pub(crate) fn identity(&self, place: Place, listener: Listener) -> Result<String, String> {
        let (source, microphones) = (self.source(place, listener)?, self.places(listener)?);
        Ok(format!("{} {source:?} {microphones:?}", self.fingerprint))
    }

    /// All places that stand still, where it costs next to nothing to have them simulated with the others.
    pub(crate) fn free_company(&self) -> Vec<Place> {
        if !matches!(self.solver, Solver::Furnished { quality: Quality::Hybrid { .. }, .. }) {
            return Vec::new();
        }
        let all = |place: fn(usize) -> Place, sources: &[Source]| (0..sources.len()).map(place).collect();
        let groups: [Vec<Place>; 4] = [
            all(Place::Talker, &self.talkers),
            all(Place::Continuous, &self.continuous),
            all(Place::Transient, &self.transient),
            all(Place::Loudspeaker, &self.loudspeakers),
        ];
        groups.concat()
    }

    /// The responses from places to the microphones of a listener, by place. A response does not depend on which others
    /// are asked for with it.
    ///
    /// # Errors
    /// Says which place is not there, or what the simulator did not like.
    pub(crate) fn simulate(&self, from: &[Place], listener: Listener) -> Result<Vec<Vec<Rir>>, String> {
        let microphones = self.places(listener)?;
        let sources: Vec<Source> =
            from.iter().map(|&place| self.source(place, listener)).collect::<Result<_, _>>()?;
        let go_on = |_: f64| ControlFlow::Continue(());
        match &self.solver {
            Solver::ImageSource { room, scattering } => {
                let settings = ImageSourceSettings {
                    sample_rate: SAMPLE_RATE,
                    scattering: *scattering,
                    ..ImageSourceSettings::default()
                };
                let respond =
                    |source: &Source| image_source_rirs(room, source.position, microphones, &settings);
                sources.iter().map(respond).collect::<Result<_, _>>().map_err(text)
            }
            Solver::Furnished { room, quality: Quality::Geometric { rays } } => {
                let settings = Quality::geometric(*rays);
                let respond =
                    |source: &Source| geometric_rirs(room.room(), source, microphones, &settings, &go_on);
                sources.iter().map(respond).collect::<Result<_, _>>().map_err(text)
            }
            Solver::Furnished { room, quality: Quality::Hybrid { rays, work_budget_updates } } => {
                let settings = Quality::hybrid(*rays, *work_budget_updates);
                let executor = CpuExecutor::new();
                hybrid_rirs(room.room(), &sources, microphones, &settings, &executor, &go_on)
                    .map(|simulation| simulation.rirs)
                    .map_err(text)
            }
            Solver::Measured(set) => {
                let responses = set.responses()?;
                let of = |place: &Place| match place {
                    Place::Talker(index) => responses.get(*index).map(|rir| vec![rir.clone()]),
                    _ => None,
                };
                let missing = || "only its talkers were measured".to_owned();
                from.iter().map(|place| of(place).ok_or_else(missing)).collect()
            }
        }
    }
}

fn check_distance(talker: Position, microphone: Position) -> Result<(), String> {
    let distance = talker.distance(microphone);
    if DISTANCES.contains(&distance) {
        return Ok(());
    }
    Err(format!(
        "{distance:.2} m from talker {talker} to microphone {microphone}: make it {} to {} m",
        DISTANCES.start(),
        DISTANCES.end()
    ))
}

fn text(error: impl Display) -> String {
    error.to_string()
}
