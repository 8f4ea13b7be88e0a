"""Times other tools on the texts that throughput.rs wrote: prints "task by tool seconds", medians of several runs,
in processor time."""

import importlib.util
import json
import logging
import os
import resource
import statistics
import sys
import time
from pathlib import Path

import jiwer
import kaldialign
import rapidfuzz
from meeteval.io.seglst import SegLST
from meeteval.wer.wer.cp import cp_word_error_rate
from meeteval.wer.wer.time_constrained import time_constrained_minimum_permutation_word_error_rate

# The normalisers alone: importing whisper would need torch.
sys.path.insert(0, importlib.util.find_spec("whisper").submodule_search_locations[0])
from normalizers import BasicTextNormalizer, EnglishTextNormalizer  # noqa: E402

logging.disable(logging.CRITICAL)
folder = Path(sys.argv[1])


def load(name):
    return json.loads((folder / name).read_text())


def report(name, run, runs=5):
    seconds = []
    for _ in range(runs):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    print(name, statistics.median(seconds), flush=True)


for name in ["short", "medium", "long"]:
    pairs = load(name)
    references = [reference for reference, _ in pairs]
    hypotheses = [hypothesis for _, hypothesis in pairs]
    report(f"align {name} by jiwer", lambda: jiwer.process_words(references, hypotheses))
    report(
        f"align {name} by rapidfuzz editops",
        lambda: [rapidfuzz.distance.Levenshtein.editops(r.split(), h.split()) for r, h in pairs],
    )
    report(
        f"align {name} by kaldialign",
        lambda: kaldialign.batch_error_rate([r.split() for r in references], [h.split() for h in hypotheses]),
        runs=3,
    )

# A file of 20 000 words takes kaldialign 39 s and 7.5 GiB; 5 000 words, a sixteenth of both.
for name in ["short", "page"]:
    pairs = load(name)
    report(
        f"merge {name} by kaldialign",
        lambda: kaldialign.batch_error_rate(
            [r.split() for r, _ in pairs], [h.split() for _, h in pairs], merge_compounds=True
        ),
        runs=3,
    )

texts = load("texts")
for name, normalizer in [("whisper", EnglishTextNormalizer()), ("basic", BasicTextNormalizer())]:
    report(f"normalise {name} by openai-whisper", lambda: [normalizer(text) for text in texts], runs=3)

reference, hypothesis = (SegLST(side) for side in load("meeting"))
report("meeting cpwer by meeteval", lambda: cp_word_error_rate(reference, hypothesis), runs=3)
report(
    "meeting tcpwer by meeteval",
    lambda: time_constrained_minimum_permutation_word_error_rate(reference, hypothesis, collar=5),
    runs=3,
)

if os.environ.get("BENCH_LARGE"):
    reference, hypothesis = ([text.split()] for text in load("long")[0])
    report(
        "merge long by kaldialign",
        lambda: kaldialign.batch_error_rate(reference, hypothesis, merge_compounds=True),
        runs=1,
    )
    print("peak memory of kaldialign, MiB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
