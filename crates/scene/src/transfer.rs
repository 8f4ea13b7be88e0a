//! How a sound gets from where it is made to the microphones.

use acoustics::Rir;

use crate::{
    convolve::convolve_range,
    error::{SceneError, Signal},
    motion::MovingTransfer,
};

/// How a sound gets to the microphones, one channel each.
#[derive(Debug, Clone, Copy)]
pub enum Transfer<'a> {
    /// Nothing moves: one response for each microphone.
    Still(&'a [Rir]),
    /// The source or the microphones move.
    Moving(&'a MovingTransfer),
}

impl Transfer<'_> {
    /// Number of microphones.
    pub fn microphones(&self) -> usize {
        match self {
            Self::Still(responses) => responses.len(),
            Self::Moving(transfer) => transfer.microphones(),
        }
    }

    /// For how many samples after a sound was made it can still be heard: what a sound must have been going on
    /// for to be in steady state.
    pub fn memory(&self) -> usize {
        match self {
            Self::Still(responses) => {
                responses.iter().map(|response| response.samples().len()).max().unwrap_or(1) - 1
            }
            Self::Moving(transfer) => transfer.memory(),
        }
    }

    /// For how many samples it can be heard until `decay_db` of its energy have decayed.
    pub(crate) fn tail(&self, decay_db: f64) -> usize {
        match self {
            Self::Still(responses) => {
                let longest = responses.iter().map(|response| response.length_to_decay(decay_db)).max();
                longest.unwrap_or(1).saturating_sub(1)
            }
            Self::Moving(transfer) => transfer.tail(decay_db),
        }
    }

    pub(crate) fn check(&self, signal: Signal, rate: u32, microphones: usize) -> Result<(), SceneError> {
        let actual = self.microphones();
        if actual != microphones {
            return Err(SceneError::Microphones { signal, expected: microphones, actual });
        }
        let other_rate = match self {
            Self::Still(responses) => {
                responses.iter().map(Rir::sample_rate).find(|&response| response != rate)
            }
            Self::Moving(transfer) => Some(transfer.sample_rate()).filter(|&response| response != rate),
        };
        match other_rate {
            Some(actual) => Err(SceneError::SampleRate { signal, expected: rate, actual }),
            None => Ok(()),
        }
    }

    /// What each microphone hears: `length` samples, the first of them when sample `from` of the signal is made.
    /// By then `clock` samples of the scene have passed, by which movements go.
    pub(crate) fn hear(&self, signal: &[f32], from: usize, clock: usize, length: usize) -> Vec<Vec<f32>> {
        match self {
            Self::Still(responses) => {
                let responses: Vec<_> = responses.iter().map(Rir::samples).collect();
                convolve_range(signal, &responses, from.cast_signed(), length)
            }
            Self::Moving(transfer) => transfer.hear(signal, from, clock, length),
        }
    }
}
