//! The style of a chart that is drawn as a picture: what renderers without custom properties understand.

use crate::{STYLESHEET, pareto::STANDALONE};

/// The value of a custom property in the light theme.
pub(crate) fn colour(property: &str) -> &'static str {
    let light = STANDALONE.lines().next().unwrap_or_default();
    let declared = light.split([';', '{', '}']).filter_map(|declaration| declaration.split_once(':'));
    declared
        .map(|(name, value)| (name.trim(), value.trim()))
        .find(|(name, _)| *name == property)
        .map_or("", |it| it.1)
}

/// The rules of the style sheet for charts of one class, with the light theme's colours in the place of its custom
/// properties. Rules for a pointer or the focus are left out: a picture has neither.
pub(crate) fn style(class: &str) -> String {
    let rules = STYLESHEET.lines().chain(STANDALONE.lines().skip(2));
    let fitting = rules
        .filter(|rule| rule.starts_with(':') || rule.starts_with('.'))
        .filter(|rule| !rule.contains(":hover") && !rule.contains(":focus"))
        .map(|rule| rule.replace(":is(.pareto, .curves)", &format!(".{class}")))
        .filter(|rule| rule.starts_with(&format!(".{class}")) || rule.starts_with(".paper"));
    let mut style = fitting.collect::<Vec<_>>().join("\n").replace("font-family: inherit; ", "");
    while let Some((before, after)) = style.split_once("var(") {
        let (property, rest) = after.split_once(')').unwrap_or((after, ""));
        style = format!("{before}{}{rest}", colour(property));
    }
    style
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_s_style_has_colours_and_nothing_that_only_a_browser_understands() {
        let style = style("pareto");
        assert!(style.contains(".pareto .mark { fill: #fff; stroke: #14191c;"), "{style}");
        assert!(style.contains(".pareto .label {") && style.contains(".paper { fill: #fff; }"), "{style}");
        for word in ["var(", ":is(", ":hover", "inherit", "@media", ".dot-strip"] {
            assert!(!style.contains(word), "{word}");
        }
    }
}
