//! Database and object storage: the configured ones, or embedded servers that speak the same protocols.

use std::{
    fs::{File, TryLockError},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::Args;
use sqlx::postgres::PgConnectOptions;
use store::{
    PgPool,
    embedded::{Cluster, ObjectServer},
    objects::{ObjectConfig, ObjectStore},
    sealed::SealingKey,
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
    /// File with the operator's key (`openssl rand -hex 32`), which seals the references of releases and submitters' tokens
    /// for private models. With an embedded database one is made in the data directory; else, without it, references are
    /// stored as they are and no tokens are taken.
    #[arg(long, env = "FFASR_SECRET_KEY_FILE")]
    secret_key_file: Option<PathBuf>,
}

impl BackendArguments {
    /// Whether servers of somebody else are configured.
    pub(crate) fn is_external(&self) -> bool {
        self.database_url.is_some() || self.s3_endpoint.is_some()
    }

    fn sealing_key(&self) -> Result<Option<SealingKey>, Failure> {
        let (path, key) = match &self.secret_key_file {
            Some(path) => (path.clone(), SealingKey::read(path)),
            None if self.is_external() => return Ok(None),
            None => {
                let path = self.data.join("secret.key");
                let key = SealingKey::read_or_make(&path);
                (path, key)
            }
        };
        key.map(Some).map_err(|error| Failure::failed(format!("{} cannot be used: {error}", path.display())))
    }
}

/// Open connections, and the embedded servers they lead to.
pub(crate) struct Backend {
    pub(crate) pool: PgPool,
    pub(crate) objects: ObjectStore,
    /// The operator's key, if there is one.
    pub(crate) sealing_key: Option<SealingKey>,
    // Held, not read: dropping it stops the server and lets the next owner in.
    _cluster: Option<EmbeddedCluster>,
}

/// Whose the data directory is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// This process's, which makes what is missing; another owner must be stopped first.
    Owner,
    /// Another's, running or not: a command beside a service.
    Guest,
}

/// A cluster of this process. Fields are dropped in order: the lock is held until the server has stopped.
struct EmbeddedCluster {
    _cluster: Cluster,
    _lock: Option<File>,
}

impl Backend {
    pub(crate) async fn start(arguments: &BackendArguments, ownership: Ownership) -> Result<Self, Failure> {
        let (options, cluster) = database(arguments, ownership).await?;
        let pool = store::connect(options).await?;
        let objects = ObjectStore::open(&objects(arguments).await?).await?;
        Ok(Self { pool, objects, sealing_key: arguments.sealing_key()?, _cluster: cluster })
    }
}

async fn database(
    arguments: &BackendArguments,
    ownership: Ownership,
) -> Result<(PgConnectOptions, Option<EmbeddedCluster>), Failure> {
    if let Some(url) = &arguments.database_url {
        // The URL may hold a password, so it is not repeated.
        let options = PgConnectOptions::from_str(url).map_err(|_| {
            Failure::input("DATABASE_URL is no PostgreSQL address (postgres://user:password@host/name)")
        })?;
        return Ok((options, None));
    }
    let directory = arguments.data.join("postgres");
    let lock = match ownership {
        Ownership::Owner => Some(lock(&arguments.data)?),
        Ownership::Guest => {
            expect_data(&arguments.data, &directory)?;
            if let Some(options) = Cluster::running(&directory).await.map_err(Failure::failed)? {
                return Ok((options, None));
            }
            None
        }
    };
    let cluster = Cluster::start(&directory).await.map_err(Failure::failed)?;
    Ok((cluster.options("postgres"), Some(EmbeddedCluster { _cluster: cluster, _lock: lock })))
}

/// Makes the data directory and claims it for this process.
fn lock(data: &Path) -> Result<File, Failure> {
    directories::open_to_pass(data)?;
    let path = data.join("lock");
    let unusable = |error| Failure::failed(format!("{} cannot be locked: {error}", path.display()));
    let lock = File::options().create(true).append(true).open(&path).map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(Failure::failed(format!(
            "another ffasr uses the data directory {}; stop it first, or choose another directory with --data",
            data.display()
        ))),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

/// A guest makes nothing: a mistaken path must not become an empty service.
fn expect_data(data: &Path, directory: &Path) -> Result<(), Failure> {
    let data = data.display();
    match Cluster::exists(directory) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::input(format!(
            "{data}: no FFASR data here; start `ffasr serve` or `ffasr demo` first, or point FFASR_DATA or --data to it"
        ))),
        Err(error) => Err(Failure::input(format!(
            "{data} cannot be looked into: {error}; run this as the user of the service"
        ))),
    }
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
