"""Chance at work in an episode: it alters actions, observations, dynamics and things, and repeats itself exactly.

Every draw follows from the noise's seed, the number of the control step and what is drawn: whatever is restored, observed twice or
run again meets the same chance. What must be remembered beside (the last action, what is still on its way) is a vector in the state.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import mujoco
import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput
from workbench.core.types import ACTION_DIM, PROPRIO, PROPRIO_DIM
from workbench.simulation.controllers import MAX_ANGULAR_SPEED, MAX_LINEAR_SPEED
from workbench.simulation.free_space import draw_shift
from workbench.simulation.noise import Noise
from workbench.simulation.rig import Rig
from workbench.simulation.world import World

Floats = NDArray[np.float64]
Image = NDArray[np.uint8]

SLIP_STEPS: Final = 3
"""How long a slipping gripper stays open [control steps]."""
NUDGE_SPEED: Final = 0.8
"""[m/s]; friction stops a cube after some 3 cm."""
TELEPORT_DISTANCE: Final = 0.08
"""[m]"""

_NUM_FLAGS: Final = 3
_MEASURED: Final = ("joints", "ee_position", "gripper")
"""Parts of the proprioception that noise is added to."""


class _Stream(IntEnum):
    """What a generator is for."""

    DYNAMICS = 0
    ACTION = 1
    EVENTS = 2
    PROPRIO = 3
    PICTURE = 4


class NoiseProcess:
    """The noise of one episode of one simulator."""

    def __init__(self, noise: Noise, model: mujoco.MjModel, rig: Rig, control_hz: float) -> None:
        """Take over a freshly built model: its dynamics are changed when the noise says so."""
        self.noise = noise
        self._model = model
        self._dynamics = _Dynamics(noise, model, rig)
        self._past = mujoco.MjData(model)
        self._longest = np.array([MAX_LINEAR_SPEED / control_hz] * 3 + [MAX_ANGULAR_SPEED / control_hz] * 3)
        self._num_physics = mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_INTEGRATION)
        self._flags = np.zeros(_NUM_FLAGS)
        """Whether there was an action; how often the last is still repeated; for how many steps the gripper still slips."""
        self._last = np.zeros(ACTION_DIM)
        self._queue = np.zeros((noise.action_delay, ACTION_DIM))
        """Commanded actions of the last steps, oldest first."""
        self._moments = np.zeros((noise.observation_delay, self._num_physics + PROPRIO_DIM))
        """Physics and proprioception of the last steps, oldest first."""

    @property
    def size(self) -> int:
        """Length of :meth:`save`'s vector."""
        return _NUM_FLAGS + ACTION_DIM + self._queue.size + self._moments.size

    def save(self) -> Floats:
        """Return everything that is remembered, ``(size,)``."""
        return np.concatenate([self._flags, self._last, self._queue.ravel(), self._moments.ravel()])

    def load(self, saved: Floats, step: int) -> None:
        """Take back what :meth:`save` returned, at that control step."""
        ends = np.cumsum([_NUM_FLAGS, ACTION_DIM, self._queue.size, self._moments.size])
        flags, last, queue, moments = np.split(saved, ends[:-1])
        self._flags, self._last = flags.copy(), last.copy()
        self._queue, self._moments = queue.reshape(self._queue.shape).copy(), moments.reshape(self._moments.shape).copy()
        self._dynamics.apply(self.noise.presence(step))

    def start(self, physics: Floats, proprio: NDArray[np.float32], gripper: float) -> None:
        """Begin an episode: before it nothing moved."""
        self._flags[:], self._last[:], self._queue[:] = 0.0, 0.0, 0.0
        self._queue[:, -1] = gripper
        self._moments[:] = np.concatenate([physics, proprio])
        self._dynamics.apply(self.noise.presence(0))

    def leave(self, physics: Floats, proprio: NDArray[np.float32]) -> None:
        """Remember the moment before a control step, for those who see it late."""
        if len(self._moments):
            self._moments = np.vstack([self._moments[1:], np.concatenate([physics, proprio])])

    # --- Before a step: action, things and dynamics ---

    def disturb(self, step: int, data: mujoco.MjData, world: World) -> None:
        """Change dynamics, and move things in ``data``, as this step has it."""
        presence = self.noise.presence(step)
        self._dynamics.apply(presence)
        noise, rng = self.noise, self._rng(step, _Stream.EVENTS)
        does_nudge, does_teleport = rng.random(2) < presence * np.array([noise.nudge, noise.teleport])
        free = [p.name for p in world.scene.props if self._model.body(p.name).dofnum[0] == 6 and not world.is_held(p.name)]
        if not free:
            return
        if does_nudge:
            angle = rng.uniform(-np.pi, np.pi)
            joint = data.joint(f"{rng.choice(free)}/free")
            joint.qvel[:2] += NUDGE_SPEED * np.array([np.cos(angle), np.sin(angle)])
        if does_teleport:
            name = str(rng.choice(free))
            try:
                shift = draw_shift(world, name, TELEPORT_DISTANCE, rng)
            except InvalidInput:
                return  # there is no room: it stays
            data.joint(f"{name}/free").qpos[:2] += shift

    def execute(self, step: int, action: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the action ``(7,)`` that is executed in place of the commanded one."""
        noise, rng, presence = self.noise, self._rng(step, _Stream.ACTION), self.noise.presence(step)
        commanded = np.asarray(action, dtype=np.float64)
        delay = round(presence * noise.action_delay)
        waiting = np.vstack([self._queue, commanded])
        self._queue = waiting[1:] if len(self._queue) else self._queue
        executed = waiting[-1 - delay].copy()
        # All are drawn in every step, so that one kind of noise does not change the draws of another.
        u_sticky, u_replaced, u_slip = rng.random(3)
        streak = int(rng.integers(1, noise.sticky_steps + 1))
        uniform = np.append(rng.uniform(-1.0, 1.0, 6) * self._longest, rng.uniform())
        shake = rng.standard_normal(6) * self._longest
        if u_replaced < presence * noise.replaced:
            executed = uniform
        executed[:6] += presence * noise.shake * shake
        executed = self._slip(executed, u_slip < presence * noise.slip)
        executed = self._stick(executed, u_sticky < presence * noise.sticky, streak)
        self._flags[0], self._last = 1.0, executed
        return executed.astype(np.float32)

    def _slip(self, action: Floats, begins: bool) -> Floats:
        if begins and self._flags[2] == 0:
            self._flags[2] = SLIP_STEPS
        if self._flags[2] > 0:
            self._flags[2] -= 1
            return np.append(action[:6], 1.0)
        return action

    def _stick(self, action: Floats, begins: bool, streak: int) -> Floats:
        if self._flags[0] and begins and self._flags[1] == 0:
            self._flags[1] = streak
        if self._flags[1] > 0:
            self._flags[1] -= 1
            return self._last
        return action

    # --- What is seen ---

    def seen(self, step: int, data: mujoco.MjData) -> mujoco.MjData:
        """Return the data of the moment that is seen now: ``data``, or an earlier one."""
        late = self._late(step)
        if late is None:
            return data
        mujoco.mj_setState(self._model, self._past, late[: self._num_physics].copy(), mujoco.mjtState.mjSTATE_INTEGRATION)
        mujoco.mj_kinematics(self._model, self._past)
        mujoco.mj_comPos(self._model, self._past)
        mujoco.mj_camlight(self._model, self._past)
        return self._past

    def measured(self, step: int, proprio: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the proprioception ``(16,)`` that is measured in place of the true one."""
        noise, rng, presence = self.noise, self._rng(step, _Stream.PROPRIO), self.noise.presence(step)
        late = self._late(step)
        found = proprio.copy() if late is None else late[self._num_physics :].astype(np.float32)
        if rng.random() < presence * noise.proprio_dropout:
            return np.zeros_like(found)
        for name in _MEASURED:
            part = found[PROPRIO[name]]
            part += np.float32(presence * noise.proprio) * rng.standard_normal(part.shape).astype(np.float32)
        return found

    def picture(self, step: int, camera: str, picture: Image) -> Image:
        """Return the picture ``(H, W, 3)`` that the camera delivers in place of the true one."""
        noise, presence = self.noise, self.noise.presence(step)
        rng = np.random.default_rng((noise.seed, step, _Stream.PICTURE, *camera.encode()))
        found = picture
        if presence * noise.pixels > 0:
            shaken = found + presence * noise.pixels * rng.standard_normal(found.shape)
            found = np.clip(np.rint(shaken), 0, 255).astype(np.uint8)
        if rng.random() < presence * noise.dropout:
            found = np.where(_visible(rng, *found.shape[:2])[..., None], found, 0).astype(np.uint8)
        return found

    def _late(self, step: int) -> Floats | None:
        delay = round(self.noise.presence(step) * self.noise.observation_delay)
        return None if delay == 0 else np.asarray(self._moments[-delay])

    def _rng(self, step: int, stream: _Stream) -> np.random.Generator:
        return np.random.default_rng((self.noise.seed, step, stream))


def _visible(rng: np.random.Generator, height: int, width: int) -> NDArray[np.bool_]:
    """Return ``(H, W)``, what is left of a picture: half of it, a disc, or nothing."""
    kind = int(rng.integers(6))
    v, u = np.mgrid[0:height, 0:width] / np.array([height, width])[:, None, None]
    if kind < 4:
        return np.asarray([u < 0.5, u >= 0.5, v < 0.5, v >= 0.5][kind])
    centre_u, centre_v = rng.uniform(0.2, 0.8, 2)
    return np.hypot(u - centre_u, v - centre_v) < (0.25 if kind == 4 else 0.0)


class _Dynamics:
    """Friction, masses and motor stiffness of a model, changed by factors."""

    def __init__(self, noise: Noise, model: mujoco.MjModel, rig: Rig) -> None:
        rng = np.random.default_rng((noise.seed, 0, _Stream.DYNAMICS))
        # At least half of the range, either way: a change that is there.
        powers = rng.choice([-1.0, 1.0], 3) * rng.uniform(0.5, 1.0, 3)
        self._log2 = powers * [noise.friction, noise.mass, noise.gain]
        self._model, self._arm = model, rig.actuators
        self._free = np.flatnonzero(model.body_dofnum == 6)
        self._friction = model.geom_friction.copy()
        self._mass, self._inertia = model.body_mass.copy(), model.body_inertia.copy()
        self._gain, self._bias = model.actuator_gainprm.copy(), model.actuator_biasprm.copy()
        self._presence = 0.0

    def apply(self, presence: float) -> None:
        """Change the model by so much of the noise, 0..1; always from what it was at first."""
        if presence == self._presence or not np.any(self._log2):
            return
        self._presence, model = presence, self._model
        friction, mass, gain = 2.0 ** (presence * self._log2)
        model.geom_friction[:] = friction * self._friction
        model.actuator_gainprm[self._arm, 0] = gain * self._gain[self._arm, 0]
        model.actuator_biasprm[self._arm, 1] = gain * self._bias[self._arm, 1]
        if self._log2[1]:
            model.body_mass[self._free] = mass * self._mass[self._free]
            model.body_inertia[self._free] = mass * self._inertia[self._free]
            _set_constants(model)


def _set_constants(model: mujoco.MjModel) -> None:
    """Bring what follows from masses up to date; what cameras and lights are scaled by stays."""
    extent, center, size = model.stat.extent, model.stat.center.copy(), model.stat.meansize
    mujoco.mj_setConst(model, mujoco.MjData(model))
    model.stat.extent, model.stat.meansize = extent, size
    model.stat.center[:] = center
