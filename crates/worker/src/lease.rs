//! The lease of one attempt: heartbeats and log shipping in the background, and when it is over.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use protocol::{
    AttemptId, Basis, Complete, Directive, Events, Fail, FencingToken, Heartbeat, HeartbeatReply, ItemResult,
    Job, Keep, Outcome, PaceReading, Progress, RenderUpload, RenderUploadReply, Rendered, Stage,
};
use sandbox::Cancel;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{
    Pause,
    service::{CallError, Service},
};

/// How often new log text and finished items are shipped, at most.
const SHIPPING_PERIOD: Duration = Duration::from_secs(3);

/// Most text of the items of one request, in bytes; the service takes 1 MiB, and JSON may double what it quotes.
const KEPT_BYTES: usize = 256 * 1024;

/// Log text shipped of one attempt while it runs, in bytes: enough to follow it, too little to carry audio away.
/// What a failed attempt printed last goes with its failure.
const SHIPPED_LOG_BYTES: usize = 64 * 1024;

/// What ends the text shipped of a log that is longer.
const LOG_CUT: &str = "\n[the log goes on; only so much of it is shown while the model runs]\n";

/// Why an attempt is over before it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Somebody else holds the attempt now, or nobody does any more.
    Stale,
    /// The service asked for it.
    Cancelled,
    /// No heartbeat went through for as long as the lease lasts.
    Expired,
    /// This worker was told to stop.
    Stopped,
}

/// What the background tasks and the attempt share.
#[derive(Debug)]
struct Shared {
    service: Service,
    attempt: AttemptId,
    fencing_token: FencingToken,
    duration: Duration,
    status: Mutex<Status>,
    ending: watch::Sender<Option<Ending>>,
    cancel: Cancel,
}

#[derive(Debug)]
struct Status {
    stage: Stage,
    progress: Progress,
    unshipped: String,
    /// How much log text there was so far, in bytes.
    logged: usize,
    paces: Vec<PaceReading>,
    keeping: Option<Keeping>,
    renewed: Instant,
    drain: bool,
}

/// Finished items on their way to the service.
#[derive(Debug)]
struct Keeping {
    basis: Basis,
    continues: bool,
    unshipped: Vec<ItemResult>,
}

/// A held lease. Dropping it stops the heartbeats.
#[derive(Debug)]
pub(crate) struct Lease {
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

impl Lease {
    /// Hold the lease of `job`, claimed at `claimed`.
    pub(crate) fn hold(service: Service, job: &Job, claimed: Instant, stop: watch::Receiver<bool>) -> Self {
        let status = Status {
            stage: Stage::Fetching,
            progress: Progress { done: 0, total: 0 },
            unshipped: String::new(),
            logged: 0,
            paces: Vec::new(),
            keeping: None,
            renewed: claimed,
            drain: false,
        };
        let shared = Arc::new(Shared {
            service,
            attempt: job.attempt,
            fencing_token: job.fencing_token,
            duration: Duration::from_secs(job.lease_seconds.into()),
            status: Mutex::new(status),
            ending: watch::Sender::new(None),
            cancel: Cancel::default(),
        });
        let mut tasks = JoinSet::new();
        let period = Duration::from_secs(job.heartbeat_seconds.max(1).into());
        tasks.spawn(beat(Arc::clone(&shared), period));
        tasks.spawn(expire(Arc::clone(&shared)));
        tasks.spawn(ship(Arc::clone(&shared)));
        tasks.spawn(watch_stop(Arc::clone(&shared), stop));
        Self { shared, _tasks: tasks }
    }

    /// Stops the model as soon as the attempt is over.
    pub(crate) fn cancel(&self) -> Cancel {
        self.shared.cancel.clone()
    }

    /// A cheap handle that reports where the attempt is, from any thread.
    pub(crate) fn reporter(&self) -> Reporter {
        Reporter(Arc::clone(&self.shared))
    }

    /// Why the attempt is over, if it is.
    pub(crate) fn ending(&self) -> Option<Ending> {
        *self.shared.ending.borrow()
    }

    /// Whether the service wants no more attempts after this one.
    pub(crate) fn is_draining(&self) -> bool {
        self.shared.status().drain
    }

    /// `work`, unless the attempt is over before it is done.
    pub(crate) async fn unless_over<T>(&self, work: impl Future<Output = T>) -> Result<T, Ending> {
        let mut ending = self.shared.ending.subscribe();
        tokio::select! {
            biased;
            over = ending.wait_for(Option::is_some) => Err(over.ok().and_then(|it| *it).unwrap_or(Ending::Stale)),
            done = work => Ok(done),
        }
    }

