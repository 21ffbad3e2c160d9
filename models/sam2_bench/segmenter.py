"""The bench SAM 2 as the workbench uses it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch

from models.sam2_bench.clicks import Points
from models.sam2_bench.heads import guess_mask
from models.sam2_bench.weights import find_weights, load_network, read_about
from models.sam2_segmenter import Sam2Segmenter
from workbench.core.protocols import SegmenterSpec

NAME: Final = "sam2-bench"


def load_segmenter(path: Path | None = None) -> Sam2Segmenter:
    """Load a file of weights, by default those that come with the project.

    Raises:
        NotStored: there are none.
        InvalidInput: the file is damaged.
    """
    path = path or find_weights()
    network = load_network(path).to("cuda" if torch.cuda.is_available() else "cpu")
    about = f"SAM 2 in small, trained on this bench's pictures, {network.image_size} px: for live work without a GPU"
    spec = SegmenterSpec(NAME, about, tracks_by=read_about(path).get("tracks_by", "association"))
    return Sam2Segmenter(network, spec, lambda fine, places, labels, before: guess_mask(fine, Points(places, labels), before))
