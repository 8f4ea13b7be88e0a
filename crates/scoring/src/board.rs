//! Ranks with their uncertainty: which differences on a board are real, all comparisons taken together.
//!
//! Every pair of rows is compared on the shared draws. The largest studentised difference over all pairs (max-T,
//! Westfall and Young 1993) sets one threshold for all, so that with 95 % confidence *every* difference called real
//! is real. A row's rank interval counts the rows that are really better and really worse (Mohamad, Goeman and van
//! Zwet 2019).

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::bootstrap::Replicates;
use crate::interval::{LEVEL, quantile};

/// The place of one row on a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// One plus the number of rows with a lower rate.
    pub rank: usize,
    /// Lowest and highest rank that the data allow, at 95 % for all rows together.
    pub rank_interval: [usize; 2],
    /// Tie group, from 1: a group is opened by its best row and holds the following rows not really worse than it.
    pub tie_group: usize,
}

/// Ranks rows by their rate, lowest first. All rows must be replicated on one sample under one plan.
///
/// Takes time proportional to replications × rows².
pub fn standings(rows: &[Replicates]) -> Vec<Standing> {
    let comparisons = Comparisons::new(rows);
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|&a, &b| rows[a].estimate.total_cmp(&rows[b].estimate));
    let mut tie_groups = vec![0; rows.len()];
    let mut leader = None;
    let mut group = 0;
    for &row in &order {
        if leader.is_none_or(|leader| comparisons.is_better(leader, row)) {
            leader = Some(row);
            group += 1;
        }
        tie_groups[row] = group;
    }
    let count = |holds: &dyn Fn(usize) -> bool| (0..rows.len()).filter(|&other| holds(other)).count();
    (0..rows.len())
        .map(|row| Standing {
            rank: 1 + count(&|other| rows[other].estimate < rows[row].estimate),
            rank_interval: [
                1 + count(&|other| comparisons.is_better(other, row)),
                rows.len() - count(&|other| comparisons.is_better(row, other)),
            ],
            tie_group: tie_groups[row],
        })
        .collect()
}

/// All pairwise differences and the size from which they are real.
struct Comparisons<'a> {
    rows: &'a [Replicates],
    /// Standard errors of the differences, for pairs (i, j < i).
    errors: Vec<Vec<f64>>,
    threshold: f64,
}

impl<'a> Comparisons<'a> {
    fn new(rows: &'a [Replicates]) -> Self {
        let errors: Vec<Vec<f64>> = (0..rows.len())
            .into_par_iter()
            .map(|i| (0..i).map(|j| standard_error(&rows[i], &rows[j])).collect())
            .collect();
        let replications = rows.iter().map(|row| row.values.len()).min().unwrap_or(0);
        let mut largest: Vec<f64> = (0..replications)
            .into_par_iter()
            .map(|replication| {
                let deviation = |row: &Replicates| row.values[replication] - row.estimate;
                let mut largest: f64 = 0.0;
                for (i, errors) in errors.iter().enumerate() {
                    let own = deviation(&rows[i]);
                    for (other, &error) in rows.iter().zip(errors) {
                        let t = (own - deviation(other)).abs() / error;
                        // False for NaN: equal rows have no error, and a replication may lack a rate.
                        if t > largest {
                            largest = t;
                        }
                    }
                }
                largest
            })
            .collect();
        largest.sort_unstable_by(f64::total_cmp);
        Self { rows, errors, threshold: quantile(&largest, LEVEL).unwrap_or(f64::INFINITY) }
    }

    /// Whether row a is really better than row b.
    fn is_better(&self, a: usize, b: usize) -> bool {
        let difference = self.rows[b].estimate - self.rows[a].estimate;
        a != b && difference > self.threshold * self.errors[a.max(b)][a.min(b)]
    }
}

/// Standard deviation of the difference between two rows over the replications.
fn standard_error(a: &Replicates, b: &Replicates) -> f64 {
    let differences = a.values.iter().zip(&b.values).map(|(a, b)| a - b).filter(|d| !d.is_nan());
    let (n, sum, squares) = differences
        .map(|d| d - (a.estimate - b.estimate))
        .fold((0.0, 0.0, 0.0), |(n, sum, squares), d| (n + 1.0, sum + d, squares + d * d));
    ((squares - sum * sum / n).max(0.0) / (n - 1.0)).sqrt()
}
