"""Thinning of masks to lines one pixel wide, and the curves that such lines make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from workbench.core.polylines import path_length
from workbench.sketch.curves import Array

Mask = NDArray[np.bool_]
_AROUND: Final = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""The eight neighbours (row, column), clockwise from above."""


def _deletable(phase: int) -> NDArray[np.bool_]:
    """Return for each of the 256 neighbourhoods whether Zhang and Suen's rule of that phase deletes the pixel."""
    table = np.zeros(256, dtype=bool)
    for code in range(256):
        n = [(code >> i) & 1 for i in range(8)]
        changes = sum(n[i] == 0 and n[(i + 1) % 8] == 1 for i in range(8))
        up, right, down, left = n[0], n[2], n[4], n[6]
        sides = (up * right * down, right * down * left) if phase == 0 else (up * right * left, up * down * left)
        table[code] = 2 <= sum(n) <= 6 and changes == 1 and sides == (0, 0)
    return table


def _stair(bias: int) -> NDArray[np.bool_]:
    """Return for each neighbourhood whether the pixel is the corner of a stair, that thinning leaves and a line does not need."""
    table = np.zeros(256, dtype=bool)
    for code in range(256):
        n = [(code >> i) & 1 for i in range(8)]
        up, up_right, right, down_right, down, down_left, left, up_left = n if bias == 0 else n[4:] + n[:4]
        to_right = right and not up_right and not down_left and not (left and down)
        to_left = left and not up_left and not down_right and not (right and down)
        table[code] = bool(up and (to_right or to_left))
    return table


_TABLES: Final = (_deletable(0), _deletable(1))
_STAIRS: Final = (_stair(0), _stair(1))


def neighbour_codes(mask: Mask) -> NDArray[np.uint8]:
    """Return for each pixel the neighbours that are set, one bit each, clockwise from above."""
    padded = np.pad(mask, 1).astype(np.uint8)
    height, width = mask.shape
    codes = np.zeros(mask.shape, dtype=np.uint8)
    for bit, (row, column) in enumerate(_AROUND):
        codes |= padded[1 + row : 1 + row + height, 1 + column : 1 + column + width] << bit
    return codes


def thin(mask: Mask) -> Mask:
    """Return the skeleton of a mask ``(H, W)``: lines one pixel wide with the same connections.

    Source: Zhang and Suen 1984, A fast parallel algorithm for thinning digital patterns; stairs are then cut as by Holt et al.
    1987, so that a pixel with more than two neighbours is a junction. Where their method would let a part vanish (a square of two
    by two pixels), ours keeps its middle pixel.
    """
    skeleton = mask.copy()
    windows = ndimage.find_objects(mask.astype(np.int8))
    if not windows:
        return skeleton
    part = skeleton[windows[0]]
    count = np.count_nonzero(part)
    while True:
        for table in _TABLES:
            part &= ~table[neighbour_codes(part)]
        before, count = count, np.count_nonzero(part)
        if count == before:
            break
    for table in _STAIRS:
        part &= ~table[neighbour_codes(part)]
    labels, num_parts = ndimage.label(mask, structure=np.ones((3, 3)))
    for vanished in set(range(1, num_parts + 1)) - set(np.unique(labels[skeleton]).tolist()):
        pixels = np.argwhere(labels == vanished)
        v, u = pixels[np.linalg.norm(pixels - pixels.mean(axis=0), axis=1).argmin()]
        skeleton[v, u] = True
    return skeleton


@dataclass(frozen=True, eq=False)
class Curve:
    """A line of pixels between two nodes (ends or junctions), or closed."""

    points: Array
    """``(N, 2)`` pixels (u, v), centres of the pixels passed."""
    start: int
    """Node at the first point; curves that share a node meet there."""
    end: int

    @property
    def length(self) -> float:
        """Length [px]."""
        return path_length(self.points)


def trace_curves(skeleton: Mask) -> list[Curve]:
    """Split a skeleton into curves between its ends and junctions; a closed loop gives one curve of one node."""
    count = np.array([bin(code).count("1") for code in range(256)])[neighbour_codes(skeleton)] * skeleton
    junctions, num_junctions = ndimage.label(count > 2, structure=np.ones((3, 3)))
    middles = ndimage.center_of_mass(junctions > 0, junctions, np.arange(1, num_junctions + 1))
    lines, num_lines = ndimage.label(skeleton & (junctions == 0), structure=np.ones((3, 3)))
    curves: list[Curve] = []
    next_node = num_junctions + 1
    for label, window in enumerate(ndimage.find_objects(lines), 1):
        rows, columns = np.nonzero(lines[window] == label)
        chain = _in_order([(int(r) + window[0].start, int(c) + window[1].start) for r, c in zip(rows, columns, strict=True)])
        nodes = []
        points = [(c + 0.5, r + 0.5) for r, c in chain]
        touched = [_junctions_beside(junctions, chain[0]), _junctions_beside(junctions, chain[-1])]
        if len(chain) == 1 and len(touched[0]) > 1:
            touched = [touched[0][:1], touched[0][1:2]]
        elif len(chain) == 1:
            touched[1] = []
        for at_end, near in enumerate(touched):
            if not near:
                nodes.append(next_node)
                next_node += 1
                continue
            node = near[0]
            nodes.append(node)
            row, column = middles[node - 1]
            points = [*points, (column + 0.5, row + 0.5)] if at_end else [(column + 0.5, row + 0.5), *points]
        if _is_ring(chain) and nodes[0] > num_junctions and nodes[1] > num_junctions:
            points, nodes = [*points, points[0]], [nodes[0], nodes[0]]
        curves.append(Curve(np.array(points), nodes[0], nodes[1]))
    assert num_lines == len(curves)
    return curves


def _junctions_beside(junctions: NDArray[np.int32], pixel: tuple[int, int]) -> list[int]:
    row, column = pixel
    window = junctions[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
    return [int(n) for n in np.unique(window) if n > 0]


def _is_ring(chain: list[tuple[int, int]]) -> bool:
    (r0, c0), (r1, c1) = chain[0], chain[-1]
    return len(chain) > 6 and max(abs(r0 - r1), abs(c0 - c1)) <= 1


def _in_order(pixels: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the pixels of one line in the order along it."""
    left = set(pixels)

    def beside(pixel: tuple[int, int]) -> list[tuple[int, int]]:
        # Straight neighbours first, so that a stair is walked and not jumped over.
        around = sorted(_AROUND, key=lambda d: abs(d[0]) + abs(d[1]))
        return [(pixel[0] + r, pixel[1] + c) for r, c in around if (pixel[0] + r, pixel[1] + c) in left]

    first = next((p for p in pixels if len(beside(p)) == 1), pixels[0])
    chain = [first]
    left.discard(first)
    while found := beside(chain[-1]):
        chain.append(found[0])
        left.discard(found[0])
    # What was walked in one direction from the middle of a ring or stair goes on from the other side.
    while found := beside(chain[0]):
        chain.insert(0, found[0])
        left.discard(found[0])
    return chain
