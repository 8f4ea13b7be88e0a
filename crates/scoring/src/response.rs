//! How word errors depend on the acoustics: a logistic response surface.
//!
//! The probability that a reference word is not recognised is modelled as logit p = β₀ + Σ βᵢ xᵢ, with x such as SNR,
//! T30, DRR or distance, and fitted by iteratively reweighted least squares (Nelder and Wedderburn 1972). Words of one
//! utterance fail together; the dispersion Pearson χ² / (n − k), if above 1, widens the bands (quasi-binomial).

use serde::{Deserialize, Serialize};

use crate::interval::Interval;

/// Half-width of a 95 % interval in standard errors.
const Z: f64 = 1.959_963_984_540_054;
/// Rounds after which a fit without convergence is given up; sound data take fewer than ten.
const ROUNDS: usize = 50;

/// One item: its conditions and how many of its reference words were wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The conditions, in a fixed order.
    pub conditions: Vec<f64>,
    /// Reference words substituted or deleted. Insertions have no reference word and stay out.
    pub wrong: u64,
    /// Reference words.
    pub words: u64,
}

/// Why a response cannot be fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// Conditions are missing, not finite, or not equally many.
    #[error("every item needs the same number of finite conditions")]
    Conditions,
    /// Too few items.
    #[error("there are fewer items with words than coefficients")]
    TooFew,
    /// No unique solution: a condition does not vary or depends on others, or errors are separated perfectly.
    #[error(
        "no unique fit: a condition does not vary, depends on the others, or separates right from wrong perfectly"
    )]
    Singular,
}

/// A fitted response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// β₀, then one coefficient per condition: change of the log odds of an error per unit.
    pub coefficients: Vec<f64>,
    /// Covariance of the coefficients, dispersion included.
    pub covariance: Vec<Vec<f64>>,
    /// Dispersion, at least 1.
    pub dispersion: f64,
}

/// A predicted rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Prediction {
    /// Probability that a word is wrong.
    pub rate: f64,
    /// 95 % confidence interval of that probability.
    pub interval: Interval,
}

/// The value of a condition at which the rate reaches a target.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Crossing {
    /// The value.
    pub value: f64,
    /// 95 % confidence interval (Fieller 1954); `None` if it has no ends, because the condition may have no effect.
    pub interval: Option<Interval>,
}

/// Fits a response.
///
/// # Errors
/// See [`FitError`].
pub fn fit(observations: &[Observation]) -> Result<Response, FitError> {
    let used: Vec<&Observation> = observations.iter().filter(|o| o.words > 0).collect();
    let size = used.first().ok_or(FitError::TooFew)?.conditions.len() + 1;
    let is_sound =
        |o: &&Observation| o.conditions.len() + 1 == size && o.conditions.iter().all(|x| x.is_finite());
    if !used.iter().all(is_sound) {
        return Err(FitError::Conditions);
    }
    if used.len() < size {
        return Err(FitError::TooFew);
    }
    let mut coefficients = vec![0.0; size];
    for _ in 0..ROUNDS {
        let (information, score) = derivatives(&used, &coefficients);
        let inverse = invert(information).ok_or(FitError::Singular)?;
        let step: Vec<f64> = inverse.iter().map(|row| dot(row, &score)).collect();
        coefficients.iter_mut().zip(&step).for_each(|(coefficient, step)| *coefficient += step);
        let scale = 1.0 + coefficients.iter().map(|c| c.abs()).fold(0.0, f64::max);
        if step.iter().all(|step| step.abs() < 1e-10 * scale) {
            return Ok(finish(&used, coefficients, inverse));
        }
    }
    Err(FitError::Singular)
}

fn finish(used: &[&Observation], coefficients: Vec<f64>, mut covariance: Vec<Vec<f64>>) -> Response {
    let chi_square: f64 = used
        .iter()
        .map(|o| {
            let p = logistic(dot(&row(&o.conditions), &coefficients));
            let n = o.words as f64;
            (o.wrong.min(o.words) as f64 - n * p).powi(2) / (n * p * (1.0 - p)).max(f64::MIN_POSITIVE)
        })
        .sum();
    let freedom = used.len() - coefficients.len();
    let dispersion = if freedom == 0 { 1.0 } else { (chi_square / freedom as f64).max(1.0) };
    covariance.iter_mut().flatten().for_each(|value| *value *= dispersion);
    Response { coefficients, covariance, dispersion }
}

