//! Everything a visitor can ask of a board, and the answer.

use std::{cmp::Ordering, collections::BTreeSet};

use crate::{
    axis::{Accuracy, Cost},
    candidate::{Candidate, Estimate},
    column::{Column, Sort},
    filter::{Filter, LicenceChoice, SizeClass},
    limits::{Limits, Unmet},
    purpose::{PURPOSES, Purpose, Weights},
    query::{BadQuery, Query, number},
};

/// How a model's weight of one track is called in a form: `w-near`.
const WEIGHT: &str = "w-";

/// Everything a visitor can ask of a board. The default is the board as it stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct View {
    /// Release, `slug` or `slug@version`; `None` is the newest.
    pub release: Option<String>,
    /// Hardware class; `None` is the first there is.
    pub hardware: Option<String>,
    /// Scoring profile; `None` is the one that ranks.
    pub profile: Option<String>,
    /// The order.
    pub sort: Sort,
    /// Which models.
    pub filter: Filter,
    /// What for.
    pub purpose: Purpose,
    /// The visitor's own limits, on top of those of the purpose.
    pub limits: Limits,
    /// Columns to show besides rank, model and score; `None` is the usual ones.
    pub columns: Option<Vec<Column>>,
    /// The vertical axis of the chart.
    pub accuracy: Accuracy,
    /// The horizontal axis of the chart.
    pub cost: Cost,
}

/// What a [`View`] makes of the models of a board.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Those that the filter admits, in the order asked for; what has no place comes last.
    pub rows: Vec<Answered>,
    /// How many the filter hides.
    pub hidden: usize,
}

/// One model in an [`Answer`].
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// Which of the candidates.
    pub index: usize,
    /// Its place, or why it has none.
    pub standing: Standing,
    /// What is ranked by; `None` if it did not run the tracks for that.
    pub score: Option<Estimate>,
}

/// Where a model stands for a purpose.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// At this place among those that keep the limits.
    Place(u32),
    /// It does not keep these limits.
    Outside(Vec<Unmet>),
    /// It did not run these tracks.
    NotRun(Vec<String>),
}

impl Standing {
    /// The place, if it has one.
    pub fn place(&self) -> Option<u32> {
        match self {
            Self::Place(place) => Some(*place),
            Self::Outside(_) | Self::NotRun(_) => None,
        }
    }
}

impl View {
    /// Reads the parameters of a query. An empty value is none, as forms send it; what is not a parameter of ours is passed
    /// over.
    ///
    /// # Errors
    /// When a parameter cannot be understood or, except for columns, is given twice.
    pub fn from_pairs<K: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, BadQuery> {
        let mut view = Self::default();
        let mut seen = BTreeSet::new();
        let (mut sort, mut direction) = (None, None);
        let mut columns: Vec<Column> = Vec::new();
        let mut weights: Vec<(String, f64)> = Vec::new();
        let mut own: Option<Weights> = None;
        for (key, value) in pairs {
            let (key, value) = (key.as_ref(), value.as_ref().trim());
            if value.is_empty() {
                continue;
            }
            if key == "columns" {
                columns.extend(value.split(',').filter(|name| !name.is_empty()).map(Column::named));
                continue;
            }
            let text = || Some(value.to_owned());
            match key {
                "release" => view.release = text(),
                "hardware" => view.hardware = text(),
                "profile" => view.profile = text(),
                "sort" => sort = text(),
                "dir" => direction = text(),
                "q" => value.clone_into(&mut view.filter.text),
                "organisation" => view.filter.organisation = text(),
                "runtime" => view.filter.runtime = text(),
                "licence" => view.filter.licence = licence(value),
                "size" => view.filter.size = Some(size(value)?),
                "for" => view.purpose = purpose(value)?,
                "weights" => own = Some(Weights::parse(value)?),
                "min-rtfx" => view.limits.min_rtfx = Some(number(key, value)?),
                "max-p95" => view.limits.max_p95 = Some(number(key, value)?),
                "max-params" => view.limits.max_params = Some(millions(number(key, value)?)),
                "y" => view.accuracy = accuracy(value),
                "x" => view.cost = cost(value)?,
                _ => match key.strip_prefix(WEIGHT) {
                    Some(track) => weights.push((track.to_owned(), weight(key, value)?)),
                    None => continue,
                },
            }
            if !seen.insert(key.to_owned()) {
                return Err(BadQuery::Repeated(key.to_owned()));
            }
        }
        view.sort = Sort::named(sort.as_deref(), direction.as_deref());
        if !columns.is_empty() {
            view.columns = Some(columns);
        }
        let own =
            own.or_else(|| Weights::new(weights.iter().map(|(track, weight)| (track.as_str(), *weight))));
        // A purpose chosen by name has its own weights, whatever else a form sends along.
        if let (Purpose::Ranking, Some(own)) = (&view.purpose, own) {
            view.purpose = Purpose::Own(own);
        }
        Ok(view)
    }

