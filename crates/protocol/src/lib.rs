//! The types spoken between a worker and the service, as JSON over HTTPS under `/worker/v1/`.
//!
//! Pure data (serde only). Two promises hold here: nothing in this crate can carry a reference
//! transcript, and every message that writes carries the attempt's [`FencingToken`].

mod failure;
mod ids;
mod manifest;
mod measurements;
mod messages;
mod results;
mod runtime;

pub use failure::{FailureClass, FaultOwner, UnknownFailureClass};
pub use ids::{AttemptId, BuildId, FencingToken, ItemId, ReleaseId, SubmissionId, UserId, WorkerId};
pub use manifest::{Decoding, DecodingValue, DemandingTrack, HubSource, ModelManifest, is_model_path};
pub use measurements::{
    Calibration, Continued, DeviceUse, Flag, FlagKind, LatencyBucket, LatencyByDuration, LatencyPercentiles,
    Measurements, ResultsDocument, Throughput,
};
pub use messages::{
    AudioItem, Basis, Claim, ClaimReply, Complete, Directive, EvaluateJob, Events, Fail, Heartbeat,
    HeartbeatReply, HubToken, Job, Keep, KeptPart, Limits, ModelFile, Moment, PaceReading, Progress,
    Recording, RenderUpload, RenderUploadReply, RenderWork, Rendered, Stage, UnknownStage, Work,
};
pub use results::{AttemptResults, ItemResult, NodeFingerprint, Outcome, RunReport, SpokenSegment};
pub use runtime::{RuntimeDeclaration, Setting, SettingProblem};

/// Version of the worker protocol. What is added to messages is optional and needs no new version.
pub const PROTOCOL_VERSION: u32 = 1;

/// The oldest version that the service still speaks: for a rolling upgrade the service goes first, then the workers, each
/// drained and started anew. A worker of a version outside this range is refused at `claim`.
pub const OLDEST_PROTOCOL_VERSION: u32 = 1;
