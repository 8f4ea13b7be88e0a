//! One worker: what it is made of, what it ran, and whether it kept its pace.

use axum::extract::State;
use protocol::NodeFingerprint;
use store::{
    StoreError,
    accounts::{self, Role},
    paces::{self, Pace},
    queue::{self, PastLease},
};
use time::OffsetDateTime;

use super::operations::{page_of, percent, worker_rows};
use crate::{
    Service,
    auth::Staff,
    error::AppError,
    extract::Path,
    pages::{Page, layout, now, page},
    views::{Age, Bytes, LeaseRow, NodePage, PaceRow, Section, Timestamp},
};

/// How many measurements and leases are shown.
const MOST_ROWS: i64 = 60;

pub(crate) async fn show(
    State(service): State<Service>,
    Staff(user): Staff,
    Path(name): Path<String>,
) -> Page {
    let workers = accounts::workers(&service.pool).await?;
    let worker = workers.into_iter().find(|worker| worker.name == name);
    let worker = worker.ok_or_else(|| StoreError::NotFound(format!("worker `{name}`")))?;
    let parts = worker.fingerprint.as_ref().map(parts).unwrap_or_default();
    let rows = worker_rows(&service, vec![worker]).await?;
    let worker = rows.into_iter().next().ok_or_else(AppError::nothing_here)?;
    let paces = paces::of(&service.pool, &name, MOST_ROWS).await?;
    let leases = queue::leases_of(&service.pool, &name, MOST_ROWS).await?;
    // The band of the latest measurement: a node is calibrated anew rather than its tolerance changed.
    let tolerance = paces.first().map(|pace| pace.tolerance);
    let deviations: Vec<f64> = paces.iter().rev().map(Pace::deviation).collect();
    page(&NodePage {
        layout: layout(&service, Section::Admin, Some(&user)),
        now: now(),
        worker,
        parts,
        chart: charts::deviations(&deviations, tolerance.unwrap_or_default()),
        tolerance: tolerance.map(|share| format!("{:.1} %", 100.0 * share)),
        paces: paces.into_iter().map(pace_row).collect(),
        leases: leases.into_iter().map(lease_row).collect(),
        is_admin: user.role == Role::Admin,
    })
}

fn parts(node: &NodeFingerprint) -> Vec<(&'static str, String)> {
    let mut parts = vec![
        ("Processor", format!("{}, {} cores", node.cpu, node.cores)),
        ("Memory", Bytes(node.memory_bytes).to_string()),
        ("Kernel", node.kernel.clone()),
        ("Program", format!("ffasr {}", node.worker_version)),
    ];
    parts.extend(node.accelerators.iter().map(|name| ("Accelerator", name.clone())));
    parts
}

fn pace_row(pace: Pace) -> PaceRow {
    PaceRow {
        at: Timestamp(pace.at),
        milliseconds: format!("{:.2}", 1e3 * pace.seconds),
        deviation: percent(pace.deviation()),
        is_usual: pace.is_usual(),
        href: page_of(Some(pace.submission_id)),
        moment: pace.moment,
        model: pace.model,
    }
}

fn lease_row(lease: PastLease) -> LeaseRow {
    let end = lease.finished_at.unwrap_or_else(OffsetDateTime::now_utc);
    LeaseRow {
        href: page_of(lease.submission),
        subject: lease.subject,
        started: Timestamp(lease.started_at),
        took: Age((end - lease.started_at).whole_seconds().max(0).unsigned_abs()).to_string(),
        ended: match lease.failure_class {
            Some(class) => class.replace('_', " "),
            None if lease.state == "leased" => "running".to_owned(),
            None => lease.state,
        },
        message: lease.message,
    }
}
