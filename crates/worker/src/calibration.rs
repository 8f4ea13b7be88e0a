//! Whether the node runs at its usual pace: a gate for measurements, never a factor on them (timing, version 1).
//!
//! The golden value is measured by `ffasr worker --calibrate` and kept in a file beside the node's data. Without it
//! there is no gate: a shared machine drifts, and a rule that nobody set would only void honest attempts.

use std::{fs, io, path::Path};

use protocol::Calibration;
use sandbox::{Cancel, Fault, Sandbox};
use serde::{Deserialize, Serialize};

use crate::fingerprint;

/// Rounds of a calibration; the median of their medians is golden.
const ROUNDS: usize = 7;

/// What this node's measurements must agree with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Golden {
    /// Median seconds of the fixed piece of work ([`Sandbox::pace`]).
    pub golden_seconds: f64,
    /// Least and most of the rounds behind it.
    pub range_seconds: (f64, f64),
    /// Most that a measurement may differ from the golden value, as a share of it.
    pub tolerance: f64,
    /// Most that the measurements before and after an attempt may differ, as a share.
    pub drift: f64,
    /// Processor of the machine this was measured on.
    pub cpu: String,
    /// Its kernel.
    pub kernel: String,
}

/// Measure this machine.
///
/// # Errors
/// Whatever kept the work from being done.
pub fn calibrate(sandbox: &Sandbox, tolerance: f64, drift: f64) -> Result<Golden, Fault> {
    let mut rounds =
        (0..ROUNDS).map(|_| sandbox.pace(&Cancel::default())).collect::<Result<Vec<f64>, Fault>>()?;
    rounds.sort_unstable_by(f64::total_cmp);
    let node = fingerprint();
    Ok(Golden {
        golden_seconds: rounds[ROUNDS / 2],
        range_seconds: (rounds[0], rounds[ROUNDS - 1]),
        tolerance,
        drift,
        cpu: node.cpu,
        kernel: node.kernel,
    })
}

impl Golden {
    /// The golden value in the file `path`; `None` if there is no such file.
    ///
    /// # Errors
    /// If it cannot be read, or was measured on another machine or kernel: then it says nothing about this one.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text?,
        };
        let golden: Self = serde_json::from_str(&text)?;
        let node = fingerprint();
        if (&golden.cpu, &golden.kernel) == (&node.cpu, &node.kernel) {
            return Ok(Some(golden));
        }
        Err(io::Error::other(format!(
            "it was measured on {} with kernel {}, this is {} with kernel {}; measure anew with `ffasr worker --calibrate` or remove it",
            golden.cpu, golden.kernel, node.cpu, node.kernel
        )))
    }

    /// Keep it in the file `path`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        fs::write(path, serde_json::to_string_pretty(self)? + "\n")
    }

    /// Whether the measurements around a run let it count.
    ///
    /// # Errors
    /// Why they do not, with the figures.
    pub fn judge(&self, before: f64, after: f64) -> Result<Calibration, String> {
        let off = |pace: f64| pace / self.golden_seconds - 1.0;
        let percent = |share: f64| 100.0 * share;
        for (when, pace) in [("before", before), ("after", after)] {
            if off(pace).abs() > self.tolerance {
                return Err(format!(
                    "the node was not at its usual pace {when} the run: {:+.1} %, allowed are {:.1} %",
                    percent(off(pace)),
                    percent(self.tolerance)
                ));
            }
        }
        let drift = after / before - 1.0;
        if drift.abs() > self.drift {
            return Err(format!(
                "the node's pace changed during the run: {:+.1} %, allowed are {:.1} %",
                percent(drift),
                percent(self.drift)
            ));
        }
        Ok(Calibration { golden_seconds: self.golden_seconds, before_seconds: before, after_seconds: after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden() -> Golden {
        let node = fingerprint();
        Golden {
            golden_seconds: 0.1,
            range_seconds: (0.099, 0.101),
            // The rule of the method.
            tolerance: 0.02,
            drift: 0.015,
            cpu: node.cpu,
            kernel: node.kernel,
        }
    }

    #[test]
    fn a_run_counts_within_two_percent_of_golden_and_one_and_a_half_of_itself() {
        let golden = golden();
        assert!(golden.judge(0.1, 0.1014).is_ok());
        assert!(golden.judge(0.103, 0.103).unwrap_err().contains("before the run: +3.0 %"));
        assert!(golden.judge(0.1, 0.097).unwrap_err().contains("after the run: -3.0 %"));
        assert!(golden.judge(0.0985, 0.1005).unwrap_err().contains("changed during the run: +2.0 %"));
    }

    #[test]
    fn a_value_of_another_machine_is_refused_and_none_is_no_gate() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("calibration.json");
        assert_eq!(Golden::read(&path).unwrap(), None);
        golden().write(&path).unwrap();
        assert_eq!(Golden::read(&path).unwrap(), Some(golden()));
        Golden { cpu: "Another".to_owned(), ..golden() }.write(&path).unwrap();
        assert!(Golden::read(&path).unwrap_err().to_string().contains("measured on Another"));
    }
}
