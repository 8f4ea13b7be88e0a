//! `ffasr eval --stream` (beta): items in real time, piece by piece; how soon the first word and the last are there, and
//! what the final texts are worth.

use std::collections::BTreeMap;

use benchmark::{dev::DevItem, dev::DevSet, release::Role};
use protocol::ModelManifest;
use sandbox::Streamed;
use scoring::{Counts, ScoringProfile, quantile};
use serde::Serialize;

/// What a streamed run is worth.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Report<'a> {
    format: u32,
    kind: &'static str,
    release: &'a benchmark::dev::Header,
    model: &'a ModelManifest,
    scorer: String,
    tracks: BTreeMap<String, TrackReport>,
}

/// One track. Times are in seconds; percentiles over its items.
#[derive(Debug, Clone, Serialize)]
struct TrackReport {
    items: usize,
    /// WER of the final texts.
    wer: Option<f64>,
    /// From the moment the first sample was spoken to the first answer with a word in it: median and 90 %. Silence before
    /// the speech counts, so it compares on the same items only.
    first_token: Option<(f64, f64)>,
    /// Items in which no word was heard.
    silent: usize,
    /// From the moment the last sample was spoken to the final answer: median, 95 %.
    finalisation: Option<(f64, f64)>,
}

pub(super) fn report<'a>(set: &'a DevSet, model: &'a ModelManifest, streamed: &[Streamed]) -> Report<'a> {
    let profile = super::score::profile(&set.header.corpus.language);
    let mut tracks: BTreeMap<String, Vec<(&DevItem, &Streamed)>> = BTreeMap::new();
    let items = set.items.iter().filter(|item| item.role == Role::Scored);
    for (item, streamed) in items.zip(streamed) {
        tracks.entry(item.track.name().to_owned()).or_default().push((item, streamed));
    }
    Report {
        format: super::FORMAT,
        kind: "self-reported-stream",
        release: &set.header,
        model,
        scorer: profile.scorer(),
        tracks: tracks.into_iter().map(|(name, items)| (name, track(profile, &items))).collect(),
    }
}

fn track(profile: ScoringProfile, items: &[(&DevItem, &Streamed)]) -> TrackReport {
    let total: Counts = items
        .iter()
        .map(|(item, streamed)| {
            let text = &*streamed.outcome.text();
            profile.score(&item.text, text).words
        })
        .sum();
    let first: Vec<f64> = items.iter().filter_map(|(_, it)| it.first_token_seconds).collect();
    TrackReport {
        items: items.len(),
        wer: total.rate(),
        silent: items.len() - first.len(),
        first_token: percentiles(first, 0.9),
        finalisation: percentiles(items.iter().map(|(_, it)| it.finalisation_seconds).collect(), 0.95),
    }
}

fn percentiles(mut seconds: Vec<f64>, upper: f64) -> Option<(f64, f64)> {
    seconds.sort_unstable_by(f64::total_cmp);
    quantile(&seconds, 0.5).zip(quantile(&seconds, upper))
}

impl Report<'_> {
    /// For a terminal.
    pub(super) fn table(&self) -> String {
        let mut lines = vec![
            String::new(),
            format!(
                "{} on {}@{}, streamed in real time (self-reported; {})",
                self.model.name, self.release.slug, self.release.version, self.scorer
            ),
            String::new(),
            format!(
                "{:10} {:>6} {:>8} {:>22} {:>8} {:>22}",
                "track", "items", "WER %", "first word p50, p90", "silent", "final p50, p95"
            ),
        ];
        let times = |it: Option<(f64, f64)>| {
            it.map_or_else(|| "–".to_owned(), |(middle, upper)| format!("{middle:.3} s, {upper:.3} s"))
        };
        for (name, it) in &self.tracks {
            let wer = it.wer.map_or_else(|| "–".to_owned(), |wer| format!("{:.2}", 100.0 * wer));
            lines.push(format!(
                "{name:10} {:>6} {wer:>8} {:>22} {:>8} {:>22}",
                it.items,
                times(it.first_token),
                it.silent,
                times(it.finalisation)
            ));
        }
        lines.join("\n") + "\n"
    }
}
