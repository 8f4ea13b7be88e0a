//! What a chart of accuracy against cost is drawn over.

use crate::candidate::{Candidate, Estimate};

/// The vertical axis: which errors. Lower is better.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Accuracy {
    /// What the view ranks by.
    #[default]
    Score,
    /// WER of one track.
    Track(String),
}

/// The horizontal axis: what it costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cost {
    /// Speed; more is better.
    #[default]
    Rtfx,
    /// Median latency; less is better.
    LatencyP50,
    /// 95th percentile of latency; less is better.
    LatencyP95,
    /// Number of parameters; less is better.
    Params,
}

impl Cost {
    /// All.
    pub const ALL: [Self; 4] = [Self::Rtfx, Self::LatencyP50, Self::LatencyP95, Self::Params];

    /// The name in a URL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rtfx => "rtfx",
            Self::LatencyP50 => "latency-p50",
            Self::LatencyP95 => "latency-p95",
            Self::Params => "params",
        }
    }

    /// The axis of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cost| cost.name() == name)
    }

    /// What a reader sees.
    pub fn label(self) -> &'static str {
        match self {
            Self::Rtfx => "RTFx, times real time",
            Self::LatencyP50 => "Median latency, s",
            Self::LatencyP95 => "p95 latency, s",
            Self::Params => "Parameters, millions",
        }
    }

    /// Whether more is better.
    pub fn more_is_better(self) -> bool {
        self == Self::Rtfx
    }

    /// The value of a model on this axis: positive, parameters in millions.
    pub fn of(self, candidate: &Candidate) -> Option<Estimate> {
        let plain = |value: f64| Estimate { value, interval: None };
        let value = match self {
            Self::Rtfx => candidate.rtfx,
            Self::LatencyP50 => Some(plain(candidate.latency_p50)),
            Self::LatencyP95 => Some(plain(candidate.latency_p95)),
            Self::Params => candidate.num_params.map(|params| plain(params as f64 / 1e6)),
        };
        value.filter(|value| value.value.is_finite() && value.value > 0.0)
    }
}
