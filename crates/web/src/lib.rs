//! The web face: pages, forms, JSON API, worker API, and the board held in memory.
//!
//! Invariants:
//! - visitors read [`board::Snapshot`], never the database, so the board outlives a database that is away;
//! - one error type with two faces: a page for people, problem JSON for programs ([`error::faces`]);
//! - reference transcripts are seen by `scorer` alone.

mod api;
mod asked;
mod assets;
mod auth;
mod background;
pub mod board;
mod checks;
mod citation;
mod comparison;
mod delivery;
pub mod dump;
mod error;
pub mod export;
mod extract;
mod fronts;
mod hub;
mod inside;
mod items;
mod mail;
mod pages;
mod prepared;
mod ranking;
mod raster;
mod routes;
mod runtimes;
mod scorer;
mod self_report;
mod sim_to_real;
mod submit;
mod table;
mod terminal;
mod tracks;
mod uploads;
pub mod views;
mod worker_api;

use std::{
    future::{Future, IntoFuture},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use axum::ServiceExt as _;
use board::Snapshot;
use protocol::Limits;
pub use scorer::{BoardChange, RankChange, RescoreError, Rescored, Rescoring, rescore};
use store::{PgPool, StoreError, objects::ObjectStore, sealed::SealingKey};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
};
use tower::Layer as _;

/// How long requests in progress may take when the service stops.
const LAST_REQUESTS: Duration = Duration::from_secs(30);

/// The page that describes the API.
pub fn api_page(layout: views::Layout) -> views::ApiPage {
    views::ApiPage::new(layout, &api::openapi::DOCUMENT, "https://ffasr.example")
}

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
    /// What submitters may do and what they are promised.
    pub policy: Policy,
}

/// What submitters may do and what they are promised.
#[derive(Debug, Clone)]
pub struct Policy {
    /// How much a submitter may submit.
    pub quota: store::quota::Rule,
    /// How long a submission may stay in a state before it is flagged as late.
    pub limits: store::inbox::Limits,
    /// Deliver webhooks to private and loopback addresses as well: only where no stranger has an account.
    pub private_webhooks: bool,
    /// Sends e-mail; without it, none is sent and no addresses are taken.
    pub mail: Option<MailPolicy>,
    /// The hub that models may be fetched from.
    pub hub: HubPolicy,
    /// Most bytes of one large file, and of what is in it if it is an archive.
    pub upload_bytes: u64,
    /// How long an upload that nobody touches is kept.
    pub abandoned_after: Duration,
    /// Seals the tokens that submitters give for private models; without one, none are taken.
    pub sealing_key: Option<SealingKey>,
    /// Licence of the figures, an SPDX expression.
    pub figures_licence: String,
    /// Address of this service as others see it, without a slash at the end; for links in webhooks.
    pub public_url: String,
}

/// The operator's server for outgoing e-mail.
#[derive(Clone)]
pub struct MailPolicy {
    /// Its address, `smtps://user:password@host` or `smtp://host:port?tls=required`.
    pub server: String,
    /// The sender, such as `FFASR <ffasr@example.org>`.
    pub from: String,
}

impl std::fmt::Debug for MailPolicy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The address may hold a password.
        write!(formatter, "MailPolicy({})", self.from)
    }
}

/// The hub that models may be fetched from.
#[derive(Debug, Clone)]
pub struct HubPolicy {
    /// Where it is; it speaks the file API of huggingface.co.
    pub endpoint: String,
    /// Most bytes of one model.
    pub most_bytes: u64,
}

impl Default for Policy {
    fn default() -> Self {
        const HOUR: u64 = 3600;
        Self {
            quota: store::quota::Rule { burst: 10, per_day: 5.0 },
            limits: store::inbox::Limits {
                unfinished: Duration::from_secs(48 * HOUR),
                chores: Duration::from_secs(HOUR),
                review: Duration::from_secs(48 * HOUR),
                queued: Duration::from_secs(24 * HOUR),
                running: Duration::from_secs(3 * HOUR),
                quarantine: Duration::from_secs(14 * 24 * HOUR),
            },
            private_webhooks: false,
            mail: None,
            hub: HubPolicy { endpoint: "https://huggingface.co".to_owned(), most_bytes: 20 << 30 },
            upload_bytes: 20 << 30,
            abandoned_after: Duration::from_secs(48 * HOUR),
            sealing_key: None,
            figures_licence: "CC-BY-4.0".to_owned(),
            public_url: String::new(),
        }
    }
}

