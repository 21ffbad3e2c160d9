"""What stands on the table, as plain data: tasks write it, :mod:`workbench.simulation.build` turns it into MuJoCo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

COLOURS: Final[Mapping[str, tuple[float, float, float]]] = {
    "red": (0.84, 0.15, 0.16),
    "green": (0.17, 0.63, 0.17),
    "blue": (0.12, 0.35, 0.80),
    "yellow": (0.95, 0.80, 0.10),
    "purple": (0.52, 0.26, 0.71),
    "orange": (0.98, 0.50, 0.08),
    "white": (0.93, 0.93, 0.93),
    "black": (0.10, 0.10, 0.11),
    "grey": (0.55, 0.55, 0.57),
    "pink": (0.93, 0.45, 0.65),
}
"""Colour words and their RGB in 0..1."""


class PropKind(StrEnum):
    """Kinds of things; sizes in :mod:`workbench.simulation.build`."""

    CUBE = "cube"
    """Free body that the gripper can grasp."""
    PLATE = "plate"
    BOWL = "bowl"
    DRAWER = "drawer"
    """Box with a sliding drawer and a bar handle; joint ``<name>/slide``, 0 closed, positive open [m]."""
    BUTTON = "button"
    """Push-button; joint ``<name>/press``, 0 released, positive pressed [m]."""
    KNOB = "knob"
    """Turnable knob with a pointer; joint ``<name>/turn`` [rad], positive counter-clockwise seen from above."""
    BLOCK = "block"
    """Free box, longer than wide, with one side marked."""
    PUCK = "puck"
    """Free flat box, too wide for the gripper, for pushing."""
    ZONE = "zone"
    """Flat coloured square on the table, without contact."""
    DOT = "dot"
    """Small flat disc on the table, without contact."""
    BALL = "ball"
    """Free sphere; no task is about it, nor about the two below."""
    CYLINDER = "cylinder"
    CORNER = "corner"
    """Free body of two boxes in the shape of an L."""


@dataclass(frozen=True)
class Prop:
    """One thing on the table."""

    kind: PropKind
    name: str
    """Unique in the scene, for example ``cube_red`` or ``cube_red_2``."""
    colour: str
    """Key of :data:`COLOURS`."""
    x: float
    """World position on the table [m]."""
    y: float
    yaw: float = 0.0
    """Rotation about world +Z [rad]."""
    scale: float = 1.0
    opening: float = 0.0
    """Initial joint position of a drawer [m] or knob [rad]."""
    rgb: tuple[float, float, float] | None = None
    """What it is painted with instead of the usual RGB of its colour, 0..1."""

    @property
    def paint(self) -> tuple[float, float, float]:
        """RGB of its colour, 0..1."""
        return COLOURS[self.colour] if self.rgb is None else self.rgb

    @property
    def label(self) -> str:
        """What a person calls it, for example ``red cube``."""
        return f"{self.colour} {self.kind.value}"


@dataclass(frozen=True)
class Obstacle:
    """A box that is fixed to the table [m]."""

    x: float
    """Middle of its foot in the world."""
    y: float
    width: float
    """Along world Y."""
    depth: float
    """Along world X."""
    height: float


@dataclass(frozen=True)
class Scene:
    """Everything that :func:`workbench.simulation.build.build_model` needs."""

    props: tuple[Prop, ...]
    arm_joints: tuple[float, ...] = (0.0, -0.8917, 0.0, -2.7516, 0.0, 1.8599, 0.7854)
    """Seven joint angles at the start [rad]."""
    gripper: float = 1.0
    """Opening at the start, 0..1."""
    look: Mapping[str, Any] = field(default_factory=dict)
    """Appearance, as :func:`workbench.simulation.appearance.read_look` understands it."""
    obstacles: tuple[Obstacle, ...] = ()
    """What stands in the way and is part of no task."""

    def prop(self, name: str) -> Prop:
        """Return the prop of that name."""
        return next(p for p in self.props if p.name == name)


@dataclass(frozen=True)
class TaskInstance:
    """A task with its randomness drawn."""

    scene: Scene
    instruction: str
    roles: Mapping[str, str] = field(default_factory=dict)
    """Which prop plays which part, for example ``{"pick": "cube_red", "place": "plate_white"}``."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """Parameters of the goal, for example ``{"angle_rad": 1.2}``."""
    path: tuple[tuple[float, float, float], ...] = ()
    """Points in the world [m] that must be passed in order (follow a drawn path)."""
