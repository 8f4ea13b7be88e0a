"""An array model: the microphones are aligned by what they hear and added up, and PocketSphinx hears the sum. Its
`ffasr.toml` says `multichannel = true` and `tracks = ["array"]`; `plain.py` is uploaded beside it, and the setting
`evaluator` says which of the two is the evaluator. Runs on `evaluator-pocketsphinx`.

The delays are those of the phase transform (Knapp and Carter, IEEE Trans. ASSP 24, 1976): nobody says where the array's
microphones are. One channel is taken as it is, and of two the first: the second is the far end of an echo."""

import tempfile
import wave
from pathlib import Path

import numpy
import plain

# Sound crosses an array of 0.4 m in so much time.
MOST_SECONDS = 0.4 / 343.0
# Delays are found to this part of a sample.
FINER = 8


def delays(spectra: numpy.ndarray, length: int, rate: int) -> numpy.ndarray:
    """By how many samples each channel is behind the first."""
    cross = spectra * spectra[0].conj()
    cross /= numpy.maximum(abs(cross), 1e-9)
    correlation = numpy.fft.irfft(cross, FINER * length, axis=1)
    most = int(FINER * MOST_SECONDS * rate)
    lags = numpy.arange(-most, most + 1)
    return lags[correlation[:, lags].argmax(axis=1)] / FINER


def sum_of(channels: numpy.ndarray, rate: int) -> numpy.ndarray:
    length = 2 * channels.shape[1]
    spectra = numpy.fft.rfft(channels, length, axis=1)
    turns = numpy.fft.rfftfreq(length)[None, :] * delays(spectra, length, rate)[:, None]
    aligned = spectra * numpy.exp(2j * numpy.pi * turns)
    return numpy.fft.irfft(aligned.mean(axis=0), length)[: channels.shape[1]]


def read(file: Path) -> tuple[numpy.ndarray, int]:
    """Channels by samples, and the rate. More than two channels come as WAVE_FORMAT_EXTENSIBLE, which Python's `wave`
    reads from 3.12 on."""
    content, at, count, rate = file.read_bytes(), 12, 0, 0
    while at + 8 <= len(content):
        name, size = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        body = content[at + 8 : at + 8 + size]
        if name == b"fmt ":
            count, rate = int.from_bytes(body[2:4], "little"), int.from_bytes(body[4:8], "little")
        elif name == b"data":
            return numpy.frombuffer(body, "<i2").reshape(-1, count).T.astype(float), rate
        at += 8 + size + size % 2
    raise ValueError("no samples")


def evaluate(file: Path) -> str:
    channels, rate = read(file)
    count = len(channels)
    heard = sum_of(channels, rate) if count > 2 else channels[0]
    with tempfile.NamedTemporaryFile(suffix=".wav") as one:
        with wave.open(one, "wb") as audio:
            audio.setparams((1, 2, rate, 0, "NONE", ""))
            audio.writeframes(heard.clip(-32768, 32767).round().astype("<i2").tobytes())
        return plain.evaluate(Path(one.name))
