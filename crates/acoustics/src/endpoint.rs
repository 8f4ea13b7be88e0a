//! Where sound begins: sources and how they radiate.

use std::sync::LazyLock;

use glam::DVec3;
use serde::{Deserialize, Serialize};

use crate::{
    band::{BAND_COUNT, Octaves},
    room::Position,
};

/// How a source radiates: amplitude by direction, relative to the one straight ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Directivity {
    /// The same in all directions.
    #[default]
    Omnidirectional,
    /// Half omnidirectional, half figure of eight: nothing straight behind.
    Cardioid,
    /// Two opposite lobes, nothing to the sides.
    FigureOfEight,
    /// A person who speaks at a normal level, head and body included: levels in the horizontal plane measured around
    /// fifteen talkers (Monson, Hunter and Story, J. Acoust. Soc. Am. 132, 433-441, 2012), taken for all planes through
    /// the mouth's axis. Loudest up to 15 degrees beside it.
    Talker,
}

/// Level around a talker in decibels relative to straight ahead, every 15 degrees from 0 to 180, by octave.
///
/// 125 Hz to 8 kHz: Monson, Hunter and Story 2012, table I, normal speech. 63 Hz: the third octave at 79 Hz of Kocon and
/// Monson, J. Acoust. Soc. Am. 144, EL7-EL12, 2018, table 1.
const TALKER_DECIBELS: [Octaves; 13] = [
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [0.7, 0.8, 0.7, 0.6, -0.2, -1.0, -1.7, -1.0],
    [-0.2, -0.1, -0.2, 0.1, -0.7, -0.1, -0.7, -1.7],
    [0.0, -0.4, -0.5, 0.0, -1.4, -0.8, -1.6, -3.1],
    [-0.6, -0.6, -0.8, -0.1, -1.5, -2.5, -3.9, -5.8],
    [-1.0, -1.1, -1.6, -0.7, -1.4, -4.7, -5.3, -7.0],
    [-1.4, -1.6, -2.3, -1.6, -1.6, -7.0, -6.3, -8.7],
    [-1.7, -2.1, -3.1, -2.8, -2.5, -7.6, -9.0, -11.5],
    [-2.2, -2.7, -3.9, -4.4, -4.6, -7.9, -12.7, -15.0],
    [-2.5, -3.1, -4.5, -5.5, -7.0, -9.3, -14.5, -17.8],
    [-2.7, -3.5, -4.9, -6.0, -7.9, -13.0, -16.7, -21.5],
    [-2.7, -3.6, -5.0, -6.0, -6.9, -15.0, -21.0, -25.0],
    [-2.7, -3.6, -5.1, -5.9, -6.3, -13.1, -18.9, -26.3],
];

/// Between two angles of the table, in radians.
const TALKER_STEP: f64 = std::f64::consts::PI / 12.0;

impl Directivity {
    /// Amplitude in each octave at an angle from straight ahead whose cosine is given. Straight ahead it is 1:
    /// the reference of level is the free field at 1 m in front of the source. Negative where the pressure is
    /// reversed, behind a figure of eight.
    pub fn amplitude(self, cosine: f64) -> Octaves {
        match self {
            Self::Talker => talker_amplitude(cosine),
            _ => self.first_order().map(|(omni, dipole)| omni + dipole * cosine),
        }
    }

    /// In each octave the omnidirectional and the dipole part of the first-order source that stands for this one:
    /// `omni + dipole * cosine`, exact for all but the talker.
    ///
    /// For the talker it is the pattern with the same direct sound straight ahead and the same sound power, hence the
    /// same reverberant level: omni + dipole = 1 and omni² + dipole²/3 = the mean of the squared amplitude over the
    /// sphere. In octaves that bundle more tightly than a first-order source can, 6 dB, it is the narrowest one.
    pub fn first_order(self) -> [(f64, f64); BAND_COUNT] {
        match self {
            Self::Omnidirectional => [(1.0, 0.0); BAND_COUNT],
            Self::Cardioid => [(0.5, 0.5); BAND_COUNT],
            Self::FigureOfEight => [(0.0, 1.0); BAND_COUNT],
            Self::Talker => self.mean_square().map(|power| {
                let dipole = 0.75 * (1.0 - (1.0 - 4.0 / 3.0 * (1.0 - power)).max(0.0).sqrt());
                (1.0 - dipole, dipole)
            }),
        }
    }

    /// Mean over all directions of the squared amplitude, by octave: the sound power relative to that of an
    /// omnidirectional source of the same level straight ahead. Its inverse is the directivity factor Q.
    pub fn mean_square(self) -> Octaves {
        static TALKER: LazyLock<Octaves> = LazyLock::new(talker_mean_square);
        match self {
            Self::Talker => *TALKER,
            _ => self.first_order().map(|(omni, dipole)| omni * omni + dipole * dipole / 3.0),
        }
    }
}

