//! The best assignment of utterances to streams, by dynamic programming.

use super::Word;
use crate::align::{Cost, GAP, SUBSTITUTION};

/// More than any assignment costs, with room to add to it.
const UNREACHED: Cost = Cost::MAX / 2;
/// Cells that the exact search may fill, about 200 MB.
const SEARCH_CELLS: usize = 1 << 24;
/// Cell updates that the exact search may make.
const SEARCH_STEPS: usize = 1 << 31;

/// Where the best way to a state comes from: the stream that the last utterance went to, and the place there before.
#[derive(Clone, Copy, Default)]
struct Origin {
    stream: u32,
    place: u32,
}

/// Finds the best assignment by dynamic programming over the places reached in all streams at once; `None` if there
/// are too many.
pub(super) fn search(utterances: &[&[Word]], streams: &[Vec<Word>]) -> Option<Vec<usize>> {
    let mut strides = Vec::new();
    let mut states = 1_usize;
    for stream in streams {
        strides.push(states);
        states = states.checked_mul(stream.len() + 1).filter(|&states| states <= SEARCH_CELLS)?;
    }
    let words: usize = utterances.iter().map(|utterance| utterance.len() + 1).sum();
    states.checked_mul(utterances.len()).filter(|&cells| cells <= SEARCH_CELLS)?;
    states.checked_mul(words * streams.len()).filter(|&steps| steps <= SEARCH_STEPS)?;

    let mut costs = vec![UNREACHED; states];
    costs[0] = 0;
    let mut origins = Vec::with_capacity(utterances.len());
    for utterance in utterances {
        let mut next = vec![UNREACHED; states];
        let mut from = vec![Origin::default(); states];
        for (number, (stream, &stride)) in streams.iter().zip(&strides).enumerate() {
            // All states with place 0 in this stream begin a line along it.
            for base in (0..states).filter(|state| state / stride % (stream.len() + 1) == 0) {
                let line: Vec<Cost> = (0..=stream.len()).map(|place| costs[base + place * stride]).collect();
                for (place, (cost, before)) in advance_line(&line, utterance, stream).into_iter().enumerate()
                {
                    let state = base + place * stride;
                    if cost < next[state] {
                        next[state] = cost;
                        from[state] = Origin { stream: number as u32, place: before };
                    }
                }
            }
        }
        costs = next;
        origins.push(from);
    }
    let rest = |state: usize| -> usize {
        let places = streams
            .iter()
            .zip(&strides)
            .map(|(stream, stride)| (stream, state / stride % (stream.len() + 1)));
        places.map(|(stream, place)| stream.len() - place).sum()
    };
    let mut state = (0..states).min_by_key(|&state| costs[state] + rest(state) as Cost * GAP)?;
    let mut choice = vec![0; utterances.len()];
    for (choice, from) in choice.iter_mut().zip(&origins).rev() {
        let Origin { stream, place } = from[state];
        let stride = *strides.get(stream as usize)?;
        let here = state / stride % (streams[stream as usize].len() + 1);
        state -= (here - place as usize) * stride;
        *choice = stream as usize;
    }
    Some(choice)
}

/// Moves a line of states past an utterance, remembering where each way started.
fn advance_line(line: &[Cost], utterance: &[Word], stream: &[Word]) -> Vec<(Cost, u32)> {
    let mut cells: Vec<(Cost, u32)> = line.iter().zip(0..).map(|(&cost, place)| (cost, place)).collect();
    let gap = |(cost, from): (Cost, u32)| (cost + GAP, from);
    for place in 1..cells.len() {
        cells[place] = cells[place].min(gap(cells[place - 1]));
    }
    for word in utterance {
        let mut diagonal = cells[0];
        cells[0] = gap(cells[0]);
        for (place, other) in stream.iter().enumerate() {
            let step = (diagonal.0 + word.cost(other, SUBSTITUTION), diagonal.1);
            diagonal = cells[place + 1];
            cells[place + 1] = step.min(gap(diagonal.min(cells[place])));
        }
    }
    cells
}
