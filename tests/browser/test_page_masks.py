"""Masks in the browser: click a thing, take a part away, act on it, lose it, click it again, and find all of it back after a reload."""

import numpy as np

from tests.browser.conftest import wait_ready
from tests.browser.stage_driver import reload
from workbench.core.types import CameraRequest
from workbench.simulation import relations

SIDE = 256


def middle_of(session, name):
    ids, names = session.in_simulator(lambda simulator: simulator.object_ids(CameraRequest("front", SIDE, SIDE)))
    rows, columns = np.nonzero(ids == names.index(name))
    return (float(np.median(columns)) + 0.5) / SIDE, (float(np.median(rows)) + 0.5) / SIDE


def put_in_front(simulator, name, target):
    """Let a thing float between the front camera and another one; returns where it was."""
    data, model = simulator._data, simulator.model
    address = model.jnt_qposadr[model.body(name).jntadr[0]]
    before = data.qpos[address : address + 7].copy()
    camera, aim = simulator.observe((CameraRequest("front"),)).cameras["front"].T_world_camera[:3, 3], simulator.world.position(target)
    model.opt.gravity[:] = 0.0
    data.qpos[address : address + 3] = aim + 0.6 * (camera - aim)
    simulator.restore(simulator.state())
    return before


def put_back(simulator, name, before):
    data, model = simulator._data, simulator.model
    address = model.jnt_qposadr[model.body(name).jntadr[0]]
    data.qpos[address : address + 7] = before
    model.opt.gravity[:] = (0.0, 0.0, -9.81)
    simulator.restore(simulator.state())


LANE_TELLS = "/lost.*corrected/.test(document.querySelector('#timeline .timeline').dataset.sights ?? '')"


def test_a_thing_is_masked_acted_on_lost_clicked_again_and_still_there_after_a_reload(stage, page):
    session = stage.session
    session.masks.preferred = ("oracle",)
    roles = session.in_simulator(lambda simulator: dict(simulator.instance.roles))
    other = session.in_simulator(lambda simulator: [p.name for p in simulator.instance.scene.props if p.kind == "cube"])
    cube, cover = roles["pick"], next(name for name in other if name != roles["pick"])
    stage.focus()
    page.keyboard.press("m")
    u, v = middle_of(session, cube)
    stage.click(u, v)
    stage.wait_data("masks", "1")
    whole = int(session.masks.tracking.board.state.objects[0].mask.sum())
    page.mouse.click(*stage.at(u + 0.012, v + 0.012), button="right")
    page.wait_for_function("VLAW.masks.state.objects[0]?.points.length === 2")
    assert 0 < session.masks.tracking.board.state.objects[0].mask.sum() < whole
    page.keyboard.press("Control+z")
    page.wait_for_function("VLAW.masks.state.objects[0]?.points.length === 1")
    page.get_by_role("tab", name="Masks").click()
    page.locator(f'#objects li[data-id="{session.masks.tracking.board.state.objects[0].id}"] canvas').click()
    session.command("mask_settings", {"pauses": True, "lost_after_s": 0.3})
    page.locator('#objects [data-is="driver"] select').select_option("mask-follower")
    page.locator('#objects [data-is="act"]').click()
    stage.wait_data("mode", "autonomous")
    before = session.in_simulator(lambda simulator: put_in_front(simulator, cover, cube))
    page.wait_for_selector("#stage .mask-question:not([hidden]) >> text=is lost", timeout=60_000)
    stage.wait_data("mode", "paused")
    session.in_simulator(lambda simulator: put_back(simulator, cover, before))
    page.locator("#stage .mask-question >> text=Click it").click()
    page.wait_for_function("VLAW.masks.state.selected !== null")
    stage.click(*middle_of(session, cube))
    page.wait_for_function("document.querySelector('#objects .objects').dataset.program === 'done'", timeout=180_000)
    assert session.in_simulator(lambda simulator: relations.lift(simulator.world, cube)) > 0.03
    page.wait_for_function(LANE_TELLS)
    reload(page)
    wait_ready(page)
    stage.wait_data("masks", "1")
    assert page.evaluate("VLAW.masks.pixels.values().next().value.some((x) => x)")