/// The information matrix and the score of the binomial likelihood.
fn derivatives(used: &[&Observation], coefficients: &[f64]) -> (Vec<Vec<f64>>, Vec<f64>) {
    let size = coefficients.len();
    let mut information = vec![vec![0.0; size]; size];
    let mut score = vec![0.0; size];
    for o in used {
        let x = row(&o.conditions);
        let p = logistic(dot(&x, coefficients));
        let n = o.words as f64;
        let residual = o.wrong.min(o.words) as f64 - n * p;
        for i in 0..size {
            score[i] += x[i] * residual;
            for j in 0..size {
                information[i][j] += x[i] * x[j] * n * p * (1.0 - p);
            }
        }
    }
    (information, score)
}

impl Response {
    /// The rate under given conditions, with its confidence band; `None` if they are not as many as were fitted.
    pub fn predict(&self, conditions: &[f64]) -> Option<Prediction> {
        let x = self.known(conditions)?;
        let logit = dot(&x, &self.coefficients);
        let error = Z * self.variance(&x, &x).sqrt();
        let interval = Interval { low: logistic(logit - error), high: logistic(logit + error) };
        Some(Prediction { rate: logistic(logit), interval })
    }

    /// Where the rate reaches `target` as the condition of that index varies and the others stay as given. `None` if
    /// there is no such condition, the target is not between 0 and 1, or the condition has no effect at all.
    pub fn crossing(&self, index: usize, conditions: &[f64], target: f64) -> Option<Crossing> {
        let mut fixed = self.known(conditions)?;
        *fixed.get_mut(index + 1)? = 0.0;
        let mut unit = vec![0.0; fixed.len()];
        unit[index + 1] = 1.0;
        let slope = self.coefficients[index + 1];
        if !(target > 0.0 && target < 1.0) || slope == 0.0 {
            return None;
        }
        let distance = (target / (1.0 - target)).ln() - dot(&fixed, &self.coefficients);
        // (distance - slope·x)² = Z² · variance at x, a quadratic in x.
        let z2 = Z * Z;
        let a = slope * slope - z2 * self.variance(&unit, &unit);
        let b = -(slope * distance) - z2 * self.variance(&fixed, &unit);
        let c = distance * distance - z2 * self.variance(&fixed, &fixed);
        let root = (b * b - a * c).max(0.0).sqrt();
        let interval = (a > 0.0).then(|| Interval { low: (-b - root) / a, high: (-b + root) / a });
        Some(Crossing { value: distance / slope, interval })
    }

    fn known(&self, conditions: &[f64]) -> Option<Vec<f64>> {
        (conditions.len() + 1 == self.coefficients.len()).then(|| row(conditions))
    }

    fn variance(&self, x: &[f64], y: &[f64]) -> f64 {
        self.covariance.iter().zip(x).map(|(row, x)| x * dot(row, y)).sum()
    }
}

