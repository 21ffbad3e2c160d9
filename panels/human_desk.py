"""The human's side of one live tab: corrections and their reasons, outcomes, talking, questions of the robot, procedures."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from panels.human_procedure import ProcedureRunner
from panels.human_talk import reply
from workbench.core.errors import InvalidInput
from workbench.core.events import Event, EventKind, Outcome
from workbench.intervention.rules import TIMEOUT_S, parse_rule
from workbench.intervention.segments import REASONS, Intervention, SegmentKind, interventions_of

if TYPE_CHECKING:
    from panels.live import LiveSession

KEEP_S: Final = 30.0
"""How much of what has just happened a person keeps with one key [s] of simulated time."""
MAX_TALK: Final = 30
TELLING: Final = frozenset(
    {
        EventKind.TAKEOVER,
        EventKind.HANDBACK,
        EventKind.INTERVENTION,
        EventKind.DISCARD,
        EventKind.KEEP,
        EventKind.CONFIRM,
        EventKind.PROCEDURE,
        EventKind.START,
        EventKind.END,
    }
)
"""Events after which the page shows this side anew."""


class HumanDesk:
    """Every method is thread-safe; what a person does here is an event on the timeline."""

    def __init__(self, session: LiveSession) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._talk: deque[dict[str, Any]] = deque(maxlen=MAX_TALK)
        self._timer: threading.Timer | None = None
        self.after_outcome = "again"
        self.procedure = ProcedureRunner(session, self.tell_page)

    # --- corrections ---

    def interventions(self) -> tuple[Intervention, ...]:
        """Return the interventions of the present episode."""
        history = self._session.controller.history()
        return interventions_of(history.events(), history.num_steps)

    def note_reason(self, reason: str) -> None:
        """Say why the correction of now, or the last one, was needed."""
        if not self.interventions() and self._session.controller.status().mode != "correcting":
            raise InvalidInput("reason", expected="a correction that it belongs to", found="none", fix="Take over first (Tab).")
        self._session.controller.record(EventKind.INTERVENTION, {"reason": reason.strip()})

    def begin_segment(self, kind: SegmentKind) -> None:
        """Say that from here on the person recovers, or shows what should have been done."""
        if self._session.controller.status().mode != "correcting":
            raise InvalidInput("part of a correction", expected="that you drive", found="you do not", fix="Take over first (Tab).")
        self._session.controller.record(EventKind.INTERVENTION, {"segment": kind.value})

    def discard(self) -> str:
        """Throw the last correction away: go back to where it began, on a branch, paused; return the branch's id."""
        found = [i for i in self.interventions() if not i.is_discarded and i.stop > i.start]
        if not found:
            raise InvalidInput("correction to discard", expected="one with at least a step", found="none", fix="Take over first (Tab).")
        last = found[-1]
        self._session.show_step(None)
        self._session.controller.record(EventKind.DISCARD, {"start": last.start, "stop": last.stop, "reason": last.reason})
        return self._session.branch(last.start)

    # --- attempts ---

    def mark(self, is_success: bool) -> None:
        """Stamp the outcome of this attempt, end it, and begin the next one as chosen."""
        session, controller = self._session, self._session.controller
        status, config = controller.status(), session.config
        if status.mode == "idle" or config is None:
            raise InvalidInput("outcome", expected="an episode that runs", found="none", fix="Start one in the Scene tab, or press R.")
        controller.record(EventKind.RATING, {"is_success": is_success})
        session.show_step(None)
        controller.end(Outcome.SUCCESS if is_success else Outcome.FAILURE)
        if self.after_outcome == "again":
            controller.reset()
        elif self.after_outcome == "next":
            controller.start(replace(config, seed=config.seed + 1), policy=status.policy)

    def keep(self, seconds: float = KEEP_S) -> dict[str, Any]:
        """Keep what has just happened: a mark that the history finds again."""
        session = self._session
        stop, control_hz = session.controller.history().num_steps, session.config.control_hz if session.config else 20.0
        if not stop:
            raise InvalidInput("moment to keep", expected="an episode with steps", found="none")
        kept = {"start": max(0, stop - round(seconds * control_hz)), "stop": stop}
        session.controller.record(EventKind.KEEP, kept)
        return kept

    # --- talking ---

    def say(self, text: str) -> None:
        """Take what a person says, and answer in a thread of its own; a stop is done before anything else."""
        reply(self._session, text, self._said)

    def _said(self, text: str, events: list[dict[str, str]]) -> None:
        entry = {"text": text, "events": events}
        with self._lock:
            self._talk.append(entry)
        if self._session.controller.status().mode != "idle":
            self._session.controller.record(EventKind.SAY, {"text": text, "answer": events})
        self._session.push({"type": "said", **entry})

    # --- questions of the robot ---

    def set_rules(self, rules: list[dict[str, Any]]) -> None:
        """Replace the rules that say when the robot asks."""
        self._session.controller.gate.set_rules([parse_rule(rule) for rule in rules])
        self.tell_page()

    def answer(self, is_allowed: bool) -> None:
        """Answer what the robot asks."""
        self._session.controller.answer(is_allowed)

    def _watch_question(self, payload: Mapping[str, Any]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if "id" in payload:  # a question, not an answer
            self._timer = threading.Timer(TIMEOUT_S, self._withdraw, args=(str(payload["id"]),))
            self._timer.daemon = True
            self._timer.start()

    def _withdraw(self, question_id: str) -> None:
        question = self._session.controller.status().question
        if question is not None and question.id == question_id:
            self._session.controller.answer(False, "nobody answered in time")

    # --- what the page shows ---

    def on_event(self, event: Event) -> None:
        """Told by the rollout, in the stepping thread."""
        if event.kind is EventKind.CONFIRM:
            self._watch_question(event.payload)
        self.procedure.on_event(event)
        if event.kind in TELLING:
            self.tell_page()

    def tell_page(self) -> None:
        """Tell the page that this side looks different now."""
        self._session.push({"type": "changed", "what": "human"})

    def state(self) -> dict[str, Any]:
        """Return everything that the Human tab shows, as JSON values."""
        history = self._session.controller.history()
        with self._lock:
            talk = list(self._talk)
        found = self.interventions()
        return {
            "episode_id": history.episode_id,
            "interventions": [
                {
                    "start": i.start,
                    "stop": i.stop,
                    "reason": i.reason,
                    "is_discarded": i.is_discarded,
                    "segments": [{"kind": s.kind.value, "start": s.start, "stop": s.stop} for s in i.segments],
                }
                for i in found
            ],
            "segment": found[-1].segments[-1].kind.value if found and found[-1].segments else "correction",
            "kept": [{"step": e.step, **e.payload} for e in history.events() if e.kind is EventKind.KEEP],
            "reasons": list(REASONS),
            "after_outcome": self.after_outcome,
            "talk": talk,
            "rules": [{**rule.to_dict(), "text": rule.in_words()} for rule in self._session.controller.gate.rules],
            "procedure": self.procedure.state(),
        }

    def close(self) -> None:
        """End what still waits."""
        self.procedure.stop()
        if self._timer is not None:
            self._timer.cancel()
