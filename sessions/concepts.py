"""Concepts, presets and what they refer to in the store: named, versioned, and bound to the weights of the policy they were found in."""

from __future__ import annotations

import base64
import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import safetensors
from numpy.typing import NDArray
from safetensors.numpy import load, save

from sessions.reading import decoding
from sessions.store import Store
from sessions.writing import json_text
from workbench.core.errors import InvalidInput, NotStored, UnknownName
from workbench.steering.assets import Asset, asset_arrays, asset_from, asset_id, asset_to_dict
from workbench.steering.concepts import Concept, parse_concept
from workbench.steering.mix import Mix, parse_mix

_NEWEST: Final = "SELECT * FROM concepts c WHERE num = (SELECT max(num) FROM concepts d WHERE d.name = c.name AND d.policy = c.policy)"
_META: Final = "asset"
"""Key of the description in the header of a file of tensors."""


@dataclass(frozen=True)
class Preset:
    """A whole desk under a name."""

    name: str
    policy: str
    """Fingerprint of the weights that it was made for."""
    mix: Mix


# Assets


def save_asset(store: Store, asset: Asset, *, is_listed: bool = True) -> str:
    """Keep a direction, probe, autoencoder or conceptor, and return its id; equal contents are kept once.

    One that is not listed can be branched from, but is not offered; one that was listed before stays so.
    """
    id, meta = asset_id(asset), asset_to_dict(asset)
    row = [id, meta["kind"], asset.name, asset.place.policy, json_text(meta), save(asset_arrays(asset)), time.time()]
    with store.transaction() as connection:
        connection.execute(
            "INSERT OR IGNORE INTO steering_assets (id, kind, name, policy, meta, arrays, made, is_deleted) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [*row, int(not is_listed)],
        )
        if is_listed:
            connection.execute("UPDATE steering_assets SET is_deleted = 0 WHERE id = ?", [id])
    return id


def load_asset(store: Store, id: str) -> Asset:
    """Return what was kept under an id, deleted or not; raises NotStored when there is nothing."""
    with store.reading() as connection:
        row = connection.execute("SELECT meta, arrays FROM steering_assets WHERE id = ?", [id]).fetchone()
    if row is None:
        raise NotStored(f"Steering asset {id}", reason="there is none of that id", fix="Import the concept that it belongs to.")
    with decoding(f"Steering asset {id}"):
        return asset_from(json.loads(row["meta"]), load(bytes(row["arrays"])))


def load_assets(store: Store, ids: Iterable[str]) -> dict[str, Asset]:
    """Return what was kept under some ids; errors as :func:`load_asset`."""
    return {id: load_asset(store, id) for id in ids}


def find_assets(store: Store, ids: Iterable[str]) -> dict[str, Asset]:
    """Return those of some ids that are there: an episode from another workbench may have been steered by others."""
    with store.reading() as connection:
        known = {id for id in ids if connection.execute("SELECT 1 FROM steering_assets WHERE id = ?", [id]).fetchone()}
    return load_assets(store, known)


def list_assets(store: Store, policy: str) -> dict[str, dict[str, Any]]:
    """Return the descriptions of what was made for some weights, by id, newest first."""
    query = "SELECT id, meta FROM steering_assets WHERE policy IN (?, '') AND NOT is_deleted ORDER BY num DESC"
    with store.reading() as connection:
        rows = connection.execute(query, [policy]).fetchall()
    return {str(row["id"]): dict(json.loads(row["meta"])) for row in rows}


def delete_asset(store: Store, id: str) -> None:
    """Take an asset off the list; episodes that were steered by it can still be branched. Raises NotStored when there is none."""
    with store.transaction() as connection:
        if connection.execute("UPDATE steering_assets SET is_deleted = 1 WHERE id = ?", [id]).rowcount != 1:
            raise NotStored(f"Steering asset {id}", reason="there is none of that id")


# Concepts


def save_concept(store: Store, concept: Concept) -> Concept:
    """Keep a concept as the next version of its name, and return it with that version."""
    with store.transaction() as connection:
        query = "SELECT coalesce(max(version), 0) FROM concepts WHERE name = ? AND policy = ?"
        (last,) = connection.execute(query, [concept.name, concept.policy]).fetchone()
        kept = replace(concept, version=int(last) + 1)
        connection.execute(
            "INSERT INTO concepts (name, policy, version, kind, document, made) VALUES (?, ?, ?, ?, ?, ?)",
            [kept.name, kept.policy, kept.version, kept.kind.value, json_text(kept.to_dict()), time.time()],
        )
    return kept


def list_concepts(store: Store) -> tuple[Concept, ...]:
    """Return the newest version of each concept of every policy, by name."""
    with store.reading() as connection:
        rows = connection.execute(f"{_NEWEST} AND NOT is_deleted ORDER BY name, policy").fetchall()
    return tuple(_concept(row) for row in rows)


def find_concept(store: Store, name: str, policy: str, version: int | None = None) -> Concept:
    """Return one version of a concept, by default the newest; raises NotStored when there is none."""
    query = "SELECT * FROM concepts WHERE name = ? AND policy = ? AND version = coalesce(?, version) ORDER BY version DESC LIMIT 1"
    with store.reading() as connection:
        row = connection.execute(query, [name, policy, version]).fetchone()
    if row is None:
        raise NotStored(f"Concept {name}", reason="there is none of that name for this policy")
    return _concept(row)


