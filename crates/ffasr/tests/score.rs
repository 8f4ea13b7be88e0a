//! `ffasr score` as a process: what goes in, what comes out, and how bad input ends.

#![expect(clippy::unwrap_used, reason = "a process that cannot be run should fail the test")]

use std::io::Write;
use std::process::{Command, Output, Stdio};

use item_results::{ItemResult, ItemResults};
use serde_json::{Value, json};

fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ffasr"))
        .arg("score")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The process may stop reading at bad input.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
        .stdout
        .split(|b| *b == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect()
}

fn input(items: &[Value]) -> Vec<u8> {
    items.iter().flat_map(|item| format!("{item}\n").into_bytes()).collect()
}

/// Exit code and message of a run that fails.
fn refusal(arguments: &[&str], input: &[u8]) -> (i32, String) {
    let output = run(arguments, input);
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn text_is_normalised_verbatim() {
    let output =
        run(&["normalize", "--normalizer", "whisper-en"], &input(&[json!({"input": "$$5, Mr. X!"})]));
    assert_eq!(lines(&output), [json!({"output": " $5 mister x"})]);
}

#[test]
fn items_are_scored_and_summed_up() {
    let items = input(&[
        json!({"id": "a", "ref": "The cat sat.", "hyp": "the hat sat down"}),
        json!({"id": "b", "ref": "", "hyp": "noise"}),
    ]);
    let output = lines(&run(&["wer", "--normalizer", "whisper-en", "--summary"], &items));
    assert_eq!(
        output[..2],
        [
            json!({"id": "a", "hits": 2, "substitutions": 1, "deletions": 0, "insertions": 1, "ref_words": 3,
                "wer": 2.0 / 3.0}),
            json!({"id": "b", "hits": 0, "substitutions": 0, "deletions": 0, "insertions": 1, "ref_words": 0,
                "wer": null}),
        ]
    );
    assert_eq!(output.len(), 3);
    assert_eq!((&output[2]["wer"], &output[2]["empty_references"]), (&json!(1.0), &json!(1)));
    assert_eq!(output[2]["interval"].as_array().unwrap().len(), 2);
}

#[test]
fn profiles_and_merged_compounds_are_available() {
    let items = input(&[json!({"id": "a", "ref": "ice cream", "hyp": "icecream"})]);
    let merged = lines(&run(&["wer", "--normalizer", "none", "--merge-compounds"], &items));
    assert_eq!((&merged[0]["hits"], &merged[0]["merged_compounds"]), (&json!(2), &json!(1)));
    assert_eq!(lines(&run(&["wer", "--profile", "open-asr"], &items)), merged);
    assert_eq!(lines(&run(&["wer", "--profile", "raw"], &items))[0]["wer"], json!(1.0));
}

#[test]
fn meetings_are_scored_by_any_metric() {
    let segment = |speaker: &str, start: f64, words: &str| json!({"session_id": "m", "speaker": speaker, "start_time": start, "end_time": start + 1.0, "words": words});
    let meeting = input(&[json!({
        "id": "m",
        "ref": [segment("A", 0.0, "good morning"), segment("B", 1.0, "hello")],
        "hyp": [segment("x", 1.0, "hello"), segment("y", 0.0, "good evening")],
    })]);
    for metric in ["cpwer", "orcwer", "tcpwer", "dicpwer"] {
        let output = lines(&run(&["multispeaker", "--metric", metric, "--collar", "5"], &meeting));
        assert_eq!((&output[0]["errors"], &output[0]["length"]), (&json!(1), &json!(3)), "{metric}");
    }
    let output = lines(&run(&["multispeaker", "--metric", "cpwer"], &meeting));
    assert_eq!(output[0]["assignment"], json!([["A", "y"], ["B", "x"]]));
    let output = lines(&run(&["multispeaker", "--metric", "der"], &meeting));
    assert_eq!((&output[0]["error_rate"], &output[0]["length"]), (&json!(0.0), &json!(2.0)));
}

#[test]
fn two_systems_are_compared_item_by_item() {
    let folder = tempfile::tempdir().unwrap();
    let results = |name: &str, hypothesis: &dyn Fn(usize) -> &'static str| {
        let items: Vec<Value> = (0..40)
            .map(|i| json!({"id": i.to_string(), "ref": "a b c d", "hyp": hypothesis(i), "talker": (i % 12).to_string()}))
            .collect();
        let path = folder.path().join(name);
        std::fs::write(&path, run(&["wer", "--normalizer", "none", "--path"], &input(&items)).stdout)
            .unwrap();
        path.display().to_string()
    };
    let good = results("good", &|_| "a b c d");
    let bad = results("bad", &|i| if i % 3 == 0 { "a x c d" } else { "a b c d" });
    let output = &lines(&run(&["compare", &good, &bad], b""))[0];
    assert_eq!((&output["items"], &output["resampled"]), (&json!(40), &json!("talkers")));
    assert!((output["difference"].as_f64().unwrap() + 14.0 / 160.0).abs() < 1e-12);
    assert_eq!(output["mapsswe"]["segments"], json!(14));
    assert!(output["permutation_p"].as_f64().unwrap() < 0.01 && output["mcnemar_p"].as_f64().unwrap() < 0.01);

    let short = folder.path().join("short");
    let text = std::fs::read_to_string(&good).unwrap();
    std::fs::write(&short, text.lines().skip(1).collect::<Vec<_>>().join("\n")).unwrap();
    let (code, message) = refusal(&["compare", &good, &short.display().to_string()], b"");
    assert_eq!(code, 2);
    assert!(message.contains("\"0\"") && message.contains("not in"), "{message}");
    assert_eq!(refusal(&["compare", &good, "no such file"], b"").0, 1);
}

