//! What is in a submission, found out before anything of it runs: bytes in, findings out. Pure.
//!
//! [`inspect_bundle`] reads an uploaded archive within [`Limits`], [`inspect_file`] a single file, [`inspect_evaluator`] a
//! Python evaluator. They only look: nothing is unpacked to a disk, imported or executed. What they find is a list of [`Finding`]s, each
//! one sentence with advice; a [`Severity::Refusal`] ends the submission, everything else is for the eyes of a reviewer.

mod archive;
mod bundle;
mod evaluator;
mod file_kind;
mod finding;
mod highlight;
mod weights;

pub use archive::Limits;
pub use bundle::{BundleReport, InspectedFile, inspect_bundle, inspect_file, unpack_bundle, visit_bundle};
pub use evaluator::{EvaluatorReport, inspect_evaluator};
pub use file_kind::FileKind;
pub use finding::{Finding, Rule, Severity};
pub use highlight::{Token, TokenClass, highlight};
