//! `ffasr acoustics`: rooms in, impulse responses out; impulse responses in, room acoustics out.

mod analyze;
mod backend;
mod files;
mod output;
mod sofa;
mod validate;

use clap::Subcommand;

use crate::error::Failure;

#[derive(Subcommand)]
pub(crate) enum Command {
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
}

pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Analyze(arguments) => analyze::run(arguments),
        Command::Validate(arguments) => validate::run(arguments),
    }
}
