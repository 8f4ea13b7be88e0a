//! Confidence intervals of error rates by resampling whole clusters.
//!
//! Utterances of one talker, or in one room, succeed and fail together; resampling them one by one gives intervals
//! that are too narrow (1.8 times in the median of the sets in `scoring.md` §6). Where talkers and rooms are crossed,
//! both are drawn with replacement and an utterance counts as often as its talker times its room: the pigeonhole
//! bootstrap (Owen 2007, *Annals of Applied Statistics* 1(2)), which errs on the wide side.
//!
//! All groups of a sample share the draws, and so do all systems under the same plan: rates can be averaged,
//! subtracted and ranked replication by replication.

use rayon::prelude::*;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::counts::Counts;
use crate::interval::Interval;
use crate::resample::{Bootstrap, Draw};

/// What one scored item belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Unit<'a> {
    /// The condition it is pooled with, for example a track.
    pub group: &'a str,
    /// The utterance; the same one may occur in several groups.
    pub utterance: &'a str,
    /// Who speaks.
    pub talker: &'a str,
    /// The room, if there is one (dry speech has none).
    pub room: Option<&'a str>,
}

/// What is drawn with replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// Talkers and rooms independently; an item counts as often as its talker times its room.
    TalkersAndRooms,
    /// Talkers with all they say.
    Talkers,
    /// Rooms with all that is said in them. Items without a room always count once.
    Rooms,
    /// Single utterances, across all groups they occur in. With correlated errors the interval is too narrow.
    Utterances,
}

/// Fewest clusters that are worth resampling.
pub const FEWEST_CLUSTERS: usize = 10;

/// The items of an evaluation and how they hang together.
#[derive(Debug, Clone)]
pub struct Sample {
    scheme: Scheme,
    groups: Vec<String>,
    items: Vec<Cell>,
    blocks: [usize; 2],
}

/// Where an item is counted: its group, and its cluster in up to two crossed factors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Cell {
    group: usize,
    blocks: [Option<usize>; 2],
}

impl Sample {
    /// A sample with the coarsest scheme that it has clusters for: at least [`FEWEST_CLUSTERS`] talkers and rooms. Rooms
    /// alone are resampled only if every item has one.
    pub fn new<'a>(units: impl IntoIterator<Item = Unit<'a>>) -> Self {
        let units: Vec<Unit<'a>> = units.into_iter().collect();
        let enough_talkers = Numbering::of(units.iter().map(|unit| unit.talker)).len() >= FEWEST_CLUSTERS;
        let enough_rooms = Numbering::of(units.iter().filter_map(|unit| unit.room)).len() >= FEWEST_CLUSTERS;
        let scheme = match (enough_talkers, enough_rooms) {
            (true, true) => Scheme::TalkersAndRooms,
            (true, false) => Scheme::Talkers,
            // Dry speech would never vary, and its interval would be a point.
            (false, true) if units.iter().all(|unit| unit.room.is_some()) => Scheme::Rooms,
            (false, _) => Scheme::Utterances,
        };
        Self::with_scheme(units, scheme)
    }

    /// A sample with a given scheme.
    pub fn with_scheme<'a>(units: impl IntoIterator<Item = Unit<'a>>, scheme: Scheme) -> Self {
        let mut groups = Numbering::default();
        let mut firsts = Numbering::default();
        let mut seconds = Numbering::default();
        let items = units
            .into_iter()
            .map(|unit| {
                let (first, second) = match scheme {
                    Scheme::TalkersAndRooms => (Some(unit.talker), unit.room),
                    Scheme::Talkers => (Some(unit.talker), None),
                    Scheme::Rooms => (unit.room, None),
                    Scheme::Utterances => (Some(unit.utterance), None),
                };
                let blocks = [first.map(|b| firsts.number(b)), second.map(|b| seconds.number(b))];
                Cell { group: groups.number(unit.group), blocks }
            })
            .collect();
        Self {
            scheme,
            blocks: [firsts.len(), seconds.len()],
            groups: groups.names().into_iter().map(str::to_owned).collect(),
            items,
        }
    }

    /// What is resampled.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// How many talkers (or rooms, or utterances) and how many crossed rooms are resampled.
    pub fn blocks(&self) -> [usize; 2] {
        self.blocks
    }

    /// Names of the groups in the order in which they first occur.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }
}

