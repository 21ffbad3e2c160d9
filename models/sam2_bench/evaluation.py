"""What a segmenter is measured by: prompts in held-out scenes, and episodes in which the arm gets in the way."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.sam2_bench.clicks import bounding_box, correct, deepest
from models.sam2_bench.studio import Studio
from models.training_order import Progress
from workbench.core.masks import MaskPrompt, Picture
from workbench.core.protocols import Segmenter, Tracker
from workbench.core.types import ActionChunk, CameraRequest, EpisodeConfig, Prompt
from workbench.simulation.controllers import WORKSPACE_HIGH, WORKSPACE_LOW
from workbench.simulation.expert import ScriptedExpert
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.tasks import TASKS

Pixels = NDArray[np.bool_]

FIRST_SEED: Final = 1_000_000
"""Of everything that is measured; training has seeds below."""
MIN_AREA: Final = 64
"""Smallest visible mask that is asked for, a thousandth of the picture [px]."""
NUM_CORRECTIONS: Final = 3
_STILLS: Final = 3
_PROMPTS_A_STILL: Final = 2
_TASKS: Final = ("place_on_plate", "stack", "place_in_bowl", "push_to_zone")
_SIDE: Final = 256
_STAGE_SIDE: Final = 480
_STRIDE_M: Final = 0.02
_SEEN_AREA: Final = 16
"""A thing of which less is visible counts as not seen [px]."""


@dataclass(frozen=True, eq=False)
class Question:
    """One thing on one picture."""

    picture: Picture
    mask: Pixels
    thing: str


def draw_questions(count: int, *, seed: int = FIRST_SEED) -> list[Question]:
    """Draw things of held-out shapes or colours in held-out scenes, at most two a picture."""
    studio = Studio(_SIDE)
    found: list[Question] = []
    try:
        while len(found) < count:
            rng = np.random.default_rng(seed)
            for shot in studio.shoot(seed, num_stills=_STILLS, num_clips=0, is_held_out=True):
                able = [i for i in range(len(shot.names) - 2) if (shot.ids == i + 1).sum() >= MIN_AREA]
                chosen = rng.permutation(able)[:_PROMPTS_A_STILL]
                found += [Question(Picture(shot.rgb), shot.ids == i + 1, shot.names[i]) for i in chosen]
            seed += 1
    finally:
        studio.close()
    return found[:count]


def draw_bench_questions(count: int, *, seed: int = FIRST_SEED) -> list[Question]:
    """Draw the things of this workbench's own tasks as its stage shows them; their shapes and colours are those of training."""
    simulator, camera = BenchSimulator(), CameraRequest("front", _STAGE_SIDE, _STAGE_SIDE)
    found: list[Question] = []
    try:
        for number, task in enumerate(cycle(TASKS)):
            simulator.reset(EpisodeConfig(task.name, seed + number))
            picture = Picture(np.ascontiguousarray(simulator.observe([camera]).images["front"]))
            found += [Question(picture, m, name) for name, m in _masks_of_things(simulator, camera).items() if m.sum() >= MIN_AREA]
            if len(found) >= count:
                break
    finally:
        simulator.close()
    return found[:count]


def measure_prompts(segmenter: Segmenter, questions: list[Question], *, progress: Progress = lambda _: None) -> dict[str, Any]:
    """Return the mean IoU of one click, of a box and after corrections, each with its 95 % interval."""
    figures: dict[str, list[float]] = {"click": [], "best of three": [], "box": [], "corrected": []}
    for number, question in enumerate(questions):
        embedding, truth = segmenter.embed(question.picture), question.mask
        points, labels = [deepest(truth)], [1]
        candidates = segmenter.segment(embedding, MaskPrompt(tuple(map(_floats, points)), (1,)))
        figures["click"].append(iou(candidates[0].pixels, truth))
        figures["best of three"].append(max(iou(c.pixels, truth) for c in candidates))
        left, top, right, bottom = map(float, bounding_box(truth))
        boxed = segmenter.segment(embedding, MaskPrompt(box=(left, top, right + 1, bottom + 1)))
        figures["box"].append(iou(boxed[0].pixels, truth))
        now = candidates[0]
        for _ in range(NUM_CORRECTIONS):
            point, label = correct(truth, now.pixels)
            points, labels = [*points, point], [*labels, label]
            now = segmenter.segment(embedding, MaskPrompt(tuple(map(_floats, points)), tuple(labels), logits=now.logits))[0]
        figures["corrected"].append(iou(now.pixels, truth))
        if (number + 1) % 50 == 0:
            progress(f"{number + 1} of {len(questions)} prompts, one click {np.mean(figures['click']):.3f}")
    return {name: _summary(values) for name, values in figures.items()} | {"n": len(questions)}


def _floats(point: tuple[int, int]) -> tuple[float, float]:
    return float(point[0]), float(point[1])


