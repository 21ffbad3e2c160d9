"""The policy that lives elsewhere: any server of openpi's WebSocket protocol, ours or not.

Asynchronous, which is the default at the page: the next chunk is asked for while the present one is executed, and takes over at the
action that belongs to it. When there is nothing to execute the robot holds still and ``scores["waiting"]`` is 1; it never waits in
the middle of a motion, and a slow server never stops the clock. Synchronous, for campaigns: the world waits for each answer, so
that an episode is a function of its seeds.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np

from models.remote_inside import CLOSED, RemoteInside
from models.remote_link import RemoteLink, Reply
from models.remote_mapping import JointPose, RemoteMapping
from models.remote_schedule import Rows, Schedule
from models.remote_settings import RemoteSettings, settings_from_environment
from models.wire_types import Wire, intention_from_wire, observation_to_wire, prompt_to_wire, scores_from_wire
from workbench.core.errors import InvalidInput, ServiceFailed, WorkbenchError
from workbench.core.protocols import Policy, PolicyFactory, PolicySpec, Simulator
from workbench.core.types import ActionChunk, CameraRequest, Intention, Observation, Prompt
from workbench.rollout.hold import hold_action

LATENCY: Final = "latency_ms"
"""Score: how long the latest answer took [ms]."""
WAITING: Final = "waiting"
"""Score: 1 while the robot holds still because the server has not answered yet."""
LEFT: Final = "chunk_left"
"""Score: actions that are left of the present chunk, this one included."""
_DONE: Final = "done"
_MOST_STEPS: Final = 8
_SEED_NUMBERS: Final = 4


class _Asked(NamedTuple):
    """A request on its way."""

    future: Future[Reply]
    taken_at: int
    """Of the schedule's clock, when the observation was taken."""


class _Told(NamedTuple):
    """What the latest answer said beside its actions."""

    control_hz: float
    scores: Mapping[str, float] = MappingProxyType({})
    intention: Intention | None = None


