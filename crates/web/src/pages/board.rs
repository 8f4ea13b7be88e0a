//! The board: ranked table and Pareto chart.

use axum::extract::State;
use charts::{Embedding, ParetoChart, ParetoPoint};
use scoring::ScoringProfile;
use serde::Deserialize;

use super::{Page, layout, method, model, page};
use crate::{
    Service,
    auth::Visitor,
    board::{Board, Row, Snapshot},
    error::AppError,
    extract::Query,
    scorer,
    views::{
        BoardPage, BoardRow, Chart, Choice, Count, Elsewhere, Params, Probability, Rate, ReleaseFacts, Rtfx,
        Scoring, Seconds, Section, Sort, TRACKS, url_component,
    },
};

#[derive(Deserialize)]
pub(crate) struct View {
    release: Option<String>,
    hardware: Option<String>,
    profile: Option<String>,
    sort: Option<String>,
    dir: Option<String>,
}

pub(crate) async fn show(
    State(service): State<Service>,
    Visitor(user): Visitor,
    Query(view): Query<View>,
) -> Page {
    let profile = scorer::profile(view.profile.as_deref())?;
    let snapshot = service.board();
    let mut layout = layout(&service, Section::Board, user.as_ref());
    layout.scorer = Some(profile.scorer());
    let wanted = view.release.as_deref().filter(|slug| !slug.is_empty());
    let release = snapshot.release(wanted);
    if let (Some(slug), None) = (wanted, release) {
        return Err(AppError::NotFound(format!("release \u{201c}{slug}\u{201d}")));
    }
    let hardware = view.hardware.as_deref().filter(|class| !class.is_empty());
    let ranking = release.and_then(|release| snapshot.board(release.id, hardware));
    let board = ranking.and_then(|board| snapshot.under(board, profile));
    let slug = release.map(|release| release.slug.clone()).unwrap_or_default();
    let hardware_class = ranking
        .map(|board| board.hardware_class.clone())
        .or_else(|| hardware.map(str::to_owned))
        .unwrap_or_else(|| service.settings.hardware_class.clone());
    let rows: &[Row] = board.map(|board| board.rows.as_slice()).unwrap_or_default();
    if !snapshot.boards.iter().any(|board| board.hardware_class == hardware_class)
        && hardware_class != service.settings.hardware_class
    {
        return Err(AppError::NotFound(format!("hardware class \u{201c}{hardware_class}\u{201d}")));
    }
    let scoring = scoring_view(&snapshot, release.map(|release| release.id), profile);
    let query = format!("hardware={}{}", url_component(&hardware_class), scoring.query());
    let ranking = ranking.filter(|_| !scoring.is_ranking());
    if release.is_some() {
        layout.json_href = Some(format!("/api/v1/boards/{slug}?{query}"));
        layout.csv_href = Some(format!("/api/v1/boards/{slug}/csv?{query}"));
    }
    layout.release.clone_from(&release.map(|release| release.slug.clone()));
    let mut view = BoardPage {
        facts: facts(&snapshot, release.map(|release| release.id), rows),
        chart: chart(
            rows,
            &scoring,
            (!rows.is_empty()).then(|| format!("/api/v1/boards/{slug}/pareto.svg?{query}")),
        ),
        corpus: release.and_then(|release| method::corpus(&release.about)),
        releases: releases(&snapshot, &slug),
        hardware_classes: release
            .map(|release| hardware_choices(&snapshot, release.id, &hardware_class))
            .unwrap_or_default(),
        sort: Sort::from_query(view.sort.as_deref(), view.dir.as_deref()),
        rows: rows
            .iter()
            .map(|row| row_view(row, &scoring, ranking.and_then(|board| board.row(row.result.submission))))
            .collect(),
        scoring,
        layout,
        release: slug,
        hardware_class,
    };
    view.sort_rows();
    page(&view)
}

/// The profile shown, and those to choose from.
pub(super) fn scoring_view(
    snapshot: &Snapshot,
    release: Option<protocol::ReleaseId>,
    profile: ScoringProfile,
) -> Scoring {
    let choice = |other: ScoringProfile| Choice {
        value: other.name.to_owned(),
        label: if other == scorer::RANKING {
            format!("{} (ranks)", other.name)
        } else {
            other.name.to_owned()
        },
        selected: other == profile,
    };
    let unscored = release.map_or(0, |release| snapshot.unscored(release, profile));
    Scoring {
        profiles: ScoringProfile::ALL.map(choice).to_vec(),
        profile: profile.name.to_owned(),
        ranking_profile: scorer::RANKING.name.to_owned(),
        scorer: profile.scorer(),
        unscored: Count(unscored as u64),
    }
}

fn releases(snapshot: &Snapshot, chosen: &str) -> Vec<Choice> {
    let mut choices: Vec<Choice> = Vec::new();
    for release in &snapshot.releases {
        // One entry a slug: the newest version, which comes first.
        if choices.iter().all(|choice| choice.value != release.slug) {
            choices.push(Choice {
                value: release.slug.clone(),
                label: format!("{} {}", release.title, release.version),
                selected: release.slug == chosen,
            });
        }
    }
    choices
}

