//! The board: ranked table and Pareto chart.

use std::{cmp::Reverse, collections::BTreeMap};

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use charts::{Axis, Better, Embedding, ParetoChart, ParetoPoint};
use scoring::ScoringProfile;
use selection::{
    Accuracy, Answered, Column, Cost, LicenceChoice, PURPOSES, Page, Purpose, SizeClass, Standing, View,
};

use super::{layout, method, model};
use crate::{
    Service,
    asked::{Asked, Pairs, no_place},
    auth::Visitor,
    board::{Board, Row, Snapshot},
    error::AppError,
    extract::Query,
    fronts::Front,
    scorer,
    views::{
        BoardPage, BoardRow, Cell, Chart, Choice, Count, Elsewhere, Estimate, Link, Offer, Paging, Params,
        Probability, PurposeView, Rate, ReleaseFacts, RowStanding, Rtfx, Scoring, Seconds, Section, TRACKS,
        WeightField, Why, url_component,
    },
};

/// Most words to choose from in a list; others are found by typing.
pub(super) const MOST_CHOICES: usize = 200;
/// Most points of a chart.
const MOST_POINTS: usize = 200;
/// The most a weight can be in the form.
const MOST_WEIGHT: f64 = 5.0;

/// A form sends its empty fields along, and several columns under one name; the address of what it asks for is shorter.
pub(super) fn tidied(pairs: &Pairs, path: &str) -> Result<Option<String>, AppError> {
    let is_untidy = |(key, value): &(String, String)| {
        value.is_empty() || key.starts_with("w-") || (key == "for" && Purpose::named(value).is_none())
    };
    let columns = pairs.iter().filter(|(key, _)| key == "columns").count();
    if columns <= 1 && !pairs.iter().any(is_untidy) {
        return Ok(None);
    }
    let view = View::from_pairs(pairs.iter().map(|(key, value)| (key, value)))
        .map_err(|error| AppError::BadRequest(format!("{error}.")))?;
    Ok(Some(view.href(path)))
}

pub(crate) fn show(
    State(service): State<Service>,
    Visitor(user): Visitor,
    Query(pairs): Query<Pairs>,
) -> Result<Response, AppError> {
    if let Some(href) = tidied(&pairs, "/")? {
        return Ok(Redirect::to(&href).into_response());
    }
    let snapshot = service.board();
    let asked = Asked::read(&service, &snapshot, &pairs)?;
    let mut layout = layout(&service, Section::Board, user.as_ref());
    layout.scorer = Some(asked.scorer());
    layout.release = asked.release.map(|release| release.slug.clone());
    let release = asked.release.map(|release| release.slug.clone()).unwrap_or_default();
    if asked.release.is_some() {
        layout.json_href = Some(file_href(&asked, ""));
        layout.csv_href = Some(file_href(&asked, "/csv"));
    }
    let scoring = scoring_view(&snapshot, asked.release.map(|release| release.id), asked.profile);
    let columns = columns(&asked);
    let fronts = asked.fronts();
    let chart = chart(&asked, &fronts, &scoring);
    let shown = asked.view.page.of(asked.answer.rows.len());
    let page = BoardPage {
        facts: facts(&snapshot, &asked),
        corpus: asked.release.and_then(|release| method::corpus(&release.about)),
        offer: offer(&snapshot, &asked, &columns),
        purpose: purpose_view(&asked.view.purpose),
        rows: asked
            .rows()
            .zip(&fronts)
            .skip(shown.start)
            .take(shown.len())
            .map(|((answered, row), front)| row_view(&asked, answered, row, *front, &columns, &scoring))
            .collect(),
        paging: Paging::new(&asked.view, asked.answer.rows.len(), "/"),
        full_scale: full_scale(&asked),
        models: Count(asked.board.map_or(0, |board| board.rows.len() as u64)),
        hidden: asked.answer.hidden,
        hardware_class: asked.hardware_class.clone(),
        view: asked.view.clone(),
        columns,
        chart,
        scoring,
        layout,
        release,
    };
    Ok(super::page(&page)?.into_response())
}

