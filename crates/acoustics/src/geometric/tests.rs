use std::f64::consts::{PI, TAU};

use super::*;
use crate::{
    Air, BoxRoom, ImageSourceSettings, Material, Octaves, Polygon, Solid, Surface, Surfaces,
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

fn quiet(_: f64) {}

fn seconds(rays: usize, image_order: u32, length: f64) -> GeometricSettings {
    GeometricSettings { rays, image_order, length_seconds: Some(length), ..GeometricSettings::default() }
}

fn one(room: &Room, settings: &GeometricSettings) -> Rir {
    geometric_rirs(room, &Source::omnidirectional(SOURCE), &[MICROPHONE], settings, &quiet).unwrap().remove(0)
}

/// Energy of the reflections in one octave by time, in steps of so many metres of path, the mean of some microphones.
fn energies(room: &Room, settings: &GeometricSettings, microphones: &[Position], step: f64) -> Vec<f64> {
    let length = settings.length_seconds.unwrap();
    let source = Source::omnidirectional(SOURCE);
    let geometric = Geometric::new(room, &source, microphones, settings, length, &quiet);
    let mut sums = vec![0.0; (343.2 * length / step) as usize];
    for &microphone in microphones {
        for arrival in geometric.heard(microphone).reflections {
            if let Some(sum) = sums.get_mut((arrival.distance / step) as usize) {
                *sum += f64::from(arrival.amplitudes[4]).powi(2) / microphones.len() as f64;
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

#[test]
fn explore() {
    let size = [6.0, 5.0, 3.0];
    for s in [0.0, 0.1, 0.5, 1.0] {
        let room = Room::from(&box_room(size, |_| material(0.2, s)));
        let mics = places(size, 20);
        let expected = 16.0 * PI * 0.8 / (126.0 * 0.2);
        for order in [0, 1, 3, 6] {
            let start = std::time::Instant::now();
            let e = energies(&room, &seconds(10_000, order, 0.6), &mics, 3.432);
            let total: f64 = e.iter().sum();
            println!(
                "s {s} order {order}: total {:.4} dB vs diffuse; {:?} {:?}",
                10.0 * (total / expected).log10(),
                start.elapsed(),
                e.iter().step_by(3).map(|x| (100.0 * 10.0 * x.log10()).round() / 100.0).collect::<Vec<_>>()
            );
        }
    }
}
