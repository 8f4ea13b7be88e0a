//! Geometrical room acoustics: image sources for the first reflections, rays with diffuse rain for the rest.
//!
//! Works in any room of plane surfaces, in octave bands, with scattering, air absorption and the source's directivity.
//! Each path is counted once: a mirror reflection up to the image order is an image and carries what is neither
//! absorbed nor scattered, everything else comes from the rays ([`rays`] says how). The levels of both are absolute:
//! the free field at 1 m is 1.
//!
//! Sound does not bend here: where something hides the source there is no direct sound. Diffraction is the wave
//! part's business.

mod bvh;
mod images;
mod length;
mod rays;
mod scene;

use std::{
    ops::ControlFlow,
    sync::atomic::{AtomicUsize, Ordering},
};

use glam::DVec3;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::{
    images::Images,
    length::LONGEST,
    rays::{RaySettings, Rays},
    scene::Scene,
};
use crate::{
    endpoint::Source,
    geometry::Room,
    rir::{Rir, RirError},
    room::Position,
    synthesis::{Arrival, Synthesis},
};

/// Source and microphone are never closer than this, in metres: 1/r knows no bound.
const CLOSEST: f64 = 0.01;

/// How the geometrical part is computed. As a file it may leave out any field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GeometricSettings {
    /// Samples per second, 8 000 to 192 000.
    pub sample_rate: u32,
    /// Length of the response in seconds, at most 20; by default until rays say that every octave has decayed by
    /// 65 dB.
    pub length_seconds: Option<f64>,
    /// Most mirrors in the path of an image, at most 50. Longer mirror paths are left to the rays.
    pub image_order: u32,
    /// Most images of a source, 1 to 1 000 000. Where the room has more, the order is lowered until they fit.
    pub max_images: usize,
    /// Number of rays, at most 10 000 000; without rays only images are heard.
    pub rays: usize,
    /// Same seed, same response.
    pub seed: u64,
}

impl Default for GeometricSettings {
    fn default() -> Self {
        Self {
            sample_rate: 16_000,
            length_seconds: None,
            image_order: 3,
            max_images: 4_000,
            rays: 4_000,
            seed: 0,
        }
    }
}

/// Why no response can be computed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GeometricError {
    /// A place in a wall, in furniture or outside.
    #[error("{what} at {position} m is not in the air of room \"{room}\"; move it")]
    NotInAir {
        /// `source 0` or `microphone 3`.
        what: String,
        /// Where it was put.
        position: Position,
        /// The room's name.
        room: String,
    },
    /// Source and microphone at one place.
    #[error("microphone {0} is less than 1 cm from the source; move one of them")]
    TooClose(usize),
    /// A setting out of range.
    #[error("{name} is {value}; it must lie between {least} and {most}")]
    Setting {
        /// The field.
        name: &'static str,
        /// What it holds.
        value: f64,
        /// Least value allowed.
        least: f64,
        /// Largest value allowed.
        most: f64,
    },
    /// Whoever watched said stop.
    #[error("the geometrical simulation was cancelled")]
    Cancelled,
    /// No sound arrives.
    #[error("microphone {microphone} hears nothing within the response; lengthen it or trace more rays")]
    Silent {
        /// Which.
        microphone: usize,
        /// What is wrong with the response.
        source: RirError,
    },
}

/// Responses from one source to each microphone, in their order. All microphones hear the same images and the same
/// rays, so they form a coherent array.
///
/// `progress` is told now and then which share of the work is done, from any thread, and may end it. Same input, same
/// bits, on any number of threads.
///
/// # Errors
/// [`GeometricError`] when a place is not in the room's air, a setting is out of range, nothing is heard, or
/// `progress` said stop.
pub fn geometric_rirs(
    room: &Room,
    source: &Source,
    microphones: &[Position],
    settings: &GeometricSettings,
    progress: &(dyn Fn(f64) -> ControlFlow<()> + Sync),
) -> Result<Vec<Rir>, GeometricError> {
    check(room, source, microphones, settings)?;
    let seconds = settings.length_seconds.unwrap_or_else(|| default_length(room, 0.0));
    let halfway = |share: f64| progress(0.5 * share);
    let geometric = Geometric::new(room, source, microphones, settings, seconds, &halfway)?;
    let synthesis = Synthesis::new(room.air(), settings.sample_rate, seconds);
    let done = AtomicUsize::new(0);
    let response = |(index, &microphone): (usize, &Position)| {
        let Heard { direct, images, rays } = geometric.heard(microphone);
        let samples = synthesis.response(direct, images.into_iter().chain(rays));
        let done = 1 + done.fetch_add(1, Ordering::Relaxed);
        if progress(0.5 + 0.5 * done as f64 / microphones.len() as f64).is_break() {
            return Err(GeometricError::Cancelled);
        }
        Rir::new(settings.sample_rate, samples)
            .map_err(|source| GeometricError::Silent { microphone: index, source })
    };
    microphones.par_iter().enumerate().map(response).collect()
}

