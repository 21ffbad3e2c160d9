"""What the action depends on: cover one part of a picture after another and measure how far the action moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput
from workbench.core.types import ActionChunk, Observation

Act = Callable[[Observation], ActionChunk]
"""Makes one policy call; the same observation must give the same action."""
_ACTION_SCALE: Final = np.array([0.03, 0.03, 0.03, 0.12, 0.12, 0.12, 1.0])
"""What one control step at 20 Hz does at most, in each dimension: makes metres, radians and openings comparable."""


def occlusion_map(
    act: Act,
    observation: Observation,
    camera: str,
    *,
    cells: tuple[int, int] = (8, 8),
    dimensions: Sequence[int] = (0, 1, 2),
    progress: Callable[[float], None] | None = None,
) -> NDArray[np.float32]:
    """Return how far the first action moves when each cell is covered by the picture's mean colour, ``(rows, columns) float32``.

    The unit is the largest action of a control step (0.03 m, 0.12 rad, full opening); the value is the length of the difference over the
    chosen dimensions.

    Args:
        act: the policy.
        observation: what it sees.
        camera: whose picture is covered.
        cells: rows and columns of cells.
        dimensions: of the action, indices into dx dy dz droll dpitch dyaw gripper.
        progress: told the share that is done.

    Raises:
        InvalidInput: the observation has no such picture, or it is smaller than the cells.
    """
    if camera not in observation.images:
        raise InvalidInput("camera", expected=f"one of {', '.join(observation.images)}", found=repr(camera))
    image = np.asarray(observation.images[camera])
    rows, columns = cells
    if not (1 <= rows <= image.shape[0] and 1 <= columns <= image.shape[1]):
        raise InvalidInput("cells", expected=f"1 to {image.shape[0]} rows, 1 to {image.shape[1]} columns", found=f"{rows} x {columns}")
    fill = image.reshape(-1, 3).mean(axis=0).round().astype(np.uint8)
    at = list(dimensions)
    base = act(observation).actions[0, at] / _ACTION_SCALE[at]
    found = np.zeros(cells, dtype=np.float32)
    edges_v, edges_u = (np.linspace(0, size, n + 1).round().astype(int) for size, n in zip(image.shape[:2], cells, strict=True))
    for i in range(rows):
        for j in range(columns):
            covered = image.copy()
            covered[edges_v[i] : edges_v[i + 1], edges_u[j] : edges_u[j + 1]] = fill
            moved = act(with_image(observation, camera, covered)).actions[0, at] / _ACTION_SCALE[at]
            found[i, j] = np.linalg.norm(moved - base)
        if progress is not None:
            progress((i + 1) / rows)
    return found


def with_image(observation: Observation, camera: str, image: NDArray[np.uint8]) -> Observation:
    """Return the observation with another picture of one camera ``(H, W, 3) uint8``; the others stay as lazy as they were."""
    return Observation(
        _Replaced(observation.images, camera, image),
        observation.depth,
        observation.cameras,
        observation.proprio,
        observation.step,
        observation.time_s,
    )


class _Replaced(Mapping[str, NDArray[np.uint8]]):
    """A mapping with one entry replaced."""

    def __init__(self, base: Mapping[str, NDArray[np.uint8]], name: str, image: NDArray[np.uint8]) -> None:
        self._base, self._name, self._image = base, name, image

    def __getitem__(self, name: str) -> NDArray[np.uint8]:
        return self._image if name == self._name else self._base[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._base)

    def __len__(self) -> int:
        return len(self._base)
