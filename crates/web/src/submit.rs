//! Taking a submission: the same reading, checking and accepting for the form and for the API ([`take`]).

use axum::extract::{Multipart, multipart::MultipartError};
use protocol::{Decoding, DemandingTrack, HubSource, HubToken, ModelManifest, SubmissionId, is_model_path};
use sha2::{Digest, Sha256};
use store::{
    StoreError,
    accounts::{Role, User},
    findings::Finding,
    objects,
    releases::Release,
    sealed::TokenToKeep,
    submissions::{self, Likeness, NewSubmission, StoredFile},
    uploads::{self, UploadState},
};

use crate::{
    Service,
    checks::{self, Checked},
    error::AppError,
    hub, runtimes,
    views::{FieldErrors, SubmitForm},
};

/// Most bytes of one submission, files included.
pub(crate) const UPLOAD_LIMIT: usize = 64 * 1024 * 1024;
/// Most bytes of one text field.
const FIELD_LIMIT: usize = 64 * 1024;
const MOST_FILES: usize = hub::MOST_FILES;
/// Of a file that is elsewhere, so much is looked at.
pub(crate) const HEAD_BYTES: usize = 256 * 1024;

/// What came in, not yet understood.
#[derive(Default)]
pub(crate) struct Upload {
    pub(crate) form: SubmitForm,
    pub(crate) runtime: String,
    pub(crate) release: String,
    /// Id of the submission that this one replaces; may be empty.
    pub(crate) revises: String,
    /// The files of that one are used too, where no new one of the same name came.
    pub(crate) keep_files: bool,
    pub(crate) files: Vec<UploadedFile>,
    /// Name of the file that came in the field for the evaluator.
    pub(crate) evaluator: Option<String>,
    /// For a private model on the hub.
    pub(crate) hub_token: Option<HubToken>,
    /// Ids of large files that were uploaded before.
    pub(crate) uploaded: Vec<String>,
    /// Only look: say what would run, and take nothing.
    pub(crate) check: bool,
    /// What has been found so far.
    pub(crate) findings: Vec<Finding>,
}

/// A file of the model.
#[derive(Debug)]
pub(crate) struct UploadedFile {
    pub(crate) name: String,
    pub(crate) content: Content,
    /// It belongs to the hub's model and was not handed in.
    pub(crate) from_hub: bool,
}

/// Where the content of a file is.
#[derive(Debug)]
pub(crate) enum Content {
    /// In memory.
    Here(Vec<u8>),
    /// In object storage under its hash, or on the hub; looked at are its first [`HEAD_BYTES`] at most.
    Elsewhere { sha256: String, bytes: u64, head: Vec<u8>, in_storage: bool },
}

impl UploadedFile {
    /// A file that came with the request.
    pub(crate) fn here(name: String, content: Vec<u8>) -> Self {
        Self { name, content: Content::Here(content), from_hub: false }
    }

    /// What there is to look at.
    pub(crate) fn head(&self) -> &[u8] {
        match &self.content {
            Content::Here(content) => content,
            Content::Elsewhere { head, .. } => head,
        }
    }

    /// SHA-256 of the content, in hexadecimal digits.
    fn sha256(&self) -> String {
        match &self.content {
            Content::Here(content) => hex::encode(Sha256::digest(content)),
            Content::Elsewhere { sha256, .. } => sha256.clone(),
        }
    }

    /// Its length.
    pub(crate) fn bytes(&self) -> u64 {
        match &self.content {
            Content::Here(content) => content.len() as u64,
            Content::Elsewhere { bytes, .. } => *bytes,
        }
    }
}

