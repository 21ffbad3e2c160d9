"""Push a puck, too wide for the gripper, into a zone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.simulation import relations
from workbench.simulation.layout import CUBE_COLOURS, GAP, QUARTER_TURN, Want, draw_colours, draw_layout, draw_wording
from workbench.simulation.layout import distance as distance_between
from workbench.simulation.scene import Prop, PropKind, Scene, TaskInstance
from workbench.simulation.task import Task, Vector

if TYPE_CHECKING:
    from workbench.simulation.world import World

ZONE_RADIUS = 0.04
"""A puck in the zone has its centre this near to the zone's [m]: at least three quarters of it lie inside."""
PUSH_LENGTH = (0.17, 0.34)
"""Distance from the puck to the zone [m]."""
RUN_UP = 0.12
"""Free table behind the puck, where the gripper comes down [m]."""
REACH_X, REACH_Y = (0.36, 0.68), (-0.34, 0.34)
"""Where the gripper may come down [m]; nearer to its base the arm is folded up and lacks strength along the table."""

TEMPLATES = (
    "push the {pick} into the {place}",
    "slide the {pick} to the {place}",
    "shove the {pick} onto the {place}",
    "move the {pick} into the {place} by pushing it",
)


def _is_pushable(props: tuple[Prop, ...]) -> bool:
    """Tell whether the puck (first) can be pushed straight into the zone (second): free run-up, free lane."""
    puck, zone, *others = props
    length = distance_between(puck, zone)
    if not PUSH_LENGTH[0] <= length <= PUSH_LENGTH[1]:
        return False
    start, end = np.array([puck.x, puck.y]), np.array([zone.x, zone.y])
    direction = (end - start) / length
    behind = start - RUN_UP * direction
    if not (REACH_X[0] <= behind[0] <= REACH_X[1] and REACH_Y[0] <= behind[1] <= REACH_Y[1]):
        return False
    lane = [behind + t * (end - behind) for t in np.linspace(0, 1, 12)]
    solid = [p for p in others if p.kind is not PropKind.ZONE]
    return all(np.hypot(x - p.x, y - p.y) > 0.10 + GAP for x, y in lane for p in solid)


def sample(rng: np.random.Generator) -> TaskInstance:
    """Draw a puck, two zones of different colours and a cube that is not in the way; the first zone is meant."""
    colour, right, wrong, other = draw_colours(rng, CUBE_COLOURS, 4)
    puck = Want(PropKind.PUCK, f"puck_{colour}", colour, yaw=QUARTER_TURN)
    zones = [Want(PropKind.ZONE, f"zone_{c}", c, yaw=QUARTER_TURN, gap=0.0) for c in (right, wrong)]
    cube = Want(PropKind.CUBE, f"cube_{other}", other, yaw=QUARTER_TURN)
    props = draw_layout(rng, [puck, *zones, cube], is_valid=_is_pushable)
    words = draw_wording(rng, TEMPLATES, pick=f"{colour} puck", place=f"{right} zone")
    return TaskInstance(Scene(props), words, {"pick": puck.name, "place": zones[0].name})


def holds(world: World, instance: TaskInstance, memory: Vector) -> bool:
    """Tell whether the puck lies still in the zone, flat on the table."""
    puck, zone = instance.roles["pick"], instance.roles["place"]
    return (
        relations.distance(world, puck, zone) <= ZONE_RADIUS
        and world.speed(puck) < relations.REST_SPEED
        and world.is_touching(puck, "table")
        and not world.is_held(puck)
    )


def measure(world: World, instance: TaskInstance, memory: Vector) -> dict[str, float]:
    """Measure the distances from gripper to puck and from puck to zone."""
    puck, zone = instance.roles["pick"], instance.roles["place"]
    return {"distance_to_object": relations.reach(world, puck), "distance_to_goal": relations.distance(world, puck, zone)}


TASK = Task("push_to_zone", "Push a puck into a zone", TEMPLATES, sample, holds, measure, 20.0)
