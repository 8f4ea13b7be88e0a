//! The Pareto chart over axes of the visitor's choice, and its numbers.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use selection::{Accuracy, Column, Cost};

use super::{
    board::{axes, chart, choice, file_href, href, purposes, scoring_view, tidied},
    layout, take_home,
};
use crate::{
    Service,
    asked::{Asked, Pairs},
    auth::Visitor,
    error::AppError,
    extract::Query,
    views::{Estimate, Paging, Params, ParetoPage, ParetoRow, Probability, Rtfx, Seconds, Section},
};

pub(crate) async fn show(
    State(service): State<Service>,
    Visitor(user): Visitor,
    Query(pairs): Query<Pairs>,
) -> Result<Response, AppError> {
    if let Some(href) = tidied(&pairs, "/pareto")? {
        return Ok(Redirect::to(&href).into_response());
    }
    let snapshot = service.board();
    let asked = Asked::read(&service, &snapshot, &pairs)?;
    let scoring = scoring_view(&snapshot, asked.release.map(|release| release.id), asked.profile);
    let fronts = asked.fronts();
    let mut layout = layout(&service, Section::Board, user.as_ref());
    layout.scorer = Some(asked.scorer());
    if asked.release.is_some() {
        layout.json_href = Some(file_href(&asked, ""));
        layout.csv_href = Some(file_href(&asked, "/csv"));
    }
    let placed = asked.rows().zip(&fronts).filter(|((answered, _), _)| answered.standing.place().is_some());
    let mut rows: Vec<ParetoRow> = placed
        .filter_map(|((answered, row), front)| {
            let error = asked.view.error(answered, &row.candidate)?;
            let cost = asked.view.cost.of(&row.candidate)?;
            Some(ParetoRow {
                model: row.candidate.name.clone(),
                href: href(row, &scoring),
                error: Estimate::new(error.value, error.interval),
                cost: match asked.view.cost {
                    Cost::Rtfx => Rtfx(cost.value).to_string(),
                    Cost::LatencyP50 | Cost::LatencyP95 => Seconds(cost.value).to_string(),
                    Cost::Params => row.candidate.num_params.map(Params)?.to_string(),
                },
                on_front: front.is_on,
                probability: Probability(front.probability),
            })
        })
        .collect();
    rows.sort_by(|left, right| {
        let by_error = left.error.value.0.total_cmp(&right.error.value.0);
        right.on_front.cmp(&left.on_front).then(by_error)
    });
    let left_out = asked.answer.rows.len() - rows.len();
    let paging = Paging::new(&asked.view, rows.len(), "/pareto");
    let rows: Vec<ParetoRow> = rows.drain(asked.view.page.of(rows.len())).collect();
    let (across, up) = axes(&asked.view);
    let page = ParetoPage {
        release: asked.view.release.clone().unwrap_or_default(),
        accuracies: accuracies(&asked),
        costs: Cost::ALL.map(|cost| choice(cost.name(), cost.label(), asked.view.cost == cost)).to_vec(),
        purposes: purposes(&asked.view, "/pareto"),
        chart: chart(&asked, &fronts, &scoring),
        png_href: file_href(&asked, "/pareto.png"),
        parquet_href: file_href(&asked, "/parquet"),
        embed: take_home::embed_code(&service, &asked.view),
        axes: (up, across.title),
        left_out,
        paging,
        view: asked.view.clone(),
        rows,
        layout,
    };
    Ok(super::page(&page)?.into_response())
}

fn accuracies(asked: &Asked<'_>) -> Vec<crate::views::Choice> {
    let score = if asked.view.purpose.is_ranking() { "Avg WER" } else { "weighted WER" };
    let is = |accuracy: &Accuracy| asked.view.accuracy == *accuracy;
    let of_track = |track: String| {
        let selected = is(&Accuracy::Track(track.clone()));
        choice(&track, &format!("WER on {track}"), selected)
    };
    let score = choice(Column::Score.name(), score, is(&Accuracy::Score));
    [score].into_iter().chain(asked.tracks().into_iter().map(of_track)).collect()
}
