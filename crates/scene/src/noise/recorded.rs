//! Recordings of noise for as long as a scene needs them.

use std::f64::consts::FRAC_PI_2;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Where a recording begins again, its end and its beginning overlap by this much, in seconds …
const OVERLAP_SECONDS: f64 = 0.1;
/// … but by no more than this share of it.
const LARGEST_OVERLAP: usize = 4;

/// `samples` samples of a noise that goes on: from a place in the recording that is drawn from the seed; where the
/// recording ends it begins again under an equal-power crossfade. Silence of an empty recording.
pub fn continued(sample_rate: u32, recording: &[f32], samples: usize, seed: u64) -> Vec<f32> {
    if recording.is_empty() {
        return vec![0.0; samples];
    }
    let overlap = (OVERLAP_SECONDS * f64::from(sample_rate)) as usize;
    let overlap = overlap.min(recording.len() / LARGEST_OVERLAP);
    let period = recording.len() - overlap;
    let start = ChaCha8Rng::seed_from_u64(seed).random_range(0..period);
    (start..start + samples)
        .map(|place| {
            let (round, within) = (place / period, place % period);
            // In the first `overlap` samples of every round but the first the last round is still heard.
            if round == 0 || within >= overlap {
                return recording[within];
            }
            let angle = FRAC_PI_2 * (within as f64 + 0.5) / overlap as f64;
            let (fresh, old) = (f64::from(recording[within]), f64::from(recording[period + within]));
            (fresh * angle.sin() + old * angle.cos()) as f32
        })
        .collect()
}

/// `samples` samples of a noise that comes and goes: the whole recording again and again, 0.4 to 1.6 s apart, the first
/// time within 0.8 s.
pub fn now_and_then(sample_rate: u32, recording: &[f32], samples: usize, seed: u64) -> Vec<f32> {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let mut pause = |range: std::ops::Range<f64>| (rng.random_range(range) * f64::from(sample_rate)) as usize;
    let mut sound = vec![0.0; pause(0.05..0.8)];
    while sound.len() < samples {
        sound.extend_from_slice(recording);
        sound.resize(sound.len() + pause(0.4..1.6), 0.0);
    }
    sound.truncate(samples);
    sound
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 16_000;

    /// White noise of variance 1/3.
    fn white(samples: usize) -> Vec<f32> {
        let rng = &mut ChaCha8Rng::seed_from_u64(3);
        (0..samples).map(|_| rng.random_range(-1.0_f32..1.0)).collect()
    }

    #[test]
    fn what_goes_on_keeps_its_power_where_the_recording_begins_again() {
        let recording = white(8_000);
        let long = continued(RATE, &recording, 640_000, 1);
        assert_eq!(long.len(), 640_000);
        let power =
            |part: &[f32]| part.iter().map(|&it| f64::from(it).powi(2)).sum::<f64>() / part.len() as f64;
        // Unrelated ends fade with equal power: 1/3 everywhere, within what 1 600 samples scatter.
        for part in long.chunks(1_600) {
            assert!((power(part) - 1.0 / 3.0).abs() < 0.06, "{}", power(part));
        }
        assert_eq!(long, continued(RATE, &recording, 640_000, 1));
        assert_ne!(long[..100], continued(RATE, &recording, 100, 2)[..]);
        assert!(continued(RATE, &[], 5, 1).iter().all(|&it| it == 0.0));
    }

    #[test]
    fn what_comes_and_goes_is_whole_and_apart() {
        let event = vec![1.0; 1_000];
        let sound = now_and_then(RATE, &event, 160_000, 7);
        let heard = sound.iter().filter(|&&it| it > 0.0).count();
        let begins = sound.windows(2).filter(|pair| pair[0] == 0.0 && pair[1] > 0.0).count();
        assert!((6..=24).contains(&begins), "10 s at 0.46 to 1.66 s each: {begins}");
        assert!(heard > (begins - 1) * 1_000 && heard <= begins * 1_000);
    }
}
