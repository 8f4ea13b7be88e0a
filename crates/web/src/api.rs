//! The JSON API, version 1, and a board as CSV and as a chart.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use protocol::{AttemptId, FailureClass, Measurements, RunReport, SubmissionId};
use scoring::ScoringProfile;
use serde::{Deserialize, Serialize};
use store::{estimate, findings, inbox, scores, self_reports::NewSelfReport, submissions};
use time::OffsetDateTime;

use crate::{
    Service,
    asked::{Asked, Pairs, no_place},
    auth::ApiUser,
    board::{BoardJson, Snapshot},
    comparison::{self, Compared},
    error::AppError,
    extract::{JsonBody, Multipart, Path, Query},
    items, pages, scorer, self_report,
    submit::{self, Refusal},
    views::TRACKS,
};

#[derive(Serialize)]
struct Boards {
    boards: Vec<BoardEntry>,
}

#[derive(Serialize)]
struct BoardEntry {
    release: String,
    version: String,
    title: String,
    manifest_sha256: String,
    hardware_classes: Vec<String>,
    href: String,
}

/// Whether the service and its database are up.
pub(crate) async fn health(State(service): State<Service>) -> Result<Json<serde_json::Value>, AppError> {
    store::ping(&service.pool).await?;
    let age = OffsetDateTime::now_utc() - service.board().built_at;
    Ok(Json(serde_json::json!({ "status": "ok", "board_age_seconds": age.whole_seconds() })))
}

pub(crate) async fn boards(State(service): State<Service>) -> impl IntoResponse {
    let snapshot = service.board();
    let boards = snapshot
        .releases
        .iter()
        .map(|release| BoardEntry {
            release: release.slug.clone(),
            version: release.version.clone(),
            title: release.title.clone(),
            manifest_sha256: release.manifest_sha256.clone(),
            hardware_classes: snapshot
                .boards_of(release.id)
                .map(|board| board.hardware_class.clone())
                .collect(),
            href: format!("/api/v1/boards/{}@{}", release.slug, release.version),
        })
        .collect();
    Json(Boards { boards })
}

/// What the query asks of a board; the release is in the path.
fn asked<'a>(
    service: &Service,
    snapshot: &'a Snapshot,
    release: &str,
    mut pairs: Pairs,
) -> Result<Asked<'a>, AppError> {
    pairs.push(("release".to_owned(), release.to_owned()));
    let is_given = pairs.iter().any(|(key, value)| key == "hardware" && !value.is_empty());
    let asked = Asked::read(service, snapshot, &pairs)?;
    if is_given && asked.ranking.is_none() {
        let class = &asked.hardware_class;
        return Err(AppError::NotFound(format!("result on hardware class \u{201c}{class}\u{201d}")));
    }
    Ok(asked)
}

/// `GET /api/v1/boards/{release}` with the parameters of a view.
pub(crate) async fn board(
    State(service): State<Service>,
    Path(release): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, AppError> {
    let snapshot = service.board();
    let asked = asked(&service, &snapshot, &release, pairs)?;
    Ok(Json(BoardJson::viewed(&snapshot, &asked)).into_response())
}

/// `GET /api/v1/boards/{release}/csv` with the parameters of a view.
pub(crate) async fn board_csv(
    State(service): State<Service>,
    Path(release): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, AppError> {
    let snapshot = service.board();
    let asked = asked(&service, &snapshot, &release, pairs)?;
    let text = to_csv(&asked).map_err(|error| AppError::Internal(format!("writing CSV failed: {error}")))?;
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], text).into_response())
}

