//! Experiments that say how far this crate can be trusted: against theory, and against measured rooms.
//!
//! [`experiments`] lists them, [`Experiment::run`] does one, and a [`Report`] of all their [`Check`]s is text
//! ([`std::fmt::Display`]), JSON (serde) or a drawing ([`Report::to_svg`]). What does not match is in the report as
//! well, with the reason where it is known.

mod analysis;
mod geometric;
mod measured;
mod rooms;
mod svg;
mod text;
mod wave;

use serde::Serialize;

use crate::wave::WaveExecutor;

/// What an experiment has to work with.
pub struct Context<'a> {
    /// Runs the wave solver.
    pub executor: &'a dyn WaveExecutor,
    /// Told now and then which share of the experiment is done, from any thread.
    pub progress: &'a (dyn Fn(f64) + Sync),
}

/// Why an experiment gave no figures.
#[derive(Debug, thiserror::Error)]
#[error("the experiment \"{experiment}\" could not be done: {source}")]
pub struct ExperimentError {
    /// Its name.
    pub experiment: &'static str,
    /// What went wrong.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Figures, or why there are none.
type Findings = Result<Vec<Figure>, Box<dyn std::error::Error + Send + Sync>>;

/// Something that can be tried and compared.
#[derive(Debug, Clone, Copy)]
pub struct Experiment {
    /// Short name, for the command line.
    pub name: &'static str,
    /// What is tried, in a sentence.
    pub title: &'static str,
    /// What the expected values rest on.
    pub reference: &'static str,
    /// Whether it takes a second or so at most.
    pub quick: bool,
    /// Why a figure is known to miss its target, where that is so.
    pub known_miss: Option<&'static str>,
    find: fn(&Context) -> Findings,
}

/// All experiments, in the order of the report.
pub fn experiments() -> Vec<Experiment> {
    [analysis::EXPERIMENTS, wave::EXPERIMENTS, geometric::EXPERIMENTS, rooms::EXPERIMENTS].concat()
}

impl Experiment {
    /// Does it.
    ///
    /// # Errors
    /// [`ExperimentError`] when a solver refuses or fails.
    pub fn run(&self, context: &Context) -> Result<Check, ExperimentError> {
        let figures =
            (self.find)(context).map_err(|source| ExperimentError { experiment: self.name, source })?;
        let missed = figures.iter().any(|figure| figure.passes() == Some(false));
        let outcome = match (missed, self.known_miss) {
            (false, _) => Outcome::Pass,
            (true, Some(_)) => Outcome::KnownMiss,
            (true, None) => Outcome::Miss,
        };
        Ok(Check {
            name: self.name,
            title: self.title,
            reference: self.reference,
            outcome,
            reason: self.known_miss.filter(|_| missed),
            figures,
        })
    }
}

/// What came of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// Short name.
    pub name: &'static str,
    /// What was tried.
    pub title: &'static str,
    /// What the expected values rest on.
    pub reference: &'static str,
    /// Whether every figure with a limit keeps it.
    pub outcome: Outcome,
    /// Why it misses, where that is known.
    pub reason: Option<&'static str>,
    /// What was measured.
    pub figures: Vec<Figure>,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every figure with a limit keeps it.
    Pass,
    /// A figure misses, and it is known why.
    KnownMiss,
    /// A figure misses.
    Miss,
}

/// One measured value and what it should be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// What was measured.
    pub quantity: String,
    /// The value.
    pub value: f64,
    /// Its unit; empty for a pure number.
    pub unit: &'static str,
    /// What it should be.
    #[serde(flatten)]
    pub target: Target,
}

/// What a value should be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "target", rename_all = "snake_case")]
pub enum Target {
    /// So much, with a tolerance to both sides.
    Near {
        /// The expected value.
        expected: f64,
        /// How far off it may be.
        tolerance: f64,
    },
    /// No more than this.
    AtMost {
        /// The limit.
        limit: f64,
    },
    /// No less than this.
    AtLeast {
        /// The limit.
        limit: f64,
    },
    /// Shown beside another value, not judged by itself.
    Compare {
        /// The other value.
        expected: f64,
        /// Just noticeable difference (ISO 3382-1, table A.1), or another measure of what matters.
        step: f64,
    },
}

impl Figure {
    fn near(
        quantity: impl Into<String>,
        value: f64,
        unit: &'static str,
        expected: f64,
        tolerance: f64,
    ) -> Self {
        Self { quantity: quantity.into(), value, unit, target: Target::Near { expected, tolerance } }
    }

