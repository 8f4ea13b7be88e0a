//! Which words are wrong: errors by word class and by entity.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::align::Step;
use crate::counts::Counts;
use crate::normalize::Normalizer;
use crate::normalize::text::words;

/// Class of a word. The first four make entities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WordClass {
    /// Digits, with sign, currency or ending, or a number word.
    Number,
    /// A month, a weekday, or a year from 1500 to 2099; "march" and "may" beside a number only.
    Date,
    /// Written with a capital inside a sentence of the raw reference.
    Name,
    /// Where each letter counts: letters and digits in one word, or single characters in a row.
    Spelled,
    /// Articles, pronouns, prepositions, conjunctions and auxiliaries.
    Function,
    /// Any other word.
    Content,
}

impl WordClass {
    /// Whether words of this class carry facts that a user acts on.
    pub fn is_entity(self) -> bool {
        self < Self::Function
    }
}

const MONTHS_AND_DAYS: [&str; 17] = [
    "january",
    "february",
    "april",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];
const NUMBER_WORDS: [&str; 35] = [
    "zero",
    "one",
    "ones",
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
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "sixty",
    "seventy",
    "eighty",
    "ninety",
    "hundred",
    "thousand",
    "million",
    "billion",
    "trillion",
    "dozen",
];
const FUNCTION_WORDS: [&str; 119] = [
    "a", "about", "above", "after", "against", "all", "am", "an", "and", "any", "are", "as", "at", "be",
    "because", "been", "before", "being", "below", "between", "both", "but", "by", "can", "could", "did",
    "do", "does", "down", "during", "each", "few", "for", "from", "had", "has", "have", "he", "her", "here",
    "hers", "him", "his", "how", "i", "if", "in", "into", "is", "it", "its", "me", "might", "more", "most",
    "must", "my", "no", "nor", "not", "of", "off", "on", "or", "other", "our", "ours", "out", "over",
    "shall", "she", "should", "so", "some", "such", "than", "that", "the", "their", "theirs", "them", "then",
    "there", "these", "they", "this", "those", "through", "to", "too", "under", "until", "up", "us", "very",
    "was", "we", "were", "what", "when", "where", "which", "while", "who", "whom", "whose", "why", "will",
    "with", "within", "without", "would", "you", "your", "yours", "may", "also", "though", "upon",
];

/// The names in a raw reference, normalised: words with a capital that do not begin a sentence, other than "I". Text
/// without lower case, and words with digits, have none.
pub fn names(raw_reference: &str, normalizer: Normalizer) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if !raw_reference.chars().any(char::is_lowercase) {
        return names;
    }
    let mut begins_sentence = true;
    for word in words(raw_reference) {
        let core = word.trim_matches(|c: char| !c.is_alphanumeric());
        let is_first_person = core == "I" || core.starts_with("I'") || core.starts_with("I’");
        let is_name = core.starts_with(char::is_uppercase) && !core.contains(char::is_numeric);
        if is_name && !begins_sentence && !is_first_person {
            let core = core.strip_suffix("'s").or_else(|| core.strip_suffix("’s")).unwrap_or(core);
            names.extend(words(&normalizer.normalize(core)).map(str::to_owned));
        }
        begins_sentence = word.ends_with(['.', '?', '!', ':', '"', '”']);
    }
    names
}

/// The class of every normalised word of a text.
pub fn classify(words: &[&str], names: &BTreeSet<String>) -> Vec<WordClass> {
    let at = |index: Option<usize>| index.and_then(|index| words.get(index)).copied();
    (0..words.len())
        .map(|index| {
            let neighbours = [at(index.checked_sub(1)), at(Some(index + 1))];
            class_of(words[index], neighbours, names)
        })
        .collect()
}

fn class_of(word: &str, neighbours: [Option<&str>; 2], names: &BTreeSet<String>) -> WordClass {
    let beside = |holds: &dyn Fn(&str) -> bool| neighbours.into_iter().flatten().any(holds);
    let is_date = MONTHS_AND_DAYS.contains(&word)
        || is_year(word)
        || (matches!(word, "march" | "may") && beside(&|word| is_number(word)));
    if is_date {
        WordClass::Date
    } else if is_number(word) {
        WordClass::Number
    } else if is_mixed(word) || (is_single(word) && beside(&is_single)) {
        WordClass::Spelled
    } else if names.contains(word) {
        WordClass::Name
    } else if FUNCTION_WORDS.contains(&word) {
        WordClass::Function
    } else {
        WordClass::Content
    }
}

fn is_year(word: &str) -> bool {
    word.len() == 4 && word.parse::<u16>().is_ok_and(|year| (1500..2100).contains(&year))
}

fn is_number(word: &str) -> bool {
    let letters = word.trim_start_matches(|c: char| !c.is_alphabetic());
    let has_digit = word.contains(|c: char| c.is_ascii_digit());
    NUMBER_WORDS.contains(&word) || (has_digit && matches!(letters, "" | "s" | "st" | "nd" | "rd" | "th"))
}

