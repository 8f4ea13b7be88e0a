"""Make a tiny SpeechBrain model with random weights: `make_speechbrain.py KIND DIRECTORY WAV…`, run with the Python of the
runtime `speechbrain`.

Prints, as JSON, its number of parameters and what the library's own interface, as its users load it, hears in each file: the
texts that the adapter must give too. KIND is `ctc` (EncoderASR, letters).
"""

import json
import os
import sys
import wave

os.environ.update(HF_HUB_OFFLINE="1", HF_HOME="/tmp/hub")
import numpy  # noqa: E402
import torch  # noqa: E402
from hyperpyyaml import load_hyperpyyaml  # noqa: E402
from speechbrain.dataio.encoder import CTCTextEncoder  # noqa: E402
from speechbrain.inference.ASR import EncoderASR  # noqa: E402
from speechbrain.utils.fetching import LocalStrategy  # noqa: E402

# In the manner of the library's own recipes for wav2vec-less CTC.
HYPERPARAMETERS = """
sample_rate: 16000
n_mels: 40
units: 32
output_neurons: 29
blank_index: 0
pretrained_path: somebody/a-model-on-a-hub

compute_features: !new:speechbrain.lobes.features.Fbank
    sample_rate: !ref <sample_rate>
    n_fft: 400
    n_mels: !ref <n_mels>

normalizer: !new:speechbrain.processing.features.InputNormalization
    norm_type: sentence

network: !new:speechbrain.nnet.containers.Sequential
    input_shape: [null, null, !ref <n_mels>]
    hidden: !new:speechbrain.nnet.linear.Linear
        input_size: !ref <n_mels>
        n_neurons: !ref <units>
    activation: !new:torch.nn.LeakyReLU
    out: !new:speechbrain.nnet.linear.Linear
        input_size: !ref <units>
        n_neurons: !ref <output_neurons>
    log_softmax: !new:speechbrain.nnet.activations.Softmax
        apply_log: True

encoder: !new:speechbrain.nnet.containers.LengthsCapableSequential
    compute_features: !ref <compute_features>
    normalize: !ref <normalizer>
    network: !ref <network>

modules:
    encoder: !ref <encoder>

tokenizer: !new:speechbrain.dataio.encoder.CTCTextEncoder

decoding_function: !name:speechbrain.decoders.ctc_greedy_decode
    blank_id: !ref <blank_index>

pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
    loadables:
        model: !ref <network>
        tokenizer: !ref <tokenizer>
    paths:
        model: !ref <pretrained_path>/model.ckpt
        tokenizer: !ref <pretrained_path>/tokenizer.ckpt
"""


def read_wave(path):
    with wave.open(path, "rb") as audio:
        return numpy.frombuffer(audio.readframes(audio.getnframes()), dtype="<i2").astype(numpy.float32) / 32768


def main():
    directory, recordings = sys.argv[2], sys.argv[3:]
    torch.manual_seed(3)
    with open(f"{directory}/hyperparams.yaml", "w", encoding="utf-8") as file:
        file.write(HYPERPARAMETERS)
    network = load_hyperpyyaml(HYPERPARAMETERS)["network"]
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    torch.save(network.state_dict(), f"{directory}/model.ckpt")
    tokenizer = CTCTextEncoder()
    tokenizer.insert_blank(index=0)
    tokenizer.update_from_iterable(" abcdefghijklmnopqrstuvwxyz'", sequence_input=False)
    tokenizer.save(f"{directory}/tokenizer.ckpt")
    model = EncoderASR.from_hparams(
        source=directory,
        savedir=f"{directory}/../saved",
        overrides={"pretrained_path": directory},
        local_strategy=LocalStrategy.NO_LINK,
    )
    texts = []
    for path in recordings:
        samples = torch.from_numpy(read_wave(path).copy())[None]
        text = model.transcribe_batch(samples, torch.ones(1))[0][0]
        texts.append(text if isinstance(text, str) else "".join(text))
    print("\n" + json.dumps({"parameters": sum(it.numel() for it in network.parameters()), "texts": texts}))


main()
