//! One run of a plan: buffers, pipelines, and steps in batches.

use std::time::{Duration, Instant};

use acoustics::wave::{Excitation, Grid, Probe, WaveError, WavePlan};
use wgpu::util::DeviceExt;

use crate::executor::GpuExecutor;

/// A batch of steps should take about this long: short enough to be cancelled, long enough that waiting for it
/// costs nothing.
const BATCH: Duration = Duration::from_millis(100);
/// Most steps of a batch, since their commands are held in memory.
const LARGEST_BATCH: usize = 1_024;
/// Invocations in a group of the kernels that work through lists.
const GROUP: u32 = 64;
/// Most groups along one dimension (WebGPU's limit everywhere).
const MOST_GROUPS: u32 = 65_535;

/// A run on its way.
pub(crate) struct Run<'a> {
    executor: &'a GpuExecutor,
    steps: usize,
    done: usize,
    batch: usize,
    receivers: usize,
    heard: wgpu::Buffer,
    air: Kernel,
    mouths: Kernel,
    /// How many steps the source speaks.
    spoken: usize,
    boundary: Option<Kernel>,
    ears: Option<Kernel>,
}

/// A pipeline with its buffers, for even and for odd steps.
struct Kernel {
    pipeline: wgpu::ComputePipeline,
    bindings: [wgpu::BindGroup; 2],
    groups: [u32; 3],
}

/// Everything a plan keeps on the device.
struct Buffers {
    fields: [wgpu::Buffer; 2],
    /// In the order of the bindings, from 2 on.
    others: Vec<wgpu::Buffer>,
}

/// Index of `heard` in [`Buffers::others`].
const HEARD: usize = 12;

impl<'a> Run<'a> {
    pub(crate) fn new(
        executor: &'a GpuExecutor,
        plan: &WavePlan,
        source: &Excitation,
        receivers: &[Probe],
    ) -> Result<Self, WaveError> {
        let scopes = [wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Validation]
            .map(|filter| executor.device.push_error_scope(filter));
        let made = Self::make(executor, plan, source, receivers);
        for scope in scopes.into_iter().rev() {
            if let Some(error) = pollster::block_on(scope.pop()) {
                return Err(executor.fault(format!("the run could not be prepared: {error}")));
            }
        }
        made
    }

    fn make(
        executor: &'a GpuExecutor,
        plan: &WavePlan,
        source: &Excitation,
        receivers: &[Probe],
    ) -> Result<Self, WaveError> {
        let buffers = Buffers::new(executor, plan, source, receivers)?;
        let module = executor.device.create_shader_module(wgpu::include_wgsl!("wave.wgsl"));
        let constants = constants(plan, source, receivers);
        let kernel = |entry: &str, used: &[u32], groups: [u32; 3]| {
            Kernel::new(executor, &module, entry, &constants, &buffers, used, groups)
        };
        let [planes, rows, stride] = plan.lattice().dimensions().map(|d| d as u32);
        let nodes = plan.boundary().nodes.len() as u32;
        let list = |count: u32| {
            let groups = count.div_ceil(GROUP);
            [groups.min(MOST_GROUPS), groups.div_ceil(MOST_GROUPS), 1]
        };
        Ok(Self {
            steps: plan.steps(),
            done: 0,
            batch: 4,
            receivers: receivers.len(),
            air: kernel(
                "update_air",
                &[0, 1, 2, 3],
                [stride.div_ceil(32), rows.div_ceil(4), planes.div_ceil(2)],
            ),
            mouths: kernel("excite", &[0, 3, 4, 5], list(source.probe.weights.len() as u32)),
            spoken: source.signal.len(),
            boundary: (nodes > 0)
                .then(|| kernel("update_boundary", &[0, 1, 6, 7, 8, 9, 10, 11], list(nodes))),
            ears: (!receivers.is_empty())
                .then(|| kernel("listen", &[0, 3, 12, 13, 14], list(receivers.len() as u32))),
            heard: buffers.others[HEARD].clone(),
            executor,
        })
    }

