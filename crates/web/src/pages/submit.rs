//! The submission form.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use store::{
    accounts::{self, User},
    estimate,
    submissions::{self, Submission},
};

use super::{
    Page, layout, page,
    submission::{finding_view, quota_in_words},
};
use crate::{
    Service,
    auth::SignedIn,
    error::AppError,
    extract::{Multipart, Query},
    runtimes,
    submit::{self, Prepared, Refusal, Upload},
    views::{Age, Bytes, Choice, Count, FieldErrors, Preview, Revised, Section, SubmitForm, SubmitPage},
};

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    revises: String,
}

pub(crate) async fn show(
    State(service): State<Service>,
    SignedIn(user): SignedIn,
    Query(asked): Query<Asked>,
) -> Page {
    let mut upload = Upload { revises: asked.revises, ..Upload::default() };
    if let Some(revised) = revised(&service, &user, &upload).await? {
        fill_from(&mut upload, &revised);
    }
    page(&form(&service, &user, upload, FieldErrors::default()).await?)
}

/// The submission that the form revises; it must be the user's own.
async fn revised(service: &Service, user: &User, upload: &Upload) -> Result<Option<Submission>, AppError> {
    if upload.revises.is_empty() {
        return Ok(None);
    }
    let id = upload.revises.parse().map_err(|_| AppError::NotFound("submission to revise".to_owned()))?;
    let submission = submissions::get(&service.pool, id).await?;
    if submission.user == user.id {
        Ok(Some(submission))
    } else {
        Err(AppError::Forbidden("Only its submitter can hand in a new revision.".to_owned()))
    }
}

fn fill_from(upload: &mut Upload, revised: &Submission) {
    let manifest = &revised.manifest;
    upload.form = SubmitForm {
        name: manifest.name.clone(),
        organisation: manifest.organisation.clone(),
        licence: manifest.licence.clone(),
        num_params: manifest.num_params.map(|count| count.to_string()).unwrap_or_default(),
        hub_model: manifest.hub.as_ref().map(|hub| hub.model.clone()).unwrap_or_default(),
        // A revision of a submission is about what there is now, unless somebody says otherwise.
        hub_revision: String::new(),
        hub_files: manifest.hub.as_ref().map(|hub| hub.files.join(" ")).unwrap_or_default(),
        decoding: toml::to_string(&manifest.decoding).unwrap_or_default(),
        tracks: manifest.tracks.iter().map(|track| track.name().to_owned()).collect(),
        training_data: manifest.training_data.clone(),
        notes: manifest.notes.clone(),
        manifest: String::new(),
    };
    upload.runtime.clone_from(&manifest.runtime);
    upload.release.clone_from(&revised.release_slug);
}

pub(crate) async fn send(
    State(service): State<Service>,
    SignedIn(user): SignedIn,
    Multipart(multipart): Multipart,
) -> Result<Response, AppError> {
    let upload = submit::read(multipart).await?;
    if upload.check {
        return check(&service, &user, upload).await;
    }
    match submit::take(&service, &user, upload).await {
        Ok(id) => Ok(Redirect::to(&format!("/submissions/{id}?done=submitted")).into_response()),
        Err(Refusal::Fields(upload, errors)) => refused(&service, &user, *upload, errors).await,
        Err(Refusal::Duplicate(upload, error)) => {
            let mut errors = FieldErrors::default();
            let field = if upload.form.manifest.is_empty() { "name" } else { "manifest" };
            errors.add(field, error.to_string());
            refused(&service, &user, *upload, errors).await
        }
        Err(Refusal::Other(error)) => Err(error),
    }
}

/// The form again, with what would run.
async fn check(service: &Service, user: &User, upload: Upload) -> Result<Response, AppError> {
    let chose_files = upload.files.iter().any(|file| !file.from_hub);
    match submit::prepare(service, user, upload).await {
        Ok(prepared) => {
            let preview = preview(service, &prepared, chose_files).await?;
            let mut view = form(service, user, prepared.upload, FieldErrors::default()).await?;
            view.preview = Some(preview);
            Ok(page(&view)?.into_response())
        }
        Err(Refusal::Fields(upload, errors)) => refused(service, user, *upload, errors).await,
        Err(Refusal::Duplicate(_, error) | Refusal::Other(error)) => Err(error),
    }
}

