"""Two people judge episodes on the page of their own, at the same time, without knowing whose they are."""

import time

import pytest

from sessions.feedback import load_preferences, load_ratings
from tests.panels.conftest import hold_still
from workbench.core.types import EpisodeConfig


@pytest.fixture
def two_episodes(workbench):
    """The same start under two policies, each a few steps long, on disk."""
    session = workbench.live.create()
    ids = []
    for policy in ("hold", "expert"):
        ids.append(session.controller.start(EpisodeConfig("touch", 5), policy=policy).result(120))
        hold_still(session, 8)
        session.controller.end()
    session.controller.call(lambda simulator: None).result(60)
    workbench.live.close(session.tab_id)
    assert workbench.recorder.flush()
    return ids


def begin(open_page, name):
    page = open_page("/rate", is_ready_wanted=False, viewport={"width": 1024, "height": 768}, has_touch=True)
    page.get_by_placeholder("Your name").fill(name)
    page.get_by_role("button", name="Begin").click()
    page.wait_for_selector(".films video")
    return page


def item(page):
    return page.evaluate("document.body.dataset.item")


def wait_done(page, count):
    page.wait_for_function("n => Number(document.body.dataset.done) >= n", arg=count)


def test_two_raters_compare_and_rate_at_the_same_time_and_nothing_is_lost(open_page, workbench, two_episodes):
    ann, bob = begin(open_page, "Ann"), begin(open_page, "Bob")
    for page in (ann, bob):
        page.wait_for_function("document.body.dataset.films === '2'")  # both films play
        words = page.locator("main").inner_text()
        assert "expert" not in words and "hold" not in words, "raters stay blind"
    ann.get_by_role("button", name="A is better").click()
    bob.keyboard.press("t")
    wait_done(ann, 1)
    wait_done(bob, 1)
    found = {p.rater: p for p in load_preferences(workbench.store)}  # of this pair, or of what other tests left
    assert found["Ann"].winner == found["Ann"].first and found["Bob"].choice == "tie"

    bob.get_by_role("button", name="Change the last one").click()
    bob.keyboard.press("b")
    deadline = time.monotonic() + 60
    while [p.choice for p in load_preferences(workbench.store) if p.rater == "Bob"] != ["b"]:
        assert time.monotonic() < deadline, load_preferences(workbench.store)
        time.sleep(0.1)

    ann.get_by_role("button", name="Rate one").click()
    ann.wait_for_selector(".one video")
    rated = item(ann)
    ann.keyboard.press("y")
    ann.keyboard.press("4")
    ann.get_by_role("button", name="jerky").click()
    ann.get_by_placeholder("Note at this time").fill("it waits here")
    ann.get_by_placeholder("Note at this time").press("Enter")
    ann.reload()  # what was not sent yet is still there
    ann.wait_for_selector('[data-name="quality"][data-value="4"][aria-pressed="true"]')
    assert item(ann) == rated
    ann.keyboard.press("Enter")
    wait_done(ann, 1)
    (rating,) = [r for r in load_ratings(workbench.store) if r.rater == "Ann"]
    assert rating.episode_id == rated and rating.rating.is_success is True and rating.rating.quality == 4
    assert rating.rating.reasons == ("jerky",) and rating.rating.notes[0].text == "it waits here"
