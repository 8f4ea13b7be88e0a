//! A good assignment of utterances to streams where the best one cannot be afforded: coordinate descent.

use super::{Word, advance, first_column};
use crate::align::{Cost, GAP, SUBSTITUTION};

/// Rounds of improvement after which the greedy search gives up; it settles after a few.
const ROUNDS: usize = 50;

/// Moves one utterance after the other to its best stream until none moves: first with substitutions as dear as a
/// deletion and an insertion, which keeps unrelated words apart, then with the true cost.
pub(super) fn improve(utterances: &[&[Word]], streams: &[Vec<Word>], mut choice: Vec<usize>) -> Vec<usize> {
    for substitution in [2 * GAP, SUBSTITUTION] {
        for _ in 0..ROUNDS {
            if !improve_once(utterances, streams, &mut choice, substitution) {
                break;
            }
        }
    }
    choice
}

/// One pass over the utterances; returns whether one has moved.
fn improve_once(
    utterances: &[&[Word]],
    streams: &[Vec<Word>],
    choice: &mut [usize],
    substitution: Cost,
) -> bool {
    let mut after = suffix_columns(utterances, streams, choice, substitution);
    let mut before: Vec<Vec<Cost>> = streams.iter().map(|stream| first_column(stream.len())).collect();
    let mut moved = false;
    for (utterance, choice) in utterances.iter().zip(choice.iter_mut()) {
        let current = *choice;
        // The column with this utterance; below it is the one without.
        after[current].pop();
        let mut best = (i64::MAX, current);
        let mut columns = Vec::with_capacity(streams.len());
        for (number, stream) in streams.iter().enumerate() {
            let mut with = before[number].clone();
            advance(&mut with, utterance, stream, substitution);
            // What follows this utterance in the stream is the same whether it goes there or not.
            let rest = after[number].last().map_or(&[][..], Vec::as_slice);
            let price = join(&with, rest).cast_signed() - join(&before[number], rest).cast_signed();
            if price < best.0 || (price == best.0 && number == current) {
                best = (price, number);
            }
            columns.push(with);
        }
        moved |= best.1 != current;
        *choice = best.1;
        before[best.1] = columns.swap_remove(best.1);
    }
    moved
}

/// The least cost of a way through a table cut in two.
fn join(before: &[Cost], after: &[Cost]) -> Cost {
    before.iter().zip(after).map(|(a, b)| a + b).min().unwrap_or(0)
}

/// For each stream, the columns of the table from the end: the last entry is that before its first utterance, the
/// first entry that after its last one.
fn suffix_columns(
    utterances: &[&[Word]],
    streams: &[Vec<Word>],
    choice: &[usize],
    substitution: Cost,
) -> Vec<Vec<Vec<Cost>>> {
    let reversed = |words: &[Word]| words.iter().rev().copied().collect::<Vec<_>>();
    streams
        .iter()
        .enumerate()
        .map(|(number, stream)| {
            let stream = reversed(stream);
            let mut column = first_column(stream.len());
            let flipped = |column: &[Cost]| column.iter().rev().copied().collect::<Vec<_>>();
            let mut columns = vec![flipped(&column)];
            for (utterance, _) in utterances.iter().zip(choice).rev().filter(|(_, choice)| **choice == number)
            {
                advance(&mut column, &reversed(utterance), &stream, substitution);
                columns.push(flipped(&column));
            }
            columns
        })
        .collect()
}
