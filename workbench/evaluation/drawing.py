"""The sketch that a person would draw for a task, on the picture that the person sees.

Truth is used only to know where things appear in the picture, as the eye would tell; what acts on the sketch never gets it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.geometry import Pinhole
from workbench.core.sketches import STEP_COLOURS, Point, Sketch, Stroke, StrokeKind, Verb, sketch_to_dict
from workbench.core.types import CameraRequest, Prompt
from workbench.simulation.drawers import HANDLE_HEIGHT, HANDLE_REACH
from workbench.simulation.props import BLOCK_SIZE, BUTTON_HEIGHT, DRAWER_TRAVEL, KNOB_HEIGHT, PLATE_HEIGHT, PUCK_SIZE
from workbench.simulation.scene import PropKind
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.world import World
from workbench.sketch.hand import hand_noise
from workbench.sketch.plan import interpret
from workbench.sketch.strokes import parse_sketch

FRAME_PX: Final = 480
CAMERA: Final = "front"
GEOMETRIC: Final = "geometric"
HAND: Final = "hand-like"
"""Styles: as exact as a ruler's, or as a hand draws."""
CIRCLE_RADIUS_PX: Final = 20.0
ARC_RADIUS_M: Final = 0.085
"""How far from the pivot the arrow that gives a turn is drawn."""
ARC_SPACING_RAD: Final = float(np.deg2rad(8))
BEND: Final = 0.08
"""How far the middle of an arrow's shaft lies beside the straight line, as a share of its length."""
BEYOND_M: Final = 0.015
"""A drawer's arrow leads this far beyond where the handle ends."""

Floats = NDArray[np.float64]

_TOPS: Final[Mapping[PropKind, float]] = {
    PropKind.CUBE: 0.0,
    PropKind.BLOCK: BLOCK_SIZE[2] / 2,
    PropKind.PUCK: PUCK_SIZE[2] / 2,
    PropKind.PLATE: PLATE_HEIGHT,
    PropKind.BOWL: 0.010,
    PropKind.BUTTON: BUTTON_HEIGHT,
    PropKind.KNOB: KNOB_HEIGHT,
    PropKind.ZONE: 0.0,
    PropKind.DOT: 0.0,
    PropKind.BALL: 0.0,
    PropKind.CYLINDER: 0.0,
    PropKind.CORNER: 0.0,
}
"""Height above a thing's own position at which somebody points [m]; cubes and the like are pointed at in their middle."""


def draw_prompt(simulator: BenchSimulator, instruction: str, style: str, seed: int) -> Prompt:
    """Return the prompt of a sketch of the present task: drawn, sent as a document, parsed and interpreted as the page does.

    Raises:
        InvalidInput: the interpreter cannot read the drawing.
    """
    sketch = draw_sketch(simulator, style, seed)
    observation = simulator.observe((CameraRequest(sketch.camera, sketch.width, sketch.height),))
    plan = interpret(sketch, instruction=instruction, observation=observation)
    return Prompt(text=instruction, sketch=sketch, plan=plan)


def draw_sketch(simulator: BenchSimulator, style: str, seed: int) -> Sketch:
    """Return the document that the browser would send for the present task, read back."""
    sketch = draw_task(simulator, CAMERA)
    if style == HAND:
        sketch = hand_noise(sketch, np.random.default_rng(seed))
    return parse_sketch(sketch_to_dict(sketch))


def draw_task(simulator: BenchSimulator, camera: str = CAMERA, size_px: int = FRAME_PX) -> Sketch:
    """Return the geometric sketch of the present task on the present picture of a camera."""
    pinhole = simulator.observe((CameraRequest(camera, size_px, size_px),)).cameras[camera]
    strokes = _DRAWERS[simulator.task.name](simulator, pinhole)
    return Sketch("sketch", camera, size_px, size_px, tuple(strokes))


def aim_point(world: World, name: str) -> Floats:
    """Return the world point ``(3,)`` [m] at which somebody would point for a thing."""
    return world.position(name) + np.array([0.0, 0.0, _TOPS[world.prop(name).kind]])


def _pixels(pinhole: Pinhole, points: Floats) -> Floats:
    return pinhole.project(points)[0]


def _stroke(pinhole: Pinhole, kind: StrokeKind, pixels: Floats, step: int, part: str = "") -> Stroke:
    points: tuple[Point, ...] = tuple((float(u / pinhole.width), float(v / pinhole.height)) for u, v in pixels)
    return Stroke(f"{kind.value}-{step + 1}{part}", kind, points, colour=STEP_COLOURS[step])


def _circle(pinhole: Pinhole, centre: Floats, step: int) -> Stroke:
    pixel = _pixels(pinhole, centre)[0]
    radius = np.array([CIRCLE_RADIUS_PX * pinhole.width / FRAME_PX, 0.0])
    return _stroke(pinhole, StrokeKind.CIRCLE, np.array([pixel, pixel + radius]), step)


