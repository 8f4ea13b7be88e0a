//! `ffasr score wer`: word or character errors of every item and of all.

use std::io::{BufRead, Write};

use clap::Args;
use scoring::{
    Bootstrap, Counts, Normalizer, Replicates, Sample, Scheme, ScoringProfile, Unit, align,
    cluster_bootstrap, count_chars, count_words, count_words_merged, path_of, split_words,
};
use serde::{Deserialize, Serialize};

use super::lines::{Failure, SeenIds, for_each_line, write_line};
use super::{BootstrapArgs, pair};

/// Most words of one text: about twenty hours of speech. Beyond, time and memory are no longer bounded sensibly.
const MOST_WORDS: usize = 200_000;

/// Arguments of `ffasr score wer`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub(super) struct WerArgs {
    /// Normaliser: none, basic, whisper-en or open-asr-en; @N pins the version
    #[arg(long, value_name = "NAME", default_value = "whisper-en@1")]
    normalizer: Normalizer,
    /// Let a word written apart count as the word written together
    #[arg(long)]
    merge_compounds: bool,
    /// Scoring profile, in place of the two above: ffasr, open-asr or raw
    #[arg(long, value_name = "NAME", value_parser = profile, conflicts_with_all = ["normalizer", "merge_compounds"])]
    profile: Option<ScoringProfile>,
    /// Count characters in place of words
    #[arg(long, conflicts_with = "merge_compounds")]
    characters: bool,
    /// Add the alignment of each item as a string of C, S, D and I; `score compare` needs it for MAPSSWE
    #[arg(long, conflicts_with_all = ["merge_compounds", "characters"])]
    path: bool,
    /// End with a line of totals and their interval; {"talker","room"} of the items make the clusters
    #[arg(long)]
    summary: bool,
    #[command(flatten)]
    bootstrap: BootstrapArgs,
}

fn profile(name: &str) -> Result<ScoringProfile, String> {
    let names = || ScoringProfile::ALL.map(|profile| profile.name).join(", ");
    ScoringProfile::named(name).ok_or_else(|| format!("unknown profile: use one of {}", names()))
}

/// An item to score.
#[derive(Deserialize)]
struct Item {
    id: String,
    r#ref: String,
    hyp: String,
    talker: Option<String>,
    room: Option<String>,
}

/// A scored item, as `score compare` reads it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Scored {
    pub(super) id: String,
    #[serde(flatten)]
    pub(super) counts: Counts,
    pub(super) ref_words: u64,
    pub(super) wer: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) merged_compounds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) track: Option<String>,
    /// The same in every track; without it, each item is an utterance of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) utterance: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) talker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) room: Option<String>,
}

impl Scored {
    /// An item of which nothing but its counts is known.
    pub(super) fn new(id: String, counts: Counts) -> Self {
        Self {
            id,
            counts,
            ref_words: counts.ref_words(),
            wer: counts.rate(),
            merged_compounds: None,
            path: None,
            track: None,
            utterance: None,
            talker: None,
            room: None,
        }
    }

    /// The item without its track, so that it is pooled with those of other tracks.
    pub(super) fn without_track(&self) -> Self {
        Self { track: None, ..self.clone() }
    }
}

#[derive(Serialize)]
pub(super) struct Totals {
    summary: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    track: Option<String>,
    items: usize,
    /// Items without reference words: only their insertions count.
    empty_references: usize,
    #[serde(flatten)]
    counts: Counts,
    ref_words: u64,
    wer: Option<f64>,
    interval: Option<[f64; 2]>,
    standard_error: Option<f64>,
    resampled: Scheme,
    replications: usize,
    seed: u64,
}

/// Scores every line.
pub(super) fn run(input: impl BufRead, out: &mut impl Write, args: &WerArgs) -> Result<(), Failure> {
    let mut seen = SeenIds::default();
    let mut all = Vec::new();
    for_each_line(input, |item: Item| {
        seen.insert(&item.id)?;
        let scored = score(item, args)?;
        write_line(out, &scored)?;
        if args.summary {
            all.push(Scored { path: None, ..scored });
        }
        Ok(())
    })?;
    if !args.summary {
        return Ok(());
    }
    write_line(out, &summarise(&all.iter().collect::<Vec<_>>(), None, args.bootstrap.into()))
}

fn score(item: Item, args: &WerArgs) -> Result<Scored, Failure> {
    let (normalizer, merge) = match args.profile {
        Some(profile) => (profile.normalizer, profile.merge_compounds && !args.characters),
        None => (args.normalizer, args.merge_compounds),
    };
    let reference = normalizer.normalize(&item.r#ref);
    let hypothesis = normalizer.normalize(&item.hyp);
    for (side, text) in [("ref", &reference), ("hyp", &hypothesis)] {
        let words = if args.characters { text.chars().count() } else { text.split_whitespace().count() };
        if words > MOST_WORDS {
            return Err(Failure::here(format!(
                "{side} has {words} tokens; at most {MOST_WORDS} can be aligned"
            )));
        }
    }
    let (counts, merged_compounds) = if args.characters {
        (count_chars(&reference, &hypothesis), None)
    } else if merge {
        let (counts, merged) = count_words_merged(&reference, &hypothesis);
        (counts, Some(merged))
    } else {
        (count_words(&reference, &hypothesis), None)
    };
    let path = args.path.then(|| path_of(&align(&split_words(&reference), &split_words(&hypothesis))));
    let scored = Scored::new(item.id, counts);
    Ok(Scored { merged_compounds, path, talker: item.talker, room: item.room, ..scored })
}

/// The items as units of a bootstrap, in groups by track: by talker and room if all items name their talker, else by
/// utterance.
pub(super) fn sample(items: &[&Scored]) -> Sample {
    let units = items.iter().map(|item| Unit {
        group: item.track.as_deref().unwrap_or_default(),
        utterance: item.utterance.as_deref().unwrap_or(&item.id),
        talker: item.talker.as_deref().unwrap_or_default(),
        room: item.room.as_deref(),
    });
    if items.iter().all(|item| item.talker.is_some()) {
        Sample::new(units)
    } else {
        Sample::with_scheme(units, Scheme::Utterances)
    }
}

/// The totals of items, pooled whatever their track.
pub(super) fn summarise(items: &[&Scored], track: Option<&str>, plan: Bootstrap) -> Totals {
    let all: Vec<Counts> = items.iter().map(|item| item.counts).collect();
    let counts: Counts = all.iter().sum();
    let pooled: Vec<Scored> = items.iter().map(|item| item.without_track()).collect();
    let sample = sample(&pooled.iter().collect::<Vec<_>>());
    // One count per item by construction.
    let draws = cluster_bootstrap(&sample, &all, plan).ok();
    let rate = draws.as_ref().and_then(|draws| draws.group(""));
    Totals {
        summary: true,
        track: track.map(str::to_owned),
        items: items.len(),
        empty_references: all.iter().filter(|counts| counts.ref_words() == 0).count(),
        counts,
        ref_words: counts.ref_words(),
        wer: counts.rate(),
        interval: rate.and_then(Replicates::interval).map(pair),
        standard_error: rate.map(Replicates::standard_error).filter(|error| error.is_finite()),
        resampled: sample.scheme(),
        replications: plan.replications,
        seed: plan.seed,
    }
}
