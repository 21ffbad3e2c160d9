"""A policy that is nudged along a path: at each step a share of its own action and a share of the path follower's."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import Unreachable
from workbench.core.protocols import Policy, PolicySpec, Simulator
from workbench.core.types import ActionChunk, Intention, Observation, Prompt
from workbench.rollout.chunking import ChunkQueue
from workbench.rollout.sketch_policy import DEFAULT_PERIOD_S
from workbench.rollout.trace_policy import TracePolicy
from workbench.trajectory.paths import DEFAULT_SPEED

NUM_SHOWN: Final = 8
"""Control steps that the shown proposals reach ahead."""
NUM_AHEAD: Final = 3
"""Control steps ahead on the path at which the shared drive aims."""
GRIP_STEPS: Final = 10
"""Control steps that the fingers are given."""


class BlendPolicy:
    """Weighs a policy's own wish against the way along its prompt's trace, by the trace's weight.

    The policy is not told the trace: its wish is what it would do by itself. The gripper follows whoever weighs more.
    """

    def __init__(self, base: Policy, simulator: Simulator) -> None:
        self._base, self._follower = base, TracePolicy(simulator)
        self._queue = ChunkQueue()
        self._told = ""
        self._gripper, self._num_held = 1.0, 0
        self.spec: PolicySpec = replace(
            base.spec,
            name="trace-blend",
            prompts=(base.spec.prompts - {"mask"}) | {"trace"},
            action_horizon=1,
            description=f"{base.spec.name}, nudged along a path: the slider in the Trajectory tab sets how much the path counts.",
            has_intention=True,
        )

    @property
    def note(self) -> str:
        """Why the path cannot be followed, for the person."""
        return self._follower.note

    def reset(self, rng: np.random.Generator) -> None:
        """Forget the episode so far."""
        self._base.reset(rng)
        self._follower.reset(rng)
        self._queue.clear()
        self._told = ""
        self._gripper, self._num_held = 1.0, 0

    def act(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> ActionChunk:
        """Return one action, the weighted mean of both; without a trace the policy's own."""
        if prompt.id != self._told:
            self._told = prompt.id
            self._queue.clear()
        own = self._own(observation, prompt, rng)
        if prompt.trace is None:
            self._queue.advance()
            return ActionChunk(own[:1], 20.0, self._queue.scores, self._queue.intention)
        weight = prompt.trace.weight
        drawn = self._along(observation, prompt, rng, is_alone=weight == 1.0)
        action = blended(own[0], drawn.actions[0] if weight == 1.0 else self._pursuit(observation, drawn.actions[0]), weight)
        self._queue.advance()
        scores = {**self._queue.scores, **drawn.scores} if weight >= 0.5 else {**drawn.scores, **self._queue.scores}
        shown = {"policy": _reach(observation, own), "trace": self._follower.ahead(observation, NUM_SHOWN)}
        intention = replace(self._queue.intention or Intention(), proposals=shown)
        return ActionChunk(action[None], drawn.control_hz, scores, intention)

    def _along(self, observation: Observation, prompt: Prompt, rng: np.random.Generator, *, is_alone: bool) -> ActionChunk:
        """Return the follower's action; in a shared drive it is the policy that keeps the gripper from the path, which stops nothing."""
        try:
            return self._follower.act(observation, prompt, rng)
        except Unreachable:
            if is_alone:
                raise
        self._follower.reset(rng)  # it begins anew on what lies ahead
        return self._follower.act(observation, prompt, rng)

    def _pursuit(self, observation: Observation, drawn: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the follower's action ``(7,)`` as if it had driven alone up to here: its own plan of speeds does not fit a shared drive."""
        action = drawn.copy()
        if float(drawn[6]) != self._gripper:
            self._gripper, self._num_held = float(drawn[6]), GRIP_STEPS
        elif self._num_held > 0:
            self._num_held -= 1
        way = self._follower.ahead(observation, NUM_AHEAD)
        offset = way[-1] - way[0]
        length = float(np.linalg.norm(offset))
        is_waiting = self._num_held > 0 or length < 1e-9
        action[:3] = 0.0 if is_waiting else offset * min(1.0, DEFAULT_SPEED * DEFAULT_PERIOD_S / length)
        return action

    def _own(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> NDArray[np.float32]:
        """Return what is left of the policy's own chunk, asked without the trace when it is used up."""
        if self._queue.is_empty:
            self._queue.put(
                self._base.act(observation, replace(prompt, trace=None, mask=None, interaction=None), rng), self._base.spec.action_horizon
            )
        return self._queue.rest()


def blended(own: NDArray[np.float32], drawn: NDArray[np.float32], weight: float) -> NDArray[np.float32]:
    """Return the action ``(7,)`` between a policy's own (weight 0) and the one along the path (weight 1)."""
    action = ((1.0 - weight) * own + weight * drawn).astype(np.float32)
    action[6] = drawn[6] if weight >= 0.5 else own[6]
    return action


def _reach(observation: Observation, actions: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return where actions ``(T, 7)`` take the end-effector, ``(T + 1, 3)`` in the world [m], from where it is."""
    moves = np.vstack([np.zeros((1, 3)), np.cumsum(actions[:, :3], axis=0)])
    return observation.ee_position + moves
