//! One step of one plane: the inner loops of the processor's executor.
//!
//! Rows are worked on in whole vectors; at the ends of a span a vector may reach over places that are not the
//! span's, which keep what they held. Everything is added in an order that does not depend on the width of vectors.

#![expect(
    clippy::inline_always,
    reason = "what is not inlined into the function that the processor was chosen for is compiled without its vectors"
)]

use pulp::Simd;

use super::{
    admittance::BranchStep,
    boundary::{Boundary, BoundaryPlane},
    grid::Lattice,
    plan::WavePlan,
    voxels::Span,
};

/// Boundary nodes that are worked on together.
const CHUNK: usize = 64;

/// Neighbouring nodes of a row that are all air: a [`Span`] with what a step asks of it worked out once, since a division
/// takes as long as some vectors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    row: usize,
    /// Index in memory of the first place of the row.
    start: usize,
    /// From which place of the row, and to before which.
    ends: [usize; 2],
}

impl Stretch {
    /// Of all [`WavePlan::spans`], in the same order.
    pub(super) fn all(plan: &WavePlan) -> Vec<Self> {
        let [_, rows, stride] = plan.lattice().dimensions();
        let stretch = |span: &Span| {
            let line = span.begin as usize / stride;
            let start = line * stride;
            Self { row: line % rows, start, ends: [span.begin, span.end].map(|index| index as usize - start) }
        };
        plan.spans().iter().map(stretch).collect()
    }
}

/// States of the walls' branches.
pub(super) struct WallStates {
    /// Pressure of each boundary node before the present one.
    previous: Vec<f32>,
    /// w and v of each branch, by patch.
    branches: Vec<[Vec<f32>; 2]>,
}

impl WallStates {
    pub(super) fn new(plan: &WavePlan) -> Self {
        let branches = plan.walls().iter().map(|wall| wall.steps.len()).max().unwrap_or(0);
        let patches = plan.boundary().patches();
        Self {
            previous: vec![0.0; plan.boundary().nodes.len()],
            branches: (0..branches).map(|_| [vec![0.0; patches], vec![0.0; patches]]).collect(),
        }
    }
}

/// Whole vectors of a slice whose length is a multiple of theirs.
#[inline(always)]
fn vectors<S: Simd>(row: &[f32]) -> &[S::f32s] {
    S::as_simd_f32s(row).0
}

/// New pressures, vector by vector. A trait and not a closure: closures are not inlined with certainty, and what is not
/// inlined has no vectors.
trait Stencil<S: Simd> {
    /// Of vector `n` of a row, from its older pressures.
    fn new_pressures(&self, simd: S, n: usize, old: S::f32s) -> S::f32s;
}

/// Writes new pressures to every vector with places from `begin` to `end`; places outside stay.
#[inline(always)]
fn write_between<S: Simd>(simd: S, row: &mut [f32], [begin, end]: [usize; 2], stencil: &impl Stencil<S>) {
    let lanes = S::F32_LANES;
    let row = S::as_mut_simd_f32s(row).0;
    let (first, last) = (begin / lanes, (end - 1) / lanes);
    write_part(simd, row, first, [begin, end], stencil);
    if first == last {
        return;
    }
    write_part(simd, row, last, [begin, end], stencil);
    for (n, value) in row[first + 1..last].iter_mut().enumerate() {
        *value = stencil.new_pressures(simd, first + 1 + n, *value);
    }
}

#[inline(always)]
fn write_part<S: Simd>(
    simd: S,
    row: &mut [S::f32s],
    n: usize,
    [begin, end]: [usize; 2],
    stencil: &impl Stencil<S>,
) {
    let lanes = S::F32_LANES;
    let low = begin.saturating_sub(n * lanes) as u32;
    let high = (end - n * lanes).min(lanes) as u32;
    let part = simd.mask_between_m32s(low, high).mask();
    row[n] = simd.select_f32s(part, stencil.new_pressures(simd, n, row[n]), row[n]);
}

