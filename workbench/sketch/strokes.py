"""Sketch documents: strict reading, pixels, and the order of steps.

Source of the grammar: Robotic Visual Instruction, arXiv:2505.00693, section 3. The colours of steps 1 to 3 are the paper's;
further colours and explicit numbers, which override colours, are ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core.errors import InvalidInput
from workbench.core.polylines import path_length, resample
from workbench.core.sketches import STEP_COLOURS, Point, Sketch, Stroke, StrokeKind, Verb
from workbench.sketch.curves import swept_angle
from workbench.sketch.fields import (
    read_enum,
    read_flag,
    read_integer,
    read_list,
    read_mapping,
    read_number,
    read_point,
    read_text,
    read_version,
)

MAX_STROKES: Final = 64
MAX_POINTS: Final = 2000
MAX_FRAME_PX: Final = 8192
BOUNDS_TOLERANCE: Final = 0.05
"""How far outside 0..1 a drawn point may lie; it is moved to the border. The rim of a circle may lie one frame outside."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class DrawnStep:
    """The strokes of one step of the task: one stroke, or a circle and the arrow that belongs to it."""

    number: int
    """Step number as drawn: explicit, or the place of the colour; several steps may share one number."""
    strokes: tuple[Stroke, ...]
    """A lone stroke, or (circle, arrow)."""
    is_rotation: bool = False
    """True for a circle with the arrow that turns about it; False for a circle that marks the tail of an arrow."""


def parse_sketch(data: object) -> Sketch:
    """Read what :func:`workbench.core.sketches.sketch_to_dict` wrote; anything else is refused.

    Raises:
        InvalidInput: a field is missing, unknown, of the wrong type or out of bounds.
        TooLarge: more than 64 strokes, or a stroke of more than 2,000 points.
    """
    doc = read_mapping(data, "sketch", required=("version", "id", "camera", "width", "height", "strokes"), optional=("step",))
    read_version(doc["version"], "sketch")
    items = read_list(doc["strokes"], "sketch, strokes", at_least=0, at_most=MAX_STROKES)
    strokes = tuple(_parse_stroke(item, f"stroke {i + 1}") for i, item in enumerate(items))
    seen: set[str] = set()
    for i, stroke in enumerate(strokes):
        if stroke.id in seen:
            raise InvalidInput(f"stroke {i + 1}, id", expected="an id that no other stroke has", found=repr(stroke.id))
        seen.add(stroke.id)
    return Sketch(
        id=read_text(doc["id"], "sketch, id", at_least=1, at_most=64),
        camera=read_text(doc["camera"], "sketch, camera", at_least=1, at_most=64),
        width=read_integer(doc["width"], "sketch, width", 1, MAX_FRAME_PX),
        height=read_integer(doc["height"], "sketch, height", 1, MAX_FRAME_PX),
        strokes=strokes,
        step=read_integer(doc.get("step", 0), "sketch, step", 0, 10**9),
    )


def _parse_stroke(item: object, what: str) -> Stroke:
    optional = ("colour", "order", "verb", "width_px", "is_geometric", "raw")
    doc = read_mapping(item, what, required=("id", "kind", "points"), optional=optional)
    kind = read_enum(doc["kind"], f"{what}, kind", StrokeKind)
    order, verb = doc.get("order"), doc.get("verb")
    return Stroke(
        id=read_text(doc["id"], f"{what}, id", at_least=1, at_most=64),
        kind=kind,
        points=_parse_points(doc["points"], what, kind),
        colour=_parse_colour(doc.get("colour", STEP_COLOURS[0]), f"{what}, colour"),
        order=None if order is None else read_integer(order, f"{what}, order", 1, MAX_STROKES),
        verb=None if verb is None else read_enum(verb, f"{what}, verb", Verb),
        width_px=read_number(doc.get("width_px", 4.0), f"{what}, width_px", 0.5, 64.0),
        is_geometric=read_flag(doc.get("is_geometric", True), f"{what}, is_geometric"),
        raw=_inside(_read_points(doc.get("raw", ()), f"{what}, raw", 0)),
    )


def _parse_points(value: object, what: str, kind: StrokeKind) -> tuple[Point, ...]:
    if kind is not StrokeKind.CIRCLE:
        at_least = 2 if kind is StrokeKind.ARROW else 1
        return _inside(_read_points(value, f"{what}, points", at_least))
    read_list(value, f"{what}, points of a circle (centre, rim)", at_least=2, at_most=2)
    centre, rim = _read_points(value, f"{what}, points", 2, margin=1.0)
    if _inside((centre,)) != (centre,):
        _read_points([centre], f"{what}, centre", 1)
    return (*_inside((centre,)), rim)


def _read_points(value: object, what: str, at_least: int, margin: float = BOUNDS_TOLERANCE) -> tuple[Point, ...]:
    items = read_list(value, what, at_least=at_least, at_most=MAX_POINTS)
    low, high = (-margin, -margin), (1 + margin, 1 + margin)
    return tuple(read_point(p, f"{what}, point {i + 1}", low, high) for i, p in enumerate(items))


def _inside(points: Iterable[Point]) -> tuple[Point, ...]:
    return tuple((min(1.0, max(0.0, x)), min(1.0, max(0.0, y))) for x, y in points)


