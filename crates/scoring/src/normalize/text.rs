//! The reference normalisers are Python; this is what Python calls white space, a word character or a digit.
//!
//! The classes are pinned to Unicode 14.0 (Python 3.11, with which the reference outputs were made), so that a
//! newer toolchain cannot silently change a score. Characters assigned later pass through the class tests untouched.

use std::sync::LazyLock;

/// What a normaliser needs to know about a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Decimal digit (Nd): Python's `\d`.
    Digit,
    /// Any other letter or number (L*, Nl, No).
    Letter,
    /// Nonspacing mark (Mn): what is left of an accent after NFKD.
    Accent,
    /// Other marks, symbols and punctuation (Mc, Me, S*, P*).
    Symbol,
    /// White space, controls, format characters, unassigned.
    Other,
}

/// Runs of equal class: first code point and class, ascending.
static RUNS: LazyLock<Vec<(u32, Class)>> = LazyLock::new(|| {
    include_str!("../../data/unicode-14-classes.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let (start, class) = line.split_once('\t')?;
            let class = match class {
                "D" => Class::Digit,
                "W" => Class::Letter,
                "N" => Class::Accent,
                "S" => Class::Symbol,
                _ => Class::Other,
            };
            Some((u32::from_str_radix(start, 16).ok()?, class))
        })
        .collect()
});

pub(super) fn class(c: char) -> Class {
    match c {
        '0'..='9' => Class::Digit,
        'a'..='z' | 'A'..='Z' => Class::Letter,
        '!'..='~' => Class::Symbol,
        '\0'..='\x7f' => Class::Other,
        _ => run_at(c).1,
    }
}

/// The run of equal class that holds a character.
fn run_at(c: char) -> (u32, Class) {
    let after = RUNS.partition_point(|&(start, _)| start <= u32::from(c));
    after.checked_sub(1).and_then(|i| RUNS.get(i)).copied().unwrap_or((0, Class::Other))
}

/// Python's `\w` for `str`: letters, every kind of number, and the underscore, but no combining marks.
pub(super) fn is_word(c: char) -> bool {
    c == '_' || matches!(class(c), Class::Digit | Class::Letter)
}

/// Python's `\d` for `str`: every decimal digit of Unicode.
pub(super) fn is_digit(c: char) -> bool {
    class(c) == Class::Digit
}

/// The value of a decimal digit as an ASCII digit. Digits come in runs of ten code points, zero first.
pub(super) fn ascii_digit(c: char) -> char {
    if c.is_ascii() {
        return c;
    }
    let offset = (u32::from(c) - run_at(c).0) % 10;
    char::from(b'0' + offset as u8)
}

/// Python's `str.isspace()` and `\s`: Unicode white space and the information separators U+001C to U+001F.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}

/// Python's `str.split()`.
pub(crate) fn words(text: &str) -> Words<'_> {
    Words { rest: text }
}

/// Iterates over the words of a text.
#[derive(Clone)]
pub(crate) struct Words<'a> {
    rest: &'a str,
}

impl Words<'_> {
    /// Length in bytes of what has not been read yet.
    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    #[inline]
    fn next(&mut self) -> Option<&'a str> {
        let start = run_while(self.rest, true);
        let length = run_while(&self.rest[start..], false);
        let (word, rest) = self.rest[start..].split_at(length);
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }
}

/// Length in bytes of the run of white space, or of other characters, at the start of `text`. Texts are mostly ASCII,
/// so bytes are looked at first, and within words eight at a time.
fn run_while(text: &str, space: bool) -> usize {
    let bytes = text.as_bytes();
    let mut length = if space { 0 } else { printable_run(bytes) };
    while let Some(&byte) = bytes.get(length) {
        if ASCII_SPACE[usize::from(byte)] == Some(space) {
            length += 1;
        } else if byte.is_ascii() {
            break;
        } else {
            match text[length..].chars().next() {
                Some(c) if is_space(c) == space => length += c.len_utf8(),
                _ => break,
            }
        }
    }
    length
}

/// A number of printable ASCII characters at the start of `bytes`: all of them, or all in whole blocks of eight.
fn printable_run(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    let mut length = 0;
    while let Some(block) = bytes[length..].first_chunk() {
        let block = u64::from_le_bytes(*block);
        // The high bit of the first byte below '!' or above '\x7f'; what it says of later bytes does not matter.
        let others = (block.wrapping_sub(ONES * u64::from(b'!')) | block) & (ONES << 7);
        length += others.trailing_zeros() as usize / 8;
        if others != 0 {
            break;
        }
    }
    length
}

