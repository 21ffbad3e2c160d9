"""The contracts between storeys. Each has at least two real implementations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from workbench.core.anatomy import Anatomy
from workbench.core.events import EpisodeEnd, EpisodeStart, Event
from workbench.core.geometry import Pinhole
from workbench.core.masks import Candidate, Embedding, MaskPrompt, ObjectIds, Picture, TrackedMask
from workbench.core.types import ActionChunk, CameraRequest, EpisodeConfig, Observation, Prompt, SimState, Step, StepResult, Takeover

Quality = Literal["policy", "live", "still"]
"""``policy``: as the policy sees it, no shadows, no multi-sampling. ``live``: the stage while it moves. ``still``: best looking."""

OnSlice = Callable[[int, NDArray[np.float64]], bool | NDArray[np.float32]]
"""``on_slice(slice_index, physics)``: called several times within a control step, with the physics part of the state.

True halts; an action ``(7,)``, never given before the first slice, is executed by the slices that are left; False goes on.
"""


@dataclass(frozen=True)
class PolicySpec:
    """What a policy is, asks for and understands."""

    name: str
    cameras: tuple[CameraRequest, ...] = ()
    prompts: frozenset[str] = frozenset()
    """Any of ``text``, ``sketch``, ``trace``, ``mask``."""
    action_horizon: int = 1
    is_privileged: bool = False
    """True when it reads simulator truth; the page says so."""
    description: str = ""
    has_intention: bool = False
    """Whether its chunks tell what it is about to do; the page then asks it before it moves."""
    known_words: frozenset[str] = frozenset()
    """The only words that it understands; empty when it takes any text."""
    card: str = ""
    """Path of its model card, from the root of the project."""


@runtime_checkable
class Policy(Protocol):
    """Maps observations and a prompt to actions."""

    @property
    def spec(self) -> PolicySpec:
        """What it is, asks for and understands."""
        ...

    def reset(self, rng: np.random.Generator) -> None:
        """Forget the episode so far."""
        ...

    def act(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> ActionChunk:
        """Return the next actions."""
        ...


@runtime_checkable
class Interruptible(Protocol):
    """A policy that remembers what it told the robot to do, and is told when a person or a HALT made it do something else."""

    def interrupt(self) -> None:
        """Drop what was to come; called in the thread that calls ``act``."""
        ...


@runtime_checkable
class SteerablePolicy(Policy, Protocol):
    """A policy whose inside can be read and turned."""

    @property
    def module(self) -> object:
        """The network, a ``torch.nn.Module``; what acts is computed by it, in the thread that calls ``act``."""
        ...

    @property
    def sites(self) -> Anatomy:
        """Where it keeps its blocks, its token groups and its read-out."""
        ...


@dataclass(frozen=True)
class SimulatorSpec:
    """Fixed facts of a simulator."""

    name: str
    cameras: tuple[str, ...]
    tasks: tuple[str, ...]
    physics_period_s: float
    num_slices: int
    """Slices per control step: how often ``on_slice`` is called."""


class View(Protocol):
    """Draws states of one scene. Made and used in one thread, apart from the thread that steps the simulator."""

    def render(self, physics: NDArray[np.float64], camera: CameraRequest, quality: Quality) -> NDArray[np.uint8]:
        """Return ``(H, W, 3) uint8`` RGB of a state's ``physics`` part."""
        ...

    def pinhole(self, physics: NDArray[np.float64], camera: CameraRequest) -> Pinhole:
        """Return the camera's intrinsics and pose in that state."""
        ...

    def close(self) -> None:
        """Release the GL context; in the thread that used it."""
        ...


@runtime_checkable
class Surveyor(Protocol):
    """A view that also tells depth and truth; not every simulator's does."""

    def depth(self, physics: NDArray[np.float64], camera: CameraRequest) -> NDArray[np.float32]:
        """Return ``(H, W) float32`` metric z-depth [m] of a state's ``physics`` part."""
        ...

    def object_ids(self, physics: NDArray[np.float64], camera: CameraRequest) -> ObjectIds:
        """Return which thing is seen where, in that state."""
        ...


