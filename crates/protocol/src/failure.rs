//! Why an attempt failed, whose fault it was, and what to do about it.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The class of a failed attempt (design §3). Submitter faults never retry by themselves;
/// platform faults retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// `ffasr.toml` or the form is not usable.
    InvalidManifest,
    /// The model's files could not be fetched.
    DownloadFailed,
    /// The model process ended or answered nothing sensible before `ready`.
    LoadError,
    /// The model process died or reported an error while transcribing.
    RuntimeError,
    /// A wall-clock limit was passed.
    Timeout,
    /// The memory limit was passed.
    OutOfMemory,
    /// The model answered outside the runner protocol.
    BadOutput,
    /// The worker stopped sending heartbeats.
    WorkerLost,
    /// The accelerator failed.
    GpuFault,
    /// Audio or results could not be moved to or from object storage.
    StorageError,
    /// Scoring itself failed.
    ScorerError,
}

/// Who has to act on a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultOwner {
    /// The model or its description must change.
    Submitter,
    /// The service tries again by itself.
    Platform,
}

impl FailureClass {
    /// Every class, in the order of the design.
    pub const ALL: [Self; 11] = [
        Self::InvalidManifest,
        Self::DownloadFailed,
        Self::LoadError,
        Self::RuntimeError,
        Self::Timeout,
        Self::OutOfMemory,
        Self::BadOutput,
        Self::WorkerLost,
        Self::GpuFault,
        Self::StorageError,
        Self::ScorerError,
    ];

    /// The stable name used in SQL, JSON and URLs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidManifest => "invalid_manifest",
            Self::DownloadFailed => "download_failed",
            Self::LoadError => "load_error",
            Self::RuntimeError => "runtime_error",
            Self::Timeout => "timeout",
            Self::OutOfMemory => "out_of_memory",
            Self::BadOutput => "bad_output",
            Self::WorkerLost => "worker_lost",
            Self::GpuFault => "gpu_fault",
            Self::StorageError => "storage_error",
            Self::ScorerError => "scorer_error",
        }
    }

    /// Whose fault this class is.
    pub const fn owner(self) -> FaultOwner {
        match self {
            Self::WorkerLost | Self::GpuFault | Self::StorageError | Self::ScorerError => {
                FaultOwner::Platform
            }
            _ => FaultOwner::Submitter,
        }
    }

    /// One paragraph for the submitter: what it means and what to do next.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::InvalidManifest => {
                "The model's description could not be used. Correct the field named below and submit again."
            }
            Self::DownloadFailed => {
                "The model's files could not be fetched. Check that the name, the revision and the access rights are right, then submit again."
            }
            Self::LoadError => {
                "The model did not get as far as reporting that it is ready. The log below ends with what it printed last: usually a setting the runtime does not know, or a missing file."
            }
            Self::RuntimeError => {
                "The model was loaded but stopped while transcribing. The log below ends with what it printed last."
            }
            Self::Timeout => {
                "The model took longer than the limit for one item or for the whole attempt. Use faster decoding settings or a smaller model."
            }
            Self::OutOfMemory => {
                "The model asked for more memory than an attempt may use. Use a smaller model or smaller buffers."
            }
            Self::BadOutput => {
                "The model answered something that is not in the runner protocol: a wrong id, an answer twice, or not JSON. Send exactly one line for each request."
            }
            Self::WorkerLost => {
                "The node that ran this attempt stopped answering. This is our fault, not the model's: the attempt is repeated on the next free node."
            }
            Self::GpuFault => {
                "The accelerator of the node failed. This is our fault, not the model's: the attempt is repeated on another node."
            }
            Self::StorageError => {
                "Audio or results could not be moved to or from storage. This is our fault, not the model's: the attempt is repeated."
            }
            Self::ScorerError => {
                "The hypotheses arrived but could not be scored. This is our fault: they are kept and scored again, nothing has to be submitted twice."
            }
        }
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for FailureClass {
    type Err = UnknownFailureClass;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|class| class.as_str() == text)
            .ok_or_else(|| UnknownFailureClass(text.to_owned()))
    }
}

/// The name is not one of the failure classes.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a failure class")]
pub struct UnknownFailureClass(String);