def _arrow(pinhole: Pinhole, start: Floats, end: Floats, step: int, bend: float = BEND) -> Stroke:
    tail, head = _pixels(pinhole, np.array([start, end]))
    along = head - tail
    # Towards the top of the picture, where a shaft hides least of what is drawn on.
    side = np.array([-along[1], along[0]])
    middle = 0.5 * (tail + head) + bend * (side if side[1] < 0 else -side)
    return _stroke(pinhole, StrokeKind.ARROW, np.array([tail, middle, head]), step)


def _draw_circle_on_target(simulator: BenchSimulator, pinhole: Pinhole) -> list[Stroke]:
    return [_circle(pinhole, aim_point(simulator.world, simulator.instance.roles["target"]), 0)]


def _draw_arrow_to_place(simulator: BenchSimulator, pinhole: Pinhole) -> list[Stroke]:
    world, roles = simulator.world, simulator.instance.roles
    return [_arrow(pinhole, aim_point(world, roles["pick"]), _place_point(world, roles["place"]), 0)]


def _draw_straight_arrow(simulator: BenchSimulator, pinhole: Pinhole) -> list[Stroke]:
    world, roles = simulator.world, simulator.instance.roles
    return [_arrow(pinhole, aim_point(world, roles["pick"]), _place_point(world, roles["place"]), 0, bend=0.0)]


def _draw_two_arrows(simulator: BenchSimulator, pinhole: Pinhole) -> list[Stroke]:
    world, roles = simulator.world, simulator.instance.roles
    pairs = ((roles["pick"], roles["place"]), (roles["pick_2"], roles["place_2"]))
    return [_arrow(pinhole, aim_point(world, a), _place_point(world, b), i) for i, (a, b) in enumerate(pairs)]


def _draw_turn(simulator: BenchSimulator, pinhole: Pinhole) -> list[Stroke]:
    world, name = simulator.world, simulator.instance.roles["target"]
    pivot, angle = aim_point(world, name), simulator.instance.numbers["angle_rad"]
    heading = world.yaw(name) + (world.joint(name) if world.prop(name).kind is PropKind.KNOB else 0.0)
    turns = heading + np.linspace(0.0, angle, max(3, int(np.ceil(abs(angle) / ARC_SPACING_RAD)) + 1))
    rim = pivot + ARC_RADIUS_M * np.stack([np.cos(turns), np.sin(turns), np.zeros_like(turns)], axis=1)
    return [_circle(pinhole, pivot, 0), _stroke(pinhole, StrokeKind.ARROW, _pixels(pinhole, rim), 0, "-turn")]


def _draw_drawer(simulator: BenchSimulator, pinhole: Pinhole) -> list[Stroke]:
    world, name = simulator.world, simulator.instance.roles["target"]
    is_opening = simulator.task.name == "open_drawer"
    goal = DRAWER_TRAVEL + BEYOND_M if is_opening else -BEYOND_M
    ends = [_handle(world, name, opening) for opening in (world.joint(name), goal)]
    return [_arrow(pinhole, ends[0], ends[1], 0, bend=0.0)]


def _handle(world: World, name: str, opening: float) -> Floats:
    yaw = world.yaw(name)
    reach = HANDLE_REACH + opening
    return world.position(name) + np.array([reach * np.cos(yaw), reach * np.sin(yaw), HANDLE_HEIGHT])


def _draw_path(simulator: BenchSimulator, pinhole: Pinhole) -> list[Stroke]:
    points = np.array(simulator.instance.path) * (1.0, 1.0, 0.0)  # the dots lie on the table
    # "Move along the dots" would be read as moving a thing: the person sets the stroke's verb.
    return [replace(_stroke(pinhole, StrokeKind.ARROW, _pixels(pinhole, points), 0), verb=Verb.FOLLOW)]


def _place_point(world: World, name: str) -> Floats:
    """Return where somebody points to say "on this": for a cube, on its upper side."""
    lift = 0.018 if world.prop(name).kind is PropKind.CUBE else 0.0
    return aim_point(world, name) + np.array([0.0, 0.0, lift])


_DRAWERS: Final[Mapping[str, Callable[[BenchSimulator, Pinhole], list[Stroke]]]] = {
    "touch": _draw_circle_on_target,
    "pick": _draw_circle_on_target,
    "press_button": _draw_circle_on_target,
    "place_on_plate": _draw_arrow_to_place,
    "place_in_bowl": _draw_arrow_to_place,
    "stack": _draw_arrow_to_place,
    "ambiguous_cubes": _draw_arrow_to_place,
    "ambiguous_plates": _draw_arrow_to_place,
    "push_to_zone": _draw_straight_arrow,
    "sort_two": _draw_two_arrows,
    "turn_knob": _draw_turn,
    "rotate_block": _draw_turn,
    "open_drawer": _draw_drawer,
    "close_drawer": _draw_drawer,
    "follow_path": _draw_path,
}
