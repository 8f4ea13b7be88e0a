//! Limits that a model must keep to be chosen at all.

use std::fmt;

use crate::{candidate::Candidate, licence::is_open};

/// What a model must keep; `None` asks for nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limits {
    /// Least seconds of audio by second of processing.
    pub min_rtfx: Option<f64>,
    /// Most seconds for 95 of 100 utterances.
    pub max_p95: Option<f64>,
    /// Most parameters.
    pub max_params: Option<u64>,
    /// A licence under which anybody may use it.
    pub open_licence: bool,
}

/// A limit that a model does not keep, or of which it is not known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unmet {
    /// Slower than this RTFx, or its speed is not known.
    Rtfx(f64),
    /// The 95th percentile of latency is above this many seconds.
    P95(f64),
    /// It has more than this many parameters.
    Params(u64),
    /// It does not say how many parameters it has.
    ParamsUnknown,
    /// Its licence is not one under which anybody may use it.
    Licence,
}

impl fmt::Display for Unmet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rtfx(least) => write!(formatter, "RTFx below {least}"),
            Self::P95(most) => write!(formatter, "p95 above {most} s"),
            Self::Params(most) if *most >= 1_000_000_000 => {
                write!(formatter, "more than {} B parameters", *most as f64 / 1e9)
            }
            Self::Params(most) => write!(formatter, "more than {} M parameters", *most as f64 / 1e6),
            Self::ParamsUnknown => formatter.write_str("parameters not stated"),
            Self::Licence => formatter.write_str("licence not open"),
        }
    }
}

impl Limits {
    /// Nothing is asked for.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The stricter of both in everything.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let stricter = |one: Option<f64>, other: Option<f64>, choose: fn(f64, f64) -> f64| match (one, other)
        {
            (Some(one), Some(other)) => Some(choose(one, other)),
            (one, other) => one.or(other),
        };
        Self {
            min_rtfx: stricter(self.min_rtfx, other.min_rtfx, f64::max),
            max_p95: stricter(self.max_p95, other.max_p95, f64::min),
            max_params: match (self.max_params, other.max_params) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            },
            open_licence: self.open_licence || other.open_licence,
        }
    }

    /// What a model does not keep. A number that is not known keeps no limit.
    pub fn unmet(&self, candidate: &Candidate) -> Vec<Unmet> {
        let mut unmet = Vec::new();
        let keeps = |least: &f64| candidate.rtfx.is_some_and(|rtfx| rtfx.value >= *least);
        unmet.extend(self.min_rtfx.filter(|least| !keeps(least)).map(Unmet::Rtfx));
        let is_in_time = |most: &f64| candidate.latency_p95 <= *most;
        unmet.extend(self.max_p95.filter(|most| !is_in_time(most)).map(Unmet::P95));
        unmet.extend(self.max_params.and_then(|most| match candidate.num_params {
            None => Some(Unmet::ParamsUnknown),
            Some(params) => (params > most).then_some(Unmet::Params(most)),
        }));
        if self.open_licence && !is_open(&candidate.licence) {
            unmet.push(Unmet::Licence);
        }
        unmet
    }
}
