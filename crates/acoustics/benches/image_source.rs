//! Time of one image-source response in a box: order 10, 17 and 30 (every image, 7 octaves, air), and the
//! default settings. Medians of 31 runs on one thread, 6 x 5 x 3 m, 16 kHz: the case of pyroomacoustics'
//! `ShoeBox(fs=16000, materials=<7 bands>, max_order=N, air_absorption=True)` and `compute_rir`.

use std::time::Instant;

use acoustics::{Air, BoxRoom, ImageSourceSettings, Material, Position, Surfaces, image_source_rirs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let walls = Material::named("plasterboard")?;
    let surfaces = Surfaces::furnished(&walls, &Material::named("carpet")?, &walls);
    let room = BoxRoom::new(Position::new(6.0, 5.0, 3.0), surfaces, Air::default())?;
    let (source, microphone) = (Position::new(1.2, 3.9, 1.7), Position::new(4.1, 1.3, 1.1));
    // Long enough for the farthest image, straight along x.
    let every = |order: u32| ImageSourceSettings {
        max_order: Some(order),
        length_seconds: Some(f64::from(order + 1) * 6.0 / 343.2),
        max_reflections_per_second: None,
        ..ImageSourceSettings::default()
    };
    let cases = [
        ("order 10", every(10)),
        ("order 17", every(17)),
        ("order 30", every(30)),
        ("default", ImageSourceSettings::default()),
    ];
    for (name, settings) in cases {
        let mut times = Vec::new();
        let mut seconds = 0.0;
        for _ in 0..31 {
            let start = Instant::now();
            let rirs = image_source_rirs(&room, source, &[microphone], &settings)?;
            times.push(start.elapsed().as_secs_f64());
            seconds = rirs[0].samples().len() as f64 / f64::from(settings.sample_rate);
        }
        times.sort_by(f64::total_cmp);
        println!(
            "{name}: {:.2} ms (least {:.2}) for {seconds:.2} s of response",
            1e3 * times[15],
            1e3 * times[0]
        );
    }
    Ok(())
}
