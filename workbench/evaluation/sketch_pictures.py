"""Random sketches over random pictures, for measuring how imported sketches are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import mujoco
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from workbench.core.polylines import resample
from workbench.core.sketches import STEP_COLOURS, Point, Sketch, Stroke, StrokeKind
from workbench.core.types import CameraRequest
from workbench.simulation.build import build_model
from workbench.simulation.cameras import SceneRenderer
from workbench.simulation.scene import COLOURS, Prop, PropKind, Scene
from workbench.sketch.colours import through_jpeg, to_lab
from workbench.sketch.raster import draw_sketch

SIZE_PX: Final = 480
WIDTHS_PX: Final = (3.0, 5.0, 8.0)
CLASSES: Final = ("move", "pick", "rotate", "mixed")
SKETCHES_PER_SCENE: Final = 3
MIN_SPACING_PX: Final = 34.0
"""Between tails, heads and centres of different symbols."""

UNSEEN: Final = 20.0
"""Colours nearer than this (weighted Lab) cannot be told apart at a line's width."""
MIN_HEAD_SPACE_PX: Final = 26.0
"""Between the tip of an arrow and the line of any other symbol."""

_KINDS: Final = tuple(kind for kind in PropKind if kind not in (PropKind.BALL, PropKind.CYLINDER, PropKind.CORNER))
"""Kinds of things in a scene: published figures are of these, whatever kinds are added later."""

Image8 = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class SketchPicture:
    """One trial."""

    kind: str
    """One of :data:`CLASSES`: what its steps are."""
    background: str
    """``scene`` (MuJoCo) or ``procedural``."""
    truth: Sketch
    clean: Image8
    """``(480, 480, 3)`` without the drawing."""
    drawn: Image8
    """``(480, 480, 3)`` with it."""
    is_compressed: bool
    """True when the drawn picture went through JPEG."""


def make_pictures(n: int, seed: int) -> Iterator[SketchPicture]:
    """Yield ``n`` random trials; classes, styles, widths and backgrounds take turns."""
    rng = np.random.default_rng(seed)
    scene_pictures: list[Image8] = []
    for i in range(n):
        is_scene = i % 3 != 2
        if is_scene and not scene_pictures:
            scene_pictures = render_scene(rng)
        clean = scene_pictures.pop() if is_scene else procedural_background(rng)
        kind = CLASSES[i % len(CLASSES)]
        truth = random_sketch(rng, kind, clean, is_geometric=bool(rng.random() < 0.5), width_px=WIDTHS_PX[int(rng.integers(3))])
        drawn = draw_sketch(clean, truth, rng)
        is_compressed = bool(rng.random() < 0.5)
        if is_compressed:
            drawn = through_jpeg(drawn, int(rng.integers(75, 96)))
        yield SketchPicture(kind, "scene" if is_scene else "procedural", truth, clean, drawn, is_compressed)


def random_sketch(rng: np.random.Generator, kind: str, clean: Image8, *, is_geometric: bool, width_px: float) -> Sketch:
    """Return one to four steps in the colours of the steps, drawn in a random order.

    "move": an arrow, or two; "pick": a circle, or two; "rotate": a circle and an arrow about it; "mixed": any of these. Symbols
    lie anywhere, also over objects of other symbols' colours and beside ones of their own, but where a person could see them:
    ends and tips apart, tips not drawn over, and at most a tenth of a line on pixels that have its very colour.
    """
    in_clean = to_lab(clean)  # (H, W, 3)
    strokes: list[Stroke] = []
    taken: list[np.ndarray] = []
    for step in range(int(rng.integers(1, 5))):
        step_kind = kind if kind != "mixed" else CLASSES[int(rng.integers(3))]
        for _ in range(200):
            symbols = _random_symbols(rng, step_kind)
            places = [np.array(p) * SIZE_PX for s in symbols for p in (s.points[0], s.points[-1])[: 1 + (s.kind is StrokeKind.ARROW)]]
            if not all(_is_visible(s, in_clean, STEP_COLOURS[step]) for s in symbols):
                continue
            is_spaced = all(np.linalg.norm(p - q) >= MIN_SPACING_PX for p in places for q in taken)
            if is_spaced and _heads_are_clear([*strokes, *symbols]):
                break
        else:
            continue
        taken += places
        for i, s in enumerate(symbols):
            name = f"{step}-{i}"
            strokes.append(replace(s, id=name, colour=STEP_COLOURS[step], width_px=width_px, is_geometric=is_geometric))
    order = rng.permutation(len(strokes))
    return Sketch("truth", "front", SIZE_PX, SIZE_PX, tuple(strokes[i] for i in order))


