//! What a release is: corpora, rooms, tracks, recipes and manifests; building and verifying one.

pub mod corpus;

mod audio;
mod error;
mod staging;

pub use audio::SAMPLE_RATE;
pub use error::Error;

/// Called with (done, total) as work goes on, from any thread.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);
