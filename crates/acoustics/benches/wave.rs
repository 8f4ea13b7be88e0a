//! Speed of the wave solver on this processor, as ratios in one run: `cargo bench -p acoustics --bench wave`.
//!
//! - Boxes of 200 x 200 x 200 places (FCC: of which half are nodes) with rigid walls, whose boundary is nothing but
//!   missing links, and with walls of four branches; in single runs and in two at the same time.
//! - A reference kernel in the style of PFFDTD's engine (`bsxfun/pffdtd`, `c_cuda/cpu_engine.h`; written anew from its
//!   description): a plain sweep over memory, a test of a bit at each node, no blocking; then its boundary pass
//!   with eleven branches a node. It is compiled like the rest of this bench, so the compiler may use what the target allows.
//! - The memory's bandwidth, as the bound that a sweep which fetches every plane in every step cannot pass, and the
//!   bound of the cache: the same kernel on a box of 200 x 200 x 40 places, of which the planes that are worked on stay in the
//!   second-level cache (of the large boxes they do not).
//!
//! Each figure is the median of three rounds; in a round all cases follow each other, so that a busy moment of the machine
//! meets all of them.

use std::{hint::black_box, time::Instant};

use acoustics::{
    Air, BoxRoom, Material, Position, Room, Surfaces,
    wave::{CpuExecutor, Excitation, Grid, Probe, WaveExecutor, WavePlan, WaveSettings},
};

const ROUNDS: usize = 3;
const STEPS: usize = 48;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let vectors = CpuExecutor::new();
    println!("{}; million node updates per second, medians of {ROUNDS} rounds (range)", vectors.name());
    let rigid = Material::new("rigid", [0.0; 8])?;
    let carpet = Material::named("carpet")?;
    let plans = [
        ("FCC, rigid walls", plan(Grid::Fcc, [200.0; 3], &rigid)?),
        ("FCC, walls of 4 branches", plan(Grid::Fcc, [200.0; 3], &carpet)?),
        ("Cartesian, rigid walls", plan(Grid::Cartesian, [200.0; 3], &rigid)?),
        ("Cartesian, walls of 4 branches", plan(Grid::Cartesian, [200.0; 3], &carpet)?),
        ("FCC in the cache, rigid", plan(Grid::Fcc, [200.0, 200.0, 40.0], &rigid)?),
        ("Cartesian in the cache, rigid", plan(Grid::Cartesian, [200.0, 200.0, 40.0], &rigid)?),
    ];
    let mut reference = Reference::new(200);
    let mut cases: Vec<(String, Vec<f64>)> = Vec::new();
    let mut note = |name: String, value: f64| match cases.iter_mut().find(|(other, _)| *other == name) {
        Some((_, values)) => values.push(value),
        None => cases.push((name, vec![value])),
    };
    for _ in 0..ROUNDS {
        for (name, plan) in &plans {
            note(format!("{name}, 1 run"), speed(plan, vectors, 1)?);
            note(format!("{name}, 2 runs"), speed(plan, vectors, 2)?);
        }
        note("FCC, rigid walls, no blocking, 1 run".into(), speed(&plans[0].1, vectors.with_levels(1), 1)?);
        note(
            "Cartesian, rigid walls, no blocking, 1 run".into(),
            speed(&plans[2].1, vectors.with_levels(1), 1)?,
        );
        note("reference sweep (PFFDTD's style), air alone".into(), reference.air_speed());
        note("reference sweep and boundary of 11 branches".into(), reference.speed());
        note("bandwidth: read two, write one in place, GB/s".into(), bandwidth());
    }
    println!("{:>8} {:>17}  case", "median", "range");
    let mut medians = Vec::new();
    for (name, mut values) in cases {
        values.sort_by(f64::total_cmp);
        let median = values[values.len() / 2];
        println!("{median:8.0} {:8.0}-{:8.0}  {name}", values[0], values[values.len() - 1]);
        medians.push((name, median));
    }
    let median =
        |name: &str| medians.iter().find(|(other, _)| other == name).map_or(f64::NAN, |(_, value)| *value);
    let with_walls = "Cartesian, walls of 4 branches, 1 run";
    println!("ratios, one thread each:");
    println!(
        "  Cartesian with walls over the reference with walls: {:.1} (bar: 4)",
        median(with_walls) / median("reference sweep and boundary of 11 branches")
    );
    println!(
        "  Cartesian over the reference, air alone: {:.1}",
        median("Cartesian, rigid walls, 1 run") / median("reference sweep (PFFDTD's style), air alone")
    );
    for grid in ["FCC", "Cartesian"] {
        let bound = median(&format!("{grid} in the cache, rigid, 1 run"));
        let rigid = median(&format!("{grid}, rigid walls, 1 run")) / bound;
        let walls = median(&format!("{grid}, walls of 4 branches, 1 run")) / bound;
        println!("  {grid} over its bound in the cache: {rigid:.2} rigid, {walls:.2} with walls (bar: 0.70)");
    }
    let memory_bound = 1e3 * median("bandwidth: read two, write one in place, GB/s") / 12.0;
    println!(
        "  Cartesian over what memory allows without blocking (12 bytes an update): {:.2}",
        median("Cartesian, rigid walls, 1 run") / memory_bound
    );
    Ok(())
}

