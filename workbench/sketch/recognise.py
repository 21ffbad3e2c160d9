"""Freehand strokes to arrows and circles.

The only absolute length is the smallest stroke that counts; everything else is relative to the stroke, so that recognition does
not depend on where, how large, or with how many pointer samples a symbol was drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core.polylines import path_length, resample, simplify
from workbench.core.sketches import Point, Sketch, Stroke, StrokeKind
from workbench.sketch.curves import fit_circle, swept_angles, thin_out
from workbench.sketch.strokes import to_fractions, to_pixels

WAY_POINT_TOLERANCE: Final = 0.015
"""Way points of a recognised arrow keep every drawn point within this part of the shaft's length (Ramer-Douglas-Peucker)."""
SMALLEST: Final = 0.012
"""Strokes smaller than this part of the frame's diagonal are dots: not recognised."""
NUM_SAMPLES: Final = 160
MIN_CIRCLE_SWEEP: Final = float(np.radians(295))
"""A circle may be left open by 65 degrees."""
MAX_CIRCLE_TURN: Final = float(np.radians(90))
"""A circle turns by 36 degrees from one tenth to the next; a path with a sharp corner turns by more."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Recognition:
    """What a freehand stroke was taken for."""

    kind: StrokeKind
    """Freehand when it is neither an arrow nor a circle: a dot or a scribble."""
    points: tuple[Point, ...]
    """0..1, as in :class:`workbench.core.sketches.Stroke`."""
    confidence: float
    """0..1, not calibrated; below 0.5 the person should look."""
    has_head: bool = False
    """True for an arrow whose head was drawn; without one the end of the stroke is the head."""


class Head(NamedTuple):
    """An arrowhead found at the end of a polyline."""

    tip: Array
    """``(2,)``."""
    shaft_end: Array
    """Last vertex ``(2,)`` of the polyline that belongs to the shaft; the tip, or the middle of a triangle's base."""
    is_two_sided: bool


def recognise(points: Sequence[Point] | ArrayLike, width: int, height: int) -> Recognition:
    """Recognise one pointer path.

    Args:
        points: ``(N, 2)``, 0..1 of the frame, in the order drawn.
        width: Width [px] of the frame; only its ratio to ``height`` matters, except for dots.
        height: Height [px] of the frame.
    """
    given = tuple((float(x), float(y)) for x, y in np.asarray(points, dtype=float).reshape(-1, 2))
    pixels = to_pixels(given, width, height)
    extent = float(np.hypot(*np.ptp(pixels, axis=0))) if len(pixels) else 0.0
    if extent < SMALLEST * np.hypot(width, height):
        return Recognition(StrokeKind.FREEHAND, given, 0.0)
    path = thin_out(resample(pixels, NUM_SAMPLES), 0.008 * extent)
    head = _find_head_at_scales(path, extent)
    if head is None or not head.is_two_sided:
        circle = _as_circle(path, width, height)
        if circle is not None:
            return circle
    return _as_arrow(path, head, (width, height), given)


def _as_circle(path: Array, width: int, height: int) -> Recognition | None:
    circle = fit_circle(path)
    if circle is None:
        return None
    sweeps = swept_angles(path, circle.centre)
    swept = abs(float(sweeps.sum()))
    steadiness = swept / max(float(np.abs(sweeps).sum()), 1e-9)
    roundness = circle.residual / circle.radius
    if swept < MIN_CIRCLE_SWEEP or steadiness < 0.85 or roundness > 0.2:
        return None
    if sharpest_turn(path) > MAX_CIRCLE_TURN or np.linalg.norm(path[0] - path[-1]) > 1.3 * circle.radius:
        return None
    confidence = np.clip(1.15 - 2.0 * roundness, 0.3, 1.0) * np.clip(swept / np.radians(340), 0.0, 1.0)
    rim = circle.centre + np.array([circle.radius, 0.0])
    return Recognition(StrokeKind.CIRCLE, _clipped(circle.centre, rim, width, height), float(confidence))