    /// Takes some steps and waits for them; says how many, or that there are none left.
    pub(crate) fn advance(&mut self) -> Result<Option<usize>, WaveError> {
        let count = self.batch.min(self.steps - self.done);
        if count == 0 {
            return Ok(None);
        }
        let begun = Instant::now();
        let mut encoder =
            self.executor.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            for step in self.done..self.done + count {
                self.air.dispatch(&mut pass, step);
                if step < self.spoken {
                    self.mouths.dispatch(&mut pass, step);
                }
                for kernel in self.boundary.iter().chain(&self.ears) {
                    kernel.dispatch(&mut pass, step);
                }
            }
        }
        self.executor.queue.submit([encoder.finish()]);
        self.executor.wait()?;
        self.done += count;
        let taken = begun.elapsed();
        if taken < BATCH / 2 {
            self.batch = (2 * self.batch).min(LARGEST_BATCH);
        } else if taken > 2 * BATCH {
            self.batch = (self.batch / 2).max(1);
        }
        Ok(Some(count))
    }

    /// What the receivers heard.
    pub(crate) fn heard(&self) -> Result<Vec<Vec<f32>>, WaveError> {
        let mut heard = vec![Vec::with_capacity(self.steps); self.receivers];
        if heard.is_empty() {
            return Ok(heard);
        }
        let size = self.heard.size();
        let copy = self.executor.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("heard, to be read"),
            size,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder =
            self.executor.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(&self.heard, 0, &copy, 0, size);
        self.executor.queue.submit([encoder.finish()]);
        // The view below fails if the mapping does.
        copy.map_async(wgpu::MapMode::Read, .., |_| ());
        self.executor.wait()?;
        let view = copy.get_mapped_range(..).map_err(|error| self.executor.fault(error.to_string()))?;
        let samples: &[f32] = bytemuck::cast_slice(&view);
        for step in samples.chunks_exact(self.receivers).take(self.steps) {
            for (receiver, &sample) in heard.iter_mut().zip(step) {
                receiver.push(sample);
            }
        }
        Ok(heard)
    }
}

impl Kernel {
    fn new(
        executor: &GpuExecutor,
        module: &wgpu::ShaderModule,
        entry: &str,
        constants: &[(&str, f64)],
        buffers: &Buffers,
        used: &[u32],
        groups: [u32; 3],
    ) -> Self {
        let pipeline = executor.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(entry),
            layout: None,
            module,
            entry_point: Some(entry),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants,
                ..wgpu::PipelineCompilationOptions::default()
            },
            cache: None,
        });
        let layout = pipeline.get_bind_group_layout(0);
        let bindings = [0, 1].map(|parity| {
            let entries: Vec<wgpu::BindGroupEntry<'_>> = used
                .iter()
                .map(|&binding| wgpu::BindGroupEntry {
                    binding,
                    resource: buffers.at(binding as usize, parity).as_entire_binding(),
                })
                .collect();
            executor.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(entry),
                layout: &layout,
                entries: &entries,
            })
        });
        Self { pipeline, bindings, groups }
    }

    fn dispatch(&self, pass: &mut wgpu::ComputePass<'_>, step: usize) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bindings[step % 2], &[]);
        let [x, y, z] = self.groups;
        pass.dispatch_workgroups(x, y, z);
    }
}

impl Buffers {
    fn new(
        executor: &GpuExecutor,
        plan: &WavePlan,
        source: &Excitation,
        receivers: &[Probe],
    ) -> Result<Self, WaveError> {
        let boundary = plan.boundary();
        let branches = branches(plan);
        let nodes = nodes(plan);
        let patches: Vec<[u32; 2]> = boundary
            .patch_material
            .iter()
            .zip(&boundary.patch_area)
            .map(|(&material, area)| [material, area.to_bits()])
            .collect();
        let cuts: Vec<u32> = boundary.cuts.iter().map(|cut| cut.neighbour).collect();
        // A wall with fewer branches than others has some that carry nothing.
        let walls: Vec<[f32; 4]> = plan
            .walls()
            .iter()
            .flat_map(|wall| {
                let steps = wall.steps.iter().map(|step| [step.drive, step.hold, step.restore, 0.0]);
                steps.chain(std::iter::repeat([0.0; 4])).take(branches)
            })
            .collect();
        let ears: Vec<[u32; 2]> =
            receivers.iter().flat_map(|receiver| &receiver.weights).copied().map(packed).collect();
        let ear_starts: Vec<u32> = std::iter::once(0)
            .chain(receivers.iter().scan(0, |end, receiver| {
                *end += receiver.weights.len() as u32;
                Some(*end)
            }))
            .collect();
        let mouths: Vec<[u32; 2]> = source.probe.weights.iter().copied().map(packed).collect();
        let places = plan.lattice().places();
        let maker = Maker { executor };
        Ok(Self {
            fields: [maker.zeros("pressures, even", 4 * places)?, maker.zeros("pressures, odd", 4 * places)?],
            others: vec![
                maker.filled("air", bytemuck::cast_slice(&air(plan)))?,
                maker.zeros("step", 4)?,
                maker.filled("signal", bytemuck::cast_slice(&source.signal))?,
                maker.filled("mouths", bytemuck::cast_slice(&mouths))?,
                maker.filled("nodes", bytemuck::cast_slice(&nodes))?,
                maker.filled("patches", bytemuck::cast_slice(&patches))?,
                maker.filled("cuts", bytemuck::cast_slice(&cuts))?,
                maker.filled("walls", bytemuck::cast_slice(&walls))?,
                maker.zeros("states", 8 * branches * patches.len())?,
                maker.zeros("previous", 4 * boundary.nodes.len())?,
                maker.filled("ears", bytemuck::cast_slice(&ears))?,
                maker.filled("ear starts", bytemuck::cast_slice(&ear_starts))?,
                maker.zeros("heard", 4 * plan.steps() * receivers.len())?,
            ],
        })
    }

