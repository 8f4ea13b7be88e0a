//! The staff's pages: inbox, one submission with everything needed to decide, workers, releases, quotas, audit log.

mod inbox;
mod node;
mod operations;
mod rendering;
mod review;

pub use inbox::{Filter, InboxEntry, InboxPage, OpenObjection};
pub use node::{LeaseRow, NodePage, PaceRow};
pub use operations::{AuditPage, AuditRow, Exception, QuotaPage, QuotaRow, WorkerRow, WorkersPage};
pub use rendering::{BuildRow, ReleaseRow, ReleasesPage};
pub use review::{
    FileRow, HistoryRow, NamedAction, Piece, ReasonTemplate, ReviewPage, SourceLine, SourceView,
};

/// The pages of the staff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminSection {
    /// What waits.
    Inbox,
    /// Nodes.
    Workers,
    /// Benchmarks, and how far their rendering is.
    Releases,
    /// Submitters and what they may submit.
    Quota,
    /// Who did what.
    Audit,
}

impl AdminSection {
    /// All of them, in the order of the navigation.
    pub(crate) const ALL: [Self; 5] = [Self::Inbox, Self::Workers, Self::Releases, Self::Quota, Self::Audit];

    pub(crate) fn href(self) -> &'static str {
        match self {
            Self::Inbox => "/admin",
            Self::Workers => "/admin/workers",
            Self::Releases => "/admin/releases",
            Self::Quota => "/admin/quota",
            Self::Audit => "/admin/audit",
        }
    }

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Inbox => "Inbox",
            Self::Workers => "Workers",
            Self::Releases => "Releases",
            Self::Quota => "Users and quota",
            Self::Audit => "Audit log",
        }
    }
}