def _is_visible(stroke: Stroke, in_clean: NDArray[np.float64], colour: tuple[int, int, int]) -> bool:
    """Tell whether a stroke of that colour would show on a picture ``(H, W, 3)`` (weighted Lab): its ends, and nearly all else."""
    line = resample(np.array(stroke.points), 100)
    if stroke.kind is StrokeKind.CIRCLE:
        turn = np.linspace(0, 2 * np.pi, 100)
        line = line[0] + np.linalg.norm(line[-1] - line[0]) * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    u, v = np.clip(line * SIZE_PX, 0, SIZE_PX - 1).astype(int).T
    is_lost = np.linalg.norm(in_clean[v, u] - to_lab(np.array(colour)), axis=-1) < UNSEEN
    ends = is_lost[[0, -1]] if stroke.kind is StrokeKind.ARROW else is_lost[:0]
    return bool(is_lost.mean() <= 0.1 and not ends.any())


def _heads_are_clear(strokes: list[Stroke]) -> bool:
    """Tell whether no line runs over the tip of an arrow: nobody draws over a head, and its direction could not be seen."""
    for arrow in (s for s in strokes if s.kind is StrokeKind.ARROW):
        for other in (s for s in strokes if s is not arrow):
            line = np.array(other.points)
            if other.kind is StrokeKind.CIRCLE:
                turn = np.linspace(0, 2 * np.pi, 60)
                line = line[0] + np.linalg.norm(line[1] - line[0]) * np.stack([np.cos(turn), np.sin(turn)], axis=1)
            distances = np.linalg.norm(resample(line, 100) - arrow.points[-1], axis=1)
            if distances.min() * SIZE_PX < MIN_HEAD_SPACE_PX:
                return False
    return True


def _random_symbols(rng: np.random.Generator, kind: str) -> list[Stroke]:
    if kind == "rotate":
        return _random_rotation(rng)
    make = _random_arrow if kind == "move" else _random_circle
    first = make(rng)
    if rng.random() > 0.25:
        return [first]
    for _ in range(50):
        second = make(rng)
        if min(_clearance(first, second), _clearance(second, first)) > 45 + 60 * (kind == "pick"):
            return [first, second]
    return [first]


def _clearance(a: Stroke, b: Stroke) -> float:
    """Return how far [px] ends and corners of one stroke keep from the line of the other.

    Lines of one colour may cross; a head or corner of one on the other could be read in two ways by a person, too.
    """
    line = resample(np.array(b.points), 100)
    return float(np.linalg.norm(line[:, None] - np.array(a.points)[None], axis=-1).min() * SIZE_PX)


def _random_arrow(rng: np.random.Generator) -> Stroke:
    while True:
        points = rng.uniform(0.06, 0.94, (int(rng.integers(2, 6)), 2))
        legs = np.diff(points, axis=0)
        lengths = np.linalg.norm(legs, axis=1)
        bends = (legs[1:] * legs[:-1]).sum(axis=1) / (lengths[1:] * lengths[:-1])
        if lengths.min() > 0.15 and bends.min(initial=1.0) > -0.5:
            return Stroke("", StrokeKind.ARROW, _points(points))


def _random_circle(rng: np.random.Generator) -> Stroke:
    radius = rng.uniform(0.03, 0.1)
    x, y = rng.uniform(0.02 + radius, 0.98 - radius, 2)
    return Stroke("", StrokeKind.CIRCLE, ((float(x), float(y)), (float(x + radius), float(y))))


