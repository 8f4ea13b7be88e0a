//! Where a model fails: counts and rates by word class, entity, fault and condition. Never a text of an item; a word
//! only if the same error happens in [`SHOWN_FROM`] different utterances.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use scoring::{
    Counts, Draws, ItemCounts, Normalizer, ScoringProfile, Step,
    confusions::{Confusion, Confusions},
    entities::{EntityErrors, WordClass, classify, entity_errors, errors_by_class, names},
    faults::{Fault, words_per_hour},
    formatting::{Formatting, formatting},
    paired_difference,
    response::{Observation, fit},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::releases::Reference;

/// A confusion of words is kept only if it happens in this many different utterances: what is said so often tells
/// nothing about any one of them.
pub(crate) const SHOWN_FROM: usize = 5;
/// Most confusions that are kept.
const MOST_CONFUSIONS: usize = 15;
/// Fewest items for a response to a condition.
const FEWEST_ITEMS: usize = 12;
/// The conditions whose effect is fitted, by their name in the release.
const CONDITIONS: [&str; 4] = ["snr_db", "distance_m", "t30_s", "drr_db"];
/// The conditions of the surface, by their name in the release: what a visitor can say of a room.
pub(crate) const SURFACE: [&str; 3] = ["snr_db", "drr_db", "t30_s"];
/// Fewest items for the surface.
const FEWEST_SURFACE_ITEMS: usize = 40;
/// The rates of which it is said where they are reached.
const TARGETS: [f64; 3] = [0.1, 0.2, 0.5];

/// Where one attempt fails, under one scorer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Analysis {
    /// By track.
    pub(crate) tracks: BTreeMap<String, TrackAnalysis>,
    /// Mean WER of the far tracks over that of the near track, with its 95 % interval.
    pub(crate) far_near: Option<Ratio>,
    /// Errors as a function of one condition, by its name.
    pub(crate) responses: BTreeMap<String, Response>,
    /// Errors as a function of all conditions of [`SURFACE`] together.
    #[serde(default)]
    pub(crate) surface: Option<Surface>,
    /// What the room, the noise, both and motion cost, where the release has the tracks for it.
    #[serde(default)]
    pub(crate) ladder: Vec<Rung>,
    /// Errors by room and by the bin of [`SNR_BINS`], of all items in which one talker is heard in a room.
    #[serde(default)]
    pub(crate) rooms: BTreeMap<String, [RoomCell; SNR_BINS.len() + 1]>,
    /// The most frequent errors that happen in [`SHOWN_FROM`] utterances or more.
    pub(crate) confusions: Vec<Confusion>,
}

/// Errors by reference word, at most one each item's words, as a function of the conditions of [`SURFACE`]: fitted to the
/// items of the far tracks and of the sweep, in which one talker stands still.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Surface {
    /// Items behind it.
    pub(crate) items: u64,
    /// Least and most of each condition among them.
    pub(crate) range: [(f64, f64); 3],
    /// The fit.
    pub(crate) response: scoring::response::Response,
}

/// Ends of the bins of SNR in decibels: the ranked tracks' bins are whole ones. What has no noise comes last.
pub(crate) const SNR_BINS: [(f64, f64); 5] =
    [(f64::MIN, -4.0), (-4.0, 7.0), (7.0, 13.0), (13.0, 24.0), (24.0, f64::MAX)];

/// Items of one room and one bin of SNR.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoomCell {
    pub(crate) items: u64,
    pub(crate) errors: u64,
    pub(crate) words: u64,
}

/// One step from a track to another with the same utterances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rung {
    /// What is added.
    pub(crate) step: String,
    /// The track.
    pub(crate) track: String,
    /// The track it is compared with.
    pub(crate) from: String,
    /// WER of the track.
    pub(crate) wer: f64,
    /// WER of the track less that of the other.
    pub(crate) increment: f64,
    /// 95 % interval of it, on the same draws of talkers and rooms.
    pub(crate) interval: (f64, f64),
}

/// The steps of the ladder: what is added, the track that has it, and the track that lacks it.
const STEPS: [(&str, &str, &str); 4] = [
    ("reverberation", "reverb-only", "near"),
    ("noise", "noise-only", "near"),
    ("both", "far-mid", "near"),
    ("motion", "moving-mid", "far-mid"),
];

