"""A path of the end-effector in the world, as a person edits it: points, openings, times; from a trace on a picture and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core.errors import InvalidInput, InvalidShape, TooLarge, Unreachable
from workbench.core.geometry import Pinhole
from workbench.core.polylines import arc_lengths, points_at
from workbench.core.types import Trace
from workbench.trajectory.lift import DepthPicture, lift_pixel

MAX_POINTS: Final = 10_000
DEFAULT_SPEED: Final = 0.25
"""Speed on parts of a path that say none [m/s]."""
DRAWN_CLEARANCE_M: Final = 0.03
"""Height over the surface at which a path runs that was drawn without depths."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SpacePath:
    """An ordered path of the end-effector in the world.

    Openings are those wanted at each point and on the way to the next; where the opening changes, the gripper arrives, changes, and goes on.

    Raises:
        InvalidShape: the arrays do not fit together, or there is no point.
        InvalidInput: a number is not finite, an opening is not 0..1, or times do not go on.
        TooLarge: more than :data:`MAX_POINTS` points.
    """

    positions: Floats
    """``(N, 3)`` in the world [m]."""
    gripper: Floats | None = None
    """``(N,)`` opening 0..1."""
    times_s: Floats | None = None
    """``(N,)``, growing, from when the path is begun [s]."""

    def __post_init__(self) -> None:
        positions = np.array(self.positions, dtype=float)
        if positions.ndim != 2 or positions.shape[1] != 3 or len(positions) < 1:
            raise InvalidShape("path", expected=("N >= 1", 3), found=positions.shape)
        if len(positions) > MAX_POINTS:
            raise TooLarge("path", limit=f"{MAX_POINTS} points", found=str(len(positions)), fix="Smooth it first.")
        object.__setattr__(self, "positions", _finite("path", positions))
        if self.gripper is not None:
            gripper = self._per_point("gripper of a path", self.gripper)
            if ((gripper < 0) | (gripper > 1)).any():
                raise InvalidInput("gripper of a path", expected="openings from 0 to 1", found=f"{gripper.min():g} to {gripper.max():g}")
            object.__setattr__(self, "gripper", gripper)
        if self.times_s is not None:
            times_s = self._per_point("times of a path", self.times_s)
            if (np.diff(times_s) < 0).any():
                index = int(np.argmax(np.diff(times_s) < 0))
                raise InvalidInput("times of a path", expected="times that go on", found=f"point {index + 2} before point {index + 1}")
            object.__setattr__(self, "times_s", times_s)

    def _per_point(self, what: str, values: ArrayLike) -> Floats:
        array = np.array(values, dtype=float)
        if array.shape != (len(self.positions),):
            raise InvalidShape(what, expected=(len(self.positions),), found=array.shape)
        return _finite(what, array)

    @property
    def num_points(self) -> int:
        """How many points it has."""
        return len(self.positions)

    @cached_property
    def arcs(self) -> Floats:
        """``(N,)`` length of the path up to each point [m]."""
        return arc_lengths(self.positions)

    @property
    def length(self) -> float:
        """Length of the whole path [m]."""
        return float(self.arcs[-1])

    @cached_property
    def events(self) -> tuple[int, ...]:
        """Indices of the points at which the gripper opens or closes; the first point never counts."""
        if self.gripper is None:
            return ()
        is_open = self.gripper > 0.5
        return tuple(int(i) + 1 for i in np.flatnonzero(is_open[1:] != is_open[:-1]))

    def at(self, arcs: ArrayLike) -> Floats:
        """Return the points ``(K, 3)`` at lengths ``(K,)`` [m]."""
        wanted = np.atleast_1d(np.asarray(arcs, dtype=float))
        return points_at(self.positions, self.arcs, wanted)

    def opening_at(self, arcs: ArrayLike) -> Floats:
        """Return the openings ``(K,)`` wanted at lengths ``(K,)`` [m]: those of the last point that was reached; open without any."""
        wanted = np.atleast_1d(np.asarray(arcs, dtype=float))
        if self.gripper is None:
            return np.ones(len(wanted))
        return self.gripper[np.clip(np.searchsorted(self.arcs, wanted + 1e-9, side="right") - 1, 0, self.num_points - 1)]

    def nearest_arc(self, position: ArrayLike, *, start: float = 0.0, stop: float = np.inf) -> float:
        """Return the length [m] of the point of the path between two lengths that is nearest to ``position`` ``(3,)``."""
        low, high = max(0.0, start), min(self.length, stop)
        inner = self.arcs[(self.arcs > low) & (self.arcs < high)]
        arcs = np.concatenate([[low], inner, [max(low, high)]])
        points, target = self.at(arcs), np.asarray(position, dtype=float)
        steps = np.diff(points, axis=0)
        lengths2 = (steps**2).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = np.where(lengths2 > 0, ((target - points[:-1]) * steps).sum(axis=1) / lengths2, 0.0)
        shares = np.clip(shares, 0.0, 1.0)
        gaps = np.linalg.norm(points[:-1] + shares[:, None] * steps - target, axis=1)
        if not len(gaps):
            return float(low)
        best = int(np.argmin(gaps))
        return float(arcs[best] + shares[best] * (arcs[best + 1] - arcs[best]))


