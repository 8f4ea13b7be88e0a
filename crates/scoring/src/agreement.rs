//! Do two ways to measure the same models agree? For measured against simulated rooms.

use serde::{Deserialize, Serialize};

use crate::interval::Interval;
use crate::resample::Bootstrap;

/// Agreement of two lists of rates, one pair for each model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Number of models.
    pub models: usize,
    /// Mean of second less first.
    pub mean_difference: f64,
    /// 95 % interval of it over models.
    pub mean_difference_interval: Option<Interval>,
    /// Mean of the magnitudes of the differences.
    pub mean_absolute_difference: f64,
    /// Kendall's tau-b of the two rankings; `None` where a list is all ties.
    pub kendall_tau: Option<f64>,
    /// 95 % interval of it over models.
    pub kendall_tau_interval: Option<Interval>,
}

/// Compares two lists of rates, such as WER through measured and through simulated responses, model by model.
///
/// Models are drawn with replacement for the intervals: they hold for models like these. `None` for fewer than two
/// models, lists of different lengths, or a rate that is not finite.
pub fn agreement(first: &[f64], second: &[f64], plan: Bootstrap) -> Option<Agreement> {
    let models = first.len();
    let finite = first.iter().chain(second).all(|rate| rate.is_finite());
    if models < 2 || second.len() != models || !finite {
        return None;
    }
    let pairs: Vec<(f64, f64)> = first.iter().copied().zip(second.iter().copied()).collect();
    let (mut differences, mut taus) = (Vec::new(), Vec::new());
    for replication in 0..plan.replications {
        let mut draw = plan.generator(replication);
        let drawn: Vec<(f64, f64)> = (0..models).map(|_| pairs[draw.below(models)]).collect();
        differences.push(mean_difference(&drawn));
        taus.extend(kendall_tau_of(&drawn));
    }
    Some(Agreement {
        models,
        mean_difference: mean_difference(&pairs),
        mean_difference_interval: Interval::central(&differences),
        mean_absolute_difference: pairs.iter().map(|(a, b)| (b - a).abs()).sum::<f64>() / models as f64,
        kendall_tau: kendall_tau_of(&pairs),
        kendall_tau_interval: Interval::central(&taus),
    })
}

/// Kendall's tau-b: pairs in the same order less pairs in the other, over all that are tied in neither list (as a geometric
/// mean; Kendall, *Biometrika* 33, 1945). `None` for lists of different lengths or a list that is all ties.
pub fn kendall_tau(first: &[f64], second: &[f64]) -> Option<f64> {
    if first.len() != second.len() {
        return None;
    }
    kendall_tau_of(&first.iter().copied().zip(second.iter().copied()).collect::<Vec<_>>())
}

fn kendall_tau_of(pairs: &[(f64, f64)]) -> Option<f64> {
    let (mut order, mut untied_first, mut untied_second) = (0.0, 0.0, 0.0);
    for (n, a) in pairs.iter().enumerate() {
        for b in &pairs[n + 1..] {
            let sign = |difference: f64| if difference == 0.0 { 0.0 } else { difference.signum() };
            let (x, y) = (sign(a.0 - b.0), sign(a.1 - b.1));
            order += x * y;
            untied_first += x * x;
            untied_second += y * y;
        }
    }
    let scale = f64::sqrt(untied_first * untied_second);
    (scale > 0.0).then(|| order / scale)
}

fn mean_difference(pairs: &[(f64, f64)]) -> f64 {
    pairs.iter().map(|(a, b)| b - a).sum::<f64>() / pairs.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tau_is_scipy_s() {
        // scipy.stats.kendalltau([12, 2, 1, 12, 2], [1, 4, 7, 1, 0]), the example of its documentation.
        let tau = kendall_tau(&[12.0, 2.0, 1.0, 12.0, 2.0], &[1.0, 4.0, 7.0, 1.0, 0.0]).unwrap();
        assert!((tau + 0.471_404_520_791_031_6).abs() < 1e-15, "{tau}");
        assert_eq!(kendall_tau(&[1.0, 2.0, 3.0], &[0.1, 0.2, 0.4]), Some(1.0));
        assert_eq!(kendall_tau(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), Some(-1.0));
        assert_eq!(kendall_tau(&[1.0, 1.0], &[3.0, 2.0]), None);
        assert_eq!(kendall_tau(&[1.0], &[]), None);
    }

    #[test]
    fn a_constant_difference_has_an_interval_of_no_width_and_full_rank_agreement() {
        let measured = [0.1, 0.2, 0.4, 0.5];
        let simulated = measured.map(|rate| rate + 0.03);
        let plan = Bootstrap { replications: 200, seed: 3 };
        let found = agreement(&measured, &simulated, plan).unwrap();
        let interval = found.mean_difference_interval.unwrap();
        assert!((found.mean_difference - 0.03).abs() < 1e-12 && interval.width() < 1e-12);
        assert!((found.mean_absolute_difference - 0.03).abs() < 1e-12);
        assert_eq!(found.kendall_tau, Some(1.0));
        assert_eq!(agreement(&measured, &simulated[1..], plan), None);
        assert_eq!(agreement(&measured[..1], &simulated[..1], plan), None);
        assert_eq!(agreement(&[0.1, f64::NAN], &[0.1, 0.2], plan), None);
    }

    #[test]
    fn the_interval_of_a_mean_difference_is_that_of_the_mean() {
        // Differences 0, 1, …, 9 (times 0.01): mean 0.045, standard error of the mean sqrt(82.5 / 10 / 10) / 100.
        let measured = [0.5; 10];
        let simulated: Vec<f64> = (0..10).map(|n| 0.5 + 0.01 * f64::from(n)).collect();
        let found = agreement(&measured, &simulated, Bootstrap::default()).unwrap();
        let interval = found.mean_difference_interval.unwrap();
        let expected = 2.0 * 1.96 * (8.25_f64 / 10.0).sqrt() / 100.0;
        assert!((interval.width() - expected).abs() < 0.1 * expected, "{interval:?} {expected}");
        assert_eq!(found.kendall_tau, None);
    }
}
