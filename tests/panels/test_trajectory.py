"""The path of a tab: edits, undo, events, bad input; without physics."""

import json
import math
from concurrent.futures import Future

import numpy as np
import pytest

from panels.render.trajectory import PathInSpace, path_figure
from panels.trajectory_drive import Drive
from panels.trajectory_sources import read_file, way_of_hands
from panels.trajectory_trials import report_to_dict, score_to_dict
from tests.panels.fake_live import make_session
from workbench.core.errors import InvalidInput, UnknownName
from workbench.core.events import EventKind
from workbench.rollout.trace_path import parse_path
from workbench.trajectory.compare import score_path
from workbench.trajectory.feasibility import PathProblem, PathProblemKind, PathReport


def document(*heights):
    return {"version": 1, "points": [{"id": f"p{i}", "position": [0.4 + 0.05 * i, 0.0, z]} for i, z in enumerate(heights)]}


@pytest.fixture
def session():
    """A tab whose copy of the scene never answers."""
    made = make_session()
    made.trajectory.in_copy = lambda work, slot="": Future()
    return made


def heights(message):
    return [p["position"][2] for p in message["path"]["points"]]


def edit(session, *z, what="edited"):
    return session.command("trajectory_edit", {"document": document(*z), "what": what})


def test_an_edit_is_an_event_is_told_to_all_and_can_be_undone(session):
    heard = []
    session.attach(heard.append)
    edit(session, 0.3, 0.2)
    message = edit(session, 0.3, 0.25, what="raised point 2")
    assert heights(message) == [0.3, 0.25] and message["can_undo"] and message["report"]["state"] == "checking"
    assert message["old"] == [[0.4, 0.0, 0.3], [0.45, 0.0, 0.2]], "what it was before stays to be compared with"
    kind, payload = next(args for name, args in reversed(session.controller.calls) if name == "record")
    assert kind is EventKind.PATH and payload["name"] == "raised point 2" and parse_path(payload["path"]).points[1].position[2] == 0.25
    assert [m["version"] for m in heard if m["type"] == "trajectory"][-1] == message["version"]
    assert heights(session.command("trajectory_undo")) == [0.3, 0.2]
    assert heights(session.command("trajectory_redo")) == [0.3, 0.25]
    assert not session.command("trajectory_redo")["can_redo"]


def test_a_person_who_comes_back_finds_the_path(session):
    edit(session, 0.3, 0.2)
    assert heights(session.trajectory.message()) == [0.3, 0.2]


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("trajectory_edit", {"document": document(0.3, math.nan)}),
        ("trajectory_edit", {"document": {"points": [{"position": [0, 0]}]}}),
        ("trajectory_edit", {"document": document(*[0.3] * 10_001)}),
        ("trajectory_edit", {"document": {}}),
        ("trajectory_draw", {"camera": "front", "points": [[0.1, 0.1], [math.nan, 0.2]]}),
        ("trajectory_draw", {"camera": "front", "points": [[0.1, 0.1]]}),
        ("trajectory_load", {"text": "not JSON", "name": "x.json"}),
        ("trajectory_load", {"text": '{"points": [{"position": [NaN, 0, 0]}]}', "name": "x.json"}),
        ("trajectory_load", {"text": "[" * 100_000, "name": "x.json"}),
        ("trajectory_run", {"driver": "nobody"}),
        ("trajectory_run", {"weight": 2}),
        ("trajectory_weight", {"weight": math.nan}),
        ("trajectory_smooth", {"tolerance_mm": -1}),
        ("trajectory_take", {"source": "sketch"}),
        ("trajectory_obstacle", {"x": 0.5, "y": 0.0, "width": 9, "depth": 0.1, "height": 0.1}),
    ],
)
def test_bad_input_is_a_message_and_nothing_is_lost(session, name, args):
    before = edit(session, 0.3, 0.2)
    with pytest.raises(InvalidInput):
        session.command(name, args)
    assert session.trajectory.message() == before


def test_a_path_without_points_cannot_be_run(session):
    with pytest.raises(InvalidInput, match="two points"):
        session.command("trajectory_run", {})
    with pytest.raises(UnknownName):
        session.trajectory.run("nobody", 1.0)


