//! Impulse responses and dry recordings in; far-field audio at a controlled level out. Pure: no I/O, no async.
//!
//! Samples are `f32` with full scale at 1.0. Levels are in dBov: 0 dBov is a root mean square of 1.0
//! (a full-scale square wave), so a full-scale sine lies at -3.01 dBov.
//!
//! [`render`] makes a [`Scene`] audible: talkers that stand or [move](motion), a loudspeaker, noise, one or more
//! microphones, and a [`device`] around them. [`conversation`] says when who speaks, [`array`](mod@array) makes one
//! channel of many, [`level`] measures, [`noise`] synthesises what disturbs, and [`quantise`] gives 16-bit PCM.

pub mod array;
pub mod conversation;
mod convolve;
pub mod device;
mod echo;
mod error;
mod interpolate;
pub mod level;
pub mod motion;
pub mod noise;
mod quantise;
mod render;
mod transfer;

pub use convolve::convolve;
pub use echo::{Echo, Loudspeaker};
pub use error::{SceneError, Signal};
pub use quantise::{Dither, quantise};
pub use render::{Background, Measured, NoiseSource, Rendered, Scene, Utterance, render, render_dry};
pub use transfer::Transfer;
