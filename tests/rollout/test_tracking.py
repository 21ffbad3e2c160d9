"""Masked objects of a live rollout: clicked, followed beside the loop, carried to the policy's camera, acted on, lost and found."""

import math
import time

import numpy as np
import pytest

from models.catalog import SEGMENTERS
from workbench.core.catalog import Catalog
from workbench.core.errors import InvalidInput
from workbench.core.events import EventKind
from workbench.core.masks import EXCLUDE, INCLUDE
from workbench.core.types import CameraRequest, EpisodeConfig, Interaction
from workbench.rollout.controller import RolloutController
from workbench.rollout.mask_follower import MaskFollower
from workbench.rollout.mask_program import MaskProgram, ProgramState, ProgramStep
from workbench.rollout.picturing import PICTURE_PX
from workbench.rollout.tracking import ObjectTracking
from workbench.rollout.tracking_requests import Asked
from workbench.segmentation.masks import inner_point, iou
from workbench.segmentation.pool import SegmenterPool
from workbench.simulation.simulators import SIMULATORS

WAIT_S = 60
POOL = SegmenterPool(SEGMENTERS)


class Told:
    """An observer that gives a program its steps and events."""

    def __init__(self):
        self.program, self.events = None, []

    def on_start(self, start):
        pass

    def on_step(self, step):
        if self.program:
            self.program.on_step(step)

    def on_event(self, episode_id, event):
        self.events.append(event)
        if self.program:
            self.program.on_event(event)

    def on_end(self, end):
        pass


class Bench:
    """A live rollout on the bench with the tracker of the oracle."""

    def __init__(self):
        policies = Catalog("policy")
        policies.add("mask-follower", lambda: MaskFollower)
        self.told = Told()
        self.controller = RolloutController(simulators=SIMULATORS, policies=policies, observers=(self.told,), session_id="s")
        self.controller.start(EpisodeConfig("place_on_plate", 7), policy="mask-follower").result(WAIT_S)
        self.controller.set_speed(math.inf)
        self.tracking = ObjectTracking(self.controller, POOL, "oracle")
        self.names = self.inside(lambda simulator: [p.name for p in simulator.instance.scene.props])

    def close(self):
        self.tracking.close()
        self.controller.close()

    def inside(self, fn):
        return self.controller.call(fn).result(WAIT_S)

    def truth(self, name, camera="front"):
        def see(simulator):
            ids, names = simulator.object_ids(CameraRequest(camera, PICTURE_PX, PICTURE_PX))
            return ids == names.index(name) if name in names else np.zeros(ids.shape, bool)

        return self.inside(see)

    def click(self, name, camera="front", label=INCLUDE, **more):
        u, v = inner_point(self.truth(name, camera))
        asked = Asked(camera, points=((u / PICTURE_PX, v / PICTURE_PX),), labels=(label,), **more)
        return self.tracking.ask(asked).result(WAIT_S)

    def states(self):
        """Return what the timeline keeps of the objects so far."""
        self.inside(lambda simulator: None)  # what was recorded before is there then
        return [e.payload["state"] for e in self.told.events if e.kind is EventKind.OBJECT]

    def called(self, kind):
        return next(name for name in self.names if name.startswith(kind))


@pytest.fixture
def bench():
    made = Bench()
    yield made
    made.close()


