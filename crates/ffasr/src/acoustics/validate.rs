//! `ffasr acoustics validate`: whether the simulator can be trusted.

use std::{path::PathBuf, time::Instant};

use acoustics::validation::{Context, Experiment, Outcome, Report, experiments};
use clap::Args;

use super::{backend::Backend, output::write_new};
use crate::error::Failure;

#[derive(Args)]
pub(crate) struct Arguments {
    /// What runs the wave solver.
    #[arg(long, value_enum, default_value_t)]
    backend: Backend,
    /// Directory for report.txt, report.json and report.svg; made if it is not there.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Only experiments whose name contains this; may be given several times.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Only what takes a few seconds.
    #[arg(long)]
    quick: bool,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let chosen = choose(arguments)?;
    let executor = arguments.backend.executor();
    let mut report = Report { backend: executor.name(), checks: Vec::new() };
    for (index, experiment) in chosen.iter().enumerate() {
        crate::progress::step(&format!("{}/{} {}", index + 1, chosen.len(), experiment.title));
        let started = Instant::now();
        let bar = crate::progress::percent("  done");
        // Most experiments are over before a bar would help anybody.
        let progress = |share: f64| {
            if started.elapsed().as_secs_f64() > 2.0 {
                bar((1_000.0 * share) as usize, 1_000);
            }
        };
        let context = Context { executor: &*executor, progress: &progress };
        report.checks.push(experiment.run(&context).map_err(Failure::failed)?);
    }
    let json = serde_json::to_string_pretty(&report).map_err(Failure::failed)?;
    if let Some(directory) = &arguments.out {
        std::fs::create_dir_all(directory)
            .map_err(|error| Failure::failed(format!("{} cannot be made: {error}", directory.display())))?;
        for (name, text) in [
            ("report.txt", report.to_string()),
            ("report.json", json.clone()),
            ("report.svg", report.to_svg()),
        ] {
            write_new(&directory.join(name), text.as_bytes())?;
        }
    }
    if arguments.json {
        println!("{json}");
    } else {
        print!("{report}");
    }
    if report.is_as_expected() {
        return Ok(());
    }
    let missed: Vec<_> =
        report.checks.iter().filter(|check| check.outcome == Outcome::Miss).map(|check| check.name).collect();
    Err(Failure::failed(format!("these checks miss their tolerance: {}", missed.join(", "))))
}

fn choose(arguments: &Arguments) -> Result<Vec<Experiment>, Failure> {
    let all = experiments();
    for part in &arguments.only {
        if !all.iter().any(|experiment| experiment.name.contains(part)) {
            let names: Vec<_> = all.iter().map(|experiment| experiment.name).collect();
            return Err(Failure::input(format!(
                "no experiment has \"{part}\" in its name; there are: {}",
                names.join(", ")
            )));
        }
    }
    let wanted = |experiment: &Experiment| {
        (arguments.only.is_empty() || arguments.only.iter().any(|part| experiment.name.contains(part)))
            && (experiment.quick || !arguments.quick)
    };
    Ok(all.into_iter().filter(wanted).collect())
}
