//! Scenes: any number of talkers, a loudspeaker and noise in one room, heard by one or more microphones.

use std::ops::Range;

use acoustics::Rir;
use serde::{Deserialize, Serialize};

use crate::{
    device::{Device, DeviceReport, PEAK_LIMIT},
    echo::{Echo, double_talk},
    error::{SceneError, Signal, check_level, check_signal},
    level::{ActiveLevel, active_speech_level, rms_level},
    transfer::Transfer,
};

/// Where reverberation is cut: when this much of a response's energy has decayed.
const TAIL_DECAY_DB: f64 = 60.0;

/// What happens in one room.
///
/// Every signal and response has the scene's sample rate, and every [`Transfer`] leads to the same microphones.
/// All levels are set and measured at the reference microphone, and whatever gain that takes is the same for all
/// microphones.
#[derive(Debug, Clone)]
pub struct Scene<'a> {
    /// Samples per second.
    pub sample_rate: u32,
    /// The microphone at which levels are set, counted from 0.
    pub reference_microphone: usize,
    /// Who speaks; nobody in a scene of noise alone.
    pub speech: Vec<Utterance<'a>>,
    /// Far-end speech from a loudspeaker in the room.
    pub echo: Option<Echo<'a>>,
    /// What disturbs the speech.
    pub background: Option<Background<'a>>,
    /// Active speech level (ITU-T P.56) of all reverberant speech together, in dBov (for instance -26), unless the
    /// peak guard has to lower the whole scene. Without speech it is the level from which ratios count.
    pub target_level_dbov: f64,
    /// Samples in the result; `None`: until the last utterance has decayed by 60 dB.
    pub length: Option<usize>,
    /// What the device makes of the sound.
    pub device: Device,
}

/// One stretch of speech of one talker.
#[derive(Debug, Clone, Copy)]
pub struct Utterance<'a> {
    /// The dry recording.
    pub signal: &'a [f32],
    /// From the talker to the microphones.
    pub transfer: Transfer<'a>,
    /// When it begins, in samples from the beginning of the scene.
    pub start: usize,
    /// Its active level at the reference microphone relative to the other utterances', in decibels.
    pub relative_level_db: f64,
}

/// All noise of a scene and how loud it is together.
#[derive(Debug, Clone)]
pub struct Background<'a> {
    /// At least one source of noise.
    pub sources: Vec<NoiseSource<'a>>,
    /// Signal-to-noise ratio in decibels: active speech level (ITU-T P.56) of all reverberant speech at the
    /// reference microphone minus root-mean-square level of all noise there over the whole scene.
    pub snr_db: f64,
}

/// One source of noise somewhere in the room.
#[derive(Debug, Clone, Copy)]
pub struct NoiseSource<'a> {
    /// The dry noise: at least as long as the scene plus [`Transfer::memory`], because it has been sounding for
    /// long before the scene begins (see [`Scene::noise_length`]).
    pub signal: &'a [f32],
    /// From the noise to the microphones.
    pub transfer: Transfer<'a>,
    /// Root-mean-square level at the reference microphone relative to the other sources, in decibels.
    pub relative_level_db: f64,
}

/// A rendered scene.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// What the device gives out, one channel for each microphone, full scale 1.0.
    pub channels: Vec<Vec<f32>>,
    /// What the loudspeaker was sent, as long as the channels, at an active level of the scene's target or less if
    /// its peaks ask for it; `None` without an echo.
    pub far_end: Option<Vec<f32>>,
    /// Stretches, in samples, in which somebody in the room speaks while the loudspeaker does.
    pub double_talk: Vec<Range<usize>>,
    /// Levels before the stages of the device, and what those did.
    pub measured: Measured,
}

/// Levels of a rendered scene at the reference microphone. All but `peak` and `device` are those of its parts before
/// the device's stages, after every gain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Achieved signal-to-noise ratio in decibels; `None` without speech or noise.
    pub snr_db: Option<f64>,
    /// Achieved signal-to-echo ratio in decibels; `None` without speech or echo.
    pub ser_db: Option<f64>,
    /// Active level of all (reverberant) speech together, in dBov; `None` without speech.
    pub active_speech_level_dbov: Option<f64>,
    /// Share of the scene in which the speech is active, 0 to 1; `None` without speech.
    pub activity_factor: Option<f64>,
    /// Active level of the echo, in dBov; `None` without echo.
    pub echo_level_dbov: Option<f64>,
    /// Root-mean-square level of all noise, in dBov; `None` without noise.
    pub noise_level_dbov: Option<f64>,
    /// For each utterance, the gain from the dry recording through its response into the mixture, in decibels.
    pub gains_db: Vec<f64>,
    /// What the peak guard took away from everything, in decibels: 0 or less.
    pub peak_guard_db: f64,
    /// Largest magnitude of a sample in any channel of the result, at most 0.99.
    pub peak: f32,
    /// What the device's stages did.
    pub device: DeviceReport,
}

