"""Imported sketches: from a picture with strokes in the step colours to the same vectors that the page makes.

Classical image processing on the symbols, never on the objects of the scene, as in VIEW (arXiv:2505.00693, section 4), whose
keypoint detector is a trained network.
"""

from __future__ import annotations

import io
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from scipy import ndimage

from workbench.core.errors import InvalidInput, InvalidShape, TooLarge
from workbench.core.events import new_id
from workbench.core.polylines import path_length, resample, simplify
from workbench.core.sketches import STEP_COLOURS, Sketch, Stroke, StrokeKind
from workbench.sketch.colours import Layers, find_layers
from workbench.sketch.curves import Array, Circle, fit_circle
from workbench.sketch.heads import PictureHead, look_for_head
from workbench.sketch.plausible import Traits, plausible, traits_of
from workbench.sketch.recognise import recognise
from workbench.sketch.rings import MIN_RADIUS_PX, band, find_circles, find_hidden_circle, is_on_circle, rim_of
from workbench.sketch.skeleton import Mask
from workbench.sketch.strokes import MAX_FRAME_PX, MAX_STROKES, to_fractions
from workbench.sketch.tracing import End, Ink, join_hidden, long_curves, measure_ink

MAX_PIXELS: Final = 24_000_000
WORK_PX: Final = 720
"""Larger pictures are read at this height."""
MIN_ARROW_PX: Final = 24.0
HAND_PX: Final = 1.0
"""How far off its circle a hand draws, on a frame of 480."""
MIN_HEAD_WEIGHT: Final = 1.5
"""Pixels beside the shaft that make a head, for each of its half width, on a frame of 480."""
WAY_POINT_SHARE: Final = 0.012


def decode_image(data: bytes) -> NDArray[np.uint8]:
    """Return an uploaded picture as ``(H, W, 3) uint8`` RGB; transparency is laid over white.

    Raises:
        TooLarge: more than 24 million pixels.
        InvalidInput: not a picture, or a damaged one.
    """
    fix = "Save it as PNG or JPEG."
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP", "BMP", "GIF")) as opened:
            width, height = opened.size
            _check_size(width, height)
            picture = opened.convert("RGBA")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InvalidInput("imported picture", expected="a PNG, JPEG, WebP, BMP or GIF file", found="none", fix=fix) from error
    white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
    return np.asarray(Image.alpha_composite(white, picture).convert("RGB"), dtype=np.uint8)


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS or max(width, height) > MAX_FRAME_PX:
        limit = f"{MAX_PIXELS // 10**6} million pixels and {MAX_FRAME_PX} a side"
        raise TooLarge("imported picture", limit=limit, found=f"{width} x {height}", fix="Make it smaller.")


def parse_image(image: NDArray[np.uint8], clean: NDArray[np.uint8] | None = None, *, camera: str = "front") -> Sketch:
    """Read the arrows and circles in a picture.

    Args:
        image: ``(H, W, 3) uint8`` RGB with strokes in the colours of ``STEP_COLOURS``.
        clean: the same picture without the drawing, when there is one: objects that have symbol colours are then told apart for
            sure. Without it they are told apart by their shape: strokes are thin, arrows have heads, circles are round.
        camera: name of the camera, for the sketch.

    Returns:
        Vectors in 0..1 of the picture; strokes in the order of the steps.

    Raises:
        InvalidShape: not such an array.
        TooLarge: more than 24 million pixels.
    """
    for picture in (image, clean):
        if picture is not None and (picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or 0 in picture.shape):
            raise InvalidShape("picture of a sketch", expected=("H", "W", 3), found=picture.shape, dtype="uint8")
    height, width = image.shape[:2]
    _check_size(width, height)
    if height > WORK_PX and min(height, width) > 480:
        size = (max(1, round(width * WORK_PX / height)), WORK_PX)
        image = _resized(image, size)
        clean = None if clean is None else _resized(clean, size)
    layers = find_layers(image, clean)
    symbols = [symbol for index in sorted(layers.masks) for symbol in _read_colour(index, layers, image)]
    drawn = plausible([s.traits for s in symbols], layers.has_clean)
    symbols = [s for s, is_drawn in zip(symbols, drawn, strict=True) if is_drawn]
    zoom = height / image.shape[0]
    strokes = [s.stroke(f"imported-{i + 1}", image.shape[1], image.shape[0], zoom) for i, s in enumerate(symbols[:MAX_STROKES])]
    return Sketch(new_id(), camera, width, height, tuple(strokes))


