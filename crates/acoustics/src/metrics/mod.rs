//! What a response says about its room: ISO 3382-1 and the direct-to-reverberant ratio.

mod decay;
mod mixing;

use std::{ops::Range, sync::Arc};

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex, num_complex::Complex};
use serde::{Deserialize, Serialize};

pub use decay::DecayCurve;

use crate::{
    band::{OCTAVES, octave_filter_power},
    rir::Rir,
};

/// The direct sound reaches from the onset to this many seconds after it.
const DIRECT_SECONDS: f64 = 0.0025;
/// Early sound reaches to here for C50 and D50, in seconds after the onset.
const EARLY_SECONDS: f64 = 0.05;
/// Early sound reaches to here for C80, in seconds after the onset.
const EARLY_FOR_MUSIC_SECONDS: f64 = 0.08;
/// The octave filters are symmetric in time; what they spread this far before the onset belongs to it.
const SPREAD_SECONDS: f64 = 0.02;
/// Least length of the blocks in which the noise floor is sought, in seconds (Lundeby et al.: 10 to 50 ms).
const BLOCK_SECONDS: f64 = 0.01;
/// Blocks of a band are this many over its bandwidth long, so that the level of one means something.
const BLOCK_BANDWIDTHS: f64 = 2.2;
/// Width of an octave band over its centre frequency.
const OCTAVE_WIDTH: f64 = std::f64::consts::FRAC_1_SQRT_2;

/// Room acoustics of one response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoomAcoustics {
    /// Over all frequencies.
    pub broadband: SoundField,
    /// By octave, as far as the sample rate holds the whole octave.
    pub octaves: Vec<OctaveAcoustics>,
    /// When the response begins, in seconds after its first sample: the first sample within 20 dB of the peak.
    pub onset: f64,
    /// Seconds after the onset from which the response is as dense as Gaussian noise (Abel and Huang, "A simple,
    /// robust measure of reverberation echo density", 121st AES Convention, 2006). `None` if it never is.
    pub mixing_time: Option<f64>,
}

/// Room acoustics in one octave band.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OctaveAcoustics {
    /// Centre of the band in hertz.
    pub centre_hz: f64,
    /// What was found in it.
    pub field: SoundField,
}

/// Decay and clarity of a sound field. `None` where the response has too little range above its noise
/// (35 dB for T20, 45 dB for T30, 20 dB for EDT; ISO 3382-1, 5.3.3), or nothing to form a ratio with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SoundField {
    /// Early decay time: six times the time to decay from 0 to -10 dB, in seconds.
    pub edt: Option<f64>,
    /// Reverberation time from the decay between -5 and -25 dB, in seconds.
    pub t20: Option<f64>,
    /// Reverberation time from the decay between -5 and -35 dB, in seconds.
    pub t30: Option<f64>,
    /// Clarity of speech: energy within 50 ms after the onset over all later energy, in decibels.
    pub c50: Option<f64>,
    /// Clarity of music: energy within 80 ms after the onset over all later energy, in decibels.
    pub c80: Option<f64>,
    /// Definition: share of all energy that comes within 50 ms after the onset, 0 to 1.
    pub d50: Option<f64>,
    /// Centre time Ts: the centre of gravity of the energy, in seconds after the onset.
    pub centre_time: Option<f64>,
    /// Direct-to-reverberant ratio: energy within 2.5 ms after the onset over all later energy, in decibels.
    /// In the octaves below 500 Hz a wave is longer than that, and the ratio says little.
    pub drr: Option<f64>,
    /// Level of the strongest part above the noise floor, in decibels.
    pub range: Option<f64>,
    /// Non-linearity of the decay in the range of T30, in per mille: 1000 (1 - r²) of its regression line
    /// (ISO 3382-2, annex B); 0 to 5 as a rule, above 10 the decay is no straight line.
    pub nonlinearity: Option<f64>,
    /// Curvature of the decay in percent: 100 (T30 / T20 - 1) (ISO 3382-2, annex B); 0 to 5 as a rule, above 10
    /// the decay is no straight line.
    pub curvature: Option<f64>,
}

