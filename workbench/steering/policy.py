"""A policy that acts under steering edits: the wrapper that a rollout, a campaign or a branch drives like any other policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.core.calls import PolicyCall
from workbench.core.errors import InvalidInput
from workbench.core.protocols import Interruptible, PolicySpec, SteerablePolicy
from workbench.core.types import ActionChunk, Observation, Prompt
from workbench.steering.activity import rows_of
from workbench.steering.assets import Library
from workbench.steering.controller import ControlLoop, PidState, pid_step
from workbench.steering.edits import SteeringEdit, with_strength
from workbench.steering.hooks import recorded
from workbench.steering.instruments import Instruments, Reading, check_instruments, watched
from workbench.steering.mix import Mix
from workbench.steering.outlet import outlet_of, read_outlet
from workbench.steering.projection import NeuronTable
from workbench.steering.scopes import Moment
from workbench.steering.sites import Site, as_module, site_module
from workbench.steering.steered import NO_ASSETS, Steering


class Setting(NamedTuple):
    """Everything that turns the policy; replaced as a whole, so that a call sees either the old or the new one."""

    edits: tuple[SteeringEdit, ...] = ()
    assets: Library = NO_ASSETS
    loops: tuple[ControlLoop | None, ...] = ()
    """What sets the strength of each edit; None, or nothing, leaves it as it is."""


def setting_of(mix: Mix, assets: Library = NO_ASSETS) -> Setting:
    """Return what a desk sounds like: the edits and controllers of the slots that act."""
    return Setting(mix.active, assets, tuple(slot.loop for slot in mix.heard))


class LoopReading(NamedTuple):
    """A controller at the latest call, for its plot."""

    edit: int
    """Index of the edit that it turns."""
    target: float
    measured: float
    strength: float


class Tap(NamedTuple):
    """What is handed out of every policy call, for a recording."""

    sites: tuple[Site, ...]
    tokens: str
    """Token group."""
    sink: Callable[[int, dict[str, NDArray[np.float32]]], None]
    """Told the step and ``{site: (T, C)}``; must return at once."""


Listener = Callable[[PolicyCall], Mapping[str, float]]
"""Told of a call in the thread that makes it; what it returns is added to the scores of the chunk. Must return at once."""


class SteeredPolicy:
    """Acts as the policy does, under edits that may change between calls.

    ``set`` may be called in another thread than ``act``; it is checked there, so that a bad edit is refused where it was made and the
    running episode never sees it. Edits act from the next call of the policy on.
    """

    def __init__(self, policy: SteerablePolicy, setting: Setting = Setting()) -> None:  # noqa: B008
        self._policy = policy
        self._module, self._sites = as_module(policy.module), policy.sites
        self.readings: tuple[LoopReading, ...] = ()
        """Of each control loop whose quantity was measured at the latest call."""
        self.seen: Reading | None = None
        """What the instruments showed of the latest call; None while they are off."""
        self._noted: Mapping[str, float] = {}
        self._watch: tuple[Instruments, NeuronTable | None] = (Instruments(), None)
        self._tap: Tap | None = None
        self._listener: Listener | None = None
        self._outlet = outlet_of(self._sites)
        self._start()
        self.set(setting)

    @property
    def spec(self) -> PolicySpec:
        """That of the policy."""
        return self._policy.spec

    def interrupt(self) -> None:
        """Tell the policy that somebody else made the robot do something."""
        if isinstance(self._policy, Interruptible):
            self._policy.interrupt()

    @property
    def policy(self) -> SteerablePolicy:
        """The policy without edits."""
        return self._policy

    @property
    def setting(self) -> Setting:
        """What acts now."""
        return self._setting

    def set(self, setting: Setting) -> None:
        """Steer by this from the next call on.

        Raises:
            InvalidInput: an edit does not fit the network, or a loop has no edit; the old setting stays.
            UnknownName: an edit names something that is not there.
        """
        if len(setting.loops) > len(setting.edits):
            raise InvalidInput(
                "control loops", expected=f"at most one for each of {len(setting.edits)} edits", found=f"{len(setting.loops)}"
            )
        for edit, loop in zip(setting.edits, setting.loops, strict=False):
            if loop is not None:
                with_strength(edit, loop.gains.low)
        steering = self._prepare(setting.edits, setting.assets)
        self._prepared = (setting, steering)
        self._setting = setting

    def watch(self, instruments: Instruments, table: NeuronTable | None = None) -> None:
        """Show these instruments from the next call on; the default ``Instruments()`` puts them all away.

        Raises:
            UnknownName: there is no such stack, camera or action dimension; the old ones stay.
            InvalidInput: contributions without a table of neurons, or a stack without action tokens.
        """
        check_instruments(instruments, self._sites, table)
        self._watch = (instruments, table)

    def tap(self, tap: Tap | None) -> None:
        """Hand out activations of every call from the next one on; None ends it.

        Raises:
            UnknownName: there is no such stack or token group; what was handed out before still is.
            InvalidInput: there is no such layer.
        """
        for site in tap.sites if tap else ():
            site_module(self._module, self._sites, site)
            self._sites.stack(site.stack).group(tap.tokens if tap else "")
        self._tap = tap

    def hear(self, listener: Listener | None) -> None:
        """Tell somebody of every call from the next one on, with the hidden states that the actions were made from; None ends it."""
        self._listener = listener

    def note(self, quantities: Mapping[str, float]) -> None:
        """Tell of quantities that the observation does not show, for gates: ``alarm``, probe readings."""
        self._noted = dict(quantities)

    def reset(self, rng: np.random.Generator) -> None:
        """Forget the episode so far; controllers start anew, edits stay."""
        self._start()
        self._policy.reset(rng)

    def act(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> ActionChunk:
        """Return the next actions under the edits.

        Raises:
            InvalidInput: the edits made the network give no numbers.
        """
        setting, steering = self._prepared
        moment = self._moment(observation)
        if any(setting.loops):
            edits = self._controlled(setting, moment)
            steering = self._prepare(edits, setting.assets)
        tap, listener = self._tap, self._listener
        looked_at = dict.fromkeys((*(tap.sites if tap else ()), *((self._outlet.site,) if listener else ())))
        with (
            steering.applied(moment),
            watched(self._module, self._sites, *self._watch) as readings,
            recorded(self._module, self._sites, tuple(looked_at)) as tensors,
        ):
            chunk = self._policy.act(observation, prompt, rng)
        self.seen = readings[0] if readings else None
        if tap is not None:
            tap.sink(observation.step, {str(s): rows_of(self._sites, s, tap.tokens, tensors[s]).numpy() for s in tap.sites})
        if not np.isfinite(chunk.actions).all():
            raise InvalidInput("actions under steering", expected="finite numbers", found="NaN or infinity", fix="Lower the strength.")
        if listener is not None:
            tokens = read_outlet(self._sites, self._outlet, tensors[self._outlet.site])
            chunk = replace(chunk, scores={**chunk.scores, **listener(PolicyCall(observation.step, tokens, chunk))})
        return chunk

    def _prepare(self, edits: Sequence[SteeringEdit], assets: Library) -> Steering:
        return Steering(self._module, self._sites, edits, assets)

    def _start(self) -> None:
        self._last: tuple[NDArray[np.float32], float] | None = None
        self._pid: dict[tuple[int, ControlLoop], PidState] = {}
        self._before: tuple[int, tuple[NDArray[np.float32], float] | None, dict[tuple[int, ControlLoop], PidState]] = (-1, None, {})
        self.readings = ()

    def _moment(self, observation: Observation) -> Moment:
        # Asked again at the same step, because something was changed: as if the first time had not been.
        if self._before[0] == observation.step:
            _, self._last, self._pid = self._before
        self._before = (observation.step, self._last, dict(self._pid))
        found = measured_quantities(observation, self._last)
        self._last = (observation.part("ee_position").copy(), observation.time_s)
        return Moment(observation.step, observation.time_s, {**found, **self._noted})

    def _controlled(self, setting: Setting, moment: Moment) -> list[SteeringEdit]:
        edits, readings = list(setting.edits), []
        for i, loop in enumerate(setting.loops):
            measured = None if loop is None else moment.quantities.get(loop.quantity)
            if loop is None or measured is None:
                continue
            state = pid_step(loop.gains, self._pid.get((i, loop), PidState()), loop.error(measured))
            self._pid[i, loop] = state
            edits[i] = with_strength(edits[i], state.output)
            readings.append(LoopReading(i, loop.target, measured, state.output))
        self.readings = tuple(readings)
        return edits


def measured_quantities(observation: Observation, last: tuple[NDArray[np.float32], float] | None = None) -> dict[str, float]:
    """Return what gates and controllers may look at: ``x y z`` and ``height`` [m], ``gripper`` 0..1, ``speed`` [m/s] since last time.

    Args:
        observation: what the policy sees.
        last: end-effector position ``(3,)`` [m] and time [s] of the call before; without it there is no speed.
    """
    position = observation.part("ee_position")
    found = {name: float(v) for name, v in zip("xyz", position, strict=True)}
    found |= {"height": found["z"], "gripper": float(observation.part("gripper")[0])}
    found["gripper_command"] = observation.gripper_command
    if last is not None and observation.time_s > last[1]:
        found["speed"] = float(np.linalg.norm(position - last[0])) / (observation.time_s - last[1])
    return found