async fn preview(service: &Service, prepared: &Prepared, chose_files: bool) -> Result<Preview, AppError> {
    let Prepared { upload, checked, release, .. } = prepared;
    let items = service.board().size(release.id).map_or(0, |size| size.items.unsigned_abs());
    let manifest = &checked.manifest;
    let mut facts = vec![
        ("Model", manifest.name.clone()),
        ("Runtime", manifest.runtime.clone()),
        ("Runs on", format!("{} {}, {} items", release.slug, release.version, Count(items))),
        ("Hardware", service.settings.hardware_class.clone()),
    ];
    facts.extend(
        manifest.hub.as_ref().map(|hub| ("From the hub", format!("{} at {}", hub.model, hub.revision))),
    );
    if !manifest.tracks.is_empty() {
        let names: Vec<&str> = manifest.tracks.iter().map(|track| track.name()).collect();
        facts.push(("Takes part in", names.join(", ")));
    }
    facts.extend(checked.evaluator.as_ref().map(|name| ("Runs the code", name.clone())));
    let typical = estimate::typical(&service.pool, release.id, &service.settings.hardware_class).await?;
    facts.extend(typical.map(|(typical, measured)| {
        ("Takes", format!("others took {} in the middle of {measured}", Age(typical.as_secs())))
    }));
    if !accounts::is_offered(
        &service.pool,
        &manifest.runtime,
        &service.settings.hardware_class,
        service.settings.lease,
    )
    .await?
    {
        let missing =
            format!("no worker that is online has the runtime {}; it would wait for one", manifest.runtime);
        facts.push(("Worker", missing));
    }
    Ok(Preview {
        facts,
        manifest: toml::to_string(manifest).map_err(|error| AppError::Internal(error.to_string()))?,
        files: upload
            .files
            .iter()
            .map(|file| {
                (file.name.clone(), Bytes(file.bytes()), if file.from_hub { "hub" } else { "upload" })
            })
            .collect(),
        findings: checked.findings.iter().cloned().map(finding_view).collect(),
        review: checked.review.clone(),
        chose_files,
    })
}

async fn refused(
    service: &Service,
    user: &User,
    upload: Upload,
    errors: FieldErrors,
) -> Result<Response, AppError> {
    let html = page(&form(service, user, upload, errors).await?)?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, html).into_response())
}

async fn form(
    service: &Service,
    user: &User,
    upload: Upload,
    errors: FieldErrors,
) -> Result<SubmitPage, AppError> {
    let board = service.board();
    let revises = match revised(service, user, &upload).await? {
        Some(revised) => Some(Revised {
            id: revised.id.to_string(),
            files: submissions::files(&service.pool, revised.id)
                .await?
                .into_iter()
                .filter(|file| !file.from_hub)
                .map(|file| file.name)
                .collect(),
            model: revised.manifest.name,
        }),
        None => None,
    };
    let quota = quota_in_words(service, user).await?;
    Ok(SubmitPage {
        layout: layout(service, Section::Submit, Some(user)),
        is_spent: quota.as_deref().is_some_and(|quota| quota.starts_with("No submission")),
        quota,
        hub: service.hub.name().to_owned(),
        takes_tokens: service.settings.policy.sealing_key.is_some(),
        revises,
        runtimes: runtimes::all()
            .iter()
            .map(|runtime| Choice {
                value: runtime.name.clone(),
                label: format!("{} {}", runtime.name, runtime.version),
                selected: runtime.name == upload.runtime,
            })
            .collect(),
        releases: board
            .releases
            .iter()
            .map(|release| Choice {
                value: release.slug.clone(),
                label: format!("{} {}", release.title, release.version),
                selected: release.slug == upload.release,
            })
            .collect(),
        form: upload.form,
        errors,
        upload_limit: Bytes(submit::UPLOAD_LIMIT as u64),
        large_limit: Bytes(service.settings.policy.upload_bytes),
        preview: None,
    })
}
