"""Visual programs: a list of (object, what to do with it), done one after the other, with a check of success between steps."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

import numpy as np

from workbench.core.errors import InvalidInput, WorkbenchError
from workbench.core.events import Event, EventKind
from workbench.core.types import PROPRIO, Interaction, Step
from workbench.rollout.controller import RolloutController
from workbench.rollout.loop import DONE
from workbench.rollout.mask_checks import Before, is_done
from workbench.rollout.mask_feed import MaskFeed
from workbench.rollout.tracking import ObjectTracking

_ENDED_BY: Final = frozenset({EventKind.START, EventKind.RESET, EventKind.TAKEOVER, EventKind.HALT, EventKind.POLICY})
CORRECTED: Final = "corrected"
"""State of an object in the event that tells of another click on it."""
WAIT_S: Final = 20.0
_CHECK_EVERY: Final = 2
_STEADY: Final = 3
"""A check must hold so many times in a row."""

_log = logging.getLogger(__name__)


class ProgramState(StrEnum):
    """How a program stands."""

    IDLE = "idle"
    RUNNING = "running"
    DONE = "done"
    DOUBTFUL = "doubtful"
    """The policy says that it is done, and nothing shows it."""
    STOPPED = "stopped"


@dataclass(frozen=True)
class ProgramStep:
    """What shall be done with an object."""

    object_id: str
    interaction: Interaction


class MaskProgram:
    """Runs a list of steps on a live rollout. Told by the stepping thread; started from any."""

    def __init__(self, controller: RolloutController, tracking: ObjectTracking) -> None:
        self._controller, self._tracking = controller, tracking
        self._lock = threading.RLock()
        self.steps: tuple[ProgramStep, ...] = ()
        self.index = 0
        self.state = ProgramState.IDLE
        self.policy = ""
        self.note = ""
        self.version = 0
        self._before: Before | None = None
        self._num_true = 0
        self._has_begun = False

    def change(self, steps: tuple[ProgramStep, ...]) -> None:
        """Change the list; the step that runs goes on where it still stands at its place.

        Raises:
            UnknownName: a step is about an object that there is not.
        """
        self._check(steps)
        with self._lock:
            running = self.steps[self.index] if self.state is ProgramState.RUNNING else None
            self.steps = steps
            if running is not None and running in steps:
                self.index = steps.index(running)
            elif running is not None:
                self.state, self.note = ProgramState.STOPPED, "The step that ran was taken off the list."
            self.version += 1

    def run(self, steps: tuple[ProgramStep, ...], policy: str, *, first: int = 0) -> None:
        """Do the steps, from ``first`` on.

        Raises:
            InvalidInput: there is no such step, or the policy takes no masks.
            UnknownName: a step is about an object that there is not; no such policy.
        """
        if not 0 <= first < len(steps):
            raise InvalidInput(
                "program", expected="at least one step", found=f"{len(steps)}", fix="Choose an object and what shall be done with it."
            )
        self._check(steps)
        self._tracking.aim(frozenset(step.object_id for step in steps)).result(WAIT_S)
        with self._lock:
            self.steps, self.index, self.policy, self.note = steps, first, policy, ""
            self._begin()

    def on_step(self, step: Step) -> None:
        """Look whether the present step is done; go on to the next."""
        with self._lock:
            is_last_word = step.scores.get(DONE, 0.0) >= 1.0
            if self.state is not ProgramState.RUNNING or (step.index % _CHECK_EVERY and not is_last_word):
                return
            try:
                self._look(step)
            except WorkbenchError as error:
                self._settle(ProgramState.STOPPED, str(error))

    def on_event(self, event: Event) -> None:
        """Stop where a person does something else."""
        with self._lock:
            if self.state is not ProgramState.RUNNING:
                return
            # Before the present step was told, a policy can only be done with the one before.
            if event.kind is EventKind.PAUSE and event.payload.get("reason") == "done" and self._has_begun:
                self._settle(ProgramState.DOUBTFUL, f"{self.policy} says that it is done, but no sign of it was seen.")
            elif event.kind in _ENDED_BY and self._has_begun and event.payload.get("policy") != self.policy:
                self._settle(ProgramState.STOPPED, "Stopped by something else.")
            elif event.kind is EventKind.MASK:
                self._has_begun = True
            elif event.kind is EventKind.OBJECT and event.payload.get("state") == CORRECTED:
                self._begin_again(str(event.payload.get("object")))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values for the page."""
        with self._lock:
            steps = [{"object": s.object_id, "interaction": s.interaction.value} for s in self.steps]
            return {"steps": steps, "index": self.index, "state": self.state.value, "policy": self.policy, "note": self.note}

    def _check(self, steps: tuple[ProgramStep, ...]) -> None:
        state = self._tracking.board.state
        for step in steps:
            state.find(step.object_id)

    def _begin(self) -> None:
        """Tell the policy the present step."""
        step = self.steps[self.index]
        feed = MaskFeed(self._tracking, step.object_id)
        mask = feed()
        self.state, self._num_true, self._has_begun = ProgramState.RUNNING, 0, False
        self._before = None
        self._tracking.targets = frozenset({step.object_id})
        if not mask.pixels.any():
            raise InvalidInput(
                "mask", expected="an object that is seen", found="none on the policy's camera", fix="Click it again, on the front camera."
            )
        told: dict[str, Any] = {"mask": replace(mask, newest=feed), "interaction": step.interaction}
        self._controller.run_prompt(self.policy, text="", sketch=None, plan=None, trace=None, **told)
        self.version += 1

    def _begin_again(self, object_id: str) -> None:
        """Tell the present step anew when its object was clicked again: what was planned for the old mask is void."""
        if object_id != self.steps[self.index].object_id:
            return
        try:
            self._begin()
        except WorkbenchError as error:
            self._settle(ProgramState.STOPPED, str(error))

    def _look(self, step: Step) -> None:
        present = self.steps[self.index]
        place = self._tracking.place(present.object_id)
        if step.proprio is None:
            return
        ee = np.asarray(step.proprio[PROPRIO["ee_position"]], dtype=float)
        if self._before is None:
            self._before = Before.at(step.proprio, place)
        self._before = self._before.seen(ee, step.proprio, place)
        if is_done(present.interaction, self._before, step.proprio, place):
            self._num_true += 1
        else:
            self._num_true = 0
        if self._num_true >= _STEADY or (step.scores.get(DONE, 0.0) >= 1.0 and self._num_true > 0):
            self._advance()

    def _advance(self) -> None:
        if self.index + 1 < len(self.steps):
            self.index += 1
            self._begin()
            return
        self._settle(ProgramState.DONE, "All steps are done.")
        if self._controller.status().mode == "autonomous":
            self._controller.pause()

    def _settle(self, state: ProgramState, note: str) -> None:
        self.state, self.note = state, note
        self._tracking.targets = frozenset()
        self.version += 1
