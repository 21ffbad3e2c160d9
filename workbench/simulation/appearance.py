"""How a scene looks: read from plain data, and drawn at random so that a policy learns not to mind."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from workbench.core.errors import InvalidInput, UnknownName
from workbench.simulation.scene import COLOURS

RGB = tuple[float, float, float]

CAMERAS: Final = ("front", "top", "wrist")
"""Cameras of every scene."""
PATTERNS: Final = ("flat", "checker", "gradient")
"""Of the table's texture."""

_FLOOR: Final[RGB] = (0.22, 0.27, 0.33)
_SKY: Final[tuple[RGB, RGB]] = ((0.93, 0.95, 0.97), (0.62, 0.68, 0.75))
_MAT_SHADE: Final = 0.93
_JITTER: Final[Mapping[str, tuple[float, float]]] = {"front": (0.03, 2.0), "top": (0.03, 2.0), "wrist": (0.003, 1.2)}
"""Largest shift along each axis [m] and turn about each axis [deg] of each camera at full strength."""


@dataclass(frozen=True)
class Texture:
    """A pattern on the table, which darkens its colour."""

    pattern: str = "checker"
    """One of :data:`PATTERNS`."""
    tint: RGB = (0.8, 0.8, 0.8)
    """What the second colour of the pattern keeps of the table's, RGB 0..1."""
    repeat: float = 4.0
    """How often the pattern repeats along each side."""
    speckle: float = 0.0
    """Share of pixels that are specks, 0..1."""


