//! Example data: invented models with invented numbers, and every page made of them.

use askama::Template;
use charts::{
    Axis, Curve, CurvesChart, Embedding, Layout as ChartLayout, Measure, ParetoChart, ParetoPoint, TimeLine,
    TimeSpan, Timeline, pareto, timeline,
};
use protocol::{
    AttemptId, BuildId, Calibration, DecodingValue, FailureClass, Flag, FlagKind, ItemId, LatencyBucket,
    LatencyByDuration, LatencyPercentiles, Measurements, ModelManifest, NodeFingerprint, Stage,
    StreamedTrack, Streaming, SubmissionId, Throughput,
};
use selection::{Column, Purpose, Sort, View};
use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;
use web::views::{
    Archive, AttemptView, AuditPage, AuditRow, Banner, BoardFiles, BoardPage, BoardRow, BuildRow, Bytes,
    Cell, ChangeRow, ChangelogPage, ChangesPage, Chart, Choice, Citation, CitePage, ClassRow, ComparePage,
    ComparedModel, Comparison, ConditionRow, ConfusionRow, Corpus, Count, Curves, Deadline, Details,
    Difference, DownloadsPage, Elsewhere, EntityRow, ErrorPage, Estimate, Exception, ExternalPage,
    ExternalRow, ExternalSource, Failure, FaqPage, FaultRow, FieldErrors, FileRow, Filter, FindingView,
    FrontEnd, HistoryPage, HistoryRow, InboxEntry, InboxPage, Interval, LadderRow, Layout, LeaseRow, Link,
    LiveProgress, LoginPage, Makeup, Measured, MessageView, MethodPage, ModelPage, MomentRow, MyRoomPage,
    NamedAction, NodePage, Notice, ObjectionView, Offer, OpenObjection, OwnHistory, PaceRow, Paging, PairRow,
    Params, ParetoPage, ParetoRow, Piece, PlaceRow, PredictionRow, Preview, Probability, Provenance,
    PurposeView, QueueJob, QueuePage, QuotaPage, QuotaRow, Rank, Rate, ReachedRow, ReasonTemplate,
    RecordPage, ReleaseFacts, ReleaseNote, ReleaseRow, ReleasesPage, ResponseRow, ResponseTable, ReviewPage,
    Revised, RoomCell, RoomForm, RoomRow, RoomView, RowStanding, Rtfx, RuntimeView, RuntimesPage,
    ScorerResult, Scoring, Seat, Seconds, Section, SettingView, Several, SeveralTrack, SnapshotPage,
    SourceLine, SourceView, StateCount, StayRow, SubmissionPage, SubmissionRow, SubmissionsPage, SubmitForm,
    SubmitPage, TRACKS, TakeHome, TimelineEvent, Timestamp, Timing, TokenMove, TrackComparison, TrackResult,
    User, VersionNotes, Weakness, WebhookRow, WebhooksPage, WeightField, Why, WorkerRow, WorkersPage,
};

/// A page under the name of its file.
pub(crate) struct Page {
    /// File name without extension.
    pub(crate) name: &'static str,
    /// The document.
    pub(crate) html: String,
}

const NOW: OffsetDateTime = datetime!(2026-11-24 09:30 UTC);

/// Every page; `model` stands wherever a visitor's own words are shown.
pub(crate) fn pages(model: &str) -> Vec<askama::Result<Page>> {
    let page = |name: &'static str, html: askama::Result<String>| html.map(|html| Page { name, html });
    vec![
        page("board", board(model, Sort::default()).render()),
        page("board-by-speed", board(model, Sort::by(Column::Rtfx)).render()),
        page("board-profile", board_of_another_profile(model).render()),
        page("board-purpose", board_for_a_purpose(model).render()),
        page("board-no-match", board_without_a_match(model).render()),
        page("pareto", pareto_page(model).render()),
        page("downloads", downloads().render()),
        page("downloads-empty", empty_downloads().render()),
        page("cite", cite(model).render()),
        page("api", web::api_page(layout(Section::Elsewhere)).render()),
        page("my-room", my_room(model).render()),
        page("my-room-beyond", my_room_beyond(model).render()),
        page("board-small", small_board(model).render()),
        page("board-empty", empty_board().render()),
        page("board-stale", stale_board(model).render()),
        page("external", external().render()),
        page("model", model_page(model).render()),
        page("model-profile", model_of_another_profile(model).render()),
        page("compare", compare(model).render()),
        page(
            "compare-half",
            ComparePage { comparison: None, models: Vec::new(), curves: Vec::new(), ..compare(model) }
                .render(),
        ),
        page("compare-four", compare_four(model).render()),
        page("submission-queued", queued(model).render()),
        page("submission-running", running(model).render()),
        page("submission-failed", failed(model).render()),
        page("submission-published", published(model).render()),
        page("queue", queue(model).render()),
        page("queue-empty", empty_queue().render()),
        page("submit", submit(SubmitForm::default(), FieldErrors::default()).render()),
        page("submit-errors", wrong_submit(model).render()),
        page("login", login(model).render()),
        page("submissions", submissions(model).render()),
        page("submissions-empty", SubmissionsPage { rows: Vec::new(), ..submissions(model) }.render()),
        page("submit-revision", revision(model).render()),
        page("admin-inbox", inbox(model).render()),
        page("admin-inbox-empty", InboxPage { entries: Vec::new(), ..inbox(model) }.render()),
        page("admin-review", review(model).render()),
        page("admin-workers", workers(model).render()),
        page("submit-preview", previewed(model).render()),
        page("admin-worker", node_page(model).render()),
        page("admin-releases", releases(model).render()),
        page(
            "admin-releases-empty",
            ReleasesPage { builds: Vec::new(), releases: Vec::new(), ..releases(model) }.render(),
        ),
        page("admin-quota", quota(model).render()),
        page("admin-audit", AuditPage { layout: staff(), rows: vec![audit_row(model)] }.render()),
        page("record", record(model).render()),
        page("webhooks", webhooks(model).render()),
        page("method", method(model).render()),
        page("history", history(model).render()),
        page(
            "history-empty",
            HistoryPage { moments: Vec::new(), chart: String::new(), ..history(model) }.render(),
        ),
        page("snapshot", snapshot(model).render()),
        page("changes", changes(model).render()),
        page(
            "changelog",
            ChangelogPage {
                layout: layout(Section::Elsewhere),
                sections: VersionNotes::read(include_str!("../../../../CHANGELOG.md")),
            }
            .render(),
        ),
        page("faq", FaqPage { layout: layout(Section::Elsewhere), release: "demo-1".to_owned() }.render()),
        page("runtimes", runtimes().render()),
        page("error-404", error(404, "There is no such address here.").render()),
        page("error-400", error(400, format!("There is no release called “{model}”.")).render()),
        page("error-401", error(401, "This page needs an account: log in first.").render()),
        page("error-403", error(403, "This page is for reviewers and admins.").render()),
        page(
            "error-500",
            error(500, "Something broke on our side. It is in the log; trying again is safe.").render(),
        ),
        page(
            "error-503",
            error(
                503,
                "The database or the object storage does not answer. Nothing is lost; try again in a minute.",
            )
            .render(),
        ),
    ]
}

/// The chart as a file.
pub(crate) fn standalone_chart(model: &str) -> String {
    pareto(&chart_of(&points(model), ChartLayout::Wide, Embedding::Standalone))
}

fn moment(id: i64, minutes: i64) -> MomentRow {
    MomentRow {
        id,
        at: ago(minutes),
        models: Count(12),
        scorer: "ffasr@1/whisper-en@1".to_owned(),
        before: (id > 1).then_some(id - 1),
    }
}

/// Places of a few models over time.
fn places(model: &str, is_named: bool) -> String {
    let line = |label: &str, steps: [f64; 3]| TimeLine {
        label: if is_named { label.to_owned() } else { String::new() },
        href: is_named.then(|| "/models/1".to_owned()),
        spans: steps
            .into_iter()
            .zip([(0.0, 0.4), (0.4, 0.7), (0.7, 1.0)])
            .map(|(value, time)| TimeSpan {
                time,
                value,
                band: (!is_named).then_some((value.min(2.0), value + 1.0)),
            })
            .collect(),
    };
    let lines = [(model, [2.0, 1.0, 1.0]), ("Wav2vec small", [1.0, 2.0, 3.0]), ("Echo", [3.0, 3.0, 2.0])];
    let lines = lines.into_iter().take(if is_named { 3 } else { 1 });
    timeline(&Timeline {
        id: format!("places-{is_named}"),
        title: "Places over time".to_owned(),
        description: "Each step is a change of the board.".to_owned(),
        measure: Measure::Place,
        times: vec![(0.0, "3 May 2026".to_owned()), (1.0, "now".to_owned())],
        lines: lines.map(|(label, steps)| line(label, steps)).collect(),
    })
}

fn history(model: &str) -> HistoryPage {
    HistoryPage {
        layout: layout(Section::Elsewhere),
        release: "demo-1".to_owned(),
        hardware_class: "cpu-2core".to_owned(),
        releases: vec![choice("demo-1", "Demo 1", true)],
        hardware_classes: vec![choice("cpu-2core", "cpu-2core", true)],
        chart: places(model, true),
        drawn: 3,
        moments: vec![moment(3, 4), moment(2, 600), moment(1, 2_000)],
        has_more: false,
        benchmarks: vec![ReleaseNote {
            name: "demo-1 1".to_owned(),
            title: "Demo release".to_owned(),
            frozen_at: ago(3_000),
            manifest_sha256: "ab".repeat(32),
            size: Some((Count(2_000), Count(48), Count(14))),
            notes: Some("The first.".to_owned()),
            href: "/method#release-demo-1-1".to_owned(),
        }],
    }
}

