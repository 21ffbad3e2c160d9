"""What is tried with the path before and after it is run: checks, the smallest repair, a ghost, the score. All on a copy of the scene."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import InvalidInput, WorkbenchError
from workbench.core.events import new_id
from workbench.core.protocols import Simulator
from workbench.core.types import CameraRequest
from workbench.rollout.ghost import run_ghost
from workbench.rollout.path_checks import PathChecker
from workbench.rollout.trace_path import drawn_path, space_path
from workbench.rollout.trace_skeleton import skeletons
from workbench.rollout.tracing import TRACE_CAMERA
from workbench.simulation.simulator import BenchSimulator
from workbench.trajectory.compare import PathScore, score_path
from workbench.trajectory.feasibility import PathReport

if TYPE_CHECKING:
    from panels.trajectory_desk import TrajectoryDesk

WAIT_S: Final = 120.0
NUM_SHOWN: Final = 90
"""Moments of a ghost that the page draws."""
MIN_DRIVEN: Final = 5
CHECKING: Final = {"state": "checking", "problems": []}

_log = logging.getLogger(__name__)


class Trials:
    """Checks and previews of one desk's path; the newest path wins."""

    def __init__(self, desk: TrajectoryDesk) -> None:
        self._desk = desk
        self._checker: PathChecker | None = None
        """The copy's thread only."""
        self._checked_model: object = None
        self._reports: tuple[int, dict[str, Any]] = (-1, CHECKING)

    def report_of(self, version: int) -> dict[str, Any]:
        """Return what was found of that version of the path, or that it is being looked at."""
        known, report = self._reports
        return report if known == version else CHECKING

    def check(self) -> None:
        """Look at the present path, and tell the page when it is done; returns at once."""
        draft, version = self._desk.draft_and_version()
        if len(draft.path.points) < 2:
            self._reports = (version, {"state": "none", "problems": []})
            return

        def work(simulator: Simulator) -> dict[str, Any]:
            begun = time.perf_counter()
            report = self.checker_of(simulator).check(space_path(draft.path, _opening(simulator)))
            return {**report_to_dict(report), "wall_ms": round(1e3 * (time.perf_counter() - begun), 1)}

        def done(found: Future[dict[str, Any]]) -> None:
            if found.cancelled():
                return
            error = found.exception()
            if error is not None and not isinstance(error, WorkbenchError):
                _log.error("The path could not be checked", exc_info=error)
            report = {"state": "failed", "problems": [], "message": str(error)} if error else found.result()
            if self._desk.draft_and_version()[1] == version:
                self._reports = (version, report)
                self._desk.tell()

        self._in_copy(work, done, slot="check")

    def repair(self) -> dict[str, Any]:
        """Make the path feasible by the smallest change that is found, and say what that was.

        Raises:
            Unreachable: nothing that was tried helps.
        """
        draft, _ = self._desk.draft_and_version()
        if len(draft.path.points) < 2:
            raise InvalidInput("path", expected="at least two points", found=str(len(draft.path.points)))

        def work(simulator: Simulator) -> Any:
            return self.checker_of(simulator).make_feasible(space_path(draft.path, _opening(simulator)))

        repair = self._desk.in_copy(work).result(WAIT_S)
        farthest = float(repair.moved_m.max(initial=0.0))
        notes = [*repair.notes, f"No point moved farther than {100 * farthest:.1f} cm."] if repair.notes else ["Nothing had to be changed."]
        path = drawn_path(repair.path, source="repair", like=draft.path)
        return self._desk.take(path, "made feasible", repair={"notes": notes})

    def preview(self) -> dict[str, Any]:
        """Let a ghost run the path in the copy, and send what it did; the live episode goes on meanwhile."""
        draft, version = self._desk.draft_and_version()
        if len(draft.path.points) < 2:
            raise InvalidInput("path", expected="at least two points", found=str(len(draft.path.points)))

        def work(simulator: Simulator) -> dict[str, Any]:
            if not isinstance(simulator, BenchSimulator):
                raise InvalidInput("preview", expected="the bench simulator", found=simulator.spec.name)
            run = run_ghost(simulator, space_path(draft.path, _opening(simulator)))
            joints, chosen = skeletons(simulator, run.physics[: len(run.positions)], NUM_SHOWN)
            end = float(np.linalg.norm(run.positions[-1] - draft.path.positions()[-1]))
            return {
                "id": new_id(),
                "version": version,
                "positions": np.round(run.positions[chosen], 4).tolist(),
                "joints": np.round(joints, 3).tolist(),
                "duration_s": run.duration_s,
                "wall_s": run.wall_s,
                "speed_ratio": round(run.times_real_time, 1),
                "end_gap_m": round(end, 4),
                "is_success": run.is_success,
                "trouble": run.trouble,
            }

        ghost = self._desk.in_copy(work).result(WAIT_S)
        self._desk.push({"type": "trajectory_ghost", **ghost})
        return {"speed_ratio": ghost["speed_ratio"], "duration_s": ghost["duration_s"], "trouble": ghost["trouble"]}

    def score(self, drawn: NDArray[np.float64], driven: NDArray[np.float64], driver: str) -> None:
        """Compare where the robot went with what was drawn, and tell the page; returns at once."""
        if len(driven) < MIN_DRIVEN:
            return

        def work(simulator: Simulator) -> dict[str, Any]:
            axis = simulator.observe((CameraRequest(TRACE_CAMERA, 8, 8),)).cameras[TRACE_CAMERA].T_world_camera[:3, 2]
            return score_to_dict(score_path(drawn, driven, view_axis=axis), driver)

        def done(found: Future[dict[str, Any]]) -> None:
            if not found.cancelled() and found.exception() is None:
                self._desk.push({"type": "trajectory_score", "score": found.result()})

        self._in_copy(work, done, slot="score")

    def _in_copy(self, work: Callable[[Simulator], dict[str, Any]], done: Callable[[Future[dict[str, Any]]], None], *, slot: str) -> None:
        self._desk.in_copy(work, slot=slot).add_done_callback(done)

    def checker_of(self, simulator: Simulator) -> PathChecker:
        """Return the checker of the copy's scene, standing where the copy stands."""
        if not isinstance(simulator, BenchSimulator):
            raise InvalidInput("checks of the path", expected="the bench simulator", found=simulator.spec.name)
        if self._checker is None or self._checked_model is not simulator.model:
            self._checker, self._checked_model = PathChecker(simulator), simulator.model
        self._checker.stand()
        return self._checker