/// Where an attempt fails on one track.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct TrackAnalysis {
    pub(crate) items: u64,
    /// Errors by the class of the word.
    pub(crate) classes: BTreeMap<WordClass, Counts>,
    /// Whole entities that are wrong.
    pub(crate) entities: BTreeMap<WordClass, EntityErrors>,
    /// Items with each fault.
    pub(crate) faults: BTreeMap<Fault, u64>,
    /// Punctuation and casing of the raw texts.
    pub(crate) formatting: Formatting,
    /// Over characters.
    pub(crate) chars: Counts,
    /// Compounds that were merged.
    pub(crate) merged_compounds: u64,
    /// Words to items in which nothing is said, by the hour; null where something is said in every item.
    pub(crate) false_words_per_hour: Option<f64>,
    #[serde(skip)]
    silence: Silence,
}

/// Items without reference words.
#[derive(Debug, Clone, Default, PartialEq)]
struct Silence {
    words: u64,
    seconds: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ratio {
    pub(crate) ratio: f64,
    pub(crate) interval: Option<(f64, f64)>,
}

/// The share of reference words that are wrong (S + D), as a function of one condition while the others vary along.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Response {
    /// Items behind it.
    pub(crate) items: u64,
    /// By how much words of one item fail together: 1 if not at all.
    pub(crate) dispersion: f64,
    /// On a grid within what was measured.
    pub(crate) points: Vec<Point>,
    /// Where a rate is reached, if within what was measured.
    pub(crate) crossings: Vec<Crossing>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Point {
    pub(crate) value: f64,
    pub(crate) rate: f64,
    pub(crate) interval: (f64, f64),
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Crossing {
    pub(crate) rate: f64,
    pub(crate) value: f64,
    pub(crate) interval: Option<(f64, f64)>,
}

/// The name of a fault or class, as it stands in JSON.
pub(crate) fn name(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(name)) => name,
        other => unreachable!("a unit variant is a string, not {other:?}"),
    }
}

/// One item as the scorer has it before it.
pub(super) struct Scored<'a> {
    pub(super) reference: &'a Reference,
    /// As the model wrote it.
    pub(super) hypothesis: &'a str,
    /// Normalised words of the reference.
    pub(super) said: &'a [&'a str],
    /// Normalised words of the hypothesis.
    pub(super) heard: &'a [&'a str],
    pub(super) steps: &'a [Step],
    pub(super) counts: ItemCounts,
    pub(super) faults: &'a BTreeSet<Fault>,
}

/// Adds up what is known of the items.
#[derive(Default)]
pub(super) struct Collector {
    tracks: BTreeMap<String, TrackAnalysis>,
    confusions: Confusions,
    utterances: HashMap<String, usize>,
    observations: BTreeMap<&'static str, Vec<Observation>>,
    surface: Vec<Observation>,
    rooms: BTreeMap<String, [RoomCell; SNR_BINS.len() + 1]>,
}

impl Collector {
    /// Adds an item. Text that is not normalised has no word classes, so that nothing is collected.
    pub(super) fn add(&mut self, profile: ScoringProfile, item: &Scored<'_>) {
        if profile.normalizer == Normalizer::None {
            return;
        }
        let track = self.tracks.entry(item.reference.track.clone()).or_default();
        track.add(profile.normalizer, item);
        let next = self.utterances.len();
        let utterance = *self.utterances.entry(item.reference.utterance.clone()).or_insert(next);
        self.confusions.add(utterance, item.said, item.heard, item.steps);
        let words = item.counts.words;
        if let Some(room) = &item.reference.room {
            let snr = item.reference.conditions["snr_db"].as_f64();
            let within = |snr: f64| SNR_BINS.iter().position(|(low, high)| (*low..*high).contains(&snr));
            let bin = snr.and_then(within).unwrap_or(SNR_BINS.len());
            let cell = &mut self.rooms.entry(room.clone()).or_default()[bin];
            cell.items += 1;
            cell.errors += words.errors();
            cell.words += words.ref_words();
        }
        let known: Option<Vec<f64>> =
            SURFACE.iter().map(|condition| item.reference.conditions[*condition].as_f64()).collect();
        let stands_still = super::ranked_tracks()[1..].contains(&item.reference.track.as_str())
            || item.reference.track == "sweep";
        if let Some(conditions) = known.filter(|_| stands_still) {
            let wrong = words.errors();
            self.surface.push(Observation { conditions, wrong, words: words.ref_words() });
        }
        for condition in CONDITIONS {
            if let Some(value) = item.reference.conditions[condition].as_f64() {
                let wrong = words.substitutions + words.deletions;
                let observation = Observation { conditions: vec![value], wrong, words: words.ref_words() };
                self.observations.entry(condition).or_default().push(observation);
            }
        }
    }

