"""What learned verifiers read: where the arm is, where the policy sees its target and goal from there, the words, and a candidate's motion.

None of it comes from inside a network, so that a verifier outlives the policy's weights. It needs a policy that tells its targets, and a
camera with depth.
"""

from __future__ import annotations

import re
import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.candidates import Occasion
from workbench.core.errors import InvalidInput, Unreachable
from workbench.core.geometry import matrix_from_quat
from workbench.core.types import Observation, Target
from workbench.trajectory.lift import depth_picture, lift_pixel
from workbench.verification.action_error import ACTION_SCALE

Floats = NDArray[np.float64]

ROLES: Final = ("target", "goal")
LIFTED_ON: Final = "front"
SEEN_ON: Final = "wrist"
NUM_WORDS: Final = 32
"""Words are put into so many bags by a hash of their letters."""
NUM_JUDGED: Final = 4
"""Actions of a candidate that count: as many as are executed."""
NUM_ARM: Final = 11
NUM_SITUATION: Final = NUM_ARM + 2 * 4 + 2 * 3 + NUM_WORDS
NUM_MOTION: Final = 7
_WORD: Final = re.compile(r"[a-z0-9-]+")


def situation_of(occasion: Occasion) -> Floats:
    """Return what a call of the policy begins with as ``(57,)`` numbers.

    The hand's place [m], turn, opening and its command; of target and goal how sure, and the way there [m]; where the wrist camera sees
    them; the bag of words.

    Raises:
        InvalidInput: the policy does not tell where it sees its target.
    """
    intention = occasion.chunk.intention
    targets = {} if intention is None else {(t.camera, t.role): t for t in intention.targets}
    if not any(camera == LIFTED_ON for camera, _ in targets):
        raise InvalidInput(
            "learned verifier",
            expected="a policy that tells where on the front picture it sees its target",
            found="none told at this call",
            fix="Choose likelihood, or let the bench VLA drive.",
        )
    seen = occasion.observation
    position = seen.ee_position
    turn = matrix_from_quat(seen.part("ee_quaternion"))[:, :2].T.ravel()
    parts = [position, turn, seen.part("gripper"), seen.part("gripper_command")]
    for role in ROLES:
        parts += [_way(seen, targets.get((LIFTED_ON, role)), position)]
    for role in ROLES:
        target = targets.get((SEEN_ON, role))
        parts += [np.zeros(3) if target is None else np.array([target.confidence, *target.point])]
    return np.concatenate([*parts, _bag(occasion.prompt.text)]).astype(np.float64)


def motions_of(candidates: Floats) -> Floats:
    """Return ``(K, 7)``: the mean motion of a step over the actions of candidates ``(K, T, 7)`` that count, and the opening at their end."""
    judged = candidates[:, :NUM_JUDGED]
    moves = judged[..., :6].mean(axis=1) / ACTION_SCALE[:6]
    return np.concatenate([moves, 2.0 * judged[:, -1, 6:] - 1.0], axis=1)


def _way(seen: Observation, target: Target | None, position: Floats) -> Floats:
    """Return how sure, and the way from the hand to what is seen at a target ``(4,)``; zeros where nothing is."""
    if target is None:
        return np.zeros(4)
    try:
        picture = depth_picture(seen, LIFTED_ON)
        u, v = target.point
        place = lift_pixel(picture, (u * picture.pinhole.width, v * picture.pinhole.height), "centre")
    except Unreachable:
        return np.zeros(4)
    return np.array([target.confidence, *(np.asarray(place) - position)])


def _bag(text: str) -> Floats:
    bag = np.zeros(NUM_WORDS)
    for word in _WORD.findall(text.lower()):
        bag[zlib.crc32(word.encode()) % NUM_WORDS] = 1.0
    return bag
