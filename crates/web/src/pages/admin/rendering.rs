//! Releases, and how far the rendering of new ones is.
//!
//! A build begins on the command line, where the corpora are: its plan holds the texts, and these stay with whoever builds.
//! From there on it is looked after here.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use protocol::BuildId;
use serde::Deserialize;
use store::{
    accounts::Role,
    queue::{self, Running},
    releases::{self, ReleaseSummary},
    rendering::{self, BuildProgress},
};

use super::{Done, admins_only};
use crate::{
    Service,
    auth::Staff,
    error::AppError,
    extract::{Form, Path, Query},
    pages::{Page, layout, now, page},
    views::{Age, BuildRow, Count, ReleaseRow, ReleasesPage, Section, Timestamp},
};

/// `GET /admin/releases`.
pub(crate) async fn show(
    State(service): State<Service>,
    Staff(user): Staff,
    Query(done): Query<Done>,
) -> Page {
    let running = queue::running(&service.pool).await?;
    let builds = rendering::progress(&service.pool, None).await?;
    let releases = releases::summaries(&service.pool).await?;
    let mut layout = layout(&service, Section::Admin, Some(&user));
    layout.notice = done.notice();
    page(&ReleasesPage {
        layout,
        now: now(),
        builds: builds.into_iter().map(|build| build_row(build, &running)).collect(),
        releases: releases.into_iter().map(release_row).collect(),
        is_admin: user.role == Role::Admin,
    })
}

fn build_row(build: BuildProgress, running: &[Running]) -> BuildRow {
    let at_it = |job: &&Running| job.submission.is_none() && job.subject == build.release;
    BuildRow {
        id: BuildId(build.build),
        started: Timestamp(build.created_at),
        done: Count(build.done.unsigned_abs()),
        items: Count(build.items.unsigned_abs()),
        state: state(&build),
        remaining: build.remaining().map(|rest| Age(rest.as_secs()).to_string()),
        workers: running
            .iter()
            .filter(at_it)
            .map(|job| {
                (job.worker.clone(), format!("{} of {} in its part", job.progress_done, job.progress_total))
            })
            .collect(),
        stopped: build.stopped(),
        is_open: !build.is_complete(),
        fault: build.fault.filter(|_| build.rendered < build.shards),
        release: build.release,
    }
}

fn state(build: &BuildProgress) -> String {
    let BuildProgress { shards, rendered, running, waiting, .. } = build;
    if build.is_frozen {
        "rendered and frozen".to_owned()
    } else if build.is_complete() {
        "rendered; the command that started it puts it together".to_owned()
    } else if build.is_stuck() {
        format!("stopped at {rendered} of {shards} parts")
    } else {
        format!("{rendered} of {shards} parts, {running} with workers, {waiting} waiting")
    }
}

fn release_row(release: ReleaseSummary) -> ReleaseRow {
    ReleaseRow {
        name: format!("{} {}", release.slug, release.version),
        title: release.title,
        state: release.state,
        items: Count(release.items.unsigned_abs()),
        published: Count(release.published.unsigned_abs()),
        underway: Count(release.underway.unsigned_abs()),
        manifest_sha256: release.manifest_sha256,
        frozen_at: release.frozen_at.map(Timestamp),
    }
}

#[derive(Deserialize)]
pub(crate) struct BuildAction {
    action: String,
}

/// `POST /admin/builds/{build}`.
pub(crate) async fn change(
    State(service): State<Service>,
    Staff(user): Staff,
    Path(build): Path<BuildId>,
    Form(asked): Form<BuildAction>,
) -> Result<Response, AppError> {
    admins_only(&user)?;
    match asked.action.as_str() {
        "resume" => drop(rendering::resume(&service.pool, build, &user.name).await?),
        "cancel" => rendering::cancel(&service.pool, build, &user.name).await?,
        _ => return Err(AppError::BadRequest("A build can be resumed and cancelled.".to_owned())),
    }
    Ok(Redirect::to(&format!("/admin/releases?done={}-build", asked.action)).into_response())
}
