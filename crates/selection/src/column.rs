//! The columns of a board, and sorting by them.

use std::cmp::Ordering;

use crate::candidate::Candidate;

/// A column that can be shown and, where it holds numbers or names, sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    /// Place: in the ranking, or for the purpose.
    Rank,
    /// Name of the model, without regard to case.
    Model,
    /// What is ranked by: Avg WER, or the weighted WER of the purpose.
    Score,
    /// WER of a track.
    Track(String),
    /// Speed.
    Rtfx,
    /// Median latency.
    LatencyP50,
    /// 95th percentile of latency.
    LatencyP95,
    /// Number of parameters.
    Params,
    /// Whether it is on the Pareto front.
    Pareto,
    /// Licence.
    Licence,
    /// Runtime.
    Runtime,
}

impl Column {
    /// Columns that every board has and a visitor may leave out, in their order after the tracks.
    pub const FIXED: [Self; 7] = [
        Self::Rtfx,
        Self::LatencyP50,
        Self::LatencyP95,
        Self::Params,
        Self::Pareto,
        Self::Licence,
        Self::Runtime,
    ];

    /// The name in a URL: that of the track, or one of ours.
    pub fn name(&self) -> &str {
        match self {
            Self::Rank => "rank",
            Self::Model => "model",
            Self::Score => "wer",
            Self::Track(track) => track,
            Self::Rtfx => "rtfx",
            Self::LatencyP50 => "latency-p50",
            Self::LatencyP95 => "latency-p95",
            Self::Params => "params",
            Self::Pareto => "pareto",
            Self::Licence => "licence",
            Self::Runtime => "runtime",
        }
    }

    /// The column of a name. What is none of ours is a track; whether there is such a track, the board knows.
    pub fn named(name: &str) -> Self {
        let own = [Self::Rank, Self::Model, Self::Score].into_iter().chain(Self::FIXED);
        own.into_iter().find(|column| column.name() == name).unwrap_or_else(|| Self::Track(name.to_owned()))
    }

    /// The direction a reader wants first: the best on top.
    fn first_direction(&self) -> Direction {
        if *self == Self::Rtfx { Direction::Descending } else { Direction::Ascending }
    }

    /// The number of a candidate in this column, if it is a column of numbers and the candidate has one. Place and score
    /// are the ranking's.
    pub(crate) fn number(&self, candidate: &Candidate) -> Option<f64> {
        match self {
            Self::Rank => Some(f64::from(candidate.place)),
            Self::Score => Some(candidate.average.value),
            Self::Track(track) => candidate.tracks.get(track).map(|rate| rate.value),
            Self::Rtfx => candidate.rtfx.map(|rtfx| rtfx.value),
            Self::LatencyP50 => Some(candidate.latency_p50),
            Self::LatencyP95 => Some(candidate.latency_p95),
            Self::Params => candidate.num_params.map(|params| params as f64),
            Self::Model | Self::Pareto | Self::Licence | Self::Runtime => None,
        }
    }

    /// The words of a candidate in this column, if it is a column of words.
    pub(crate) fn words<'a>(&self, candidate: &'a Candidate) -> Option<&'a str> {
        match self {
            Self::Model => Some(&candidate.name),
            Self::Licence => Some(&candidate.licence),
            Self::Runtime => Some(&candidate.runtime),
            _ => None,
        }
    }
}

/// Which way a table is sorted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Direction {
    /// Small to large.
    #[default]
    Ascending,
    /// Large to small.
    Descending,
}

impl Direction {
    /// The name in a URL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ascending => "asc",
            Self::Descending => "desc",
        }
    }

    /// Turns an ascending comparison into this direction.
    pub fn of(self, ascending: Ordering) -> Ordering {
        match self {
            Self::Ascending => ascending,
            Self::Descending => ascending.reverse(),
        }
    }
}

/// The order of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// By which column.
    pub column: Column,
    /// Which way.
    pub direction: Direction,
}

impl Default for Sort {
    fn default() -> Self {
        Self::by(Column::Rank)
    }
}

impl Sort {
    /// By a column, the best on top.
    pub fn by(column: Column) -> Self {
        Self { direction: column.first_direction(), column }
    }

    /// From the values of `sort` and `dir`. A direction that is none is the column's first.
    pub fn named(column: Option<&str>, direction: Option<&str>) -> Self {
        let sort = column.map_or_else(Self::default, |name| Self::by(Column::named(name)));
        let direction = match direction {
            Some("asc") => Direction::Ascending,
            Some("desc") => Direction::Descending,
            _ => sort.direction,
        };
        Self { direction, ..sort }
    }

    /// The order after a click on the head of a column: the best on top, then turned around.
    #[must_use]
    pub fn clicked(&self, column: &Column) -> Self {
        let first = Self::by(column.clone());
        if *self != first {
            return first;
        }
        let direction = match first.direction {
            Direction::Ascending => Direction::Descending,
            Direction::Descending => Direction::Ascending,
        };
        Self { direction, ..first }
    }

    /// The value of `aria-sort` for a column; only the sorted one has it.
    pub fn aria(&self, column: &Column) -> Option<&'static str> {
        (self.column == *column).then_some(match self.direction {
            Direction::Ascending => "ascending",
            Direction::Descending => "descending",
        })
    }

    /// The table is in the order of the ranking.
    pub fn is_ranking(&self) -> bool {
        *self == Self::default()
    }

    /// Compares two cells of the sorted column; a cell without a number goes to the end either way.
    pub fn compare(&self, left: Option<f64>, right: Option<f64>) -> Ordering {
        match (left, right) {
            (Some(left), Some(right)) => self.direction.of(left.total_cmp(&right)),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_found_by_its_own_name() {
        for column in [Column::Rank, Column::Model, Column::Score].into_iter().chain(Column::FIXED) {
            assert_eq!(Column::named(column.name()), column);
        }
        assert_eq!(Column::named("far-low"), Column::Track("far-low".to_owned()));
    }

    #[test]
    fn a_first_click_shows_the_best_and_a_second_turns_the_order() {
        let fastest = Sort::default().clicked(&Column::Rtfx);
        assert_eq!(fastest.direction, Direction::Descending);
        assert_eq!(fastest.aria(&Column::Rtfx), Some("descending"));
        assert_eq!(fastest.aria(&Column::Rank), None);
        let slowest = fastest.clicked(&Column::Rtfx);
        assert_eq!(slowest.direction, Direction::Ascending);
        assert_eq!(slowest.clicked(&Column::Rtfx), fastest);
        assert!(fastest.clicked(&Column::Rank).is_ranking());
    }

    #[test]
    fn a_missing_number_goes_to_the_end_in_both_directions() {
        for direction in ["asc", "desc"] {
            let sort = Sort::named(Some("params"), Some(direction));
            assert_eq!(sort.compare(Some(1.0), None), Ordering::Less);
            assert_eq!(sort.compare(None, Some(1.0)), Ordering::Greater);
        }
    }
}
