//! Taking a submission: the same reading, checking and accepting for the form and for the API ([`take`]).

use axum::extract::{Multipart, multipart::MultipartError};
use protocol::{Decoding, ModelManifest, SubmissionId};
use sha2::{Digest, Sha256};
use store::{
    StoreError,
    accounts::{Role, User},
    objects,
    releases::Release,
    submissions::{self, NewSubmission, StoredFile},
};

use crate::{
    Service,
    checks::{self, Checked},
    error::AppError,
    runtimes,
    views::{FieldErrors, SubmitForm},
};

/// Most bytes of one submission, files included.
pub(crate) const UPLOAD_LIMIT: usize = 64 * 1024 * 1024;
/// Most bytes of one text field.
const FIELD_LIMIT: usize = 64 * 1024;
const MOST_FILES: usize = 32;

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
}

/// A file of the model as uploaded.
pub(crate) struct UploadedFile {
    pub(crate) name: String,
    pub(crate) content: Vec<u8>,
}

/// Reads a multipart form. Text fields are those of [`SubmitForm`] plus `runtime`, `release`, `revises` and
/// `keep_files`; `manifest_file` is an uploaded `ffasr.toml`, `evaluator` a Python file; `files` may come any number of
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
                    upload.files.push(UploadedFile { name: file_name, content: content.into() });
                }
            }
            "evaluator" => {
                let file_name = file_name.unwrap_or_default();
                if !(file_name.is_empty() && content.is_empty()) {
                    upload.evaluator = Some(file_name.clone());
                    upload.files.push(UploadedFile { name: file_name, content: content.into() });
                }
            }
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
                            "The form has a field \u{201c}{unknown}\u{201d} that is not known; the fields are name, organisation, licence, runtime, release, num_params, decoding, training_data, notes, manifest, manifest_file, files, evaluator, revises and keep_files."
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
    String::from_utf8(content.to_vec()).map(|text| text.replace("\r\n", "\n")).map_err(|_| {
        AppError::BadRequest(format!("The field \u{201c}{field}\u{201d} is not valid UTF-8 text."))
    })
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
        tracks: Vec::new(),
        decoding,
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
        let plain = file.name.len() <= 128
            && file.name.starts_with(|first: char| first.is_ascii_alphanumeric())
            && file.name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if !plain {
            errors.add(
                "files",
                format!(
                    "\u{201c}{}\u{201d} is not a usable file name: letters, digits, dot, hyphen and underscore are, at most 128 of them.",
                    file.name
                ),
            );
        }
        if files.iter().take(index).any(|other| other.name == file.name) {
            errors.add("files", format!("The file \u{201c}{}\u{201d} was sent twice.", file.name));
        }
    }
}

fn check_manifest(manifest: &ModelManifest, files: &[UploadedFile], errors: &mut FieldErrors) {
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
    match runtimes::find(&manifest.runtime) {
        Some(runtime) => {
            let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
            for problem in runtime.problems(&manifest.decoding, &names) {
                errors.add("decoding", format!("{}: {}.", problem.setting, problem.problem));
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

/// Checks an upload and accepts it: everything is right and stored, or every fault is named and nothing is stored.
pub(crate) async fn take(
    service: &Service,
    user: &User,
    mut upload: Upload,
) -> Result<SubmissionId, Refusal> {
    let revised = revised(service, user, &upload).await?;
    if upload.keep_files
        && let Some(revised) = revised
    {
        keep_files(service, revised, &mut upload).await?;
    }
    let looked_at = tokio::task::spawn_blocking(move || {
        let checked = checks::look(&mut upload);
        (upload, checked)
    });
    let (mut upload, checked) = looked_at
        .await
        .map_err(|error| AppError::Internal(format!("looking at an upload failed: {error}")))?;
    let board = service.board();
    let release = board.release(Some(upload.release.as_str()).filter(|slug| !slug.is_empty()));
    let (understood, release) = match (checked, release) {
        (Ok(understood), Some(release)) => (understood, release),
        (checked, release) => {
            let mut errors = checked.err().unwrap_or_default();
            if release.is_none() {
                errors.add("release", no_release(&upload.release));
            }
            upload.files.clear();
            return Err(Refusal::Fields(Box::new(upload), errors));
        }
    };
    let files = std::mem::take(&mut upload.files);
    match accept(service, user, release, &understood, files, revised).await {
        Ok(id) => Ok(id),
        Err(error @ StoreError::DuplicateModel(_)) => Err(Refusal::Duplicate(Box::new(upload), error.into())),
        Err(error) => Err(error.into()),
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

async fn keep_files(service: &Service, revised: SubmissionId, upload: &mut Upload) -> Result<(), StoreError> {
    for file in submissions::files(&service.pool, revised).await? {
        if upload.files.iter().all(|new| new.name != file.name) {
            let content = service.objects.get(&objects::model_key(&file.sha256), UPLOAD_LIMIT as u64).await?;
            upload.files.push(UploadedFile { name: file.name, content });
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
) -> Result<SubmissionId, StoreError> {
    let mut stored = Vec::with_capacity(files.len());
    for file in files {
        let sha256 = hex::encode(Sha256::digest(&file.content));
        let bytes = i64::try_from(file.content.len()).unwrap_or(i64::MAX);
        let key = objects::model_key(&sha256);
        if !service.objects.contains(&key).await {
            service.objects.put(&key, file.content).await?;
        }
        stored.push(StoredFile { name: file.name, sha256, bytes });
    }
    let new = NewSubmission {
        files: &stored,
        evaluator: checked.evaluator.as_deref(),
        findings: &checked.findings,
        review: checked.review.as_deref(),
        revision_of,
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
            upload.files.push(UploadedFile { name: name.to_owned(), content: vec![1] });
            assert!(understand(&upload).unwrap_err().of("files").is_some(), "{name}");
        }
    }
}
