"""What happens to the world while a trial runs, and is no chance: somebody moves things at a certain moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from workbench.core.errors import InvalidInput
from workbench.core.events import EventKind
from workbench.core.types import Step
from workbench.rollout.loop import LiveEpisode, emit
from workbench.rollout.running import OnTick
from workbench.simulation.perturbations import disturb, draw_shift
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.world import GRIPPER

SHIFTS_M: Final = (0.08, 0.06, 0.04)
"""How far things are moved, the first distance for which there is room."""
CLEAR_M: Final = 0.10
"""Distance of the gripper from the thing it left at which step 1 counts as ended."""


class SecondStepDisturbance:
    """Moves the things of step 2 once, while step 1 ends: its thing lies at its goal and the gripper has left it."""

    def __init__(self, simulator: BenchSimulator, seed: int) -> None:
        self._simulator, self._rng = simulator, np.random.default_rng(seed)
        self._is_done = False

    def __call__(self, episode: LiveEpisode, step: Step) -> None:
        """Look at the world after a control step; move things when the moment has come."""
        world, roles = self._simulator.world, self._simulator.instance.roles
        is_placed = world.is_touching(roles["pick"], roles["place"]) and not world.is_touching(GRIPPER, roles["pick"])
        if self._is_done or not is_placed or float(np.linalg.norm(world.ee_position - world.position(roles["pick"]))) < CLEAR_M:
            return
        self._is_done = True
        for role in ("pick_2", "place_2"):
            self._shift(episode, roles[role])

    def _shift(self, episode: LiveEpisode, name: str) -> None:
        for distance in SHIFTS_M:
            try:
                payload = disturb(self._simulator, name, *draw_shift(self._simulator.world, name, distance, self._rng))
            except InvalidInput:  # no room to go so far: try a shorter way
                continue
            emit(episode, EventKind.PERTURBATION, payload, actor="system")
            return


SECOND_STEP: Final = "second-step"
HAPPENINGS: Final[Mapping[str, Callable[[BenchSimulator, int], OnTick]]] = {SECOND_STEP: SecondStepDisturbance}
"""By name: ``second-step`` moves the things of the second step when the first one ends."""
