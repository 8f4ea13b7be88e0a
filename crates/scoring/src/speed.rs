//! The real-time factor of a timed run and how sure it is.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::bootstrap::Replicates;
use crate::interval::Interval;
use crate::resample::Bootstrap;

/// One timed clip.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Length of the audio in seconds.
    pub audio_s: f64,
    /// Seconds from the last byte of the request to the last byte of the reply.
    pub wall_s: f64,
}

/// Largest half-width of the interval, relative to the factor, of a stable measurement.
pub const STABLE_HALF_WIDTH: f64 = 0.03;

/// `RTFx` (Σ audio seconds / Σ wall seconds) of repeated passes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Speed {
    /// `RTFx` over all passes.
    pub rtfx: f64,
    /// 95 % interval.
    pub interval: Interval,
    /// Half the width of the interval over `rtfx`.
    pub relative_half_width: f64,
    /// Whether the half-width is at most [`STABLE_HALF_WIDTH`].
    pub stable: bool,
}

/// `RTFx` and its interval from repeated passes over the same clips; `None` as for [`rtfx_replicates`].
pub fn rtfx(passes: &[Vec<Timing>], plan: Bootstrap) -> Option<Speed> {
    let replicates = rtfx_replicates(passes, plan)?;
    let interval = replicates.interval()?;
    let relative_half_width = interval.width() / 2.0 / replicates.estimate;
    Some(Speed {
        rtfx: replicates.estimate,
        interval,
        relative_half_width,
        stable: relative_half_width <= STABLE_HALF_WIDTH,
    })
}

/// `RTFx` by a hierarchical bootstrap: passes are drawn with replacement, then the clips within each drawn pass.
///
/// `None` if there is no pass, a pass is empty, or a time is not positive and finite.
pub fn rtfx_replicates(passes: &[Vec<Timing>], plan: Bootstrap) -> Option<Replicates> {
    let is_valid = |seconds: f64| seconds > 0.0 && seconds.is_finite();
    let valid = !passes.is_empty()
        && passes.iter().all(|pass| !pass.is_empty())
        && passes.iter().flatten().all(|clip| is_valid(clip.audio_s) && is_valid(clip.wall_s));
    if !valid {
        return None;
    }
    let values = (0..plan.replications)
        .into_par_iter()
        .map(|replication| {
            let mut draw = plan.generator(replication);
            let mut total = Total::default();
            for _ in 0..passes.len() {
                let pass = &passes[draw.below(passes.len())];
                for _ in 0..pass.len() {
                    total.add(&pass[draw.below(pass.len())]);
                }
            }
            total.rtfx()
        })
        .collect();
    let mut total = Total::default();
    passes.iter().flatten().for_each(|clip| total.add(clip));
    Some(Replicates { estimate: total.rtfx(), values })
}

/// 97.5 % quantile of the standard normal distribution.
const HALF_WIDTH: f64 = 1.959_963_984_540_054;

/// Replications of a speed of which only the estimate and its 95 % interval are kept: log-normal, with the interval's
/// relative width; the same value throughout if there is no interval, or one that holds no positive number.
///
/// `system` names the system timed. Two systems are timed in runs of their own, so that their speeds are independent;
/// the same name gives the same draws.
pub fn speed_replicates(rtfx: f64, interval: Option<Interval>, system: u64, plan: Bootstrap) -> Replicates {
    let deviation = interval
        .filter(|interval| interval.low > 0.0 && interval.low <= interval.high && interval.high.is_finite())
        .map_or(0.0, |interval| libm::log(interval.high / interval.low) / (2.0 * HALF_WIDTH));
    let mut draw = Bootstrap { seed: plan.seed.wrapping_add(system), ..plan }.generator(0);
    let values = (0..plan.replications).map(|_| rtfx * libm::exp(deviation * draw.normal())).collect();
    Replicates { estimate: rtfx, values }
}

/// Replications of a rate of which only the estimate and its 95 % interval are kept: normal, with the interval's width, not
/// below 0. What two systems err on together is not in them, so that their difference comes out less sure than it is.
pub fn rate_replicates(rate: f64, interval: Option<Interval>, system: u64, plan: Bootstrap) -> Replicates {
    let deviation = interval.map_or(0.0, |interval| interval.width() / (2.0 * HALF_WIDTH));
    let deviation = if deviation.is_finite() { deviation } else { 0.0 };
    // Other draws than those of the same system's speed.
    let mut draw = Bootstrap { seed: plan.seed.wrapping_add(system).wrapping_add(1), ..plan }.generator(0);
    let values = (0..plan.replications).map(|_| (rate + deviation * draw.normal()).max(0.0)).collect();
    Replicates { estimate: rate, values }
}

#[derive(Default)]
struct Total {
    audio_s: f64,
    wall_s: f64,
}

impl Total {
    fn add(&mut self, clip: &Timing) {
        self.audio_s += clip.audio_s;
        self.wall_s += clip.wall_s;
    }

    fn rtfx(&self) -> f64 {
        self.audio_s / self.wall_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replications_of_a_kept_speed_have_its_interval_again() {
        let plan = Bootstrap::default();
        let kept = Interval { low: 97.0, high: 100.0 * 100.0 / 97.0 };
        let drawn = speed_replicates(100.0, Some(kept), 7, plan).interval().unwrap();
        // A quantile at 2.5 % of 10 000 normal draws has a standard error of 0.027 standard deviations (here 0.0155).
        assert!((drawn.low / kept.low).ln().abs() < 4.0 * 0.027 * 0.0155, "{drawn:?}");
        assert!((drawn.high / kept.high).ln().abs() < 4.0 * 0.027 * 0.0155, "{drawn:?}");
    }

    #[test]
    fn replications_of_a_kept_rate_have_its_interval_again_and_are_no_negative_rates() {
        let plan = Bootstrap::default();
        let drawn =
            rate_replicates(0.2, Some(Interval { low: 0.15, high: 0.25 }), 7, plan).interval().unwrap();
        let deviation = 0.05 / HALF_WIDTH;
        assert!((drawn.low - 0.15).abs() < 4.0 * 0.027 * deviation, "{drawn:?}");
        assert!((drawn.high - 0.25).abs() < 4.0 * 0.027 * deviation, "{drawn:?}");
        let small = rate_replicates(0.01, Some(Interval { low: 0.0, high: 0.04 }), 7, plan);
        assert!(small.values.iter().all(|&rate| rate >= 0.0));
        assert_eq!(rate_replicates(0.3, None, 7, plan).values[..3], [0.3; 3]);
    }

    #[test]
    fn speeds_of_two_systems_are_independent_and_those_of_one_repeat() {
        let plan = Bootstrap::default();
        let kept = Some(Interval { low: 90.0, high: 110.0 });
        let of = |system| speed_replicates(100.0, kept, system, plan).values;
        assert_eq!(of(1), of(1));
        let faster = of(1).iter().zip(of(2)).filter(|(a, b)| **a > *b).count();
        assert!(
            (4_800..=5_200).contains(&faster),
            "a fair coin of 10 000 throws, within four deviations: {faster}"
        );
    }

    #[test]
    fn a_speed_without_an_interval_is_taken_as_it_is() {
        let plan = Bootstrap { replications: 3, seed: 1 };
        assert_eq!(speed_replicates(2.0, None, 1, plan).values, [2.0; 3]);
        let broken = Some(Interval { low: 0.0, high: 1.0 });
        assert_eq!(speed_replicates(2.0, broken, 1, plan).values, [2.0; 3]);
    }
}
