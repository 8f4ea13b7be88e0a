//! Requests and replies of `/worker/v1/{claim,heartbeat,events,keep,complete,fail,render-upload,rendered}`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{AttemptId, FailureClass, FencingToken, ItemId, ItemResult, ModelManifest, NodeFingerprint};

/// `claim`: a worker asks for a job. The service holds the request until there is one or `wait_seconds` pass.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claim {
    /// The worker's [`crate::PROTOCOL_VERSION`].
    pub protocol: u32,
    /// The class of hardware this node is, e.g. `cpu-2core`. Must be one its token is issued for.
    pub hardware_class: String,
    /// Names of the runtimes installed on this node.
    pub runtimes: Vec<String>,
    /// What the node is made of.
    pub fingerprint: NodeFingerprint,
    /// How long to wait for a job, in seconds; the service caps it.
    pub wait_seconds: u32,
    /// Whether it evaluates models; `false` for a node that renders only.
    #[serde(default = "yes")]
    pub evaluates: bool,
    /// Program and version of its renderer, if it renders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renderer: Option<String>,
}

/// What a worker did that was built before there were others.
const fn yes() -> bool {
    true
}

/// Reply to [`Claim`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClaimReply {
    /// The job, or nothing to do for now.
    pub job: Option<Job>,
}

/// A leased piece of work.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// The attempt this is.
    pub attempt: AttemptId,
    /// Goes into every write about this attempt.
    pub fencing_token: FencingToken,
    /// How long the lease lasts without a heartbeat, in seconds.
    pub lease_seconds: u32,
    /// How often to send a heartbeat, in seconds.
    pub heartbeat_seconds: u32,
    /// What to do.
    pub work: Work,
}

/// The kinds of work.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Work {
    /// Run a model over audio.
    Evaluate(Box<EvaluateJob>),
    /// Render a part of a release.
    Render(Box<RenderWork>),
}

/// Render a part of a release. Dry recordings and recipes: no transcript, no name of an utterance or a talker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RenderWork {
    /// The renderer's own description of it, JSON.
    pub job: String,
    /// The dry recordings it names.
    pub recordings: Vec<Recording>,
}

/// A dry recording: 16-bit PCM WAV, 16 kHz, mono.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Recording {
    /// Presigned URL.
    pub url: String,
    /// SHA-256 of the content, hexadecimal.
    pub sha256: String,
}

/// `render-upload`: where to put audio that was rendered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RenderUpload {
    /// The lease, as [`Job::attempt`] names it.
    pub attempt: AttemptId,
    /// The lease's token.
    pub fencing_token: FencingToken,
    /// SHA-256 of each file, hexadecimal; at most [`RenderUpload::MOST_FILES`].
    pub sha256: Vec<String>,
}

impl RenderUpload {
    /// Most files of one request.
    pub const MOST_FILES: usize = 256;
}

/// Reply to [`RenderUpload`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RenderUploadReply {
    /// Presigned URLs to `PUT` the files to, in their order, valid for some minutes; `None` for what is there already.
    pub urls: Vec<Option<String>>,
}

/// `rendered`: the audio is in storage.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rendered {
    /// The lease, as [`Job::attempt`] names it.
    pub attempt: AttemptId,
    /// The lease's token.
    pub fencing_token: FencingToken,
    /// What the renderer says it made, JSON.
    pub result: String,
}

/// Run one model over the audio of one release. Audio only: no transcript, no track, no room.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EvaluateJob {
    /// The model, as submitted.
    pub model: ModelManifest,
    /// Files that belong to the model.
    pub files: Vec<ModelFile>,
    /// What the hub wants to see before it gives out the files that come from it; for the fetch alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub_token: Option<HubToken>,
    /// Items that warm the model up; never scored, never timed.
    pub warm_up: Vec<AudioItem>,
    /// Items of the scored and timed pass, each exactly once.
    pub items: Vec<AudioItem>,
    /// Repeat passes over a fixed subset, each re-rendered with other noise; timed, never scored.
    pub repeats: Vec<Vec<AudioItem>>,
    /// Seed of the order and the file names the model sees.
    pub seed: u64,
    /// Limits of this attempt.
    pub limits: Limits,
    /// What earlier attempts finished before the platform failed them, each part under the conditions it was measured in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<KeptPart>,
}

/// Items of the scored pass that one earlier attempt finished.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptPart {
    /// The attempt.
    pub attempt: AttemptId,
    /// It ran on the node that is asked now.
    pub same_node: bool,
    /// Under which conditions.
    pub basis: Basis,
    /// Its items, none in two parts.
    pub items: Vec<ItemResult>,
}

/// Under which conditions times were measured: what must agree for two parts of a pass to be one measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Basis {
    /// The node.
    pub fingerprint: NodeFingerprint,
    /// Digest of the runtime.
    pub runtime_digest: String,
    /// The node's pace just before, in seconds, if it has a golden value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace_seconds: Option<f64>,
}

/// A file of the model, fetched before isolation and mounted read-only.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ModelFile {
    /// Path within the model's directory, see [`crate::is_model_path`].
    pub name: String,
    /// Presigned URL, or the address on the hub.
    pub url: String,
    /// It comes from a hub, which may redirect, and wants the token.
    #[serde(default)]
    pub from_hub: bool,
    /// SHA-256 of the content, hexadecimal.
    pub sha256: String,
    /// Size in bytes.
    pub bytes: u64,
}