/// p⁺ = c₀ p + c₁ Σ pₙ − p⁻ over the twelve neighbours.
#[inline(always)]
pub(super) fn fcc_plane<S: Simd>(
    simd: S,
    plan: &WavePlan,
    new: &mut [f32],
    now: &[f32],
    plane: usize,
    stretches: &[Stretch],
) {
    let lattice = plan.lattice();
    for stretch in stretches {
        match lattice.parity(plane, stretch.row) {
            0 => fcc_stretch::<S, 0>(simd, lattice, new, now, stretch),
            _ => fcc_stretch::<S, 1>(simd, lattice, new, now, stretch),
        }
    }
}

/// A stretch of a row of parity `P`. (Rows are taken one by one: what takes a closure is not inlined with certainty.)
#[inline(always)]
fn fcc_stretch<S: Simd, const P: usize>(
    simd: S,
    lattice: &Lattice,
    new: &mut [f32],
    now: &[f32],
    stretch: &Stretch,
) {
    let lanes = S::F32_LANES;
    let [_, rows, stride] = lattice.dimensions();
    let plane = rows * stride;
    let &Stretch { start, ends: [begin, end], .. } = stretch;
    let (first, last) = (begin / lanes, (end - 1) / lanes);
    let count = last + 1 - first;
    let here = start + first * lanes;
    // The rows that share an edge are needed one vector further on where the parity is 1.
    let edge = here + P * lanes;
    let grid = lattice.grid();
    let seam = if P == 0 { 0 } else { lanes as u32 - 1 };
    let stencil = FccStencil::<S, P> {
        corners: [
            part_of::<S>(now, here - plane - stride, count),
            part_of::<S>(now, here + plane - stride, count),
            part_of::<S>(now, here - plane + stride, count),
            part_of::<S>(now, here + plane + stride, count),
        ],
        edges: [
            part_of::<S>(now, edge - plane, count),
            part_of::<S>(now, edge + plane, count),
            part_of::<S>(now, edge - stride, count),
            part_of::<S>(now, edge + stride, count),
        ],
        here: part_of::<S>(now, here, count),
        weights: [
            simd.splat_f32s(grid.centre_weight() as f32),
            simd.splat_f32s(grid.neighbour_weight() as f32),
        ],
        seam: simd.mask_between_m32s(seam, seam + 1).mask(),
    };
    let before = edge - lanes;
    let mut sums = edge_sum(
        simd,
        part_of::<S>(now, before - plane, 1)[0],
        part_of::<S>(now, before + plane, 1)[0],
        part_of::<S>(now, before - stride, 1)[0],
        part_of::<S>(now, before + stride, 1)[0],
    );

    let new = &mut S::as_mut_simd_f32s(&mut new[here..here + count * lanes]).0[..count];
    let head = begin - first * lanes;
    let tail = end - last * lanes;
    let head_end = if count == 1 { tail } else { lanes };
    let fresh = stencil.new_pressures(simd, 0, new[0], &mut sums);
    let part = simd.mask_between_m32s(head as u32, head_end as u32).mask();
    new[0] = simd.select_f32s(part, fresh, new[0]);
    if count == 1 {
        return;
    }
    for (n, value) in new[1..count - 1].iter_mut().enumerate() {
        *value = stencil.new_pressures(simd, n + 1, *value, &mut sums);
    }
    let fresh = stencil.new_pressures(simd, count - 1, new[count - 1], &mut sums);
    let part = simd.mask_between_m32s(0, tail as u32).mask();
    new[count - 1] = simd.select_f32s(part, fresh, new[count - 1]);
}

/// So many vectors from a place on.
#[inline(always)]
fn part_of<S: Simd>(values: &[f32], from: usize, count: usize) -> &[S::f32s] {
    &vectors::<S>(&values[from..from + count * S::F32_LANES])[..count]
}

