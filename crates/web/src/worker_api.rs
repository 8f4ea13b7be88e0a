//! `/worker/v1/…`: what workers speak. Audio only goes out; no transcript, track or room is in any reply.

mod render;

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use protocol::{
    AttemptId, AudioItem, Claim, ClaimReply, Complete, Directive, EvaluateJob, Events, Fail, FailureClass,
    FencingToken, Heartbeat, HeartbeatReply, Job, Keep, ModelFile, OLDEST_PROTOCOL_VERSION, PROTOCOL_VERSION,
    Work,
};
use store::{
    StoreError,
    accounts::{self, Worker},
    kept, objects, paces,
    queue::{self, ClaimedAttempt, LeaseStatus},
    releases::{self, Audio, Part},
    rendering::{self, ClaimedShard},
    sealed,
};
use tokio::time::Instant;

pub(crate) use render::{render_upload, rendered};

use crate::{Service, auth::Node, error::AppError, extract::JsonBody};

/// Longest time a claim waits for a job; shorter than the idle limits of common proxies.
const LONGEST_WAIT: Duration = Duration::from_secs(25);
/// A notification may be lost with its connection, so a waiting claim looks for itself this often.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How long an address for handing in results is good for.
const UPLOAD_LIFETIME: Duration = Duration::from_mins(15);

pub(crate) async fn claim(
    State(service): State<Service>,
    Node(worker): Node,
    JsonBody(claim): JsonBody<Claim>,
) -> Result<Json<ClaimReply>, AppError> {
    check_claim(&worker, &claim)?;
    accounts::store_fingerprint(&service.pool, worker.id, &claim.fingerprint).await?;
    let runtimes = if claim.evaluates { claim.runtimes.as_slice() } else { &[] };
    accounts::store_runtimes(&service.pool, worker.id, runtimes).await?;
    let Some(claimed) = wait_for_work(&service, &worker, &claim).await? else {
        return Ok(Json(ClaimReply { job: None }));
    };
    let job = match &claimed {
        Claimed::Attempt(attempt) => job_for(&service, &worker, attempt).await,
        Claimed::Shard(shard) => render::job_for(&service, shard).await,
    };
    match job {
        Ok(job) => Ok(Json(ClaimReply { job: Some(job) })),
        Err(error) => {
            let message = "What the attempt needs could not be made available.";
            let class = FailureClass::StorageError;
            let (attempt, token) = match &claimed {
                Claimed::Attempt(it) => (it.attempt, it.fencing_token),
                Claimed::Shard(it) => (it.lease, it.fencing_token),
            };
            end_failed(&service, attempt, token, class, message, "").await?;
            Err(error.into())
        }
    }
}

/// What a worker got.
enum Claimed {
    Attempt(Box<ClaimedAttempt>),
    Shard(ClaimedShard),
}

fn check_claim(worker: &Worker, claim: &Claim) -> Result<(), AppError> {
    if !(OLDEST_PROTOCOL_VERSION..=PROTOCOL_VERSION).contains(&claim.protocol) {
        return Err(AppError::UpgradeRequired(format!(
            "This service speaks worker protocol {OLDEST_PROTOCOL_VERSION} to {PROTOCOL_VERSION}, the worker speaks {}: install the ffasr of the same release.",
            claim.protocol
        )));
    }
    if !worker.hardware_classes.contains(&claim.hardware_class) {
        return Err(AppError::Forbidden(format!(
            "The token of worker `{}` is issued for {}, not for `{}`.",
            worker.name,
            worker.hardware_classes.join(", "),
            claim.hardware_class
        )));
    }
    Ok(())
}

async fn wait_for_work(
    service: &Service,
    worker: &Worker,
    claim: &Claim,
) -> Result<Option<Claimed>, StoreError> {
    let deadline = Instant::now() + Duration::from_secs(claim.wait_seconds.into()).min(LONGEST_WAIT);
    let mut changed = service.jobs_changed.subscribe();
    loop {
        // Marked as seen before looking, so that a job that comes in between wakes us.
        changed.mark_unchanged();
        let claimed = look_for_work(service, worker, claim).await?;
        if claimed.is_some() || Instant::now() >= deadline || service.is_stopping() {
            return Ok(claimed);
        }
        let until = deadline.min(Instant::now() + LOOK_AGAIN);
        tokio::select! {
            _ = tokio::time::timeout_at(until, changed.changed()) => {}
            () = service.stopped() => return Ok(None),
        }
    }
}

/// An attempt, for which somebody waits; else a part of a release.
async fn look_for_work(
    service: &Service,
    worker: &Worker,
    claim: &Claim,
) -> Result<Option<Claimed>, StoreError> {
    let lease = service.settings.lease;
    if claim.evaluates {
        let attempt = queue::claim(&service.pool, worker, &claim.hardware_class, &claim.runtimes, lease);
        if let Some(attempt) = attempt.await? {
            return Ok(Some(Claimed::Attempt(Box::new(attempt))));
        }
    }
    let Some(renderer) = &claim.renderer else { return Ok(None) };
    Ok(rendering::claim(&service.pool, worker, renderer, lease).await?.map(Claimed::Shard))
}