/// The upper end of the largest interval of a score.
fn full_scale(asked: &Asked<'_>) -> f64 {
    let scores = asked.answer.rows.iter().filter_map(|row| row.score);
    scores.map(|score| estimate(score).upper()).fold(0.0, f64::max)
}

/// The view as a file: JSON, `/csv` or `/pareto.svg`.
pub(super) fn file_href(asked: &Asked<'_>, suffix: &str) -> String {
    let release = asked.view.release.as_deref().unwrap_or_default();
    let view = View { release: None, page: Page::default(), ..asked.view.clone() };
    view.href(&format!("/api/v1/boards/{}{suffix}", url_component(release)))
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
        scorer: snapshot.scorer(profile, release),
        unscored: Count(unscored as u64),
    }
}

/// Columns in the order of the table: those asked for, or the usual ones.
fn columns(asked: &Asked<'_>) -> Vec<Column> {
    let tracks = asked.tracks().into_iter().map(Column::Track);
    let is_usual = |column: &Column| match column {
        Column::Track(name) => {
            TRACKS.iter().any(|track| track.name == name)
                || asked.view.purpose.weights().is_some_and(|weights| weights.of(name) > 0.0)
        }
        column => !matches!(column, Column::Licence | Column::Runtime),
    };
    let all = tracks.chain(Column::FIXED);
    match &asked.view.columns {
        Some(chosen) => all.filter(|column| chosen.contains(column)).collect(),
        None => all.filter(is_usual).collect(),
    }
}

fn offer(snapshot: &Snapshot, asked: &Asked<'_>, columns: &[Column]) -> Offer {
    let view = &asked.view;
    let rows = asked.board.map(|board| board.rows.as_slice()).unwrap_or_default();
    let of_all = |word: fn(&Row) -> &str| most_frequent(rows.iter().map(word));
    let words = |all: Vec<&str>, chosen: Option<&str>| -> Vec<Choice> {
        all.into_iter().map(|word| choice(word, word, chosen == Some(word))).collect()
    };
    let licence = match &view.filter.licence {
        LicenceChoice::Exactly(licence) => Some(licence.as_str()),
        LicenceChoice::Any | LicenceChoice::Open => None,
    };
    let open = choice("open", "any open licence", view.filter.licence == LicenceChoice::Open);
    Offer {
        releases: releases(snapshot, view.release.as_deref().unwrap_or_default()),
        hardware_classes: asked
            .release
            .map(|release| hardware_choices(snapshot, release.id, &asked.hardware_class))
            .unwrap_or_default(),
        purposes: purposes(view, "/"),
        organisations: words(of_all(|row| &row.candidate.organisation), view.filter.organisation.as_deref()),
        runtimes: words(of_all(|row| &row.candidate.runtime), view.filter.runtime.as_deref()),
        licences: [open].into_iter().chain(words(of_all(|row| &row.candidate.licence), licence)).collect(),
        sizes: SizeClass::ALL
            .map(|class| choice(class.name(), class.label(), view.filter.size == Some(class)))
            .to_vec(),
        columns: asked
            .tracks()
            .into_iter()
            .map(Column::Track)
            .chain(Column::FIXED)
            .map(|column| choice(column.name(), &crate::views::heading(&column), columns.contains(&column)))
            .collect(),
        weights: weight_fields(asked),
    }
}

/// Words to choose from, in their order: all, or the most frequent if there are more than one can look through.
fn most_frequent<'a>(words: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for word in words {
        *counts.entry(word).or_default() += 1;
    }
    let mut chosen: Vec<(&str, usize)> = counts.into_iter().collect();
    if chosen.len() > MOST_CHOICES {
        chosen.sort_by_key(|(_, count)| Reverse(*count));
        chosen.truncate(MOST_CHOICES);
        chosen.sort_unstable();
    }
    chosen.into_iter().map(|(word, _)| word).collect()
}

