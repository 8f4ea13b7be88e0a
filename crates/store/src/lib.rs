//! Everything persistent: SQL queries, the lease queue, object storage, and the embedded servers for both. No HTTP.
//!
//! Invariants:
//! - a submission changes state only through [`state`], and each change writes an event;
//! - a leased job is written only by whoever holds its fencing token;
//! - reference transcripts leave this crate through [`releases::references`] alone, which only the scorer calls.
//!
//! The embedded servers ([`embedded`]) speak the same protocols as production servers: embedded means who starts
//! the server, never which code talks to it.

pub mod accounts;
pub mod audit;
pub mod changes;
pub mod draws;
pub mod dumps;
pub mod embedded;
mod error;
pub mod estimate;
pub mod external;
pub mod findings;
pub mod history;
pub mod inbox;
pub mod kept;
pub mod mail;
pub mod objections;
pub mod objects;
pub mod paces;
pub mod pause;
pub mod queue;
pub mod quota;
pub mod releases;
pub mod rendering;
pub mod review;
pub mod scores;
pub mod sealed;
mod secrets;
pub mod self_reports;
pub mod state;
pub mod submissions;
pub mod uploads;
pub mod webhooks;

pub use error::StoreError;
pub use secrets::{Secret, SecretHash};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
pub use sqlx::{PgPool, postgres::PgListener};

/// The schema, up and down.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

/// Channel notified when a job may be claimed or a lease ended.
pub const JOBS_CHANNEL: &str = "ffasr_jobs";
/// Channel notified when what the board shows has changed.
pub const BOARD_CHANNEL: &str = "ffasr_board";

/// Opens a pool and brings the schema up to date.
///
/// # Errors
/// When the database cannot be reached or a migration fails.
pub async fn connect(options: PgConnectOptions) -> Result<PgPool, StoreError> {
    let pool = PgPoolOptions::new()
        .max_connections(16)
        .acquire_timeout(std::time::Duration::from_secs(5))
        .connect_with(options)
        .await?;
    MIGRATIONS.run(&pool).await?;
    Ok(pool)
}

/// Asks whether the database answers.
///
/// # Errors
/// When it does not.
pub async fn ping(pool: &PgPool) -> Result<(), StoreError> {
    sqlx::query("SELECT 1").execute(pool).await?;
    Ok(())
}

/// Notifies everybody who listens on `channel`, when the surrounding transaction commits.
async fn notify(connection: &mut sqlx::PgConnection, channel: &str) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_notify($1, '')").bind(channel).execute(connection).await?;
    Ok(())
}