/// A box of so many spacings along its sides.
fn plan(grid: Grid, places: [f64; 3], walls: &Material) -> Result<WavePlan, Failure> {
    let air = Air::default();
    // Few steps: the pulse of the source is short at four spacings a wavelength.
    let (f_max_hz, points_per_wavelength) = (1_000.0, 4.0);
    let spacing = 0.985 * air.speed_of_sound() / (f_max_hz * points_per_wavelength);
    let [x, y, z] = places.map(|count| count * spacing);
    let room = BoxRoom::new(Position::new(x, y, z), Surfaces::uniform(walls), air)?;
    let length_seconds = 0.005;
    let settings = WaveSettings { grid, f_max_hz, points_per_wavelength, length_seconds };
    Ok(WavePlan::new(&Room::from(&room), &settings)?)
}

/// Million updates per second of so many runs at the same time, all together.
fn speed(plan: &WavePlan, executor: CpuExecutor, runs: usize) -> Result<f64, Failure> {
    let source =
        Excitation { probe: Probe { weights: vec![(plan.spans()[9].begin + 3, 1.0)] }, signal: vec![1.0] };
    let start = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..runs)
            .map(|_| scope.spawn(|| executor.run(plan, &source, &[], &()).map(black_box).is_ok()))
            .collect();
        threads.into_iter().all(|thread| thread.join().unwrap_or(false)).then_some(())
    })
    .ok_or("a run failed")?;
    Ok(plan.updates() as f64 * runs as f64 / start.elapsed().as_secs_f64() / 1e6)
}

/// PFFDTD's way: all nodes in one sweep, those at walls skipped by their bit and done in a second pass.
struct Reference {
    side: usize,
    now: Vec<f32>,
    old: Vec<f32>,
    is_wall: Vec<u8>,
    walls: Vec<Wall>,
}

struct Wall {
    node: u32,
    neighbours: u8,
    before: f32,
    w: [f32; 11],
    v: [f32; 11],
}

impl Reference {
    fn new(side: usize) -> Self {
        let count = side * side * side;
        let mut reference = Self {
            side,
            now: vec![0.0; count],
            old: vec![0.0; count],
            is_wall: vec![0; count.div_ceil(8)],
            walls: Vec::new(),
        };
        for node in 0..count {
            let place = [node / side / side, node / side % side, node % side];
            let inside = |at: &usize| *at > 0 && *at < side - 1;
            if !place.iter().all(inside) {
                reference.is_wall[node / 8] |= 1 << (node % 8);
                continue;
            }
            let first_or_last = place.iter().filter(|at| **at == 1 || **at == side - 2).count();
            if first_or_last > 0 {
                reference.is_wall[node / 8] |= 1 << (node % 8);
                let neighbours = 6 - first_or_last as u8;
                let wall = Wall { node: node as u32, neighbours, before: 0.0, w: [0.0; 11], v: [0.0; 11] };
                reference.walls.push(wall);
            }
        }
        reference.now[count / 2 + side / 2] = 1.0;
        reference
    }

    fn air(&mut self) {
        let (row, plane) = (self.side, self.side * self.side);
        for node in plane..self.now.len() - plane {
            if self.is_wall[node / 8] >> (node % 8) & 1 == 1 {
                continue;
            }
            let now = &self.now;
            let sum = now[node - 1]
                + now[node + 1]
                + now[node - row]
                + now[node + row]
                + now[node - plane]
                + now[node + plane];
            self.old[node] = 0.333 * sum + 0.002 * now[node] - self.old[node];
        }
    }

    fn boundary(&mut self) {
        let (row, plane) = (self.side, self.side * self.side);
        for wall in &mut self.walls {
            let node = wall.node as usize;
            let now = &self.now;
            let sum = now[node - 1]
                + now[node + 1]
                + now[node - row]
                + now[node + row]
                + now[node - plane]
                + now[node + plane];
            let air =
                0.333 * (sum - f32::from(wall.neighbours) * now[node]) + 2.0 * now[node] - self.old[node];
            let flow: f32 = wall.w.iter().zip(&wall.v).map(|(w, v)| 0.4 * w - 0.1 * v).sum();
            let after = (air + 0.1 * wall.before - 0.5 * flow) / 1.1;
            let change = after - wall.before;
            for (w, v) in wall.w.iter_mut().zip(&mut wall.v) {
                let next = 0.01 * change + 0.5 * *w - 0.2 * *v;
                *v += 0.5 * (next + *w);
                *w = next;
            }
            wall.before = now[node];
            self.old[node] = after;
        }
    }

    fn time(&mut self, with_walls: bool) -> f64 {
        let start = Instant::now();
        for _ in 0..STEPS {
            self.air();
            if with_walls {
                self.boundary();
            }
            std::mem::swap(&mut self.now, &mut self.old);
        }
        black_box(&self.now);
        let updates = (self.side - 2).pow(3) * STEPS;
        updates as f64 / start.elapsed().as_secs_f64() / 1e6
    }

    fn air_speed(&mut self) -> f64 {
        self.time(false)
    }

    fn speed(&mut self) -> f64 {
        self.time(true)
    }
}

/// GB/s of one thread that does a[n] = b[n] - a[n] on arrays far larger than any cache.
fn bandwidth() -> f64 {
    let count = 48 << 20;
    let (mut a, b) = (vec![1.0_f32; count], vec![2.0_f32; count]);
    let start = Instant::now();
    for _ in 0..3 {
        a.iter_mut().zip(&b).for_each(|(a, b)| *a = b - *a);
        black_box(&a);
    }
    3.0 * 12.0 * count as f64 / start.elapsed().as_secs_f64() / 1e9
}
