use std::f64::consts::{PI, TAU};

use glam::DVec3;

use super::*;
use crate::{
    Air, BoxRoom, Directivity, Material, OCTAVES, Polygon, Solid, Surface, Surfaces,
    band::BAND_COUNT,
    geometry::box_face,
    room_acoustics,
    wave::{CpuExecutor, WaveSettings, wave_responses},
};

fn quiet(_: f64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn material(absorption: f64, scattering: f64) -> Material {
    let name = format!("{absorption} {scattering}");
    Material::new(name, [absorption; BAND_COUNT]).unwrap().with_scattering([scattering; BAND_COUNT]).unwrap()
}

fn box_room(size: [f64; 3], walls: &Material) -> Room {
    let [x, y, z] = size;
    Room::from(&BoxRoom::new(Position::new(x, y, z), Surfaces::uniform(walls), Air::default()).unwrap())
}

/// A box with boxes in it.
fn furnished(size: [f64; 3], walls: &Material, furniture: &Material, boxes: &[[[f64; 3]; 2]]) -> Room {
    let shell = box_room(size, walls);
    let mut surfaces = shell.surfaces().to_vec();
    let surface = surfaces.len();
    surfaces.push(Surface { name: "furniture".to_owned(), material: furniture.clone() });
    let normals = [DVec3::X, DVec3::NEG_X, DVec3::Y, DVec3::NEG_Y, DVec3::Z, DVec3::NEG_Z];
    let solid = |[low, high]: &[[f64; 3]; 2]| {
        let side = |normal: DVec3| {
            let mut vertices = box_face(DVec3::from(*low), DVec3::from(*high), -normal);
            vertices.reverse();
            Polygon { surface, vertices }
        };
        Solid { name: "box".to_owned(), polygons: normals.map(side).to_vec() }
    };
    let solids = boxes.iter().map(solid).collect();
    Room::from_checked_parts("furnished".to_owned(), surfaces, shell.shell().to_vec(), solids, shell.air())
}

/// 22 m³ with enough in it to mix its sound.
fn study() -> Room {
    let boxes = [
        [[0.9, 0.0, 0.0], [2.1, 0.6, 0.74]],
        [[0.0, 1.9, 0.0], [0.45, 2.8, 1.9]],
        [[2.7, 1.6, 0.0], [3.3, 2.3, 0.5]],
        [[2.9, 0.0, 0.0], [3.4, 0.5, 1.2]],
        [[1.4, 2.45, 0.8], [2.6, 2.8, 1.1]],
    ];
    furnished([3.4, 2.8, 2.3], &material(0.18, 0.25), &material(0.25, 0.4), &boxes)
}

/// The response's Fourier transform at one frequency: real and imaginary part.
fn transform(samples: &[f64], rate: f64, hz: f64) -> [f64; 2] {
    samples.iter().enumerate().fold([0.0; 2], |[re, im], (n, &s)| {
        let (sin, cos) = (TAU * hz * n as f64 / rate).sin_cos();
        [re + s * cos, im - s * sin]
    })
}

/// The samples within some milliseconds of a time, faded in and out.
fn around(rir: &Rir, seconds: f64, half_width: f64) -> Vec<f64> {
    let rate = f64::from(rir.sample_rate());
    let window = |n: usize| {
        let way = (n as f64 / rate - seconds).abs() / half_width;
        (PI * (way - 0.5).clamp(0.0, 0.5)).cos().powi(2) * f64::from(u8::from(way < 1.0))
    };
    rir.samples().iter().enumerate().map(|(n, &s)| window(n) * f64::from(s)).collect()
}

#[test]
fn the_direct_sound_passes_the_crossover_without_a_dip() {
    let room = box_room([5.0, 5.0, 4.0], &material(0.9, 0.5));
    let microphone = Position::new(3.25, 2.5, 2.0);
    let facing =
        |facing, directivity| Source { position: Position::new(1.75, 2.5, 2.0), facing, directivity };
    let sources = [
        facing(DVec3::X, Directivity::Omnidirectional),
        facing(DVec3::X, Directivity::Cardioid),
        facing(DVec3::NEG_X, Directivity::Cardioid),
        facing(DVec3::Y, Directivity::FigureOfEight),
        facing(DVec3::X, Directivity::Talker),
    ];
    let settings = HybridSettings { length_seconds: Some(0.06), rays: 500, ..HybridSettings::default() };
    let simulation =
        hybrid_rirs(&room, &sources, &[microphone], &settings, &CpuExecutor::new(), &quiet).unwrap();
    println!("{:?}", simulation.record);
    for (source, rirs) in sources.iter().zip(&simulation.rirs) {
        let direct = around(&rirs[0], 1.5 / 343.2, 0.0075);
        for hz in [
            250.0, 350.0, 500.0, 700.0, 800.0, 900.0, 1_000.0, 1_100.0, 1_200.0, 1_300.0, 1_400.0, 2_000.0,
            4_000.0,
        ] {
            let [re, im] = transform(&direct, 16_000.0, hz);
            println!("{:?} {hz}: {:.3} dB", source.directivity, 20.0 * (1.5 * re.hypot(im)).log10());
        }
    }
}

#[test]
fn explore_continuity() {
    let room = study();
    let mut dice = crate::dice::Dice::new(3, [0]);
    let mut place = || loop {
        let at = Position::new(3.4 * dice.roll(), 2.8 * dice.roll(), 0.3 + 1.7 * dice.roll());
        let clear = [DVec3::X, DVec3::NEG_X, DVec3::Y, DVec3::NEG_Y, DVec3::Z, DVec3::NEG_Z]
            .iter()
            .all(|side| room.is_air(Position::from(DVec3::from(at) + 0.25 * *side)));
        if clear {
            return at;
        }
    };
    let microphones = [place(), place()];
    let sources: Vec<Source> = (0..10).map(|_| Source::omnidirectional(place())).collect();
    let seconds = 0.35;
    let settings = HybridSettings {
        length_seconds: Some(seconds),
        f_max_hz: 700.0,
        rays: 4_000,
        ..HybridSettings::default()
    };
    let simulation =
        hybrid_rirs(&room, &sources, &microphones, &settings, &CpuExecutor::new(), &quiet).unwrap();
    println!("{:?} {:?}", simulation.record, room.eyring_time());
    let wave_settings =
        WaveSettings { f_max_hz: 2_000.0, length_seconds: seconds, ..WaveSettings::default() };
    let plan = WavePlan::new(&room, &wave_settings).unwrap();
    let places: Vec<Position> = sources.iter().map(|source| source.position).collect();
    let mut sums = vec![[0.0; 3]; 20];
    let mut t30 = [[0.0; 2]; 8];
    let only_geometric = |source: &Source| {
        crate::geometric_rirs(&room, source, &microphones, &settings.geometric(), &quiet).unwrap()
    };
    let geometric: Vec<Vec<Rir>> = sources.iter().map(only_geometric).collect();
    for (m, &microphone) in microphones.iter().enumerate() {
        let full = wave_responses(&plan, &CpuExecutor::new(), microphone, &places, 16_000, &()).unwrap();
        for (s, wave) in full.into_iter().enumerate() {
            let wave = Rir::new(16_000, wave).unwrap();
            let hybrid = &simulation.rirs[s][m];
            for (k, response) in [&wave, hybrid, &geometric[s][m]].into_iter().enumerate() {
                let samples: Vec<f64> = response.samples().iter().map(|&x| f64::from(x)).collect();
                for (band, sum) in sums.iter_mut().enumerate() {
                    let centre = 100.0 * 2_f64.powf(band as f64 / 3.0);
                    if centre > 1_700.0 {
                        continue;
                    }
                    let mut e = 0.0;
                    for i in 0..40 {
                        let hz = centre * 2_f64.powf((f64::from(i) / 40.0 - 0.5) / 3.0);
                        let [re, im] = transform(&samples, 16_000.0, hz);
                        e += (re * re + im * im) / 40.0;
                    }
                    sum[k] += e;
                }
                if k < 2 {
                    for (band, octave) in room_acoustics(response).octaves.iter().enumerate() {
                        t30[band][k] += octave.field.t30.unwrap_or(f64::NAN) / 20.0;
                    }
                }
            }
        }
    }
    for (band, sum) in sums.iter().enumerate() {
        println!(
            "{:.0} Hz: hybrid/wave {:.2} dB, geometric/wave {:.2} dB",
            100.0 * 2_f64.powf(band as f64 / 3.0),
            10.0 * (sum[1] / sum[0]).log10(),
            10.0 * (sum[2] / sum[0]).log10()
        );
    }
    println!("{OCTAVES:?} {t30:?}");
}
