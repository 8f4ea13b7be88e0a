//! Up to four models on the same items.

use axum::extract::State;
use protocol::{ModelManifest, SubmissionId};
use scoring::{Scheme, ScoringProfile};
use serde::Deserialize;

use super::{
    Page,
    board::{MOST_CHOICES, scoring_view},
    layout, page, weakness,
};
use crate::{
    Service,
    auth::Visitor,
    board::{Board, Row, Snapshot},
    comparison::{self, Compared, PairedRate},
    error::AppError,
    extract::Query,
    runtimes, scorer,
    views::{
        Choice, ComparePage, ComparedModel, Comparison, Count, Difference, Interval, Notice, PairRow, Params,
        Rate, Rtfx, Seat, Section, Several, SeveralTrack, TRACKS, TrackComparison,
    },
};

/// Who is compared: up to four submissions, each once.
#[derive(Deserialize)]
pub(crate) struct Chosen {
    a: Option<String>,
    b: Option<String>,
    c: Option<String>,
    d: Option<String>,
    release: Option<String>,
    pub(crate) profile: Option<String>,
}

/// The letters, in the order of the parameters.
const LETTERS: [char; 4] = ['A', 'B', 'C', 'D'];

impl Chosen {
    /// The submissions named, without repetitions.
    fn submissions(&self) -> Result<Vec<SubmissionId>, AppError> {
        let mut ids = Vec::new();
        for text in [&self.a, &self.b, &self.c, &self.d].into_iter().flatten().filter(|text| !text.is_empty())
        {
            let id: SubmissionId = text.parse().map_err(|_| {
                AppError::BadRequest(format!("\u{201c}{text}\u{201d} is no id of a submission."))
            })?;
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        Ok(ids)
    }

    /// Their rows under the profile asked for, and the board of the first, or of the release where nobody is named.
    pub(crate) fn rows<'a>(
        &self,
        snapshot: &'a Snapshot,
    ) -> Result<(Option<&'a Board>, Vec<&'a Row>), AppError> {
        let profile = scorer::profile(self.profile.as_deref())?;
        let missing = |id: &SubmissionId| {
            AppError::NotFound(format!("published result of submission {id} under {}", profile.name))
        };
        let mut found = Vec::new();
        for id in &self.submissions()? {
            let (board, _) = snapshot.row(*id).ok_or_else(|| missing(id))?;
            let board = snapshot.under(board, profile).ok_or_else(|| missing(id))?;
            found.push((board, board.row(*id).ok_or_else(|| missing(id))?));
        }
        let named = self.release.as_deref().filter(|slug| !slug.is_empty());
        let usual = || {
            let board = snapshot.board(snapshot.release(named)?.id, None)?;
            snapshot.under(board, profile)
        };
        let board = found.first().map(|(board, _)| *board).or_else(usual);
        Ok((board, found.into_iter().map(|(_, row)| row).collect()))
    }
}

pub(crate) async fn show(
    State(service): State<Service>,
    Visitor(user): Visitor,
    Query(chosen): Query<Chosen>,
) -> Page {
    let snapshot = service.board();
    let profile = scorer::profile(chosen.profile.as_deref())?;
    let (board, rows) = chosen.rows(&snapshot)?;
    let release =
        board.and_then(|board| snapshot.releases.iter().find(|release| release.id == board.release));
    let results: Vec<_> = rows.iter().map(|row| &*row.result).collect();
    let mut layout = layout(&service, Section::Board, user.as_ref());
    let mut pairs = Vec::new();
    if rows.len() > 1 && service.board_is_stale() {
        let text = "Item by item they are compared from the database, which does not answer. What the board knows of them is below; \
                    the comparison is here again as soon as the database is.";
        layout.notice = Some(Notice { is_problem: true, text: text.to_owned() });
    } else if rows.len() > 1 {
        pairs = comparison::compare_each(&service, &results).await?;
    }
    layout.scorer = Some(snapshot.scorer(profile, board.map(|board| board.release)));
    if let [a, b] = rows.as_slice() {
        let (a, b) = (a.result.submission, b.result.submission);
        layout.json_href = Some(format!("/api/v1/compare?a={a}&b={b}&profile={}", profile.name));
    }
    let named: Vec<_> = rows.iter().map(|row| (row.candidate.name.clone(), &*row.result)).collect();
    let curves = if rows.len() > 1 { weakness::overlaid(&service, &named).await } else { Vec::new() };
    page(&ComparePage {
        layout,
        release: release.map(|release| release.slug.clone()).unwrap_or_default(),
        choices: seats(board, &rows),
        scoring: scoring_view(&snapshot, board.map(|board| board.release), profile),
        models: LETTERS.into_iter().zip(&rows).map(|(letter, row)| model(letter, row, profile)).collect(),
        comparison: match (rows.as_slice(), pairs.as_slice()) {
            ([a, b], [pair]) => Some(view(a, b, pair)),
            _ => None,
        },
        several: (rows.len() > 2 && !pairs.is_empty()).then(|| several(&rows, &pairs)),
        curves,
    })
}

