"""Rotations, poses and the pinhole camera, in the conventions of :mod:`workbench.core`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core.errors import InvalidShape

Array = NDArray[np.float64]


def quat_multiply(a: ArrayLike, b: ArrayLike) -> Array:
    """Return the quaternion product ``a * b``, both ``(4,)`` wxyz."""
    # Plain numbers: NumPy's own scalars are several times slower, and the bits are the same.
    aw, ax, ay, az = np.asarray(a, dtype=float).tolist()
    bw, bx, by, bz = np.asarray(b, dtype=float).tolist()
    return np.array(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ]
    )


def quat_conjugate(q: ArrayLike) -> Array:
    """Return the inverse of the unit quaternion ``q`` ``(4,)`` wxyz."""
    w, x, y, z = np.asarray(q, dtype=float).tolist()
    return np.array([w, -x, -y, -z])


def quat_from_rotvec(rotvec: ArrayLike) -> Array:
    """Return the unit quaternion ``(4,)`` wxyz of a rotation vector ``(3,)`` [rad]."""
    v = np.asarray(rotvec, dtype=float)
    angle = float(np.linalg.norm(v))
    half = 0.5 * angle
    scale = 0.5 if angle < 1e-12 else np.sin(half) / angle
    return np.concatenate([[np.cos(half)], scale * v])


def rotvec_from_quat(q: ArrayLike) -> Array:
    """Return the shortest rotation vector ``(3,)`` [rad] of a unit quaternion ``(4,)`` wxyz."""
    w, *xyz = np.asarray(q, dtype=float).tolist()
    v = np.array(xyz)
    if w < 0:
        w, v = -w, -v
    norm = float(np.linalg.norm(v))
    if norm < 1e-12:
        return 2.0 * v
    return v * (2.0 * np.arctan2(norm, w) / norm)


def matrix_from_quat(q: ArrayLike) -> Array:
    """Return the ``(3, 3)`` rotation matrix of a unit quaternion ``(4,)`` wxyz."""
    w, x, y, z = np.asarray(q, dtype=float).tolist()
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def quat_from_matrix(R: ArrayLike) -> Array:
    """Return the unit quaternion ``(4,)`` wxyz, w >= 0, of a ``(3, 3)`` rotation matrix."""
    m = np.asarray(R, dtype=float)
    # The largest of the four candidates keeps the division well conditioned.
    candidates = np.array([m.trace(), m[0, 0], m[1, 1], m[2, 2]])
    i = int(np.argmax(candidates))
    if i == 0:
        q = np.array([1 + m.trace(), m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]])
    else:
        a = i - 1
        b, c = (a + 1) % 3, (a + 2) % 3
        q = np.empty(4)
        q[0] = m[c, b] - m[b, c]
        q[1 + a] = 1 + m[a, a] - m[b, b] - m[c, c]
        q[1 + b] = m[b, a] + m[a, b]
        q[1 + c] = m[c, a] + m[a, c]
    q = q / np.linalg.norm(q)
    return q if q[0] >= 0 else -q


def shortened(vector: Array, longest: float) -> Array:
    """Return a vector ``(N,)``, or one along it of the length ``longest`` where it is longer."""
    length = float(np.linalg.norm(vector))
    return vector if length <= longest else vector * (longest / length)


def wrap_angle(angle: float) -> float:
    """Return ``angle`` [rad] folded into [-pi, pi)."""
    return float((angle + np.pi) % (2 * np.pi) - np.pi)


def signed_angle(a: ArrayLike, b: ArrayLike) -> float:
    """Return the signed angle [rad] in (-pi, pi] that turns the plane vector ``a`` ``(2,)`` into ``b`` ``(2,)``.

    Counter-clockwise is positive when the axes are right-handed. RoVI's published cost uses arccos, which loses the sign
    and stops at 180 degrees; atan2 of cross and dot keeps both (Source: arXiv:2505.00693, section on the policy).
    """
    ax, ay = np.asarray(a, dtype=float)
    bx, by = np.asarray(b, dtype=float)
    return float(np.arctan2(ax * by - ay * bx, ax * bx + ay * by))


@dataclass(frozen=True, eq=False)
class Pinhole:
    """One camera at one moment: intrinsics of a frame size, and where the camera stands in the world."""

    name: str
    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    T_world_camera: Array
    """``(4, 4)``: camera (OpenCV axes) to world."""

    def project(self, points_world: ArrayLike) -> tuple[Array, Array]:
        """Project world points ``(N, 3)`` [m] to pixels ``(N, 2)`` and depths ``(N,)`` [m]; depth <= 0 lies behind the camera."""
        points = np.atleast_2d(np.asarray(points_world, dtype=float))
        if points.shape[-1] != 3:
            raise InvalidShape("points to project", expected=("N", 3), found=points.shape)
        R, t = self.T_world_camera[:3, :3], self.T_world_camera[:3, 3]
        local = (points - t) @ R  # (N, 3), camera frame
        depth = local[:, 2]
        safe = np.where(np.abs(depth) < 1e-9, 1e-9, depth)
        pixels = np.stack([self.fx * local[:, 0] / safe + self.cx, self.fy * local[:, 1] / safe + self.cy], axis=1)
        return pixels, depth

    def unproject(self, pixels: ArrayLike, depth: ArrayLike) -> Array:
        """Return world points ``(N, 3)`` [m] of pixels ``(N, 2)`` at metric z-depths ``(N,)`` [m]."""
        uv = np.atleast_2d(np.asarray(pixels, dtype=float))
        z = np.broadcast_to(np.asarray(depth, dtype=float), uv.shape[:1])
        local = np.stack([(uv[:, 0] - self.cx) / self.fx * z, (uv[:, 1] - self.cy) / self.fy * z, z], axis=1)
        return local @ self.T_world_camera[:3, :3].T + self.T_world_camera[:3, 3]

    def unproject_cells(self, depth: ArrayLike, *, row: int = 0, column: int = 0) -> Array:
        """Return the world points ``(h, w, 3)`` [m] at the middles of a block of cells, whose first is at ``row`` and ``column``.

        Args:
            depth: ``(h, w)`` metric z-depths [m]; what is NaN stays NaN.
            row: of the first cell.
            column: of the first cell.
        """
        z = np.asarray(depth, dtype=float)
        v, u = np.mgrid[row : row + z.shape[0], column : column + z.shape[1]]
        return self.unproject(np.stack([u + 0.5, v + 0.5], axis=-1).reshape(-1, 2), z.ravel()).reshape(*z.shape, 3)

    def ray(self, pixel: ArrayLike) -> tuple[Array, Array]:
        """Return origin ``(3,)`` and unit direction ``(3,)`` in the world of the ray through ``pixel`` ``(2,)``."""
        origin = self.T_world_camera[:3, 3]
        direction = self.unproject(np.asarray(pixel, dtype=float), [1.0])[0] - origin
        return origin, direction / np.linalg.norm(direction)

    def resized(self, width: int, height: int) -> Pinhole:
        """Return the same camera for another frame size."""
        sx, sy = width / self.width, height / self.height
        return Pinhole(self.name, width, height, self.fx * sx, self.fy * sy, self.cx * sx, self.cy * sy, self.T_world_camera)
