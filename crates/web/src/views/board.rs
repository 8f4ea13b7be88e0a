//! The board: the ranked table and its Pareto chart.

use askama::Template;
use selection::{Column, PAGE_ROWS, Page, View, url_component};

use super::{
    layout::{Choice, Layout},
    method::Corpus,
    model::Rank,
    quantity::{Count, Estimate, Params, Probability, Rate, Rtfx, Seconds},
};

/// One of the four tracks that make the ranking.
#[derive(Debug, Clone, Copy)]
pub struct Track {
    /// Its name, the same in the release, JSON, URLs and on the page.
    pub name: &'static str,
    /// What it is, in a few words.
    pub meaning: &'static str,
}

impl Track {
    /// Its column.
    pub(crate) fn column(&self) -> Column {
        Column::Track(self.name.to_owned())
    }
}

/// The tracks of the ranking, in the order of the columns (design §6).
pub const TRACKS: [Track; 4] = [
    Track { name: "near", meaning: "dry speech, no room, no noise" },
    Track { name: "far-high", meaning: "in a room, SNR 14 to 24 dB" },
    Track { name: "far-mid", meaning: "in a room, SNR 8 to 12 dB" },
    Track { name: "far-low", meaning: "in a room, SNR −4 to 6 dB" },
];

/// `GET /` with the parameters of a [`View`].
#[derive(Debug, Template)]
#[template(path = "board.html")]
pub struct BoardPage {
    /// The frame.
    pub layout: Layout,
    /// Slug of the release shown.
    pub release: String,
    /// Hardware class whose speeds are shown, e.g. `cpu-2core`.
    pub hardware_class: String,
    /// What the release consists of.
    pub facts: ReleaseFacts,
    /// How the texts are scored.
    pub scoring: Scoring,
    /// What is asked for; release and hardware class are always named.
    pub view: View,
    /// What else could be asked for.
    pub offer: Offer,
    /// What the board is ranked for, unless it is the ranking itself.
    pub purpose: Option<PurposeView>,
    /// Columns after model and score, in their order: tracks, then speeds, then the rest.
    pub columns: Vec<Column>,
    /// The rows, in the order asked for.
    pub rows: Vec<BoardRow>,
    /// Models on the board, whether shown or not.
    pub models: Count,
    /// Models that the filter hides.
    pub hidden: usize,
    /// Which of the rows that the filter admits are on this page.
    pub paging: Paging,
    /// The end of the scale on which scores are drawn: the upper end of the largest interval of the view.
    pub full_scale: f64,
    /// Errors over cost; nothing for an empty board.
    pub chart: Option<Chart>,
    /// Where the speech comes from.
    pub corpus: Option<Corpus>,
}

/// A part of a long table, and the way to the others.
#[derive(Debug, Clone, Default)]
pub struct Paging {
    /// Number of its first row, from 1.
    pub first: usize,
    /// Number of its last row.
    pub last: usize,
    /// Rows of the whole table.
    pub of: usize,
    /// The pages: the first, the last and those around this one.
    pub pages: Vec<Link>,
    /// The page before.
    pub previous: Option<String>,
    /// The page after.
    pub next: Option<String>,
}

impl Paging {
    /// The page that a view asks for, of a table of `rows` rows at `path`.
    pub(crate) fn new(view: &View, rows: usize, path: &str) -> Self {
        let range = view.page.of(rows);
        let last = Page::last(rows);
        let current = range.start / PAGE_ROWS + 1;
        let near = |page: &usize| *page == 1 || *page == last || page.abs_diff(current) <= 2;
        let href = |page: usize| view.at_page(page).href(path);
        Self {
            first: range.start + 1,
            last: range.end,
            of: rows,
            pages: (1..=last)
                .filter(near)
                .map(|page| Link { href: href(page), label: page.to_string(), is_current: page == current })
                .collect(),
            previous: (current > 1).then(|| href(current - 1)),
            next: (current < last).then(|| href(current + 1)),
        }
    }

    /// There is more than this.
    pub(crate) fn is_part(&self) -> bool {
        self.next.is_some() || self.previous.is_some()
    }
}

/// What a visitor can choose.
#[derive(Debug, Clone, Default)]
pub struct Offer {
    /// Releases.
    pub releases: Vec<Choice>,
    /// Hardware classes.
    pub hardware_classes: Vec<Choice>,
    /// Purposes, each with the address of its view; the ranking itself first.
    pub purposes: Vec<Link>,
    /// Organisations on the board.
    pub organisations: Vec<Choice>,
    /// Runtimes on the board.
    pub runtimes: Vec<Choice>,
    /// Licences on the board, and any that is open.
    pub licences: Vec<Choice>,
    /// Classes of size.
    pub sizes: Vec<Choice>,
    /// Columns.
    pub columns: Vec<Choice>,
    /// Tracks with their weights, 0 to 5.
    pub weights: Vec<WeightField>,
}

/// A link that may be the page shown.
#[derive(Debug, Clone)]
pub struct Link {
    /// Where it leads.
    pub href: String,
    /// What is read.
    pub label: String,
    /// It is the page shown.
    pub is_current: bool,
}

