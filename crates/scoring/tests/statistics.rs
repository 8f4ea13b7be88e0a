//! Intervals, differences, ranks and speed against reference values and against simulated truth.

#![expect(clippy::unwrap_used, reason = "a malformed vector file should fail the test")]

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use scoring::{
    Bootstrap, Counts, DrawTable, Interval, Replicates, Sample, Scheme, Step, Timing, Unit,
    cluster_bootstrap, mapsswe, mcnemar, paired_difference, permutation_test, rtfx, standings,
    standings_by_pairs, standings_from_mean,
};
use serde_json::Value;

fn counts(errors: u64, words: u64) -> Counts {
    // Which kind of error it is does not matter to a rate.
    let insertions = errors.saturating_sub(words);
    let substitutions = errors - insertions;
    Counts { hits: words - substitutions, substitutions, deletions: 0, insertions }
}

fn unit<'a>(utterance: &'a str, talker: &'a str, room: Option<&'a str>) -> Unit<'a> {
    Unit { group: "all", utterance, talker, room }
}

fn numbers(row: &Value, field: &str) -> Vec<u64> {
    row[field].as_array().unwrap().iter().map(|v| v.as_u64().unwrap()).collect()
}

fn replicate(row: &Value, system: &str, scheme: Scheme) -> Replicates {
    let utts = row["utts"].as_array().unwrap();
    let units = utts.iter().map(|u| unit(u["id"].as_str().unwrap(), u["speaker"].as_str().unwrap(), None));
    let sample = Sample::with_scheme(units, scheme);
    let errors = numbers(row, system);
    let counts: Vec<Counts> = errors
        .into_iter()
        .zip(numbers(row, "ref_words"))
        .map(|(errors, words)| counts(errors, words))
        .collect();
    cluster_bootstrap(&sample, &counts, Bootstrap::default()).unwrap().group("all").unwrap().clone()
}

fn assert_interval(ours: Interval, reference: &Value, se: f64) {
    // Tolerance stated with the vectors; theirs are percentiles of 100 000 replications, ours of 10 000.
    let tolerance = 4.0 * se / 1000_f64.sqrt() + 1e-12;
    for (ours, theirs) in [(ours.low, &reference[0]), (ours.high, &reference[1])] {
        assert!((ours - theirs.as_f64().unwrap()).abs() <= tolerance, "{ours} {theirs} ± {tolerance}");
    }
}

#[test]
fn intervals_equal_the_reference_bootstrap_by_utterance_and_by_speaker() {
    for line in include_str!("vectors/significance.jsonl").lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        for (field, scheme) in
            [("bootstrap_utterance", Scheme::Utterances), ("bootstrap_speaker", Scheme::Talkers)]
        {
            let expected = &row[field];
            let a = replicate(&row, "errors_a", scheme);
            let b = replicate(&row, "errors_b", scheme);
            assert!((a.estimate - row["wer_a"].as_f64().unwrap()).abs() < 1e-12);
            let se = expected["wer_a_se"].as_f64().unwrap();
            assert!((a.standard_error() / se - 1.0).abs() < 0.05);
            assert_interval(a.interval().unwrap(), &expected["wer_a_ci95"], se);
            let difference = paired_difference(&b, &a).unwrap();
            assert_interval(
                difference.interval,
                &expected["diff_ci95"],
                expected["diff_se"].as_f64().unwrap(),
            );
            let p = expected["p_b_better"].as_f64().unwrap();
            assert!(
                (difference.probability_a_better - p).abs() < 0.02,
                "{} {p}",
                difference.probability_a_better
            );
        }
    }
}

/// Standard normal numbers by summing uniform ones.
fn normal(random: &mut ChaCha8Rng) -> f64 {
    (0..12).map(|_| f64::from(random.next_u32()) / f64::from(u32::MAX)).sum::<f64>() - 6.0
}

/// One evaluation of `talkers` × `rooms` utterances whose errors depend on both; the expected rate is `rate`.
fn simulate(random: &mut ChaCha8Rng, talkers: usize, rooms: usize, rate: f64) -> (Sample, Vec<Counts>) {
    let names: Vec<String> = (0..talkers.max(rooms)).map(|i| i.to_string()).collect();
    let talker_effect: Vec<f64> = (0..talkers).map(|_| normal(random) * 0.25).collect();
    let room_effect: Vec<f64> = (0..rooms).map(|_| normal(random) * 0.25).collect();
    let mut units = Vec::new();
    let mut all = Vec::new();
    for talker in 0..talkers {
        for room in 0..rooms {
            let expected = rate * (1.0 + talker_effect[talker] + room_effect[room]);
            let errors = (0..20)
                .filter(|_| f64::from(random.next_u32()) < expected.clamp(0.0, 1.0) * f64::from(u32::MAX))
                .count();
            units.push(unit("", &names[talker], Some(&names[room])));
            all.push(counts(errors as u64, 20));
        }
    }
    (Sample::new(units), all)
}