fn to_csv(asked: &Asked<'_>) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut head: Vec<String> =
        ["rank", "rank_low", "rank_high", "model", "organisation", "licence", "avg_wer"]
            .map(str::to_owned)
            .to_vec();
    head.extend(["avg_wer_low", "avg_wer_high"].map(str::to_owned));
    head.extend(TRACKS.iter().map(|track| track.name.replace('-', "_") + "_wer"));
    head.extend(
        ["rtfx", "latency_p50_s", "latency_p95_s", "num_params", "pareto", "pareto_probability"]
            .map(str::to_owned),
    );
    let is_view = !asked.view.is_whole_ranking();
    if is_view {
        head.extend(["place", "score", "score_low", "score_high", "no_place"].map(str::to_owned));
    }
    writer.write_record(&head)?;
    for (answered, row) in asked.rows() {
        let summary = &row.result.summary;
        let mut cells = vec![
            row.rank.to_string(),
            row.rank_interval.0.to_string(),
            row.rank_interval.1.to_string(),
            row.result.manifest.name.clone(),
            row.result.manifest.organisation.clone(),
            row.result.manifest.licence.clone(),
            number(summary.avg_wer),
            number(summary.avg_wer_interval.map(|interval| interval.0)),
            number(summary.avg_wer_interval.map(|interval| interval.1)),
        ];
        cells.extend(
            TRACKS.iter().map(|track| number(summary.tracks.get(track.name).and_then(|track| track.wer))),
        );
        cells.extend([
            number(summary.rtfx),
            number(Some(summary.latency.p50)),
            number(Some(summary.latency.p95)),
            row.candidate.num_params.map(|count| count.to_string()).unwrap_or_default(),
            row.on_front.to_string(),
            number(Some(row.front_probability)),
        ]);
        if is_view {
            let interval = answered.score.and_then(|score| score.interval);
            cells.extend([
                answered.standing.place().map(|place| place.to_string()).unwrap_or_default(),
                number(answered.score.map(|score| score.value)),
                number(interval.map(|interval| interval.0)),
                number(interval.map(|interval| interval.1)),
                no_place(&answered.standing).unwrap_or_default(),
            ]);
        }
        writer.write_record(&cells)?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

fn number(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// `GET /api/v1/boards/{release}/pareto.svg` with the parameters of a view.
pub(crate) async fn board_chart(
    State(service): State<Service>,
    Path(release): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Result<Response, AppError> {
    let snapshot = service.board();
    let svg = pages::board::standalone_chart(&asked(&service, &snapshot, &release, pairs)?);
    // A chart as a file brings its style along, which the policy of the pages would refuse.
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    let headers = [(header::CONTENT_TYPE, "image/svg+xml"), (header::CONTENT_SECURITY_POLICY, policy)];
    Ok((headers, svg).into_response())
}

#[derive(Serialize)]
struct ComparisonJson<'a> {
    a: &'a str,
    b: &'a str,
    scorer: &'a str,
    #[serde(flatten)]
    compared: Compared,
}

/// `GET /api/v1/compare?a=…&b=…`: two published results on the same items.
pub(crate) async fn compare(
    State(service): State<Service>,
    Query(asked): Query<pages::compare::Chosen>,
) -> Result<Response, AppError> {
    let snapshot = service.board();
    let (_, rows) = asked.rows(&snapshot)?;
    let [a, b] = rows.as_slice() else {
        let message = "Name two different submissions, as `a` and as `b`.";
        return Err(AppError::BadRequest(message.to_owned()));
    };
    let compared = comparison::compare(&service, &a.result, &b.result).await?;
    let (name_a, name_b) = (&a.result.manifest.name, &b.result.manifest.name);
    let answer = ComparisonJson { a: name_a, b: name_b, scorer: &a.result.scorer, compared };
    Ok(Json(answer).into_response())
}

#[derive(Deserialize)]
pub(crate) struct ScorerQuery {
    scorer: Option<String>,
}

/// One published result: who, what, how it ran and what was measured beside the times.
#[derive(Serialize)]
struct ResultJson<'a> {
    attempt: AttemptId,
    submission: SubmissionId,
    model: &'a str,
    release: String,
    hardware_class: &'a str,
    scorer: &'a str,
    summary: &'a scores::Summary,
    report: &'a RunReport,
    measurements: Measurements,
}

/// `GET /api/v1/results/{attempt}`.
pub(crate) async fn result(
    State(service): State<Service>,
    Path(attempt): Path<AttemptId>,
) -> Result<Response, AppError> {
    let snapshot = service.board();
    let missing = || AppError::NotFound(format!("published result of attempt {attempt}"));
    let rows = snapshot.each_board().filter(|board| board.profile == scorer::RANKING).flat_map(|it| &it.rows);
    let row = rows.into_iter().find(|row| row.result.attempt == attempt).ok_or_else(missing)?;
    let result = &row.result;
    let release = snapshot.releases.iter().find(|it| it.id == result.release).ok_or_else(missing)?;
    let mut measurements = result.measurements.clone();
    // Ids of items are not public; the sentence says how many there are.
    measurements.flags.iter_mut().for_each(|flag| flag.items.clear());
    let json = ResultJson {
        attempt,
        submission: result.submission,
        model: &result.manifest.name,
        release: format!("{}@{}", release.slug, release.version),
        hardware_class: &result.hardware_class,
        scorer: &result.scorer,
        summary: &result.summary,
        report: &result.report,
        measurements,
    };
    Ok(Json(json).into_response())
}

/// `GET /api/v1/results/{attempt}/items.parquet`: counts, times and conditions of every item, never text.
pub(crate) async fn items(
    State(service): State<Service>,
    Path(attempt): Path<AttemptId>,
    Query(query): Query<ScorerQuery>,
) -> Result<Response, AppError> {
    let snapshot = service.board();
    let missing = || AppError::NotFound(format!("published result of attempt {attempt} under this scorer"));
    let rows = snapshot.each_board().flat_map(|board| &board.rows);
    let row = rows.into_iter().find(|row| row.result.attempt == attempt).ok_or_else(missing)?;
    let release = snapshot.releases.iter().find(|release| release.id == row.result.release);
    let release = release.ok_or_else(missing)?;
    let scorer = match query.scorer.as_deref() {
        None => scorer::of_release(scorer::RANKING, release).scorer(),
        Some(name) => {
            let asked: ScoringProfile =
                name.parse().map_err(|error| AppError::BadRequest(format!("{error}.")))?;
            scorer::of_release(asked, release).scorer()
        }
    };
    if snapshot.by_scorer(attempt).iter().all(|by| by.scorer != scorer) {
        return Err(missing());
    }
    let details = scores::item_details(&service.pool, attempt, &scorer).await?;
    let file = items::parquet(release, &row.result, &scorer, &details)?;
    let profile = scorer.split('@').next().unwrap_or_default();
    let name = format!("attachment; filename=\"{}-{attempt}-{profile}.parquet\"", release.slug);
    let headers = [
        (header::CONTENT_TYPE, "application/vnd.apache.parquet"),
        (header::CONTENT_DISPOSITION, name.as_str()),
    ];
    Ok((headers, file).into_response())
}

#[derive(Serialize)]
struct ExternalBoards {
    boards: Vec<ExternalBoardJson>,
}

#[derive(Serialize)]
struct ExternalBoardJson {
    label: String,
    source_url: Option<String>,
    note: Option<String>,
    run_here: bool,
    #[serde(with = "time::serde::rfc3339")]
    imported_at: OffsetDateTime,
    rows: Vec<ExternalRowJson>,
}

#[derive(Serialize)]
struct ExternalRowJson {
    model: String,
    avg_wer: f64,
    tracks: std::collections::BTreeMap<String, f64>,
    rtfx: Option<f64>,
    num_params: Option<f64>,
    pareto: bool,
}

pub(crate) async fn external(State(service): State<Service>) -> impl IntoResponse {
    let snapshot = service.board();
    let boards = snapshot
        .external
        .iter()
        .map(|board| ExternalBoardJson {
            label: board.label.clone(),
            source_url: board.source_url.clone(),
            note: board.note.clone(),
            run_here: false,
            imported_at: board.imported_at,
            rows: board
                .rows
                .iter()
                .zip(pages::external::front(&board.rows))
                .map(|(row, pareto)| ExternalRowJson {
                    model: row.model.clone(),
                    avg_wer: row.avg_wer,
                    tracks: row.tracks.clone(),
                    rtfx: row.rtfx,
                    num_params: row.num_params,
                    pareto,
                })
                .collect(),
        })
        .collect();
    Json(ExternalBoards { boards })
}

#[derive(Serialize)]
struct SubmissionJson {
    id: SubmissionId,
    model: String,
    release: String,
    hardware_class: String,
    state: String,
    #[serde(with = "time::serde::rfc3339")]
    state_entered_at: OffsetDateTime,
    failure_class: Option<FailureClass>,
    reason: String,
    /// Since when staff keep its result from the board.
    #[serde(with = "time::serde::rfc3339::option")]
    hidden_since: Option<OffsetDateTime>,
    queue_position: Option<i64>,
    /// When somebody should have acted on the state it is in.
    #[serde(with = "time::serde::rfc3339::option")]
    deadline: Option<OffsetDateTime>,
    /// Seconds until the attempt is expected to end.
    expected_seconds: Option<u64>,
    revision_of: Option<SubmissionId>,
    findings: Vec<FindingJson>,
    attempts: Vec<AttemptJson>,
    href: String,
}

#[derive(Serialize)]
struct FindingJson {
    severity: String,
    rule: String,
    place: String,
    sentence: String,
    advice: String,
}

#[derive(Serialize)]
struct QueueJson {
    states: Vec<StateJson>,
    late: Vec<LateJson>,
}

#[derive(Serialize)]
struct StateJson {
    state: String,
    count: i64,
    late: i64,
    #[serde(with = "time::serde::rfc3339")]
    oldest: OffsetDateTime,
    limit_seconds: Option<u64>,
}

#[derive(Serialize)]
struct LateJson {
    id: SubmissionId,
    model: String,
    state: String,
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    href: String,
}

/// `GET /api/v1/queue`: how many submissions are where, for how long, and which are late.
pub(crate) async fn queue(State(service): State<Service>) -> Result<Response, AppError> {
    let limits = &service.settings.policy.limits;
    let states = inbox::tally(&service.pool, limits)
        .await?
        .into_iter()
        .map(|tally| StateJson {
            limit_seconds: limits.of(tally.state).map(|limit| limit.as_secs()),
            state: tally.state.to_string(),
            count: tally.count,
            late: tally.late,
            oldest: tally.oldest,
        })
        .collect();
    let late = inbox::list(&service.pool, inbox::Show::Late, limits)
        .await?
        .into_iter()
        .map(|entry| LateJson {
            id: entry.id,
            model: entry.manifest.name,
            state: entry.state.to_string(),
            since: entry.since,
            href: format!("/submissions/{}", entry.id),
        })
        .collect();
    Ok(Json(QueueJson { states, late }).into_response())
}

#[derive(Serialize)]
struct AttemptJson {
    id: AttemptId,
    number: i32,
    state: String,
    worker: Option<String>,
    stage: Option<String>,
    progress_done: i32,
    progress_total: i32,
    failure_class: Option<FailureClass>,
    message: Option<String>,
}

/// A self-reported result as it is shown.
#[derive(Serialize)]
struct SelfReportJson<'a> {
    id: uuid::Uuid,
    verified: bool,
    model: &'a str,
    organisation: &'a str,
    release: String,
    manifest_sha256: &'a str,
    scorer: &'a str,
    summary: &'a scores::Summary,
    report: &'a RunReport,
    sender: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    received_at: OffsetDateTime,
}

/// `GET /api/v1/self-reported`: results that their senders vouch for alone.
pub(crate) async fn self_reports(State(service): State<Service>) -> Response {
    let snapshot = service.board();
    let reports: Vec<SelfReportJson<'_>> = snapshot
        .self_reports
        .iter()
        .map(|it| SelfReportJson {
            id: it.id,
            verified: false,
            model: &it.manifest.name,
            organisation: &it.manifest.organisation,
            release: format!("{}@{}", it.release_slug, it.release_version),
            manifest_sha256: &it.manifest_sha256,
            scorer: &it.scorer,
            summary: &it.summary,
            report: &it.report,
            sender: &it.user,
            received_at: it.received_at,
        })
        .collect();
    Json(serde_json::json!({ "self_reported": reports })).into_response()
}

/// `POST /api/v1/self-reported`: what `ffasr eval --json` prints, with a personal token. Texts of items are not kept.
pub(crate) async fn report(
    State(service): State<Service>,
    ApiUser(user): ApiUser,
    JsonBody(sent): JsonBody<self_report::SelfReport>,
) -> Result<Response, AppError> {
    let errors = self_report::faults(&sent);
    if !errors.is_empty() {
        return Err(AppError::Invalid(errors.all().to_vec()));
    }
    let new = NewSelfReport {
        user: user.id,
        release_slug: &sent.release.slug,
        release_version: &sent.release.version,
        manifest_sha256: &sent.release.manifest_sha256,
        scorer: &sent.scorer,
        manifest: &sent.model,
        summary: &sent.summary,
        report: &sent.results.results.report,
    };
    let id = store::self_reports::put(&service.pool, &new).await?;
    let body = serde_json::json!({ "id": id, "verified": false, "href": "/self-reported" });
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

/// `POST /api/v1/submissions`: the fields of the form, as multipart, with a personal token.
pub(crate) async fn submit(
    State(service): State<Service>,
    ApiUser(user): ApiUser,
    Multipart(multipart): Multipart,
) -> Result<Response, AppError> {
    let upload = submit::read(multipart).await?;
    let in_words = |refusal| match refusal {
        Refusal::Fields(_, errors) => AppError::Invalid(errors.all().to_vec()),
        Refusal::Duplicate(_, error) | Refusal::Other(error) => error,
    };
    if upload.check {
        let prepared = submit::prepare(&service, &user, upload).await.map_err(in_words)?;
        return Ok(Json(preview(&prepared)).into_response());
    }
    let id = submit::take(&service, &user, upload).await.map_err(in_words)?;
    let body = describe(&service, id).await?;
    let location = format!("/api/v1/submissions/{id}");
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(body)).into_response())
}

