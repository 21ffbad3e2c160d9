"""The steering desk of a tab: commands as the page sends them, on a tiny network in the real simulator."""

import json
import time

import numpy as np
import pytest
import torch
from safetensors.numpy import save

from panels.opening import close_app, open_app
from panels.replay import branch_from
from panels.state import Settings
from panels.steering import take_in
from sessions.activations import list_shards, read_activations
from sessions.concepts import asset_file, load_asset, save_asset
from tests.steering.tiny import LAYERS, SIDE, WIDTH, TinyPolicy
from workbench.core.catalog import Catalog
from workbench.core.errors import InvalidInput, NotStored, UnknownName, WorkbenchError, WrongMode
from workbench.core.events import EventKind
from workbench.core.protocols import PolicySpec
from workbench.core.types import CameraRequest, EpisodeConfig, Prompt
from workbench.rollout.hold import HoldPolicy
from workbench.simulation.simulators import SIMULATORS
from workbench.simulation.tasks import TASKS
from workbench.steering.assets import Direction, Place
from workbench.steering.concepts import Concept, ConceptKind
from workbench.steering.mix import parse_mix

SCOPE = {"tokens": "all", "first_pass": 0, "last_pass": None, "start_s": 0.0, "stop_s": None, "gate": None}


class Tiny(TinyPolicy):
    """Hears "up" or not, and moves a tenth as far as the network says."""

    def __init__(self, simulator=None):
        super().__init__()
        cameras = (CameraRequest("front", SIDE, SIDE),)
        self.spec = PolicySpec("tiny", cameras=cameras, prompts=frozenset({"text"}), action_horizon=2, has_intention=True)

    def act(self, observation, prompt, rng):
        chunk = super().act(observation, Prompt(text="lift up" if "up" in prompt.text else "lower down"), rng)
        chunk.actions[:] *= 0.1
        return chunk


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    torch.set_num_threads(1)
    policies = Catalog("policy")
    policies.add("sketch", lambda: lambda simulator: HoldPolicy())
    policies.add("tiny", lambda: Tiny)
    state = open_app(Settings(tmp_path_factory.mktemp("root")), simulators=SIMULATORS, policies=policies, tasks=TASKS)
    yield state
    close_app(state)


@pytest.fixture(scope="module")
def tab(lab):
    """A tab whose tiny policy has driven some steps that are stored."""
    session = lab.live.create("tab")
    session.heard = []
    session.attach(session.heard.append)
    for seed in (1, 2):
        session.controller.start(EpisodeConfig("pick", seed), policy="tiny").result(60)
        run(session, 12)
    session.controller.start(EpisodeConfig("pick", 3), policy="tiny").result(60)
    assert lab.recorder.flush()
    return session


@pytest.fixture(autouse=True)
def clean(tab):
    yield
    if tab.controller.status().policy != "tiny":
        tab.controller.set_policy("tiny")
        tab.controller.call(lambda simulator: None).result(60)
    tab.command("reset_steering")


def run(session, count):
    wanted = session.controller.status().step + count
    session.controller.step_once(count)
    wait(lambda: session.controller.status().step >= wanted or session.controller.status().error)
    assert not session.controller.status().error


