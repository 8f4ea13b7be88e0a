"""A front end: the power spectrum of stationary noise is subtracted from that of each frame.

Boll, "Suppression of acoustic noise in speech using spectral subtraction", 1979, with the over-subtraction and the floor
of Berouti, Schwartz and Makhoul, "Enhancement of speech corrupted by acoustic noise", 1979. The noise is taken from the
quietest tenth of the frames.
"""

import numpy

FRAME, HOP = 512, 256
OVER_SUBTRACTION, FLOOR = 2.0, 0.05


def enhance(samples, rate):
    padded = numpy.pad(samples, (FRAME, FRAME + -len(samples) % HOP))
    # Root-Hann windows for analysis and synthesis: their products add up to one at half overlap.
    window = numpy.sqrt(numpy.hanning(FRAME + 1)[:-1])
    frames = numpy.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP] * window
    spectra = numpy.fft.rfft(frames)
    power = numpy.abs(spectra) ** 2
    # Frames of digital silence, the padding among them, say nothing about the noise.
    energy = power.sum(axis=1)
    heard = numpy.flatnonzero(energy > 0)
    if len(heard) == 0:
        return samples
    quietest = heard[numpy.argsort(energy[heard])][: max(1, len(heard) // 10)]
    noise = power[quietest].mean(axis=0)
    gain = numpy.sqrt(numpy.maximum(1 - OVER_SUBTRACTION * noise / numpy.maximum(power, 1e-20), FLOOR))
    cleaned = numpy.fft.irfft(spectra * gain, FRAME) * window
    out = numpy.zeros(len(padded))
    for index, frame in enumerate(cleaned):
        out[index * HOP : index * HOP + FRAME] += frame
    return out[FRAME : FRAME + len(samples)]
