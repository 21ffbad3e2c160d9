"""A simulator over any Gymnasium environment on MuJoCo, so that users bring their own.

The task of an episode is the environment's id, for example ``FetchPickAndPlace-v4``; the control rate is the environment's own.
Options of :class:`~workbench.core.types.EpisodeConfig`, all optional:

- ``make``: keyword arguments for ``gymnasium.make``.
- ``ee``: name of the site or body that is the end-effector (default: a site or body whose name says so).

Actions: our seven numbers are mapped to the environment's ``Box`` of ``n`` numbers. Delta position fills the bounds at 5 cm a step,
delta rotation at 0.25 rad, the gripper goes from the lower bound (closed) to the upper (open):

- ``n <= 3``: the first ``n`` of dx dy dz;
- ``n = 4``: dx dy dz, gripper (Fetch and its kin);
- ``n = 5, 6``: the first ``n`` of dx dy dz droll dpitch dyaw;
- ``n >= 7``: all seven, the rest in the middle of its bounds.

An environment that reads its action otherwise (torques) gets these numbers as they are.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import mujoco
import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput, InvalidShape
from workbench.core.geometry import quat_from_matrix
from workbench.core.protocols import OnSlice, SimulatorSpec, View
from workbench.core.types import ACTION_DIM, PROPRIO, PROPRIO_DIM, CameraRequest, EpisodeConfig, Observation, SimState, StepResult, Takeover
from workbench.simulation.cameras import BenchView, SceneRenderer, make_pinhole
from workbench.simulation.gym_loading import find_ee, find_fingers, in_words, make_environment, viewer_camera
from workbench.simulation.observations import LazyMapping, Moment

FULL_MOVE: Final = 0.05
"""Delta position that fills the environment's bounds [m]."""
FULL_TURN: Final = 0.25
"""Delta rotation that fills the environment's bounds [rad]."""
FREE_CAMERA: Final = "view"
"""Name of the camera that the environment's viewer would start with."""

_STATE: Final = mujoco.mjtState.mjSTATE_INTEGRATION
_SUGGESTED: Final = ("FetchPickAndPlace-v4", "FetchPush-v4", "FetchReach-v4", "FetchSlide-v4", "Pusher-v5", "Reacher-v5")


