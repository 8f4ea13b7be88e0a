//! Which words are taken for which.

use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use crate::align::Step;

/// How often each word was taken for each other, over many items, and in which utterances.
#[derive(Debug, Clone, Default)]
pub struct Confusions(FxHashMap<(Option<String>, Option<String>), Seen>);

#[derive(Debug, Clone, Default)]
struct Seen {
    count: u64,
    utterances: FxHashSet<usize>,
}

/// One kind of word error and how often it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// The word said; `None` for an insertion.
    pub reference: Option<String>,
    /// The word written; `None` for a deletion.
    pub hypothesis: Option<String>,
    /// How often.
    pub count: u64,
    /// In how many different utterances.
    pub utterances: u64,
}

impl Confusions {
    /// Adds the errors of one item. `utterance` is a number of the utterance, the same wherever it is spoken again.
    pub fn add(&mut self, utterance: usize, reference: &[&str], hypothesis: &[&str], steps: &[Step]) {
        let word = |side: &[&str], index: usize| Some(side[index].to_owned());
        for step in steps {
            let pair = match *step {
                Step::Hit { .. } => continue,
                Step::Substitution { reference: i, hypothesis: j } => {
                    (word(reference, i), word(hypothesis, j))
                }
                Step::Deletion { reference: i } => (word(reference, i), None),
                Step::Insertion { hypothesis: j } => (None, word(hypothesis, j)),
            };
            let seen = self.0.entry(pair).or_default();
            seen.count += 1;
            seen.utterances.insert(utterance);
        }
    }

    /// The `most` frequent errors of those seen in at least `fewest` different utterances, the most frequent first,
    /// then by word.
    ///
    /// What happens in many utterances is said in many, and tells of none of them. Of held-out references nothing else
    /// may be shown.
    pub fn top(&self, most: usize, fewest: usize) -> Vec<Confusion> {
        let mut all: Vec<Confusion> = self
            .0
            .iter()
            .filter(|(_, seen)| seen.utterances.len() >= fewest)
            .map(|((reference, hypothesis), seen)| Confusion {
                reference: reference.clone(),
                hypothesis: hypothesis.clone(),
                count: seen.count,
                utterances: seen.utterances.len() as u64,
            })
            .collect();
        let key = |c: &Confusion| (std::cmp::Reverse(c.count), c.reference.clone(), c.hypothesis.clone());
        all.sort_by_cached_key(key);
        all.truncate(most);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::align::{align, split_words};

    fn confusions() -> Confusions {
        let mut confusions = Confusions::default();
        let items =
            [(0, "a cat", "a hat"), (1, "the cat sat", "the hat sat"), (2, "one two", "two"), (2, "one", "")];
        for (utterance, reference, hypothesis) in items {
            let (reference, hypothesis) = (split_words(reference), split_words(hypothesis));
            confusions.add(utterance, &reference, &hypothesis, &align(&reference, &hypothesis));
        }
        confusions
    }

    #[test]
    fn the_most_frequent_errors_come_first() {
        let top = confusions().top(5, 1);
        let shown = |c: &Confusion| (c.reference.clone(), c.hypothesis.clone(), c.count, c.utterances);
        let word = |word: &str| Some(word.to_owned());
        assert_eq!(
            top.iter().map(shown).collect::<Vec<_>>(),
            [(word("cat"), word("hat"), 2, 2), (word("one"), None, 2, 1)]
        );
        assert_eq!(confusions().top(1, 1).len(), 1);
    }

    #[test]
    fn an_error_of_one_utterance_stays_hidden_however_often_it_happens() {
        let top = confusions().top(5, 2);
        assert_eq!(top.len(), 1);
        assert_eq!(top[0].reference.as_deref(), Some("cat"));
    }
}
