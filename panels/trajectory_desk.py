"""The path of one tab: where it comes from, its edits, its run. What takes longer is done on a copy of the scene."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from panels.loading import announce
from panels.render.trajectory import PathInSpace
from panels.trajectory_drive import BENCH_VLA, DRIVERS, Drive, num_behind
from panels.trajectory_line import EMPTY, Draft, DraftLine
from panels.trajectory_trials import Trials
from workbench.core.errors import InvalidInput, NotStored, UnknownName, Unreachable
from workbench.core.events import EpisodeStart, Event, EventKind
from workbench.core.protocols import Simulator
from workbench.core.types import PROPRIO, CameraRequest, EpisodeConfig, Observation, SimState, Step, Trace
from workbench.rollout.trace_copy import SceneCopy
from workbench.rollout.trace_path import DrawnPath, path_to_dict, thinned, trace_of, with_start
from workbench.rollout.trace_prediction import path_of_actions, path_of_intention
from workbench.rollout.tracing import TRACE_CAMERA, TRACE_PX

if TYPE_CHECKING:
    from panels.live import LiveSession

T = TypeVar("T")

START_M: Final = 0.02
"""A path that starts this near to the end-effector starts there."""
TOLD_EVERY: Final = 2
"""Progress is told after so many steps."""
_STOPPED_BY: Final = frozenset({EventKind.PAUSE, EventKind.HALT, EventKind.TAKEOVER, EventKind.END})

_log = logging.getLogger(__name__)


class TrajectoryDesk:
    """What a tab holds of paths; every method may be called from any thread."""

    def __init__(self, session: LiveSession) -> None:
        self._session = session
        self._lock = threading.RLock()
        self._line = DraftLine()
        self._copy: SceneCopy | None = None
        self._seen: object = None
        self._is_watched = False
        self.drive: Drive | None = None
        self.trials = Trials(self)

    # --- what the page shows ---

    @property
    def draft(self) -> Draft:
        """The present path."""
        with self._lock:
            return self._line.present

    def draft_and_version(self) -> tuple[Draft, int]:
        """The present path, and a number that grows with every change of it."""
        with self._lock:
            return self._line.present, self._line.version

    def message(self) -> dict[str, Any]:
        """Return the JSON message that rebuilds everything about the path in the page."""
        with self._lock:
            line, drive = self._line, self.drive
            return {
                "type": "trajectory",
                "version": line.version,
                **line.present.to_dict(),
                "report": self.trials.report_of(line.version),
                "can_undo": line.can_undo,
                "can_redo": line.can_redo,
                "drive": drive.to_dict() if drive else None,
                "obstacles": obstacles_of(self._session.config),
            }

    def tell(self) -> dict[str, Any]:
        """Send the path to every viewer, and return it."""
        message = self.message()
        self.push(message)
        return message

    def push(self, message: dict[str, Any]) -> None:
        """Send a message to every viewer."""
        self._session.push(message)

    def _changed(self) -> dict[str, Any]:
        """Tell every viewer of another path, and have it looked at."""
        self.trials.check()
        return self.tell()

    # --- where paths come from ---

    def watch(self, is_watched: bool) -> dict[str, Any]:
        """Follow what the policy is about to do from now on, or no longer; a person's own path stays."""
        self._is_watched, self._seen = is_watched, None
        if is_watched:
            self._session.controller.look_ahead()
            self.poll()
        return self.message()

    def poll(self) -> None:
        """Take what the policy is about to do as the path, when that is news and nobody has drawn one; returns at once."""
        draft = self.draft
        if not self._is_watched or not (draft.is_own or draft is EMPTY) or self._session.shown_step is not None:
            return
        controller = self._session.controller
        intention, actions = controller.intention(), controller.proposed()
        seen = intention if intention is not None and intention.trace is not None else actions.tobytes()
        if seen == self._seen or not (intention or len(actions)):
            return
        self._seen = seen

        def predict(simulator: Simulator) -> DrawnPath | None:
            path = path_of_intention(simulator, intention) if intention is not None else None
            return path or (path_of_actions(simulator.observe(()), actions) if len(actions) else None)

        self.in_copy(predict, slot="prediction").add_done_callback(self._take_prediction)

    def _take_prediction(self, found: Future[DrawnPath | None]) -> None:
        if found.cancelled():
            return
        if found.exception() is not None:
            _log.warning("What the policy is about to do cannot be shown: %s", found.exception())
            return
        path = found.result()
        with self._lock:
            draft = self._line.present
            if path is None or not (draft.is_own or draft is EMPTY):
                return
            self._line.replace(Draft(path, is_own=True))
        if self._session.controller.status().mode == "autonomous":
            self.tell()  # it changes again before it could be checked
        else:
            self._changed()

    def take(self, path: DrawnPath, what: str, **more: Any) -> dict[str, Any]:
        """Make a path the present one, with an event and an entry for undo; while the robot follows one, it is told at once."""
        path = thinned(path, 1.0)
        with self._lock:
            before = self._line.present
            old = before.old or tuple(p.position for p in before.path.points)
            self._line.add(Draft(path, **{"old": old, "what": what, **more}))
        self._session.controller.record(EventKind.PATH, {"name": what, "path": path_to_dict(path)})
        self._tell_driver()
        return self._changed()

    def take_own(self) -> dict[str, Any]:
        """Go back to what the policy is about to do; undo brings the person's path back.

        Raises:
            InvalidInput: there is no episode.
        """
        with self._lock:
            self._line.add(EMPTY)
        self._session.controller.record(EventKind.PATH, {"name": "back to the policy's own path", "path": path_to_dict(EMPTY.path)})
        return self.watch(True)

    def move_in_history(self, offset: int) -> dict[str, Any]:
        """Undo (-1) or redo (+1) one change; at either end nothing happens."""
        with self._lock:
            is_moved = self._line.move(offset)
            draft = self._line.present
        if is_moved:
            name = "undone" if offset < 0 else "redone"
            self._session.controller.record(EventKind.PATH, {"name": name, "path": path_to_dict(draft.path)})
            self._tell_driver()
        return self._changed()

    def space(self) -> PathInSpace:
        """Return what the figure of the path in space shows."""
        with self._lock:
            draft, drive = self._line.present, self.drive
            report = self.trials.report_of(self._line.version)
            driven = np.array(drive.driven if drive else [], dtype=float).reshape(-1, 3)
            return PathInSpace(
                draft.path.positions(),
                np.array(draft.old, dtype=float).reshape(-1, 3),
                driven,
                tuple(p.gripper for p in draft.path.points),
                np.array([p["position"] for p in report["problems"]], dtype=float).reshape(-1, 3),
                tuple(obstacles_of(self._session.config)),
            )

    # --- the run ---

    def run(self, driver: str, weight: float) -> dict[str, Any]:
        """Let a policy follow the path, now; from an earlier moment that is looked at, on a branch.

        Raises:
            UnknownName: it is none of the drivers that follow paths.
            InvalidInput: there is no path.
            Unreachable: the path leaves the pictures of all cameras.
        """
        if driver not in DRIVERS:
            raise UnknownName("driver of paths", driver, DRIVERS)
        draft = self.draft
        if len(draft.path.points) < 2:
            raise InvalidInput(
                "path", expected="at least two points", found=str(len(draft.path.points)), fix="Take the policy's path, or draw one."
            )
        session = self._session
        if session.shown_step is not None:
            session.branch(None)
        place, opening = session.in_simulator(_hand)
        is_there = float(np.linalg.norm(draft.path.positions()[0] - place)) < START_M
        path = with_start(draft.path, place, 1 if is_there else 0)
        trace = self._trace(path, driver, weight, opening)
        status = session.controller.status()
        with self._lock:
            self.drive = Drive(path, driver, weight, status.episode_id)
            self._line.replace(replace(draft, path=path, is_own=False, old=draft.old or tuple(p.position for p in draft.path.points)))
        session.controller.record(EventKind.PATH, {"name": f"run by {driver}", "path": path_to_dict(path)})
        text = {"text": ""} if driver == BENCH_VLA else {}
        announce(session, driver)
        session.controller.run_prompt(driver, trace=trace, plan=None, **text)
        session.changed("mode")
        return self._changed()

    def set_weight(self, weight: float) -> dict[str, Any]:
        """Change how much the path counts while it is being followed, from the next control step on."""
        with self._lock:
            if self.drive is None:
                return self.message()
            self.drive.weight = weight
        self._tell_driver()
        return self.message()

    def _tell_driver(self) -> None:
        """Tell a robot that is on its way what lies ahead of the present path, from where it is."""
        with self._lock:
            drive, draft = self.drive, self._line.present
            if drive is None or len(draft.path.points) < 2:
                return
            is_same_way = draft.path.points[0].id == drive.path.points[0].id
            num_passed = max(1, drive.num_passed)
        place, opening = self._session.in_simulator(_hand)
        path = with_start(draft.path, place, num_passed if is_same_way else num_behind(draft.path, place))
        if len(path.points) < 2:
            return
        trace = self._trace(path, drive.driver, drive.weight, opening)
        with self._lock:
            drive.go_on_with(path)
            self._line.replace(replace(draft, path=path))
        self._session.controller.set_prompt(trace=trace)

    def _trace(self, path: DrawnPath, driver: str, weight: float, opening: float) -> Trace:
        """Return the path on a camera that shows all of it; the bench VLA reads its own camera only."""
        session = self._session
        names = (TRACE_CAMERA, *(name for name in session.cameras if name not in (TRACE_CAMERA, "wrist")))
        wanted = names[:1] if driver == BENCH_VLA else names
        pinholes = session.in_simulator(lambda s: _look(s, [n for n in wanted if n in s.spec.cameras]).cameras)
        trouble: Unreachable | None = None
        for pinhole in pinholes.values():
            try:
                return trace_of(path, pinhole, opening=opening, weight=weight)
            except Unreachable as error:
                trouble = trouble or error
        raise trouble or Unreachable("the path", reason="this simulator has no camera that it can be told on")

    # --- the copy of the scene ---

    def in_copy(self, work: Callable[[Simulator], T], *, slot: str = "") -> Future[T]:
        """Run a function on a copy of the scene that stands where the shown one stands; see :class:`SceneCopy`."""
        config = self._session.config
        if config is None:
            raise InvalidInput("path", expected="an episode", found="none", fix="Start one in the Scene tab.")
        return self._the_copy().run(config, self._shown_state(), work, slot=slot)

    def in_copy_of(self, config: EpisodeConfig, work: Callable[[Simulator], T]) -> Future[T]:
        """Run a function on a copy of another episode's scene, which stands at its start."""
        return self._the_copy().run(config, None, work)

    def _the_copy(self) -> SceneCopy:
        with self._lock:
            if self._copy is None:
                self._copy = SceneCopy(self._session.controller.catalogues[0])
            return self._copy

    def _shown_state(self) -> SimState | None:
        """Return the state that is looked at, while it moves the one before the present step; None before the first is known."""
        history = self._session.controller.history()
        step = self._session.shown_step
        for index in [history.num_steps, history.num_steps - 1] if step is None else [step]:
            try:
                return history.state(index)
            except NotStored:
                continue
        blob = history.start.start_state
        return None if blob is None else SimState.from_bytes(blob)

    # --- told by the rollout, in the stepping thread ---

    def on_start(self, start: EpisodeStart) -> None:
        """Forget what belongs to the episode before; a path that a person drew stays."""
        with self._lock:
            self.drive = None
            if self._line.present.is_own:
                self._line.replace(EMPTY)
        self._seen = None
        self._changed()

    def on_step(self, step: Step) -> None:
        """Note how far the robot is along its path."""
        with self._lock:
            drive = self.drive
            if drive is None or step.proprio is None:
                return
            drive.advance(np.asarray(step.proprio[PROPRIO["ee_position"]], dtype=float))
            message = drive.to_dict() if step.index % TOLD_EVERY == 0 else None
        if message is not None:
            self._session.push(message)

    def on_event(self, event: Event) -> None:
        """Notice when the way is over, or somebody else takes over: the way so far is scored."""
        with self._lock:
            drive = self.drive
            is_over = event.kind in _STOPPED_BY and drive is not None and len(drive.driven) > 0
            if event.kind is EventKind.POLICY and drive is not None and event.payload.get("policy") != drive.driver:
                self.drive = None
            if drive is None or not is_over:
                return
            drawn, driven = drive.drawn(), np.array(drive.driven)
            if event.payload.get("reason") == "done" or event.kind is EventKind.END:
                self.drive = None
        self.trials.score(drawn, driven, drive.driver)
        self.tell()

    def close(self) -> None:
        """Release the copy of the scene; again is harmless."""
        with self._lock:
            copy = self._copy
        if copy is not None:
            copy.close()


def obstacles_of(config: EpisodeConfig | None) -> list[dict[str, float]]:
    """Return the boxes of an episode's option ``obstacles``."""
    return [] if config is None else list(config.options.get("obstacles", {}).get("boxes", []))


def _hand(simulator: Simulator) -> tuple[NDArray[np.float64], float]:
    """Return where the end-effector is ``(3,)`` [m], and how far the gripper is told to open."""
    observation = simulator.observe(())
    return observation.ee_position, observation.gripper_command


def _look(simulator: Simulator, cameras: list[str]) -> Observation:
    return simulator.observe([CameraRequest(name, TRACE_PX, TRACE_PX) for name in cameras])
