"""Everything that can be asked of a scene: the wordings of all tasks, filled in with the things that stand there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType
from typing import Final

import numpy as np

from workbench.core.protocols import Simulator
from workbench.simulation.layout import turn_words
from workbench.simulation.scene import Prop, PropKind, TaskInstance
from workbench.simulation.tasks import TASKS

ROLE_KINDS: Final[Mapping[str, Mapping[str, PropKind]]] = MappingProxyType(
    {
        "touch": {"target": PropKind.CUBE},
        "pick": {"target": PropKind.CUBE},
        "place_on_plate": {"pick": PropKind.CUBE, "place": PropKind.PLATE},
        "place_in_bowl": {"pick": PropKind.CUBE, "place": PropKind.BOWL},
        "stack": {"pick": PropKind.CUBE, "place": PropKind.CUBE},
        "push_to_zone": {"pick": PropKind.PUCK, "place": PropKind.ZONE},
        "open_drawer": {"target": PropKind.DRAWER},
        "close_drawer": {"target": PropKind.DRAWER},
        "press_button": {"target": PropKind.BUTTON},
        "turn_knob": {"target": PropKind.KNOB},
        "rotate_block": {"target": PropKind.BLOCK},
    }
)
"""Which kind of thing plays which part of a task's wordings; tasks that need a place of their own on the table are left out."""
TURNS_DEG: Final = tuple(range(40, 121, 5))
"""Angles of the tasks that turn something."""
_TURNING: Final = frozenset({"turn_knob", "rotate_block"})


@dataclass(frozen=True)
class Saying:
    """One thing that can be asked, in all its wordings."""

    task: str
    wordings: tuple[str, ...]
    roles: Mapping[str, str]
    """Which prop plays which part."""


def sayings_of(props: Sequence[Prop]) -> tuple[Saying, ...]:
    """Return everything that can be asked of the things on the table; things that look alike are told apart by nothing."""
    found: dict[tuple[str, ...], Saying] = {}
    for task, kinds in ROLE_KINDS.items():
        for parts in _castings(props, kinds):
            for numbers in _turns(task):
                names = {role: prop.label for role, prop in parts.items()} | numbers
                wordings = tuple(dict.fromkeys(t.format(**names) for t in TASKS.load(task).templates))
                found.setdefault(wordings, Saying(task, wordings, {role: prop.name for role, prop in parts.items()}))
    return tuple(found.values())


def _castings(props: Sequence[Prop], kinds: Mapping[str, PropKind]) -> Iterator[dict[str, Prop]]:
    """Give every way of casting different things for the parts."""
    candidates = [[p for p in props if p.kind is kind] for kind in kinds.values()]
    for chosen in product(*candidates):
        if len({p.name for p in chosen}) == len(chosen):
            yield dict(zip(kinds, chosen, strict=True))


def _turns(task: str) -> list[dict[str, str]]:
    if task not in _TURNING:
        return [{}]
    return [turn_words(float(np.deg2rad(sign * degrees))) for degrees in TURNS_DEG for sign in (1, -1)]


def sayings_in(simulator: Simulator) -> tuple[Saying, ...]:
    """Return everything that can be asked of a simulator's present scene; nothing of one that does not tell what stands there."""
    instance = getattr(simulator, "instance", None)
    return sayings_of(instance.scene.props) if isinstance(instance, TaskInstance) else ()


def own_words(simulator: Simulator) -> str:
    """Return the instruction that the present task was drawn with; nothing where the simulator does not tell."""
    instance = getattr(simulator, "instance", None)
    return instance.instruction if isinstance(instance, TaskInstance) else ""
