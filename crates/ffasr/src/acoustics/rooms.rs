//! `ffasr acoustics rooms`: the built-in rooms and how they sound.

use std::{fmt::Write, time::Instant};

use acoustics::{
    FurnishedRoom, OCTAVES, RoomAcoustics, SoundField, SourceKind, octave_name, room_acoustics, rooms,
};
use clap::Args;

use super::{
    interrupt::Interrupt,
    simulate::Simulator,
    table::{Cell, Table},
};
use crate::error::Failure;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Simulate every room from its talkers to the first microphone of each array and tell EDT, T30, C50 and DRR.
    #[arg(long)]
    simulate: bool,
    /// Write Markdown, with a table of octaves for each room.
    #[arg(long)]
    markdown: bool,
    /// Print a room file that explains every field, and nothing else.
    #[arg(long)]
    example: bool,
    /// Only rooms of these names.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    how: Simulator,
}

/// A room, and what its responses say.
struct Heard<'a> {
    room: &'a FurnishedRoom,
    /// Empty where nothing was simulated.
    responses: Vec<RoomAcoustics>,
    crossover_hz: f64,
    wall_seconds: f64,
}

/// A room file with everything once.
const EXAMPLE: &str = include_str!("../../../acoustics/rooms/example.toml");

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.example {
        print!("{EXAMPLE}");
        return Ok(());
    }
    let chosen: Vec<&FurnishedRoom> = if arguments.names.is_empty() {
        rooms().iter().collect()
    } else {
        for name in &arguments.names {
            super::room::load_room(name)?;
        }
        rooms().iter().filter(|room| arguments.names.iter().any(|name| name == room.name())).collect()
    };
    let interrupt = if arguments.simulate { Some(Interrupt::watch()?) } else { None };
    let mut heard = Vec::new();
    for room in chosen {
        heard.push(match &interrupt {
            Some(interrupt) => {
                crate::progress::step(room.title());
                hear(room, &arguments.how, interrupt)?
            }
            None => Heard { room, responses: Vec::new(), crossover_hz: f64::NAN, wall_seconds: 0.0 },
        });
    }
    if arguments.markdown {
        print!("{}", markdown(&heard, arguments));
    } else {
        print!("{}", overview(&heard, arguments.simulate));
    }
    Ok(())
}

fn hear<'a>(room: &'a FurnishedRoom, how: &Simulator, interrupt: &Interrupt) -> Result<Heard<'a>, Failure> {
    let talkers: Vec<_> = room.sources_of(SourceKind::Talker).collect();
    let microphones: Vec<_> = room.arrays().iter().map(|array| array.microphones[0]).collect();
    let started = Instant::now();
    let simulation = how.simulate(room, &talkers, &microphones, interrupt)?;
    Ok(Heard {
        room,
        responses: simulation.rirs.iter().flatten().map(room_acoustics).collect(),
        crossover_hz: simulation.record.crossover_hz,
        wall_seconds: started.elapsed().as_secs_f64(),
    })
}

fn overview(heard: &[Heard], simulated: bool) -> Table {
    let always = ["room", "title", "m³", "Eyring s"];
    let measured: &[&str] =
        if simulated { &["T30 s", "EDT s", "C50 dB", "DRR dB", "crossover Hz", "wall s"] } else { &[] };
    let mut table = Table::new(&[&always, measured].concat());
    for part in heard {
        let eyring = part.room.room().eyring_time();
        let mut cells = vec![
            Cell::text(part.room.name()),
            Cell::text(part.room.title()),
            Cell::number(Some(part.room.room().volume()), 0),
            Cell::number(Some(0.5 * (eyring[3] + eyring[4])), 2),
        ];
        if simulated {
            let mid = |quantity: fn(&SoundField) -> Option<f64>| {
                mean(part.responses.iter().map(|response| super::room::mid(response, quantity)))
            };
            cells.extend([
                Cell::number(mid(|field| field.t30), 2),
                Cell::number(mid(|field| field.edt), 2),
                Cell::number(mid(|field| field.c50), 1),
                Cell::number(mean(part.responses.iter().map(|response| response.broadband.drr)), 1),
                Cell::number(Some(part.crossover_hz), 0),
                Cell::number(Some(part.wall_seconds), 0),
            ]);
        }
        table.row(cells);
    }
    table
}

fn markdown(heard: &[Heard], arguments: &Arguments) -> String {
    let mut text = String::new();
    let total: f64 = heard.iter().map(|part| part.wall_seconds).sum();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "Means over the responses from every talker to the first microphone of every array. Times and C50 of the overview \
         are those of 500 Hz and 1 kHz together, DRR is broadband. All rooms took {total:.0} s.\n"
    );
    text += &overview(heard, arguments.simulate).to_markdown();
    for part in heard.iter().filter(|part| !part.responses.is_empty()) {
        let _ = writeln!(text, "\n## {}\n\n{}\n", part.room.title(), part.room.description());
        text += &octave_table(part).to_markdown();
    }
    text
}

/// What a room shows in each octave.
fn octave_table(part: &Heard) -> Table {
    let names: Vec<String> = (0..OCTAVES.len()).map(octave_name).collect();
    let heading: Vec<&str> = [""].into_iter().chain(names.iter().map(String::as_str)).collect();
    let mut table = Table::new(&heading);
    let mut row = |name: &str, decimals: usize, value: &dyn Fn(usize) -> Option<f64>| {
        let values = (0..OCTAVES.len()).map(|band| Cell::number(value(band), decimals));
        table.row([Cell::text(name)].into_iter().chain(values));
    };
    let measured = |band: usize, quantity: fn(&SoundField) -> Option<f64>| {
        mean(part.responses.iter().map(|response| quantity(&response.octaves.get(band)?.field)))
    };
    row("T30 s", 2, &|band| measured(band, |field| field.t30));
    row("EDT s", 2, &|band| measured(band, |field| field.edt));
    row("C50 dB", 1, &|band| measured(band, |field| field.c50));
    row("DRR dB", 1, &|band| measured(band, |field| field.drr));
    let eyring = part.room.room().eyring_time();
    row("Eyring s", 2, &|band| Some(eyring[band]));
    table
}

/// Mean of what could be measured; `None` where nothing could.
fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let known: Vec<f64> = values.flatten().collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}
