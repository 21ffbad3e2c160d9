"""Steering in trials: its text, what is found in a policy by it, and that nothing asked for changes nothing."""

import numpy as np
import pytest

from tests.steering.tiny import TinyPolicy, make_observation
from workbench.core.errors import InvalidInput, UnknownName
from workbench.core.types import Prompt
from workbench.evaluation.steering_bundles import bundle_of, parse_bundle
from workbench.evaluation.steering_finding import Finder
from workbench.evaluation.steering_recording import RecordedCall
from workbench.evaluation.steering_text import Part, Source, parse_steering, saved_names
from workbench.evaluation.steering_trials import steer_policy
from workbench.steering.assets import Direction, Place
from workbench.steering.concepts import Concept, ConceptKind, neuron_concept
from workbench.steering.hooks import recorded
from workbench.steering.sites import Part as SitePart
from workbench.steering.sites import all_sites


@pytest.fixture(scope="module")
def policy():
    return TinyPolicy()


@pytest.fixture(scope="module")
def finder(policy):
    return Finder(policy, None, [call_of(policy, seed) for seed in range(24)])


def call_of(policy, seed):
    """One recorded call of a made-up episode in which the height is what the network is shown."""
    observation = make_observation(seed)
    with recorded(policy.module, policy.sites, all_sites(policy.sites, SitePart.RESIDUAL)) as found:
        policy.act(observation, Prompt(text="lift red cube"), np.random.default_rng(0))
    residual = {(site.stack, site.layer): tensors[-1][0].numpy().astype(np.float16) for site, tensors in found.items()}
    return RecordedCall(
        seed // 4, observation, Prompt(text="lift red cube"), {"height": float(observation.part("ee_position")[2])}, residual
    )


def act(policy, seed=3):
    return policy.act(make_observation(seed), Prompt(text="lift red cube"), np.random.default_rng(0)).actions


def test_a_text_says_what_is_turned_by_how_much_and_what_counterpart():
    assert parse_steering("neurons:up/20=4~3") == (Part(Source.NEURONS, "up", number=20, strength=4.0, draw=3),)
    assert parse_steering("direction:high@height:0.2") == (Part(Source.DIRECTION, "high", quantity="height", target=0.2),)
    assert parse_steering("range:height=..0.2, reconstruct:tokens") == (
        Part(Source.RANGE, "height", high=0.2),
        Part(Source.RECONSTRUCT, "tokens"),
    )
    assert parse_steering("") == () and saved_names("concept:my up=3,neurons:up=1") == ("my up",)


@pytest.mark.parametrize(
    "text",
    ["neurons:up", "neurons:up=nan", "neurons:up=1e9", "neurons:up/0=1", "range:height=0.2", "reconstruct:tokens=1", "up=4", "neurons:up=4~x", "x" * 500],
)  # fmt: skip
def test_a_text_that_cannot_be_meant_is_refused(text):
    with pytest.raises(InvalidInput):
        parse_steering(text)


@pytest.mark.parametrize("text", ["cells:up=1", "neurons:sideways=1", "direction:up@height:0.2", "direction:high@temperature:3"])
def test_an_unknown_name_lists_the_known_ones(text):
    with pytest.raises(UnknownName, match="Known"):
        parse_steering(text)


@pytest.mark.parametrize("text", ["", "concept:mine=0", "range:height=-1000..1000"])
def test_nothing_asked_for_changes_no_bit(finder, policy, text):
    saved = {"mine": bundle_of(direction_concept(finder), [direction(finder)]).to_dict()}
    assert act(steer_policy(finder, text, saved)).tobytes() == act(policy).tobytes()


def test_neurons_found_for_up_raise_dz_and_those_for_down_lower_it_beyond_random_ones(finder, policy):
    plain = act(policy)[:, 2].mean()
    moved = {text: act(steer_policy(finder, f"neurons:{text}"))[:, 2].mean() - plain for text in ("up/8=6", "down/8=6")}
    band = [act(steer_policy(finder, f"neurons:up/8=6~{draw}"))[:, 2].mean() - plain for draw in range(5)]
    assert moved["up/8=6"] > max(band) > min(band) > moved["down/8=6"]


def test_quick_neurons_prefer_the_outer_bins(finder, policy):
    pushes = finder._paces()
    quick, slow = finder.neurons("quick", 5), finder.neurons("slow", 5)
    assert pushes[list(quick)].min() > 0 > pushes[list(slow)].max() and not set(quick) & set(slow)


def test_a_counterpart_is_the_same_every_time_and_another_for_each_number(finder):
    first, again, other = (act(steer_policy(finder, f"neurons:up=4~{draw}")) for draw in (1, 1, 2))
    assert first.tobytes() == again.tobytes() != other.tobytes()


def test_a_range_pushes_what_the_probe_reads_and_only_when_it_is_outside(finder, policy):
    assert act(steer_policy(finder, "range:height=5..")).tobytes() != act(policy).tobytes()


def test_a_reconstruction_of_mean_tokens_changes_more_than_one_token_by_token(finder, policy):
    plain = act(policy)
    gaps = [np.abs(act(steer_policy(finder, f"reconstruct:{name}")) - plain).mean() for name in ("tokens", "pooled")]
    assert 0 < gaps[0] < gaps[1] and act(policy).tobytes() == plain.tobytes()


def direction(finder):
    vector = np.random.default_rng(1).normal(size=finder.stack.width).astype(np.float32)
    return Direction("mine", Place(finder.stack.name, 1, "action", finder.fingerprint), vector, 2.0)


def direction_concept(finder):
    from workbench.steering.assets import asset_id

    made = direction(finder)
    return Concept(
        "mine", finder.fingerprint, finder.stack.name, ConceptKind.DIRECTION, asset=asset_id(made), layers=(1,), norms=(2.0,), strength=0.5
    )


def test_a_saved_concept_acts_as_a_trial_asks_and_comes_back_whole_from_its_document(finder, policy):
    bundle = bundle_of(direction_concept(finder), [direction(finder)])
    read = parse_bundle(bundle.to_dict())
    assert read.to_dict() == bundle.to_dict() and read.assets.keys() == bundle.assets.keys()
    saved = {"mine": bundle.to_dict()}
    own, more = (act(steer_policy(finder, text, saved)) for text in ("concept:mine", "concept:mine=1"))
    assert act(policy).tobytes() != own.tobytes() != more.tobytes()


def test_a_concept_of_another_policy_is_refused(finder):
    other = neuron_concept("mine", "0" * 16, finder.stack, (3, 4))
    with pytest.raises(InvalidInput, match="found in this policy"):
        steer_policy(finder, "concept:mine=4", {"mine": other.to_dict()})
    with pytest.raises(UnknownName, match="saved concept"):
        steer_policy(finder, "concept:mine=4", {})


@pytest.mark.parametrize(
    "damage",
    [
        lambda asset: asset["arrays"]["vector"].update(float32="!"),
        lambda asset: asset["arrays"]["vector"].update(shape=[10**9, 10**9]),
        lambda asset: asset.update(arrays=3),
        lambda asset: asset.update(norm=-1.0),
        lambda asset: asset.update(norm=7.0),
    ],
)
def test_a_damaged_document_is_refused(finder, damage):
    document = bundle_of(direction_concept(finder), [direction(finder)]).to_dict()
    damage(document["format_asset"])
    with pytest.raises(InvalidInput):
        parse_bundle(document)