    /// The query of this view, without a question mark; what is as usual is left out.
    pub fn query(&self) -> String {
        let mut query = Query::default();
        query.add_some("release", self.release.as_deref());
        query.add_some("hardware", self.hardware.as_deref());
        query.add_some("profile", self.profile.as_deref());
        if !self.sort.is_ranking() {
            query.add("sort", self.sort.column.name());
            query.add("dir", self.sort.direction.name());
        }
        query.add_some("q", Some(self.filter.text.as_str()).filter(|text| !text.is_empty()));
        query.add_some("organisation", self.filter.organisation.as_deref());
        query.add_some("runtime", self.filter.runtime.as_deref());
        match &self.filter.licence {
            LicenceChoice::Any => {}
            LicenceChoice::Open => query.add("licence", OPEN),
            LicenceChoice::Exactly(licence) => query.add("licence", licence),
        }
        query.add_some("size", self.filter.size.map(SizeClass::name));
        match &self.purpose {
            Purpose::Ranking => {}
            Purpose::Named(purpose) => query.add("for", purpose.name),
            Purpose::Own(weights) => query.add("weights", &weights.to_string()),
        }
        let mut limit = |key: &str, value: Option<f64>| {
            query.add_some(key, value.map(|value| value.to_string()).as_deref());
        };
        limit("min-rtfx", self.limits.min_rtfx);
        limit("max-p95", self.limits.max_p95);
        limit("max-params", self.limits.max_params.map(|params| params as f64 / 1e6));
        if let Some(columns) = &self.columns {
            query.add("columns", &columns.iter().map(Column::name).collect::<Vec<_>>().join(","));
        }
        if let Accuracy::Track(track) = &self.accuracy {
            query.add("y", track);
        }
        query.add_some("x", Some(self.cost.name()).filter(|_| self.cost != Cost::default()));
        query.finish()
    }

    /// The address of this view at a path.
    pub fn href(&self, path: &str) -> String {
        let query = self.query();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }

    /// This view in the order that a click on the head of a column gives.
    #[must_use]
    pub fn sorted_by(&self, column: &Column) -> Self {
        Self { sort: self.sort.clicked(column), ..self.clone() }
    }

    /// What a model must keep: the limits of the purpose and the visitor's own.
    pub fn all_limits(&self) -> Limits {
        self.purpose.limits().and(self.limits)
    }

    /// Shows every model at its place in the ranking.
    pub fn is_whole_ranking(&self) -> bool {
        self.filter.is_empty() && self.purpose.is_ranking() && self.limits.is_none()
    }

