"""The figures of ActionVOS: how well active objects are masked, and how little of the others.

Source: ActionVOS (arXiv:2407.07402) and its published evaluation; per object and frame, with its rules for empty masks.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from workbench.segmentation.masks import Pixels


@dataclass
class ActionScores:
    """Collects objects and frames; the figures are properties. ``n_`` figures should be low."""

    _p: list[float] = field(default_factory=list)
    _n: list[float] = field(default_factory=list)
    _g: list[float] = field(default_factory=list)
    _p_sums: list[int] = field(default_factory=lambda: [0, 0])
    _n_sums: list[int] = field(default_factory=lambda: [0, 0])
    _right: int = 0
    _all: int = 0

    def add(self, predicted: Pixels, truth: Pixels, *, is_positive: bool) -> None:
        """Count one object on one frame.

        Args:
            predicted: ``(H, W) bool``; empty where the object was taken for inactive.
            truth: ``(H, W) bool``, where the object is, active or not.
            is_positive: whether it takes part in the action.
        """
        cut, union = int(np.count_nonzero(predicted & truth)), int(np.count_nonzero(predicted | truth))
        if union > 0:
            ious, sums = (self._p, self._p_sums) if is_positive else (self._n, self._n_sums)
            ious.append(cut / union)
            sums[0] += cut
            sums[1] += union
        self._g.append(_generalised(predicted, truth, cut, union, is_positive))
        self._all += 1
        self._right += bool(predicted.any()) == is_positive

    @property
    def p_miou(self) -> float:
        """Mean IoU of active objects."""
        return _mean(self._p)

    @property
    def n_miou(self) -> float:
        """Mean IoU of inactive objects; low is good."""
        return _mean(self._n)

    @property
    def p_ciou(self) -> float:
        """Sum of intersections over sum of unions of active objects."""
        return _share(self._p_sums)

    @property
    def n_ciou(self) -> float:
        """The same of inactive objects; low is good."""
        return _share(self._n_sums)

    @property
    def g_iou(self) -> float:
        """Generalised IoU over all objects."""
        return _mean(self._g)

    @property
    def accuracy(self) -> float:
        """Share of objects that were told rightly for active or not, by whether any pixel was predicted."""
        return self._right / self._all if self._all else float("nan")

    def to_dict(self) -> dict[str, float]:
        """Return the figures by the paper's names."""
        return {
            "p-mIoU": self.p_miou,
            "n-mIoU": self.n_miou,
            "p-cIoU": self.p_ciou,
            "n-cIoU": self.n_ciou,
            "gIoU": self.g_iou,
            "Acc": self.accuracy,
        }


def _generalised(predicted: Pixels, truth: Pixels, cut: int, union: int, is_positive: bool) -> float:
    """Return the gIoU of one object on one frame.

    Nothing there and nothing predicted is right (1); a mask where the target is absent is wrong (0); an active object counts by its
    IoU; an inactive one is right when nothing was predicted.
    """
    if union == 0:
        return 1.0
    if not is_positive:
        return 0.0 if predicted.any() else 1.0
    return 0.0 if not truth.any() else cut / union


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _share(sums: list[int]) -> float:
    return sums[0] / sums[1] if sums[1] else float("nan")
