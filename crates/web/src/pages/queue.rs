//! What waits and what runs, for everybody.

use axum::extract::State;
use store::{
    accounts,
    state::SubmissionState,
    submissions::{self, Filter},
};
use time::OffsetDateTime;

use super::{Page, layout, live_progress, now, page};
use crate::{
    Service,
    auth::Visitor,
    views::{Count, QueueJob, QueuePage, Section, StateCount, Timestamp},
};

pub(crate) async fn show(State(service): State<Service>, Visitor(user): Visitor) -> Page {
    let counts = submissions::counts(&service.pool).await?;
    let mut states = Vec::new();
    for count in counts {
        if !count.state.parse::<SubmissionState>()?.is_final() {
            states.push(StateCount {
                state: count.state,
                count: Count(count.count.unsigned_abs()),
                oldest_since: Some(Timestamp(count.oldest)),
            });
        }
    }
    let mut jobs = Vec::new();
    for submission in submissions::list(&service.pool, Filter::Open).await? {
        let position = submissions::queue_position(&service.pool, submission.id).await?;
        let attempts = submissions::attempts(&service.pool, submission.id).await?;
        let progress = attempts.iter().find(|attempt| attempt.state == "leased").and_then(|attempt| {
            live_progress(attempt.stage.as_deref(), attempt.progress_done, attempt.progress_total)
        });
        jobs.push(QueueJob {
            position: position.and_then(|ahead| u32::try_from(ahead + 1).ok()),
            model: submission.manifest.name,
            organisation: submission.manifest.organisation,
            href: Some(format!("/submissions/{}", submission.id)),
            state: submission.state.to_string(),
            since: Timestamp(submission.state_entered_at),
            hardware_class: submission.hardware_class,
            progress,
        });
    }
    // What runs comes first, then what waits in the order it will run.
    jobs.sort_by_key(|job| job.position.unwrap_or(0));
    let silent_since = OffsetDateTime::now_utc() - service.settings.lease;
    let workers = accounts::workers(&service.pool).await?;
    let online = workers
        .iter()
        .filter(|worker| !worker.revoked && worker.last_seen_at.is_some_and(|seen| seen > silent_since))
        .count();
    page(&QueuePage {
        layout: layout(&service, Section::Queue, user.as_ref()),
        now: now(),
        states,
        jobs,
        workers_online: u32::try_from(online).unwrap_or(u32::MAX),
    })
}
