//! The words that numbers are made of.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

/// What a word means to the number reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
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

pub(super) fn meaning(word: &str) -> Option<Word> {
    VOCABULARY.get(word).copied()
}
