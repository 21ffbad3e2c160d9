"""Corrected episodes as training data: pictures drawn again from their states, and labels of the same form as a demonstration's.

What was executed is the answer. Where things are on the pictures, and how far the gripper must still turn, comes from the simulator, as it does
for demonstrations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.bench_vla.config import CONTROL_HZ
from models.bench_vla.demonstrations import Bench, add_ask
from models.bench_vla.demonstrations_episodes import CAMERAS
from models.bench_vla.memory import ShortMemory
from models.bench_vla.motion import CHUNK, ProxyWorld
from models.bench_vla.shards import EPISODE, TASK_NAMES, ShardWriter
from workbench.core.types import ACTION_DIM, EpisodeConfig, Observation
from workbench.learning.lessons import Lesson, Mode
from workbench.simulation.expert import expert_action
from workbench.simulation.expert_motion import gripper_yaw
from workbench.simulation.manner import MANNERS, manner_of, strip_manner
from workbench.simulation.sayings import sayings_of
from workbench.simulation.scene import TaskInstance
from workbench.simulation.simulator import BenchSimulator

LESSON_KINDS: Final = {Mode.HUMAN: EPISODE + 1, Mode.POLICY: EPISODE + 2, Mode.BEFORE: EPISODE + 3}
"""How a frame's kind tells what the step is to the learner; demonstrations have the kinds up to ``EPISODE``."""
MAX_FRAMES: Final = 3000
"""More steps than this are thinned out evenly: neighbouring pictures hardly differ."""
LEAST_STRIDE: Final = 2


class Asked(NamedTuple):
    """What a person's words ask for in a scene."""

    task: str
    instance: TaskInstance
    is_ambiguous: bool


class Written(NamedTuple):
    """What became of the lessons."""

    num_lessons: int
    num_frames: int
    left_out: tuple[str, ...]
    """Why lessons were left out, one line each."""


