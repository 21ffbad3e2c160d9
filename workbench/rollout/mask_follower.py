"""The way-point follower, told by a mask instead of a drawing: it knows nothing of masks but where they lie.

Grasps come from the masked part of a depth picture: the outline of its uppermost layer gives the middle and the narrowest side, that is
across its principal axis. Directions that a mask cannot tell are conventions: a push goes away from the robot, a pull towards it, both
across the object's longer axis; a turn is an eighth of a circle, counter-clockwise.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from workbench.core.errors import InvalidInput, Unreachable
from workbench.core.masks import Picture
from workbench.core.protocols import PolicySpec, Simulator
from workbench.core.sketches import PlanStep, Point, SketchPlan, Verb
from workbench.core.types import ActionChunk, Interaction, Mask, Observation, Prompt
from workbench.rollout.hold import hold_action
from workbench.rollout.looking import Look, look, situation_of
from workbench.rollout.loop import DONE
from workbench.rollout.tracking_places import Place, place_of
from workbench.segmentation.masks import inner_point, resized
from workbench.trajectory.carrying import GOAL_SIZE_M
from workbench.trajectory.follower import WaypointFollower
from workbench.trajectory.lift import DepthPicture
from workbench.trajectory.planner import plan_step
from workbench.trajectory.things import find_thing

LOOK_PX: Final = 480
STROKE_M: Final = 0.10
"""How far things are pushed and pulled."""
TURN_RAD: Final = -np.pi / 4
"""On the screen, positive is clockwise."""
_MOAT_PX: Final = 2
_HAND_M: Final = 0.13
"""What is nearer than this to the end-effector is the hand, or what it holds."""
_LEAST_PX: Final = 60
_HIGH_M: Final = 0.34
"""From here on the hand does not rise any more to look at a place behind it."""
_RISE_M: Final = 0.01
_VERBS: Final = {
    Interaction.APPROACH: Verb.TOUCH,
    Interaction.GRASP: Verb.PICK,
    Interaction.PLACE_ON: Verb.MOVE,
    Interaction.PUSH: Verb.PUSH,
    Interaction.PRESS: Verb.PRESS,
    Interaction.OPEN: Verb.PULL,
    Interaction.CLOSE: Verb.PUSH,
    Interaction.TURN: Verb.ROTATE,
}
DEFAULT_PERIOD_S: Final = 0.05
_UPWARDS: Final = np.array([0, 0, _RISE_M, 0, 0, 0, 0], dtype=np.float32)


class MaskFollower:
    """Does one thing with the masked object, then says that it is done; without a mask it holds still."""

    spec = PolicySpec(
        "mask-follower",
        prompts=frozenset({"mask"}),
        description="Grasps and touches what is masked, by depth and way points; learned nothing.",
    )

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._told: tuple[str, Interaction | None] | None = None
        self._follower: WaypointFollower | None = None

    def reset(self, rng: np.random.Generator) -> None:
        """Forget what was told."""
        self._told = self._follower = None

    def act(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> ActionChunk:
        """Return one action; another prompt begins anew.

        Raises:
            Unreachable: nothing stands where the mask is, or the gripper cannot do it.
            InvalidInput: the mask comes without what shall be done, or nothing is masked.
        """
        period_s = observation.time_s / observation.step if observation.step > 0 else DEFAULT_PERIOD_S
        if prompt.mask is None:
            return ActionChunk(hold_action(observation)[None], 1.0 / period_s)
        told = (prompt.id, prompt.interaction)
        if told != self._told or self._follower is None:
            planned = self._plan(prompt.mask, prompt.interaction)
            if planned is None:
                return ActionChunk((hold_action(observation) + _UPWARDS)[None], 1.0 / period_s)
            self._follower, self._told = planned, told
        if self._follower.is_done:
            return ActionChunk(hold_action(observation)[None], 1.0 / period_s, {DONE: 1.0})
        action = self._follower.act(observation, period_s)
        return ActionChunk(action[None], 1.0 / period_s, {DONE: float(self._follower.is_done)})

    def _plan(self, mask: Mask, interaction: Interaction | None) -> WaypointFollower | None:
        """Plan from what the camera shows of the object; None while the hand is in front of the place for what it holds."""
        if interaction is None or not mask.pixels.any():
            found = "an empty mask" if interaction is not None else "a mask alone"
            raise InvalidInput("mask follower", expected="a masked object and what shall be done with it", found=found)
        seen = look(self._simulator, SketchPlan("", "", mask.camera, LOOK_PX, LOOK_PX, ()))
        pinhole = seen.picture.pinhole
        pixels = resized(mask.pixels, pinhole.width, pinhole.height)
        if interaction is Interaction.PLACE_ON:
            hand = _hand_in(seen)
            pixels = grown(seen.picture, pixels & ~hand)
            is_hidden = bool((ndimage.binary_dilation(pixels, iterations=_MOAT_PX) & hand).any())
            pixels = pixels & ~hand
            is_low = float(seen.observation.ee_position[2]) < _HIGH_M
            if np.count_nonzero(pixels) < _LEAST_PX or (is_hidden and is_low):
                return None
        step = step_of(seen, pixels, interaction)
        situation = replace(situation_of(self._simulator, seen), picture=moated(seen.picture, pixels))
        if interaction is Interaction.PLACE_ON and not situation.is_holding:
            raise Unreachable("placing", reason="the gripper holds nothing", fix="Let it grasp something first.")
        return WaypointFollower(plan_step(situation, step, 0))


def _hand_in(seen: Look) -> NDArray[np.bool_]:
    """Return the pixels ``(H, W)`` of a look that show the hand or what it holds."""
    picture = seen.picture
    rows, columns = np.nonzero(np.isfinite(picture.depth) & (picture.depth > 0))
    world = picture.pinhole.unproject(np.stack([columns + 0.5, rows + 0.5], axis=1), picture.depth[rows, columns].astype(float))
    is_hand = np.zeros(picture.depth.shape, dtype=bool)
    is_hand[rows, columns] = np.linalg.norm(world - seen.observation.part("ee_position"), axis=1) < _HAND_M
    return is_hand


def grown(picture: DepthPicture, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask ``(H, W)`` with what hangs together with its highest part, seen by depth.

    A tracked mask is as old as the tracker is slow. What the hand hid then may be seen now, and is missing in the mask: the middle of what
    is left lies beside the thing's, and its border does not tell any more that the hand is in front of it.
    """
    if np.count_nonzero(mask) < _LEAST_PX:
        return mask
    try:
        thing = find_thing(picture, crown_of(picture, mask))
    except Unreachable:
        return mask
    if float(thing.size.max()) > GOAL_SIZE_M:
        return mask  # it runs on into what it lies on
    columns, rows = np.floor(picture.pinhole.project(thing.cloud)[0]).astype(int).T
    whole = mask.copy()
    whole[rows, columns] = True
    return whole


