"""Make the bench VLA's training data: shards of episodes and of static scenes, in turn, by several processes; resumable.

``python -m models.bench_vla.demonstrations --out DIR --episodes N --scenes M --seed S --workers 2``
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import mujoco
import numpy as np
from numpy.typing import NDArray

from models.bench_vla import static_scenes
from models.bench_vla.asks import Ask, is_clear, possible_asks, take_turns
from models.bench_vla.config import CONTROL_HZ
from models.bench_vla.demonstrations_episodes import CAMERAS, WEIGHTS, Moment, Record, draw_manner, play
from models.bench_vla.labels import find_stage, outline_in, path_in, point_in, role_point, solid_points
from models.bench_vla.motion import ProxyWorld, roll_out
from models.bench_vla.shards import EPISODE, INTERACTIONS, STATIC, TASK_NAMES, ShardWriter
from workbench.core.errors import InvalidInput
from workbench.core.geometry import Pinhole
from workbench.core.types import EpisodeConfig
from workbench.simulation.cameras import BenchView
from workbench.simulation.manner import MANNERS, say
from workbench.simulation.scene import TaskInstance
from workbench.simulation.simulator import BenchSimulator

Progress = Callable[[str], None]

EPISODES_A_SHARD: Final = 60
SCENES_A_SHARD: Final = 300
SAMPLES_AN_EPISODE: Final = 25
POSES_A_SCENE: Final = 5
_MAX_ASKS: Final = 6
_MAX_PATHS: Final = 1
"""Asks of a static frame whose path is made: a path costs more than all the rest of an ask."""
_PATH_STEPS: Final = 70
_MIN_PATH: Final = 0.01
"""A path shorter than this is none [m]."""


@dataclass(frozen=True)
class Job:
    """One shard to make; everything in it follows from the seed."""

    folder: Path
    kind: int
    seed: int
    count: int
    """Episodes or scenes."""


class Bench:
    """What a process keeps from shard to shard: a simulator, and one GL context for all pictures."""

    def __init__(self) -> None:
        self.simulator = BenchSimulator()
        self.simulator.reset(EpisodeConfig("touch", 0, control_hz=CONTROL_HZ))
        self._gl = mujoco.GLContext(128, 128)
        self._gl.make_current()

    def open_view(self) -> BenchView:
        """Return a view on the present scene; close it."""
        return BenchView(self.simulator.model, gl=self._gl)


# --- Labels of one ask -------------------------------------------------------------------------------------------------------------


def add_ask(
    writer: ShardWriter, text: str, task: str, instance: TaskInstance, world: ProxyWorld, cameras: tuple[Pinhole, Pinhole], **more: Any
) -> None:
    """Add an ask about the latest frame: where its things are in both pictures, and what else is known of it."""
    stage = find_stage(task, world, instance)
    front, wrist = cameras
    targets, outlines = np.zeros((2, 2, 3), dtype=np.float32), np.full((2, 12, 2), np.nan, dtype=np.float32)
    for role, name in enumerate((stage.target, stage.goal)):
        if name is not None:
            point = role_point(world, name)
            targets[:, role] = point_in(front, point), point_in(wrist, point)
            outlines[role] = outline_in(front, solid_points(world, name))
    path = more.pop("path", None)
    has_path = path is not None and float(np.linalg.norm(np.diff(path[:, :3], axis=0), axis=1).sum()) > _MIN_PATH
    writer.add_ask(
        text,
        ask_task=TASK_NAMES.index(task),
        front_targets=targets[0],
        wrist_targets=targets[1],
        outlines=outlines,
        path=path_in(front, path) if has_path else np.zeros((32, 4)),
        has_path=has_path,
        role_now=stage.role_now,
        interaction=INTERACTIONS.index(stage.interaction),
        **more,
    )


def add_imagined_ask(
    writer: ShardWriter, ask: Ask, world: ProxyWorld, cameras: tuple[Pinhole, Pinhole], rng: np.random.Generator, *, has_path: bool
) -> bool:
    """Add an ask that nobody executed, labelled by the kinematic expert; return False when nothing is left to do or known."""
    manner = draw_manner(rng)
    found = roll_out(ask.task, world, ask.instance, MANNERS[manner], control_hz=CONTROL_HZ, num_path_steps=_PATH_STEPS if has_path else 0)
    if found.is_done or not found.valid[0]:
        return False
    add_ask(
        writer,
        say(ask.instance.instruction, manner, rng),
        ask.task,
        ask.instance,
        world,
        cameras,
        actions=found.actions,
        valid=found.valid,
        turn=found.turn,
        path=found.path if has_path and found.is_finished else None,
        is_detour=False,
        is_ambiguous=ask.is_ambiguous,
        done=False,
    )
    return True


# --- Episodes ----------------------------------------------------------------------------------------------------------------------


def add_episode(writer: ShardWriter, bench: Bench, record: Record, rng: np.random.Generator) -> None:
    """Choose moments of an episode, draw their pictures, and add them with their asks."""
    usable = [m for m in record.moments if record.chunk(m.index) is not None]
    ends = [m for m in usable if m.is_done]
    others = [m for m in usable if not m.is_done]
    num = min(SAMPLES_AN_EPISODE - min(2, len(ends)), len(others))
    chosen = sorted([*_some(others, num, rng), *_some(ends, 2, rng)], key=lambda m: m.index)
    view = bench.open_view()
    try:
        for moment in chosen:
            front, wrist = (view.render(moment.physics, camera, "policy") for camera in CAMERAS)
            writer.add_frame(front=front, wrist=wrist, proprio=moment.proprio, memory=moment.memory, kind=EPISODE)
            _add_own_ask(writer, record, moment, rng)
            if moment.is_free and moment.world.held is None:
                _add_other_asks(writer, record, moment, rng)
    finally:
        view.close()


def _some(moments: list[Moment], count: int, rng: np.random.Generator) -> list[Moment]:
    chosen = rng.permutation(len(moments))[:count]
    return [moments[i] for i in chosen]


def _add_own_ask(writer: ShardWriter, record: Record, moment: Moment, rng: np.random.Generator) -> None:
    chunk = record.chunk(moment.index)
    assert chunk is not None
    add_ask(
        writer,
        say(record.instance.instruction, record.manner, rng),
        record.task,
        record.instance,
        moment.world,
        moment.cameras,
        actions=chunk,
        valid=np.ones(8, dtype=bool),
        turn=record.turns[moment.index],
        path=record.path(moment.index),
        is_detour=moment.is_detour,
        is_ambiguous=record.is_ambiguous,
        done=moment.is_done,
    )


def _add_other_asks(writer: ShardWriter, record: Record, moment: Moment, rng: np.random.Generator) -> None:
    """Add one or two instructions that were not given."""
    now = moment.world.as_start()
    own = set(record.instance.roles.items())
    has_segment = bool(np.any(moment.memory[5:9]))
    num_left = int(rng.integers(1, 3))
    for ask in possible_asks(now, rng):
        is_same = ask.task == record.task and set(ask.instance.roles.items()) <= own
        if is_same or (has_segment and ask.instance.numbers) or not is_clear(ask, now):
            continue
        num_left -= add_imagined_ask(writer, ask, now, moment.cameras, rng, has_path=rng.random() < 0.3)
        if num_left == 0:
            return


def make_episodes(bench: Bench, job: Job) -> ShardWriter:
    """Make the episodes of a shard; those that fail are left out."""
    writer, rng = ShardWriter(), np.random.default_rng(job.seed)
    weights = np.array(list(WEIGHTS.values()))
    for _ in range(job.count):
        task = str(rng.choice(list(WEIGHTS), p=weights / weights.sum()))
        record = play(bench.simulator, task, int(rng.integers(1_000_000)))
        if record is not None:
            add_episode(writer, bench, record, rng)
    return writer


# --- Static scenes -----------------------------------------------------------------------------------------------------------------


def make_scenes(bench: Bench, job: Job) -> ShardWriter:
    """Make the static scenes of a shard."""
    writer, rng = ShardWriter(), np.random.default_rng(job.seed)
    for _ in range(job.count):
        scene = static_scenes.draw_scene(rng)
        static_scenes.start_scene(bench.simulator, scene, job.seed % 1_000_000)
        view, scratch = bench.open_view(), mujoco.MjData(bench.simulator.model)
        try:
            for _ in range(POSES_A_SCENE):
                _add_pose(writer, bench, view, scratch, rng)
        finally:
            view.close()
    return writer


def _add_pose(writer: ShardWriter, bench: Bench, view: BenchView, scratch: mujoco.MjData, rng: np.random.Generator) -> None:
    """Put the arm somewhere, and ask for everything; leaves the frame out when the arm does not get there."""
    simulator = bench.simulator
    before = read_world(simulator)
    pose = static_scenes.draw_pose(rng, before, possible_asks(before, rng))
    if not static_scenes.place_arm(simulator, scratch, pose):
        return
    memory, has_segment = static_scenes.draw_memory(rng, pose)
    world, observation = read_world(simulator), simulator.observe(CAMERAS)
    asks = [a for a in static_scenes.asks_of_pose(rng, world, has_segment=has_segment) if is_clear(a, world)]
    if not asks:
        return
    asks = take_turns(asks, _MAX_ASKS)
    if pose.near is not None and pose.near.key not in {a.key for a in asks} and is_clear(pose.near, world):
        asks = [pose.near, *asks[: _MAX_ASKS - 1]]
    physics = simulator.state().physics
    front, wrist = (view.render(physics, camera, "policy") for camera in CAMERAS)
    writer.add_frame(front=front, wrist=wrist, proprio=observation.proprio, memory=memory, kind=STATIC)
    cameras = (observation.cameras["front"], observation.cameras["wrist"])
    for number, ask in enumerate(asks):
        add_imagined_ask(writer, ask, world, cameras, rng, has_path=number < _MAX_PATHS)


def read_world(simulator: BenchSimulator) -> ProxyWorld:
    """Return the present moment of a simulator as a proxy, as if an episode began."""
    command: NDArray[np.float64] = simulator.state().controller
    return ProxyWorld.of(simulator.world, command[1:4], command[4:8])


# --- All shards --------------------------------------------------------------------------------------------------------------------


def plan(out: Path, *, episodes: int, scenes: int, seed: int) -> list[Job]:
    """Return all shards in the order in which they are made: kinds in turn, so that training can begin on the first."""
    parts = {STATIC: (scenes, SCENES_A_SHARD), EPISODE: (episodes, EPISODES_A_SHARD)}
    waiting = {kind: [min(size, total - i) for i in range(0, total, size)] for kind, (total, size) in parts.items()}
    totals = {kind: max(len(counts), 1) for kind, counts in waiting.items()}
    jobs: list[Job] = []
    while any(waiting.values()):
        kind = max((k for k in waiting if waiting[k]), key=lambda k: len(waiting[k]) / totals[k])
        number = len(jobs)
        jobs.append(Job(out / f"shard-{seed:02d}-{number:05d}", kind, seed * 100_000 + number, waiting[kind].pop(0)))
    return jobs


def generate(out: Path, *, episodes: int, scenes: int, seed: int, workers: int, progress: Progress) -> dict[str, Any]:
    """Make all shards that do not exist yet; return how many frames and asks were made.

    Args:
        out: folder of the shards.
        episodes: how many episodes in all; about one in twenty fails and is left out.
        scenes: how many static scenes in all.
        seed: below 10; two generations with different seeds have nothing in common.
        workers: processes.
        progress: receives a line a shard.

    Raises:
        InvalidInput: a number is out of range.
    """
    if not (0 <= seed < 10 and episodes >= 0 and scenes >= 0 and workers >= 1):
        found = f"{episodes} episodes, {scenes} scenes, seed {seed}, {workers} workers"
        raise InvalidInput("demonstrations", expected="numbers that are not negative, a seed from 0 to 9, a worker", found=found)
    os.environ.setdefault("MUJOCO_GL", "egl")
    # Pictures this small are drawn fastest by one thread a process.
    os.environ.setdefault("LP_NUM_THREADS", "0")
    out.mkdir(parents=True, exist_ok=True)
    jobs = [job for job in plan(out, episodes=episodes, scenes=scenes, seed=seed) if not job.folder.exists()]
    num_frames = num_asks = 0
    start = time.monotonic()
    for number, (job, frames, asks) in enumerate(_run(jobs, workers), start=1):
        num_frames, num_asks = num_frames + frames, num_asks + asks
        elapsed = time.monotonic() - start
        left_min = elapsed / number * (len(jobs) - number) / 60
        progress(f"{job.folder.name}: {frames} frames, {asks} asks; {number} of {len(jobs)} shards, about {left_min:.0f} min left")
    return {"name": "bench-vla-data", "out": str(out), "shards": len(jobs), "frames": num_frames, "asks": num_asks}


def _run(jobs: list[Job], workers: int) -> Iterator[tuple[Job, int, int]]:
    if workers <= 1:
        yield from ((job, *make_shard(job)) for job in jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(make_shard, job): job for job in jobs}
        for future in as_completed(futures):
            yield (futures[future], *future.result())


_BENCH: list[Bench] = []
"""The bench of this process, made when it is first needed."""


def make_shard(job: Job) -> tuple[int, int]:
    """Make and write one shard, unless another run has made it meanwhile; return its numbers of frames and asks."""
    if job.folder.exists():
        return 0, 0
    if not _BENCH:
        _BENCH.append(Bench())
    writer = make_episodes(_BENCH[0], job) if job.kind == EPISODE else make_scenes(_BENCH[0], job)
    writer.write(job.folder)
    return writer.num_frames, writer.num_asks


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--episodes", type=int, default=3000)
    parser.add_argument("--scenes", type=int, default=12000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    result = generate(
        args.out,
        episodes=args.episodes,
        scenes=args.scenes,
        seed=args.seed,
        workers=args.workers,
        progress=lambda text: print(text, file=sys.stderr, flush=True),
    )
    print(result)


if __name__ == "__main__":
    main()
