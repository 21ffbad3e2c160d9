"""Running a stored episode again, bit for bit; drawing any of its steps; the start of a branch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sessions.recorded import require_physics
from sessions.records import EpisodeInfo
from sessions.store import Store
from workbench.core.errors import InvalidInput, NotStored
from workbench.core.events import Event, EventKind
from workbench.core.geometry import Pinhole
from workbench.core.protocols import Quality, Simulator, View
from workbench.core.types import CameraRequest, EpisodeConfig, Prompt, SimState
from workbench.rollout.branching import MAX_LEAD, standing_at
from workbench.rollout.steering_marks import SteeringMark, joined, settled
from workbench.simulation.perturbations import apply_perturbation

MakeSimulator = Callable[[str], Simulator]
"""Makes the simulator of a name, in the thread that calls it: ``SIMULATORS.load``."""


@dataclass(frozen=True)
class Difference:
    """Where a replay left the recording."""

    step: int
    """The state before this step is the first that differs; the number of steps means the final state."""
    what: str
    """What differs, for the person."""


@dataclass(frozen=True)
class ReplayReport:
    """What a replay found."""

    episode_id: str
    num_steps: int
    num_compared: int
    """States compared: one more than steps when the episode has a final state."""
    difference: Difference | None

    @property
    def is_equal(self) -> bool:
        """Whether every state was equal bit for bit."""
        return self.difference is None


def replay(store: Store, episode_id: str, make_simulator: MakeSimulator) -> ReplayReport:
    """Run the recorded actions, halts, take-overs and perturbations again from the start, and compare every state bit for bit.

    Stops at the first difference. Makes, uses and closes a simulator in this thread.

    Raises:
        NotStored: there is no such episode.
        InvalidInput: steps are missing in the recording, or it comes from elsewhere and has no physics.
    """
    info = store.episode(episode_id)
    require_physics(info.config)
    pushes = _by_step(event for event in store.events(episode_id) if event.kind is EventKind.PERTURBATION)
    num_compared = 0
    with standing(info.config, make_simulator) as simulator:
        start = store.start_state(episode_id)
        if start is not None:
            simulator.restore(start)
        for step in store.steps(episode_id):
            if step.index != num_compared:
                raise InvalidInput(
                    "replay", expected=f"step {num_compared}", found=f"step {step.index}", fix="Steps were lost on a full disk."
                )
            _perturb(simulator, pushes.get(step.index, ()))
            difference = _compare(simulator.state(), step.state)
            if difference:
                return ReplayReport(episode_id, info.num_steps, num_compared + 1, Difference(step.index, difference))
            num_compared += 1
            result = simulator.step(step.action, halt_slice=step.halt_slice, takeover=step.takeover)
            if result.is_success != step.is_success:
                return ReplayReport(episode_id, info.num_steps, num_compared, Difference(step.index + 1, "success"))
        _perturb(simulator, pushes.get(num_compared, ()))
        return _with_final(store, info, num_compared, simulator.state())


def _with_final(store: Store, info: EpisodeInfo, num_steps: int, state: SimState) -> ReplayReport:
    """Compare the state after the last step, where it was recorded."""
    recorded = store.final_state(info.id)
    if recorded is None:
        return ReplayReport(info.id, info.num_steps, num_steps, None)
    what = _compare(state, recorded)
    return ReplayReport(info.id, info.num_steps, num_steps + 1, Difference(num_steps, what) if what else None)


@contextlib.contextmanager
def standing(config: EpisodeConfig, make_simulator: MakeSimulator) -> Iterator[Simulator]:
    """Give a simulator that stands at the start of a configuration, and close it afterwards; use it in this thread."""
    simulator = make_simulator(config.simulator)
    try:
        simulator.reset(config)
        yield simulator
    finally:
        simulator.close()


def _by_step(events: Iterator[Event]) -> dict[int, list[Event]]:
    found: dict[int, list[Event]] = {}
    for event in events:
        found.setdefault(event.step, []).append(event)
    return found


def _perturb(simulator: Simulator, events: Sequence[Event]) -> None:
    for event in events:
        apply_perturbation(simulator, event.payload)


def _compare(found: SimState, recorded: SimState) -> str:
    """Return what differs between two states, or nothing."""
    for name in ("physics", "controller"):
        a, b = getattr(found, name), getattr(recorded, name)
        if a.shape != b.shape:
            return f"{name}: {a.size} numbers instead of {b.size}"
        if a.tobytes() != b.tobytes():
            unlike = np.flatnonzero(a.view(np.uint64) != b.view(np.uint64))
            return f"{name}: {unlike.size} of {a.size} numbers, by up to {float(np.nanmax(np.abs(a - b))):.3g}"
    return "" if found.rng == recorded.rng else "random generator"


class EpisodeView:
    """Draws the steps of one stored episode; use it in one thread. See :func:`open_episode_view`."""

    def __init__(self, store: Store, info: EpisodeInfo, view: View) -> None:
        self._store, self._view = store, view
        self.info = info
        """The head of the episode."""

    def image(self, step: int, camera: CameraRequest, quality: Quality = "still") -> NDArray[np.uint8]:
        """Return ``(H, W, 3) uint8`` RGB of the state before a step, from any camera; errors as ``Store.state_at``."""
        return self.draw(self._store.state_at(self.info.id, step), camera, quality)

    def draw(self, state: SimState, camera: CameraRequest, quality: Quality = "still") -> NDArray[np.uint8]:
        """Return ``(H, W, 3) uint8`` RGB of a state of this episode."""
        return self._view.render(state.physics, camera, quality)

    def pinhole(self, step: int, camera: CameraRequest) -> Pinhole:
        """Return the camera's intrinsics and pose before a step; errors as ``Store.state_at``."""
        return self._view.pinhole(self._store.state_at(self.info.id, step).physics, camera)