/// Numbers labels in the order in which they first occur.
#[derive(Default)]
struct Numbering<'a>(FxHashMap<&'a str, usize>);

impl<'a> Numbering<'a> {
    fn of(labels: impl Iterator<Item = &'a str>) -> Self {
        let mut numbering = Self::default();
        for label in labels {
            numbering.number(label);
        }
        numbering
    }

    fn number(&mut self, label: &'a str) -> usize {
        let next = self.0.len();
        *self.0.entry(label).or_insert(next)
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn names(&self) -> Vec<&'a str> {
        let mut names = vec![""; self.0.len()];
        for (&name, &number) in &self.0 {
            names[number] = name;
        }
        names
    }
}

/// A rate and what it came to in every replication.
#[derive(Debug, Clone, PartialEq)]
pub struct Replicates {
    /// The rate of the sample itself.
    pub estimate: f64,
    /// The rate of each replication; NaN where a replication has no reference words.
    pub values: Vec<f64>,
}

impl Replicates {
    /// 95 % percentile interval; `None` without replications.
    pub fn interval(&self) -> Option<Interval> {
        Interval::central(&self.values)
    }

    /// Standard deviation of the replications; NaN with fewer than two.
    pub fn standard_error(&self) -> f64 {
        standard_deviation(self.values.iter().copied())
    }

    /// The ratio to another rate on the same draws, for example far over near. NaN where the other is 0.
    #[must_use]
    pub fn ratio_to(&self, other: &Self) -> Self {
        let ratio = |a: f64, b: f64| if b == 0.0 { f64::NAN } else { a / b };
        Self {
            estimate: ratio(self.estimate, other.estimate),
            values: self.values.iter().zip(&other.values).map(|(&a, &b)| ratio(a, b)).collect(),
        }
    }
}

fn standard_deviation(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let values = values.filter(|v| !v.is_nan());
    let (n, sum) = values.clone().fold((0.0, 0.0), |(n, sum), v| (n + 1.0, sum + v));
    let mean = sum / n;
    (values.map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
}

/// Replicated rates of every group of a sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Draws {
    groups: Vec<(String, Option<Replicates>)>,
}

impl Draws {
    /// The rate of one group; `None` if there is no such group or it has no reference words.
    pub fn group(&self, name: &str) -> Option<&Replicates> {
        self.groups.iter().find(|(group, _)| group == name)?.1.as_ref()
    }

    /// The unweighted mean of the rates of several groups; `None` if one of them has no rate, or none is named.
    pub fn mean(&self, names: &[&str]) -> Option<Replicates> {
        let parts: Vec<&Replicates> = names.iter().map(|name| self.group(name)).collect::<Option<_>>()?;
        let replications = parts.first()?.values.len();
        let mean = |value: &dyn Fn(&Replicates) -> f64| {
            parts.iter().map(|part| value(part)).sum::<f64>() / parts.len() as f64
        };
        Some(Replicates {
            estimate: mean(&|part| part.estimate),
            values: (0..replications).map(|r| mean(&|part| part.values[r])).collect(),
        })
    }
}

/// Counts that do not fit the sample.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{counts} items are scored, but the sample has {items}: give one count per item, in its order")]
pub struct LengthMismatch {
    counts: usize,
    items: usize,
}

