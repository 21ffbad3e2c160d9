"""A saved concept with the direction, autoencoder or conceptor that it names, as one JSON document that a campaign can carry along."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput, TooLarge
from workbench.steering.assets import Asset, Library, asset_arrays, asset_from, asset_to_dict, library_of
from workbench.steering.concepts import Concept, parse_concept

MAX_NUMBERS: Final = 20_000_000
"""Numbers in one array."""
_ASSET: Final = "format_asset"
"""Key of the asset in an exported concept."""


@dataclass(frozen=True, eq=False)
class ConceptBundle:
    """A concept and what its edit names by id."""

    concept: Concept
    assets: Library

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values, in the form in which concepts are exported."""
        document = self.concept.to_dict()
        for asset in self.assets.values():
            document[_ASSET] = asset_document(asset)
        return document


def bundle_of(concept: Concept, assets: Iterable[Asset] = ()) -> ConceptBundle:
    """Return a concept with its asset."""
    return ConceptBundle(concept, library_of(assets))


def parse_bundle(data: object) -> ConceptBundle:
    """Read what :meth:`ConceptBundle.to_dict` wrote: an exported concept.

    Raises:
        InvalidInput: it is none, or its asset is missing or another one; the message names the field.
    """
    concept = parse_concept(data)
    document = data.get(_ASSET) if isinstance(data, Mapping) else None
    assets = {} if document is None else library_of([asset_from_document(document)])
    if concept.asset and concept.asset not in assets:
        found = ", ".join(assets) or "none"
        raise InvalidInput(f"concept {concept.name!r}", expected=f"its {concept.kind} {concept.asset}", found=found, fix="Export it again.")
    return ConceptBundle(concept, assets)


def asset_document(asset: Asset) -> dict[str, Any]:
    """Return an asset as JSON values; its arrays as base64 of little-endian float32."""
    arrays = {
        name: {"shape": list(array.shape), "float32": base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode()}
        for name, array in asset_arrays(asset).items()
    }
    return {**asset_to_dict(asset), "arrays": arrays}


def asset_from_document(document: object) -> Asset:
    """Return an asset from what :func:`asset_document` returned.

    Raises:
        InvalidInput: the document does not follow the form.
    """
    if not isinstance(document, Mapping) or not isinstance(document.get("arrays"), Mapping):
        raise InvalidInput("asset of a concept", expected="an object with 'arrays'", found=type(document).__name__)
    arrays = {str(name): _array(str(name), value) for name, value in document["arrays"].items()}
    return asset_from({k: v for k, v in document.items() if k != "arrays"}, arrays)


def _array(name: str, value: object) -> NDArray[np.float32]:
    shape = value.get("shape") if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping) or not isinstance(shape, list) or not all(type(n) is int and n > 0 for n in shape):
        raise InvalidInput(f"array {name!r}", expected="a shape of whole numbers, with data", found=repr(shape)[:60])
    size = math.prod(shape)
    if size > MAX_NUMBERS:
        raise TooLarge(f"array {name!r}", limit=f"{MAX_NUMBERS} numbers", found=str(size))
    try:
        blob = base64.b64decode(str(value.get("float32", "")), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(f"array {name!r}", expected="base64", found="something else") from error
    if len(blob) != 4 * size:
        raise InvalidInput(f"array {name!r}", expected=f"{4 * size} bytes", found=str(len(blob)))
    return np.frombuffer(blob, "<f4").reshape(shape).astype(np.float32)
