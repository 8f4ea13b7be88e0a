//! What the times of one run say beyond their sum: latency by the length of the audio, and doubts for a reviewer.
//!
//! Pure. Definitions as in the method (timing, version 1); nothing here changes a score.

use protocol::{
    AttemptResults, Flag, FlagKind, ItemId, ItemResult, LatencyBucket, LatencyByDuration, LatencyPercentiles,
    Measurements,
};

/// Ends of the ranges of lengths, in seconds.
const BUCKETS: [f64; 3] = [5.0, 15.0, 30.0];

/// Pairs of items beyond this number add nothing to a median of slopes.
const MOST_PAIRS: usize = 200_000;

/// An item is an outlier when its time is this far from what its length suggests, in scaled median absolute
/// deviations (1.4826·MAD, the standard deviation of a normal distribution) …
const OUTLIER_DEVIATIONS: f64 = 10.0;
/// … and by this factor, so that a very steady model is not blamed for a millisecond.
const OUTLIER_FACTOR: f64 = 3.0;

/// No model transcribes faster than its audio can be read from memory and sent back, in seconds; below it the answer
/// was there before the audio.
const FLOOR_SECONDS: f64 = 20e-6;

/// Repeat passes are of the same utterances with other noise: beyond this factor from the scored pass, something is
/// reused from it, or the node changed.
const REPEAT_FACTOR: f64 = 1.5;

/// Passes over the same utterances differ by no more than this between the fastest and the slowest.
const STEADY_FACTOR: f64 = 1.2;

/// Texts in batches are those of the scored pass for at least this share of the items.
const BATCH_AGREEMENT: f64 = 0.99;

/// Fewest items for which a distribution means anything.
const FEWEST_ITEMS: usize = 10;

/// One item: length of its audio and its time, both in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timed {
    /// Length of the audio.
    pub audio: f64,
    /// Time from request to reply.
    pub time: f64,
}

/// How time depends on length; nothing without items.
pub fn latency(items: &[Timed]) -> Option<LatencyByDuration> {
    let all = percentiles(items)?;
    let lows = std::iter::once(0.0).chain(BUCKETS);
    let highs = BUCKETS.into_iter().map(Some).chain([None]);
    let buckets = lows
        .zip(highs)
        .filter_map(|(above_seconds, up_to_seconds)| {
            let inside =
                |it: &&Timed| it.audio > above_seconds && up_to_seconds.is_none_or(|up_to| it.audio <= up_to);
            let items: Vec<Timed> = items.iter().filter(inside).copied().collect();
            Some(LatencyBucket {
                above_seconds,
                up_to_seconds,
                items: items.len() as u32,
                latency: percentiles(&items)?,
                rtfx: items.iter().map(|it| it.audio).sum::<f64>()
                    / items.iter().map(|it| it.time).sum::<f64>(),
            })
        })
        .collect();
    let line = fit(items);
    Some(LatencyByDuration {
        all,
        buckets,
        fixed_seconds: line.map(|it| it.0),
        seconds_per_audio_second: line.map(|it| it.1),
    })
}

/// Nearest-rank percentiles: each is a time that was measured.
fn percentiles(items: &[Timed]) -> Option<LatencyPercentiles> {
    let mut times: Vec<f64> = items.iter().map(|it| it.time).collect();
    times.sort_unstable_by(f64::total_cmp);
    let last = times.len().checked_sub(1)?;
    let at = |percent: usize| times[(times.len() * percent).div_ceil(100).saturating_sub(1).min(last)];
    Some(LatencyPercentiles { p50: at(50), p90: at(90), p95: at(95), p99: at(99) })
}

