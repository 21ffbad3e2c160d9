"""The campaign ``actionvos``: does the filter keep the things that an action is about, and drop the others?

Source: ActionVOS (Ouyang et al., ECCV 2024, arXiv:2407.07402), whose figures these are. There hands act in kitchens, here the scripted
expert acts among distractors; which things an action is about is known from the task.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from workbench.core.masks import MaskPrompt, Picture
from workbench.core.types import CameraRequest, EpisodeConfig, Prompt
from workbench.evaluation.campaign import FIRST_SEED, Progress
from workbench.evaluation.statistics import wilson_interval
from workbench.segmentation.action_scores import ActionScores
from workbench.segmentation.active import Activity, active_objects, over_sequence
from workbench.segmentation.association import AssociationTracker
from workbench.segmentation.classical import ClassicalSegmenter
from workbench.segmentation.masks import Pixels, box_of, inner_point
from workbench.simulation.expert import ScriptedExpert
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.world import GRIPPER

TASKS: Final = ("place_on_plate", "place_in_bowl", "stack", "push_to_zone", "press_button")
MASKS: Final = ("truth", "classical")
"""Where masks come from: the simulator, or region growing followed from one click each."""
WAYS: Final = ("action prompt", "words alone", "no words", "no filter")
"""What is kept: by all three signs, by the words alone, by contact and the gripper's box alone, or everything."""
_CAMERA: Final = CameraRequest("front", 160, 160)
_EVERY: Final = 5
"""Control steps from one frame that counts to the next."""
_MAX_STEPS: Final = 240
_NUM_DISTRACTORS: Final = 3
_MIN_AREA: Final = 24
"""A thing of which less is seen on the first frame is not asked about [px]."""


@dataclass(eq=False)
class Sequence:
    """What was seen of one episode."""

    instruction: str
    names: Mapping[str, str]
    """Thing -> what it is called."""
    active: frozenset[str]
    """The things that the task is about."""
    truth: list[dict[str, Pixels]] = field(default_factory=list)
    tracked: list[dict[str, Pixels]] = field(default_factory=list)
    signs: list[dict[str, Activity]] = field(default_factory=list)


def run(*, episodes: int = 50, seed: int = FIRST_SEED, workers: int = 1, progress: Progress) -> dict[str, Any]:
    """Run the campaign: one cell for each source of masks and each way to filter them; episodes run in this process.

    ``success`` counts things, in each episode, that were told rightly for active or not.
    """
    sequences = []
    for number in range(episodes):
        sequences.append(watch(TASKS[number % len(TASKS)], seed + number))
        progress(f"{number + 1} of {episodes} episodes watched")
    return {"name": "actionvos", "seed": seed, "cells": [_cell(sequences, masks, way) for masks in MASKS for way in WAYS]}


def watch(task: str, seed: int) -> Sequence:
    """Watch the expert solve a task among distractors."""
    simulator = BenchSimulator()
    try:
        options = {"distractors": {"num": _NUM_DISTRACTORS, "seed": seed}}
        simulator.reset(EpisodeConfig(task, seed, options=options))
        instance = simulator.instance
        names = {p.name: p.label for p in instance.scene.props}
        seen = Sequence(instance.instruction, names, frozenset(instance.roles.values()) & set(names))
        expert, rng = ScriptedExpert(simulator), np.random.default_rng(seed)
        expert.reset(rng)
        tracker = AssociationTracker(ClassicalSegmenter())
        for step in range(_MAX_STEPS):
            if step % _EVERY == 0:
                _look(simulator, seen, tracker)
            if simulator.task.is_success(simulator.world, instance):
                break
            observation = simulator.observe(expert.spec.cameras)
            simulator.step(expert.act(observation, Prompt(seen.instruction), rng).actions[0])
    finally:
        simulator.close()
    return seen


def _look(simulator: BenchSimulator, seen: Sequence, tracker: AssociationTracker) -> None:
    """Note masks and signs of one frame; only things that are seen on the first one are asked about."""
    ids, known = simulator.object_ids(_CAMERA)
    asked = seen.truth[0] if seen.truth else seen.names
    truth = {name: ids == known.index(name) for name in asked}
    picture = Picture(np.ascontiguousarray(simulator.observe([_CAMERA]).images[_CAMERA.name]))
    if not seen.truth:
        truth = {name: mask for name, mask in truth.items() if mask.sum() >= _MIN_AREA}
        tracker.start(picture)
        found = {}
        for name, mask in truth.items():
            point = inner_point(mask)
            assert point is not None, "the thing is seen"
            found[name] = tracker.prompt(name, MaskPrompt((point,), (1,)))
    else:
        found = dict(tracker.track(picture))
    empty = np.zeros(ids.shape, bool)
    seen.tracked.append({name: found[name].pixels if name in found else empty for name in truth})
    touched = frozenset(name for name in truth if simulator.world.is_touching(name, GRIPPER))
    box = box_of(ids == known.index(GRIPPER))
    seen.signs.append(active_objects(seen.instruction, truth, {n: seen.names[n] for n in truth}, gripper_box=box, touched=touched))
    seen.truth.append(truth)


def _cell(sequences: list[Sequence], masks: str, way: str) -> dict[str, Any]:
    scores, right, count = ActionScores(), 0, 0
    for seen in sequences:
        kept = kept_things(seen, way)
        for truth, tracked in zip(seen.truth, seen.tracked, strict=True):
            for name, mask in truth.items():
                given = mask if masks == "truth" else tracked[name]
                scores.add(given if name in kept else np.zeros_like(mask), mask, is_positive=name in seen.active)
        right += sum((name in kept) == (name in seen.active) for name in seen.truth[0])
        count += len(seen.truth[0])
    low, high = wilson_interval(right, count)
    cell = {
        "policy": "expert",
        "task": f"{masks} masks",
        "prompt": way,
        "edits": "",
        "n": count,
        "success": right,
        "low": low,
        "high": high,
    }
    return cell | {name: round(value, 4) for name, value in scores.to_dict().items()}


def kept_things(seen: Sequence, way: str) -> frozenset[str]:
    """Return the things that one of :data:`WAYS` keeps over an episode; one sign on any frame counts for all of them."""
    if way == "no filter":
        return frozenset(seen.truth[0])
    whole = over_sequence(seen.signs)
    if way == "words alone":
        whole = {name: replace(signs, is_touched=False, is_in_box=False) for name, signs in whole.items()}
    elif way == "no words":
        whole = {name: replace(signs, is_named=False) for name, signs in whole.items()}
    return frozenset(name for name, signs in whole.items() if signs.is_active)
