use std::f64::consts::{PI, TAU};

use proptest::prelude::*;

use super::*;
use crate::{
    Air, BoxRoom, ImageSourceSettings, Material, OCTAVES, Octaves, Polygon, Solid, Surface, Surfaces,
    band::BAND_COUNT, geometry::box_face, image_source_rirs, room_acoustics,
};

const SOURCE: Position = Position { x: 1.2, y: 3.9, z: 1.7 };
const MICROPHONE: Position = Position { x: 4.1, y: 1.3, z: 1.1 };

fn material(absorption: f64, scattering: f64) -> Material {
    let name = format!("{absorption} {scattering}");
    Material::new(name, [absorption; BAND_COUNT]).unwrap().with_scattering([scattering; BAND_COUNT]).unwrap()
}

fn box_room(size: [f64; 3], walls: impl Fn(usize) -> Material) -> BoxRoom {
    let surfaces = Surfaces {
        west: walls(0),
        east: walls(1),
        south: walls(2),
        north: walls(3),
        floor: walls(4),
        ceiling: walls(5),
    };
    BoxRoom::new(Position::new(size[0], size[1], size[2]), surfaces, Air::default()).unwrap()
}

fn quiet(_: f64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn seconds(rays: usize, image_order: u32, length: f64) -> GeometricSettings {
    GeometricSettings { rays, image_order, length_seconds: Some(length), ..GeometricSettings::default() }
}

fn one(room: &Room, settings: &GeometricSettings) -> Rir {
    geometric_rirs(room, &Source::omnidirectional(SOURCE), &[MICROPHONE], settings, &quiet).unwrap().remove(0)
}

/// Energy of the reflections by time, in steps of so many metres of path, the mean of some microphones; in the octave
/// round 1 kHz.
fn energies(room: &Room, settings: &GeometricSettings, microphones: &[Position], step: f64) -> Vec<f64> {
    energies_in(4, room, settings, microphones, step)
}

/// The same in any octave.
fn energies_in(
    band: usize,
    room: &Room,
    settings: &GeometricSettings,
    microphones: &[Position],
    step: f64,
) -> Vec<f64> {
    let length = settings.length_seconds.unwrap();
    let source = Source::omnidirectional(SOURCE);
    let geometric = Geometric::new(room, &source, microphones, settings, length, &quiet).unwrap();
    let mut sums = vec![0.0; (343.2 * length / step) as usize];
    for &microphone in microphones {
        let Heard { images, rays, .. } = geometric.heard(microphone);
        for arrival in images.into_iter().chain(rays) {
            if let Some(sum) = sums.get_mut((arrival.distance / step) as usize) {
                *sum += f64::from(arrival.amplitudes[band]).powi(2) / microphones.len() as f64;
            }
        }
    }
    sums
}

/// Places spread over a box, away from its walls.
fn places(size: [f64; 3], count: usize) -> Vec<Position> {
    let mut dice = crate::dice::Dice::new(7, [1]);
    (0..count)
        .map(|_| {
            let [x, y, z] = size.map(|side| side * (0.15 + 0.7 * dice.roll()));
            Position::new(x, y, z)
        })
        .collect()
}

/// A box whose sides are seen from outside.
fn solid(low: DVec3, high: DVec3, surface: usize) -> Solid {
    let normals = [DVec3::X, DVec3::NEG_X, DVec3::Y, DVec3::NEG_Y, DVec3::Z, DVec3::NEG_Z];
    let side = |normal: DVec3| {
        let mut vertices = box_face(low, high, -normal);
        vertices.reverse();
        Polygon { surface, vertices }
    };
    let polygons = normals.map(side).to_vec();
    Solid { name: "crate".to_owned(), polygons }
}

/// A room with something in it, made of the same material as its first wall.
fn with_solids(room: &BoxRoom, solids: Vec<Solid>) -> Room {
    let empty = Room::from(room);
    let (surfaces, shell) = (empty.surfaces().to_vec(), empty.shell().to_vec());
    Room::from_checked_parts("furnished".to_owned(), surfaces, shell, solids, room.air())
}

/// 6 m by 6 m less the quarter beyond (3, 3), 3 m high; floor and ceiling in two pieces each.
fn l_shape(material: Material) -> Room {
    let outline = [(0.0, 0.0), (6.0, 0.0), (6.0, 3.0), (3.0, 3.0), (3.0, 6.0), (0.0, 6.0)];
    let at = |(x, y): (f64, f64), z| DVec3::new(x, y, z);
    let next = outline.iter().cycle().skip(1);
    let walls = outline.iter().zip(next).map(|(&a, &b)| vec![at(b, 0.0), at(a, 0.0), at(a, 3.0), at(b, 3.0)]);
    let pieces =
        [[(0.0, 0.0), (6.0, 0.0), (6.0, 3.0), (0.0, 3.0)], [(0.0, 3.0), (3.0, 3.0), (3.0, 6.0), (0.0, 6.0)]];
    let floors = pieces.iter().map(|piece| piece.iter().map(|&corner| at(corner, 0.0)).collect());
    let ceilings = pieces.iter().map(|piece| piece.iter().rev().map(|&corner| at(corner, 3.0)).collect());
    let shell: Vec<Polygon> =
        walls.chain(floors).chain(ceilings).map(|vertices| Polygon { surface: 0, vertices }).collect();
    let surfaces = vec![Surface { name: "all".to_owned(), material }];
    let room = Room::from_checked_parts("L".to_owned(), surfaces, shell, Vec::new(), Air::default());
    assert!((room.volume() - 81.0).abs() < 1e-9);
    room
}

#[test]
fn without_scattering_a_box_sounds_as_its_image_sources_do() {
    // The lattice of Allen and Berkley, another code: the same images, by another way.
    let walls = |index: usize| {
        let absorption = std::array::from_fn(|band| 0.1 * (index + 1) as f64 - 0.01 * band as f64);
        Material::new("wall", absorption).unwrap().with_scattering([0.0; BAND_COUNT]).unwrap()
    };
    let room = box_room([6.0, 5.0, 3.0], walls);
    for order in [0, 1, 4] {
        let settings = GeometricSettings { max_images: 100_000, ..seconds(0, order, 0.25) };
        let ours = one(&Room::from(&room), &settings);
        let textbook = ImageSourceSettings {
            max_order: Some(order),
            length_seconds: Some(0.25),
            jitter_metres: 0.0,
            scattering: 0.0,
            max_reflections_per_second: None,
            ..ImageSourceSettings::default()
        };
        let theirs = image_source_rirs(&room, SOURCE, &[MICROPHONE], &textbook).unwrap().remove(0);
        let difference = ours.samples().iter().zip(theirs.samples()).map(|(a, b)| (a - b).abs());
        assert!(difference.fold(0.0, f32::max) < 1e-5, "order {order}");
    }
}

#[test]
fn mirror_paths_beyond_the_images_have_the_energy_of_the_images_they_stand_for() {
    // No scattering: all energy is in the lattice, which the textbook sums by itself. Rays must find the same, by time.
    let size = [6.0, 5.0, 3.0];
    let room = Room::from(&box_room(size, |index| material(0.1 + 0.05 * index as f64, 0.0)));
    let microphones = places(size, 20);
    let lattice = energies(
        &room,
        &GeometricSettings { max_images: 1_000_000, ..seconds(0, 22, 0.16) },
        &microphones,
        10.0,
    );
    for order in [0, 2] {
        let found = energies(&room, &seconds(20_000, order, 0.16), &microphones, 10.0);
        for (step, (found, expected)) in found.iter().zip(&lattice).enumerate() {
            let difference = 10.0 * (found / expected).log10();
            assert!(difference.abs() < 0.15, "order {order}, from {step}0 m: {difference} dB");
        }
    }
}

#[test]
fn each_path_is_counted_once_whatever_the_image_order() {
    let size = [6.0, 5.0, 3.0];
    let microphones = places(size, 20);
    for scattering in [0.1, 0.5] {
        let room = Room::from(&box_room(size, |_| material(0.2, scattering)));
        let early = [0, 1, 3, 6].map(|order| {
            let settings = GeometricSettings { seed: u64::from(order), ..seconds(10_000, order, 0.3) };
            energies(&room, &settings, &microphones, 20.0)
        });
        for other in &early[1..] {
            for (step, (a, b)) in early[0].iter().zip(other).enumerate() {
                let difference = 10.0 * (a / b).log10();
                assert!(
                    difference.abs() < 0.35,
                    "scattering {scattering}, from {step} x 20 m: {difference} dB"
                );
            }
        }
    }
}

#[test]
fn the_steady_level_in_a_diffuse_box_is_that_of_sabine_and_franklin() {
    // A source that sends out 4 pi makes 4 * 4 pi / R in the diffuse field, R = S a / (1 - a) (Kuttruff, Room
    // Acoustics, 5.5): the room's constant. Near the middle of a box it is a little less, near walls more.
    let size = [5.0, 4.5, 4.0];
    let area = 2.0 * (22.5 + 20.0 + 18.0);
    for absorption in [0.1, 0.3] {
        let room = Room::from(&box_room(size, |_| material(absorption, 1.0)));
        let found: f64 = energies(&room, &seconds(4_000, 3, 1.0), &places(size, 30), 3.0).iter().sum();
        let expected = 16.0 * PI * (1.0 - absorption) / (area * absorption);
        let difference = 10.0 * (found / expected).log10();
        assert!(difference.abs() < 0.35, "{absorption}: {difference} dB");
    }
}

#[test]
fn a_diffuse_box_decays_by_eyring_in_every_octave() {
    // All reflections scattered: Eyring's assumption, but for the spread of free paths, which Kuttruff adds.
    let room = Room::from(&box_room([5.0, 4.5, 4.0], |_| material(0.25, 1.0)));
    let settings = GeometricSettings { sample_rate: 24_000, rays: 10_000, ..GeometricSettings::default() };
    let source = Source::omnidirectional(SOURCE);
    let rirs = geometric_rirs(&room, &source, &places([5.0, 4.5, 4.0], 16), &settings, &quiet).unwrap();
    let measured: Vec<_> = rirs.iter().map(room_acoustics).collect();
    for (band, eyring) in room.eyring_time().into_iter().enumerate() {
        let expected = eyring / kuttruff(0.25);
        // One response is too short to measure the lowest octaves to a few percent; the mean of 16 does better.
        let tolerance = if band < 2 { 0.1 } else { 0.06 };
        let t30s = measured.iter().map(|acoustics| acoustics.octaves[band].field.t30.unwrap());
        let t30 = t30s.sum::<f64>() / measured.len() as f64;
        assert!(
            (t30 / expected - 1.0).abs() < tolerance,
            "{} Hz: {t30} s, expected {expected} s",
            OCTAVES[band]
        );
    }
}

/// How much slower than by Eyring a diffuse box near a cube decays: 1 + ln(1 - a) g² / 2 with the relative variance of
/// free paths g² = 0.345 (Kuttruff, Room Acoustics, 5.4 and table 5.1).
fn kuttruff(absorption: f64) -> f64 {
    1.0 + 0.5 * 0.345 * (1.0 - absorption).ln()
}

#[test]
fn each_octave_is_absorbed_by_its_own_coefficient() {
    // Energy per metre of path falls as (1 - a)^(S / 4V), less Kuttruff's correction.
    let absorption = [0.12, 0.2, 0.35, 0.3, 0.25, 0.2, 0.15, 0.4];
    let walls = Material::new("walls", absorption).unwrap().with_scattering([1.0; BAND_COUNT]).unwrap();
    let room = Room::from(&box_room([5.0, 4.5, 4.0], |_| walls.clone()));
    let microphones = places([5.0, 4.5, 4.0], 10);
    for (band, absorption) in absorption.into_iter().enumerate() {
        let found = energies_in(band, &room, &seconds(10_000, 2, 0.24), &microphones, 10.0);
        let decay = 10.0 * (found[1] / found[7]).log10() / 60.0;
        let eyring = -10.0 * (1.0 - absorption).log10() * room.surface_area() / (4.0 * room.volume());
        let expected = eyring * kuttruff(absorption);
        assert!((decay / expected - 1.0).abs() < 0.04, "{band}: {decay} dB/m, expected {expected} dB/m");
    }
}

#[test]
fn octaves_that_scatter_differently_decay_each_at_its_own_rate() {
    // Hard walls, soft floor and ceiling: sound that is never scattered rings on between the walls. One material that
    // scatters nothing at 500 Hz and much at 2 kHz must give in each octave what an all smooth or all rough one does.
    let room = |scattering: Octaves| {
        Room::from(&box_room([6.0, 5.0, 3.0], |index| {
            let absorption = if index < 4 { 0.03 } else { 0.6 };
            Material::new("wall", [absorption; BAND_COUNT]).unwrap().with_scattering(scattering).unwrap()
        }))
    };
    let microphones = places([6.0, 5.0, 3.0], 20);
    let decay = |band, scattering| {
        energies_in(band, &room(scattering), &seconds(12_000, 3, 0.24), &microphones, 20.0)
    };
    let mixed = std::array::from_fn(|band| if band < 4 { 0.0 } else { 0.5 });
    for (band, uniform) in [(3, [0.0; BAND_COUNT]), (5, [0.5; BAND_COUNT])] {
        for (step, (found, expected)) in decay(band, mixed).iter().zip(decay(band, uniform)).enumerate() {
            let difference = 10.0 * (found / expected).log10();
            assert!(difference.abs() < 0.7, "band {band}, from {step} x 20 m: {difference} dB");
        }
    }
}

#[test]
fn scattering_brings_a_box_of_unequal_walls_towards_its_eyring_time() {
    // pyroomacoustics 0.10.1 in a 6 x 5 x 4 m box (acoustics.md, 1.6, its issue 415): T30 falls from 2.5 s without
    // scattering to 0.4 s at 0.5, which is Eyring's. That is physics: scattering feeds the soft surfaces.
    let t30 = |scattering, length| {
        let walls = |index| material(if index < 4 { 0.03 } else { 0.6 }, scattering);
        let room = Room::from(&box_room([6.0, 5.0, 4.0], walls));
        let response = one(&room, &seconds(4_000, 3, length));
        room_acoustics(&response).octaves[4].field.t30.unwrap() / room.eyring_time()[4]
    };
    let (smooth, rough, rougher) = (t30(0.0, 4.0), t30(0.5, 0.8), t30(1.0, 0.8));
    assert!(smooth > 2.5 && (0.9..1.4).contains(&rough) && (0.85..1.2).contains(&rougher));
}

#[test]
fn round_the_corner_of_an_l_there_is_no_direct_sound_but_the_right_reflections() {
    let room = l_shape(material(0.3, 0.0));
    let scene = Scene::new(&room);
    assert_eq!(scene.mirrors.len(), 8);
    let source = Source::omnidirectional(Position::new(5.0, 1.0, 1.2));
    let images = Images::new(&scene, &source, 1, 100, 1e3);
    // The line from (5, 1) to (1.2, 5.2) passes x = 3 at y = 3.21, beyond the corner; those over floor and ceiling too.
    let microphone = DVec3::new(1.2, 5.2, 1.8);
    assert!(images.direct(&scene, microphone).is_none());
    // By the walls at x = 0 and y = 0: from the image (-5, 1) through x = 0 at y = 4.38, and on to (5, 1), which passes
    // x = 3 at y = 2.35, below the corner; from (5, -1) through y = 0 at x = 4.38, and on, which passes y = 3 at x = 2.55.
    // The walls of the corner face away from one of the two.
    let distances: Vec<f64> =
        images.reflections(&scene, microphone).iter().map(|arrival| arrival.distance).collect();
    assert_eq!(distances.len(), 2, "{distances:?}");
    for image in [DVec3::new(-5.0, 1.0, 1.2), DVec3::new(5.0, -1.0, 1.2)] {
        let expected = image.distance(microphone);
        assert!(distances.iter().any(|distance| (distance - expected).abs() < 1e-9), "{distances:?}");
    }
    assert!(images.direct(&scene, DVec3::new(2.0, 2.0, 1.5)).is_some());
}

#[test]
fn a_ray_meets_first_what_is_nearest_of_all_surfaces() {
    // The tree against a search through everything, in a room with sixty crates.
    let crates = (0..60)
        .map(|index| {
            let (column, row, layer) = (index % 5, index / 5 % 4, index / 20);
            let low = DVec3::new(0.3 + f64::from(column), 0.4 + f64::from(row), 0.1 + f64::from(layer));
            solid(low, low + DVec3::new(0.5, 0.6, 0.4), 0)
        })
        .collect();
    let scene = Scene::new(&with_solids(&box_room([6.0, 5.0, 3.5], |_| material(0.2, 0.2)), crates));
    let mut dice = crate::dice::Dice::new(1, [1]);
    for _ in 0..2_000 {
        let origin = DVec3::new(5.4 + 0.5 * dice.roll(), 5.0 * dice.roll(), 3.5 * dice.roll());
        let target = DVec3::new(4.0 * dice.roll(), 5.0 * dice.roll(), 3.5 * dice.roll());
        let direction = (target - origin).normalize();
        let distances = scene.facets.iter().filter_map(|facet| {
            let distance = -facet.height(origin) / facet.normal.dot(direction);
            let faces = facet.normal.dot(direction) < 0.0 && distance > 0.0;
            (faces && facet.contains(origin + distance * direction)).then_some(distance)
        });
        let nearest = distances.fold(f64::INFINITY, f64::min);
        let hit = scene.first_hit(origin, direction).unwrap();
        assert!((hit.distance - nearest).abs() < 1e-12);
        let before = origin + 0.999 * nearest * direction;
        let behind = origin + 1.001 * nearest * direction;
        assert!(scene.is_seen(origin, before) && !scene.is_seen(origin, behind));
    }
}

#[test]
fn a_plate_between_source_and_microphone_hides_the_direct_sound_and_its_edge_shows_it_again() {
    let plate = solid(DVec3::new(2.0, 1.0, 0.2), DVec3::new(2.1, 4.9, 2.4), 0);
    let furnished = with_solids(&box_room([6.0, 5.0, 3.0], |_| material(0.3, 0.2)), vec![plate]);
    let scene = Scene::new(&furnished);
    let images = Images::new(&scene, &Source::omnidirectional(SOURCE), 1, 100, 1e3);
    assert!(images.direct(&scene, MICROPHONE.into()).is_none());
    // Over its top: at x = 2.1 the way from 1.7 m to 2.9 m at x = 2.2 has reached 2.78 m.
    assert!(images.direct(&scene, DVec3::new(2.2, 3.9, 2.9)).is_some());
    // The plate reflects what comes from its own side.
    let heard = images.reflections(&scene, DVec3::new(1.0, 3.0, 1.5));
    let mirrored = DVec3::new(2.8, 3.9, 1.7).distance(DVec3::new(1.0, 3.0, 1.5));
    assert!(heard.iter().any(|arrival| (arrival.distance - mirrored).abs() < 1e-9));
    // Rays bend as little as images, but fill the shadow with scattered sound.
    let response = one(&furnished, &seconds(2_000, 2, 0.4));
    let straight = (SOURCE.distance(MICROPHONE) / 343.2 * 16_000.0) as usize;
    assert!(response.onset() > straight + 2, "{} {straight}", response.onset());
}

#[test]
fn furniture_shortens_the_decay_as_its_surface_tells() {
    // Ten crates scatter and absorb. Eyring's time counts their area; sound lingers between them a little.
    let crates = (0..10)
        .map(|index| {
            let low = DVec3::new(0.4 + 1.1 * f64::from(index % 5), 0.5 + 2.5 * f64::from(index / 5), 0.0);
            solid(low, low + DVec3::new(0.7, 1.2, 1.1), 0)
        })
        .collect();
    let empty = box_room([6.0, 5.0, 3.0], |_| material(0.2, 0.6));
    let microphones: Vec<Position> =
        (0..8).map(|n| Position::new(0.7 + 0.6 * f64::from(n), 1.0 + 0.4 * f64::from(n), 1.9)).collect();
    let source = Source::omnidirectional(SOURCE);
    let t30 = |room: &Room| {
        let settings = GeometricSettings::default();
        let rirs = geometric_rirs(room, &source, &microphones, &settings, &quiet).unwrap();
        let times = rirs.iter().map(|rir| room_acoustics(rir).octaves[4].field.t30.unwrap());
        times.sum::<f64>() / microphones.len() as f64
    };
    let room = with_solids(&empty, crates);
    let (furnished, eyring, bare) = (t30(&room), room.eyring_time()[4], t30(&Room::from(&empty)));
    assert!((0.95..1.2).contains(&(furnished / eyring)), "{furnished} s, Eyring {eyring} s");
    assert!(furnished < bare, "{furnished} s, empty {bare} s");
}

#[test]
fn the_direct_sound_is_one_over_r_on_time() {
    // What the air takes at 1 kHz is the only other loss (ISO 9613-1).
    let room = Room::from(&box_room([12.0, 5.0, 4.0], |_| material(1.0, 0.1)));
    let source = Position::new(1.0, 2.5, 2.0);
    let microphones = [1.0, 2.0, 5.0, 10.0].map(|r| Position::new(1.0 + r, 2.5, 2.0));
    let source = Source::omnidirectional(source);
    let responses = geometric_rirs(&room, &source, &microphones, &seconds(100, 1, 0.1), &quiet).unwrap();
    for (rir, r) in responses.iter().zip([1.0, 2.0, 5.0, 10.0]) {
        let [re, im] = transform(rir, 1_000.0);
        let expected = 10_f64.powf(-Air::default().attenuation(1_000.0) * r / 20.0) / r;
        assert!((re.hypot(im) / expected - 1.0).abs() < 1e-3, "{r} m");
        let phase = (-TAU * 1_000.0 * r / 343.2 - im.atan2(re)).rem_euclid(TAU);
        assert!(phase.min(TAU - phase) < 5e-3, "{r} m: {phase}");
    }
}

/// The response's Fourier transform at one frequency: real and imaginary part.
fn transform(rir: &Rir, hz: f64) -> [f64; 2] {
    rir.samples().iter().enumerate().fold([0.0; 2], |[re, im], (n, &s)| {
        let (sin, cos) = (TAU * hz * n as f64 / f64::from(rir.sample_rate())).sin_cos();
        [re + f64::from(s) * cos, im - f64::from(s) * sin]
    })
}

#[test]
fn neighbouring_microphones_hear_the_same_tail_as_coherently_as_in_a_diffuse_field() {
    // Coherence of a diffuse field r apart: sin(kr)/kr (Cook et al., JASA 27, 1955), from 1 near 0 Hz to its first
    // zero at c / 2r, 1 716 Hz for 10 cm.
    let second = Position::new(MICROPHONE.x + 0.1, MICROPHONE.y, MICROPHONE.z);
    let room = Room::from(&box_room([6.0, 5.0, 3.0], |_| material(0.2, 0.5)));
    let source = Source::omnidirectional(SOURCE);
    let rirs =
        geometric_rirs(&room, &source, &[MICROPHONE, second], &seconds(8_000, 2, 0.8), &quiet).unwrap();
    let tails: Vec<Rir> = rirs
        .iter()
        .map(|rir| {
            let mut samples = rir.samples().to_vec();
            samples[..800].fill(0.0);
            Rir::new(16_000, samples).unwrap()
        })
        .collect();
    for centre in [400, 900, 1_700] {
        let (mut cross, mut powers) = (0.0, [0.0; 2]);
        for hz in (centre - 150..centre + 150).step_by(2) {
            let [a, b] = [&tails[0], &tails[1]].map(|rir| transform(rir, f64::from(hz)));
            cross += a[0] * b[0] + a[1] * b[1];
            powers = [powers[0] + a[0] * a[0] + a[1] * a[1], powers[1] + b[0] * b[0] + b[1] * b[1]];
        }
        let coherence = cross / (powers[0] * powers[1]).sqrt();
        let kr = TAU * f64::from(centre) * 0.1 / 343.2;
        // 300 Hz of a tail with some 0.1 s of energy are about 60 independent values.
        assert!((coherence - kr.sin() / kr).abs() < 0.2, "{centre} Hz: {coherence}");
    }
}

#[test]
fn the_tail_never_stands_above_the_direct_sound() {
    // Random phases must not make a reflection louder than what it is a reflection of, at conversational distance.
    for (absorption, scattering, rays) in [(0.1, 0.1, 500), (0.1, 0.9, 500), (0.3, 0.5, 5_000)] {
        for seed in 0..4 {
            let room = Room::from(&box_room([6.0, 5.0, 3.0], |_| material(absorption, scattering)));
            let near = Position::new(SOURCE.x + 1.0, SOURCE.y - 0.5, 1.2);
            let settings = GeometricSettings { seed, ..seconds(rays, 3, 0.5) };
            let source = Source::omnidirectional(SOURCE);
            let rir = geometric_rirs(&room, &source, &[near], &settings, &quiet).unwrap().remove(0);
            let arrival = (SOURCE.distance(near) / 343.2 * 16_000.0) as usize;
            let peak = |samples: &[f32]| samples.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
            let (direct, tail) = rir.samples().split_at(arrival + 20);
            assert!(peak(tail) < peak(direct), "{absorption} {scattering} {rays} {seed}");
        }
    }
}

#[test]
fn the_same_input_gives_the_same_bits_on_any_number_of_threads() {
    let plate = solid(DVec3::new(2.0, 1.0, 0.2), DVec3::new(2.1, 4.5, 2.4), 0);
    let room = with_solids(&box_room([6.0, 5.0, 3.0], |_| material(0.3, 0.2)), vec![plate]);
    let microphones: Vec<Position> =
        (0..5).map(|n| Position::new(2.5 + 0.5 * f64::from(n), 2.0, 1.5)).collect();
    let source = Source::omnidirectional(SOURCE);
    let run = |threads, seed| {
        let settings = GeometricSettings { seed, ..seconds(500, 3, 0.3) };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| geometric_rirs(&room, &source, &microphones, &settings, &quiet).unwrap())
    };
    assert_eq!(run(1, 4), run(3, 4));
    assert_ne!(run(1, 4), run(1, 5));
}