fn snapshot(model: &str) -> SnapshotPage {
    let row = |model: &str, place: u32, since| PlaceRow {
        model: model.to_owned(),
        href: "/models/1".to_owned(),
        organisation: "Acme".to_owned(),
        rank: Rank { place, low: 1, high: 3 },
        wer: Estimate::new(0.1 + f64::from(place) / 50.0, Some((0.1, 0.2))),
        since,
    };
    SnapshotPage {
        layout: layout(Section::Elsewhere),
        release: "demo-1 1".to_owned(),
        hardware_class: "cpu-2core".to_owned(),
        moment: moment(2, 600),
        after: Some(3),
        latest: 3,
        rows: vec![row(model, 1, None), row("Echo", 2, Some("Withdrawn"))],
    }
}

fn changes(model: &str) -> ChangesPage {
    let rank = |place| Rank { place, low: place, high: place + 1 };
    let row = |before: Option<u32>, after: Option<u32>, why: &str| ChangeRow {
        model: model.to_owned(),
        href: "/models/1".to_owned(),
        before: before.map(rank),
        after: after.map(rank),
        difference: before.zip(after).map(|_| Difference(-0.012)),
        why: why.to_owned(),
    };
    ChangesPage {
        layout: layout(Section::Elsewhere),
        release: "demo-1 1".to_owned(),
        hardware_class: "cpu-2core".to_owned(),
        from: moment(1, 2_000),
        to: moment(3, 4),
        changes: vec![
            row(Some(3), Some(1), "Run again."),
            row(None, Some(2), "New on the board."),
            row(Some(2), None, "Quarantined. The reference of three items was wrong."),
        ],
        unmoved: 9,
    }
}

fn ago(minutes: i64) -> Timestamp {
    Timestamp(NOW - Duration::minutes(minutes))
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x0193_5b2c_8e40_7a11_9c3d_0000_0000_0000 + number)
}

fn layout(section: Section) -> Layout {
    Layout {
        section,
        release: Some("demo-1".to_owned()),
        scorer: Some("ffasr 0.1.0, whisper-en".to_owned()),
        snapshot_at: Some(ago(4)),
        ..Layout::default()
    }
}

fn signed_in(section: Section, name: &str) -> Layout {
    Layout { user: Some(User { name: name.to_owned(), is_admin: false }), ..layout(section) }
}

fn choice(value: &str, label: &str, selected: bool) -> Choice {
    Choice { value: value.to_owned(), label: label.to_owned(), selected }
}

/// Name, organisation, near, high, mid, low (percent), half-width of the mean (points), speed, parameters, rank
/// interval, significantly different from the one above.
type Example = (&'static str, &'static str, [f64; 4], f64, f64, Option<u64>, (u32, u32), bool);

const EXAMPLES: [Example; 12] = [
    ("", "Institute for Listening", [3.9, 7.2, 14.1, 28.4], 0.7, 19.78, Some(2_038_000_000), (1, 2), true),
    ("Otolith 1.7B", "Otolith Labs", [3.8, 6.7, 13.9, 29.3], 0.8, 25.71, Some(2_038_000_000), (1, 2), false),
    ("cochlea-transcribe", "Cochlea", [4.3, 7.8, 15.3, 32.8], 0.8, 63.28, Some(2_000_000_000), (3, 4), true),
    ("granit-nar-2b", "Granit", [4.1, 8.2, 16.4, 32.0], 0.9, 211.1, Some(2_255_000_000), (3, 4), false),
    ("granit-2b", "Granit", [4.3, 8.2, 16.4, 36.6], 0.9, 21.63, Some(2_313_000_000), (5, 6), true),
    ("Otolith 0.6B", "Otolith Labs", [4.4, 9.6, 18.2, 35.7], 0.9, 25.53, Some(782_000_000), (5, 8), false),
    (
        "papagei-tdt-1.1b",
        "Papagei Speech",
        [4.2, 9.2, 18.4, 37.6],
        1.0,
        106.0,
        Some(1_070_000_000),
        (6, 8),
        false,
    ),
    (
        "papagei-tdt-0.6b-v2",
        "Papagei Speech",
        [4.2, 10.2, 19.1, 37.1],
        1.0,
        215.1,
        Some(618_000_000),
        (6, 8),
        false,
    ),
    (
        "papagei-ctc-1.1b",
        "Papagei Speech",
        [4.8, 10.4, 20.1, 42.9],
        1.1,
        301.5,
        Some(1_070_000_000),
        (9, 10),
        true,
    ),
    (
        "kanarie-2.5b",
        "Papagei Speech",
        [4.9, 9.9, 20.8, 42.7],
        1.2,
        1.62,
        Some(2_559_000_000),
        (9, 10),
        false,
    ),
    (
        "conformer-ctc-large",
        "Open Speech Commons",
        [6.1, 15.2, 28.4, 52.0],
        1.3,
        388.0,
        Some(121_000_000),
        (11, 11),
        true,
    ),
    ("flüster-tiny", "Flüster", [9.8, 26.3, 61.2, 137.1], 3.1, 96.4, None, (12, 12), true),
];

/// What the example rows are made of.
struct ExampleModel {
    place: u32,
    interval: (u32, u32),
    opens: bool,
    model: String,
    organisation: String,
    mean: Estimate,
    tracks: [Estimate; 4],
    speed: f64,
    params: Option<u64>,
    on_front: bool,
}

fn examples(model: &str) -> Vec<ExampleModel> {
    let pairs: Vec<(f64, f64)> =
        EXAMPLES.iter().map(|example| (example.4, example.2.iter().sum::<f64>() / 400.0)).collect();
    let beaten = |speed: f64, mean: f64| pairs.iter().any(|other| other.0 > speed && other.1 < mean);
    EXAMPLES
        .iter()
        .zip(&pairs)
        .zip(1_u32..)
        .map(|((example, &(speed, mean)), place)| {
            let (name, organisation, tracks, half_width, _, params, interval, opens) = *example;
            ExampleModel {
                place,
                interval,
                opens,
                model: if name.is_empty() { model } else { name }.to_owned(),
                organisation: organisation.to_owned(),
                mean: Estimate::new(mean, Some((mean - half_width / 100.0, mean + half_width / 100.0))),
                tracks: tracks.map(|percent| {
                    let (wer, half) = (percent / 100.0, 0.002 + percent / 100.0 * 0.05);
                    Estimate::new(wer, Some((wer - half, wer + half)))
                }),
                speed,
                params,
                on_front: !beaten(speed, mean),
            }
        })
        .collect()
}

/// The usual columns of a board.
fn usual_columns() -> Vec<Column> {
    let tracks = TRACKS.iter().map(|track| Column::Track(track.name.to_owned()));
    tracks
        .chain([Column::Rtfx, Column::LatencyP50, Column::LatencyP95, Column::Params, Column::Pareto])
        .collect()
}

fn rows(model: &str) -> Vec<BoardRow> {
    let row = |example: &ExampleModel| {
        let (low, high) = example.interval;
        let wers = example.tracks.map(Cell::Wer);
        let rest = [
            Cell::Speed(Rtfx(example.speed), example.place == 10),
            Cell::Time(Seconds(6.2 / example.speed)),
            Cell::Time(Seconds(17.0 / example.speed)),
            example.params.map_or(Cell::Absent, |params| Cell::Size(Params(params))),
            Cell::Front(example.on_front, Probability(if example.on_front { 0.93 } else { 0.004 })),
        ];
        BoardRow {
            submission: example.place.to_string(),
            standing: RowStanding::Ranked(Rank { place: example.place, low, high }),
            ranking: None,
            opens_tie_group: example.opens,
            why: Some(Why {
                leader: (!example.opens).then(|| ("Otolith 1.7B".to_owned(), Rate(0.0041))),
                better: low - 1,
                worse: 12 - high,
                tied: usize::from(low != high),
            }),
            model: example.model.clone(),
            href: format!("/models/{}", example.place),
            organisation: example.organisation.clone(),
            score: Some(example.mean),
            cells: wers.into_iter().chain(rest).collect(),
        }
    };
    examples(model).iter().map(row).collect()
}

fn points(model: &str) -> Vec<ParetoPoint> {
    examples(model)
        .iter()
        .map(|example| ParetoPoint {
            label: example.model.clone(),
            href: format!("/models/{}", example.place),
            detail: format!("Avg WER {} %, RTFx {}", example.mean.value, Rtfx(example.speed)),
            across: example.speed,
            across_interval: Some((example.speed * 0.98, example.speed * 1.02)),
            error: example.mean.value.0,
            error_interval: example.mean.interval.map(|interval| (interval.low.0, interval.high.0)),
            on_front: example.on_front,
        })
        .collect()
}

