//! Ranks with their uncertainty: which differences on a board are real, all comparisons taken together.
//!
//! Up to [`PAIRED_ROWS`] rows, every pair is compared on the shared draws. The largest studentised difference over all
//! pairs (max-T, Westfall and Young 1993) sets one threshold for all, so that with 95 % confidence *every* difference
//! called real is real. A row's rank interval counts the rows that are really better and really worse (Mohamad, Goeman
//! and van Zwet 2019).
//!
//! Larger boards need no pairs: each row is compared with the mean of all rows on the shared draws, the largest
//! studentised deviation over all rows sets the width of simultaneous 95 % intervals, and rows whose intervals do not
//! overlap really differ (Klein, Wright and Wieczorek 2020, *A joint confidence region for an overall ranking of
//! populations*, JRSS C 69(3)). What all rows err on together cancels in the mean; what only two of them share does not,
//! so that this is the more cautious of the two.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::bootstrap::Replicates;
use crate::interval::{LEVEL, quantile};

/// Most rows of which every pair is compared.
pub const PAIRED_ROWS: usize = 1_000;

/// Most numbers of a [`DrawTable`] that [`DrawTable::replications_for`] allows: 40 MB.
const MOST_DRAWS: usize = 10_000_000;

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

/// Replicated rates of the rows of a board, one row after the other: what each draw is away from its row's estimate, in
/// single precision. All rows are replicated on one sample under one plan.
#[derive(Debug, Clone, Default)]
pub struct DrawTable {
    replications: usize,
    estimates: Vec<f64>,
    deviations: Vec<f32>,
}

impl DrawTable {
    /// A table without rows that will take up the first `replications` draws of each.
    pub fn new(replications: usize) -> Self {
        Self { replications, ..Self::default() }
    }

    /// How many draws of each row to keep for a board of this many rows: all up to [`PAIRED_ROWS`] rows of 10 000, the fewer
    /// the more rows there are beyond, never less than 500.
    pub fn replications_for(rows: usize, drawn: usize) -> usize {
        drawn.min((MOST_DRAWS / rows.max(1)).max(500))
    }

    /// Adds a row. Draws beyond the table's number are left out.
    ///
    /// # Errors
    /// If the row has fewer draws than the table takes up.
    pub fn push(
        &mut self,
        estimate: f64,
        values: impl ExactSizeIterator<Item = f64>,
    ) -> Result<(), TooFewDraws> {
        if values.len() < self.replications {
            return Err(TooFewDraws { draws: values.len(), needed: self.replications });
        }
        self.estimates.push(estimate);
        self.deviations.extend(values.take(self.replications).map(|value| (value - estimate) as f32));
        Ok(())
    }

    /// A table of replicated rates, with as many draws as all of them have.
    pub fn of(rows: &[Replicates]) -> Self {
        let replications = rows.iter().map(|row| row.values.len()).min().unwrap_or(0);
        let deviations = |row: &Replicates| -> Vec<f32> {
            row.values[..replications].iter().map(|value| (value - row.estimate) as f32).collect()
        };
        Self {
            replications,
            estimates: rows.iter().map(|row| row.estimate).collect(),
            deviations: rows.iter().flat_map(deviations).collect(),
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.estimates.len()
    }

    /// There is no row.
    pub fn is_empty(&self) -> bool {
        self.estimates.is_empty()
    }

    /// How many draws of each row there are.
    pub fn replications(&self) -> usize {
        self.replications
    }

    /// The rate of a row and its draws.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, row: usize) -> (f64, impl Iterator<Item = f64>) {
        let estimate = self.estimates[row];
        (estimate, self.deviations_of(row).iter().map(move |&deviation| estimate + f64::from(deviation)))
    }

    fn deviations_of(&self, row: usize) -> &[f32] {
        &self.deviations[row * self.replications..(row + 1) * self.replications]
    }

    /// Leaves out replications in which a row has no rate: which words are drawn is the same for all rows.
    fn rated(&self) -> Self {
        let unrated =
            |replication: &usize| (0..self.len()).any(|row| self.deviations_of(row)[*replication].is_nan());
        if !self.deviations.iter().any(|deviation| deviation.is_nan()) {
            return self.clone();
        }
        let kept: Vec<usize> = (0..self.replications).filter(|replication| !unrated(replication)).collect();
        let deviations = (0..self.len()).flat_map(|row| {
            let all = self.deviations_of(row);
            kept.iter().map(|&replication| all[replication])
        });
        Self { replications: kept.len(), estimates: self.estimates.clone(), deviations: deviations.collect() }
    }
}

