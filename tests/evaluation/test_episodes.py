"""Trials: the funnel of scripted episodes whose outcome is known, and what is measured on the way."""

import numpy as np
import pytest

from workbench.core.errors import UnknownName, Unreachable
from workbench.core.geometry import Pinhole
from workbench.core.protocols import PolicySpec
from workbench.core.types import ActionChunk, Intention, Trace
from workbench.evaluation.episodes import run_trial, trace_gap
from workbench.evaluation.funnel import MEASURES
from workbench.evaluation.settings import Setting
from workbench.rollout.hold import HoldPolicy
from workbench.simulation.expert import ScriptedExpert
from workbench.simulation.manner import MANNERS
from workbench.simulation.scene import PropKind

SEED = 1000


class Scripted:
    """Goes where ``aim(simulator)`` says, gripper shut, at half a centimetre a step."""

    spec = PolicySpec("scripted")

    def __init__(self, simulator, aim, intention=None):
        self.simulator, self.aim, self.intention = simulator, aim, intention

    def reset(self, rng):
        pass

    def act(self, observation, prompt, rng):
        way = self.aim(self.simulator) - self.simulator.world.ee_position
        action = np.zeros(7, dtype=np.float32)
        action[:3] = way * min(1.0, 0.02 / max(np.linalg.norm(way), 1e-9))
        return ActionChunk(action[None], 20.0, intention=self.intention)


def over(role, height):
    return lambda simulator: simulator.world.position(simulator.instance.roles[role]) + np.array([0.0, 0.0, height])


def test_an_idle_policy_gets_nowhere(simulator):
    trial = run_trial(simulator, HoldPolicy(), "pick", SEED, "none")
    assert not trial.is_success and trial.num_steps == 240
    assert [trial.measures[name] for name in ("near", "went", "held", "moved_wrong")] == [0, 0, 0, 0]
    assert "mean_speed" not in trial.measures and "clearance" not in trial.measures


def test_a_trial_may_be_cut_short_or_go_on_until_the_policy_is_done(simulator):
    assert run_trial(simulator, HoldPolicy(), "pick", SEED, "none", setting=Setting(limit_s=0.5)).num_steps == 10
    expert = ScriptedExpert(simulator)
    first, whole = (run_trial(simulator, expert, "pick", SEED, "none", setting=s) for s in (Setting(), Setting(is_until_done=True)))
    assert first.is_success and whole.is_success and whole.num_steps >= first.num_steps
    assert whole.path[: len(first.path)] == first.path


def test_hovering_over_the_thing_is_intention_and_nothing_more(simulator):
    trial = run_trial(simulator, Scripted(simulator, over("target", 0.035)), "pick", SEED, "none")
    assert [trial.measures[name] for name in ("near", "went", "held")] == [1, 1, 0] and not trial.is_success


def test_going_to_another_thing_first_is_no_intention(simulator):
    def aim(bench):
        other = next(p.name for p in bench.world.scene.props if p.name != bench.instance.roles["target"])
        seconds = bench.world.time_s
        return bench.world.position(other) + np.array([0, 0, 0.035]) if seconds < 4 else over("target", 0.03)(bench)

    trial = run_trial(simulator, Scripted(simulator, aim), "pick", SEED, "none")
    assert trial.measures["near"] == 1 and trial.measures["went"] == 0


@pytest.mark.parametrize("task", ["touch", "place_on_plate", "press_button", "open_drawer"])
def test_the_expert_passes_the_whole_funnel(simulator, task):
    trial = run_trial(simulator, ScriptedExpert(simulator), task, SEED, "words")
    assert trial.is_success and trial.note == ""
    assert [trial.measures[name] for name in ("near", "went", "held", "moved_wrong")] == [1, 1, 1, 0]
    assert trial.measures.get("reached", 1.0) == 1.0 and set(trial.measures) <= set(MEASURES)
    assert len(trial.path) == trial.num_steps + 1


def test_a_quick_expert_is_measured_quicker_and_a_high_one_higher(simulator):
    def measure(manner, name):
        expert = ScriptedExpert(simulator, manner=MANNERS[manner])
        return run_trial(simulator, expert, "place_on_plate", SEED, f"words:{manner}").measures[name]

    assert measure("quick", "mean_speed") / measure("slow", "mean_speed") > 1.5
    assert measure("high", "clearance") - measure("low", "clearance") > 0.04


def test_a_trial_is_the_same_every_time(simulator):
    first, second = (run_trial(simulator, ScriptedExpert(simulator), "stack", SEED, "mask+trace") for _ in range(2))
    assert first == second


def test_what_a_policy_cannot_do_is_named(simulator):
    class Refusing(HoldPolicy):
        def act(self, observation, prompt, rng):
            raise Unreachable("step 1", reason="too far")

    trial = run_trial(simulator, Refusing(), "pick", SEED, "none")
    assert not trial.is_success and trial.num_steps == 0 and "too far" in trial.note


def test_an_unknown_task_is_refused(simulator):
    with pytest.raises(UnknownName, match="Known"):
        run_trial(simulator, HoldPolicy(), "juggle", SEED, "words")


def test_a_predicted_trace_is_held_against_what_was_driven(simulator):
    told = Intention(trace=Trace("front", 512, 512, ((100.0, 100.0), (120.0, 100.0))))
    trial = run_trial(simulator, Scripted(simulator, over("target", 0.05), told), "pick", SEED, "none")
    assert trial.measures["trace_px"] > 0


def test_points_on_the_driven_path_are_no_pixels_away_from_it():
    pose = np.eye(4)
    camera = Pinhole("front", 256, 256, 256.0, 256.0, 128.0, 128.0, pose)
    path = np.array([[0.0, 0.0, 1.0], [0.25, 0.0, 1.0]])  # pixels (128, 128) to (192, 128)
    assert trace_gap(np.array([[128.0, 128.0], [160.0, 128.0]]), path, camera) == pytest.approx(0.0)
    assert trace_gap(np.array([[160.0, 131.0], [195.0, 124.0]]), path, camera) == pytest.approx((3.0 + 5.0) / 2)


def test_a_policy_that_follows_traces_hears_only_what_lies_ahead(simulator):
    class Listening(ScriptedExpert):
        spec = PolicySpec("listening", prompts=frozenset({"trace"}))

        def act(self, observation, prompt, rng):
            heard.append(prompt.trace)
            return super().act(observation, prompt, rng)

    heard = []
    trial = run_trial(simulator, Listening(simulator), "place_on_plate", SEED, "trace")
    assert trial.is_success and len(heard[0].points) > len(heard[-1].points) and heard[-1].gripper[-1] == 1.0


@pytest.mark.parametrize("seed", [3, 7, 8])
def test_an_episode_among_other_things_of_any_kind_is_measured(simulator, seed):
    options = {"distractors": {"num": 4, "seed": seed}}
    result = run_trial(simulator, ScriptedExpert(simulator), "touch", SEED, "words", options=options)
    assert result.is_success and result.measures["went"] == 1.0
    kinds = {p.kind for p in simulator.world.scene.props}
    assert kinds & {PropKind.BALL, PropKind.CYLINDER, PropKind.CORNER}