#[test]
fn bad_input_ends_with_code_2_and_the_line_number() {
    let good = b"{\"id\":\"a\",\"ref\":\"a\",\"hyp\":\"a\"}\n".to_vec();
    let with = |line: &[u8]| [good.as_slice(), b"\n", line].concat();
    for (line, expected) in [
        (b"{\"id\":".to_vec(), "line 3: EOF"),
        (b"{\"id\":\"b\",\"ref\":\"a\"}".to_vec(), "line 3: missing field `hyp`"),
        (good.clone(), "line 3: the id \"a\" occurs twice"),
        (b"{\"id\":\"b\",\"ref\":\"\xff\",\"hyp\":\"\"}".to_vec(), "line 3: not UTF-8 from byte 18 on"),
        (vec![b'x'; 10 << 20], "line 3: longer than 8 MiB"),
        (b"[]".to_vec(), "line 3: "),
    ] {
        let (code, message) = refusal(&["wer", "--normalizer", "none"], &with(&line));
        assert_eq!(code, 2, "{message}");
        assert!(message.contains(expected), "{message}");
    }
    let words = "a ".repeat(300_000);
    let (code, message) =
        refusal(&["wer", "--normalizer", "none"], &input(&[json!({"id": "a", "ref": words, "hyp": ""})]));
    assert_eq!(code, 2);
    assert!(message.contains("line 1: ref has 300000 tokens"), "{message}");
}