fn chart_of(points: &[ParetoPoint], layout: ChartLayout, embedding: Embedding) -> ParetoChart {
    ParetoChart {
        id: if layout == ChartLayout::Wide { "pareto".to_owned() } else { "pareto-compact".to_owned() },
        title: "Avg WER over speed".to_owned(),
        description: "One point a model; the same numbers stand in the table.".to_owned(),
        across: Axis::rtfx(),
        error_title: "Avg WER, %".to_owned(),
        points: points.to_vec(),
        layout,
        embedding,
    }
}

fn chart(points: &[ParetoPoint]) -> Chart {
    Chart {
        wide: pareto(&chart_of(points, ChartLayout::Wide, Embedding::Inline)),
        compact: pareto(&chart_of(points, ChartLayout::Compact, Embedding::Inline)),
        svg_href: Some("/pareto.svg?release=demo-1".to_owned()),
        reading: "Down is more accurate, right is better.".to_owned(),
        undrawn: 0,
    }
}

fn board(model: &str, sort: Sort) -> BoardPage {
    let mut rows = rows(model);
    if sort.column == Column::Rtfx {
        let speeds: Vec<f64> = examples(model).iter().map(|example| example.speed).collect();
        let speed = |row: &BoardRow| speeds[row_place(row) as usize - 1];
        rows.sort_by(|left, right| speed(right).total_cmp(&speed(left)));
    }
    BoardPage {
        corpus: Some(corpus()),
        layout: Layout {
            json_href: Some("/api/v1/boards/demo-1".to_owned()),
            csv_href: Some("/api/v1/boards/demo-1.csv".to_owned()),
            ..layout(Section::Board)
        },
        release: "demo-1".to_owned(),
        hardware_class: "cpu-2core".to_owned(),
        facts: ReleaseFacts {
            utterances: Count(2_000),
            words: Count(38_412),
            talkers: Count(48),
            rooms: Count(14),
        },
        scoring: scoring("ffasr"),
        view: View {
            release: Some("demo-1".to_owned()),
            hardware: Some("cpu-2core".to_owned()),
            sort,
            ..View::default()
        },
        offer: offer(),
        purpose: None,
        columns: usual_columns(),
        models: Count(rows.len() as u64),
        hidden: 0,
        paging: Paging { first: 1, last: rows.len(), of: rows.len(), ..Paging::default() },
        full_scale: rows
            .iter()
            .filter_map(|row| row.score)
            .map(|score| score.interval.map_or(score.value.0, |interval| interval.high.0))
            .fold(0.0, f64::max),
        chart: Some(chart(&points(model))),
        rows,
    }
}

fn row_place(row: &BoardRow) -> u32 {
    match &row.standing {
        RowStanding::Ranked(rank) => rank.place,
        RowStanding::Placed(place) => *place,
        RowStanding::Without(_) => 0,
    }
}

fn link(label: &str, is_current: bool) -> Link {
    Link { href: format!("/?for={label}"), label: label.to_owned(), is_current }
}

fn offer() -> Offer {
    Offer {
        releases: vec![choice("demo-1", "demo-1", true), choice("2026-10", "2026-10", false)],
        hardware_classes: vec![
            choice("cpu-2core", "cpu-2core", true),
            choice("nvidia-l4", "nvidia-l4", false),
        ],
        purposes: vec![link("Ranking", true), link("Car", false)],
        organisations: vec![choice("Papagei Speech", "Papagei Speech", false)],
        runtimes: vec![choice("onnx", "onnx", false)],
        licences: vec![choice("open", "any open licence", false), choice("MIT", "MIT", false)],
        sizes: vec![choice("small", "up to 100 M", false)],
        columns: usual_columns().iter().map(|column| choice(column.name(), column.name(), true)).collect(),
        weights: TRACKS
            .iter()
            .map(|track| WeightField { track: track.name.to_owned(), weight: 1.0 })
            .collect(),
    }
}

/// A board ranked for a purpose: one model is too slow, one lacks a track.
fn board_for_a_purpose(model: &str) -> BoardPage {
    let mut page = board(model, Sort::default());
    page.view.purpose = Purpose::named("car").unwrap_or_default();
    page.purpose = Some(PurposeView {
        label: Some("Car".to_owned()),
        reason: Some("Short distances, but noise as loud as the voice.".to_owned()),
        shares: vec![("far-low".to_owned(), "75".to_owned()), ("far-mid".to_owned(), "25".to_owned())],
    });
    for (row, place) in page.rows.iter_mut().zip(1_u32..) {
        row.ranking = Some(Elsewhere { place: 13 - place, avg_wer: Rate(0.2) });
        row.standing = RowStanding::Placed(place);
        row.why = None;
    }
    page.rows[10].standing = RowStanding::Without("p95 above 2 s".to_owned());
    page.rows[11].standing = RowStanding::Without("not run on moving-mid".to_owned());
    page.rows[11].score = None;
    page.rows[11].cells[0] = Cell::NotRun;
    page
}

fn board_without_a_match(model: &str) -> BoardPage {
    let mut page = board(model, Sort::default());
    model.clone_into(&mut page.view.filter.text);
    page.hidden = page.rows.len();
    page.rows.clear();
    page.chart = None;
    page
}

fn pareto_page(model: &str) -> ParetoPage {
    let rows: Vec<ParetoRow> = examples(model)
        .iter()
        .map(|example| ParetoRow {
            model: example.model.clone(),
            href: format!("/models/{}", example.place),
            error: example.mean,
            cost: Rtfx(example.speed).to_string(),
            on_front: example.on_front,
            probability: Probability(if example.on_front { 0.93 } else { 0.004 }),
        })
        .collect();
    ParetoPage {
        layout: layout(Section::Board),
        release: "demo-1".to_owned(),
        view: View { release: Some("demo-1".to_owned()), ..View::default() },
        accuracies: vec![choice("wer", "Avg WER", true), choice("near", "WER on near", false)],
        costs: vec![choice("rtfx", "RTFx, times real time", true), choice("params", "Parameters", false)],
        purposes: vec![link("Ranking", true), link("Car", false)],
        chart: Some(chart(&points(model))),
        png_href: "/api/v1/boards/demo-1/pareto.png".to_owned(),
        parquet_href: "/api/v1/boards/demo-1/parquet".to_owned(),
        embed: "<iframe src=\"https://ffasr.example/embed/pareto\" title=\"FFASR: accuracy and its cost\" width=\"100%\" height=\"520\"></iframe>".to_owned(),
        axes: ("Avg WER, %".to_owned(), "RTFx, times real time".to_owned()),
        rows,
        paging: Paging::default(),
        left_out: 2,
    }
}

fn my_room(model: &str) -> MyRoomPage {
    let condition = |name, value: &str, measured: Option<&str>| ConditionRow {
        name,
        value: value.to_owned(),
        measured: measured.map(str::to_owned),
        is_beyond: false,
    };
    MyRoomPage {
        layout: layout(Section::Board),
        release: "demo-1".to_owned(),
        hardware_class: "cpu-2core".to_owned(),
        releases: vec![choice("demo-1", "demo-1", true)],
        hardware_classes: vec![choice("cpu-2core", "cpu-2core", true)],
        form: RoomForm {
            volume: "60".to_owned(),
            t30: "0.4".to_owned(),
            distance: "2".to_owned(),
            noise: "45".to_owned(),
            latency: "1".to_owned(),
        },
        efforts: vec![choice("normal", "normal, 60 dB(A) at 1 m", true)],
        conditions: vec![
            condition("Speech above the noise (SNR)", "12.1 dB", Some("\u{2212}3.9 to 23.8 dB")),
            condition("Reverberation time (T30)", "0.40 s", Some("0.21 to 0.83 s")),
        ],
        rows: examples(model)
            .iter()
            .map(|example| PredictionRow {
                model: example.model.clone(),
                href: format!("/models/{}", example.place),
                organisation: example.organisation.clone(),
                predicted: Some(example.tracks[2]),
                items: Count(6_000),
                avg_wer: example.mean,
                latency_p95: Seconds(17.0 / example.speed),
                is_late: 17.0 / example.speed > 1.0,
                rtfx: Some(Rtfx(example.speed)),
            })
            .collect(),
        without_response: 1,
    }
}

/// A room with more reverberation than any that was measured.
fn my_room_beyond(model: &str) -> MyRoomPage {
    let mut page = my_room(model);
    page.conditions[1].is_beyond = true;
    page.rows.iter_mut().for_each(|row| row.predicted = None);
    page
}

fn scoring(profile: &str) -> Scoring {
    Scoring {
        profiles: vec![
            choice("ffasr", "ffasr (ranks)", profile == "ffasr"),
            choice("open-asr", "open-asr", profile == "open-asr"),
            choice("raw", "raw", profile == "raw"),
        ],
        profile: profile.to_owned(),
        ranking_profile: "ffasr".to_owned(),
        scorer: if profile == "ffasr" { "ffasr@1/whisper-en@1" } else { "open-asr@1/open-asr-en@1" }
            .to_owned(),
        unscored: Count(u64::from(profile != "ffasr")),
    }
}

fn board_of_another_profile(model: &str) -> BoardPage {
    let mut page = board(model, Sort::default());
    page.scoring = scoring("open-asr");
    page.layout.scorer = Some(page.scoring.scorer.clone());
    // The second and third change places; all rates are a little lower.
    for row in &mut page.rows {
        let place = match row_place(row) {
            2 => 3,
            3 => 2,
            other => other,
        };
        let avg_wer = Rate(row.score.map_or(f64::NAN, |score| score.value.0 + 0.0035));
        row.ranking = Some(Elsewhere { place, avg_wer });
    }
    page.rows[11].ranking = None;
    page
}