class RemotePolicy:
    """One episode's view of a policy server; hangs up when nobody holds it any more, or by :meth:`close`."""

    def __init__(self, settings: RemoteSettings, simulator: Simulator) -> None:
        """Connect.

        Raises:
            ServiceFailed: the server cannot be reached, or speaks something else.
            InvalidInput: the settings' statistics cannot be used, or the server needs a simulator of ours and this is another.
        """
        self._settings, self._simulator = settings, simulator
        self._mapping = RemoteMapping(settings)
        self._link = RemoteLink(settings)
        self._finalizer = weakref.finalize(self, self._link.close)
        self._joint_pose = _joint_pose_of(simulator)
        metadata = self._link.metadata
        self.inside = RemoteInside(metadata if settings.is_ours else {}, self._link.service)
        """Edits and activations over the wire, where the server allows it."""
        self._needs_state = settings.is_ours and bool(metadata.get("needs_state"))
        try:
            if self._needs_state and not hasattr(type(simulator), "config"):
                raise InvalidInput(self._link.service, expected="the bench simulator", found=f"the simulator {simulator.spec.name!r}")
            self._spec = _spec_from(settings, metadata, self._mapping.cameras)
        except WorkbenchError:
            self.close()
            raise
        # The workbench's own server tells how much of a chunk its policy wants executed.
        self._most_steps = int(metadata["action_horizon"]) if settings.is_ours else _MOST_STEPS
        self._latency_ms = 0.0
        self._last_step: int | None = None
        self._is_first = True
        self._schedule = Schedule(settings.blend)
        self._asked: _Asked | None = None
        self._prompt = Prompt()
        self._told = _Told(settings.control_hz)
        self._is_moving = False
        self._num_still = 0
        self.note = ""
        """How the server keeps up, for the person at the page."""

    @property
    def spec(self) -> PolicySpec:
        """What the server says of itself, or what the settings map."""
        return self._spec

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What the server said when it was connected to."""
        return self._link.metadata

    @property
    def closed_reason(self) -> str:
        """Why its inside cannot be opened here, for the person at the page."""
        return "one whose inside lies on its server; edits and activations go over the wire" if self.inside.abilities else CLOSED

    def reset(self, rng: np.random.Generator) -> None:
        """Forget the episode so far; the server is told with the next request."""
        self._forget(Prompt())
        self.inside.forget_sent()
        self._last_step, self._is_first = None, True

    def interrupt(self) -> None:
        """Drop the rest of the chunk and the answer that is on its way: both belong to a state that the robot has left."""
        self._forget(self._prompt)

    def close(self) -> None:
        """Hang up; again is harmless."""
        self._finalizer()

    def act(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> ActionChunk:
        """Return the next actions.

        Raises:
            ServiceFailed: the server did not answer as agreed; asking again starts afresh.
        """
        if self._settings.mode == "synchronous":
            return self._act_and_wait(observation, prompt, rng)
        return self._act_meanwhile(observation, prompt, rng)

    def _act_and_wait(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> ActionChunk:
        future = self._ask(observation, prompt, rng)
        # The link keeps its own limits; this one is for a link that is stuck.
        limit_s = max(self._settings.timeout_s, self._settings.warm_up_s) + 2 * self._settings.connect_timeout_s
        try:
            reply = future.result(limit_s)
        except (FutureTimeout, WorkbenchError) as error:
            self.inside.forget_sent()
            if isinstance(error, WorkbenchError):
                raise
            raise ServiceFailed(self._link.service, reason=f"no answer within {limit_s:g} s") from error
        told, rows = self._read(reply)
        actions = self._mapping.actions(rows, observation, self._joint_pose)
        self.note = f"Policy server: {reply.latency_ms:.0f} ms an answer"
        return ActionChunk(actions, told.control_hz, {**told.scores, LATENCY: reply.latency_ms}, told.intention)

    def _act_meanwhile(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> ActionChunk:
        self._notice(observation, prompt)
        self._collect()
        schedule = self._schedule
        if self._asked is None and (schedule.num_left == 0 or schedule.num_used >= self._steps_per_chunk(schedule)):
            self._asked = _Asked(self._ask(observation, prompt, rng), schedule.clock)
        row = schedule.present()
        self._is_moving = row is not None
        scores = {LATENCY: self._latency_ms, WAITING: float(row is None), LEFT: float(schedule.num_left)}
        self._num_still = 0 if self._is_moving else self._num_still + 1
        self.note = self._tell()
        if row is None:
            return ActionChunk(hold_action(observation)[None], self._told.control_hz, scores)
        told = {name: value for name, value in self._told.scores.items() if name != _DONE or schedule.num_left == 1}
        action = self._mapping.actions(row[None], observation, self._joint_pose)
        return ActionChunk(action, self._told.control_hz, {**told, **scores}, self._told.intention)

    def _tell(self) -> str:
        if self._is_moving:
            return f"Policy server: {self._latency_ms:.0f} ms an answer"
        return f"Holding still for {self._num_still} steps: waiting for the policy server"

    def _steps_per_chunk(self, schedule: Schedule) -> int:
        """Return after how many actions the next chunk is asked for: early enough that half of this one is left meanwhile."""
        return self._settings.execute_steps or max(1, min(self._most_steps, (schedule.num_used + schedule.num_left) // 2))

    def _notice(self, observation: Observation, prompt: Prompt) -> None:
        """Note what happened since the last call: the action was executed, or not; the world jumped; the words are others."""
        last, self._last_step = self._last_step, observation.step
        has_jumped = last is not None and observation.step not in (last, last + 1)
        if has_jumped or not _says_the_same(prompt, self._prompt):
            self._is_first = self._is_first or has_jumped
            self._forget(prompt)
        elif last is not None and observation.step == last + 1 and self._is_moving:
            self._schedule.advance()

    def _collect(self) -> None:
        """Take over an answer that has come."""
        asked = self._asked
        if asked is None or not asked.future.done():
            return
        self._asked = None
        try:
            reply = asked.future.result()
            self._told, rows = self._read(reply)
        except Exception:
            self._forget(self._prompt)
            self.inside.forget_sent()
            raise
        self._latency_ms = reply.latency_ms
        self._schedule.put(rows, asked.taken_at)

    def _ask(self, observation: Observation, prompt: Prompt, rng: np.random.Generator) -> Future[Reply]:
        if not self._settings.is_ours:
            return self._link.submit(self._mapping.request(observation, prompt))
        wire: Wire = observation_to_wire(observation, self._spec.cameras) | prompt_to_wire(prompt, self._spec.prompts)
        wire["seed"] = rng.integers(0, 2**32, _SEED_NUMBERS).tolist()
        if self._is_first:
            wire["reset"] = True
        if self._needs_state:
            config: Any = self._simulator.config  # type: ignore[attr-defined]  # of the bench
            wire |= {"config": config.to_dict(), "state": self._simulator.state().to_bytes()}
        self._is_first = False
        return self._link.submit(wire | self.inside.fields())

    def _read(self, reply: Reply) -> tuple[_Told, Rows]:
        """Return what a reply tells, checked.

        Raises:
            ServiceFailed: it does not follow the layout.
        """
        try:
            rows = self._mapping.rows(reply.message)
            intention = intention_from_wire(reply.message) if self._settings.is_ours else None
            self.inside.take(reply.message if self._settings.is_ours else {})
        except InvalidInput as error:
            raise ServiceFailed(self._link.service, reason=f"its answer does not fit: {error}", fix="Check the preset.") from error
        hz = reply.message.get("control_hz")
        control_hz = float(hz) if isinstance(hz, int | float) and hz > 0 else self._settings.control_hz
        return _Told(control_hz, scores_from_wire(reply.message), intention), rows

    def _forget(self, prompt: Prompt) -> None:
        """Drop what was to come, and answers that are still on their way."""
        self._schedule = Schedule(self._settings.blend)
        if self._asked is not None:
            self._asked.future.cancel()
        self._asked = None
        self._prompt = prompt
        self._told = _Told(self._settings.control_hz)
        self._is_moving = False


def make_remote(settings: RemoteSettings | None = None) -> PolicyFactory:
    """Return a factory of policies of one server: of ``settings``, or of what the environment says when a policy is made."""

    def make(simulator: Simulator) -> Policy:
        return RemotePolicy(settings or settings_from_environment(), simulator)

    return make


def _spec_from(settings: RemoteSettings, metadata: Mapping[str, Any], mapped: tuple[CameraRequest, ...]) -> PolicySpec:
    """Return what the policy is: in our layout as its server tells, else as the settings map it."""
    name = str(metadata.get("policy") or "unknown policy")[:80]
    cameras, prompts, horizon = mapped, frozenset({"text"} if settings.mask == "none" else {"text", "mask"}), 0
    if settings.is_ours:
        try:
            cameras = tuple(CameraRequest(str(c["name"]), int(c["width"]), int(c["height"])) for c in metadata["cameras"])
            prompts = frozenset(map(str, metadata["prompts"]))
            horizon = int(metadata["action_horizon"])
        except (KeyError, TypeError, ValueError) as error:
            raise ServiceFailed(
                f"Policy server {settings.url}",
                reason="its metadata do not tell cameras, prompts and horizon, so it does not serve the workbench's layout",
                fix=f"Name a preset, for example {settings.url},libero.",
            ) from error
    is_waiting = settings.mode == "synchronous"
    return PolicySpec(
        "remote",
        cameras,
        prompts,
        action_horizon=(settings.execute_steps or horizon or _MOST_STEPS) if is_waiting else 1,
        is_privileged=bool(metadata.get("is_privileged", False)),
        description=f"{name} at {settings.url}",
        has_intention=settings.is_ours and bool(metadata.get("has_intention", False)),
        known_words=_words(metadata.get("known_words")) if settings.is_ours else frozenset(),
    )


def _words(told: object) -> frozenset[str]:
    """Return the words that a server says its policy is limited to; none where it tells none."""
    return frozenset(map(str, told)) if isinstance(told, list | tuple) else frozenset()


def _joint_pose_of(simulator: Simulator) -> JointPose | None:
    """Return the forward kinematics of the simulator's arm, where it tells them."""
    kinematics = getattr(simulator, "kinematics", None)
    return None if kinematics is None else kinematics.pose


def _says_the_same(a: Prompt, b: Prompt) -> bool:
    """Tell whether two prompts mean the same; a trace that is trimmed and a mask that is tracked go on meaning it."""
    plans = (a.plan.id if a.plan else None, b.plan.id if b.plan else None)
    parts = [(p.id, p.text, p.interaction, p.trace is None, p.mask is None) for p in (a, b)]
    return parts[0] == parts[1] and plans[0] == plans[1]
