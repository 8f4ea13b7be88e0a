//! Spelled-out English numbers to digits, as whisper's number normaliser does it, quirks included.
//!
//! All multipliers are powers of ten, so that values stay decimal strings of any length and no arithmetic wider than
//! one digit is needed.

mod amounts;
mod value;
mod vocabulary;

use amounts::{combine_cents, extract_cents};
use value::{Value, fill, scale_residual, scaled};
use vocabulary::{Word, meaning};

use super::text::{is_digit, is_space, is_word, rewrite_runs, space_run, word_run, words};

/// Whether a word is digits, optionally with a fraction. Any script's digits count.
fn is_numeric(word: &str) -> bool {
    let mut parts = word.splitn(2, '.');
    parts.all(|part| !part.is_empty() && part.chars().all(is_digit))
}

/// Reads words from left to right and puts numbers together.
struct Reader {
    out: String,
    prefix: Option<char>,
    value: Option<Value>,
}

impl Reader {
    /// Writes a finished word with the pending sign or currency, and forgets any pending value.
    fn emit(&mut self, word: &str) {
        if !self.out.is_empty() {
            self.out.push(' ');
        }
        self.out.extend(self.prefix.take());
        self.out.push_str(word);
        self.value = None;
    }

    /// Writes the pending value, if any.
    fn flush(&mut self) {
        if let Some(value) = self.value.take() {
            self.emit(value.text());
        }
    }

    /// Takes the pending value as text; an integer zero counts as nothing, as in Python's `value or ""`.
    fn take_text(&mut self) -> String {
        self.value.take().filter(|value| !value.is_zero()).map(Value::into_text).unwrap_or_default()
    }

    fn digits(&mut self, word: &str, sign: Option<char>, whole: &str) {
        match &mut self.value {
            Some(Value::Text(text)) if text.ends_with('.') => return text.push_str(word),
            Some(_) => self.flush(),
            None => {}
        }
        self.prefix = sign.or(self.prefix);
        self.value = Some(match scaled(whole, 0) {
            Some(digits) => Value::Integer(digits),
            None => Value::Text(whole.to_owned()),
        });
    }

    /// The pending value continued by one to nineteen.
    fn with_ones(&mut self, ones: u8, previous: Option<Word>) -> Value {
        match self.value.take() {
            None => Value::Integer(ones.to_string()),
            Some(Value::Integer(digits)) if !matches!(previous, Some(Word::One(_))) => {
                let zeros = if ones < 10 { 1 } else { 2 };
                match fill(&digits, zeros, ones) {
                    Some(sum) => Value::Integer(sum),
                    None => Value::Text(digits + &ones.to_string()),
                }
            }
            Some(value) => {
                let mut text = value.into_text();
                if ones < 10 && matches!(previous, Some(Word::Ten(_))) {
                    text.pop();
                }
                Value::Text(text + &ones.to_string())
            }
        }
    }

    /// The pending value continued by twenty to ninety.
    fn with_tens(&mut self, tens: u8) -> Value {
        match self.value.take() {
            None => Value::Integer(tens.to_string()),
            Some(Value::Text(text)) => Value::Text(text + &tens.to_string()),
            Some(Value::Integer(digits)) => match fill(&digits, 2, tens) {
                Some(sum) => Value::Integer(sum),
                None => Value::Text(digits + &tens.to_string()),
            },
        }
    }

    fn multiply(&mut self, power: usize) {
        let unit = || format!("1{}", "0".repeat(power));
        self.value = Some(Value::Integer(match self.value.take() {
            None => unit(),
            Some(Value::Integer(digits)) => scale_residual(&digits, power),
            Some(Value::Text(text)) => scaled(&text, power).unwrap_or_else(|| {
                self.emit(&text);
                unit()
            }),
        }));
    }

    fn multiply_suffixed(&mut self, power: usize, suffix: &str) {
        self.multiply(power);
        self.emit_suffixed(suffix);
    }

    /// Writes the pending value with an ending such as `th` or `%`.
    fn emit_suffixed(&mut self, suffix: &str) {
        if let Some(value) = self.value.take() {
            self.emit(&format!("{}{suffix}", value.text()));
        }
    }

