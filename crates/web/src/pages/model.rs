//! One result, with everything needed to trace it.

use std::collections::BTreeSet;

use axum::extract::State;
use protocol::SubmissionId;
use scoring::ScoringProfile;
use serde::Deserialize;
use store::{
    scores::{ByScorer, TrackSummary},
    submissions,
};

use super::{
    Page,
    board::{MOST_CHOICES, scoring_view},
    layout, page, take_home, weakness,
};
use crate::{
    Service,
    auth::Visitor,
    board::{Board, Row, Snapshot},
    error::AppError,
    extract::{Path, Query},
    runtimes, scorer, tracks,
    views::{
        Bytes, Choice, Count, Estimate, FrontEnd, Interval, Measured, ModelPage, Params, Probability,
        Provenance, Rank, Rtfx, ScorerResult, Seconds, Section, TRACKS, Timestamp, Timing, TrackResult,
        url_component,
    },
};

#[derive(Deserialize)]
pub(crate) struct View {
    profile: Option<String>,
}

pub(crate) async fn show(
    State(service): State<Service>,
    Visitor(user): Visitor,
    Path(id): Path<SubmissionId>,
    Query(view): Query<View>,
) -> Page {
    let profile = scorer::profile(view.profile.as_deref())?;
    let snapshot = service.board();
    // What has left the board is still on record.
    let Some((ranking, _)) = snapshot.row(id) else {
        return super::record::show(State(service.clone()), Visitor(user), Path(id)).await;
    };
    let scorer = snapshot.scorer(profile, Some(ranking.release));
    let found = snapshot.under(ranking, profile).and_then(|board| Some((board, board.row(id)?)));
    let (board, row) =
        found.ok_or_else(|| AppError::NotFound(format!("result of this submission under {scorer} yet")))?;
    let release = snapshot
        .releases
        .iter()
        .find(|release| release.id == board.release)
        .ok_or_else(|| AppError::NotFound("release of this result".to_owned()))?;
    let mut layout = layout(&service, Section::Board, user.as_ref());
    layout.release = Some(release.slug.clone());
    layout.scorer = Some(scorer.clone());
    let by_scorer = by_scorer(&snapshot, board, row);
    let shown = weakness::read(&service, &row.result).await;
    // Without the database the page stands, this link does not.
    let front_end = without_front_end(&service, board, row).await.unwrap_or_default();
    page(&ModelPage {
        take_home: take_home::of_model(&service, release, board, row),
        layout,
        front_end,
        manifest: row.result.manifest.clone(),
        num_params: row.candidate.num_params.map(Params),
        release: release.slug.clone(),
        hardware_class: board.hardware_class.clone(),
        rank: Some(rank(row)),
        ranked: u32::try_from(board.rows.len()).unwrap_or(u32::MAX),
        on_front: row.on_front,
        front_probability: Probability(row.front_probability),
        avg_wer: average(row),
        tracks: track_results(row),
        not_run: tracks::not_run(release, &row.result.summary),
        timing: timing(row),
        measured: Measured::new(&row.result.measurements),
        scoring: scoring_view(&snapshot, Some(board.release), profile),
        described_rooms: super::conditions::rooms_of(release).into_iter().map(|(name, _)| name).collect(),
        weakness: shown,
        history: super::history::of_model(&service, id).await,
        by_scorer,
        others: others(board, row),
        items_href: format!(
            "/api/v1/results/{}/items.parquet?scorer={}",
            row.result.attempt,
            url_component(&scorer)
        ),
        provenance: provenance(row, board, &release.manifest_sha256),
    })
}

/// The result under every scorer that was ever applied to it.
fn by_scorer(snapshot: &Snapshot, board: &Board, row: &Row) -> Vec<ScorerResult> {
    let result = |by: &ByScorer| {
        let current = ScoringProfile::ALL
            .into_iter()
            .find(|profile| snapshot.scorer(*profile, Some(board.release)) == by.scorer);
        let on_board = current
            .and_then(|profile| snapshot.under(board, profile))
            .and_then(|board| board.row(row.result.submission));
        ScorerResult {
            scorer: by.scorer.clone(),
            role: match current {
                Some(profile) if profile == scorer::RANKING => "ranks",
                Some(_) => "profile",
                None => "not on a board",
            },
            href: on_board
                .and(current)
                .map(|profile| format!("/models/{}?profile={}", row.result.submission, profile.name)),
            is_shown: current == Some(board.profile),
            rank: on_board.map(rank),
            avg_wer: Estimate::new(by.avg_wer.unwrap_or(f64::NAN), by.avg_wer_interval),
            scored_at: Timestamp(by.scored_at),
        }
    };
    snapshot.by_scorer(row.result.attempt).iter().map(result).collect()
}

