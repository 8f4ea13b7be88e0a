//! What runs the wave solver.

use acoustics::wave::{CpuExecutor, WaveExecutor};
use acoustics_gpu::GpuExecutor;
use clap::ValueEnum;

use crate::error::Failure;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Backend {
    /// The processor.
    #[default]
    Cpu,
    /// The fastest device with Vulkan, which is lavapipe on a machine without a graphics processor.
    Gpu,
}

impl Backend {
    pub(crate) fn executor(self) -> Result<Box<dyn WaveExecutor>, Failure> {
        match self {
            Self::Cpu => Ok(Box::new(CpuExecutor::new())),
            Self::Gpu => Ok(Box::new(GpuExecutor::new(None).map_err(Failure::failed)?)),
        }
    }
}