#[test]
fn two_way_intervals_cover_the_truth_at_least_93_times_in_100() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let truth = 0.2;
    let trials = 400;
    let plan = Bootstrap { replications: 500, seed: 3 };
    let covered = (0..trials)
        .filter(|_| {
            let (sample, counts) = simulate(&mut random, 24, 14, truth);
            assert_eq!(sample.scheme(), Scheme::TalkersAndRooms);
            let draws = cluster_bootstrap(&sample, &counts, plan).unwrap();
            draws.group("all").unwrap().interval().unwrap().contains(truth)
        })
        .count();
    assert!(covered * 100 >= trials * 93, "{covered} of {trials}");
}

#[test]
fn draws_do_not_depend_on_the_number_of_threads() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let (sample, counts) = simulate(&mut random, 12, 10, 0.3);
    let with_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            cluster_bootstrap(&sample, &counts, Bootstrap { replications: 300, seed: 9 }).unwrap()
        })
    };
    assert_eq!(with_threads(1), with_threads(3));
}

#[test]
fn dry_speech_beside_many_rooms_has_an_interval_of_some_width() {
    // One talker; each of ten utterances dry and in a room of its own, every second one wrong.
    let names: Vec<String> = (0..10).map(|i| i.to_string()).collect();
    let dry = names.iter().map(|name| Unit { group: "near", utterance: name, talker: "t", room: None });
    let far = names.iter().map(|name| Unit { group: "far", utterance: name, talker: "t", room: Some(name) });
    let sample = Sample::new(dry.chain(far));
    assert_eq!(sample.scheme(), Scheme::Utterances);
    let counts: Vec<Counts> = (0..20).map(|i| counts(3 * (i % 2), 5)).collect();
    let draws = cluster_bootstrap(&sample, &counts, Bootstrap { replications: 500, seed: 1 }).unwrap();
    assert!(draws.group("near").unwrap().interval().unwrap().width() > 0.1);
}

#[test]
fn few_clusters_fall_back_to_utterances() {
    let scheme = |talkers: usize, rooms: usize| {
        let names: Vec<String> = (0..20).map(|i| i.to_string()).collect();
        let units = (0..200).map(|i| unit(&names[i % 20], &names[i % talkers], Some(&names[i % rooms])));
        Sample::new(units).scheme()
    };
    assert_eq!(scheme(10, 14), Scheme::TalkersAndRooms);
    assert_eq!(scheme(10, 9), Scheme::Talkers);
    assert_eq!(scheme(9, 10), Scheme::Rooms);
    assert_eq!(scheme(9, 9), Scheme::Utterances);
}

#[test]
fn the_mean_of_groups_is_paired_across_groups() {
    // The second group is as good as the first is bad for every talker: the rates vary, their mean does not.
    let names: Vec<String> = (0..12).map(|i| i.to_string()).collect();
    let of = |group| names.iter().map(move |name| Unit { group, utterance: name, talker: name, room: None });
    let sample = Sample::new(of("near").chain(of("far")));
    let counts: Vec<Counts> =
        (0..12).map(|i| counts(i, 20)).chain((0..12).map(|i| counts(20 - i, 20))).collect();
    let draws = cluster_bootstrap(&sample, &counts, Bootstrap { replications: 200, seed: 1 }).unwrap();
    assert!(draws.group("near").unwrap().standard_error() > 0.01);
    let mean = draws.mean(&["near", "far"]).unwrap();
    assert!((mean.estimate - 0.5).abs() < 1e-12);
    assert!(mean.standard_error() < 1e-12);
    assert_eq!(draws.mean(&["near", "no such group"]), None);
}

#[test]
fn insertions_without_reference_words_count_in_the_pooled_rate() {
    let sample = Sample::new([unit("a", "t", None), unit("b", "t", None)]);
    let counts = [counts(1, 10), Counts { insertions: 3, ..Counts::default() }];
    let draws = cluster_bootstrap(&sample, &counts, Bootstrap { replications: 20, seed: 1 }).unwrap();
    assert!((draws.group("all").unwrap().estimate - 0.4).abs() < 1e-12);
    assert_eq!(
        cluster_bootstrap(&sample, &counts[..1], Bootstrap::default()).unwrap_err().to_string(),
        "1 items are scored, but the sample has 2: give one count per item, in its order"
    );
}

