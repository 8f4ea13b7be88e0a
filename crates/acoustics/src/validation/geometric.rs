//! The geometrical part against theory.

use std::ops::ControlFlow;

use super::{
    Context, Experiment, Figure, Findings,
    measured::{array_places, octave_mean, phase_delay, spectrum_at},
};
use crate::{
    Air, BAND_COUNT, BoxRoom, GeometricSettings, Material, Octaves, Position, Room, Source, Surfaces,
    geometric_rirs, octave_name, room_acoustics,
};

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "geometric-free-field",
        title: "Level of the direct sound from 1 to 8 m",
        reference: "theory, 1/r and air absorption (ISO 9613-1), 1 at 1 m; within 0.1 dB at 1 kHz",
        quick: true,
        known_miss: None,
        find: free_field,
    },
    Experiment {
        name: "geometric-eyring",
        title: "T30 of a box that scatters everything",
        reference: "Eyring's formula with Kuttruff's correction for paths of unequal length (variance 0.4 of their squared \
                    mean; Room Acoustics, 5.4) and air absorption; within one just noticeable difference, 5 %",
        quick: true,
        known_miss: None,
        find: eyring,
    },
    Experiment {
        name: "geometric-array",
        title: "Delays of the direct sound between the microphones of an array of 10 cm",
        reference: "theory, difference of distances over the speed of sound; within 1 µs, by the phase at 1 kHz",
        quick: true,
        known_miss: None,
        find: array_delays,
    },
];

fn box_room(
    size: [f64; 3],
    absorption: f64,
    scattering: Octaves,
) -> Result<Room, Box<dyn std::error::Error + Send + Sync>> {
    let material = Material::new("even", [absorption; BAND_COUNT])?.with_scattering(scattering)?;
    let [x, y, z] = size;
    Ok(Room::from(&BoxRoom::new(Position::new(x, y, z), Surfaces::uniform(&material), Air::default())?))
}

/// These experiments are too short for a bar.
fn go_on(_share: f64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn free_field(_: &Context) -> Findings {
    // Walls that absorb everything.
    let room = box_room([12.0, 9.0, 7.0], 1.0, [0.0; BAND_COUNT])?;
    let distances = [1.0, 2.0, 4.0, 8.0];
    let source = Position::new(1.5, 4.4, 3.3);
    let microphones = distances.map(|distance| Position { x: source.x + distance, ..source });
    let settings = GeometricSettings { length_seconds: Some(0.1), rays: 0, ..GeometricSettings::default() };
    let rirs = geometric_rirs(&room, &Source::omnidirectional(source), &microphones, &settings, &go_on)?;
    let figure = |(rir, distance): (&crate::Rir, f64)| {
        let expected = -20.0 * distance.log10() - room.air().attenuation(1_000.0) * distance;
        let level = 20.0 * spectrum_at(rir, 1_000.0).norm().log10();
        Figure::near(format!("level at {distance} m"), level, "dB", expected, 0.1)
    };
    Ok(rirs.iter().zip(distances).map(figure).collect())
}

fn eyring(_: &Context) -> Findings {
    let mut figures = Vec::new();
    for absorption in [0.1, 0.3] {
        let room = box_room([6.0, 5.0, 4.0], absorption, [1.0; BAND_COUNT])?;
        let settings = GeometricSettings { rays: 20_000, image_order: 0, ..GeometricSettings::default() };
        let microphones = [Position::new(4.2, 1.3, 1.1), Position::new(2.2, 3.9, 2.7)];
        let source = Source::omnidirectional(Position::new(1.2, 2.1, 1.7));
        let rirs = geometric_rirs(&room, &source, &microphones, &settings, &go_on)?;
        let measured: Vec<_> = rirs.iter().map(room_acoustics).collect();
        let t30 = octave_mean(&measured, |field| field.t30);
        for (band, measured) in t30.into_iter().enumerate().take(7).skip(3) {
            let expected = kuttruff_time(&room, band);
            let quantity = format!("T30 at {}, absorption {absorption}", octave_name(band));
            figures.push(Figure::near(quantity, measured, "s", expected, 0.05 * expected));
        }
    }
    Ok(figures)
}

/// Eyring's time with the exponent -ln(1-α) made smaller by 1 + γ²/2 ln(1-α), γ² = 0.4.
fn kuttruff_time(room: &Room, band: usize) -> f64 {
    let exponent = (1.0 - room.mean_absorption()[band]).ln();
    let walls = -exponent * (1.0 + 0.2 * exponent) * room.surface_area() / (4.0 * room.volume());
    6.0 * std::f64::consts::LN_10 / room.air().speed_of_sound() / (walls + room.air().energy_loss()[band])
}

fn array_delays(_: &Context) -> Findings {
    let room = box_room([9.0, 8.0, 5.0], 1.0, [0.0; BAND_COUNT])?;
    let centre = Position::new(5.03, 3.97, 2.51);
    let microphones: Vec<Position> = [[0.0; 3]]
        .iter()
        .chain(&array_places())
        .map(|[x, y, z]| Position::new(centre.x + x, centre.y + y, centre.z + z))
        .collect();
    let settings = GeometricSettings { length_seconds: Some(0.05), rays: 0, ..GeometricSettings::default() };
    let mut figures = Vec::new();
    for azimuth in [0.0_f64, 37.0, 90.0, 180.0] {
        let (sine, cosine) = azimuth.to_radians().sin_cos();
        let source = Position::new(centre.x + 1.5 * cosine, centre.y + 1.5 * sine, centre.z + 0.2);
        let rirs = geometric_rirs(&room, &Source::omnidirectional(source), &microphones, &settings, &go_on)?;
        let error = |(rir, place): (&crate::Rir, &Position)| {
            let expected = (source.distance(*place) - source.distance(centre)) / room.air().speed_of_sound();
            (phase_delay(&rirs[0], rir, 1_000.0) - expected).abs()
        };
        let worst = rirs.iter().zip(&microphones).map(error).fold(0.0, f64::max);
        figures.push(Figure::at_most(
            format!("largest error of six delays, source at {azimuth}°"),
            1e6 * worst,
            "µs",
            1.0,
        ));
    }
    Ok(figures)
}
