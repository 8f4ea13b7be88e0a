//! Impulse responses and dry recordings in; far-field audio at a controlled level out. Pure: no I/O, no async.
//!
//! Samples are `f32` with full scale at 1.0. Levels are in dBov: 0 dBov is a root mean square of 1.0
//! (a full-scale square wave), so a full-scale sine lies at -3.01 dBov.
//!
//! [`render`] makes one utterance heard in one room; [`level`] measures it, [`noise`] synthesises what
//! disturbs it, and [`quantise`] turns it into 16-bit PCM.

mod convolve;
pub mod level;
pub mod noise;
mod quantise;
mod render;

pub use convolve::convolve;
pub use quantise::{Dither, quantise};
pub use render::{
    Background, Measured, NoiseSource, Rendered, Scene, SceneError, Signal, render, render_background,
    render_dry,
};