    /// The answer for the candidates of a board. Places in the ranking stay what they are; for a purpose, the models that
    /// keep all limits are ranked anew, whether or not the filter shows them. Equal scores share a place.
    pub fn answer(&self, candidates: &[Candidate]) -> Answer {
        let limits = self.all_limits();
        let weights = self.purpose.weights();
        let mut rows: Vec<Answered> = candidates
            .iter()
            .enumerate()
            .map(|(index, candidate)| {
                let scored =
                    weights.as_ref().map_or(Ok(candidate.average), |weights| weights.score(candidate));
                let unmet = limits.unmet(candidate);
                let (score, standing) = match scored {
                    Err(tracks) => (None, Standing::NotRun(tracks)),
                    Ok(score) if unmet.is_empty() => (Some(score), Standing::Place(candidate.place)),
                    Ok(score) => (Some(score), Standing::Outside(unmet)),
                };
                Answered { index, standing, score }
            })
            .collect();
        if weights.is_some() {
            place_anew(&mut rows);
        }
        rows.retain(|row| self.filter.admits(&candidates[row.index]));
        let hidden = candidates.len() - rows.len();
        rows.sort_by(|left, right| self.order(left, right, candidates));
        Answer { rows, hidden }
    }

    fn order(&self, left: &Answered, right: &Answered, candidates: &[Candidate]) -> Ordering {
        let place = |row: &Answered| row.standing.place();
        let of = |row: &Answered| &candidates[row.index];
        let by_place = |left: &Answered, right: &Answered| {
            Sort::default().compare(place(left).map(f64::from), place(right).map(f64::from))
        };
        let cell = |row: &Answered| match self.sort.column {
            Column::Rank => place(row).map(f64::from),
            Column::Score => row.score.map(|score| score.value),
            ref column => column.number(of(row)),
        };
        let words = |row: &Answered| self.sort.column.words(of(row)).map(str::to_lowercase);
        let has_place = |row: &Answered| place(row).is_none();
        has_place(left)
            .cmp(&has_place(right))
            .then_with(|| self.sort.direction.of(words(left).cmp(&words(right))))
            .then_with(|| self.sort.compare(cell(left), cell(right)))
            .then_with(|| by_place(left, right))
            .then_with(|| of(left).place.cmp(&of(right).place))
    }
}

/// Gives those with a place their place by score.
fn place_anew(rows: &mut [Answered]) {
    let mut scores: Vec<f64> = rows
        .iter()
        .filter(|row| row.standing.place().is_some())
        .filter_map(|row| row.score.map(|score| score.value))
        .collect();
    scores.sort_by(f64::total_cmp);
    for row in rows {
        if let (Standing::Place(place), Some(score)) = (&mut row.standing, row.score) {
            let better = scores.partition_point(|other| other.total_cmp(&score.value) == Ordering::Less);
            *place = u32::try_from(better + 1).unwrap_or(u32::MAX);
        }
    }
}

/// The word for any open licence; no licence is called so.
const OPEN: &str = "open";

fn licence(value: &str) -> LicenceChoice {
    if value == OPEN { LicenceChoice::Open } else { LicenceChoice::Exactly(value.to_owned()) }
}

fn size(value: &str) -> Result<SizeClass, BadQuery> {
    value.parse().map_err(|()| BadQuery::Choice {
        key: "size",
        value: value.to_owned(),
        choices: SizeClass::ALL.map(SizeClass::name).join(", "),
    })
}

fn purpose(value: &str) -> Result<Purpose, BadQuery> {
    // A form says so when the weights beside it count.
    if value == "own" {
        return Ok(Purpose::Ranking);
    }
    Purpose::named(value).ok_or_else(|| BadQuery::Choice {
        key: "for",
        value: value.to_owned(),
        choices: PURPOSES.iter().map(|purpose| purpose.name).chain(["own"]).collect::<Vec<_>>().join(", "),
    })
}

fn cost(value: &str) -> Result<Cost, BadQuery> {
    Cost::named(value).ok_or_else(|| BadQuery::Choice {
        key: "x",
        value: value.to_owned(),
        choices: Cost::ALL.map(Cost::name).join(", "),
    })
}

fn accuracy(value: &str) -> Accuracy {
    if value == Column::Score.name() { Accuracy::Score } else { Accuracy::Track(value.to_owned()) }
}

fn weight(key: &str, value: &str) -> Result<f64, BadQuery> {
    if value.parse::<f64>().is_ok_and(|weight| weight == 0.0) { Ok(0.0) } else { number(key, value) }
}

fn millions(number: f64) -> u64 {
    // Saturates, which is more than any model has.
    (number * 1e6).round() as u64
}