class GymSimulator:
    """Implements the core's ``Simulator``; make, use and close it in one thread.

    A control step is one slice: Gymnasium steps an environment as a whole. A halt replaces the action by the middle of the bounds.
    """

    def __init__(self) -> None:
        self._env: Any = None
        self._renderer: SceneRenderer | None = None
        self._moment = Moment()
        self._step = 0

    @property
    def spec(self) -> SimulatorSpec:
        """Fixed facts of the present environment."""
        cameras: tuple[str, ...] = (FREE_CAMERA,)
        period = 0.0
        if self._env is not None:
            model = self._env.model
            cameras = (FREE_CAMERA, *(n for n in (model.camera(i).name for i in range(model.ncam)) if n))
            period = float(model.opt.timestep)
        return SimulatorSpec("gym", cameras, _SUGGESTED, period, 1)

    @property
    def control_hz(self) -> float:
        """Control steps a second of the present environment."""
        return 1.0 / float(self._env.dt)

    def reset(self, config: EpisodeConfig) -> str:
        """Make the environment, reset it with the seed, and return the instruction (the id in words when none was given).

        Raises:
            MissingDependency: Gymnasium is not installed.
            UnknownName: no environment is registered by that id.
            InvalidInput: the environment is not one on MuJoCo with a box of actions, or its control rate is another one.
        """
        env = make_environment(config)
        hz = 1.0 / float(env.dt)
        if abs(hz - config.control_hz) > 0.01 * hz:
            env.close()
            raise InvalidInput(
                "control rate", expected=f"{hz:g} Hz, the rate of {config.task}", found=f"{config.control_hz:g} Hz", fix=f"Set {hz:g} Hz."
            )
        self.close()
        self._env = env
        env.reset(seed=config.seed)
        # Some environments move a marker of the goal in the model when they draw; ours are drawn by another renderer.
        if hasattr(env, "_render_callback"):
            env._render_callback()
        self._memory = [name for name, value in sorted(vars(env).items()) if _is_number(value)]
        self._ee = find_ee(env.model, str(config.options.get("ee", "")))
        self._fingers = find_fingers(env.model)
        self._free = {FREE_CAMERA: viewer_camera(env)}
        self._command = 1.0
        self._step = 0
        self._is_success = False
        self._refresh()
        self._moment.advance()
        return config.instruction or in_words(config.task)

    def step(
        self,
        action: NDArray[np.float32],
        *,
        on_slice: OnSlice | None = None,
        halt_slice: int | None = None,
        takeover: Takeover | None = None,
    ) -> StepResult:
        """Advance one control step; see the module for how the action ``(7,)`` is read.

        Raises:
            InvalidShape: the action is not seven numbers.
        """
        values = np.asarray(action, dtype=np.float64)
        if values.shape != (ACTION_DIM,) or not np.all(np.isfinite(values)):
            raise InvalidShape("action", expected=(ACTION_DIM,), found=values.shape, dtype="finite float32")
        is_halted = halt_slice == 0 or (on_slice is not None and on_slice(0, self._physics()) is True)
        self._moment.advance()
        space = self._env.action_space
        if is_halted:
            sent = (0.5 * (space.low + space.high)).astype(space.dtype)
        else:
            sent = map_action(values, space.low, space.high).astype(space.dtype)
            self._command = float(np.clip(values[6], 0.0, 1.0))
        _, reward, terminated, _, info = self._env.step(sent)
        self._refresh()
        self._step += 1
        self._is_success = bool(info.get("is_success", info.get("success", False)))
        scores = {name: float(value) for name, value in info.items() if _is_scalar(value)}
        return StepResult(
            self._is_success, 0 if is_halted else None, scores={"reward": float(reward), "terminated": float(terminated), **scores}
        )

    def observe(self, cameras: Sequence[CameraRequest]) -> Observation:
        """Return the present observation; pictures are rendered when they are looked up, before the next step."""
        model, data = self._env.model, self._env.data
        return Observation(
            images=LazyMapping("picture", {c.name: partial(self._rgb, c) for c in cameras}, self._moment),
            depth=LazyMapping("depth picture", {c.name: partial(self._depth, c) for c in cameras}, self._moment),
            cameras={c.name: make_pinhole(model, data, c, self._free) for c in cameras},
            proprio=self._proprio(),
            step=self._step,
            time_s=self._step * float(self._env.dt),
        )

    def state(self) -> SimState:
        """Return the full state: physics, every number among the environment's own attributes, its random generator."""
        memory = [np.ravel(np.asarray(getattr(self._env, name), dtype=np.float64)) for name in self._memory]
        controller = np.concatenate([[float(self._step), self._command], *memory])
        rng = json.dumps(self._env.np_random.bit_generator.state, sort_keys=True).encode()
        return SimState(self._physics(), controller, rng)

    def restore(self, state: SimState) -> None:
        """Put a state of the same episode configuration back, exactly.

        Raises:
            InvalidInput: the state has another size than this environment's.
        """
        env = self._env
        size = mujoco.mj_stateSize(env.model, _STATE)
        num_memory = sum(np.size(getattr(env, name)) for name in self._memory)
        if state.physics.size != size or state.controller.size != 2 + num_memory:
            raise InvalidInput(
                "simulator state",
                expected=f"{size} physics and {2 + num_memory} controller numbers",
                found=f"{state.physics.size} and {state.controller.size}",
                fix="Reset with the episode's own configuration first.",
            )
        self._step, self._command = int(state.controller[0]), float(state.controller[1])
        at = 2
        for name in self._memory:
            old = getattr(env, name)
            part = state.controller[at : at + np.size(old)]
            at += np.size(old)
            setattr(env, name, part.reshape(old.shape).astype(old.dtype) if isinstance(old, np.ndarray) else type(old)(part[0]))
        mujoco.mj_setState(env.model, env.data, np.ascontiguousarray(state.physics), _STATE)
        env.np_random.bit_generator.state = json.loads(state.rng)
        self._refresh()
        self._moment.advance()

    def open_view(self) -> Callable[[], View]:
        """Return a factory, callable in another thread, of a view on the present environment."""
        return partial(BenchView, copy.copy(self._env.model), dict(self._free))

    def close(self) -> None:
        """Release everything; in the thread that used it."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None
        if self._env is not None:
            self._env.close()
            self._env = None

    def _refresh(self) -> None:
        """Bring what follows from the state up to date, so that going on and restoring see the same, bit for bit."""
        state = self._physics()
        mujoco.mj_forward(self._env.model, self._env.data)
        mujoco.mj_setState(self._env.model, self._env.data, state, _STATE)

    def _physics(self) -> NDArray[np.float64]:
        state = np.empty(mujoco.mj_stateSize(self._env.model, _STATE))
        mujoco.mj_getState(self._env.model, self._env.data, state, _STATE)
        return state

    def _proprio(self) -> NDArray[np.float32]:
        """Return ``(16,)``: the first seven hinge joints, the end-effector if one was found, the fingers if there are any."""
        model, data = self._env.model, self._env.data
        proprio = np.zeros(PROPRIO_DIM, dtype=np.float32)
        hinges = model.jnt_qposadr[model.jnt_type == int(mujoco.mjtJoint.mjJNT_HINGE)][:ACTION_DIM]
        proprio[: len(hinges)] = data.qpos[hinges]
        if self._ee.kind:
            position, matrix = (data.site_xpos, data.site_xmat) if self._ee.kind == "site" else (data.xpos, data.xmat)
            proprio[PROPRIO["ee_position"]] = position[self._ee.id]
            proprio[PROPRIO["ee_quaternion"]] = quat_from_matrix(matrix[self._ee.id].reshape(3, 3))
        if len(self._fingers):
            ranges = model.jnt_range[self._fingers]
            parts = (data.qpos[model.jnt_qposadr[self._fingers]] - ranges[:, 0]) / (ranges[:, 1] - ranges[:, 0])
            proprio[PROPRIO["gripper"]] = np.clip(parts.mean(), 0, 1)
        proprio[PROPRIO["gripper_command"]] = self._command
        return proprio

    def _get_renderer(self) -> SceneRenderer:
        if self._renderer is None:
            self._renderer = SceneRenderer(self._env.model, self._free)
        return self._renderer

    def _rgb(self, camera: CameraRequest) -> NDArray[np.uint8]:
        return self._get_renderer().rgb(self._env.data, camera)

    def _depth(self, camera: CameraRequest) -> NDArray[np.float32]:
        return self._get_renderer().depth(self._env.data, camera)


def map_action(action: NDArray[np.float64], low: NDArray[Any], high: NDArray[Any]) -> NDArray[np.float64]:
    """Return the environment's action ``(n,)`` for ours ``(7,)``, as the module describes; always within ``low`` and ``high``."""
    n = len(low)
    middle, half = 0.5 * (low + high).astype(np.float64), 0.5 * (high - low).astype(np.float64)
    unit = np.concatenate([action[:3] / FULL_MOVE, action[3:6] / FULL_TURN, [2.0 * action[6] - 1.0]])
    order = [0, 1, 2, 6] if n == 4 else list(range(min(n, 6 if n < 7 else 7)))
    sent = middle.copy()
    sent[: len(order)] += half[: len(order)] * np.clip(unit[order], -1.0, 1.0)
    return sent


def _is_number(value: object) -> bool:
    """Tell whether an attribute is a number, or an array of numbers."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "fiub"
    return isinstance(value, (bool, int, float, np.floating, np.integer, np.bool_))


def _is_scalar(value: object) -> bool:
    return _is_number(value) and np.size(np.asarray(value)) == 1