/// Reads a multipart form. Text fields are those of [`SubmitForm`] plus `runtime`, `release`, `revises`, `keep_files` and
/// `check`; `manifest_file` is an uploaded `ffasr.toml`, `evaluator` a Python file; `files` may come any number of
/// times.
pub(crate) async fn read(mut multipart: Multipart) -> Result<Upload, AppError> {
    let mut upload = Upload::default();
    while let Some(field) = multipart.next_field().await.map_err(|error| unreadable(&error))? {
        let name = field.name().unwrap_or_default().to_owned();
        let file_name = field.file_name().map(str::to_owned);
        let content = field.bytes().await.map_err(|error| unreadable(&error))?;
        match name.as_str() {
            "files" => {
                // A browser sends one empty part when no file was chosen.
                let file_name = file_name.unwrap_or_default();
                if !(file_name.is_empty() && content.is_empty()) {
                    upload.files.push(UploadedFile::here(file_name, content.into()));
                }
            }
            "evaluator" => {
                let file_name = file_name.unwrap_or_default();
                if !(file_name.is_empty() && content.is_empty()) {
                    upload.evaluator = Some(file_name.clone());
                    upload.files.push(UploadedFile::here(file_name, content.into()));
                }
            }
            "hub_token" => {
                let token = text_of("hub_token", &content)?;
                upload.hub_token =
                    Some(token.trim()).filter(|it| !it.is_empty()).map(|it| HubToken(it.to_owned()));
            }
            "uploaded" => {
                let id = text_of("uploaded", &content)?;
                if !id.is_empty() && upload.uploaded.len() < MOST_FILES {
                    upload.uploaded.push(id);
                }
            }
            "tracks" => {
                let track = text_of("tracks", &content)?.trim().to_owned();
                if !track.is_empty() && upload.form.tracks.len() < DemandingTrack::ALL.len() {
                    upload.form.tracks.push(track);
                }
            }
            "check" => upload.check = !content.is_empty(),
            "keep_files" => upload.keep_files = !content.is_empty(),
            "manifest_file" => {
                let text = text_of("manifest_file", &content)?;
                if !text.trim().is_empty() {
                    upload.form.manifest = text;
                }
            }
            other => {
                let text = text_of(other, &content)?;
                let place = match other {
                    "name" => &mut upload.form.name,
                    "organisation" => &mut upload.form.organisation,
                    "licence" => &mut upload.form.licence,
                    "num_params" => &mut upload.form.num_params,
                    "hub_model" => &mut upload.form.hub_model,
                    "hub_revision" => &mut upload.form.hub_revision,
                    "hub_files" => &mut upload.form.hub_files,
                    "decoding" => &mut upload.form.decoding,
                    "training_data" => &mut upload.form.training_data,
                    "notes" => &mut upload.form.notes,
                    "manifest" if upload.form.manifest.is_empty() => &mut upload.form.manifest,
                    "manifest" => continue,
                    "runtime" => &mut upload.runtime,
                    "release" => &mut upload.release,
                    "revises" => &mut upload.revises,
                    unknown => {
                        return Err(AppError::BadRequest(format!(
                            "The form has a field \u{201c}{unknown}\u{201d} that is not known; the fields are name, organisation, licence, runtime, release, num_params, decoding, training_data, notes, manifest, manifest_file, files, evaluator, hub_model, hub_revision, hub_files, hub_token, uploaded, revises, tracks, keep_files and check."
                        )));
                    }
                };
                *place = text;
            }
        }
    }
    Ok(upload)
}

fn text_of(field: &str, content: &[u8]) -> Result<String, AppError> {
    if content.len() > FIELD_LIMIT {
        return Err(AppError::TooLarge(format!(
            "The field \u{201c}{field}\u{201d} has more than {FIELD_LIMIT} bytes."
        )));
    }
    // Browsers send CR LF; the fields are Unix text.
    String::from_utf8(content.to_vec())
        .map(|text| text.replace("\r\n", "\n"))
        .map_err(|_| AppError::Invalid(vec![(field.to_owned(), "This is not valid UTF-8 text.".to_owned())]))
}

fn unreadable(error: &MultipartError) -> AppError {
    if error.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
        return AppError::TooLarge(format!(
            "The submission has more than {} MiB; that is the limit for all its files together.",
            UPLOAD_LIMIT / 1024 / 1024
        ));
    }
    AppError::BadRequest(format!("The form could not be read: {}.", error.body_text()))
}

