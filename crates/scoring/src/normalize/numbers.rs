//! Spelled-out English numbers to digits, as whisper's number normaliser does it, quirks included.
//!
//! All multipliers are powers of ten, so that values stay decimal strings of any length and no arithmetic wider than
//! one digit is needed.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use super::text::{ascii_digit, is_digit, is_space, is_word, rewrite_runs, space_run, word_run, words};

/// What a word means to the number reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Zero,
    /// one to nineteen
    One(u8),
    /// ones, seconds, first, nineteenth …
    OneSuffixed(u8, &'static str),
    /// twenty to ninety
    Ten(u8),
    TenSuffixed(u8, &'static str),
    /// hundred, thousand …: the power of ten
    Multiplier(usize),
    MultiplierSuffixed(usize, &'static str),
    /// minus, plus …: goes before the number that follows
    Sign(char),
    /// dollars, cents …: goes before the number that precedes
    Currency(char),
    Per,
    Percent,
    And,
    /// double, triple
    Repeat(usize),
    Point,
}

const ONES: [&str; 19] = [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 8] = ["twent", "thirt", "fort", "fift", "sixt", "sevent", "eight", "ninet"];
const MULTIPLIERS: [(&str, usize); 12] = [
    ("hundred", 2),
    ("thousand", 3),
    ("million", 6),
    ("billion", 9),
    ("trillion", 12),
    ("quadrillion", 15),
    ("quintillion", 18),
    ("sextillion", 21),
    ("septillion", 24),
    ("octillion", 27),
    ("nonillion", 30),
    ("decillion", 33),
];

static VOCABULARY: LazyLock<FxHashMap<String, Word>> = LazyLock::new(|| {
    use Word::{
        And, Currency, Multiplier, MultiplierSuffixed, One, OneSuffixed, Per, Percent, Point, Repeat,
    };
    use Word::{Sign, Ten, TenSuffixed, Zero};
    let mut all = FxHashMap::default();
    let mut add = |word: &str, meaning| {
        all.insert(word.to_owned(), meaning);
    };
    for (value, name) in (1..).zip(ONES) {
        add(name, One(value));
        add(&if name == "six" { "sixes".to_owned() } else { format!("{name}s") }, OneSuffixed(value, "s"));
        match name {
            "one" => add("first", OneSuffixed(value, "st")),
            "two" => add("second", OneSuffixed(value, "nd")),
            "three" => add("third", OneSuffixed(value, "rd")),
            "five" => add("fifth", OneSuffixed(value, "th")),
            "twelve" => add("twelfth", OneSuffixed(value, "th")),
            // "eighth" has one t; "nineth" is what the reference knows.
            _ => add(
                &format!("{name}{}", if name.ends_with('t') { "h" } else { "th" }),
                OneSuffixed(value, "th"),
            ),
        }
    }
    add("zeroth", OneSuffixed(0, "th"));
    for (value, stem) in (20..).step_by(10).zip(TENS) {
        add(&format!("{stem}y"), Ten(value));
        add(&format!("{stem}ies"), TenSuffixed(value, "s"));
        add(&format!("{stem}ieth"), TenSuffixed(value, "th"));
    }
    for (name, power) in MULTIPLIERS {
        add(name, Multiplier(power));
        add(&format!("{name}s"), MultiplierSuffixed(power, "s"));
        add(&format!("{name}th"), MultiplierSuffixed(power, "th"));
    }
    for (name, meaning) in [("o", Zero), ("oh", Zero), ("zero", Zero)] {
        add(name, meaning);
    }
    for (name, sign) in [("minus", '-'), ("negative", '-'), ("plus", '+'), ("positive", '+')] {
        add(name, Sign(sign));
    }
    for (name, sign) in [("pound", '£'), ("euro", '€'), ("dollar", '$'), ("cent", '¢')] {
        add(name, Currency(sign));
        add(&format!("{name}s"), Currency(sign));
    }
    add("per", Per);
    add("percent", Percent);
    add("and", And);
    add("double", Repeat(2));
    add("triple", Repeat(3));
    add("point", Point);
    all
});

fn meaning(word: &str) -> Option<Word> {
    VOCABULARY.get(word).copied()
}

/// Whether a word is digits, optionally with a fraction. Any script's digits count.
fn is_numeric(word: &str) -> bool {
    let mut parts = word.splitn(2, '.');
    parts.all(|part| !part.is_empty() && part.chars().all(is_digit))
}

/// A decimal integer without leading zeros, or the text of a number that is still being put together.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Integer(String),
    Text(String),
}

impl Value {
    fn text(&self) -> &str {
        match self {
            Self::Integer(digits) | Self::Text(digits) => digits,
        }
    }

    fn into_text(self) -> String {
        match self {
            Self::Integer(digits) | Self::Text(digits) => digits,
        }
    }

    fn is_zero(&self) -> bool {
        matches!(self, Self::Integer(digits) if digits == "0")
    }
}

/// The integer with the given digits: ASCII, leading zeros dropped.
fn integer(digits: &str) -> String {
    let digits: String = digits.chars().map(ascii_digit).collect();
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() { "0".to_owned() } else { significant.to_owned() }
}

/// Most digits of a number: `CPython` 3.11 refuses to convert more, and takes such a text for no number.
const MOST_DIGITS: usize = 4300;

/// `text` × 10^`power` if `text` reads as a non-negative decimal number (`7`, `.5`, `1.`) and the product is whole.
fn scaled(text: &str, power: usize) -> Option<String> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.chars().all(is_digit);
    if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    if whole.chars().chain(fraction.chars()).nth(MOST_DIGITS).is_some() {
        return None;
    }
    let fraction: String = fraction.chars().map(ascii_digit).collect();
    let fraction = fraction.trim_end_matches('0');
    (fraction.len() <= power)
        .then(|| integer(&format!("{whole}{fraction}{}", "0".repeat(power - fraction.len()))))
}