def wait_for(condition, timeout_s=120.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_objects_are_clicked_refined_undone_locked_and_removed(bench):
    cube, plate = bench.called("cube"), bench.called("plate")
    first = bench.click(cube)
    assert np.array_equal(first.mask, bench.truth(cube)) and first.name.endswith("cube")
    u, v = np.argwhere(first.mask)[0][::-1] + 0.5
    part = bench.tracking.ask(Asked("front", points=((u / PICTURE_PX, v / PICTURE_PX),), labels=(EXCLUDE,))).result(WAIT_S)
    assert part.id == first.id and 0 < part.mask.sum() < first.mask.sum()
    assert bench.tracking.move_in_history(-1).result(WAIT_S)
    assert np.array_equal(bench.tracking.board.state.objects[0].mask, first.mask)
    second = bench.click(plate, is_new=True)
    assert second.colour != first.colour and len(bench.tracking.board.state.objects) == 2
    bench.tracking.change(second.id, {"is_locked": True, "name": "dish"})
    with pytest.raises(InvalidInput, match="locked"):
        bench.click(plate)
    bench.tracking.remove(first.id).result(WAIT_S)
    assert [o.name for o in bench.tracking.board.state.objects] == ["dish"]
    assert bench.states() == ["new", "corrected", "new", "removed"]


def test_clicks_that_mean_nothing_are_refused_and_nothing_is_lost(bench):
    cube = bench.click(bench.called("cube"))
    bench.tracking.select(None)
    with pytest.raises(InvalidInput, match="nothing"):
        bench.tracking.ask(Asked("front", points=((0.001, 0.001),), labels=(INCLUDE,))).result(WAIT_S)
    with pytest.raises(InvalidInput, match="Click on the object first"):
        bench.tracking.ask(Asked("front", points=((0.5, 0.5),), labels=(EXCLUDE,))).result(WAIT_S)
    bench.tracking.select(cube.id)
    with pytest.raises(InvalidInput, match="front"):
        bench.click(bench.called("cube"), camera="top")
    assert [o.id for o in bench.tracking.board.state.objects] == [cube.id]


def test_a_mask_of_another_camera_is_told_on_the_policys(bench):
    plate = bench.called("plate")
    found = bench.click(plate, camera="top")
    assert bench.tracking.told_mask(found.id) is None
    bench.tracking.aim(frozenset({found.id})).result(WAIT_S)
    told = bench.tracking.told_mask(found.id)
    assert told.camera == "front" and told.source == "oracle" and iou(told.pixels, bench.truth(plate)) > 0.85


def hide(simulator, name, height):
    """Take a thing away, or bring it back."""
    address = simulator.model.jnt_qposadr[simulator.model.body(name).jntadr[0]]
    simulator._data.qpos[address + 2] += height
    simulator.restore(simulator.state())


def test_a_lost_target_pauses_the_policy_and_a_click_lets_it_go_on(bench):
    cube = bench.called("cube")
    found = bench.click(cube)
    bench.tracking.targets = frozenset({found.id})
    bench.tracking.lost_after_s = 0.2
    bench.inside(lambda simulator: simulator.model.opt.gravity.__setitem__(slice(None), 0.0))
    bench.inside(lambda simulator: hide(simulator, cube, -2.0))
    bench.controller.set_speed(1.0)
    bench.controller.resume()
    wait_for(lambda: bench.tracking.view().asking == found.id)
    wait_for(lambda: bench.controller.status().mode == "paused")
    bench.inside(lambda simulator: hide(simulator, cube, 2.0))
    bench.tracking.select(found.id)
    again = bench.click(cube)
    assert again.id == found.id and bench.tracking.view().asking is None and bench.controller.status().mode == "autonomous"
    bench.controller.pause()
    states = bench.states()
    assert "lost" in states and "corrected" in states[states.index("lost") :]


@pytest.mark.slow
def test_a_program_grasps_one_thing_and_puts_it_on_another(bench):
    wanted = bench.inside(lambda simulator: dict(simulator.instance.roles))
    cube, plate = bench.click(wanted["pick"]), bench.click(wanted["place"], is_new=True)
    program = bench.told.program = MaskProgram(bench.controller, bench.tracking)
    bench.tracking.is_pausing_on_lost = False
    bench.controller.set_speed(2.0)
    program.run((ProgramStep(cube.id, Interaction.GRASP), ProgramStep(plate.id, Interaction.PLACE_ON)), "mask-follower")
    wait_for(lambda: program.state is not ProgramState.RUNNING, 300)
    assert program.state is ProgramState.DONE, program.note
    wait_for(lambda: bench.controller.status().mode == "paused")
    bench.controller.step_once(20)
    wait_for(lambda: bench.controller.status().is_success, 10)
    tracked = [e for e in bench.told.events if e.kind is EventKind.MASK and e.payload.get("is_tracked")]
    assert tracked and tracked[0].payload["interaction"] == "grasp"
