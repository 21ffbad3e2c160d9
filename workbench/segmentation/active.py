"""Which objects take part in an action: named in its words, touched by the gripper, or inside of the gripper's box.

Source: ActionVOS (Ouyang et al., ECCV 2024, arXiv:2407.07402), whose labels of training come from the same three signs with a hand in
place of the gripper. Where theirs trains a network on those labels, ours reads the signs at every frame and keeps what had one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from workbench.segmentation.masks import Box, Pixels

_WORD: Final = re.compile(r"[a-z]+")
_STOP: Final = frozenset({"the", "a", "an", "to", "on", "in", "into", "onto", "of", "and", "it", "at", "object"})
_LIKE: Final[Mapping[str, str]] = {
    "block": "cube", "brick": "cube", "box": "cube", "dish": "plate", "tray": "plate", "handle": "drawer", "dial": "knob", "switch": "button",
}  # fmt: skip
"""Other words for the kinds of things that the bench has."""


@dataclass(frozen=True)
class Activity:
    """Why an object counts as taking part in an action."""

    is_named: bool = False
    is_touched: bool = False
    is_in_box: bool = False

    @property
    def is_active(self) -> bool:
        """Whether there is any sign."""
        return self.is_named or self.is_touched or self.is_in_box

    @property
    def reasons(self) -> tuple[str, ...]:
        """The signs in words."""
        signs = (
            (self.is_named, "named in the action"),
            (self.is_touched, "in contact with the gripper"),
            (self.is_in_box, "inside the gripper's box"),
        )
        return tuple(text for is_so, text in signs if is_so)

    def joined(self, other: Activity) -> Activity:
        """Return the signs of both."""
        return Activity(self.is_named or other.is_named, self.is_touched or other.is_touched, self.is_in_box or other.is_in_box)


def words_of(text: str) -> frozenset[str]:
    """Return the telling words of a text, in singular and by their usual name."""
    found = (word.removesuffix("s") if len(word) > 3 else word for word in _WORD.findall(text.lower()))
    return frozenset(_LIKE.get(word, word) for word in found) - _STOP


def is_named(action: str, name: str, others: Sequence[str] = ()) -> bool:
    """Tell whether an action speaks of an object.

    All words of its name must be in the action; where the action names its kind alone (``put the cube down``), every object of that
    kind is meant that no other word excludes.

    Args:
        action: what shall be done.
        name: of the object, for example ``red cube``.
        others: names of all objects, to know whether a word tells one from the other.
    """
    said, own = words_of(action), words_of(name)
    if not own:
        return False
    if own <= said:
        return True
    kind = words_of(name.split()[-1])
    same_kind = [words_of(other) for other in others if words_of(other.split()[-1]) == kind] if kind else []
    is_told_apart = any(words <= said for words in same_kind)
    return bool(kind) and kind <= said and not is_told_apart and not (said & _colours(same_kind, kind))


def _colours(same_kind: Sequence[frozenset[str]], kind: frozenset[str]) -> frozenset[str]:
    return frozenset().union(*same_kind) - kind if same_kind else frozenset()


def is_in_box(mask: Pixels, box: Box | None) -> bool:
    """Tell whether a mask meets a box ``(u0, v0, u1, v1)`` [px] of the gripper."""
    if box is None:
        return False
    u0, v0, u1, v1 = (max(0, round(x)) for x in box)
    return bool(mask[v0:v1, u0:u1].any())


def active_objects(
    action: str,
    masks: Mapping[str, Pixels],
    names: Mapping[str, str],
    *,
    gripper_box: Box | None = None,
    touched: frozenset[str] = frozenset(),
) -> dict[str, Activity]:
    """Return the signs of activity of each object on one frame.

    Args:
        action: what is done, in words.
        masks: object id -> ``(H, W) bool``.
        names: object id -> what it is called.
        gripper_box: box of the gripper on that picture [px], where it is seen.
        touched: ids of the objects in contact with the gripper.
    """
    every = tuple(names.values())
    return {
        object_id: Activity(is_named(action, names[object_id], every), object_id in touched, is_in_box(mask, gripper_box))
        for object_id, mask in masks.items()
    }


def over_sequence(frames: Sequence[Mapping[str, Activity]]) -> dict[str, Activity]:
    """Return the signs of each object over a whole episode: any frame's sign counts for all of it, as in the paper's clips."""
    found: dict[str, Activity] = {}
    for frame in frames:
        for object_id, activity in frame.items():
            found[object_id] = found.get(object_id, Activity()).joined(activity)
    return found


def kept_masks(masks: Mapping[str, Pixels], activities: Mapping[str, Activity]) -> dict[str, Pixels]:
    """Return the masks of active objects; those of others are emptied, as the paper's inference does."""
    return {
        object_id: mask if activities.get(object_id, Activity()).is_active else np.zeros_like(mask) for object_id, mask in masks.items()
    }