fn small_board(model: &str) -> BoardPage {
    let mut page = board(model, Sort::default());
    page.layout.banners = vec![Banner::Demo];
    page.rows.truncate(3);
    page.facts =
        ReleaseFacts { utterances: Count(24), words: Count(187), talkers: Count(1), rooms: Count(3) };
    let points = points(model);
    page.chart = Some(chart(&points[..3]));
    page.models = Count(3);
    page
}

fn empty_board() -> BoardPage {
    let mut page = board("", Sort::default());
    page.rows.clear();
    page.models = Count(0);
    page.chart = None;
    page
}

fn stale_board(model: &str) -> BoardPage {
    let mut page = board(model, Sort::default());
    page.layout.banners = vec![Banner::DatabaseUnreachable { board_of: ago(47) }];
    page
}

fn external() -> ExternalPage {
    let rows = examples("Lauscher 2B");
    let mut page = ExternalPage {
        layout: layout(Section::External),
        boards: Vec::new(),
        board: "ffasr-july-2026".to_owned(),
        source: Some(ExternalSource {
            label: "public FFASR leaderboard, July 2026".to_owned(),
            href: Some("https://huggingface.co/spaces/treble-technologies/ffasr".to_owned()),
            note: Some("Speeds were measured on one NVIDIA L4.".to_owned()),
            loaded_at: ago(60),
        }),
        sort: Sort::default(),
        chart: None,
        rows: rows
            .iter()
            .map(|row| ExternalRow {
                place: row.place,
                model: format!("{}/{}", row.organisation.to_lowercase().replace(' ', "-"), row.model),
                avg_wer: row.mean.value,
                tracks: row.tracks.map(|track| track.value),
                rtfx: Some(Rtfx(row.speed)),
                num_params: row.params.map(Params),
                on_front: row.on_front,
            })
            .collect(),
    };
    let mut points = points("Lauscher 2B");
    for (point, row) in points.iter_mut().zip(&page.rows) {
        point.href = format!("#{}", row.anchor());
        point.error_interval = None;
        point.across_interval = None;
    }
    page.chart = Some(Chart { svg_href: None, ..chart(&points) });
    page.sort_rows();
    page
}

fn manifest(model: &str) -> ModelManifest {
    ModelManifest {
        name: model.to_owned(),
        organisation: "Institute for Listening".to_owned(),
        licence: "Apache-2.0".to_owned(),
        runtime: "pocketsphinx".to_owned(),
        num_params: None,
        training_data: format!("60 000 h of read and conversational English; no simulated rooms. {model}"),
        notes: format!("Beam search, no external language model. {model}"),
        tracks: Vec::new(),
        multichannel: false,
        hub: None,
        decoding: [
            ("beam".to_owned(), DecodingValue::Real(1e-48)),
            ("lm".to_owned(), DecodingValue::Text("en-us.lm.bin".to_owned())),
            ("remove_noise".to_owned(), DecodingValue::Boolean(true)),
        ]
        .into(),
    }
}

fn streaming() -> Streaming {
    let track = |items, errors, ref_words: u64, first, last| StreamedTrack {
        items,
        silent: 2,
        failed: 0,
        errors,
        ref_words,
        wer: Some(errors as f64 / ref_words as f64),
        first_token: Some((first, 1.7 * first)),
        finalisation: Some((last, 2.2 * last)),
    };
    Streaming {
        scorer: "ffasr@1/whisper-en@1".to_owned(),
        all: track(50, 131, 492, 0.62, 0.041),
        tracks: [
            ("near".to_owned(), track(25, 18, 246, 0.41, 0.038)),
            ("far-low".to_owned(), track(25, 113, 246, 0.94, 0.044)),
        ]
        .into(),
    }
}

fn measurements() -> Measurements {
    let latency = |p50: f64| LatencyPercentiles { p50, p90: 1.4 * p50, p95: 1.6 * p50, p99: 2.1 * p50 };
    let bucket = |above_seconds, up_to_seconds, items, p50| LatencyBucket {
        above_seconds,
        up_to_seconds,
        items,
        latency: latency(p50),
        rtfx: 19.4,
    };
    Measurements {
        latency: Some(LatencyByDuration {
            all: latency(0.313),
            buckets: vec![
                bucket(0.0, Some(5.0), 812, 0.182),
                bucket(5.0, Some(15.0), 1_204, 0.391),
                bucket(15.0, Some(30.0), 61, 0.958),
            ],
            fixed_seconds: Some(0.041),
            seconds_per_audio_second: Some(0.048),
        }),
        processor_seconds: Some(1_412.0),
        throughput: Some(Throughput {
            batch: 8,
            audio_seconds: 12_400.0,
            makespan_seconds: 312.0,
            rtfx: 39.7,
            p95_seconds: 2.1,
            agreement: 0.994,
        }),
        calibration: Some(Calibration { golden_seconds: 0.1, before_seconds: 0.1004, after_seconds: 0.1011 }),
        devices: Vec::new(),
        continued: None,
        streaming: Some(streaming()),
        flags: vec![Flag {
            kind: FlagKind::TimeOutliers,
            message: "3 of 2077 items took more than 3 times longer or shorter than others of their length."
                .to_owned(),
            items: vec![ItemId(id(3))],
        }],
    }
}

fn node() -> NodeFingerprint {
    NodeFingerprint {
        cpu: "AMD EPYC 9R14".to_owned(),
        cores: 2,
        memory_bytes: 24 << 30,
        kernel: "6.1.0-28-amd64".to_owned(),
        accelerators: Vec::new(),
        worker_version: "0.1.0".to_owned(),
    }
}

fn model_page(model: &str) -> ModelPage {
    let track = |name: &str, ranked: bool, wer: f64, failed: u64| TrackResult {
        name: name.to_owned(),
        ranked,
        wer: Estimate::new(wer, Some((wer * 0.94, wer * 1.07))),
        substitutions: Count((wer * 38_412.0 * 0.6) as u64),
        deletions: Count((wer * 38_412.0 * 0.25) as u64),
        insertions: Count((wer * 38_412.0 * 0.15) as u64),
        ref_words: Count(38_412),
        items: Count(2_000),
        failed_items: Count(failed),
        rtfx: Some(Rtfx(21.0 - wer * 9.0)),
    };
    ModelPage {
        take_home: take_home(model),
        layout: Layout { json_href: Some("/api/v1/models/1".to_owned()), ..layout(Section::Board) },
        manifest: manifest(model),
        num_params: Some(Params(2_038_000_000)),
        release: "demo-1".to_owned(),
        hardware_class: "cpu-2core".to_owned(),
        rank: Some(Rank { place: 1, low: 1, high: 2 }),
        ranked: 12,
        on_front: true,
        front_probability: Probability(0.93),
        avg_wer: Estimate::new(0.134, Some((0.127, 0.141))),
        not_run: [("array", "it asks for several channels")].into(),
        tracks: vec![
            track("near", true, 0.039, 0),
            track("far-high", true, 0.072, 0),
            track("far-mid", true, 0.141, 1),
            track("far-low", true, 0.284, 4),
            track("reverb-only", false, 0.061, 0),
        ],
        timing: Timing {
            rtfx: Some(Rtfx(19.78)),
            rtfx_interval: Some(Interval { low: Rtfx(18.9), high: Rtfx(20.6) }),
            repeat_passes: 5,
            ready_time: Seconds(3.41),
            latency_p50: Some(Seconds(0.313)),
            latency_p90: Some(Seconds(0.702)),
            latency_p95: Some(Seconds(0.859)),
            latency_p99: Some(Seconds(1.342)),
            peak_memory: Some(Bytes(5_612_000_000)),
        },
        measured: Measured::new(&measurements()),
        front_end: Some(FrontEnd {
            name: "spectral_subtraction.py".to_owned(),
            bare: Some(("Otolith 1.7B".to_owned(), "/compare?a=1&b=2".to_owned())),
        }),
        scoring: scoring("ffasr"),
        described_rooms: vec!["restaurant".to_owned()],
        weakness: Some(weakness()),
        history: OwnHistory {
            rates: String::new(),
            places: places(model, false),
            stays: vec![StayRow {
                from: ago(600),
                until: None,
                snapshot: 2,
                rank: Rank { place: 2, low: 1, high: 3 },
                wer: Estimate::new(0.124, Some((0.118, 0.131))),
                is_rerun: true,
            }],
        },
        by_scorer: vec![
            scorer_result("ffasr@1/whisper-en@1", "ranks", 0.134, true),
            scorer_result("open-asr@1/open-asr-en@1", "profile", 0.129, false),
            scorer_result("raw@1/none", "profile", 0.391, false),
            scorer_result("ffasr@1/basic@1", "not on a board", 0.151, false),
        ],
        others: vec![choice("2", "Otolith 1.7B", false), choice("3", model, false)],
        items_href: "/api/v1/results/1/items.parquet?scorer=ffasr%401%2Fwhisper-en%401".to_owned(),
        provenance: Provenance {
            release_sha256: "9f2c1b7c55e0a4f1d6e3b8a07c4d2e9913a6f0b5c8d7e4f2a1b0c9d8e7f6a5b4".to_owned(),
            submission: SubmissionId(id(1)),
            attempt: AttemptId(id(2)),
            runtime: "pocketsphinx".to_owned(),
            runtime_digest: "sha256:4be1f0a9d2c3".repeat(3),
            isolation: "bubblewrap, seccomp, cgroup v2, no network".to_owned(),
            scorer: "ffasr@1/whisper-en@1".to_owned(),
            node: node(),
            order_seed: 7_340_912_551,
            bootstrap_seed: Some(1),
            submitted_at: ago(95),
            started_at: ago(80),
            finished_at: ago(22),
            scored_at: ago(21),
        },
    }
}

