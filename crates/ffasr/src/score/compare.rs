//! `ffasr score compare`: is one system better than another on the same items?

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use scoring::{
    Bootstrap, Counts, MatchedPairs, Replicates, Scheme, cluster_bootstrap, mapsswe, mcnemar,
    paired_difference, permutation_test, steps_of,
};
use serde::Serialize;
use serde_json::Value;

use super::items;
use super::lines::{Failure, SeenIds, for_each_line, write_line};
use super::wer::{self, Scored};
use super::{BootstrapArgs, pair};

/// Arguments of `ffasr score compare`.
#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// Results of system A: lines as `score wer` writes them, or items of an attempt as Parquet
    a: PathBuf,
    /// Results of system B on the same items
    b: PathBuf,
    /// Compare by the unweighted mean of these tracks; may be repeated. Without it, files that have the four ranked
    /// tracks are compared by those, all others by their items together
    #[arg(long, value_name = "NAME")]
    track: Vec<String>,
    #[command(flatten)]
    bootstrap: BootstrapArgs,
}

#[derive(Serialize)]
struct Comparison {
    items: usize,
    /// The tracks whose unweighted mean is compared; nothing if all items are pooled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tracks: Vec<String>,
    a: System,
    b: System,
    /// Rate of A less rate of B.
    difference: Option<f64>,
    interval: Option<[f64; 2]>,
    standard_error: Option<f64>,
    probability_a_better: Option<f64>,
    resampled: Scheme,
    /// Sign flips per item.
    permutation_p: f64,
    /// Sign flips per talker, if all items name theirs.
    permutation_talker_p: Option<f64>,
    /// If both files hold alignments (`score wer --path`).
    mapsswe: Option<MatchedPairs>,
    /// Exact, over items that only one system has fully right.
    mcnemar_p: f64,
    replications: usize,
    seed: u64,
}

#[derive(Serialize)]
struct System {
    #[serde(flatten)]
    counts: Counts,
    ref_words: u64,
    /// The unweighted mean of the tracks, or that of all items.
    wer: Option<f64>,
}

impl System {
    fn new(items: &[Scored], rate: Option<&Replicates>) -> Self {
        let counts: Counts = items.iter().map(|item| item.counts).sum();
        Self { counts, ref_words: counts.ref_words(), wer: rate.map(|rate| rate.estimate).or(counts.rate()) }
    }
}

/// Compares two files and writes one line.
pub(super) fn run(out: &mut impl Write, args: &CompareArgs) -> Result<(), Failure> {
    let (a, tracks) = choose(read(&args.a)?, &args.track, &args.a)?;
    let b = items::of_tracks(read(&args.b)?, &tracks, &args.b)?;
    let b = in_order_of(&a, b, args)?;
    write_line(out, &compare(&a, &b, tracks, args.bootstrap.into()))
}

/// The items to compare and their tracks: those asked for, or the ranked ones if all are there. Without tracks, all
/// items are one group.
fn choose(
    items: Vec<Scored>,
    asked_for: &[String],
    file: &Path,
) -> Result<(Vec<Scored>, Vec<String>), Failure> {
    let ranked = web::views::TRACKS.map(|track| track.name.to_owned());
    let has_ranked = ranked.iter().all(|track| items.iter().any(|item| item.track.as_ref() == Some(track)));
    let tracks = match asked_for {
        [] if has_ranked => ranked.to_vec(),
        asked_for => asked_for.to_vec(),
    };
    let chosen = items::of_tracks(items, &tracks, file)?;
    if tracks.is_empty() {
        return Ok((chosen.iter().map(Scored::without_track).collect(), tracks));
    }
    Ok((chosen, tracks))
}

fn read(path: &Path) -> Result<Vec<Scored>, Failure> {
    if items::is_parquet(path) {
        return items::read(path);
    }
    let name = path.display().to_string();
    let file = File::open(path)
        .map_err(|error| std::io::Error::new(error.kind(), format!("cannot read {name}: {error}")))?;
    let mut seen = SeenIds::default();
    let mut items = Vec::new();
    for_each_line(BufReader::new(file), |line: Value| {
        if line.get("summary").is_some() {
            return Ok(());
        }
        let item: Scored = serde_json::from_value(line).map_err(|error| Failure::here(error.to_string()))?;
        seen.insert(&item.id)?;
        items.push(item);
        Ok(())
    })
    .map_err(|failure| failure.in_file(&name))?;
    Ok(items)
}

