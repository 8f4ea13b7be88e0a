//! What a response says about its room: ISO 3382-1 and the direct-to-reverberant ratio.

use std::{ops::Range, sync::Arc};

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex, num_complex::Complex};
use serde::{Deserialize, Serialize};

use crate::{
    band::{OCTAVES, octave_filter_power},
    rir::Rir,
};

/// The direct sound reaches from the onset to this many seconds after it.
const DIRECT_SECONDS: f64 = 0.0025;
/// Early sound reaches to here for C50 and D50, in seconds after the onset.
const EARLY_SECONDS: f64 = 0.05;
/// The octave filters are symmetric in time; what they spread this far before the onset belongs to it.
const SPREAD_SECONDS: f64 = 0.02;
/// Length of the blocks in which the noise floor is sought, in seconds.
const BLOCK_SECONDS: f64 = 0.01;

/// Room acoustics of one response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoomAcoustics {
    /// Over all frequencies.
    pub broadband: SoundField,
    /// By octave, as far as the sample rate holds the whole octave.
    pub octaves: Vec<OctaveAcoustics>,
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
    /// Clarity: energy within 50 ms after the onset over all later energy, in decibels.
    pub c50: Option<f64>,
    /// Definition: share of all energy that comes within 50 ms after the onset, 0 to 1.
    pub d50: Option<f64>,
    /// Direct-to-reverberant ratio: energy within 2.5 ms after the onset over all later energy, in decibels.
    pub drr: Option<f64>,
}

/// Measures a response, by octave and as a whole.
///
/// The onset is the first sample within 20 dB of the peak. Decay times come from Schroeder's backward
/// integration, ended where the decay meets the noise and completed by the decay that was going on there
/// (Lundeby, Vigran, Bietz and Vorländer, Acustica 81, 1995; ISO 3382-1, 5.3.3). Ratios are formed from
/// the parts of the response, each filtered by itself, so that filters do not smear one into the other.
pub fn room_acoustics(rir: &Rir) -> RoomAcoustics {
    let rate = f64::from(rir.sample_rate());
    let spectra = Spectra::new(rir);
    let octaves = OCTAVES
        .into_iter()
        .filter(|centre| centre * std::f64::consts::SQRT_2 <= 0.5 * rate)
        .map(|centre_hz| OctaveAcoustics {
            centre_hz,
            field: spectra.measure(&|hz| octave_filter_power(centre_hz, hz)),
        })
        .collect();
    RoomAcoustics { broadband: spectra.measure(&|_| 1.0), octaves }
}

/// The response and its parts in the frequency domain.
struct Spectra {
    sample_rate: f64,
    onset: usize,
    length: usize,
    inverse: Arc<dyn ComplexToReal<f64>>,
    whole: Vec<Complex<f64>>,
    direct: Vec<Complex<f64>>,
    after_direct: Vec<Complex<f64>>,
    early: Vec<Complex<f64>>,
    late: Vec<Complex<f64>>,
}

impl Spectra {
    fn new(rir: &Rir) -> Self {
        let sample_rate = f64::from(rir.sample_rate());
        let (onset, length) = (rir.onset(), rir.samples().len());
        let after = |seconds: f64| (onset + (seconds * sample_rate).round() as usize).min(length);
        let (direct, early) = (after(DIRECT_SECONDS), after(EARLY_SECONDS));
        // Noise after the decay has ended would count as late sound.
        let energies: Vec<f64> = rir.samples().iter().map(|&s| f64::from(s).powi(2)).collect();
        let end = Decay::new(&energies[onset..], sample_rate).map_or(length, |decay| onset + decay.knee);
        let mut planner = RealFftPlanner::new();
        let size = (length + 2 * (SPREAD_SECONDS * sample_rate) as usize).next_power_of_two();
        let forward = planner.plan_fft_forward(size);
        let part = |range: Range<usize>| spectrum(&*forward, rir.samples(), range);
        Self {
            sample_rate,
            onset,
            length,
            inverse: planner.plan_fft_inverse(size),
            whole: part(0..length),
            direct: part(0..direct),
            after_direct: part(direct..end.max(direct)),
            early: part(0..early),
            late: part(early..end.max(early)),
        }
    }

