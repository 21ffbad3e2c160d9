"""Where each architecture keeps its feed-forward layers, residual stream, attention, read-out and action tokens.

To add an architecture, write one function from the network to its :class:`~workbench.core.anatomy.Anatomy` and put it into
:data:`ARCHITECTURES` under the name of the network's class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from torch import nn

from workbench.core.anatomy import ActionAxis, ActionBins, ActionTokens, Anatomy, ImageTokens, Readout, Span, Stack
from workbench.core.errors import InvalidInput
from workbench.core.types import ACTION_DIM, ACTION_NAMES, ACTION_UNITS

LLAMA_ALPHA: Final = 4.0
GEMMA_ALPHA: Final = 10.0
"""Usual value of a clamped neuron (Source: Häon et al. 2025, arXiv:2509.00328)."""
_OPENVLA_BINS: Final = 256
_OPENVLA_PATCHES: Final = 16
"""Patches along a side of OpenVLA's 224-pixel picture."""


def find_anatomy(module: nn.Module) -> Anatomy:
    """Return where a network keeps what can be read and steered.

    Raises:
        InvalidInput: its class is not known; the message lists what was found in it and says how to add an entry.
    """
    for kind in type(module).__mro__:
        if kind.__name__ in ARCHITECTURES:
            return ARCHITECTURES[kind.__name__](module)
    raise InvalidInput(
        f"architecture of {type(module).__name__}",
        expected=f"one of {', '.join(sorted(ARCHITECTURES))}",
        found=_describe(module),
        fix="Add a function from the network to its Anatomy to ARCHITECTURES in models/layers.py; llama_anatomy is an example.",
    )


def bench_vla_anatomy(module: Any) -> Anatomy:
    """Describe the bench VLA: Llama blocks over all tokens in one pass, words and action bins in one tied table."""
    config, vocabulary = module.config, module.vocabulary
    places = {name: Span(s.start, s.stop) for name, s in module.token_slices.items()}
    first = places["action"].start
    groups: dict[str, tuple[Span, ...]] = {name: (span,) for name, span in places.items()} | {"image": (places["front"], places["wrist"])}
    for i, name in enumerate(ACTION_NAMES):
        at = range(first + i, first + config.horizon * ACTION_DIM, ACTION_DIM)
        groups[f"action {name}"] = tuple(Span(n, n + 1) for n in at)
    bins = tuple(
        ActionBins(name, vocabulary.action_slice(i).start, tuple(vocabulary.bin_centres[i].tolist()), unit)
        for i, (name, unit) in enumerate(zip(ACTION_NAMES, ACTION_UNITS, strict=True))
    )
    labels = tuple(vocabulary.name(token) for token in range(vocabulary.first_action))
    stack = _stack(
        "decoder",
        "decoder",
        module.decoder,
        readout=Readout("decoder.embed_tokens", labels, bins),
        groups=groups,
        images=tuple(_square(name, places[name]) for name in ("front", "wrist")),
        actions=ActionTokens(first, config.horizon, ACTION_DIM),
    )
    return Anatomy("bench-vla", (stack,))


def pi0_anatomy(module: Any, cameras: Sequence[str] = ("image",), words: Sequence[str] = ()) -> Anatomy:
    """Describe pi0 of ``transformers``: PaliGemma reads pictures and words, a Gemma expert denoises the actions.

    The prefix is the patches of each camera that is given to the network, in order, then the words. The expert's tokens are the state,
    then one for each action of the chunk; its read-out is a velocity towards noise, so that a larger product means a smaller action.
    The words are those of the tokenizer, by id; without them tokens are shown by number.
    """
    config = module.config
    vision = config.vlm_config.vision_config
    side = vision.image_size // vision.patch_size
    num_patches = side * side
    images = tuple(ImageTokens(name, i * num_patches, side, side) for i, name in enumerate(cameras))
    text = len(cameras) * num_patches
    language = module.model.vlm.language_model
    vlm = _stack(
        "vlm",
        "model.vlm.language_model",
        language,
        readout=Readout("model.vlm.language_model.embed_tokens", tuple(words)),
        groups={"image": (Span(0, text),), "text": (Span(text, None),)},
        images=images,
        default_alpha=GEMMA_ALPHA,
    )
    names = [*ACTION_NAMES, *(f"action {i}" for i in range(len(ACTION_NAMES), config.max_action_dim))][: config.max_action_dim]
    expert = _stack(
        "expert",
        "model.dit",
        module.model.dit,
        readout=Readout("action_out_proj", axes=tuple(ActionAxis(name, i, -1.0) for i, name in enumerate(names))),
        groups={"proprio": (Span(0, 1),), "action": (Span(1, 1 + config.chunk_size),)},
        images=images,  # its attention reads the prefix through the cache, so patches lie there among its keys too
        actions=ActionTokens(1, config.chunk_size, 1),
        default_alpha=GEMMA_ALPHA,
    )
    return Anatomy("pi0", (vlm, expert))