def _parse_colour(value: object, what: str) -> tuple[int, int, int]:
    parts = read_list(value, what, at_least=3, at_most=3)
    r, g, b = (read_integer(c, what, 0, 255) for c in parts)
    return (r, g, b)


def to_pixels(points: ArrayLike, width: int, height: int) -> Array:
    """Return 0..1 points ``(N, 2)`` as pixels ``(N, 2)`` of a ``width`` x ``height`` frame."""
    return np.asarray(points, dtype=float).reshape(-1, 2) * (width, height)


def to_fractions(pixels: ArrayLike, width: int, height: int) -> tuple[Point, ...]:
    """Return pixels ``(N, 2)`` as 0..1 points."""
    scaled = np.asarray(pixels, dtype=float).reshape(-1, 2) / (width, height)
    return tuple((float(x), float(y)) for x, y in scaled)


def circle_radius_px(stroke: Stroke, width: int, height: int) -> float:
    """Return the radius [px] of a circle on a frame of that size."""
    centre, rim = to_pixels(stroke.points, width, height)
    return float(np.linalg.norm(rim - centre))


def step_numbers(strokes: Sequence[Stroke]) -> tuple[int, ...]:
    """Return the step number of each stroke: explicit, else the place of its colour, else after all those, as first drawn."""
    numbers: list[int | None] = []
    for stroke in strokes:
        known = stroke.colour in STEP_COLOURS
        numbers.append(stroke.order if stroke.order is not None else STEP_COLOURS.index(stroke.colour) + 1 if known else None)
    following = max((n for n in numbers if n is not None), default=0) + 1
    others: dict[Any, int] = {}
    for stroke, number in zip(strokes, numbers, strict=True):
        if number is None:
            others.setdefault(stroke.colour, following + len(others))
    return tuple(others[s.colour] if n is None else n for s, n in zip(strokes, numbers, strict=True))


def ordered_steps(sketch: Sketch) -> tuple[DrawnStep, ...]:
    """Group strokes into steps, in the order in which they are to be done.

    Steps follow their number (explicit, else by colour in the paper's order); strokes of one number follow the order of drawing.
    A circle and an arrow of one number make one step when the arrow turns about the circle (rotation), or starts in it (the
    circle then marks what the arrow moves).
    """
    numbers = step_numbers(sketch.strokes)
    steps: list[DrawnStep] = []
    for number in sorted(set(numbers)):
        group = [s for s, n in zip(sketch.strokes, numbers, strict=True) if n == number]
        steps.extend(_steps_of_group(group, number, sketch))
    return tuple(steps)


def _steps_of_group(group: list[Stroke], number: int, sketch: Sketch) -> list[DrawnStep]:
    arrow_of: dict[str, Stroke] = {}
    is_rotation: dict[str, bool] = {}
    taken: set[str] = set()
    # Rotations first: an arrow that turns about one circle may start within another.
    for wanted in (True, False):
        for circle in (s for s in group if s.kind is StrokeKind.CIRCLE and s.id not in arrow_of):
            fitting = [
                s
                for s in group
                if s.kind is StrokeKind.ARROW
                and s.id not in taken
                and (turns_about if wanted else starts_in)(s, circle, sketch.width, sketch.height)
            ]
            if fitting:
                arrow = min(fitting, key=lambda s: _distance_px(s, circle, sketch))
                arrow_of[circle.id], is_rotation[circle.id] = arrow, wanted
                taken.add(arrow.id)
    steps = []
    for stroke in group:
        if stroke.id in arrow_of:
            steps.append(DrawnStep(number, (stroke, arrow_of[stroke.id]), is_rotation[stroke.id]))
        elif stroke.id not in taken:
            steps.append(DrawnStep(number, (stroke,)))
    return steps


def _distance_px(arrow: Stroke, circle: Stroke, sketch: Sketch) -> float:
    arms = to_pixels(arrow.points, sketch.width, sketch.height) - to_pixels(circle.points[:1], sketch.width, sketch.height)
    return float(np.linalg.norm(arms, axis=1).mean())


def turns_about(arrow: Stroke, circle: Stroke, width: int, height: int) -> bool:
    """Tell whether an arrow turns about a circle: it keeps near, at a roughly constant distance, and sweeps 15 degrees or more."""
    centre = to_pixels(circle.points[:1], width, height)[0]
    radius = max(circle_radius_px(circle, width, height), 1.0)
    points = resample(to_pixels(arrow.points, width, height), 64)
    distances = np.linalg.norm(points - centre, axis=1)
    near, far = float(distances.min()), float(distances.max())
    reach = max(4.0 * radius, 0.15 * min(width, height))
    if near < 0.45 * radius or far > reach or far > 2.2 * near + 0.5 * radius:
        return False
    swept = abs(swept_angle(points, centre))
    # An arrow that leads away sweeps little for its length; one that turns sweeps about its length over its distance.
    return swept >= np.radians(15) and swept >= 0.5 * path_length(points) / max(far, 1.0)


def starts_in(arrow: Stroke, circle: Stroke, width: int, height: int) -> bool:
    """Tell whether an arrow starts in a circle and leads out of it."""
    centre = to_pixels(circle.points[:1], width, height)[0]
    radius = circle_radius_px(circle, width, height)
    points = to_pixels(arrow.points, width, height)
    distances = np.linalg.norm(points - centre, axis=1)
    return bool(distances[0] <= 1.25 * radius and distances[-1] > 1.5 * radius)
