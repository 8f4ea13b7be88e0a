//! `ffasr.toml`: how a submitter describes a model.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Decoder settings, handed to the runtime as they are. Keys are the runtime's own names.
pub type Decoding = BTreeMap<String, DecodingValue>;

/// One decoder setting. Untagged: TOML and JSON scalars map straight through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// All of them.
    pub const ALL: [Self; 3] = [Self::MultiTalker, Self::Array, Self::Echo];

    /// The demanding track of this name; nothing if every model can run the track.
    pub fn named(track: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|demanding| demanding.name() == track)
    }

    /// Why a model that has not named it is not run on it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::MultiTalker => "it asks for a stream of words for each talker",
            Self::Array => "it asks for several channels",
            Self::Echo => "it asks for the far end beside the microphone",
        }
    }

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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// Tracks beyond one channel of one talker in which it takes part. It may do so although it has one stream of words for
    /// several talkers, or takes one channel. It is shown as not run on those that are not named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tracks: Vec<DemandingTrack>,
    /// It takes all channels of a recording: of an array every microphone, of an echo the microphone and then the far end.
    /// Otherwise it gets one channel: an array's delay and sum, the microphone alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub multichannel: bool,
    /// A model on a hub whose files belong to it, besides those that are handed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub: Option<HubSource>,
    /// Decoder settings.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub decoding: Decoding,
}

impl ModelManifest {
    /// Whether it is run on a track of this name.
    pub fn runs(&self, track: &str) -> bool {
        DemandingTrack::named(track).is_none_or(|demanding| self.tracks.contains(&demanding))
    }
}

/// A model on a hub, at one revision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HubSource {
    /// Its id there, e.g. `openai/whisper-tiny`.
    pub model: String,
    /// A branch, a tag or a commit; the service replaces it by the commit it finds.
    #[serde(default = "default_revision")]
    pub revision: String,
    /// Which of its files, as patterns in which `*` stands for any text; none: all that are needed once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
}

/// What a hub calls the branch that counts.
fn default_revision() -> String {
    "main".to_owned()
}

/// Longest path of a file of a model, in bytes.
const LONGEST_PATH: usize = 255;
/// Most folders and the file name in one path.
const DEEPEST_PATH: usize = 8;

/// Whether this may be the path of a file within a model's directory: names of ASCII letters, digits, dot, hyphen and
/// underscore that begin with a letter, a digit or an underscore, separated by `/`. So it stays within the directory,
/// needs no quoting anywhere and hides nothing.
pub fn is_model_path(path: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    path.len() <= LONGEST_PATH && path.split('/').count() <= DEEPEST_PATH && path.split('/').all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_within_the_model() {
        for good in ["model.onnx", "1_Pooling/config.json", "__init__.py", "a/b/c-d_e.f"] {
            assert!(is_model_path(good), "{good}");
        }
        let deep = "a/".repeat(DEEPEST_PATH) + "b";
        for bad in ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", ".git", "a/.b", "a b", "\u{e4}", &deep]
        {
            assert!(!is_model_path(bad), "{bad}");
        }
    }
}