/// Why a reverberation time should be read with care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecayWarning {
    /// Non-linearity above 10 per mille (ISO 3382-2, annex B).
    NotLinear,
    /// Curvature above 10 % or below -5 % (ISO 3382-2, annex B).
    Curved,
    /// Bandwidth times reverberation time is at most 16, so that the filter's own decay may show (ISO 3382-2, 7.3).
    FilterRings,
}

impl SoundField {
    /// What makes its reverberation time doubtful; `centre_hz` is that of its octave, `None` for broadband.
    pub fn warnings(&self, centre_hz: Option<f64>) -> Vec<DecayWarning> {
        let time = self.t30.or(self.t20);
        let rings = centre_hz.zip(time).is_some_and(|(hz, time)| hz * OCTAVE_WIDTH * time <= 16.0);
        [
            (self.nonlinearity.is_some_and(|permille| permille > 10.0), DecayWarning::NotLinear),
            (self.curvature.is_some_and(|percent| !(-5.0..=10.0).contains(&percent)), DecayWarning::Curved),
            (rings, DecayWarning::FilterRings),
        ]
        .into_iter()
        .filter_map(|(applies, warning)| applies.then_some(warning))
        .collect()
    }
}

/// Measures a response, by octave and as a whole.
///
/// The onset is the first sample within 20 dB of the peak. Decay times come from Schroeder's backward
/// integration, ended where the decay meets the noise and completed by the decay that was going on there
/// (Lundeby, Vigran, Bietz and Vorländer, Acustica 81, 1995; ISO 3382-1, 5.3.3). Ratios are formed from
/// the parts of the response, each filtered by itself, so that filters do not smear one into the other; what
/// comes after the decay has met the noise of its band counts for nothing.
pub fn room_acoustics(rir: &Rir) -> RoomAcoustics {
    let spectra = Spectra::new(rir);
    let octaves = measurable_octaves(rir.sample_rate())
        .map(|centre_hz| OctaveAcoustics { centre_hz, field: spectra.measure(Some(centre_hz)) })
        .collect();
    let broadband = spectra.curve(None);
    let end = broadband.as_ref().map_or(spectra.length, |curve| spectra.onset + curve.knee());
    RoomAcoustics {
        broadband: spectra.measure(None),
        octaves,
        onset: spectra.onset as f64 / spectra.sample_rate,
        mixing_time: mixing::mixing_time(&rir.samples()[spectra.onset..end], spectra.sample_rate),
    }
}

/// Schroeder's decay curve of the octave around `centre_hz` (of the whole response if `None`), cut and completed
/// as [`room_acoustics`] does; `None` if the response does not decay.
pub fn decay_curve(rir: &Rir, centre_hz: Option<f64>) -> Option<DecayCurve> {
    Spectra::new(rir).curve(centre_hz)
}

/// Centres of the octaves that lie wholly below half the sample rate.
fn measurable_octaves(sample_rate: u32) -> impl Iterator<Item = f64> {
    OCTAVES
        .into_iter()
        .filter(move |centre| centre * std::f64::consts::SQRT_2 <= 0.5 * f64::from(sample_rate))
}

/// The response and its parts in the frequency domain.
struct Spectra<'a> {
    samples: &'a [f32],
    sample_rate: f64,
    onset: usize,
    length: usize,
    forward: Arc<dyn RealToComplex<f64>>,
    inverse: Arc<dyn ComplexToReal<f64>>,
    whole: Vec<Complex<f64>>,
    direct: Vec<Complex<f64>>,
    early: [Vec<Complex<f64>>; 2],
}

impl<'a> Spectra<'a> {
    fn new(rir: &'a Rir) -> Self {
        let (samples, sample_rate) = (rir.samples(), f64::from(rir.sample_rate()));
        let (onset, length) = (rir.onset(), samples.len());
        let mut planner = RealFftPlanner::new();
        let size = (length + 2 * (SPREAD_SECONDS * sample_rate) as usize).next_power_of_two();
        let forward = planner.plan_fft_forward(size);
        let until =
            |seconds: f64| spectrum(&*forward, samples, 0..after(onset, seconds, sample_rate).min(length));
        Self {
            whole: spectrum(&*forward, samples, 0..length),
            direct: until(DIRECT_SECONDS),
            early: [until(EARLY_SECONDS), until(EARLY_FOR_MUSIC_SECONDS)],
            inverse: planner.plan_fft_inverse(size),
            forward,
            samples,
            sample_rate,
            onset,
            length,
        }
    }

