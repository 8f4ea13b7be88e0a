"""Evaluators behind the runner protocol, version 1: requests on descriptor 3, answers on 4, a JSON line each.

An evaluator is one Python file as the public FFASR board takes it: importing it loads the model; it defines
`evaluate(file: Path) -> str`, called once for each audio file, and may say `NUM_PARAMS`. Where several talk it may return
a list of segments instead, `[{"speaker": "1", "words": "…"}, …]`. With `multichannel = true` in `ffasr.toml` the files
have as many channels as were recorded. It finds the files that were
uploaded with it in its own directory, which is also the working directory. Nothing of it is ever imported outside of
the sandbox, not even to read `NUM_PARAMS`.
"""

import importlib.util
import json
import os
import sys
import traceback
from pathlib import Path

MANIFEST = "/ffasr.json"
MODEL = Path("/model")

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


def transcribe(module, path):
    said = module.evaluate(Path(path))
    if isinstance(said, str):
        return {"text": said}
    if not isinstance(said, list):
        raise TypeError(f"evaluate returned {type(said).__name__}, neither str nor a list of segments")
    if not all(isinstance(it, dict) and {"speaker", "words"} <= it.keys() for it in said):
        raise TypeError("evaluate returned segments without `speaker` or `words`")
    return {"segments": [{"speaker": str(it["speaker"]), "words": str(it["words"])} for it in said]}


def main():
    requests = os.fdopen(3, "r", encoding="utf-8")
    answers = os.fdopen(4, "w", encoding="utf-8")

    def answer(message):
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    hello = json.loads(requests.readline())["hello"]
    if (hello["protocol"], hello["sample_rate"]) != (1, 16000):
        sys.exit(f"this runtime speaks protocol 1 with audio at 16 kHz, not {hello}")
    with open(MANIFEST, encoding="utf-8") as file:
        module = load(evaluator(json.load(file).get("decoding", {})))
    answer({"ready": {"num_params": parameters(module)}})
    for line in requests:
        request = json.loads(line)
        try:
            answer({"id": request["id"], **transcribe(module, request["path"])})
        except Exception as error:
            # One file that cannot be transcribed is not the end; the whole story is in the log.
            traceback.print_exc()
            answer({"id": request["id"], "error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
