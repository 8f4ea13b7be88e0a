//! Servers this program starts itself when none is configured: a private PostgreSQL cluster and an S3 protocol server.

mod postgres;
mod s3;

pub use postgres::{Cluster, ClusterError};
pub use s3::{ObjectServer, ObjectServerError};
