//! `ffasr worker`: a node that runs models.

use std::path::PathBuf;

use clap::Args;
use worker::Config;

use crate::{directories, error::Failure, serve};

/// Run models for a service.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Prove that the sandbox isolates on this machine, print how, and stop.
    #[arg(long)]
    check: bool,
    /// Address of the service.
    #[arg(long, env = "FFASR_SERVICE", required_unless_present = "check")]
    service: Option<String>,
    /// File with the worker's token, from `ffasr admin worker add`.
    #[arg(long, env = "FFASR_TOKEN_FILE", required_unless_present = "check")]
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
    /// Where runtimes are installed (`deploy/runtimes/install`).
    #[arg(long, env = "FFASR_RUNTIMES", default_value_os_t = sandbox::runtime::default_root())]
    runtimes: PathBuf,
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
    let (Some(service), Some(token_file)) = (arguments.service, arguments.token_file) else {
        return Err(Failure::input("--service and --token-file are needed"));
    };
    directories::open_to_pass(&arguments.data)?;
    let config = Config {
        service,
        token_file,
        hardware_class: arguments.hardware_class,
        runtimes: arguments.runtimes,
        work_directory: arguments.data.join("work").join(&arguments.name),
        name: arguments.name,
    };
    worker::run(config).await.map_err(Failure::failed)
}
