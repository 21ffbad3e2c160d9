"""The data of one control tick, as frozen dataclasses."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput, InvalidShape
from workbench.core.geometry import Pinhole
from workbench.core.sketches import Sketch, SketchPlan

ACTION_DIM: Final = 7
ACTION_NAMES: Final = ("dx", "dy", "dz", "droll", "dpitch", "dyaw", "gripper")
ACTION_UNITS: Final = ("m", "m", "m", "rad", "rad", "rad", "")
PROPRIO_DIM: Final = 16
PROPRIO: Final[Mapping[str, slice]] = MappingProxyType(
    {
        "joints": slice(0, 7),
        "ee_position": slice(7, 10),
        "ee_quaternion": slice(10, 14),
        "gripper": slice(14, 15),
        "gripper_command": slice(15, 16),
    }
)
"""Where each quantity lies in the ``(16,)`` proprioception vector; units as in :mod:`workbench.core`."""


class Actor(StrEnum):
    """Who decided the executed action of a step."""

    POLICY = "policy"
    HUMAN = "human"
    HOLD = "hold"


class Interaction(StrEnum):
    """What to do with a masked object."""

    APPROACH = "approach"
    GRASP = "grasp"
    PLACE_ON = "place_on"
    PUSH = "push"
    PRESS = "press"
    OPEN = "open"
    CLOSE = "close"
    TURN = "turn"


@dataclass(frozen=True)
class CameraRequest:
    """A picture that a policy or a view asks for."""

    name: str
    width: int = 224
    height: int = 224


@dataclass(frozen=True, eq=False)
class Observation:
    """What a policy sees at one control step.

    The mappings may be lazy: a picture is rendered when it is first looked up, and only while this step is current.
    """

    images: Mapping[str, NDArray[np.uint8]]
    """Camera name -> ``(H, W, 3) uint8`` RGB."""
    depth: Mapping[str, NDArray[np.float32]]
    """Camera name -> ``(H, W) float32`` metric z-depth [m]; empty where the simulator has none."""
    cameras: Mapping[str, Pinhole]
    """Camera name -> intrinsics and pose for the size of that picture."""
    proprio: NDArray[np.float32]
    """``(16,) float32``, see :data:`PROPRIO`."""
    step: int
    time_s: float

    def part(self, name: str) -> NDArray[np.float32]:
        """Return one named part of the proprioception vector, for example ``ee_position`` ``(3,)`` [m]."""
        return self.proprio[PROPRIO[name]]

    @property
    def ee_position(self) -> NDArray[np.float64]:
        """Place of the end-effector ``(3,)`` in the world [m]."""
        return self.part("ee_position").astype(np.float64)

    @property
    def ee_quaternion(self) -> NDArray[np.float64]:
        """Turn of the end-effector ``(4,)``, wxyz."""
        return self.part("ee_quaternion").astype(np.float64)

    @property
    def gripper_command(self) -> float:
        """The opening that the gripper was told last, 0 closed to 1 open."""
        return float(self.part("gripper_command")[0])


@dataclass(frozen=True)
class Trace:
    """A 2-D path on the image of a named camera."""

    camera: str
    width: int
    height: int
    points: tuple[tuple[float, float], ...]
    """Ordered pixels (u, v) of a ``width`` x ``height`` frame."""
    times_s: tuple[float, ...] | None = None
    depths_m: tuple[float, ...] | None = None
    gripper: tuple[float, ...] | None = None
    source: str = "human"
    """``human`` or ``model``."""
    parent_id: str | None = None
    weight: float = 1.0
    """How much it counts for a policy that weighs it against its own wish: 0 the policy alone, 1 the trace alone."""


@dataclass(frozen=True, eq=False)
class Mask:
    """A binary mask on the image of a named camera."""

    camera: str
    pixels: NDArray[np.bool_]
    """``(H, W) bool``."""
    source: str = "human"
    """``human``, ``tracker`` or ``oracle``."""
    newest: Callable[[], Mask] | None = None
    """Where the object is tracked beside the loop: returns its newest mask, at once, in any thread."""


@dataclass(frozen=True, eq=False)
class Prompt:
    """What the policy is told now; any combination, also none, is allowed."""

    text: str = ""
    sketch: Sketch | None = None
    plan: SketchPlan | None = None
    trace: Trace | None = None
    mask: Mask | None = None
    interaction: Interaction | None = None
    id: str = ""
    """Id of the event that set this prompt; empty for the prompt an episode starts with."""


@dataclass(frozen=True, eq=False)
class Target:
    """Where on a picture a policy says that the thing is which it means."""

    camera: str
    point: tuple[float, float]
    """Image coordinates (u / W, v / H), 0..1."""
    role: str = "target"
    """``target``, or ``goal`` for where a thing shall go."""
    confidence: float = 1.0
    """How much of the policy's target map lies near the point, 0..1."""
    heatmap: NDArray[np.float32] | None = None
    """``(h, w) float32`` over the whole picture, sums to at most 1."""


