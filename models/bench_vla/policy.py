"""The bench VLA as a policy: pictures, proprioception and a prompt in, a chunk of actions and its intention out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.bench_vla.by_token import decode_by_token
from models.bench_vla.checkpoint import find_weights, load_network, read_about
from models.bench_vla.config import CONTROL_HZ, NUM_ROLES, ROLE_NAMES
from models.bench_vla.memory import SHUT_BELOW, ShortMemory
from models.bench_vla.network import Batch, BenchVla, Output, Targets
from models.bench_vla.processor import FRONT, WRIST, read_inputs
from workbench.core.geometry import quat_conjugate, quat_from_rotvec, quat_multiply
from workbench.core.protocols import PolicySpec, Simulator
from workbench.core.types import PROPRIO, ActionChunk, ActionDistribution, CameraRequest, Intention, Observation, Prompt, Target, Trace

_ROOT: Final = Path(__file__).resolve().parent.parent.parent
NAME: Final = "bench-vla"
"""The version that comes with the project."""
_DONE_AT: Final = 0.9
"""Probability of having finished from which it stops."""
_NEAR_BINS: Final = 8
"""Bins on each side of the likeliest one that make up an action's value: a quarter of the range, as small steps are spread over many bins."""
_NEAR_CELLS: Final = 4
"""The same for a coordinate of a trace."""


def load_policy(simulator: Simulator) -> BenchVlaPolicy:
    """Return the policy with a network of its own, so that one tab's steering leaves others alone.

    Raises:
        NotStored: there are no weights.
        InvalidInput: the file is not of a bench VLA, or is damaged.
    """
    return open_policy(find_weights())


def open_policy(path: Path, name: str = NAME) -> BenchVlaPolicy:
    """Return the policy of a file of weights; errors as :func:`load_policy`."""
    return BenchVlaPolicy(load_network(path), about=read_about(path), card=card_of(path), name=name)


def card_of(weights: Path) -> str:
    """Return the path of the model card beside some weights, from the root of the project; empty when there is none."""
    path = weights.resolve().with_name("MODEL_CARD.md")
    if not path.is_file():
        return ""
    return str(path.relative_to(_ROOT) if path.is_relative_to(_ROOT) else path)


def _tell_training(about: Mapping[str, Any]) -> str:
    if not {"steps", "minutes"} <= set(about):
        return ""
    return f" Trained for {about['minutes']:g} minutes, {about['steps']:,} steps."


