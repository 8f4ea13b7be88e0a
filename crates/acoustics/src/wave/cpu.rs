//! The plan on a processor: several steps in one pass over memory, vectors of whatever width there is.

use std::ops::ControlFlow;

use pulp::{Arch, Simd, WithSimd};

use super::{
    Progress, WaveError, WaveExecutor,
    grid::{Grid, ROW_UNIT},
    kernels::{Stretch, WallStates, boundary_plane, cartesian_plane, fcc_plane},
    plan::{Excitation, WavePlan},
    probe::Probe,
};

/// Steps in one pass over the grid.
const LEVELS: usize = 8;
/// Progress is told after this many node updates, some hundredths of a second.
const REPORT_UPDATES: u64 = 40_000_000;

/// Runs a plan on one thread. Runs in parallel (one for each microphone) need no barriers between threads and so
/// are the way to use several cores.
///
/// A wavefront of planes sweeps over the grid: while the first level takes plane n one step further, the
/// next takes plane n − 1 another step, and so on for eight levels, so that a plane is fetched from memory once in
/// eight steps. The results are the same to the bit for any number of levels and any width of vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuExecutor {
    levels: usize,
    vectors: bool,
}

impl Default for CpuExecutor {
    fn default() -> Self {
        Self::new()
    }
}

impl CpuExecutor {
    /// The widest vectors that this processor has (AVX-512, AVX2, NEON), found at run time.
    pub fn new() -> Self {
        Self { levels: LEVELS, vectors: true }
    }

    /// One number at a time: what the vectors are checked against.
    pub fn scalar() -> Self {
        Self { levels: LEVELS, vectors: false }
    }

    /// Takes this many steps in a pass over the grid (at least one).
    #[must_use]
    pub fn with_levels(self, levels: usize) -> Self {
        Self { levels: levels.max(1), ..self }
    }
}

impl WaveExecutor for CpuExecutor {
    fn name(&self) -> String {
        if self.vectors { format!("CPU, {}", Arch::new().dispatch(Lanes)) } else { "CPU, scalar".to_owned() }
    }

    fn run(
        &self,
        plan: &WavePlan,
        source: &Excitation,
        receivers: &[Probe],
        progress: &dyn Progress,
    ) -> Result<Vec<Vec<f32>>, WaveError> {
        let mut run = Run::new(plan, source, receivers);
        let arch = Arch::new();
        let steps = plan.steps();
        let planes = plan.lattice().dimensions()[0];
        let mut unreported = 0;
        for first in (0..steps).step_by(self.levels) {
            let levels = self.levels.min(steps - first);
            for front in 1..planes - 2 + levels {
                for level in 0..levels.min(front) {
                    let plane = front - level;
                    if plane > planes - 2 {
                        continue;
                    }
                    let step = PlaneStep { run: &mut run, plane, step: first + level };
                    if self.vectors {
                        arch.dispatch(step);
                    } else {
                        step.with_simd(pulp::Scalar::new());
                    }
                    unreported += run.plane_updates[plane];
                }
                if unreported >= REPORT_UPDATES {
                    if progress.advance(unreported) == ControlFlow::Break(()) {
                        return Err(WaveError::Cancelled);
                    }
                    unreported = 0;
                }
            }
        }
        match progress.advance(unreported) {
            ControlFlow::Break(()) => Err(WaveError::Cancelled),
            ControlFlow::Continue(()) => Ok(run.heard),
        }
    }
}

/// Says how wide vectors are.
struct Lanes;

impl WithSimd for Lanes {
    type Output = String;

    fn with_simd<S: Simd>(self, _simd: S) -> String {
        format!("{}-bit vectors", 32 * S::F32_LANES)
    }
}

/// Pressures, one for each place of the lattice, on a line of the cache.
struct Field {
    values: Vec<f32>,
    start: usize,
    places: usize,
}

impl Field {
    fn new(places: usize) -> Self {
        let values = vec![0.0_f32; places + ROW_UNIT];
        let misplaced = values.as_ptr().addr() / size_of::<f32>() % ROW_UNIT;
        Self { values, start: (ROW_UNIT - misplaced) % ROW_UNIT, places }
    }

