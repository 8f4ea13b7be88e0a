//! What a runtime declares about itself (`runtime.toml`) and whether a model's decoding settings fit it.
//!
//! Here rather than in `sandbox`, because the submission form checks the same rules before anything runs.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{Decoding, DecodingValue};

/// The content of `runtime.toml`: a named, versioned environment in which models run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimeDeclaration {
    /// Name, as a model's manifest gives it: lower-case letters, digits and `-`.
    pub name: String,
    /// Version of this definition; raised with every change that can change a result.
    pub version: String,
    /// One sentence for the submission form.
    pub description: String,
    /// File name of the Python program that speaks the runner protocol.
    pub adapter: String,
    /// File name of the lock file: pinned Python packages with hashes.
    pub requirements: String,
    /// Whether its models can take recordings of several channels.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub multichannel: bool,
    /// Decoding settings the adapter accepts, by name.
    #[serde(default)]
    pub settings: BTreeMap<String, Setting>,
}

/// One decoding setting: its type, its range (ends included) and what it does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Setting {
    /// `true` or `false`.
    Boolean {
        /// What it does.
        help: String,
    },
    /// A whole number.
    Integer {
        /// What it does.
        help: String,
        /// Smallest allowed value.
        minimum: i64,
        /// Largest allowed value.
        maximum: i64,
    },
    /// A real number; whole numbers are taken too.
    Real {
        /// What it does.
        help: String,
        /// Smallest allowed value.
        minimum: f64,
        /// Largest allowed value.
        maximum: f64,
    },
    /// One of a few words.
    Choice {
        /// What it does.
        help: String,
        /// The words.
        values: Vec<String>,
    },
    /// The name of a file uploaded with the model.
    File {
        /// What the file is.
        help: String,
    },
}

/// A decoding setting that the runtime does not take, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingProblem {
    /// The setting's name.
    pub setting: String,
    /// What is wrong and what to do, one sentence.
    pub problem: String,
}

impl fmt::Display for SettingProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "decoding setting `{}` {}", self.setting, self.problem)
    }
}

impl RuntimeDeclaration {
    /// Every decoding setting that this runtime does not take; empty if all are fine. `files` are the names of
    /// the files uploaded with the model.
    pub fn problems(&self, decoding: &Decoding, files: &[&str]) -> Vec<SettingProblem> {
        decoding
            .iter()
            .filter_map(|(name, value)| {
                let problem = match self.settings.get(name) {
                    Some(setting) => setting.problem(value, files)?,
                    None => self.unknown(),
                };
                Some(SettingProblem { setting: name.clone(), problem })
            })
            .collect()
    }

    /// This runtime in the Python environment of `other`: what `deploy/runtimes/install evaluator-OTHER` makes of
    /// the runtime `evaluator`.
    #[must_use]
    pub fn with_packages_of(&self, other: &Self) -> Self {
        Self {
            name: format!("{}-{}", self.name, other.name),
            description: format!("{} With the packages of the runtime {}.", self.description, other.name),
            ..self.clone()
        }
    }

    fn unknown(&self) -> String {
        let known: Vec<&str> = self.settings.keys().map(String::as_str).collect();
        if known.is_empty() {
            format!("is not known: the runtime `{}` takes none", self.name)
        } else {
            format!("is not known: the runtime `{}` takes {}", self.name, known.join(", "))
        }
    }
}

impl Setting {
    /// What the setting does, for the form.
    pub fn help(&self) -> &str {
        match self {
            Self::Boolean { help }
            | Self::Integer { help, .. }
            | Self::Real { help, .. }
            | Self::Choice { help, .. }
            | Self::File { help } => help,
        }
    }

