//! Results that their senders vouch for alone.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use store::{
    accounts::{Role, User},
    self_reports::{self, SelfReport},
};
use uuid::Uuid;

use super::{Page, layout, model::estimate, page};
use crate::{
    Service,
    auth::{SignedIn, Visitor},
    error::AppError,
    extract::Path,
    views::{
        Estimate, Params, Rtfx, Seconds, Section, SelfReportRow, SelfReportSet, SelfReportsPage, TRACKS,
        Timestamp,
    },
};

pub(crate) async fn show(State(service): State<Service>, Visitor(user): Visitor) -> Page {
    let snapshot = service.board();
    let mut sets: Vec<SelfReportSet> = Vec::new();
    for report in &snapshot.self_reports {
        let release = format!("{} {}", report.release_slug, report.release_version);
        let row = row(report, user.as_ref());
        match sets.last_mut() {
            Some(set) if set.manifest_sha256 == report.manifest_sha256 && set.release == release => {
                set.rows.push(row);
            }
            _ => sets.push(SelfReportSet {
                release,
                manifest_sha256: report.manifest_sha256.clone(),
                is_known: snapshot.releases.iter().any(|it| it.manifest_sha256 == report.manifest_sha256),
                rows: vec![row],
            }),
        }
    }
    let mut layout = layout(&service, Section::Board, user.as_ref());
    layout.json_href = Some("/api/v1/self-reported".to_owned());
    page(&SelfReportsPage { layout, sets })
}

fn row(report: &SelfReport, user: Option<&User>) -> SelfReportRow {
    let summary = &report.summary;
    let node = &report.report.fingerprint;
    SelfReportRow {
        id: report.id,
        model: report.manifest.name.clone(),
        organisation: report.manifest.organisation.clone(),
        sender: report.user.clone(),
        may_remove: user.is_some_and(|user| user.role != Role::Submitter || user.name == report.user),
        avg_wer: Estimate::new(summary.avg_wer.unwrap_or(f64::NAN), summary.avg_wer_interval),
        tracks: TRACKS.map(|track| estimate(summary.tracks.get(track.name))),
        rtfx: summary.rtfx.map(Rtfx),
        latency_p50: Seconds(summary.latency.p50),
        num_params: report.report.num_params.or(report.manifest.num_params).map(Params),
        node: format!("{}, {} cores", node.cpu, node.cores),
        received_at: Timestamp(report.received_at),
    }
}

/// The sender removes what is theirs, staff anything.
pub(crate) async fn remove(
    State(service): State<Service>,
    SignedIn(user): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<Response, AppError> {
    let of = (user.role == Role::Submitter).then_some(user.id);
    if !self_reports::remove(&service.pool, id, of).await? {
        return Err(AppError::NotFound("self-reported result of yours".to_owned()));
    }
    Ok(Redirect::to("/self-reported").into_response())
}
