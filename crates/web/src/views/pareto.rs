//! Accuracy against what it costs, over axes of the visitor's choice.

use askama::Template;
use selection::View;

use super::{
    board::{Chart, Link, Paging},
    layout::{Choice, Layout},
    quantity::{Estimate, Probability},
};

/// `GET /pareto` with the parameters of a [`View`].
#[derive(Debug, Template)]
#[template(path = "pareto.html")]
pub struct ParetoPage {
    /// The frame.
    pub layout: Layout,
    /// Slug of the release shown.
    pub release: String,
    /// What is asked for.
    pub view: View,
    /// Vertical axes to choose from.
    pub accuracies: Vec<Choice>,
    /// Horizontal axes to choose from.
    pub costs: Vec<Choice>,
    /// Purposes, each with the address of its chart.
    pub purposes: Vec<Link>,
    /// The chart; nothing if no model has both numbers.
    pub chart: Option<Chart>,
    /// The chart as a picture.
    pub png_href: String,
    /// The view as Parquet.
    pub parquet_href: String,
    /// HTML that shows the chart in another page.
    pub embed: String,
    /// What the axes measure: vertical, horizontal.
    pub axes: (String, String),
    /// The points of the chart, those on the front first, then by error.
    pub rows: Vec<ParetoRow>,
    /// Which of the points are in the table.
    pub paging: Paging,
    /// Models that have no place in the view or lack one of the numbers.
    pub left_out: usize,
}

/// One point of the chart.
#[derive(Debug, Clone)]
pub struct ParetoRow {
    /// Name of the model.
    pub model: String,
    /// Its page.
    pub href: String,
    /// Its errors.
    pub error: Estimate,
    /// What it costs.
    pub cost: String,
    /// No other model is better on both axes.
    pub on_front: bool,
    /// How sure that is.
    pub probability: Probability,
}

impl ParetoPage {
    /// What the form keeps of this view besides its own fields.
    pub(crate) fn kept(&self) -> Vec<(&'static str, String)> {
        self.view.pairs().into_iter().filter(|(key, _)| !["x", "y", "page"].contains(key)).collect()
    }

    /// The table of the same view.
    pub(crate) fn board_href(&self) -> String {
        self.view.at_page(1).href("/")
    }
}
