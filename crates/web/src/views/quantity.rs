//! Quantities that know how they are written.
//!
//! A number that is not finite is written as an en dash, like one that does not exist.

use std::fmt;

use time::{OffsetDateTime, UtcOffset};

/// How an absent number is written.
const ABSENT: &str = "–";

/// A rate as a fraction (0.123), written as a percentage with one decimal and without the sign (`12.3`).
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Rate(pub f64);

impl Rate {
    /// With two decimals, the way the public board publishes.
    pub fn two_decimals(self) -> String {
        decimals(self.0 * 100.0, 2)
    }

    /// The step of the error scale this rate falls into, 0 (below 5 %) to 6 (75 % and more): a CSS class
    /// shades the cell. Steps are absolute, so that a shade means the same on every page and release.
    pub fn step(self) -> usize {
        const UPPER_ENDS: [f64; 6] = [0.05, 0.10, 0.20, 0.30, 0.50, 0.75];
        UPPER_ENDS.iter().filter(|&&end| self.0 >= end).count()
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&decimals(self.0 * 100.0, 1))
    }
}

/// A difference of two rates as a fraction, written in percentage points with one decimal and its sign (`−1.2`).
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Difference(pub f64);

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let points = decimals(self.0.abs() * 100.0, 1);
        let is_zero = points.chars().all(|c| matches!(c, '0' | '.'));
        let sign = match self.0 {
            _ if is_zero || !self.0.is_finite() => "",
            ..0.0 => "\u{2212}",
            _ => "+",
        };
        write!(formatter, "{sign}{points}")
    }
}

/// A probability estimated from draws, written in whole percent, `<1 %` and `>99 %` at the ends: a share of draws is
/// never proof.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Probability(pub f64);

impl Probability {
    /// Worth a visitor's attention: at least one draw in a hundred.
    pub(crate) fn is_notable(self) -> bool {
        self.0 >= 0.01
    }
}

impl fmt::Display for Probability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            share if !share.is_finite() => formatter.write_str(ABSENT),
            ..0.01 => formatter.write_str("<1 %"),
            0.99.. => formatter.write_str(">99 %"),
            share => write!(formatter, "{} %", decimals(share * 100.0, 0)),
        }
    }
}

/// A 95 % interval of a quantity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval<T> {
    /// Lower end.
    pub low: T,
    /// Upper end.
    pub high: T,
}

impl<T: fmt::Display> fmt::Display for Interval<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}–{}", self.low, self.high)
    }
}

/// A rate and, where there is one, its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The rate itself.
    pub value: Rate,
    /// Its 95 % interval.
    pub interval: Option<Interval<Rate>>,
}

impl Estimate {
    /// From fractions.
    pub fn new(value: f64, interval: Option<(f64, f64)>) -> Self {
        let interval = interval.map(|(low, high)| Interval { low: Rate(low), high: Rate(high) });
        Self { value: Rate(value), interval }
    }

    /// The largest number a drawing of this estimate has to reach.
    pub(crate) fn upper(&self) -> f64 {
        self.interval.map_or(self.value.0, |interval| interval.high.0.max(self.value.0))
    }

    /// As plain numbers, for the charts.
    pub(crate) fn limits(&self) -> Option<(f64, f64)> {
        self.interval.map(|interval| (interval.low.0, interval.high.0))
    }
}

/// Speed as a multiple of real time: Σ audio seconds / Σ processing seconds; three significant digits.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Rtfx(pub f64);

impl fmt::Display for Rtfx {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&three_digits(self.0))
    }
}

/// A duration in seconds, written with the unit that suits it (`182 ms`, `1.24 s`, `3 min 20 s`).
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Seconds(pub f64);

impl Seconds {
    /// Without a unit, for a column that states seconds in its head: three decimals below one second.
    pub fn plain(self) -> String {
        if self.0 < 1.0 { decimals(self.0, 3) } else { three_digits(self.0) }
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0;
        if !seconds.is_finite() {
            formatter.write_str(ABSENT)
        } else if seconds < 1.0 {
            write!(formatter, "{} ms", three_digits(seconds * 1000.0))
        } else if seconds < 120.0 {
            write!(formatter, "{} s", three_digits(seconds))
        } else {
            let whole = seconds.round() as u64;
            write!(formatter, "{} min {} s", whole / 60, whole % 60)
        }
    }
}

/// A number of parameters (`39.2 M`, `1.55 B`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Params(pub u64);

impl fmt::Display for Params {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0 as f64;
        match self.0 {
            1_000_000_000.. => write!(formatter, "{} B", three_digits(number / 1e9)),
            1_000_000.. => write!(formatter, "{} M", three_digits(number / 1e6)),
            1_000.. => write!(formatter, "{} k", three_digits(number / 1e3)),
            _ => write!(formatter, "{}", self.0),
        }
    }
}

/// A number of things, in groups of three digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count(pub u64);

impl fmt::Display for Count {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.char_indices() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                formatter.write_str("\u{202f}")?;
            }
            write!(formatter, "{digit}")?;
        }
        Ok(())
    }
}

/// An amount of memory or storage (`512 MiB`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
        if self.0 < 1024 {
            return write!(formatter, "{} B", self.0);
        }
        let mut amount = self.0 as f64 / 1024.0;
        let mut unit = 0;
        // 1023.5 would already be written as 1024.
        while amount >= 1023.5 && unit + 1 < UNITS.len() {
            amount /= 1024.0;
            unit += 1;
        }
        write!(formatter, "{} {}", three_digits(amount), UNITS[unit])
    }
}

