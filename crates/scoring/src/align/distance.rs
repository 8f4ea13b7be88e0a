//! The cost of the best alignment.
//!
//! Both aims are one number, which the dynamic programme maximises: what an alignment gains over deleting all of one
//! side and inserting all of the other. A hit gains two units, a substitution one unit less a speck, and a deletion or
//! insertion nothing. It runs only within the band of diagonals that an alignment with the errors found can reach
//! (Ukkonen 1985); a value from outside the band is that of a worse alignment, never a wrong one.

use crate::counts::Counts;

/// Errors in the high half, substitutions in the low half, so that sums compare lexicographically.
pub(crate) type Cost = u64;
pub(crate) const GAP: Cost = 1 << 32;
pub(crate) const SUBSTITUTION: Cost = GAP + 1;

/// What a substitution spares of the cost of a deletion and an insertion. A hit spares the cost of a substitution more.
const SUBSTITUTION_GAIN: Cost = 2 * GAP - SUBSTITUTION;

pub(super) fn step_gain<T: Copy + PartialEq>(a: T, b: T) -> Cost {
    // Arithmetic, since a branch on whether words match cannot be predicted.
    SUBSTITUTION_GAIN + SUBSTITUTION * Cost::from(a == b)
}

pub(super) fn errors(cost: Cost) -> usize {
    (cost >> 32) as usize
}

/// The counts of an alignment of that cost between sequences of these lengths.
pub(crate) fn counts_of(cost: Cost, reference: usize, hypothesis: usize) -> Counts {
    let substitutions = cost & (GAP - 1);
    let gaps = (cost >> 32) - substitutions;
    // D - I is the difference in length.
    let deletions = (gaps + reference as u64 - hypothesis as u64) / 2;
    Counts {
        hits: reference as u64 - substitutions - deletions,
        substitutions,
        deletions,
        insertions: gaps - deletions,
    }
}

/// How far alignments may stray from the main diagonal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Band {
    deletions: usize,
    insertions: usize,
}

impl Band {
    /// Holds every alignment of sequences of these lengths with at most `errors` errors (no fewer than the lengths
    /// differ by).
    pub(super) fn new(a: usize, b: usize, errors: usize) -> Self {
        Self { deletions: (errors + a - b) / 2, insertions: (errors + b - a) / 2 }
    }

    /// Holds every alignment.
    pub(super) fn whole(a: usize, b: usize) -> Self {
        Self { deletions: a, insertions: b }
    }

    pub(super) fn width(self) -> usize {
        self.deletions + self.insertions + 1
    }

    /// The columns of a row that lie in the band and in the table.
    pub(super) fn columns(self, row: usize, b: usize) -> (usize, usize) {
        (row.saturating_sub(self.deletions), (row + self.insertions).min(b))
    }
}

/// The cost of aligning two non-empty sequences.
pub(super) fn distance<T: Copy + PartialEq>(a: &[T], b: &[T]) -> Cost {
    let all = (a.len() + b.len()) as Cost * GAP;
    let mut limit = a.len().abs_diff(b.len()) + a.len().max(b.len()) / 64 + 4;
    let mut cost = all - last_row(a, b, Band::new(a.len(), b.len(), limit))[b.len()];
    // Even a narrow band mostly holds a way that is nearly the best: its errors bound those of the best.
    while errors(cost) > limit {
        limit = errors(cost).min(16 * limit);
        cost = all - last_gain(a, b, limit);
    }
    cost
}

/// The last cell of the table of gains, exact if the best alignment has at most `limit` errors.
///
/// In each row, only the columns between the first and the last that can be on a way with so few errors are computed.
fn last_gain<T: Copy + PartialEq>(a: &[T], b: &[T], limit: usize) -> Cost {
    let mut row = vec![0; b.len() + 1];
    let (mut start, mut end) = (0, limit.min(b.len()));
    for (index, &token) in a.iter().enumerate() {
        end = (end + 1).min(b.len());
        fill_row(&mut row, token, b, start.max(1), end);
        let is_lost = |gain: Cost, column: usize| {
            let still = (a.len() - index - 1).abs_diff(b.len() - column);
            errors((index + 1 + column) as Cost * GAP - gain) + still > limit
        };
        // To the right of what was computed, only insertions lead on.
        while end < b.len() && !is_lost(row[end], end + 1) {
            row[end + 1] = row[end].max(row[end + 1]);
            end += 1;
        }
        while start < end && is_lost(row[start], start) {
            start += 1;
        }
        while start < end && is_lost(row[end], end) {
            end -= 1;
        }
    }
    row[b.len()]
}

/// Computes the columns `from..=to` of a row in place of those above. Left of them stand older values, which are
/// sound: later rows never gain less.
fn fill_row<T: Copy + PartialEq>(row: &mut [Cost], token: T, b: &[T], from: usize, to: usize) {
    let mut diagonal = row[from - 1];
    let mut left = diagonal;
    for (cell, &other) in row[from..=to].iter_mut().zip(&b[from - 1..to]) {
        let best = (diagonal + step_gain(token, other)).max(*cell);
        diagonal = *cell;
        left = left.max(best);
        *cell = left;
    }
}

/// The last row of the table of gains, computed within a band.
pub(super) fn last_row<T: Copy + PartialEq>(a: &[T], b: &[T], band: Band) -> Vec<Cost> {
    let mut row = vec![0; b.len() + 1];
    for (index, &token) in a.iter().enumerate() {
        let (first, last) = band.columns(index + 1, b.len());
        if first.max(1) <= last {
            fill_row(&mut row, token, b, first.max(1), last);
        }
    }
    row
}
