"""The live half of one browser tab: its rollout, its view, its drawing with undo, and whoever watches it. No files."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from panels.board import Board
from panels.branching import begin_branch
from panels.commands import dispatch
from panels.events import MODE_EVENTS
from panels.human_desk import HumanDesk
from panels.intention import ASKED_AFTER, IntentionWish
from panels.reading import PlanReading, SketchReader
from panels.registry import LiveRegistry, OpenLive
from panels.segmentation_desk import MaskDesk
from panels.status import ShownMoment, StoredEpisode, status_message
from panels.steering_desk import SteeringDesk
from panels.telling import WordReader, settle_words
from panels.trail import Trail
from panels.trajectory_desk import TrajectoryDesk
from panels.watch_alarms_desk import AlarmDesk
from panels.watch_candidates_desk import CandidateDesk
from panels.watch_goals_desk import GoalsDesk
from workbench.core.errors import InvalidInput, WorkbenchError
from workbench.core.events import EpisodeEnd, EpisodeStart, Event, EventKind, new_id
from workbench.core.protocols import Simulator
from workbench.core.sketches import Sketch, SketchPlan, plan_to_dict, sketch_to_dict
from workbench.core.types import EpisodeConfig, Intention, SimState, Step
from workbench.rollout.controller import RolloutController
from workbench.rollout.looking import at_state
from workbench.rollout.view import LiveView

T = TypeVar("T")
__all__ = ["LiveRegistry", "LiveSession", "OpenLive", "PlanReading"]

STAGE_SIZE = 480
"""Width and height [px] of a live frame, and of the frame that sketch pixels refer to."""
CALL_TIMEOUT_S = 20.0
"""Longest wait for the stepping thread; it answers between two control steps, so only a broken simulator takes this long."""

Listener = Callable[[dict[str, Any]], None]
"""Takes a message for one socket; called from any thread, must return at once."""


class LiveSession:
    """Controller, view and drawing of one browser tab; every method is thread-safe and may be called from any panel."""

    def __init__(
        self,
        tab_id: str,
        *,
        controller: RolloutController,
        view: LiveView,
        reader: SketchReader,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tab_id = tab_id
        self.token = secrets.token_urlsafe(24)
        self.controller = controller
        self.view = view
        self.reader = reader
        self.cameras: tuple[str, ...] = ()
        self.config: EpisodeConfig | None = None
        self.is_closed = False
        self._clock = clock
        self._lock = threading.RLock()
        self._listeners: set[Listener] = set()
        self._unwatched_since: float | None = clock()
        self._board = Board(PlanReading(Sketch(new_id(), "front", STAGE_SIZE, STAGE_SIZE, ())))
        self._shown_step: int | None = None
        self._stored: StoredEpisode | None = None
        self._stored_states: tuple[EpisodeConfig, Sequence[SimState]] | None = None
        self.trail = Trail()
        self.words = WordReader()
        self.intention_wish = IntentionWish()
        self.trajectory = TrajectoryDesk(self)
        self.masks = MaskDesk(self)
        self.steering = SteeringDesk(self)
        self.human = HumanDesk(self)
        self.goals = GoalsDesk(self)
        self.alarms = AlarmDesk(self)
        self.candidates = CandidateDesk(self)
        controller.add_observer(self)

    # --- who watches ---

    def attach(self, listener: Listener) -> None:
        """Send every pushed message to ``listener`` from now on."""
        with self._lock:
            self._listeners.add(listener)
            self._unwatched_since = None

    def detach(self, listener: Listener) -> None:
        """Stop sending to ``listener``; after the last one the tab counts as lost."""
        with self._lock:
            self._listeners.discard(listener)
            if not self._listeners and self._unwatched_since is None:
                self._unwatched_since = self._clock()

    @property
    def unwatched_s(self) -> float:
        """How long no socket has watched this tab [s]; 0 while one does."""
        with self._lock:
            return 0.0 if self._unwatched_since is None else self._clock() - self._unwatched_since

    def push(self, message: dict[str, Any]) -> None:
        """Send a JSON message to all sockets of this tab; returns at once."""
        with self._lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener(message)

    def changed(self, what: str) -> None:
        """Tell the page that something which panels show has changed (``episode``, ``plan``, ``mode``, ``sketch``, ``branch``)."""
        self.push({"type": "changed", "what": what})

    def command(self, name: str, args: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Run a command of :data:`panels.commands.COMMANDS` by name, as the keyboard, the buttons and HTTP do."""
        return dispatch(self, name, args or {})

    # --- the drawing ---

    @property
    def reading(self) -> PlanReading:
        """The present sketch with what was read from it."""
        return self._board.reading

    @property
    def sketch(self) -> Sketch:
        """The present sketch; it may be empty."""
        return self.reading.sketch

    @property
    def plan(self) -> SketchPlan | None:
        """The present plan, or None."""
        return self.reading.plan

    def commit_sketch(self, document: Mapping[str, Any], *, is_snapped: bool = False) -> PlanReading:
        """Take a changed drawing from the page, read it as a plan, and preview its path.

        Args:
            document: sketch document version 1, unchecked.
            is_snapped: recognise freehand strokes and replace them by clean symbols.

        Raises:
            InvalidInput: the document does not follow its format; the drawing stays as it was.
        """
        sketch = self.reader.parse(document, is_snapped=is_snapped)
        self.controller.record(EventKind.SKETCH, {"sketch": sketch_to_dict(sketch)})
        reading = self._read(sketch)
        if reading.plan is not None:
            self.controller.record(EventKind.PLAN, {"plan": plan_to_dict(reading.plan)})
        return self._remember(reading)

    def edit_plan(self, document: Mapping[str, Any]) -> PlanReading:
        """Take a plan that a person edited, and preview it.

        Raises:
            InvalidInput: the document does not follow its format; the plan stays as it was.
        """
        plan = self.reader.parse_plan(document)
        reading = self._preview(self.sketch, plan)
        self.controller.record(EventKind.PLAN, {"plan": plan_to_dict(plan)})
        return self._remember(reading)

    def move_in_history(self, offset: int) -> PlanReading:
        """Undo (-1) or redo (+1) one change of the drawing or plan; at either end nothing happens."""
        is_moved = self._board.move(offset)
        reading = self.reading
        if is_moved:
            change = "undo" if offset < 0 else "redo"
            self.controller.record(EventKind.SKETCH, {"sketch": sketch_to_dict(reading.sketch), "change": change})
        self._tell()
        return reading

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier drawing."""
        return self._board.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether an undone drawing can come back."""
        return self._board.can_redo

    def run_plan(self) -> None:
        """Execute the confirmed plan; from an earlier step that is being looked at, on a new branch.

        Raises:
            InvalidInput: nothing is drawn, or the drawing could not be read.
        """
        reading = self.reading
        if reading.plan is None or not reading.plan.steps:
            raise InvalidInput(
                "plan",
                expected="a drawing that reads as at least one step",
                found=reading.error or "no strokes",
                fix="Draw an arrow from a thing to its goal, then run.",
            )
        if self.shown_step is not None:
            self.branch(None)
        self.controller.run_plan(reading.sketch, reading.plan)
        self.changed("mode")

    # --- time ---

    @property
    def shown_step(self) -> int | None:
        """The step that is looked at, of a stored episode or the live one, or None while following live."""
        with self._lock:
            return self._shown_step

    def show_step(self, step: int | None) -> int | None:
        """Look at a step (a running rollout pauses), or follow live (None), which also leaves a stored episode.

        Returns:
            The step that is shown: kept within the episode; the end of the live episode is live.
        """
        with self._lock:
            stored = self._stored
        if stored is not None and step is not None:
            step = min(max(0, step), stored.num_steps)
        elif step is not None:
            step = None if step >= self.controller.history().num_steps else max(0, step)
        if step is not None and self.controller.status().mode == "autonomous":
            self.controller.pause()
        with self._lock:
            self._shown_step = step
            if step is None:
                self._stored = None
        self.view.show_step(step)
        self.push({"type": "status", **self.status()})
        return step

    def show_stored(self, episode: StoredEpisode, states: Sequence[SimState], *, config: EpisodeConfig, step: int = 0) -> None:
        """Look at a stored episode on the stage; :meth:`show_step` seeks in it, ``show_step(None)`` returns to live.

        Args:
            episode: which one, in words and numbers.
            states: the state before each step, and the final one.
            config: how that episode started.
            step: the step to show first.
        """
        if self.controller.status().mode == "autonomous":
            self.controller.pause()
        with self._lock:
            self._stored, self._stored_states = episode, (config, states)
        self.view.show_states(states, config=config, step=step)
        self.show_step(step)

    @property
    def stored(self) -> StoredEpisode | None:
        """The stored episode that is shown, or None."""
        with self._lock:
            return self._stored

    @property
    def stored_states(self) -> tuple[EpisodeConfig, Sequence[SimState]] | None:
        """How the stored episode that is shown started, and its states; or None."""
        with self._lock:
            return None if self._stored is None else self._stored_states

    def branch(self, step: int | None) -> str:
        """Start a new episode from a step of this one (default: the step that is looked at), paused, and return its id."""
        episode_id = begin_branch(self, step).result(CALL_TIMEOUT_S)
        self.show_step(None)
        self.changed("branch")
        return episode_id

    def in_simulator(self, function: Callable[[Simulator], T]) -> T:
        """Run ``function`` in the stepping thread, at the state that is shown, and return its result."""
        step = self.shown_step if self.stored is None else None
        state = None if step is None else self.controller.history().state(step)
        return self.controller.call(lambda simulator: at_state(simulator, state, function)).result(CALL_TIMEOUT_S)

    # --- what the page shows ---

    def status(self) -> dict[str, Any]:
        """Return the JSON status that is always visible on the stage."""
        return status_message(
            self.controller.status(),
            shown=ShownMoment(self.shown_step, self.stored),
            control_hz=self.config.control_hz if self.config else 20.0,
            gripper=self.trail.gripper,
        )

    def show_intention(self, wish: IntentionWish) -> None:
        """Show or hide what the policy is about to do; a paused one is asked."""
        self.intention_wish = wish
        if wish.is_on:
            self.controller.look_ahead()

    def intention(self) -> Intention | None:
        """Return what the policy is about to do, when somebody wants to see it and looks at the present."""
        return self.controller.intention() if self.intention_wish.is_on and self.shown_step is None else None

    def drawing(self) -> dict[str, Any]:
        """Return the JSON message with sketch, plan, ghost paths and what undo can do."""
        return {"type": "drawing", **self.reading.to_dict(), "can_undo": self.can_undo, "can_redo": self.can_redo}

    def hello(self) -> dict[str, Any]:
        """Return the first message of a socket: everything that rebuilds the stage after a reload."""
        if not self.cameras and self.config is not None:
            self.cameras = self.controller.call(lambda simulator: simulator.spec.cameras).result(CALL_TIMEOUT_S)
        return {"type": "hello", "tab_id": self.tab_id, "cameras": list(self.cameras), "status": self.status(), "drawing": self.drawing()}

    # --- told by the rollout, in the stepping thread ---

    def on_start(self, start: EpisodeStart) -> None:
        """Tell the page of a new episode."""
        self.config = EpisodeConfig.from_dict(start.config)
        with self._lock:
            self._shown_step = self._stored = None
        self.trail.restart(start.episode_id)
        self.view.show_step(None)
        self.push({"type": "episode", "episode_id": start.episode_id, "parent_id": start.parent_id, "branch_step": start.branch_step})
        self.trajectory.on_start(start)
        self.changed("episode")

    def on_step(self, step: Step) -> None:
        """Keep the executed path; everything else of a step reaches the page as frames and status."""
        self.trail.add(step)
        self.trajectory.on_step(step)
        self.masks.on_step(step)
        self.alarms.on_step(step)
        self.candidates.on_step(step)

    def on_event(self, episode_id: str, event: Event) -> None:
        """Send each event to the page."""
        self.push({"type": "event", "episode_id": episode_id, "event": event.to_dict()})
        self.trajectory.on_event(event)
        self.masks.on_event(event)
        self.human.on_event(event)
        self.goals.on_event(event)
        self.alarms.on_event(event)
        if event.kind in MODE_EVENTS:
            self.changed("mode")
        if event.kind in (EventKind.START, EventKind.POLICY) and not self.is_closed:
            settle_words(self)
        if event.kind in ASKED_AFTER and self.intention_wish.is_on and not self.is_closed:
            self.controller.look_ahead()

    def on_end(self, end: EpisodeEnd) -> None:
        """Tell the page that an episode is over."""
        self.push({"type": "end", "episode_id": end.episode_id, "outcome": end.outcome.value})
        self.changed("episode")

    def close(self) -> None:
        """End the rollout and release its threads and views; again is harmless."""
        with self._lock:
            if self.is_closed:
                return
            self.is_closed = True
        self.push({"type": "closed"})
        self.controller.remove_observer(self)
        self.human.close()
        self.trajectory.close()
        self.masks.close()
        self.steering.close()
        self.view.close()
        self.controller.close()

    # --- inner ---

    def _read(self, sketch: Sketch) -> PlanReading:
        if not sketch.strokes:
            return PlanReading(sketch)
        try:
            plan = self.reader.interpret(sketch, self.controller.status().instruction, self.in_simulator)
        except WorkbenchError as error:
            return PlanReading(sketch, error=str(error))
        return self._preview(sketch, plan)

    def _preview(self, sketch: Sketch, plan: SketchPlan) -> PlanReading:
        try:
            return self.reader.preview(sketch, plan, self.in_simulator)
        except WorkbenchError as error:
            return PlanReading(sketch, plan, error=str(error))

    def _remember(self, reading: PlanReading) -> PlanReading:
        self._board.remember(reading)
        self._tell()
        return reading

    def _tell(self) -> None:
        self.push(self.drawing())
        self.changed("sketch")
