//! `ffasr.toml`: how a submitter describes a model.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Decoder settings, handed to the runtime as they are. Keys are the runtime's own names.
pub type Decoding = BTreeMap<String, DecodingValue>;

/// One decoder setting. Untagged: TOML and JSON scalars map straight through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DecodingValue {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A real number.
    Real(f64),
    /// Text; for a setting that names a file, the name of an uploaded file.
    Text(String),
}

/// The content of `ffasr.toml` (design §5). Unknown fields are refused, so that a misspelt one is noticed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelManifest {
    /// Public name of the model, unique on the board.
    pub name: String,
    /// Who stands behind it.
    pub organisation: String,
    /// Licence of the model, an SPDX expression where there is one.
    pub licence: String,
    /// Name of the runtime it runs in.
    pub runtime: String,
    /// Number of parameters, if the submitter states it. What the model itself reports when ready wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_params: Option<u64>,
    /// What the model was trained on, in the submitter's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub training_data: String,
    /// Anything a reader of the board should know.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notes: String,
    /// Decoder settings.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub decoding: Decoding,
}
