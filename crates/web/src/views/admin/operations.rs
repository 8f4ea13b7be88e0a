//! Workers, quotas, and the audit log.

use askama::Template;
use protocol::SubmissionId;

use crate::views::{
    layout::Layout,
    quantity::{Count, Timestamp},
};

/// `GET /admin/workers`.
#[derive(Debug, Template)]
#[template(path = "admin/workers.html")]
pub struct WorkersPage {
    /// The frame.
    pub layout: Layout,
    /// The time this page was made.
    pub now: Timestamp,
    /// Seconds after which a silent worker has lost its lease.
    pub lease_seconds: u64,
    /// Workers, the latest heard first.
    pub workers: Vec<WorkerRow>,
    /// The queue is paused: since when, and by whom and why.
    pub paused: Option<(Timestamp, String)>,
    /// A token that was just issued: for whom, and the token. Shown once.
    pub issued: Option<(String, String)>,
    /// The reader may change something.
    pub is_admin: bool,
    /// What waits though no worker that is online could run it: runtime, hardware class, how many.
    pub unattended: Vec<(String, String, Count)>,
    /// Hardware class that new submissions run on, as an example.
    pub hardware_class: String,
}

/// One worker.
#[derive(Debug, Clone)]
pub struct WorkerRow {
    /// Its name.
    pub name: String,
    /// Hardware classes its token is issued for.
    pub hardware_classes: Vec<String>,
    /// When it was last heard from.
    pub last_seen: Option<Timestamp>,
    /// It has been silent for longer than a lease.
    pub silent: bool,
    /// `taking jobs`, `draining` or `revoked`.
    pub condition: &'static str,
    /// What it does now: in words, and the page of that.
    pub job: Option<(String, String)>,
    /// What it is made of, in words.
    pub fingerprint: Option<String>,
    /// The runtimes it has, once it has asked for work.
    pub runtimes: Option<Vec<String>>,
    /// Its latest pace as a distance from the usual one, and whether a run counts at it.
    pub pace: Option<(String, bool)>,
}

/// `GET /admin/quota`.
#[derive(Debug, Template)]
#[template(path = "admin/quota.html")]
pub struct QuotaPage {
    /// The frame.
    pub layout: Layout,
    /// What holds without an exception, in words.
    pub usual: String,
    /// Submitters.
    pub users: Vec<QuotaRow>,
    /// The reader may change something.
    pub is_admin: bool,
    /// A password that was just made up, with the name of the account: shown this once.
    pub issued: Option<(String, String)>,
}

/// One submitter.
#[derive(Debug, Clone)]
pub struct QuotaRow {
    /// Name.
    pub name: String,
    /// What they may do.
    pub role: &'static str,
    /// Submissions possible now.
    pub left: u32,
    /// What holds for them, in words.
    pub rule: String,
    /// The exception behind it.
    pub exception: Option<Exception>,
}

/// An exception from the quota.
#[derive(Debug, Clone)]
pub struct Exception {
    /// Why.
    pub reason: String,
    /// Until when.
    pub until: Timestamp,
}

/// `GET /admin/audit`.
#[derive(Debug, Template)]
#[template(path = "admin/audit.html")]
pub struct AuditPage {
    /// The frame.
    pub layout: Layout,
    /// Actions, newest first.
    pub rows: Vec<AuditRow>,
}

/// One action.
#[derive(Debug, Clone)]
pub struct AuditRow {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub subject: String,
    /// The submission it was done to.
    pub submission: Option<SubmissionId>,
    /// Why.
    pub reason: String,
    /// Visitors may read of it.
    pub public: bool,
}
