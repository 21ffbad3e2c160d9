"""Other things to play the parts of a task: larger, smaller, or of another shape."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from workbench.core.errors import InvalidInput, UnknownName
from workbench.simulation.scene import Prop, PropKind, TaskInstance

SHAPES: Final = (PropKind.CUBE, PropKind.CYLINDER)
"""What a cube that is acted on may be instead."""
SCALES: Final = (0.7, 1.35)
"""Smallest and largest scale: the gripper takes both."""

_SCALED: Final = frozenset({PropKind.CUBE, PropKind.PLATE, PropKind.BOWL, PropKind.CYLINDER})
"""Kinds whose size the tasks and the scripted expert do not take for granted."""
_ACTED_ON: Final = ("pick", "target", "pick_2")


def has_objects(instance: TaskInstance) -> bool:
    """Tell whether a task has a part that another thing may play."""
    roles = set(instance.roles.values())
    return any(p.kind in _SCALED for p in instance.scene.props if p.name in roles)


def change_objects(instance: TaskInstance, *, scale: float = 1.0, shape: str = "cube") -> TaskInstance:
    """Return the task with the things that play its parts scaled, and the cubes that are acted on in another shape.

    The instruction follows: "the red cylinder". Things keep their names.

    Raises:
        UnknownName: there is no such shape.
        InvalidInput: the scale is out of range, or nothing in this task can be changed.
    """
    if shape not in [s.value for s in SHAPES]:
        raise UnknownName("shape of an object", shape, [s.value for s in SHAPES])
    if not SCALES[0] <= scale <= SCALES[1]:
        raise InvalidInput("objects, scale", expected=f"a number from {SCALES[0]:g} to {SCALES[1]:g}", found=str(scale))
    if not has_objects(instance):
        raise InvalidInput("objects", expected="a task with cubes, plates or bowls", found=instance.instruction)
    acted_on = {name for role, name in instance.roles.items() if role in _ACTED_ON}
    words, props = instance.instruction, []
    for prop in instance.scene.props:
        changed = _change(prop, set(instance.roles.values()), acted_on, scale, PropKind(shape))
        words = words.replace(prop.label, changed.label) if changed.kind is not prop.kind else words
        props.append(changed)
    return replace(instance, instruction=words, scene=replace(instance.scene, props=tuple(props)))


def _change(prop: Prop, roles: set[str], acted_on: set[str], scale: float, shape: PropKind) -> Prop:
    if prop.name not in roles or prop.kind not in _SCALED:
        return prop
    kind = shape if prop.name in acted_on and prop.kind is PropKind.CUBE else prop.kind
    return replace(prop, kind=kind, scale=scale * prop.scale)
