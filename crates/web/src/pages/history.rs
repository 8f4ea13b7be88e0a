//! The history of the boards. It is read from the database: without it, these pages say so.

use std::collections::{BTreeMap, HashMap};

use axum::extract::State;
use charts::{MOST_LINES, Measure, TimeLine, TimeSpan, Timeline, timeline};
use protocol::{ReleaseId, SubmissionId};
use serde::Deserialize;
use store::{
    StoreError,
    history::{self, Moment, Named, Place, Stay},
    releases::Release,
};
use time::{OffsetDateTime, macros::format_description};

use super::{Page, board, layout, page};
use crate::{
    Service,
    auth::Visitor,
    board::Snapshot,
    error::AppError,
    extract::{Path, Query},
    views::{
        ChangeRow, ChangelogPage, ChangesPage, Count, Difference, Estimate, FaqPage, HistoryPage, MomentRow,
        OwnHistory, PlaceRow, Rank, ReleaseNote, Section, SnapshotPage, StayRow, Timestamp, VersionNotes,
        state_words,
    },
};

/// Most snapshots in the list.
const MOST_MOMENTS: usize = 100;

#[derive(Deserialize)]
pub(crate) struct View {
    release: Option<String>,
    hardware: Option<String>,
}

/// `GET /snapshots`.
pub(crate) async fn list(
    State(service): State<Service>,
    Visitor(user): Visitor,
    Query(view): Query<View>,
) -> Page {
    let snapshot = service.board();
    let named = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
    let (slug, hardware) = (named(&view.release), named(&view.hardware));
    let release = snapshot.release(slug.as_deref());
    if let (Some(slug), None) = (&slug, release) {
        return Err(AppError::NotFound(format!("release \u{201c}{slug}\u{201d}")));
    }
    let shown = release.and_then(|release| snapshot.board(release.id, hardware.as_deref()));
    let hardware_class = hardware
        .or_else(|| shown.map(|board| board.hardware_class.clone()))
        .unwrap_or_else(|| service.settings.hardware_class.clone());
    let (mut moments, mut stays) = (Vec::new(), Vec::new());
    if let Some(release) = release {
        let most = i64::try_from(MOST_MOMENTS + 1).unwrap_or(i64::MAX);
        moments = history::moments(&service.pool, (release.id, &hardware_class), most).await?;
        let best: Vec<SubmissionId> = shown
            .into_iter()
            .flat_map(|board| board.rows.iter().take(MOST_LINES))
            .map(|row| row.result.submission)
            .collect();
        stays = history::stays(&service.pool, &best).await?;
    }
    let mut layout = layout(&service, Section::Elsewhere, user.as_ref());
    layout.release = release.map(|release| release.slug.clone());
    let lines = by_submission(&stays);
    let before = moments.iter().skip(1).map(|moment| Some(moment.id)).chain([None]);
    let rows = moments.iter().zip(before).map(|(moment, before)| moment_row(moment, before));
    page(&HistoryPage {
        layout,
        hardware_classes: release
            .map(|release| board::hardware_choices(&snapshot, release.id, &hardware_class))
            .unwrap_or_default(),
        releases: board::releases(&snapshot, release.map_or("", |release| &release.slug)),
        release: release.map(|release| release.slug.clone()).unwrap_or_default(),
        hardware_class,
        chart: places_chart("places", "Places over time", &lines, true),
        drawn: lines.len(),
        has_more: moments.len() > MOST_MOMENTS,
        moments: rows.take(MOST_MOMENTS).collect(),
        benchmarks: snapshot.releases.iter().map(|release| note(&snapshot, release)).collect(),
    })
}

fn note(snapshot: &Snapshot, release: &Release) -> ReleaseNote {
    let count = |number: i64| Count(number.unsigned_abs());
    ReleaseNote {
        name: format!("{} {}", release.slug, release.version),
        title: release.title.clone(),
        frozen_at: Timestamp(release.frozen_at),
        manifest_sha256: release.manifest_sha256.clone(),
        size: snapshot
            .size(release.id)
            .map(|size| (count(size.utterances), count(size.talkers), count(size.rooms))),
        notes: release.about["notes"].as_str().filter(|notes| !notes.is_empty()).map(str::to_owned),
        href: format!("/method#release-{}-{}", release.slug, release.version),
    }
}

/// `GET /snapshots/{id}`.
pub(crate) async fn show(
    State(service): State<Service>,
    Visitor(user): Visitor,
    Path(id): Path<i64>,
) -> Page {
    let (moment, before, after) = history::moment(&service.pool, id).await?;
    let rows = history::at(&service.pool, &moment).await?;
    let board = (moment.release_id.0, moment.hardware_class.as_str());
    let latest = history::moments(&service.pool, board, 1).await?;
    let snapshot = service.board();
    let mut layout = layout(&service, Section::Elsewhere, user.as_ref());
    layout.scorer = Some(moment.scorer.clone());
    layout.snapshot_at = Some(Timestamp(moment.taken_at));
    page(&SnapshotPage {
        release: release_name(&snapshot, moment.release_id.0),
        hardware_class: moment.hardware_class.clone(),
        moment: moment_row(&moment, before),
        after,
        latest: latest.first().map_or(id, |latest| latest.id),
        rows: rows.into_iter().map(place_row).collect(),
        layout,
    })
}

