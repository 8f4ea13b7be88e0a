//! Rooms, materials, sources and microphones in; room impulse responses out. Pure: no I/O, no async.
//!
//! Positions are in metres, times in seconds, and whatever depends on frequency is given in the
//! [`OCTAVES`] from 63 Hz to 8 kHz. A [`BoxRoom`] and a solver ([`image_source_rirs`]) give [`Rir`]s;
//! [`room_acoustics`] measures one, simulated or recorded, by ISO 3382.

mod air;
mod band;
mod endpoint;
mod geometry;
mod image_source;
mod material;
mod metrics;
mod moving;
mod rir;
mod room;
mod synthesis;

pub use air::Air;
pub use band::{BAND_COUNT, OCTAVES, Octaves};
pub use endpoint::{Directivity, Source};
pub use geometry::{Polygon, Room, Solid, Surface};
pub use image_source::{ImageSourceSettings, SimulationError, image_source_rirs};
pub use material::{Material, MaterialError, materials};
pub use metrics::{OctaveAcoustics, RoomAcoustics, SoundField, room_acoustics};
pub use moving::{Arrival, ImageTransform, MirrorPlane};
pub use rir::{Rir, RirError};
pub use room::{BoxRoom, Position, RoomError, Surfaces};
