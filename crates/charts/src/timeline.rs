//! A place or a rate over time: a stepped line for each model, with its band.

use std::fmt::Write as _;

use crate::{
    scale::{percent_label, upper_end},
    svg::Escaped,
};

/// Places or rates over time, up to [`MOST_LINES`] models.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// Prefix of the ids inside the SVG; unique on the page. Letters, digits and hyphens.
    pub id: String,
    /// What the chart shows, in a few words: its accessible name.
    pub title: String,
    /// What there is to see, in a sentence or two: its accessible description. The numbers should stand beside it.
    pub description: String,
    /// What is drawn upwards.
    pub measure: Measure,
    /// Marks of the axis of time: the share of its length from the left (0 to 1), and what is written there.
    pub times: Vec<(f64, String)>,
    /// The models.
    pub lines: Vec<TimeLine>,
}

/// What is drawn upwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Places from 1, the first on top.
    Place,
    /// Rates as fractions, from 0.
    Rate,
}

/// One model.
#[derive(Debug, Clone)]
pub struct TimeLine {
    /// Name at the end of the line; empty for a chart of one.
    pub label: String,
    /// Its page, if the line is a link.
    pub href: Option<String>,
    /// Values as long as they held, in the order of time.
    pub spans: Vec<TimeSpan>,
}

/// A value as long as it held.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeSpan {
    /// When it began and ended, as shares of the axis of time (0 to 1).
    pub time: (f64, f64),
    /// The value.
    pub value: f64,
    /// Its interval.
    pub band: Option<(f64, f64)>,
}

/// How neighbouring lines are told apart where they cross.
const LOOKS: [&str; 4] = ["first", "second", "third", "fourth"];
/// The most lines of a chart.
pub const MOST_LINES: usize = 10;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 40.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 28.0;
/// Room for names at the right.
const NAMES: f64 = 150.0;
/// Height of a line of names.
const LINE: f64 = 15.0;
/// Longest name that fits there, in characters.
const LONGEST_NAME: usize = 22;

/// Draws the chart. What is not finite is left out; a chart without a span is empty. Its classes are those of
/// [`crate::STYLESHEET`].
pub fn timeline(chart: &Timeline) -> String {
    let lines: Vec<TimeLine> = chart.lines.iter().take(MOST_LINES).map(drawable).collect();
    let values =
        lines.iter().flat_map(|line| &line.spans).map(|span| span.band.map_or(span.value, |band| band.1));
    let largest = values.fold(f64::NEG_INFINITY, f64::max);
    if !largest.is_finite() {
        return String::new();
    }
    let has_names = lines.iter().any(|line| !line.label.is_empty());
    let frame = Frame {
        right: WIDTH - if has_names { NAMES } else { 12.0 },
        measure: chart.measure,
        end: match chart.measure {
            Measure::Place => largest.max(2.0),
            Measure::Rate => upper_end(largest),
        },
    };
    let mut svg = String::new();
    let (id, title, description) = (Escaped(&chart.id), Escaped(&chart.title), Escaped(&chart.description));
    // Writing to a string cannot fail, here and below.
    let _ = write!(
        svg,
        concat!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" class="curves over-time" font-size="12" viewBox="0 0 {} {}" role="{}" "#,
            r#"aria-labelledby="{id}-title" aria-describedby="{id}-desc">"#,
            r#"<title id="{id}-title">{}</title><desc id="{id}-desc">{}</desc>"#
        ),
        WIDTH,
        HEIGHT,
        if lines.iter().any(|line| line.href.is_some()) { "group" } else { "img" },
        title,
        description,
        id = id
    );
    frame.axes(&mut svg, &chart.times);
    for (line, look) in lines.iter().zip(LOOKS.iter().cycle()) {
        frame.line(&mut svg, line, look);
    }
    frame.names(&mut svg, &lines);
    svg.push_str("</svg>");
    svg
}

fn drawable(line: &TimeLine) -> TimeLine {
    let is_finite = |span: &&TimeSpan| {
        let band = span.band.unwrap_or((0.0, 0.0));
        [span.time.0, span.time.1, span.value, band.0, band.1].iter().all(|number| number.is_finite())
    };
    TimeLine { spans: line.spans.iter().filter(is_finite).copied().collect(), ..line.clone() }
}

/// Where the axes lie.
struct Frame {
    right: f64,
    measure: Measure,
    /// The value at the far end of the vertical axis.
    end: f64,
}

impl Frame {
    fn across(&self, share: f64) -> f64 {
        LEFT + share.clamp(0.0, 1.0) * (self.right - LEFT)
    }

    fn up(&self, value: f64) -> f64 {
        let bottom = HEIGHT - BOTTOM;
        match self.measure {
            Measure::Place => TOP + (value - 1.0) / (self.end - 1.0) * (bottom - TOP),
            Measure::Rate => bottom - value / self.end * (bottom - TOP),
        }
    }