#[test]
fn a_board_separates_what_differs_and_ties_what_does_not() {
    // Same draws plus a constant and a little noise of their own: two near-equal rows, one far worse, one exact copy.
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let shared: Vec<f64> = (0..2000).map(|_| normal(&mut random) * 0.01).collect();
    let mut row = |estimate: f64| Replicates {
        estimate,
        values: shared.iter().map(|s| estimate + s + normal(&mut random) * 0.002).collect(),
    };
    let rows = [row(0.200), row(0.101), row(0.100), row(0.150)];
    let rows = [rows[0].clone(), rows[1].clone(), rows[2].clone(), rows[3].clone(), rows[2].clone()];
    let places = standings(&DrawTable::of(&rows));
    assert_eq!(places.iter().map(|p| p.rank).collect::<Vec<_>>(), [5, 3, 1, 4, 1]);
    assert_eq!(places.iter().map(|p| p.tie_group).collect::<Vec<_>>(), [3, 1, 1, 2, 1]);
    assert_eq!(
        places.iter().map(|p| p.rank_interval).collect::<Vec<_>>(),
        [[5, 5], [1, 3], [1, 3], [4, 4], [1, 3]]
    );
    assert!(standings(&DrawTable::default()).is_empty());
    assert_eq!(standings(&DrawTable::of(&rows[..1]))[0].rank_interval, [1, 1]);
}

#[test]
fn equally_good_systems_are_seldom_called_different() {
    // Family-wise error: with six equal systems, all rank intervals should be [1, 6] in 95 of 100 boards.
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let boards = 200;
    let plan = Bootstrap { replications: 400, seed: 2 };
    let untouched = (0..boards)
        .filter(|_| {
            let rows: Vec<Replicates> = (0..6)
                .map(|_| {
                    let (sample, counts) = simulate(&mut random, 20, 12, 0.2);
                    cluster_bootstrap(&sample, &counts, plan).unwrap().group("all").unwrap().clone()
                })
                .collect();
            standings(&DrawTable::of(&rows)).iter().all(|place| place.rank_interval == [1, 6])
        })
        .count();
    assert!(untouched * 100 >= boards * 92, "{untouched} of {boards}");
}

#[test]
fn without_pairs_equally_good_systems_are_seldom_called_different_either() {
    // Forty equal systems that err together and apart: all rank intervals should be [1, 40] in 95 of 100 boards. The
    // estimate is one more draw of the same distribution.
    let mut random = ChaCha8Rng::seed_from_u64(12);
    let boards = 200;
    let untouched = (0..boards)
        .filter(|_| {
            let shared: Vec<f64> = (0..=400).map(|_| normal(&mut random)).collect();
            let rows: Vec<Replicates> = (0..40)
                .map(|_| {
                    let draw = |shared: &f64| 0.2 + 0.02 * shared + 0.005 * normal(&mut random);
                    let drawn: Vec<f64> = shared.iter().map(draw).collect();
                    let estimate = drawn[0];
                    // Draws around the estimate, as a bootstrap makes them.
                    Replicates { estimate, values: drawn[1..].iter().map(|v| v - 0.2 + estimate).collect() }
                })
                .collect();
            standings_from_mean(&DrawTable::of(&rows)).iter().all(|place| place.rank_interval == [1, 40])
        })
        .count();
    assert!(untouched * 100 >= boards * 92, "{untouched} of {boards}");
}

#[test]
fn a_board_without_pairs_calls_nothing_real_that_differs_less_than_by_pairs_and_tells_far_rows_apart() {
    let mut random = ChaCha8Rng::seed_from_u64(13);
    let shared: Vec<f64> = (0..1000).map(|_| normal(&mut random) * 0.01).collect();
    let rows: Vec<Replicates> = (0..60)
        .map(|place| {
            let estimate = 0.05 + 0.002 * f64::from(place);
            let values = shared.iter().map(|s| estimate + s + normal(&mut random) * 0.004).collect();
            Replicates { estimate, values }
        })
        .collect();
    let table = DrawTable::of(&rows);
    let (pairs, mean) = (standings_by_pairs(&table), standings_from_mean(&table));
    for (place, (pairs, mean)) in pairs.iter().zip(&mean).enumerate() {
        assert_eq!((pairs.rank, mean.rank), (place + 1, place + 1));
        let [low, high] = mean.rank_interval;
        assert!(low <= mean.rank && mean.rank <= high);
        // Twelve rows further on are six standard errors of the difference away.
        assert!(low + 25 > mean.rank && high < mean.rank + 25, "{mean:?}");
        let wider = (high - low) as f64 / (pairs.rank_interval[1] - pairs.rank_interval[0]) as f64;
        assert!((0.9..1.5).contains(&wider), "{pairs:?} {mean:?}");
    }
    assert!(mean[59].tie_group > 2);
}

