//! Parts of releases, rendered by workers: dry recordings and recipes go out, audio and what was measured come back.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use protocol::{Job, Recording, RenderUpload, RenderUploadReply, RenderWork, Rendered, Work};
use store::{
    StoreError, objects,
    rendering::{self, ClaimedShard},
};

use super::{UPLOAD_LIFETIME, whole_seconds};
use crate::{Service, auth::Node, error::AppError, extract::JsonBody};

/// How long the addresses of a shard's recordings are good for: they are fetched before anything else.
const RECORDINGS_LIFETIME: Duration = Duration::from_hours(1);

pub(super) async fn job_for(service: &Service, shard: &ClaimedShard) -> Result<Job, StoreError> {
    let mut recordings = Vec::with_capacity(shard.recordings.len());
    for sha256 in &shard.recordings {
        let url = service.objects.presign_get(&objects::recording_key(sha256), RECORDINGS_LIFETIME).await?;
        recordings.push(Recording { url, sha256: sha256.clone() });
    }
    Ok(Job {
        attempt: shard.lease,
        fencing_token: shard.fencing_token,
        lease_seconds: whole_seconds(service.settings.lease),
        heartbeat_seconds: whole_seconds(service.settings.heartbeat),
        work: Work::Render(Box::new(RenderWork { job: shard.job.clone(), recordings })),
    })
}

pub(crate) async fn render_upload(
    State(service): State<Service>,
    _: Node,
    JsonBody(upload): JsonBody<RenderUpload>,
) -> Result<Json<RenderUploadReply>, AppError> {
    if upload.sha256.len() > RenderUpload::MOST_FILES {
        let most = RenderUpload::MOST_FILES;
        return Err(AppError::BadRequest(format!("Ask for at most {most} files at once.")));
    }
    if !upload.sha256.iter().all(|sha256| is_sha256(sha256)) {
        return Err(AppError::BadRequest("A hash is 64 hexadecimal digits in lower case.".to_owned()));
    }
    rendering::check(&service.pool, upload.attempt, upload.fencing_token).await?;
    let mut urls = Vec::with_capacity(upload.sha256.len());
    for sha256 in &upload.sha256 {
        let key = objects::audio_key(sha256);
        // What a frozen release has is never written again.
        let present = service.objects.contains(&key).await;
        urls.push(if present {
            None
        } else {
            Some(service.objects.presign_put(&key, UPLOAD_LIFETIME).await?)
        });
    }
    Ok(Json(RenderUploadReply { urls }))
}

pub(crate) async fn rendered(
    State(service): State<Service>,
    _: Node,
    JsonBody(done): JsonBody<Rendered>,
) -> Result<StatusCode, AppError> {
    rendering::complete(&service.pool, done.attempt, done.fencing_token, &done.result).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
