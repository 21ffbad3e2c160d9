"""Words of a person on their way to a policy that knows only some."""

import time

import numpy as np
import pytest

from panels.telling import tell, tell_manner
from workbench.core.catalog import Entry
from workbench.core.errors import InvalidInput, Unreachable
from workbench.core.events import EventKind
from workbench.core.protocols import PolicySpec
from workbench.core.types import ActionChunk, EpisodeConfig, Intention, Target, Trace

TEXT = """a and by build careful carefully cube down finger grasp green high it keep lift low move blue on onto orange pick pink place plate
purple put quickly raise red set slowly stack stay take tap the top of touch tower up white black yellow to"""
WORDS = frozenset(TEXT.split())


class Listener:
    """A policy of few words that keeps what it was told, and points at the middle of the picture."""

    def __init__(self, simulator):
        self.spec = PolicySpec("bench-vla", prompts=frozenset({"text", "trace"}), has_intention=True, known_words=WORDS, action_horizon=2)
        self.told = []
        Listener.last = self

    def reset(self, rng):
        pass

    def act(self, observation, prompt, rng):
        self.told.append(prompt)
        actions = np.zeros((2, 7), dtype=np.float32)
        actions[:, 6] = 1.0
        heat = np.full((4, 4), 1 / 16, dtype=np.float32)
        trace = prompt.trace or Trace("front", 100, 100, ((10.0, 20.0), (50.0, 60.0)), source="model")
        sure = np.full((2, 7), 0.5, dtype=np.float32)
        return ActionChunk(actions, 20.0, intention=Intention(trace, (Target("front", (0.5, 0.5), heatmap=heat),), sure))


@pytest.fixture
def listening(app, live, monkeypatch):
    """A live session in a scene with a red and other cubes and two plates, with a policy of few words."""
    entries = {**app.policies._entries, "bench-vla": Entry("bench-vla", lambda: Listener)}
    monkeypatch.setattr(app.policies, "_entries", entries)
    live.controller.start(EpisodeConfig("place_on_plate", 3), policy="bench-vla").result(20)
    yield live
    live.controller.start(EpisodeConfig("place_on_plate", 3), policy="hold").result(20)


def things(session):
    """Return the colours of the meant cube and plate."""
    roles = session.in_simulator(lambda simulator: simulator.instance.roles)
    return roles["pick"].split("_")[1], roles["place"].split("_")[1]


def instruction(session):
    session.in_simulator(lambda simulator: None)
    return session.controller.status().instruction


def test_free_words_are_told_in_words_that_the_policy_knows(listening):
    cube, plate = things(listening)
    answer = tell(listening, f"could you shift the {cube} brick onto the {plate} dish")
    assert answer["is_told"] and answer["is_changed"] and answer["is_read"]
    assert instruction(listening) == answer["instruction"] and cube in answer["instruction"] and plate in answer["instruction"]


@pytest.mark.parametrize(
    "text", ["make me a sandwich", "", "   ", "put the cube", "x" * 2000, "<img src=x onerror=alert(1)>", "${1+1}", "💥"]
)
def test_what_is_not_understood_changes_nothing_and_is_answered_with_what_would_do(listening, text):
    before = instruction(listening)
    answer = listening.command("set_instruction", {"text": text})
    assert not answer["is_told"] and answer["reason"] and len(answer["suggestions"]) >= 2
    assert instruction(listening) == before


def test_ten_thousand_letters_are_refused_with_the_limit(listening):
    with pytest.raises(InvalidInput, match="2000"):
        listening.command("set_instruction", {"text": "put " * 2500})


def test_a_suggestion_can_be_told_as_it_is(listening):
    answer = tell(listening, "make me a sandwich")
    for text in answer["suggestions"]:
        assert tell(listening, text)["instruction"] == text


def test_a_manner_is_put_in_and_taken_back(listening):
    plain = instruction(listening)
    slow = tell_manner(listening, "slow")["instruction"]
    assert "slowly" in slow and instruction(listening) == slow
    instruction(listening)
    assert tell_manner(listening, "slow")["instruction"] == plain
    with pytest.raises(InvalidInput, match="careful"):
        tell_manner(listening, "sideways")