def sharpest_turn(path: Array) -> float:
    """Return the greatest change of direction [rad] between one tenth of an evenly sampled path ``(N, 2)`` and the next."""
    chord = len(path) // 10
    steps = path[chord:] - path[:-chord]
    before, after = steps[:-chord], steps[chord:]
    cross = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    turns = np.abs(np.arctan2(cross, (before * after).sum(axis=1)))
    # The ends may hook where the pen goes down and up.
    return float(turns[chord // 2 : -(chord // 2)].max())


def _clipped(centre: Array, rim: Array, width: int, height: int) -> tuple[Point, ...]:
    inside = np.clip(centre, 0, (width, height))
    return to_fractions(np.stack([inside, rim + inside - centre]), width, height)


def _as_arrow(path: Array, head: Head | None, size: tuple[int, int], given: tuple[Point, ...]) -> Recognition:
    shaft = path
    if head is not None:
        cut = int(np.argmin(np.linalg.norm(path - head.shaft_end, axis=1)))
        shaft = np.vstack([path[: cut + 1], head.tip])
    length = path_length(shaft)
    points = simplify(shaft, WAY_POINT_TOLERANCE * length)
    span = float(np.hypot(*np.ptp(shaft, axis=0)))
    # A scribble is much longer than it is wide; a path that somebody wants followed is not.
    tangle = length / max(span, 1e-9)
    if tangle > 6.0 or len(points) > 40:
        return Recognition(StrokeKind.FREEHAND, given, 0.2)
    base = 0.97 if head is not None and head.is_two_sided else 0.85
    confidence = base * float(np.clip(1.3 - 0.15 * tangle, 0.3, 1.0))
    inside = np.clip(points, 0, size)
    return Recognition(StrokeKind.ARROW, to_fractions(inside, *size), confidence, has_head=head is not None)


def _find_head_at_scales(path: Array, extent: float) -> Head | None:
    """Find a head coarse to fine: a coarse look is blind to small heads, a fine one is confused by jitter."""
    found = [find_head(simplify(path, share * extent)) for share in (0.03, 0.015, 0.008)]
    two_sided = [h for h in found if h is not None and h.is_two_sided]
    return two_sided[0] if two_sided else next((h for h in found if h is not None), None)


def find_head(corners: Array) -> Head | None:
    """Find an arrowhead that was drawn at the end of a stroke without lifting the pen.

    Args:
        corners: ``(M, 2)``, the simplified stroke.

    Two habits are known: from the tip back along one barb, then along or across to the other (one barb alone counts when it is
    short); and from the middle of the base around a triangle.
    """
    for tip in range(1, len(corners) - 1):
        tail = corners[tip + 1 :]
        if len(tail) > 7:
            continue
        direction = end_direction(corners[: tip + 1], float(np.linalg.norm(tail - corners[tip], axis=1).max()))
        found = fit_head(corners[: tip + 1], direction, tail)
        if found is not None and (found.is_two_sided or len(tail) <= 2):
            return found
    return None


def end_direction(shaft: Array, reach: float) -> Array:
    """Return the unit direction ``(2,)`` in which a polyline ``(N, 2)`` ends, over its last ``reach``."""
    dense = resample(shaft, 64)
    length = path_length(shaft)
    back = int(np.clip(np.ceil(63 * reach / max(length, 1e-9)), 4, 63))
    d = dense[-1] - dense[63 - back]
    return np.asarray(d / max(float(np.linalg.norm(d)), 1e-9))


def fit_head(shaft: Array, direction: Array, barbs: Array) -> Head | None:
    """Test whether vertices ``(B, 2)`` form a head at the end of a shaft ``(N, 2)`` that ends in a unit ``direction`` ``(2,)``."""
    end, length = shaft[-1], path_length(shaft)
    arms = barbs - end
    ahead = arms @ direction
    aside = arms @ np.array([-direction[1], direction[0]])
    distances = np.hypot(ahead, aside)
    size = float(distances.max())
    if not 0.008 * length < size < 0.45 * length:
        return None
    on_axis = np.abs(aside) <= 0.35 * size
    front = float(max(0.0, ahead[on_axis].max(initial=0.0)))
    tip = end + front * direction
    if front > 0.05 * size:
        tip = barbs[on_axis][int(np.argmax(ahead[on_axis]))]
    back = front - ahead  # distance behind the tip
    is_barb = (np.hypot(back, aside) > 0.4 * size) & ~(on_axis & (back < 0.6 * size))
    reach = np.hypot(back, aside) * is_barb
    left, right = (float(reach[side].max(initial=0.0)) for side in (aside > 0.12 * size, aside < -0.12 * size))
    # Barbs lead back from the tip, within 8 to 82 degrees of the shaft.
    angles = np.arctan2(np.abs(aside[is_barb]), back[is_barb])
    if not is_barb.any() or (back < -0.1 * size).any() or (angles > np.radians(82)).any() or (angles.max() < np.radians(8)):
        return None
    if min(left, right) > 0.5 * max(left, right):
        return Head(tip, end, True)
    # One barb alone could be the last leg of a path, unless it is short.
    last_leg = float(np.linalg.norm(shaft[-1] - shaft[-2]))
    is_short = min(left, right) == 0 and size < min(0.2 * length, 0.35 * last_leg) and angles.max() < np.radians(65) and front <= 0.3 * size
    return Head(tip, end, False) if is_short else None


def recognise_strokes(strokes: Sequence[Stroke], width: int, height: int) -> tuple[Stroke, ...]:
    """Recognise every freehand stroke of a list; other strokes stay.

    A short stroke near the end of an earlier line of the same colour and number, with vertices to the sides behind it, is that
    line's head: it vanishes, and the line ends at its tip. Near the start of the line it turns the line round.
    """
    done: list[Stroke] = []
    is_line: set[str] = set()
    for stroke in strokes:
        if stroke.kind is not StrokeKind.FREEHAND:
            done.append(stroke)
            continue
        drawn = stroke.raw or stroke.points
        target = _line_with_head(stroke, [s for s in done if s.id in is_line], width, height)
        if target is not None:
            done = [target if s.id == target.id else s for s in done]
            continue
        snapped = snap(replace(stroke, points=drawn), width, height)
        if snapped.kind is StrokeKind.ARROW:
            is_line.add(stroke.id)
        done.append(snapped)
    return tuple(done)


def recognise_sketch(sketch: Sketch) -> Sketch:
    """Return the sketch with its freehand strokes recognised; what is neither arrow nor circle stays freehand."""
    return replace(sketch, strokes=recognise_strokes(sketch.strokes, sketch.width, sketch.height))


def snap(stroke: Stroke, width: int, height: int) -> Stroke:
    """Return the geometric symbol that a freehand stroke stands for; its pointer path is kept in ``raw``."""
    if stroke.kind is not StrokeKind.FREEHAND:
        return replace(stroke, is_geometric=True)
    found = recognise(stroke.points, width, height)
    if found.kind is StrokeKind.FREEHAND:
        return stroke
    return replace(stroke, kind=found.kind, points=found.points, is_geometric=True, raw=stroke.raw or stroke.points)


def _line_with_head(stroke: Stroke, lines: Sequence[Stroke], width: int, height: int) -> Stroke | None:
    """Return the line that ``stroke`` is the head of, with its end at the tip; None when it is no head."""
    barbs = to_pixels(stroke.raw or stroke.points, width, height)
    extent = float(np.hypot(*np.ptp(barbs, axis=0)))
    if extent == 0 or len(barbs) < 2:
        return None
    barbs = simplify(resample(barbs, NUM_SAMPLES), 0.06 * extent)
    if len(barbs) > 7:
        return None
    for line in reversed(lines):
        if line.colour != stroke.colour or line.order != stroke.order:
            continue
        shaft = to_pixels(line.points, width, height)
        for points in (shaft, shaft[::-1]):
            near = float(np.linalg.norm(barbs - points[-1], axis=1).min())
            if near > 0.35 * extent:
                continue
            head = fit_head(points, end_direction(points, extent), barbs)
            if head is not None and (head.is_two_sided or len(barbs) == 2):
                new = np.vstack([points[:-1], head.tip])
                raw = line.raw if points is shaft else line.raw[::-1]
                return replace(line, points=to_fractions(np.clip(new, 0, (width, height)), width, height), raw=raw)
    return None