    /// Power gain at each frequency of the transform.
    fn powers(&self, centre_hz: Option<f64>) -> Vec<f64> {
        let spacing = 0.5 * self.sample_rate / (self.whole.len() - 1) as f64;
        let power = |bin: usize| centre_hz.map_or(1.0, |hz| octave_filter_power(hz, bin as f64 * spacing));
        (0..self.whole.len()).map(power).collect()
    }

    fn curve(&self, centre_hz: Option<f64>) -> Option<DecayCurve> {
        self.curve_of(&self.filtered_energies(&self.powers(centre_hz)), centre_hz)
    }

    fn curve_of(&self, energies: &[f64], centre_hz: Option<f64>) -> Option<DecayCurve> {
        let least = centre_hz.map_or(0.0, |hz| BLOCK_BANDWIDTHS / (OCTAVE_WIDTH * hz));
        DecayCurve::new(energies, self.sample_rate, least.max(BLOCK_SECONDS))
    }

    /// Everything about one band.
    fn measure(&self, centre_hz: Option<f64>) -> SoundField {
        let powers = self.powers(centre_hz);
        let energies = self.filtered_energies(&powers);
        let curve = self.curve_of(&energies, centre_hz);
        let end = curve.as_ref().map_or(self.length, |curve| self.onset + curve.knee());

        let energy = |part: &[Complex<f64>]| -> f64 {
            part.iter().zip(&powers).map(|(value, power)| value.norm_sqr() * power).sum()
        };
        let later = |seconds: f64| {
            let from = after(self.onset, seconds, self.sample_rate).min(self.length);
            energy(&spectrum(&*self.forward, self.samples, from..end.max(from)))
        };
        let early = energy(&self.early[0]);
        let late = later(EARLY_SECONDS);
        let fit = |from: f64, to: f64, range: f64| curve.as_ref()?.fit(from, to, range);
        let [edt, t20, t30] = [fit(0.0, -10.0, 20.0), fit(-5.0, -25.0, 35.0), fit(-5.0, -35.0, 45.0)];
        SoundField {
            edt: edt.map(|fit| fit.reverberation_time),
            t20: t20.map(|fit| fit.reverberation_time),
            t30: t30.map(|fit| fit.reverberation_time),
            c50: ratio_db(early, late),
            c80: ratio_db(energy(&self.early[1]), later(EARLY_FOR_MUSIC_SECONDS)),
            d50: (early + late > 0.0).then(|| early / (early + late)),
            centre_time: centre_of_gravity(&energies[..end - self.onset]).map(|n| n / self.sample_rate),
            drr: ratio_db(energy(&self.direct), later(DIRECT_SECONDS)),
            range: curve.as_ref().map(DecayCurve::range),
            nonlinearity: t30.map(|fit| 1_000.0 * (1.0 - fit.determination)),
            curvature: t30
                .zip(t20)
                .map(|(t30, t20)| 100.0 * (t30.reverberation_time / t20.reverberation_time - 1.0)),
        }
    }

    /// Energy of each filtered sample from the onset on.
    fn filtered_energies(&self, powers: &[f64]) -> Vec<f64> {
        let mut spectrum: Vec<_> =
            self.whole.iter().zip(powers).map(|(value, power)| value * power.sqrt()).collect();
        let mut samples = self.inverse.make_output_vec();
        self.inverse
            .process(&mut spectrum, &mut samples)
            .expect("the plan made the buffer; a real filter keeps it real");
        let scale = 1.0 / samples.len() as f64;
        let energy = |index: usize| (samples[index] * scale).powi(2);
        let spread = (SPREAD_SECONDS * self.sample_rate) as usize;
        // Before the beginning of a circular buffer lies its end.
        let before: f64 =
            (1..=spread).map(|back| energy((self.onset + samples.len() - back) % samples.len())).sum();
        let mut energies: Vec<f64> = (self.onset..self.length).map(energy).collect();
        energies[0] += before;
        energies
    }
}

