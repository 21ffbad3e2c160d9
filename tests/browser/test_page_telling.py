"""Telling the robot in words, in the browser: with a stand-in that knows few words, and with the trained policy when it is there."""

import time

import pytest

from models.bench_vla.checkpoint import find_weights
from tests.browser.test_page_whole import HOSTILE, session_of
from tests.panels.test_telling import Listener
from workbench.core.catalog import Entry
from workbench.core.types import EpisodeConfig
from workbench.simulation import relations

ANSWER = "#scene-instruction .answer:not([hidden])"


def put_driver(monkeypatch, workbench, factory):
    entries = {**workbench.policies._entries, "bench-vla": Entry("bench-vla", lambda: factory)}
    monkeypatch.setattr(workbench.policies, "_entries", entries)


def start(page, session, seed=3, policy="bench-vla"):
    episode = session.controller.start(EpisodeConfig("place_on_plate", seed), policy=policy).result(60)
    page.wait_for_function("id => document.querySelector('#stage .stage').dataset.episode === id", arg=episode)


def type_words(page, text):
    page.locator("#scene-instruction textarea").fill(text)
    page.locator("#scene-instruction textarea").press("Enter")


def colours(session):
    """Return the colours of the cubes and of the plates, those that are meant first."""
    props = session.in_simulator(lambda simulator: simulator.instance.scene.props)
    return [p.colour for p in props if p.kind == "cube"], [p.colour for p in props if p.kind == "plate"]


def told(session):
    session.in_simulator(lambda simulator: None)
    return session.controller.status().instruction


def test_a_person_types_freely_and_sees_what_was_understood_or_what_would_do(page, workbench, monkeypatch):
    put_driver(monkeypatch, workbench, Listener)
    session = session_of(page, workbench)
    start(page, session, policy="sketch")
    (cube, *_), (plate, *_) = colours(session)
    type_words(page, f"shift the {cube} brick onto the {plate} dish")
    page.get_by_role("button", name="Let the bench VLA do it").click()
    page.wait_for_selector(f'{ANSWER}[data-state="changed"] >> text=Understood as')
    assert session.controller.status().policy == "bench-vla" and f"{cube} cube" in told(session)
    page.get_by_role("button", name="slowly").click()
    page.wait_for_selector('#scene-instruction .chip[aria-pressed="true"] >> text=slowly')
    assert "slowly" in told(session)
    before = told(session)
    for text in ("make me a sandwich", "   ", *HOSTILE):
        type_words(page, text)
        page.wait_for_selector(f'{ANSWER}[data-state="refused"]')
        assert page.locator("#scene-instruction .offer").count() == 3 and told(session) == before
        page.evaluate("document.querySelector('#scene-instruction .answer').hidden = true")
    type_words(page, "x" * 10_000)
    page.wait_for_selector(f'{ANSWER}[data-state="refused"]')
    offer = page.locator("#scene-instruction .offer").nth(1)
    wanted = offer.inner_text()
    offer.click()
    page.wait_for_selector(f'{ANSWER}[data-state="told"]')
    assert told(session) == wanted


def test_the_intention_is_drawn_before_anything_moves_and_can_be_hidden(page, workbench, monkeypatch):
    put_driver(monkeypatch, workbench, Listener)
    session = session_of(page, workbench)
    start(page, session)
    page.wait_for_selector("#stage .intention-trace.is-own", state="attached")
    assert page.locator("#stage .layer-intention .intention-target").count() == 1 and page.locator("#stage .sure").is_visible()
    assert session.controller.status().step == 0
    page.evaluate("window.VLAW.run('toggle_heat')")
    page.wait_for_selector("#stage .intention-heat", state="attached")
    page.locator("#stage .surface").focus()
    page.keyboard.press("o")
    page.wait_for_selector("#stage .intention-trace", state="detached")
    assert not page.locator("#stage .sure").is_visible() and session.intention() is None
    page.evaluate("localStorage.removeItem('vla-workbench.intention')")


def wait_until(session, condition, timeout_s):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if session.in_simulator(lambda simulator: condition(simulator.world)):
            return True
        time.sleep(0.1)
    return False


def redirect_in_mid_air(page, session, seed):
    """Tell one plate, and the other one once the cube is lifted; return whether the cube came to lie on the second."""
    start(page, session, seed)
    (cube, *_), (first, second) = colours(session)
    type_words(page, f"put the {cube} cube on the {first} plate")
    page.wait_for_selector(ANSWER)
    page.get_by_role("button", name="Let it go").click()
    if not wait_until(session, lambda world: relations.lift(world, f"cube_{cube}") > 0.05, 120):
        return False
    type_words(page, f"put the {cube} cube on the {second} plate")
    return wait_until(session, lambda world: relations.is_on_plate(world, f"cube_{cube}", f"plate_{second}"), 180)


@pytest.mark.slow
@pytest.mark.skipif(not find_weights().is_file(), reason="the bench VLA's trained weights are not here")
def test_the_trained_policy_does_what_is_typed_and_changes_its_course_in_mid_air(page, workbench):
    session = session_of(page, workbench)
    done = [seed for seed in (5, 6, 7) if redirect_in_mid_air(page, session, seed)]
    session.controller.pause()
    assert len(done) >= 2, f"only seeds {done} of 5, 6, 7 ended on the plate that was told in mid-air"


def test_a_stored_episode_keeps_what_was_told(page, workbench, monkeypatch):
    put_driver(monkeypatch, workbench, Listener)
    session = session_of(page, workbench)
    start(page, session)
    (cube, *_), _ = colours(session)
    session.controller.step_once(3)
    type_words(page, f"grab the {cube} block")
    page.wait_for_selector(ANSWER)
    session.controller.step_once(3)
    page.wait_for_function("document.querySelector('#stage .stage').dataset.step === '6'")
    assert workbench.recorder.flush()
    events = workbench.store.events(session.controller.status().episode_id)
    texts = [e.payload["text"] for e in events if e.kind == "instruction"]
    assert texts and texts[-1] == told(session)
