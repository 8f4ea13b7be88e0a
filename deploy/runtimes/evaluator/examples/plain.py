"""PocketSphinx as it comes. Runs on `evaluator-pocketsphinx`."""

import wave
from pathlib import Path

from pocketsphinx import Decoder

decoder = Decoder(cmn="batch", loglevel="ERROR")


def evaluate(file: Path) -> str:
    with wave.open(str(file), "rb") as audio:
        samples = audio.readframes(audio.getnframes())
    decoder.start_stream()
    decoder.start_utt()
    decoder.process_raw(samples, full_utt=True)
    decoder.end_utt()
    hypothesis = decoder.hyp()
    return hypothesis.hypstr if hypothesis else ""
