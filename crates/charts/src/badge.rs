//! A badge: a few words on the left, what they come to on the right.

use crate::{
    picture::colour,
    svg::{Escaped, GRID, Units, text_width},
};

/// Size of type in grid steps.
const SIZE: i32 = 11 * GRID;
/// Room at either side of a text, in grid steps.
const PADDING: i32 = 7 * GRID;

/// What a badge says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Badge {
    /// On the left, e.g. `FFASR`.
    pub label: String,
    /// On the right, e.g. `rank 2–4 of 30`.
    pub value: String,
    /// The value is a present one; one that is not is grey.
    pub is_current: bool,
}

/// Draws a badge 20 user units high as a file, for a page that is not ours: colours that stand on light and dark.
pub fn badge(badge: &Badge) -> String {
    let width = |text: &str| text_width(text, SIZE) + 2 * PADDING;
    let (left, right) = (width(&badge.label), width(&badge.value));
    let fill = if badge.is_current { colour("--chart-accent") } else { colour("--chart-faint") };
    let (label, value) = (Escaped(&badge.label), Escaped(&badge.value));
    format!(
        concat!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{all}" height="20" role="img" aria-label="{label}: {value}">"#,
            r#"<title>{label}: {value}</title><clipPath id="r"><rect width="{all}" height="20" rx="3"/></clipPath>"#,
            r#"<g clip-path="url(#r)"><rect width="{left}" height="20" fill="{ink}"/>"#,
            r#"<rect x="{left}" width="{right}" height="20" fill="{fill}"/></g>"#,
            r##"<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="{size}" text-anchor="middle">"##,
            r#"<text x="{label_at}" y="14" textLength="{label_length}">{label}</text>"#,
            r#"<text x="{value_at}" y="14" textLength="{value_length}">{value}</text></g></svg>"#
        ),
        all = Units(left + right),
        left = Units(left),
        right = Units(right),
        ink = colour("--chart-ink"),
        fill = fill,
        size = Units(SIZE),
        label_at = Units(left / 2),
        value_at = Units(left + right / 2),
        label_length = Units(left - 2 * PADDING),
        value_length = Units(right - 2 * PADDING),
        label = label,
        value = value,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_badge_says_both_parts_escapes_them_and_grows_with_them() {
        let short = Badge { label: "FFASR".to_owned(), value: "rank 1".to_owned(), is_current: true };
        let long = Badge { value: "<script>".repeat(3), ..short.clone() };
        let width = |drawn: &str| -> f64 {
            let document = roxmltree::Document::parse(drawn).unwrap();
            document.root_element().attribute("width").unwrap().parse().unwrap()
        };
        assert!(badge(&short).contains("FFASR: rank 1"));
        assert!(width(&badge(&long)) > width(&badge(&short)));
        assert_ne!(badge(&short), badge(&Badge { is_current: false, ..short.clone() }));
    }
}