#[test]
fn whoever_watches_may_stop_it() {
    let room = Room::from(&box_room([6.0, 5.0, 3.0], |_| material(0.3, 0.2)));
    let source = Source::omnidirectional(SOURCE);
    for last in [0.3, 0.7] {
        let watch = |share| if share < last { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
        let result = geometric_rirs(&room, &source, &[MICROPHONE], &seconds(2_000, 2, 0.2), &watch);
        assert_eq!(result, Err(GeometricError::Cancelled));
    }
}

#[test]
fn impossible_places_and_settings_are_refused_with_a_reason() {
    let room = with_solids(
        &box_room([6.0, 5.0, 3.0], |_| material(0.3, 0.2)),
        vec![solid(DVec3::new(2.0, 1.0, 0.2), DVec3::new(3.0, 2.0, 1.2), 0)],
    );
    let refusal = |source, microphone, settings: &GeometricSettings| {
        let source = Source::omnidirectional(source);
        geometric_rirs(&room, &source, &[microphone], settings, &quiet).unwrap_err().to_string()
    };
    let standard = GeometricSettings::default();
    assert_eq!(
        refusal(Position::new(2.5, 1.5, 1.0), MICROPHONE, &standard),
        "the source at (2.5, 1.5, 1) m is not in the air of room \"furnished\"; move it"
    );
    assert!(
        refusal(SOURCE, Position::new(1.0, 1.0, -1.0), &standard).starts_with("microphone 0 at (1, 1, -1) m")
    );
    assert!(refusal(SOURCE, SOURCE, &standard).starts_with("microphone 0 is less than 1 cm"));
    let setting = GeometricSettings { image_order: 99, ..standard.clone() };
    assert_eq!(refusal(SOURCE, MICROPHONE, &setting), "image_order is 99; it must lie between 0 and 50");
    let short = GeometricSettings { length_seconds: Some(0.002), ..standard };
    assert!(
        refusal(SOURCE, MICROPHONE, &short).starts_with("microphone 0 hears nothing within the response")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_furnished_box_gives_a_response_of_bounded_energy(
        size in [1.0_f64..12.0, 1.0_f64..12.0, 1.0_f64..6.0],
        low in [0.0_f64..0.6, 0.0_f64..0.6, 0.0_f64..0.6],
        source in [0.01_f64..0.99, 0.01_f64..0.99, 0.01_f64..0.99],
        microphone in [0.01_f64..0.99, 0.01_f64..0.99, 0.01_f64..0.99],
        absorption in 0.0_f64..=1.0,
        scattering in 0.0_f64..=1.0,
    ) {
        let place = |p: [f64; 3]| Position::new(p[0] * size[0], p[1] * size[1], p[2] * size[2]);
        let corner = DVec3::from(place(low));
        let furniture = solid(corner, corner + 0.3 * DVec3::from(size), 0);
        let room = with_solids(&box_room(size, |_| material(absorption, scattering)), vec![furniture]);
        let (source, microphone) = (place(source), place(microphone));
        prop_assume!(source.distance(microphone) > 0.02 && room.is_air(source) && room.is_air(microphone));
        let settings = seconds(300, 2, 0.2);
        let source = Source::omnidirectional(source);
        match geometric_rirs(&room, &source, &[microphone], &settings, &quiet) {
            // Behind the furniture in a room that reflects nothing.
            Err(GeometricError::Silent { .. }) => prop_assert!(absorption > 0.9),
            Err(other) => prop_assert!(false, "{other}"),
            Ok(rirs) => {
                // Nothing sounds before the straight way but the flank of its pulse.
                let arrival = source.position.distance(microphone) / 343.2 * 16_000.0;
                let samples = rirs[0].samples();
                let peak = samples.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
                let before = (arrival - 80.0).max(0.0) as usize;
                prop_assert!(samples[..before].iter().all(|s| s.abs() < 0.02 * peak));
                // No energy is made: even if nothing absorbed, 0.2 s of sound from all around bring no more than the
                // energy density 4 pi / V passing by, here with room for what a few rays get wrong.
                let reflected: f64 = samples[(arrival as usize + 80).min(samples.len())..]
                    .iter()
                    .map(|&s| f64::from(s).powi(2))
                    .sum();
                let bound = 4.0 * PI * 343.2 * 0.2 / room.volume();
                prop_assert!(reflected < 6.0 * bound, "{reflected} of {bound}");
            }
        }
    }
}