/// A row with fewer draws than its table takes up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a row has {draws} draws, the board needs {needed}")]
pub struct TooFewDraws {
    draws: usize,
    needed: usize,
}

/// Ranks rows by their rate, lowest first: by pairs up to [`PAIRED_ROWS`] rows, from the mean beyond.
pub fn standings(table: &DrawTable) -> Vec<Standing> {
    if table.len() <= PAIRED_ROWS { standings_by_pairs(table) } else { standings_from_mean(table) }
}

/// Ranks rows by comparing every pair. Takes time proportional to replications × rows².
pub fn standings_by_pairs(table: &DrawTable) -> Vec<Standing> {
    let table = &table.rated();
    let comparisons = Comparisons::new(table);
    let count = |holds: &dyn Fn(usize) -> bool| (0..table.len()).filter(|&other| holds(other)).count();
    let interval = |row: usize| {
        [
            1 + count(&|other| comparisons.is_better(other, row)),
            table.len() - count(&|other| comparisons.is_better(row, other)),
        ]
    };
    placed(&table.estimates, |better, worse| comparisons.is_better(better, worse), interval)
}

/// Ranks rows by comparing each with the mean of all. Takes time proportional to replications × rows.
pub fn standings_from_mean(table: &DrawTable) -> Vec<Standing> {
    let table = &table.rated();
    let half_widths = half_widths(table);
    let ends = |sign: f64| -> Vec<f64> {
        table.estimates.iter().zip(&half_widths).map(|(estimate, half)| estimate + sign * half).collect()
    };
    let (lower, upper) = (ends(-1.0), ends(1.0));
    let sorted = |ends: &[f64]| {
        let mut sorted = ends.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted
    };
    let (all_lower, all_upper) = (sorted(&lower), sorted(&upper));
    let interval = |row: usize| {
        [
            1 + all_upper.partition_point(|end| *end < lower[row]),
            all_lower.partition_point(|end| *end <= upper[row]),
        ]
    };
    placed(&table.estimates, |better, worse| upper[better] < lower[worse], interval)
}

/// Ranks, with what is known of real differences.
fn placed(
    estimates: &[f64],
    is_better: impl Fn(usize, usize) -> bool,
    rank_interval: impl Fn(usize) -> [usize; 2],
) -> Vec<Standing> {
    let mut order: Vec<usize> = (0..estimates.len()).collect();
    order.sort_by(|&a, &b| estimates[a].total_cmp(&estimates[b]));
    let mut standings = vec![Standing { rank: 0, rank_interval: [0; 2], tie_group: 0 }; estimates.len()];
    let mut leader = None;
    let (mut group, mut rank) = (0, 0);
    let mut above = f64::NEG_INFINITY;
    for (place, &row) in order.iter().enumerate() {
        if leader.is_none_or(|leader| is_better(leader, row)) {
            leader = Some(row);
            group += 1;
        }
        if place == 0 || estimates[row] > above {
            rank = place + 1;
            above = estimates[row];
        }
        standings[row] = Standing { rank, rank_interval: rank_interval(row), tie_group: group };
    }
    standings
}