@dataclass(frozen=True, eq=False)
class Intention:
    """What a policy says it is about to do; drawn on the stage, never needed for control."""

    trace: Trace | None = None
    targets: tuple[Target, ...] = ()
    confidences: NDArray[np.float32] | None = None
    """``(T, 7) float32``: probability of the chosen bin of each action token."""
    entropies: NDArray[np.float32] | None = None
    """``(T, 7) float32`` [nat]."""
    proposals: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """Whose wish -> where it would take the end-effector next, ``(N, 3)`` in the world [m]; when several are weighed against each other."""


@dataclass(frozen=True, eq=False)
class ActionDistribution:
    """How probable a policy finds each value of each action of a chunk: what candidates are drawn from."""

    probabilities: NDArray[np.float32]
    """``(T, 7, B) float32``, each row sums to 1."""
    centres: NDArray[np.float32]
    """``(7, B) float32``: the value of every bin, rising; units as those of an action."""


@dataclass(frozen=True, eq=False)
class ActionChunk:
    """One or more consecutive actions."""

    actions: NDArray[np.float32]
    """``(T, 7) float32``: dx dy dz [m], droll dpitch dyaw [rad], gripper 0..1; base frame, per control step."""
    control_hz: float
    scores: Mapping[str, float] = field(default_factory=dict)
    intention: Intention | None = None
    distribution: ActionDistribution | None = None
    """What the actions were read from, where the policy tells it."""

    def __post_init__(self) -> None:
        shape = np.shape(self.actions)
        if len(shape) != 2 or shape[0] < 1 or shape[1] != ACTION_DIM:
            raise InvalidShape("action chunk", expected=("T >= 1", ACTION_DIM), found=shape, dtype="float32")


_STATE_HEADER: Final = struct.Struct("<4sIII")
_STATE_MAGIC: Final = b"VWS1"


@dataclass(frozen=True, eq=False)
class SimState:
    """The full state of a simulator; opaque to everyone but the simulator that made it. Restoring it is exact."""

    physics: NDArray[np.float64]
    """``(n,) float64``: everything the physics integrator needs, warm start included."""
    controller: NDArray[np.float64]
    """``(k,) float64``: targets and counters of the low-level controller."""
    rng: bytes
    """State of the simulator's random generator."""

    def to_bytes(self) -> bytes:
        """Serialise; :meth:`from_bytes` gives an equal state bit for bit."""
        header = _STATE_HEADER.pack(_STATE_MAGIC, self.physics.size, self.controller.size, len(self.rng))
        return header + self.physics.astype("<f8").tobytes() + self.controller.astype("<f8").tobytes() + self.rng

    @staticmethod
    def from_bytes(blob: bytes) -> SimState:
        """Read what :meth:`to_bytes` wrote.

        Raises:
            InvalidInput: the bytes are not a state, or are cut short.
        """
        if len(blob) < _STATE_HEADER.size:
            raise InvalidInput("simulator state", expected=f"at least {_STATE_HEADER.size} bytes", found=f"{len(blob)}")
        magic, num_physics, num_controller, num_rng = _STATE_HEADER.unpack_from(blob)
        size = _STATE_HEADER.size + 8 * (num_physics + num_controller) + num_rng
        if magic != _STATE_MAGIC or len(blob) != size:
            raise InvalidInput(
                "simulator state",
                expected=f"{size} bytes starting with {_STATE_MAGIC!r}",
                found=f"{len(blob)} bytes starting with {magic!r}",
            )
        start = _STATE_HEADER.size
        physics = np.frombuffer(blob, "<f8", num_physics, start).astype(np.float64)
        controller = np.frombuffer(blob, "<f8", num_controller, start + 8 * num_physics).astype(np.float64)
        return SimState(physics, controller, blob[start + 8 * (num_physics + num_controller) :])

    def equals(self, other: SimState) -> bool:
        """Tell whether both states are equal bit for bit."""
        return self.to_bytes() == other.to_bytes()


