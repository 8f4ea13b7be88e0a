"""CTC models in ONNX behind the runner protocol, version 1: requests on descriptor 3, answers on 4, a JSON line each.

What the model hears and how its output is read is in `runtime.toml`. Decoding is greedy: the best token of each frame,
repeats and blanks left out. An answer depends on its own utterance alone.
"""

import importlib.util
import json
import math
import os
import re
import sys
import wave

import numpy
import onnxruntime

MANIFEST = "/ffasr.json"
MODEL = "/model"
RATE = 16_000
WINDOW, HOP, TRANSFORM = 400, 160, 512


def read_wave(path):
    with wave.open(path, "rb") as audio:
        shape = (audio.getnchannels(), audio.getsampwidth(), audio.getframerate())
        if shape != (1, 2, RATE):
            raise ValueError(f"expected 16-bit mono audio at 16 kHz, got (channels, bytes, Hz) = {shape}")
        samples = numpy.frombuffer(audio.readframes(audio.getnframes()), dtype="<i2")
    return samples.astype(numpy.float32) / 32768


def mel_filters(bands):
    """Triangles of height 1, evenly spaced on m = 1127 ln(1 + f / 700 Hz) (O'Shaughnessy 1987): [bins, bands]."""
    top = 1127 * math.log(1 + RATE / 2 / 700)
    edges = 700 * (numpy.exp(numpy.linspace(0, top, bands + 2) / 1127) - 1)
    frequencies = numpy.arange(TRANSFORM // 2 + 1)[:, None] * RATE / TRANSFORM
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rising = (frequencies - low) / (middle - low)
    falling = (high - frequencies) / (high - middle)
    return numpy.maximum(0, numpy.minimum(rising, falling)).astype(numpy.float32)


def normalized(values):
    return (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-5)


def log_mel(samples, filters):
    """[frames, bands]; one frame at least."""
    samples = numpy.pad(samples, (0, max(0, WINDOW - len(samples))))
    frames = numpy.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    power = numpy.abs(numpy.fft.rfft(frames * numpy.hanning(WINDOW), TRANSFORM)) ** 2
    return numpy.log(numpy.maximum(power.astype(numpy.float32) @ filters, 1e-10))


def spell(indices, tokens, blank):
    """Text of the best token of each frame."""
    kept = [index for previous, index in zip([None, *indices], indices) if index != previous and index != blank]
    text = "".join(tokens[index] for index in kept)
    # Special tokens are never said; the marks of word ends are spaces.
    return " ".join(re.sub(r"<[^<>]*>", "", text).replace("|", " ").replace("▁", " ").split())


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
        def path(name, default):
            return os.path.join(MODEL, os.path.basename(settings.get(name, default)))

        self.model = path("model", "model.onnx")
        with open(path("tokens", "tokens.txt"), encoding="utf-8") as file:
            self.tokens = file.read().splitlines()
        self.front_end = load_front_end(settings)
        self.blank = settings.get("blank", 0)
        self.normalize = settings.get("normalize", True)
        self.filters = mel_filters(settings.get("bands", 80)) if settings.get("input", "log-mel") == "log-mel" else None
        self.session = onnxruntime.InferenceSession(self.model, providers=["CPUExecutionProvider"])
        self.inputs = [it.name for it in self.session.get_inputs()]
        if len(self.inputs) > 2:
            sys.exit(f"a CTC model has one input, or two with the length; this one has {self.inputs}")

    def transcribe(self, path):
        heard = read_wave(path)
        if self.front_end:
            heard = numpy.asarray(self.front_end(heard, RATE), dtype=numpy.float32)
        if self.filters is not None:
            heard = log_mel(heard, self.filters)
        if self.normalize:
            heard = normalized(heard)
        given = [heard[None].astype(numpy.float32), numpy.array([len(heard)], dtype=numpy.int64)]
        scores = self.session.run(None, dict(zip(self.inputs, given)))[0][0]
        if scores.shape[-1] != len(self.tokens):
            raise ValueError(f"the model scores {scores.shape[-1]} tokens, but {len(self.tokens)} are listed")
        return spell(scores.argmax(axis=-1).tolist(), self.tokens, self.blank)


def fields(message):
    """Fields of a protocol buffer: (number, value), where a nested message is bytes."""

    def varint(place):
        value, shift = 0, 0
        while True:
            byte = message[place]
            value |= (byte & 127) << shift
            place, shift = place + 1, shift + 7
            if byte < 128:
                return value, place

    place = 0
    while place < len(message):
        key, place = varint(place)
        kind = key & 7
        if kind == 0:
            value, place = varint(place)
        else:
            length, place = (8, place) if kind == 1 else (4, place) if kind == 5 else varint(place)
            value, place = message[place : place + length], place + length
        yield key >> 3, value


def count_parameters(path):
    """Numbers in the model's initialisers (`ModelProto.graph.initializer.dims`)."""

    def dimensions(tensor):
        for number, value in fields(tensor):
            if number == 1 and isinstance(value, int):
                yield value
            elif number == 1:
                # Packed, as proto3 writes them: one more key in front of each makes them fields again.
                start = 0
                for end, byte in enumerate(value, 1):
                    if byte < 128:
                        yield from (it for _, it in fields(b"\x08" + bytes(value[start:end])))
                        start = end

    with open(path, "rb") as file:
        model = memoryview(file.read())
    graphs = (value for number, value in fields(model) if number == 7)
    tensors = (value for graph in graphs for number, value in fields(graph) if number == 5)
    return sum(math.prod(dimensions(tensor)) for tensor in tensors)


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
    answer({"ready": {"num_params": count_parameters(recogniser.model)}})
    for line in requests:
        request = json.loads(line)
        try:
            answer({"id": request["id"], "text": recogniser.transcribe(request["path"])})
        except (OSError, EOFError, RuntimeError, ValueError, wave.Error) as error:
            answer({"id": request["id"], "error": str(error)})


if __name__ == "__main__":
    main()
