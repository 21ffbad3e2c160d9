"""Which tracker by association goes with a segmenter."""

from __future__ import annotations

from typing import Final

from workbench.core.protocols import Segmenter
from workbench.segmentation.association import AssociationTracker
from workbench.segmentation.classical import ClassicalSegmenter

ASSOCIATIONS: Final = ("association", "colour")
"""Of ``SegmenterSpec.tracks_by``: trackers without a learned memory."""


def make_association(segmenter: Segmenter) -> AssociationTracker:
    """Return a tracker of what a segmenter is pointed at, which follows by the segmenter itself or by colour, as its description says."""
    return AssociationTracker(ClassicalSegmenter() if segmenter.spec.tracks_by == "colour" else segmenter, pointed_by=segmenter)
