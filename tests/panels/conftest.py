"""A workbench with real physics and no model, for handlers as plain functions."""

import time

import pytest

from panels.opening import close_app, open_app
from panels.state import Settings, UiState
from workbench.core.catalog import Catalog
from workbench.rollout.hold import HoldPolicy
from workbench.simulation.simulators import SIMULATORS
from workbench.simulation.tasks import TASKS


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    policies = Catalog("policy")
    policies.add("sketch", lambda: lambda simulator: HoldPolicy(), "stands in for the sketch follower")
    policies.add("expert", lambda: lambda simulator: HoldPolicy(), "stands in for the expert")
    state = open_app(Settings(tmp_path_factory.mktemp("root")), simulators=SIMULATORS, policies=policies, tasks=TASKS)
    yield state
    close_app(state)


def hold_still(session, num_steps):
    """Let the paused arm hold still for some control steps, and wait until they are done."""
    wanted = session.controller.status().step + num_steps
    session.controller.step_once(num_steps)
    deadline = time.monotonic() + 30
    while session.controller.status().step < wanted:
        assert time.monotonic() < deadline, session.controller.status()
        time.sleep(0.01)


@pytest.fixture(scope="module")
def live(app):
    """A live tab with one episode of a few steps."""
    session = app.live.create("tab")
    hold_still(session, 6)
    app.recorder.flush()
    yield session
    app.live.close("tab")


@pytest.fixture(scope="module")
def steps():
    """``steps(session, n)``: see :func:`hold_still`."""
    return hold_still


@pytest.fixture
def ui(live):
    return UiState(tab_id=live.tab_id)
