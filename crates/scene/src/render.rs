//! One utterance, heard in one room at one microphone, with noise at a stated ratio.

use acoustics::Rir;
use serde::{Deserialize, Serialize};

use crate::{
    convolve::convolve_range,
    level::{ActiveLevel, active_speech_level, rms_level},
};

/// The loudest sample a rendered signal may have: a little below full scale, so that dither cannot clip.
const PEAK_LIMIT: f32 = 0.99;
/// Where the speech's reverberation is cut: when this much of the response's energy has decayed.
const TAIL_DECAY_DB: f64 = 60.0;
/// Levels and ratios beyond this are mistakes, and single precision would not hold what they ask for.
const LEVEL_LIMIT_DB: f64 = 150.0;

/// One utterance in one room.
///
/// Every signal and response has the scene's sample rate.
#[derive(Debug, Clone)]
pub struct Scene<'a> {
    /// Samples per second.
    pub sample_rate: u32,
    /// The dry recording.
    pub speech: &'a [f32],
    /// From the talker to the microphone; [`Rir::identity`] for speech without a room.
    pub speech_response: &'a Rir,
    /// What disturbs the speech; `None` for reverberation only.
    pub background: Option<Background<'a>>,
    /// Active speech level of the reverberant speech in the result, in dBov (for instance -26), unless
    /// the peak guard has to lower the whole scene.
    pub target_level_dbov: f64,
}

/// All noise of a scene and how loud it is together.
#[derive(Debug, Clone)]
pub struct Background<'a> {
    /// At least one source of noise.
    pub sources: Vec<NoiseSource<'a>>,
    /// Signal-to-noise ratio in decibels: active speech level (ITU-T P.56) of the reverberant speech at
    /// the microphone minus root-mean-square level of all noise there over the same span.
    pub snr_db: f64,
}

/// One source of noise somewhere in the room.
#[derive(Debug, Clone)]
pub struct NoiseSource<'a> {
    /// The dry noise: at least as long as the result plus its response minus one sample, because it has
    /// been sounding for long before the result begins (see [`Scene::noise_length`]).
    pub signal: &'a [f32],
    /// From the noise to the microphone.
    pub response: &'a Rir,
    /// Root-mean-square level at the microphone over the span, relative to the other sources, in decibels.
    pub relative_level_db: f64,
}

/// A rendered scene.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// What the microphone hears, full scale 1.0.
    pub samples: Vec<f32>,
    /// Levels measured on the result before quantisation.
    pub measured: Measured,
}

/// Levels of a rendered scene, measured on its parts after every gain was applied.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Achieved signal-to-noise ratio in decibels; `None` without noise.
    pub snr_db: Option<f64>,
    /// Active speech level of the (reverberant) speech, in dBov.
    pub active_speech_level_dbov: f64,
    /// Share of the span in which the speech is active, 0 to 1.
    pub activity_factor: f64,
    /// Root-mean-square level of all noise, in dBov; `None` without noise.
    pub noise_level_dbov: Option<f64>,
    /// Gain from the dry recording through its response into the result, in decibels.
    pub gain_db: f64,
    /// Largest magnitude of a sample, at most 0.99.
    pub peak: f32,
}

/// Which signal of a scene an error speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The speech.
    Speech,
    /// The noise source with this index.
    Noise(usize),
}

impl std::fmt::Display for Signal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Speech => f.write_str("the speech"),
            Self::Noise(index) => write!(f, "noise source {index}"),
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
    /// No level can be stated for the speech.
    #[error("the speech is silent (or a mere click), so it has no active level to set")]
    NoActiveSpeech,
    /// A noise that is silent during the scene.
    #[error("{0} is silent at the microphone for the whole scene, so it has no level to set")]
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
    /// A level or ratio that is no number or out of all proportion.
    #[error("{what} is {value} dB; it must lie between -{LEVEL_LIMIT_DB} and {LEVEL_LIMIT_DB} dB")]
    Level {
        /// Which setting.
        what: &'static str,
        /// What it holds.
        value: f64,
    },
}

