//! Workers, quotas, the audit log.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use protocol::NodeFingerprint;
use serde::Deserialize;
use store::{
    accounts::{self, Role, User, Worker},
    audit, estimate, paces, pause, queue, quota,
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Done, admins_only, review::audit_row};
use crate::{
    Service,
    auth::Staff,
    error::AppError,
    extract::{Form, Path, Query},
    pages::{Page, layout, live_progress, now, page},
    views::{
        AuditPage, Bytes, Count, Exception, QuotaPage, QuotaRow, Section, Timestamp, WorkerRow, WorkersPage,
    },
};

pub(crate) async fn workers(
    State(service): State<Service>,
    Staff(user): Staff,
    Query(done): Query<Done>,
) -> Page {
    let mut view = workers_page(&service, &user).await?;
    view.layout.notice = done.notice();
    page(&view)
}

async fn workers_page(service: &Service, user: &User) -> Result<WorkersPage, AppError> {
    Ok(WorkersPage {
        layout: layout(service, Section::Admin, Some(user)),
        now: now(),
        lease_seconds: service.settings.lease.as_secs(),
        workers: worker_rows(service, accounts::workers(&service.pool).await?).await?,
        paused: pause::current(&service.pool)
            .await?
            .map(|it| (Timestamp(it.paused_at), format!("{}: {}", it.paused_by, it.reason))),
        unattended: estimate::unattended(&service.pool, None, service.settings.lease)
            .await?
            .into_iter()
            .map(|it| (it.runtime, it.hardware_class, Count(it.attempts.unsigned_abs())))
            .collect(),
        issued: None,
        is_admin: user.role == Role::Admin,
        hardware_class: service.settings.hardware_class.clone(),
    })
}

/// Workers as the list and their own pages show them.
pub(super) async fn worker_rows(service: &Service, workers: Vec<Worker>) -> Result<Vec<WorkerRow>, AppError> {
    let jobs = queue::running(&service.pool).await?;
    let silent_since = OffsetDateTime::now_utc() - service.settings.lease;
    let mut rows = Vec::with_capacity(workers.len());
    for worker in workers {
        let latest = paces::of(&service.pool, &worker.name, 1).await?.pop();
        rows.push(WorkerRow {
            silent: worker.last_seen_at.is_none_or(|seen| seen < silent_since),
            condition: match (worker.revoked, worker.draining) {
                (true, _) => "revoked",
                (false, true) => "draining",
                (false, false) => "taking jobs",
            },
            job: jobs
                .iter()
                .find(|job| job.worker == worker.name)
                .map(|job| (doing(job), page_of(job.submission))),
            fingerprint: worker.fingerprint.as_ref().map(made_of),
            runtimes: worker.runtimes,
            last_seen: worker.last_seen_at.map(Timestamp),
            pace: latest.map(|pace| (percent(pace.deviation()), pace.is_usual())),
            hardware_classes: worker.hardware_classes,
            name: worker.name,
        });
    }
    Ok(rows)
}

/// A share as a signed percentage.
pub(super) fn percent(share: f64) -> String {
    format!("{:+.1} %", 100.0 * share)
}

/// Where staff read of what a worker does: a submission, or else a build.
pub(super) fn page_of(submission: Option<Uuid>) -> String {
    submission.map_or_else(|| "/admin/releases".to_owned(), |id| format!("/admin/submissions/{id}"))
}

fn doing(job: &queue::Running) -> String {
    match live_progress(job.stage.as_deref(), job.progress_done, job.progress_total) {
        Some(progress) => format!("{}, {} of {}", job.subject, progress.done, progress.total),
        None => job.subject.clone(),
    }
}

fn made_of(node: &NodeFingerprint) -> String {
    let mut parts = vec![format!("{}, {} cores, {}", node.cpu, node.cores, Bytes(node.memory_bytes))];
    parts.extend(node.accelerators.iter().cloned());
    parts.push(format!("kernel {}", node.kernel));
    parts.push(format!("worker {}", node.worker_version));
    parts.join("; ")
}

#[derive(Deserialize)]
pub(crate) struct NewToken {
    name: String,
    hardware_classes: String,
}

/// `POST /admin/workers`: a token, shown in the answer and never again.
pub(crate) async fn issue_token(
    State(service): State<Service>,
    Staff(user): Staff,
    Form(new): Form<NewToken>,
) -> Result<Response, AppError> {
    admins_only(&user)?;
    let name = new.name.trim();
    let usable = (1..=64).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    let classes: Vec<String> = new
        .hardware_classes
        .split(',')
        .map(str::trim)
        .filter(|class| !class.is_empty())
        .map(str::to_owned)
        .collect();
    if !usable || classes.is_empty() || classes.iter().any(|class| class.len() > 64) {
        return Err(AppError::BadRequest(
            "A worker has a name of at most 64 letters, digits, dots, hyphens and underscores, and at least one hardware class."
                .to_owned(),
        ));
    }
    let secret = accounts::issue_worker_token(&service.pool, name, &classes).await?;
    audit::note(&service.pool, &user.name, "issue token", name, &format!("for {}", classes.join(", ")))
        .await?;
    let mut view = workers_page(&service, &user).await?;
    view.issued = Some((name.to_owned(), secret.expose().to_owned()));
    // Answered directly: a redirect would have to carry the token.
    Ok(page(&view)?.into_response())
}

