"""Follows a plan: tells each sub-goal, looks whether it is done, sees when an attempt is stuck, tries again, and asks at last.

Source: the loop of Agentic Robot (arXiv:2505.23450): execute, verify every n steps, recover when stuck, stop after so many failures. Its
verifier is a fine-tuned vision-language model; ours is the measure of the task whose words the sub-goal has, the simulator's truth, and
where nothing measures it the policy's own word.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from workbench.core.events import EventKind, new_id
from workbench.core.types import PROPRIO, Actor, Step
from workbench.intervention.rules import Question
from workbench.planning.progress import ProgressWatch
from workbench.planning.subgoals import GoalPlan, GoalState
from workbench.planning.switching import Mode
from workbench.rollout.goals import Goal, look_at
from workbench.rollout.loop import LiveEpisode, change_prompt, drop_plans, emit

if TYPE_CHECKING:
    from workbench.rollout.pilot import Pilot

NUM_HOLDS: Final = 2
"""Looks in a row at which a goal must hold."""
LIMIT_S: Final = 20.0
"""Time of one attempt where no task says its own [s]."""
DOUBT_S: Final = 1.0
"""A policy that has said for so long that it is finished, while the goal does not hold, has failed [s]."""
PLAN_RULE: Final = -1
"""Stands for the rule of a question that no rule of a person asks."""


class PlanFollower:
    """The pilot's side that knows the plan; belongs to the stepping thread, ``plan`` is replaced as a whole."""

    def __init__(self, pilot: Pilot) -> None:
        self._pilot = pilot
        self.begin()

    def begin(self, plan: GoalPlan | None = None) -> None:
        """Forget the plan, or have another one wait."""
        self.plan = plan or GoalPlan()
        self._told: int | None = None
        self._question: Question | None = None
        self._new_attempt()

    def _new_attempt(self) -> None:
        self._watch = ProgressWatch()
        self._begun_at: float | None = None
        self._said_at: float | None = None
        self._num_holds = 0

    def restart_watch(self) -> None:
        """Begin to watch the attempt anew: a person has driven."""
        self._watch, self._begun_at, self._said_at = ProgressWatch(), None, None

    # --- what a person, or a trial, asks for ---

    def start(self, episode: LiveEpisode, plan: GoalPlan) -> None:
        """Follow a plan from its first open sub-goal on."""
        self.plan = replace(plan, is_running=plan.current is not None)
        self._told = self._question = None
        goals = [goal.instruction for goal in plan.goals]
        emit(episode, EventKind.SUBGOAL, {"text": f"{len(goals)} sub-goals begin", "goals": goals})

    def put(self, plan: GoalPlan) -> None:
        """Take another plan, without beginning it."""
        self.plan, self._told, self._question = replace(plan, is_running=False), None, None

    def stop(self, episode: LiveEpisode) -> None:
        """Follow it no more; the policy goes on with what it was told last."""
        if self.plan.is_running:
            emit(episode, EventKind.SUBGOAL, {"text": "the plan is stopped"})
        current = self.plan.current
        if current is not None and self.plan.goals[current].state is GoalState.NOW:
            self.plan = self.plan.retried(current)
        self.plan, self._told = replace(self.plan, is_running=False), None

    def change(self, change: Callable[[GoalPlan], GoalPlan]) -> None:
        """Edit the plan; a sub-goal that is another one now is told anew.

        Raises:
            InvalidInput: it cannot be changed so.
        """
        before = self._current_words()
        self.plan = change(self.plan)
        current = self.plan.current
        is_waiting = current is not None and self.plan.goals[current].state is GoalState.WAITING
        if self._current_words() != before or is_waiting:
            self._told = None

    def _current_words(self) -> tuple[int | None, str]:
        current = self.plan.current
        return (current, "" if current is None else self.plan.goals[current].instruction)

    # --- each step ---

    @property
    def is_due(self) -> bool:
        """Whether a sub-goal is to be told."""
        current = self.plan.current
        is_open = self.plan.is_running and current is not None and current != self._told
        return is_open and current is not None and self.plan.goals[current].state is not GoalState.ASKED

    def tell(self, episode: LiveEpisode) -> None:
        """Tell the sub-goal that is due, if it was not told yet."""
        current = self.plan.current
        if not self.is_due or current is None:
            return
        instruction = self.plan.goals[current].instruction
        self._begin_attempt(episode, current)
        change_prompt(episode, {"text": instruction, "trace": None, "mask": None, "interaction": None})
        self._pilot.follow_on(episode, instruction)

    def _begin_attempt(self, episode: LiveEpisode, index: int) -> None:
        self._new_attempt()
        self._told = index
        self.plan = self.plan.begun(index, at_step=episode.index)
        goal = self.plan.goals[index]
        again = f", attempt {goal.attempts}" if goal.attempts > 1 else ""
        told = {"index": index, "state": goal.state.value, "attempt": goal.attempts}
        emit(episode, EventKind.SUBGOAL, {"text": f"now {index + 1}: {goal.instruction}{again}", **told}, actor="system")

    def look(self, episode: LiveEpisode, step: Step) -> None:
        """Take in a step that was executed; while a plan runs, the policy's word alone does not end the episode."""
        current = self.plan.current
        if not self.plan.is_running or current is None or current != self._told or self._pilot.is_leading:
            return
        says_done, episode.is_done = episode.is_done and step.actor is not Actor.HUMAN, False
        if self._begun_at is None:
            self._begun_at = step.time_s
        if says_done and self._said_at is None:
            self._said_at = step.time_s
        goal = self._pilot.goal_of(episode, self.plan.goals[current].instruction)
        if self._is_done(episode, goal):
            self._finish(episode, current, "measured" if goal is not None and self._pilot.settings.is_verifying else "the policy says so")
        elif why := self._why_failed(episode, step, goal):
            self._fail(episode, current, why)

    def _is_done(self, episode: LiveEpisode, goal: Goal | None) -> bool:
        """Look whether the goal holds, if a look is due; where nothing measures it, take the policy's word."""
        settings = self._pilot.settings
        if goal is None or not settings.is_verifying:
            return self._said_at is not None
        if not goal.is_momentary and episode.index % max(1, settings.verify_every) and self._num_holds == 0:
            return False
        self._num_holds = self._num_holds + 1 if look_at(goal, episode.simulator).holds else 0
        return self._num_holds >= NUM_HOLDS

    def _why_failed(self, episode: LiveEpisode, step: Step, goal: Goal | None) -> str:
        """Return why this attempt is over without success, or nothing."""
        assert self._begun_at is not None
        settings, now = self._pilot.settings, step.time_s
        limit_s = LIMIT_S if goal is None else goal.task.time_limit_s
        if now - self._begun_at >= limit_s:
            return f"not done after {limit_s:.0f} s"
        if not settings.is_recovering or step.actor is Actor.HUMAN:
            return ""
        if goal is not None and settings.is_verifying and self._said_at is not None and now - self._said_at >= DOUBT_S:
            return "the policy says that it is finished, and it is not"
        hand = (step.proprio if step.proprio is not None else episode.simulator.observe(()).proprio)[PROPRIO["ee_position"]]
        remaining = None if goal is None or not settings.is_verifying else look_at(goal, episode.simulator).remaining
        return self._watch.look(now, hand, remaining)

    def _finish(self, episode: LiveEpisode, index: int, by: str) -> None:
        self._mark(episode, index, GoalState.DONE, by)
        drop_plans(episode)
        if self.plan.current is None:
            emit(episode, EventKind.SUBGOAL, {"text": "all sub-goals are done"}, actor="system")
            episode.is_done = True

    def _fail(self, episode: LiveEpisode, index: int, why: str) -> None:
        """Try again after a recovery, as often as allowed; then ask the person, or end the plan."""
        settings, goal = self._pilot.settings, self.plan.goals[index]
        drop_plans(episode)
        if not settings.is_verifying:
            self._mark(episode, index, GoalState.DONE, f"its time is over: {why}; nobody verified it")
            episode.is_done = self.plan.current is None
        elif goal.attempts < settings.max_attempts:
            self.plan = self.plan.noted(index, why)
            text = f"attempt {goal.attempts} at {index + 1} failed: {why}"
            emit(episode, EventKind.SUBGOAL, {"text": text, "index": index, "state": "again"}, actor="system")
            self._begin_attempt(episode, index)
            self._pilot.begin_ways(Mode.RECOVERY if settings.is_recovering else Mode.FORWARD, attempt=self.plan.goals[index].attempts)
        elif settings.asks:
            self._mark(episode, index, GoalState.ASKED, why)
        else:
            self._mark(episode, index, GoalState.FAILED, why)
            self.plan, episode.is_done = replace(self.plan, is_running=False), True

    def _mark(self, episode: LiveEpisode, index: int, state: GoalState, note: str) -> None:
        self.plan = self.plan.marked(index, state, note=note, at_step=episode.index)
        told = {"index": index, "state": state.value, "note": note}
        emit(
            episode,
            EventKind.SUBGOAL,
            {"text": f"{state.value} {index + 1}: {self.plan.goals[index].instruction} ({note})", **told},
            actor="system",
        )

    # --- asking ---

    def question(self, now_s: float) -> Question | None:
        """Return what the person is asked: a question stands as long as its sub-goal is in doubt."""
        current = self.plan.current
        if not self.plan.is_running or current is None or self.plan.goals[current].state is not GoalState.ASKED:
            self._question = None
            return None
        goal = self.plan.goals[current]
        text = f"Step {current + 1}, “{goal.text}”, failed {goal.attempts} times: {goal.note}. I would try it again."
        self._question = Question(new_id(), text, PLAN_RULE, now_s)
        return self._question

    def answer(self, question: Question, is_allowed: bool, is_human: bool) -> None:
        """Take the answer: a yes tries again, a person's no ends the plan, no answer leaves it open."""
        current = self.plan.current
        if question.rule != PLAN_RULE or current is None or self.plan.goals[current].state is not GoalState.ASKED:
            return
        if is_allowed:
            self.change(lambda plan: plan.retried(current))
        elif is_human:
            self.plan = replace(self.plan.marked(current, GoalState.FAILED, note=self.plan.goals[current].note), is_running=False)
