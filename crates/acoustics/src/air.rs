//! What the air does to sound: its speed and its absorption.

use serde::{Deserialize, Serialize};

use crate::band::{OCTAVES, Octaves};

/// Reference temperature, 20 °C, in kelvin (ISO 9613-1).
const REFERENCE_KELVIN: f64 = 293.15;
/// Speed of sound at the reference temperature, in metres per second (ISO 9613-1).
const REFERENCE_SPEED: f64 = 343.2;
/// Triple point of water, in kelvin.
const TRIPLE_POINT_KELVIN: f64 = 273.16;

/// The air of a room, at normal pressure (101.325 kPa).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Air {
    /// From -20 to 50 °C.
    pub temperature_celsius: f64,
    /// From 5 to 100 %.
    pub relative_humidity_percent: f64,
}

impl Default for Air {
    /// A comfortable room: 20 °C and 50 %.
    fn default() -> Self {
        Self { temperature_celsius: 20.0, relative_humidity_percent: 50.0 }
    }
}

impl Air {
    /// Speed of sound in metres per second (ISO 9613-1, annex A).
    pub fn speed_of_sound(&self) -> f64 {
        REFERENCE_SPEED * (self.kelvin() / REFERENCE_KELVIN).sqrt()
    }

    /// Attenuation of a pure tone in decibels per metre (ISO 9613-1, equations 3 to 5 and annex B).
    pub fn attenuation(&self, hz: f64) -> f64 {
        let kelvin = self.kelvin();
        let relative = kelvin / REFERENCE_KELVIN;
        let saturation = 10_f64.powf(4.6151 - 6.8346 * (TRIPLE_POINT_KELVIN / kelvin).powf(1.261));
        // Molar concentration of water vapour, in percent.
        let vapour = self.relative_humidity_percent * saturation;
        let oxygen = 24.0 + 4.04e4 * vapour * (0.02 + vapour) / (0.391 + vapour);
        let nitrogen =
            (9.0 + 280.0 * vapour * (-4.170 * (relative.powf(-1.0 / 3.0) - 1.0)).exp()) / relative.sqrt();
        let classical = 1.84e-11 * relative.sqrt();
        let relaxation = 0.01275 * (-2_239.1 / kelvin).exp() / (oxygen + hz * hz / oxygen)
            + 0.1068 * (-3_352.0 / kelvin).exp() / (nitrogen + hz * hz / nitrogen);
        8.686 * hz * hz * (classical + relaxation * relative.powf(-2.5))
    }

    /// Share of energy lost per metre in each octave, at its centre: the constant m in exp(-m r), in 1/m.
    pub fn energy_loss(&self) -> Octaves {
        OCTAVES.map(|hz| self.attenuation(hz) * std::f64::consts::LN_10 / 10.0)
    }

    fn kelvin(&self) -> f64 {
        self.temperature_celsius + 273.15
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attenuation_equals_the_tables_of_iso_9613_1() {
        // ISO 9613-1:1993, table 1: °C, %, Hz, dB/km as printed there (three digits). The standard
        // tabulates exact midband frequencies, 1000 * 10^(3k/30).
        let midband = |k: f64| 1_000.0 * 10_f64.powf(k / 10.0);
        let table = [
            (-20.0, 10.0, midband(-13.0), 0.589),
            (20.0, 15.0, midband(8.0), 175.0),
            (20.0, 80.0, midband(-13.0), 0.0501),
            (20.0, 80.0, midband(0.0), 5.15),
            (20.0, 80.0, midband(10.0), 105.0),
        ];
        for (temperature_celsius, relative_humidity_percent, hz, printed) in table {
            let air = Air { temperature_celsius, relative_humidity_percent };
            let value = 1_000.0 * air.attenuation(hz);
            assert!((value / printed - 1.0).abs() < 0.006, "{air:?} {hz} Hz: {value}, printed {printed}");
        }
    }

    #[test]
    fn octave_values_equal_table_2_of_iso_9613_2() {
        // ISO 9613-2:1996, table 2, 125 Hz to 8 kHz in dB/km, to the three digits or the decimal printed there.
        // Its midband frequencies are exact in base ten: 7 943 Hz stands for 8 kHz.
        let table = [
            (10.0, 70.0, [0.4, 1.0, 1.9, 3.7, 9.7, 32.8, 117.0]),
            (20.0, 70.0, [0.3, 1.1, 2.8, 5.0, 9.0, 22.9, 76.6]),
            (30.0, 70.0, [0.3, 1.0, 3.1, 7.4, 12.7, 23.1, 59.3]),
            (15.0, 20.0, [0.6, 1.2, 2.7, 8.2, 28.2, 88.8, 202.0]),
            (15.0, 50.0, [0.5, 1.2, 2.2, 4.2, 10.8, 36.2, 129.0]),
        ];
        for (temperature_celsius, relative_humidity_percent, printed) in table {
            let air = Air { temperature_celsius, relative_humidity_percent };
            for (octave, printed) in (-3..).zip(printed) {
                let hz = 1_000.0 * 10_f64.powf(0.3 * f64::from(octave));
                let value = 1_000.0 * air.attenuation(hz);
                let tolerance = 0.06 + 0.004 * printed;
                assert!((value - printed).abs() < tolerance, "{air:?} {hz} Hz: {value}, printed {printed}");
            }
        }
    }

    #[test]
    fn sound_travels_at_343_2_metres_per_second_at_20_degrees() {
        assert!((Air::default().speed_of_sound() - 343.2).abs() < 1e-9);
        // 331.3 m/s at the freezing point, the textbook value.
        let freezing = Air { temperature_celsius: 0.0, ..Air::default() };
        assert!((freezing.speed_of_sound() - 331.3).abs() < 0.1);
    }
}