pub(crate) async fn submission(
    State(service): State<Service>,
    Path(id): Path<SubmissionId>,
) -> Result<Response, AppError> {
    Ok(Json(describe(&service, id).await?).into_response())
}

/// What a submission would be.
#[derive(Serialize)]
struct PreviewJson {
    model: protocol::ModelManifest,
    release: String,
    files: Vec<PreviewFileJson>,
    findings: Vec<FindingJson>,
    /// Why a person would look first.
    review: Option<String>,
}

#[derive(Serialize)]
struct PreviewFileJson {
    name: String,
    bytes: u64,
    from_hub: bool,
}

fn preview(prepared: &submit::Prepared) -> PreviewJson {
    let submit::Prepared { upload, checked, release, .. } = prepared;
    PreviewJson {
        model: checked.manifest.clone(),
        release: format!("{}@{}", release.slug, release.version),
        files: upload
            .files
            .iter()
            .map(|file| PreviewFileJson {
                name: file.name.clone(),
                bytes: file.bytes(),
                from_hub: file.from_hub,
            })
            .collect(),
        findings: checked.findings.iter().cloned().map(FindingJson::from).collect(),
        review: checked.review.clone(),
    }
}

impl From<store::findings::Finding> for FindingJson {
    fn from(finding: store::findings::Finding) -> Self {
        Self {
            severity: finding.severity,
            rule: finding.rule,
            place: finding.place,
            sentence: finding.sentence,
            advice: finding.advice,
        }
    }
}

