//! Object storage over the S3 protocol.
//!
//! Keys are made here and nowhere else: `audio/<sha256>`, `recording/<sha256>`, `model/<sha256>`, `results/<attempt>`. They are short, never
//! contain a user's text, and none is a prefix directory of another.

use std::time::Duration;

use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider},
    error::DisplayErrorContext,
    presigning::PresigningConfig,
    primitives::ByteStream,
};
use protocol::AttemptId;

use crate::StoreError;

/// Where the bucket is and how to get in.
#[derive(Clone)]
pub struct ObjectConfig {
    /// Address of the S3 server, e.g. `http://127.0.0.1:9000`. Workers fetch from it too.
    pub endpoint: String,
    /// Region, as the server wants it.
    pub region: String,
    /// Bucket.
    pub bucket: String,
    /// Access key.
    pub access_key: String,
    /// Secret key.
    pub secret_key: String,
}

/// A bucket.
#[derive(Clone)]
pub struct ObjectStore {
    client: Client,
    bucket: String,
}

/// Key of an audio file.
pub fn audio_key(sha256: &str) -> String {
    format!("audio/{sha256}")
}

/// Key of a dry recording that releases are rendered from.
pub fn recording_key(sha256: &str) -> String {
    format!("recording/{sha256}")
}

/// Key of a file of a model.
pub fn model_key(sha256: &str) -> String {
    format!("model/{sha256}")
}

/// Key of the results of an attempt.
pub fn results_key(attempt: AttemptId) -> String {
    format!("results/{attempt}")
}

impl ObjectStore {
    /// Opens a bucket and creates it where it is missing.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn open(config: &ObjectConfig) -> Result<Self, StoreError> {
        use aws_smithy_http_client::{Builder, tls};
        let http = Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .build_https();
        let credentials = Credentials::new(&config.access_key, &config.secret_key, None, None, "ffasr");
        let settings = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http)
            .endpoint_url(&config.endpoint)
            .region(Region::new(config.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .force_path_style(true)
            .build();
        let store = Self { client: Client::from_conf(settings), bucket: config.bucket.clone() };
        store.ensure_bucket().await?;
        Ok(store)
    }

    async fn ensure_bucket(&self) -> Result<(), StoreError> {
        if self.client.head_bucket().bucket(&self.bucket).send().await.is_ok() {
            return Ok(());
        }
        let created = self.client.create_bucket().bucket(&self.bucket).send().await;
        created.map(drop).map_err(|error| failed("create bucket", &self.bucket, error))
    }

    /// Stores an object.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn put(&self, key: &str, content: Vec<u8>) -> Result<(), StoreError> {
        let put = self.client.put_object().bucket(&self.bucket).key(key).body(ByteStream::from(content));
        put.send().await.map(drop).map_err(|error| failed("write", key, error))
    }

    /// Whether an object is there.
    pub async fn contains(&self, key: &str) -> bool {
        self.client.head_object().bucket(&self.bucket).key(key).send().await.is_ok()
    }

    /// Reads an object of at most `limit` bytes.
    ///
    /// # Errors
    /// When storage fails or the object is larger.
    pub async fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>, StoreError> {
        let object = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .send()
            .await
            .map_err(|error| failed("read", key, error))?;
        let length = object.content_length().unwrap_or_default();
        if u64::try_from(length).unwrap_or(u64::MAX) > limit {
            let message = format!("it has {length} bytes; at most {limit} are read");
            return Err(StoreError::Objects { action: "read", key: key.to_owned(), message });
        }
        let content = object.body.collect().await.map_err(|error| StoreError::Objects {
            action: "read",
            key: key.to_owned(),
            message: error.to_string(),
        })?;
        Ok(content.to_vec())
    }

    /// An address to fetch an object from without credentials.
    ///
    /// # Errors
    /// When the address cannot be made.
    pub async fn presign_get(&self, key: &str, lifetime: Duration) -> Result<String, StoreError> {
        let request = self.client.get_object().bucket(&self.bucket).key(key);
        let signed = request
            .presigned(presigning(key, lifetime)?)
            .await
            .map_err(|error| failed("presign", key, error))?;
        Ok(signed.uri().to_owned())
    }

    /// An address to store an object at without credentials.
    ///
    /// # Errors
    /// When the address cannot be made.
    pub async fn presign_put(&self, key: &str, lifetime: Duration) -> Result<String, StoreError> {
        let request = self.client.put_object().bucket(&self.bucket).key(key);
        let signed = request
            .presigned(presigning(key, lifetime)?)
            .await
            .map_err(|error| failed("presign", key, error))?;
        Ok(signed.uri().to_owned())
    }
}

fn presigning(key: &str, lifetime: Duration) -> Result<PresigningConfig, StoreError> {
    PresigningConfig::expires_in(lifetime).map_err(|error| failed("presign", key, error))
}

fn failed(action: &'static str, key: &str, error: impl std::error::Error) -> StoreError {
    StoreError::Objects { action, key: key.to_owned(), message: DisplayErrorContext(error).to_string() }
}