/// Understands and checks an upload; either everything is right or every fault is named at its field.
pub(crate) fn understand(upload: &Upload) -> Result<ModelManifest, FieldErrors> {
    let mut errors = FieldErrors::default();
    let manifest = if upload.form.manifest.trim().is_empty() {
        Some(manifest_from_fields(upload, &mut errors))
    } else {
        manifest_from_toml(&upload.form.manifest, &mut errors)
    };
    check_files(&upload.files, &mut errors);
    if let Some(manifest) = &manifest {
        check_manifest(manifest, &upload.files, &mut errors);
    }
    match manifest {
        Some(manifest) if errors.is_empty() => Ok(manifest),
        _ => Err(errors),
    }
}

fn manifest_from_toml(text: &str, errors: &mut FieldErrors) -> Option<ModelManifest> {
    match toml::from_str(text) {
        Ok(manifest) => Some(manifest),
        Err(error) => {
            errors.add("manifest", toml_fault("ffasr.toml", text, &error));
            None
        }
    }
}

fn manifest_from_fields(upload: &Upload, errors: &mut FieldErrors) -> ModelManifest {
    let form = &upload.form;
    let num_params = match form.num_params.trim() {
        "" => None,
        text => {
            let number = text.replace(['_', ',', ' '], "").parse::<u64>().ok();
            if number.is_none() {
                let message = format!("\u{201c}{text}\u{201d} is not a whole number, such as 39000000.");
                errors.add("num_params", message);
            }
            number
        }
    };
    let decoding: Decoding = toml::from_str(&form.decoding).unwrap_or_else(|error| {
        errors.add("decoding", toml_fault("The decoding settings", &form.decoding, &error));
        Decoding::new()
    });
    ModelManifest {
        name: form.name.trim().to_owned(),
        organisation: form.organisation.trim().to_owned(),
        licence: form.licence.trim().to_owned(),
        runtime: upload.runtime.trim().to_owned(),
        num_params,
        training_data: form.training_data.trim().to_owned(),
        notes: form.notes.trim().to_owned(),
        tracks: tracks_from_fields(form, errors),
        multichannel: false,
        hub: hub_from_fields(form),
        decoding,
    }
}

fn tracks_from_fields(form: &SubmitForm, errors: &mut FieldErrors) -> Vec<DemandingTrack> {
    let find = |name: &String| DemandingTrack::ALL.into_iter().find(|track| track.name() == name);
    if let Some(unknown) = form.tracks.iter().find(|name| find(name).is_none()) {
        errors
            .add("tracks", format!("There is no track \u{201c}{unknown}\u{201d} that a model has to name."));
    }
    form.tracks.iter().filter_map(find).collect()
}

fn hub_from_fields(form: &SubmitForm) -> Option<HubSource> {
    let model = form.hub_model.trim();
    let revision = Some(form.hub_revision.trim()).filter(|it| !it.is_empty()).unwrap_or("main");
    (!model.is_empty()).then(|| HubSource {
        model: model.to_owned(),
        revision: revision.to_owned(),
        files: form
            .hub_files
            .split([',', ' ', '\n'])
            .filter(|it| !it.is_empty())
            .map(str::to_owned)
            .collect(),
    })
}

/// The hub's model that an upload names, as far as it can be read; what cannot is named by [`understand`].
fn hub_source(upload: &Upload) -> Option<HubSource> {
    if upload.form.manifest.trim().is_empty() {
        hub_from_fields(&upload.form)
    } else {
        toml::from_str::<ModelManifest>(&upload.form.manifest).ok()?.hub
    }
}

/// One sentence with the line, from an error whose own text is a drawing over several lines.
fn toml_fault(what: &str, text: &str, error: &toml::de::Error) -> String {
    let line = error.span().map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
    match line {
        Some(line) => format!("{what}, line {line}: {}.", error.message()),
        None => format!("{what}: {}.", error.message()),
    }
}

