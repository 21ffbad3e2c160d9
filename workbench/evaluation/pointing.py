"""What somebody who points would point at now: the thing of the present sub-step, and what shall be done with it.

Truth decides which thing that is and where it is seen, as a person's eye and hand would; the policy gets the mask alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput
from workbench.core.types import CameraRequest, Interaction, Mask
from workbench.simulation import relations
from workbench.simulation.scene import PropKind
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.world import World

_PLACINGS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "place_on_plate": (("pick", "place"),),
    "place_in_bowl": (("pick", "place"),),
    "stack": (("pick", "place"),),
    "ambiguous_cubes": (("pick", "place"),),
    "ambiguous_plates": (("pick", "place"),),
    "sort_two": (("pick", "place"), ("pick_2", "place_2")),
}
"""Tasks of two or four sub-steps: grasp the one, put it on the other."""
_SINGLE: Final[Mapping[str, tuple[str, Interaction]]] = {
    "touch": ("target", Interaction.APPROACH),
    "pick": ("target", Interaction.GRASP),
    "push_to_zone": ("pick", Interaction.PUSH),
    "press_button": ("target", Interaction.PRESS),
    "open_drawer": ("target", Interaction.OPEN),
    "close_drawer": ("target", Interaction.CLOSE),
    "turn_knob": ("target", Interaction.TURN),
    "rotate_block": ("target", Interaction.TURN),
}
"""Tasks of one sub-step."""
_THERE: Final = 0.05
_THERE_ON_CUBE: Final = 0.025
"""A thing this near to where it goes, seen from above, is not pointed at again while it is being let go [m]."""

MASK_TASKS: Final = (
    "touch",
    "pick",
    "place_on_plate",
    "place_in_bowl",
    "press_button",
    "open_drawer",
    "close_drawer",
    "stack",
    "ambiguous_cubes",
    "ambiguous_plates",
)
"""Tasks that masks tell without any words; a turn has an angle and a push a goal that one mask does not show."""


class Pointed(NamedTuple):
    """A thing, and what shall be done with it."""

    name: str
    interaction: Interaction


def point_out(simulator: BenchSimulator) -> Pointed:
    """Return the thing of the present sub-step.

    Raises:
        InvalidInput: the task has no thing that can be pointed at.
    """
    task, world, roles = simulator.task.name, simulator.world, simulator.instance.roles
    if task in _SINGLE:
        role, interaction = _SINGLE[task]
        return Pointed(roles[role], interaction)
    if task not in _PLACINGS:
        raise InvalidInput("mask", expected=f"one of the tasks {sorted((*_SINGLE, *_PLACINGS))}", found=task, fix="Tell it in another way.")
    pairs = _PLACINGS[task]
    for pick, place in pairs:
        is_held, is_there = world.is_held(roles[pick]), _is_there(world, roles[pick], roles[place])
        if is_there and not is_held and (pick, place) != pairs[-1]:
            continue
        if is_held or is_there:
            return Pointed(roles[place], Interaction.PLACE_ON)
        return Pointed(roles[pick], Interaction.GRASP)
    raise AssertionError("the last pair always returns")


def can_point(task: str) -> bool:
    """Tell whether a task has things that can be pointed at."""
    return task in _SINGLE or task in _PLACINGS


def _is_there(world: World, name: str, place: str) -> bool:
    near = _THERE_ON_CUBE if world.prop(place).kind is PropKind.CUBE else _THERE
    return relations.distance(world, name, place) <= near


def oracle_mask(simulator: BenchSimulator, name: str, camera: CameraRequest) -> Mask:
    """Return the pixels on which a thing is seen now; none where it is hidden."""
    ids, names = simulator.object_ids(camera)
    pixels: NDArray[np.bool_] = ids == names.index(name)
    return Mask(camera.name, pixels, source="oracle")
