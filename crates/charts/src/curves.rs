//! Errors as a function of a condition: a line with its band for each model.

use std::{convert::Infallible, fmt::Write as _, iter};

use plotters::{
    drawing::DrawingAreaErrorKind,
    prelude::{
        ChartBuilder, Color as _, IntoDrawingArea as _, IntoTextStyle as _, LabelAreaPosition, LineSeries,
        Polygon, TRANSPARENT,
    },
    style::text_anchor::{HPos, Pos, VPos},
};

use crate::{
    labels::{Placed, Placer, Rect},
    scale::{percent_label, plain_label, upper_end},
    svg::{Escaped, GRID, Role, Svg, Units},
};

/// Errors over a condition, up to [`MOST_CURVES`] models.
#[derive(Debug, Clone)]
pub struct CurvesChart {
    /// Prefix of the ids inside the SVG; unique on the page. Letters, digits and hyphens.
    pub id: String,
    /// What the chart shows, in a few words: its accessible name.
    pub title: String,
    /// What there is to see, in a sentence or two: its accessible description. The numbers should stand beside it.
    pub description: String,
    /// Title of the horizontal axis, with its unit.
    pub across: String,
    /// Title of the vertical axis.
    pub error_title: String,
    /// The models. Those beyond [`MOST_CURVES`] are left out, as are points that are not finite, or so large that they are
    /// no condition and no rate (10⁶ and 10²).
    pub curves: Vec<Curve>,
}

/// One model.
#[derive(Debug, Clone)]
pub struct Curve {
    /// Name at the end of the line; empty for a chart of one.
    pub label: String,
    /// Value of the condition, rate as a fraction, and the band of the rate (low, high), by rising value.
    pub points: Vec<(f64, f64, (f64, f64))>,
}

/// The most lines that can be told apart by their dashes.
pub const MOST_CURVES: usize = 4;

/// What is larger is no condition.
const MOST_CONDITION: f64 = 1e6;
/// What is larger is no rate of errors.
const MOST_RATE: f64 = 100.0;
/// What is closer together is one value.
const LEAST_SPAN: f64 = 1e-6;
/// Size, in grid steps.
const SIZE: (i32, i32) = (500 * GRID, 250 * GRID);
/// Around the plotting area, in grid steps.
const MARGINS: Margins = Margins { left: 36 * GRID, right: 12 * GRID, top: 26 * GRID, bottom: 42 * GRID };
const TYPE_SIZE: i32 = 12 * GRID;
const LINES: [Role; MOST_CURVES] = [Role::Curve1, Role::Curve2, Role::Curve3, Role::Curve4];

struct Margins {
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
}

/// Draws the chart: rates from 0 on a linear axis upwards, the condition on a linear axis to the right, bands shaded, lines
/// told apart by their dashes and named at their ends. A chart without two points of one curve is empty.
pub fn curves(chart: &CurvesChart) -> String {
    let curves: Vec<Curve> = chart.curves.iter().take(MOST_CURVES).map(drawable).collect();
    let mut body = String::new();
    let values = || curves.iter().flat_map(|curve| curve.points.iter().map(|point| point.0));
    let span = values().fold(f64::NEG_INFINITY, f64::max) - values().fold(f64::INFINITY, f64::min);
    if span > LEAST_SPAN && draw(chart, &curves, &mut body).is_err() {
        // The backend itself cannot fail; should `plotters` find no layout, a title without a picture is better than half
        // a picture.
        body.clear();
    }
    let (id, title, description) = (Escaped(&chart.id), Escaped(&chart.title), Escaped(&chart.description));
    let mut svg = String::with_capacity(body.len() + 512);
    // Writing to a string cannot fail.
    let _ = write!(
        svg,
        concat!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" class="curves" viewBox="0 0 {} {}" role="img" "#,
            r#"aria-labelledby="{id}-title" aria-describedby="{id}-desc">"#,
            r#"<title id="{id}-title">{}</title><desc id="{id}-desc">{}</desc>{}</svg>"#
        ),
        Units(SIZE.0),
        Units(SIZE.1),
        title,
        description,
        body,
        id = id
    );
    svg
}

fn drawable(curve: &Curve) -> Curve {
    // False for NaN.
    let is_rate = |rate: f64| rate.abs() <= MOST_RATE;
    let is_drawable = |&&(x, rate, (low, high)): &&(f64, f64, (f64, f64))| {
        x.abs() <= MOST_CONDITION && is_rate(rate) && is_rate(low) && is_rate(high)
    };
    let mut points: Vec<_> = curve.points.iter().filter(is_drawable).copied().collect();
    points.sort_by(|left, right| left.0.total_cmp(&right.0));
    Curve { label: curve.label.clone(), points }
}

