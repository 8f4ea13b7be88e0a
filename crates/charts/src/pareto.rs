//! The Pareto chart: word error rate over what it costs.

use std::{convert::Infallible, fmt::Write as _, iter};

use plotters::{
    drawing::DrawingAreaErrorKind,
    element::{Drawable, PointCollection},
    prelude::{
        BindKeyPoints as _, ChartBuilder, Color as _, IntoDrawingArea as _, IntoLogRange as _,
        IntoTextStyle as _, LabelAreaPosition, LineSeries, Polygon, TRANSPARENT,
    },
    style::text_anchor::{HPos, Pos, VPos},
};
use plotters_backend::{BackendCoord, DrawingErrorKind};

use crate::{
    STYLESHEET,
    labels::{Placed, Placer, Rect},
    picture,
    scale::{LogAxis, percent_label, plain_label, upper_end},
    svg::{Anchor, Escaped, GRID, Role, Svg, Units},
};

/// Custom properties for a chart without a page around it.
pub(crate) const STANDALONE: &str = include_str!("../standalone.css");

/// Word error rate over speed, or another measure of what a model costs; one point a model.
#[derive(Debug, Clone)]
pub struct ParetoChart {
    /// Prefix of the ids inside the SVG; unique on the page. Letters, digits and hyphens.
    pub id: String,
    /// What the chart shows, in a few words: its accessible name.
    pub title: String,
    /// What there is to see, in a sentence or two: its accessible description.
    pub description: String,
    /// What the horizontal axis measures.
    pub across: Axis,
    /// Title of the vertical axis, e.g. `Word error rate, %`.
    pub error_title: String,
    /// The models. A point whose value across is not finite and positive, or whose error is not finite and at least
    /// zero, is left out.
    pub points: Vec<ParetoPoint>,
    /// Proportions and size of type.
    pub layout: Layout,
    /// Where the SVG will stand.
    pub embedding: Embedding,
}

/// A logarithmic horizontal axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// What it measures, with its unit.
    pub title: String,
    /// Which way is better.
    pub better: Better,
}

/// Which values of an axis are the better ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// The higher: right is better.
    Higher,
    /// The lower: left is better.
    Lower,
}

impl Axis {
    /// Speed as a multiple of real time.
    pub fn rtfx() -> Self {
        Self { title: "RTFx, times real time".to_owned(), better: Better::Higher }
    }

    /// Its title, with an arrow towards the better end.
    fn heading(&self) -> String {
        match self.better {
            Better::Higher => format!("{} (better →)", self.title),
            Better::Lower => format!("{} (← better)", self.title),
        }
    }
}

/// One model.
#[derive(Debug, Clone)]
pub struct ParetoPoint {
    /// Name beside the point.
    pub label: String,
    /// Where the point leads.
    pub href: String,
    /// The numbers in words, e.g. `WER 12.3 %, RTFx 4.1`: part of the point's accessible name and its tool tip.
    pub detail: String,
    /// Value on the horizontal axis.
    pub across: f64,
    /// Interval of it, (low, high).
    pub across_interval: Option<(f64, f64)>,
    /// Word error rate as a fraction.
    pub error: f64,
    /// Interval of the word error rate, (low, high), as fractions.
    pub error_interval: Option<(f64, f64)>,
    /// On the Pareto front: no other model is better on both axes.
    pub on_front: bool,
}

/// Proportions and size of type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// For a wide page: 1040 × 430 user units.
    Wide,
    /// For a phone: 360 × 380 user units, so that type keeps its size on a narrow screen.
    Compact,
}

/// Where an SVG stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Embedding {
    /// Inside a page that links [`STYLESHEET`] and defines its custom properties. No inline style, for a
    /// strict content security policy.
    Inline,
    /// As a file: brings its style along, light or dark as the reader prefers.
    Standalone,
    /// To be drawn as a picture: brings its style along, light, without anything that only a browser understands.
    Picture,
}

