"""A SAM 2 of the real classes, random and as small as it gets."""

import numpy as np
import torch

from models.sam2_bench.config import Sam2BenchConfig
from models.sam2_bench.network import build_network
from models.sam2_segmenter import Sam2Segmenter
from workbench.core.masks import Picture
from workbench.core.protocols import SegmenterSpec

TINY = Sam2BenchConfig(
    image_side=64, embed_dim=8, blocks=(1, 1, 2, 1), hidden_dim=32, decoder_ffn_dim=32, memory_dim=16, memory_ffn_dim=32, num_memories=3
)


def tiny_segmenter(*, tracks_by="memory"):
    torch.manual_seed(0)
    return Sam2Segmenter(build_network(TINY), SegmenterSpec("tiny", tracks_by=tracks_by))


def noise_picture(seed=0, *, width=80, height=60):
    return Picture(np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8))
