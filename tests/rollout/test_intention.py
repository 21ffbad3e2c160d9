"""What a policy is about to do, before it moves."""

import numpy as np

from tests.rollout.rigs import wait_for
from workbench.core.protocols import PolicySpec
from workbench.core.types import ActionChunk, Intention, Target


class Pointer:
    """Says where it is going; fails on a word that it does not know."""

    def __init__(self, simulator=None, has_intention=True):
        self.spec = PolicySpec("pointer", prompts=frozenset({"text"}), action_horizon=4, has_intention=has_intention)
        self.num_calls = 0
        Pointer.last = self

    def reset(self, rng):
        self.num_calls = 0

    def act(self, observation, prompt, rng):
        self.num_calls += 1
        if "nonsense" in prompt.text:
            raise ValueError("no such word")
        actions = np.zeros((4, 7), dtype=np.float32)
        actions[:, 0], actions[:, 6] = 0.01, 1.0
        return ActionChunk(actions, 20.0, intention=Intention(targets=(Target("front", (0.5, 0.5), role=prompt.text),)))


def shown(rig):
    intention = rig.controller.intention()
    return intention.targets[0].role if intention else None


def test_a_paused_policy_says_what_it_would_do_and_nothing_moves(make_rig):
    rig = make_rig(pointer=Pointer)
    rig.start("pointer")
    state = rig.controller.call(lambda s: s.state()).result(5)
    assert rig.controller.intention() is None
    rig.controller.look_ahead()
    rig.flush()
    assert shown(rig) == "reach the goal" and rig.settled_steps() == 0
    assert rig.controller.call(lambda s: s.state()).result(5).equals(state)


def test_what_it_said_is_what_it_then_does_without_being_asked_again(make_rig):
    rig = make_rig(pointer=Pointer)
    rig.start("pointer")
    for _ in range(3):
        rig.controller.look_ahead()
    rig.controller.step_once(4)
    wait_for(lambda: len(rig.diary.steps) == 4)
    assert Pointer.last.num_calls == 1


def test_another_instruction_brings_another_intention(make_rig):
    rig = make_rig(pointer=Pointer)
    rig.start("pointer")
    rig.controller.look_ahead()
    rig.controller.set_prompt(text="the other one")
    rig.flush()
    assert rig.controller.intention() is None
    rig.controller.look_ahead()
    rig.flush()
    assert shown(rig) == "the other one"


def test_a_policy_that_cannot_say_it_does_no_harm_until_it_acts(make_rig):
    rig = make_rig(pointer=Pointer)
    rig.start("pointer")
    rig.controller.set_prompt(text="nonsense")
    rig.controller.look_ahead()
    rig.flush()
    assert rig.controller.intention() is None and rig.controller.status().error == ""
    rig.controller.resume()
    wait_for(lambda: "no such word" in rig.controller.status().error)
    rig.controller.set_prompt(text="reach")
    rig.controller.look_ahead()
    rig.flush()
    assert shown(rig) == "reach"


def test_a_policy_without_intentions_is_not_asked_before_its_time(make_rig):
    rig = make_rig(plain=lambda simulator: Pointer(simulator, has_intention=False))
    rig.start("plain")
    rig.controller.look_ahead()
    rig.flush()
    assert Pointer.last.num_calls == 0


def test_the_status_tells_what_the_policy_is(make_rig):
    rig = make_rig(pointer=Pointer)
    rig.start("pointer")
    assert rig.controller.status().spec is Pointer.last.spec
