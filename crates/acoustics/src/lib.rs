//! Rooms, materials, sources and microphones in; room impulse responses out. Pure: no I/O, no async.
//!
//! Positions are in metres, times in seconds, and whatever depends on frequency is given in the
//! [`OCTAVES`] from 63 Hz to 8 kHz. A [`BoxRoom`] and a solver ([`image_source_rirs`]) give [`Rir`]s;
//! [`room_acoustics`] measures one, simulated or recorded, by ISO 3382.

mod air;
mod band;
mod convex;
mod dice;
pub mod drawing;
mod endpoint;
mod geometric;
mod geometry;
mod hybrid;
mod image_source;
mod material;
mod metrics;
mod moving;
mod rir;
mod room;
pub mod room_file;
mod synthesis;
pub mod validation;
mod wav;
pub mod wave;

pub use air::Air;
pub use band::{BAND_COUNT, OCTAVES, Octaves, octave_name};
pub use endpoint::{Directivity, Source};
pub use geometric::{GeometricError, GeometricSettings, geometric_rirs};
pub use geometry::{Polygon, Room, Solid, Surface};
pub use hybrid::{HybridError, HybridSettings, Simulation, SimulationRecord, hybrid_rirs};
pub use image_source::{ImageSourceSettings, SimulationError, image_source_rirs};
pub use material::{Material, MaterialError, MaterialOrigin, material_origins, materials};
pub use metrics::{
    DecayCurve, DecayWarning, OctaveAcoustics, RoomAcoustics, SoundField, decay_curve, room_acoustics,
};
pub use moving::{Arrival, ImageTransform, MirrorPlane};
pub use rir::{Rir, RirError};
pub use room::{BoxRoom, Position, RoomError, Surfaces};
pub use room_file::{
    FurnishedRoom, Furniture, FurnitureKind, MicrophoneArray, RoomFileError, RoomSource, SourceKind, rooms,
};
pub use wav::{WavError, read_wav, write_wav};

/// Runs the example of the crate's README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