    /// Everything about the band that passes a filter with this power gain.
    fn measure(&self, power: &dyn Fn(f64) -> f64) -> SoundField {
        let spacing = 0.5 * self.sample_rate / (self.whole.len() - 1) as f64;
        let powers: Vec<f64> = (0..self.whole.len()).map(|bin| power(bin as f64 * spacing)).collect();
        let energy = |part: &[Complex<f64>]| -> f64 {
            part.iter().zip(&powers).map(|(value, power)| value.norm_sqr() * power).sum()
        };
        let (direct, after_direct) = (energy(&self.direct), energy(&self.after_direct));
        let (early, late) = (energy(&self.early), energy(&self.late));
        let decay = Decay::new(&self.filtered_energies(&powers), self.sample_rate);
        let time = |from: f64, to: f64, range: f64| decay.as_ref()?.reverberation_time(from, to, range);
        SoundField {
            edt: time(0.0, -10.0, 20.0),
            t20: time(-5.0, -25.0, 35.0),
            t30: time(-5.0, -35.0, 45.0),
            c50: ratio_db(early, late),
            d50: (early + late > 0.0).then(|| early / (early + late)),
            drr: ratio_db(direct, after_direct),
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

/// A decay by backward integration, up to where it meets the noise.
struct Decay {
    sample_rate: f64,
    /// Energy still to come at each sample, in decibels of the whole.
    levels: Vec<f64>,
    /// Where the decay meets the noise, in samples from the onset.
    knee: usize,
    /// Level of the strongest block above the noise, in decibels.
    range: f64,
}

impl Decay {
    /// From the energy of each sample after the onset; `None` if it never falls.
    fn new(energies: &[f64], sample_rate: f64) -> Option<Self> {
        let Floor { knee, decay_per_sample, energy_at_knee, range } = Floor::find(energies, sample_rate)?;
        // What a decay at this rate would still have brought after the knee.
        let mut remaining = energy_at_knee / decay_per_sample;
        let mut levels: Vec<f64> = energies[..knee]
            .iter()
            .rev()
            .map(|energy| {
                remaining += energy;
                remaining
            })
            .collect();
        levels.reverse();
        let total = *levels.first().filter(|&&total| total > 0.0)?;
        for level in &mut levels {
            *level = 10.0 * (*level / total).log10();
        }
        Some(Self { sample_rate, levels, knee, range })
    }

    /// Time for 60 dB at the slope between two levels, if the response has `needed` decibels of range.
    fn reverberation_time(&self, from: f64, to: f64, needed: f64) -> Option<f64> {
        if self.range < needed {
            return None;
        }
        let first = self.levels.iter().position(|&level| level <= from)?;
        let last = self.levels.iter().position(|&level| level <= to)?;
        let slope = line(self.levels[first..=last].iter().copied())?.slope;
        (slope < 0.0).then(|| -60.0 / slope / self.sample_rate)
    }
}

/// Where a decay meets the noise.
struct Floor {
    knee: usize,
    decay_per_sample: f64,
    energy_at_knee: f64,
    range: f64,
}

impl Floor {
    /// Lundeby's iteration: the noise is taken from well after the knee, the slope from above the noise,
    /// the knee where the two meet.
    fn find(energies: &[f64], sample_rate: f64) -> Option<Self> {
        let block = ((BLOCK_SECONDS * sample_rate) as usize).max(1);
        let blocks: Vec<f64> = energies
            .chunks(block)
            .map(|chunk| 10.0 * (chunk.iter().sum::<f64>() / chunk.len() as f64).log10())
            .collect();
        let peak = blocks.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let start = blocks.iter().position(|&level| level >= peak)?;
        // A response may end in digital silence; there the decay simply ends.
        let count = blocks.iter().rposition(|level| level.is_finite())? + 1;
        let blocks = &blocks[..count];

        let mut knee = count as f64;
        let mut noise = f64::NEG_INFINITY;
        let mut fit = None;
        for _ in 0..6 {
            let tail = (knee as usize + 2).min(count - count.div_ceil(10));
            noise = mean_level(&blocks[tail..]);
            let above =
                blocks[start..].iter().position(|&level| level < noise + 8.0).unwrap_or(count - start);
            let falling = line(blocks[start..start + above].iter().copied()).filter(|fit| fit.slope < 0.0)?;
            knee = (start as f64 + (noise - falling.offset) / falling.slope)
                .clamp(start as f64 + 1.0, count as f64);
            fit = Some(falling);
        }
        let fit = fit?;
        let knee_samples = ((knee * block as f64) as usize).min(energies.len());
        let level_at_knee = fit.offset + fit.slope * (knee - start as f64);
        Some(Self {
            knee: knee_samples,
            decay_per_sample: -fit.slope / block as f64 * std::f64::consts::LN_10 / 10.0,
            energy_at_knee: 10_f64.powf(level_at_knee / 10.0),
            range: peak - noise,
        })
    }
}

fn mean_level(levels: &[f64]) -> f64 {
    let mean = levels.iter().map(|level| 10_f64.powf(level / 10.0)).sum::<f64>() / levels.len() as f64;
    10.0 * mean.log10()
}

/// A straight line: `offset + slope * index`.
struct Line {
    offset: f64,
    slope: f64,
}

/// Least-squares line through at least two values at 0, 1, 2 ….
fn line(values: impl ExactSizeIterator<Item = f64>) -> Option<Line> {
    let count = values.len() as f64;
    if count < 2.0 {
        return None;
    }
    let centre = 0.5 * (count - 1.0);
    let (mut sum, mut moment) = (0.0, 0.0);
    for (index, value) in values.enumerate() {
        sum += value;
        moment += (index as f64 - centre) * value;
    }
    let slope = moment / (count * (count * count - 1.0) / 12.0);
    Some(Line { offset: sum / count - slope * centre, slope })
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
