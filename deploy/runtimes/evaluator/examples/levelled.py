"""A front end and a recogniser as one model: the level is brought up before PocketSphinx hears it. What it does beyond
that is `plain.py`, which is uploaded beside it; the setting `evaluator` says which of the two is the evaluator. Runs on
`evaluator-pocketsphinx`."""

import array
import tempfile
import wave
from pathlib import Path

import plain

# A peak of half of full scale.
PEAK = 16_384


def evaluate(file: Path) -> str:
    with wave.open(str(file), "rb") as audio:
        shape, samples = audio.getparams(), array.array("h", audio.readframes(audio.getnframes()))
    gain = PEAK / max(1, max(map(abs, samples), default=0))
    louder = array.array("h", (round(gain * sample) for sample in samples))
    with tempfile.NamedTemporaryFile(suffix=".wav") as levelled:
        with wave.open(levelled, "wb") as audio:
            audio.setparams(shape)
            audio.writeframes(louder.tobytes())
        return plain.evaluate(Path(levelled.name))