async fn describe(service: &Service, id: SubmissionId) -> Result<SubmissionJson, AppError> {
    let submission = submissions::get(&service.pool, id).await?;
    let attempts = submissions::attempts(&service.pool, id).await?;
    let estimate = estimate::of(&service.pool, id, service.settings.lease).await?;
    Ok(SubmissionJson {
        id,
        deadline: service.settings.policy.limits.deadline(submission.state, submission.state_entered_at),
        expected_seconds: estimate.and_then(|estimate| estimate.remaining).map(|left| left.as_secs()),
        revision_of: submission.revision_of,
        findings: findings::of(&service.pool, id).await?.into_iter().map(FindingJson::from).collect(),
        model: submission.manifest.name,
        release: submission.release_slug,
        hardware_class: submission.hardware_class,
        state: submission.state.to_string(),
        state_entered_at: submission.state_entered_at,
        failure_class: submission.failure_class,
        hidden_since: submission.hidden.map(|(since, _)| since),
        reason: submission.reason,
        queue_position: submissions::queue_position(&service.pool, id).await?,
        attempts: attempts
            .into_iter()
            .map(|attempt| AttemptJson {
                id: attempt.id,
                number: attempt.number,
                state: attempt.state,
                worker: attempt.worker,
                stage: attempt.stage,
                progress_done: attempt.progress_done,
                progress_total: attempt.progress_total,
                failure_class: attempt.failure_class,
                message: attempt.message,
            })
            .collect(),
        href: format!("/submissions/{id}"),
    })
}
