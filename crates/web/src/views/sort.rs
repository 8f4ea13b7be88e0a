//! Sorting a table by a link in its head, with the order in the URL.

use std::{cmp::Ordering, str::FromStr};

/// A column that a table can be sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SortKey {
    /// Rank, which is by Avg WER.
    #[default]
    Rank,
    /// Name of the model, without regard to case.
    Model,
    /// WER of the track `near`.
    Near,
    /// WER of the track `far-high`.
    FarHigh,
    /// WER of the track `far-mid`.
    FarMid,
    /// WER of the track `far-low`.
    FarLow,
    /// Speed.
    Rtfx,
    /// Median latency.
    LatencyP50,
    /// 95th percentile of latency.
    LatencyP95,
    /// Number of parameters.
    Params,
}

impl SortKey {
    /// Every key, in the order of the columns.
    pub const ALL: [Self; 10] = [
        Self::Rank,
        Self::Model,
        Self::Near,
        Self::FarHigh,
        Self::FarMid,
        Self::FarLow,
        Self::Rtfx,
        Self::LatencyP50,
        Self::LatencyP95,
        Self::Params,
    ];

    /// The name in the URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rank => "rank",
            Self::Model => "model",
            Self::Near => "near",
            Self::FarHigh => "far-high",
            Self::FarMid => "far-mid",
            Self::FarLow => "far-low",
            Self::Rtfx => "rtfx",
            Self::LatencyP50 => "latency-p50",
            Self::LatencyP95 => "latency-p95",
            Self::Params => "params",
        }
    }

    /// The direction a reader wants first: the best on top.
    fn first_direction(self) -> Direction {
        if self == Self::Rtfx { Direction::Descending } else { Direction::Ascending }
    }
}

impl FromStr for SortKey {
    type Err = UnknownSortKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|key| key.as_str() == text).ok_or(UnknownSortKey)
    }
}

/// No column has this name.
#[derive(Debug, thiserror::Error)]
#[error("no column of this name can be sorted by")]
pub struct UnknownSortKey;

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
    fn as_str(self) -> &'static str {
        match self {
            Self::Ascending => "asc",
            Self::Descending => "desc",
        }
    }
}

/// The order of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sort {
    /// By which column.
    pub key: SortKey,
    /// Which way.
    pub direction: Direction,
}

impl Sort {
    /// From the query parameters `sort` and `dir`; what is missing or unknown falls back to the ranking.
    pub fn from_query(sort: Option<&str>, direction: Option<&str>) -> Self {
        let key: SortKey = sort.and_then(|name| name.parse().ok()).unwrap_or_default();
        let direction = match direction {
            Some("asc") => Direction::Ascending,
            Some("desc") => Direction::Descending,
            _ => key.first_direction(),
        };
        Self { key, direction }
    }

    /// The query of the link in the head of `key`'s column: best first, and the other way on a second click.
    pub fn query_for(self, key: SortKey) -> String {
        let direction = match (self.key == key, self.direction) {
            (false, _) => key.first_direction(),
            (true, Direction::Ascending) => Direction::Descending,
            (true, Direction::Descending) => Direction::Ascending,
        };
        format!("sort={}&dir={}", key.as_str(), direction.as_str())
    }

    /// The value of `aria-sort` for `key`'s column; only the sorted column has one.
    pub fn aria(self, key: SortKey) -> Option<&'static str> {
        (self.key == key).then_some(match self.direction {
            Direction::Ascending => "ascending",
            Direction::Descending => "descending",
        })
    }

    /// The table is in the order of the ranking.
    pub fn is_ranking(self) -> bool {
        self == Self::default()
    }

    /// Compares two cells of the sorted column; a cell without a number goes to the end either way.
    pub(crate) fn compare(self, left: Option<f64>, right: Option<f64>) -> Ordering {
        match (left, right) {
            (Some(left), Some(right)) => self.directed(left.total_cmp(&right)),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        }
    }

    /// Turns an ascending comparison into this order's direction.
    pub(crate) fn directed(self, ascending: Ordering) -> Ordering {
        match self.direction {
            Direction::Ascending => ascending,
            Direction::Descending => ascending.reverse(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_found_by_its_own_name() {
        for key in SortKey::ALL {
            assert_eq!(key.as_str().parse::<SortKey>().ok(), Some(key));
        }
    }

    #[test]
    fn an_unknown_column_or_direction_falls_back_to_the_ranking() {
        assert!(Sort::from_query(Some("<script>"), Some("sideways")).is_ranking());
        assert!(Sort::from_query(None, None).is_ranking());
    }

    #[test]
    fn a_first_click_shows_the_best_and_a_second_turns_the_order() {
        let ranking = Sort::default();
        assert_eq!(ranking.query_for(SortKey::Rtfx), "sort=rtfx&dir=desc");
        let fastest = Sort::from_query(Some("rtfx"), None);
        assert_eq!(fastest.query_for(SortKey::Rtfx), "sort=rtfx&dir=asc");
        assert_eq!(fastest.aria(SortKey::Rtfx), Some("descending"));
        assert_eq!(fastest.aria(SortKey::Rank), None);
    }

    #[test]
    fn a_missing_number_goes_to_the_end_in_both_directions() {
        for direction in ["asc", "desc"] {
            let sort = Sort::from_query(Some("params"), Some(direction));
            assert_eq!(sort.compare(Some(1.0), None), Ordering::Less);
            assert_eq!(sort.compare(None, Some(1.0)), Ordering::Greater);
        }
    }
}
