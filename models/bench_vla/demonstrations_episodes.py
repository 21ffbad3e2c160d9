"""Episodes of the scripted expert: pushed off its way now and then, and by deliberately different ways to the same goal."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.bench_vla.config import CONTROL_HZ
from models.bench_vla.memory import ShortMemory
from models.bench_vla.motion import CHUNK, ProxyWorld
from models.bench_vla.static_scenes import draw_strength
from workbench.core.errors import InvalidInput
from workbench.core.geometry import Pinhole, quat_from_rotvec, quat_multiply
from workbench.core.types import CameraRequest, EpisodeConfig, Observation
from workbench.simulation.appearance import draw_look
from workbench.simulation.distractors import add_distractors
from workbench.simulation.expert import ExpertAction, expert_action
from workbench.simulation.expert_motion import down_quaternion, gripper_yaw
from workbench.simulation.manner import MANNERS, PLAIN, Manner
from workbench.simulation.scene import PropKind, TaskInstance
from workbench.simulation.simulator import BenchSimulator
from workbench.simulation.tasks import TASKS
from workbench.simulation.world import GRIPPER

Floats = NDArray[np.float64]

CAMERAS: Final = (CameraRequest("front", 128, 128), CameraRequest("wrist", 64, 64))

WEIGHTS: Final = {
    "touch": 1.0,
    "pick": 1.2,
    "place_on_plate": 1.6,
    "place_in_bowl": 1.6,
    "stack": 2.0,
    "push_to_zone": 2.2,
    "open_drawer": 1.1,
    "close_drawer": 0.9,
    "press_button": 0.8,
    "turn_knob": 2.2,
    "rotate_block": 1.2,
    "ambiguous_cubes": 0.6,
    "ambiguous_plates": 0.6,
    "sort_two": 0.3,
}
"""How often each task is shown, more often what is hard."""
_DETOURS: Final = ("pick", "place_on_plate", "place_in_bowl", "stack", "push_to_zone", "ambiguous_cubes", "ambiguous_plates")
"""Tasks with free ways."""
_PLAIN_SHARE: Final = 0.5
_STEPS_AFTER: Final = 4
"""Steps that are shown after the end."""
_BURST_CHANCE: Final = 0.03
_BURST_GAP: Final = 14
"""Clean steps between two pushes, at least."""
_MAX_BURST: Final = 6
_VIA_RADIUS: Final = 0.025
"""A via point counts as passed from this near [m]."""
_CARRY_HEIGHT: Final = 0.09
"""What is carried goes its own way from this height on [m]."""


@dataclass(frozen=True, eq=False)
class Moment:
    """One control step of an episode that may be shown."""

    index: int
    world: ProxyWorld
    physics: Floats
    proprio: NDArray[np.float32]
    memory: NDArray[np.float32]
    cameras: tuple[Pinhole, Pinhole]
    is_free: bool
    """Whether the gripper touches nothing."""
    is_detour: bool
    is_done: bool


@dataclass(eq=False)
class Record:
    """A whole episode: what was executed, and moments to choose from."""

    task: str
    instance: TaskInstance
    manner: str
    is_ambiguous: bool
    actions: list[Floats] = field(default_factory=list)
    """What the expert wanted ``(7,)`` at each step."""
    is_clean: list[bool] = field(default_factory=list)
    """Whether it was executed as wanted."""
    positions: list[Floats] = field(default_factory=list)
    """Where the end-effector was before each step ``(3,)`` [m]."""
    turns: list[float] = field(default_factory=list)
    """What the expert wanted to turn on before each step [rad]."""
    moments: list[Moment] = field(default_factory=list)

    def chunk(self, index: int) -> NDArray[np.float32] | None:
        """Return the clean chunk ``(8, 7)`` from a step on, or None where one of its steps was not clean; after the end the arm stays."""
        if not all(self.is_clean[index : index + CHUNK]):
            return None
        rows = self.actions[index : index + CHUNK]
        stay = np.array([*np.zeros(6), rows[-1][6]])
        return np.array([*rows, *[stay] * (CHUNK - len(rows))], dtype=np.float32)

    def path(self, index: int) -> Floats:
        """Return ``(n, 4)``: x y z [m] from a step to the end, and the opening wanted; without the steps of pushes and back from them."""
        kept, skip = [index], 0
        for step in range(index + 1, len(self.positions)):
            if not self.is_clean[step]:
                skip += 2
            elif skip:
                skip -= 1
            else:
                kept.append(step)
        return np.array([[*self.positions[s], self.actions[s][6]] for s in kept])


@dataclass(eq=False)
class Detour:
    """Via points that are still to be passed; the one thing that the driver remembers."""

    approach: list[Floats]
    carry: list[Floats]

    @property
    def is_pending(self) -> bool:
        """Whether a via point is left."""
        return bool(self.approach or self.carry)

    def bend(self, found: ExpertAction, position: Floats, is_held: bool, manner: Manner) -> ExpertAction:
        """Return the expert's action, towards the next via point where that is due."""
        if is_held:
            self.approach.clear()
        queue = self.carry if is_held else self.approach
        while queue and float(np.linalg.norm(queue[0] - position)) < _VIA_RADIUS:
            queue.pop(0)
        if not queue or (is_held and position[2] < _CARRY_HEIGHT):
            return found
        way = queue[0] - position
        step = manner.speed / CONTROL_HZ
        action = found.action.copy()
        action[:3] = way * min(1.0, step / float(np.linalg.norm(way)))
        action[6] = 0.0 if is_held else max(action[6], 0.5)
        return found._replace(action=action)


