from dataclasses import replace

import numpy as np
import pytest

from panels.live import LiveRegistry, LiveSession
from panels.registry import CORRECTING_GRACE_S
from panels.status import StoredEpisode
from panels.trail import TrailMark
from tests.panels.fake_live import CONFIG, START, Clock, FakeReader, FakeSimulator, arrow, document, make_session, state
from workbench.core.errors import InvalidInput, UnknownName, Unreachable
from workbench.core.events import EpisodeEnd, Event, EventKind, Outcome
from workbench.core.sketches import plan_to_dict
from workbench.core.types import PROPRIO, Actor, Step
from workbench.rollout.looking import at_state


def listen(session: LiveSession) -> list[dict]:
    heard: list[dict] = []
    session.attach(heard.append)
    return heard


def ids(session: LiveSession) -> list[str]:
    return [s.id for s in session.sketch.strokes]


# --- the drawing ---


def test_a_committed_sketch_is_recorded_read_and_told():
    session = make_session()
    heard = listen(session)
    reading = session.commit_sketch(document(arrow("a"), arrow("b")))
    assert len(reading.plan.steps) == 2 and reading.sentences == ("move", "move")
    kinds = [args[0] for name, args in session.controller.calls if name == "record"]
    assert kinds == [EventKind.SKETCH, EventKind.PLAN]
    assert [m["type"] for m in heard] == ["drawing", "changed"]
    assert [s["id"] for s in heard[0]["sketch"]["strokes"]] == ["a", "b"]


def test_undo_then_redo_brings_everything_back():
    session = make_session()
    for n in range(1, 4):
        session.commit_sketch(document(*(arrow(str(i)) for i in range(n))))
    before = session.reading
    for left in (2, 1, 0, 0):
        session.move_in_history(-1)
        assert len(ids(session)) == left
    assert not session.can_undo and session.can_redo
    for _ in range(5):
        session.move_in_history(1)
    assert session.reading is before and not session.can_redo


def test_drawing_after_undo_forgets_what_was_undone():
    session = make_session()
    session.commit_sketch(document(arrow("a")))
    session.commit_sketch(document(arrow("a"), arrow("b")))
    session.move_in_history(-1)
    session.commit_sketch(document(arrow("a"), arrow("c")))
    assert not session.can_redo
    session.move_in_history(1)
    assert ids(session) == ["a", "c"]


def test_a_refused_document_leaves_the_drawing_as_it_was():
    session = make_session()
    session.commit_sketch(document(arrow("a")))
    with pytest.raises(InvalidInput):
        session.commit_sketch({**document(), "strokes": [{"id": "x", "kind": "star", "points": []}]})
    assert ids(session) == ["a"]


def test_freehand_is_straightened_only_on_request():
    pen = {"id": "p", "kind": "freehand", "points": [[0.1 + i / 100, 0.2 + (i % 2) / 400] for i in range(50)]}
    session = make_session()
    assert session.commit_sketch(document(pen)).sketch.strokes[0].kind == "freehand"
    assert session.commit_sketch(document(pen), is_snapped=True).sketch.strokes[0].kind == "arrow"


def test_a_plan_that_cannot_be_read_keeps_the_drawing_and_says_why():
    class Blind(FakeReader):
        def interpret(self, sketch, instruction, run):
            raise Unreachable("the goal", reason="it is outside the table")

    session = make_session()
    session.reader = Blind()
    reading = session.commit_sketch(document(arrow()))
    assert reading.plan is None and "outside the table" in reading.error and ids(session) == ["a"]
    with pytest.raises(InvalidInput, match="outside the table"):
        session.run_plan()


def test_an_edited_plan_can_be_undone():
    session = make_session()
    session.commit_sketch(document(arrow()))
    edited = plan_to_dict(session.plan)
    edited["steps"][0]["verb"] = "push"
    session.edit_plan(edited)
    assert session.plan.steps[0].verb == "push"
    session.move_in_history(-1)
    assert session.plan.steps[0].verb == "move"


def test_hello_restores_the_drawing_after_a_reload():
    session = make_session()
    session.commit_sketch(document(arrow("a")))
    hello = session.hello()
    assert hello["cameras"] == ["front", "top", "wrist"]
    assert hello["drawing"]["sketch"]["strokes"][0]["id"] == "a"
    assert hello["drawing"]["can_undo"] and not hello["drawing"]["can_redo"]


# --- running and time ---


def test_running_needs_a_plan():
    session = make_session()
    with pytest.raises(InvalidInput, match="Draw an arrow"):
        session.run_plan()


def test_running_from_the_live_end_drives_the_present_episode():
    session = make_session()
    session.commit_sketch(document(arrow()))
    session.run_plan()
    assert session.controller.names()[-1] == "run_plan" and session.controller.mode == "autonomous"


def test_running_while_looking_back_branches_there_first():
    session = make_session()
    session.commit_sketch(document(arrow()))
    session.show_step(4)
    session.run_plan()
    assert session.controller.names()[-2:] == ["branch", "run_plan"]
    start, kwargs = next(args for name, args in session.controller.calls if name == "branch")
    assert start.equals(state(4)) and kwargs["step"] == 4 and kwargs["parent_id"] == "e1"
    assert session.shown_step is None


def test_a_drawing_on_an_earlier_step_is_read_in_the_state_of_that_step():
    session = make_session()
    session.show_step(3)
    session.commit_sketch(document(arrow()))
    assert session.reader.seen.equals(state(3))
    assert session.controller.simulator.present.equals(state(-1)), "the present state came back"