fn check_files(files: &[UploadedFile], errors: &mut FieldErrors) {
    if files.len() > MOST_FILES {
        errors.add("files", format!("There are {} files; at most {MOST_FILES} are taken.", files.len()));
    }
    for (index, file) in files.iter().enumerate() {
        if !is_model_path(&file.name) {
            errors.add(
                "files",
                format!(
                    "\u{201c}{}\u{201d} is not a usable file name: letters, digits, dot, hyphen and underscore are, in folders that are named so too.",
                    file.name
                ),
            );
        }
        if files.iter().take(index).any(|other| other.name == file.name) {
            errors.add("files", format!("The file \u{201c}{}\u{201d} was sent twice.", file.name));
        }
    }
}

/// What people will read of a model: there, not too long, and fit to be stored and shown.
pub(crate) fn check_description(manifest: &ModelManifest, errors: &mut FieldErrors) {
    let single_line: [(&str, &str, usize); 3] = [
        ("name", &manifest.name, 100),
        ("organisation", &manifest.organisation, 100),
        ("licence", &manifest.licence, 100),
    ];
    for (field, value, most) in single_line {
        if value.trim().is_empty() {
            errors.add(field, format!("The {field} is needed."));
        } else if value.chars().count() > most {
            errors.add(field, format!("The {field} has more than {most} characters."));
        } else if value.chars().any(char::is_control) {
            errors.add(field, format!("The {field} holds a line break or another control character."));
        }
    }
    let long: [(&str, &str, &str); 2] =
        [("training_data", "training data", &manifest.training_data), ("notes", "notes", &manifest.notes)];
    for (field, name, value) in long {
        if value.chars().count() > 4000 {
            errors.add(field, format!("The {name} have more than 4000 characters."));
        } else if value.contains(|c: char| c.is_control() && c != '\n' && c != '\t') {
            errors.add(field, format!("The {name} hold a control character."));
        }
    }
}

fn check_manifest(manifest: &ModelManifest, files: &[UploadedFile], errors: &mut FieldErrors) {
    check_description(manifest, errors);
    if runtimes::is_streamed(&manifest.decoding) && runtimes::front_end(&manifest.decoding).is_some() {
        let message =
            "front_end hears whole recordings, so it cannot be streamed; leave out one of the two settings.";
        errors.add("decoding", message);
    }
    match runtimes::find(&manifest.runtime) {
        Some(runtime) => {
            let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
            for problem in runtime.problems(&manifest.decoding, &names) {
                errors.add("decoding", format!("{} {}.", problem.setting, problem.problem));
            }
            if manifest.multichannel && !runtime.multichannel {
                let message = format!(
                    "The runtime \u{201c}{}\u{201d} takes one channel: leave out `multichannel`.",
                    manifest.runtime
                );
                errors.add("runtime", message);
            }
        }
        None => errors.add(
            "runtime",
            format!(
                "There is no runtime \u{201c}{}\u{201d}; these exist: {}.",
                manifest.runtime,
                runtimes::names().collect::<Vec<_>>().join(", ")
            ),
        ),
    }
}

/// What to say when a release is not there.
fn no_release(slug: &str) -> String {
    if slug.is_empty() {
        "There is no release to submit to yet; the operator has to freeze one first.".to_owned()
    } else {
        format!("There is no release \u{201c}{slug}\u{201d}.")
    }
}

/// Why an upload was not taken.
pub(crate) enum Refusal {
    /// Faults at fields, and the upload without its files, to be shown again.
    Fields(Box<Upload>, FieldErrors),
    /// The name is taken.
    Duplicate(Box<Upload>, AppError),
    /// Everything else.
    Other(AppError),
}

impl From<AppError> for Refusal {
    fn from(error: AppError) -> Self {
        Self::Other(error)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Other(error.into())
    }
}

/// An upload in which everything is right.
pub(crate) struct Prepared {
    /// With all files, those of a hub and of earlier uploads too.
    pub(crate) upload: Upload,
    /// What it was found to be.
    pub(crate) checked: Checked,
    /// What it would run on.
    pub(crate) release: Release,
    /// What it would replace.
    revised: Option<SubmissionId>,
}

