"""Whether what was asked for is done, by the measure of the task whose words these are; the truth of a simulator that tells it."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from workbench.core.protocols import Simulator
from workbench.simulation.manner import strip_manner
from workbench.simulation.sayings import sayings_in
from workbench.simulation.scene import TaskInstance
from workbench.simulation.tasks import TASKS

_NUMBERS = re.compile(r"\d")


def goal_holds(simulator: Simulator, instruction: str) -> bool | None:
    """Tell whether an instruction is fulfilled now; None where nothing measures that.

    Turns by an angle are not measured: their goal depends on where the thing stood when the words were said.
    """
    instance, world = getattr(simulator, "instance", None), getattr(simulator, "world", None)
    words = strip_manner(instruction).strip()
    if world is None or not isinstance(instance, TaskInstance) or _NUMBERS.search(words):
        return None
    for saying in sayings_in(simulator):
        if words in saying.wordings:
            task = TASKS.load(saying.task)
            return bool(task.holds(world, replace(instance, roles=dict(saying.roles)), np.zeros(task.num_memory)))
    return None
