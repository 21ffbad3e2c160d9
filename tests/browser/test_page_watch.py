"""A person at the page watches the policy: the score beside its band, an alarm that pauses and asks, and the answer."""

import time

import numpy as np
import pytest

from workbench.core.events import EventKind
from workbench.core.types import EpisodeConfig
from workbench.failure.alarms import WatchKit

RING_AT = 12
"""Step at which the stand-in detector begins to call everything a failure."""


class StandIn:
    """Rings from a certain step on: what a trained detector says of an episode is no matter of the page."""

    def reset(self):
        pass

    def score(self, call):
        return 0.2 + 2.0 * (call.step >= RING_AT)


def wait_for(condition, what, timeout_s=300):
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen in time"
        time.sleep(0.05)
    return found


@pytest.fixture
def watched(stage):
    """A tab in which the bench VLA drives, watched by the stand-in."""
    session = stage.session
    session.controller.start(EpisodeConfig("place_on_plate", 21), policy="bench-vla").result(600)
    live = session.controller.steering
    curves = tuple(np.full(4, 0.1 * (i % 5)) for i in range(30))
    facts = {"seen_tasks": ["place_on_plate"], "auc": {"stand-in": {"seen": 0.9, "unseen": 0.8}}}
    live.watch.kit, live.watch.open_kit = (
        None,
        lambda: WatchKit(live.fingerprint, {"stand-in": "a stand-in"}, "stand-in", lambda _: StandIn(), {"stand-in": curves}, facts),
    )
    session.alarms.set()
    return session


def test_an_alarm_pauses_the_robot_and_asks_and_a_yes_lets_it_go_on(page, stage, watched, workbench):
    page.get_by_role("tab", name="Watch").click()
    page.wait_for_selector('#watch-alarms .alarms[data-state="watching"]', timeout=300_000)
    page.locator('#watch-alarms [data-is="action"]').select_option("ask")
    wait_for(lambda: watched.alarms.watch.settings.action.value == "ask", "the choice")
    watched.controller.resume()
    page.wait_for_selector("#stage .asks", timeout=300_000)
    status = watched.controller.status()
    assert status.mode == "paused" and status.step == RING_AT, "it stands still before the step that the alarm is about"
    assert "fails" in page.locator("#stage .asks").inner_text()
    page.get_by_role("button", name="Let it").click()  # the question is withdrawn after a while
    page.wait_for_function("Number(document.querySelector('#watch-alarms .alarms').dataset.alarms) === 1")
    page.wait_for_function("Number(document.querySelector('#timeline .timeline').dataset.risk) >= 3")
    assert page.locator("#watch-alarms svg .outside").count() >= 1
    wait_for(lambda: watched.controller.status().step > RING_AT + 4, "going on after a yes")
    watched.controller.pause()
    episode_id = watched.controller.status().episode_id
    assert workbench.recorder.flush()
    kinds = [e.kind for e in workbench.store.events(episode_id)]
    assert kinds.count(EventKind.ALARM) == 1 and kinds.count(EventKind.CONFIRM) == 2
    assert len(workbench.store.scores(episode_id)) > RING_AT, "the scores are stored with the steps"
