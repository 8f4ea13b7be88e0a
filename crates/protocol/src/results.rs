//! What a worker hands in: hypotheses and times, and how they came about.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ItemId;

/// Everything one attempt produced; stored as one JSON object and kept for ever, so that all history can be
/// scored again.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct AttemptResults {
    /// How the run went.
    pub report: RunReport,
    /// The scored and timed pass, one entry an item.
    pub items: Vec<ItemResult>,
    /// The repeat passes, one list a pass.
    pub repeats: Vec<Vec<ItemResult>>,
}

/// What a model made of one item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ItemResult {
    /// The item.
    pub id: ItemId,
    /// Text or error.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// From the last byte of the request to the last byte of the reply, in seconds, by the supervisor's clock.
    pub seconds: f64,
}

/// Text, or the model's own word that it could not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The hypothesis, raw.
    Text(String),
    /// The hypothesis as a stream of words for each talker, raw.
    Segments(Vec<SpokenSegment>),
    /// The model reported an error for this item: scored as an empty hypothesis and counted.
    Error(String),
}

impl Outcome {
    /// The hypothesis in one stream: segments are joined as they come, an error is an empty hypothesis.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Segments(segments) => {
                Cow::Owned(segments.iter().map(|it| it.words.as_str()).collect::<Vec<_>>().join(" "))
            }
            Self::Error(_) => Cow::Borrowed(""),
        }
    }

    /// Whether the model gave up on the item.
    pub const fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }
}

/// What one talker says without a break, with the field names of `SegLST`. Segments of one talker are in the order in
/// which they are said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpokenSegment {
    /// Who speaks: any name, the same for all that one talker says.
    pub speaker: String,
    /// What is said.
    pub words: String,
    /// Start in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<f64>,
    /// End in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<f64>,
}

/// How a run went.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RunReport {
    /// Name of the runtime.
    pub runtime: String,
    /// Digest of the runtime that really ran.
    pub runtime_digest: String,
    /// What isolation was in force, in words.
    pub isolation: String,
    /// From start to `ready`, in seconds.
    pub ready_seconds: f64,
    /// Number of parameters the model reported.
    pub num_params: Option<u64>,
    /// Peak memory of the model and its children in bytes, where it can be measured.
    pub peak_memory_bytes: Option<u64>,
    /// The node.
    pub fingerprint: NodeFingerprint,
    /// Seed of the order.
    pub seed: u64,
}

/// What a node is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeFingerprint {
    /// Processor model.
    pub cpu: String,
    /// Cores the operating system shows.
    pub cores: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Kernel release.
    pub kernel: String,
    /// Accelerator names, empty on a processor-only node.
    pub accelerators: Vec<String>,
    /// Version of the worker.
    pub worker_version: String,
}
