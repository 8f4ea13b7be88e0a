//! Where sound begins and ends: sources and microphones.

use glam::DVec3;

use crate::{
    band::{BAND_COUNT, Octaves},
    room::Position,
};

/// How a source radiates: amplitude by direction, relative to the one straight ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Directivity {
    /// The same in all directions.
    #[default]
    Omnidirectional,
}

impl Directivity {
    /// Amplitude in each octave at an angle from straight ahead whose cosine is given. Straight ahead it is 1:
    /// the reference of level is the free field at 1 m in front of the source.
    pub fn amplitude(self, _cosine: f64) -> Octaves {
        match self {
            Self::Omnidirectional => [1.0; BAND_COUNT],
        }
    }
}

/// A source of sound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Source {
    /// Where it is.
    pub position: Position,
    /// Where it looks: a unit vector. Of no account for an omnidirectional one.
    pub facing: DVec3,
    /// How it radiates.
    pub directivity: Directivity,
}

impl Source {
    /// A source that radiates the same in all directions.
    pub fn omnidirectional(position: Position) -> Self {
        Self { position, facing: DVec3::X, directivity: Directivity::Omnidirectional }
    }

    /// Amplitude in each octave that leaves towards `direction` (any length but zero).
    pub fn amplitude_towards(&self, direction: DVec3) -> Octaves {
        self.directivity.amplitude(self.facing.dot(direction.normalize_or_zero()).clamp(-1.0, 1.0))
    }
}