def _finite(what: str, array: Floats) -> Floats:
    is_bad = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
    if is_bad.any():
        index = int(np.argmax(is_bad))
        raise InvalidInput(what, expected="finite numbers", found=f"{array[index].tolist()} at point {index + 1}")
    array.setflags(write=False)
    return array


# --- Sampling ------------------------------------------------------------------------------------------------------------------------


def cut_path(path: SpacePath, arcs: ArrayLike) -> SpacePath:
    """Return a path with exactly the points at lengths ``(K,)`` [m], growing; openings are kept, times interpolated."""
    wanted = np.asarray(arcs, dtype=float)
    gripper = None if path.gripper is None else path.opening_at(wanted)
    times_s = None if path.times_s is None else np.interp(wanted, path.arcs, path.times_s)
    return SpacePath(path.at(wanted), gripper, times_s)


def sample_arcs(path: SpacePath, spacing_m: float) -> Floats:
    """Return lengths ``(K,)`` [m] at most ``spacing_m`` apart that hold every point of the path."""
    parts = [np.zeros(1)]
    for start, stop in zip(path.arcs[:-1], path.arcs[1:], strict=True):
        num = max(1, int(np.ceil((stop - start) / spacing_m - 1e-9)))
        parts.append(start + (stop - start) * np.arange(1, num + 1) / num)
    return np.concatenate(parts)


# --- Speeds --------------------------------------------------------------------------------------------------------------------------


def speeds_of(path: SpacePath) -> Floats:
    """Return the speed ``(N,)`` [m/s] on the way to each point, the first one's that of the second; NaN without times or where it stays."""
    if path.times_s is None or path.num_points < 2:
        return np.full(path.num_points, np.nan)
    steps, lasts = np.diff(path.arcs), np.diff(path.times_s)
    with np.errstate(invalid="ignore", divide="ignore"):
        speeds = np.where((steps > 0) & (lasts > 0), steps / lasts, np.nan)
    return np.concatenate([speeds[:1], speeds])


def with_speeds(path: SpacePath, speeds: ArrayLike | None) -> SpacePath:
    """Return the path timed by the speed ``(N,)`` or one number [m/s] on the way to each point; NaN means the usual speed, None no times.

    Raises:
        InvalidInput: a speed is not above 0.
    """
    if speeds is None:
        return replace(path, times_s=None)
    wanted = np.broadcast_to(np.asarray(speeds, dtype=float), (path.num_points,))
    wanted = np.where(np.isnan(wanted), DEFAULT_SPEED, wanted)
    if not (np.isfinite(wanted).all() and (wanted > 0).all()):
        raise InvalidInput("speed along the path", expected="above 0 m/s", found=f"{float(np.min(wanted)):g} m/s")
    return replace(path, times_s=np.concatenate([[0.0], np.cumsum(np.diff(path.arcs) / wanted[1:])]))


# --- Pictures ------------------------------------------------------------------------------------------------------------------------


