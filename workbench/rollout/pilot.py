"""Leads the hand where no policy shall: undo and new starts after a change of the instruction, recovery between attempts.

The pilot of an episode is asked before its policy in every control step. While it leads, its actions take the place of the policy's, one a
step, with the score ``mode``; then the policy starts afresh. Every change of who leads is an event on the timeline. What a person drives
ends a way of the pilot. A branch begins with the policy leading, also when its parent was on a way of the pilot.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.core.events import EventKind
from workbench.core.trajectories import Trajectory, Waypoint
from workbench.core.types import ActionChunk, Actor, Observation, Step
from workbench.intervention.rules import Question
from workbench.planning import ways
from workbench.planning.subgoals import GoalPlan
from workbench.planning.switching import MODE_CODES, Contact, Mode, mode_after_change, mode_after_done
from workbench.rollout.goals import Goal, contact_of, find_goal
from workbench.rollout.loop import LiveEpisode, emit, policy_rng
from workbench.simulation.manner import strip_manner
from workbench.trajectory.follower import WaypointFollower

if TYPE_CHECKING:
    from workbench.rollout.plan_follower import PlanFollower

MODE_SCORE: Final = "mode"
"""Score of a step that the pilot leads, see :data:`workbench.planning.switching.MODE_CODES`."""
NEAR_M: Final = 0.05
"""A hand this near to the start need not go there."""

MakeWay = Callable[[Observation], tuple[Waypoint, ...]]


@dataclass(frozen=True)
class PilotSettings:
    """What a person may choose."""

    is_switching: bool = True
    """Whether a changed instruction is taken up by its mode; else the policy is just told."""
    is_verifying: bool = True
    """Whether a sub-goal is done by its measure; else when the policy says so, or its time is over."""
    is_recovering: bool = True
    """Whether an attempt that is stuck or failed is followed by a recovery; else the next begins where the hand is."""
    asks: bool = True
    """Whether a person is asked after the last attempt; else the plan ends there."""
    verify_every: int = 5
    """Control steps between two looks at a goal; one that holds only for a moment is looked at in each."""
    max_attempts: int = 3
    """Of each sub-goal."""


class Pilot:
    """Belongs to the stepping thread; ``settings``, ``plan``, ``mode`` and ``note`` are replaced as a whole and may be read by any."""

    def __init__(self, settings: PilotSettings | None = None) -> None:
        from workbench.rollout.plan_follower import PlanFollower

        self.settings = settings or PilotSettings()
        self.follower: PlanFollower = PlanFollower(self)
        self._scene = ""
        self.begin()

    def begin(self, scene: str = "") -> None:
        """Forget the episode before; the settings stay, and in the same ``scene`` its plan, which waits from its first sub-goal on."""
        self.mode, self.note = Mode.FORWARD, ""
        self._tape: deque[ways.Moment] = deque(maxlen=ways.MAX_MOMENTS)
        self._start: ways.Moment | None = None
        self._told: str | None = None
        self._goal: Goal | None = None
        self._answer: ActionChunk | None = None
        self._answered_at: tuple[int, str] | None = None
        self.contact = Contact()
        self._stop_leading()
        self.follower.begin(self.plan.renewed() if scene and scene == self._scene else None)
        self._scene = scene

    @property
    def plan(self) -> GoalPlan:
        """The sub-goals of the present episode."""
        return self.follower.plan

    @property
    def is_leading(self) -> bool:
        """Whether the pilot leads the hand now."""
        return self.mode is not Mode.FORWARD

    # --- asked before the policy, and told of every step ---

    def propose(self, episode: LiveEpisode, observation: Observation) -> ActionChunk | None:
        """Return the pilot's action for this step, or None when the policy shall act; the same when it is asked again before a step.

        The episode's chunk cannot keep this answer: it is dropped whenever something else is told, while the way, which has already
        moved on by a step, must not move on twice; and that the policy shall act is an answer as well.
        """
        if not self.settings.is_switching and not self.plan.goals:
            return None
        if self._answered_at == (observation.step, episode.prompt.text) and not self.follower.is_due:
            return self._answer
        self._remember(episode, observation)
        self.follower.tell(episode)
        self._take_up(episode)
        self._answer, self._answered_at = self._lead(episode, observation), (observation.step, episode.prompt.text)
        return self._answer

    def look(self, episode: LiveEpisode, step: Step) -> None:
        """Take in a step that was executed."""
        if step.actor is Actor.HUMAN:
            if self.is_leading:
                self._go_forward(episode, "a person took over")
            self.follower.restart_watch()
        self.follower.look(episode, step)

    def question(self, now_s: float) -> Question | None:
        """Return what the person is asked, if anything."""
        return self.follower.question(now_s)

    # --- changes of the instruction ---

    def _remember(self, episode: LiveEpisode, observation: Observation) -> None:
        self.contact = contact_of(episode.simulator, observation)
        position = observation.ee_position
        moment = ways.Moment(position, observation.ee_quaternion, observation.gripper_command, self.contact.is_touching)
        if self._tape and self._answered_at is not None and self._answered_at[0] == observation.step:
            self._tape.pop()  # it was asked again before the step: nothing was driven meanwhile
        self._tape.append(moment)
        if self._start is None:
            high = np.array([position[0], position[1], max(float(position[2]), ways.TRAVEL_M)])
            self._start = replace(moment, position=high, opening=1.0)

    def _take_up(self, episode: LiveEpisode) -> None:
        """See whether the person has changed the instruction, and begin the way that follows from it."""
        text = episode.prompt.text
        if text == self._told:
            return
        before, had, self._told = self._told, self._goal, text
        self._goal = find_goal(episode.simulator, text)
        if before is None or not text:
            return
        is_same = strip_manner(before) == strip_manner(text) or (self._goal is not None and self._goal.is_like(had))
        if self.plan.is_running and not is_same:
            self.follower.stop(episode)  # the person wants something else
        if len(self._tape) < 2 or "text" not in episode.policy.spec.prompts or not self.settings.is_switching:
            return
        mode = mode_after_change(self.contact, is_same=is_same, acts_on=self._goal.acts_on if self._goal else "")
        if self.is_leading and mode is not Mode.FORWARD:
            return  # it is on its way already
        self._enter(episode, mode, _why(mode, self.contact, is_same=is_same), is_told=True)
        self.begin_ways(mode)

    def follow_on(self, episode: LiveEpisode, instruction: str) -> None:
        """Note that a sub-goal was told, and begin the way to it, if the hand has left the start."""
        self._told, self._goal = instruction, find_goal(episode.simulator, instruction)
        has_moved = len(self._tape) > 1
        self.begin_ways(mode_after_done(self.contact, acts_on=self._goal.acts_on if self._goal else "") if has_moved else Mode.FORWARD)

    def goal_of(self, episode: LiveEpisode, instruction: str) -> Goal | None:
        """Return what the present instruction asks for."""
        if instruction != self._told or self._goal is None:
            return find_goal(episode.simulator, instruction)
        return self._goal

    def begin_ways(self, mode: Mode, *, attempt: int = 1) -> None:
        """Lead the hand as a mode wants it, from the next step on; ``attempt`` is the one that comes."""
        self._stop_leading()
        offset = ways.new_start(attempt)
        if mode is Mode.ROLLBACK or (mode is Mode.RECOVERY and self.contact.is_lifted):
            tape = tuple(self._tape)
            self._queue.append((mode, lambda _: ways.way_back(tape)))
        if mode in (Mode.ROLLBACK, Mode.RECOVERY):
            self._queue.append((mode, self._let_go))
        if mode is not Mode.FORWARD:
            self._queue.append((Mode.RECOVERY if mode is Mode.RECOVERY else Mode.ADVANCE, lambda o: self._to_start(o, offset)))

    def _let_go(self, observation: Observation) -> tuple[Waypoint, ...]:
        """Open and rise where something is still touched, or nothing was undone."""
        if self.mode is Mode.ROLLBACK and not self.contact.is_touching:
            return ()
        return ways.lift(observation.ee_position, observation.ee_quaternion)

    def _to_start(self, observation: Observation, offset: np.ndarray) -> tuple[Waypoint, ...]:
        start, position = self._start, observation.ee_position
        if start is None or float(np.linalg.norm(position - start.position - offset)) < NEAR_M:
            return ()
        return ways.to_start(position, start, offset=offset)

    # --- leading ---

    def _stop_leading(self) -> None:
        self._queue: deque[tuple[Mode, MakeWay]] = deque()
        self._drive: WaypointFollower | None = None

    def _lead(self, episode: LiveEpisode, observation: Observation) -> ActionChunk | None:
        while self._drive is None or self._drive.is_done:
            if not self._queue:
                if self.is_leading:
                    self._go_forward(episode, "the way is over")
                return None
            mode, make = self._queue.popleft()
            points = make(observation)
            self._drive = WaypointFollower(Trajectory(points, 0)) if points else None
            if points:
                self._enter(episode, mode, _ABOUT[mode])
        period_s = 1.0 / episode.config.control_hz
        action = self._drive.act(observation, period_s)
        return ActionChunk(action[None], episode.config.control_hz, {MODE_SCORE: MODE_CODES[self.mode]})

    def _go_forward(self, episode: LiveEpisode, why: str) -> None:
        """Let the policy act again, afresh."""
        self._stop_leading()
        self._tape.clear()
        episode.chunk.clear()
        episode.policy.reset(policy_rng(episode.seed, episode.index))
        self._enter(episode, Mode.FORWARD, why)

    def _enter(self, episode: LiveEpisode, mode: Mode, why: str, *, is_told: bool = False) -> None:
        if mode is self.mode and not is_told:
            return
        self.mode, self.note = mode, "" if mode is Mode.FORWARD else why
        told = {"mode": mode.value, "text": f"{mode.value}: {why}", "instruction": self._told or "", "held": self.contact.held}
        emit(episode, EventKind.SWITCH, {**told, "is_touching": self.contact.is_touching}, actor="system")


_ABOUT: Final = {
    Mode.ROLLBACK: "back along what was driven",
    Mode.ADVANCE: "the policy begins afresh there",
    Mode.RECOVERY: "up and away, to try again",
    Mode.FORWARD: "",
}


def _why(mode: Mode, contact: Contact, *, is_same: bool) -> str:
    if mode is Mode.ROLLBACK:
        return f"another instruction came while the hand {'held' if contact.held else 'touched'} something"
    if mode is Mode.ADVANCE:
        return "another instruction came while the hand was free"
    return "the same is asked for" if is_same else "what is held is what the new instruction is about"
