//! Arithmetic on decimal strings: all multipliers are powers of ten.

use super::super::text::{ascii_digit, is_digit};

/// A decimal integer without leading zeros, or the text of a number that is still being put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Integer(String),
    Text(String),
}

impl Value {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Integer(digits) | Self::Text(digits) => digits,
        }
    }

    pub(super) fn into_text(self) -> String {
        match self {
            Self::Integer(digits) | Self::Text(digits) => digits,
        }
    }

    pub(super) fn is_zero(&self) -> bool {
        matches!(self, Self::Integer(digits) if digits == "0")
    }
}

/// The integer with the given digits: ASCII, leading zeros dropped.
pub(super) fn integer(digits: &str) -> String {
    let digits: String = digits.chars().map(ascii_digit).collect();
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() { "0".to_owned() } else { significant.to_owned() }
}

/// Most digits of a number: `CPython` 3.11 refuses to convert more, and takes such a text for no number.
const MOST_DIGITS: usize = 4300;

/// `text` × 10^`power` if `text` reads as a non-negative decimal number (`7`, `.5`, `1.`) and the product is whole.
pub(super) fn scaled(text: &str, power: usize) -> Option<String> {
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
pub(super) fn scale_residual(digits: &str, power: usize) -> String {
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
pub(super) fn fill(digits: &str, zeros: usize, small: u8) -> Option<String> {
    if digits == "0" {
        return Some(small.to_string());
    }
    let head = digits.strip_suffix(&"00"[..zeros])?;
    Some(format!("{head}{small:0zeros$}"))
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
