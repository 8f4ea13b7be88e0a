//! Large files ahead of a submission: begun here, sent in parts straight to object storage, looked at here, and named by
//! the form in its field `uploaded`. The same calls for a browser with a session and for a program with a token.

use std::{
    io::{self, Write},
    path::Path as FilePath,
    time::Duration,
};

use axum::{Json, extract::State, http::StatusCode};
use inspection::{FileKind, Limits, Rule, Severity};
use protocol::is_model_path;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::{
    StoreError, mail, objects, sealed,
    uploads::{self, CheckResult, CheckedFile, ToCheck, Upload, UploadState},
};
use tempfile::{NamedTempFile, TempDir};
use tokio::time::{interval, timeout};
use uuid::Uuid;

use crate::{
    Service,
    auth::Uploader,
    checks,
    error::AppError,
    extract::{JsonBody, Path},
    hub::MOST_FILES,
};

/// How long the address of a part is good for.
const PART_LIFETIME: Duration = Duration::from_hours(1);
/// Addresses given out at once.
const MOST_ADDRESSES: usize = 100;
/// How long a service that checks may be silent.
const CHECK_LEASE: Duration = Duration::from_mins(1);
const KEEP: Duration = Duration::from_secs(20);
/// What is due is looked for this often; new uploads come with a notification.
const LOOK: Duration = Duration::from_secs(5);
const AFTER_ERROR: Duration = Duration::from_secs(1);
const COLLECT: Duration = Duration::from_mins(10);
/// A submission that failed longer ago is handed in anew rather than run once more.
const TOKEN_AGE: Duration = Duration::from_hours(30 * 24);
/// Older news is none.
const MAIL_AGE: Duration = Duration::from_hours(7 * 24);
/// Of a file that is no archive, enough to tell what it is.
const HEAD_BYTES: usize = 4096;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Upload")]
pub(crate) struct UploadJson {
    id: Uuid,
    name: String,
    bytes: u64,
    part_bytes: u64,
    parts: u64,
    state: &'static str,
    /// Numbers of the parts that have arrived whole.
    stored: Vec<u64>,
    problem: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewUpload")]
pub(crate) struct Begin {
    name: String,
    bytes: u64,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct WantedParts {
    numbers: Vec<u64>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PartAddresses")]
pub(crate) struct Addresses {
    parts: Vec<Address>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PartAddress")]
struct Address {
    number: u64,
    url: String,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "SentParts")]
pub(crate) struct Sent {
    /// Of each part, hexadecimal.
    sha256: Vec<String>,
}

/// `POST /api/v1/uploads`: begins one, or goes on with the open one of this name and length.
pub(crate) async fn begin(
    State(service): State<Service>,
    Uploader(user): Uploader,
    JsonBody(asked): JsonBody<Begin>,
) -> Result<(StatusCode, Json<UploadJson>), AppError> {
    let most = service.settings.policy.upload_bytes;
    if asked.bytes == 0 || asked.bytes > most {
        return Err(AppError::TooLarge(format!(
            "A file of {} bytes cannot be uploaded; it may have 1 to {most} bytes.",
            asked.bytes
        )));
    }
    if !is_model_path(&asked.name) || asked.name.contains('/') {
        return Err(AppError::Unprocessable(format!(
            "\u{201c}{}\u{201d} is not a usable file name: letters, digits, dot, hyphen and underscore are.",
            asked.name
        )));
    }
    let upload = uploads::begin(&service.pool, &service.objects, user.id, &asked.name, asked.bytes).await?;
    Ok((StatusCode::CREATED, Json(describe(&service, upload).await?)))
}

/// `GET /api/v1/uploads/{upload}`: where it is, and which parts are there.
pub(crate) async fn show(
    State(service): State<Service>,
    Uploader(user): Uploader,
    Path(id): Path<Uuid>,
) -> Result<Json<UploadJson>, AppError> {
    let upload = uploads::get(&service.pool, user.id, id).await?;
    Ok(Json(describe(&service, upload).await?))
}

async fn describe(service: &Service, upload: Upload) -> Result<UploadJson, AppError> {
    let stored = match upload.state {
        UploadState::Open => service
            .objects
            .parts(&objects::upload_key(upload.id), &upload.multipart_id)
            .await?
            .into_iter()
            .filter(|part| (1..=upload.parts()).contains(&part.number))
            .filter(|part| part.bytes == upload.bytes_of_part(part.number))
            .map(|part| part.number)
            .collect(),
        _ => Vec::new(),
    };
    Ok(UploadJson {
        id: upload.id,
        parts: upload.parts(),
        state: upload.state.as_str(),
        stored,
        name: upload.name,
        bytes: upload.bytes,
        part_bytes: upload.part_bytes,
        problem: upload.problem,
    })
}

/// `POST /api/v1/uploads/{upload}/parts`: where to `PUT` these parts.
pub(crate) async fn addresses(
    State(service): State<Service>,
    Uploader(user): Uploader,
    Path(id): Path<Uuid>,
    JsonBody(wanted): JsonBody<WantedParts>,
) -> Result<Json<Addresses>, AppError> {
    let upload = uploads::get(&service.pool, user.id, id).await?;
    let fits = wanted.numbers.iter().all(|number| (1..=upload.parts()).contains(number));
    if upload.state != UploadState::Open || !fits || wanted.numbers.len() > MOST_ADDRESSES {
        return Err(AppError::Conflict(format!(
            "The upload is {} and has {} parts; addresses are given out for {MOST_ADDRESSES} of them at once.",
            upload.state.as_str(),
            upload.parts()
        )));
    }
    let key = objects::upload_key(id);
    let mut parts = Vec::with_capacity(wanted.numbers.len());
    for number in wanted.numbers {
        let url = service.objects.presign_part(&key, &upload.multipart_id, number, PART_LIFETIME).await?;
        parts.push(Address { number, url });
    }
    Ok(Json(Addresses { parts }))
}

/// `POST /api/v1/uploads/{upload}/complete`: all parts are sent, and this is what they are.
pub(crate) async fn complete(
    State(service): State<Service>,
    Uploader(user): Uploader,
    Path(id): Path<Uuid>,
    JsonBody(sent): JsonBody<Sent>,
) -> Result<(StatusCode, Json<UploadJson>), AppError> {
    let upload = uploads::get(&service.pool, user.id, id).await?;
    let is_hash = |text: &String| text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit());
    if sent.sha256.len() as u64 != upload.parts() || !sent.sha256.iter().all(is_hash) {
        return Err(AppError::Unprocessable(format!(
            "Name the SHA-256 of each of the {} parts, in hexadecimal.",
            upload.parts()
        )));
    }
    if upload.state == UploadState::Open {
        let there = describe(&service, upload.clone()).await?.stored.len() as u64;
        if there < upload.parts() {
            return Err(AppError::Conflict(format!(
                "{there} of {} parts have arrived; send the others first.",
                upload.parts()
            )));
        }
    }
    let sha256: Vec<String> = sent.sha256.iter().map(|hash| hash.to_ascii_lowercase()).collect();
    uploads::sent(&service.pool, &upload, &sha256).await?;
    let now = uploads::get(&service.pool, user.id, id).await?;
    Ok((StatusCode::ACCEPTED, Json(describe(&service, now).await?)))
}

/// `DELETE /api/v1/uploads/{upload}`.
pub(crate) async fn abandon(
    State(service): State<Service>,
    Uploader(user): Uploader,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, AppError> {
    let upload = uploads::get(&service.pool, user.id, id).await?;
    if upload.state == UploadState::Checking {
        return Err(AppError::Conflict(
            "The upload is being checked; it can be given up after that.".to_owned(),
        ));
    }
    uploads::abandon(&service.pool, &service.objects, &upload).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Looks at what has arrived, one at a time, for ever.
pub(crate) async fn check_all(service: Service) {
    let mut changed = service.jobs_changed.subscribe();
    loop {
        changed.mark_unchanged();
        match uploads::claim_check(&service.pool, CHECK_LEASE).await {
            Ok(Some(check)) => {
                if let Err(error) = check_one(&service, &check).await {
                    // Storage or the database is away, or somebody else has it now; the lease runs out.
                    tracing::warn!(
                        "upload {} could not be checked and will be again: {error}",
                        check.upload.id
                    );
                    tokio::time::sleep(AFTER_ERROR).await;
                }
            }
            Ok(None) => {
                let _ = timeout(LOOK, changed.changed()).await;
            }
            Err(error) => {
                tracing::warn!("uploads could not be looked for: {error}");
                tokio::time::sleep(AFTER_ERROR).await;
            }
        }
    }
}

/// Collects what nobody came back for, for ever: uploads, tokens of failed submissions, messages that were never sent.
pub(crate) async fn collect_all(service: Service) {
    let kept = service.settings.policy.abandoned_after;
    loop {
        match collect_once(&service, kept).await {
            Ok(0) => {}
            Ok(count) => tracing::info!("{count} abandoned uploads are collected"),
            Err(error) => tracing::warn!("what is abandoned could not be collected: {error}"),
        }
        tokio::time::sleep(COLLECT.min(kept)).await;
    }
}

async fn collect_once(service: &Service, kept: Duration) -> Result<usize, StoreError> {
    sealed::forget_old(&service.pool, TOKEN_AGE).await?;
    mail::drop_old(&service.pool, MAIL_AGE).await?;
    uploads::collect(&service.pool, &service.objects, kept).await
}

async fn check_one(service: &Service, check: &ToCheck) -> Result<(), StoreError> {
    let mut ticks = interval(KEEP);
    // On the heap: it is large, and lives as long as the check.
    let mut work = Box::pin(look_at(service, &check.upload));
    let outcome = loop {
        tokio::select! {
            outcome = &mut work => break outcome?,
            _ = ticks.tick() => uploads::keep(&service.pool, check, CHECK_LEASE).await?,
        }
    };
    uploads::finish_check(&service.pool, check, outcome).await?;
    service.objects.delete(&objects::upload_key(check.upload.id)).await
}

/// What an upload is, its files stored under their hashes; or one sentence why it cannot be used.
async fn look_at(service: &Service, upload: &Upload) -> Result<Result<CheckResult, String>, StoreError> {
    let key = objects::upload_key(upload.id);
    // A service that stopped in the middle may have done this before.
    if !service.objects.contains(&key).await {
        let parts = service.objects.parts(&key, &upload.multipart_id).await?;
        service.objects.complete_multipart(&key, &upload.multipart_id, &parts).await?;
    }
    let (file, sha256) = match fetch(service, upload, &key).await? {
        Ok(fetched) => fetched,
        Err(problem) => return Ok(Err(problem)),
    };
    let limits = Limits {
        entries: MOST_FILES,
        unpacked_bytes: service.settings.policy.upload_bytes,
        ..Limits::default()
    };
    let name = upload.name.clone();
    let looked = tokio::task::spawn_blocking(move || unpack(file, &name, sha256, &limits));
    let unpacked =
        looked.await.map_err(|error| local(&io::Error::other(error)))?.map_err(|error| local(&error))?;
    let unpacked = match unpacked {
        Ok(unpacked) => unpacked,
        Err(problem) => return Ok(Err(problem)),
    };
    let mut files = Vec::with_capacity(unpacked.files.len());
    for (name, path, sha256, bytes) in &unpacked.files {
        let key = objects::model_key(sha256);
        if !service.objects.contains(&key).await {
            service.objects.put_file(&key, path, *bytes).await?;
        }
        let bytes = i64::try_from(*bytes).unwrap_or(i64::MAX);
        files.push(CheckedFile { name: name.clone(), sha256: sha256.clone(), bytes });
    }
    Ok(Ok(CheckResult { files, manifest: unpacked.manifest, findings: unpacked.findings }))
}

/// Trouble with this machine's own disk, which passes like trouble with storage.
fn local(error: &io::Error) -> StoreError {
    StoreError::Objects { action: "unpack", key: "an upload".to_owned(), message: error.to_string() }
}

/// Brings an upload to this machine and compares each part with what its sender said it was.
async fn fetch(
    service: &Service,
    upload: &Upload,
    key: &str,
) -> Result<Result<(NamedTempFile, String), String>, StoreError> {
    let mut file = NamedTempFile::new().map_err(|error| local(&error))?;
    let mut body = service.objects.stream(key).await?;
    let (mut whole, mut part, mut number) = (Sha256::new(), Sha256::new(), 1);
    let mut left = upload.bytes_of_part(number);
    let mut read = 0;
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| local(&io::Error::other(error)))?;
        file.write_all(&chunk).map_err(|error| local(&error))?;
        whole.update(&chunk);
        read += chunk.len() as u64;
        let mut rest = &chunk[..];
        while !rest.is_empty() && number <= upload.parts() {
            let (of_this, others) =
                rest.split_at(rest.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
            part.update(of_this);
            left -= of_this.len() as u64;
            rest = others;
            if left == 0 {
                let found = hex::encode(std::mem::take(&mut part).finalize());
                if upload.parts_sha256.get(number as usize - 1) != Some(&found) {
                    return Ok(Err(format!(
                        "Part {number} of {} arrived with another SHA-256 than was sent; upload the file again.",
                        upload.name
                    )));
                }
                number += 1;
                left = if number <= upload.parts() { upload.bytes_of_part(number) } else { 0 };
            }
        }
    }
    if read != upload.bytes {
        return Ok(Err(format!(
            "{} bytes of {} were announced and {read} arrived; upload the file again.",
            upload.bytes, upload.name
        )));
    }
    Ok(Ok((file, hex::encode(whole.finalize()))))
}

/// The files of an upload on this machine's disk; they go with the directory.
struct Unpacked {
    /// Name, place, SHA-256, length.
    files: Vec<(String, std::path::PathBuf, String, u64)>,
    manifest: Option<String>,
    findings: Vec<store::findings::Finding>,
    _kept: (NamedTempFile, Option<TempDir>),
}

/// An archive is unpacked; anything else is one file.
fn unpack(
    file: NamedTempFile,
    name: &str,
    sha256: String,
    limits: &Limits,
) -> io::Result<Result<Unpacked, String>> {
    let bytes = file.as_file().metadata()?.len();
    if kind(file.path(), name, bytes)? != FileKind::Archive {
        let files = vec![(name.to_owned(), file.path().to_owned(), sha256, bytes)];
        return Ok(Ok(Unpacked { files, manifest: None, findings: Vec::new(), _kept: (file, None) }));
    }
    let report = inspection::inspect_bundle(file.reopen()?, limits);
    let refusals: Vec<String> = report
        .findings
        .iter()
        // The form may bring the description.
        .filter(|finding| finding.severity() == Severity::Refusal && finding.rule != Rule::NoManifest)
        .map(|finding| checks::refusal(name, finding))
        .collect();
    if !refusals.is_empty() {
        return Ok(Err(refusals.join(" ")));
    }
    let findings = report
        .findings
        .iter()
        .filter(|finding| matches!(finding.rule, Rule::NoWeights | Rule::NoLicenceFile))
        .map(|finding| checks::stored(name, finding))
        .collect();
    let directory = TempDir::new()?;
    let mut paths = Vec::new();
    let unpacked = inspection::visit_bundle(file.reopen()?, limits, &mut |path, content| {
        let place = directory.path().join(paths.len().to_string());
        let mut written = std::fs::File::create(&place)?;
        let bytes = io::copy(content, &mut written)?;
        paths.push((path.to_owned(), place, bytes));
        Ok(())
    });
    if let Err(finding) = unpacked {
        return Ok(Err(checks::refusal(name, &finding)));
    }
    let top = checks::common_folder(paths.iter().map(|(path, ..)| path.as_str()));
    let (mut files, mut manifest) = (Vec::new(), None);
    for (path, place, bytes) in paths {
        let inner = top.as_deref().and_then(|top| path.strip_prefix(top)).unwrap_or(&path).to_owned();
        if inner == checks::MANIFEST {
            manifest = String::from_utf8(std::fs::read(&place)?).ok();
        } else if is_model_path(&inner) {
            let sha256 = digest(&place)?;
            files.push((inner, place, sha256, bytes));
        } else {
            return Ok(Err(format!(
                "{name}: \u{201c}{inner}\u{201d} is not a usable file name: letters, digits, dot, hyphen and underscore are."
            )));
        }
    }
    Ok(Ok(Unpacked { files, manifest, findings, _kept: (file, Some(directory)) }))
}

fn kind(path: &FilePath, name: &str, bytes: u64) -> io::Result<FileKind> {
    let mut head = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(std::fs::File::open(path)?, HEAD_BYTES as u64), &mut head)?;
    Ok(inspection::inspect_file(name, &head, bytes).0)
}

fn digest(path: &FilePath) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut std::fs::File::open(path)?, &mut hasher)?;
    Ok(hex::encode(hasher.finalize()))
}