@dataclass(eq=False)
class Burst:
    """A push off the way, of a few steps."""

    steps_left: int = 0
    wait: int = 4
    push: Floats = field(default_factory=lambda: np.zeros(6))
    is_flipped: bool = False

    def disturb(self, action: Floats, rng: np.random.Generator) -> Floats | None:
        """Return what is executed instead of an action ``(7,)``, or None for the action itself."""
        if self.steps_left == 0:
            self.wait -= 1
            if self.wait > 0 or rng.random() > _BURST_CHANCE:
                return None
            self._begin(rng)
        self.steps_left -= 1
        self.wait = _BURST_GAP
        gripper = 1.0 - action[6] if self.is_flipped else action[6]
        return np.array([*self.push, gripper])

    def _begin(self, rng: np.random.Generator) -> None:
        self.steps_left = int(rng.integers(1, _MAX_BURST + 1))
        direction = rng.normal(size=3)
        direction *= rng.uniform(0.2, 1.0) * 0.45 / CONTROL_HZ / np.linalg.norm(direction)
        self.push = np.array([*direction, 0.0, 0.0, rng.normal(0.0, 0.03)])
        self.is_flipped = bool(rng.random() < 0.08)
        if self.is_flipped:
            self.push[:3] *= 0.2


def draw_instance(simulator: BenchSimulator, task: str, rng: np.random.Generator) -> TaskInstance:
    """Draw a task with distractors, a look and a start pose; needs a simulator that was reset before, for its kinematics."""
    instance = TASKS.load(task).initialize(rng)
    with suppress(InvalidInput):  # no room on this table
        instance = add_distractors(instance, rng, int(rng.integers(0, 4)))
    scene = replace(instance.scene, look=draw_look(rng, strength=draw_strength(rng)))
    if rng.random() < 0.5:
        scene = replace(scene, arm_joints=_draw_start(simulator, rng, scene.arm_joints), gripper=float(rng.random() < 0.8))
    return replace(instance, scene=scene)


def _draw_start(simulator: BenchSimulator, rng: np.random.Generator, home: tuple[float, ...]) -> tuple[float, ...]:
    """Draw a start pose high enough over everything."""
    position = np.array([rng.uniform(0.33, 0.62), rng.uniform(-0.28, 0.28), rng.uniform(0.16, 0.34)])
    tilt = np.append(rng.normal(0.0, 0.02, 2), 0.0)
    quaternion = quat_multiply(quat_from_rotvec(tilt), down_quaternion(float(rng.uniform(-1.0, 1.6))))
    found = simulator.kinematics.solve(position, quaternion, np.array(home))
    is_there = found.position_error_m < 0.001 and found.angle_error_rad < 0.01 and not found.is_at_limit
    return tuple(found.joints.tolist()) if is_there else home