/// Checks an upload and accepts it: everything is right and stored, or every fault is named and nothing is stored.
pub(crate) async fn take(service: &Service, user: &User, upload: Upload) -> Result<SubmissionId, Refusal> {
    let Prepared { mut upload, checked, release, revised } = prepare(service, user, upload).await?;
    let files = std::mem::take(&mut upload.files);
    let token = upload.hub_token.take();
    match accept(service, user, &release, &checked, files, revised, token.as_ref()).await {
        Ok(id) => Ok(id),
        Err(error @ StoreError::DuplicateModel(_)) => Err(Refusal::Duplicate(Box::new(upload), error.into())),
        Err(error) => Err(error.into()),
    }
}

/// Checks an upload as [`take`] does and takes nothing. A name that is taken is found out only when it is handed in.
pub(crate) async fn prepare(service: &Service, user: &User, mut upload: Upload) -> Result<Prepared, Refusal> {
    let revised = revised(service, user, &upload).await?;
    if upload.keep_files
        && let Some(revised) = revised
    {
        keep_files(service, revised, &mut upload).await?;
    }
    let mut errors = FieldErrors::default();
    add_uploaded(service, user, &mut upload, &mut errors).await?;
    if !errors.is_empty() {
        upload.files.clear();
        return Err(Refusal::Fields(Box::new(upload), errors));
    }
    let (upload, unpacked) = aside(upload, checks::unpack).await?;
    let (mut upload, pinned) = match unpacked {
        Ok(()) => pin(service, upload).await,
        Err(errors) => (upload, Err(errors)),
    };
    let pinned = match pinned {
        Ok(pinned) => pinned,
        Err(errors) => {
            upload.files.clear();
            return Err(Refusal::Fields(Box::new(upload), errors));
        }
    };
    let look = |upload: &mut Upload| {
        let hashes: Vec<String> = upload.files.iter().map(UploadedFile::sha256).collect();
        (checks::look(upload), hashes)
    };
    let (mut upload, (mut checked, hashes)) = aside(upload, look).await?;
    if let (Ok(checked), Some(pinned)) = (&mut checked, &pinned) {
        checks::add_pinned(checked, pinned);
    }
    let board = service.board();
    let release = board.release(Some(upload.release.as_str()).filter(|slug| !slug.is_empty()));
    match (checked, release) {
        (Ok(mut checked), Some(release)) => {
            let manifest = &checked.manifest;
            let like =
                Likeness { release: release.id, manifest, hashes, user: user.id, revision_of: revised };
            if let Some(other) = submissions::alike(&service.pool, like).await? {
                checks::add_likeness(&mut checked, &other);
            }
            Ok(Prepared { upload, checked, release: release.clone(), revised })
        }
        (checked, release) => {
            let mut errors = checked.err().unwrap_or_default();
            if release.is_none() {
                errors.add("release", no_release(&upload.release));
            }
            upload.files.clear();
            Err(Refusal::Fields(Box::new(upload), errors))
        }
    }
}

/// Does on another thread what takes a while.
async fn aside<T: Send + 'static>(
    mut upload: Upload,
    work: impl FnOnce(&mut Upload) -> T + Send + 'static,
) -> Result<(Upload, T), AppError> {
    let done = tokio::task::spawn_blocking(move || {
        let result = work(&mut upload);
        (upload, result)
    });
    done.await.map_err(|error| AppError::Internal(format!("looking at an upload failed: {error}")))
}

/// What a hub's model was found to be.
pub(crate) struct PinnedSource {
    pub(crate) commit: String,
    pub(crate) licence: Option<String>,
}

/// Adds the files of the hub's model, where one is named; a file that was handed in under the same name counts instead.
async fn pin(service: &Service, mut upload: Upload) -> (Upload, Result<Option<PinnedSource>, FieldErrors>) {
    let mut errors = FieldErrors::default();
    let Some(source) = hub_source(&upload) else { return (upload, Ok(None)) };
    if upload.hub_token.is_some() && service.settings.policy.sealing_key.is_none() {
        errors.add(
            "hub_token",
            "This service keeps no tokens: its operator has not given it a key to seal them.",
        );
        return (upload, Err(errors));
    }
    match service.hub.pin(&source, upload.hub_token.as_ref()).await {
        Ok(pinned) => {
            for file in pinned.files {
                if upload.files.iter().all(|own| own.name != file.name) {
                    upload.files.push(file);
                }
            }
            (upload, Ok(Some(PinnedSource { commit: pinned.commit, licence: pinned.licence })))
        }
        Err(fault) => {
            errors.add(fault.field, fault.sentence);
            (upload, Err(errors))
        }
    }
}

