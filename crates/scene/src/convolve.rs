//! Fast convolution by overlap-save.

use std::{cell::RefCell, sync::Arc};

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

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
    convolve_range(dry, response, 0, length)
}

/// Samples `start..start + length` of [`convolve`]; both inputs must hold samples.
pub(crate) fn convolve_range(dry: &[f32], response: &[f32], start: usize, length: usize) -> Vec<f32> {
    let history = response.len() - 1;
    let size = transform_size(length, response.len());
    let step = size - history;
    let (forward, inverse) = plans(size);
    let mut scratch = forward.make_scratch_vec();
    let mut back_scratch = inverse.make_scratch_vec();

    let mut block = vec![0.0; size];
    let mut filter = forward.make_output_vec();
    // The inverse transform is unnormalised; scaling the filter once undoes that for every block.
    for (to, &from) in block.iter_mut().zip(response) {
        *to = from / size as f32;
    }
    forward.process_with_scratch(&mut block, &mut filter, &mut scratch).expect(MADE_BY_PLAN);

    let mut spectrum = forward.make_output_vec();
    let mut out = Vec::with_capacity(length);
    while out.len() < length {
        fill(&mut block, dry, (start + out.len()).cast_signed() - history.cast_signed());
        forward.process_with_scratch(&mut block, &mut spectrum, &mut scratch).expect(MADE_BY_PLAN);
        for (value, weight) in spectrum.iter_mut().zip(&filter) {
            *value *= weight;
        }
        // Rounding can leave a trace here, and a real signal has none.
        spectrum[0].im = 0.0;
        spectrum[size / 2].im = 0.0;
        inverse.process_with_scratch(&mut spectrum, &mut block, &mut back_scratch).expect(MADE_BY_PLAN);
        let take = step.min(length - out.len());
        out.extend_from_slice(&block[history..history + take]);
    }
    out
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
            let range = convolve_range(&dry, &response, start, 60);
            for (a, e) in range.iter().zip(&whole[start..]) {
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