    /// The analysis; nothing if nothing was collected.
    pub(super) fn finish(self, profile: ScoringProfile, draws: &Draws) -> Option<Analysis> {
        if profile.normalizer == Normalizer::None {
            return None;
        }
        let tracks = self.tracks.into_iter().map(|(name, mut track)| {
            track.false_words_per_hour = words_per_hour(track.silence.words, track.silence.seconds);
            (name, track)
        });
        let responses = self
            .observations
            .into_iter()
            .filter_map(|(condition, observations)| Some((condition.to_owned(), respond(&observations)?)));
        Some(Analysis {
            tracks: tracks.collect(),
            far_near: far_near(draws),
            responses: responses.collect(),
            surface: surface(&self.surface),
            ladder: ladder(draws),
            rooms: self.rooms,
            confusions: self.confusions.top(MOST_CONFUSIONS, SHOWN_FROM),
        })
    }
}

impl TrackAnalysis {
    fn add(&mut self, normalizer: Normalizer, item: &Scored<'_>) {
        self.items += 1;
        // The lists of words are English.
        if normalizer != Normalizer::Basic {
            self.add_classes(normalizer, item);
        }
        for fault in item.faults {
            *self.faults.entry(*fault).or_default() += 1;
        }
        self.formatting += formatting(&item.reference.text, item.hypothesis);
        self.chars += item.counts.chars;
        self.merged_compounds += item.counts.merged_compounds;
        if item.said.is_empty() {
            self.silence.words += item.heard.len() as u64;
            self.silence.seconds += item.reference.seconds;
        }
    }

    fn add_classes(&mut self, normalizer: Normalizer, item: &Scored<'_>) {
        let names = names(&item.reference.text, normalizer);
        let (said, heard) = (classify(item.said, &names), classify(item.heard, &names));
        for (class, counts) in errors_by_class(&said, &heard, item.steps) {
            *self.classes.entry(class).or_default() += counts;
        }
        for (class, errors) in entity_errors(&said, item.steps) {
            let sum = self.entities.entry(class).or_default();
            sum.entities += errors.entities;
            sum.wrong += errors.wrong;
        }
    }
}

fn far_near(draws: &Draws) -> Option<Ratio> {
    let [near, far @ ..] = super::ranked_tracks();
    let ratio = draws.mean(&far)?.ratio_to(draws.group(near)?);
    let interval = ratio.interval().map(|interval| (interval.low, interval.high));
    let is_number = |interval: &(f64, f64)| interval.0.is_finite() && interval.1.is_finite();
    ratio.estimate.is_finite().then(|| Ratio { ratio: ratio.estimate, interval: interval.filter(is_number) })
}

/// The steps that both tracks were run for.
fn ladder(draws: &Draws) -> Vec<Rung> {
    let rung = |&(step, track, from): &(&str, &str, &str)| {
        let (with, without) = (draws.group(track)?, draws.group(from)?);
        let difference = paired_difference(with, without)?;
        Some(Rung {
            step: step.to_owned(),
            track: track.to_owned(),
            from: from.to_owned(),
            wer: with.estimate,
            increment: difference.estimate,
            interval: (difference.interval.low, difference.interval.high),
        })
    };
    STEPS.iter().filter_map(rung).collect()
}

/// Fits the response to one condition; nothing without enough items, or if they do not determine it.
fn respond(observations: &[Observation]) -> Option<Response> {
    let used = || observations.iter().filter(|observation| observation.words > 0);
    if used().count() < FEWEST_ITEMS {
        return None;
    }
    let value = |observation: &Observation| observation.conditions[0];
    let low = used().map(value).fold(f64::INFINITY, f64::min);
    let high = used().map(value).fold(f64::NEG_INFINITY, f64::max);
    let response = fit(observations).ok()?;
    let points = grid(low, high).into_iter().filter_map(|value| {
        let at = response.predict(&[value])?;
        Some(Point { value, rate: at.rate, interval: (at.interval.low, at.interval.high) })
    });
    let crossings = TARGETS.into_iter().filter_map(|rate| {
        let crossing = response.crossing(0, &[0.0], rate)?;
        let interval = crossing.interval.map(|interval| (interval.low, interval.high));
        (low..=high).contains(&crossing.value).then_some(Crossing { rate, value: crossing.value, interval })
    });
    Some(Response {
        items: used().count() as u64,
        dispersion: response.dispersion,
        points: points.collect(),
        crossings: crossings.collect(),
    })
}

/// Fits the surface; nothing without enough items, or if they do not determine it.
fn surface(observations: &[Observation]) -> Option<Surface> {
    let used = || observations.iter().filter(|observation| observation.words > 0);
    if used().count() < FEWEST_SURFACE_ITEMS {
        return None;
    }
    let response = fit(observations).ok()?;
    let range = std::array::from_fn(|condition| {
        let values = used().map(|observation| observation.conditions[condition]);
        values
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
    });
    Some(Surface { items: used().count() as u64, range, response })
}

