"""Obstacles put in the way of an episode that has run already, in a real simulator."""

import time

import pytest

from panels import trajectory_obstacles as obstacles
from panels.opening import close_app, open_app
from panels.state import Settings
from workbench.core.catalog import Catalog
from workbench.core.errors import InvalidInput
from workbench.rollout.hold import HoldPolicy
from workbench.simulation.simulators import SIMULATORS
from workbench.simulation.tasks import TASKS

SIZES = {"width": 0.05, "depth": 0.05, "height": 0.15}


@pytest.fixture
def session(tmp_path):
    policies = Catalog("policy")
    policies.add("sketch", lambda: lambda simulator: HoldPolicy())
    app = open_app(Settings(tmp_path), simulators=SIMULATORS, policies=policies, tasks=TASKS)
    yield app.live.create()
    close_app(app)


def test_an_episode_that_has_run_goes_on_with_a_box_on_a_branch(session):
    session.controller.step_once(4)
    deadline = time.monotonic() + 60
    while session.controller.history().num_steps < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    before = session.controller.call(lambda simulator: simulator.state()).result(60)
    parent = session.controller.status().episode_id
    for number, x in enumerate((0.42, 0.55), 1):
        answer = obstacles.add(session, {"x": x, "y": -0.45, **SIZES})
        assert answer["is_branch"] and len(answer["obstacles"]) == number
        assert session.controller.history().start.parent_id == parent, "the one before stays, also when nothing has moved since"
        parent = answer["episode_id"]
    assert session.controller.call(lambda simulator: simulator.state()).result(60).equals(before), "everything stands where it stood"
    cube = next(p.name for p in session.controller.call(lambda s: s.instance.scene.props).result(60) if "cube" in p.label)
    place = session.controller.call(lambda simulator: simulator.world.position(cube)).result(60)
    with pytest.raises(InvalidInput, match="cube there"):
        obstacles.add(session, {"x": float(place[0]), "y": float(place[1]), **SIZES})
    assert session.controller.status().episode_id == parent
