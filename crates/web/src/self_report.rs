//! The JSON result of `ffasr eval` as it comes in: what is read of it, and what must fit together.
//!
//! Nobody here vouches for such a result. What is checked is that it is whole and agrees with itself, so that a table of
//! them is not nonsense; whether it is true cannot be checked.

use protocol::{ModelManifest, ResultsDocument};
use schemars::JsonSchema;
use serde::Deserialize;
use store::scores::{Summary, TrackSummary};

use crate::{scorer, submit, views::FieldErrors};

/// Version of the format that is understood.
const FORMAT: u32 = 1;
/// Two ways to add up the same numbers differ by less.
const ROUNDING: f64 = 1e-9;

/// What `ffasr eval --json` prints.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct SelfReport {
    format: u32,
    kind: String,
    pub(crate) release: ReleaseHeader,
    #[serde(default)]
    limited_to_items: Option<u32>,
    pub(crate) model: ModelManifest,
    pub(crate) scorer: String,
    pub(crate) summary: Summary,
    pub(crate) results: ResultsDocument,
}

/// What was evaluated on.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ReleaseHeader {
    pub(crate) slug: String,
    pub(crate) version: String,
    pub(crate) manifest_sha256: String,
    #[serde(default)]
    corpus: Option<CorpusHeader>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct CorpusHeader {
    /// BCP 47 tag: it decides how texts are normalised.
    language: String,
}

/// Everything that does not fit, by place in the document.
pub(crate) fn faults(report: &SelfReport) -> FieldErrors {
    let mut errors = FieldErrors::default();
    if report.format != FORMAT || report.kind != "self-reported" {
        errors.add(
            "format",
            format!("This is not a result of `ffasr eval --json` in format {FORMAT}; run it with the ffasr of this service."),
        );
    }
    if report.limited_to_items.is_some() {
        errors.add(
            "limited_to_items",
            "It is a dry run over some of the items; run `ffasr eval` without --items.",
        );
    }
    let release = &report.release;
    let language = release.corpus.as_ref().map(|corpus| &*corpus.language);
    let ranking = scorer::in_language(scorer::RANKING, language).scorer();
    if report.scorer != ranking {
        errors.add(
            "scorer",
            format!("It was scored by {}, not by {ranking}, which ranks here.", report.scorer),
        );
    }
    let is_hash = release.manifest_sha256.len() == 64
        && release.manifest_sha256.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
    let is_name = |text: &str| {
        (1..=64).contains(&text.len())
            && text.chars().all(|it| it.is_ascii_alphanumeric() || "._-".contains(it))
    };
    if !is_hash || !is_name(&release.slug) || !is_name(&release.version) {
        errors.add("release", "Slug, version and manifest_sha256 must be those of a release or dev set.");
    }
    submit::check_description(&report.model, &mut errors);
    if serde_json::to_string(&report.results.results.report)
        .map_or(true, |text| text.len() > 8192 || text.contains("\\u0000"))
    {
        errors.add(
            "results.report",
            "The report on the run is too long or holds a character that cannot be stored.",
        );
    }
    if let Err(problem) = check_summary(&report.summary) {
        errors.add("summary", problem);
    }
    errors
}

/// Rates are those of their counts, the average that of the four tracks, and all are numbers that can be.
fn check_summary(summary: &Summary) -> Result<(), String> {
    let average = summary.avg_wer.ok_or("It has no avg_wer: one of the four ranked tracks is missing.")?;
    let mut sum = 0.0;
    for name in scorer::ranked_tracks() {
        let track = summary.tracks.get(name).ok_or_else(|| format!("The track {name} is missing."))?;
        sum += check_track(name, track)?;
    }
    for (name, track) in &summary.tracks {
        check_track(name, track)?;
    }
    if (average - sum / 4.0).abs() > ROUNDING {
        return Err(format!("avg_wer is {average}, but the mean of the four tracks is {}.", sum / 4.0));
    }
    let latency = summary.latency;
    let times = [summary.rtfx.unwrap_or(1.0), latency.p50, latency.p90, latency.p95, latency.p99];
    if times.iter().any(|it| !(it.is_finite() && *it > 0.0)) {
        return Err("A speed or time is not a positive number.".to_owned());
    }
    Ok(())
}

fn check_track(name: &str, track: &TrackSummary) -> Result<f64, String> {
    let errors = track.substitutions.saturating_add(track.deletions).saturating_add(track.insertions);
    let wer = track.wer.ok_or_else(|| format!("The track {name} has no WER."))?;
    let counted = errors as f64 / track.ref_words as f64;
    if (wer - counted).abs() <= ROUNDING {
        Ok(wer)
    } else {
        Err(format!("The WER of {name} is {wer}, but its counts make {counted}."))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use store::scores::Latency;

    use super::*;

    fn summary() -> Summary {
        let track = |errors: u64| TrackSummary {
            wer: Some(errors as f64 / 40.0),
            interval: None,
            substitutions: errors,
            deletions: 0,
            insertions: 0,
            ref_words: 40,
            items: 8,
            failed: 0,
            rtfx: Some(10.0),
        };
        let names = scorer::ranked_tracks().into_iter().zip([2, 4, 6, 8]);
        let tracks: BTreeMap<_, _> = names.map(|(name, errors)| (name.to_owned(), track(errors))).collect();
        Summary {
            // (2 + 4 + 6 + 8) / 40 / 4.
            avg_wer: Some(0.125),
            avg_wer_interval: None,
            tracks,
            rtfx: Some(10.0),
            rtfx_interval: None,
            rtfx_stable: true,
            repeat_passes: 5,
            latency: Latency { p50: 0.1, p90: 0.2, p95: 0.2, p99: 0.3 },
        }
    }

    #[test]
    fn a_summary_that_agrees_with_itself_is_taken_and_any_other_is_not() {
        assert_eq!(check_summary(&summary()), Ok(()));
        let better = Summary { avg_wer: Some(0.1), ..summary() };
        assert!(check_summary(&better).unwrap_err().contains("mean of the four tracks is 0.125"));
        let mut other_counts = summary();
        other_counts.tracks.get_mut("near").unwrap().substitutions = 1;
        assert!(check_summary(&other_counts).unwrap_err().contains("counts make 0.025"));
        let mut incomplete = summary();
        incomplete.tracks.remove("far-low");
        assert!(check_summary(&incomplete).unwrap_err().contains("far-low is missing"));
        let timeless = Summary { rtfx: Some(f64::INFINITY), ..summary() };
        assert!(check_summary(&timeless).is_err());
    }
}
