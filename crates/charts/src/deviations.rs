//! Deviations from a usual value, one after the other, against the band they may move in.

use std::fmt::Write as _;

/// Width of the drawing in user units.
const WIDTH: f64 = 640.0;
/// Its height.
const HEIGHT: f64 = 96.0;
/// Room for half a mark at any edge.
const MARGIN: f64 = 6.0;
/// The band takes this share of the height, unless a value lies further out.
const BAND: f64 = 0.6;

/// Draws `deviations`, shares of the usual value, the first at the left, as dots around a line of no deviation, with the
/// band of ±`tolerance` shaded; a dot outside it is of the class `off`. Hidden from assistive technology, because a table
/// stands beside it; styled by the classes of [`crate::STYLESHEET`]. Empty if there is nothing to draw: no finite value, or
/// a tolerance that is not positive.
pub fn deviations(deviations: &[f64], tolerance: f64) -> String {
    let values: Vec<f64> = deviations.iter().copied().filter(|it| it.is_finite()).collect();
    if values.is_empty() || !tolerance.is_finite() || tolerance <= 0.0 {
        return String::new();
    }
    let furthest = values.iter().map(|it| it.abs()).fold(tolerance / BAND, f64::max);
    let middle = HEIGHT / 2.0;
    let height_of = |value: f64| middle - value / furthest * (middle - MARGIN);
    let place_of = |index: usize| {
        // A single value stands in the middle.
        let share = if values.len() == 1 { 0.5 } else { index as f64 / (values.len() - 1) as f64 };
        MARGIN + share * (WIDTH - 2.0 * MARGIN)
    };
    let (top, bottom) = (height_of(tolerance), height_of(-tolerance));
    let mut svg = format!(
        concat!(
            r#"<svg class="deviations" viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true" focusable="false">"#,
            r#"<rect class="band" x="0" y="{top:.1}" width="{WIDTH}" height="{height:.1}"/>"#,
            r#"<path class="rail" d="M0 {middle}H{WIDTH}"/>"#
        ),
        WIDTH = WIDTH,
        HEIGHT = HEIGHT,
        top = top,
        height = bottom - top,
        middle = middle,
    );
    for (index, value) in values.iter().enumerate() {
        let class = if value.abs() > tolerance { "dot off" } else { "dot" };
        // Writing into a string cannot fail.
        let _ = write!(
            svg,
            r#"<circle class="{class}" cx="{:.1}" cy="{:.1}" r="3.5"/>"#,
            place_of(index),
            height_of(*value)
        );
    }
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_deviation_stands_on_the_line_and_a_slower_pace_above_it() {
        let svg = deviations(&[0.0, 0.02], 0.02);
        assert!(svg.contains(r#"cx="6.0" cy="48.0""#), "{svg}");
        // 0.6 of the half height less the margin, 42.
        assert!(svg.contains(r#"cx="634.0" cy="22.8""#), "{svg}");
        assert!(svg.contains(r#"y="22.8" width="640" height="50.4""#), "{svg}");
    }

    #[test]
    fn what_is_out_of_the_band_is_marked_and_stays_in_the_drawing() {
        let svg = deviations(&[0.1], 0.02);
        assert!(svg.contains(r#"class="dot off" cx="320.0" cy="6.0""#), "{svg}");
    }

    #[test]
    fn nothing_to_draw_draws_nothing() {
        assert_eq!(deviations(&[], 0.02), "");
        assert_eq!(deviations(&[f64::NAN], 0.02), "");
        assert_eq!(deviations(&[0.1], 0.0), "");
    }
}
