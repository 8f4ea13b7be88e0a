//! The drawing backend: what `plotters` draws becomes SVG with class names in the place of colours.
//!
//! Coordinates come as whole numbers, in tenths of a user unit, so that nothing is rounded to a pixel.
//! What a colour means is told by [`Role`]: each has a colour that is never shown, only translated to a class.

use std::{
    convert::Infallible,
    fmt::{self, Write as _},
};

use plotters::style::RGBColor;
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    text_anchor::{HPos, VPos},
};

/// Backend coordinates in one user unit of the SVG.
pub(crate) const GRID: i32 = 10;

/// What a drawn thing is; becomes its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Grid,
    Axis,
    Tick,
    AxisTitle,
    Dominated,
    FrontLine,
    Band,
    Curve1,
    Curve2,
    Curve3,
    Curve4,
}

impl Role {
    const ALL: [Self; 11] = [
        Self::Grid,
        Self::Axis,
        Self::Tick,
        Self::AxisTitle,
        Self::Dominated,
        Self::FrontLine,
        Self::Band,
        Self::Curve1,
        Self::Curve2,
        Self::Curve3,
        Self::Curve4,
    ];

    /// The colour that stands for this role inside `plotters`.
    pub(crate) const fn colour(self) -> RGBColor {
        RGBColor(0, 0, self as u8)
    }

    fn class(colour: BackendColor) -> &'static str {
        let role = Self::ALL.get(usize::from(colour.rgb.2));
        match role {
            Some(Self::Grid) => "grid",
            Some(Self::Axis) => "axis",
            Some(Self::Tick) => "tick",
            Some(Self::AxisTitle) => "axis-title",
            Some(Self::Dominated) => "dominated",
            Some(Self::FrontLine) => "front-line",
            Some(Self::Band) => "band",
            Some(Self::Curve1) => "curve first",
            Some(Self::Curve2) => "curve second",
            Some(Self::Curve3) => "curve third",
            Some(Self::Curve4) => "curve fourth",
            None => "",
        }
    }
}

/// Where a text is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// Text in an attribute or between tags: markup is escaped, and a character that XML 1.0 does not allow is
/// replaced by U+FFFD.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => formatter.write_str("&amp;")?,
                '<' => formatter.write_str("&lt;")?,
                '>' => formatter.write_str("&gt;")?,
                '"' => formatter.write_str("&quot;")?,
                '\'' => formatter.write_str("&#39;")?,
                '\t' | '\n' => formatter.write_char(' ')?,
                '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => formatter.write_char('\u{fffd}')?,
                _ => formatter.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// A number of grid steps, written in user units.
pub(crate) struct Units(pub(crate) i32);

impl fmt::Display for Units {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, tenth) = (self.0.abs() / GRID, self.0.abs() % GRID);
        if tenth == 0 {
            write!(formatter, "{sign}{whole}")
        } else {
            write!(formatter, "{sign}{whole}.{tenth}")
        }
    }
}

/// Width of a text in grid steps, by the average widths of a sans-serif face. There is no font to ask: the
/// reader's own will be used.
pub(crate) fn text_width(text: &str, size: i32) -> i32 {
    let ems: f64 = text
        .chars()
        .map(|character| match character {
            'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 0.28,
            'f' | 'r' | 't' | '(' | ')' | '[' | ']' | '/' | ' ' | '-' => 0.34,
            'm' | 'w' | 'M' | 'W' | '@' | '%' | '…' => 0.89,
            'A'..='Z' => 0.70,
            '\u{2e80}'.. => 1.0,
            _ => 0.56,
        })
        .sum();
    (ems * f64::from(size)).ceil() as i32
}

/// Writes SVG elements into a string. Nothing can fail: there is no device and no font.
pub(crate) struct Svg<'a> {
    markup: &'a mut String,
    size: (u32, u32),
}

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

impl<'a> Svg<'a> {
    /// A canvas of `size` grid steps.
    pub(crate) fn new(markup: &'a mut String, size: (u32, u32)) -> Self {
        Self { markup, size }
    }

    /// Writes markup as it is.
    pub(crate) fn raw(&mut self, markup: fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.markup.write_fmt(markup);
    }

