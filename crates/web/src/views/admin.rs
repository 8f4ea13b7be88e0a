//! The staff's pages: inbox, one submission with everything needed to decide, workers, quotas, audit log.

mod inbox;
mod operations;
mod review;

pub use inbox::{Filter, InboxEntry, InboxPage, OpenObjection};
pub use operations::{
    AuditPage, AuditRow, Exception, QuotaPage, QuotaRow, ReleaseRow, WorkerRow, WorkersPage,
};
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
    /// Submitters and what they may submit.
    Quota,
    /// Who did what.
    Audit,
}

impl AdminSection {
    /// All of them, in the order of the navigation.
    pub(crate) const ALL: [Self; 4] = [Self::Inbox, Self::Workers, Self::Quota, Self::Audit];

    pub(crate) fn href(self) -> &'static str {
        match self {
            Self::Inbox => "/admin",
            Self::Workers => "/admin/workers",
            Self::Quota => "/admin/quota",
            Self::Audit => "/admin/audit",
        }
    }

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Inbox => "Inbox",
            Self::Workers => "Workers and releases",
            Self::Quota => "Users and quota",
            Self::Audit => "Audit log",
        }
    }
}
