//! Numbers in; themed, accessible SVG out. Pure: no I/O, no async.
//!
//! `plotters` does scales, ticks and the mapping to coordinates; our own drawing backend writes the SVG, with
//! class names where the stock backend would write colours, so that one chart follows the theme of the page
//! around it. [`STYLESHEET`] gives the classes their looks through custom properties (`--chart-ink`,
//! `--chart-faint`, `--chart-rule`, `--chart-accent`, `--chart-shade`, `--chart-paper`), which the page
//! defines. A chart that stands alone brings both along.

mod badge;
mod card;
mod curves;
mod deviations;
mod labels;
mod pareto;
mod picture;
mod response;
mod scale;
mod strip;
mod svg;
mod timeline;

pub use badge::{Badge, badge};
pub use card::{Card, card};
pub use curves::{Curve, CurvesChart, MOST_CURVES, curves};
pub use deviations::deviations;
pub use pareto::{Axis, Better, Embedding, Layout, ParetoChart, ParetoPoint, pareto};
pub use response::{Decay, Spectrogram, decay, spectrogram};
pub use strip::interval_strip;
pub use timeline::{MOST_LINES, Measure, TimeLine, TimeSpan, Timeline, timeline};

/// The looks of every chart, to be linked by a page that shows charts inline.
pub const STYLESHEET: &str = include_str!("../chart.css");
