//! What can go wrong with a corpus or a release, each in one sentence that says where.

use std::{io, path::PathBuf};

/// Why a corpus or a release could not be read, written or believed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A line of a file is not what it should be.
    #[error("{} line {line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The directory to be made is there already. Nothing is ever overwritten.
    #[error("{} exists already: remove it or name another directory", .0.display())]
    Exists(PathBuf),
    /// The corpus is too small for the release that is asked for.
    #[error(
        "the release needs {needed} utterances ({asked}), but the corpus has only {found} that fit its limits: \
         ask for fewer items or import a larger corpus"
    )]
    TooFewUtterances {
        /// How many utterances the release needs.
        needed: usize,
        /// What they are needed for.
        asked: String,
        /// How many there are.
        found: usize,
    },
    /// The specification of a release contradicts itself.
    #[error("release specification: {0}")]
    Specification(String),
    /// A job for another version of the renderer.
    #[error(
        "the job is for {asked}, this is {here}: another version may render other bytes, so run that one"
    )]
    OtherRenderer {
        /// What the job was made for.
        asked: String,
        /// What this program is.
        here: String,
    },
    /// Not all jobs of a plan have a result.
    #[error("{missing} of {of} items are not rendered yet: run the jobs that are missing")]
    NotRendered {
        /// Items without a result.
        missing: usize,
        /// Items of the plan.
        of: usize,
    },
    /// A public release would tell about a held-out one.
    #[error(
        "the two releases have in common: {0}. Nobody may talk in both and nothing may be heard or said in both: split the \
         talkers with [talkers] in both specifications, or use other corpora"
    )]
    NotApart(crate::release::Common),
    /// A key is missing or none.
    #[error("{0}")]
    Key(String),
    /// A release is not what it should be.
    #[error("{} wrong in the release:\n{}", count(.0.len()), .0.join("\n"))]
    Unsound(Vec<String>),
    /// A room or a scene could not be simulated.
    #[error("{what}: {problem}")]
    Simulation {
        /// Which room or item.
        what: String,
        /// What the simulator said.
        problem: String,
    },
}

impl Error {
    /// For `map_err`: an operating system error with its file.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    /// A file that is not what it should be.
    pub(crate) fn file(path: impl Into<PathBuf>, problem: impl Into<String>) -> Self {
        Self::File { path: path.into(), problem: problem.into() }
    }

    /// A line that is not what it should be.
    pub(crate) fn line(path: impl Into<PathBuf>, line: usize, problem: impl Into<String>) -> Self {
        Self::Line { path: path.into(), line, problem: problem.into() }
    }
}

fn count(problems: usize) -> String {
    if problems == 1 { "1 thing is".to_owned() } else { format!("{problems} things are") }
}
