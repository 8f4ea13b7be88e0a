"""NeMo behind the runner protocol.

A model is one `.nemo` archive: a tar file with `model_config.yaml`, the weights in PyTorch's format, and small files of the
tokenizer. Archives from elsewhere are not trusted: weights are read as tensors and nothing else, and the configuration may
name classes of NeMo's speech recognition alone (it names what is built by import path, so anything else would be code).

The archive is never unpacked as a whole: weights are read where they lie, since /tmp is small.
"""

import os
import sys
import tarfile

# Before the library is imported: it looks at these once.
os.environ.update(
    HF_HUB_OFFLINE="1", HF_HOME="/tmp/hub", NUMBA_CACHE_DIR="/tmp/numba", MPLCONFIGDIR="/tmp/matplotlib", NEMO_CACHE_DIR="/tmp/nemo"
)

import torch  # noqa: E402
from nemo.collections.asr.models import ASRModel  # noqa: E402
from nemo.core.connectors.save_restore_connector import SaveRestoreConnector  # noqa: E402
from nemo.utils import logging  # noqa: E402
from omegaconf import OmegaConf  # noqa: E402

# The sandbox starts this file in Python's isolated mode, which does not look beside it.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from ffasr_runner import MODEL, model_file, serve  # noqa: E402

UNPACKED = "/tmp/archive"
# Configuration, tokenizer and vocabulary; anything larger is no such file.
MOST_BYTES = 16 << 20
# What a configuration may build.
ALLOWED = ("nemo.collections.asr.", "nemo.collections.common.", "nemo.collections.audio.")
# Sections that are about training, where other classes are at home.
TRAINING = ("optim", "train_ds", "validation_ds", "test_ds", "spec_augment", "loss", "trainer", "exp_manager", "nemo_version")


def archive(settings):
    if "model" in settings:
        return model_file(settings["model"])
    found = sorted(it for it in os.listdir(MODEL) if it.endswith(".nemo"))
    if len(found) != 1:
        sys.exit(f"the setting `model` must name the .nemo archive: there are {len(found)}")
    return model_file(found[0])


def unpack_small(path):
    """Everything but the weights, by plain file names; the configuration's path."""
    os.makedirs(UNPACKED, exist_ok=True)
    with tarfile.open(path) as packed:
        for member in packed:
            if member.isfile() and not member.name.endswith(".ckpt"):
                if member.size > MOST_BYTES:
                    sys.exit(f"{member.name} in the archive has {member.size} bytes, too many for a small file")
                with open(os.path.join(UNPACKED, os.path.basename(member.name)), "wb") as file:
                    file.write(packed.extractfile(member).read())
    return os.path.join(UNPACKED, "model_config.yaml")


def classes(configuration):
    """Every class that a configuration names, with the path to it."""
    items = configuration.items() if isinstance(configuration, dict) else enumerate(configuration)
    for name, value in items:
        if name in ("_target_", "target", "cls", "classpath"):
            yield str(value)
        elif isinstance(value, (dict, list)):
            yield from classes(value)


def configuration(path):
    """Of the model alone: what it was trained with and on is left out."""
    # Not resolved: an interpolation may read the environment, and of what is left out it may fail.
    content = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    content = {name: value for name, value in content.items() if name not in TRAINING}
    for it in classes(content):
        if not it.startswith(ALLOWED):
            sys.exit(f"the configuration names the class {it}; only those of {', '.join(ALLOWED)} are built")
    return OmegaConf.create(content)


class Connector(SaveRestoreConnector):
    """Reads weights inside the archive, as tensors alone."""

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.model_extracted_dir = UNPACKED

    def _load_state_dict_from_disk(self, model_weights, map_location=None):
        wanted = os.path.basename(model_weights)
        with tarfile.open(self.path) as packed:
            for member in packed:
                if member.isfile() and os.path.basename(member.name) == wanted:
                    return torch.load(packed.extractfile(member), map_location=map_location, weights_only=True)
        sys.exit(f"the archive holds no {wanted}")


class Recogniser:
    def __init__(self, settings):
        logging.setLevel(logging.ERROR)
        path = archive(settings)
        chosen = configuration(unpack_small(path))
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = ASRModel.restore_from(
            path, override_config_path=chosen, map_location=device, save_restore_connector=Connector(path)
        ).eval()
        # Noise added to the audio would be drawn anew each time.
        self.model.preprocessor.featurizer.dither = 0.0
        self.max_batch = settings.get("batch", 1)
        self.parameters = sum(it.numel() for it in self.model.parameters())

    @torch.inference_mode()
    def transcribe(self, recordings):
        said = self.model.transcribe(recordings, batch_size=len(recordings), verbose=False)
        # Transducers of some versions give the best and all hypotheses.
        said = said[0] if isinstance(said, tuple) else said
        return [" ".join(getattr(it, "text", it).split()) for it in said]


if __name__ == "__main__":
    serve(Recogniser)