def moated(picture: DepthPicture, mask: NDArray[np.bool_]) -> DepthPicture:
    """Return a depth picture in which a masked object hangs together with nothing around it: a moat of no depth."""
    moat = np.asarray(ndimage.binary_dilation(mask, iterations=_MOAT_PX)) & ~mask
    return DepthPicture(np.where(moat, np.float32(np.nan), picture.depth), picture.pinhole)


def step_of(seen: Look, mask: NDArray[np.bool_], interaction: Interaction) -> PlanStep:
    """Return the plan step that an interaction with a mask ``(H, W)`` of a look's picture means.

    Raises:
        Unreachable: depth tells nothing of what is masked.
    """
    picture = seen.picture
    blank = np.zeros((*mask.shape, 3), dtype=np.uint8)
    place = place_of(mask, Picture(blank, picture.pinhole.name, picture.depth, picture.pinhole))
    if place is None:
        raise Unreachable("the masked object", reason="the camera measured no depth there", fix="Mask it on another camera.")
    point = crown_of(picture, mask)
    verb = _VERBS[interaction]
    if interaction is Interaction.PLACE_ON:
        hand = picture.pinhole.project(seen.observation.part("ee_position"))[0][0]
        return PlanStep(verb, ((float(hand[0]), float(hand[1])), point))
    if interaction is Interaction.TURN:
        return PlanStep(verb, (point,), angle_rad=TURN_RAD)
    if verb in (Verb.PUSH, Verb.PULL):
        return PlanStep(verb, (point, _goal(picture, place, towards_robot=verb is Verb.PULL)))
    return PlanStep(verb, (point,))


def crown_of(picture: DepthPicture, mask: NDArray[np.bool_]) -> Point:
    """Return the pixel in the middle of the highest part of a masked object."""
    rows, columns = np.nonzero(mask & np.isfinite(picture.depth) & (picture.depth > 0))
    world = picture.pinhole.unproject(np.stack([columns + 0.5, rows + 0.5], axis=1), picture.depth[rows, columns].astype(float))
    height = world[:, 2]
    is_top = height >= np.percentile(height, 96) - 0.006
    top = np.zeros_like(mask)
    top[rows[is_top], columns[is_top]] = True
    point = inner_point(top)
    assert point is not None, "the highest part of a mask is not empty"
    return point


def _goal(picture: DepthPicture, place: Place, *, towards_robot: bool) -> Point:
    """Return the pixel to which a thing is pulled or pushed, across its longer axis."""
    across = np.array([-np.sin(place.yaw_rad), np.cos(place.yaw_rad), 0.0])
    away = across if across @ [place.centre[0], place.centre[1], 0.0] >= 0 else -across
    goal = place.centre + (-STROKE_M if towards_robot else STROKE_M) * away
    pixel = picture.pinhole.project(goal)[0][0]
    return float(pixel[0]), float(pixel[1])
