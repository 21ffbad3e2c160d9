"""One file a task, and the catalogue of them."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import Final, cast

from workbench.core.catalog import Catalog
from workbench.simulation.task import Task

_TITLES: Final = {
    "touch": "Touch a cube",
    "pick": "Pick up a cube",
    "place_on_plate": "Put a cube on a plate",
    "place_in_bowl": "Put a cube in a bowl",
    "stack": "Stack a cube on another",
    "push_to_zone": "Push a puck into a zone",
    "open_drawer": "Open a drawer",
    "close_drawer": "Close a drawer",
    "press_button": "Press a button",
    "turn_knob": "Turn a knob by an angle",
    "rotate_block": "Rotate a block by an angle",
    "follow_path": "Follow a path of dots",
    "sort_two": "Sort two cubes onto two plates",
    "ambiguous_cubes": "Put one of two equal cubes on a plate",
    "ambiguous_plates": "Put a cube on one of two equal plates",
}


def _load(name: str) -> Task:
    return cast(Task, import_module(f"workbench.simulation.tasks.{name}").TASK)


TASKS: Final[Catalog[Task]] = Catalog("task")
for _name, _title in _TITLES.items():
    TASKS.add(_name, partial(_load, _name), _title)
