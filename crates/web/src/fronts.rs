//! Which models of a view are on its Pareto front, and how surely.

use scoring::{Bootstrap, Interval, Replicates, pareto, rate_replicates, speed_replicates};
use selection::{Accuracy, Answer, Answered, Cost, Estimate, View};

use crate::{board::Board, scorer};

/// Draws for a front over other axes than the board's own.
const DRAWS: usize = 500;

/// How a model stands towards the front.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Front {
    /// No other model is better on both axes.
    pub(crate) is_on: bool,
    /// Share of the draws in which that holds.
    pub(crate) probability: f64,
}

/// The front over the axes of a view, for each row of its answer. Only models that have a place take part.
///
/// On the board's own axes it is that of all models on shared draws; elsewhere the models' errors are drawn apart, which
/// makes the front look less sure than it is.
pub(crate) fn fronts(board: &Board, view: &View, answer: &Answer) -> Vec<Front> {
    let is_own = view.purpose.is_ranking()
        && view.all_limits().is_none()
        && view.accuracy == Accuracy::Score
        && view.cost == Cost::Rtfx;
    if is_own {
        let front = |row: &Answered| {
            let row = &board.rows[row.index];
            Front { is_on: row.on_front, probability: row.front_probability }
        };
        return answer.rows.iter().map(front).collect();
    }
    let placed: Vec<(usize, Estimate, Estimate)> = answer
        .rows
        .iter()
        .enumerate()
        .filter(|(_, row)| row.standing.place().is_some())
        .filter_map(|(number, row)| {
            let candidate = &board.rows[row.index].candidate;
            Some((number, view.error(row, candidate)?, view.cost.of(candidate)?))
        })
        .collect();
    // The front is looked for where more is better.
    let speed = |cost: f64| if view.cost.more_is_better() { cost } else { 1.0 / cost };
    let points: Vec<(f64, f64)> =
        placed.iter().map(|(_, error, cost)| (error.value, speed(cost.value))).collect();
    let plan = Bootstrap { replications: DRAWS, ..scorer::bootstrap() };
    let drawn: Vec<(Replicates, Replicates)> = placed
        .iter()
        .map(|(number, error, cost)| {
            let (_, system) = board.rows[answer.rows[*number].index].result.attempt.0.as_u64_pair();
            let interval = |estimate: &Estimate| estimate.interval.map(|(low, high)| Interval { low, high });
            let speeds = speed_replicates(speed(cost.value), interval(cost), system, plan);
            (rate_replicates(error.value, interval(error), system, plan), speeds)
        })
        .collect();
    let mut fronts = vec![Front::default(); answer.rows.len()];
    let found = pareto::front(&points).into_iter().zip(pareto::membership(&drawn));
    for ((number, ..), (is_on, probability)) in placed.iter().zip(found) {
        fronts[*number] = Front { is_on, probability };
    }
    fronts
}