    /// Writes one line of text whose baseline starts, ends or is centred at `at`; `size` in grid steps.
    pub(crate) fn text(&mut self, class: &str, text: &str, size: i32, anchor: Anchor, at: BackendCoord) {
        let (x, y, size, anchor) = (Units(at.0), Units(at.1), Units(size), anchor.as_str());
        let text = Escaped(text);
        self.raw(format_args!(
            r#"<text class="{class}" x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}">{text}</text>"#
        ));
    }

    fn shape(&mut self, element: &str, colour: BackendColor, points: impl IntoIterator<Item = BackendCoord>) {
        // Alpha 0 is how `plotters` says "do not draw", e.g. for the minor grid.
        if colour.alpha == 0.0 {
            return;
        }
        self.raw(format_args!(r#"<{element} class="{}" points=""#, Role::class(colour)));
        for (index, (x, y)) in points.into_iter().enumerate() {
            let gap = if index == 0 { "" } else { " " };
            self.raw(format_args!("{gap}{},{}", Units(x), Units(y)));
        }
        self.raw(format_args!(r#""/>"#));
    }
}

impl DrawingBackend for Svg<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, point: BackendCoord, colour: BackendColor) -> Drawn {
        self.draw_rect(point, (point.0 + 1, point.1 + 1), &colour, true)
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (left, top): BackendCoord,
        (right, bottom): BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let corners = [(left, top), (right, top), (right, bottom), (left, bottom)];
        if fill {
            self.fill_polygon(corners, style)
        } else {
            self.draw_path(corners.into_iter().chain([(left, top)]), style)
        }
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        self.shape("polyline", style.color(), path);
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        centre: BackendCoord,
        radius: u32,
        style: &S,
        _fill: bool,
    ) -> Drawn {
        let (x, y, radius) = (Units(centre.0), Units(centre.1), Units(radius.cast_signed()));
        let class = Role::class(style.color());
        self.raw(format_args!(r#"<circle class="{class}" cx="{x}" cy="{y}" r="{radius}"/>"#));
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        corners: I,
        style: &S,
    ) -> Drawn {
        self.shape("polygon", style.color(), corners);
        Ok(())
    }

    fn draw_text<T: BackendTextStyle>(&mut self, text: &str, style: &T, (x, y): BackendCoord) -> Drawn {
        let size = style.size().round() as i32;
        let anchor = match style.anchor().h_pos {
            HPos::Left => Anchor::Start,
            HPos::Center => Anchor::Middle,
            HPos::Right => Anchor::End,
        };
        // From the stated edge to the baseline: capitals are about 0.72 em high.
        let to_baseline = match style.anchor().v_pos {
            VPos::Top => size * 8 / 10,
            VPos::Center => size * 36 / 100,
            VPos::Bottom => -size * 2 / 10,
        };
        self.text(Role::class(style.color()), text, size, anchor, (x, y + to_baseline));
        Ok(())
    }

    fn estimate_text_size<T: BackendTextStyle>(
        &self,
        text: &str,
        style: &T,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let size = style.size().round() as i32;
        Ok((text_width(text, size).unsigned_abs(), size.unsigned_abs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_is_found_again_by_its_colour() {
        let classes: std::collections::BTreeSet<&str> = Role::ALL
            .into_iter()
            .map(|role| {
                let RGBColor(r, g, b) = role.colour();
                Role::class(BackendColor { alpha: 1.0, rgb: (r, g, b) })
            })
            .collect();
        assert_eq!(classes.len(), Role::ALL.len());
        assert!(!classes.contains(""));
    }

    #[test]
    fn markup_is_escaped_and_characters_outside_xml_are_replaced() {
        assert_eq!(
            Escaped("<a b='\"&\u{0}\u{b}\n>").to_string(),
            "&lt;a b=&#39;&quot;&amp;\u{fffd}\u{fffd} &gt;"
        );
    }

    #[test]
    fn tenths_are_written_as_user_units() {
        let written: Vec<String> = [0, 5, 10, -7, 1234].map(|tenths| Units(tenths).to_string()).to_vec();
        assert_eq!(written, ["0", "0.5", "1", "-0.7", "123.4"]);
    }

    #[test]
    fn a_wider_text_is_estimated_wider() {
        assert!(text_width("will", 120) < text_width("wwmm", 120));
        assert_eq!(text_width("", 120), 0);
    }
}