def wait(condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def slot(edit, name="edit", **more):
    return {"name": name, "edit": {"scope": SCOPE, **edit}, "is_muted": False, "is_solo": False, "loop": None, **more}


def desk(*slots):
    return {"mix": {"version": 1, "slots": list(slots)}}


def clamp(alpha=4.0, neurons=(3, 60), **more):
    return slot({"kind": "clamp_neurons", "stack": "decoder", "neurons": list(neurons), "alpha": alpha}, **more)


def heard(tab, kind):
    return [m for m in tab.heard if m["type"] == kind]


def job(tab, kind, **args):
    tab.command("start_steering_job", {"kind": kind, "args": args})
    wait(lambda: not tab.steering.lab.jobs.status.is_running)
    wait(lambda: heard(tab, "steering_job") and not heard(tab, "steering_job")[-1]["is_running"])
    last = heard(tab, "steering_job")[-1]
    assert not last["error"], last
    return last["result"]


def test_a_desk_acts_is_told_to_the_page_and_stored(tab):
    assert tab.command("set_steering", desk(clamp(), clamp(name="more", is_muted=True))) == {"steered_by": ["edit"]}
    assert tab.status()["steering"] == {"is_possible": True, "by": ["edit"]}
    told = heard(tab, "steering")[-1]
    assert [s["name"] for s in told["mix"]["slots"]] == ["edit", "more"] and told["stacks"][0]["num_layers"] == LAYERS
    events = [e for e in tab.controller.history().events() if e.kind is EventKind.STEERING]
    assert parse_mix(events[-1].payload) == parse_mix(desk(clamp(), clamp(name="more", is_muted=True))["mix"])


@pytest.mark.parametrize(
    ("edit", "error"),
    [
        (clamp(1e9), InvalidInput),
        (clamp(float("nan")), InvalidInput),
        (clamp(neurons=(10**6,)), InvalidInput),
        (slot({"kind": "clamp_neurons", "stack": "nowhere", "neurons": [1], "alpha": 1.0}), UnknownName),
        (
            slot({"kind": "add_direction", "stack": "decoder", "direction": "direction-0", "layers": [1], "norms": [1.0], "dose": 0.5}),
            NotStored,
        ),
        (slot({"kind": "explode"}), InvalidInput),
        ({"name": "x"}, InvalidInput),
    ],
    ids=["alpha 1e9", "NaN", "no such neuron", "no such stack", "no such direction", "no such kind", "no edit"],
)
def test_bad_input_is_refused_with_a_message_and_the_robot_goes_on(tab, edit, error):
    tab.command("set_steering", desk(clamp()))
    with pytest.raises(error):
        tab.command("set_steering", desk(edit))
    run(tab, 2)
    assert tab.status()["steering"]["by"] == ["edit"] and not tab.status()["error"]


def test_the_largest_strength_that_is_allowed_has_a_bounded_effect(tab):
    tab.command("set_steering", desk(clamp(1000.0, neurons=range(100))))
    run(tab, 4)
    actions = np.array([s.action for s in tab.controller.history().steps()[-4:]])
    assert np.isfinite(actions).all() and (np.abs(actions[:, :3]) <= 0.03).all() and not tab.status()["error"]


def test_neurons_are_found_by_word_and_by_what_they_push(tab):
    up = tab.command("find_neurons", {"dimension": "dz", "sign": 1, "limit": 5})
    down = tab.command("find_neurons", {"dimension": "dz", "sign": -1, "limit": 5})
    assert up["num_neurons"] == LAYERS * 48 and len(up["shares"]) == LAYERS
    pushes = [row["pushes"]["dz"] for row in up["rows"]]
    assert pushes == sorted(pushes, reverse=True) and pushes[0] > 0 > down["rows"][0]["pushes"]["dz"]
    for row in tab.command("find_neurons", {"word": "lift", "layers": [1]})["rows"]:
        assert row["layer"] == 1 and any("lift" in label for label, _ in row["tokens"])


def test_neurons_are_found_by_meaning_in_the_wanted_layers_and_an_unknown_word_is_named(tab):
    found = tab.command("find_neurons", {"word": "lift", "is_by_meaning": True, "limit": 8})["rows"]
    assert len(found) == 8
    (first, *_) = tab.command("find_neurons", {"word": "lift", "is_by_meaning": True, "layers": [1], "limit": 8})["rows"]
    assert first["layer"] == 1
    with pytest.raises(UnknownName, match="liftoff"):
        tab.command("find_neurons", {"word": "liftoff", "is_by_meaning": True})


def test_a_concept_is_saved_for_its_policy_exported_and_imported(tab, lab):
    kept = tab.command("save_concept", {"name": "rise", "neurons": [3, 60, 3], "strength": 7.0})
    assert kept["neurons"] == [3, 60] and kept["is_mine"] and kept["edit"]["alpha"] == 7.0
    document = tab.command("export_concept", {"name": "rise", "policy": kept["policy"]})["document"]
    foreign = {**json.loads(json.dumps(document)), "policy": "0" * 16}
    assert not tab.command("import_concept", {"document": foreign})["is_mine"]
    listed = {(c["name"], c["is_mine"]) for c in tab.command("steering_library")["concepts"]}
    assert {("rise", True), ("rise", False)} <= listed
    tab.command("set_steering", desk(slot(kept["edit"], "rise")))
    tab.command("save_preset", {"name": "mine"})
    assert [p["name"] for p in tab.command("steering_library")["presets"]] == ["mine"]
    with pytest.raises(InvalidInput, match="neuron"):
        tab.command("save_concept", {"name": "none", "neurons": [10**6]})


def test_a_direction_of_another_policy_is_refused(tab, lab):
    foreign = Direction("theirs", Place("decoder", 1, policy="0" * 16), np.ones(WIDTH, dtype=np.float32), 1.0)
    edit = {
        "kind": "add_direction",
        "stack": "decoder",
        "direction": save_asset(lab.store, foreign),
        "layers": [1],
        "norms": [1.0],
        "dose": 0.5,
    }
    with pytest.raises(InvalidInput, match="made for this policy"):
        tab.command("set_steering", desk(slot(edit)))
    with pytest.raises(InvalidInput, match="made for this policy"):
        path = lab.settings.root_dir / "theirs.safetensors"
        path.write_bytes(asset_file(foreign))
        take_in(lab, tab, path, 0)


@pytest.mark.parametrize(
    ("name", "data", "match"),
    [
        ("v.safetensors", save({"vector": np.ones(WIDTH + 1, dtype=np.float32)}), "shape"),
        ("v.safetensors", save({"vector": np.full(WIDTH, np.nan, dtype=np.float32)}), "NaN|finite"),
        ("v.safetensors", save({"other": np.ones(WIDTH, dtype=np.float32)}), "vector"),
        ("v.safetensors", b"PK not tensors", "safetensors"),
        ("v.json", b"{", "JSON"),
        ("v.json", json.dumps(Concept("x", "p", "decoder", ConceptKind.DIRECTION, asset="direction-1").to_dict()).encode(), "asset"),
    ],
    ids=["wrong shape", "NaN", "no vector", "no tensors", "no JSON", "concept without its direction"],
)
def test_a_file_that_does_not_fit_is_refused_with_the_reason(tab, lab, tmp_path, name, data, match):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(WorkbenchError, match=match):
        take_in(lab, tab, tmp_path / name, 1)


def test_a_vector_of_ones_own_becomes_a_direction_that_steers(tab, lab, tmp_path):
    (tmp_path / "mine.safetensors").write_bytes(save({"vector": np.ones(WIDTH, dtype=np.float32)}))
    take_in(lab, tab, tmp_path / "mine.safetensors", 1)
    (asset,) = [a for a in tab.command("steering_library")["assets"] if a["name"] == "mine"]
    edit = {"kind": "add_direction", "stack": "decoder", "direction": asset["id"], "layers": [1], "norms": [asset["norm"]], "dose": 1.0}
    tab.command("set_steering", desk(slot(edit)))
    run(tab, 2)
    assert tab.status()["steering"]["by"] == ["edit"]


def test_longer_jobs_make_what_can_be_put_on_the_desk(tab, lab):
    base = {"layer": 1, "count": 16}
    measured = job(tab, "activity", count=8)
    assert 0 < measured["num_calls"] <= 8 and len(measured["norms"]) == LAYERS
    assert "activity" in tab.command("find_neurons", {"limit": 1})["rows"][0]
    words = job(tab, "words", name="up", positive="go up", negative="go down", **base)
    assert words["kind"] == "words" and isinstance(load_asset(lab.store, words["asset"]), Direction)
    probe = job(tab, "probe", name="height", label="height", **base)
    sae = job(tab, "sae", name="parts", num_active=4, epochs=2, **base)
    edits = [
        slot({"kind": "add_direction", "stack": "decoder", "direction": words["asset"], "layers": [1], "norms": [1.0], "dose": 0.5}, "a"),
        slot({"kind": "remove_direction", "stack": "decoder", "direction": words["asset"], "layers": [1], "share": 1.0}, "b"),
        slot({"kind": "clamp_reading", "stack": "decoder", "probe": probe["asset"], "low": 0.1, "high": None}, "c"),
        slot({"kind": "steer_feature", "stack": "decoder", "sae": sae["asset"], "feature": 2, "mode": "add", "value": 1.0}, "d"),
    ]
    tab.command("set_steering", desk(*edits))
    run(tab, 2)
    assert tab.status()["steering"]["by"] == ["a", "b", "c", "d"] and not tab.status()["error"]
    ranking = job(tab, "ranking", neurons=[3, 60], dimension="dz", alpha=4.0, count=8)
    assert len(ranking["effects"]) == 2 and ranking["band"][0] <= ranking["band"][1]


def test_what_the_action_depends_on_is_measured_beside_the_running_policy(tab):
    tab.command("explain_action", {"camera": "front", "cells": 2})
    wait(lambda: not tab.steering.lab.jobs.status.is_running)
    wait(lambda: (heard(tab, "steering_job")[-1]["result"] or {}).get("kind") == "occlusion")
    found = heard(tab, "steering_job")[-1]["result"]["map"]
    assert (found["width"], found["height"], found["camera"]) == (2, 2, "front") and found["peak"] >= 0


def test_a_cancelled_job_ends_and_says_so(tab):
    tab.command("start_steering_job", {"kind": "activity", "args": {"count": 2000}})
    with pytest.raises(WrongMode, match="another job"):
        tab.command("start_steering_job", {"kind": "activity", "args": {"count": 8}})
    tab.command("cancel_steering_job")
    wait(lambda: not tab.steering.lab.jobs.status.is_running)
    status = tab.steering.lab.jobs.status
    assert status.is_cancelled or status.share == 1.0
    assert not status.error


def test_instruments_show_the_calls_that_act_and_nothing_when_hidden(tab):
    wish = {"has_strip": True, "has_lens": True, "attention_to": "front", "contributions_to": "dz"}
    tab.command("show_instruments", wish)
    run(tab, 3)
    tab.steering.poll()
    message = heard(tab, "insight")[-1]
    assert (
        message["strip"]["height"] == LAYERS and sum(s["stop"] - s["start"] for s in message["strip"]["spans"]) <= message["strip"]["width"]
    )
    assert len(message["lens"]["values"]) == LAYERS and len(message["lens"]["sure"][-1]) == 7
    assert (message["attention"]["width"], message["attention"]["camera"]) == (SIDE, "front") and len(message["contributions"]) == 10
    tab.command("show_instruments", {})
    assert heard(tab, "insight")[-1]["strip"] is None
    count = len(heard(tab, "insight"))
    run(tab, 3)
    tab.steering.poll()
    assert len(heard(tab, "insight")) == count and tab.steering.opened().seen is None
    with pytest.raises(UnknownName):
        tab.command("show_instruments", {"attention_to": "nowhere"})


def test_a_controller_tells_target_measured_and_strength(tab):
    gains = {"proportional": 4.0, "integral": 0.5, "derivative": 1.0, "low": 0.0, "high": 20.0}
    loop = {"quantity": "height", "target": 0.4, "gains": gains, "is_inverted": False}
    tab.command("set_steering", desk(clamp(name="held", loop=loop)))
    run(tab, 3)
    tab.steering.poll()
    (told,) = heard(tab, "steering_loop")[-1]["loops"]
    assert told["name"] == "held" and told["target"] == 0.4 and 0 <= told["strength"] <= 20


def test_activations_are_recorded_and_read_back_by_step(tab, lab):
    tab.controller.start(EpisodeConfig("pick", 4), policy="tiny").result(60)
    assert tab.command("record_activations", {"parts": ["residual", "neurons"], "layers": [0, 2], "tokens": "action"})["is_on"]
    run(tab, 5)
    state = tab.command("record_activations", {"is_on": False})
    assert not state["is_on"] and state["num_bytes"] > 0
    episode_id = tab.controller.status().episode_id
    (shard,) = list_shards(lab.store, episode_id)
    assert shard.num_calls == 3, "one call for two steps"
    found = read_activations(lab.store, episode_id, 3)
    assert {name: a.shape for name, a in found.items()} == {
        "decoder 0 residual": (14, WIDTH), "decoder 2 residual": (14, WIDTH), "decoder 0 neurons": (14, 48), "decoder 2 neurons": (14, 48)
    }  # fmt: skip
    assert tab.command("delete_recordings")["freed_bytes"] == state["num_bytes"]


def test_a_branch_from_the_store_goes_on_under_what_was_in_force(tab, lab):
    tab.controller.start(EpisodeConfig("pick", 5), policy="tiny").result(60)
    tab.command("reset_steering")
    run(tab, 3)
    tab.command("set_steering", desk(clamp(8.0)))
    run(tab, 5)
    episode_id, whole = tab.controller.status().episode_id, [s.action for s in tab.controller.history().steps()]
    branch_from(lab, tab, episode_id, 5)
    assert tab.status()["steering"]["by"] == ["edit"]
    run(tab, 3)
    assert np.array_equal([s.action for s in tab.controller.history().steps()], whole[5:8])
    branch_from(lab, tab, episode_id, 1)
    assert tab.status()["steering"]["by"] == []


def test_a_policy_without_an_inside_is_told_apart(tab):
    tab.controller.set_policy("sketch")
    tab.controller.call(lambda simulator: None).result(60)
    assert tab.steering.message()["stacks"] == [] and not tab.status()["steering"]["is_possible"]
    with pytest.raises(InvalidInput, match="whose network runs here"):
        tab.command("find_neurons", {})
    with pytest.raises(InvalidInput, match="shows its inside"):
        tab.command("set_steering", desk(clamp()))
    tab.command("show_instruments", {})
    tab.command("reset_steering")
