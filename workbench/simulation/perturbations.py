"""Move a thing while an episode runs, exactly and repeatably: what is observed again before the next step, and the rest is tested by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mujoco
import numpy as np

from workbench.core.errors import InvalidInput, UnknownName
from workbench.core.protocols import Simulator
from workbench.core.types import SimState
from workbench.simulation.free_space import draw_shift, why_not
from workbench.simulation.simulator import STATE, BenchSimulator
from workbench.simulation.world import Floats

__all__ = ["apply_perturbation", "disturb", "draw_shift"]


def disturb(simulator: Simulator, name: str, dx: float, dy: float) -> dict[str, Any]:
    """Move a prop by ``dx``, ``dy`` [m] along the table, bring it to rest there, and return what a PERTURBATION event records.

    Raises:
        UnknownName: there is no such prop.
        InvalidInput: it is held, or the place is taken or out of reach.
    """
    bench = _bench(simulator)
    world = bench.world
    position = world.position(name) + np.array([dx, dy, 0.0])
    if world.is_held(name):
        raise InvalidInput(f"move of {name}", expected="a thing that lies free", found="a thing in the gripper")
    reason = why_not(world, name, float(position[0]), float(position[1]))
    if reason:
        raise InvalidInput(f"move of {name}", expected="a free place within reach", found=reason)
    payload = {"prop": name, "position": position.tolist(), "quaternion": world.quaternion(name).tolist()}
    apply_perturbation(bench, payload)
    return payload


def apply_perturbation(simulator: Simulator, payload: Mapping[str, Any]) -> None:
    """Put a prop where a PERTURBATION event says; only the physics part of the state changes.

    Raises:
        UnknownName: there is no such prop.
        InvalidInput: the payload is not that of a perturbation.
    """
    bench = _bench(simulator)
    name, position, quaternion = _read(payload)
    known = [prop.name for prop in bench.world.scene.props]
    if name not in known:
        raise UnknownName("prop", name, known)
    model, state = bench.model, bench.state()
    data = mujoco.MjData(model)
    mujoco.mj_setState(model, data, state.physics, STATE)
    body = model.body(name)
    mocap = int(body.mocapid[0])
    if mocap >= 0:
        data.mocap_pos[mocap], data.mocap_quat[mocap] = position, quaternion
    else:
        joint = data.joint(f"{name}/free")
        joint.qpos[:3], joint.qpos[3:], joint.qvel[:] = position, quaternion, 0.0
    physics = np.empty_like(state.physics)
    mujoco.mj_getState(model, data, physics, STATE)
    bench.restore(SimState(physics, state.controller, state.rng))


def _bench(simulator: Simulator) -> BenchSimulator:
    if not isinstance(simulator, BenchSimulator):
        raise InvalidInput("perturbation", expected="the bench simulator", found=simulator.spec.name)
    return simulator


def _read(payload: Mapping[str, Any]) -> tuple[str, Floats, Floats]:
    try:
        name = str(payload["prop"])
        position, quaternion = np.array(payload["position"], dtype=float), np.array(payload["quaternion"], dtype=float)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput("perturbation", expected="prop, position and quaternion", found=str(dict(payload))) from error
    if position.shape != (3,) or quaternion.shape != (4,) or not np.isfinite([*position, *quaternion]).all():
        raise InvalidInput("perturbation", expected="3 and 4 finite numbers", found=f"{position.tolist()}, {quaternion.tolist()}")
    return name, position, quaternion