/// Sorts the items of B as those of A are; both must have the same ids and references of the same length.
fn in_order_of(a: &[Scored], b: Vec<Scored>, args: &CompareArgs) -> Result<Vec<Scored>, Failure> {
    let (name_a, name_b) = (args.a.display(), args.b.display());
    let mut by_id: HashMap<String, Scored> = b.into_iter().map(|item| (item.id.clone(), item)).collect();
    let mut sorted = Vec::with_capacity(a.len());
    for item in a {
        let Some(other) = by_id.remove(&item.id) else {
            return Err(Failure::Mismatch(format!(
                "the item {:?} is in {name_a} but not in {name_b}",
                item.id
            )));
        };
        if other.counts.ref_words() != item.counts.ref_words() {
            return Err(Failure::Mismatch(format!(
                "the item {:?} has {} reference words in {name_a} and {} in {name_b}: score both in the same way",
                item.id,
                item.counts.ref_words(),
                other.counts.ref_words()
            )));
        }
        sorted.push(other);
    }
    match by_id.keys().min() {
        Some(id) => Err(Failure::Mismatch(format!("the item {id:?} is in {name_b} but not in {name_a}"))),
        None => Ok(sorted),
    }
}

fn compare(a: &[Scored], b: &[Scored], tracks: Vec<String>, plan: Bootstrap) -> Comparison {
    let sample = wer::sample(&a.iter().collect::<Vec<_>>());
    let groups: Vec<&str> =
        if tracks.is_empty() { vec![""] } else { tracks.iter().map(String::as_str).collect() };
    let replicates = |items: &[Scored]| {
        let counts: Vec<Counts> = items.iter().map(|item| item.counts).collect();
        cluster_bootstrap(&sample, &counts, plan).ok()?.mean(&groups)
    };
    let (rate_a, rate_b) = (replicates(a), replicates(b));
    let difference = rate_a.as_ref().zip(rate_b.as_ref()).and_then(|(a, b)| paired_difference(a, b));
    let errors: Vec<i64> = a
        .iter()
        .zip(b)
        .map(|(a, b)| a.counts.errors().cast_signed() - b.counts.errors().cast_signed())
        .collect();
    let only = |right: &[Scored], wrong: &[Scored]| {
        let pairs = right.iter().zip(wrong);
        pairs.filter(|(right, wrong)| right.counts.errors() == 0 && wrong.counts.errors() > 0).count() as u64
    };
    Comparison {
        items: a.len(),
        a: System::new(a, rate_a.as_ref()),
        b: System::new(b, rate_b.as_ref()),
        tracks,
        difference: difference.map(|difference| difference.estimate),
        interval: difference.map(|difference| pair(difference.interval)),
        standard_error: difference
            .map(|difference| difference.standard_error)
            .filter(|error| error.is_finite()),
        probability_a_better: difference.map(|difference| difference.probability_a_better),
        resampled: sample.scheme(),
        permutation_p: permutation_test(&errors, plan),
        permutation_talker_p: by_talker(a, &errors).map(|errors| permutation_test(&errors, plan)),
        mapsswe: matched_pairs(a, b),
        mcnemar_p: mcnemar(only(a, b), only(b, a)),
        replications: plan.replications,
        seed: plan.seed,
    }
}

/// Differences in errors summed by talker, if every item names one.
fn by_talker(items: &[Scored], differences: &[i64]) -> Option<Vec<i64>> {
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for (item, difference) in items.iter().zip(differences) {
        *sums.entry(item.talker.as_deref()?).or_default() += difference;
    }
    Some(sums.into_values().collect())
}

fn matched_pairs(a: &[Scored], b: &[Scored]) -> Option<MatchedPairs> {
    let steps = |items: &[Scored]| {
        items.iter().map(|item| steps_of(item.path.as_deref()?)).collect::<Option<Vec<_>>>()
    };
    let (a, b) = (steps(a)?, steps(b)?);
    Some(mapsswe(a.iter().zip(&b).map(|(a, b)| (a.as_slice(), b.as_slice()))))
}
