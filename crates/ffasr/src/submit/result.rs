//! What came of a submission, for the person at the terminal: the row of the board, or the reason and what to do.

use protocol::FailureClass;
use serde_json::Value;

/// A result that is on the board, one figure below the other; `row` is the board's.
pub(super) fn published(submission: &Value, row: Option<&Value>, url: &str) -> String {
    let page = format!("{url}/models/{}", text(submission, "id"));
    let Some(row) = row else {
        return format!(
            "{} is published, and has no row on the board yet: {page}",
            text(submission, "model")
        );
    };
    let [low, high] = [0, 1].map(|end| row["rank_interval"][end].as_u64().unwrap_or_default());
    let mut lines = vec![
        format!("{} is on the board: {page}", text(submission, "model")),
        format!("rank {} ({low} to {high} with 95 % confidence)", row["rank"]),
        String::new(),
        format!("{:13} {:>8} {:>17} {:>6} {:>8}", "track", "WER %", "95 % interval", "words", "RTFx"),
    ];
    let tracks = row["tracks"].as_object().into_iter().flatten();
    lines.extend(tracks.map(|(name, it)| {
        let (wer, interval) = (percent(&it["wer"]), range(&it["interval"], 100.0));
        format!(
            "{name:13} {wer:>8} {interval:>17} {:>6} {:>8}",
            it["ref_words"].to_string(),
            number(&it["rtfx"], 1.0)
        )
    }));
    let not_run = row["not_run"].as_object().into_iter().flatten();
    lines.extend(
        not_run.map(|(name, why)| format!("{name:13} not run: {}", why.as_str().unwrap_or_default())),
    );
    lines.push(format!(
        "{:13} {:>8} {:>17} {:>6} {:>8}",
        "average",
        percent(&row["avg_wer"]),
        range(&row["avg_wer_interval"], 100.0),
        "",
        number(&row["rtfx"], 1.0)
    ));
    lines.push(format!(
        "latency p50 {} ms, p95 {} ms; RTFx between {}",
        number(&row["latency_p50_s"], 1000.0),
        number(&row["latency_p95_s"], 1000.0),
        range(&row["rtfx_interval"], 1.0)
    ));
    lines.join("\n")
}

/// Why there is no result, and for a failure what to do about it.
pub(super) fn without(submission: &Value) -> String {
    let state = text(submission, "state").replace('_', " ");
    let said = format!("{}: {state}. {}", text(submission, "model"), text(submission, "reason"));
    match text(submission, "failure_class").parse::<FailureClass>() {
        Ok(class) => format!("{said}\n{class}: {}", class.advice()),
        Err(_) => said,
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn number(value: &Value, factor: f64) -> String {
    value.as_f64().map_or_else(|| "–".to_owned(), |it| format!("{:.2}", factor * it))
}

fn percent(value: &Value) -> String {
    number(value, 100.0)
}

fn range(interval: &Value, factor: f64) -> String {
    match (interval[0].as_f64(), interval[1].as_f64()) {
        (Some(low), Some(high)) => format!("{:.2} to {:.2}", factor * low, factor * high),
        _ => "–".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_result_is_printed_with_its_rank_its_tracks_and_their_intervals() {
        let submission = json!({"id": "7", "model": "M", "state": "published"});
        let row = json!({
            "rank": 2, "rank_interval": [1, 3], "avg_wer": 0.25, "avg_wer_interval": [0.2, 0.3], "rtfx": 8.0,
            "rtfx_interval": null, "latency_p50_s": 0.5, "latency_p95_s": 1.25,
            "tracks": {"near": {"wer": 0.125, "interval": [0.1, 0.15], "ref_words": 80, "rtfx": 9.5}},
            "not_run": {"array": "several channels"},
        });
        let printed = published(&submission, Some(&row), "http://here");
        for part in [
            "http://here/models/7",
            "rank 2 (1 to 3 with 95 % confidence)",
            "near             12.50    10.00 to 15.00     80     9.50",
            "array         not run: several channels",
            "average          25.00    20.00 to 30.00",
            "p50 500.00 ms, p95 1250.00 ms; RTFx between –",
        ] {
            assert!(printed.contains(part), "{part}: {printed}");
        }
        assert!(published(&submission, None, "http://here").contains("no row on the board yet"));
    }

    #[test]
    fn a_failure_is_printed_with_its_advice_and_a_refusal_with_its_reason() {
        let failed =
            json!({"model": "M", "state": "failed", "failure_class": "timeout", "reason": "Too slow."});
        let printed = without(&failed);
        assert!(printed.starts_with("M: failed. Too slow.\ntimeout: "), "{printed}");
        assert!(printed.contains("faster decoding settings"), "{printed}");
        let rejected =
            json!({"model": "M", "state": "rejected", "failure_class": null, "reason": "No licence."});
        assert_eq!(without(&rejected), "M: rejected. No licence.");
    }
}
