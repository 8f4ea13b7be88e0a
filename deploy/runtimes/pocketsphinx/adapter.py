"""PocketSphinx behind the runner protocol.

The decoder is the one of PyPI's `pocketsphinx` with the US English models inside that package. Decoding settings
come from the model's manifest under the decoder's own names; a setting that names a file names one in /model.

Nothing is carried from one utterance to the next: cepstral means are taken over each whole utterance (`cmn=batch`)
and the noise tracker starts anew, so a transcript does not depend on what was heard before.
"""

import os
import struct
import sys

import numpy
from pocketsphinx import Decoder, get_model_path, set_loglevel

# The sandbox starts this file in Python's isolated mode, which does not look beside it.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from ffasr_runner import model_file, serve  # noqa: E402

FILE_SETTINGS = ("lm", "dict")
# The adapter's own; all others are the decoder's.
ADAPTER_SETTINGS = ("front_end", "streaming")


def make_decoder(settings, means="batch"):
    settings = {name: value for name, value in settings.items() if name not in ADAPTER_SETTINGS}
    for name in FILE_SETTINGS:
        if name in settings:
            settings[name] = model_file(settings[name])
    return Decoder(**{**settings, "cmn": means})


class Recogniser:
    def __init__(self, settings):
        self.decoder = make_decoder(settings)
        self.parameters = count_parameters(get_model_path("en-us/en-us"))

    def transcribe(self, recordings):
        return [self.text(it) for it in recordings]

    def text(self, heard):
        samples = numpy.clip(numpy.rint(32768 * heard), -32768, 32767).astype("<i2").tobytes()
        self.decoder.start_stream()
        self.decoder.start_utt()
        self.decoder.process_raw(samples, full_utt=True)
        self.decoder.end_utt()
        hypothesis = self.decoder.hyp()
        return hypothesis.hypstr if hypothesis else ""


class Stream:
    """Decodes in pieces. Means over the whole utterance cannot be known yet: they start from the model's own and follow
    the audio, anew for each utterance. A front end wants whole recordings, so it has no part here."""

    def __init__(self, settings):
        self.decoder = make_decoder(settings, "live")
        self.means = self.decoder.get_cmn(False)
        self.told = ""
        self.parameters = count_parameters(get_model_path("en-us/en-us"))

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


if __name__ == "__main__":
    set_loglevel("ERROR")
    serve(Recogniser, Stream)
