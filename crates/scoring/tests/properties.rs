//! What must hold for any input.

use proptest::collection::vec;
use proptest::prelude::*;
use scoring::meeting::{TimeConstraint, cp_wer, di_cp_wer, orc_wer};
use scoring::segments::{read_rttm, read_seglst, read_stm};
use scoring::{
    Counts, Normalizer, ScoringProfile, Segment, Step, align, count_chars, count_words, count_words_merged,
    counts, pareto, path_of, split_words, steps_of,
};

/// Texts over few short words, so that matches, ties and compounds are common.
fn text() -> impl Strategy<Value = String> {
    vec(prop::sample::select(vec!["a", "b", "ab", "ba", "aab", "longer words", "c"]), 0..14)
        .prop_map(|w| w.join(" "))
}

/// The least (errors, substitutions) by the plain recursion over the whole table.
fn plain_distance(a: &[&str], b: &[&str]) -> (u64, u64) {
    let mut above: Vec<(u64, u64)> = (0..=b.len() as u64).map(|j| (j, 0)).collect();
    for (i, word) in a.iter().enumerate() {
        let mut row = vec![(i as u64 + 1, 0)];
        for (j, other) in b.iter().enumerate() {
            let wrong = u64::from(word != other);
            let diagonal = (above[j].0 + wrong, above[j].1 + wrong);
            let deletion = (above[j + 1].0 + 1, above[j + 1].1);
            let insertion = (row[j].0 + 1, row[j].1);
            row.push(diagonal.min(deletion).min(insertion));
        }
        above = row;
    }
    above[b.len()]
}

/// Letters of the longest word of the texts here, and so the most words that can be merged into one.
const LONGEST: usize = 6;

/// The least (errors, substitutions) with compounds merged, by trying every merge in every cell.
fn plain_merged_distance(a: &[&str], b: &[&str]) -> (u64, u64) {
    let mut table = vec![vec![(0, 0); b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            let mut ways = Vec::new();
            let mut way = |from: (u64, u64), errors, substitutions| {
                ways.push((from.0 + errors, from.1 + substitutions));
            };
            if i > 0 {
                way(table[i - 1][j], 1, 0);
            }
            if j > 0 {
                way(table[i][j - 1], 1, 0);
            }
            if i > 0 && j > 0 {
                let wrong = u64::from(a[i - 1] != b[j - 1]);
                way(table[i - 1][j - 1], wrong, wrong);
                for k in (2..=i.min(LONGEST)).filter(|k| a[i - k..i].concat() == b[j - 1]) {
                    way(table[i - k][j - 1], 0, 0);
                }
                for k in (2..=j.min(LONGEST)).filter(|k| b[j - k..j].concat() == a[i - 1]) {
                    way(table[i - 1][j - k], 0, 0);
                }
            }
            table[i][j] = ways.into_iter().min().unwrap_or_default();
        }
    }
    table[a.len()][b.len()]
}

/// Longer texts, the second often an edit of the first, so that bands and windows come into play.
fn long_texts() -> impl Strategy<Value = (String, String)> {
    let word = || prop::sample::select(vec!["a", "b", "ab", "ba", "aab", "c", "dd", "e", "ea"]);
    (vec((word(), 0..12_u8), 0..100), vec(word(), 0..40)).prop_map(|(words, extra)| {
        let mut extra = extra.into_iter().cycle();
        let mut edited = Vec::new();
        for (word, edit) in &words {
            match edit {
                0 => {}
                1 => edited.extend(extra.next()),
                2 => edited.extend([*word].into_iter().chain(extra.next())),
                _ => edited.push(*word),
            }
        }
        (words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" "), edited.join(" "))
    })
}

fn segments(side: Vec<(usize, u8, u8, String)>) -> Vec<Segment> {
    side.into_iter()
        .map(|(speaker, start, length, words)| Segment {
            session_id: String::new(),
            speaker: ["x", "y", "z"][speaker].to_owned(),
            start_time: Some(f64::from(start)),
            end_time: Some(f64::from(start) + f64::from(length)),
            words,
        })
        .collect()
}

fn meeting() -> impl Strategy<Value = Vec<Segment>> {
    let word = prop::sample::select(vec!["a", "b", "c", "d"]);
    let words = vec(word, 0..4).prop_map(|w| w.join(" "));
    vec((0..3_usize, 0..30_u8, 0..8_u8, words), 0..6).prop_map(segments)
}

/// A small file of each format of segments.
const SEGMENT_FILES: [&str; 3] = [
    r#"[{"session_id":"m","speaker":"A","start_time":0.5,"end_time":1.5,"words":"good morning"},{"session_id":"m","speaker":"B","start_time":1,"end_time":2,"words":"x"}]"#,
    ";; comment\nm 1 A 0.50 1.50 <o,f0,male> good morning\nm 1 B 1.00 2.00 hello there\n",
    "SPEAKER m 1 0.50 1.00 <NA> <NA> A <NA> <NA>\nSPEAKER m 1 1.00 1.00 <NA> <NA> B <NA> <NA>\n",
];

