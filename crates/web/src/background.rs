//! What the service does by itself: expire leases, score, rebuild the board.
//!
//! Each loop takes no input and may run at any time (a reconciler): an event wakes it, a timer makes sure that it wakes.

use std::{future::Future, io, time::Duration};

use store::{BOARD_CHANNEL, JOBS_CHANNEL, PgListener, queue};
use tokio::{sync::watch, task::JoinSet, time::timeout};

use crate::{Service, board::Snapshot, delivery, dump, mail, scorer, uploads};

/// Leases are looked at this often.
const RECONCILE: Duration = Duration::from_secs(1);
/// The board is rebuilt at least this often.
const REBUILD: Duration = Duration::from_mins(1);
/// How long scoring may take before somebody else tries.
const SCORING_LEASE: Duration = Duration::from_mins(5);
/// Pause after an error, so that a database that is away is not flooded.
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// Starts the loops; they end when the service stops.
pub(crate) fn start(service: &Service) -> JoinSet<()> {
    let mut loops = JoinSet::new();
    loops.spawn(until_stopped(service.clone(), listen(service.clone())));
    loops.spawn(reconcile(service.clone()));
    loops.spawn(until_stopped(service.clone(), keep_board(service.clone())));
    loops.spawn(until_stopped(service.clone(), delivery::deliver(service.clone())));
    loops.spawn(until_stopped(service.clone(), mail::send_all(service.clone())));
    loops.spawn(until_stopped(service.clone(), uploads::check_all(service.clone())));
    loops.spawn(until_stopped(service.clone(), uploads::collect_all(service.clone())));
    loops.spawn(until_stopped(service.clone(), dump::make_nightly(service.clone())));
    loops
}

/// Ready when a loop has ended although the service goes on: without it the service would only look alive.
pub(crate) async fn ended(loops: &mut JoinSet<()>) -> io::Error {
    match loops.join_next().await {
        Some(Err(error)) => io::Error::other(format!("a background loop ended: {error}")),
        Some(Ok(())) | None => io::Error::other("a background loop ended"),
    }
}

async fn until_stopped(service: Service, work: impl Future<Output = ()>) {
    tokio::select! {
        () = work => {}
        () = service.stopped() => {}
    }
}

/// Turns notifications of the database into wake-ups of this process.
async fn listen(service: Service) {
    loop {
        let listening = async {
            let mut listener = PgListener::connect_with(&service.pool).await?;
            listener.listen_all([JOBS_CHANNEL, BOARD_CHANNEL]).await?;
            // Whatever was notified while nobody listened is gone.
            wake(&service.jobs_changed);
            wake(&service.board_changed);
            loop {
                // None: the connection was lost and is up again, and notifications may have been lost with it.
                let channel =
                    listener.try_recv().await?.map(|notification| notification.channel().to_owned());
                if channel.as_deref() != Some(BOARD_CHANNEL) {
                    wake(&service.jobs_changed);
                }
                if channel.as_deref() != Some(JOBS_CHANNEL) {
                    wake(&service.board_changed);
                }
            }
        };
        let ended: Result<(), store::StoreError> = listening.await;
        if let Err(error) = ended {
            tracing::warn!("not listening to the database: {error}");
            // The database may be away: the board finds out now, not at its next turn.
            wake(&service.board_changed);
        }
        tokio::time::sleep(AFTER_ERROR).await;
    }
}

fn wake(channel: &watch::Sender<()>) {
    channel.send_replace(());
}

/// Stops between two jobs, not in the middle of one: its lease would have to run out before somebody else scores it.
async fn reconcile(service: Service) {
    let mut changed = service.jobs_changed.subscribe();
    while !service.is_stopping() {
        changed.mark_unchanged();
        if let Err(error) = reconcile_once(&service).await {
            tracing::warn!("reconciling failed and is tried again: {error}");
            tokio::time::sleep(AFTER_ERROR).await;
        }
        until_stopped(service.clone(), async {
            let _ = timeout(RECONCILE, changed.changed()).await;
        })
        .await;
    }
}

async fn reconcile_once(service: &Service) -> Result<(), store::StoreError> {
    let expired = queue::expire_leases(&service.pool).await?;
    if expired > 0 {
        tracing::info!("{expired} leases expired");
    }
    while !service.is_stopping() {
        let Some(job) = queue::claim_scoring(&service.pool, SCORING_LEASE).await? else {
            break;
        };
        match scorer::score(service, &job).await {
            Ok(outcomes) => {
                if outcomes.canaries > 0 {
                    remark_on_canaries(service, &job, outcomes.canaries).await?;
                }
                queue::publish(&service.pool, &job, &outcomes.scores).await?;
            }
            Err(failure) => {
                tracing::warn!("scoring attempt {} failed: {}", job.attempt, failure.message);
                queue::fail_scoring(&service.pool, &job, failure.class, &failure.message).await?;
            }
        }
    }
    Ok(())
}

/// For reviewers alone: what is wrong is found out more easily while nobody is warned.
async fn remark_on_canaries(
    service: &Service,
    job: &queue::ScoringJob,
    heard: usize,
) -> Result<(), store::StoreError> {
    let reason = format!(
        "The model wrote {heard} made-up word(s) that stand in the references on file and are said nowhere: it has seen them."
    );
    tracing::warn!("submission {}: {reason}", job.submission);
    store::audit::remark(&service.pool, job.submission, "canary", &reason).await
}

/// Writes the boards that have changed into their history.
async fn remember(service: &Service, before: &Snapshot, now: &Snapshot) -> Result<(), store::StoreError> {
    for board in now.changed_since(before) {
        let key = (board.release, board.hardware_class.as_str());
        store::history::record(
            &service.pool,
            key,
            &now.scorer(board.profile, Some(board.release)),
            &board.history(),
        )
        .await?;
    }
    for board in before.gone_in(now) {
        let key = (board.release, board.hardware_class.as_str());
        store::history::record(&service.pool, key, &before.scorer(board.profile, Some(board.release)), &[])
            .await?;
    }
    Ok(())
}

async fn keep_board(service: Service) {
    let mut changed = service.board_changed.subscribe();
    // What the service began with may be news; writing down what is known already writes nothing.
    if let Err(error) = remember(&service, &Snapshot::empty(), &service.board()).await {
        tracing::warn!("the history of the board could not be written: {error}");
    }
    loop {
        changed.mark_unchanged();
        let previous = service.board();
        match Snapshot::build(&service.pool, Some(&previous)).await {
            Ok(snapshot) => {
                if let Err(error) = remember(&service, &previous, &snapshot).await {
                    tracing::warn!("the history of the board could not be written: {error}");
                }
                service.set_board(snapshot);
            }
            Err(error) => {
                // The last snapshot stays; pages carry a banner saying so.
                tracing::warn!("the board could not be rebuilt: {error}");
                service.mark_board_stale();
                tokio::time::sleep(AFTER_ERROR).await;
                continue;
            }
        }
        let _ = timeout(REBUILD, changed.changed()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_loop_that_panics_is_an_error_of_the_service() {
        let mut loops = JoinSet::new();
        loops.spawn(std::future::pending());
        loops.spawn(async { panic!("out of order") });
        assert!(ended(&mut loops).await.to_string().contains("panicked"));
    }
}
