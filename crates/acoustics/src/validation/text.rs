//! The report as text.

use std::fmt::{self, Display, Formatter};

use super::{Check, Figure, Outcome, Report, Target};

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "Validation of the room acoustics simulator; wave solver on {}", self.backend)?;
        for check in &self.checks {
            write!(f, "\n{check}")?;
        }
        let count = |outcome| self.checks.iter().filter(|check| check.outcome == outcome).count();
        let [passed, known, missed] = [Outcome::Pass, Outcome::KnownMiss, Outcome::Miss].map(count);
        writeln!(f, "\n{passed} checks pass, {known} miss for a known reason, {missed} miss")
    }
}

impl Display for Check {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<10} {} [{}]", self.outcome.to_string(), self.title, self.name)?;
        writeln!(f, "           against: {}", self.reference)?;
        for figure in &self.figures {
            writeln!(f, "  {} {figure}", figure.mark())?;
        }
        match self.reason {
            Some(reason) => writeln!(f, "           why: {reason}"),
            None => Ok(()),
        }
    }
}

impl Display for Outcome {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "PASS",
            Self::KnownMiss => "KNOWN MISS",
            Self::Miss => "MISS",
        })
    }
}

impl Display for Figure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.quantity, self.in_unit(self.value))?;
        match self.target {
            Target::Near { expected, tolerance } => {
                write!(f, " (expected {} ± {})", significant(expected), self.in_unit(tolerance))
            }
            Target::AtMost { limit } => write!(f, " (at most {})", self.in_unit(limit)),
            Target::AtLeast { limit } => write!(f, " (at least {})", self.in_unit(limit)),
            Target::Compare { expected, .. } => {
                write!(f, " (beside {}: {:+.1} steps)", self.in_unit(expected), self.deviation())
            }
        }
    }
}

impl Figure {
    /// One character: whether it passes.
    fn mark(&self) -> char {
        match self.passes() {
            Some(true) => '✓',
            Some(false) => '✗',
            None => '·',
        }
    }

    fn in_unit(&self, value: f64) -> String {
        if !value.is_finite() {
            return "not to be had".to_owned();
        }
        let space = if self.unit.is_empty() { "" } else { " " };
        format!("{}{space}{}", significant(value), self.unit)
    }
}

/// Three significant digits, as far as there are any after the point.
pub(super) fn significant(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs().log10().floor() as i32;
    match magnitude {
        ..-4 | 6.. => format!("{value:.2e}"),
        _ => format!("{value:.*}", (2 - magnitude).max(0) as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::significant;

    #[test]
    fn numbers_have_three_digits_that_mean_something() {
        let written = [0.0, 1.234_5, -0.012_345, 123.4, 12_345.0, 1e-9].map(significant);
        assert_eq!(written, ["0", "1.23", "-0.0123", "123", "12345", "1.00e-9"]);
    }
}
