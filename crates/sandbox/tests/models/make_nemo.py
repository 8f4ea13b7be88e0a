"""Make a tiny NeMo model with random weights: `make_nemo.py KIND DIRECTORY WAV…`, run with the Python of the runtime `nemo`.

Prints, as JSON, its number of parameters and what the library itself hears in each file: the texts that the adapter must
give too. KIND is `ctc` or `transducer`. `DIRECTORY/model.nemo` is written by the library, `DIRECTORY/../foreign.nemo` is the
same with a configuration that names a class from elsewhere, `DIRECTORY/../pickled.nemo` with weights that are more than
tensors.
"""

import io
import json
import os
import pathlib
import sys
import tarfile
import wave

os.environ.update(HF_HUB_OFFLINE="1", HF_HOME="/tmp/hub")

import numpy  # noqa: E402
import torch  # noqa: E402
from nemo.collections.asr.models import EncDecCTCModel, EncDecRNNTModel  # noqa: E402
from nemo.utils import logging  # noqa: E402
from omegaconf import OmegaConf  # noqa: E402

LETTERS = [" ", *"abcdefghijklmnopqrstuvwxyz'"]
UNITS = 32
MODULES = "nemo.collections.asr.modules"

EARS = {
    "sample_rate": 16_000,
    "preprocessor": {
        "_target_": f"{MODULES}.AudioToMelSpectrogramPreprocessor", "sample_rate": 16_000, "normalize": "per_feature",
        "window_size": 0.025, "window_stride": 0.01, "window": "hann", "features": 64, "n_fft": 512, "dither": 0.0,
    },
    "encoder": {
        "_target_": f"{MODULES}.ConvASREncoder", "feat_in": 64, "activation": "relu", "conv_mask": True,
        "jasper": [
            {
                "filters": UNITS, "repeat": 1, "kernel": [11], "stride": [4], "dilation": [1], "dropout": 0.0,
                "residual": False, "separable": True, "se": False,
            }
        ],
    },
    # What it would be trained with names other classes, as real archives do.
    "optim": {"name": "novograd", "sched": {"_target_": "torch.optim.lr_scheduler.ConstantLR"}},
}
CTC = EARS | {
    "decoder": {
        "_target_": f"{MODULES}.ConvASRDecoder", "feat_in": UNITS, "num_classes": len(LETTERS), "vocabulary": LETTERS,
    },
}
TRANSDUCER = EARS | {
    "labels": LETTERS,
    "model_defaults": {"enc_hidden": UNITS, "pred_hidden": UNITS, "joint_hidden": UNITS},
    "decoder": {
        "_target_": f"{MODULES}.RNNTDecoder", "normalization_mode": None, "random_state_sampling": False,
        "blank_as_pad": True, "vocab_size": len(LETTERS), "prednet": {"pred_hidden": UNITS, "pred_rnn_layers": 1, "dropout": 0.0},
    },
    "joint": {
        "_target_": f"{MODULES}.RNNTJoint", "log_softmax": None, "fuse_loss_wer": False, "num_classes": len(LETTERS),
        "vocabulary": LETTERS,
        "jointnet": {"encoder_hidden": UNITS, "pred_hidden": UNITS, "joint_hidden": UNITS, "activation": "relu", "dropout": 0.0},
    },
    "decoding": {"strategy": "greedy_batch", "greedy": {"max_symbols": 2}},
    "loss": {"loss_name": "default", "warprnnt_numba_kwargs": {"fastemit_lambda": 0.0}},
}


def read_wave(path):
    with wave.open(path, "rb") as audio:
        return numpy.frombuffer(audio.readframes(audio.getnframes()), dtype="<i2").astype(numpy.float32) / 32768


def changed(archive, path, change):
    """The same archive with other contents: `change(name, content)`."""
    with tarfile.open(archive) as old, tarfile.open(path, "w") as new:
        for member in old:
            content = change(member.name, old.extractfile(member).read()) if member.isfile() else b""
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))


def foreign(name, content):
    return content.replace(f"{MODULES}.ConvASREncoder".encode(), b"shutil.rmtree") if name.endswith(".yaml") else content


def pickled(name, content):
    if not name.endswith(".ckpt"):
        return content
    file = io.BytesIO()
    torch.save({"weight": pathlib.PurePosixPath("/")}, file)
    return file.getvalue()


def main():
    kind, directory, recordings = sys.argv[1], sys.argv[2], sys.argv[3:]
    logging.setLevel(logging.ERROR)
    torch.manual_seed(1)
    model = EncDecCTCModel(cfg=OmegaConf.create(CTC)) if kind == "ctc" else EncDecRNNTModel(cfg=OmegaConf.create(TRANSDUCER))
    model = model.eval()
    archive = f"{directory}/model.nemo"
    model.save_to(archive)
    changed(archive, f"{directory}/../foreign.nemo", foreign)
    changed(archive, f"{directory}/../pickled.nemo", pickled)
    texts = [model.transcribe([read_wave(it)], batch_size=1, verbose=False)[0].text for it in recordings]
    print("\n" + json.dumps({"parameters": sum(it.numel() for it in model.parameters()), "texts": texts}))


main()
