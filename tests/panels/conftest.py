"""A workbench with real physics and no model, for handlers as plain functions."""

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


@pytest.fixture(scope="module")
def live(app):
    """A live tab with one episode of a few steps."""
    session = app.live.create("tab")
    session.controller.step_once(6)
    session.in_simulator(lambda simulator: None)
    app.recorder.flush()
    yield session
    app.live.close("tab")


@pytest.fixture
def ui(live):
    return UiState(tab_id=live.tab_id, episode_id=live.controller.status().episode_id)
