"""Whether an episode ran into the obstacles of its scene."""

from __future__ import annotations

from typing import Final

from workbench.simulation.scene import PropKind
from workbench.simulation.world import ARM, GRIPPER, World

_CARRIED: Final = frozenset({PropKind.CUBE, PropKind.BLOCK})


class BumpMeter:
    """Watches one episode; made at its start, told after every step."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._obstacles = [f"obstacle_{i + 1}" for i in range(len(world.scene.obstacles))]
        self._movers = [GRIPPER, ARM, *(p.name for p in world.scene.props if p.kind in _CARRIED)]
        self._has_bumped = False

    def look(self) -> None:
        """Look at the world after a step."""
        if self._obstacles and not self._has_bumped:
            self._has_bumped = any(self._world.is_touching(mover, obstacle) for obstacle in self._obstacles for mover in self._movers)

    def measures(self) -> dict[str, float]:
        """Return what was seen; nothing in a scene without obstacles."""
        return {"bumped": float(self._has_bumped)} if self._obstacles else {}