impl<'a> Scene<'a> {
    /// One utterance in one room and nothing else.
    pub fn of_utterance(
        sample_rate: u32,
        signal: &'a [f32],
        transfer: Transfer<'a>,
        target_level_dbov: f64,
    ) -> Self {
        Self {
            sample_rate,
            reference_microphone: 0,
            speech: vec![Utterance { signal, transfer, start: 0, relative_level_db: 0.0 }],
            echo: None,
            background: None,
            target_level_dbov,
            length: None,
            device: Device::default(),
        }
    }

    /// Noise alone, over `length` samples, as loud as it would be with speech at the target level.
    pub fn of_silence(
        sample_rate: u32,
        length: usize,
        background: Background<'a>,
        target_level_dbov: f64,
    ) -> Self {
        Self {
            sample_rate,
            reference_microphone: 0,
            speech: Vec::new(),
            echo: None,
            background: Some(background),
            target_level_dbov,
            length: Some(length),
            device: Device::default(),
        }
    }

    /// Samples in the result.
    pub fn span(&self) -> usize {
        let end = |utterance: &Utterance<'_>| {
            let tail = utterance.transfer.tail(TAIL_DECAY_DB);
            utterance.start + utterance.signal.len() + tail
        };
        self.length.unwrap_or_else(|| self.speech.iter().map(end).max().unwrap_or(0))
    }

    /// Samples that a noise source heard through `transfer` must have at least.
    pub fn noise_length(&self, transfer: Transfer<'_>) -> usize {
        self.span() + transfer.memory()
    }

    fn check(&self) -> Result<(), SceneError> {
        check_level("the target level", self.target_level_dbov)?;
        let speech = self.speech.iter().enumerate();
        let speech = speech.map(|(n, utterance)| (Signal::Utterance(n), utterance.transfer));
        let echo = self.echo.iter().map(|echo| (Signal::FarEnd, echo.transfer));
        let noise = self.background.iter().flat_map(|background| background.sources.iter().enumerate());
        let noise = noise.map(|(n, source)| (Signal::Noise(n), source.transfer));
        let all: Vec<_> = speech.chain(echo).chain(noise).collect();
        let Some((_, first)) = all.first() else {
            return Err(if self.background.is_some() { SceneError::NoNoise } else { SceneError::Nothing });
        };
        let (reference, microphones) = (self.reference_microphone, first.microphones());
        if reference >= microphones {
            return Err(SceneError::Reference { reference, microphones });
        }
        for (signal, transfer) in all {
            transfer.check(signal, self.sample_rate, microphones)?;
        }
        if self.length.is_none() && self.speech.is_empty() {
            return Err(SceneError::NoLength);
        }
        Ok(self.device.check(self.sample_rate)?)
    }

    /// Samples at which somebody in the room speaks: one range for each utterance.
    pub(crate) fn utterances(&self) -> impl Iterator<Item = Range<usize>> {
        self.speech.iter().map(|utterance| utterance.start..utterance.start + utterance.signal.len())
    }
}

/// Renders a scene.
///
/// In this order: every utterance is heard at its microphones and set to its relative level; all speech together is
/// set to the target level; echo and noise are set below it by their ratios; all is added; if the mixture would
/// pass 0.99 of full scale, all of it is lowered together, which keeps the ratios; then it goes through the device's
/// stages (see [`Device`]).
///
/// # Errors
/// [`SceneError`] says which signal or setting is unusable and why.
pub fn render(scene: &Scene<'_>) -> Result<Rendered, SceneError> {
    scene.check()?;
    let length = scene.span();
    let speech = hear_speech(scene, length)?;
    let echo = scene.echo.as_ref().map(|echo| echo.hear(scene, length)).transpose()?;
    let noise = match &scene.background {
        None => None,
        Some(background) => {
            check_level("the signal-to-noise ratio", background.snr_db)?;
            let level = scene.target_level_dbov - background.snr_db;
            Some(hear_background(scene, &background.sources, length, level)?)
        }
    };
    let (echo, far_end) = echo.unzip();
    let double_talk = scene.echo.as_ref().map_or_else(Vec::new, |echo| double_talk(scene, echo, length));
    let (channels, measured) = mix(scene, speech, echo, noise)?;
    Ok(Rendered { channels, far_end, double_talk, measured })
}

