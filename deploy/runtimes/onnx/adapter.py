"""ONNX Runtime behind the runner protocol: CTC models, transducers, and Whisper as Optimum exports it.

What a model hears and how its output is read is in `runtime.toml`. Decoding is greedy throughout. An answer depends on
its own utterance alone.
"""

import json
import math
import os
import re
import sys

import numpy
import onnxruntime

# The sandbox starts this file in Python's isolated mode, which does not look beside it.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from ffasr_runner import MODEL, RATE, model_file, serve  # noqa: E402

WINDOW, HOP, TRANSFORM = 400, 160, 512
# Symbols that a transducer may say in one frame (icefall's greedy search).
MOST_SYMBOLS_A_FRAME = 1


# --- Features ---


def frames_of(samples, window=WINDOW):
    return numpy.lib.stride_tricks.sliding_window_view(samples, window)[::HOP]


def normalized(values):
    return (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-5)


def triangles(edges, points):
    """Triangles of height 1 over `points`, each from an edge over the next to the one after: [points, bands]."""
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rising = (points[:, None] - low) / (middle - low)
    falling = (high - points[:, None]) / (high - middle)
    return numpy.maximum(0, numpy.minimum(rising, falling)).astype(numpy.float32)


def mel(frequency):
    """O'Shaughnessy 1987."""
    return 1127 * numpy.log1p(numpy.asarray(frequency) / 700)


