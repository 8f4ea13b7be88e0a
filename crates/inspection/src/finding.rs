//! What an inspection has to say.

use serde::{Deserialize, Serialize};

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know.
    Note,
    /// A reviewer should look at it.
    Caution,
    /// The submission cannot be taken as it is.
    Refusal,
}

impl Severity {
    /// The stable name, also in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Caution => "caution",
            Self::Refusal => "refusal",
        }
    }
}

/// What was found. Each rule has a fixed severity and advice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The upload is in no format that is read here.
    NotAnArchive,
    /// The archive is damaged or cut short.
    DamagedArchive,
    /// Entries are encrypted.
    EncryptedArchive,
    /// More entries than allowed.
    TooManyFiles,
    /// More bytes than allowed, or far more than the archive's size suggests.
    TooLarge,
    /// An absolute path, a path with `..`, or one that not every system can hold.
    UnsafePath,
    /// A symbolic or hard link, a device, a pipe.
    NotAFile,
    /// Two entries with the same path, letter case aside.
    DuplicatePath,
    /// No `ffasr.toml` at the top.
    NoManifest,
    /// Nothing that could be a model.
    NoWeights,
    /// A file whose content is not what its name says.
    DamagedWeights,
    /// Weights that execute code when they are loaded.
    PickledWeights,
    /// A configuration that points to code shipped with the model.
    RemoteCode,
    /// An archive inside the archive.
    NestedArchive,
    /// Machine code.
    NativeCode,
    /// Python that is not the evaluator.
    PythonCode,
    /// No file that states the licence.
    NoLicenceFile,
    /// The evaluator is not valid Python.
    InvalidPython,
    /// The evaluator does not define `evaluate`.
    NoEvaluate,
    /// `evaluate` cannot be called with one path.
    WrongSignature,
    /// `evaluate` is made in a way that cannot be checked by reading.
    UncheckedEvaluate,
    /// `NUM_PARAMS` is computed, so it is known only when the model runs.
    ComputedNumParams,
    /// Talks to the network; there is none in the sandbox.
    Network,
    /// Starts other programs.
    Subprocess,
    /// Runs code made at run time.
    DynamicCode,
    /// Reaches below Python.
    NativeInterface,
    /// Loads pickles, which execute code.
    Unpickling,
    /// Reads the environment, other processes or the machine's files.
    Snooping,
    /// Asks a library to run code that comes with the weights.
    TrustsRemoteCode,
    /// Looks at the clock or at signals.
    Clock,
}

impl Rule {
    /// How much it weighs.
    pub fn severity(self) -> Severity {
        match self {
            Self::NotAnArchive
            | Self::DamagedArchive
            | Self::EncryptedArchive
            | Self::TooManyFiles
            | Self::TooLarge
            | Self::UnsafePath
            | Self::NotAFile
            | Self::DuplicatePath
            | Self::NoManifest
            | Self::DamagedWeights
            | Self::InvalidPython
            | Self::NoEvaluate
            | Self::WrongSignature => Severity::Refusal,
            Self::PickledWeights
            | Self::RemoteCode
            | Self::NestedArchive
            | Self::NativeCode
            | Self::UncheckedEvaluate
            | Self::Network
            | Self::Subprocess
            | Self::DynamicCode
            | Self::NativeInterface
            | Self::Unpickling
            | Self::Snooping
            | Self::TrustsRemoteCode => Severity::Caution,
            // A runtime may bring the weights itself.
            Self::NoWeights
            | Self::PythonCode
            | Self::NoLicenceFile
            | Self::ComputedNumParams
            | Self::Clock => Severity::Note,
        }
    }

    /// What to do about it, one sentence.
    pub fn advice(self) -> &'static str {
        match self {
            Self::NotAnArchive => "Upload a .tar, .tar.gz or .zip file.",
            Self::DamagedArchive => "Pack the archive again and check that the upload was complete.",
            Self::EncryptedArchive => "Pack the archive without a password.",
            Self::TooManyFiles => {
                "Leave out what the model does not need to run, such as checkpoints and logs."
            }
            Self::TooLarge => {
                "Leave out what the model does not need to run, or ask the operator for a higher limit."
            }
            Self::UnsafePath => {
                "Use relative paths of letters, digits, dots, dashes and underscores, at most 16 folders deep."
            }
            Self::NotAFile => "Replace links by the files they point to.",
            Self::DuplicatePath => "Give each file a path of its own, not only another letter case.",
            Self::NoManifest => {
                "Put a file ffasr.toml at the top of the archive; the submission guide shows one."
            }
            Self::NoWeights => {
                "Check that the weights are in the archive; safetensors and ONNX are preferred."
            }
            Self::DamagedWeights => "Export the weights again and check that the file was copied completely.",
            Self::PickledWeights => {
                "Convert the weights to safetensors or ONNX: loading a pickle executes code, so it needs a reviewer."
            }
            Self::RemoteCode | Self::TrustsRemoteCode => {
                "Use an architecture that the runtime's library has, or expect a reviewer to read the code."
            }
            Self::NestedArchive => "Unpack the inner archive, so that a reviewer can see what is in it.",
            Self::NativeCode => "Leave out machine code; the runtime brings its own libraries.",
            Self::PythonCode => "Nothing to do; a reviewer reads it.",
            Self::NoLicenceFile => {
                "Add a LICENSE file, so that visitors know what they may do with the model."
            }
            Self::InvalidPython => "Run the file through `python -m py_compile` before submitting it.",
            Self::NoEvaluate => "Define `def evaluate(file: Path) -> str` at the top level of the file.",
            Self::WrongSignature => {
                "Let `evaluate` take exactly one argument, the path of the recording, and return the text."
            }
            Self::UncheckedEvaluate => {
                "Define `evaluate` with `def` at the top level, so that it can be checked."
            }
            Self::ComputedNumParams => "Nothing to do; it is read when the model is loaded.",
            Self::Network => {
                "Put everything the model needs into the submission: there is no network where it runs."
            }
            Self::Subprocess => "Do the work in Python, or explain in the notes what is started and why.",
            Self::DynamicCode => "Write the code out, or explain in the notes why it is made at run time.",
            Self::NativeInterface => "Use the runtime's libraries, or explain in the notes what is called.",
            Self::Unpickling => "Load safetensors or ONNX, or pass weights_only=True.",
            Self::Snooping => "Read only the recording and the model's own files; nothing else is there.",
            Self::Clock => "Leave timing to the benchmark: its clock is outside the sandbox.",
        }
    }
}

/// One thing that was found, at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is.
    pub rule: Rule,
    /// Where: a path in the archive, or `line 12`; empty for the submission as a whole.
    pub place: String,
    /// What was seen, one sentence.
    pub sentence: String,
}

impl Finding {
    pub(crate) fn new(rule: Rule, place: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self { rule, place: place.into(), sentence: sentence.into() }
    }

    /// How much it weighs.
    pub fn severity(&self) -> Severity {
        self.rule.severity()
    }

    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        self.rule.advice()
    }
}
