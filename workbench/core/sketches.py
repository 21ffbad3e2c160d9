"""Strokes, sketches and the plans that are read from them: the types that cross from drawing to motion to storage.

Source of the grammar: Robotic Visual Instruction, arXiv:2505.00693 (arrow, circle, order by colour).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

Point = tuple[float, float]

STEP_COLOURS: Final[tuple[tuple[int, int, int], ...]] = (
    (0, 255, 94),
    (0, 255, 247),
    (255, 106, 138),
    (255, 214, 0),
    (178, 120, 255),
    (255, 140, 26),
    (64, 128, 255),
    (255, 64, 255),
)
"""RGB of step 1, 2, 3 (the paper's) and of further steps (ours)."""


class StrokeKind(StrEnum):
    """The two primitives of the grammar, and a stroke that was not recognised yet."""

    ARROW = "arrow"
    CIRCLE = "circle"
    FREEHAND = "freehand"


class Verb(StrEnum):
    """What one step of a plan does."""

    MOVE = "move"
    """Grasp at the tail, follow the shaft, release at the head."""
    PICK = "pick"
    """Grasp and lift."""
    PRESS = "press"
    TOUCH = "touch"
    ROTATE = "rotate"
    """Grasp at the pivot and turn by a signed angle."""
    PUSH = "push"
    """Slide without grasping, along the shaft."""
    PULL = "pull"
    """Grasp a handle, follow the shaft, let go; for drawers."""
    FOLLOW = "follow"
    """Lead the empty gripper along the shaft."""


@dataclass(frozen=True)
class Stroke:
    """One symbol. Coordinates are 0..1 of the frame (u / width, v / height)."""

    id: str
    kind: StrokeKind
    points: tuple[Point, ...]
    """Arrow and freehand: tail, way points, head. Circle: centre, then one point on the rim."""
    colour: tuple[int, int, int] = STEP_COLOURS[0]
    order: int | None = None
    """Explicit step number, 1 and up; overrides the colour."""
    verb: Verb | None = None
    """Explicit verb; overrides what the interpreter would choose."""
    width_px: float = 4.0
    is_geometric: bool = True
    """False for a loose, hand-drawn look."""
    raw: tuple[Point, ...] = ()
    """The pointer path as drawn, when the symbol was recognised from one."""


@dataclass(frozen=True)
class Sketch:
    """A drawing on one frame of one camera."""

    id: str
    camera: str
    width: int
    """Size [px] of the frame that was drawn on; 0..1 coordinates do not depend on it, circles and angles do."""
    height: int
    strokes: tuple[Stroke, ...]
    step: int = 0
    """Control step of the frame that was drawn on."""


@dataclass(frozen=True)
class PlanStep:
    """One object-centric motion in pixels of ``SketchPlan.camera``."""

    verb: Verb
    keypoints: tuple[Point, ...]
    """Pixels (u, v): grasp, press or pivot point first; then way points; goal last."""
    angle_rad: float | None = None
    """Rotate only: signed angle seen in the image, positive from image right towards image down (clockwise on the screen)."""
    arc: tuple[Point, ...] = ()
    """Rotate only: pixels of the arrow that gives the angle."""
    stroke_ids: tuple[str, ...] = ()
    note: str = ""
    """Why this verb was chosen, for the person."""


@dataclass(frozen=True)
class SketchPlan:
    """The ordered reading of a sketch."""

    id: str
    sketch_id: str
    camera: str
    width: int
    height: int
    steps: tuple[PlanStep, ...]
    source: str = "built-in"
    """Who read the sketch: ``built-in``, ``human`` (edited) or the name of a model."""


class PlanProblemKind(StrEnum):
    """Why a planned path may fail."""

    REACH = "reach"
    JOINT_LIMIT = "joint limit"
    NO_DEPTH = "no depth"
    NOTHING_THERE = "nothing there"
    OFF_TABLE = "off the table"
    COLLISION = "collision"


@dataclass(frozen=True)
class PlanProblem:
    """A warning about one place of a planned path."""

    kind: PlanProblemKind
    step: int
    """Index of the plan step."""
    pixel: Point | None
    message: str


def stroke_to_dict(stroke: Stroke) -> dict[str, Any]:
    """Return a JSON-able dictionary; :func:`workbench.sketch.strokes.parse_sketch` reads it back with full checks."""
    return {
        "id": stroke.id,
        "kind": stroke.kind.value,
        "points": [list(p) for p in stroke.points],
        "colour": list(stroke.colour),
        "order": stroke.order,
        "verb": stroke.verb.value if stroke.verb else None,
        "width_px": stroke.width_px,
        "is_geometric": stroke.is_geometric,
        "raw": [list(p) for p in stroke.raw],
    }


def sketch_to_dict(sketch: Sketch) -> dict[str, Any]:
    """Return a JSON-able dictionary (document version 1)."""
    return {
        "version": 1,
        "id": sketch.id,
        "camera": sketch.camera,
        "width": sketch.width,
        "height": sketch.height,
        "step": sketch.step,
        "strokes": [stroke_to_dict(s) for s in sketch.strokes],
    }


def plan_to_dict(plan: SketchPlan) -> dict[str, Any]:
    """Return a JSON-able dictionary; :func:`workbench.sketch.plan.parse_plan` reads it back with full checks."""
    return {
        "version": 1,
        "id": plan.id,
        "sketch_id": plan.sketch_id,
        "camera": plan.camera,
        "width": plan.width,
        "height": plan.height,
        "source": plan.source,
        "steps": [
            {
                "verb": s.verb.value,
                "keypoints": [list(p) for p in s.keypoints],
                "angle_rad": s.angle_rad,
                "arc": [list(p) for p in s.arc],
                "stroke_ids": list(s.stroke_ids),
                "note": s.note,
            }
            for s in plan.steps
        ],
    }
