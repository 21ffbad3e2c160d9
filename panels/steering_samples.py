"""Stored steps seen again: observations, what the policy was told, and labels, for whatever is fitted on a policy's inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from panels.reading import drawn
from sessions.records import EpisodeInfo, EpisodeQuery
from sessions.replay import MakeSimulator, standing
from sessions.store import Store
from workbench.core.errors import InvalidInput, NotStored
from workbench.core.events import Outcome
from workbench.core.types import CameraRequest, Observation, Prompt
from workbench.evaluation.steering_labels import label_now
from workbench.rollout.branching import standing_at
from workbench.simulation.simulator import BenchSimulator

LABELS: Final = {
    "height": ("m", False, "height of the hand above the table"),
    "x": ("m", False, "how far the hand is away from the robot"),
    "y": ("m", False, "how far the hand is to the left, seen from the robot"),
    "speed": ("m/s", False, "speed of the hand"),
    "gripper": ("", True, "whether the gripper is open"),
    "distance": ("m", False, "distance of the hand to the thing that the task is about"),
    "contact": ("", True, "whether the gripper touches that thing"),
    "success": ("", True, "whether the episode was solved"),
}
"""Name -> unit, whether it is yes or no, in words: what a probe can be fitted to."""
OPEN_ABOVE: Final = 0.5


@dataclass(frozen=True, eq=False)
class Sample:
    """One stored step, as a policy would see it again."""

    group: int
    """Which episode of the list."""
    step: int
    observation: Observation
    prompt: Prompt
    labels: dict[str, float]


def read_samples(
    store: Store,
    episode_ids: Sequence[str],
    make_simulator: MakeSimulator,
    cameras: tuple[CameraRequest, ...],
    *,
    limit: int,
    report: Callable[[float], None],
) -> list[Sample]:
    """Return up to ``limit`` steps, spread evenly over some episodes; makes and closes simulators in this thread.

    Raises:
        InvalidInput: no episode was chosen, or none has steps.
        NotStored: there is no such episode.
    """
    infos = [info for info in (store.episode(id) for id in episode_ids) if info.num_steps > 0]
    if not infos:
        raise InvalidInput("episodes", expected="at least one with steps", found="none", fix="Run the robot for a while, or choose others.")
    each = max(1, limit // len(infos))
    samples: list[Sample] = []
    for group, info in enumerate(infos):
        steps = sorted({int(s) for s in np.linspace(0, info.num_steps - 1, min(each, info.num_steps))})
        for sample in _of_episode(store, info, group, steps, make_simulator=make_simulator, cameras=cameras):
            samples.append(sample)
            report(len(samples) / (each * len(infos)))
    return samples


def labels_of(samples: Sequence[Sample], name: str) -> tuple[list[Sample], NDArray[np.float64]]:
    """Return the samples that have a label, and the labels ``(n,)``."""
    kept = [s for s in samples if name in s.labels]
    return kept, np.array([s.labels[name] for s in kept])


def newest_episodes(store: Store, count: int, *, policy: str = "") -> list[str]:
    """Return the ids of the newest stored episodes that have steps."""
    page = store.episodes(EpisodeQuery(policy=policy or None, limit=4 * count))
    return [info.id for info in page.episodes if info.num_steps > 0][:count]


def _of_episode(
    store: Store,
    info: EpisodeInfo,
    group: int,
    steps: Sequence[int],
    *,
    make_simulator: MakeSimulator,
    cameras: tuple[CameraRequest, ...],
) -> Iterator[Sample]:
    events, columns = store.events(info.id), store.columns(info.id)
    speeds = _speeds(columns.ee, columns.times_s)
    known = {"success": float(info.outcome is Outcome.SUCCESS)} if info.outcome is not Outcome.RUNNING else {}
    with standing(info.config, make_simulator) as simulator:
        for step in steps:
            try:
                state = store.state_at(info.id, step)
            except NotStored:  # the newest half second may not be on disk yet
                continue
            simulator.restore(state)
            seen = replace(drawn(simulator.observe(cameras)), step=step)
            place = seen.part("ee_position")
            labels = {"height": float(place[2]), "x": float(place[0]), "y": float(place[1]), **known}
            if isinstance(simulator, BenchSimulator):
                now = label_now(simulator)
                labels |= {"distance": now["distance"], "contact": now["contact"]}
            labels["gripper"] = float(seen.part("gripper")[0] > OPEN_ABOVE)
            if step < len(speeds) and np.isfinite(speeds[step]):
                labels["speed"] = float(speeds[step])
            prompt = standing_at(events, step, instruction=info.instruction, policy=info.policy).prompt
            yield Sample(group, step, seen, prompt, labels)


def _speeds(ee: NDArray[np.float64], times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the speed at each step but the last ``(N - 1,)`` [m/s]."""
    if len(ee) < 2:
        return np.zeros(0)
    speeds: NDArray[np.float64] = np.linalg.norm(np.diff(ee, axis=0), axis=1) / np.maximum(np.diff(times_s), 1e-6)
    return speeds
