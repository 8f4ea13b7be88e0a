//! What the service does by itself: expire leases, score, rebuild the board.
//!
//! Each loop takes no input and may run at any time (a reconciler): an event wakes it, a timer makes sure that it wakes.

use std::time::Duration;

use store::{BOARD_CHANNEL, JOBS_CHANNEL, PgListener, queue};
use tokio::{sync::watch, time::timeout};

use crate::{Service, board::Snapshot, scorer};

/// Leases are looked at this often.
const RECONCILE: Duration = Duration::from_secs(1);
/// The board is rebuilt at least this often.
const REBUILD: Duration = Duration::from_mins(1);
/// How long scoring may take before somebody else tries.
const SCORING_LEASE: Duration = Duration::from_mins(5);
/// Pause after an error, so that a database that is away is not flooded.
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// Starts the loops; they stop with the runtime.
pub(crate) fn start(service: &Service) {
    tokio::spawn(listen(service.clone()));
    tokio::spawn(reconcile(service.clone()));
    tokio::spawn(keep_board(service.clone()));
}

/// Turns notifications of the database into wake-ups of this process.
async fn listen(service: Service) {
    loop {
        let listening = async {
            let mut listener = PgListener::connect_with(&service.pool).await?;
            listener.listen_all([JOBS_CHANNEL, BOARD_CHANNEL]).await?;
            loop {
                // None: the connection was lost and is up again; whatever was notified meanwhile is gone.
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
        }
        tokio::time::sleep(AFTER_ERROR).await;
    }
}

fn wake(channel: &watch::Sender<()>) {
    channel.send_replace(());
}

async fn reconcile(service: Service) {
    let mut changed = service.jobs_changed.subscribe();
    loop {
        changed.mark_unchanged();
        if let Err(error) = reconcile_once(&service).await {
            tracing::warn!("reconciling failed and is tried again: {error}");
            tokio::time::sleep(AFTER_ERROR).await;
        }
        let _ = timeout(RECONCILE, changed.changed()).await;
    }
}

async fn reconcile_once(service: &Service) -> Result<(), store::StoreError> {
    let expired = queue::expire_leases(&service.pool).await?;
    if expired > 0 {
        tracing::info!("{expired} leases expired");
    }
    while let Some(job) = queue::claim_scoring(&service.pool, SCORING_LEASE).await? {
        match scorer::score(service, &job).await {
            Ok(scores) => queue::publish(&service.pool, &job, &scores).await?,
            Err(failure) => {
                tracing::warn!("scoring attempt {} failed: {}", job.attempt, failure.message);
                queue::fail_scoring(&service.pool, &job, failure.class, &failure.message).await?;
            }
        }
    }
    Ok(())
}

async fn keep_board(service: Service) {
    let mut changed = service.board_changed.subscribe();
    loop {
        changed.mark_unchanged();
        match Snapshot::build(&service.pool).await {
            Ok(snapshot) => service.set_board(snapshot),
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