/// Long enough for the decay of the slowest octave, and for sound to cross even a dead room. Octaves centred below
/// `waves_below_hz` decay as waves do.
pub(crate) fn default_length(room: &Room, waves_below_hz: f64) -> f64 {
    let [low, high] = room.bounds();
    let crossing = low.distance(high) / room.air().speed_of_sound();
    length::decay_seconds(room, waves_below_hz).max(2.0 * crossing).min(LONGEST)
}

/// Images and rays of one source.
pub(crate) struct Geometric {
    scene: Scene,
    images: Images,
    rays: Rays,
}

/// All that comes to a microphone.
pub(crate) struct Heard {
    /// Unless something is in its way.
    pub(crate) direct: Option<Arrival>,
    /// Mirror reflections in the order of their arrival.
    pub(crate) images: Vec<Arrival>,
    /// Everything else, its signs random.
    pub(crate) rays: Vec<Arrival>,
}

impl Geometric {
    /// Finds the images and traces the rays of a source whose place was checked, for responses of so many seconds.
    pub(crate) fn new(
        room: &Room,
        source: &Source,
        microphones: &[Position],
        settings: &GeometricSettings,
        seconds: f64,
        progress: &(dyn Fn(f64) -> ControlFlow<()> + Sync),
    ) -> Result<Self, GeometricError> {
        let scene = Scene::new(room);
        let reach = room.air().speed_of_sound() * seconds;
        let images = Images::new(&scene, source, settings.image_order, settings.max_images, reach);
        let microphones: Vec<DVec3> = microphones.iter().map(|&microphone| microphone.into()).collect();
        let ray_settings = RaySettings {
            source,
            microphones: &microphones,
            count: settings.rays,
            seed: settings.seed,
            image_order: images.order,
            reach,
            volume: room.volume(),
            area: room.surface_area(),
            mean_absorption: room.mean_absorption(),
            speed_of_sound: room.air().speed_of_sound(),
            air_loss: room.air().energy_loss(),
        };
        let rays = Rays::trace(&scene, &ray_settings, progress).ok_or(GeometricError::Cancelled)?;
        Ok(Self { scene, images, rays })
    }

    /// Highest order of which all images were computed, and their number.
    pub(crate) fn images(&self) -> (u32, usize) {
        (self.images.order, self.images.count())
    }

    /// What one of the microphones hears.
    pub(crate) fn heard(&self, microphone: Position) -> Heard {
        let microphone = microphone.into();
        Heard {
            direct: self.images.direct(&self.scene, microphone),
            images: self.images.reflections(&self.scene, microphone),
            rays: self.rays.arrivals(&self.scene, microphone).collect(),
        }
    }
}

/// Whether places and settings make sense.
pub(crate) fn check(
    room: &Room,
    source: &Source,
    microphones: &[Position],
    settings: &GeometricSettings,
) -> Result<(), GeometricError> {
    let within = |name, value: f64, least, most| {
        let inside = (least..=most).contains(&value);
        if inside { Ok(()) } else { Err(GeometricError::Setting { name, value, least, most }) }
    };
    within("sample_rate", f64::from(settings.sample_rate), 8_000.0, 192_000.0)?;
    within("length_seconds", settings.length_seconds.unwrap_or(1.0), 0.001, LONGEST)?;
    within("image_order", f64::from(settings.image_order), 0.0, 50.0)?;
    within("max_images", settings.max_images as f64, 1.0, 1e6)?;
    within("rays", settings.rays as f64, 0.0, 1e7)?;

    let in_air = |position: Position, what: &dyn Fn() -> String| {
        let error = || GeometricError::NotInAir { what: what(), position, room: room.name().to_owned() };
        if room.is_air(position) { Ok(()) } else { Err(error()) }
    };
    in_air(source.position, &|| "the source".to_owned())?;
    for (index, &microphone) in microphones.iter().enumerate() {
        in_air(microphone, &|| format!("microphone {index}"))?;
        if microphone.distance(source.position) < CLOSEST {
            return Err(GeometricError::TooClose(index));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