pub(super) fn choice(value: &str, label: &str, selected: bool) -> Choice {
    Choice { value: value.to_owned(), label: label.to_owned(), selected }
}

pub(super) fn purposes(view: &View, path: &str) -> Vec<Link> {
    let to = |purpose: Purpose, label: &str| Link {
        is_current: view.purpose == purpose,
        href: View { purpose, sort: selection::Sort::default(), page: Page::default(), ..view.clone() }
            .href(path),
        label: label.to_owned(),
    };
    let ranking = to(Purpose::Ranking, "Ranking");
    [ranking].into_iter().chain(PURPOSES.iter().map(|case| to(Purpose::Named(case), case.label))).collect()
}

/// The weights as they stand, the largest at the end of the scale; those of the ranking are equal.
fn weight_fields(asked: &Asked<'_>) -> Vec<WeightField> {
    let weights = asked.view.purpose.weights();
    let most =
        weights.iter().flat_map(selection::Weights::iter).map(|(_, weight)| weight).fold(0.0, f64::max);
    let of = |track: &str| match &weights {
        Some(weights) => (10.0 * MOST_WEIGHT * weights.of(track) / most).round() / 10.0,
        None if TRACKS.iter().any(|ranked| ranked.name == track) => 1.0,
        None => 0.0,
    };
    let field = |track: String| WeightField { weight: of(&track), track };
    asked.tracks().into_iter().map(field).collect()
}

fn purpose_view(purpose: &Purpose) -> Option<PurposeView> {
    let weights = purpose.weights()?;
    let named = match purpose {
        Purpose::Named(case) => Some(case),
        Purpose::Ranking | Purpose::Own(_) => None,
    };
    Some(PurposeView {
        label: named.map(|case| case.label.to_owned()),
        reason: named.map(|case| case.reason.to_owned()),
        shares: weights
            .iter()
            .map(|(track, _)| (track.to_owned(), format!("{:.0}", 100.0 * weights.share(track))))
            .collect(),
    })
}

