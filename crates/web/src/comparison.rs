//! Two published results on the same items: paired differences, and whether they can be chance.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use scoring::{
    Counts, Difference, Draws, MatchedPairs, Sample, Scheme, Step, Unit, cluster_bootstrap, mapsswe, mcnemar,
    paired_difference, permutation_test, steps_of,
};
use serde::Serialize;
use store::scores::{self, ItemDetails, Published};

use crate::{Service, api::openapi, error::AppError, scorer};

/// How result A compares with result B under one scorer.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Compared {
    /// Items of the ranked tracks.
    pub(crate) items: usize,
    /// The unweighted mean over the ranked tracks.
    pub(crate) average: Option<PairedRate>,
    /// Each track.
    pub(crate) tracks: BTreeMap<String, PairedRate>,
    /// Matched pairs sentence-segment word error test over the ranked tracks; null where compounds are merged.
    #[schemars(with = "Option<openapi::MatchedPairs>")]
    pub(crate) mapsswe: Option<MatchedPairs>,
    /// Sign flips per item of the ranked tracks.
    pub(crate) permutation_p: f64,
    /// Exact, over items of the ranked tracks that only one has fully right.
    pub(crate) mcnemar_p: f64,
    /// Items that A alone has fully right.
    pub(crate) only_a_right: u64,
    /// Items that B alone has fully right.
    pub(crate) only_b_right: u64,
    /// What is redrawn.
    #[schemars(with = "String")]
    pub(crate) resampled: Scheme,
    pub(crate) replications: usize,
    pub(crate) seed: u64,
}

/// One rate of both.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PairedRate {
    pub(crate) a: f64,
    pub(crate) b: f64,
    /// Rate of A less rate of B.
    pub(crate) difference: f64,
    /// 95 % interval of it.
    pub(crate) interval: [f64; 2],
    pub(crate) standard_error: f64,
    /// Share of the draws in which A has the lower rate.
    pub(crate) probability_a_better: f64,
}

/// Compares two results of one release.
pub(crate) async fn compare(service: &Service, a: &Published, b: &Published) -> Result<Compared, AppError> {
    let mut pairs = compare_each(service, &[a, b]).await?;
    pairs.pop().ok_or_else(|| AppError::Internal("two results make a pair".to_owned()))
}

/// Compares every pair of some results of one release: (0, 1), (0, 2), (1, 2), (0, 3) and so on.
pub(crate) async fn compare_each(
    service: &Service,
    results: &[&Published],
) -> Result<Vec<Compared>, AppError> {
    if results.windows(2).any(|pair| pair[0].release != pair[1].release) {
        let message = "The results are of different releases: nothing was said to all of them.";
        return Err(AppError::BadRequest(message.to_owned()));
    }
    let mut details = Vec::with_capacity(results.len());
    for result in results {
        details.push(scores::item_details(&service.pool, result.attempt, &result.scorer).await?);
    }
    let internal = |error: &dyn std::fmt::Display| AppError::Internal(format!("comparing failed: {error}"));
    let _turn = service.computing.acquire().await.map_err(|error| internal(&error))?;
    tokio::task::spawn_blocking(move || {
        let heard = common(details).into_iter().map(Heard::new).collect::<Result<Vec<_>, _>>()?;
        let pairs = (0..heard.len()).flat_map(|later| (0..later).map(move |earlier| (earlier, later)));
        pairs.map(|(a, b)| compare_items(&heard[a], &heard[b])).collect()
    })
    .await
    .map_err(|error| internal(&error))?
}

/// The items of tracks that all of them ran.
fn common(mut results: Vec<Vec<ItemDetails>>) -> Vec<Vec<ItemDetails>> {
    let tracks = |items: &[ItemDetails]| -> BTreeSet<String> {
        items.iter().map(|item| item.counts.track.clone()).collect()
    };
    let shared =
        results.iter().map(|items| tracks(items)).reduce(|all, next| &all & &next).unwrap_or_default();
    for items in &mut results {
        items.retain(|item| shared.contains(&item.counts.track));
    }
    results
}

