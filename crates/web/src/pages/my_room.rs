//! A visitor's own room, and what each model is expected to do there.

use std::cmp::Ordering;

use axum::extract::State;
use selection::room::{Conditions, Effort, Room};
use serde::Deserialize;

use super::{
    Page,
    board::{choice, hardware_choices, releases},
    layout, page,
};
use crate::{
    Service,
    auth::Visitor,
    board::{Board, Row},
    error::AppError,
    extract::Query,
    scorer::analysis::Surface,
    views::{ConditionRow, Count, Estimate, MyRoomPage, PredictionRow, RoomForm, Rtfx, Seconds, Section},
};

/// The fields as they come; what is missing is a furnished living room.
#[derive(Debug, Deserialize)]
pub(crate) struct Form {
    volume: Option<String>,
    t30: Option<String>,
    distance: Option<String>,
    effort: Option<String>,
    noise: Option<String>,
    latency: Option<String>,
    release: Option<String>,
    hardware: Option<String>,
}

pub(crate) async fn show(
    State(service): State<Service>,
    Visitor(user): Visitor,
    Query(form): Query<Form>,
) -> Page {
    let effort = match given(form.effort.as_deref()) {
        None => Effort::default(),
        Some(name) => Effort::named(name).ok_or_else(|| {
            AppError::BadRequest(format!(
                "\u{201c}effort\u{201d} is not \u{201c}{name}\u{201d}: choose one of the four."
            ))
        })?,
    };
    let room = Room {
        volume: number("volume", form.volume.as_deref(), 60.0, 1.0..=1e5)?,
        t30: number("t30", form.t30.as_deref(), 0.4, 0.05..=20.0)?,
        distance: number("distance", form.distance.as_deref(), 2.0, 0.05..=100.0)?,
        noise: number("noise", form.noise.as_deref(), 45.0, 0.0..=120.0)?,
        effort,
    };
    let most = given(form.latency.as_deref())
        .map(|text| number("latency", Some(text), 0.0, 0.0..=1e6))
        .transpose()?;
    let snapshot = service.board();
    let wanted = given(form.release.as_deref());
    let release = snapshot.release(wanted);
    if let (Some(slug), None) = (wanted, release) {
        return Err(AppError::NotFound(format!("release \u{201c}{slug}\u{201d}")));
    }
    let hardware = given(form.hardware.as_deref());
    let board = release.and_then(|release| snapshot.board(release.id, hardware));
    let fitted = fitted(board);
    let conditions = room.conditions();
    let slug = release.map(|release| release.slug.clone()).unwrap_or_default();
    let hardware_class = board.map_or(&service.settings.hardware_class, |board| &board.hardware_class);
    let layout = layout(&service, Section::Board, user.as_ref());
    page(&MyRoomPage {
        releases: releases(&snapshot, &slug),
        hardware_classes: release
            .map(|release| hardware_choices(&snapshot, release.id, hardware_class))
            .unwrap_or_default(),
        hardware_class: hardware_class.clone(),
        form: RoomForm {
            volume: room.volume.to_string(),
            t30: room.t30.to_string(),
            distance: room.distance.to_string(),
            noise: room.noise.to_string(),
            latency: most.map(|most| most.to_string()).unwrap_or_default(),
        },
        efforts: Effort::ALL
            .map(|it| choice(it.name(), &format!("{}, {:.0} dB(A)", it.name(), it.level()), it == effort))
            .to_vec(),
        conditions: condition_rows(&room, &conditions, &fitted),
        without_response: board.map_or(0, |board| board.rows.len()) - fitted.len(),
        rows: predictions(&fitted, &conditions, most),
        release: slug,
        layout,
    })
}

fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

fn number(
    field: &str,
    text: Option<&str>,
    usual: f64,
    range: std::ops::RangeInclusive<f64>,
) -> Result<f64, AppError> {
    let Some(text) = given(text) else { return Ok(usual) };
    text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        let (low, high) = (range.start(), range.end());
        AppError::BadRequest(format!(
            "\u{201c}{field}\u{201d} is a number from {low} to {high}, not \u{201c}{text}\u{201d}."
        ))
    })
}

/// The models that have a response.
fn fitted(board: Option<&Board>) -> Vec<(&Row, Surface)> {
    let rows = board.map(|board| board.rows.as_slice()).unwrap_or_default();
    rows.iter()
        .filter_map(|row| Some((row, serde_json::from_value(row.result.surface.clone()?).ok()?)))
        .collect()
}

/// In the order of `scorer::analysis::SURFACE`.
fn at(conditions: &Conditions) -> [f64; 3] {
    [conditions.snr, conditions.drr, conditions.t30]
}

fn is_within(surface: &Surface, conditions: &Conditions) -> bool {
    surface.range.iter().zip(at(conditions)).all(|((low, high), value)| (*low..=*high).contains(&value))
}

fn condition_rows(room: &Room, conditions: &Conditions, fitted: &[(&Row, Surface)]) -> Vec<ConditionRow> {
    let values = at(conditions);
    let row = |condition: usize, name, unit: &str, decimals: usize| {
        let written = |value: f64| format!("{value:.decimals$}").replace('-', "\u{2212}");
        let ranges = || fitted.iter().map(|(_, surface)| surface.range[condition]);
        let low = ranges().map(|(low, _)| low).fold(f64::INFINITY, f64::min);
        let high = ranges().map(|(_, high)| high).fold(f64::NEG_INFINITY, f64::max);
        ConditionRow {
            name,
            value: format!("{} {unit}", written(values[condition])),
            measured: (low <= high).then(|| format!("{} to {} {unit}", written(low), written(high))),
            is_beyond: low <= high && !(low..=high).contains(&values[condition]),
        }
    };
    vec![
        row(0, "Speech above the noise (SNR)", "dB", 1),
        row(1, "Direct above reverberant sound (DRR)", "dB", 1),
        row(2, "Reverberation time (T30)", "s", 2),
        ConditionRow {
            name: "Direct and reverberant sound are equal at",
            value: format!("{:.2} m", room.critical_distance()),
            measured: None,
            is_beyond: false,
        },
    ]
}

fn predictions(
    fitted: &[(&Row, Surface)],
    conditions: &Conditions,
    most_latency: Option<f64>,
) -> Vec<PredictionRow> {
    let mut rows: Vec<PredictionRow> = fitted
        .iter()
        .map(|(row, surface)| {
            let candidate = &row.candidate;
            let predicted = surface.response.predict(&at(conditions));
            PredictionRow {
                model: candidate.name.clone(),
                href: format!("/models/{}", row.result.submission),
                organisation: candidate.organisation.clone(),
                predicted: predicted
                    .filter(|_| is_within(surface, conditions))
                    .map(|it| Estimate::new(it.rate, Some((it.interval.low, it.interval.high)))),
                items: Count(surface.items),
                avg_wer: Estimate::new(candidate.average.value, candidate.average.interval),
                latency_p95: Seconds(candidate.latency_p95),
                is_late: most_latency.is_some_and(|most| candidate.latency_p95 > most),
                rtfx: candidate.rtfx.map(|rtfx| Rtfx(rtfx.value)),
            }
        })
        .collect();
    let rate = |row: &PredictionRow| row.predicted.map_or(f64::INFINITY, |predicted| predicted.value.0);
    rows.sort_by(|left, right| {
        let by_rate = rate(left).partial_cmp(&rate(right)).unwrap_or(Ordering::Equal);
        left.is_late
            .cmp(&right.is_late)
            .then(by_rate)
            .then(left.avg_wer.value.0.total_cmp(&right.avg_wer.value.0))
    });
    rows
}
