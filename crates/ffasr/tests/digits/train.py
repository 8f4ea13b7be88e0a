"""Train a tiny CTC model on spoken digits and write it as ONNX: `train.py RUNTIME DIGITS MODEL`.

RUNTIME is the directory of the runtime `onnx`, whose adapter gives the features; DIGITS holds `0.wav` to `9.wav`; MODEL
is the directory to write `model.onnx` and `tokens.txt` to. With numpy alone, in some seconds, always the same.

Two layers: 13 frames of 26 mel bands, 40 ms apart, to 48 units, to ten words and the blank. It is taught to say the word
in the last third of each digit and nothing elsewhere, which is where a CTC model's peaks end up; each digit is heard at
several levels, in several noises, beside others.
"""

import sys

import numpy

sys.path.insert(0, sys.argv[1])
from adapter import log_mel, mel_filters, normalized  # noqa: E402
from ffasr_runner import listen  # noqa: E402

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
BANDS, UNITS, TAPS, STEP = 26, 48, 13, 4
SEQUENCES, ROUNDS, BATCH, RATE = 60, 700, 512, 0.005
random = numpy.random.default_rng(1)
filters = mel_filters(BANDS)


def speech(samples):
    """Where in it is speech: from the first to the last 10 ms above a hundredth of the loudest's energy."""
    blocks = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    energy = (blocks**2).sum(axis=1)
    loud = numpy.flatnonzero(energy > 0.01 * energy.max())
    return 160 * loud[0], 160 * (loud[-1] + 1)


def sequence(digits):
    """A few digits in a row in noise: features and the target of each frame."""
    pieces, spans, place = [], [], 0
    for _ in range(5):
        word = random.integers(10)
        gap = int(16_000 * random.uniform(0, 0.3))
        start, end = speech(digits[word])
        spans.append((word, place + gap + start, place + gap + end))
        place += gap + len(digits[word])
        pieces += [numpy.zeros(gap), digits[word] * random.uniform(0.7, 1.4)]
    samples = numpy.concatenate(pieces)
    samples = samples + random.normal(size=len(samples)) * samples.std() * 10 ** (-random.uniform(0, 40) / 20)
    heard = normalized(log_mel(samples.astype(numpy.float32), filters))
    targets = numpy.zeros(len(heard), dtype=int)
    for word, start, end in spans:
        targets[int(start + 2 * (end - start) / 3) // 160 : end // 160] = word + 1
    return windows(heard), targets


def windows(heard):
    """For each frame the frames around it, oldest first: [frames, taps, bands]."""
    reach = TAPS // 2 * STEP
    padded = numpy.pad(heard, ((reach, reach), (0, 0)))
    return numpy.stack([padded[tap * STEP : tap * STEP + len(heard)] for tap in range(TAPS)], axis=1)


def train(inputs, targets):
    """Cross-entropy by Adam (Kingma and Ba 2015), some frames at a time."""
    inputs = inputs.reshape(len(inputs), -1).astype(numpy.float32)
    shapes = [(TAPS * BANDS, UNITS), (UNITS,), (UNITS, 11), (11,)]
    weights = [(random.normal(size=it) * (2 / it[0]) ** 0.5 if len(it) == 2 else numpy.zeros(it)).astype(numpy.float32) for it in shapes]
    first, second = [numpy.zeros_like(it) for it in weights], [numpy.zeros_like(it) for it in weights]
    rows = numpy.arange(BATCH)
    for step in range(1, ROUNDS + 1):
        chosen = random.integers(len(targets), size=BATCH)
        some = inputs[chosen]
        hidden = numpy.maximum(0, some @ weights[0] + weights[1])
        scores = hidden @ weights[2] + weights[3]
        shares = numpy.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        shares[rows, targets[chosen]] -= 1
        shares /= BATCH
        back = (shares @ weights[2].T) * (hidden > 0)
        slopes = [some.T @ back, back.sum(axis=0), hidden.T @ shares, shares.sum(axis=0)]
        for weight, mean, square, slope in zip(weights, first, second, slopes):
            mean += 0.1 * (slope - mean)
            square += 0.001 * (slope**2 - square)
            weight -= RATE * (mean / (1 - 0.9**step)) / (numpy.sqrt(square / (1 - 0.999**step)) + 1e-8)
    return weights


# ONNX is a protocol buffer (onnx.proto3, IR version 8, operator set 17); these are the few fields it takes.


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(name, values):
    dimensions = b"".join(field(1, it) for it in values.shape)
    return field(5, dimensions + field(2, 1) + field(8, name) + field(9, values.astype("<f4").tobytes()))


def node(kind, inputs, output, **attributes):
    def attribute(name, value):
        if isinstance(value, int):
            return field(1, name) + field(3, value & (1 << 64) - 1) + field(20, 2)
        return field(1, name) + b"".join(field(8, it) for it in value) + field(20, 7)

    content = b"".join(field(1, it) for it in inputs) + field(2, output) + field(4, kind)
    return field(1, content + b"".join(field(5, attribute(*it)) for it in attributes.items()))


def value(number, name, *dimensions):
    shape = b"".join(field(1, field(1, it) if isinstance(it, int) else field(2, it)) for it in dimensions)
    return field(number, field(1, name) + field(2, field(1, field(1, 1) + field(2, shape))))


def onnx(weights):
    # A convolution over time: [outputs, bands, taps].
    kernel = weights[0].reshape(TAPS, BANDS, UNITS).transpose(2, 1, 0)
    reach = TAPS // 2 * STEP
    graph = (
        node("Transpose", ["heard"], "across", perm=[0, 2, 1])
        + node("Conv", ["across", "w1", "b1"], "inner", dilations=[STEP], pads=[reach, reach])
        + node("Relu", ["inner"], "hidden")
        + node("Conv", ["hidden", "w2", "b2"], "outer")
        + node("Transpose", ["outer"], "along", perm=[0, 2, 1])
        + node("LogSoftmax", ["along"], "scores", axis=2)
        + field(2, "digits")
        + tensor("w1", kernel)
        + tensor("b1", weights[1])
        + tensor("w2", weights[2].T[:, :, None])
        + tensor("b2", weights[3])
        + value(11, "heard", 1, "frames", BANDS)
        + value(12, "scores", 1, "frames", 11)
    )
    return field(1, 8) + field(8, field(1, "") + field(2, 17)) + field(7, graph)


def main():
    digits = [listen(f"{sys.argv[2]}/{word}.wav", None) for word in range(10)]
    inputs, targets = zip(*(sequence(digits) for _ in range(SEQUENCES)))
    weights = train(numpy.concatenate(inputs), numpy.concatenate(targets))
    with open(f"{sys.argv[3]}/model.onnx", "wb") as file:
        file.write(onnx(weights))
    with open(f"{sys.argv[3]}/tokens.txt", "w", encoding="utf-8") as file:
        file.write("".join(f"{it}\n" for it in ["<blank>", *(f"▁{word}" for word in WORDS)]))


main()