def lift_trace(trace: Trace, pinhole: Pinhole, picture: DepthPicture | None = None, *, clearance_m: float = DRAWN_CLEARANCE_M) -> SpacePath:
    """Return a trace as a path in the world.

    Args:
        trace: what was drawn; its own depths are used where it has them.
        pinhole: of the trace's camera, any frame size.
        picture: depth of that camera, any size, for a trace without depths: the path runs ``clearance_m`` over what is seen there.
        clearance_m: see ``picture``; at gripper events the path goes down to the surface.

    Raises:
        InvalidInput: the trace is on another camera, has no point, a number is not finite, or it has neither depths nor a picture of them.
        TooLarge: more than :data:`MAX_POINTS` points.
        Unreachable: a point lies outside of the picture, behind the camera, or where no depth was measured.
    """
    points, gripper = _checked_trace(trace, pinhole)
    times_s = None if trace.times_s is None else np.asarray(trace.times_s, dtype=float)
    camera = pinhole.resized(trace.width, trace.height)
    if trace.depths_m is not None:
        depths = np.asarray(trace.depths_m, dtype=float)
        if not (np.isfinite(depths).all() and (depths > 0).all()):
            raise InvalidInput("depths of the trace", expected="above 0 m", found=f"{depths.min():g} m")
        return SpacePath(camera.unproject(points, depths), gripper, times_s)
    if picture is None:
        raise InvalidInput(
            "trace", expected="depths, or a camera that measures them", found="neither", fix="Set the heights of its points."
        )
    scale = np.array([picture.pinhole.width / trace.width, picture.pinhole.height / trace.height])
    positions = np.array([lift_pixel(picture, pixel, "centre") for pixel in points * scale]).reshape(-1, 3)
    events = SpacePath(positions, gripper).events
    is_event = np.isin(np.arange(len(positions)), events)
    positions[:, 2] += np.where(is_event, 0.0, clearance_m)
    return SpacePath(positions, gripper, times_s)


def project_path(path: SpacePath, pinhole: Pinhole, *, source: str = "human", parent_id: str | None = None) -> Trace:
    """Return a path as a trace on a camera's picture, with depths.

    Raises:
        Unreachable: a point of it lies outside of the picture or behind the camera.
    """
    pixels, depths = pinhole.project(path.positions)
    is_seen = (depths > 0) & (pixels >= -1e-6).all(axis=1) & (pixels <= np.array([pinhole.width, pinhole.height]) + 1e-6).all(axis=1)
    if not is_seen.all():
        index = int(np.argmin(is_seen))
        raise Unreachable(
            f"point {index + 1} of the path",
            reason=f"it lies outside of the picture of the camera {pinhole.name!r}",
            fix="Move it, or use another camera.",
        )
    return Trace(
        pinhole.name,
        pinhole.width,
        pinhole.height,
        tuple((float(u), float(v)) for u, v in pixels),
        times_s=_numbers(path.times_s),
        depths_m=_numbers(depths),
        gripper=_numbers(path.gripper),
        source=source,
        parent_id=parent_id,
    )


def _numbers(values: Sequence[float] | Floats | None) -> tuple[float, ...] | None:
    return None if values is None else tuple(float(v) for v in values)


def _checked_trace(trace: Trace, pinhole: Pinhole) -> tuple[Floats, Floats | None]:
    """Return pixels ``(N, 2)`` and openings ``(N,)`` of a trace; errors as :func:`lift_trace`."""
    if trace.camera != pinhole.name:
        raise InvalidInput("trace", expected=f"one on the camera {pinhole.name!r}", found=f"one on {trace.camera!r}")
    if not trace.points:
        raise InvalidInput("trace", expected="at least one point", found="none")
    if len(trace.points) > MAX_POINTS:
        raise TooLarge("trace", limit=f"{MAX_POINTS} points", found=str(len(trace.points)))
    points = _finite("trace", np.array(trace.points, dtype=float).reshape(-1, 2))
    is_out = (points < -1e-6).any(axis=1) | (points > np.array([trace.width, trace.height]) + 1e-6).any(axis=1)
    if is_out.any():
        index = int(np.argmax(is_out))
        u, v = points[index]
        raise Unreachable(
            f"point {index + 1} of the trace ({u:.0f}, {v:.0f})",
            reason=f"the picture is {trace.width}x{trace.height}",
            fix="Draw inside of the picture.",
        )
    return points, None if trace.gripper is None else np.asarray(trace.gripper, dtype=float)
