//! The Pareto front of accuracy against speed.

use rayon::prelude::*;

use crate::bootstrap::Replicates;

/// Which points (error, speed) no other point beats: none has a lower or equal error and a higher or equal speed,
/// one of the two strictly. Equal points are on the front together; points with a NaN are never on it.
pub fn front(points: &[(f64, f64)]) -> Vec<bool> {
    let mut order: Vec<usize> =
        (0..points.len()).filter(|&i| !points[i].0.is_nan() && !points[i].1.is_nan()).collect();
    order.sort_by(|&a, &b| {
        points[a].0.total_cmp(&points[b].0).then_with(|| points[b].1.total_cmp(&points[a].1))
    });
    let mut on_front = vec![false; points.len()];
    let mut last: Option<(f64, f64)> = None;
    for index in order {
        let point = points[index];
        if last.is_none_or(|last| point.1 > last.1 || point == last) {
            on_front[index] = true;
            last = Some(point);
        }
    }
    on_front
}

/// Smallest and largest of some draws.
pub type Range = (f64, f64);

/// Which rows can be on the front in some draw, from the smallest and largest draw of their error and of their speed: all
/// but those that one row beats even at its own worst and their best. Leaving the others out changes no [`membership`].
pub fn contenders(ranges: &[(Range, Range)]) -> Vec<bool> {
    let mut by_worst: Vec<(f64, f64)> =
        ranges.iter().map(|((_, worst), (slowest, _))| (*worst, *slowest)).collect();
    by_worst.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    // The best of the slowest draws among the rows that are no worse than a given error in every draw.
    let mut fastest = f64::NEG_INFINITY;
    let surely_as_fast: Vec<f64> = by_worst
        .iter()
        .map(|(_, slowest)| {
            fastest = fastest.max(*slowest);
            fastest
        })
        .collect();
    ranges
        .iter()
        .map(|((best, _), (_, fastest))| {
            let no_worse = by_worst.partition_point(|(worst, _)| worst < best);
            no_worse == 0 || surely_as_fast[no_worse - 1] < *fastest
        })
        .collect()
}

/// For every row of (error, speed), the share of replications in which it is on the front. Errors and speeds are
/// taken replication by replication, as many as all rows have.
pub fn membership(rows: &[(Replicates, Replicates)]) -> Vec<f64> {
    let replications = rows.iter().map(|(e, s)| e.values.len().min(s.values.len())).min().unwrap_or(0);
    let front_of = |replication: usize| {
        let points: Vec<(f64, f64)> = rows
            .iter()
            .map(|(error, speed)| (error.values[replication], speed.values[replication]))
            .collect();
        front(&points)
    };
    let none = || vec![0_usize; rows.len()];
    let on_front = (0..replications)
        .into_par_iter()
        .fold(none, |counts, replication| add(counts, front_of(replication).into_iter().map(usize::from)))
        .reduce(none, add);
    on_front.into_iter().map(|count| count as f64 / replications as f64).collect()
}

fn add(mut counts: Vec<usize>, more: impl IntoIterator<Item = usize>) -> Vec<usize> {
    for (count, more) in counts.iter_mut().zip(more) {
        *count += more;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replicates(values: &[f64]) -> Replicates {
        Replicates { estimate: values[0], values: values.to_vec() }
    }

    #[test]
    fn membership_is_the_share_of_replications_on_the_front() {
        // The second is dominated in the first and last of four replications, the first in none.
        let first = (replicates(&[0.1, 0.1, 0.2, 0.1]), replicates(&[9.0, 9.0, 9.0, 9.0]));
        let second = (replicates(&[0.2, 0.2, 0.1, 0.1]), replicates(&[5.0, 10.0, 5.0, 5.0]));
        assert_eq!(membership(&[first, second]), [1.0, 0.5]);
    }

    #[test]
    fn rows_that_are_beaten_in_every_draw_are_no_contenders_and_change_nothing() {
        let drawn: Vec<(Replicates, Replicates)> = (0..200)
            .map(|system| {
                let spread = |middle: f64, way: f64| {
                    replicates(&[middle - way, middle, middle + way, middle + way / 2.0])
                };
                let place = f64::from(system);
                (
                    spread(0.1 + (place * 0.37).fract(), 0.02),
                    spread(10.0 + 90.0 * (place * 0.71).fract(), 3.0),
                )
            })
            .collect();
        let range = |of: &Replicates| {
            let (low, high) = (f64::min, f64::max);
            (of.values.iter().copied().fold(f64::INFINITY, low), of.values.iter().copied().fold(0.0, high))
        };
        let ranges: Vec<_> = drawn.iter().map(|(error, speed)| (range(error), range(speed))).collect();
        let keeps = contenders(&ranges);
        let kept: Vec<_> =
            drawn.iter().zip(&keeps).filter(|(_, keep)| **keep).map(|(row, _)| row.clone()).collect();
        assert!(kept.len() < 100, "{}", kept.len());
        let mut of_kept = membership(&kept).into_iter();
        let again: Vec<f64> =
            keeps.iter().map(|keep| if *keep { of_kept.next().unwrap() } else { 0.0 }).collect();
        assert_eq!(again, membership(&drawn));
    }

    #[test]
    fn only_points_that_none_beats_are_on_the_front() {
        let points = [(0.1, 10.0), (0.2, 50.0), (0.2, 40.0), (0.15, 10.0), (0.3, 50.0), (0.05, 1.0)];
        assert_eq!(front(&points), [true, true, false, false, false, true]);
    }

    #[test]
    fn equal_points_share_the_front_and_missing_values_stay_off_it() {
        let points = [(0.1, 10.0), (0.1, 10.0), (f64::NAN, 99.0), (0.01, f64::NAN), (0.1, 9.0)];
        assert_eq!(front(&points), [true, true, false, false, false]);
        assert_eq!(front(&[]), Vec::<bool>::new());
    }
}