/// The submission that an upload is a revision of; it must be the user's own.
async fn revised(service: &Service, user: &User, upload: &Upload) -> Result<Option<SubmissionId>, AppError> {
    if upload.revises.is_empty() {
        return Ok(None);
    }
    let id: SubmissionId =
        upload.revises.parse().map_err(|_| AppError::NotFound("submission to revise".to_owned()))?;
    let submission = submissions::get(&service.pool, id).await?;
    if submission.user == user.id {
        Ok(Some(id))
    } else {
        Err(AppError::Forbidden("Only its submitter can hand in a new revision.".to_owned()))
    }
}

/// Adds the files of large uploads, which have been checked and are in storage.
async fn add_uploaded(
    service: &Service,
    user: &User,
    upload: &mut Upload,
    errors: &mut FieldErrors,
) -> Result<(), AppError> {
    for id in &upload.uploaded {
        let id: uuid::Uuid = id.parse().map_err(|_| AppError::NotFound("upload of this id".to_owned()))?;
        let checked = uploads::get(&service.pool, user.id, id).await?;
        if checked.state != UploadState::Ready {
            let state = checked.problem.unwrap_or_else(|| format!("It is {}.", checked.state.as_str()));
            errors.add("files", format!("{} cannot be used. {state}", checked.name));
            continue;
        }
        if let Some(manifest) = checked.manifest
            && upload.form.manifest.trim().is_empty()
            && upload.form.name.trim().is_empty()
        {
            upload.form.manifest = manifest;
        }
        upload.findings.extend(checked.findings);
        for file in uploads::files(&service.pool, id).await? {
            let head = service.objects.head(&objects::model_key(&file.sha256), HEAD_BYTES as u64).await?;
            let bytes = file.bytes.unsigned_abs();
            let content = Content::Elsewhere { sha256: file.sha256, bytes, head, in_storage: true };
            upload.files.push(UploadedFile { name: file.name, content, from_hub: false });
        }
    }
    Ok(())
}

async fn keep_files(service: &Service, revised: SubmissionId, upload: &mut Upload) -> Result<(), StoreError> {
    for file in submissions::files(&service.pool, revised).await? {
        // What came from the hub comes from there again.
        if !file.from_hub && upload.files.iter().all(|new| new.name != file.name) {
            let head = service.objects.head(&objects::model_key(&file.sha256), HEAD_BYTES as u64).await?;
            let bytes = file.bytes.unsigned_abs();
            let content = Content::Elsewhere { sha256: file.sha256, bytes, head, in_storage: true };
            upload.files.push(UploadedFile { name: file.name, content, from_hub: false });
        }
    }
    Ok(())
}

/// Stores the files and the submission. Objects are named by their content, so a submission that fails half way leaves
/// nothing that could be mistaken for one.
async fn accept(
    service: &Service,
    user: &User,
    release: &Release,
    checked: &Checked,
    files: Vec<UploadedFile>,
    revision_of: Option<SubmissionId>,
    hub_token: Option<&HubToken>,
) -> Result<SubmissionId, StoreError> {
    let mut stored = Vec::with_capacity(files.len());
    for file in files {
        stored.push(store_file(service, file).await?);
    }
    let key = service.settings.policy.sealing_key.as_ref();
    let fetched_later = stored.iter().any(|file| !file.in_storage);
    let hub_token =
        hub_token.zip(key).filter(|_| fetched_later).map(|(token, key)| TokenToKeep { token, key });
    let new = NewSubmission {
        files: &stored,
        evaluator: checked.evaluator.as_deref(),
        findings: &checked.findings,
        review: checked.review.as_deref(),
        revision_of,
        hub_token,
        quota: (user.role == Role::Submitter).then_some(service.settings.policy.quota),
        ..NewSubmission::plain(
            (user.id, &user.name),
            release.id,
            &service.settings.hardware_class,
            &checked.manifest,
        )
    };
    submissions::accept(&service.pool, new).await
}

