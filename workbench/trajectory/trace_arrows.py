"""Traces as arrows of the sketch grammar (RoVI, arXiv:2505.00693), and back: tail, way points, head."""

from __future__ import annotations

from dataclasses import replace

from workbench.core.errors import InvalidInput
from workbench.core.events import new_id
from workbench.core.sketches import Stroke, StrokeKind, Verb
from workbench.core.types import Trace
from workbench.trajectory.trace_formats import Frame, thin_trace


def stroke_of_trace(trace: Trace, *, tolerance_px: float = 0.0) -> Stroke:
    """Return a trace as an arrow; gripper events decide its verb: with one it moves a thing, without any it leads the gripper.

    Raises:
        InvalidInput: the trace has fewer than two points.
    """
    if len(trace.points) < 2:
        raise InvalidInput("trace", expected="two points or more, to make an arrow of", found=str(len(trace.points)))
    thin = thin_trace(trace, tolerance_px) if tolerance_px > 0 else trace
    points = tuple((u / trace.width, v / trace.height) for u, v in thin.points)
    closes = trace.gripper is not None and min(trace.gripper) < 0.5
    return Stroke(new_id(), StrokeKind.ARROW, points, verb=Verb.MOVE if closes else Verb.FOLLOW)


def trace_of_stroke(stroke: Stroke, frame: Frame) -> Trace:
    """Return an arrow as a trace: a thing that is moved is grasped at the tail and let go at the head.

    Raises:
        InvalidInput: the stroke is a circle, or has fewer than two points.
    """
    if stroke.kind is StrokeKind.CIRCLE or len(stroke.points) < 2:
        raise InvalidInput("stroke", expected="an arrow or a line", found=f"{stroke.kind.value} of {len(stroke.points)} points")
    points = tuple((u * frame.width, v * frame.height) for u, v in stroke.points)
    trace = Trace(frame.camera, frame.width, frame.height, points)
    if stroke.verb in (Verb.MOVE, Verb.PULL):
        return replace(trace, gripper=(*[0.0] * (len(points) - 1), 1.0))
    return trace
