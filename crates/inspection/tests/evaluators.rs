//! Evaluators as people write them.

use inspection::{EvaluatorReport, Rule, highlight, inspect_evaluator};
use proptest::prelude::*;

const GOOD: &str = r#"
from pathlib import Path

import soundfile
import torch
from transformers import pipeline

NUM_PARAMS = 244_000_000
recogniser = pipeline("automatic-speech-recognition", model="model")


def evaluate(file: Path) -> str:
    samples, rate = soundfile.read(file)
    return recogniser({"raw": samples, "sampling_rate": rate})["text"]
"#;

fn rules(report: &EvaluatorReport) -> Vec<Rule> {
    report.findings.iter().map(|finding| finding.rule).collect()
}

#[track_caller]
fn finds(source: &str, expected: &[Rule]) {
    assert_eq!(rules(&inspect_evaluator(source)), expected, "{source}");
}

#[test]
fn an_evaluator_for_the_public_board_passes_unchanged() {
    let report = inspect_evaluator(GOOD);
    assert_eq!(report.findings, []);
    assert_eq!(report.num_params, Some(244_000_000));
    assert_eq!(report.imports, ["pathlib", "soundfile", "torch", "transformers"]);
}

#[test]
fn the_contract_is_checked_by_reading() {
    finds("x = 1\n", &[Rule::NoEvaluate]);
    finds("class A:\n    def evaluate(self, file): return ''\n", &[Rule::NoEvaluate]);
    finds("def evaluate(): return ''\n", &[Rule::WrongSignature]);
    finds("def evaluate(file, model): return ''\n", &[Rule::WrongSignature]);
    finds("def evaluate(*, file): return ''\n", &[Rule::WrongSignature]);
    finds("async def evaluate(file): return ''\n", &[Rule::WrongSignature]);
    finds("evaluate = lambda file: ''\n", &[Rule::UncheckedEvaluate]);
    finds("from mine import evaluate\n", &[Rule::UncheckedEvaluate]);
    for fine in [
        "def evaluate(file): return ''\n",
        "def evaluate(file, beam=4): return ''\n",
        "def evaluate(*files): return ''\n",
        "def evaluate(file: 'Path', *, beam: int = 4) -> str: return ''\n",
        "@torch.no_grad()\ndef evaluate(file, **options): return ''\n",
        "def evaluate(a, b): return ''\ndef evaluate(file): return ''\n",
    ] {
        finds(fine, &[]);
    }
}

#[test]
fn broken_python_is_refused_at_its_line() {
    let report = inspect_evaluator("import torch\n\ndef evaluate(file:\n    return ''\n");
    assert_eq!(rules(&report), [Rule::InvalidPython]);
    assert!(report.findings[0].place.starts_with("line "), "{}", report.findings[0].place);
}

#[test]
fn what_a_reviewer_should_see_is_found_with_its_line() {
    let source = "import os, pickle\nimport urllib.request as r\nfrom subprocess import run\nimport time\n\n\
        def evaluate(file):\n    eval('1')\n    os.environ['HOME']\n    torch.load('w.pt')\n    \
        torch.load('w.pt', weights_only=True)\n    model.eval()\n    re.compile('a')\n    \
        open('/etc/passwd')\n    AutoModel.from_pretrained('m', trust_remote_code = True)\n    return ''\n";
    let report = inspect_evaluator(source);
    let mut found: Vec<(Rule, &str)> =
        report.findings.iter().map(|finding| (finding.rule, finding.place.as_str())).collect();
    found.sort_by_key(|(_, place)| place.trim_start_matches("line ").parse::<u32>().unwrap());
    assert_eq!(
        found,
        [
            (Rule::Unpickling, "line 1"),
            (Rule::Network, "line 2"),
            (Rule::Subprocess, "line 3"),
            (Rule::Clock, "line 4"),
            (Rule::DynamicCode, "line 7"),
            (Rule::Snooping, "line 8"),
            (Rule::Unpickling, "line 9"),
            (Rule::Snooping, "line 13"),
            (Rule::TrustsRemoteCode, "line 14"),
        ]
    );
    assert!(!report.is_refused(), "a reviewer decides");
}

#[test]
fn a_number_of_parameters_is_read_or_said_to_be_computed() {
    for (value, expected) in
        [("37_000_000", Some(37_000_000)), ("1.1e9", Some(1_100_000_000)), ("0", Some(0))]
    {
        let report = inspect_evaluator(&format!("NUM_PARAMS = {value}\ndef evaluate(file): return ''\n"));
        assert_eq!((report.num_params, report.findings.len()), (expected, 0), "{value}");
    }
    finds("NUM_PARAMS = count()\ndef evaluate(file): return ''\n", &[Rule::ComputedNumParams]);
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    let source =
        format!("x = {}1{}\ndef evaluate(file): return ''\n", "(".repeat(20_000), ")".repeat(20_000));
    inspect_evaluator(&source);
    highlight(&source);
}

proptest! {
    #[test]
    fn no_text_whatever_makes_it_panic(source in "\\PC{0,300}") {
        inspect_evaluator(&source);
        let mut end = 0;
        for token in highlight(&source) {
            prop_assert!(token.bytes.start >= end && source.get(token.bytes.clone()).is_some());
            end = token.bytes.end;
        }
    }

    #[test]
    fn no_cut_of_a_program_makes_it_panic(at in any::<prop::sample::Index>()) {
        let at = at.index(GOOD.len());
        inspect_evaluator(&GOOD[..at]);
    }
}
