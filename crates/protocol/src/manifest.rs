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

/// A track that asks for more than one channel of one talker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DemandingTrack {
    /// Several talkers.
    MultiTalker,
    /// Several channels of one device.
    Array,
    /// The far end beside the microphone.
    Echo,
}

impl DemandingTrack {
    /// Its name in a release.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MultiTalker => "multi-talker",
            Self::Array => "array",
            Self::Echo => "echo",
        }
    }
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
    /// Tracks in which it takes part although they ask for more than it can do: with one stream of words for several
    /// talkers, with an array's delay and sum, with the microphone alone beside a far end. It is shown as not run on
    /// those that are not named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tracks: Vec<DemandingTrack>,
    /// Decoder settings.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub decoding: Decoding,
}
