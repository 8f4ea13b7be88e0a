//! Direct sound and early reflections, each with its own time-varying delay.

use acoustics::{Arrival, BAND_COUNT, Directivity, ImageTransform, OCTAVES, Octaves, Source};
use realfft::{RealFftPlanner, num_complex::Complex};

use super::{Motion, MotionError};
use crate::interpolate::{LEAD, TAPS, between};

/// Samples from one exact evaluation of delay and amplitude to the next. Between them the delay is a cubic and
/// the amplitude a straight line.
const KNOT_SAMPLES: usize = 32;
/// [`LEAD`], to count with.
const LEAD_TAPS: isize = LEAD.cast_signed();
/// What a delay is known to, in seconds.
const PRECISION: f64 = 1e-12;
/// Silence on either side that the octave filters ring into, in seconds.
const RING_SECONDS: f64 = 0.05;

/// One way from source to microphone that is followed exactly.
#[derive(Debug, Clone, PartialEq)]
pub struct EarlyPath {
    /// The map from the source to its image.
    pub image: ImageTransform,
    /// Which share of its amplitude is heard at each node of the late response, 0 to 1, for paths that an edge hides
    /// from some places; empty for a path that is heard everywhere.
    pub shares: Vec<f64>,
}

impl EarlyPath {
    /// A path that is heard everywhere.
    pub fn everywhere(image: ImageTransform) -> Self {
        Self { image, shares: Vec::new() }
    }
}

/// What all early paths of a transfer have in common.
#[derive(Debug, Clone)]
pub(super) struct Early {
    pub(super) paths: Vec<EarlyPath>,
    pub(super) directivity: Directivity,
    pub(super) speed_of_sound: f64,
    /// Energy lost to the air per metre, by octave.
    pub(super) air_loss: Octaves,
}

/// A signal in octaves that add up to it, with silence around.
pub(super) struct OctaveSignal {
    bands: [Vec<f32>; BAND_COUNT],
    /// Index of the signal's first sample.
    lead: usize,
}

/// Delay and amplitude at one moment of reception.
#[derive(Clone, Copy)]
struct Knot {
    /// When the sound was made, in samples from the beginning of the scene.
    emitted: f64,
    amplitude: [f32; BAND_COUNT],
}

impl OctaveSignal {
    /// Splits a signal by raised cosines over frequency, zero-phase, so that the octaves sum to the signal.
    pub(super) fn new(signal: &[f32], sample_rate: u32) -> Self {
        let lead = (RING_SECONDS * f64::from(sample_rate)) as usize + TAPS;
        let padded = signal.len() + 2 * lead;
        let size = padded.next_power_of_two();
        let mut planner = RealFftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
        let mut samples = vec![0.0; size];
        for (to, from) in samples[lead..].iter_mut().zip(signal) {
            *to = from / size as f32;
        }
        let mut spectrum = forward.make_output_vec();
        forward.process(&mut samples, &mut spectrum).expect("the plan itself made these buffers");
        let step = f64::from(sample_rate) / size as f64;
        let bands = std::array::from_fn(|band| {
            let mut part: Vec<Complex<f32>> = (0..)
                .zip(&spectrum)
                .map(|(bin, value)| value * octave_weight(band, f64::from(bin) * step) as f32)
                .collect();
            let last = part.len() - 1;
            [part[0].im, part[last].im] = [0.0; 2];
            let mut samples = vec![0.0; size];
            inverse.process(&mut part, &mut samples).expect("the plan itself made these buffers");
            samples.truncate(padded);
            samples
        });
        Self { bands, lead }
    }

    /// The bands added with their amplitudes around a place, given at the place's floor and changing by `slope` from
    /// sample to sample.
    fn mixed(&self, first: isize, amplitude: &[f32; BAND_COUNT], slope: &[f32; BAND_COUNT], out: &mut [f32]) {
        out.fill(0.0);
        let first = first + self.lead.cast_signed();
        let length = self.bands[0].len();
        let skip = first.min(0).unsigned_abs().min(out.len());
        let begin = first.max(0).unsigned_abs().min(length);
        let count = (out.len() - skip).min(length - begin);
        for (band, (&amplitude, &slope)) in self.bands.iter().zip(amplitude.iter().zip(slope)) {
            let start = amplitude + slope * skip as f32;
            for (n, (to, from)) in out[skip..skip + count].iter_mut().zip(&band[begin..]).enumerate() {
                *to += (start + slope * n as f32) * from;
            }
        }
    }
}

/// Weight of an octave at a frequency: a raised cosine over two octaves around its centre; the outermost reach to
/// the ends of the spectrum. All weights at a frequency sum to one.
fn octave_weight(band: usize, hz: f64) -> f64 {
    let place = (hz / OCTAVES[0]).log2().clamp(0.0, (BAND_COUNT - 1) as f64);
    let away = (place - band as f64).abs().min(1.0);
    (std::f64::consts::FRAC_PI_2 * away).cos().powi(2)
}

impl Early {
    /// Adds what a microphone hears on all paths to `out`; the first sample of `out` is heard at sample `clock` of
    /// the scene, and the signal's sample `from` is made at that moment.
    pub(super) fn add(
        &self,
        motion: &Motion,
        microphone: usize,
        nodes: &[f64],
        signal: &OctaveSignal,
        timing: Timing,
        out: &mut [f32],
    ) {
        let mut block = Vec::new();
        for path in &self.paths {
            let listener = Listener { early: self, path, motion, microphone, nodes, timing };
            let mut knots = listener.knots(out.len());
            let mut window = [knots.next(), knots.next(), knots.next(), knots.next()];
            for chunk in out.chunks_mut(KNOT_SAMPLES) {
                let [Some(a), Some(b), Some(c), Some(d)] = window else { break };
                render_block(signal, [&a, &b, &c, &d], timing, &mut block, chunk);
                window = [Some(b), Some(c), Some(d), knots.next()];
            }
        }
    }

