//! A small trigram language model, as an ARPA file, from text that is not in the test set.
//!
//! Interpolated Witten–Bell smoothing (Witten and Bell 1991; Chen and Goodman 1999, §2.5): a context seen n times with
//! t different followers gives each follower w (count(w) + t · P(w | shorter context)) / (n + t), and t / (n + t) is left
//! for everything else, which is exactly the back-off weight of the ARPA format.

use std::{collections::BTreeMap, fmt::Write as _};

const START: &str = "<s>";
const END: &str = "</s>";

/// What follows a context, and how often. Ordered, so that the same text gives the same file.
type Followers<'a> = BTreeMap<&'a str, u32>;

/// The model of these sentences in ARPA format. Words are lower-case letters and apostrophes, as in `PocketSphinx`'s
/// dictionary; anything else separates words.
pub(super) fn trigram_arpa(sentences: &[String]) -> String {
    let lower: Vec<String> = sentences.iter().map(|sentence| sentence.to_lowercase()).collect();
    let counts = Counts::of(&lower);
    let mut text = format!(
        "\\data\\\nngram 1={}\nngram 2={}\nngram 3={}\n",
        counts.words.len() + 1,
        counts.after_one.values().map(BTreeMap::len).sum::<usize>(),
        counts.after_two.values().map(BTreeMap::len).sum::<usize>()
    );
    // Writing to a String cannot fail, so its results are let go.
    let _ = writeln!(text, "\n\\1-grams:\n-99.0 {START} {:.5}", back_off(counts.after_one.get(START)));
    for word in counts.words.keys() {
        let probability = counts.unigram(word).log10();
        let _ = writeln!(text, "{probability:.5} {word} {:.5}", back_off(counts.after_one.get(word)));
    }
    text.push_str("\n\\2-grams:\n");
    for (first, followers) in &counts.after_one {
        for word in followers.keys() {
            let probability = counts.bigram(first, word).log10();
            let weight = back_off(counts.after_two.get(&(*first, *word)));
            let _ = writeln!(text, "{probability:.5} {first} {word} {weight:.5}");
        }
    }
    text.push_str("\n\\3-grams:\n");
    for ((first, second), followers) in &counts.after_two {
        for word in followers.keys() {
            let _ =
                writeln!(text, "{:.5} {first} {second} {word}", counts.trigram(first, second, word).log10());
        }
    }
    text.push_str("\n\\end\\\n");
    text
}

#[derive(Default)]
struct Counts<'a> {
    words: Followers<'a>,
    after_one: BTreeMap<&'a str, Followers<'a>>,
    after_two: BTreeMap<(&'a str, &'a str), Followers<'a>>,
}

impl<'a> Counts<'a> {
    fn of(sentences: &'a [String]) -> Self {
        let mut counts = Self::default();
        for sentence in sentences {
            let words = sentence
                .split(|c: char| !(c.is_ascii_lowercase() || c == '\''))
                .filter(|word| word.contains(|c: char| c != '\''));
            let sequence: Vec<&str> =
                std::iter::once(START).chain(words).chain(std::iter::once(END)).collect();
            for pair in sequence.windows(2) {
                *counts.words.entry(pair[1]).or_default() += 1;
                *counts.after_one.entry(pair[0]).or_default().entry(pair[1]).or_default() += 1;
            }
            for triple in sequence.windows(3) {
                *counts.after_two.entry((triple[0], triple[1])).or_default().entry(triple[2]).or_default() +=
                    1;
            }
        }
        counts
    }

    /// Add-one smoothed, so that no word is impossible.
    fn unigram(&self, word: &str) -> f64 {
        let total: u32 = self.words.values().sum();
        let count = self.words.get(word).copied().unwrap_or_default();
        f64::from(count + 1) / (f64::from(total) + self.words.len() as f64)
    }

    fn bigram(&self, first: &str, word: &str) -> f64 {
        interpolate(self.after_one.get(first), word, self.unigram(word))
    }

    fn trigram(&self, first: &str, second: &str, word: &str) -> f64 {
        interpolate(self.after_two.get(&(first, second)), word, self.bigram(second, word))
    }
}

fn interpolate(followers: Option<&Followers<'_>>, word: &str, shorter: f64) -> f64 {
    let Some(followers) = followers else { return shorter };
    let seen = f64::from(followers.values().sum::<u32>());
    let different = followers.len() as f64;
    let count = f64::from(followers.get(word).copied().unwrap_or_default());
    (count + different * shorter) / (seen + different)
}

/// Logarithm of what a context leaves for words not seen after it.
fn back_off(followers: Option<&Followers<'_>>) -> f64 {
    followers.map_or(0.0, |followers| {
        let seen = f64::from(followers.values().sum::<u32>());
        let different = followers.len() as f64;
        (different / (seen + different)).log10()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences() -> Vec<String> {
        ["Please hold.", "Please press one, then press pound.", "Don't hang up"].map(str::to_owned).to_vec()
    }

    #[test]
    fn what_may_follow_any_context_sums_to_one() {
        let lower: Vec<String> = sentences().iter().map(|sentence| sentence.to_lowercase()).collect();
        let counts = Counts::of(&lower);
        let total = |probability: &dyn Fn(&str) -> f64| {
            counts.words.keys().map(|word| probability(word)).sum::<f64>()
        };
        assert!((total(&|word| counts.unigram(word)) - 1.0).abs() < 1e-12);
        for first in counts.after_one.keys() {
            assert!((total(&|word| counts.bigram(first, word)) - 1.0).abs() < 1e-12, "after {first}");
        }
        for (first, second) in counts.after_two.keys() {
            assert!((total(&|word| counts.trigram(first, second, word)) - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn an_unseen_follower_has_the_back_off_weight_times_the_shorter_probability() {
        let lower: Vec<String> = sentences().iter().map(|sentence| sentence.to_lowercase()).collect();
        let counts = Counts::of(&lower);
        let weight = 10_f64.powf(back_off(counts.after_one.get("please")));
        assert!((counts.bigram("please", "up") - weight * counts.unigram("up")).abs() < 1e-12);
    }

    #[test]
    fn the_head_counts_what_the_file_holds() {
        let arpa = trigram_arpa(&sentences());
        for order in 1..=3 {
            let stated: usize = arpa
                .lines()
                .find_map(|line| line.strip_prefix(&format!("ngram {order}=")))
                .unwrap()
                .parse()
                .unwrap();
            let section = arpa.split(&format!("\\{order}-grams:\n")).nth(1).unwrap();
            assert_eq!(section.lines().take_while(|line| !line.is_empty()).count(), stated, "order {order}");
        }
        assert!(arpa.contains(" don't hang "), "an apostrophe is part of a word");
    }
}
