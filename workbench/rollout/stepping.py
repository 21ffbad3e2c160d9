"""What the stepping thread of a live rollout does: it owns the simulator, the policy and the running episode."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core.catalog import Catalog
from workbench.core.errors import WorkbenchError, WrongMode
from workbench.core.events import EpisodeStart, EventKind, Outcome
from workbench.core.protocols import Policy, PolicyFactory, RolloutObserver, Simulator
from workbench.core.types import Actor, EpisodeConfig, Observation, Prompt
from workbench.rollout.branching import Lineage, head_of
from workbench.rollout.history import EpisodeHistory
from workbench.rollout.hold import HOLD, HoldPolicy
from workbench.rollout.inbox import Inbox, Ticket
from workbench.rollout.loop import (
    Choice,
    LiveEpisode,
    announce_episode,
    change_prompt,
    drop_plans,
    emit,
    finish_episode,
    look_ahead,
    make_episode,
    policy_rng,
    tick,
)
from workbench.rollout.modes import TRANSITIONS, Command, RolloutMode
from workbench.rollout.observers import Fanout
from workbench.rollout.overseer import Oversight
from workbench.rollout.pacing import Clock, Pacer, SpeedMeter
from workbench.rollout.publishing import Publisher
from workbench.rollout.status import LiveScene
from workbench.rollout.steering import LiveSteering, OpenPolicy, open_nothing

_log = logging.getLogger(__name__)


class Stepper:
    """The stepping thread's side of a controller. Everything but the attributes said to be shared belongs to that thread."""

    def __init__(
        self,
        simulators: Catalog[Simulator],
        policies: Catalog[PolicyFactory],
        inbox: Inbox,
        *,
        session_id: str,
        clock: Clock,
        open_policy: OpenPolicy = open_nothing,
    ) -> None:
        self._simulators, self._policies, self._inbox = simulators, policies, inbox
        self._session_id, self._clock = session_id, clock
        self.observers = Fanout(on_failure=self._on_observer_failure)
        # Shared: replaced as a whole by one thread, read by any.
        self.speed = 1.0
        self.oversight = Oversight(clock)
        self.history = EpisodeHistory(EpisodeStart("", session_id, {}, "", ""))
        self.publisher = Publisher(clock)
        self.error = ""
        self.episode: LiveEpisode | None = None
        self.actual_speed = 0.0
        self.policy_name = HOLD
        self.steering = LiveSteering(open_policy, self.oversight.watch)
        # The stepping thread's own.
        self._simulator: Simulator | None = None
        self._loaded: EpisodeConfig | None = None
        self._scene: LiveScene | None = None
        self._instruction = ""
        self._prompt = Prompt()
        self._pending_steps, self._num_slices, self._is_published = 0, 1, True
        self._pacer, self._meter = Pacer(clock), SpeedMeter(clock)

    # The thread

    def run(self) -> None:
        """Serve commands and step the episode until the inbox is closed; then release everything."""
        try:
            while not self._inbox.is_closed:
                self._inbox.wake.clear()
                try:
                    is_waiting = self._turn()
                except Exception as error:  # a simulator that cannot even tell its state; the thread must live on
                    self._report(error)
                    self._inbox.settle_paused(self._inbox.ticket)
                    is_waiting = True
                if is_waiting:
                    self._inbox.wake.wait()
        finally:
            self._shut()

    def _turn(self) -> bool:
        """Serve what was asked and run a step if one is due; tell whether there is nothing to do until somebody asks."""
        self._drain()
        if self._is_due():
            self._step()
            return False
        self._rest()
        return True

    def _drain(self) -> None:
        while (job := self._inbox.take()) is not None:
            if job.future is not None and not job.future.set_running_or_notify_cancel():
                continue
            try:
                job.work(job.before, job.after)
            except Exception as error:
                self._report(error)
                self._inbox.settle_paused(self._inbox.ticket)
        if self.episode is None:
            self._inbox.settle_idle()

    def _is_due(self) -> bool:
        mode = self._inbox.mode
        if mode is not RolloutMode.PAUSED:
            self._pending_steps = 0
        is_running = mode in (RolloutMode.AUTONOMOUS, RolloutMode.CORRECTING) or self._pending_steps > 0
        return is_running and self.episode is not None and not self._inbox.is_closed

    def _rest(self) -> None:
        self._pacer.restart()
        self._meter.restart()
        self.actual_speed = 0.0
        if not self._is_published:
            self._publish_state()

    def _shut(self) -> None:
        try:
            self.finish(None)
        except Exception:
            _log.exception("The last episode did not end cleanly")
        while (job := self._inbox.take()) is not None:
            if job.future is not None:
                job.future.cancel()
        if self._simulator is not None:
            self._simulator.close()
        self._simulator = self._scene = None
        self.publisher.clear()

    # One step

    def _step(self) -> None:
        episode = self.episode
        assert episode is not None
        ticket = self._inbox.ticket
        if ticket.mode is not RolloutMode.CORRECTING:
            episode.is_policy_down = False
        elif self.oversight.is_policy_slow:
            episode.is_policy_down = True
        speed = self.speed
        self._pacer.begin_step(1.0 / episode.config.control_hz / speed)
        try:
            step = tick(episode, lambda o, p: self._oversee(ticket, speed, o, p), on_slice=lambda i, q: self._on_slice(ticket, speed, i, q))
        except Exception as error:
            self._report(error)
            if not (episode.is_policy_down and ticket.mode is RolloutMode.CORRECTING):
                self._pause_if(ticket, "error", "system")
            return
        if step is None:
            self._pacer.restart()
            return
        self._pending_steps = max(0, self._pending_steps - 1)
        self._meter.add(episode.time_s)
        self.actual_speed = self._meter.speed
        self._is_published = False
        self.oversight.note_step(step)
        if episode.is_done and step.actor is not Actor.HUMAN:
            self._pause_if(ticket, "done", "policy")

    def _oversee(self, ticket: Ticket, speed: float, observation: Observation, proposal: NDArray[np.float32] | None) -> Choice | None:
        """Decide who acts when the step is due: what was asked while the policy thought, or the step waited, is carried out first."""
        episode, inbox = self.episode, self._inbox
        assert episode is not None
        self._pacer.begin_slices(self._num_slices)
        self._pacer.wait(0, inbox.wake, lambda: speed != self.speed or inbox.is_closed or inbox.ticket.steering != ticket.steering)
        now = inbox.ticket
        if now.steering != ticket.steering:
            return None
        is_wanted = now.mode is RolloutMode.PAUSED and self._pending_steps > 0
        if not is_wanted and now.mode not in (RolloutMode.AUTONOMOUS, RolloutMode.CORRECTING):
            return None
        if now.mode is RolloutMode.AUTONOMOUS and (question := self.oversight.question(episode, observation, proposal)) is not None:
            if self._inbox.settle_paused(ticket):
                self.oversight.ask(episode, question)
            return None
        return self.oversight.choose(now.mode, episode, observation, proposal)

    def _on_slice(self, ticket: Ticket, speed: float, index: int, physics: NDArray[np.float64]) -> bool | NDArray[np.float32]:
        """Wait until a slice is due, publish the state before it, and do what came since the step began: a HALT, or a take-over."""
        inbox, episode, simulator = self._inbox, self.episode, self._simulator
        assert episode is not None and simulator is not None
        # Clearing ``wake`` loses nothing: the queue is drained after every step.
        self._pacer.wait(index, inbox.wake, lambda: speed != self.speed or inbox.is_closed or inbox.ticket.halts != ticket.halts)
        done = index / self._num_slices
        if self._scene is not None:
            time_s, is_due = episode.time_s + done / episode.config.control_hz, math.isfinite(speed)
            self.publisher.publish(self._scene, episode.id, physics, step=episode.index, time_s=time_s, is_due=is_due)
        now = inbox.ticket
        if now.halts != ticket.halts:
            return True
        is_handed = now.mode is RolloutMode.CORRECTING and self.oversight.handover.actor is not Actor.HUMAN and index > 0
        return self.oversight.take_over(episode, simulator.observe(()), done) if is_handed else False

    def _publish_state(self) -> None:
        """Publish where the simulator stands; while it runs, the next step does."""
        self._is_published = True
        episode, scene = self.episode, self._scene
        if self._simulator is None or episode is None or scene is None:
            return
        state = self._simulator.state()
        self.oversight.note_position(self._simulator.observe(()))
        self.history.set_present(state)
        self.publisher.publish(scene, episode.id, state.physics, step=episode.index, time_s=episode.time_s)

    # Work of commands

    def start(self, config: EpisodeConfig, policy: str, prompt: Prompt | None, lineage: Lineage | None = None) -> str:
        """Begin an episode and return its id; what ran before ends."""
        self.finish(None)
        self.error, self._pending_steps, self.policy_name = "", 0, policy
        instruction = self._load(config, lineage)
        simulator = self._simulator
        assert simulator is not None
        acting = self.make_policy(policy)
        told = Prompt(text=instruction) if prompt is None else prompt
        head = head_of(config, told, policy, session_id=self._session_id, lineage=lineage)
        history = EpisodeHistory(head, lineage=lineage)
        episode = make_episode(simulator, acting, head, prompt=told, observer=Fanout((history, self.observers)))
        if lineage is not None:
            self.error = self.steering.catch_up(episode, lineage.lead, lineage.steering, lineage.assets)
            simulator.restore(lineage.state)
        self._num_slices = simulator.spec.num_slices
        self.oversight.begin_episode(episode)
        self.history, self.episode = history, episode  # before anybody is told, so that whoever looks then sees it
        announce_episode(episode)
        self.steering.announce(episode)
        self._publish_state()
        return head.episode_id

    def restart(self) -> str:
        """Begin the last episode anew, with the policy and the prompt that it had in the end."""
        if self.episode is not None:
            emit(self.episode, EventKind.RESET)
            self.finish(None)
        config = EpisodeConfig.from_dict(self.history.start.config)
        return self.start(config, self.policy_name, replace(self._prompt, id=""))

    def _load(self, config: EpisodeConfig, lineage: Lineage | None) -> str:
        """Put the simulator at an episode's start; return the instruction. A branch within the present scene only restores."""
        if self._simulator is not None and (self._loaded is None or self._loaded.simulator != config.simulator):
            self._simulator.close()
            self._simulator = None
        if self._simulator is None:
            self._simulator = self._simulators.load(config.simulator)
        if lineage is None or self._loaded is None or self._loaded.digest() != config.digest():
            self._loaded = None  # until the scene stands
            self._instruction = self._simulator.reset(config)
            self._loaded = config
            self._scene = LiveScene(config, self._simulator.open_view())
        if lineage is not None:
            self._simulator.restore(lineage.state)
        return self._instruction

    def make_policy(self, name: str) -> Policy:
        """Return a fresh policy for the present simulator."""
        if name == HOLD and name not in self._policies:
            return self.steering.open(HoldPolicy())
        assert self._simulator is not None
        return self.steering.open(self._policies.load(name)(self._simulator))

    def set_policy(self, name: str) -> None:
        """Let another policy act from the next step on; it starts afresh, also when it is the same one."""
        episode = self.episode
        if episode is None:
            return
        steered_before = self.steering.mix
        policy = self.make_policy(name)
        policy.reset(policy_rng(episode.seed, episode.index))
        is_other, self.policy_name = name != self.policy_name, name
        episode.policy, episode.is_policy_down, episode.plan_step = policy, False, None
        episode.chunk.clear()
        self.error = ""
        if is_other:
            emit(episode, EventKind.POLICY, {"policy": name})
        self.steering.announce_change(episode, steered_before)
        change_prompt(episode, {})  # what is left of a trace is told anew, to one that has not seen the robot go along it

    def set_prompt(self, changes: Mapping[str, Any]) -> None:
        """Tell the policy something else from the next step on."""
        if self.episode is not None:
            change_prompt(self.episode, changes)

    def look_ahead(self) -> None:
        """Ask the policy what it would do, if it shows that and the world stands still; a failure is shown only when it acts."""
        episode = self.episode
        if episode is None or self._inbox.mode is not RolloutMode.PAUSED or not episode.policy.spec.has_intention:
            return
        try:
            look_ahead(episode)
        except Exception as error:
            _log.warning("The policy could not say what it would do: %s", error)

    def step_more(self, num_steps: int) -> None:
        """Run some control steps while paused."""
        if self.episode is not None:
            self._pending_steps += num_steps
            self.error = ""
            emit(self.episode, EventKind.STEP, {"num_steps": num_steps})

    def set_speed(self, speed: float) -> None:
        """Note a change of speed."""
        self._rest()
        if self.episode is not None:
            emit(self.episode, EventKind.SPEED, {"speed": speed if math.isfinite(speed) else "max"})

    def record(self, kind: EventKind, payload: Mapping[str, Any], actor: str) -> None:
        """Put an event on the timeline."""
        if self.episode is not None:
            emit(self.episode, kind, payload, actor=actor)

    def note_mode(self, before: RolloutMode, after: RolloutMode, told: Mapping[str, Any] | None = None) -> None:
        """Put a change of mode on the timeline; ``told`` is what a person says of a take-over."""
        episode = self.episode
        if episode is None or before is after:
            return
        self.oversight.gate.question = None
        self._pending_steps = 0
        if before is RolloutMode.CORRECTING:
            self.oversight.hand.let_go()
            drop_plans(episode)
            emit(episode, EventKind.HANDBACK)
        if after is RolloutMode.AUTONOMOUS:
            self.error = ""
            emit(episode, EventKind.RESUME)
        elif after is RolloutMode.PAUSED:
            emit(episode, EventKind.PAUSE, {"reason": "halt released"} if before is RolloutMode.HALTED else {})
        elif after is RolloutMode.CORRECTING:
            emit(episode, EventKind.TAKEOVER, told)
        elif after is RolloutMode.HALTED:
            drop_plans(episode)
            emit(episode, EventKind.HALT)

    def call(self, fn: Callable[[Simulator], Any]) -> Any:
        """Run a function on the simulator and publish what it may have moved."""
        if self._simulator is None:
            raise WrongMode(Command.CALL.value, mode="without a scene", allowed=[m.value for m in TRANSITIONS[Command.PAUSE]])
        try:
            return fn(self._simulator)
        finally:
            self._publish_state()

    def add_observer(self, observer: RolloutObserver) -> None:
        """Tell one more observer; it hears the head of the present episode first."""
        self.observers.add(observer)
        if self.episode is not None:
            observer.on_start(self.episode.start)

    def finish(self, outcome: Outcome | None) -> None:
        """End the present episode, if there is one; by default with what the task says."""
        episode, self.episode = self.episode, None
        if episode is None:
            return
        self._prompt = replace(episode.prompt, trace=episode.given_trace)
        if outcome is None:
            outcome = Outcome.SUCCESS if episode.has_succeeded else Outcome.STOPPED
        finish_episode(episode, outcome)

    def answer(self, is_allowed: bool, reason: str) -> None:
        """Answer what the robot asks before it acts; with a yes it goes on."""
        is_yes = self.episode is not None and self.oversight.answer(self.episode, is_allowed, reason)
        if is_yes and self._inbox.mode is RolloutMode.PAUSED:
            self._inbox.post(Command.RESUME, self.note_mode)

    # Trouble

    def _pause_if(self, ticket: Ticket, reason: str, actor: str) -> None:
        if self._inbox.settle_paused(ticket):
            self._pending_steps = 0
            if self.episode is not None and ticket.mode is not RolloutMode.PAUSED:
                emit(self.episode, EventKind.PAUSE, {"reason": reason}, actor=actor)

    def _report(self, error: Exception) -> None:
        self.error = str(error) if isinstance(error, WorkbenchError) else f"{type(error).__name__}: {error}"
        _log.error("The rollout stopped: %s", self.error, exc_info=None if isinstance(error, WorkbenchError) else error)
        if self.episode is not None:
            emit(self.episode, EventKind.ERROR, {"message": self.error}, actor="system")

    def _on_observer_failure(self, observer: RolloutObserver, error: Exception) -> None:
        self.error = f"{type(observer).__name__} failed: {error}"
        _log.error("%s", self.error, exc_info=error)
        self._inbox.settle_paused(self._inbox.ticket)
