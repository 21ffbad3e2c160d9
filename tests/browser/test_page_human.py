"""A person at the page sees trouble coming: grabs the gripper, corrects, hands back, says why, and stamps the outcome."""

import time

import numpy as np

from tests.browser.stage_driver import StageDriver, reload
from workbench.core.events import EventKind
from workbench.core.types import Actor, EpisodeConfig


def wait_for(condition, what, timeout_s=90):
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen in time"
        time.sleep(0.05)
    return found


GAMEPAD = """() => {
  window.testPad = { id: "a gamepad", axes: [0, 0, 0, 0], buttons: Array.from({ length: 17 }, (_, i) => ({ pressed: i === 5 })) };
  navigator.getGamepads = () => [window.testPad];
  window.dispatchEvent(new Event("gamepadconnected"));
}"""


def wait_human(page, name, value):
    page.wait_for_function("([n, v]) => document.querySelector('#human .human')?.dataset[n] === v", arg=[name, value], timeout=60_000)


def place(session):
    return np.array(session.controller.status().ee_position)


def drag_ring(stage, dx, dy, *, until):
    """Grab the ring at the gripper, pull it, and let go once ``until`` holds."""
    box = stage.page.locator("#stage .surface").bounding_box()
    x, y = (float(c) for c in wait_for(lambda: stage.data("ring"), "the ring").split(","))
    stage.mouse.move(box["x"] + x, box["y"] + y)
    stage.mouse.down()
    stage.mouse.move(box["x"] + x + dx, box["y"] + y + dy, steps=6)
    wait_for(until, "the hand's movement")
    stage.mouse.up()


def test_a_person_grabs_the_gripper_corrects_hands_back_and_stamps_the_outcome(page, stage, workbench):
    session = stage.session
    page.get_by_role("tab", name="Human").click()
    session.controller.set_speed(0.25)
    episode_id = session.controller.start(EpisodeConfig("place_on_plate", 11), policy="expert", is_running=True).result(60)
    stage.wait_data("mode", "autonomous")
    stage.focus()
    stage.key("c")

    begun = place(session)
    drag_ring(
        stage, 70, -50, until=lambda: session.controller.status().mode == "correcting" and np.linalg.norm(place(session) - begun) > 0.02
    )
    session.controller.set_speed(1.0)
    before = place(session)
    page.keyboard.down("ArrowLeft")
    wait_for(lambda: np.linalg.norm(place(session) - before) > 0.02, "driving by key")
    page.keyboard.up("ArrowLeft")
    stage.key("q")
    page.get_by_role("button", name="collision ahead").click()
    wait_human(page, "corrections", "1")
    page.wait_for_selector('#human .chip[aria-pressed="true"] >> text=collision ahead')

    page.get_by_role("button", name="Hand back").first.click()
    stage.wait_data("mode", "paused")
    paused_at = session.controller.status().step
    time.sleep(0.3)
    assert session.controller.status().step == paused_at, "nothing is recorded while paused"

    reload(page)  # nothing is lost
    page.get_by_role("tab", name="Human").click()
    wait_human(page, "corrections", "1")
    assert session.controller.status().episode_id == episode_id

    page.locator('#human [data-is="say"]').fill("where is the hand?")
    page.locator('#human [data-is="say"]').press("Enter")
    page.wait_for_selector('#human .theirs[data-tokens="RES END"]', timeout=60_000)
    session.controller.resume()
    page.locator('#human [data-is="say"]').fill("no, stop!")
    page.locator('#human [data-is="say"]').press("Enter")
    stage.wait_data("mode", "halted")
    session.controller.release_halt()

    stage.focus()
    stage.key("y")
    wait_for(lambda: session.controller.status().episode_id != episode_id, "the next attempt")
    assert workbench.recorder.flush()
    info = workbench.store.episode(episode_id)
    assert info.outcome.value == "success"
    kinds = [e.kind for e in workbench.store.events(episode_id)]
    for kind in (EventKind.TAKEOVER, EventKind.INTERVENTION, EventKind.HANDBACK, EventKind.SAY, EventKind.HALT, EventKind.RATING):
        assert kind in kinds, f"{kind} is not on the timeline: {kinds}"
    by_hand = [s for s in workbench.store.steps(episode_id) if s.actor is Actor.HUMAN]
    assert len(by_hand) > 5 and any(s.proposal is not None for s in by_hand)
    page.wait_for_function("Number(document.querySelector('#human .human')?.dataset.help) >= 1", timeout=60_000)


def test_the_robot_asks_before_it_enters_a_region_and_a_fumbled_correction_is_thrown_away(page, stage):
    session = stage.session
    session.command("set_rules", {"rules": [{"kind": "region"}]})
    episode_id = session.controller.start(EpisodeConfig("place_on_plate", 12), policy="expert", is_running=True).result(60)
    page.get_by_role("tab", name="Human").click()
    page.wait_for_selector("#stage .asks", timeout=60_000)
    assert session.controller.status().mode == "paused" and session.controller.status().step == 0
    page.get_by_role("button", name="Let it").click()
    wait_for(lambda: session.controller.status().step > 3, "going on after a yes")
    session.command("set_rules", {"rules": []})
    page.evaluate(GAMEPAD)  # its right shoulder takes over
    stage.wait_data("mode", "correcting")
    begun = session.controller.history().num_steps
    page.evaluate("window.testPad.buttons[5].pressed = false; window.testPad.axes[0] = 1")
    before = place(session)
    wait_for(lambda: np.linalg.norm(place(session) - before) > 0.02, "driving by gamepad")
    page.evaluate("window.testPad.axes[0] = 0; navigator.getGamepads = () => []")
    before = place(session)
    stage.click(0.35, 0.62)  # one click is a way point
    wait_for(lambda: np.linalg.norm(place(session) - before) > 0.02, "going where it was clicked")
    stage.focus()
    stage.key("Tab")
    stage.wait_data("mode", "paused")
    page.get_by_role("button", name="Discard it").click()
    wait_for(lambda: session.controller.status().parent_id == episode_id, "the branch")
    start = session.controller.history().start
    assert StageDriver(page, stage.workbench).session is session and start.branch_step is not None and abs(start.branch_step - begun) <= 20
