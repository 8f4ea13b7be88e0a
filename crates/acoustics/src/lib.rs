//! Rooms, materials, sources and microphones in; room impulse responses out. Pure: no I/O, no async.

mod rir;

pub use rir::{Rir, RirError};
