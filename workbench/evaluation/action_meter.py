"""How well the signs of an action tell which things take part in it, frame by frame against truth.

Source: ActionVOS (arXiv:2407.07402). There a clip of a person's hands comes with a narration; here an episode of the robot comes with its
instruction. Masks are the simulator's, so that the figures are those of the choice alone.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from workbench.core.types import CameraRequest, Step
from workbench.segmentation.action_scores import ActionScores
from workbench.segmentation.active import active_objects
from workbench.segmentation.masks import Box, Pixels, box_of
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.world import ARM, GRIPPER

CAMERA: Final = CameraRequest("front", 128, 128)
EVERY: Final = 8
"""Steps between two frames that are looked at."""
_BACKGROUND: Final = frozenset({ARM, GRIPPER, "table", "floor", "wall"})


class ActionMeter:
    """Compares the filter with truth while an episode runs; with the action's words, or without any."""

    def __init__(self, simulator: BenchSimulator, action: str) -> None:
        self._simulator = simulator
        self._actions = {"action": action, "plain": ""}
        self._scores = {name: ActionScores() for name in ("action", "plain", "all")}

    def look(self, step: Step) -> None:
        """Look at the frame after a step."""
        if step.index % EVERY:
            return
        simulator = self._simulator
        props = {prop.name: prop.label for prop in simulator.instance.scene.props}
        meant = set(simulator.instance.roles.values())
        ids, names = simulator.object_ids(CAMERA)
        masks = {name: np.asarray(ids == names.index(name)) for name in names if name in props}
        box = self._gripper_box(ids, names)
        touched = frozenset(name for name in masks if simulator.world.is_held(name))
        for kind, action in self._actions.items():
            found = active_objects(action, masks, {name: props[name] for name in masks}, gripper_box=box, touched=touched)
            for name, mask in masks.items():
                self._scores[kind].add(mask if found[name].is_active else np.zeros_like(mask), mask, is_positive=name in meant)
        for name, mask in masks.items():
            self._scores["all"].add(mask, mask, is_positive=name in meant)

    def measures(self) -> dict[str, float]:
        """Return the figures: ``action_`` with the action's words, ``plain_`` with contact and box alone, ``all_`` without a filter."""
        found: dict[str, float] = {}
        for kind, scores in self._scores.items():
            found |= {f"{kind}_{name}": value for name, value in scores.to_dict().items() if np.isfinite(value)}
        return found

    def _gripper_box(self, ids: np.ndarray[tuple[int, ...], np.dtype[np.int32]], names: tuple[str, ...]) -> Box | None:
        if GRIPPER not in names:
            return None
        mask: Pixels = np.asarray(ids == names.index(GRIPPER))
        return box_of(mask)
