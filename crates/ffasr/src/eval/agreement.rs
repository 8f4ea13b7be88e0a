//! Whether two runs of one model on one machine agree on its speed, by the interval that each of them reports.

use serde::Serialize;
use store::scores::Summary;

/// Two speeds and what is between them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Agreement {
    /// RTFx of each run.
    rtfx: [f64; 2],
    /// The 95 % interval that each run gives.
    intervals: [(f64, f64); 2],
    /// How far the second is from the first, as a share of it.
    difference: f64,
    /// How far two runs whose intervals are right are apart at most, in 95 of 100 cases: the half-widths of both, on the
    /// logarithm of the speed, added as independent errors are.
    allowed: f64,
    /// Whether they are no farther apart than that.
    pub(super) agree: bool,
}

impl Agreement {
    /// Nothing where a run has no speed or no interval: the release has no two repeat passes.
    pub(super) fn of(first: &Summary, second: &Summary) -> Option<Self> {
        Self::between((first.rtfx?, first.rtfx_interval?), (second.rtfx?, second.rtfx_interval?))
    }

    fn between(first: (f64, (f64, f64)), second: (f64, (f64, f64))) -> Option<Self> {
        let half_width = |(low, high): (f64, f64)| 0.5 * (high / low).ln();
        let allowed = half_width(first.1).hypot(half_width(second.1));
        let apart = (second.0 / first.0).ln();
        (allowed.is_finite() && apart.is_finite()).then(|| Self {
            rtfx: [first.0, second.0],
            intervals: [first.1, second.1],
            difference: second.0 / first.0 - 1.0,
            allowed: allowed.exp() - 1.0,
            agree: apart.abs() <= allowed,
        })
    }

    /// For a terminal.
    pub(super) fn sentence(&self) -> String {
        let run = |index: usize| {
            let (low, high) = self.intervals[index];
            format!("RTFx {:.2} (95 % interval {low:.2} to {high:.2})", self.rtfx[index])
        };
        format!(
            "twice      {} and {}: {:+.1} %, up to {:.1} % by their intervals, so they {}\n",
            run(0),
            run(1),
            100.0 * self.difference,
            100.0 * self.allowed,
            if self.agree { "agree" } else { "DO NOT AGREE" }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_agree_as_far_as_the_intervals_of_both_reach() {
        // Both ± 3 % on the logarithm: together √2 · 3 % = 4.24 %.
        let run = |rtfx: f64| (rtfx, (rtfx * (-0.03_f64).exp(), rtfx * 0.03_f64.exp()));
        let near = Agreement::between(run(10.0), run(10.0 * 0.042_f64.exp())).unwrap();
        assert!(near.agree && (near.allowed - (0.03 * 2.0_f64.sqrt()).exp_m1()).abs() < 1e-12, "{near:?}");
        let far = Agreement::between(run(10.0), run(10.0 * (-0.043_f64).exp())).unwrap();
        assert!(!far.agree && far.sentence().contains("DO NOT AGREE"), "{far:?}");
        assert_eq!(Agreement::between(run(10.0), (0.0, (0.0, 0.0))), None);
    }
}
