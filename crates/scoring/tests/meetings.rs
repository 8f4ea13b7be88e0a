//! Several talkers against `MeetEval`, md-eval and pyannote.

#![expect(clippy::unwrap_used, reason = "a malformed vector file should fail the test")]

use scoring::diarization::{Scored, der, jer};
use scoring::meeting::{TimeConstraint, cp_wer, di_cp_wer, orc_wer};
use scoring::{Counts, Segment};
use serde_json::Value;

fn rows(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn sides(row: &Value) -> (Vec<Segment>, Vec<Segment>) {
    let side = |name: &str| serde_json::from_value(row[name].clone()).unwrap();
    (side("ref"), side("hyp"))
}

/// Errors and length as `MeetEval` gives them. Where it raises, the hypothesis is empty and every word is deleted.
fn assert_equal(row: &Value, field: &str, ours: Counts) {
    let expected = &row[field];
    let (errors, length) = if expected.get("raises").is_some() {
        (row["cpwer"]["errors"].as_u64(), row["cpwer"]["length"].as_u64())
    } else {
        (expected["errors"].as_u64(), expected["length"].as_u64())
    };
    assert_eq!(Some(ours.errors()), errors, "{} {field}", row["id"]);
    assert_eq!(Some(ours.ref_words()), length, "{} {field}", row["id"]);
}

#[test]
fn word_error_rates_of_several_talkers_equal_meeteval() {
    let free = TimeConstraint::None;
    let collar = TimeConstraint::Collar(5.0);
    for row in rows(include_str!("vectors/multispeaker.jsonl")) {
        let (reference, hypothesis) = sides(&row);
        assert_equal(&row, "cpwer", cp_wer(&reference, &hypothesis, free).unwrap().counts);
        for seconds in ["0", "0.5", "2", "5"] {
            let constraint = TimeConstraint::Collar(seconds.parse().unwrap());
            let ours = cp_wer(&reference, &hypothesis, constraint).unwrap().counts;
            assert_equal(&row, &format!("tcpwer_collar{seconds}"), ours);
        }
        assert_equal(&row, "orcwer", orc_wer(&reference, &hypothesis, free).unwrap().counts);
        assert_equal(&row, "tcorcwer_collar5", orc_wer(&reference, &hypothesis, collar).unwrap().counts);
        assert_equal(&row, "greedy_dicpwer", di_cp_wer(&reference, &hypothesis, free).unwrap().counts);
        assert_equal(
            &row,
            "greedy_ditcpwer_collar5",
            di_cp_wer(&reference, &hypothesis, collar).unwrap().counts,
        );
    }
}

#[test]
fn a_unique_assignment_equals_meeteval() {
    for row in rows(include_str!("vectors/multispeaker.jsonl")) {
        if row["cpwer"]["assignment_unique"] != true {
            continue;
        }
        let (reference, hypothesis) = sides(&row);
        let ours = cp_wer(&reference, &hypothesis, TimeConstraint::None).unwrap();
        let mut ours: Vec<Value> =
            ours.assignment.iter().map(|pair| serde_json::to_value(pair).unwrap()).collect();
        let mut theirs = row["cpwer"]["assignment"].as_array().unwrap().clone();
        ours.sort_by_key(ToString::to_string);
        theirs.sort_by_key(ToString::to_string);
        assert_eq!(ours, theirs, "{}", row["id"]);
    }
}

fn turns(side: &Value) -> Vec<Segment> {
    let turn = |turn: &Value| Segment {
        session_id: String::new(),
        speaker: turn[0].as_str().unwrap().to_owned(),
        start_time: turn[1].as_f64(),
        end_time: turn[2].as_f64(),
        words: String::new(),
    };
    side.as_array().unwrap().iter().map(turn).collect()
}

#[test]
fn diarization_errors_equal_md_eval_and_pyannote() {
    for row in rows(include_str!("vectors/diarization.jsonl")) {
        let (reference, hypothesis) = (turns(&row["ref"]), turns(&row["hyp"]));
        let span = Some((row["uem"][0].as_f64().unwrap(), row["uem"][1].as_f64().unwrap()));
        for collar in [0.0, 0.25] {
            for skip_overlap in [false, true] {
                let ours = der(&reference, &hypothesis, Scored { span, collar, skip_overlap }).unwrap();
                let setting = format!("collar{collar:?}{}", if skip_overlap { "_no_overlap" } else { "" });
                let md_eval = &row[format!("md_eval_{setting}")];
                let pyannote = &row[format!("pyannote_{setting}")];
                let parts = [ours.total, ours.missed, ours.false_alarm, ours.confusion];
                // md-eval prints hundredths of a second.
                let md_eval =
                    ["scored_speaker_time", "missed", "falarm", "speaker_error"].map(|f| md_eval[f].as_f64());
                let pyannote = ["total", "missed", "falarm", "confusion"].map(|f| pyannote[f].as_f64());
                let equals = |theirs: [Option<f64>; 4], tolerance: f64| {
                    parts.iter().zip(theirs).all(|(a, b)| b.is_some_and(|b| (a - b).abs() < tolerance))
                };
                assert!(equals(md_eval, 0.0051), "{} {setting}: {parts:?} {md_eval:?}", row["id"]);
                assert!(equals(pyannote, 1e-9), "{} {setting}: {parts:?} {pyannote:?}", row["id"]);
            }
        }
        let ours = jer(&reference, &hypothesis, Scored { span, ..Scored::default() }).unwrap().unwrap();
        assert!((ours - row["pyannote_jer"].as_f64().unwrap()).abs() < 1e-9, "{} {ours}", row["id"]);
    }
}
