//! From image sources to the samples of a response.

use std::{f64::consts::PI, sync::Arc};

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex, num_complex::Complex};

use crate::{
    air::Air,
    band::{BAND_COUNT, crossfade},
};

/// Length of the windowed sinc that places a pulse between samples.
const TAPS: usize = 64;
/// Taps before the sample at or before the pulse.
const LEAD: usize = TAPS / 2 - 1;
/// Corner of the high-pass on the reflections in hertz. Image sources are all positive pulses, which add
/// up to a pressure offset no room has.
const HIGH_PASS_HZ: f64 = 40.0;
/// Room for what the filters spread beyond the end of the response, in seconds.
const SPREAD_SECONDS: f64 = 0.05;

/// Why a transform cannot fail: it does so only on buffers of a wrong length or a spectrum of no real signal.
const MADE_BY_PLAN: &str = "the plan itself made these buffers";

/// One way on which sound comes to a microphone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    /// Metres travelled.
    pub(crate) distance: f64,
    /// Amplitude in each octave on arrival, but for what the air has taken.
    pub(crate) amplitudes: [f32; BAND_COUNT],
}

/// What all responses of one simulation share.
pub(crate) struct Synthesis {
    sample_rate: f64,
    speed_of_sound: f64,
    /// Amplitude lost to the air, by octave: k in exp(-k r), in 1/m.
    air_loss: [f64; BAND_COUNT],
    length: usize,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    bins: Vec<Bin>,
    pulse: PulseShape,
}

/// How the bands combine at one frequency of the transform.
struct Bin {
    lower_band: usize,
    lower_weight: f32,
    high_pass: Complex<f32>,
}

impl Synthesis {
    pub(crate) fn new(air: Air, sample_rate: u32, seconds: f64) -> Self {
        let rate = f64::from(sample_rate);
        let length = ((seconds * rate).ceil() as usize).max(1);
        let size = transform_size(length + 2 * TAPS + (SPREAD_SECONDS * rate) as usize);
        let mut planner = RealFftPlanner::new();
        Self {
            sample_rate: rate,
            speed_of_sound: air.speed_of_sound(),
            air_loss: air.energy_loss().map(|loss| 0.5 * loss),
            length,
            forward: planner.plan_fft_forward(size),
            inverse: planner.plan_fft_inverse(size),
            bins: (0..=size / 2).map(|bin| Bin::new(bin as f64 * rate / size as f64)).collect(),
            pulse: PulseShape::new(),
        }
    }

    /// Samples of a response.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// What a microphone hears: the direct sound, where nothing is in its way, and everything else.
    pub(crate) fn response(
        &self,
        direct: Option<Arrival>,
        reflections: impl IntoIterator<Item = Arrival>,
    ) -> Vec<f32> {
        let size = self.forward.len();
        let mut bands = vec![0.0; BAND_COUNT * size];
        for arrival in reflections {
            self.add_pulse(&mut bands, arrival.distance, &arrival.amplitudes);
        }
        self.absorb_in_air(&mut bands);

        let (mut pulse, mut gains) = (vec![0.0; size], [0.0; BAND_COUNT]);
        if let Some(Arrival { distance, amplitudes }) = direct {
            self.add_pulse(&mut pulse, distance, &[1.0]);
            gains =
                std::array::from_fn(|band| amplitudes[band] * (-self.air_loss[band] * distance).exp() as f32);
        }
        self.combine(&mut bands, &mut pulse, &gains)
    }

    /// Adds one arrival to each band, between samples where need be.
    fn add_pulse<const N: usize>(&self, bands: &mut [f32], distance: f64, gains: &[f32; N]) {
        let arrival = distance / self.speed_of_sound * self.sample_rate;
        let sample = arrival as usize;
        if sample >= self.length {
            return;
        }
        let pulse = self.pulse.between_samples((arrival - sample as f64) as f32);
        for (band, &gain) in bands.chunks_exact_mut(self.forward.len()).zip(gains) {
            if gain == 0.0 {
                continue;
            }
            for (out, tap) in band[sample..sample + TAPS].iter_mut().zip(&pulse) {
                *out += gain * tap;
            }
        }
    }

    /// Sound that has travelled for t seconds has crossed c t metres of air, so absorption is an envelope.
    fn absorb_in_air(&self, bands: &mut [f32]) {
        let metres_per_sample = self.speed_of_sound / self.sample_rate;
        for (band, loss) in bands.chunks_exact_mut(self.forward.len()).zip(self.air_loss) {
            let step = (-loss * metres_per_sample).exp();
            let mut gain = (loss * metres_per_sample * LEAD as f64).exp();
            for sample in band {
                *sample *= gain as f32;
                gain *= step;
            }
        }
    }

