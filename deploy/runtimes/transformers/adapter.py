"""Transformers behind the runner protocol, version 1: requests on descriptor 3, answers on 4, a JSON line each.

A model is the files of a repository in Transformers' own format. Weights are safetensors, code from a repository is
never run, and nothing is looked up on a network. Two families: CTC, decoded greedily, and encoder-decoders, which
generate. Whisper hears what is longer than its window of 30 s in windows one after the other, as the library does it.

An answer depends on its own item alone: nothing is drawn at random and nothing is carried over.
"""

import importlib.util
import json
import os
import sys
import traceback
import wave

# Before the library is imported: it looks at these once.
os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HOME="/tmp/hub", TRANSFORMERS_VERBOSITY="error")

import numpy  # noqa: E402
import torch  # noqa: E402
from transformers import AutoConfig, AutoModelForCTC, AutoModelForSpeechSeq2Seq, AutoProcessor  # noqa: E402
from transformers.models.auto.modeling_auto import (  # noqa: E402
    MODEL_FOR_CTC_MAPPING_NAMES,
    MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES,
)

MANIFEST = "/ffasr.json"
MODEL = "/model"
RATE = 16_000
LOCAL = {"local_files_only": True, "trust_remote_code": False}


def read_wave(path):
    with wave.open(path, "rb") as audio:
        shape = (audio.getnchannels(), audio.getsampwidth(), audio.getframerate())
        if shape != (1, 2, RATE):
            raise ValueError(f"expected 16-bit mono audio at 16 kHz, got (channels, bytes, Hz) = {shape}")
        samples = numpy.frombuffer(audio.readframes(audio.getnframes()), dtype="<i2")
    return samples.astype(numpy.float32) / 32768


def model_class(config):
    """The class by the architecture that the model names; of an unknown one, by the kind of model."""
    named = (config.architectures or [""])[0]
    families = [(AutoModelForCTC, MODEL_FOR_CTC_MAPPING_NAMES), (AutoModelForSpeechSeq2Seq, MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES)]
    for family, names in families:
        if named in names.values():
            return family
    for family, names in families:
        if config.model_type in names:
            return family
    sys.exit(f"{named or config.model_type} is neither a CTC model nor a speech encoder-decoder of this version of Transformers")


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
        config = AutoConfig.from_pretrained(MODEL, **LOCAL)
        family = model_class(config)
        self.is_ctc = family is AutoModelForCTC
        self.is_whisper = config.model_type == "whisper"
        self.front_end = load_front_end(settings)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.precision = getattr(torch, settings.get("precision", "float32"))
        self.processor = AutoProcessor.from_pretrained(MODEL, **LOCAL)
        rate = self.processor.feature_extractor.sampling_rate
        if rate != RATE:
            sys.exit(f"the model wants audio at {rate} Hz; this board's is at {RATE} Hz")
        model = family.from_pretrained(MODEL, dtype=self.precision, use_safetensors=True, **LOCAL)
        self.model = model.to(self.device).eval()
        self.generation = self.generation_settings(settings)

    def generation_settings(self, settings):
        chosen = {"num_beams": settings.get("beams", 1), "do_sample": False}
        if "max_new_tokens" in settings:
            chosen["max_new_tokens"] = settings["max_new_tokens"]
        multilingual = getattr(getattr(self.model, "generation_config", None), "is_multilingual", False)
        if self.is_whisper and multilingual:
            chosen["task"] = "transcribe"
            if settings.get("language", "en") != "auto":
                chosen["language"] = settings.get("language", "en")
        return chosen

    def listen(self, path):
        samples = read_wave(path)
        return numpy.asarray(self.front_end(samples, RATE), dtype=numpy.float32) if self.front_end else samples

    def parameters(self):
        return sum(it.numel() for it in self.model.parameters())

    def heard(self, recordings, **more):
        features = self.processor(recordings, sampling_rate=RATE, return_tensors="pt", **more).to(self.device)
        return {name: it.to(self.precision) if it.is_floating_point() else it for name, it in features.items()}

    @torch.inference_mode()
    def transcribe(self, recordings):
        if self.is_ctc:
            scores = self.model(**self.heard(recordings, padding=True)).logits
            return self.spelled(scores.argmax(dim=-1))
        if not self.is_whisper:
            return self.spelled(self.model.generate(**self.heard(recordings, padding=True), **self.generation))
        window = self.processor.feature_extractor.n_samples
        more, generation = {"return_attention_mask": True}, self.generation
        if max(map(len, recordings)) > window:
            # Whole recordings, window after window; where one ends is told by the time stamps.
            more |= {"truncation": False, "padding": "longest"}
            generation = generation | {"return_timestamps": True}
        return self.spelled(self.model.generate(**self.heard(recordings, **more), **generation))

    def spelled(self, tokens):
        texts = self.processor.batch_decode(tokens, skip_special_tokens=True)
        return [" ".join(it.split()) for it in texts]


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
        settings = json.load(file).get("decoding", {})
    recogniser = Recogniser(settings)
    batch = settings.get("batch", 1)
    answer({"ready": {"num_params": recogniser.parameters()} | ({"max_batch": batch} if batch > 1 else {})})
    for line in requests:
        request = json.loads(line)
        items = request.get("batch", [request])
        try:
            texts = recogniser.transcribe([recogniser.listen(it["path"]) for it in items])
            told = [{"id": it["id"], "text": text} for it, text in zip(items, texts, strict=True)]
        except torch.OutOfMemoryError:
            raise
        except (OSError, EOFError, RuntimeError, ValueError, wave.Error) as error:
            traceback.print_exc()
            told = [{"id": it["id"], "error": f"{type(error).__name__}: {error}"} for it in items]
        answer({"batch": told} if "batch" in request else told[0])


if __name__ == "__main__":
    main()
