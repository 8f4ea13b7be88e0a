//! The board: the ranked table and its Pareto chart.

use std::fmt::Write as _;

use askama::Template;

use super::{
    layout::{Choice, Layout},
    method::Corpus,
    model::Rank,
    quantity::{Count, Estimate, Params, Probability, Rate, Rtfx, Seconds},
    sort::{Sort, SortKey},
};

/// One of the four tracks that make the ranking.
#[derive(Debug, Clone, Copy)]
pub struct Track {
    /// Its name, the same in the release, JSON, URLs and on the page.
    pub name: &'static str,
    /// What it is, in a few words.
    pub meaning: &'static str,
    /// The key its column sorts by.
    pub key: SortKey,
}

/// The tracks of the ranking, in the order of the columns (design §6).
pub const TRACKS: [Track; 4] = [
    Track { name: "near", meaning: "dry speech, no room, no noise", key: SortKey::Near },
    Track { name: "far-high", meaning: "in a room, SNR 14 to 24 dB", key: SortKey::FarHigh },
    Track { name: "far-mid", meaning: "in a room, SNR 8 to 12 dB", key: SortKey::FarMid },
    Track { name: "far-low", meaning: "in a room, SNR −4 to 6 dB", key: SortKey::FarLow },
];

/// `GET /` with the query parameters `release`, `hardware`, `profile`, `sort`, `dir`.
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
    /// Releases to choose from.
    pub releases: Vec<Choice>,
    /// Hardware classes to choose from.
    pub hardware_classes: Vec<Choice>,
    /// How the texts are scored.
    pub scoring: Scoring,
    /// The order of the rows.
    pub sort: Sort,
    /// The rows, in that order; see [`BoardPage::sort_rows`].
    pub rows: Vec<BoardRow>,
    /// Avg WER over speed; nothing for an empty board.
    pub chart: Option<Chart>,
    /// Where the speech comes from.
    pub corpus: Option<Corpus>,
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

/// Where a model stands under the profile that ranks.
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
}

/// One model on the board.
#[derive(Debug, Clone)]
pub struct BoardRow {
    /// Rank and its interval.
    pub rank: Rank,
    /// Where it stands under the profile that ranks, on the board of another.
    pub ranking: Option<Elsewhere>,
    /// This row differs significantly from the one above it in the ranking.
    pub opens_tie_group: bool,
    /// Public name of the model.
    pub model: String,
    /// Its page.
    pub href: String,
    /// Who stands behind it.
    pub organisation: String,
    /// Unweighted mean of the four tracks.
    pub avg_wer: Estimate,
    /// WER of the four tracks, in the order of [`TRACKS`].
    pub tracks: [Estimate; 4],
    /// Speed over the four tracks.
    pub rtfx: Option<Rtfx>,
    /// The repeat passes disagree by more than the method allows (half-width above 3 %).
    pub speed_unstable: bool,
    /// Median latency of an item.
    pub latency_p50: Option<Seconds>,
    /// 95th percentile of latency.
    pub latency_p95: Option<Seconds>,
    /// Number of parameters.
    pub num_params: Option<Params>,
    /// No other model is both faster and more accurate.
    pub on_front: bool,
    /// How sure that is.
    pub front_probability: Probability,
}

impl BoardPage {
    /// Puts the rows into the order of [`BoardPage::sort`]; equal cells stay in the order of the ranking.
    pub fn sort_rows(&mut self) {
        let sort = self.sort;
        self.rows.sort_by(|left, right| {
            let order = if sort.key == SortKey::Model {
                sort.directed(left.model.to_lowercase().cmp(&right.model.to_lowercase()))
            } else {
                sort.compare(left.cell(sort.key), right.cell(sort.key))
            };
            order.then_with(|| left.rank.place.cmp(&right.rank.place))
        });
    }

    /// The URL of this view, sorted by the column of `key`.
    pub(crate) fn sort_href(&self, key: SortKey) -> String {
        format!(
            "/?release={}&hardware={}{}&{}",
            url_component(&self.release),
            url_component(&self.hardware_class),
            self.scoring.query(),
            self.sort.query_for(key)
        )
    }

    /// The row's Avg WER and interval on the scale shared by all rows.
    pub(crate) fn strip(&self, row: &BoardRow) -> String {
        let full_scale = self.rows.iter().map(|row| row.avg_wer.upper()).fold(0.0, f64::max);
        charts::interval_strip(row.avg_wer.value.0, row.avg_wer.limits(), full_scale)
    }
}

impl BoardRow {
    /// The number in the column of `key`.
    fn cell(&self, key: SortKey) -> Option<f64> {
        match key {
            SortKey::Rank | SortKey::Model => Some(f64::from(self.rank.place)),
            SortKey::Near => Some(self.tracks[0].value.0),
            SortKey::FarHigh => Some(self.tracks[1].value.0),
            SortKey::FarMid => Some(self.tracks[2].value.0),
            SortKey::FarLow => Some(self.tracks[3].value.0),
            SortKey::Rtfx => self.rtfx.map(|rtfx| rtfx.0),
            SortKey::LatencyP50 => self.latency_p50.map(|latency| latency.0),
            SortKey::LatencyP95 => self.latency_p95.map(|latency| latency.0),
            SortKey::Params => self.num_params.map(|params| params.0 as f64),
        }
    }
}

/// Percent-encodes everything but the unreserved characters of RFC 3986.
pub(crate) fn url_component(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