fn take_home(model: &str) -> TakeHome {
    TakeHome {
        badge: "/badges/1.svg".to_owned(),
        badge_markdown: "[![FFASR](https://ffasr.example/badges/1.svg)](https://ffasr.example/models/1)"
            .to_owned(),
        card: "/cards/1.png".to_owned(),
        card_address: Some("https://ffasr.example/cards/1.png".to_owned()),
        address: Some("https://ffasr.example/models/1".to_owned()),
        card_words: format!("{model}: Avg WER (12.7–14.1) 13.4 %, Rank 1–2 of 12"),
        embed: "<iframe src=\"https://ffasr.example/embed/pareto\" width=\"100%\" height=\"520\"></iframe>"
            .to_owned(),
        citation: citation(model),
        json: "/api/v1/results/1".to_owned(),
    }
}

fn citation(model: &str) -> Citation {
    Citation {
        words: format!("{model} on FFASR demo@1, cpu-2core: Avg WER 13.4 % (12.7–14.1), 2026."),
        bibtex: "@misc{ffasr-1,\n  title = {{Lauschangriff large} on {FFASR} demo@1},\n  year = {2026},\n}"
            .to_owned(),
    }
}

fn downloads() -> DownloadsPage {
    let file = |label: &str| link(label, false);
    DownloadsPage {
        layout: layout(Section::Elsewhere),
        archives: vec![Archive {
            name: "ffasr-2026-11-24.tar.gz".to_owned(),
            size: Bytes(48_200_000),
            sha256: "5f".repeat(32),
            made_at: ago(420),
        }],
        unknown: false,
        boards: vec![BoardFiles {
            name: "demo@1, cpu-2core".to_owned(),
            files: ["CSV", "JSON", "Parquet", "text", "chart as SVG"].map(file).to_vec(),
        }],
        site: "https://ffasr.example".to_owned(),
        licence: "CC-BY-4.0".to_owned(),
    }
}

fn empty_downloads() -> DownloadsPage {
    DownloadsPage { archives: Vec::new(), boards: Vec::new(), ..downloads() }
}

fn cite(model: &str) -> CitePage {
    CitePage { layout: layout(Section::Elsewhere), releases: vec![("Demo 1".to_owned(), citation(model))] }
}

fn model_of_another_profile(model: &str) -> ModelPage {
    ModelPage { scoring: scoring("raw"), weakness: None, others: Vec::new(), ..model_page(model) }
}

fn scorer_result(scorer: &str, role: &'static str, wer: f64, is_shown: bool) -> ScorerResult {
    ScorerResult {
        scorer: scorer.to_owned(),
        role,
        href: (role != "not on a board").then(|| "/models/1?profile=raw".to_owned()),
        is_shown,
        rank: (role != "not on a board").then_some(Rank { place: 1, low: 1, high: 2 }),
        avg_wer: Estimate::new(wer, Some((wer - 0.007, wer + 0.007))),
        scored_at: ago(21),
    }
}

fn weakness() -> Weakness {
    let pair = |near: f64, far: f64| [Some(Rate(near)), Some(Rate(far))];
    let class = |name, near, far, words: u64| ClassRow {
        name,
        meaning: "nouns, verbs and all words without a class of their own",
        ref_words: Count(words),
        wer: pair(near, far),
        errors: [Count(words / 9), Count(words / 20), Count(words / 31)],
    };
    let entity = |name, near, far, number| EntityRow { name, entities: Count(number), rate: pair(near, far) };
    let fault = |name, outputs: [u64; 5]| FaultRow {
        name,
        meaning: "a phrase of up to 10 words 4 times in a row, 8 words or more".to_owned(),
        outputs: outputs.map(Count).to_vec(),
    };
    let confusion = |said: Option<&str>, written: Option<&str>, count| ConfusionRow {
        said: said.map(str::to_owned),
        written: written.map(str::to_owned),
        count: Count(count),
        utterances: Count(count / 2),
    };
    let cell =
        |items: u64, wer: f64| RoomCell { items: Count(items), wer: (items >= 5).then_some(Rate(wer)) };
    let room = |name: &str, rates: [f64; 6]| RoomRow {
        room: name.to_owned(),
        cells: rates.into_iter().zip([0, 96, 3, 88, 12, 41]).map(|(rate, items)| cell(items, rate)).collect(),
        all: cell(240, rates[1]),
    };
    let rung = |step: &str, track: &str, wer: f64, more: f64| LadderRow {
        step: step.to_owned(),
        track: track.to_owned(),
        from: (more > 0.0).then(|| "near".to_owned()),
        wer: Rate(wer),
        increment: (more > 0.0).then_some((
            Difference(more),
            Difference(more - 0.011),
            Difference(more + 0.012),
        )),
        strip: if more > 0.0 {
            charts::interval_strip(more, Some((more - 0.011, more + 0.012)), 0.2)
        } else {
            String::new()
        },
    };
    Weakness {
        ladder: vec![
            rung("dry speech", "near", 0.031, 0.0),
            rung("reverberation", "reverb-only", 0.062, 0.031),
            rung("noise", "noise-only", 0.084, 0.053),
            rung("both", "far-mid", 0.139, 0.108),
            rung("motion", "moving-mid", 0.151, 0.012),
        ],
        snr_bins: vec!["below \u{2212}4", "\u{2212}4 to 7", "7 to 13", "13 to 24", "24 and more", "no noise"],
        rooms: vec![
            room("restaurant", [0.9, 0.412, 0.231, 0.112, 0.081, 0.07]),
            room("bathroom", [0.9, 0.301, 0.187, 0.092, 0.061, 0.05]),
        ],
        fewest_items: 5,
        far_near: Some(("4.22".to_owned(), Some("3.71–4.80".to_owned()))),
        chars: pair(0.021, 0.108),
        punctuation: pair(0.211, 0.324),
        casing: pair(0.031, 0.047),
        false_words: vec![("silence".to_owned(), "38".to_owned())],
        classes: vec![
            class("Content words", 0.047, 0.201, 61_204),
            class("Function words", 0.029, 0.131, 82_450),
            class("Numbers", 0.038, 0.226, 4_211),
            class("Names", 0.118, 0.394, 5_006),
            ClassRow { wer: [None, Some(Rate(0.5))], ..class("Spelled", 0.0, 0.0, 214) },
        ],
        entities: vec![entity("Numbers", 0.051, 0.281, 2_988), entity("Names", 0.131, 0.42, 4_102)],
        fault_tracks: ["near", "far-high", "far-mid", "far-low", "silence"].map(str::to_owned).to_vec(),
        faults: vec![
            fault("Empty", [0, 0, 2, 31, 0]),
            fault("Truncated", [0, 1, 3, 20, 0]),
            fault("Looping", [0, 0, 0, 4, 2]),
            fault("Hallucinated", [0, 0, 1, 12, 44]),
        ],
        responses: vec![
            response("signal-to-noise ratio", "dB", ["\u{2212}5", "0", "5", "10", "15", "20"]),
            response("distance", "m", ["1.0", "2.0", "3.0", "4.0", "5.0", "6.0"]),
            response("reverberation time T30", "s", ["0.20", "0.40", "0.60", "0.80", "1.00", "1.20"]),
        ],
        confusions: vec![
            confusion(Some("the"), None, 214),
            confusion(Some("and"), Some("in"), 98),
            confusion(None, Some("a"), 61),
        ],
        shown_from: 5,
    }
}

fn response(condition: &'static str, unit: &'static str, values: [&str; 6]) -> ResponseTable {
    let row = |(value, index): (&str, u32)| {
        let rate = 0.62 / f64::from(index);
        ResponseRow {
            value: value.to_owned(),
            rate: Rate(rate),
            band: Interval { low: Rate(rate * 0.88), high: Rate(rate * 1.13) },
        }
    };
    let reached = |rate: f64, value: &str, interval: Option<&str>| ReachedRow {
        percent: format!("{:.0}", 100.0 * rate),
        value: value.to_owned(),
        interval: interval.map(str::to_owned),
    };
    ResponseTable {
        condition,
        unit,
        items: Count(6_000),
        svg: curves_of(&condition.replace(' ', "-"), &[""]),
        rows: values.into_iter().zip(1..).map(row).collect(),
        reached: vec![reached(0.2, "9", Some("8 to 10")), reached(0.5, "1", None)],
    }
}

fn compared_model(letter: char, name: &str) -> ComparedModel {
    ComparedModel {
        letter,
        submission: letter.to_string(),
        name: name.to_owned(),
        href: format!("/models/{letter}"),
        organisation: "Institute for Listening".to_owned(),
        place: 1,
        rtfx: Some(Rtfx(19.8)),
        num_params: Some(Params(2_040_000_000)),
    }
}

