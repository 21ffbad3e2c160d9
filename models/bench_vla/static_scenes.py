"""Static scenes: many things, many arm poses, every instruction; nothing moves, so a picture costs milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi
from typing import Final, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from models.bench_vla.asks import FLAT, Ask, is_pushable, possible_asks
from models.bench_vla.motion import ProxyWorld
from workbench.core.geometry import quat_from_rotvec, quat_multiply
from workbench.core.types import EpisodeConfig, SimState
from workbench.simulation.appearance import draw_look
from workbench.simulation.controllers import WORKSPACE_HIGH, WORKSPACE_LOW
from workbench.simulation.drawers import HANDLE_REACH
from workbench.simulation.expert_motion import bar_yaw, down_quaternion
from workbench.simulation.layout import CUBE_COLOURS, DISH_COLOURS, FOOTPRINT, GAP, GRIPPER_YAW, X_RANGE, Y_RANGE, distance
from workbench.simulation.props import BUTTON_HEIGHT, CUBE_SIZE, DRAWER_SIZE, DRAWER_TRAVEL, KNOB_LIMIT
from workbench.simulation.robot import FINGER_RANGE
from workbench.simulation.scene import Prop, PropKind, Scene, TaskInstance
from workbench.simulation.simulator import STATE, BenchSimulator
from workbench.simulation.world import GRIPPER

Floats = NDArray[np.float64]

MAX_PROPS: Final = 7
_MIN_PROPS: Final = 2
_HOME: Final = (0.37, 0.0, 0.30)
"""About where the end-effector starts [m]."""
_NUM_TRIES: Final = 40


class ArmPose(NamedTuple):
    """Where the arm is put, and what it is to have done before."""

    position: Floats
    quaternion: Floats
    opening: float
    near: Ask | None
    """The instruction near whose thing it is."""


# --- What stands there -------------------------------------------------------------------------------------------------------------


def draw_strength(rng: np.random.Generator) -> float:
    """Draw how far a look is from the plain bench, 0..1; a third of all scenes look plain."""
    return max(0.0, float(rng.uniform(-0.5, 1.0)))


def draw_scene(rng: np.random.Generator) -> Scene:
    """Draw up to seven things of all kinds, each where it finds room, and a look."""
    props: list[Prop] = []
    while len(props) < _MIN_PROPS or not _has_way(props):
        props = []
        for want in _draw_wants(rng):
            placed = _find_room(rng, want, props)
            if placed is not None:
                props.append(placed)
    return Scene(tuple(props), look=draw_look(rng))


def _has_way(props: Sequence[Prop]) -> bool:
    """Tell whether a puck, when there is one, can be pushed into some zone."""
    places = {p.name: np.array([p.x, p.y]) for p in props}
    zones = [p.name for p in props if p.kind is PropKind.ZONE]
    for puck in (p.name for p in props if p.kind is PropKind.PUCK):
        solid = [places[p.name] for p in props if p.name != puck and p.kind not in FLAT]
        if not any(is_pushable(places[puck], places[zone], solid) for zone in zones):
            return False
    return True


def _draw_wants(rng: np.random.Generator) -> list[Prop]:
    """Draw which things there are, large ones first; places are drawn later."""
    cubes, dishes = list(rng.permutation(CUBE_COLOURS)), list(rng.permutation(DISH_COLOURS))
    wants: list[Prop] = []
    main = str(rng.choice(["drawer", "puck", "knob", "button", "none"], p=[0.18, 0.24, 0.30, 0.15, 0.13]))
    if main == "drawer":
        opening = float(rng.choice([0.0, rng.uniform(0.6, 1.0) * DRAWER_TRAVEL]))
        wants.append(_want(PropKind.DRAWER, dishes[0], opening=opening))
    elif main == "puck":
        wants.append(_want(PropKind.PUCK, cubes[5]))
        # Zones may have the colour of a cube, as in the task.
        wants += [_want(PropKind.ZONE, c) for c in rng.permutation(cubes[:5])[: int(rng.integers(1, 3))]]
    elif main == "knob":
        wants.append(_want(PropKind.KNOB, dishes[0], opening=float(rng.uniform(-KNOB_LIMIT, KNOB_LIMIT))))
    elif main == "button":
        wants += [_want(PropKind.BUTTON, c) for c in cubes[3 : int(rng.integers(4, 7))]]
    if rng.random() < 0.35:
        wants.append(_want(PropKind.BLOCK, cubes[4]))
    most_dishes = 1 if main == "puck" else 3
    for kind in rng.permutation([PropKind.PLATE, PropKind.PLATE, PropKind.BOWL])[: int(rng.integers(0, most_dishes + 1))]:
        num_same = sum(w.kind is PropKind(kind) for w in wants)
        wants.append(_want(PropKind(kind), dishes[0] if rng.random() < 0.1 else dishes[num_same]))
    low, high = {"puck": (0, 2), "none": (2, 4)}.get(main, (1, 3))
    num_cubes = int(rng.integers(low, high + 1))
    wants += [_want(PropKind.CUBE, cubes[0] if i and rng.random() < 0.07 else cubes[i]) for i in range(num_cubes)]
    return wants[:MAX_PROPS]


def _want(kind: PropKind, colour: str, *, opening: float = 0.0) -> Prop:
    return Prop(kind, "", str(colour), 0.0, 0.0, opening=opening)


def _find_room(rng: np.random.Generator, want: Prop, props: Sequence[Prop]) -> Prop | None:
    """Put a thing where it keeps its gaps; None when there is no room."""
    count = sum(p.kind is want.kind for p in props)
    name = f"{want.kind.value}_{want.colour}_{count}"
    for _ in range(_NUM_TRIES):
        x, y, yaw = float(rng.uniform(*X_RANGE)), float(rng.uniform(*Y_RANGE)), float(rng.uniform(-pi, pi))
        if want.kind is PropKind.DRAWER:
            x, y, yaw = float(rng.uniform(0.62, 0.66)), float(rng.uniform(-0.20, 0.20)), pi + float(rng.uniform(-0.25, 0.25))
        elif want.kind in (PropKind.PLATE, PropKind.BOWL, PropKind.BUTTON, PropKind.KNOB):
            yaw = 0.0
        prop = Prop(want.kind, name, want.colour, x, y, yaw, opening=want.opening)
        if all(_is_apart(prop, p) for p in props):
            return prop
    return None


def _is_apart(prop: Prop, other: Prop) -> bool:
    if other.kind is PropKind.DRAWER and _lane_distance(other, prop) < DRAWER_SIZE[1] / 2 + 0.03 + GAP:
        return False
    gap = 0.0 if PropKind.ZONE in (prop.kind, other.kind) and PropKind.PUCK not in (prop.kind, other.kind) else GAP
    return distance(prop, other) >= FOOTPRINT[prop.kind] + FOOTPRINT[other.kind] + gap


def _lane_distance(drawer: Prop, prop: Prop) -> float:
    """Return how far a thing is from where a drawer comes out [m]."""
    reach = np.linspace(0.0, HANDLE_REACH + DRAWER_TRAVEL + 0.06, 8)
    lane = np.stack([drawer.x + reach * np.cos(drawer.yaw), drawer.y + reach * np.sin(drawer.yaw)], axis=1)
    return float(np.linalg.norm(lane - (prop.x, prop.y), axis=1).min())


# --- Where the arm is --------------------------------------------------------------------------------------------------------------


def draw_pose(rng: np.random.Generator, world: ProxyWorld, asks: Sequence[Ask]) -> ArmPose:
    """Draw an arm pose: a third anywhere, two thirds near a thing that something may be asked of, where precision is decided."""
    tilt = np.append(rng.normal(0.0, 0.01, 2), 0.0)
    chance = rng.random()
    if chance < 0.12:
        position, yaw, near = np.array(_HOME) + rng.normal(0.0, 0.04, 3), float(rng.normal(0.0, 0.2)), None
    elif chance < 0.34 or not asks:
        x, y, z = rng.uniform(0.32, 0.66), rng.uniform(-0.30, 0.30), rng.uniform(0.05, 0.30)
        position, yaw, near = np.array([x, y, z]), float(rng.uniform(*GRIPPER_YAW)), None
    else:
        near = _draw_near(rng, world, asks)
        position, yaw = _around(rng, world, near)
    position = np.clip(position, np.add(WORKSPACE_LOW, 0.005), np.subtract(WORKSPACE_HIGH, 0.01))
    quaternion = quat_multiply(quat_from_rotvec(tilt), down_quaternion(yaw))
    return ArmPose(position, quaternion, _draw_opening(rng, near), near)


def _draw_near(rng: np.random.Generator, world: ProxyWorld, asks: Sequence[Ask]) -> Ask:
    """Draw an ask, by its kind of thing first: there are many more asks about cubes."""
    by_kind: dict[PropKind, list[Ask]] = {}
    for ask in asks:
        by_kind.setdefault(world.prop(_thing(ask)).kind, []).append(ask)
    kinds = list(by_kind)
    # Cubes are the most common and the smallest of things.
    if PropKind.CUBE in by_kind and rng.random() < 0.25:
        kinds = [PropKind.CUBE]
    chosen = by_kind[kinds[int(rng.integers(len(kinds)))]]
    return chosen[int(rng.integers(len(chosen)))]


def _thing(ask: Ask) -> str:
    return ask.instance.roles.get("target", ask.instance.roles.get("pick", ""))


def _around(rng: np.random.Generator, world: ProxyWorld, ask: Ask) -> tuple[Floats, float]:
    """Draw a place near the thing that an ask is about, mostly close, and a turn of the gripper, mostly about right."""
    name = _thing(ask)
    kind, goal = world.prop(name).kind, world.grasp_point(name)
    heading = world.yaw(name)
    if ask.task in ("touch", "press_button"):
        lowest, yaw = (BUTTON_HEIGHT if kind is PropKind.BUTTON else CUBE_SIZE) + 0.008, 0.0
    elif kind is PropKind.CUBE:
        lowest, yaw = CUBE_SIZE / 2 - 0.006, (heading + pi / 4) % (pi / 2) - pi / 4
    elif kind is PropKind.PUCK:
        way = world.position(ask.instance.roles["place"]) - goal
        along = way / max(float(np.linalg.norm(way)), 1e-6)
        lowest, yaw = 0.014, bar_yaw(float(np.arctan2(along[1], along[0])))
        goal = goal - 0.1 * along
    elif kind is PropKind.DRAWER:
        lowest, yaw = float(goal[2]), bar_yaw(heading + (0.0 if ask.task == "close_drawer" else pi / 2))
        if ask.task == "close_drawer":
            goal = goal + 0.045 * np.array([np.cos(heading), np.sin(heading), 0.0])
    else:
        turned = heading + (world.joint(name) if kind is PropKind.KNOB else 0.0)
        lowest, yaw = float(goal[2]), bar_yaw(turned, ask.instance.numbers.get("angle_rad", 0.0))
    angle, radius = rng.uniform(0.0, 2 * pi), 0.08 * float(rng.random()) ** 1.7
    height = lowest + 0.15 * float(rng.random()) ** 1.5 + float(rng.normal(0.0, 0.002))
    position = np.array([goal[0] + radius * np.cos(angle), goal[1] + radius * np.sin(angle), height])
    chance = rng.random()
    if chance < 0.3:
        return position, float(rng.uniform(*GRIPPER_YAW))
    # Where a turn is off by a little or a lot close to a thing, the pictures alone tell by how much.
    spread = 0.45 if chance < 0.65 else 0.12
    return position, float(np.clip(yaw + rng.normal(0.0, spread), *GRIPPER_YAW))


def _draw_opening(rng: np.random.Generator, near: Ask | None) -> float:
    """Draw a gripper opening, mostly the one that goes with what is near."""
    if near is not None and rng.random() < 0.9:
        if near.task in ("touch", "press_button", "close_drawer"):
            return 0.0
        return 0.5 if near.task == "push_to_zone" else 1.0
    return float(rng.choice([1.0, 0.0, 0.5], p=[0.7, 0.25, 0.05]))


def place_arm(simulator: BenchSimulator, scratch: mujoco.MjData, pose: ArmPose) -> bool:
    """Put the arm at a pose without moving anything else; tell whether it gets there and touches nothing."""
    home = np.array(simulator.instance.scene.arm_joints)
    found = simulator.kinematics.solve(pose.position, pose.quaternion, home)
    if found.position_error_m > 0.001 or found.angle_error_rad > 0.01 or found.is_at_limit:
        return False
    model, state = simulator.model, simulator.state()
    mujoco.mj_setState(model, scratch, state.physics, STATE)
    for index, angle in enumerate(found.joints, start=1):
        scratch.joint(f"robot/joint{index}").qpos[0] = angle
    for side in ("left", "right"):
        scratch.joint(f"robot/finger_{side}").qpos[0] = pose.opening * FINGER_RANGE
    scratch.qvel[:] = 0.0
    mujoco.mj_forward(model, scratch)
    physics = np.empty_like(state.physics)
    mujoco.mj_getState(model, scratch, physics, STATE)
    position, quaternion = simulator.kinematics.pose(found.joints)
    command = np.concatenate([state.controller[:1], position, quaternion, [pose.opening], found.joints])
    simulator.restore(SimState(physics, np.concatenate([command, state.controller[len(command) :]]), state.rng))
    owners = simulator.world.geom_owners
    pairs = [{owners[g] for g in contact.geom} for contact in scratch.contact[: scratch.ncon]]
    return not any({GRIPPER, "arm"} & pair for pair in pairs)


def draw_memory(rng: np.random.Generator, pose: ArmPose) -> tuple[NDArray[np.float32], bool]:
    """Draw a short memory ``(10,)`` that goes with an arm pose and its opening, and tell whether it has a segment before the change."""
    memory = np.zeros(10, dtype=np.float32)
    memory[0], memory[9] = float(pose.opening < 0.5), 1.0
    has_changed = rng.random() < (0.8 if pose.opening < 0.5 else 0.3)
    if not has_changed:
        return memory, False
    # Shut at the start and come from there; or let go of something and come away from it.
    origin = np.array([*_HOME]) + rng.normal(0.0, 0.06, 3)
    if pose.opening >= 0.5:
        origin = np.array([rng.uniform(*X_RANGE), rng.uniform(*Y_RANGE), rng.uniform(0.02, 0.09)])
    way = pose.position - origin
    memory[1:4] = way
    memory[4] = np.clip(rng.normal(0.0, 0.3), -1.5, 1.5)
    memory[9] = np.tanh((float(np.linalg.norm(way)) / rng.uniform(0.15, 0.4) + 0.2) / 2.0)
    if pose.opening < 0.5:
        return memory, False
    memory[5:8] = np.append(rng.uniform(-0.3, 0.3, 2), rng.normal(0.0, 0.01))
    memory[8] = rng.normal(0.0, 0.1)
    return memory, True


def asks_of_pose(rng: np.random.Generator, world: ProxyWorld, *, has_segment: bool) -> list[Ask]:
    """Return what may be asked of a frame; a turn only when the memory does not look as if one had just been done."""
    asks = possible_asks(world, rng)
    return [a for a in asks if not (has_segment and a.instance.numbers)]


def start_scene(simulator: BenchSimulator, scene: Scene, seed: int) -> None:
    """Build a scene and let it come to rest; it belongs to no task in particular."""
    simulator.reset(EpisodeConfig("touch", seed), instance=TaskInstance(scene, "", {"target": scene.props[0].name}))