/// Draws the chart: error downwards to 0 on a linear axis, the cost across on a logarithmic one, the front as
/// a step line with the region it dominates shaded, intervals as whiskers, every point a link. Labels are placed
/// where they cover nothing, those of the front first; one that finds no room appears when its point has the
/// pointer or the focus.
pub fn pareto(chart: &ParetoChart) -> String {
    let frame = Frame::of(chart.layout);
    let points = drawable(&chart.points);
    let mut body = String::new();
    if points.is_empty() {
        nothing(&frame, &mut body);
    } else if draw(chart, &points, &frame, &mut body).is_err() {
        // The backend itself cannot fail; should `plotters` find no layout, a title without a picture is better
        // than half a picture.
        body.clear();
    }
    document(chart, &frame, &body)
}

/// Distance of a label from its point, in grid steps.
const LABEL_GAP: i32 = 9 * GRID;

/// Sizes of a layout, in grid steps.
struct Frame {
    size: (i32, i32),
    type_size: i32,
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
    ticks: (usize, usize),
    longest_label: usize,
}

impl Frame {
    fn of(layout: Layout) -> Self {
        match layout {
            Layout::Wide => Self {
                size: (1040 * GRID, 430 * GRID),
                type_size: 12 * GRID,
                left: 40 * GRID,
                right: 12 * GRID,
                top: 30 * GRID,
                bottom: 46 * GRID,
                ticks: (10, 7),
                longest_label: 32,
            },
            Layout::Compact => Self {
                size: (360 * GRID, 380 * GRID),
                type_size: 12 * GRID,
                left: 32 * GRID,
                right: 8 * GRID,
                top: 30 * GRID,
                bottom: 46 * GRID,
                ticks: (6, 6),
                longest_label: 22,
            },
        }
    }
}

/// A point that can be drawn, with intervals that can be drawn.
struct Usable<'a> {
    point: &'a ParetoPoint,
    across_interval: Option<(f64, f64)>,
    error_interval: Option<(f64, f64)>,
}

/// The points that have a place on the axes: those behind the front first, so that the front lies on top.
fn drawable(points: &[ParetoPoint]) -> Vec<Usable<'_>> {
    let finite = |(low, high): &(f64, f64)| low.is_finite() && high.is_finite() && low <= high;
    let mut usable: Vec<Usable<'_>> = points
        .iter()
        .filter(|point| {
            point.across.is_finite() && point.across > 0.0 && point.error.is_finite() && point.error >= 0.0
        })
        .map(|point| Usable {
            point,
            across_interval: point.across_interval.filter(finite).filter(|(low, _)| *low > 0.0),
            error_interval: point.error_interval.filter(finite).filter(|(low, _)| *low >= 0.0),
        })
        .collect();
    usable.sort_by(|left, right| {
        let by_error = left.point.error.total_cmp(&right.point.error);
        left.point.on_front.cmp(&right.point.on_front).then(by_error)
    });
    usable
}

