//! What runs the wave solver.

use acoustics::wave::{CpuExecutor, WaveExecutor};
use clap::ValueEnum;

use crate::error::Failure;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Backend {
    /// The processor.
    #[default]
    Cpu,
}

impl Backend {
    pub(crate) fn executor(self) -> Result<Box<dyn WaveExecutor>, Failure> {
        match self {
            Self::Cpu => Ok(Box::new(CpuExecutor::new())),
        }
    }
}