/// Whether an ASCII character is white space; `None` for the bytes of others.
const ASCII_SPACE: [Option<bool>; 256] = {
    let mut table = [None; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        table[byte as usize] = Some(matches!(byte, b'\t'..=b'\r' | 0x1c..=b' '));
        byte += 1;
    }
    table
};

/// Length in bytes of the run of word characters at the start of `text`.
pub(super) fn word_run(text: &str) -> usize {
    run_length(text, is_word)
}

/// Length in bytes of the white space at the start of `text`.
pub(super) fn space_run(text: &str) -> usize {
    run_length(text, is_space)
}

fn run_length(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// Copies `text`, giving every whole run of word characters to `rewrite`, which either pushes what it becomes and
/// returns how many bytes of the rest it has dealt with, or returns `None` to keep the run.
pub(super) fn rewrite_runs(
    text: &str,
    mut rewrite: impl FnMut(&mut String, &str, &str) -> Option<usize>,
) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(start) = rest.find(is_word) {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let run = &rest[..word_run(rest)];
        let done = rewrite(&mut out, run, rest).unwrap_or_else(|| {
            out.push_str(run);
            run.len()
        });
        rest = &rest[done..];
    }
    out.push_str(rest);
    out
}

/// Removes `[…]` and `<…>` (either closer ends either), then `(…)`; one level, and `()` stays.
pub(super) fn remove_brackets(text: String) -> String {
    let text = remove_spans(text, ['<', '['], ['>', ']'], 0);
    remove_spans(text, ['('; 2], [')'; 2], 1)
}

/// Removes every span from an opener to the next closer that holds at least `least` bytes between them.
fn remove_spans(text: String, openers: [char; 2], closers: [char; 2], least: usize) -> String {
    if !text.contains(openers) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(open) = rest.find(openers) {
        let Some(length) = rest[open + 1..].find(closers) else { break };
        let close = open + 1 + length;
        out.push_str(&rest[..if length < least { close + 1 } else { open }]);
        rest = &rest[close + 1..];
    }
    out.push_str(rest);
    out
}

/// Turns every run of white space into one space; nothing is trimmed.
pub(super) fn squeeze(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_space = false;
    for c in text.chars() {
        let space = is_space(c);
        if !space {
            out.push(c);
        } else if !in_space {
            out.push(' ');
        }
        in_space = space;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_characters_are_those_of_python() {
        // Python 3.11: re.findall(r"\w", ...) keeps letters and all numbers, drops marks and joiners.
        for c in ['a', 'é', '_', '½', '²', '①', 'ไ', '٣', '中'] {
            assert!(is_word(c), "{c}");
        }
        for c in ['\u{301}', '\u{e31}', '\'', '’', '-', '\u{200d}', ' ', '™'] {
            assert!(!is_word(c), "{c:?}");
        }
    }

    #[test]
    fn decimal_digits_of_any_script_have_their_value() {
        for (c, value) in
            [('7', '7'), ('٣', '3'), ('９', '9'), ('𝟘', '0'), ('𝟙', '1'), ('𝟿', '9'), ('೬', '6')]
        {
            assert!(is_digit(c));
            assert_eq!(ascii_digit(c), value);
        }
    }

    #[test]
    fn words_of_any_length_are_found_whole() {
        for length in 0..40 {
            for odd in ["", "é", "\x01", "\x7f", "\u{3000}x"] {
                let word = "w".repeat(length);
                let text = format!("{word}{odd}{word} \t{word}");
                assert_eq!(
                    words(&text).collect::<Vec<_>>(),
                    text.split(is_space).filter(|w| !w.is_empty()).collect::<Vec<_>>()
                );
            }
        }
    }

    #[test]
    fn information_separators_split_words() {
        assert_eq!(words("a\x1cb\u{85}c\u{a0}d\u{3000}e").collect::<Vec<_>>(), ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn brackets_go_with_their_content_unless_the_parentheses_are_empty() {
        assert_eq!(remove_brackets("a [b> c (d) e () f (g".into()), "a  c  e () f (g");
        assert_eq!(remove_brackets("5 < 6 and 7 > 3".into()), "5  3");
        assert_eq!(remove_brackets("())".into()), "())");
    }
}
