"""Sub-goals in the browser: a person plans two steps, runs them, and sees who leads the hand when the instruction changes."""

from tests.browser.test_page_telling import put_driver
from tests.browser.test_page_whole import session_of
from tests.rollout.obedient import Obedient
from workbench.core.types import EpisodeConfig

TABLE = EpisodeConfig("place_in_bowl", 4, options={"several": {"steps": 2, "seed": 4}})
GOALS = "#watch-goals .goals"


def test_two_steps_are_planned_run_and_ticked_and_a_change_on_the_way_is_shown(page, workbench, monkeypatch):
    put_driver(monkeypatch, workbench, Obedient)
    session = session_of(page, workbench)
    episode = session.controller.start(TABLE, policy="bench-vla").result(60)
    page.wait_for_function("id => document.querySelector('#stage .stage').dataset.episode === id", arg=episode)
    session.command("set_speed", {"speed": 4.0})
    page.get_by_role("tab", name="Watch").click()
    page.locator(f"{GOALS} textarea").fill(session.controller.status().instruction)
    page.locator(GOALS).get_by_role("button", name="Plan", exact=True).click()
    page.wait_for_selector(f"{GOALS} li:nth-child(2)[data-state=waiting]")
    page.locator(GOALS).get_by_role("button", name="Run", exact=True).click()
    page.wait_for_selector(f"{GOALS} li:nth-child(1)[data-state=now]")
    page.wait_for_selector(f"{GOALS} li:nth-child(1)[data-state=done]", timeout=120_000)
    page.wait_for_selector(f"{GOALS} li:nth-child(2)[data-state=done]", timeout=120_000)
    page.locator(GOALS).get_by_role("button", name="Run again").wait_for()
    cube = session.in_simulator(lambda simulator: next(p.label for p in simulator.instance.scene.props if p.kind == "cube"))
    session.command("set_speed", {"speed": 0.5})
    session.command("set_instruction", {"text": f"pick up the {cube}"})
    session.command("resume")
    page.wait_for_selector("#stage .led-by:not([hidden])")
    assert page.locator("#stage .led-by").inner_text() in ("UNDOING", "TO THE START")
    page.wait_for_selector(f"{GOALS} .led:not([hidden])")
