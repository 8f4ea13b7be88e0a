//! Time of one image-source response in a box, beside pyroomacoustics: order 10, 17 and 30 (every image, 7 octaves, air),
//! and the default settings. Medians of 31 runs on one thread, 6 x 5 x 3 m, 16 kHz: the case of pyroomacoustics'
//! `ShoeBox(fs=16000, materials=<7 bands>, max_order=N, air_absorption=True)` and `compute_rir`.
//!
//! `make bench` gives both; `cargo bench -p acoustics --bench image_source` this crate's own, unless `BENCH_PYTHON` is an
//! interpreter that has the packages of `deploy/bench/requirements.txt`.

use std::{error::Error, path::Path, process::Command, time::Instant};

use acoustics::{Air, BoxRoom, ImageSourceSettings, Material, Position, Surfaces, image_source_rirs};

const ORDERS: [u32; 3] = [10, 17, 30];
const RUNS: usize = 31;
const SIZE: [f64; 3] = [6.0, 5.0, 3.0];
const SOURCE: [f64; 3] = [1.2, 3.9, 1.7];
const MICROPHONE: [f64; 3] = [4.1, 1.3, 1.1];

fn main() -> Result<(), Box<dyn Error>> {
    let walls = Material::named("plasterboard")?;
    let floor = Material::named("carpet")?;
    let place = |[x, y, z]: [f64; 3]| Position::new(x, y, z);
    let room = BoxRoom::new(place(SIZE), Surfaces::furnished(&walls, &floor, &walls), Air::default())?;
    let time = |name: &str, settings: ImageSourceSettings| -> Result<f64, Box<dyn Error>> {
        let mut times = Vec::new();
        let mut seconds = 0.0;
        for _ in 0..RUNS {
            let start = Instant::now();
            let rirs = image_source_rirs(&room, place(SOURCE), &[place(MICROPHONE)], &settings)?;
            times.push(start.elapsed().as_secs_f64());
            seconds = rirs[0].samples().len() as f64 / f64::from(settings.sample_rate);
        }
        times.sort_by(f64::total_cmp);
        let median = times[RUNS / 2];
        println!(
            "{name}: {:.2} ms (least {:.2}) for {seconds:.2} s of response",
            1e3 * median,
            1e3 * times[0]
        );
        Ok(median)
    };
    let mut own = Vec::new();
    for order in ORDERS {
        // Long enough for the farthest image, straight along x.
        let every = ImageSourceSettings {
            max_order: Some(order),
            length_seconds: Some(f64::from(order + 1) * SIZE[0] / 343.2),
            max_reflections_per_second: None,
            ..ImageSourceSettings::default()
        };
        own.push(time(&format!("order {order}"), every)?);
    }
    time("default", ImageSourceSettings::default())?;

    let Ok(python) = std::env::var("BENCH_PYTHON") else {
        println!("set BENCH_PYTHON to compare with pyroomacoustics");
        return Ok(());
    };
    let work = serde_json::json!({
        "runs": RUNS,
        "orders": ORDERS,
        "size": SIZE,
        "source": SOURCE,
        "microphone": MICROPHONE,
        "walls": walls.absorption()[1..],
        "floor": floor.absorption()[1..],
    });
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("work.json");
    std::fs::write(&file, work.to_string())?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peer_image_source.py");
    let output = Command::new(python).arg(script).arg(&file).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let peer: Vec<f64> = serde_json::from_slice(&output.stdout)?;
    for ((order, own), peer) in ORDERS.iter().zip(own).zip(peer) {
        let bar = if *order == 17 { " (bar: 5)" } else { "" };
        println!("order {order}: pyroomacoustics {:.2} ms, {:.1} x as fast{bar}", 1e3 * peer, peer / own);
    }
    Ok(())
}