async fn job_for(service: &Service, worker: &Worker, claimed: &ClaimedAttempt) -> Result<Job, StoreError> {
    let lifetime = Duration::from_secs_f64(service.settings.limits.attempt_seconds);
    let mut files = Vec::with_capacity(claimed.files.len());
    for file in &claimed.files {
        files.push(ModelFile {
            name: file.name.clone(),
            url: match &claimed.manifest.hub {
                Some(hub) if !file.in_storage => service.hub.file_url(hub, &file.name),
                _ => service.objects.presign_get(&objects::model_key(&file.sha256), lifetime).await?,
            },
            from_hub: !file.in_storage,
            sha256: file.sha256.clone(),
            bytes: file.bytes.unsigned_abs(),
        });
    }
    let hub_token = if files.iter().any(|file| file.from_hub) {
        sealed::token(&service.pool, claimed.submission, service.settings.policy.sealing_key.as_ref()).await?
    } else {
        None
    };
    let (mut warm_up, mut items, mut repeats) = (Vec::new(), Vec::new(), Vec::<Vec<AudioItem>>::new());
    for audio in releases::audio(&service.pool, claimed.release).await? {
        if !claimed.manifest.runs(&audio.track) {
            continue;
        }
        let part = audio.part;
        let item = audio_item(service, audio, claimed.manifest.multichannel, lifetime).await?;
        match part {
            Part::WarmUp => warm_up.push(item),
            Part::Scored | Part::Canary => items.push(item),
            Part::Repeat(pass) => {
                let pass = pass as usize;
                if repeats.len() < pass {
                    repeats.resize(pass, Vec::new());
                }
                if let Some(list) = pass.checked_sub(1).and_then(|index| repeats.get_mut(index)) {
                    list.push(item);
                }
            }
        }
    }
    Ok(Job {
        attempt: claimed.attempt,
        fencing_token: claimed.fencing_token,
        lease_seconds: whole_seconds(service.settings.lease),
        heartbeat_seconds: whole_seconds(service.settings.heartbeat),
        work: Work::Evaluate(Box::new(EvaluateJob {
            model: claimed.manifest.clone(),
            files,
            hub_token,
            warm_up,
            items,
            repeats,
            seed: claimed.seed,
            limits: service.settings.limits,
            kept: kept::of(&service.pool, claimed.submission, worker.id).await?,
        })),
    })
}

/// All channels for a model that takes them, one for any other.
async fn audio_item(
    service: &Service,
    audio: Audio,
    multichannel: bool,
    lifetime: Duration,
) -> Result<AudioItem, StoreError> {
    let Audio { id, seconds, .. } = audio;
    let (sha256, channels) = match audio.mono_sha256 {
        Some(mono) if !multichannel => (mono, 1),
        _ => (audio.sha256, audio.channels),
    };
    let url = service.objects.presign_get(&objects::audio_key(&sha256), lifetime).await?;
    Ok(AudioItem { id, url, sha256, seconds, channels })
}

fn whole_seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX).max(1)
}

pub(crate) async fn heartbeat(
    State(service): State<Service>,
    Node(worker): Node,
    JsonBody(beat): JsonBody<Heartbeat>,
) -> Result<Json<HeartbeatReply>, AppError> {
    let lease = service.settings.lease;
    let status =
        queue::heartbeat(&service.pool, beat.attempt, beat.fencing_token, beat.stage, beat.progress, lease)
            .await?;
    let directive = match status {
        LeaseStatus::Cancelled => Directive::Cancel,
        LeaseStatus::Held if worker.draining => Directive::Drain,
        LeaseStatus::Held => Directive::Continue,
    };
    let key = objects::results_key(beat.attempt);
    let upload_url = service.objects.presign_put(&key, UPLOAD_LIFETIME).await?;
    Ok(Json(HeartbeatReply { directive, upload_url }))
}

pub(crate) async fn events(
    State(service): State<Service>,
    _: Node,
    JsonBody(events): JsonBody<Events>,
) -> Result<StatusCode, AppError> {
    queue::append_log(&service.pool, events.attempt, events.fencing_token, &events.log).await?;
    paces::note(&service.pool, (events.attempt, events.fencing_token), &events.paces).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn keep(
    State(service): State<Service>,
    _: Node,
    JsonBody(keep): JsonBody<Keep>,
) -> Result<StatusCode, AppError> {
    if keep.items.len() > Keep::MOST_ITEMS {
        let most = Keep::MOST_ITEMS;
        return Err(AppError::BadRequest(format!("Keep at most {most} items at once.")));
    }
    let lease = (keep.attempt, keep.fencing_token);
    kept::keep(&service.pool, lease, &keep.basis, keep.continues, &keep.items).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn complete(
    State(service): State<Service>,
    _: Node,
    JsonBody(done): JsonBody<Complete>,
) -> Result<StatusCode, AppError> {
    queue::complete(&service.pool, done.attempt, done.fencing_token, &done.results_sha256).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn fail(
    State(service): State<Service>,
    _: Node,
    JsonBody(fail): JsonBody<Fail>,
) -> Result<StatusCode, AppError> {
    end_failed(&service, fail.attempt, fail.fencing_token, fail.class, &fail.message, &fail.log_tail).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn end_failed(
    service: &Service,
    lease: AttemptId,
    token: FencingToken,
    class: FailureClass,
    message: &str,
    log_tail: &str,
) -> Result<(), StoreError> {
    if rendering::fail(&service.pool, lease, token, class, message).await? {
        return Ok(());
    }
    queue::fail(&service.pool, lease, token, class, message, log_tail).await
}
