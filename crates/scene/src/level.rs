//! Levels of speech and noise in dBov (0 dBov: root mean square 1.0).

/// Time constant of each of the two envelope smoothers, in seconds (ITU-T P.56, 6.2).
const TIME_CONSTANT: f64 = 0.03;
/// Speech counts as active for this long after its envelope was last above the threshold, in seconds.
const HANGOVER: f64 = 0.2;
/// The threshold lies this far below the active level it gives, in decibels.
const MARGIN_DB: f64 = 15.9;
/// Thresholds per octave of envelope. P.56 asks for at least one; more leave less to interpolation.
const STEPS_PER_OCTAVE: f64 = 4.0;
/// Thresholds on either side of the long-term level: 20 octaves down, 6 up.
const LOWEST_OCTAVE: f64 = -20.0;
const STEPS: usize = 26 * STEPS_PER_OCTAVE as usize;

/// The level of speech while somebody speaks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ActiveLevel {
    /// Active speech level, in dBov.
    pub level_dbov: f64,
    /// Share of the time that counts as speech, 0 to 1.
    pub activity_factor: f64,
}

impl ActiveLevel {
    /// The level of the same signal after a gain: [`active_speech_level`] of it, without looking at it again.
    #[must_use]
    pub fn amplified(self, gain_db: f64) -> Self {
        Self { level_dbov: self.level_dbov + gain_db, ..self }
    }
}

/// Active speech level by method B of ITU-T P.56 (12/2011): the power of the whole signal shared among
/// the moments whose envelope lies above a threshold 15.9 dB below that very level.
///
/// The thresholds form a geometric series around the signal's own long-term level, in steps of 1.5 dB
/// (the standard allows up to 6 dB, anchored at full scale), and the crossing is interpolated linearly
/// in decibels. Anchored so, a gain of g dB moves the result by exactly g dB.
/// `None` when the signal is silent or so short or sparse that no threshold satisfies the margin.
///
/// `samples` must be finite; the standard is meant for signals of a second or more.
pub fn active_speech_level(samples: &[f32], sample_rate: u32) -> Option<ActiveLevel> {
    let energy = energy(samples);
    if energy <= 0.0 {
        return None;
    }
    let long_term = (energy / samples.len() as f64).sqrt();
    let active = active_counts(samples, sample_rate, long_term);

    let threshold_db = |step: usize| decibels(long_term) + threshold_octave(step) * decibels(2.0);
    let level_db = |count: f64| 10.0 * (energy / count).log10();
    let mut below: Option<(f64, f64)> = None;
    for (step, &count) in active.iter().enumerate() {
        if count == 0 {
            return None;
        }
        let level = level_db(count as f64);
        let excess = level - threshold_db(step) - MARGIN_DB;
        if excess <= 0.0 {
            // Below the lowest threshold everything is active, so a crossing at step 0 cannot occur.
            let (lower_level, lower_excess) = below?;
            let share = lower_excess / (lower_excess - excess);
            let level_dbov = lower_level + share * (level - lower_level);
            let activity_factor = 10_f64.powf((decibels(long_term) - level_dbov) / 10.0);
            return Some(ActiveLevel { level_dbov, activity_factor });
        }
        below = Some((level, excess));
    }
    None
}

/// Root-mean-square level in dBov; minus infinity for silence or no samples.
pub fn rms_level(samples: &[f32]) -> f64 {
    10.0 * (energy(samples) / samples.len().max(1) as f64).log10()
}

fn energy(samples: &[f32]) -> f64 {
    // Eight sums side by side: one alone would wait for each addition before the next.
    let mut sums = [0.0; 8];
    for chunk in samples.chunks(8) {
        for (sum, &sample) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(sample) * f64::from(sample);
        }
    }
    sums.iter().sum()
}

fn decibels(amplitude: f64) -> f64 {
    20.0 * amplitude.log10()
}

fn threshold_octave(step: usize) -> f64 {
    LOWEST_OCTAVE + step as f64 / STEPS_PER_OCTAVE
}

