use std::f64::consts::{PI, TAU};

use glam::DVec3;
use realfft::{RealFftPlanner, num_complex::Complex};

use super::*;
use crate::{
    Air, BoxRoom, Directivity, Material, Polygon, Solid, Surface, Surfaces,
    band::BAND_COUNT,
    geometry::box_face,
    room_acoustics,
    wave::{CpuExecutor, WaveSettings, wave_responses_with_lead},
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

/// Level of a response's Fourier transform at one frequency, in decibels.
fn level(samples: &[f64], rate: f64, hz: f64) -> f64 {
    let [re, im] = samples.iter().enumerate().fold([0.0_f64; 2], |[re, im], (n, &s)| {
        let (sin, cos) = (TAU * hz * n as f64 / rate).sin_cos();
        [re + s * cos, im - s * sin]
    });
    20.0 * re.hypot(im).log10()
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
    // Four metres, ten wavelengths of the crossover: a grid's slowness, left as it is, would turn the phase by 60 degrees.
    // All directions look at the microphone, or away from it.
    let room = box_room([7.2, 6.0, 6.0], &material(0.9, 0.5));
    let place = DVec3::new(1.7, 2.5, 3.3);
    let way = DVec3::new(3.85, 1.0, -0.4);
    let ahead = way.normalize();
    let source = |facing, directivity| Source { position: place.into(), facing, directivity };
    let sources = [
        source(ahead, Directivity::Omnidirectional),
        source(ahead, Directivity::Cardioid),
        source(ahead, Directivity::Talker),
        source(-ahead, Directivity::Cardioid),
        source(ahead.any_orthonormal_vector(), Directivity::FigureOfEight),
    ];
    let settings = HybridSettings { length_seconds: Some(0.06), rays: 200, ..HybridSettings::default() };
    let microphone = [Position::from(place + way)];
    let simulation =
        hybrid_rirs(&room, &sources, &microphone, &settings, &CpuExecutor::new(), &quiet).unwrap();
    assert!((simulation.record.crossover_hz - 990.0).abs() < 1.0);
    for (number, rirs) in simulation.rirs.iter().enumerate() {
        let direct = around(&rirs[0], way.length() / 343.2, 0.0075);
        for hz in [300.0, 500.0, 700.0, 800.0, 900.0, 1_000.0, 1_100.0, 1_200.0, 1_300.0, 1_400.0, 2_000.0] {
            let air = Air::default().attenuation(hz) * way.length();
            let found = level(&direct, 16_000.0, hz) + 20.0 * way.length().log10() + air;
            match number {
                0..3 => assert!(found.abs() < 0.7, "source {number}, {hz} Hz: {found} dB"),
                _ => assert!(found < -20.0, "source {number}, {hz} Hz: {found} dB"),
            }
        }
    }
}

/// Places at least 25 cm from all surfaces.
fn places(room: &Room, count: usize) -> Vec<Position> {
    let [low, high] = room.bounds();
    let mut dice = crate::dice::Dice::new(3, [0]);
    let mut found = Vec::new();
    while found.len() < count {
        let at = low + (high - low) * DVec3::new(dice.roll(), dice.roll(), dice.roll());
        let sides = [DVec3::X, DVec3::NEG_X, DVec3::Y, DVec3::NEG_Y, DVec3::Z, DVec3::NEG_Z, DVec3::ZERO];
        if sides.iter().all(|side| room.is_air(Position::from(at + 0.25 * *side))) {
            found.push(at.into());
        }
    }
    found
}

#[test]
fn bands_are_continuous_across_the_crossover_and_agree_with_waves_alone() {
    // The truth is a run of waves far beyond the crossover of the hybrid, in one room full of furniture; the mean of
    // twelve pairs of places.
    let room = study();
    let (microphones, places) = (places(&room, 2), places(&room, 8)[2..].to_vec());
    let sources: Vec<Source> = places.iter().map(|&place| Source::omnidirectional(place)).collect();
    let seconds = 0.35;
    let settings = HybridSettings {
        length_seconds: Some(seconds),
        f_max_hz: 700.0,
        work_budget_updates: 30_000_000,
        ..HybridSettings::default()
    };
    let executor = CpuExecutor::new();
    let simulation = hybrid_rirs(&room, &sources, &microphones, &settings, &executor, &quiet).unwrap();
    let crossover = simulation.record.crossover_hz;
    assert!((450.0..600.0).contains(&crossover), "{crossover}");

    let wave_settings =
        WaveSettings { f_max_hz: 1_500.0, length_seconds: seconds, ..WaveSettings::default() };
    let plan = WavePlan::new(&room, &wave_settings).unwrap();
    let lead = plan.lead_samples(16_000);
    let air = Dispersion::new(&plan, 16_000, lead, (seconds * 16_000.0) as usize);
    let frequencies = || (0..1_300).map(f64::from);
    let third_octaves: Vec<f64> =
        (-4..=3).map(|third| crossover * 2_f64.powf(f64::from(third) / 3.0)).collect();
    let mut energies = vec![[0.0; 2]; third_octaves.len()];
    let mut decays = vec![Vec::new(); 3];
    for (number, &microphone) in microphones.iter().enumerate() {
        let waves =
            wave_responses_with_lead(&plan, &executor, microphone, &places, 16_000, lead, &()).unwrap();
        for (wave, rirs) in waves.iter().zip(&simulation.rirs) {
            let truth = air.spectrum(wave, frequencies());
            let hybrid = spectrum(&rirs[number], 1_300);
            for (sum, centre) in energies.iter_mut().zip(&third_octaves) {
                let band =
                    (centre * 2_f64.powf(-1.0 / 6.0)) as usize..(centre * 2_f64.powf(1.0 / 6.0)) as usize;
                sum[0] += truth[band.clone()].iter().map(Complex::norm_sqr).sum::<f64>();
                sum[1] += hybrid[band].iter().map(Complex::norm_sqr).sum::<f64>();
            }
            let octaves = room_acoustics(&rirs[number]).octaves;
            for (times, octave) in decays.iter_mut().zip(&octaves[2..5]) {
                times.push(octave.field.t30.unwrap());
            }
        }
    }
    for (centre, [truth, hybrid]) in third_octaves.iter().zip(&energies) {
        let difference = 10.0 * (hybrid / truth).log10();
        assert!(difference.abs() < 1.2, "{centre} Hz: {difference} dB");
    }
    let t30: Vec<f64> = decays.iter().map(|times| times.iter().sum::<f64>() / times.len() as f64).collect();
    assert!(t30.windows(2).all(|pair| (pair[1] / pair[0] - 1.0).abs() < 0.10), "{t30:?}");
}

/// Spectrum of a response at every hertz below `top`.
fn spectrum(rir: &Rir, top: usize) -> Vec<Complex<f64>> {
    let mut samples: Vec<f64> = rir.samples().iter().map(|&sample| f64::from(sample)).collect();
    samples.resize(rir.sample_rate() as usize, 0.0);
    let plan = RealFftPlanner::new().plan_fft_forward(samples.len());
    let mut spectrum = plan.make_output_vec();
    plan.process(&mut samples, &mut spectrum).unwrap();
    spectrum.truncate(top);
    spectrum
}

#[test]
fn the_crossover_is_three_times_schroeders_frequency_where_the_budget_allows_and_fits_it_where_not() {
    let room = study();
    let settings = |work_budget_updates| HybridSettings { work_budget_updates, ..HybridSettings::default() };
    let schroeder = budget::schroeder_frequency(&room);
    // 2 000 sqrt(T / V) with Eyring's time, some 0.29 s in 20 m3.
    assert!((230.0..250.0).contains(&schroeder), "{schroeder}");
    let top = |budget| budget::wave_settings(&room, &settings(budget), schroeder, 0.5).unwrap().f_max_hz;
    assert!((top(1_000_000_000_000) - 1_400.0).abs() < 1e-9);
    let low = HybridSettings { f_max_hz: 500.0, ..HybridSettings::default() };
    let raised = budget::wave_settings(&room, &low, schroeder, 0.5).unwrap().f_max_hz;
    assert!(raised <= 3.0 * 2_f64.sqrt() * schroeder && raised > 3.0 * 2_f64.sqrt() * schroeder - 10.0);
    for budget in [3_000_000, 50_000_000] {
        let chosen = budget::wave_settings(&room, &settings(budget), schroeder, 0.5).unwrap();
        let updates = chosen.estimated_updates(&room);
        assert!(updates <= budget as f64 && updates > 0.8 * budget as f64, "{updates}");
    }
    let error = budget::wave_settings(&room, &settings(1_000), schroeder, 0.5).unwrap_err();
    assert!(error.to_string().starts_with("waves up to 100 Hz would cost "), "{error}");
}

fn cheap() -> HybridSettings {
    HybridSettings {
        length_seconds: Some(0.15),
        work_budget_updates: 1_500_000,
        rays: 300,
        ..HybridSettings::default()
    }
}

#[test]
fn a_response_depends_neither_on_threads_nor_on_what_else_is_asked_for() {
    let room = study();
    let at = places(&room, 4);
    let talker =
        Source { facing: DVec3::Y, directivity: Directivity::Talker, ..Source::omnidirectional(at[1]) };
    let sources = [Source::omnidirectional(at[0]), talker];
    let run = |threads, sources: &[Source], microphones: &[Position]| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            hybrid_rirs(&room, sources, microphones, &cheap(), &CpuExecutor::new(), &quiet).unwrap()
        })
    };
    let all = run(3, &sources, &at[2..]);
    assert_eq!(all, run(1, &sources, &at[2..]));
    assert_eq!(all.rirs[1][1], run(1, &sources[1..], &at[3..]).rirs[0][0]);
    let json = serde_json::to_string(&all.record).unwrap();
    let read = serde_json::from_str::<SimulationRecord>(&json).unwrap();
    assert!(read.updates == all.record.updates && read.version == all.record.version);
    assert!(all.record.updates <= 2_500_000 && all.record.image_orders == [3, 3], "{json}");
}

