//! Whether the analysis measures what others measure.

use super::{
    Context, Experiment, Figure, Findings,
    measured::{
        Absorbers, LOUDSPEAKERS, OMNIDIRECTIONAL, array_places, delay, laboratory, laboratory_array,
        octave_mean, seminar_room,
    },
};
use crate::{
    band::octave_name,
    metrics::{RoomAcoustics, room_acoustics},
};

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "analysis-laboratory",
        title: "T30 of a measured laboratory, two settings of its absorbers",
        reference: "R3VIVAL (Facebook Research): T30 of four omnidirectional sources as plotted by its authors, read to two digits",
        quick: true,
        known_miss: None,
        find: laboratory_times,
    },
    Experiment {
        name: "analysis-seminar-room",
        title: "ISO 3382 parameters of a measured seminar room, 500 Hz to 4 kHz",
        reference: "another program on the same response: RoomCAD's acousticbench, BRAS CR2, LS1 to MP1; within one just noticeable difference",
        quick: true,
        known_miss: None,
        find: seminar_room_parameters,
    },
    Experiment {
        name: "measured-array",
        title: "Delays between the microphones of a measured array",
        reference: "geometry: six microphones on a sphere of 10 cm diameter, loudspeakers at 1.5 m (R3VIVAL); one sample of the recording is 21 µs",
        quick: true,
        known_miss: None,
        find: array_delays,
    },
];

fn laboratory_times(_: &Context) -> Findings {
    let published =
        [(Absorbers::Hidden, [0.72, 0.71, 0.66, 0.61]), (Absorbers::Open, [0.48, 0.44, 0.35, 0.31])];
    let mut figures = Vec::new();
    for (absorbers, published) in published {
        let responses: Vec<RoomAcoustics> =
            laboratory(absorbers)?[OMNIDIRECTIONAL].iter().map(room_acoustics).collect();
        let t30 = octave_mean(&responses, |field| field.t30);
        for (band, expected) in (3..7).zip(published) {
            let quantity = format!("T30 at {}, absorbers {absorbers}", octave_name(band));
            figures.push(Figure::near(quantity, t30[band], "s", expected, 0.05 * expected));
        }
    }
    Ok(figures)
}

fn seminar_room_parameters(_: &Context) -> Findings {
    // 500 Hz to 4 kHz: EDT, T20, T30 in s, C50 and C80 in dB, centre time in ms.
    let published: [[f64; 6]; 4] = [
        [1.7183, 2.0808, 2.0891, -5.1029, -2.3079, 144.9],
        [1.8402, 1.9359, 1.9648, -2.4996, -0.8066, 133.3],
        [1.7623, 1.6715, 1.7147, -2.9976, -0.7354, 128.4],
        [1.5405, 1.5817, 1.5639, -3.4822, -0.6211, 120.3],
    ];
    let octaves = seminar_room()?.octaves;
    let mut figures = Vec::new();
    for (band, published) in (3..7).zip(published) {
        let field = octaves[band].field;
        let found = [
            ("EDT", "s", field.edt),
            ("T20", "s", field.t20),
            ("T30", "s", field.t30),
            ("C50", "dB", field.c50),
            ("C80", "dB", field.c80),
            ("Ts", "ms", field.centre_time.map(|time| 1e3 * time)),
        ];
        for ((name, unit, value), expected) in found.into_iter().zip(published) {
            let noticeable = match unit {
                "s" => 0.05 * expected,
                "dB" => 1.0,
                _ => 10.0,
            };
            let quantity = format!("{name} at {}", octave_name(band));
            figures.push(Figure::near(quantity, value.unwrap_or(f64::NAN), unit, expected, noticeable));
        }
    }
    Ok(figures)
}

fn array_delays(_: &Context) -> Findings {
    // The laboratory's air is not published; 1 % of speed is 1.5 µs here.
    let speed = 343.2;
    let mut figures = Vec::new();
    for (loudspeaker, channels) in LOUDSPEAKERS.iter().zip(laboratory_array()?) {
        let (sine, cosine) = loudspeaker.azimuth.to_radians().sin_cos();
        let source = [loudspeaker.distance * cosine, loudspeaker.distance * sine, 0.0];
        // The direct sound is aligned to 10 ms, and no reflection comes within 2.5 ms of it.
        let worst = array_places()
            .iter()
            .zip(&channels)
            .map(|(place, channel)| {
                let way = source.iter().zip(place).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
                let expected = (way - loudspeaker.distance) / speed;
                (delay(&channels[6], channel, 440..600) - expected).abs()
            })
            .fold(0.0, f64::max);
        let quantity = format!("largest error of six delays, loudspeaker {}", loudspeaker.name);
        figures.push(Figure::at_most(quantity, 1e6 * worst, "µs", 25.0));
    }
    Ok(figures)
}

impl std::fmt::Display for Absorbers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Hidden => "hidden",
            Self::Open => "open",
        })
    }
}
