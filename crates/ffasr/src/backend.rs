//! Database and object storage: the configured ones, or embedded servers that speak the same protocols.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

use clap::Args;
use sqlx::postgres::PgConnectOptions;
use store::{
    PgPool,
    embedded::{Cluster, ObjectServer},
    objects::{ObjectConfig, ObjectStore},
};

use crate::{directories, error::Failure};

/// Where the data is.
#[derive(Args, Clone)]
pub(crate) struct BackendArguments {
    /// Directory of everything this machine keeps.
    #[arg(long, env = "FFASR_DATA", default_value_os_t = directories::default_data())]
    pub(crate) data: PathBuf,
    /// PostgreSQL to use; without it a private cluster is started in the data directory.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// S3 server to use; without it one is started in this process, over the data directory.
    #[arg(long, env = "S3_ENDPOINT", requires_all = ["s3_access_key", "s3_secret_key"])]
    s3_endpoint: Option<String>,
    /// Region of the S3 server.
    #[arg(long, env = "S3_REGION", default_value = "us-east-1")]
    s3_region: String,
    /// Bucket on the S3 server; created where it is missing.
    #[arg(long, env = "S3_BUCKET", default_value = "ffasr")]
    s3_bucket: String,
    /// Access key of the S3 server.
    #[arg(long, env = "S3_ACCESS_KEY", hide_env_values = true)]
    s3_access_key: Option<String>,
    /// Secret key of the S3 server.
    #[arg(long, env = "S3_SECRET_KEY", hide_env_values = true)]
    s3_secret_key: Option<String>,
}

impl BackendArguments {
    /// Whether servers of somebody else are configured.
    pub(crate) fn is_external(&self) -> bool {
        self.database_url.is_some() || self.s3_endpoint.is_some()
    }
}

/// Open connections, and the embedded servers they lead to.
pub(crate) struct Backend {
    pub(crate) pool: PgPool,
    pub(crate) objects: ObjectStore,
    // Held, not read: dropping it stops the server.
    _cluster: Option<Cluster>,
}

/// What to do when the embedded cluster is already running.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// Another service must be stopped first.
    Owner,
    /// Use it: a command beside a running service.
    Guest,
}

impl Backend {
    pub(crate) async fn start(arguments: &BackendArguments, ownership: Ownership) -> Result<Self, Failure> {
        let (options, cluster) = database(arguments, ownership).await?;
        let pool = store::connect(options).await?;
        let objects = ObjectStore::open(&objects(arguments).await?).await?;
        Ok(Self { pool, objects, _cluster: cluster })
    }
}

async fn database(
    arguments: &BackendArguments,
    ownership: Ownership,
) -> Result<(PgConnectOptions, Option<Cluster>), Failure> {
    if let Some(url) = &arguments.database_url {
        // The URL may hold a password, so it is not repeated.
        let options = PgConnectOptions::from_str(url).map_err(|_| {
            Failure::input("DATABASE_URL is no PostgreSQL address (postgres://user:password@host/name)")
        })?;
        return Ok((options, None));
    }
    directories::open_to_pass(&arguments.data)?;
    let directory = arguments.data.join("postgres");
    if ownership == Ownership::Guest
        && let Some(options) = Cluster::running(&directory).await
    {
        return Ok((options, None));
    }
    let cluster = Cluster::start(&directory).await.map_err(Failure::failed)?;
    Ok((cluster.options("postgres"), Some(cluster)))
}

async fn objects(arguments: &BackendArguments) -> Result<ObjectConfig, Failure> {
    if let (Some(endpoint), Some(access_key), Some(secret_key)) =
        (&arguments.s3_endpoint, &arguments.s3_access_key, &arguments.s3_secret_key)
    {
        return Ok(ObjectConfig {
            endpoint: endpoint.clone(),
            region: arguments.s3_region.clone(),
            bucket: arguments.s3_bucket.clone(),
            access_key: access_key.clone(),
            secret_key: secret_key.clone(),
        });
    }
    let directory = arguments.data.join("objects");
    directories::private(&directory)?;
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = ObjectServer::start(&directory, any_port).await.map_err(Failure::failed)?;
    Ok(server.config())
}