def test_a_policy_that_takes_any_text_is_told_it_as_typed(live):
    answer = tell(live, "whatever ${1+1}")
    assert answer["is_told"] and not answer["is_changed"]
    assert instruction(live) == "whatever ${1+1}"


def test_words_in_mid_episode_are_an_event_and_drop_the_chunk(listening):
    listening.controller.step_once(1)
    instruction(listening)
    cube, _ = things(listening)
    told = tell(listening, f"grab the {cube} block")["instruction"]
    instruction(listening)
    events = [e for e in listening.controller.history().events() if e.kind is EventKind.INSTRUCTION]
    assert events[-1].payload["text"] == told and events[-1].step == 1
    listening.command("show_intention", {"is_on": True})
    instruction(listening)
    assert Listener.last.told[-1].text == told, "one of two actions was left of the chunk, and is dropped"


def test_the_intention_of_a_paused_policy_is_there_before_it_moves(listening):
    listening.command("show_intention", {"is_on": True})
    instruction(listening)
    assert listening.intention().targets[0].camera == "front" and listening.controller.status().step == 0
    listening.command("show_intention", {"is_on": False})
    assert listening.intention() is None


def arrow(live):
    """Draw an arrow from the meant cube to the meant plate on the top camera."""

    def look(simulator):
        from workbench.core.types import CameraRequest

        pinhole = simulator.observe((CameraRequest("top", 480, 480),)).cameras["top"]
        roles = simulator.instance.roles
        return pinhole.project(np.array([simulator.world.position(roles[r]) for r in ("pick", "place")]))[0] / 480

    tail, head = live.in_simulator(look).tolist()
    stroke = {"id": "a", "kind": "arrow", "points": [tail, head], "colour": [0, 255, 94]}
    live.commit_sketch({"version": 1, "id": "k", "camera": "top", "width": 480, "height": 480, "step": 0, "strokes": [stroke]})


def test_a_drawing_on_another_camera_is_handed_over_as_a_trace_without_words(listening):
    arrow(listening)
    assert listening.command("run_trace") == {"step": 0, "num_steps": 1}
    instruction(listening)
    listening.controller.pause()
    instruction(listening)
    told = Listener.last.told[0]
    assert told.text == "" and told.trace.camera == "front" and told.trace.gripper[0] == 1.0 and 0.0 in told.trace.gripper
    assert listening.controller.status().policy == "bench-vla"


def test_words_take_the_place_of_a_drawing(listening):
    arrow(listening)
    listening.command("run_trace")
    listening.controller.pause()
    cube, _ = things(listening)
    tell(listening, f"pick up the {cube} cube")
    listening.command("show_intention", {"is_on": True})
    instruction(listening)
    assert Listener.last.told[-1].trace is None and Listener.last.told[-1].text == f"pick up the {cube} cube"


def test_nothing_drawn_cannot_be_handed_over(listening):
    listening.commit_sketch({"version": 1, "id": "k", "camera": "front", "width": 480, "height": 480, "step": 0, "strokes": []})
    with pytest.raises((InvalidInput, Unreachable), match="arrow"):
        listening.command("run_trace")


def test_a_policy_of_few_words_that_takes_over_is_told_words_that_it_knows(listening):
    listening.command("set_policy", {"name": "hold"})
    own = listening.in_simulator(lambda simulator: simulator.instance.instruction)
    cube, _ = things(listening)
    for typed, wanted in (("juggle with everything", own), (f"fetch the {cube} brick", f"pick up the {cube} cube")):
        listening.command("set_policy", {"name": "hold"})
        listening.command("set_instruction", {"text": typed})
        listening.command("set_policy", {"name": "bench-vla"})
        deadline = time.monotonic() + 20
        while instruction(listening) != wanted:
            assert time.monotonic() < deadline, instruction(listening)


def test_a_running_policy_goes_on_at_once_with_what_it_is_told(listening):
    cube, _ = things(listening)
    listening.command("resume")
    told = tell(listening, f"grab the {cube} block")["instruction"]
    begun = listening.controller.status().step
    deadline = time.monotonic() + 20
    while listening.controller.status().step < begun + 6:
        assert time.monotonic() < deadline, listening.controller.status()
        time.sleep(0.02)
    listening.command("pause")
    assert instruction(listening) == told and Listener.last.told[-1].text == told
