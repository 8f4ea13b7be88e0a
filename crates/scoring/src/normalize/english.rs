//! The English text normaliser of openai-whisper 20250625, written anew from its observable behaviour.
//!
//! The order of the steps is part of the definition: brackets, fillers and contractions see lower-cased raw text,
//! symbols and accents go afterwards, then numbers, then spelling. Quirks are kept (`scoring.md` lists them), since
//! the purpose is to give the same string as the reference.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;
use unicode_normalization::UnicodeNormalization;

use super::numbers;
use super::text::{
    Class, class, is_digit, is_space, remove_brackets, rewrite_runs, space_run, squeeze, word_run, words,
};

/// Hesitations that are deleted where they stand as whole words.
const FILLERS: [&str; 6] = ["hmm", "mm", "mhm", "mmm", "uh", "um"];

/// Whole words (or a word and what follows its apostrophe) that are spelled out.
const WORDS: [(&str, &str, &str); 35] = [
    ("won", "'t", "will not"),
    ("can", "'t", "can not"),
    ("let", "'s", "let us"),
    ("ain", "'t", "aint"),
    ("y", "'all", "you all"),
    ("wanna", "", "want to"),
    ("gotta", "", "got to"),
    ("gonna", "", "going to"),
    ("i", "'ma", "i am going to"),
    ("imma", "", "i am going to"),
    ("woulda", "", "would have"),
    ("coulda", "", "could have"),
    ("shoulda", "", "should have"),
    ("ma", "'am", "madam"),
    ("mr", "", "mister "),
    ("mrs", "", "missus "),
    ("st", "", "saint "),
    ("dr", "", "doctor "),
    ("prof", "", "professor "),
    ("capt", "", "captain "),
    ("gov", "", "governor "),
    ("ald", "", "alderman "),
    ("gen", "", "general "),
    ("sen", "", "senator "),
    ("rep", "", "representative "),
    ("pres", "", "president "),
    ("rev", "", "reverend "),
    ("hon", "", "honorable "),
    ("asst", "", "assistant "),
    ("assoc", "", "associate "),
    ("lt", "", "lieutenant "),
    ("col", "", "colonel "),
    ("jr", "", "junior "),
    ("sr", "", "senior "),
    ("esq", "", "esquire "),
];

/// Perfect tenses, the first of three groups of contractions after any word. The groups apply one after the other.
const PERFECTS: [(&str, &str); 6] = [
    ("'d been", " had been"),
    ("'s been", " has been"),
    ("'d gone", " had gone"),
    ("'s gone", " has gone"),
    ("'d done", " had done"),
    ("'s got", " has got"),
];
const NEGATION: [(&str, &str); 1] = [("n't", " not")];
const CONTRACTIONS: [(&str, &str); 7] = [
    ("'re", " are"),
    ("'s", " is"),
    ("'d", " would"),
    ("'ll", " will"),
    ("'t", " not"),
    ("'ve", " have"),
    ("'m", " am"),
];

static WORD_RULES: LazyLock<FxHashMap<&str, (&str, &str)>> =
    LazyLock::new(|| WORDS.iter().map(|&(word, tail, becomes)| (word, (tail, becomes))).collect());

static SPELLING: LazyLock<FxHashMap<&str, &str>> =
    LazyLock::new(|| spelling_table(include_str!("../../data/whisper-spelling.tsv")));

/// Reads a table of `word<TAB>replacement` lines; lines that start with `#` are comments.
fn spelling_table(data: &'static str) -> FxHashMap<&'static str, &'static str> {
    data.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('\t')).collect()
}

/// Normalises one English text.
pub(super) fn normalize(text: &str) -> String {
    let text = remove_brackets(text.to_lowercase());
    let text = remove_fillers(&text);
    let text = expand_contractions(text);
    let text = join_thousands(text);
    let text = drop_full_stops(text);
    let text = fold_symbols_and_accents(&text);
    let text = numbers::normalize(&text);
    let text = respell(&text, &SPELLING);
    squeeze(&drop_stray_signs(&text))
}

fn remove_fillers(text: &str) -> String {
    rewrite_runs(text, |_, run, _| (run.len() <= 3 && FILLERS.contains(&run)).then_some(run.len()))
}

fn expand_contractions(text: String) -> String {
    let apostrophe = text.contains('\'');
    let text = if apostrophe { join_apostrophes(&text) } else { text };
    let text = rewrite_runs(&text, |out, run, rest| {
        let &(tail, becomes) = WORD_RULES.get(run)?;
        let length = run.len() + tail.len();
        if !tail.is_empty() && !is_whole(rest, run.len(), tail) {
            return None;
        }
        out.push_str(becomes);
        Some(length)
    });
    if apostrophe { expand_endings(&text) } else { text }
}

/// Whether `tail` stands at byte `at` of `text` and no word character follows it.
fn is_whole(text: &str, at: usize, tail: &str) -> bool {
    text[at..].strip_prefix(tail).is_some_and(|after| word_run(after) == 0)
}

/// Removes white space before apostrophes.
fn join_apostrophes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(is_space) {
        let gap = space_run(&rest[at..]);
        let after = &rest[at + gap..];
        out.push_str(&rest[..if after.starts_with('\'') { at } else { at + gap }]);
        rest = after;
    }
    out.push_str(rest);
    out
}

fn expand_endings(text: &str) -> String {
    let text = replace_endings(text, '\'', &PERFECTS);
    let text = if text.contains("n't") { replace_endings(&text, 'n', &NEGATION) } else { text };
    replace_endings(&text, '\'', &CONTRACTIONS)
}

