//! `ffasr acoustics simulate`: a room file in, impulse responses and what they say out.

use std::{ops::ControlFlow, path::PathBuf, time::Instant};

use acoustics::{
    FurnishedRoom, HybridError, HybridSettings, MicrophoneArray, Rir, RoomAcoustics, RoomSource, Simulation,
    SimulationRecord,
    drawing::{self, Embedding},
    hybrid_rirs, room_acoustics, write_wav,
};
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{
    backend::Backend,
    interrupt::Interrupt,
    output::{NewDirectory, slug},
    room::load_room,
    table::{Cell, Table},
};
use crate::error::Failure;

#[derive(Args)]
pub(crate) struct Arguments {
    /// A room file (.toml) or the name of a built-in room (`ffasr acoustics rooms`).
    #[arg(value_name = "ROOM.toml|NAME")]
    room: String,
    /// Directory to make; must not exist. [default: the room's name with -rirs]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    how: Simulator,
}

/// How rooms are simulated.
#[derive(Args)]
pub(crate) struct Simulator {
    /// How fine.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) quality: Quality,
    /// Node updates that the wave solver may spend on each microphone, such as 3e10; where the quality would cost more,
    /// the crossover is lowered. [default: by the quality]
    #[arg(long, value_name = "UPDATES", value_parser = updates)]
    pub(crate) budget: Option<u64>,
    /// What runs the wave solver.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) backend: Backend,
    /// Samples per second, 8000 to 192000.
    #[arg(long, value_name = "HZ", default_value_t = 16_000)]
    pub(crate) rate: u32,
    /// Same seed, same responses.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

/// Numbers such as 30000000000 and 3e10.
fn updates(text: &str) -> Result<u64, String> {
    match text.parse::<f64>() {
        Ok(updates) if (1e6..=1e18).contains(&updates) => Ok(updates as u64),
        _ => Err("give a number from 1e6 to 1e18".to_owned()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Quality {
    /// Waves to 700 Hz: seconds.
    Draft,
    /// Waves to 1.4 kHz, within 2 %: what a processor does in minutes.
    #[default]
    Cpu,
    /// Waves to 4 kHz, within 1 %: for a graphics processor, or hours.
    Reference,
}

impl Simulator {
    pub(crate) fn settings(&self) -> HybridSettings {
        let standard =
            HybridSettings { sample_rate: self.rate, seed: self.seed, ..HybridSettings::default() };
        let settings = match self.quality {
            Quality::Cpu => standard,
            Quality::Draft => HybridSettings {
                f_max_hz: 700.0,
                work_budget_updates: 3_000_000_000,
                rays: 2_000,
                ..standard
            },
            Quality::Reference => HybridSettings {
                f_max_hz: 4_000.0_f64.min(0.4 * f64::from(self.rate)),
                points_per_wavelength: 7.7,
                work_budget_updates: 10_000_000_000_000,
                rays: 40_000,
                ..standard
            },
        };
        HybridSettings {
            work_budget_updates: self.budget.unwrap_or(settings.work_budget_updates),
            ..settings
        }
    }

    /// All responses of a room, with a bar.
    pub(crate) fn simulate(
        &self,
        room: &FurnishedRoom,
        sources: &[&RoomSource],
        microphones: &[acoustics::Position],
        interrupt: &Interrupt,
    ) -> Result<Simulation, Failure> {
        let executor = self.backend.executor();
        let sources: Vec<_> = sources.iter().map(|source| source.source).collect();
        let started = Instant::now();
        let bar = crate::progress::percent("simulating");
        let progress = |share: f64| {
            if interrupt.has_come() {
                return ControlFlow::Break(());
            }
            if started.elapsed().as_secs_f64() > 2.0 {
                bar((1_000.0 * share) as usize, 1_000);
            }
            ControlFlow::Continue(())
        };
        hybrid_rirs(room.room(), &sources, microphones, &self.settings(), &*executor, &progress).map_err(
            |error| match error {
                HybridError::Cancelled => Failure::Interrupted,
                HybridError::Wave(acoustics::wave::WaveError::Device { .. }) => Failure::failed(error),
                _ => Failure::input(error),
            },
        )
    }
}

/// `metrics.json`.
#[derive(Serialize)]
struct Metrics<'a> {
    room: &'a str,
    responses: Vec<ResponseMetrics<'a>>,
}

#[derive(Serialize)]
struct ResponseMetrics<'a> {
    file: &'a str,
    /// Channel of the file, from 1.
    channel: usize,
    source: &'a str,
    microphones: &'a str,
    distance_m: f64,
    #[serde(flatten)]
    acoustics: &'a RoomAcoustics,
}

/// `record.json`: all that decided the responses.
#[derive(Serialize)]
struct Record<'a> {
    room: &'a str,
    settings: HybridSettings,
    simulation: &'a SimulationRecord,
    wall_seconds: f64,
    sources: Vec<Place<'a>>,
    microphones: Vec<Place<'a>>,
}

#[derive(Serialize)]
struct Place<'a> {
    name: &'a str,
    positions_m: Vec<[f64; 3]>,
}

