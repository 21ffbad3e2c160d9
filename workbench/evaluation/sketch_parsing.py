"""How well imported sketches are read: keypoint distances, shares found, and the order of the steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from workbench.core.polylines import resample
from workbench.core.sketches import Sketch, Stroke, StrokeKind
from workbench.evaluation.campaign import FIRST_SEED, Progress
from workbench.evaluation.sketch_pictures import CLASSES, SketchPicture, make_pictures
from workbench.evaluation.statistics import wilson_interval
from workbench.sketch.curves import Array
from workbench.sketch.parser import parse_image
from workbench.sketch.strokes import ordered_steps, to_pixels

WAYS = ("with_clean", "without_clean")
"""Whether the parser also gets the picture without the drawing."""
GENTLE_RAD = np.radians(20)
MISSED_PX = 1e6
"""Stands for the distance of a keypoint whose stroke was not found."""


@dataclass(frozen=True, eq=False)
class Score:
    """How one sketch was read."""

    distances: Array
    """Pixels, one a keypoint; :data:`MISSED_PX` where its stroke was not found."""
    num_extra: int
    """Strokes read that nobody drew."""
    is_order_right: bool


def run(*, episodes: int = 300, seed: int = FIRST_SEED, workers: int = 1, progress: Progress) -> dict[str, Any]:
    """Run the campaign ``sketch-parsing``: one cell a class of sketches, successes are sketches whose order was read right.

    The pictures follow from one seed, so they are made and read in this process, whatever ``workers`` says.
    """
    progress(f"Drawing and reading {episodes} sketches")
    measured = measure(episodes, seed)
    cells = []
    for way in WAYS:
        for group, figures in measured[way].items():
            n = figures["sketches"]
            right = round(figures["order_right"] * n)
            low, high = wilson_interval(right, n)
            cell = {"policy": "parser", "task": group, "prompt": way, "edits": "", "n": n, "success": right, "low": low, "high": high}
            cells.append(cell | {k: v for k, v in figures.items() if k not in ("sketches", "order_right")})
    return {"name": "sketch-parsing", "seed": seed, "cells": cells}


def measure(n: int = 300, seed: int = FIRST_SEED) -> dict[str, Any]:
    """Read ``n`` rendered random sketches, with and without the clean picture, and compare with the truth.

    Returns:
        JSON values: for ``with_clean`` and ``without_clean`` the figures over all sketches and by class. A keypoint is the tail,
        the head or a way point of an arrow, or the centre of a circle. A way point with a bend of 20 degrees or more is
        compared with the nearest way point that was read; for gentler ones, as along an arc, three places along the arrow are
        compared with the nearest places of the line that was read.
    """
    scores: dict[str, list[tuple[SketchPicture, Score]]] = {way: [] for way in WAYS}
    for picture in make_pictures(n, seed):
        for name, clean in zip(WAYS, (picture.clean, None), strict=True):
            scores[name].append((picture, score_reading(picture.truth, parse_image(picture.drawn, clean))))
    result: dict[str, Any] = {"name": "sketch-parsing", "n": n, "seed": seed}
    for name, pairs in scores.items():
        groups = {"all": pairs} | {k: [p for p in pairs if p[0].kind == k] for k in CLASSES}
        groups |= {b: [p for p in pairs if p[0].background == b] for b in ("scene", "procedural")}
        groups["geometric"] = [p for p in pairs if p[0].truth.strokes[0].is_geometric]
        groups["loose"] = [p for p in pairs if not p[0].truth.strokes[0].is_geometric]
        result[name] = {k: _summary([s for _, s in group]) for k, group in groups.items() if group}
    return result


def _summary(scores: Sequence[Score]) -> dict[str, Any]:
    distances = np.concatenate([s.distances for s in scores])
    found = distances[distances < MISSED_PX]
    return {
        "sketches": len(scores),
        "keypoints": len(distances),
        "mean_px": round(float(found.mean()), 2) if len(found) else None,
        "p95_px": round(float(np.percentile(found, 95)), 2) if len(found) else None,
        "max_px": round(float(found.max()), 2) if len(found) else None,
        "within_50_px": round(float((distances <= 50).mean()), 4),
        "missed_keypoints": int((distances >= MISSED_PX).sum()),
        "extra_strokes": sum(s.num_extra for s in scores),
        "order_right": round(float(np.mean([s.is_order_right for s in scores])), 4),
    }


def score_reading(truth: Sketch, read: Sketch) -> Score:
    """Compare a sketch that was read from a picture with the one that was drawn; both on frames of one size."""
    distances: list[float] = []
    num_extra = 0
    keys = {(s.colour, s.kind) for s in (*truth.strokes, *read.strokes)}
    for colour, kind in sorted(keys):
        wanted = [s for s in truth.strokes if (s.colour, s.kind) == (colour, kind)]
        found = [s for s in read.strokes if (s.colour, s.kind) == (colour, kind)]
        num_extra += max(0, len(found) - len(wanted))
        costs = np.array([[float(np.mean(keypoint_distances(a, b, truth))) for b in found] for a in wanted]).reshape(
            len(wanted), len(found)
        )
        pairs = dict(zip(*(indices.tolist() for indices in linear_sum_assignment(costs)), strict=True))
        for i, stroke in enumerate(wanted):
            if i in pairs:
                distances += keypoint_distances(stroke, found[pairs[i]], truth)
            else:
                distances += [MISSED_PX] * len(keypoint_distances(stroke, stroke, truth))
    return Score(np.array(distances), num_extra, _step_shapes(truth) == _step_shapes(read))


def _step_shapes(sketch: Sketch) -> list[tuple[int, tuple[str, ...], bool]]:
    """Return number, symbols and kind of every step in its order; steps of one number have no order in a picture."""
    steps = ordered_steps(sketch)
    return sorted((s.number, tuple(x.kind.value for x in s.strokes), s.is_rotation) for s in steps)


def keypoint_distances(truth: Stroke, read: Stroke, frame: Sketch) -> list[float]:
    """Return the distance [px] of every keypoint of a drawn stroke to its place in the stroke that was read."""
    a, b = (to_pixels(s.points, frame.width, frame.height) for s in (truth, read))
    if truth.kind is StrokeKind.CIRCLE:
        return [float(np.linalg.norm(a[0] - b[0]))]
    line = resample(b, 400)
    distances = [float(np.linalg.norm(a[0] - b[0])), float(np.linalg.norm(a[-1] - b[-1]))]
    arms = np.diff(a, axis=0)
    bends = np.abs(np.arctan2(arms[:-1, 0] * arms[1:, 1] - arms[:-1, 1] * arms[1:, 0], (arms[:-1] * arms[1:]).sum(axis=1)))
    corners = a[1:-1][bends >= GENTLE_RAD]
    distances += [float(np.linalg.norm(b - p, axis=1).min()) for p in corners]
    if len(corners) < len(bends):
        between = resample(a, 5)[1:-1]
        distances += [float(np.linalg.norm(line - p, axis=1).min()) for p in between]
    return distances
