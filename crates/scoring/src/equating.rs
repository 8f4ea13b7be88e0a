//! Equating: from the scale of a new release to that of an old one, by models that ran on both.
//!
//! A harder release gives higher error rates. Anchor models ran on both, so the old scale can be told from the new one: by
//! the difference of their means ([`Method::Mean`]), or by means and standard deviations ([`Method::Linear`]); Kolen and
//! Brennan, *Test Equating, Scaling, and Linking*, 3rd ed. 2014, section 2.2. Each is the best guess, no more: a model whose
//! weaknesses are unlike the anchors' is equated badly, which [`Equating::residual`] hints at.

use serde::{Deserialize, Serialize};

use crate::interval::Interval;
use crate::resample::Bootstrap;

/// An anchor model: its rate on both releases.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Anchor {
    /// Rate on the old release.
    pub old: f64,
    /// Rate on the new release.
    pub new: f64,
}

/// How scales are equated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The scales differ by a constant. From two anchors.
    Mean,
    /// The scales differ by a constant and a factor. From three anchors.
    Linear,
}

/// Why scales cannot be equated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EquatingError {
    /// Too few anchors.
    #[error(
        "{method:?} equating needs {needed} anchor models, there are {given}: run more of them on both releases"
    )]
    Anchors {
        /// What was asked for.
        method: Method,
        /// How many it needs.
        needed: usize,
        /// How many there are.
        given: usize,
    },
    /// A rate that is none.
    #[error("a rate of anchor {0} is not finite")]
    NotFinite(usize),
    /// Anchors that all score the same on a release.
    #[error("all anchors have the same rate on a release: take models that differ, or equate by the mean")]
    NoSpread,
}

/// Old scale = slope × new scale + intercept, with its uncertainty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Equating {
    /// How.
    pub method: Method,
    /// Number of anchors.
    pub anchors: usize,
    /// Factor; 1 with [`Method::Mean`].
    pub slope: f64,
    /// Constant.
    pub intercept: f64,
    /// Root mean square of what the anchors' equated rates miss their old ones by.
    pub residual: f64,
    /// Slope and intercept of each draw of anchors.
    #[serde(skip)]
    draws: Vec<(f64, f64)>,
}

impl Equating {
    /// A rate on the new release as one on the old.
    pub fn on_old_scale(&self, new: f64) -> f64 {
        self.slope * new + self.intercept
    }

    /// 95 % interval of [`Self::on_old_scale`] for the choice of anchors, which is not that of the rate itself.
    pub fn interval(&self, new: f64) -> Option<Interval> {
        let equated: Vec<f64> = self.draws.iter().map(|(slope, intercept)| slope * new + intercept).collect();
        Interval::central(&equated)
    }
}

/// Equates the scale of a new release to that of an old one. The anchors are drawn with replacement for the intervals; draws
/// in which they have no spread are left out.
///
/// # Errors
/// [`EquatingError`] says what the anchors lack.
pub fn equate(anchors: &[Anchor], method: Method, plan: Bootstrap) -> Result<Equating, EquatingError> {
    let needed = match method {
        Method::Mean => 2,
        Method::Linear => 3,
    };
    if anchors.len() < needed {
        return Err(EquatingError::Anchors { method, needed, given: anchors.len() });
    }
    let bad = anchors.iter().position(|anchor| !(anchor.old.is_finite() && anchor.new.is_finite()));
    if let Some(index) = bad {
        return Err(EquatingError::NotFinite(index));
    }
    let (slope, intercept) = line(anchors, method).ok_or(EquatingError::NoSpread)?;
    let missed = |anchor: &Anchor| (slope * anchor.new + intercept - anchor.old).powi(2);
    let residual = (anchors.iter().map(missed).sum::<f64>() / anchors.len() as f64).sqrt();
    let draws = (0..plan.replications).filter_map(|replication| {
        let mut draw = plan.generator(replication);
        let drawn: Vec<Anchor> = (0..anchors.len()).map(|_| anchors[draw.below(anchors.len())]).collect();
        line(&drawn, method)
    });
    let draws = draws.collect();
    Ok(Equating { method, anchors: anchors.len(), slope, intercept, residual, draws })
}

