"""Ways to make an episode unlike what a policy was trained on, each with one strength: what a campaign sweeps and a panel lists.

An axis turns a strength 0..1 and a seed into ``options`` of an episode's configuration; 0 changes nothing. The seed tells which of
many changes of that strength it is. Wordings of the instruction are not here: they are the evaluation's matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from workbench.core.errors import InvalidInput
from workbench.simulation.appearance import PLAIN, draw_colours, draw_surface, draw_texture

Options = dict[str, Any]

SHIFT: Final = "shift"
"""Group of axes that change the scene: what a policy may not have seen."""
NOISE: Final = "noise"
"""Group of axes on which chance acts while an episode runs."""
OBSTACLES: Final = "obstacles"
"""Group of axes that put boxes in the way."""


@dataclass(frozen=True)
class Axis:
    """One way to change episodes."""

    name: str
    title: str
    """What a person reads in a list."""
    group: str
    """:data:`SHIFT`, :data:`NOISE` or :data:`OBSTACLES`."""
    full: str
    """What strength 1 means, with units."""
    draw: Callable[[float, np.random.Generator, int], Options]
    """``draw(strength, rng, seed)``: the options of a strength above 0."""
    tasks: frozenset[str] = frozenset()
    """Tasks that it can change; empty for all."""

    def options(self, strength: float, seed: int) -> Options:
        """Return the options of an episode's configuration.

        Args:
            strength: 0..1, 0 for no change.
            seed: which of the changes of this strength.

        Raises:
            InvalidInput: the strength is out of its range.
        """
        if not 0.0 <= strength <= 1.0:
            raise InvalidInput(f"strength of {self.name}", expected="a number from 0 to 1", found=str(strength))
        return self.draw(strength, np.random.default_rng((seed, *self.name.encode())), seed) if strength > 0 else {}


def merge_options(first: Mapping[str, Any], second: Mapping[str, Any]) -> Options:
    """Return the options of both, for an episode that changes along several axes; where both say something, the second holds."""
    merged = dict(first)
    for name, value in second.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = {**merged[name], **value} if both else value
    return merged


# --- Shifts ------------------------------------------------------------------------------------------------------------------------

_CAMERA_SHIFT: Final[Mapping[str, tuple[float, float]]] = {"front": (0.10, 6.0), "top": (0.10, 6.0), "wrist": (0.008, 4.0)}
"""Distance [m] and angle [deg] by which each camera is moved and turned."""
_CYLINDER_FROM: Final = 0.5
"""From this strength on cubes become cylinders."""


def _either_way(rng: np.random.Generator) -> float:
    return 1.0 if rng.random() < 0.5 else -1.0


def _objects(strength: float, rng: np.random.Generator, seed: int) -> Options:
    scale = 1.0 + 0.25 * strength * _either_way(rng)
    return {"objects": {"scale": scale, "shape": "cylinder" if strength > _CYLINDER_FROM else "cube"}}


def _appearance(strength: float, rng: np.random.Generator, seed: int) -> Options:
    surfaces = {name: draw_surface(rng, strength, getattr(PLAIN, name)) for name in ("table", "floor")}
    sky = [draw_surface(rng, strength, colour) for colour in PLAIN.sky]
    return {"look": {**surfaces, "sky": sky, "colours": draw_colours(rng, strength)}}


def _table(strength: float, rng: np.random.Generator, seed: int) -> Options:
    texture = draw_texture(rng, strength)
    return {"look": {"table_texture": {**texture, "pattern": "checker", "repeat": float(rng.integers(2, 17))}}}


def _light(strength: float, rng: np.random.Generator, seed: int) -> Options:
    angle, warmth = rng.uniform(-np.pi, np.pi), 0.3 * strength * _either_way(rng)
    x, y = np.array(PLAIN.light_direction[:2]) * (1 - strength) + 1.4 * strength * np.array([np.cos(angle), np.sin(angle)])
    factor = 2.0 ** (strength * _either_way(rng))
    return {
        "look": {
            "light": factor,
            "ambient": factor**0.5,
            "light_colour": [1.0 + warmth, 1.0, 1.0 - warmth],
            "light_direction": [float(x), float(y), -1.0],
        }
    }


def _camera(strength: float, rng: np.random.Generator, seed: int) -> Options:
    jitters = {}
    for name, (distance, angle_deg) in _CAMERA_SHIFT.items():
        shift, turn = (v / np.linalg.norm(v) for v in rng.standard_normal((2, 3)))
        jitters[name] = [*(strength * distance * shift).tolist(), *(strength * np.deg2rad(angle_deg) * turn).tolist()]
    return {"look": {"camera_jitter": jitters}}


def _distractors(strength: float, rng: np.random.Generator, seed: int) -> Options:
    return {"distractors": {"num": max(1, round(4 * strength)), "seed": int(rng.integers(2**31))}}


def _start(strength: float, rng: np.random.Generator, seed: int) -> Options:
    return {"start": {"radius_rad": 0.5 * strength, "seed": int(rng.integers(2**31))}}


# --- Noise -------------------------------------------------------------------------------------------------------------------------


def _noise(**full: float) -> Callable[[float, np.random.Generator, int], Options]:
    """Return a draw of noise whose amounts at strength 1 are ``full``."""

    def draw(strength: float, rng: np.random.Generator, seed: int) -> Options:
        return {"noise": {"seed": seed, **{name: strength * amount for name, amount in full.items()}}}

    return draw


def _sticky(strength: float, rng: np.random.Generator, seed: int) -> Options:
    return {"noise": {"seed": seed, "sticky": 0.5 * strength, "sticky_steps": 1 + round(2 * strength)}}


def _delay(strength: float, rng: np.random.Generator, seed: int) -> Options:
    return {"noise": {"seed": seed, "action_delay": max(1, round(3 * strength)), "observation_delay": round(2 * strength)}}


def _drift(strength: float, rng: np.random.Generator, seed: int) -> Options:
    changed = {"replaced": 0.1 * strength, "shake": 0.2 * strength, "gain": strength, "friction": strength}
    return {"noise": {"seed": seed, **changed, "drift": "cyclic", "drift_steps": 30}}


# --- Obstacles ---------------------------------------------------------------------------------------------------------------------


def _blocks(strength: float, rng: np.random.Generator, seed: int) -> Options:
    return {"blocks": {"num": max(1, round(5 * strength)), "seed": int(rng.integers(2**31))}}


def _hurdle(strength: float, rng: np.random.Generator, seed: int) -> Options:
    return {"hurdle": {"height": float(0.04 + 0.12 * strength + rng.uniform(-0.01, 0.01))}}


_BRINGING_TASKS: Final = frozenset({"place_on_plate", "place_in_bowl", "ambiguous_cubes"})
_OBJECT_TASKS: Final = frozenset(
    {"touch", "pick", "place_on_plate", "place_in_bowl", "stack", "sort_two", "ambiguous_cubes", "ambiguous_plates"}
)

_ALL: Final = (
    Axis("object", "Other objects", SHIFT, "sizes 25 % off, cylinders for cubes", _objects, _OBJECT_TASKS),
    Axis("appearance", "Other colours", SHIFT, "any colour of table and surroundings; things keep their colour word", _appearance),
    Axis("table_texture", "Table texture", SHIFT, "checks and specks, up to half as dark as the table", _table),
    Axis("light", "Light", SHIFT, "twice or half as bright, 30 % warmer or colder, from any side", _light),
    Axis("camera", "Camera pose", SHIFT, "10 cm and 6 degrees; wrist 8 mm and 4 degrees", _camera),
    Axis("distractors", "Distractors", SHIFT, "4 more things on the table", _distractors),
    Axis("start", "Initial pose", SHIFT, "0.5 rad away over all joints", _start),
    Axis(
        "action_noise",
        "Action noise",
        NOISE,
        "10 % of actions replaced, the others shaken by 20 % of the longest step",
        _noise(replaced=0.1, shake=0.2),
    ),
    Axis("sticky", "Sticky actions", NOISE, "a repeat begins with 50 %, of up to 3 steps", _sticky),
    Axis(
        "events",
        "Sudden events",
        NOISE,
        "each step 1 % each: a thing shoved, a thing elsewhere, the gripper slips",
        _noise(nudge=0.01, teleport=0.01, slip=0.01),
    ),
    Axis(
        "observation_noise",
        "Observation noise",
        NOISE,
        "pixels by 25 of 255, half of the pictures partly black, proprioception by 0.02 and 10 % lost",
        _noise(pixels=25.0, dropout=0.5, proprio=0.02, proprio_dropout=0.1),
    ),
    Axis(
        "dynamics",
        "Dynamics",
        NOISE,
        "friction, masses and motor stiffness by a factor of up to 2",
        _noise(friction=1.0, mass=1.0, gain=1.0),
    ),
    Axis("delay", "Delays", NOISE, "actions 3 control steps late, observations 2", _delay),
    Axis("blocks", "Blocks", OBSTACLES, "5 high boxes between the things", _blocks, frozenset({"touch", "pick", "press_button"})),
    Axis("hurdle", "Hurdle", OBSTACLES, "a wall of 16 cm half-way to where a thing is brought", _hurdle, _BRINGING_TASKS),
    Axis("drift", "Concept drift", NOISE, "every other 30 steps: actions as of action noise, friction and stiffness by up to 2", _drift),
)

AXES: Final[Mapping[str, Axis]] = MappingProxyType({axis.name: axis for axis in _ALL})
"""Every axis by name.

Source: the shifts are those of INT-ACT (arXiv:2506.09930), The Colosseum (arXiv:2402.08191) and LIBERO-Plus (arXiv:2510.13626); the
noise follows STORI's types (arXiv:2509.01793): 1 ``action_noise``, 2.1 ``events``, 2.2 ``drift``, 3.2 ``observation_noise``.
We differ in amounts: STORI replaces 30 % of the actions of Atari games; of an arm at 20 Hz that leaves nothing that even the scripted
expert solves, so full strength is 10 % here.
"""
