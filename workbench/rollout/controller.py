"""The live rollout of one browser tab: commands in, snapshots out, one stepping thread within."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core.catalog import Catalog
from workbench.core.errors import InvalidInput, WrongMode
from workbench.core.events import EventKind, Outcome
from workbench.core.protocols import PolicyFactory, RolloutObserver, Simulator
from workbench.core.sketches import Sketch, SketchPlan
from workbench.core.types import EpisodeConfig, Intention, Prompt, SimState
from workbench.intervention.driving import Hand, checked_action
from workbench.intervention.rules import Gate
from workbench.rollout.branching import Lineage
from workbench.rollout.candidates import Selection
from workbench.rollout.chunking import ChunkQueue
from workbench.rollout.describing import describe
from workbench.rollout.history import EpisodeHistory
from workbench.rollout.hold import HOLD
from workbench.rollout.inbox import Inbox, promised
from workbench.rollout.loop import LiveEpisode
from workbench.rollout.modes import Command, RolloutMode
from workbench.rollout.pacing import Clock
from workbench.rollout.pilot import Pilot
from workbench.rollout.prompts import check_parts
from workbench.rollout.status import LiveState, RolloutStatus
from workbench.rollout.steering import LiveSteering, OpenPolicy, open_nothing
from workbench.rollout.steering_marks import NO_ASSETS, SteeringMark
from workbench.rollout.stepping import Stepper
from workbench.steering.assets import Library
from workbench.steering.mix import Mix

T = TypeVar("T")

SPEED_RANGE: Final = (1 / 8, 4.0)
"""Slowest and fastest paced speed; beside it ``math.inf``, as fast as possible."""
SKETCH_POLICY: Final = "sketch"
"""Name of the policy that drives a plan."""


class RolloutController:
    """Runs episodes, one at a time, in a thread of its own.

    The simulator and the policy are made, used and closed in that thread, which never waits for a reader: commands only leave a
    note, and observers must return at once. Every command may come from any thread; it is refused at once with
    :class:`~workbench.core.errors.WrongMode` when the table in :mod:`workbench.rollout.modes` does not have it, and otherwise
    changes the mode at once and takes effect between control steps, in the order of the calls. HALT takes effect within the
    control step: the targets freeze where the arm is, the step is finished without pacing, and the world then stands still.

    What the policy or the simulator raises pauses the rollout and is shown in ``status().error``; the thread goes on.
    A task that is solved does not stop a live rollout (a policy may still have to let go and retreat); a policy that says it is
    done does.
    """

    def __init__(
        self,
        *,
        simulators: Catalog[Simulator],
        policies: Catalog[PolicyFactory],
        observers: Sequence[RolloutObserver] = (),
        session_id: str,
        clock: Clock = time.monotonic,
        open_policy: OpenPolicy = open_nothing,
    ) -> None:
        self.session_id = session_id
        self._simulators, self._policies, self._clock = simulators, policies, clock
        self._inbox = Inbox()
        self._stepper = Stepper(simulators, policies, self._inbox, session_id=session_id, clock=clock, open_policy=open_policy)
        for observer in observers:
            self._stepper.observers.add(observer)
        self._has_started = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._stepper.run, name="rollout", daemon=True)
        self._thread.start()

    # Episodes

    def start(self, config: EpisodeConfig, *, policy: str = HOLD, prompt: Prompt | None = None, is_running: bool = False) -> Future[str]:
        """Begin an episode, paused or running, and return its id later; what ran before ends.

        Without a prompt the policy is told the task's instruction.

        Raises:
            UnknownName: no such simulator or policy; nothing changes.
        """
        self._simulators.entry(config.simulator)
        self._check_policy(policy)
        self._has_started = True
        return self._begin(Command.START, lambda: self._stepper.start(config, policy, prompt), is_running=is_running)

    def reset(self) -> Future[str]:
        """Begin the same episode anew, paused, with the present policy and prompt."""
        if not self._has_started:
            raise WrongMode(Command.RESET.value, mode="without an episode", allowed=[m.value for m in RolloutMode][1:])
        return self._begin(Command.RESET, self._stepper.restart)

    def branch(
        self,
        config: EpisodeConfig,
        state: SimState,
        *,
        parent_id: str,
        step: int,
        policy: str = HOLD,
        prompt: Prompt | None = None,
        lead: Sequence[SimState] = (),
        steering: Sequence[SteeringMark] = (),
        assets: Library = NO_ASSETS,
    ) -> Future[str]:
        """Begin an episode, paused, at a state of another one.

        Its steps count from 0 again. With the parent's policy, prompt and ``lead`` it continues bit-equal to the parent, as
        :mod:`workbench.rollout.loop` says. Without a lead the policy starts afresh.

        Args:
            config: of the parent.
            state: before the step to branch from.
            parent_id: the parent.
            step: of the parent.
            policy: who acts.
            prompt: what it is told; by default the task's own instruction.
            lead: states before the parent's steps since its prompt and policy were last set.
            steering: the edits that were in force during the lead, and are in the end.
            assets: what those edits name.

        Raises:
            UnknownName: no such simulator or policy; nothing changes.
        """
        self._simulators.entry(config.simulator)
        self._check_policy(policy)
        self._has_started = True
        lineage = Lineage(state, parent_id, step, lead, steering, assets)
        return self._begin(Command.BRANCH, lambda: self._stepper.start(config, policy, prompt, lineage))

    def end(self, outcome: Outcome | None = None) -> None:
        """End the episode; by default as a success when the task was solved at any step, else as stopped."""
        self._inbox.post(Command.END, lambda before, after: self._stepper.finish(outcome))

    # Running

    def pause(self) -> None:
        """Stand still after the present control step."""
        self._inbox.post(Command.PAUSE, self._stepper.note_mode)

    def resume(self) -> None:
        """Let the policy act; a human who is correcting hands over."""
        self._inbox.post(Command.RESUME, self._stepper.note_mode)

    def toggle(self) -> None:
        """Pause when something moves, else resume."""
        self._inbox.post(Command.TOGGLE, self._stepper.note_mode)

    def step_once(self, n: int = 1) -> None:
        """Run ``n`` control steps of the policy and stay paused.

        Raises:
            InvalidInput: ``n`` is not 1 or more.
        """
        if n < 1:
            raise InvalidInput("number of steps", expected="1 or more", found=str(n))
        self._inbox.post(Command.STEP_ONCE, lambda before, after: self._stepper.step_more(n))

    def set_speed(self, speed: float) -> None:
        """Set simulated over real time, 1/8 to 4, or ``math.inf`` for as fast as possible.

        Raises:
            InvalidInput: another value.
        """
        slowest, fastest = SPEED_RANGE
        if not (slowest <= speed <= fastest or speed == math.inf):
            raise InvalidInput("speed", expected=f"{slowest} to {fastest}, or infinite", found=str(speed))
        self._stepper.speed = float(speed)
        self._inbox.post(Command.SET_SPEED, lambda before, after: self._stepper.set_speed(float(speed)))

    def halt(self) -> None:
        """Freeze the arm now: past the queue, past a policy that is still thinking, within one control period."""
        self._inbox.post(Command.HALT, self._stepper.note_mode)

    def release_halt(self) -> None:
        """Leave HALTED, to PAUSED."""
        self._inbox.post(Command.RELEASE_HALT, self._stepper.note_mode)

    # The hand

    def take_over(self, **told: str) -> None:
        """Let the human act: the arm follows :meth:`jog`, else it holds; the policy's proposals are still recorded."""
        self._inbox.post(Command.TAKE_OVER, lambda before, after: self._stepper.note_mode(before, after, told))

    def hand_back(self) -> None:
        """End a correction; the rollout is paused then. What was left of the policy's chunk is dropped."""
        self._inbox.post(Command.HAND_BACK, self._stepper.note_mode)

    def jog(self, action: ArrayLike) -> None:
        """Move the arm by ``action`` ``(7,)`` in every control step, until another jog or for a quarter of a second.

        Raises:
            InvalidShape: it is not seven finite numbers.
        """
        checked = checked_action(action)
        self.drive(lambda hand: hand.jog(checked))

    def drive(self, wish: Callable[[Hand], None]) -> None:
        """Tell the hand of the person who drives what it wants, for example ``lambda hand: hand.go([place])``."""
        self._inbox.post(Command.JOG)
        wish(self._stepper.oversight.hand)

    @property
    def gate(self) -> Gate:
        """The rules that say when the robot asks before it acts, and what it asks now."""
        return self._stepper.oversight.gate

    @property
    def pilot(self) -> Pilot:
        """What leads the hand through a plan and around changes of the instruction; change it by :meth:`lead`."""
        return self._stepper.oversight.pilot

    def lead(self, wish: Callable[[Pilot, LiveEpisode], T]) -> Future[T]:
        """Run ``wish(pilot, episode)`` in the stepping thread, between control steps; WrongMode says that there is no episode."""

        def work() -> T:
            if (episode := self._stepper.episode) is None:
                raise WrongMode("lead", mode="without an episode", allowed=[m.value for m in RolloutMode][1:])
            return wish(self.pilot, episode)

        return self._ask(Command.RECORD, work)

    @property
    def selection(self) -> Selection:
        """What weighs the policy's answers and executes its chunks; what is more than a setting is asked of it by :meth:`call`."""
        return self._stepper.oversight.selection

    def answer(self, is_allowed: bool, reason: str = "") -> None:
        """Answer what it asks; ``reason`` says why when no person did."""
        self._inbox.post(Command.RECORD, lambda before, after: self._stepper.answer(is_allowed, reason))

    # What the policy is told

    def set_policy(self, name: str) -> None:
        """Let another policy act from the next step on.

        Raises:
            UnknownName: no such policy.
        """
        self._check_policy(name)
        self._inbox.post(Command.SET_POLICY, lambda before, after: self._stepper.set_policy(name))

    def set_prompt(self, **changes: Any) -> None:
        """Change parts of the prompt (``text``, ``sketch``, ``plan``, ``trace``, ``mask``, ``interaction``) from the next step on.

        Raises:
            InvalidInput: a prompt has no such part.
        """
        check_parts(changes)
        self._inbox.post(Command.SET_PROMPT, lambda before, after: self._stepper.set_prompt(changes))

    def run_plan(self, sketch: Sketch, plan: SketchPlan) -> None:
        """Drive a plan from its first step, now."""
        self.run_prompt(SKETCH_POLICY, sketch=sketch, plan=replace(plan))  # a new object: also a second run is told

    def run_prompt(self, policy: str, **changes: Any) -> None:
        """Let a policy act, afresh, on a changed prompt, now; ``changes`` as for :meth:`set_prompt`.

        Raises:
            UnknownName: no such policy.
            InvalidInput: a prompt has no such part.
        """
        self._check_policy(policy)
        check_parts(changes)

        def work(before: RolloutMode, after: RolloutMode) -> None:
            self._stepper.set_policy(policy)
            self._stepper.set_prompt(changes)
            self._stepper.note_mode(before, after)

        self._inbox.post(Command.RUN_PLAN, work)

    def set_steering(self, mix: Mix, assets: Library = NO_ASSETS) -> Future[None]:
        """Turn the policy's inside from its next call on; ``assets`` are what the edits name. What is wrong, the future tells."""
        return self._ask(Command.SET_STEERING, lambda: self._stepper.steering.change(self._stepper.episode, mix, assets))

    def inspect(self, wish: Callable[[LiveSteering, LiveEpisode | None], T]) -> Future[T]:
        """Run ``wish(steering, episode)`` in the stepping thread, between control steps: to show instruments or record activations."""
        return self._ask(Command.CALL, lambda: wish(self._stepper.steering, self._stepper.episode))

    @property
    def steering(self) -> LiveSteering:
        """What turns the policy now; to be read only."""
        return self._stepper.steering

    def look_ahead(self) -> None:
        """Ask the policy what it would do, while the rollout is paused; nothing moves, and the answer is what it will do.

        For policies that have an intention to show; :meth:`intention` has it afterwards.
        """
        self._inbox.post(Command.CALL, lambda before, after: self._stepper.look_ahead())

    # The rest

    def record(self, kind: EventKind, payload: dict[str, Any] | None = None, *, actor: str = "human") -> None:
        """Put an event on the episode's timeline."""
        self._inbox.post(Command.RECORD, lambda before, after: self._stepper.record(kind, payload or {}, actor))

    def call(self, fn: Callable[[Simulator], T]) -> Future[T]:
        """Run ``fn(simulator)`` in the stepping thread, between control steps."""
        return self._ask(Command.CALL, lambda: self._stepper.call(fn))

    def add_observer(self, observer: RolloutObserver) -> None:
        """Tell one more observer; when an episode runs, it hears that episode's head and then what follows."""
        self._inbox.post(Command.CALL, lambda before, after: self._stepper.add_observer(observer))

    def remove_observer(self, observer: RolloutObserver) -> None:
        """Tell one observer less."""
        self._inbox.post(Command.CALL, lambda before, after: self._stepper.observers.remove(observer))

    def close(self) -> None:
        """End the episode, release the simulator in its own thread, and wait for that thread; may be called twice."""
        self._inbox.close()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    # Reading

    def status(self) -> RolloutStatus:
        """Return what is going on."""
        return describe(self._stepper, self._inbox.mode)

    def intention(self) -> Intention | None:
        """Return what the policy shows of its intention; None while it has none, or was told something else since."""
        episode = self._stepper.episode
        return None if episode is None else episode.chunk.intention

    def proposed(self) -> NDArray[np.float32]:
        """Return what is left of the policy's chunk, ``(T, 7)``; T is 0 while it has none."""
        return (self._stepper.episode.chunk if self._stepper.episode else ChunkQueue()).rest()

    @property
    def catalogues(self) -> tuple[Catalog[Simulator], Catalog[PolicyFactory]]:
        """The simulators that episodes may run in, and the policies that may drive."""
        return self._simulators, self._policies

    @property
    def is_running(self) -> bool:
        """Whether the policy or a human acts now."""
        return self._inbox.mode in (RolloutMode.AUTONOMOUS, RolloutMode.CORRECTING)

    def history(self) -> EpisodeHistory:
        """Return the present or last episode's steps and events; empty before the first."""
        return self._stepper.history

    def latest(self) -> LiveState | None:
        """Return the newest published moment, or None before the first episode."""
        return self._stepper.publisher.latest

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` in the stepping thread whenever :meth:`latest` changed; it must return at once."""
        self._stepper.publisher.subscribe(listener)

    def unsubscribe(self, listener: Callable[[], None]) -> None:
        """Undo :meth:`subscribe`."""
        self._stepper.publisher.unsubscribe(listener)

    # Within

    def _begin(self, command: Command, work: Callable[[], str], *, is_running: bool = False) -> Future[str]:
        future, job = promised(work, is_shown=True)
        with self._lock:
            self._inbox.post(command, job, future)
            if is_running:
                self._inbox.post(Command.RESUME, self._stepper.note_mode)
        return future

    def _ask(self, command: Command, work: Callable[[], T]) -> Future[T]:
        """Run ``work`` in the stepping thread; what it raises goes to the future alone."""
        future, job = promised(work)
        self._inbox.post(command, job, future)
        return future

    def _check_policy(self, name: str) -> None:
        if name != HOLD:
            self._policies.entry(name)
