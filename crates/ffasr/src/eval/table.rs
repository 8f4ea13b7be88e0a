//! The result of a local run for a terminal.

use benchmark::{Track, dev::Header};
use protocol::{ModelManifest, ResultsDocument};
use store::scores::Summary;

use super::score::Scores;

/// All figures, one below the other, with their units.
pub(super) fn table(
    model: &ModelManifest,
    release: &Header,
    scores: &Scores,
    document: &ResultsDocument,
) -> String {
    let summary = &scores.summary;
    let report = &document.results.report;
    let mut lines = vec![
        String::new(),
        format!("{} on {}@{} (self-reported; {})", model.name, release.slug, release.version, scores.scorer),
        String::new(),
        format!(
            "{:13} {:>8} {:>17} {:>6} {:>5} {:>5} {:>5} {:>7} {:>8}",
            "track", "WER %", "95 % interval", "words", "S", "D", "I", "failed", "RTFx"
        ),
    ];
    lines.extend(tracks(summary));
    lines.extend(scores.not_run.iter().map(|(track, why)| format!("{track:13} not run: {why}")));
    lines.push(format!(
        "{:13} {:>8} {:>17} {:>36} {:>8}",
        "average",
        percent(summary.avg_wer),
        range(summary.avg_wer_interval, 100.0),
        "",
        number(summary.rtfx)
    ));
    lines.push(String::new());
    lines.push(format!(
        "speed      RTFx {} (95 % interval {}, {} repeat passes{})",
        number(summary.rtfx),
        range(summary.rtfx_interval, 1.0),
        summary.repeat_passes,
        if summary.rtfx_stable { "" } else { ", unstable" }
    ));
    let latency = &summary.latency;
    lines.push(format!(
        "latency    p50 {}, p90 {}, p95 {}, p99 {}",
        time(latency.p50),
        time(latency.p90),
        time(latency.p95),
        time(latency.p99)
    ));
    lines.extend(by_duration(document));
    if let Some(throughput) = &document.measurements.throughput {
        lines.push(format!("batches    RTFx {:.2} with {} at once", throughput.rtfx, throughput.batch));
    }
    lines.push(format!("ready      after {}", time(report.ready_seconds)));
    let memory = report.peak_memory_bytes.map(|bytes| format!("{} MiB", bytes >> 20));
    lines.push(format!("memory     {} at most", memory.unwrap_or_else(|| "not measured".to_owned())));
    for device in &document.measurements.devices {
        let memory = device.peak_memory_bytes.map(|bytes| format!("{} MiB at most", bytes >> 20));
        let energy = device.energy_joules.map(|joules| format!("{joules:.0} J"));
        let known: Vec<String> = memory.into_iter().chain(energy).collect();
        lines.push(format!("device     {}: {}", device.name, known.join(", ")));
    }
    for flag in &document.measurements.flags {
        lines.push(format!("look at    {}", flag.message));
    }
    lines.push(format!("node       {}, {} cores", report.fingerprint.cpu, report.fingerprint.cores));
    lines.join("\n") + "\n"
}

/// In the order of the board.
fn tracks(summary: &Summary) -> impl Iterator<Item = String> {
    Track::ALL.iter().filter_map(|track| summary.tracks.get(track.name()).map(|it| (track, it))).map(
        |(name, it)| {
            format!(
                "{:13} {:>8} {:>17} {:>6} {:>5} {:>5} {:>5} {:>7} {:>8}",
                name.name(),
                percent(it.wer),
                range(it.interval, 100.0),
                it.ref_words,
                it.substitutions,
                it.deletions,
                it.insertions,
                it.failed,
                number(it.rtfx)
            )
        },
    )
}

fn by_duration(document: &ResultsDocument) -> Vec<String> {
    let Some(latency) = &document.measurements.latency else { return Vec::new() };
    let mut lines = Vec::new();
    for bucket in &latency.buckets {
        let lengths = match bucket.up_to_seconds {
            Some(up_to) => format!("{} to {up_to} s", bucket.above_seconds),
            None => format!("over {} s", bucket.above_seconds),
        };
        lines.push(format!(
            "           {lengths} of audio: p50 {}, p95 {} ({} items, RTFx {:.2})",
            time(bucket.latency.p50),
            time(bucket.latency.p95),
            bucket.items,
            bucket.rtfx
        ));
    }
    if let (Some(fixed), Some(slope)) = (latency.fixed_seconds, latency.seconds_per_audio_second) {
        lines.push(format!("           {} an item and {} a second of audio", time(fixed), time(slope)));
    }
    lines
}

fn percent(rate: Option<f64>) -> String {
    rate.map_or_else(|| "–".to_owned(), |it| format!("{:.2}", 100.0 * it))
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |it| format!("{it:.2}"))
}

fn range(interval: Option<(f64, f64)>, factor: f64) -> String {
    interval
        .map_or_else(|| "–".to_owned(), |(low, high)| format!("{:.2} to {:.2}", factor * low, factor * high))
}

fn time(seconds: f64) -> String {
    if seconds.abs() < 1.0 { format!("{:.1} ms", 1e3 * seconds) } else { format!("{seconds:.2} s") }
}
