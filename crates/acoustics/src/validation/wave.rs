//! The wave solver against theory.

use super::{Context, Experiment, Figure, Findings, Target};
use crate::{
    Air, BAND_COUNT, BoxRoom, Material, Position, Rir, Room, Surfaces, materials, octave_name,
    room_acoustics,
    wave::{Grid, WavePlan, WaveSettings, checks, random_absorption, wave_responses},
};

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "wave-modes",
        title: "First five modes of a rigid box of 4.6 x 3.4 x 2.6 m",
        reference: "theory, c/2 √((l/x)² + (m/y)² + (n/z)²); within 0.5 %",
        quick: true,
        known_miss: None,
        find: modes,
    },
    Experiment {
        name: "wave-free-field",
        title: "Level of the direct sound from 0.5 to 2.5 m, before any reflection",
        reference: "theory, 1/r and air absorption (ISO 9613-1), 1 at 1 m; within 0.25 dB at 250 Hz to 1 kHz",
        quick: false,
        known_miss: None,
        find: free_field,
    },
    Experiment {
        name: "wave-dispersion",
        title: "Phase velocity at six spacings per wavelength, five directions",
        reference: "the dispersion relation of each grid; within 0.2 %",
        quick: true,
        known_miss: None,
        find: dispersion,
    },
    Experiment {
        name: "wave-energy",
        title: "Energy of a rigid furnished room over the run",
        reference: "theory: constant; within 0.1 %",
        quick: true,
        known_miss: None,
        find: energy,
    },
    Experiment {
        name: "wave-stability",
        title: "What is left after 50 000 steps in a lossy furnished room",
        reference: "theory: nothing but rounding; at most -80 dB of the loudest sample",
        quick: true,
        known_miss: None,
        find: stability,
    },
    Experiment {
        name: "wave-reciprocity",
        title: "Source and microphone exchanged in a furnished room",
        reference: "theory: the same response; the difference at most -80 dB",
        quick: true,
        known_miss: None,
        find: reciprocity,
    },
    Experiment {
        name: "wave-materials",
        title: "Reflection from every material of the library in an impedance tube, 63 Hz to 1 kHz",
        reference: "the reflection factor of the fitted circuit, within 1 dB where it is -10 dB or more and within 3 % of \
                    the incident wave where it is less; and the absorption coefficient of the table, within 0.05 (those above \
                    0.951 cannot be had from locally reacting surfaces and count as that)",
        quick: false,
        known_miss: None,
        find: impedance_tube,
    },
    Experiment {
        name: "wave-eyring",
        title: "Reverberation time of a bare box with locally reacting surfaces, against Eyring",
        reference: "no shorter than Eyring's diffuse field and no longer than its slowest axial mode (Morse and Bolt, \
                    Rev. Mod. Phys. 16, 1944). It is longer than Eyring's, since waves along a surface lose half as \
                    much: that is what such a room does, and why rooms need furniture",
        quick: true,
        known_miss: None,
        find: eyring,
    },
];

const GRIDS: [(Grid, &str); 2] = [(Grid::Fcc, "FCC grid"), (Grid::Cartesian, "Cartesian grid")];

fn modes(context: &Context) -> Findings {
    let mut figures = Vec::new();
    for (grid, name) in GRIDS {
        for mode in checks::rigid_box_modes(context.executor, grid)? {
            let quantity = format!("{name}, mode");
            figures.push(Figure::near(quantity, mode.found, "Hz", mode.expected, 0.005 * mode.expected));
        }
    }
    Ok(figures)
}

fn free_field(context: &Context) -> Findings {
    let mut figures = Vec::new();
    for (grid, name) in GRIDS {
        let levels = checks::free_field(context.executor, grid)?;
        // The levels come by distance, nearest first.
        for levels in levels.chunk_by(|a, b| b.distance - a.distance < 0.01) {
            let worst = largest(levels.iter().map(|level| level.amplitude.level_error()));
            let quantity = format!("{name}, worst level at {:.1} m", levels[0].distance);
            figures.push(Figure::near(quantity, worst, "dB", 0.0, 0.25));
        }
    }
    Ok(figures)
}

fn dispersion(context: &Context) -> Findings {
    let mut figures = Vec::new();
    for (grid, name) in GRIDS {
        for speed in checks::dispersion(context.executor, grid)? {
            let slow = |value: f64| 100.0 * (value - 1.0);
            let quantity = format!("{name}, phase velocity off by");
            figures.push(Figure::near(quantity, slow(speed.found), "%", slow(speed.expected), 0.2));
        }
    }
    Ok(figures)
}

fn energy(context: &Context) -> Findings {
    let mut figures = Vec::new();
    for (grid, name) in GRIDS {
        let [low, high] = checks::energy(context.executor, grid)?;
        let worst = largest([low - 1.0, high - 1.0].into_iter());
        figures.push(Figure::near(format!("{name}, largest change"), 100.0 * worst, "%", 0.0, 0.1));
    }
    Ok(figures)
}