/// For each threshold, how many samples are active: those at which the envelope reaches it, and those within
/// the hangover after.
fn active_counts(samples: &[f32], sample_rate: u32, long_term: f64) -> [usize; STEPS] {
    let rate = f64::from(sample_rate);
    let mut activity =
        Activity::new(|step| long_term * threshold_octave(step).exp2(), (rate * HANGOVER).ceil() as usize);
    let mut envelope = Envelope::new((-1.0 / (rate * TIME_CONSTANT)).exp());
    let (blocks, rest) = samples.as_chunks();
    for block in blocks {
        activity.push(&envelope.advance(block));
    }
    let mut last = [0.0; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    activity.push(&envelope.advance(&last)[..rest.len()]);
    activity.finish()
}

/// Samples that the envelope advances in one go.
const BLOCK: usize = 4;

/// The two smoothers of P.56 in a row: rectified samples in, envelope out.
///
/// A smoother's values in a block are its state before, faded, plus what the block alone makes. The second part
/// needs no state, so that a block waits for the one before it only once, not with every sample.
struct Envelope {
    /// The share each smoother keeps for 1, 2, 3 and 4 samples.
    keep: [f64; BLOCK],
    first: f64,
    second: f64,
}

impl Envelope {
    fn new(keep: f64) -> Self {
        Self { keep: [1, 2, 3, 4].map(|samples| keep.powi(samples)), first: 0.0, second: 0.0 }
    }

    fn advance(&mut self, samples: &[f32; BLOCK]) -> [f64; BLOCK] {
        let first = self.smooth(self.first, samples.map(|sample| f64::from(sample.abs())));
        let second = self.smooth(self.second, first);
        [self.first, self.second] = [first[BLOCK - 1], second[BLOCK - 1]];
        second
    }

    fn smooth(&self, state: f64, input: [f64; BLOCK]) -> [f64; BLOCK] {
        let [keep, keep_2, ..] = self.keep;
        let [a, b, c, d] = input.map(|value| (1.0 - keep) * value);
        let ab = keep * a + b;
        let alone = [a, ab, keep * ab + c, keep_2 * ab + (keep * c + d)];
        std::array::from_fn(|n| self.keep[n] * state + alone[n])
    }
}

/// Counts active samples for every threshold at once. Only a crossing changes anything, and the envelope
/// crosses seldom.
struct Activity {
    thresholds: [f64; STEPS],
    hangover: usize,
    /// Samples seen so far.
    count: usize,
    /// How many thresholds the envelope reaches.
    reached: usize,
    /// For each threshold, the sample at which its activity ends, if the envelope does not reach it again.
    ends: [usize; STEPS],
    inactive: [usize; STEPS],
}

impl Activity {
    fn new(threshold: impl Fn(usize) -> f64, hangover: usize) -> Self {
        let thresholds = std::array::from_fn(threshold);
        Self { thresholds, hangover, count: 0, reached: 0, ends: [0; STEPS], inactive: [0; STEPS] }
    }

    fn push(&mut self, envelope: &[f64]) {
        let low = self.reached.checked_sub(1).map_or(f64::NEG_INFINITY, |step| self.thresholds[step]);
        let high = self.thresholds.get(self.reached).copied().unwrap_or(f64::INFINITY);
        if envelope.iter().any(|&value| value < low || value >= high) {
            for (at, &value) in (self.count..).zip(envelope) {
                self.follow(at, value);
            }
        }
        self.count += envelope.len();
    }

    fn follow(&mut self, at: usize, value: f64) {
        while self.reached < STEPS && value >= self.thresholds[self.reached] {
            self.inactive[self.reached] += at.saturating_sub(self.ends[self.reached]);
            self.reached += 1;
        }
        while self.reached > 0 && value < self.thresholds[self.reached - 1] {
            self.reached -= 1;
            self.ends[self.reached] = at + self.hangover;
        }
    }

    fn finish(mut self) -> [usize; STEPS] {
        for (inactive, end) in self.inactive.iter_mut().zip(self.ends).skip(self.reached) {
            *inactive += self.count.saturating_sub(end);
        }
        self.inactive.map(|inactive| self.count - inactive)
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use proptest::prelude::*;

    use super::*;

    const RATE: u32 = 16_000;

    /// A sine of amplitude 0.5 that is on for the first `on` of every second.
    fn gated_sine(seconds: u32, on: f64) -> Vec<f32> {
        (0..seconds * RATE)
            .map(|n| f64::from(n) / f64::from(RATE))
            .map(|t| if t.fract() < on { (0.5 * (TAU * 440.0 * t).sin()) as f32 } else { 0.0 })
            .collect()
    }

    /// Solves (1 + x) exp(-x) = y: the step response of the two smoothers in time constants.
    fn two_pole_fall(y: f64) -> f64 {
        let (mut low, mut high) = (0.0, 50.0);
        for _ in 0..80 {
            let x: f64 = f64::midpoint(low, high);
            if (1.0 + x) * (-x).exp() > y { low = x } else { high = x }
        }
        low
    }

    #[test]
    fn a_gated_sine_is_active_as_long_as_the_step_response_and_the_hangover_say() {
        // Within a burst the rectified sine's mean is 2/pi of its amplitude. The envelope passes the
        // threshold late by the rise, stays by the fall and the hangover. Solved to a fixed point.
        let on = 0.5;
        let power: f64 = 0.125 * on;
        let mut activity = on;
        for _ in 0..50 {
            let threshold = (power / activity).sqrt() * 10_f64.powf(-MARGIN_DB / 20.0);
            let share = threshold / (0.5 * 2.0 / std::f64::consts::PI);
            let late = TIME_CONSTANT * (two_pole_fall(share) - two_pole_fall(1.0 - share));
            activity = on + late + HANGOVER;
        }
        let measured = active_speech_level(&gated_sine(60, on), RATE).unwrap();
        assert!((measured.activity_factor - activity).abs() < 0.003, "{measured:?} against {activity}");
        let level = 10.0 * (power / activity).log10();
        assert!((measured.level_dbov - level).abs() < 0.03, "{measured:?} against {level}");
    }

    #[test]
    fn steady_sound_is_active_throughout_and_has_its_rms_level() {
        let sine = gated_sine(20, 1.0);
        let measured = active_speech_level(&sine, RATE).unwrap();
        // Amplitude 0.5: 10 lg 0.125 = -9.03 dBov. Only the first rise of the envelope is missed.
        assert!((measured.level_dbov + 9.031).abs() < 0.01, "{measured:?}");
        assert!(measured.activity_factor > 0.998 && measured.activity_factor <= 1.0, "{measured:?}");
        assert!((rms_level(&sine) + 9.031).abs() < 0.001);
    }

    #[test]
    fn pauses_do_not_lower_the_active_level_as_they_lower_the_rms_level() {
        let speech = gated_sine(10, 0.9);
        let padded = [speech.clone(), vec![0.0; speech.len()]].concat();
        let (a, b) =
            (active_speech_level(&speech, RATE).unwrap(), active_speech_level(&padded, RATE).unwrap());
        assert!((a.level_dbov - b.level_dbov).abs() < 0.1, "{a:?} {b:?}");
        assert!((rms_level(&speech) - rms_level(&padded) - 3.0103).abs() < 0.001);
    }

    #[test]
    fn silence_has_no_active_level() {
        assert_eq!(active_speech_level(&vec![0.0; 16_000], RATE), None);
        assert_eq!(active_speech_level(&[], RATE), None);
        assert!(rms_level(&[0.0; 4]) < f64::MIN);
    }

    proptest! {
        #[test]
        fn a_sample_is_active_when_the_envelope_reached_the_threshold_within_the_hangover_before(
            values in prop::collection::vec(0.0_f64..30.0, 1..60),
            hangover in 0_usize..12,
        ) {
            let threshold = |step: usize| 1.0 + 0.3 * step as f64;
            let mut activity = Activity::new(threshold, hangover);
            values.chunks(BLOCK).for_each(|block| activity.push(block));
            for (count, threshold) in activity.finish().into_iter().zip((0..).map(threshold)) {
                let active = (0..values.len())
                    .filter(|&n| values[n.saturating_sub(hangover)..=n].iter().any(|&v| v >= threshold));
                prop_assert_eq!(count, active.count());
            }
        }

        #[test]
        fn the_envelope_is_that_of_two_smoothers_sample_by_sample(
            samples in prop::collection::vec(-1.0_f32..1.0, 4..80),
        ) {
            let keep = 0.99;
            let (mut first, mut second) = (0.0, 0.0);
            let mut envelope = Envelope::new(keep);
            for block in samples.as_chunks().0 {
                for (&sample, value) in block.iter().zip(envelope.advance(block)) {
                    first = keep * first + (1.0 - keep) * f64::from(sample).abs();
                    second = keep * second + (1.0 - keep) * first;
                    prop_assert!((second - value).abs() < 1e-14);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_gain_moves_the_level_by_just_that_gain(gain_db in -60.0_f64..30.0, on in 0.05_f64..1.0) {
            let signal = gated_sine(3, on);
            let gain = 10_f64.powf(gain_db / 20.0) as f32;
            let louder: Vec<f32> = signal.iter().map(|s| s * gain).collect();
            let (a, b) = (active_speech_level(&signal, RATE).unwrap(), active_speech_level(&louder, RATE).unwrap());
            prop_assert!((b.level_dbov - a.level_dbov - gain_db).abs() < 1e-3);
            prop_assert!((a.activity_factor - b.activity_factor).abs() < 1e-4);
        }
    }
}