/// Where the new pressures of an FCC stretch come from, in vectors.
struct FccStencil<'a, S: Simd, const P: usize> {
    /// The rows before and after in the planes beside.
    corners: [&'a [S::f32s]; 4],
    /// The rows that share an edge; with `P` 1 from one vector further on.
    edges: [&'a [S::f32s]; 4],
    here: &'a [S::f32s],
    /// c₀ and c₁.
    weights: [S::f32s; 2],
    /// The place of a vector whose neighbour lies in the next one.
    seam: S::m32s,
}

impl<S: Simd, const P: usize> FccStencil<'_, S, P> {
    /// Of vector `n` from its older pressures. The rows that share an edge are heard at two places each, so their sums are
    /// kept from one vector to the next and moved by a place within the registers. (At the ends of a row they may hold
    /// places of another one; those are heard by places without air alone.)
    #[inline(always)]
    fn new_pressures(&self, simd: S, n: usize, old: S::f32s, sums: &mut S::f32s) -> S::f32s {
        let Self { corners: [a, b, c, d], edges: [e, f, g, h], here, weights, seam } = self;
        let (before, next) = (*sums, edge_sum(simd, e[n], f[n], g[n], h[n]));
        *sums = next;
        let edge = if P == 0 {
            let (from_before, from_next) =
                (simd.rotate_right_f32s(before, 1), simd.rotate_right_f32s(next, 1));
            simd.add_f32s(simd.select_f32s(*seam, from_before, from_next), next)
        } else {
            let (from_before, from_next) = (simd.rotate_left_f32s(before, 1), simd.rotate_left_f32s(next, 1));
            simd.add_f32s(before, simd.select_f32s(*seam, from_next, from_before))
        };
        let corner = simd.add_f32s(simd.add_f32s(a[n], b[n]), simd.add_f32s(c[n], d[n]));
        let here = simd.sub_f32s(simd.mul_f32s(weights[0], here[n]), old);
        simd.add_f32s(here, simd.mul_f32s(weights[1], simd.add_f32s(corner, edge)))
    }
}

#[inline(always)]
fn edge_sum<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s, d: S::f32s) -> S::f32s {
    simd.add_f32s(simd.add_f32s(simd.add_f32s(a, b), c), d)
}

/// p⁺ = c₀ p + c₁ Σ pₙ − p⁻ over the six neighbours.
#[inline(always)]
pub(super) fn cartesian_plane<S: Simd>(
    simd: S,
    plan: &WavePlan,
    new: &mut [f32],
    now: &[f32],
    stretches: &[Stretch],
) {
    let lattice = plan.lattice();
    let [_, rows, stride] = lattice.dimensions();
    let grid = lattice.grid();
    let weights = [grid.centre_weight() as f32, grid.neighbour_weight() as f32];
    let plane = rows * stride;
    for &Stretch { start, ends, .. } in stretches {
        let here = &now[start..start + stride];
        let beside = [
            &now[start - plane..start - plane + stride],
            &now[start + plane..start + plane + stride],
            &now[start - stride..start],
            &now[start + stride..start + 2 * stride],
            &now[start - 1..start - 1 + stride],
            &now[start + 1..start + 1 + stride],
        ];
        cartesian_span(simd, &mut new[start..start + stride], ends, here, beside, weights);
    }
}

#[inline(always)]
fn cartesian_span<S: Simd>(
    simd: S,
    new: &mut [f32],
    ends: [usize; 2],
    now: &[f32],
    beside: [&[f32]; 6],
    weights: [f32; 2],
) {
    let count = new.len() / S::F32_LANES;
    let [a, b, c, d, e, f] = beside;
    let stencil = CartesianStencil::<S> {
        planes: [&vectors::<S>(a)[..count], &vectors::<S>(b)[..count]],
        rows: [&vectors::<S>(c)[..count], &vectors::<S>(d)[..count]],
        places: [&vectors::<S>(e)[..count], &vectors::<S>(f)[..count]],
        now: &vectors::<S>(now)[..count],
        weights: [simd.splat_f32s(weights[0]), simd.splat_f32s(weights[1])],
    };
    write_between(simd, new, ends, &stencil);
}

