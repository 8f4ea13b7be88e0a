//! Amounts of money, once the words are digits and signs.

use super::super::text::word_run;
use super::value::integer;

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
pub(super) fn combine_cents(text: String) -> String {
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
pub(super) fn extract_cents(text: String) -> String {
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
