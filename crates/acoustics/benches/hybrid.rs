//! Time of 100 room impulse responses, five boxes with twenty microphones each, beside pyroomacoustics.
//!
//! `cargo bench -p acoustics --bench hybrid` prints what this crate does. With `BENCH_PYTHON` set to an interpreter that
//! has the pinned packages of `deploy/bench/requirements.txt` (`make bench` does it), the same rooms, materials, places, image order and number of
//! rays are then given to pyroomacoustics in turn, and the ratio is printed. Both use all processors; times are medians
//! of five runs from rooms to responses.
//!
//! The whole hybrid, waves included, has no peer; it runs once, with a budget of 10⁹ node updates a microphone
//! (`BENCH_UPDATES` for another).

use std::{error::Error, fs, ops::ControlFlow, path::Path, process::Command, time::Instant};

use acoustics::{
    Air, BoxRoom, GeometricSettings, HybridSettings, Material, Position, Room, Source, Surfaces,
    geometric_rirs, hybrid_rirs, wave::CpuExecutor,
};

const SIZES: [[f64; 3]; 5] =
    [[6.0, 5.0, 3.0], [4.2, 3.1, 2.5], [8.0, 6.0, 3.2], [5.1, 4.4, 2.7], [10.0, 7.0, 3.5]];
const MICROPHONES: usize = 20;
const RUNS: usize = 5;
/// pyroomacoustics traces so many rays unless told otherwise (0.10.1, a room of 6 x 5 x 3 m).
const RAYS: usize = 1_670;
const IMAGE_ORDER: u32 = 3;

/// One box, its source and its microphones.
struct Case {
    room: BoxRoom,
    source: Position,
    microphones: Vec<Position>,
}

fn cases() -> Result<Vec<Case>, Box<dyn Error>> {
    // Absorption and scattering as of plasterboard walls and a carpet, in the six octaves that both tools know.
    let material = |name: &str, absorption: [f64; 6]| {
        let [a, .., z] = absorption;
        let mut octaves = [a; 8];
        octaves[1..7].copy_from_slice(&absorption);
        octaves[7] = z;
        Material::new(name, octaves)?.with_scattering([0.1; 8])
    };
    let walls = material("walls", [0.15, 0.10, 0.06, 0.04, 0.04, 0.05])?;
    let floor = material("floor", [0.03, 0.09, 0.20, 0.31, 0.33, 0.43])?;
    SIZES
        .into_iter()
        .map(|size| {
            let place = |x: f64, y: f64, z: f64| Position::new(x * size[0], y * size[1], z * size[2]);
            let surfaces = Surfaces {
                west: walls.clone(),
                east: walls.clone(),
                south: walls.clone(),
                north: walls.clone(),
                floor: floor.clone(),
                ceiling: walls.clone(),
            };
            let room = BoxRoom::new(place(1.0, 1.0, 1.0), surfaces, Air::default())?;
            // Spread by the golden ratio and its like.
            let spread = |n: usize, step: f64| 0.1 + 0.8 * (n as f64 * step).fract();
            let microphones = (1..=MICROPHONES)
                .map(|n| place(spread(n, 0.819_172_5), spread(n, 0.671_043_6), spread(n, 0.549_700_5)))
                .collect();
            Ok(Case { room, source: place(0.21, 0.78, 0.55), microphones })
        })
        .collect()
}

/// Median of some runs of a task in seconds.
fn median(mut task: impl FnMut() -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let mut seconds = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        task()?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[RUNS / 2])
}

fn main() -> Result<(), Box<dyn Error>> {
    let cases = cases()?;
    let count = SIZES.len() * MICROPHONES;
    let report = |name: &str, seconds: f64| {
        println!("{name:60} {seconds:8.3} s  {:8.1} RIR/s", count as f64 / seconds);
    };

    let settings = GeometricSettings { rays: RAYS, image_order: IMAGE_ORDER, ..GeometricSettings::default() };
    let mut length = 0.0;
    let geometric = median(|| {
        length = 0.0;
        for case in &cases {
            let source = Source::omnidirectional(case.source);
            let rirs =
                geometric_rirs(&Room::from(&case.room), &source, &case.microphones, &settings, &|_| {
                    ControlFlow::Continue(())
                })?;
            length +=
                rirs.iter().map(|rir| rir.samples().len() as f64 / 16_000.0).sum::<f64>() / count as f64;
        }
        Ok(())
    })?;
    println!("{count} responses of {length:.2} s on average, 16 kHz, order {IMAGE_ORDER} and {RAYS} rays");
    report("geometrical part", geometric);

    let updates = std::env::var("BENCH_UPDATES").map_or(Ok(1_000_000_000), |text| text.parse::<u64>())?;
    let settings = HybridSettings {
        rays: RAYS,
        image_order: IMAGE_ORDER,
        work_budget_updates: updates,
        ..HybridSettings::default()
    };
    let start = Instant::now();
    let mut done = 0.0;
    for case in &cases {
        let source = Source::omnidirectional(case.source);
        let room = Room::from(&case.room);
        let executor = CpuExecutor::new();
        let watch = |_| ControlFlow::Continue(());
        let simulation = hybrid_rirs(&room, &[source], &case.microphones, &settings, &executor, &watch)?;
        done += simulation.record.updates as f64 * MICROPHONES as f64;
        println!("{:.0} m³: crossover at {:.0} Hz", room.volume(), simulation.record.crossover_hz);
    }
    let seconds = start.elapsed().as_secs_f64();
    report("hybrid", seconds);
    println!("hybrid: {:.2} G node updates/s, geometry and all", 1e-9 * done / seconds);

    let Ok(python) = std::env::var("BENCH_PYTHON") else {
        println!("set BENCH_PYTHON to compare with pyroomacoustics");
        return Ok(());
    };
    let peer = pyroomacoustics(&python, &cases)?;
    report("pyroomacoustics, image sources and rays", peer);
    println!("geometrical part: {:.1} x as fast", peer / geometric);
    Ok(())
}

/// Median seconds of pyroomacoustics for the same.
fn pyroomacoustics(python: &str, cases: &[Case]) -> Result<f64, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("cases.json");
    let coordinates = |place: &Position| [place.x, place.y, place.z];
    let bands = |material: &Material| {
        serde_json::json!({
            "absorption": material.absorption()[1..7],
            "scattering": material.scattering()[1..7],
        })
    };
    let cases: Vec<_> = cases
        .iter()
        .map(|case| {
            serde_json::json!({
                "size": coordinates(&case.room.size()),
                "walls": bands(&case.room.surfaces().west),
                "floor": bands(&case.room.surfaces().floor),
                "source": coordinates(&case.source),
                "microphones": case.microphones.iter().map(coordinates).collect::<Vec<_>>(),
            })
        })
        .collect();
    let work = serde_json::json!({ "runs": RUNS, "rays": RAYS, "order": IMAGE_ORDER, "cases": cases });
    fs::write(&file, work.to_string())?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peer_hybrid.py");
    let output = Command::new(python).arg(script).arg(&file).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}
