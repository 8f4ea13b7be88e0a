//! The report as a drawing: for each figure a gauge on which what is allowed is a band and the value a dot.

use std::fmt::Write;

use super::{Check, Figure, Report, Target};

const WIDTH: f64 = 960.0;
const MARGIN: f64 = 24.0;
const LINE: f64 = 20.0;
/// Where the gauges begin, and how long one unit of what is allowed is.
const GAUGE_LEFT: f64 = 660.0;
const GAUGE_WIDTH: f64 = 250.0;
/// A gauge ends at so many times what is allowed.
const GAUGE_RANGE: f64 = 3.0;
/// Characters of 13 px that fit across the page.
const CHARACTERS: usize = 135;

/// Colours that keep apart in both colour schemes and for the colour-blind; outcomes are also told in words and shapes.
const STYLE: &str = "\
    .page { fill: #ffffff } text { font: 13px sans-serif; fill: #1a1a1a } .title { font-size: 18px; font-weight: 600 } \
    .name { font-weight: 600 } .small { font-size: 12px; fill: #595959 } .band { fill: #d9e8f5 } \
    .axis { stroke: #8c8c8c; stroke-width: 1 } .pass { fill: #0b6bb5 } .miss { fill: #b3261e } .shown { fill: #595959 } \
    @media (prefers-color-scheme: dark) { .page { fill: #161616 } text { fill: #ececec } .small { fill: #b0b0b0 } \
    .band { fill: #1d3a52 } .pass { fill: #6cb8f0 } .miss { fill: #ff8a80 } .shown { fill: #b0b0b0 } }";

impl Report {
    /// The report as an SVG document, 960 px wide.
    pub fn to_svg(&self) -> String {
        let mut page = Page { body: String::new(), y: MARGIN };
        page.text(MARGIN, "title", "Validation of the room acoustics simulator");
        page.y += LINE;
        let explanation = format!(
            "Wave solver on {}. Each dot is a measured value; the band is what is allowed, its middle what is expected.",
            self.backend
        );
        page.text(MARGIN, "small", &explanation);
        page.y += LINE;
        for check in &self.checks {
            page.check(check);
        }
        let height = page.y + MARGIN;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
             aria-labelledby=\"title description\">\n<title id=\"title\">Validation of the room acoustics simulator</title>\n\
             <desc id=\"description\">{}</desc>\n<style>{STYLE}</style>\n\
             <rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\"/>\n{}</svg>\n",
            escape(&self.summary()),
            page.body
        )
    }

    /// Every check and how it ended, in one paragraph.
    fn summary(&self) -> String {
        let sentence = |check: &Check| format!("{}: {}.", check.title, check.outcome);
        self.checks.iter().map(sentence).collect::<Vec<_>>().join(" ")
    }
}

/// A page that grows downwards.
struct Page {
    body: String,
    y: f64,
}

impl Page {
    fn text(&mut self, x: f64, class: &str, text: &str) {
        let baseline = self.y + 14.0;
        self.write(format_args!(
            "<text class=\"{class}\" x=\"{x}\" y=\"{baseline:.1}\">{}</text>",
            escape(text)
        ));
    }

    fn paragraph(&mut self, text: &str) {
        for line in wrap(text, CHARACTERS) {
            self.text(MARGIN, "small", &line);
            self.y += LINE - 3.0;
        }
    }

    fn write(&mut self, element: std::fmt::Arguments) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.body, "{element}");
    }

    fn check(&mut self, check: &Check) {
        self.y += LINE;
        self.text(MARGIN, "name", &format!("{} – {}", check.outcome, check.title));
        self.y += LINE;
        self.paragraph(&format!("Against: {}", check.reference));
        for figure in &check.figures {
            self.figure(figure);
        }
        if let Some(reason) = check.reason {
            self.paragraph(&format!("Why: {reason}"));
        }
    }

    fn figure(&mut self, figure: &Figure) {
        let class = match figure.passes() {
            Some(true) => "pass",
            Some(false) => "miss",
            None => "shown",
        };
        self.text(MARGIN + 12.0, "figure", &figure.to_string());
        let middle = self.y + 0.5 * LINE;
        let [from, to] = allowed(figure.target).map(place);
        self.write(format_args!(
            "<rect class=\"band\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"12\"/>\
             <line class=\"axis\" x1=\"{GAUGE_LEFT}\" x2=\"{}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\"/>",
            middle - 6.0,
            to - from,
            GAUGE_LEFT + GAUGE_WIDTH,
        ));
        let deviation = figure.deviation();
        if deviation.is_finite() {
            let x = place(deviation);
            if deviation.abs() <= GAUGE_RANGE {
                self.write(format_args!(
                    "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{middle:.1}\" r=\"4.5\"/>"
                ));
            } else {
                // Beyond the gauge: an arrow at its end.
                let back = x - 9.0 * deviation.signum();
                self.write(format_args!(
                    "<path class=\"{class}\" d=\"M{x:.1} {middle:.1} L{back:.1} {:.1} L{back:.1} {:.1} Z\"/>",
                    middle - 5.0,
                    middle + 5.0
                ));
            }
        }
        self.y += LINE;
    }
}

/// Where a deviation lies on the gauge.
fn place(deviation: f64) -> f64 {
    GAUGE_LEFT + 0.5 * GAUGE_WIDTH * (1.0 + deviation.clamp(-GAUGE_RANGE, GAUGE_RANGE) / GAUGE_RANGE)
}

/// The deviations that are allowed (or, where nothing is judged, that nobody notices).
fn allowed(target: Target) -> [f64; 2] {
    match target {
        Target::Near { .. } | Target::Compare { .. } => [-1.0, 1.0],
        Target::AtMost { .. } | Target::AtLeast { .. } => [0.0, 1.0],
    }
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
