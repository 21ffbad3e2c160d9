"""What edits refer to by id: directions, probes, sparse autoencoders and conceptors, as arrays with a description."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from workbench.core.anatomy import ALL_TOKENS, Anatomy
from workbench.core.errors import InvalidInput, InvalidShape, UnknownName
from workbench.steering.places import Part, Site, check_layer, width_of
from workbench.steering.records import from_json, to_json


@dataclass(frozen=True)
class Place:
    """Where, and in which policy, something was measured."""

    stack: str
    layer: int
    tokens: str = ALL_TOKENS
    policy: str = ""
    """Fingerprint of the policy's weights; empty when not known."""
    part: Part = Part.RESIDUAL

    @property
    def site(self) -> Site:
        """The tensor."""
        return Site(self.stack, self.layer, self.part)


@dataclass(frozen=True, eq=False)
class Direction:
    """A direction at a site, mostly of the residual stream."""

    name: str
    place: Place
    vector: NDArray[np.float32]
    """``(d,) float32``, any length but 0."""
    norm: float
    """Median norm of the tokens there: the unit of doses."""
    source: str = ""
    """How it was found, in words."""
    measures: Mapping[str, float] = field(default_factory=dict)
    """For example ``auc`` on held-out samples, ``n``."""

    def __post_init__(self) -> None:
        _check(self.name, "direction", self.vector, 1)
        if not np.linalg.norm(self.vector) > 0 or not (math.isfinite(self.norm) and self.norm > 0):
            raise InvalidInput(f"direction {self.name!r}", expected="a length and a norm above 0", found="0 or not a number")


