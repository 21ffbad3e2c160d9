"""What an episode's options change about the drawn task: its look, and things that have no part in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from workbench.core.errors import InvalidInput, UnknownName
from workbench.simulation.appearance import read_look
from workbench.simulation.distractors import add_distractors
from workbench.simulation.noise import read_noise
from workbench.simulation.scene import TaskInstance


def apply_options(instance: TaskInstance, options: Mapping[str, Any]) -> TaskInstance:
    """Return the task as an episode's ``options`` want it; the order in which they are named does not matter.

    Known are ``{"look": {...}}``, see :mod:`workbench.simulation.appearance`, ``{"distractors": {"num": 3, "seed": 5}}``,
    and ``{"noise": {...}}``, see :mod:`workbench.simulation.noise`.

    Raises:
        UnknownName: there is no such option, or no such part of one.
        InvalidInput: an option's value is not of its form.
    """
    for name in options:
        if name not in _OPTIONS:
            raise UnknownName("option of the bench simulator", name, _OPTIONS)
    for name, apply in _OPTIONS.items():
        if name in options:
            value = options[name]
            if not isinstance(value, Mapping):
                raise InvalidInput(f"option {name!r}", expected="named values", found=str(value))
            instance = apply(instance, value)
    return instance


def _apply_distractors(instance: TaskInstance, value: Mapping[str, Any]) -> TaskInstance:
    for name in value:
        if name not in ("num", "seed"):
            raise UnknownName("part of the distractors", name, ("num", "seed"))
    num, seed = value.get("num"), value.get("seed", 0)
    for what, number in (("num", num), ("seed", seed)):
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise InvalidInput(f"distractors, {what}", expected="a whole number, 0 or more", found=str(number))
    assert isinstance(num, int)
    return add_distractors(instance, np.random.default_rng(seed), num)


def _apply_look(instance: TaskInstance, value: Mapping[str, Any]) -> TaskInstance:
    look = {**instance.scene.look, **value}
    read_look(look)
    return replace(instance, scene=replace(instance.scene, look=look))


def _check_noise(instance: TaskInstance, value: Mapping[str, Any]) -> TaskInstance:
    """Noise does not change the task; the simulator reads it again."""
    read_noise(value)
    return instance


_OPTIONS: Final = {"look": _apply_look, "distractors": _apply_distractors, "noise": _check_noise}
