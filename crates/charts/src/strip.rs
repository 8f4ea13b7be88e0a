//! A number and its interval as a mark on a short scale, to stand in a table row.

/// Width of the strip in user units.
const WIDTH: f64 = 96.0;
/// Height of the strip in user units.
const HEIGHT: f64 = 14.0;
/// Room for half a mark at either end.
const MARGIN: f64 = 4.0;

/// Draws `value` as a dot and `interval` (low, high) as a line through it, on a linear scale from 0 to
/// `full_scale`. All three share one unit. The drawing is hidden from assistive technology, because the numbers
/// stand beside it; styled by the classes of [`crate::STYLESHEET`]. Empty if there is nothing to draw: a value
/// that is not finite, or a full scale that is not positive.
pub fn interval_strip(value: f64, interval: Option<(f64, f64)>, full_scale: f64) -> String {
    if !value.is_finite() || !full_scale.is_finite() || full_scale <= 0.0 {
        return String::new();
    }
    let place = |number: f64| MARGIN + (number / full_scale).clamp(0.0, 1.0) * (WIDTH - 2.0 * MARGIN);
    let middle = HEIGHT / 2.0;
    let whisker = interval.filter(|(low, high)| low.is_finite() && high.is_finite()).map_or_else(
        String::new,
        |(low, high)| {
            format!(r#"<path class="whisker" d="M{:.1} {middle}H{:.1}"/>"#, place(low), place(high))
        },
    );
    let (start, end) = (MARGIN, WIDTH - MARGIN);
    format!(
        concat!(
            r#"<svg class="dot-strip" viewBox="0 0 {} {}" aria-hidden="true" focusable="false">"#,
            r#"<path class="rail" d="M{start} {middle}H{end}"/>{}<circle class="dot" cx="{:.1}" cy="{middle}" r="2.5"/></svg>"#
        ),
        WIDTH,
        HEIGHT,
        whisker,
        place(value),
        start = start,
        end = end,
        middle = middle,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_stands_at_the_left_end_and_full_scale_at_the_right() {
        assert!(interval_strip(0.0, None, 0.5).contains(r#"cx="4.0""#));
        assert!(interval_strip(0.5, None, 0.5).contains(r#"cx="92.0""#));
    }

    #[test]
    fn an_interval_is_drawn_on_the_scale_of_the_value() {
        assert!(interval_strip(0.5, Some((0.25, 0.75)), 1.0).contains(r#"d="M26.0 7H70.0""#));
    }

    #[test]
    fn what_cannot_be_placed_is_not_drawn() {
        assert_eq!(interval_strip(f64::NAN, None, 1.0), "");
        assert_eq!(interval_strip(0.1, None, 0.0), "");
        assert!(!interval_strip(0.1, Some((f64::NAN, 0.2)), 1.0).contains("whisker"));
    }
}