/// Runs `ffasr score` with no more than 1 GiB of address space.
fn run_in_a_gigabyte(arguments: &str, input: &[u8]) -> Output {
    let script = format!("ulimit -v 1048576; exec {} score {arguments}", env!("CARGO_BIN_EXE_ffasr"));
    let mut shell = Command::new("sh");
    let mut child = shell
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

#[test]
fn an_utterance_of_100_000_words_takes_bounded_memory() {
    // Letters only: a normaliser would take digits apart.
    let word = |number: u64| -> String {
        [number / 100, number / 10 % 10, number % 10]
            .iter()
            .map(|&digit| char::from(b'a' + digit as u8))
            .collect()
    };
    let words: Vec<String> = (0..100_000_u64).map(|i| word(i * i % 977)).collect();
    let mut heard = words.clone();
    heard.iter_mut().step_by(1000).for_each(|word| word.push('x'));
    let items = input(&[json!({"id": "a", "ref": words.join(" "), "hyp": heard.join(" ")})]);
    for arguments in
        ["wer --normalizer none --path", "wer --normalizer none --merge-compounds", "wer --profile ffasr"]
    {
        let output = lines(&run_in_a_gigabyte(arguments, &items));
        assert_eq!(output[0]["substitutions"], 100, "{arguments}");
    }
}

#[test]
fn texts_made_to_merge_everywhere_take_bounded_work() {
    let items = input(&[json!({"id": "a", "ref": "a ".repeat(20_000), "hyp": "aa ".repeat(10_000)})]);
    let output = lines(&run_in_a_gigabyte("wer --normalizer none --merge-compounds", &items));
    // Beyond 2^22 pairs of places the compound is left out: see the README of the scoring crate.
    assert_eq!((&output[0]["substitutions"], &output[0]["merged_compounds"]), (&json!(10_000), &json!(0)));
}

#[test]
fn segments_that_overlap_are_scored_and_backward_ones_refused() {
    let segment =
        |start: f64, end: f64| json!({"speaker": "A", "start_time": start, "end_time": end, "words": "a b"});
    let meeting = |segments: &[Value]| input(&[json!({"id": "m", "ref": segments, "hyp": segments})]);
    for metric in ["cpwer", "tcpwer", "orcwer", "der"] {
        let output = lines(&run(
            &["multispeaker", "--metric", metric],
            &meeting(&[segment(0.0, 2.0), segment(1.0, 3.0)]),
        ));
        assert_eq!(output[0]["errors"].as_f64(), Some(0.0), "{metric}");
    }
    let (code, message) =
        refusal(&["multispeaker", "--metric", "tcpwer"], &meeting(&[segment(0.0, 2.0), segment(3.0, 1.0)]));
    assert_eq!(code, 2);
    assert!(message.contains("line 1: segment 2 (A)"), "{message}");
}

#[test]
fn impossible_times_are_refused() {
    for (start, end) in [(json!(-1), json!(1)), (json!(2), json!(1)), (json!(null), json!(1))] {
        let segment = json!({"speaker": "A", "start_time": start, "end_time": end, "words": "a"});
        let meeting = input(&[json!({"id": "m", "ref": [segment], "hyp": []})]);
        for metric in ["tcpwer", "der"] {
            let (code, message) = refusal(&["multispeaker", "--metric", metric], &meeting);
            assert_eq!(code, 2);
            assert!(message.contains("line 1: segment 1 (A)"), "{message}");
        }
    }
}

#[test]
fn unknown_names_are_refused_with_a_list_of_the_known_ones() {
    let (code, message) = refusal(&["normalize", "--normalizer", "whisper-en@7"], b"");
    assert_eq!(code, 2);
    assert!(message.contains("whisper-en@1"), "{message}");
}

/// A Parquet file of two tracks in which every sixth item of `far-low` is wrong if `bad`.
fn items_file(folder: &std::path::Path, name: &str, bad: bool) -> String {
    let items = (0..48).map(|i: i32| {
        let track = if i % 2 == 0 { "near" } else { "far-low" };
        let is_wrong = bad && i % 6 == 1;
        ItemResult {
            item: i + 1,
            utterance: i / 2 + 1,
            talker: i / 4 + 1,
            track: track.to_owned(),
            audio_s: 2.0,
            processing_s: 0.5,
            hits: if is_wrong { 3 } else { 4 },
            substitutions: i32::from(is_wrong),
            path: Some(if is_wrong { "CSCC" } else { "CCCC" }.to_owned()),
            ..ItemResult::default()
        }
    });
    let results = ItemResults { items: items.collect(), ..ItemResults::default() };
    let path = folder.join(name);
    std::fs::write(&path, item_results::write(&results).unwrap()).unwrap();
    path.display().to_string()
}

#[test]
fn items_of_an_attempt_are_read_from_parquet() {
    let folder = tempfile::tempdir().unwrap();
    let bad = items_file(folder.path(), "bad.parquet", true);
    let output = lines(&run(&["items", &bad, "--summary"], b""));
    assert_eq!(output.len(), 48 + 3);
    assert_eq!(
        output[1],
        json!({"id": "2", "hits": 3, "substitutions": 1, "deletions": 0, "insertions": 0, "ref_words": 4, "wer": 0.25,
            "path": "CSCC", "track": "far-low", "utterance": "1", "talker": "1"})
    );
    let summary =
        |line: &Value| (line["track"].clone(), line["items"].clone(), line["wer"].as_f64().unwrap());
    assert_eq!(summary(&output[48]), (json!("far-low"), json!(24), 8.0 / 96.0));
    assert_eq!(summary(&output[49]), (json!("near"), json!(24), 0.0));
    assert_eq!(summary(&output[50]), (json!(null), json!(48), 8.0 / 192.0));
    assert_eq!(output[50]["resampled"], "talkers");

    let (code, message) = refusal(&["items", &bad, "--track", "far-high"], b"");
    assert_eq!(code, 2);
    assert!(message.contains("far-low, near"), "{message}");
    let broken = folder.path().join("broken.parquet");
    let bytes = std::fs::read(&bad).unwrap();
    std::fs::write(&broken, &bytes[..bytes.len() / 2]).unwrap();
    let (code, message) = refusal(&["items", broken.to_str().unwrap()], b"");
    assert_eq!(code, 2);
    assert!(message.contains("not a readable Parquet file"), "{message}");
}

#[test]
fn two_attempts_are_compared_from_parquet_by_tracks_or_by_all_items() {
    let folder = tempfile::tempdir().unwrap();
    let good = items_file(folder.path(), "good.parquet", false);
    let bad = items_file(folder.path(), "bad.parquet", true);
    let compare = |more: &[&str]| lines(&run(&[&["compare", &good, &bad], more].concat(), b"")).remove(0);
    let pooled = compare(&[]);
    assert_eq!((&pooled["items"], &pooled["mapsswe"]["segments"]), (&json!(48), &json!(8)));
    assert!((pooled["difference"].as_f64().unwrap() + 8.0 / 192.0).abs() < 1e-12);
    let far = compare(&["--track", "far-low"]);
    assert_eq!((&far["items"], &far["tracks"]), (&json!(24), &json!(["far-low"])));
    assert!((far["difference"].as_f64().unwrap() + 8.0 / 96.0).abs() < 1e-12);
    let mean = compare(&["--track", "far-low", "--track", "near"]);
    assert!((mean["b"]["wer"].as_f64().unwrap() - 4.0 / 96.0).abs() < 1e-12);
    assert_eq!(refusal(&["compare", &good, &bad, "--track", "moon"], b"").0, 2);

    // The lines of `items` compare as the file does.
    let as_lines = folder.path().join("bad.jsonl");
    std::fs::write(&as_lines, run(&["items", &bad], b"").stdout).unwrap();
    let mixed = &lines(&run(&["compare", &good, as_lines.to_str().unwrap(), "--track", "far-low"], b""))[0];
    assert_eq!(mixed["difference"], far["difference"]);
}
