//! A card for a link to a model: its name, its place and its errors, and where it stands among the others.

use std::fmt::Write as _;

use crate::{
    picture::colour,
    scale::{LogAxis, upper_end},
    svg::{Escaped, text_width},
};

/// What sites that show cards ask for, in user units.
const WIDTH: f64 = 1200.0;
const HEIGHT: f64 = 630.0;
/// Left edge of the words.
const LEFT: f64 = 72.0;
/// Where the chart stands: left, top, right, bottom.
const CHART: [f64; 4] = [660.0, 150.0, 1128.0, 480.0];
/// Widest a name may be.
const WORDS: f64 = 540.0;

/// What a card says.
#[derive(Debug, Clone)]
pub struct Card {
    /// Name of the model.
    pub model: String,
    /// Who stands behind it.
    pub organisation: String,
    /// The large figure, e.g. `12.3 %`.
    pub figure: String,
    /// What it is, with its interval, e.g. `Avg WER (11.9–12.8)`.
    pub figure_is: String,
    /// Facts below, e.g. `rank 2–4 of 30` and `RTFx 41.2`.
    pub facts: Vec<String>,
    /// Where all this was measured, e.g. the release and the hardware class.
    pub place: String,
    /// Every model as (speed, error as a fraction, on the front).
    pub points: Vec<(f64, f64, bool)>,
    /// Which of the points is this one.
    pub own: Option<usize>,
}

/// Draws a card of 1200 × 630 user units as a picture.
pub fn card(card: &Card) -> String {
    let [ink, faint, rule, accent, paper] =
        ["--chart-ink", "--chart-faint", "--chart-rule", "--chart-accent", "--chart-paper"].map(colour);
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="DejaVu Sans, sans-serif"><rect width="{WIDTH}" height="{HEIGHT}" fill="{paper}"/><rect width="{WIDTH}" height="12" fill="{accent}"/>"#
    );
    let mut text = |x: f64, y: f64, size: f64, weight: &str, fill: &str, words: &str| {
        // Writing to a string cannot fail.
        let _ = write!(
            svg,
            r#"<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{fill}">{}</text>"#,
            Escaped(words)
        );
    };
    text(LEFT, 92.0, 30.0, "bold", accent, "FFASR");
    text(LEFT + 128.0, 92.0, 26.0, "normal", faint, "far-field speech recognition");
    let size =
        [60.0, 50.0, 42.0, 34.0].into_iter().find(|size| width(&card.model, *size) <= WORDS).unwrap_or(34.0);
    text(LEFT, 208.0, size, "bold", ink, &fitting(&card.model, size));
    text(LEFT, 256.0, 28.0, "normal", faint, &fitting(&card.organisation, 28.0));
    text(LEFT, 378.0, 84.0, "bold", ink, &card.figure);
    text(LEFT, 424.0, 28.0, "normal", faint, &card.figure_is);
    for (fact, row) in card.facts.iter().zip(0_u8..) {
        text(LEFT, 478.0 + 42.0 * f64::from(row), 28.0, "normal", ink, &fitting(fact, 28.0));
    }
    text(LEFT, 590.0, 22.0, "normal", faint, &fitting(&card.place, 22.0));
    chart(card, &mut svg, [faint, rule, accent, paper]);
    svg.push_str("</svg>");
    svg
}

/// Width of a bold text in user units, by the averages of a face that is wider than most.
fn width(text: &str, size: f64) -> f64 {
    f64::from(text_width(text, (size * 10.0) as i32)) / 10.0 * 1.18
}

/// The text, cut where it is wider than there is room.
fn fitting(text: &str, size: f64) -> String {
    if width(text, size) <= WORDS {
        return text.to_owned();
    }
    let mut shown = String::new();
    for character in text.chars() {
        shown.push(character);
        if width(&shown, size) > WORDS - size {
            break;
        }
    }
    shown.push('…');
    shown
}

