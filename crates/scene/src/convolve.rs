//! Fast convolution by overlap-save.

use std::{cell::RefCell, sync::Arc};

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex, num_complex::Complex};

type Plans = (Arc<dyn RealToComplex<f32>>, Arc<dyn ComplexToReal<f32>>);

/// Why a transform cannot fail: it does so only on buffers of a wrong length or a spectrum of no real signal.
const MADE_BY_PLAN: &str = "the plan itself made these buffers";

/// Linear convolution of `dry` with `response`, tail included: `dry.len() + response.len() - 1`
/// samples, or none when either is empty.
pub fn convolve(dry: &[f32], response: &[f32]) -> Vec<f32> {
    if dry.is_empty() || response.is_empty() {
        return Vec::new();
    }
    let length = dry.len() + response.len() - 1;
    convolve_range(dry, &[response], 0, length).remove(0)
}

/// Samples `start..start + length` of the convolution of `dry` with each of the responses, none of which may be
/// empty. Before its beginning and after its end `dry` is silence. Its spectrum is computed once for all.
pub(crate) fn convolve_range(
    dry: &[f32],
    responses: &[&[f32]],
    start: isize,
    length: usize,
) -> Vec<Vec<f32>> {
    let longest = responses.iter().map(|response| response.len()).max().unwrap_or(1);
    if longest == 1 {
        return responses.iter().map(|response| amplified(dry, response[0], start, length)).collect();
    }
    let history = longest - 1;
    let size = transform_size(length, longest);
    let mut transform = Transform::new(size);
    let filters: Vec<_> = responses.iter().map(|response| transform.filter(response)).collect();
    let mut outputs = vec![Vec::with_capacity(length); responses.len()];
    let mut block = vec![0.0; size];
    let mut spectrum = transform.forward.make_output_vec();
    let mut product = spectrum.clone();
    for done in (0..length).step_by(size - history) {
        fill(&mut block, dry, start + done.cast_signed() - history.cast_signed());
        transform.forward(&mut block, &mut spectrum);
        let take = (size - history).min(length - done);
        for (filter, out) in filters.iter().zip(&mut outputs) {
            for ((value, bin), weight) in product.iter_mut().zip(&spectrum).zip(filter) {
                *value = bin * weight;
            }
            transform.inverse(&mut product, &mut block);
            out.extend_from_slice(&block[history..history + take]);
        }
    }
    outputs
}

/// Convolution with a single sample.
fn amplified(dry: &[f32], gain: f32, start: isize, length: usize) -> Vec<f32> {
    let mut out = vec![0.0; length];
    fill(&mut out, dry, start);
    for sample in &mut out {
        *sample *= gain;
    }
    out
}

/// Plans for one size with room to work in.
struct Transform {
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    scratch: Vec<Complex<f32>>,
}

impl Transform {
    fn new(size: usize) -> Self {
        let (forward, inverse) = plans(size);
        let scratch = vec![Complex::ZERO; forward.get_scratch_len().max(inverse.get_scratch_len())];
        Self { forward, inverse, scratch }
    }

    /// The spectrum of a response. The inverse transform is unnormalised; scaling the response undoes that for
    /// every block.
    fn filter(&mut self, response: &[f32]) -> Vec<Complex<f32>> {
        let size = self.forward.len();
        let mut padded = vec![0.0; size];
        for (to, &from) in padded.iter_mut().zip(response) {
            *to = from / size as f32;
        }
        let mut spectrum = self.forward.make_output_vec();
        self.forward(&mut padded, &mut spectrum);
        spectrum
    }

    fn forward(&mut self, samples: &mut [f32], spectrum: &mut [Complex<f32>]) {
        self.forward.process_with_scratch(samples, spectrum, &mut self.scratch).expect(MADE_BY_PLAN);
    }