#[test]
fn the_speed_of_steady_passes_is_stable_and_that_of_wild_ones_is_not() {
    let pass = |factor: f64| {
        (0..50)
            .map(|i| Timing { audio_s: f64::from(5 + i % 3), wall_s: factor * f64::from(5 + i % 3) })
            .collect()
    };
    let plan = Bootstrap { replications: 500, seed: 1 };
    let steady = rtfx(&[pass(0.100), pass(0.101), pass(0.099), pass(0.100), pass(0.100)], plan).unwrap();
    assert!((steady.rtfx - 10.0).abs() < 0.01 && steady.stable && steady.interval.contains(10.0));
    let wild = rtfx(&[pass(0.1), pass(0.2), pass(0.1), pass(0.2), pass(0.1)], plan).unwrap();
    assert!(!wild.stable && wild.relative_half_width > 0.1);
    assert_eq!(rtfx(&[], plan), None);
    assert_eq!(rtfx(&[vec![Timing { audio_s: 1.0, wall_s: 0.0 }]], plan), None);
}

/// The alignment that sclite writes as a string of C, S, D and I.
fn steps(path: &str) -> Vec<Step> {
    let (mut reference, mut hypothesis) = (0, 0);
    path.chars()
        .map(|letter| {
            let step = match letter {
                'C' => Step::Hit { reference, hypothesis },
                'S' => Step::Substitution { reference, hypothesis },
                'D' => Step::Deletion { reference },
                _ => Step::Insertion { hypothesis },
            };
            reference += usize::from(letter != 'I');
            hypothesis += usize::from(letter != 'D');
            step
        })
        .collect()
}

fn significance_rows() -> Vec<Value> {
    include_str!("vectors/significance.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn mapsswe_equals_sctk() {
    for row in significance_rows() {
        let paths: Vec<(Vec<Step>, Vec<Step>)> = row["utts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|u| (steps(u["path_a"].as_str().unwrap()), steps(u["path_b"].as_str().unwrap())))
            .collect();
        let ours = mapsswe(paths.iter().map(|(a, b)| (a.as_slice(), b.as_slice())));
        let expected = &row["mapsswe"];
        assert_eq!(ours.segments as u64, expected["segments"].as_u64().unwrap(), "{}", row["id"]);
        for (ours, field) in
            [(ours.mean, "mean"), (ours.std_dev, "std_dev"), (ours.z, "z"), (ours.p, "p_two_sided")]
        {
            let theirs = expected[field].as_f64().unwrap();
            assert!((ours - theirs).abs() <= 1e-9 * theirs.abs(), "{field} {ours} {theirs}");
        }
    }
}

#[test]
fn segments_that_always_differ_alike_are_tested_by_their_sign() {
    // SCTK calls this "no difference" because the deviation is zero (scoring.md §6).
    let (a, b) = (steps("SCCSCCS"), steps("CCCCCCC"));
    let ours = mapsswe([(a.as_slice(), b.as_slice())]);
    assert_eq!((ours.segments, ours.p), (3, 0.25));
    assert!(ours.z.is_infinite() && ours.z > 0.0);
}

#[test]
fn permutation_and_mcnemar_p_values_equal_the_reference() {
    for row in significance_rows() {
        let differences: Vec<i64> = numbers(&row, "errors_a")
            .into_iter()
            .zip(numbers(&row, "errors_b"))
            .map(|(a, b)| a.cast_signed() - b.cast_signed())
            .collect();
        let by_utterance = permutation_test(&differences, Bootstrap::default());
        let expected = row["permutation_utterance_p"].as_f64().unwrap();
        // Both are Monte Carlo: ours with 10 000 flips, theirs with 200 000.
        let tolerance = 4.0 * (expected * (1.0 - expected) / 10_000.0).sqrt() + 2e-4;
        assert!((by_utterance - expected).abs() <= tolerance, "{by_utterance} {expected}");

        let mut by_speaker = std::collections::BTreeMap::<&str, i64>::new();
        for (utt, difference) in row["utts"].as_array().unwrap().iter().zip(&differences) {
            *by_speaker.entry(utt["speaker"].as_str().unwrap()).or_default() += difference;
        }
        let blocks: Vec<i64> = by_speaker.into_values().collect();
        let expected = row["permutation_speaker_p_exact"].as_f64().unwrap();
        assert!((permutation_test(&blocks, Bootstrap::default()) - expected).abs() < 1e-12);

        let sentences = &row["mcnemar_sentence"];
        let count = |field: &str| sentences[field].as_u64().unwrap();
        let p = mcnemar(count("only_a_correct"), count("only_b_correct"));
        assert!((p - sentences["p_exact_two_sided"].as_f64().unwrap()).abs() < 1e-9);
    }
}