impl Scene<'_> {
    /// Samples in the result: the speech and its reverberation, cut when 60 dB of the response's energy
    /// has decayed.
    pub fn span(&self) -> usize {
        span(self.speech, self.speech_response)
    }

    /// Samples that a noise source heard through `response` must have at least.
    pub fn noise_length(&self, response: &Rir) -> usize {
        self.span() + response.samples().len() - 1
    }
}

/// Renders a scene. The achieved ratio is the requested one; if the mixture would pass full scale, all of
/// it is lowered together.
///
/// # Errors
/// [`SceneError`] says which signal or setting is unusable and why.
pub fn render(scene: &Scene<'_>) -> Result<Rendered, SceneError> {
    check_signal(Signal::Speech, scene.speech)?;
    check_rate(Signal::Speech, scene.sample_rate, scene.speech_response)?;
    let mut speech = convolve_range(scene.speech, scene.speech_response.samples(), 0, scene.span());
    let gain_db = set_active_level(&mut speech, scene.sample_rate, scene.target_level_dbov)?;
    let noise = match &scene.background {
        None => None,
        Some(background) => {
            check_level("the signal-to-noise ratio", background.snr_db)?;
            let level = scene.target_level_dbov - background.snr_db;
            Some(render_background(&background.sources, scene.sample_rate, speech.len(), level)?)
        }
    };
    mix(speech, noise.as_deref(), scene.sample_rate, gain_db)
}

/// Renders the near track: the dry recording at the target level, without a room.
///
/// # Errors
/// [`SceneError`] for unusable speech or level.
pub fn render_dry(speech: &[f32], sample_rate: u32, target_level_dbov: f64) -> Result<Rendered, SceneError> {
    check_signal(Signal::Speech, speech)?;
    let mut speech = speech.to_vec();
    let gain_db = set_active_level(&mut speech, sample_rate, target_level_dbov)?;
    mix(speech, None, sample_rate, gain_db)
}

