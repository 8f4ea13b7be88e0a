//! The graphics processor's results against the processor's. Runs on whatever device there is, lavapipe included.
#![expect(clippy::unwrap_used, reason = "helpers of a test stop at the first surprise")]

use std::ops::ControlFlow;

use acoustics::{
    Air, BoxRoom, Directivity, HybridSettings, Material, Position, Room, SimulationRecord, Source, Surfaces,
    hybrid_rirs,
    wave::{CpuExecutor, Grid, WaveError, WaveExecutor, WavePlan, WaveSettings, wave_responses},
};
use acoustics_gpu::{Adapter, GpuError, GpuExecutor};

fn room() -> Room {
    let material = |name| Material::named(name).unwrap();
    let surfaces = Surfaces {
        west: material("plasterboard"),
        east: material("double-glazing"),
        south: material("curtain"),
        north: material("painted-plaster"),
        floor: material("carpet"),
        ceiling: material("acoustic-ceiling-tile"),
    };
    (&BoxRoom::new(Position::new(2.3, 1.9, 1.7), surfaces, Air::default()).unwrap()).into()
}

#[test]
fn a_device_is_found_and_a_wish_for_another_is_answered() {
    let all = Adapter::all();
    let first = GpuExecutor::new(None).unwrap();
    assert_eq!(Some(first.adapter()), all.first());
    let error = GpuExecutor::new(Some("abacus")).unwrap_err();
    assert_eq!(error, GpuError::NoDevice { wanted: Some("abacus".to_owned()) });
    assert!(error.to_string().contains("whose name contains \"abacus\""), "{error}");
}

#[test]
fn both_grids_give_what_the_processor_gives() {
    let executor = GpuExecutor::new(None).unwrap();
    for grid in [Grid::Fcc, Grid::Cartesian] {
        let settings =
            WaveSettings { grid, f_max_hz: 700.0, points_per_wavelength: 6.0, length_seconds: 0.15 };
        let plan = WavePlan::new(&room(), &settings).unwrap();
        let source = plan.point_source("source", Position::new(0.7, 0.6, 0.8)).unwrap();
        let receivers = [Position::new(1.6, 1.3, 1.1), Position::new(1.9, 0.5, 0.4)]
            .map(|place| plan.pressure_probe("microphone", place).unwrap());
        let [here, there] = [&executor as &dyn WaveExecutor, &CpuExecutor::new()]
            .map(|executor| executor.run(&plan, &source, &receivers, &()).unwrap());
        for (here, there) in here.iter().zip(&there) {
            let energy: f32 = there.iter().map(|s| s * s).sum();
            let error: f32 = here.iter().zip(there).map(|(a, b)| (a - b).powi(2)).sum();
            assert_eq!(here.len(), plan.steps());
            // Roundings of 2^-24 that add up over a thousand steps: amplitudes within 3e-5.
            assert!(error <= 1e-9 * energy, "{grid:?}: {}", error / energy);
        }
    }
}

#[test]
fn responses_and_the_level_in_the_free_field_are_the_processors() {
    let executor = GpuExecutor::new(None).unwrap();
    let settings = WaveSettings { f_max_hz: 700.0, length_seconds: 0.1, ..WaveSettings::default() };
    let plan = WavePlan::new(&room(), &settings).unwrap();
    let [microphone, talker] = [Position::new(1.6, 1.3, 1.1), Position::new(0.7, 0.6, 0.8)];
    let [here, there] = [&executor as &dyn WaveExecutor, &CpuExecutor::new()].map(|executor| {
        wave_responses(&plan, executor, microphone, &[talker], 16_000, &()).unwrap().remove(0)
    });
    let peak = there.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
    let worst = here.iter().zip(&there).fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs()));
    assert!(worst < 2e-5 * peak, "{}", worst / peak);
}

#[test]
fn a_hybrid_simulation_is_the_processors_and_says_what_ran_it() {
    let executor = GpuExecutor::new(None).unwrap();
    let talker =
        Source { directivity: Directivity::Talker, ..Source::omnidirectional(Position::new(0.7, 0.6, 0.8)) };
    let microphones = [Position::new(1.6, 1.3, 1.1), Position::new(1.65, 1.3, 1.1)];
    let settings = HybridSettings {
        f_max_hz: 700.0,
        work_budget_updates: 10_000_000,
        length_seconds: Some(0.2),
        rays: 500,
        ..HybridSettings::default()
    };
    let go_on = |_| ControlFlow::Continue(());
    let [here, there] = [&executor as &dyn WaveExecutor, &CpuExecutor::new()]
        .map(|executor| hybrid_rirs(&room(), &[talker], &microphones, &settings, executor, &go_on).unwrap());
    assert_eq!(here.record.executor, executor.name());
    assert_eq!(SimulationRecord { executor: there.record.executor.clone(), ..here.record }, there.record);
    for (here, there) in here.rirs[0].iter().zip(&there.rirs[0]) {
        let peak = there.samples().iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
        let pairs = here.samples().iter().zip(there.samples());
        let worst = pairs.fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs()));
        assert!(worst < 2e-5 * peak, "{}", worst / peak);
    }
}

#[test]
fn whoever_watches_may_end_a_run() {
    let executor = GpuExecutor::new(None).unwrap();
    let plan = WavePlan::new(&room(), &WaveSettings { f_max_hz: 500.0, ..WaveSettings::default() }).unwrap();
    let source = plan.point_source("source", Position::new(0.7, 0.6, 0.8)).unwrap();
    let stop = |_| ControlFlow::Break(());
    assert_eq!(executor.run(&plan, &source, &[], &stop), Err(WaveError::Cancelled));
}

#[test]
fn a_plan_that_is_too_large_for_the_device_says_so() {
    let executor = GpuExecutor::new(None).unwrap();
    let plan = WavePlan::new(
        &room(),
        &WaveSettings { f_max_hz: 500.0, length_seconds: 59.0, ..WaveSettings::default() },
    )
    .unwrap();
    let source = plan.point_source("source", Position::new(0.7, 0.6, 0.8)).unwrap();
    let probe = plan.pressure_probe("microphone", Position::new(1.6, 1.3, 1.1)).unwrap();
    // What so many receivers hear in a minute fits no buffer.
    let receivers = vec![probe; 20_000];
    let error = executor.run(&plan, &source, &receivers, &()).unwrap_err().to_string();
    assert!(error.contains("the heard of this run take"), "{error}");
}