/// The weight of a track.
#[derive(Debug, Clone)]
pub struct WeightField {
    /// The track.
    pub track: String,
    /// Its weight on the scale of the form, from 0 to 5.
    pub weight: f64,
}

/// What the board is ranked for.
#[derive(Debug, Clone)]
pub struct PurposeView {
    /// Its name; nothing for the visitor's own weights.
    pub label: Option<String>,
    /// Why these weights and limits.
    pub reason: Option<String>,
    /// Tracks with their share in percent.
    pub shares: Vec<(String, String)>,
}

/// The scoring profile that a page shows.
#[derive(Debug, Clone)]
pub struct Scoring {
    /// Profiles to choose from.
    pub profiles: Vec<Choice>,
    /// Name of the profile shown.
    pub profile: String,
    /// Name of the profile that makes the ranking.
    pub ranking_profile: String,
    /// The profile shown with its versions, e.g. `ffasr@1/whisper-en@1`.
    pub scorer: String,
    /// Published results that wait to be scored by it.
    pub unscored: Count,
}

impl Scoring {
    /// The profile shown is the one that makes the ranking.
    pub(crate) fn is_ranking(&self) -> bool {
        self.profile == self.ranking_profile
    }

    /// The part of a URL that asks for this profile; nothing for the one that ranks.
    pub(crate) fn query(&self) -> String {
        if self.is_ranking() { String::new() } else { format!("&profile={}", url_component(&self.profile)) }
    }
}

/// Where a model stands in the ranking.
#[derive(Debug, Clone, Copy)]
pub struct Elsewhere {
    /// Its place there.
    pub place: u32,
    /// Its Avg WER there.
    pub avg_wer: Rate,
}

impl Elsewhere {
    /// How many places better (positive) `place` is than this one.
    pub(crate) fn gain(self, place: u32) -> i64 {
        i64::from(self.place) - i64::from(place)
    }
}

/// What a release consists of.
#[derive(Debug, Clone, Copy)]
pub struct ReleaseFacts {
    /// Utterances in each track.
    pub utterances: Count,
    /// Reference words in each track, by the ranking's normaliser.
    pub words: Count,
    /// Talkers.
    pub talkers: Count,
    /// Rooms.
    pub rooms: Count,
}

/// A chart in its two layouts, as SVG from the `charts` crate; a style sheet shows the one that fits.
#[derive(Debug, Clone)]
pub struct Chart {
    /// For a wide page.
    pub wide: String,
    /// For a phone.
    pub compact: String,
    /// The chart as a file, if it is served as one.
    pub svg_href: Option<String>,
    /// What is said of its axes under it.
    pub reading: String,
    /// Models of the view that are not drawn, since so many points could not be told apart.
    pub undrawn: usize,
}

/// One model on the board.
#[derive(Debug, Clone)]
pub struct BoardRow {
    /// Its submission, which comparing asks for.
    pub submission: String,
    /// Its place, or why it has none.
    pub standing: RowStanding,
    /// Where it stands in the ranking, where this table is another one.
    pub ranking: Option<Elsewhere>,
    /// This row differs significantly from the one above it in the ranking.
    pub opens_tie_group: bool,
    /// Why its place is what it is.
    pub why: Option<Why>,
    /// Public name of the model.
    pub model: String,
    /// Its page.
    pub href: String,
    /// Who stands behind it.
    pub organisation: String,
    /// What is ranked by.
    pub score: Option<Estimate>,
    /// The columns of the page.
    pub cells: Vec<Cell>,
}

/// The place of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowStanding {
    /// In the ranking, with the places that the data allow.
    Ranked(Rank),
    /// For a purpose.
    Placed(u32),
    /// None, for these reasons.
    Without(String),
}

impl RowStanding {
    /// The place.
    pub(crate) fn place(&self) -> Option<u32> {
        match self {
            Self::Ranked(rank) => Some(rank.place),
            Self::Placed(place) => Some(*place),
            Self::Without(_) => None,
        }
    }
}

/// What the data say about the place of a row.
#[derive(Debug, Clone, Default)]
pub struct Why {
    /// The first of its tie group and by how many percentage points that is better, unless it is this row.
    pub leader: Option<(String, Rate)>,
    /// How many models are better beyond doubt.
    pub better: u32,
    /// How many are worse beyond doubt.
    pub worse: u32,
    /// Other models of its tie group.
    pub tied: usize,
}

/// One cell of a row.
#[derive(Debug, Clone)]
pub enum Cell {
    /// WER of a track.
    Wer(Estimate),
    /// The track was not run.
    NotRun,
    /// Speed, and whether it is unstable.
    Speed(Rtfx, bool),
    /// A time under a head that names seconds.
    Time(Seconds),
    /// Number of parameters.
    Size(Params),
    /// On the front or not, and how sure that is.
    Front(bool, Probability),
    /// Words.
    Words(String),
    /// Nothing is known.
    Absent,
}

