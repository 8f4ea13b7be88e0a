//! Ranks, rank intervals, tie groups and the Pareto front of one board, from per-item counts.

use std::{collections::BTreeMap, sync::Arc};

use protocol::DemandingTrack;
use scoring::{
    Counts, Draws, Interval, Replicates, Sample, Unit, cluster_bootstrap, pareto, speed_replicates, standings,
};
use selection::{Candidate, Covariance, Estimate};
use store::{
    PgPool, StoreError,
    scores::{self, ItemCounts, Published},
};

use crate::{board::Row, scorer};

/// Ranks the results of one release on one hardware class under one scorer by Avg WER. A result without an average (a
/// ranked track was not run) has no rank and is left out.
pub(crate) async fn rank(pool: &PgPool, results: Vec<Published>) -> Result<Vec<Row>, StoreError> {
    let mut ranked: Vec<(Published, Vec<ItemCounts>)> = Vec::with_capacity(results.len());
    for result in results {
        if result.summary.avg_wer.is_some() {
            let counts = scores::item_counts(pool, result.attempt, &result.scorer).await?;
            ranked.push((result, counts));
        }
    }
    rank_apart(ranked).await
}

/// Ranks results with their counts, on a thread where it may take its time.
pub(crate) async fn rank_apart(ranked: Vec<(Published, Vec<ItemCounts>)>) -> Result<Vec<Row>, StoreError> {
    tokio::task::spawn_blocking(move || rank_rows(ranked))
        .await
        .map_err(|error| StoreError::Corrupt(format!("ranking failed: {error}")))?
}

fn rank_rows(results: Vec<(Published, Vec<ItemCounts>)>) -> Result<Vec<Row>, StoreError> {
    let (replicates, covariances): (Vec<Replicates>, Vec<Covariance>) = results
        .iter()
        .map(|(_, counts)| replicate(counts))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .unzip();
    let points: Vec<(f64, f64)> = results
        .iter()
        .map(|(result, _)| {
            (result.summary.avg_wer.unwrap_or(f64::NAN), result.summary.rtfx.unwrap_or(f64::NAN))
        })
        .collect();
    let places = standings(&replicates);
    let timed = replicates.into_iter().zip(&results);
    let timed: Vec<_> = timed.map(|(error, (result, _))| (error, speeds(result))).collect();
    let fronts = pareto::front(&points).into_iter().zip(pareto::membership(&timed));
    let mut rows: Vec<(usize, Row)> = results
        .into_iter()
        .zip(covariances)
        .zip(places)
        .zip(fronts)
        .map(|((((result, _), covariance), place), (on_front, front_probability))| {
            let row = Row {
                candidate: candidate(&result, narrow(place.rank), covariance),
                rank: narrow(place.rank),
                rank_interval: (narrow(place.rank_interval[0]), narrow(place.rank_interval[1])),
                opens_tie_group: false,
                on_front,
                front_probability,
                result,
            };
            (place.tie_group, row)
        })
        .collect();
    rows.sort_by_key(|(_, row)| (row.rank, row.result.submission));
    let mut group_above = None;
    for (group, row) in &mut rows {
        row.opens_tie_group = group_above != Some(*group);
        group_above = Some(*group);
    }
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

/// The result as a choice among models sees it.
fn candidate(result: &Published, place: u32, covariance: Covariance) -> Candidate {
    let summary = &result.summary;
    let estimate = |value: Option<f64>, interval| Some(Estimate { value: value?, interval });
    let tracks = summary.tracks.iter();
    let tracks: BTreeMap<String, Estimate> = tracks
        .filter_map(|(name, track)| Some((name.clone(), estimate(track.wer, track.interval)?)))
        .collect();
    Candidate {
        name: result.manifest.name.clone(),
        organisation: result.manifest.organisation.clone(),
        licence: result.manifest.licence.clone(),
        runtime: result.manifest.runtime.clone(),
        num_params: result.num_params(),
        place,
        average: Estimate { value: summary.avg_wer.unwrap_or(f64::NAN), interval: summary.avg_wer_interval },
        tracks,
        covariance,
        rtfx: estimate(summary.rtfx, summary.rtfx_interval),
        latency_p50: summary.latency.p50,
        latency_p95: summary.latency.p95,
    }
}

/// The replicated speed of one result; without a speed it is on no front.
fn speeds(result: &Published) -> Replicates {
    let summary = &result.summary;
    let interval = summary.rtfx_interval.map(|(low, high)| Interval { low, high });
    let (_, system) = result.attempt.0.as_u64_pair();
    speed_replicates(summary.rtfx.unwrap_or(f64::NAN), interval, system, scorer::bootstrap())
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The replicated Avg WER of one result, and how its tracks vary together.
fn replicate(items: &[ItemCounts]) -> Result<(Replicates, Covariance), StoreError> {
    // Items come in the order of their ids, so all results share the sample: that of the tracks that every model runs.
    let for_all: Vec<&ItemCounts> =
        items.iter().filter(|item| DemandingTrack::named(&item.track).is_none()).collect();
    let draws = resample(&for_all)?;
    let average = draws.1.mean(&scorer::ranked_tracks()).ok_or_else(|| {
        StoreError::Corrupt("a ranked result lacks the counts of a ranked track".to_owned())
    })?;
    let (sample, draws) =
        if for_all.len() == items.len() { draws } else { resample(&items.iter().collect::<Vec<_>>())? };
    // A track in which nothing is said has no rate.
    let rated: Vec<(&String, &Replicates)> =
        sample.groups().iter().filter_map(|track| Some((track, draws.group(track)?))).collect();
    let tracks: Arc<[String]> = rated.iter().map(|(track, _)| (*track).clone()).collect();
    let replications: Vec<&[f64]> = rated.iter().map(|(_, rate)| rate.values.as_slice()).collect();
    Ok((average, Covariance::new(tracks, &replications)))
}

fn resample(items: &[&ItemCounts]) -> Result<(Sample, Draws), StoreError> {
    let sample = Sample::new(items.iter().map(|item| Unit {
        group: &item.track,
        utterance: &item.utterance,
        talker: &item.talker,
        room: item.room.as_deref(),
    }));
    let wide = |count: i32| u64::from(count.unsigned_abs());
    let counts: Vec<Counts> = items
        .iter()
        .map(|item| Counts {
            hits: wide(item.hits),
            substitutions: wide(item.substitutions),
            deletions: wide(item.deletions),
            insertions: wide(item.insertions),
        })
        .collect();
    let draws = cluster_bootstrap(&sample, &counts, scorer::bootstrap())
        .map_err(|error| StoreError::Corrupt(error.to_string()))?;
    Ok((sample, draws))
}
