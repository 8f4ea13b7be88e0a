//! What waits and what runs, for everybody.

use axum::extract::State;
use store::{
    accounts, inbox, pause,
    submissions::{self, Waiting},
};
use time::OffsetDateTime;

use super::{Page, layout, live_progress, now, page};
use crate::{
    Service,
    auth::Visitor,
    views::{Count, QueueJob, QueuePage, Section, StateCount, Timestamp},
};

pub(crate) async fn show(State(service): State<Service>, Visitor(user): Visitor) -> Page {
    let mut states = Vec::new();
    for tally in inbox::tally(&service.pool, &service.settings.policy.limits).await? {
        if !tally.state.is_final() {
            states.push(StateCount {
                state: tally.state.to_string(),
                count: Count(tally.count.unsigned_abs()),
                oldest_since: Some(Timestamp(tally.oldest)),
                late: tally.late.unsigned_abs(),
            });
        }
    }
    let jobs = submissions::waiting(&service.pool).await?.into_iter().map(job).collect();
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
        paused: pause::current(&service.pool).await?.map(|it| (Timestamp(it.paused_at), it.reason)),
    })
}

fn job(waiting: Waiting) -> QueueJob {
    QueueJob {
        position: waiting.position.and_then(|place| u32::try_from(place).ok()),
        model: waiting.manifest.name,
        organisation: waiting.manifest.organisation,
        href: Some(format!("/submissions/{}", waiting.id)),
        state: waiting.state.to_string(),
        since: Timestamp(waiting.state_entered_at),
        hardware_class: waiting.hardware_class,
        progress: live_progress(waiting.stage.as_deref(), waiting.progress_done, waiting.progress_total),
    }
}
