//! From the counts and times of a run's items to the figures that a board shows: one definition for the service's scorer
//! and for `ffasr eval`.
//!
//! Pure: no texts are kept, nothing is read or written.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{Outcome, SpokenSegment};
use schemars::JsonSchema;
use scoring::{
    Bootstrap, Counts, Draws, Interval, LengthMismatch, Normalizer, Replicates, Sample, Segment, Timing,
    Unit, cluster_bootstrap,
    meeting::{TimeConstraint, cp_wer},
    quantile,
};
use serde::{Deserialize, Serialize};

/// Rates and times of one attempt under one scorer version. Rates are fractions, times seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Unweighted mean of the ranked tracks' WER, never rounded; null while a ranked track has no words.
    pub avg_wer: Option<f64>,
    /// 95 % interval of it.
    pub avg_wer_interval: Option<(f64, f64)>,
    /// By track name; those that were run.
    pub tracks: BTreeMap<String, TrackSummary>,
    /// Audio seconds by processing seconds over the ranked tracks.
    pub rtfx: Option<f64>,
    /// 95 % interval of it, from the repeat passes.
    pub rtfx_interval: Option<(f64, f64)>,
    /// Whether that interval is narrow enough (half-width at most 3 %).
    pub rtfx_stable: bool,
    /// Repeat passes behind the interval.
    pub repeat_passes: u32,
    /// Per-item latency.
    pub latency: Latency,
}

/// Percentiles of the time of one item, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// Median.
    pub p50: f64,
    /// 90 %.
    pub p90: f64,
    /// 95 %.
    pub p95: f64,
    /// 99 %.
    pub p99: f64,
}

/// One track of a [`Summary`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrackSummary {
    /// (S + D + I) / N, where several talk over all of them (cpWER); null without reference words.
    pub wer: Option<f64>,
    /// 95 % interval of it.
    pub interval: Option<(f64, f64)>,
    /// S.
    pub substitutions: u64,
    /// D.
    pub deletions: u64,
    /// I.
    pub insertions: u64,
    /// N.
    pub ref_words: u64,
    /// Items.
    pub items: u32,
    /// Items for which the model reported an error.
    pub failed: u32,
    /// Audio seconds by processing seconds.
    pub rtfx: Option<f64>,
}

/// One scored item of a run.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    /// Name of its track.
    pub track: &'a str,
    /// The utterance, the same in every track.
    pub utterance: &'a str,
    /// Who speaks.
    pub talker: &'a str,
    /// Where; nothing for dry speech.
    pub room: Option<&'a str>,
    /// Length of the audio.
    pub audio_seconds: f64,
    /// Time the item took.
    pub seconds: f64,
    /// Word errors.
    pub counts: Counts,
    /// The model reported an error.
    pub failed: bool,
}

/// Word errors where several talk: cpWER (concatenated minimum-permutation WER) of the streams of a hypothesis.
///
/// A hypothesis of one stream is matched with the talker with whom it makes fewest errors; what the others say is
/// deleted. One that the model gave up on is empty.
pub fn speaker_errors(normalizer: Normalizer, reference: &[SpokenSegment], hypothesis: &Outcome) -> Counts {
    let segment = |speaker: &str, words: &str| Segment {
        session_id: String::new(),
        speaker: speaker.to_owned(),
        // Without times the order of the segments counts.
        start_time: None,
        end_time: None,
        words: normalizer.normalize(words),
    };
    let of = |segments: &[SpokenSegment]| -> Vec<Segment> {
        segments.iter().map(|said| segment(&said.speaker, &said.words)).collect()
    };
    let heard = match hypothesis {
        Outcome::Segments(segments) => of(segments),
        one_stream => vec![segment("model", &one_stream.text())],
    };
    match cp_wer(&of(reference), &heard, TimeConstraint::None) {
        Ok(errors) => errors.counts,
        Err(error) => unreachable!("without a time constraint no segment can be wrong: {error}"),
    }
}

