//! `ffasr score equate` and `agreement`: two scales, told from models that were measured on both.

use std::io::{BufRead, Write};

use clap::{Args, ValueEnum};
use scoring::{
    agreement::agreement,
    equating::{Anchor, Equating, Method, equate},
};
use serde::{Deserialize, Serialize};

use super::lines::{Failure, SeenIds, for_each_line, write_line};
use super::{BootstrapArgs, pair};

/// Arguments of `ffasr score equate`.
#[derive(Debug, Args)]
pub(super) struct EquateArgs {
    /// How
    #[arg(long, value_enum, default_value_t = By::Mean)]
    method: By,
    #[command(flatten)]
    bootstrap: BootstrapArgs,
}

/// Arguments of `ffasr score agreement`.
#[derive(Debug, Args)]
pub(super) struct AgreementArgs {
    #[command(flatten)]
    bootstrap: BootstrapArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// The scales differ by a constant
    Mean,
    /// The scales differ by a constant and a factor
    Linear,
}

/// A model on a new release, and on the old one if it is an anchor.
#[derive(Deserialize)]
struct OnReleases {
    id: String,
    old: Option<f64>,
    new: f64,
}

#[derive(Serialize)]
struct Equated {
    id: String,
    new: f64,
    on_old_scale: f64,
    interval: Option<[f64; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<f64>,
}

#[derive(Serialize)]
struct Summary<'a> {
    equating: &'a Equating,
}

/// Equates every model of a new release by those that have an old rate as well.
pub(super) fn run_equate(
    input: impl BufRead,
    out: &mut impl Write,
    args: &EquateArgs,
) -> Result<(), Failure> {
    let (mut seen, mut models) = (SeenIds::default(), Vec::new());
    for_each_line(input, |model: OnReleases| {
        seen.insert(&model.id)?;
        models.push(model);
        Ok(())
    })?;
    let anchors: Vec<Anchor> =
        models.iter().filter_map(|model| Some(Anchor { old: model.old?, new: model.new })).collect();
    let method = match args.method {
        By::Mean => Method::Mean,
        By::Linear => Method::Linear,
    };
    let equating = equate(&anchors, method, args.bootstrap.into())
        .map_err(|error| Failure::Mismatch(error.to_string()))?;
    for OnReleases { id, old, new } in models {
        let interval = equating.interval(new).map(pair);
        write_line(out, &Equated { id, new, on_old_scale: equating.on_old_scale(new), interval, old })?;
    }
    write_line(out, &Summary { equating: &equating })
}

/// A model through measured and through simulated responses, or in any two ways.
#[derive(Deserialize)]
struct TwoWays {
    id: String,
    first: f64,
    second: f64,
}

/// How well two ways to measure the same models agree.
pub(super) fn run_agreement(
    input: impl BufRead,
    out: &mut impl Write,
    args: &AgreementArgs,
) -> Result<(), Failure> {
    let (mut seen, mut first, mut second) = (SeenIds::default(), Vec::new(), Vec::new());
    for_each_line(input, |model: TwoWays| {
        seen.insert(&model.id)?;
        first.push(model.first);
        second.push(model.second);
        Ok(())
    })?;
    let found = agreement(&first, &second, args.bootstrap.into())
        .ok_or_else(|| Failure::Mismatch("give at least two models with finite rates".to_owned()))?;
    write_line(out, &found)
}
