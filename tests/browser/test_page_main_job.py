"""The main job: draw on the live picture, press Enter, see the robot do it, find it stored."""

import numpy as np
import pytest

from workbench.core.sketches import Verb
from workbench.core.types import CameraRequest, EpisodeConfig
from workbench.simulation.tasks.press_button import PRESSED

SOLVED_MS = 120_000


def session_of(page, workbench):
    return workbench.live.get(page.evaluate("window.VLAW.socket.tab.tab_id"))


def start(page, workbench, task, seed=7):
    session = session_of(page, workbench)
    episode_id = session.controller.start(EpisodeConfig(task, seed), policy="sketch").result(60)
    page.wait_for_function("id => document.querySelector('#stage .stage').dataset.episode === id", arg=episode_id)
    return session


def places(session, *roles):
    """Return where the things of a task stand in the front picture, 0..1."""

    def look(simulator):
        pinhole = simulator.observe((CameraRequest("front", 480, 480),)).cameras["front"]
        names = [simulator.instance.roles[role] for role in roles]
        return pinhole.project([simulator.world.position(name) for name in names])[0] / 480

    return session.in_simulator(look)


class Pen:
    """The mouse on the picture."""

    def __init__(self, page):
        self.page, self.box = page, page.locator("#stage .surface").bounding_box()

    def at(self, place):
        return self.box["x"] + place[0] * self.box["width"], self.box["y"] + place[1] * self.box["height"]

    def drag(self, a, b, num_moves=8):
        (x0, y0), (x1, y1) = self.at(a), self.at(b)
        strokes = self.page.evaluate("Number(document.querySelector('#stage .stage').dataset.commits || 0)")
        self.page.mouse.move(x0, y0)
        self.page.mouse.down()
        for i in range(1, num_moves + 1):
            self.page.mouse.move(x0 + (x1 - x0) * i / num_moves, y0 + (y1 - y0) * i / num_moves)
        self.page.mouse.up()
        self.page.wait_for_function(
            "n => Number(document.querySelector('#stage .stage').dataset.commits || 0) > n", arg=strokes, timeout=30_000
        )


def run_to_success(page, session):
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#stage .stage').dataset.mode === 'autonomous'", timeout=30_000)
    page.wait_for_function("document.querySelector('#stage .stage').dataset.mode !== 'autonomous'", timeout=SOLVED_MS)
    assert "success" in [event.kind.value for event in session.controller.history().events()], session.controller.status()


def test_an_arrow_from_the_cube_to_the_plate_puts_the_cube_on_the_plate(page, workbench):
    session = start(page, workbench, "place_on_plate")
    cube, plate = places(session, "pick", "place")
    Pen(page).drag(cube, plate)
    run_to_success(page, session)
    page.get_by_role("tab", name="Sketch").click()
    page.wait_for_selector('#plan [data-is="steps"] li')

    def is_on_plate(simulator):
        roles, world = simulator.instance.roles, simulator.world
        return world.is_touching(roles["pick"], roles["place"]) and not world.is_held(roles["pick"])

    assert session.in_simulator(is_on_plate)
    episode_id = session.controller.status().episode_id
    assert workbench.recorder.flush()
    info = workbench.store.episode(episode_id)
    assert (info.task, info.policy) == ("place_on_plate", "sketch") and info.num_steps > 20
    kinds = [event.kind.value for event in workbench.store.events(episode_id)]
    assert {"sketch", "plan", "success"} <= set(kinds), kinds
    page.get_by_role("tab", name="History").click()
    page.wait_for_selector(f'#history li[data-id="{episode_id}"]')


def test_a_circle_presses_the_button(page, workbench):
    session = start(page, workbench, "press_button")
    (button,) = places(session, "target")
    page.locator("#stage .surface").focus()
    page.keyboard.press("d")
    Pen(page).drag(button, np.add(button, (0.05, 0.0)))
    (drawn,) = session.plan.steps
    assert drawn.verb is Verb.PRESS
    run_to_success(page, session)
    history = session.controller.history()
    deepest = max((history.step(i) for i in range(history.num_steps)), key=lambda step: step.scores["pressed"])
    assert deepest.scores["pressed"] > PRESSED and deepest.scores["distance_to_object"] < 0.03, "the hand itself is on the button"
    assert not any(history.step(i).scores["pressed_wrong"] for i in range(history.num_steps))
    after = session.in_simulator(lambda simulator: simulator.world.joint(simulator.instance.roles["target"]))
    assert after < PRESSED, "it was let go again"


def test_undo_takes_the_last_stroke_back_and_redo_brings_it_again(page, workbench):
    session = start(page, workbench, "place_on_plate")
    cube, plate = places(session, "pick", "place")
    Pen(page).drag(cube, plate)
    count = "n => document.querySelector('#stage .stage').dataset.strokes === String(n)"
    page.wait_for_function(count, arg=1)
    page.keyboard.press("Control+z")
    page.wait_for_function(count, arg=0)
    page.keyboard.press("Control+Shift+z")
    page.wait_for_function(count, arg=1)
    assert len(session.sketch.strokes) == 1


@pytest.mark.parametrize("way", ["key", "button"])
def test_halt_stops_a_running_drawing(page, workbench, way):
    session = start(page, workbench, "place_on_plate")
    cube, plate = places(session, "pick", "place")
    Pen(page).drag(cube, plate)
    page.keyboard.press("Enter")
    page.wait_for_function("Number(document.querySelector('#stage .stage').dataset.step) > 5", timeout=30_000)
    if way == "key":
        page.keyboard.press("Shift+Escape")
    else:
        page.get_by_role("button", name="HALT").click()
    page.wait_for_function("document.querySelector('#stage .stage').dataset.mode === 'halted'", timeout=10_000)
    assert session.controller.status().mode == "halted"
