"""The bench: the simulator of our own scenes and tasks."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import mujoco
import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput
from workbench.core.protocols import OnSlice, SimulatorSpec, View
from workbench.core.types import ACTION_DIM, PROPRIO, PROPRIO_DIM, CameraRequest, EpisodeConfig, Observation, SimState, StepResult, Takeover
from workbench.simulation.appearance import CAMERAS
from workbench.simulation.build import build_model
from workbench.simulation.cameras import BenchView, GeomNames, SceneRenderer, make_gl, make_pinhole
from workbench.simulation.controllers import DeltaPoseController, Kinematics, check_action
from workbench.simulation.episode_options import apply_options
from workbench.simulation.noise import Noise, read_noise
from workbench.simulation.noise_process import NoiseProcess
from workbench.simulation.observations import LazyMapping, Moment
from workbench.simulation.rig import find_rig
from workbench.simulation.robot import PHYSICS_PERIOD_S
from workbench.simulation.scene import Scene, TaskInstance
from workbench.simulation.stepping import Stepper
from workbench.simulation.task import Task
from workbench.simulation.tasks import TASKS
from workbench.simulation.world import ARM, GRIPPER, World

SLICE_PERIOD_S: Final = 0.01
"""Time between two calls of ``on_slice`` [s]."""
STATE: Final = mujoco.mjtState.mjSTATE_INTEGRATION
"""What ``SimState.physics`` holds: everything the integrator needs, warm start included."""
_SETTLE_S: Final = 0.25
"""Props are put down and come to rest before an episode starts [s]."""


def count_periods(long_s: float, short_s: float, what: str) -> int:
    """Return how often ``short_s`` fits in ``long_s``.

    Raises:
        InvalidInput: it does not fit a whole number of times.
    """
    count = round(long_s / short_s)
    if count < 1 or abs(count * short_s - long_s) > 1e-9:
        raise InvalidInput(what, expected=f"a period that is a multiple of {short_s} s", found=f"{long_s:.6g} s", fix="Use 20 or 10 Hz.")
    return count


class BenchSimulator:
    """Implements the core's ``Simulator``; make, use and close it in one thread."""

    def __init__(self) -> None:
        self._moment = Moment()
        self._gl: mujoco.GLContext | None = None
        self._renderer: SceneRenderer | None = None
        self._robot: str | None = None
        self._kinematics: Kinematics
        self._foreign_start: NDArray[np.float64] | None = None
        self._config: EpisodeConfig | None = None
        self.task: Task
        """The task of the present episode."""
        self.instance: TaskInstance
        """Its scene, instruction, roles and numbers."""
        self.world: World
        """Truth about the present scene."""

    @property
    def spec(self) -> SimulatorSpec:
        """Fixed facts; the number of slices is that of the present episode's control rate (20 Hz before the first)."""
        hz = self._config.control_hz if self._config else 20.0
        return SimulatorSpec("bench", CAMERAS, tuple(e.name for e in TASKS), PHYSICS_PERIOD_S, round(1.0 / hz / SLICE_PERIOD_S))

    @property
    def config(self) -> EpisodeConfig:
        """Configuration of the present episode."""
        assert self._config is not None, "reset was not called"
        return self._config

    @property
    def control_hz(self) -> float:
        """Control steps a second of the present episode."""
        assert self._config is not None, "reset was not called"
        return self._config.control_hz

    @property
    def kinematics(self) -> Kinematics:
        """Kinematics of the arm, on data of its own; use it in the simulator's thread."""
        return self._kinematics

    @property
    def model(self) -> mujoco.MjModel:
        """The compiled model of the present scene; do not write to it."""
        return self._model

    def reset(self, config: EpisodeConfig, *, instance: TaskInstance | None = None) -> str:
        """Build the scene of an episode, let it come to rest, and return its instruction.

        Args:
            config: which task, and the seed that draws its scene.
            instance: a scene and goal of that task to use in place of the drawn ones, with the episode's options in it already.

        Raises:
            UnknownName: there is no such task, or no such option.
            InvalidInput: the control rate does not divide into slices, an option's value is wrong, or the robot file has no arm.
        """
        if config.robot and "start" in config.options:
            raise InvalidInput("option 'start'", expected="the built-in arm", found=config.robot)
        task = TASKS.load(config.task)
        if not config.control_hz > 0:
            raise InvalidInput("control rate", expected="a positive number of Hz", found=str(config.control_hz))
        period_s = 1.0 / config.control_hz
        num_slices = count_periods(period_s, SLICE_PERIOD_S, "control rate")
        num_substeps = count_periods(SLICE_PERIOD_S, PHYSICS_PERIOD_S, "slice")
        rng = np.random.default_rng(config.seed)
        instance = apply_options(task.initialize(rng), config.options) if instance is None else instance
        model = build_model(instance.scene, config.robot)
        if self._robot != config.robot:
            kinematics = Kinematics(build_model(Scene(()), config.robot))
            # The scene's angles are those of the built-in arm; another one starts at about the same pose.
            self._foreign_start = kinematics.find_start() if config.robot else None
            self._kinematics, self._robot = kinematics, config.robot
        self._close_renderer()
        self._config, self.task, self.instance, self._rng = config, task, instance, rng
        self._num_slices, self._num_substeps = num_slices, num_substeps
        self._model, self._data = model, mujoco.MjData(model)
        self._stepper, self._num_physics = Stepper(model, self._data, keeps_lock=not config.robot), mujoco.mj_stateSize(model, STATE)
        self._rig = find_rig(model)
        self._controller = controller = DeltaPoseController(self._kinematics, self._rig, period_s)
        # Not a method of ours: a circle of references would keep the model until the garbage collector runs.
        self.world = World(model, self._data, instance.scene, self._rig, lambda: controller.gripper)
        self._noise: NoiseProcess | None = None
        self._settle()
        self._step = 0
        self._moment.advance()
        self.world.progress = task.start()
        self.world.mark_start()
        self._begin_noise(config)
        return config.instruction or instance.instruction

    def _settle(self) -> None:
        """Put the robot and the movable parts in place, and let things come to rest."""
        scene, rig, data = self.instance.scene, self._rig, self._data
        joints = np.array(scene.arm_joints, dtype=float) if self._foreign_start is None else self._foreign_start
        self._kinematics.set_posture(joints)
        data.qpos[rig.qpos] = joints
        data.qpos[rig.fingers] = rig.finger_closed + scene.gripper * (rig.finger_open - rig.finger_closed)
        for prop in scene.props:
            if prop.opening:
                name = next(n for n in ("slide", "turn", "press") if _has_joint(self._model, f"{prop.name}/{n}"))
                data.joint(f"{prop.name}/{name}").qpos[0] = prop.opening
        self._controller.reset(joints, scene.gripper)
        self._controller.write(data.ctrl[None], np.ones(1))
        for _ in range(round(_SETTLE_S / PHYSICS_PERIOD_S)):
            mujoco.mj_step(self._model, data)
        data.time = 0.0
        self._refresh()

    def _begin_noise(self, config: EpisodeConfig) -> None:
        noise = read_noise(config.options.get("noise", {}))
        if replace(noise, seed=0) != Noise():
            self._noise = NoiseProcess(noise, self._model, self._rig, config.control_hz)
            self._noise.start(self._physics(), self._proprio(), self._controller.gripper)

    def _refresh(self) -> None:
        """Bring what follows from the state (poses, contacts) up to date, without touching the state."""
        state = self._physics()
        mujoco.mj_forward(self._model, self._data)
        mujoco.mj_setState(self._model, self._data, state, STATE)

    def step(
        self,
        action: NDArray[np.float32],
        *,
        on_slice: OnSlice | None = None,
        halt_slice: int | None = None,
        takeover: Takeover | None = None,
    ) -> StepResult:
        """Advance one control step with an action ``(7,)``.

        ``on_slice(i, physics)`` is called before slice ``i`` runs. When it returns True, or ``i == halt_slice``, the arm's targets are
        frozen where the arm is, and its brakes engaged, for the rest of the control step. When it returns an action, or there is a
        ``takeover`` in this slice, the slices that are left follow that; chance, which acts on whole steps, spares them.

        Raises:
            InvalidShape: the action is not seven finite numbers.
        """
        data, controller = self._data, self._controller
        gripper_before = controller.gripper
        controller.begin(action if self._noise is None else self._disturb(action))
        self._moment.advance()
        halted: int | None = None
        for index in range(self._num_slices):
            if halted is None:
                wish = _wish_again(index, halt_slice, takeover) if on_slice is None else on_slice(index, self._physics())
                if isinstance(wish, np.ndarray):
                    takeover = Takeover(index, wish)
                    controller.take_over(wish, index / self._num_slices)
                elif wish:
                    halted = index
                    controller.gripper = gripper_before if index == 0 else controller.gripper
            if halted is None:
                self._stepper.run(self._ramp(index))
                continue
            for _ in range(self._num_substeps):
                controller.brake(self._model, data)
                mujoco.mj_step(self._model, data)
        if halted is not None:
            controller.release_brake(data)
        self._refresh()
        self._step += 1
        self.world.progress = self.task.update(self.world.progress, self.world, self.instance)
        is_success = self.task.is_success(self.world, self.instance)
        return StepResult(is_success, halted, takeover, self.task.scores(self.world, self.instance))

    def _ramp(self, index: int) -> NDArray[np.float64]:
        """Return the actuators' targets ``(num_substeps, nu)`` in a slice."""
        controls = np.empty((self._num_substeps, self._model.nu))
        controls[:] = self._data.ctrl
        self._controller.write(controls, (index + np.arange(1, self._num_substeps + 1) / self._num_substeps) / self._num_slices)
        return controls

    def _disturb(self, action: NDArray[np.float32]) -> NDArray[np.float32]:
        """Let chance act before a step; return the action that is executed."""
        assert self._noise is not None, "no noise in this episode"
        check_action(action)
        self._noise.leave(self._physics(), self._proprio())
        self._noise.disturb(self._step, self._data, self.world)
        return self._noise.execute(self._step, action)

    def observe(self, cameras: Sequence[CameraRequest]) -> Observation:
        """Return the present observation; pictures are rendered when they are looked up, before the next step."""
        data, proprio = self._data, self._proprio()
        if self._noise is not None:
            data, proprio = self._noise.seen(self._step, data), self._noise.measured(self._step, proprio)
        return Observation(
            images=LazyMapping("picture", {c.name: partial(self._rgb, data, c) for c in cameras}, self._moment),
            depth=LazyMapping("depth picture", {c.name: partial(self._depth, data, c) for c in cameras}, self._moment),
            cameras={c.name: make_pinhole(self._model, data, c) for c in cameras},
            proprio=proprio,
            step=self._step,
            time_s=self.world.time_s,
        )

    def object_ids(self, camera: CameraRequest) -> tuple[NDArray[np.int32], tuple[str, ...]]:
        """Return ``(H, W) int32`` indices into a tuple of names (props, ``gripper``, ``arm``, ``table``, ...), -1 for nothing."""
        owners = self.world.geom_owners
        names = tuple(dict.fromkeys(owners))
        table = np.array([names.index(owner) for owner in owners] + [-1], dtype=np.int32)
        return table[self._get_renderer().geom_ids(self._data, camera)], names

    def _proprio(self) -> NDArray[np.float32]:
        proprio = np.zeros(PROPRIO_DIM, dtype=np.float32)
        joints = self.world.joints[:ACTION_DIM]
        # A robot with fewer joints leaves zeros, one with more shows its first seven.
        proprio[: len(joints)] = joints
        proprio[PROPRIO["ee_position"]] = self.world.ee_position
        proprio[PROPRIO["ee_quaternion"]] = self.world.ee_quaternion
        proprio[PROPRIO["gripper"]] = self.world.gripper
        proprio[PROPRIO["gripper_command"]] = self._controller.gripper
        return proprio

    def state(self) -> SimState:
        """Return the full state; :meth:`restore` puts it back exactly."""
        noise = np.zeros(0) if self._noise is None else self._noise.save()
        controller = np.concatenate([[float(self._step)], self._controller.save(), self.world.progress, noise])
        rng = json.dumps(self._rng.bit_generator.state, sort_keys=True).encode()
        return SimState(self._physics(), controller, rng)

    def restore(self, state: SimState) -> None:
        """Put a state of the same episode configuration back, exactly.

        Raises:
            InvalidInput: the state has another size than this scene's.
        """
        num_physics = self._num_physics
        num_joints = 8 + self._rig.num_joints
        num_memory = 1 + num_joints + self.task.num_progress
        num_controller = num_memory + (0 if self._noise is None else self._noise.size)
        if state.physics.shape != (num_physics,) or state.controller.shape != (num_controller,):
            raise InvalidInput(
                "simulator state",
                expected=f"{num_physics} physics and {num_controller} controller numbers of task {self.task.name!r}",
                found=f"{state.physics.size} and {state.controller.size}",
                fix="Reset with the episode's own configuration first.",
            )
        mujoco.mj_setState(self._model, self._data, np.ascontiguousarray(state.physics), STATE)
        self._step = int(state.controller[0])
        self._controller.load(state.controller[1 : 1 + num_joints])
        self.world.progress = state.controller[1 + num_joints : num_memory].copy()
        self._rng.bit_generator.state = json.loads(state.rng)
        if self._noise is not None:
            self._noise.load(state.controller[num_memory:], self._step)
        self._refresh()
        self._moment.advance()

    def open_view(self) -> Callable[[], View]:
        """Return a factory, callable in another thread, of a view on the present scene."""
        props = {prop.name: prop.label for prop in self.instance.scene.props}
        things = {*props, GRIPPER, ARM}
        owners = tuple(owner if owner in things else "" for owner in self.world.geom_owners)
        return partial(BenchView, self._model, names=GeomNames(owners, props))

    def close(self) -> None:
        """Release everything; in the thread that used it."""
        self._close_renderer()
        if self._gl is not None:
            self._gl.free()
            self._gl = None

    def _physics(self) -> NDArray[np.float64]:
        state = np.empty(self._num_physics)
        mujoco.mj_getState(self._model, self._data, state, STATE)
        return state

    def _get_renderer(self) -> SceneRenderer:
        if self._renderer is None:
            self._gl = make_gl() if self._gl is None else self._gl  # outlives the episode
            self._renderer = SceneRenderer(self._model, gl=self._gl)
        return self._renderer

    def _rgb(self, data: mujoco.MjData, camera: CameraRequest) -> NDArray[np.uint8]:
        picture = self._get_renderer().rgb(data, camera)
        return picture if self._noise is None else self._noise.picture(self._step, camera.name, picture)

    def _depth(self, data: mujoco.MjData, camera: CameraRequest) -> NDArray[np.float32]:
        return self._get_renderer().depth(data, camera)

    def _close_renderer(self) -> None:
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None


def _wish_again(index: int, halt_slice: int | None, takeover: Takeover | None) -> bool | NDArray[np.float32]:
    """Return what the listener of a step that is replayed wished in a slice."""
    if takeover is not None and index == takeover.slice:
        return takeover.action
    return index == halt_slice


def _has_joint(model: mujoco.MjModel, name: str) -> bool:
    return bool(mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_JOINT, name) >= 0)
