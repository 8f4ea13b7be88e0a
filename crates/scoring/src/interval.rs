//! Percentile intervals of bootstrap replicates.

use serde::{Deserialize, Serialize};

/// Confidence level of every interval in this crate.
pub const LEVEL: f64 = 0.95;

/// A closed interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Whether a value lies inside or on an end.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// Upper end less lower end.
    pub fn width(&self) -> f64 {
        self.high - self.low
    }

    /// The central 95 % of the values; `None` if there are none. NaN values are left out.
    pub(crate) fn central(values: &[f64]) -> Option<Self> {
        let mut values: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
        values.sort_unstable_by(f64::total_cmp);
        let tail = (1.0 - LEVEL) / 2.0;
        Some(Self { low: quantile(&values, tail)?, high: quantile(&values, 1.0 - tail)? })
    }
}

/// A quantile of sorted values with linear interpolation (Hyndman and Fan 1996, type 7).
pub fn quantile(sorted: &[f64], probability: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = probability * last as f64;
    let below = sorted[place.floor() as usize];
    let above = sorted[(place.ceil() as usize).min(last)];
    Some(below + (above - below) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate_as_numpy_does() {
        // numpy.quantile([1, 2, 4, 8], [0.025, 0.5, 0.9])
        let values = [1.0, 2.0, 4.0, 8.0];
        let thousandths = |p| (quantile(&values, p).unwrap() * 1000.0).round() as i64;
        assert_eq!([0.025, 0.5, 0.9, 1.0].map(thousandths), [1075, 3000, 6800, 8000]);
        assert_eq!(quantile(&[], 0.5), None);
    }
}