    pub(super) fn check(&self, nodes: usize) -> Result<(), MotionError> {
        for (path, early) in self.paths.iter().enumerate() {
            let actual = early.shares.len();
            if actual != 0 && actual != nodes {
                return Err(MotionError::Shares { path, expected: nodes, actual });
            }
        }
        Ok(())
    }
}

/// When what is heard.
#[derive(Clone, Copy)]
pub(super) struct Timing {
    pub(super) sample_rate: f64,
    pub(super) speed_of_sound: f64,
    /// Sample of the scene at which the first one is heard.
    pub(super) clock: usize,
    /// Sample of the signal that is made at that moment.
    pub(super) from: usize,
}

/// One path to one microphone.
struct Listener<'a> {
    early: &'a Early,
    path: &'a EarlyPath,
    motion: &'a Motion,
    microphone: usize,
    nodes: &'a [f64],
    timing: Timing,
}

impl Listener<'_> {
    /// Knots from one before the first sample to one after the last.
    fn knots(&self, length: usize) -> impl Iterator<Item = Knot> {
        let count = length.div_ceil(KNOT_SAMPLES).cast_signed() + 3;
        let mut delay = 0.0;
        (-1..count - 1).map(move |knot| {
            let sample = self.timing.clock as f64 + (knot * KNOT_SAMPLES.cast_signed()) as f64;
            let heard = sample / self.timing.sample_rate;
            // What is heard at a moment was made when the path was as long as its sound has travelled.
            loop {
                let distance = self.path.image.distance(
                    self.motion.source(heard - delay),
                    self.motion.microphone(self.microphone, heard),
                );
                let longer = distance / self.timing.speed_of_sound;
                let change = longer - delay;
                delay = longer;
                if change.abs() < PRECISION {
                    break;
                }
            }
            self.knot(heard, delay)
        })
    }

    fn knot(&self, heard: f64, delay: f64) -> Knot {
        let made = heard - delay;
        let source = Source {
            position: self.motion.source(made),
            facing: self.motion.source_facing(made),
            directivity: self.early.directivity,
        };
        let Arrival { amplitude, .. } = self.path.image.arrival(
            &source,
            self.motion.microphone(self.microphone, heard),
            &self.early.air_loss,
        );
        let share = self.share(self.motion.gone(made, heard));
        Knot {
            emitted: made * self.timing.sample_rate,
            amplitude: Octaves::map(amplitude, |a| (a * share) as f32),
        }
    }

    /// Which share is heard after so many metres.
    fn share(&self, gone: f64) -> f64 {
        let shares = &self.path.shares;
        if shares.is_empty() {
            return 1.0;
        }
        let after = self.nodes.partition_point(|&node| node <= gone);
        match (after.checked_sub(1), self.nodes.get(after)) {
            (Some(before), Some(next)) => {
                let along = (gone - self.nodes[before]) / (next - self.nodes[before]);
                shares[before] + along * (shares[after] - shares[before])
            }
            (Some(last), None) => shares[last],
            (None, _) => shares[0],
        }
    }
}

/// Adds one path between the two middle knots.
fn render_block(
    signal: &OctaveSignal,
    [before, start, end, after]: [&Knot; 4],
    timing: Timing,
    block: &mut Vec<f32>,
    out: &mut [f32],
) {
    // In the signal's own time.
    let shift = timing.from as f64 - timing.clock as f64;
    let place = Hermite {
        values: [start.emitted + shift, end.emitted + shift],
        slopes: [0.5 * (end.emitted - before.emitted), 0.5 * (after.emitted - start.emitted)],
    };
    let first = place.values[0].floor() as isize - (LEAD_TAPS - 1);
    // A mover slower than sound keeps the order of what it says; one sample of reserve on either side.
    let last = place.values[1].ceil() as isize + LEAD_TAPS + 1;
    let ahead = 1;
    block.resize((last - first + 2 * ahead).unsigned_abs().max(TAPS + 2), 0.0);
    let advance = (place.values[1] - place.values[0]).max(1.0) as f32;
    let slope = std::array::from_fn(|band| (end.amplitude[band] - start.amplitude[band]) / advance);
    let lead = (LEAD_TAPS - 1 + ahead) as f32;
    let amplitude = std::array::from_fn(|band| start.amplitude[band] - lead * slope[band]);
    signal.mixed(first - ahead, &amplitude, &slope, block);
    let origin = (first - ahead) as f64;
    for (n, sample) in out.iter_mut().enumerate() {
        let at = place.at(n as f64 / KNOT_SAMPLES as f64);
        let floor = at.floor();
        let index = (floor - origin) as usize - (LEAD - 1);
        if let Some(window) = block[index..].first_chunk() {
            *sample += between(window, at - floor);
        }
    }
}

/// A cubic by its values and slopes at both ends.
struct Hermite {
    values: [f64; 2],
    slopes: [f64; 2],
}

impl Hermite {
    fn at(&self, share: f64) -> f64 {
        let [start, end] = self.values;
        let [rise, fall] = self.slopes;
        let bend = 2.0 * (start - end) + rise + fall;
        let curve = 3.0 * (end - start) - 2.0 * rise - fall;
        ((bend * share + curve) * share + rise) * share + start
    }
}
