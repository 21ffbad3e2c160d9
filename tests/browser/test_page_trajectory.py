"""The way the robot means to go, dragged around an obstacle: red, green, a ghost, the run, a reload."""

import math
import time

import numpy as np

from tests.browser.stage_driver import StageDriver, reload
from tests.browser.test_page_telling import put_driver
from workbench.core.catalog import Entry
from workbench.core.protocols import PolicySpec
from workbench.core.types import ActionChunk, CameraRequest, EpisodeConfig, Intention, Trace
from workbench.rollout.trace_blend import BlendPolicy
from workbench.trajectory.compare import nearest_offsets

BOX = {"x": 0.45, "y": 0.0, "width": 0.10, "depth": 0.05, "height": 0.16}
WAY = np.array([[0.40, -0.20, 0.20], [0.45, 0.0, 0.10], [0.46, 0.18, 0.20]])
"""Through the box."""
PANEL = "#path-editor .path-editor"
PATIENCE_MS = 120_000


class Guide:
    """A policy that says where it means to go, and stays where it is."""

    spec = PolicySpec("bench-vla", (CameraRequest("front", 256, 256),), frozenset({"trace"}), has_intention=True)

    def __init__(self, simulator):
        pass

    def reset(self, rng):
        pass

    def act(self, observation, prompt, rng):
        front = observation.cameras["front"]
        pixels, depths = front.project(np.vstack([observation.part("ee_position"), WAY]))
        trace = Trace("front", 256, 256, tuple(map(tuple, pixels.tolist())), depths_m=tuple(depths.tolist()), source="model")
        actions = np.zeros((1, 7), dtype=np.float32)
        actions[:, 6] = 1.0
        return ActionChunk(actions, 20.0, intention=Intention(trace))


def wait_report(page, state):
    page.wait_for_selector(f'{PANEL} .report[data-state="{state}"]', timeout=PATIENCE_MS)


def place_of(page, index):
    """Where a way point is seen, in 0..1 of the picture."""
    return page.evaluate("i => VLAW.path.lens.project(VLAW.path.model.points[i].position)", index)


def raise_point(stage, index, by_px):
    """Take the arrow over a selected way point, and pull it up."""
    stage.click(*place_of(stage.page, index))
    stage.page.wait_for_function("VLAW.path.model.selectedId !== null")
    x, y = stage.at(*place_of(stage.page, index))
    stage.mouse.move(x, y - 26)
    stage.mouse.down()
    stage.mouse.move(x, y - 26 - by_px, steps=10)
    stage.mouse.up()


def test_a_way_point_of_the_predicted_path_is_dragged_around_an_obstacle_and_the_robot_follows(page, workbench, monkeypatch):
    put_driver(monkeypatch, workbench, Guide)
    stage = StageDriver(page, workbench)
    session = stage.session
    config = EpisodeConfig("place_on_plate", 3, options={"obstacles": {"boxes": [BOX]}})
    episode = session.controller.start(config, policy="bench-vla").result(PATIENCE_MS / 1000)
    page.wait_for_function("id => document.querySelector('#stage .stage').dataset.episode === id", arg=episode, timeout=PATIENCE_MS)
    page.get_by_role("tab", name="Trajectory").click()
    stage.focus()
    stage.key("t")
    wait_report(page, "bad")
    assert page.locator("#stage .path-note").count() >= 1 and "obstacle 1" in page.locator("#stage .path-note").first.inner_text()
    assert page.evaluate("VLAW.path.model.state.is_own") and page.evaluate("VLAW.path.model.points.length") == 4

    raise_point(stage, 2, 90)
    wait_report(page, "ok")
    raised = page.evaluate("VLAW.path.model.points[2].position")
    assert np.allclose(raised[:2], WAY[1, :2], atol=1e-3) and raised[2] > 0.22, "it went straight up"
    assert page.evaluate("VLAW.path.model.state.old.length") == 4, "what it was before stays to be seen"

    page.locator(f"{PANEL} [data-do=preview]").click()
    page.wait_for_function(f"document.querySelector('{PANEL}').dataset.ghosts === '1'", timeout=PATIENCE_MS)
    ghost = np.array(page.evaluate("VLAW.path.model.ghost.positions"))
    assert session.controller.status().step == 0, "the live robot has not moved"

    session.controller.set_speed(math.inf)
    page.locator(f"{PANEL} [data-do=run]").click()
    page.wait_for_selector(f"{PANEL} [data-is=score]:not([hidden])", timeout=PATIENCE_MS)
    driven = np.array([step.proprio[7:10] for step in session.controller.history().steps()], dtype=float)
    assert len(driven) > 20
    assert np.linalg.norm(nearest_offsets(ghost, driven), axis=1).max() < 0.02, "the ghost and the robot went the same way"
    assert np.linalg.norm(nearest_offsets(np.vstack([driven[:1], WAY[:1], [raised], WAY[2:]]), driven), axis=1).max() < 0.03

    reload(page)
    page.wait_for_function("window.VLAW?.path?.model.points.length === 4", timeout=PATIENCE_MS)
    assert page.evaluate("VLAW.path.model.points[2].position") == raised
    page.wait_for_function(
        "VLAW.timeline?.events.some((e) => e.kind === 'path' && e.payload.name === 'raised point 3')", timeout=PATIENCE_MS
    )
    page.get_by_role("tab", name="Trajectory").click()
    page.evaluate("VLAW.run('first_step')")
    page.wait_for_function("VLAW.path.model.past?.length === 4", timeout=PATIENCE_MS)


