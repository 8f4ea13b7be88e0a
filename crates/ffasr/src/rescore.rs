//! `ffasr admin rescore`: kept hypotheses under another scorer, and what that does to the ranking.

use std::io::{self, Write};

use clap::Args;
use scoring::ScoringProfile;
use web::{BoardChange, RankChange, Rescored, Rescoring, rescore};

use crate::{
    backend::{Backend, BackendArguments, Ownership},
    error::Failure,
    progress,
};

/// Scores kept hypotheses of published results again. Results of other scorers stay; a scorer that has scored
/// everything has nothing to do; an interrupted run goes on where it was.
#[derive(Args)]
pub(crate) struct Arguments {
    /// One release, SLUG or SLUG@VERSION; without it, all
    #[arg(long)]
    release: Option<String>,
    /// Scorer to apply: a profile (ffasr, open-asr, raw), or one with a normaliser, such as ffasr@1/basic@1; without
    /// it, the present version of every profile
    #[arg(long, value_name = "NAME")]
    scorer: Option<ScoringProfile>,
    /// Compute and compare, but store nothing
    #[arg(long)]
    dry_run: bool,
    /// Scorer to compare the ranking with
    #[arg(long, value_name = "NAME", default_value_t = Named(ScoringProfile::FFASR))]
    against: Named,
    #[command(flatten)]
    backend: BackendArguments,
}

/// A scorer that is printed as its name.
#[derive(Clone, Copy)]
struct Named(ScoringProfile);

impl std::fmt::Display for Named {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0.scorer())
    }
}

impl std::str::FromStr for Named {
    type Err = scoring::UnknownScorer;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        name.parse().map(Self)
    }
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let backend = Backend::start(&arguments.backend, Ownership::Guest).await?;
    let scorers = arguments.scorer.map_or_else(|| ScoringProfile::ALL.to_vec(), |scorer| vec![scorer]);
    let mut failed = 0;
    for scorer in scorers {
        let request = Rescoring {
            scorer,
            against: arguments.against.0,
            release: arguments.release.clone(),
            dry_run: arguments.dry_run,
            key: backend.sealing_key.clone(),
        };
        let progress = progress::once_slow(progress::percent("scoring"));
        let rescored = rescore(&backend.pool, &backend.objects, &request, &progress).await.map_err(
            |error| match error {
                web::RescoreError::NoRelease(_) => Failure::input(error),
                web::RescoreError::Store(error) => error.into(),
            },
        )?;
        failed += rescored.failed.len();
        report(&mut io::stdout().lock(), &request, &rescored).map_err(Failure::failed)?;
    }
    match failed {
        0 => Ok(()),
        1 => Err(Failure::failed("one result could not be scored; the others are done")),
        many => Err(Failure::failed(format!("{many} results could not be scored; the others are done"))),
    }
}

/// What was scored, then a table for each board.
fn report(out: &mut impl Write, request: &Rescoring, rescored: &Rescored) -> io::Result<()> {
    let what = if rescored.scored == 1 { "result" } else { "results" };
    let done = if request.dry_run { "computed, nothing stored" } else { "scored" };
    writeln!(out, "{}: {} {what} {done}", request.scorer.scorer(), rescored.scored)?;
    for (submission, reason) in &rescored.failed {
        writeln!(out, "  submission {submission} could not be scored: {reason}")?;
    }
    if request.scorer != request.against {
        for board in &rescored.boards {
            table(out, request, board)?;
        }
    }
    Ok(())
}

fn table(out: &mut impl Write, request: &Rescoring, board: &BoardChange) -> io::Result<()> {
    let (old, new) = (request.against.scorer(), request.scorer.scorer());
    writeln!(out, "\n{} on {}: {old} -> {new}", board.release, board.hardware_class)?;
    let width = board.rows.iter().map(|row| row.model.chars().count()).max().unwrap_or(0).max(5);
    writeln!(
        out,
        "  {:width$}  {:>4}    {:<4}  {:>5}  {:>8}    {:<8}",
        "model", "rank", "rank", "moved", "WER, %", "WER, %"
    )?;
    for row in &board.rows {
        writeln!(out, "  {}", line(row, width))?;
    }
    Ok(writeln!(out)?)
}

fn line(row: &RankChange, width: usize) -> String {
    let rank = |side: Option<(u32, f64)>| side.map_or_else(|| "-".to_owned(), |(rank, _)| rank.to_string());
    let wer = |side: Option<(u32, f64)>| {
        side.map_or_else(|| "-".to_owned(), |(_, wer)| format!("{:.2}", 100.0 * wer))
    };
    let moved = match (row.old, row.new) {
        (Some((old, _)), Some((new, _))) if old != new => format!("{:+}", i64::from(old) - i64::from(new)),
        (Some(_), Some(_)) => "=".to_owned(),
        _ => "-".to_owned(),
    };
    let (old, new) = (rank(row.old), rank(row.new));
    let (old_wer, new_wer) = (wer(row.old), wer(row.new));
    format!("{:width$}  {old:>4} -> {new:<4}  {moved:>5}  {old_wer:>8} -> {new_wer:<8}", row.model)
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_where_a_model_was_and_where_it_is() {
        let row = |old, new| RankChange { model: "m".to_owned(), old, new };
        assert_eq!(
            line(&row(Some((3, 0.1234)), Some((1, 0.1))), 3),
            "m       3 -> 1        +2     12.34 -> 10.00"
        );
        assert_eq!(
            line(&row(Some((1, 0.1)), Some((1, 0.2))), 3),
            "m       1 -> 1         =     10.00 -> 20.00"
        );
        assert_eq!(line(&row(Some((1, 0.1)), None), 3), "m       1 -> -         -     10.00 -> -");
    }
}