fn after(onset: usize, seconds: f64, sample_rate: f64) -> usize {
    onset + (seconds * sample_rate).round() as usize
}

fn spectrum(plan: &dyn RealToComplex<f64>, samples: &[f32], range: Range<usize>) -> Vec<Complex<f64>> {
    let mut padded = plan.make_input_vec();
    for (to, &from) in padded[range.clone()].iter_mut().zip(&samples[range]) {
        *to = f64::from(from);
    }
    let mut spectrum = plan.make_output_vec();
    plan.process(&mut padded, &mut spectrum).expect("the plan made both buffers");
    spectrum
}

fn ratio_db(energy: f64, other: f64) -> Option<f64> {
    (energy > 0.0 && other > 0.0).then(|| 10.0 * (energy / other).log10())
}

/// Centre of gravity in samples.
fn centre_of_gravity(energies: &[f64]) -> Option<f64> {
    let total: f64 = energies.iter().sum();
    let moment: f64 = energies.iter().enumerate().map(|(index, energy)| index as f64 * energy).sum();
    (total > 0.0).then(|| moment / total)
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const RATE: u32 = 16_000;

    /// Noise that begins after 10 ms and decays by the amplitude `envelope` of the time in seconds.
    fn decaying_noise(seconds: f64, seed: u64, envelope: impl Fn(f64) -> f64) -> Rir {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let silence = std::iter::repeat_n(0.0, 160);
        let decay = (0..(seconds * f64::from(RATE)) as u32)
            .map(|n| (envelope(f64::from(n) / f64::from(RATE)) * sign(&mut rng)) as f32);
        Rir::new(RATE, silence.chain(decay).collect()).unwrap()
    }

    /// Plus or minus one: white, and of the same energy at every sample.
    fn sign(rng: &mut ChaCha8Rng) -> f64 {
        if rng.random::<bool>() { 1.0 } else { -1.0 }
    }

    /// Amplitude of a decay with reverberation time `t`.
    fn exponential(t: f64) -> impl Fn(f64) -> f64 {
        move |time| 10_f64.powf(-3.0 * time / t)
    }

    fn close(value: Option<f64>, expected: f64, tolerance: f64) {
        let value = value.unwrap();
        assert!((value / expected - 1.0).abs() < tolerance, "{value}, expected {expected}");
    }

    #[test]
    fn an_exponential_decay_has_its_reverberation_time_everywhere_and_the_ratios_of_theory() {
        let t = 0.8;
        let acoustics = room_acoustics(&decaying_noise(1.2, 1, exponential(t)));
        let field = acoustics.broadband;
        close(field.edt, t, 0.005);
        close(field.t20, t, 0.005);
        close(field.t30, t, 0.005);
        // The share of energy within time s is 1 - 10^(-6 s / T).
        let early = 1.0 - 10_f64.powf(-6.0 * 0.05 / t);
        close(field.d50, early, 0.005);
        close(field.c50, 10.0 * (early / (1.0 - early)).log10(), 0.01);
        let early = 1.0 - 10_f64.powf(-6.0 * 0.08 / t);
        close(field.c80, 10.0 * (early / (1.0 - early)).log10(), 0.01);
        // The centre of gravity of exp(-kt) lies at 1/k = T / (6 ln 10).
        close(field.centre_time, t / (6.0 * 10_f64.ln()), 0.005);
        assert!(field.nonlinearity.unwrap() < 0.1 && field.curvature.unwrap().abs() < 0.5);
        assert!(field.warnings(None).is_empty());
        let direct = 1.0 - 10_f64.powf(-6.0 * 0.0025 / t);
        close(field.drr, 10.0 * (direct / (1.0 - direct)).log10(), 0.01);
        assert_eq!(acoustics.octaves.len(), 7, "at 16 kHz the octave of 8 kHz is not whole");
        for octave in acoustics.octaves {
            // A band of noise fluctuates: by 4 / sqrt(bandwidth * T) of itself or so.
            let tolerance = 3.0 / (0.707 * octave.centre_hz * t).sqrt();
            close(octave.field.t30, t, tolerance);
        }
    }

    #[test]
    fn a_steady_noise_floor_does_not_lengthen_the_decay() {
        let t = 0.5;
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let clean = decaying_noise(2.0, 2, exponential(t));
        let noisy =
            clean.samples().iter().map(|s| s + (10_f64.powf(-52.0 / 20.0) * sign(&mut rng)) as f32).collect();
        let field = room_acoustics(&Rir::new(RATE, noisy).unwrap()).broadband;
        close(field.t20, t, 0.02);
        close(field.t30, t, 0.03);
        close(field.c50, room_acoustics(&clean).broadband.c50.unwrap(), 0.01);
    }

    #[test]
    fn a_decay_that_sinks_into_noise_too_soon_has_no_t30() {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let clean = decaying_noise(2.0, 2, exponential(0.5));
        let noisy = clean.samples().iter().map(|s| s + 0.01 * sign(&mut rng) as f32).collect();
        let field = room_acoustics(&Rir::new(RATE, noisy).unwrap()).broadband;
        assert_eq!(field.t30, None, "40 dB of range are too few");
        close(field.t20, 0.5, 0.05);
    }

    #[test]
    fn a_decay_of_two_slopes_shows_the_first_in_edt_and_the_second_in_t30() {
        // Energies of two decays add; the second starts 20 dB below the first.
        let two = |time: f64| (exponential(0.3)(time).powi(2) + 0.01 * exponential(1.5)(time).powi(2)).sqrt();
        let field = room_acoustics(&decaying_noise(2.2, 3, two)).broadband;
        let (edt, t30) = (field.edt.unwrap(), field.t30.unwrap());
        assert!(edt > 0.3 && edt < 0.5, "{edt}");
        assert!(t30 > 1.0 && t30 < 1.5, "{t30}");
        assert_eq!(field.warnings(None), [DecayWarning::NotLinear, DecayWarning::Curved]);
    }

    #[test]
    fn a_decay_shorter_than_the_filters_own_is_marked() {
        // ISO 3382-2: bandwidth times reverberation time above 16; 44 Hz times 0.3 s is 13.
        let acoustics = room_acoustics(&decaying_noise(0.6, 4, exponential(0.3)));
        let marked = |octave: &&OctaveAcoustics| {
            octave.field.warnings(Some(octave.centre_hz)).contains(&DecayWarning::FilterRings)
        };
        let marked: Vec<f64> =
            acoustics.octaves.iter().filter(marked).map(|octave| octave.centre_hz).collect();
        assert_eq!(marked, [62.5]);
    }

    #[test]
    fn the_decay_curve_of_an_exponential_decay_is_a_straight_line() {
        let curve = decay_curve(&decaying_noise(1.0, 6, exponential(0.6)), None).unwrap();
        let at = |seconds: f64| curve.levels()[(seconds * curve.sample_rate()) as usize];
        for seconds in [0.0, 0.1, 0.3, 0.5] {
            assert!((at(seconds) + 100.0 * seconds).abs() < 0.2, "{} at {seconds} s", at(seconds));
        }
        assert!(curve.range() > 60.0 && curve.knee() <= 16_000);
    }

    #[test]
    fn bands_are_told_apart() {
        // A tone of 500 Hz that decays slowly and one of 4 kHz that decays fast.
        let tones = |n: u32| {
            let time = f64::from(n) / f64::from(RATE);
            let tone = |hz: f64| (std::f64::consts::TAU * hz * time).sin();
            (tone(500.0) * exponential(1.0)(time) + tone(4_000.0 * 0.98) * exponential(0.4)(time)) as f32
        };
        let acoustics = room_acoustics(&Rir::new(RATE, (0..24_000).map(tones).collect()).unwrap());
        close(acoustics.octaves[3].field.t30, 1.0, 0.01);
        close(acoustics.octaves[6].field.t30, 0.4, 0.02);
    }

    #[test]
    fn a_single_pulse_has_no_decay_and_no_later_sound() {
        let field = room_acoustics(&Rir::identity(RATE).unwrap()).broadband;
        assert_eq!((field.t30, field.c50, field.drr), (None, None, None));
    }
}
