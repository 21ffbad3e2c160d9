"""Which verb one drawn step means, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from workbench.core.errors import InvalidInput
from workbench.core.polylines import path_length, resample
from workbench.core.sketches import PlanStep, Point, Sketch, Stroke, StrokeKind, Verb
from workbench.core.types import Observation
from workbench.sketch.curves import fit_circle, swept_angle
from workbench.sketch.strokes import DrawnStep, to_pixels
from workbench.sketch.things import Array, Look, look_at
from workbench.sketch.words import SpokenVerb

POINT_VERBS: Final = frozenset({Verb.PICK, Verb.PRESS, Verb.TOUCH})
"""Verbs with one keypoint; drawn as a circle."""
PATH_VERBS: Final = frozenset({Verb.MOVE, Verb.PUSH, Verb.PULL, Verb.FOLLOW})
"""Verbs with a first keypoint, way points and a goal; drawn as an arrow."""
GRIPPER_SPAN_M: Final = 0.076
"""Widest thing that the 8 cm gripper takes with room to spare."""


class Choice(NamedTuple):
    """A verb and why it was chosen."""

    verb: Verb
    note: str


def read_step(step: DrawnStep, sketch: Sketch, spoken: SpokenVerb | None, observation: Observation | None) -> PlanStep:
    """Read one drawn step; arguments and errors as :func:`workbench.sketch.plan.interpret`."""
    pixels = [to_pixels(s.points, sketch.width, sketch.height) for s in step.strokes]
    ids = tuple(s.id for s in step.strokes)
    override = next((s.verb for s in step.strokes if s.verb is not None), None)
    path = pixels[-1]
    if step.is_rotation and override in (None, Verb.ROTATE):
        return _rotation(pixels[0][0], path, ids, "circle and arrow: turn about the circle")
    if step.strokes[0].kind is StrokeKind.CIRCLE and len(step.strokes) == 2:
        path = np.vstack([pixels[0][:1], path[1:]])
    is_arrow = step.strokes[-1].kind is StrokeKind.ARROW
    first = _points(path[:1])[0]
    choice = _given_choice(override, spoken, is_arrow, step.strokes)
    if choice is None:
        look = look_at(observation, sketch.camera, (first[0] / sketch.width, first[1] / sketch.height))
        choice = _choice_on_arrow(look, path, observation, sketch) if is_arrow else _choice_on_circle(look)
    if choice.verb is Verb.ROTATE:
        centre = _pivot_of_arc(path)
        if centre is None:
            return PlanStep(Verb.MOVE, _points(path), stroke_ids=ids, note="arrow: move (too straight to turn; add a circle at the pivot)")
        return _rotation(centre, path, ids, choice.note + "; the pivot is the middle of the bent arrow")
    keypoints = _points(path) if is_arrow else _points(path[:1])
    return PlanStep(choice.verb, keypoints, stroke_ids=ids, note=choice.note)


def _rotation(pivot: Array, path: Array, ids: tuple[str, ...], note: str) -> PlanStep:
    angle = swept_angle(path, pivot)
    return PlanStep(Verb.ROTATE, _points(pivot[None]), angle_rad=angle, arc=_points(path), stroke_ids=ids, note=note)


def _pivot_of_arc(path: Array) -> Array | None:
    """Return the centre ``(2,)`` of an arrow bent by at least 40 degrees, else None."""
    circle = fit_circle(resample(path, 64))
    if circle is None or path_length(path) / circle.radius < np.radians(40):
        return None
    return circle.centre


def _given_choice(override: Verb | None, spoken: SpokenVerb | None, is_arrow: bool, strokes: Sequence[Stroke]) -> Choice | None:
    symbol = "arrow" if is_arrow else "circle"
    if override is not None:
        fitting = PATH_VERBS | {Verb.ROTATE} if is_arrow else POINT_VERBS
        if override not in fitting:
            known = ", ".join(sorted(v.value for v in fitting))
            fix = "Draw a circle for it." if is_arrow else "Draw an arrow for it; to turn, a circle and an arrow."
            raise InvalidInput(f"verb of the {symbol} {strokes[-1].id!r}", expected=known, found=override.value, fix=fix)
        return Choice(override, f"{symbol}: set to {override.value}")
    if spoken is not None:
        return Choice(spoken.verb, f'{symbol}: the instruction says "{spoken.word}"')
    return None


def _choice_on_arrow(look: Look | None, path: Array, observation: Observation | None, sketch: Sketch) -> Choice:
    if look is None:
        return Choice(Verb.MOVE, "arrow: move")
    if look.thing is None:
        return Choice(Verb.FOLLOW, "arrow: nothing stands at its tail, so the empty gripper follows it")
    if look.is_handle:
        goal = look_at(observation, sketch.camera, (path[-1, 0] / sketch.width, path[-1, 1] / sketch.height))
        inwards = goal is not None and (goal.ground - look.ground) @ look.towards_body > 0
        if inwards:
            return Choice(Verb.PUSH, "arrow: from a handle towards its body, so push")
        return Choice(Verb.PULL, "arrow: from a handle, so pull")
    if look.grasp_width > GRIPPER_SPAN_M:
        return Choice(Verb.PUSH, f"arrow: the thing is {100 * look.grasp_width:.0f} cm wide, too wide for the gripper, so push")
    return Choice(Verb.MOVE, f"arrow: the thing is {100 * look.grasp_width:.0f} cm wide, so grasp and move")


def _choice_on_circle(look: Look | None) -> Choice:
    if look is None:
        return Choice(Verb.PICK, "circle: pick")
    if look.thing is None:
        return Choice(Verb.TOUCH, "circle: nothing stands there, so touch the place")
    if look.grasp_width > GRIPPER_SPAN_M:
        return Choice(Verb.PRESS, f"circle: the thing is {100 * look.grasp_width:.0f} cm wide, too wide for the gripper, so press")
    return Choice(Verb.PICK, f"circle: the thing is {100 * look.grasp_width:.0f} cm wide, so pick")


def _points(pixels: Array) -> tuple[Point, ...]:
    return tuple((float(u), float(v)) for u, v in pixels)
