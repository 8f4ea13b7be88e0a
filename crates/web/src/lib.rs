//! The web face: pages, forms, JSON API, worker API, and the board held in memory.
//!
//! Invariants:
//! - visitors read [`board::Snapshot`], never the database, so the board outlives a database that is away;
//! - one error type with two faces: a page for people, problem JSON for programs ([`error::faces`]);
//! - reference transcripts are seen by `scorer` alone.

mod api;
mod assets;
mod auth;
mod background;
pub mod board;
mod error;
mod extract;
mod pages;
mod ranking;
mod routes;
mod runtimes;
mod scorer;
mod submit;
pub mod views;
mod worker_api;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use board::Snapshot;
use protocol::Limits;
pub use scorer::SCORER;
use store::{PgPool, StoreError, objects::ObjectStore};
use tokio::{net::TcpListener, sync::watch};

/// How the service behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a worker may be silent.
    pub lease: Duration,
    /// How often a worker should speak.
    pub heartbeat: Duration,
    /// Limits of one attempt.
    pub limits: Limits,
    /// Hardware class new submissions run on.
    pub hardware_class: String,
    /// Send cookies over HTTPS only.
    pub secure_cookies: bool,
    /// Say on every page that this is a demo.
    pub demo: bool,
}

/// The service: its parts, shared by every request.
#[derive(Clone)]
pub struct Service {
    pool: PgPool,
    objects: ObjectStore,
    settings: Arc<Settings>,
    board: Arc<ArcSwap<Snapshot>>,
    board_is_stale: Arc<AtomicBool>,
    jobs_changed: watch::Sender<()>,
    board_changed: watch::Sender<()>,
}

impl Service {
    /// Builds the service and its first board.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn new(pool: PgPool, objects: ObjectStore, settings: Settings) -> Result<Self, StoreError> {
        let snapshot = Snapshot::build(&pool).await?;
        Ok(Self {
            pool,
            objects,
            settings: Arc::new(settings),
            board: Arc::new(ArcSwap::from_pointee(snapshot)),
            board_is_stale: Arc::new(AtomicBool::new(false)),
            jobs_changed: watch::Sender::new(()),
            board_changed: watch::Sender::new(()),
        })
    }

    /// The board as it is now.
    pub fn board(&self) -> Arc<Snapshot> {
        self.board.load_full()
    }

    fn set_board(&self, snapshot: Snapshot) {
        self.board.store(Arc::new(snapshot));
        self.board_is_stale.store(false, Ordering::Relaxed);
    }

    fn mark_board_stale(&self) {
        self.board_is_stale.store(true, Ordering::Relaxed);
    }

    fn board_is_stale(&self) -> bool {
        self.board_is_stale.load(Ordering::Relaxed)
    }
}

/// Serves until `shutdown` is ready; requests in progress are finished.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    service: Service,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    background::start(&service);
    axum::serve(listener, routes::router(service)).with_graceful_shutdown(shutdown).await
}