/// Resamples the error rates of all groups of a sample, `counts[i]` being those of its item i.
///
/// The draws depend on the sample and the plan only: systems scored on one sample under one plan are paired.
///
/// # Errors
/// If there is not exactly one count per item.
pub fn cluster_bootstrap(
    sample: &Sample,
    counts: &[Counts],
    plan: Bootstrap,
) -> Result<Draws, LengthMismatch> {
    if counts.len() != sample.items.len() {
        return Err(LengthMismatch { counts: counts.len(), items: sample.items.len() });
    }
    let cells = pool(&sample.items, counts);
    let groups = sample.groups.len();
    let replicated: Vec<Vec<f64>> = (0..plan.replications)
        .into_par_iter()
        .map_init(
            || sample.blocks.map(|blocks| vec![0; blocks]),
            |weights, replication| rates(&cells, groups, weights, &mut plan.generator(replication)),
        )
        .collect();
    let estimates = totals(&cells, groups, |_| 1.0);
    let groups = sample.groups.iter().zip(estimates).enumerate().map(|(group, (name, estimate))| {
        let replicates = (!estimate.is_nan())
            .then(|| Replicates { estimate, values: replicated.iter().map(|rates| rates[group]).collect() });
        (name.clone(), replicates)
    });
    Ok(Draws { groups: groups.collect() })
}

/// Errors and reference words of each cell, in a fixed order.
fn pool(items: &[Cell], counts: &[Counts]) -> Vec<(Cell, [f64; 2])> {
    let mut places = FxHashMap::default();
    let mut cells: Vec<(Cell, [f64; 2])> = Vec::new();
    for (&item, counts) in items.iter().zip(counts) {
        let place = *places.entry(item).or_insert(cells.len());
        if place == cells.len() {
            cells.push((item, [0.0; 2]));
        }
        let [errors, words] = &mut cells[place].1;
        *errors += counts.errors() as f64;
        *words += counts.ref_words() as f64;
    }
    cells
}

/// The error rates of all groups in one replication.
fn rates(
    cells: &[(Cell, [f64; 2])],
    groups: usize,
    weights: &mut [Vec<u32>; 2],
    draw: &mut Draw,
) -> Vec<f64> {
    for weights in &mut *weights {
        draw.multiplicities(weights);
    }
    let weight = |factor: usize, block: Option<usize>| block.map_or(1, |block| weights[factor][block]);
    totals(cells, groups, |cell| f64::from(weight(0, cell.blocks[0]) * weight(1, cell.blocks[1])))
}

/// Weighted errors over weighted words, by group.
fn totals(cells: &[(Cell, [f64; 2])], groups: usize, weight: impl Fn(&Cell) -> f64) -> Vec<f64> {
    let mut totals = vec![[0.0; 2]; groups];
    for (cell, [errors, words]) in cells {
        let weight = weight(cell);
        totals[cell.group][0] += weight * errors;
        totals[cell.group][1] += weight * words;
    }
    totals.into_iter().map(|[errors, words]| if words > 0.0 { errors / words } else { f64::NAN }).collect()
}

/// How two systems compare on the same draws.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Rate of A less rate of B: negative if A is better.
    pub estimate: f64,
    /// 95 % percentile interval of the difference.
    pub interval: Interval,
    /// Standard deviation of the difference over the replications.
    pub standard_error: f64,
    /// Share of replications in which A has the lower rate; ties count half.
    pub probability_a_better: f64,
}

/// Compares two systems replicated under the same plan on the same sample; `None` without common replications.
pub fn paired_difference(a: &Replicates, b: &Replicates) -> Option<Difference> {
    let differences: Vec<f64> = a
        .values
        .iter()
        .zip(&b.values)
        .map(|(a, b)| a - b)
        .filter(|difference| !difference.is_nan())
        .collect();
    let share = |holds: fn(&f64) -> bool| {
        differences.iter().filter(|difference| holds(difference)).count() as f64 / differences.len() as f64
    };
    Some(Difference {
        estimate: a.estimate - b.estimate,
        interval: Interval::central(&differences)?,
        standard_error: standard_deviation(differences.iter().copied()),
        probability_a_better: share(|d| *d < 0.0) + share(|d| *d == 0.0) / 2.0,
    })
}