def test_a_path_that_crosses_itself_is_taken_as_it_is(session):
    crossing = [[0.4, -0.1, 0.2], [0.6, 0.1, 0.2], [0.6, -0.1, 0.2], [0.4, 0.1, 0.2]]
    message = session.command("trajectory_edit", {"document": {"points": [{"id": str(i), "position": p} for i, p in enumerate(crossing)]}})
    assert [p["position"] for p in message["path"]["points"]] == crossing


def test_smoothing_leaves_ends_and_events_and_says_what_it_did(session):
    straight = document(0.3, 0.3, 0.3, 0.3, 0.3)
    straight["points"][2]["gripper"] = 0.0
    session.command("trajectory_edit", {"document": straight})
    message = session.command("trajectory_smooth", {"tolerance_mm": 5})
    assert [p["id"] for p in message["path"]["points"]] == ["p0", "p2", "p4"] and "5 to 3 points" in message["what"]


def test_what_was_travelled_is_known_and_an_edit_goes_on_from_there():
    drive = Drive(parse_path(document(0.3, 0.3, 0.3)), "trace-follower", 1.0, "e")
    for x in np.linspace(0.40, 0.46, 10):
        drive.advance(np.array([x, 0.002, 0.3]))
    assert drive.num_passed == 2 and drive.to_dict()["share"] == pytest.approx(0.6, abs=0.02)
    drive.go_on_with(parse_path(document(0.3, 0.2)))
    assert len(drive.drawn()) == 4 and drive.num_passed == 1


def test_a_file_may_hold_a_path_or_a_trace():
    assert len(read_file(json.dumps(document(0.3, 0.2))).points) == 2
    trace = read_file(json.dumps({"camera": "front", "width": 10, "height": 10, "points": [[1, 2], [3, 4]]}))
    assert trace.camera == "front" and len(trace.points) == 2


def test_reports_and_scores_are_json_with_places():
    place = np.array([0.4, 0.0, 0.1])
    problem = PathProblem(PathProblemKind.COLLISION, 1, 0.1, 0.0, 0.2, place, "the hand and the box collide.", 0.01)
    some = np.zeros(2)
    report = report_to_dict(PathReport((problem,), some, some, np.array([0.0, 2.0]), some, np.zeros((2, 3))))
    assert json.loads(json.dumps(report))["problems"][0]["position"] == [0.4, 0.0, 0.1] and report["state"] == "bad"
    drawn = np.array([[0.0, 0, 0], [0.1, 0, 0]])
    score = score_to_dict(score_path(drawn, np.add(drawn, [0, 0, 0.02]), view_axis=[0, 0, 1]), "trace-follower")
    assert score["out_of_plane_m"] == pytest.approx(0.02) and any("2.00 cm" in line for line in score["lines"])


def test_the_figure_shows_old_and_new_obstacles_and_reach():
    ways = np.array([[0.4, 0, 0.3], [0.5, 0, 0.2]])
    box = {"x": 0.5, "y": 0.0, "width": 0.2, "depth": 0.1, "height": 0.1}
    figure = path_figure(PathInSpace(ways, ways, np.empty((0, 3)), (None, 0.0), ways[:1], (box,)))
    assert {t.name for t in figure.data} == {"reach", "obstacle 1", "before", "path", "gripper", "in the way"}


def test_the_way_of_an_episode_keeps_its_corners_and_where_the_gripper_acts():
    there = np.linspace([0.4, 0.0, 0.3], [0.6, 0.0, 0.3], 30)
    down = np.linspace([0.6, 0.0, 0.3], [0.6, 0.0, 0.1], 30)
    hands = np.hstack([np.vstack([there, down, down[-1:], down[::-1]]), np.ones((91, 1))])
    hands[60:, 3] = 0.0
    path = way_of_hands(hands)
    assert path.source == "episode" and 3 <= len(path.points) <= 8
    assert np.allclose(path.points[0].position, [0.4, 0, 0.3]) and np.allclose(path.points[-1].position, [0.6, 0, 0.3])
    closing = [p for p in path.points if p.gripper == 0.0]
    assert len(closing) == 1 and np.allclose(closing[0].position, [0.6, 0, 0.1], atol=1e-3)
    gaps = [np.abs(np.array(p.position) - hands[:, :3]).sum(axis=1).min() for p in path.points]
    assert max(gaps) < 1e-9, "every point is one that the gripper was at"