#[derive(Deserialize)]
pub(crate) struct Between {
    from: i64,
    to: i64,
}

/// `GET /changes?from=…&to=…`.
pub(crate) async fn changes(
    State(service): State<Service>,
    Visitor(user): Visitor,
    Query(between): Query<Between>,
) -> Page {
    let (earlier, later) = (between.from.min(between.to), between.from.max(between.to));
    let (from, before, _) = history::moment(&service.pool, earlier).await?;
    let (to, before_to, _) = history::moment(&service.pool, later).await?;
    if from.release_id != to.release_id || from.hardware_class != to.hardware_class {
        let message = "The two snapshots are of different boards: nothing in them compares.";
        return Err(AppError::BadRequest(message.to_owned()));
    }
    let old = history::at(&service.pool, &from).await?;
    let new = history::at(&service.pool, &to).await?;
    let (changes, unmoved) = compare(&service, (&from, old), (&to, new)).await?;
    let snapshot = service.board();
    page(&ChangesPage {
        layout: layout(&service, Section::Elsewhere, user.as_ref()),
        release: release_name(&snapshot, to.release_id.0),
        hardware_class: to.hardware_class.clone(),
        from: moment_row(&from, before),
        to: moment_row(&to, before_to),
        changes,
        unmoved,
    })
}

/// What changed from one snapshot to another, and for how many nothing did.
async fn compare(
    service: &Service,
    (from, old): (&Moment, Vec<Named>),
    (to, new): (&Moment, Vec<Named>),
) -> Result<(Vec<ChangeRow>, usize), StoreError> {
    let rescored = from.scorer != to.scorer;
    let mut old: BTreeMap<uuid::Uuid, Named> =
        old.into_iter().map(|named| (named.place.submission.0, named)).collect();
    let (mut changes, mut unmoved) = (Vec::new(), 0);
    for named in new {
        let before = old.remove(&named.place.submission.0);
        let (then, now) = (before.as_ref().map(|named| &named.place), &named.place);
        let difference = then.map(|then| now.wer - then.wer).filter(|difference| *difference != 0.0);
        let why = match then {
            None => "New on the board.".to_owned(),
            Some(then) if then.attempt != now.attempt => "Run again.".to_owned(),
            Some(_) if difference.is_some() && rescored => {
                format!("Scored by {} instead of {}.", to.scorer, from.scorer)
            }
            Some(then) if then.place != now.place => "Others came, went or changed.".to_owned(),
            Some(_) => {
                unmoved += 1;
                continue;
            }
        };
        changes.push(ChangeRow {
            href: format!("/models/{}", now.submission),
            before: then.map(rank),
            after: Some(rank(now)),
            difference: difference.map(Difference),
            why,
            model: named.model,
        });
    }
    for gone in old.into_values() {
        let departure = history::departure(&service.pool, gone.place.submission, from.taken_at).await?;
        let state = departure.as_ref().map_or(gone.state.as_str(), |departure| &departure.state);
        let reason = departure.as_ref().and_then(|departure| departure.reason.clone());
        changes.push(ChangeRow {
            href: format!("/models/{}/record", gone.place.submission),
            before: Some(rank(&gone.place)),
            after: None,
            difference: None,
            why: format!("{}. {}", left(state), reason.unwrap_or_default()).trim_end().to_owned(),
            model: gone.model,
        });
    }
    Ok((changes, unmoved))
}

/// What became of a result that is on no board, in words.
fn left(state: &str) -> &'static str {
    if ["published", "hidden"].contains(&state) { "Hidden from the board" } else { state_words(state).label }
}

/// `GET /faq`.
pub(crate) async fn faq(State(service): State<Service>, Visitor(user): Visitor) -> Page {
    let release = service.board().release(None).map(|release| release.slug.clone());
    page(&FaqPage {
        layout: layout(&service, Section::Elsewhere, user.as_ref()),
        release: release.unwrap_or_else(|| "RELEASE".to_owned()),
    })
}

/// `GET /changelog`.
pub(crate) async fn changelog(State(service): State<Service>, Visitor(user): Visitor) -> Page {
    page(&ChangelogPage {
        layout: layout(&service, Section::Elsewhere, user.as_ref()),
        sections: VersionNotes::read(include_str!("../../../../CHANGELOG.md")),
    })
}

fn release_name(snapshot: &Snapshot, id: ReleaseId) -> String {
    let release = snapshot.releases.iter().find(|release| release.id == id);
    release.map(|release| format!("{} {}", release.slug, release.version)).unwrap_or_default()
}

