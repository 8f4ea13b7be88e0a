//! Wave plans on a graphics processor: the same plan as [`acoustics::CpuExecutor`] runs, through wgpu and Vulkan.
//!
//! Without a graphics processor it runs on lavapipe, Mesa's Vulkan on a CPU: slower than [`acoustics::CpuExecutor`],
//! but the same code, which is how it is tested. Results agree with the processor's to the rounding of single precision.

mod executor;
mod run;

pub use executor::{Adapter, GpuError, GpuExecutor};