    /// The buffer at a binding. In even steps the new pressures go where those after odd ones were.
    fn at(&self, binding: usize, parity: usize) -> &wgpu::Buffer {
        match binding {
            0 => &self.fields[parity],
            1 => &self.fields[1 - parity],
            other => &self.others[other - 2],
        }
    }
}

struct Maker<'a> {
    executor: &'a GpuExecutor,
}

impl Maker<'_> {
    /// A buffer of so many bytes, zero at first.
    fn zeros(&self, name: &'static str, bytes: usize) -> Result<wgpu::Buffer, WaveError> {
        self.check(name, bytes)?;
        Ok(self.executor.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(name),
            // A binding may not be empty.
            size: (bytes as u64).next_multiple_of(16).max(16),
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        }))
    }

    fn filled(&self, name: &'static str, content: &[u8]) -> Result<wgpu::Buffer, WaveError> {
        if content.is_empty() {
            return self.zeros(name, 0);
        }
        self.check(name, content.len())?;
        Ok(self.executor.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some(name),
            contents: content,
            usage: wgpu::BufferUsages::STORAGE,
        }))
    }

    fn check(&self, name: &str, bytes: usize) -> Result<(), WaveError> {
        let limits = self.executor.device.limits();
        let most = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        if bytes as u64 <= most {
            return Ok(());
        }
        Err(self.executor.fault(format!(
            "the {name} of this run take {bytes} bytes and the device holds {most} in one piece; lower f_max_hz or points_per_wavelength, or run on the processor"
        )))
    }
}

fn packed((node, weight): (u32, f32)) -> [u32; 2] {
    [node, weight.to_bits()]
}

fn branches(plan: &WavePlan) -> usize {
    plan.walls().iter().map(|wall| wall.steps.len()).max().unwrap_or(0)
}

/// One bit for each place.
fn air(plan: &WavePlan) -> Vec<u32> {
    let mut air = vec![0_u32; plan.lattice().places().div_ceil(32)];
    for span in plan.spans() {
        for place in span.begin..span.end {
            air[place as usize / 32] |= 1 << (place % 32);
        }
    }
    air
}

/// The boundary nodes as the kernels' structure `Node`, and one more with the ends of patches and cuts.
fn nodes(plan: &WavePlan) -> Vec<[u32; 5]> {
    let boundary = plan.boundary();
    let mut cut = 0;
    let mut nodes: Vec<[u32; 5]> = (0..boundary.nodes.len())
        .map(|number| {
            let first_cut = cut;
            while boundary.cuts.get(cut).is_some_and(|next| next.node as usize == number) {
                cut += 1;
            }
            [
                boundary.nodes[number],
                boundary.missing_weight[number].to_bits(),
                boundary.inverse_mass[number].to_bits(),
                boundary.first_patch[number],
                first_cut as u32,
            ]
        })
        .collect();
    nodes.push([0, 0, 0, boundary.patches() as u32, boundary.cuts.len() as u32]);
    nodes
}

fn constants(plan: &WavePlan, source: &Excitation, receivers: &[Probe]) -> Vec<(&'static str, f64)> {
    let [_, rows, stride] = plan.lattice().dimensions();
    let grid = plan.lattice().grid();
    vec![
        ("rows", rows as f64),
        ("stride", stride as f64),
        ("fcc", f64::from(u8::from(grid == Grid::Fcc))),
        ("centre_weight", grid.centre_weight()),
        ("neighbour_weight", grid.neighbour_weight()),
        ("patches", plan.boundary().patches() as f64),
        ("branches", branches(plan) as f64),
        ("node_count", plan.boundary().nodes.len() as f64),
        ("receivers", receivers.len() as f64),
        ("mouth_count", source.probe.weights.len() as f64),
    ]
}