fn hardware_choices(snapshot: &Snapshot, release: protocol::ReleaseId, chosen: &str) -> Vec<Choice> {
    snapshot
        .boards_of(release)
        .map(|Board { hardware_class, .. }| Choice {
            value: hardware_class.clone(),
            label: hardware_class.clone(),
            selected: hardware_class == chosen,
        })
        .collect()
}

fn facts(snapshot: &Snapshot, release: Option<protocol::ReleaseId>, rows: &[Row]) -> ReleaseFacts {
    let size = release.and_then(|release| snapshot.size(release));
    let count = |number: Option<i64>| Count(number.unwrap_or_default().unsigned_abs());
    let words =
        rows.first().and_then(|row| row.result.summary.tracks.get("near")).map_or(0, |near| near.ref_words);
    ReleaseFacts {
        utterances: count(size.map(|size| size.utterances)),
        words: Count(words),
        talkers: count(size.map(|size| size.talkers)),
        rooms: count(size.map(|size| size.rooms)),
    }
}

fn row_view(row: &Row, scoring: &Scoring, ranking: Option<&Row>) -> BoardRow {
    let result = &row.result;
    let summary = &result.summary;
    BoardRow {
        rank: model::rank(row),
        ranking: ranking.map(|row| Elsewhere {
            place: row.rank,
            avg_wer: Rate(row.result.summary.avg_wer.unwrap_or(f64::NAN)),
        }),
        opens_tie_group: row.opens_tie_group,
        model: result.manifest.name.clone(),
        href: href(row, scoring),
        organisation: result.manifest.organisation.clone(),
        avg_wer: model::average(row),
        tracks: TRACKS.map(|track| model::estimate(summary.tracks.get(track.name))),
        rtfx: summary.rtfx.map(Rtfx),
        speed_unstable: !summary.rtfx_stable,
        latency_p50: Some(Seconds(summary.latency.p50)),
        latency_p95: Some(Seconds(summary.latency.p95)),
        num_params: row.num_params().map(Params),
        on_front: row.on_front,
        front_probability: Probability(row.front_probability),
    }
}

fn href(row: &Row, scoring: &Scoring) -> String {
    let query = scoring.query().replacen('&', "?", 1);
    format!("/models/{}{query}", row.result.submission)
}

fn chart(rows: &[Row], scoring: &Scoring, svg_href: Option<String>) -> Option<Chart> {
    let points = points(rows, |row| href(row, scoring));
    (!points.is_empty()).then(|| both_layouts("pareto", "Word error rate against speed", points, svg_href))
}

/// One chart for a wide page and for a phone.
pub(super) fn both_layouts(
    id: &str,
    title: &str,
    points: Vec<ParetoPoint>,
    svg_href: Option<String>,
) -> Chart {
    let mut chart = ParetoChart {
        id: format!("{id}-wide"),
        title: title.to_owned(),
        description: "Each point is a model; lower is more accurate, further right is faster. The line is the Pareto front: no other model is both faster and more accurate.".to_owned(),
        points,
        layout: charts::Layout::Wide,
        embedding: Embedding::Inline,
    };
    let wide = charts::pareto(&chart);
    chart.id = format!("{id}-compact");
    chart.layout = charts::Layout::Compact;
    Chart { wide, compact: charts::pareto(&chart), svg_href }
}

/// The chart as a file of its own.
pub(crate) fn standalone_chart(rows: &[Row]) -> String {
    charts::pareto(&ParetoChart {
        id: "pareto".to_owned(),
        title: "Word error rate against speed".to_owned(),
        description: "Each point is a model; lower is more accurate, further right is faster.".to_owned(),
        points: points(rows, |row| format!("/models/{}", row.result.submission)),
        layout: charts::Layout::Wide,
        embedding: Embedding::Standalone,
    })
}

fn points(rows: &[Row], href: impl Fn(&Row) -> String) -> Vec<ParetoPoint> {
    rows.iter()
        .filter_map(|row| {
            let summary = &row.result.summary;
            let (error, speed) = summary.avg_wer.zip(summary.rtfx)?;
            Some(ParetoPoint {
                label: row.result.manifest.name.clone(),
                href: href(row),
                detail: format!(
                    "{}, on the front in {} of the draws",
                    detail(error, speed),
                    Probability(row.front_probability)
                ),
                speed,
                speed_interval: summary.rtfx_interval,
                error,
                error_interval: summary.avg_wer_interval,
                on_front: row.on_front,
            })
        })
        .collect()
}

/// The numbers of a point in words.
pub(super) fn detail(error: f64, speed: f64) -> String {
    format!("Avg WER {:.2} %, RTFx {speed:.2}", 100.0 * error)
}
