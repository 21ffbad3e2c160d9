"""The inside of a policy that lives elsewhere: edits that go with each request, activations that come back, where the server allows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.wire_types import Wire, read_array
from workbench.core.errors import InvalidInput
from workbench.steering.assets import Asset, Library, asset_arrays, asset_id, asset_to_dict
from workbench.steering.edits import SteeringEdit, edit_to_dict

STEERING: Final = "steering"
ACTIVATIONS: Final = "activations"
ASSETS: Final = "steering_assets"
CLOSED: Final = "this server does not expose its inside"
_REFERENCES: Final = ("direction", "probe", "sae", "conceptor")


class RemoteInside:
    """What a client asks of a server's inside; its fields go into every request until they are changed."""

    def __init__(self, metadata: Mapping[str, Any], service: str) -> None:
        """Read from a server's metadata what it allows."""
        abilities = metadata.get("abilities")
        self.abilities = frozenset(map(str, abilities)) if isinstance(abilities, list | tuple) else frozenset()
        inside = metadata.get("inside")
        self.facts: Mapping[str, Any] = inside if isinstance(inside, Mapping) else {}
        """``fingerprint``, ``architecture`` and ``stacks`` of the network, as far as the server tells."""
        self.activations: Mapping[str, NDArray[np.float32]] = {}
        """Site -> ``(T, C) float32`` of the latest answer."""
        self._service = service
        self._edits: tuple[SteeringEdit, ...] = ()
        self._assets: dict[str, Asset] = {}
        self._sites: tuple[str, ...] = ()
        self._sent: set[str] = set()

    @property
    def fingerprint(self) -> str:
        """Of the server's weights; empty when it does not tell."""
        return str(self.facts.get("fingerprint", ""))

    def steer(self, edits: Sequence[SteeringEdit], assets: Library) -> None:
        """Act under these edits from the next request on; none takes them away.

        Raises:
            InvalidInput: the server does not expose its inside, or an edit names what is not there.
        """
        if edits:
            self._require(STEERING)
        wanted = [id for edit in edits for name in _REFERENCES if (id := getattr(edit, name, None))]
        missing = [id for id in wanted if id not in assets]
        if missing:
            raise InvalidInput("steering assets", expected=f"{missing[0]!r}, which an edit names", found=", ".join(assets) or "none")
        self._edits, self._assets = tuple(edits), {id: assets[id] for id in wanted}

    def watch(self, sites: Sequence[str]) -> None:
        """Ask for the activations at these sites, for example ``decoder 2 residual``, with every request.

        Raises:
            InvalidInput: the server does not expose its inside.
        """
        if sites:
            self._require(ACTIVATIONS)
        self._sites = tuple(sites)

    def fields(self) -> Wire:
        """Return what a request says beside observation and prompt; nothing when nothing is asked for."""
        wire: Wire = {}
        if self._edits:
            wire[STEERING] = [{"site": edit.stack, **edit_to_dict(edit)} for edit in self._edits]
            fresh = {id: asset for id, asset in self._assets.items() if id not in self._sent}
            if fresh:
                wire[ASSETS] = [{**asset_to_dict(asset), "arrays": asset_arrays(asset)} for asset in fresh.values()]
        if self._sites:
            wire[ACTIVATIONS] = list(self._sites)
        return wire

    def take(self, message: Mapping[str, Any]) -> None:
        """Take what an answer tells of the inside.

        Raises:
            InvalidInput: it is not arrays by site.
        """
        told = message.get(ACTIVATIONS)
        if told is not None and not isinstance(told, Mapping):
            raise InvalidInput(ACTIVATIONS, expected="arrays by site", found=type(told).__name__)
        self.activations = {str(name): read_array(told, str(name), ("T", "C")) for name in told} if told else {}
        self._sent |= {asset_id(asset) for asset in self._assets.values()}

    def forget_sent(self) -> None:
        """Send assets again: the connection is a new one."""
        self._sent.clear()

    def _require(self, ability: str) -> None:
        if ability not in self.abilities:
            fix = "Serve the policy by `python app.py policy-server`, and a network that models/layers.py knows."
            raise InvalidInput(self._service, expected=f"the ability {ability!r}", found=CLOSED, fix=fix)