    /// Handles one word between its neighbours; returns whether the next word is used up as well.
    fn read(&mut self, previous: Option<&str>, word: &str, next: Option<&str>) -> bool {
        let sign = word.chars().next().filter(|c| matches!(c, '-' | '+' | '£' | '€' | '$' | '¢'));
        let whole = &word[sign.map_or(0, char::len_utf8)..];
        if is_numeric(whole) {
            self.digits(word, sign, whole);
            return false;
        }
        let Some(kind) = meaning(word) else {
            self.flush();
            self.emit(word);
            return false;
        };
        let next_kind = next.and_then(meaning);
        let number_follows = next_kind.is_some() || next.is_some_and(is_numeric);
        match kind {
            Word::Zero => {
                let text = self.take_text();
                self.value = Some(Value::Text(text + "0"));
            }
            Word::One(ones) => self.value = Some(self.with_ones(ones, previous.and_then(meaning))),
            Word::OneSuffixed(ones, suffix) => {
                self.value = Some(self.with_ones(ones, previous.and_then(meaning)));
                self.emit_suffixed(suffix);
            }
            Word::Ten(tens) => self.value = Some(self.with_tens(tens)),
            Word::TenSuffixed(tens, suffix) => {
                self.value = Some(self.with_tens(tens));
                self.emit_suffixed(suffix);
            }
            Word::Multiplier(power) => self.multiply(power),
            Word::MultiplierSuffixed(power, suffix) => self.multiply_suffixed(power, suffix),
            Word::Sign(sign) => {
                self.flush();
                if number_follows { self.prefix = Some(sign) } else { self.emit(word) }
            }
            Word::Currency(sign) if self.value.is_some() => {
                self.prefix = Some(sign);
                self.flush();
            }
            Word::Percent if self.value.is_some() => self.emit_suffixed("%"),
            Word::Per if self.value.is_some() && next == Some("cent") => {
                self.emit_suffixed("%");
                return true;
            }
            Word::Per if self.value.is_some() => {
                self.flush();
                self.emit(word);
            }
            Word::Currency(_) | Word::Percent | Word::Per => self.emit(word),
            Word::And
                if number_follows && matches!(previous.and_then(meaning), Some(Word::Multiplier(_))) => {}
            Word::Repeat(times) if matches!(next_kind, Some(Word::Zero | Word::One(_))) => {
                let digit = if let Some(Word::One(ones)) = next_kind { ones } else { 0 };
                let text = self.take_text();
                self.value = Some(Value::Text(text + &digit.to_string().repeat(times)));
                return true;
            }
            Word::Point if number_follows => {
                let digit_follows =
                    matches!(next_kind, None | Some(Word::Zero | Word::One(_) | Word::Ten(_)));
                if digit_follows {
                    let text = self.take_text();
                    self.value = Some(Value::Text(text + "."));
                }
            }
            Word::And | Word::Repeat(_) | Word::Point => {
                self.flush();
                self.emit(word);
            }
        }
        false
    }
}

/// Turns spelled-out numbers, currencies and percentages in cleaned lower-case text into digits and signs.
pub(super) fn normalize(text: &str) -> String {
    let text = separate_letters_and_digits(&expand_halves(text));
    let mut reader = Reader { out: String::with_capacity(text.len()), prefix: None, value: None };
    let mut words = words(&text).peekable();
    let mut previous = None;
    while let Some(word) = words.next() {
        let next = words.peek().copied();
        let both = reader.read(previous, word, next);
        previous = if both { words.next() } else { Some(word) };
    }
    reader.flush();
    name_ones(extract_cents(combine_cents(reader.out)))
}

/// Replaces "<number word> and a half" by "<number word> point five". With no number word before it, the phrase
/// stays, except at the start of the text, where it vanishes.
fn expand_halves(text: &str) -> String {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((segment, after)) = split_at_half(rest) {
        if let Some(last) = words(segment).last() {
            let is_number =
                matches!(meaning(last), Some(Word::Zero | Word::One(_) | Word::Ten(_) | Word::Multiplier(_)));
            pieces.extend([segment, if is_number { "point five" } else { "and a half" }]);
        }
        rest = after;
    }
    if words(rest).next().is_some() {
        pieces.push(rest);
    }
    pieces.join(" ")
}

/// Splits at the first whole-word "and a half".
fn split_at_half(text: &str) -> Option<(&str, &str)> {
    let mut from = 0;
    while let Some(found) = text[from..].find("and") {
        let at = from + found;
        let boundary = !text[..at].ends_with(is_word);
        if let Some(length) = boundary.then(|| half_phrase(&text[at..])).flatten() {
            return Some((&text[..at], &text[at + length..]));
        }
        from = at + 3;
    }
    None
}

/// Length of "and a half" at the start of `text`.
fn half_phrase(text: &str) -> Option<usize> {
    let mut rest = text.strip_prefix("and")?;
    for word in ["a", "half"] {
        let gap = space_run(rest);
        rest = rest[gap..].strip_prefix(word).filter(|_| gap > 0)?;
    }
    (word_run(rest) == 0).then_some(text.len() - rest.len())
}

/// Puts a space between letters and digits, then takes it out again before an ordinal or plural ending.
fn separate_letters_and_digits(text: &str) -> String {
    if !text.bytes().any(|b| b.is_ascii_digit()) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 8);
    let mut last = ' ';
    for c in text.chars() {
        let digit_after_letter = last.is_ascii_lowercase() && c.is_ascii_digit();
        let letter_after_digit = last.is_ascii_digit() && c.is_ascii_lowercase();
        if digit_after_letter || letter_after_digit {
            out.push(' ');
        }
        out.push(c);
        last = c;
    }
    join_suffixes(&out)
}

fn join_suffixes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(is_space) {
        let gap = space_run(&rest[at..]);
        let after = &rest[at + gap..];
        let suffix = matches!(&after[..word_run(after)], "st" | "nd" | "rd" | "th" | "s");
        let joined = suffix && rest[..at].ends_with(|c: char| c.is_ascii_digit());
        out.push_str(&rest[..if joined { at } else { at + gap }]);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Writes "one" and "ones" for a lone 1 and 1s.
fn name_ones(text: String) -> String {
    if !text.contains('1') {
        return text;
    }
    rewrite_runs(&text, |out, run, _| {
        let name = match run {
            "1" => "one",
            "1s" => "ones",
            _ => return None,
        };
        out.push_str(name);
        Some(run.len())
    })
}