fn is_mixed(word: &str) -> bool {
    word.contains(|c: char| c.is_ascii_digit()) && word.contains(char::is_alphabetic)
}

/// One letter, other than the words "a" and "i", or one digit.
fn is_single(word: &str) -> bool {
    let mut chars = word.chars();
    let is_character = chars.next().is_some_and(char::is_alphanumeric) && chars.next().is_none();
    is_character && !matches!(word, "a" | "i")
}

/// Counts by class: hits, substitutions and deletions by that of the reference word, insertions by that of the
/// inserted word.
pub fn errors_by_class(
    reference: &[WordClass],
    hypothesis: &[WordClass],
    steps: &[Step],
) -> BTreeMap<WordClass, Counts> {
    let mut by_class: BTreeMap<WordClass, Counts> = BTreeMap::new();
    for step in steps {
        match *step {
            Step::Hit { reference: i, .. } => by_class.entry(reference[i]).or_default().hits += 1,
            Step::Substitution { reference: i, .. } => {
                by_class.entry(reference[i]).or_default().substitutions += 1;
            }
            Step::Deletion { reference: i } => by_class.entry(reference[i]).or_default().deletions += 1,
            Step::Insertion { hypothesis: j } => by_class.entry(hypothesis[j]).or_default().insertions += 1,
        }
    }
    by_class
}

/// How many entities there are and how many are wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EntityErrors {
    /// Runs of neighbouring reference words of one entity class.
    pub entities: u64,
    /// Those with a word that is not hit, or with a word inserted inside.
    pub wrong: u64,
}

impl EntityErrors {
    /// wrong / entities; `None` without entities.
    pub fn rate(&self) -> Option<f64> {
        (self.entities > 0).then(|| self.wrong as f64 / self.entities as f64)
    }
}

/// Entity errors by class. An entity is right only as a whole: one wrong digit makes a phone number wrong.
pub fn entity_errors(reference: &[WordClass], steps: &[Step]) -> BTreeMap<WordClass, EntityErrors> {
    let mut by_class: BTreeMap<WordClass, EntityErrors> = BTreeMap::new();
    let mut is_hit = vec![false; reference.len()];
    let mut inserted_before = vec![false; reference.len() + 1];
    let mut next = 0;
    for step in steps {
        match *step {
            Step::Hit { reference, .. } => {
                is_hit[reference] = true;
                next = reference + 1;
            }
            Step::Substitution { reference, .. } | Step::Deletion { reference } => next = reference + 1,
            Step::Insertion { .. } => inserted_before[next] = true,
        }
    }
    let mut start = 0;
    for run in reference.chunk_by(|a, b| a == b) {
        let end = start + run.len();
        if run[0].is_entity() {
            let errors = by_class.entry(run[0]).or_default();
            errors.entities += 1;
            let is_right =
                is_hit[start..end].iter().all(|hit| *hit) && !inserted_before[start + 1..end].contains(&true);
            errors.wrong += u64::from(!is_right);
        }
        start = end;
    }
    by_class
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::align::{align, split_words};

    #[test]
    fn words_are_classed_by_what_they_carry() {
        let raw = "On May 3rd, Anna met the 2 men in Paris. Tomorrow I will call R 2 D 2 about A320 in 1999.";
        let normalizer = Normalizer::WhisperEnglish;
        let text = normalizer.normalize(raw);
        let words = split_words(&text);
        let names = names(raw, normalizer);
        let classes = classify(&words, &names);
        let of = |class| -> Vec<&str> {
            words.iter().zip(&classes).filter(|(_, c)| **c == class).map(|(word, _)| *word).collect()
        };
        assert_eq!(of(WordClass::Date), ["may", "1999"]);
        assert_eq!(of(WordClass::Name), ["anna", "paris"]);
        assert_eq!(of(WordClass::Number), ["3rd", "2", "2", "2", "320"]);
        assert_eq!(of(WordClass::Content), ["met", "men", "tomorrow", "call"]);
        assert_eq!(of(WordClass::Spelled), ["r", "d"]);
    }

    #[test]
    fn an_entity_is_wrong_if_any_of_its_words_is() {
        let reference = split_words("call 5 5 2 for anna and bob");
        let names: BTreeSet<String> = ["anna".to_owned(), "bob".to_owned()].into_iter().collect();
        let classes = classify(&reference, &names);
        let errors = |hypothesis: &str| {
            let errors = entity_errors(&classes, &align(&reference, &split_words(hypothesis)));
            (errors[&WordClass::Number], errors[&WordClass::Name])
        };
        let entity = |entities, wrong| EntityErrors { entities, wrong };
        assert_eq!(errors("call 5 5 2 for anna and bob"), (entity(1, 0), entity(2, 0)));
        assert_eq!(errors("call 5 2 for hannah and bob"), (entity(1, 1), entity(2, 1)));
        assert_eq!(errors("call 5 9 5 2 for the anna"), (entity(1, 1), entity(2, 1)));
    }
}
