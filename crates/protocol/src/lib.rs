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
    Calibration, DeviceUse, Flag, FlagKind, LatencyBucket, LatencyByDuration, LatencyPercentiles,
    Measurements, ResultsDocument, StreamedItem, StreamedTrack, Streaming, Throughput,
};
pub use messages::{
    AudioItem, Claim, ClaimReply, Complete, Directive, EvaluateJob, Events, Fail, Heartbeat, HeartbeatReply,
    HubToken, Job, Limits, ModelFile, Progress, Recording, RenderUpload, RenderUploadReply, RenderWork,
    Rendered, Stage, UnknownStage, Work,
};
pub use results::{AttemptResults, ItemResult, NodeFingerprint, Outcome, RunReport};
pub use runtime::{RuntimeDeclaration, Setting, SettingProblem};

/// Version of the worker protocol. A worker that speaks another version is refused at `claim`.
pub const PROTOCOL_VERSION: u32 = 1;
