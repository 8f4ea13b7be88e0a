//! The command line as a user meets it: what bad input is answered with.
#![expect(clippy::unwrap_used, reason = "a test's failure is a panic with a place")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn ffasr(data: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ffasr")).args(arguments).env("FFASR_DATA", data).output().unwrap()
}

/// The command must end with exit code 2 and one message that holds all the words, and must not touch the data.
fn refused(arguments: &[&str], words: &[&str]) {
    let data = tempfile::tempdir().unwrap();
    let place = data.path().join("data");
    let output = ffasr(&place, arguments);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{message}");
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
    assert!(!place.exists(), "nothing is started or changed before the input is understood");
}

#[test]
fn a_table_with_a_bad_number_is_refused_with_line_and_column() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("table.csv");
    fs::write(
        &file,
        "Model,Avg WER (%),Near Field Speech,High SNR,Mid SNR,Low SNR,RTFx,Params (B)\na,1,1,1,1,1,1,1\nb,1,1,1,oops,1,1,1\n",
    )
    .unwrap();
    let path = file.to_str().unwrap();
    refused(&["admin", "import-results", path, "--label", "x"], &["table.csv", "line 3", "Mid SNR", "oops"]);
    refused(&["admin", "import-results", "nowhere.csv", "--label", "x"], &["nowhere.csv"]);
}

#[test]
fn a_wav_that_is_not_one_is_refused_with_its_name_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.wav"), "this is text").unwrap();
    let manifest = directory.path().join("speech.jsonl");
    fs::write(
        &manifest,
        "{\"audio_filepath\": \"a.wav\", \"text\": \"one two three four\", \"speaker\": \"s\"}\n",
    )
    .unwrap();
    let destination = directory.path().join("corpus");
    let arguments = [
        "corpus",
        "import",
        "--layout",
        "manifest",
        "--source",
        manifest.to_str().unwrap(),
        "--name",
        "n",
        "--licence",
        "MIT",
        "--attribution",
        "me",
        destination.to_str().unwrap(),
    ];
    refused(&arguments, &["a.wav"]);
    assert!(!destination.exists());
}

#[test]
fn a_missing_file_is_named() {
    refused(&["release", "verify", "no-such-release"], &["no-such-release"]);
    let corpus = ["release", "build", "--corpus", "no-such-corpus", "out"];
    refused(&corpus, &["no-such-corpus"]);
    refused(&["corpus", "import", "--layout", "manifest", "out"], &["--source"]);
}

#[test]
fn a_name_that_no_account_can_have_is_refused_in_words() {
    refused(&["admin", "user", "add", "bad name"], &["bad name", "letters"]);
    refused(&["admin", "user", "add", "-"], &["letters"]);
}

#[test]
fn the_demo_wants_enough_items_to_say_something() {
    refused(&["demo", "--items", "3"], &["--items", "12"]);
}

#[test]
fn every_command_explains_itself() {
    let data = tempfile::tempdir().unwrap();
    for command in ["demo", "serve", "worker", "admin", "corpus", "release", "eval"] {
        let output = ffasr(data.path(), &[command, "--help"]);
        assert!(output.status.success());
        assert!(String::from_utf8(output.stdout).unwrap().contains("Usage: ffasr"), "{command}");
    }
}

#[test]
fn the_check_of_a_worker_is_green_here_and_red_with_the_reason_where_nothing_can_be_laid_out() {
    let check = |more: &[(&str, &str)]| {
        let output = Command::new(env!("CARGO_BIN_EXE_ffasr"))
            .args(["worker", "--check"])
            .envs(more.iter().copied())
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, table) = check(&[]);
    assert_eq!(code, Some(0), "{table}");
    // The header, a line for each of 19 guarantees, and what is in force.
    assert!(table.lines().count() == 21 && !table.contains("BROKEN"), "{table}");
    let (code, table) = check(&[("TMPDIR", "/nowhere/at/all")]);
    assert_eq!(code, Some(1), "{table}");
    assert!(table.contains("BROKEN  sandbox can be started") && table.contains("No such file"), "{table}");
}
