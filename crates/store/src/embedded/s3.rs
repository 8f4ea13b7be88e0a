//! An S3 protocol server over a directory, in this process. For one machine; production points to a real one.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tower::Layer;
use tower_http::cors::{Any, CorsLayer};

use crate::{Secret, StoreError, objects::ObjectConfig};

const ACCESS_KEY: &str = "ffasr";

/// A running server. It stops with the process.
pub struct ObjectServer {
    address: SocketAddr,
    secret: String,
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ObjectServerError {
    /// The directory cannot be used.
    #[error("the object directory {0} cannot be used: {1}")]
    Directory(PathBuf, String),
    /// The port cannot be used.
    #[error("the object server cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// No random bytes.
    #[error(transparent)]
    Secret(#[from] StoreError),
}

impl ObjectServer {
    /// Starts serving `directory` on `listen` (port 0: any free one).
    ///
    /// # Errors
    /// When the directory or the port cannot be used.
    pub async fn start(directory: &Path, listen: SocketAddr) -> Result<Self, ObjectServerError> {
        let unusable = |error: &dyn std::fmt::Display| {
            ObjectServerError::Directory(directory.to_owned(), error.to_string())
        };
        std::fs::create_dir_all(directory).map_err(|error| unusable(&error))?;
        let files = FileSystem::new(directory).map_err(|error| unusable(&format!("{error:?}")))?;
        // Nobody but this process ever signs a request, so the key need not outlive it.
        let secret = Secret::generate("")?.expose().to_owned();
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, secret.as_str()));
        // Browsers send large files here, from pages at another address; the key is in the address itself.
        let cors = CorsLayer::new().allow_origin(Any).allow_methods(Any).allow_headers(Any);
        let service = TowerToHyperService::new(cors.layer(builder.build()));

        let listener =
            TcpListener::bind(listen).await.map_err(|error| ObjectServerError::Listen(listen, error))?;
        let address = listener.local_addr().map_err(|error| ObjectServerError::Listen(listen, error))?;
        tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        let service = service.clone();
                        tokio::spawn(async move {
                            let served = Builder::new(TokioExecutor::new())
                                .serve_connection(TokioIo::new(stream), service)
                                .await;
                            if let Err(error) = served {
                                tracing::debug!("object connection ended: {error}");
                            }
                        });
                    }
                    Err(error) => {
                        // Out of file descriptors, most likely: give the others time to end.
                        tracing::warn!("object server cannot accept: {error}");
                        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    }
                }
            }
        });
        Ok(Self { address, secret })
    }

    /// How to reach it.
    pub fn config(&self) -> ObjectConfig {
        ObjectConfig {
            endpoint: format!("http://{}", self.address),
            region: "us-east-1".to_owned(),
            bucket: "ffasr".to_owned(),
            access_key: ACCESS_KEY.to_owned(),
            secret_key: self.secret.clone(),
        }
    }
}
