//! The runner protocol, version 1: what goes over descriptors 3 and 4, one JSON object a line.
//!
//! `→ {"hello":{"protocol":1,"sample_rate":16000,"channels":1}}` `← {"ready":{"num_params":N}}`
//! `→ {"id":"…","path":"/audio/….wav"}` `← {"id":"…","text":"…"}` or `← {"id":"…","error":"…"}`
//!
//! Where several talk, a model may answer with a stream of words for each talker instead of `text`:
//! `← {"id":"…","segments":[{"speaker":"…","words":"…"},…]}`, the segments of each in the order in which they are said.
//!
//! A model that says `"max_batch":N` when it is ready also takes up to N items at once:
//! `→ {"batch":[{"id":"…","path":"…"},…]}` `← {"batch":[{"id":"…","text":"…"},…]}`, each id once, in any order.
//!
//! Streaming (beta): where the greeting says `"streaming":true`, a model that says the same when it is ready hears items in
//! pieces: `→ {"stream":"ID"}` `→ {"chunk":"HEX"}`… `→ {"end":"ID"}`, and says `← {"id":"ID","partial":"…"}` as often as it
//! likes and `← {"id":"ID","final":"…"}` once, after the end.

use std::collections::HashMap;

use protocol::{Outcome, SpokenSegment};
use serde::{Deserialize, Serialize};

/// Version spoken here.
pub const RUNNER_PROTOCOL_VERSION: u32 = 1;

/// A line longer than this is not an answer, in bytes; an answer to a batch may have as much for each item.
pub const ANSWER_BYTES: usize = 64 * 1024;

/// Most items at once, whatever a model says.
pub(crate) const MOST_BATCH: u32 = 256;

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Greeting {
    Hello {
        protocol: u32,
        sample_rate: u32,
        channels: u16,
        /// Audio comes in pieces, in real time.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        streaming: bool,
    },
}

/// What a model that streams is told, one line each: an item begins, a piece of it was spoken, it is over.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StreamRequest<'a> {
    /// Id of the item.
    Stream(&'a str),
    /// Little-endian 16-bit samples in hexadecimal digits.
    Chunk(String),
    /// Id of the item.
    End(&'a str),
}

#[derive(Debug, Deserialize)]
struct StreamAnswer {
    id: String,
    partial: Option<String>,
    r#final: Option<String>,
    error: Option<String>,
}

/// What a model says while an item streams.
#[derive(Debug, PartialEq)]
pub(crate) enum Said {
    /// What it has heard so far; may change.
    Partial(String),
    /// The last word on the item.
    Final(Outcome),
}

#[derive(Debug, Serialize)]
pub(crate) struct Request<'a> {
    pub(crate) id: &'a str,
    pub(crate) path: &'a str,
}

#[derive(Debug, Serialize)]
pub(crate) struct BatchRequest<'a> {
    pub(crate) batch: Vec<Request<'a>>,
}

#[derive(Debug, Deserialize)]
struct BatchAnswer {
    batch: Vec<Answer>,
}

#[derive(Debug, Deserialize)]
struct ReadyLine {
    ready: Ready,
}

/// What a model says about itself once it is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) struct Ready {
    pub(crate) num_params: Option<u64>,
    /// Most items it takes at once; nothing: one.
    #[serde(default)]
    pub(crate) max_batch: Option<u32>,
    /// It takes audio in pieces.
    #[serde(default)]
    pub(crate) streaming: bool,
}

#[derive(Debug, Deserialize)]
struct Answer {
    id: String,
    text: Option<String>,
    segments: Option<Vec<SpokenSegment>>,
    error: Option<String>,
}

/// How an answer breaks the protocol.
///
/// These messages are published. They say what was due and never what came: a broken answer may well hold what the
/// model heard of held-out speech.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    /// Bytes that are not UTF-8.
    #[error("the model answered with bytes that are not UTF-8")]
    NotUtf8,
    /// Not the JSON object that was due.
    #[error("the model's answer is not the JSON object that was due, {expected}")]
    NotAnAnswer {
        /// What was due.
        expected: &'static str,
    },
    /// Another id than that of the request.
    #[error("the model's answer does not carry the id of the request")]
    WrongId,
    /// Not exactly one of text, segments and error.
    #[error("the model's answer must hold one of `text`, `segments` and `error`")]
    TextOrError,
    /// A character no transcript has and no database stores.
    #[error("the model's answer holds the character U+0000")]
    Nul,
    /// Items of a batch left out, or answered twice.
    #[error("the model's answer to a batch must hold each of its ids exactly once")]
    Batch,
    /// No line end within [`ANSWER_BYTES`].
    #[error("the model sent a line of more than {ANSWER_BYTES} bytes an item")]
    TooLong,
    /// Something came when nothing was asked.
    #[error("the model sent more than one line for one request, or answered before it was asked")]
    Unasked,
}

