//! A loudspeaker in the room plays what somebody at the far end of a call says.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::{
    device::PEAK_LIMIT,
    error::{SceneError, Signal, check_level, check_signal},
    level::active_speech_level,
    render::{Part, Scene, amplitude, peak, scale},
    transfer::Transfer,
};

/// Far-end speech and the loudspeaker that plays it.
#[derive(Debug, Clone, Copy)]
pub struct Echo<'a> {
    /// What is said at the far end.
    pub far_end: &'a [f32],
    /// When it begins to be played, in samples from the beginning of the scene.
    pub start: usize,
    /// From the loudspeaker to the microphones.
    pub transfer: Transfer<'a>,
    /// What the loudspeaker makes of it.
    pub loudspeaker: Loudspeaker,
    /// Signal-to-echo ratio in decibels: active speech level (ITU-T P.56) of all speech in the room at the
    /// reference microphone minus that of the echo there. Without speech in the room it counts from the
    /// scene's target level.
    pub ser_db: f64,
}

/// What a loudspeaker makes of a signal, apart from its place in the room.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loudspeaker {
    /// What it is sent.
    #[default]
    Linear,
    /// A membrane that resists: y = tanh(d x) / d with x at a peak of 1. A memoryless model.
    Saturating {
        /// d in decibels, -40 to 40: 0 dB gives a full-scale tone about 6 % of third harmonic.
        drive_db: f64,
    },
}

impl Loudspeaker {
    fn play(self, signal: &[f32]) -> Result<Vec<f32>, SceneError> {
        let Self::Saturating { drive_db } = self else { return Ok(signal.to_vec()) };
        if !(-40.0..=40.0).contains(&drive_db) {
            return Err(SceneError::Level { what: "the drive of the loudspeaker", value: drive_db });
        }
        let loudest = signal.iter().fold(0.0_f32, |loudest, s| loudest.max(s.abs()));
        let drive = amplitude(drive_db) / loudest.max(f32::MIN_POSITIVE);
        Ok(signal.iter().map(|s| (drive * s).tanh() / drive).collect())
    }
}

impl Echo<'_> {
    /// The echo at its level, and what the loudspeaker was sent.
    pub(crate) fn hear(&self, scene: &Scene<'_>, length: usize) -> Result<(Part, Vec<f32>), SceneError> {
        check_signal(Signal::FarEnd, self.far_end)?;
        check_level("the signal-to-echo ratio", self.ser_db)?;
        let played = self.loudspeaker.play(self.far_end)?;
        let mut padded = vec![0.0; length.min(self.start)];
        padded.extend(played.iter().take(length.saturating_sub(self.start)));
        padded.resize(length, 0.0);
        let heard = self.transfer.hear(&padded, 0, 0, length);
        let level = scene.target_level_dbov - self.ser_db;
        let part = Part::of_speech(Signal::FarEnd, scene, heard, level)?;
        Ok((part, self.reference(scene, length)?))
    }

    /// What the loudspeaker was sent, at the scene's level.
    fn reference(&self, scene: &Scene<'_>, length: usize) -> Result<Vec<f32>, SceneError> {
        let level = active_speech_level(self.far_end, scene.sample_rate)
            .ok_or(SceneError::NoActiveSpeech(Signal::FarEnd))?;
        let mut reference = vec![0.0; length];
        for (to, from) in reference.iter_mut().skip(self.start).zip(self.far_end) {
            *to = *from;
        }
        let mut reference = [reference];
        let gain = amplitude(scene.target_level_dbov - level.level_dbov);
        let loudest = peak(&reference).max(f32::MIN_POSITIVE);
        scale(&mut reference, gain.min(PEAK_LIMIT / loudest));
        let [reference] = reference;
        Ok(reference)
    }
}

/// Where the time in which the loudspeaker plays meets that in which somebody in the room speaks, as ranges that do
/// not touch, in order.
pub(crate) fn double_talk(scene: &Scene<'_>, echo: &Echo<'_>, length: usize) -> Vec<Range<usize>> {
    let end = (echo.start + echo.far_end.len()).min(length);
    let mut both: Vec<Range<usize>> = scene
        .utterances()
        .map(|utterance| utterance.start.max(echo.start)..utterance.end.min(end))
        .filter(|range| !range.is_empty())
        .collect();
    both.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::new();
    for range in both {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}
