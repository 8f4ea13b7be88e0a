//! Tests of whether two systems differ on the same utterances.
//!
//! Each is exact where that is affordable. SCTK's `McNemar` and sign test are not reproduced: above 20 trials its
//! normal approximation halves the wrong number and turns most verdicts over (`scoring.md` §6).

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::align::Step;
use crate::resample::Bootstrap;

/// Matched pairs sentence-segment word error test (Gillick and Cox 1989).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MatchedPairs {
    /// Segments in which at least one system makes an error.
    pub segments: usize,
    /// Mean over the segments of errors of A less errors of B.
    pub mean: f64,
    /// Standard deviation of those differences, with n − 1; 0 for one segment.
    pub std_dev: f64,
    /// mean / (`std_dev` / √n); infinite if all segments differ by the same amount, 0 if none differs.
    pub z: f64,
    /// Two-sided p value: normal, or 2^(1−n) if all segments differ by the same amount. 1 if none differs.
    pub p: f64,
}

/// Runs MAPSSWE over utterances, each aligned with the same reference for systems A and B.
///
/// Segments are bounded by at least two words in a row that both systems recognise with nothing inserted between
/// them, or by the ends of the utterance. The normal approximation wants some 50 segments.
pub fn mapsswe<'a>(utterances: impl IntoIterator<Item = (&'a [Step], &'a [Step])>) -> MatchedPairs {
    let mut differences = Vec::new();
    for (a, b) in utterances {
        segment(&errors_by_place(a), &errors_by_place(b), &mut differences);
    }
    let n = differences.len() as f64;
    let mean = if differences.is_empty() { 0.0 } else { differences.iter().sum::<i64>() as f64 / n };
    let squares: f64 = differences.iter().map(|&d| (d as f64 - mean).powi(2)).sum();
    let std_dev = if differences.len() < 2 { 0.0 } else { (squares / (n - 1.0)).sqrt() };
    let (z, p) = if mean == 0.0 {
        (0.0, 1.0)
    } else if std_dev == 0.0 {
        (f64::INFINITY.copysign(mean), 2_f64.powf(1.0 - n))
    } else {
        let z = mean / (std_dev / n.sqrt());
        (z, two_sided_normal(z))
    };
    MatchedPairs { segments: differences.len(), mean, std_dev, z, p }
}

/// Errors of one system by place: at 2i the insertions before reference word i, at 2i + 1 the word itself.
fn errors_by_place(steps: &[Step]) -> Vec<i64> {
    let mut errors = vec![0];
    for step in steps {
        match step {
            Step::Hit { .. } => errors.extend([0, 0]),
            Step::Substitution { .. } | Step::Deletion { .. } => errors.extend([1, 0]),
            Step::Insertion { .. } => {
                if let Some(last) = errors.last_mut() {
                    *last += 1;
                }
            }
        }
    }
    errors
}

/// Appends the difference in errors of every segment of one utterance.
fn segment(a: &[i64], b: &[i64], differences: &mut Vec<i64>) {
    let mut open = None;
    let mut correct = 0;
    for (place, (a, b)) in a.iter().zip(b).enumerate() {
        if a + b > 0 {
            if correct >= 2 {
                differences.extend(open.take());
            }
            *open.get_or_insert(0) += a - b;
            correct = 0;
        } else {
            correct += place % 2;
        }
    }
    differences.extend(open);
}

fn two_sided_normal(z: f64) -> f64 {
    libm::erfc(z.abs() / std::f64::consts::SQRT_2)
}

/// Most blocks for which all sign flips are tried.
const EXACT_BLOCKS: usize = 16;

/// Two-sided p value of a paired permutation test: the share of sign flips of the differences whose sum is at least
/// as far from zero.
///
/// Give one difference in errors per utterance or, where errors of a talker hang together, per talker. All flips are
/// tried for up to 16 differences; beyond, as many random ones as the plan says, the observed one counted among them.
pub fn permutation_test(differences: &[i64], plan: Bootstrap) -> f64 {
    let differences: Vec<i64> = differences.iter().copied().filter(|&d| d != 0).collect();
    let observed = differences.iter().sum::<i64>().abs();
    let is_as_far = |flips: &dyn Fn(usize) -> bool| {
        let sum: i64 = differences.iter().enumerate().map(|(i, &d)| if flips(i) { -d } else { d }).sum();
        sum.abs() >= observed
    };
    if differences.len() <= EXACT_BLOCKS {
        let all = 1_u32 << differences.len();
        let far = (0..all).filter(|flips| is_as_far(&|i| flips >> i & 1 == 1)).count();
        return far as f64 / f64::from(all);
    }
    let far = (0..plan.replications)
        .into_par_iter()
        .filter(|&replication| {
            let mut draw = plan.generator(replication);
            let flips: Vec<u64> = (0..differences.len().div_ceil(64)).map(|_| draw.bits()).collect();
            is_as_far(&|i| flips[i / 64] >> (i % 64) & 1 == 1)
        })
        .count();
    (far + 1) as f64 / (plan.replications + 1) as f64
}

/// Exact two-sided `McNemar` test from the numbers of sentences that only A and only B has fully right.
pub fn mcnemar(only_a: u64, only_b: u64) -> f64 {
    let n = (only_a + only_b) as f64;
    let log_choose = |k: f64| libm::lgamma(n + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0);
    let tail: f64 =
        (0..=only_a.min(only_b)).map(|k| (log_choose(k as f64) - n * std::f64::consts::LN_2).exp()).sum();
    (2.0 * tail).min(1.0)
}

/// Holm's step-down adjustment: p values such that rejecting those below α keeps the chance of any false rejection
/// below α.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut largest: f64 = 0.0;
    for (rank, &index) in order.iter().enumerate() {
        largest = largest.max(((p_values.len() - rank) as f64 * p_values[index]).min(1.0));
        adjusted[index] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mcnemar_is_the_exact_binomial_test() {
        // scoring.md §6: 80 vs 75 discordant sentences, exact p 0.748; 31 vs 37, 0.54.
        assert!((mcnemar(80, 75) - 0.748).abs() < 0.0005);
        assert!((mcnemar(31, 37) - 0.54).abs() < 0.005);
        assert!((mcnemar(0, 5) - 0.0625).abs() < 1e-12);
        assert!((mcnemar(0, 0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn holm_steps_down_from_the_smallest_p_value() {
        // R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (ours, theirs) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((ours - theirs).abs() < 1e-12);
        }
        assert!(holm(&[]).is_empty());
    }
}