    fn axes(&self, svg: &mut String, times: &[(f64, String)]) {
        let (ticks, label): (Vec<f64>, fn(f64) -> String) = match self.measure {
            Measure::Place => {
                let step = (self.end / 6.0).ceil().max(1.0);
                let more = (1..=6).map(|tick| f64::from(tick) * step).filter(|tick| *tick > 1.0);
                let within = more.filter(|tick| *tick <= self.end);
                (std::iter::once(1.0).chain(within).collect(), |place| format!("{place:.0}"))
            }
            Measure::Rate => {
                let quarter = |tick: i32| f64::from(tick) * self.end / 4.0;
                ((0..=4).map(quarter).collect(), percent_label)
            }
        };
        for tick in ticks {
            let y = self.up(tick);
            let _ = write!(
                svg,
                r#"<path class="grid" d="M{LEFT} {y:.1}H{:.1}"/><text class="tick" x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
                self.right,
                LEFT - 6.0,
                y + 4.0,
                label(tick)
            );
        }
        for (share, written) in times {
            let anchor = match *share {
                share if share <= 0.01 => "start",
                share if share >= 0.99 => "end",
                _ => "middle",
            };
            let _ = write!(
                svg,
                r#"<text class="tick" x="{:.1}" y="{:.1}" text-anchor="{anchor}">{}</text>"#,
                self.across(*share),
                HEIGHT - 8.0,
                Escaped(written)
            );
        }
    }

    fn line(&self, svg: &mut String, line: &TimeLine, look: &str) {
        for span in &line.spans {
            let Some((low, high)) = span.band else { continue };
            let (a, b) = (self.up(low), self.up(high));
            // A place that is known for sure is a line, not an area.
            if (a - b).abs() > 0.1 {
                let (from, until) = (self.across(span.time.0), self.across(span.time.1));
                let _ = write!(
                    svg,
                    r#"<rect class="band" x="{from:.1}" y="{:.1}" width="{:.1}" height="{:.1}"/>"#,
                    a.min(b),
                    (until - from).max(1.0),
                    (a - b).abs()
                );
            }
        }
        let mut path = String::new();
        let mut end = None;
        for span in &line.spans {
            let (from, until, y) = (self.across(span.time.0), self.across(span.time.1), self.up(span.value));
            let goes_on = end.is_some_and(|end: f64| (end - from).abs() < 0.5);
            let _ = if goes_on {
                write!(path, "V{y:.1}H{until:.1}")
            } else {
                write!(path, "M{from:.1} {y:.1}H{:.1}", until.max(from + 1.0))
            };
            end = Some(until);
        }
        let _ = write!(svg, r#"<path class="curve {look}" d="{path}"/>"#);
    }

    /// Names at the right, where their lines end, moved apart where they would meet.
    fn names(&self, svg: &mut String, lines: &[TimeLine]) {
        let mut named: Vec<(f64, &TimeLine)> = lines
            .iter()
            .filter(|line| !line.label.is_empty())
            .filter_map(|line| Some((self.up(line.spans.last()?.value), line)))
            .collect();
        named.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut above = f64::NEG_INFINITY;
        for (y, _) in &mut named {
            *y = y.max(above + LINE);
            above = *y;
        }
        let mut below = HEIGHT - 6.0 + LINE;
        for (y, _) in named.iter_mut().rev() {
            *y = y.min(below - LINE);
            below = *y;
        }
        for (y, line) in named {
            let short: String = line.label.chars().take(LONGEST_NAME).collect();
            let ellipsis = if short.len() < line.label.len() { "…" } else { "" };
            let text = format!(
                r#"<text class="label" x="{:.1}" y="{:.1}"><title>{}</title>{}{ellipsis}</text>"#,
                self.right + 6.0,
                y + 4.0,
                Escaped(&line.label),
                Escaped(&short)
            );
            let _ = match &line.href {
                Some(href) => write!(svg, r#"<a href="{}">{text}</a>"#, Escaped(href)),
                None => write!(svg, "{text}"),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(label: &str, spans: &[(f64, f64, f64)]) -> TimeLine {
        let span =
            |&(from, until, value): &(f64, f64, f64)| TimeSpan { time: (from, until), value, band: None };
        TimeLine { label: label.to_owned(), href: None, spans: spans.iter().map(span).collect() }
    }

    fn chart(measure: Measure, lines: Vec<TimeLine>) -> String {
        timeline(&Timeline {
            id: "t".to_owned(),
            title: "Places".to_owned(),
            description: "Over time.".to_owned(),
            measure,
            times: vec![(0.0, "1 May 2026".to_owned())],
            lines,
        })
    }

    #[test]
    fn the_first_place_is_on_top_and_a_line_steps_where_the_place_changes() {
        let svg = chart(Measure::Place, vec![line("", &[(0.0, 0.5, 3.0), (0.5, 1.0, 1.0)])]);
        // From the left edge (40) over the middle (334) to the right one (628); place 3 at the bottom (232), 1 on top (14).
        assert!(svg.contains(r#"d="M40.0 232.0H334.0V14.0H628.0""#), "{svg}");
    }

    #[test]
    fn a_gap_is_not_bridged() {
        let svg = chart(Measure::Rate, vec![line("", &[(0.0, 0.2, 0.1), (0.6, 1.0, 0.1)])]);
        let (_, path) = svg.split_once(r#"class="curve first" d=""#).unwrap();
        assert_eq!(path.matches('M').count(), 2, "{svg}");
    }

    #[test]
    fn names_that_end_at_one_height_stand_below_each_other_and_are_escaped() {
        let svg = chart(Measure::Place, vec![line("a<b", &[(0.0, 1.0, 1.0)]), line("c", &[(0.0, 1.0, 1.0)])]);
        assert!(
            svg.contains("a&lt;b") && svg.contains(r#"y="18.0""#) && svg.contains(r#"y="33.0""#),
            "{svg}"
        );
    }

    #[test]
    fn nothing_to_draw_draws_nothing() {
        assert_eq!(chart(Measure::Rate, vec![line("a", &[(0.0, 1.0, f64::NAN)])]), "");
        assert_eq!(chart(Measure::Place, Vec::new()), "");
    }
}
