"""How a hand draws: pointer paths with jitter, overshoot, open circles and uneven speed, made from exact symbols."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from scipy import ndimage

from workbench.core.polylines import path_length, points_at, resample
from workbench.core.sketches import Sketch, Stroke, StrokeKind
from workbench.sketch.curves import Array
from workbench.sketch.strokes import circle_radius_px, to_fractions, to_pixels

HeadHabit = Literal["none", "joined", "separate"]
HABITS: Final[tuple[HeadHabit, ...]] = ("none", "joined", "separate")


@dataclass(frozen=True)
class HandStyle:
    """How shaky a hand is; lengths in pixels of a frame of 480, scaled with the frame."""

    jitter_px: float = 1.5
    """Standard deviation of the slow wander about the ideal line."""
    tremor_px: float = 0.3
    """Standard deviation of the noise of single pointer samples."""
    max_gap_rad: float = 0.6
    """A circle is left open, or drawn over its start, by up to this angle."""
    max_ellipse: float = 0.18
    """A circle's axes differ by up to this share; its radius drifts by up to half of it."""
    sample_px: float = 5.0
    """Mean distance of pointer samples."""
    unevenness: float = 0.8
    """Spread of the logarithm of the pointer's speed."""


def hand_noise(sketch: Sketch, rng: np.random.Generator, style: HandStyle | None = None, habits: tuple[HeadHabit, ...] = HABITS) -> Sketch:
    """Return the sketch as a hand would draw it: freehand strokes only, to be recognised again.

    Args:
        sketch: arrows and circles.
        rng: randomness.
        style: how shaky the hand is.
        habits: how heads of arrows are drawn, one is picked for each: not at all, without lifting the pen, or as a second stroke.
    """
    style = style or HandStyle()
    strokes: list[Stroke] = []
    for stroke in sketch.strokes:
        habit = habits[int(rng.integers(len(habits)))]
        for i, path in enumerate(hand_paths(stroke, sketch.width, sketch.height, rng, style=style, habit=habit)):
            points = to_fractions(np.clip(path, 0, (sketch.width, sketch.height)), sketch.width, sketch.height)
            name = stroke.id if i == 0 else f"{stroke.id[:58]}-head"
            freehand = replace(stroke, id=name, kind=StrokeKind.FREEHAND, points=points, raw=points, is_geometric=False)
            strokes.append(freehand)
    return replace(sketch, strokes=tuple(strokes))


def hand_paths(
    stroke: Stroke, width: int, height: int, rng: np.random.Generator, *, style: HandStyle, habit: HeadHabit
) -> tuple[Array, ...]:
    """Return one or two pointer paths ``(N, 2)`` [px] that draw a symbol; the second is a separate head."""
    scale = min(width, height) / 480
    pixels = to_pixels(stroke.points, width, height)
    if stroke.kind is StrokeKind.FREEHAND:
        return (pixels,)
    if stroke.kind is StrokeKind.CIRCLE:
        ideal = _hand_circle(pixels[0], circle_radius_px(stroke, width, height), rng, style)
        return (_shaken(ideal, rng, style, scale),)
    shaft = _shaken(pixels, rng, style, scale)
    if habit == "none":
        return (shaft,)
    barbs = open_head(shaft, scale, rng)
    if habit == "separate":
        return shaft, _shaken(barbs, rng, style, 0.6 * scale)
    back = barbs[[1, 0, 1, 2]] if rng.random() < 0.5 else barbs[[1, 0, 2]]
    return (np.vstack([shaft, _shaken(back, rng, style, 0.5 * scale)]),)


def open_head(shaft: Array, scale: float, rng: np.random.Generator) -> Array:
    """Return barb, tip and other barb, ``(3, 2)`` [px], of an open head drawn by hand at the end of a shaft."""
    length = path_length(shaft)
    size = float(np.clip(0.2 * length, 9 * scale, 26 * scale) * rng.uniform(0.85, 1.2))
    dense = resample(shaft, 64)
    back = int(np.clip(63 * 1.5 * size / max(length, 1e-9), 6, 63))
    direction = dense[-1] - dense[63 - back]
    heading = float(np.arctan2(direction[1], direction[0]))
    left, right = rng.uniform(np.radians(25), np.radians(45), 2) * rng.choice([-1, 1]) * (1, -1)
    tip = shaft[-1]
    first, second = (tip - size * rng.uniform(0.85, 1.15) * np.array([np.cos(heading + a), np.sin(heading + a)]) for a in (left, right))
    return np.array([first, tip, second])


def _hand_circle(centre: Array, radius: float, rng: np.random.Generator, style: HandStyle) -> Array:
    sweep = 2 * np.pi + rng.uniform(-style.max_gap_rad, style.max_gap_rad)
    start = rng.uniform(0, 2 * np.pi)
    turn = start + rng.choice([-1, 1]) * np.linspace(0, sweep, 120)
    stretch = 1 + rng.uniform(-0.5, 0.5) * style.max_ellipse
    drift = 1 + np.linspace(-0.25, 0.25, 120) * style.max_ellipse * rng.choice([-1, 1])
    radii = radius * drift[:, None] * np.array([stretch, 1 / stretch])
    return np.asarray(centre + radii * np.stack([np.cos(turn), np.sin(turn)], axis=1))


def _shaken(ideal: Array, rng: np.random.Generator, style: HandStyle, scale: float) -> Array:
    """Return a pointer path along an ideal line: wander, tremor, uneven distances of the samples."""
    length = path_length(ideal)
    num = max(8, int(length / scale))
    dense = resample(ideal, num)
    # Wander changes over about 30 px; short lines wander less.
    wander = ndimage.gaussian_filter1d(rng.normal(size=(num + 120, 2)), 15, axis=0)[60 : 60 + num]
    wander *= style.jitter_px * scale * min(1.0, length / (80 * scale)) / 0.137
    speed = np.exp(style.unevenness * ndimage.gaussian_filter1d(rng.normal(size=num), 6) / 0.217)
    passed = np.cumsum(1.0 / speed)
    passed = (passed - passed[0]) / (passed[-1] - passed[0])
    samples = np.linspace(0, 1, max(6, int(length / (style.sample_px * scale))))
    places = np.interp(samples, passed, np.arange(num))
    path = points_at(dense + wander, np.arange(num, dtype=float), places)
    return np.asarray(path + rng.normal(scale=style.tremor_px * scale, size=path.shape))
