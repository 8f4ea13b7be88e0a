//! Why a command failed, and with which exit code: 2 for bad input, 1 for everything else.

use std::{fmt, process::ExitCode};

/// A command that failed. The text is one or more sentences for the person at the terminal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// What was given cannot be used; nothing was changed.
    #[error("{0}")]
    BadInput(String),
    /// It could not be done.
    #[error("{0}")]
    Failed(String),
    /// Ctrl-C; nothing half done is left.
    #[error("interrupted; nothing was written")]
    Interrupted,
}

impl Failure {
    /// Bad input, from anything that can be said.
    pub(crate) fn input(message: impl fmt::Display) -> Self {
        Self::BadInput(message.to_string())
    }

    /// A failure, from anything that can be said.
    pub(crate) fn failed(message: impl fmt::Display) -> Self {
        Self::Failed(message.to_string())
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::BadInput(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::FAILURE,
            // What shells report for a program that ended by SIGINT: 128 + 2.
            Self::Interrupted => ExitCode::from(130),
        }
    }
}

impl From<store::StoreError> for Failure {
    fn from(error: store::StoreError) -> Self {
        match error {
            store::StoreError::NotFound(_)
            | store::StoreError::NameTaken(_)
            | store::StoreError::DuplicateModel(_)
            | store::StoreError::ReleaseTaken { .. }
            | store::StoreError::Refused(_)
            | store::StoreError::Transition { .. } => Self::input(error),
            other => Self::failed(other),
        }
    }
}