/// The noise of a scene alone: `length` samples whose root-mean-square level is `level_dbov`, in steady
/// state from the first one. No peak guard: the level is kept.
///
/// # Errors
/// [`SceneError`] when there is no source, or one is unusable.
pub fn render_background(
    sources: &[NoiseSource<'_>],
    sample_rate: u32,
    length: usize,
    level_dbov: f64,
) -> Result<Vec<f32>, SceneError> {
    check_level("the noise level", level_dbov)?;
    if sources.is_empty() {
        return Err(SceneError::NoNoise);
    }
    let mut sum = vec![0.0; length];
    for (index, source) in sources.iter().enumerate() {
        let heard = hear_noise(Signal::Noise(index), source, sample_rate, length)?;
        let gain = amplitude(source.relative_level_db - rms_level(&heard));
        for (total, sample) in sum.iter_mut().zip(heard) {
            *total += gain * sample;
        }
    }
    let before = rms_level(&sum);
    if !before.is_finite() {
        return Err(SceneError::NoNoise);
    }
    scale(&mut sum, amplitude(level_dbov - before));
    Ok(sum)
}

/// One noise at the microphone, at its own level, past the part where its response still fills.
fn hear_noise(
    signal: Signal,
    source: &NoiseSource<'_>,
    sample_rate: u32,
    length: usize,
) -> Result<Vec<f32>, SceneError> {
    check_signal(signal, source.signal)?;
    check_rate(signal, sample_rate, source.response)?;
    check_level("the relative level of a noise", source.relative_level_db)?;
    let response = source.response.samples();
    let needed = length + response.len() - 1;
    let actual = source.signal.len();
    if actual < needed {
        return Err(SceneError::NoiseTooShort { signal, needed, actual });
    }
    let heard = convolve_range(source.signal, response, response.len() - 1, length);
    if rms_level(&heard).is_finite() { Ok(heard) } else { Err(SceneError::SilentNoise(signal)) }
}

/// Adds speech and noise, lowers both if they clip together, and measures what came out.
fn mix(
    mut speech: Vec<f32>,
    noise: Option<&[f32]>,
    sample_rate: u32,
    speech_gain_db: f64,
) -> Result<Rendered, SceneError> {
    let ActiveLevel { level_dbov, activity_factor } =
        active_speech_level(&speech, sample_rate).ok_or(SceneError::NoActiveSpeech)?;
    let noise_level = noise.map(rms_level);
    for (sample, disturbance) in speech.iter_mut().zip(noise.unwrap_or_default()) {
        *sample += disturbance;
    }
    let peak = speech.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
    let guard = (PEAK_LIMIT / peak).min(1.0);
    scale(&mut speech, guard);
    let guard_db = 20.0 * f64::from(guard).log10();
    let measured = Measured {
        snr_db: noise_level.map(|noise| level_dbov - noise),
        active_speech_level_dbov: level_dbov + guard_db,
        activity_factor,
        noise_level_dbov: noise_level.map(|noise| noise + guard_db),
        gain_db: speech_gain_db + guard_db,
        peak: peak * guard,
    };
    Ok(Rendered { samples: speech, measured })
}

/// Brings speech to an active level and returns the gain this took, in decibels.
fn set_active_level(speech: &mut [f32], sample_rate: u32, target_dbov: f64) -> Result<f64, SceneError> {
    check_level("the target level", target_dbov)?;
    let before = active_speech_level(speech, sample_rate).ok_or(SceneError::NoActiveSpeech)?;
    let gain_db = target_dbov - before.level_dbov;
    scale(speech, amplitude(gain_db));
    Ok(gain_db)
}

fn span(speech: &[f32], response: &Rir) -> usize {
    (speech.len() + response.length_to_decay(TAIL_DECAY_DB)).saturating_sub(1)
}

fn amplitude(decibels: f64) -> f32 {
    10_f64.powf(decibels / 20.0) as f32
}

fn scale(samples: &mut [f32], gain: f32) {
    for sample in samples {
        *sample *= gain;
    }
}

fn check_signal(signal: Signal, samples: &[f32]) -> Result<(), SceneError> {
    if samples.is_empty() {
        return Err(SceneError::Empty(signal));
    }
    match samples.iter().position(|s| !s.is_finite()) {
        Some(index) => Err(SceneError::NotFinite { signal, index }),
        None => Ok(()),
    }
}

fn check_rate(signal: Signal, expected: u32, response: &Rir) -> Result<(), SceneError> {
    let actual = response.sample_rate();
    if actual == expected { Ok(()) } else { Err(SceneError::SampleRate { signal, expected, actual }) }
}

fn check_level(what: &'static str, value: f64) -> Result<(), SceneError> {
    if value.abs() <= LEVEL_LIMIT_DB { Ok(()) } else { Err(SceneError::Level { what, value }) }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use proptest::prelude::*;

    use super::*;
    use crate::noise;

    const RATE: u32 = 16_000;

    /// Bursts of a vowel-like tone with pauses: something with an active level.
    fn speech(seconds: f64) -> Vec<f32> {
        (0..(seconds * f64::from(RATE)) as u32)
            .map(|n| f64::from(n) / f64::from(RATE))
            .map(|t| {
                let syllable = (TAU * 2.0 * t).sin().max(0.0);
                (syllable * ((TAU * 140.0 * t).sin() + 0.5 * (TAU * 1_120.0 * t).sin())) as f32
            })
            .collect()
    }

    /// A decaying response with some structure and a reverberation time of about `t60` seconds.
    fn response(t60: f64) -> Rir {
        let samples = (0..(t60 * 1.2 * f64::from(RATE)) as u32)
            .map(|n| {
                let sign = if n.wrapping_mul(2_654_435_761) & 0x4000 == 0 { 1.0 } else { -1.0 };
                sign * 0.1 * (-6.91 / t60 * f64::from(n) / f64::from(RATE)).exp() as f32
            })
            .collect();
        Rir::new(RATE, samples).unwrap()
    }

    fn reverberant<'a>(speech: &'a [f32], response: &'a Rir) -> Scene<'a> {
        Scene {
            sample_rate: RATE,
            speech,
            speech_response: response,
            background: None,
            target_level_dbov: -26.0,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn the_speech_stands_above_the_noise_by_the_requested_ratio(
            snr_db in -10.0_f64..30.0,
            second_db in -12.0_f64..12.0,
            seed in any::<u64>(),
        ) {
            let (dry, talker, fan) = (speech(2.5), response(0.5), response(0.3));
            let mut scene = reverberant(&dry, &talker);
            let length = scene.noise_length(&fan).max(scene.noise_length(&talker));
            let air = noise::ventilation(RATE, length, seed);
            let cough = noise::coughs(RATE, length, seed);
            let sources = vec![
                NoiseSource { signal: &air, response: &fan, relative_level_db: 0.0 },
                NoiseSource { signal: &cough, response: &talker, relative_level_db: second_db },
            ];
            scene.background = Some(Background { sources, snr_db });
            let noisy = render(&scene).unwrap();
            scene.background = None;
            let clean = render(&scene).unwrap();
            prop_assert_eq!(noisy.samples.len(), scene.span());

            // Measured from outside: what is left when the clean rendering, at the same gain, is taken away.
            let gain = amplitude(noisy.measured.gain_db - clean.measured.gain_db);
            let speech: Vec<f32> = clean.samples.iter().map(|s| s * gain).collect();
            let rest: Vec<f32> = noisy.samples.iter().zip(&speech).map(|(a, b)| a - b).collect();
            let active = active_speech_level(&speech, RATE).unwrap();
            let outside = active.level_dbov - rms_level(&rest);
            prop_assert!((outside - snr_db).abs() < 0.01, "{} for {}", outside, snr_db);
            prop_assert!((noisy.measured.snr_db.unwrap() - snr_db).abs() < 0.01);
            prop_assert!((noisy.measured.active_speech_level_dbov - active.level_dbov).abs() < 0.01);
            prop_assert!((noisy.measured.noise_level_dbov.unwrap() - rms_level(&rest)).abs() < 0.01);
        }
    }

    #[test]
    fn without_noise_the_speech_has_the_target_level() {
        let (dry, room) = (speech(3.0), response(0.4));
        let rendered = render(&reverberant(&dry, &room)).unwrap();
        let level = active_speech_level(&rendered.samples, RATE).unwrap();
        assert!((level.level_dbov + 26.0).abs() < 1e-3, "{level:?}");
        assert_eq!(rendered.measured.snr_db, None);
        assert!((rendered.measured.activity_factor - level.activity_factor).abs() < 1e-6);
    }

    #[test]
    fn the_near_track_is_the_recording_itself_at_another_level() {
        let dry = speech(2.0);
        let rendered = render_dry(&dry, RATE, -26.0).unwrap();
        let gain = amplitude(rendered.measured.gain_db);
        assert_eq!(rendered.samples.len(), dry.len());
        for (out, s) in rendered.samples.iter().zip(&dry) {
            assert!((out - gain * s).abs() < 1e-6);
        }
    }

    #[test]
    fn a_mixture_beyond_full_scale_is_lowered_as_a_whole() {
        let (dry, room) = (speech(2.0), response(0.3));
        let mut scene = reverberant(&dry, &room);
        let air = noise::ventilation(RATE, scene.noise_length(&room), 3);
        let source = NoiseSource { signal: &air, response: &room, relative_level_db: 0.0 };
        scene.background = Some(Background { sources: vec![source], snr_db: 0.0 });
        scene.target_level_dbov = -3.0;
        let rendered = render(&scene).unwrap();
        let loudest = rendered.samples.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
        assert!(
            (loudest - 0.99).abs() < 1e-4 && (rendered.measured.peak - loudest).abs() < 1e-6,
            "{loudest}"
        );
        assert!(rendered.measured.active_speech_level_dbov < -3.5);
        assert!(rendered.measured.snr_db.unwrap().abs() < 0.01);
    }

    #[test]
    fn noise_is_in_steady_state_from_the_first_sample() {
        // A constant through a response is the response's sum, everywhere, unless the pre-roll is missing.
        let room = response(0.3);
        let constant = vec![1.0; 4_000 + room.samples().len() - 1];
        let source = NoiseSource { signal: &constant, response: &room, relative_level_db: 0.0 };
        let noise = render_background(&[source], RATE, 4_000, -20.0).unwrap();
        assert!(noise.iter().all(|s| (s - noise[0]).abs() < 1e-4), "{:?}", &noise[..4]);
        assert!((rms_level(&noise) + 20.0).abs() < 1e-3);
    }

    #[test]
    fn sources_keep_their_relative_levels() {
        // Two tones, told apart by correlating with them.
        let identity = Rir::identity(RATE).unwrap();
        let tone = |hz: f64| -> Vec<f32> {
            (0..16_000).map(|n| (TAU * hz * f64::from(n) / f64::from(RATE)).sin() as f32).collect()
        };
        let (low, high) = (tone(500.0), tone(3_000.0));
        let sources = [
            NoiseSource { signal: &low, response: &identity, relative_level_db: 0.0 },
            NoiseSource { signal: &high, response: &identity, relative_level_db: -9.0 },
        ];
        let noise = render_background(&sources, RATE, 16_000, -30.0).unwrap();
        let part = |tone: &[f32]| noise.iter().zip(tone).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        let ratio_db = 20.0 * (part(&high) / part(&low)).log10();
        assert!((ratio_db + 9.0).abs() < 0.01, "{ratio_db}");
    }

    #[test]
    fn rendering_twice_gives_the_same_bits() {
        let (dry, room) = (speech(1.5), response(0.4));
        let once = render(&reverberant(&dry, &room)).unwrap();
        assert_eq!(once, render(&reverberant(&dry, &room)).unwrap());
    }

    #[test]
    fn bad_scenes_are_refused_with_a_reason() {
        let (dry, room) = (speech(1.0), response(0.2));
        let refusal = |scene: &Scene<'_>| render(scene).unwrap_err().to_string();
        let silent = vec![0.0; 9_000];
        let broken = [vec![0.1; 5], vec![f32::NAN]].concat();
        let other = Rir::identity(8_000).unwrap();
        assert_eq!(refusal(&reverberant(&[], &room)), "the speech has no samples");
        assert!(refusal(&reverberant(&silent, &room)).starts_with("the speech is silent"));
        assert!(refusal(&reverberant(&broken, &room)).starts_with("sample 5 of the speech is not finite"));
        assert_eq!(
            refusal(&reverberant(&dry, &other)),
            "the response of the speech has 8000 samples per second, the scene 16000; resample it first"
        );
        let loud = Scene { target_level_dbov: f64::NAN, ..reverberant(&dry, &room) };
        assert_eq!(refusal(&loud), "the target level is NaN dB; it must lie between -150 and 150 dB");

        let with = |signal, snr_db| Scene {
            background: Some(Background {
                sources: vec![NoiseSource { signal, response: &room, relative_level_db: 0.0 }],
                snr_db,
            }),
            ..reverberant(&dry, &room)
        };
        let long_silence = vec![0.0; 40_000];
        assert_eq!(
            render(&with(&silent, 10.0)).unwrap_err(),
            SceneError::NoiseTooShort {
                signal: Signal::Noise(0),
                needed: reverberant(&dry, &room).noise_length(&room),
                actual: 9_000
            }
        );
        assert_eq!(
            render(&with(&long_silence, 10.0)).unwrap_err(),
            SceneError::SilentNoise(Signal::Noise(0))
        );
        let nothing = Scene {
            background: Some(Background { sources: vec![], snr_db: 0.0 }),
            ..reverberant(&dry, &room)
        };
        assert_eq!(render(&nothing).unwrap_err(), SceneError::NoNoise);
    }
}
