//! Everything a visitor can ask of a board, and the answer.

use std::{cmp::Ordering, collections::BTreeSet};

use crate::{
    axis::{Accuracy, Cost},
    candidate::{Candidate, Estimate},
    column::{Column, Sort},
    filter::{Filter, LicenceChoice, SizeClass},
    limits::{Limits, Unmet},
    purpose::{PURPOSES, Purpose, Weights},
    query::{BadQuery, number, url_component},
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
    /// Which page of the table, from 1.
    pub page: Page,
}

/// Rows of the table on one page: more than most boards have.
pub const PAGE_ROWS: usize = 100;

/// A page of the table, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page(pub usize);

impl Default for Page {
    fn default() -> Self {
        Self(1)
    }
}

impl Page {
    /// The places of its rows among `rows`; the last page there is, if this one lies beyond.
    pub fn of(self, rows: usize) -> std::ops::Range<usize> {
        let start = (self.0.min(Self::last(rows)) - 1) * PAGE_ROWS;
        start..rows.min(start + PAGE_ROWS)
    }

    /// The last page of `rows`.
    pub fn last(rows: usize) -> usize {
        rows.div_ceil(PAGE_ROWS).max(1)
    }
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
        let mut chosen: Option<Purpose> = None;
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
                "for" => chosen = purpose(value)?,
                "weights" => own = Some(Weights::parse(value)?),
                "min-rtfx" => view.limits.min_rtfx = Some(number(key, value)?),
                "max-p95" => view.limits.max_p95 = Some(number(key, value)?),
                "max-params" => view.limits.max_params = Some(millions(number(key, value)?)),
                "y" => view.accuracy = accuracy(value),
                "x" => view.cost = cost(value)?,
                "page" => view.page = page(value)?,
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
        view.purpose = chosen.or(own.map(Purpose::Own)).unwrap_or_default();
        Ok(view)
    }

    /// The parameters of this view, in their order; what is as usual is left out.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let text = |text: &Option<String>| text.clone();
        let number = |number: Option<f64>| number.map(|number| number.to_string());
        let sort = (!self.sort.is_ranking()).then_some(&self.sort);
        let pairs = [
            ("release", text(&self.release)),
            ("hardware", text(&self.hardware)),
            ("profile", text(&self.profile)),
            ("sort", sort.map(|sort| sort.column.name().to_owned())),
            ("dir", sort.map(|sort| sort.direction.name().to_owned())),
            ("q", Some(self.filter.text.clone()).filter(|text| !text.is_empty())),
            ("organisation", text(&self.filter.organisation)),
            ("runtime", text(&self.filter.runtime)),
            (
                "licence",
                match &self.filter.licence {
                    LicenceChoice::Any => None,
                    LicenceChoice::Open => Some(OPEN.to_owned()),
                    LicenceChoice::Exactly(licence) => Some(licence.clone()),
                },
            ),
            ("size", self.filter.size.map(|size| size.name().to_owned())),
            (
                "for",
                match &self.purpose {
                    Purpose::Named(purpose) => Some(purpose.name.to_owned()),
                    Purpose::Ranking | Purpose::Own(_) => None,
                },
            ),
            (
                "weights",
                match &self.purpose {
                    Purpose::Own(weights) => Some(weights.to_string()),
                    Purpose::Ranking | Purpose::Named(_) => None,
                },
            ),
            ("min-rtfx", number(self.limits.min_rtfx)),
            ("max-p95", number(self.limits.max_p95)),
            ("max-params", number(self.limits.max_params.map(|params| params as f64 / 1e6))),
            (
                "columns",
                self.columns
                    .as_ref()
                    .map(|columns| columns.iter().map(Column::name).collect::<Vec<_>>().join(",")),
            ),
            (
                "y",
                match &self.accuracy {
                    Accuracy::Score => None,
                    Accuracy::Track(track) => Some(track.clone()),
                },
            ),
            ("x", (self.cost != Cost::default()).then(|| self.cost.name().to_owned())),
            ("page", (self.page != Page::default()).then(|| self.page.0.to_string())),
        ];
        pairs.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }

    /// The query of this view, without a question mark.
    pub fn query(&self) -> String {
        // A comma or a colon means nothing to a URL here and reads better as it is.
        let encoded = |value: &str| url_component(value).replace("%2C", ",").replace("%3A", ":");
        let pairs = self.pairs().into_iter().map(|(key, value)| format!("{key}={}", encoded(&value)));
        pairs.collect::<Vec<_>>().join("&")
    }

    /// The address of this view at a path.
    pub fn href(&self, path: &str) -> String {
        let query = self.query();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }

    /// This view in the order that a click on the head of a column gives.
    #[must_use]
    pub fn sorted_by(&self, column: &Column) -> Self {
        Self { sort: self.sort.clicked(column), page: Page::default(), ..self.clone() }
    }

    /// This view at another page of its table.
    #[must_use]
    pub fn at_page(&self, page: usize) -> Self {
        Self { page: Page(page), ..self.clone() }
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
    pub fn answer(&self, candidates: &[impl AsRef<Candidate>]) -> Answer {
        let limits = self.all_limits();
        let weights = self.purpose.weights();
        let mut rows: Vec<Answered> = candidates
            .iter()
            .enumerate()
            .map(|(index, candidate)| {
                let candidate = candidate.as_ref();
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
        rows.retain(|row| self.filter.admits(candidates[row.index].as_ref()));
        let hidden = candidates.len() - rows.len();
        rows.sort_by(|left, right| self.order(left, right, candidates));
        Answer { rows, hidden }
    }

    /// What is on the vertical axis of a model in an answer to this view.
    pub fn error(&self, answered: &Answered, candidate: &Candidate) -> Option<Estimate> {
        match &self.accuracy {
            Accuracy::Score => answered.score,
            Accuracy::Track(track) => candidate.tracks.get(track).copied(),
        }
    }

    fn order(&self, left: &Answered, right: &Answered, candidates: &[impl AsRef<Candidate>]) -> Ordering {
        let place = |row: &Answered| row.standing.place();
        let of = |row: &Answered| candidates[row.index].as_ref();
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

/// The words for the ranking itself and for the weights that a form sends along.
const RANKING: &str = "ranking";
const OWN: &str = "own";
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

/// What a form chooses; nothing where the weights beside it count.
fn purpose(value: &str) -> Result<Option<Purpose>, BadQuery> {
    match value {
        OWN => Ok(None),
        RANKING => Ok(Some(Purpose::Ranking)),
        name => Purpose::named(name).map(Some).ok_or_else(|| BadQuery::Choice {
            key: "for",
            value: value.to_owned(),
            choices: PURPOSES
                .iter()
                .map(|purpose| purpose.name)
                .chain([RANKING, OWN])
                .collect::<Vec<_>>()
                .join(", "),
        }),
    }
}

fn cost(value: &str) -> Result<Cost, BadQuery> {
    Cost::named(value).ok_or_else(|| BadQuery::Choice {
        key: "x",
        value: value.to_owned(),
        choices: Cost::ALL.map(Cost::name).join(", "),
    })
}

fn page(value: &str) -> Result<Page, BadQuery> {
    let bad = || BadQuery::Number { key: "page".to_owned(), value: value.to_owned() };
    value.parse().ok().filter(|page| *page > 0).map(Page).ok_or_else(bad)
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
