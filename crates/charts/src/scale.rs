//! Where the axes begin and end, where the logarithmic one is ticked, and how ticks are written.
//!
//! `plotters` ticks the linear axis itself; on a logarithmic one it knows only powers of ten, which leaves an
//! axis over less than a decade without a tick.

/// A logarithmic axis: its ends and its ticks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LogAxis {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) ticks: Vec<f64>,
}

impl LogAxis {
    /// An axis that holds `smallest` and `largest` (both positive) and spans at least a factor of four. Its
    /// ticks are round numbers, as close together as `most_ticks` allows.
    pub(crate) fn new(smallest: f64, largest: f64, most_ticks: usize) -> Self {
        let (mut low, mut high) = (smallest / 1.3, largest * 1.3);
        if high / low < 4.0 {
            let middle = (low * high).sqrt();
            (low, high) = (middle / 2.0, middle * 2.0);
        }
        let exponents = low.log10().floor() as i32..=high.log10().ceil() as i32;
        let ticked = |factors: &[f64], stride: i32| -> Vec<f64> {
            exponents
                .clone()
                .filter(|exponent| exponent.rem_euclid(stride) == 0)
                .flat_map(|exponent| factors.iter().map(move |factor| factor * 10f64.powi(exponent)))
                .filter(|tick| (low..=high).contains(tick))
                .collect()
        };
        let mut ticks = ticked(&[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0], 1);
        if ticks.len() > most_ticks {
            ticks = ticked(&[1.0, 2.0, 5.0], 1);
        }
        let mut stride = 1;
        while ticks.len() > most_ticks {
            ticks = ticked(&[1.0], stride);
            stride += 1;
        }
        Self { low, high, ticks }
    }
}

/// The upper end of a linear axis from 0 that holds `largest` with a little air above it: two significant digits,
/// rounded up. An axis over nothing but zeros ends at 10 %.
pub(crate) fn upper_end(largest: f64) -> f64 {
    if largest <= 0.0 {
        return 0.1;
    }
    let reach = largest * 1.05;
    let place = 10f64.powf(reach.log10().floor() - 1.0);
    (reach / place).ceil() * place
}

/// A fraction as a percentage, with only the decimals it needs.
pub(crate) fn percent_label(fraction: f64) -> String {
    trimmed(fraction * 100.0)
}

/// A plain number, with only the decimals it needs.
pub(crate) fn plain_label(number: f64) -> String {
    trimmed(number)
}

fn trimmed(number: f64) -> String {
    let written = format!("{number:.6}");
    written.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_speed_axis_is_ticked_at_one_two_five() {
        let axis = LogAxis::new(1.62, 215.0, 8);
        let labels: Vec<String> = axis.ticks.iter().map(|&tick| plain_label(tick)).collect();
        assert_eq!(labels, ["2", "5", "10", "20", "50", "100", "200"]);
    }

    #[test]
    fn ticks_are_written_without_needless_decimals() {
        assert_eq!(plain_label(0.05), "0.05");
        assert_eq!(percent_label(0.3), "30");
        assert_eq!(percent_label(0.025), "2.5");
        assert_eq!(percent_label(0.0), "0");
    }

    #[test]
    fn a_single_speed_still_gets_an_axis() {
        let axis = LogAxis::new(10.0, 10.0, 8);
        assert!((axis.high / axis.low - 4.0).abs() < 1e-9);
        assert_eq!(axis.ticks, [5.0, 7.0, 10.0, 15.0, 20.0]);
    }

    proptest! {
        #[test]
        fn an_error_axis_holds_its_data_without_wasting_space(largest in 1e-6f64..1e3) {
            let end = upper_end(largest);
            prop_assert!(end > largest && end < largest * 1.2);
        }

        #[test]
        fn a_speed_axis_holds_its_data_and_is_not_overticked(
            smallest in 1e-4f64..1e4, ratio in 1.0f64..1e6, most in 3usize..9
        ) {
            let axis = LogAxis::new(smallest, smallest * ratio, most);
            prop_assert!(axis.low < smallest && smallest * ratio < axis.high);
            prop_assert!(!axis.ticks.is_empty() && axis.ticks.len() <= most);
            prop_assert!(axis.ticks.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