class BenchVlaPolicy:
    """Implements the core's ``Policy``."""

    def __init__(self, network: BenchVla, *, about: Mapping[str, Any] | None = None, card: str = "", name: str = NAME) -> None:
        """Take a network, how its weights were made, the path of its model card, and what this version is called."""
        self.network = network.eval()
        config = network.config
        self._centres = torch.from_numpy(network.vocabulary.bin_centres)
        self.spec = PolicySpec(
            name,
            cameras=(
                CameraRequest(FRONT, config.front_side, config.front_side),
                CameraRequest(WRIST, config.wrist_side, config.wrist_side),
            ),
            prompts=frozenset({"text", "trace", "mask"}),
            action_horizon=config.execution_horizon,
            description="Our own small vision-language-action model, trained on the scripted expert's demonstrations."
            + _tell_training(about or {}),
            card=card,
            has_intention=True,
            known_words=frozenset(config.words),
        )
        self.reset(np.random.default_rng(0))

    @property
    def module(self) -> nn.Module:
        """The network, for hooks."""
        return self.network

    def reset(self, rng: np.random.Generator) -> None:
        """Forget the episode so far."""
        self._memory = ShortMemory()
        self._last: tuple[Observation, NDArray[np.float32]] | None = None

    def interrupt(self) -> None:
        """Forget what it told the robot to do last: what happened since was not its doing."""
        self._last = None

    def act(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> ActionChunk:
        """Return the next eight actions.

        Raises:
            InvalidInput: unknown words, or a mask or trace on a camera that it does not see.
            InvalidShape: a picture of the wrong size.
        """
        batch = self._read(observation, prompt)
        with torch.inference_mode():
            output: Output = self.network(batch)
        return self._answer(observation, prompt, output, {})

    def act_by_token(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> ActionChunk:
        """As :meth:`act`, each action token decoded in a pass of its own; the score ``agreement`` is the share that one pass gives as well."""
        batch = self._read(observation, prompt)
        with torch.inference_mode():
            output, agreement = decode_by_token(self.network, batch)
        return self._answer(observation, prompt, output, {"agreement": agreement})

    def _read(self, observation: Observation, prompt: Prompt) -> Batch:
        self._remember(observation)
        return read_inputs(self.network.config, self.network.vocabulary, observation, prompt, self._memory.vector())

    def _answer(self, observation: Observation, prompt: Prompt, output: Output, told: Mapping[str, float]) -> ActionChunk:
        probabilities = output.actions[0].softmax(-1)  # (8, 7, bins)
        actions = _values(probabilities, self._centres).numpy().astype(np.float32)
        done = float(output.done[0].sigmoid())
        is_over = done >= _DONE_AT
        drawn: ActionDistribution | None = ActionDistribution(probabilities.numpy(), self.network.vocabulary.bin_centres)
        if _is_travelled(prompt):
            drawn = None
            actions, is_over = np.tile(np.concatenate([np.zeros(6), observation.part("gripper_command")]), (len(actions), 1)), True
            actions = actions.astype(np.float32)
        self._last = (observation, actions)
        scores = {"done": float(is_over), "done_probability": done, **told}
        return ActionChunk(actions, CONTROL_HZ, scores, self._intend(output, probabilities, prompt), drawn)

    def _remember(self, observation: Observation) -> None:
        """Show the memory what happened since the last call: a change of the gripper within the chunk is placed by its own actions."""
        if self._last is not None:
            for before in _between(self._last[0], self._last[1], observation):
                self._memory.watch(*before)
        self._memory.watch(observation.proprio, observation.time_s)

    def _intend(self, output: Output, probabilities: Tensor, prompt: Prompt) -> Intention:
        config = self.network.config
        entropies = -(probabilities * probabilities.clamp(min=1e-9).log()).sum(-1)
        trace = prompt.trace
        if trace is None:
            cells = _peaks(output.trace[0].softmax(-1)).reshape(config.num_trace_points, 2)
            side = config.num_coordinates
            trace = Trace(FRONT, side, side, tuple((float(u), float(v)) for u, v in cells), source="model")
        targets = (*_targets(FRONT, output.front), *_targets(WRIST, output.wrist))
        return Intention(trace, targets, probabilities.amax(-1).numpy(), entropies.numpy())


def _is_travelled(prompt: Prompt) -> bool:
    """Tell whether a trace is all that is told, and nothing of it lies ahead."""
    return not prompt.text and prompt.mask is None and prompt.trace is not None and len(prompt.trace.points) < 2


def _between(before: Observation, actions: NDArray[np.float32], now: Observation) -> list[tuple[NDArray[np.float32], float]]:
    """Return proprioception and time at the change of the gripper's command between two calls, if there was one.

    Where the arm was then follows from where it is now, less the motion that was asked for since.
    """
    num_steps = now.step - before.step
    if not 1 < num_steps <= len(actions):
        return []
    opening = np.concatenate([before.part("gripper_command"), actions[:num_steps, 6]])
    is_shut = opening < SHUT_BELOW
    changes = np.flatnonzero(is_shut[1:] != is_shut[:-1])
    if not len(changes):
        return []
    change = int(changes[-1]) + 1  # observed after this many actions
    proprio = now.proprio.copy()
    rest = actions[change:num_steps]
    proprio[PROPRIO["ee_position"]] -= rest[:, :3].sum(0)
    turn = quat_from_rotvec(rest[:, 3:6].sum(0))
    proprio[PROPRIO["ee_quaternion"]] = quat_multiply(quat_conjugate(turn), now.part("ee_quaternion"))
    proprio[PROPRIO["gripper_command"]] = opening[change]
    period_s = (now.time_s - before.time_s) / num_steps
    return [(proprio, before.time_s + change * period_s)]


def _values(probabilities: Tensor, centres: Tensor) -> Tensor:
    """Return the mean of the bins around the likeliest one: ``(8, 7, bins)`` and ``(7, bins)`` to ``(8, 7)``."""
    return _mean_near_best(probabilities, centres, _NEAR_BINS)


def _peaks(probabilities: Tensor) -> NDArray[np.float64]:
    """Return the mean cell around the likeliest one, ``(10, cells)`` to ``(10,)``."""
    centres = torch.arange(probabilities.shape[-1]) + 0.5
    means: NDArray[np.float64] = _mean_near_best(probabilities, centres, _NEAR_CELLS).double().numpy()
    return means


def _mean_near_best(probabilities: Tensor, centres: Tensor, radius: int) -> Tensor:
    """Return the mean of the bins within ``radius`` of the likeliest one: ``(..., bins)`` to ``(...)``."""
    index = torch.arange(probabilities.shape[-1])
    best = probabilities.argmax(-1, keepdim=True)
    near = probabilities * ((index - best).abs() <= radius)
    return (near * centres).sum(-1) / near.sum(-1)


def _targets(camera: str, seen: Targets) -> list[Target]:
    shares = seen.logits[0].softmax(-1)
    found = []
    for role in range(NUM_ROLES):
        heat = shares[role, 1:]
        side = round(len(heat) ** 0.5)
        is_near = seen.window.weights[0, role] > 0
        u, v = (float(x) for x in seen.window.point[0, role])
        heatmap = heat.reshape(side, side).numpy().astype(np.float32)
        found.append(Target(camera, (u, v), ROLE_NAMES[role], float(heat[is_near].sum()), heatmap))
    return [target for target in found if target.confidence >= 0.5]