fn talker_amplitude(cosine: f64) -> Octaves {
    let place = cosine.clamp(-1.0, 1.0).acos() / TALKER_STEP;
    let below = (place as usize).min(TALKER_DECIBELS.len() - 2);
    let share = place - below as f64;
    std::array::from_fn(|band| {
        let decibels =
            (1.0 - share) * TALKER_DECIBELS[below][band] + share * TALKER_DECIBELS[below + 1][band];
        10_f64.powf(decibels / 20.0)
    })
}

/// Mean of the squared amplitude over equal zones of the sphere, at the middle of each.
fn talker_mean_square() -> Octaves {
    const ZONES: i32 = 2_000;
    let mut mean = [0.0; BAND_COUNT];
    for zone in 0..ZONES {
        let cosine = (2.0 * f64::from(zone) + 1.0) / f64::from(ZONES) - 1.0;
        for (sum, amplitude) in mean.iter_mut().zip(talker_amplitude(cosine)) {
            *sum += amplitude * amplitude / f64::from(ZONES);
        }
    }
    mean
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

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Directivity; 4] = [
        Directivity::Omnidirectional,
        Directivity::Cardioid,
        Directivity::FigureOfEight,
        Directivity::Talker,
    ];

    fn decibels(amplitude: f64) -> f64 {
        20.0 * amplitude.log10()
    }

    #[test]
    fn straight_ahead_every_source_has_amplitude_one() {
        for directivity in ALL {
            assert!(directivity.amplitude(1.0).iter().all(|value| (value - 1.0).abs() < 1e-12));
            assert!(directivity.first_order().iter().all(|(a, b)| (a + b - 1.0).abs() < 1e-12));
        }
    }

    #[test]
    fn a_talker_is_as_quiet_from_the_side_and_from_behind_as_measured() {
        // Monson, Hunter and Story 2012, table I: 90 and 180 degrees at 125, 500, 1k, 2k, 4k, 8k Hz.
        let (side, behind) = (Directivity::Talker.amplitude(0.0), Directivity::Talker.amplitude(-1.0));
        for (band, at_side, at_back) in [
            (1, -1.6, -3.6),
            (3, -1.6, -5.9),
            (4, -1.6, -6.3),
            (5, -7.0, -13.1),
            (6, -6.3, -18.9),
            (7, -8.7, -26.3),
        ] {
            assert!((decibels(side[band]) - at_side).abs() < 1e-9, "{band}");
            assert!((decibels(behind[band]) - at_back).abs() < 1e-9, "{band}");
        }
    }

    #[test]
    fn another_measurement_around_talkers_agrees_within_two_decibels() {
        // Kocon and Monson 2018, table 1, third octaves at 250 Hz, 500 Hz and 4 kHz; 60, 120 and 180 degrees.
        let table = [(2, [-0.8, -3.9, -5.0]), (3, [-0.4, -4.6, -6.2]), (6, [-4.3, -13.3, -19.7])];
        for (band, levels) in table {
            for (degrees, level) in [60.0_f64, 120.0, 180.0].into_iter().zip(levels) {
                let here = decibels(Directivity::Talker.amplitude(degrees.to_radians().cos())[band]);
                assert!(
                    (here - level).abs() < 2.0,
                    "band {band}, {degrees} degrees: {here} dB, there {level}"
                );
            }
        }
    }

    #[test]
    fn the_first_order_stand_in_of_a_talker_radiates_the_same_power() {
        // Exact as long as the directivity index stays below the 6 dB of a supercardioid.
        let (talker, power) = (Directivity::Talker, Directivity::Talker.mean_square());
        for ((omni, dipole), power) in talker.first_order().into_iter().zip(power) {
            let index = -10.0 * power.log10();
            assert!((-0.1..8.0).contains(&index), "{index} dB");
            if index < 6.0 {
                assert!((omni * omni + dipole * dipole / 3.0 - power).abs() < 1e-9);
            }
        }
        // Q of a cardioid and of a figure of eight is 3.
        assert!((Directivity::Cardioid.mean_square()[0] - 1.0 / 3.0).abs() < 1e-12);
        assert!((Directivity::FigureOfEight.mean_square()[0] - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_source_turns_with_its_facing() {
        let source = Source {
            position: Position::new(0.0, 0.0, 0.0),
            facing: DVec3::Y,
            directivity: Directivity::Cardioid,
        };
        assert!((source.amplitude_towards(DVec3::new(0.0, 3.0, 0.0))[4] - 1.0).abs() < 1e-12);
        assert!(source.amplitude_towards(DVec3::NEG_Y)[4].abs() < 1e-12);
        assert!((source.amplitude_towards(DVec3::X)[4] - 0.5).abs() < 1e-12);
    }
}