fn moment_row(moment: &Moment, before: Option<i64>) -> MomentRow {
    MomentRow {
        id: moment.id,
        at: Timestamp(moment.taken_at),
        models: Count(moment.models.unsigned_abs().into()),
        scorer: moment.scorer.clone(),
        before,
    }
}

fn rank(place: &Place) -> Rank {
    let narrow = |place: i32| place.unsigned_abs();
    Rank { place: narrow(place.place), low: narrow(place.interval.0), high: narrow(place.interval.1) }
}

fn place_row(named: Named) -> PlaceRow {
    let on_board = named.state == "published";
    PlaceRow {
        href: format!("/models/{}", named.place.submission),
        rank: rank(&named.place),
        wer: Estimate::new(named.place.wer, named.place.wer_interval),
        since: (!on_board).then(|| left(&named.state)),
        model: named.model,
        organisation: named.organisation,
    }
}

/// The stays of each submission, the best now first.
fn by_submission(stays: &[Stay]) -> Vec<Vec<&Stay>> {
    let mut lines: HashMap<SubmissionId, Vec<&Stay>> = HashMap::new();
    for stay in stays {
        lines.entry(stay.place.submission).or_default().push(stay);
    }
    let mut lines: Vec<Vec<&Stay>> = lines.into_values().collect();
    lines.sort_by_key(|line| line.last().map(|stay| stay.place.place));
    lines
}

/// The history of one model; a page without it is better than no page.
pub(super) async fn of_model(service: &Service, submission: SubmissionId) -> OwnHistory {
    if service.board_is_stale() {
        return OwnHistory::default();
    }
    let stays = match history::stays(&service.pool, &[submission]).await {
        Ok(stays) => stays,
        Err(error) => {
            tracing::warn!("the history of submission {submission} is left out: {error}");
            return OwnHistory::default();
        }
    };
    let lines = [stays.iter().collect()];
    let attempts = stays.iter().map(|stay| stay.place.attempt);
    let before = std::iter::once(None).chain(attempts.map(Some));
    let mut rows: Vec<StayRow> = stays
        .iter()
        .zip(before)
        .map(|(stay, before)| StayRow {
            from: Timestamp(stay.from),
            until: stay.until.map(Timestamp),
            snapshot: stay.snapshot,
            rank: rank(&stay.place),
            wer: Estimate::new(stay.place.wer, stay.place.wer_interval),
            is_rerun: before.is_some_and(|before| before != stay.place.attempt),
        })
        .collect();
    rows.reverse();
    OwnHistory {
        rates: chart("rate-history", "Avg WER over time, %", Measure::Rate, &lines, false),
        places: places_chart("place-history", "Place over time", &lines, false),
        stays: rows,
    }
}

fn places_chart(id: &str, title: &str, lines: &[Vec<&Stay>], is_named: bool) -> String {
    chart(id, title, Measure::Place, lines, is_named)
}

fn chart(id: &str, title: &str, measure: Measure, lines: &[Vec<&Stay>], is_named: bool) -> String {
    let now = OffsetDateTime::now_utc();
    let Some(start) = lines.iter().flatten().map(|stay| stay.from).min() else { return String::new() };
    // A board of a few minutes has an axis as well.
    let length = (now - start).as_seconds_f64().max(1.0);
    let share = |at: OffsetDateTime| ((at - start).as_seconds_f64() / length).clamp(0.0, 1.0);
    let span = |stay: &&Stay| {
        let (value, band) = match measure {
            Measure::Place => {
                let wide = |place: i32| f64::from(place);
                (wide(stay.place.place), Some((wide(stay.place.interval.0), wide(stay.place.interval.1))))
            }
            Measure::Rate => (stay.place.wer, stay.place.wer_interval),
        };
        TimeSpan {
            time: (share(stay.from), share(stay.until.unwrap_or(now))),
            value,
            // Bands of many lines would cover each other.
            band: band.filter(|_| !is_named),
        }
    };
    let line = |stays: &Vec<&Stay>| TimeLine {
        label: stays.last().filter(|_| is_named).map(|stay| stay.model.clone()).unwrap_or_default(),
        href: stays.last().filter(|_| is_named).map(|stay| format!("/models/{}", stay.place.submission)),
        spans: stays.iter().map(span).collect(),
    };
    timeline(&Timeline {
        id: id.to_owned(),
        title: title.to_owned(),
        description: "Each step is a change of the board; the same numbers stand in the table.".to_owned(),
        measure,
        times: vec![(0.0, day(start)), (1.0, "now".to_owned())],
        lines: lines.iter().map(line).collect(),
    })
}

fn day(at: OffsetDateTime) -> String {
    let format = format_description!("[day padding:none] [month repr:short] [year]");
    at.format(format).unwrap_or_default()
}
