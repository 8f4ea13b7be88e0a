"""faster-whisper behind the runner protocol.

The model is a directory in CTranslate2's format. Language is English; every item is decoded with the same seed, so an
answer does not depend on what was heard before.
"""

import os
import sys

# Before the library is imported: it looks at these once.
os.environ.update(HF_HUB_OFFLINE="1", HF_HOME="/tmp/hub")

import ctranslate2  # noqa: E402
from faster_whisper import WhisperModel  # noqa: E402

# The sandbox starts this file in Python's isolated mode, which does not look beside it.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from ffasr_runner import MODEL, serve  # noqa: E402

# Of the engine; the first is greedy or beam search, the others draw.
TEMPERATURES = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]


class Recogniser:
    def __init__(self, settings):
        if not os.path.exists(os.path.join(MODEL, "tokenizer.json")):
            # Without it the engine would look for one on a hub.
            sys.exit("tokenizer.json is missing; convert the model with --copy_files tokenizer.json")
        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
        self.model = WhisperModel(MODEL, device=device, compute_type=settings.get("precision", "default"), local_files_only=True)
        # CTranslate2 does not tell how many parameters a model has; the manifest may.
        self.parameters = None
        self.settings = {
            "language": "en",
            "task": "transcribe",
            "beam_size": settings.get("beams", 5),
            "temperature": TEMPERATURES if settings.get("fallback", True) else 0.0,
            "vad_filter": settings.get("vad", False),
            "condition_on_previous_text": settings.get("previous_text", False),
        }

    def transcribe(self, recordings):
        return [self.text(it) for it in recordings]

    def text(self, samples):
        ctranslate2.set_random_seed(1)
        segments, _ = self.model.transcribe(samples, **self.settings)
        return " ".join("".join(it.text for it in segments).split())


if __name__ == "__main__":
    serve(Recogniser)
