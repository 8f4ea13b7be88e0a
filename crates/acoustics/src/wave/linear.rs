//! Small systems of linear equations.

/// Solves A x = b for a symmetric positive matrix, by Cholesky's method. `None` where A is not positive.
pub(crate) fn solve_positive(matrix: Vec<Vec<f64>>, right: &[f64]) -> Option<Vec<f64>> {
    Some(Cholesky::new(matrix)?.solve(right))
}

/// The lower triangle L with A = L Lᵀ.
pub(crate) struct Cholesky(Vec<Vec<f64>>);

impl Cholesky {
    /// `None` where the matrix is not positive.
    pub(crate) fn new(mut matrix: Vec<Vec<f64>>) -> Option<Self> {
        for row in 0..matrix.len() {
            for column in 0..=row {
                let known: f64 = (0..column).map(|n| matrix[row][n] * matrix[column][n]).sum();
                let rest = matrix[row][column] - known;
                if row == column {
                    if rest <= 0.0 {
                        return None;
                    }
                    matrix[row][row] = rest.sqrt();
                } else {
                    matrix[row][column] = rest / matrix[column][column];
                }
            }
        }
        Some(Self(matrix))
    }

    pub(crate) fn solve(&self, right: &[f64]) -> Vec<f64> {
        let Self(lower) = self;
        let mut x = right.to_vec();
        for row in 0..x.len() {
            let known: f64 = (0..row).map(|n| lower[row][n] * x[n]).sum();
            x[row] = (x[row] - known) / lower[row][row];
        }
        for row in (0..x.len()).rev() {
            let known: f64 = (row + 1..x.len()).map(|n| lower[n][row] * x[n]).sum();
            x[row] = (x[row] - known) / lower[row][row];
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_positive_system_is_solved_and_another_refused() {
        let x = solve_positive(vec![vec![4.0, 2.0], vec![2.0, 3.0]], &[10.0, 9.0]).unwrap();
        assert!((x[0] - 1.5).abs() < 1e-12 && (x[1] - 2.0).abs() < 1e-12);
        assert_eq!(solve_positive(vec![vec![1.0, 2.0], vec![2.0, 1.0]], &[1.0, 1.0]), None);
    }
}
