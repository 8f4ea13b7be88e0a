//! Which words are taken for which.

use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::align::Step;

/// How often each word was taken for each other, over many items.
#[derive(Debug, Clone, Default)]
pub struct Confusions(FxHashMap<(Option<String>, Option<String>), u64>);

/// One kind of word error and how often it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// The word said; `None` for an insertion.
    pub reference: Option<String>,
    /// The word written; `None` for a deletion.
    pub hypothesis: Option<String>,
    /// How often.
    pub count: u64,
}

impl Confusions {
    /// Adds the errors of one item.
    pub fn add(&mut self, reference: &[&str], hypothesis: &[&str], steps: &[Step]) {
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
            *self.0.entry(pair).or_default() += 1;
        }
    }

    /// The `most` frequent errors of those seen at least `at_least` times, the most frequent first, then by word.
    ///
    /// Words of held-out references must not be shown: use this on public sets only.
    pub fn top(&self, most: usize, at_least: u64) -> Vec<Confusion> {
        let mut all: Vec<Confusion> = self
            .0
            .iter()
            .filter(|(_, count)| **count >= at_least)
            .map(|((reference, hypothesis), &count)| Confusion {
                reference: reference.clone(),
                hypothesis: hypothesis.clone(),
                count,
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

    #[test]
    fn the_most_frequent_errors_come_first() {
        let mut confusions = Confusions::default();
        for (reference, hypothesis) in
            [("a cat", "a hat"), ("the cat sat", "the hat sat"), ("one two", "two")]
        {
            let (reference, hypothesis) = (split_words(reference), split_words(hypothesis));
            confusions.add(&reference, &hypothesis, &align(&reference, &hypothesis));
        }
        let top = confusions.top(5, 1);
        assert_eq!(top.len(), 2);
        assert_eq!(
            (top[0].reference.as_deref(), top[0].hypothesis.as_deref(), top[0].count),
            (Some("cat"), Some("hat"), 2)
        );
        assert_eq!((top[1].reference.as_deref(), top[1].hypothesis.as_deref()), (Some("one"), None));
        assert_eq!(confusions.top(5, 2).len(), 1);
    }
}