fn draw(
    what: &CurvesChart,
    curves: &[Curve],
    body: &mut String,
) -> Result<(), DrawingAreaErrorKind<Infallible>> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let low = points().map(|point| point.0).fold(f64::INFINITY, f64::min);
    let high = points().map(|point| point.0).fold(f64::NEG_INFINITY, f64::max);
    let top = upper_end(points().map(|point| point.2.1.max(point.1)).fold(0.0, f64::max));
    let root = Svg::new(body, (SIZE.0.unsigned_abs(), SIZE.1.unsigned_abs())).into_drawing_area();
    let mut chart = ChartBuilder::on(&root)
        .margin_top(MARGINS.top)
        .margin_right(MARGINS.right)
        .margin_bottom(MARGINS.bottom - 24 * GRID)
        .set_label_area_size(LabelAreaPosition::Left, MARGINS.left)
        .set_label_area_size(LabelAreaPosition::Bottom, 24 * GRID)
        .build_cartesian_2d(low..high, 0.0..top)?;
    for curve in curves {
        let upper = curve.points.iter().map(|&(x, _, (_, high))| (x, high));
        let lower = curve.points.iter().rev().map(|&(x, _, (low, _))| (x, low));
        let band: Vec<(f64, f64)> = upper.chain(lower).collect();
        chart.draw_series(iter::once(Polygon::new(band, Role::Band.colour().filled())))?;
    }
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(Role::Grid.colour())
        .axis_style(Role::Axis.colour())
        .label_style(("sans-serif", TYPE_SIZE).with_color(Role::Tick.colour()).into_text_style(&root))
        .set_all_tick_mark_size(3 * GRID)
        .x_labels(8)
        .x_label_formatter(&|value| plain_label(*value).replace('-', "\u{2212}"))
        .y_labels(5)
        .y_label_formatter(&|rate| percent_label(*rate))
        .draw()?;
    let mut placer = Placer::new(Rect {
        left: MARGINS.left,
        top: MARGINS.top,
        right: SIZE.0 - MARGINS.right,
        bottom: SIZE.1 - MARGINS.bottom,
    });
    let mut lines = Vec::new();
    for (curve, role) in curves.iter().zip(LINES) {
        let line: Vec<(f64, f64)> = curve.points.iter().map(|&(x, rate, _)| (x, rate)).collect();
        chart.draw_series(LineSeries::new(line.iter().copied(), role.colour()))?;
        let place = |point: &(f64, f64)| chart.plotting_area().map_coordinate(point);
        let at: Vec<(i32, i32)> = line.iter().map(place).collect();
        at.windows(2).flat_map(pieces).for_each(|(from, to)| placer.take(Rect::spanned(from, to, GRID)));
        lines.push((&curve.label, at));
    }
    // The name stands at whichever point of its line has a free place beside it; without one, the text around the chart
    // and the order of the dashes must do.
    let names: Vec<(&String, Placed)> = lines
        .iter()
        .filter(|(label, _)| !label.is_empty())
        .filter_map(|(label, at)| {
            Some((*label, at.iter().find_map(|&at| placer.place(label, TYPE_SIZE, at, 8 * GRID))?))
        })
        .collect();
    let style = ("sans-serif", TYPE_SIZE).with_color(Role::AxisTitle.colour()).into_text_style(&root);
    root.draw_text(&what.error_title, &style.pos(Pos::new(HPos::Left, VPos::Top)), (2 * GRID, 4 * GRID))?;
    root.draw_text(
        &what.across,
        &style.pos(Pos::new(HPos::Right, VPos::Bottom)),
        (SIZE.0 - MARGINS.right, SIZE.1 - 2 * GRID),
    )?;
    drop(chart);
    drop(root);
    let mut svg = Svg::new(body, (SIZE.0.unsigned_abs(), SIZE.1.unsigned_abs()));
    for (name, placed) in names {
        svg.text("label", name, TYPE_SIZE, placed.anchor, placed.at);
    }
    Ok(())
}

/// A segment of a line in pieces, so that the boxes around them hug it.
fn pieces(segment: &[(i32, i32)]) -> Vec<((i32, i32), (i32, i32))> {
    const PIECES: i32 = 12;
    let (from, to) = (segment[0], segment[1]);
    let at =
        |piece: i32| (from.0 + (to.0 - from.0) * piece / PIECES, from.1 + (to.1 - from.1) * piece / PIECES);
    (0..PIECES).map(|piece| (at(piece), at(piece + 1))).collect()
}