@dataclass(frozen=True)
class EpisodeConfig:
    """Everything that rebuilds the start of an episode: plain data, stored with it."""

    task: str
    """Name in the catalogue of tasks; with another simulator, what that simulator calls its task."""
    seed: int
    instruction: str = ""
    """Overrides the task's own instruction when not empty."""
    simulator: str = "bench"
    control_hz: float = 20.0
    robot: str = ""
    """Path of an MJCF robot, or empty for the built-in arm."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """JSON values for the simulator or the task, for example perturbations."""

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able dictionary."""
        return {
            "task": self.task,
            "seed": self.seed,
            "instruction": self.instruction,
            "simulator": self.simulator,
            "control_hz": self.control_hz,
            "robot": self.robot,
            "options": dict(self.options),
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> EpisodeConfig:
        """Read what :meth:`to_dict` wrote.

        Raises:
            InvalidInput: a field is missing, unknown or of the wrong type.
        """
        wanted: dict[str, Any] = {
            "task": str,
            "seed": int,
            "instruction": str,
            "simulator": str,
            "control_hz": (int, float),
            "robot": str,
            "options": Mapping,
        }
        unknown = set(data) - set(wanted)
        if unknown:
            raise InvalidInput("episode configuration", expected=f"fields {sorted(wanted)}", found=f"also {sorted(unknown)}")
        for name, kind in wanted.items():
            if name in data and (not isinstance(data[name], kind) or isinstance(data[name], bool)):
                raise InvalidInput(f"episode configuration, {name}", expected=str(kind), found=type(data[name]).__name__)
        if "task" not in data or "seed" not in data:
            raise InvalidInput("episode configuration", expected="at least 'task' and 'seed'", found=str(sorted(data)))
        return EpisodeConfig(**dict(data))

    def digest(self) -> str:
        """Return a short hash that is equal for equal configurations."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()[:16]


class Takeover(NamedTuple):
    """A change of who acts within a control step that has begun."""

    slice: int
    """From which slice on; the first is 0."""
    action: NDArray[np.float32]
    """``(7,) float32``, of a whole control step: the slices that are left execute their share of it."""


@dataclass(frozen=True, eq=False)
class StepResult:
    """What the simulator reports after one control step."""

    is_success: bool
    halt_slice: int | None = None
    """The slice at which motion was frozen by a halt, or None."""
    takeover: Takeover | None = None
    """What was executed in place of the step's action from one of its slices on."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Named measurements of the task, for example ``distance_to_goal`` [m]."""


@dataclass(frozen=True, eq=False)
class Step:
    """One control step as it is recorded."""

    index: int
    time_s: float
    """Simulated time before the step [s]."""
    state: SimState
    """State before the step."""
    action: NDArray[np.float32]
    """``(7,) float32``, what was executed; in a step with a ``takeover``, until that."""
    proposal: NDArray[np.float32] | None
    """``(7,) float32``, what the policy wanted, also while somebody else acted."""
    actor: Actor
    is_success: bool
    """Whether the task was solved after the step."""
    halt_slice: int | None = None
    takeover: Takeover | None = None
    """The hand of a person who took over within the step."""
    prompt_id: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    policy_ms: float = 0.0
    step_ms: float = 0.0
    wall_time: float = 0.0
    """Unix time at the start of the step [s]."""
    proprio: NDArray[np.float32] | None = None
    """``(16,) float32`` before the step, see :data:`PROPRIO`; None where the simulator was not asked."""