def _random_rotation(rng: np.random.Generator) -> list[Stroke]:
    radius = rng.uniform(0.035, 0.07)
    around = radius * rng.uniform(1.6, 2.1)
    x, y = rng.uniform(0.03 + around, 0.97 - around, 2)
    sweep = np.radians(rng.uniform(50, 260)) * rng.choice([-1, 1])
    turn = rng.uniform(0, 2 * np.pi) + np.linspace(0, sweep, 2 + int(abs(sweep) / 0.25))
    arc = np.stack([x + around * np.cos(turn), y + around * np.sin(turn)], axis=1)
    circle = Stroke("", StrokeKind.CIRCLE, ((float(x), float(y)), (float(x + radius), float(y))))
    return [circle, Stroke("", StrokeKind.ARROW, _points(arc))]


def _points(points: np.ndarray) -> tuple[Point, ...]:
    return tuple((float(x), float(y)) for x, y in points)


def render_scene(rng: np.random.Generator) -> list[Image8]:
    """Return pictures ``(480, 480, 3)`` of one random MuJoCo scene; half of its things have exactly a symbol's colour."""
    props = []
    for i in range(int(rng.integers(4, 10))):
        x, y, yaw = rng.uniform(0.28, 0.72), rng.uniform(-0.35, 0.35), rng.uniform(-np.pi, np.pi)
        kind, colour = _KINDS[int(rng.integers(len(_KINDS)))], str(rng.choice(list(COLOURS)))
        props.append(Prop(kind, f"prop{i}", colour, float(x), float(y), float(yaw), scale=float(rng.uniform(0.7, 1.3))))
    table = 0.6 * rng.uniform(0.2, 0.9) + 0.4 * rng.uniform(0.2, 0.9, 3)
    look = {"table": tuple(table.tolist()), "light": float(rng.uniform(0.5, 1.5))}
    model = build_model(Scene(tuple(props), look=look))
    for prop in props[::2]:
        symbol = np.array(STEP_COLOURS[int(rng.integers(len(STEP_COLOURS)))]) / 255
        geoms = [g for g in range(model.ngeom) if model.geom(g).name.startswith(f"{prop.name}/")]
        model.geom_rgba[geoms, :3] = symbol
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    renderer = SceneRenderer(model)
    try:
        cameras = ("front", "top", "front")[:SKETCHES_PER_SCENE]
        qualities = ("live", "policy", "still")
        return [renderer.rgb(data, CameraRequest(c, SIZE_PX, SIZE_PX), q) for c, q in zip(cameras, qualities, strict=True)]  # type: ignore[arg-type]
    finally:
        renderer.close()


def procedural_background(rng: np.random.Generator) -> Image8:
    """Return a picture ``(480, 480, 3)`` of soft texture with flat discs, boxes and bars, some exactly in symbol colours."""
    base = rng.uniform(40, 215, 3)
    field = np.stack([ndimage.gaussian_filter(rng.normal(size=(SIZE_PX, SIZE_PX)), 24) for _ in range(3)], axis=-1)
    texture = base + 14 * field / field.std() + rng.normal(scale=3, size=field.shape)
    picture = Image.fromarray(np.clip(texture, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for i in range(int(rng.integers(4, 11))):
        is_symbol = i % 2 == 0
        colour = STEP_COLOURS[int(rng.integers(len(STEP_COLOURS)))] if is_symbol else tuple(rng.integers(0, 256, 3).tolist())
        x, y = rng.uniform(20, SIZE_PX - 20, 2)
        half = rng.uniform(13, 40)
        shape = int(rng.integers(3))
        if shape == 0:
            pen.ellipse((x - half, y - half, x + half, y + half), fill=colour)
        else:
            wide = half * (1 if shape == 1 else rng.uniform(1.5, 2.5))
            turn = rng.uniform(0, np.pi)
            corners = np.array([[-wide, -half], [wide, -half], [wide, half], [-wide, half]])
            spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
            pen.polygon([tuple(p) for p in (corners @ spin.T + (x, y)).tolist()], fill=colour)
    return np.asarray(picture, dtype=np.uint8)