class PathFollowedInPart(BlendPolicy):
    """The shared drive of the page, with a policy that stays where it is by itself."""

    def __init__(self, simulator):
        super().__init__(Guide(simulator), simulator)


def start_guided(page, workbench, monkeypatch):
    """Begin an episode whose policy shows a way, take the path tool, and let a box be on the way of nobody."""
    put_driver(monkeypatch, workbench, Guide)
    blend = {**workbench.policies._entries, "trace-blend": Entry("trace-blend", lambda: PathFollowedInPart)}
    monkeypatch.setattr(workbench.policies, "_entries", blend)
    stage = StageDriver(page, workbench)
    episode = stage.session.controller.start(EpisodeConfig("place_on_plate", 3), policy="bench-vla").result(PATIENCE_MS / 1000)
    stage.session.controller.set_speed(math.inf)
    page.wait_for_function("id => document.querySelector('#stage .stage').dataset.episode === id", arg=episode, timeout=PATIENCE_MS)
    page.get_by_role("tab", name="Trajectory").click()
    stage.focus()
    stage.key("t")
    page.wait_for_function("VLAW.path.model.points.length === 4", timeout=PATIENCE_MS)
    return stage


def slide(page, per_cent):
    """Drag the slider between policy and path."""
    page.locator(f"{PANEL} [data-is=weight]").evaluate(
        "(node, v) => { node.value = v; for (const kind of ['input', 'change']) node.dispatchEvent(new Event(kind, { bubbles: true })); }",
        per_cent,
    )


def hand_of(session):
    return session.in_simulator(lambda simulator: np.array(simulator.observe(()).part("ee_position"), dtype=float))


def free_place(session):
    """Return the place on the table that is farthest from all things, in the world [m]."""
    props = session.in_simulator(lambda simulator: np.array([(p.x, p.y) for p in simulator.instance.scene.props]))
    places = [np.array([x, y]) for x in (0.45, 0.55, 0.62) for y in np.linspace(-0.2, 0.2, 9)]
    best = max(places, key=lambda place: np.linalg.norm(props - place, axis=1).min())
    return [float(best[0]), float(best[1]), 0.0]


def wait_steps(session, num):
    """Let the robot do so many steps more, and return how far its hand went [m]."""
    before, first = hand_of(session), session.controller.status().step
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while (status := session.controller.status()).mode == "autonomous" and status.step < first + num:
        assert time.monotonic() < deadline, status
        time.sleep(0.02)
    return float(np.linalg.norm(hand_of(session) - before))


def test_the_slider_between_policy_and_path_acts_while_the_robot_moves(page, workbench, monkeypatch):
    stage = start_guided(page, workbench, monkeypatch)
    page.get_by_label("Both, blended").check()
    slide(page, 0)
    assert page.locator(f"{PANEL} [data-is=weight-text]").inner_text() == "policy alone"
    page.locator(f"{PANEL} [data-do=run]").click()
    stage.wait_data("mode", "autonomous")
    wait_steps(stage.session, 5)
    assert wait_steps(stage.session, 15) < 0.005, "the policy by itself stays where it is"

    slide(page, 100)
    assert page.locator(f"{PANEL} [data-is=weight-text]").inner_text() == "path alone"
    page.wait_for_selector(f"{PANEL} [data-is=score]:not([hidden])", timeout=PATIENCE_MS)
    assert np.linalg.norm(hand_of(stage.session) - WAY[-1]) < 0.03, "the path led the hand to its end"
    assert stage.session.controller.status().policy == "trace-blend"


def test_an_obstacle_is_put_on_the_table_by_a_click_in_the_middle_of_an_episode(page, workbench, monkeypatch):
    stage = start_guided(page, workbench, monkeypatch)
    page.locator(f"{PANEL} [data-do=run]").click()
    stage.wait_data("mode", "autonomous")
    wait_steps(stage.session, 8)
    stage.session.controller.pause()
    stage.wait_data("mode", "paused")
    first = stage.session.controller.status().episode_id
    page.get_by_text("Plan a path, and put obstacles in the way").click()
    page.locator(f"{PANEL} [data-do=box]").click()
    assert "Click on the table" in page.locator(f"{PANEL} [data-is=say]").inner_text()
    place = free_place(stage.session)
    stage.click(*page.evaluate("p => VLAW.path.lens.project(p)", place))
    page.wait_for_function("VLAW.path.model.state.obstacles?.length === 1", timeout=PATIENCE_MS)
    box = stage.session.config.options["obstacles"]["boxes"][0]
    assert np.allclose([box["x"], box["y"]], place[:2], atol=0.01) and (box["width"], box["height"]) == (0.18, 0.15)
    branch = stage.session.controller.status()
    assert branch.parent_id == first and branch.step == 0, "the episode before stays as it was"
    page.locator(f"{PANEL} [data-do=unbox]").click()
    page.wait_for_function("VLAW.path.model.state.obstacles?.length === 0", timeout=PATIENCE_MS)