    /// Repeat `call` while it fails in a way that may pass and the attempt is not over.
    pub(crate) async fn persist<T, F>(&self, call: impl Fn() -> F) -> Result<Result<T, String>, Ending>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let mut pause = Pause::default();
        loop {
            match self.unless_over(call()).await? {
                Ok(done) => return Ok(Ok(done)),
                Err(CallError::Stale(_)) => return Err(Ending::Stale),
                Err(CallError::Refused(reason)) => return Ok(Err(reason)),
                Err(CallError::Passing(reason)) => {
                    tracing::warn!(attempt = %self.shared.attempt, reason, "trying again");
                    self.unless_over(pause.wait()).await?;
                }
            }
        }
    }

    /// Where to put the results; asked for anew each time, since it is valid for some minutes only.
    pub(crate) async fn upload_url(&self) -> Result<String, CallError> {
        self.shared.heartbeat().await.map(|reply| reply.upload_url)
    }

    /// Ship the log there is now; what cannot be shipped is tried again with the next tick.
    pub(crate) async fn ship_log(&self) {
        self.shared.ship_log().await;
    }

    /// Ship the finished items there are now, so that another attempt can go on from here.
    pub(crate) async fn ship_items(&self) {
        while self.shared.ship_items().await {}
    }

    /// The results are in storage.
    pub(crate) async fn complete(&self, results_sha256: &str) -> Result<(), CallError> {
        let Shared { attempt, fencing_token, .. } = *self.shared;
        let complete = Complete { attempt, fencing_token, results_sha256: results_sha256.to_owned() };
        self.shared.service.complete(&complete).await
    }

    /// Where to put audio that was rendered.
    pub(crate) async fn render_upload(&self, sha256: &[String]) -> Result<RenderUploadReply, CallError> {
        let Shared { attempt, fencing_token, .. } = *self.shared;
        self.shared
            .service
            .render_upload(&RenderUpload { attempt, fencing_token, sha256: sha256.to_vec() })
            .await
    }

    /// The audio is in storage.
    pub(crate) async fn rendered(&self, result: &str) -> Result<(), CallError> {
        let Shared { attempt, fencing_token, .. } = *self.shared;
        self.shared.service.rendered(&Rendered { attempt, fencing_token, result: result.to_owned() }).await
    }

    /// The attempt ended without results.
    pub(crate) async fn fail(&self, failure: &Failure) -> Result<(), CallError> {
        let Shared { attempt, fencing_token, .. } = *self.shared;
        let Failure { class, message, log_tail } = failure.clone();
        let message = sentence(&message);
        self.shared.service.fail(&Fail { attempt, fencing_token, class, message, log_tail }).await
    }
}

/// What to tell the submitter about an attempt without results.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) class: protocol::FailureClass,
    pub(crate) message: String,
    pub(crate) log_tail: String,
}

