//! Optimal one-to-one assignment (the Hungarian method, Kuhn 1955) with a rule for ties.

/// Assigns every row of a square cost matrix to a column at the least total cost; among equally cheap assignments,
/// the lexicographically smallest. Returns the column of each row. Takes time cubic in the size.
pub(crate) fn assign(costs: &[Vec<i64>]) -> Vec<usize> {
    let (mut columns, row_prices, column_prices) = optimum(costs);
    let is_tight =
        |row: usize, column: usize| i128::from(costs[row][column]) == row_prices[row] + column_prices[column];
    // All optimal assignments, and only those, consist of tight edges.
    for row in 0..costs.len() {
        for column in 0..costs.len() {
            if column == columns[row] {
                break;
            }
            if is_tight(row, column) && reassign(&mut columns, row, column, &is_tight) {
                break;
            }
        }
    }
    columns
}

/// Gives `column` to `row` if its owner and those after `row` can swap their columns accordingly.
fn reassign(
    columns: &mut [usize],
    row: usize,
    column: usize,
    is_tight: &impl Fn(usize, usize) -> bool,
) -> bool {
    let freed = columns[row];
    let Some(owner) = columns.iter().position(|&c| c == column).filter(|&owner| owner > row) else {
        return false;
    };
    let mut trial = columns.to_vec();
    trial[row] = column;
    let mut visited = vec![false; columns.len()];
    visited[column] = true;
    let found = move_on(&mut trial, owner, freed, row, &mut visited, is_tight);
    if found {
        columns.copy_from_slice(&trial);
    }
    found
}

/// Finds `owner` another column: the free one, or that of a later row that can move on itself.
fn move_on(
    columns: &mut [usize],
    owner: usize,
    free: usize,
    fixed: usize,
    visited: &mut [bool],
    is_tight: &impl Fn(usize, usize) -> bool,
) -> bool {
    for column in 0..columns.len() {
        if visited[column] || !is_tight(owner, column) {
            continue;
        }
        visited[column] = true;
        let next = columns.iter().position(|&c| c == column).filter(|_| column != free);
        let can_take = match next {
            None => column == free,
            Some(next) => next > fixed && move_on(columns, next, free, fixed, visited, is_tight),
        };
        if can_take {
            columns[owner] = column;
            return true;
        }
    }
    false
}

/// An optimal assignment, and prices of rows and columns that prove it: no cost is below the sum of its two prices,
/// and the assigned ones equal it. Prices add up costs, so they are wider than these and cannot overflow.
fn optimum(costs: &[Vec<i64>]) -> (Vec<usize>, Vec<i128>, Vec<i128>) {
    let n = costs.len();
    // Shortest augmenting paths; column n is where each search starts.
    let mut row_prices = vec![0; n + 1];
    let mut column_prices = vec![0; n + 1];
    let mut owner = vec![None; n + 1];
    for row in 0..n {
        owner[n] = Some(row);
        let mut column = n;
        let mut nearest = vec![i128::MAX; n + 1];
        let mut before = vec![n; n + 1];
        let mut done = vec![false; n + 1];
        while let Some(current) = owner[column] {
            done[column] = true;
            let mut step = i128::MAX;
            let mut next = n;
            for other in (0..n).filter(|&other| !done[other]) {
                let reduced = i128::from(costs[current][other]) - row_prices[current] - column_prices[other];
                if reduced < nearest[other] {
                    nearest[other] = reduced;
                    before[other] = column;
                }
                if nearest[other] < step {
                    step = nearest[other];
                    next = other;
                }
            }
            for other in 0..=n {
                if done[other] {
                    if let Some(row) = owner[other] {
                        row_prices[row] += step;
                    }
                    column_prices[other] -= step;
                } else {
                    nearest[other] = nearest[other].saturating_sub(step);
                }
            }
            column = next;
        }
        while column != n {
            owner[column] = owner[before[column]];
            column = before[column];
        }
    }
    let mut columns = vec![0; n];
    for (column, row) in owner[..n].iter().enumerate() {
        if let Some(row) = *row {
            columns[row] = column;
        }
    }
    row_prices.truncate(n);
    column_prices.truncate(n);
    (columns, row_prices, column_prices)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cheapest permutation, the lexicographically smallest first, by trying all.
    fn brute_force(costs: &[Vec<i64>]) -> Vec<usize> {
        fn extend(costs: &[Vec<i64>], prefix: &mut Vec<usize>, best: &mut (i64, Vec<usize>)) {
            if prefix.len() == costs.len() {
                let cost = prefix.iter().enumerate().map(|(row, &column)| costs[row][column]).sum();
                if cost < best.0 {
                    *best = (cost, prefix.clone());
                }
                return;
            }
            for column in 0..costs.len() {
                if !prefix.contains(&column) {
                    prefix.push(column);
                    extend(costs, prefix, best);
                    prefix.pop();
                }
            }
        }
        let mut best = (i64::MAX, Vec::new());
        extend(costs, &mut Vec::new(), &mut best);
        best.1
    }

    #[test]
    fn the_largest_costs_do_not_overflow() {
        let (low, high) = (i64::MIN, i64::MAX);
        assert_eq!(assign(&[vec![high, low], vec![low, high]]), [1, 0]);
        assert_eq!(assign(&[vec![low, low], vec![low, high]]), [1, 0]);
    }

    #[test]
    fn the_assignment_is_the_smallest_of_the_cheapest() {
        let mut state = 1_u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ((state >> 33) % below).cast_signed()
        };
        for trial in 0..600_usize {
            let n = trial % 6;
            let costs: Vec<Vec<i64>> = (0..n).map(|_| (0..n).map(|_| random(4)).collect()).collect();
            assert_eq!(assign(&costs), brute_force(&costs), "{costs:?}");
        }
    }
}