def delete_concept(store: Store, name: str, policy: str) -> None:
    """Take a concept off the list; saving one of that name goes on with the next version. Raises NotStored when there is none."""
    with store.transaction() as connection:
        if not connection.execute("UPDATE concepts SET is_deleted = 1 WHERE name = ? AND policy = ?", [name, policy]).rowcount:
            raise NotStored(f"Concept {name}", reason="there is none of that name for this policy")


def export_concept(store: Store, concept: Concept) -> dict[str, Any]:
    """Return a concept as a JSON document, with the direction, autoencoder or conceptor that it names; errors as :func:`load_asset`."""
    document = concept.to_dict()
    if concept.asset:
        asset = load_asset(store, concept.asset)
        document["format_asset"] = {**asset_to_dict(asset), "arrays": {k: _packed(v) for k, v in asset_arrays(asset).items()}}
    return document


def export_latest(store: Store, name: str) -> dict[str, Any]:
    """Return the concept that was last saved under a name, for whatever weights, as :func:`export_concept`.

    Raises:
        UnknownName: there is none; the message lists the names that there are.
    """
    with store.reading() as connection:
        query = "SELECT * FROM concepts WHERE name = ? AND NOT is_deleted ORDER BY num DESC LIMIT 1"
        row = connection.execute(query, [name]).fetchone()
    if row is None:
        raise UnknownName("saved concept", name, (c.name for c in list_concepts(store)))
    return export_concept(store, _concept(row))


def import_concept(store: Store, document: object) -> Concept:
    """Keep a concept that was exported, here or elsewhere.

    Raises:
        InvalidInput: the document is not a concept, or its asset is missing or another one.
    """
    concept = parse_concept(document)
    packed = document.get("format_asset") if isinstance(document, Mapping) else None
    if concept.asset:
        asset = _unpacked(packed)
        if asset_id(asset) != concept.asset:
            raise InvalidInput(f"concept {concept.name!r}", expected=f"its {concept.kind} {concept.asset}", found=asset_id(asset))
        save_asset(store, asset)
    return save_concept(store, concept)


# Presets


def save_preset(store: Store, preset: Preset) -> None:
    """Keep a desk under a name, in place of an older one of that name."""
    name = preset.name.strip()
    if not 1 <= len(name) <= 100:
        raise InvalidInput("name of a preset", expected="1 to 100 characters", found=repr(preset.name[:40]))
    row = [name, preset.policy, json_text(preset.mix.to_dict()), time.time()]
    with store.transaction() as connection:
        connection.execute("INSERT OR REPLACE INTO steering_presets (name, policy, mix, made) VALUES (?, ?, ?, ?)", row)


def list_presets(store: Store, policy: str) -> tuple[Preset, ...]:
    """Return the presets for some weights, by name."""
    with store.reading() as connection:
        rows = connection.execute("SELECT * FROM steering_presets WHERE policy = ? ORDER BY name", [policy]).fetchall()
    with decoding("Steering preset"):
        return tuple(Preset(str(row["name"]), str(row["policy"]), parse_mix(json.loads(row["mix"]))) for row in rows)


def delete_preset(store: Store, name: str, policy: str) -> None:
    """Remove a preset; raises NotStored when there is none."""
    with store.transaction() as connection:
        if not connection.execute("DELETE FROM steering_presets WHERE name = ? AND policy = ?", [name, policy]).rowcount:
            raise NotStored(f"Preset {name}", reason="there is none of that name for this policy")


# Files


def read_tensors(data: bytes) -> dict[str, NDArray[Any]]:
    """Return the tensors of an uploaded safetensors file.

    Raises:
        InvalidInput: it is none, or holds types that numpy does not know.
    """
    return _loading(lambda: load(data), data)


def read_description(data: bytes) -> dict[str, Any]:
    """Return what the header of a safetensors file says of the asset in it; empty for a bare file of tensors."""
    length = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + min(length, 1 << 20)])
        found = json.loads(header.get("__metadata__", {}).get(_META, "{}"))
    except (ValueError, AttributeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def asset_file(asset: Asset) -> bytes:
    """Return an asset as a safetensors file that describes itself."""
    return save(asset_arrays(asset), metadata={_META: json.dumps(asset_to_dict(asset))})


def _loading(read: Callable[[], dict[str, NDArray[Any]]], data: bytes) -> dict[str, NDArray[Any]]:
    try:
        return read()
    except (safetensors.SafetensorError, KeyError, ValueError, TypeError) as error:
        found = f"{len(data)} bytes that are not ({str(error)[:80]})"
        raise InvalidInput(
            "uploaded file", expected="safetensors with float tensors", found=found, fix="Save it with safetensors."
        ) from error


def _packed(array: NDArray[np.float32]) -> dict[str, Any]:
    values = np.ascontiguousarray(array, dtype="<f4")
    return {"shape": list(values.shape), "float32": base64.b64encode(values.tobytes()).decode()}


def _unpacked(packed: object) -> Asset:
    what = "asset of the concept"
    if not isinstance(packed, Mapping) or not isinstance(packed.get("arrays"), Mapping):
        raise InvalidInput(what, expected="an object with arrays", found=type(packed).__name__, fix="Export the concept again.")
    arrays = {}
    for name, item in packed["arrays"].items():
        try:
            values = np.frombuffer(base64.b64decode(item["float32"], validate=True), "<f4")
            arrays[str(name)] = values.reshape(item["shape"]).astype(np.float32)
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput(f"{what}, {name}", expected="a shape and its float32 numbers in base64", found="something else") from error
    return asset_from({k: v for k, v in packed.items() if k != "arrays"}, arrays)


def _concept(row: sqlite3.Row) -> Concept:
    with decoding("Stored concept"):
        return parse_concept(json.loads(row["document"]))
