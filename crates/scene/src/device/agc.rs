//! Automatic gain control.

use serde::{Deserialize, Serialize};

use super::{DeviceError, within};

/// Time constant of the level that the control looks at, in seconds.
const DETECTOR_SECONDS: f64 = 0.01;

/// A control that brings the level towards a target, the same gain for all channels.
///
/// Feed-forward: the level is the mean square of all channels, smoothed exponentially over 10 ms. The gain wanted is
/// target minus level, within its limits; while the level lies below the gate it stays as it is. The gain in decibels
/// approaches the one wanted exponentially: `attack_s` is the time in which it covers 63 % of a fall, `release_s`
/// that of a rise. It begins at 0 dB.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agc {
    /// Level aimed at, in dBov.
    pub target_dbov: f64,
    /// Least and largest gain, in decibels.
    pub gain_range_db: [f64; 2],
    /// Below this level the gain stays, in dBov.
    pub gate_dbov: f64,
    /// Time constant of a falling gain, in seconds.
    pub attack_s: f64,
    /// Time constant of a rising gain, in seconds.
    pub release_s: f64,
}

impl Agc {
    pub(super) fn check(&self) -> Result<(), DeviceError> {
        within("the target of the gain control in dBov", self.target_dbov, -80.0, 0.0)?;
        within("the gate of the gain control in dBov", self.gate_dbov, -150.0, 0.0)?;
        let [least, largest] = self.gain_range_db;
        within("the least gain in dB", least, -80.0, 80.0)?;
        within("the largest gain in dB", largest, least, 80.0)?;
        within("the attack time in seconds", self.attack_s, 0.0001, 60.0)?;
        within("the release time in seconds", self.release_s, 0.0001, 60.0)
    }

    pub(super) fn apply(&self, channels: &mut [Vec<f32>], sample_rate: u32) {
        let length = channels.iter().map(Vec::len).min().unwrap_or(0);
        let share = |seconds: f64| 1.0 - (-1.0 / (seconds * f64::from(sample_rate))).exp();
        let [detector, attack, release] = [DETECTOR_SECONDS, self.attack_s, self.release_s].map(share);
        let [least, largest] = self.gain_range_db;
        let (mut power, mut wanted, mut gain_db) = (0.0_f64, 0.0_f64, 0.0_f64);
        for at in 0..length {
            let square: f64 = channels.iter().map(|channel| f64::from(channel[at]).powi(2)).sum();
            power += detector * (square / channels.len() as f64 - power);
            let level = 10.0 * power.log10();
            if level >= self.gate_dbov {
                wanted = (self.target_dbov - level).clamp(least, largest);
            }
            gain_db += if wanted < gain_db { attack } else { release } * (wanted - gain_db);
            let gain = 10_f64.powf(gain_db / 20.0) as f32;
            for channel in channels.iter_mut() {
                channel[at] *= gain;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 16_000;
    const AGC: Agc = Agc {
        target_dbov: -20.0,
        gain_range_db: [-30.0, 30.0],
        gate_dbov: -60.0,
        attack_s: 0.1,
        release_s: 1.0,
    };

    /// Gain in decibels over time for a constant whose level steps.
    fn gain(agc: Agc, levels: &[(f64, f64)]) -> Vec<f64> {
        let constant = |&(level, seconds): &(f64, f64)| {
            vec![10_f64.powf(level / 20.0) as f32; (seconds * f64::from(RATE)) as usize]
        };
        let before: Vec<f32> = levels.iter().flat_map(constant).collect();
        let mut channels = vec![before.clone(), before.iter().map(|s| -s).collect()];
        agc.apply(&mut channels, RATE);
        assert!(channels[0].iter().zip(&channels[1]).all(|(a, b)| (a + b).abs() < 1e-9));
        channels[0].iter().zip(before).map(|(a, b)| 20.0 * f64::from(a / b).log10()).collect()
    }

    #[test]
    fn after_one_time_constant_the_gain_has_gone_63_percent_of_the_way() {
        // From rest at the target to 20 dB above it, then to 20 dB below: 1 - 1/e of -20 and of 40 dB, less the
        // 10 ms in which the detector makes up its mind.
        let gain = gain(AGC, &[(-20.0, 2.0), (0.0, 3.0), (-40.0, 6.0)]);
        let at = |seconds: f64| gain[(seconds * f64::from(RATE)) as usize];
        let way = 1.0 - (-1.0_f64).exp();
        assert!(at(1.99).abs() < 0.02, "{}", at(1.99));
        assert!((at(2.1) + 20.0 * way).abs() < 1.0, "{}", at(2.1));
        assert!((at(4.9) + 20.0).abs() < 0.01);
        // The detector needs ln(10^4) of its time constants to fall by 40 dB: 92 ms.
        assert!((at(6.0) - (-20.0 + 40.0 * way)).abs() < 1.6, "{}", at(6.0));
        assert!((at(10.9) - 20.0).abs() < 0.2, "{}", at(10.9));
    }

    #[test]
    fn the_gain_keeps_its_limits_and_rests_below_the_gate() {
        let narrow = Agc { gain_range_db: [-6.0, 6.0], release_s: 0.1, ..AGC };
        let gain = gain(narrow, &[(-50.0, 2.0), (-90.0, 2.0)]);
        assert!((gain[31_000] - 6.0).abs() < 0.01);
        assert!((gain[63_000] - 6.0).abs() < 0.01, "{}", gain[63_000]);
    }
}
