//! Somebody coughs.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::process::{Resonator, gaussian};

/// Mean resonances of an open vocal tract, in hertz, with bandwidths and gains.
const FORMANTS: [(f64, f64, f64); 4] =
    [(650.0, 160.0, 1.0), (1_350.0, 220.0, 0.8), (2_700.0, 350.0, 0.6), (3_900.0, 600.0, 0.5)];

/// `samples` samples of a person coughing in bouts of one to three coughs, less than two seconds apart.
///
/// A synthetic model of the three phases of the cough sound (Korpáš, Sadloňová and Vrabec, *Analysis of
/// the cough sound: an overview*, Pulmonary Pharmacology 9, 1996): an explosive burst of noise of some
/// 50 ms, a quieter noisy flow of some 150 ms, and often a short voiced end; all coloured by four
/// formants, which stay those of one person.
pub fn coughs(sample_rate: u32, samples: usize, seed: u64) -> Vec<f32> {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let rate = f64::from(sample_rate);
    let tract = rng.random_range(0.88..1.12);
    let mut excitation = Vec::with_capacity(samples);
    let mut pause = rng.random_range(0.05..0.8);
    while excitation.len() < samples {
        excitation.resize(excitation.len() + (pause * rate) as usize, 0.0);
        for _ in 0..rng.random_range(1..=3) {
            cough(&mut excitation, rate, rng);
        }
        pause = rng.random_range(0.4..1.6);
    }
    excitation.truncate(samples);
    colour(&excitation, tract, sample_rate)
}

/// Appends the excitation of one cough.
fn cough(out: &mut Vec<f64>, rate: f64, rng: &mut ChaCha8Rng) {
    let burst = rng.random_range(0.035..0.065);
    let flow = rng.random_range(0.10..0.20);
    let voice = rng.random_range(0.06..0.12);
    let loudness = 10_f64.powf(rng.random_range(-6.0..0.0) / 20.0);
    let voicing = if rng.random::<f64>() < 0.7 { 0.5 } else { 0.0 };
    let pitch = rng.random_range(180.0..380.0);

    let end = burst + flow + voice;
    let mut cycle = 0.0;
    for n in 0..(end * rate) as usize {
        let t = n as f64 / rate;
        let noise = noise_envelope(t, burst, flow) * gaussian(rng);
        let into_voice = (t - burst - flow) / voice;
        let mut voiced = 0.0;
        if into_voice > 0.0 {
            // A falling sawtooth, as vocal folds make, that rises and dies away within the phase.
            cycle = (cycle + pitch * (1.0 - 0.3 * into_voice) / rate).fract();
            voiced = voicing * (std::f64::consts::PI * into_voice).sin() * (1.0 - 2.0 * cycle);
        }
        out.push(loudness * (noise + voiced));
    }
    let breath = rng.random_range(0.05..0.2);
    out.resize(out.len() + (breath * rate) as usize, 0.0);
}

/// The noise rises within 4 ms, falls after the burst to a fifth, and dies away after the flow.
fn noise_envelope(t: f64, burst: f64, flow: f64) -> f64 {
    let rise = (t / 0.004).min(1.0);
    let after_burst = (t - burst).max(0.0);
    let after_flow = (t - burst - flow).max(0.0);
    rise * (0.2 + 0.8 * (-after_burst / 0.02).exp()) * (-after_flow / 0.03).exp()
}

/// Passes the excitation through the formants of a vocal tract scaled by `tract`.
fn colour(excitation: &[f64], tract: f64, sample_rate: u32) -> Vec<f32> {
    let nyquist = 0.5 * f64::from(sample_rate);
    let mut formants: Vec<(Resonator, f64)> = FORMANTS
        .iter()
        .map(|&(centre, bandwidth, gain)| (centre * tract, bandwidth, gain))
        .filter(|&(centre, ..)| centre < nyquist)
        .map(|(centre, bandwidth, gain)| (Resonator::new(centre, bandwidth, sample_rate), gain))
        .collect();
    let through =
        |&x: &f64| formants.iter_mut().map(|(formant, gain)| *gain * formant.next(x)).sum::<f64>() as f32;
    excitation.iter().map(through).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::rms_level;

    const RATE: u32 = 16_000;

    #[test]
    fn every_two_and_a_half_seconds_hold_a_cough_and_a_pause() {
        for seed in 0..20 {
            let signal = coughs(RATE, 160_000, seed);
            let overall = rms_level(&signal);
            for window in signal.chunks(40_000) {
                let levels: Vec<f64> = window.chunks(800).map(rms_level).collect();
                assert!(levels.iter().any(|&l| l > overall), "seed {seed}: no cough");
                assert!(levels.iter().any(|&l| l < overall - 20.0), "seed {seed}: no pause");
            }
        }
    }

    #[test]
    fn a_cough_begins_with_its_loudest_phase() {
        // Mean over many coughs of the energy in 40 ms after the first sound against the next 150 ms.
        let (mut burst, mut flow) = (0.0, 0.0);
        for seed in 0..30 {
            let signal = coughs(RATE, 32_000, seed);
            let start = signal.iter().position(|&s| s != 0.0).unwrap();
            let power =
                |from: usize, to: usize| 10_f64.powf(rms_level(&signal[start + from..start + to]) / 10.0);
            burst += power(0, 640);
            flow += power(1_600, 3_000);
        }
        assert!(burst > 5.0 * flow, "{burst} {flow}");
    }

    #[test]
    fn it_stays_finite_at_any_sample_rate_and_the_seed_decides_everything() {
        for rate in [4_000, 8_000, 48_000] {
            let signal = coughs(rate, 3 * rate as usize, 5);
            assert_eq!(signal.len(), 3 * rate as usize);
            assert!(signal.iter().all(|s| s.is_finite() && s.abs() < 10.0));
        }
        assert_eq!(coughs(RATE, 30_000, 7), coughs(RATE, 30_000, 7));
        assert_ne!(coughs(RATE, 30_000, 7), coughs(RATE, 30_000, 8));
    }
}
