"""Evaluators behind the runner protocol.

An evaluator is one Python file as the public FFASR board takes it: importing it loads the model; it defines
`evaluate(file: Path) -> str`, called once for each audio file, and may say `NUM_PARAMS`. Where several talk it may return
a list of segments instead, `[{"speaker": "1", "words": "…"}, …]`. With `multichannel = true` in `ffasr.toml` the files
have as many channels as were recorded. It finds the files that were
uploaded with it in its own directory, which is also the working directory. Nothing of it is ever imported outside of
the sandbox, not even to read `NUM_PARAMS`.
"""

import importlib.util
import os
import sys
from pathlib import Path

# The sandbox starts this file in Python's isolated mode, which does not look beside it.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ffasr_runner as runner  # noqa: E402

MODEL = Path(runner.MODEL)

# There is no network: libraries that would ask a hub are told so, rather than left to try.
os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HOME="/tmp/hub", NUMBA_CACHE_DIR="/tmp/numba")


def evaluator(settings):
    if "evaluator" in settings:
        return MODEL / os.path.basename(settings["evaluator"])
    found = sorted(MODEL.glob("*.py"))
    named = [it for it in found if it.name == "evaluator.py"]
    if len(named or found) != 1:
        sys.exit(f"the setting `evaluator` must name the evaluator: there are {len(found)} Python files")
    return (named or found)[0]


def load(path):
    os.chdir(MODEL)
    sys.path.insert(0, str(MODEL))
    specification = importlib.util.spec_from_file_location("evaluator", path)
    module = importlib.util.module_from_spec(specification)
    sys.modules["evaluator"] = module
    specification.loader.exec_module(module)
    if not callable(getattr(module, "evaluate", None)):
        sys.exit(f"{path.name} defines no function `evaluate(file: Path) -> str`")
    return module


def parameters(module):
    """`NUM_PARAMS` as a whole number; 0.6e9 is one, True and "600M" are not."""
    value = getattr(module, "NUM_PARAMS", None)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0 or value != int(value):
        sys.exit(f"NUM_PARAMS must be a whole number, not {value!r}")
    return int(value)


class Evaluator:
    def __init__(self, settings):
        self.module = load(evaluator(settings))
        self.parameters = parameters(self.module)

    def transcribe(self, paths):
        return [self.said(Path(it)) for it in paths]

    def said(self, path):
        said = self.module.evaluate(path)
        if isinstance(said, str):
            return said
        if not isinstance(said, list):
            raise TypeError(f"evaluate returned {type(said).__name__}, neither str nor a list of segments")
        if not all(isinstance(it, dict) and {"speaker", "words"} <= it.keys() for it in said):
            raise TypeError("evaluate returned segments without `speaker` or `words`")
        return [{"speaker": str(it["speaker"]), "words": str(it["words"])} for it in said]


if __name__ == "__main__":
    # An evaluator opens its files itself, with as many channels as they have.
    runner.serve(Evaluator, hear=lambda path, _: path, multichannel=True)
