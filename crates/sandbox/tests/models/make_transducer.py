"""Make a tiny transducer with random weights and export it as icefall does: `make_transducer.py KIND DIRECTORY WAV…`, run
with the Python of the runtime `transformers`, and with the package `onnx` on the path.

Prints, as JSON, its number of parameters and what it hears in each file in PyTorch, with torchaudio's Kaldi features and the
greedy search of icefall (`beam_search.py`, `greedy_search`, one symbol a frame): the texts that the adapter must give too.
Names of files, inputs, outputs and metadata are those of icefall's `export-onnx.py` of a stateless transducer.
"""

import json
import sys
import wave

import numpy
import onnx
import torch
from torchaudio.compliance import kaldi

TOKENS = ["<blk>", "<unk>", *(f"▁{it}" for it in "abcdefghijklm"), *"nopqrstuvwxyz"]
UNITS, CONTEXT = 24, 2


class Encoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution = torch.nn.Conv1d(80, UNITS, 7, stride=4)

    def forward(self, x, x_lens):
        return torch.tanh(self.convolution(x.transpose(1, 2)).transpose(1, 2)), (x_lens - 7) // 4 + 1


class Decoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(len(TOKENS), UNITS)
        self.convolution = torch.nn.Conv1d(UNITS, UNITS, CONTEXT)

    def forward(self, y):
        # Before the first token there is -1, which says nothing.
        embedded = self.embedding(y.clamp(min=0)) * (y >= 0).unsqueeze(-1)
        return torch.relu(self.convolution(embedded.transpose(1, 2)).transpose(1, 2)).squeeze(1)


class Joiner(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.out = torch.nn.Linear(UNITS, len(TOKENS))

    def forward(self, encoder_out, decoder_out):
        return self.out(torch.tanh(encoder_out + decoder_out))


def read_wave(path):
    with wave.open(path, "rb") as audio:
        return numpy.frombuffer(audio.readframes(audio.getnframes()), dtype="<i2").astype(numpy.float32) / 32768


def features(samples):
    return kaldi.fbank(
        torch.from_numpy(samples.copy())[None], sample_frequency=16_000, num_mel_bins=80, high_freq=-400, dither=0, snip_edges=False
    )


def greedy(encoder, decoder, joiner, heard):
    encoded, length = encoder(heard[None], torch.tensor([len(heard)]))
    said = [-1] * (CONTEXT - 1) + [0]
    for frame in encoded[0, : int(length)]:
        best = int(joiner(frame[None], decoder(torch.tensor([said[-CONTEXT:]]))).argmax())
        if best > 1:
            said.append(best)
    return "".join(TOKENS[it] for it in said[CONTEXT:]).replace("▁", " ").strip()


def main():
    directory, recordings = sys.argv[2], sys.argv[3:]
    torch.manual_seed(5)
    networks = encoder, decoder, joiner = Encoder().eval(), Decoder().eval(), Joiner().eval()
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    for parameter in joiner.parameters():
        torch.nn.init.normal_(parameter, std=0.6)
    joiner.out.bias.data[0] = 2
    exported = {
        "encoder": ((torch.zeros(1, 100, 80), torch.tensor([100])), ["x", "x_lens"], ["encoder_out", "encoder_out_lens"], {"x": {0: "N", 1: "T"}, "x_lens": {0: "N"}, "encoder_out": {0: "N", 1: "T"}, "encoder_out_lens": {0: "N"}}),
        "decoder": ((torch.zeros(1, CONTEXT, dtype=torch.int64),), ["y"], ["decoder_out"], {"y": {0: "N"}, "decoder_out": {0: "N"}}),
        "joiner": ((torch.zeros(1, UNITS), torch.zeros(1, UNITS)), ["encoder_out", "decoder_out"], ["logit"], {"encoder_out": {0: "N"}, "decoder_out": {0: "N"}, "logit": {0: "N"}}),
    }
    for (name, (given, inputs, outputs, axes)), network in zip(exported.items(), networks):
        path = f"{directory}/{name}.onnx"
        torch.onnx.export(network, given, path, input_names=inputs, output_names=outputs, dynamic_axes=axes, dynamo=False, opset_version=17)
        model = onnx.load(path)
        if name == "decoder":
            model.metadata_props.add(key="context_size", value=str(CONTEXT))
        onnx.save(model, path)
    with open(f"{directory}/tokens.txt", "w", encoding="utf-8") as file:
        file.writelines(f"{token} {index}\n" for index, token in enumerate(TOKENS))
    with torch.inference_mode():
        texts = [greedy(*networks, features(read_wave(it))) for it in recordings]
    parameters = sum(it.numel() for network in networks for it in network.parameters())
    print(json.dumps({"parameters": parameters, "texts": texts}))


main()
