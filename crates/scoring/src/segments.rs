//! Segments of a meeting: who said what, when. Read from and written to `SegLST`, STM and RTTM.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// One segment of one speaker, with the field names of `SegLST`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// The meeting.
    #[serde(default)]
    pub session_id: String,
    /// Who speaks, or the output stream.
    pub speaker: String,
    /// Start in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<f64>,
    /// End in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<f64>,
    /// What is said; may be empty.
    #[serde(default)]
    pub words: String,
}

/// The latest time of a segment in seconds, more than 300 years: beyond it seconds lose their microseconds.
const LATEST: f64 = 1e10;

/// What is wrong with a segment or a file of segments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// A line that does not follow its format.
    #[error("line {line}: {problem}")]
    Line {
        /// Line number from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// JSON that is not a list of segments.
    #[error("not a list of SegLST segments: {0}")]
    Json(String),
    /// A segment without times where they are needed.
    #[error("segment {index} ({speaker}) has no times: give start_time and end_time in seconds")]
    NoTimes {
        /// Place of the segment from 1.
        index: usize,
        /// Its speaker.
        speaker: String,
    },
    /// Times that cannot be.
    #[error(
        "segment {index} ({speaker}) runs from {start} s to {end} s: times must be from 0 to 1e10 s and in order"
    )]
    BadTimes {
        /// Place of the segment from 1.
        index: usize,
        /// Its speaker.
        speaker: String,
        /// Start as given.
        start: String,
        /// End as given.
        end: String,
    },
}

impl Segment {
    /// Start and end; `index` is for the message.
    pub(crate) fn times(&self, index: usize) -> Result<(f64, f64), SegmentError> {
        let (Some(start), Some(end)) = (self.start_time, self.end_time) else {
            return Err(SegmentError::NoTimes { index: index + 1, speaker: self.speaker.clone() });
        };
        if start >= 0.0 && end >= start && end <= LATEST {
            Ok((start, end))
        } else {
            Err(SegmentError::BadTimes {
                index: index + 1,
                speaker: self.speaker.clone(),
                start: start.to_string(),
                end: end.to_string(),
            })
        }
    }
}

/// Reads a `SegLST` file: a JSON list of objects.
///
/// # Errors
/// If it is none.
pub fn read_seglst(json: &str) -> Result<Vec<Segment>, SegmentError> {
    serde_json::from_str(json).map_err(|error| SegmentError::Json(error.to_string()))
}

/// Writes a `SegLST` file.
///
/// # Errors
/// If a time is not finite: JSON cannot hold it.
pub fn write_seglst(segments: &[Segment]) -> Result<String, SegmentError> {
    serde_json::to_string_pretty(segments).map_err(|error| SegmentError::Json(error.to_string()))
}

/// Reads STM: `session channel speaker start end [<labels>] words…`; lines that start with `;;` are comments.
///
/// # Errors
/// At the first line that is not so, with its number.
pub fn read_stm(text: &str) -> Result<Vec<Segment>, SegmentError> {
    read_lines(text, ";;", |line| {
        let mut fields = Fields(line);
        let session_id = fields.next("session")?.to_owned();
        fields.next("channel")?;
        let speaker = fields.next("speaker")?.to_owned();
        let start = fields.number("start time")?;
        let end = fields.number("end time")?;
        let words = fields.0.trim();
        let words = match words.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
            Some((_, words)) => words.trim_start(),
            None => words,
        };
        let words = words.to_owned();
        Ok(Some(Segment { session_id, speaker, start_time: Some(start), end_time: Some(end), words }))
    })
}

/// Writes STM, channel 1.
///
/// # Errors
/// If a segment has no times.
pub fn write_stm(segments: &[Segment]) -> Result<String, SegmentError> {
    write_lines(segments, |line, segment, (start, end)| {
        let Segment { session_id, speaker, words, .. } = segment;
        write!(line, "{} 1 {} {start} {end} {words}", field(session_id), field(speaker))
    })
}

/// Reads the `SPEAKER` lines of RTTM: `SPEAKER session channel start duration <NA> <NA> speaker …`. Other kinds of
/// lines and comments (`;;`) are skipped.
///
/// # Errors
/// At the first line that is not so, with its number.
pub fn read_rttm(text: &str) -> Result<Vec<Segment>, SegmentError> {
    read_lines(text, ";;", |line| {
        let mut fields = Fields(line);
        if fields.next("type")? != "SPEAKER" {
            return Ok(None);
        }
        let session_id = fields.next("session")?.to_owned();
        fields.next("channel")?;
        let start = fields.number("start time")?;
        let duration = fields.number("duration")?;
        fields.next("orthography")?;
        fields.next("speaker type")?;
        let speaker = fields.next("speaker")?.to_owned();
        let (start_time, end_time) = (Some(start), Some(start + duration));
        Ok(Some(Segment { session_id, speaker, start_time, end_time, words: String::new() }))
    })
}

