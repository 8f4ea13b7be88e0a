"""PocketSphinx behind the runner protocol, version 1: requests on descriptor 3, answers on 4, a JSON line each.

The decoder is the one of PyPI's `pocketsphinx` with the US English models inside that package. Decoding settings
come from the model's manifest under the decoder's own names; a setting that names a file names one in /model.

Nothing is carried from one utterance to the next: cepstral means are taken over each whole utterance (`cmn=batch`)
and the noise tracker starts anew, so a transcript does not depend on what was heard before.
"""

import importlib.util
import json
import os
import struct
import sys
import wave

import numpy
from pocketsphinx import Decoder, get_model_path, set_loglevel

MANIFEST = "/ffasr.json"
MODEL = "/model"
RATE = 16_000
FILE_SETTINGS = ("lm", "dict")
# The adapter's own; all others are the decoder's.
ADAPTER_SETTINGS = ("front_end",)


def load_front_end(settings):
    """`enhance(samples, rate)` of the file that the setting names: float samples in, float samples out."""
    if "front_end" not in settings:
        return None
    path = os.path.join(MODEL, os.path.basename(settings["front_end"]))
    specification = importlib.util.spec_from_file_location("front_end", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.enhance


def make_decoder(settings, means="batch"):
    settings = {name: value for name, value in settings.items() if name not in ADAPTER_SETTINGS}
    for name in FILE_SETTINGS:
        if name in settings:
            settings[name] = os.path.join(MODEL, settings[name])
    return Decoder(**{**settings, "cmn": means})


def transcribe(decoder, front_end, path):
    with wave.open(path, "rb") as audio:
        shape = (audio.getnchannels(), audio.getsampwidth(), audio.getframerate())
        if shape != (1, 2, 16000):
            raise ValueError(f"expected 16-bit mono audio at 16 kHz, got (channels, bytes, Hz) = {shape}")
        samples = audio.readframes(audio.getnframes())
    if front_end:
        heard = numpy.frombuffer(samples, dtype="<i2").astype(numpy.float32) / 32768
        cleaned = numpy.asarray(front_end(heard, RATE))
        samples = numpy.clip(numpy.rint(32768 * cleaned), -32768, 32767).astype("<i2").tobytes()
    decoder.start_stream()
    decoder.start_utt()
    decoder.process_raw(samples, full_utt=True)
    decoder.end_utt()
    hypothesis = decoder.hyp()
    return hypothesis.hypstr if hypothesis else ""


class Stream:
    """Decodes in pieces. Means over the whole utterance cannot be known yet: they start from the model's own and follow
    the audio, anew for each utterance. A front end wants whole recordings, so it has no part here."""

    def __init__(self, settings):
        self.decoder = make_decoder(settings, "live")
        self.means = self.decoder.get_cmn(False)
        self.told = ""

    def begin(self):
        self.decoder.set_cmn(self.means)
        self.decoder.start_stream()
        self.decoder.start_utt()
        self.told = ""

    def words(self):
        hypothesis = self.decoder.hyp()
        return hypothesis.hypstr if hypothesis else ""

    def hear(self, samples):
        """What is heard so far, if that has changed."""
        self.decoder.process_raw(samples, full_utt=False)
        heard = self.words()
        changed, self.told = heard != self.told, heard
        return heard if changed else None

    def end(self):
        self.decoder.end_utt()
        return self.words()


def count_parameters(directory):
    """Numbers stored in the acoustic model: means, variances, mixture weights, transition probabilities.

    Neither the dictionary nor the n-grams of the language model are counted, as is usual for language models
    beside an acoustic model.
    """
    gaussians = sum(gaussian_floats(os.path.join(directory, name)) for name in ("means", "variances"))
    return gaussians + transitions(directory) + mixture_weights(directory)


def integers(content, offset, count):
    return struct.unpack_from(f"<{count}i", content, offset)


def after_text_header(content):
    # "s3\n…endhdr\n", then the byte-order mark as one integer.
    return content.index(b"endhdr\n") + len(b"endhdr\n") + 4


def read(*path):
    with open(os.path.join(*path), "rb") as file:
        return file.read()


def gaussian_floats(path):
    """Codebooks, streams, densities, the width of each stream, the number of floats, then the floats."""
    content = read(path)
    start = after_text_header(content)
    _, streams, _ = integers(content, start, 3)
    return integers(content, start + 12 + 4 * streams, 1)[0]


def transitions(directory):
    """Matrices, source states, target states, the number of floats, then the floats."""
    content = read(directory, "transition_matrices")
    return integers(content, after_text_header(content) + 12, 1)[0]


def mixture_weights(directory):
    """Strings with their lengths, a zero, rows and columns, then one byte a weight for each stream."""
    content = read(directory, "sendump")
    offset, streams = 0, 1
    while length := integers(content, offset, 1)[0]:
        name, _, value = content[offset + 4 : offset + 4 + length].rstrip(b"\0").partition(b" ")
        if name == b"feature_count":
            streams = int(value)
        offset += 4 + length
    rows, columns = integers(content, offset + 4, 2)
    return streams * rows * columns


def stream(recogniser, requests, answer, parameters):
    answer({"ready": {"num_params": parameters, "streaming": True}})
    current = None
    for line in requests:
        request = json.loads(line)
        if "stream" in request:
            current = request["stream"]
            recogniser.begin()
        elif "chunk" in request:
            heard = recogniser.hear(bytes.fromhex(request["chunk"]))
            if heard is not None:
                answer({"id": current, "partial": heard})
        else:
            answer({"id": current, "final": recogniser.end()})


def main():
    requests = os.fdopen(3, "r", encoding="utf-8")
    answers = os.fdopen(4, "w", encoding="utf-8")

    def answer(message):
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    hello = json.loads(requests.readline())["hello"]
    if (hello["protocol"], hello["sample_rate"], hello["channels"]) != (1, 16000, 1):
        sys.exit(f"this runtime speaks protocol 1 with mono audio at 16 kHz, not {hello}")
    set_loglevel("ERROR")
    with open(MANIFEST, encoding="utf-8") as file:
        settings = json.load(file).get("decoding", {})
    parameters = count_parameters(get_model_path("en-us/en-us"))
    if hello.get("streaming"):
        if "front_end" in settings:
            sys.exit("a front end hears whole recordings; it cannot be streamed")
        stream(Stream(settings), requests, answer, parameters)
        return
    decoder, front_end = make_decoder(settings), load_front_end(settings)
    answer({"ready": {"num_params": parameters}})
    for line in requests:
        request = json.loads(line)
        try:
            answer({"id": request["id"], "text": transcribe(decoder, front_end, request["path"])})
        except (OSError, EOFError, RuntimeError, ValueError, wave.Error) as error:
            answer({"id": request["id"], "error": str(error)})


if __name__ == "__main__":
    main()
