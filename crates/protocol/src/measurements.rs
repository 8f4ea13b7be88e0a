//! What a worker measured beside the items' times: how speed depends on length, calibration, devices, doubts.
//!
//! Stored in the results document next to what the scorer needs, all of it optional, so that documents from before
//! a measurement existed stay readable.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AttemptId, AttemptResults, ItemId, Outcome};

/// The results document as a worker stores it: [`AttemptResults`], which is all the scorer needs, and beside it the
/// measurements.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ResultsDocument {
    /// Hypotheses and times.
    #[serde(flatten)]
    pub results: AttemptResults,
    /// Measurements of the same run.
    #[serde(default)]
    pub measurements: Measurements,
    /// Items that were streamed to a model that declares it (beta); from nobody else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub streamed: Vec<StreamedItem>,
}

/// One item that was streamed in real time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StreamedItem {
    /// The item.
    pub id: ItemId,
    /// The final text, or the model's own error.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// From the moment the first sample was spoken to the last byte of the first answer with a word in it, in seconds.
    /// Nothing if no word ever came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_token_seconds: Option<f64>,
    /// From the moment the last sample was spoken to the last byte of the final answer, in seconds.
    pub finalisation_seconds: f64,
}

/// Measurements of one run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measurements {
    /// Time of an item by the length of its audio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<LatencyByDuration>,
    /// Processor seconds of the model and its children over the whole run, load included, where a cgroup counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processor_seconds: Option<f64>,
    /// Speed with as many items at once as suits the model; nothing for a model that takes one at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throughput: Option<Throughput>,
    /// The node's pace before and after, where the node has a golden value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// The accelerators the run had to itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceUse>,
    /// What was taken over from earlier attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continued: Option<Continued>,
    /// What streaming is worth (beta), for a model that declares it. Made by the scorer: no worker is believed about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streaming: Option<Streaming>,
    /// What a reviewer should look at; nothing here changes a score.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Flag>,
}

/// Items that earlier attempts had finished under equal conditions, and that were not run again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Continued {
    /// How many of the scored items.
    pub items: u32,
    /// Of which attempts.
    pub attempts: Vec<AttemptId>,
}

/// A pass in which audio came in pieces of 0.1 s, each when its last sample had been spoken (beta).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Streaming {
    /// The scorer of the final texts, `profile@version/normaliser@version`.
    pub scorer: String,
    /// All items together.
    pub all: StreamedTrack,
    /// Each track.
    pub tracks: BTreeMap<String, StreamedTrack>,
}

/// What streaming the items of one track was worth. Percentiles are over its items, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StreamedTrack {
    /// How many items.
    pub items: u32,
    /// Items in which the model heard no word; they have no first-token latency.
    pub silent: u32,
    /// Items that the model gave up on; their final text counts as empty.
    pub failed: u32,
    /// Words wrong in the final texts.
    pub errors: u64,
    /// Words said.
    pub ref_words: u64,
    /// Word error rate of the final texts; nothing where no word was said.
    pub wer: Option<f64>,
    /// From the moment the first sample was spoken to the first answer with a word in it: median and 90 %. Silence before
    /// the speech counts, so it compares on the same items only.
    pub first_token: Option<(f64, f64)>,
    /// From the moment the last sample was spoken to the final answer: median and 95 %.
    pub finalisation: Option<(f64, f64)>,
}

/// How the time of an item depends on the length of its audio.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencyByDuration {
    /// Percentiles over all items.
    pub all: LatencyPercentiles,
    /// The same for items of up to 5 s, 15 s, 30 s, and longer; lengths nobody has are left out.
    pub buckets: Vec<LatencyBucket>,
    /// Seconds an item costs however short it is (α of t = α + β·audio), by the Theil–Sen estimator: the median of
    /// slopes between pairs of items. Nothing where all items have one length.
    pub fixed_seconds: Option<f64>,
    /// Seconds for each second of audio (β).
    pub seconds_per_audio_second: Option<f64>,
}

/// Percentiles of a time in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencyPercentiles {
    /// Median.
    pub p50: f64,
    /// 90 %.
    pub p90: f64,
    /// 95 %.
    pub p95: f64,
    /// 99 %.
    pub p99: f64,
}

/// Items of one range of lengths.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencyBucket {
    /// Longer than this, in seconds …
    pub above_seconds: f64,
    /// … up to this; nothing: without end.
    pub up_to_seconds: Option<f64>,
    /// How many items.
    pub items: u32,
    /// Their percentiles.
    pub latency: LatencyPercentiles,
    /// Their Σ audio seconds / Σ item seconds.
    pub rtfx: f64,
}

/// A pass in batches: Σ audio seconds / makespan.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Throughput {
    /// Items at once: the fastest of the powers of two up to what the model takes, on other items than these.
    pub batch: u32,
    /// Audio of the pass in seconds.
    pub audio_seconds: f64,
    /// From the first request to the last reply, in seconds.
    pub makespan_seconds: f64,
    /// The ratio of the two.
    pub rtfx: f64,
    /// 95 % of all items were answered within this time of their batch's request, in seconds.
    pub p95_seconds: f64,
    /// Share of the items whose text is that of the scored pass.
    pub agreement: f64,
}

/// The node's pace: seconds of a fixed piece of work on the processor, in the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Calibration {
    /// The node's usual value.
    pub golden_seconds: f64,
    /// Before the model was started.
    pub before_seconds: f64,
    /// After it was gone.
    pub after_seconds: f64,
}

/// What an accelerator did during a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceUse {
    /// Model, as the driver names it.
    pub name: String,
    /// UUID, as the driver names it.
    pub uuid: String,
    /// Version of the driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Most memory in use at any moment looked at, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
    /// Energy over the whole run, in joules, where the device counts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy_joules: Option<f64>,
    /// Lowest and highest streaming-multiprocessor clock seen, in MHz.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_mhz: Option<(u32, u32)>,
    /// Reasons for which the device slowed itself down, in the driver's words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub throttling: Vec<String>,
}

/// Something about a run's times or answers that a person should look at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Flag {
    /// What kind.
    pub kind: FlagKind,
    /// One sentence with the figures, and no text of any item.
    pub message: String,
    /// The items it is about, if single ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<ItemId>,
}

/// Kinds of [`Flag`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlagKind {
    /// Items that took far longer or shorter than others of their length.
    TimeOutliers,
    /// Items answered faster than their audio can be read.
    ImpossiblyFast,
    /// Time does not grow with the length of the audio.
    TimeIndependentOfDuration,
    /// The repeat passes are much faster or slower than the scored pass over the same utterances.
    RepeatsDiffer,
    /// The repeat passes differ among themselves.
    Unsteady,
    /// In batches the model says something else.
    BatchesDisagree,
    /// The device slowed itself down.
    Throttled,
}
