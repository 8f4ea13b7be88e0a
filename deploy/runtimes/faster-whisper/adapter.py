"""faster-whisper behind the runner protocol, version 1: requests on descriptor 3, answers on 4, a JSON line each.

The model is a directory in CTranslate2's format. Language is English; every item is decoded with the same seed, so an
answer does not depend on what was heard before.
"""

import importlib.util
import json
import os
import sys
import traceback
import wave

os.environ.update(HF_HUB_OFFLINE="1", HF_HOME="/tmp/hub")

import ctranslate2  # noqa: E402
import numpy  # noqa: E402
from faster_whisper import WhisperModel  # noqa: E402

MANIFEST = "/ffasr.json"
MODEL = "/model"
RATE = 16_000
# Of the engine; the first is greedy or beam search, the others draw.
TEMPERATURES = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]


def read_wave(path):
    with wave.open(path, "rb") as audio:
        shape = (audio.getnchannels(), audio.getsampwidth(), audio.getframerate())
        if shape != (1, 2, RATE):
            raise ValueError(f"expected 16-bit mono audio at 16 kHz, got (channels, bytes, Hz) = {shape}")
        samples = numpy.frombuffer(audio.readframes(audio.getnframes()), dtype="<i2")
    return samples.astype(numpy.float32) / 32768


def load_front_end(settings):
    """`enhance(samples, rate)` of the file that the setting names: float samples in, float samples out."""
    if "front_end" not in settings:
        return None
    path = os.path.join(MODEL, os.path.basename(settings["front_end"]))
    specification = importlib.util.spec_from_file_location("front_end", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.enhance


class Recogniser:
    def __init__(self, settings):
        if not os.path.exists(os.path.join(MODEL, "tokenizer.json")):
            # Without it the engine would look for one on a hub.
            sys.exit("tokenizer.json is missing; convert the model with --copy_files tokenizer.json")
        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
        self.model = WhisperModel(MODEL, device=device, compute_type=settings.get("precision", "default"), local_files_only=True)
        self.front_end = load_front_end(settings)
        self.settings = {
            "language": "en",
            "task": "transcribe",
            "beam_size": settings.get("beams", 5),
            "temperature": TEMPERATURES if settings.get("fallback", True) else 0.0,
            "vad_filter": settings.get("vad", False),
            "condition_on_previous_text": settings.get("previous_text", False),
        }

    def transcribe(self, path):
        ctranslate2.set_random_seed(1)
        samples = read_wave(path)
        if self.front_end:
            samples = numpy.asarray(self.front_end(samples, RATE), dtype=numpy.float32)
        segments, _ = self.model.transcribe(samples, **self.settings)
        return " ".join("".join(it.text for it in segments).split())


def main():
    requests = os.fdopen(3, "r", encoding="utf-8")
    answers = os.fdopen(4, "w", encoding="utf-8")

    def answer(message):
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    hello = json.loads(requests.readline())["hello"]
    if (hello["protocol"], hello["sample_rate"], hello["channels"]) != (1, RATE, 1):
        sys.exit(f"this runtime speaks protocol 1 with mono audio at 16 kHz, not {hello}")
    with open(MANIFEST, encoding="utf-8") as file:
        recogniser = Recogniser(json.load(file).get("decoding", {}))
    # CTranslate2 does not tell how many parameters a model has; the manifest may.
    answer({"ready": {"num_params": None}})
    for line in requests:
        request = json.loads(line)
        try:
            answer({"id": request["id"], "text": recogniser.transcribe(request["path"])})
        except (OSError, EOFError, RuntimeError, ValueError, wave.Error) as error:
            traceback.print_exc()
            answer({"id": request["id"], "error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