/// Fixed cost and slope of t = α + β·audio: β is the median of the slopes between pairs, α the median of what is
/// left (Theil 1950, Sen 1968). Up to 29 % of the items may be anything without harm. Nothing if all lengths are one.
fn fit(items: &[Timed]) -> Option<(f64, f64)> {
    // Beyond that many pairs, only partners at a few distances: still all items, spread over all lengths.
    let partners = (MOST_PAIRS / items.len().max(1)).max(1);
    let stride = (items.len() / partners).max(1);
    let mut slopes: Vec<f64> = (0..items.len())
        .flat_map(|one| (one + 1..items.len()).step_by(stride).map(move |other| (items[one], items[other])))
        .filter(|(one, other)| (one.audio - other.audio).abs() > 1e-3)
        .map(|(one, other)| (one.time - other.time) / (one.audio - other.audio))
        .collect();
    let slope = median(&mut slopes)?;
    let fixed = median(&mut items.iter().map(|it| it.time - slope * it.audio).collect::<Vec<_>>())?;
    Some((fixed, slope))
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        length if length % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

/// What a reviewer should look at. `seconds` gives the length of an item's audio.
pub fn audit(
    results: &AttemptResults,
    measurements: &Measurements,
    seconds: impl Fn(ItemId) -> f64,
) -> Vec<Flag> {
    let timed = |pass: &[ItemResult]| -> Vec<Timed> {
        pass.iter().map(|it| Timed { audio: seconds(it.id), time: it.seconds }).collect()
    };
    let scored = timed(&results.items);
    let passes: Vec<Vec<Timed>> = results.repeats.iter().map(|it| timed(it)).collect();
    let ids: Vec<ItemId> = results.items.iter().map(|it| it.id).collect();
    [
        outliers(&scored, &ids),
        too_fast(&scored, &ids),
        independent_of_duration(&scored),
        repeats_differ(&scored, &passes),
        unsteady(&passes),
        measurements.throughput.filter(|it| it.agreement < BATCH_AGREEMENT).map(|it| {
            flag(
                FlagKind::BatchesDisagree,
                format!(
                    "In batches of {} only {:.1} % of the texts are those of the scored pass.",
                    it.batch,
                    100.0 * it.agreement
                ),
            )
        }),
        throttled(measurements),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn flag(kind: FlagKind, message: String) -> Flag {
    Flag { kind, message, items: Vec::new() }
}

fn outliers(items: &[Timed], ids: &[ItemId]) -> Option<Flag> {
    if items.len() < FEWEST_ITEMS {
        return None;
    }
    let (fixed, slope) = fit(items)?;
    let expected = |it: &Timed| (fixed + slope * it.audio).max(FLOOR_SECONDS);
    let mut distances: Vec<f64> = items.iter().map(|it| (it.time - expected(it)).abs()).collect();
    let deviation = 1.4826 * median(&mut distances)?;
    let is_outlier = |it: &Timed| {
        let factor = it.time / expected(it);
        (it.time - expected(it)).abs() > OUTLIER_DEVIATIONS * deviation
            && !(OUTLIER_FACTOR.recip()..=OUTLIER_FACTOR).contains(&factor)
    };
    let found: Vec<ItemId> =
        items.iter().zip(ids).filter(|(it, _)| is_outlier(it)).map(|(_, id)| *id).collect();
    (!found.is_empty()).then(|| Flag {
        kind: FlagKind::TimeOutliers,
        message: format!(
            "{} of {} items took more than {OUTLIER_FACTOR} times longer or shorter than others of their length.",
            found.len(),
            items.len()
        ),
        items: found,
    })
}

fn too_fast(items: &[Timed], ids: &[ItemId]) -> Option<Flag> {
    let found: Vec<ItemId> =
        items.iter().zip(ids).filter(|(it, _)| it.time < FLOOR_SECONDS).map(|(_, id)| *id).collect();
    (!found.is_empty()).then(|| Flag {
        kind: FlagKind::ImpossiblyFast,
        message: format!("{} items were answered within {} µs.", found.len(), 1e6 * FLOOR_SECONDS),
        items: found,
    })
}

/// A recogniser's time grows with the audio unless it pads everything to one length, as the Whisper family does: worth
/// a look, not a verdict. Only where the lengths differ enough to tell.
fn independent_of_duration(items: &[Timed]) -> Option<Flag> {
    let longest = items.iter().map(|it| it.audio).fold(0.0, f64::max);
    let shortest = items.iter().map(|it| it.audio).fold(f64::INFINITY, f64::min);
    if items.len() < FEWEST_ITEMS || longest < 2.0 * shortest {
        return None;
    }
    let (fixed, slope) = fit(items)?;
    let typical = fixed + slope * f64::midpoint(shortest, longest);
    (slope * (longest - shortest) < 0.05 * typical).then(|| {
        flag(
            FlagKind::TimeIndependentOfDuration,
            format!(
                "From {shortest:.1} s to {longest:.1} s of audio the time grows by {:.1} ms only, at {:.1} ms an item.",
                1e3 * slope * (longest - shortest),
                1e3 * typical
            ),
        )
    })
}

fn rtfx(items: &[Timed]) -> Option<f64> {
    let time: f64 = items.iter().map(|it| it.time).sum();
    (time > 0.0).then(|| items.iter().map(|it| it.audio).sum::<f64>() / time)
}

fn repeats_differ(scored: &[Timed], passes: &[Vec<Timed>]) -> Option<Flag> {
    let once = rtfx(scored)?;
    let again = median(&mut passes.iter().filter_map(|it| rtfx(it)).collect::<Vec<_>>())?;
    let factor = again / once;
    (!(REPEAT_FACTOR.recip()..=REPEAT_FACTOR).contains(&factor)).then(|| {
        flag(
            FlagKind::RepeatsDiffer,
            format!("RTFx is {once:.2} in the scored pass and {again:.2} in the median repeat pass."),
        )
    })
}

fn unsteady(passes: &[Vec<Timed>]) -> Option<Flag> {
    let mut speeds: Vec<f64> = passes.iter().filter_map(|it| rtfx(it)).collect();
    speeds.sort_unstable_by(f64::total_cmp);
    let (slowest, fastest) = (*speeds.first()?, *speeds.last()?);
    (fastest > STEADY_FACTOR * slowest).then(|| {
        flag(
            FlagKind::Unsteady,
            format!(
                "Repeat passes over the same utterances range from an RTFx of {slowest:.2} to {fastest:.2}."
            ),
        )
    })
}

fn throttled(measurements: &Measurements) -> Option<Flag> {
    let mut reasons: Vec<&str> =
        measurements.devices.iter().flat_map(|it| &it.throttling).map(String::as_str).collect();
    reasons.sort_unstable();
    reasons.dedup();
    (!reasons.is_empty()).then(|| {
        flag(FlagKind::Throttled, format!("The accelerator slowed itself down: {}.", reasons.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `number` items from 1 s to 40 s of audio that cost 0.1 s and 0.05 s a second of audio.
    fn regular(number: usize) -> Vec<Timed> {
        (0..number)
            .map(|index| {
                let audio = 1.0 + 39.0 * index as f64 / (number - 1) as f64;
                Timed { audio, time: 0.1 + 0.05 * audio }
            })
            .collect()
    }

    fn ids(number: usize) -> Vec<ItemId> {
        (0..number).map(|_| ItemId::new()).collect()
    }

    #[test]
    fn fixed_cost_and_slope_are_found_even_if_a_fifth_of_the_items_stalls() {
        for number in [40, 2_000] {
            let mut items = regular(number);
            for index in (0..number).step_by(5) {
                items[index].time *= 20.0;
            }
            let found = latency(&items).unwrap();
            assert!((found.fixed_seconds.unwrap() - 0.1).abs() < 1e-6, "{found:?}");
            assert!((found.seconds_per_audio_second.unwrap() - 0.05).abs() < 1e-6, "{found:?}");
        }
    }

    #[test]
    fn percentiles_are_times_that_were_measured() {
        // Nearest rank of 1 … 200: rank ⌈p·n⌉.
        let items: Vec<Timed> = (1..=200).map(|it| Timed { audio: 2.0, time: f64::from(it) }).collect();
        let found = latency(&items).unwrap();
        assert_eq!(found.all, LatencyPercentiles { p50: 100.0, p90: 180.0, p95: 190.0, p99: 198.0 });
        assert_eq!(found.fixed_seconds, None, "one length says nothing about the slope");
        assert_eq!(latency(&[]), None);
    }

    #[test]
    fn every_item_is_in_one_bucket_and_empty_ones_are_left_out() {
        let items = [4.0, 5.0, 5.1, 31.0].map(|audio| Timed { audio, time: audio / 10.0 });
        let found = latency(&items).unwrap();
        let ends: Vec<_> = found.buckets.iter().map(|it| (it.up_to_seconds, it.items)).collect();
        assert_eq!(ends, [(Some(5.0), 2), (Some(15.0), 1), (None, 1)]);
        assert!(found.buckets.iter().all(|it| (it.rtfx - 10.0).abs() < 1e-9));
    }

    #[test]
    fn an_item_far_from_others_of_its_length_is_named() {
        let (mut items, ids) = (regular(50), ids(50));
        assert_eq!(outliers(&items, &ids), None);
        items[7].time *= 8.0;
        items[9].time /= 8.0;
        let flag = outliers(&items, &ids).unwrap();
        assert_eq!(flag.items, [ids[7], ids[9]]);
        assert!(flag.message.starts_with("2 of 50 items"), "{}", flag.message);
    }

    #[test]
    fn a_time_below_what_reading_costs_and_one_that_does_not_grow_are_flagged() {
        let mut items = regular(20);
        assert_eq!((too_fast(&items, &ids(20)), independent_of_duration(&items)), (None, None));
        items[3].time = 1e-6;
        assert_eq!(too_fast(&items, &ids(20)).unwrap().items.len(), 1);
        let padded: Vec<Timed> = items.iter().map(|it| Timed { time: 0.4, ..*it }).collect();
        assert!(independent_of_duration(&padded).is_some());
    }

    #[test]
    fn repeats_that_are_faster_or_slower_than_the_scored_pass_are_flagged() {
        let scored = regular(20);
        let faster: Vec<Timed> = scored.iter().map(|it| Timed { time: it.time / 3.0, ..*it }).collect();
        let same = vec![scored.clone(), scored.clone()];
        assert_eq!((repeats_differ(&scored, &same), unsteady(&same)), (None, None));
        assert!(repeats_differ(&scored, &[faster.clone(), faster.clone()]).is_some());
        assert!(unsteady(&[scored, faster]).is_some());
    }
}
