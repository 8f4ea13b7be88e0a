//! Any two texts (separated by the first line break) can be scored under every profile, and the counts add up.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scoring::{ScoringProfile, align, count_words, count_words_merged, counts, split_words};

fuzz_target!(|text: &str| {
    let (reference, hypothesis) = text.split_once('\n').unwrap_or((text, ""));
    let plain = count_words(reference, hypothesis);
    let (merged, _) = count_words_merged(reference, hypothesis);
    assert!(merged.errors() <= plain.errors());
    assert_eq!(merged.ref_words(), plain.ref_words());
    let (said, heard) = (split_words(reference), split_words(hypothesis));
    assert_eq!(plain.ref_words(), said.len() as u64);
    assert_eq!(counts(&align(&said, &heard)), plain);
    let back = count_words(hypothesis, reference);
    assert_eq!((back.insertions, back.substitutions), (plain.deletions, plain.substitutions));
    for profile in ScoringProfile::ALL {
        let _ = profile.score(reference, hypothesis);
    }
});