/// Half the width of each row's interval around its difference from the mean of all rows.
fn half_widths(table: &DrawTable) -> Vec<f64> {
    let replications = table.replications;
    let rows = || (0..table.len()).into_par_iter();
    let zeros = || vec![0.0_f64; replications];
    let add = |mut sum: Vec<f64>, more: &[f32]| {
        sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += f64::from(*more));
        sum
    };
    let sum = rows().fold(zeros, |sum, row| add(sum, table.deviations_of(row))).reduce(zeros, |mut a, b| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        a
    });
    let mean: Vec<f64> = sum.iter().map(|sum| sum / table.len() as f64).collect();
    let from_mean =
        |row: usize| table.deviations_of(row).iter().zip(&mean).map(|(own, mean)| f64::from(*own) - mean);
    let errors: Vec<f64> = rows()
        .map(|row| {
            let (sum, squares) =
                from_mean(row).fold((0.0, 0.0), |(sum, squares), d| (sum + d, squares + d * d));
            let n = replications as f64;
            ((squares - sum * sum / n).max(0.0) / (n - 1.0)).sqrt()
        })
        .collect();
    let mut largest = rows()
        .fold(zeros, |mut largest, row| {
            for (largest, deviation) in largest.iter_mut().zip(from_mean(row)) {
                let t = deviation.abs() / errors[row];
                // False for NaN: a row that never leaves the mean has no error.
                if t > *largest {
                    *largest = t;
                }
            }
            largest
        })
        .reduce(zeros, |a, b| a.into_iter().zip(b).map(|(a, b)| a.max(b)).collect());
    largest.sort_unstable_by(f64::total_cmp);
    let threshold = quantile(&largest, LEVEL).unwrap_or(f64::INFINITY);
    errors.into_iter().map(|error| threshold * error).collect()
}

/// All pairwise differences and the size from which they are real.
struct Comparisons<'a> {
    estimates: &'a [f64],
    /// Standard errors of the differences, for pairs (i, j < i).
    errors: Vec<Vec<f32>>,
    threshold: f64,
}

impl<'a> Comparisons<'a> {
    fn new(table: &'a DrawTable) -> Self {
        let none = || vec![0.0_f32; table.replications];
        let (mut errors, mut largest) = (0..table.len())
            .into_par_iter()
            .fold(
                || (Vec::new(), none()),
                |(mut all, mut largest), row| {
                    let own = table.deviations_of(row);
                    let of_row: Vec<f32> = (0..row)
                        .map(|other| studentise(own, table.deviations_of(other), &mut largest))
                        .collect();
                    all.push((row, of_row));
                    (all, largest)
                },
            )
            .reduce(
                || (Vec::new(), none()),
                |(mut all, largest), (more, other)| {
                    all.extend(more);
                    (all, largest.into_iter().zip(other).map(|(a, b)| a.max(b)).collect())
                },
            );
        errors.sort_unstable_by_key(|(row, _)| *row);
        largest.sort_unstable_by(f32::total_cmp);
        let largest: Vec<f64> = largest.into_iter().map(f64::from).collect();
        Self {
            estimates: &table.estimates,
            errors: errors.into_iter().map(|(_, errors)| errors).collect(),
            threshold: quantile(&largest, LEVEL).unwrap_or(f64::INFINITY),
        }
    }

    /// Whether row a is really better than row b.
    fn is_better(&self, a: usize, b: usize) -> bool {
        if a == b {
            return false;
        }
        let error = f64::from(self.errors[a.max(b)][a.min(b)]);
        self.estimates[b] - self.estimates[a] > self.threshold * error
    }
}

/// Numbers that are added side by side, so that the compiler can use vectors.
const LANES: usize = 16;

/// The standard error of the difference of two rows, whose studentised size in each draw raises `largest`.
fn studentise(a: &[f32], b: &[f32], largest: &mut [f32]) -> f32 {
    let error = standard_error(a, b);
    let inverse = 1.0 / error;
    for ((largest, a), b) in largest.iter_mut().zip(a).zip(b) {
        let t = (a - b).abs() * inverse;
        // False for NaN: equal rows have no error.
        if t > *largest {
            *largest = t;
        }
    }
    error
}

/// Standard deviation of the difference between two rows over the replications.
fn standard_error(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let mut squares = [0.0_f32; LANES];
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..LANES {
            let difference = a[lane] - b[lane];
            sums[lane] += difference;
            squares[lane] += difference * difference;
        }
    }
    let rest = || a_rest.iter().zip(b_rest).map(|(a, b)| f64::from(a - b));
    let sum = sums.iter().map(|&sum| f64::from(sum)).sum::<f64>() + rest().sum::<f64>();
    let squares =
        squares.iter().map(|&square| f64::from(square)).sum::<f64>() + rest().map(|d| d * d).sum::<f64>();
    let n = a.len() as f64;
    ((squares - sum * sum / n).max(0.0) / (n - 1.0)).sqrt() as f32
}
