//! A model's page: one published attempt in full.

use std::{collections::BTreeMap, fmt};

use askama::Template;
use protocol::{AttemptId, ModelManifest, NodeFingerprint, SubmissionId};

use super::{
    board::Scoring,
    history::OwnHistory,
    layout::{Choice, Layout},
    measured::Measured,
    quantity::{Bytes, Count, Estimate, Interval, Params, Probability, Rate, Rtfx, Seconds, Timestamp},
    take_home::TakeHome,
    weakness::Weakness,
};

/// A place in the ranking and the places that the data allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rank {
    /// The place by Avg WER.
    pub place: u32,
    /// The best place within the 95 % interval.
    pub low: u32,
    /// The worst place within the 95 % interval.
    pub high: u32,
}

impl fmt::Display for Rank {
    /// The rank interval: `3`, or `2–4` where the data do not tell these places apart.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.low == self.high {
            write!(formatter, "{}", self.low)
        } else {
            write!(formatter, "{}–{}", self.low, self.high)
        }
    }
}

/// `GET /models/{…}`.
#[derive(Debug, Template)]
#[template(path = "model.html")]
pub struct ModelPage {
    /// The frame.
    pub layout: Layout,
    /// Badge, card, citation and more.
    pub take_home: TakeHome,
    /// What cleans the audio before the recogniser, if anything does.
    pub front_end: Option<FrontEnd>,
    /// What the submitter says about the model.
    pub manifest: ModelManifest,
    /// Number of parameters: what the model reported, else what the submitter states.
    pub num_params: Option<Params>,
    /// Slug of the release.
    pub release: String,
    /// Hardware class of the attempt.
    pub hardware_class: String,
    /// Rank on this release's board.
    pub rank: Option<Rank>,
    /// Number of models on that board.
    pub ranked: u32,
    /// No other model is both faster and more accurate.
    pub on_front: bool,
    /// How sure that is.
    pub front_probability: Probability,
    /// Unweighted mean of the four primary tracks.
    pub avg_wer: Estimate,
    /// Every track, ranked ones first.
    pub tracks: Vec<TrackResult>,
    /// Tracks on which the model was not run, and why.
    pub not_run: BTreeMap<&'static str, &'static str>,
    /// How fast.
    pub timing: Timing,
    /// What else was measured.
    pub measured: Measured,
    /// How the texts are scored.
    pub scoring: Scoring,
    /// Rooms of the release that have a page.
    pub described_rooms: Vec<String>,
    /// Where it fails; nothing if this scorer makes no such analysis or it cannot be read now.
    pub weakness: Option<Weakness>,
    /// Where it stood over time.
    pub history: OwnHistory,
    /// The result under every scorer that was applied, the oldest first.
    pub by_scorer: Vec<ScorerResult>,
    /// The other models of the board, to compare with.
    pub others: Vec<Choice>,
    /// Counts and times of the items as a file.
    pub items_href: String,
    /// Where the numbers come from.
    pub provenance: Provenance,
}

/// Responses to one condition as a chart; the numbers stand in tables.
#[derive(Debug, Clone)]
pub struct Curves {
    /// What it shows, in words.
    pub caption: String,
    /// The chart, as SVG from the `charts` crate.
    pub svg: String,
}

/// A front end and the recogniser behind it.
#[derive(Debug, Clone)]
pub struct FrontEnd {
    /// Name of its file.
    pub name: String,
    /// The recogniser alone, if it is on the board: its name, and the comparison of both.
    pub bare: Option<(String, String)>,
}

/// The result under one scorer.
#[derive(Debug, Clone)]
pub struct ScorerResult {
    /// The scorer, e.g. `ffasr@1/whisper-en@1`.
    pub scorer: String,
    /// What it is in words: what the board ranks by, another profile, another version.
    pub role: &'static str,
    /// This page under it, if a profile uses it at present.
    pub href: Option<String>,
    /// It is the one shown on this page.
    pub is_shown: bool,
    /// Place on its board, if it has one.
    pub rank: Option<Rank>,
    /// Avg WER.
    pub avg_wer: Estimate,
    /// When it was scored.
    pub scored_at: Timestamp,
}