def report_to_dict(report: PathReport) -> dict[str, Any]:
    """Return what the page shows of a report: each problem at its place."""
    return {
        "state": "ok" if report.is_feasible else "bad",
        "duration_s": round(report.duration_s, 2),
        "problems": [
            {
                "kind": problem.kind.value,
                "point": int(problem.point),
                "arc_m": round(problem.arc_m, 4),
                "position": [round(float(c), 4) for c in problem.position],
                "message": problem.message,
            }
            for problem in report.problems
        ],
    }


def score_to_dict(score: PathScore, driver: str) -> dict[str, Any]:
    """Return a score as numbers [m] and as lines for the person."""
    lines = [
        f"{driver} against the path: discrete Fréchet distance {100 * score.frechet_m:.2f} cm, mean distance {100 * score.mean_m:.2f} cm",
        f"It ended {100 * score.end_point_m:.2f} cm from the path's end",
    ]
    if score.out_of_plane_m is not None and score.in_plane_m is not None:
        lines.append(
            f"In the plane of the front picture {100 * score.in_plane_m:.2f} cm, out of it {100 * score.out_of_plane_m:.2f} cm (means)"
        )
    numbers = {"frechet_m": score.frechet_m, "end_point_m": score.end_point_m, "out_of_plane_m": score.out_of_plane_m}
    return {"lines": lines, **{name: None if v is None else round(v, 5) for name, v in numbers.items()}}


def _opening(simulator: Simulator) -> float:
    return float(simulator.observe(()).part("gripper_command")[0])