/// A point in time, written in UTC to the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub OffsetDateTime);

impl Timestamp {
    /// How long ago this was at `now`; never negative.
    pub fn age(&self, now: &Self) -> Age {
        Age((now.0 - self.0).whole_seconds().max(0).cast_unsigned())
    }

    /// For the `datetime` attribute of `<time>`.
    pub fn machine(&self) -> String {
        let utc = self.0.to_offset(UtcOffset::UTC);
        let (hour, minute, second) = utc.to_hms();
        format!("{}T{hour:02}:{minute:02}:{second:02}Z", utc.date())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let utc = self.0.to_offset(UtcOffset::UTC);
        write!(formatter, "{} {:02}:{:02} UTC", utc.date(), utc.hour(), utc.minute())
    }
}

/// An age in seconds, written in at most two units (`40 s`, `2 h 5 min`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age(pub u64);

impl fmt::Display for Age {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, hours, minutes) = (self.0 / 86_400, self.0 / 3_600 % 24, self.0 / 60 % 60);
        match (days, hours, minutes) {
            (0, 0, 0) => write!(formatter, "{} s", self.0),
            (0, 0, _) => write!(formatter, "{minutes} min"),
            (0, _, 0) => write!(formatter, "{hours} h"),
            (0, _, _) => write!(formatter, "{hours} h {minutes} min"),
            (_, 0, _) => write!(formatter, "{days} d"),
            (_, _, _) => write!(formatter, "{days} d {hours} h"),
        }
    }
}

fn decimals(number: f64, places: usize) -> String {
    if number.is_finite() { format!("{number:.places$}") } else { ABSENT.to_owned() }
}

/// Three significant digits, but no digit left of the decimal point is ever dropped.
fn three_digits(number: f64) -> String {
    let magnitude = number.abs();
    // The limits sit half a unit of the last place below the power of ten, where rounding carries over.
    let places = if magnitude >= 99.95 {
        0
    } else if magnitude >= 9.995 {
        1
    } else if magnitude >= 0.9995 {
        2
    } else {
        3
    };
    decimals(number, places)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_rate_is_written_as_a_percentage_with_one_decimal() {
        assert_eq!(Rate(0.1234).to_string(), "12.3");
        assert_eq!(Rate(1.372).to_string(), "137.2");
        assert_eq!(Rate(f64::NAN).to_string(), "–");
        assert_eq!(Rate(0.1338).two_decimals(), "13.38");
    }

    #[test]
    fn a_difference_always_shows_its_sign() {
        let written = [0.0123, -0.0123, 0.0, -0.0004, f64::NAN].map(|points| Difference(points).to_string());
        assert_eq!(written, ["+1.2", "\u{2212}1.2", "0.0", "0.0", "–"]);
    }

    #[test]
    fn the_error_scale_has_seven_steps_with_closed_lower_ends() {
        let steps: Vec<usize> = [0.0, 0.0499, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.4]
            .iter()
            .map(|&rate| Rate(rate).step())
            .collect();
        assert_eq!(steps, [0, 0, 1, 2, 3, 4, 5, 6, 6]);
    }

    #[test]
    fn a_speed_has_three_significant_digits_also_where_rounding_carries() {
        let written: Vec<String> = [0.8741, 0.9996, 4.126, 9.999, 21.63, 99.96, 211.12, 3600.4]
            .iter()
            .map(|&speed| Rtfx(speed).to_string())
            .collect();
        assert_eq!(written, ["0.874", "1.00", "4.13", "10.0", "21.6", "100", "211", "3600"]);
    }

    #[test]
    fn a_duration_takes_the_unit_that_suits_it() {
        assert_eq!(Seconds(0.1824).to_string(), "182 ms");
        assert_eq!(Seconds(1.239).to_string(), "1.24 s");
        assert_eq!(Seconds(200.0).to_string(), "3 min 20 s");
        assert_eq!(Seconds(0.1824).plain(), "0.182");
        assert_eq!(Seconds(12.34).plain(), "12.3");
    }

    #[test]
    fn counts_and_sizes_are_grouped_and_scaled() {
        assert_eq!(Count(1_234_567).to_string(), "1\u{202f}234\u{202f}567");
        assert_eq!(Count(999).to_string(), "999");
        assert_eq!(Params(39_200_000).to_string(), "39.2 M");
        assert_eq!(Params(1_550_000_000).to_string(), "1.55 B");
        assert_eq!(Bytes(536_870_912).to_string(), "512 MiB");
        assert_eq!(Bytes(1_048_575).to_string(), "1.00 MiB");
        assert_eq!(Bytes(12).to_string(), "12 B");
    }

    #[test]
    fn a_point_in_time_is_written_in_utc() {
        let moment = Timestamp(datetime!(2026-11-24 06:48:09 +1));
        assert_eq!(moment.to_string(), "2026-11-24 05:48 UTC");
        assert_eq!(moment.machine(), "2026-11-24T05:48:09Z");
    }

    #[test]
    fn an_age_has_at_most_two_units_and_is_never_negative() {
        let ages: Vec<String> = [0, 59, 60, 3_599, 3_600, 7_500, 86_400, 180_000]
            .iter()
            .map(|&age| Age(age).to_string())
            .collect();
        assert_eq!(ages, ["0 s", "59 s", "1 min", "59 min", "1 h", "2 h 5 min", "1 d", "2 d 2 h"]);
        let later = Timestamp(datetime!(2026-11-24 06:00 UTC));
        let earlier = Timestamp(datetime!(2026-11-24 05:00 UTC));
        assert_eq!(later.age(&earlier), Age(0));
    }
}