/// The corners of the front from the worse end of the axis to the better one: each is the best of those that are as
/// accurate. Points that claim to be on the front but are not do not bend it.
fn front(points: &[Usable<'_>], better: Better) -> Vec<(f64, f64)> {
    let mut corners: Vec<(f64, f64)> = points
        .iter()
        .filter(|usable| usable.point.on_front)
        .map(|usable| (usable.point.across, usable.point.error))
        .collect();
    corners.sort_by(|left, right| {
        let best_first = match better {
            Better::Higher => right.0.total_cmp(&left.0),
            Better::Lower => left.0.total_cmp(&right.0),
        };
        best_first.then(left.1.total_cmp(&right.1))
    });
    let mut best = f64::INFINITY;
    corners.retain(|&(_, error)| {
        let better = error < best;
        best = best.min(error);
        better
    });
    corners.reverse();
    corners
}

/// The front as a staircase from the worse end of the horizontal axis (`from`) to the top (`worst`).
fn staircase(corners: &[(f64, f64)], mut from: f64, worst: f64) -> Vec<(f64, f64)> {
    let mut steps = Vec::with_capacity(2 * corners.len() + 1);
    for &(to, level) in corners {
        steps.extend([(from, level), (to, level)]);
        from = to;
    }
    steps.extend(corners.last().map(|&(best, _)| (best, worst)));
    steps
}

/// The horizontal axis and the upper end of the vertical one.
fn axes(points: &[Usable<'_>], frame: &Frame) -> (LogAxis, f64) {
    let values = points.iter().flat_map(|usable| {
        let (low, high) = usable.across_interval.unwrap_or((usable.point.across, usable.point.across));
        [usable.point.across, low, high]
    });
    let (least, most) =
        values.fold((f64::INFINITY, 0.0f64), |(low, high), across| (low.min(across), high.max(across)));
    let largest = points
        .iter()
        .map(|usable| {
            usable.error_interval.map_or(usable.point.error, |(_, high)| high.max(usable.point.error))
        })
        .fold(0.0, f64::max);
    (LogAxis::new(least, most, frame.ticks.0), upper_end(largest))
}

type Outcome = Result<(), DrawingAreaErrorKind<Infallible>>;

fn draw(what: &ParetoChart, points: &[Usable<'_>], frame: &Frame, body: &mut String) -> Outcome {
    let (across, error) = axes(points, frame);
    let size = (frame.size.0.unsigned_abs(), frame.size.1.unsigned_abs());
    let root = Svg::new(body, size).into_drawing_area();
    let mut chart = ChartBuilder::on(&root)
        .margin_top(frame.top)
        .margin_right(frame.right)
        .margin_bottom(frame.bottom - 26 * GRID)
        .set_label_area_size(LabelAreaPosition::Left, frame.left)
        .set_label_area_size(LabelAreaPosition::Bottom, 26 * GRID)
        .build_cartesian_2d(
            (across.low..across.high).log_scale().with_key_points(across.ticks.clone()),
            0.0..error,
        )?;

    let worse_end = match what.across.better {
        Better::Higher => across.low,
        Better::Lower => across.high,
    };
    let corners = front(points, what.across.better);
    let steps = staircase(&corners, worse_end, error);
    let dominated: Vec<(f64, f64)> = steps.iter().copied().chain([(worse_end, error)]).collect();
    chart.draw_series(iter::once(Polygon::new(dominated, Role::Dominated.colour().filled())))?;

    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(Role::Grid.colour())
        .axis_style(Role::Axis.colour())
        .label_style(("sans-serif", frame.type_size).with_color(Role::Tick.colour()).into_text_style(&root))
        .set_all_tick_mark_size(3 * GRID)
        .x_label_formatter(&|across| plain_label(*across))
        .y_labels(frame.ticks.1)
        .y_label_formatter(&|error| percent_label(*error))
        .draw()?;
    chart.draw_series(LineSeries::new(steps.iter().copied(), Role::FrontLine.colour()))?;

    let place = |across: f64, error: f64| chart.plotting_area().map_coordinate(&(across, error));
    let stairs: Vec<(i32, i32)> = steps.iter().map(|&(across, error)| place(across, error)).collect();
    let mut marks: Vec<Mark<'_>> = points.iter().map(|usable| Mark::new(usable, place)).collect();
    label(&mut marks, &stairs, frame);
    for mark in &marks {
        root.draw(mark)?;
    }
    axis_titles(what, &root, frame)
}

/// Gives every mark a place for its label, those on the front first.
fn label(marks: &mut [Mark<'_>], stairs: &[(i32, i32)], frame: &Frame) {
    let mut placer = Placer::new(Rect {
        left: frame.left,
        top: frame.top,
        right: frame.size.0 - frame.right,
        bottom: frame.size.1 - frame.bottom,
    });
    for mark in marks.iter() {
        placer.take(Rect::around(mark.at, 6 * GRID));
        for (from, to) in mark.whiskers() {
            placer.take(Rect::spanned(from, to, GRID));
        }
    }
    for pair in stairs.windows(2) {
        placer.take(Rect::spanned(pair[0], pair[1], 2 * GRID));
    }
    for mark in marks.iter_mut().rev() {
        let text = shortened(&mark.point.label, frame.longest_label);
        // Labels of the front are set bold, which is about a tenth wider.
        let set = if mark.point.on_front { frame.type_size * 11 / 10 } else { frame.type_size };
        let free = placer.place(&text, set, mark.at, LABEL_GAP);
        let placed = free.unwrap_or_else(|| placer.place_anyway(&text, set, mark.at, LABEL_GAP));
        mark.label = Some(MarkLabel { text, placed, size: frame.type_size, quiet: free.is_none() });
    }
}

fn shortened(label: &str, longest: usize) -> String {
    if label.chars().count() <= longest {
        return label.to_owned();
    }
    label.chars().take(longest - 1).chain(['…']).collect()
}

fn axis_titles(
    what: &ParetoChart,
    root: &plotters::drawing::DrawingArea<Svg<'_>, plotters::coord::Shift>,
    frame: &Frame,
) -> Outcome {
    let style = ("sans-serif", frame.type_size).with_color(Role::AxisTitle.colour()).into_text_style(root);
    root.draw_text(&what.error_title, &style.pos(Pos::new(HPos::Left, VPos::Top)), (2 * GRID, 4 * GRID))?;
    root.draw_text(
        &what.across.heading(),
        &style.pos(Pos::new(HPos::Right, VPos::Bottom)),
        (frame.size.0 - frame.right, frame.size.1 - 2 * GRID),
    )
}

fn nothing(frame: &Frame, body: &mut String) {
    let mut svg = Svg::new(body, (frame.size.0.unsigned_abs(), frame.size.1.unsigned_abs()));
    let middle = (frame.size.0 / 2, frame.size.1 / 2);
    svg.text("tick", "No results to draw yet", frame.type_size, Anchor::Middle, middle);
}

/// The SVG element around what was drawn.
fn document(chart: &ParetoChart, frame: &Frame, body: &str) -> String {
    let (width, height) = (Units(frame.size.0), Units(frame.size.1));
    let (id, title, description) = (Escaped(&chart.id), Escaped(&chart.title), Escaped(&chart.description));
    // An element with the role `img` hides what is in it, so inline, where the points are links that can be
    // tabbed to, the chart is a group with the same name and description.
    let (role, size, style) = match chart.embedding {
        Embedding::Inline => ("group", String::new(), String::new()),
        Embedding::Standalone => (
            "img",
            format!(r#" width="{width}" height="{height}""#),
            format!(
                r#"<style>{STANDALONE}{STYLESHEET}</style><rect class="paper" width="100%" height="100%"/>"#
            ),
        ),
        Embedding::Picture => (
            "img",
            format!(r#" width="{width}" height="{height}""#),
            format!(
                r#"<style>{}</style><rect class="paper" width="100%" height="100%"/>"#,
                picture::style("pareto")
            ),
        ),
    };
    let mut svg = String::with_capacity(body.len() + style.len() + 512);
    // Writing to a string cannot fail.
    let _ = write!(
        svg,
        concat!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" class="pareto" viewBox="0 0 {} {}"{} role="{}" "#,
            r#"aria-labelledby="{id}-title" aria-describedby="{id}-desc">"#,
            r#"<title id="{id}-title">{}</title><desc id="{id}-desc">{}</desc>{}{}</svg>"#
        ),
        width,
        height,
        size,
        role,
        title,
        description,
        style,
        body,
        id = id
    );
    svg
}

/// A model on the chart, everything in grid steps.
struct Mark<'a> {
    point: &'a ParetoPoint,
    at: (i32, i32),
    across_whisker: Option<((i32, i32), (i32, i32))>,
    error_whisker: Option<((i32, i32), (i32, i32))>,
    label: Option<MarkLabel>,
}

struct MarkLabel {
    text: String,
    placed: Placed,
    size: i32,
    /// Shown only while its point has the pointer or the focus.
    quiet: bool,
}

impl<'a> Mark<'a> {
    fn new(usable: &Usable<'a>, place: impl Fn(f64, f64) -> (i32, i32)) -> Self {
        let point = usable.point;
        let across_whisker =
            usable.across_interval.map(|(low, high)| (place(low, point.error), place(high, point.error)));
        let error_whisker =
            usable.error_interval.map(|(low, high)| (place(point.across, low), place(point.across, high)));
        Self { point, at: place(point.across, point.error), across_whisker, error_whisker, label: None }
    }

    fn whiskers(&self) -> impl Iterator<Item = ((i32, i32), (i32, i32))> {
        self.across_whisker.into_iter().chain(self.error_whisker)
    }

    fn write(&self, (x, y): (i32, i32), svg: &mut Svg<'_>) {
        let point = self.point;
        let (class, ending) =
            if point.on_front { ("point on-front", ", on the Pareto front") } else { ("point", "") };
        let (href, label, detail) = (Escaped(&point.href), Escaped(&point.label), Escaped(&point.detail));
        svg.raw(format_args!(
            r#"<a class="{class}" href="{href}" aria-label="{label}: {detail}{ending}"><title>{label}: {detail}{ending}</title>"#
        ));
        // A target of 24 × 24 units, whatever the size of the mark (WCAG 2.2, 2.5.8).
        let (centre_x, centre_y) = (Units(x), Units(y));
        svg.raw(format_args!(r#"<circle class="hit" cx="{centre_x}" cy="{centre_y}" r="12"/>"#));
        for ((x1, y1), (x2, y2)) in self.whiskers() {
            let (x1, y1, x2, y2) = (Units(x1), Units(y1), Units(x2), Units(y2));
            svg.raw(format_args!(r#"<path class="whisker" d="M{x1} {y1}L{x2} {y2}"/>"#));
        }
        if let Some(label) = &self.label
            && !label.quiet
        {
            // A label that stands apart from its point is tied to it by a line.
            let (end_x, end_y) = label.placed.rect.nearest((x, y));
            if (end_x - x).abs().max((end_y - y).abs()) > LABEL_GAP {
                let (end_x, end_y) = (Units(end_x), Units(end_y));
                svg.raw(format_args!(r#"<path class="leader" d="M{centre_x} {centre_y}L{end_x} {end_y}"/>"#));
            }
        }
        if point.on_front {
            svg.raw(format_args!(
                r#"<path class="mark" d="M{centre_x} {centre_y}m0-5.5 5.5 5.5-5.5 5.5-5.5-5.5z"/>"#
            ));
        } else {
            svg.raw(format_args!(r#"<circle class="mark" cx="{centre_x}" cy="{centre_y}" r="4"/>"#));
        }
        if let Some(label) = &self.label {
            let class = if label.quiet { "label quiet" } else { "label" };
            svg.text(class, &label.text, label.size, label.placed.anchor, label.placed.at);
        }
        svg.raw(format_args!("</a>"));
    }
}

impl<'a> PointCollection<'a, BackendCoord> for &'a Mark<'_> {
    type Point = BackendCoord;
    type IntoIter = iter::Once<BackendCoord>;

    fn point_iter(self) -> Self::IntoIter {
        iter::once(self.at)
    }
}

impl<'svg> Drawable<Svg<'svg>> for Mark<'_> {
    fn draw<I: Iterator<Item = BackendCoord>>(
        &self,
        positions: I,
        backend: &mut Svg<'svg>,
        _parent: (u32, u32),
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        for position in positions {
            self.write(position, backend);
        }
        Ok(())
    }
}