    fn at_most(quantity: impl Into<String>, value: f64, unit: &'static str, limit: f64) -> Self {
        Self { quantity: quantity.into(), value, unit, target: Target::AtMost { limit } }
    }

    /// Whether it is as it should be; `None` if it is not judged. A value that is no number never is.
    pub fn passes(&self) -> Option<bool> {
        match self.target {
            Target::Near { expected, tolerance } => Some((self.value - expected).abs() <= tolerance),
            Target::AtMost { limit } => Some(self.value <= limit),
            Target::AtLeast { limit } => Some(self.value >= limit),
            Target::Compare { .. } => None,
        }
    }

    /// How far off it is in units of what is allowed: within ±1 it passes; positive is too large.
    pub fn deviation(&self) -> f64 {
        match self.target {
            Target::Near { expected, tolerance: step } | Target::Compare { expected, step } => {
                (self.value - expected) / step
            }
            // Of two levels below zero the lower one is the larger number.
            Target::AtMost { limit } if limit < 0.0 => limit / self.value,
            Target::AtMost { limit } => self.value / limit,
            Target::AtLeast { limit } => limit / self.value,
        }
    }
}

/// All checks of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// What ran the wave solver.
    pub backend: String,
    /// The checks, in order.
    pub checks: Vec<Check>,
}

impl Report {
    /// Whether every check passes or misses for a known reason.
    pub fn is_as_expected(&self) -> bool {
        self.checks.iter().all(|check| check.outcome != Outcome::Miss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let figure = |value| Figure::near("time at 1 kHz", value, "s", 1.0, 0.1);
        let compare = Figure { target: Target::Compare { expected: 0.5, step: 0.05 }, ..figure(0.7) };
        let experiment = Experiment {
            name: "clock",
            title: "A clock ticks < 1 s & no \"more\"",
            reference: "theory",
            quick: true,
            known_miss: None,
            find: |_| Ok(vec![]),
        };
        let check = |outcome, figures| Check {
            name: experiment.name,
            title: experiment.title,
            reference: experiment.reference,
            outcome,
            reason: None,
            figures,
        };
        Report {
            backend: "CPU".to_owned(),
            checks: vec![
                check(Outcome::Pass, vec![figure(1.05), compare]),
                check(Outcome::Miss, vec![figure(f64::NAN)]),
            ],
        }
    }

    #[test]
    fn a_figure_passes_within_its_tolerance_and_never_as_no_number() {
        let near = |value| Figure::near("x", value, "s", 2.0, 0.5).passes();
        assert_eq!([near(1.5), near(2.6), near(f64::NAN)], [Some(true), Some(false), Some(false)]);
        assert_eq!(Figure::at_most("x", 3.0, "", 2.0).passes(), Some(false));
        assert!((Figure::near("x", 1.0, "s", 2.0, 0.5).deviation() + 2.0).abs() < 1e-12);
    }

    #[test]
    fn a_miss_without_a_known_reason_makes_the_report_unexpected() {
        let run = |known_miss| {
            let experiment = Experiment {
                name: "x",
                title: "x",
                reference: "x",
                quick: true,
                known_miss,
                find: |_| Ok(vec![Figure::at_most("x", 2.0, "", 1.0)]),
            };
            experiment
                .run(&Context { executor: &crate::wave::CpuExecutor::new(), progress: &|_| {} })
                .unwrap()
        };
        assert_eq!((run(None).outcome, run(None).reason), (Outcome::Miss, None));
        assert_eq!((run(Some("why")).outcome, run(Some("why")).reason), (Outcome::KnownMiss, Some("why")));
        let report = |check| Report { backend: String::new(), checks: vec![check] };
        assert!(!report(run(None)).is_as_expected() && report(run(Some("why"))).is_as_expected());
    }

    #[test]
    fn every_experiment_has_its_own_name() {
        let experiments = experiments();
        for experiment in &experiments {
            assert_eq!(experiments.iter().filter(|other| other.name == experiment.name).count(), 1);
        }
    }

    #[test]
    fn the_report_says_in_every_form_what_was_found() {
        let report = report();
        let text = report.to_string();
        assert!(text.contains("MISS") && text.contains("time at 1 kHz") && text.contains("1.05 s"), "{text}");
        let svg = report.to_svg();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(
            svg.contains("A clock ticks &lt; 1 s &amp; no &quot;more&quot;") && !svg.contains("NaN"),
            "{svg}"
        );
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["checks"][0]["figures"][0]["expected"], 1.0);
        assert_eq!(json["checks"][1]["outcome"], "miss");
    }
}