def stride_of(lessons: Sequence[Lesson], most: int = MAX_FRAMES) -> int:
    """Return how many steps one frame stands for: the same for all steps, so that weights mean what they say."""
    total = sum(int((lesson.modes() != Mode.LEFT_OUT).sum()) for lesson in lessons)
    return max(LEAST_STRIDE, -(-total // most))


def write_lessons(folder: Path, lessons: Sequence[Lesson], *, stride: int, progress: Callable[[int], None] = lambda done: None) -> Written:
    """Write each lesson as a shard of ``folder``, unless it is there already.

    Args:
        folder: of the shards.
        lessons: in any order.
        stride: how many steps one frame stands for.
        progress: told how many lessons are done.
    """
    bench, left_out, num_frames = Bench(), [], 0
    try:
        for number, lesson in enumerate(lessons):
            shard = folder / f"shard-{lesson.episode_id}"
            reason = why_not(lesson) or _write_lesson(shard, bench, lesson, stride)
            if reason:
                left_out.append(f"Episode {lesson.episode_id[-8:]} is left out: {reason}.")
            else:
                num_frames += len(np.load(shard / "kind.npy", mmap_mode="r"))
            progress(number + 1)
    finally:
        bench.simulator.close()
    return Written(len(lessons) - len(left_out), num_frames, tuple(left_out))


def _write_lesson(shard: Path, bench: Bench, lesson: Lesson, stride: int) -> str:
    """Write one lesson, unless it is there; return why nothing can be learnt from it, or nothing when it can."""
    if shard.exists():
        return ""
    writer = ShardWriter()
    add_lesson(writer, bench, lesson, stride)
    if not writer.num_asks:
        return "nothing in it can be learnt: it was told something that its scene does not answer, or nobody moved"
    writer.write(shard)
    return ""


def why_not(lesson: Lesson) -> str:
    """Return why nothing can be learnt from a lesson, or nothing when it can."""
    config = lesson.config
    if config.robot or config.simulator != EpisodeConfig.simulator:
        return "it is of another robot than the bench VLA's"
    if config.control_hz != CONTROL_HZ:
        return f"it ran at {config.control_hz:g} Hz, the bench VLA acts at {CONTROL_HZ:g} Hz"
    if config.task not in TASK_NAMES:
        return f"the bench VLA does not know the task {config.task}"
    return ""


def find_asked(simulator: BenchSimulator, text: str) -> Asked | None:
    """Return what words ask for in the present scene, or None when they ask for nothing that can be labelled."""
    own, words = simulator.instance, " ".join(strip_manner(text).lower().split())
    if words == " ".join(own.instruction.lower().split()):
        return Asked(simulator.task.name, own, simulator.task.is_ambiguous)
    for saying in sayings_of(own.scene.props):
        if not own.numbers and words in (w.lower() for w in saying.wordings):
            return Asked(saying.task, replace(own, instruction=words, roles=saying.roles), False)
    return None


def chunk_of(lesson: Lesson, modes: NDArray[np.int64], step: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return what was executed from a step on ``(8, 7)``, and how much of it ``(8,)`` is of the same driver and to be learnt."""
    actions, valid = np.zeros((CHUNK, ACTION_DIM), dtype=np.float32), np.zeros(CHUNK, dtype=bool)
    is_human = modes[step] == Mode.HUMAN
    for k, row in enumerate(range(step, min(step + CHUNK, len(modes)))):
        if modes[row] == Mode.LEFT_OUT or (modes[row] == Mode.HUMAN) != is_human:
            break
        actions[k], valid[k] = lesson.actions[row], True
    return actions, valid


class _Moment(NamedTuple):
    """One step of a lesson that is shown."""

    step: int
    asked: Asked
    observation: Observation
    memory: NDArray[np.float32]
    world: ProxyWorld
    turn: float


def add_lesson(writer: ShardWriter, bench: Bench, lesson: Lesson, stride: int) -> None:
    """Add every ``stride``-th step of a lesson that is to be learnt, with its picture and its labels."""
    simulator, modes = bench.simulator, lesson.modes()
    simulator.reset(replace(lesson.config, instruction=""))
    moments, path = _look_through(simulator, lesson, modes, stride)
    view = bench.open_view()
    try:
        for m in moments:
            physics, kind = lesson.states[m.step].physics, LESSON_KINDS[Mode(int(modes[m.step]))]
            front, wrist = (view.render(physics, camera, "policy") for camera in CAMERAS)
            writer.add_frame(front=front, wrist=wrist, proprio=m.observation.proprio, memory=m.memory, kind=kind)
            actions, valid = chunk_of(lesson, modes, m.step)
            add_ask(
                writer,
                lesson.texts[m.step],
                m.asked.task,
                m.asked.instance,
                m.world,
                (m.observation.cameras["front"], m.observation.cameras["wrist"]),
                actions=actions,
                valid=valid,
                turn=m.turn,
                path=path[m.step :] if lesson.is_success else None,
                is_detour=False,
                is_ambiguous=m.asked.is_ambiguous,
                done=False,
            )
    finally:
        view.close()


def _look_through(
    simulator: BenchSimulator, lesson: Lesson, modes: NDArray[np.int64], stride: int
) -> tuple[list[_Moment], NDArray[np.float64]]:
    """Return the steps that are shown, and where the gripper was before every step: ``(N, 4)``, x y z [m] and the opening wanted."""
    initial, memory = _read_world(simulator, None), ShortMemory()
    asked = {text: find_asked(simulator, text) for text in set(lesson.texts)}
    moments: list[_Moment] = []
    path = np.zeros((len(modes), 4))
    wait = 0
    for step, state in enumerate(lesson.states):
        simulator.restore(state)
        observation = simulator.observe(CAMERAS)
        memory.watch(observation.proprio, observation.time_s)
        path[step] = [*simulator.world.ee_position, lesson.actions[step, 6]]
        found = asked[lesson.texts[step]]
        if modes[step] == Mode.LEFT_OUT or found is None:
            continue
        if wait == 0:
            turn = _turn_left(simulator, found, lesson.texts[step])
            moments.append(_Moment(step, found, observation, memory.vector(), _read_world(simulator, initial), turn))
        wait = (wait + 1) % stride
    return moments, path


def _read_world(simulator: BenchSimulator, initial: ProxyWorld | None) -> ProxyWorld:
    world, command = simulator.world, simulator.state().controller
    proxy = ProxyWorld.of(world, command[1:4], command[4:8], initial)
    proxy.held = next((p.name for p in simulator.instance.scene.props if world.is_held(p.name)), None)
    return proxy


def _turn_left(simulator: BenchSimulator, asked: Asked, text: str) -> float:
    """Return how far the gripper must turn on before it comes down [rad]."""
    found = expert_action(asked.task, simulator.world, asked.instance, MANNERS[manner_of(text)], CONTROL_HZ)
    return found.command.yaw - gripper_yaw(simulator.world)
