"""Concepts, presets and their assets in the store."""

import json

import numpy as np
import pytest

from sessions.concepts import (
    Preset,
    asset_file,
    delete_asset,
    delete_concept,
    delete_preset,
    export_concept,
    find_assets,
    find_concept,
    import_concept,
    list_assets,
    list_concepts,
    list_presets,
    load_asset,
    read_description,
    read_tensors,
    save_asset,
    save_concept,
    save_preset,
)
from sessions.store import Store
from workbench.core.errors import InvalidInput, NotStored
from workbench.steering.assets import Direction, Place, asset_arrays, asset_id
from workbench.steering.concepts import Concept, ConceptKind
from workbench.steering.edits import ClampNeurons
from workbench.steering.mix import Mix, Slot

POLICY = "a" * 16


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "workbench.db") as opened:
        yield opened


def direction(seed=0):
    vector = np.random.default_rng(seed).normal(size=8).astype(np.float32)
    return Direction("up", Place("decoder", 1, policy=POLICY), vector, 2.5, "a test", {"auc": 0.9})


def concept(**fields):
    return Concept(**{"name": "fast", "policy": POLICY, "stack": "decoder", "kind": ConceptKind.NEURONS, "neurons": (3, 70), **fields})


def test_a_concept_gets_a_new_version_each_time_and_the_newest_is_listed(store):
    assert save_concept(store, concept()).version == 1
    assert save_concept(store, concept(neurons=(5,))).version == 2
    save_concept(store, concept(policy="b" * 16))
    assert [(c.policy, c.neurons, c.version) for c in list_concepts(store)] == [(POLICY, (5,), 2), ("b" * 16, (3, 70), 1)]
    assert find_concept(store, "fast", POLICY, 1).neurons == (3, 70)
    delete_concept(store, "fast", POLICY)
    assert len(list_concepts(store)) == 1 and save_concept(store, concept()).version == 3
    with pytest.raises(NotStored):
        find_concept(store, "slow", POLICY)


def test_an_exported_concept_comes_back_with_its_direction_in_another_store(store, tmp_path):
    id = save_asset(store, direction())
    kept = save_concept(store, concept(name="rise", kind=ConceptKind.DIRECTION, neurons=(), asset=id, layers=(1,), norms=(2.5,)))
    document = json.loads(json.dumps(export_concept(store, kept)))
    with Store.open(tmp_path / "other.db") as other:
        assert import_concept(other, document) == kept
        assert np.array_equal(load_asset(other, id).vector, direction().vector)
        document["format_asset"]["arrays"]["vector"]["float32"] = "AAAA"
        with pytest.raises(InvalidInput, match="vector"):
            import_concept(other, document)
        for bad in ({}, [], {**document, "format_asset": None}, {**document, "strength": float("nan")}):
            with pytest.raises(InvalidInput):
                import_concept(other, bad)


def test_equal_assets_are_kept_once_and_a_deleted_one_can_still_be_loaded(store):
    id = save_asset(store, direction())
    assert save_asset(store, direction()) == id == asset_id(direction())
    assert list(list_assets(store, POLICY)) == [id] and not list_assets(store, "other")
    delete_asset(store, id)
    assert not list_assets(store, POLICY) and load_asset(store, id).name == "up"
    save_asset(store, direction())
    assert list(list_assets(store, POLICY)) == [id]
    assert list(find_assets(store, [id, "direction-0"])) == [id], "what another workbench has is left out"
    with pytest.raises(NotStored):
        load_asset(store, "direction-0")


def test_a_file_of_tensors_describes_itself_and_anything_else_is_refused():
    data = asset_file(direction())
    assert read_description(data)["name"] == "up"
    assert np.array_equal(read_tensors(data)["vector"], asset_arrays(direction())["vector"])
    for bad in (b"", b"PK\x03\x04", bytes(100), data[:40]):
        with pytest.raises(InvalidInput, match="safetensors"):
            read_tensors(bad)
        read_description(bad)


def test_presets_belong_to_a_policy_and_replace_each_other(store):
    mix = Mix((Slot("fast", ClampNeurons("decoder", (1, 2), 4.0)),))
    save_preset(store, Preset("both", POLICY, Mix()))
    save_preset(store, Preset("both", POLICY, mix))
    assert list_presets(store, POLICY) == (Preset("both", POLICY, mix),) and not list_presets(store, "other")
    delete_preset(store, "both", POLICY)
    assert not list_presets(store, POLICY)
    with pytest.raises(InvalidInput, match="name"):
        save_preset(store, Preset("  ", POLICY, mix))