/// One file of responses and what they say.
struct Measured<'a> {
    file: String,
    source: &'a RoomSource,
    array: &'a MicrophoneArray,
    rirs: &'a [Rir],
    acoustics: Vec<RoomAcoustics>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let room = load_room(&arguments.room)?;
    let destination = arguments.out.clone().unwrap_or_else(|| PathBuf::from(format!("{}-rirs", room.name())));
    let interrupt = Interrupt::watch()?;
    let directory = NewDirectory::begin(&destination)?;
    let sources: Vec<_> = room.sources().iter().collect();
    let microphones: Vec<_> = room.arrays().iter().flat_map(|array| &array.microphones).copied().collect();
    crate::progress::step(&format!(
        "{}: {} sources, {} microphones",
        room.title(),
        sources.len(),
        microphones.len()
    ));
    let started = Instant::now();
    let simulation = arguments.how.simulate(&room, &sources, &microphones, &interrupt)?;
    let wall_seconds = started.elapsed().as_secs_f64();
    let measured = measure(&room, &simulation);
    write(&directory, &room, arguments, &simulation.record, wall_seconds, &measured)?;
    if interrupt.has_come() {
        return Err(Failure::Interrupted);
    }
    directory.finish()?;
    print!("{}", table(&measured));
    println!(
        "\n{} responses in {wall_seconds:.1} s; waves to {:.0} Hz, crossover {:.0} Hz, on {}: {}",
        microphones.len() * sources.len(),
        simulation.record.f_max_hz,
        simulation.record.crossover_hz,
        simulation.record.executor,
        destination.display()
    );
    Ok(())
}

/// Responses by source and array.
fn measure<'a>(room: &'a FurnishedRoom, simulation: &'a Simulation) -> Vec<Measured<'a>> {
    let mut measured = Vec::new();
    for (source, rirs) in room.sources().iter().zip(&simulation.rirs) {
        let mut rest = rirs.as_slice();
        for array in room.arrays() {
            let (rirs, others) = rest.split_at(array.microphones.len());
            rest = others;
            let file = format!("{}--{}.wav", slug(&source.name), slug(&array.name));
            let acoustics = rirs.iter().map(room_acoustics).collect();
            measured.push(Measured { file, source, array, rirs, acoustics });
        }
    }
    measured
}

fn write(
    directory: &NewDirectory,
    room: &FurnishedRoom,
    arguments: &Arguments,
    simulation: &SimulationRecord,
    wall_seconds: f64,
    measured: &[Measured],
) -> Result<(), Failure> {
    for part in measured {
        directory.write(&part.file, &write_wav(part.rirs).map_err(Failure::failed)?)?;
    }
    let responses = measured.iter().flat_map(Measured::metrics).collect();
    directory.write_json("metrics.json", &Metrics { room: room.name(), responses })?;
    let place = |position: &acoustics::Position| [position.x, position.y, position.z];
    let source = |source: &'_ RoomSource| vec![place(&source.source.position)];
    directory.write_json(
        "record.json",
        &Record {
            room: room.name(),
            settings: arguments.how.settings(),
            simulation,
            wall_seconds,
            sources: room.sources().iter().map(|s| Place { name: &s.name, positions_m: source(s) }).collect(),
            microphones: room
                .arrays()
                .iter()
                .map(|array| Place {
                    name: &array.name,
                    positions_m: array.microphones.iter().map(place).collect(),
                })
                .collect(),
        },
    )?;
    directory.write("plan.svg", drawing::plan(room, Embedding::Standalone).as_bytes())?;
    directory.write("section.svg", drawing::section(room, Embedding::Standalone).as_bytes())
}

impl Measured<'_> {
    fn metrics(&self) -> impl Iterator<Item = ResponseMetrics<'_>> {
        let channels = self.acoustics.iter().zip(&self.array.microphones).enumerate();
        channels.map(|(channel, (acoustics, &microphone))| ResponseMetrics {
            file: &self.file,
            channel: channel + 1,
            source: &self.source.name,
            microphones: &self.array.name,
            distance_m: self.source.source.position.distance(microphone),
            acoustics,
        })
    }
}

/// What the first channel of each file says, at 500 Hz and 1 kHz together.
fn table(measured: &[Measured]) -> String {
    let mut table = Table::new(&["source", "microphones", "channels", "EDT s", "T30 s", "C50 dB", "DRR dB"]);
    for part in measured {
        let first = &part.acoustics[0];
        let mid = |quantity: fn(&acoustics::SoundField) -> Option<f64>| super::room::mid(first, quantity);
        table.row([
            Cell::text(&part.source.name),
            Cell::text(&part.array.name),
            Cell::number(Some(part.rirs.len() as f64), 0),
            Cell::number(mid(|field| field.edt), 2),
            Cell::number(mid(|field| field.t30), 2),
            Cell::number(mid(|field| field.c50), 1),
            Cell::number(first.broadband.drr, 1),
        ]);
    }
    table.to_string()
}
