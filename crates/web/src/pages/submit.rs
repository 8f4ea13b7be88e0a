//! The submission form.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use store::accounts::User;

use super::{Page, layout, page};
use crate::{
    Service,
    auth::SignedIn,
    error::AppError,
    extract::Multipart,
    runtimes,
    submit::{self, Upload},
    views::{Bytes, Choice, FieldErrors, Section, SubmitPage},
};

pub(crate) async fn show(State(service): State<Service>, SignedIn(user): SignedIn) -> Page {
    page(&form(&service, &user, Upload::default(), FieldErrors::default()))
}

pub(crate) async fn send(
    State(service): State<Service>,
    SignedIn(user): SignedIn,
    Multipart(multipart): Multipart,
) -> Result<Response, AppError> {
    let mut upload = submit::read(multipart).await?;
    let board = service.board();
    let understood = submit::understand(&upload);
    let release = board.release(Some(upload.release.as_str()).filter(|slug| !slug.is_empty()));
    let (manifest, release) = match (understood, release) {
        (Ok(manifest), Some(release)) => (manifest, release),
        (understood, release) => {
            let mut errors = understood.err().unwrap_or_default();
            if release.is_none() {
                errors.add("release", submit::no_release(&upload.release));
            }
            return refused(&service, &user, upload, errors);
        }
    };
    let files = std::mem::take(&mut upload.files);
    match submit::accept(&service, &user, release, &manifest, files).await {
        Ok(id) => Ok(Redirect::to(&format!("/submissions/{id}")).into_response()),
        Err(AppError::Conflict(message)) => {
            let mut errors = FieldErrors::default();
            errors.add(if upload.form.manifest.is_empty() { "name" } else { "manifest" }, message);
            refused(&service, &user, upload, errors)
        }
        Err(error) => Err(error),
    }
}

fn refused(
    service: &Service,
    user: &User,
    upload: Upload,
    errors: FieldErrors,
) -> Result<Response, AppError> {
    let html = page(&form(service, user, upload, errors))?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, html).into_response())
}

fn form(service: &Service, user: &User, upload: Upload, errors: FieldErrors) -> SubmitPage {
    let board = service.board();
    SubmitPage {
        layout: layout(service, Section::Submit, Some(user)),
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
    }
}
