//! A visitor's own room as the conditions under which responses of models are fitted.
//!
//! Sound in a room is the direct sound, which falls by 6 dB for every doubling of the distance, and the reverberant
//! sound, which is the same everywhere and whose level follows from volume and reverberation time (Sabine's diffuse field;
//! Kuttruff, *Room Acoustics*, 6th edition, §5.5). With the absorption area A = 24 ln 10 V / (c T), the mean square
//! pressure at distance r of a source of directivity factor Q is, relative to the direct sound at 1 m,
//! 1/r² + 16 π / (Q A).

use std::f64::consts::PI;

/// Speed of sound in air at 20 °C, m/s.
const SPEED_OF_SOUND: f64 = 343.2;
/// Directivity factor of a talker who faces the microphone, over the bands that carry speech (ISO 3382-3 takes 3 dB to
/// 4 dB of directivity index on the axis).
const DIRECTIVITY_FACTOR: f64 = 2.0;

/// How loudly somebody speaks: level at 1 m in the free field, dB(A) (ISO 9921:2003, table A.1, rounded).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Effort {
    /// 54 dB(A).
    Relaxed,
    /// 60 dB(A).
    #[default]
    Normal,
    /// 66 dB(A).
    Raised,
    /// 72 dB(A).
    Loud,
}

impl Effort {
    /// From quiet to loud.
    pub const ALL: [Self; 4] = [Self::Relaxed, Self::Normal, Self::Raised, Self::Loud];

    /// The name in a URL, and what a reader sees.
    pub fn name(self) -> &'static str {
        match self {
            Self::Relaxed => "relaxed",
            Self::Normal => "normal",
            Self::Raised => "raised",
            Self::Loud => "loud",
        }
    }

    /// Level at 1 m in the free field, dB(A).
    pub fn level(self) -> f64 {
        match self {
            Self::Relaxed => 54.0,
            Self::Normal => 60.0,
            Self::Raised => 66.0,
            Self::Loud => 72.0,
        }
    }

    /// The effort of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effort| effort.name() == name)
    }
}

/// A room with a talker and a microphone in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Room {
    /// Volume, m³; positive.
    pub volume: f64,
    /// Reverberation time at middle frequencies, s; positive.
    pub t30: f64,
    /// From the mouth to the microphone, m; positive.
    pub distance: f64,
    /// How loudly the talker speaks.
    pub effort: Effort,
    /// Level of the noise at the microphone, dB(A).
    pub noise: f64,
}

/// The conditions at the microphone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conditions {
    /// Level of the reverberant speech less that of the noise, dB.
    pub snr: f64,
    /// Direct to reverberant energy, dB.
    pub drr: f64,
    /// Reverberation time, s.
    pub t30: f64,
    /// From the mouth to the microphone, m.
    pub distance: f64,
}

impl Room {
    /// Equivalent absorption area, m².
    pub fn absorption_area(&self) -> f64 {
        24.0 * std::f64::consts::LN_10 * self.volume / (SPEED_OF_SOUND * self.t30)
    }

    /// Where direct and reverberant sound are equally loud, m.
    pub fn critical_distance(&self) -> f64 {
        (DIRECTIVITY_FACTOR * self.absorption_area() / (16.0 * PI)).sqrt()
    }

    /// What arrives at the microphone.
    pub fn conditions(&self) -> Conditions {
        let direct = self.distance.powi(-2);
        let reverberant = self.critical_distance().powi(-2);
        Conditions {
            snr: self.effort.level() + 10.0 * (direct + reverberant).log10() - self.noise,
            drr: 10.0 * (direct / reverberant).log10(),
            t30: self.t30,
            distance: self.distance,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFICE: Room = Room { volume: 100.0, t30: 0.5, distance: 2.0, effort: Effort::Normal, noise: 45.0 };

    #[test]
    fn the_critical_distance_is_that_of_the_textbook() {
        // 0.1 √(Q V / (π T)), Kuttruff (5.44), rounded there.
        let textbook = 0.1 * (DIRECTIVITY_FACTOR * OFFICE.volume / (PI * OFFICE.t30)).sqrt();
        assert!((OFFICE.critical_distance() / textbook - 1.0).abs() < 0.01);
    }

    #[test]
    fn at_the_critical_distance_both_parts_are_equal_and_speech_is_3_db_above_its_direct_sound() {
        let distance = OFFICE.critical_distance();
        let there = Room { distance, noise: 0.0, ..OFFICE }.conditions();
        assert!(there.drr.abs() < 1e-9);
        let direct = 60.0 - 20.0 * distance.log10();
        assert!((there.snr - direct - 10.0 * 2.0_f64.log10()).abs() < 1e-9);
    }

    #[test]
    fn twice_the_distance_costs_6_db_of_drr_and_more_noise_as_much_snr() {
        let near = OFFICE.conditions();
        let far = Room { distance: 4.0, ..OFFICE }.conditions();
        assert!((near.drr - far.drr - 20.0 * 2.0_f64.log10()).abs() < 1e-9);
        let noisy = Room { noise: 55.0, ..OFFICE }.conditions();
        assert!((near.snr - noisy.snr - 10.0).abs() < 1e-9);
    }
}