#[derive(Deserialize)]
pub(crate) struct WorkerAction {
    action: String,
}

/// `POST /admin/workers/{name}`.
pub(crate) async fn change_worker(
    State(service): State<Service>,
    Staff(user): Staff,
    Path(name): Path<String>,
    Form(asked): Form<WorkerAction>,
) -> Result<Response, AppError> {
    admins_only(&user)?;
    match asked.action.as_str() {
        "drain" => accounts::set_draining(&service.pool, &name, true).await?,
        "resume" => accounts::set_draining(&service.pool, &name, false).await?,
        "revoke" => accounts::revoke_worker(&service.pool, &name).await?,
        _ => return Err(AppError::BadRequest("A worker can be drained, resumed and revoked.".to_owned())),
    }
    audit::note(&service.pool, &user.name, &asked.action, &name, "").await?;
    Ok(Redirect::to(&format!("/admin/workers?done={}", asked.action)).into_response())
}

#[derive(Deserialize)]
pub(crate) struct QueueAction {
    action: String,
    #[serde(default)]
    reason: String,
}

/// `POST /admin/queue`.
pub(crate) async fn change_queue(
    State(service): State<Service>,
    Staff(user): Staff,
    Form(asked): Form<QueueAction>,
) -> Result<Response, AppError> {
    admins_only(&user)?;
    match asked.action.as_str() {
        "pause" => pause::begin(&service.pool, &user.name, &asked.reason).await?,
        "resume" => pause::end(&service.pool, &user.name).await?,
        _ => return Err(AppError::BadRequest("The queue can be paused and resumed.".to_owned())),
    }
    Ok(Redirect::to(&format!("/admin/workers?done={}-queue", asked.action)).into_response())
}

pub(crate) async fn quota(
    State(service): State<Service>,
    Staff(user): Staff,
    Query(done): Query<Done>,
) -> Page {
    let mut view = quota_page(&service, &user).await?;
    view.layout.notice = done.notice();
    page(&view)
}

async fn quota_page(service: &Service, user: &User) -> Result<QuotaPage, AppError> {
    let default = service.settings.policy.quota;
    let mut users = Vec::new();
    for account in accounts::users(&service.pool).await? {
        let balance = quota::balance(&service.pool, account.id, default).await?;
        let is_staff = account.role != Role::Submitter;
        users.push(QuotaRow {
            name: account.name,
            role: account.role.as_str(),
            left: balance.left(),
            rule: if is_staff { "none".to_owned() } else { in_words(balance.rule) },
            exception: balance.exception.map(|exception| Exception {
                reason: exception.reason,
                until: Timestamp(exception.expires_at),
            }),
        });
    }
    Ok(QuotaPage {
        layout: layout(service, Section::Admin, Some(user)),
        usual: format!("A submitter may hand in {}.", in_words(default)),
        users,
        issued: None,
        is_admin: user.role == Role::Admin,
    })
}

#[derive(Deserialize)]
pub(crate) struct NewUser {
    name: String,
    role: String,
}

/// `POST /admin/users`: an account, its password shown in the answer and never again.
pub(crate) async fn create_user(
    State(service): State<Service>,
    Staff(user): Staff,
    Form(new): Form<NewUser>,
) -> Result<Response, AppError> {
    admins_only(&user)?;
    let name = new.name.trim();
    let password = accounts::create_user(&service.pool, name, new.role.parse()?, &user.name).await?;
    let mut view = quota_page(&service, &user).await?;
    view.issued = Some((name.to_owned(), password.expose().to_owned()));
    Ok(page(&view)?.into_response())
}

#[derive(Deserialize)]
pub(crate) struct NewRole {
    role: String,
}

/// `POST /admin/users/{name}`.
pub(crate) async fn change_role(
    State(service): State<Service>,
    Staff(user): Staff,
    Path(name): Path<String>,
    Form(new): Form<NewRole>,
) -> Result<Response, AppError> {
    admins_only(&user)?;
    accounts::set_role(&service.pool, &name, new.role.parse()?, &user.name).await?;
    Ok(Redirect::to("/admin/quota?done=role").into_response())
}

/// `10 at once, 5 a day`.
pub(crate) fn in_words(rule: quota::Rule) -> String {
    format!("{} at once, {} a day", rule.burst, rule.per_day)
}

#[derive(Deserialize)]
pub(crate) struct NewException {
    user: String,
    burst: i32,
    per_day: f64,
    days: u32,
    reason: String,
}

/// `POST /admin/quota`.
pub(crate) async fn make_exception(
    State(service): State<Service>,
    Staff(user): Staff,
    Form(new): Form<NewException>,
) -> Result<Response, AppError> {
    admins_only(&user)?;
    let account = accounts::user_by_name(&service.pool, &new.user).await?;
    let rule = quota::Rule { burst: new.burst, per_day: new.per_day };
    quota::set_override(&service.pool, (account.id, &account.name), rule, new.days, &user.name, &new.reason)
        .await?;
    Ok(Redirect::to("/admin/quota?done=quota").into_response())
}

pub(crate) async fn audit_log(State(service): State<Service>, Staff(user): Staff) -> Page {
    let rows = audit::latest(&service.pool).await?;
    page(&AuditPage {
        layout: layout(&service, Section::Admin, Some(&user)),
        rows: rows.into_iter().map(audit_row).collect(),
    })
}