pub(super) fn releases(snapshot: &Snapshot, chosen: &str) -> Vec<Choice> {
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

pub(super) fn hardware_choices(
    snapshot: &Snapshot,
    release: protocol::ReleaseId,
    chosen: &str,
) -> Vec<Choice> {
    snapshot
        .boards_of(release)
        .map(|Board { hardware_class, .. }| Choice {
            value: hardware_class.clone(),
            label: hardware_class.clone(),
            selected: hardware_class == chosen,
        })
        .collect()
}

fn facts(snapshot: &Snapshot, asked: &Asked<'_>) -> ReleaseFacts {
    let size = asked.release.and_then(|release| snapshot.size(release.id));
    let count = |number: Option<i64>| Count(number.unwrap_or_default().unsigned_abs());
    let first = asked.board.and_then(|board| board.rows.first());
    let words = first.and_then(|row| row.result.summary.tracks.get("near")).map_or(0, |near| near.ref_words);
    ReleaseFacts {
        utterances: count(size.map(|size| size.utterances)),
        words: Count(words),
        talkers: count(size.map(|size| size.talkers)),
        rooms: count(size.map(|size| size.rooms)),
    }
}

fn row_view(
    asked: &Asked<'_>,
    answered: &Answered,
    row: &Row,
    front: Front,
    columns: &[Column],
    scoring: &Scoring,
) -> BoardRow {
    let is_ranking = asked.view.purpose.is_ranking();
    let elsewhere = asked.ranking.filter(|_| !is_ranking || !scoring.is_ranking());
    BoardRow {
        submission: row.result.submission.to_string(),
        standing: match &answered.standing {
            Standing::Place(_) if is_ranking => RowStanding::Ranked(model::rank(row)),
            Standing::Place(place) => RowStanding::Placed(*place),
            standing => RowStanding::Without(no_place(standing).unwrap_or_default()),
        },
        ranking: elsewhere
            .and_then(|board| board.row(row.result.submission))
            .map(|row| Elsewhere { place: row.rank, avg_wer: Rate(row.candidate.average.value) }),
        opens_tie_group: row.opens_tie_group,
        why: asked.board.filter(|_| is_ranking).map(|board| why(board, answered.index)),
        model: row.candidate.name.clone(),
        href: href(row, scoring),
        organisation: row.candidate.organisation.clone(),
        score: answered.score.map(estimate),
        cells: columns.iter().map(|column| cell(column, row, front)).collect(),
    }
}

fn estimate(estimate: selection::Estimate) -> Estimate {
    Estimate::new(estimate.value, estimate.interval)
}

fn cell(column: &Column, row: &Row, front: Front) -> Cell {
    let candidate = &row.candidate;
    match column {
        Column::Track(track) => {
            candidate.tracks.get(track).map_or(Cell::NotRun, |wer| Cell::Wer(estimate(*wer)))
        }
        Column::Rtfx => candidate
            .rtfx
            .map_or(Cell::Absent, |rtfx| Cell::Speed(Rtfx(rtfx.value), !row.result.summary.rtfx_stable)),
        Column::LatencyP50 => Cell::Time(Seconds(candidate.latency_p50)),
        Column::LatencyP95 => Cell::Time(Seconds(candidate.latency_p95)),
        Column::Params => candidate.num_params.map_or(Cell::Absent, |params| Cell::Size(Params(params))),
        Column::Pareto => Cell::Front(front.is_on, Probability(front.probability)),
        Column::Licence => Cell::Words(candidate.licence.clone()),
        Column::Runtime => Cell::Words(candidate.runtime.clone()),
        Column::Rank | Column::Model | Column::Score => Cell::Absent,
    }
}

/// What the data say about the place of a row of the ranking.
fn why(board: &Board, number: usize) -> Why {
    let row = &board.rows[number];
    let leads = |row: &Row| row.opens_tie_group;
    let first = board.rows[..=number].iter().rposition(leads).unwrap_or_default();
    let after = board.rows[number + 1..].iter().position(leads);
    let end = after.map_or(board.rows.len(), |more| number + 1 + more);
    let leader = &board.rows[first];
    let ahead = row.candidate.average.value - leader.candidate.average.value;
    let models = u32::try_from(board.rows.len()).unwrap_or(u32::MAX);
    Why {
        leader: (first != number).then(|| (leader.candidate.name.clone(), Rate(ahead))),
        better: row.rank_interval.0.saturating_sub(1),
        worse: models.saturating_sub(row.rank_interval.1),
        tied: end - first - 1,
    }
}

pub(super) fn href(row: &Row, scoring: &Scoring) -> String {
    let query = scoring.query().replacen('&', "?", 1);
    format!("/models/{}{query}", row.result.submission)
}

/// The chart of a view, over its axes.
pub(super) fn chart(asked: &Asked<'_>, fronts: &[Front], scoring: &Scoring) -> Option<Chart> {
    let (points, undrawn) = points(asked, fronts, |row| href(row, scoring));
    let title = chart_title(&asked.view);
    (!points.is_empty()).then(|| {
        let svg = file_href(asked, "/pareto.svg");
        Chart { undrawn, ..both_layouts("pareto", &title, points, axes(&asked.view), Some(svg)) }
    })
}

/// What a chart is drawn over: the horizontal axis and the title of the vertical one.
pub(super) type Axes = (Axis, String);

/// The axes of a view.
pub(super) fn axes(view: &View) -> Axes {
    let better = if view.cost.more_is_better() { Better::Higher } else { Better::Lower };
    let errors = match &view.accuracy {
        Accuracy::Score if view.purpose.is_ranking() => "Avg WER, %".to_owned(),
        Accuracy::Score => "Weighted WER, %".to_owned(),
        Accuracy::Track(track) => format!("WER on {track}, %"),
    };
    (Axis { title: view.cost.label().to_owned(), better }, errors)
}

fn chart_title(view: &View) -> String {
    let (axis, errors) = axes(view);
    format!("{} over {}", errors.trim_end_matches(", %"), axis.title.split(',').next().unwrap_or_default())
}

/// One chart for a wide page and for a phone.
pub(super) fn both_layouts(
    id: &str,
    title: &str,
    points: Vec<ParetoPoint>,
    (across, error_title): Axes,
    svg_href: Option<String>,
) -> Chart {
    let (way, good) = match across.better {
        Better::Higher => ("further right", "right"),
        Better::Lower => ("further left", "left"),
    };
    let reading = format!(
        "Down is more accurate, {good} is better; the horizontal axis is logarithmic. Lines through a point are its 95 % intervals."
    );
    let mut chart = ParetoChart {
        id: format!("{id}-wide"),
        title: title.to_owned(),
        description: format!(
            "Each point is a model; lower is more accurate, {way} is better. The line is the Pareto front: no other model is better in both."
        ),
        across,
        error_title,
        points,
        layout: charts::Layout::Wide,
        embedding: Embedding::Inline,
    };
    let wide = charts::pareto(&chart);
    chart.id = format!("{id}-compact");
    chart.layout = charts::Layout::Compact;
    Chart { wide, compact: charts::pareto(&chart), svg_href, reading, undrawn: 0 }
}

/// The chart of a view as a file of its own.
pub(crate) fn standalone_chart(asked: &Asked<'_>, embedding: Embedding) -> String {
    let (across, error_title) = axes(&asked.view);
    charts::pareto(&ParetoChart {
        id: "pareto".to_owned(),
        title: chart_title(&asked.view),
        description: "Each point is a model; lower is more accurate. The line is the Pareto front."
            .to_owned(),
        across,
        error_title,
        points: points(asked, &asked.fronts(), |row| format!("/models/{}", row.result.submission)).0,
        layout: charts::Layout::Wide,
        embedding,
    })
}

/// The points of a chart, and how many more there are: those that may be on the front, then those of the best places.
fn points(asked: &Asked<'_>, fronts: &[Front], href: impl Fn(&Row) -> String) -> (Vec<ParetoPoint>, usize) {
    let (axis, errors) = axes(&asked.view);
    let errors = errors.trim_end_matches(", %");
    let (across, unit) = axis.title.split_once(", ").unwrap_or((&axis.title, ""));
    let unit = if asked.view.cost == Cost::Rtfx { String::new() } else { format!(" {unit}") };
    let mut placed: Vec<_> = asked
        .rows()
        .zip(fronts)
        .filter(|((answered, row), _)| {
            answered.standing.place().is_some()
                && asked.view.error(answered, &row.candidate).is_some()
                && asked.view.cost.of(&row.candidate).is_some()
        })
        .collect();
    let undrawn = placed.len().saturating_sub(MOST_POINTS);
    if undrawn > 0 {
        placed.sort_by_key(|((answered, _), front)| {
            (!front.is_on, front.probability < 0.005, answered.standing.place())
        });
        placed.truncate(MOST_POINTS);
    }
    let points = placed
        .into_iter()
        .filter_map(|((answered, row), front)| {
            let error = asked.view.error(answered, &row.candidate)?;
            let cost = asked.view.cost.of(&row.candidate)?;
            Some(ParetoPoint {
                label: row.candidate.name.clone(),
                href: href(row),
                detail: format!(
                    "{errors} {:.2} %, {across} {:.2}{unit}, on the front in {} of the draws",
                    100.0 * error.value,
                    cost.value,
                    Probability(front.probability)
                ),
                across: cost.value,
                across_interval: cost.interval,
                error: error.value,
                error_interval: error.interval,
                on_front: front.is_on,
            })
        })
        .collect();
    (points, undrawn)
}

/// The numbers of a point in words.
pub(super) fn detail(error: f64, speed: f64) -> String {
    format!("Avg WER {:.2} %, RTFx {speed:.2}", 100.0 * error)
}