pub(crate) fn parse_ready(line: &[u8]) -> Result<Ready, BadAnswer> {
    let parsed: ReadyLine = parse(line, r#"{"ready":{"num_params":…}}"#)?;
    Ok(parsed.ready)
}

pub(crate) fn parse_answer(line: &[u8], asked: &str) -> Result<Outcome, BadAnswer> {
    let answer: Answer = parse(line, r#"{"id":"…","text":"…"}"#)?;
    if answer.id == asked { outcome(answer) } else { Err(BadAnswer::WrongId) }
}

/// `{"id":…,"partial":…}`, `{"id":…,"final":…}` or `{"id":…,"error":…}` for the item that streams.
pub(crate) fn parse_said(line: &[u8], asked: &str) -> Result<Said, BadAnswer> {
    let answer: StreamAnswer = parse(line, r#"{"id":"…","partial":"…"} or {"id":"…","final":"…"}"#)?;
    let StreamAnswer { id, partial, r#final, error } = answer;
    match (id == asked, partial) {
        (false, _) => Err(BadAnswer::WrongId),
        (true, Some(text)) if r#final.is_none() && error.is_none() => {
            if text.contains('\0') {
                Err(BadAnswer::Nul)
            } else {
                Ok(Said::Partial(text))
            }
        }
        (true, Some(_)) => Err(BadAnswer::TextOrError),
        (true, None) => outcome(Answer { id, text: r#final, segments: None, error }).map(Said::Final),
    }
}

/// Outcomes of a batch in the order asked.
pub(crate) fn parse_batch(line: &[u8], asked: &[String]) -> Result<Vec<Outcome>, BadAnswer> {
    let answer: BatchAnswer = parse(line, r#"{"batch":[{"id":"…","text":"…"},…]}"#)?;
    if answer.batch.len() != asked.len() {
        return Err(BadAnswer::Batch);
    }
    let mut by_id: HashMap<String, Answer> =
        answer.batch.into_iter().map(|answer| (answer.id.clone(), answer)).collect();
    asked.iter().map(|id| outcome(by_id.remove(id).ok_or(BadAnswer::Batch)?)).collect()
}

fn outcome(answer: Answer) -> Result<Outcome, BadAnswer> {
    let outcome = match (answer.text, answer.segments, answer.error) {
        (Some(text), None, None) => Outcome::Text(text),
        (None, Some(segments), None) => Outcome::Segments(segments),
        (None, None, Some(error)) => Outcome::Error(error),
        _ => return Err(BadAnswer::TextOrError),
    };
    let has_nul = match &outcome {
        Outcome::Text(text) | Outcome::Error(text) => text.contains('\0'),
        Outcome::Segments(segments) => {
            segments.iter().any(|it| it.speaker.contains('\0') || it.words.contains('\0'))
        }
    };
    if has_nul { Err(BadAnswer::Nul) } else { Ok(outcome) }
}

fn parse<'a, T: Deserialize<'a>>(line: &'a [u8], expected: &'static str) -> Result<T, BadAnswer> {
    let line = std::str::from_utf8(line).map_err(|_| BadAnswer::NotUtf8)?;
    // The parser's own words may quote the line.
    serde_json::from_str(line).map_err(|_| BadAnswer::NotAnAnswer { expected })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_are_written_as_the_protocol_says() {
        let hello = Greeting::Hello { protocol: 1, sample_rate: 16_000, channels: 1, streaming: false };
        assert_eq!(
            serde_json::to_string(&hello).unwrap(),
            r#"{"hello":{"protocol":1,"sample_rate":16000,"channels":1}}"#
        );
        let request = Request { id: "a", path: "/audio/b.wav" };
        assert_eq!(serde_json::to_string(&request).unwrap(), r#"{"id":"a","path":"/audio/b.wav"}"#);
    }

    #[test]
    fn ready_may_leave_the_number_of_parameters_open() {
        assert_eq!(
            parse_ready(br#"{"ready":{"num_params":7}}"#),
            Ok(Ready { num_params: Some(7), max_batch: None, streaming: false })
        );
        assert_eq!(
            parse_ready(br#"{"ready":{"streaming":true}}"#),
            Ok(Ready { num_params: None, max_batch: None, streaming: true })
        );
        assert!(matches!(parse_ready(br#"{"id":"a","text":""}"#), Err(BadAnswer::NotAnAnswer { .. })));
    }

    #[test]
    fn an_answer_is_text_or_error_for_the_id_that_was_asked() {
        assert_eq!(parse_answer(br#"{"id":"a","text":"hi"}"#, "a"), Ok(Outcome::Text("hi".into())));
        assert_eq!(parse_answer(br#"{"id":"a","error":"no"}"#, "a"), Ok(Outcome::Error("no".into())));
        assert_eq!(parse_answer(br#"{"id":"a"}"#, "a"), Err(BadAnswer::TextOrError));
        assert_eq!(parse_answer(br#"{"id":"a","text":"","error":""}"#, "a"), Err(BadAnswer::TextOrError));
        assert_eq!(parse_answer(b"{\"id\":\"a\",\"text\":\"\\u0000\"}", "a"), Err(BadAnswer::Nul));
        let several =
            br#"{"id":"a","segments":[{"speaker":"1","words":"hi"},{"speaker":"2","words":"yes"}]}"#;
        let Ok(Outcome::Segments(segments)) = parse_answer(several, "a") else { panic!("not segments") };
        assert_eq!(segments.iter().map(|it| it.words.as_str()).collect::<Vec<_>>(), ["hi", "yes"]);
        assert_eq!(parse_answer(br#"{"id":"a","segments":[],"text":""}"#, "a"), Err(BadAnswer::TextOrError));
        let nul = b"{\"id\":\"a\",\"segments\":[{\"speaker\":\"\\u0000\",\"words\":\"\"}]}";
        assert_eq!(parse_answer(nul, "a"), Err(BadAnswer::Nul));
        assert_eq!(parse_answer(b"\xff", "a"), Err(BadAnswer::NotUtf8));
        assert_eq!(parse_answer(br#"{"id":"b","text":""}"#, "a"), Err(BadAnswer::WrongId));
    }

    #[test]
    fn a_stream_is_told_in_lines_and_answered_by_partial_texts_and_one_final_one() {
        let told = [StreamRequest::Stream("a"), StreamRequest::Chunk("0100".into()), StreamRequest::End("a")]
            .map(|it| serde_json::to_string(&it).unwrap());
        assert_eq!(told, [r#"{"stream":"a"}"#, r#"{"chunk":"0100"}"#, r#"{"end":"a"}"#]);
        let said = |line: &str| parse_said(line.as_bytes(), "a");
        assert_eq!(said(r#"{"id":"a","partial":"he"}"#), Ok(Said::Partial("he".into())));
        assert_eq!(said(r#"{"id":"a","final":"hello"}"#), Ok(Said::Final(Outcome::Text("hello".into()))));
        assert_eq!(said(r#"{"id":"a","error":"no"}"#), Ok(Said::Final(Outcome::Error("no".into()))));
        assert_eq!(said(r#"{"id":"b","final":""}"#), Err(BadAnswer::WrongId));
        assert_eq!(said(r#"{"id":"a","partial":"","final":""}"#), Err(BadAnswer::TextOrError));
        assert_eq!(said(r#"{"id":"a"}"#), Err(BadAnswer::TextOrError));
    }

    #[test]
    fn a_batch_is_answered_in_any_order_each_id_once() {
        let asked = ["a".to_owned(), "b".to_owned()];
        let batch = |line: &str| parse_batch(line.as_bytes(), &asked);
        assert_eq!(
            batch(r#"{"batch":[{"id":"b","text":"2"},{"id":"a","error":"no"}]}"#),
            Ok(vec![Outcome::Error("no".into()), Outcome::Text("2".into())])
        );
        assert_eq!(batch(r#"{"batch":[{"id":"a","text":""},{"id":"a","text":""}]}"#), Err(BadAnswer::Batch));
        assert_eq!(batch(r#"{"batch":[{"id":"a","text":""}]}"#), Err(BadAnswer::Batch));
        assert!(matches!(batch(r#"{"id":"a","text":""}"#), Err(BadAnswer::NotAnAnswer { .. })));
        assert_eq!(parse_ready(br#"{"ready":{"max_batch":8}}"#).unwrap().max_batch, Some(8));
    }

    #[test]
    fn no_message_quotes_what_the_model_heard() {
        let heard = "the quick brown fox";
        for line in [
            heard.to_owned(),
            format!(r#"{{"id":"{heard}","text":"{heard}"}}"#),
            format!(r#"{{"id":"a","text":["{heard}"]}}"#),
            format!(r#"{{"id":"a","{heard}":""}}"#),
            format!(r#"{{"id":"a","text":"{heard}","error":"{heard}"}}"#),
            format!(r#"{{"id":"a","text":"{heard}\u0000"}}"#),
            format!("{{\"{heard}\":"),
        ] {
            for error in
                [parse_answer(line.as_bytes(), "a").unwrap_err(), parse_ready(line.as_bytes()).unwrap_err()]
            {
                assert!(!error.to_string().contains("quick"), "{error}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_survives_the_way_through_an_answer(text in "[^\0]*") {
            let line = serde_json::json!({"id": "a", "text": text}).to_string();
            prop_assert_eq!(parse_answer(line.as_bytes(), "a"), Ok(Outcome::Text(text)));
        }

        #[test]
        fn no_line_makes_the_parser_fail_other_than_by_an_error(line in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_ready(&line);
            let _ = parse_answer(&line, "a");
        }
    }
}