def mel_filters(bands):
    """Triangles evenly spaced in mel, straight in frequency, from 0 to 8 kHz: [bins, bands]."""
    edges = 700 * numpy.expm1(numpy.linspace(0, mel(RATE / 2), bands + 2) / 1127)
    return triangles(edges, numpy.arange(TRANSFORM // 2 + 1) * RATE / TRANSFORM)


def log_mel(samples, filters):
    """[frames, bands]; one frame at least."""
    samples = numpy.pad(samples, (0, max(0, WINDOW - len(samples))))
    power = numpy.abs(numpy.fft.rfft(frames_of(samples) * numpy.hanning(WINDOW), TRANSFORM)) ** 2
    return numpy.log(numpy.maximum(power.astype(numpy.float32) @ filters, 1e-10))


def kaldi_filters(bands):
    """Kaldi's: triangles straight in mel, from 20 Hz to 7.6 kHz: [bins, bands]."""
    edges = numpy.linspace(mel(20), mel(RATE / 2 - 400), bands + 2)
    return triangles(edges, mel(numpy.arange(TRANSFORM // 2 + 1) * RATE / TRANSFORM))


def kaldi_log_mel(samples, filters):
    """Kaldi's `fbank` as icefall sets it: frames centred on every 10 ms of audio that is mirrored at its ends, mean taken out
    of each, pre-emphasis 0.97, Povey's window, no dither: [frames, bands]."""
    number = max(1, (len(samples) + HOP // 2) // HOP)
    before = WINDOW // 2 - HOP // 2
    after = max(0, (number - 1) * HOP + WINDOW - before - len(samples))
    frames = frames_of(numpy.pad(samples, (before, after), mode="symmetric"))[:number]
    frames = frames - frames.mean(axis=1, keepdims=True)
    frames = frames - 0.97 * numpy.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    power = numpy.abs(numpy.fft.rfft(frames * numpy.hanning(WINDOW) ** 0.85, TRANSFORM)) ** 2
    return numpy.log(numpy.maximum(power.astype(numpy.float32) @ filters, numpy.finfo(numpy.float32).eps))


def slaney_filters(bands):
    """Slaney's Auditory Toolbox (1998): straight to 1 kHz, logarithmic above, each triangle of one area: [201, bands]."""
    step, corner, ratio = 200 / 3, 1000.0, math.log(6.4) / 27
    highest = corner / step + math.log(RATE / 2 / corner) / ratio
    marks = numpy.linspace(0, highest, bands + 2)
    above = corner * numpy.exp(ratio * (marks - corner / step))
    edges = numpy.where(marks < corner / step, step * marks, above)
    return triangles(edges, numpy.arange(WINDOW // 2 + 1) * RATE / WINDOW) * (2 / (edges[2:] - edges[:-2])).astype(numpy.float32)


def whisper_log_mel(samples, filters):
    """Whisper's, of exactly 30 s (openai/whisper, audio.py): [bands, 3000]."""
    samples = numpy.pad(samples[: 30 * RATE], (0, max(0, 30 * RATE - len(samples))))
    samples = numpy.pad(samples, WINDOW // 2, mode="reflect")
    # A periodic window: the last of one point more is left out.
    spectra = numpy.fft.rfft(frames_of(samples) * numpy.hanning(WINDOW + 1)[:-1])
    power = (numpy.abs(spectra[:-1]) ** 2).astype(numpy.float32) @ filters
    levels = numpy.log10(numpy.maximum(power, 1e-10))
    return ((numpy.maximum(levels, levels.max() - 8) + 4) / 4).T.astype(numpy.float32)


class Ears:
    """What a model hears of a recording: [frames, bands], or [samples]."""

    def __init__(self, settings, kind):
        self.kind = settings.get("input", kind)
        bands = settings.get("bands", 80)
        self.filters = {"log-mel": mel_filters, "kaldi-log-mel": kaldi_filters}.get(self.kind, lambda _: None)(bands)
        self.normalize = settings.get("normalize", self.kind != "kaldi-log-mel")

    def __call__(self, samples):
        if self.kind == "log-mel":
            samples = log_mel(samples, self.filters)
        elif self.kind == "kaldi-log-mel":
            samples = kaldi_log_mel(samples, self.filters)
        return (normalized(samples) if self.normalize else samples).astype(numpy.float32)


# --- Tokens ---


def read_tokens(path):
    """One a line; in icefall's files each with its number behind."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    parts = [line.rsplit(" ", 1) for line in lines]
    numbered = all(len(it) == 2 and it[1].isdecimal() for it in parts)
    if not numbered:
        return lines
    tokens = [""] * (1 + max(int(number) for _, number in parts))
    for token, number in parts:
        tokens[int(number)] = token
    return tokens


def spell(kept, tokens):
    """Text of these tokens: special ones are never said; the marks of word ends are spaces."""
    text = "".join(tokens[index] for index in kept)
    return " ".join(re.sub(r"<[^<>]*>", "", text).replace("|", " ").replace("▁", " ").split())


def byte_of_character():
    """GPT-2's alphabet: printable bytes stand for themselves, the others for characters from 256 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [it for it in range(256) if it not in printable]
    return {chr(it): it for it in printable} | {chr(256 + index): it for index, it in enumerate(others)}


# --- Models ---


class Network:
    """One ONNX file. Inputs are given in the order in which it declares them, each as the type it declares."""

    TYPES = {"tensor(float)": numpy.float32, "tensor(int64)": numpy.int64, "tensor(int32)": numpy.int32, "tensor(bool)": numpy.bool_}

    def __init__(self, name):
        path = model_file(name)
        self.parameters = count_parameters(path)
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.inputs = self.session.get_inputs()

    def __call__(self, *given):
        fed = {it.name: numpy.asarray(value, dtype=self.TYPES[it.type]) for it, value in zip(self.inputs, given)}
        return self.session.run(None, fed)

    def metadata(self):
        return self.session.get_modelmeta().custom_metadata_map


class Ctc:
    def __init__(self, settings):
        self.network = Network(settings.get("model", "model.onnx"))
        if len(self.network.inputs) > 2:
            names = [it.name for it in self.network.inputs]
            sys.exit(f"a CTC model has one input, or two with the length; this one has {names}")
        self.tokens = read_tokens(model_file(settings.get("tokens", "tokens.txt")))
        self.blank = settings.get("blank", 0)
        self.ears = Ears(settings, "log-mel")
        self.parameters = self.network.parameters

    def text(self, samples):
        heard = self.ears(samples)
        scores = self.network(heard[None], [len(heard)])[0][0]
        if scores.shape[-1] != len(self.tokens):
            raise ValueError(f"the model scores {scores.shape[-1]} tokens, but {len(self.tokens)} are listed")
        best = scores.argmax(axis=-1).tolist()
        kept = [it for before, it in zip([None, *best], best) if it != before and it != self.blank]
        return spell(kept, self.tokens)


class Transducer:
    """Encoder, stateless decoder and joiner, as icefall exports them for sherpa-onnx."""

    def __init__(self, settings):
        names = [settings.get(it, f"{it}.onnx") for it in ("encoder", "decoder", "joiner")]
        self.encoder, self.decoder, self.joiner = (Network(it) for it in names)
        self.parameters = sum(it.parameters for it in (self.encoder, self.decoder, self.joiner))
        self.context = int(self.decoder.metadata().get("context_size", 2))
        self.tokens = read_tokens(model_file(settings.get("tokens", "tokens.txt")))
        self.blank = settings.get("blank", 0)
        # Said by nobody, like the blank.
        self.unsaid = {self.blank} | {index for index, token in enumerate(self.tokens) if token == "<unk>"}
        self.ears = Ears(settings, "kaldi-log-mel")

    def text(self, samples):
        heard = self.ears(samples)
        encoded, lengths = self.encoder(heard[None], [len(heard)])[:2]
        said = [-1] * (self.context - 1) + [self.blank]
        decoded = self.decoder([said])[0]
        for frame in encoded[0][: int(lengths[0])]:
            for _ in range(MOST_SYMBOLS_A_FRAME):
                best = int(self.joiner(frame[None], decoded.reshape(1, -1))[0].reshape(-1).argmax())
                if best in self.unsaid:
                    break
                said.append(best)
                decoded = self.decoder([said[-self.context :]])[0]
        return spell(said[self.context :], self.tokens)


class Whisper:
    """Encoder and decoder without a cache, as Optimum exports them, with the JSON files of the repository. What is longer
    than 30 s is heard in windows of 30 s, one after the other."""

    def __init__(self, settings):
        self.encoder = Network(settings.get("encoder", "encoder_model.onnx"))
        self.decoder = Network(settings.get("decoder", "decoder_model.onnx"))
        # Exporters write tied weights twice, so their number cannot be told from the files; the manifest may say it.
        self.parameters = None
        self.vocabulary = {number: token for token, number in self.json("vocab.json").items()}
        self.bytes = byte_of_character()
        config = self.json("config.json") | self.json("generation_config.json")
        self.filters = slaney_filters(config.get("num_mel_bins", 80))
        self.end, self.prompt = config["eos_token_id"], self.opening(config)
        room = config.get("max_target_positions", 448)
        self.most = min(settings.get("max_new_tokens", config.get("max_new_tokens") or room), room - len(self.prompt))
        self.never, self.not_first = config.get("suppress_tokens") or [], config.get("begin_suppress_tokens") or []
        self.first_stamp = config["no_timestamps_token_id"] + 1

    @staticmethod
    def json(name):
        with open(os.path.join(MODEL, name), encoding="utf-8") as file:
            return json.load(file)

    @staticmethod
    def opening(config):
        """English, transcribed, without time stamps."""
        prompt = [config["decoder_start_token_id"]]
        if config.get("is_multilingual"):
            prompt += [config["lang_to_id"]["<|en|>"], config["task_to_id"]["transcribe"]]
        return [*prompt, config["no_timestamps_token_id"]]

    def text(self, samples):
        windows = range(0, max(1, len(samples)), 30 * RATE)
        texts = [self.window(samples[start : start + 30 * RATE]) for start in windows]
        return " ".join(" ".join(texts).split())

    def window(self, samples):
        encoded = self.encoder(whisper_log_mel(samples, self.filters)[None])[0]
        said = list(self.prompt)
        while len(said) - len(self.prompt) < self.most:
            scores = self.scores(said, encoded)
            scores[self.never] = scores[self.first_stamp :] = -numpy.inf
            if len(said) == len(self.prompt):
                scores[self.not_first] = -numpy.inf
            best = int(scores.argmax())
            if best == self.end:
                break
            said.append(best)
        letters = "".join(self.vocabulary.get(it, "") for it in said[len(self.prompt) :])
        return bytes(self.bytes[it] for it in letters if it in self.bytes).decode("utf-8", "replace")

    def scores(self, said, encoded):
        given = {"input_ids": [said], "encoder_hidden_states": encoded}
        ordered = [given[it.name] for it in self.decoder.inputs]
        return self.decoder(*ordered)[0][0, -1].astype(numpy.float64)


KINDS = {"ctc": Ctc, "transducer": Transducer, "whisper": Whisper}


class Recogniser:
    def __init__(self, settings):
        self.model = KINDS[settings.get("kind", "ctc")](settings)
        self.parameters = self.model.parameters

    def transcribe(self, recordings):
        return [self.model.text(it) for it in recordings]


# --- Parameters ---


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


if __name__ == "__main__":
    serve(Recogniser)
