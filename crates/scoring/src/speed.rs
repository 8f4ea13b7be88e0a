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
