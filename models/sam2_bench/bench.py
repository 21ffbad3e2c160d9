"""``python app.py bench segmentation``: what our layer costs over the library, how fast tracking is, and that its memory is bounded."""

from __future__ import annotations

import resource
import statistics
import time
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from models.sam2_bench.config import Sam2BenchConfig
from models.sam2_bench.network import build_network
from models.sam2_bench.segmenter import load_segmenter
from models.sam2_segmenter import Sam2Segmenter
from workbench.core.masks import MaskPrompt, Picture
from workbench.core.protocols import SegmenterSpec
from workbench.core.types import CameraRequest, EpisodeConfig
from workbench.simulation.simulator import BenchSimulator

_CLICKS: Final = 60
_TRACKED: Final = 40
_STREAM: Final = 3000
_SMALLEST: Final = Sam2BenchConfig(
    image_side=64, embed_dim=8, blocks=(1, 1, 2, 1), hidden_dim=32, decoder_ffn_dim=32, memory_dim=16, memory_ffn_dim=32
)
"""For the long stream: how much is remembered depends on the number of frames, not on their size."""


def bench_segmentation() -> dict[str, Any]:
    """Measure click to mask through our layer against the library called directly, in turn, after the embedding of a live picture."""
    segmenter, picture = load_segmenter(), _picture()
    ours, theirs = _click(segmenter, picture)
    value, baseline = statistics.median(ours), statistics.median(theirs)
    return {
        "name": "segmentation",
        "value": round(value, 2),
        "unit": "ms from a click to its masks, embedding done",
        "baseline": round(baseline, 2),
        "ratio": round(value / baseline, 3),
        "n": _CLICKS,
        "details": {
            "baseline_is": "SAM2ImagePredictor.predict of the sam2 package on the same weights and picture",
            "embedding_ms": round(_embedding_ms(segmenter, picture), 1),
            "tracking": {f"{n} objects": _tracking(segmenter, picture, n) for n in (1, 3)},
            "stream": measure_stream(_STREAM),
            "threads": torch.get_num_threads(),
        },
    }


def _picture() -> Picture:
    simulator = BenchSimulator()
    try:
        simulator.reset(EpisodeConfig("place_on_plate", 1_000_000))
        return Picture(np.ascontiguousarray(simulator.observe([CameraRequest("front", 640, 480)]).images["front"]))
    finally:
        simulator.close()


def _click(segmenter: Sam2Segmenter, picture: Picture) -> tuple[list[float], list[float]]:
    embedding = segmenter.embed(picture)
    rng = np.random.default_rng(0)
    ours: list[float] = []
    theirs: list[float] = []
    for index in range(_CLICKS + 6):
        point = (float(rng.uniform(0, picture.width)), float(rng.uniform(0, picture.height)))

        def ask_us(point: tuple[float, float] = point) -> None:
            segmenter.segment(embedding, MaskPrompt((point,), (1,)))

        def ask_them(point: tuple[float, float] = point) -> None:
            segmenter.predictor.predict(np.array([point]), np.array([1]), multimask_output=True)

        # Whoever comes second finds everything warm.
        pair = [(ask_us, ours), (ask_them, theirs)]
        for ask, times in pair if index % 2 else pair[::-1]:
            begun = time.perf_counter()
            ask()
            if index >= 6:
                times.append(1e3 * (time.perf_counter() - begun))
    return ours, theirs


def _embedding_ms(segmenter: Sam2Segmenter, picture: Picture) -> float:
    times = []
    for _ in range(10):
        begun = time.perf_counter()
        segmenter.embed(picture)
        times.append(1e3 * (time.perf_counter() - begun))
    return statistics.median(times)


def _tracking(segmenter: Sam2Segmenter, picture: Picture, num_objects: int) -> dict[str, float]:
    """Return how many frames a second each tracker follows."""
    found = {}
    for name, tracker in (("used", segmenter.make_tracker()), ("memory", segmenter.make_memory_tracker())):
        tracker.start(picture)
        for number in range(num_objects):
            at = (200.0 + 90 * number, 300.0)
            tracker.prompt(str(number), MaskPrompt(box=(at[0], at[1], at[0] + 60, at[1] + 60)))
        times = []
        for _ in range(_TRACKED):
            begun = time.perf_counter()
            tracker.track(picture)
            times.append(time.perf_counter() - begun)
        found[f"{name} frames_per_s"] = round(1.0 / statistics.median(times), 1)
    return found


def measure_stream(num_frames: int) -> dict[str, Any]:
    """Track an object over many frames of noise; return what is remembered and how much the process grew meanwhile."""
    segmenter = Sam2Segmenter(build_network(_SMALLEST), SegmenterSpec("smallest", tracks_by="memory"))
    tracker, rng = segmenter.make_memory_tracker(), np.random.default_rng(0)

    def frame() -> Picture:
        pixels: NDArray[np.uint8] = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
        return Picture(pixels)

    tracker.start(frame())
    tracker.prompt("thing", MaskPrompt(box=(10, 10, 40, 40)))
    remembered, sizes = [], []
    for number in range(num_frames):
        tracker.track(frame())
        if number in (num_frames // 10, num_frames - 1):
            remembered.append(tracker.num_remembered)
            sizes.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return {
        "frames": num_frames,
        "remembered_frames_at_a_tenth": remembered[0],
        "remembered_frames_at_the_end": remembered[1],
        "growth_mb": round(sizes[1] - sizes[0], 1),
    }