    /// Joins the bands of the reflections, takes their offset away and adds the direct sound.
    fn combine(&self, bands: &mut [f32], direct: &mut [f32], direct_gains: &[f32; BAND_COUNT]) -> Vec<f32> {
        let mut scratch = self.forward.make_scratch_vec();
        let mut transform = |samples: &mut [f32]| {
            let mut spectrum = self.forward.make_output_vec();
            self.forward.process_with_scratch(samples, &mut spectrum, &mut scratch).expect(MADE_BY_PLAN);
            spectrum
        };
        let bands: Vec<_> = bands.chunks_exact_mut(self.forward.len()).map(&mut transform).collect();
        let mut sum = transform(direct);
        for (index, (value, bin)) in sum.iter_mut().zip(&self.bins).enumerate() {
            let (low, high) = (bin.lower_band, bin.lower_band + 1);
            let mix = |a: f32, b: f32| a * bin.lower_weight + b * (1.0 - bin.lower_weight);
            let reflected =
                bands[low][index] * bin.lower_weight + bands[high][index] * (1.0 - bin.lower_weight);
            *value = *value * mix(direct_gains[low], direct_gains[high]) + reflected * bin.high_pass;
        }
        // A real signal has no imaginary part here; the high-pass may leave one.
        for edge in [0, sum.len() - 1] {
            sum[edge].im = 0.0;
        }
        let mut samples = self.inverse.make_output_vec();
        self.inverse.process(&mut sum, &mut samples).expect(MADE_BY_PLAN);
        let scale = 1.0 / samples.len() as f32;
        samples[LEAD..LEAD + self.length].iter().map(|s| s * scale).collect()
    }
}

impl Bin {
    fn new(hz: f64) -> Self {
        let (lower_band, lower_weight) = crossfade(hz);
        // Butterworth, second order, causal: nothing sounds before it arrives.
        let s = Complex::new(0.0, hz / HIGH_PASS_HZ);
        let high_pass = s * s / (s * s + s * std::f64::consts::SQRT_2 + 1.0);
        let high_pass = Complex::new(high_pass.re as f32, high_pass.im as f32);
        Self { lower_band, lower_weight: lower_weight as f32, high_pass }
    }
}

/// A sinc under a Hann window: flat to within the last few hundred hertz below half the sample rate.
struct PulseShape {
    /// By tap: its distance from the sample before the pulse, its sign in the sinc, and cosine and sine of
    /// its phase in the window.
    taps: [[f32; 4]; TAPS],
}

impl PulseShape {
    fn new() -> Self {
        let taps = std::array::from_fn(|tap| {
            let offset = tap as f64 - LEAD as f64;
            let sign = if tap % 2 == 0 { 1.0 } else { -1.0 };
            let (sin, cos) = (offset * PI / (TAPS / 2) as f64).sin_cos();
            [offset, sign, cos, sin].map(|value| value as f32)
        });
        Self { taps }
    }

    /// The taps of a unit pulse that lies `fraction` of a sample, 0 to 1, past tap [`LEAD`].
    ///
    /// By sin(pi (n - f)) = ±sin(pi f) and the addition theorem for the window, one sine and one cosine
    /// serve all taps.
    fn between_samples(&self, fraction: f32) -> [f32; TAPS] {
        // At either end sin(0)/0 has its limit, which a millionth of a sample meets to single precision.
        let fraction = fraction.clamp(1e-6, 1.0 - 1e-6);
        let pi = std::f32::consts::PI;
        let numerator = (pi * fraction).sin() / pi;
        let (sin, cos) = (pi * fraction / (TAPS / 2) as f32).sin_cos();
        self.taps.map(|[offset, sign, tap_cos, tap_sin]| {
            let window = 0.5 + 0.5 * (tap_cos * cos + tap_sin * sin);
            window * sign * numerator / (offset - fraction)
        })
    }
}

/// The next size that is quick to transform: 2, 3 or 5 times a power of two.
fn transform_size(least: usize) -> usize {
    [1, 3, 5]
        .into_iter()
        .map(|odd: usize| odd * least.div_ceil(odd).next_power_of_two().max(2))
        .fold(usize::MAX, usize::min)
}