/// Writes RTTM, channel 1. Words are left out.
///
/// # Errors
/// If a segment has no times.
pub fn write_rttm(segments: &[Segment]) -> Result<String, SegmentError> {
    write_lines(segments, |line, segment, (start, end)| {
        let (session, speaker) = (field(&segment.session_id), field(&segment.speaker));
        write!(line, "SPEAKER {session} 1 {start} {} <NA> <NA> {speaker} <NA> <NA>", end - start)
    })
}

/// What remains of a line after the fields read so far.
struct Fields<'a>(&'a str);

impl<'a> Fields<'a> {
    fn next(&mut self, name: &str) -> Result<&'a str, String> {
        let rest = self.0.trim_start();
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (field, rest) = rest.split_at(end);
        self.0 = rest;
        if field.is_empty() { Err(format!("the {name} is missing")) } else { Ok(field) }
    }

    fn number(&mut self, name: &str) -> Result<f64, String> {
        let field = self.next(name)?;
        let number = field.parse::<f64>().ok().filter(|number| (0.0..=LATEST).contains(number));
        number.ok_or_else(|| format!("the {name} {field:?} is not a number of seconds from 0 to 1e10"))
    }
}

fn read_lines(
    text: &str,
    comment: &str,
    read: impl Fn(&str) -> Result<Option<Segment>, String>,
) -> Result<Vec<Segment>, SegmentError> {
    let mut segments = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with(comment) {
            continue;
        }
        let error = |problem| SegmentError::Line { line: index + 1, problem };
        if let Some(segment) = read(line).map_err(error)? {
            if segment.end_time < segment.start_time {
                return Err(error("the segment ends before it starts".to_owned()));
            }
            segments.push(segment);
        }
    }
    Ok(segments)
}

fn write_lines(
    segments: &[Segment],
    write: impl Fn(&mut String, &Segment, (f64, f64)) -> std::fmt::Result,
) -> Result<String, SegmentError> {
    let mut text = String::new();
    for (index, segment) in segments.iter().enumerate() {
        let times = segment.times(index)?;
        // Writing to a string cannot fail.
        let _ = write(&mut text, segment, times);
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    Ok(text)
}

/// A name as one field: white space would split it, and an empty one would be lost.
fn field(name: &str) -> String {
    if name.is_empty() { "<NA>".to_owned() } else { name.replace(char::is_whitespace, "_") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(speaker: &str, start: f64, end: f64, words: &str) -> Segment {
        Segment {
            session_id: "m1".into(),
            speaker: speaker.into(),
            start_time: Some(start),
            end_time: Some(end),
            words: words.into(),
        }
    }

    #[test]
    fn every_format_reads_what_it_writes() {
        let segments = vec![segment("A", 0.0, 1.5, "good morning"), segment("B", 1.25, 2.5, "")];
        assert_eq!(read_stm(&write_stm(&segments).unwrap()).unwrap(), segments);
        assert_eq!(read_seglst(&write_seglst(&segments).unwrap()).unwrap(), segments);
        let mute: Vec<Segment> =
            segments.into_iter().map(|s| Segment { words: String::new(), ..s }).collect();
        assert_eq!(read_rttm(&write_rttm(&mute).unwrap()).unwrap(), mute);
    }

    #[test]
    fn comments_labels_and_other_lines_are_skipped() {
        let stm = ";; comment\n\nm1 1 A 0.0 1.5 <o,f0,male> good morning\n";
        assert_eq!(read_stm(stm).unwrap(), [segment("A", 0.0, 1.5, "good morning")]);
        let rttm = "SPKR-INFO m1 1 <NA> <NA> <NA> unknown A <NA>\nSPEAKER m1 1 0 1.5 <NA> <NA> A <NA> <NA>\n";
        assert_eq!(read_rttm(rttm).unwrap(), [segment("A", 0.0, 1.5, "")]);
    }

    #[test]
    fn bad_lines_are_named() {
        let message = |text: &str| read_stm(text).unwrap_err().to_string();
        assert_eq!(message("m1 1 A 0 1 a\nm1 1 A"), "line 2: the start time is missing");
        assert_eq!(
            message("m1 1 A x 1 a"),
            "line 1: the start time \"x\" is not a number of seconds from 0 to 1e10"
        );
        // Found by fuzzing: times beyond the range of whole microseconds.
        assert!(
            message("m1 1 A 0.5 1222222222222222222222222222222.5 a").starts_with("line 1: the end time")
        );
        assert_eq!(message("m1 1 A 2 1 a"), "line 1: the segment ends before it starts");
        assert!(read_seglst("{").is_err());
    }
}
