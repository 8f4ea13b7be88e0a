//! The JSON API, version 1; [`boards`] has its boards, in every format. What it promises is described in [`openapi`], which is served
//! beside it and tested against it.

pub(crate) mod boards;
pub(crate) mod openapi;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use protocol::{AttemptId, FailureClass, Measurements, RunReport, SubmissionId};
use schemars::JsonSchema;
use scoring::ScoringProfile;
use serde::{Deserialize, Serialize};
use store::{estimate, findings, inbox, scores, self_reports::NewSelfReport, submissions};
use time::OffsetDateTime;

use crate::{
    Service,
    auth::ApiUser,
    comparison::{self, Compared},
    error::AppError,
    extract::{JsonBody, Multipart, Path, Query},
    items, pages, scorer, self_report,
    submit::{self, Refusal},
};

/// The frozen releases, the newest first.
#[derive(Serialize, JsonSchema)]
struct Boards {
    /// One entry a version of a release.
    boards: Vec<BoardEntry>,
}

/// A release that models are ranked on.
#[derive(Serialize, JsonSchema)]
struct BoardEntry {
    /// Its slug.
    release: String,
    /// Its version.
    version: String,
    /// Its name for people.
    title: String,
    /// Hash of its manifest, which freezes it.
    manifest_sha256: String,
    /// Hardware classes with results; speeds compare only within one.
    hardware_classes: Vec<String>,
    /// Address of its board.
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

/// Two results on the same items.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Comparison")]
struct ComparisonJson<'a> {
    /// Name of model A.
    a: &'a str,
    /// Name of model B.
    b: &'a str,
    /// Profile and normaliser with their versions.
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
        return Err(AppError::Unprocessable(message.to_owned()));
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
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Result")]
struct ResultJson<'a> {
    attempt: AttemptId,
    submission: SubmissionId,
    model: &'a str,
    /// `slug@version`.
    release: String,
    hardware_class: &'a str,
    /// Profile and normaliser with their versions.
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

/// Tables published elsewhere, for reading; nothing of it ran here.
#[derive(Serialize, JsonSchema)]
struct ExternalBoards {
    boards: Vec<ExternalBoardJson>,
}

/// One table.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ExternalBoard")]
struct ExternalBoardJson {
    label: String,
    source_url: Option<String>,
    note: Option<String>,
    /// Always false.
    run_here: bool,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "openapi::Moment")]
    imported_at: OffsetDateTime,
    rows: Vec<ExternalRowJson>,
}

/// One model of a table published elsewhere. Rates are fractions.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ExternalRow")]
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

/// A model somebody wants ranked, and where it stands.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Submission")]
struct SubmissionJson {
    id: SubmissionId,
    model: String,
    release: String,
    hardware_class: String,
    /// One of the states of a submission, such as `queued` or `published`.
    state: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "openapi::Moment")]
    state_entered_at: OffsetDateTime,
    failure_class: Option<FailureClass>,
    reason: String,
    /// Since when staff keep its result from the board.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<openapi::Moment>")]
    hidden_since: Option<OffsetDateTime>,
    /// How many attempts are claimed before this one, and this one.
    queue_position: Option<i64>,
    /// When somebody should have acted on the state it is in.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<openapi::Moment>")]
    deadline: Option<OffsetDateTime>,
    /// Seconds until the attempt is expected to end.
    expected_seconds: Option<u64>,
    revision_of: Option<SubmissionId>,
    findings: Vec<FindingJson>,
    attempts: Vec<AttemptJson>,
    href: String,
}

/// Something that the checks noticed.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Finding")]
struct FindingJson {
    severity: String,
    rule: String,
    place: String,
    sentence: String,
    advice: String,
}

/// How many submissions are where.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Queue")]
struct QueueJson {
    states: Vec<StateJson>,
    late: Vec<LateJson>,
}

/// The submissions in one state.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "QueueState")]
struct StateJson {
    state: String,
    count: i64,
    late: i64,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "openapi::Moment")]
    oldest: OffsetDateTime,
    limit_seconds: Option<u64>,
}

/// A submission that has been in its state for longer than it should.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LateSubmission")]
struct LateJson {
    id: SubmissionId,
    model: String,
    state: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "openapi::Moment")]
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

/// One lease on one run of a submission.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Attempt")]
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
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SelfReported")]
struct SelfReportJson<'a> {
    id: uuid::Uuid,
    /// Always false.
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
    #[schemars(with = "openapi::Moment")]
    received_at: OffsetDateTime,
}

/// Results that their senders vouch for alone.
#[derive(Serialize, JsonSchema)]
struct SelfReports<'a> {
    self_reported: Vec<SelfReportJson<'a>>,
}

/// A self-reported result that was taken.
#[derive(Serialize, JsonSchema)]
struct SelfReportTaken {
    id: uuid::Uuid,
    /// Always false.
    verified: bool,
    /// The page that shows it.
    href: &'static str,
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
    Json(SelfReports { self_reported: reports }).into_response()
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
    let body = SelfReportTaken { id, verified: false, href: "/self-reported" };
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
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SubmissionPreview")]
struct PreviewJson {
    model: protocol::ModelManifest,
    release: String,
    files: Vec<PreviewFileJson>,
    findings: Vec<FindingJson>,
    /// Why a person would look first.
    review: Option<String>,
}

/// A file of the model.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PreviewFile")]
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