@contextlib.contextmanager
def open_episode_view(store: Store, episode_id: str, make_simulator: MakeSimulator) -> Iterator[EpisodeView]:
    """Build the scene of a stored episode and open a view on it in this thread; raises NotStored when there is none."""
    info = store.episode(episode_id)
    with standing(info.config, make_simulator) as simulator:
        view = simulator.open_view()()
        try:
            yield EpisodeView(store, info, view)
        finally:
            view.close()


def render_step(store: Store, episode_id: str, step: int, make_simulator: MakeSimulator, camera: CameraRequest) -> NDArray[np.uint8]:
    """Return ``(H, W, 3) uint8`` RGB of the state before a step, from any camera; the number of steps gives the final state.

    Raises:
        NotStored: there is no such episode or step.
    """
    with open_episode_view(store, episode_id, make_simulator) as view:
        return view.image(step, camera)


@dataclass(frozen=True, eq=False)
class BranchPoint:
    """Everything that starts a branch: who was told what, in which state."""

    parent_id: str
    step: int
    config: EpisodeConfig
    state: SimState
    prompt: Prompt
    """Everything that was in force."""
    policy: str
    lead: tuple[SimState, ...] = ()
    """States before the steps since prompt and policy were last set, for the policy to see again."""
    steering: tuple[SteeringMark, ...] = ()
    """The edits that were in force during the lead, and are in the end."""


def branch_point(store: Store, episode_id: str, step: int) -> BranchPoint:
    """Return what a branch from the state before a step starts with.

    Raises:
        NotStored: there is no such episode or step.
        InvalidInput: a stored sketch, plan, trace or mask does not follow its format, or the episode was recorded elsewhere.
    """
    info = store.episode(episode_id)
    require_physics(info.config)
    state = store.state_at(episode_id, step)
    standing = standing_at(store.events(episode_id), step, instruction=info.instruction, policy=info.policy)
    lead = tuple(s.state for s in store.steps(episode_id, standing.lead_start, step)) if step - standing.lead_start <= MAX_LEAD else ()
    marks = standing.steering
    if standing.is_inherited and info.parent_id is not None and info.branch_step is not None:
        inherited, inherited_marks = _lead_of_parent(store, info.parent_id, info.branch_step)
        lead, marks = inherited + lead, joined(inherited_marks, len(inherited), marks)
    if not lead or len(lead) > MAX_LEAD:
        lead, marks = (), settled(marks)
    return BranchPoint(episode_id, step, info.config, state, standing.prompt, standing.policy, lead, marks)


def _lead_of_parent(store: Store, parent_id: str, step: int) -> tuple[tuple[SimState, ...], tuple[SteeringMark, ...]]:
    """Return what a branch's policy had seen before its first step, and under which edits; nothing when the parent is gone."""
    try:
        point = branch_point(store, parent_id, step)
    except NotStored:
        return (), ()
    return point.lead, point.steering
