"""Following a standard operating procedure: each step is told, watched, and ticked off.

It is no plan of sub-goals (:mod:`workbench.rollout.plan_follower`), and cannot be run as one: a step is any line that the person may write,
read as if typed into the Tell tab, which can take a language model seconds and may fail, so it is told from a thread of the page; and it
waits for as long as the person likes, where a sub-goal, part of the episode itself, counts control steps, gives up, recovers and tries again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from panels.telling import tell
from workbench.core.errors import WorkbenchError
from workbench.core.events import Event, EventKind
from workbench.intervention.procedures import Procedure, parse_procedure
from workbench.rollout.goals import goal_holds

if TYPE_CHECKING:
    from panels.live import LiveSession

PERIOD_S: Final = 0.25
"""How often it looks whether the present step is done."""
NUM_HOLDS: Final = 2
"""Looks in a row at which the goal must hold."""

log = logging.getLogger(__name__)


class ProcedureRunner:
    """One procedure of one tab. A step is ticked by the measure of its task, by a policy that says it is finished, or by the person."""

    def __init__(self, session: LiveSession, tell_page: Callable[[], None]) -> None:
        self._session, self._tell_page = session, tell_page
        self._lock = threading.RLock()
        self._procedure = Procedure()
        self._wake = threading.Event()
        self._told: int | None = None
        self._is_policy_done = False
        self._thread: threading.Thread | None = None
        self.note = ""

    def state(self) -> dict[str, Any]:
        """Return JSON values for the page."""
        with self._lock:
            return {**self._procedure.to_dict(), "note": self.note}

    def start(self, text: str) -> None:
        """Follow the steps of ``text`` from the first one on; raises InvalidInput when it is no procedure."""
        procedure = parse_procedure(text)
        with self._lock:
            self._procedure, self._told, self.note = replace(procedure, is_running=True), None, ""
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="procedure", daemon=True)
                self._thread.start()
        self._session.controller.record(EventKind.PROCEDURE, {"text": "begins", "steps": [s.text for s in procedure.steps]})

    def stop(self) -> None:
        """Follow it no more; the robot goes on with what it was told last."""
        with self._lock:
            self._procedure = replace(self._procedure, is_running=False)
        self._wake.set()

    def tick(self, index: int, is_done: bool) -> None:
        """Tick a step by hand, or take its tick back; raises InvalidInput when there is no such step."""
        if is_done:
            self._tick(index, by="human")
            return
        with self._lock:
            self._procedure, self._told = self._procedure.unticked(index), None
        self._tell_page()

    def on_event(self, event: Event) -> None:
        """Told by the rollout: the policy says that it is finished, or the episode is over."""
        if event.kind is EventKind.PAUSE and event.payload.get("reason") == "done":
            self._is_policy_done = True
            self._wake.set()
        elif event.kind is EventKind.END:
            self.stop()

    def _tick(self, index: int, *, by: str) -> None:
        step = self._session.controller.status().step
        with self._lock:
            self._procedure = self._procedure.ticked(index, by=by, at_step=step)
            text, self._told, self.note = self._procedure.steps[index].text, None, ""
        self._session.controller.record(EventKind.PROCEDURE, {"text": f"done: {text}", "index": index, "by": by})
        self._wake.set()

    def _run(self) -> None:
        num_holds = 0
        while True:
            with self._lock:
                index, is_running = self._procedure.current, self._procedure.is_running
            if not is_running or index is None or self._session.is_closed:
                self._end()
                return
            try:
                num_holds = self._watch(index, num_holds)
            except WorkbenchError as error:
                with self._lock:
                    self.note = str(error)
                self._tell_page()
            except Exception:
                log.exception("Following a procedure failed")
                self.stop()
            self._wake.wait(PERIOD_S)
            self._wake.clear()

    def _watch(self, index: int, num_holds: int) -> int:
        """Tell a step that was not told yet, else look whether it is done; return for how many looks its goal has held."""
        if self._told != index:
            self._begin(index)
            return 0
        instruction = self._session.controller.status().instruction
        holds = self._session.controller.call(lambda simulator: goal_holds(simulator, instruction)).result(10)
        num_holds = num_holds + 1 if holds else 0
        if num_holds >= NUM_HOLDS or (holds is None and self._is_policy_done):
            self._tick(index, by="goal" if holds else "policy")
            return 0
        return num_holds

    def _begin(self, index: int) -> None:
        with self._lock:
            text = self._procedure.steps[index].text
            self._told, self._is_policy_done = index, False
        found = tell(self._session, text)
        with self._lock:
            if not found["is_told"]:
                self.note = f"Step {index + 1} was not understood: {found['reason']} Tick it when it is done."
            elif not found["is_read"]:
                self.note = "What drives now reads no words: tick the steps by hand, or choose a driver that does."
            else:
                self.note = ""
        if found["is_told"] and self._session.controller.status().mode == "paused" and self._session.shown_step is None:
            self._session.controller.resume()
        self._tell_page()

    def _end(self) -> None:
        with self._lock:
            is_whole = bool(self._procedure.steps) and self._procedure.current is None
        if is_whole and self._session.controller.status().mode == "autonomous":
            self._session.controller.pause()
        self._tell_page()