class Simulator(Protocol):
    """A world that is stepped by actions. Made, used and closed in one thread."""

    @property
    def spec(self) -> SimulatorSpec:
        """Fixed facts."""
        ...

    def reset(self, config: EpisodeConfig) -> str:
        """Build the scene of an episode, and return its instruction."""
        ...

    def step(
        self,
        action: NDArray[np.float32],
        *,
        on_slice: OnSlice | None = None,
        halt_slice: int | None = None,
        takeover: Takeover | None = None,
    ) -> StepResult:
        """Advance one control step with an action ``(7,)``.

        ``on_slice`` may pace, publish, halt, or change who acts: when it returns True the arm's targets are frozen where the arm is for
        the rest of the control step, when it returns an action, the rest of the step follows that. ``halt_slice`` and ``takeover`` replay
        what it did.
        """
        ...

    def observe(self, cameras: Sequence[CameraRequest]) -> Observation:
        """Return the present observation; pictures are rendered when they are looked up."""
        ...

    def state(self) -> SimState:
        """Return the full state."""
        ...

    def restore(self, state: SimState) -> None:
        """Put a state of the same episode configuration back, exactly."""
        ...

    def open_view(self) -> Callable[[], View]:
        """Return a factory, callable in another thread, of a view on the present scene."""
        ...

    def close(self) -> None:
        """Release everything; in the thread that used it."""
        ...


PolicyFactory = Callable[[Simulator], Policy]
"""Makes a policy for one simulator, in the thread that steps it, after the simulator was reset."""


@dataclass(frozen=True)
class SegmenterSpec:
    """What a segmenter is."""

    name: str
    description: str = ""
    is_privileged: bool = False
    """True when it reads simulator truth; everything made with it says so."""
    tracks_by: str = "association"
    """How its tracker works, in a word: ``memory`` (a learned one), ``association`` (nearest of its masks in place, colour and shape), ``colour``
    (the same, of masks grown by colour from its first one) or ``truth``."""
    is_live: bool = True
    """Whether it keeps up with a live stage on a CPU; the page warns when not."""


class Segmenter(Protocol):
    """Finds the object that a person points at. Any thread may call it, one call at a time."""

    @property
    def spec(self) -> SegmenterSpec:
        """What it is."""
        ...

    def embed(self, picture: Picture) -> Embedding:
        """Look at a picture once; the costly part."""
        ...

    def segment(self, embedding: Embedding, prompt: MaskPrompt) -> tuple[Candidate, ...]:
        """Return one to three masks for a prompt that is not empty, best first; more than one only for an ambiguous prompt."""
        ...

    def make_tracker(self) -> Tracker:
        """Return a tracker with a memory of its own; weights are shared."""
        ...


class Tracker(Protocol):
    """Follows objects through a stream of pictures of one size, with a memory that stays bounded. Used by one thread."""

    def start(self, picture: Picture) -> None:
        """Forget every object; this is the present frame."""
        ...

    def prompt(self, object_id: str, prompt: MaskPrompt) -> TrackedMask:
        """Add an object on the present frame, or correct one; what is remembered of it and of the others stays."""
        ...

    def track(self, picture: Picture) -> Mapping[str, TrackedMask]:
        """Go on to the next frame; return every object's mask there."""
        ...

    def remove(self, object_id: str) -> None:
        """Follow an object no longer; an unknown one is no error."""
        ...


class RolloutObserver(Protocol):
    """Told of everything in a rollout, in the stepping thread; must return at once."""

    def on_start(self, start: EpisodeStart) -> None:
        """Called before the first step of an episode."""
        ...

    def on_step(self, step: Step) -> None:
        """Called after each step."""
        ...

    def on_event(self, episode_id: str, event: Event) -> None:
        """Called for each event, in order."""
        ...

    def on_end(self, end: EpisodeEnd) -> None:
        """Called once after the last step."""
        ...
