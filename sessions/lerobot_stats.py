"""Statistics of a LeRobotDataset: what normalising a policy's input needs, per episode and over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sessions.lerobot_layout import QUANTILES

Statistics = dict[str, NDArray[np.float64]]
"""``min max mean std`` and quantiles with the shape of the feature, ``count`` with shape ``(1,)``."""

MIN_SAMPLES: Final = 100
MAX_SAMPLES: Final = 10_000
SAMPLE_POWER: Final = 0.75
"""Pictures are looked at in samples: all of up to 100, then the number of frames to this power."""
LARGE_SIDE_PX: Final = 300
TARGET_SIDE_PX: Final = 150
"""Larger pictures are thinned out to about this side before they are counted."""


def statistics_of(values: NDArray[np.generic]) -> Statistics:
    """Return the statistics of one episode's column ``(N,)`` or ``(N, ...)``, over its frames."""
    array = np.asarray(values, dtype=np.float64)
    array = array.reshape(-1, 1) if array.ndim == 1 else array
    quantiles = np.quantile(array, list(QUANTILES.values()), axis=0)
    found: Statistics = {
        "min": array.min(axis=0),
        "max": array.max(axis=0),
        "mean": array.mean(axis=0),
        "std": array.std(axis=0),
        "count": np.array([len(array)], dtype=np.float64),
    }
    return found | dict(zip(QUANTILES, quantiles, strict=True))


def sampled_frames(num_frames: int) -> frozenset[int]:
    """Return which frames of an episode are looked at for the statistics of its pictures."""
    num = max(min(num_frames, MIN_SAMPLES), min(int(num_frames**SAMPLE_POWER), MAX_SAMPLES))
    return frozenset(int(i) for i in np.round(np.linspace(0, num_frames - 1, num)))


class PictureStatistics:
    """Counts the values of each channel of one episode's pictures: exact, in constant memory."""

    def __init__(self) -> None:
        self._counts = np.zeros((3, 256), dtype=np.int64)
        self._num = 0

    def add(self, picture: NDArray[np.uint8]) -> None:
        """Count a picture ``(H, W, 3) uint8``."""
        height, width = picture.shape[:2]
        if max(height, width) >= LARGE_SIDE_PX:
            stride = max(1, (width if width > height else height) // TARGET_SIDE_PX)
            picture = picture[::stride, ::stride]
        for channel in range(3):
            self._counts[channel] += np.bincount(picture[..., channel].ravel(), minlength=256)
        self._num += 1

    def result(self) -> Statistics:
        """Return the statistics of each channel in parts of full brightness, ``(3, 1, 1)``; ``count`` is that of the pictures."""
        levels = np.arange(256) / 255.0
        share = self._counts / self._counts.sum(axis=1, keepdims=True)
        mean = share @ levels
        variance = np.maximum(share @ levels**2 - mean**2, 0.0)
        cumulative = np.cumsum(share, axis=1)
        seen = self._counts > 0
        values = {
            "min": levels[seen.argmax(axis=1)],
            "max": levels[255 - seen[:, ::-1].argmax(axis=1)],
            "mean": mean,
            "std": np.sqrt(variance),
            **{name: levels[(cumulative >= q - 1e-12).argmax(axis=1)] for name, q in QUANTILES.items()},
        }
        found: Statistics = {name: value.reshape(3, 1, 1) for name, value in values.items()}
        found["count"] = np.array([self._num], dtype=np.float64)
        return found


def merged(parts: Sequence[Statistics]) -> Statistics:
    """Return the statistics of several episodes together; quantiles are means weighted by frames, as LeRobot's own are."""
    counts = np.array([part["count"][0] for part in parts], dtype=np.float64)
    weights = counts / counts.sum()

    def mean_of(name: str) -> NDArray[np.float64]:
        stacked: NDArray[np.float64] = np.stack([part[name] for part in parts])
        return np.asarray(np.tensordot(weights, stacked, axes=1), dtype=np.float64)

    mean = mean_of("mean")
    spread = np.stack([part["std"] ** 2 + (part["mean"] - mean) ** 2 for part in parts])
    found: Statistics = {
        "min": np.min([part["min"] for part in parts], axis=0),
        "max": np.max([part["max"] for part in parts], axis=0),
        "mean": mean,
        "std": np.sqrt(np.tensordot(weights, spread, axes=1)),
        "count": np.array([counts.sum()]),
    }
    return found | {name: mean_of(name) for name in QUANTILES}


def as_json(statistics: Statistics) -> dict[str, list[Any]]:
    """Return statistics as lists; counts are whole numbers."""
    return {name: [int(n) for n in values] if name == "count" else values.tolist() for name, values in statistics.items()}