/// Four to eight round values from `low` to `high`.
fn grid(low: f64, high: f64) -> Vec<f64> {
    let span = high - low;
    if span <= 0.0 || !span.is_finite() {
        return Vec::new();
    }
    let power = 10_f64.powf((span / 8.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| span / step <= 7.0);
    let step = step.unwrap_or(span);
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    (first..=last).map(|place| place as f64 * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_has_few_round_values_within_its_ends() {
        assert_eq!(grid(-3.7, 23.8), [0.0, 5.0, 10.0, 15.0, 20.0]);
        assert_eq!(grid(-10.0, 30.0).len(), 5);
        let times: Vec<String> = grid(0.21, 0.83).iter().map(|value| format!("{value:.2}")).collect();
        assert_eq!(times, ["0.30", "0.40", "0.50", "0.60", "0.70", "0.80"]);
        assert!(grid(1.0, 1.0).is_empty());
        for high in [0.003, 0.7, 4.1, 55.0, 9999.0] {
            assert!((3..=8).contains(&grid(0.0, high).len()), "{high}");
        }
    }

    #[test]
    fn every_snr_has_one_bin_and_the_ranked_tracks_have_whole_ones() {
        let bin = |snr: f64| SNR_BINS.iter().position(|(low, high)| (*low..*high).contains(&snr));
        assert!(SNR_BINS.windows(2).all(|pair| pair[0].1.total_cmp(&pair[1].0).is_eq()));
        // Design §6: −4 to 6, 8 to 12 and 14 to 24 dB.
        let bins = [-10.0, -4.0, 6.0, 8.0, 12.0, 14.0, 23.9, 30.0].map(bin);
        assert_eq!(bins, [0, 1, 1, 2, 2, 3, 3, 4].map(Some));
    }

    #[test]
    fn too_few_items_and_errors_that_do_not_vary_have_no_response() {
        let item = |snr: f64, wrong| Observation { conditions: vec![snr], wrong, words: 10 };
        let some: Vec<Observation> = (0..11).map(|i| item(f64::from(i), 5)).collect();
        assert_eq!(respond(&some), None);
        let same: Vec<Observation> = (0..40).map(|_| item(3.0, 5)).collect();
        assert_eq!(respond(&same), None);
    }

    #[test]
    fn the_surface_recovers_what_the_errors_were_made_by() {
        // logit p = −0.5 − 0.1 snr − 0.05 drr + t30.
        let items: Vec<Observation> = (0..60)
            .map(|i| {
                let conditions =
                    vec![f64::from(i % 12) * 3.0 - 5.0, f64::from(i % 7) - 4.0, 0.2 + f64::from(i % 5) * 0.2];
                let logit = -0.5 - 0.1 * conditions[0] - 0.05 * conditions[1] + conditions[2];
                let wrong = (1e6 / (1.0 + (-logit).exp())).round() as u64;
                Observation { conditions, wrong, words: 1_000_000 }
            })
            .collect();
        let found = surface(&items).unwrap();
        for (found, made) in found.response.coefficients.iter().zip([-0.5, -0.1, -0.05, 1.0]) {
            assert!((found - made).abs() < 1e-4, "{found} {made}");
        }
        assert_eq!(found.range[0], (-5.0, 28.0));
        assert_eq!(surface(&items[..FEWEST_SURFACE_ITEMS - 1]), None);
        // What is stored is read again.
        let stored = serde_json::to_value(&found).unwrap();
        assert_eq!(serde_json::from_value::<Surface>(stored).unwrap(), found);
    }

    #[test]
    fn the_response_finds_where_a_rate_is_reached() {
        // logit p = -snr / 5: half of the words are wrong at 0 dB, one in five at 5 ln 4 = 6.93 dB.
        let items: Vec<Observation> = (-10..=20)
            .map(|snr| {
                let p = 1.0 / (1.0 + (f64::from(snr) / 5.0).exp());
                Observation {
                    conditions: vec![f64::from(snr)],
                    wrong: (1e4 * p).round() as u64,
                    words: 10_000,
                }
            })
            .collect();
        let response = respond(&items).unwrap();
        let at = |rate: f64| response.crossings.iter().find(|c| (c.rate - rate).abs() < 1e-9).unwrap();
        assert!((at(0.5).value).abs() < 0.01 && (at(0.2).value - 6.931).abs() < 0.01);
        let interval = at(0.2).interval.unwrap();
        assert!(interval.0 < 6.931 && 6.931 < interval.1);
        assert!(response.points.iter().all(|point| point.interval.0 < point.rate));
    }
}