/// The row and its neighbours in the planes, rows and places before and after, with c₀ and c₁.
struct CartesianStencil<'a, S: Simd> {
    planes: [&'a [S::f32s]; 2],
    rows: [&'a [S::f32s]; 2],
    places: [&'a [S::f32s]; 2],
    now: &'a [S::f32s],
    weights: [S::f32s; 2],
}

impl<S: Simd> Stencil<S> for CartesianStencil<'_, S> {
    #[inline(always)]
    fn new_pressures(&self, simd: S, n: usize, old: S::f32s) -> S::f32s {
        let planes = simd.add_f32s(self.planes[0][n], self.planes[1][n]);
        let rows = simd.add_f32s(self.rows[0][n], self.rows[1][n]);
        let places = simd.add_f32s(self.places[0][n], self.places[1][n]);
        let sum = simd.add_f32s(simd.add_f32s(planes, rows), places);
        let here = simd.sub_f32s(simd.mul_f32s(self.weights[0], self.now[n]), old);
        simd.add_f32s(here, simd.mul_f32s(self.weights[1], sum))
    }
}

/// What the surfaces do to the new pressures of a plane: see [`Boundary`].
#[inline(always)]
pub(super) fn boundary_plane<S: Simd>(
    simd: S,
    plan: &WavePlan,
    new: &mut [f32],
    now: &[f32],
    plane: usize,
    states: &mut WallStates,
) {
    let boundary = plan.boundary();
    let BoundaryPlane { runs, mixed, cuts, .. } = &boundary.planes[plane];
    let neighbour_weight = plan.lattice().grid().neighbour_weight() as f32;
    for cut in &boundary.cuts[cuts.start as usize..cuts.end as usize] {
        new[boundary.nodes[cut.node as usize] as usize] -= neighbour_weight * now[cut.neighbour as usize];
    }
    for run in &boundary.runs[runs.start as usize..runs.end as usize] {
        let nodes = run.nodes.start as usize..run.nodes.end as usize;
        match run.material {
            None => rigid_run(boundary, new, now, nodes, states),
            Some(material) => {
                let steps = &plan.walls()[material as usize].steps;
                for first in nodes.clone().step_by(CHUNK) {
                    wall_chunk(simd, boundary, new, now, first..nodes.end.min(first + CHUNK), steps, states);
                }
            }
        }
    }
    for node in mixed.start as usize..mixed.end as usize {
        mixed_node(plan, new, now, node, states);
    }
}

/// What is left of the air's own equation where links are missing.
#[inline(always)]
fn with_missing_links(after: f32, here: f32, previous: f32, missing: f32, inverse_mass: f32) -> f32 {
    (2.0 * here - previous) + inverse_mass * ((after + previous) + (missing - 2.0) * here)
}

#[inline(always)]
fn rigid_run(
    boundary: &Boundary,
    new: &mut [f32],
    now: &[f32],
    nodes: std::ops::Range<usize>,
    states: &mut WallStates,
) {
    let weights = boundary.missing_weight[nodes.clone()].iter().zip(&boundary.inverse_mass[nodes.clone()]);
    let previous = &mut states.previous[nodes.clone()];
    for ((&node, (&missing, &inverse_mass)), previous) in
        boundary.nodes[nodes].iter().zip(weights).zip(previous)
    {
        let (after, here) = (&mut new[node as usize], now[node as usize]);
        *after = with_missing_links(*after, here, *previous, missing, inverse_mass);
        *previous = here;
    }
}

/// Nodes that touch one material: gathered into vectors, all branches, and back.
#[inline(always)]
fn wall_chunk<S: Simd>(
    simd: S,
    boundary: &Boundary,
    new: &mut [f32],
    now: &[f32],
    nodes: std::ops::Range<usize>,
    steps: &[BranchStep],
    states: &mut WallStates,
) {
    let count = nodes.len();
    let places = &boundary.nodes[nodes.clone()];
    let first_patch = boundary.first_patch[nodes.start] as usize;
    let patches = first_patch..first_patch + count;
    let area = &boundary.patch_area[patches.clone()];
    let missing = &boundary.missing_weight[nodes.clone()];
    let inverse_mass = &boundary.inverse_mass[nodes.clone()];
    let previous = &mut states.previous[nodes];
    let (mut here, mut after, mut flow) = ([0.0_f32; CHUNK], [0.0_f32; CHUNK], [0.0_f32; CHUNK]);
    for ((&place, here), after) in places.iter().zip(&mut here).zip(&mut after) {
        *here = now[place as usize];
        *after = new[place as usize];
    }
    for (step, [w, v]) in steps.iter().zip(&states.branches) {
        let (from_w, from_v) = (0.5 * (1.0 + step.hold), 0.5 * step.restore);
        for ((flow, w), v) in flow.iter_mut().zip(&w[patches.clone()]).zip(&v[patches.clone()]) {
            *flow += from_w * w - from_v * v;
        }
    }
    let _ = simd;
    let half_drive = 0.5 * steps.iter().map(|step| step.drive).sum::<f32>();
    // From here on `flow` holds the change of pressure over two steps.
    for n in 0..count {
        let loss = area[n] * half_drive;
        let sum = with_missing_links(after[n], here[n], previous[n], missing[n], inverse_mass[n]);
        // As a change, so that a constant pressure stays to the last bit.
        after[n] = sum + (loss * (previous[n] - sum) - area[n] * flow[n]) / (1.0 + loss);
        flow[n] = after[n] - previous[n];
        previous[n] = here[n];
    }
    for (step, [w, v]) in steps.iter().zip(&mut states.branches) {
        let states = w[patches.clone()].iter_mut().zip(&mut v[patches.clone()]);
        for ((w, v), change) in states.zip(&flow) {
            let next = step.drive * change + step.hold * *w - step.restore * *v;
            *v += 0.5 * (next + *w);
            *w = next;
        }
    }
    for (&place, &after) in places.iter().zip(&after) {
        new[place as usize] = after;
    }
}

/// A node that touches several materials.
fn mixed_node(plan: &WavePlan, new: &mut [f32], now: &[f32], node: usize, states: &mut WallStates) {
    let boundary = plan.boundary();
    let place = boundary.nodes[node] as usize;
    let patches = boundary.first_patch[node] as usize..boundary.first_patch[node + 1] as usize;
    let steps = |patch: usize| &plan.walls()[boundary.patch_material[patch] as usize].steps;
    let (mut loss, mut taken) = (0.0, 0.0);
    for patch in patches.clone() {
        let mut flow = 0.0;
        for (step, [w, v]) in steps(patch).iter().zip(&states.branches) {
            flow += 0.5 * (1.0 + step.hold) * w[patch] - 0.5 * step.restore * v[patch];
        }
        loss += boundary.patch_area[patch] * 0.5 * steps(patch).iter().map(|step| step.drive).sum::<f32>();
        taken += boundary.patch_area[patch] * flow;
    }
    let (here, previous) = (now[place], states.previous[node]);
    let [missing, inverse_mass] =
        [&boundary.missing_weight, &boundary.inverse_mass].map(|values| values[node]);
    let sum = with_missing_links(new[place], here, previous, missing, inverse_mass);
    let after = sum + (loss * (previous - sum) - taken) / (1.0 + loss);
    for patch in patches {
        for (step, [w, v]) in steps(patch).iter().zip(&mut states.branches) {
            let next = step.drive * (after - previous) + step.hold * w[patch] - step.restore * v[patch];
            v[patch] += 0.5 * (next + w[patch]);
            w[patch] = next;
        }
    }
    states.previous[node] = here;
    new[place] = after;
}