@dataclass(frozen=True, eq=False)
class Probe:
    """A linear reading of a site, mostly of the residual stream: ``weight . h + bias``."""

    name: str
    place: Place
    weight: NDArray[np.float32]
    """``(d,) float32``."""
    bias: float
    is_pooled: bool = True
    """True: reads the mean over its tokens. False: reads each token."""
    is_classifier: bool = False
    """True: the reading is a score before the logistic function."""
    unit: str = ""
    source: str = ""
    measures: Mapping[str, float] = field(default_factory=dict)
    """For example ``r2`` or ``accuracy`` on held-out samples, and of its controls."""

    def __post_init__(self) -> None:
        _check(self.name, "probe", self.weight, 1)
        if not np.linalg.norm(self.weight) > 0 or not math.isfinite(self.bias):
            raise InvalidInput(f"probe {self.name!r}", expected="a weight other than 0 and a finite bias", found="0 or not a number")

    def read(self, hidden: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the reading of each row of ``(..., d)``."""
        return np.asarray(hidden, dtype=np.float64) @ self.weight.astype(np.float64) + self.bias


@dataclass(frozen=True, eq=False)
class Sae:
    """A TopK sparse autoencoder of single tokens; :mod:`.sae` trains and runs it."""

    name: str
    place: Place
    encoder: NDArray[np.float32]
    """``(F, d) float32``."""
    decoder: NDArray[np.float32]
    """``(F, d) float32``, rows of unit length."""
    centre: NDArray[np.float32]
    """``(d,) float32``, geometric median of the training tokens."""
    num_active: int
    """Features that may be active at once, k."""
    source: str = ""
    measures: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check(self.name, "encoder", self.encoder, 2)
        _check(self.name, "decoder", self.decoder, 2)
        _check(self.name, "centre", self.centre, 1)
        if self.encoder.shape != self.decoder.shape or self.encoder.shape[1:] != self.centre.shape:
            raise InvalidShape(f"decoder of {self.name!r}", expected=self.encoder.shape, found=self.decoder.shape)
        if not 1 <= self.num_active <= len(self.encoder):
            raise InvalidInput(f"active features of {self.name!r}", expected=f"1 to {len(self.encoder)}", found=str(self.num_active))

    @property
    def num_features(self) -> int:
        """Number of features F."""
        return len(self.encoder)


@dataclass(frozen=True, eq=False)
class Conceptor:
    """A soft projection on the space that states of one kind fill."""

    name: str
    place: Place
    matrix: NDArray[np.float32]
    """``(d, d) float32``."""
    source: str = ""
    measures: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check(self.name, "conceptor", self.matrix, 2)
        if self.matrix.shape[0] != self.matrix.shape[1]:
            raise InvalidShape(f"conceptor {self.name!r}", expected=("d", "d"), found=self.matrix.shape)


Asset: TypeAlias = Direction | Probe | Sae | Conceptor
Library: TypeAlias = Mapping[str, Asset]
"""Assets by id."""

_KINDS: Final[Mapping[str, type[Asset]]] = {"direction": Direction, "probe": Probe, "sae": Sae, "conceptor": Conceptor}
_ARRAYS: Final[Mapping[str, tuple[str, ...]]] = {
    "direction": ("vector",),
    "probe": ("weight",),
    "sae": ("encoder", "decoder", "centre"),
    "conceptor": ("matrix",),
}
A = TypeVar("A", Direction, Probe, Sae, Conceptor)
"""One kind of asset."""


def library_of(assets: Iterable[Asset]) -> dict[str, Asset]:
    """Return assets by their ids."""
    return {asset_id(a): a for a in assets}


def find_asset(library: Library, id: str, kind: type[A]) -> A:
    """Return an asset of one kind.

    Raises:
        UnknownName: there is none of that id and kind.
    """
    asset = library.get(id)
    if not isinstance(asset, kind):
        raise UnknownName(kind.__name__.lower(), id, (i for i, a in library.items() if isinstance(a, kind)))
    return asset


def asset_id(asset: Asset) -> str:
    """Return an id that equal contents share: the kind and 16 hexadecimal digits."""
    meta = asset_to_dict(asset)
    digest = hashlib.sha256(json.dumps(meta, sort_keys=True).encode())
    for array in asset_arrays(asset).values():
        digest.update(np.ascontiguousarray(array, dtype="<f4").tobytes())
    return f"{meta['kind']}-{digest.hexdigest()[:16]}"


def asset_to_dict(asset: Asset) -> dict[str, Any]:
    """Return everything but the arrays, JSON-able."""
    kind = _kind_of(asset)
    plain = {f.name: getattr(asset, f.name) for f in fields(asset) if f.name not in _ARRAYS[kind]}
    return {"kind": kind, **to_json(plain)}


def asset_arrays(asset: Asset) -> dict[str, NDArray[np.float32]]:
    """Return the arrays, for a file of tensors."""
    return {name: getattr(asset, name) for name in _ARRAYS[_kind_of(asset)]}


def asset_from(data: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Asset:
    """Put an asset together from what :func:`asset_to_dict` and :func:`asset_arrays` returned, or from an uploaded file.

    Raises:
        InvalidInput: a field or an array is missing, unknown, of the wrong shape or not a number.
    """
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise InvalidInput("steering asset, kind", expected=f"one of {', '.join(_KINDS)}", found=repr(kind))
    wanted = _ARRAYS[kind]
    missing = [name for name in wanted if name not in arrays]
    if missing:
        raise InvalidInput(f"{kind}, arrays", expected=", ".join(wanted), found=", ".join(arrays) or "none")
    made = {name: _read_array(f"{kind}, {name}", arrays[name]) for name in wanted}
    return from_json(_KINDS[kind], {**{k: v for k, v in data.items() if k != "kind"}, **made}, kind)


def check_place(asset: Asset, anatomy: Anatomy, policy: str = "") -> None:
    """Check that an asset fits a network.

    Raises:
        InvalidInput: it was made for another policy, or for another width or layer.
        UnknownName: the network has no such stack or token group.
    """
    place = asset.place
    if place.policy and policy and place.policy != policy:
        raise InvalidInput(
            f"{_kind_of(asset)} {asset.name!r}",
            expected=f"one made for this policy ({policy})",
            found=f"one made for {place.policy}",
            fix="Measure it again on this policy.",
        )
    stack = anatomy.stack(place.stack)
    check_layer(stack, place.layer)
    stack.group(place.tokens)
    width = next(iter(asset_arrays(asset).values())).shape[-1]
    wanted = width_of(stack, place.part)
    if width != wanted:
        raise InvalidShape(f"{_kind_of(asset)} {asset.name!r}", expected=(wanted,), found=(width,))


def _kind_of(asset: Asset) -> str:
    return type(asset).__name__.lower()


def _read_array(what: str, array: object) -> NDArray[np.float32]:
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise InvalidInput(what, expected="an array of numbers", found=str(getattr(array, "dtype", type(array).__name__)))
    return array.astype(np.float32)


def _check(name: str, what: str, array: NDArray[np.float32], ndim: int) -> None:
    if not isinstance(array, np.ndarray) or array.ndim != ndim or array.dtype != np.float32:
        raise InvalidShape(f"{what} of {name!r}", expected=("d",) * ndim, found=np.shape(array), dtype="float32")
    if not np.isfinite(array).all():
        raise InvalidInput(f"{what} of {name!r}", expected="finite numbers", found="NaN or infinity")