/// Replaces endings that no word character follows. All of `rules` begin with `first`.
fn replace_endings(text: &str, first: char, rules: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(at) = rest.find(first) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let rule = rules.iter().find(|(ending, _)| is_whole(rest, 0, ending));
        let (ending, becomes) = rule.copied().unwrap_or((&rest[..1], &rest[..1]));
        out.push_str(becomes);
        rest = &rest[ending.len()..];
    }
    out.push_str(rest);
    out
}

/// Rewrites pairs of neighbouring characters from left to right: where `rule` matches, both are dealt with and the
/// search goes on after them, so that matches never overlap.
fn rewrite_pairs(text: &str, rule: impl Fn(&mut String, char, char) -> bool) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some(&next) if rule(&mut out, c, next) => {
                chars.next();
            }
            _ => out.push(c),
        }
    }
    out
}

/// Deletes commas between digits. A digit serves one comma only: `1,2,3` becomes `12,3`.
fn join_thousands(text: String) -> String {
    if !text.contains(',') {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    let mut free = true;
    while let Some(at) = rest.find(',') {
        out.push_str(&rest[..at]);
        let before = (free || at > 0) && out.ends_with(is_digit);
        let digit = rest[at + 1..].chars().next().filter(|&c| before && is_digit(c));
        out.push(digit.unwrap_or(','));
        rest = &rest[at + 1 + digit.map_or(0, char::len_utf8)..];
        free = digit.is_none();
    }
    out.push_str(rest);
    out
}

/// Replaces full stops that no digit follows by a space, including one at the end.
fn drop_full_stops(text: String) -> String {
    if !text.contains('.') {
        return text;
    }
    let mut out = rewrite_pairs(&text, |out, c, next| {
        let matches = c == '.' && !next.is_ascii_digit();
        if matches {
            out.extend([' ', next]);
        }
        matches
    });
    if out.ends_with('.') && !ends_with_consumed_stop(&text) {
        out.pop();
        out.push(' ');
    }
    out
}

/// Whether the last full stop was already used up as the neighbour of the one before: true after an even number.
fn ends_with_consumed_stop(text: &str) -> bool {
    text.bytes().rev().take_while(|&b| b == b'.').count() % 2 == 0
}

fn fold_symbols_and_accents(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    if text.is_ascii() {
        text.chars().for_each(|c| fold(&mut out, c));
    } else {
        text.nfkd().for_each(|c| fold(&mut out, c));
    }
    out
}

/// Appends what a character of compatibility-decomposed text becomes.
fn fold(out: &mut String, c: char) {
    match c {
        'a'..='z' | '0'..='9' | ' ' | '.' | '%' | '$' | '¢' | '€' | '£' => out.push(c),
        'œ' => out.push_str("oe"),
        'Œ' => out.push_str("OE"),
        'ø' => out.push('o'),
        'Ø' => out.push('O'),
        'æ' => out.push_str("ae"),
        'Æ' => out.push_str("AE"),
        'ß' => out.push_str("ss"),
        'ẞ' => out.push_str("SS"),
        'đ' | 'ð' => out.push('d'),
        'Đ' | 'Ð' => out.push('D'),
        'þ' | 'Þ' => out.push_str("th"),
        'ł' => out.push('l'),
        'Ł' => out.push('L'),
        _ => match class(c) {
            Class::Accent => {}
            Class::Symbol => out.push(' '),
            _ => out.push(c),
        },
    }
}

/// Replaces every word that the table knows and joins the words with single spaces.
fn respell(text: &str, table: &FxHashMap<&str, &str>) -> String {
    let mut out = String::with_capacity(text.len());
    for word in words(text) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(table.get(word).copied().unwrap_or(word));
    }
    out
}

/// Drops currency signs and points that no digit follows, and percent signs that follow no digit.
fn drop_stray_signs(text: &str) -> String {
    if text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b' ') {
        return text.to_owned();
    }
    let text = rewrite_pairs(text, |out, c, next| {
        let matches = matches!(c, '.' | '$' | '¢' | '€' | '£') && !next.is_ascii_digit();
        if matches {
            out.extend([' ', next]);
        }
        matches
    });
    rewrite_pairs(&text, |out, c, next| {
        let matches = next == '%' && !c.is_ascii_digit();
        if matches {
            out.extend([c, ' ']);
        }
        matches
    })
}

#[cfg(test)]
mod tests {
    use super::super::text::is_word;
    use super::*;

    #[test]
    fn a_digit_serves_one_comma_only() {
        // re.sub(r"(\d),(\d)", r"\1\2", ...)
        assert_eq!(join_thousands("1,2,3 10,000,000 a,1 ,2".into()), "12,3 10000000 a,1 ,2");
    }

    #[test]
    fn a_full_stop_uses_up_the_character_after_it() {
        // re.sub(r"\.([^0-9]|$)", r" \1", ...)
        for (input, expected) in [
            ("a.", "a "),
            ("a..", "a ."),
            ("a...", "a . "),
            ("a..b", "a .b"),
            ("1.5.", "1.5 "),
            ("....", " . ."),
        ] {
            assert_eq!(drop_full_stops(input.into()), expected);
        }
    }

    #[test]
    fn words_with_apostrophes_are_whole_words() {
        assert_eq!(expand_contractions("i'ma'am".into()), "i am going to'am");
        assert_eq!(expand_contractions("he 's gotta".into()), "he has got to");
        assert_eq!(expand_contractions("won'ts isn't've, 'tis".into()), "won'ts is not have,'tis");
        assert_eq!(expand_contractions("'d been't".into()), " had bee not");
        assert_eq!(expand_contractions("'tn't".into()), " not not");
    }

    #[test]
    fn word_characters_bound_whole_words() {
        assert!(is_word('½'));
        assert_eq!(expand_contractions("mr½ mr\u{301}".into()), "mr½ mister \u{301}");
    }
}
