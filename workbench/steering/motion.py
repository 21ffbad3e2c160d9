"""What steering did to a path of the end-effector: speed, height, displacement, smoothness; also at equal length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput, InvalidShape

Path = NDArray[np.floating]
"""``(T, 3)`` positions of the end-effector, one a control step [m]."""


def step_displacement(path: Path, axis: int | None = None) -> float:
    """Return the mean length of a step [m]; along one axis, its mean signed displacement.

    Source: the metric of Häon et al. 2025; compare paths of equal length only, see :func:`truncated`.
    """
    steps = np.diff(_checked(path), axis=0)
    return float(steps[:, axis].mean()) if axis is not None else float(np.linalg.norm(steps, axis=1).mean())


def truncated(paths: Sequence[Path], at_most: int | None = None) -> list[Path]:
    """Cut paths to the length of the shortest one, so that none is slow only because it waited at its end.

    Raises:
        InvalidInput: there are no paths.
    """
    if not paths:
        raise InvalidInput("paths", expected="at least one", found="none")
    length = min(min(len(p) for p in paths), at_most or len(paths[0]))
    return [p[:length] for p in paths]


def mean_height(path: Path) -> float:
    """Return the mean height [m]."""
    return float(_checked(path)[:, 2].mean())


def jerk(path: Path, rate_hz: float) -> float:
    """Return the root mean square of the third derivative [m/s^3]: 0 is perfectly smooth; NaN below four points."""
    if len(_checked(path)) < 4:
        return float("nan")
    third = np.diff(path, n=3, axis=0) * rate_hz**3
    return float(np.sqrt((third**2).sum(axis=1).mean()))


def _checked(path: Path) -> Path:
    if path.ndim != 2 or path.shape[1] != 3 or len(path) < 2:
        raise InvalidShape("path", expected=("T >= 2", 3), found=path.shape)
    return path