/// The service publishes what it is told, and other sentences follow.
fn sentence(text: &str) -> String {
    let mut characters = text.trim().chars();
    let mut sentence: String =
        characters.next().into_iter().flat_map(char::to_uppercase).chain(characters).collect();
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

/// Reports where an attempt is.
#[derive(Debug, Clone)]
pub(crate) struct Reporter(Arc<Shared>);

impl Reporter {
    /// The attempt is in `stage`, `done` of `total`.
    pub(crate) fn stage(&self, stage: Stage, done: u32, total: u32) {
        let mut status = self.0.status();
        (status.stage, status.progress) = (stage, Progress { done, total });
    }

    /// One more of the current stage.
    pub(crate) fn step(&self) {
        self.0.status().progress.done += 1;
    }

    /// Items that are done from now on are kept for another attempt. `continues`: beside those from before.
    pub(crate) fn keep_from_here(&self, basis: Basis, continues: bool) {
        self.0.status().keeping = Some(Keeping { basis, continues, unshipped: Vec::new() });
    }

    /// An item is done.
    pub(crate) fn item(&self, item: ItemResult) {
        if let Some(keeping) = &mut self.0.status().keeping {
            keeping.unshipped.push(item);
        }
    }

    /// The node's pace was measured.
    pub(crate) fn pace(&self, reading: PaceReading) {
        self.0.status().paces.push(reading);
    }

    /// New log text.
    pub(crate) fn log(&self, text: &str) {
        let mut status = self.0.status();
        let room = SHIPPED_LOG_BYTES.saturating_sub(status.logged);
        status.logged += text.len();
        if room == 0 {
            return;
        }
        if text.len() <= room {
            status.unshipped.push_str(text);
        } else {
            status.unshipped.push_str(&text[..text.floor_char_boundary(room)]);
            status.unshipped.push_str(LOG_CUT);
        }
    }
}

impl Shared {
    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first ending counts.
    fn end(&self, ending: Ending) {
        self.ending.send_if_modified(|it| it.is_none() && it.replace(ending).is_none());
        self.cancel.cancel();
    }

    async fn heartbeat(&self) -> Result<HeartbeatReply, CallError> {
        let heartbeat = {
            let status = self.status();
            Heartbeat {
                attempt: self.attempt,
                fencing_token: self.fencing_token,
                stage: status.stage,
                progress: status.progress,
            }
        };
        // The lease runs from when the service saw this, which is after now: never too long.
        let sent = Instant::now();
        let reply = self.service.heartbeat(&heartbeat).await;
        match &reply {
            Ok(reply) => {
                let mut status = self.status();
                status.renewed = sent;
                status.drain |= reply.directive == Directive::Drain;
                drop(status);
                if reply.directive == Directive::Cancel {
                    self.end(Ending::Cancelled);
                }
            }
            Err(CallError::Stale(_)) => self.end(Ending::Stale),
            Err(error) => tracing::warn!(attempt = %self.attempt, %error, "a heartbeat did not go through"),
        }
        reply
    }

    async fn ship_log(&self) {
        let (log, paces) = {
            let mut status = self.status();
            (std::mem::take(&mut status.unshipped), std::mem::take(&mut status.paces))
        };
        if log.is_empty() && paces.is_empty() {
            return;
        }
        let events = Events { attempt: self.attempt, fencing_token: self.fencing_token, log, paces };
        match self.service.events(&events).await {
            Err(CallError::Passing(_)) => {
                let mut status = self.status();
                status.unshipped.insert_str(0, &events.log);
                status.paces.splice(0..0, events.paces);
            }
            Err(CallError::Stale(_)) => self.end(Ending::Stale),
            Ok(()) | Err(CallError::Refused(_)) => {}
        }
    }

    /// Whether there may be more to ship at once.
    async fn ship_items(&self) -> bool {
        let Some(keep) = self.next_items() else { return false };
        match self.service.keep(&keep).await {
            Ok(()) => return true,
            Err(CallError::Passing(_)) => {
                if let Some(keeping) = &mut self.status().keeping {
                    keeping.unshipped.splice(0..0, keep.items);
                }
            }
            Err(CallError::Stale(_)) => self.end(Ending::Stale),
            Err(CallError::Refused(reason)) => {
                // A service of before knows nothing of this; then a lost attempt is repeated from its beginning.
                tracing::info!(attempt = %self.attempt, reason, "finished items are not kept");
                self.status().keeping = None;
            }
        }
        false
    }

    fn next_items(&self) -> Option<Keep> {
        let mut status = self.status();
        let keeping = status.keeping.as_mut()?;
        let mut bytes = 0;
        let fitting = keeping.unshipped.iter().take(Keep::MOST_ITEMS).take_while(|it| {
            bytes += match &it.outcome {
                Outcome::Text(text) | Outcome::Error(text) => text.len(),
                Outcome::Segments(segments) => segments.iter().map(|segment| segment.words.len()).sum(),
            };
            bytes <= KEPT_BYTES
        });
        // One that is too long by itself goes alone.
        let number = fitting.count().max(1).min(keeping.unshipped.len());
        let items: Vec<ItemResult> = keeping.unshipped.drain(..number).collect();
        (!items.is_empty()).then(|| Keep {
            attempt: self.attempt,
            fencing_token: self.fencing_token,
            basis: keeping.basis.clone(),
            continues: keeping.continues,
            items,
        })
    }
}

async fn beat(shared: Arc<Shared>, period: Duration) {
    let mut pause = Pause::default();
    loop {
        if let Err(CallError::Passing(_)) = shared.heartbeat().await {
            pause.wait().await;
        } else {
            pause = Pause::default();
            tokio::time::sleep(period).await;
        }
    }
}

async fn expire(shared: Arc<Shared>) {
    loop {
        let end = shared.status().renewed + shared.duration;
        tokio::time::sleep_until(end).await;
        if shared.status().renewed + shared.duration <= Instant::now() {
            return shared.end(Ending::Expired);
        }
    }
}

async fn ship(shared: Arc<Shared>) {
    let mut ticks = interval(SHIPPING_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        shared.ship_log().await;
        while shared.ship_items().await {}
    }
}

async fn watch_stop(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    if stop.wait_for(|stopped| *stopped).await.is_ok() {
        shared.end(Ending::Stopped);
    }
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn what_the_service_is_told_is_a_sentence() {
        assert_eq!(sentence("the node's disk failed: full\n"), "The node's disk failed: full.");
        assert_eq!(sentence("It is over."), "It is over.");
        assert_eq!(sentence("`x` is not known"), "`x` is not known.");
    }
}