async fn store_file(service: &Service, file: UploadedFile) -> Result<StoredFile, StoreError> {
    let bytes = i64::try_from(file.bytes()).unwrap_or(i64::MAX);
    let sha256 = file.sha256();
    let in_storage = match file.content {
        Content::Here(content) => {
            let key = objects::model_key(&sha256);
            if !service.objects.contains(&key).await {
                service.objects.put(&key, content).await?;
            }
            true
        }
        Content::Elsewhere { in_storage, .. } => in_storage,
    };
    Ok(StoredFile { name: file.name, sha256, bytes, from_hub: file.from_hub, in_storage })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> Upload {
        Upload {
            form: SubmitForm {
                name: "a model".to_owned(),
                organisation: "somebody".to_owned(),
                licence: "MIT".to_owned(),
                ..SubmitForm::default()
            },
            runtime: "pocketsphinx".to_owned(),
            ..Upload::default()
        }
    }

    #[test]
    fn a_filled_form_is_understood() {
        let manifest = understand(&filled()).unwrap();
        assert_eq!((manifest.name.as_str(), manifest.num_params), ("a model", None));
    }

    #[test]
    fn every_fault_is_named_at_its_field_in_one_go() {
        let mut upload = filled();
        upload.form.name.clear();
        upload.form.num_params = "many".to_owned();
        upload.runtime = "abacus".to_owned();
        let errors = understand(&upload).unwrap_err();
        assert!(errors.of("name").is_some());
        assert!(errors.of("num_params").unwrap().contains("many"));
        assert!(errors.of("runtime").unwrap().contains("pocketsphinx"), "the message lists what exists");
        assert!(errors.of("licence").is_none());
    }

    #[test]
    fn a_character_that_cannot_be_stored_is_refused_at_its_field() {
        let mut upload = filled();
        upload.form.notes = "a\0b".to_owned();
        assert!(understand(&upload).unwrap_err().of("notes").is_some());
        upload.form.notes = "two\nlines".to_owned();
        assert!(understand(&upload).is_ok());
    }

    #[test]
    fn a_track_that_asks_for_more_is_taken_part_in_when_it_is_named() {
        let mut upload = filled();
        upload.form.tracks = vec!["echo".to_owned()];
        assert_eq!(understand(&upload).unwrap().tracks, [DemandingTrack::Echo]);
        upload.form.tracks = vec!["near".to_owned()];
        assert!(understand(&upload).unwrap_err().of("tracks").unwrap().contains("near"));
    }

    #[test]
    fn a_broken_toml_is_answered_with_its_line() {
        let mut upload = filled();
        upload.form.manifest = "name = \"x\"\norganisation = \n".to_owned();
        let errors = understand(&upload).unwrap_err();
        assert!(errors.of("manifest").unwrap().contains("line 2"), "{:?}", errors.of("manifest"));
    }

    #[test]
    fn a_misspelt_field_of_the_toml_is_noticed() {
        let mut upload = filled();
        upload.form.manifest =
            "name = \"x\"\norganisation = \"y\"\nlicense = \"MIT\"\nruntime = \"pocketsphinx\"\n".to_owned();
        let errors = understand(&upload).unwrap_err();
        assert!(errors.of("manifest").unwrap().contains("license"));
    }

    #[test]
    fn a_file_name_with_a_path_is_refused() {
        for name in ["../../etc/passwd", "/etc/passwd", "a b", "", ".hidden", "ä.lm"] {
            let mut upload = filled();
            upload.files.push(UploadedFile::here(name.to_owned(), vec![1]));
            assert!(understand(&upload).unwrap_err().of("files").is_some(), "{name}");
        }
    }
}
