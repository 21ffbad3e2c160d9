"""From a sketch to a plan; plans as sentences, code-like calls, and documents that a person or a model edited.

Source: VIEW, arXiv:2505.00693, where a vision-language model names the sub-goals and a detector finds the keypoints. Here the
strokes are vectors, so the keypoints are exact, and rules name the sub-goals; a model may still do it
(``models.vision_language``).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from workbench.core.errors import InvalidInput
from workbench.core.events import new_id
from workbench.core.sketches import PlanStep, Point, Sketch, SketchPlan, StrokeKind, Verb
from workbench.core.types import Observation
from workbench.sketch.choice import read_step
from workbench.sketch.fields import read_enum, read_integer, read_list, read_mapping, read_number, read_point, read_text, read_version
from workbench.sketch.recognise import SMALLEST, recognise_sketch
from workbench.sketch.strokes import MAX_FRAME_PX, MAX_POINTS, MAX_STROKES, ordered_steps, to_pixels
from workbench.sketch.words import spoken_verbs

MAX_TURN_RAD: Final = float(4 * np.pi)
_BEFORE_AND_AFTER: Final = {
    Verb.MOVE: ("grasp", "move", "release"),
    Verb.PUSH: ("touch", "push", "stop"),
    Verb.PULL: ("grasp the handle", "pull", "let go"),
    Verb.FOLLOW: ("start", "follow", "stop"),
}


def interpret(sketch: Sketch, *, instruction: str = "", observation: Observation | None = None) -> SketchPlan:
    """Read a sketch as a plan.

    The verb of a step is, in this order: what the person set on the stroke; what the symbols say (circle and arrow: rotate);
    what the instruction's words say; what the depth picture shows under the first keypoint; the grammar's default (arrow: move,
    circle: pick).

    Args:
        sketch: what was drawn; freehand strokes are recognised first, dots are left out.
        instruction: what the person typed, may be empty.
        observation: the picture drawn on, with depth; may be of another size than the sketch.

    Raises:
        InvalidInput: a scribble is neither arrow nor circle, or a stroke's verb does not fit its symbol.
    """
    clean = _without_dots(recognise_sketch(sketch))
    for number, stroke in enumerate(clean.strokes, 1):
        if stroke.kind is StrokeKind.FREEHAND:
            raise InvalidInput(f"stroke {number}", expected="an arrow or a circle", found="a scribble", fix="Delete it or draw it again.")
    drawn = ordered_steps(clean)
    spoken = spoken_verbs(instruction, [s.strokes[-1].kind is StrokeKind.ARROW for s in drawn])
    steps = tuple(read_step(step, clean, word, observation) for step, word in zip(drawn, spoken, strict=True))
    return SketchPlan(new_id(), sketch.id, sketch.camera, sketch.width, sketch.height, steps)


def _without_dots(sketch: Sketch) -> Sketch:
    smallest = SMALLEST * np.hypot(sketch.width, sketch.height)
    kept = []
    for stroke in sketch.strokes:
        extent = np.hypot(*np.ptp(to_pixels(stroke.points, sketch.width, sketch.height), axis=0))
        if stroke.kind is not StrokeKind.FREEHAND or extent >= smallest:
            kept.append(stroke)
    return Sketch(sketch.id, sketch.camera, sketch.width, sketch.height, tuple(kept), sketch.step)


def shown_point(point: Point) -> str:
    """Return a pixel as text, rounded."""
    return f"({point[0]:.0f}, {point[1]:.0f})"


def sentence(step: PlanStep, number: int | None = None, *, has_pixels: bool = True) -> str:
    """Return a step as a sentence, for example ``1 grasp at (212, 143); move via 3 points; release at (300, 200)``.

    Without pixels, for somebody who sees the drawing: ``1 grasp at its start; move via 3 points; release at its end``.
    """
    head = "" if number is None else f"{number} "
    is_path = step.verb in _BEFORE_AND_AFTER
    first = shown_point(step.keypoints[0]) if has_pixels else "its start" if is_path else "the circle"
    if step.verb is Verb.ROTATE:
        angle = np.degrees(step.angle_rad or 0.0)
        sense = "clockwise" if angle >= 0 else "counter-clockwise"
        return f"{head}grasp at {first}; turn {abs(angle):.0f}° {sense} in the picture; release"
    if not is_path:
        after = "; lift" if step.verb is Verb.PICK else ""
        return f"{head}{step.verb.value} at {first}{after}"
    before, along, after = _BEFORE_AND_AFTER[step.verb]
    num = len(step.keypoints) - 2
    via = "straight" if num <= 0 else f"via {num} point{'s' if num > 1 else ''}"
    return f"{head}{before} at {first}; {along} {via}; {after} at {shown_point(step.keypoints[-1]) if has_pixels else 'its end'}"


def call_text(step: PlanStep) -> str:
    """Return a step as a code-like call, for example ``move(from=(212,143), via=[(250,160)], to=(300,200))``."""
    points = [f"({u:.0f},{v:.0f})" for u, v in step.keypoints]
    if step.verb is Verb.ROTATE:
        return f"rotate(pivot={points[0]}, angle_deg={np.degrees(step.angle_rad or 0.0):+.0f})"
    if step.verb not in _BEFORE_AND_AFTER:
        return f"{step.verb.value}(at={points[0]})"
    return f"{step.verb.value}(from={points[0]}, via=[{', '.join(points[1:-1])}], to={points[-1]})"


def parse_plan(data: object) -> SketchPlan:
    """Read what :func:`workbench.core.sketches.plan_to_dict` wrote, or an edit of it; anything else is refused.

    Raises:
        InvalidInput: a field is missing, unknown, of the wrong type or out of bounds, or a step is not complete.
        TooLarge: too many steps or points.
    """
    fields = ("version", "id", "sketch_id", "camera", "width", "height", "steps")
    doc = read_mapping(data, "plan", required=fields, optional=("source",))
    read_version(doc["version"], "plan")
    items = read_list(doc["steps"], "plan, steps", at_least=0, at_most=MAX_STROKES)
    plan = SketchPlan(
        id=read_text(doc["id"], "plan, id", at_least=1, at_most=64),
        sketch_id=read_text(doc["sketch_id"], "plan, sketch_id", at_most=64),
        camera=read_text(doc["camera"], "plan, camera", at_least=1, at_most=64),
        width=read_integer(doc["width"], "plan, width", 1, MAX_FRAME_PX),
        height=read_integer(doc["height"], "plan, height", 1, MAX_FRAME_PX),
        steps=tuple(_parse_step(item, f"step {i + 1}") for i, item in enumerate(items)),
        source=read_text(doc.get("source", "human"), "plan, source", at_least=1, at_most=200),
    )
    validate_plan(plan)
    return plan


def _parse_step(item: object, what: str) -> PlanStep:
    doc = read_mapping(item, what, required=("verb", "keypoints"), optional=("angle_rad", "arc", "stroke_ids", "note"))
    angle = doc.get("angle_rad")
    ids = read_list(doc.get("stroke_ids", ()), f"{what}, stroke_ids", at_least=0, at_most=MAX_STROKES)
    return PlanStep(
        verb=read_enum(doc["verb"], f"{what}, verb", Verb),
        keypoints=_parse_pixels(doc["keypoints"], f"{what}, keypoints", 1),
        angle_rad=None if angle is None else read_number(angle, f"{what}, angle_rad", -MAX_TURN_RAD, MAX_TURN_RAD),
        arc=_parse_pixels(doc.get("arc", ()), f"{what}, arc", 0),
        stroke_ids=tuple(read_text(i, f"{what}, stroke_ids", at_least=1, at_most=64) for i in ids),
        note=read_text(doc.get("note", ""), f"{what}, note", at_most=2000),
    )


def _parse_pixels(value: object, what: str, at_least: int) -> tuple[Point, ...]:
    items = read_list(value, what, at_least=at_least, at_most=MAX_POINTS)
    high = (float(MAX_FRAME_PX), float(MAX_FRAME_PX))
    return tuple(read_point(p, f"{what}, point {i + 1}", (-high[0], -high[1]), high) for i, p in enumerate(items))


def validate_plan(plan: SketchPlan) -> None:
    """Check that every step has what its verb needs, within the frame.

    Raises:
        InvalidInput: says which step lacks or has too much of what.
    """
    for number, step in enumerate(plan.steps, 1):
        what = f"step {number}, {step.verb.value}"
        is_path = step.verb in _BEFORE_AND_AFTER
        found = f"{len(step.keypoints)} keypoints"
        if is_path and len(step.keypoints) < 2:
            raise InvalidInput(what, expected="a first keypoint and a goal", found=found, fix="Add the goal.")
        if not is_path and len(step.keypoints) != 1:
            raise InvalidInput(what, expected="one keypoint", found=found, fix="Keep the first keypoint only.")
        if (step.verb is Verb.ROTATE) != (step.angle_rad is not None):
            expected = "an angle" if step.verb is Verb.ROTATE else "no angle"
            raise InvalidInput(what, expected=expected, found=f"angle_rad {step.angle_rad}", fix="Only rotate has an angle.")
        for u, v in step.keypoints:
            if not (0 <= u <= plan.width and 0 <= v <= plan.height):
                frame = f"a pixel of the {plan.width} x {plan.height} frame"
                raise InvalidInput(what, expected=frame, found=shown_point((u, v)), fix="Move the keypoint into the picture.")
