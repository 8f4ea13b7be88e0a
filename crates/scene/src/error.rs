//! Why a scene cannot be rendered.

use crate::{device::DeviceError, motion::MotionError};

/// Levels and ratios beyond this are mistakes, and single precision would not hold what they ask for.
const LEVEL_LIMIT_DB: f64 = 150.0;

/// Which signal of a scene an error speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The utterance with this index.
    Utterance(usize),
    /// The noise source with this index.
    Noise(usize),
    /// What the loudspeaker plays.
    FarEnd,
}

impl std::fmt::Display for Signal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Utterance(index) => write!(f, "utterance {index}"),
            Self::Noise(index) => write!(f, "noise source {index}"),
            Self::FarEnd => f.write_str("the far-end speech"),
        }
    }
}

/// Why a scene cannot be rendered.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SceneError {
    /// A signal without samples.
    #[error("{0} has no samples")]
    Empty(Signal),
    /// A sample that is not a number or infinite.
    #[error("sample {index} of {signal} is not finite; check how the recording was decoded")]
    NotFinite {
        /// Whose sample.
        signal: Signal,
        /// Which one.
        index: usize,
    },
    /// No level can be stated for speech.
    #[error("{0} is silent (or a mere click) at the reference microphone, so it has no active level to set")]
    NoActiveSpeech(Signal),
    /// A noise that is silent during the scene.
    #[error("{0} is silent at the reference microphone for the whole scene, so it has no level to set")]
    SilentNoise(Signal),
    /// Another sample rate.
    #[error(
        "the response of {signal} has {actual} samples per second, the scene {expected}; resample it first"
    )]
    SampleRate {
        /// Whose response.
        signal: Signal,
        /// The scene's rate in hertz.
        expected: u32,
        /// The response's rate in hertz.
        actual: u32,
    },
    /// Not as many responses as microphones.
    #[error(
        "{signal} reaches {actual} microphones, other sound of the scene {expected}; give one response each"
    )]
    Microphones {
        /// Whose responses.
        signal: Signal,
        /// Microphones of the scene.
        expected: usize,
        /// Responses given.
        actual: usize,
    },
    /// A reference microphone that is not there.
    #[error("the reference microphone is number {reference}, counted from 0, of {microphones}")]
    Reference {
        /// The number given.
        reference: usize,
        /// How many there are.
        microphones: usize,
    },
    /// A noise that would have to begin within the scene.
    #[error(
        "{signal} has {actual} samples; it needs {needed} to sound steadily from the first sample to the last"
    )]
    NoiseTooShort {
        /// Which noise.
        signal: Signal,
        /// Samples needed.
        needed: usize,
        /// Samples given.
        actual: usize,
    },
    /// A background of nothing.
    #[error(
        "the background has no noise source, or its sources cancel; leave it out for a scene without noise"
    )]
    NoNoise,
    /// Neither speech nor a length.
    #[error("the scene has neither speech nor a length, so nothing says when it ends; give one of them")]
    NoLength,
    /// Nothing to hear.
    #[error("the scene has neither speech, nor far-end speech, nor noise")]
    Nothing,
    /// A level or ratio that is no number or out of all proportion.
    #[error("{what} is {value} dB; it must lie between -{LEVEL_LIMIT_DB} and {LEVEL_LIMIT_DB} dB")]
    Level {
        /// Which setting.
        what: &'static str,
        /// What it holds.
        value: f64,
    },
    /// A device that cannot be.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A movement that cannot be.
    #[error(transparent)]
    Motion(#[from] MotionError),
}

pub(crate) fn check_signal(signal: Signal, samples: &[f32]) -> Result<(), SceneError> {
    if samples.is_empty() {
        return Err(SceneError::Empty(signal));
    }
    match samples.iter().position(|s| !s.is_finite()) {
        Some(index) => Err(SceneError::NotFinite { signal, index }),
        None => Ok(()),
    }
}

pub(crate) fn check_level(what: &'static str, value: f64) -> Result<(), SceneError> {
    if value.abs() <= LEVEL_LIMIT_DB { Ok(()) } else { Err(SceneError::Level { what, value }) }
}
