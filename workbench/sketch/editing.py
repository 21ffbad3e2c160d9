"""Editing of sketches as pure functions: each returns a new, checked sketch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from workbench.core.errors import InvalidInput, UnknownName
from workbench.core.sketches import Point, Sketch, Stroke, StrokeKind, Verb, sketch_to_dict
from workbench.sketch.strokes import parse_sketch


def find_stroke(sketch: Sketch, stroke_id: str) -> Stroke:
    """Return a stroke by its id.

    Raises:
        UnknownName: the sketch has no such stroke.
    """
    for stroke in sketch.strokes:
        if stroke.id == stroke_id:
            return stroke
    raise UnknownName("stroke", stroke_id, [s.id for s in sketch.strokes])


def add_stroke(sketch: Sketch, stroke: Stroke) -> Sketch:
    """Append a stroke; its id must be new."""
    return _checked(replace(sketch, strokes=(*sketch.strokes, stroke)))


def delete_stroke(sketch: Sketch, stroke_id: str) -> Sketch:
    """Remove a stroke."""
    find_stroke(sketch, stroke_id)
    return replace(sketch, strokes=tuple(s for s in sketch.strokes if s.id != stroke_id))


def reorder_stroke(sketch: Sketch, stroke_id: str, position: int) -> Sketch:
    """Put a stroke at another place (0 is first) of the order of drawing."""
    stroke = find_stroke(sketch, stroke_id)
    if not 0 <= position < len(sketch.strokes):
        raise InvalidInput("position of a stroke", expected=f"0 to {len(sketch.strokes) - 1}", found=str(position))
    rest = [s for s in sketch.strokes if s.id != stroke_id]
    return replace(sketch, strokes=(*rest[:position], stroke, *rest[position:]))


def move_point(sketch: Sketch, stroke_id: str, index: int, point: Point) -> Sketch:
    """Move one point. A circle keeps its radius when its centre (point 0) moves."""

    def edit(stroke: Stroke) -> Stroke:
        _check_index(stroke, index)
        points = list(stroke.points)
        if stroke.kind is StrokeKind.CIRCLE and index == 0:
            (cx, cy), (rx, ry) = points
            points[1] = (rx + point[0] - cx, ry + point[1] - cy)
        points[index] = point
        return replace(stroke, points=tuple(points))

    return _with_edited(sketch, stroke_id, edit)


def move_stroke(sketch: Sketch, stroke_id: str, dx: float, dy: float) -> Sketch:
    """Shift a stroke by a part of the frame; it stops at the border of the frame and keeps its shape."""

    def edit(stroke: Stroke) -> Stroke:
        anchors = stroke.points[:1] if stroke.kind is StrokeKind.CIRCLE else stroke.points
        xs, ys = [p[0] for p in anchors], [p[1] for p in anchors]
        x = min(max(dx, -min(xs)), 1 - max(xs))
        y = min(max(dy, -min(ys)), 1 - max(ys))
        return replace(stroke, points=tuple((px + x, py + y) for px, py in stroke.points), raw=())

    return _with_edited(sketch, stroke_id, edit)


def insert_way_point(sketch: Sketch, stroke_id: str, index: int, point: Point) -> Sketch:
    """Insert a way point before point ``index`` of an arrow; 1 up to its number of points - 1."""

    def edit(stroke: Stroke) -> Stroke:
        _check_arrow(stroke)
        if not 1 <= index < len(stroke.points):
            raise InvalidInput("place of a way point", expected=f"1 to {len(stroke.points) - 1}", found=str(index))
        return replace(stroke, points=(*stroke.points[:index], point, *stroke.points[index:]))

    return _with_edited(sketch, stroke_id, edit)


def delete_way_point(sketch: Sketch, stroke_id: str, index: int) -> Sketch:
    """Remove a way point of an arrow; tail and head stay."""

    def edit(stroke: Stroke) -> Stroke:
        _check_arrow(stroke)
        if not 1 <= index < len(stroke.points) - 1:
            raise InvalidInput("way point", expected="a point between tail and head", found=f"point {index}")
        return replace(stroke, points=(*stroke.points[:index], *stroke.points[index + 1 :]))

    return _with_edited(sketch, stroke_id, edit)


def reverse_arrow(sketch: Sketch, stroke_id: str) -> Sketch:
    """Swap tail and head of an arrow."""

    def edit(stroke: Stroke) -> Stroke:
        _check_arrow(stroke)
        return replace(stroke, points=stroke.points[::-1], raw=stroke.raw[::-1])

    return _with_edited(sketch, stroke_id, edit)


def set_colour(sketch: Sketch, stroke_id: str, colour: tuple[int, int, int]) -> Sketch:
    """Give a stroke another colour (RGB 0..255), and with it another step."""
    return _with_edited(sketch, stroke_id, lambda s: replace(s, colour=colour))


def set_order(sketch: Sketch, stroke_id: str, order: int | None) -> Sketch:
    """Give a stroke an explicit step number, or None to let its colour decide."""
    return _with_edited(sketch, stroke_id, lambda s: replace(s, order=order))


def set_verb(sketch: Sketch, stroke_id: str, verb: Verb | None) -> Sketch:
    """Give a stroke an explicit verb, or None to let the interpreter decide."""
    return _with_edited(sketch, stroke_id, lambda s: replace(s, verb=verb))


def _check_index(stroke: Stroke, index: int) -> None:
    if not 0 <= index < len(stroke.points):
        raise InvalidInput("point of a stroke", expected=f"0 to {len(stroke.points) - 1}", found=str(index))


def _check_arrow(stroke: Stroke) -> None:
    if stroke.kind is not StrokeKind.ARROW:
        raise InvalidInput("stroke with way points", expected="an arrow", found=f"a {stroke.kind.value}")


def _with_edited(sketch: Sketch, stroke_id: str, edit: Callable[[Stroke], Stroke]) -> Sketch:
    find_stroke(sketch, stroke_id)
    return _checked(replace(sketch, strokes=tuple(edit(s) if s.id == stroke_id else s for s in sketch.strokes)))


def _checked(sketch: Sketch) -> Sketch:
    return parse_sketch(sketch_to_dict(sketch))
