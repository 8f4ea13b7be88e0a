//! Node updates per second of the wave solver on the fastest device, walls included, beside what the device's memory
//! could do: an update moves at least 12 bytes (two pressures read, one written), so the bound is the bandwidth of a
//! copy within the device, counted in both directions, over 12. Medians of three runs; the processor's executor runs the
//! smaller rooms in turn.
//!
//! `cargo bench -p acoustics-gpu`; on lavapipe the figures say nothing about a graphics processor.

use std::time::Instant;

use acoustics::{
    Air, BoxRoom, Material, Position, Room, Surfaces,
    wave::{CpuExecutor, Grid, WaveExecutor, WavePlan, WaveSettings},
};
use acoustics_gpu::GpuExecutor;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let gpu = GpuExecutor::new(None)?;
    let bound = gpu.copy_bandwidth()? / 12.0;
    println!("{}", gpu.name());
    println!("copy within the device: {:.1} GB/s, bound {:.2} Gvox/s", 12.0 * bound / 1e9, bound / 1e9);
    let highest: &[f64] =
        if gpu.adapter().is_gpu { &[1_000.0, 2_000.0, 4_000.0, 6_000.0] } else { &[1_000.0, 1_400.0] };
    for grid in [Grid::Fcc, Grid::Cartesian] {
        for &f_max_hz in highest {
            let plan = plan(grid, f_max_hz)?;
            let there = rate(&gpu, &plan)?;
            print!(
                "{grid:?}, {:.2} M nodes, {} boundary nodes: {:.3} Gvox/s, {:.0} % of the bound",
                plan.nodes() as f64 / 1e6,
                plan.boundary().nodes.len(),
                there / 1e9,
                100.0 * there / bound
            );
            if f_max_hz <= 1_400.0 {
                print!("; processor, one thread: {:.3} Gvox/s", rate(&CpuExecutor::new(), &plan)? / 1e9);
            }
            println!();
        }
    }
    Ok(())
}

/// A furnished-sized room, 100 cubic metres, long enough for some hundred steps.
fn plan(grid: Grid, f_max_hz: f64) -> Result<WavePlan, Failure> {
    let walls = Material::named("plasterboard")?;
    let surfaces = Surfaces::furnished(&walls, &Material::named("carpet")?, &walls);
    let room = Room::from(&BoxRoom::new(Position::new(7.0, 5.1, 2.8), surfaces, Air::default())?);
    let points_per_wavelength = if grid == Grid::Fcc { 7.7 } else { 10.5 };
    let settings = WaveSettings { grid, f_max_hz, points_per_wavelength, length_seconds: 30.0 / f_max_hz };
    Ok(WavePlan::new(&room, &settings)?)
}

/// Node updates per second.
fn rate(executor: &dyn WaveExecutor, plan: &WavePlan) -> Result<f64, Failure> {
    let source = plan.point_source("source", Position::new(2.1, 1.7, 1.2))?;
    let receiver = plan.pressure_probe("microphone", Position::new(5.2, 3.1, 1.4))?;
    let mut rates = Vec::new();
    for _ in 0..3 {
        let begun = Instant::now();
        executor.run(plan, &source, std::slice::from_ref(&receiver), &())?;
        rates.push(plan.updates() as f64 / begun.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    Ok(rates[1])
}