def openvla_anatomy(module: Any, words: Sequence[str] = ()) -> Anatomy:
    """Describe OpenVLA: a Llama that reads one start token, 256 patches and the words, and writes one action token a pass.

    The last 256 words of the vocabulary are bins shared by all dimensions, the highest word being the lowest value.
    """
    num_words = int(getattr(module, "vocab_size", None) or module.language_model.config.vocab_size)
    num_patches = _OPENVLA_PATCHES**2
    bins = ActionBins("any", num_words - _OPENVLA_BINS, openvla_centres())
    readout = Readout("language_model.lm_head", tuple(words), (bins,))
    stack = _stack(
        "decoder",
        "language_model.model",
        module.language_model.model,
        readout=readout,
        groups={"image": (Span(1, 1 + num_patches),), "text": (Span(1 + num_patches, None),)},
        images=(ImageTokens("image", 1, _OPENVLA_PATCHES, _OPENVLA_PATCHES),),
    )
    return Anatomy("openvla", (stack,))


def openvla_centres() -> tuple[float, ...]:
    """Return the value of each of the last 256 ids: index = V - id - 1, clipped to the 255 centres of 256 edges on [-1, 1]."""
    edges = np.linspace(-1.0, 1.0, _OPENVLA_BINS)
    centres = (edges[:-1] + edges[1:]) / 2
    index = np.clip(np.arange(_OPENVLA_BINS)[::-1], 0, len(centres) - 1)
    return tuple(centres[index].tolist())


def llama_anatomy(module: Any) -> Anatomy:
    """Describe a plain Llama language model: useful for checks against other tools."""
    return Anatomy("llama", (_stack("decoder", "model", module.model, readout=Readout("lm_head")),))


ARCHITECTURES: Final[Mapping[str, Callable[[Any], Anatomy]]] = {
    "BenchVla": bench_vla_anatomy,
    "PI0ForConditionalGeneration": pi0_anatomy,
    "OpenVLAForActionPrediction": openvla_anatomy,
    "LlamaForCausalLM": llama_anatomy,
}
"""Class name of a network -> the function that describes it."""


def _stack(
    name: str,
    path: str,
    model: Any,
    *,
    readout: Readout,
    groups: Mapping[str, tuple[Span, ...]] | None = None,
    images: Sequence[ImageTokens] = (),
    actions: ActionTokens | None = None,
    default_alpha: float = LLAMA_ALPHA,
) -> Stack:
    """Describe a Llama or Gemma model of ``transformers``, which name their parts alike."""
    return Stack(
        name=name,
        blocks=tuple(f"{path}.layers.{i}" for i in range(len(model.layers))),
        width=model.config.hidden_size,
        inner=model.config.intermediate_size,
        final_norm=f"{path}.norm",
        groups=groups or {},
        images=tuple(images),
        actions=actions,
        readout=readout,
        default_alpha=default_alpha,
    )


def _square(camera: str, span: Span) -> ImageTokens:
    assert span.stop is not None, "pictures lie at fixed places"
    side = round((span.stop - span.start) ** 0.5)
    return ImageTokens(camera, span.start, side, side)


def _describe(module: nn.Module) -> str:
    """List what a person needs to write an entry: lists of blocks, what is in a block, tables and wide linear layers."""
    lists = [(n, m) for n, m in module.named_modules() if isinstance(m, nn.ModuleList) and len(m)]
    found = [f"{n}: {len(m)} x {type(m[0]).__name__} ({', '.join(c for c, _ in m[0].named_children())})" for n, m in lists]
    found += [f"{n}: table {m.num_embeddings} x {m.embedding_dim}" for n, m in module.named_modules() if isinstance(m, nn.Embedding)]
    return "; ".join(found[:20]) or "no lists of blocks and no tables"