/// Renders the near track: the dry recording at the target level, without a room.
///
/// # Errors
/// [`SceneError`] for unusable speech or level.
pub fn render_dry(speech: &[f32], sample_rate: u32, target_level_dbov: f64) -> Result<Rendered, SceneError> {
    let signal = Signal::Utterance(0);
    let no_room = Rir::identity(sample_rate).map_err(|_| SceneError::SampleRate {
        signal,
        expected: sample_rate,
        actual: 0,
    })?;
    let no_room = [no_room];
    render(&Scene::of_utterance(sample_rate, speech, Transfer::Still(&no_room), target_level_dbov))
}

/// One part of a mixture: what every microphone hears of it.
pub(crate) struct Part {
    pub(crate) channels: Vec<Vec<f32>>,
    pub(crate) level: PartLevel,
    /// Gains that were applied to what it is made of, in decibels.
    gains_db: Vec<f64>,
}

/// The level of a part at the reference microphone.
#[derive(Clone, Copy)]
pub(crate) enum PartLevel {
    Active(ActiveLevel),
    Rms(f64),
}

impl Part {
    /// Brings what was heard of some speech to an active level.
    pub(crate) fn of_speech(
        signal: Signal,
        scene: &Scene<'_>,
        mut channels: Vec<Vec<f32>>,
        target_dbov: f64,
    ) -> Result<Self, SceneError> {
        let level = active_speech_level(&channels[scene.reference_microphone], scene.sample_rate)
            .ok_or(SceneError::NoActiveSpeech(signal))?;
        let gain_db = target_dbov - level.level_dbov;
        scale(&mut channels, amplitude(gain_db));
        Ok(Self { channels, level: PartLevel::Active(level.amplified(gain_db)), gains_db: vec![gain_db] })
    }

    fn dbov(&self) -> f64 {
        match self.level {
            PartLevel::Active(level) => level.level_dbov,
            PartLevel::Rms(level) => level,
        }
    }
}

/// All speech of a scene at the target level.
fn hear_speech(scene: &Scene<'_>, length: usize) -> Result<Option<Part>, SceneError> {
    let Some(first) = scene.speech.first() else { return Ok(None) };
    if scene.speech.len() == 1 && first.start == 0 {
        let mut channels = hear_utterance(0, first, length)?;
        for channel in &mut channels {
            channel.resize(length, 0.0);
        }
        return Part::of_speech(Signal::Utterance(0), scene, channels, scene.target_level_dbov).map(Some);
    }
    let mut sum = vec![vec![0.0; length]; first.transfer.microphones()];
    let mut gains_db = Vec::new();
    for (index, utterance) in scene.speech.iter().enumerate() {
        let channels = hear_utterance(index, utterance, length)?;
        let level = utterance.relative_level_db;
        let part = Part::of_speech(Signal::Utterance(index), scene, channels, level)?;
        add(&mut sum, &part.channels, utterance.start, 1.0);
        gains_db.extend(part.gains_db);
    }
    let mut all = Part::of_speech(Signal::Utterance(0), scene, sum, scene.target_level_dbov)?;
    let common = all.gains_db[0];
    all.gains_db = gains_db.into_iter().map(|gain| gain + common).collect();
    Ok(Some(all))
}

/// What every microphone hears of an utterance, from its beginning until the last of it has died away or the scene
/// of `length` samples ends.
fn hear_utterance(
    index: usize,
    utterance: &Utterance<'_>,
    length: usize,
) -> Result<Vec<Vec<f32>>, SceneError> {
    let Utterance { signal, transfer, start, relative_level_db } = *utterance;
    check_signal(Signal::Utterance(index), signal)?;
    check_level("the relative level of an utterance", relative_level_db)?;
    let end = (start + signal.len() + transfer.memory()).min(length);
    Ok(transfer.hear(signal, 0, start, end.saturating_sub(start)))
}