    fn get(&self) -> &[f32] {
        &self.values[self.start..self.start + self.places]
    }

    fn get_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.start..self.start + self.places]
    }
}

/// Something at a node, sorted by plane.
struct ByPlane<T> {
    items: Vec<T>,
    starts: Vec<usize>,
}

impl<T> ByPlane<T> {
    fn new(mut items: Vec<(usize, T)>, planes: usize) -> Self {
        items.sort_by_key(|(plane, _)| *plane);
        let starts = (0..=planes).map(|n| items.partition_point(|(plane, _)| *plane < n)).collect();
        Self { items: items.into_iter().map(|(_, item)| item).collect(), starts }
    }

    fn plane(&self, number: usize) -> &[T] {
        &self.items[self.starts[number]..self.starts[number + 1]]
    }
}

/// A node that a probe hears.
struct Ear {
    probe: usize,
    node: usize,
    weight: f32,
}

/// State of a run.
struct Run<'a> {
    plan: &'a WavePlan,
    /// Pressures after even and after odd steps.
    fields: [Field; 2],
    walls: WallStates,
    signal: &'a [f32],
    mouths: ByPlane<(usize, f32)>,
    ears: ByPlane<Ear>,
    heard: Vec<Vec<f32>>,
    plane_updates: Vec<u64>,
    stretches: Vec<Stretch>,
}

impl<'a> Run<'a> {
    fn new(plan: &'a WavePlan, source: &'a Excitation, receivers: &[Probe]) -> Self {
        let [planes, rows, stride] = plan.lattice().dimensions();
        let plane_of = |node: u32| node as usize / (rows * stride);
        let mouths =
            source.probe.weights.iter().map(|&(node, weight)| (plane_of(node), (node as usize, weight)));
        let ears = receivers.iter().enumerate().flat_map(|(probe, receiver)| {
            let ear = move |&(node, weight): &(u32, f32)| {
                (plane_of(node), Ear { probe, node: node as usize, weight })
            };
            receiver.weights.iter().map(ear)
        });
        let plane_updates = plan
            .plane_spans()
            .windows(2)
            .map(|ends| &plan.spans()[ends[0] as usize..ends[1] as usize])
            .map(|spans| spans.iter().map(|span| u64::from(span.end - span.begin)).sum())
            .collect();
        Self {
            plan,
            fields: [0, 1].map(|_| Field::new(plan.lattice().places())),
            walls: WallStates::new(plan),
            signal: &source.signal,
            mouths: ByPlane::new(mouths.collect(), planes),
            ears: ByPlane::new(ears.collect(), planes),
            heard: vec![vec![0.0; plan.steps()]; receivers.len()],
            plane_updates,
            stretches: Stretch::all(plan),
        }
    }
}

/// One step of one plane.
struct PlaneStep<'r, 'a> {
    run: &'r mut Run<'a>,
    plane: usize,
    step: usize,
}

impl WithSimd for PlaneStep<'_, '_> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "the vectors of the chosen processor end where inlining ends")]
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { run, plane, step } = self;
        let [even, odd] = &mut run.fields;
        let (new, now) = if step % 2 == 0 { (even, odd) } else { (odd, even) };
        let (new, now) = (new.get_mut(), now.get());
        let spans = &run.plan.plane_spans()[plane..plane + 2];
        let stretches = &run.stretches[spans[0] as usize..spans[1] as usize];
        match run.plan.lattice().grid() {
            Grid::Fcc => fcc_plane(simd, run.plan, new, now, plane, stretches),
            Grid::Cartesian => cartesian_plane(simd, run.plan, new, now, stretches),
        }
        if let Some(&loudness) = run.signal.get(step) {
            for &(node, weight) in run.mouths.plane(plane) {
                new[node] += weight * loudness;
            }
        }
        boundary_plane(simd, run.plan, new, now, plane, &mut run.walls);
        for ear in run.ears.plane(plane) {
            run.heard[ear.probe][step] += ear.weight * new[ear.node];
        }
    }
}
