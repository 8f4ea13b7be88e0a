//! Ranks, rank intervals, tie groups and the Pareto front of one board, from per-item counts.

use std::{collections::BTreeMap, sync::Arc};

use protocol::DemandingTrack;
use scoring::{
    Bootstrap, Counts, DrawTable, Draws, Interval, Replicates, Sample, Unit, cluster_bootstrap, pareto,
    speed_replicates, standings,
};
use selection::{Candidate, Covariance, Estimate};
use store::{
    PgPool, StoreError,
    draws::{self, KeptDraws, Plan},
    scores::{self, ItemCounts, Published},
};

use crate::{board::Row, scorer};

/// Results whose draws are read at once.
const CHUNK: usize = 64;
/// Draws of a front: its probability is shown in whole percents, and this many know it to one or two.
const FRONT_DRAWS: usize = 2_000;

/// Ranks the results of one release on one hardware class under one scorer by Avg WER. A result without an average (a
/// ranked track was not run) has no rank and is left out. Draws that are not kept yet are made and kept.
pub(crate) async fn rank(pool: &PgPool, results: Vec<Arc<Published>>) -> Result<Vec<Row>, StoreError> {
    let results: Vec<_> = results.into_iter().filter(|result| result.summary.avg_wer.is_some()).collect();
    let bootstrap = scorer::bootstrap();
    let plan = Plan { replications: bootstrap.replications, seed: bootstrap.seed };
    let mut ranking = Ranking::new(results.len());
    for chunk in results.chunks(CHUNK) {
        let Some(scorer) = chunk.first().map(|result| &result.scorer) else { break };
        let attempts: Vec<_> = chunk.iter().map(|result| result.attempt).collect();
        let most = ranking.table.replications();
        let mut kept = draws::kept(pool, (&attempts, scorer), plan, most).await?;
        for result in chunk {
            let draws = match kept.remove(&result.attempt) {
                Some(draws) => draws,
                None => draw(pool, result, plan).await?,
            };
            ranking.add(result.clone(), draws)?;
        }
    }
    apart(move || ranking.rows()).await
}

/// Makes the draws of a result and keeps them.
async fn draw(pool: &PgPool, result: &Published, plan: Plan) -> Result<KeptDraws, StoreError> {
    let counts = scores::item_counts(pool, result.attempt, &result.scorer).await?;
    let draws = apart(move || replicate(&counts)).await??;
    draws::keep(pool, (result.attempt, &result.scorer), plan, &draws).await?;
    Ok(draws)
}

/// Ranks results with their counts, without keeping anything.
pub(crate) async fn rank_apart(ranked: Vec<(Published, Vec<ItemCounts>)>) -> Result<Vec<Row>, StoreError> {
    apart(move || {
        let mut ranking = Ranking::new(ranked.len());
        for (result, counts) in ranked {
            ranking.add(Arc::new(result), replicate(&counts)?)?;
        }
        Ok(ranking.rows())
    })
    .await?
}

/// Computes on a thread where it may take its time.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| StoreError::Corrupt(format!("ranking failed: {error}")))
}

/// What is ranked, result by result.
struct Ranking {
    results: Vec<Arc<Published>>,
    covariances: Vec<Covariance>,
    table: DrawTable,
}

impl Ranking {
    fn new(results: usize) -> Self {
        let replications = DrawTable::replications_for(results, scorer::bootstrap().replications);
        Self { results: Vec::new(), covariances: Vec::new(), table: DrawTable::new(replications) }
    }

    fn add(&mut self, result: Arc<Published>, draws: KeptDraws) -> Result<(), StoreError> {
        let corrupt =
            |why: String| StoreError::Corrupt(format!("draws of attempt {}: {why}", result.attempt));
        let covariance = Covariance::from_parts(self.shared(draws.tracks), draws.covariances)
            .ok_or_else(|| corrupt("covariances of other tracks".to_owned()))?;
        self.table
            .push(draws.estimate, draws.average.iter().map(|value| f64::from(*value)))
            .map_err(|error| corrupt(error.to_string()))?;
        self.covariances.push(covariance);
        self.results.push(result);
        Ok(())
    }

    /// Nearly all results have the same tracks.
    fn shared(&self, tracks: Vec<String>) -> Arc<[String]> {
        match self.covariances.last() {
            Some(last) if **last.tracks() == *tracks => last.tracks().clone(),
            _ => tracks.into(),
        }
    }

    fn rows(self) -> Vec<Row> {
        let points: Vec<(f64, f64)> = self
            .results
            .iter()
            .map(|result| {
                (result.summary.avg_wer.unwrap_or(f64::NAN), result.summary.rtfx.unwrap_or(f64::NAN))
            })
            .collect();
        let places = standings(&self.table);
        let fronts = pareto::front(&points).into_iter().zip(self.front_probabilities());
        let ranked = self.results.into_iter().zip(self.covariances).zip(places).zip(fronts);
        let mut rows: Vec<(usize, Row)> = ranked
            .map(|(((result, covariance), place), (on_front, front_probability))| {
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
        rows.into_iter().map(|(_, row)| row).collect()
    }

    /// The share of the draws in which each result is on the front. Results that another beats in every draw need not be
    /// looked at in any.
    fn front_probabilities(&self) -> Vec<f64> {
        let replications = self.table.replications().min(FRONT_DRAWS);
        let draws = |row: usize| {
            let (estimate, errors) = self.table.row(row);
            let errors = Replicates { estimate, values: errors.take(replications).collect() };
            (errors, speeds(&self.results[row], replications))
        };
        let range = |of: &Replicates| {
            let bounds = (f64::INFINITY, f64::NEG_INFINITY);
            of.values.iter().fold(bounds, |(low, high), value| (low.min(*value), high.max(*value)))
        };
        let all = || 0..self.results.len();
        let ranges: Vec<_> = all()
            .map(|row| {
                let (errors, speeds) = draws(row);
                (range(&errors), range(&speeds))
            })
            .collect();
        let contends = pareto::contenders(&ranges);
        let contenders: Vec<_> = all().filter(|row| contends[*row]).map(draws).collect();
        let mut membership = pareto::membership(&contenders).into_iter();
        contends
            .into_iter()
            .map(|contends| if contends { membership.next().unwrap_or_default() } else { 0.0 })
            .collect()
    }
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
fn speeds(result: &Published, replications: usize) -> Replicates {
    let summary = &result.summary;
    let interval = summary.rtfx_interval.map(|(low, high)| Interval { low, high });
    let (_, system) = result.attempt.0.as_u64_pair();
    let plan = Bootstrap { replications, ..scorer::bootstrap() };
    speed_replicates(summary.rtfx.unwrap_or(f64::NAN), interval, system, plan)
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The replicated Avg WER of one result, and how its tracks vary together.
fn replicate(items: &[ItemCounts]) -> Result<KeptDraws, StoreError> {
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
    let covariance = Covariance::new(tracks, &replications);
    let (tracks, covariances) = covariance.parts();
    Ok(KeptDraws {
        estimate: average.estimate,
        average: average.values.iter().map(|value| *value as f32).collect(),
        tracks: tracks.to_vec(),
        covariances: covariances.to_vec(),
    })
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