/// Errors that fall with the SNR, for each name.
fn curves_of(id: &str, names: &[&str]) -> String {
    let curve = |(name, steepness): (&&str, i32)| Curve {
        label: (*name).to_owned(),
        points: (-2..=5)
            .map(|step| {
                let rate = 1.0 / (1.0 + (0.5 * f64::from(step) + 0.2 * f64::from(steepness)).exp());
                (5.0 * f64::from(step), rate, (0.9 * rate, 1.1 * rate))
            })
            .collect(),
    };
    charts::curves(&CurvesChart {
        id: format!("curves-{id}"),
        title: "Words wrong by SNR".to_owned(),
        description: "One line a model.".to_owned(),
        across: "signal-to-noise ratio, dB".to_owned(),
        error_title: "Words wrong, %".to_owned(),
        curves: names.iter().zip(0..).map(curve).collect(),
    })
}

/// Four models at once.
fn compare_four(model: &str) -> ComparePage {
    let names = [model, "Otolith 1.7B", "cochlea-transcribe", "granit-2b"];
    let letters = ['A', 'B', 'C', 'D'];
    let track = |name: &str, rates: [f64; 4]| SeveralTrack {
        name: name.to_owned(),
        is_average: name == "Avg WER",
        rates: rates.iter().map(|&rate| (Rate(rate), rate < 0.05)).collect(),
    };
    let page = compare(model);
    let rate = page.comparison.as_ref().map(|comparison| comparison.tracks[0].clone());
    ComparePage {
        models: letters.iter().zip(names).map(|(&letter, name)| compared_model(letter, name)).collect(),
        several: Some(Several {
            tracks: vec![
                track("Avg WER", [0.134, 0.1343, 0.15, 0.164]),
                track("near", [0.039, 0.058, 0.053, 0.0541]),
            ],
            pairs: rate.into_iter().map(|rate| PairRow { pair: ('A', 'B'), rate }).collect(),
            resampled: "talkers and rooms".to_owned(),
        }),
        comparison: None,
        curves: vec![Curves {
            caption: "By signal-to-noise ratio".to_owned(),
            svg: curves_of("snr", &["A", "B", "C", "D"]),
        }],
        ..page
    }
}

fn compare(model: &str) -> ComparePage {
    let track = |name: &str, a: f64, b: f64| TrackComparison {
        name: name.to_owned(),
        is_average: name == "Avg WER",
        a: Rate(a),
        b: Rate(b),
        difference: Difference(a - b),
        interval: Some(Interval { low: Difference(a - b - 0.004), high: Difference(a - b + 0.004) }),
        a_better: Rate(0.5 + (b - a) * 20.0),
    };
    ComparePage {
        layout: Layout { json_href: Some("/api/v1/compare".to_owned()), ..layout(Section::Board) },
        release: "demo-1".to_owned(),
        choices: ['A', 'B', 'C', 'D']
            .map(|letter| Seat {
                letter,
                choices: vec![choice("1", model, letter == 'A'), choice("2", "Otolith 1.7B", letter == 'B')],
                is_optional: letter > 'B',
            })
            .to_vec(),
        models: vec![compared_model('A', model), compared_model('B', "Otolith 1.7B")],
        several: None,
        curves: vec![Curves {
            caption: "By signal-to-noise ratio".to_owned(),
            svg: curves_of("snr", &["A", "B"]),
        }],
        scoring: scoring("ffasr"),
        comparison: Some(Comparison {
            tracks: vec![
                track("Avg WER", 0.1340, 0.1343),
                track("near", 0.039, 0.038),
                track("far-high", 0.072, 0.067),
                track("far-mid", 0.141, 0.139),
                track("far-low", 0.284, 0.293),
            ],
            items: Count(8_000),
            mapsswe: Some((Count(6_121), "\u{2212}0.41".to_owned(), "p = 0.682".to_owned())),
            permutation: "p = 0.701".to_owned(),
            mcnemar: "p = 0.044".to_owned(),
            only: [Count(402), Count(345)],
            resampled: "talkers and rooms".to_owned(),
            front_end: None,
        }),
    }
}

fn event(state: &str, minutes: i64, who: &str, why: &str) -> TimelineEvent {
    TimelineEvent {
        state: state.to_owned(),
        is_note: false,
        at: ago(minutes),
        who: who.to_owned(),
        why: why.to_owned(),
    }
}

fn attempt(number: u32, state: &str, failure: Option<Failure>, log_tail: &str) -> AttemptView {
    AttemptView {
        number,
        id: AttemptId(id(u128::from(number) + 10)),
        state: state.to_owned(),
        worker: Some("node-7".to_owned()),
        hardware_class: "cpu-2core".to_owned(),
        started_at: Some(ago(80 - i64::from(number) * 20)),
        ended_at: failure.is_some().then(|| ago(70 - i64::from(number) * 20)),
        failure,
        log_tail: log_tail.to_owned(),
    }
}

fn submission(model: &str, state: &str, since: i64) -> SubmissionPage {
    SubmissionPage {
        layout: signed_in(Section::Submissions, "ada"),
        id: SubmissionId(id(1)),
        model: model.to_owned(),
        organisation: "Institute for Listening".to_owned(),
        release: "demo-1".to_owned(),
        state: state.to_owned(),
        since: ago(since),
        now: Timestamp(NOW),
        queue_position: None,
        progress: None,
        timeline: vec![
            event("checking", 95, "ada", ""),
            event("queued", 94, "the service", "the description is sound"),
        ],
        attempts: Vec::new(),
        result_href: None,
        may_cancel: true,
        details: Details::default(),
    }
}

/// Everything that a submitter may see and do.
fn details(model: &str) -> Details {
    Details {
        deadline: Some(deadline(600)),
        estimate: Some("done in about 1 h: the last 12 attempts took 20 min in the middle".to_owned()),
        findings: findings(model),
        is_insider: true,
        messages: messages(model),
        may_answer: true,
        quota: Some(
            "3 submissions are left; one more comes in 2 h (at most 10 at once, 5 a day).".to_owned(),
        ),
        tokens: vec![TokenMove { at: ago(95), taken: true, reason: "Submitted.".to_owned() }],
        revision_of: Some(SubmissionId(id(7))),
        ..Details::default()
    }
}

fn deadline(minutes: i64) -> Deadline {
    Deadline { at: ago(-minutes), is_past: minutes < 0 }
}

fn findings(model: &str) -> Vec<FindingView> {
    vec![
        FindingView {
            is_caution: true,
            place: "mine.py, line 3".to_owned(),
            sentence: format!("Imports `socket` for {model}."),
            advice: "Put everything the model needs into the submission.".to_owned(),
        },
        FindingView {
            is_caution: false,
            place: String::new(),
            sentence: "No file states the licence.".to_owned(),
            advice: "Add a LICENSE file.".to_owned(),
        },
    ]
}

fn messages(model: &str) -> Vec<MessageView> {
    let message = |minutes, author: &str, from_staff, body: &str| MessageView {
        at: ago(minutes),
        author: author.to_owned(),
        from_staff,
        body: body.to_owned(),
    };
    vec![message(50, "grace", true, "Why does it open a socket?"), message(20, "ada", false, model)]
}

fn queued(model: &str) -> SubmissionPage {
    SubmissionPage {
        queue_position: Some(3),
        details: details(model),
        layout: Layout {
            notice: Some(Notice {
                is_problem: false,
                text: format!("{model} is submitted. Keep this address."),
            }),
            ..signed_in(Section::Submissions, "ada")
        },
        ..submission(model, "queued", 94)
    }
}

fn running(model: &str) -> SubmissionPage {
    let mut page = SubmissionPage {
        progress: Some(LiveProgress { stage: Stage::Transcribing, done: 1_342, total: 8_000 }),
        attempts: vec![
            attempt(2, "running", None, "loaded 3 files\nready\n"),
            attempt(
                1,
                "failed",
                Some(Failure {
                    class: FailureClass::WorkerLost,
                    message: "node-3 has not been heard from for 90 s.".to_owned(),
                }),
                "",
            ),
        ],
        ..submission(model, "running", 40)
    };
    page.timeline.extend([
        event("running", 60, "node-3", "attempt 1"),
        event("queued", 50, "the service", "worker lost; repeated at no cost"),
        event("running", 40, "node-7", "attempt 2"),
    ]);
    page
}

fn failed(model: &str) -> SubmissionPage {
    let log = format!(
        "INFO: loading en-us.lm.bin\nINFO: {model}\nERROR: \"ngram_model.c\", line 112: unknown weight -lw 6,5\n\
         Traceback (most recent call last):\n  File \"/opt/runtime/run.py\", line 41, in <module>\n    decoder = Decoder(config)\n\
         RuntimeError: Failed to initialize decoder\n"
    );
    let mut page = SubmissionPage {
        may_cancel: false,
        attempts: vec![attempt(
            1,
            "failed",
            Some(Failure {
                class: FailureClass::LoadError,
                message: "The process ended with exit code 1 after 0.8 s, before it was ready.".to_owned(),
            }),
            &log,
        )],
        ..submission(model, "failed", 60)
    };
    page.timeline.extend([
        event("running", 61, "node-7", "attempt 1"),
        event("failed", 60, "node-7", "load_error: the process ended before it was ready"),
    ]);
    page
}

