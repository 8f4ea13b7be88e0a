//! What happens to a submission, as it happens: server-sent events for its page.
//!
//! Two events: `progress` with what moves all the time, and `change` when the page itself has to be fetched anew. The
//! page works without them; it then refreshes.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_util::{Stream, stream};
use protocol::SubmissionId;
use serde::Serialize;
use store::{StoreError, submissions};
use tokio::time::timeout;

use super::{live_progress, submission::may_act};
use crate::{Service, auth::Visitor, error::AppError, extract::Path};

/// Progress is looked at this often; changes of state come with the notification of the database.
const LOOK: Duration = Duration::from_secs(2);
/// Proxies close what is silent for longer.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// A page that stays open asks again after this; so no connection is held for ever.
const LONGEST: Duration = Duration::from_mins(30);

pub(crate) async fn events(
    State(service): State<Service>,
    Visitor(user): Visitor,
    Path(id): Path<SubmissionId>,
) -> Result<Response, AppError> {
    let submission = submissions::get(&service.pool, id).await?;
    let sees_log = user.is_some_and(|user| may_act(&user, &submission));
    let stream = watch(service, id, sees_log);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// What moves all the time.
#[derive(Clone, PartialEq, Eq, Serialize)]
struct Progress {
    #[serde(skip)]
    state: String,
    stage: Option<String>,
    done: u32,
    total: u32,
    /// End of the log, for those who may read it.
    log: Option<String>,
    #[serde(skip)]
    ended: bool,
}

struct Watch {
    service: Service,
    id: SubmissionId,
    sees_log: bool,
    last: Option<Progress>,
    until: tokio::time::Instant,
}

fn watch(
    service: Service,
    id: SubmissionId,
    sees_log: bool,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let until = tokio::time::Instant::now() + LONGEST;
    stream::unfold(Watch { service, id, sees_log, last: None, until }, async |mut watch| {
        loop {
            let over = watch.last.as_ref().is_some_and(|last| last.ended);
            if over || watch.service.is_stopping() || tokio::time::Instant::now() > watch.until {
                return None;
            }
            if watch.last.is_some() {
                // Subscribed anew each time: a change in between is found by looking.
                let mut changed = watch.service.jobs_changed.subscribe();
                let waited = timeout(LOOK, changed.changed());
                tokio::select! {
                    _ = waited => {}
                    () = watch.service.stopped() => return None,
                }
            }
            // The database may be away for a moment; the page shows what it has.
            let Ok(now) = look(&watch).await else {
                tokio::time::sleep(LOOK).await;
                continue;
            };
            let before = watch.last.replace(now.clone());
            let event = match before {
                Some(before) if before == now => continue,
                Some(before) if before.state != now.state => {
                    Event::default().event("change").data(&now.state)
                }
                _ => match Event::default().event("progress").json_data(&now) {
                    Ok(event) => event,
                    Err(_) => continue,
                },
            };
            return Some((Ok(event), watch));
        }
    })
}

async fn look(watch: &Watch) -> Result<Progress, StoreError> {
    let submission = submissions::get(&watch.service.pool, watch.id).await?;
    let attempts = submissions::attempts(&watch.service.pool, watch.id).await?;
    let running = attempts.into_iter().find(|attempt| attempt.state == "leased");
    let place = running.as_ref().and_then(|attempt| {
        live_progress(attempt.stage.as_deref(), attempt.progress_done, attempt.progress_total)
    });
    Ok(Progress {
        state: submission.state.to_string(),
        stage: place.map(|place| format!("Stage {}: {}", place.place(), place.label())),
        done: place.map_or(0, |place| place.done),
        total: place.map_or(0, |place| place.total),
        log: running.filter(|_| watch.sees_log).map(|attempt| attempt.log_tail),
        ended: submission.state.is_final(),
    })
}