#[test]
fn impossible_requests_are_refused_with_a_reason_and_whoever_watches_may_stop() {
    let room = study();
    let at = places(&room, 2);
    let source = Source::omnidirectional(at[0]);
    let refusal = |sources: &[Source], microphones: &[Position], settings: &HybridSettings| {
        hybrid_rirs(&room, sources, microphones, settings, &CpuExecutor::new(), &quiet)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(refusal(&[], &at, &cheap()), "there is no source to simulate; give at least one");
    assert_eq!(refusal(&[source], &[], &cheap()), "there is no microphone to simulate; give at least one");
    let outside = Source::omnidirectional(Position::new(9.0, 1.0, 1.0));
    assert_eq!(
        refusal(&[source, outside], &at[1..], &cheap()),
        "source 1: the source at (9, 1, 1) m is not in the air of room \"furnished\"; move it"
    );
    let settings = HybridSettings { f_max_hz: 8_000.0, ..cheap() };
    assert_eq!(
        refusal(&[source], &at[1..], &settings),
        "f_max_hz is 8000; it must lie between 100 and 6400, 0.4 times the sample rate"
    );
    for last in [0.2, 0.92] {
        let watch = |share| if share < last { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
        let result = hybrid_rirs(&room, &[source], &at[1..], &cheap(), &CpuExecutor::new(), &watch);
        assert_eq!(result.unwrap_err(), HybridError::Cancelled);
    }
}
