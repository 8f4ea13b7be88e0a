//! A board as an aligned table for a terminal, and who wants one.

use std::fmt::Write as _;

use axum::{
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use selection::Standing;
use unicode_width::UnicodeWidthStr;

use crate::{
    asked::Asked,
    board::{Row, Snapshot},
    views::{Estimate, Params, Rtfx, Seconds, TRACKS, Timestamp},
};

/// Between two columns.
const GAP: &str = "  ";
/// Longer names are cut, so that a line stays a line.
const LONGEST_NAME: usize = 40;

/// Whether whoever asks reads text: it is asked for and a page is not, or the program is one of a terminal that takes
/// anything.
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let accept = text(header::ACCEPT);
    let takes =
        |kind: &str| accept.split(',').any(|range| range.split(';').next().unwrap_or("").trim() == kind);
    let of_a_terminal = ["curl/", "Wget/", "HTTPie/", "xh/"];
    let agent = text(header::USER_AGENT);
    let is_of_a_terminal = of_a_terminal.iter().any(|program| agent.starts_with(program));
    (takes("text/plain") && !takes("text/html"))
        || (is_of_a_terminal && !takes("text/html") && (accept.is_empty() || takes("*/*")))
}

/// The text of a view.
pub(crate) struct Text(String);

impl IntoResponse for Text {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], self.0).into_response()
    }
}

/// The rows of a view in the order asked for; rates in percent.
pub(crate) fn board(snapshot: &Snapshot, asked: &Asked<'_>) -> Text {
    let mut text = String::from("FFASR");
    if let Some(release) = asked.release {
        // Writing to a string cannot fail.
        let _ = write!(text, " {}@{}", release.slug, release.version);
    }
    let _ = writeln!(
        text,
        ", {}, scored by {}, {}",
        asked.hardware_class,
        asked.profile.scorer(),
        Timestamp(snapshot.built_at)
    );
    let query = asked.view.query();
    let _ = writeln!(text, "Word error rates in percent with 95 % intervals. View: {query}\n");
    let mut lines = vec![head(asked)];
    lines.extend(asked.rows().map(|(answered, row)| {
        let place = match &answered.standing {
            Standing::Place(_) if asked.view.purpose.is_ranking() => rank(row),
            Standing::Place(place) => place.to_string(),
            Standing::Outside(_) | Standing::NotRun(_) => "-".to_owned(),
        };
        let score = answered.score.map(|it| Estimate::new(it.value, it.interval));
        cells(place, score, row)
    }));
    if lines.len() == 1 {
        text.push_str("No model fits.\n");
        return Text(text);
    }
    align(&lines, &mut text);
    Text(text)
}

fn head(asked: &Asked<'_>) -> Vec<String> {
    let score = if asked.view.purpose.is_ranking() { "Avg WER" } else { "Weighted" };
    let mut head: Vec<String> = ["Rank", "Model", "Organisation", score].map(str::to_owned).to_vec();
    head.extend(TRACKS.iter().map(|track| track.name.to_owned()));
    head.extend(["RTFx", "p95", "Params", "Pareto"].map(str::to_owned));
    head
}

fn rank(row: &Row) -> String {
    let (low, high) = row.rank_interval;
    if low == high { row.rank.to_string() } else { format!("{} ({low}-{high})", row.rank) }
}

fn cells(place: String, score: Option<Estimate>, row: &Row) -> Vec<String> {
    let absent = || "-".to_owned();
    let candidate = &row.candidate;
    let score = score.map_or_else(absent, |score| {
        let interval = score.interval.map(|it| format!(" ({}-{})", it.low, it.high)).unwrap_or_default();
        format!("{}{interval}", score.value)
    });
    let mut cells = vec![place, harmless(&candidate.name), harmless(&candidate.organisation), score];
    cells.extend(TRACKS.iter().map(|track| {
        let wer = candidate.tracks.get(track.name);
        wer.map_or_else(absent, |wer| Estimate::new(wer.value, None).value.to_string())
    }));
    cells.extend([
        candidate.rtfx.map_or_else(absent, |rtfx| Rtfx(rtfx.value).to_string()),
        Seconds(candidate.latency_p95).to_string(),
        candidate.num_params.map_or_else(absent, |params| Params(params).to_string()),
        if row.on_front { "front".to_owned() } else { String::new() },
    ]);
    cells
}

/// A submitter's words without anything that a terminal would obey.
fn harmless(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .map(|character| if character.is_control() { '\u{fffd}' } else { character })
        .take(LONGEST_NAME + 1)
        .collect();
    if shown.chars().count() > LONGEST_NAME {
        shown = shown.chars().take(LONGEST_NAME - 1).chain(['…']).collect();
    }
    shown
}

/// Writes lines of as many cells each: words flush left, numbers flush right.
fn align(lines: &[Vec<String>], text: &mut String) {
    const WORDS: usize = 3;
    let columns = lines.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| lines.iter().map(|line| line[column].width()).max().unwrap_or_default())
        .collect();
    for line in lines {
        let mut written = String::new();
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let space = " ".repeat(width - cell.width());
            let is_words = column < WORDS || column + 1 == columns;
            written.push_str(if column == 0 { "" } else { GAP });
            if is_words {
                written.push_str(cell);
                written.push_str(&space);
            } else {
                written.push_str(&space);
                written.push_str(cell);
            }
        }
        text.push_str(written.trim_end());
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn terminals_read_text_and_browsers_pages() {
        let wanted = |pairs: &[(HeaderName, &'static str)]| {
            let headers = pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
            is_wanted(&headers.collect())
        };
        let (accept, agent) = (header::ACCEPT, header::USER_AGENT);
        assert!(wanted(&[(accept.clone(), "*/*"), (agent.clone(), "curl/8.5.0")]));
        assert!(wanted(&[(accept.clone(), "text/plain")]));
        assert!(wanted(&[(accept.clone(), "text/plain;q=0.9, */*;q=0.1"), (agent.clone(), "Mozilla/5.0")]));
        assert!(!wanted(&[(accept.clone(), "text/html"), (agent.clone(), "curl/8.5.0")]));
        assert!(!wanted(&[
            (accept.clone(), "text/html,application/xml;q=0.9,*/*;q=0.8"),
            (agent, "Mozilla/5.0")
        ]));
        assert!(!wanted(&[(accept, "*/*")]));
        assert!(!wanted(&[]));
    }

    #[test]
    fn what_a_terminal_would_obey_is_replaced_and_long_names_are_cut() {
        assert_eq!(harmless("a\u{1b}[2Jb"), "a\u{fffd}[2Jb");
        assert_eq!(harmless(&"x".repeat(60)).chars().count(), LONGEST_NAME);
    }

    #[test]
    fn wide_characters_count_as_two_places() {
        let line = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let mut text = String::new();
        align(
            &[line(&["1", "語音", "o", "9.5", ""]), line(&["2", "abcde", "o", "10.0", "front"])],
            &mut text,
        );
        assert_eq!(text, "1  語音   o   9.5\n2  abcde  o  10.0  front\n");
    }
}
