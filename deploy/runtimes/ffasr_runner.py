"""What the adapters share: the runner protocol, version 1 (requests on descriptor 3, answers on 4, a JSON line each), how
a recording is read, and front ends. `install` puts it beside each adapter."""

import importlib.util
import json
import os
import sys
import traceback
import wave

import numpy

MANIFEST = "/ffasr.json"
MODEL = "/model"
RATE = 16_000


def model_file(name):
    """Where the uploaded file of this name is."""
    return os.path.join(MODEL, os.path.basename(name))


def read_wave(path):
    """16-bit samples of a recording."""
    with wave.open(path, "rb") as audio:
        shape = (audio.getnchannels(), audio.getsampwidth(), audio.getframerate())
        if shape != (1, 2, RATE):
            raise ValueError(f"expected 16-bit mono audio at 16 kHz, got (channels, bytes, Hz) = {shape}")
        return numpy.frombuffer(audio.readframes(audio.getnframes()), dtype="<i2")


def load_front_end(settings):
    """`enhance(samples, rate)` of the file that the setting names: float samples in, float samples out."""
    if "front_end" not in settings:
        return None
    specification = importlib.util.spec_from_file_location("front_end", model_file(settings["front_end"]))
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.enhance


def listen(path, front_end):
    """Samples from -1 to 1 as 32-bit floats, through the front end where there is one."""
    samples = read_wave(path).astype(numpy.float32) / 32768
    return numpy.asarray(front_end(samples, RATE), dtype=numpy.float32) if front_end else samples


def hello_and_settings(requests, multichannel):
    hello = json.loads(requests.readline())["hello"]
    if (hello["protocol"], hello["sample_rate"]) != (1, RATE) or (hello["channels"] != 1 and not multichannel):
        channels = "audio" if multichannel else "mono audio"
        sys.exit(f"this runtime speaks protocol 1 with {channels} at 16 kHz, not {hello}")
    with open(MANIFEST, encoding="utf-8") as file:
        return hello, json.load(file).get("decoding", {})


def stream(recogniser, requests, answer):
    """Pieces as they come: `begin()`, then `hear(bytes)`, which tells what is heard so far if that has changed, then `end()`."""
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


def outcome(said):
    return {"text": said} if isinstance(said, str) else {"segments": said}


def serve(load, load_stream=None, hear=listen, multichannel=False):
    """Answer requests until there are no more.

    `load(settings)` gives a recogniser with `parameters` (their number, or None) and `transcribe(recordings)`, which takes
    a list of float samples and gives a list of texts (or, where several talk, of lists of segments); with `max_batch` above 1 it is asked for so many at once, too.
    `load_stream(settings)`, where there is one, gives a recogniser with `parameters` for `stream`. `hear(path, front_end)`
    is what becomes of a recording before; with `multichannel` it may have more than one channel.
    """
    requests = os.fdopen(3, "r", encoding="utf-8")
    answers = os.fdopen(4, "w", encoding="utf-8")

    def answer(message):
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    hello, settings = hello_and_settings(requests, multichannel)
    if hello.get("streaming") and load_stream:
        if "front_end" in settings:
            sys.exit("a front end hears whole recordings; it cannot be streamed")
        recogniser = load_stream(settings)
        answer({"ready": {"num_params": recogniser.parameters, "streaming": True}})
        stream(recogniser, requests, answer)
        return
    front_end, recogniser = load_front_end(settings), load(settings)
    most = getattr(recogniser, "max_batch", 1)
    answer({"ready": {"num_params": recogniser.parameters} | ({"max_batch": most} if most > 1 else {})})
    for line in requests:
        request = json.loads(line)
        items = request.get("batch", [request])
        try:
            said = recogniser.transcribe([hear(it["path"], front_end) for it in items])
            told = [{"id": it["id"]} | outcome(said) for it, said in zip(items, said, strict=True)]
        except Exception as error:
            # PyTorch's own; after it nothing that follows would be a fair measurement.
            if type(error).__name__ == "OutOfMemoryError":
                raise
            # One file that cannot be transcribed is not the end; the whole story is in the log.
            traceback.print_exc()
            told = [{"id": it["id"], "error": f"{type(error).__name__}: {error}"} for it in items]
        answer({"batch": told} if "batch" in request else told[0])