def draw_detour(instance: TaskInstance, task: str, rng: np.random.Generator) -> Detour:
    """Draw via points for half of the episodes that have free ways."""
    none = Detour([], [])
    if task not in _DETOURS or rng.random() < 0.5:
        return none
    has_tall = any(p.kind in (PropKind.DRAWER, PropKind.KNOB, PropKind.CYLINDER, PropKind.CORNER) for p in instance.scene.props)
    low = 0.17 if has_tall else 0.11

    def draw_vias() -> list[Floats]:
        count = int(rng.integers(1, 3))
        return [np.array([rng.uniform(0.34, 0.66), rng.uniform(-0.28, 0.28), rng.uniform(low, 0.30)]) for _ in range(count)]

    can_carry = task not in ("pick", "push_to_zone")
    parts = int(rng.integers(3)) if can_carry else 0
    return Detour(draw_vias() if parts in (0, 2) else [], draw_vias() if parts in (1, 2) else [])


def draw_manner(rng: np.random.Generator, names: Sequence[str] = tuple(MANNERS)) -> str:
    """Draw the name of a manner, half of them plain."""
    if rng.random() < _PLAIN_SHARE:
        return PLAIN
    others = [n for n in names if n != PLAIN]
    return others[int(rng.integers(len(others)))]


def play(simulator: BenchSimulator, task: str, seed: int) -> Record | None:
    """Run one episode; None when it does not succeed in time."""
    rng = np.random.default_rng(seed)
    instance = draw_instance(simulator, task, rng)
    detour = draw_detour(instance, task, rng)
    # A way that goes elsewhere is neither high nor low.
    manner_name = draw_manner(rng, ("plain", "slow", "quick", "careful")) if detour.is_pending else draw_manner(rng)
    simulator.reset(EpisodeConfig(task, seed, control_hz=CONTROL_HZ), instance=instance)
    record = Record(task, instance, manner_name, simulator.task.is_ambiguous)
    memory, burst = ShortMemory(), Burst()
    initial: ProxyWorld | None = None
    limit = round(2.0 * simulator.task.time_limit_s * CONTROL_HZ)
    manner, stride, num_after = MANNERS[manner_name], 1, 0
    for index in range(limit):
        world = simulator.world
        found = expert_action(task, world, instance, manner, CONTROL_HZ)
        num_after = num_after + 1 if found.is_done else 0
        if num_after > _STEPS_AFTER:
            return _without_relapses(record)
        is_held = any(world.is_held(name) for role, name in instance.roles.items() if role.startswith("pick"))
        if not found.is_done:
            found = detour.bend(found, world.ee_position, is_held, manner)
        observation = simulator.observe(CAMERAS)
        memory.watch(observation.proprio, observation.time_s)
        stride -= 1
        if stride <= 0 or found.is_done or initial is None:
            stride = int(rng.integers(2, 5))
            moment = _look(simulator, index, observation, memory, initial)
            initial = moment.world if initial is None else initial
            record.moments.append(replace(moment, is_detour=detour.is_pending, is_done=found.is_done))
        action = np.asarray(found.action, dtype=np.float32).astype(np.float64)
        pushed = None if found.is_done else burst.disturb(action, rng)
        record.actions.append(action)
        record.is_clean.append(pushed is None)
        record.positions.append(world.ee_position)
        record.turns.append(found.command.yaw - gripper_yaw(world))
        simulator.step((action if pushed is None else pushed).astype(np.float32))
    return None


def _look(simulator: BenchSimulator, index: int, observation: Observation, memory: ShortMemory, initial: ProxyWorld | None) -> Moment:
    """Return the present moment of an episode, for now neither on a detour nor done."""
    world, instance, state = simulator.world, simulator.instance, simulator.state()
    proxy = ProxyWorld.of(world, state.controller[1:4], state.controller[4:8], initial)
    proxy.held = next((n for n in instance.roles.values() if world.is_held(n)), None)
    is_free = not any(world.is_touching(GRIPPER, name) for name in (*(p.name for p in instance.scene.props), "table"))
    cameras = (observation.cameras["front"], observation.cameras["wrist"])
    return Moment(index, proxy, state.physics, observation.proprio, memory.vector(), cameras, is_free, False, False)


def _without_relapses(record: Record) -> Record:
    """Leave out moments that seemed to be the end and were not, as when a touch is lost again."""
    first_end = len(record.actions) - _STEPS_AFTER
    record.moments = [m for m in record.moments if not m.is_done or m.index >= first_end]
    return record
