//! `ffasr score multispeaker`: meetings with several talkers.

use std::io::{BufRead, Write};

use clap::{Args, ValueEnum};
use scoring::diarization::{Scored, der, jer};
use scoring::meeting::{
    SegmentErrors, SpeakerErrors, TimeConstraint, USUAL_COLLAR, cp_wer, di_cp_wer, orc_wer,
};
use scoring::{Counts, Normalizer, Segment};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::lines::{Failure, SeenIds, for_each_line, write_line};

/// Arguments of `ffasr score multispeaker`.
#[derive(Debug, Args)]
pub(super) struct MultispeakerArgs {
    /// What to compute; the tc and jer forms need times, der is in seconds
    #[arg(long, value_enum)]
    metric: Metric,
    /// Collar in seconds: around hypothesis words (default 5), or on each side of reference boundaries for der
    /// (default 0)
    #[arg(long, value_name = "S", value_parser = seconds)]
    collar: Option<f64>,
    /// Leave out time in which several reference speakers talk (der and jer)
    #[arg(long)]
    skip_overlap: bool,
    /// Normaliser for the words of every segment
    #[arg(long, value_name = "NAME", default_value = "none")]
    normalizer: Normalizer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Metric {
    Cpwer,
    Orcwer,
    Tcpwer,
    Tcorcwer,
    Dicpwer,
    Ditcpwer,
    Der,
    Jer,
}

fn seconds(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|seconds: &f64| *seconds >= 0.0 && seconds.is_finite())
        .ok_or_else(|| "give seconds from 0 up".to_owned())
}

#[derive(Deserialize)]
struct Meeting {
    id: String,
    r#ref: Vec<Segment>,
    hyp: Vec<Segment>,
}

#[derive(Serialize)]
struct WordErrors {
    id: String,
    errors: u64,
    length: u64,
    substitutions: u64,
    deletions: u64,
    insertions: u64,
    error_rate: Option<f64>,
    assignment: Value,
    /// Whether no assignment is better; only given where it may not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    is_optimal: Option<bool>,
}

impl WordErrors {
    fn new(id: String, counts: Counts, assignment: Value, is_optimal: Option<bool>) -> Self {
        let Counts { substitutions, deletions, insertions, .. } = counts;
        let (errors, length, error_rate) = (counts.errors(), counts.ref_words(), counts.rate());
        Self { id, errors, length, substitutions, deletions, insertions, error_rate, assignment, is_optimal }
    }

    fn by_speaker(id: String, SpeakerErrors { counts, assignment }: SpeakerErrors) -> Self {
        Self::new(id, counts, json!(assignment), None)
    }

    fn by_segment(id: String, SegmentErrors { counts, assignment, is_optimal }: SegmentErrors) -> Self {
        Self::new(id, counts, json!(assignment), Some(is_optimal))
    }
}

/// Scores every line.
pub(super) fn run(input: impl BufRead, out: &mut impl Write, args: &MultispeakerArgs) -> Result<(), Failure> {
    let mut seen = SeenIds::default();
    for_each_line(input, |mut meeting: Meeting| {
        seen.insert(&meeting.id)?;
        if args.normalizer != Normalizer::None {
            for segment in meeting.r#ref.iter_mut().chain(&mut meeting.hyp) {
                segment.words = args.normalizer.normalize(&segment.words);
            }
        }
        write_line(out, &score(meeting, args)?)
    })
}

fn score(meeting: Meeting, args: &MultispeakerArgs) -> Result<Value, Failure> {
    let Meeting { id, r#ref: reference, hyp: hypothesis } = meeting;
    let free = TimeConstraint::None;
    let timed = TimeConstraint::Collar(args.collar.unwrap_or(USUAL_COLLAR));
    let scored = Scored { span: None, collar: args.collar.unwrap_or(0.0), skip_overlap: args.skip_overlap };
    let by_speaker = |constraint| cp_wer(&reference, &hypothesis, constraint);
    let orc = |constraint| orc_wer(&reference, &hypothesis, constraint);
    let di = |constraint| di_cp_wer(&reference, &hypothesis, constraint);
    let errors = match args.metric {
        Metric::Cpwer => by_speaker(free).map(|errors| WordErrors::by_speaker(id, errors)),
        Metric::Tcpwer => by_speaker(timed).map(|errors| WordErrors::by_speaker(id, errors)),
        Metric::Orcwer => orc(free).map(|errors| WordErrors::by_segment(id, errors)),
        Metric::Tcorcwer => orc(timed).map(|errors| WordErrors::by_segment(id, errors)),
        Metric::Dicpwer => di(free).map(|errors| WordErrors::by_segment(id, errors)),
        Metric::Ditcpwer => di(timed).map(|errors| WordErrors::by_segment(id, errors)),
        Metric::Der => {
            let errors =
                der(&reference, &hypothesis, scored).map_err(|error| Failure::here(error.to_string()))?;
            return Ok(json!({
                "id": id,
                "errors": errors.missed + errors.false_alarm + errors.confusion,
                "length": errors.total,
                "missed": errors.missed,
                "false_alarm": errors.false_alarm,
                "confusion": errors.confusion,
                "error_rate": errors.rate(),
                "assignment": errors.mapping,
            }));
        }
        Metric::Jer => {
            let rate =
                jer(&reference, &hypothesis, scored).map_err(|error| Failure::here(error.to_string()))?;
            return Ok(json!({ "id": id, "error_rate": rate }));
        }
    };
    Ok(json!(errors.map_err(|error| Failure::here(error.to_string()))?))
}
