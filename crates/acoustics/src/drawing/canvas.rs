//! Lines, areas and words in SVG.

use std::fmt::Write as _;

use glam::{DVec2, dvec2};

/// Text for an SVG document.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ if character.is_control() => {}
            _ => safe.push(character),
        }
    }
    safe
}

/// About how wide a text of this size is.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    0.51 * size * text.chars().count() as f64
}

/// From metres on a plane of the room, the second axis upwards, to places on the sheet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    /// The corner of the room's bounds that is drawn at `origin`: lowest on both axes.
    pub(super) low: DVec2,
    /// The opposite corner.
    pub(super) high: DVec2,
    /// Where the left lower corner is on the sheet.
    pub(super) origin: DVec2,
    /// Units of the sheet for a metre.
    pub(super) scale: f64,
}

impl Frame {
    pub(super) fn place(&self, at: DVec2) -> DVec2 {
        self.origin + self.scale * dvec2(at.x - self.low.x, self.low.y - at.y)
    }

    /// Left upper and right lower corner of the drawing on the sheet.
    pub(super) fn corners(&self) -> [DVec2; 2] {
        [self.place(dvec2(self.low.x, self.high.y)), self.place(dvec2(self.high.x, self.low.y))]
    }
}

/// The body of an SVG document, in the order of painting.
#[derive(Debug, Default)]
pub(super) struct Canvas {
    body: String,
}

impl Canvas {
    pub(super) fn into_body(self) -> String {
        self.body
    }

    pub(super) fn raw(&mut self, text: &str) {
        self.body.push_str(text);
    }

    /// Closed outlines; `title` is their tool tip.
    pub(super) fn outlines(&mut self, class: &str, outlines: &[Vec<DVec2>], title: &str) {
        let path: String = outlines.iter().map(|outline| path(outline) + "Z").collect();
        self.element(&format!(r#"path class="{class}" fill-rule="evenodd" d="{path}""#), title);
    }

    /// The same with a line of this width around them.
    pub(super) fn banded(&mut self, class: &str, outlines: &[Vec<DVec2>], width: f64) {
        let path: String = outlines.iter().map(|outline| path(outline) + "Z").collect();
        self.element(
            &format!(r#"path class="{class}" fill-rule="evenodd" stroke-width="{width:.1}" d="{path}""#),
            "",
        );
    }

    pub(super) fn line(&mut self, class: &str, places: &[DVec2]) {
        self.element(&format!(r#"path class="{class}" d="{}""#, path(places)), "");
    }

    /// A quarter of a circle from one place to another, around `centre`.
    pub(super) fn quarter(&mut self, class: &str, from: DVec2, to: DVec2, centre: DVec2) {
        let radius = from.distance(centre);
        let sweep = u8::from((from - centre).perp_dot(to - centre) > 0.0);
        self.element(
            &format!(
                r#"path class="{class}" d="M{:.1} {:.1}A{radius:.1} {radius:.1} 0 0 {sweep} {:.1} {:.1}""#,
                from.x, from.y, to.x, to.y
            ),
            "",
        );
    }

    pub(super) fn circle(&mut self, class: &str, centre: DVec2, radius: f64, title: &str) {
        let DVec2 { x, y } = centre;
        self.element(&format!(r#"circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="{radius:.1}""#), title);
    }

    pub(super) fn text(&mut self, class: &str, at: DVec2, text: &str) {
        let DVec2 { x, y } = at;
        let _ = write!(self.body, r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{}</text>"#, escaped(text));
    }

    /// Text in the middle of `at`, turned so that it reads from below upwards.
    pub(super) fn upright_text(&mut self, class: &str, at: DVec2, text: &str) {
        let DVec2 { x, y } = at;
        let text = escaped(text);
        let _ = write!(
            self.body,
            r#"<text class="{class}" text-anchor="middle" transform="translate({x:.1} {y:.1}) rotate(-90)">{text}</text>"#
        );
    }

    fn element(&mut self, start: &str, title: &str) {
        if title.is_empty() {
            let _ = write!(self.body, "<{start}/>");
        } else {
            let name = start.split(' ').next().unwrap_or_default();
            let _ = write!(self.body, "<{start}><title>{}</title></{name}>", escaped(title));
        }
    }
}

fn path(places: &[DVec2]) -> String {
    let mut path = String::new();
    for (index, DVec2 { x, y }) in places.iter().enumerate() {
        let _ = write!(path, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' });
    }
    path
}
