//! A room impulse response at one microphone.

/// What is wrong with a response that was to become a [`Rir`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RirError {
    /// A sample rate of zero.
    #[error("the sample rate of an impulse response must be above 0 Hz")]
    SampleRate,
    /// NaN or infinity.
    #[error("sample {index} of the impulse response is {value}; every sample must be finite")]
    NotFinite {
        /// Where the first bad sample lies.
        index: usize,
        /// What it holds.
        value: f32,
    },
    /// No samples, or nothing but zeros.
    #[error("the impulse response is empty or silent, so nothing could be heard through it")]
    Silent,
}

/// A room impulse response: finite, not silent, mono.
///
/// Reference of level: the direct sound of an omnidirectional source in the free field has amplitude
/// 1 at 1 m, and 1/r at r metres. Sample 0 is the moment the source emits.
#[derive(Debug, Clone, PartialEq)]
pub struct Rir {
    sample_rate: u32,
    samples: Vec<f32>,
}

impl Rir {
    /// Takes a simulated or measured response.
    ///
    /// # Errors
    /// [`RirError`] when the rate is zero, a sample is not finite, or all are zero.
    pub fn new(sample_rate: u32, samples: Vec<f32>) -> Result<Self, RirError> {
        if sample_rate == 0 {
            return Err(RirError::SampleRate);
        }
        if let Some((index, &value)) = samples.iter().enumerate().find(|(_, s)| !s.is_finite()) {
            return Err(RirError::NotFinite { index, value });
        }
        if samples.iter().all(|&s| s == 0.0) {
            return Err(RirError::Silent);
        }
        Ok(Self { sample_rate, samples })
    }

    /// The response of no room at all: what goes in comes out.
    ///
    /// # Errors
    /// [`RirError::SampleRate`] when the rate is zero.
    pub fn identity(sample_rate: u32) -> Result<Self, RirError> {
        Self::new(sample_rate, vec![1.0])
    }

    /// Samples per second.
    pub fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// The response, from the moment of emission.
    pub fn samples(&self) -> &[f32] {
        &self.samples
    }

    /// Index of the first sample within 20 dB of the peak: where the response begins (ISO 3382-1, 5.3.2).
    pub fn onset(&self) -> usize {
        let peak = self.samples.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
        self.samples.iter().position(|s| s.abs() >= 0.1 * peak).unwrap_or(0)
    }

    /// How many samples hold all of the energy but the last `decay_db`, for instance 60: the response
    /// may be cut there and nobody hears it.
    pub fn length_to_decay(&self, decay_db: f64) -> usize {
        let energy = |s: &f32| f64::from(*s).powi(2);
        let total: f64 = self.samples.iter().map(energy).sum();
        let allowed = total * 10_f64.powf(-decay_db / 10.0);
        let mut tail = 0.0;
        let cut = self.samples.iter().rev().take_while(|s| {
            tail += energy(s);
            tail <= allowed
        });
        self.samples.len() - cut.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_must_be_finite_and_audible() {
        assert_eq!(Rir::new(0, vec![1.0]), Err(RirError::SampleRate));
        assert_eq!(Rir::new(16_000, vec![]), Err(RirError::Silent));
        assert_eq!(Rir::new(16_000, vec![0.0; 9]), Err(RirError::Silent));
        let error = Rir::new(16_000, vec![1.0, f32::INFINITY]).unwrap_err();
        assert_eq!(error.to_string(), "sample 1 of the impulse response is inf; every sample must be finite");
    }

    #[test]
    fn the_onset_is_the_first_sample_within_20_db_of_the_peak() {
        let rir = Rir::new(16_000, vec![0.0, 0.09, -0.11, 1.0, 0.5]).unwrap();
        assert_eq!(rir.onset(), 2);
    }

    #[test]
    fn cutting_at_60_db_of_an_exponential_decay_lands_at_its_reverberation_time() {
        // Energy left of exp(-2kt) falls by 60 dB in the reverberation time T = 3 ln 10 / k.
        let (rate, seconds) = (16_000, 0.4);
        let k = 3.0 * 10_f64.ln() / seconds;
        let samples = (0..rate).map(|n| (-k * f64::from(n) / f64::from(rate)).exp() as f32).collect();
        let rir = Rir::new(rate, samples).unwrap();
        let cut = rir.length_to_decay(60.0) as f64 / f64::from(rate);
        assert!((cut - seconds).abs() < 0.001, "{cut}");
    }
}