/// An integer with the part below one thousand multiplied by 10^`power`.
fn scale_residual(digits: &str, power: usize) -> String {
    let split = digits.len().saturating_sub(3);
    let residual = integer(&format!("{}{}", &digits[split..], "0".repeat(power)));
    if split == 0 { residual } else { add(&format!("{}000", &digits[..split]), &residual) }
}

/// The sum of two decimal integers.
fn add(a: &str, b: &str) -> String {
    let mut carry = 0;
    let digit = |digits: &[u8], place: usize| digits.iter().rev().nth(place).map_or(0, |d| d - b'0');
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let sum: Vec<u8> = (0..=a.len().max(b.len()))
        .map(|place| {
            let total = digit(a, place) + digit(b, place) + carry;
            carry = total / 10;
            b'0' + total % 10
        })
        .collect();
    integer(&sum.into_iter().rev().map(char::from).collect::<String>())
}

/// An integer whose last digits are zeros, with those replaced by `small`; `None` if they are not zeros.
fn fill(digits: &str, zeros: usize, small: u8) -> Option<String> {
    if digits == "0" {
        return Some(small.to_string());
    }
    let head = digits.strip_suffix(&"00"[..zeros])?;
    Some(format!("{head}{small:0zeros$}"))
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

/// Length of the run of ASCII digits at the start of `text`.
fn digit_run(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// One or two digits at the start of `text` that end a word.
fn cents(text: &str) -> Option<&str> {
    let length = digit_run(text);
    ((1..=2).contains(&length) && word_run(text) == length).then(|| &text[..length])
}

/// "$2 and ¢7" to "$2.07".
fn combine_cents(text: String) -> String {
    if !text.contains('¢') {
        return text;
    }
    rewrite_amounts(&text, |out, sign, after| {
        let whole = &after[..digit_run(after)];
        let rest = after[whole.len()..].strip_prefix(' ').filter(|_| !whole.is_empty())?;
        let rest = rest.strip_prefix("and ").unwrap_or(rest).strip_prefix('¢')?;
        let cents = cents(rest)?;
        out.push(sign);
        out.extend([whole, ".", &"00"[cents.len()..], cents]);
        Some(&rest[cents.len()..])
    })
}

/// "$0.05" to "¢5". The reference accepts any character in place of the point.
fn extract_cents(text: String) -> String {
    if !text.contains(['€', '£', '$']) {
        return text;
    }
    rewrite_amounts(&text, |out, _, after| {
        let mut rest = after.strip_prefix('0')?.chars();
        rest.next()?;
        let cents = cents(rest.as_str())?;
        out.push('¢');
        out.push_str(&integer(cents));
        Some(&rest.as_str()[cents.len()..])
    })
}

/// Offers what follows each currency sign to `rewrite`, which writes a replacement and returns the rest.
fn rewrite_amounts<'a>(
    text: &'a str,
    rewrite: impl Fn(&mut String, char, &'a str) -> Option<&'a str>,
) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['€', '£', '$']) {
        out.push_str(&rest[..at]);
        let mut after = rest[at..].chars();
        let Some(sign) = after.next() else { break };
        rest = rewrite(&mut out, sign, after.as_str()).unwrap_or_else(|| {
            out.push(sign);
            after.as_str()
        });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_strings_add_like_integers() {
        assert_eq!(add("999999999999999999999000", "1000"), "1000000000000000000000000");
        assert_eq!(scale_residual("1002", 3), "3000");
        assert_eq!(scale_residual("0", 6), "0");
        assert_eq!(fill("120", 1, 4).as_deref(), Some("124"));
        assert_eq!(fill("100", 2, 11).as_deref(), Some("111"));
        assert_eq!(fill("0", 2, 11).as_deref(), Some("11"));
        assert_eq!(fill("110", 2, 20), None);
    }

    #[test]
    fn only_whole_products_scale() {
        assert_eq!(scaled("2.5", 6).as_deref(), Some("2500000"));
        assert_eq!(scaled(".50", 1).as_deref(), Some("5"));
        assert_eq!(scaled("1.", 0).as_deref(), Some("1"));
        assert_eq!(scaled("0.125", 2), None);
        assert_eq!(scaled(".", 3), None);
        assert_eq!(scaled("1.2.3", 9), None);
        assert_eq!(scaled("", 3), None);
    }
}
