//! An alignment for human eyes: coloured text for terminals, marked-up text for pages.

use std::fmt::Write;

use crate::align::Step;

const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const RESET: &str = "\x1b[0m";

/// Two lines, reference above hypothesis, words below each other. Substitutions are yellow, deletions red and
/// insertions green; the gap where a word is missing is filled with `*`, so that it reads without colour as well.
pub fn text(reference: &[&str], hypothesis: &[&str], steps: &[Step]) -> String {
    let mut above = String::from("REF:");
    let mut below = String::from("HYP:");
    for step in steps {
        let (colour, said, written) = match *step {
            Step::Hit { reference: i, hypothesis: j } => ("", reference[i], hypothesis[j]),
            Step::Substitution { reference: i, hypothesis: j } => (YELLOW, reference[i], hypothesis[j]),
            Step::Deletion { reference: i } => (RED, reference[i], ""),
            Step::Insertion { hypothesis: j } => (GREEN, "", hypothesis[j]),
        };
        let width = said.chars().count().max(written.chars().count());
        let reset = if colour.is_empty() { "" } else { RESET };
        for (line, word) in [(&mut above, said), (&mut below, written)] {
            let word: String = word.chars().map(visible).collect();
            let padded = if word.is_empty() { "*".repeat(width) } else { format!("{word:width$}") };
            // Writing to a string cannot fail.
            let _ = write!(line, " {colour}{padded}{reset}");
        }
    }
    format!("{}\n{}\n", above.trim_end(), below.trim_end())
}

/// Words separated by spaces: a deletion as `<del>`, an insertion as `<ins>`, a substitution as both in a
/// `<span class="substitution">`. Text is escaped.
pub fn html(reference: &[&str], hypothesis: &[&str], steps: &[Step]) -> String {
    let parts: Vec<String> = steps
        .iter()
        .map(|step| match *step {
            Step::Hit { reference: i, .. } => escape(reference[i]),
            Step::Substitution { reference: i, hypothesis: j } => format!(
                "<span class=\"substitution\"><del>{}</del> <ins>{}</ins></span>",
                escape(reference[i]),
                escape(hypothesis[j])
            ),
            Step::Deletion { reference: i } => format!("<del>{}</del>", escape(reference[i])),
            Step::Insertion { hypothesis: j } => format!("<ins>{}</ins>", escape(hypothesis[j])),
        })
        .collect();
    parts.join(" ")
}

/// A model's output must not be able to move the cursor or change colours.
fn visible(c: char) -> char {
    if c.is_control() { '\u{fffd}' } else { c }
}

fn escape(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    for c in word.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::align::{align, split_words};

    #[test]
    fn words_stand_below_each_other() {
        let (reference, hypothesis) = (split_words("a cat sat down"), split_words("the hat sat"));
        let steps = align(&reference, &hypothesis);
        let plain = text(&reference, &hypothesis, &steps);
        assert_eq!(
            plain,
            "REF: \x1b[33ma  \x1b[0m \x1b[33mcat\x1b[0m sat \x1b[31mdown\x1b[0m\n\
             HYP: \x1b[33mthe\x1b[0m \x1b[33mhat\x1b[0m sat \x1b[31m****\x1b[0m\n"
        );
    }

    #[test]
    fn markup_in_an_output_is_only_text() {
        let (reference, hypothesis) = (split_words("a"), split_words("a <script>&\x1b[2J"));
        let steps = align(&reference, &hypothesis);
        assert_eq!(html(&reference, &hypothesis, &steps), "a <ins>&lt;script&gt;&amp;\x1b[2J</ins>");
        assert!(!text(&reference, &hypothesis, &steps).contains("\x1b[2J"));
    }
}
