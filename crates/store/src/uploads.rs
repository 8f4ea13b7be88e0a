//! Large files on their way: begun, sent in parts straight to object storage, checked by the service, then used by a
//! submission. What nobody comes back for is collected ([`collect`]).

use std::time::Duration;

use protocol::UserId;
use sqlx::{PgPool, types::Json};
use uuid::Uuid;

use crate::{
    StoreError,
    findings::Finding,
    objects::{self, ObjectStore},
};

/// Least bytes of a part but the last: object storage wants five mebibytes.
const LEAST_PART_BYTES: u64 = 8 << 20;
/// Object storage takes this many parts.
const MOST_PARTS: u64 = 10_000;
/// What one user may have on its way at once.
const MOST_OPEN: i64 = 16;

/// Where an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadState {
    /// Parts are on their way.
    Open,
    /// All parts have arrived; the service looks at them.
    Checking,
    /// It may be used.
    Ready,
    /// It cannot be used.
    Refused,
}

impl UploadState {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Checking => "checking",
            Self::Ready => "ready",
            Self::Refused => "refused",
        }
    }

    fn parse(text: &str) -> Result<Self, StoreError> {
        [Self::Open, Self::Checking, Self::Ready, Self::Refused]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| StoreError::Corrupt(format!("`{text}` is not a state of an upload")))
    }
}

/// An upload.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Which.
    pub id: Uuid,
    /// Whose.
    pub user: UserId,
    /// Name of the file.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Length of each part but the last.
    pub part_bytes: u64,
    /// Of the multipart upload in object storage.
    pub multipart_id: String,
    /// Where it is.
    pub state: UploadState,
    /// What the sender says each part is.
    pub parts_sha256: Vec<String>,
    /// Why it cannot be used.
    pub problem: Option<String>,
    /// The `ffasr.toml` of an archive.
    pub manifest: Option<String>,
    /// What the checks of an archive as a whole have to say.
    pub findings: Vec<Finding>,
}

impl Upload {
    /// Number of its parts.
    pub fn parts(&self) -> u64 {
        self.bytes.div_ceil(self.part_bytes)
    }

