"""Circles among the pixels of thinned strokes, also open, crossed or partly hidden ones."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.sketch.curves import Array, Circle, fit_circle
from workbench.sketch.skeleton import Mask
from workbench.sketch.tracing import Ink

NUM_BINS: Final = 48
MIN_COVER: Final = 0.87
"""Share of the directions from the centre in which the line must be seen, or may be hidden."""
MIN_RADIUS_PX: Final = 11.0
MAX_RADIUS_PX: Final = 130.0
OFF_OVAL_PX: Final = 2.0
OFF_OVAL_SHARE: Final = 0.04
"""How far a rim may lie off the nearest oval: pixels of a frame of 480, for an unsteady hand, and a share of the radius."""
MAX_LEAVING: Final = 3
"""Lines that go out of a circle that another line crosses and whose own end runs past its start."""
GAP_DOUBT: Final = 0.4
"""With more lines going out it may be a gap between them, unless it is rounder by this factor."""
MAX_CIRCLES: Final = 8
NUM_GUESSES: Final = 400


class Demand(NamedTuple):
    """What of a circle must be seen."""

    share: float
    """Of the directions from its centre."""
    gap: int
    """Longest run of directions, of 48, in which nothing is seen, hidden or not."""


WHOLE: Final = Demand(0.6, 8)
"""A line with a gap of more than 60 degrees may be a bent arrow."""
PARTLY: Final = Demand(150 / 360, NUM_BINS)
"""Enough of what is no arrow."""


def find_circles(ink: Ink, hidden: Mask) -> list[Circle]:
    """Return the circles drawn in one colour (at most eight), best first.

    Triples of nearby line pixels propose circles; the one that is seen in most directions wins, is fitted to its pixels, and is
    taken out before the next search.
    """
    rng = np.random.default_rng(0)
    rows, columns = np.nonzero(ink.skeleton)
    points = np.stack([columns, rows], axis=1).astype(np.float64) + 0.5
    found: list[Circle] = []
    while len(points) >= 20 and len(found) < MAX_CIRCLES:
        circle = _best_circle(points, ink, hidden, rng, WHOLE)
        if circle is None:
            break
        found.append(circle)
        points = points[~is_on_circle(points, circle, ink)]
    return found


def find_hidden_circle(points: Array, ink: Ink, hidden: Mask) -> Circle | None:
    """Return the circle that pixels ``(N, 2)`` of thin lines without a head show at least 150 degrees of, the rest hidden."""
    return _best_circle(points, ink, hidden, np.random.default_rng(0), PARTLY) if len(points) >= 10 else None


def band(circle: Circle, ink: Ink) -> float:
    """Return how far from a circle its own pixels may lie [px]."""
    return max(1.2 * ink.half_width + 1.0, 3.0 * circle.residual + 0.5)


def rim_of(circle: Circle) -> Array:
    """Return places ``(N, 2)`` all round a circle, closer than a pixel."""
    turn = np.linspace(0, 2 * np.pi, max(16, int(14 * circle.radius)))
    return np.asarray(circle.centre + circle.radius * np.stack([np.cos(turn), np.sin(turn)], axis=1))


def is_on_circle(points: Array, circle: Circle, ink: Ink) -> np.ndarray:
    """Tell which points ``(N, 2)`` belong to a circle."""
    return np.asarray(np.abs(np.linalg.norm(points - circle.centre, axis=1) - circle.radius) <= band(circle, ink))


def _best_circle(points: Array, ink: Ink, hidden: Mask, rng: np.random.Generator, demand: Demand) -> Circle | None:
    guesses = _guesses(points, ink.scale, rng)
    best: tuple[float, Circle] | None = None
    if not len(guesses):
        return None
    # First a cheap look, with some of the pixels, at how many directions are covered; then care for the most promising.
    some = points[:: max(1, len(points) // 500)].astype(np.float32)
    arms = some[None] - guesses[:, None, :2].astype(np.float32)  # (G, N, 2)
    offsets = np.abs(np.sqrt((arms**2).sum(axis=-1)) - guesses[:, 2:].astype(np.float32))
    which, where = np.nonzero(offsets <= 0.10 * guesses[:, 2:] + ink.scale)
    seen = np.zeros((len(guesses), NUM_BINS), dtype=bool)
    seen[which, _bins(arms[which, where].astype(np.float64))] = True
    share = seen.sum(axis=1) / np.minimum(NUM_BINS, 2 * np.pi * guesses[:, 2])
    order = np.argsort(-share, kind="stable")[:12]
    for i in order:
        circle = _refined(points, Circle(guesses[i, :2], float(guesses[i, 2]), 0.0), ink)
        if circle is None:
            continue
        score = _score(points, circle, ink, hidden, demand)
        if score is not None and (best is None or score > best[0]):
            best = (score, circle)
    return None if best is None else best[1]


def _guesses(points: Array, scale: float, rng: np.random.Generator) -> Array:
    """Return circles ``(G, 3)`` (u, v, radius) through triples of line pixels that are not too far apart."""
    first = rng.integers(len(points), size=NUM_GUESSES)
    reach = rng.choice([30.0, 60.0, 120.0, 240.0], size=NUM_GUESSES) * scale
    second, third = (_random_near(points, first, reach, rng) for _ in range(2))
    a, b, c = points[first], points[second], points[third]
    ab, ac = b - a, c - a
    cross = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    is_good = np.abs(cross) > 20 * scale**2
    ab, ac, a, cross = ab[is_good], ac[is_good], a[is_good], cross[is_good]
    squares_b, squares_c = (ab**2).sum(axis=1), (ac**2).sum(axis=1)
    u = (ac[:, 1] * squares_b - ab[:, 1] * squares_c) / (2 * cross)
    v = (ab[:, 0] * squares_c - ac[:, 0] * squares_b) / (2 * cross)
    radius = np.hypot(u, v)
    in_range = (radius >= MIN_RADIUS_PX * scale) & (radius <= MAX_RADIUS_PX * scale)
    return np.column_stack([a[:, 0] + u, a[:, 1] + v, radius])[in_range]


def _random_near(points: Array, first: NDArray[np.int64], reach: Array, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return for each chosen pixel another one: of 24 random ones the first within reach, else the nearest."""
    tries = rng.integers(len(points), size=(len(first), 24))
    distances = np.linalg.norm(points[tries] - points[first][:, None], axis=-1)
    is_near = distances <= reach[:, None]
    chosen = np.where(is_near.any(axis=1), is_near.argmax(axis=1), distances.argmin(axis=1))
    return np.asarray(tries[np.arange(len(first)), chosen])


