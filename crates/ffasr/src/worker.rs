//! `ffasr worker`: a node that runs models.

use std::path::{Path, PathBuf};

use clap::Args;
use sandbox::Sandbox;
use worker::{
    Config, Duties,
    calibration::{self, Golden},
};

use crate::{directories, error::Failure, serve};

/// Run models for a service.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Prove that the sandbox isolates on this machine, print how, and stop.
    #[arg(long)]
    check: bool,
    /// Address of the service.
    #[arg(long, env = "FFASR_SERVICE", required_unless_present_any = ["check", "calibrate"])]
    service: Option<String>,
    /// File with the worker's token, from `ffasr admin worker add`.
    #[arg(long, env = "FFASR_TOKEN_FILE", required_unless_present_any = ["check", "calibrate"])]
    token_file: Option<PathBuf>,
    /// Class of hardware this node is.
    #[arg(long, env = "FFASR_HARDWARE_CLASS", default_value_t = serve::default_hardware_class())]
    hardware_class: String,
    /// Name in the service's request log.
    #[arg(long, env = "FFASR_WORKER_NAME", default_value = "worker")]
    name: String,
    /// Directory of everything this machine keeps.
    #[arg(long, env = "FFASR_DATA", default_value_os_t = directories::default_data())]
    data: PathBuf,
    /// Accelerators each attempt gets for itself.
    #[arg(long, env = "FFASR_ACCELERATORS", default_value_t = 0)]
    accelerators: usize,
    /// Gibibytes of models from a hub that are kept here for the next attempt.
    #[arg(long, env = "FFASR_CACHE_GIB", default_value_t = 20)]
    cache_gib: u64,
    /// Measure this node's usual pace, keep it and stop. From then on an attempt during which the node was not at that
    /// pace does not count and is repeated. Only for machines with nothing else to do.
    #[arg(long, conflicts_with = "check")]
    calibrate: bool,
    /// With --calibrate: how far from the usual pace a run may start or end, as a share.
    #[arg(long, requires = "calibrate", default_value_t = 0.02)]
    tolerance: f64,
    /// With --calibrate: how much the pace may change during a run, as a share.
    #[arg(long, requires = "calibrate", default_value_t = 0.015)]
    drift: f64,
    /// What it does: runs models, renders releases, or both; models first.
    #[arg(long, env = "FFASR_WORK", value_enum, default_value = "both")]
    work: Work,
    /// Where runtimes are installed (`deploy/runtimes/install`).
    #[arg(long, env = "FFASR_RUNTIMES", default_value_os_t = sandbox::runtime::default_root())]
    runtimes: PathBuf,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Work {
    Evaluate,
    Render,
    Both,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    if arguments.check {
        let check = tokio::task::spawn_blocking(sandbox::check).await.map_err(Failure::failed)?;
        println!("{check}");
        return if check.passed() {
            Ok(())
        } else {
            Err(Failure::failed("isolation is not in force on this machine"))
        };
    }
    if arguments.calibrate {
        return calibrate(arguments).await;
    }
    let (Some(service), Some(token_file)) = (arguments.service, arguments.token_file) else {
        return Err(Failure::input("--service and --token-file are needed"));
    };
    directories::open_to_pass(&arguments.data)?;
    let calibration = calibration_file(&arguments.data);
    let golden = Golden::read(&calibration)
        .map_err(|error| Failure::failed(format!("{} cannot be used: {error}", calibration.display())))?;
    let config = Config {
        service,
        token_file,
        hardware_class: arguments.hardware_class,
        runtimes: arguments.runtimes,
        work_directory: arguments.data.join("work").join(&arguments.name),
        name: arguments.name,
        accelerators: arguments.accelerators,
        accelerator_locks: arguments.data.join("accelerators"),
        duties: match arguments.work {
            Work::Evaluate => Duties::Evaluate,
            Work::Render => Duties::Render,
            Work::Both => Duties::Both,
        },
        cache_bytes: arguments.cache_gib << 30,
        golden,
    };
    worker::run(config).await.map_err(Failure::failed)
}

fn calibration_file(data: &Path) -> PathBuf {
    data.join("calibration.json")
}

async fn calibrate(arguments: Arguments) -> Result<(), Failure> {
    directories::open_to_pass(&arguments.data)?;
    let file = calibration_file(&arguments.data);
    let (tolerance, drift) = (arguments.tolerance, arguments.drift);
    let measure = move || {
        let sandbox = Sandbox::open().map_err(Failure::failed)?;
        calibration::calibrate(&sandbox, tolerance, drift).map_err(Failure::failed)
    };
    let golden = tokio::task::spawn_blocking(measure).await.map_err(Failure::failed)??;
    golden
        .write(&file)
        .map_err(|error| Failure::failed(format!("{} cannot be written: {error}", file.display())))?;
    let (least, most) = golden.range_seconds;
    println!(
        "usual pace {:.2} ms, {:.2} to {:.2} ms in seven rounds; kept in {}",
        1e3 * golden.golden_seconds,
        1e3 * least,
        1e3 * most,
        file.display()
    );
    if most / least - 1.0 > golden.tolerance {
        eprintln!(
            "the rounds differ by more than the tolerance: this machine is too unsteady for such a rule"
        );
    }
    Ok(())
}