fn chart(card: &Card, svg: &mut String, [faint, rule, accent, paper]: [&str; 4]) {
    let [left, top, right, bottom] = CHART;
    let is_drawable = |(speed, error, _): &(f64, f64, bool)| {
        speed.is_finite() && *speed > 0.0 && error.is_finite() && *error >= 0.0
    };
    let drawable: Vec<(usize, (f64, f64, bool))> =
        card.points.iter().copied().enumerate().filter(|(_, point)| is_drawable(point)).collect();
    if drawable.is_empty() {
        return;
    }
    let fold = |start: f64, pick: fn(f64, f64) -> f64, of: fn(&(f64, f64, bool)) -> f64| {
        drawable.iter().map(|(_, point)| of(point)).fold(start, pick)
    };
    let axis = LogAxis::new(fold(f64::INFINITY, f64::min, |it| it.0), fold(0.0, f64::max, |it| it.0), 5);
    let end = upper_end(fold(0.0, f64::max, |it| it.1));
    let x = |speed: f64| left + (speed / axis.low).ln() / (axis.high / axis.low).ln() * (right - left);
    let y = |error: f64| bottom - error / end * (bottom - top);
    // Writing to a string cannot fail.
    let _ = write!(
        svg,
        r#"<path d="M{left} {top}V{bottom}H{right}" stroke="{faint}" stroke-width="2" fill="none"/>"#
    );
    for tick in &axis.ticks {
        let at = x(*tick);
        let _ = write!(svg, r#"<path d="M{at:.1} {top}V{bottom}" stroke="{rule}" stroke-width="1"/>"#);
    }
    let mut front: Vec<(f64, f64)> =
        drawable.iter().filter(|(_, point)| point.2).map(|(_, point)| (x(point.0), y(point.1))).collect();
    front.sort_by(|one, other| one.0.total_cmp(&other.0));
    let line: Vec<String> = front.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let line = line.join(" ");
    let _ = write!(svg, r#"<polyline points="{line}" stroke="{accent}" stroke-width="2.5" fill="none"/>"#);
    for (index, (speed, error, on_front)) in &drawable {
        let (x, y) = (x(*speed), y(*error));
        let edge = if *on_front { accent } else { faint };
        if card.own == Some(*index) {
            continue;
        }
        let _ = write!(
            svg,
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="6" fill="{paper}" stroke="{edge}" stroke-width="2.5"/>"#
        );
    }
    // Last, so that nothing covers it.
    if let Some((_, (speed, error, _))) = drawable.iter().find(|(index, _)| card.own == Some(*index)) {
        let (x, y) = (x(*speed), y(*error));
        let _ = write!(
            svg,
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="13" fill="{accent}" stroke="{paper}" stroke-width="3"/>"#
        );
    }
    let _ = write!(
        svg,
        r#"<g font-size="22" fill="{faint}"><text x="{left}" y="{}">Fewer errors below</text><text x="{right}" y="{}" text-anchor="end">faster →</text></g>"#,
        top - 16.0,
        bottom + 34.0
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Card {
        Card {
            model: "Kite <small>".to_owned(),
            organisation: "Example".to_owned(),
            figure: "12.3 %".to_owned(),
            figure_is: "Avg WER (11.9–12.8)".to_owned(),
            facts: vec!["rank 2–4 of 3".to_owned()],
            place: "demo@1".to_owned(),
            points: vec![(1.0, 0.1, true), (10.0, 0.2, true), (f64::NAN, 0.2, false), (2.0, 0.3, false)],
            own: Some(1),
        }
    }

    #[test]
    fn a_card_is_a_document_that_marks_its_own_point_among_those_that_can_be_drawn() {
        let drawn = card(&example());
        let document = roxmltree::Document::parse(&drawn).unwrap();
        let circles: Vec<_> = document.descendants().filter(|node| node.has_tag_name("circle")).collect();
        assert_eq!(circles.len(), 3);
        assert_eq!(circles.iter().filter(|circle| circle.attribute("r") == Some("13")).count(), 1);
        assert!(document.descendants().any(|node| node.text() == Some("Kite <small>")));
    }

    #[test]
    fn a_name_without_end_is_cut_where_the_chart_begins() {
        let long = Card { model: "W".repeat(200), points: Vec::new(), own: None, ..example() };
        let drawn = card(&long);
        assert!(drawn.contains('…') && !drawn.contains(&"W".repeat(40)));
    }
}