fn published(model: &str) -> SubmissionPage {
    let mut page = SubmissionPage {
        may_cancel: false,
        result_href: Some("/models/1".to_owned()),
        attempts: vec![attempt(1, "done", None, "")],
        ..submission(model, "published", 21)
    };
    page.timeline.extend([
        event("running", 80, "node-7", "attempt 1"),
        event("scoring", 22, "node-7", "8 000 hypotheses handed in"),
        event("published", 21, "the service", ""),
    ]);
    page
}

fn state_count(state: &str, count: u64, oldest: Option<i64>) -> StateCount {
    let late = u64::from(oldest.is_some_and(|minutes| minutes > 1_440));
    StateCount { state: state.to_owned(), count: Count(count), oldest_since: oldest.map(ago), late }
}

fn queue(model: &str) -> QueuePage {
    let job =
        |position: Option<u32>, model: &str, state: &str, since: i64, progress: Option<LiveProgress>| {
            QueueJob {
                position,
                model: model.to_owned(),
                organisation: "Institute for Listening".to_owned(),
                href: Some("/submissions/1".to_owned()),
                state: state.to_owned(),
                since: ago(since),
                hardware_class: "cpu-2core".to_owned(),
                progress,
            }
        };
    QueuePage {
        layout: layout(Section::Queue),
        now: Timestamp(NOW),
        paused: Some((ago(12), format!("New drivers on every node: {model}"))),
        states: vec![
            state_count("checking", 0, None),
            state_count("in_review", 2, Some(1_730)),
            state_count("queued", 3, Some(94)),
            state_count("running", 1, Some(40)),
            state_count("scoring", 0, None),
        ],
        jobs: vec![
            job(
                None,
                "granit-2b",
                "running",
                40,
                Some(LiveProgress { stage: Stage::Repeating, done: 210, total: 400 }),
            ),
            job(Some(1), "kanarie-2.5b", "queued", 94, None),
            job(Some(2), "flüster-tiny", "queued", 61, None),
            job(Some(3), model, "queued", 12, None),
        ],
        workers_online: 2,
    }
}

fn empty_queue() -> QueuePage {
    QueuePage {
        jobs: Vec::new(),
        paused: None,
        workers_online: 0,
        states: vec![state_count("queued", 0, None)],
        ..queue("")
    }
}

fn submit(form: SubmitForm, errors: FieldErrors) -> SubmitPage {
    SubmitPage {
        layout: signed_in(Section::Submit, "ada"),
        form,
        errors,
        runtimes: vec![
            choice("pocketsphinx", "pocketsphinx", true),
            choice("transformers", "transformers", false),
        ],
        releases: vec![choice("demo-1", "demo-1", true), choice("2026-10", "2026-10", false)],
        upload_limit: Bytes(64 << 20),
        large_limit: Bytes(20 << 30),
        quota: Some("No submission is left now; one more comes in 2 h.".to_owned()),
        hub: "huggingface.co".to_owned(),
        takes_tokens: true,
        is_spent: true,
        revises: None,
        preview: None,
    }
}

fn previewed(model: &str) -> SubmitPage {
    let preview = Preview {
        facts: vec![("Model", model.to_owned()), ("Runs on", "demo 1, 8 000 items".to_owned())],
        manifest: format!("name = \"{model}\"\nruntime = \"pocketsphinx\"\n"),
        files: vec![("task.lm".to_owned(), Bytes(40_960), "upload")],
        findings: findings(model),
        review: Some(format!("A person looks first: {model}")),
        chose_files: true,
    };
    SubmitPage {
        preview: Some(preview),
        ..submit(SubmitForm { name: model.to_owned(), ..SubmitForm::default() }, FieldErrors::default())
    }
}

fn revision(model: &str) -> SubmitPage {
    SubmitPage {
        revises: Some(Revised {
            id: id(1).to_string(),
            model: model.to_owned(),
            files: vec!["task.lm".to_owned(), "evaluator.py".to_owned()],
        }),
        ..submit(SubmitForm { name: model.to_owned(), ..SubmitForm::default() }, FieldErrors::default())
    }
}

fn wrong_submit(model: &str) -> SubmitPage {
    let mut errors = FieldErrors::default();
    errors.add("licence", "State the licence of the model.");
    errors.add("decoding", "Line 2: `beam` is set twice. Remove one of them.");
    let form = SubmitForm {
        name: model.to_owned(),
        organisation: model.to_owned(),
        decoding: format!("beam = 1e-48\nbeam = \"{model}\""),
        notes: model.to_owned(),
        ..SubmitForm::default()
    };
    submit(form, errors)
}

fn login(model: &str) -> LoginPage {
    LoginPage {
        layout: layout(Section::Elsewhere),
        name: model.to_owned(),
        error: Some("Name and password do not belong together.".to_owned()),
        next: format!("/submit?{model}"),
    }
}

fn submissions(model: &str) -> SubmissionsPage {
    let row =
        |number: u128, model: &str, state: &str, since: i64, failure: Option<FailureClass>| SubmissionRow {
            id: SubmissionId(id(number)),
            model: model.to_owned(),
            release: "demo-1".to_owned(),
            state: state.to_owned(),
            since: ago(since),
            failure,
            result_href: (state == "published").then(|| "/models/1".to_owned()),
        };
    SubmissionsPage {
        layout: signed_in(Section::Submissions, model),
        now: Timestamp(NOW),
        rows: vec![
            row(1, model, "queued", 12, None),
            row(2, "Lauscher 2B", "published", 3_000, None),
            row(3, "Lauscher 2B", "failed", 3_200, Some(FailureClass::OutOfMemory)),
        ],
        quota: Some("3 submissions are left.".to_owned()),
    }
}

fn staff() -> Layout {
    Layout { user: Some(User { name: "grace".to_owned(), is_admin: true }), ..layout(Section::Admin) }
}

fn templates() -> Vec<ReasonTemplate> {
    vec![ReasonTemplate { name: "licence", label: "Licence unclear", text: "State the licence." }]
}

fn inbox(model: &str) -> InboxPage {
    let entry = |number: u128, state: &str, since: i64, due: i64| InboxEntry {
        id: SubmissionId(id(number)),
        model: model.to_owned(),
        organisation: "Institute for Listening".to_owned(),
        user: "ada".to_owned(),
        release: "demo-1".to_owned(),
        runtime: "pocketsphinx".to_owned(),
        licence: "MIT".to_owned(),
        state: state.to_owned(),
        since: ago(since),
        deadline: Some(deadline(due)),
        priority: (number == 2).then_some("urgent"),
        has_evaluator: number == 1,
        is_revision: number == 2,
        findings: findings(model),
        cautions: 1,
        thread: Some("answered"),
        failure: None,
        may_approve: state == "in_review",
    };
    let filter = |label: &str, count, late, current| Filter {
        label: label.to_owned(),
        href: "/admin".to_owned(),
        count: Count(count),
        late,
        current,
    };
    InboxPage {
        layout: staff(),
        now: Timestamp(NOW),
        here: "/admin".to_owned(),
        filters: vec![filter("Waits for us", 3, 0, true), filter("Late", 1, 1, false)],
        entries: vec![
            entry(1, "in_review", 4_000, -1_120),
            entry(2, "in_review", 1_730, 1_150),
            entry(3, "quarantined", 40, 20_000),
        ],
        templates: templates(),
        objections: vec![OpenObjection {
            model: model.to_owned(),
            href: "/models/1/record".to_owned(),
            since: ago(90),
        }],
    }
}

fn review(model: &str) -> ReviewPage {
    let piece = |class, text: &str| Piece { class, text: text.to_owned() };
    let line = |number, change, flagged, pieces| SourceLine { number, change, pieces, flagged };
    ReviewPage {
        layout: staff(),
        now: Timestamp(NOW),
        id: SubmissionId(id(1)),
        model: model.to_owned(),
        organisation: "Institute for Listening".to_owned(),
        state: "in_review".to_owned(),
        since: ago(4_000),
        deadline: Some(deadline(-1_120)),
        facts: vec![("Licence".to_owned(), "MIT".to_owned()), ("Notes".to_owned(), model.to_owned())],
        findings: findings(model),
        remarks: Measured::new(&measurements()).remarks,
        files: vec![FileRow {
            name: "mine.py".to_owned(),
            from_hub: false,
            bytes: Bytes(2_048),
            sha256: "9f2c1b7c55e0a4f1d6e3b8a07c4d2e9913a6f0b5c8d7e4f2a1b0c9d8e7f6a5b4".to_owned(),
            change: "changed",
        }],
        source: Some(SourceView {
            name: "mine.py".to_owned(),
            lines: vec![
                line(Some(1), "", false, vec![piece("keyword", "import"), piece("", " os")]),
                line(None, "removed", false, vec![piece("", "import wave")]),
                line(Some(2), "added", true, vec![piece("comment", &format!("# {model}"))]),
            ],
            is_diff: true,
            problem: None,
        }),
        user: "ada".to_owned(),
        record: "Before this: 3 submitted, 2 published.".to_owned(),
        others: vec![HistoryRow {
            id: SubmissionId(id(4)),
            model: model.to_owned(),
            state: "published".to_owned(),
            since: ago(9_000),
        }],
        actions: vec![
            NamedAction { name: "approve", label: "Approve", primary: true },
            NamedAction { name: "reject", label: "Reject", primary: false },
        ],
        templates: templates(),
        priorities: vec![choice("urgent", "urgent", false), choice("normal", "normal", true)],
        messages: messages(model),
        audit: vec![audit_row(model)],
        timeline: vec![event("checking", 4_000, "ada", ""), event("in_review", 4_000, "service", model)],
        revision_of: Some(SubmissionId(id(7))),
    }
}

