//! What each page shows: plain data and its askama template. No SQL, no HTTP.
//!
//! A handler fills one of these structs and calls [`askama::Template::render`]. Quantities are types
//! ([`Rate`], [`Rtfx`], [`Seconds`], …) that know how they are written, so that a fraction cannot be printed as
//! a percentage twice and one unit looks the same on every page. Everything a template prints is escaped by
//! askama; the only markup let through as it is comes from the `charts` crate, which escapes its own input.
//!
//! The pages carry no inline script and no inline style: `script-src 'self'; style-src 'self'` is enough.

mod account;
mod admin;
mod api;
mod board;
mod compare;
mod conditions;
mod error;
mod external;
mod history;
mod layout;
mod measured;
mod method;
mod model;
mod my_room;
mod pareto;
mod quantity;
mod queue;
mod record;
mod runtimes;
mod self_reports;
mod states;
mod submission;
mod submit;
mod take_home;
mod weakness;
mod webhooks;

pub use account::{LoginPage, SubmissionRow, SubmissionsPage};
pub use admin::{
    AdminSection, AuditPage, AuditRow, BuildRow, Exception, FileRow, Filter, HistoryRow, InboxEntry,
    InboxPage, LeaseRow, NamedAction, NodePage, OpenObjection, PaceRow, Piece, QuotaPage, QuotaRow,
    ReasonTemplate, ReleaseRow, ReleasesPage, ReviewPage, SourceLine, SourceView, WorkerRow, WorkersPage,
};
pub use api::ApiPage;
pub(crate) use board::heading;
pub use board::{
    BoardPage, BoardRow, Cell, Chart, Elsewhere, Link, Offer, Paging, PurposeView, ReleaseFacts, RowStanding,
    Scoring, TRACKS, Track, WeightField, Why,
};
pub use compare::{
    ComparePage, ComparedModel, Comparison, PairRow, Seat, Several, SeveralTrack, TrackComparison,
};
pub use conditions::{
    ConditionsPage, Octave, RoomPage, Sample, SimToReal, TRACK_DEFINITIONS, TrackDefinition, TrackPage,
};
pub use error::ErrorPage;
pub use external::{ExternalPage, ExternalRow, ExternalSource};
pub use history::{
    ChangeRow, ChangelogPage, ChangesPage, FaqPage, HistoryPage, MomentRow, OwnHistory, PlaceRow,
    ReleaseNote, SnapshotPage, StayRow, VersionNotes,
};
pub use layout::{Banner, Choice, Layout, Notice, Section, User};
pub(crate) use measured::remarks;
pub use measured::{Batches, LengthRow, Measured, Remark};
pub use method::{Corpus, Makeup, MethodPage, RoomView};
pub use model::{Curves, FrontEnd, ModelPage, Provenance, Rank, ScorerResult, Timing, TrackResult};
pub use my_room::{ConditionRow, MyRoomPage, PredictionRow, RoomForm};
pub use pareto::{ParetoPage, ParetoRow};
pub use quantity::{
    Age, Bytes, Count, Difference, Estimate, Interval, Params, Probability, Rate, Rtfx, Seconds, Timestamp,
};
pub use queue::{QueueJob, QueuePage, StateCount};
pub use record::{ObjectionView, RecordPage};
pub use runtimes::{RuntimeView, RuntimesPage, SettingView};
pub(crate) use selection::url_component;
pub use self_reports::{SelfReportRow, SelfReportSet, SelfReportsPage};
pub use states::{StateWords, state_words};
pub use submission::{
    AttemptView, Deadline, Details, Failure, FindingView, HubLink, LiveProgress, MessageView, SubmissionPage,
    TimelineEvent, TokenMove,
};
pub use submit::{FieldErrors, Preview, Revised, SubmitForm, SubmitPage};
pub use take_home::{
    Archive, BoardFiles, Citation, CitePage, DownloadsPage, EmbedPage, Entry, Feed, TakeHome,
};
pub use weakness::{
    ClassRow, ConfusionRow, EntityRow, FaultRow, LadderRow, ReachedRow, ResponseRow, ResponseTable, RoomCell,
    RoomRow, Weakness,
};
pub use webhooks::{WebhookRow, WebhooksPage};
