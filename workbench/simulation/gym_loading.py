"""Finding a Gymnasium environment, and what in its model is the end-effector, the fingers, the viewer's camera."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput, MissingDependency, UnknownName
from workbench.core.types import EpisodeConfig
from workbench.simulation.cameras import FreeCamera

_EE_WORDS: Final = ("grip", "ee", "tcp", "eef", "fingertip", "end_effector", "endeff")


class EndEffector(NamedTuple):
    """Where to read the end-effector's pose."""

    kind: str
    """``site`` or ``body``; empty where a model has none."""
    id: int


def make_environment(config: EpisodeConfig) -> Any:
    """Make the environment without its wrappers: time limits and checks are the rollout's.

    Raises:
        MissingDependency: Gymnasium is not installed.
        UnknownName: no environment is registered by that id.
        InvalidInput: it is not an environment on MuJoCo with a box of actions.
    """
    try:
        import gymnasium
    except ImportError as error:
        raise MissingDependency("The gym simulator", needs="gymnasium", install="pip install 'gymnasium[mujoco]'") from error
    _register_robotics(gymnasium)
    if config.task not in gymnasium.registry:
        raise UnknownName("Gymnasium environment", config.task, gymnasium.registry)
    try:
        env = gymnasium.make(config.task, **dict(config.options.get("make", {}))).unwrapped
    except (gymnasium.error.Error, ImportError, TypeError) as error:
        raise InvalidInput(
            f"Gymnasium environment {config.task}", expected="one that can be made here", found=str(error), fix="Try another version of it."
        ) from error
    has_physics = isinstance(getattr(env, "model", None), mujoco.MjModel) and isinstance(getattr(env, "data", None), mujoco.MjData)
    if not has_physics or not isinstance(env.action_space, gymnasium.spaces.Box) or len(env.action_space.shape) != 1:
        raise InvalidInput(
            f"Gymnasium environment {config.task}",
            expected="an environment on MuJoCo (`model` and `data`) with a one-dimensional Box of actions",
            found=f"{type(env).__name__} with {env.action_space}",
        )
    return env


def _register_robotics(gymnasium: Any) -> None:
    """Make the environments of gymnasium-robotics known, where it is installed."""
    try:
        import gymnasium_robotics
        from gymnasium_robotics.utils import mujoco_utils
    except ImportError:
        return
    if "FetchPickAndPlace-v4" not in gymnasium.registry:
        gymnasium.register_envs(gymnasium_robotics)
    # Its checks `joint_type in (enum, ...)` fail with MuJoCo 4, whose enums no longer equal numpy integers from the left
    # (seen with gymnasium-robotics 1.4.2): give that one module plain integers.
    hinge = mujoco.mjtJoint.mjJNT_HINGE
    if np.int32(int(hinge)) not in (hinge,) and isinstance(mujoco_utils.mujoco, type(mujoco)):
        kinds = {name: int(kind) for name, kind in mujoco.mjtJoint.__members__.items()}
        mujoco_utils.mujoco = SimpleNamespace(**{**vars(mujoco), "mjtJoint": SimpleNamespace(**kinds)})


def find_ee(model: mujoco.MjModel, wanted: str) -> EndEffector:
    """Find the site or body of that name, or when ``wanted`` is empty the first whose name says that it is the end-effector.

    Raises:
        UnknownName: there is none of the name wanted.
    """
    things = [("site", i, model.site(i).name) for i in range(model.nsite)] + [("body", i, model.body(i).name) for i in range(model.nbody)]
    if wanted:
        for kind, index, name in things:
            if name == wanted:
                return EndEffector(kind, index)
        raise UnknownName("site or body", wanted, [name for _, _, name in things if name])
    for kind, index, name in things:
        if any(word in re.split(r"[^a-z_]+", name.lower()) for word in _EE_WORDS):
            return EndEffector(kind, index)
    return EndEffector("", -1)


def find_fingers(model: mujoco.MjModel) -> NDArray[np.int64]:
    """Return ``(f,)``, the ids of the sliding finger joints."""
    is_finger = [
        "finger" in model.joint(j).name and model.jnt_type[j] == int(mujoco.mjtJoint.mjJNT_SLIDE) and bool(model.jnt_limited[j])
        for j in range(model.njnt)
    ]
    return np.flatnonzero(is_finger)


def viewer_camera(env: Any) -> FreeCamera:
    """Return the camera that the environment asks its viewer for, or MuJoCo's own choice."""
    default = mujoco.MjvCamera()
    mujoco.mjv_defaultFreeCamera(env.model, default)
    asked = getattr(getattr(env, "mujoco_renderer", None), "default_cam_config", None) or {}
    target = np.asarray(asked.get("lookat", default.lookat), dtype=float)
    azimuth, elevation = float(asked.get("azimuth", default.azimuth)), float(asked.get("elevation", default.elevation))
    x, y, z = target.tolist()
    return FreeCamera((x, y, z), float(asked.get("distance", default.distance)), float(np.deg2rad(azimuth)), float(np.deg2rad(elevation)))


def in_words(name: str) -> str:
    """Return ``pick and place`` for ``FetchPickAndPlace-v4``: the id without its version, in lower-case words."""
    stem = re.sub(r"-v\d+$", "", name.rsplit("/", 1)[-1])
    return " ".join(re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", stem)).lower()