fn audit_row(model: &str) -> AuditRow {
    AuditRow {
        at: ago(40),
        actor: "grace".to_owned(),
        action: "quarantine".to_owned(),
        subject: model.to_owned(),
        submission: Some(SubmissionId(id(1))),
        reason: format!("In doubt: {model}"),
        public: true,
    }
}

fn workers(model: &str) -> WorkersPage {
    let worker = |name: &str, seen: Option<i64>, condition, job| WorkerRow {
        name: name.to_owned(),
        hardware_classes: vec!["nvidia-l4".to_owned(), "nvidia-h200".to_owned()],
        last_seen: seen.map(ago),
        silent: seen != Some(0),
        condition,
        job,
        fingerprint: Some("EPYC, 16 cores, 128 GiB; kernel 6.8; worker 0.1.0".to_owned()),
        runtimes: Some(vec!["pocketsphinx".to_owned(), "onnx".to_owned()]),
        pace: Some(("+0.4 %".to_owned(), true)),
    };
    let job = (format!("{model}, 1342 of 8000"), "/admin/submissions/1".to_owned());
    WorkersPage {
        layout: staff(),
        now: Timestamp(NOW),
        lease_seconds: 90,
        unattended: vec![("nemo".to_owned(), "nvidia-h200".to_owned(), Count(3))],
        workers: vec![
            worker("node-7", Some(0), "taking jobs", Some(job)),
            worker("node-3", Some(50), "draining", None),
            worker("node-1", None, "revoked", None),
        ],
        paused: Some((ago(12), format!("grace: {model}"))),
        issued: Some(("node-9".to_owned(), "ffw_example".to_owned())),
        is_admin: true,
        hardware_class: "cpu-2core".to_owned(),
    }
}

fn node_page(model: &str) -> NodePage {
    let pace = |minutes, deviation: &str, is_usual| PaceRow {
        at: ago(minutes),
        moment: "before".to_owned(),
        milliseconds: "103.10".to_owned(),
        deviation: deviation.to_owned(),
        is_usual,
        model: model.to_owned(),
        href: "/admin/submissions/1".to_owned(),
    };
    NodePage {
        layout: staff(),
        now: Timestamp(NOW),
        worker: workers(model).workers.remove(0),
        parts: vec![("Processor", "EPYC, 16 cores".to_owned()), ("Accelerator", "NVIDIA L4".to_owned())],
        chart: charts::deviations(&[0.001, -0.004, 0.031, 0.004], 0.02),
        tolerance: Some("2.0 %".to_owned()),
        paces: vec![pace(4, "+0.4 %", true), pace(90, "+3.1 %", false)],
        leases: vec![LeaseRow {
            subject: model.to_owned(),
            href: "/admin/submissions/1".to_owned(),
            started: ago(90),
            took: "12 min".to_owned(),
            ended: "worker lost".to_owned(),
            message: Some(format!("The worker stopped sending heartbeats: {model}")),
        }],
        is_admin: true,
    }
}

fn releases(model: &str) -> ReleasesPage {
    let build = |release: &str, done, stopped, state: &str| BuildRow {
        id: BuildId(id(9)),
        release: release.to_owned(),
        started: ago(200),
        done: Count(done),
        items: Count(8_000),
        state: state.to_owned(),
        fault: (stopped > 0).then(|| format!("The recording of {model} could not be fetched.")),
        remaining: (stopped == 0).then(|| "2 h".to_owned()),
        workers: vec![("node-7".to_owned(), "12 of 40 in its part".to_owned())],
        stopped,
        is_open: true,
    };
    ReleasesPage {
        layout: staff(),
        now: Timestamp(NOW),
        builds: vec![
            build("full@2", 1_342, 0, "12 of 64 parts, 4 with workers, 48 waiting"),
            build("demo@3", 4_000, 2, "stopped at 30 of 32 parts"),
        ],
        releases: vec![ReleaseRow {
            name: "demo 1".to_owned(),
            title: model.to_owned(),
            state: "frozen".to_owned(),
            items: Count(8_000),
            published: Count(3),
            underway: Count(1),
            manifest_sha256: Some(
                "9f2c1b7c55e0a4f1d6e3b8a07c4d2e9913a6f0b5c8d7e4f2a1b0c9d8e7f6a5b4".to_owned(),
            ),
            frozen_at: Some(ago(9_000)),
        }],
        is_admin: true,
    }
}

fn quota(model: &str) -> QuotaPage {
    QuotaPage {
        issued: None,
        layout: staff(),
        usual: "A submitter may hand in 10 at once, 5 a day.".to_owned(),
        users: vec![QuotaRow {
            name: "ada".to_owned(),
            role: "submitter",
            left: 3,
            rule: "10 at once, 5 a day".to_owned(),
            exception: Some(Exception { reason: model.to_owned(), until: ago(-9_000) }),
        }],
        is_admin: true,
    }
}

fn record(model: &str) -> RecordPage {
    RecordPage {
        layout: staff(),
        id: SubmissionId(id(1)),
        model: model.to_owned(),
        state: "quarantined".to_owned(),
        since: ago(40),
        hidden: None,
        verified: Some((ago(90), "grace".to_owned())),
        revision_of: Some(SubmissionId(id(7))),
        revised_by: None,
        audit: vec![audit_row(model)],
        objections: vec![
            ObjectionView {
                id: 1,
                at: ago(60),
                author: "bob".to_owned(),
                body: model.to_owned(),
                decision: Some((ago(50), "grace".to_owned(), "Dismissed".to_owned(), model.to_owned())),
            },
            ObjectionView {
                id: 2,
                at: ago(30),
                author: "bob".to_owned(),
                body: "Again.".to_owned(),
                decision: None,
            },
        ],
        may_object: true,
        may_decide: true,
    }
}

fn webhooks(model: &str) -> WebhooksPage {
    WebhooksPage {
        layout: signed_in(Section::Submissions, "ada"),
        rows: vec![WebhookRow {
            id: id(5),
            url: format!("https://example.org/{model}"),
            since: ago(90),
            disabled: true,
            last_result: "The address answered 500.".to_owned(),
        }],
        email: Some((format!("{model}@example.org"), false)),
        sends_mail: true,
        refused_email: None,
        refused: Some((model.to_owned(), "This is not an address.".to_owned())),
        issued: Some(("https://example.org/".to_owned(), "ffh_example".to_owned())),
    }
}

fn method(name: &str) -> MethodPage {
    let room = |title: &str, size| RoomView { title: title.to_owned(), size: Some(size) };
    let demo = Makeup {
        release: "demo 1".to_owned(),
        title: "Demo: one talker, eight furnished rooms".to_owned(),
        renderer: Some("ffasr 0.1.0".to_owned()),
        corpus: Some(corpus()),
        continuous_noise: vec!["ventilation".to_owned()],
        transient_noise: vec!["coughs".to_owned()],
        rooms: vec![room("Bathroom", [3.0, 2.7, 2.5]), room("Office for two", [4.4, 3.2, 2.7])],
    };
    let silent = Makeup { release: "old 1".to_owned(), title: name.to_owned(), ..Makeup::default() };
    MethodPage { layout: layout(Section::Method), releases: vec![demo, silent] }
}

fn runtimes() -> RuntimesPage {
    let setting = |name, takes: &str, help| SettingView { name, takes: takes.to_owned(), help };
    let runtime = |name, description, settings| RuntimeView {
        name,
        version: "2",
        description,
        multichannel: name == "evaluator",
        settings,
    };
    RuntimesPage {
        layout: layout(Section::Submit),
        runtimes: vec![
            runtime(
                "pocketsphinx",
                "CMU PocketSphinx with its US English model. Processor only.",
                vec![
                    setting("beam", "a number, 1e-120 to 1e-5", "Beam of the first pass, over states."),
                    setting("dict", "the name of a file of the model", "Pronunciation dictionary."),
                ],
            ),
            runtime("evaluator", "A Python file that defines evaluate(file: Path) -> str.", Vec::new()),
        ],
        combined: vec!["evaluator-onnx", "evaluator-transformers"],
    }
}

fn corpus() -> Corpus {
    Corpus {
        name: Some("asterisk-prompts-en".to_owned()),
        language: Some("en-US".to_owned()),
        licence: Some("CC-BY-SA-3.0".to_owned()),
        attribution: Some(
            "Asterisk core sounds, recorded by Allison Smith (theivrvoice.com); CC BY-SA 3.0. Changed: decoded from G.722, selected, and placed in simulated rooms with noise.".to_owned(),
        ),
        source: Some("Debian packages asterisk-core-sounds-en-g722 and asterisk-core-sounds-en".to_owned()),
    }
}

fn error(status: u16, detail: impl Into<String>) -> ErrorPage {
    let login = (status == 401).then(|| "/login?next=%2Fsubmissions".to_owned());
    ErrorPage { layout: layout(Section::Elsewhere), status, detail: detail.into(), login }
}