fn stability(context: &Context) -> Findings {
    let mut figures = Vec::new();
    for (grid, name) in GRIDS {
        let left = checks::stability(context.executor, grid)?;
        figures.push(Figure::at_most(format!("{name}, what is left"), left, "dB", -80.0));
    }
    Ok(figures)
}

fn reciprocity(context: &Context) -> Findings {
    let mut figures = Vec::new();
    for (grid, name) in GRIDS {
        let difference = checks::reciprocity(context.executor, grid)?;
        figures.push(Figure::at_most(format!("{name}, difference"), difference, "dB", -80.0));
    }
    Ok(figures)
}

fn impedance_tube(context: &Context) -> Findings {
    let mut figures = Vec::new();
    let library = materials();
    for (index, material) in library.iter().enumerate() {
        let tube = checks::impedance_tube(context.executor, Grid::Fcc, material, 1_000.0)?;
        let name = material.name();
        let off = |point: &checks::TubeReflection| {
            let checks::Comparison { expected, found } = point.reflection;
            if expected >= 10_f64.powf(-0.5) {
                point.reflection.level_error()
            } else {
                (found - expected) / 0.03
            }
        };
        let reflection = largest(tube.iter().map(off));
        figures.push(Figure::near(
            format!("{name}, worst reflection over what is allowed"),
            reflection,
            "",
            0.0,
            1.0,
        ));
        let absorption = largest(tube.iter().map(|point| {
            let wanted = point.absorption.expected.min(crate::wave::MAX_RANDOM_ABSORPTION);
            point.absorption.found - wanted
        }));
        figures.push(Figure::near(format!("{name}, worst absorption"), absorption, "", 0.0, 0.05));
        (context.progress)((index + 1) as f64 / library.len() as f64);
    }
    Ok(figures)
}

fn eyring(context: &Context) -> Findings {
    let absorption = 0.15;
    let [x, y, z] = [4.1, 3.3, 2.7];
    let surfaces = Surfaces::uniform(&Material::new("even", [absorption; BAND_COUNT])?);
    let room = Room::from(&BoxRoom::new(Position::new(x, y, z), surfaces, Air::default())?);
    let settings = WaveSettings {
        f_max_hz: 400.0,
        points_per_wavelength: 7.7,
        length_seconds: 1.2,
        ..WaveSettings::default()
    };
    let plan = WavePlan::new(&room, &settings)?;
    let places = [[0.9, 2.7, 0.6], [3.6, 0.8, 2.1], [2.2, 2.2, 1.9], [3.3, 2.9, 1.1], [0.5, 0.5, 1.4]]
        .map(|[x, y, z]| Position::new(x, y, z));
    let rate = 2_000;
    let responses =
        wave_responses(&plan, context.executor, Position::new(1.31, 1.17, 0.83), &places, rate, &())?;
    let measured = responses
        .into_iter()
        .map(|samples| Ok(room_acoustics(&Rir::new(rate, samples)?)))
        .collect::<Result<Vec<_>, crate::RirError>>()?;

    let admittance = 1.0 / impedance_of(absorption);
    // An axial mode along x: both walls across x take their full share, the other four half of it.
    let damping = room.air().speed_of_sound() * admittance * (2.0 / x + 1.0 / y + 1.0 / z);
    let slowest = 3.0 * std::f64::consts::LN_10 / damping;
    let mut figures = Vec::new();
    for band in [1, 2] {
        let t20 = super::measured::octave_mean(&measured, |field| field.t20)[band];
        let eyring = room.eyring_time()[band];
        let quantity = |what: &str| format!("T20 at {}, {what}", octave_name(band));
        figures.push(Figure {
            quantity: quantity("against Eyring's"),
            value: t20,
            unit: "s",
            target: Target::Compare { expected: eyring, step: 0.05 * eyring },
        });
        figures.push(Figure {
            quantity: quantity("no shorter than Eyring's"),
            value: t20,
            unit: "s",
            target: Target::AtLeast { limit: eyring },
        });
        figures.push(Figure::at_most(quantity("no longer than the slowest mode"), t20, "s", slowest));
    }
    Ok(figures)
}

/// The real impedance above 1.567 whose absorption at random incidence this is (Paris' formula), by bisection.
fn impedance_of(absorption: f64) -> f64 {
    let (mut low, mut high) = (1.567_f64, 1e6_f64);
    for _ in 0..100 {
        let middle = (low * high).sqrt();
        if random_absorption(middle.into()) > absorption { low = middle } else { high = middle }
    }
    low
}

/// The value farthest from zero, with its sign.
fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(f64::NAN)
}
