//! Any view of a board, as JSON, CSV, Parquet, text, and as a chart.

use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};

use crate::{
    Service,
    asked::{Asked, Pairs, no_place},
    board::{BoardJson, Snapshot},
    error::AppError,
    extract::{Path, Query},
    pages, raster,
    table::{Cells, Table},
    terminal,
    views::TRACKS,
};

/// What the query asks of a board; the release is in the path.
fn asked<'a>(
    service: &Service,
    snapshot: &'a Snapshot,
    release: &str,
    mut pairs: Pairs,
) -> Result<Asked<'a>, AppError> {
    // A form may send empty fields; a program that does has made a mistake.
    if let Some((key, _)) = pairs.iter().find(|(_, value)| !is_word(value)) {
        let problem = "is empty, begins with a space or has control characters in it";
        return Err(AppError::BadRequest(format!("The parameter \u{201c}{key}\u{201d} {problem}.")));
    }
    pairs.push(("release".to_owned(), release.to_owned()));
    let is_given = pairs.iter().any(|(key, _)| key == "hardware");
    let asked = Asked::read(service, snapshot, &pairs)?;
    if is_given && asked.ranking.is_none() {
        let class = &asked.hardware_class;
        return Err(AppError::NotFound(format!("result on hardware class \u{201c}{class}\u{201d}")));
    }
    Ok(asked)
}

/// What the description calls a word: something visible first, and nothing that only controls.
fn is_word(text: &str) -> bool {
    text.chars().next().is_some_and(|first| !matches!(first, ' ' | '\u{a0}'))
        && !text.contains(char::is_control)
}

/// `GET /api/v1/boards/{release}` with the parameters of a view.
pub(crate) async fn json(
    State(service): State<Service>,
    Path(release): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, AppError> {
    let snapshot = service.board();
    let asked = asked(&service, &snapshot, &release, pairs)?;
    Ok(Json(BoardJson::viewed(&snapshot, &asked)).into_response())
}

/// `GET /api/v1/boards/{release}/csv` with the parameters of a view.
pub(crate) async fn csv(
    State(service): State<Service>,
    Path(release): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, AppError> {
    let snapshot = service.board();
    let text = table(&asked(&service, &snapshot, &release, pairs)?).csv()?;
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], text).into_response())
}