/// What a column is called where no purpose changes it.
pub(crate) fn heading(column: &Column) -> String {
    match column {
        Column::Rank => "Rank",
        Column::Model => "Model",
        Column::Score => "Avg",
        Column::Track(name) => name,
        Column::Rtfx => "RTFx",
        Column::LatencyP50 => "p50, s",
        Column::LatencyP95 => "p95, s",
        Column::Params => "Params",
        Column::Pareto => "Pareto",
        Column::Licence => "Licence",
        Column::Runtime => "Runtime",
    }
    .to_owned()
}

impl BoardRow {
    /// How many places better (positive) it stands here than in the ranking.
    pub(crate) fn moved(&self) -> i64 {
        self.ranking.zip(self.standing.place()).map_or(0, |(ranking, place)| ranking.gain(place))
    }
}

impl BoardPage {
    /// The URL of this view, sorted by a column.
    pub(crate) fn sort_href(&self, column: &Column) -> String {
        self.view.sorted_by(column).href("/")
    }

    /// The head of a column and what it means.
    pub(crate) fn head(&self, column: &Column) -> (String, String) {
        let meaning = match column {
            Column::Rank => "Place by Avg WER, and the places the data allow",
            Column::Model => "Name of the model",
            Column::Score if self.purpose.is_some() => {
                return ("For it".to_owned(), "Weighted WER for this purpose".to_owned());
            }
            Column::Score => "Unweighted mean of the four ranked tracks",
            Column::Rtfx => "Seconds of audio per second of processing",
            Column::LatencyP50 => "Median time for one utterance",
            Column::LatencyP95 => "95 of 100 utterances take no longer",
            Column::Params => "Number of parameters",
            Column::Pareto => "No other model is better on both axes of the chart",
            Column::Licence => "As stated by the submitter",
            Column::Runtime => "What it runs in",
            Column::Track(name) => {
                TRACKS.iter().find(|track| track.name == name).map_or("not ranked", |track| track.meaning)
            }
        };
        (heading(column), meaning.to_owned())
    }

    /// Columns of word errors: score, its strip, where else it stands, and tracks.
    pub(crate) fn error_columns(&self) -> usize {
        let tracks = self.columns.iter().filter(|column| matches!(column, Column::Track(_))).count();
        2 + usize::from(self.shows_ranking()) + tracks
    }

    /// Columns of speed.
    pub(crate) fn speed_columns(&self) -> usize {
        let is_speed =
            |column: &&Column| matches!(column, Column::Rtfx | Column::LatencyP50 | Column::LatencyP95);
        self.columns.iter().filter(is_speed).count()
    }

    /// The others.
    pub(crate) fn other_columns(&self) -> usize {
        self.columns.len() + 2 + usize::from(self.shows_ranking())
            - self.error_columns()
            - self.speed_columns()
    }

    /// Says beside each row where it stands in the ranking, since this is another one.
    pub(crate) fn shows_ranking(&self) -> bool {
        !self.scoring.is_ranking() || self.purpose.is_some()
    }

    /// Sorted by the ranking, so that rules between its tie groups mean something.
    pub(crate) fn shows_ties(&self) -> bool {
        self.view.sort.is_ranking() && self.purpose.is_none()
    }

    /// Something is filtered, limited or chosen, so that the form opens by itself.
    pub(crate) fn is_narrowed(&self) -> bool {
        !self.view.filter.is_empty() || !self.view.limits.is_none() || self.view.columns.is_some()
    }

    /// What a form keeps of this view besides its own fields.
    pub(crate) fn kept(&self, form: &str) -> Vec<(&'static str, String)> {
        let own: &[&str] = match form {
            "board" => &["release", "hardware", "profile", "columns"],
            "weights" => &["for", "weights", "sort", "dir"],
            _ => &[
                "q",
                "organisation",
                "runtime",
                "licence",
                "size",
                "min-rtfx",
                "max-p95",
                "max-params",
                "columns",
            ],
        };
        let is_kept = |(key, _): &(&'static str, String)| *key != "page" && !own.contains(key);
        self.view.pairs().into_iter().filter(is_kept).collect()
    }

    /// A number of the visitor's limits as it stands in a field.
    pub(crate) fn limit(&self, key: &str) -> String {
        self.view
            .pairs()
            .into_iter()
            .find(|(found, _)| *found == key)
            .map(|(_, value)| value)
            .unwrap_or_default()
    }

    /// The view without filter and limits.
    pub(crate) fn everything_href(&self) -> String {
        let view = View {
            filter: selection::Filter::default(),
            limits: selection::Limits::default(),
            page: Page::default(),
            ..self.view.clone()
        };
        view.href("/")
    }

    /// The chart over other axes.
    pub(crate) fn pareto_href(&self) -> String {
        self.view.at_page(1).href("/pareto")
    }

    /// The row's score and interval on the scale shared by all rows.
    pub(crate) fn strip(&self, score: &Estimate) -> String {
        charts::interval_strip(score.value.0, score.limits(), self.full_scale)
    }
}
