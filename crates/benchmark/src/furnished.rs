//! Furnished rooms of a release: which room file, how well simulated, and what of it is used.

use std::{borrow::Cow, path::PathBuf};

use acoustics::{
    FurnishedRoom, GeometricSettings, HybridSettings, MicrophoneArray, Position, Source, SourceKind,
};
use scene::motion::{Facing, MotionError, Path, WayPoint};
use serde::{Deserialize, Serialize};

use crate::SAMPLE_RATE;

/// A room with furniture, simulated as it stands. Places are named as the room file names them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Furnished {
    /// Name in files and addresses; of a built-in room its own.
    pub name: String,
    /// Where the room file is; without it, the built-in room of that name.
    #[serde(default)]
    pub model: Model,
    /// How it is simulated.
    pub quality: Quality,
    /// Who talks to the device.
    pub talkers: Vec<String>,
    /// Where the device stands that hears with one microphone: single microphones, or arrays and devices, of which the
    /// first microphone counts.
    pub microphones: Vec<String>,
    /// Where continuous noise comes from.
    pub continuous: Vec<String>,
    /// Where transient noise comes from.
    pub transient: Vec<String>,
    /// The array or device of the `array` track.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub array: Option<String>,
    /// What plays the far end on the `echo` track.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loudspeakers: Vec<String>,
    /// Where talkers walk on the `moving` tracks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub walks: Vec<Walk>,
}

/// Where a room file comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// One of [`acoustics::rooms`].
    #[default]
    BuiltIn,
    /// A file, relative to the specification; [`crate::release::ReleaseSpec::read`] puts its text in its place.
    File(PathBuf),
    /// The room file itself.
    Text(String),
}

/// How a furnished room is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Quality {
    /// Image sources and rays at all frequencies.
    Geometric {
        /// Rays of a source.
        rays: usize,
    },
    /// Waves below, images and rays above.
    Hybrid {
        /// Rays of a source.
        rays: usize,
        /// Node updates that the waves may cost for each microphone.
        work_budget_updates: u64,
    },
}

/// A way through a room at one speed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Walk {
    /// Places of the mouth to pass, at least two.
    pub way_points_m: Vec<[f64; 3]>,
    /// Speed in metres per second.
    pub speed_m_per_s: f64,
    /// Where the talker looks.
    #[serde(default)]
    pub facing: Gaze,
}

/// Where somebody who walks looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gaze {
    /// The way they go.
    #[default]
    AlongPath,
    /// At the microphone.
    Microphone,
}

impl Walk {
    /// The path, as somebody at `microphone` hears it.
    pub(crate) fn path(&self, microphone: Position) -> Result<Path, MotionError> {
        let points: Vec<WayPoint> = self
            .way_points_m
            .iter()
            .map(|&[x, y, z]| WayPoint { place: Position::new(x, y, z), pause_s: 0.0 })
            .collect();
        let facing = match self.facing {
            Gaze::AlongPath => Facing::AlongPath,
            Gaze::Microphone => Facing::Towards(microphone),
        };
        Path::new(&points, self.speed_m_per_s, facing)
    }
}

impl Quality {
    /// Whether the wave equation is solved, which takes minutes where the rest takes seconds.
    pub(crate) const fn has_waves(self) -> bool {
        matches!(self, Self::Hybrid { .. })
    }

    pub(crate) fn geometric(rays: usize) -> GeometricSettings {
        GeometricSettings { sample_rate: SAMPLE_RATE, rays, ..GeometricSettings::default() }
    }

    pub(crate) fn hybrid(rays: usize, work_budget_updates: u64) -> HybridSettings {
        HybridSettings { sample_rate: SAMPLE_RATE, rays, work_budget_updates, ..HybridSettings::default() }
    }
}

impl Furnished {
    /// The room with all that stands in it.
    ///
    /// # Errors
    /// Says what is wrong with the name or the room file.
    pub fn furnished_room(&self) -> Result<Cow<'static, FurnishedRoom>, String> {
        match &self.model {
            Model::BuiltIn => FurnishedRoom::named(&self.name).map(Cow::Borrowed).ok_or_else(|| {
                format!("there is no built-in room of that name: use one of {}", built_in_names())
            }),
            Model::File(path) => Err(format!(
                "its room file {} was not read: read the specification from a file",
                path.display()
            )),
            Model::Text(text) => {
                let no_mesh = |_: &str| Err("meshes are not read here: give a box or a plan".to_owned());
                FurnishedRoom::from_toml(text, &no_mesh).map(Cow::Owned).map_err(|error| error.to_string())
            }
        }
    }
}

fn built_in_names() -> String {
    acoustics::rooms().iter().map(FurnishedRoom::name).collect::<Vec<_>>().join(", ")
}

/// Sources of a room by their names; talkers must be talkers.
pub(crate) fn sources(
    room: &FurnishedRoom,
    what: &str,
    names: &[String],
    kind: Option<SourceKind>,
) -> Result<Vec<Source>, String> {
    let find = |name: &String| {
        let mut known = room.sources().iter().filter(|source| kind.is_none_or(|kind| source.kind == kind));
        known.find(|source| source.name == *name).map(|source| source.source).ok_or_else(|| {
            let names: Vec<&str> = room.sources().iter().map(|source| source.name.as_str()).collect();
            format!("{what}: the room has no \"{name}\" for that; its sources are {}", names.join("; "))
        })
    };
    names.iter().map(find).collect()
}

/// A microphone, array or device of a room by its name.
pub(crate) fn array<'r>(
    room: &'r FurnishedRoom,
    what: &str,
    name: &str,
) -> Result<&'r MicrophoneArray, String> {
    room.arrays().iter().find(|array| array.name == name).ok_or_else(|| {
        let names: Vec<&str> = room.arrays().iter().map(|array| array.name.as_str()).collect();
        format!("{what}: the room has no \"{name}\"; it has {}", names.join("; "))
    })
}
