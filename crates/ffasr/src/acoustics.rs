//! `ffasr acoustics`: rooms in, impulse responses out; impulse responses in, room acoustics out.

mod analyze;
mod backend;
mod files;
mod interrupt;
mod materials;
mod output;
mod room;
mod rooms;
mod simulate;
mod sofa;
mod table;
mod validate;

use clap::Subcommand;

use crate::error::Failure;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Simulate a room: impulse responses from every source to every microphone.
    ///
    /// Waves below a crossover frequency (finite differences on a face-centred cubic grid, frequency-dependent surfaces),
    /// image sources and rays above it. Levels are absolute: the direct sound of an omnidirectional source is 1 at 1 m.
    ///
    /// Writes a directory: for each source and each microphone array a WAV file of 32-bit float with one channel for each
    /// microphone; metrics.json with the room acoustics of every response; record.json with all that decided the
    /// simulation; plan.svg and section.svg, drawings of the room. Ctrl-C leaves nothing behind.
    ///
    /// `ffasr acoustics rooms --example` prints a room file that explains every field.
    Simulate(simulate::Arguments),
    /// Measure impulse responses by ISO 3382-1, in octaves from 63 Hz to 8 kHz.
    ///
    /// EDT, T20 and T30 come from Schroeder's backward integration, cut where the decay meets the noise (Lundeby);
    /// they are left out where the response has too little range for them (20, 35, 45 dB). C50 and C80 are clarity,
    /// D50 definition, Ts the centre time, DRR the ratio of the first 2.5 ms to everything later. Doubtful
    /// reverberation times are marked: "not linear" (more than 10 per mille off a line) and "curved" (T30 differs from
    /// T20; both ISO 3382-2, annex B), "filter rings" (bandwidth times reverberation time is 16 or less). The mixing
    /// time is where the echo density is that of noise (Abel and Huang, 2006).
    Analyze(analyze::Arguments),
    /// Compare the simulator with theory and with measured rooms.
    ///
    /// Prints what was measured beside what it should be, and ends with exit code 1 if anything misses its tolerance
    /// for a reason that is not known. Known misses are in the report with their reason.
    Validate(validate::Arguments),
    /// List the built-in rooms, or simulate them all and tell how they sound.
    Rooms(rooms::Arguments),
    /// List the built-in materials: absorption coefficients at random incidence, by octave.
    Materials(materials::Arguments),
}

pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Simulate(arguments) => simulate::run(arguments),
        Command::Rooms(arguments) => rooms::run(arguments),
        Command::Materials(arguments) => {
            materials::run(arguments);
            Ok(())
        }
        Command::Analyze(arguments) => analyze::run(arguments),
        Command::Validate(arguments) => validate::run(arguments),
    }
}