def _bins(arms: Array) -> np.ndarray:
    angle = np.arctan2(arms[..., 1], arms[..., 0])
    return np.asarray(((angle + np.pi) / (2 * np.pi) * NUM_BINS).astype(int) % NUM_BINS)


def _refined(points: Array, circle: Circle, ink: Ink) -> Circle | None:
    """Fit a circle to the pixels near it, three times closer and closer."""
    current: Circle | None = circle
    for share in (0.2, 0.16):
        if current is None:
            return None
        offsets = np.abs(np.linalg.norm(points - current.centre, axis=1) - current.radius)
        near = points[offsets <= share * current.radius + ink.scale]
        current = fit_circle(near) if len(near) >= 10 else None
    if current is None or not MIN_RADIUS_PX * ink.scale <= current.radius <= MAX_RADIUS_PX * ink.scale:
        return None
    return current


def _longest_gap(seen: Mask) -> int:
    """Return the length of the longest run of directions ``(B,)`` in which nothing is seen, round the circle."""
    if not seen.any():
        return len(seen)
    starts = np.nonzero(seen)[0]
    return int(np.max(np.diff(np.append(starts, starts[0] + len(seen)))) - 1)


def _off_oval(arms: Array) -> float:
    """Return how far [px, root mean square] a rim lies off the oval nearest to it: a circle drawn by hand is one, a polygon is none.

    Args:
        arms: ``(N, 2)`` [px] from the centre to pixels of the rim.
    """
    bins, distances = _bins(arms), np.linalg.norm(arms, axis=1)
    seen = np.unique(bins)
    # The middle one of each direction: other lines cross the rim.
    radii = np.array([np.median(distances[bins == b]) for b in seen])
    turn = (seen + 0.5) / NUM_BINS * 2 * np.pi
    waves = np.stack([np.ones(len(seen)), *(wave(k * turn) for k in (1, 2) for wave in (np.cos, np.sin))], axis=1)
    weights = np.linalg.lstsq(waves, radii, rcond=None)[0]
    return float(np.sqrt(np.mean((radii - waves @ weights) ** 2)))


def _most_off_oval(arms: Array, radius: float, ink: Ink) -> float:
    """Return how far [px] the rim of a circle may lie off an oval; ``arms (N, 2)`` lead from its centre to all pixels of lines."""
    most = OFF_OVAL_PX * ink.scale + OFF_OVAL_SHARE * radius
    return GAP_DOUBT * most if _num_leaving(arms, radius, ink) > MAX_LEAVING else most


def _num_leaving(arms: Array, radius: float, ink: Ink) -> int:
    """Return how many lines run outwards past a circle of that radius [px]."""
    beyond = 1.35 * radius
    turns = np.sort(np.arctan2(*arms[np.abs(np.linalg.norm(arms, axis=1) - beyond) <= 1.2].T[::-1]))
    gaps = np.diff(np.append(turns, turns[:1] + 2 * np.pi)) * beyond
    return int(np.count_nonzero(gaps > 2 * ink.half_width + 1))


def _score(points: Array, circle: Circle, ink: Ink, hidden: Mask, demand: Demand) -> float | None:
    """Return how well the pixels show a circle; None when they do not."""
    arms = points - circle.centre
    distances = np.linalg.norm(arms, axis=1)
    on_line = np.abs(distances - circle.radius) <= 0.16 * circle.radius + ink.scale
    seen = np.zeros(NUM_BINS, dtype=bool)
    seen[_bins(arms[on_line])] = True
    middles = (np.arange(NUM_BINS) + 0.5) / NUM_BINS * 2 * np.pi - np.pi
    rim = circle.centre + circle.radius * np.stack([np.cos(middles), np.sin(middles)], axis=1)
    height, width = hidden.shape
    is_outside = (rim < 0).any(axis=1) | (rim >= (width, height)).any(axis=1)
    u, v = np.clip(rim[:, 0].astype(int), 0, width - 1), np.clip(rim[:, 1].astype(int), 0, height - 1)
    covered = seen | hidden[v, u] | is_outside
    inside = np.count_nonzero(distances < 0.75 * circle.radius - ink.scale)
    roundness = circle.residual / circle.radius
    if (
        _longest_gap(seen) > demand.gap
        or covered.mean() < MIN_COVER
        or seen.mean() < demand.share
        or roundness > 0.12
        or inside > 0.2 * 2 * np.pi * circle.radius
        or _off_oval(arms[on_line]) > _most_off_oval(arms, circle.radius, ink)
    ):
        return None
    return float(seen.mean() + 0.3 * covered.mean() - 3 * roundness - 0.3 * inside / (2 * np.pi * circle.radius))
