"""Edits and assets as documents: what is written is read back equal, and what is not ours is refused with the name of the field."""

import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.steering.test_steered import CONCEPTOR, DIRECTION, EDITS, PROBE, SAE
from tests.steering.tiny import tiny_anatomy
from workbench.core.errors import InvalidInput, WorkbenchError
from workbench.steering.assets import Place, asset_arrays, asset_from, asset_id, asset_to_dict, check_place
from workbench.steering.edits import ClampNeurons, edit_to_dict, parse_edit
from workbench.steering.scopes import Gate, Scope

SCOPED = ClampNeurons("decoder", (1, 2), 3.5, Scope("action dz", 1, 4, 0.5, 2.0, Gate("gripper", "<=", 0.5)))


@pytest.mark.parametrize("edit", [*EDITS, SCOPED], ids=lambda e: type(e).__name__)
def test_an_edit_survives_json(edit):
    assert parse_edit(json.loads(json.dumps(edit_to_dict(edit), allow_nan=False))) == edit


@pytest.mark.parametrize("asset", [DIRECTION, PROBE, SAE, CONCEPTOR], ids=lambda a: a.name)
def test_an_asset_survives_its_files_with_the_same_id(asset):
    data = json.loads(json.dumps(asset_to_dict(asset), allow_nan=False))
    again = asset_from(data, {k: v.copy() for k, v in asset_arrays(asset).items()})
    assert asset_id(again) == asset_id(asset)
    assert again.place == asset.place and again.name == asset.name


def test_ids_differ_when_one_number_differs():
    arrays = asset_arrays(DIRECTION) | {"vector": np.nextafter(DIRECTION.vector, 10)}
    assert asset_id(asset_from(asset_to_dict(DIRECTION), arrays)) != asset_id(DIRECTION)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("kind", "explode", "kind"),
        ("alpha", math.nan, "alpha"),
        ("alpha", 10**400, "alpha"),
        ("alpha", True, "alpha"),
        ("alpha", None, "alpha"),
        ("neurons", [1.5], "neurons, 0"),
        ("neurons", "12", "neurons"),
        ("neurons", [1, 1], "once"),
        ("surprise", 1, "surprise"),
        ("scope", {"tokens": 3}, "tokens"),
        ("scope", {"gate": {"quantity": "x", "compare": "=", "bound": 0}}, "comparison"),
    ],
)
def test_a_document_that_is_no_edit_is_refused_by_the_name_of_its_field(field, value, message):
    with pytest.raises(InvalidInput, match=message):
        parse_edit({**edit_to_dict(SCOPED), field: value})


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text() | st.integers(), lambda c: st.lists(c) | st.dictionaries(
    st.sampled_from(["kind", "stack", "neurons", "alpha", "scope", "gate", "x"]), c), max_leaves=8))  # fmt: skip
def test_no_document_brings_the_reader_down(data):
    for document in (data, {"kind": "clamp_neurons", "stack": "decoder", "neurons": data, "alpha": 1.0}):
        try:
            parse_edit(document)
        except WorkbenchError:
            continue


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "vector"),
        ({"vector": np.array(["a"])}, "numbers"),
        ({"vector": np.full(32, np.nan)}, "NaN"),
        ({"vector": np.zeros(32)}, "length"),
        ({"vector": np.ones((2, 16))}, "shape"),
    ],
)
def test_uploaded_vectors_that_do_not_fit_are_refused(arrays, message):
    with pytest.raises(InvalidInput, match=message):
        asset_from(asset_to_dict(DIRECTION), arrays)


def test_an_asset_of_another_policy_is_refused_with_both_names():
    data = asset_to_dict(DIRECTION) | {"place": {"stack": "decoder", "layer": 1, "policy": "aaaa"}}
    foreign = asset_from(data, asset_arrays(DIRECTION))
    check_place(foreign, tiny_anatomy(), "aaaa")
    with pytest.raises(InvalidInput, match=r"bbbb.*aaaa"):
        check_place(foreign, tiny_anatomy(), "bbbb")


def test_an_asset_for_another_layer_or_group_is_refused():
    for place, message in ((Place("decoder", 9), "0 to 2"), (Place("decoder", 0, "hands"), "hands"), (Place("expert", 0), "expert")):
        data = asset_to_dict(DIRECTION) | {"place": {"stack": place.stack, "layer": place.layer, "tokens": place.tokens}}
        with pytest.raises(WorkbenchError, match=message):
            check_place(asset_from(data, asset_arrays(DIRECTION)), tiny_anatomy())
