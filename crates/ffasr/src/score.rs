//! `ffasr score`: scoring on the command line, JSON lines in on standard input, JSON lines out.
//!
//! Lines are handled one at a time: memory holds one line, a fingerprint of each id and, where intervals are asked
//! for, the counts of each item. Bad input ends the run with exit code 2 and the number of the line.

mod compare;
mod items;
mod lines;
mod multispeaker;
mod scales;
mod wer;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use scoring::{Bootstrap, Interval, Normalizer};
use serde::{Deserialize, Serialize};

use lines::{Failure, for_each_line, write_line};

/// Arguments of `ffasr score`.
#[derive(Debug, Args)]
pub(crate) struct ScoreArgs {
    #[command(subcommand)]
    command: ScoreCommand,
}

#[derive(Debug, Subcommand)]
enum ScoreCommand {
    /// Normalise text: {"input"} to {"output"}, verbatim
    Normalize {
        /// Normaliser: none, basic, whisper-en or open-asr-en; @N pins the version
        #[arg(long, value_name = "NAME")]
        normalizer: Normalizer,
    },
    /// Count word errors: {"id","ref","hyp"} to {"id","hits","substitutions","deletions","insertions",…}
    Wer(wer::WerArgs),
    /// Score several talkers: {"id","ref":[…],"hyp":[…]}, both lists of segments, to errors and an assignment
    Multispeaker(multispeaker::MultispeakerArgs),
    /// Read the items of an attempt (Parquet, from a model's page) as the lines that `score wer` writes
    Items(items::ItemsArgs),
    /// Compare two files, written by `score wer` or downloaded as Parquet: paired difference, interval and p values
    Compare(compare::CompareArgs),
    /// Bring rates on a new release to the scale of an old one, by models with `old` and `new`: {"id","old","new"}, a line each
    Equate(scales::EquateArgs),
    /// Compare two ways to measure the same models, such as measured and simulated rooms: {"id","first","second"} to
    /// mean difference and Kendall's tau
    Agreement(scales::AgreementArgs),
}

/// How intervals are drawn.
#[derive(Debug, Clone, Copy, Args)]
struct BootstrapArgs {
    /// Replications of the bootstrap
    #[arg(long, default_value_t = Bootstrap::default().replications)]
    replications: usize,
    /// Seed of the bootstrap
    #[arg(long, default_value_t = Bootstrap::default().seed)]
    seed: u64,
}

impl From<BootstrapArgs> for Bootstrap {
    fn from(BootstrapArgs { replications, seed }: BootstrapArgs) -> Self {
        Self { replications, seed }
    }
}

/// Runs `ffasr score` on standard input and output.
pub(crate) fn run(args: ScoreArgs) -> ExitCode {
    let mut out = BufWriter::new(io::stdout().lock());
    let input = io::stdin().lock();
    let result = match args.command {
        ScoreCommand::Normalize { normalizer } => normalize(input, &mut out, normalizer),
        ScoreCommand::Wer(args) => wer::run(input, &mut out, &args),
        ScoreCommand::Multispeaker(args) => multispeaker::run(input, &mut out, &args),
        ScoreCommand::Items(args) => items::run(&mut out, &args),
        ScoreCommand::Compare(args) => compare::run(&mut out, &args),
        ScoreCommand::Equate(args) => scales::run_equate(input, &mut out, &args),
        ScoreCommand::Agreement(args) => scales::run_agreement(input, &mut out, &args),
    };
    match result.and_then(|()| Ok(out.flush()?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_closed_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            // If standard error is gone as well, the exit code remains.
            let _ = writeln!(io::stderr(), "ffasr score: {failure}");
            failure.exit_code()
        }
    }
}

#[derive(Deserialize)]
struct RawText {
    input: String,
}

#[derive(Serialize)]
struct NormalizedText {
    output: String,
}

fn normalize(input: impl io::BufRead, out: &mut impl Write, normalizer: Normalizer) -> Result<(), Failure> {
    for_each_line(input, |text: RawText| {
        write_line(out, &NormalizedText { output: normalizer.normalize(&text.input) })
    })
}

/// An interval as a pair, low end first.
fn pair(interval: Interval) -> [f64; 2] {
    [interval.low, interval.high]
}