/// The service: its parts, shared by every request.
#[derive(Clone)]
pub struct Service {
    pool: PgPool,
    objects: ObjectStore,
    settings: Arc<Settings>,
    hub: Arc<hub::Hub>,
    board: Arc<ArcSwap<Snapshot>>,
    board_is_stale: Arc<AtomicBool>,
    /// Counts what changes every page: another board, or a database that goes away or comes back.
    generation: Arc<AtomicU64>,
    prepared: Arc<prepared::Prepared>,
    jobs_changed: watch::Sender<()>,
    board_changed: watch::Sender<()>,
    stopping: watch::Sender<bool>,
    /// Held by a request that computes for long: visitors share one core for that, whatever they ask for.
    computing: Arc<Semaphore>,
    pictures: Arc<raster::Pictures>,
}

impl Service {
    /// Builds the service and its first board.
    ///
    /// # Errors
    /// When the database fails or the hub's address is none.
    pub async fn new(pool: PgPool, objects: ObjectStore, settings: Settings) -> Result<Self, StoreError> {
        let snapshot = Snapshot::build(&pool, None).await?;
        let HubPolicy { endpoint, most_bytes } = &settings.policy.hub;
        let hub = hub::Hub::new(endpoint, *most_bytes).map_err(StoreError::Refused)?;
        Ok(Self {
            hub: Arc::new(hub),
            pool,
            objects,
            settings: Arc::new(settings),
            board: Arc::new(ArcSwap::from_pointee(snapshot)),
            board_is_stale: Arc::new(AtomicBool::new(false)),
            generation: Arc::default(),
            prepared: Arc::default(),
            jobs_changed: watch::Sender::new(()),
            board_changed: watch::Sender::new(()),
            stopping: watch::Sender::new(false),
            computing: Arc::new(Semaphore::new(1)),
            pictures: Arc::default(),
        })
    }

    /// The board as it is now.
    pub fn board(&self) -> Arc<Snapshot> {
        self.board.load_full()
    }

    /// Takes a newly built board; one that says the same as the board there is changes nothing.
    fn set_board(&self, snapshot: Snapshot) {
        let was_stale = self.board_is_stale.swap(false, Ordering::AcqRel);
        let is_new = !snapshot.says_the_same_as(&self.board.load());
        if is_new {
            self.board.store(Arc::new(snapshot));
        }
        if is_new || was_stale {
            self.generation.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn mark_board_stale(&self) {
        if !self.board_is_stale.swap(true, Ordering::AcqRel) {
            self.generation.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn board_is_stale(&self) -> bool {
        self.board_is_stale.load(Ordering::Acquire)
    }

    fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Ready when the service stops: what waits for something else should wait no longer.
    async fn stopped(&self) {
        // An error would mean that no sender is left, but this is one.
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }
}

/// Serves until `shutdown` is ready. Claims that wait are then answered at once; other requests in progress are
/// finished, if that takes no longer than half a minute.
///
/// # Errors
/// When the listener fails, or one of the loops behind the service ends on its own.
pub async fn serve(
    service: Service,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let mut loops = background::start(&service);
    let stopping = service.clone();
    let keeping = axum::middleware::from_fn_with_state(service.clone(), prepared::answer);
    let router = keeping.layer(routes::router(service.clone()));
    let server = axum::serve(listener, router.into_make_service())
        .with_graceful_shutdown(async move { stopping.stopped().await })
        .into_future();
    let mut server = std::pin::pin!(server);
    let outcome = tokio::select! {
        () = shutdown => Ok(()),
        cause = background::ended(&mut loops) => Err(cause),
        ended = &mut server => return ended,
    };
    service.stopping.send_replace(true);
    if tokio::time::timeout(LAST_REQUESTS, server).await.is_err() {
        tracing::warn!("stopped with requests unfinished");
    }
    while loops.join_next().await.is_some() {}
    outcome
}