fn row(conditions: &[f64]) -> Vec<f64> {
    let mut row = vec![1.0];
    row.extend_from_slice(conditions);
    row
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn logistic(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

/// The inverse of a small positive definite matrix by Gauss-Jordan elimination; `None` if it is singular.
fn invert(mut matrix: Vec<Vec<f64>>) -> Option<Vec<Vec<f64>>> {
    let size = matrix.len();
    let scale: Vec<f64> = (0..size).map(|i| matrix[i][i]).collect();
    for (i, row) in matrix.iter_mut().enumerate() {
        row.extend((0..size).map(|j| if i == j { 1.0 } else { 0.0 }));
    }
    for pivot in 0..size {
        let lead = matrix[pivot][pivot];
        // What is left of the diagonal measures how far a column is from depending on those before.
        let is_independent = lead > 1e-12 * scale[pivot] && lead.is_finite();
        if !is_independent {
            return None;
        }
        matrix[pivot].iter_mut().for_each(|value| *value /= lead);
        let reduced = matrix[pivot].clone();
        for (_, row) in matrix.iter_mut().enumerate().filter(|(i, _)| *i != pivot) {
            let factor = row[pivot];
            row.iter_mut().zip(&reduced).for_each(|(value, lead)| *value -= factor * lead);
        }
    }
    Some(matrix.into_iter().map(|row| row[size..].to_vec()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tobacco budworm data of Venables and Ripley, *Modern Applied Statistics with S* (2002), §7.2: deaths of 20
    /// moths at doses 2^0 to 2^5, males then females; conditions are sex (1 = male) and log2 dose.
    fn budworm() -> Vec<Observation> {
        let deaths = [(1.0, [1, 4, 9, 13, 18, 20]), (0.0, [0, 2, 6, 10, 12, 16])];
        let group = |(sex, deaths): (f64, [u64; 6])| {
            deaths.into_iter().zip(0..).map(move |(wrong, dose)| Observation {
                conditions: vec![sex, f64::from(dose)],
                wrong,
                words: 20,
            })
        };
        deaths.into_iter().flat_map(group).collect()
    }

    #[test]
    fn coefficients_and_errors_equal_glm_of_r() {
        // summary(glm(SF ~ sex + ldose, family = binomial))
        let response = fit(&budworm()).unwrap();
        for (i, (estimate, error)) in
            [(-3.4732, 0.4685), (1.1007, 0.3558), (1.0642, 0.1311)].into_iter().enumerate()
        {
            assert!((response.coefficients[i] - estimate).abs() < 5e-5, "{:?}", response.coefficients);
            assert!((response.covariance[i][i].sqrt() - error).abs() < 5e-5);
        }
        assert!((response.dispersion - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_dose_for_a_rate_equals_dose_p_of_r() {
        // MASS::dose.p for females: 3.263587 with standard error 0.2297539 at p = 0.5.
        let response = fit(&budworm()).unwrap();
        let crossing = response.crossing(1, &[0.0, 0.0], 0.5).unwrap();
        assert!((crossing.value - 3.263_587).abs() < 1e-6);
        let interval = crossing.interval.unwrap();
        // Fieller's interval is wider than the delta method's, by little here.
        let ratio = interval.width() / (2.0 * Z * 0.229_753_9);
        assert!(ratio > 1.0 && ratio < 1.1, "{ratio}");
        let there = response.predict(&[0.0, crossing.value]).unwrap();
        assert!((there.rate - 0.5).abs() < 1e-9 && there.interval.contains(0.5));
    }

    #[test]
    fn data_without_a_fit_are_refused() {
        let item = |x: f64, wrong| Observation { conditions: vec![x], wrong, words: 10 };
        assert_eq!(fit(&[]), Err(FitError::TooFew));
        assert_eq!(fit(&[item(1.0, 3)]), Err(FitError::TooFew));
        assert_eq!(fit(&[item(1.0, 3), item(1.0, 4), item(1.0, 5)]), Err(FitError::Singular));
        assert_eq!(fit(&[item(1.0, 0), item(2.0, 0), item(3.0, 10), item(4.0, 10)]), Err(FitError::Singular));
        assert_eq!(fit(&[item(f64::NAN, 3), item(1.0, 4)]), Err(FitError::Conditions));
    }

    #[test]
    fn clustered_errors_widen_the_band() {
        let item = |x: f64, wrong| Observation { conditions: vec![x], wrong, words: 100 };
        let all_or_nothing =
            [item(0.0, 95), item(0.0, 5), item(1.0, 90), item(1.0, 0), item(2.0, 80), item(2.0, 2)];
        let response = fit(&all_or_nothing).unwrap();
        assert!(response.dispersion > 10.0);
        assert_eq!(response.crossing(0, &[0.0], 0.5).unwrap().interval, None);
    }
}