def test_the_present_state_comes_back_also_after_an_error():
    simulator = FakeSimulator()
    with pytest.raises(ZeroDivisionError):
        at_state(simulator, state(5), lambda s: 1 / 0)
    assert simulator.present.equals(state(-1))


def test_looking_back_pauses_a_running_rollout():
    session = make_session()
    session.controller.resume()
    assert session.show_step(2) == 2
    assert session.controller.mode == "paused" and session.view.shown[-1] == 2


def test_steps_beyond_the_end_are_live():
    session = make_session(num_steps=10)
    assert session.show_step(10) is None
    assert session.show_step(9) == 9


def test_a_stored_episode_is_sought_within_its_own_length_and_left_for_live():
    session = make_session(num_steps=3)
    told = session.status()["instruction"]
    stored = StoredEpisode("e0", 100, 20.0, "touch", "touch the red cube")
    session.show_stored(stored, [state(i) for i in range(101)], config=CONFIG, step=50)
    status = session.status()
    assert (status["stored_id"], status["num_steps"], status["task"], status["instruction"]) == ("e0", 100, "touch", "touch the red cube")
    assert session.show_step(1000) == 100
    with pytest.raises(InvalidInput, match="stored"):
        session.branch(None)
    session.show_step(None)
    assert session.stored is None and session.status()["num_steps"] == 3 and session.status()["instruction"] == told


def test_a_new_episode_is_followed_live():
    session = make_session()
    session.show_step(2)
    session.on_start(START)
    assert session.shown_step is None


def test_the_trail_is_told_once_and_anew_for_each_episode():
    session = make_session()
    proprio = np.zeros(16, dtype=np.float32)
    proprio[PROPRIO["ee_position"]] = (0.5, 0.1, 0.2)
    proprio[PROPRIO["gripper_command"]] = 0.25
    for index in range(2):
        session.on_step(Step(index, 0.0, state(index), np.zeros(7, np.float32), None, Actor.POLICY, False, proprio=proprio))
    points, mark = session.trail.since(TrailMark())
    assert points == [[0.5, 0.1, 0.2]] * 2 and session.status()["gripper"] == 0.25
    assert session.trail.since(mark) == ([], mark)
    session.on_start(replace(START, episode_id="e9"))
    assert session.trail.since(mark) == ([], TrailMark("e9", 0))


def test_events_and_ends_reach_the_page():
    session = make_session()
    heard = listen(session)
    session.on_event("e1", Event(EventKind.HALT, 3, 0.1))
    session.on_end(EpisodeEnd("e1", Outcome.SUCCESS, 3, 0.1))
    assert [m["type"] for m in heard] == ["event", "changed", "end", "changed"]
    assert [m["what"] for m in heard if m["type"] == "changed"] == ["mode", "episode"]


# --- tabs ---


@pytest.fixture
def registry():
    clock = Clock()
    made = LiveRegistry(lambda tab_id: make_session(tab_id, clock=clock), grace_s=30, max_tabs=3, sweep_s=3600)
    made.clock = clock
    yield made
    made.close_all()


def test_a_reload_gets_the_same_session_only_with_its_token(registry):
    session = registry.create()
    assert registry.resume_or_create(session.tab_id, session.token) is session
    assert registry.resume_or_create(session.tab_id, "wrong") is not session
    assert registry.resume_or_create(None, None) is not session


def test_tokens_and_ids_differ_between_tabs(registry):
    a, b = registry.create(), registry.create()
    assert a.tab_id != b.tab_id and a.token != b.token and len(a.token) >= 32


def test_a_tab_without_sockets_is_closed_after_the_grace_time(registry):
    session = registry.create()
    listener = [].append
    session.attach(listener)
    registry.clock.now = 100.0
    registry.sweep()
    assert len(registry) == 1, "somebody watches"
    session.detach(listener)
    registry.clock.now = 129.0
    registry.sweep()
    assert len(registry) == 1, "within the grace time"
    registry.clock.now = 131.0
    registry.sweep()
    assert len(registry) == 0 and session.view.is_closed and session.controller.is_closed
    with pytest.raises(UnknownName):
        registry.get(session.tab_id)


def test_two_sockets_on_a_tab_keep_it_until_the_last_has_gone(registry):
    session = registry.create()
    first, second = [], []
    session.attach(first.append)
    other = second.append
    session.attach(other)
    session.push({"type": "x"})
    assert first == second == [{"type": "x"}]
    session.detach(other)
    assert session.unwatched_s == 0


def test_a_correction_that_nobody_watches_pauses_after_two_seconds(registry):
    session = registry.create()
    session.controller.take_over()
    registry.clock.now = CORRECTING_GRACE_S - 0.1
    registry.sweep()
    assert session.controller.mode == "correcting"
    registry.clock.now = CORRECTING_GRACE_S + 0.1
    registry.sweep()
    assert session.controller.mode == "paused"


def test_a_policy_that_nobody_watches_goes_on_until_the_tab_is_closed(registry):
    session = registry.create()
    session.controller.resume()
    registry.clock.now = 10.0
    registry.sweep()
    assert session.controller.mode == "autonomous"


def test_too_many_tabs_are_refused(registry):
    for _ in range(3):
        registry.create()
    with pytest.raises(InvalidInput, match="at most 3"):
        registry.create()


def test_closing_again_is_harmless(registry):
    session = registry.create()
    registry.close(session.tab_id)
    registry.close(session.tab_id)
    session.close()
    assert session.is_closed
