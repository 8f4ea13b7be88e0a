//! Finding a device, and running plans on it.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use acoustics::wave::{Excitation, Probe, Progress, WaveError, WaveExecutor, WavePlan};

use crate::run::Run;

/// Why there is no executor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GpuError {
    /// No device with Vulkan.
    #[error(
        "there is no device with Vulkan here{}; install a driver, or mesa-vulkan-drivers to run on the processor", wanted.as_ref().map(|name| format!(" whose name contains \"{name}\"")).unwrap_or_default()
    )]
    NoDevice {
        /// What the name was to contain.
        wanted: Option<String>,
    },
    /// The device is there but does not open.
    #[error("{device} cannot be used: {message}")]
    Device {
        /// Its name.
        device: String,
        /// What the driver says.
        message: String,
    },
}

/// A device that could run plans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// Its name.
    pub name: String,
    /// Whether it is a graphics processor, and not Vulkan on a CPU.
    pub is_gpu: bool,
}

impl Adapter {
    /// All devices with Vulkan on this machine, graphics processors first.
    pub fn all() -> Vec<Self> {
        adapters().iter().map(|adapter| Self::from(&adapter.get_info())).collect()
    }
}

impl From<&wgpu::AdapterInfo> for Adapter {
    fn from(info: &wgpu::AdapterInfo) -> Self {
        Self { name: info.name.clone(), is_gpu: info.device_type != wgpu::DeviceType::Cpu }
    }
}

/// The devices, the ones that are likely to be fastest first.
fn adapters() -> Vec<wgpu::Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::VULKAN;
    let mut adapters =
        pollster::block_on(wgpu::Instance::new(descriptor).enumerate_adapters(wgpu::Backends::VULKAN));
    adapters.sort_by_key(|adapter| match adapter.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::VirtualGpu => 1,
        wgpu::DeviceType::IntegratedGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    });
    adapters
}

/// Runs wave plans on a graphics processor.
#[derive(Debug, Clone)]
pub struct GpuExecutor {
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    adapter: Adapter,
}

impl GpuExecutor {
    /// The fastest device there is; with `wanted` one whose name contains that, letter case aside.
    ///
    /// # Errors
    /// [`GpuError`] when there is none or it does not open.
    pub fn new(wanted: Option<&str>) -> Result<Self, GpuError> {
        let fits = |adapter: &wgpu::Adapter| {
            let name = adapter.get_info().name.to_lowercase();
            wanted.is_none_or(|wanted| name.contains(&wanted.to_lowercase()))
        };
        let adapter = adapters()
            .into_iter()
            .find(fits)
            .ok_or_else(|| GpuError::NoDevice { wanted: wanted.map(str::to_owned) })?;
        let about = Adapter::from(&adapter.get_info());
        // Everything the device has: the default limits stop at 128 MiB a buffer.
        let descriptor =
            wgpu::DeviceDescriptor { required_limits: adapter.limits(), ..wgpu::DeviceDescriptor::default() };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))
            .map_err(|error| GpuError::Device { device: about.name.clone(), message: error.to_string() })?;
        Ok(Self { device, queue, adapter: about })
    }

    /// The device.
    pub fn adapter(&self) -> &Adapter {
        &self.adapter
    }

    /// Bytes per second that a copy from one buffer of the device to another reads and writes together: what bounds
    /// every run.
    ///
    /// # Errors
    /// [`WaveError::Device`] when the device cannot.
    pub fn copy_bandwidth(&self) -> Result<f64, WaveError> {
        const BYTES: u64 = 256 << 20;
        const COPIES: u32 = 8;
        let [from, to] = [(); 2].map(|()| {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("bandwidth"),
                size: BYTES,
                usage: wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        });
        let mut fastest = Duration::MAX;
        for _ in 0..5 {
            let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            for _ in 0..COPIES {
                encoder.copy_buffer_to_buffer(&from, 0, &to, 0, BYTES);
            }
            let begun = Instant::now();
            self.queue.submit([encoder.finish()]);
            self.wait()?;
            fastest = fastest.min(begun.elapsed());
        }
        Ok(2.0 * f64::from(COPIES) * BYTES as f64 / fastest.as_secs_f64())
    }

    /// Until everything submitted is done.
    pub(crate) fn wait(&self) -> Result<(), WaveError> {
        self.device
            .poll(wgpu::PollType::wait_indefinitely())
            .map(drop)
            .map_err(|error| self.fault(error.to_string()))
    }

    pub(crate) fn fault(&self, message: impl Into<String>) -> WaveError {
        WaveError::Device { executor: self.name(), message: message.into() }
    }
}

impl WaveExecutor for GpuExecutor {
    fn name(&self) -> String {
        format!("GPU, {}", self.adapter.name)
    }

    fn run(
        &self,
        plan: &WavePlan,
        source: &Excitation,
        receivers: &[Probe],
        progress: &dyn Progress,
    ) -> Result<Vec<Vec<f32>>, WaveError> {
        let mut run = Run::new(self, plan, source, receivers)?;
        while let Some(steps) = run.advance()? {
            if progress.advance(plan.nodes() * steps as u64) == ControlFlow::Break(()) {
                return Err(WaveError::Cancelled);
            }
        }
        run.heard()
    }
}