/// The rates of all tracks, resampled by talkers and rooms.
///
/// # Errors
/// Never for what comes from one slice; see [`cluster_bootstrap`].
pub fn resample(items: &[Item<'_>], plan: Bootstrap) -> Result<Draws, LengthMismatch> {
    let sample = Sample::new(items.iter().map(|item| Unit {
        group: item.track,
        utterance: item.utterance,
        talker: item.talker,
        room: item.room,
    }));
    let counts: Vec<Counts> = items.iter().map(|item| item.counts).collect();
    cluster_bootstrap(&sample, &counts, plan)
}

/// The figures of a run: `draws` are those of [`resample`], `ranked` the tracks that make the average and the headline
/// speed, `passes` audio and processing time of each repeat pass as a whole.
pub fn summarise(
    items: &[Item<'_>],
    draws: &Draws,
    ranked: &[&str],
    passes: &[Timing],
    plan: Bootstrap,
) -> Summary {
    let tracks: BTreeSet<&str> = items.iter().map(|item| item.track).collect();
    let tracks = tracks.into_iter().map(|track| (track.to_owned(), track_summary(track, items, draws)));
    let average = draws.mean(ranked);
    let of_ranked = || items.iter().filter(|item| ranked.contains(&item.track));
    let headline = rtfx(of_ranked());
    // One clip a pass: the subset is fixed, so passes are what varies.
    let speed = scoring::rtfx(&passes.iter().map(|pass| vec![*pass]).collect::<Vec<_>>(), plan);
    Summary {
        avg_wer: average.as_ref().map(|average| average.estimate),
        avg_wer_interval: interval(average.as_ref()),
        tracks: tracks.collect(),
        rtfx: headline,
        // The passes run over a subset, so their relative spread is what carries over to the headline.
        rtfx_interval: headline.zip(speed).map(|(headline, speed)| {
            (headline * speed.interval.low / speed.rtfx, headline * speed.interval.high / speed.rtfx)
        }),
        rtfx_stable: speed.is_some_and(|speed| speed.stable),
        repeat_passes: narrow(passes.len()),
        latency: latency(of_ranked().map(|item| item.seconds).collect()),
    }
}

fn track_summary(track: &str, items: &[Item<'_>], draws: &Draws) -> TrackSummary {
    let of_track = || items.iter().filter(|item| item.track == track);
    let total: Counts = of_track().map(|item| item.counts).sum();
    TrackSummary {
        wer: total.rate(),
        interval: interval(draws.group(track)),
        substitutions: total.substitutions,
        deletions: total.deletions,
        insertions: total.insertions,
        ref_words: total.ref_words(),
        items: narrow(of_track().count()),
        failed: narrow(of_track().filter(|item| item.failed).count()),
        rtfx: rtfx(of_track()),
    }
}

fn interval(replicates: Option<&Replicates>) -> Option<(f64, f64)> {
    replicates.and_then(Replicates::interval).map(|Interval { low, high }| (low, high))
}

/// Σ audio seconds / Σ processing seconds.
fn rtfx<'a>(items: impl Iterator<Item = &'a Item<'a>>) -> Option<f64> {
    let (audio, processing) = items.fold((0.0, 0.0), |(audio, processing), item| {
        (audio + item.audio_seconds, processing + item.seconds)
    });
    (processing > 0.0).then(|| audio / processing)
}

fn latency(mut seconds: Vec<f64>) -> Latency {
    seconds.sort_unstable_by(f64::total_cmp);
    let at = |probability| quantile(&seconds, probability).unwrap_or(0.0);
    Latency { p50: at(0.50), p90: at(0.90), p95: at(0.95), p99: at(0.99) }
}

fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(speaker: &str, words: &str) -> SpokenSegment {
        SpokenSegment {
            speaker: speaker.to_owned(),
            words: words.to_owned(),
            start_time: None,
            end_time: None,
        }
    }

    fn errors(hypothesis: &Outcome) -> (u64, u64, u64, u64) {
        let reference = [said("ann", "please call me"), said("bob", "I will"), said("ann", "tomorrow")];
        let counts = speaker_errors(Normalizer::WhisperEnglish, &reference, hypothesis);
        (counts.hits, counts.substitutions, counts.deletions, counts.insertions)
    }

    #[test]
    fn one_stream_is_matched_with_one_talker_and_the_words_of_the_others_are_deleted() {
        assert_eq!(errors(&Outcome::Text("please call me tomorrow".to_owned())), (4, 0, 2, 0));
        assert_eq!(errors(&Outcome::Text("I will".to_owned())), (2, 0, 4, 0));
        assert_eq!(errors(&Outcome::Error("no".to_owned())), (0, 0, 6, 0));
    }

    #[test]
    fn streams_are_matched_with_talkers_whatever_they_are_called_and_too_many_are_insertions() {
        let streams = vec![said("0", "I will"), said("1", "please call me"), said("1", "tomorrow")];
        assert_eq!(errors(&Outcome::Segments(streams.clone())), (6, 0, 0, 0));
        let mut more = streams;
        more.push(said("2", "hello"));
        assert_eq!(errors(&Outcome::Segments(more)), (6, 0, 0, 1));
        // All words right and two of them given to the wrong talker: that is what cpWER counts.
        let mixed = vec![said("0", "please call me"), said("1", "I will tomorrow")];
        assert_eq!(errors(&Outcome::Segments(mixed)), (5, 0, 1, 1));
    }
}