/// The items of one result, in the order of their ids so that item meets item, and their draws.
struct Heard {
    items: Vec<ItemDetails>,
    sample: Sample,
    draws: Draws,
}

impl Heard {
    fn new(items: Vec<ItemDetails>) -> Result<Self, AppError> {
        let sample = Sample::new(items.iter().map(|item| Unit {
            group: &item.counts.track,
            utterance: &item.counts.utterance,
            talker: &item.counts.talker,
            room: item.counts.room.as_deref(),
        }));
        let counts: Vec<Counts> = items.iter().map(counts).collect();
        let draws = cluster_bootstrap(&sample, &counts, scorer::bootstrap())
            .map_err(|error| AppError::Internal(error.to_string()))?;
        Ok(Self { items, sample, draws })
    }
}

fn compare_items(first: &Heard, second: &Heard) -> Result<Compared, AppError> {
    let (a, b) = (&first.items, &second.items);
    let is_same = a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.counts.item_id == b.counts.item_id);
    if !is_same {
        return Err(AppError::Internal("two results of one release have different items".to_owned()));
    }
    let (sample, plan) = (&first.sample, scorer::bootstrap());
    let (draws_a, draws_b) = (&first.draws, &second.draws);
    let ranked_tracks = scorer::ranked_tracks();
    let average = draws_a.mean(&ranked_tracks).zip(draws_b.mean(&ranked_tracks));
    let tracks = sample.groups().iter().filter_map(|track| {
        let (a, b) = (draws_a.group(track)?, draws_b.group(track)?);
        Some((track.clone(), PairedRate::new(a.estimate, b.estimate, paired_difference(a, b)?)))
    });
    let ranked: Vec<(&ItemDetails, &ItemDetails)> =
        a.iter().zip(b).filter(|(item, _)| ranked_tracks.contains(&item.counts.track.as_str())).collect();
    let errors: Vec<(u64, u64)> =
        ranked.iter().map(|(a, b)| (counts(a).errors(), counts(b).errors())).collect();
    let differences: Vec<i64> = errors.iter().map(|(a, b)| a.cast_signed() - b.cast_signed()).collect();
    let only_a_right = errors.iter().filter(|(a, b)| *a == 0 && *b > 0).count() as u64;
    let only_b_right = errors.iter().filter(|(a, b)| *a > 0 && *b == 0).count() as u64;
    Ok(Compared {
        items: ranked.len(),
        average: average
            .and_then(|(a, b)| Some(PairedRate::new(a.estimate, b.estimate, paired_difference(&a, &b)?))),
        tracks: tracks.collect(),
        mapsswe: matched_pairs(&ranked),
        permutation_p: permutation_test(&differences, plan),
        mcnemar_p: mcnemar(only_a_right, only_b_right),
        only_a_right,
        only_b_right,
        resampled: sample.scheme(),
        replications: plan.replications,
        seed: plan.seed,
    })
}

impl PairedRate {
    fn new(a: f64, b: f64, difference: Difference) -> Self {
        Self {
            a,
            b,
            difference: difference.estimate,
            interval: [difference.interval.low, difference.interval.high],
            standard_error: difference.standard_error,
            probability_a_better: difference.probability_a_better,
        }
    }
}

fn matched_pairs(items: &[(&ItemDetails, &ItemDetails)]) -> Option<MatchedPairs> {
    let steps = |item: &ItemDetails| steps_of(item.path.as_deref()?);
    let aligned: Vec<(Vec<Step>, Vec<Step>)> =
        items.iter().map(|(a, b)| Some((steps(a)?, steps(b)?))).collect::<Option<_>>()?;
    Some(mapsswe(aligned.iter().map(|(a, b)| (a.as_slice(), b.as_slice()))))
}

fn counts(item: &ItemDetails) -> Counts {
    let wide = |count: i32| u64::from(count.unsigned_abs());
    Counts {
        hits: wide(item.counts.hits),
        substitutions: wide(item.counts.substitutions),
        deletions: wide(item.counts.deletions),
        insertions: wide(item.counts.insertions),
    }
}
