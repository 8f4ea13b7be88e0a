//! Two models on the same items.

use axum::extract::State;
use protocol::{ModelManifest, SubmissionId};
use scoring::Scheme;
use serde::Deserialize;

use super::{Page, board::scoring_view, layout, page};
use crate::{
    Service,
    auth::Visitor,
    board::{Board, Row, Snapshot},
    comparison::{self, Compared, PairedRate},
    error::AppError,
    extract::Query,
    runtimes, scorer,
    views::{
        Choice, ComparePage, Comparison, Count, Difference, Interval, Rate, Section, TRACKS, TrackComparison,
    },
};

#[derive(Deserialize)]
pub(crate) struct Pair {
    pub(crate) a: SubmissionId,
    pub(crate) b: Option<SubmissionId>,
    pub(crate) profile: Option<String>,
}

/// The rows of both under the profile asked for.
pub(crate) fn rows<'a>(
    snapshot: &'a Snapshot,
    pair: &Pair,
) -> Result<(&'a Board, &'a Row, Option<&'a Row>), AppError> {
    let profile = scorer::profile(pair.profile.as_deref())?;
    let missing =
        |id| AppError::NotFound(format!("published result of submission {id} under {}", profile.name));
    let find = |id| {
        let (board, _) = snapshot.row(id)?;
        let board = snapshot.under(board, profile)?;
        Some((board, board.row(id)?))
    };
    let (board, a) = find(pair.a).ok_or_else(|| missing(pair.a))?;
    let b = pair.b.map(|id| find(id).ok_or_else(|| missing(id))).transpose()?;
    Ok((board, a, b.map(|(_, row)| row)))
}

pub(crate) async fn show(
    State(service): State<Service>,
    Visitor(user): Visitor,
    Query(pair): Query<Pair>,
) -> Page {
    let snapshot = service.board();
    let (board, a, b) = rows(&snapshot, &pair)?;
    let release = snapshot.releases.iter().find(|release| release.id == board.release);
    let comparison = match b {
        Some(b) => Some(view(a, b, &comparison::compare(&service, &a.result, &b.result).await?, board)),
        None => None,
    };
    let mut layout = layout(&service, Section::Board, user.as_ref());
    layout.scorer = Some(board.profile.scorer());
    if let Some(b) = pair.b {
        layout.json_href = Some(format!("/api/v1/compare?a={}&b={b}&profile={}", pair.a, board.profile.name));
    }
    page(&ComparePage {
        layout,
        release: release.map(|release| release.slug.clone()).unwrap_or_default(),
        choices_a: choices(board, Some(pair.a)),
        choices_b: choices(board, pair.b),
        scoring: scoring_view(&snapshot, Some(board.release), board.profile),
        comparison,
    })
}

fn choices(board: &Board, chosen: Option<SubmissionId>) -> Vec<Choice> {
    let choice = |row: &Row| Choice {
        value: row.result.submission.to_string(),
        label: row.result.manifest.name.clone(),
        selected: Some(row.result.submission) == chosen,
    };
    board.rows.iter().map(choice).collect()
}

fn view(a: &Row, b: &Row, compared: &Compared, board: &Board) -> Comparison {
    let query = if board.profile == scorer::RANKING {
        String::new()
    } else {
        format!("?profile={}", board.profile.name)
    };
    let href = |row: &Row| format!("/models/{}{query}", row.result.submission);
    let ranked = TRACKS.iter().filter_map(|track| Some((track.name, compared.tracks.get(track.name)?)));
    let others =
        compared.tracks.iter().filter(|(name, _)| TRACKS.iter().all(|track| track.name != name.as_str()));
    let tracks = ranked.chain(others.map(|(name, rate)| (name.as_str(), rate)));
    let average = compared.average.iter().map(|rate| track("Avg WER", true, rate));
    Comparison {
        a: a.result.manifest.name.clone(),
        a_href: href(a),
        b: b.result.manifest.name.clone(),
        b_href: href(b),
        tracks: average.chain(tracks.map(|(name, rate)| track(name, false, rate))).collect(),
        items: Count(compared.items as u64),
        mapsswe: compared
            .mapsswe
            .map(|test| (Count(test.segments as u64), format!("{:.2}", test.z), p_value(test.p))),
        permutation: p_value(compared.permutation_p),
        mcnemar: p_value(compared.mcnemar_p),
        only: [Count(compared.only_a_right), Count(compared.only_b_right)],
        resampled: match compared.resampled {
            Scheme::TalkersAndRooms => "talkers and rooms",
            Scheme::Talkers => "talkers",
            Scheme::Rooms => "rooms",
            Scheme::Utterances => "utterances",
        }
        .to_owned(),
        front_end: front_end(a, b),
    }
}

/// What makes the difference where one is the other with a front end, by their descriptions.
fn front_end(a: &Row, b: &Row) -> Option<(String, bool)> {
    let (a, b) = (&a.result.manifest, &b.result.manifest);
    let of = |with: &ModelManifest| runtimes::front_end(&with.decoding).map(str::to_owned);
    if runtimes::is_pair(a, b) {
        of(a).map(|name| (name, true))
    } else if runtimes::is_pair(b, a) {
        of(b).map(|name| (name, false))
    } else {
        None
    }
}

fn track(name: &str, is_average: bool, rate: &PairedRate) -> TrackComparison {
    let [low, high] = rate.interval;
    TrackComparison {
        name: name.to_owned(),
        is_average,
        a: Rate(rate.a),
        b: Rate(rate.b),
        difference: Difference(rate.difference),
        interval: Some(Interval { low: Difference(low), high: Difference(high) }),
        a_better: Rate(rate.probability_a_better),
    }
}

/// Three decimals; smaller ones as a bound.
fn p_value(p: f64) -> String {
    if p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {p:.3}") }
}
