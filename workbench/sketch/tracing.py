"""From the mask of one colour to long curves: blobs out, thinning, straight on at junctions, over gaps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Final, NamedTuple

import numpy as np
from scipy import ndimage

from workbench.core.polylines import arc_lengths, path_length, resample, simplify_indices
from workbench.sketch.curves import Array
from workbench.sketch.skeleton import Curve, Mask, thin, trace_curves

MAX_STROKE_RADIUS_PX: Final = 11.5
"""Half width, on a frame of 480, of the widest thing that may be a stroke or its head; thicker things are objects."""
MAX_TURN_RAD: Final = float(np.radians(50))
"""A curve goes on through a junction or gap if it turns by less."""
MAX_CORNER_RAD: Final = float(np.radians(125))
"""Where only two lines meet they are one path with a corner; a barb of a head turns back by more."""
MAX_BARB_PX: Final = 34.0
MAX_BARB_TURN_RAD: Final = float(np.radians(80))
"""A line shorter than this that turns back by more is a barb, not the last leg of a path."""
MAX_CROSSING_RAD: Final = float(np.radians(40))
"""Two lines that run over each other at a small angle are told apart if both go on through the overlap turning by less."""
LEAST_CROSSING_RAD: Final = float(np.radians(12))
MAX_GAP_PX: Final = 100.0
HIDDEN_CORNER_PX: Final = 22.0
"""A corner of a path may be hidden by another stroke if both legs end this near to it."""


@dataclass(frozen=True, eq=False)
class Ink:
    """The strokes of one colour, measured."""

    mask: Mask
    """``(H, W)``, without blobs."""
    blobs: Mask
    """What was too thick for a stroke."""
    depth: Array
    """``(H, W)``: distance [px] of each drawn pixel to the border of the stroke."""
    skeleton: Mask
    half_width: float
    """Of the typical stroke [px]."""
    scale: float
    """Size of the frame over 480."""


class End(NamedTuple):
    """One end of a curve."""

    curve: int
    is_last: bool
    point: Array
    direction: Array
    """Unit vector out of the curve."""


def measure_ink(mask: Mask, scale: float) -> Ink:
    """Take blobs out of a mask, and thin the rest."""
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    thick = depth > MAX_STROKE_RADIUS_PX * scale
    blobs = np.zeros(mask.shape, dtype=bool)
    if thick.any():
        # Far enough from the middle of a square to take its corners too.
        radius = 1.45 * MAX_STROKE_RADIUS_PX * scale + 1.0
        blobs = mask & (ndimage.distance_transform_edt(~thick) <= radius)
        mask = mask & ~blobs
        mask = _without_specks(mask, 12 * scale**2)
        depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    skeleton = thin(mask)
    on_lines = depth[skeleton]
    half_width = float(np.percentile(on_lines, 40)) if len(on_lines) else 1.0
    return Ink(mask, blobs, depth, skeleton, half_width, scale)


def _without_specks(mask: Mask, smallest: float) -> Mask:
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    sizes = ndimage.sum_labels(mask, labels, np.arange(1, count + 1))
    return np.asarray(np.concatenate([[False], sizes >= smallest])[labels])


def long_curves(skeleton: Mask, ink: Ink, hidden: Mask) -> list[Array]:
    """Return curves ``(N, 2)`` [px] as long as they can be made: spurs cut, junctions passed straight on, hidden gaps bridged."""
    curves = trace_curves(_without_spurs(skeleton, ink))
    joined = [_without_barbs(c, ink, hidden) for c in _through_junctions(curves, ink)]
    return [_without_barbs(c, ink, np.zeros_like(hidden)) for c in _over_gaps(joined, ink, hidden)]


def _without_barbs(points: Array, ink: Ink, hidden: Mask) -> Array:
    """Cut a short last leg that turns sharply back, at both ends of a curve ``(N, 2)``: one barb of a head.

    A leg that ends where it may be hidden may go on: it stays, unless it turns as only a barb does.
    """
    for _ in range(2):
        points = points[::-1]
        u, v = points[-1].astype(int)
        may_go_on = hidden[max(0, v - 4) : v + 5, max(0, u - 4) : u + 5].any()
        least = MAX_CORNER_RAD if may_go_on else MAX_BARB_TURN_RAD
        corners = simplify_indices(points, max(2.5 * ink.scale, 0.9 * ink.half_width))
        last_leg = points[-1] - points[corners[-2:][0]]
        # From the end inwards: the barb may have a small bend of its own.
        for following, earlier in pairwise(corners[-2::-1]):
            rest = path_length(points[following:])
            # Thinning leads from the shaft to the barb round the tip.
            if rest > MAX_BARB_PX * ink.scale + 2 * ink.half_width:
                break
            before = points[following] - points[earlier]
            turn = _angle(before, points[-1] - points[following])
            if np.linalg.norm(last_leg) > 0.5 * rest:
                turn = max(turn, _angle(before, last_leg))
            if turn > least and path_length(points[: following + 1]) > 1.2 * rest:
                points = points[: following + 1]
                break
    return points


def _angle(a: Array, b: Array) -> float:
    """Return the angle [rad] between two directions ``(2,)``, without a sign."""
    return float(abs(np.arctan2(a[0] * b[1] - a[1] * b[0], a @ b)))


def _without_spurs(skeleton: Mask, ink: Ink) -> Mask:
    """Cut the short side branches that thinning leaves where a stroke is thick, and in corners of heads."""
    skeleton = skeleton.copy()
    for _ in range(2):
        curves = trace_curves(skeleton)
        uses: dict[int, int] = {}
        for curve in curves:
            for node in (curve.start, curve.end):
                uses[node] = uses.get(node, 0) + 1
        spurs: dict[int, list[Curve]] = {}
        for curve in curves:
            free = [uses[curve.start] == 1, uses[curve.end] == 1]
            if sum(free) != 1:
                continue
            node, at = (curve.end, -1) if free[0] else (curve.start, 0)
            u, v = curve.points[at].astype(int)
            window = ink.depth[max(0, v - 2) : v + 3, max(0, u - 2) : u + 3]
            if curve.length < 2.4 * float(window.max()) + 1.0:
                spurs.setdefault(node, []).append(curve)
        for node, cut in spurs.items():
            # What is nothing but spurs is a short stroke and its head.
            for curve in sorted(cut, key=lambda c: c.length)[: len(cut) - (len(cut) == uses[node])]:
                inner = curve.points[1:] if curve.start == node else curve.points[:-1]
                skeleton[inner[:, 1].astype(int), inner[:, 0].astype(int)] = False
        if not spurs:
            break
        skeleton = thin(skeleton)
    return skeleton


def end_of(points: Array, is_last: bool, curve: int, ink: Ink) -> End:
    """Return one end of a curve ``(N, 2)`` with the direction of its last stretch."""
    outwards = points if is_last else points[::-1]
    from_end = arc_lengths(outwards[::-1])
    # The last pixels bend towards the junction: look behind them, but not round a corner.
    near = int(np.searchsorted(from_end, min(1.2 * ink.half_width, 0.25 * from_end[-1])))
    reach = 1.2 * ink.half_width + 20 * ink.scale
    stretch = outwards[::-1][: int(np.searchsorted(from_end, min(reach, from_end[-1]))) + 1]
    corners = simplify_indices(stretch, max(2.0 * ink.scale, 0.8 * ink.half_width))
    far = corners[1] if len(corners) > 2 and from_end[corners[1]] > 8 * ink.scale + 1.2 * ink.half_width else len(stretch) - 1
    arm = outwards[::-1][near] - outwards[::-1][min(max(far, near + 1), len(points) - 1)]
    return End(curve, is_last, outwards[-1], arm / max(float(np.linalg.norm(arm)), 1e-9))


def turn_between(a: End, b: End) -> float:
    """Return the angle [rad] by which a line turns that goes out of one end and into the other."""
    return float(np.arccos(np.clip(-(a.direction @ b.direction), -1, 1)))


def _through_junctions(curves: Sequence[Curve], ink: Ink) -> list[Array]:
    parent: dict[int, int] = {}

    def root(node: int) -> int:
        while parent.get(node, node) != node:
            node = parent[node]
        return node

    kept: list[Curve] = []
    uses: dict[int, int] = {}
    for curve in curves:
        for node in (curve.start, curve.end):
            uses[node] = uses.get(node, 0) + 1
    for curve in curves:
        is_inner = uses[curve.start] > 1 and uses[curve.end] > 1 and curve.start != curve.end
        if is_inner and (_is_overlap(curve, ink) or _is_crossing(curve, curves, ink)):
            parent[root(curve.start)] = root(curve.end)
        else:
            kept.append(curve)
    at_node: dict[int, list[End]] = {}
    for i, curve in enumerate(kept):
        if curve.start == curve.end and uses[curve.start] <= 2:
            continue
        at_node.setdefault(root(curve.start), []).append(end_of(curve.points, False, i, ink))
        at_node.setdefault(root(curve.end), []).append(end_of(curve.points, True, i, ink))
    pairs: list[tuple[End, End]] = []
    for ends in at_node.values():
        is_barb = any(kept[e.curve].length < MAX_BARB_PX * ink.scale for e in ends)
        limit = MAX_TURN_RAD if len(ends) > 2 else MAX_BARB_TURN_RAD if is_barb else MAX_CORNER_RAD
        crossing = _straightest(ends) if len(ends) == 4 else None
        if crossing is not None and max(turn_between(a, b) for a, b in crossing) <= limit:
            pairs += crossing
        else:
            pairs += _best_pairs([(turn_between(a, b), a, b) for a, b in combinations(ends, 2)], limit)
    return join([c.points for c in kept], pairs)


def _is_overlap(curve: Curve, ink: Ink) -> bool:
    """Tell whether a short line between two junctions is where two strokes run over each other."""
    u, v = curve.points[len(curve.points) // 2].astype(int)
    is_thick = ink.depth[v, u] > 1.25 * ink.half_width + 0.4 and curve.length < 10 * ink.half_width
    return is_thick or curve.length < 2.5 * ink.half_width + 2 * ink.scale


def _is_crossing(curve: Curve, curves: Sequence[Curve], ink: Ink) -> bool:
    """Tell whether a short line is the overlap of two lines that cross at a small angle: each comes in at one end, goes out at the other."""
    sides = []
    for node in (curve.start, curve.end):
        side = [end_of(c.points, False, i, ink) for i, c in enumerate(curves) if c.start == node and c is not curve]
        side += [end_of(c.points, True, i, ink) for i, c in enumerate(curves) if c.end == node and c is not curve]
        sides.append(side)
    here, there = sides
    if len(here) != 2 or len(there) != 2:
        return False
    # Two lines of one width run over each other for the longer, the smaller the angle between them.
    angle = max(LEAST_CROSSING_RAD, min(np.pi - turn_between(*side) for side in sides))
    if curve.length > 1.3 * (2 * ink.half_width + ink.scale) / np.sin(angle / 2):
        return False
    ways = ((here[0], there[0]), (here[1], there[1])), ((here[0], there[1]), (here[1], there[0]))
    return any(max(turn_between(a, b) for a, b in way) < MAX_CROSSING_RAD for way in ways)


def _straightest(ends: Sequence[End]) -> list[tuple[End, End]]:
    """Return the two pairs of four ends that turn least together: the straightest one alone may leave the others a sharp turn."""
    first, *rest = ends
    ways = []
    for i, partner in enumerate(rest):
        others = (*rest[:i], *rest[i + 1 :])
        ways.append([(first, partner), (others[0], others[1])])
    return min(ways, key=lambda way: sum(turn_between(a, b) ** 2 for a, b in way))


def _best_pairs(ranked: Sequence[tuple[float, End, End]], limit: float) -> list[tuple[End, End]]:
    """Pick pairs of ends, best first, each end once."""
    pairs: list[tuple[End, End]] = []
    taken: set[tuple[int, bool]] = set()
    for cost, a, b in sorted(ranked, key=lambda r: r[0]):
        keys = {(a.curve, a.is_last), (b.curve, b.is_last)}
        if cost <= limit and len(keys) == 2 and not keys & taken:
            taken |= keys
            pairs.append((a, b))
    return pairs


def join(curves: Sequence[Array], pairs: Sequence[tuple[End, End]]) -> list[Array]:
    """Chain curves ``(N, 2)`` at paired ends; each end is in one pair at most. A chain that bites its tail is closed."""
    partner = {(a.curve, a.is_last): (b.curve, b.is_last) for p in pairs for a, b in (p, p[::-1])}
    done: set[int] = set()
    chains: list[Array] = []
    # Chains with a free end first, so that only rings are left to be cut anywhere.
    starts = [(i, last) for i in range(len(curves)) for last in (False, True) if (i, last) not in partner]
    for first in [*starts, *((i, False) for i in range(len(curves)))]:
        if first[0] in done:
            continue
        parts: list[Array] = []
        here: tuple[int, bool] | None = first
        while here is not None and here[0] not in done:
            done.add(here[0])
            parts.append(curves[here[0]][::-1] if here[1] else curves[here[0]])
            here = partner.get((here[0], not here[1]))
        if here is not None:
            parts.append(parts[0][:1])
        chains.append(np.vstack(parts))
    return chains


def _over_gaps(curves: list[Array], ink: Ink, hidden: Mask) -> list[Array]:
    # Shorter pieces have no direction of their own.
    curves = [c for c in curves if path_length(c) >= max(3 * ink.scale, 2 * ink.half_width)]
    ends = [end_of(c, last, i, ink) for i, c in enumerate(curves) for last in (False, True)]
    ranked = []
    for a, b in combinations(ends, 2):
        cost = _gap_cost(a, b, ink, hidden) if a.curve != b.curve else None
        if cost is not None:
            ranked.append((cost, a, b))
    return join(curves, _best_pairs(ranked, np.inf))


def join_hidden(curves: list[Array], is_open: Callable[[End, End], bool], ink: Ink, hidden: Mask) -> list[Array]:
    """Join curves ``(N, 2)`` [px] that may only be parts of one another, also where much of the way is hidden.

    Args:
        curves: as :func:`long_curves` gives them.
        is_open: whether these two ends of different curves are to be joined if they can.
        ink: the strokes of that colour.
        hidden: ``(H, W)``: where a stroke of that colour may be covered.
    """
    ends = [end_of(c, last, i, ink) for i, c in enumerate(curves) for last in (False, True)]
    ranked = []
    for a, b in combinations(ends, 2):
        distance = float(np.linalg.norm(b.point - a.point))
        if a.curve == b.curve or distance > MAX_GAP_PX * ink.scale or not is_open(a, b):
            continue
        if _is_corner_hidden(a, b, ink, hidden, MAX_GAP_PX) or _gap_cost(a, b, ink, hidden) is not None:
            ranked.append((distance, a, b))
    return join(curves, _best_pairs(ranked, np.inf))


def _is_corner_hidden(a: End, b: End, ink: Ink, hidden: Mask, reach_px: float = HIDDEN_CORNER_PX) -> bool:
    """Tell whether two lines meet in a corner that is hidden, at most so far [px of a frame of 480] from their ends."""
    cross = float(a.direction[0] * b.direction[1] - a.direction[1] * b.direction[0])
    if abs(cross) < 0.4:
        return False
    gap = b.point - a.point
    reach_a = float(gap[0] * b.direction[1] - gap[1] * b.direction[0]) / cross
    reach_b = float(gap[0] * a.direction[1] - gap[1] * a.direction[0]) / cross
    limit = reach_px * ink.scale + ink.half_width
    # An end may reach past the corner by the width of the line.
    least = -1.5 * ink.half_width - 2 * ink.scale
    if not (least <= reach_a <= limit and least <= reach_b <= limit):
        return False
    corner = a.point + reach_a * a.direction
    way = resample(np.stack([a.point, corner, b.point]), 24)
    height, width = hidden.shape
    u, v = np.clip(way[:, 0].astype(int), 0, width - 1), np.clip(way[:, 1].astype(int), 0, height - 1)
    return bool((hidden | ink.mask)[v, u].mean() > 0.75)


def _gap_cost(a: End, b: End, ink: Ink, hidden: Mask) -> float | None:
    gap = b.point - a.point
    distance = float(np.linalg.norm(gap))
    if distance > MAX_GAP_PX * ink.scale:
        return None
    if distance > 3 * ink.scale:
        along = gap / distance
        if distance < 1.5 * HIDDEN_CORNER_PX * ink.scale and _is_corner_hidden(a, b, ink, hidden):
            return 4.0 * distance
        bends = [np.arccos(np.clip(d, -1, 1)) for d in (a.direction @ along, -(b.direction @ along))]
        # Over a short gap the directions are less sure.
        limit = MAX_TURN_RAD if distance < 12 * ink.scale + 2 * ink.half_width else 0.6 * MAX_TURN_RAD
        if max(bends) > limit:
            return None
        samples = a.point + np.linspace(0, 1, max(4, int(distance)))[:, None] * gap
        height, width = hidden.shape
        u, v = np.clip(samples[:, 0].astype(int), 0, width - 1), np.clip(samples[:, 1].astype(int), 0, height - 1)
        # Thinning shortens both ends by about half a line width.
        open_px = distance * float(1 - (hidden | ink.mask)[v, u].mean()) - 2 * ink.half_width
        if open_px > max(5 * ink.scale, 0.35 * distance):
            return None
        return distance * (1 + float(np.sum(bends)))
    return distance if turn_between(a, b) < MAX_TURN_RAD else None