    fn problem(&self, value: &DecodingValue, files: &[&str]) -> Option<String> {
        match (self, value) {
            (Self::Boolean { .. }, DecodingValue::Boolean(_)) => None,
            (Self::Boolean { .. }, other) => Some(format!("must be true or false, not {}", shown(other))),
            (Self::Integer { minimum, maximum, .. }, DecodingValue::Integer(number)) => {
                (!(minimum..=maximum).contains(&number))
                    .then(|| format!("must lie between {minimum} and {maximum}, not {number}"))
            }
            (Self::Integer { .. }, other) => Some(format!("must be a whole number, not {}", shown(other))),
            (Self::Real { minimum, maximum, .. }, DecodingValue::Integer(_) | DecodingValue::Real(_)) => {
                let number = as_real(value);
                (!(minimum..=maximum).contains(&&number))
                    .then(|| format!("must lie between {minimum:e} and {maximum:e}, not {number}"))
            }
            (Self::Real { .. }, other) => Some(format!("must be a number, not {}", shown(other))),
            (Self::Choice { values, .. }, DecodingValue::Text(text)) if values.contains(text) => None,
            (Self::Choice { values, .. }, other) => {
                Some(format!("must be one of {}, not {}", values.join(", "), shown(other)))
            }
            (Self::File { .. }, DecodingValue::Text(name)) if files.contains(&name.as_str()) => None,
            (Self::File { .. }, DecodingValue::Text(name)) if files.is_empty() => {
                Some(format!("names the file `{name}`, but no file was uploaded: upload it with the model"))
            }
            (Self::File { .. }, DecodingValue::Text(name)) => Some(format!(
                "names the file `{name}`, which is not among the uploaded files ({})",
                files.join(", ")
            )),
            (Self::File { .. }, other) => {
                Some(format!("must be the name of an uploaded file, not {}", shown(other)))
            }
        }
    }
}

fn as_real(value: &DecodingValue) -> f64 {
    match value {
        DecodingValue::Integer(number) => *number as f64,
        DecodingValue::Real(number) => *number,
        DecodingValue::Boolean(_) | DecodingValue::Text(_) => f64::NAN,
    }
}

fn shown(value: &DecodingValue) -> String {
    match value {
        DecodingValue::Boolean(value) => value.to_string(),
        DecodingValue::Integer(number) => number.to_string(),
        DecodingValue::Real(number) => number.to_string(),
        DecodingValue::Text(text) => format!("the text `{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declaration() -> RuntimeDeclaration {
        let settings = [
            ("bestpath", Setting::Boolean { help: String::new() }),
            ("topn", Setting::Integer { help: String::new(), minimum: 1, maximum: 8 }),
            ("beam", Setting::Real { help: String::new(), minimum: 1e-300, maximum: 1.0 }),
            ("cmn", Setting::Choice { help: String::new(), values: vec!["batch".into(), "none".into()] }),
            ("lm", Setting::File { help: String::new() }),
        ];
        RuntimeDeclaration {
            name: "engine".into(),
            version: "1".into(),
            description: String::new(),
            adapter: "adapter.py".into(),
            requirements: "requirements.lock".into(),
            multichannel: false,
            settings: settings.into_iter().map(|(name, setting)| (name.to_owned(), setting)).collect(),
        }
    }

    fn problems(name: &str, value: DecodingValue, files: &[&str]) -> Vec<String> {
        let decoding = Decoding::from([(name.to_owned(), value)]);
        declaration().problems(&decoding, files).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn settings_of_the_declared_type_and_range_are_taken() {
        let decoding = Decoding::from([
            ("bestpath".to_owned(), DecodingValue::Boolean(false)),
            ("topn".to_owned(), DecodingValue::Integer(8)),
            ("beam".to_owned(), DecodingValue::Real(1e-48)),
            ("cmn".to_owned(), DecodingValue::Text("batch".into())),
            ("lm".to_owned(), DecodingValue::Text("task.lm".into())),
        ]);
        assert_eq!(declaration().problems(&decoding, &["task.lm"]), []);
    }

    #[test]
    fn a_whole_number_is_a_real_number_too() {
        assert_eq!(problems("beam", DecodingValue::Integer(1), &[]), Vec::<String>::new());
    }

    #[test]
    fn every_problem_names_the_setting_and_what_would_be_right() {
        let cases = [
            (
                "beams",
                DecodingValue::Integer(1),
                "is not known: the runtime `engine` takes beam, bestpath, cmn, lm, topn",
            ),
            ("topn", DecodingValue::Integer(9), "must lie between 1 and 8, not 9"),
            ("topn", DecodingValue::Real(2.5), "must be a whole number, not 2.5"),
            ("beam", DecodingValue::Real(f64::NAN), "must lie between 1e-300 and 1e0, not NaN"),
            ("beam", DecodingValue::Text("wide".into()), "must be a number, not the text `wide`"),
            ("bestpath", DecodingValue::Integer(1), "must be true or false, not 1"),
            ("cmn", DecodingValue::Text("live".into()), "must be one of batch, none, not the text `live`"),
            (
                "lm",
                DecodingValue::Text("/etc/passwd".into()),
                "names the file `/etc/passwd`, which is not among the uploaded files (a.lm)",
            ),
        ];
        for (name, value, expected) in cases {
            assert_eq!(problems(name, value, &["a.lm"]), [format!("decoding setting `{name}` {expected}")]);
        }
    }
}