    /// Length of a part, counted from 1.
    pub fn bytes_of_part(&self, number: u64) -> u64 {
        if number == self.parts() { self.bytes - (number - 1) * self.part_bytes } else { self.part_bytes }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    user_id: Uuid,
    name: String,
    bytes: i64,
    part_bytes: i64,
    multipart_id: String,
    state: String,
    parts_sha256: Vec<String>,
    problem: Option<String>,
    manifest: Option<String>,
    findings: Json<Vec<Finding>>,
}

const COLUMNS: &str =
    "id, user_id, name, bytes, part_bytes, multipart_id, state, parts_sha256, problem, manifest, findings";

impl Row {
    fn into_upload(self) -> Result<Upload, StoreError> {
        Ok(Upload {
            id: self.id,
            user: UserId(self.user_id),
            name: self.name,
            bytes: self.bytes.unsigned_abs(),
            part_bytes: self.part_bytes.unsigned_abs(),
            multipart_id: self.multipart_id,
            state: UploadState::parse(&self.state)?,
            parts_sha256: self.parts_sha256,
            problem: self.problem,
            manifest: self.manifest,
            findings: self.findings.0,
        })
    }
}

/// Begins an upload, or goes on with the open one of the same user, name and length.
///
/// # Errors
/// [`StoreError::Refused`] when too many are open; otherwise when the database or storage fails.
pub async fn begin(
    pool: &PgPool,
    objects: &ObjectStore,
    user: UserId,
    name: &str,
    bytes: u64,
) -> Result<Upload, StoreError> {
    let open = sqlx::query_as::<_, Row>(sqlx::AssertSqlSafe(format!(
        "UPDATE uploads SET touched_at = now() WHERE user_id = $1 AND name = $2 AND bytes = $3 AND state = 'open'
         RETURNING {COLUMNS}"
    )));
    let length = i64::try_from(bytes).unwrap_or(i64::MAX);
    if let Some(row) = open.bind(user.0).bind(name).bind(length).fetch_optional(pool).await? {
        return row.into_upload();
    }
    let open: i64 = sqlx::query_scalar("SELECT count(*) FROM uploads WHERE user_id = $1 AND state = 'open'")
        .bind(user.0)
        .fetch_one(pool)
        .await?;
    if open >= MOST_OPEN {
        return Err(StoreError::Refused(format!(
            "{open} uploads are open; finish one of them or wait a day until the abandoned ones are collected"
        )));
    }
    let id = Uuid::now_v7();
    let multipart_id = objects.begin_multipart(&objects::upload_key(id)).await?;
    let part_bytes = LEAST_PART_BYTES.max(bytes.div_ceil(MOST_PARTS).next_multiple_of(1 << 20));
    let inserted = sqlx::query_as::<_, Row>(sqlx::AssertSqlSafe(format!(
        "INSERT INTO uploads (id, user_id, name, bytes, part_bytes, multipart_id) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (user_id, name, bytes) WHERE state = 'open' DO UPDATE SET touched_at = now()
         RETURNING {COLUMNS}"
    )));
    let row = inserted
        .bind(id)
        .bind(user.0)
        .bind(name)
        .bind(length)
        .bind(i64::try_from(part_bytes).unwrap_or(i64::MAX))
        .bind(&multipart_id)
        .fetch_one(pool)
        .await?;
    if row.id != id {
        // Somebody began the same at the same moment; theirs counts.
        objects.abort_multipart(&objects::upload_key(id), &multipart_id).await?;
    }
    row.into_upload()
}

/// An upload of a user.
///
/// # Errors
/// [`StoreError::NotFound`] when there is none of this id that is the user's; otherwise when the database fails.
pub async fn get(pool: &PgPool, user: UserId, id: Uuid) -> Result<Upload, StoreError> {
    let query = sqlx::query_as::<_, Row>(sqlx::AssertSqlSafe(format!(
        "UPDATE uploads SET touched_at = now() WHERE id = $1 AND user_id = $2 RETURNING {COLUMNS}"
    )));
    let row = query.bind(id).bind(user.0).fetch_optional(pool).await?;
    row.ok_or_else(|| StoreError::NotFound("upload of yours of this id".to_owned()))?.into_upload()
}

/// Notes that all parts have been sent; the checks follow. Saying it twice is harmless.
///
/// # Errors
/// [`StoreError::Refused`] when it is not open; otherwise when the database fails.
pub async fn sent(pool: &PgPool, upload: &Upload, parts_sha256: &[String]) -> Result<(), StoreError> {
    let moved = sqlx::query(
        "UPDATE uploads SET state = 'checking', parts_sha256 = $2, touched_at = now() WHERE id = $1 AND state = 'open'",
    )
    .bind(upload.id)
    .bind(parts_sha256)
    .execute(pool)
    .await?;
    if moved.rows_affected() == 1 {
        let mut connection = pool.acquire().await?;
        return crate::notify(&mut connection, crate::JOBS_CHANNEL).await;
    }
    let now = get(pool, upload.user, upload.id).await?;
    if now.state != UploadState::Refused && now.parts_sha256 == parts_sha256 {
        return Ok(());
    }
    Err(StoreError::Refused(format!("the upload is {} already", now.state.as_str())))
}

/// Gives an upload up.
///
/// # Errors
/// When the database or storage fails.
pub async fn abandon(pool: &PgPool, objects: &ObjectStore, upload: &Upload) -> Result<(), StoreError> {
    let key = objects::upload_key(upload.id);
    if upload.state == UploadState::Open {
        objects.abort_multipart(&key, &upload.multipart_id).await?;
    }
    objects.delete(&key).await?;
    sqlx::query("DELETE FROM uploads WHERE id = $1").bind(upload.id).execute(pool).await?;
    Ok(())
}

/// An upload to be checked, and proof that it is ours to check.
#[derive(Debug)]
pub struct ToCheck {
    /// The upload.
    pub upload: Upload,
    token: Uuid,
}

/// Leases the next upload to be checked.
///
/// # Errors
/// When the database fails.
pub async fn claim_check(pool: &PgPool, lease: Duration) -> Result<Option<ToCheck>, StoreError> {
    let token = Uuid::new_v4();
    let query = sqlx::query_as::<_, Row>(sqlx::AssertSqlSafe(format!(
        "UPDATE uploads SET lease_token = $1, lease_expires_at = now() + make_interval(secs => $2)
         WHERE id = (SELECT id FROM uploads WHERE state = 'checking'
                       AND (lease_expires_at IS NULL OR lease_expires_at < now())
                     ORDER BY touched_at LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING {COLUMNS}"
    )));
    let row = query.bind(token).bind(lease.as_secs_f64()).fetch_optional(pool).await?;
    row.map(|row| Ok(ToCheck { upload: row.into_upload()?, token })).transpose()
}

/// Keeps the lease while the check goes on.
///
/// # Errors
/// [`StoreError::LeaseLost`] when somebody else has it; otherwise when the database fails.
pub async fn keep(pool: &PgPool, check: &ToCheck, lease: Duration) -> Result<(), StoreError> {
    let kept = sqlx::query(
        "UPDATE uploads SET lease_expires_at = now() + make_interval(secs => $3)
         WHERE id = $1 AND lease_token = $2 AND state = 'checking'",
    );
    let kept = kept.bind(check.upload.id).bind(check.token).bind(lease.as_secs_f64()).execute(pool).await?;
    if kept.rows_affected() == 1 { Ok(()) } else { Err(StoreError::LeaseLost) }
}

/// A file of a checked upload, in object storage.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct CheckedFile {
    /// Path within the model's directory.
    pub name: String,
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// Size in bytes.
    pub bytes: i64,
}

/// What a check found.
#[derive(Debug)]
pub struct CheckResult {
    /// The files, already in object storage.
    pub files: Vec<CheckedFile>,
    /// The `ffasr.toml` of an archive.
    pub manifest: Option<String>,
    /// What is to be said about the whole.
    pub findings: Vec<Finding>,
}

/// Ends a check: it may be used, or one sentence why not.
///
/// # Errors
/// [`StoreError::LeaseLost`] when somebody else has it; otherwise when the database fails.
pub async fn finish_check(
    pool: &PgPool,
    check: &ToCheck,
    outcome: Result<CheckResult, String>,
) -> Result<(), StoreError> {
    let mut transaction = pool.begin().await?;
    let (problem, result) = match outcome {
        Ok(result) => (None, Some(result)),
        Err(problem) => (Some(problem), None),
    };
    let (manifest, findings, files) = match result {
        Some(result) => (result.manifest, result.findings, result.files),
        None => (None, Vec::new(), Vec::new()),
    };
    let done = sqlx::query(
        "UPDATE uploads SET state = CASE WHEN $3::text IS NULL THEN 'ready' ELSE 'refused' END, problem = $3,
                manifest = $4, findings = $5, lease_token = NULL, lease_expires_at = NULL, touched_at = now()
         WHERE id = $1 AND lease_token = $2 AND state = 'checking'",
    )
    .bind(check.upload.id)
    .bind(check.token)
    .bind(problem)
    .bind(manifest)
    .bind(Json(findings))
    .execute(&mut *transaction)
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::LeaseLost);
    }
    for file in files {
        sqlx::query("INSERT INTO upload_files (upload_id, name, sha256, bytes) VALUES ($1, $2, $3, $4)")
            .bind(check.upload.id)
            .bind(&file.name)
            .bind(&file.sha256)
            .bind(file.bytes)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// The files of a checked upload.
///
/// # Errors
/// When the database fails.
pub async fn files(pool: &PgPool, id: Uuid) -> Result<Vec<CheckedFile>, StoreError> {
    Ok(sqlx::query_as("SELECT name, sha256, bytes FROM upload_files WHERE upload_id = $1 ORDER BY name")
        .bind(id)
        .fetch_all(pool)
        .await?)
}

/// Removes the uploads that nobody has touched for so long, and those of their files that no submission has. How many.
///
/// # Errors
/// When the database or storage fails; what is left is collected next time.
pub async fn collect(pool: &PgPool, objects: &ObjectStore, untouched: Duration) -> Result<usize, StoreError> {
    let query = sqlx::query_as::<_, Row>(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM uploads WHERE state <> 'checking' AND touched_at < now() - make_interval(secs => $1)
         ORDER BY touched_at LIMIT 100"
    )));
    let rows = query.bind(untouched.as_secs_f64()).fetch_all(pool).await?;
    let count = rows.len();
    for row in rows {
        let upload = row.into_upload()?;
        let orphans: Vec<String> = sqlx::query_scalar(
            "SELECT f.sha256 FROM upload_files f WHERE f.upload_id = $1
               AND NOT EXISTS (SELECT 1 FROM submission_files s WHERE s.sha256 = f.sha256)
               AND NOT EXISTS (SELECT 1 FROM upload_files o WHERE o.sha256 = f.sha256 AND o.upload_id <> $1)",
        )
        .bind(upload.id)
        .fetch_all(pool)
        .await?;
        for sha256 in orphans {
            objects.delete(&objects::model_key(&sha256)).await?;
        }
        abandon(pool, objects, &upload).await?;
    }
    Ok(count)
}