def _summary(values: list[float]) -> dict[str, float]:
    mean, error = float(np.mean(values)), 1.96 * float(np.std(values)) / np.sqrt(len(values))
    return {"mean": round(mean, 4), "low": round(mean - error, 4), "high": round(mean + error, 4)}


def iou(a: Pixels, b: Pixels) -> float:
    """Return intersection over union of two masks; 1 for two empty ones."""
    union = int((a | b).sum())
    return 1.0 if union == 0 else float((a & b).sum() / union)


def measure_tracking(
    make: Callable[[], Tracker], *, episodes: int, frames: int = 300, progress: Progress = lambda _: None
) -> dict[str, Any]:
    """Track every thing of some episodes from one click each, and return the mean J and what the tracker costs.

    J is the IoU with the truth, mean over frames and things; a frame on which the thing is not seen counts 1 when nothing is claimed,
    else 0.
    """
    scores: list[float] = []
    hidden = total = 0
    seconds: list[float] = []
    for number in range(episodes):
        told = _track_episode(make(), FIRST_SEED + number, _TASKS[number % len(_TASKS)], frames)
        scores += [float(np.mean(values)) for values in told.scores.values()]
        hidden, total, seconds = hidden + told.num_hidden, total + told.num_frames, seconds + told.seconds
        progress(f"{number + 1} of {episodes} episodes tracked, J {np.mean(scores):.3f}")
    return {
        "J": _summary(scores),
        "things": len(scores),
        "episodes": episodes,
        "frames": frames,
        "partly_hidden": round(hidden / total, 3),
        "ms_a_frame": round(1e3 * float(np.median(seconds)), 1),
    }


@dataclass(eq=False)
class _Tracked:
    scores: dict[str, list[float]]
    seconds: list[float]
    num_hidden: int = 0
    num_frames: int = 0


def _track_episode(tracker: Tracker, seed: int, task: str, frames: int) -> _Tracked:
    simulator, camera = BenchSimulator(), CameraRequest("front", _SIDE, _SIDE)
    told = _Tracked({}, [])
    try:
        simulator.reset(EpisodeConfig(task, seed))
        wanderer, full = Wanderer(simulator, seed), {}
        for frame in range(frames):
            picture = Picture(np.ascontiguousarray(simulator.observe([camera]).images["front"]))
            truth = _masks_of_things(simulator, camera)
            begun = time.perf_counter()
            if frame == 0:
                tracker.start(picture)
                full = {name: int(mask.sum()) for name, mask in truth.items() if mask.sum() >= MIN_AREA}
                found = {name: tracker.prompt(name, MaskPrompt((_floats(deepest(truth[name])),), (1,))) for name in full}
            else:
                found = dict(tracker.track(picture))
            told.seconds.append(time.perf_counter() - begun)
            for name, area in full.items():
                mask = truth[name] if truth[name].sum() >= _SEEN_AREA else np.zeros_like(truth[name])
                told.scores.setdefault(name, []).append(iou(found[name].pixels, mask))
                told.num_hidden += int(truth[name].sum() < 0.7 * area)
                told.num_frames += 1
            simulator.step(wanderer.act())
    finally:
        simulator.close()
    return told


def _masks_of_things(simulator: BenchSimulator, camera: CameraRequest) -> dict[str, Pixels]:
    ids, names = simulator.object_ids(camera)
    return {p.name: ids == names.index(p.name) for p in simulator.instance.scene.props}


class Wanderer:
    """Solves the task by the scripted expert, then moves the arm to and fro over the table, in front of everything."""

    def __init__(self, simulator: BenchSimulator, seed: int) -> None:
        self._simulator, self._rng = simulator, np.random.default_rng(seed)
        self._expert = ScriptedExpert(simulator)
        self._expert.reset(self._rng)
        self._goal: NDArray[np.float64] | None = None
        self._is_done = False

    def act(self) -> NDArray[np.float32]:
        """Return the next action ``(7,)``."""
        simulator = self._simulator
        self._is_done = self._is_done or simulator.task.is_success(simulator.world, simulator.instance)
        if not self._is_done:
            chunk: ActionChunk = self._expert.act(
                simulator.observe(self._expert.spec.cameras), Prompt(simulator.instance.instruction), self._rng
            )
            first: NDArray[np.float32] = chunk.actions[0]
            return first
        here = simulator.world.ee_position
        if self._goal is None or np.linalg.norm(self._goal - here) < _STRIDE_M:
            self._goal = self._rng.uniform(np.add(WORKSPACE_LOW, (0.05, 0.05, 0.08)), np.subtract(WORKSPACE_HIGH, (0.05, 0.05, 0.15)))
        way = self._goal - here
        stride = way * min(1.0, _STRIDE_M / max(float(np.linalg.norm(way)), 1e-9))
        return np.array([*stride, 0.0, 0.0, 0.0, 1.0], dtype=np.float32)
