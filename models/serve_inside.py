"""The inside of a served policy: acts under edits that come with a request, and returns activations that it asks for.

Optional fields of a request, see :mod:`models.serve`::

    steering          list of edits, each {"site": stack, ...} as :func:`workbench.steering.edits.edit_to_dict` writes them
    steering_assets   list of what they name, each a description with "arrays"; what was sent once is kept for the connection
    activations       list of sites, for example "decoder 2 residual"

and of its reply: ``activations``, site -> ``(T, C) float32``, edits included. Without the fields nothing is different.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.steering import as_steerable
from workbench.core.anatomy import Anatomy
from workbench.core.errors import InvalidInput, TooLarge
from workbench.core.protocols import Policy
from workbench.core.types import ActionChunk, Observation, Prompt
from workbench.steering.assets import Asset, asset_from, asset_id
from workbench.steering.concepts import fingerprint
from workbench.steering.edits import SteeringEdit, parse_edit
from workbench.steering.hooks import recorded
from workbench.steering.policy import measured_quantities
from workbench.steering.scopes import Moment
from workbench.steering.sites import Part, Site, as_module, check_layer
from workbench.steering.steered import Steering

ASSETS: Final = "steering_assets"
MAX_EDITS: Final = 32
MAX_ASSETS: Final = 256
"""Kept for one connection."""
MAX_SITES: Final = 64


class ServedInside:
    """Looks into one policy and turns it; used in the policy's thread."""

    def __init__(self, policy: Policy) -> None:
        """Open it.

        Raises:
            InvalidInput: it does not show its inside, or its architecture is not known.
        """
        opened = as_steerable(policy)
        self._policy, self._module, self._anatomy = policy, as_module(opened.module), opened.sites
        self._assets: dict[str, Asset] = {}
        self._steering = Steering(self._module, self._anatomy, ())
        self._last: tuple[NDArray[np.float32], float] | None = None

    def describe(self) -> dict[str, Any]:
        """Return what a client needs to ask for edits and activations."""
        return describe_inside(self._anatomy, fingerprint(self._module))

    def reset(self) -> None:
        """Forget the episode so far."""
        self._last = None

    def keep(self, documents: object) -> None:
        """Keep what edits name; errors as :func:`workbench.steering.assets.asset_from`."""
        if not isinstance(documents, list | tuple) or not all(isinstance(d, Mapping) for d in documents):
            raise InvalidInput(ASSETS, expected="a list of maps", found=type(documents).__name__)
        if len(self._assets) + len(documents) > MAX_ASSETS:
            raise TooLarge(ASSETS, limit=f"{MAX_ASSETS} for a connection", found=f"{len(self._assets) + len(documents)}")
        for document in documents:
            arrays = document.get("arrays")
            if not isinstance(arrays, Mapping):
                raise InvalidInput(ASSETS, expected="'arrays', a map", found=type(arrays).__name__)
            asset = asset_from({str(k): v for k, v in document.items() if k != "arrays"}, {str(k): v for k, v in arrays.items()})
            self._assets[asset_id(asset)] = asset

    def act(
        self, observation: Observation, prompt: Prompt, rng: np.random.Generator, edits: Sequence[Mapping[str, Any]], sites: Sequence[str]
    ) -> tuple[ActionChunk, dict[str, NDArray[np.float32]]]:
        """Return the policy's actions under edits, and the activations at some sites, tokens of all forward passes in order.

        Raises:
            InvalidInput: an edit or a site does not fit the network, or the edits made it give no numbers.
            UnknownName: one names something that is not there.
        """
        wanted = {name: read_site(name, self._anatomy) for name in sites}
        asked = tuple(_read_edit(edit, i) for i, edit in enumerate(edits))
        if len(asked) > MAX_EDITS or len(wanted) > MAX_SITES:
            raise TooLarge("request", limit=f"{MAX_EDITS} edits and {MAX_SITES} sites", found=f"{len(asked)} and {len(wanted)}")
        if asked != self._steering.edits:
            self._steering = Steering(self._module, self._anatomy, asked, self._assets)
        moment = Moment(observation.step, observation.time_s, measured_quantities(observation, self._last))
        self._last = (observation.part("ee_position").copy(), observation.time_s)
        with self._steering.applied(moment), recorded(self._module, self._anatomy, list(wanted.values())) as found:
            chunk = self._policy.act(observation, prompt, rng)
        if not np.isfinite(chunk.actions).all():
            raise InvalidInput("actions under steering", expected="finite numbers", found="NaN or infinity", fix="Lower the strength.")
        return chunk, {name: _rows(found[site]) for name, site in wanted.items()}


def describe_inside(anatomy: Anatomy, weights: str) -> dict[str, Any]:
    """Return the stacks of a network as plain data, with the fingerprint of its weights."""
    stacks = [
        {"name": s.name, "num_layers": len(s.blocks), "width": s.width, "inner": s.inner, "groups": ["all", "last", *s.groups]}
        for s in anatomy.stacks
    ]
    return {"architecture": anatomy.architecture, "fingerprint": weights, "stacks": stacks}


def read_site(name: str, anatomy: Anatomy) -> Site:
    """Read a site as it is written: stack, layer and part.

    Raises:
        InvalidInput: it is not of that form, or the stack has no such layer.
        UnknownName: there is no such stack.
    """
    words = name.split(" ")
    parts = [part.value for part in Part]
    if len(words) != 3 or not (words[1].isascii() and words[1].isdigit()) or words[2] not in parts:
        raise InvalidInput("site", expected=f"STACK LAYER PART, the part one of {', '.join(parts)}", found=repr(name)[:60])
    layer = check_layer(anatomy.stack(words[0]), int(words[1][:9]))
    return Site(words[0], layer, Part(words[2]))


def _read_edit(edit: Mapping[str, Any], index: int) -> SteeringEdit:
    return parse_edit({k: v for k, v in edit.items() if k != "site"}, f"steering, {index}")


def _rows(tensors: Sequence[Any]) -> NDArray[np.float32]:
    parts = [tensor.detach().flatten(0, -2).float().cpu().numpy() for tensor in tensors]
    return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)
