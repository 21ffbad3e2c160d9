"""The sub-goals of one live tab: planned, edited, run, and what became of each. The plan itself belongs to the rollout."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

from models import lexicon
from models.goal_planner import plan_by_model
from models.language import MAX_LETTERS, Understanding
from models.vision_language import VisionLanguageInterpreter
from panels.several_things import TASK, several_things
from panels.telling import NO_WORDS, understand
from workbench.core.errors import InvalidInput
from workbench.core.events import Event, EventKind
from workbench.core.types import EpisodeConfig
from workbench.intervention.procedures import parse_procedure
from workbench.planning.decomposition import decompose
from workbench.planning.subgoals import GoalPlan, GoalState, plan_of
from workbench.rollout.loop import LiveEpisode
from workbench.rollout.pilot import Pilot
from workbench.rollout.plan_follower import PLAN_RULE
from workbench.simulation.sayings import sayings_in

if TYPE_CHECKING:
    from panels.live import LiveSession

ANSWER_S: Final = 20.0
"""Longest wait for the stepping thread."""
DRIVER: Final = "bench-vla"
API_KEY_VARIABLE: Final = "VLAW_VLM_API_KEY"
VERBS: Final = frozenset(phrase.split()[0] for phrase in lexicon.VERBS) - lexicon.IDLE - {"in", "into", "make"}
"""Words that a step may begin with."""
TELLING: Final = frozenset({EventKind.SUBGOAL, EventKind.SWITCH, EventKind.CONFIRM, EventKind.START, EventKind.END, EventKind.POLICY})
"""Events after which the page shows this part anew."""


class GoalsDesk:
    """Every method is thread-safe; what changes the plan is done between two control steps."""

    def __init__(self, session: LiveSession) -> None:
        self._session = session
        self._refusals: dict[str, Understanding] = {}

    # --- planning ---

    def plan(self, text: str, *, address: str = "", model: str = "") -> dict[str, Any]:
        """Take an instruction apart, by the built-in grammar or a language model; the plan waits until it is run.

        Raises:
            InvalidInput: there are no steps in it, or too many; or the address is none.
            ServiceFailed: the model did not answer as agreed.
        """
        self._refusals.clear()
        if address or model:
            offers = [saying.wordings[0] for saying in self._session.in_simulator(sayings_in)]
            steps = [
                (step, self._meant(step))
                for step in plan_by_model(VisionLanguageInterpreter(address, model, API_KEY_VARIABLE), text, offers)
            ]
        else:
            lines = "\n".join(step.text for step in parse_procedure(text).steps) if "\n" in text.strip() else text
            steps = [(step.text, step.instruction) for step in decompose(lines, self._meant, VERBS)]
        plan = plan_of(tuple(steps))
        self._lead(lambda pilot, episode: pilot.follower.stop(episode))
        self._lead(lambda pilot, episode: pilot.follower.put(plan))
        return self.state()

    def _meant(self, clause: str) -> str:
        """Return the instruction that a clause means to the policy that drives; nothing when it means none."""
        clause = clause[:MAX_LETTERS]
        spec = self._session.controller.status().spec or NO_WORDS
        words = spec.known_words or self._every_word()
        found = understand(self._session, clause, words)
        self._refusals[clause] = found
        return found.instruction

    def _every_word(self) -> frozenset[str]:
        sayings = self._session.in_simulator(sayings_in)
        return frozenset(word for saying in sayings for wording in saying.wordings for word in wording.split())

    # --- changing ---

    def edit(self, index: int, text: str) -> dict[str, Any]:
        """Put other words in the place of a sub-goal that is not over."""
        instruction = self._meant(text.strip())
        return self._change(lambda plan: plan.edited(index, text, instruction))

    def move(self, index: int, to: int) -> dict[str, Any]:
        """Put a sub-goal at another place."""
        return self._change(lambda plan: plan.moved(index, to))

    def skip(self, index: int) -> dict[str, Any]:
        """Leave a sub-goal out."""
        return self._change(lambda plan: plan.marked(index, GoalState.SKIPPED, note="skipped by hand"))

    def retry(self, index: int) -> dict[str, Any]:
        """Let a sub-goal be done anew."""
        return self._change(lambda plan: plan.retried(index))

    def set(self, changes: dict[str, Any]) -> dict[str, Any]:
        """Change how plans are followed and changed instructions taken up."""
        pilot = self._session.controller.pilot
        pilot.settings = replace(pilot.settings, **changes)
        self.tell_page()
        return self.state()

    # --- running ---

    def run(self) -> dict[str, Any]:
        """Follow the plan from its first open sub-goal, or, when all are over, from the first one again.

        Raises:
            InvalidInput: there is no plan, a step was not understood, or what drives reads no words.
        """
        session, plan = self._session, self._session.controller.pilot.plan
        if not plan.goals:
            raise InvalidInput("plan", expected="at least one sub-goal", found="none", fix="Say what to do, and press Plan.")
        for number, goal in enumerate(plan.goals, 1):
            if not goal.instruction and goal.state is not GoalState.SKIPPED:
                raise InvalidInput(
                    f"step {number}", expected="words that are understood", found=goal.text, fix="Edit the step, or skip it."
                )
        spec = session.controller.status().spec or NO_WORDS
        if "text" not in spec.prompts:
            raise InvalidInput(
                "driver", expected="one that reads words", found=spec.name or "none", fix="Choose the bench VLA in the Scene tab."
            )
        session.human.procedure.stop()
        if session.shown_step is not None:
            session.show_step(None)

        def begin(pilot: Pilot, episode: LiveEpisode) -> None:
            pilot.follower.start(episode, pilot.plan if pilot.plan.current is not None else pilot.plan.renewed())

        self._lead(begin)
        if session.controller.status().mode == "paused":
            session.command("resume")
        return self.state()

    def stop(self) -> dict[str, Any]:
        """Follow the plan no more; the robot stands still."""
        self._lead(lambda pilot, episode: pilot.follower.stop(episode))
        if self._session.controller.status().mode == "autonomous":
            self._session.controller.pause()
        return self.state()

    def scene(self, steps: int) -> dict[str, Any]:
        """Begin an episode at a table with several things, whose instruction has so many steps; the bench VLA drives where there is one."""
        session, seed = self._session, random.randint(0, 999_999)
        robot = session.config.robot if session.config else ""
        config = several_things(EpisodeConfig(TASK, seed, robot=robot), steps)
        policies = session.controller.catalogues[1]
        session.controller.start(config, policy=DRIVER if DRIVER in policies else session.controller.status().policy).result(ANSWER_S)
        return {**self.state(), "instruction": session.controller.status().instruction}

    # --- what the page shows ---

    def state(self) -> dict[str, Any]:
        """Return everything that the part of the Watch tab shows, as JSON values."""
        pilot, status = self._session.controller.pilot, self._session.controller.status()
        plan = pilot.plan.to_dict()
        for goal in plan["goals"]:
            refusal = self._refusals.get(goal["text"])
            is_lost = not goal["instruction"]
            goal["reason"] = refusal.reason if refusal and is_lost else ""
            goal["suggestions"] = list(refusal.suggestions) if refusal and is_lost else []
        return {
            **plan,
            "episode_id": status.episode_id,
            "mode": pilot.mode.value,
            "why": pilot.note,
            "held": pilot.contact.held.replace("_", " "),
            "settings": asdict(pilot.settings),
            "is_read": "text" in (status.spec or NO_WORDS).prompts,
            "policy": status.policy,
        }

    def tell_page(self) -> None:
        """Tell the page that this part looks different now."""
        self._session.push({"type": "changed", "what": "goals"})

    def on_event(self, event: Event) -> None:
        """Told by the rollout, in the stepping thread."""
        if event.kind is EventKind.PROCEDURE and event.payload.get("text") == "begins" and self._session.controller.pilot.plan.is_running:
            self._session.controller.lead(lambda pilot, episode: pilot.follower.stop(episode))
        if event.kind in TELLING:
            self.tell_page()

    # --- within ---

    def _change(self, change: Callable[[GoalPlan], GoalPlan]) -> dict[str, Any]:
        gate = self._session.controller.gate

        def work(pilot: Pilot, episode: LiveEpisode) -> None:
            pilot.follower.change(change)
            if gate.question is not None and gate.question.rule == PLAN_RULE and pilot.question(0.0) is None:
                gate.question = None  # answered by what the person did instead

        self._lead(work)
        return self.state()

    def _lead(self, wish: Callable[[Pilot, LiveEpisode], None]) -> None:
        self._session.controller.lead(wish).result(ANSWER_S)
        self.tell_page()