/// Slope and intercept; `None` where a slope has no meaning.
fn line(anchors: &[Anchor], method: Method) -> Option<(f64, f64)> {
    let count = anchors.len() as f64;
    let mean = |rate: fn(&Anchor) -> f64| anchors.iter().map(rate).sum::<f64>() / count;
    let (old, new) = (mean(|anchor| anchor.old), mean(|anchor| anchor.new));
    let slope = match method {
        Method::Mean => 1.0,
        Method::Linear => {
            let spread = |rate: fn(&Anchor) -> f64, mean: f64| {
                anchors.iter().map(|anchor| (rate(anchor) - mean).powi(2)).sum::<f64>().sqrt()
            };
            let (old, new) = (spread(|anchor| anchor.old, old), spread(|anchor| anchor.new, new));
            if old <= f64::EPSILON || new <= f64::EPSILON {
                return None;
            }
            old / new
        }
    };
    Some((slope, old - slope * new))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Bootstrap = Bootstrap { replications: 500, seed: 7 };

    fn anchors(pairs: &[(f64, f64)]) -> Vec<Anchor> {
        pairs.iter().map(|&(old, new)| Anchor { old, new }).collect()
    }

    #[test]
    fn a_scale_that_is_shifted_and_stretched_is_found_again() {
        let old = |new: f64| 0.8 * new - 0.02;
        let news = [0.10, 0.22, 0.35, 0.50];
        let anchors: Vec<Anchor> = news.iter().map(|&new| Anchor { old: old(new), new }).collect();
        let linear = equate(&anchors, Method::Linear, PLAN).unwrap();
        assert!((linear.slope - 0.8).abs() < 1e-12 && (linear.intercept + 0.02).abs() < 1e-12);
        assert!(linear.residual < 1e-12);
        assert!((linear.on_old_scale(0.3) - old(0.3)).abs() < 1e-12);
        assert!(linear.interval(0.3).unwrap().width() < 1e-12);
        let mean = equate(&anchors, Method::Mean, PLAN).unwrap();
        // The means are 0.214 and 0.2925.
        assert!((mean.on_old_scale(0.2925) - 0.214).abs() < 1e-12 && mean.residual > 0.02);
    }

    #[test]
    fn the_example_of_kolen_and_brennan_comes_out() {
        // Section 2.2: means 72 and 77, standard deviations 10 and 9: a 75 on form X is 80 by the mean and
        // 9 / 10 * 75 + 77 - 9 / 10 * 72 = 79.7 linearly. Three scores with these moments: mean ± sqrt(3/2) sd.
        let spread = 1.5_f64.sqrt();
        let scores =
            [-1.0, 0.0, 1.0].map(|z| Anchor { old: 77.0 + z * spread * 9.0, new: 72.0 + z * spread * 10.0 });
        let mean = equate(&scores, Method::Mean, PLAN).unwrap();
        let linear = equate(&scores, Method::Linear, PLAN).unwrap();
        assert!((mean.on_old_scale(75.0) - 80.0).abs() < 1e-9);
        assert!((linear.on_old_scale(75.0) - 79.7).abs() < 1e-9);
    }

    #[test]
    fn anchors_that_disagree_widen_the_interval() {
        let pairs = [(0.10, 0.15), (0.20, 0.21), (0.30, 0.39), (0.45, 0.47), (0.50, 0.58)];
        let equated = equate(&anchors(&pairs), Method::Mean, PLAN).unwrap();
        let interval = equated.interval(0.3).unwrap();
        // Differences -5, -1, -9, -2, -8 (times 0.01): mean -0.05, standard deviation of the mean 0.014.
        assert!((equated.intercept + 0.05).abs() < 1e-12);
        assert!((interval.width() - 2.0 * 1.96 * 0.014).abs() < 0.012, "{interval:?}");
        assert!(interval.contains(equated.on_old_scale(0.3)));
    }

    #[test]
    fn what_the_anchors_lack_is_said() {
        let two = anchors(&[(0.1, 0.2), (0.2, 0.3)]);
        let error = equate(&two, Method::Linear, PLAN).unwrap_err().to_string();
        assert!(error.starts_with("Linear equating needs 3 anchor models, there are 2"), "{error}");
        let same = anchors(&[(0.1, 0.2), (0.1, 0.3), (0.1, 0.4)]);
        assert_eq!(equate(&same, Method::Linear, PLAN), Err(EquatingError::NoSpread));
        let bad = anchors(&[(0.1, 0.2), (f64::NAN, 0.3)]);
        assert_eq!(equate(&bad, Method::Mean, PLAN), Err(EquatingError::NotFinite(1)));
    }
}