/// The noise of a scene: its root-mean-square level at the reference microphone is `level_dbov`, and it is in steady
/// state from the first sample.
fn hear_background(
    scene: &Scene<'_>,
    sources: &[NoiseSource<'_>],
    length: usize,
    level_dbov: f64,
) -> Result<Part, SceneError> {
    check_level("the noise level", level_dbov)?;
    let reference = scene.reference_microphone;
    let mut sum: Vec<Vec<f32>> = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        let signal = Signal::Noise(index);
        check_signal(signal, source.signal)?;
        check_level("the relative level of a noise", source.relative_level_db)?;
        let (memory, actual) = (source.transfer.memory(), source.signal.len());
        if actual < length + memory {
            return Err(SceneError::NoiseTooShort { signal, needed: length + memory, actual });
        }
        let mut heard = source.transfer.hear(&source.signal[..length + memory], memory, 0, length);
        let level = rms_level(&heard[reference]);
        if !level.is_finite() {
            return Err(SceneError::SilentNoise(signal));
        }
        let gain = amplitude(source.relative_level_db - level);
        if index == 0 {
            scale(&mut heard, gain);
            sum = heard;
        } else {
            add(&mut sum, &heard, 0, gain);
        }
    }
    let before = sum.get(reference).map_or(f64::NEG_INFINITY, |channel| rms_level(channel));
    if !before.is_finite() {
        return Err(SceneError::NoNoise);
    }
    scale(&mut sum, amplitude(level_dbov - before));
    let level = PartLevel::Rms(rms_level(&sum[reference]));
    Ok(Part { channels: sum, level, gains_db: Vec::new() })
}

/// Adds the parts, lowers them if they clip together, and sends them through the device.
fn mix(
    scene: &Scene<'_>,
    speech: Option<Part>,
    echo: Option<Part>,
    noise: Option<Part>,
) -> Result<(Vec<Vec<f32>>, Measured), SceneError> {
    let level = |part: &Option<Part>| part.as_ref().map(Part::dbov);
    let (speech_level, echo_level, noise_level) = (level(&speech), level(&echo), level(&noise));
    let activity_factor = speech.as_ref().and_then(|part| match part.level {
        PartLevel::Active(level) => Some(level.activity_factor),
        PartLevel::Rms(_) => None,
    });
    let gains_db = speech.as_ref().map_or_else(Vec::new, |part| part.gains_db.clone());

    let mut parts = [speech, echo, noise].into_iter().flatten();
    let mut channels = parts.next().ok_or(SceneError::Nothing)?.channels;
    for part in parts {
        add(&mut channels, &part.channels, 0, 1.0);
    }
    let guard = (PEAK_LIMIT / peak(&channels)).min(1.0);
    if guard < 1.0 {
        scale(&mut channels, guard);
    }
    let guard_db = 20.0 * f64::from(guard).log10();
    let device = scene.device.apply(&mut channels, scene.sample_rate)?;
    let measured = Measured {
        snr_db: speech_level.zip(noise_level).map(|(speech, noise)| speech - noise),
        ser_db: speech_level.zip(echo_level).map(|(speech, echo)| speech - echo),
        active_speech_level_dbov: speech_level.map(|level| level + guard_db),
        activity_factor,
        echo_level_dbov: echo_level.map(|level| level + guard_db),
        noise_level_dbov: noise_level.map(|level| level + guard_db),
        gains_db: gains_db.into_iter().map(|gain| gain + guard_db).collect(),
        peak_guard_db: guard_db,
        peak: peak(&channels),
        device,
    };
    Ok((channels, measured))
}

/// Adds channels to others, beginning at `start`.
pub(crate) fn add(sum: &mut [Vec<f32>], channels: &[Vec<f32>], start: usize, gain: f32) {
    for (total, channel) in sum.iter_mut().zip(channels) {
        for (total, sample) in total.iter_mut().skip(start).zip(channel) {
            *total += gain * sample;
        }
    }
}

pub(crate) fn peak(channels: &[Vec<f32>]) -> f32 {
    channels.iter().flatten().fold(0.0_f32, |peak, s| peak.max(s.abs()))
}

pub(crate) fn amplitude(decibels: f64) -> f32 {
    10_f64.powf(decibels / 20.0) as f32
}

pub(crate) fn scale(channels: &mut [Vec<f32>], gain: f32) {
    channels.iter_mut().flatten().for_each(|sample| *sample *= gain);
}

#[cfg(test)]
mod tests;
