"""What a task is: how its scene is drawn, when it is solved, what is measured.

A task is plain functions in a frozen dataclass, one module each in :mod:`workbench.simulation.tasks`. A task has no state of its own:
what must be remembered (for how long the goal has held, which dots were passed) is a small vector, the *progress*, which the simulator
keeps in its saved state, advances once a control step by :meth:`Task.update`, and shows as ``world.progress``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.simulation.scene import TaskInstance

if TYPE_CHECKING:
    from workbench.simulation.world import World

Vector = NDArray[np.float64]


def _remember_nothing(world: World, instance: TaskInstance, memory: Vector) -> Vector:
    return memory


@dataclass(frozen=True)
class Task:
    """A thing to do on the table."""

    name: str
    title: str
    """What a person reads in a list, for example ``Put a cube on a plate``."""
    templates: tuple[str, ...]
    """Wordings of the instruction; the task fills in the ``{names}`` when it draws its scene."""
    sample: Callable[[np.random.Generator], TaskInstance]
    """Draws scene, goal and wording."""
    holds: Callable[[World, TaskInstance, Vector], bool]
    """``holds(world, instance, memory)``: whether the goal holds at this moment."""
    measure: Callable[[World, TaskInstance, Vector], dict[str, float]]
    """``measure(world, instance, memory)``: named measurements, for example ``distance_to_goal`` [m]."""
    time_limit_s: float
    """Simulated time that is enough for a policy which knows what to do."""
    num_hold_steps: int = 5
    """Consecutive control steps for which the goal must hold."""
    num_memory: int = 0
    """How many numbers the task remembers."""
    advance: Callable[[World, TaskInstance, Vector], Vector] = _remember_nothing
    """``advance(world, instance, memory)``: the memory ``(num_memory,)`` after one more control step."""
    is_ambiguous: bool = False
    """True when the words alone do not tell which thing is meant."""

    @property
    def num_progress(self) -> int:
        """Length of the progress vector: a count of steps at which the goal held, then the memory."""
        return 1 + self.num_memory

    def initialize(self, rng: np.random.Generator) -> TaskInstance:
        """Draw a scene, a goal and a wording."""
        return self.sample(rng)

    def start(self) -> Vector:
        """Return the progress ``(num_progress,)`` at the start of an episode."""
        return np.zeros(self.num_progress)

    def update(self, progress: Vector, world: World, instance: TaskInstance) -> Vector:
        """Return the progress after a control step, from the progress before it and the world after it."""
        memory = self.advance(world, instance, progress[1:])
        count = progress[0] + 1 if self.holds(world, instance, memory) else 0.0
        return np.concatenate([[min(count, self.num_hold_steps)], memory])

    def is_success(self, world: World, instance: TaskInstance) -> bool:
        """Tell whether the goal holds now and has held for ``num_hold_steps`` control steps."""
        return bool(world.progress[0] >= self.num_hold_steps)

    def scores(self, world: World, instance: TaskInstance) -> dict[str, float]:
        """Return the task's measurements: lengths [m], angles [rad]."""
        return self.measure(world, instance, world.progress[1:])