/// `GET /api/v1/boards/{release}/parquet` with the parameters of a view.
pub(crate) async fn parquet(
    State(service): State<Service>,
    Path(release): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, AppError> {
    let snapshot = service.board();
    let asked = asked(&service, &snapshot, &release, pairs)?;
    let file = table(&asked).parquet(&about(&asked))?;
    let name = format!(
        "attachment; filename=\"{}.parquet\"",
        asked.release.map_or("board", |release| release.slug.as_str())
    );
    let headers =
        [(header::CONTENT_TYPE, "application/vnd.apache.parquet"), (header::CONTENT_DISPOSITION, &name)];
    Ok((headers, file).into_response())
}

/// `GET /api/v1/boards/{release}/text` with the parameters of a view.
pub(crate) async fn text(
    State(service): State<Service>,
    Path(release): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, AppError> {
    let snapshot = service.board();
    let asked = asked(&service, &snapshot, &release, pairs)?;
    Ok(terminal::board(&snapshot, &asked).into_response())
}

/// `GET /api/v1/boards/{release}/pareto.svg` with the parameters of a view.
pub(crate) async fn chart(
    State(service): State<Service>,
    Path(release): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, AppError> {
    let snapshot = service.board();
    let asked = asked(&service, &snapshot, &release, pairs)?;
    let svg = pages::board::standalone_chart(&asked, charts::Embedding::Standalone);
    // A chart as a file brings its style along, which the policy of the pages would refuse.
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    let headers = [(header::CONTENT_TYPE, "image/svg+xml"), (header::CONTENT_SECURITY_POLICY, policy)];
    Ok((headers, svg).into_response())
}

/// `GET /api/v1/boards/{release}/pareto.png` with the parameters of a view.
pub(crate) async fn picture(
    State(service): State<Service>,
    Path(release): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, AppError> {
    let svg = {
        let snapshot = service.board();
        let asked = asked(&service, &snapshot, &release, pairs)?;
        pages::board::standalone_chart(&asked, charts::Embedding::Picture)
    };
    raster::answer(&service, svg, 2.0).await
}

/// What a file says about where its numbers come from.
pub(crate) fn about(asked: &Asked<'_>) -> Vec<(String, String)> {
    let release = asked.release.map(|release| {
        vec![
            ("release", format!("{}@{}", release.slug, release.version)),
            ("manifest_sha256", release.manifest_sha256.clone()),
        ]
    });
    let rest = [
        ("hardware_class", asked.hardware_class.clone()),
        ("scorer", asked.profile.scorer()),
        ("view", asked.view.query()),
    ];
    release.into_iter().flatten().chain(rest).map(|(key, value)| (key.to_owned(), value)).collect()
}

/// A view as columns: the rows in the order asked for, rates as fractions, times in seconds.
pub(crate) fn table(asked: &Asked<'_>) -> Table {
    let rows: Vec<_> = asked.rows().collect();
    let whole = |get: &dyn Fn(usize) -> Option<u64>| {
        Cells::Whole((0..rows.len()).map(|row| get(row).and_then(|it| i64::try_from(it).ok())).collect())
    };
    let real = |get: &dyn Fn(usize) -> Option<f64>| Cells::Real((0..rows.len()).map(get).collect());
    let words = |get: &dyn Fn(usize) -> Option<String>| Cells::Text((0..rows.len()).map(get).collect());
    let result = |row: usize| &rows[row].1.result;
    let summary = |row: usize| &rows[row].1.result.summary;
    let average = |row: usize| summary(row).avg_wer_interval;
    let mut table = Table::default();
    table
        .add("rank", whole(&|row| Some(rows[row].1.rank.into())))
        .add("rank_low", whole(&|row| Some(rows[row].1.rank_interval.0.into())))
        .add("rank_high", whole(&|row| Some(rows[row].1.rank_interval.1.into())))
        .add("model", words(&|row| Some(result(row).manifest.name.clone())))
        .add("organisation", words(&|row| Some(result(row).manifest.organisation.clone())))
        .add("licence", words(&|row| Some(result(row).manifest.licence.clone())))
        .add("avg_wer", real(&|row| summary(row).avg_wer))
        .add("avg_wer_low", real(&|row| average(row).map(|it| it.0)))
        .add("avg_wer_high", real(&|row| average(row).map(|it| it.1)));
    for track in TRACKS {
        let name = track.name.replace('-', "_") + "_wer";
        table.add(&name, real(&|row| summary(row).tracks.get(track.name).and_then(|it| it.wer)));
    }
    table
        .add("rtfx", real(&|row| summary(row).rtfx))
        .add("latency_p50_s", real(&|row| Some(summary(row).latency.p50)))
        .add("latency_p95_s", real(&|row| Some(summary(row).latency.p95)))
        .add("num_params", whole(&|row| rows[row].1.candidate.num_params))
        .add("pareto", Cells::Flag(rows.iter().map(|(_, row)| row.on_front).collect()))
        .add("pareto_probability", real(&|row| Some(rows[row].1.front_probability)));
    if !asked.view.is_whole_ranking() {
        let score = |row: usize| rows[row].0.score;
        let interval = |row: usize| score(row).and_then(|it| it.interval);
        table
            .add("place", whole(&|row| rows[row].0.standing.place().map(u64::from)))
            .add("score", real(&|row| score(row).map(|it| it.value)))
            .add("score_low", real(&|row| interval(row).map(|it| it.0)))
            .add("score_high", real(&|row| interval(row).map(|it| it.1)))
            .add("no_place", words(&|row| no_place(&rows[row].0.standing)));
    }
    table
}
