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
from workbench.simulation.objects import change_objects
from workbench.simulation.obstacle_layouts import apply_blocks, apply_hurdle
from workbench.simulation.obstacles import apply_obstacles
from workbench.simulation.scene import TaskInstance
from workbench.simulation.several import add_several
from workbench.simulation.starts import draw_start


def apply_options(instance: TaskInstance, options: Mapping[str, Any]) -> TaskInstance:
    """Return the task as an episode's ``options`` want it; the order in which they are named does not matter.

    Known are ``{"look": {...}}``, see :mod:`workbench.simulation.appearance`; ``{"objects": {"scale": 1.2, "shape": "cylinder"}}``;
    ``{"distractors": {"num": 3, "seed": 5}}``; ``{"several": {"steps": 2, "seed": 5}}``, see :mod:`workbench.simulation.several`;
    ``{"start": {"radius_rad": 0.3, "seed": 5}}``, another pose of the arm;
    ``{"obstacles": {"boxes": [...]}}``, see :mod:`workbench.simulation.obstacles`; and ``{"noise": {...}}``, see
    :mod:`workbench.simulation.noise`.

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
    _check_names("distractors", value, ("num", "seed"))
    num, seed = _whole("distractors, num", value.get("num")), _whole("distractors, seed", value.get("seed", 0))
    return add_distractors(instance, np.random.default_rng(seed), num)


def _apply_several(instance: TaskInstance, value: Mapping[str, Any]) -> TaskInstance:
    _check_names("several", value, ("steps", "seed"))
    steps, seed = _whole("several, steps", value.get("steps", 1)), _whole("several, seed", value.get("seed", 0))
    return add_several(instance, np.random.default_rng(seed), steps)


def _apply_look(instance: TaskInstance, value: Mapping[str, Any]) -> TaskInstance:
    look = {**instance.scene.look, **value}
    read_look(look)
    return replace(instance, scene=replace(instance.scene, look=look))


def _apply_objects(instance: TaskInstance, value: Mapping[str, Any]) -> TaskInstance:
    _check_names("objects", value, ("scale", "shape"))
    scale = _number("objects, scale", value.get("scale", 1.0))
    return change_objects(instance, scale=scale, shape=str(value.get("shape", "cube")))


def _apply_start(instance: TaskInstance, value: Mapping[str, Any]) -> TaskInstance:
    _check_names("start", value, ("radius_rad", "seed"))
    radius_rad, seed = _number("start, radius_rad", value.get("radius_rad", 0.0)), _whole("start, seed", value.get("seed", 0))
    joints = draw_start(np.random.default_rng(seed), instance.scene.arm_joints, radius_rad)
    return replace(instance, scene=replace(instance.scene, arm_joints=joints))


def _check_names(what: str, value: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in value:
        if name not in known:
            raise UnknownName(f"part of option {what!r}", name, known)


def _number(what: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(what, expected="a number", found=str(value))
    return float(value)


def _whole(what: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidInput(what, expected="a whole number, 0 or more", found=str(value))
    return value


def _check_noise(instance: TaskInstance, value: Mapping[str, Any]) -> TaskInstance:
    """Noise does not change the task; the simulator reads it again."""
    read_noise(value)
    return instance


_OPTIONS: Final = {
    "look": _apply_look,
    "objects": _apply_objects,
    "several": _apply_several,
    "distractors": _apply_distractors,
    "start": _apply_start,
    "obstacles": apply_obstacles,
    "blocks": apply_blocks,
    "hurdle": apply_hurdle,
    "noise": _check_noise,
}