/// A submitter's token for a private model on a hub. Never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HubToken(pub String);

impl fmt::Debug for HubToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HubToken(\u{2026})")
    }
}

/// One audio file: 16-bit PCM WAV, 16 kHz.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AudioItem {
    /// The item, for the worker's answer; never shown to the model.
    pub id: ItemId,
    /// Presigned URL.
    pub url: String,
    /// SHA-256 of the content, hexadecimal.
    pub sha256: String,
    /// Length of the audio in seconds.
    pub seconds: f64,
    /// Number of channels: more than one only for models that take them.
    #[serde(default = "one_channel")]
    pub channels: u16,
}

const fn one_channel() -> u16 {
    1
}

/// Limits of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// From start to `ready`, in seconds.
    pub ready_seconds: f64,
    /// One item costs at most this constant …
    pub item_seconds: f64,
    /// … plus this many seconds for each second of audio.
    pub item_seconds_per_audio_second: f64,
    /// The whole attempt, in seconds.
    pub attempt_seconds: f64,
    /// Memory of the model and all its children, in bytes.
    pub memory_bytes: u64,
}

/// Where an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Fetching the model's files and the audio.
    Fetching,
    /// Starting the model.
    Loading,
    /// Untimed warm-up.
    WarmingUp,
    /// The scored and timed pass.
    Transcribing,
    /// Repeat passes for the speed's interval.
    Repeating,
    /// Rendering a part of a release.
    Rendering,
    /// Handing in the results.
    Uploading,
}

impl Stage {
    /// All stages, in the order a worker goes through them.
    pub const ALL: [Self; 7] = [
        Self::Fetching,
        Self::Loading,
        Self::WarmingUp,
        Self::Transcribing,
        Self::Repeating,
        Self::Rendering,
        Self::Uploading,
    ];

    /// The stable name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fetching => "fetching",
            Self::Loading => "loading",
            Self::WarmingUp => "warming_up",
            Self::Transcribing => "transcribing",
            Self::Repeating => "repeating",
            Self::Rendering => "rendering",
            Self::Uploading => "uploading",
        }
    }
}

impl FromStr for Stage {
    type Err = UnknownStage;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let stage = Self::ALL.into_iter().find(|stage| stage.as_str() == text);
        stage.ok_or_else(|| UnknownStage(text.to_owned()))
    }
}

/// The name is not one of the stages.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a stage of an attempt")]
pub struct UnknownStage(String);

/// Items done of items to do in the current stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Done so far.
    pub done: u32,
    /// In all.
    pub total: u32,
}

/// `heartbeat`: still alive; extends the lease.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The attempt.
    pub attempt: AttemptId,
    /// The lease's token.
    pub fencing_token: FencingToken,
    /// Where it is.
    pub stage: Stage,
    /// How far it is.
    pub progress: Progress,
}

/// Reply to [`Heartbeat`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HeartbeatReply {
    /// What to do now.
    pub directive: Directive,
    /// Presigned URL to `PUT` the results ([`crate::AttemptResults`] as JSON) to, valid for some minutes.
    pub upload_url: String,
}

/// What the service wants of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Directive {
    /// Go on.
    Continue,
    /// Stop the model now; the attempt is over.
    Cancel,
    /// Finish this attempt, then claim no more.
    Drain,
}

/// `events`: a piece of the model's log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Events {
    /// The attempt.
    pub attempt: AttemptId,
    /// The lease's token.
    pub fencing_token: FencingToken,
    /// New log text since the last call.
    pub log: String,
    /// Measurements of the node's pace since the last call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paces: Vec<PaceReading>,
}

/// One measurement of a node's pace.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PaceReading {
    /// Before the model was started, or after it was gone.
    pub moment: Moment,
    /// Seconds of the fixed piece of work.
    pub seconds: f64,
    /// The node's usual value.
    pub golden_seconds: f64,
    /// How far from it a run still counts, as a share.
    pub tolerance: f64,
}

/// When a pace was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// Before the model was started.
    Before,
    /// After it was gone.
    After,
}

impl Moment {
    /// The stable name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// `keep`: items of the scored pass that are done, so that another attempt need not repeat them if this one is lost.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Keep {
    /// The attempt.
    pub attempt: AttemptId,
    /// The lease's token.
    pub fencing_token: FencingToken,
    /// Under which conditions they were measured; the same in every call of an attempt.
    pub basis: Basis,
    /// Whether this attempt goes on from [`EvaluateJob::kept`]. What it does not go on from is forgotten.
    pub continues: bool,
    /// The items, at most [`Keep::MOST_ITEMS`]. One that is kept already is left as it is.
    pub items: Vec<ItemResult>,
}

impl Keep {
    /// Most items of one request.
    pub const MOST_ITEMS: usize = 1000;
}

/// `complete`: the results are in storage.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Complete {
    /// The attempt.
    pub attempt: AttemptId,
    /// The lease's token.
    pub fencing_token: FencingToken,
    /// SHA-256 of what was uploaded, hexadecimal.
    pub results_sha256: String,
}

/// `fail`: the attempt ended without results.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fail {
    /// The attempt.
    pub attempt: AttemptId,
    /// The lease's token.
    pub fencing_token: FencingToken,
    /// Whose fault and of what kind.
    pub class: FailureClass,
    /// One sentence for the submitter.
    pub message: String,
    /// The end of the model's log.
    pub log_tail: String,
}