/// What damages text: pieces that mean something to a reader or a normaliser. The empty one takes a character away.
const DAMAGE: [&str; 24] = [
    "",
    "-",
    "1e999",
    "nan",
    "inf",
    "\"",
    "\\",
    "{",
    "]",
    "\n",
    "\0",
    "\u{feff}",
    "\u{1c}",
    "99999999999999999999",
    "0x",
    "\u{bd}",
    "\u{663}",
    "'",
    "$",
    ".",
    " point ",
    " hundred ",
    "\u{130}",
    "(",
];

/// Text with pieces put in, or characters taken away, at some places.
fn damaged(text: &str, damage: &[(prop::sample::Index, &str)]) -> String {
    let mut characters: Vec<String> = text.chars().map(String::from).collect();
    for (place, piece) in damage {
        let at = place.index(characters.len());
        characters[at] = if piece.is_empty() { String::new() } else { format!("{piece}{}", characters[at]) };
    }
    characters.concat()
}

proptest! {
    #[test]
    fn counts_are_minimal_in_errors_and_then_in_substitutions(a in text(), b in text()) {
        let ours = count_words(&a, &b);
        let (a, b) = (split_words(&a), split_words(&b));
        prop_assert_eq!((ours.errors(), ours.substitutions), plain_distance(&a, &b));
        prop_assert_eq!(ours.ref_words(), a.len() as u64);
        prop_assert_eq!(ours.hits + ours.substitutions + ours.insertions, b.len() as u64);
    }

    #[test]
    fn swapping_the_texts_swaps_deletions_and_insertions(a in text(), b in text()) {
        let Counts { hits, substitutions, deletions, insertions } = count_words(&a, &b);
        let swapped = Counts { hits, substitutions, deletions: insertions, insertions: deletions };
        prop_assert_eq!(count_words(&b, &a), swapped);
    }

    #[test]
    fn errors_obey_the_triangle_inequality(a in text(), b in text(), c in text()) {
        let distance = |x: &str, y: &str| count_words(x, y).errors();
        prop_assert!(distance(&a, &c) <= distance(&a, &b) + distance(&b, &c));
        prop_assert_eq!(distance(&a, &a), 0);
    }

    #[test]
    fn an_alignment_walks_through_both_texts_and_has_the_counts(a in text(), b in text()) {
        let (words_a, words_b) = (split_words(&a), split_words(&b));
        let steps = align(&words_a, &words_b);
        prop_assert_eq!(counts(&steps), count_words(&a, &b));
        let (mut i, mut j) = (0, 0);
        for step in steps {
            match step {
                Step::Hit { reference, hypothesis } | Step::Substitution { reference, hypothesis } => {
                    prop_assert_eq!((reference, hypothesis), (i, j));
                    prop_assert_eq!(matches!(step, Step::Hit { .. }), words_a[i] == words_b[j]);
                    i += 1;
                    j += 1;
                }
                Step::Deletion { reference } => { prop_assert_eq!(reference, i); i += 1; }
                Step::Insertion { hypothesis } => { prop_assert_eq!(hypothesis, j); j += 1; }
            }
        }
        prop_assert_eq!((i, j), (words_a.len(), words_b.len()));
    }

    #[test]
    fn an_alignment_is_read_back_from_its_letters(a in text(), b in text()) {
        let steps = align(&split_words(&a), &split_words(&b));
        prop_assert_eq!(steps_of(&path_of(&steps)), Some(steps));
    }

    #[test]
    fn renaming_the_words_changes_nothing(a in text(), b in text()) {
        let rename = |text: &str| text.replace('a', "alphabetical").replace('b', "β");
        prop_assert_eq!(count_words(&rename(&a), &rename(&b)), count_words(&a, &b));
    }

    #[test]
    fn merging_compounds_never_adds_errors(a in text(), b in text()) {
        let (merged, merges) = count_words_merged(&a, &b);
        let plain = count_words(&a, &b);
        prop_assert!(merged.errors() <= plain.errors());
        prop_assert_eq!(merged.ref_words(), plain.ref_words());
        if merges == 0 {
            prop_assert_eq!(merged, plain);
        }
    }

    #[test]
    fn merged_counts_are_minimal_in_errors_and_then_in_substitutions(a in text(), b in text()) {
        let (ours, _) = count_words_merged(&a, &b);
        let plain = plain_merged_distance(&split_words(&a), &split_words(&b));
        prop_assert_eq!((ours.errors(), ours.substitutions), plain);
    }

    #[test]
    fn text_written_together_has_no_errors_once_merged(words in vec("[a-z]{1,4}", 1..8)) {
        let apart = words.join(" ");
        prop_assert_eq!(count_words_merged(&apart, &words.concat()).0.errors(), 0);
        prop_assert_eq!(count_words_merged(&words.concat(), &apart).0.errors(), 0);
    }

    #[test]
    fn any_text_can_be_normalised_and_scored(a in any::<String>(), b in any::<String>()) {
        for profile in ScoringProfile::ALL {
            let scored = profile.score(&a, &b);
            prop_assert_eq!(profile.score(&a, &a).words.errors(), 0);
            prop_assert!(scored.words.rate().is_none_or(f64::is_finite));
        }
        prop_assert_eq!(Normalizer::None.normalize(&a), a);
    }

    #[test]
    fn number_words_in_any_order_can_be_normalised(
        words in vec(prop::sample::select(vec![
            "one", "twenty", "o", "hundred", "thousand", "decillion", "point", "and", "a", "half", "double", "minus",
            "dollars", "cents", "per", "cent", "percent", "first", "fifties", "millions", "$5", "0.5", "007", "1.",
            "¢7", "9999999999999999999999999999999999999999", "٣", "x", "'s", "n't", ".", "%",
        ]), 0..12),
        separator in prop::sample::select(vec![" ", "", "  ", ", ", "'"]),
    ) {
        let text = words.join(separator);
        for normalizer in Normalizer::ALL {
            normalizer.normalize(&text);
        }
    }

    #[test]
    fn character_errors_of_equal_texts_are_zero_and_spacing_does_not_matter(words in vec("[a-z]{1,6}", 0..8)) {
        prop_assert_eq!(count_chars(&words.join(" "), &words.join("  \t")).errors(), 0);
    }

    #[test]
    fn perfect_diarization_can_only_help(reference in meeting(), hypothesis in meeting()) {
        for constraint in [TimeConstraint::None, TimeConstraint::Collar(2.0)] {
            let cp = cp_wer(&reference, &hypothesis, constraint).unwrap().counts;
            let orc = orc_wer(&reference, &hypothesis, constraint).unwrap();
            let di = di_cp_wer(&reference, &hypothesis, constraint).unwrap();
            prop_assert!(orc.is_optimal && di.is_optimal);
            // Every pairing of speakers is also an assignment of segments, unless speakers outnumber streams.
            let speakers = |side: &[Segment]| {
                let mut names: Vec<&str> = side.iter().map(|s| s.speaker.as_str()).collect();
                names.sort_unstable();
                names.dedup();
                names.len()
            };
            if speakers(&reference) <= speakers(&hypothesis) {
                prop_assert!(orc.counts.errors() <= cp.errors());
            }
            if speakers(&hypothesis) <= speakers(&reference) {
                prop_assert!(di.counts.errors() <= cp.errors());
            }
            prop_assert_eq!(cp.ref_words(), orc.counts.ref_words());
            prop_assert_eq!(cp.ref_words(), di.counts.ref_words());
        }
    }

    #[test]
    fn a_time_constraint_never_removes_errors(reference in meeting(), hypothesis in meeting()) {
        let errors = |constraint| cp_wer(&reference, &hypothesis, constraint).unwrap().counts.errors();
        let tight = errors(TimeConstraint::Collar(0.5));
        let wide = errors(TimeConstraint::Collar(5.0));
        prop_assert!(errors(TimeConstraint::None) <= wide && wide <= tight);
    }

    #[test]
    fn readers_refuse_or_accept_but_never_panic(text in any::<String>()) {
        let _ = (read_stm(&text), read_rttm(&text), read_seglst(&text));
    }

    #[test]
    fn damaged_segments_are_read_or_refused_and_can_be_scored(
        which in 0..3_usize,
        damage in vec((any::<prop::sample::Index>(), prop::sample::select(DAMAGE.to_vec())), 1..6),
    ) {
        let text = damaged(SEGMENT_FILES[which], &damage);
        for segments in [read_seglst(&text), read_stm(&text), read_rttm(&text)].into_iter().flatten() {
            let _ = cp_wer(&segments, &segments, TimeConstraint::Collar(5.0));
        }
    }

    #[test]
    fn damaged_text_can_be_normalised_and_scored(
        damage in vec((any::<prop::sample::Index>(), prop::sample::select(DAMAGE.to_vec())), 1..12),
    ) {
        let said = "On May 3rd, Dr. O'Brien paid $1,000.50 (about \u{20ac}900) for twenty-one ice creams at 10:30.";
        let text = damaged(said, &damage);
        for profile in ScoringProfile::ALL {
            let _ = profile.score(said, &text);
        }
    }

    #[test]
    fn the_front_is_what_no_point_beats(points in vec((0..6_u8, 0..6_u8), 0..12)) {
        let points: Vec<(f64, f64)> = points.into_iter().map(|(e, s)| (f64::from(e), f64::from(s))).collect();
        let beats = |a: &(f64, f64), b: &(f64, f64)| a.0 <= b.0 && a.1 >= b.1 && a != b;
        let expected: Vec<bool> = points.iter().map(|b| !points.iter().any(|a| beats(a, b))).collect();
        prop_assert_eq!(pareto::front(&points), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn longer_texts_are_counted_as_exactly((a, b) in long_texts()) {
        let (words_a, words_b) = (split_words(&a), split_words(&b));
        let ours = count_words(&a, &b);
        prop_assert_eq!((ours.errors(), ours.substitutions), plain_distance(&words_a, &words_b));
        prop_assert_eq!(counts(&align(&words_a, &words_b)), ours);
        let (merged, _) = count_words_merged(&a, &b);
        prop_assert_eq!((merged.errors(), merged.substitutions), plain_merged_distance(&words_a, &words_b));
    }
}
