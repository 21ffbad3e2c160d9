"""Steering in the browser: find a neuron by word, hold it while the robot runs, keep it as a concept, and find it again after a reload."""

import time

import numpy as np
import pytest

from models.bench_vla.checkpoint import find_weights
from tests.browser.conftest import wait_ready
from tests.browser.stage_driver import reload
from tests.browser.test_page_whole import session_of
from workbench.core.events import EventKind
from workbench.core.types import EpisodeConfig

PATIENT_MS = 120_000


def wait_for(condition, timeout_s=120):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def path_of(session):
    return np.array([step.action[:3] for step in session.controller.history().steps()])


@pytest.mark.skipif(not find_weights().is_file(), reason="the bench VLA's trained weights are not here")
def test_a_neuron_is_found_by_word_held_while_the_robot_runs_and_kept_as_a_concept(page, workbench):
    page.set_default_timeout(PATIENT_MS)
    session = session_of(page, workbench)
    page.get_by_role("tab", name="Steering").click()
    page.wait_for_selector("#steering .closed:not([hidden]) >> text=does not expose its inside")
    session.controller.start(EpisodeConfig("place_on_plate", 3), policy="bench-vla").result(120)
    page.wait_for_selector("#steering .opened:not([hidden])")

    page.locator("#steering input[name=word]").fill("high")
    page.locator("#steering input[name=word]").press("Enter")
    row = page.locator("#steering tr[data-flat]:has(span.hit)").first
    row.wait_for()
    session.controller.resume()
    wait_for(lambda: session.controller.status().step >= 6)
    row.get_by_role("button", name="Hold this neuron").click()
    page.wait_for_selector("#stage .steering-on:not([hidden]) >> text=STEERING ON")
    page.locator("#steering .slots input[type=number]").fill("20")
    page.locator("#steering .slots input[type=number]").press("Tab")
    wait_for(lambda: session.steering.live.mix.slots[0].edit.alpha == 20.0)
    step = session.controller.status().step
    wait_for(lambda: session.controller.status().step >= step + 8)
    session.controller.pause()
    session.in_simulator(lambda simulator: None)

    changes = [e for e in session.controller.history().events() if e.kind is EventKind.STEERING]
    steered = path_of(session)
    first = changes[0].step
    session.command("branch", {"step": first - 1})
    assert not session.controller.status().steered_by, "before the change nothing was steered"
    count = len(steered) - first + 1
    session.controller.step_once(count)
    wait_for(lambda: session.controller.status().step >= count)
    plain = path_of(session)
    assert np.array_equal(plain[0], steered[first - 1]) and not np.array_equal(plain, steered[first - 1 :])

    row.get_by_role("checkbox").check()
    page.locator("#steering input[name=concept]").fill("carried high")
    page.get_by_role("button", name="Keep them under this name").click()
    page.wait_for_selector('#steering li[data-concept="carried high"]')
    reload(page)
    wait_ready(page)
    page.get_by_role("tab", name="Steering").click()
    page.get_by_role("tab", name="Concepts").click()
    kept = page.locator('#steering li[data-concept="carried high"]')
    kept.get_by_role("button", name="Put it on the desk").click()
    page.wait_for_selector("#stage .steering-on >> text=carried high")
    page.get_by_role("button", name="Reset all").click()
    page.wait_for_selector("#stage .steering-on", state="hidden")