class Symbol(NamedTuple):
    """One symbol in the pixels of the picture."""

    kind: StrokeKind
    points: Array
    """``(N, 2)``: as in :class:`workbench.core.sketches.Stroke`."""
    place: int
    """Which step colour."""
    line_px: float
    traits: Traits

    def stroke(self, name: str, width: int, height: int, zoom: float) -> Stroke:
        """Return the symbol as a stroke of a ``width`` x ``height`` frame; the line is ``zoom`` times as wide in the original."""
        line_px = float(np.clip(self.line_px * zoom, 0.5, 64))
        return Stroke(name, self.kind, to_fractions(self.points, width, height), STEP_COLOURS[self.place], width_px=line_px)


def _resized(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def _read_colour(index: int, layers: Layers, image: NDArray[np.uint8]) -> list[Symbol]:
    mask = layers.masks[index]
    height, width = mask.shape
    ink = measure_ink(mask, min(height, width) / 480)
    hidden = ndimage.binary_dilation((layers.ink & ~mask) | ink.blobs, iterations=2) | layers.hidden[index]
    circles = find_circles(ink, hidden)
    thin_line = np.argwhere(ink.skeleton)[:, ::-1].astype(np.float64) + 0.5
    lines = [(StrokeKind.CIRCLE, _centre_and_rim(c), thin_line[is_on_circle(thin_line, c, ink)]) for c in circles]
    lines += [(f.kind, f.points, f.line) for f in _find_arrows(ink, hidden, circles, layers.has_clean)]
    others = np.any([m for key, m in layers.masks.items() if key != index], axis=0) if len(layers.masks) > 1 else np.zeros_like(mask)
    symbols: list[Symbol] = []
    for kind, points, line in lines:
        anchors = points[:1] if kind is StrokeKind.CIRCLE else points
        inside = np.clip(anchors, 0, (width, height))
        if np.abs(inside - anchors).max() <= 0.05 * min(width, height):
            points = np.vstack([inside, points[len(inside) :]])
            symbols.append(Symbol(kind, points, index, 2 * ink.half_width, traits_of(line, ink, others, image, index)))
    return symbols


class FoundLine(NamedTuple):
    """An arrow, or a circle that only its line as a whole shows, and the line of pixels that it was read from."""

    kind: StrokeKind
    points: Array
    """``(N, 2)`` [px]: tail, way points, head; or centre and rim."""
    line: Array
    """``(M, 2)`` [px]."""


def _find_arrows(ink: Ink, hidden: Mask, circles: list[Circle], has_clean: bool) -> list[FoundLine]:
    """Return the arrows of one colour, and circles of which too much is hidden for :func:`find_circles`."""
    under_others = hidden
    skeleton, hidden = _without_circles(ink, hidden, circles)
    curves = [c for c in long_curves(skeleton, ink, hidden) if not _is_rest_of_circle(c, circles, ink)]
    curves = _longest_first(_with_one_head(_longest_first(curves), circles, ink, under_others))
    arrows: list[FoundLine] = []
    heads: list[Array] = []
    for i, curve in enumerate(curves):
        length = path_length(curve)
        if length < MIN_ARROW_PX * ink.scale:
            break
        if heads and _share_near(resample(curve, 24), np.vstack(heads), ink.half_width + 1.5) > 0.5:
            continue
        ends = _ends(i, curves, circles, ink, hidden)
        is_forward = ends[1].weight >= ends[0].weight
        head = ends[int(is_forward)]
        if head.weight < MIN_HEAD_WEIGHT * ink.half_width * ink.scale:
            ring = _as_ring(curve, _drawn(_rivals(i, curves), circles, ink), ink, hidden)
            if ring is not None:
                arrows.append(FoundLine(StrokeKind.CIRCLE, _centre_and_rim(ring), curve))
                continue
            if not has_clean:
                continue
        arrows.append(FoundLine(StrokeKind.ARROW, _arrow(curve if is_forward else curve[::-1], head, ink), curve))
        heads.append(head.pixels)
    return arrows


def _longest_first(curves: list[Array]) -> list[Array]:
    return sorted(curves, key=path_length, reverse=True)


def _ends(i: int, curves: list[Array], circles: list[Circle], ink: Ink, hidden: Mask) -> list[PictureHead]:
    """Return what lies at both ends of one of the curves, which are sorted by length."""
    others = _drawn(_rivals(i, curves), circles, ink)
    return [look_for_head(curves[i], is_last, ink, others, hidden) for is_last in (False, True)]


def _rivals(i: int, curves: list[Array]) -> list[Array]:
    """Return the other curves, sorted by length, that are too long to be the head or another piece of that one."""
    return curves[:i] + [c for c in curves[i + 1 :] if path_length(c) > 0.6 * path_length(curves[i])]


def _with_one_head(curves: list[Array], circles: list[Circle], ink: Ink, hidden: Mask) -> list[Array]:
    """Join curves without a head to what they go on in, unseen: every arrow has one head."""
    num_long = sum(path_length(c) >= MIN_ARROW_PX * ink.scale for c in curves)
    least = MIN_HEAD_WEIGHT * ink.half_width * ink.scale
    weights = [[end.weight for end in _ends(i, curves, circles, ink, hidden)] for i in range(num_long)]
    has_head = [max(both) >= least for both in weights]
    if num_long < 2 or all(has_head):
        return curves

    def is_open(a: End, b: End) -> bool:
        is_head = [has_head[e.curve] and weights[e.curve][e.is_last] > weights[e.curve][not e.is_last] for e in (a, b)]
        return not any(is_head) and not (has_head[a.curve] and has_head[b.curve])

    # The ends of what is hidden in part point beside the way.
    about = ndimage.binary_dilation(hidden, iterations=max(1, round(ink.half_width)))
    return join_hidden(curves[:num_long], is_open, ink, about) + curves[num_long:]


def _centre_and_rim(circle: Circle) -> Array:
    return np.stack([circle.centre, circle.centre + np.array([circle.radius, 0.0])])


def _as_ring(curve: Array, others: Mask, ink: Ink, hidden: Mask) -> Circle | None:
    """Return the circle that a curve without a head is part of, when it is closed by hand or the rest of it is hidden."""
    height, width = hidden.shape
    circle = fit_circle(resample(curve, 64))
    if circle is None or circle.radius < MIN_RADIUS_PX * ink.scale:
        return None
    if recognise(to_fractions(curve, width, height), width, height).kind is StrokeKind.CIRCLE:
        return circle
    circle = find_hidden_circle(np.argwhere(ink.skeleton & ~others)[:, ::-1].astype(np.float64) + 0.5, ink, hidden)
    if circle is None or circle.residual > 0.05 * circle.radius + HAND_PX * ink.scale:
        return None
    return circle if is_on_circle(curve, circle, ink).mean() > 0.8 else None


def _arrow(curve: Array, head: PictureHead, ink: Ink) -> Array:
    """Return tail, way points and tip of a curve that runs from its tail to its head."""
    curve = _into_blob(curve, ink)
    # The line may end before the tip, or run on into a corner of the head.
    size = float(np.linalg.norm(head.pixels - head.tip, axis=1).max()) if len(head.pixels) else 0.0
    outside = np.linalg.norm(curve - head.tip, axis=1) > 0.6 * size
    shaft = curve[: int(np.nonzero(outside)[0].max(initial=0)) + 1]
    whole = np.vstack([shaft, head.tip])
    tolerance = max(WAY_POINT_SHARE * path_length(whole), 0.8 * ink.half_width, 2.0 * ink.scale)
    return simplify(whole, tolerance)


def _into_blob(curve: Array, ink: Ink) -> Array:
    """Lengthen a curve whose tail ends at an object of its own colour to the place nearest to the object's middle."""
    if not ink.blobs.any():
        return curve
    labels, count = ndimage.label(ink.blobs)
    u, v = curve[0]
    rows, columns = np.nonzero(ink.blobs)
    distances = np.hypot(columns + 0.5 - u, rows + 0.5 - v)
    nearest = int(np.argmin(distances))
    if count == 0 or distances[nearest] > ink.half_width + 5 * ink.scale:
        return curve
    row, column = ndimage.center_of_mass(labels == labels[rows[nearest], columns[nearest]])
    dense = resample(curve, 128)
    step = path_length(curve) / 127
    back = dense[0] - dense[min(127, max(2, int(20 * ink.scale / max(step, 1e-9))))]
    back = back / max(float(np.linalg.norm(back)), 1e-9)
    reach = float((np.array([column + 0.5, row + 0.5]) - curve[0]) @ back)
    return np.vstack([curve[0] + reach * back, curve]) if reach > 0 else curve


def _without_circles(ink: Ink, hidden: Mask, circles: list[Circle]) -> tuple[Mask, Mask]:
    """Return the skeleton without the pixels of circles, and where curves may be hidden now."""
    skeleton, hidden = ink.skeleton.copy(), hidden.copy()
    rows, columns = np.nonzero(skeleton)
    points = np.stack([columns, rows], axis=1).astype(np.float64) + 0.5
    height, width = skeleton.shape
    v, u = np.mgrid[0:height, 0:width] + 0.5
    for circle in circles:
        gone = is_on_circle(points, circle, ink)
        skeleton[rows[gone], columns[gone]] = False
        distance = np.hypot(u - circle.centre[0], v - circle.centre[1])
        hidden |= np.abs(distance - circle.radius) <= band(circle, ink) + 2
    # A long piece beside a circle is its rest, and not to be joined to an arrow; a short one may be the start of an arrow.
    labels, count = ndimage.label(skeleton, structure=np.ones((3, 3)))
    for label in range(1, count + 1) if circles else ():
        piece = np.argwhere(labels == label)[:, ::-1].astype(np.float64) + 0.5
        if any(len(piece) > 0.5 * c.radius and _is_beside(piece, len(piece), c, ink) for c in circles):
            skeleton[labels == label] = False
    return skeleton, hidden


def _is_rest_of_circle(curve: Array, circles: list[Circle], ink: Ink) -> bool:
    """Tell whether a short curve is what is left of a circle that was drawn over its start."""
    return any(_is_beside(curve, path_length(curve), circle, ink) for circle in circles)


def _is_beside(points: Array, length: float, circle: Circle, ink: Ink) -> bool:
    """Tell whether points ``(N, 2)`` of a line of that length [px] all lie beside a circle, of which it is a small part."""
    distances = np.linalg.norm(points - circle.centre, axis=1)
    return bool((np.abs(distances - circle.radius) <= 0.35 * circle.radius + ink.half_width).all()) and length < 1.1 * circle.radius


def _share_near(points: Array, pixels: Array, radius: float) -> float:
    """Return the share of points ``(N, 2)`` that lie near any of the pixels ``(M, 2)``."""
    if not len(pixels):
        return 0.0
    return float((np.linalg.norm(points[:, None] - pixels[None], axis=-1).min(axis=1) <= radius).mean())


def _drawn(curves: list[Array], circles: list[Circle], ink: Ink) -> Mask:
    """Return the pixels that other curves and the circles of this colour cover."""
    height, width = ink.mask.shape
    lines = np.ones((height, width), dtype=bool)
    for curve in curves:
        dense = resample(curve, max(2, int(2 * path_length(curve))))
        u, v = np.clip(dense[:, 0].astype(int), 0, width - 1), np.clip(dense[:, 1].astype(int), 0, height - 1)
        lines[v, u] = False
    for circle in circles:
        rim = rim_of(circle)
        inside = ((rim >= 0) & (rim < (width, height))).all(axis=1)
        lines[rim[inside, 1].astype(int), rim[inside, 0].astype(int)] = False
    if lines.all():
        return ~lines
    return np.asarray(ndimage.distance_transform_edt(lines) <= ink.half_width + 1.0)
