//! `ffasr serve`: the service.

use std::{net::SocketAddr, time::Duration};

use clap::Args;
use store::{inbox::Limits, quota::Rule};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use web::{HubPolicy, MailPolicy, Policy, Service, Settings};

use crate::{
    backend::{Backend, BackendArguments, Ownership},
    error::Failure,
};

/// Most time between two heartbeats.
const PROMPT: Duration = Duration::from_secs(5);

/// Run the service.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Address to listen on.
    #[arg(long, env = "FFASR_LISTEN", default_value = "127.0.0.1:8640")]
    listen: SocketAddr,
    #[command(flatten)]
    backend: BackendArguments,
    #[command(flatten)]
    service: ServiceArguments,
}

/// How the service behaves.
#[derive(Args, Clone)]
pub(crate) struct ServiceArguments {
    /// Hardware class that new submissions run on.
    #[arg(long, env = "FFASR_HARDWARE_CLASS", default_value_t = default_hardware_class())]
    pub(crate) hardware_class: String,
    /// Seconds a worker may be silent before its attempt is given to another.
    #[arg(long, env = "FFASR_LEASE_SECONDS", default_value_t = 90, value_parser = clap::value_parser!(u64).range(2..))]
    lease_seconds: u64,
    /// Seconds an attempt may take in all.
    #[arg(long, env = "FFASR_ATTEMPT_SECONDS", default_value_t = 7200)]
    attempt_seconds: u32,
    /// Mebibytes of memory a model may use.
    #[arg(long, env = "FFASR_MODEL_MEMORY_MIB", default_value_t = 2048)]
    model_memory_mib: u64,
    /// Submissions a submitter may hand in at once.
    #[arg(long, env = "FFASR_QUOTA_BURST", default_value_t = 10, value_parser = clap::value_parser!(i32).range(0..=10_000))]
    quota_burst: i32,
    /// Submissions a submitter may hand in a day in the long run.
    #[arg(long, env = "FFASR_QUOTA_PER_DAY", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    quota_per_day: u32,
    /// Hours within which a submission in review should be decided on; later, it is flagged.
    #[arg(long, env = "FFASR_REVIEW_HOURS", default_value_t = 48, value_parser = clap::value_parser!(u64).range(1..=2400))]
    review_hours: u64,
    /// Hours after which a submission that still waits for a worker is flagged.
    #[arg(long, env = "FFASR_QUEUE_HOURS", default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=2400))]
    queue_hours: u64,
    /// Licence of the figures that visitors take home, an SPDX expression.
    #[arg(long, env = "FFASR_FIGURES_LICENCE", default_value = "CC-BY-4.0")]
    figures_licence: String,
    /// Address of this service as others see it, for links in webhooks, e.g. `https://ffasr.example.org`.
    #[arg(long, env = "FFASR_PUBLIC_URL", default_value = "")]
    public_url: String,
    /// Deliver webhooks to private and loopback addresses as well: only where no stranger has an account.
    #[arg(long, env = "FFASR_PRIVATE_WEBHOOKS")]
    private_webhooks: bool,
    /// Server for outgoing e-mail, e.g. `smtps://user:password@host`; without it none is sent.
    #[arg(long, env = "FFASR_SMTP", hide_env_values = true, requires = "mail_from")]
    smtp: Option<String>,
    /// Sender of e-mail, e.g. `FFASR <ffasr@example.org>`.
    #[arg(long, env = "FFASR_MAIL_FROM")]
    mail_from: Option<String>,
    /// The hub that models may be fetched from; it speaks the file API of huggingface.co.
    #[arg(long, env = "FFASR_HUB", default_value = "https://huggingface.co")]
    hub: String,
    /// Gibibytes that a model from the hub may have.
    #[arg(long, env = "FFASR_HUB_MODEL_GIB", default_value_t = 20)]
    hub_model_gib: u64,
    /// Gibibytes that a large uploaded file, or what is in it, may have.
    #[arg(long, env = "FFASR_UPLOAD_GIB", default_value_t = 20)]
    upload_gib: u64,
    /// Send the session cookie over HTTPS only; set it when a proxy ends TLS in front of the service.
    #[arg(long, env = "FFASR_SECURE_COOKIES")]
    secure_cookies: bool,
}

impl ServiceArguments {
    pub(crate) fn settings(&self, backend: &Backend, demo: bool) -> Settings {
        Settings {
            lease: Duration::from_secs(self.lease_seconds),
            // Three heartbeats fit into a lease, so that one lost on the way does no harm; and a cancellation, which goes with
            // the reply, reaches a running model within seconds.
            heartbeat: (Duration::from_secs(self.lease_seconds) / 3).min(PROMPT),
            limits: protocol::Limits {
                ready_seconds: 180.0,
                item_seconds: 60.0,
                item_seconds_per_audio_second: 20.0,
                attempt_seconds: self.attempt_seconds.into(),
                memory_bytes: self.model_memory_mib * 1024 * 1024,
            },
            hardware_class: self.hardware_class.clone(),
            secure_cookies: self.secure_cookies,
            demo,
            policy: Policy { sealing_key: backend.sealing_key.clone(), ..self.policy() },
        }
    }

    fn policy(&self) -> Policy {
        let usual = Policy::default();
        Policy {
            quota: Rule { burst: self.quota_burst, per_day: self.quota_per_day.into() },
            limits: Limits {
                review: Duration::from_secs(self.review_hours * 3600),
                queued: Duration::from_secs(self.queue_hours * 3600),
                // An attempt that may take two hours is not late before that.
                running: Duration::from_secs(u64::from(self.attempt_seconds) + 3600),
                ..usual.limits
            },
            private_webhooks: self.private_webhooks,
            mail: self
                .smtp
                .clone()
                .zip(self.mail_from.clone())
                .map(|(server, from)| MailPolicy { server, from }),
            hub: HubPolicy { endpoint: self.hub.clone(), most_bytes: self.hub_model_gib << 30 },
            upload_bytes: self.upload_gib << 30,
            figures_licence: self.figures_licence.clone(),
            public_url: self.public_url.trim_end_matches('/').to_owned(),
            ..usual
        }
    }
}

/// `cpu-2core` on a machine with two cores.
pub(crate) fn default_hardware_class() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("cpu-{cores}core")
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let backend = Backend::start(&arguments.backend, Ownership::Owner).await?;
    let settings = arguments.service.settings(&backend, false);
    let service = Service::new(backend.pool.clone(), backend.objects.clone(), settings).await?;
    let listener = listen(arguments.listen).await?;
    let address = listener.local_addr().map_err(Failure::failed)?;
    eprintln!("listening on http://{address}");
    web::serve(service, listener, stop_requested()).await.map_err(Failure::failed)
}

pub(crate) async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::failed(format!("cannot listen on {address}: {error}; choose another with --listen"))
    })
}

/// Ready when the process is asked to stop.
pub(crate) async fn stop_requested() {
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            tracing::warn!("SIGTERM cannot be watched: {error}");
            return std::future::pending().await;
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