fn seats(board: Option<&Board>, chosen: &[&Row]) -> Vec<Seat> {
    let rows = board.map(|board| board.rows.as_slice()).unwrap_or_default();
    let choices = |seat: usize| {
        let here = chosen.get(seat).map(|row| row.result.submission);
        let choice = |row: &Row| Choice {
            value: row.result.submission.to_string(),
            label: row.candidate.name.clone(),
            selected: Some(row.result.submission) == here,
        };
        // Of a large board, the best; those chosen are always among them.
        let is_chosen = |row: &&Row| chosen.iter().any(|it| it.result.submission == row.result.submission);
        let (first, rest) = rows.split_at(rows.len().min(MOST_CHOICES));
        first.iter().chain(rest.iter().filter(is_chosen)).map(choice).collect()
    };
    let seat = |(number, letter)| Seat { letter, choices: choices(number), is_optional: number > 1 };
    LETTERS.into_iter().enumerate().map(seat).collect()
}

fn model(letter: char, row: &Row, profile: ScoringProfile) -> ComparedModel {
    ComparedModel {
        letter,
        submission: row.result.submission.to_string(),
        name: row.candidate.name.clone(),
        href: href(row, profile),
        organisation: row.candidate.organisation.clone(),
        place: row.rank,
        rtfx: row.candidate.rtfx.map(|rtfx| Rtfx(rtfx.value)),
        num_params: row.candidate.num_params.map(Params),
    }
}

fn href(row: &Row, profile: ScoringProfile) -> String {
    let query = if profile == scorer::RANKING { String::new() } else { format!("?profile={}", profile.name) };
    format!("/models/{}{query}", row.result.submission)
}

/// The pairs come in the order of [`comparison::compare_each`].
fn several(rows: &[&Row], pairs: &[Compared]) -> Several {
    let order: Vec<(usize, usize)> =
        (0..rows.len()).flat_map(|later| (0..later).map(move |earlier| (earlier, later))).collect();
    let average = of_all(rows.len(), &order, pairs, |pair| pair.average.as_ref());
    let mut names: Vec<&String> = pairs.iter().flat_map(|pair| pair.tracks.keys()).collect();
    names.sort_unstable_by_key(|name| {
        let ranked = TRACKS.iter().position(|track| track.name == name.as_str());
        (ranked.unwrap_or(TRACKS.len()), (*name).clone())
    });
    names.dedup();
    let row = |name: &str, is_average, rates| SeveralTrack { name: name.to_owned(), is_average, rates };
    let tracks = names
        .into_iter()
        .map(|name| row(name, false, of_all(rows.len(), &order, pairs, |pair| pair.tracks.get(name))));
    let pair_rows = order.iter().zip(pairs).filter_map(|(&(a, b), pair)| {
        let rate = track("Avg WER", true, pair.average.as_ref()?);
        Some(PairRow { pair: (LETTERS[a], LETTERS[b]), rate })
    });
    Several {
        tracks: [row("Avg WER", true, average)].into_iter().chain(tracks).collect(),
        pairs: pair_rows.collect(),
        resampled: pairs.first().map(|pair| resampled(pair.resampled)).unwrap_or_default().to_owned(),
    }
}

/// One rate of each model, and whether it is really lower than that of every other.
fn of_all<'a>(
    models: usize,
    order: &[(usize, usize)],
    pairs: &'a [Compared],
    rate: impl Fn(&'a Compared) -> Option<&'a PairedRate>,
) -> Vec<(Rate, bool)> {
    let mut rates = vec![f64::NAN; models];
    let mut beaten = vec![0; models];
    for (&(a, b), pair) in order.iter().zip(pairs) {
        if let Some(rate) = rate(pair) {
            (rates[a], rates[b]) = (rate.a, rate.b);
            beaten[a] += usize::from(rate.interval[1] < 0.0);
            beaten[b] += usize::from(rate.interval[0] > 0.0);
        }
    }
    rates.into_iter().zip(beaten).map(|(rate, beaten)| (Rate(rate), beaten + 1 == models)).collect()
}

fn resampled(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::TalkersAndRooms => "talkers and rooms",
        Scheme::Talkers => "talkers",
        Scheme::Rooms => "rooms",
        Scheme::Utterances => "utterances",
    }
}

fn view(a: &Row, b: &Row, compared: &Compared) -> Comparison {
    let ranked = TRACKS.iter().filter_map(|track| Some((track.name, compared.tracks.get(track.name)?)));
    let others =
        compared.tracks.iter().filter(|(name, _)| TRACKS.iter().all(|track| track.name != name.as_str()));
    let tracks = ranked.chain(others.map(|(name, rate)| (name.as_str(), rate)));
    let average = compared.average.iter().map(|rate| track("Avg WER", true, rate));
    Comparison {
        tracks: average.chain(tracks.map(|(name, rate)| track(name, false, rate))).collect(),
        items: Count(compared.items as u64),
        mapsswe: compared
            .mapsswe
            .map(|test| (Count(test.segments as u64), format!("{:.2}", test.z), p_value(test.p))),
        permutation: p_value(compared.permutation_p),
        mcnemar: p_value(compared.mcnemar_p),
        only: [Count(compared.only_a_right), Count(compared.only_b_right)],
        resampled: resampled(compared.resampled).to_owned(),
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
