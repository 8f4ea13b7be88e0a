//! The best alignment itself.

use super::distance::{Band, distance, errors, last_row, step_gain};
use super::{Step, Token, common_ends};

/// Table cells for which a trace is kept; beyond, the problem is halved (Hirschberg 1975).
const TRACE_CELLS: usize = 1 << 28;

/// Appends the alignment of two sequences that begin at the given offsets.
pub(super) fn trace(reference: &[Token], hypothesis: &[Token], from: (usize, usize), steps: &mut Vec<Step>) {
    let common = common_ends(reference, hypothesis);
    let a = common.middle(reference);
    let b = common.middle(hypothesis);
    let hit = |i, j| Step::Hit { reference: from.0 + i, hypothesis: from.1 + j };
    steps.extend((0..common.start).map(|i| hit(i, i)));
    let start = (from.0 + common.start, from.1 + common.start);
    if a.is_empty() || b.is_empty() {
        steps.extend((0..a.len()).map(|i| Step::Deletion { reference: start.0 + i }));
        steps.extend((0..b.len()).map(|j| Step::Insertion { hypothesis: start.1 + j }));
    } else {
        let band = Band::new(a.len(), b.len(), errors(distance(a, b)));
        if band.width().min(b.len() + 1).saturating_mul(a.len()) <= TRACE_CELLS {
            trace_band(a, b, band, start, steps);
        } else {
            trace_halves(a, b, start, steps);
        }
    }
    let (rest_a, rest_b) = (common.start + a.len(), common.start + b.len());
    steps.extend((0..common.end).map(|k| hit(rest_a + k, rest_b + k)));
}

/// Splits the first sequence in the middle and the second where the two halves together gain most.
fn trace_halves(a: &[Token], b: &[Token], start: (usize, usize), steps: &mut Vec<Step>) {
    let middle = a.len() / 2;
    let head = last_row(&a[..middle], b, Band::whole(middle, b.len()));
    let reversed = |tokens: &[Token]| tokens.iter().rev().copied().collect::<Vec<_>>();
    let tail = last_row(&reversed(&a[middle..]), &reversed(b), Band::whole(a.len() - middle, b.len()));
    // The leftmost of the best places.
    let gain = |split: usize| head[split] + tail[b.len() - split];
    let split = (0..=b.len()).rev().max_by_key(|&split| gain(split)).unwrap_or(0);
    trace(&a[..middle], &b[..split], start, steps);
    trace(&a[middle..], &b[split..], (start.0 + middle, start.1 + split), steps);
}

/// Where the best way into a cell comes from, in order of preference.
#[derive(Clone, Copy)]
enum From {
    Above = 0,
    Left = 1,
    Diagonal = 2,
}

/// Two bits per cell of a band.
struct Trace {
    bits: Vec<u8>,
    width: usize,
}

impl Trace {
    fn new(rows: usize, width: usize) -> Self {
        Self { bits: vec![0; (rows * width).div_ceil(4)], width }
    }

    fn set(&mut self, row: usize, offset: usize, from: From) {
        let cell = row * self.width + offset;
        self.bits[cell / 4] |= (from as u8) << (cell % 4 * 2);
    }

    fn get(&self, row: usize, offset: usize) -> From {
        let cell = row * self.width + offset;
        match self.bits[cell / 4] >> (cell % 4 * 2) & 3 {
            0 => From::Above,
            1 => From::Left,
            _ => From::Diagonal,
        }
    }
}

fn trace_band(a: &[Token], b: &[Token], band: Band, start: (usize, usize), steps: &mut Vec<Step>) {
    let trace = fill_trace(a, b, band);
    let first_step = steps.len();
    let (mut i, mut j) = (a.len(), b.len());
    while i > 0 || j > 0 {
        let from = if i == 0 { From::Left } else { trace.get(i - 1, j - band.columns(i, b.len()).0) };
        i -= usize::from(!matches!(from, From::Left));
        j -= usize::from(!matches!(from, From::Above));
        let (reference, hypothesis) = (start.0 + i, start.1 + j);
        steps.push(match from {
            From::Above => Step::Deletion { reference },
            From::Left => Step::Insertion { hypothesis },
            From::Diagonal if a[i] == b[j] => Step::Hit { reference, hypothesis },
            From::Diagonal => Step::Substitution { reference, hypothesis },
        });
    }
    steps[first_step..].reverse();
}

/// Runs the dynamic programme within a band and notes where each cell comes from.
fn fill_trace(a: &[Token], b: &[Token], band: Band) -> Trace {
    let mut trace = Trace::new(a.len(), band.width().min(b.len() + 1));
    let mut row = vec![0; b.len() + 1];
    for (index, &token) in a.iter().enumerate() {
        let (first, last) = band.columns(index + 1, b.len());
        let (_, last_above) = band.columns(index, b.len());
        let mut diagonal = first.checked_sub(1).map_or(0, |before| row[before]);
        let mut left = 0;
        for column in first..=last {
            let above = row[column];
            let step = if column > 0 { diagonal + step_gain(token, b[column - 1]) } else { 0 };
            // The way must stay in the band.
            let has_above = column <= last_above;
            let has_left = column > first;
            let best = step.max(above).max(left);
            let from = if has_above && above == best {
                From::Above
            } else if has_left && left == best {
                From::Left
            } else {
                From::Diagonal
            };
            trace.set(index, column - first, from);
            diagonal = above;
            left = best;
            row[column] = best;
        }
    }
    trace
}

#[cfg(test)]
mod tests {
    use super::super::{count, counts};
    use super::*;

    #[test]
    fn halving_the_problem_costs_the_same() {
        let a: Vec<Token> = (0..40).map(|i| i * i % 7).collect();
        let b: Vec<Token> = (0..33).map(|i| i * 5 % 11 % 7).collect();
        let mut whole = Vec::new();
        trace(&a, &b, (0, 0), &mut whole);
        let mut halves = Vec::new();
        trace_halves(&a, &b, (0, 0), &mut halves);
        assert_eq!(counts(&whole), counts(&halves));
        assert_eq!(counts(&whole), count(&a, &b));
    }
}
