//! The sim-to-real panel of a release: each model through the measured responses of a room and through the simulated ones
//! of its twin, on the same utterances.

use schemars::JsonSchema;
use scoring::{
    Counts, Replicates, Sample, Unit,
    agreement::{Agreement, agreement},
    cluster_bootstrap, paired_difference,
};
use serde::Serialize;
use store::{
    releases::Release,
    scores::{self, ItemCounts},
};

use crate::{Service, api::openapi, error::AppError, scorer};

const MEASURED: &str = "lab-measured";
const SIMULATED: &str = "lab-simulated";

/// Measured against simulated.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SimToReal")]
pub(crate) struct Panel {
    /// Each model of the board, best first.
    pub(crate) models: Vec<Pair>,
    /// Across the models: how much the two scales agree; null for a single one.
    #[schemars(with = "Option<openapi::Agreement>")]
    pub(crate) agreement: Option<Agreement>,
}

/// One model on both.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MeasuredAndSimulated")]
pub(crate) struct Pair {
    pub(crate) model: String,
    pub(crate) measured: f64,
    pub(crate) simulated: f64,
    /// Measured less simulated.
    pub(crate) difference: f64,
    /// 95 % interval of it, paired by utterance.
    pub(crate) interval: [f64; 2],
}

/// The panel over all hardware classes of a release, as accuracy does not depend on them; nothing without a result on both
/// tracks.
pub(crate) async fn of(service: &Service, release: &Release) -> Result<Option<Panel>, AppError> {
    let snapshot = service.board();
    let rows = snapshot.boards_of(release.id).flat_map(|board| &board.rows);
    let both = rows.filter(|row| {
        [MEASURED, SIMULATED].iter().all(|track| row.result.summary.tracks.contains_key(*track))
    });
    let mut counted = Vec::new();
    for row in both {
        let mut items = scores::item_counts(&service.pool, row.result.attempt, &row.result.scorer).await?;
        items.retain(|item| item.track == MEASURED || item.track == SIMULATED);
        counted.push((row.result.manifest.name.clone(), items));
    }
    let internal = |error: &dyn std::fmt::Display| AppError::Internal(format!("comparing failed: {error}"));
    let _turn = service.computing.acquire().await.map_err(|error| internal(&error))?;
    tokio::task::spawn_blocking(move || panel(&counted)).await.map_err(|error| internal(&error))
}

fn panel(counted: &[(String, Vec<ItemCounts>)]) -> Option<Panel> {
    let models: Vec<Pair> = counted.iter().filter_map(|(name, items)| model(name, items)).collect();
    let of = |rate: fn(&Pair) -> f64| models.iter().map(rate).collect::<Vec<f64>>();
    // As for each model: measured less simulated.
    let found = agreement(&of(|it| it.simulated), &of(|it| it.measured), scorer::bootstrap());
    (!models.is_empty()).then_some(Panel { models, agreement: found })
}

fn model(name: &str, items: &[ItemCounts]) -> Option<Pair> {
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
    // One laboratory is both rooms: to draw one without the other would break the pairs.
    let sample = Sample::new(items.iter().map(|item| Unit {
        group: &item.track,
        utterance: &item.utterance,
        talker: &item.talker,
        room: None,
    }));
    let draws = cluster_bootstrap(&sample, &counts, scorer::bootstrap()).ok()?;
    let (measured, simulated): (&Replicates, &Replicates) = (draws.group(MEASURED)?, draws.group(SIMULATED)?);
    let difference = paired_difference(measured, simulated)?;
    Some(Pair {
        model: name.to_owned(),
        measured: measured.estimate,
        simulated: simulated.estimate,
        difference: difference.estimate,
        interval: [difference.interval.low, difference.interval.high],
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn item(track: &str, utterance: usize, hits: i32, deletions: i32) -> ItemCounts {
        ItemCounts {
            item_id: Uuid::new_v4(),
            track: track.to_owned(),
            utterance: utterance.to_string(),
            talker: "t".to_owned(),
            room: Some(track.to_owned()),
            hits,
            substitutions: 0,
            deletions,
            insertions: 0,
        }
    }

    #[test]
    fn a_model_that_errs_one_word_more_everywhere_differs_by_that_and_with_certainty() {
        let both = |deletions: i32| -> Vec<ItemCounts> {
            (0..20)
                .flat_map(|n| {
                    [
                        item(MEASURED, n, 9 - deletions, 1 + deletions),
                        item(SIMULATED, n, 10 - deletions, deletions),
                    ]
                })
                .collect()
        };
        let panel = panel(&[("a".to_owned(), both(0)), ("b".to_owned(), both(3))]).unwrap();
        for model in &panel.models {
            assert!((model.difference - 0.1).abs() < 1e-12, "{model:?}");
            assert!(model.interval.iter().all(|limit| (limit - 0.1).abs() < 1e-12), "{model:?}");
        }
        assert!((panel.models[1].measured - 0.4).abs() < 1e-12);
        assert_eq!(panel.agreement.unwrap().kendall_tau, Some(1.0), "both order them alike");
        assert!(super::panel(&[]).is_none());
    }
}
