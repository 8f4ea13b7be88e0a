"""SpeechBrain behind the runner protocol.

A model is the files of a repository in SpeechBrain's format: `hyperparams.yaml` and the parameters it loads. That YAML
builds objects by import path, which is code; here it may build classes of SpeechBrain and layers of PyTorch alone, call
nothing, include no other file, and name no Python file of the repository. Parameters are read as tensors and nothing else.
"""

import os
import re
import sys

# Before the library is imported: it looks at these once.
os.environ.update(HF_HUB_OFFLINE="1", HF_HOME="/tmp/hub", SB_LOG_LEVEL="ERROR")

# The sandbox starts this file in Python's isolated mode, which does not look beside it.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from ffasr_runner import MODEL, model_file, serve  # noqa: E402

import torch  # noqa: E402
import yaml  # noqa: E402
from hyperpyyaml import load_hyperpyyaml, resolve_references  # noqa: E402
from speechbrain.inference import ASR  # noqa: E402

PARAMETERS = "/tmp/parameters"
# Objects that may be built and classes that may be named.
ALLOWED = (
    "speechbrain.decoders.",
    "speechbrain.dataio.encoder.",
    "speechbrain.lobes.",
    "speechbrain.nnet.",
    "speechbrain.processing.",
    "speechbrain.utils.parameter_transfer.Pretrainer",
    "sentencepiece.SentencePieceProcessor",
    "torch.nn.",
)
# Tags that only arrange values within the file.
PLAIN = ("!ref", "!copy", "!tuple", "!list")


def check(text):
    """Refuse what builds or calls anything else."""
    for event in yaml.parse(text):
        tag = getattr(event, "tag", None)
        if not tag or tag in PLAIN or tag.startswith("tag:yaml.org,2002:") and "python" not in tag:
            continue
        kind, _, name = tag.partition(":")
        if kind not in ("!new", "!name") or not name.startswith(ALLOWED):
            sys.exit(f"hyperparams.yaml says {tag}; only !new: and !name: of {', '.join(ALLOWED)} are taken")


def read(path):
    """What the file describes, its own references resolved; parameters are sought beside it, wherever it says they are."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    check(text)
    moved = {"pretrained_path": MODEL} if re.search(r"^pretrained_path:", text, re.MULTILINE) else None
    resolved = resolve_references(text, moved)
    resolved = resolved if isinstance(resolved, str) else resolved.read()
    check(resolved)
    return load_hyperpyyaml(resolved)


class Recogniser:
    def __init__(self, settings):
        hyperparameters = read(model_file(settings.get("hyperparams", "hyperparams.yaml")))
        if "pretrainer" in hyperparameters:
            pretrainer = hyperparameters["pretrainer"]
            pretrainer.set_collect_in(PARAMETERS)
            pretrainer.collect_files(default_source=MODEL)
            pretrainer.load_collected()
        device = "cuda" if torch.cuda.is_available() else "cpu"
        kind = getattr(ASR, settings.get("interface", "EncoderDecoderASR"))
        self.model = kind(hyperparameters["modules"], hyperparameters, run_opts={"device": device}).eval()
        self.max_batch = settings.get("batch", 1)
        self.parameters = sum(it.numel() for it in self.model.parameters())

    @torch.inference_mode()
    def transcribe(self, recordings):
        longest = max(map(len, recordings))
        samples = torch.zeros(len(recordings), longest)
        for row, it in zip(samples, recordings):
            row[: len(it)] = torch.from_numpy(it.copy())
        lengths = torch.tensor([len(it) / longest for it in recordings])
        texts, _ = self.model.transcribe_batch(samples.to(self.model.device), lengths.to(self.model.device))
        return [" ".join((it if isinstance(it, str) else " ".join(it)).split()) for it in texts]


if __name__ == "__main__":
    serve(Recogniser)