/// The pair of this recogniser and its front end against the recogniser alone, where that is on the board: same runtime,
/// same settings, same files.
async fn without_front_end(
    service: &Service,
    board: &Board,
    row: &Row,
) -> Result<Option<FrontEnd>, AppError> {
    let Some(name) = runtimes::front_end(&row.result.manifest.decoding) else { return Ok(None) };
    if service.board_is_stale() {
        return Ok(None);
    }
    let files = |of: &Row| {
        let id = of.result.submission;
        async move {
            let files = submissions::files(&service.pool, id).await?;
            let kept =
                files.into_iter().filter(|file| file.name != name).map(|file| (file.name, file.sha256));
            Ok::<_, AppError>(kept.collect::<BTreeSet<_>>())
        }
    };
    let mut bare = None;
    for other in board.rows.iter().filter(|it| runtimes::is_pair(&row.result.manifest, &it.result.manifest)) {
        if files(row).await? == files(other).await? {
            bare = Some((
                other.result.manifest.name.clone(),
                format!("/compare?a={}&b={}", row.result.submission, other.result.submission),
            ));
            break;
        }
    }
    Ok(Some(FrontEnd { name: name.to_owned(), bare }))
}

fn others(board: &Board, row: &Row) -> Vec<Choice> {
    // Of a large board, those around its own place.
    let place = board.rows.partition_point(|other| other.rank < row.rank);
    let first = place.saturating_sub(MOST_CHOICES / 2);
    let others = board.rows.iter().skip(first).take(MOST_CHOICES);
    others
        .filter(|other| other.result.submission != row.result.submission)
        .map(|other| Choice {
            value: other.result.submission.to_string(),
            label: other.result.manifest.name.clone(),
            selected: false,
        })
        .collect()
}

pub(super) fn rank(row: &Row) -> Rank {
    Rank { place: row.rank, low: row.rank_interval.0, high: row.rank_interval.1 }
}

/// Rows without an average are not ranked and so never come here; NaN would be shown as such.
pub(super) fn average(row: &Row) -> Estimate {
    let summary = &row.result.summary;
    Estimate::new(summary.avg_wer.unwrap_or(f64::NAN), summary.avg_wer_interval)
}

pub(super) fn estimate(track: Option<&TrackSummary>) -> Estimate {
    Estimate::new(
        track.and_then(|track| track.wer).unwrap_or(f64::NAN),
        track.and_then(|track| track.interval),
    )
}

fn track_results(row: &Row) -> Vec<TrackResult> {
    let tracks = &row.result.summary.tracks;
    let ranked =
        TRACKS.iter().filter_map(|track| tracks.get_key_value(track.name).map(|entry| (entry, true)));
    let others = tracks
        .iter()
        .filter(|(name, _)| TRACKS.iter().all(|track| track.name != name.as_str()))
        .map(|entry| (entry, false));
    ranked
        .chain(others)
        .map(|((name, track), ranked)| TrackResult {
            name: name.clone(),
            ranked,
            wer: estimate(Some(track)),
            substitutions: Count(track.substitutions),
            deletions: Count(track.deletions),
            insertions: Count(track.insertions),
            ref_words: Count(track.ref_words),
            items: Count(track.items.into()),
            failed_items: Count(track.failed.into()),
            rtfx: track.rtfx.map(Rtfx),
        })
        .collect()
}

fn timing(row: &Row) -> Timing {
    let summary = &row.result.summary;
    Timing {
        rtfx: summary.rtfx.map(Rtfx),
        rtfx_interval: summary.rtfx_interval.map(|(low, high)| Interval { low: Rtfx(low), high: Rtfx(high) }),
        repeat_passes: summary.repeat_passes,
        ready_time: Seconds(row.result.report.ready_seconds),
        latency_p50: Some(Seconds(summary.latency.p50)),
        latency_p90: Some(Seconds(summary.latency.p90)),
        latency_p95: Some(Seconds(summary.latency.p95)),
        latency_p99: Some(Seconds(summary.latency.p99)),
        peak_memory: row.result.report.peak_memory_bytes.map(Bytes),
    }
}

fn provenance(row: &Row, board: &Board, release_sha256: &str) -> Provenance {
    let result = &row.result;
    debug_assert_eq!(board.release, result.release);
    Provenance {
        release_sha256: release_sha256.to_owned(),
        submission: result.submission,
        attempt: result.attempt,
        runtime: result.report.runtime.clone(),
        runtime_digest: result.report.runtime_digest.clone(),
        isolation: result.report.isolation.clone(),
        scorer: result.scorer.clone(),
        node: result.report.fingerprint.clone(),
        order_seed: result.seed,
        bootstrap_seed: Some(scorer::BOOTSTRAP_SEED),
        submitted_at: Timestamp(result.submitted_at),
        started_at: Timestamp(result.started_at),
        finished_at: Timestamp(result.finished_at),
        scored_at: Timestamp(result.scored_at),
    }
}
