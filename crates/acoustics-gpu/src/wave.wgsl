// One step of a wave plan, in four parts; see WavePlan and Boundary of the crate acoustics for what they compute.
// Sums are written in the order of the processor's kernels.

override rows: u32;
override stride: u32;
override fcc: bool;
override centre_weight: f32;
override neighbour_weight: f32;
override patches: u32;
override branches: u32;
override node_count: u32;
override receivers: u32;
override mouth_count: u32;

struct Node {
    place: u32,
    missing_weight: f32,
    inverse_mass: f32,
    first_patch: u32,
    first_cut: u32,
}

@group(0) @binding(0) var<storage, read_write> next: array<f32>;
@group(0) @binding(1) var<storage, read> now: array<f32>;
// One bit for each place: whether it is air.
@group(0) @binding(2) var<storage, read> air: array<u32>;
// The number of the present step.
@group(0) @binding(3) var<storage, read_write> step: array<u32>;
@group(0) @binding(4) var<storage, read> signal: array<f32>;
// Node and bits of the weight.
@group(0) @binding(5) var<storage, read> mouths: array<vec2<u32>>;
// And one more for the ends.
@group(0) @binding(6) var<storage, read> nodes: array<Node>;
// Wall and bits of the area.
@group(0) @binding(7) var<storage, read> patch_list: array<vec2<u32>>;
@group(0) @binding(8) var<storage, read> cuts: array<u32>;
// Drive, hold and restore of each branch of each wall.
@group(0) @binding(9) var<storage, read> walls: array<vec4<f32>>;
// w and v of each branch of each patch.
@group(0) @binding(10) var<storage, read_write> states: array<vec2<f32>>;
@group(0) @binding(11) var<storage, read_write> previous: array<f32>;
@group(0) @binding(12) var<storage, read> ears: array<vec2<u32>>;
@group(0) @binding(13) var<storage, read> ear_starts: array<u32>;
@group(0) @binding(14) var<storage, read_write> heard: array<f32>;

// Of the planes before and after.
fn beside(place: u32) -> f32 {
    let plane = rows * stride;
    return now[place - plane] + now[place + plane];
}

fn edge(place: u32) -> f32 {
    return beside(place) + now[place - stride] + now[place + stride];
}

@compute @workgroup_size(32, 4, 2)
fn update_air(@builtin(global_invocation_id) id: vec3<u32>) {
    if all(id == vec3<u32>(0u)) {
        step[0] += 1u;
    }
    if id.x >= stride || id.y >= rows {
        return;
    }
    let place = (id.z * rows + id.y) * stride + id.x;
    if place / 32u >= arrayLength(&air) || (air[place / 32u] >> (place % 32u) & 1u) == 0u {
        return;
    }
    var sum = 0.0;
    if fcc {
        let parity = (id.z + id.y) & 1u;
        let corners = beside(place - stride) + beside(place + stride);
        sum = corners + (edge(place + parity - 1u) + edge(place + parity));
    } else {
        let in_rows = now[place - stride] + now[place + stride];
        sum = (beside(place) + in_rows) + (now[place - 1u] + now[place + 1u]);
    }
    next[place] = (centre_weight * now[place] - next[place]) + neighbour_weight * sum;
}

@compute @workgroup_size(64)
fn excite(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= mouth_count || step[0] > arrayLength(&signal) {
        return;
    }
    let mouth = mouths[id.x];
    next[mouth.x] += bitcast<f32>(mouth.y) * signal[step[0] - 1u];
}

@compute @workgroup_size(64)
fn update_boundary(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let number = id.y * groups.x * 64u + id.x;
    if number >= node_count {
        return;
    }
    let node = nodes[number];
    let end = nodes[number + 1u];
    var after = next[node.place];
    for (var cut = node.first_cut; cut < end.first_cut; cut += 1u) {
        after -= neighbour_weight * now[cuts[cut]];
    }
    let here = now[node.place];
    let before = previous[number];
    let sum = (2.0 * here - before)
        + node.inverse_mass * ((after + before) + (node.missing_weight - 2.0) * here);
    var loss = 0.0;
    var taken = 0.0;
    for (var index = node.first_patch; index < end.first_patch; index += 1u) {
        let patch_here = patch_list[index];
        let area = bitcast<f32>(patch_here.y);
        var flow = 0.0;
        var drive = 0.0;
        for (var branch = 0u; branch < branches; branch += 1u) {
            let coefficients = walls[patch_here.x * branches + branch];
            let state = states[branch * patches + index];
            flow += 0.5 * (1.0 + coefficients.y) * state.x - 0.5 * coefficients.z * state.y;
            drive += coefficients.x;
        }
        loss += area * 0.5 * drive;
        taken += area * flow;
    }
    after = sum + (loss * (before - sum) - taken) / (1.0 + loss);
    for (var index = node.first_patch; index < end.first_patch; index += 1u) {
        let wall = patch_list[index].x;
        for (var branch = 0u; branch < branches; branch += 1u) {
            let coefficients = walls[wall * branches + branch];
            let state = states[branch * patches + index];
            let w = coefficients.x * (after - before) + coefficients.y * state.x - coefficients.z * state.y;
            states[branch * patches + index] = vec2<f32>(w, state.y + 0.5 * (w + state.x));
        }
    }
    previous[number] = here;
    next[node.place] = after;
}

@compute @workgroup_size(64)
fn listen(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= receivers {
        return;
    }
    var pressure = 0.0;
    for (var index = ear_starts[id.x]; index < ear_starts[id.x + 1u]; index += 1u) {
        let ear = ears[index];
        pressure += bitcast<f32>(ear.y) * next[ear.x];
    }
    heard[(step[0] - 1u) * receivers + id.x] = pressure;
}