@dataclass(frozen=True)
class Look:
    """Every part of a scene's appearance; the defaults are the plain bench."""

    table: RGB = (0.73, 0.69, 0.63)
    mat: RGB | None = None
    """The reachable part of the table; None for a shade of the table's colour."""
    table_texture: Texture | None = None
    floor: RGB = _FLOOR
    sky: tuple[RGB, RGB] = _SKY
    """Top and horizon."""
    light: float = 1.0
    """Strength of the light that throws shadows."""
    light_colour: RGB = (1.0, 1.0, 1.0)
    light_direction: RGB = (-0.35, -0.45, -1.0)
    """Where it shines, a world vector that points down."""
    ambient: float = 1.0
    """Strength of the light from everywhere."""
    camera_jitter: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Camera name -> shift [m] and turn [rad] in its own axes: x, y, z, roll, pitch, yaw."""
    colours: Mapping[str, RGB] = field(default_factory=dict)
    """Colour word -> RGB of the things of that colour, instead of the usual."""

    @property
    def mat_colour(self) -> RGB:
        """RGB of the mat."""
        if self.mat is not None:
            return self.mat
        red, green, blue = (_MAT_SHADE * np.array(self.table)).tolist()
        return (red, green, blue)


PLAIN: Final = Look()


def read_look(data: Mapping[str, Any]) -> Look:
    """Read a scene's ``look``, plain data with the names of :class:`Look`.

    Raises:
        UnknownName: a key, camera, pattern or colour word that does not exist.
        InvalidInput: a value of the wrong form or outside of its range.
    """
    found: dict[str, Any] = {}
    for key, value in data.items():
        if key not in _READERS:
            raise UnknownName("part of the look", key, _READERS)
        found[key] = _READERS[key](f"look, {key}", value)
    return Look(**found)


def _numbers(what: str, value: Any, count: int, low: float, high: float) -> tuple[float, ...]:
    is_list = isinstance(value, Sequence) and not isinstance(value, str) and len(value) == count
    if not is_list or not all(isinstance(v, int | float) and low <= v <= high for v in value):
        raise InvalidInput(what, expected=f"{count} numbers from {low:g} to {high:g}", found=str(value))
    return tuple(float(v) for v in value)


def _number(what: str, value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InvalidInput(what, expected=f"a number from {low:g} to {high:g}", found=str(value))
    return float(value)


def _strength(what: str, value: Any) -> float:
    return _number(what, value, 0.0, 4.0)


def _rgb(what: str, value: Any) -> RGB:
    red, green, blue = _numbers(what, value, 3, 0.0, 1.0)
    return (red, green, blue)


def _light_colour(what: str, value: Any) -> RGB:
    red, green, blue = _numbers(what, value, 3, 0.0, 2.0)
    return (red, green, blue)


def _direction(what: str, value: Any) -> RGB:
    x, y, z = _numbers(what, value, 3, -10.0, 10.0)
    if z > -0.3 * float(np.hypot(x, y)) - 1e-3:
        raise InvalidInput(what, expected="a vector that points down by at least a third of its length along the table", found=str(value))
    return (x, y, z)


def _mapping(what: str, value: Any, kind: str, known: Sequence[str]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInput(what, expected=f"values by {kind}", found=str(value))
    for name in value:
        if name not in known:
            raise UnknownName(kind, name, known)
    return value


def _sky(what: str, value: Any) -> tuple[RGB, RGB]:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        raise InvalidInput(what, expected="two colours, top and horizon", found=str(value))
    return (_rgb(what, value[0]), _rgb(what, value[1]))


def _texture(what: str, value: Any) -> Texture:
    parts = _mapping(what, value, "part of a texture", ("pattern", "tint", "repeat", "speckle"))
    pattern = str(parts.get("pattern", Texture.pattern))
    if pattern not in PATTERNS:
        raise UnknownName("pattern of a texture", pattern, PATTERNS)
    return Texture(
        pattern,
        _rgb(f"{what}, tint", parts.get("tint", Texture.tint)),
        _number(f"{what}, repeat", parts.get("repeat", Texture.repeat), 0.5, 64.0),
        _number(f"{what}, speckle", parts.get("speckle", Texture.speckle), 0.0, 1.0),
    )


def _jitters(what: str, value: Any) -> Mapping[str, tuple[float, ...]]:
    jitters = _mapping(what, value, "camera", CAMERAS)
    return MappingProxyType({name: _numbers(f"{what}, {name}", jitters[name], 6, -1.0, 1.0) for name in jitters})


def _colours(what: str, value: Any) -> Mapping[str, RGB]:
    words = _mapping(what, value, "colour", tuple(COLOURS))
    return MappingProxyType({word: _rgb(f"{what}, {word}", words[word]) for word in words})


_READERS: Final = {
    "table": _rgb,
    "mat": _rgb,
    "table_texture": _texture,
    "floor": _rgb,
    "sky": _sky,
    "light": _strength,
    "light_colour": _light_colour,
    "light_direction": _direction,
    "ambient": _strength,
    "camera_jitter": _jitters,
    "colours": _colours,
}


# --- At random ---------------------------------------------------------------------------------------------------------------------


def draw_look(rng: np.random.Generator, *, strength: float = 1.0) -> dict[str, Any]:
    """Draw an appearance as JSON-able data for :func:`read_look`.

    Args:
        rng: the source of chance.
        strength: 0 for the plain bench, 1 for the whole range; colours of things stay true to their word.
    """
    _number("strength of a look", strength, 0.0, 1.0)
    table = draw_surface(rng, strength, PLAIN.table)
    look: dict[str, Any] = {
        "table": table,
        "mat": draw_surface(rng, strength, PLAIN.mat_colour) if rng.random() < 0.5 else [_MAT_SHADE * c for c in table],
        "floor": draw_surface(rng, strength, PLAIN.floor),
        "sky": [draw_surface(rng, strength, colour) for colour in PLAIN.sky],
        "camera_jitter": draw_camera_jitter(rng, strength),
        "colours": draw_colours(rng, strength),
        **draw_light(rng, strength),
    }
    if rng.random() < 0.7:
        look["table_texture"] = draw_texture(rng, strength)
    return look


def draw_surface(rng: np.random.Generator, strength: float, plain: RGB) -> list[float]:
    """Draw the RGB of something large: pale or dull, so that things stand out; ``strength`` of the way from ``plain``."""
    value = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.0, 0.45), rng.uniform(0.2, 0.95))
    return [(1 - strength) * p + strength * v for p, v in zip(plain, value, strict=True)]


def draw_texture(rng: np.random.Generator, strength: float) -> dict[str, Any]:
    """Draw a ``table_texture``."""
    pattern = PATTERNS[int(rng.integers(len(PATTERNS)))]
    tint = [1.0 - strength * float(rng.uniform(0.1, 0.5)) * float(rng.uniform(0.7, 1.0)) for _ in range(3)]
    repeat = float(rng.integers(1, 13)) if pattern == "checker" else 1.0
    return {"pattern": pattern, "tint": tint, "repeat": repeat, "speckle": strength * float(rng.uniform(0.0, 0.2))}


def draw_light(rng: np.random.Generator, strength: float) -> dict[str, Any]:
    """Draw ``light``, ``light_colour``, ``light_direction`` and ``ambient``."""
    warmth = strength * float(rng.uniform(-0.15, 0.15))
    x, y = strength * rng.uniform(-0.8, 0.8, 2) + (1 - strength) * np.array(PLAIN.light_direction[:2])
    return {
        "light": float(2.0 ** (strength * rng.uniform(-1.0, 0.7))),
        "light_colour": [1.0 + warmth, 1.0, 1.0 - warmth],
        "light_direction": [float(x), float(y), -1.0],
        "ambient": 1.0 + strength * float(rng.uniform(-0.3, 0.2)),
    }


def draw_camera_jitter(rng: np.random.Generator, strength: float) -> dict[str, list[float]]:
    """Draw a ``camera_jitter`` of every camera."""
    jitters = {}
    for name, (shift, turn_deg) in _JITTER.items():
        scale = strength * np.array([shift] * 3 + [np.deg2rad(turn_deg)] * 3)
        jitters[name] = (scale * rng.uniform(-1.0, 1.0, 6)).tolist()
    return jitters


def draw_colours(rng: np.random.Generator, strength: float) -> dict[str, list[float]]:
    """Draw ``colours``: every colour a little other, and none so much that another word would fit."""
    colours = {}
    for word, rgb in COLOURS.items():
        hue, saturation, value = colorsys.rgb_to_hsv(*rgb)
        hue = (hue + strength * rng.uniform(-0.012, 0.012)) % 1.0
        saturation = float(np.clip(saturation * (1 + strength * rng.uniform(-0.12, 0.12)), 0.0, 1.0))
        value = float(np.clip(value * (1 + strength * rng.uniform(-0.12, 0.12)), 0.0, 1.0))
        colours[word] = list(colorsys.hsv_to_rgb(hue, saturation, value))
    return colours
