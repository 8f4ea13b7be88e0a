"""Transformers behind the runner protocol.

A model is the files of a repository in Transformers' own format. Weights are safetensors, code from a repository is
never run, and nothing is looked up on a network. Three families: CTC, decoded greedily; encoder-decoders, which generate;
and language models that are handed a recording in a chat and asked to transcribe it. Whisper hears what is longer than
its window of 30 s in windows one after the other, as the library does it.

An answer depends on its own item alone: nothing is drawn at random and nothing is carried over.
"""

import inspect
import os
import sys

# Before the library is imported: it looks at these once.
os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HOME="/tmp/hub", TRANSFORMERS_VERBOSITY="error")

# The sandbox starts this file in Python's isolated mode, which does not look beside it.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from ffasr_runner import MODEL, RATE, model_file, serve  # noqa: E402

import torch  # noqa: E402
from jinja2 import TemplateError  # noqa: E402
from transformers import (  # noqa: E402
    AutoConfig,
    AutoModelForCTC,
    AutoModelForMultimodalLM,
    AutoModelForSpeechSeq2Seq,
    AutoProcessor,
)
from transformers.models.auto.modeling_auto import (  # noqa: E402
    MODEL_FOR_CTC_MAPPING_NAMES,
    MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES,
    MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES,
)

LOCAL = {"local_files_only": True, "trust_remote_code": False}
# In this order: the library lists models that are spoken to among the encoder-decoders, too.
FAMILIES = [
    (AutoModelForCTC, MODEL_FOR_CTC_MAPPING_NAMES),
    (AutoModelForMultimodalLM, MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES),
    (AutoModelForSpeechSeq2Seq, MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES),
]
# What Granite's authors ask theirs; a model without a request of its own gets it unless the manifest says another.
REQUEST = "can you transcribe the speech into a written format?"


def model_family(config):
    """The class by the architecture that the model names; of an unknown one, by the kind of model."""
    named = (config.architectures or [""])[0]
    for family, names in FAMILIES:
        if named in names.values():
            return family
    for family, names in FAMILIES:
        if config.model_type in names:
            return family
    sys.exit(
        f"{named or config.model_type} is no CTC model, speech encoder-decoder or language model that hears, of this version of Transformers"
    )


class Recogniser:
    def __init__(self, settings):
        config = AutoConfig.from_pretrained(MODEL, **LOCAL)
        self.settings = settings
        self.family = model_family(config)
        self.is_whisper = config.model_type == "whisper"
        self.max_batch = settings.get("batch", 1)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.precision = getattr(torch, settings.get("precision", "float32"))
        self.processor = AutoProcessor.from_pretrained(MODEL, **LOCAL)
        extractor = getattr(self.processor, "feature_extractor", None) or self.processor.audio_processor
        rate = getattr(extractor, "sampling_rate", RATE)
        if rate != RATE:
            sys.exit(f"the model wants audio at {rate} Hz; this board's is at {RATE} Hz")
        model = self.family.from_pretrained(MODEL, dtype=self.precision, use_safetensors=True, **LOCAL)
        self.model = model.to(self.device).eval()
        self.parameters = sum(it.numel() for it in self.model.parameters())
        self.generation = self.generation_settings()
        if self.family is AutoModelForMultimodalLM:
            # What is generated goes on at the right of all prompts of a batch.
            self.processor.tokenizer.padding_side = "left"
            has_own = hasattr(self.processor, "apply_transcription_request")
            self.prompt = None if has_own and "request" not in settings else self.chat_prompt()

    def generation_settings(self):
        chosen = {"num_beams": self.settings.get("beams", 1), "do_sample": False}
        if "max_new_tokens" in self.settings:
            chosen["max_new_tokens"] = self.settings["max_new_tokens"]
        multilingual = getattr(getattr(self.model, "generation_config", None), "is_multilingual", False)
        if self.is_whisper and multilingual:
            chosen["task"] = "transcribe"
            if self.language():
                chosen["language"] = self.language()
        return chosen

    def language(self):
        language = self.settings.get("language", "en")
        return None if language == "auto" else language

    def chat_prompt(self):
        """The request in the words of the model's chat template, with the place of the audio in it."""
        request, token = REQUEST, self.processor.audio_token
        if "request" in self.settings:
            with open(model_file(self.settings["request"]), encoding="utf-8") as file:
                request = file.read().strip()
        # Templates either know that a message has parts, or take plain text with the token in it.
        for content in ([{"type": "audio"}, {"type": "text", "text": request}], token + request):
            chat = [{"role": "user", "content": content}]
            try:
                prompt = self.processor.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
            except (TypeError, TemplateError):
                continue
            if prompt.count(token) == 1:
                return prompt
        sys.exit(f"the model's chat template leaves no place for {token}")

    def cast(self, features):
        features = features.to(self.device)
        return {name: it.to(self.precision) if it.is_floating_point() else it for name, it in features.items()}

    def heard(self, recordings, **more):
        return self.cast(self.processor(recordings, sampling_rate=RATE, return_tensors="pt", **more))

    @torch.inference_mode()
    def transcribe(self, recordings):
        if self.family is AutoModelForCTC:
            scores = self.model(**self.heard(recordings, padding=True)).logits
            return self.spelled(scores.argmax(dim=-1))
        if self.family is AutoModelForMultimodalLM:
            return self.answered(recordings)
        if not self.is_whisper:
            return self.spelled(self.model.generate(**self.heard(recordings, padding=True), **self.generation))
        window = self.processor.feature_extractor.n_samples
        more, generation = {"return_attention_mask": True}, self.generation
        if max(map(len, recordings)) > window:
            # Whole recordings, window after window; where one ends is told by the time stamps.
            more |= {"truncation": False, "padding": "longest"}
            generation = generation | {"return_timestamps": True}
        return self.spelled(self.model.generate(**self.heard(recordings, **more), **generation))

    def answered(self, recordings):
        if self.prompt is None:
            asked = self.transcription_request(recordings)
        else:
            prompts = [self.prompt] * len(recordings)
            asked = self.processor(text=prompts, audio=recordings, padding=True, return_tensors="pt")
        asked = self.cast(asked)
        said = self.model.generate(**asked, **self.generation)
        # The answer follows the request.
        return self.spelled(said[:, asked["input_ids"].shape[1] :])

    def transcription_request(self, recordings):
        request, more = self.processor.apply_transcription_request, {"language": self.language()}
        if "model_id" in inspect.signature(request).parameters:
            # Voxtral's passes audio on as a file, and a name that says nothing here.
            more |= {"model_id": "model", "sampling_rate": RATE, "format": ["WAV"] * len(recordings)}
        return request(audio=list(recordings), **more)

    def spelled(self, tokens):
        texts = self.processor.batch_decode(tokens, skip_special_tokens=True)
        return [" ".join(it.split()) for it in texts]


if __name__ == "__main__":
    serve(Recogniser)