    fn inverse(&mut self, spectrum: &mut [Complex<f32>], samples: &mut [f32]) {
        // Rounding can leave a trace here, and a real signal has none.
        let last = spectrum.len() - 1;
        [spectrum[0].im, spectrum[last].im] = [0.0; 2];
        self.inverse.process_with_scratch(spectrum, samples, &mut self.scratch).expect(MADE_BY_PLAN);
    }
}

/// Copies `signal[from..]` into `block`, with silence before the beginning and after the end.
fn fill(block: &mut [f32], signal: &[f32], from: isize) {
    let lead = from.min(0).unsigned_abs().min(block.len());
    let begin = from.max(0).unsigned_abs().min(signal.len());
    let count = (block.len() - lead).min(signal.len() - begin);
    block[..lead].fill(0.0);
    block[lead..lead + count].copy_from_slice(&signal[begin..begin + count]);
    block[lead + count..].fill(0.0);
}

/// The power of two that needs the fewest operations for this much output.
fn transform_size(output: usize, response: usize) -> usize {
    let smallest = (2 * response).next_power_of_two();
    let largest = (output + response - 1).next_power_of_two().max(smallest);
    let cost = |size: usize| output.div_ceil(size - response + 1) * size * size.ilog2() as usize;
    let sizes =
        std::iter::successors(Some(smallest), |size| Some(size * 2)).take_while(|&size| size <= largest);
    sizes.min_by_key(|&size| cost(size)).unwrap_or(smallest)
}

/// Planning costs as much as a transform, so each thread keeps its plans.
fn plans(size: usize) -> Plans {
    thread_local! {
        static PLANNER: RefCell<RealFftPlanner<f32>> = RefCell::new(RealFftPlanner::new());
    }
    PLANNER.with_borrow_mut(|planner| (planner.plan_fft_forward(size), planner.plan_fft_inverse(size)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition of convolution, sum by sum.
    fn direct(dry: &[f32], response: &[f32]) -> Vec<f64> {
        let mut out = vec![0.0; dry.len() + response.len() - 1];
        for (n, &x) in dry.iter().enumerate() {
            for (k, &h) in response.iter().enumerate() {
                out[n + k] += f64::from(x) * f64::from(h);
            }
        }
        out
    }

    proptest! {
        #[test]
        fn convolution_equals_its_definition_for_any_lengths(
            dry in prop::collection::vec(-1.0_f32..1.0, 1..700),
            response in prop::collection::vec(-1.0_f32..1.0, 1..300),
        ) {
            let expected = direct(&dry, &response);
            let actual = convolve(&dry, &response);
            prop_assert_eq!(actual.len(), expected.len());
            for (a, e) in actual.iter().zip(expected) {
                prop_assert!((f64::from(*a) - e).abs() < 1e-4);
            }
        }

        #[test]
        fn a_range_of_the_convolution_is_that_range_of_the_whole(
            dry in prop::collection::vec(-1.0_f32..1.0, 60..300),
            response in prop::collection::vec(-1.0_f32..1.0, 1..60),
            start in 0_usize..60,
        ) {
            let whole = direct(&dry, &response);
            let other = [0.5];
            let ranges = convolve_range(&dry, &[&response, &other], start.cast_signed(), 60);
            for (a, e) in ranges[0].iter().zip(&whole[start..]) {
                prop_assert!((f64::from(*a) - e).abs() < 1e-4);
            }
            for (a, e) in ranges[1].iter().zip(&dry[start..]) {
                prop_assert!((a - 0.5 * e).abs() < 1e-4);
            }
            let early = convolve_range(&dry, &[&response], -20, 40).remove(0);
            prop_assert!(early[..20].iter().all(|s| s.abs() < 1e-4));
            for (a, e) in early[20..].iter().zip(&whole) {
                prop_assert!((f64::from(*a) - e).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn convolution_with_nothing_is_nothing() {
        assert!(convolve(&[], &[1.0]).is_empty());
        assert!(convolve(&[1.0], &[]).is_empty());
    }
}
