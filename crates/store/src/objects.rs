//! Object storage over the S3 protocol.
//!
//! Keys are made here and nowhere else: `audio/<sha256>`, `recording/<sha256>`, `model/<sha256>`, `results/<attempt>`,
//! `upload/<id>`, `dump/<sha256>`. They are short, never
//! contain a user's text, and none is a prefix directory of another.

use std::{path::Path, time::Duration};

use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider},
    error::{DisplayErrorContext, ProvideErrorMetadata},
    presigning::PresigningConfig,
    primitives::{ByteStream, Length},
    types::{CompletedMultipartUpload, CompletedPart},
};
use protocol::AttemptId;
use uuid::Uuid;

use crate::StoreError;

/// Larger files are stored in pieces of this size.
const PIECE_BYTES: u64 = 64 << 20;

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
    endpoint: String,
}

/// Key of an audio file.
pub fn audio_key(sha256: &str) -> String {
    format!("audio/{sha256}")
}

/// Key of a file that the pages of a release show.
pub fn page_key(sha256: &str) -> String {
    format!("page/{sha256}")
}

/// Key of an archive of everything that is public.
pub fn dump_key(sha256: &str) -> String {
    format!("dump/{sha256}")
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

/// Key of a large file on its way.
pub fn upload_key(id: Uuid) -> String {
    format!("upload/{id}")
}

/// A part that has arrived.
#[derive(Debug, Clone)]
pub struct StoredPart {
    /// From 1.
    pub number: u64,
    /// Its length.
    pub bytes: u64,
    etag: String,
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
        let store = Self {
            client: Client::from_conf(settings),
            bucket: config.bucket.clone(),
            endpoint: config.endpoint.clone(),
        };
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

    /// The first bytes of an object, at most `most`.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn head(&self, key: &str, most: u64) -> Result<Vec<u8>, StoreError> {
        let get = self.client.get_object().bucket(&self.bucket).key(key);
        // An empty object has no range to give.
        let object = get.range(format!("bytes=0-{}", most.saturating_sub(1))).send().await;
        let object = match object {
            Err(error) if error.code() == Some("InvalidRange") => return Ok(Vec::new()),
            other => other.map_err(|error| failed("read", key, error))?,
        };
        let content = object.body.collect().await.map_err(|error| StoreError::Objects {
            action: "read",
            key: key.to_owned(),
            message: error.to_string(),
        })?;
        Ok(content.to_vec())
    }

    /// The address of the server, as it was configured.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Reads an object of any length, piece by piece.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn stream(&self, key: &str) -> Result<ByteStream, StoreError> {
        let get = self.client.get_object().bucket(&self.bucket).key(key).send().await;
        get.map(|object| object.body).map_err(|error| failed("read", key, error))
    }

    /// Stores a file of any length.
    ///
    /// # Errors
    /// When the file cannot be read or storage fails.
    pub async fn put_file(&self, key: &str, path: &Path, bytes: u64) -> Result<(), StoreError> {
        let piece = async |offset: u64, length: u64| {
            let built =
                ByteStream::read_from().path(path).offset(offset).length(Length::Exact(length)).build();
            built.await.map_err(|error| failed("write", key, error))
        };
        if bytes <= PIECE_BYTES {
            let put = self.client.put_object().bucket(&self.bucket).key(key).body(piece(0, bytes).await?);
            return put.send().await.map(drop).map_err(|error| failed("write", key, error));
        }
        let upload = self.begin_multipart(key).await?;
        for number in 1..=bytes.div_ceil(PIECE_BYTES) {
            let offset = (number - 1) * PIECE_BYTES;
            let part = self.client.upload_part().bucket(&self.bucket).key(key).upload_id(&upload);
            part.part_number(part_number(number))
                .body(piece(offset, PIECE_BYTES.min(bytes - offset)).await?)
                .send()
                .await
                .map_err(|error| failed("write", key, error))?;
        }
        let parts = self.parts(key, &upload).await?;
        self.complete_multipart(key, &upload, &parts).await
    }

    /// Removes an object; one that is not there is gone already.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        if !self.contains(key).await {
            return Ok(());
        }
        let delete = self.client.delete_object().bucket(&self.bucket).key(key).send().await;
        delete.map(drop).map_err(|error| failed("delete", key, error))
    }

    /// Begins an object that comes in parts; the id of the multipart upload.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn begin_multipart(&self, key: &str) -> Result<String, StoreError> {
        let begun = self.client.create_multipart_upload().bucket(&self.bucket).key(key).send().await;
        let begun = begun.map_err(|error| failed("begin", key, error))?;
        begun.upload_id.ok_or_else(|| StoreError::Objects {
            action: "begin",
            key: key.to_owned(),
            message: "the server gave no id".to_owned(),
        })
    }

    /// The parts that have arrived, in order.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn parts(&self, key: &str, upload: &str) -> Result<Vec<StoredPart>, StoreError> {
        let mut parts = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let list = self.client.list_parts().bucket(&self.bucket).key(key).upload_id(upload);
            let page = list.set_part_number_marker(after).send().await;
            let page = page.map_err(|error| failed("list the parts of", key, error))?;
            let before = parts.len();
            parts.extend(page.parts().iter().map(|part| StoredPart {
                number: part.part_number().unwrap_or_default().unsigned_abs().into(),
                bytes: part.size().unwrap_or_default().unsigned_abs(),
                etag: part.e_tag().unwrap_or_default().to_owned(),
            }));
            after = page.next_part_number_marker().map(str::to_owned);
            if page.is_truncated() != Some(true) || after.is_none() || parts.len() == before {
                parts.sort_by_key(|part| part.number);
                return Ok(parts);
            }
        }
    }

    /// Makes an object of its parts.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn complete_multipart(
        &self,
        key: &str,
        upload: &str,
        parts: &[StoredPart],
    ) -> Result<(), StoreError> {
        let parts = parts.iter().map(|part| {
            CompletedPart::builder().part_number(part_number(part.number)).e_tag(&part.etag).build()
        });
        let all = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
        let complete =
            self.client.complete_multipart_upload().bucket(&self.bucket).key(key).upload_id(upload);
        let completed = complete.multipart_upload(all).send().await;
        completed.map(drop).map_err(|error| failed("complete", key, error))
    }

    /// Gives up an object that comes in parts, and removes those; one that is gone already is no error.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn abort_multipart(&self, key: &str, upload: &str) -> Result<(), StoreError> {
        let abort = self.client.abort_multipart_upload().bucket(&self.bucket).key(key).upload_id(upload);
        match abort.send().await {
            Err(error) if error.code() != Some("NoSuchUpload") => Err(failed("give up", key, error)),
            _ => Ok(()),
        }
    }

    /// An address to store a part at without credentials.
    ///
    /// # Errors
    /// When the address cannot be made.
    pub async fn presign_part(
        &self,
        key: &str,
        upload: &str,
        number: u64,
        lifetime: Duration,
    ) -> Result<String, StoreError> {
        let request = self.client.upload_part().bucket(&self.bucket).key(key).upload_id(upload);
        let signed = request
            .part_number(part_number(number))
            .presigned(presigning(key, lifetime)?)
            .await
            .map_err(|error| failed("presign", key, error))?;
        Ok(signed.uri().to_owned())
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

fn part_number(number: u64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn presigning(key: &str, lifetime: Duration) -> Result<PresigningConfig, StoreError> {
    PresigningConfig::expires_in(lifetime).map_err(|error| failed("presign", key, error))
}

fn failed(action: &'static str, key: &str, error: impl std::error::Error) -> StoreError {
    StoreError::Objects { action, key: key.to_owned(), message: DisplayErrorContext(error).to_string() }
}