/// What the model made of one track.
#[derive(Debug, Clone)]
pub struct TrackResult {
    /// Name of the track.
    pub name: String,
    /// It counts towards Avg WER.
    pub ranked: bool,
    /// Corpus-level WER.
    pub wer: Estimate,
    /// Substituted words.
    pub substitutions: Count,
    /// Deleted words.
    pub deletions: Count,
    /// Inserted words.
    pub insertions: Count,
    /// Words of the references.
    pub ref_words: Count,
    /// Items of the track.
    pub items: Count,
    /// Items that the model could not transcribe: scored as empty.
    pub failed_items: Count,
    /// Speed on this track.
    pub rtfx: Option<Rtfx>,
}

/// How fast the model was, by timing version 1.
#[derive(Debug, Clone)]
pub struct Timing {
    /// Speed over the four primary tracks.
    pub rtfx: Option<Rtfx>,
    /// 95 % interval from the repeat passes.
    pub rtfx_interval: Option<Interval<Rtfx>>,
    /// Repeat passes that the interval rests on.
    pub repeat_passes: u32,
    /// From start to ready: not part of any other time.
    pub ready_time: Seconds,
    /// Latency of an item: median.
    pub latency_p50: Option<Seconds>,
    /// 90th percentile.
    pub latency_p90: Option<Seconds>,
    /// 95th percentile.
    pub latency_p95: Option<Seconds>,
    /// 99th percentile.
    pub latency_p99: Option<Seconds>,
    /// Peak memory of the model's processes.
    pub peak_memory: Option<Bytes>,
}

impl Timing {
    /// Half-width of the interval as a share of the speed.
    pub fn half_width(&self) -> Option<Rate> {
        let (speed, interval) = self.rtfx.zip(self.rtfx_interval)?;
        Some(Rate((interval.high.0 - interval.low.0) / 2.0 / speed.0))
    }

    /// The interval is wider than the method allows (±3 %).
    pub fn is_unstable(&self) -> bool {
        self.half_width().is_some_and(|half_width| half_width.0 > 0.03)
    }
}

/// Where the numbers come from.
#[derive(Debug, Clone)]
pub struct Provenance {
    /// SHA-256 of the release's manifest, hexadecimal.
    pub release_sha256: String,
    /// The submission.
    pub submission: SubmissionId,
    /// The attempt.
    pub attempt: AttemptId,
    /// Name of the runtime.
    pub runtime: String,
    /// Digest of the runtime that ran.
    pub runtime_digest: String,
    /// What isolation was in force.
    pub isolation: String,
    /// Scoring profile and normaliser with their versions.
    pub scorer: String,
    /// The node.
    pub node: NodeFingerprint,
    /// Seed of the order in which the model saw the items.
    pub order_seed: u64,
    /// Seed of the bootstrap draws.
    pub bootstrap_seed: Option<u64>,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// When the attempt began.
    pub started_at: Timestamp,
    /// When the attempt ended.
    pub finished_at: Timestamp,
    /// When it was scored.
    pub scored_at: Timestamp,
}

impl ModelPage {
    /// Items of all tracks.
    pub(crate) fn items(&self) -> Count {
        Count(self.tracks.iter().map(|track| track.items.0).sum())
    }

    /// Failed items of all tracks.
    pub(crate) fn failed_items(&self) -> Count {
        Count(self.tracks.iter().map(|track| track.failed_items.0).sum())
    }

    /// A track's WER and interval on the scale shared by all tracks of this model.
    pub(crate) fn strip(&self, estimate: &Estimate) -> String {
        let full_scale =
            self.tracks.iter().map(|track| track.wer.upper()).fold(self.avg_wer.upper(), f64::max);
        charts::interval_strip(estimate.value.0, estimate.limits(), full_scale)
    }

    /// The decoder settings as they would stand in `ffasr.toml`.
    pub(crate) fn decoding(&self) -> Vec<(&str, String)> {
        self.manifest.decoding.iter().map(|(name, value)| (name.as_str(), setting(value))).collect()
    }

    /// Memory of the node.
    pub(crate) fn node_memory(&self) -> Bytes {
        Bytes(self.provenance.node.memory_bytes)
    }
}

fn setting(value: &protocol::DecodingValue) -> String {
    match value {
        protocol::DecodingValue::Boolean(value) => value.to_string(),
        protocol::DecodingValue::Integer(value) => value.to_string(),
        protocol::DecodingValue::Real(value) => format!("{value:?}"),
        protocol::DecodingValue::Text(value) => value.clone(),
    }
}
