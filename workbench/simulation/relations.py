"""How things stand to each other: the words that goals are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from workbench.simulation.scene import TaskInstance
    from workbench.simulation.task import Vector
    from workbench.simulation.world import World

REST_SPEED: Final = 0.02
"""Below this speed a thing is at rest [m/s]."""

PLATE_RADIUS: Final = 0.055
"""A thing on a plate has its centre this near to the plate's [m]."""


def distance(world: World, a: str, b: str) -> float:
    """Return the distance of two things' centres on the table [m]."""
    return float(np.linalg.norm((world.position(a) - world.position(b))[:2]))


def reach(world: World, name: str) -> float:
    """Return the distance from the end-effector to a thing's centre [m]."""
    return float(np.linalg.norm(world.ee_position - world.position(name)))


def lift(world: World, name: str) -> float:
    """Return how much higher a thing is than at the start [m]."""
    return float(world.position(name)[2] - world.initial.position(name)[2])


def displacement(world: World, name: str) -> float:
    """Return how far a thing is from where it was at the start [m]."""
    return float(np.linalg.norm(world.position(name) - world.initial.position(name)))


def is_let_go(world: World, name: str) -> bool:
    """Tell whether a thing is at rest and the gripper does not touch it."""
    return world.speed(name) < REST_SPEED and not world.is_touching("gripper", name)


def is_put_on(world: World, name: str, support: str, radius: float) -> bool:
    """Tell whether a thing was let go and rests on ``support`` alone, its centre within ``radius`` [m] of the support's centre."""
    return (
        distance(world, name, support) <= radius
        and world.is_touching(name, support)
        and not world.is_touching(name, "table")
        and is_let_go(world, name)
    )


def is_on_plate(world: World, name: str, plate: str) -> bool:
    """Tell whether a thing was put on a plate."""
    return is_put_on(world, name, plate, PLATE_RADIUS)


def placing_scores(world: World, name: str, goal: str) -> dict[str, float]:
    """Measure a pick-and-place: gripper to thing, height, thing to goal."""
    return {
        "distance_to_object": reach(world, name),
        "lift": lift(world, name),
        "distance_to_goal": distance(world, name, goal),
    }


def measure_placing(world: World, instance: TaskInstance, memory: Vector) -> dict[str, float]:
    """Measure the pick-and-place of a task that has one."""
    return placing_scores(world, instance.roles["pick"], instance.roles["place"])
