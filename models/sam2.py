"""Meta's SAM 2 and SAM 2.1, from a checkpoint file or a hub id, through the ``sam2`` package.

Source: Ravi et al. 2024, arXiv:2408.00714. Which of the sizes a file is of is read off its tensors; no code and no configuration of a
file is ever run, and nothing is unpickled beyond tensors.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from sam2.build_sam import HF_MODEL_ID_TO_FILENAMES, build_sam2
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor

from models.sam2_segmenter import Sam2Segmenter
from workbench.core.errors import InvalidInput, NotStored, ServiceFailed, UnknownName
from workbench.core.protocols import SegmenterSpec

SETTINGS_ENV: Final = "VLAW_SAM2"
"""Variable that says which checkpoint the segmenter ``sam2`` loads: what :func:`read_settings` takes."""
_HOW: Final = "Download sam2.1_hiera_tiny.pt of github.com/facebookresearch/sam2 and give its path."
_SUFFIXES: Final = (".pt", ".pth", ".safetensors")


class Variant(NamedTuple):
    """One of the published sizes."""

    width: int
    """Channels of the trunk's first stage."""
    num_blocks: int
    letter: str

    def config(self, *, is_new: bool) -> str:
        """Return the name of the package's configuration."""
        return f"configs/sam2.1/sam2.1_hiera_{self.letter}.yaml" if is_new else f"configs/sam2/sam2_hiera_{self.letter}.yaml"


VARIANTS: Final = (Variant(96, 12, "t"), Variant(96, 16, "s"), Variant(112, 24, "b+"), Variant(144, 48, "l"))


class Sam2Settings(NamedTuple):
    """Which checkpoint, and where it runs."""

    source: str
    """Path of a file, or a hub id."""
    device: str


def read_settings(text: str) -> Sam2Settings:
    """Read ``PATH_OR_HUB_ID[,DEVICE]``; the device is ``cuda`` where there is one, else ``cpu``.

    Raises:
        InvalidInput: nothing is named, or there is no such device.
    """
    source, _, device = (part.strip() for part in text.partition(","))
    if not source:
        raise InvalidInput(f"variable {SETTINGS_ENV}", expected="PATH_OR_HUB_ID[,DEVICE]", found=repr(text), fix=_HOW)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device.split(":")[0] not in ("cpu", "cuda", "mps") or (device.startswith("cuda") and not torch.cuda.is_available()):
        raise InvalidInput("device for SAM 2", expected="cpu, cuda or mps, as this machine has it", found=repr(device))
    return Sam2Settings(source, device)


def load_segmenter(settings: Sam2Settings | None = None) -> Sam2Segmenter:
    """Load a checkpoint, by default the one that :data:`SETTINGS_ENV` names.

    Raises:
        InvalidInput: nothing is named, or the file is not of SAM 2.
        NotStored: there is no such file.
        UnknownName: not a hub id of SAM 2.
        ServiceFailed: the hub cannot be reached.
    """
    chosen = settings or read_settings(os.environ.get(SETTINGS_ENV, ""))
    path = find_file(chosen.source)
    network = load_network(path).to(chosen.device)
    side, is_gpu = network.image_size, not chosen.device.startswith("cpu")
    about = f"SAM 2 of Meta, {path.name}, {side} px, on {chosen.device}"
    if not is_gpu:
        about += "; seconds a picture on a CPU: for stills"
    return Sam2Segmenter(network, SegmenterSpec("sam2", about, tracks_by="memory", is_live=is_gpu))


def find_file(source: str) -> Path:
    """Return the checkpoint's file; a hub id is looked up in the cache and, failing that, downloaded.

    Raises:
        NotStored: there is no such file.
        UnknownName: neither a file nor a hub id of SAM 2.
        ServiceFailed: the hub cannot be reached.
    """
    path = Path(source).expanduser()
    if path.is_file():
        return path
    if path.suffix in _SUFFIXES or path.exists():
        raise NotStored(f"SAM 2 checkpoint {path.name}", reason=f"there is no file {path}", fix=_HOW)
    if source not in HF_MODEL_ID_TO_FILENAMES:
        raise UnknownName("checkpoint of SAM 2", source, HF_MODEL_ID_TO_FILENAMES)
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(repo_id=source, filename=HF_MODEL_ID_TO_FILENAMES[source][1]))
    except (OSError, HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise ServiceFailed("Model hub", reason=f"{source} could not be downloaded ({type(error).__name__})", fix=_HOW) from error


def load_network(path: Path) -> SAM2Base:
    """Return the network of a checkpoint, on the CPU, for use.

    Raises:
        InvalidInput: the file is damaged, or is of another model.
    """
    tensors = read_tensors(path)
    network: SAM2Base = build_sam2(identify(tensors, path.name), device="cpu", apply_postprocessing=False)
    expected = network.state_dict()
    wrong = sorted(set(expected) ^ set(tensors)) or [n for n in expected if expected[n].shape != tensors[n].shape]
    if wrong:
        raise InvalidInput(f"checkpoint {path.name}", expected="the tensors of a SAM 2", found=f"a difference in {wrong[:4]}", fix=_HOW)
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return network.eval()


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read tensors and nothing else.

    Raises:
        InvalidInput: the file is damaged, holds other things than tensors, or is of another model.
    """
    what = f"checkpoint {path.name}"
    try:
        found = load_file(path) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        raise InvalidInput(what, expected="a whole file of tensors", found=reason, fix=_HOW) from error
    if isinstance(found, Mapping) and isinstance(found.get("model"), Mapping):
        found = found["model"]
    if not isinstance(found, Mapping) or not found or not all(isinstance(v, Tensor) for v in found.values()):
        raise InvalidInput(what, expected="named tensors", found=type(found).__name__, fix=_HOW)
    return dict(found)


def identify(tensors: Mapping[str, Tensor], name: str) -> str:
    """Return the name of the configuration that a checkpoint's tensors belong to.

    Raises:
        InvalidInput: they are of another model.
    """
    patch = tensors.get("image_encoder.trunk.patch_embed.proj.weight")
    blocks = {key.split(".")[3] for key in tensors if key.startswith("image_encoder.trunk.blocks.")}
    for variant in VARIANTS:
        if patch is not None and (int(patch.shape[0]), len(blocks)) == (variant.width, variant.num_blocks):
            return variant.config(is_new="no_obj_embed_spatial" in tensors)
    found = f"{len(tensors)} tensors, for example {sorted(tensors)[0]!r}"
    if patch is not None:
        found = f"a trunk of {len(blocks)} blocks and {int(patch.shape[0])} channels"
    raise InvalidInput(f"checkpoint {name}", expected="SAM 2 or SAM 2.1 in one of Meta's four sizes", found=found, fix=_HOW)
