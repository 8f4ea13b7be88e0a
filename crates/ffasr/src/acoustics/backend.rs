//! What runs the wave solver.

use acoustics::wave::{CpuExecutor, WaveExecutor};
use clap::ValueEnum;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Backend {
    /// The processor.
    #[default]
    Cpu,
}

impl Backend {
    pub(crate) fn executor(self) -> Box<dyn WaveExecutor> {
        match self {
            Self::Cpu => Box::new(CpuExecutor::new()),
        }
    }
}
